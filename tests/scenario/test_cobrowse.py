"""A page of the bank's is shown to an agent, over real sockets and through a real sanitiser: who may look and do what, and what never leaves."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server.audit.events import AuditAction, AuditEntry
from server.auth.tokens import TokenVerifier
from server.domain.ids import SessionId
from server.domain.model import ConsentScope
from server.errors import TokenExpired
from tests.support.cobrowsing import ORIGIN, PLANTED, Branch, Form, branch
from tests.support.pages import Recorder, added, happens, mutation

pytestmark = pytest.mark.campaign(23)


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Branch]:
    async with branch(tmp_path) as made:
        yield made


async def audit(here: Branch) -> list[AuditEntry]:
    async with here.here.server.context.store.read() as tx:
        entries = await tx.list_audit(after=0, limit=10_000)
    return [one for one in entries if one.event.action.value.startswith(("cobrowse.", "consent."))]


async def written(here: Branch) -> list[AuditEntry]:
    """Once the share's end is."""
    async with asyncio.timeout(30):
        found = await audit(here)
        while found[-1].event.action.value != "cobrowse.ended":
            await asyncio.sleep(0.02)
            found = await audit(here)
    return found


# ---------------------------------------------------------------- the whole of it


async def test_a_page_is_shown_pointed_at_filled_and_taken_back(here: Branch) -> None:
    form = Form()
    tab, share = await here.shared(form.recorder)
    assert share.startswith("SH_")
    assert tab.state["state"] == "attached"
    assert tab.state["code"] == ""
    assert here.agent.got("cobrowse.changed")[-1] == {
        "type": "cobrowse.changed",
        "share": share,
        "state": "attached",
        "site": "Bank",
    }
    assert here.customer.got("cobrowse.changed") == [], "the customer's own page has it from the tab"
    view = await (await here.view()).hello(here.agent.token, share)
    await view.next("view.state")
    assert tab.got("picture.want") == [], "nothing is recorded before the customer agreed"
    assert await view.ask(tab, given=False) == {"type": "view.answer", "scope": "view", "given": False}
    assert tab.got("picture.want") == []
    await view.say("view.ask", scope="view")
    assert (await view.next("problem"))["code"] == "too_many", "the customer has just said no"
    own = {"viewer": here.agent.participant, "scope": "view", "given": True, "rules": tab.state["rules"]}
    await tab.say("tab.consent", **own)  # they may change their mind
    assert (await view.next("view.answer", 1))["given"]
    (picture,) = await view.pictures()
    assert view.state["name"] == "transfer"
    assert "Transfer" in json.dumps(picture)
    assert [one["id"] for one in tab.state["viewers"]] == [here.agent.participant]
    # point
    await view.say("pointer", page=view.state["page"], at={"node": form.title["id"], "x": 0.5, "y": 0.5})
    assert (await view.ask(tab, "point"))["given"]
    await view.say("pointer", page=view.state["page"], at={"node": form.title["id"], "x": 0.25, "y": 0.5})
    assert (await tab.next("pointer"))["at"]["x"] == 0.25, "the one before was not granted"
    # propose takes no more
    await view.act("propose", form.amount["id"], "98", id="a0")
    proposed = await tab.next("act")
    assert (proposed["kind"], proposed["value"]) == ("propose", "98")
    await tab.say("tab.done", act=proposed["act"], outcome="dismissed")
    assert await view.outcome("a0") == "dismissed"
    # fill
    await view.act("fill", form.amount["id"], "99")
    assert await view.outcome() == "refused"
    assert (await view.ask(tab, "fill"))["given"]
    await view.act("fill", form.amount["id"], "99", id="a2")
    act = await tab.next("act", 1)
    assert (act["node"], act["value"], act["viewer"]) == (form.amount["id"], "99", here.agent.participant)
    await tab.say("tab.done", act=act["act"], outcome="done")
    assert await view.outcome("a2") == "done"
    # and back
    await tab.say("tab.take")
    await view.until(lambda: view.state["viewers"][0]["granted"] == ["view", "point"])
    await view.act("fill", form.amount["id"], "1", id="a3")
    assert await view.outcome("a3") == "refused"
    assert len(tab.got("act")) == 2
    await tab.say("tab.stop")
    assert await view.over() == {"type": "bye", "code": "ended", "again": False}
    assert (await tab.over())["code"] == "ended"
    assert (await here.agent.until(lambda: here.agent.got("cobrowse.changed")[-1]["share"] is None)) is True
    assert PLANTED not in view.text
    assert "84,213" not in view.text
    assert "hunter22" not in view.text


async def test_what_is_written_down(here: Branch) -> None:
    form = Form()
    tab, view = await here.looking(form.recorder, "fill")
    assert (await view.ask(tab, "click", given=False))["given"] is False
    await view.act("fill", form.amount["id"], f"{PLANTED} of Zhang")
    act = await tab.next("act")
    begun = [one.event for one in await audit(here) if one.event.action is AuditAction.COBROWSE_ACT_BEGUN]
    assert [(one.actor, one.details["kind"], one.details["act"]) for one in begun] == [
        (here.agent.participant, "fill", act["act"])
    ]
    await tab.say("tab.done", act=act["act"], outcome="done")
    assert await view.outcome() == "done"
    await tab.say("tab.pause", paused=True)
    await tab.say("tab.take")
    await tab.say("tab.stop")
    await view.over()
    share = here.agent.got("cobrowse.changed")[0]["share"]

    entries = [one.event for one in await written(here)]
    told = [
        (one.action.value.removeprefix("cobrowse."), one.details.get("decision", ""), one.details.get("step", ""))
        for one in entries
    ]
    assert told[:2] == [("attached", "", ""), ("viewer_came", "", "")]
    for wanted in (
        ("consent.decided", "given", "view"),
        ("consent.decided", "given", "fill"),
        ("consent.decided", "refused", "click"),
        ("consent.decided", "withdrawn", "fill"),
        ("act", "", ""),
        ("paused", "", ""),
        ("taken_back", "", ""),
        ("dropped", "", ""),
        ("ended", "", ""),
    ):
        assert wanted in told, wanted
    given = next(one for one in entries if one.details.get("step") == "view")
    assert (given.actor, given.details["viewer"], given.details["share"]) == (
        here.customer.participant,
        here.agent.participant,
        share,
    )
    assert len(given.details["rules"]) == 64
    everything = json.dumps([(one.details, one.subject, one.actor) for one in entries])
    assert PLANTED not in everything
    assert "Zhang" not in everything
    listed = (await here.here.get(f"/sessions/{here.session}/consents", token=here.here.agent)).json["consents"]
    assert [one["decision"] for one in listed if one["scope"] == "page_view"] == ["given"]
    async with here.here.server.context.store.read() as tx:
        consents = await tx.all_consents(SessionId(here.session))
    wording = [one.wording for one in consents if one.scope is ConsentScope.PAGE_VIEW]
    assert wording == [f"cobrowse-2 {here.agent.participant} view {given.details['rules']}"]


async def test_fields_in_error_are_named_that_the_agent_reads(here: Branch) -> None:
    form = Form()
    tab, view = await here.looking(form.recorder)
    named = [form.amount, form.note, form.password, form.code, form.file, form.title, form.balance]
    fields = [*(one["id"] for one in named), 1 << 20]
    await tab.say("tab.step", step="", errors=len(fields), dwell_s=7, fields=fields)
    await view.until(lambda: view.state["fields"])
    assert (view.state["fields"], view.state["errors"]) == ([form.amount["id"], form.title["id"]], len(fields))
    await tab.record(form.recorder.meta(), form.recorder.picture())
    await view.until(lambda: not view.state["fields"])
    # a field of the name of a secret one is not read in a later picture
    await tab.say("tab.step", step="", errors=2, fields=[form.amount["id"], form.title["id"]])
    await view.until(lambda: view.state["fields"] == [form.title["id"]])
    assert PLANTED not in view.text


# ---------------------------------------------------------------- nothing unsanitised


async def test_secrets_never_reach_a_viewer_without_the_script_s_masks(here: Branch) -> None:
    form = Form()
    tab, view = await here.looking(form.recorder)
    page = form.recorder
    await tab.record(
        happens(5, id=form.note["id"], text=f"again {PLANTED}", isChecked=False),
        happens(5, id=form.password["id"], text="hunter23", isChecked=False),
        mutation(texts=[{"id": form.balance["childNodes"][0]["id"], "value": "99,999.01"}]),
        mutation(
            attributes=[{"id": form.note["id"], "attributes": {"value": PLANTED, "title": PLANTED, "data-card": PLANTED}}]
        ),
        mutation(
            adds=[added(page.body, page.element("div", {"onclick": PLANTED, "style": f"background:url({PLANTED})"}, PLANTED))]
        ),
        happens(5, id=form.amount["id"], text="13", isChecked=False),
    )
    await view.until(lambda: any(one.get("data", {}).get("text") == "13" for one in view.events))
    for secret in (PLANTED, "hunter2", "99,999", "84,213", "889900"):
        assert secret not in view.text


async def test_a_page_that_is_never_shown_hides_itself(here: Branch) -> None:
    tab, view = await here.looking(Form().recorder)
    login = Recorder(f"{ORIGIN}/login")
    login.put(login.element("h1", {"class": "shown"}, "canary"))
    await tab.record(login.meta(), login.picture())
    await view.until(lambda: view.state["hidden"])
    assert (await tab.until(lambda: tab.state["hidden"])) is True
    assert "canary" not in view.text
    await view.act("scroll", login.body["id"], page=1)
    assert await view.outcome() in ("refused", "gone")


async def test_a_killed_sanitiser_is_back_with_a_new_picture_and_nothing_leaves_meanwhile(here: Branch) -> None:
    form = Form()
    tab, view = await here.looking(form.recorder)
    cobrowse = here.here.server.live.cobrowse
    assert cobrowse is not None
    sanitisers: Any = cobrowse._sanitisers
    (pid,) = sanitisers.pids
    os.kill(pid, signal.SIGKILL)
    shown = form.title["childNodes"][0]["id"]
    for number in range(20):
        await tab.record(mutation(texts=[{"id": shown, "value": f"in between {number}"}]))
    pictures = await view.pictures(2)
    assert len(pictures) >= 2
    await tab.record(mutation(texts=[{"id": shown, "value": "afterwards"}]))
    await view.until(lambda: "afterwards" in view.text)
    assert sanitisers.restarts == 1
    assert PLANTED not in view.text


# ---------------------------------------------------------------- forged by hand


async def test_nothing_that_was_not_granted_reaches_the_tab(here: Branch) -> None:
    form = Form()
    tab, view = await here.looking(form.recorder)
    node = form.amount["id"]
    for number, kind in enumerate(("scroll", "fill", "click", "propose")):
        await view.act(kind, node, "x" if kind in ("fill", "propose") else "", id=f"n{number}")
        assert await view.outcome(f"n{number}") == "refused"
    await view.say("mark", id="m", page=view.state["page"], kind="highlight", spots=[{"node": node, "x": 0, "y": 0}])
    await view.say("pointer", page=view.state["page"], at={"node": node, "x": 0, "y": 0})
    await view.say("view.ping", n=1)
    await view.next("view.pong")
    assert {one["type"] for one in tab.frames} & {"act", "mark", "pointer"} == set()


async def test_what_is_the_customers_alone_is_refused_whatever_was_granted(here: Branch) -> None:
    form = Form()
    tab, view = await here.looking(form.recorder, "point", "scroll", "fill", "click")
    page = view.state["page"]
    forged = [
        ("fill", form.password["id"], "x", page),
        ("fill", form.code["id"], "x", page),
        ("fill", form.file["id"], "x", page),
        ("fill", form.note["id"], "masked", page),
        ("propose", form.password["id"], "x", page),
        ("click", form.pay["id"], "", page),
        ("click", form.pay["childNodes"][0]["id"], "", page),
        ("click", form.file["id"], "", page),
        ("click", form.balance["childNodes"][1]["id"], "", page),
        ("scroll", 1 << 20, "", page),
        ("click", form.help["id"], "", page + 1),
        ("click", form.help["id"], "with a value", page),
    ]
    for number, (kind, node, value, at) in enumerate(forged):
        await view.act(kind, node, value, id=f"f{number}", page=at)
        assert await view.outcome(f"f{number}") in ("refused", "gone"), forged[number]
    assert tab.got("act") == []
    await view.act("click", form.help["id"], id="good")
    assert (await tab.next("act"))["node"] == form.help["id"]


async def test_nobody_looks_at_another_sessions_page(here: Branch, tmp_path: Path) -> None:
    tab, share = await here.shared()
    other = await here.here.session()
    entry = (await here.here.post(f"/sessions/{other}/enter", {}, token=here.here.agent)).json
    stranger = await here.person(entry)
    for token, id in ((stranger.token, share), (here.agent.token, "SH_" + "A" * 26)):
        view = await (await here.view()).hello(token, id)
        assert (await view.over())["code"] == "ended", "as if there were none"
    signed, changed = here.agent.token[:-9], "B" if here.agent.token[-9] == "A" else "A"
    for token in (here.customer.token, "x", f"{signed}{changed}{here.agent.token[-8:]}", here.here.agent):
        view = await (await here.view()).hello(token, share)
        assert (await view.over())["code"] == "invalid"
    assert tab.state["viewers"] == []


async def test_a_token_that_has_expired(here: Branch, monkeypatch: pytest.MonkeyPatch) -> None:
    _, share = await here.shared()

    def expired(*args: object, **more: object) -> None:
        raise TokenExpired("The token has expired.")

    monkeypatch.setattr(TokenVerifier, "verify", expired)
    view = await (await here.view()).hello(here.agent.token, share)
    assert (await view.over())["code"] == "expired"


async def test_who_typed_the_code_is_answered_first_and_everybody_else_is_somebody_else(here: Branch) -> None:
    tab, share = await here.shared(Form().recorder)
    expert = await here.expert()
    second = await (await here.view()).hello(expert.token, share)
    await second.say("view.ask", scope="view")
    assert (await second.next("problem"))["code"] == "not_first"
    assert tab.got("consent.ask") == []
    first = await (await here.view()).hello(here.agent.token, share)
    assert (await first.ask(tab, given=False))["given"] is False
    assert (await second.ask(tab))["given"]
    asked = tab.got("consent.ask")
    assert [(one["viewer"]["id"], one["who"]) for one in asked] == [
        (here.agent.participant, "typed"),
        (expert.participant, "other"),
    ]


async def test_each_viewer_has_their_own_grants(here: Branch) -> None:
    form = Form()
    tab, view = await here.looking(form.recorder, "fill")
    expert = await here.expert()
    assert (await expert.next("cobrowse.changed"))["share"] == here.agent.got("cobrowse.changed")[0]["share"]
    second = await (await here.view()).hello(expert.token, expert.got("cobrowse.changed")[0]["share"])
    await second.next("view.state")
    await second.act("fill", form.amount["id"], "1", page=1)
    assert await second.outcome() == "refused"
    assert second.events == [], "an expert inherits nothing"
    await second.ask(tab)
    await second.pictures()
    await second.act("fill", form.amount["id"], "1", id="b1")
    assert await second.outcome("b1") == "refused"
    await tab.say("tab.consent", viewer=here.agent.participant, scope="view", given=False, rules="")
    await view.until(lambda: all(one["granted"] == [] for one in view.state["viewers"] if one["id"] == here.agent.participant))
    shown = form.title["childNodes"][0]["id"]
    await tab.record(mutation(texts=[{"id": shown, "value": "for the expert alone"}]))
    await second.until(lambda: "for the expert alone" in second.text)
    assert "for the expert alone" not in view.text


# ---------------------------------------------------------------- taking back, pausing, reloading


@pytest.mark.parametrize("how", ["revoke", "pause", "stop"])
async def test_taken_back_is_silence(here: Branch, how: str) -> None:
    """Nothing of the page comes behind the frame that says so."""
    form = Form()
    tab, view = await here.looking(form.recorder)
    shown = form.title["childNodes"][0]["id"]
    for number in range(200):
        await tab.record(mutation(texts=[{"id": shown, "value": f"number {number}"}]))
    if how == "revoke":
        await tab.say("tab.consent", viewer=here.agent.participant, scope="view", given=False, rules="")
    elif how == "pause":
        await tab.say("tab.pause", paused=True)
    else:
        await tab.say("tab.stop")
    for number in range(50):
        if how != "stop":
            await tab.record(mutation(texts=[{"id": shown, "value": f"canary {number}"}]))

    def silent_at() -> int:
        for at, frame in enumerate(view.frames):
            said = frame["type"] == "view.state" and (
                frame["state"] == "paused" or not any(one["granted"] for one in frame["viewers"])
            )
            if (said or frame["type"] == "bye") and any(one["type"] == "view.dom" for one in view.frames[:at]):
                return at
        return 0

    at = await view.until(silent_at)
    if how == "stop":
        await view.over()
    else:
        await view.say("view.ping", n=7)
        await view.until(lambda: [one for one in view.got("view.pong") if one["n"] == 7])
    assert [one for one in view.frames[at:] if one["type"] == "view.dom"] == []
    assert "canary" not in view.text


async def test_a_reload_goes_on_without_control(here: Branch) -> None:
    form = Form()
    tab, view = await here.looking(form.recorder, "fill")
    token = tab.got("tab.welcome")[0]["token"]
    await tab.drop()
    await view.until(lambda: not view.state["front"])
    again = await (await here.tab(Form().recorder)).hello(token, page=2)
    assert (await again.next("tab.welcome"))["share"] == tab.got("tab.welcome")[0]["share"]
    await view.pictures(2)
    granted = view.state["viewers"][0]["granted"]
    assert granted == ["view"]
    await view.act("fill", form.amount["id"], "1", page=1)
    assert await view.outcome() in ("refused", "gone")


async def test_a_viewer_who_comes_again_looks_on(here: Branch) -> None:
    _, view = await here.looking(Form().recorder)
    await view.drop()
    again = await (await here.view()).hello(here.agent.token, here.agent.got("cobrowse.changed")[0]["share"])
    await again.pictures()


# ---------------------------------------------------------------- ends with the session


@pytest.mark.parametrize("how", ["end", "customer leaves", "customer withdraws", "agent leaves", "agent signs out", "detach"])
async def test_it_ends_with_the_session_and_its_people(here: Branch, how: str) -> None:
    tab, view = await here.looking(Form().recorder)
    if how == "end":
        await here.agent.tell("session.end", reason="")
    elif how == "detach":
        await here.agent.tell("cobrowse.detach")
    elif how == "customer withdraws":
        await here.customer.tell("consent.set", scope="page_view", decision="withdrawn", wording="w", language="en")
    elif how == "agent signs out":
        assert (await here.here.delete("/login", token=here.here.agent)).status < 300
    else:
        await (here.customer if how.startswith("customer") else here.agent).tell("leave")
    assert (await view.over())["code"] == "ended"
    assert (await tab.over())["code"] == "ended"


async def test_an_expert_who_is_removed_sees_nothing_more(here: Branch) -> None:
    form = Form()
    tab, view = await here.looking(form.recorder)
    expert = await here.expert()
    second = await (await here.view()).hello(expert.token, here.agent.got("cobrowse.changed")[0]["share"])
    await second.ask(tab)
    await second.pictures()
    await here.agent.tell("participant.remove", participant=expert.participant)
    await second.over()
    await tab.record(mutation(texts=[{"id": form.title["childNodes"][0]["id"], "value": "canary"}]))
    await view.until(lambda: "canary" in view.text)
    assert "canary" not in second.text
    again = await (await here.view()).hello(expert.token, here.agent.got("cobrowse.changed")[0]["share"])
    assert (await again.over())["code"] == "invalid"


async def test_on_hold_nobody_looks(here: Branch) -> None:
    tab, _ = await here.looking(Form().recorder)
    expert = await here.expert()
    second = await (await here.view()).hello(expert.token, here.agent.got("cobrowse.changed")[0]["share"])
    await second.ask(tab)
    await here.agent.tell("participant.hold", participant=expert.participant, held=True)
    await second.over()


async def test_while_the_customer_is_on_hold_the_page_is_not_seen(here: Branch) -> None:
    _, view = await here.looking(Form().recorder)
    held = {"participant": here.customer.participant}
    await here.agent.tell("participant.hold", **held, held=True)
    await view.until(lambda: view.got("view.state")[-1]["state"] == "paused")
    await here.agent.tell("participant.hold", **held, held=False)
    await view.until(lambda: view.got("view.state")[-1]["state"] == "sharing")


async def test_a_slow_viewer_holds_up_nobody(here: Branch) -> None:
    form = Form()
    tab, view = await here.looking(form.recorder)
    expert = await here.expert()
    second = await (await here.view()).hello(expert.token, here.agent.got("cobrowse.changed")[0]["share"])
    await second.ask(tab)
    await second.pictures()
    second.reading.cancel()  # reads nothing any more
    shown = form.title["childNodes"][0]["id"]
    for number in range(300):
        await tab.record(mutation(texts=[{"id": shown, "value": f"{number} " + "x" * 20_000}]))
    await tab.record(mutation(texts=[{"id": shown, "value": "the last"}]))
    await view.until(lambda: "the last" in json.dumps(view.events[-1]) if view.events else False)
