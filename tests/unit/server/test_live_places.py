"""A session that many come to by one link: whom it is for gets in, and only who is there takes up room."""

from collections.abc import AsyncIterator

import pytest

from server.domain.model import ParticipantState, Role
from server.errors import TooMany
from server.live.settings import LiveSettings
from tests.support.colleagues import Branch, view_of
from tests.unit.server.test_live_waiting_room import invite, redeem

MOST = 12  # of ``House``'s entries


@pytest.fixture
async def house() -> AsyncIterator[Branch]:
    async with Branch(LiveSettings(members=MOST)) as house:
        yield house


async def test_places_that_nobody_comes_to_are_free_after_a_minute(house: Branch) -> None:
    session, _ann, _agent, _customer = await house.served()
    secret = await invite(house, session, Role.EXPERT, 100)
    for _ in range(MOST - 2):
        await redeem(house, secret)
    with pytest.raises(TooMany):
        await redeem(house, secret)
    house.clock.seconds += 59
    with pytest.raises(TooMany):
        await redeem(house, secret)
    house.clock.seconds += 1
    late = await redeem(house, secret)
    assert (await house.connect(late.token)).bye is None


async def test_who_only_takes_places_keeps_nobody_out(house: Branch) -> None:
    ann = await house.colleague()
    session = await house.session(created_by=ann.id)
    secret = await invite(house, session, Role.EXPERT, 100)
    for _ in range(MOST):
        await redeem(house, secret)
    with pytest.raises(TooMany):
        await redeem(house, secret)
    customer = await redeem(house, await invite(house, session, Role.CUSTOMER))
    assert (await house.connect(customer.token)).bye is None
    with pytest.raises(TooMany):  # another one
        await redeem(house, await invite(house, session, Role.CUSTOMER))
    for role in (Role.AGENT, Role.SUPERVISOR):
        one = ann if role is Role.AGENT else await house.colleague(role)
        _, page = await house.comes(session, one)
        assert page.bye is None


async def test_who_is_really_there_keeps_neither_customer_nor_staff_out(house: Branch) -> None:
    ann, boss = await house.colleague(), await house.colleague(Role.SUPERVISOR)
    session = await house.session(created_by=ann.id)
    secret = await invite(house, session, Role.EXPERT, 100)
    for _ in range(MOST):
        assert (await house.connect((await redeem(house, secret)).token)).bye is None
    house.clock.seconds += 60
    with pytest.raises(TooMany):
        await redeem(house, secret)
    customer = await redeem(house, await invite(house, session, Role.CUSTOMER))
    assert (await house.connect(customer.token)).bye is None
    for one in (ann, boss):
        _, page = await house.comes(session, one)
        assert page.bye is None
    _, other = await house.enter(session)  # another customer
    assert other.bye == "too_many"


async def test_who_waits_takes_nobody_s_place_inside(house: Branch) -> None:
    session, _ann, agent, customer = await house.served()
    assert await agent.page.error("session.waiting_room", on=True) is None
    secret = await invite(house, session, Role.EXPERT, 100)
    early = [await redeem(house, secret) for _ in range(MOST)]
    with pytest.raises(TooMany):
        await redeem(house, secret)
    assert [(await house.connect(one.token)).bye for one in early] == [None] * MOST
    house.clock.seconds += 60
    with pytest.raises(TooMany):  # they are there
        await redeem(house, secret)
    await house.live.remove_participant(session, customer.id, agent.id)
    again = await redeem(house, await invite(house, session, Role.CUSTOMER))  # who has to wait now, and can
    page = await house.connect(again.token)
    assert page.bye is None
    assert view_of(agent.page, again.participant)["waits"] is True
    assert await agent.page.error("participant.admit", participant=again.participant, admitted=True) is None
    for one in early[: MOST - 2]:
        assert await agent.page.error("participant.admit", participant=one.participant, admitted=True) is None
    refused = early[-1].participant
    assert await agent.page.error("participant.admit", participant=refused, admitted=True) == "conflict"
    assert (await house.participant(refused)).waits_at is not None
    assert await agent.page.error("participant.admit", participant=refused, admitted=False) is None
    assert (await house.participant(refused)).state is ParticipantState.LEFT
