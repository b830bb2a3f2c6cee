"""Growing, shrinking and steady queues, jitter, lumps, clock jumps."""

import random

import pytest

from media.congestion.delay import MAX_THRESHOLD_MS, MIN_THRESHOLD_MS, DelayDetector, Signal
from media.congestion.trend import Trend


def drive(
    detector: DelayDetector, delays: list[float], *, start: float = 0.0, step: float = 0.02, size: int = 5
) -> list[Signal]:
    """One packet each ``step`` with these delays, told ``size`` at a time."""
    results = [(start + i * step, start + i * step + delay, 1200) for i, delay in enumerate(delays)]
    return [detector.update(results[i : i + size]) for i in range(0, len(results), size)]


def test_a_steady_path_is_normal() -> None:
    assert set(drive(DelayDetector(), [0.05] * 400)) == {Signal.NORMAL}


def test_a_growing_queue_is_over_use() -> None:
    detector = DelayDetector()
    drive(detector, [0.05] * 100)
    signals = drive(detector, [0.05 + 0.002 * i for i in range(60)], start=2.0)
    assert Signal.OVERUSE in signals
    assert detector.queue_s > 0.05
    assert detector.latest_s > 0.1


def test_a_shrinking_queue_is_under_use() -> None:
    detector = DelayDetector()
    drive(detector, [0.05] * 50 + [0.25 - 0.004 * i for i in range(50)])
    assert detector.signal is Signal.UNDERUSE


def test_jitter_is_not_over_use() -> None:
    chance = random.Random(3)
    detector = DelayDetector()
    signals = drive(detector, [0.2 + chance.uniform(0, 0.005) for _ in range(2000)])
    assert signals.count(Signal.OVERUSE) <= 0.02 * len(signals)


def test_the_threshold_follows_jitter_and_stays_in_bounds() -> None:
    chance = random.Random(4)
    detector = DelayDetector()
    drive(detector, [0.05] * 1000)
    assert detector.threshold == MIN_THRESHOLD_MS
    highest = 0.0
    for block in range(20):
        drive(detector, [0.05 + chance.uniform(0, 0.08) for _ in range(50)], start=20.0 + block)
        highest = max(highest, detector.threshold)
    assert 1.3 * MIN_THRESHOLD_MS < highest < MAX_THRESHOLD_MS


def test_patience_keeps_the_threshold_up() -> None:
    detector = DelayDetector()
    detector.be_patient()
    high = detector.threshold
    drive(detector, [0.05] * 60)
    assert 20 < detector.threshold <= high
    detector.patient = False
    drive(detector, [0.05] * 60, start=2.0)
    assert detector.threshold == MIN_THRESHOLD_MS


def test_packets_sent_together_are_one_group() -> None:
    detector = DelayDetector()
    results = []
    for frame in range(200):
        for part in range(10):
            results.append((frame * 0.033 + part * 0.0004, frame * 0.033 + 0.05 + part * 0.002, 1200))
    assert detector.update(results) is Signal.NORMAL


def test_a_lump_after_a_stall_is_one_group() -> None:
    detector = DelayDetector()
    drive(detector, [0.05] * 100)
    stalled = [max(0.05, 0.25 - 0.02 * i) for i in range(10)]
    signals = drive(detector, stalled + [0.05] * 50, start=2.0, size=60)
    assert signals == [Signal.NORMAL]


def test_lost_and_late_packets_are_left_out() -> None:
    detector = DelayDetector()
    assert detector.update([(1.0, -1.0, 100), (1.02, 1.07, 100), (0.5, 1.08, 100)]) is Signal.NORMAL
    assert detector.queue_s == 0.0


def test_over_use_is_not_told_twice() -> None:
    detector = DelayDetector()
    drive(detector, [0.05] * 50 + [0.05 + 0.003 * i for i in range(30)])
    detector.signal = Signal.OVERUSE
    assert detector.update([]) is Signal.NORMAL
    detector.signal = Signal.UNDERUSE
    assert detector.update([]) is Signal.UNDERUSE


def test_reset_forgets_the_clock() -> None:
    detector = DelayDetector()
    drive(detector, [0.05] * 50)
    detector.reset()
    drive(detector, [-5000.0] * 50, start=10.0)
    assert detector.signal is Signal.NORMAL
    assert detector.queue_s == pytest.approx(0.0, abs=1e-6)


def test_sums_do_not_drift() -> None:
    """After hours the incremental line is the line of the last twenty groups."""
    chance = random.Random(5)
    follower = Trend()
    detector = DelayDetector(lambda: follower)
    for block in range(40):
        drive(detector, [0.05 + chance.uniform(0, 0.03) for _ in range(250)], start=1e6 + block * 5.0)
    window = list(follower._in_window)
    mean_x = sum(x for x, _ in window) / len(window)
    mean_y = sum(y for _, y in window) / len(window)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in window) / sum((x - mean_x) ** 2 for x, _ in window)
    assert detector.trend == pytest.approx(60 * slope * 4.0, rel=1e-6, abs=1e-6)


def test_the_base_of_the_queue_is_forgotten_in_time() -> None:
    """A path that became longer for good is not a queue for ever."""
    detector = DelayDetector()
    drive(detector, [0.05] * 50)
    drive(detector, [0.15] * 500, start=1.0)
    assert detector.queue_s == pytest.approx(0.1, abs=0.001)
    drive(detector, [0.15] * 7000, start=11.0)
    assert detector.queue_s == pytest.approx(0.0, abs=0.001)
