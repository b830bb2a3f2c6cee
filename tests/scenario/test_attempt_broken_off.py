"""Who breaks an attempt off in the middle: what staff do, and what comes to nothing, is no failure of the customer."""

import dataclasses

import pytest

from tests.scenario.test_live_verification import Visit, drawn, ended, visit
from tests.scenario.test_self_service import Alone, alone

__all__ = ["alone", "drawn", "visit"]


@pytest.mark.parametrize(
    ("how", "reason", "theirs"),
    [
        ("removed", "stopped_by_staff", False),
        ("ended by the agent", "stopped_by_staff", False),
        ("ended by the bank", "stopped_by_staff", False),
        ("they leave", "customer_gone", True),
    ],
)
async def test_staff_who_send_the_customer_away_have_ended_it(visit: Visit, how: str, reason: str, theirs: bool) -> None:
    await visit.begin()
    await visit.until(lambda: visit.house.media.taps)
    (customer, page), (_, agent) = visit.customer, visit.agent
    if how == "removed":
        await agent.say("participant.remove", participant=customer)
    elif how == "ended by the agent":
        await agent.say("session.end", reason="done")
    elif how == "ended by the bank":
        await visit.house.live.end_session(visit.session, "done", "key_1")
    else:
        await page.say("leave")

    async def over() -> bool:
        return (await visit.place.case(visit.case)).attempt is None

    await visit.until(over)
    attempt, failures = await ended(visit)
    assert attempt.reasons[0] == reason
    assert (failures.count, failures.excused) == ((1, 0) if theirs else (0, 1))


async def test_asking_for_a_person_in_vain_costs_no_attempt(alone: Alone) -> None:
    await alone.desk()
    live = alone.house.live._sessions[alone.session]
    live.needs = dataclasses.replace(live.needs, settings=dataclasses.replace(live.needs.settings, waiting=0))
    page = alone.customer[1]
    await alone.begin(page)
    await alone.until(lambda: alone.house.media.taps)
    assert await page.error("verification.agent", reason="cannot") == "too_many"
    assert alone.house.media.taps, "they are looked at still"
    assert (await alone.play())["outcome"] == "accept"


async def test_asking_for_a_person_who_may_come_ends_the_attempt(alone: Alone) -> None:
    await alone.desk()
    await alone.begin(alone.customer[1])
    await alone.until(lambda: alone.house.media.taps)
    assert await alone.customer[1].error("verification.agent", reason="cannot") is None
    await alone.until(lambda: len(alone.told()) == 2)
    attempt, failures = await ended(alone)
    assert "attempt_ended" in attempt.reasons
    assert failures.count == 1
