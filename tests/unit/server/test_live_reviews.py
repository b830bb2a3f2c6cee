"""Desks of reviewers learn that a case waits for them, whoever referred it, without asking again and again."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.api.bodies_verifications import ReviewDecision
from server.domain.model import Role
from server.live.cases import CaseWatch
from server.live.hub import LiveSessions
from tests.support.bank_place import BankPlace
from tests.support.signalling import House, Page
from tests.unit.server.transactions.test_reviewed import referred


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    yield house
    await house.close()


async def desk(house: House, role: Role) -> Page:
    _, token = await house.staff(role)
    return await house.connect(token)


async def test_reviewers_are_told_once_a_second_and_nobody_else(house: House) -> None:
    agent, boss, expert = [await desk(house, role) for role in (Role.AGENT, Role.SUPERVISOR, Role.EXPERT)]
    session = await house.session()
    _, customer = await house.enter(session)
    everybody = (agent, boss, expert, customer)
    await house.advance(1, *everybody)
    for _ in range(5):
        house.live.reviews_changed()
    await house.advance(3, *everybody)
    assert [len(page.got("reviews.changed")) for page in everybody] == [1, 1, 0, 0]
    house.live.reviews_changed()
    await house.advance(1, *everybody)
    assert agent.got("reviews.changed") == [{"type": "reviews.changed"}] * 2


class Told(LiveSessions):
    """Counts what it is told."""

    def __init__(self) -> None:
        self.reviews = 0

    def reviews_changed(self) -> None:
        self.reviews += 1

    def cases_changed(self, session: object) -> None:
        """Not what is looked at here."""


async def test_what_comes_to_be_reviewed_and_what_does_not_wait_any_more(tmp_path: Path) -> None:
    place, live = BankPlace(tmp_path), Told()
    watch = CaseWatch(place.store, live, place.verifications.sessions)

    async def told() -> int:
        before = live.reviews
        await watch.look()
        return live.reviews - before

    assert await told() == 0
    id = await place.ready()
    assert await told() == 0
    await place.live(id)  # accepted by itself
    assert await told() == 0
    id = await referred(place, customer="c-2")
    assert await told() == 1
    await place.verifications.reviews.detail(place.reviewer(), id)
    assert await told() == 0
    await place.verifications.reviews.review(place.reviewer(), id, ReviewDecision.APPROVE, "seen")
    assert await told() == 1
    await referred(place, customer="c-3")
    await told()
    place.clock.mono += 601
    await place.verifications.settle_due()  # nobody came in time
    assert await told() == 1
    id = await referred(place, customer="c-4")
    await told()
    await place.verifications.cancel(place.bank, id)
    assert await told() == 1
