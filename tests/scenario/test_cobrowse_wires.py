"""One socket of co-browse by itself: who says nothing, who answers no ping, who does not read, and that little is under way."""

import asyncio
import socket as socket_options
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web
from aiohttp.test_utils import TestServer

from server.clock import SystemClock
from server.cobrowse.messages import Body, ViewDom, ViewPong
from server.live.cobrowse.wires import Wire, WireLimits

WITHIN_S = 30.0


class End:
    """Greets at the first message, and has ``frames`` to send."""

    def __init__(self) -> None:
        self.heard_: list[str] = []
        self.frames: list[Body] = []
        self.measured_: list[int] = []
        self.taken = 0
        self.over = asyncio.Event()
        self.wire: Wire[str] | None = None

    async def heard(self, wire: Wire[str], body: str) -> None:
        wire.greeted = True
        self.wire = wire
        self.heard_.append(body)

    def next(self, wire: Wire[str]) -> Body | None:
        if not self.frames:
            return None
        self.taken += 1
        return self.frames.pop(0)

    def measured(self, wire: Wire[str], round_trip_ms: int) -> None:
        self.measured_.append(round_trip_ms)

    def gone(self, wire: Wire[str]) -> None:
        self.over.set()


@asynccontextmanager
async def served(limits: WireLimits) -> AsyncIterator[tuple[End, ClientWebSocketResponse]]:
    end = End()

    async def handle(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(timeout=limits.close_s, autoping=False)
        await socket.prepare(request)
        await Wire("1", socket, request.transport, str, end, SystemClock(), limits, request.writer.drain).run()
        return socket

    app = web.Application()
    app.router.add_get("/", handle)
    async with TestServer(app) as server, ClientSession() as client:
        socket = await client.ws_connect(str(server.make_url("/")), autoping=False, max_msg_size=0)
        yield end, socket
        await socket.close()


async def greeted(end: End) -> Wire[str]:
    async with asyncio.timeout(WITHIN_S):
        while end.wire is None:  # noqa: ASYNC110 - the handler has no event for it
            await asyncio.sleep(0.01)
    return end.wire


async def closed(end: End) -> None:
    async with asyncio.timeout(WITHIN_S):
        await end.over.wait()


async def test_who_says_nothing_is_let_go() -> None:
    async with served(WireLimits(hello_s=0.1)) as (end, socket):
        message = await socket.receive(WITHIN_S)
        assert (message.type, message.data) == (WSMsgType.TEXT, '{"type":"bye","code":"invalid","again":false}')
        await closed(end)
        assert (await socket.receive(WITHIN_S)).data == 4400
        assert end.heard_ == []


async def test_who_answers_no_ping_is_let_go() -> None:
    async with served(WireLimits(ping_s=0.05, silent_s=0.3)) as (end, socket):
        await socket.send_str("hello")
        await closed(end)
        assert end.measured_ == []


async def test_pings_are_answered_and_measured() -> None:
    async with served(WireLimits(ping_s=0.05)) as (end, socket):
        await socket.send_str("hello")
        await socket.ping(b"mine")
        seen: list[WSMsgType] = []
        async with asyncio.timeout(WITHIN_S):
            while not end.measured_ or WSMsgType.PONG not in seen:
                message = await socket.receive()
                seen.append(message.type)
                if message.type is WSMsgType.PING:
                    await socket.pong(message.data)
                    await socket.pong(b"of nothing")
        assert end.measured_[0] >= 0


async def test_who_does_not_read_is_let_go_and_little_is_under_way() -> None:
    async with served(WireLimits(write_s=0.5, send_bytes=16 * 1024)) as (end, socket):
        await socket.send_str("hello")
        async with asyncio.timeout(WITHIN_S):
            while end.wire is None:  # noqa: ASYNC110 - the handler has no event for it
                await asyncio.sleep(0.01)
        end.frames = [ViewPong(n=number, tab_ms=None) for number in range(400_000)]
        end.wire.wake()
        await closed(end)
        assert 0 < end.taken < 400_000


async def test_what_was_taken_back_goes_nowhere_where_it_was_not_taken() -> None:
    async with served(WireLimits(send_bytes=16 * 1024)) as (end, socket):
        await socket.send_str("hello")
        wire = await greeted(end)
        assert socket._conn is not None
        assert socket._conn.transport is not None
        socket._conn.transport.pause_reading()
        end.frames = [ViewDom(page=1, n=1, text="x" * 4_000_000, last=True, picture=False)]  # more than kernels keep
        wire.wake()
        async with asyncio.timeout(WITHIN_S):
            while not wire._unsent():  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
        wire.hush()
        await closed(end)
        socket._conn.transport.resume_reading()
        assert (await socket.receive(WITHIN_S)).type is not WSMsgType.TEXT


async def test_who_has_taken_what_was_taken_back_stays() -> None:
    async with served(WireLimits(hush_s=0.01)) as (end, socket):
        await socket.send_str("hello")
        wire = await greeted(end)
        end.frames = [ViewDom(page=1, n=1, text="x" * 40_000, last=True, picture=False)]
        wire.wake()
        assert (await socket.receive(WITHIN_S)).type is WSMsgType.TEXT
        wire.hush()
        async with asyncio.timeout(WITHIN_S):
            while wire._hushing is not None:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
        end.frames = [ViewPong(n=1, tab_ms=None)]
        wire.wake()
        assert (await socket.receive(WITHIN_S)).data == '{"type":"view.pong","n":1,"tab_ms":null}'


async def test_little_that_was_not_read_is_kept() -> None:
    async with served(WireLimits(receive_bytes=16 * 1024)) as (end, socket):
        await socket.send_str("hello")
        async with asyncio.timeout(WITHIN_S):
            while end.wire is None:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
        transport = end.wire._transport
        assert transport is not None
        kept = transport.get_extra_info("socket").getsockopt(socket_options.SOL_SOCKET, socket_options.SO_RCVBUF)
        assert kept <= 2 * 16 * 1024, "the kernel counts its own part in"


async def test_too_much_ends_it_or_waits() -> None:
    async with served(WireLimits(frames_s=1, frames_burst=5)) as (end, socket):
        for _ in range(6):
            await socket.send_str("x")
        message = await socket.receive(WITHIN_S)
        assert message.data == '{"type":"bye","code":"too_many","again":true}'
        assert len(end.heard_) == 5
    async with served(WireLimits(frames_s=200, frames_burst=5, waits=True)) as (end, socket):
        for number in range(20):
            await socket.send_str(str(number))
        async with asyncio.timeout(WITHIN_S):
            while len(end.heard_) < 20:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
        assert end.heard_ == [str(number) for number in range(20)]
