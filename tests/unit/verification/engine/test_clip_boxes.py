"""What an MP4 claims to have in it."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.short_clips import record
from verification.engine.clip_boxes import check
from verification.engine.clips import sampled
from verification.errors import ImageRefused
from verification.reasons import ReasonCode

CLIP = record([np.full((48, 64, 3), 90, np.uint8)] * 5, "libx264", "mp4")
MANY = 200_000


def box(name: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", len(body) + 8) + name + body


def table(name: bytes, *words: int) -> bytes:
    return box(name, bytes(4), struct.pack(f">{len(words)}I", *words))


HEAD = box(b"ftyp", b"isom0000")


def clip(*tables: bytes) -> bytes:
    return HEAD + box(b"moov", box(b"trak", *tables)) + box(b"mdat", b"stsz" + b"\xff" * 90)


def refusal(data: bytes) -> str:
    with pytest.raises(ImageRefused) as refused:
        list(sampled(data, 2))
    return refused.value.code


def test_what_phones_write_is_read() -> None:
    check(CLIP)
    check(clip(table(b"stsz", 0, 2, 5, 5), table(b"stts", 1, 1800, 1), table(b"stsc", 1, 1, 44100, 1)))
    wide = struct.pack(">I", 1) + b"mdat" + struct.pack(">Q", 16 + 4) + bytes(4)
    check(HEAD + wide + box(b"moov") + struct.pack(">I", 0) + b"mdat" + bytes(50))
    check(HEAD + box(b"moov") + struct.pack(">I", 5000) + b"mdat" + bytes(50))  # broken off


@pytest.mark.parametrize(
    "tables",
    [
        [table(b"stsz", 1, MANY)],
        [table(b"stz2", 8, MANY)],
        [table(b"stts", 1, MANY, 1)],
        [table(b"stts", 2, 7000, 1, 7000, 1)],
        [table(b"ctts", 1, MANY, 1)],
        [table(b"stsc", 1, 1, MANY, 1)],
        [table(b"stco", MANY)],
        [table(b"co64", MANY)],
        [table(b"elst", 17)],
        [table(b"stsz", 1, 7000), table(b"stsz", 1, 7000)],
        [table(b"trun", 7000), box(b"udta", table(b"trun", 7000))],
    ],
)
def test_more_than_a_clip_has(tables: list[bytes]) -> None:
    assert refusal(clip(*tables)) == ReasonCode.CLIP_TOO_LONG
    assert refusal(HEAD + box(b"free", *tables) + box(b"moov")) == ReasonCode.CLIP_TOO_LONG  # where demuxers look as well


def test_a_table_of_equal_sizes_in_a_real_clip() -> None:
    at = CLIP.index(b"stsz") + 8
    assert refusal(CLIP[:at] + struct.pack(">II", 1, MANY) + CLIP[at + 8 :]) == ReasonCode.CLIP_TOO_LONG


@pytest.mark.parametrize(
    "data",
    [
        HEAD,
        HEAD + bytes(5),
        HEAD + box(b"moov") * 2,
        HEAD + struct.pack(">I", 7) + b"moov",
        HEAD + struct.pack(">I", 1) + b"moov" + bytes(4),
        HEAD + struct.pack(">I", 1) + b"moov" + struct.pack(">Q", 15),
        HEAD + box(b"moov", b"stsz"),
        HEAD + box(b"moov", b"stts" + struct.pack(">III", 0, 5, 1)),
        HEAD + box(b"moov", box(b"cmov")),
        HEAD + box(b"moov") + box(b"hoov"),
        HEAD + box(b"moov", box(b"trak") * 9),
        HEAD + box(b"moov") + box(b"free", bytes(5 << 20)),
    ],
)
def test_boxes_that_do_not_fit(data: bytes) -> None:
    assert refusal(data) == ReasonCode.CLIP_BROKEN


@given(st.integers(0, len(CLIP) - 1), st.binary(min_size=1, max_size=8))
def test_no_bytes_do_harm(at: int, spoilt: bytes) -> None:
    try:
        check(CLIP[:at] + spoilt + CLIP[at + len(spoilt) :])
    except ImageRefused:
        pass
