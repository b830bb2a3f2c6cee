"""Which frames a portrait is compared with: calm ones of the whole attempt, which nobody knows beforehand; never the first alone."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.performer import Person, perform
from verification.challenge.machine import ChallengeMachine
from verification.challenge.observation import Observation
from verification.challenge.policy import ChallengePolicy, Light, Limits
from verification.challenge.portrait import EVERY, KEPT, LEAST, chosen, of_one, together
from verification.challenge.script import draw_script
from verification.types import Ability

POLICY = ChallengePolicy()


def machine_of(number: int) -> ChallengeMachine:
    return ChallengeMachine(draw_script(number.to_bytes(16, "big"), frozenset(Ability), POLICY), POLICY, Limits())


@pytest.mark.parametrize("number", range(6))
def test_calm_frames_of_the_whole_attempt(number: int) -> None:
    machine, seen, told = machine_of(number), {}, []

    def keep(one: Observation) -> Observation:
        seen[one.index] = one
        told.append(machine.kept)
        return one

    assert perform(machine, Person(seed=number), change=keep).passed
    kept = machine.kept
    assert LEAST <= len(kept) <= KEPT
    assert 0 not in kept
    assert max(kept) > 0.75 * max(seen)
    assert all(abs(seen[index].yaw or 0.0) < 9 for index in kept)
    assert all(after[: len(before)] == before for before, after in itertools.pairwise(told))  # nothing is taken back


def test_nobody_knows_which() -> None:
    frames = range(2000)
    first, other = (draw_script(bytes([number] * 16), frozenset(Ability), POLICY) for number in (1, 2))
    mine, theirs = ({number for number in frames if chosen(script, number)} for script in (first, other))
    assert mine == {number for number in frames if chosen(first, number)}
    assert len(mine) == 2000 / EVERY
    assert {number % EVERY for number in mine} == set(range(EVERY))
    assert len(mine & theirs) == pytest.approx(2000 / EVERY**2, rel=0.35)


@given(st.integers(0, 2**32), st.integers(0, 200))
def test_twenty_calm_frames_are_always_enough(nonce: int, start: int) -> None:
    script = draw_script(nonce.to_bytes(16, "big"), frozenset(Ability), POLICY)
    first = EVERY * start
    assert sum(chosen(script, number) for number in range(first, first + EVERY * LEAST)) == LEAST


def test_a_frame_that_was_compared_with_nothing_is_not_kept() -> None:
    machine = machine_of(1)
    perform(machine, Person(seed=1), change=lambda one: replace(one, identity=None))
    assert machine.kept == ()


@given(st.lists(st.floats(-1, 1), max_size=40))
def test_their_median_and_nothing_of_too_few(scores: list[float]) -> None:
    whole = together(scores)
    assert (whole is None) == (len(scores) < LEAST)
    if whole is not None:
        assert sum(score <= whole for score in scores) >= len(scores) / 2
        assert sum(score >= whole for score in scores) >= len(scores) / 2


def test_few_doctored_frames_change_little() -> None:
    assert together([0.1, 0.12, 0.11, 0.09, 0.6, 0.6]) == pytest.approx(0.115)


def test_the_end_of_a_long_attempt_counts_as_well() -> None:
    """At 30 frames a second, with colours that change slowly."""
    policy = ChallengePolicy(light=Light.SLOW)
    machine = ChallengeMachine(draw_script(bytes(range(16)), frozenset(Ability), policy), policy, Limits())
    last = []

    def keep(one: Observation) -> Observation:
        last.append(one.index)
        return one

    assert perform(machine, Person(seed=3, fps=30.0), change=keep).passed
    assert max(machine.kept) > 0.9 * last[-1]
    assert len([index for index in machine.kept if index > last[-1] / 2]) > len(machine.kept) / 4


def test_half_a_film_of_somebody_else_is_not_one_person() -> None:
    assert of_one([0.7] * 20, 0.45)
    assert of_one([0.7] * 15 + [0.3] * 5, 0.45)
    assert not of_one([0.7] * 14 + [0.3] * 6, 0.45)
    half = [0.745] * 13 + [0.336] * 12
    assert together(half) == 0.745
    assert not of_one(half, 0.45)
