"""A page is shown where no session was: by its code, or by an offer of help that its customer accepts; and what of that cannot be forged."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSServerHandshakeError

from server.domain.ids import ParticipantId, SessionId, StaffId
from server.errors import StoreUnavailable
from server.live.cobrowse.journal import PageRecords
from server.live.cobrowse.site import OfferRecords
from tests.support.cobrowsing import ORIGIN, Branch, Form, Line, Person, Tab, branch


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Branch]:
    async with branch(tmp_path, presence=True) as made:
        yield made


async def seen(here: Branch, token: str = "") -> list[Any]:
    answer = await here.here.get("/cobrowse/visitors", token=token or here.here.agent)
    assert answer.json["presence"]
    visitors: list[Any] = answer.json["visitors"]
    return visitors


async def until_seen(here: Branch, count: int = 1) -> list[Any]:
    async with asyncio.timeout(30):
        while len(found := await seen(here)) < count:  # noqa: ASYNC110 - REST tells when asked
            await asyncio.sleep(0.02)
    return found


async def entered(here: Branch, session: str) -> Person:
    return await here.person((await here.here.post(f"/sessions/{session}/enter", {}, token=here.here.agent)).json)


async def begun(here: Branch, code: str, **more: Any) -> Any:
    return await here.here.post("/cobrowse/sessions", {"code": code, **more}, token=here.here.agent)


async def looks(here: Branch, agent: Person, tab: Tab, who: str = "typed") -> Any:
    """The agent looks, after the customer's yes."""
    share = (await agent.next("cobrowse.changed"))["share"]
    view = await (await here.view()).hello(agent.token, share)
    assert (await view.ask(tab))["given"]
    assert tab.got("consent.ask")[0]["who"] == who
    await view.pictures()
    return view


async def test_a_code_makes_a_session_of_its_own(here: Branch) -> None:
    tab = await (await here.tab(Form().recorder)).hello()
    await tab.next("tab.state")
    made = await begun(here, tab.state["code"], language="en")
    assert made.status == 201, made.raw
    assert (made.json["kind"], made.json["status"], made.json["language"]) == ("cobrowse", "open", "en")
    assert made.json["customer_reference"] == "", "whose page it is is only a claim"
    session = made.json["id"]
    await tab.until(lambda: tab.state["state"] == "attached")
    agent = await entered(here, session)
    view = await looks(here, agent, tab)
    async with here.here.server.context.store.read() as tx:
        entries = [one.event for one in await tx.list_audit(after=0, limit=500) if one.event.session == session]
        people = {one.role.value: one for one in await tx.list_participants(SessionId(session))}
    attached = next(one for one in entries if one.action.value == "cobrowse.attached")
    assert attached.actor == here.here.agent_id
    consents = (await here.here.get(f"/sessions/{session}/consents", token=here.here.agent)).json["consents"]
    assert [(one["participant"], one["scope"]) for one in consents] == [(people["customer"].id, "page_view")]
    await agent.tell("leave")
    assert (await view.over())["code"] == "ended"
    assert (await tab.over())["code"] == "ended", "nobody leads it any more"


async def test_a_code_is_refused_as_in_a_session(here: Branch, monkeypatch: pytest.MonkeyPatch) -> None:
    tab = await (await here.tab()).hello()
    await tab.next("tab.state")
    code = tab.state["code"]
    assert (await begun(here, "12345")).status == 400
    assert (await begun(here, f"{(int(code) + 1) % 1_000_000:06d}")).status == 404
    customer = (await here.here.post("/cobrowse/sessions", {"code": code}, token=here.customer.token)).status
    assert (customer, (await here.here.post("/cobrowse/sessions", {"code": code})).status) == (403, 401)
    assert (await here.here.post("/cobrowse/sessions", {"code": code}, token=here.here.key)).status == 403

    async def broken(*_: object) -> None:
        raise StoreUnavailable("down")

    with monkeypatch.context() as store:
        store.setattr(PageRecords, "attached", broken)
        assert (await begun(here, code)).status == 503
    assert tab.state["state"] == "idle"
    assert (await begun(here, code)).status == 201, "it was not used up"
    assert (await begun(here, code)).status == 404


async def test_the_page_ends_where_nobody_comes_in(here: Branch) -> None:
    shares = here.here.server.live.cobrowse
    assert shares is not None
    tab = await (await here.tab()).hello()
    await tab.next("tab.state")
    session = (await begun(here, tab.state["code"])).json["id"]
    held = shares.of(SessionId(session))
    assert held is not None
    shares.tick()
    assert held.ended_at is None
    held.enter_until = 0.0
    assert (await tab.over())["code"] == "ended"


async def test_wrong_codes_count_in_and_out_of_a_session(here: Branch) -> None:
    statuses = [(await begun(here, f"{number:06d}")).status for number in range(6)]
    assert statuses == [404] * 5 + [429]
    await here.agent.tell("cobrowse.attach", code="000009")
    assert (await here.agent.next("error"))["code"] == "too_many"


# ---------------------------------------------------------------- on the site


async def on_page(here: Branch, number: int = 1) -> Line:
    page = await here.visitor(number)
    await page.say("site.at", url=f"{ORIGIN}/transfers/8842", step="amount", errors=2, dwell_s=70)
    return page


async def test_who_is_on_the_site_is_offered_help_and_shows_the_page(here: Branch) -> None:
    page = await on_page(here)
    (one,) = await until_seen(here)
    assert (one["page"], one["step"], one["errors"], one["offer"]) == ("transfer", "amount", 2, "")
    assert one["dwell_s"] >= 70
    assert "8842" not in json.dumps(one)
    path = f"/cobrowse/visitors/{one['id']}/offer"
    assert (await here.here.post(path, token=here.here.agent)).status == 204
    assert (await here.here.post(path, token=here.here.supervisor)).status == 409
    offer = await page.next("site.offer")
    assert offer["seconds"] == 60
    await page.say("site.answer", offer="VI_FORGED", given=True)
    await page.say("site.answer", offer=offer["offer"], given=True)
    accepted = await page.next("site.accepted")
    (one,) = await seen(here)
    assert (one["offer"], (await seen(here, here.here.supervisor))[0]["session"]) == ("accepted", "")
    tab = await (await here.tab(Form().recorder)).hello(accepted["token"])
    await tab.next("tab.state")
    assert tab.state["state"] == "attached"
    agent = await entered(here, one["session"])
    await looks(here, agent, tab, "offered")
    async with here.here.server.context.store.read() as tx:
        entries = [one.event for one in await tx.list_audit(after=0, limit=500)]
    offered = next(one for one in entries if one.action.value == "cobrowse.offered")
    made = {"offer": offer["offer"]}
    assert (offered.actor, offered.subject, offered.details) == (here.here.agent_id, one["id"], made)
    answered = next(event for event in entries if event.action.value == "cobrowse.offer_answered")
    created = next(event for event in entries if event.action.value == "session.created" and event.session == one["session"])
    assert (answered.actor, answered.subject, answered.session) == (one["id"], one["id"], one["session"])
    assert answered.details == {**made, "given": "yes", "share": created.details["share"]}


async def test_a_no_is_a_no_for_everybody(here: Branch) -> None:
    page = await on_page(here)
    (one,) = await until_seen(here)
    path = f"/cobrowse/visitors/{one['id']}/offer"
    await here.here.post(path, token=here.here.agent)
    offer = await page.next("site.offer")
    await page.say("site.answer", offer=offer["offer"], given=False)
    await page.next("site.withdrawn")
    for token in (here.here.agent, here.here.supervisor):
        assert (await here.here.post(path, token=token)).status == 409
    assert (await seen(here))[0]["offer"] == "no"
    await page.say("site.answer", offer=offer["offer"], given=True)
    await page.say("site.at", url=f"{ORIGIN}/transfers/1", step="done")
    async with asyncio.timeout(30):
        while (await seen(here))[0]["step"] != "done":  # noqa: ASYNC110 - REST tells when asked
            await asyncio.sleep(0.02)
    assert page.got("site.accepted") == []
    async with here.here.server.context.store.read() as tx:
        (answered,) = [
            event.event
            for event in await tx.list_audit(after=0, limit=500)
            if event.event.action.value == "cobrowse.offer_answered"
        ]
    assert (answered.subject, answered.session) == (one["id"], "")
    assert answered.details == {"offer": offer["offer"], "given": "no"}


async def test_one_who_goes_while_it_is_stored_was_offered_nothing(here: Branch, monkeypatch: pytest.MonkeyPatch) -> None:
    page = await on_page(here)
    (one,) = await until_seen(here)
    stored = OfferRecords.offered

    async def slow(records: OfferRecords, staff: StaffId, visitor: str, *what: Any, **details: str) -> None:
        await stored(records, staff, visitor, *what, **details)
        await page.socket.close()
        async with asyncio.timeout(30):
            while [each for each in await seen(here) if each["id"] == visitor]:  # noqa: ASYNC110 - REST tells when asked
                await asyncio.sleep(0.02)

    monkeypatch.setattr(OfferRecords, "offered", slow)
    assert (await here.here.post(f"/cobrowse/visitors/{one['id']}/offer", token=here.here.agent)).status == 404
    async with here.here.server.context.store.read() as tx:
        events = [each.event for each in await tx.list_audit(after=0, limit=500) if each.event.subject == one["id"]]
    assert [each.action.value for each in events] == ["cobrowse.offered", "cobrowse.offer_withdrawn"]
    assert events[1].details == {**events[0].details, "why": "gone"}
    assert page.got("site.offer") == []


async def test_an_offer_is_its_makers_to_take_back(here: Branch) -> None:
    page = await on_page(here)
    (one,) = await until_seen(here)
    path = f"/cobrowse/visitors/{one['id']}/offer"
    await here.here.post(path, token=here.here.agent)
    await page.next("site.offer")
    assert (await here.here.delete(path, token=here.here.supervisor)).status == 404
    assert (await here.here.delete(path, token=here.here.agent)).status == 204
    await page.next("site.withdrawn")
    assert (await here.here.post("/cobrowse/visitors/VI_X/offer", token=here.here.agent)).status == 404


async def test_an_offer_that_cannot_be_stored_is_not_made_and_what_was_accepted_is_said_to_be_late(
    here: Branch, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise StoreUnavailable("down")

    page = await on_page(here)
    (one,) = await until_seen(here)
    path = f"/cobrowse/visitors/{one['id']}/offer"
    with monkeypatch.context() as store:
        store.setattr("server.live.cobrowse.site.OfferRecords.offered", broken)
        assert (await here.here.post(path, token=here.here.agent)).status == 503
    assert (await seen(here))[0]["offer"] == ""
    await here.here.post(path, token=here.here.agent)
    offer = await page.next("site.offer")
    with monkeypatch.context() as store:
        store.setattr(PageRecords, "attached", broken)
        await page.say("site.answer", offer=offer["offer"], given=True)
        assert (await page.next("site.withdrawn"))["late"]
    shares = here.here.server.live.cobrowse
    assert shares is not None
    assert shares._addresses.total() == 0


async def test_from_where_a_page_may_tell_and_what_ends_it(here: Branch, tmp_path: Path) -> None:
    for origin in ("https://evil.example", None, "null"):
        with pytest.raises(WSServerHandshakeError) as refused:
            await here.socket("site", origin)
        assert refused.value.status == 403
    other = await here.visitor(site="pk_other")
    assert (await other.over())["code"] == "invalid"
    page = await on_page(here)
    await page.say("site.at", url="x" * 2001)
    assert (await page.over())["code"] == "invalid"
    quietly = tmp_path / "quiet"
    quietly.mkdir()
    async with branch(quietly) as quiet:
        with pytest.raises(WSServerHandshakeError) as refused:
            await quiet.socket("site", ORIGIN)
        assert refused.value.status == 403, "the bank has not switched it on"
        assert (await quiet.here.get("/cobrowse/visitors", token=quiet.here.agent)).json == {"presence": False, "visitors": []}


async def test_the_customer_who_is_removed_shows_nothing_any_more(here: Branch) -> None:
    tab = await (await here.tab(Form().recorder)).hello()
    await tab.next("tab.state")
    session = (await begun(here, tab.state["code"])).json["id"]
    await entered(here, session)
    async with here.here.server.context.store.read() as tx:
        place = next(one.id for one in await tx.list_participants(SessionId(session)) if one.role.value == "customer")
    assert (
        await here.here.delete(f"/sessions/{session}/participants/{ParticipantId(place)}", token=here.here.agent)
    ).status == 204
    assert (await tab.over())["code"] == "ended"


# ---------------------------------------------------------------- into the conversation


async def test_from_the_page_into_the_conversation_and_back(here: Branch) -> None:
    tab = await (await here.tab(Form().recorder)).hello()
    await tab.next("tab.state")
    session = (await begun(here, tab.state["code"])).json["id"]
    agent = await entered(here, session)
    view = await looks(here, agent, tab)
    await view.until(lambda: view.state["apart"])
    await view.say("view.call")
    ask = await tab.next("call.ask")
    assert ask["viewer"]["id"] == agent.participant
    await tab.say("tab.call", viewer=ask["viewer"]["id"], given=True)
    secret = (await tab.next("call.link"))["link"].rpartition("/")[2]
    assert (await view.next("view.called"))["given"]
    assert secret not in view.text
    entry = await here.here.post("/invitations/redeem", {"secret": secret, "name": "Lin"})
    assert (await here.here.post("/invitations/redeem", {"secret": secret})).status == 410, "once"
    async with here.here.server.context.store.read() as tx:
        customers = [one for one in await tx.list_participants(SessionId(session)) if one.role.value == "customer"]
    assert [one.id for one in customers] == [entry.json["participant"]], "the place is the one that the page has"
    customer = await here.person(entry.json)
    await view.until(lambda: not view.state["apart"])
    before = len(view.got("problem"))
    await view.say("view.call")
    assert (await view.next("problem", before))["code"] == "refused"
    await customer.tell("leave")
    await view.until(lambda: view.state["apart"])
    await view.say("view.resync")
    await view.pictures(2)
    assert tab.code is None, "the page goes on"
    # in again by another link, to the same place
    await view.say("view.call")
    again = await tab.next("call.ask", 1)
    await tab.say("tab.call", viewer=again["viewer"]["id"], given=True)
    secret = (await tab.next("call.link", 1))["link"].rpartition("/")[2]
    assert (await here.here.post("/invitations/redeem", {"secret": secret})).json["participant"] == customer.participant


async def test_the_way_in_of_who_is_removed_leads_nowhere(here: Branch) -> None:
    tab = await (await here.tab(Form().recorder)).hello()
    await tab.next("tab.state")
    session = (await begun(here, tab.state["code"])).json["id"]
    agent = await entered(here, session)
    view = await looks(here, agent, tab)
    await view.until(lambda: view.state["apart"])
    secrets = []
    for number in range(2):
        await view.say("view.call")
        ask = await tab.next("call.ask", number)
        await tab.say("tab.call", viewer=ask["viewer"]["id"], given=True)
        secrets.append((await tab.next("call.link", number))["link"].rpartition("/")[2])
    assert (await here.here.post("/invitations/redeem", {"secret": secrets[0]})).status == 410, "the next one takes its place"
    async with here.here.server.context.store.read() as tx:
        place = next(one.id for one in await tx.list_participants(SessionId(session)) if one.role.value == "customer")
    assert (await here.here.delete(f"/sessions/{session}/participants/{place}", token=here.here.agent)).status == 204
    assert (await tab.over())["code"] == "ended"
    assert (await here.here.post("/invitations/redeem", {"secret": secrets[1]})).status in (403, 410)


async def test_no_page_makes_itself_a_way_in(here: Branch) -> None:
    tab = await (await here.tab(Form().recorder)).hello()
    await tab.next("tab.state")
    session = (await begun(here, tab.state["code"])).json["id"]
    agent = await entered(here, session)
    view = await looks(here, agent, tab)
    await tab.say("tab.call", viewer=agent.participant, given=True)
    assert (await tab.next("problem"))["code"] == "unknown"
    shared, _ = await here.shared()
    await shared.say("tab.call", viewer=here.agent.participant, given=True)
    assert (await shared.next("problem"))["code"] == "unknown"
    assert view.got("view.called") == []
    async with here.here.server.context.store.read() as tx:
        assert await tx.list_invitations(SessionId(session)) == []
