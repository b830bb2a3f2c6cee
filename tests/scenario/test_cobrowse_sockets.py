"""The sockets of co-browse and the codes that attach a page: who may come from where, what is refused, and how many."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSServerHandshakeError

from server.cobrowse.messages import MAX_FRAME_BYTES
from server.domain.ids import SessionId
from server.errors import StoreUnavailable
from server.live.cobrowse.journal import PageRecords
from tests.support.cobrowsing import ORIGIN, Branch, Form, branch
from tests.support.pages import mutation
from tests.support.server import app


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Branch]:
    async with branch(tmp_path) as made:
        yield made


# ---------------------------------------------------------------- codes


async def test_who_may_attach_and_which_codes(here: Branch) -> None:
    tab = await (await here.tab()).hello()
    await tab.next("tab.state")
    code = tab.state["code"]
    assert len(code) == 6
    assert code.isdigit()
    expert = await here.expert()

    async def refused(person: Any, type: str = "cobrowse.attach", **fields: str) -> str:
        before = len(person.got("error"))
        await person.tell(type, **fields)
        return str((await person.next("error", before))["code"])

    assert await refused(expert, code=code) == "not_allowed"
    assert await refused(here.customer, code=code) == "not_allowed"
    assert await refused(here.agent, "cobrowse.detach") == "conflict"
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    assert await refused(here.agent, code=wrong) == "not_found"
    await here.agent.tell("cobrowse.attach", code=f"{code[:3]} {code[3:]}")
    await here.agent.next("cobrowse.changed")
    second = await (await here.tab()).hello()
    await second.next("tab.state")
    assert await refused(here.agent, code=second.state["code"]) == "conflict", "one page at a time"
    await here.agent.tell("cobrowse.detach")
    await tab.over()
    assert await refused(here.agent, code=code) == "not_found", "it was used up"


async def test_codes_cannot_be_guessed(here: Branch) -> None:
    tab = await (await here.tab()).hello()
    await tab.next("tab.state")
    wrong = f"{(int(tab.state['code']) + 1) % 1_000_000:06d}"
    codes = []
    for number in range(8):
        await here.agent.tell("cobrowse.attach", code=wrong)
        codes.append((await here.agent.next("error", number))["code"])
    assert codes[:5] == ["not_found"] * 5
    assert codes[-1] == "too_many"
    await here.agent.tell("cobrowse.attach", code=tab.state["code"])
    assert (await here.agent.next("error", 8))["code"] == "too_many", "the right one neither, for a while"


@pytest.mark.parametrize("fault", [StoreUnavailable("down"), RuntimeError("a fault of ours")])
async def test_a_code_is_not_used_up_where_nothing_can_be_stored(
    here: Branch, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    async def broken(*_: object) -> None:
        raise fault

    tab = await (await here.tab()).hello()
    await tab.next("tab.state")
    with monkeypatch.context() as store:
        store.setattr(PageRecords, "attached", broken)
        await here.agent.tell("cobrowse.attach", code=tab.state["code"])
        assert (await here.agent.next("error"))["code"] == "internal"
    assert tab.state["state"] == "idle"
    await here.agent.tell("cobrowse.attach", code=tab.state["code"])
    await here.agent.next("cobrowse.changed")


async def test_what_could_not_be_stored_was_not_given(here: Branch, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise StoreUnavailable("down")

    tab, share = await here.shared()
    view = await (await here.view()).hello(here.agent.token, share)
    await view.next("view.state")
    with monkeypatch.context() as store:
        store.setattr(PageRecords, "write", broken)
        assert (await view.ask(tab))["given"] is False
        assert (await tab.next("problem"))["code"] == "refused"
    assert tab.got("picture.want") == []
    assert (await view.ask(tab))["given"]
    await view.pictures()


async def test_what_cannot_be_written_down_is_not_done(here: Branch, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise StoreUnavailable("down")

    form = Form()
    tab, view = await here.looking(form.recorder, "fill")
    with monkeypatch.context() as store:
        store.setattr(PageRecords, "write", broken)
        await view.act("fill", form.amount["id"], "1")
        assert await view.outcome() == "refused"
        assert [one["code"] for one in view.got("problem")] == ["not_stored"]
    await view.act("fill", form.amount["id"], "2", id="a2")
    assert [(await tab.next("act"))["value"]] == ["2"]
    assert len(tab.got("act")) == 1


async def test_a_page_that_ends_its_sanitiser_again_and_again_ends(here: Branch) -> None:
    tab, share = await here.shared()
    cobrowse = here.here.server.live.cobrowse
    assert cobrowse is not None
    cobrowse.sanitiser_refuses(share)
    assert (await tab.over())["code"] == "ended"
    assert (await here.agent.until(lambda: here.agent.got("cobrowse.changed")[-1]["share"] is None)) is True


async def test_a_page_needs_its_customer(here: Branch) -> None:
    tab = await (await here.tab()).hello()
    await tab.next("tab.state")
    await here.customer.tell("leave")
    await here.agent.next("participant.left")
    await here.agent.tell("cobrowse.attach", code=tab.state["code"])
    assert (await here.agent.next("error"))["code"] == "conflict"


# ---------------------------------------------------------------- sockets


async def test_from_where_sockets_may_come(here: Branch) -> None:
    for path, origin, status in (
        ("tab", "https://evil.example", 403),
        ("tab", None, 403),
        ("tab", "http://bank.example", 403),
        ("tab", "null", 403),
        ("view", ORIGIN, 403),
        ("view", "https://evil.example", 403),
    ):
        with pytest.raises(WSServerHandshakeError) as refused:
            await here.socket(path, origin)
        assert refused.value.status == status, (path, origin)
    assert (await here.here.get("/cobrowse/tab", headers={"Origin": ORIGIN})).status == 426
    assert (await here.here.get("/cobrowse/view")).status == 426
    tab = await (await here.tab()).hello(site="pk_other")
    assert (await tab.over())["code"] == "invalid"
    tab = await (await here.tab()).hello("no such token")
    assert (await tab.over())["code"] == "expired"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "nonsense",
        '{"type":"tab.pause","paused":true}',
        '{"type":"tab.hello"}',
        '{"type":"view.hello","token":"x"}',
        '{"type":"tab.hello","site":"pk_bank","token":"","tab":"t","page":1,"more":1}',
        '{"type":"view.ask","scope":"view"}',
        "[" * 10_000,
    ],
)
async def test_what_is_no_hello_ends_it(here: Branch, text: str) -> None:
    for line in (await here.tab(), await here.view()):
        await line.socket.send_str(text)
        assert (await line.over())["code"] == "invalid"
        assert line.code == 4400


async def test_what_is_no_message_ends_a_greeted_socket(here: Branch) -> None:
    for text in ("{", '{"type":"act"}', '{"type":"tab.hello","site":"pk_bank","token":"","tab":"t","page":1}'):
        tab = await (await here.tab()).hello()
        await tab.next("tab.state")
        await tab.socket.send_str(text)
        assert (await tab.over())["code"] == "invalid"
    tab, view = await here.looking(Form().recorder)
    await view.socket.send_bytes(b"{}")
    assert (await view.over())["code"] == "invalid"
    await tab.socket.send_str("x" * (MAX_FRAME_BYTES + 1))
    await tab.over()
    assert tab.code in (1009, 1006)


async def test_a_viewers_flood_ends_its_own_socket(here: Branch) -> None:
    form = Form()
    tab, view = await here.looking(form.recorder)
    for number in range(2000):
        if view.code is not None or view.socket.closed:
            break
        await view.say("view.ping", n=number + 1)
    assert (await view.over())["code"] == "too_many"
    assert tab.code is None


async def test_a_tabs_flood_is_read_more_slowly(here: Branch) -> None:
    """As the page is, it has to be taken; others are not held up."""
    form = Form()
    tab, view = await here.looking(form.recorder)
    shown = form.title["childNodes"][0]["id"]
    for number in range(3000):
        await tab.record(mutation(texts=[{"id": shown, "value": f"number {number}"}]))
        if tab.code is not None:
            break
    await asyncio.sleep(0)
    other = await (await here.tab()).hello(tab="t2")
    await other.next("tab.state")
    assert view.code is None


async def test_what_is_taken_back_waits_for_no_sanitiser(here: Branch, monkeypatch: pytest.MonkeyPatch) -> None:
    form = Form()
    tab, view = await here.looking(form.recorder)
    shown = form.title["childNodes"][0]["id"]
    cobrowse = here.here.server.live.cobrowse
    assert cobrowse is not None
    with monkeypatch.context() as full:
        full.setattr(cobrowse._sanitisers, "has_room", lambda share: False)
        for number in range(50):
            await tab.record(mutation(texts=[{"id": shown, "value": f"left out {number}"}]))
        await tab.say("tab.pause", paused=True)
        await view.until(lambda: view.state["state"] == "paused")
    await tab.say("tab.pause", paused=False)
    await view.pictures(2)
    await tab.record(mutation(texts=[{"id": shown, "value": "afterwards"}]))
    await view.until(lambda: "afterwards" in view.text)
    assert "left out" not in view.text
    monkeypatch.setattr(cobrowse._sanitisers, "has_room", lambda share: False)
    await tab.record(mutation(texts=[{"id": shown, "value": "left out"}]))
    await tab.say("tab.stop")
    assert (await view.over())["code"] == "ended"


async def test_so_many_pages_and_no_more(tmp_path: Path) -> None:
    async with branch(tmp_path, cobrowse__max_shares_per_address=2) as here:
        first, tab = [await (await here.tab()).hello(tab=f"t{number}") for number in range(2)]
        await first.next("tab.state")
        await tab.next("tab.state")
        third = await (await here.tab()).hello(tab="t3")
        await third.next("tab.state")
        assert (await first.over())["code"] == "expired", "the oldest that nobody has come to"
        await here.agent.tell("cobrowse.attach", code=third.state["code"])
        await here.agent.next("cobrowse.changed")
        fourth = await (await here.tab()).hello(tab="t4")
        await fourth.next("tab.state")
        assert (await tab.over())["code"] == "expired"
        assert third.state["state"] == "attached"


async def test_a_crowd_of_one_address_takes_no_code_of_another(tmp_path: Path) -> None:
    async with branch(tmp_path, cobrowse__max_shares=3) as here:
        shares = here.here.server.live.cobrowse
        assert shares is not None
        site = shares.sites["pk_bank"]
        customer, _ = shares.begin(site, "203.0.113.5", "123456")
        lines = [await (await here.tab()).hello(tab=f"t{number}") for number in range(4)]
        assert (await lines[0].over())["code"] == "expired"
        assert (await lines[1].over())["code"] == "expired"
        await lines[3].next("tab.state")
        await here.agent.tell("cobrowse.attach", code="123456")
        await here.agent.next("cobrowse.changed")
        assert shares.of(SessionId(here.session)) is customer


async def test_so_many_viewers_and_no_more(tmp_path: Path) -> None:
    async with branch(tmp_path, cobrowse__max_viewers=1) as here:
        _, _ = await here.looking(Form().recorder)
        share = here.agent.got("cobrowse.changed")[0]["share"]
        expert = await here.expert()
        second = await (await here.view()).hello(expert.token, share)
        assert (await second.over())["code"] == "too_many"
        again = await (await here.view()).hello(here.agent.token, share)
        await again.next("view.state")


async def test_without_a_site_there_is_nothing(tmp_path: Path) -> None:
    async with app(tmp_path) as here:
        assert (await here.get("/cobrowse/tab", headers={"Origin": ORIGIN})).status == 404
        assert here.server.live.cobrowse is None
