"""The index finds times and key frames, survives a round trip, and RTP time becomes real time across wraps."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.recording.check import load_header, walk
from media.recording.errors import RecordingFormatError
from media.recording.format import SegmentHeader
from media.recording.index import Entry, KeyFrame, Reported, RtpClock, TrackIndex
from media.recording.records import HEAD, Gap, GapReason, Kind, Layer, SenderReport, pack, pack_gap, pack_layer, pack_report
from tests.support.recordings import DATA_KEY, header, rtp, segments, track, vp8

KEY, HEAD_HASH, NONCE = bytes(32), b"h" * 32, bytes(12)


def build(plain: list[bytes], kind: str = "video") -> TrackIndex:
    index = TrackIndex.of(header(kind=kind))
    offset = 100
    for number, body in enumerate(plain):
        first, last, count = index.scan(body)
        index.add(SegmentHeader(number, first, last, count, len(body) + 16, b"", False), offset)
        offset += 68 + len(body) + 16
    return index


def test_times_and_key_frames() -> None:
    index = build(segments(7))
    assert [entry.first_us for entry in index.entries] == [n * 40_000 for n in range(7)]
    assert index.key_frames == [KeyFrame(0, 0, 0), KeyFrame(120_000, 3, 0), KeyFrame(240_000, 6, 0)]
    assert [index.segment_at(t) for t in (0, 39_999, 40_000, 121_000, 10**9)] == [0, 0, 1, 3, 6]
    empty = build([])
    assert empty.segment_at(5) == -1
    assert index != empty
    assert index != 5


def test_a_voice_has_no_key_frames_and_cut_packets_none_either() -> None:
    assert build(segments(3), "audio").key_frames == []
    for body in (b"", b"\x80", rtp(0, 0, b""), b"\x00" * 30):
        assert build([pack(Kind.RTP, 0, body)]).key_frames == []
    padded = bytearray(rtp(0, 0, vp8(key=True, size=400) + b"\0\0\0\x04"))
    padded[0] |= 0x20
    assert len(build([pack(Kind.RTP, 0, bytes(padded))]).key_frames) == 1


def test_one_picture_is_one_key_frame() -> None:
    burst = [
        pack(Kind.RTP, t, rtp(t, 0, vp8(key=True)), layer) for t, layer in ((0, 0), (99_999, 0), (50_000, 1), (100_000, 0))
    ]
    index = build([b"".join(burst)])
    assert [(key.time_us, key.layer) for key in index.key_frames] == [(0, 0), (50_000, 1), (100_000, 0)]


FULL = [
    pack(Kind.LAYER, 0, pack_layer(Layer(7, "h", 720)), 1)
    + pack(Kind.SENDER_REPORT, 3, pack_report(SenderReport(7, 1 << 33, 9))),
    pack(Kind.RTP, 5, rtp(1, 1, vp8(key=True)), 1) + pack(Kind.GAP, 9, pack_gap(Gap(4, 6, 8, GapReason.OVERFLOW))),
    pack(77, 11, b"of a later version") + pack(Kind.LAYER, 11, b"x", 2),
]


def test_round_trip() -> None:
    index = build(FULL)
    assert index.layers == {1: Layer(7, "h", 720)}
    assert index.gaps == [Gap(4, 6, 8, GapReason.OVERFLOW)]
    assert index.reports == [Reported(3, SenderReport(7, 1 << 33, 9))]
    raw = index.encode(KEY, HEAD_HASH, NONCE)
    assert TrackIndex.decode(raw, header(), KEY, HEAD_HASH) == index
    for offset in range(len(raw)):
        changed = bytearray(raw)
        changed[offset] ^= 1
        with pytest.raises(RecordingFormatError, match="index_changed"):
            TrackIndex.decode(bytes(changed), header(), KEY, HEAD_HASH)
    for size in (0, 8, 20, 30, len(raw) - 1):
        with pytest.raises(RecordingFormatError, match="index_changed"):
            TrackIndex.decode(raw[:size], header(), KEY, HEAD_HASH)
    for key, head in ((b"k" * 32, HEAD_HASH), (KEY, bytes(32))):
        with pytest.raises(RecordingFormatError, match="index_changed"):
            TrackIndex.decode(raw, header(), key, head)


def test_rebuilt_from_the_file_it_is_the_same() -> None:
    data = b"".join(track(segments(5), final=False))
    cipher = load_header(lambda at, size: data[at : at + size], DATA_KEY)
    index = TrackIndex.of(cipher.header)
    for found in walk(lambda at, size: data[at : at + size], len(data), cipher):
        index.scan(found.plain)
        index.add(found.header, found.offset)
    again = build(segments(5))
    assert index.key_frames == again.key_frames
    assert [each[1:] for each in index.entries] == [each[1:] for each in again.entries]
    assert isinstance(index.entries[0], Entry)


@pytest.mark.parametrize("plain", [b"\x01", HEAD.pack(1, 0, 9, 0)])
def test_records_that_do_not_fit(plain: bytes) -> None:
    with pytest.raises(RecordingFormatError, match="bad_record"):
        build([plain])


def ntp(seconds: float) -> int:
    return int(seconds * 4294967296)


@given(
    start=st.integers(0, 0xFFFFFFFF),
    rate=st.sampled_from([8000, 48000, 90000]),
    at=st.floats(0, 7200),
    every=st.floats(20, 600),
)
def test_rtp_time_is_real_time_also_where_it_wraps(start: int, rate: int, at: float, every: float) -> None:
    """Two hours with a report now and then, from any start: within a sample and what floats of NTP lose."""
    reports = [
        Reported(int(t * every * 1e6), SenderReport(1, ntp(3e9 + t * every), int(start + t * every * rate) & 0xFFFFFFFF))
        for t in range(int(7200 / every) + 1)
    ]
    clock = RtpClock(rate, reports)
    found = clock.ntp_s(int(start + at * rate) & 0xFFFFFFFF, int(at * 1e6))
    assert found is not None
    assert abs(found - (3e9 + at)) < 2 / rate + 1e-5


def test_without_reports_nothing_is_said() -> None:
    clock = RtpClock(90000, [])
    assert not clock
    assert clock.ntp_s(5, 5) is None


def test_the_nearest_report_counts_and_packets_may_come_before_it() -> None:
    clock = RtpClock(
        1000, [Reported(10_000_000, SenderReport(1, ntp(100), 0)), Reported(20_000_000, SenderReport(1, ntp(110.5), 10_000))]
    )
    assert clock
    assert clock.ntp_s(0xFFFFFFFF - 999, 9_000_000) == pytest.approx(99.0)
    assert clock.ntp_s(2000, 12_000_000) == pytest.approx(102.0)
    assert clock.ntp_s(9000, 19_000_000) == pytest.approx(109.5)
    assert clock.ntp_s(12000, 90_000_000) == pytest.approx(112.5)


@given(st.binary(max_size=400))
def test_strange_packets_are_no_key_frames_or_some_but_never_an_error(body: bytes) -> None:
    build([pack(Kind.RTP, 0, body) + pack(Kind.GAP, 1, body) + pack(Kind.LAYER, 2, body) + pack(Kind.SENDER_REPORT, 3, body)])
    assert struct.calcsize("!BBHQ") == HEAD.size
