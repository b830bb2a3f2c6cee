"""Clips that browsers and phones record, and clips that somebody made to do harm."""

import io
import random
import zlib

import av
import numpy as np
import pytest

from tests.support.short_clips import record
from tests.support.webm import PICTURES, block, element, number, pictures_track, vp8, webm
from verification.engine import clips
from verification.engine.clips import sampled
from verification.errors import ImageRefused
from verification.reasons import ReasonCode
from verification.types import Picture


def numbered(count: int = 30, size: tuple[int, int] = (96, 64)) -> list[Picture]:
    """Picture n is as bright as 4 × n, its left half red."""
    found = []
    for at in range(count):
        pixels = np.full((size[1], size[0], 3), min(250, 4 * at), np.uint8)
        pixels[:, : size[0] // 2, 0] = 255
        found.append(pixels)
    return found


def brightness(picture: Picture) -> float:
    return float(picture[:, picture.shape[1] * 3 // 4 :].mean()) / 4


CLIP = record(numbered())


@pytest.mark.parametrize(
    ("codec", "container"),
    [("libvpx", "webm"), ("libvpx-vp9", "webm"), ("libx264", "mp4"), ("libx264", "matroska"), ("libvpx-vp9", "mp4")],
)
def test_frames_are_spread_over_its_time(codec: str, container: str) -> None:
    found = list(sampled(record(numbered(), codec, container), 6))
    assert [round(at, 2) for at, _ in found] == pytest.approx([0, 0.5, 1.0, 1.5, 2.0, 2.5], abs=0.11)
    for at, picture in found:
        assert picture.shape == (64, 96, 3)
        assert brightness(picture) == pytest.approx(10 * at, abs=2)
        assert picture[32, 10, 0] > 200


def test_one_frame_or_more_than_there_are() -> None:
    assert [at for at, _ in sampled(CLIP, 1)] == [0.0]
    assert len(list(sampled(CLIP, 32))) == 30


def test_a_clip_that_does_not_say_how_long_it_is() -> None:
    """As MediaRecorder writes them: the duration of the segment is not there."""
    spoilt = CLIP.replace(b"\x44\x89\x88", b"\xec\x89\x88", 1)  # Duration → Void
    assert spoilt != CLIP
    assert len(list(sampled(spoilt, 6))) == 6


def test_large_pictures_are_reduced() -> None:
    ((_, picture),) = sampled(record(numbered(1, (1600, 900))), 1)
    assert picture.shape == (720, 1280, 3)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", ReasonCode.CLIP_FORMAT_UNKNOWN),
        (b"GIF89a" + bytes(100), ReasonCode.CLIP_FORMAT_UNKNOWN),
        (CLIP[:40], ReasonCode.CLIP_BROKEN),
        (b"\x1a\x45\xdf\xa3" + bytes(1000), ReasonCode.CLIP_BROKEN),
        (b"\0\0\0\x18ftypmp42" + bytes(1000), ReasonCode.CLIP_BROKEN),
        (record(numbered(2), "mjpeg", "matroska"), ReasonCode.CLIP_FORMAT_UNKNOWN),
        (record(numbered(1, (2048, 1200))), ReasonCode.CLIP_TOO_LARGE),
        (record(numbered(40), fps=1), ReasonCode.CLIP_TOO_LONG),
    ],
)
def test_what_is_refused(data: bytes, code: ReasonCode) -> None:
    with pytest.raises(ImageRefused) as refused:
        list(sampled(data, 4))
    assert refused.value.code == code


def test_more_than_is_ever_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips, "MAX_DECODED", 20)
    with pytest.raises(ImageRefused) as refused:
        list(sampled(CLIP, 4))
    assert refused.value.code == ReasonCode.CLIP_TOO_LONG
    monkeypatch.setattr(clips, "MAX_CLIP_BYTES", 100)
    with pytest.raises(ImageRefused) as refused:
        list(sampled(CLIP, 4))
    assert refused.value.code == ReasonCode.CLIP_TOO_LARGE


@pytest.mark.parametrize(("codec", "container"), [("libvpx", "webm"), ("libx264", "mp4"), ("libvpx-vp9", "webm")])
def test_no_more_is_decoded_than_is_affordable(codec: str, container: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = numbered(60)
    long = record(pictures, codec, container, gop=10)
    exact = [at for at, _ in sampled(long, 7)]
    monkeypatch.setattr(clips, "MAX_DECODED_PIXELS", 42 * 96 * 64)
    signs: list[int] = []
    near = list(sampled(long, 7, sign=lambda: signs.append(1)))
    assert len(signs) <= len(near) + 42 // clips.SIGN_PICTURES + 1
    assert [at for at, _ in near] == sorted({at for at, _ in near})
    assert len(near) == len(exact) == 7
    for (at, picture), meant in zip(near, exact, strict=True):
        assert brightness(picture) == pytest.approx(10 * at, abs=2)
        assert meant - 1 <= at <= meant + 0.35  # as late as the pictures between two others
    monkeypatch.setattr(clips, "MAX_DECODED_PIXELS", 25 * 96 * 64)
    with pytest.raises(ImageRefused, match="too long for pictures as large") as refused:
        list(sampled(record(pictures, codec, container, gop=200), 8))
    assert refused.value.code == ReasonCode.CLIP_TOO_LONG


@pytest.mark.parametrize(
    ("size", "fps", "seconds", "reach"),
    [
        ((1920, 1080), 30, 13, 0.93),
        ((1920, 1080), 30, 20, 0.93),
        ((1080, 1920), 30, 30, 0.72),
        ((1920, 1080), 60, 15, 0.72),
        ((1280, 720), 60, 30, 0.79),
        ((640, 480), 60, 30, 0.93),
    ],
)
def test_one_key_frame_is_enough(size: tuple[int, int], fps: int, seconds: int, reach: float) -> None:
    """As browsers record: however long a clip may be, its pictures are spread over the most of it, evenly."""
    packets = [(number / fps, number == 0) for number in range(fps * seconds)]
    (group,) = clips._plan(packets, 16, clips.MAX_DECODED_PIXELS // (size[0] * size[1]))
    assert len(group.wanted) == 16
    assert group.wanted[-1] >= reach * seconds
    steps = np.diff(group.wanted)
    assert steps.max() - steps.min() <= 2.01 / fps
    assert group.end * size[0] * size[1] <= clips.MAX_DECODED_PIXELS


@pytest.mark.parametrize(("between", "affordable"), [(10, 42), (10, 60), (5, 100), (100, 330)])
def test_packets_that_make_no_picture_yet_are_paid_for(between: int, affordable: int) -> None:
    """Those after the wanted one, behind each key frame."""
    packets = [(at / 20, at % between == 0) for at in range(600)]
    for most in (4, 7, 12):
        groups = clips._plan(packets, most, affordable)
        assert sum(group.end - group.begin for group in groups) <= affordable


def test_more_than_a_clip_may_have_between_key_frames() -> None:
    packets = [(number / 60, number == 0) for number in range(60 * 30)]
    with pytest.raises(ImageRefused, match="1280 x 720 is enough") as refused:
        clips._plan(packets, 16, clips.MAX_DECODED_PIXELS // (1920 * 1080))
    assert refused.value.code == ReasonCode.CLIP_TOO_LONG


def test_pictures_that_are_not_wanted_are_not_decoded() -> None:
    """Ten of sixty, each a key frame."""
    signs: list[int] = []
    assert len(list(sampled(record(numbered(60), "libx264", "mp4", gop=1), 5, sign=lambda: signs.append(1)))) == 5
    assert len(signs) <= 5 + 15 // clips.SIGN_PICTURES + 1


def test_pictures_that_are_never_shown_count_and_are_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    """VP8 (RFC 6386, 9.1): one bit of a packet says that nobody sees its picture, which is decoded all the same."""
    key, other = vp8(2)[:2]
    hidden = bytes([other[0] & ~0x10]) + other[1:]
    blocks = [block(key, track=PICTURES), *(block(hidden, track=PICTURES, flags=0, at_ms=20 * n) for n in range(1, 201))]
    data = webm([b"".join([*blocks, block(other, track=PICTURES, flags=0, at_ms=4020)])])
    signs: list[int] = []
    assert len(list(sampled(data, 4, sign=lambda: signs.append(1)))) == 1
    assert len(signs) >= 150 // clips.SIGN_PICTURES
    monkeypatch.setattr(clips, "MAX_DECODED", 202)
    assert outcome(data) == 1
    monkeypatch.setattr(clips.clip_packets, "pictures", lambda decoder, packet, settings: 3)
    assert outcome(data) == ReasonCode.CLIP_TOO_LONG


def test_sound_is_read_in_little_steps_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a demuxer makes more packets of a block than it has: they are counted again as they come."""
    data = webm([block(vp8()[0], track=PICTURES) + block(b"x") * 1000])
    signs: list[int] = []
    assert len(list(sampled(data, 4, sign=lambda: signs.append(1)))) == 1
    assert len(signs) >= 1000 // clips.SIGN_PACKETS
    monkeypatch.setattr(clips.clip_blocks, "check", lambda data: None)
    monkeypatch.setattr(clips.clip_blocks, "MAX_PACKETS", 900)
    with pytest.raises(ImageRefused, match="more packets") as refused:
        list(sampled(data, 4))
    assert refused.value.code == ReasonCode.CLIP_TOO_LONG


def test_packets_that_are_larger_than_the_file() -> None:
    """Matroska can compress them (RFC 9559, 5.1.4.1.31), a thousand to one; nobody's browser does."""
    packed = element(
        "6d80", element("6240", number("5031", 0), number("5032", 1), number("5033", 0), element("5034", number("4254", 0)))
    )
    sound = element("ae", number("d7", 2), number("73c5", 2), number("83", 2), element("86", b"A_PCM/INT/LIT"), packed)
    large = zlib.compress(bytes(500_000), 9)
    for count, wanted in ((1, 1), (3, ReasonCode.CLIP_TOO_LONG)):
        data = webm([block(vp8()[0], track=PICTURES) + block(large) * count], [pictures_track(), sound])
        assert len(data) < 10_000
        assert outcome(data) == wanted


def test_work_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a processor's time; what is done with a picture meanwhile is not counted."""
    clock = iter(range(1000))
    monkeypatch.setattr(clips.time, "thread_time", lambda: float(next(clock)))
    monkeypatch.setattr(clips, "MAX_WORK_S", 500.0)
    assert len(list(sampled(CLIP, 4))) == 4
    monkeypatch.setattr(clips, "MAX_WORK_S", 50.0)
    clock = iter(range(1000))
    with pytest.raises(ImageRefused, match="50 s of work") as refused:
        list(sampled(CLIP, 4))
    assert refused.value.code == ReasonCode.CLIP_TOO_LONG
    now = [0.0]
    monkeypatch.setattr(clips.time, "thread_time", lambda: now[0])
    for _ in sampled(CLIP, 4):
        now[0] += 40


def test_a_packet_of_many_pictures_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips.clip_packets, "pictures", lambda decoder, data, settings: clips.MAX_DECODED)
    assert outcome(CLIP) == ReasonCode.CLIP_TOO_LONG


def test_sound_alone_is_no_clip() -> None:
    file = io.BytesIO()
    with av.open(file, "w", format="webm") as out:
        stream = out.add_stream("libopus", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.int16), format="s16", layout="mono")
        frame.rate = 48000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with pytest.raises(ImageRefused, match="no picture"):
        list(sampled(file.getvalue(), 4))


@pytest.mark.parametrize(("codec", "container"), [("libvpx", "webm"), ("libx264", "mp4")])
def test_spoilt_clips_are_refused_or_shown(codec: str, container: str) -> None:
    chance = random.Random(codec)
    good = record(numbered(10), codec, container)
    for _ in range(30):
        data = bytearray(good)
        for _ in range(chance.choice((1, 4, 40))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        if chance.random() < 0.3:
            del data[chance.randrange(len(data)) :]
        assert outcome(bytes(data)) in {1, 2, 3, 4, *(code.value for code in ReasonCode)}


def test_libav_is_given_little_memory_at_once() -> None:
    with clips.small_allocations():
        av.Packet(clips.MAX_ALLOCATION // 2)
        with pytest.raises(MemoryError):
            av.Packet(clips.MAX_ALLOCATION + 1)
    av.Packet(clips.MAX_ALLOCATION + 1)


def outcome(data: bytes) -> int | str:
    try:
        return len(list(sampled(data, 4)))
    except ImageRefused as refused:
        return refused.code


@pytest.mark.parametrize(("angle", "corner"), [(0, (0, 0)), (90, (0, -1)), (180, (-1, -1)), (270, (-1, 0))])
def test_a_phone_held_upright(angle: int, corner: tuple[int, int]) -> None:
    """The matrix of the track's header turns its pictures (ISO 14496-12, 8.3.2), here clockwise; a red corner shows which way."""
    pixels = np.full((64, 96, 3), 60, np.uint8)
    pixels[:24, :24] = (250, 0, 0)
    data = record([pixels], "libx264", "mp4")
    one, none, minus, last = (value.to_bytes(4, "big", signed=True) for value in (0x10000, 0, -0x10000, 0x40000000))
    across, down = {
        0: ((one, none), (none, one)),
        90: ((none, one), (minus, none)),
        180: ((minus, none), (none, minus)),
        270: ((none, minus), (one, none)),
    }[angle]
    plain = b"".join((one, none, none, none, one, none, none, none, last))
    turned = b"".join((*across, none, *down, none, none, none, last))
    header = data.index(b"tkhd")
    at = data.index(plain, header)
    ((_, picture),) = sampled(data[:at] + turned + data[at + 36 :], 1)
    assert picture.shape == ((64, 96, 3) if angle in (0, 180) else (96, 64, 3))
    y, x = (8 if part == 0 else -8 for part in corner)
    assert picture[y, x, 0] > 200
    assert picture[-y, -x, 0] < 100
