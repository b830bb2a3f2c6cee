"""What an MP4 says of how much is in it, before a demuxer believes it. Sans I/O.

A demuxer makes an index of as many entries as a table claims to have, and a table of equal sizes claims millions in twenty bytes (ISO/IEC 14496-12,
8.7.3.2). Every table is found by its name wherever it lies outside of the media data, as demuxers look for them in more places than the standard says.
"""

import struct
from collections.abc import Iterator

from verification.errors import ImageRefused
from verification.reasons import ReasonCode

MAX_ENTRIES = 12_000
"""Pictures and packets of sound of all tracks together: 30 s of 60 pictures a second are 1,800, of sound 1,400."""
MAX_TABLES_BYTES = 4 << 20
"""Everything but the media data."""
MAX_CHUNK = 100_000
"""Samples: two seconds of plain sound."""
MAX_EDITS = 16
MAX_TRACKS = 8
"""Phones write up to six."""

_COUNTS = {b"stsz": 8, b"stz2": 8, b"stts": 4, b"ctts": 4, b"stco": 4, b"co64": 4, b"stsc": 4, b"stss": 4, b"stps": 4, b"trun": 4, b"elst": 4}  # fmt: skip
"""By name: where the number of entries is, from the end of the name (version and flags come first)."""
_RUNS = {b"stts": (8, 0), b"ctts": (8, 0), b"stsc": (12, 4)}
"""Bytes of an entry, and where in it is how often it holds or how many samples a chunk has."""
_COMPRESSED = (b"cmov", b"hoov")


def check(data: bytes) -> None:
    """Raises ImageRefused: the boxes do not fit into each other, or claim more than a clip of half a minute has."""
    tables = b"".join(_beside_media(data))
    if len(tables) > MAX_TABLES_BYTES or any(name in tables for name in _COMPRESSED):
        raise _broken("the clip has tables of a kind that is not read")
    if sum(1 for _ in _found(tables, b"trak")) > MAX_TRACKS:
        raise _broken("the clip has too many tracks")
    totals = dict.fromkeys(_COUNTS, 0)
    for name, where in _COUNTS.items():
        for at in _found(tables, name):
            count = _number(tables, at + where)
            totals[name] += count
            if totals[name] > (MAX_EDITS if name == b"elst" else MAX_ENTRIES):
                raise ImageRefused("the clip claims more pictures than are read", code=ReasonCode.CLIP_TOO_LONG.value)
            if name in _RUNS:
                _check_runs(tables, name, at + where + 4, count)


def _check_runs(tables: bytes, name: bytes, begin: int, count: int) -> None:
    size, where = _RUNS[name]
    runs = [_number(tables, begin + size * number + where) for number in range(count)]
    if (name == b"stsc" and max(runs, default=0) > MAX_CHUNK) or (name != b"stsc" and sum(runs) > MAX_ENTRIES):
        raise ImageRefused("the clip claims more pictures than are read", code=ReasonCode.CLIP_TOO_LONG.value)


def _beside_media(data: bytes) -> Iterator[bytes]:
    """Boxes of the top level, without those of media data. The last may be cut short: a recording that was broken off."""
    at, moov = 0, 0
    while at < len(data):
        if len(data) - at < 8:
            raise _broken("the clip ends within a box")
        size, name = _number(data, at), data[at + 4 : at + 8]
        head = 8
        if size == 1:
            if len(data) - at < 16:
                raise _broken("the clip ends within a box")
            size, head = int(struct.unpack_from(">Q", data, at + 8)[0]), 16
        elif size == 0:
            size = len(data) - at
        if size < head:
            raise _broken("the clip has a box smaller than its header")
        if name == b"moov":
            moov += 1
        if name != b"mdat":
            yield data[at : at + size]
        at += size
    if moov != 1:
        raise _broken("the clip has not one movie header")


def _found(tables: bytes, name: bytes) -> Iterator[int]:
    """Where each occurrence of the name ends."""
    at = tables.find(name)
    while at >= 0:
        yield at + 4
        at = tables.find(name, at + 4)


def _number(data: bytes, at: int) -> int:
    if at + 4 > len(data):
        raise _broken("the clip ends within a table")
    return int.from_bytes(data[at : at + 4], "big")


def _broken(detail: str) -> ImageRefused:
    return ImageRefused(detail, code=ReasonCode.CLIP_BROKEN.value)
