"""Packets with more pictures in them than one."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.engine.clip_packets import MOST_PICTURES, MOST_UNITS, pictures
from verification.errors import ImageRefused
from verification.reasons import ReasonCode

AVCC = bytes((1, 66, 0, 30, 0xFF))
"""Lengths of four bytes."""


def unit(kind: int, size: int = 3, *, extended: bool = False, sized: bool = True) -> bytes:
    """Of AV1. A size of two bytes, as it may be written."""
    head = bytes([kind << 3 | extended << 2 | sized << 1]) + bytes(extended)
    return head + (bytes([size & 127 | 128, size >> 7]) if sized else b"") + b"\x10" * size


def refused(decoder: str, data: bytes, settings: bytes = b"") -> str:
    with pytest.raises(ImageRefused) as error:
        pictures(decoder, data, settings)
    return error.value.code


def test_av1_says_each() -> None:
    header, frame, tiles, sequence, end = 3, 6, 4, 1, 2
    assert pictures("libdav1d", b"", b"") == 1
    assert pictures("libdav1d", unit(end, 0) + unit(sequence, 300) + unit(frame), b"") == 1
    assert (
        pictures("libdav1d", unit(frame, extended=True) * 3 + unit(header) + unit(tiles, 500) + unit(frame, sized=False), b"")
        == 5
    )
    assert pictures("libdav1d", unit(frame) * MOST_PICTURES, b"") == MOST_PICTURES
    again = bytes([header << 3 | 2, 1, 0x88])
    assert pictures("libdav1d", again * 2 + unit(frame), b"") == 2
    assert refused("libdav1d", again * (MOST_PICTURES + 1)) == ReasonCode.CLIP_BROKEN
    assert refused("libdav1d", unit(frame) + again * 700_000) == ReasonCode.CLIP_BROKEN
    assert refused("libdav1d", unit(frame) * (MOST_PICTURES + 1)) == ReasonCode.CLIP_BROKEN
    assert refused("libdav1d", unit(tiles, 200) + unit(header) * 100_000) == ReasonCode.CLIP_BROKEN


@pytest.mark.parametrize(("last", "count"), [(0xC0, 1), (0xC1, 2), (0xDF, 8), (0x07, 1), (0xE3, 1)])
def test_vp9_says_how_many(last: int, count: int) -> None:
    assert pictures("vp9", bytes(30) + bytes([last]), b"") == count
    assert pictures("vp9", b"", b"") == 1


def test_h264_has_no_more_parts_than_a_picture() -> None:
    parts = struct.pack(">I", 9) + b"\x41" + bytes([9] * 8)
    assert pictures("h264", parts * MOST_UNITS, AVCC) == 1
    assert refused("h264", parts * (MOST_UNITS + 1), AVCC) == ReasonCode.CLIP_BROKEN
    assert refused("h264", parts * (MOST_UNITS + 1)) == ReasonCode.CLIP_BROKEN
    assert refused("h264", (b"\x09" + parts[4:]) * (MOST_UNITS + 1), b"\1\x42\0\x1e\xfc") == ReasonCode.CLIP_BROKEN
    assert pictures("h264", (b"\0\0\1" + parts[4:]) * MOST_UNITS, b"") == 1
    assert refused("h264", (b"\0\0\1" + parts[4:]) * (MOST_UNITS + 1), AVCC) == ReasonCode.CLIP_BROKEN


@given(st.sampled_from(["vp8", "vp9", "h264", "libdav1d"]), st.binary(max_size=200), st.sampled_from([b"", AVCC]))
def test_no_bytes_do_harm(decoder: str, data: bytes, settings: bytes) -> None:
    try:
        found: int | str = pictures(decoder, data, settings)
    except ImageRefused as error:
        found = error.code
    assert found in {*range(1, MOST_PICTURES + 1), ReasonCode.CLIP_BROKEN}
