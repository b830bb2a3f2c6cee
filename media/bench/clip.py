"""Five seconds of picture and voice, encoded once: 640 × 480 at 30 a second and 500 kbit/s of VP8, and Opus of 20 ms."""

import random
from fractions import Fraction

import av

from media.bench.play import PICTURES_PER_S, VOICE_HZ, VOICE_S, Clip

SECONDS = 5
WIDTH, HEIGHT = 640, 480
KBPS = 500
VOICE_KBPS = 32
_REACH = 4096


def make_clip(seconds: int = SECONDS) -> Clip:
    """The same bytes each time with the same libraries. Takes a second or two of processor time."""
    return Clip(_pictures(seconds * PICTURES_PER_S), _voices(round(seconds / VOICE_S)))


def _pictures(count: int) -> tuple[bytes, ...]:
    """A coarse pattern that moves, with noise that moves otherwise: enough for the encoder to use its rate."""
    codec = av.CodecContext.create("libvpx", "w")
    assert isinstance(codec, av.VideoCodecContext)
    codec.width, codec.height, codec.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    codec.time_base = Fraction(1, PICTURES_PER_S)
    codec.bit_rate = 1000 * KBPS
    codec.gop_size = count + 1
    codec.thread_count = 1
    rate = str(1000 * KBPS)
    codec.options = {
        "deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "error-resilient": "1",
        "minrate": rate, "maxrate": rate, "bufsize": rate, "undershoot-pct": "0",
    }  # fmt: skip
    chance = random.Random(1)  # noqa: S311 - a picture, no secret
    noise = bytes(chance.choices(range(96, 160), k=_REACH + WIDTH))
    blocks = bytes(64 + 16 * (at // 32 % 8) for at in range(_REACH + WIDTH))
    grey = bytes([128]) * (WIDTH * HEIGHT // 4)
    encoded = []
    for number in range(count):
        frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
        rows = []
        for y in range(HEIGHT):
            texture, shift = (noise, 37 * y + 3 * number) if y % 96 < 24 else (blocks, 5 * (y // 32) + 2 * number)
            rows.append(texture[shift % _REACH : shift % _REACH + WIDTH])
        frame.planes[0].update(b"".join(rows))
        for plane in frame.planes[1:]:
            plane.update(grey[: plane.buffer_size])
        frame.pts = number
        encoded += [bytes(packet) for packet in codec.encode(frame)]
    return tuple(encoded)


def _voices(count: int) -> tuple[bytes, ...]:
    """A voice-like tone: pulses at 120 a second."""
    codec = av.CodecContext.create("libopus", "w")
    assert isinstance(codec, av.AudioCodecContext)
    codec.sample_rate, codec.layout, codec.format = VOICE_HZ, "mono", "s16"
    codec.bit_rate = 1000 * VOICE_KBPS
    codec.options = {"application": "voip", "vbr": "off", "frame_duration": "20"}
    samples = round(VOICE_HZ * VOICE_S)
    period = VOICE_HZ // 120
    pulse = b"".join(int(12000 * 0.985**at).to_bytes(2, "little", signed=True) for at in range(period))
    sound = pulse * (count * samples // period + 2)
    encoded = []
    for number in range(count):
        frame = av.AudioFrame("s16", "mono", samples)
        frame.sample_rate = VOICE_HZ
        frame.pts = number * samples
        frame.planes[0].update(sound[2 * number * samples : 2 * (number + 1) * samples])
        encoded += [bytes(packet) for packet in codec.encode(frame)]
    return tuple(encoded)
