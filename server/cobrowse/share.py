"""One share: a customer's page, who may look at it and what they may do in it. Sans-I/O; whoever runs it brings the time (``now``, monotonic seconds).

Every method returns what is to be done (``orders.Output``), in that order. What goes to a browser is not among it: it waits in the share, bounded, and is
fetched with ``take`` after a ``Wake``, one frame at a time and only as fast as the connection takes it, so that what is taken back is not under way already.

Connections are named by whoever runs it, tabs and viewers in one space; one that is not known is ignored.
"""

from server.cobrowse.backlog import Event, Line
from server.cobrowse.core import AWAY_S, Core, Outputs, Site
from server.cobrowse.documents import MOST_TABS, Document
from server.cobrowse.feed import utf8_size
from server.cobrowse.messages import (
    Act,
    ActOutcome,
    Body,
    Bye,
    Problem,
    ShareState,
    TabDom,
    TabHello,
    TabMessage,
    TabWelcome,
    ViewMessage,
)
from server.cobrowse.orders import Cleaned, Facts, Noted
from server.cobrowse.sanitiser import EventType
from server.cobrowse.seats import Person, Seat
from server.cobrowse.states import Happened
from server.cobrowse.tab_side import TabSide
from server.cobrowse.viewer_side import ViewerSide

__all__ = ["Outputs", "Person", "Share", "Site"]


class Share:
    """``code``: six digits; ``token``: what later documents of the same site show."""

    def __init__(self, id: str, *, token: str, code: str, site: Site, now: float) -> None:
        self.id = id
        self._token = token
        self._core = Core(code, site, now)
        self._tabs = TabSide(self._core)
        self._viewers = ViewerSide(self._core)

    @property
    def state(self) -> ShareState:
        return self._core.state

    @property
    def code(self) -> str:
        """ "" once it was used."""
        return self._core.code

    @property
    def connections(self) -> int:
        """Those that were not said to be closed yet."""
        return len(self._core.lines)

    # ---- tabs

    def tab_came(self, connection: str, hello: TabHello, now: float) -> Outputs:
        """A document said hello, with this share's token or, the first, none; origin, site and token were checked."""
        core, line = self._core, Line()
        core.lines[connection] = line
        if core.state is ShareState.ENDED:
            line.end(Bye(code="ended", again=False))
            return core.finish()
        if (before := core.documents.of_tab(hello.tab)) is not None:
            core.gone(before)
            before.line.end(Bye(code="replaced", again=False))
        if len(core.documents) >= MOST_TABS:
            line.end(Bye(code="too_many", again=False))
            return core.settle(now)
        document = Document(connection, hello, line, now)
        core.documents.add(document)
        site = core.site
        line.say(TabWelcome(share=self.id, token=self._token, pages=site.pages, bank_zh=site.bank_zh, bank_en=site.bank_en))
        if core.documents.is_followed_by(hello):
            core.bring_front(document, now)
        return core.settle(now)

    def tab_said(self, connection: str, body: TabMessage, now: float, *, room: bool = True) -> Outputs:
        """``room``: whether the sanitiser takes more of this share now. Without it what the page says is left out until a new picture: a tab is read on, so that
        what it takes back is heard."""
        document = self._core.documents.get(connection)
        if document is None or document.line.over:
            return self._core.finish()
        heard = self._core.feed.hears
        self._tabs.said(document, body, now, room=room)
        if isinstance(body, TabDom) and heard is self._core.feed.hears and not document.line.over:
            return self._core.finish()
        return self._core.settle(now)

    def tab_went(self, connection: str, now: float) -> Outputs:
        """The connection is closed, whoever closed it. Within ``AWAY_S`` the same tab may say hello again, and who looks goes on looking."""
        self._core.lines.pop(connection, None)
        if (document := self._core.documents.get(connection)) is not None:
            self._core.gone(document)
        return self._core.settle(now)

    def measured(self, connection: str, round_trip_ms: int) -> None:
        """To a tab, by ping and pong of its WebSocket."""
        if (document := self._core.documents.get(connection)) is not None:
            document.round_trip_ms = round_trip_ms

    # ---- the session

    def attach(self, now: float, *, first: bool = False) -> Outputs:
        """Somebody who leads a session typed the code. ``first``: the customer answers them before anybody else may ask, unless ``first_away``. Raises ValueError
        unless ``state`` is idle."""
        if not self._core.become(Happened.ATTACHED):
            raise ValueError("the code was used")
        self._core.first = first
        return self._core.settle(now)

    @property
    def waits_for_first(self) -> bool:
        return self._core.first

    def first_away(self, now: float) -> Outputs:
        """Whoever brought the page is not in the session: others may ask."""
        self._core.first = False
        return self._core.settle(now)

    @property
    def is_held(self) -> bool:
        return self._core.held

    @property
    def is_apart(self) -> bool:
        return self._core.calls.apart

    def hold(self, held: bool, now: float) -> Outputs:
        """The customer is on hold, or no more: as long as they are, nothing is shown, asked or done."""
        if self._core.held is held:
            return self._core.finish()
        self._core.held = held
        return self._core.settle(now)

    def apart(self, apart: bool, now: float) -> Outputs:
        """The customer only shows this page, and is not in the conversation, or is."""
        if self._core.calls.apart is apart:
            return self._core.finish()
        self._core.calls.apart = apart
        return self._core.settle(now)

    def invited(self, link: str, now: float) -> Outputs:
        """What came of an ``Invite``; "": nothing."""
        front = self._core.front
        self._core.calls.made(None if front is None else front.line, link)
        return self._core.settle(now)

    def end(self, why: str, now: float, *, code: str = "ended") -> Outputs:
        """For good: the session ended, the customer or the agent left it (``why``: for the audit). ``code``: what the tabs are told."""
        self._core.end(why, code=code)
        return self._core.settle(now)

    # ---- viewers

    def viewer_came(self, connection: str, person: Person, now: float) -> Outputs:
        """Token and place in the session were checked. An older connection of the same person is replaced. Raises ValueError where nobody may come: before it
        is attached and after its end."""
        core = self._core
        if core.state in (ShareState.IDLE, ShareState.ENDED):
            raise ValueError("nobody may look")
        seat = core.seats.get(person.id)
        if seat is None:
            seat = core.seats[person.id] = Seat(person, now)
            core.note(Noted.VIEWER_CAME, viewer=person.id)
        if seat.line is not None:
            seat.line.end(Bye(code="replaced", again=False))
            core.disconnect(seat, now)
        seat.connection, seat.line, seat.away_since = connection, Line(), None
        core.lines[connection] = seat.line
        return core.settle(now)

    def viewer_said(self, connection: str, body: ViewMessage, now: float) -> Outputs:
        seat = self._core.seat_of(connection)
        if seat is None:
            return self._core.finish()
        self._viewers.said(seat, body, now)
        return self._core.settle(now)

    def viewer_went(self, connection: str, now: float) -> Outputs:
        """The connection is closed; they may be back within ``AWAY_S`` and still look."""
        self._core.lines.pop(connection, None)
        if (seat := self._core.seat_of(connection)) is not None:
            self._core.disconnect(seat, now)
        return self._core.settle(now)

    def viewer_left(self, viewer: str, now: float) -> Outputs:
        """Their place in the session is over, or they may look no more."""
        if (seat := self._core.seats.get(viewer)) is not None:
            self._core.leave(seat)
        return self._core.settle(now)

    # ---- the recorder

    def recorder_came(self, connection: str, now: float) -> Outputs:
        """What is seen is kept from here on, with a new picture first. One at a time. Raises ValueError as ``viewer_came``."""
        core = self._core
        if core.state in (ShareState.IDLE, ShareState.ENDED):
            raise ValueError("there is nothing to keep")
        core.recorder, core.recorder_told = Line(), None
        core.lines[connection] = core.recorder
        return core.settle(now)

    def recorder_went(self, connection: str, now: float) -> Outputs:
        """Nothing is kept any more, nor what waits."""
        self._core.lines.pop(connection, None)
        self._core.recorder = None
        return self._core.settle(now)

    def renew(self, now: float) -> Outputs:
        """A whole new picture for everybody, so that a player may begin at it."""
        if self._core.keeps:
            self._core.pictures.want()
        return self._core.settle(now)

    # ---- answers

    def recorded(self, number: int, ok: bool, now: float) -> Outputs:
        """A ``Record`` was stored, or could not be."""
        front = self._core.front
        if not self._core.consents.recorded(number, ok) and front is not None:
            front.line.offer(Problem(code="refused", detail="what was given could not be stored"))
        return self._core.settle(now)

    def begun(self, number: int, ok: bool, now: float) -> Outputs:
        """A ``Begin`` was stored, or could not be."""
        self._viewers.begun(number, ok)
        return self._core.settle(now)

    def cleaned(self, cleaned: Cleaned, now: float) -> Outputs:
        """What came of a ``Sanitise``."""
        core = self._core
        number, front = core.feed.answered(cleaned.order), core.front
        core.dropped.update(cleaned.dropped)
        if cleaned.hidden or cleaned.kind == EventType.META:
            core.assets.hide()
        if number is None or front is None or number != front.number:
            return core.settle(now)
        if cleaned.kind not in (-1, EventType.META) and not (cleaned.hidden or front.hidden or cleaned.resync):
            self._show(number, cleaned, now)
            if self._picture(cleaned):
                return core.settle(now)
            waits = any(seat.line is not None and seat.line.reel.wants_picture for seat in core.seats.values())
            waits = waits or (core.recorder is not None and core.recorder.reel.wants_picture)
            return core.settle(now) if waits or not core.feed.hears else core.finish()
        if cleaned.hidden or cleaned.kind == EventType.META:
            core.pictures.came()
            core.wrong.drawn()
        if cleaned.hidden != front.hidden:
            front.hidden = cleaned.hidden
            if front.widening.take(now):
                core.note(Noted.HIDDEN if cleaned.hidden else Noted.SHOWN)
            if not cleaned.hidden:
                core.pictures.fresh()
                core.pictures.want()
        if cleaned.kind == EventType.META:
            front.name = cleaned.name
        if cleaned.resync and not cleaned.hidden:
            core.pictures.want()
        if not cleaned.hidden:
            self._show(number, cleaned, now)
        self._picture(cleaned)
        return core.settle(now)

    def drawn(self, number: int, made: bytes | None, now: float) -> Outputs:
        """What came of a ``Draw``; None: it is no picture, or there is no room."""
        core = self._core
        if why := core.assets.drawn(number, made):
            core.dropped[why] += 1
        if core.front is not None and (need := core.assets.again()) is not None:
            core.front.line.offer(need)
        return core.settle(now)

    def awaits(self, number: int) -> bool:
        """Whether what comes of this ``Draw`` is still wanted."""
        return self._core.assets.awaits(number)

    @property
    def asset_bytes(self) -> int:
        """Of images that are kept."""
        return self._core.assets.bytes

    def _picture(self, cleaned: Cleaned) -> bool:
        """Images that can be seen now; whether something follows from that."""
        core, front = self._core, self._core.front
        if cleaned.resync:
            core.assets.hide()
        is_whole = cleaned.kind == EventType.FULL_SNAPSHOT
        if front is None or not cleaned.text or cleaned.resync or not (is_whole or cleaned.pictured):
            return cleaned.resync
        for need in core.assets.named(front.number, front.page, cleaned.pictured, whole=is_whole):
            front.line.offer(need)
        return True

    def _show(self, page: int, cleaned: Cleaned, now: float) -> None:
        if not cleaned.text:
            return
        event = Event(page=page, text=cleaned.text, kind=cleaned.kind, size=utf8_size(cleaned.text))
        for seat in self._core.seats.values():
            if seat.line is not None and self._core.sees(seat):
                seat.line.show(event, now)
        if self._core.recorder is not None and self._core.keeps:
            if event.kind == EventType.META:  # a player that begins here needs its images again
                self._core.recorder.gallery.clear()
            self._core.recorder.show(event, now)

    def looked(self, look: int, facts: Facts | None, now: float) -> Outputs:
        """What came of a ``Look``; None: nothing is known of it."""
        core = self._core
        if (more := core.wrong.looked(look, facts)) is None:
            self._viewers.looked(look, facts)
        for one in more or ():
            core.emit(one)
        return core.settle(now)

    def sanitiser_lost(self, now: float) -> Outputs:
        """Its process ended or began anew: what it was asked will not be answered. To be called when the next can be asked."""
        core = self._core
        core.feed.lost()
        core.deafen()
        for number, doing in core.acts.all():
            if not doing.sent:
                core.over(number, ActOutcome.REFUSED)
        return core.settle(now)

    # ---- time, and what waits

    def next_deadline(self) -> float | None:
        """When ``tick`` is due."""
        core = self._core
        if core.state is ShareState.ENDED:
            return None
        found = [core.acts.next_deadline()]
        if core.front is not None and core.feed.is_ready:
            found.append(core.pictures.next_deadline())
        if core.away_since is not None:
            found.append(core.away_since + AWAY_S)
        if core.state is ShareState.IDLE:
            found.append(core.idle_until)
        if core.calls.asked is not None:
            found.append(core.calls.asked[1])
        for seat in core.seats.values():
            found.append(None if seat.asked is None else seat.asked[1])
            found.append(None if seat.away_since is None else seat.away_since + AWAY_S)
        return min((one for one in found if one is not None), default=None)

    def tick(self, now: float) -> Outputs:
        core = self._core
        if core.state is ShareState.IDLE and now >= core.idle_until:
            core.end("unattached", code="expired")
        elif core.away_since is not None and now >= core.away_since + AWAY_S:
            core.end("page_gone")
        if core.calls.asked is not None and now >= core.calls.asked[1]:
            core.calls.unanswered()
        for seat in list(core.seats.values()):
            if seat.asked is not None and now >= seat.asked[1]:
                core.consents.unanswered(seat)
            if seat.away_since is not None and now >= seat.away_since + AWAY_S:
                core.leave(seat)
        for number, doing in core.acts.all():
            if now >= doing.until:
                core.over(number, ActOutcome.LATE)
        return core.settle(now)

    def waits(self, connection: str) -> bool:
        """Whether ``take`` has something for this connection."""
        line = self._core.lines.get(connection)
        return line is not None and line.waits

    def take(self, connection: str, now: float) -> tuple[Body | None, Outputs]:
        """The next frame for this connection (of ``ToTab`` or ``ToViewer``), None for nothing now. After a ``Bye`` the connection is to be closed."""
        core = self._core
        line = core.lines.get(connection)
        if line is None:
            return None, []
        body = line.take()
        if isinstance(body, Act) and (number := core.acts.of_tab(body.act)) is not None and (doing := core.acts.get(number)):
            doing.taken = True
        return body, core.settle(now) if body is None and line.reel.wants_picture else []
