"""A signature drawn into a page: lines of vectors and one line of text, over what is there. Only in the confined process (``process.py``)."""

import io
from collections.abc import Iterable, Sequence

import pikepdf
from pikepdf import Array, Dictionary, Name, Page, Pdf, Stream

from server.pdf.jobs import Box, Job, PdfRefused, Why
from server.pdf.reading import medium, opened, shown_box, sizes, turned, unit

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
    kept = 1 + _taken_back(page)
    old = _as_it_was(pdf, page)
    page.obj.Resources = Dictionary(XObject=Dictionary(Page=old, Signature=form))
    matrix = " ".join(_number(one, 8) for one in to_page(page))
    # A path, a clip or a text that is left open there ends in a state of its own.
    parts = [*["q"] * kept, "/Page Do", *["Q"] * kept, "q BT ET n Q", f"q {matrix} cm /Signature Do Q"]
    page.obj.Contents = pdf.make_stream("\n".join(parts).encode())


def _as_it_was(pdf: Pdf, page: Page) -> Stream:
    """What the page shows, as a form of its own: nothing that is left open in it goes on after it, and it reaches no name but its own."""
    resources, contents = page.obj.get("/Resources"), page.obj.get("/Contents")
    streams = list(contents) if isinstance(contents, Array) else [contents] if contents is not None else []
    if not isinstance(resources, Dictionary | None) or not all(isinstance(one, Stream) for one in streams):
        raise PdfRefused(Why.BROKEN)
    return pdf.make_stream(
        b"\n".join(one.read_bytes() for one in streams),
        Type=Name.XObject,
        Subtype=Name.Form,
        BBox=Array(list(medium(page))),
        Resources=resources if resources is not None else Dictionary(),
    )


def _taken_back(page: Page) -> int:
    """How many states its content takes back that it never kept: some readers go on with those outside of the form."""
    depth = lowest = 0
    for instruction in pikepdf.parse_content_stream(page, "q Q"):
        depth += 1 if str(instruction.operator) == "q" else -1
        lowest = min(lowest, depth)
    return -lowest


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


def _number(value: float, digits: int = 4) -> str:
    """PDF has no exponents."""
    return f"{value:.{digits}f}".rstrip("0").rstrip(".")
