"""What files are by their content, and which are refused whatever they are called."""

import io
import struct
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import Invalid
from server.services import file_types
from server.services.files import clean_name, with_extension


def png(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


def office(part: str, **more: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {"[Content_Types].xml": b"<x/>", part: b"<x/>", **more}.items():
            archive.writestr(name, data)
    return out.getvalue()


JPEG = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x0b\x08\x00\x10\x00\x20\x01\x01\x11\x00"
WEBP = b"RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00\x1f\x00\x00\x0f\x00\x00"
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-" + b"ANTIVIRUS-TEST-FILE!$H+H*"


@pytest.mark.parametrize(
    ("data", "media_type", "why"),
    [
        (png(10, 10), "image/png", None),
        (png(50_000, 50_000), "image/png", "too_many_pixels"),
        (png(0, 10), "image/png", "broken_image"),
        (b"\x89PNG\r\n\x1a\n", "image/png", "broken_image"),
        (JPEG, "image/jpeg", None),
        (JPEG[:12], "image/jpeg", "broken_image"),
        (b"\xff\xd8\xff\xda\x00\x02", "image/jpeg", "broken_image"),
        (b"GIF89a\x10\x00\x20\x00", "image/gif", None),
        (WEBP, "image/webp", None),
        (b"%PDF-1.7\n%%EOF", "application/pdf", None),
        (b"%PDF-1.7\n/JavaScript (app.alert(1))", "application/pdf", "active_pdf"),
        ("卡号 1234\n".encode(), "text/plain", None),
        (EICAR, "text/plain", "test_virus"),
        (b"#!/bin/sh\nrm -rf /\n", "text/plain", "executable"),
        (office("word/document.xml"), file_types.DOCX, None),
        (office("xl/workbook.xml"), file_types.XLSX, None),
        (office("ppt/presentation.xml"), file_types.PPTX, None),
        (office("word/document.xml", **{"word/vbaProject.bin": b"x"}), file_types.DOCX, "macro_or_program"),
        (office("word/document.xml", **{"word/embeddings/a.exe": b"MZ"}), file_types.DOCX, "macro_or_program"),
        (office("word/document.xml", **{"../../etc/passwd": b"x"}), file_types.DOCX, "path_escape"),
        (office("word/document.xml", **{"word/media/a.png": b"\0" * 50_000_000}), file_types.DOCX, "zip_bomb"),
    ],
)
def test_known_files(data: bytes, media_type: str, why: str | None) -> None:
    assert file_types.detect(data) == media_type
    assert file_types.danger(data, media_type) == why


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"MZ\x90\0",
        b"\x7fELF\x02",
        b"a\0b",
        b"\xff\xfeh\0i\0",
        b"\x1b[2J",
        b"PK\x03\x04broken",
        office("evil.txt"),
        b"\x1f\x8b\x08\0",
    ],
)
def test_unknown_files(data: bytes) -> None:
    assert file_types.detect(data) is None


@given(st.sampled_from([JPEG, WEBP, png(10, 10), office("word/document.xml"), b"%PDF-1.7", b"GIF89a"]), st.data())
def test_broken_files_raise_nothing(good: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(good)))
    broken = good[:at] + data.draw(st.binary(max_size=30)) + good[at + data.draw(st.integers(0, 5)) :]
    media_type = file_types.detect(broken)
    if media_type is not None:
        file_types.danger(broken, media_type)


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\a\\card.png", "card.png"),
        ("a\u202egnp.exe", "agnp.exe"),
        ("a\r\nb.txt", "ab.txt"),
        ("  .hidden ", "hidden"),
        ("卡片.png", "卡片.png"),
        ("x" * 300 + ".pdf", "x" * 116 + ".pdf"),
        ("y" * 300, "y" * 120),
    ],
)
def test_names(given_name: str, kept: str) -> None:
    assert clean_name(given_name) == kept


@pytest.mark.parametrize("name", ["", "///", "..", "\u202e", "<>"])
def test_no_name_is_left(name: str) -> None:
    with pytest.raises(Invalid):
        clean_name(name)


def test_the_extension_follows_the_content() -> None:
    assert with_extension("a.PNG", "image/png") == "a.PNG"
    assert with_extension("a.png", "text/plain") == "a.png.txt"
    assert len(with_extension("x" * 120, file_types.DOCX)) == 120
