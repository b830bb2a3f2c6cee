"""``GET /api/v1/signal``: the WebSocket endpoint. Who may open a socket, how many, and how it ends."""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from aiohttp import web

from server.auth.throttle import address_key
from server.signalling.connection import Connection, WebSocketPump
from server.signalling.messages import MAX_FRAME_BYTES, Hello

log = logging.getLogger(__name__)


class Greeter(Protocol):
    """``server.live.hub.LiveSessions``."""

    def new_connection(self) -> Connection: ...
    async def greet(self, connection: Connection, hello: Hello) -> Connection | None: ...


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """``origins``: further origins that may connect besides the server's own, e.g. ``https://bank.example``."""

    origins: frozenset[str] = frozenset()
    sockets: int = 4000  # open at a time, hello or not
    sockets_per_address: int = 64  # a branch behind one address (IPv6: one /64) has this many pages
    write_s: float = 15.0
    close_s: float = 2.0


class SignallingEndpoint:
    """An aiohttp handler: ``app.router.add_get("/api/v1/signal", endpoint.handle)``."""

    def __init__(
        self,
        live: Greeter,
        settings: EndpointSettings | None = None,
        client_address: Callable[[web.Request], str] | None = None,
    ) -> None:
        """``client_address`` tells who is asking, where a trusted proxy stands in front."""
        self._live = live
        self._settings = settings or EndpointSettings()
        self._client_address = client_address or (lambda request: request.remote or "")
        self._open: Counter[str] = Counter()

    @property
    def sockets(self) -> int:
        """Open now."""
        return self._open.total()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """403: a foreign origin. 426: not a WebSocket. 429: too many from this address. 503: too many in all."""
        if not self._origin_allowed(request):
            raise web.HTTPForbidden(text="This origin may not connect.")
        # permessage-deflate stays off: a small frame must not become a large one. Pings are answered by aiohttp.
        socket = web.WebSocketResponse(
            compress=False, max_msg_size=2 * MAX_FRAME_BYTES, timeout=self._settings.close_s, autoping=True
        )
        if not socket.can_prepare(request):
            raise web.HTTPUpgradeRequired(text="This is a WebSocket.", headers={"Upgrade": "websocket"})
        address = address_key(self._client_address(request))
        if self._open[address] >= self._settings.sockets_per_address:
            raise web.HTTPTooManyRequests(text="Too many connections from this address.", headers={"Retry-After": "5"})
        if self.sockets >= self._settings.sockets:
            raise web.HTTPServiceUnavailable(text="Too many connections.", headers={"Retry-After": "5"})
        self._open[address] += 1
        try:
            await socket.prepare(request)
            await self._serve(request, socket)
        finally:
            self._open[address] -= 1
            if not self._open[address]:
                del self._open[address]
        return socket

    async def _serve(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        transport = request.transport
        connection = self._live.new_connection()

        def abort() -> None:
            if transport is not None:
                transport.abort()

        pump = WebSocketPump(socket, connection, abort, write_s=self._settings.write_s, close_s=self._settings.close_s)
        await pump.run(self._live.greet)

    def _origin_allowed(self, request: web.Request) -> bool:
        """Browsers always say where a page is from; a client without an origin is no browser and brings no cookies."""
        origin = request.headers.get("Origin")
        if origin is None or origin in self._settings.origins:
            return True
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        return parts.scheme in ("http", "https") and parts.netloc != "" and parts.netloc == request.host
