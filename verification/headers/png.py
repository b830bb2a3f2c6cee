"""PNG without its pixels: W3C PNG, third edition, 5.2 to 5.4. Sans I/O."""

import struct

from verification.headers.common import MOST_PARTS, Header, broken, no_foreigner, only_padding, refuse, truncated
from verification.headers.exif import exif_orientation
from verification.reasons import ReasonCode

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_NEEDED = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}
"""Bits a sample by kind of colour (11.2.1)."""
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def read_png(data: bytes) -> Header:
    at, kept, orientation, coded = 8, [SIGNATURE], 1, 0
    size: tuple[int, int] | None = None
    depth = colour = 0
    transparent = False
    for _ in range(MOST_PARTS * 4):
        if at + 12 > len(data):
            truncated()
        length = int.from_bytes(data[at : at + 4], "big")
        kind, end = data[at + 4 : at + 8], at + 12 + length
        if end > len(data):
            truncated()
        body = data[at + 8 : end - 4]
        if (size is None) != (kind == b"IHDR"):
            broken("a PNG does not begin with its header")
        if kind == b"IHDR":
            size, depth, colour = _header(body)
        elif kind == b"acTL":
            refuse(ReasonCode.IMAGE_ANIMATED, "the picture is animated")
        elif kind == b"eXIf":
            orientation = exif_orientation(body)
        elif kind == b"IDAT":
            coded += length
        elif kind == b"tRNS":
            transparent = True
        if kind in _NEEDED:
            kept.append(data[at:end])
        else:
            if not kind[0] & 0x20:  # an unknown chunk without which the picture is not the picture (5.4)
                broken("a PNG has a chunk that is not known")
            no_foreigner(body)
        at = end
        if kind == b"IEND":
            break
    else:
        broken("a PNG has too many chunks")
    if size is None or not coded:
        broken("a PNG without a picture")
    only_padding(data[at:])
    return Header("PNG", *size, orientation, b"".join(kept), _cost(depth, colour, transparent))


def _cost(depth: int, colour: int, transparent: bool) -> float:
    """Grey and palettes are held as one byte a pixel, all else as four, and again where transparency is reduced with it. Time goes with the bytes that
    are unpacked, about 10 ns each."""
    if colour in {4, 6} or (colour == 3 and transparent):
        memory = 12.0
    else:
        memory = 7.5 if colour == 2 else 4.6
    return max(memory, 2.6 * _SAMPLES[colour] * depth / 8)


def _header(body: bytes) -> tuple[tuple[int, int], int, int]:
    """Size, depth, kind of colour."""
    if len(body) != 13:
        broken("a PNG header has the wrong length")
    width, height, depth, colour, compression, filtering, interlace = struct.unpack(">IIBBBBB", body)
    if not width or not height or depth not in _DEPTHS.get(colour, ()) or compression or filtering or interlace > 1:
        broken("a PNG header makes no sense")
    return (width, height), depth, colour
