"""Reading strangers' pictures: what is read, which way up, and everything that is refused and with which code."""

import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from tests.support.heavy_pictures import HEIC_KINDS, heic, jpeg, png
from tests.unit.verification import pictures
from tests.unit.verification.pictures import after_start, chunk, corners, encoded, fields, segment
from verification import images
from verification.errors import ImageRefused
from verification.headers import look
from verification.images import Limits, read
from verification.reasons import ReasonCode

UPRIGHT = ["red", "green", "blue", "yellow"]
# How a camera held that way stores the upright picture (EXIF 2.32, 4.6.4): what undoes the orientation.
STORED = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: np.rot90(p, 1),
    7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
    8: lambda p: np.rot90(p, -1),
}


def refusal(data: bytes, limits: Limits = images.DEFAULT_LIMITS) -> ReasonCode:
    with pytest.raises(ImageRefused) as refused:
        read(data, limits=limits)
    assert refused.value.detail
    assert not refused.value.detail.endswith(".")
    return ReasonCode(refused.value.code)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_format_is_read_the_right_way_up(kind: str, orientation: int) -> None:
    stored = np.ascontiguousarray(STORED[orientation](fields()))
    picture = read(encoded(stored, kind, orientation=orientation))
    assert picture.shape == (120, 160, 3)
    assert corners(picture) == UPRIGHT
    assert picture.dtype == np.uint8
    assert picture.flags.c_contiguous


def test_heic_is_read_and_turned() -> None:
    pytest.importorskip("pi_heif")
    assert read(pictures.HEIC).shape == (96, 128, 3)
    turned = read(pictures.HEIC_TURNED)
    assert turned.shape == (128, 96, 3)
    assert np.abs(turned[5, 48].astype(int) - (40, 200, 40)).max() < 12


@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [
        ("JPEG", "L", {}),
        ("JPEG", "CMYK", {}),
        ("JPEG", "RGB", {"progressive": True, "quality": 90}),
        ("JPEG", "RGB", {"subsampling": 2, "restart_marker_blocks": 4}),
        ("PNG", "L", {}),
        ("PNG", "P", {}),
        ("PNG", "1", {}),
        ("PNG", "LA", {}),
        ("PNG", "RGBA", {}),
        ("PNG", "I;16", {}),
        ("WEBP", "RGBA", {"lossless": True}),
        ("WEBP", "RGB", {"quality": 50}),
    ],
)
def test_every_kind_of_colours_becomes_rgb(kind: str, mode: str, options: dict[str, object]) -> None:
    if mode == "I;16":
        grey = np.repeat(np.arange(160, dtype=np.uint16)[None] * 400, 120, axis=0)
        data = encoded_image(Image.fromarray(grey), kind)
        picture = read(data)
        assert picture[60, 0, 0] == 0
        assert picture[60, 159, 0] == 159 * 400 >> 8
    else:
        picture = read(encoded(fields(), kind, mode=mode, **options))
        if mode in {"CMYK", "RGB", "RGBA"}:
            assert corners(picture) == UPRIGHT
    assert picture.shape == (120, 160, 3)


def encoded_image(image: Image.Image, kind: str, **options: object) -> bytes:
    import io

    out = io.BytesIO()
    image.save(out, kind, **options)  # type: ignore[arg-type]
    return out.getvalue()


def test_sixteen_bits_of_colour_are_read() -> None:
    rows = b"".join(b"\x00" + struct.pack(">HHH", 0xFF00, 0x8000, 0x0100) * 80 for _ in range(70))
    head = struct.pack(">IIBBBBB", 80, 70, 16, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    assert read(data)[30, 30].tolist() == [0xFF, 0x80, 0x01]


def test_what_is_transparent_is_white() -> None:
    image = Image.new("RGBA", (80, 80), (255, 0, 0, 0))
    assert read(encoded_image(image, "PNG"))[40, 40].tolist() == [255, 255, 255]
    palette = Image.new("P", (80, 80), 0)
    palette.putpalette([255, 0, 0, 0, 255, 0])
    assert read(encoded_image(palette, "PNG", transparency=0))[40, 40].tolist() == [255, 255, 255]


def test_metadata_never_reaches_the_decoder() -> None:
    secret = b"52.5163N 13.3777E"
    jpeg = after_start(encoded(fields(), orientation=6), segment(0xFE, secret), segment(0xED, b"Photoshop 3.0\x00" + secret))
    png = encoded(fields(), "PNG")
    png = (
        png[:33]
        + chunk(b"tEXt", b"Comment\x00" + secret)
        + chunk(b"iCCP", b"profile\x00\x00" + zlib.compress(secret))
        + png[33:]
    )
    webp = encoded(fields(), "WEBP", exif=b"Exif\x00\x00" + secret, xmp=b"<x>" + secret)
    for data in (jpeg, png, webp):
        assert secret in data
        header = look(data)
        assert secret not in header.clean
        assert b"Exif" not in header.clean
        assert b"Photoshop" not in header.clean
        assert read(data).shape[2] == 3


def test_a_large_picture_is_reduced() -> None:
    limits = Limits(work_side=512)
    for kind in ("JPEG", "PNG", "WEBP"):
        picture = read(encoded(fields(2400, 1800), kind), limits=limits)
        assert picture.shape == (384, 512, 3)
        assert corners(picture) == UPRIGHT


# ---------------------------------------------------------------- refused


def test_limits_are_kept_before_decoding() -> None:
    assert refusal(b"") is ReasonCode.IMAGE_EMPTY
    assert refusal(encoded(fields()) + bytes(2000), Limits(max_bytes=1000)) is ReasonCode.IMAGE_TOO_LARGE
    assert refusal(encoded(fields(63, 400))) is ReasonCode.IMAGE_TOO_SMALL
    assert refusal(encoded(fields(400, 300)), Limits(max_pixels=100_000)) is ReasonCode.IMAGE_TOO_MANY_PIXELS
    assert refusal(encoded(fields(400, 80)), Limits(max_side=300)) is ReasonCode.IMAGE_TOO_MANY_PIXELS


@pytest.mark.parametrize(
    ("kind", "cost"),
    [
        ("grey 1", 4.6),
        ("grey 16", 5.2),
        ("grey alpha 8", 12),
        ("palette 8", 4.6),
        ("palette 8 transparent", 12),
        ("colour 8", 7.8),
        ("colour 16", 15.6),
        ("colour alpha 8", 12),
        ("colour alpha 16", 20.8),
    ],
)
def test_a_png_may_have_as_many_pixels_as_its_kind_leaves_memory_for(kind: str, cost: float) -> None:
    data = png(kind, 200, 160)
    assert read(data, limits=Limits(memory_bytes=int(200 * 160 * cost) + 2)).shape == (160, 200, 3)
    assert refusal(data, Limits(memory_bytes=int(200 * 160 * cost) - 100)) is ReasonCode.IMAGE_TOO_MANY_PIXELS


@pytest.mark.parametrize(("kind", "held"), [("grey", 2), ("colour", 3), ("colour 444", 6), ("cmyk", 8)])
def test_coefficients_of_a_jpeg_in_several_scans_are_counted(kind: str, held: float) -> None:
    assert (look(jpeg(kind, 320, 240)).cost, look(jpeg(kind, 320, 240)).cost_halved) == (7.4, 4.3)
    progressive = look(jpeg(f"{kind} progressive", 320, 240))
    assert progressive.cost == max(7.4, 4 + held)
    assert progressive.cost_halved == max(4.3, 1.1 + held)


def test_a_sequential_jpeg_in_several_scans_is_counted_too() -> None:
    data = jpeg("colour 444", 320, 240)
    scan = data.index(b"\xff\xda")
    assert data[scan + 4] == 3
    one = b"\xff\xda" + struct.pack(">HBBBBBB", 8, 1, 1, 0, 0, 63, 0)
    rest = data[scan + 14 :]
    assert look(data[:scan] + one + rest).cost == 10
    assert look(data[:-2] + one + rest).cost == 10


def test_a_jpeg_that_is_too_large_whole_is_read_at_half_its_size() -> None:
    data = encoded(fields(800, 600))
    assert read(data, limits=Limits(memory_bytes=480_000 * 8)).shape == (600, 800, 3)
    halved = read(data, limits=Limits(memory_bytes=480_000 * 5))
    assert halved.shape == (300, 400, 3)
    assert corners(halved) == UPRIGHT
    assert refusal(data, Limits(memory_bytes=480_000 * 4)) is ReasonCode.IMAGE_TOO_MANY_PIXELS


def test_what_telephones_take_is_not_too_large() -> None:
    """22 megapixels of HEIC; 24 of JPEG, and of progressive JPEG."""
    limits = images.DEFAULT_LIMITS
    assert look(pictures.HEIC).cost * 5472 * 4104 <= limits.memory_bytes
    for kind in ("colour", "colour 444", "colour progressive", "colour 444 progressive"):
        header = look(jpeg(kind, 64, 64))
        assert header.cost_halved is not None
        assert min(header.cost, header.cost_halved) * 5712 * 4284 <= limits.memory_bytes


def test_a_jpeg_with_impossible_sampling_is_refused() -> None:
    data = bytearray(encoded(fields()))
    data[data.index(b"\xff\xc0") + 11] = 0x02
    assert refusal(bytes(data)) is ReasonCode.IMAGE_BROKEN


@pytest.mark.parametrize("kind", HEIC_KINDS)
@pytest.mark.parametrize("grid", [1, 2])
def test_heic_of_every_kind_is_read_and_reduced(kind: str, grid: int) -> None:
    pytest.importorskip("pi_heif")
    data = heic(kind, 512, 384, grid=grid)
    assert read(data).shape == (384, 512, 3)
    assert read(data, limits=Limits(work_side=300)).shape == (225, 300, 3)


def _bombs() -> list[tuple[str, bytes]]:
    """Small files that promise a huge picture, or many pictures."""
    jpeg = bytearray(encoded(fields()))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 65500, 65500)
    webp = bytearray(encoded(fields(), "WEBP", lossless=True))
    webp[21:25] = (0x3FFF | 0x3FFF << 14).to_bytes(4, "little")
    heic = bytearray(pictures.HEIC)
    at = heic.index(b"ispe")
    heic[at + 8 : at + 16] = struct.pack(">II", 60000, 60000)
    return [
        ("png", pictures.png_that_says(50_000, 50_000, data=bytes(1_000_000))),
        ("png side", pictures.png_that_says(2**31 - 1, 1)),
        ("jpeg", bytes(jpeg)),
        ("webp", bytes(webp)),
        ("heic", bytes(heic)),
    ]


@pytest.mark.parametrize(("name", "data"), _bombs())
def test_a_bomb_is_refused_before_it_is_decoded(name: str, data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def decoded(*_: object) -> None:
        pytest.fail(f"{name} was decoded")

    monkeypatch.setattr(images, "_decode", decoded)
    began = time.thread_time()
    reason = refusal(data)
    assert reason in {ReasonCode.IMAGE_TOO_MANY_PIXELS, ReasonCode.IMAGE_TRUNCATED}
    assert time.thread_time() - began < 0.2


def test_a_jpeg_that_is_too_short_for_its_size_is_no_picture() -> None:
    jpeg = bytearray(encoded(fields()))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 4000, 4000)
    assert refusal(bytes(jpeg)) is ReasonCode.IMAGE_TRUNCATED


def test_endless_scans_are_refused() -> None:
    jpeg = encoded(fields(), progressive=True)
    scan = jpeg.rindex(b"\xff\xda")
    assert refusal(jpeg[:scan] + jpeg[scan:-2] * 60 + jpeg[-2:]) is ReasonCode.IMAGE_BROKEN


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIF"])
def test_a_picture_cut_short_anywhere_is_refused(kind: str) -> None:
    data = pictures.HEIC if kind == "HEIF" else encoded(fields(), kind)
    for share in range(1, 40):
        cut = data[: len(data) * share // 40]
        with pytest.raises(ImageRefused) as refused:
            read(cut)
        assert refused.value.code in {"image_truncated", "image_broken", "image_format_unknown"}
    assert refusal(data[:-1]) is ReasonCode.IMAGE_TRUNCATED


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    "tail", [b"%PDF-1.7 ...", b"PK\x03\x04" + bytes(40) + b"PK\x05\x06" + bytes(18), b"<script>alert(1)</script>", b"x" * 20]
)
def test_what_hides_behind_a_picture_is_refused(kind: str, tail: bytes) -> None:
    assert refusal(encoded(fields(), kind) + tail) is ReasonCode.IMAGE_FOREIGN_DATA


def test_what_hides_in_a_picture_is_refused() -> None:
    jpeg, png, webp = (encoded(fields(), kind) for kind in ("JPEG", "PNG", "WEBP"))
    assert refusal(after_start(jpeg, segment(0xFE, b"%PDF-1.4 1 0 obj"))) is ReasonCode.IMAGE_FOREIGN_DATA
    assert refusal(png[:33] + chunk(b"prVt", b"<!DOCTYPE html>") + png[33:]) is ReasonCode.IMAGE_FOREIGN_DATA
    body = webp[12:] + b"JUNK" + struct.pack("<I", 12) + b"<?php x(); ?>"[:12]
    assert refusal(b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body) is ReasonCode.IMAGE_FOREIGN_DATA
    heic = pictures.HEIC
    assert refusal(heic + struct.pack(">I", 16) + b"free%PDF-1.7") is ReasonCode.IMAGE_FOREIGN_DATA
    assert refusal(heic + struct.pack(">I", 16) + b"evilsomething"[:12]) is ReasonCode.IMAGE_FOREIGN_DATA


def test_padding_and_what_cameras_add_is_dropped() -> None:
    jpeg = encoded(fields())
    assert corners(read(jpeg + bytes(500))) == UPRIGHT
    more = after_start(jpeg, segment(0xE2, b"MPF\x00" + bytes(20))) + jpeg
    assert corners(read(more)) == UPRIGHT
    assert len(look(more).clean) <= len(jpeg)
    samsung = b"\x00\x01MotionPhoto" + bytes(30) + b"SEFH" + bytes(8) + struct.pack("<I", 12) + b"SEFT"
    assert corners(read(jpeg + samsung)) == UPRIGHT
    assert refusal(jpeg + bytes(30) + b"anything" + b"SEFT") is ReasonCode.IMAGE_FOREIGN_DATA
    assert refusal(jpeg + b"<html>" + samsung) is ReasonCode.IMAGE_FOREIGN_DATA
    assert refusal(more + b"<html>") is ReasonCode.IMAGE_FOREIGN_DATA
    assert refusal(jpeg + jpeg) is ReasonCode.IMAGE_FOREIGN_DATA
    assert refusal(jpeg + struct.pack(">I", 24) + b"ftypisom" + bytes(12)) is ReasonCode.IMAGE_ANIMATED


def test_what_moves_is_refused() -> None:
    frames = [Image.fromarray(fields()), Image.fromarray(fields()[::-1].copy())]
    for kind in ("PNG", "WEBP"):
        data = encoded_image(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)
        assert refusal(data) is ReasonCode.IMAGE_ANIMATED
    sequence = bytearray(pictures.HEIC)
    sequence[8:12] = b"msf1"
    assert refusal(bytes(sequence)) is ReasonCode.IMAGE_ANIMATED
    assert refusal(pictures.HEIC + struct.pack(">I", 16) + b"moov" + bytes(8)) is ReasonCode.IMAGE_ANIMATED


@pytest.mark.parametrize(
    "data",
    [
        b"GIF89a" + bytes(100),
        b"BM" + bytes(100),
        b"II*\x00" + bytes(100),
        b"%PDF-1.7",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"RIFF\x10\x00\x00\x00WAVE" + bytes(20),
        b"\x00\x00\x00\x18ftypavif" + bytes(12),
    ],
)
def test_other_formats_are_refused(data: bytes) -> None:
    assert refusal(data) is ReasonCode.IMAGE_FORMAT_UNKNOWN


def _jpeg_with(offset: int, value: bytes, *, at: bytes = b"\xff\xc0") -> bytes:
    jpeg = bytearray(encoded(fields()))
    start = jpeg.index(at) + offset
    jpeg[start : start + len(value)] = value
    return bytes(jpeg)


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("arithmetic coding", _jpeg_with(1, b"\xc9"), ReasonCode.IMAGE_FORMAT_UNKNOWN),
        ("twelve bits", _jpeg_with(4, b"\x0c"), ReasonCode.IMAGE_FORMAT_UNKNOWN),
        ("two components", _jpeg_with(9, b"\x02"), ReasonCode.IMAGE_FORMAT_UNKNOWN),
        ("no height", _jpeg_with(5, b"\x00\x00"), ReasonCode.IMAGE_BROKEN),
        ("no frame", _jpeg_with(1, b"\xfe"), ReasonCode.IMAGE_BROKEN),
        ("no marker", b"\xff\xd8" + bytes(40), ReasonCode.IMAGE_BROKEN),
        ("nothing", b"\xff\xd8\xff\xd9", ReasonCode.IMAGE_BROKEN),
        ("start in start", b"\xff\xd8\xff\xd8\xff\xd9", ReasonCode.IMAGE_BROKEN),
        ("a segment of no length", b"\xff\xd8\xff\xe0\x00\x00\xff\xd9", ReasonCode.IMAGE_BROKEN),
        ("a frame of no length", b"\xff\xd8" + segment(0xC0, b"\x08\x00") + b"\xff\xd9", ReasonCode.IMAGE_BROKEN),
        ("endless fill", b"\xff\xd8" + b"\xff" * 9000, ReasonCode.IMAGE_BROKEN),
        ("two frames", after_start(_jpeg_with(0, b""), segment(0xC0, b"\x08\x00\x78\x00\xa0\x01\x01\x11\x00")), ReasonCode.IMAGE_BROKEN),
        ("quantisation tables gone", encoded(fields()).replace(b"\xff\xdb", b"\xff\xfe"), ReasonCode.IMAGE_BROKEN),
    ],
)  # fmt: skip
def test_a_jpeg_that_makes_no_sense_is_refused(name: str, data: bytes, reason: ReasonCode) -> None:
    assert refusal(data) is reason, name


def _png_with(head: tuple[int, ...]) -> bytes:
    body = struct.pack(">IIBBBBB", *head)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", body) + chunk(b"IDAT", zlib.compress(bytes(40000))) + chunk(b"IEND", b"")


_PNG_HEAD = chunk(b"IHDR", struct.pack(">IIBBBBB", 100, 100, 8, 2, 0, 0, 0))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("no size", _png_with((0, 100, 8, 2, 0, 0, 0))),
        ("depth 3", _png_with((100, 100, 3, 0, 0, 0, 0))),
        ("colour 5", _png_with((100, 100, 8, 5, 0, 0, 0))),
        ("interlace 2", _png_with((100, 100, 8, 2, 0, 0, 2))),
        ("no header", b"\x89PNG\r\n\x1a\n" + chunk(b"IDAT", b"x") + chunk(b"IEND", b"")),
        ("two headers", b"\x89PNG\r\n\x1a\n" + _PNG_HEAD * 2 + chunk(b"IDAT", b"x") + chunk(b"IEND", b"")),
        ("short header", b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", b"\x00") + chunk(b"IEND", b"")),
        ("no data", b"\x89PNG\r\n\x1a\n" + _PNG_HEAD + chunk(b"IEND", b"")),
        ("a chunk nobody knows", b"\x89PNG\r\n\x1a\n" + _PNG_HEAD + chunk(b"ABCD", b"") + chunk(b"IEND", b"")),
        ("too many chunks", b"\x89PNG\r\n\x1a\n" + _PNG_HEAD + chunk(b"tIME", b"") * 20000),
        ("garbled data", b"\x89PNG\r\n\x1a\n" + _PNG_HEAD + chunk(b"IDAT", b"garbage" * 9) + chunk(b"IEND", b"")),
    ],
)
def test_a_png_that_makes_no_sense_is_refused(name: str, data: bytes) -> None:
    assert refusal(data) is ReasonCode.IMAGE_BROKEN, name


def _riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"WEBP" + b"".join(kind + struct.pack("<I", len(part)) + part + b"\x00" * (len(part) & 1) for kind, part in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


_LOSSLESS = encoded(fields(), "WEBP", lossless=True)[20:]
_CANVAS = bytes(4) + (99).to_bytes(3, "little") * 2


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("nothing", _riff()),
        ("no signature", _riff((b"VP8L", b"\x00" * 20))),
        ("no key frame", _riff((b"VP8 ", b"\x01" * 20))),
        ("no size", _riff((b"VP8 ", b"\x00\x00\x00\x9d\x01\x2a\x00\x00\x00\x00"))),
        ("two pictures", _riff((b"VP8L", _LOSSLESS), (b"VP8L", _LOSSLESS))),
        ("two sizes", _riff((b"VP8X", _CANVAS), (b"VP8L", _LOSSLESS))),
        ("short header", _riff((b"VP8X", b"\x00"), (b"VP8L", _LOSSLESS))),
        ("animated frames without a header", _riff((b"ANMF", bytes(20)))),
        ("half a chunk", _riff((b"VP8L", _LOSSLESS))[:-20] + b""),
        (
            "a chunk that is too long",
            _riff((b"JUNK\xff\xff\xff\x7f"[:4], b""), (b"VP8L", _LOSSLESS)).replace(
                b"JUNK\x00\x00\x00\x00", b"JUNK\xff\xff\xff\x7f"
            ),
        ),
        ("garbled data", _riff((b"VP8L", _LOSSLESS[:5] + b"garbage" * 8))),
        ("too many chunks", _riff(*[(b"JUNK", b"")] * 5000)),
    ],
)
def test_a_webp_that_makes_no_sense_is_refused(name: str, data: bytes) -> None:
    assert refusal(data) in {ReasonCode.IMAGE_BROKEN, ReasonCode.IMAGE_TRUNCATED, ReasonCode.IMAGE_ANIMATED}, name


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + kind + body


_BRAND = _box(b"ftyp", b"heic\x00\x00\x00\x00mif1heic")


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("nothing", _BRAND, ReasonCode.IMAGE_BROKEN),
        ("no size", _BRAND + _box(b"meta", bytes(4)) + _box(b"mdat", b""), ReasonCode.IMAGE_BROKEN),
        (
            "size of nothing",
            _BRAND
            + _box(b"meta", bytes(4) + _box(b"iprp", _box(b"ipco", _box(b"ispe", bytes(12)))))
            + _box(b"mdat", b""),
            ReasonCode.IMAGE_BROKEN,
        ),
        ("a box without a length", _BRAND + b"\x00\x00\x00\x04meta", ReasonCode.IMAGE_BROKEN),
        ("half a long box", _BRAND + b"\x00\x00\x00\x01mdat\x00\x00", ReasonCode.IMAGE_TRUNCATED),
        ("a long box too long", _BRAND + b"\x00\x00\x00\x01mdat" + b"\x7f" + bytes(7), ReasonCode.IMAGE_TRUNCATED),
        ("too many boxes", _BRAND + _box(b"free", b"") * 5000, ReasonCode.IMAGE_BROKEN),
        ("half a box", _BRAND + b"\x00\x00", ReasonCode.IMAGE_TRUNCATED),
        ("endless depth", _BRAND + _box(b"meta", bytes(4) + _box(b"iprp", _box(b"iprp", _box(b"iprp", _box(b"ispe", bytes(12)))))), ReasonCode.IMAGE_BROKEN),
        ("a last box without end", pictures.HEIC + b"\x00\x00\x00\x00free%PDF-", ReasonCode.IMAGE_FOREIGN_DATA),
        ("no settings of its decoder", pictures.HEIC.replace(b"hvcC", b"hvcX"), ReasonCode.IMAGE_BROKEN),
    ],
)  # fmt: skip
def test_a_heic_that_makes_no_sense_is_refused(name: str, data: bytes, reason: ReasonCode) -> None:
    pytest.importorskip("pi_heif")
    assert refusal(data) is reason, name


def test_heic_without_its_library_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pi_heif", None)
    assert refusal(pictures.HEIC) is ReasonCode.IMAGE_FORMAT_UNKNOWN


@pytest.mark.parametrize(
    "tiff",
    [
        b"",
        b"II*\x00",
        b"II*\x00\xff\xff\xff\x7f",
        b"II*\x00\x08\x00\x00\x00\xff\xff" + bytes(10),
        b"MM\x00*\x00\x00\x00\x08\x00\x01" + struct.pack(">HHIHH", 0x0112, 3, 1, 9, 0),
        b"MM\x00*\x00\x00\x00\x08\x00\x01" + struct.pack(">HHIHH", 0x0112, 4, 1, 6, 0),
        b"MM\x00*\x00\x00\x00\x08\x00\x01" + struct.pack(">HHIHH", 0x0111, 3, 1, 6, 0),
    ],
)
def test_an_orientation_that_makes_no_sense_is_none(tiff: bytes) -> None:
    assert look(after_start(encoded(fields()), segment(0xE1, b"Exif\x00\x00" + tiff))).orientation == 1
