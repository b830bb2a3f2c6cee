"""Bursts over a narrow path: order, rate, bounds, what is dropped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.congestion.pacer import FACTOR, MAX_AGE_S, MAX_PACKETS, MIN_QUEUE_BYTES, Pacer, Priority


def burst(pacer: Pacer[int], count: int, now: float, *, size: int = 1200, stream: str = "v") -> None:
    for number in range(count):
        pacer.push(number, size, Priority.VIDEO, now, stream)


def test_a_burst_leaves_at_two_and_a_half_times_the_estimate() -> None:
    pacer: Pacer[int] = Pacer(400_000, 0.0)
    burst(pacer, 20, 0.0)
    sent = []
    now: float | None = 0.0
    while now is not None:
        sent += [now] * len(pacer.pop_due(now))
        now = pacer.next_at(now)
    assert len(sent) == 20
    assert 8 * 1200 * 19 / (sent[-1] - sent[0]) == pytest.approx(FACTOR * 400_000, rel=0.1)


def test_sound_first_then_resends_then_pictures_then_padding() -> None:
    pacer: Pacer[str] = Pacer(1e6, 0.0)
    for name, priority in (("p", Priority.PADDING), ("v", Priority.VIDEO), ("r", Priority.RESEND), ("a", Priority.AUDIO)):
        pacer.push(name, 10, priority, 0.0)
    assert pacer.pop_due(0.0) == ["a", "r", "v", "p"]
    assert len(pacer) == 0


def test_sound_does_not_wait_for_the_bucket() -> None:
    pacer: Pacer[int] = Pacer(60_000, 0.0)
    burst(pacer, 10, 0.0)
    pacer.pop_due(0.0)
    pacer.push(99, 100, Priority.AUDIO, 0.001)
    assert pacer.next_at(0.001) == 0.001
    assert pacer.pop_due(0.001) == [99]


def test_wide_paths_are_not_paced() -> None:
    pacer: Pacer[int] = Pacer(10e6, 0.0)
    assert not pacer.active
    pacer.set_estimate(2e6, 1.0)
    assert pacer.active
    pacer.set_estimate(3.5e6, 2.0)
    assert pacer.active
    burst(pacer, 30, 2.0)
    pacer.set_estimate(5e6, 2.0)
    assert pacer.active, "what is queued leaves in order first"
    pacer.pop_due(2.04)
    pacer.set_estimate(5e6, 2.05)
    assert not pacer.active


def test_too_much_loses_the_oldest_stream_and_asks_for_a_key_frame() -> None:
    pacer: Pacer[int] = Pacer(200_000, 0.0)
    burst(pacer, 20, 0.0, stream="a")
    pacer.push(1, 500, Priority.RESEND, 0.0)
    kept = pacer.push(7, 1200, Priority.VIDEO, 0.0, "b")
    assert kept
    burst(pacer, 3, 0.0, stream="b")
    assert pacer.push(8, 1200, Priority.VIDEO, 0.0, "b") is False
    assert pacer.take_starved() == {"a"}
    assert pacer.take_starved() == frozenset()
    assert pacer.dropped == 20
    assert pacer.queued_bytes == 500 + 5 * 1200


def test_padding_is_dropped_before_pictures_and_resends_before_sound() -> None:
    pacer: Pacer[int] = Pacer(100_000, 0.0)
    pacer.push(0, 15_000, Priority.PADDING, 0.0)
    assert pacer.push(1, 29_000, Priority.AUDIO, 0.0) is False
    assert pacer.push(2, 5_000, Priority.RESEND, 0.0) is False
    assert pacer.push(3, 5_000, Priority.AUDIO, 0.0)
    assert pacer.pop_due(0.0) == [1, 3]


def test_old_pictures_are_not_sent() -> None:
    pacer: Pacer[int] = Pacer(60_000, 0.0)
    burst(pacer, 10, 0.0)
    pacer.push(50, 100, Priority.RESEND, 0.0)
    pacer.pop_due(0.0)
    pacer.push(60, 100, Priority.VIDEO, MAX_AGE_S, "w")
    late = pacer.pop_due(MAX_AGE_S + 0.01)
    assert pacer.take_starved() == {"v"}
    assert 60 in late


def test_old_resends_are_not_sent() -> None:
    pacer: Pacer[int] = Pacer(60_000, 0.0)
    pacer.push(1, 4000, Priority.RESEND, 0.0)
    pacer.push(2, 100, Priority.RESEND, 0.0)
    assert pacer.pop_due(0.0) == [1]
    assert pacer.pop_due(0.5) == []
    assert len(pacer) == 0


def test_the_count_is_bounded() -> None:
    pacer: Pacer[int] = Pacer(2e6, 0.0)
    for number in range(MAX_PACKETS + 10):
        pacer.push(number, 1, Priority.AUDIO, 0.0)
    assert len(pacer) == MAX_PACKETS
    assert pacer.pop_due(0.0)[0] == 10


def test_clear() -> None:
    pacer: Pacer[int] = Pacer(1e6, 0.0)
    burst(pacer, 5, 0.0)
    pacer.clear()
    assert (len(pacer), pacer.queued_bytes, pacer.next_at(0.0)) == (0, 0, None)


@given(
    st.lists(st.tuples(st.sampled_from(Priority), st.integers(1, 1400), st.floats(0, 0.1), st.integers(0, 3)), max_size=150),
    st.integers(60_000, 5_000_000),
)
def test_nothing_is_lost_without_a_word_and_the_queue_is_bounded(
    pushed: list[tuple[Priority, int, float, int]], estimate: int
) -> None:
    pacer: Pacer[int] = Pacer(estimate, 0.0)
    now = 0.0
    out: list[int] = []
    silent = 0
    for number, (priority, size, later, stream) in enumerate(pushed):
        now += later
        before = pacer.dropped
        kept = pacer.push(number, size, priority, now, stream)
        assert kept == (pacer.dropped == before)
        waiting = len(pacer)
        before = pacer.dropped
        due = pacer.pop_due(now)
        silent += waiting - len(due) - (pacer.dropped - before) - len(pacer)
        out += due
        assert pacer.queued_bytes <= max(MIN_QUEUE_BYTES, FACTOR * estimate / 8 * MAX_AGE_S)
        assert (pacer.next_at(now) is None) == (len(pacer) == 0)
    assert len(out) + pacer.dropped + len(pacer) + silent == len(pushed)
    assert len(set(out)) == len(out)
    sound = [number for number in out if pushed[number][0] is Priority.AUDIO]
    assert sound == [number for number, (priority, *_) in enumerate(pushed) if priority is Priority.AUDIO]
