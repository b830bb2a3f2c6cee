"""A page's WebSocket, as far as a load needs it: docs/protocol.md."""

import asyncio
import contextlib
import json
from typing import Any, Self

import aiohttp

from server.loadtest.settings import LoadtestFailed

TICK_S = 0.5
HEARTBEAT_S = 3.5
WELCOME_S = 15.0
ANSWER_S = 15.0


class Signalling:
    """``await Signalling.open(…)``, then ``say`` and ``answer``; ``close``. ``ended``: why it ended by itself, "" while it has not."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, snapshot: dict[str, Any]) -> None:
        self._socket = socket
        self.snapshot = snapshot
        self.ended = ""
        self._seq = self._handled = self._acked = 0
        self._spoke_at = asyncio.get_running_loop().time()
        self._answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._keep())]

    @classmethod
    async def open(cls, http: aiohttp.ClientSession, url: str, token: str) -> Self:
        """Raises LoadtestFailed."""
        try:
            async with asyncio.timeout(WELCOME_S):
                socket = await http.ws_connect(f"{url}/api/v1/signal", headers={"Origin": url}, max_msg_size=1 << 20)
                try:
                    await socket.send_json({"t": "hello", "version": 1, "token": token})
                    frame = await socket.receive_json()
                    if frame.get("t") != "welcome":
                        raise LoadtestFailed(f"signalling: {frame.get('code', frame.get('t'))}")
                except BaseException:
                    await socket.close()
                    raise
        except (aiohttp.ClientError, TimeoutError, TypeError, ValueError) as error:
            status = getattr(error, "status", "")
            raise LoadtestFailed(f"signalling: {type(error).__name__} {status}".rstrip()) from None
        return cls(socket, frame["snapshot"])

    async def say(self, type: str, **fields: Any) -> None:
        """Raises LoadtestFailed when the connection is over."""
        self._seq += 1
        self._acked = self._handled
        await self._send({"t": "msg", "seq": self._seq, "ack": self._handled, "body": {"type": type, **fields}})

    async def answer(self) -> str:
        """The SDP of the answer to the one offer. Raises LoadtestFailed: refused, too late, over."""
        try:
            async with asyncio.timeout(ANSWER_S):
                return await asyncio.shield(self._answer)
        except TimeoutError:
            raise LoadtestFailed("media.offer: no answer in time") from None

    async def close(self) -> None:
        """Leaves."""
        with contextlib.suppress(LoadtestFailed):
            if not self.ended:
                await self.say("leave")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._answer.done():
            self._answer.exception()  # whoever wanted it has it
        else:
            self._answer.cancel()
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with asyncio.timeout(TICK_S):
                await self._socket.close()

    async def _send(self, frame: dict[str, Any]) -> None:
        self._spoke_at = asyncio.get_running_loop().time()
        try:
            await self._socket.send_json(frame)
        except (ConnectionError, aiohttp.ClientError):
            raise LoadtestFailed(f"signalling: {self.ended or 'cut'}") from None

    async def _read(self) -> None:
        try:
            async for message in self._socket:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    break
                frame = json.loads(message.data)
                if frame["t"] == "bye":
                    self.ended = f"bye {frame['code']}"
                elif frame["t"] == "msg":
                    self._handled = frame["seq"]
                    self._heard(frame["body"])
        finally:  # also by what is no frame of ours
            self.ended = self.ended or "cut"
            if not self._answer.done():
                self._answer.set_exception(LoadtestFailed(f"signalling: {self.ended}"))

    def _heard(self, body: dict[str, Any]) -> None:
        if body["type"] == "media.answer" and not self._answer.done():
            self._answer.set_result(body["sdp"])
        elif body["type"] == "error" and not self._answer.done():
            self._answer.set_exception(LoadtestFailed(f"message refused: {body['code']}"))

    async def _keep(self) -> None:
        """Acknowledges within a second, and is never silent for as long as a heartbeat."""
        loop = asyncio.get_running_loop()
        number = 0
        with contextlib.suppress(LoadtestFailed):
            while not self.ended:
                await asyncio.sleep(TICK_S)
                if self._acked < self._handled:
                    self._acked = self._handled
                    await self._send({"t": "ack", "ack": self._handled})
                elif loop.time() - self._spoke_at >= HEARTBEAT_S:
                    number += 1
                    await self._send({"t": "ping", "n": number})
