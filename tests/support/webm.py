"""WebM written by hand (RFC 9559): whatever blocks somebody puts into it."""

from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np

CLUSTER = bytes.fromhex("1f43b675")
WITHOUT_SIZE = b"\x01" + b"\xff" * 7
TIME = b"\xe7\x81\0"
PICTURES, SOUND = 1, 2
KEY = 0x80


def element(name: str | bytes, *content: bytes) -> bytes:
    """``name``: the identifier with its marker, in hexadecimal or as it is."""
    body = b"".join(content)
    return (bytes.fromhex(name) if isinstance(name, str) else name) + (1 << 56 | len(body)).to_bytes(8, "big") + body


def number(name: str, value: int) -> bytes:
    return element(name, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))


def block(content: bytes, *, track: int = SOUND, flags: int = KEY, at_ms: int = 0, name: str = "a3") -> bytes:
    return element(name, bytes([0x80 | track]), at_ms.to_bytes(2, "big"), bytes([flags]), content)


LACED = block(bytes([255]) + bytes(256), flags=KEY | 4)
"""256 packets of one byte in one block, all of one size."""


def vp8(count: int = 1, size: tuple[int, int] = (64, 64)) -> list[bytes]:
    """Packets of one key frame and of pictures after it."""
    context = av.CodecContext.create("libvpx", "w")
    context.width, context.height = size
    context.pix_fmt, context.time_base, context.framerate = "yuv420p", Fraction(1, 10), Fraction(10)
    context.thread_count = 1
    context.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
    packets: list[bytes] = []
    for at in range(count):
        frame = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), 60 + at, np.uint8), format="rgb24")
        frame.pts = at
        packets += [bytes(packet) for packet in context.encode(frame)]
    return packets + [bytes(packet) for packet in context.encode(None)]


def track(what: int, codec: str, *more: bytes) -> bytes:
    kind = number("83", what) + element("86", codec.encode())
    return element("ae", number("d7", what), number("73c5", what), kind, *more)


def pictures_track(size: tuple[int, int] = (64, 64)) -> bytes:
    return track(PICTURES, "V_VP8", element("e0", number("b0", size[0]), number("ba", size[1])))


def sound_track(codec: str = "A_PCM/INT/LIT") -> bytes:
    sampling = element("b5", bytes.fromhex("40cf400000000000"))
    return track(SOUND, codec, number("9c", 1), element("e1", sampling, number("9f", 1), number("6264", 8)))


def webm(clusters: Sequence[bytes], tracks: Sequence[bytes] = (), *, more: bytes = b"") -> bytes:
    """``clusters``: what is in each; ``more``: elements of the segment after them."""
    head = element("1a45dfa3", element("4282", b"webm"), number("4287", 2), number("4285", 2))
    both = tracks or (pictures_track(), sound_track())
    inside = [element("1549a966", number("2ad7b1", 1_000_000)), element("1654ae6b", *both)]
    return head + element("18538067", *inside, *(element(CLUSTER, TIME, one) for one in clusters), more)
