"""A whole server in this process with a real media worker, and people with real sockets and real peers: no browser.

``async with bureau(folder) as here: ann = await here.sits(token, Peer("ann"))``
"""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from server.app import WorkerMedia
from tests.support.media_lab import LabClient, loopback
from tests.support.server import Here, app, config

DEADLINE_S = 60.0


class Peer(LabClient):
    """Says when a packet of each stream came: ``came``, monotonic seconds by SSRC; of voices and pictures, not of feedback."""

    def __init__(self, name: str, **more: Any) -> None:
        super().__init__(name, **more)
        self.came: defaultdict[int, list[float]] = defaultdict(list)

    async def accept(self, answer: str) -> None:
        transport: Any = self.pc.getTransceivers()[0].sender.transport
        handle = transport._handle_rtp_data

        async def seen(data: bytes, arrival_time_ms: int) -> None:
            self.came[int.from_bytes(data[8:12], "big")].append(time.monotonic())
            await handle(data, arrival_time_ms=arrival_time_ms)

        transport._handle_rtp_data = seen
        await super().accept(answer)

    @property
    def packets(self) -> int:
        return sum(map(len, self.came.values()))


class Page:
    """A WebSocket of somebody: ``bodies`` is what was said to it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.bodies: list[dict[str, Any]] = []
        self.welcome: dict[str, Any] = {}
        self.bye = ""
        self._seq = 0
        self._changed = asyncio.Condition()
        self._task = asyncio.create_task(self._read(), name="page")

    async def _read(self) -> None:
        async for message in self.socket:
            frame = json.loads(message.data)
            async with self._changed:
                if frame["t"] == "welcome":
                    self.welcome = frame
                elif frame["t"] == "msg":
                    self.bodies.append(frame["body"])
                elif frame["t"] == "bye":
                    self.bye = frame["code"]
                self._changed.notify_all()
            if frame["t"] == "msg":
                await self.socket.send_json({"t": "ack", "ack": frame["seq"]})

    async def until(self, test: Callable[["Page"], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S), self._changed:
            await self._changed.wait_for(lambda: test(self))

    async def told(self, type: str, **fields: Any) -> dict[str, Any]:
        """The newest message of this kind with these values, when there is one."""

        def found(page: "Page") -> list[dict[str, Any]]:
            return [one for one in page.bodies if one["type"] == type and fields.items() <= one.items()]

        await self.until(lambda page: bool(found(page)))
        return found(self)[-1]

    async def say(self, type: str, **fields: Any) -> None:
        self._seq += 1
        await self.socket.send_json({"t": "msg", "seq": self._seq, "ack": 0, "body": {"type": type, **fields}})

    @property
    def me(self) -> str:
        return str(self.welcome["snapshot"]["you"]["id"])

    def slots(self) -> dict[tuple[str, str], str]:
        """What is shown now: (participant, source) → mid."""
        told = [one for one in self.bodies if one["type"] == "slots"]
        return {(slot["participant"], slot["source"]): slot["mid"] for slot in told[-1]["slots"]} if told else {}

    async def shows(self, participant: str, source: str) -> str:
        """The mid of the slot that shows it, once one does."""
        await self.until(lambda page: (participant, source) in page.slots())
        return self.slots()[participant, source]

    async def close(self) -> None:
        await self.socket.close()
        self._task.cancel()
        await asyncio.wait([self._task])


class Seat(Page):
    """Somebody in a session."""

    peer: Peer

    @property
    def id(self) -> str:
        return self.me

    async def agree(self, *scopes: str) -> None:
        for scope in scopes:
            await self.say("consent.set", scope=scope, decision="given", wording=f"{scope}-1", language="en")
            await self.told("consent.changed")


class Bureau:
    """``seats`` and ``desks`` are closed with it."""

    def __init__(self, api: Here, stack: AsyncExitStack) -> None:
        self.api = api
        self._stack = stack

    async def _hello(self, kind: type[Page], token: str) -> Any:
        socket = await self.api.http.ws_connect(f"{self.api.url}/api/v1/signal", max_msg_size=0)
        page = kind(socket)
        self._stack.push_async_callback(page.close)
        await socket.send_json({"t": "hello", "version": 1, "token": token, "resume": None})
        await page.until(lambda one: bool(one.welcome or one.bye))
        return page

    async def desk(self, token: str) -> Page:
        page: Page = await self._hello(Page, token)
        return page

    async def sits(self, token: str, peer: Peer, *scopes: str) -> Seat:
        """Into the session, consenting to these, and with media connected."""
        seat: Seat = await self._hello(Seat, token)
        seat.peer = peer
        self._stack.push_async_callback(peer.close)
        await seat.agree(*scopes)
        await seat.say("media.offer", sdp=await peer.offer())
        await peer.accept((await seat.told("media.answer"))["sdp"])
        async with asyncio.timeout(DEADLINE_S):
            await peer.connected.wait()
        return seat

    async def account(self, name: str, role: str = "agent") -> tuple[str, str]:
        """A new account: its id and a desk token of it."""
        body = {"username": name, "name": name.title(), "role": role, "password": "correct horse battery"}
        id = (await self.api.post("/staff", body, token=self.api.supervisor)).json["id"]
        return id, await self.api.login(name, body["password"])

    async def enter(self, session: str, desk_token: str) -> str:
        """A session token of staff."""
        return str((await self.api.post(f"/sessions/{session}/enter", token=desk_token)).json["token"])


@asynccontextmanager
async def bureau(folder: Path, **overrides: object) -> AsyncIterator[Bureau]:
    more: dict[str, Any] = {"media__workers": 1, "media__bind_addresses": ("127.0.0.1",), **overrides}
    with loopback():
        media = WorkerMedia(config(folder, **more))
        async with app(folder, media=media, **more) as api, AsyncExitStack() as stack:
            yield Bureau(api, stack)
