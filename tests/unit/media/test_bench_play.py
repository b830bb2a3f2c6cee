"""The load's camera and microphone: what was encoded once stays decodable with the stamps in it, and is what the relay's readers expect."""

from typing import NamedTuple

import av
import pytest

from media.bench.clip import HEIGHT, KBPS, SECONDS, WIDTH, make_clip
from media.bench.play import (
    MAGIC,
    PICTURES_PER_S,
    SPOKEN,
    STAMP_BYTES,
    VOICE_HZ,
    Clip,
    Picture,
    Source,
    Stamp,
    Voice,
    padded,
    read_stamp,
)
from media.wire import rtcp
from media.wire.payload import vp8, vp8_height
from media.wire.rtp import RtpReader
from media.wire.sdp import ExtensionIds

TWCC, LEVEL = 3, 5
NS = 1_000_000_000


@pytest.fixture(scope="module")
def clip() -> Clip:
    return make_clip(1)


class Read(NamedTuple):
    payload: bytes
    ssrc: int
    payload_type: int
    seq: int
    ts: int
    marker: bool
    twcc: int
    level: int


def read(packets: list[bytes]) -> list[Read]:
    """As the relay reads them."""
    reader = RtpReader(ExtensionIds(twcc=TWCC, audio_level=LEVEL))
    found = []
    for packet in packets:
        assert reader.parse(packet, len(packet))
        payload = packet[reader.start : reader.end]
        found.append(
            Read(payload, reader.ssrc, reader.pt, reader.seq, reader.ts, bool(reader.marker), reader.twcc, reader.level)
        )
    return found


def decoded(codec: str, packets: list[bytes]) -> list[bytes]:
    context = av.CodecContext.create(codec, "r")
    frames = [frame for packet in packets for frame in context.decode(av.Packet(packet))]
    return [bytes(plane) for frame in frames for plane in frame.planes[:1]]


def test_the_clip_has_its_rate_and_begins_with_its_one_key_frame() -> None:
    whole = make_clip()
    assert len(whole.pictures) == SECONDS * PICTURES_PER_S
    assert [number for number, picture in enumerate(whole.pictures) if not picture[0] & 1] == [0]
    assert sum(map(len, whole.pictures)) * 8 / SECONDS == pytest.approx(1000 * KBPS, rel=0.15)
    assert len(whole.voices) == SECONDS * 50
    assert {voice[0] & 3 for voice in whole.voices} == {0}


def test_pictures_with_stamps_decode_to_what_they_were(clip: Clip) -> None:
    source = Picture(4, 77, 96, TWCC, clip)
    sent = [source.frame(number * NS) for number in range(len(clip.pictures))]
    joined = [b"".join(one.payload[4:] for one in read(packets)) for packets in sent]
    assert all(MAGIC in picture for picture in joined)
    assert decoded("vp8", joined) == decoded("vp8", list(clip.pictures))


def test_voices_with_stamps_decode_to_what_they_were(clip: Clip) -> None:
    source = Voice(4, 77, 111, LEVEL, clip)
    sent = [one.payload for _ in clip.voices for one in read(source.frame(0))]
    assert all(MAGIC in voice for voice in sent)
    assert decoded("libopus", sent) == decoded("libopus", list(clip.voices))


def test_a_picture_is_what_the_relay_reads(clip: Clip) -> None:
    source = Picture(4, 77, 96, TWCC, clip)
    frames = [source.frame(9 * NS + number) for number in range(3)]
    everything = read([packet for frame in frames for packet in frame])
    assert {(one.ssrc, one.payload_type) for one in everything} == {(77, 96)}
    assert [one.seq for one in everything] == list(range(1000, 1000 + len(everything)))
    assert [one.twcc for one in everything] == list(range(1, 1 + len(everything)))
    for number, frame in enumerate(frames):
        parts = read(frame)
        assert [part.marker for part in parts] == [False] * (len(parts) - 1) + [True]
        assert {part.ts for part in parts} == {3000 * number}
        for position, part in enumerate(parts):
            begins, key, bits, _, pid, tl0_at, *_ = vp8(part.payload, 0, len(part.payload))
            assert (begins, key) == (position == 0, number == 0 and position == 0)
            assert (bits, pid, tl0_at) == (15, number, -1)
    assert vp8_height(frames[0][0], 20, len(frames[0][0])) == HEIGHT
    assert WIDTH > HEIGHT


def test_a_restart_begins_with_the_key_frame(clip: Clip) -> None:
    source = Picture(1, 77, 96, TWCC, clip)
    first = [len(source.frame(0)) for _ in range(5)]
    source.restart()
    assert len(source.frame(0)) == first[0] > first[1]


def test_the_stamp_is_in_the_last_packet_of_a_frame(clip: Clip) -> None:
    source = Picture(4, 77, 96, TWCC, clip)
    first, second = source.frame(123), source.frame(456)
    stamps = [read_stamp(memoryview(packet), 20, len(packet)) for packet in first]
    assert stamps == [None] * (len(first) - 1) + [Stamp(4, 0, len(first), 123)]
    assert read_stamp(memoryview(second[-1]), 20, len(second[-1])) == Stamp(4, len(first), len(second), 456)
    assert source.number == len(first) + len(second)


def test_what_is_too_short_has_no_stamp() -> None:
    assert read_stamp(memoryview(MAGIC), 0, len(MAGIC)) is None
    assert read_stamp(memoryview(b"x" * (20 + STAMP_BYTES)), 20, 20 + STAMP_BYTES) is None


def test_a_voice_says_that_it_speaks_and_has_no_marker(clip: Clip) -> None:
    source = Voice(4, 77, 111, LEVEL, clip)
    voices = [one for _ in range(3) for one in read(source.frame(0))]
    assert [one.ts for one in voices] == [0, 960, 1920]
    assert {(one.marker, one.level, one.twcc) for one in voices} == {(False, SPOKEN, -1)}


@pytest.mark.parametrize("extension", [0, TWCC])
def test_the_report_tells_the_time_of_its_moment(clip: Clip, extension: int) -> None:
    source = Picture(4, 77, 96, extension, clip)
    for number in range(31):
        source.frame(number * NS // 30)
    later_ns = 1_010_000_000  # 10 ms after the last
    ntp = (later_ns + 2_208_988_800 * NS << 32) // NS
    report, described = rtcp.parse_compound(source.report(ntp))
    assert isinstance(report, rtcp.SenderReport)
    assert (report.ssrc, report.ntp, report.packet_count) == (77, ntp, source.number)
    assert report.rtp_timestamp == pytest.approx(90_000 * later_ns // NS, abs=2)
    assert report.octet_count == source.octets > 0
    assert isinstance(described, rtcp.SourceDescription)


def test_without_an_extension_the_header_is_the_fixed_one(clip: Clip) -> None:
    (packet,) = Voice(1, 7, 111, 0, clip).frame(5)
    assert packet[0] == 0x80
    assert packet[12] & 3 == 3


def test_only_an_opus_packet_of_one_frame_is_padded() -> None:
    assert padded(b"\x08ab", 26) == b"\x0b\x41\x1aab"
    for packet in (b"", b"\x09ab"):
        with pytest.raises(ValueError, match="one frame"):
            padded(packet, 26)


def test_what_has_no_payload_of_its_own_is_no_source() -> None:
    bare = Source(1, 2, 3, 4)
    bare.restart()
    with pytest.raises(NotImplementedError):
        bare._payloads()
    with pytest.raises(NotImplementedError):
        bare._extended()
    assert VOICE_HZ == 48_000
