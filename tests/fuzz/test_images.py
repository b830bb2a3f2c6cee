"""Trust campaign 10, the part about still pictures: whatever a stranger sends is read or refused with a code, quickly, and nothing else happens.

Its long form (``TESTS_CAMPAIGN=long``) feeds ten times as many.
"""

import os
import struct
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.heavy_pictures import Heic, box, heic
from tests.support.machine import slowness
from tests.unit.verification import pictures
from tests.unit.verification.pictures import encoded, fields
from verification.errors import ImageRefused
from verification.headers import look
from verification.images import Limits, read
from verification.reasons import ReasonCode

pytest.importorskip("PIL")
pytestmark = pytest.mark.campaign(10)

EXAMPLES = 10_000 if os.environ.get("TESTS_CAMPAIGN") == "long" else 1_000
LOOK_S = 0.2
SMALL = Limits(max_bytes=1 << 20, max_pixels=2_000_000, max_side=4000, min_side=16, work_side=400)
SEEDS = [
    encoded(fields(64, 48), orientation=6),
    encoded(fields(64, 48), progressive=True),
    encoded(fields(64, 48), mode="CMYK"),
    encoded(fields(64, 48), "PNG", orientation=3),
    encoded(fields(64, 48), "PNG", mode="P"),
    encoded(fields(64, 48), "WEBP", orientation=8),
    encoded(fields(64, 48), "WEBP", mode="RGBA", lossless=True),
    pictures.HEIC,
    pictures.HEIC_TURNED,
    heic("420", 256, 128, grid=2, how=Heic(turned=True, in_meta=True)),
]


def quick(began: float) -> bool:
    took = time.process_time() - began
    return took < LOOK_S or took < LOOK_S * slowness()


def refused_quickly(data: bytes) -> bool:
    """Once of three times: what other processes do to this one's caches is none of its own."""
    for _ in range(3):
        began = time.process_time()
        with pytest.raises(ImageRefused):
            look(data)
        if quick(began):
            return True
    return False


def _known(refused: ImageRefused) -> None:
    assert ReasonCode(refused.code).value.startswith("image_")


def _sane(data: bytes) -> None:
    """Read, or refused with a code that is one."""
    began = time.process_time()
    try:
        header = look(data)
    except ImageRefused as refused:
        _known(refused)
        assert quick(began)
        return
    assert quick(began)
    assert len(header.clean) <= len(data) + 16
    try:
        picture = read(data, limits=SMALL)
    except ImageRefused as refused:
        _known(refused)
        return
    assert picture.dtype == np.uint8
    assert picture.ndim == 3
    assert picture.shape[2] == 3
    assert max(picture.shape[:2]) <= SMALL.work_side
    assert picture.flags.c_contiguous


@st.composite
def _damaged(draw: st.DrawFn) -> bytes:
    """A real picture with bytes changed, left out, put in, or with part of another."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        how = draw(st.integers(0, 4))
        if how == 0 and data:
            data[at] = draw(st.integers(0, 255))
        elif how == 1:
            del data[at : at + draw(st.integers(1, 64))]
        elif how == 2:
            data[at:at] = draw(st.binary(max_size=64))
        elif how == 3:
            other = draw(st.sampled_from(SEEDS))
            data[at:] = other[min(at, len(other)) :]
        else:
            data[at : at + 4] = draw(
                st.sampled_from([b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\x7f\xff\xff\xff", b"\xff\xda\x00\x08"])
            )
    return bytes(data)


@settings(max_examples=EXAMPLES)
@given(_damaged())
def test_damaged_pictures_are_read_or_refused(data: bytes) -> None:
    _sane(data)


@settings(max_examples=EXAMPLES)
@given(
    st.binary(max_size=400),
    st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x90\x01\x00\x00WEBP", b"\x00\x00\x00\x18ftypheic"]),
)
def test_noise_is_refused(noise: bytes, start: bytes) -> None:
    _sane(start + noise)


def test_a_large_file_is_looked_at_quickly() -> None:
    """Ten mebibytes of each kind of nothing, of the sort that makes a reader look at every byte."""
    jpeg = SEEDS[0]
    inside = jpeg.rindex(b"\xff\xda") + 14
    for filler in (
        b"\xff\x00",
        b"\xff\xd0",
        b"\xff\xff",
        b"\x00",
        b"\xff\xe0\x00\x02",
        b"\x00\x00\x00\x00tIME\x00\x00\x00\x00",
        b"\x00\x00\x00\x08free",
    ):
        body = filler * ((10 << 20) // len(filler))
        for data in (
            jpeg[:inside] + body,
            jpeg + body,
            jpeg[:2] + body,
            SEEDS[3][:33] + body,
            SEEDS[5][:12] + body,
            pictures.HEIC + body,
        ):
            assert refused_quickly(data)


def test_long_tables_of_a_heic_are_looked_at_quickly() -> None:
    start, primary, mdat = box(b"ftyp", b"heic\0\0\0\0mif1heic"), box(b"pitm", bytes(5) + b"\1"), box(b"mdat")
    items = box(b"iinf", bytes(6), box(b"infe", b"\2\0\0\0\0\1\0\0hvc1\0"))
    places, properties = box(b"iloc", b"\1\0\0\0\x44\0\0\0"), box(b"iprp", box(b"ipco"))
    full = (9 << 20) // 8
    long = {
        "places": [box(b"iloc", b"\2\0\0\0\0\0\0\x10\0\0", bytes(8 * full)), items, properties],
        "properties": [places, items, box(b"iprp", box(b"ipco"), box(b"ipma", bytes(4), b"\0\x10\0\0", b"\0\1\0" * full))],
        "references": [places, items, properties, box(b"iref", bytes(4), *[box(b"dimg", b"\0\1\x08\0", bytes(4096))] * 2200)],
        "items": [places, properties, box(b"iinf", bytes(6), *[box(b"infe", b"\2\0\0\0\0\1\0\0hvc1\0")] * (full // 4))],
        "boxes": [places, items, properties, *[box(b"free")] * full],
    }
    unit = b"\0\0\0\2\2\1"
    sound = heic("420", 256, 128)
    slices = sound.index(b"mdat") + 4
    for name, tables in long.items():
        data = start + box(b"meta", bytes(4), primary, *tables) + mdat
        assert len(data) > 3 << 20, name
        assert refused_quickly(data), name
    many = unit * (full * 8 // 6)
    place = struct.pack(">HHHHII", 1, 0, 0, 1, slices, len(sound) - slices)
    assert place in sound
    data = sound[: slices - 8] + box(b"mdat", many)
    data = data.replace(place, struct.pack(">HHHHII", 1, 0, 0, 1, slices, len(many)))
    assert refused_quickly(data)
