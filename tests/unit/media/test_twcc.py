"""Transport-wide feedback: what arrived is what the feedback says, however the numbers and times jump."""

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.errors import RtcpError
from media.wire import rtcp, twcc


def read(packets: list[bytes]) -> list[twcc.Feedback]:
    result = []
    for data in packets:
        (packet,) = rtcp.parse_compound(data)
        assert isinstance(packet, rtcp.TransportFeedback)
        assert (packet.sender_ssrc, packet.media_ssrc) == (7, 9)
        result.append(twcc.parse_feedback(packet.body))
    return result


def received(feedbacks: list[twcc.Feedback]) -> dict[int, int]:
    return {a.sequence: a.arrival_us for f in feedbacks for a in f.arrivals if a.arrival_us is not None}


@given(
    st.integers(0, 0xFFFF),
    st.integers(0, 2**40),
    st.lists(st.tuples(st.integers(1, 40), st.integers(-2_000_000, 9_000_000)), min_size=1, max_size=300),
)
def test_round_trip(first: int, start_us: int, steps: list[tuple[int, int]]) -> None:
    log = twcc.ArrivalLog()
    sequence, now = first, start_us + 2**32
    noted = {}
    for gap, delta in steps:
        sequence = (sequence + gap) & 0xFFFF
        now += delta
        noted[sequence] = now
        log.add(sequence, now)
    feedbacks = read(log.build(7, 9))
    assert set(received(feedbacks)) == set(noted)
    for feedback in feedbacks:
        assert len(feedback.arrivals) <= twcc.MAX_STATUSES
        for sequence, arrival_us in received([feedback]).items():
            # absolute times are known modulo the 24-bit reference clock
            assert (noted[sequence] - arrival_us) % (2**24 * twcc.REFERENCE_US) < twcc.DELTA_US
    numbers = [a.sequence for f in feedbacks for a in f.arrivals]
    assert all((b - a) & 0xFFFF == 1 for a, b in pairwise(numbers))
    assert log.build(7, 9) == []


@given(st.lists(st.sampled_from([0, 1, 2]), min_size=1, max_size=400))
def test_any_pattern_of_statuses(pattern: list[int]) -> None:
    """0 lost, 1 after 1 ms, 2 after 100 ms."""
    log = twcc.ArrivalLog()
    log.add(65_000, 1_000_000)
    now = 1_000_000
    expected = {65_000}
    for n, symbol in enumerate(pattern, 65_001):
        if symbol:
            now += 1_000 if symbol == 1 else 100_000
            log.add(n & 0xFFFF, now)
            expected.add(n & 0xFFFF)
    assert set(received(read(log.build(7, 9)))) == expected


def test_losses_between_two_feedbacks_are_reported_by_the_second() -> None:
    log = twcc.ArrivalLog()
    log.add(10, 64_000)
    log.build(7, 9)
    log.add(14, 128_000)
    (feedback,) = read(log.build(7, 9))
    assert [a.sequence for a in feedback.arrivals if a.arrival_us is None] == [11, 12, 13]
    assert feedback.feedback_count == 1


def test_a_late_packet_is_reported_with_what_came_after_it() -> None:
    log = twcc.ArrivalLog()
    for sequence in (1, 2, 4, 5):
        log.add(sequence, sequence * 1_000)
    log.build(7, 9)
    log.add(3, 20_000)
    (feedback,) = read(log.build(7, 9))
    assert set(received([feedback])) == {3, 4, 5}


def test_duplicates_and_very_late_packets_are_ignored() -> None:
    log = twcc.ArrivalLog()
    log.add(5_000, 1_000)
    log.add(5_000, 90_000)
    log.add(5_000 - twcc.MAX_GAP - 1, 91_000)
    assert received(read(log.build(7, 9))) == {5_000: 1_000}
    log.add(5_000, 92_000)
    assert log.build(7, 9) == []


def test_a_jump_starts_afresh() -> None:
    log = twcc.ArrivalLog()
    log.add(1, 1_000)
    log.add(30_000, 2_000)
    first, second = read(log.build(7, 9))
    assert (first.base_sequence, second.base_sequence) == (1, 30_000)
    assert len(second.arrivals) == 1
    log.add(40_000, 3_000)
    (third,) = read(log.build(7, 9))
    assert third.base_sequence == 40_000


def test_a_long_silence_splits() -> None:
    log = twcc.ArrivalLog()
    log.add(1, 1_000)
    log.add(2, 20_000_000)
    assert len(read(log.build(7, 9))) == 2


def test_large_feedback_is_split_below_a_datagram() -> None:
    log = twcc.ArrivalLog()
    for n in range(3_000):
        log.add(n, n * 100_000)
    packets = log.build(7, 9)
    assert len(packets) > 1
    assert max(map(len, packets)) <= 1_200
    assert len(received(read(packets))) == 3_000


def test_pending_is_bounded_and_the_oldest_goes() -> None:
    log = twcc.ArrivalLog()
    for n in range(twcc.MAX_PENDING + 10):
        log.add(n, n * 10)
    arrived = received(read(log.build(7, 9)))
    assert len(arrived) == twcc.MAX_PENDING
    assert 9 not in arrived
    assert 10 in arrived


def test_runs_are_compact() -> None:
    log = twcc.ArrivalLog()
    for n in range(600):
        log.add(n, n * 250)
    (packet,) = log.build(7, 9)
    assert len(packet) <= 12 + 8 + 2 + 600 + 3


def test_known_bytes() -> None:
    """One vector chunk of two-bit symbols: small, lost, large, small (§3.1)."""
    body = bytes.fromhex("000a00040000020 5".replace(" ", "")) + bytes.fromhex("d240") + bytes.fromhex("04fff808")
    feedback = twcc.parse_feedback(body)
    assert feedback == twcc.Feedback(
        10,
        5,
        128_000,
        (twcc.Arrival(10, 129_000), twcc.Arrival(11, None), twcc.Arrival(12, 127_000), twcc.Arrival(13, 129_000)),
    )


def test_negative_reference_time() -> None:
    feedback = twcc.parse_feedback(bytes.fromhex("00010001ffffff00") + bytes.fromhex("200104"))
    assert feedback.arrivals == (twcc.Arrival(1, -63_000),)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("", "truncated"),
        ("0001000000000000", "bad_count"),
        ("0001ffff00000000", "bad_count"),
        ("0001000100000000", "truncated"),
        ("00010001000000002000", "bad_chunk"),
        ("00010001000000002001", "truncated"),
        ("000100010000000040 0101".replace(" ", ""), "truncated"),
        ("000100010000000060010101", "truncated"),
    ],
)
def test_refused(body: str, code: str) -> None:
    with pytest.raises(RtcpError) as caught:
        twcc.parse_feedback(bytes.fromhex(body))
    assert caught.value.code == code


@given(
    st.sampled_from([0x8F, 0xAF, 0x8E, 0x4F, 0xBF]),
    st.sampled_from([205, 205, 206]),
    st.one_of(st.none(), st.integers(0, 8)),
    st.binary(max_size=40).map(lambda data: data[: len(data) // 4 * 4]),
    st.integers(0, 30),
)
def test_feedback_alone_in_a_datagram(first: int, kind: int, words: int | None, body: bytes, padding: int) -> None:
    """What is found is what the reader of compound packets finds."""
    if body and first & 0x20:
        body = body[:-1] + bytes((padding,))
    data = bytes((first, kind)) + (len(body) // 4 if words is None else words).to_bytes(2, "big") + body
    alone = twcc.lone_feedback(data)
    if alone is not None:
        assert rtcp.parse_compound(data) == [rtcp.TransportFeedback(*struct.unpack_from("!II", body), alone)]


def test_padding_after_feedback_is_left_out() -> None:
    log = twcc.ArrivalLog()
    log.add(1, 1000)
    (packet,) = log.build(7, 9)
    assert twcc.lone_feedback(packet) == packet[12:]
    assert twcc.lone_feedback(packet + packet) is None
    longer = bytes((packet[0] | 0x20,)) + packet[1:3] + bytes((packet[3] + 1,)) + packet[4:] + bytes((0, 0, 0, 4))
    assert twcc.lone_feedback(longer) == packet[12:]
    for wrong in (0, 1 + len(longer) - 12, 255):
        assert twcc.lone_feedback(longer[:-1] + bytes((wrong,))) is None
