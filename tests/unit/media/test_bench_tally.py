"""What a load counted: spreads that keep their precision, seconds that add up over processes, key frames that were asked for."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.bench.flow import wanted_keys
from media.bench.tally import SECOND_NS, Measured, Second, Spread, Tally, loss, total
from media.wire import rtcp


@given(st.lists(st.integers(0, 10**9), min_size=1), st.sampled_from([0.0, 0.5, 0.95, 0.99, 1.0]))
def test_a_percentile_is_right_to_the_precision(values: list[int], quantile: float) -> None:
    spread = Spread()
    for value in values:
        spread.add(value)
    wanted = quantile * len(values)
    exact = next(value for number, value in enumerate(sorted(values), 1) if number >= wanted)
    assert exact <= spread.percentile(quantile) <= exact * (1 + 1 / 64)


@given(st.lists(st.integers(-10, 10**7)), st.lists(st.integers(0, 10**7)))
def test_two_spreads_merge_to_the_one_of_all(first: list[int], second: list[int]) -> None:
    parts, whole = (Spread(), Spread()), Spread()
    for spread, values in zip(parts, (first, second), strict=True):
        for value in values:
            spread.add(value)
            whole.add(value)
    parts[0].merge(parts[1])
    assert parts[0].counts == whole.counts


def test_of_nothing_every_percentile_is_0() -> None:
    assert Spread().percentile(0.95) == 0


def test_what_is_made_outside_does_not_count() -> None:
    tally = Tally(1000, 1.5)
    assert not tally.covers(999)
    assert tally.covers(1000)
    assert tally.covers(1000 + 3 * SECOND_NS // 2 - 1)
    assert not tally.covers(1000 + 3 * SECOND_NS // 2)


def test_a_frame_counts_in_the_second_it_was_made() -> None:
    tally = Tally(0, 2)
    tally.sent(10, 3, 2, 1000, 500)
    tally.sent(SECOND_NS, 1, 2, 100, 700)
    tally.arrived(10, 3, 90)
    tally.arrived(10, 2, 110)
    tally.arrived(SECOND_NS, 1, 30)
    tally.skipped, tally.refused, tally.duplicates = 1, 2, 3
    found = tally.measured(4, 0.5, 2.5)
    assert [(second.expected, second.received) for second in found.seconds] == [(6, 5), (2, 1)]
    assert (found.expected, found.received) == (8, 6)
    assert loss(found.expected, found.received) == 0.25
    assert found.bits == 8800
    assert (found.skipped, found.refused, found.duplicates, found.sources) == (1, 2, 3, 4)
    assert found.spread("latency_us").percentile(1) == 110
    assert found.spread("lag_us").counts.total() == 2
    assert msgspec.json.decode(msgspec.json.encode(found), type=Measured) == found


def test_nothing_expected_is_all_lost() -> None:
    assert loss(0, 0) == 1


def test_processes_add_up_and_the_busiest_thread_is_told() -> None:
    one = Measured([Second(4, 4, {10: 4}, {1: 1}), Second(2, 1)], 1, 0, 0, 80, 2, 0.2, 2.0)
    two = Measured([Second(6, 3, {10: 1, 20: 2}, {1: 1})], 0, 1, 2, 20, 3, 0.9, 1.0)
    found = total([one, two])
    assert [(second.expected, second.received) for second in found.seconds] == [(10, 7), (2, 1)]
    assert found.seconds[0].latency_us == {10: 5, 20: 2}
    assert (found.duplicates, found.refused, found.skipped, found.bits, found.sources) == (1, 1, 2, 100, 5)
    assert found.thread_s / found.elapsed_s == pytest.approx(0.9)
    assert total([]) == Measured([])


def test_pli_and_fir_name_who_should_send_a_key_frame() -> None:
    report = rtcp.build_receiver_report(rtcp.ReceiverReport(1, ()))
    pli = bytes.fromhex("81ce0002 00000001 0000004d")
    fir = bytes.fromhex("84ce0006 00000001 00000000 0000004e 01000000 0000004f 02000000")
    remb = bytes.fromhex("8fce0005 00000001 00000000 52454d42 01040000 0000004d")
    assert wanted_keys(report + pli) == {77}
    assert wanted_keys(report + fir + pli) == {77, 78, 79}
    assert wanted_keys(report + remb) == set()


@given(st.binary(max_size=80))
def test_any_bytes_are_read_without_a_fault(plain: bytes) -> None:
    assert all(0 <= ssrc < 1 << 32 for ssrc in wanted_keys(plain))
