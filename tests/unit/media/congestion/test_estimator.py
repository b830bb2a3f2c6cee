"""The estimate without transport-wide feedback, in silence, at its bounds, and under hostile feedback."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.congestion.estimator import MAX_FLOOR_BPS, Estimator, EstimatorConfig, LinkCapacity
from media.congestion.history import SentPackets
from media.congestion.loss import NO_BOUND
from media.wire.twcc import Arrival, Feedback


def test_it_starts_where_it_is_told() -> None:
    estimator = Estimator(0.0, EstimatorConfig(start_bps=500_000))
    assert estimator.estimate_bps == 500_000
    assert estimator.limited_by == "none"
    assert estimator.rtt_s is None
    assert estimator.tick(0.0, 0, 10.0) == 0, "nothing is probed before the first feedback"
    assert estimator.estimate_bps == 500_000


def test_why_less_is_sent() -> None:
    estimator = Estimator(0.0)
    estimator.demand_bps = 2e6
    assert estimator.limited_by == "bandwidth"
    estimator.loss_bound.bound_bps = 300_000
    assert estimator.limited_by == "loss"
    assert estimator.estimate_bps == 300_000
    estimator.demand_bps = 200_000
    assert estimator.limited_by == "none"


def test_remb_is_believed_within_the_bounds() -> None:
    estimator = Estimator(0.0)
    for told, expected in ((1_500_000, 1_500_000), (10, 60_000), (2**40, 40_000_000)):
        estimator.on_remb(told, 1.0)
        assert estimator.estimate_bps == expected


def test_remb_that_stops_while_packets_leave() -> None:
    estimator = Estimator(0.0)
    estimator.on_remb(1_600_000, 1.0)
    estimator.tick(5.0, 0, 5.9)
    assert estimator.estimate_bps == 1_600_000
    for step in range(400):
        estimator.tick(6.2 + step * 0.02, 1000, 6.2 + step * 0.02)
    assert estimator.estimate_bps == 60_000
    estimator.on_remb(900_000, 15.0)
    assert estimator.estimate_bps == 900_000


def test_silence_while_nothing_is_sent_changes_nothing() -> None:
    estimator = Estimator(0.0)
    estimator.on_remb(1_600_000, 1.0)
    estimator.tick(0.9, 0, 60.0)
    assert estimator.estimate_bps == 1_600_000


def test_what_leaves_after_a_pause_is_given_time_to_be_answered() -> None:
    estimator = Estimator(0.0)
    estimator.on_remb(1_600_000, 1.0)
    for step in range(200):
        estimator.tick(60.0 + step * 0.02, 1000, 60.0 + step * 0.02)
    assert estimator.estimate_bps == 1_600_000
    for step in range(200, 300):
        estimator.tick(60.0 + step * 0.02, 1000, 60.0 + step * 0.02)
    assert estimator.estimate_bps < 1_600_000


def test_reports_alone_move_it() -> None:
    estimator = Estimator(0.0)
    for second in range(1, 11):
        estimator.on_report(0.0, 0.1, float(second), sent_bps=1e6)
    grown = estimator.estimate_bps
    assert 1_200_000 <= grown <= 1_400_000
    assert estimator.rtt_s == pytest.approx(0.1)
    estimator.on_report(0.5, None, 11.0, sent_bps=1e6)
    assert estimator.estimate_bps < 0.8 * grown
    assert estimator.loss > 0.2


def test_reports_without_a_rate_give_no_evidence() -> None:
    estimator = Estimator(0.0)
    for second in range(1, 30):
        estimator.on_report(0.0, None, float(second))
    assert estimator.estimate_bps == 800_000


def said(base: int, count: int, at_us: int) -> Feedback:
    reference = at_us // 64_000 * 64_000
    return Feedback(base & 0xFFFF, 0, reference, tuple(Arrival(base + i & 0xFFFF, at_us + i * 1000) for i in range(count)))


def test_reports_and_remb_stand_back_behind_feedback() -> None:
    estimator, packets = Estimator(0.0), SentPackets()
    for number in range(10):
        packets.note(number, 1000, 1.0 + number * 0.001)
    estimator.on_feedback(said(0, 10, 5_000_000), packets, 9, 1.1)
    before = estimator.estimate_bps
    estimator.on_remb(100_000, 1.2)
    estimator.on_report(0.9, 0.3, 1.2)
    assert estimator.estimate_bps == before
    assert estimator.rtt_s is not None
    estimator.on_remb(100_000, 9.0)
    assert estimator.estimate_bps == 100_000


def test_feedback_about_nothing_changes_nothing() -> None:
    estimator = Estimator(0.0)
    estimator.on_feedback(said(0, 10, 5_000_000), SentPackets(), 9, 1.1)
    assert estimator.acked_bps is None
    assert estimator.tick(0.0, 0, 1.2) == 0


def test_a_clock_that_jumps_is_no_over_use() -> None:
    estimator, packets = Estimator(0.0), SentPackets()
    now, clock = 0.0, 5_000_000
    for step in range(100):
        now += 0.05
        clock += 50_000
        if step == 50:
            clock += 600_000_000
        for number in range(step * 5, step * 5 + 5):
            packets.note(number, 1000, now - 0.04)
        estimator.on_feedback(said(step * 5, 5, clock), packets, step * 5 + 4, now)
    assert estimator.estimate_bps >= 800_000


def test_the_last_congested_rate() -> None:
    capacity = LinkCapacity()
    assert capacity.compare(1e6) == 1
    capacity.add(1e6)
    assert [capacity.compare(bps) for bps in (0.5e6, 1e6, 2e6)] == [-1, 0, 1]
    capacity.add(1.1e6)
    assert capacity.mean == pytest.approx(1005)


class Ride:
    """Packets each 10 ms over a path without a queue, feedback each 50 ms about all since the last that came."""

    def __init__(self) -> None:
        self.estimator, self.packets = Estimator(0.0), SentPackets()
        self.now, self.number, self.told = 0.0, -1, 0
        self.arrivals: list[Arrival] = []
        self.delay_s = 0.0

    def go(self, seconds: float, *, lost: Callable[[int], bool] = lambda n: False, deaf: bool = False) -> None:
        for _ in range(round(seconds / 0.01)):
            self.now += 0.01
            self.number += 1
            self.packets.note(self.number, 1000, self.now)
            at = None if deaf or lost(self.number) else 5_000_000 + int((self.now + self.delay_s) * 1e6)
            self.arrivals.append(Arrival(self.number & 0xFFFF, at))
            if self.number % 5 == 4 and not deaf and at is not None:
                reference = at // 64_000 * 64_000
                told = Feedback(self.arrivals[0].sequence, 0, reference, tuple(self.arrivals))
                self.arrivals = []
                self.estimator.on_feedback(told, self.packets, self.number & 0xFFFF, self.now + 0.01)
            self.estimator.tick(self.now, 1000, self.now + 0.015)


@pytest.mark.parametrize("outage_s", [0.8, 4.0, 10.0])
def test_an_outage_is_no_congestion(outage_s: float) -> None:
    """Everything in it was lost, and counts for nothing; half of what was carried is believed at once."""
    ride = Ride()
    ride.estimator.on_remb(3_000_000, 0.0)
    ride.go(3.0)
    before = ride.estimator.estimate_bps
    ride.go(outage_s, deaf=True)
    ride.go(0.15)
    assert ride.estimator.estimate_bps >= 0.5 * before
    assert ride.estimator.loss_bound.bound_bps == NO_BOUND
    ride.go(3.0)
    assert ride.estimator.loss < 0.01
    assert ride.estimator.estimate_bps >= 0.5 * before


def test_silence_that_its_own_queue_made_is_no_outage() -> None:
    ride = Ride()
    ride.estimator.on_remb(3_000_000, 0.0)
    ride.go(3.0)
    ride.go(1.8, deaf=True)
    ride.delay_s = 0.6
    ride.go(0.3)
    assert ride.estimator.estimate_bps < 1_000_000


def test_a_path_that_becomes_longer_is_soon_no_queue() -> None:
    ride = Ride()
    ride.estimator.on_remb(3_000_000, 0.0)
    ride.go(3.0)
    before = ride.estimator.estimate_bps
    ride.delay_s = 0.2
    ride.go(0.5)
    assert ride.estimator.estimate_bps < before
    ride.go(1.5)
    assert ride.estimator.delay.queue_s < 0.01
    least = ride.estimator.estimate_bps
    assert least >= 0.7 * before
    ride.go(5.0)
    assert ride.estimator.estimate_bps >= least


@pytest.mark.parametrize("share", [5, 10, 20])
def test_loss_without_a_queue_does_not_lower_the_estimate(share: int) -> None:
    """A train of twice the rate loses no larger part: nothing is tried with less."""
    ride = Ride()
    ride.estimator.on_remb(3_000_000, 0.0)
    ride.go(3.0)
    before = ride.estimator.estimate_bps
    least = before
    for _ in range(100):
        ride.go(0.1, lost=lambda n: n * 7919 % 100 < share and n % 5 != 4)
        least = min(least, ride.estimator.estimate_bps)
    assert least >= 0.8 * before
    assert ride.estimator.loss > 0.02


def test_loss_without_a_queue_leaves_the_least_of_everything() -> None:
    estimator = Estimator(0.0)
    estimator.loss_bound.bound_bps = 70_000
    assert estimator.estimate_bps == 70_000
    estimator.floor_bps = 190_000
    assert estimator.estimate_bps == 190_000
    estimator.floor_bps = 5_000_000
    assert estimator.estimate_bps == MAX_FLOOR_BPS
    estimator.loss_bound.fraction = 0.5
    assert estimator.estimate_bps == 70_000


@given(
    st.lists(
        st.tuples(
            st.integers(0, 0xFFFF),
            st.integers(-0x800000, 0x7FFFFF),
            st.lists(st.none() | st.integers(-(2**31), 2**31), min_size=1, max_size=40),
            st.floats(0, 3),
        ),
        max_size=25,
    )
)
def test_a_lying_receiver_hurts_only_itself(lies: list[tuple[int, int, list[int | None], float]]) -> None:
    estimator, packets = Estimator(0.0), SentPackets()
    now, number = 0.0, 0
    for base, reference, arrivals, later in lies:
        now += later
        for _ in range(20):
            number = number + 1 & 0xFFFF
            packets.note(number, 1200, now)
        told = tuple(
            Arrival(base + i & 0xFFFF, None if at is None else reference * 64_000 + at) for i, at in enumerate(arrivals)
        )
        estimator.on_feedback(Feedback(base, 0, reference * 64_000, told), packets, number, now)
        estimator.demand_bps = 5e6
        assert 0 <= estimator.tick(now, 0, now) <= 20_000
        assert 60_000 <= estimator.estimate_bps <= 20_000_000
        assert 0 <= estimator.loss <= 1


def _hear(estimator: Estimator, sent: SentPackets, n: int, *, lost: int = 0) -> float:
    """Feedback number ``n``, 50 ms after the one before, of ten packets of 1,000 bytes that took 20 ms; the last ``lost`` are lost."""
    begin = 0.05 * n
    arrivals = []
    for i in range(10):
        number = sent.next()
        sent.note(number, 1000, begin + 0.004 * i)
        arrivals.append(Arrival(number, None if i >= 10 - lost else int((begin + 0.004 * i + 0.02) * 1e6)))
    now = begin + 0.06
    reference = int(begin * 1e6) // 64_000 * 64_000
    estimator.on_feedback(Feedback(arrivals[0].sequence, 0, reference, tuple(arrivals)), sent, sent.number[0], now)
    return now


def test_calm_feedback_is_gathered_and_nothing_of_it_is_lost() -> None:
    estimator, sent = Estimator(0.0), SentPackets()
    moved = []
    for n in range(40):
        before = estimator.acked_bps
        _hear(estimator, sent, n)
        moved.append(estimator.acked_bps != before)
    assert sum(moved[4:]) <= 20, "not each feedback is a step"
    assert estimator.acked_bps == pytest.approx(8 * 10 * 1000 / 0.05, rel=0.1)
    assert estimator.sent_bps == pytest.approx(8 * 10 * 1000 / 0.05, rel=0.1)


def test_a_loss_ends_the_calm_at_once() -> None:
    estimator, sent = Estimator(0.0), SentPackets()
    for n in range(21):
        _hear(estimator, sent, n)
    for n in range(21, 61):
        _hear(estimator, sent, n, lost=3)
    assert 0.2 < estimator.loss <= 0.31, "of what was sent, the gathered counted in"
    assert estimator.acked_bps == pytest.approx(8 * 7 * 1000 / 0.05, rel=0.1)
