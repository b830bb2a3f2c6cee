"""What the estimator makes of recorded feedback of a real browser: see ``tests/support/traces.py``."""

import pytest

from tests.support.netsim import SAMPLE_S, Trace
from tests.support.traces import load, names, play

OVER = 1.5
FULL = 0.7
OVER_FOR_S = 1.5
"""Beyond ``OVER`` times what the path carries for no longer than this."""


def longest_over(trace: Trace, start: float, end: float) -> float:
    """Seconds in a row in which the estimate was beyond ``OVER`` times the capacity and the path was full: else nothing says so."""
    longest = now = 0
    for at, estimate, capacity, arrived in zip(trace.times, trace.estimate, trace.capacity, trace.arrived, strict=True):
        now = now + 1 if start <= at < end and estimate > OVER * capacity and arrived > FULL * capacity else 0
        longest = max(longest, now)
    return longest * SAMPLE_S


@pytest.mark.parametrize("name", names())
def test_never_far_above_the_path_for_long(name: str) -> None:
    trace = play(load(name))
    assert longest_over(trace, 0, trace.times[-1]) <= OVER_FOR_S


def test_a_queue_that_what_was_lost_keeps_full_is_nobody_elses() -> None:
    """After the step to 300 kbit/s at 6 s packets sent again fill the queue until 10 s: the estimate stays where it fell."""
    trace = play(load("overflow"))
    assert max(trace.times) > 20
    found = [estimate for at, estimate in zip(trace.times, trace.estimate, strict=True) if 7.5 <= at < 16]
    assert max(found) <= 1.2 * 300_000


def test_random_loss_starves_nobody() -> None:
    """A tenth of everything is lost at random: enough is left for every picture that there is."""
    trace = play(load("loss"))
    assert max(trace.times) > 15
    assert trace.least(trace.estimate, 2, 18) >= 600_000
    assert trace.mean(trace.estimate, 8, 18) >= 900_000


def test_down_to_a_narrow_path_and_up_again() -> None:
    """As far as what was sent that day allows."""
    trace = play(load("step"))
    assert trace.first_below(trace.estimate, 400_000, 10) <= 1.5
    found = [estimate for at, estimate in zip(trace.times, trace.estimate, strict=True) if 11.5 <= at < 24]
    assert max(found) <= 1.2 * 300_000
    assert trace.first(trace.estimate, 1_000_000, 24) <= 10


def test_a_path_that_comes_and_goes_is_followed_down_each_time() -> None:
    """2 Mbit/s and 500 kbit/s, five seconds each."""
    trace = play(load("on-off"))
    assert max(trace.times) > 38
    for off in (5, 15, 25, 35):
        found = [estimate for at, estimate in zip(trace.times, trace.estimate, strict=True) if off + 1.5 <= at < off + 5]
        assert found
        assert max(found) <= 1.2 * 500_000
        assert min(found) >= 200_000, "nor far below it"


def test_jitter_alone_takes_nothing_away() -> None:
    """Packets come up to 50 ms late on a path that carries everything."""
    trace = play(load("jitter"))
    assert max(trace.times) > 25
    assert trace.least(trace.estimate, 2, 28) >= 1_500_000
