"""What everybody sees of a PDF that is open in a session: where it is looked at, what is marked, whether a signature is asked for. Sans-I/O.

``TABLE`` is the state machine, ``_move`` the only place that sets the state. One who acts is told by what is raised that it was not done; then nothing
changed.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Annotated, Final

import msgspec

from server.domain.ids import ParticipantId
from server.errors import Conflict, Invalid, NotAllowed, NotFound, TooMany
from server.signalling.messages_pdf import (
    PdfAsked,
    PdfLook,
    PdfLooked,
    PdfMark,
    PdfMarked,
    PdfMarkView,
    PdfShown,
    PdfSignAsk,
    PdfSigned,
    PdfState,
    PdfUnmarked,
    Share,
)

MOST_MARKS = 500
"""Of all together."""
MOST_POINTS = 12_000
"""Of all marks together: about 200 KB for whoever comes later."""
DIGITS = 4
"""Of a share of a page that are kept: a tenth of a point on A4."""


class Phase(Enum):
    SHUT = "shut"
    OPEN = "open"
    ASKED = "asked"
    SIGNING = "signing"  # the customer has signed, and it is being written


class Input(Enum):
    OPEN = "open"
    CLOSE = "close"
    TURN = "turn"  # looked at, marked
    ASK = "ask"
    CANCEL = "cancel"
    DECLINE = "decline"
    SIGN = "sign"
    SIGNED = "signed"
    FAILED = "failed"
    DROPPED = "dropped"  # it was not written, and is asked no longer


TABLE: Final[dict[tuple[Phase, Input], Phase]] = {
    (Phase.SHUT, Input.OPEN): Phase.OPEN,
    (Phase.OPEN, Input.OPEN): Phase.OPEN,
    (Phase.ASKED, Input.OPEN): Phase.OPEN,
    (Phase.OPEN, Input.CLOSE): Phase.SHUT,
    (Phase.ASKED, Input.CLOSE): Phase.SHUT,
    (Phase.OPEN, Input.TURN): Phase.OPEN,
    (Phase.ASKED, Input.TURN): Phase.ASKED,
    (Phase.SIGNING, Input.TURN): Phase.SIGNING,
    (Phase.OPEN, Input.ASK): Phase.ASKED,
    (Phase.ASKED, Input.ASK): Phase.ASKED,  # instead of the one before
    (Phase.ASKED, Input.CANCEL): Phase.OPEN,
    (Phase.ASKED, Input.DECLINE): Phase.OPEN,
    (Phase.ASKED, Input.SIGN): Phase.SIGNING,
    (Phase.SIGNING, Input.CANCEL): Phase.SIGNING,  # it does not land any more, unless it has
    (Phase.SIGNING, Input.SIGNED): Phase.OPEN,
    (Phase.SIGNING, Input.FAILED): Phase.ASKED,
    (Phase.SIGNING, Input.DROPPED): Phase.OPEN,
}
_WHY: Final = {
    Phase.SHUT: "No PDF is open.",
    Phase.OPEN: "No signature is asked for.",
    Phase.ASKED: "A signature is asked for.",
    Phase.SIGNING: "It is being signed.",
}

_GONE: Final = "This signature is not asked for any more."


class _Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What is written down of an open PDF."""

    page: Annotated[int, msgspec.Meta(ge=1)]
    y: Share
    by: ParticipantId
    marks: list[PdfMarkView]
    asked: PdfAsked | None


_LOOKED = msgspec.json.Decoder(_Looked)
"""Made here, before there are threads: two that prepare a type for themselves at once end the process (msgspec 0.22)."""


@dataclass(slots=True)
class _Open:
    shown: PdfShown
    page: int
    y: float
    by: ParticipantId
    marks: "OrderedDict[tuple[ParticipantId, str], PdfMarkView]"
    points: int = 0
    asked: PdfAsked | None = None
    signed: PdfSigned | None = None
    cancelled: bool = False
    interrupted: bool = False


class Together:
    """Of one session."""

    def __init__(self) -> None:
        self.phase = Phase.SHUT
        self._open: _Open | None = None

    def _move(self, input: Input) -> None:
        self.phase = self._next(input)

    def _next(self, input: Input) -> Phase:
        """Raises NotFound (none is open), Conflict."""
        target = TABLE.get((self.phase, input))
        if target is None:
            raise (NotFound if self.phase is Phase.SHUT else Conflict)(_WHY[self.phase])
        return target

    def _here(self, pdf: str, input: Input) -> _Open:
        """That one, where it is the one that is open. Raises NotFound, Conflict."""
        if self._open is None or self._open.shown.id != pdf:
            raise NotFound("This PDF is not open.")
        self._next(input)
        return self._open

    @property
    def shown(self) -> PdfShown | None:
        return self._open.shown if self._open is not None else None

    @property
    def asked(self) -> PdfAsked | None:
        return self._open.asked if self._open is not None else None

    @property
    def state(self) -> PdfState:
        one = self._open
        if one is None:
            return PdfState()
        marks = list(one.marks.values())
        return PdfState(
            pdf=one.shown,
            page=one.page,
            y=one.y,
            by=one.by,
            marks=marks,
            asked=one.asked,
            signed=one.signed,
            interrupted=one.interrupted,
        )

    # ---- written down

    def looked(self, asked: PdfAsked | None) -> str | None:
        """What is to be written down, where this is asked; None where none is open."""
        one = self._open
        if one is None:
            return None
        return _written(_Looked(page=one.page, y=one.y, by=one.by, marks=list(one.marks.values()), asked=asked))

    def restore(self, shown: PdfShown, looked: str, by: ParticipantId, signed: PdfSigned | None) -> None:
        """As it was written down. A signature that was being given is asked for as before. ``by``: who leads where it cannot be read, which is an older
        server's: then it is open at its first page."""
        self.open(shown, by, signed)
        assert self._open is not None
        try:
            was = _LOOKED.decode(looked)
        except msgspec.DecodeError:
            return
        one = self._open
        one.page, one.y, one.by = min(was.page, shown.pages), was.y, was.by
        for mark in was.marks:
            one.marks[mark.by, mark.mark] = mark
            one.points += len(mark.points)
        newest = signed.sha256 if signed is not None else shown.sha256
        if was.asked is not None and was.asked.sha256 == newest:
            self._move(Input.ASK)
            one.asked, one.interrupted = was.asked, True

    # ---- staff

    def may_open(self) -> None:
        """Raises Conflict."""
        self._next(Input.OPEN)

    def open(self, shown: PdfShown, by: ParticipantId, signed: PdfSigned | None = None) -> None:
        self._move(Input.OPEN)
        self._open = _Open(shown, 1, 0.0, by, OrderedDict(), signed=signed)

    def may_close(self) -> PdfShown:
        """Raises NotFound, Conflict."""
        self._next(Input.CLOSE)
        assert self._open is not None
        return self._open.shown

    def close(self) -> None:
        self._move(Input.CLOSE)
        self._open = None

    def may_ask(self, body: PdfSignAsk) -> PdfShown:
        """Raises NotFound, Conflict, Invalid."""
        one = self._here(body.pdf, Input.ASK)
        _on(one.shown, body.page)
        if body.x + body.width > 1.0 + 1e-9 or body.y + body.height > 1.0 + 1e-9:
            raise Invalid("The box is not on the page.")
        width, height = one.shown.sizes[body.page - 1]
        if body.width * width < 20.0 or body.height * height < 10.0:
            raise Invalid("The box is too small to sign in.")
        return one.shown

    def question(self, body: PdfSignAsk, by: ParticipantId, of: ParticipantId, request: str) -> PdfAsked:
        """What ``ask`` asks. Raises NotFound, Conflict."""
        one = self._here(body.pdf, Input.ASK)
        sha256 = one.signed.sha256 if one.signed is not None else one.shown.sha256
        return PdfAsked(
            request=request,
            page=body.page,
            x=body.x,
            y=body.y,
            width=body.width,
            height=body.height,
            by=by,
            of=of,
            sha256=sha256,
        )

    def ask(self, asked: PdfAsked) -> None:
        self._move(Input.ASK)
        assert self._open is not None
        self._open.asked, self._open.cancelled, self._open.interrupted = asked, False, False

    def may_cancel(self, pdf: str) -> PdfAsked:
        """Raises NotFound, Conflict."""
        one = self._here(pdf, Input.CANCEL)
        assert one.asked is not None
        return one.asked

    def cancel(self) -> None:
        """While it is being written ``failed`` or ``signed`` follows all the same."""
        self._move(Input.CANCEL)
        if self.phase is Phase.OPEN:
            self._answered()
        elif self._open is not None:
            self._open.cancelled = True

    # ---- everybody

    def look(self, body: PdfLook, by: ParticipantId) -> PdfLooked:
        """Raises NotFound, Invalid."""
        one = self._here(body.pdf, Input.TURN)
        _on(one.shown, body.page)
        one.page, one.y, one.by = body.page, round(body.y, DIGITS), by
        return PdfLooked(page=one.page, y=one.y, by=by)

    def mark(self, body: PdfMark, by: ParticipantId) -> PdfMarked:
        """Raises NotFound, Invalid, TooMany."""
        one = self._here(body.pdf, Input.TURN)
        _on(one.shown, body.page)
        if body.kind == "highlight" and len(body.points) != 2:
            raise Invalid("A highlight has two corners.")
        before = one.marks.get((by, body.mark))
        points = one.points + len(body.points) - (len(before.points) if before is not None else 0)
        if points > MOST_POINTS or (before is None and len(one.marks) >= MOST_MARKS):
            raise TooMany("There are as many marks as there may be.")
        kept = [(round(x, DIGITS), round(y, DIGITS)) for x, y in body.points]
        view = PdfMarkView(mark=body.mark, by=by, page=body.page, kind=body.kind, points=kept)
        one.marks[by, body.mark] = view
        one.points = points
        return PdfMarked(**msgspec.structs.asdict(view))

    def unmark(self, pdf: str, mark: str, by: ParticipantId) -> PdfUnmarked:
        """One's own. What is not there is gone. Raises NotFound."""
        one = self._here(pdf, Input.TURN)
        for key in [key for key in one.marks if key[0] == by and mark in ("", key[1])]:
            one.points -= len(one.marks.pop(key).points)
        return PdfUnmarked(by=by, mark=mark)

    # ---- the customer

    def may_decline(self, pdf: str, request: str, by: ParticipantId) -> PdfAsked:
        """Raises NotFound, Conflict: this is not what is asked; NotAllowed: somebody else is."""
        return self._request(pdf, request, Input.DECLINE, by)

    def decline(self) -> None:
        self._move(Input.DECLINE)
        self._answered()

    def sign(self, pdf: str, request: str, by: ParticipantId) -> PdfAsked:
        """From now on it is being written: ``signed`` or ``failed`` follows. Raises NotFound, Conflict, NotAllowed."""
        asked = self._request(pdf, request, Input.SIGN, by)
        self._move(Input.SIGN)
        return asked

    def signed(self, sha256: str, at: datetime) -> None:
        self._move(Input.SIGNED)
        self._answered()
        assert self._open is not None
        self._open.signed = PdfSigned(sha256=sha256, at=at)

    def still(self, asked: PdfAsked) -> None:
        """Raises Conflict: what is being written was cancelled."""
        if self.phase is not Phase.SIGNING or self._open is None or self._open.asked is not asked or self._open.cancelled:
            raise Conflict(_GONE)

    def failed(self) -> None:
        """It was not written: it is asked for as before, but where it was cancelled meanwhile."""
        dropped = self._open is not None and self._open.cancelled
        self._move(Input.DROPPED if dropped else Input.FAILED)
        if dropped:
            self._answered()

    def _request(self, pdf: str, request: str, input: Input, by: ParticipantId) -> PdfAsked:
        asked = self._here(pdf, input).asked
        if asked is None or asked.request != request:
            raise Conflict(_GONE)
        if asked.of != by:
            raise NotAllowed("Somebody else is asked to sign.")
        return asked

    def _answered(self) -> None:
        assert self._open is not None
        self._open.asked, self._open.cancelled, self._open.interrupted = None, False, False


def begun(by: ParticipantId) -> str:
    """What is written down of a PDF that is opened now."""
    return _written(_Looked(page=1, y=0.0, by=by, marks=[], asked=None))


def _written(looked: _Looked) -> str:
    return msgspec.json.encode(looked).decode()


def _on(shown: PdfShown, page: int) -> None:
    if page > shown.pages:
        raise Invalid("There is no such page.")
