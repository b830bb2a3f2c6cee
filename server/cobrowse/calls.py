"""A customer who only shows a page is asked into the conversation: who asks, the answer, the way in. Sans-I/O; nothing of what is shown depends on it."""

import math

from server.cobrowse.backlog import Line
from server.cobrowse.messages import AskCall, CallLink, ViewCalled
from server.cobrowse.seats import AFTER_NO_S, MOST_NOES, Seat

LEADING = frozenset({"agent", "supervisor"})
ASK_S = 60.0


class Calls:
    """One question at a time, of one share. ``apart``: the customer is not in the conversation."""

    def __init__(self) -> None:
        self.apart = False
        self.asked: tuple[Seat, float] | None = None
        """Who asks, and until when it can be answered."""
        self._making: Seat | None = None
        self._noes: list[float] = []

    def refuses(self, seat: Seat, now: float) -> str:
        """Why they may not ask now, a code of ``Problem``, or ""."""
        if seat.person.role not in LEADING:
            return "not_granted"
        if not self.apart:
            return "refused"
        tired = len(self._noes) >= MOST_NOES or (self._noes and now < self._noes[-1] + AFTER_NO_S)
        return "too_many" if self.asked is not None or self._making is not None or tired else ""

    def ask(self, seat: Seat, now: float) -> None:
        self.asked = (seat, now + ASK_S)

    def prompt(self, line: Line, now: float) -> None:
        """In the document in front, also when that is another one."""
        if self.asked is not None:
            seat, until = self.asked
            line.say(AskCall(viewer=seat.viewer(), seconds=max(1, math.ceil(until - now))))

    def answered(self, viewer: str, now: float, *, given: bool) -> bool | None:
        """Whether a way in is to be made; None: nobody has asked that."""
        if self.asked is None or self.asked[0].person.id != viewer:
            return None
        seat, _ = self.asked
        self.asked = None
        if given and self.apart:
            self._making = seat
            return True
        self._noes.append(now)
        _tell(seat, given=False)
        return False

    def made(self, line: Line | None, link: str) -> None:
        """``link`` "": it could not be."""
        seat, self._making = self._making, None
        if line is not None:
            line.say(CallLink(link=link))
        if seat is not None:
            _tell(seat, given=bool(link) and line is not None)

    def unanswered(self) -> None:
        """Time is over, or who asked is gone."""
        if self.asked is not None:
            seat, _ = self.asked
            self.asked = None
            _tell(seat, given=False)


def _tell(seat: Seat, *, given: bool) -> None:
    if seat.line is not None:
        seat.line.say(ViewCalled(given=given))
