"""The waiting room and the lock: who waits, that they learn nothing, who is told of them, and how they come in."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from server.api.bodies import CreateInvitation, RedeemInvitation
from server.domain.ids import ParticipantId, SessionId
from server.domain.model import LeaveReason, Role
from server.errors import Gone, Locked
from server.services.invitations import Invitations
from tests.support.colleagues import Branch, Inside, give, left, view_of
from tests.support.fake_media import OFFER
from tests.support.signalling import replaced


@pytest.fixture
async def house() -> AsyncIterator[Branch]:
    async with Branch() as house:
        yield house


def invitations(house: Branch) -> Invitations:
    return Invitations(house.store, house.clock, house.make_id, code_key=bytes(32), public_url="http://localhost")


async def invite(house: Branch, session: SessionId, role: Role, uses: int = 5) -> str:
    """The secret of a link."""
    made = await invitations(house).create(session, CreateInvitation(role=role, uses_allowed=uses), "")
    return made.link.rpartition("/")[2]


async def redeem(house: Branch, secret: str, name: str = "周工") -> Any:
    return await house.entries.redeem(RedeemInvitation(secret=secret, name=name))


async def test_who_comes_by_an_invitation_waits_and_learns_nothing(house: Branch) -> None:
    session, _ann, agent, customer = await house.served()
    secret = await invite(house, session, Role.EXPERT)
    await agent.page.say("chat.send", client_id="1", text="private")
    assert await agent.page.error("session.waiting_room", on=True) is None
    assert customer.page.got("session.changed")[-1]["session"]["waiting_room"] is True
    preview = await invitations(house).inspect(secret, "")
    assert preview.context == ""
    entry = await redeem(house, secret)
    view = entry.session
    assert (view.customer_name, view.customer_reference, view.reason, view.context) == ("", "", "", "")
    page = await house.connect(entry.token)
    snapshot = page.snapshot
    assert (snapshot["you"]["id"], snapshot["you"]["waits"]) == (entry.participant, True)
    assert (snapshot["participants"], snapshot["consents"], snapshot["chat"], snapshot["grants"]) == ([], [], [], [])
    for name in ("customer_name", "customer_reference", "reason", "context"):
        assert snapshot["session"][name] == "", name
    assert snapshot["recording"]["state"] == "off"
    for text in ("王芳", "private", "C-1", "summary", agent.id, customer.id):
        assert text not in str(page.frames), text
    assert view_of(agent.page, entry.participant)["waits"] is True
    assert view_of(agent.page, entry.participant)["name"] == "周工"
    assert entry.participant not in str(customer.page.frames)

    before = len(page.frames)
    await give(agent.page, "screen")
    await agent.page.say("track.state", source="camera", on=True)
    await agent.page.say("chat.send", client_id="2", text="still private")
    await customer.page.say("chat.read", message=customer.page.got("chat.message")[-1]["message"]["id"])
    await customer.page.say("quality.report", level="good", rtt_ms=1, loss_permille=0, down_kbps=1, up_kbps=1)
    house.media.speaking(session, agent.id)
    house.media.slots(session, entry.participant, ("3", agent.id, "camera"))
    await agent.page.say("participant.hold", participant=customer.id, held=True)
    await house.enter(session, Role.EXPERT)
    await customer.page.say("leave")
    assert [frame["body"]["type"] for frame in page.frames[before:] if frame["t"] == "msg"] == []


async def test_what_who_waits_may_not_do(house: Branch) -> None:
    session, _ann, agent, customer = await house.served()
    secret = await invite(house, session, Role.AGENT)
    await agent.page.say("session.waiting_room", on=True)
    entry = await redeem(house, secret)
    page = await house.connect(entry.token)
    tries: dict[str, dict[str, Any]] = {
        "chat.send": {"client_id": "1", "text": "x"},
        "chat.read": {"message": "ME_X"},
        "ask": {"participant": customer.id, "source": "camera"},
        "participant.remove": {"participant": agent.id},
        "participant.hold": {"participant": agent.id, "held": True},
        "participant.admit": {"participant": entry.participant, "admitted": True},
        "session.waiting_room": {"on": False},
        "session.end": {},
        "handover.offer": {},
        "recording.set": {"state": "on"},
        "quality.report": {"level": "good", "rtt_ms": 1, "loss_permille": 0, "down_kbps": 1, "up_kbps": 1},
    }
    for kind, fields in tries.items():
        assert await page.error(kind, **fields) == "not_allowed", kind
    assert (await house.participant(entry.participant)).waits_at is not None
    for page_of_other in (agent.page, customer.page):
        assert page_of_other.got("asked") == page_of_other.got("quality") == []


async def test_they_may_connect_but_reach_nobody(house: Branch) -> None:
    session, _ann, agent, customer = await house.served()
    secret = await invite(house, session, Role.EXPERT)
    await agent.page.say("session.waiting_room", on=True)
    entries = [await redeem(house, secret) for _ in range(2)]
    pages = [await house.connect(entry.token) for entry in entries]
    for page in pages:
        await give(page, "microphone", "camera")
        assert await page.error("media.offer", sdp=OFFER) is None
    circles = {house.circle(session, entry.participant) for entry in entries}
    assert len(circles) == 2
    assert "" not in circles
    assert all(house.gates(session, entry.participant) == set() for entry in entries)
    assert pages[0].got("consent.changed")
    assert entries[0].participant not in str(pages[1].frames)
    assert entries[0].participant not in str(customer.page.got("consent.changed"))


async def test_let_in(house: Branch) -> None:
    session, _ann, agent, customer = await house.served()
    secret = await invite(house, session, Role.EXPERT)
    await agent.page.say("session.waiting_room", on=True)
    entry = await redeem(house, secret)
    page = await house.connect(entry.token)
    await give(page, "microphone")
    await customer.page.say("chat.send", client_id="1", text="hello")
    assert await customer.page.error("participant.admit", participant=entry.participant, admitted=True) == "not_allowed"
    assert await agent.page.error("participant.admit", participant=entry.participant, admitted=True) is None
    snapshot = page.got("admitted")[-1]["snapshot"]
    assert {one["id"] for one in snapshot["participants"]} == {agent.id, customer.id}
    assert snapshot["you"]["waits"] is False
    assert snapshot["chat"][-1]["text"] == "hello"
    assert "chat" in snapshot["grants"]
    assert snapshot["session"]["customer_reference"] == "C-1"
    assert house.circle(session, entry.participant) == ""
    assert house.gates(session, entry.participant) == {"microphone"}
    for other in (agent, customer):
        assert view_of(other.page, entry.participant)["waits"] is False
    assert await page.error("chat.send", client_id="1", text="thanks") is None
    assert await agent.page.error("participant.admit", participant=entry.participant, admitted=True) == "not_found"
    assert ("participant.admitted", entry.participant) in await house.audit()
    again = await house.connect(house.token(session, entry.participant, Role.EXPERT))
    assert again.snapshot["you"]["waits"] is False


async def test_sent_away(house: Branch) -> None:
    session, _ann, agent, customer = await house.served()
    secret = await invite(house, session, Role.EXPERT)
    await agent.page.say("session.waiting_room", on=True)
    entry = await redeem(house, secret)
    page = await house.connect(entry.token)
    assert await agent.page.error("participant.admit", participant=entry.participant, admitted=False) is None
    assert page.bye == "refused"
    assert left(agent.page) == {entry.participant: "refused"}
    assert left(customer.page) == {}
    assert (await house.participant(entry.participant)).leave_reason is LeaveReason.REFUSED
    assert (await house.connect(entry.token)).bye == "unauthorised"


async def test_who_does_not_wait(house: Branch) -> None:
    ann = await house.colleague()
    session = await house.session(created_by=ann.id)
    agent = Inside(*await house.comes(session, ann))
    early = await redeem(house, await invite(house, session, Role.EXPERT))
    await agent.page.say("session.waiting_room", on=True)
    customers = await invite(house, session, Role.CUSTOMER)
    first, second = await redeem(house, customers, "王芳"), await redeem(house, customers, "somebody")
    boss = await house.colleague(Role.SUPERVISOR)
    comes, _ = await house.comes(session, boss)
    for id, waits in ((early.participant, False), (first.participant, False), (second.participant, True), (comes, False)):
        assert ((await house.participant(ParticipantId(id))).waits_at is not None) is waits
    assert (await house.connect(early.token)).snapshot["you"]["waits"] is False
    await agent.page.say("session.waiting_room", on=False)
    assert (await house.connect(second.token)).snapshot["you"]["waits"] is True  # who waits goes on waiting
    third = await redeem(house, customers)
    assert (await house.connect(third.token)).snapshot["you"]["waits"] is False


async def test_who_waits_is_lost_reloads_and_outlives_a_restart(house: Branch) -> None:
    session, ann, agent, customer = await house.served()
    secret = await invite(house, session, Role.EXPERT)
    await agent.page.say("session.waiting_room", on=True)
    entry = await redeem(house, secret)
    page = await house.connect(entry.token)
    again = await house.connect(entry.token)
    assert page.bye == "moved"
    assert again.snapshot["participants"] == []
    again.cut()
    await house.advance(1, agent.page, customer.page)
    assert view_of(agent.page, entry.participant)["state"] == "disconnected"
    await house.advance(21, agent.page, customer.page)
    assert left(agent.page) == {entry.participant: "lost"}
    back = await house.connect(entry.token)
    assert back.snapshot["you"]["waits"] is True
    async with Branch(store=house.store) as after:
        await after.live.recover()
        _, lead = await after.comes(session, ann)
        assert [one["waits"] for one in lead.snapshot["participants"] if one["id"] == entry.participant] == [True]
        page = await after.connect(entry.token)
        assert page.snapshot["participants"] == []
        assert await lead.error("participant.admit", participant=entry.participant, admitted=True) is None
        assert page.got("admitted")


async def test_new_pages_of_those_who_do_not_admit_are_told_nothing_of_who_waits(house: Branch) -> None:
    session, ann, agent, customer = await house.served()
    secret = await invite(house, session, Role.EXPERT)
    await agent.page.say("session.waiting_room", on=True)
    entry = await redeem(house, secret)
    await give(await house.connect(entry.token), "microphone")
    again = await house.connect(house.token(session, customer.id, Role.CUSTOMER))
    assert entry.participant not in str(again.snapshot)
    _, page = await house.comes(session, ann)
    assert entry.participant in str(page.snapshot["participants"])


async def test_a_session_that_ends_and_a_lost_worker_reach_who_waits(house: Branch) -> None:
    session, _ann, agent, _customer = await house.served()
    secret = await invite(house, session, Role.EXPERT)
    await agent.page.say("session.waiting_room", on=True)
    entry = await redeem(house, secret)
    page = await house.connect(entry.token)
    house.media.lose(session)
    assert page.got("media.lost")
    await agent.page.say("session.end")
    assert page.bye == "session_ended"
    assert page.got("session.changed") == []
    assert (await house.participant(entry.participant)).leave_reason is LeaveReason.ENDED


async def test_who_waits_leaves(house: Branch) -> None:
    session, _ann, agent, _customer = await house.served()
    secret = await invite(house, session, Role.EXPERT)
    await agent.page.say("session.waiting_room", on=True)
    entry = await redeem(house, secret)
    page = await house.connect(entry.token)
    await page.say("leave")
    assert page.bye == "left"
    assert left(agent.page) == {entry.participant: "left"}


async def test_let_in_although_the_history_cannot_be_read(house: Branch) -> None:
    session, _ann, agent, _customer = await house.served()
    secret = await invite(house, session, Role.EXPERT)
    await agent.page.say("session.waiting_room", on=True)
    entry = await redeem(house, secret)
    page = await house.connect(entry.token)
    with house.broken_store():
        assert await agent.page.error("participant.admit", participant=entry.participant, admitted=True) == "internal"
    assert page.got("admitted") == []
    assert house.circle(session, entry.participant) != ""
    assert await agent.page.error("participant.admit", participant=entry.participant, admitted=True) is None
    assert page.got("admitted")


async def test_locked(house: Branch) -> None:
    session, _ann, agent, customer = await house.served()
    secret = await invite(house, session, Role.EXPERT)
    place = await redeem(house, secret)
    assert await customer.page.error("session.lock", locked=True) == "not_allowed"
    assert await agent.page.error("session.lock", locked=True) is None
    assert customer.page.got("session.changed")[-1]["session"]["locked"] is True
    for what in (invitations(house).inspect(secret, ""), redeem(house, secret)):
        with pytest.raises(Locked, match="locked"):
            await what
    assert (await house.connect(place.token)).bye is None  # who has a place comes in
    customer.page.cut()
    await house.advance(25, agent.page)
    assert (await house.connect(house.token(session, customer.id, Role.CUSTOMER))).bye is None
    boss = await house.colleague(Role.SUPERVISOR)
    _, page = await house.comes(session, boss)
    assert page.bye is None
    assert page.snapshot["session"]["locked"] is True
    await agent.page.say("session.lock", locked=True)
    await agent.page.say("session.lock", locked=False)
    assert (await redeem(house, secret)).role is Role.EXPERT
    assert [action for action, _ in await house.audit() if "lock" in action] == ["session.locked", "session.unlocked"]
    async with house.store.begin() as tx:
        record = await tx.get_session(session)
        assert record is not None
        await tx.save_session(replaced(record, locked_at=house.clock.now()))
    await agent.page.say("session.end")
    with pytest.raises(Gone):
        await redeem(house, secret)
