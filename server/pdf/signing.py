"""A signature drawn into a page: lines of vectors and one line of text, over what is there. Only in the confined process (``process.py``)."""

import io
from collections.abc import Iterable, Sequence

import pikepdf
from pikepdf import Array, Dictionary, Name, Page, Pdf

from server.pdf.jobs import Box, Job, PdfRefused, Why
from server.pdf.reading import opened, shown_box, sizes, turned, unit

INK = (0.05, 0.10, 0.42)
WIDTH_SHARE, THINNEST_PT, THICKEST_PT = 0.02, 0.8, 2.4
"""Of the box's height."""
LINE_PT, LINE_BELOW_PT = 5.0, 6.5
Matrix = tuple[float, float, float, float, float, float]


def sign(data: bytes, job: Job) -> tuple[tuple[tuple[float, float], ...], bytes]:
    """(sizes of its pages, the signed file). Raises PdfRefused."""
    assert job.box is not None
    with opened(data) as pdf:
        try:
            found = sizes(pdf)
            if job.box.page > len(found):
                raise PdfRefused(Why.BAD_PAGE)
            _draw(pdf, pdf.pages[job.box.page - 1], found[job.box.page - 1], job)
            out = io.BytesIO()
            pdf.save(out, deterministic_id=True)
        except (pikepdf.PdfError, ValueError, TypeError, AttributeError, KeyError, IndexError):
            raise PdfRefused(Why.BROKEN) from None
        return found, out.getvalue()


def to_page(page: Page) -> Matrix:
    """From the page as it is shown, in points from its lower left corner, to the page's own units."""
    x0, y0, x1, y1 = shown_box(page)
    one = 1.0 / unit(page)
    return {
        0: (one, 0.0, 0.0, one, x0, y0),
        90: (0.0, one, -one, 0.0, x1, y0),
        180: (-one, 0.0, 0.0, -one, x1, y1),
        270: (0.0, -one, one, 0.0, x0, y1),
    }[turned(page)]


def _draw(pdf: Pdf, page: Page, shown: tuple[float, float], job: Job) -> None:
    assert job.box is not None
    form = pdf.make_stream(
        _content(job.box, job.strokes, shown, job.line),
        Type=Name.XObject,
        Subtype=Name.Form,
        BBox=Array([0, 0, *shown]),
        Resources=Dictionary(
            Font=Dictionary(
                F=Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica, Encoding=Name.WinAnsiEncoding)
            )
        ),
    )
    if "/Resources" in page.obj:
        page.obj.Resources = _own(page)
    name = page.add_resource(form, Name.XObject, prefix="Signature")
    before, after = _balance(page)
    page.contents_add(b"q\n" * before, prepend=True)
    matrix = " ".join(_number(one) for one in to_page(page))
    page.contents_add(b"\n" + b"Q\n" * after + f"q {matrix} cm {name} Do Q\n".encode())


def _own(page: Page) -> Dictionary:
    """Resources of this page alone: others may share them."""
    resources = Dictionary(dict(page.obj.Resources.items()))
    if "/XObject" in resources:
        resources.XObject = Dictionary(dict(resources.XObject.items()))
    return resources


def _balance(page: Page) -> tuple[int, int]:
    """How many ``q`` before its content, and ``Q`` after it, leave the graphics state as it was at the beginning, whatever the content does."""
    depth = lowest = 0
    for instruction in pikepdf.parse_content_stream(page, "q Q"):
        depth += 1 if str(instruction.operator) == "q" else -1
        lowest = min(lowest, depth)
    before = 1 - lowest
    return before, before + depth


def _content(box: Box, strokes: Iterable[Sequence[tuple[float, float]]], shown: tuple[float, float], line: str) -> bytes:
    """In points of the page as it is shown, from its lower left corner."""
    width, height = shown
    left, top = box.x * width, (1.0 - box.y) * height
    across, down = box.width * width, box.height * height
    thick = min(THICKEST_PT, max(THINNEST_PT, down * WIDTH_SHARE))
    parts = [f"q {' '.join(_number(one) for one in INK)} RG {_number(thick)} w 1 J 1 j"]
    for stroke in strokes:
        points = [f"{_number(left + x * across)} {_number(top - y * down)}" for x, y in stroke]
        if len(points) == 1:
            points *= 2  # a dot: a line of no length has round ends
        parts.append(" ".join([f"{points[0]} m", *(f"{point} l" for point in points[1:]), "S"]))
    below = max(1.0, top - down - LINE_BELOW_PT)
    parts.append("Q")
    if line:
        text = "".join(char for char in line if char.isascii() and char.isprintable() and char not in "()\\")
        parts.append(f"q 0.35 g BT /F {_number(LINE_PT)} Tf {_number(left)} {_number(below)} Td ({text}) Tj ET Q")
    return "\n".join(parts).encode()


def _number(value: float) -> str:
    """PDF has no exponents."""
    return f"{value:.4f}".rstrip("0").rstrip(".")
