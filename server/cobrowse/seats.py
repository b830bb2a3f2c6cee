"""Who looks at a share, and what the customer lets each of them do. Sans-I/O.

What is given holds once it is stored; what is taken back holds at once, stored or not. Nothing but the customer's own answer, to a prompt that names the rules
that hold, gives a scope.
"""

from collections.abc import Callable, Iterable

import msgspec

from server.cobrowse.backlog import Line
from server.cobrowse.gate import Paces
from server.cobrowse.messages import Mark, Scope, ViewAnswer, Viewer, ViewState, Who
from server.cobrowse.orders import Note, Noted, Output, Record
from server.domain.model import ConsentDecision

LADDER = tuple(Scope)
CONTROL = frozenset({Scope.SCROLL, Scope.FILL, Scope.CLICK})
BEYOND_VIEW = CONTROL | {Scope.POINT}
AFTER_NO_S = 120.0
"""So long after a no the same viewer does not ask for the same scope again."""
MOST_NOES = 3
"""Who was told no so often asks no more, as long as the share lasts; what the customer gives by themselves they still have."""


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A viewer: of the session's staff. ``id``: of the participant. ``who``: as the customer is told."""

    id: str
    name: str
    role: str
    who: Who = Who.OTHER


class Seat:
    """One viewer. ``connection``, ``line``: while they are connected, ``away_since`` else. ``pending``: what the customer gave and is being stored, by number of
    its record. ``asked``: what they asked for, and until when it can be answered."""

    def __init__(self, person: Person, now: float) -> None:
        self.person = person
        self.connection = ""
        self.line: Line | None = None
        self.away_since: float | None = now
        self.granted: set[Scope] = set()
        self.pending: dict[Scope, int] = {}
        self.asked: tuple[Scope, float] | None = None
        self.answered = False
        """The customer has said yes or no to them."""
        self.paces = Paces(now)
        self.told: ViewState | None = None
        self.shown = False
        """Whether their connection was shown something of the page since it was last taken back."""
        self.pointed = False
        """Whether something of theirs may stand on the page."""
        self.marks: dict[str, Mark] = {}
        """That do, by their ids, as the tab was told of them."""

    def may(self, scope: Scope) -> bool:
        """Whoever may not look may do nothing."""
        return scope in self.granted and Scope.VIEW in self.granted

    def viewer(self) -> Viewer:
        return Viewer(
            id=self.person.id,
            name=self.person.name,
            role=self.person.role,
            granted=[scope for scope in LADDER if scope in self.granted],
        )

    def waits_for(self) -> list[Scope]:
        return [scope for scope in LADDER if scope in self.pending or (self.asked is not None and self.asked[0] is scope)]

    def answer(self, scope: Scope, *, given: bool) -> None:
        if self.line is not None:
            self.line.say(ViewAnswer(scope=scope, given=given))


class Consents:
    """What is granted, for all seats; the only place that writes ``Seat.granted``."""

    def __init__(self, rules: str, emit: Callable[[Output], None]) -> None:
        self._rules = rules
        self._emit = emit
        self._last = 0
        self._giving: dict[int, tuple[Seat, Scope]] = {}
        self._noes: dict[str, list[tuple[Scope, float]]] = {}
        """By viewer, also of those who have left."""

    def may_ask(self, seat: Seat, scope: Scope, now: float) -> bool:
        """Nobody is worn down by being asked again and again."""
        noes = self._noes.get(seat.person.id, [])
        return len(noes) < MOST_NOES and all(one is not scope or now >= at + AFTER_NO_S for one, at in noes)

    def give(self, seat: Seat, scope: Scope, rules: str) -> str:
        """The customer said yes. Returns why it is not taken, a code of ``Problem``, or ""."""
        if rules != self._rules:
            return "invalid"
        if seat.line is None:
            return "unknown"
        if scope is not Scope.VIEW and Scope.VIEW not in seat.granted:
            return "not_granted"
        seat.answered = True
        if seat.asked is not None and seat.asked[0] is scope:
            seat.asked = None
        if scope not in seat.granted and scope not in seat.pending:
            number = self._record(seat, scope, ConsentDecision.GIVEN)
            seat.pending[scope] = number
            self._giving[number] = (seat, scope)
        return ""

    def recorded(self, number: int, ok: bool) -> bool:
        """False: it was given, and holds not, as it could not be stored."""
        seat, scope = self._giving.pop(number, (None, Scope.VIEW))
        if seat is None or seat.pending.get(scope) != number:
            return True  # taken back meanwhile, or no matter of giving
        del seat.pending[scope]
        if ok and (scope is Scope.VIEW or Scope.VIEW in seat.granted):
            seat.granted.add(scope)
        seat.answer(scope, given=scope in seat.granted)
        return ok

    def take_back(self, seat: Seat, scope: Scope, now: float) -> None:
        """The customer said no, now or to what they had given."""
        if seat.asked is not None and seat.asked[0] is scope:
            seat.asked = None
            seat.answered = True
            self._noes.setdefault(seat.person.id, []).append((scope, now))
            self._record(seat, scope, ConsentDecision.REFUSED)
            seat.answer(scope, given=False)
        for one in self._shut(seat, self._with(scope)):
            self._record(seat, one, ConsentDecision.WITHDRAWN)

    def lapse(self, seat: Seat, scopes: Iterable[Scope] = BEYOND_VIEW, *, what: Noted = Noted.LAPSED) -> None:
        """Over without the customer having said so."""
        for one in self._shut(seat, scopes):
            self._emit(Note(what=what, details={"viewer": seat.person.id, "scope": one.value}))

    def release(self, seat: Seat, scope: Scope) -> None:
        self.lapse(seat, self._with(scope), what=Noted.RELEASED)

    def unanswered(self, seat: Seat) -> None:
        """Time is over, or nobody is there to be asked."""
        if seat.asked is not None:
            scope, _ = seat.asked
            seat.asked = None
            seat.answer(scope, given=False)
            self._emit(Note(what=Noted.UNANSWERED, details={"viewer": seat.person.id, "scope": scope.value}))

    @staticmethod
    def _with(scope: Scope) -> Iterable[Scope]:
        """With the view everything goes."""
        return list(Scope) if scope is Scope.VIEW else [scope]

    @staticmethod
    def _shut(seat: Seat, scopes: Iterable[Scope]) -> list[Scope]:
        """Those of ``scopes`` that were granted or about to be."""
        found = [scope for scope in Scope if scope in set(scopes) and (scope in seat.granted or scope in seat.pending)]
        for scope in found:
            seat.granted.discard(scope)
            if seat.pending.pop(scope, None) is not None:
                seat.answer(scope, given=False)
        return found

    def _record(self, seat: Seat, scope: Scope, decision: ConsentDecision) -> int:
        self._last += 1
        self._emit(Record(number=self._last, viewer=seat.person.id, scope=scope, decision=decision, rules=self._rules))
        return self._last
