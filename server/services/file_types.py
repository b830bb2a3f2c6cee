"""What a file is, by its content and never by its name or claimed type; and what is refused whatever it claims to be. S.

Told apart: PNG, JPEG, WebP, GIF, PDF, OOXML documents without macros (docx, xlsx, pptx), UTF-8 text.
"""

import io
import re
import struct
import zipfile

PNG, JPEG, WEBP, GIF = "image/png", "image/jpeg", "image/webp", "image/gif"
PDF, TEXT = "application/pdf", "text/plain"
_OOXML = "application/vnd.openxmlformats-officedocument."
DOCX, XLSX, PPTX = (
    _OOXML + "wordprocessingml.document",
    _OOXML + "spreadsheetml.sheet",
    _OOXML + "presentationml.presentation",
)
KNOWN = frozenset({PNG, JPEG, WEBP, GIF, PDF, TEXT, DOCX, XLSX, PPTX})
IMAGES = frozenset({PNG, JPEG, WEBP, GIF})
EXTENSIONS = {
    PNG: (".png",), JPEG: (".jpg", ".jpeg"), WEBP: (".webp",), GIF: (".gif",), PDF: (".pdf",),
    TEXT: (".txt", ".csv", ".log", ".md"), DOCX: (".docx",), XLSX: (".xlsx",), PPTX: (".pptx",),
}  # fmt: skip

MAX_PIXELS = 100_000_000  # 10,000 × 10,000; decoded that is 400 MB in a browser
MAX_ZIP_ENTRIES = 5_000
MAX_UNPACKED_BYTES = 512 * 1024 * 1024
MAX_ZIP_RATIO = 200
MAX_JPEG_SEGMENTS = 2_000  # before the first frame: a profile of 16 MB has 256
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_PDF_ESCAPE = re.compile(rb"#([0-9A-Fa-f]{2})")
_ZIP_ENTRY = b"PK\x01\x02"
_EICAR = b"EICAR-STANDARD-" + b"ANTIVIRUS-TEST-FILE"
_EXECUTABLE = (b"MZ", b"\x7fELF", b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe",
               b"\xca\xfe\xba\xbe", b"#!", b"\0asm", b"dex\n", b"\x4c\0\0\0\x01\x14\x02\0")  # fmt: skip
_DANGEROUS_ENTRIES = (".exe", ".dll", ".scr", ".com", ".bat", ".cmd", ".js", ".vbs", ".ps1", ".jar", ".lnk", ".msi", ".bin")
_PDF_ACTIVE = (b"/JavaScript", b"/JS ", b"/JS(", b"/Launch", b"/EmbeddedFile", b"/OpenAction<</S/JavaScript")


def detect(data: bytes) -> str | None:
    """The media type, or None for what is not told apart."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if data.startswith(b"\xff\xd8\xff"):
        return JPEG
    if data.startswith((b"GIF87a", b"GIF89a")):
        return GIF
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return WEBP
    if data.startswith(b"%PDF-"):
        return PDF
    if data.startswith(b"PK\x03\x04"):
        return _ooxml(data)
    return TEXT if _is_text(data) else None


def danger(data: bytes, media_type: str) -> str | None:
    """Why it is refused: a stable word for the log and the audit, or None."""
    if data.startswith(_EXECUTABLE):
        return "executable"
    if _EICAR in data:
        return "test_virus"
    if media_type in IMAGES:
        size = image_size(data, media_type)
        if size is None:
            return "broken_image"
        if size[0] * size[1] > MAX_PIXELS:
            return "too_many_pixels"
    if media_type == PDF:
        plain = _PDF_ESCAPE.sub(_unescaped, data)  # /J#61vaScript is the same name (ISO 32000-1, 7.3.5)
        if any(mark in data or mark in plain for mark in _PDF_ACTIVE):
            return "active_pdf"
    if media_type in {DOCX, XLSX, PPTX}:
        return _zip_danger(data)
    return None


def _unescaped(match: "re.Match[bytes]") -> bytes:
    return bytes((int(match[1], 16),))


def image_size(data: bytes, media_type: str) -> tuple[int, int] | None:
    """Width and height from the header, without decoding; None when they cannot be read or are 0."""
    try:
        size = {PNG: _png_size, GIF: _gif_size, WEBP: _webp_size, JPEG: _jpeg_size}[media_type](data)
    except struct.error:
        return None
    return size if size is not None and size[0] > 0 and size[1] > 0 else None


def _png_size(data: bytes) -> tuple[int, int] | None:
    width, height = struct.unpack_from(">II", data, 16)
    return (width, height) if data[12:16] == b"IHDR" else None


def _gif_size(data: bytes) -> tuple[int, int] | None:
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def _webp_size(data: bytes) -> tuple[int, int] | None:
    if data[12:16] == b"VP8X":
        low, high = struct.unpack_from("<IH", data, 24)
        return (low & 0xFFFFFF) + 1, ((low >> 24) | (high << 8)) + 1
    if data[12:16] == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if data[12:16] == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """The first start-of-frame segment (ITU-T T.81 B.2.2)."""
    at = 2
    for _ in range(MAX_JPEG_SEGMENTS):
        marker, length = struct.unpack_from(">HH", data, at)
        if marker >> 8 != 0xFF or length < 2:
            return None
        if 0xFFC0 <= marker <= 0xFFCF and marker not in {0xFFC4, 0xFFC8, 0xFFCC}:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        if marker == 0xFFDA:
            return None
        at += 2 + length
    return None


def _is_text(data: bytes) -> bool:
    """UTF-8 without control characters other than tab, line feed, form feed and carriage return."""
    if not data or _CONTROL.search(data) is not None:  # in C: a large file must not hold everybody else up
        return False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _ooxml(data: bytes) -> str | None:
    if data.count(_ZIP_ENTRY) > MAX_ZIP_ENTRIES:  # before the directory is read: that takes seconds for a large one
        return None
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = set(archive.namelist()[:MAX_ZIP_ENTRIES])
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, struct.error):
        return None
    if "[Content_Types].xml" not in names:
        return None
    parts = {"word/document.xml": DOCX, "xl/workbook.xml": XLSX, "ppt/presentation.xml": PPTX}
    found = [media_type for name, media_type in parts.items() if name in names]
    return found[0] if len(found) == 1 else None


def _zip_danger(data: bytes) -> str | None:
    """From the directory alone: nothing is unpacked."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
    if len(entries) > MAX_ZIP_ENTRIES:
        return "zip_bomb"
    unpacked, packed = sum(e.file_size for e in entries), sum(e.compress_size for e in entries)
    if unpacked > MAX_UNPACKED_BYTES or unpacked > MAX_ZIP_RATIO * max(packed, 4096):
        return "zip_bomb"
    for entry in entries:
        name = entry.filename.lower()
        if name.startswith("/") or ".." in name.split("/"):
            return "path_escape"
        if "vbaproject" in name or (
            name.endswith(_DANGEROUS_ENTRIES)
            and not name.startswith(("xl/printersettings/", "customxml/", "word/printersettings", "ppt/printersettings"))
        ):
            return "macro_or_program"
    return None
