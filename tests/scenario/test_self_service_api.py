"""A verification with a link as a bank's system asks for it and the customer's page opens it: the whole server over HTTP and its WebSocket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from server.store.sql import open_store
from tests.scenario.test_api_people import page
from tests.scenario.test_verifications_api import DETAILS, Bank, b64, settings
from tests.support.bank_place import takes
from tests.support.bureau import Page
from tests.support.server import Here, app
from tests.support.tiny_engine import ALICE, draw

CASES = "verification.cases"
RETURN = "https://app.bank.example/done"
PORTRAIT = {"image": b64(draw(ALICE))}


@asynccontextmanager
async def serving(folder: Path, **more: Any) -> AsyncIterator[tuple[Here, Bank]]:
    async with app(folder, **settings(folder, transactions__return_origins=("https://app.bank.example",), **more)) as here:
        yield here, await Bank.of(here)


def secret(made: Any) -> str:
    link: str = made["links"]["customer"]
    return link.rpartition("/j/")[2]


async def stands(customer: Page, state: str) -> None:
    """The page has been told that its case is in this state."""
    await customer.until(lambda one: any(body["cases"][0]["state"] == state for body in one.bodies if body["type"] == CASES))


async def test_the_whole_way_of_a_link(tmp_path: Path) -> None:
    async with serving(tmp_path) as (here, bank):
        made = await bank.ask(link={"language": "en", "return_url": RETURN})
        assert made.status == 201
        assert made.json["links"]["customer"].startswith(f"{here.url}/j/")
        assert (await bank.get(made.json["id"])).json["links"] is None
        looked = (await here.post("/invitations/inspect", {"secret": secret(made.json)})).json
        told = looked["verification"]
        assert (looked["kind"], looked["role"], looked["language"]) == ("verification", "customer", "en")
        assert (told["case"], told["state"], told["return_url"], told["steps"]) == (made.json["id"], "open", RETURN, ["face"])
        entry = (await here.post("/invitations/redeem", {"secret": secret(made.json), "name": "王芳"})).json
        assert (entry["session"]["kind"], entry["session"]["reason"], entry["session"]["customer_reference"]) == (
            "verification",
            "",
            "",
        )
        customer = await page(here, entry["token"])
        first = await customer.told(CASES)
        assert first["cases"] == [told]
        in_use = await here.post("/invitations/redeem", {"secret": secret(made.json), "name": "somebody else"})
        assert (in_use.status, in_use.code) == (409, "link_in_use")
        cancelled = await bank.post(f"/{made.json['id']}/cancel")
        assert cancelled.json["links"] is None
        await stands(customer, "cancelled")


async def test_a_session_ends_with_its_case_in_a_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the server's own look at what is over."""
    monkeypatch.setattr("server.live.cases.LOOK_S", 0.02)
    monkeypatch.setattr("server.live.cases.END_EVERY_S", 0.04)
    monkeypatch.setattr("server.services.verification_sessions.OVER_S", 0)
    store = await open_store(f"sqlite:///{tmp_path}/store.db")
    async with serving(tmp_path, store=store) as (here, bank):
        made = (await bank.ask(link={"return_url": RETURN})).json
        looked = (await here.post("/invitations/inspect", {"secret": secret(made)})).json
        assert looked["verification"]["return_url"] == RETURN
        entry = (await here.post("/invitations/redeem", {"secret": secret(made), "name": "王芳"})).json
        customer = await page(here, entry["token"])
        await stands(customer, "open")
        await bank.post(f"/{made['id']}/cancel")
        await customer.until(lambda one: bool(one.bye))
        assert customer.bye == "session_ended"
        session = (await here.get(f"/sessions/{made['session']}", token=here.key)).json
        assert (session["status"], session["end_reason"]) == ("ended", "over")


async def test_what_the_bank_uploads_is_told_to_the_page(tmp_path: Path) -> None:
    async with serving(tmp_path) as (here, bank):
        made = (await bank.ask(link={})).json
        entry = (await here.post("/invitations/redeem", {"secret": secret(made), "name": ""})).json
        customer = await page(here, entry["token"])
        portrait = await bank.here.call("PUT", f"/verifications/{made['id']}/portrait", PORTRAIT, token=bank.secret)
        assert portrait.status == 200
        assert (await bank.show(made["id"], takes())).json["attempt"]["outcome"] == "accept"
        await stands(customer, "accepted")


async def test_a_repeat_is_the_same_link_and_another_key_sees_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as (here, bank):
        body = {"type": "test_pictures", "customer": "c-1", "consent": "consents/1", "details": DETAILS, "link": {}}
        first, second = [await bank.post("", body, headers={"Idempotency-Key": "order-1"}) for _ in range(2)]
        assert (first.status, first.json) == (201, second.json)
        other = await Bank.of(here, "other")
        assert (await other.get(first.json["id"])).status == 404
        sessions = (await here.get("/sessions", token=here.supervisor)).json["sessions"]
        assert [one["id"] for one in sessions] == [first.json["session"]]
        assert (await here.get("/sessions", token=here.agent)).json["sessions"] == [], "nobody has asked for an agent"


@pytest.mark.parametrize(
    "link",
    [
        {"return_url": "https://evil.example/"}, {"return_url": "javascript:alert(1)"}, {"return_url": "/done"}, {"language": "fr"}, {"to": "x"},
        {"return_url": "https://app.bank.example\r\nSet-Cookie: a=b"}, {"return_url": "https://app.bank.example/" + "x" * 2000}, [], "x",
    ],
)  # fmt: skip
async def test_links_that_are_refused(tmp_path: Path, link: Any) -> None:
    async with serving(tmp_path) as (_, bank):
        made = await bank.ask(link=link)
        assert (made.status, made.code) == (400, "invalid")
        assert "x" * 50 not in str(made.json)


async def test_a_key_that_asks_for_too_many(tmp_path: Path) -> None:
    async with serving(tmp_path, transactions__cases_per_min=3) as (here, bank):
        answers = [await bank.ask(customer=f"c-{number}") for number in range(4)]
        assert [answer.status for answer in answers] == [201, 201, 201, 429]
        assert answers[-1].code == "too_many"
        assert int(answers[-1].headers["Retry-After"]) == 20
        other = await Bank.of(here, "other")
        assert (await other.ask()).status == 201


async def test_a_link_that_is_withdrawn_and_one_of_an_ended_session(tmp_path: Path) -> None:
    async with serving(tmp_path) as (here, bank):
        made = (await bank.ask(link={})).json
        ended = await here.post(f"/sessions/{made['session']}/end", {"reason": "no"}, token=here.supervisor)
        assert ended.status == 200
        assert (await bank.get(made["id"])).json["state"] == "cancelled"
        looked = await here.post("/invitations/inspect", {"secret": secret(made)})
        assert (looked.status, looked.code) == (410, "gone")
        another = (await bank.ask(link={})).json
        listed = (await here.get(f"/sessions/{another['session']}/invitations", token=here.key)).json["invitations"]
        revoked = await here.delete(f"/sessions/{another['session']}/invitations/{listed[0]['id']}", token=here.key)
        assert revoked.status == 204
        assert (await here.post("/invitations/redeem", {"secret": secret(another), "name": ""})).status == 410
