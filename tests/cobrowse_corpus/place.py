"""A bank's site with the corpus on it, a server that shares its pages, and a session in which somebody looks."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
from aiohttp import ClientWebSocketResponse, WSMsgType, web
from playwright.async_api import Page, WebSocket

from tests.cobrowse_corpus.rules import RULES
from tests.support.cobrowsing import Branch, View
from tests.support.ports import free_tcp_port
from tests.support.server import Here
from tests.support.server_process import CALLS_ONLY, ServerProcess
from tests.support.static_site import DIST
from tests.support.watching import APPEARS_MS

HERE = Path(__file__).resolve().parent
SITE = "pk_corpus"
PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Corpus</title><link rel="icon" href="data:,"><style>h1 {{ color: teal }}</style>{tag}
<script src="/plant.js"></script><script src="/bare.js"></script></head>
<body><h1 id="beacon">Corpus</h1>
<main id="private"></main>
<section id="shown" class="shown"></section>
<section class="shown"><div id="sealed" class="balance"></div></section>
<section id="values" class="shown values"></section>
<section class="shown"><div id="blocked"></div></section>
</body></html>"""
TAG = '<script src="{server}/sdk/tongping.js" data-site="pk_corpus" defer></script>'
_BEACON = re.compile(r"beacon-\d+")


class Site:
    """``url``: its origin. ``pages``: by path, what is there beside the corpus. ``asked``: by which browser, and for which path."""

    def __init__(self) -> None:
        self.port = free_tcp_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.server = ""
        self.pages: dict[str, str] = {}
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        self.asked.append(f"{request.headers.get('User-Agent', '')} {request.raw_path}")
        if path in self.pages:
            return web.Response(text=self.pages[path], content_type="text/html")
        if path.startswith(("/corpus/", "/elsewhere/")):
            tag = TAG.format(server=self.server) if "bare" not in request.query else ""
            return web.Response(text=PAGE.format(tag=tag), content_type="text/html")
        name = path.rpartition("/")[2]
        if path in ("/plant.js", "/bare.js"):
            return web.FileResponse(HERE / name)
        if path.startswith("/sheet/"):
            secret = name.removesuffix(".css")
            return web.Response(
                text=f".a::before {{ content: '{secret}' }} .b {{ background: url(/t/{secret}) }}", content_type="text/css"
            )
        if path.startswith("/frame/"):
            return web.Response(
                text=f"<title>{name}</title><p title='{name}'>{name}</p><input value='{name}'>", content_type="text/html"
            )
        return web.Response(status=404)


@asynccontextmanager
async def site() -> AsyncIterator[Site]:
    made = Site()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", made.port).start()
    try:
        yield made
    finally:
        await runner.cleanup()


@asynccontextmanager
async def serving(folder: Path, shown: Site, **settings: str) -> AsyncIterator[ServerProcess]:
    """A server of its own, which says everything in its log."""
    rules, config = folder / "rules.toml", folder / "tongping.toml"
    rules.write_text(RULES.format(origin=shown.url), encoding="utf-8")
    config.write_text(
        f'[[cobrowse.sites]]\nkey = "{SITE}"\nname = "Bank"\norigins = ["{shown.url}"]\nrules = "{rules}"\n', encoding="utf-8"
    )
    own = {**CALLS_ONLY, "TONGPING_CONFIG": str(config), "TONGPING_LOG_LEVEL": "debug", **settings}
    server = ServerProcess(folder, **own)
    await asyncio.to_thread(server.start)
    shown.server = server.url
    try:
        yield server
    finally:
        await asyncio.to_thread(server.__exit__, None, None, None)


class Watched(View):
    """``raw``: every frame as it came over the line; ``beacons``: those that were in one."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self.raw: list[str] = []
        self.beacons: set[str] = set()
        super().__init__(socket)

    async def _read(self) -> None:
        async for message in self.socket:
            if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                text = message.data if isinstance(message.data, str) else message.data.decode("latin-1")
                self.raw.append(text)
                self.took(json.loads(text))
                self.beacons.update(_BEACON.findall(text))
                async with self._news:
                    self._news.notify_all()
        self.code = self.socket.close_code or 1006
        async with self._news:
            self._news.notify_all()

    async def see(self, beacon: str) -> None:
        async with asyncio.timeout(APPEARS_MS / 1000), self._news:
            while beacon not in self.beacons:
                assert self.code is None, f"closed with {self.code}"
                await self._news.wait()


class Watching(Branch):
    """A session whose agent looks at a page in a browser."""

    async def begin_with(self, customer_name: str) -> None:
        """The agent comes by themselves, in a browser."""
        self.session = await self.here.session(customer_name=customer_name)
        self.customer = await self.person(await self.here.place(self.session))

    async def attach(self, code: str) -> Watched:
        told = len(self.agent.got("cobrowse.changed"))
        await self.agent.tell("cobrowse.attach", code=code)
        share = str((await self.agent.next("cobrowse.changed", told))["share"])
        view: Watched = self._keep(Watched(await self.socket("view", None)))
        await view.hello(self.agent.token, share)
        return view


@asynccontextmanager
async def watching(server: ServerProcess, *, customer_name: str = "") -> AsyncIterator[Watching]:
    async with aiohttp.ClientSession() as http:
        port = int(server.url.rpartition(":")[2])
        here = Here(cast("Any", SimpleNamespace(port=port)), http, None)
        here.agent = await here.login(*server.agent)
        made = Watching(here)
        await (made.begin_with(customer_name) if customer_name else made.begin())
        try:
            yield made
        finally:
            await made.close()


async def open_bare(page: Page, server: ServerProcess) -> str:
    """A tab that masks nothing shares the page; the code that it is told."""
    (recorder,) = (DIST / "sdk").glob("record-*.js")
    socket = server.url.replace("http", "ws") + "/api/v1/cobrowse/tab"
    await page.evaluate("(given) => bare.open(...given)", [socket, f"{server.url}/sdk/{recorder.name}", SITE])
    await page.wait_for_function("bare.code")
    return str(await page.evaluate("bare.code"))


def overheard(page: Page) -> list[str]:
    """What the page sends over its sockets from now on, frame by frame."""
    sent: list[str] = []

    def opened(socket: WebSocket) -> None:
        socket.on("framesent", lambda payload: sent.append(payload if isinstance(payload, str) else payload.decode("latin-1")))

    page.on("websocket", opened)
    return sent


def kept(server: ServerProcess) -> Iterator[tuple[str, bytes]]:
    """All that the server wrote: log, database, audit and whatever else is in its folder; (path, bytes)."""
    yield "log", server.log.encode()
    for path in sorted(server.data.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(server.data)), path.read_bytes()
