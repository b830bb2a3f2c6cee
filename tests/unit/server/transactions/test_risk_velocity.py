"""Counters against a naive model that remembers every event."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.transactions.risk.velocity import DAY, Velocity

NOON = 1_800_000_000.0


def between(times: list[float], after: float) -> int:
    return sum(one > after for one in times)


@settings(max_examples=200)
@given(
    st.lists(st.floats(0, 3 * DAY) | st.floats(0, 4000), max_size=120),
    st.floats(0, 4000),
)
def test_never_too_low_and_a_bucket_too_high_at_most(gaps: list[float], later: float) -> None:
    times = sorted(NOON + gap for gap in gaps)
    counters = Velocity()
    for at in times:
        counters.add(b"k", at)
    now = (times[-1] if times else NOON) + later
    for window, slack in ((600, 60), (3600, 60), (DAY, 15 * 60)):
        counted = counters.count(b"k", window, now)
        assert between(times, now - window) <= counted <= between(times, now - window - slack - 1e-6)


@given(st.lists(st.floats(0, DAY - 1), min_size=1, max_size=60))
def test_out_of_order_loses_nothing(offsets: list[float]) -> None:
    counters = Velocity()
    for offset in offsets:
        counters.add(b"k", NOON + offset)
    assert counters.count(b"k", DAY, max(NOON + offset for offset in offsets)) == len(offsets)


@settings(max_examples=20)
@given(st.integers(0, 2**32))
def test_the_memory_of_a_key_is_bounded(seed: int) -> None:
    import random

    chance = random.Random(seed)
    counters = Velocity()
    at = NOON
    for _ in range(1500):
        at += chance.choice((1, 20, 61, 200, 900))
        counters.add(b"k", at)
    assert len(counters._keys[b"k"]) <= 2 * 165


def test_the_quietest_key_goes_first_and_is_counted() -> None:
    counters = Velocity(max_keys=2)
    counters.add(b"a", NOON)
    counters.add(b"b", NOON)
    counters.add(b"a", NOON + 1)
    counters.add(b"c", NOON + 2)
    assert [counters.count(key, 600, NOON + 3) for key in (b"a", b"b", b"c")] == [2, 0, 1]
    assert (len(counters), counters.forgotten) == (2, 1)


def test_quiet_keys_are_forgotten() -> None:
    counters = Velocity()
    counters.add(b"a", NOON)
    counters.add(b"b", NOON + 2 * DAY)
    assert counters.forget_before(NOON + DAY) == 1
    assert counters.forget_before(NOON + DAY) == 0
    assert len(counters) == 1


@pytest.mark.parametrize("at", [0.0, -5000.0])
def test_times_long_ago_do_no_harm(at: float) -> None:
    counters = Velocity()
    counters.add(b"a", at)
    assert counters.count(b"a", 600, at + 1) == 1
    assert counters.count(b"nobody", 600, at) == 0


def test_what_is_dated_later_counts_too() -> None:
    counters = Velocity()
    counters.add(b"a", NOON + 3600)
    assert counters.count(b"a", 600, NOON) == 1
