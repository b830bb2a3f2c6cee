"""A PDF that is looked at together: opened by staff, turned, marked and signed. Part of ``messages.py``; ``docs/pdf.md`` explains it.

Places on a page are shares of its width and height as it is shown, from the upper left corner; pages count from 1.
"""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from server.domain.ids import ParticipantId, PdfId
from server.signalling.base import AnyId, Body

MAX_MARK_POINTS = 400
MAX_STROKES = 60
MAX_STROKE_POINTS = 500

Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Size = Annotated[float, msgspec.Meta(gt=0.0, le=1.0)]
PageNumber = Annotated[int, msgspec.Meta(ge=1, le=300)]
Point = tuple[Share, Share]
MarkId = Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
Stroke = Annotated[list[Point], msgspec.Meta(min_length=1, max_length=MAX_STROKE_POINTS)]
MarkKind = Literal["highlight", "ink"]


class PdfOpen(Body, frozen=True, kw_only=True, tag="pdf.open"):
    """Show a PDF of this session to everybody in it. Needs ``pdf.show``."""

    pdf: AnyId


class PdfClose(Body, frozen=True, kw_only=True, tag="pdf.close"):
    """Put it away. Needs ``pdf.show``."""


class PdfLook(Body, frozen=True, kw_only=True, tag="pdf.look"):
    """Where the sender looks: the others follow. Needs ``pdf.mark``."""

    pdf: AnyId
    page: PageNumber
    y: Share


class PdfMark(Body, frozen=True, kw_only=True, tag="pdf.mark"):
    """``mark``: the page's own key; again replaces it. A ``highlight`` is two opposite corners, ``ink`` a line. Needs ``pdf.mark``."""

    pdf: AnyId
    mark: MarkId
    page: PageNumber
    kind: MarkKind
    points: Annotated[list[Point], msgspec.Meta(min_length=2, max_length=MAX_MARK_POINTS)]


class PdfUnmark(Body, frozen=True, kw_only=True, tag="pdf.unmark"):
    """Take a mark of one's own away; ``mark`` "": all of them. Needs ``pdf.mark``."""

    pdf: AnyId
    mark: Annotated[str, msgspec.Meta(max_length=40)] = ""


class PdfSignAsk(Body, frozen=True, kw_only=True, tag="pdf.sign.ask"):
    """Ask a customer to sign in this box. ``of``: which one; "" the only one who is inside. Needs ``pdf.show``."""

    pdf: AnyId
    page: PageNumber
    x: Share
    y: Share
    width: Size
    height: Size
    of: AnyId = ""


class PdfSignCancel(Body, frozen=True, kw_only=True, tag="pdf.sign.cancel"):
    """Ask no longer. Needs ``pdf.show``."""

    pdf: AnyId


class PdfSign(Body, frozen=True, kw_only=True, tag="pdf.sign"):
    """What the customer drew, in shares of the box. ``request``: as it was asked, of that file alone. Needs ``pdf.sign``."""

    pdf: AnyId
    request: AnyId
    strokes: Annotated[list[Stroke], msgspec.Meta(min_length=1, max_length=MAX_STROKES)]


class PdfSignDecline(Body, frozen=True, kw_only=True, tag="pdf.sign.decline"):
    """The customer does not sign. Needs ``pdf.sign``."""

    pdf: AnyId
    request: AnyId


PdfClient = PdfOpen | PdfClose | PdfLook | PdfMark | PdfUnmark | PdfSignAsk | PdfSignCancel | PdfSign | PdfSignDecline


class PdfShown(msgspec.Struct, frozen=True, kw_only=True):
    """``sizes``: width and height of each page as it is shown, in points. ``sha256``: of the file as it was brought."""

    id: PdfId
    name: str
    pages: int
    sizes: list[tuple[float, float]]
    sha256: str


class PdfMarkView(msgspec.Struct, frozen=True, kw_only=True):
    mark: str
    by: ParticipantId
    page: int
    kind: MarkKind
    points: list[tuple[float, float]]


class PdfAsked(msgspec.Struct, frozen=True, kw_only=True):
    """``of``: who is asked, and nobody else. ``sha256``: of the file that is to be signed: the one that was brought, or what the signature before made of
    it."""

    request: str
    page: int
    x: float
    y: float
    width: float
    height: float
    by: ParticipantId
    of: ParticipantId
    sha256: str


class PdfSigned(msgspec.Struct, frozen=True, kw_only=True):
    """``sha256``: of the file with the newest signature."""

    sha256: str
    at: datetime


class PdfState(Body, frozen=True, kw_only=True, tag="pdf.state"):
    """The whole, to everybody who sees it: when it is opened, put away, asked about or signed, and to a new page while one is open. ``pdf`` null: none is.
    ``interrupted``: what is asked was asked before the server was started anew, and what was written since is lost."""

    pdf: PdfShown | None = None
    page: int = 1
    y: float = 0.0
    by: ParticipantId | None = None
    marks: list[PdfMarkView] = msgspec.field(default_factory=list)
    asked: PdfAsked | None = None
    signed: PdfSigned | None = None
    interrupted: bool = False


class PdfLooked(Body, frozen=True, kw_only=True, tag="pdf.looked"):
    page: int
    y: float
    by: ParticipantId


class PdfMarked(Body, frozen=True, kw_only=True, tag="pdf.marked"):
    mark: str
    by: ParticipantId
    page: int
    kind: MarkKind
    points: list[tuple[float, float]]


class PdfUnmarked(Body, frozen=True, kw_only=True, tag="pdf.unmarked"):
    """``mark`` "": all of theirs."""

    by: ParticipantId
    mark: str


PdfServer = PdfState | PdfLooked | PdfMarked | PdfUnmarked
