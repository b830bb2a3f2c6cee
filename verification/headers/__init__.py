"""What a picture file says about itself, read without decoding it: kind, size, which way up, and whether that is all there is. Sans I/O.

Every length is checked against the bytes that are there. What is returned for decoding (``Header.clean``) is the picture alone: of metadata, colour
profiles, thumbnails, comments and chunks that a decoder need not know nothing is left, so none of their readers ever sees a stranger's bytes
(of HEIF, where everything lies at absolute places, only what stands before and after is checked).
"""

from verification.errors import ImageRefused
from verification.headers.common import Format, Header, refuse
from verification.headers.heif import read_heif
from verification.headers.jpeg import read_jpeg
from verification.headers.png import SIGNATURE, read_png
from verification.headers.webp import read_webp
from verification.reasons import ReasonCode

__all__ = ["Format", "Header", "ImageRefused", "look"]


def look(data: bytes) -> Header:
    """Raises ``ImageRefused`` with the reason as its code."""
    if not data:
        refuse(ReasonCode.IMAGE_EMPTY, "the picture has no bytes")
    if data[:2] == b"\xff\xd8":
        return read_jpeg(data)
    if data[:8] == SIGNATURE:
        return read_png(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return read_webp(data)
    if data[4:8] != b"ftyp":
        refuse(ReasonCode.IMAGE_FORMAT_UNKNOWN, "the picture is neither JPEG, PNG, WebP nor HEIC")
    return read_heif(data)
