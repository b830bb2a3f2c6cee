"""What goes out of the PDFs that are looked at together. They come in as they are."""

from datetime import datetime

import msgspec

from server.api.bodies import Answer
from server.domain.ids import PdfId


class PdfView(Answer, frozen=True, kw_only=True):
    """``sizes``: width and height of each page as it is shown, in points. ``sha256``: of the file as it was brought; ``signed_sha256``: of the newest signed
    one, "" where nobody has signed."""

    id: PdfId
    name: str
    pages: int
    sizes: list[tuple[float, float]]
    sha256: str
    bytes: int
    created_at: datetime
    opened: bool = False
    signed_sha256: str = ""


class Pdfs(Answer, frozen=True, kw_only=True):
    """In the order in which they came."""

    pdfs: list[PdfView] = msgspec.field(default_factory=list)
