"""The consent gate: nothing is forwarded before a stored consent, and taking it back shuts the relay first."""

from collections.abc import AsyncIterator

import pytest

from server.audit.events import AuditAction
from server.domain.consent_texts import text_of
from server.domain.grants import Grant, session_grants
from server.domain.model import ConsentScope, Language, Role, SessionKind, SessionStatus
from tests.support.fake_media import OFFER
from tests.support.signalling import House, Page


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    yield house
    await house.close()


async def decide(page: Page, scope: str, decision: str) -> int:
    return await page.say("consent.set", scope=scope, decision=decision, wording=f"{scope}-1", language="zh")


def open_of(page: Page, participant: str) -> set[str]:
    """What the newest view of somebody says is open."""
    views = [view for view in (page.snapshot["you"], *page.snapshot["participants"]) if view["id"] == participant]
    views += [body["participant"] for body in page.got("participant.changed") if body["participant"]["id"] == participant]
    return {track["source"] for track in views[-1]["tracks"] if track["open"]}


async def test_what_was_shown_is_kept_by_its_hash(house: House) -> None:
    session = await house.session()
    id, page = await house.enter(session)
    for wording, language in (("camera-2", "en"), ("camera-2", "zh"), ("of-another-page-7", "zh")):
        await page.say("consent.set", scope="camera", decision="given", wording=wording, language=language)
    async with house.store.read() as tx:
        kept = await tx.all_consents(session)
    assert [(one.participant_id, one.wording, one.language, one.text) for one in kept] == [
        (id, "camera-2", Language.EN, text_of(ConsentScope.CAMERA, "camera-2", Language.EN)),
        (id, "camera-2", Language.ZH, text_of(ConsentScope.CAMERA, "camera-2", Language.ZH)),
        (id, "of-another-page-7", Language.ZH, ""),
    ]
    assert len({one.text for one in kept}) == 3
    async with house.store.read() as tx:
        trail = [
            one.event for one in await tx.list_audit(after=0, limit=100) if one.event.action is AuditAction.CONSENT_DECIDED
        ]
    said = {"scope": "camera", "decision": "given"}
    assert [one.details for one in trail] == [
        said | {"wording": one.wording, "language": one.language.value} | ({"text": one.text} if one.text else {})
        for one in kept
    ]


async def test_nobody_agrees_by_a_text_that_asks_for_something_else(house: House) -> None:
    session = await house.session()
    _, page = await house.enter(session)
    for scope, wording in (("face", "microphone-2"), ("document", "face-4"), ("camera", "self-face-2")):
        assert await page.error("consent.set", scope=scope, decision="given", wording=wording, language="en") == "invalid"
    async with house.store.read() as tx:
        assert await tx.all_consents(session) == []
    assert await page.error("consent.set", scope="face", decision="withdrawn", wording="camera-2", language="en") is None


async def test_shut_until_consent_is_stored_then_open(house: House) -> None:
    session = await house.session()
    id, page = await house.enter(session)
    _, other = await house.enter(session, Role.AGENT)
    await page.say("media.offer", sdp=OFFER)
    assert house.media.gates.get((session, id), frozenset()) == frozenset()
    await decide(page, "camera", "given")
    assert house.media.gates[session, id] == {"camera"}
    assert open_of(other, id) == {"camera"}
    assert other.got("consent.changed")[-1]["consent"]["decision"] == "given"
    assert ("consent.decided" in [action for action, _ in await house.audit()]) is True


async def test_a_refusal_opens_nothing(house: House) -> None:
    session = await house.session()
    id, page = await house.enter(session)
    for scope in ("microphone", "camera", "screen"):
        await decide(page, scope, "refused")
    await decide(page, "recording", "given")
    assert house.media.gates.get((session, id), frozenset()) == frozenset()


async def test_taking_back_shuts_the_relay_before_it_is_stored(house: House) -> None:
    session = await house.session()
    id, page = await house.enter(session)
    await decide(page, "camera", "given")
    await decide(page, "microphone", "given")
    with house.broken_store():
        seq = await decide(page, "camera", "withdrawn")
        assert house.media.gates[session, id] == {"microphone"}
        assert page.errors()[seq] == "internal"
    assert open_of(page, id) == {"microphone"}
    # It stays shut although the record says given: after other decisions, and after a reload of the page.
    await decide(page, "screen", "given")
    assert house.media.gates[session, id] == {"microphone", "screen"}
    again = await house.connect(house.token(session, id, Role.CUSTOMER))
    assert again.welcome["resumed"] is False
    assert house.media.gates[session, id] == {"microphone", "screen"}
    await decide(again, "camera", "given")
    assert house.media.gates[session, id] == {"microphone", "screen", "camera"}


async def test_a_held_gate_outlives_the_person(house: House) -> None:
    session = await house.session()
    id, page = await house.enter(session)
    await decide(page, "camera", "given")
    with house.broken_store():
        await decide(page, "camera", "withdrawn")
    page.cut()
    await house.advance(25)
    assert not house.live.connected(session)
    await house.connect(house.token(session, id, Role.CUSTOMER))
    assert house.media.gates.get((session, id), frozenset()) == frozenset()


async def test_giving_that_cannot_be_stored_opens_nothing(house: House) -> None:
    session = await house.session()
    id, page = await house.enter(session)
    with house.broken_store():
        seq = await decide(page, "camera", "given")
    assert page.errors()[seq] == "internal"
    assert house.media.gates.get((session, id), frozenset()) == frozenset()


async def test_consent_without_the_grant_opens_nothing(house: House) -> None:
    session = await house.session()
    id, _ = await house.place(session)
    grants = session_grants(Role.CUSTOMER, SessionKind.VIDEO) - {Grant.PUBLISH_CAMERA}
    page = await house.connect(house.token(session, id, Role.CUSTOMER, grants))
    await decide(page, "camera", "given")
    assert house.media.gates.get((session, id), frozenset()) == frozenset()
    assert await page.error("track.state", source="camera", on=True) == "not_allowed"


async def test_consent_is_ones_own(house: House) -> None:
    session = await house.session()
    first, page = await house.enter(session)
    second, _ = await house.enter(session, Role.AGENT)
    await decide(page, "camera", "given")
    assert house.media.gates.get((session, second), frozenset()) == frozenset()
    assert house.media.gates[session, first] == {"camera"}


async def test_shut_while_waiting_open_when_taken(house: House) -> None:
    session = await house.session(SessionStatus.WAITING)
    id, page = await house.enter(session)
    await decide(page, "camera", "given")
    assert house.media.gates.get((session, id), frozenset()) == frozenset()
    staff, _ = await house.staff()
    house.live.session_changed(await house.sessions.take(session, staff))
    await house.live.settle()
    assert house.media.gates[session, id] == {"camera"}
    assert page.got("session.changed")[-1]["session"]["status"] == "open"


async def test_consent_survives_a_restart(house: House) -> None:
    session = await house.session()
    id, page = await house.enter(session)
    await decide(page, "camera", "given")
    page.cut()
    await house.advance(25)
    house.media.gates.clear()
    again = await house.connect(house.token(session, id, Role.CUSTOMER))
    assert [consent["scope"] for consent in again.snapshot["consents"]] == ["camera"]
    assert house.media.gates[session, id] == {"camera"}


async def test_a_relay_that_does_not_answer_opens_later(house: House) -> None:
    session = await house.session()
    id, page = await house.enter(session)
    house.media.down = True
    await decide(page, "camera", "given")
    assert open_of(page, id) == set()
    await house.advance(3, page)
    house.media.down = False
    await house.advance(2, page)
    assert house.media.gates[session, id] == {"camera"}
    assert open_of(page, id) == {"camera"}


async def test_a_gate_that_cannot_be_shut_takes_the_connection_down(house: House) -> None:
    session = await house.session()
    id, page = await house.enter(session)
    await decide(page, "camera", "given")
    house.media.down = True
    await decide(page, "camera", "withdrawn")
    assert ("disconnect", session, id) in house.media.calls
    assert open_of(page, id) == set()
    house.media.down = False
    await house.advance(4, page)
    assert house.media.gates[session, id] == frozenset()


async def test_gates_are_set_again_when_the_worker_died(house: House) -> None:
    session = await house.session()
    id, page = await house.enter(session)
    _, other = await house.enter(session, Role.AGENT)
    await decide(page, "camera", "given")
    await page.say("media.offer", sdp=OFFER)
    house.media.lose(session)
    assert len(page.got("media.lost")) == len(other.got("media.lost")) == 1
    await house.live.settle()
    assert house.media.gates[session, id] == {"camera"}
    await page.say("media.offer", sdp=OFFER)
    assert len(page.got("media.answer")) == 2
