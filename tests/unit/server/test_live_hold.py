"""Hold and mute: the relay first, then the record; kept over reloads, restarts and a lost media worker."""

from collections.abc import AsyncIterator

import pytest

from server.domain.model import Role
from tests.support.fake_media import OFFER
from tests.support.signalling import House, Page


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    yield house
    await house.close()


async def give(page: Page, *scopes: str) -> None:
    for scope in scopes:
        await page.say("consent.set", scope=scope, decision="given", wording=f"{scope}-1", language="en")


def view_of(page: Page, participant: str) -> dict[str, object]:
    return [body["participant"] for body in page.got("participant.changed") if body["participant"]["id"] == participant][-1]


async def test_held_people_are_in_a_circle_of_their_own_until_they_are_taken_back(house: House) -> None:
    session = await house.session()
    id, customer = await house.enter(session)
    me, agent = await house.enter(session, Role.AGENT)
    await give(customer, "microphone", "camera")
    assert house.media.circles[session, id] == ""
    assert await agent.error("participant.hold", participant=id, held=True) is None
    assert house.media.circles[session, id] not in ("", house.media.circles.get((session, me), ""))
    assert house.media.gates[session, id] == {"microphone", "camera"}
    for page in (customer, agent):
        assert view_of(page, id)["on_hold"] is True
    assert await agent.error("participant.hold", participant=id, held=False) is None
    assert house.media.circles[session, id] == ""
    assert view_of(customer, id)["on_hold"] is False
    assert [entry for entry in await house.audit() if entry[1] == id][-2:] == [
        ("participant.held", id),
        ("participant.resumed", id),
    ]


async def test_two_on_hold_do_not_hear_each_other(house: House) -> None:
    session = await house.session()
    one, _ = await house.enter(session)
    two, _ = await house.enter(session, Role.EXPERT)
    _, agent = await house.enter(session, Role.AGENT)
    for id in (one, two):
        assert await agent.error("participant.hold", participant=id, held=True) is None
    circles = {house.media.circles[session, id] for id in (one, two)}
    assert len(circles) == 2
    assert "" not in circles


async def test_said_twice_is_written_once(house: House) -> None:
    session = await house.session()
    id, _ = await house.enter(session)
    _, agent = await house.enter(session, Role.AGENT)
    for kind, field in (("participant.hold", "held"), ("participant.mute", "muted")):
        before = len(await house.audit())
        for _ in range(2):
            assert await agent.error(kind, participant=id, **{field: True}) is None
        assert len(await house.audit()) == before + 1
        for _ in range(2):
            assert await agent.error(kind, participant=id, **{field: False}) is None
        assert len(await house.audit()) == before + 2


async def test_a_muted_microphone_is_shut_and_opens_only_with_consent(house: House) -> None:
    session = await house.session()
    id, customer = await house.enter(session)
    _, agent = await house.enter(session, Role.AGENT)
    await give(customer, "microphone", "camera")
    assert await agent.error("participant.mute", participant=id, muted=True) is None
    assert house.media.gates[session, id] == {"camera"}
    await give(customer, "microphone")  # agreeing again does not lift it
    assert house.media.gates[session, id] == {"camera"}
    assert view_of(customer, id)["muted"] is True
    assert await agent.error("participant.mute", participant=id, muted=False) is None
    assert house.media.gates[session, id] == {"camera", "microphone"}
    assert await agent.error("participant.mute", participant=id, muted=True) is None
    await customer.say("consent.set", scope="microphone", decision="withdrawn", wording="w", language="en")
    assert await agent.error("participant.mute", participant=id, muted=False) is None
    assert house.media.gates[session, id] == {"camera"}


async def test_only_leads_and_never_oneself(house: House) -> None:
    session = await house.session()
    id, customer = await house.enter(session)
    expert, specialist = await house.enter(session, Role.EXPERT)
    me, agent = await house.enter(session, Role.AGENT)
    for kind, field in (("participant.hold", "held"), ("participant.mute", "muted")):
        for yes in (True, False):
            assert await customer.error(kind, participant=me, **{field: yes}) == "not_allowed"
            assert await specialist.error(kind, participant=id, **{field: yes}) == "not_allowed"
            assert await agent.error(kind, participant=me, **{field: yes}) == "not_found"
            assert await agent.error(kind, participant="PA_NOBODY", **{field: yes}) == "not_found"
        assert await agent.error(kind, participant=expert) == "invalid"
    assert (session, expert) not in house.media.circles or house.media.circles[session, expert] == ""


async def test_a_reload_and_a_lost_worker_keep_it(house: House) -> None:
    session = await house.session()
    id, customer = await house.enter(session)
    _, agent = await house.enter(session, Role.AGENT)
    await give(customer, "microphone")
    await agent.say("participant.hold", participant=id, held=True)
    await agent.say("participant.mute", participant=id, muted=True)
    again = await house.connect(house.token(session, id, Role.CUSTOMER))
    assert (again.snapshot["you"]["on_hold"], again.snapshot["you"]["muted"]) == (True, True)
    house.media.lose(session)
    house.media.circles.clear()
    await house.advance(1, again, agent)
    assert house.media.circles[session, id]
    assert house.media.gates[session, id] == frozenset()


async def test_held_although_it_cannot_be_written_down(house: House) -> None:
    session = await house.session()
    id, customer = await house.enter(session)
    _, agent = await house.enter(session, Role.AGENT)
    await give(customer, "microphone")
    with house.broken_store():
        assert await agent.error("participant.hold", participant=id, held=True) is not None
        assert house.media.circles[session, id]
        assert await agent.error("participant.hold", participant=id, held=False) is not None
        assert house.media.circles[session, id]
    assert await agent.error("participant.hold", participant=id, held=False) is None
    assert house.media.circles[session, id] == ""


async def test_a_relay_that_does_not_answer_has_nobody_hear_what_they_must_not(house: House) -> None:
    session = await house.session()
    id, customer = await house.enter(session)
    _, agent = await house.enter(session, Role.AGENT)
    await give(customer, "microphone")
    assert await customer.error("media.offer", sdp=OFFER) is None
    house.media.down = True
    assert await agent.error("participant.hold", participant=id, held=True) is None
    assert ("disconnect", session, id) in house.media.calls
    house.media.calls.clear()
    assert await customer.error("media.offer", sdp=OFFER) == "media_unavailable"
    assert ("connect", session, id) not in house.media.calls
    house.media.down = False
    await house.advance(10, customer, agent)
    assert house.media.circles[session, id]
    assert await customer.error("media.offer", sdp=OFFER) is None
    assert house.media.circles[session, id]


async def test_who_speaks_is_told_to_those_who_can_hear_it(house: House) -> None:
    session = await house.session()
    id, customer = await house.enter(session)
    me, agent = await house.enter(session, Role.AGENT)
    await agent.say("participant.hold", participant=id, held=True)
    house.media.speaking(session, me, id)
    assert customer.got("speaking")[-1]["participants"] == [id]
    assert agent.got("speaking")[-1]["participants"] == [me]


async def test_a_mute_that_could_not_be_written_down_outlives_what_can_be(house: House) -> None:
    session = await house.session()
    id, customer = await house.enter(session)
    _, agent = await house.enter(session, Role.AGENT)
    await give(customer, "microphone", "camera")
    with house.broken_store():
        assert await agent.error("participant.mute", participant=id, muted=True) is not None
    for held in (True, False):
        assert await agent.error("participant.hold", participant=id, held=held) is None
        assert house.media.gates[session, id] == {"camera"}
        assert (view_of(agent, id)["muted"], view_of(agent, id)["on_hold"]) == (True, held)
    assert await agent.error("participant.mute", participant=id, muted=False) is None
    assert house.media.gates[session, id] == {"camera", "microphone"}
    with house.broken_store():
        assert await agent.error("participant.hold", participant=id, held=True) is not None
    assert await agent.error("participant.mute", participant=id, muted=True) is None
    assert house.media.circles[session, id]


async def test_who_speaks_is_told_anew_when_the_circles_change_and_to_new_pages(house: House) -> None:
    session = await house.session()
    id, customer = await house.enter(session)
    me, agent = await house.enter(session, Role.AGENT)
    house.media.speaking(session, me, id)
    assert customer.got("speaking")[-1]["participants"] == [me, id]
    assert await agent.error("participant.hold", participant=id, held=True) is None
    assert customer.got("speaking")[-1]["participants"] == [id]
    assert agent.got("speaking")[-1]["participants"] == [me]
    again = await house.connect(house.token(session, id, Role.CUSTOMER))
    assert [body["participants"] for body in again.got("speaking")] == [[id]]
    assert await agent.error("participant.hold", participant=id, held=False) is None
    for page in (again, agent):
        assert page.got("speaking")[-1]["participants"] == [me, id]
    told = len(agent.got("speaking"))
    house.media.speaking(session, me, id)
    assert len(agent.got("speaking")) == told
    house.media.lose(session)
    assert agent.got("speaking")[-1]["participants"] == again.got("speaking")[-1]["participants"] == []


async def test_whoever_comes_back_is_told_of_as_if_they_were_new(house: House) -> None:
    session = await house.session()
    id, token = await house.place(session)
    customer = await house.connect(token)
    _, agent = await house.enter(session, Role.AGENT)
    assert await agent.error("participant.mute", participant=id, muted=True) is None
    customer.cut()
    await house.advance(house.live.settings.connection.keep_s + 2, agent)
    assert agent.got("participant.left")[-1]["participant"] == id
    told = len(agent.got("participant.changed"))
    again = await house.connect(token)
    assert [body["participant"]["id"] for body in agent.got("participant.changed")[told:]] == [id]
    assert view_of(agent, id) == {**again.snapshot["you"], "muted": True}
