"""``GET /api/v1/cobrowse/site``: the sockets of pages whose site lists who is on it, and the staff who offer them help. ``server/cobrowse/visitors.py`` decides."""

import asyncio
import itertools
import logging
from collections.abc import Callable, Iterable, Mapping

import msgspec
from aiohttp import web

from server.audit.events import AuditAction, AuditEvent
from server.auth.throttle import address_key
from server.clock import Clock
from server.cobrowse.messages import Body, SiteHello, SiteMessage
from server.cobrowse.visitors import Answered, Seen, Visitors
from server.domain import ids
from server.domain.ids import StaffId
from server.domain.model import Language, Session
from server.errors import NotFound, StoreUnavailable, TongpingError
from server.live.cobrowse.alone import Accepted, Alone
from server.live.cobrowse.endpoint import Room
from server.live.cobrowse.held import Site
from server.live.cobrowse.turns import Turns
from server.live.cobrowse.wires import Wire, WireLimits
from server.live.transactions import Transactions

log = logging.getLogger(__name__)
MAX_BYTES = 8192
SITE_LIMITS = WireLimits(frames_s=2, frames_burst=30, bytes_s=4096, bytes_burst=64 * 1024)
TICK_S = 0.5
MOST_IN_TURN = 100
"""So much of what pages say is taken in one turn of the loop: sessions have their turns between."""
_decode = msgspec.json.Decoder(SiteMessage).decode


class OfferRecords(Transactions):
    """All raise StoreUnavailable."""

    async def offered(self, staff: StaffId, visitor: str, offer: str, what: AuditAction, **details: str) -> None:
        await self._append(what, staff, visitor, {"offer": offer, **details})

    async def refused(self, visitor: str, offer: str) -> None:
        """The customer said no. A yes is stored with the session that comes of it."""
        await self._append(AuditAction.COBROWSE_OFFER_ANSWERED, visitor, visitor, {"offer": offer, "given": "no"})

    async def _append(self, what: AuditAction, actor: str, visitor: str, details: dict[str, str]) -> None:
        async with self._writing() as tx:
            await tx.append_audit(
                AuditEvent(action=what, at=self._clock.now(), actor=actor, session="", subject=visitor, details=details)
            )


class OnSite:
    """Run ``run_ticks`` as a task, ``close`` at the end."""

    def __init__(
        self,
        sites: Mapping[str, Site],
        alone: Alone,
        records: OfferRecords,
        clock: Clock,
        make_id: Callable[[str], str],
        client_address: Callable[[web.Request], str],
        *,
        most: int,
        per_address: int,
    ) -> None:
        self._sites = {key: site for key, site in sites.items() if site.presence}
        self._origins = frozenset[str]().union(*(site.origins for site in self._sites.values()))
        self._visitors = Visitors(most, per_address)
        self._alone = alone
        self._records = records
        self._clock = clock
        self._make_id = make_id
        self._client_address = client_address
        self._room = Room(2 * most, 2 * per_address)
        self._wires: dict[str, Wire[SiteMessage]] = {}
        self._numbers = itertools.count(1)
        self.turns = Turns(MOST_IN_TURN)

    def __len__(self) -> int:
        return len(self._visitors)

    @property
    def presence(self) -> bool:
        return bool(self._sites)

    # ---- staff

    async def by_code(self, staff: StaffId, code: str, language: Language) -> Session:
        """As ``Alone.by_code``."""
        return await self._alone.by_code(staff, code, language)

    def visitors(self, staff: StaffId) -> list[Seen]:
        return self._visitors.seen_by(staff, self._clock.monotonic())

    async def offer(self, staff: StaffId, name: str, visitor: str) -> None:
        """Raises NotFound, Conflict, StoreUnavailable: then nothing was offered. One who went while it was stored has it taken back in the audit."""
        offer = self._make_id(ids.VISITOR)
        self._visitors.offer(visitor, offer, staff, name, self._clock.monotonic())
        try:
            await self._records.offered(staff, visitor, offer, AuditAction.COBROWSE_OFFERED)
            self._wake(self._visitors.show(visitor, offer, self._clock.monotonic()))
        except NotFound:
            await self._records.offered(staff, visitor, offer, AuditAction.COBROWSE_OFFER_WITHDRAWN, why="gone")
            raise
        finally:
            self._visitors.unmade(visitor, offer)

    async def withdraw(self, staff: StaffId, visitor: str) -> None:
        """Raises NotFound, StoreUnavailable: it is withdrawn even so."""
        offer, woken = self._visitors.withdraw(visitor, staff, self._clock.monotonic())
        self._wake(woken)
        await self._records.offered(staff, visitor, offer, AuditAction.COBROWSE_OFFER_WITHDRAWN)

    # ---- pages

    async def tab(self, request: web.Request) -> web.StreamResponse:
        """403: not from a page of a site that lists who is there. 426: not a WebSocket. 429, 503: too many."""
        origin = request.headers.get("Origin", "")
        if origin not in self._origins:
            raise web.HTTPForbidden(text="This origin may not connect.")
        socket = web.WebSocketResponse(compress=False, max_msg_size=MAX_BYTES, timeout=SITE_LIMITS.close_s, autoping=False)
        if not socket.can_prepare(request):
            raise web.HTTPUpgradeRequired(text="This is a WebSocket.", headers={"Upgrade": "websocket"})
        address = address_key(self._client_address(request))
        with self._room.inside(address):
            await socket.prepare(request)
            end = _End(self, origin, address)
            await Wire(f"v{next(self._numbers)}", socket, request.transport, _decode, end, self._clock, SITE_LIMITS).run()
        return socket

    def came(self, wire: Wire[SiteMessage], hello: SiteHello, origin: str, address: str) -> bool:
        site = self._sites.get(hello.site)
        if site is None or origin not in site.origins:
            return False
        self._wires[wire.id] = wire
        visitor = self._make_id(ids.VISITOR)
        self._wake(self._visitors.come(wire.id, hello, site, visitor, address, self._clock.monotonic()))
        return True

    async def said(self, wire: Wire[SiteMessage], body: SiteMessage) -> None:
        answered, woken = self._visitors.said(wire.id, body, self._clock.monotonic())
        self._wake(woken)
        if answered is None:
            return
        if answered.given:
            await self._accepted(answered)
            return
        try:
            await self._records.refused(answered.visitor.id, answered.offer.id)
        except StoreUnavailable:
            log.warning("a no to an offer was not stored", extra={"visitor": answered.visitor.id})

    def next(self, wire: Wire[SiteMessage]) -> Body | None:
        return self._visitors.take(wire.id)

    def went(self, wire: Wire[SiteMessage]) -> None:
        if self._wires.pop(wire.id, None) is not None:
            self._visitors.went(wire.id, self._clock.monotonic())

    async def _accepted(self, answered: Answered) -> None:
        """A session, and in it their page."""
        visitor, offer = answered.visitor, answered.offer
        made, token = "", ""
        try:
            session, token = await self._alone.by_offer(
                StaffId(offer.staff),
                self._sites[visitor.site.key],
                visitor.address,
                Language(visitor.language),
                Accepted(visitor.id, offer.id),
            )
            made = session.id
        except TongpingError as error:
            log.warning("an offer came to nothing", extra={"visitor": visitor.id, "code": error.code})
        finally:
            self._wake(self._visitors.came_of(visitor, made, token))

    # ---- time

    def _wake(self, connections: Iterable[str]) -> None:
        for connection in connections:
            if (wire := self._wires.get(connection)) is not None:
                wire.wake()

    def tick(self) -> None:
        self._wake(self._visitors.tick(self._clock.monotonic()))

    async def run_ticks(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(TICK_S)
            try:
                self.tick()
            except Exception:
                log.exception("visitors not looked after")

    def close(self) -> None:
        """The server stops."""
        self._wake(self._visitors.end("restarting"))


class _End:
    """``wires.End``."""

    def __init__(self, on_site: OnSite, origin: str, address: str) -> None:
        self._on_site = on_site
        self._origin, self._address = origin, address

    async def heard(self, wire: Wire[SiteMessage], body: SiteMessage) -> None:
        await self._on_site.turns.take()
        if wire.greeted:
            await self._on_site.said(wire, body)
        elif isinstance(body, SiteHello) and self._on_site.came(wire, body, self._origin, self._address):
            wire.greeted = True
            wire.wake()
        else:
            wire.finish("invalid")

    def next(self, wire: Wire[SiteMessage]) -> Body | None:
        return self._on_site.next(wire)

    def measured(self, wire: Wire[SiteMessage], round_trip_ms: int) -> None: ...

    def gone(self, wire: Wire[SiteMessage]) -> None:
        self._on_site.went(wire)
