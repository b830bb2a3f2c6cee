"""What was sent meets what is said to have arrived: wraps, repeats, lost feedback, lies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.congestion.history import MASK, MAX_PACKET, SIZE, SentPackets, WindowRate
from media.wire import twcc
from media.wire.twcc import Arrival, Feedback

WRAP_US = 64_000 << 24


def feedback(base: int, arrivals: list[int | None], *, reference: int = 64_000, count: int = 0) -> Feedback:
    """``arrivals``: microseconds after ``reference``, None for lost."""
    return Feedback(
        base & 0xFFFF,
        count,
        reference,
        tuple(Arrival((base + i) & 0xFFFF, None if at is None else reference + at) for i, at in enumerate(arrivals)),
    )


def sent(first: int, count: int, *, at: float = 1.0, size: int = 1000) -> SentPackets:
    packets = SentPackets()
    for step in range(count):
        packets.note(first + step & 0xFFFF, size, at + step * 0.01)
    return packets


def test_arrivals_meet_what_was_sent() -> None:
    packets = sent(10, 3)
    joined = packets.join(feedback(10, [0, None, 30_000]), 12, 1.1)
    assert joined.results == [(1.0, pytest.approx(0.064), 1000), (1.01, -1.0, 1000), (1.02, pytest.approx(0.094), 1000)]
    assert (joined.received, joined.lost, joined.received_bytes, joined.recovered) == (2, 1, 2000, 0)
    assert joined.rtt_s == pytest.approx(0.08)
    assert not joined.restarted


def test_the_forwarder_writes_without_a_call() -> None:
    packets = SentPackets()
    packets.at[65535 & MASK] = 2.0
    packets.size[65535 & MASK] = 500
    assert packets.join(feedback(65535, [0]), 65535, 2.1).results == [(2.0, pytest.approx(0.064), 500)]


def test_feedback_said_twice_counts_once() -> None:
    packets = sent(0, 2)
    packets.join(feedback(0, [0, None]), 1, 1.1)
    again = packets.join(feedback(0, [0, None]), 1, 1.2)
    assert again.results == []
    assert (again.received, again.lost, again.rtt_s) == (0, 0, None)


def test_a_packet_that_comes_late_is_no_loss() -> None:
    packets = sent(0, 2)
    assert packets.join(feedback(0, [None, 0]), 1, 1.1).lost == 1
    late = packets.join(feedback(0, [5_000]), 1, 1.15)
    assert (late.received, late.recovered, late.received_bytes) == (1, 1, 1000)
    assert packets.join(feedback(0, [5_000]), 1, 1.2).results == []


def test_numbers_go_round() -> None:
    packets = sent(65530, 12)
    joined = packets.join(feedback(65530, [i * 1000 for i in range(12)]), 5, 1.2)
    assert joined.received == 12
    assert [result[0] for result in joined.results] == pytest.approx([1.0 + i * 0.01 for i in range(12)])


@pytest.mark.parametrize("base", [200, 40_000, 65_000])
def test_numbers_never_sent_are_ignored(base: int) -> None:
    packets = sent(0, 100)
    assert packets.join(feedback(base, [0, 1000, None]), 99, 2.0).results == []


def test_what_is_beyond_the_newest_is_cut_off() -> None:
    packets = sent(0, 10)
    assert packets.join(feedback(8, [0] * 100), 9, 2.0).received == 2


def test_what_fell_out_of_the_ring_is_ignored() -> None:
    packets = sent(0, SIZE + 10)
    newest = SIZE + 9
    assert packets.join(feedback(0, [0] * 10), newest, 99.0).results == []
    assert packets.join(feedback(0, [0] * 20), newest, 99.1).received == 10


def test_the_reference_time_wraps() -> None:
    packets = sent(0, 4)
    end = WRAP_US // 2 - 64_000
    first = packets.join(feedback(0, [0, 1000], reference=end), 3, 1.0)
    second = packets.join(feedback(2, [0, 1000], reference=-WRAP_US // 2), 3, 1.064)
    assert not second.restarted
    assert second.results[0][1] - first.results[0][1] == pytest.approx(0.064)


def test_a_clock_that_jumps_is_told() -> None:
    packets = sent(0, 4)
    packets.join(feedback(0, [0]), 3, 1.0)
    assert packets.join(feedback(1, [0], reference=64_000 * 1000), 3, 1.1).restarted
    assert not packets.join(feedback(2, [0], reference=64_000 * 1001), 3, 1.164).restarted


def test_lost_feedback_is_no_lost_media() -> None:
    packets = sent(0, 30)
    packets.join(feedback(0, [0] * 10), 29, 1.3)
    joined = packets.join(feedback(20, [0] * 10), 29, 1.4)
    assert (joined.lost, joined.unreported_bytes) == (0, 10_000)
    assert packets.join(feedback(10, [0] * 10), 29, 1.5).unreported_bytes == 0


def test_the_hole_that_is_believed_is_bounded() -> None:
    packets = sent(0, 5000)
    packets.join(feedback(0, [0]), 4999, 60.0)
    assert packets.join(feedback(4000, [0]), 4999, 60.1).unreported_bytes == 0


def test_a_size_that_does_not_fit_is_cut() -> None:
    packets = sent(0, 1, size=99_999)
    assert packets.join(feedback(0, [0]), 0, 1.1).received_bytes == MAX_PACKET


@given(
    st.lists(
        st.tuples(
            st.integers(0, 0xFFFF),
            st.integers(-0x800000, 0x7FFFFF),
            st.lists(st.none() | st.integers(-(2**31), 2**31), min_size=1, max_size=60),
            st.integers(0, 0xFFFF),
        ),
        max_size=20,
    ),
    st.lists(st.integers(0, 0xFFFF), max_size=200),
)
def test_whatever_a_receiver_says_is_survived(said: list[tuple[int, int, list[int | None], int]], noted: list[int]) -> None:
    packets = SentPackets()
    for number in noted:
        packets.note(number, 1200, 1.0)
    known = 0
    for base, reference, arrivals, newest in said:
        joined = packets.join(feedback(base, arrivals, reference=reference * 64_000), newest, 2.0)
        known += joined.received
        assert len(joined.results) == joined.received + joined.lost
        assert joined.unreported_bytes <= 1024 * MAX_PACKET
    assert known <= len(set(noted))


def test_with_the_real_bytes() -> None:
    log = twcc.ArrivalLog()
    packets = sent(65500, 80)
    for step in range(80):
        if step % 7:
            log.add(65500 + step & 0xFFFF, 10_000_000 + step * 9_750)
    joined = []
    for data in log.build(1, 2):
        joined.append(packets.join(twcc.parse_feedback(data[12:]), 65500 + 79 & 0xFFFF, 3.0))
    results = [result for one in joined for result in one.results]
    arrivals = [arrival for _, arrival, _ in results if arrival >= 0]
    assert len(arrivals) == 68
    assert arrivals[-1] - arrivals[0] == pytest.approx(78 * 0.00975)


class TestWindowRate:
    def test_rate(self) -> None:
        rate = WindowRate(0.5)
        assert rate.bps() is None
        for step in range(21):
            rate.add(step * 0.05, 625)
        assert rate.bps() == pytest.approx(100_000)

    def test_two_at_once_say_nothing(self) -> None:
        rate = WindowRate(0.5)
        rate.add(1.0, 1000)
        rate.add(1.0, 1000)
        assert rate.bps() is None

    def test_starts_afresh_after_a_pause(self) -> None:
        rate = WindowRate(0.5)
        rate.add(1.0, 1000)
        rate.add(1.2, 1000)
        assert rate.bps() == pytest.approx(40_000)
        rate.add(5.0, 1000)
        assert rate.bps() is None

    def test_time_that_runs_back_is_taken_for_now(self) -> None:
        rate = WindowRate(0.5)
        rate.add(1.0, 1000)
        rate.add(1.2, 1000)
        rate.add(1.1, 1000)
        assert rate.bps() == pytest.approx(80_000)

    def test_memory_is_bounded(self) -> None:
        rate = WindowRate(0.5)
        for step in range(1000):
            rate.add(1.0 + step * 0.0001, 100)
        assert rate.bps() is None or rate.bps() == pytest.approx(8e6, rel=0.01)
