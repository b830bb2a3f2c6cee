"""What co-browse is compared with: a bare relay of WebSocket frames, ``python -m server.bench_cobrowse_relay``. What ``/tab/N`` sends goes to ``/view/N`` as it is, with the
same libraries as the server's; nothing is read, checked, masked or written down. Ends when its standard input does.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
from aiohttp import WSMsgType, web

from server.bench_cobrowse_page import Film
from server.bench_cobrowse_people import Pair, Tab, Viewer, stamp
from server.cobrowse.messages import TabDom
from server.loadtest.settings import LoadtestFailed

START_S = 60.0
_dom = msgspec.json.Decoder(TabDom)


class Relay:
    def __init__(self) -> None:
        self._views: dict[str, web.WebSocketResponse] = {}

    async def tab(self, request: web.Request) -> web.WebSocketResponse:
        socket = await self._socket(request)
        view = self._views[request.match_info["number"]]
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await view.send_str(message.data)
        return socket

    async def view(self, request: web.Request) -> web.WebSocketResponse:
        socket = self._views[request.match_info["number"]] = await self._socket(request)
        async for _ in socket:
            pass
        return socket

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False, max_msg_size=0)
        await socket.prepare(request)
        return socket


def application(relay: Relay | None = None) -> web.Application:
    relay, app = relay or Relay(), web.Application()
    app.router.add_get("/tab/{number}", relay.tab)
    app.router.add_get("/view/{number}", relay.view)
    return app


async def _serve() -> None:
    runner = web.AppRunner(application(), shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


class BareViewer(Viewer):
    """To whom the tab's own frames come."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        super().__init__(socket)
        self._decode = _dom.decode  # type: ignore[assignment]

    async def _took(self, body: Any, size: int, arrived: float) -> None:
        self.bytes += size
        if body.last:
            self.came[stamp(body.text)] = arrived


@asynccontextmanager
async def relay() -> AsyncIterator[tuple[str, int]]:
    """Its URL and process. Raises LoadtestFailed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "server.bench_cobrowse_relay", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        try:
            async with asyncio.timeout(START_S):
                line = await process.stdout.readline()
        except TimeoutError:
            raise LoadtestFailed("the bare relay was not ready in time") from None
        if not line:
            raise LoadtestFailed("the bare relay ended; its own message is above")
        yield f"http://127.0.0.1:{int(line)}", process.pid
    finally:
        process.stdin.close()
        await process.wait()


async def pairs(http: aiohttp.ClientSession, url: str, film: Film, count: int) -> list[Pair]:
    made = []
    for number in range(count):
        viewer = BareViewer(await http.ws_connect(f"{url}/view/{number}", max_msg_size=0))
        made.append(Pair(Tab(await http.ws_connect(f"{url}/tab/{number}", max_msg_size=0), film), viewer))
    return made


def _run(work: Coroutine[Any, Any, None]) -> None:
    """On uvloop where it is installed, as the server."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)


if __name__ == "__main__":
    _run(_serve())
