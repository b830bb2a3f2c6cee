"""Writing fragmented MP4 for a stream of H.264: header, then fragments, each complete in itself. S.

ISO/IEC 14496-12 (boxes), 14496-15 section 5.4 (``avc3``: parameter sets stand in the stream, and may change). Times in microseconds:
that is the time scale.
"""

import struct
from collections.abc import Iterator

from media.wire.h264 import sps_size

TIMESCALE = 1_000_000
_SPS, _PPS, _IDR = 7, 8, 5
_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_SYNC, _OTHER = 0x02000000, 0x01010000


def units(annex_b: bytes) -> Iterator[bytes]:
    """NAL units of a byte stream (ITU-T H.264 annex B)."""
    at = annex_b.find(b"\0\0\1")
    while at >= 0:
        start = at + 3
        at = annex_b.find(b"\0\0\1", start)
        unit = annex_b[start:] if at < 0 else annex_b[start:at]
        unit = unit.rstrip(b"\0")
        if unit:
            yield unit


def sample(annex_b: bytes) -> bytes:
    """The units with their lengths in front, as a sample has them."""
    return b"".join(struct.pack(">I", len(unit)) + unit for unit in units(annex_b))


def parameter_sets(annex_b: bytes) -> tuple[bytes, bytes] | None:
    """The first sequence and picture parameter set of a picture; None when it does not have both."""
    found: dict[int, bytes] = {}
    for unit in units(annex_b):
        found.setdefault(unit[0] & 31, unit)
    if len(found.get(_SPS, b"")) < 4 or _PPS not in found:
        return None
    return found[_SPS], found[_PPS]


def picture_size(sps: bytes) -> tuple[int, int]:
    """Width and height; zeros when the set cannot be read."""
    return sps_size(sps[1:])


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + kind + body


def _full(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return _box(kind, struct.pack(">I", version << 24 | flags), *parts)


def header(sps: bytes, pps: bytes) -> bytes:
    """``ftyp`` and ``moov``. Sizes come from the set."""
    width, height = picture_size(sps)
    config = _box(
        b"avcC", b"\1", sps[1:4], b"\xff\xe1", struct.pack(">H", len(sps)), sps, b"\1", struct.pack(">H", len(pps)), pps
    )
    entry = _box(
        b"avc3",
        bytes(6) + struct.pack(">H", 1) + bytes(16) + struct.pack(">HH", width, height),
        struct.pack(">IIIH", 0x480000, 0x480000, 0, 1) + bytes(32) + struct.pack(">Hh", 0x18, -1),
        config,
    )
    nothing = struct.pack(">I", 0)
    tables = _box(
        b"stbl",
        _full(b"stsd", 0, 0, struct.pack(">I", 1), entry),
        _full(b"stts", 0, 0, nothing),
        _full(b"stsc", 0, 0, nothing),
        _full(b"stsz", 0, 0, nothing, nothing),
        _full(b"stco", 0, 0, nothing),
    )
    data = _box(b"dinf", _full(b"dref", 0, 0, struct.pack(">I", 1), _full(b"url ", 0, 1)))
    media = _box(
        b"mdia",
        _full(b"mdhd", 0, 0, struct.pack(">IIIIHH", 0, 0, TIMESCALE, 0, 0x55C4, 0)),
        _full(b"hdlr", 0, 0, nothing, b"vide", bytes(12), b"video\0"),
        _box(b"minf", _full(b"vmhd", 0, 1, bytes(8)), data, tables),
    )
    place = struct.pack(">IIIII", 0, 0, 1, 0, 0) + bytes(16) + _MATRIX + struct.pack(">II", width << 16, height << 16)
    movie = _full(
        b"mvhd",
        0,
        0,
        struct.pack(">IIIIIH", 0, 0, TIMESCALE, 0, 0x10000, 0x100) + bytes(10) + _MATRIX + bytes(24) + struct.pack(">I", 2),
    )
    extends = _box(b"mvex", _full(b"trex", 0, 0, struct.pack(">IIIII", 1, 1, 0, 0, 0)))
    kind = _box(b"ftyp", b"iso6", struct.pack(">I", 0), b"iso6cmfcmp41")
    return kind + _box(b"moov", movie, _box(b"trak", _full(b"tkhd", 0, 3, place), media), extends)


def fragment(number: int, start_us: int, samples: list[tuple[int, bytes, bool]]) -> bytes:
    """``number`` from 1; ``samples``: (duration in µs, data, whether it needs no other)."""
    runs = b"".join(struct.pack(">III", duration, len(data), _SYNC if key else _OTHER) for duration, data, key in samples)

    def moof(offset: int) -> bytes:
        run = _full(b"trun", 0, 0x000701, struct.pack(">Ii", len(samples), offset), runs)
        track = _box(
            b"traf", _full(b"tfhd", 0, 0x020000, struct.pack(">I", 1)), _full(b"tfdt", 1, 0, struct.pack(">Q", start_us)), run
        )
        return _box(b"moof", _full(b"mfhd", 0, 0, struct.pack(">I", number)), track)

    length = len(moof(0))
    return moof(length + 8) + _box(b"mdat", *(data for _, data, _ in samples))
