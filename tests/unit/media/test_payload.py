import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.wire.payload import NO_DESCRIPTOR, READERS, av1_key, height, is_key, vp8, vp8_height, vp9, vp9_height


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
    assert whole(vp8, data) == NO_DESCRIPTOR


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


KEY_VP9 = b"\x82\x49\x83\x42\x20\x27\xf0\x16\x70rest"  # 640 x 360


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x08" + KEY_VP9, (True, True, 0, -1, 0, -1, 0, 0, False)),
        (b"\x48" + KEY_VP9, (True, False, 0, -1, 0, -1, 0, 0, False)),  # P: needs others
        (b"\x08\x86", (True, False, 0, -1, 0, -1, 0, 0, False)),  # intra-only
        (b"\x08\x8a", (True, False, 0, -1, 0, -1, 0, 0, False)),  # shows an older one
        (b"\x08x", (True, False, 0, -1, 0, -1, 0, 0, False)),  # no VP9
        (b"\x00" + KEY_VP9, (False, False, 0, -1, 0, -1, 0, 0, False)),  # not its first packet
        (b"\x88\x05\x82", (True, True, 7, 1, 5, -1, 0, 0, False)),
        (b"\x88\x85\x06\x82", (True, True, 15, 1, 0x0506, -1, 0, 0, False)),
        (b"\xa8\x85\x06\x10\x07\x82", (True, True, 15, 1, 0x0506, 4, 7, 0, True)),
        (b"\xe8\x85\x06\x40\x07\x86", (True, False, 15, 1, 0x0506, 4, 7, 2, False)),
        (b"\xe8\x05\xf0\x07\x86", (True, False, 7, 1, 5, 3, 7, 3, True)),  # a temporal id of 7
        (b"\xf8\x05\x50\x04\x86", (True, False, 7, 1, 5, -1, 0, 2, True)),  # flexible: no TL0PICIDX
        (b"\x28\x02\x07\x82", (False, False, 0, -1, 0, 2, 7, 0, False)),  # a higher spatial layer
        (b"\x0a\x18\x02\x80\x01\x68\x01\x04\x01\x82", (True, True, 0, -1, 0, -1, 0, 0, False)),  # with a structure
        (b"\x0a\x18\x02\x80\x01\x68\x01\x04\x01", (True, False, 0, -1, 0, -1, 0, 0, False)),
        (b"\x0a\x08\x02\x04", (True, False, 0, -1, 0, -1, 0, 0, False)),
        (b"\x0a\x08", (True, False, 0, -1, 0, -1, 0, 0, False)),
        (b"\x0a\xf8", (True, False, 0, -1, 0, -1, 0, 0, False)),
    ],
)
def test_vp9_descriptors(data: bytes, expected: tuple[object, ...]) -> None:
    assert whole(vp9, data) == expected


@pytest.mark.parametrize(
    "data", [b"", b"\x08", b"\x88", b"\x88\x05", b"\x88\x85", b"\x28", b"\x28\x00", b"\x28\x00\x00", b"\x38\x00"]
)
def test_cut_vp9_descriptors(data: bytes) -> None:
    assert whole(vp9, data) == NO_DESCRIPTOR


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"\x08" + KEY_VP9, 360),
        (b"\xa8\x85\x06\x00\x07" + KEY_VP9, 360),
        (b"\xb8\x05\x00" + KEY_VP9, 360),
        (b"\x0a\x08\x01\x04\x01" + KEY_VP9, 360),  # a structure without sizes
        (b"\x0a\x30\x01\x40\x00\xb4\x02\x80\x01\x68\x82", 360),  # two spatial layers: the higher one
        (b"\x48" + KEY_VP9, 0),
        (b"\x08" + KEY_VP9[:8], 0),
        (b"\x08\x92" + KEY_VP9[1:], 0),  # another profile
        (b"\x08\x82\x49\x83\x43" + KEY_VP9[4:], 0),
        (b"\x08\x82\x49\x83\x42\xe0" + KEY_VP9[5:], 0),  # sRGB is not of profile 0
        (b"", 0),
    ],
)
def test_height_of_a_vp9_key_frame(data: bytes, lines: int) -> None:
    assert whole(vp9_height, data) == lines


@pytest.mark.parametrize(("data", "key"), [(b"\x18x", True), (b"\x10x", False), (b"\x98x", False), (b"\x18", False)])
def test_av1(data: bytes, key: bool) -> None:
    assert whole(av1_key, data) is key


def test_by_codec_name() -> None:
    assert is_key("vp8", b"\x10\x00", 0, 2)
    assert is_key("h264", b"\x65", 0, 1)
    assert is_key("vp9", b"\x08\x82", 0, 2)
    assert is_key("av1", b"\x18x", 0, 2)
    assert is_key("other", b"x", 0, 1)
    assert not is_key("other", b"", 0, 0)
    assert height("vp8", b"\x10" + KEY_360, 0, 15) == 360
    assert height("vp9", b"\x08" + KEY_VP9, 0, 14) == 360
    assert height("h264", b"\x67", 0, 1) == height("av1", b"\x18x", 0, 2) == 0


@given(st.sampled_from(["vp8", "h264", "vp9", "av1", "x"]), st.binary(max_size=64), st.integers(0, 70), st.integers(0, 70))
def test_any_bytes_and_bounds_have_an_answer(codec: str, data: bytes, start: int, end: int) -> None:
    assert is_key(codec, data, start, end) in (True, False)
    assert 0 <= height(codec, data, start, end) <= 1 << 16
    for reader in READERS.values():
        begins, key, bits, pid_at, pid, tl0_at, tl0, tid, sync = reader(data, start, end)
        assert begins or not key
        assert bits in (0, 7, 15)
        assert 0 <= pid < 1 << 15
        assert 0 <= tl0 < 256
        assert 0 <= tid < 4
        assert sync in (True, False)
        assert max(pid_at, tl0_at) < max(1, end - start)
