"""Campaign 8: floods, idle sockets, slow senders and slow readers at a whole server; two people go on talking to each other.

What is measured is their own: from writing a message to reading it at the other, as the others' trouble goes on.
"""

import asyncio
import contextlib
import json
import os
import statistics
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.support.bank import Bank
from tests.support.machine import quick_or_skip
from tests.support.server_process import CALLS_ONLY, ServerProcess

pytestmark = pytest.mark.campaign(8)

LONG = os.environ.get("TESTS_CAMPAIGN") == "long"
P95_MS = 500.0
MESSAGES = 30
"""A phase; each of the two may have stored 5 a second, and 60 at once."""
ROUNDS = 5 if LONG else 1
BEAT_S = 2.0
IDLE = 1000
LORIS = 100
PER_ADDRESS = 50
FLOOD = 1200
"""Frames at once: ten times the burst that is allowed."""
FLOODS = 5
"""Of one person; who was closed keeps a place for a while, and a session has so many."""
MOST_GROWN_MIB = 150.0
TRIES = 3
UPGRADE = (
    "GET /api/v1/signal HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Client:
    """A participant's signalling, by hand."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.seq = 0
        self.handled = 0
        self._beat: asyncio.TimerHandle | None = None
        self._beating: set[asyncio.Task[None]] = set()

    async def read(self) -> dict[str, Any]:
        async with asyncio.timeout(60):
            message = await self.socket.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise ConnectionError(f"closed with {self.socket.close_code}")
        frame: dict[str, Any] = json.loads(message.data)
        self.handled = max(self.handled, frame.get("seq", 0))
        return frame

    async def write(self, text: str) -> None:
        self.seq += 1
        body = {"type": "chat.send", "client_id": str(self.seq), "text": text}
        await self.socket.send_json({"t": "msg", "seq": self.seq, "ack": self.handled, "body": body})

    async def hears(self, text: str) -> None:
        while True:
            body = (await self.read()).get("body", {})
            if body.get("type") == "chat.message" and body["message"]["text"] == text:
                return

    def beat(self) -> None:
        """From now on say something every ``BEAT_S``, as pages do."""
        if not self.socket.closed:
            task = asyncio.create_task(self.socket.send_json({"t": "ping", "n": 1}))
            self._beating.add(task)
            task.add_done_callback(self._beating.discard)
            self._beat = asyncio.get_running_loop().call_later(BEAT_S, self.beat)

    async def close(self) -> None:
        if self._beat is not None:
            self._beat.cancel()
        await asyncio.gather(*self._beating)
        await self.socket.close()

    async def ended(self) -> int | None:
        with contextlib.suppress(ConnectionError):
            while True:
                await self.read()
        return self.socket.close_code


class Site:
    """A running server and its bank."""

    def __init__(self, server: ServerProcess, http: aiohttp.ClientSession, bank: Bank) -> None:
        self.server = server
        self.http = http
        self.bank = bank
        parts = urlsplit(server.url)
        self.host, self.port = parts.hostname or "", parts.port or 0

    async def come(self, session: str, role: str = "expert") -> Client:
        """By a link of their own, up to the welcome."""
        link = (await self.bank.call("POST", f"/sessions/{session}/invitations", {"role": role, "name": "Somebody"}))["link"]
        entry = await Bank(self.http, self.server.url).call(
            "POST", "/invitations/redeem", {"secret": link.rpartition("/")[2], "name": "Somebody"}
        )
        client = Client(await self.http.ws_connect(f"{self.server.url}/api/v1/signal", max_msg_size=0))
        await client.socket.send_json({"t": "hello", "version": 1, "token": entry["token"]})
        while (await client.read())["t"] != "welcome":
            pass
        return client

    def memory_mib(self) -> float:
        """Resident, of the server's own process."""
        status = Path(f"/proc/{self.server.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) / 1024

    async def raw(self, number: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection from one of many addresses, ``PER_ADDRESS`` from each."""
        source = f"127.0.1.{1 + number // PER_ADDRESS}"
        return await asyncio.open_connection(self.host, self.port, local_addr=(source, 0))


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    with ServerProcess(tmp_path, TONGPING_MEDIA_WORKERS="1", **CALLS_ONLY) as server:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as http:
            bank = Bank(http, server.url)
            await bank.sign_in(*server.agent)
            yield Site(server, http, bank)


async def talk(one: Client, other: Client) -> float:
    """The 95th percentile of milliseconds from one's writing to both having read it, on disk by then; they take turns."""
    took_ms: list[float] = []
    for n in range(MESSAGES):
        begun = time.monotonic()
        text = f"{begun} {n}"
        await (one, other)[n % 2].write(text)
        await one.hears(text)
        await other.hears(text)
        took_ms.append((time.monotonic() - begun) * 1000)
    return statistics.quantiles(took_ms, n=20)[-1]


@contextlib.asynccontextmanager
async def idle_sockets(site: Site) -> AsyncIterator[list[asyncio.StreamReader]]:
    """``IDLE`` WebSockets that never say hello."""
    pairs: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def one(number: int) -> None:
        reader, writer = await site.raw(number)
        pairs.append((reader, writer))
        writer.write(UPGRADE.format(host=f"{site.host}:{site.port}").encode())
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")

    try:
        for first in range(0, IDLE, 100):
            await asyncio.gather(*(one(first + n) for n in range(100)))
        yield [reader for reader, _ in pairs]
    finally:
        for _, writer in pairs:
            writer.transport.abort()


@contextlib.asynccontextmanager
async def slow_senders(site: Site) -> AsyncIterator[None]:
    """``LORIS`` connections that send a header a byte at a time, for as long as the server lets them."""
    going = True
    pairs = [await site.raw(IDLE + n) for n in range(LORIS)]

    async def drip() -> None:
        text = b"GET /healthz HTTP/1.1\r\n" + b"X-Slow: x\r\n" * 10_000
        for at in range(len(text)):
            if not going:
                return
            for _, writer in pairs:
                with contextlib.suppress(OSError):
                    writer.write(text[at : at + 1])
            await site.http.get(f"{site.server.url}/healthz")  # as fast as the server answers somebody else

    task = asyncio.create_task(drip())
    try:
        yield
    finally:
        going = False
        await task
        for _, writer in pairs:
            writer.transport.abort()


@contextlib.asynccontextmanager
async def flooders(site: Site, session: str, count: int) -> AsyncIterator[list[int | None]]:
    """People who send ten times what is allowed, again with a new place while there is one; with which codes they were closed."""
    codes: list[int | None] = []
    going = True

    async def flood() -> None:
        for _ in range(FLOODS):
            if not going:
                return
            client = await site.come(session)
            with contextlib.suppress(ConnectionError, OSError):
                for n in range(FLOOD):
                    await client.socket.send_json({"t": "ping", "n": n})
            codes.append(await client.ended())

    tasks = [asyncio.create_task(flood()) for _ in range(count)]
    try:
        yield codes
    finally:
        going = False
        await asyncio.gather(*tasks)


@contextlib.asynccontextmanager
async def slow_reader(site: Site, session: str) -> AsyncIterator[Client]:
    """Somebody in the same conversation who reads nothing from TCP."""
    client = await site.come(session)
    connection = client.socket._conn
    assert connection is not None
    assert connection.transport is not None
    connection.transport.pause_reading()
    try:
        yield client
    finally:
        connection.transport.abort()


@pytest.mark.quiet
async def test_two_people_talk_on_through_all_of_it(site: Site) -> None:
    session = (await site.bank.open()).id
    one, other = await site.come(session), await site.come(session)
    one.beat()
    other.beat()
    quiet_ms = await talk(one, other)
    before_mib = site.memory_mib()
    figures: list[dict[str, float]] = []
    for _ in range(max(TRIES, ROUNDS)):
        seen: dict[str, float] = {"quiet": quiet_ms}
        async with idle_sockets(site) as sockets:
            seen["1,000 idle sockets"] = await talk(one, other)
            for reader in sockets:  # none of them may stay without a word of who it is
                async with asyncio.timeout(30):
                    await reader.read()
        async with slow_senders(site):
            seen["slow senders"] = await talk(one, other)
        async with slow_reader(site, session):
            seen["a slow reader"] = await talk(one, other)
        async with flooders(site, (await site.bank.open(customer="Flooded")).id, 2) as codes:
            seen["floods"] = await talk(one, other)
        assert codes
        assert set(codes) == {4429}
        figures.append(seen)
        if len(figures) >= ROUNDS and max(seen.values()) <= P95_MS:
            break
    print(json.dumps(figures), f"memory grew {site.memory_mib() - before_mib:.0f} MiB")
    assert site.memory_mib() - before_mib <= MOST_GROWN_MIB
    for client in (one, other):
        await client.close()
    quick_or_skip(min(max(seen.values()) for seen in figures) <= P95_MS, figures)
