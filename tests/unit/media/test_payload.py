import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.wire.payload import NO_VP8, av1_key, h264_key, is_key, vp8, vp8_height, vp9_key


def whole(read: object, data: bytes) -> object:
    return read(data, 0, len(data))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x10\x00", (True, True, 0, -1, 0, -1, 0, 0, False)),
        (b"\x10\x01", (True, False, 0, -1, 0, -1, 0, 0, False)),
        (b"\x00\x00", (False, False, 0, -1, 0, -1, 0, 0, False)),
        (b"\x11\x00", (False, False, 0, -1, 0, -1, 0, 0, False)),  # a later partition
        (b"\x90\x80\x05\x00", (True, True, 7, 2, 5, -1, 0, 0, False)),
        (b"\x90\x80\x85\x06\x00", (True, True, 15, 2, 0x0506, -1, 0, 0, False)),
        (b"\x90\xe0\x85\x06\x07\x20\x00", (True, True, 15, 2, 0x0506, 4, 7, 0, True)),
        (b"\x90\xa0\x05\x80\x01", (True, False, 7, 2, 5, -1, 0, 2, False)),
        (b"\x90\x10\xff\x01", (True, False, 0, -1, 0, -1, 0, 0, False)),  # only a key index
        (b"\x90\x40\x09\x01", (True, False, 0, -1, 0, 2, 9, 0, False)),
        (b"\x90\x00\x00", (True, True, 0, -1, 0, -1, 0, 0, False)),
    ],
)
def test_vp8_descriptors(data: bytes, expected: tuple[object, ...]) -> None:
    assert whole(vp8, data) == expected


@pytest.mark.parametrize(
    "data", [b"", b"\x10", b"\x90", b"\x90\x80", b"\x90\x80\x85", b"\x90\x40", b"\x90\x30\x01", b"\x90\x20"]
)
def test_cut_vp8_descriptors(data: bytes) -> None:
    assert whole(vp8, data) == NO_VP8


KEY_360 = b"\x10\x02\x00\x9d\x01\x2a\x80\x02\x68\x41rest"


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"\x10" + KEY_360, 360),  # the two upper bits are the scaling
        (b"\x90\xf0\x85\x06\x07\x20" + KEY_360, 360),
        (b"\x90\x80\x05" + KEY_360, 360),
        (b"\x10\x11" + KEY_360[1:], 0),  # no key frame
        (b"\x10" + KEY_360[:9], 0),
        (b"\x10" + b"\x10\x02\x00\x9d\x01\x2b\x80\x02\x68\x01", 0),
        (b"\x90", 0),
        (b"\x90\x80", 0),
        (b"", 0),
    ],
)
def test_height_of_a_key_frame(data: bytes, lines: int) -> None:
    assert whole(vp8_height, data) == lines


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
def test_h264(data: bytes, key: bool) -> None:
    assert whole(h264_key, data) is key


@pytest.mark.parametrize(
    ("data", "key"),
    [
        (b"\x08x", True),
        (b"\x48x", False),
        (b"\x00x", False),
        (b"\x88\x05x", True),
        (b"\x88\x85\x06x", True),
        (b"\x88", False),
        (b"\x28\x00x", True),
        (b"\x28\x02x", False),
        (b"\x28", False),
        (b"", False),
    ],
)
def test_vp9(data: bytes, key: bool) -> None:
    assert whole(vp9_key, data) is key


@pytest.mark.parametrize(("data", "key"), [(b"\x18x", True), (b"\x10x", False), (b"\x98x", False), (b"\x18", False)])
def test_av1(data: bytes, key: bool) -> None:
    assert whole(av1_key, data) is key


def test_by_codec_name() -> None:
    assert is_key("vp8", b"\x10\x00", 0, 2)
    assert is_key("h264", b"\x65", 0, 1)
    assert is_key("vp9", b"\x08x", 0, 2)
    assert is_key("av1", b"\x18x", 0, 2)
    assert is_key("other", b"x", 0, 1)
    assert not is_key("other", b"", 0, 0)


@given(st.sampled_from(["vp8", "h264", "vp9", "av1", "x"]), st.binary(max_size=64), st.integers(0, 70), st.integers(0, 70))
def test_any_bytes_and_bounds_have_an_answer(codec: str, data: bytes, start: int, end: int) -> None:
    assert is_key(codec, data, start, end) in (True, False)
    begins, key, bits, pid_at, pid, tl0_at, tl0, tid, sync = vp8(data, start, end)
    assert begins or not key
    assert bits in (0, 7, 15)
    assert 0 <= pid < 1 << 15
    assert 0 <= tl0 < 256
    assert 0 <= tid < 4
    assert sync in (True, False)
    assert 0 <= vp8_height(data, start, end) < 1 << 14
    assert max(pid_at, tl0_at) < max(1, end - start)
