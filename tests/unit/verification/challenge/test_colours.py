"""WCAG 2.2, 2.3.1 as properties of every sequence that can be drawn."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.challenge.colours import (
    FULL,
    PALE,
    SATURATED_RED,
    WHITE,
    draw_colours,
    flashes,
    palette,
    red_share,
    relative_luminance,
    shown,
)
from verification.challenge.policy import ChallengePolicy, Light

NONCES = st.binary(min_size=16, max_size=32)
POLICIES = st.builds(
    ChallengePolicy,
    colours=st.integers(4, 12),
    light=st.sampled_from([Light.STEPS, Light.SLOW]),
    colour_s=st.sampled_from([(1.0, 1.0), (1.0, 1.6), (1.2, 3.0)]),
)


def test_luminance_and_red_as_wcag_has_them() -> None:
    assert relative_luminance(WHITE) == pytest.approx(1.0)
    assert relative_luminance((0, 0, 0)) == 0.0
    assert relative_luminance((255, 0, 0)) == pytest.approx(0.2126)
    assert relative_luminance((119, 119, 119)) == pytest.approx(0.1845, abs=1e-4)
    assert red_share((255, 0, 0)) == 1.0
    assert red_share((0, 0, 0)) == 0.0
    assert red_share((255, 255, 255)) == pytest.approx(1 / 3)


@pytest.mark.parametrize("rgb", FULL + PALE)
def test_no_colour_is_a_saturated_red(rgb: tuple[int, int, int]) -> None:
    assert red_share(rgb) < SATURATED_RED - 0.1


def test_pale_colours_are_of_one_luminance() -> None:
    bright = [relative_luminance(rgb) for rgb in PALE]
    assert max(bright) - min(bright) < 0.02


@given(NONCES, POLICIES)
def test_at_most_one_change_a_second_and_no_flash_too_many(nonce: bytes, policy: ChallengePolicy) -> None:
    steps = draw_colours(nonce, policy)
    assert len(steps) == policy.colours
    for before, after in pairwise(steps):
        assert after.at_s - before.at_s >= 1.0
        assert after.at_s == pytest.approx(before.at_s + before.for_s, abs=1e-6)
        assert before.rgb != after.rgb
    assert all(step.rgb in palette(policy.light) for step in steps)
    assert len({step.rgb for step in steps}) >= 3
    sequence = [(-10.0, WHITE), *((step.at_s, step.rgb) for step in steps), (steps[-1].at_s + steps[-1].for_s, WHITE)]
    assert flashes(sequence) <= 1


@given(NONCES)
def test_the_slow_form_has_no_flash_at_all(nonce: bytes) -> None:
    """Between its colours luminance does not change by a tenth within any two seconds; from and to white it takes two."""
    steps = draw_colours(nonce, ChallengePolicy(light=Light.SLOW))
    bright = [
        (lambda rgb: 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2])(shown(steps, at / 10))
        for at in range(25, int(10 * (steps[-1].at_s + steps[-1].for_s)))
    ]
    assert max(bright) - min(bright) < 0.1
    assert all(step.fade_s >= 2.0 for step in steps)


@given(NONCES)
def test_drawn_from_the_nonce_alone(nonce: bytes) -> None:
    policy = ChallengePolicy()
    assert draw_colours(nonce, policy) == draw_colours(nonce, policy)
    assert draw_colours(nonce, ChallengePolicy(light=Light.NONE)) == ()


def test_nonces_differ_in_their_colours() -> None:
    assert len({draw_colours(number.to_bytes(16, "big"), ChallengePolicy()) for number in range(300)}) > 295


def test_flashes_are_counted() -> None:
    black = (0, 0, 0)
    strobe = [(at / 10, WHITE if at % 2 else black) for at in range(20)]
    assert flashes(strobe) >= 8
    assert flashes([(0.0, black), (0.2, WHITE), (0.4, black)]) == 1
    assert flashes([(0.0, (250, 250, 250)), (0.2, WHITE), (0.4, (250, 250, 250))]) == 0  # the darker is above 0.80
    assert flashes([(0.0, (100, 100, 100)), (0.2, (110, 110, 110)), (0.4, (100, 100, 100))]) == 0  # less than a tenth


def test_what_is_shown_when() -> None:
    steps = draw_colours(bytes(16), ChallengePolicy())
    assert shown(steps, -1.0) == (1.0, 1.0, 1.0)
    assert shown(steps, steps[-1].at_s + steps[-1].for_s + 0.1) == (1.0, 1.0, 1.0)
    first = shown(steps, 0.0)
    assert first == shown(steps, steps[0].for_s - 0.01) != shown(steps, steps[1].at_s)
    slow = draw_colours(bytes(16), ChallengePolicy(light=Light.SLOW))
    start, middle, full = (shown(slow, at) for at in (0.0, 1.0, 2.5))
    assert start == (1.0, 1.0, 1.0)
    assert middle == pytest.approx(tuple((a + b) / 2 for a, b in zip(start, full, strict=True)))
    assert shown(slow, 3.0) == pytest.approx(full)
