"""WebP without its pixels: RFC 9649 section 2; RFC 6386 section 9.1. Sans I/O."""

import struct

from verification.headers.common import MOST_PARTS, Header, broken, no_foreigner, only_padding, refuse, truncated
from verification.headers.exif import exif_orientation
from verification.reasons import ReasonCode

COST = 21.0


def read_webp(data: bytes) -> Header:
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        truncated()
    at, kept, orientation = 12, [], 1
    canvas: tuple[int, int] | None = None
    size: tuple[int, int] | None = None
    for _ in range(MOST_PARTS):
        if at + 8 > end:
            break
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        body, after = data[at + 8 : at + 8 + length], at + 8 + length + (length & 1)
        if at + 8 + length > end:
            truncated()
        if kind == b"VP8X":
            if len(body) != 10 or canvas is not None or size is not None:
                broken("a WebP header makes no sense")
            if body[0] & 0x02:
                refuse(ReasonCode.IMAGE_ANIMATED, "the picture is animated")
            canvas = 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
            kept.append(data[at : at + 8] + bytes([body[0] & 0x10]) + body[1:])
        elif kind in {b"ANIM", b"ANMF"}:
            refuse(ReasonCode.IMAGE_ANIMATED, "the picture is animated")
        elif kind in {b"VP8 ", b"VP8L"}:
            if size is not None:
                broken("a WebP has two pictures")
            size = _vp8(body) if kind == b"VP8 " else _vp8l(body)
            kept.append(data[at:after].ljust(8 + length + (length & 1), b"\0"))
        elif kind == b"ALPH":
            kept.append(data[at:after].ljust(8 + length + (length & 1), b"\0"))
        else:
            no_foreigner(body)
            if kind == b"EXIF":
                orientation = exif_orientation(body.removeprefix(b"Exif\x00\x00"))
        at = after
    else:
        broken("a WebP has too many chunks")
    if size is None:
        broken("a WebP without a picture")
    if canvas is not None and canvas != size:
        broken("a WebP says two sizes")
    only_padding(data[min(at, end) :])
    body = b"WEBP" + b"".join(kept)
    return Header("WEBP", *size, orientation, b"RIFF" + len(body).to_bytes(4, "little") + body, COST)


def _vp8(body: bytes) -> tuple[int, int]:
    """RFC 6386 section 9.1: a key frame."""
    if len(body) < 10 or body[0] & 1 or body[3:6] != b"\x9d\x01\x2a":
        broken("a WebP without a key frame")
    width, height = struct.unpack("<HH", body[6:10])
    return _sized(width & 0x3FFF, height & 0x3FFF)


def _vp8l(body: bytes) -> tuple[int, int]:
    """RFC 9649 section 3.4."""
    if len(body) < 5 or body[0] != 0x2F:
        broken("a lossless WebP without its signature")
    bits = int.from_bytes(body[1:5], "little")
    return _sized((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)


def _sized(width: int, height: int) -> tuple[int, int]:
    if not width or not height:
        broken("a picture of no size")
    return width, height
