"""One WebSocket of co-browse, a tab's or a viewer's: frames in, frames out, and how it ends.

What is to be sent is fetched one frame at a time, as the socket takes it; little is buffered below, so that what is taken back is not under way for long, and whoever
has not taken even that in a moment is cut off.
"""

import asyncio
import contextlib
import fcntl
import logging
import socket as sockets
import struct
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import msgspec
from aiohttp import WSMsgType, web

from server.clock import Clock
from server.cobrowse.messages import Body, Bye
from server.signalling.rates import TokenBucket

log = logging.getLogger(__name__)
Heard = TypeVar("Heard")
_encode = msgspec.json.Encoder().encode
_SIOCOUTQNSD = 0x894B
"""Linux: how many bytes of a TCP socket were not sent yet."""
_COUNTED = (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG)
CLOSE_NUMBERS = {"invalid": 4400, "expired": 4402, "replaced": 4409, "ended": 4410, "too_many": 4429, "restarting": 1001}


@dataclass(frozen=True, slots=True)
class WireLimits:
    """Seconds, bytes. ``waits``: what comes too fast is read later (a tab's page is as it is), else the socket is closed. ``send_bytes``: what the kernel keeps
    of what was sent and not taken, ``unsent_bytes``: of it that has not left; ``receive_bytes``: of what came and was not read, so that what is said last waits
    behind little; None: as it is. ``hush_s``: so long what was taken back may be under way."""

    frames_s: float = 120.0
    frames_burst: float = 480.0
    bytes_s: float = 64 * 1024.0
    bytes_burst: float = 512 * 1024.0
    waits: bool = False
    hello_s: float = 10.0
    ping_s: float = 5.0
    silent_s: float = 25.0
    write_s: float = 60.0
    close_s: float = 2.0
    send_bytes: int = 64 * 1024
    unsent_bytes: int = 16 * 1024
    hush_s: float = 0.05
    receive_bytes: int | None = None


class End(Protocol[Heard]):
    """What a wire belongs to. All quick."""

    async def heard(self, wire: "Wire[Heard]", body: Heard) -> None:
        """The next message, the first of which should be a hello. May wait where no more can be taken now."""
        ...

    def next(self, wire: "Wire[Heard]") -> Body | None:
        """What to send now."""
        ...

    def measured(self, wire: "Wire[Heard]", round_trip_ms: int) -> None: ...

    def gone(self, wire: "Wire[Heard]") -> None:
        """It is closed."""
        ...


class Wire(Generic[Heard]):
    """``greeted``: whether its hello was taken; until then it has little time. ``drain``: awaits until less is buffered below (``web.Request.writer``)."""

    def __init__(
        self,
        id: str,
        socket: web.WebSocketResponse,
        transport: asyncio.Transport | None,
        decode: Callable[[str], Heard],
        end: End[Heard],
        clock: Clock,
        limits: WireLimits,
        drain: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.id = id
        self.greeted = False
        self._socket = socket
        self._transport = transport
        self._decode = decode
        self._end = end
        self._clock = clock
        self._limits = limits
        self._drain = drain
        self._hushing: asyncio.TimerHandle | None = None
        self._woken = asyncio.Event()
        self._final: Bye | None = None
        self._over = False
        now = clock.monotonic()
        self._frames = TokenBucket(limits.frames_s, limits.frames_burst, now)
        self._bytes = TokenBucket(limits.bytes_s, limits.bytes_burst, now)
        self._heard_at = now
        self._busy = False
        self._pinged: tuple[bytes, float] | None = None

    def wake(self) -> None:
        """There may be something to send."""
        self._woken.set()

    def finish(self, code: str, *, again: bool = False) -> None:
        """Say this and close, whatever else there would be to send."""
        if self._final is None:
            self._final = Bye(code=code, again=again)
        self._woken.set()

    def hush(self) -> None:
        """What it was told so far was taken back. Frames that are below cannot be fetched back: where they have not left in a moment the socket is cut off, and they
        go nowhere."""
        if self._hushing is None and not self._over:
            self._hushing = asyncio.get_running_loop().call_later(self._limits.hush_s, self._hushed)

    async def run(self) -> None:
        """Returns when it is closed."""
        try:
            await self._run()
        finally:
            if self._hushing is not None:
                self._hushing.cancel()

    async def _run(self) -> None:
        self._buffer_little()
        reader = asyncio.create_task(self._read(), name="cobrowse-reader")
        writer = asyncio.create_task(self._write(), name="cobrowse-writer")
        pinger = asyncio.create_task(self._ping(), name="cobrowse-pinger")
        tasks = (reader, writer, pinger)
        bye: Bye | None = None
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if reader.done() and not writer.done() and self._final is not None:
                # It is to be told why: the writer says that and is through, or does not get it out in time.
                await asyncio.wait([writer], timeout=self._limits.close_s)
            if writer.done() and not writer.cancelled() and writer.exception() is None:
                bye = writer.result()
        finally:
            self._over = True
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            self._end.gone(self)
        for task in tasks:
            if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, ConnectionError):
                log.error("co-browse socket failed", exc_info=error, extra={"wire": self.id})
        if bye is None:
            if not self._socket.closed:
                self._abort()
            return
        try:
            async with asyncio.timeout(2 * self._limits.close_s):
                await self._socket.close(code=CLOSE_NUMBERS.get(bye.code, 1000))
        except TimeoutError:
            self._abort()

    # ---- reading

    async def _read(self) -> None:
        hello_until = self._clock.monotonic() + self._limits.hello_s
        while self._final is None:
            if self.greeted:
                message = await self._socket.receive()
            else:
                try:
                    async with asyncio.timeout(max(0.0, hello_until - self._clock.monotonic())):
                        message = await self._socket.receive()
                except TimeoutError:
                    return self.finish("invalid")
            self._heard_at = self._clock.monotonic()
            if message.type in _COUNTED and not await self._spend(len(message.data)):
                return self.finish("too_many", again=True)
            match message.type:
                case WSMsgType.TEXT:
                    await self._take(message.data)
                case WSMsgType.PING:
                    await self._socket.pong(message.data)
                case WSMsgType.PONG:
                    self._ponged(bytes(message.data))
                case WSMsgType.BINARY:
                    self.finish("invalid")
                case _:
                    return None  # closed, or a frame that is too large: aiohttp says so itself
        return None

    async def _take(self, text: str) -> None:
        try:
            body = self._decode(text)
        except (msgspec.DecodeError, RecursionError, ValueError):
            self.finish("invalid")
            return
        self._busy = True
        try:
            await self._end.heard(self, body)
        finally:
            self._busy = False
            self._heard_at = self._clock.monotonic()

    async def _spend(self, size: int) -> bool:
        """Whether there is room for one more; waits for it where ``waits``."""
        size = min(size, int(self._limits.bytes_burst))
        for bucket, amount in ((self._frames, 1), (self._bytes, size)):
            while not bucket.take(self._clock.monotonic(), amount):
                if not self._limits.waits:
                    return False
                self._heard_at = self._clock.monotonic()
                await asyncio.sleep(0.02)
        return True

    # ---- writing

    async def _write(self) -> Bye | None:
        """The last frame; None where the socket does not take it."""
        with contextlib.suppress(ConnectionError, TimeoutError):
            while True:
                self._woken.clear()
                while (frame := self._final or self._end.next(self)) is not None:
                    await self._send(_encode(frame))
                    if isinstance(frame, Bye):
                        return frame
                await self._woken.wait()
        return None

    async def _send(self, data: bytes) -> None:
        """Raises TimeoutError, ConnectionError."""
        if self._takes(len(data)):  # at once: no timer for it
            await self._socket.send_frame(data, WSMsgType.TEXT)
            return
        async with asyncio.timeout(self._limits.write_s):
            await self._socket.send_frame(data, WSMsgType.TEXT)
            if self._drain is not None:
                await self._drain()

    def _takes(self, size: int) -> bool:
        there = self._transport is not None and not self._transport.get_write_buffer_size()
        return there and size <= self._limits.send_bytes // 4

    async def _ping(self) -> None:
        """Returns when nothing is heard any more."""
        count = 0
        while True:
            await asyncio.sleep(self._limits.ping_s)
            now = self._clock.monotonic()
            if now - self._heard_at > self._limits.silent_s and not self._busy:
                return
            count += 1
            data = str(count).encode()
            if self._pinged is None:
                self._pinged = data, now
            with contextlib.suppress(ConnectionError):
                await self._socket.ping(data)

    def _ponged(self, data: bytes) -> None:
        if self._pinged is not None and self._pinged[0] == data:
            self._end.measured(self, int((self._clock.monotonic() - self._pinged[1]) * 1000))
            self._pinged = None

    # ---- below

    def _buffer_little(self) -> None:
        if self._transport is None:
            return
        self._transport.set_write_buffer_limits(high=self._limits.send_bytes // 2)
        sock = self._transport.get_extra_info("socket")
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, self._limits.send_bytes)
                if hasattr(sockets, "TCP_NOTSENT_LOWAT"):
                    sock.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NOTSENT_LOWAT, self._limits.unsent_bytes)
                if self._limits.receive_bytes is not None:
                    sock.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, self._limits.receive_bytes)

    def _hushed(self) -> None:
        self._hushing = None
        if self._unsent():
            log.info("a socket was cut off with what was taken back", extra={"wire": self.id})
            self._forget_sent()
            self._abort()

    def _unsent(self) -> int:
        """Bytes below that have not left this machine."""
        if self._transport is None or self._transport.is_closing():
            return 0
        waits, sock = self._transport.get_write_buffer_size(), self._transport.get_extra_info("socket")
        if not waits and sock is not None and sys.platform == "linux":
            with contextlib.suppress(OSError):
                waits = int.from_bytes(fcntl.ioctl(sock.fileno(), _SIOCOUTQNSD, bytes(4)), sys.byteorder)
        return waits

    def _forget_sent(self) -> None:
        """The kernel is not to send on what it has when the socket is closed: it resets the connection."""
        sock = self._transport.get_extra_info("socket") if self._transport is not None else None
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
