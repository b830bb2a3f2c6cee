"""More want their face checked at once than can be looked at: one more is refused before anything is used up, and begins once there is room."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.challenges import LiveChallenges
from server.services.attempt_room import AttemptRoom
from server.services.verification_live import LiveAttempts
from server.transactions.case import CaseState
from tests.scenario.test_live_verification import Visit, translated
from tests.support.bank_place import BankPlace
from tests.support.fake_media import OFFER
from tests.support.live_person import THRESHOLDS
from tests.support.signalling import House


@pytest.fixture
async def full(tmp_path: Path) -> AsyncIterator[tuple[Visit, AttemptRoom]]:
    """A house with one place."""
    house, room = House(), AttemptRoom(1)
    visit = Visit(house, BankPlace(tmp_path))
    await visit.open()
    checks = LiveChallenges(lambda: visit.scene, translated, lambda info: THRESHOLDS)  # type: ignore[arg-type, return-value]
    house.live.attempts = LiveAttempts(visit.place.verifications.attempts, checks, house.live.taps, room)
    yield visit, room
    await house.close()


async def test_who_comes_when_all_places_are_taken_loses_nothing_and_begins_once_there_is_room(
    full: tuple[Visit, AttemptRoom],
) -> None:
    visit, room = full
    house, place = visit.house, visit.place
    session = await house.session()
    id, other = await house.enter(session)
    for scope in ("face", "camera"):
        await other.say("consent.set", scope=scope, decision="given", wording="w", language="en")
    await other.say("media.offer", sdp=OFFER)
    await house.live.settle()
    case = await place.ready(customer="C-1", session=session)

    assert await visit.begin() is None
    await visit.until(lambda: house.media.taps)
    for count in (1, 2):
        assert await other.error("verification.begin", case=case, participant=id) is None
        await visit.until(lambda count=count: len(visit.told(other)) == count)
        told = visit.told(other)[-1]
        assert (told["state"], told["number"], told["outcome"], told["problem"]) == ("over", 0, None, "attempts_busy")
    found = await place.case(case)
    assert (found.state, found.attempts_used, room.taken, room.refused, len(house.media.taps)) == (CaseState.OPEN, 0, 1, 2, 1)
    actions = [action for action, _ in await house.audit()]
    assert (actions.count("verification.attempt_begun"), actions.count("tap.opened")) == (1, 1)

    assert await visit.customer[1].error("verification.stop") is None
    await visit.until(lambda: visit.told()[-1]["state"] == "over")
    await visit.until(lambda: room.taken == 0)
    assert await other.error("verification.begin", case=case, participant=id) is None
    await visit.until(lambda: visit.told(other)[-1]["state"] == "playing")
    assert (await place.case(case)).attempts_used == 1
