"""Whether a TURN relay does its work: a real allocation, over UDP, TCP or TLS, and away again."""

import asyncio
import contextlib
import secrets
import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal, Protocol, cast

from turn.client import Reply, StreamReader, TurnClient
from turn.errors import ProbeError, StunError

DEADLINE_S = 5.0
TICK_S = 0.1
LIFETIME_S = 60
READ_BYTES = 1 << 16
MAX_DATAGRAMS = 256

Transport = Literal["udp", "tcp", "tls"]


@dataclass(frozen=True, slots=True)
class Target:
    host: str
    port: int
    transport: Transport


@dataclass(frozen=True, slots=True)
class Result:
    """``problem``: empty, or a stable word for why there was no allocation."""

    target: Target
    problem: str
    took_s: float

    @property
    def ok(self) -> bool:
        return not self.problem


class _Wire(Protocol):
    def send(self, data: bytes) -> None: ...
    async def receive(self) -> list[bytes]:
        """Raises ConnectionError when it is over."""
        ...


class _Datagrams(asyncio.DatagramProtocol):
    """Datagrams that nobody has read yet; beyond ``MAX_DATAGRAMS`` the newest are dropped."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes] = asyncio.Queue(MAX_DATAGRAMS)
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: object) -> None:
        with contextlib.suppress(asyncio.QueueFull):
            self.queue.put_nowait(data)

    def error_received(self, exc: Exception) -> None:
        """A refused port: the requests are repeated, and then nobody has answered."""

    def send(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.sendto(data)

    async def receive(self) -> list[bytes]:
        return [await self.queue.get()]


class _Stream:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._cut = StreamReader()

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def receive(self) -> list[bytes]:
        data = await self._reader.read(READ_BYTES)
        if not data:
            raise ConnectionError("closed")
        return self._cut.feed(data)


class Connection:
    """A TURN client on a wire: each ``ask`` waits for its answer."""

    def __init__(self, client: TurnClient, wire: _Wire) -> None:
        self.client = client
        self._wire = wire
        self._task: asyncio.Task[None] | None = None

    async def ask(self, request: tuple[bytes, bytes]) -> Reply:
        """Send what a method of the client made. Raises ConnectionError, StunError. One at a time."""
        data, name = request
        self._wire.send(data)
        while (reply := self.client.reply(name)) is None:
            await self._step()
        return reply

    def tell(self, data: bytes) -> None:
        self._wire.send(data)

    async def _step(self) -> None:
        try:
            async with asyncio.timeout(TICK_S):
                came = await self._wire.receive()
        except TimeoutError:
            came = []
        now = time.monotonic()
        for data in came:
            for out in self.client.feed(data, now):
                self._wire.send(out)
        for out in self.client.due(now):
            self._wire.send(out)


@asynccontextmanager
async def connected(
    target: Target, username: str, password: str, tls: ssl.SSLContext | None = None, local: tuple[str, int] | None = None
) -> AsyncIterator[Connection]:
    """Raises OSError (also ssl.SSLError) when there is no way to the relay."""
    client = TurnClient(username, password, lambda: secrets.token_bytes(12), reliable=target.transport != "udp")
    loop = asyncio.get_running_loop()
    if target.transport == "udp":
        datagrams, protocol = await loop.create_datagram_endpoint(
            _Datagrams, remote_addr=(target.host, target.port), local_addr=local
        )
        try:
            yield Connection(client, protocol)
        finally:
            datagrams.close()
        return
    context = (tls or ssl.create_default_context()) if target.transport == "tls" else None
    reader, writer = await asyncio.open_connection(target.host, target.port, ssl=context, local_addr=local)
    try:
        yield Connection(client, _Stream(reader, writer))
    finally:
        writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(1.0):
                await writer.wait_closed()


async def probe(
    target: Target,
    username: str,
    password: str,
    *,
    tls: ssl.SSLContext | None = None,
    deadline_s: float = DEADLINE_S,
) -> Result:
    """One allocation, given back at once. Never raises."""
    began = time.monotonic()
    problem = ""
    try:
        async with asyncio.timeout(deadline_s), connected(target, username, password, tls) as connection:
            reply = await connection.ask(connection.client.allocate(began, LIFETIME_S))
            if reply.error:
                raise ProbeError("no_answer" if reply.error < 0 else f"refused_{reply.error}")
            if connection.client.relayed is None:
                raise ProbeError("no_address")
            await connection.ask(connection.client.refresh(time.monotonic(), 0))
    except ProbeError as error:
        problem = error.code
    except TimeoutError:
        problem = "no_answer"
    except ssl.SSLCertVerificationError:
        problem = "certificate_not_trusted"
    except ssl.SSLError:
        problem = "no_tls"
    except StunError:
        problem = "not_turn"
    except (OSError, UnicodeError):
        problem = "not_reachable"
    return Result(target, problem, time.monotonic() - began)


async def probe_all(
    targets: Sequence[Target], credential: Callable[[], tuple[str, str]], tls: ssl.SSLContext | None = None
) -> list[Result]:
    """All of them at once, each with a fresh credential."""
    return list(await asyncio.gather(*(probe(target, *credential(), tls=tls) for target in targets)))
