"""Whether a stranger's PDF may be shown to a customer, and how large its pages are. Only in the confined process (``process.py``): qpdf reads it.

Every object is looked at, whether a page leads to it or not. Active content is refused and not taken out: what is signed is the file that the bank has.
"""

import io
import zlib
from collections.abc import Iterator
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, Object, Pdf, Stream

from server.pdf.jobs import MAX_PAGES, PdfRefused, Why

MOST_OBJECTS = 200_000
MOST_VALUES = 3_000_000
DEEPEST = 60
MOST_UNPACKED = 128 << 20
"""Of one stream."""
MOST_UNPACKED_TOGETHER = 1 << 30
MAX_PIXELS = 100_000_000
SMALLEST_PT, LARGEST_PT = 36.0, 14_400.0
"""Half an inch to 200 inches (ISO 32000-1, annex C.2)."""
_PART = 1 << 20
_ACTIVE_KEYS = frozenset(
    {"/JS", "/JavaScript", "/EmbeddedFiles", "/EF", "/XFA", "/AA", "/RichMediaContent", "/RichMediaSettings"}
)
_ACTIVE_VALUES = {
    "/S": frozenset(
        {
            "/JavaScript",
            "/Launch",
            "/SubmitForm",
            "/ImportData",
            "/GoToR",
            "/GoToE",
            "/Rendition",
            "/RichMediaExecute",
            "/Movie",
            "/Sound",
        }
    ),
    "/Subtype": frozenset({"/FileAttachment", "/RichMedia", "/Movie", "/Sound", "/Screen", "/3D"}),
    "/Type": frozenset({"/EmbeddedFile"}),
}


def opened(data: bytes) -> Pdf:
    """Raises PdfRefused (broken, encrypted)."""
    if not data.startswith(b"%PDF-"):
        raise PdfRefused(Why.BROKEN)
    try:
        # Not repaired: somebody else might repair it otherwise, and show another page.
        pdf = pikepdf.open(io.BytesIO(data), attempt_recovery=False)
    except pikepdf.PasswordError:
        raise PdfRefused(Why.ENCRYPTED) from None
    except pikepdf.PdfError:
        raise PdfRefused(Why.BROKEN) from None
    if pdf.is_encrypted:
        raise PdfRefused(Why.ENCRYPTED)
    return pdf


def read(data: bytes) -> tuple[tuple[float, float], ...]:
    """The sizes of its pages. Raises PdfRefused."""
    with opened(data) as pdf:
        try:
            if int(pdf.Root.Pages.get("/Count", 0)) > MAX_PAGES:  # what it claims: before anything is gone through
                raise PdfRefused(Why.TOO_MANY_PAGES)
            _look_through(pdf)
            return sizes(pdf)
        except (
            pikepdf.PdfError,
            pikepdf.ForeignObjectError,
            ValueError,
            TypeError,
            AttributeError,
            KeyError,
            IndexError,
            OverflowError,
        ):
            raise PdfRefused(Why.BROKEN) from None
        except RecursionError:
            raise PdfRefused(Why.TOO_MUCH) from None


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


def shown_box(page: pikepdf.Page) -> tuple[float, float, float, float]:
    """The crop box as far as it is on the medium (ISO 32000-1, 14.11.2), in the units of the page. Raises PdfRefused."""
    media, crop = _box(page.mediabox), _box(page.cropbox)
    box = (max(media[0], crop[0]), max(media[1], crop[1]), min(media[2], crop[2]), min(media[3], crop[3]))
    return box if box[0] < box[2] and box[1] < box[3] else media


def turned(page: pikepdf.Page) -> int:
    """0, 90, 180 or 270: clockwise. Raises PdfRefused."""
    angle = int(page.obj.get("/Rotate", 0))
    if angle % 90:
        raise PdfRefused(Why.BAD_PAGE)
    return angle % 360


def unit(page: pikepdf.Page) -> float:
    """Points of one unit (/UserUnit)."""
    return float(page.obj.get("/UserUnit", 1))


def _box(numbers: Any) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (float(one) for one in numbers)
    if not all(abs(one) < 1e6 for one in (x0, y0, x1, y1)):
        raise PdfRefused(Why.BAD_PAGE)
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def _look_through(pdf: Pdf) -> None:
    """Raises PdfRefused (active, too much)."""
    values = unpacked = 0
    if len(pdf.objects) > MOST_OBJECTS:
        raise PdfRefused(Why.TOO_MUCH)
    for one in pdf.objects:
        for found in _within(one):
            values += 1
            if values > MOST_VALUES:
                raise PdfRefused(Why.TOO_MUCH)
            if isinstance(found, Dictionary | Stream):
                _check(found)
        if isinstance(one, Stream):
            unpacked += _unpacked(one)
            if unpacked > MOST_UNPACKED_TOGETHER:
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


def _check(one: Any) -> None:
    keys = set(one.keys())
    if keys & _ACTIVE_KEYS:
        raise PdfRefused(Why.ACTIVE)
    for key, active in _ACTIVE_VALUES.items():
        value = one.get(key) if key in keys else None
        if isinstance(value, Name) and str(value) in active:
            raise PdfRefused(Why.ACTIVE)
    if "/Width" in keys and "/Height" in keys and int(one.Width) * int(one.Height) > MAX_PIXELS:
        raise PdfRefused(Why.TOO_MUCH)


def _unpacked(stream: Any) -> int:
    """How many bytes it is for whoever shows it, as far as it is packed by Flate. Raises PdfRefused."""
    filters = stream.get("/Filter", None)
    names = [str(one) for one in filters] if isinstance(filters, Array) else [str(filters)] if filters is not None else []
    if len(names) > 2 or names.count("/FlateDecode") + names.count("/LZWDecode") > 1:
        raise PdfRefused(Why.TOO_MUCH)  # packed twice: nobody does, but for a bomb
    if names[:1] != ["/FlateDecode"]:
        return 0
    raw, at, total = stream.read_raw_bytes(), 0, 0
    reader = zlib.decompressobj()
    try:
        while at < len(raw) and not reader.eof:
            total += len(reader.decompress(raw[at : at + _PART], _PART))
            at += _PART
            while reader.unconsumed_tail and not reader.eof:
                total += len(reader.decompress(reader.unconsumed_tail, _PART))
                if total > MOST_UNPACKED:
                    raise PdfRefused(Why.TOO_MUCH)
    except zlib.error:
        return total  # whoever shows it stops there, too
    return total
