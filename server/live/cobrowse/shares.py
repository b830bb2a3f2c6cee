"""The pages that are shared now: by their ids, tokens and codes; which session each is in, and who may look. In the memory of this process alone: after a
restart nothing is shared any more, and the page's script is told so.

A share is created for anybody whose page is one of the bank's, and does nothing until somebody who leads a session types its code, or an offer of help is accepted
(``alone``). From then on it ends with the customer's place in that session, with the session, and when nobody leads it any more. Of those that nobody has come to the
oldest of the fullest address makes room where there is none.
"""

import asyncio
import hashlib
import logging
import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from server.clock import Clock
from server.cobrowse import kept, orders
from server.cobrowse.messages import Body, ShareState, TabHello, TabMessage, ViewMessage, Who
from server.cobrowse.seats import Person
from server.cobrowse.share import Outputs, Share
from server.cobrowse.visitors import oldest_of_the_fullest
from server.domain import ids
from server.domain.grants import Grant
from server.domain.ids import ParticipantId, SessionId
from server.domain.model import Language, LeaveReason, SessionStatus
from server.errors import Conflict, Gone, NotFound
from server.live.cobrowse.calling import Calling
from server.live.cobrowse.drawing import Drawing
from server.live.cobrowse.entitled import looks
from server.live.cobrowse.held import Connected, Held, SanitiserAway, Sanitising, ShareSettings, Site
from server.live.cobrowse.journal import Journal, PageRecords
from server.live.cobrowse.keeper import AGAIN_S, Keeper
from server.live.due import AT_ONCE, earliest
from server.live.member import Member
from server.live.people.leading import leads
from server.live.recording.pages import PageKept
from server.services.ports import Throttle
from server.signalling.messages_cobrowse import CobrowseChanged

if TYPE_CHECKING:
    from server.live.session import LiveSession

log = logging.getLogger(__name__)
TICK_S = 0.1
THROTTLE = "cobrowse_code"
ENDED_KEPT_S = 10.0
CODES = 1_000_000
ENTER_S = 60.0
"""So long whoever began a session with a page may be on the way into it."""
GONE_FOR_GOOD = frozenset({LeaveReason.REMOVED, LeaveReason.REVOKED})


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
        self.calling = Calling()
        self.drawing = Drawing(clock, lambda: sum(held.share.asset_bytes for held in self._shares.values()))
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
            if not self._makes_room(address):
                return "too_many"
            held, _ = self.begin(site, address, self._code())
        held.wires[wire.id] = wire
        self._do(held, held.share.tab_came(wire.id, hello, self._clock.monotonic()))
        return held

    def tab_said(self, held: Held, wire: Connected, body: TabMessage) -> None:
        room = self._sanitisers.has_room(held.share.id)
        self._do(held, held.share.tab_said(wire.id, body, self._clock.monotonic(), room=room))

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

    def begin(self, site: Site, address: str, code: str) -> tuple[Held, str]:
        """With its token. ``code`` "": nobody is to type one."""
        now = self._clock.monotonic()
        id, token = self._make_id(ids.SHARE), secrets.token_urlsafe(32)
        held = Held(Share(id, token=token, code=code, site=site.tab, now=now), site, _digest(token), address, code)
        self._shares[id] = self._tokens[held.token] = held
        if code:
            self._codes[code] = held
        self._addresses[address] += 1
        return held, token

    def _makes_room(self, address: str) -> bool:
        """For one more of this address. One that nobody has come to may have to go."""
        if self._addresses[address] >= self.settings.per_address:
            return self.crowded(address)
        return self._addresses.total() < self.settings.shares or self.crowded()

    def crowded(self, address: str | None = None) -> bool:
        """One that waits for its code to be typed, of this address or of all, ends: False where none waits."""
        waiting = [one for one in self._codes.values() if address in (None, one.address)]
        if waiting:
            held = oldest_of_the_fullest(waiting)
            self._do(held, held.share.end("crowded", self._clock.monotonic(), code="expired"))
        return bool(waiting)

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
        held = self.take_code(code, member.participant.identity)
        try:
            await self._records.attached(session.id, customer.id, member.id, held.share.id, held.site.rules)
        except BaseException:  # also where whoever typed it has gone meanwhile
            self.give_back(held)
            raise
        record = session.record
        assert record is not None  # loaded before anybody is seated
        self.open(held, session.id, customer.id, record.language, (member.participant.identity, Who.TYPED))

    def take_code(self, code: str, identity: str) -> Held:
        """It is used up, unless it is given back. Raises NotFound, TooMany."""
        who = f"name:{identity}"
        self._throttle.check(THROTTLE, who)
        held = self._codes.get("".join(code.split()))
        if held is None or held.share.state is not ShareState.IDLE:
            raise NotFound("There is no page with this code. Ask the customer to read it again.")
        self._throttle.succeeded(THROTTLE, who)
        del self._codes[held.code]
        return held

    def give_back(self, held: Held) -> None:
        """Nothing came of it."""
        if held.ended_at is not None:
            return
        if held.code:
            self._codes[held.code] = held
        else:
            self._end(held, "unattached")

    def open(
        self,
        held: Held,
        session: SessionId,
        customer: ParticipantId,
        language: Language,
        brought: tuple[str, Who],
        *,
        alone: bool = False,
    ) -> None:
        """It is shown in this session from now on. Raises Gone."""
        now = self._clock.monotonic()
        if held.ended_at is not None or held.share.state is not ShareState.IDLE:
            raise Gone("The customer has closed the page.")
        held.session, held.customer = session, customer
        held.alone, held.enter_until, held.brought = alone, now + ENTER_S, brought
        self._sessions[session] = held
        held.journal = Journal(
            self._records,
            session,
            customer,
            language,
            held.share.id,
            partial(self._stored, held),
        )
        self._sanitisers.open(held.share.id, held.site.rules, secrets.token_bytes(32))
        self._do(held, held.share.attach(now, first=True))

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
        identity, how = held.brought
        who = how if member.participant.identity == identity else Who.OTHER
        person = Person(id=participant, name=member.participant.name, role=member.participant.role.value, who=who)
        self._do(held, held.share.viewer_came(wire.id, person, self._clock.monotonic()))
        return held

    def viewer_said(self, held: Held, wire: Connected, body: ViewMessage) -> None:
        self._check(held)
        self._do(held, held.share.viewer_said(wire.id, body, self._clock.monotonic()))

    def next(self, held: Held, wire: Connected) -> Body | None:
        """What this socket is to send now: nothing to whoever may not look at this moment."""
        if wire.id in held.viewers and held.share.waits(wire.id):
            self._check(held)
        frame, outputs = held.share.take(wire.id, self._clock.monotonic())
        if outputs or frame is None:
            self._do(held, outputs)
        return frame

    def _may_look(self, held: Held, participant: ParticipantId) -> Member | None:
        live = self._find(held.session) if held.session is not None else None
        member = live.members.get(participant) if live is not None else None
        if member is None or not looks(member):
            return None
        return member

    def _check(self, held: Held) -> None:
        """Whether the share stands, and for whom."""
        if held.session is None or held.ended_at is not None:
            return
        live, now, share = self._find(held.session), self._clock.monotonic(), held.share
        comes = held.alone and not held.led and now < held.enter_until
        if live is None and comes:
            return
        if live is None or (why := _over(live, held, comes=comes)):
            self._end(held, "session" if live is None else why)
            return
        members = live.members
        customer = members.get(held.customer) if held.customer is not None else None
        if share.is_apart is not (apart := held.alone and (customer is None or customer.away_since is not None)):
            self._do(held, share.apart(apart, now))
        if share.is_held is not (on_hold := customer is not None and customer.on_hold):
            self._do(held, share.hold(on_hold, now))
        for participant in [one for one in held.people if (member := members.get(one)) is None or not looks(member)]:
            held.people.discard(participant)
            self._do(held, share.viewer_left(participant, now))
        late = share.waits_for_first and now >= held.enter_until
        if late and not any(looks(one) and one.participant.identity == held.brought[0] for one in members.values()):
            self._do(held, share.first_away(now))
        self._keep(held, live)

    def _end(self, held: Held, why: str) -> None:
        if held.ended_at is None:
            self._do(held, held.share.end(why, self._clock.monotonic()))

    # ---- the recording

    def _keep(self, held: Held, live: "LiveSession") -> None:
        """With the recording of the session, while it is on and of this customer."""
        what = self._page_of(held)
        if held.keeper is not None and (what is None or not held.keeper.is_for(what)):
            held.keeper.finish("ended")
            self._kept(held, held.keeper, again=False)
        now = self._clock.monotonic()
        if what is None or held.customer is None or held.keeper is not None or now < held.keep_at or held.ended_at is not None:
            return
        held.keeper = held.wires[kept.CONNECTION] = Keeper(
            kept.CONNECTION,
            live.needs.recorder,
            self._clock,
            what,
            held.share.id,
            held.customer,
            lambda: self._next_kept(held),
            lambda: self._page_of(held) is not None,
            lambda keeper, again: self._kept(held, keeper, again=again),
        )
        self._do(held, held.share.recorder_came(kept.CONNECTION, now))

    def _page_of(self, held: Held) -> PageKept | None:
        live = self._find(held.session) if held.session is not None else None
        return live.recording.page_of(held.customer) if live is not None and held.customer is not None else None

    def _next_kept(self, held: Held) -> tuple[Body, PageKept] | None:
        """What waits, if it may be kept at this moment."""
        self._check(held)
        what = self._page_of(held)
        if what is None or held.keeper is None:
            return None
        frame, outputs = held.share.take(kept.CONNECTION, self._clock.monotonic())
        self._do(held, outputs)
        return None if frame is None else (frame, what)

    def _kept(self, held: Held, keeper: Keeper, *, again: bool) -> None:
        """Nothing more comes of this one."""
        if held.keeper is not keeper:
            return
        held.keeper = None
        held.wires.pop(kept.CONNECTION, None)
        now = self._clock.monotonic()
        held.keep_at = now + AGAIN_S if again else now
        self._do(held, held.share.recorder_went(kept.CONNECTION, now))

    # ---- what the sanitisers say: ``sanitisers.SanitiserEvents``

    def cleaned(self, id: str, cleaned: orders.Cleaned) -> None:
        if (held := self._shares.get(id)) is not None:
            self._do(held, held.share.cleaned(cleaned, self._clock.monotonic()))

    def looked(self, id: str, look: int, facts: orders.Facts | None) -> None:
        if (held := self._shares.get(id)) is not None:
            self._do(held, held.share.looked(look, facts, self._clock.monotonic()))

    def sanitiser_lost(self, id: str) -> None:
        """``sanitiser_back`` says when the next can be asked."""

    def sanitiser_back(self, id: str) -> None:
        if (held := self._shares.get(id)) is not None:
            self._do(held, held.share.sanitiser_lost(self._clock.monotonic()))

    def sanitiser_refuses(self, id: str) -> None:
        if (held := self._shares.get(id)) is not None:
            self._end(held, "sanitiser")

    # ---- what a share wants

    def _do(self, held: Held, outputs: Outputs) -> None:
        held.due_at = AT_ONCE
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
                case orders.Hush(connection=connection):
                    if (wire := held.wires.get(connection)) is not None:
                        wire.hush()
                case orders.Record() | orders.Begin() | orders.Note():
                    if held.journal is not None:
                        held.journal.add(output)
                case orders.Invite(viewer=viewer) if held.session is not None and held.customer is not None:
                    told = partial(self._invited, held)
                    self.calling.invite(held.session, held.customer, viewer, told)
                case orders.Draw():
                    self.drawing.order(output, held.share, partial(self._do, held))
                case orders.Changed(state=state):
                    self._changed(held, state)

    def _stored(self, held: Held, what: orders.Record | orders.Begin, ok: bool) -> None:
        answer = held.share.begun if isinstance(what, orders.Begin) else held.share.recorded
        self._do(held, answer(what.number, ok, self._clock.monotonic()))

    def _invited(self, held: Held, link: str) -> None:
        self._do(held, held.share.invited(link, self._clock.monotonic()))

    def _changed(self, held: Held, state: ShareState) -> None:
        if state is ShareState.ENDED and held.ended_at is None:
            held.ended_at = self._clock.monotonic()
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
            live = self._find(held.session) if held.session is not None else None
            number = live.due.number if live is not None else 0
            if now < held.due_at and number == held.seen:
                continue
            held.due_at = AT_ONCE
            try:
                self._look_after(held, now)
                held.seen, held.due_at = number, self._next_due(held, live, now)
            except Exception:  # the others have their deadlines, too
                log.exception("a share was not looked after", extra={"share": held.share.id})

    def _look_after(self, held: Held, now: float) -> None:
        if held.ended_at is not None:
            self._forget(held, now)
            return
        due = held.share.next_deadline()
        if due is not None and now >= due:
            self._do(held, held.share.tick(now))
        if held.keeper is not None and held.keeper.picture_due(now):
            self._do(held, held.share.renew(now))
        self._check(held)

    def _next_due(self, held: Held, live: "LiveSession | None", now: float) -> float:
        """When it is to be looked after again, unless something is done with it or happens in its session before. What is kept is asked for each time."""
        if held.ended_at is not None or held.keeper is not None:
            return AT_ONCE
        if held.session is not None and (live is None or not live.actor.idle or live.recording.undone):
            return AT_ONCE
        return earliest([held.share.next_deadline(), held.enter_until if now < held.enter_until else None], now)

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
        await self.calling.close()
        await self.drawing.close()
        for held in list(self._shares.values()):
            self._end(held, "restart")
            for wire in list(held.wires.values()):
                wire.finish("restarting")
        keepers = [one.keeper.task for one in self._shares.values() if one.keeper is not None and one.keeper.task is not None]
        if keepers:
            await asyncio.wait(keepers, timeout=deadline_s)
        journals = [held.journal.close(deadline_s) for held in self._shares.values() if held.journal is not None]
        await asyncio.gather(*journals)


def _over(live: "LiveSession", held: Held, *, comes: bool) -> str:
    """Why nothing can be shown in a session any more; "" where it can. ``comes``: whoever leads may be on the way in."""
    if live.record is None and comes:
        return ""
    if live.status is not SessionStatus.OPEN:
        return "session"
    member = live.members.get(held.customer) if held.customer is not None else None
    away = member is None and not held.alone
    if away or (member is not None and (member.cut or member.waits or member.narrowed.out)):
        return "customer"
    place = live.people.get(held.customer) if held.customer is not None else None
    if member is None and place is not None and place.leave_reason in GONE_FOR_GOOD:
        return "customer"
    led = any(leads(one) and not one.narrowed.out for one in live.members.values())
    held.led = held.led or led
    return "" if led or comes else "agent"


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
