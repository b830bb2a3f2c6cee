"""The waiting room, roles, ended rights and hidden supervisors over the interface: what a token may no longer read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from server.api.operations import OPERATIONS
from server.domain.ids import ParticipantId, SessionId
from server.domain.model import LeaveReason, ParticipantState, SessionStatus
from tests.scenario.test_api_media import TOLD
from tests.support.bureau import Page
from tests.support.fake_media import OFFER
from tests.support.server import FakePlane, Here, app


async def page(here: Here, token: str) -> Page:
    socket = await here.http.ws_connect(f"{here.url}/api/v1/signal", max_msg_size=0)
    made = Page(socket)
    await socket.send_json({"t": "hello", "version": 1, "token": token, "resume": None})
    await made.until(lambda one: bool(one.welcome or one.bye))
    return made


async def enter(here: Here, session: str, token: str) -> Any:
    return (await here.post(f"/sessions/{session}/enter", token=token)).json


async def test_who_waits_reads_nothing(tmp_path: Path) -> None:
    async with app(tmp_path) as here:
        session = await here.session()
        customer = await here.place(session)
        link = (await here.invitation(session, "agent"))["link"]
        lead = await page(here, (await enter(here, session, here.agent))["token"])
        await lead.say("session.waiting_room", on=True)
        await lead.told("session.changed")
        body = {"secret": link.rpartition("/")[2], "name": "n"}
        assert (await here.post("/invitations/inspect", body={"secret": body["secret"]})).json["context"] == ""
        entry = (await here.post("/invitations/redeem", body)).json
        assert (entry["session"]["customer_reference"], entry["session"]["context"], entry["session"]["reason"]) == ("", "", "")
        named = {
            "session": session,
            "participant": customer["participant"],
            "file": f"FI_{'A' * 26}",
            "invitation": f"IN_{'A' * 26}",
        }
        asked = 0
        for operation in OPERATIONS:
            if operation.in_session and operation.id != "start_network_test":
                path = operation.path.format_map({**named, "recording": "x", "track": "x", "job": "x", "pdf": "x"})
                answer = await here.call(operation.method, path, {}, token=entry["token"])
                assert answer.status == 403, operation.id
                asked += 1
        assert asked >= 10
        assert (await here.get("/staff/available", token=entry["token"])).status == 403
        waiting = await page(here, entry["token"])
        await lead.say("participant.admit", participant=entry["participant"], admitted=True)
        await waiting.told("admitted")
        assert (await here.get(f"/sessions/{session}", token=entry["token"])).json["customer_reference"] == "C-7"
        await lead.close()
        await waiting.close()


async def test_a_locked_session_lets_nobody_new_in(tmp_path: Path) -> None:
    async with app(tmp_path) as here:
        session = await here.session()
        made = await here.invitation(session, "expert", with_code=True)
        lead = await page(here, (await enter(here, session, here.agent))["token"])
        await lead.say("session.lock", locked=True)
        await lead.told("session.changed")
        for body in ({"secret": made["link"].rpartition("/")[2]}, {"code": made["code"]}):
            for path in ("/invitations/inspect", "/invitations/redeem"):
                answer = await here.post(path, body)
                assert (answer.status, answer.code) == (423, "locked")
                assert "locked" in answer.json["detail"]
        assert (await here.get(f"/sessions/{session}", token=here.agent)).json["locked"] is True
        await lead.close()


async def test_a_token_of_the_role_before_is_refused(tmp_path: Path) -> None:
    async with app(tmp_path) as here:
        session = await here.session()
        lead = await page(here, (await enter(here, session, here.agent))["token"])
        old = await here.place(session, "agent")
        other = await page(here, old["token"])
        path = f"/sessions/{session}/invitations"
        assert (await here.get(path, token=old["token"])).status == 200
        await lead.say("participant.role", participant=old["participant"], role="expert")
        fresh = (await other.told("token.renewed"))["token"]
        assert (await here.get(path, token=old["token"])).status == 401
        assert (await here.get(path, token=fresh)).status == 403
        assert (await here.get(f"/sessions/{session}", token=fresh)).status == 200
        await lead.say("participant.role", participant=old["participant"], role="agent")
        await other.until(lambda one: len([body for body in one.bodies if body["type"] == "token.renewed"]) == 2)
        assert (await here.get(path, token=(await other.told("token.renewed"))["token"])).status == 200
        await lead.close()
        await other.close()


async def test_signing_out_ends_what_was_entered(tmp_path: Path) -> None:
    async with app(tmp_path) as here:
        session = await here.session()
        entry = await enter(here, session, here.agent)
        lead = await page(here, entry["token"])
        assert (await here.get(f"/sessions/{session}", token=entry["token"])).status == 200
        assert (await here.delete("/login", token=here.agent)).status == 204
        await lead.until(lambda one: one.bye == "revoked")
        assert (await here.get(f"/sessions/{session}", token=entry["token"])).status == 401
        await lead.close()


async def test_withdrawing_an_invitation_ends_its_tokens(tmp_path: Path) -> None:
    async with app(tmp_path) as here:
        session = await here.session()
        made = await here.invitation(session, "expert")
        entry = (await here.post("/invitations/redeem", {"secret": made["link"].rpartition("/")[2], "name": "e"})).json
        assert (await here.get(f"/sessions/{session}", token=entry["token"])).status == 200
        assert (await here.delete(f"/sessions/{session}/invitations/{made['id']}", token=here.agent)).status == 204
        assert (await here.get(f"/sessions/{session}", token=entry["token"])).status == 401


async def test_who_can_be_given_a_customer(tmp_path: Path) -> None:
    async with app(tmp_path) as here:
        assert (await here.get("/staff/available", token=here.agent)).json == {"staff": []}
        desks = [await page(here, token) for token in (here.agent, here.agent, here.supervisor)]
        session = await here.session()
        lead = await page(here, (await enter(here, session, here.agent))["token"])
        found = (await here.get("/staff/available", token=here.supervisor)).json["staff"]
        assert [(one["id"], one["role"], one["busy"]) for one in found] == [
            (here.supervisor_id, "supervisor", False),
            (here.agent_id, "agent", True),
        ]
        assert set(found[0]) == {"id", "name", "role", "busy"}
        for one in (*desks, lead):
            await one.close()


class Plane(FakePlane):
    """Tells of these participants what a worker would."""

    people: tuple[str, ...] = ()

    async def stats(self, room: str) -> Mapping[str, object]:
        one = TOLD["participants"]["PA_1"]
        return {"participants": dict.fromkeys(self.people, one)}


@pytest.mark.parametrize(
    ("disclosed", "told"),
    [
        ("everybody", {"expert", "agent", "supervisor", "key"}),
        ("staff", {"agent", "supervisor", "key"}),
        ("nobody", {"supervisor", "key"}),
    ],
)
async def test_who_is_told_of_a_supervisor_who_listens(tmp_path: Path, disclosed: str, told: set[str]) -> None:
    media = Plane()
    async with app(tmp_path, media=media, supervision__disclosed=disclosed) as here:
        session = await here.session()
        expert = await here.place(session, "expert")
        boss = await enter(here, session, here.supervisor)
        hidden = await page(here, boss["token"])
        await hidden.say("consent.set", scope="camera", decision="given", wording="w", language="en")
        await hidden.told("consent.changed")
        await media.connect(session, boss["participant"], OFFER)
        media.people = (boss["participant"], expert["participant"])
        callers = {"expert": expert["token"], "agent": here.agent, "supervisor": here.supervisor, "key": here.key}
        for name, token in callers.items():
            for what in ("participants", "consents", "media"):
                answer = await here.get(f"/sessions/{session}/{what}", token=token)
                assert answer.status == 200
                assert (boss["participant"] in str(answer.json)) is (name in told), (name, what)
            sums = [
                source["forwarded"]
                for one in (await here.get(f"/sessions/{session}/media", token=token)).json["participants"]
                for source in one["sources"]
            ]
            assert any(sums) is (name in told), name
        await hidden.close()


async def test_who_is_told_of_those_who_wait(tmp_path: Path) -> None:
    media = Plane()
    async with app(tmp_path, media=media) as here:
        session = await here.session()
        customer, expert = await here.place(session), await here.place(session, "expert")
        inside = await enter(here, session, here.agent)
        link = (await here.invitation(session, "expert", uses_allowed=2))["link"].rpartition("/")[2]
        lead = await page(here, inside["token"])
        await lead.say("session.waiting_room", on=True)
        await lead.told("session.changed")
        guests = [(await here.post("/invitations/redeem", {"secret": link, "name": f"guest {n}"})).json for n in range(2)]
        stays, goes = [await page(here, guest["token"]) for guest in guests]
        for waiting, guest in zip((stays, goes), guests, strict=True):
            await waiting.say("consent.set", scope="camera", decision="given", wording="w", language="en")
            await waiting.told("consent.changed")
            await media.connect(session, guest["participant"], OFFER)
        await lead.say("participant.admit", participant=guests[1]["participant"], admitted=False)
        await goes.until(lambda one: bool(one.bye))
        media.people = (expert["participant"], guests[0]["participant"])
        callers = {
            "expert": (expert["token"], False),
            "customer": (customer["token"], False),
            "agent inside": (inside["token"], True),
            "agent": (here.agent, True),
            "supervisor": (here.supervisor, True),
            "key": (here.key, True),
        }

        async def told(token: str) -> dict[str, list[bool]]:
            answers = {}
            for what in ("participants", "consents", "media"):
                answer = await here.get(f"/sessions/{session}/{what}", token=token)
                assert answer.status in (200, 403)
                answers[what] = [guest["participant"] in answer.raw.decode() for guest in guests]
            return answers

        for name, (token, knows) in callers.items():
            assert await told(token) == {
                "participants": [knows, knows],
                "consents": [knows, knows],
                "media": [knows, False],
            }, name
        await lead.say("participant.admit", participant=guests[0]["participant"], admitted=True)
        await stays.told("admitted")
        assert await told(expert["token"]) == {"participants": [True, False], "consents": [True, False], "media": [True, False]}
        for one in (lead, stays, goes):
            await one.close()


async def test_an_agent_who_was_lost_and_replaced_may_do_nothing(tmp_path: Path) -> None:
    async with app(tmp_path) as here:
        session = await here.session()
        entry = await enter(here, session, here.agent)
        other = {"username": "ben", "name": "Ben", "role": "agent", "password": "correct horse battery 9"}
        ben = (await here.post("/staff", other, token=here.supervisor)).json["id"]
        store = here.server.context.store

        async def served_by(taken_by: str | None, status: SessionStatus) -> None:
            async with store.begin() as tx:
                record = await tx.get_session(SessionId(session))
                place = await tx.get_participant(ParticipantId(entry["participant"]))
                assert record is not None
                assert place is not None
                await tx.save_session(msgspec.structs.replace(record, status=status, taken_by=taken_by))
                await tx.save_participant(
                    msgspec.structs.replace(place, state=ParticipantState.LEFT, leave_reason=LeaveReason.LOST)
                )

        mine = f"/sessions/{session}"
        for taken_by, status in ((here.agent_id, SessionStatus.OPEN), (None, SessionStatus.WAITING)):
            await served_by(taken_by, status)  # theirs still, or again when they are the first to come
            assert (await here.get(mine, token=entry["token"])).status == 200
        await served_by(ben, SessionStatus.OPEN)
        for method, path, body in (
            ("GET", "", None),
            ("GET", "/messages", None),
            ("GET", "/participants", None),
            ("GET", "/consents", None),
            ("GET", "/media", None),
            ("POST", "/invitations", {"role": "expert"}),
            ("POST", "/end", {"reason": "spite"}),
        ):
            answer = await here.call(method, mine + path, body, token=entry["token"])
            assert (answer.status, answer.code) == (401, "unauthenticated"), path
        assert (await here.get(mine, token=here.supervisor)).json["status"] == "open"
