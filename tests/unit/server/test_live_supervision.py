"""A supervisor listens, whispers to one person, joins in: what the relay is told, who knows of it, what is written down."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from server.domain.ids import ParticipantId, SessionId
from server.domain.model import Role
from tests.support.signalling import House, Page, replaced


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    yield house
    await house.close()


async def give(page: Page, *scopes: str) -> None:
    for scope in scopes:
        await page.say("consent.set", scope=scope, decision="given", wording=f"{scope}-1", language="en")


async def listening(house: House, session: SessionId) -> tuple[ParticipantId, Page]:
    """A supervisor as ``Entries.enter`` lets one in."""
    id, token = await house.place(session, Role.SUPERVISOR)
    async with house.store.begin() as tx:
        place = await tx.get_participant(id)
        assert place is not None
        await tx.save_participant(replaced(place, listens_at=house.clock.now()))
    return id, await house.connect(token)


def modes(page: Page, who: str) -> list[bool]:
    return [body["participant"]["listens"] for body in page.got("participant.changed") if body["participant"]["id"] == who]


async def test_who_listens_is_forwarded_to_nobody_and_everybody_knows(house: House) -> None:
    session = await house.session()
    _, customer = await house.enter(session)
    id, supervisor = await listening(house, session)
    assert supervisor.snapshot["you"]["listens"] is True
    await give(supervisor, "microphone", "camera", "screen")
    assert house.media.gates.get((session, id), frozenset()) == frozenset()
    assert modes(customer, id)[-1] is True


async def test_a_whisper_is_for_one_person_who_alone_is_told(house: House) -> None:
    session = await house.session()
    _, customer = await house.enter(session)
    agent_id, agent = await house.enter(session, Role.AGENT)
    _, expert = await house.enter(session, Role.EXPERT)
    id, supervisor = await listening(house, session)
    await give(supervisor, "microphone", "camera")
    await supervisor.say("track.state", source="microphone", on=True)
    assert await supervisor.error("supervise", mode="whisper", to=agent_id) is None
    assert house.media.gates[session, id] == {"microphone"}
    assert house.media.only[session, id] == {agent_id}
    for page in (agent, supervisor):
        assert page.got("whispers")[-1] == {"type": "whispers", "by": id, "to": agent_id}
    for page in (customer, expert):
        assert page.got("whispers") == []
        assert modes(page, id)[-1] is True
        views = [body["participant"] for body in page.got("participant.changed") if body["participant"]["id"] == id]
        assert not any(track["open"] or track["on"] for view in views for track in view["tracks"])
    house.media.speaking(session, id)
    assert agent.got("speaking")[-1]["participants"] == [id]
    assert customer.got("speaking") == expert.got("speaking") == []
    assert await supervisor.error("supervise", mode="listen") is None
    assert house.media.gates[session, id] == frozenset()
    assert agent.got("whispers")[-1]["to"] is None


async def test_joining_in_and_listening_again(house: House) -> None:
    session = await house.session()
    _, customer = await house.enter(session)
    id, supervisor = await listening(house, session)
    await give(supervisor, "microphone", "camera")
    assert await supervisor.error("supervise", mode="join") is None
    assert house.media.gates[session, id] == {"microphone", "camera"}
    assert house.media.only[session, id] is None
    assert modes(customer, id)[-1] is False
    assert await supervisor.error("supervise", mode="listen") is None
    assert house.media.gates[session, id] == frozenset()
    assert [action for action, _ in await house.audit()].count("supervision.changed") == 2


async def test_from_one_ear_to_another(house: House) -> None:
    session = await house.session()
    one, first = await house.enter(session, Role.AGENT)
    two, second = await house.enter(session, Role.EXPERT)
    id, supervisor = await listening(house, session)
    await give(supervisor, "microphone")
    await supervisor.say("supervise", mode="whisper", to=one)
    await supervisor.say("supervise", mode="whisper", to=two)
    assert house.media.only[session, id] == {two}
    assert first.got("whispers")[-1]["to"] is None
    assert second.got("whispers")[-1]["to"] == two
    again = await house.connect(house.token(session, two, Role.EXPERT))
    assert again.got("whispers")[-1] == {"type": "whispers", "by": id, "to": two}


async def test_a_whisper_ends_when_its_hearer_leaves(house: House) -> None:
    session = await house.session()
    await house.enter(session)
    agent_id, agent = await house.enter(session, Role.AGENT)
    id, supervisor = await listening(house, session)
    await give(supervisor, "microphone")
    await supervisor.say("supervise", mode="whisper", to=agent_id)
    await agent.say("leave")
    assert house.media.gates[session, id] == frozenset()
    assert supervisor.got("whispers")[-1]["to"] is None


async def test_what_is_refused(house: House) -> None:
    session = await house.session()
    customer_id, customer = await house.enter(session)
    agent_id, agent = await house.enter(session, Role.AGENT)
    id, supervisor = await listening(house, session)
    await give(supervisor, "microphone")
    assert await agent.error("supervise", mode="listen") == "not_allowed"
    assert await customer.error("supervise", mode="whisper", to=agent_id) == "not_allowed"
    assert await supervisor.error("supervise", mode="whisper", to=customer_id) == "invalid"
    assert await supervisor.error("supervise", mode="whisper") == "not_found"
    assert await supervisor.error("supervise", mode="whisper", to=id) == "not_found"
    assert await supervisor.error("supervise", mode="listen", to=agent_id) == "invalid"
    assert await supervisor.error("supervise", mode="shout") == "invalid"
    assert house.media.gates.get((session, id), frozenset()) == frozenset()


async def test_what_cannot_be_written_down_is_heard_by_nobody(house: House) -> None:
    session = await house.session()
    agent_id, _ = await house.enter(session, Role.AGENT)
    id, supervisor = await listening(house, session)
    await give(supervisor, "microphone")
    with house.broken_store():
        assert await supervisor.error("supervise", mode="whisper", to=agent_id) is not None
        assert await supervisor.error("supervise", mode="join") is not None
    assert house.media.gates.get((session, id), frozenset()) == frozenset()
    assert await supervisor.error("supervise", mode="join") is None
    with house.broken_store():
        assert await supervisor.error("supervise", mode="listen") is not None
        assert house.media.gates[session, id] == frozenset()


async def test_a_customer_beside_somebody_who_listens_is_alone(house: House) -> None:
    session = await house.session()
    await house.enter(session)
    await listening(house, session)
    live = house.live._sessions[session]
    assert live.alone.since is not None
    assert live.alone.since <= house.clock.now() + timedelta(seconds=1)


async def test_listening_that_could_not_be_written_down_outlives_what_can_be(house: House) -> None:
    session = await house.session()
    await house.enter(session)
    _, agent = await house.enter(session, Role.AGENT)
    id, supervisor = await listening(house, session)
    await give(supervisor, "microphone", "camera")
    assert await supervisor.error("supervise", mode="join") is None
    with house.broken_store():
        assert await supervisor.error("supervise", mode="listen") is not None
    for muted in (True, False):
        assert await agent.error("participant.mute", participant=id, muted=muted) is None
        assert house.media.gates[session, id] == frozenset()
    assert modes(agent, id)[-1] is True
    with house.broken_store():
        assert await agent.error("participant.hold", participant=id, held=True) is not None
    assert await supervisor.error("supervise", mode="join") is None
    assert house.media.circles[session, id]
    assert house.media.gates[session, id] == {"microphone", "camera"}


@pytest.mark.parametrize("which", ["hearer", "whisperer"])
@pytest.mark.parametrize("stored", [True, False])
async def test_nobody_whispers_across_a_hold(house: House, which: str, stored: bool) -> None:
    session = await house.session()
    _, customer = await house.enter(session)
    _, agent = await house.enter(session, Role.AGENT)
    ear, expert = await house.enter(session, Role.EXPERT)
    id, supervisor = await listening(house, session)
    await give(supervisor, "microphone")
    assert await supervisor.error("supervise", mode="whisper", to=ear) is None
    assert house.media.gates[session, id] == {"microphone"}
    who = ear if which == "hearer" else id
    if stored:
        assert await agent.error("participant.hold", participant=who, held=True) is None
    else:
        with house.broken_store():
            assert await agent.error("participant.hold", participant=who, held=True) is not None
    assert (house.media.gates[session, id], house.media.only[session, id]) == (frozenset(), None)
    for page in (expert, supervisor):
        assert page.got("whispers")[-1] == {"type": "whispers", "by": id, "to": None}
    assert await supervisor.error("supervise", mode="whisper", to=ear) == "conflict"
    assert house.media.gates[session, id] == frozenset()
    assert await agent.error("participant.hold", participant=who, held=False) is None
    assert house.media.gates[session, id] == frozenset()  # it does not begin again by itself
    assert await supervisor.error("supervise", mode="whisper", to=ear) is None
    assert house.media.only[session, id] == {ear}
    assert customer.got("whispers") == agent.got("whispers") == []


async def test_whoever_is_heard_by_nobody_on_hold_whispers_to_nobody(house: House) -> None:
    """Whatever the order in which the two came to be so."""
    session = await house.session()
    ear, _ = await house.enter(session, Role.AGENT)
    id, supervisor = await listening(house, session)
    await give(supervisor, "microphone")
    live = house.live._sessions[session]
    member = live.members[id]
    member.participant = replaced(member.participant, held_at=house.clock.now())
    member.whispers_to = ear
    assert (member.wanted(live.status).sources, member.wanted(live.status).only) == (frozenset(), None)


async def test_nothing_at_all_tells_the_others_of_a_whisper(house: House) -> None:
    """Not even that a message comes, or one that says again what they knew."""
    session = await house.session()
    _, customer = await house.enter(session)
    ear, agent = await house.enter(session, Role.AGENT)
    _, expert = await house.enter(session, Role.EXPERT)
    id, supervisor = await listening(house, session)
    await give(supervisor, "microphone")
    await give(agent, "microphone")
    house.media.speaking(session, ear)
    before = [len(page.frames) for page in (customer, expert)]
    assert await supervisor.error("supervise", mode="whisper", to=ear) is None
    await supervisor.say("track.state", source="microphone", on=True)
    house.media.track(session, id, "microphone", True)
    house.media.speaking(session, id, ear)
    assert agent.got("speaking")[-1]["participants"] == [id, ear]
    house.media.speaking(session, ear, id)
    house.media.speaking(session, ear)
    await supervisor.say("track.state", source="microphone", on=False)
    assert await supervisor.error("supervise", mode="listen") is None
    assert [len(page.frames) for page in (customer, expert)] == before
    house.media.speaking(session)
    assert customer.got("speaking")[-1]["participants"] == expert.got("speaking")[-1]["participants"] == []
