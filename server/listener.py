"""The TCP side of the server: who may hold a connection, and how long one may be silent before it has asked for anything.

aiohttp bounds what a request may hold, but not how slowly its headers may come ("slow-loris"), nor how many connections one
address may have open. Both are bounded here: ``headers_s`` is also how long an idle connection is kept between requests.
"""

import asyncio
import logging
import resource
import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import http_exceptions, web

from server.auth.throttle import address_key

HEADERS_S = 15.0
TLS_HANDSHAKE_S = 10.0
OTHER_DESCRIPTORS = 256  # database, files, pipes to the workers


log = logging.getLogger("server.http")


class HttpLog(logging.LoggerAdapter[logging.Logger]):
    """aiohttp's log. What is no HTTP request is the sender's doing: it is counted and told as such, not as an error of ours."""

    def __init__(self, malformed: Callable[[], None]) -> None:
        super().__init__(log, None)
        self._malformed = malformed

    def exception(self, msg: object, *args: object, exc_info: Any = True, **more: Any) -> None:
        if isinstance(exc_info, http_exceptions.HttpProcessingError):
            self._malformed()
            log.info("malformed request", extra={"why": type(exc_info).__name__})
        else:
            log.error("request failed", exc_info=exc_info)

    def debug(self, msg: object, *args: object, exc_info: Any = None, **more: Any) -> None:
        """So does aiohttp tell of a first line that is none."""
        if isinstance(exc_info, http_exceptions.HttpProcessingError):
            self.exception(msg, exc_info=exc_info)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Connections open at a time. ``per_address`` 0: not counted, because a proxy in front is everybody's address."""

    connections: int
    per_address: int


def fitting(bounds: Bounds) -> Bounds:
    """Bounds that this process has descriptors for: its limit is raised as far as it may be, and some are kept for files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = bounds.connections + OTHER_DESCRIPTORS
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return Bounds(max(1, min(bounds.connections, soft - OTHER_DESCRIPTORS)), bounds.per_address)


class _Connection(asyncio.Protocol):
    """Counts a connection while it is open, and hands everything on to aiohttp's protocol; one too many is dropped."""

    def __init__(self, guard: "Guard", inner: Any) -> None:
        self._guard = guard
        self._inner = inner
        self._address: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = transport.get_extra_info("peername")
        address = address_key(str(peer[0])) if isinstance(peer, tuple) else ""
        if not self._guard.admit(address):
            transport.abort()  # type: ignore[attr-defined]
            return
        self._address = address
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._address is not None:
            self._guard.release(self._address)
            self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._address is not None:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return bool(self._inner.eof_received()) if self._address is not None else None

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()


class Guard:
    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._open: Counter[str] = Counter()
        self._total = 0

    def admit(self, address: str) -> bool:
        """Count one more, unless that is too many."""
        bounds = self._bounds
        if self._total >= bounds.connections or (bounds.per_address and self._open[address] >= bounds.per_address):
            return False
        self._open[address] += 1
        self._total += 1
        return True

    def release(self, address: str) -> None:
        self._total -= 1
        self._open[address] -= 1
        if not self._open[address]:
            del self._open[address]

    def factory(self, server: Callable[[], Any]) -> Callable[[], asyncio.Protocol]:
        """Protocols for ``loop.create_server``. ``server`` is aiohttp's ``web.Server``, made with ``keepalive_timeout``."""

        def make() -> asyncio.Protocol:
            handler = server()
            handler.keep_alive(True)  # else its timer passes over a connection whose first request never ends
            return _Connection(self, handler)

        return make


async def serve(
    runner: web.AppRunner, sock: Any, tls: ssl.SSLContext | None, bounds: Bounds, backlog: int
) -> asyncio.AbstractServer:
    """Accept on ``sock`` for a runner that was set up with ``keepalive_timeout=HEADERS_S``. Close the answer."""
    assert runner.server is not None  # set up
    return await asyncio.get_running_loop().create_server(
        Guard(bounds).factory(runner.server),
        sock=sock,
        ssl=tls,
        backlog=backlog,
        ssl_handshake_timeout=TLS_HANDSHAKE_S if tls else None,
    )
