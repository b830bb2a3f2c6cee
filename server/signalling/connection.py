"""A connection and its present WebSocket. ``Connection`` is what live sessions hold; ``WebSocketPump`` moves the frames.

One reader and one writer per socket. There is no queue between them and the connection: what is to be written is taken from
the protocol's bounded list when the socket takes it. A slow socket therefore costs its own connection and nobody else.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from aiohttp import WSMsgType, web

from server.clock import Clock
from server.domain.ids import ConnectionId
from server.signalling.messages import CLOSE_NUMBERS, CloseCode, Hello, Resume, ServerBody, Snapshot
from server.signalling.protocol import Event, Greeted, Incoming, Limits, Refused, SignallingProtocol, State, bye

log = logging.getLogger(__name__)


class SocketPort(Protocol):
    """One WebSocket, as the connection sees it."""

    def wake(self) -> None:
        """There is something to take with ``Connection.take_output``, or room to read again."""
        ...

    def finish(self, frames: list[bytes], number: int) -> None:
        """Write these, then close with this WebSocket code. The connection has nothing to do with the socket any more."""
        ...


class Owner(Protocol):
    """Whose connection it is: a participant's place, or a desk. Both methods are quick and do not raise."""

    def deliver(self, connection: "Connection", event: Incoming | Refused) -> None:
        """The next message. Call ``connection.handled`` when it has been dealt with."""
        ...

    def connection_changed(self, connection: "Connection") -> None:
        """``connection.state`` has changed."""
        ...


class Connection:
    """One signalling connection, over one socket after another."""

    def __init__(self, id: ConnectionId, clock: Clock, limits: Limits) -> None:
        self.id = id
        self.owner: Owner | None = None
        self.protocol = SignallingProtocol(clock.monotonic(), limits)
        self._clock = clock
        self._socket: SocketPort | None = None
        self._told_state = self.protocol.state

    @property
    def state(self) -> State:
        return self.protocol.state

    def attach(self, socket: SocketPort) -> None:
        """From now on this is the connection's socket."""
        self._socket = socket

    def holds(self, socket: SocketPort) -> bool:
        return self._socket is socket

    def receive(self, socket: SocketPort, data: str | bytes) -> Event | None:
        if self._socket is not socket:
            return None
        event = self.protocol.receive(data, self._clock.monotonic())
        self._after()
        return event

    def lost(self, socket: SocketPort) -> None:
        """This socket is gone. Nothing happens when another has taken over."""
        if self._socket is not socket:
            return
        self._socket = None
        self.protocol.lose(self._clock.monotonic())
        self._after()

    def accept(self, key: str, snapshot: Snapshot | None) -> None:
        """Greet a new connection. Nothing happens when it ended meanwhile."""
        if self.state is not State.AWAIT_HELLO:
            return
        self.protocol.accept(
            connection=self.id, key=key, server_time=self._clock.now(), snapshot=snapshot, now=self._clock.monotonic()
        )
        self._after()

    def resume_over(self, newcomer: "Connection", resume: Resume, key: str) -> bool:
        """Take the newcomer's socket over and go on there. The newcomer is spent. False: the resume does not fit."""
        socket = newcomer._socket
        if socket is None or not self.protocol.resume(
            resume, connection=self.id, key=key, server_time=self._clock.now(), now=self._clock.monotonic()
        ):
            return False
        newcomer._socket = None
        older, self._socket = self._socket, socket
        if older is not None:
            _dismiss(older, CloseCode.MOVED, "Resumed over another socket.")
        self._after()
        return True

    def send(self, body: ServerBody) -> None:
        if self.state is State.AWAIT_HELLO:
            return
        self.protocol.send(body, self._clock.monotonic())
        self._after()

    def handled(self, seq: int) -> None:
        self.protocol.handled(seq, self._clock.monotonic())
        if self._socket is not None:
            self._socket.wake()

    def close(self, code: CloseCode, detail: str = "") -> None:
        """End it for good, with a ``bye``."""
        self.protocol.close(code, detail, self._clock.monotonic())
        self._after()

    def take_output(self, socket: SocketPort) -> list[bytes]:
        return self.protocol.take_output(self._clock.monotonic()) if self._socket is socket else []

    def tick(self) -> None:
        """Deadlines: call it about five times a second."""
        if self.protocol.tick(self._clock.monotonic()):
            self._after()
            if self._socket is not None:
                self._socket.wake()

    def _after(self) -> None:
        state, socket = self.protocol.state, self._socket
        if socket is not None:
            if state is State.CLOSED and self.protocol.closed is not None:
                self._socket = None
                frames: list[bytes] = []
                while self.protocol.has_output:
                    frames += self.protocol.take_output(self._clock.monotonic())
                socket.finish(frames, CLOSE_NUMBERS[self.protocol.closed[0]])
            elif state is State.CUT:
                self._socket = None
                _dismiss(socket, CloseCode.TIMEOUT, "Nothing was heard.")
            elif self.protocol.has_output:
                socket.wake()
        if state is not self._told_state:
            self._told_state = state
            if self.owner is not None:
                self.owner.connection_changed(self)


def _dismiss(socket: SocketPort, code: CloseCode, detail: str) -> None:
    socket.finish([bye(code, detail)], CLOSE_NUMBERS[code])


Greet = Callable[[Connection, Hello], Awaitable[Connection | None]]
"""Answers a hello; returns the connection that the socket belongs to from now on, or None when it was refused."""


class WebSocketPump:
    """Reads and writes one aiohttp WebSocket until it ends. ``abort`` drops the TCP connection without ceremony."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        connection: Connection,
        abort: Callable[[], None],
        *,
        write_s: float = 15.0,
        close_s: float = 2.0,
    ) -> None:
        self._socket = socket
        self._connection = connection
        self._abort = abort
        self._write_s = write_s
        self._close_s = close_s
        self._woken = asyncio.Event()
        self._room = asyncio.Event()
        self._final: tuple[list[bytes], int] | None = None
        self._receiving = False
        self._reader: asyncio.Task[None] | None = None
        self._deadline: asyncio.TimerHandle | None = None
        connection.attach(self)

    def wake(self) -> None:
        self._woken.set()
        self._room.set()

    def finish(self, frames: list[bytes], number: int) -> None:
        if self._final is None:
            self._final = (frames, number)
            # Hard: the writer may be in the middle of a write that nobody takes.
            self._deadline = asyncio.get_running_loop().call_later(2 * self._close_s, self._abort)
        self.wake()

    async def run(self, greet: Greet) -> None:
        """Returns when the socket is closed and both tasks are over."""
        reader = self._reader = asyncio.create_task(self._read(greet), name="signalling-reader")
        writer = asyncio.create_task(self._write(), name="signalling-writer")
        try:
            await asyncio.wait([reader])
        finally:
            reader.cancel()
            self._connection.lost(self)
            self.finish([], 1000)  # the client closed: nothing is left to say
            await asyncio.wait([writer], timeout=3 * self._close_s)
            writer.cancel()
            await asyncio.wait([reader, writer])
            if self._deadline is not None:
                self._deadline.cancel()
            for task in (reader, writer):
                if not task.cancelled() and (error := task.exception()) is not None:
                    log.error("signalling socket failed", exc_info=error, extra={"connection": self._connection.id})
                    self._abort()

    async def _read(self, greet: Greet) -> None:
        while self._final is None:
            self._receiving = True
            message = await self._socket.receive()
            self._receiving = False
            if message.type is not WSMsgType.TEXT and message.type is not WSMsgType.BINARY:
                return
            event = self._connection.receive(self, message.data)
            if isinstance(event, Greeted):
                connection = await greet(self._connection, event.hello)
                if connection is not None:
                    self._connection = connection
                    self.wake()  # what it has to say may have been looked for at the wrong connection
            elif event is not None and self._connection.owner is not None:
                self._connection.owner.deliver(self._connection, event)
            while self._final is None and not self._connection.protocol.ready_for_more:
                self._room.clear()
                await self._room.wait()

    async def _write(self) -> None:
        try:
            while self._final is None:
                await self._woken.wait()
                self._woken.clear()
                while self._final is None and (frames := self._connection.take_output(self)):
                    async with asyncio.timeout(self._write_s):
                        await self._send(frames)
            frames, number = self._final
            async with asyncio.timeout(self._close_s):
                await self._send(frames)
            # ``close`` waits for the other side's close, and so must be the only one to read.
            if self._reader is not None and self._receiving:
                self._reader.cancel()
                await asyncio.wait([self._reader])
            await self._socket.close(code=number)
        except TimeoutError:
            log.info("signalling socket does not read", extra={"connection": self._connection.id})
            if self._final is None:
                self._connection.close(CloseCode.TOO_SLOW, "The socket was not read.")
            self._abort()
        except ConnectionError:
            self._abort()

    async def _send(self, frames: list[bytes]) -> None:
        for frame in frames:
            await self._socket.send_frame(frame, WSMsgType.TEXT)
