"""What viewers say: asking, pointing, drawing, doing. Sans-I/O. Nothing is believed of it; what is not granted now is refused."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from server.cobrowse import gate
from server.cobrowse.acts import is_well_formed, refused
from server.cobrowse.core import Core, refuse
from server.cobrowse.messages import (
    Act,
    ActOutcome,
    Body,
    Bye,
    Mark,
    Pointer,
    Scope,
    ShareState,
    Unmark,
    ViewAsk,
    ViewCall,
    ViewPing,
    ViewPong,
    ViewRelease,
    ViewResync,
    Who,
)
from server.cobrowse.orders import Begin, Facts, Look, Noted
from server.cobrowse.seats import Seat

ASK_S = 60.0
"""So long a customer has to read a question and answer it."""
_Said = Callable[[Seat, Any, float], None]


class ViewerSide:
    def __init__(self, core: Core) -> None:
        self._core = core
        self._by_type: Mapping[type[Body], _Said] = MappingProxyType(
            {
                ViewAsk: self._ask,
                ViewRelease: self._release,
                ViewResync: self._resync,
                ViewPing: self._ping,
                ViewCall: self._call,
                Mark: self._mark,
                Unmark: self._unmark,
                Act: self._act,
            }
        )

    def said(self, seat: Seat, body: Body, now: float) -> None:
        """Whoever says too much, or what is no matter of theirs, is cut off."""
        handler = self._by_type.get(type(body))
        if isinstance(body, Pointer):
            self._point(seat, body, now)
        elif seat.line is None:
            return
        elif handler is None:
            seat.line.end(Bye(code="invalid", again=False))
        elif not seat.paces.messages.take(now):
            seat.line.end(Bye(code="too_many", again=True))
        else:
            handler(seat, body, now)

    def begun(self, number: int, ok: bool) -> None:
        """Only what is in the audit goes on: to the sanitiser, and from there to the tab."""
        core = self._core
        doing = core.acts.get(number)
        if doing is None or doing.begun:
            return
        if not ok:
            refuse(doing.seat.line, "not_stored", "the act could not be written down")
            core.over(number, ActOutcome.REFUSED)
        elif not (core.is_allowed(doing) and core.feed.is_whole):
            core.over(number, ActOutcome.REFUSED)
        else:
            doing.begun = True
            core.emit(Look(look=number, page=doing.page, node=doing.act.node))

    def looked(self, look: int, facts: Facts | None) -> None:
        core = self._core
        doing = core.acts.get(look)
        if doing is None or doing.sent or not doing.begun:
            return
        front = core.front
        stands = front is not None and core.is_allowed(doing) and core.feed.is_whole
        permitted = facts is not None and doing.act.kind in gate.may(facts) and gate.may_enter(facts, doing.act.value)
        if front is None or not stands or not permitted:
            gone = facts is None or not facts.known
            core.over(look, ActOutcome.GONE if gone else ActOutcome.REFUSED)
            return
        doing.sent = True
        act = msgspec.structs.replace(doing.act, act=str(look), page=front.page, viewer=doing.seat.person.id)
        if not front.line.offer(act):
            core.over(look, ActOutcome.REFUSED)

    # ---- asking

    def _ask(self, seat: Seat, body: ViewAsk, now: float) -> None:
        core = self._core
        front = core.front
        if body.scope in seat.granted:
            seat.answer(body.scope, given=True)
        elif core.first and seat.person.who is Who.OTHER:
            refuse(seat.line, "not_first", "whoever typed the code or offered help is answered first")
        elif seat.asked is not None or body.scope in seat.pending:
            refuse(seat.line, "too_many", "one question at a time")
        elif body.scope is not Scope.VIEW and Scope.VIEW not in seat.granted:
            refuse(seat.line, "not_granted", "view comes first")
        elif front is None or core.held or core.state is ShareState.PAUSED:
            refuse(seat.line, "refused", "the customer's page is away or paused")
        elif not core.consents.may_ask(seat, body.scope, now):
            refuse(seat.line, "too_many", "the customer said no")
        elif not seat.paces.asks.take(now):
            refuse(seat.line, "too_many", "asked too often")
        else:
            seat.asked = (body.scope, now + ASK_S)
            core.note(Noted.ASKED, viewer=seat.person.id, scope=body.scope.value)
            core.prompt(front, seat, now)

    def _call(self, seat: Seat, body: ViewCall, now: float) -> None:
        del body
        core, front = self._core, self._core.front
        why = core.calls.refuses(seat, now)
        if why:
            refuse(seat.line, why, "the customer cannot be asked into the conversation now")
        elif front is None or core.held or core.state is ShareState.PAUSED:
            refuse(seat.line, "refused", "the customer's page is away or paused")
        elif not seat.paces.asks.take(now):
            refuse(seat.line, "too_many", "asked too often")
        else:
            core.calls.ask(seat, now)
            core.note(Noted.CALL_ASKED, viewer=seat.person.id)
            core.calls.prompt(front.line, now)

    def _release(self, seat: Seat, body: ViewRelease, now: float) -> None:
        del now
        self._core.consents.release(seat, body.scope)

    def _resync(self, seat: Seat, body: ViewResync, now: float) -> None:
        del body
        if seat.line is None or not self._core.sees(seat):
            refuse(seat.line, "not_granted", "nothing is shown")
        elif seat.paces.pictures.take(now):
            seat.line.reel.clear()
        else:
            refuse(seat.line, "too_many", "pictures were asked for too often")

    def _ping(self, seat: Seat, body: ViewPing, now: float) -> None:
        del now
        front = self._core.front
        if seat.line is not None:
            seat.line.offer(ViewPong(n=body.n, tab_ms=None if front is None else front.round_trip_ms))

    # ---- pointing

    def _point(self, seat: Seat, body: Pointer, now: float) -> None:
        front = self._core.front
        if front is None or not self._core.points(seat) or body.page != front.number or not seat.paces.pointers.take(now):
            return
        seat.pointed = True
        for line, page in self._core.onlookers(seat, front):
            line.point(Pointer(page=page, at=body.at, viewer=seat.person.id))

    def _mark(self, seat: Seat, body: Mark, now: float) -> None:
        least, most = gate.SPOTS[body.kind]
        front = self._core.front
        of_one_node = len({spot.node for spot in body.spots}) == 1
        if body.viewer or len(body.spots) < least or (most is not None and len(body.spots) > most) or not of_one_node:
            refuse(seat.line, "invalid", "not a mark of this kind")
        elif front is None or not self._draws(seat, now):
            return
        elif body.page != front.number:
            refuse(seat.line, "unknown", "the page is another one")
        elif len(seat.marks) >= gate.MOST_MARKS and body.id not in seat.marks:
            refuse(seat.line, "too_many", "too many marks stand on the page")
        else:
            seat.pointed = True
            seat.marks[body.id] = msgspec.structs.replace(body, viewer=seat.person.id)
            for line, page in self._core.onlookers(seat, front):
                line.offer(msgspec.structs.replace(body, page=page, viewer=seat.person.id))

    def _unmark(self, seat: Seat, body: Unmark, now: float) -> None:
        front = self._core.front
        if front is not None and self._draws(seat, now):
            if body.id:
                seat.marks.pop(body.id, None)
            else:
                seat.marks.clear()
            for line, _ in self._core.onlookers(seat, front):
                line.offer(Unmark(id=body.id, viewer=seat.person.id))

    def _draws(self, seat: Seat, now: float) -> bool:
        if not self._core.points(seat):
            refuse(seat.line, "not_granted", "nothing may be drawn")
            return False
        if not seat.paces.marks.take(now):
            refuse(seat.line, "too_many", "marks come too fast")
            return False
        return True

    # ---- doing

    def _act(self, seat: Seat, body: Act, now: float) -> None:
        core = self._core
        front = core.front
        outcome = ActOutcome.REFUSED
        if not seat.paces.acts.take(now):
            why = "too_many"
        elif not is_well_formed(body):
            why = "invalid"
        elif not (core.sees(seat) and seat.may(gate.NEEDS[body.kind])):
            why = "not_granted"
        elif front is None or body.page != front.number:
            why, outcome = "unknown", ActOutcome.GONE
        elif not core.feed.is_whole:
            why = "refused"
        elif (number := core.acts.begin(seat, body, front.number, now)) is None:
            why = "too_many"
        else:
            core.emit(Begin(number=number, viewer=seat.person.id, kind=body.kind))
            return
        refuse(seat.line, why, "the act was not passed on")
        note = refused(seat, body, outcome)
        if why != "too_many":
            core.emit(note)
