"""A PDF whose pages are told from each other by black squares, each with a line of text."""

from tests.support.pdfs import CATALOG, stream, written

COLUMNS, ROWS = 12, 16
WIDTH, HEIGHT = 595, 842
MARKS = {1: frozenset({1 * 12 + 1, 14 * 12 + 10}), 2: frozenset({1 * 12 + 10, 2 * 12 + 5}), 3: frozenset({14 * 12 + 1})}
"""Of each page the cells that are black, of a grid of 12 by 16, counted in rows from the top left."""


def agreement() -> bytes:
    """Three pages of A4."""
    pages = b"<< /Type /Pages /Kids [%b] /Count %d >>" % (
        b" ".join(b"%d 0 R" % (4 + 2 * n) for n in range(len(MARKS))),
        len(MARKS),
    )
    objects = [CATALOG, pages, b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    for page, cells in MARKS.items():
        text = f"BT /F1 11 Tf 120 600 Td (Agreement, page {page}) Tj ET\n" + "".join(_square(cell) for cell in sorted(cells))
        paper = f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {WIDTH} {HEIGHT}] /Resources << /Font << /F1 3 0 R >> >> /Contents {len(objects) + 2} 0 R >>"
        objects += [paper.encode(), stream(b"", text.encode())]
    return written(objects)


def _square(cell: int) -> str:
    row, column = divmod(cell, COLUMNS)
    width, height = WIDTH / COLUMNS, HEIGHT / ROWS
    return f"0 g {column * width:.2f} {HEIGHT - (row + 1) * height:.2f} {width:.2f} {height:.2f} re f\n"
