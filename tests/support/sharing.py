"""A share of a customer's page on a stage: its outputs sorted, its frames fetched, the sanitiser and the store played by the test."""

from collections import deque
from typing import TypeVar

import msgspec

from server.cobrowse.core import Outputs
from server.cobrowse.messages import Body, Scope, TabConsent, TabDom, TabHello, TabMessage, ViewMessage, Who
from server.cobrowse.orders import Begin, Changed, Cleaned, Draw, Hush, Look, Note, Record, Sanitise, Wake
from server.cobrowse.rules import Level
from server.cobrowse.share import Person, Share, Site

RULES = "r" * 64
CODE = "204060"
T = TypeVar("T")
META, PICTURE, CHANGE = 4, 2, 3


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """``orders.Facts`` of a text field that rules let be read, unless it is said otherwise."""

    known: bool = True
    tag: str = "input"
    type: str = "text"
    level: int = Level.MASKED
    value_shown: bool = True
    sensitive: bool = False
    clickable: bool = True
    above: tuple[tuple[str, str], ...] = ()


class Stage:
    """``now`` is the test's; connections are named after tabs and viewers."""

    def __init__(self, *, now: float = 1000.0) -> None:
        self.now = now
        self.share = Share("SH_1", token="again", code=CODE, site=Site(rules=RULES), now=now)
        self.woken: set[str] = set()
        self.hushed: list[str] = []
        self.sanitise: deque[Sanitise] = deque()
        self.looks: deque[Look] = deque()
        self.draws: deque[Draw] = deque()
        self.records: deque[Record] = deque()
        self.begun: deque[Begin] = deque()
        self.stores = True
        """Acts are in the audit at once."""
        self.notes: list[Note] = []
        self.changes: list[Changed] = []
        self._events: dict[str, int] = {}
        self._pages: dict[str, int] = {}

    def do(self, outputs: Outputs) -> None:
        for one in outputs:
            match one:
                case Wake():
                    self.woken.add(one.connection)
                case Hush():
                    self.hushed.append(one.connection)
                case Sanitise():
                    self.sanitise.append(one)
                case Look():
                    self.looks.append(one)
                case Draw():
                    self.draws.append(one)
                case Record():
                    self.records.append(one)
                case Begin():
                    self.begun.append(one)
                    if self.stores:
                        self.begin()
                case Note():
                    self.notes.append(one)
                case Changed():
                    self.changes.append(one)

    # ---- tabs

    def hello(self, connection: str = "tab", *, tab: str = "", page: int = 1) -> None:
        self._events[connection], self._pages[connection] = 0, page
        hello = TabHello(site="pk_demo", token="", tab=tab or connection, page=page)
        self.do(self.share.tab_came(connection, hello, self.now))

    def tab(self, body: TabMessage, connection: str = "tab", *, room: bool = True) -> None:
        self.do(self.share.tab_said(connection, body, self.now, room=room))

    def event(self, text: str = "change", connection: str = "tab", *, room: bool = True) -> None:
        """One event in one chunk."""
        self._events[connection] += 1
        self.tab(TabDom(page=self._pages[connection], n=self._events[connection], text=text, last=True), connection, room=room)

    def clean(
        self, kind: int = CHANGE, text: str | None = None, *, name: str = "transfer", hidden: bool = False, resync: bool = False
    ) -> None:
        """The sanitiser answers the oldest order."""
        order = self.sanitise.popleft()
        made = order.text if text is None else text
        if hidden:
            kind, made = -1, ""
        self.do(
            self.share.cleaned(
                Cleaned(order=order.order, text=made, kind=kind, name=name, hidden=hidden, resync=resync), self.now
            )
        )

    def picture(self, connection: str = "tab", *, text: str = "picture", hidden: bool = False) -> None:
        """Meta and a whole picture, sanitised."""
        self.event("meta", connection)
        self.clean(META, hidden=hidden)
        if not hidden:
            self.event(text, connection)
            self.clean(PICTURE)

    # ---- viewers

    def come(self, viewer: str = "anna", connection: str = "", *, who: Who = Who.OTHER) -> None:
        person = Person(id=viewer, name=viewer.title(), role="agent", who=who)
        self.do(self.share.viewer_came(connection or viewer, person, self.now))

    def view(self, body: ViewMessage, connection: str = "anna") -> None:
        self.do(self.share.viewer_said(connection, body, self.now))

    def answer(
        self, scope: Scope, viewer: str = "anna", *, given: bool = True, rules: str = RULES, connection: str = "tab"
    ) -> None:
        self.tab(TabConsent(viewer=viewer, scope=scope, given=given, rules=rules), connection)

    def store(self, *, ok: bool = True) -> Record:
        """The oldest record is stored, or is not."""
        record = self.records.popleft()
        self.do(self.share.recorded(record.number, ok, self.now))
        return record

    def begin(self, *, ok: bool = True) -> Begin:
        """The oldest act is in the audit, or is not."""
        begun = self.begun.popleft()
        self.do(self.share.begun(begun.number, ok, self.now))
        return begun

    def grant(self, *scopes: Scope, viewer: str = "anna") -> None:
        for scope in scopes:
            self.answer(scope, viewer)
            self.store()

    # ---- time, frames

    def wait(self, seconds: float) -> None:
        """Time passes, with every deadline on the way."""
        until = self.now + seconds
        while (due := self.share.next_deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self.do(self.share.tick(self.now))
            if self.share.next_deadline() == due:
                break
        self.now = until
        self.do(self.share.tick(self.now))

    def frames(self, connection: str) -> list[Body]:
        """All that waits for it, up to a Bye."""
        found: list[Body] = []
        while True:
            body, outputs = self.share.take(connection, self.now)
            self.do(outputs)
            if body is None:
                return found
            found.append(body)
            if body.__struct_config__.tag == "bye":
                return found

    def of(self, kind: type[T], connection: str) -> list[T]:
        return [body for body in self.frames(connection) if isinstance(body, kind)]


def shared(*scopes: Scope) -> Stage:
    """One tab, one viewer who looks and may do ``scopes``, one picture at the viewer; nothing waits."""
    stage = Stage()
    stage.hello()
    stage.do(stage.share.attach(stage.now))
    stage.come()
    stage.grant(Scope.VIEW, *scopes)
    stage.picture()
    stage.frames("tab")
    stage.frames("anna")
    stage.notes.clear()
    stage.woken.clear()
    return stage


def attached() -> Stage:
    """One tab and one viewer who may nothing yet; nothing waits."""
    stage = Stage()
    stage.hello()
    stage.do(stage.share.attach(stage.now))
    stage.come()
    stage.frames("tab")
    stage.frames("anna")
    return stage
