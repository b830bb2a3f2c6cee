"""WebDriver BiDi, as far as tests need it: commands with a deadline, events to handlers, values as JSON.

W3C WebDriver BiDi, https://w3c.github.io/webdriver-bidi/. Firefox serves it itself on a WebSocket.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import aiohttp

COMMAND_S = 60.0
"""Longer than any wait that a test does inside a page."""

Handler = Callable[[dict[str, Any]], None]


class BidiError(AssertionError):
    """The browser refused a command. ``code`` is the specification's error code, or "gone" when the socket was closed."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code


class Bidi:
    """One session with a browser. Use ``connected``."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._handlers: list[tuple[str, Handler]] = []

    async def read(self) -> None:
        """Hand out answers and events until the socket is closed."""
        async for frame in self._socket:
            message = json.loads(frame.data)
            if message["type"] == "event":
                for method, handler in self._handlers:
                    if method == message["method"]:
                        handler(message["params"])
            elif (answer := self._waiting.pop(message["id"], None)) is not None and not answer.done():
                answer.set_result(message)
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_result({"type": "error", "error": "gone", "message": "the browser closed the socket"})

    async def command(self, method: str, deadline_s: float = COMMAND_S, **params: Any) -> dict[str, Any]:
        """The result of a command. Raises BidiError; TimeoutError after ``deadline_s``."""
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(deadline_s):
                await self._socket.send_json({"id": number, "method": method, "params": params})
                message = await answer
        finally:
            self._waiting.pop(number, None)
        if message["type"] == "error":
            raise BidiError(message["error"], f"{method}: {message['message']}")
        result: dict[str, Any] = message["result"]
        return result

    async def subscribe(self, method: str, handler: Handler) -> None:
        """Call ``handler`` with the parameters of each such event from now on."""
        self._handlers.append((method, handler))
        await self.command("session.subscribe", events=[method])


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Bidi]:
    """A session at ``url`` (``ws://host:port``); on the way out the browser is told to close."""
    async with aiohttp.ClientSession() as http, http.ws_connect(f"{url}/session", max_msg_size=0) as socket:
        bidi = Bidi(socket)
        reading = asyncio.create_task(bidi.read())
        try:
            await bidi.command("session.new", capabilities={})
            yield bidi
        finally:
            with contextlib.suppress(BidiError, TimeoutError, ConnectionError):
                await bidi.command("browser.close", deadline_s=10)
            await socket.close()
            await reading


async def call_function(bidi: Bidi, context: str, script: str, argument: object = None) -> Any:
    """Call a (possibly asynchronous) function in a page with one argument, both ways as JSON. Raises BidiError."""
    wrapped = f"async (text) => JSON.stringify((await ({script})(JSON.parse(text))) ?? null)"
    answer = await bidi.command(
        "script.callFunction",
        functionDeclaration=wrapped,
        awaitPromise=True,
        target={"context": context},
        arguments=[{"type": "string", "value": json.dumps(argument)}],
        userActivation=False,
    )
    if answer["type"] == "exception":
        raise BidiError("exception", answer["exceptionDetails"]["text"])
    return json.loads(answer["result"]["value"])
