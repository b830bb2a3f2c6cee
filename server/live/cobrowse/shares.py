"""The pages that are shared now: by their ids, tokens and codes; which session each is in, and who may look. In the memory of this process alone: after a
restart nothing is shared any more, and the page's script is told so.

A share is created for anybody whose page is one of the bank's, and does nothing until somebody who leads a session types its code. From then on it ends with the
customer's place in that session, with the session, and when nobody leads it any more.
"""

import asyncio
import contextlib
import hashlib
import logging
import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from server.clock import Clock
from server.cobrowse import orders, share
from server.cobrowse.messages import Body, ShareState, TabHello, TabMessage, ViewMessage
from server.cobrowse.seats import Person
from server.cobrowse.share import Outputs, Share
from server.domain import ids
from server.domain.grants import Grant
from server.domain.ids import ParticipantId, SessionId
from server.domain.model import Role, SessionStatus
from server.errors import Conflict, Gone, NotFound, TongpingError
from server.live.cobrowse.journal import Journal, PageRecords
from server.live.member import Member
from server.live.people.leading import leads
from server.services.ports import Throttle
from server.signalling.messages_cobrowse import CobrowseChanged

if TYPE_CHECKING:
    from server.live.session import LiveSession

log = logging.getLogger(__name__)
TICK_S = 0.1
THROTTLE = "cobrowse_code"
ROOM_EVERY_S = 0.25
ENDED_KEPT_S = 10.0
CODES = 1_000_000


class Sanitising(Protocol):
    """``server.sanitisers.Sanitisers``."""

    def open(self, share: str, rules: str, key: bytes) -> None: ...
    def shut(self, share: str) -> None: ...
    def has_room(self, share: str) -> bool: ...
    def order(self, share: str, what: orders.Sanitise | orders.Look) -> None:
        """Raises SanitiserAway."""
        ...


class SanitiserAway(Exception):
    """There is no process for this share now, or it does not keep up: what it was to do is lost."""


class Connected(Protocol):
    """A socket of a share: ``wires.Wire``."""

    @property
    def id(self) -> str: ...
    def wake(self) -> None: ...
    def finish(self, code: str, *, again: bool = False) -> None: ...


@dataclass(frozen=True, slots=True)
class Site:
    """One of the bank's. ``tab``: what its pages are told."""

    key: str
    name: str
    origins: frozenset[str]
    tab: share.Site

    @property
    def rules(self) -> str:
        """Hash of the rules that hold."""
        return self.tab.rules


@dataclass(frozen=True, slots=True)
class ShareSettings:
    shares: int = 500
    per_address: int = 20
    viewers: int = 8


@dataclass(slots=True, eq=False)
class Held:
    """A share, and where it is. ``viewers``: by connection; ``people``: everybody who has looked or asked to and whose place is not over."""

    share: Share
    site: Site
    token: bytes
    address: str
    code: str
    session: SessionId | None = None
    customer: ParticipantId | None = None
    journal: Journal | None = None
    wires: dict[str, Connected] = field(default_factory=dict)
    viewers: dict[str, ParticipantId] = field(default_factory=dict)
    people: set[ParticipantId] = field(default_factory=set)
    room: asyncio.Event = field(default_factory=asyncio.Event)
    told: ShareState | None = None
    ended_at: float | None = None


class Shares:
    """``find``: the live session of an id, where there is one now. Run ``run_ticks`` as a task, ``close`` at the end."""

    def __init__(
        self,
        sites: Mapping[str, Site],
        sanitisers: Sanitising,
        records: PageRecords,
        throttle: Throttle,
        clock: Clock,
        make_id: Callable[[str], str],
        find: "Callable[[SessionId], LiveSession | None]",
        settings: ShareSettings | None = None,
    ) -> None:
        self.sites = dict(sites)
        self.settings = settings or ShareSettings()
        self._sanitisers = sanitisers
        self._records = records
        self._throttle = throttle
        self._clock = clock
        self._make_id = make_id
        self._find = find
        self._shares: dict[str, Held] = {}
        self._tokens: dict[bytes, Held] = {}
        self._codes: dict[str, Held] = {}
        self._sessions: dict[SessionId, Held] = {}
        self._addresses: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._shares)

    @property
    def viewers(self) -> int:
        return sum(len(held.viewers) for held in self._shares.values())

    # ---- tabs

    def tab(self, wire: Connected, hello: TabHello, origin: str, address: str) -> "Held | str":
        """A document of one of the bank's pages says hello. What it belongs to from now on, or why not: a code of ``Bye``."""
        site = self.sites.get(hello.site)
        if site is None or origin not in site.origins:
            return "invalid"
        if hello.token:
            held = self._tokens.get(_digest(hello.token))
            if held is None or held.site is not site or held.ended_at is not None:
                return "expired"
        else:
            if len(self._shares) >= self.settings.shares or self._addresses[address] >= self.settings.per_address:
                return "too_many"
            held = self._begin(site, address)
        held.wires[wire.id] = wire
        self._do(held, held.share.tab_came(wire.id, hello, self._clock.monotonic()))
        return held

    def tab_said(self, held: Held, wire: Connected, body: TabMessage) -> None:
        self._do(held, held.share.tab_said(wire.id, body, self._clock.monotonic()))

    async def room_for_more(self, held: Held) -> None:
        """Returns when the sanitiser has worked off what this share sent, as far as it should."""
        while held.ended_at is None and not self._sanitisers.has_room(held.share.id):
            held.room.clear()
            with contextlib.suppress(TimeoutError):  # it may be others who leave room
                async with asyncio.timeout(ROOM_EVERY_S):
                    await held.room.wait()

    def measured(self, held: Held, wire: Connected, round_trip_ms: int) -> None:
        held.share.measured(wire.id, round_trip_ms)

    def gone(self, held: Held, wire: Connected) -> None:
        """A socket, whoever's, is closed."""
        if held.wires.pop(wire.id, None) is None:
            return
        now = self._clock.monotonic()
        if held.viewers.pop(wire.id, None) is not None:
            self._do(held, held.share.viewer_went(wire.id, now))
        else:
            self._do(held, held.share.tab_went(wire.id, now))

    def _begin(self, site: Site, address: str) -> Held:
        now = self._clock.monotonic()
        id, token = self._make_id(ids.SHARE), secrets.token_urlsafe(32)
        code = self._code()
        held = Held(Share(id, token=token, code=code, site=site.tab, now=now), site, _digest(token), address, code)
        self._shares[id] = self._tokens[held.token] = self._codes[code] = held
        self._addresses[address] += 1
        return held

    def _code(self) -> str:
        """Of no other share that waits: there are far fewer than codes."""
        while (code := f"{secrets.randbelow(CODES):06d}") in self._codes:
            pass
        return code

    # ---- sessions

    async def attach(self, session: "LiveSession", member: Member, customer: Member, code: str) -> None:
        """Somebody who leads typed a code. In the session's actor. Raises NotFound, Conflict, Gone, TooMany, StoreUnavailable."""
        if self.of(session.id) is not None:
            raise Conflict("A page is shown in this session already.")
        who = f"name:{member.participant.identity}"
        self._throttle.check(THROTTLE, who)
        held = self._codes.get("".join(code.split()))
        if held is None or held.share.state is not ShareState.IDLE:
            raise NotFound("There is no page with this code. Ask the customer to read it again.")
        self._throttle.succeeded(THROTTLE, who)
        del self._codes[held.code]  # before anything is awaited: it is used up
        try:
            await self._records.attached(session.id, customer.id, member.id, held.share.id, held.site.rules)
        except TongpingError:
            if held.ended_at is None:
                self._codes[held.code] = held
            raise
        if held.ended_at is not None or held.share.state is not ShareState.IDLE:
            raise Gone("The customer has closed the page.")
        record = session.record
        assert record is not None  # loaded before anybody is seated
        held.session, held.customer = session.id, customer.id
        self._sessions[session.id] = held
        held.journal = Journal(
            self._records,
            session.id,
            customer.id,
            record.language,
            held.share.id,
            lambda number, ok: self._do(held, held.share.recorded(number, ok, self._clock.monotonic())),
        )
        self._sanitisers.open(held.share.id, held.site.rules, secrets.token_bytes(32))
        self._do(held, held.share.attach(self._clock.monotonic()))

    def detach(self, session: "LiveSession") -> None:
        """Raises Conflict: nothing is shown."""
        held = self.of(session.id)
        if held is None:
            raise Conflict("No page is shown in this session.")
        self._end(held, "detached")

    def withdrawn(self, session: SessionId, customer: ParticipantId) -> None:
        """This customer shows nothing any more."""
        held = self.of(session)
        if held is not None and held.customer == customer:
            self._end(held, "withdrawn")

    def of(self, session: SessionId) -> Held | None:
        held = self._sessions.get(session)
        return held if held is not None and held.ended_at is None else None

    def view(self, session: SessionId) -> CobrowseChanged:
        """What staff in this session are told."""
        held = self.of(session)
        if held is None:
            return CobrowseChanged(share=None, state=None, site="")
        return CobrowseChanged(share=held.share.id, state=held.share.state, site=held.site.name)

    # ---- viewers

    def viewer(self, wire: Connected, id: str, session: str, participant: ParticipantId) -> "Held | str":
        """Somebody with a token for this place wants to look. As ``tab``."""
        held = self._shares.get(id)
        if held is None or held.ended_at is not None or held.session is None or held.session != session:
            return "ended"
        self._check(held)
        member = self._may_look(held, participant)
        if member is None or held.ended_at is not None:
            return "invalid"
        others = {one for one in held.viewers.values() if one != participant}
        if len(others) >= self.settings.viewers:
            return "too_many"
        held.wires[wire.id] = wire
        held.viewers[wire.id] = participant
        held.people.add(participant)
        person = Person(id=participant, name=member.participant.name, role=member.participant.role.value)
        self._do(held, held.share.viewer_came(wire.id, person, self._clock.monotonic()))
        return held

    def viewer_said(self, held: Held, wire: Connected, body: ViewMessage) -> None:
        self._check(held)
        self._do(held, held.share.viewer_said(wire.id, body, self._clock.monotonic()))

    def next(self, held: Held, wire: Connected) -> Body | None:
        """What this socket is to send now: nothing to whoever may not look at this moment."""
        if wire.id in held.viewers:
            self._check(held)
        frame, outputs = held.share.take(wire.id, self._clock.monotonic())
        self._do(held, outputs)
        return frame

    def _may_look(self, held: Held, participant: ParticipantId) -> Member | None:
        live = self._find(held.session) if held.session is not None else None
        member = live.members.get(participant) if live is not None else None
        if member is None or not _looks(member):
            return None
        return member

    def _check(self, held: Held) -> None:
        """Whether the share stands, and for whom."""
        if held.session is None or held.ended_at is not None:
            return
        live = self._find(held.session)
        if live is None or (why := _over(live, held.customer)):
            self._end(held, "session" if live is None else why)
            return
        customer = live.members.get(held.customer) if held.customer is not None else None
        self._do(held, held.share.hold(customer is not None and customer.on_hold, self._clock.monotonic()))
        for participant in list(held.people):
            member = live.members.get(participant)
            if member is None or not _looks(member):
                held.people.discard(participant)
                self._do(held, held.share.viewer_left(participant, self._clock.monotonic()))

    def _end(self, held: Held, why: str) -> None:
        if held.ended_at is None:
            self._do(held, held.share.end(why, self._clock.monotonic()))

    # ---- what the sanitisers say: ``sanitisers.SanitiserEvents``

    def cleaned(self, id: str, cleaned: orders.Cleaned) -> None:
        if (held := self._shares.get(id)) is not None:
            held.room.set()
            self._do(held, held.share.cleaned(cleaned, self._clock.monotonic()))

    def looked(self, id: str, look: int, facts: orders.Facts | None) -> None:
        if (held := self._shares.get(id)) is not None:
            self._do(held, held.share.looked(look, facts, self._clock.monotonic()))

    def sanitiser_lost(self, id: str) -> None:
        if (held := self._shares.get(id)) is not None:
            held.room.set()

    def sanitiser_back(self, id: str) -> None:
        if (held := self._shares.get(id)) is not None:
            self._do(held, held.share.sanitiser_lost(self._clock.monotonic()))

    def sanitiser_refuses(self, id: str) -> None:
        if (held := self._shares.get(id)) is not None:
            held.room.set()
            self._end(held, "sanitiser")

    # ---- what a share wants

    def _do(self, held: Held, outputs: Outputs) -> None:
        for output in outputs:
            match output:
                case orders.Sanitise() | orders.Look():
                    try:
                        self._sanitisers.order(held.share.id, output)
                    except SanitiserAway:
                        pass  # it is told when there is one again
                case orders.Wake(connection=connection):
                    if (wire := held.wires.get(connection)) is not None:
                        wire.wake()
                case orders.Record():
                    if held.journal is not None:
                        held.journal.add(output)
                case orders.Note():
                    if held.journal is not None:
                        held.journal.add(output)
                case orders.Changed(state=state):
                    self._changed(held, state)

    def _changed(self, held: Held, state: ShareState) -> None:
        if state is ShareState.ENDED and held.ended_at is None:
            held.ended_at = self._clock.monotonic()
            held.room.set()
            self._addresses[held.address] -= 1
            if not self._addresses[held.address]:
                del self._addresses[held.address]
            if self._codes.get(held.code) is held:
                del self._codes[held.code]
            self._sanitisers.shut(held.share.id)
        session, before = held.session, held.told
        held.told = state
        if session is None or state is before:
            return
        live = self._find(session)
        if live is not None:
            for member in live.members.values():
                if Grant.COBROWSE_VIEW in member.grants:
                    member.send(self.view(session))

    # ---- time

    def tick(self) -> None:
        """Deadlines. Quick."""
        now = self._clock.monotonic()
        for held in list(self._shares.values()):
            try:
                self._look_after(held, now)
            except Exception:  # the others have their deadlines, too
                log.exception("a share was not looked after", extra={"share": held.share.id})

    def _look_after(self, held: Held, now: float) -> None:
        if held.ended_at is not None:
            self._forget(held, now)
            return
        due = held.share.next_deadline()
        if due is not None and now >= due:
            self._do(held, held.share.tick(now))
        self._check(held)

    def _forget(self, held: Held, now: float) -> None:
        """Once its sockets are closed and all is written down."""
        assert held.ended_at is not None
        if now - held.ended_at >= ENDED_KEPT_S:
            for wire in held.wires.values():
                wire.finish("ended")
            held.wires.clear()
        if held.wires or (held.journal is not None and held.journal.task is not None):
            return
        self._shares.pop(held.share.id, None)
        self._tokens.pop(held.token, None)
        if held.session is not None and self._sessions.get(held.session) is held:
            del self._sessions[held.session]

    async def run_ticks(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(TICK_S)
            try:
                self.tick()
            except Exception:
                log.exception("shares not looked after")

    async def close(self, deadline_s: float) -> None:
        """The server stops: everything ends, and is written down."""
        for held in list(self._shares.values()):
            self._end(held, "restart")
            for wire in list(held.wires.values()):
                wire.finish("restarting")
        journals = [held.journal.close(deadline_s) for held in self._shares.values() if held.journal is not None]
        await asyncio.gather(*journals)


def _over(live: "LiveSession", customer: ParticipantId | None) -> str:
    """Why nothing can be shown in a session any more; "" where it can."""
    if live.status is not SessionStatus.OPEN:
        return "session"
    member = live.members.get(customer) if customer is not None else None
    if member is None or member.cut or member.waits or member.narrowed.out:
        return "customer"
    return "" if any(leads(one) and not one.narrowed.out for one in live.members.values()) else "agent"


def _looks(member: Member) -> bool:
    """Whether somebody of the staff may look as they are in the session: not who listens unseen, nor on hold or on the way out."""
    return (
        Grant.COBROWSE_VIEW in member.grants
        and member.participant.role is not Role.CUSTOMER
        and member.shown_to_others
        and not member.listens
        and not member.leaving
    )


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
