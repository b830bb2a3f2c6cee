"""``GET /api/v1/cobrowse/tab`` and ``/view``: the WebSockets of co-browse. Who may open one, how many, and whom it is handed to."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import urlsplit

import msgspec
from aiohttp import web

from server.auth.throttle import address_key
from server.auth.tokens import Audience
from server.clock import Clock
from server.cobrowse.messages import MAX_FRAME_BYTES, Body, TabHello, TabMessage, ViewHello, ViewMessage
from server.domain.grants import Grant
from server.domain.ids import ParticipantId
from server.errors import TokenExpired, Unauthenticated
from server.live.cobrowse.held import Held
from server.live.cobrowse.shares import Shares
from server.live.cobrowse.wires import End, Wire, WireLimits
from server.live.ports import Verifier

Heard = TypeVar("Heard")
_tab = msgspec.json.Decoder(TabMessage)
_view = msgspec.json.Decoder(ViewMessage)


def tab_limits(bytes_s: int) -> WireLimits:
    """A page's changes: many at once, then as many as may be; a whole picture is 8 MiB at most."""
    return WireLimits(
        frames_s=400,
        frames_burst=1200,
        bytes_s=bytes_s,
        bytes_burst=16 << 20,
        waits=True,
        send_bytes=256 * 1024,
        receive_bytes=256 * 1024,
    )


@dataclass(frozen=True, slots=True)
class CobrowseSettings:
    """``origins``: of our own pages, whose viewers may connect; those of the bank's sites are the sites'."""

    origins: frozenset[str]
    tabs: int = 1000
    tabs_per_address: int = 40
    viewers: int = 2000
    viewers_per_address: int = 200
    tab: WireLimits = field(default_factory=lambda: tab_limits(4 << 20))
    view: WireLimits = field(default_factory=WireLimits)


class Room:
    """How many sockets of a kind are open. ``full``: called where there is no room for anybody, so that there is for who tries again."""

    def __init__(self, most: int, per_address: int, full: Callable[[], object] = lambda: None) -> None:
        self._most, self._per_address, self._full = most, per_address, full
        self._open: Counter[str] = Counter()

    @contextmanager
    def inside(self, address: str) -> Iterator[None]:
        """Raises HTTPTooManyRequests, HTTPServiceUnavailable."""
        if self._open[address] >= self._per_address:
            raise web.HTTPTooManyRequests(text="Too many connections from this address.", headers={"Retry-After": "5"})
        if self._open.total() >= self._most:
            self._full()
            raise web.HTTPServiceUnavailable(text="Too many connections.", headers={"Retry-After": "1"})
        self._open[address] += 1
        try:
            yield
        finally:
            self._open[address] -= 1
            if not self._open[address]:
                del self._open[address]


class _Of(Generic[Heard]):
    """``wires.End``: of a wire whose share is known once it has said hello."""

    def __init__(self, shares: Shares) -> None:
        self._shares = shares
        self.held: Held | None = None

    def next(self, wire: Wire[Heard]) -> Body | None:
        return self._shares.next(self.held, wire) if self.held is not None else None

    def measured(self, wire: Wire[Heard], round_trip_ms: int) -> None:
        if self.held is not None:
            self._shares.measured(self.held, wire, round_trip_ms)

    def gone(self, wire: Wire[Heard]) -> None:
        if self.held is not None:
            self._shares.gone(self.held, wire)

    def _greeted(self, wire: Wire[Heard], held: Held | str) -> None:
        if isinstance(held, str):
            wire.finish(held)
        else:
            self.held = held
            wire.greeted = True
            wire.wake()


class _TabEnd(_Of[TabMessage]):
    def __init__(self, shares: Shares, origin: str, address: str) -> None:
        super().__init__(shares)
        self._origin, self._address = origin, address

    async def heard(self, wire: Wire[TabMessage], body: TabMessage) -> None:
        if self.held is None and isinstance(body, TabHello):
            self._greeted(wire, self._shares.tab(wire, body, self._origin, self._address))
        elif self.held is None or isinstance(body, TabHello):
            wire.finish("invalid")
        else:
            self._shares.tab_said(self.held, wire, body)


class _ViewEnd(_Of[ViewMessage]):
    def __init__(self, shares: Shares, verifier: Verifier, clock: Clock) -> None:
        super().__init__(shares)
        self._verifier, self._clock = verifier, clock

    async def heard(self, wire: Wire[ViewMessage], body: ViewMessage) -> None:
        if self.held is None and isinstance(body, ViewHello):
            self._greeted(wire, self._viewer(wire, body))
        elif self.held is None or isinstance(body, ViewHello):
            wire.finish("invalid")
        else:
            self._shares.viewer_said(self.held, wire, body)

    def _viewer(self, wire: Wire[ViewMessage], hello: ViewHello) -> Held | str:
        try:
            claims = self._verifier.verify(hello.token, now=self._clock.now())
        except TokenExpired:
            return "expired"
        except Unauthenticated:
            return "invalid"
        if claims.audience is not Audience.SESSION or Grant.COBROWSE_VIEW not in claims.grants:
            return "invalid"
        return self._shares.viewer(wire, hello.share, claims.session, ParticipantId(claims.subject))


class CobrowseEndpoint:
    """aiohttp handlers ``tab`` and ``view``. ``client_address`` tells who is asking, where a trusted proxy stands in front."""

    def __init__(
        self,
        shares: Shares,
        verifier: Verifier,
        clock: Clock,
        settings: CobrowseSettings,
        client_address: Callable[[web.Request], str],
    ) -> None:
        self._shares = shares
        self._verifier = verifier
        self._clock = clock
        self._settings = settings
        self._client_address = client_address
        self._site_origins = frozenset[str]().union(*(site.origins for site in shares.sites.values()))
        self._tabs = Room(settings.tabs, settings.tabs_per_address, shares.crowded)
        self._viewers = Room(settings.viewers, settings.viewers_per_address)
        self._numbers = itertools.count(1)

    async def tab(self, request: web.Request) -> web.StreamResponse:
        """403: not from a page of the bank's. 426: not a WebSocket. 429, 503: too many."""
        origin = request.headers.get("Origin", "")
        if origin not in self._site_origins:
            raise web.HTTPForbidden(text="This origin may not connect.")
        address = address_key(self._client_address(request))
        end = _TabEnd(self._shares, origin, address)
        return await self._serve(request, self._tabs, address, _tab.decode, end, self._settings.tab)

    async def view(self, request: web.Request) -> web.StreamResponse:
        """As ``tab``; from our own pages."""
        if not self._own(request):
            raise web.HTTPForbidden(text="This origin may not connect.")
        address = address_key(self._client_address(request))
        end = _ViewEnd(self._shares, self._verifier, self._clock)
        return await self._serve(request, self._viewers, address, _view.decode, end, self._settings.view)

    async def _serve(
        self,
        request: web.Request,
        room: Room,
        address: str,
        decode: Callable[[str], Heard],
        end: End[Heard],
        limits: WireLimits,
    ) -> web.StreamResponse:
        # permessage-deflate stays off: a small frame must not become a large one.
        socket = web.WebSocketResponse(compress=False, max_msg_size=MAX_FRAME_BYTES, timeout=limits.close_s, autoping=False)
        if not socket.can_prepare(request):
            raise web.HTTPUpgradeRequired(text="This is a WebSocket.", headers={"Upgrade": "websocket"})
        with room.inside(address):
            await socket.prepare(request)
            id = f"{next(self._numbers)}"
            await Wire(id, socket, request.transport, decode, end, self._clock, limits, request.writer.drain).run()
        return socket

    def _own(self, request: web.Request) -> bool:
        """As for signalling: a client without an origin is no browser and brings no cookies."""
        origin = request.headers.get("Origin")
        if origin is None or origin in self._settings.origins:
            return True
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        return parts.scheme in ("http", "https") and parts.netloc != "" and parts.netloc == request.host
