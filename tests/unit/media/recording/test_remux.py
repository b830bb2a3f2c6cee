"""WebM and fragmented MP4 for a player, byte by byte: what libav makes of them is tested with real pictures in tests/scenario."""

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.recording.errors import RecordingError
from media.recording.format import TrackHeader
from media.recording.play import fmp4, webm
from media.recording.play.clock import SenderClock, TrackClock
from media.recording.play.picture import av1_config, picture_size
from media.recording.play.remux import SILENCE, WebmStream, mime
from media.recording.records import Kind, Record
from tests.support.recordings import header, rtp, vp8

VP8_KEY = bytes((0x10, 0x00, 0, 0)) + b"\x9d\x01\x2a" + (640).to_bytes(2, "little") + (360 | 1 << 14).to_bytes(2, "little")
SPS = bytes.fromhex("6742c01ed900a02ff970110000030001000003003c0f162e48")
PPS = bytes.fromhex("68cb83cb20")


def elements(data: bytes, at: int = 0, end: int | None = None) -> Iterator[tuple[int, bytes]]:
    """(id, body) of EBML; of a segment of unknown length its children follow."""
    end = len(data) if end is None else end
    while at < end:
        width = 9 - data[at].bit_length()
        number = int.from_bytes(data[at : at + width], "big")
        at += width
        width = 9 - data[at].bit_length()
        size = int.from_bytes(data[at : at + width], "big") & (1 << 7 * width) - 1
        unknown = size == (1 << 7 * width) - 1
        at += width
        if unknown:
            yield number, b""
            continue
        assert at + size <= end
        yield number, data[at : at + size]
        at += size


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        assert 8 <= size <= len(data) - at
        yield data[at + 4 : at + 8], data[at + 8 : at + size]
        at += size


def blocks(stream: bytes) -> list[tuple[int, int, bytes, bool]]:
    """(ms, how long, data, whether it needs another) of every block."""
    found = []
    for number, body in elements(stream):
        if number == 0x1F43B675:
            inside = list(elements(body))
            start = int.from_bytes(dict(inside)[0xE7], "big")
            for kind, group in inside:
                if kind == 0xA0:
                    parts = dict(elements(group))
                    data = parts[0xA1]
                    at = start + int.from_bytes(data[1:3], "big", signed=True)
                    found.append((at, int.from_bytes(parts[0x9B], "big"), data[4:], 0xFB in parts))
    return found


def stream(kind: str, records: list[Record], from_us: int = 0, made: TrackHeader | None = None) -> list[bytes]:
    made = made or header(kind=kind)
    return list(WebmStream(made, records, TrackClock(made.clock_rate, [], SenderClock([])), from_us))


def picture(n: int, *, key: bool = False, at_us: int | None = None) -> Record:
    payload = VP8_KEY + bytes(20) if key else vp8(key=False)
    return Record(Kind.RTP, 0, n * 40_000 if at_us is None else at_us, rtp(n, n * 3600, payload, marker=True))


def voice(n: int, data: bytes = b"\xf8\x01\x02") -> Record:
    return Record(Kind.RTP, 0, n * 20_000, rtp(n, n * 960, data))


def test_pictures_last_until_the_next_and_clusters_a_second_at_most() -> None:
    chunks = stream("video", [picture(n, key=n == 0) for n in range(60) if n < 30 or n >= 50] + [picture(60, key=True)])
    found = blocks(b"".join(chunks))
    assert [at for at, _, _, _ in found] == [*range(0, 1200, 40), 2400]
    assert [length for _, length, _, _ in found] == [*[40] * 29, 1240, 67]
    assert [needs for _, _, _, needs in found] == [False, *[True] * 29, False]
    assert len(chunks) == 4
    head = dict(elements(chunks[0]))
    entry = dict(elements(dict(elements(head[0x1654AE6B]))[0xAE]))
    assert entry[0x86] == b"V_VP8"
    assert {k: int.from_bytes(v, "big") for k, v in elements(entry[0xE0])} == {0xB0: 640, 0xBA: 360}


def test_silence_fills_what_was_not_said() -> None:
    found = blocks(b"".join(stream("audio", [voice(n) for n in range(200) if n < 10 or n >= 60])))
    ends = [at + length for at, length, _, _ in found]
    assert [at for at, _, _, _ in found][1:] == ends[:-1]
    assert [data for _, _, data, _ in found].count(SILENCE) == 50
    assert found[-1][0] == 199 * 20


def test_a_voice_begins_a_little_before_what_was_asked_for() -> None:
    found = blocks(b"".join(stream("audio", [voice(n) for n in range(200)], from_us=2_000_000)))
    assert found[0][0] == 1920


def test_a_voice_twice_at_one_time_is_heard_once() -> None:
    records = [voice(n) for n in range(5)]
    records += [Record(Kind.RTP, 0, 100_000 + n, rtp(n, 4 * 960 + n, b"\xf8\x09\x09", ssrc=8)) for n in range(3)]
    found = blocks(b"".join(stream("audio", records)))
    assert [at for at, _, _, _ in found] == [0, 20, 40, 60, 80, 100]


@given(st.lists(st.tuples(st.integers(0, 400), st.booleans(), st.integers(0, 3)), max_size=40))
def test_blocks_follow_each_other_without_a_hole(told: list[tuple[int, bool, int]]) -> None:
    at, records = 0, []
    for n, (ahead, key, lost) in enumerate(told):
        at += ahead * 1000
        payload = VP8_KEY if key else vp8(key=False)
        records.append(Record(Kind.RTP, 0, at, rtp(n + (n if lost == 3 else 0), at * 9 // 100, payload, marker=True)))
    found = blocks(b"".join(stream("video", records)))
    assert all(one[0] + one[1] == other[0] for one, other in itertools.pairwise(found))


def test_an_empty_track_is_an_empty_stream() -> None:
    assert stream("video", [picture(0), picture(1)]) == []
    assert len(stream("audio", [])) == 1


def h264(key: bool) -> bytes:
    return (
        (bytes((24,)) + b"".join(len(u).to_bytes(2, "big") + u for u in (SPS, PPS, b"\x65" + bytes(9))))
        if key
        else b"\x41" + bytes(9)
    )


def test_h264_becomes_fragments() -> None:
    made = header()
    made = TrackHeader(
        **{name: getattr(made, name) for name in made.__struct_fields__} | {"codec": "H264", "fmtp": "profile-level-id=42c01e"}
    )
    assert mime(made) == 'video/mp4; codecs="avc3.42C01E"'
    records = [Record(Kind.RTP, 0, n * 40_000, rtp(n, n * 3600, h264(n % 40 == 0), marker=True)) for n in range(60)]
    chunks = stream("video", records, made=made)
    assert [name for name, _ in boxes(chunks[0])] == [b"ftyp", b"moov"]
    starts = []
    samples = 0
    for chunk in chunks[1:]:
        (first, moof), (second, data) = boxes(chunk)
        assert (first, second) == (b"moof", b"mdat")
        track = dict(boxes(dict(boxes(moof))[b"traf"]))
        starts.append(int.from_bytes(track[b"tfdt"][4:], "big"))
        count = int.from_bytes(track[b"trun"][4:8], "big")
        offset = int.from_bytes(track[b"trun"][8:12], "big")
        sizes = [int.from_bytes(track[b"trun"][16 + 12 * n : 20 + 12 * n], "big") for n in range(count)]
        assert sum(sizes) == len(data)
        assert chunk[offset : offset + 4] == (len(SPS) if not samples else 10).to_bytes(4, "big") or samples
        samples += count
    assert starts == [pytest.approx(0, abs=50), pytest.approx(1_000_000, abs=200), pytest.approx(2_000_000, abs=200)]
    assert samples == 60


def test_h264_that_never_says_its_parameters_is_nothing() -> None:
    made = header()
    made = TrackHeader(**{name: getattr(made, name) for name in made.__struct_fields__} | {"codec": "H264"})
    assert mime(made) == 'video/mp4; codecs="avc3.42E01F"'
    records = [Record(Kind.RTP, 0, 0, rtp(0, 0, b"\x65" + bytes(9), marker=True))]
    assert stream("video", records, made=made) == []
    assert fmp4.parameter_sets(b"\0\0\0\1\x67\0\0\0\0\1\x68\1") is None
    assert picture_size("h264", b"\0\0\1\x65") is None


def test_what_is_asked_of_a_browser() -> None:
    made = header()
    fields = {name: getattr(made, name) for name in made.__struct_fields__}
    assert mime(made) == 'video/webm; codecs="vp8"'
    assert mime(TrackHeader(**fields | {"codec": "VP9"})) == 'video/webm; codecs="vp9"'
    assert mime(TrackHeader(**fields | {"codec": "AV1"})) == 'video/webm; codecs="av01.0.08M.08"'
    assert mime(header(kind="audio")) == 'audio/webm; codecs="opus"'
    with pytest.raises(RecordingError, match="cannot_play"):
        mime(TrackHeader(**fields | {"codec": "VP7"}))


def test_sizes_of_pictures() -> None:
    assert picture_size("vp8", VP8_KEY[1:]) == (640, 360)
    assert picture_size("vp8", b"\x01" + VP8_KEY[2:]) is None
    assert picture_size("vp9", bytes.fromhex("824983420027f0167000")) == (640, 360)
    assert picture_size("vp9", bytes.fromhex("8649834200")) is None
    assert picture_size("vp9", b"\x12") is None
    profiles = [
        picture_size("vp9", vp9_key(profile, space, 1920, 1080))
        for profile in range(4)
        for space in (1, 7)
        if profile % 2 or space != 7
    ]
    assert profiles == [(1920, 1080)] * 6
    assert picture_size("vp9", vp9_key(0, 1, 1920, 1080, shows=True)) is None
    assert picture_size("vp9", vp9_key(0, 1, 1920, 1080)[:6]) is None
    assert picture_size("h264", b"\0\0\1" + SPS + b"\0\0\1" + PPS) == (640, 360)
    assert picture_size("opus", b"\xf8") is None


def vp9_key(profile: int, space: int, width: int, height: int, *, shows: bool = False) -> bytes:
    """An uncompressed header of VP9 (section 6.2 of its specification)."""
    bits = "10" + f"{profile & 1}{profile >> 1}" + ("0" if profile == 3 else "") + ("1" if shows else "0") + "0" + "10"
    bits += f"{0x498342:024b}" + ("0" if profile >= 2 else "") + f"{space:03b}"
    bits += ("0" + ("000" if profile % 2 else "")) if space != 7 else "0"
    bits += f"{width - 1:016b}{height - 1:016b}"
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


AV1 = bytes.fromhex("12000a0b00000024ceff3dbffff804")
"""A temporal delimiter and a sequence header of 640 x 360: profile 0, level 2.0 + 4."""


def test_av1_says_its_size_and_configuration() -> None:
    size = picture_size("av1", AV1)
    config = av1_config(AV1)
    assert size is not None
    assert config[0] == 0x81
    assert config[4:] == AV1[2:]
    assert av1_config(b"\x12\x00\x32\x01\x00") == b""


@given(st.sampled_from(["vp8", "vp9", "av1", "h264"]), st.binary(max_size=60))
def test_any_bytes_have_an_answer(codec: str, data: bytes) -> None:
    for start in (b"", AV1[:4], b"\x82\x49\x83\x42", b"\0\0\1\x67"):
        size = picture_size(codec, start + data)
        assert size is None or min(size) > 0
        av1_config(start + data)


@given(st.integers(0, 2**40))
def test_lengths_are_as_short_as_they_can_be_and_never_unknown(length: int) -> None:
    made = webm._size(length)
    width = 9 - made[0].bit_length()
    assert len(made) == width
    value = int.from_bytes(made, "big") & (1 << 7 * width) - 1
    assert value == length
    assert value != (1 << 7 * width) - 1
