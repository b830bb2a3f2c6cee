"""Whether a stranger's PDF may be shown to a customer, and how large its pages are. Only in the confined process (``process.py``): qpdf reads it.

Every object is looked at, whether a page leads to it or not. Active content is refused and not taken out: what is signed is the file that the bank has.
"""

import io
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Object, Pdf, Stream

from server.pdf.active import check
from server.pdf.jobs import LARGEST_PT, MAX_PAGES, SMALLEST_PT, PdfRefused, Why
from server.pdf.unpacking import unpacked

MOST_OBJECTS = 200_000
MOST_VALUES = 3_000_000
DEEPEST = 60
MOST_UNPACKED_TOGETHER = 1 << 30
SMALLEST_UNIT, LARGEST_UNIT = 0.1, 100.0
Frame = tuple[float, float, float, float]


def opened(data: bytes, *, as_it_is: bool = False) -> Pdf:
    """``as_it_is``: pages are not given what they inherit, and no box is put right. Raises PdfRefused (broken, encrypted)."""
    if not data.startswith(b"%PDF-"):
        raise PdfRefused(Why.BROKEN)
    try:
        # Not repaired: somebody else might repair it otherwise, and show another page.
        pdf = pikepdf.open(io.BytesIO(data), attempt_recovery=False, inherit_page_attributes=not as_it_is)
    except pikepdf.PasswordError:
        raise PdfRefused(Why.ENCRYPTED) from None
    except pikepdf.PdfError:
        raise PdfRefused(Why.BROKEN) from None
    if pdf.is_encrypted:
        raise PdfRefused(Why.ENCRYPTED)
    return pdf


def read(data: bytes) -> tuple[tuple[float, float], ...]:
    """The sizes of its pages. Raises PdfRefused."""
    with opened(data, as_it_is=True) as pdf:
        try:
            if int(pdf.Root.Pages.get("/Count", 0)) > MAX_PAGES:  # what it claims: before anything is gone through
                raise PdfRefused(Why.TOO_MANY_PAGES)
            _look_through(pdf)
            with opened(data) as whole:
                return sizes(whole)
        except PdfRefused:
            raise
        except (RecursionError, MemoryError):
            raise PdfRefused(Why.TOO_MUCH) from None
        except Exception:  # whatever a stranger's file makes of its reader
            raise PdfRefused(Why.BROKEN) from None


def sizes(pdf: Pdf) -> tuple[tuple[float, float], ...]:
    """As they are shown: cropped and turned. Raises PdfRefused."""
    found: list[tuple[float, float]] = []
    for page in pdf.pages:
        if len(found) == MAX_PAGES:
            raise PdfRefused(Why.TOO_MANY_PAGES)
        found.append(size(page))
    if not found:
        raise PdfRefused(Why.BAD_PAGE)
    return tuple(found)


def size(page: pikepdf.Page) -> tuple[float, float]:
    """Raises PdfRefused."""
    x0, y0, x1, y1 = shown_box(page)
    width, height = (x1 - x0) * unit(page), (y1 - y0) * unit(page)
    if not all(SMALLEST_PT <= side <= LARGEST_PT for side in (width, height)):
        raise PdfRefused(Why.BAD_PAGE)
    return (round(height, 2), round(width, 2)) if turned(page) % 180 else (round(width, 2), round(height, 2))


def shown_box(page: pikepdf.Page) -> Frame:
    """The crop box as far as it is on the medium (ISO 32000-1, 14.11.2), in the units of the page. Raises PdfRefused."""
    media = medium(page)
    crop = _box(page.obj.get("/CropBox")) if "/CropBox" in page.obj else media
    box = (max(media[0], crop[0]), max(media[1], crop[1]), min(media[2], crop[2]), min(media[3], crop[3]))
    return box if box[0] < box[2] and box[1] < box[3] else media


def medium(page: pikepdf.Page) -> Frame:
    """Raises PdfRefused."""
    return _box(page.obj.get("/MediaBox"))


def turned(page: pikepdf.Page) -> int:
    """0, 90, 180 or 270: clockwise. Raises PdfRefused."""
    angle = page.obj.get("/Rotate", 0)
    if isinstance(angle, bool) or not isinstance(angle, int) or angle % 90:
        raise PdfRefused(Why.BAD_PAGE)  # readers take it as they like
    return angle % 360


def unit(page: pikepdf.Page) -> float:
    """Points of one unit (/UserUnit). Raises PdfRefused."""
    found = _number(page.obj.get("/UserUnit", 1))
    if not SMALLEST_UNIT <= found <= LARGEST_UNIT:
        raise PdfRefused(Why.BAD_PAGE)
    return found


def _box(numbers: Any) -> Frame:
    if not isinstance(numbers, Array) or len(numbers) != 4:
        raise PdfRefused(Why.BAD_PAGE)
    x0, y0, x1, y1 = (_number(one) for one in numbers)
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not abs(Decimal(value)) < 1_000_000:
        raise PdfRefused(Why.BAD_PAGE)
    return float(value)


def _look_through(pdf: Pdf) -> None:
    """Raises PdfRefused (active, form, too much, broken)."""
    values = together = 0
    if len(pdf.objects) > MOST_OBJECTS:
        raise PdfRefused(Why.TOO_MUCH)
    for one in pdf.objects:
        for found in _within(one):
            values += 1
            if values > MOST_VALUES:
                raise PdfRefused(Why.TOO_MUCH)
            if isinstance(found, Dictionary | Stream):
                check(found)
                for key in ("/MediaBox", "/CropBox"):
                    if key in found:
                        _box(found.get(key))
        if isinstance(one, Stream):
            together += unpacked(one)
            if together > MOST_UNPACKED_TOGETHER:
                raise PdfRefused(Why.TOO_MUCH)


def _within(top: Any) -> Iterator[Any]:
    """It, and what stands in it directly: what it refers to is looked at by itself."""
    waiting: list[tuple[Any, int]] = [(top, 0)]
    while waiting:
        one, depth = waiting.pop()
        if depth > DEEPEST:
            raise PdfRefused(Why.TOO_MUCH)
        yield one
        if isinstance(one, Dictionary | Stream):
            inner = [value for _, value in one.items()]
        elif isinstance(one, Array):
            inner = list(one)
        else:
            continue
        waiting += [(value, depth + 1) for value in inner if isinstance(value, Object) and not value.is_indirect]
