"""On hold, muted or listening although it could not be written down: kept through being lost, written again until it is stored."""

from collections.abc import AsyncIterator

import pytest

from server.domain.model import Role
from tests.support.colleagues import Branch, Inside, give


@pytest.fixture
async def house() -> AsyncIterator[Branch]:
    async with Branch() as house:
        yield house


@pytest.mark.parametrize(
    ("kind", "field", "column"), [("participant.hold", "held", "held_at"), ("participant.mute", "muted", "muted_at")]
)
async def test_lost_and_back_it_still_holds(house: Branch, kind: str, field: str, column: str) -> None:
    session, _ann, agent, customer = await house.served()
    with house.broken_store():
        assert await agent.page.error(kind, participant=customer.id, **{field: True}) == "internal"
        customer.page.cut()
        await house.advance(10, agent.page)
    customer.page.cut()
    house.store.broken = False
    async with house.store.begin() as tx:  # as if it had never been written: the retry is what is looked at
        assert (await tx.get_participant(customer.id)) is not None
    await house.advance(15, agent.page)
    assert getattr(await house.participant(customer.id), column) is not None
    back = await house.connect(house.token(session, customer.id, Role.CUSTOMER))
    assert back.snapshot["you"]["on_hold" if field == "held" else "muted"] is True


async def test_back_while_the_store_is_still_gone(house: Branch) -> None:
    session, _ann, agent, customer = await house.served()
    live = house.live
    with house.broken_store():
        assert await agent.page.error("participant.hold", participant=customer.id, held=True) == "internal"
    customer.page.cut()
    house.store.broken = True
    await house.advance(20, agent.page)  # the leaving cannot be written either
    house.store.broken = False
    back = await house.connect(house.token(session, customer.id, Role.CUSTOMER))
    assert back.snapshot["you"]["on_hold"] is True
    assert house.circle(session, customer.id) != ""
    assert await agent.page.error("participant.hold", participant=customer.id, held=False) is None
    await house.advance(5, agent.page, back)
    assert (await house.participant(customer.id)).held_at is None  # lifted: it is not written any more
    assert house.circle(session, customer.id) == ""
    assert live.connected(session)


async def test_a_session_with_something_to_store_stays(house: Branch) -> None:
    _session, _ann, agent, customer = await house.served()
    with house.broken_store():
        await agent.page.error("participant.hold", participant=customer.id, held=True)
    agent.page.cut()
    customer.page.cut()
    house.store.broken = True
    await house.advance(5)
    assert house.live.stats()["sessions"] == 1
    house.store.broken = False
    await house.advance(120)
    assert (await house.participant(customer.id)).held_at is not None
    assert house.live.stats()["sessions"] == 0


async def test_who_left_for_good_is_forgotten(house: Branch) -> None:
    session, _ann, agent, customer = await house.served()
    expert = Inside(*await house.enter(session, Role.EXPERT))
    with house.broken_store():
        await agent.page.error("participant.mute", participant=expert.id, muted=True)
    await expert.page.say("leave")
    await house.advance(3, agent.page, customer.page)
    assert (await house.participant(expert.id)).muted_at is None


async def test_a_supervisor_who_wanted_to_listen_again(house: Branch) -> None:
    session, _ann, agent, customer = await house.served()
    boss = await house.colleague(Role.SUPERVISOR)
    one = Inside(*await house.comes(session, boss))
    await give(one.page, "microphone")
    await one.page.say("supervise", mode="join")
    with house.broken_store():
        assert await one.page.error("supervise", mode="listen") == "internal"
        await house.advance(2, agent.page, customer.page, one.page)
    assert house.gates(session, one.id) == set()
    await house.advance(2, agent.page, customer.page, one.page)
    assert (await house.participant(one.id)).listens_at is not None
