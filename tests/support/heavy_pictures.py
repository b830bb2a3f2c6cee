"""Small files of large pictures: of every format and mode one with as many pixels as wanted, and dear to decode. Drawn here, no face in them."""

import io
import random
import re
import struct
import zlib
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
from PIL import Image

from tests.unit.verification.pictures import chunk
from verification.types import Picture

PNG_KINDS = {
    "grey 1": (1, 0, False),
    "grey 8": (8, 0, False),
    "grey 8 transparent": (8, 0, True),
    "grey 16": (16, 0, False),
    "grey 16 transparent": (16, 0, True),
    "grey alpha 8": (8, 4, False),
    "grey alpha 16": (16, 4, False),
    "palette 1": (1, 3, False),
    "palette 8": (8, 3, False),
    "palette 8 transparent": (8, 3, True),
    "colour 8": (8, 2, False),
    "colour 8 transparent": (8, 2, True),
    "colour 16": (16, 2, False),
    "colour 16 transparent": (16, 2, True),
    "colour alpha 8": (8, 6, False),
    "colour alpha 16": (16, 6, False),
}
"""Depth, kind of colour (PNG 11.2.1), whether it has a tRNS chunk."""
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def png(kind: str, width: int, height: int, *, interlaced: bool = False) -> bytes:
    """Rows of the dearest filter (Paeth's), of a pattern that repeats."""
    depth, colour, transparent = PNG_KINDS[kind]
    bits = depth * _SAMPLES[colour]
    packed = zlib.compressobj(1)
    noise = random.Random(1).randbytes(4096)
    data = []
    for wide, high in _passes(width, height) if interlaced else [(width, height)]:
        length = -(-wide * bits // 8)
        row = b"\x04" + (noise * (length // len(noise) + 1))[:length]
        if wide and high:
            data += [packed.compress(row) for _ in range(high)]
    data.append(packed.flush())
    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))]
    if colour == 3:
        parts.append(chunk(b"PLTE", bytes(range(256)) * 3 if depth == 8 else bytes(6)))
    if transparent:
        parts.append(chunk(b"tRNS", {0: bytes(2), 2: bytes(6), 3: bytes(256)}[colour]))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IDAT", b"".join(data)) + chunk(b"IEND", b"")


def _passes(width: int, height: int) -> list[tuple[int, int]]:
    """Of Adam7 (PNG 8.1)."""
    starts = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    return [(max(0, -(-(width - x) // dx)), max(0, -(-(height - y) // dy))) for x, y, dx, dy in starts]


JPEG_KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "grey": ("L", {}),
    "colour": ("RGB", {"subsampling": 2}),
    "colour 444": ("RGB", {"subsampling": 0}),
    "cmyk": ("CMYK", {}),
    "grey progressive": ("L", {"progressive": True}),
    "colour progressive": ("RGB", {"subsampling": 2, "progressive": True}),
    "colour 444 progressive": ("RGB", {"subsampling": 0, "progressive": True}),
    "cmyk progressive": ("CMYK", {"progressive": True}),
}


def jpeg(kind: str, width: int, height: int, *, scans: int = 0) -> bytes:
    """``scans``: the last one again until there are so many."""
    mode, options = JPEG_KINDS[kind]
    out = io.BytesIO()
    Image.new(mode, (width, height)).save(out, "JPEG", **options)
    data = out.getvalue()
    starts = [found.start() for found in re.finditer(b"\xff\xda", data)]
    return data[:-2] + data[starts[-1] : -2] * max(0, scans - len(starts)) + data[-2:]


WEBP_KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "lossy": ("RGB", {"method": 0}),
    "lossy transparent": ("RGBA", {"method": 0}),
    "lossless": ("RGB", {"lossless": True, "method": 0, "quality": 0}),
    "lossless transparent": ("RGBA", {"lossless": True, "method": 0, "quality": 0}),
}


def webp(kind: str, width: int, height: int) -> bytes:
    mode, options = WEBP_KINDS[kind]
    image = Image.new(mode, (width, height))
    image.putpixel((0, 0), (9, 8, 7, 6)[: len(mode)])  # what is the same everywhere is written shorter
    out = io.BytesIO()
    image.save(out, "WEBP", **options)
    return out.getvalue()


def webp_of_many_codes(width: int, height: int, groups: int) -> bytes:
    """Lossless, with so many groups of prefix codes, each of which a decoder makes tables of kilobytes of (RFC 9649 section 5.2 and 6): at most 65,536, one
    for every square of 4 × 4 pixels. All pixels are black."""
    head = _little(0x2F, 8) + _little(width - 1, 14) + _little(height - 1, 14) + _little(0, 4)
    head += _little(0, 2) + _little(1, 1) + _little(0, 3)  # no transform, no cache; groups by squares of 4 × 4
    head += _little(0, 1) + _bytes_code(24) + _bytes_code(0) + _ONE_SYMBOL * 3
    index = np.arange(-(-width // 4) * -(-height // 4)) % groups
    backwards = np.packbits(np.unpackbits(np.arange(256, dtype=np.uint8), bitorder="little"))
    low_and_high = np.stack([backwards[index & 255], backwards[index >> 8]], axis=1)
    bits = [
        np.array(head, np.uint8),
        np.unpackbits(low_and_high.ravel(), bitorder="little"),
        np.tile(np.array(_ONE_SYMBOL * 5, np.uint8), groups),
    ]
    body = np.packbits(np.concatenate(bits), bitorder="little").tobytes() + bytes(8)
    body += bytes(len(body) % 2)
    return b"RIFF" + struct.pack("<I", len(body) + 12) + b"WEBPVP8L" + struct.pack("<I", len(body)) + body


def _little(value: int, bits: int) -> list[int]:
    return [value >> place & 1 for place in range(bits)]


_ONE_SYMBOL = [1, 0, 0, 0]


def _bytes_code(others: int) -> list[int]:
    """Eight bits for each of 256 symbols, none for the others."""
    order = [17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8]
    lengths = [bit for symbol in order for bit in _little(symbol in {0, 8}, 3)]
    return [0, *_little(len(order) - 4, 4), *lengths, 0, *[1] * 256, *[0] * others]


HEIC_KINDS = {
    "400": "gray",
    "422": "yuv422p",
    "420": "yuv420p",
    "444": "yuv444p",
    "420 of 10 bits": "yuv420p10le",
    "444 of 10 bits": "yuv444p10le",
}


@dataclass(frozen=True)
class Heic:
    """What is unusual about one. ``turned``: it lies on its side. ``grades``: of noise in it, 0 none. ``said``: size that is written down. ``of_grid``: the
    same in a grid's own shape. ``moved``: kind whose parameter sets stand before the slices, too. ``pictures``: so many in one item.
    ``transparent``: with the same again as its transparency, of ``of`` (a tile's number) or of all. ``in_meta``: a grid's shape stands in ``idat``.
    ``shared``: all coded pictures lie at the same place."""

    turned: bool = False
    grades: int = 0
    said: tuple[int, int] | None = None
    of_grid: tuple[int, int] | None = None
    moved: str = ""
    pictures: int = 1
    transparent: bool = False
    of: int = 0
    in_meta: bool = False
    shared: bool = False


def heic(kind: str, width: int, height: int, *, grid: int = 1, how: Heic | None = None) -> bytes:
    """One coded picture, or ``grid`` × ``grid`` tiles that are all the same one."""
    how = how or Heic()
    tile = width // grid, height // grid
    coded = hevc(*tile, kind, how.grades)
    moved = [unit for unit in hevc(*tile, how.moved) if not _is_slice(unit)] if how.moved else []
    return _heif(coded, moved, tile, grid, kind, how)


def photograph(picture: Picture, *, turned: bool = False) -> bytes:
    """As a telephone writes it, but in one piece: 4:2:0, 8 bits. ``turned``: it is to be turned to the left when it is read."""
    height, width = picture.shape[:2]
    return _heif(hevc(width, height, "420", picture=picture), [], (width, height), 1, "420", Heic(turned=turned))


def _is_slice(unit: bytes) -> bool:
    return unit[0] >> 1 & 63 < 32


def hevc(width: int, height: int, kind: str, grades: int = 0, picture: Picture | None = None) -> list[bytes]:
    """Its units."""
    pixels = HEIC_KINDS[kind]
    context: Any = av.CodecContext.create("libx265", "w")
    context.width, context.height, context.pix_fmt, context.time_base = width, height, pixels, Fraction(1, 25)
    context.thread_count = 1
    context.options = {
        "x265-params": "log-level=none:pools=1:frame-threads=1:keyint=1:repeat-headers=1:wpp=0",
        "preset": "ultrafast",
    }
    frame = av.VideoFrame(width, height, pixels)
    drawn = np.random.default_rng(1)
    if picture is not None:
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixels)
    else:
        for plane in frame.planes:
            size = plane.buffer_size
            plane.update(drawn.integers(0, grades, size, np.uint8).tobytes() if grades else bytes(size))
    stream = b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])
    return [unit for unit in re.split(b"\x00\x00\x00\x01|\x00\x00\x01", stream) if unit]


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + kind + body


def full(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def _heif(units: list[bytes], moved: list[bytes], tile: tuple[int, int], grid: int, kind: str, how: Heic) -> bytes:
    """ISO/IEC 23008-12: one item, or a grid of items (6.6.2.3)."""
    slices = b"".join(struct.pack(">I", len(unit)) + unit for unit in (*moved, *filter(_is_slice, units))) * how.pictures
    width, height = how.said or (tile[0] * grid, tile[1] * grid)
    tiles = range(1, grid * grid + 1)
    kinds = [(number, b"hvc1") for number in tiles]
    shape = b""
    properties = [
        box(b"hvcC", _settings(units, kind)),
        full(b"ispe", 0, 0, struct.pack(">II", *(tile if grid > 1 else (width, height)))),
        full(b"ispe", 0, 0, struct.pack(">II", width, height)),
        box(b"irot", b"\1"),
        full(b"auxC", 0, 0, b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0"),
    ]
    if grid > 1:
        kinds.append((len(tiles) + 1, b"grid"))
        shape = struct.pack(">BBBBHH", 0, 0, grid - 1, grid - 1, *(how.of_grid or (width, height)))
    primary = kinds[-1][0]
    has = {number: [0x81, 0x02] if name == b"hvc1" else [0x03] for number, name in kinds}
    has[primary] += [0x84] if how.turned else []
    references = [struct.pack(f">HH{len(tiles)}H", primary, len(tiles), *tiles)] if grid > 1 else []
    named = [box(b"dimg", *references)] if references else []
    if how.transparent:
        kinds.append((primary + 1, b"hvc1"))
        has[primary + 1] = [0x81, 0x02, 0x85]
        named.append(box(b"auxl", struct.pack(">HHH", primary + 1, 1, how.of or primary)))
    coded = [number for number, name in kinds if name == b"hvc1"]
    start = box(b"ftyp", b"heic\0\0\0\0mif1heic")

    def meta(at: int) -> bytes:
        places = []
        for number, name in kinds:
            if name == b"hvc1":
                places.append((number, 0, at if how.shared else at + coded.index(number) * len(slices), len(slices)))
            else:
                places.append(
                    (number, 1, 0, len(shape))
                    if how.in_meta
                    else (number, 0, at + (1 if how.shared else len(coded)) * len(slices), len(shape))
                )
        parts = [
            full(b"hdlr", 0, 0, bytes(4), b"pict", bytes(13)),
            full(b"pitm", 0, 0, struct.pack(">H", primary)),
            full(
                b"iloc",
                1,
                0,
                b"\x44\0",
                struct.pack(">H", len(places)),
                *(struct.pack(">HHHHII", n, where, 0, 1, at, size) for n, where, at, size in places),
            ),
            full(
                b"iinf",
                0,
                0,
                struct.pack(">H", len(kinds)),
                *(full(b"infe", 2, 0, struct.pack(">HH", n, 0), name, b"\0") for n, name in kinds),
            ),
            box(
                b"iprp",
                box(b"ipco", *properties),
                full(
                    b"ipma",
                    0,
                    0,
                    struct.pack(">I", len(has)),
                    *(struct.pack(">HB", n, len(one)) + bytes(one) for n, one in has.items()),
                ),
            ),
            *([full(b"iref", 0, 0, *named)] if named else []),
            *([box(b"idat", shape)] if how.in_meta else []),
        ]
        return full(b"meta", 0, 0, *parts)

    return start + meta(len(start) + len(meta(0)) + 8) + box(b"mdat", slices * (1 if how.shared else len(coded)), shape)


def _settings(units: list[bytes], kind: str) -> bytes:
    """ISO/IEC 14496-15 8.3.3.1."""
    ten, full_colour = "10" in kind, "444" in kind
    sets = [unit for unit in units if unit[0] >> 1 & 63 in (32, 33, 34)]
    depth = 0xFA if ten else 0xF8
    said = (
        bytes([1, 4 if full_colour else 1 + ten]) + struct.pack(">I", 0x60000000) + bytes([0x90, 0, 0, 0, 0, 0, 120, 0xF0, 0])
    )
    said += bytes([0xFC, 0xFF if full_colour else 0xFD, depth, depth, 0, 0, 0x0F, len(sets)])
    return said + b"".join(bytes([0x80 | unit[0] >> 1 & 63]) + struct.pack(">HH", 1, len(unit)) + unit for unit in sets)
