"""An image of a customer's page, drawn anew: its pixels and nothing else, and nothing that is no picture."""

import io
import struct
import subprocess
import sys
import zlib

import pytest
from PIL import Image

from server.cobrowse.drawing import MOST_BYTES, MOST_SIDE, SIDE, draw
from server.drawings import Drawings

Size = tuple[int, int]


def made(kind: str, size: Size = (40, 30), mode: str = "RGB", **how: object) -> bytes:
    out = io.BytesIO()
    image = Image.new(mode, size, (200, 10, 30, 128)[: len(mode)])
    image.save(out, kind, **how)  # type: ignore[arg-type]
    return out.getvalue()


def read(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    assert image.format == "WEBP"
    assert not {"exif", "icc_profile", "xmp"} & set(image.info)
    return image


@pytest.mark.parametrize(("kind", "mode"), [("PNG", "RGB"), ("PNG", "RGBA"), ("JPEG", "RGB"), ("WEBP", "RGB")])
def test_the_pixels_stay(kind: str, mode: str) -> None:
    image = read(draw(made(kind, mode=mode)))
    assert image.size == (40, 30)
    assert all(abs(one - meant) < 6 for one, meant in zip(image.convert("RGB").getpixel((20, 15)), (200, 10, 30), strict=True))  # type: ignore[arg-type]
    assert image.mode == mode


def test_what_stands_beside_the_pixels_goes() -> None:
    exif = Image.Exif()
    exif[0x010E] = "s3cret"
    assert b"s3cret" not in draw(made("JPEG", exif=exif))


def test_a_large_one_is_reduced() -> None:
    assert read(draw(made("PNG", (2000, 1000)))).size == (SIDE, SIDE // 2)


def bomb(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def animated() -> bytes:
    out = io.BytesIO()
    frames = [Image.new("RGB", (8, 8), (one, 0, 0)) for one in (0, 200)]
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:])
    return out.getvalue()


REFUSED = {
    "nothing": b"",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "gif": made("GIF"),
    "tiff": made("TIFF"),
    "bmp": made("BMP"),
    "bomb": bomb(60_000, 60_000),
    "long": bomb(MOST_SIDE + 1, 1),
    "more than a picture": made("PNG") + b"<html><script>",
    "cut short": made("PNG", (400, 300))[:-40],
    "animated": animated(),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    assert draw(REFUSED[name]) == b""


def test_what_comes_out_is_never_large() -> None:
    noise = Image.effect_noise((1400, 1400), 100).convert("RGB")
    out = io.BytesIO()
    noise.save(out, "JPEG", quality=60)
    assert 0 < len(draw(out.getvalue())) <= MOST_BYTES


def photo(kind: str, mode: str = "RGB", **how: object) -> bytes:
    image, out = Image.effect_noise((64, 64), 60).convert(mode), io.BytesIO()
    if mode == "RGBA":
        image.putalpha(128)
    image.save(out, kind, **how)  # type: ignore[arg-type]
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        (photo("PNG"), True),
        (photo("WEBP", lossless=True), True),
        (photo("WEBP", "RGBA", lossless=True), True),
        (photo("WEBP", lossless=True, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"), True),
        (photo("WEBP", quality=90), False),
        (photo("WEBP", "RGBA", quality=90), False),
        (photo("WEBP", quality=90, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"), False),
        (photo("JPEG", quality=95), False),
    ],
)
def test_only_what_came_without_loss_is_kept_without_loss(data: bytes, kept: bool) -> None:
    made = draw(data)
    assert (b"VP8L" in made) is kept
    assert (read(made).convert("RGBA").tobytes() == Image.open(io.BytesIO(data)).convert("RGBA").tobytes()) is kept


def palette(**how: object) -> bytes:
    out = io.BytesIO()
    Image.radial_gradient("L").convert("P").save(out, "PNG", **how)  # type: ignore[arg-type]
    return out.getvalue()


async def test_the_process_needs_no_file_for_any_of_them() -> None:
    """Nothing is imported once it is confined."""
    pictures = [
        made("PNG", mode="LA"),
        palette(transparency=7),
        made("JPEG", mode="CMYK"),
        made("JPEG", (1500, 200)),
        photo("WEBP", "RGBA"),
    ]
    drawings = Drawings(longest_s=300.0)
    for data in pictures:
        assert await drawings.draw(data) == draw(data) != b""


def test_no_other_format_is_imported() -> None:
    code = """
import io, sys
from server.cobrowse import drawing
for kind in ("PNG", "JPEG", "WEBP"):
    out = io.BytesIO()
    drawing.Image.new("RGB", (16, 16)).save(out, kind)
    drawing.draw(out.getvalue())
print(*(name for name in sys.modules if name.endswith("ImagePlugin")))
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    named = {name.removeprefix("PIL.").removesuffix("ImagePlugin") for name in said.stdout.split()}
    assert named <= {"Jpeg", "Png", "WebP", "Bmp", "Gif", "Mpo", "Ppm"}, "Pillow's own choice, and ours"
