"""HEIC by its boxes and parameter sets: what it takes to decode is told by what binds the decoder, not by what is written beside it."""

import struct

import pytest

from tests.support.heavy_pictures import HEIC_KINDS, Heic, box, heic, hevc
from verification.errors import ImageRefused
from verification.headers import hevc as units
from verification.headers import look
from verification.headers.hevc import Coded, Units
from verification.images import DOCUMENT_LIMITS, Limits, read
from verification.reasons import ReasonCode

COSTS = {"400": 7.7, "420": 7.7, "422": 9.2, "444": 9.2, "420 of 10 bits": 12.2, "444 of 10 bits": 15.2}


def refusal(data: bytes) -> ReasonCode:
    with pytest.raises(ImageRefused) as refused:
        look(data)
    return ReasonCode(refused.value.code)


@pytest.mark.parametrize("kind", HEIC_KINDS)
def test_what_it_takes_is_told_by_its_colours_and_depth(kind: str) -> None:
    header = look(heic(kind, 256, 192))
    assert (header.width, header.height, header.orientation) == (256, 192, 1)
    assert header.cost == pytest.approx(COSTS[kind])
    for in_meta in (False, True):
        grid = look(heic(kind, 256, 192, grid=2, how=Heic(in_meta=in_meta, turned=True)))
        assert (grid.width, grid.height, grid.cost) == (256, 192, pytest.approx(COSTS[kind]))


@pytest.mark.parametrize(("width", "height"), [(4032, 3024), (4624, 3472)])
def test_what_telephones_take_is_read_beside_the_models_of_documents(width: int, height: int) -> None:
    """12 and 16 megapixels in tiles, on their side."""
    pytest.importorskip("pi_heif")
    grid = 6 if width == 4032 else 4
    data = heic("420", width, height, grid=grid, how=Heic(turned=True, in_meta=True))
    assert look(data).cost * width * height <= DOCUMENT_LIMITS.memory_bytes
    picture = read(data, limits=DOCUMENT_LIMITS)
    assert picture.shape == (2560, round(2560 * height / width), 3)


def test_parameter_sets_beside_the_slices_count() -> None:
    assert look(heic("420", 256, 192, how=Heic(moved="444 of 10 bits"))).cost == pytest.approx(15.2)
    assert look(heic("420", 256, 192, grid=2, how=Heic(moved="444"))).cost == pytest.approx(9.2)


def test_a_size_that_is_not_the_coded_one_saves_nothing() -> None:
    small = look(heic("420", 512, 384, how=Heic(said=(64, 64))))
    assert small.cost * 64 * 64 == pytest.approx(7.7 * 512 * 384)
    assert refusal(heic("420", 512, 384, grid=2, how=Heic(said=(64, 64), of_grid=(512, 384)))) is ReasonCode.IMAGE_BROKEN
    with pytest.raises(ImageRefused) as refused:
        read(heic("420", 512, 384, how=Heic(said=(64, 64))), limits=Limits(memory_bytes=512 * 384 * 7))
    assert refused.value.code == ReasonCode.IMAGE_TOO_MANY_PIXELS


def test_more_tiles_than_a_picture_has_room_for_are_counted() -> None:
    data = heic("420", 256, 192, grid=2, how=Heic(said=(128, 96)))
    assert look(data).cost * 128 * 96 == pytest.approx(7.7 * 256 * 192)


def test_what_is_decoded_again_and_again_is_refused() -> None:
    assert refusal(heic("420", 1024, 768, grid=4, how=Heic(shared=True, grades=64))) is ReasonCode.IMAGE_BROKEN
    assert refusal(heic("420", 256, 192, how=Heic(pictures=2))) is ReasonCode.IMAGE_ANIMATED


@pytest.mark.parametrize("kind", [b"iovl", b"iden", b"tmap", b"mski", b"grid"])
def test_no_derivation_but_one_grid_of_coded_pictures(kind: bytes) -> None:
    """A canvas of its own size, pictures over pictures, grids of grids: as the picture, as a tile, as its transparency."""
    whole = heic("420", 256, 192, grid=2)
    if kind != b"grid":
        assert refusal(whole.replace(b"grid\0", kind + b"\0", 1)) is ReasonCode.IMAGE_FORMAT_UNKNOWN
    assert refusal(whole.replace(b"hvc1\0", kind + b"\0", 1)) is ReasonCode.IMAGE_FORMAT_UNKNOWN
    seen_through = heic("420", 256, 192, how=Heic(transparent=True))
    at = seen_through.rindex(b"hvc1\0")
    assert refusal(seen_through[:at] + kind + seen_through[at + 4 :]) in {
        ReasonCode.IMAGE_FORMAT_UNKNOWN,
        ReasonCode.IMAGE_TRUNCATED,  # a slice is read as the shape of a grid
        ReasonCode.IMAGE_BROKEN,
    }


def test_a_grid_of_itself() -> None:
    data = heic("420", 256, 192, grid=2)
    circle = data.replace(struct.pack(">HHHHHH", 5, 4, 1, 2, 3, 4), struct.pack(">HHHHHH", 5, 4, 1, 2, 3, 5), 1)
    assert circle != data
    assert refusal(circle) is ReasonCode.IMAGE_FORMAT_UNKNOWN


def told(*more: bytes, profile: int = 0, pictures: int = 1, of: int = 1, text: bytes = b"", inside: int = 0) -> bytes:
    """Pictures that share a colour profile of ``profile`` bytes and a text of the kind ``text`` about ``of`` of them, with ``inside`` bytes in it."""
    units = hevc(128, 96, "420")
    coded = b"".join(struct.pack(">I", len(unit)) + unit for unit in units if unit[0] >> 1 & 63 < 32)
    kinds = [(number, b"hvc1\0") for number in range(1, pictures + 1)] + [(pictures + 1, text)] * bool(text)
    settings = heic("420", 128, 96)
    at = settings.index(b"hvcC") - 4
    settings = settings[at : at + int.from_bytes(settings[at : at + 4], "big")]
    size = box(b"ispe", bytes(4), struct.pack(">II", 128, 96))
    links = [struct.pack(">HB3B", number, 3, 0x81, 2, 3) for number in range(1, pictures + 1)]

    def meta(at: int) -> bytes:
        places = [(number, at + (number - 1) * len(coded), len(coded)) for number in range(1, pictures + 1)]
        places += [(pictures + 1, at + pictures * len(coded), inside)] * bool(text)
        return box(
            b"meta",
            bytes(4),
            box(b"pitm", bytes(4), b"\0\1"),
            box(b"iloc", b"\0\0\0\0\x44\0", struct.pack(">H", len(places)), *(struct.pack(">HHHII", n, 0, 1, a, b) for n, a, b in places)),
            box(b"iinf", bytes(4), struct.pack(">H", len(kinds)), *(box(b"infe", b"\2\0\0\0", struct.pack(">HH", n, 0), k) for n, k in kinds)),
            box(b"iprp", box(b"ipco", settings, size, box(b"colr", b"prof", bytes(profile))), box(b"ipma", bytes(4), struct.pack(">I", pictures), *links)),
            box(b"iref", bytes(4), *([box(b"cdsc", struct.pack(f">HH{of}H", pictures + 1, of, *range(1, of + 1)))] if text else [])),
            *more,
        )  # fmt: skip

    start = box(b"ftyp", b"heic\0\0\0\0mif1heic")
    return start + meta(len(start) + len(meta(0)) + 8) + box(b"mdat", coded * pictures, bytes(inside))


def test_what_is_said_about_a_picture_counts_for_each() -> None:
    """A decoder keeps a copy of the profile and of the text for every picture of the file."""
    assert (look(told(profile=4096, pictures=192, of=192, text=b"Exif\0", inside=3000)).width) == 128
    assert look(told(profile=3 << 20)).cost == pytest.approx(7.7)
    assert refusal(told(profile=100_000, pictures=50)) is ReasonCode.IMAGE_BROKEN
    assert refusal(told(pictures=50, of=50, text=b"Exif\0", inside=100_000)) is ReasonCode.IMAGE_BROKEN
    assert look(told(pictures=50, of=1, text=b"Exif\0", inside=100_000)).width == 128
    assert refusal(told(pictures=1001)) is ReasonCode.IMAGE_BROKEN


def test_texts_that_are_packed_are_not_unpacked() -> None:
    """14496-12 8.11.6.2: the third word says how."""
    assert look(told(text=b"mime\0application/rdf+xml\0", inside=50)).width == 128
    for packed in (b"mime\0application/rdf+xml\0deflate\0", b"mimename\0application/rdf+xml\0br"):
        assert refusal(told(text=packed, inside=50)) is ReasonCode.IMAGE_FORMAT_UNKNOWN


def test_no_part_of_the_file_is_several_things() -> None:
    whole = told(text=b"Exif\0", inside=5000)
    assert look(whole).width == 128
    place = whole.index(b"iloc") + 12
    number, source, count, at, size = struct.unpack(">HHHII", whole[place + 14 : place + 28])
    assert (number, source, count, size) == (2, 0, 1, 5000)
    everything = whole[: place + 14] + struct.pack(">HHHII", 2, 0, 1, 0, len(whole)) + whole[place + 28 :]
    assert at > 0
    assert refusal(everything) is ReasonCode.IMAGE_BROKEN


def test_transparency_is_counted_and_only_of_the_whole() -> None:
    pytest.importorskip("pi_heif")
    data = heic("420", 256, 192, how=Heic(transparent=True))
    assert look(data).cost == pytest.approx(7.7 * 2 + 1)
    assert read(data).shape == (192, 256, 3)
    assert refusal(heic("420", 256, 192, grid=2, how=Heic(transparent=True, of=1))) is ReasonCode.IMAGE_FORMAT_UNKNOWN
    twice = data.replace(struct.pack(">I4sHHH", 14, b"auxl", 2, 1, 1), struct.pack(">I4sHHH", 14, b"auxl", 2, 1, 2))
    assert refusal(twice) is ReasonCode.IMAGE_FORMAT_UNKNOWN


@pytest.mark.parametrize(
    ("name", "old", "new", "reason"),
    [
        ("another kind of item", b"hvc1\0", b"av01\0", ReasonCode.IMAGE_FORMAT_UNKNOWN),
        ("no primary item", b"pitm", b"pitx", ReasonCode.IMAGE_BROKEN),
        ("another primary item", b"pitm\0\0\0\0\0\1", b"pitm\0\0\0\0\0\7", ReasonCode.IMAGE_BROKEN),
        ("no size", b"ispe", b"ispx", ReasonCode.IMAGE_BROKEN),
        ("no parameters", b"hvcC", b"hvcX", ReasonCode.IMAGE_BROKEN),
        ("another file", b"iloc\1\0\0\0\x44\0\0\1\0\1\0\0\0\0", b"iloc\1\0\0\0\x44\0\0\1\0\1\0\0\0\1", ReasonCode.IMAGE_FORMAT_UNKNOWN),
        ("another item's data", b"iloc\1\0\0\0\x44\0\0\1\0\1\0\0", b"iloc\1\0\0\0\x44\0\0\1\0\1\0\2", ReasonCode.IMAGE_FORMAT_UNKNOWN),
        ("two tables", b"hdlr", b"iloc", ReasonCode.IMAGE_BROKEN),
    ],
)  # fmt: skip
def test_boxes_that_do_not_fit(name: str, old: bytes, new: bytes, reason: ReasonCode) -> None:
    data = heic("420", 256, 192)
    assert old in data
    assert refusal(data.replace(old, new, 1)) is reason, name


@pytest.mark.parametrize(
    ("name", "old", "new", "reason"),
    [
        ("tiles of another kind", b"hvc1\0", b"jpeg\0", ReasonCode.IMAGE_FORMAT_UNKNOWN),
        ("a tile that is not there", struct.pack(">HHHHHH", 5, 4, 1, 2, 3, 4), struct.pack(">HHHHHH", 5, 4, 1, 2, 3, 9), ReasonCode.IMAGE_BROKEN),
        ("a tile too few", struct.pack(">BBBBHH", 0, 0, 1, 1, 256, 192), struct.pack(">BBBBHH", 0, 0, 1, 2, 256, 192), ReasonCode.IMAGE_BROKEN),
        ("a shape cut short", struct.pack(">BBBBHH", 0, 0, 1, 1, 256, 192), struct.pack(">BBBBHH", 0, 1, 1, 1, 256, 192), ReasonCode.IMAGE_TRUNCATED),
    ],
)  # fmt: skip
def test_grids_that_do_not_fit(name: str, old: bytes, new: bytes, reason: ReasonCode) -> None:
    data = heic("420", 256, 192, grid=2)
    assert old in data
    assert refusal(data.replace(old, new, 1)) is reason, name


def test_long_tables_are_not_read_to_their_end() -> None:
    """Of a file of 10 mebibytes; how long that takes is measured in tests/fuzz/test_images.py."""
    start = box(b"ftyp", b"heic\0\0\0\0mif1heic")
    items = box(b"iinf", bytes(6))
    primary = box(b"pitm", bytes(6))
    places = box(b"iloc", b"\1\0\0\0\x44\0", struct.pack(">H", 65_535), bytes(65_535 * 16))
    properties = box(b"iprp", box(b"ipco"), box(b"ipma", bytes(4), struct.pack(">I", 1 << 21), b"\0\1\0" * (1 << 21)))
    for tables in (places + box(b"iprp", box(b"ipco")), box(b"iloc", b"\1\0\0\0\x44\0\0\0") + properties):
        assert refusal(start + box(b"meta", bytes(4), primary, items, tables) + box(b"mdat")) is ReasonCode.IMAGE_BROKEN


# ---- parameter sets


def _bits(*parts: tuple[int, int]) -> bytes:
    """(value, how many bits) after one another; what is left is 1."""
    text = "".join(f"{value:0{count}b}" for value, count in parts if count)
    return int(text.ljust(-(-len(text) // 8) * 8, "1"), 2).to_bytes(-(-len(text) // 8), "big")


def _ue(value: int) -> tuple[int, int]:
    return value + 1, 2 * (value + 1).bit_length() - 1


def _set(*, layers: int = 0, chroma: int = 1, width: int = 640, height: int = 480, window: bool = False, luma: int = 8, other: int = 8) -> bytes:  # fmt: skip
    """7.3.2.2.1, with emulation prevention."""
    parts = [(0, 4), (layers, 3), (1, 1), (1, 8), (0x60000000, 32), (0x90 << 40, 48), (120, 8)]
    parts += [(1, 1)] * (2 * layers) + [(0, 2 * (8 - layers))] * bool(layers) + [(0, 96)] * layers
    parts += [_ue(0), _ue(chroma), *([(0, 1)] if chroma == 3 else []), _ue(width), _ue(height), (window, 1)]
    parts += [_ue(1)] * (4 * window) + [_ue(luma - 8), _ue(other - 8)]
    body, out = _bits(*parts) + b"\x80", bytearray()
    for byte in body:
        if byte <= 3 and out[-2:] == b"\0\0":
            out.append(3)
        out.append(byte)
    return b"\x42\x01" + bytes(out)


def _coded(*sets: bytes, body: bytes = b"") -> Coded:
    """Of settings with these units, and of a picture whose units have lengths of one byte."""
    listed = b"".join(b"\xa1" + struct.pack(">HH", 1, len(one)) + one for one in sets)
    return Units().coded(bytes(22) + bytes([len(sets)]) + listed, body)


@pytest.mark.parametrize("layers", [0, 1, 6])
def test_a_parameter_set_is_read_whatever_stands_before_it(layers: int) -> None:
    assert _coded(_set(layers=layers, window=True)) == Coded(640, 480, 1, 8)
    assert _coded(_set(layers=layers, chroma=3, width=8192, height=4320, luma=10, other=12)) == Coded(8192, 4320, 3, 12)


def test_the_dearest_of_several_counts() -> None:
    assert _coded(_set(chroma=0, width=4000), _set(height=3000, luma=10)) == Coded(4000, 3000, 1, 10)


@pytest.mark.parametrize(
    ("sets", "reason"),
    [
        ((), ReasonCode.IMAGE_BROKEN),
        ((b"\x40\x01abc",), ReasonCode.IMAGE_BROKEN),
        ((_set(chroma=5),), ReasonCode.IMAGE_BROKEN),
        ((_set(luma=20),), ReasonCode.IMAGE_BROKEN),
        ((_set(width=0),), ReasonCode.IMAGE_BROKEN),
        ((_set()[:12],), ReasonCode.IMAGE_TRUNCATED),
        ((b"\x42\x01" + bytes(60),), ReasonCode.IMAGE_BROKEN),
        ((b"\x42",), ReasonCode.IMAGE_BROKEN),
    ],
)
def test_parameter_sets_that_make_no_sense(sets: tuple[bytes, ...], reason: ReasonCode) -> None:
    with pytest.raises(ImageRefused) as refused:
        _coded(*sets)
    assert refused.value.code == reason


def test_units_are_counted_and_end_where_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImageRefused) as refused:
        _coded(_set(), body=b"\2\x26")
    assert refused.value.code == ReasonCode.IMAGE_TRUNCATED
    monkeypatch.setattr(units, "MOST_UNITS", 3)
    slices = b"\2\x26\x01" * 3
    with pytest.raises(ImageRefused) as refused:
        _coded(_set(), body=slices)
    assert refused.value.code == ReasonCode.IMAGE_BROKEN
    assert _coded(_set(), body=slices[:6]) == Coded(640, 480, 1, 8)
