"""The signalling endpoint over real WebSockets: who gets in, how it ends, and that one bad client costs nobody else."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, WSServerHandshakeError, web
from aiohttp.test_utils import TestServer

from server.domain.model import Role
from server.live.settings import LiveSettings
from server.signalling.endpoint import EndpointSettings, SignallingEndpoint
from server.signalling.messages import MAX_FRAME_BYTES, MediaAnswer
from server.signalling.protocol import Limits
from tests.support.signalling import House

PATH = "/api/v1/signal"


class Site:
    """A served house, its clock in the test's hand."""

    def __init__(self, settings: EndpointSettings | None = None, live: LiveSettings | None = None) -> None:
        self.house = House(live)
        self.endpoint = SignallingEndpoint(
            self.house.live, settings or EndpointSettings(origins=frozenset({"https://bank.example"}))
        )

    async def __aenter__(self) -> "Site":
        app = web.Application()
        app.router.add_get(PATH, self.endpoint.handle)
        self.server = TestServer(app)
        await self.server.start_server()
        self.client = ClientSession()
        self.url = str(self.server.make_url(PATH))
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.client.close()
        await self.house.close()
        await self.server.close()

    async def open(self, **headers: str) -> ClientWebSocketResponse:
        return await self.client.ws_connect(self.url, headers=headers, max_msg_size=0)

    async def refused(self, **headers: str) -> int:
        with pytest.raises(WSServerHandshakeError) as error:
            await self.open(**headers)
        return error.value.status


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with Site() as site:
        yield site


async def read(socket: ClientWebSocketResponse) -> dict[str, Any]:
    async with asyncio.timeout(60):
        message = await socket.receive()
    assert message.type is WSMsgType.TEXT, message
    found: dict[str, Any] = json.loads(message.data)
    return found


async def read_until(socket: ClientWebSocketResponse, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    while not wanted(frame := await read(socket)):
        pass
    return frame


async def ended(socket: ClientWebSocketResponse) -> int | None:
    async with asyncio.timeout(60):
        while (await socket.receive()).type in (WSMsgType.TEXT, WSMsgType.BINARY):
            pass
    return socket.close_code


async def greet(site: Site, token: str, resume: dict[str, Any] | None = None) -> tuple[ClientWebSocketResponse, dict[str, Any]]:
    socket = await site.open()
    await socket.send_json({"t": "hello", "version": 1, "token": token, "resume": resume})
    return socket, await read(socket)


def chat(seq: int, text: str = "x", ack: int = 0) -> dict[str, Any]:
    return {"t": "msg", "seq": seq, "ack": ack, "body": {"type": "chat.send", "client_id": str(seq), "text": text}}


def is_chat(frame: dict[str, Any]) -> bool:
    return frame["t"] == "msg" and frame["body"]["type"] == "chat.message"


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - the condition is the server's, there is no event of it
            await asyncio.sleep(0)


async def test_two_people_write(site: Site) -> None:
    session = await site.house.session()
    _, token = await site.house.place(session)
    _, other_token = await site.house.place(session, Role.AGENT)
    page, welcome = await greet(site, token)
    assert (welcome["t"], welcome["resumed"], welcome["version"], welcome["keep_s"]) == ("welcome", False, 1, 20)
    other, _ = await greet(site, other_token)
    await page.send_json(chat(1, "你好"))
    assert (await read_until(other, is_chat))["body"]["message"]["text"] == "你好"
    assert (await read_until(page, is_chat))["body"]["message"]["number"] == 1
    await page.send_json({"t": "ping", "n": 5})
    assert (await read_until(page, lambda frame: frame["t"] == "pong"))["n"] == 5
    await page.send_json({"t": "msg", "seq": 2, "ack": 0, "body": {"type": "leave"}})
    assert (await read_until(page, lambda frame: frame["t"] == "bye"))["code"] == "left"
    assert await ended(page) == 1000
    await other.close()
    await until(lambda: site.endpoint.sockets == 0)


@pytest.mark.campaign(15)
async def test_a_socket_that_breaks_is_resumed(site: Site) -> None:
    session = await site.house.session()
    id, token = await site.house.place(session)
    _, other_token = await site.house.place(session, Role.AGENT)
    page, welcome = await greet(site, token)
    other, _ = await greet(site, other_token)
    joined = await read(page)
    transport = page._conn.transport if page._conn is not None else None  # type: ignore[union-attr]
    assert transport is not None
    transport.abort()
    await until(lambda: site.house.live.states(session)[id].value == "disconnected")
    await other.send_json(chat(1, "while you were away"))
    await read_until(other, is_chat)
    site.house.clock.seconds += 15
    again, resumed = await greet(site, token, {"key": welcome["resume_key"], "ack": joined["seq"]})
    assert resumed["resumed"] is True
    assert (await read_until(again, is_chat))["body"]["message"]["text"] == "while you were away"
    await again.close()
    await other.close()


async def test_a_socket_that_was_not_seen_to_break_is_taken_over(site: Site) -> None:
    session = await site.house.session()
    _, token = await site.house.place(session)
    page, welcome = await greet(site, token)
    again, resumed = await greet(site, token, {"key": welcome["resume_key"], "ack": 0})
    assert resumed["resumed"] is True
    assert (await read(page))["code"] == "moved"
    assert await ended(page) == 4409
    await again.send_json(chat(1))
    await read_until(again, is_chat)
    await again.close()


@pytest.mark.parametrize(
    ("first", "code", "number"),
    [
        ('{"t":"hello","version":1,"token":"x"}', "unauthorised", 4401),
        ('{"t":"hello","version":9,"token":"x"}', "bad_message", 4400),
        ("nonsense", "bad_message", 4400),
        (b"\x00", "bad_message", 4400),
        (" " * 9000, "too_large", 1009),
    ],
)
async def test_first_frames_that_are_refused(site: Site, first: str | bytes, code: str, number: int) -> None:
    socket = await site.open()
    if isinstance(first, bytes):
        await socket.send_bytes(first)
    else:
        await socket.send_str(first)
    assert (await read(socket))["code"] == code
    assert await ended(socket) == number
    await until(lambda: site.endpoint.sockets == 0)


@pytest.mark.parametrize("size", [MAX_FRAME_BYTES + 1, 3 * MAX_FRAME_BYTES])
async def test_a_frame_that_is_too_large(site: Site, size: int) -> None:
    session = await site.house.session()
    _, token = await site.house.place(session)
    page, _ = await greet(site, token)
    await page.send_str("x" * size)
    assert await ended(page) == 1009


async def test_origins(site: Site) -> None:
    own = site.url.removesuffix(PATH)
    for origin in (own, "https://bank.example"):
        await (await site.open(Origin=origin)).close()
    for origin in ("https://evil.example", "null", own + "9", "http://[", "file://" + own.removeprefix("http://")):
        assert await site.refused(Origin=origin) == 403


async def test_not_a_websocket(site: Site) -> None:
    async with site.client.get(site.url) as answer:
        assert answer.status == 426


async def test_no_compression_is_agreed(site: Site) -> None:
    socket = await site.client.ws_connect(site.url, compress=15)
    assert socket.compress == 0
    await socket.close()


@pytest.mark.campaign(8)
async def test_sockets_are_counted() -> None:
    async with Site(EndpointSettings(sockets=3, sockets_per_address=2)) as site:
        sockets = [await site.open(), await site.open()]
        assert await site.refused() == 429
        addresses = iter(["a", "b", "c"])
        site.endpoint._client_address = lambda request: next(addresses)
        sockets.append(await site.open())
        assert await site.refused() == 503
        for socket in sockets:
            await socket.close()
        await until(lambda: site.endpoint.sockets == 0)
        await (await site.open()).close()


@pytest.mark.campaign(8)
async def test_idle_sockets_without_a_hello_are_closed() -> None:
    async with Site(EndpointSettings(sockets_per_address=100)) as site:
        sockets = [await site.open() for _ in range(60)]
        await until(lambda: site.house.live.stats()["greeting"] == 60)
        site.house.clock.seconds += 6
        site.house.live.tick()
        for socket in sockets:
            assert (await read(socket))["code"] == "timeout"
            assert await ended(socket) == 4408
        await until(lambda: site.endpoint.sockets == 0)


@pytest.mark.campaign(8)
async def test_a_flood_and_a_slow_reader_cost_nobody_else() -> None:
    limits = replace(Limits(), unacknowledged=200, unacknowledged_bytes=512 * 1024, frames_burst=50)
    async with Site(live=LiveSettings(connection=limits)) as site:
        session = await site.house.session()
        tokens = [(await site.house.place(session, role))[1] for role in (Role.CUSTOMER, Role.EXPERT, Role.AGENT)]
        slow, _ = await greet(site, tokens[0])
        flooder, _ = await greet(site, tokens[1])
        good, _ = await greet(site, tokens[2])
        for n in range(200):
            await flooder.send_json({"t": "ping", "n": n})
        assert await ended(flooder) == 4429
        # `slow` reads nothing and acknowledges nothing; `good` writes and is answered, each time.
        handled = 0
        for seq in range(1, 260):
            await good.send_json(chat(seq, "x" * 3000, handled))
            handled = (await read_until(good, is_chat))["seq"]
            site.house.clock.seconds += 0.2
        assert await ended(slow) == 4413
        await good.send_json(chat(260, "still here", handled))
        frame = await read_until(good, is_chat)
        assert frame["body"]["message"]["text"] == "still here"
        await good.close()


async def test_a_socket_that_takes_nothing_is_dropped() -> None:
    """Nothing is read from TCP either: the writer's own deadline ends it."""
    limits = replace(Limits(), unacknowledged=100_000, unacknowledged_bytes=1 << 30)
    async with Site(EndpointSettings(write_s=0.05, close_s=0.05), LiveSettings(connection=limits)) as site:
        session = await site.house.session()
        id, token = await site.house.place(session)
        page, _ = await greet(site, token)
        transport = page._conn.transport if page._conn is not None else None  # type: ignore[union-attr]
        assert transport is not None
        transport.pause_reading()  # type: ignore[attr-defined]
        member = site.house.live._sessions[session].members[id]
        connection = member.connection
        assert connection is not None
        for _ in range(200):
            connection.send(MediaAnswer(sdp="x" * 100_000))
        await until(lambda: site.house.live.states(session)[id].value == "disconnected")
        assert connection.protocol.closed is not None
        assert connection.protocol.closed[0].value == "too_slow"
        await until(lambda: site.endpoint.sockets == 0)


async def test_the_server_stops(site: Site) -> None:
    session = await site.house.session()
    _, token = await site.house.place(session)
    page, _ = await greet(site, token)
    early = await site.open()
    await until(lambda: site.house.live.stats()["greeting"] == 1)
    await site.house.live.close()
    assert (await read_until(page, lambda frame: frame["t"] == "bye"))["retry"] is True
    assert await ended(page) == await ended(early) == 1001


async def test_reading_waits_while_messages_are_in_hand() -> None:
    async with Site(live=LiveSettings(connection=replace(Limits(), in_hand=2))) as site:
        session = await site.house.session()
        _, token = await site.house.place(session)
        page, _ = await greet(site, token)
        gate = asyncio.Event()
        live = site.house.live._sessions[session]
        live.actor.post(gate.wait)  # type: ignore[arg-type]
        for seq in range(1, 20):
            await page.send_json(chat(seq))
        member = next(iter(live.members.values()))
        assert member.connection is not None
        protocol = member.connection.protocol
        await until(lambda: protocol.in_hand == 2)
        gate.set()
        numbers = [(await read_until(page, is_chat))["body"]["message"]["number"] for _ in range(19)]
        assert numbers == list(range(1, 20))
        await page.close()
