"""Whole frames out of packets, for every codec: what went in comes out and can be decoded; what lacks a packet never comes out."""

from itertools import pairwise

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.wire import depacketise
from media.wire.depacketise import CODECS, Depacketiser, Frame
from media.wire.reorder import Reorder
from tests.support import packetise
from tests.support.packetise import Encoder

ALL = sorted(CODECS)


def feed(made: Depacketiser, payloads: list[bytes], seq: int, ts: int = 0) -> list[Frame]:
    """One frame's packets, the last with the marker."""
    found: list[Frame] = []
    for i, payload in enumerate(payloads):
        found += made.push((seq + i) & 0xFFFF, ts, i == len(payloads) - 1, payload)
    return found


@pytest.mark.parametrize("codec", ALL)
def test_what_was_coded_is_decoded(codec: str) -> None:
    encoder, made = Encoder(codec, size=300), Depacketiser(codec)
    decoder = av.CodecContext.create({"av1": "libdav1d"}.get(codec, codec), "r")
    decoder.thread_count = 1
    seq, shown = 0xFFF0, 0
    for number in range(12):
        key, data, payloads = encoder.next(key=number == 6)
        [frame] = feed(made, payloads, seq, number * 3000)
        assert (frame.ts, frame.key, frame.lost) == (number * 3000, key, False)
        assert (frame.first_seq, frame.last_seq) == (seq & 0xFFFF, (seq + len(payloads) - 1) & 0xFFFF)
        if codec != "h264":
            assert frame.data == data
        seq += len(payloads)
        shown += len(decoder.decode(av.Packet(frame.data)))
    shown += len(decoder.decode(None))
    assert shown == 12
    assert made.damaged == 0


@pytest.mark.parametrize("codec", ALL)
def test_a_frame_that_lacks_a_packet_does_not_come_out_and_the_next_says_so(codec: str) -> None:
    encoder = Encoder(codec, size=300)
    frames = [encoder.next(key=i in (0, 3)) for i in range(5)]
    for missing in range(len(frames[3][2])):
        made = Depacketiser(codec)
        seq, found = 0, []
        for number, (_, _, payloads) in enumerate(frames):
            for i, payload in enumerate(payloads):
                if (number, i) != (3, missing):
                    found += made.push(seq, number, i == len(payloads) - 1, payload)
                seq += 1
        assert [frame.ts for frame in found][:3] == [0, 1, 2]
        assert 3 not in [frame.ts for frame in found]
        assert all(not frame.lost for frame in found[:3])
        after = [frame for frame in found if frame.ts == 4]
        assert [frame.lost for frame in after] in ([True], [])
        if len(frames[3][2]) > 1 or after:
            assert made.damaged + len(after) >= 1


@pytest.mark.parametrize("codec", ALL)
def test_the_next_time_stamp_ends_a_frame_without_a_marker(codec: str) -> None:
    encoder, made = Encoder(codec), Depacketiser(codec)
    one, other = encoder.next(), encoder.next()
    seq, found = 0, []
    for ts, (_, _, payloads) in enumerate((one, other)):
        for payload in payloads:
            found += made.push(seq, ts, False, payload)
            seq += 1
    assert [(frame.ts, frame.key) for frame in found] == [(0, True)]


@given(codec=st.sampled_from(ALL), packets=st.lists(st.tuples(st.integers(0, 70000), st.integers(0, 3), st.booleans(), st.binary(max_size=40)), max_size=60))  # fmt: skip
def test_any_bytes_are_read(codec: str, packets: list[tuple[int, int, bool, bytes]]) -> None:
    made = Depacketiser(codec)
    seq = 0
    for step, ts, marker, payload in packets:
        seq = (seq + (step if step > 60000 else 1)) & 0xFFFF
        for frame in made.push(seq, ts, marker, payload):
            assert frame.data
            assert len(frame.data) < sum(len(one[3]) for one in packets) * 8 + 64


@given(codec=st.sampled_from(ALL), at=st.integers(0, 400), value=st.integers(0, 255))
def test_a_changed_byte_raises_nothing(codec: str, at: int, value: int) -> None:
    _, _, payloads = _CODED[codec]
    made = Depacketiser(codec)
    spoilt = [bytearray(payload) for payload in payloads]
    packet = spoilt[at % len(spoilt)]
    packet[at // len(spoilt) % len(packet)] = value
    feed(made, [bytes(payload) for payload in spoilt], 1)


_CODED = {codec: Encoder(codec, size=200).next() for codec in ALL}


def test_an_unknown_codec_is_refused() -> None:
    with pytest.raises(ValueError, match="h265"):
        Depacketiser("h265")


def test_a_frame_has_a_longest_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(depacketise, "MAX_FRAME_BYTES", 1000)
    made = Depacketiser("vp8")
    assert feed(made, packetise.vp8(bytes(3000), 300), 1) == []
    assert made.damaged == 1
    assert len(feed(made, packetise.vp8(bytes(300), 300), 20)) == 1


def test_a_frame_has_so_many_units_at_most() -> None:
    """However small they are: each costs more to hold than it has bytes."""
    few, many = (b"\x18" + b"\x00\x02\x07\x00" * count for count in (300, 300))
    made = Depacketiser("h264")
    assert len(feed(made, [few], 1)) == 1
    assert feed(made, [many] * (depacketise.MAX_PARTS // 300 + 1), 2) == []
    assert made.damaged == 1
    one = b"\x08" + b"\x02\x30\x00" * 300  # N: a sequence begins; each element an OBU of two bytes
    made = Depacketiser("av1")
    assert len(feed(made, [one], 1)) == 1
    assert feed(made, [one] * (depacketise.MAX_PARTS // 300 + 1), 2) == []
    assert made.damaged == 1


def test_a_number_that_was_already_there_is_passed_over() -> None:
    made = Depacketiser("vp8")
    first, *rest = packetise.vp8(bytes(900), 300)
    assert made.push(5, 0, False, first) == []
    assert made.push(5, 0, False, first) == []
    assert made.push(4, 0, True, first) == []
    assert [len(frame.data) for frame in feed(made, rest, 6)] == [900]


def test_an_empty_packet_takes_its_number_only() -> None:
    made = Depacketiser("vp8")
    assert len(feed(made, packetise.vp8(bytes(10)), 5)) == 1
    assert made.push(6, 9, True, b"") == []
    assert [frame.lost for frame in feed(made, packetise.vp8(bytes(10)), 7, 1)] == [False]


def test_after_a_pause_the_next_frame_says_that_something_was_lost() -> None:
    made = Depacketiser("vp8")
    made.push(5, 0, False, packetise.vp8(bytes(900), 300)[0])
    made.skip()
    assert made.damaged == 1
    assert [frame.lost for frame in feed(made, packetise.vp8(bytes(10)), 0x9000, 1)] == [True]


def test_layers_of_vp9_become_one_superframe() -> None:
    made = Depacketiser("vp9")
    layers = [b"\x82" + bytes(399), b"\x86" + bytes(699)]
    [frame] = feed(made, packetise.vp9(layers, 300, key=True), 1)
    marker = 0xC0 | 1 << 3 | 1
    index = bytes((marker,)) + (400).to_bytes(2, "little") + (700).to_bytes(2, "little") + bytes((marker,))
    assert frame.data == layers[0] + layers[1] + index
    assert frame.key
    [frame] = feed(made, packetise.vp9([b"\x86" + bytes(20)], key=False), 20)
    assert not frame.key


@pytest.mark.parametrize(
    ("codec", "payloads"),
    [
        ("vp8", [b"\x90"]),
        ("vp8", [b"\x90\x80"]),
        ("vp8", [b"\x90\xe0\x80\x01\x02"]),
        ("vp8", [b"\x00\x01"]),  # no start
        ("vp8", [b"\x10\x00a", b"\x10\x00b"]),  # two starts
        ("vp9", [b"\x8c"]),
        ("vp9", [b"\x80\x05a"]),  # a middle without a start
        ("vp9", [b"\x88\x05a"]),  # no end
        ("vp9", [b"\xdc\x05\x01"]),  # cut in its differences
        ("vp9", [b"\x8e\x05"]),  # cut before its structure
        ("vp9", [b"\x8e\x05\x08"]),
        ("vp9", [b"\x8e\x05\x08\x02\x00"]),
        ("vp9", [b"\x0c" + b"a"] * 9),
        ("h264", [b"\x67a", b"\x7c\x05"]),
        ("h264", [b"\x67a", b"\x7c\x05ab"]),  # a fragment without a start
        ("h264", [b"\x67a", b"\x7c\xc5ab"]),
        ("h264", [b"\x67a", b"\x7c\x85ab"]),  # no end
        ("h264", [b"\x67a", b"\x7c\x85ab", b"\x65a"]),
        ("h264", [b"\x67a", b"\x78\x00"]),
        ("h264", [b"\x67a", b"\x78\x00\x09a"]),
        ("h264", [b"\x67a", b"\x78"]),
        ("h264", [b"\x67a", b"\x7da"]),  # FU-B
        ("h264", [b"\x41a"]),  # nothing to start from
        ("av1", [b"\x18"]),
        ("av1", [b"\x10\x0aa"]),  # nothing to start from
        ("av1", [b"\x98a"]),  # goes on from nothing
        ("av1", [b"\x58\x0aa"]),  # goes on in nothing
        ("av1", [b"\x28\x09a"]),
        ("av1", [b"\x08\xff"]),
        ("av1", [b"\x18\x8a"]),
        ("av1", [b"\x18\x0e"]),
        ("av1", [b"\x18\x0a\x09a"]),
        ("av1", [b"\x18\x12\x00"]),  # a delimiter alone
        ("av1", [b"\x28\x01\x0a"]),  # one of two elements
    ],
)
def test_nonsense_makes_no_frame(codec: str, payloads: list[bytes]) -> None:
    made = Depacketiser(codec)
    assert feed(made, payloads, 1) == []
    assert made.damaged == 1


def test_av1_elements_with_and_without_sizes() -> None:
    made = Depacketiser("av1")
    obu = b"\x0aS"  # a sequence header that has its size after all
    [frame] = feed(made, [b"\x08" + b"\x03\x0a\x01S" + b"\x02\x30F"], 1)
    assert frame.data == b"\x12\x00" + b"\x0a\x01S" + b"\x32\x01F"
    assert frame.key
    [frame] = feed(made, [b"\x10\x34\x08F"], 2)  # with an extension
    assert frame.data == b"\x12\x00\x36\x08\x01F"
    assert not frame.key
    assert obu


# ---- order


def test_what_came_late_finds_its_place() -> None:
    order: Reorder[int] = Reorder(0.2)
    assert order.push(0xFFFE, 1, 0.0) == [1]
    assert order.push(0, 3, 0.01) == []
    assert order.push(1, 4, 0.02) == []
    assert order.push(0xFFFF, 2, 0.03) == [2, 3, 4]
    assert order.push(0xFFFF, 2, 0.04) == []
    assert (order.lost, order.late) == (0, 1)


def test_a_gap_is_waited_for_so_long() -> None:
    order: Reorder[int] = Reorder(0.2)
    order.push(1, 1, 0.0)
    assert order.push(4, 4, 0.1) == []
    assert order.due(0.29) == []
    assert order.due(0.31) == [4]
    assert order.lost == 2
    assert order.push(7, 7, 0.4) == []
    assert order.push(9, 9, 0.65) == [7]
    assert order.due(0.7) == []
    assert order.drain() == [9]
    assert order.push(3, 3, 0.8) == [3]


def test_so_many_wait_and_no_more() -> None:
    order: Reorder[int] = Reorder(9.0, most=3)
    order.push(0, 0, 0.0)
    assert [order.push(n, n, 0.0) for n in (2, 3, 4)] == [[], [], []]
    assert order.push(6, 6, 0.0) == [2, 3, 4]


@given(st.lists(st.integers(0, 40), unique=True, min_size=1))
def test_whatever_the_order_numbers_come_out_rising(order_in: list[int]) -> None:
    order: Reorder[int] = Reorder(0.2)
    out: list[int] = []
    for at, number in enumerate(order_in):
        out += order.push(number, number, at * 0.01)
    out += order.drain()
    assert all(a < b for a, b in pairwise(out))
    assert len(out) + order.late == len(order_in)
