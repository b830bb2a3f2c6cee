"""What the screen really shows, however an attempt ends: no colour for less than a second, and no flash in the slow form."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.performer import Person
from verification.challenge.colours import GENERAL_FLASH, SLOW_FADE_S, WHITE, flashes, relative_luminance
from verification.challenge.events import End, Event, Judged, Show
from verification.challenge.machine import ChallengeMachine
from verification.challenge.observation import Unreadable
from verification.challenge.policy import ChallengePolicy, Light, Limits
from verification.challenge.script import draw_script
from verification.types import Ability


def shown(number: int, light: Light, ends_s: float, how: str) -> list[tuple[float, Show]]:
    """When each colour is on the screen, the page's own after the end too."""
    policy = ChallengePolicy(light=light)
    machine = ChallengeMachine(draw_script(number.to_bytes(16, "big"), frozenset(Ability), policy), policy, Limits())
    person, rows = Person(seed=number), []
    machine.start(0.0)
    for index in range(600):
        now = index / person.fps
        heard: list[tuple[float, Event]] = [(now, event) for event in machine.feed(person.frame(index, now))]
        if now >= ends_s and how != "whole":
            last = now + 0.02
            heard += [(last, event) for event in machine.feed(End(last) if how == "end" else Unreadable(last))]
        person.told([event for _, event in heard], now)
        rows += [(at + event.wait_s, event) for at, event in heard if isinstance(event, Show)]
        if any(isinstance(event, Judged) for _, event in heard):
            return rows
    raise AssertionError("it does not end")


@settings(max_examples=20, deadline=None)
@given(
    number=st.integers(0, 200),
    light=st.sampled_from([Light.STEPS, Light.SLOW]),
    ends_s=st.floats(1.0, 9.0),
    how=st.sampled_from(["whole", "end", "unreadable"]),
)
def test_no_colour_is_shorter_than_a_second(number: int, light: Light, ends_s: float, how: str) -> None:
    rows = shown(number, light, ends_s, how)
    assert all(after - before >= 1.0 - 1e-6 for (before, _), (after, _) in itertools.pairwise(rows))
    if rows:
        assert rows[-1][1].step is None  # the page as it was, always
        assert sum(event.step is None for _, event in rows) == 1
    if light is Light.STEPS:
        steps = [(0.0, WHITE), *((at, event.step.rgb if event.step else WHITE) for at, event in rows)]
        assert flashes(steps) <= 1
    else:
        assert all((event.step.fade_s if event.step else event.fade_s) == SLOW_FADE_S for _, event in rows)


@pytest.mark.parametrize("ends_s", [1.5, 2.5, 20.0])
def test_the_slow_form_fades_back(ends_s: float) -> None:
    """From a pale colour to white the luminance goes by more than a flash's tenth: over two seconds, once, that is none."""
    last = shown(3, Light.SLOW, ends_s, "end")[-1][1]
    assert last.fade_s == SLOW_FADE_S
    assert relative_luminance(WHITE) - 0.45 > GENERAL_FLASH
