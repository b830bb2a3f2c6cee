"""What was seen of an attack is not unseen because we looked late, or because something of ours ended the attempt."""

import dataclasses
from typing import Any

import pytest

from server.challenges import PlayedChallenge
from server.errors import VerificationBusy
from server.services.verification_reviews import _attempt
from server.transactions.material import Material, ReferenceShown
from server.transactions.policy import Check
from tests.scenario.test_live_verification import Visit, drawn, ended, visit
from verification.challenge.observation import Observation
from verification.challenge.script import Action
from verification.errors import EngineLost

__all__ = ["drawn", "visit"]


def a_recording(one: Observation, earlier: dict[int, Observation]) -> Observation:
    """Whose frames come again."""
    old = earlier[one.index % 12] if one.index > 12 else one
    return dataclasses.replace(one, sha256=old.sha256, thumbnail=old.thumbnail)


def somebody_else(one: Observation, earlier: dict[int, Observation]) -> Observation:
    return dataclasses.replace(one, identity=0.05) if one.index > 12 else one


def company(one: Observation, earlier: dict[int, Observation]) -> Observation:
    return dataclasses.replace(one, faces=2) if one.index > 12 and one.index % 2 else one


ATTACKS = [(a_recording, "stream_repeated"), (somebody_else, "face_changed"), (company, "several_faces")]


def attacked(visit: Visit, attack: Any) -> None:
    frame, earlier = visit.scene.person.frame, dict[int, Observation]()

    def tricked(index: int, now: float) -> Observation:
        earlier[index] = frame(index, now)
        return attack(earlier[index], earlier)  # type: ignore[no-any-return]

    visit.scene.person.frame = tricked  # type: ignore[method-assign]


@pytest.mark.parametrize(("attack", "reason"), ATTACKS)
@pytest.mark.parametrize("answers", [True, False], ids=["does what is asked", "does nothing"])
async def test_what_was_seen_of_an_attack_is_not_unseen_by_looking_late(
    visit: Visit, attack: Any, reason: str, answers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.services.verification_live.LEFT_OUT", 1_000_000)
    attacked(visit, attack)
    if not answers:
        visit.scene.person.refuse = frozenset(Action)
    look = visit.scene.analyse

    async def slow(*args: Any, **more: Any) -> Any:
        if len(visit.scene.calls) == 30:
            visit.house.clock.seconds += 3.0
        return await look(*args, **more)

    visit.scene.analyse = slow  # type: ignore[method-assign]
    await visit.begin()
    assert (await visit.play())["outcome"] == "reject"
    attempt, failures = await ended(visit)
    assert reason in attempt.reasons
    assert "action_missed" not in attempt.reasons
    assert (failures.count, failures.excused) == (1, 0)


@pytest.mark.parametrize("how", ["tap_lost", "broken", "agent stops"])
async def test_what_was_seen_of_an_attack_is_not_unseen_by_whatever_ends_it(visit: Visit, how: str) -> None:
    attacked(visit, company)
    look = visit.scene.analyse

    async def until(*args: Any, **more: Any) -> Any:
        seen = await look(*args, **more)
        if len(visit.scene.calls) == 40:
            if how == "broken":
                raise EngineLost("a worker died")
            if how == "tap_lost":
                visit.house.media.taps[0].end("tap_lost")
            else:
                await visit.agent[1].say("verification.stop")
        return seen

    visit.scene.analyse = until  # type: ignore[method-assign]
    await visit.begin()
    assert (await visit.play())["outcome"] == "reject"
    attempt, failures = await ended(visit)
    assert {"several_faces", {"tap_lost": "stream_lost", "broken": "engine_lost"}.get(how, "stopped_by_staff")} <= {
        *attempt.reasons
    }
    assert (failures.count, failures.excused) == (1, 0)


async def test_whoever_lets_the_time_run_out_is_judged_however_long_that_takes(
    visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would be lost, and excused, whenever the workers have much to do."""
    made = PlayedChallenge.material

    async def slowly(check: PlayedChallenge) -> Material:
        visit.house.clock.seconds += 15.0
        return await made(check)

    monkeypatch.setattr(PlayedChallenge, "material", slowly)
    visit.house.clock.seconds += 899
    await visit.begin()
    await visit.until(lambda: len(visit.told()) == 2)
    attempt, failures = await ended(visit)
    assert attempt.outcome == "reject"
    assert "attempt_ended" in attempt.reasons
    assert (failures.count, failures.excused) == (1, 0)


@pytest.mark.parametrize(("for_ever", "left"), [(False, 2), (True, 2), (True, 0)])
async def test_a_worker_that_has_no_room_is_asked_again(
    visit: Visit, for_ever: bool, left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await visit.allow(left + 1)
    monkeypatch.setattr("server.challenges.AGAIN_S", 0.0)
    if for_ever:
        monkeypatch.setattr("server.challenges.FRESH_S", 0.01)
    look, refused = visit.scene.analyse, 0

    async def full(*args: Any, **more: Any) -> Any:
        nonlocal refused
        if len(visit.scene.calls) == 30 and (for_ever or refused < 2):
            refused += 1
            raise VerificationBusy("Too many face checks wait already.", 1)
        return await look(*args, **more)

    visit.scene.analyse = full  # type: ignore[method-assign]
    await visit.begin()
    assert (await visit.play())["outcome"] == (("reject" if left else "refer") if for_ever else "accept")
    assert refused >= 2
    if for_ever:
        attempt, failures = await ended(visit)
        assert attempt.reasons[0] == "engine_busy"
        assert (failures.count, failures.excused) == (0, 1)


async def test_who_reviews_sees_what_was_excused_and_what_is_referred_for_a_fault_of_ours_is_counted(
    visit: Visit,
) -> None:
    await visit.allow(1)
    look = visit.scene.analyse

    async def slow(*args: Any, **more: Any) -> Any:
        if len(visit.scene.calls) == 30:
            visit.house.clock.seconds += 6.0
        return await look(*args, **more)

    visit.scene.analyse = slow  # type: ignore[method-assign]
    await visit.begin()
    assert (await visit.play())["outcome"] == "refer"
    attempt, failures = await ended(visit)
    assert (failures.count, failures.excused) == (0, 1)
    assert attempt.checked is not None
    [challenge] = [one for one in attempt.checked.checks if one.name is Check.CHALLENGE]
    assert (challenge.outcome, "attempt_ended" in challenge.excused) == ("refer", True)
    assert set(challenge.excused) <= set(attempt.reasons), "the decision names them"
    shown = _attempt(attempt, None, ReferenceShown.NONE)
    assert ["attempt_ended" in one.excused for one in shown.checks if one.name is Check.CHALLENGE] == [True]


async def test_a_camera_that_makes_its_own_pictures_late_is_not_excused(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever keeps the decoder of their tap busy, while nobody looks slowly."""
    monkeypatch.setattr("server.services.verification_live.LEFT_OUT", 1_000_000)
    await visit.allow(1)
    visit.scene.person.refuse = frozenset(Action)
    made = visit.scene.frame

    def late(index: int, now: float) -> Any:
        return made(index, now - min(3.0, 0.5 * max(0.0, now - 1.0)))

    visit.scene.frame = late  # type: ignore[method-assign]
    await visit.begin()
    assert (await visit.play())["outcome"] == "reject"
    attempt, failures = await ended(visit)
    assert "engine_busy" not in attempt.reasons
    assert (failures.count, failures.excused) == (1, 0)
