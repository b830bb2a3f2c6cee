"""A share played through beside a naive account of who may what; every frame that is fetched is held against it. ``test_share_model`` says in which order."""

import base64
import hashlib
from collections import deque

import msgspec

from server.cobrowse.gate import NEEDS
from server.cobrowse.messages import (
    Act,
    ActKind,
    AskConsent,
    AssetNeed,
    AssetPut,
    Body,
    Bye,
    Mark,
    MarkKind,
    Pointer,
    Scope,
    ShareState,
    Spot,
    TabConsent,
    TabDom,
    TabFront,
    TabPause,
    TabState,
    TabStop,
    TabTake,
    Unmark,
    ViewAsk,
    ViewAsset,
    ViewDom,
    ViewMessage,
    ViewRelease,
    ViewResync,
    ViewState,
    WantPicture,
)
from server.cobrowse.orders import Cleaned
from server.domain.model import ConsentDecision
from tests.support.sharing import CHANGE, META, PICTURE, RULES, Facts, Stage

TABS, VIEWERS = ("left", "right"), ("anna", "bo")
CONTROL = {Scope.SCROLL, Scope.FILL, Scope.CLICK}
SPOTS = [Spot(node=5, x=0.5, y=0.5)] * 2
SECRET = Facts(type="password", sensitive=True)
LONG = "x" * 300_000


class Document(msgspec.Struct, eq=False):
    connection: str
    tab: str
    page: int
    born: int = 0
    """Events so far."""
    hidden: bool = False


class Play:
    """What is done is first done to the account, then to the share."""

    def __init__(self) -> None:
        self.stage = Stage(now=0.0)
        self.share = self.stage.share
        self.connections = 0
        self.state = ShareState.IDLE
        self.paused = False
        self.documents: dict[str, Document] = {}
        self.front: Document | None = None
        self.last_tab = ""
        self.no_tab_since: float | None = 0.0
        self.pages = dict.fromkeys(TABS, 0)
        self.seats: dict[str, str] = {}
        """Viewers and their connection, "" while they are away."""
        self.away: dict[str, float] = {}
        self.granted: dict[str, set[Scope]] = {}
        self.pending: dict[int, tuple[str, Scope]] = {}
        self.events: dict[str, tuple[Document, int, bool]] = {}
        """By how their text begins: whose it is, its place among all, whether its page is one that is never shown (of Meta events)."""
        self.count = 0
        self.valid_from = 0
        self.page_hidden: dict[int, bool] = {}
        """What the sanitiser knows: by its number of the page."""
        self.drawn = False
        self.sanitised_page = 0
        self.safe: set[str] = set()
        self.asked: dict[str, Act] = {}
        self.wrong: set[int] = set()
        """Nodes of which the sanitiser has said, since the newest picture, that viewers read them."""

    # ------------------------------------------------------------ the naive account

    def may(self, viewer: str, scope: Scope) -> bool:
        has = self.granted.get(viewer, set())
        return Scope.VIEW in has and scope in has

    def sees(self, viewer: str) -> bool:
        there = self.front is not None and not self.front.hidden and bool(self.seats.get(viewer))
        return self.state is ShareState.SHARING and there and self.may(viewer, Scope.VIEW)

    def listens(self) -> bool:
        looks = any(self.seats[viewer] and self.may(viewer, Scope.VIEW) for viewer in self.seats)
        return self.state is ShareState.SHARING and self.front is not None and looks

    def takes(self, viewer: str, scopes: set[Scope]) -> None:
        if viewer in self.granted:
            self.granted[viewer] -= scopes
        self.pending = {
            number: (who, scope) for number, (who, scope) in self.pending.items() if who != viewer or scope not in scopes
        }

    def deaf(self) -> None:
        self.wrong.clear()
        self.valid_from = self.count

    def front_goes(self) -> None:
        for viewer in self.seats:
            self.takes(viewer, set(Scope) - {Scope.VIEW})
        self.deaf()

    def leaves(self, viewer: str) -> None:
        self.takes(viewer, set(Scope))
        del self.seats[viewer], self.granted[viewer]
        self.away.pop(viewer, None)

    def over(self) -> None:
        self.state = ShareState.ENDED
        self.documents.clear()
        self.front = None
        self.seats.clear()
        self.granted.clear()
        self.pending.clear()

    @property
    def is_on(self) -> bool:
        return self.state is not ShareState.ENDED

    def settle(self) -> None:
        if not self.is_on:
            return
        if self.documents:
            self.no_tab_since = None
        elif self.no_tab_since is None:
            self.no_tab_since = self.stage.now
        if self.state is not ShareState.IDLE:
            viewed = any(Scope.VIEW in has for has in self.granted.values())
            self.state = ShareState.PAUSED if self.paused else ShareState.SHARING if viewed else ShareState.ATTACHED
        if not self.listens():
            self.deaf()

    # ------------------------------------------------------------ tabs

    def hello(self, tab: str, again: bool) -> None:
        """``again``: the same document, after its connection was lost."""
        self.connections += 1
        connection = f"{tab}-{self.connections}"
        if not again or not self.pages[tab]:
            self.pages[tab] += 1
        if self.is_on:
            for before in [one for one in self.documents.values() if one.tab == tab]:
                self.lose(before)
            document = self.documents[connection] = Document(connection, tab, self.pages[tab])
            if self.last_tab in ("", tab):
                self.front_goes()
                self.front, self.last_tab = document, tab
        self.stage.hello(connection, tab=tab, page=self.pages[tab])
        self.settle()

    def lose(self, document: Document) -> None:
        del self.documents[document.connection]
        if self.front is document:
            self.front_goes()
            self.front = None

    def tab_goes(self, document: Document) -> None:
        self.lose(document)
        self.settle()
        self.stage.do(self.share.tab_went(document.connection, self.stage.now))

    def customer_looks_at(self, document: Document) -> None:
        if document is not self.front:
            self.front_goes()
            self.front, self.last_tab = document, document.tab
        self.settle()
        self.stage.tab(TabFront(), document.connection)

    def some_page_is_drawn(self, document: Document) -> None:
        self.says_event(document, META, False, False)
        self.says_event(document, PICTURE, False, True)

    def says_event(self, document: Document, kind: int, hidden: bool, long: bool) -> None:
        self.count += 1
        head = f"{kind} {document.connection} {self.count} "
        self.events[head] = (document, self.count, hidden)
        document.born += 1
        body = TabDom(page=document.page, n=document.born, text=head + LONG * long, last=True)
        self.stage.tab(body, document.connection)

    def events_are_missing(self, document: Document) -> None:
        document.born += 2
        if document is self.front:
            self.count += 1
            self.deaf()
        self.stage.tab(TabDom(page=document.page, n=document.born, text="?", last=True), document.connection)

    def customer_answers(self, document: Document, viewer: str, scope: Scope, given: bool, right: bool) -> None:
        before = len(self.stage.records)
        body = TabConsent(viewer=viewer, scope=scope, given=given, rules=RULES if right else "other")
        if not given:
            for who in self.seats:
                if viewer in ("", who):
                    self.takes(who, set(Scope) if scope is Scope.VIEW else {scope})
        self.settle()
        self.stage.tab(body, document.connection)
        new = list(self.stage.records)[before:]
        assert all((one.decision is ConsentDecision.GIVEN) is given and one.rules == RULES for one in new)
        for one in new:
            if given:
                assert right
                assert document is self.front
                assert self.seats[viewer]
                assert (one.viewer, one.scope) == (viewer, scope)
                assert scope is Scope.VIEW or Scope.VIEW in self.granted[viewer]
                self.pending[one.number] = (viewer, scope)

    def customer_gives(self, viewer: str, scope: Scope) -> None:
        """And it is stored at once."""
        assert self.front is not None
        before = len(self.stage.records)
        self.stage.answer(scope, viewer, connection=self.front.connection)
        for one in list(self.stage.records)[before:]:
            assert self.seats[viewer]
            self.pending[one.number] = (viewer, scope)
        while self.stage.records:
            self.stores(True)

    def stores(self, ok: bool) -> None:
        number = self.stage.records[0].number
        if (given := self.pending.pop(number, None)) is not None and ok:
            self.granted[given[0]].add(given[1])
        self.settle()
        self.stage.store(ok=ok)

    def pauses(self, document: Document, paused: bool) -> None:
        if self.state is not ShareState.IDLE:
            self.paused = paused
        self.settle()
        self.stage.tab(TabPause(paused=paused), document.connection)

    def takes_control_back(self, document: Document) -> None:
        for viewer in self.seats:
            self.takes(viewer, CONTROL)
        self.settle()
        self.stage.tab(TabTake(), document.connection)

    def stops(self, document: Document, ends: bool) -> None:
        self.over()
        if ends:
            self.stage.do(self.share.end("session_ended", self.stage.now))
        else:
            self.stage.tab(TabStop(), document.connection)

    # ------------------------------------------------------------ the session, viewers

    def attaches(self) -> None:
        self.state = ShareState.ATTACHED
        self.settle()
        self.stage.do(self.share.attach(self.stage.now))

    def comes(self, viewer: str) -> None:
        self.connections += 1
        if self.seats.get(viewer):
            self.takes(viewer, set(Scope) - {Scope.VIEW})
        self.seats[viewer] = f"{viewer}-{self.connections}"
        self.granted.setdefault(viewer, set())
        self.away.pop(viewer, None)
        self.settle()
        self.stage.come(viewer, self.seats[viewer])

    def viewer_goes(self, viewer: str) -> None:
        connection = self.seats.get(viewer)
        if connection:
            self.takes(viewer, set(Scope) - {Scope.VIEW})
            self.seats[viewer], self.away[viewer] = "", self.stage.now
            self.settle()
            self.stage.do(self.share.viewer_went(connection, self.stage.now))

    def viewer_leaves(self, viewer: str) -> None:
        if viewer in self.seats:
            self.leaves(viewer)
            self.settle()
        self.stage.do(self.share.viewer_left(viewer, self.stage.now))

    def asks_or_releases(self, viewer: str, scope: Scope, release: bool) -> None:
        if release:
            self.takes(viewer, set(Scope) if scope is Scope.VIEW else {scope})
        self.settle()
        self.stage.view(ViewRelease(scope=scope) if release else ViewAsk(scope=scope), self.seats[viewer])

    def everybody_is_busy(self, kinds: list[ActKind], facts: Facts, now: bool) -> None:
        for viewer, connection in self.seats.items():
            if connection:
                for kind in kinds:
                    self.does(viewer, kind, None, facts, False, now)
                self.draws(connection, "mark", False)
                self.draws(connection, "pointer", False)

    def does(self, viewer: str, kind: ActKind, page: int | None, facts: Facts | None, forged: bool, now: bool) -> None:
        act = Act(act="own", page=page or self.front_number() or 1, node=5, kind=kind, viewer="bo" if forged else "")
        before = len(self.stage.looks)
        self.stage.view(act, self.seats[viewer])
        for look in list(self.stage.looks)[before:]:
            assert not forged
            assert self.sees(viewer)
            assert self.may(viewer, NEEDS[kind])
            assert look.page == self.front_number()
            self.asked[str(look.look)] = msgspec.structs.replace(act, viewer=viewer)
            self.knows(look.look, facts)
            if now:
                self.stage.looks.remove(look)
                self.stage.do(self.share.looked(look.look, facts, self.stage.now))

    def knows(self, look: int, facts: Facts | None) -> None:
        scrolls = str(look) in self.asked and self.asked[str(look)].kind is ActKind.SCROLL
        if facts == Facts(level=4) or (facts is not None and scrolls):
            self.safe.add(str(look))

    def front_number(self) -> int | None:
        return None if self.share._core.front is None else self.share._core.front.number

    def looked_late(self, facts: Facts | None) -> None:
        order = self.stage.looks.popleft()
        look = order.look
        self.safe.discard(str(look))
        self.knows(look, facts)
        if look < 0 and facts == Facts(level=4):
            self.wrong.add(order.node)
        self.stage.do(self.share.looked(look, facts, self.stage.now))

    def draws(self, connection: str, what: str, other: bool) -> None:
        page = (self.front_number() or 1) + other
        bodies: dict[str, ViewMessage] = {
            "pointer": Pointer(page=page, at=SPOTS[0]),
            "mark": Mark(id="m", page=page, kind=MarkKind.BOX, spots=SPOTS),
            "unmark": Unmark(id="m"),
            "resync": ViewResync(),
        }
        self.stage.view(bodies[what], connection)

    # ------------------------------------------------------------ the sanitiser, the clock

    def sanitises_one(self, resync: bool) -> None:
        order = self.stage.sanitise.popleft()
        if order.page != self.sanitised_page:
            self.sanitised_page, self.drawn = order.page, False
            self.page_hidden = {order.page: False}
        if order.gap:
            self.drawn = False
        document, place, hides = self.events[order.text.rstrip("x")]
        kind = int(order.text.split()[0])
        if kind == META:
            self.page_hidden[order.page], self.drawn = hides, False
            if document is self.front and place > self.valid_from:
                self.wrong.clear()
        elif kind == PICTURE:
            self.drawn = True
        hidden = self.page_hidden[order.page]
        leaves = not hidden and (kind == META or self.drawn)
        if document is self.front and place > self.valid_from:
            document.hidden = hidden
        self.settle()
        cleaned = Cleaned(
            order=order.order,
            text=order.text if leaves else "",
            kind=kind if leaves else -1,
            name="transfer",
            hidden=hidden,
            resync=resync or not (leaves or hidden),
            pictured=((5, 1), (6, 1 + place % 3)) if leaves and kind != META else (),
        )
        self.stage.do(self.share.cleaned(cleaned, self.stage.now))
        self.draws_images()

    def draws_images(self) -> None:
        while self.stage.draws:
            order = self.stage.draws.popleft()
            self.stage.do(self.share.drawn(order.number, order.data, self.stage.now))

    def sanitiser_dies(self) -> None:
        self.stage.sanitise.clear()
        self.stage.looks = deque()
        self.sanitised_page = 0
        self.deaf()
        self.stage.do(self.share.sanitiser_lost(self.stage.now))

    def all_is_well(self, grants: bool, draws: bool) -> None:
        """A page in front, everybody there and nothing paused; ``grants``: everybody may everything; ``draws``: and sees a picture."""
        if not self.is_on:
            return
        if self.front is None:
            self.hello(self.last_tab or TABS[0], False)
        assert self.front is not None
        if self.state is ShareState.IDLE:
            self.attaches()
        if self.paused:
            self.paused = False
            self.settle()
            self.stage.tab(TabPause(paused=False), self.front.connection)
        for viewer in VIEWERS:
            if not self.seats.get(viewer):
                self.comes(viewer)
            for scope in Scope if grants else ():
                self.customer_gives(viewer, scope)
        if draws:
            self.time_passes(5)
            for kind in (META, PICTURE, CHANGE):
                self.says_event(self.front, kind, False, False)
            while self.stage.sanitise:
                self.sanitises_one(False)

    def time_passes(self, seconds: float) -> None:
        now = self.stage.now = self.stage.now + seconds
        unused = self.state is ShareState.IDLE and now >= 900
        if self.is_on and (unused or (self.no_tab_since is not None and now >= self.no_tab_since + 60)):
            self.over()
        for viewer, since in list(self.away.items()):
            if viewer in self.seats and now >= since + 60:
                self.leaves(viewer)
        self.settle()
        self.stage.do(self.share.tick(now))
        assert (self.share.next_deadline() or now + 1) > now

    # ------------------------------------------------------------ what everybody gets

    def whoever_was_cut_off_fetches(self) -> None:
        known = {*self.documents, *self.seats.values()}
        for connection in set(self.share._core.lines) - known:
            assert isinstance(self.share.take(connection, self.stage.now)[0], Bye)

    def fetch(self, connection: str, most: int) -> None:
        for _ in range(most):
            body, outputs = self.share.take(connection, self.stage.now)
            self.stage.do(outputs)
            if body is None:
                break
            self.check(connection, body)

    def check(self, connection: str, body: Body) -> None:
        document = self.documents.get(connection)
        viewer = next((one for one, of in self.seats.items() if of == connection), "")
        assert not isinstance(body, Bye)
        if isinstance(body, ViewDom):
            assert self.sees(viewer)
            if head := body.text.partition("x")[0]:
                of, place, hides = self.events[head]
                assert of is self.front
                assert place > self.valid_from
                assert not hides
        elif isinstance(body, ViewAsset):
            assert self.sees(viewer)
            assert self.front is not None
            assert base64.b64decode(body.data).decode() == f"{self.front.connection} {body.asset}"
        elif isinstance(body, AssetNeed):
            assert document is not None
            assert document is self.front
            data = f"{connection} {body.asset}".encode()
            digest, text = hashlib.sha256(data).hexdigest(), base64.b64encode(data).decode()
            put = AssetPut(page=document.page, asset=body.asset, sha256=digest, n=1, data=text, last=True)
            self.stage.tab(put, connection)
            if self.count % 2:  # else later
                self.draws_images()
        elif isinstance(body, Act):
            assert document is not None
            assert document is self.front
            assert self.sees(body.viewer)
            assert self.may(body.viewer, NEEDS[body.kind])
            assert body.page == document.page
            assert body.act in self.safe
            assert self.asked[body.act].viewer == body.viewer
        elif isinstance(body, Mark) or (isinstance(body, Pointer) and body.at is not None):
            assert self.sees(body.viewer)
            assert self.may(body.viewer, Scope.POINT)
            assert self.sees(viewer) if viewer else document is self.front
        elif isinstance(body, TabState | ViewState):
            assert {one.id: set(one.granted) for one in body.viewers} == self.granted
            assert body.state is self.state
            if isinstance(body, ViewState):
                assert set(body.fields) <= self.wrong
                assert not body.fields or self.sees(viewer)
            if isinstance(body, ViewState) and not self.sees(viewer):
                assert (body.page, body.name, body.step, body.errors, body.dwell_s, body.customer) == (0, "", "", 0, 0, "")
            if isinstance(body, TabState):
                assert body.front is (document is self.front)
        elif isinstance(body, WantPicture):
            assert document is not None
        elif isinstance(body, AskConsent):
            assert body.viewer.id in self.seats or not self.is_on
