"""Sessions and shares are looked at when something is due or has happened: that is never later than looking at all of them with each tick would be."""

import asyncio
import math
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.cobrowse import share as shares
from server.cobrowse.messages import Scope, TabConsent, TabDom, TabHello, TabPause, ViewAsk
from server.cobrowse.orders import Cleaned, Sanitise
from server.domain.model import Role
from server.live import due
from server.live.cobrowse.held import Held, Site
from server.live.cobrowse.journal import PageRecords
from server.live.cobrowse.shares import Shares
from server.live.session import LiveSession
from server.services.ice_servers import Issued
from tests.support.colleagues import give
from tests.support.sharing import CHANGE, META, PICTURE
from tests.support.signalling import House, ManualClock, Page

RULES = "r" * 64


class Relay:
    """A TURN relay whose credentials last three minutes."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.version = 1

    def issue(self, participant: str) -> Issued:
        return Issued([], self.clock.now() + timedelta(seconds=180), self.version)


class Sanitisers:
    """Answer when the test lets them."""

    def __init__(self) -> None:
        self.orders: list[tuple[str, Sanitise]] = []

    def open(self, share: str, rules: str, key: bytes) -> None: ...
    def shut(self, share: str) -> None: ...
    def has_room(self, share: str) -> bool:
        return True

    def order(self, share: str, what: Any) -> None:
        if isinstance(what, Sanitise):
            self.orders.append((share, what))


class Wire:
    def __init__(self, id: str) -> None:
        self.id = id
        self.over = False

    def wake(self) -> None: ...
    def hush(self) -> None: ...
    def finish(self, code: str, *, again: bool = False) -> None:
        self.over = True


class Throttle:
    def check(self, scope: str, who: str) -> None: ...
    def failed(self, scope: str, who: str) -> None: ...
    def succeeded(self, scope: str, who: str) -> None: ...


class Place:
    """A house with a session of three, one of whom shows a page to the second, and a colleague at a desk. ``skipped``: of the last tick, what was not looked at."""

    def __init__(self) -> None:
        self.relays: list[Relay] = []
        self.house = House(ice=self.relay)
        self.live = self.house.live
        self.sanitisers = Sanitisers()
        which: Any = Throttle()
        pack: Any = None
        self.site = Site("pk", "Bank", frozenset({"https://bank"}), shares.Site(rules=RULES), pack)
        self.shares = Shares(
            {"pk": self.site}, self.sanitisers, PageRecords(self.house.store, self.house.clock, self.house.make_id, 5.0), which,
            self.house.clock, self.house.make_id, self.live.find,
        )  # fmt: skip
        self.live.cobrowse = self.shares
        self.pages: dict[str, Page] = {}
        self.ids: dict[str, Any] = {}
        self.gone: list[Page] = []
        self.tab, self.view = Wire("tab"), Wire("view")
        self.held: Held | None = None
        self.done = self.events = self.wires = 0
        self.skipped = 0
        real = self.shares._do

        def counted(held: Held, outputs: Any) -> None:
            self.done += 1
            real(held, outputs)

        self.shares._do = counted  # type: ignore[method-assign]

    def relay(self, clock: ManualClock) -> Relay:
        self.relays.append(Relay(clock))
        return self.relays[0]

    async def begin(self) -> None:
        self.session = await self.house.session()
        self.tokens: dict[str, str] = {}
        for name, role in (("customer", Role.CUSTOMER), ("agent", Role.AGENT), ("other", Role.AGENT)):
            self.ids[name], self.tokens[name] = await self.house.place(self.session, role)
            await self.connect(name)
        self.pages["desk"] = await self.house.connect((await self.house.staff())[1])
        await self.settle()

    async def settle(self) -> None:
        await self.live.settle()
        if self.held is not None and self.held.journal is not None and (task := self.held.journal.task) is not None:
            await asyncio.wait([task])

    async def connect(self, name: str) -> None:
        if name in self.pages:
            self.gone.append(self.pages[name])
        token = self.house.token(self.session, self.ids[name], Role.CUSTOMER if name == "customer" else Role.AGENT)
        self.pages[name] = await self.house.connect(token)

    # ---- what may happen

    async def happens(self, what: str, who: str) -> None:
        page = self.pages[who]
        match what:
            case "says":
                page.post("chat.send", client_id=f"c{page.seq}", text="hello")
            case "agrees":
                await give(page, "microphone", "camera")
            case "takes back":
                page.post("consent.set", scope="camera", decision="withdrawn", wording="camera-1", language="zh")
            case "held" | "back":
                self.pages["agent"].post("participant.hold", participant=self.ids[who], held=what == "held")
            case "offers" | "cancels":
                page.post("handover.offer", to=None, warm=True) if what == "offers" else page.post("handover.cancel")
            case "leaves":
                page.post("leave")
            case "cut":
                page.cut()
            case "resumes" if page.bye is None:
                self.gone.append(page)
                token = self.house.token(self.session, self.ids[who], Role.CUSTOMER if who == "customer" else Role.AGENT)
                self.pages[who] = await self.house.connect(token, page.resume())
                self.pages[who].seq = page.seq
            case "loads again":
                await self.connect(who)
            case "breaks" | "mended":
                self.house.store.broken = what == "breaks"
            case "relay down" | "relay up":
                self.house.media.down = what == "relay down"
            case "relay lost":
                self.house.media.lose(self.session)
            case "turn":
                self.relays[0].version += 1
            case _:
                pass

    async def page(self, what: str) -> None:
        """Something with the shared page."""
        held, live = self.held, self.live.find(self.session)
        if what == "shows":
            self.wires += 1
            self.tab, self.events = Wire(f"tab{self.wires}"), 0
            hello = TabHello(site="pk", token="", tab=f"t{self.wires}", page=1)
            found = self.shares.tab(self.tab, hello, "https://bank", "address")
            assert isinstance(found, Held)
            agent = live.members.get(self.ids["agent"]) if live is not None else None
            customer = live.members.get(self.ids["customer"]) if live is not None else None
            if live is None or agent is None or customer is None or self.shares.of(self.session) is not None:
                self.shares.gone(found, self.tab)
                return
            self.held = found
            self.house.store.broken = False
            await self.shares.attach(live, agent, customer, found.code)
        elif held is None:
            return
        elif what == "looks":
            self.wires += 1
            self.view = Wire(f"view{self.wires}")
            self.shares.viewer(self.view, held.share.id, self.session, self.ids["agent"])
        elif what == "asks":
            self.shares.viewer_said(held, self.view, ViewAsk(scope=Scope.VIEW))
        elif what in ("yes", "no"):
            self.shares.tab_said(
                held, self.tab, TabConsent(viewer=self.ids["agent"], scope=Scope.VIEW, given=what == "yes", rules=RULES)
            )
        elif what in ("pauses", "goes on"):
            self.shares.tab_said(held, self.tab, TabPause(paused=what == "pauses"))
        elif what == "changes":
            self.events += 1
            self.shares.tab_said(held, self.tab, TabDom(page=1, n=self.events, text="x", last=True))
        elif what == "cleaned" and self.sanitisers.orders:
            share, order = self.sanitisers.orders.pop(0)
            kind = {1: META, 2: PICTURE}.get(self.events, CHANGE)
            self.shares.cleaned(share, Cleaned(order=order.order, text=order.text, kind=kind, name="page"))
        elif what == "taken":
            for wire in (self.tab, self.view):
                for _ in range(50):
                    frame = self.shares.next(held, wire)
                    if frame is None or frame.__struct_config__.tag == "bye":
                        break
        elif what in ("tab gone", "viewer gone"):
            self.shares.gone(held, self.tab if what == "tab gone" else self.view)
        elif what == "sanitiser":
            self.shares.sanitiser_back(held.share.id)
        elif what == "ends":
            self.shares.withdrawn(self.session, self.ids["customer"])

    # ---- ticks

    def tick(self, step: float, *, talking: bool) -> None:
        self.house.clock.seconds += step
        if talking:
            for page in self.pages.values():
                if page.bye is None and page.number is None:
                    page.raw({"t": "ping", "n": 1})
        self.skipped = self.nothing_to_do()
        self.live.tick()
        self.shares.tick()

    def nothing_to_do(self) -> int:
        """What is not going to be looked at: looking at it does nothing at all. How many."""
        now, found = self.house.clock.monotonic(), 0
        for session in self.live._sessions.values():
            if session.due.at <= now or self.relays[0].version != self.live._ice_version:
                continue
            found, before, at = found + 1, self.state(session), session.due.at
            session.tick()
            session.due.at = at
            assert self.state(session) == before
            assert not session.disposable
        for held in self.shares._shares.values():
            live = self.live.find(held.session) if held.session is not None else None
            if now >= held.due_at or held.seen != (0 if live is None else live.due.number):
                continue
            found, done, was = found + 1, self.done, (held.led, held.ended_at, held.keeper, set(held.people))
            self.shares._look_after(held, now)
            assert (self.done, held.led, held.ended_at, held.keeper, held.people) == (done, *was)
        return found

    def state(self, session: LiveSession) -> object:
        """All that a tick may change."""
        people = [
            (one.id, one.away_since, one.cut, one.renewing, one.ice_version, one.ice_renew_at, one.connection, one.applied)
            for one in session.everybody
        ]
        wires = [(page.connection.state, len(page.frames), page.number) for page in [*self.pages.values(), *self.gone]]
        return (
            session.due.number, session.actor.idle, session.lost, session.handing, session.leaving, session.alone.since,
            session.status, people, wires, [*self.house.media.calls],
        )  # fmt: skip


TIMES = {"tick": 1, "ticks": 8, "long": 60}
WHO = st.sampled_from(["customer", "agent", "other"])
HAPPENS = [
    "says", "agrees", "takes back", "held", "back", "offers", "cancels", "leaves", "cut", "resumes", "loads again", "loads again", "breaks",
    "mended", "relay down", "relay up", "relay up", "relay lost", "turn",
]  # fmt: skip
PAGE = [
    "looks", "asks", "yes", "no", "pauses", "goes on", "changes", "changes", "cleaned", "cleaned", "taken", "tab gone", "viewer gone", "sanitiser", "ends",
    "shows", "shows",
]  # fmt: skip
CALM = [("ticks", 0.2, True), ("settles", None, None)]
THEN = st.lists(
    st.sampled_from(
        [("tick", 0.05, True), ("tick", 0.2, True), ("tick", 1.0, True), ("tick", 5.0, True), ("tick", 16.0, False), ("settles", None, None), ("long", 14.0, True)]
    ),
    max_size=3,
)  # fmt: skip
EVENT = st.one_of(
    st.tuples(st.just("happens"), st.sampled_from(HAPPENS), WHO), st.tuples(st.just("page"), st.sampled_from(PAGE), st.none())
)
STEPS = st.lists(st.tuples(st.lists(EVENT, min_size=1, max_size=3), THEN, st.booleans()), max_size=12).map(
    lambda turns: [
        step for events, then, calm in turns for step in [*events, *then, ("tick", 0.2, True), *(CALM if calm else [])]
    ]
)
BEGINS: list[tuple[str, Any, Any]] = [("page", what, None) for what in ("shows", "looks", "asks", "yes")]


async def played(steps: list[tuple[str, Any, Any]]) -> int:
    """How often something was not looked at."""
    place, skipped = Place(), 0
    await place.begin()
    try:
        for kind, what, how in steps:
            if kind in TIMES:
                for _ in range(TIMES[kind]):
                    place.tick(what, talking=how)
                    skipped += place.skipped
                    if kind != "tick":
                        await place.settle()
            elif kind == "happens":
                await place.happens(what, how)
            elif kind == "page":
                await place.page(what)
            else:
                await place.settle()
    finally:
        place.house.store.broken = place.house.media.down = False
        await place.shares.close(1.0)
        await place.house.close()
    return skipped


@pytest.fixture(autouse=True)
def _whatever_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the look that everything has now and then."""
    monkeypatch.setattr(due, "LONGEST_S", math.inf)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(begins=st.booleans(), steps=STEPS)
def test_what_is_not_looked_at_has_nothing_to_do(begins: bool, steps: list[tuple[str, Any, Any]]) -> None:
    asyncio.run(played([*(BEGINS if begins else []), *steps]))


async def test_nothing_is_looked_at_while_nothing_happens() -> None:
    """A session of three and its share, for eight ticks while everybody is there."""
    quiet = [("ticks", 0.2, True)]
    begun = [*BEGINS, ("page", "taken", None), ("ticks", 0.2, True)]
    assert await played([*begun, *quiet]) - await played(begun) == 16


async def test_what_is_due_is_done() -> None:
    """Whoever is not heard of is away, a token is renewed before its end, who is away too long has left, and the page with the customer: without any look in between."""
    place = Place()
    await place.begin()
    for what in ("shows", "looks"):
        await place.page(what)
    await place.settle()
    await place.house.advance(60, *place.pages.values())
    live, silent = place.live.find(place.session), place.pages.pop("customer")
    assert live is not None
    assert all(member.away_since is None for member in live.members.values())
    await place.house.advance(place.live.settings.connection.silence_s + 1, *place.pages.values())
    assert live.members[place.ids["customer"]].away_since is not None
    place.shares.tick()
    assert silent.number is not None
    await place.house.advance(3600, *place.pages.values())
    place.shares.tick()
    assert place.ids["customer"] not in live.members
    assert place.held is not None
    assert place.held.ended_at is not None
    assert all(page.bye is None and page.got("token.renewed") for page in place.pages.values())
    await place.shares.close(1.0)
    await place.house.close()


async def calm(place: Place) -> LiveSession:
    """Looked at just now, with nothing due for a while."""
    await place.pages["agent"].say("chat.send", client_id=f"k{place.house.clock.seconds}", text="hello")
    await place.house.advance(2, *place.pages.values())
    session = place.live.find(place.session)
    assert session is not None
    assert session.due.at > place.house.clock.seconds + 5
    return session


@pytest.mark.parametrize("what", ["ice_renew_at", "renew_at"])
async def test_what_ends_is_renewed_in_time(what: str) -> None:
    place = Place()
    await place.begin()
    page, told = place.pages["agent"], {"ice_renew_at": "ice.servers", "renew_at": "token.renewed"}[what]
    member = (await calm(place)).members[place.ids["agent"]]
    left = (getattr(member, what) - place.house.clock.now()).total_seconds()
    await place.house.advance(left - 12, *place.pages.values())
    await calm(place)
    before = len(page.got(told))
    await place.house.advance(8, *place.pages.values())
    assert len(page.got(told)) == before
    await place.house.advance(3, *place.pages.values())
    assert len(page.got(told)) == before + 1
    await place.house.close()


async def test_another_relay_is_told_at_once() -> None:
    place = Place()
    await place.begin()
    await calm(place)
    place.relays[0].version += 1
    place.live.tick()
    assert place.pages["agent"].got("ice.servers")
    await place.house.close()


async def test_what_failed_is_tried_again_soon() -> None:
    place = Place()
    await place.begin()
    session = await calm(place)
    place.house.media.down = True
    await give(place.pages["customer"], "camera")
    assert session.members[place.ids["customer"]].applied is None
    place.house.media.down = False
    await place.house.advance(3, *place.pages.values())
    assert session.members[place.ids["customer"]].applied is not None
    await calm(place)
    place.house.store.broken = True
    await place.pages["agent"].say("participant.hold", participant=place.ids["customer"], held=True)
    assert session.unstored
    place.house.store.broken = False
    await place.house.advance(3, *place.pages.values())
    assert not session.unstored
    await place.house.close()
