"""What the customer's tabs say. Sans-I/O. Giving is taken from the tab in front alone, taking back from every one, however much it says."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from server.cobrowse.assembly import GapError
from server.cobrowse.assets import Refused
from server.cobrowse.core import Core, refuse
from server.cobrowse.documents import Document
from server.cobrowse.messages import (
    ActOutcome,
    AssetPut,
    Body,
    Bye,
    Scope,
    TabCall,
    TabConsent,
    TabDom,
    TabDone,
    TabFront,
    TabPause,
    TabStep,
    TabStop,
    TabTake,
)
from server.cobrowse.net import identifies
from server.cobrowse.orders import Invite, Noted
from server.cobrowse.seats import CONTROL
from server.cobrowse.states import Happened

_Said = Callable[[Document, Any, float], None]


class TabSide:
    def __init__(self, core: Core) -> None:
        self._core = core
        self._by_type: Mapping[type[Body], _Said] = MappingProxyType(
            {
                TabFront: self._front,
                TabConsent: self._consent,
                TabPause: self._pause,
                TabStop: self._stop,
                TabTake: self._take,
                TabDone: self._done,
                TabCall: self._call,
                TabStep: self._step,
                AssetPut: self._asset,
            }
        )

    def said(self, document: Document, body: Body, now: float, *, room: bool) -> None:
        """Whoever says too much, or what is no matter of theirs, is cut off. ``room``: for more of the page, at the sanitiser."""
        pace = document.chunks if isinstance(body, TabDom | AssetPut) else document.messages
        handler = self._by_type.get(type(body))
        if not pace.take(now) and not _narrows(body):
            document.line.end(Bye(code="too_many", again=True))
        elif isinstance(body, TabDom):
            self._dom(document, body, room)
        elif handler is not None:
            handler(document, body, now)
        else:
            document.line.end(Bye(code="invalid", again=False))

    def _front(self, document: Document, body: TabFront, now: float) -> None:
        del body
        if document is self._core.front:
            return
        if document.widening.take(now):
            self._core.bring_front(document, now)
        else:
            refuse(document.line, "too_many", "tabs change too often")

    def _consent(self, document: Document, body: TabConsent, now: float) -> None:
        if not body.given:
            for seat in self._core.seats.values():
                if body.viewer in ("", seat.person.id):
                    self._core.consents.take_back(seat, body.scope, now)
            return
        viewer = self._core.seats.get(body.viewer)
        if viewer is None:
            why = "unknown"
        elif document is not self._core.front:
            why = "refused"
        elif not document.widening.take(now):
            why = "too_many"
        else:
            why = self._core.consents.give(viewer, body.scope, body.rules)
        if why:
            refuse(document.line, why, "nothing was given")

    def _pause(self, document: Document, body: TabPause, now: float) -> None:
        if not body.paused and not document.widening.take(now):
            refuse(document.line, "too_many", "paused and resumed too often")
        elif self._core.become(Happened.PAUSED if body.paused else Happened.RESUMED):
            self._core.note(Noted.PAUSED if body.paused else Noted.RESUMED)

    def _stop(self, document: Document, body: TabStop, now: float) -> None:
        del document, body, now
        self._core.end("stopped")

    def _take(self, document: Document, body: TabTake, now: float) -> None:
        del document, body
        held = any(seat.granted & CONTROL for seat in self._core.seats.values())
        for seat in self._core.seats.values():
            for scope in Scope:
                if scope in CONTROL:
                    self._core.consents.take_back(seat, scope, now)
        if held:
            self._core.note(Noted.TAKEN_BACK)

    def _done(self, document: Document, body: TabDone, now: float) -> None:
        del now
        number = self._core.acts.of_tab(body.act)
        if number is not None and document is self._core.front:
            late = body.outcome is ActOutcome.LATE  # the server's own word
            self._core.over(number, ActOutcome.REFUSED if late else body.outcome)

    def _call(self, document: Document, body: TabCall, now: float) -> None:
        core = self._core
        if document is not core.front:
            refuse(document.line, "refused", "another tab is shown")
            return
        given = core.calls.answered(body.viewer, now, given=body.given)
        if given is None:
            refuse(document.line, "unknown", "nobody has asked")
            return
        core.note(Noted.CALL_ANSWERED, viewer=body.viewer, given="yes" if given else "no")
        if given:
            core.emit(Invite(viewer=body.viewer))

    def _step(self, document: Document, body: TabStep, now: float) -> None:
        core = self._core
        document.step = TabStep(step="") if identifies(body.step) else body
        if document is core.front and core.feed.is_whole:
            for look in core.wrong.say(document.number, document.step.fields, now):
                core.emit(look)

    def _asset(self, document: Document, body: AssetPut, now: float) -> None:
        """What nobody asks for any more is no fault: it was under way."""
        del now
        core = self._core
        try:
            if document is not core.front or body.page != document.page:
                raise Refused("asset_not_asked")
            order = core.assets.put(body)
        except Refused as refused:
            core.dropped[str(refused)] += 1
            return
        if order is not None:
            core.emit(order)

    def _dom(self, document: Document, body: TabDom, room: bool) -> None:
        core = self._core
        if not room and document is core.front and core.feed.hears:
            core.feed.choke()
            core.deafen()
        wanted = document is core.front and core.feed.hears
        try:
            if body.page != document.page:
                raise GapError("another page")
            text = document.assembly.take(body.n, body.text, last=body.last, wanted=wanted)
        except GapError as error:
            refuse(document.line, "invalid", str(error))
            if document is core.front:
                core.deafen()
            return
        if text is None:
            return
        order = core.feed.order(document.number, text)
        if order is None:
            core.deafen()
        else:
            core.emit(order)


def _narrows(body: Body) -> bool:
    """What is never too much."""
    if isinstance(body, TabConsent):
        return not body.given
    return isinstance(body, TabStop | TabTake) or (isinstance(body, TabPause) and body.paused)
