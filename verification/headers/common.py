"""What the readers of headers share: the answer, the refusals and what must not hide in a picture. Sans I/O."""

import re
from dataclasses import dataclass
from typing import Literal, NoReturn

from verification.errors import ImageRefused
from verification.reasons import ReasonCode

Format = Literal["JPEG", "PNG", "WEBP", "HEIF"]

MOST_PARTS = 4096
"""Segments of a JPEG, chunks of a PNG or WebP, boxes of a HEIF: more is no camera's work."""
MOST_PADDING = 64 * 1024
"""Bytes of zeros or 0xFF that may follow a picture."""

FOREIGN = re.compile(rb"%PDF-|PK\x01\x02|PK\x03\x04|PK\x05\x06|<\?php|<script|<html|<!doctype|<svg|\x7fELF", re.IGNORECASE)
"""Beginnings of what would open the same file as something else; looked for where no picture data is."""


@dataclass(frozen=True, slots=True)
class Header:
    """``orientation``: 1 to 8, EXIF's; 1 for HEIF, whose decoder turns it. ``clean``: the file without everything but the picture.

    ``cost``: bytes of memory that each pixel takes at the most until the picture is there, reduced, as RGB (measured: ``images.py``; where it is time that such
    a picture takes more of, so many as make the two alike). ``cost_halved``: where the decoder is told to leave out every other row and column.
    """

    format: Format
    width: int
    height: int
    orientation: int
    clean: bytes
    cost: float
    cost_halved: float | None = None


def refuse(reason: ReasonCode, detail: str) -> NoReturn:
    raise ImageRefused(detail, code=reason.value)


def truncated() -> NoReturn:
    refuse(ReasonCode.IMAGE_TRUNCATED, "the picture ends before it is complete")


def broken(detail: str) -> NoReturn:
    refuse(ReasonCode.IMAGE_BROKEN, detail)


def only_padding(rest: bytes) -> None:
    if len(rest) > MOST_PADDING or rest.strip(b"\x00\xff"):
        refuse(ReasonCode.IMAGE_FOREIGN_DATA, "something follows the picture")


def no_foreigner(part: bytes) -> None:
    if FOREIGN.search(part):
        refuse(ReasonCode.IMAGE_FOREIGN_DATA, "something that is no picture hides in it")
