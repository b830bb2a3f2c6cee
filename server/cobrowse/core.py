"""What holds of a share, and what follows from it. Sans-I/O. ``share`` is how it is used.

What follows from a change, who sees the page, who is told what, which acts are over, is worked out anew after each (``settle``) from what was granted and where
things stand; nothing of it is kept by hand.
"""

import math
from collections import Counter
from functools import partial

import msgspec

from server.cobrowse.acts import Acts, Doing
from server.cobrowse.assets import Assets
from server.cobrowse.backlog import Line, Pictures
from server.cobrowse.calls import Calls
from server.cobrowse.documents import Document, Documents
from server.cobrowse.feed import Feed
from server.cobrowse.gate import NEEDS
from server.cobrowse.kept import KeptAct, KeptState, KeptViewer
from server.cobrowse.messages import (
    Act,
    ActOutcome,
    AskConsent,
    AssetNeed,
    Body,
    Bye,
    Mark,
    PageRules,
    Pointer,
    Problem,
    Scope,
    ShareState,
    TabState,
    Unmark,
    ViewState,
    WantPicture,
    Who,
)
from server.cobrowse.orders import Changed, Hush, Note, Noted, Output, Wake
from server.cobrowse.rules import ELSEWHERE
from server.cobrowse.seats import Consents, Seat
from server.cobrowse.states import Happened, after
from server.cobrowse.wrong import WrongFields

Outputs = list[Output]

IDLE_S = 900.0
"""So long a code waits for an agent."""
AWAY_S = 60.0
"""So long the customer's page may be away, or a viewer, and may still be looked at, or look."""


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """What a tab is told about the site and its bank. ``rules``: SHA-256 of the pack that holds, for as long as a share lasts; ``pages``: its pages."""

    rules: str
    pages: list[PageRules] = []
    bank_zh: str = ""
    bank_en: str = ""


class Core:
    """``lines``: of every connection; those of ``seats`` and ``documents`` are among them, others wait for their Bye."""

    def __init__(self, code: str, site: Site, now: float) -> None:
        self.state = ShareState.IDLE
        self.site = site
        self.lines: dict[str, Line] = {}
        self.documents = Documents()
        self.seats: dict[str, Seat] = {}
        self.feed = Feed()
        self.acts = Acts()
        self.wrong = WrongFields()
        self.pictures = Pictures()
        self.assets = Assets()
        self.outputs: Outputs = []
        self.consents = Consents(site.rules, self.emit)
        self.dropped: Counter[str] = Counter()
        self.idle_until = now + IDLE_S
        self.away_since: float | None = now
        """Since when no document is connected."""
        self.calls = Calls()
        self.first = False
        """Nobody asks yet but whoever brought the page (``Person.who``): they have not been answered."""
        self.held = False
        """The customer is on hold: nobody sees or does anything meanwhile."""
        self.recorder: Line | None = None
        """Of what keeps what is seen, with the recording of the session."""
        self.recorder_told: KeptState | None = None
        self._code = code

    @property
    def code(self) -> str:
        return self._code if self.state is ShareState.IDLE else ""

    @property
    def front(self) -> Document | None:
        return self.documents.front

    # ---- what holds

    def sees(self, seat: Seat) -> bool:
        front = self.front
        may = self.state is ShareState.SHARING and seat.line is not None and seat.may(Scope.VIEW)
        return may and front is not None and not front.hidden and not self.held

    @property
    def keeps(self) -> bool:
        """Whether the recorder sees what is seen."""
        there = self.recorder is not None and not self.recorder.over
        return there and any(self.sees(seat) for seat in self.seats.values())

    def points(self, seat: Seat) -> bool:
        return self.sees(seat) and seat.may(Scope.POINT)

    def is_allowed(self, doing: Doing) -> bool:
        """As things stand now."""
        front = self.front
        here = front is not None and front.number == doing.page
        return here and self.sees(doing.seat) and doing.seat.may(NEEDS[doing.act.kind])

    def seat_of(self, connection: str) -> Seat | None:
        return next((seat for seat in self.seats.values() if seat.connection == connection), None)

    # ---- what is done

    def emit(self, output: Output) -> None:
        self.outputs.append(output)

    def note(self, what: Noted, **details: str | int) -> None:
        self.emit(Note(what=what, details=details))

    def become(self, happened: Happened) -> bool:
        """Whether that changed the state. The one place where it is set."""
        state = after(self.state, happened)
        if state is self.state:
            return False
        self.state = state
        self.emit(Changed(state=state))
        return True

    def bring_front(self, document: Document, now: float) -> None:
        """Another document is shared: who looks goes on looking, and may do nothing in it."""
        self._lapse_all()
        self._wipe_all()
        self.deafen()
        self.assets.turn()
        self.documents.bring_front(document)
        self.pictures.fresh()
        for seat in self.seats.values():
            if seat.asked is not None:
                self.prompt(document, seat, now)
        self.calls.prompt(document.line, now)

    def gone(self, document: Document) -> None:
        """Its connection is over, or another takes its place."""
        if document is self.front:
            self._lapse_all()
            self._wipe_all()
            self.deafen()
        self.documents.remove(document.connection)

    def prompt(self, front: Document, seat: Seat, now: float) -> None:
        if seat.asked is not None:
            scope, until = seat.asked
            seconds = max(1, math.ceil(until - now))
            front.line.say(
                AskConsent(viewer=seat.viewer(), scope=scope, seconds=seconds, rules=self.site.rules, who=seat.person.who)
            )

    def disconnect(self, seat: Seat, now: float) -> None:
        """A viewer's connection is over: they may be back."""
        self.consents.unanswered(seat)
        self.consents.lapse(seat)
        seat.connection, seat.line, seat.told, seat.shown, seat.away_since = "", None, None, False, now

    def leave(self, seat: Seat) -> None:
        """A viewer is, for good."""
        self.consents.unanswered(seat)
        self.consents.lapse(seat, list(Scope))
        self._hush(seat)
        if seat.line is not None:
            seat.line.end(Bye(code="ended", again=False))
        seat.connection, seat.line = "", None
        self._wipe(seat)
        for number, doing in self.acts.all():
            if doing.seat is seat:
                self.over(number, ActOutcome.LATE if doing.taken else ActOutcome.REFUSED)
        del self.seats[seat.person.id]
        self.note(Noted.VIEWER_LEFT, viewer=seat.person.id)

    def over(self, number: int, outcome: ActOutcome) -> None:
        doing = self.acts.get(number)
        if doing is not None and doing.sent and self.recorder is not None and self.keeps:
            act, viewer = doing.act, doing.seat.person.id
            self.recorder.say(KeptAct(viewer=viewer, page=doing.page, node=act.node, kind=act.kind, outcome=outcome))
        self.emit(self.acts.over(number, outcome))

    def deafen(self) -> None:
        """What comes of the page next is behind a gap, and nothing that waits leaves."""
        self.feed.deafen()
        self.assets.hide()
        self.wrong.forget()
        for seat in self.seats.values():
            if seat.line is not None:
                seat.line.reel.clear()
        if self.recorder is not None:
            self.recorder.reel.clear()
        if self.front is not None:
            self.front.name = ""  # until it is known again which page it is

    def end(self, why: str, *, code: str = "ended") -> None:
        if not self.become(Happened.ENDED):
            return
        for seat in self.seats.values():
            self.consents.lapse(seat, list(Scope))
            self._hush(seat)
        for number, doing in self.acts.all():
            self.over(number, ActOutcome.LATE if doing.taken else ActOutcome.REFUSED)
        for line in self.lines.values():
            line.end(Bye(code=code, again=False))
        self.seats.clear()
        self.acts = Acts()
        self.documents = Documents()
        self.assets.clear()
        self.feed.lost()
        if self.dropped:
            self.note(Noted.DROPPED, **self.dropped)
        self.note(Noted.ENDED, why=why)

    def _hush(self, seat: Seat) -> None:
        """They were shown the page, and are no more."""
        shown, seat.shown = seat.shown, False
        if shown and seat.line is not None:
            self.emit(Hush(connection=seat.connection))

    # ---- what follows

    def settle(self, now: float) -> Outputs:
        """Everything that follows from where things stand, and all that is to be done."""
        if self.state is not ShareState.ENDED:
            self._cut(now)
            if any(seat.answered and seat.person.who is not Who.OTHER for seat in self.seats.values()):
                self.first = False
            if self.calls.asked is not None and (self.calls.asked[0].line is None or not self.calls.apart):
                self.calls.unanswered()
            self.become(Happened.SEEN if any(seat.may(Scope.VIEW) for seat in self.seats.values()) else Happened.UNSEEN)
            self._silence()
            self._stop_acts()
            self._tell(now)
            self._draw(now)
            self._illustrate()
        return self.finish()

    def finish(self) -> Outputs:
        """What is to be done, nothing else having changed."""
        for connection, line in self.lines.items():
            if line.stirred():
                self.emit(Wake(connection=connection))
        found = self.outputs[:]
        self.outputs.clear()
        return found

    def _cut(self, now: float) -> None:
        """Those who only wait for their Bye are not there any more."""
        for document in self.documents.all():
            if document.line.over:
                self.gone(document)
        for seat in self.seats.values():
            if seat.line is not None and seat.line.over:
                self.disconnect(seat, now)
        if len(self.documents):
            self.away_since = None
        elif self.away_since is None:
            self.away_since = now

    def _lapse_all(self) -> None:
        for seat in self.seats.values():
            self.consents.lapse(seat)

    def _silence(self) -> None:
        """Nothing of the page waits for those who do not see it, nothing of theirs for the customer that they may not do any more."""
        for seat in self.seats.values():
            if seat.line is not None:
                seat.line.drop(partial(self._is_unseen, seat))
                if not self.sees(seat):
                    seat.line.blind()
            if seat.pointed and not self.points(seat):
                self._wipe(seat)
        for document in self.documents.all():
            document.line.drop(partial(self._is_stale, document))
        if self.recorder is not None:
            self.recorder.drop(self._is_unkept)
            if not self.keeps:
                self.recorder.blind()

    def _is_unkept(self, body: Body) -> bool:
        drawn = isinstance(body, Mark) or (isinstance(body, Pointer) and body.at is not None)
        seat = self.seats.get(body.viewer) if isinstance(body, Mark | Pointer) else None
        return drawn and (not self.keeps or seat is None or not self.points(seat))

    def _is_stale(self, document: Document, body: Body) -> bool:
        if isinstance(body, Act):
            number = self.acts.of_tab(body.act)
            doing = None if number is None else self.acts.get(number)
            return document is not self.front or doing is None or not self.is_allowed(doing)
        if isinstance(body, Mark) or (isinstance(body, Pointer) and body.at is not None):
            seat = self.seats.get(body.viewer)
            return document is not self.front or seat is None or not self.points(seat)
        return isinstance(body, AssetNeed) and document is not self.front

    def _is_unseen(self, seat: Seat, body: Body) -> bool:
        """What others draw, as long as they may and it is seen; that it goes is told to everybody who may look."""
        if not isinstance(body, Pointer | Mark | Unmark):
            return False
        if self.state is not ShareState.SHARING or not seat.may(Scope.VIEW):
            return True
        other = self.seats.get(body.viewer)
        drawn = isinstance(body, Mark) or (isinstance(body, Pointer) and body.at is not None)
        return drawn and (not self.sees(seat) or other is None or not self.points(other))

    def _wipe_all(self) -> None:
        for seat in self.seats.values():
            self._wipe(seat)

    def _wipe(self, seat: Seat) -> None:
        """What they drew goes."""
        front, pointed = self.front, seat.pointed
        seat.pointed = False
        seat.marks.clear()
        if front is None or not pointed:
            return
        for line, page in self.onlookers(seat, front):
            line.point(Pointer(page=page, at=None, viewer=seat.person.id))
            line.drop(lambda body: isinstance(body, Mark) and body.viewer == seat.person.id)
            line.offer(Unmark(id="", viewer=seat.person.id))

    def onlookers(self, seat: Seat, front: Document) -> list[tuple[Line, int]]:
        """The customer, the other viewers and the recorder, each with its own number of the page."""
        others = [one.line for one in self.seats.values() if one is not seat and one.line is not None and self.sees(one)]
        if self.recorder is not None and self.keeps:
            others.append(self.recorder)
        return [(front.line, front.page), *((line, front.number) for line in others)]

    def _stop_acts(self) -> None:
        for number, doing in self.acts.all():
            if not self.is_allowed(doing):
                moved = self.front is None or self.front.number != doing.page
                kept = ActOutcome.LATE if doing.taken else ActOutcome.REFUSED  # it may have been done
                self.over(number, ActOutcome.GONE if moved else kept)

    def _draw(self, now: float) -> None:
        """Has a picture made where somebody waits for one."""
        front = self.front
        looks = any(seat.line is not None and seat.may(Scope.VIEW) for seat in self.seats.values())
        if front is None or self.state is not ShareState.SHARING or self.held or not looks:
            if self.feed.hears:
                self.deafen()
            self.pictures.forget()
            self.assets.clear()
            return
        waits = any(seat.line is not None and self.sees(seat) and seat.line.reel.wants_picture for seat in self.seats.values())
        waits = waits or (self.recorder is not None and self.keeps and self.recorder.reel.wants_picture)
        if waits or not self.feed.hears:
            self.pictures.want()
        if self.feed.is_ready and self.pictures.due(now):
            front.line.say(WantPicture())
            self.feed.listen()

    def _illustrate(self) -> None:
        """Who sees the page sees its images."""
        front, shown = self.front, self.assets.shown
        if front is None:
            return
        for seat in self.seats.values():
            if seat.line is not None and self.sees(seat):
                seat.line.illustrate(front.number, shown)
        if self.recorder is not None and self.keeps and not self.recorder.reel.wants_picture:
            self.recorder.illustrate(front.number, shown)

    def _tell(self, now: float) -> None:
        viewers = [seat.viewer() for seat in self.seats.values()]
        for document in self.documents.all():
            front = document is self.front
            told = TabState(
                state=self.state,
                code=self.code,
                code_s=0,
                front=front,
                hidden=document.hidden and front,
                viewers=viewers,
                rules=self.site.rules,
            )
            if told != document.told:
                document.told = told
                left = max(0, math.ceil(self.idle_until - now)) if self.code else 0
                document.line.say(msgspec.structs.replace(told, code_s=left))
        for seat in self.seats.values():
            state = self._view_state(seat)
            if seat.line is not None and state != seat.told:
                before = 0 if seat.told is None else seat.told.page
                if not seat.may(Scope.VIEW):
                    self._hush(seat)
                seat.told = state
                seat.shown |= state.page > 0
                seat.line.say(state)
                if state.page not in (0, before):
                    self._show_marks(seat, state.page)
        if self.recorder is not None and (kept := self._kept_state()) != self.recorder_told:
            before = 0 if self.recorder_told is None else self.recorder_told.page
            self.recorder_told = kept
            self.recorder.say(kept)
            if kept.page not in (0, before):
                self._keep_marks(self.recorder, kept.page)

    def _show_marks(self, seat: Seat, page: int) -> None:
        """Somebody comes to see the page on which others have drawn."""
        for other in self.seats.values():
            if seat.line is not None and other is not seat and self.points(other):
                for mark in other.marks.values():
                    seat.line.offer(msgspec.structs.replace(mark, page=page))

    def _keep_marks(self, line: Line, page: int) -> None:
        for seat in self.seats.values():
            if self.points(seat):
                for mark in seat.marks.values():
                    line.offer(msgspec.structs.replace(mark, page=page))

    def _kept_state(self) -> KeptState:
        front, shown = self.front, self.keeps
        known = front if shown else None
        named = known if known is not None and known.name not in ("", ELSEWHERE) else None
        return KeptState(
            state=ShareState.PAUSED if self.held and self.state is ShareState.SHARING else self.state,
            shown=shown,
            hidden=front is not None and front.hidden,
            front=front is not None,
            page=0 if known is None else known.number,
            name="" if known is None else known.name,
            step="" if named is None else named.step.step,
            errors=0 if named is None else named.step.errors,
            viewers=[
                KeptViewer(id=one.id, role=one.role, granted=one.granted)
                for one in (seat.viewer() for seat in self.seats.values() if seat.line is not None)
            ],
        )

    def _view_state(self, seat: Seat) -> ViewState:
        front = self.front
        known = front if front is not None and self.sees(seat) else None
        named = known if known is not None and known.name not in ("", ELSEWHERE) else None
        return ViewState(
            state=ShareState.PAUSED if self.held and self.state is ShareState.SHARING else self.state,
            viewer=seat.person.id,
            page=0 if known is None else known.number,
            name="" if known is None else known.name,
            front=front is not None,
            hidden=front is not None and front.hidden,
            viewers=[one.viewer() for one in self.seats.values()],
            waits_for=seat.waits_for(),
            step="" if named is None else named.step.step,
            errors=0 if named is None else named.step.errors,
            fields=[] if named is None else self.wrong.told,
            dwell_s=0 if named is None else named.step.dwell_s,
            customer="" if known is None else known.customer,
            apart=self.calls.apart,
        )


def refuse(line: Line | None, code: str, detail: str) -> None:
    """Where there is no room it is not said."""
    if line is not None:
        line.offer(Problem(code=code, detail=detail))
