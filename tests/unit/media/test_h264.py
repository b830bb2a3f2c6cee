import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.wire.h264 import MAX_LINES, h264_height, h264_key, sps_height


def whole(read: object, data: bytes) -> object:
    return read(data, 0, len(data))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("data", "key"),
    [
        (b"\x65abc", True),  # IDR
        (b"\x67abc", True),  # SPS
        (b"\x41abc", False),
        (b"\x78\x00\x02\x67a\x00\x01\x68", True),
        (b"\x78\x00\x02\x41a\x00\x02\x65b", True),
        (b"\x78\x00\x02\x41a", False),
        (b"\x78\x00\x00\x65", False),
        (b"\x78\x00\x09\x65", False),
        (b"\x7c\x85a", True),  # FU-A, first of an IDR
        (b"\x7c\x05a", False),
        (b"\x7c\x81a", False),
        (b"\x7c", False),
        (b"", False),
    ],
)
def test_what_starts_a_key_frame(data: bytes, key: bool) -> None:
    assert whole(h264_key, data) is key


# From x264: constrained baseline, of 640 x 360 (cropped from 368), and high profile, of 1280 x 720.
LOW = bytes.fromhex("42c01ed900a02ff9610000030001000003003c0f162e48")
HIGH = bytes.fromhex("64001facd9405005ba10000003001000000303c0f1831960")


def test_sets_of_a_real_encoder() -> None:
    assert sps_height(LOW) == 360
    assert sps_height(HIGH) == 720
    assert whole(h264_height, b"\x67" + LOW) == 360
    unit = b"\x67" + HIGH
    packet = b"\x78\x00\x02\x09\x10" + bytes((0, len(unit))) + unit + b"\x00\x02\x68\xce"
    assert whole(h264_height, packet) == 720
    assert whole(h264_height, b"\x65" + LOW) == 0
    assert whole(h264_height, b"\x7c\x87" + LOW) == 360  # the beginning of a fragment


class Writer:
    """A parameter set bit by bit."""

    def __init__(self) -> None:
        self._bits = ""

    def u(self, count: int, value: int) -> None:
        self._bits += f"{value:0{count}b}" if count else ""

    def ue(self, value: int) -> None:
        code = f"{value + 1:b}"
        self._bits += "0" * (len(code) - 1) + code

    def se(self, value: int) -> None:
        self.ue(2 * value - 1 if value > 0 else -2 * value)

    def bytes(self) -> bytes:
        whole = self._bits + "1"
        whole += "0" * (-len(whole) % 8)
        raw = int(whole, 2).to_bytes(len(whole) // 8, "big")
        out = bytearray()
        for byte in raw:
            if len(out) >= 2 and out[-2:] == b"\0\0" and byte <= 3:
                out.append(3)
            out.append(byte)
        return bytes(out)


@given(
    profile=st.sampled_from([66, 77, 88, 100, 110, 244]),
    chroma=st.integers(0, 3),
    apart=st.booleans(),
    lists=st.lists(st.none() | st.lists(st.integers(-128, 127), min_size=64, max_size=64), min_size=12, max_size=12)
    | st.none(),
    order=st.integers(0, 2),
    cycle=st.lists(st.integers(-(1 << 16), 1 << 16), max_size=6),
    units=st.integers(1, 200),
    fields=st.booleans(),
    crop=st.none() | st.integers(0, 7),
)
def test_any_well_formed_set_says_its_height(
    profile: int,
    chroma: int,
    apart: bool,
    lists: list[list[int] | None] | None,
    order: int,
    cycle: list[int],
    units: int,
    fields: bool,
    crop: int | None,
) -> None:
    w = Writer()
    w.u(8, profile)
    w.u(16, 31)
    w.ue(0)
    if profile >= 100:
        w.ue(chroma)
        if chroma == 3:
            w.u(1, apart)
        w.ue(0)
        w.ue(0)
        w.u(1, 0)
        w.u(1, lists is not None)
        for index, one in enumerate((lists or [])[: 12 if chroma == 3 else 8]):
            w.u(1, one is not None)
            _scaling_list(w, one or [], 16 if index < 6 else 64)
    else:
        chroma, apart = 1, False
    apart = apart and chroma == 3
    w.ue(4)
    w.ue(order)
    if order == 0:
        w.ue(2)
    if order == 1:
        w.u(1, 0)
        w.se(-3)
        w.se(2)
        w.ue(len(cycle))
        for offset in cycle:
            w.se(offset)
    w.ue(1)
    w.u(1, 0)
    w.ue(39)
    w.ue(units - 1)
    w.u(1, not fields)
    if fields:
        w.u(1, 0)
    w.u(1, 1)
    w.u(1, crop is not None)
    each = (2 if fields else 1) * (2 if chroma == 1 and not apart else 1)
    height = 16 * units * (2 if fields else 1)
    if crop is not None:
        crop = min(crop, (height - 1) // (2 * each))
        for side in (3, 4, 0, 2 * crop):
            w.ue(side)
        height -= each * 2 * crop
    w.u(1, 0)
    data = w.bytes()
    if len(data) <= 256:
        assert whole(h264_height, b"\x67" + data) == height
    assert sps_height(data) == height


def _scaling_list(w: Writer, deltas: list[int], size: int) -> None:
    """Only as many deltas as the reader will look for: none after one that makes the next value 0."""
    last = following = 8
    for delta in deltas[:size]:
        if following:
            w.se(delta)
            following = (last + delta) % 256
        last = following or last


@given(st.binary(max_size=300), st.integers(-2, 310), st.integers(-2, 310))
def test_any_bytes_have_an_answer(data: bytes, start: int, end: int) -> None:
    assert 0 <= h264_height(data, start, end) <= MAX_LINES
    assert h264_key(data, start, end) in (True, False)
    assert 0 <= sps_height(data) <= MAX_LINES


@given(st.integers(0, 8 * len(HIGH) - 1))
def test_a_damaged_set_has_an_answer(bit: int) -> None:
    damaged = bytearray(HIGH)
    damaged[bit // 8] ^= 0x80 >> bit % 8
    assert 0 <= sps_height(bytes(damaged)) <= MAX_LINES


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x42\x00\x1f",
        b"\x42\x00\x1f" + bytes(40),  # zeros without end
        b"\x64\x00\x1f\x91",  # a chroma format of 8
        b"\x42\x00\x1f\xd2\x80\x80\x10\x18",  # a cycle of more than 255 frames
    ],
)
def test_what_cannot_be_says_nothing(data: bytes) -> None:
    assert sps_height(data) == 0


def test_a_picture_of_less_than_nothing_and_one_too_large_say_nothing() -> None:
    for units, bottom in ((2, 40), (5000, 0)):
        w = Writer()
        w.u(8, 66)
        w.u(16, 31)
        for number in (0, 4, 2, 1):
            w.ue(number)
        w.u(1, 0)
        w.ue(39)
        w.ue(units - 1)
        w.u(2, 0b11)
        w.u(1, 1)
        for side in (0, 0, 0, bottom):
            w.ue(side)
        assert sps_height(w.bytes()) == 0
