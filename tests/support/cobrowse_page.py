"""A bank's page with the script of co-browse under a strict policy, and a server at the other end of its socket that says what a test wants."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSMsgType, web

from tests.support.static_site import DIST

SITE = "pk_test"
SECRET = "s3cret-77x"
HASH = "9f" * 32
NONCE = "bm9uY2U"
LI: dict[str, object] = {"id": "PA_li", "name": "Li Wen", "role": "agent", "granted": []}

PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Transfer</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/page.css">
<script src="{sdk}/sdk/tongping.js" data-site="pk_test" data-button="" nonce="{nonce}" defer></script>
<script src="/page.js" nonce="{nonce}" defer></script>
</head>
<body>
<header><b>Haichuan Bank</b><nav><a id="next" href="/next">Next page</a></nav></header>
<main>
<h1>Transfer money</h1>
<p class="balance">Balance s3cret-77x</p>
<form action="/sent">
<label>Amount <input id="amount" name="amount" inputmode="decimal"></label>
<label>To <select id="to"><option value="s">Savings</option><option value="h">Household</option></select></label>
<label>Password <input id="password" type="password" value="s3cret-77x"></label>
<label>One-time code <input id="code" autocomplete="one-time-code" value="s3cret-77x"></label>
<label>Note <textarea id="note">s3cret-77x</textarea></label>
<p><button type="button" id="more">Terms</button> <button id="send">Send</button></p>
</form>
<dialog id="dialog"><p>Terms</p><button type="button" id="close">Close</button></dialog>
<div id="host"></div>
<table><tr><th>Day</th><th>Amount</th></tr><tr><td>1 May</td><td>s3cret-77x</td></tr></table>
</main>
</body>
</html>
"""
STYLE = """
body { margin: 0; font: 17px/1.5 sans-serif; color: #222; background: #f2f4f7; }
header { display: flex; justify-content: space-between; padding: 16px 24px; background: #17345c; color: #fff; }
header a { color: #fff; }
main { max-width: 720px; margin: 24px auto; padding: 24px; background: #fff; }
label { display: block; margin: 12px 0; }
input, select, textarea { display: block; width: 100%; box-sizing: border-box; font: inherit; padding: 10px; }
table { width: 100%; border-collapse: collapse; }
td, th { text-align: left; padding: 8px; border-bottom: 1px solid #ddd; }
tongping-share { display: none; }
* { color-scheme: light; }
button { font: 12px monospace; background: pink; }
"""
SCRIPT = """
const byId = (id) => document.getElementById(id);
const root = byId("host").attachShadow({ mode: "open" });
const words = document.createElement("p");
words.textContent = "shadow s3cret-77x";
root.append(words);
byId("more").addEventListener("click", () => byId("dialog").showModal());
byId("close").addEventListener("click", () => byId("dialog").close());
document.querySelector("form").addEventListener("submit", (event) => { event.preventDefault(); document.title = "sent"; });
"""


def rules(url: str) -> list[dict[str, object]]:
    shown = ["h1", "label", "th", "header", "#more"]
    page: dict[str, object] = {
        "name": "transfer",
        "show": shown,
        "values": ["#amount", "#to"],
        "mask": [".balance"],
        "block": [],
        "click": ["#more"],
        "pause": False,
    }
    return [{**page, "url": f"{url}/"}, {**page, "url": f"{url}/next", "name": "next"}]


class Tab:
    """One socket that a document opened. ``heard``: all frames so far, the greeting first."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.socket = socket
        self.heard: list[dict[str, Any]] = []
        self.open = True

    async def say(self, type: str, **fields: object) -> None:
        await self.socket.send_json({"type": type, **fields})

    def of(self, type: str) -> list[dict[str, Any]]:
        return [one for one in self.heard if one["type"] == type]

    @property
    def events(self) -> list[dict[str, Any]]:
        """What was recorded, put together."""
        whole: dict[int, str] = {}
        done = []
        for one in self.of("tab.dom"):
            whole[one["n"]] = whole.get(one["n"], "") + one["text"]
            if one["last"]:
                done.append(json.loads(whole[one["n"]]))
        return done

    def node(self, **attributes: str) -> int:
        """The number of the element that has these attributes, in the last picture."""
        picture = [one for one in self.events if one["type"] == 2][-1]
        waiting = [picture["data"]["node"]]
        while waiting:
            one = waiting.pop()
            if one.get("attributes") and all(one["attributes"].get(name) == value for name, value in attributes.items()):
                return int(one["id"])
            waiting += one.get("childNodes", ())
        raise AssertionError(f"nothing with {attributes}")


class Sharing:
    """``url``: of the bank's page; ``asked``: paths that browsers asked for; ``instead``: (text, type, headers) of paths of a test's own."""

    def __init__(self) -> None:
        self.url = ""
        self.tabs: list[Tab] = []
        self.asked: list[str] = []
        self.instead: dict[str, tuple[str, str, dict[str, str]]] = {}
        self.language = "en"
        self._numbers = itertools.count(1)

    @property
    def tab(self) -> Tab:
        return self.tabs[-1]

    async def state(self, tab: Tab | None = None, **part: object) -> None:
        told = {"state": "sharing", "code": "", "code_s": 0, "front": True, "hidden": False, "viewers": [], "rules": HASH}
        await (tab or self.tab).say("tab.state", **{**told, **part})

    async def ask(self, scope: str, seconds: int = 30) -> None:
        await self.tab.say("consent.ask", viewer=LI, scope=scope, seconds=seconds, rules=HASH)

    async def granted(self, *scopes: str, tab: Tab | None = None, **part: object) -> None:
        await self.state(tab, viewers=[{**LI, "granted": list(scopes)}], **part)

    async def act(self, kind: str, node: int, value: str = "", **part: object) -> str:
        act = f"AC_{next(self._numbers)}"
        told = {"act": act, "page": self.tab.heard[0]["page"], "node": node, "kind": kind, "value": value, "viewer": LI["id"]}
        await self.tab.say("act", **{**told, **part})
        return act

    async def outcome(self, act: str) -> str:
        found = await until(lambda: [one["outcome"] for one in self.tab.of("tab.done") if one["act"] == act])
        return str(found[0])

    # ------------------------------------------------------------ over HTTP

    async def page(self, request: web.Request) -> web.Response:
        policy = (
            f"default-src 'none'; script-src 'nonce-{NONCE}' 'strict-dynamic'; style-src 'self'; connect-src {self.url.replace('http', 'ws')}; "
            "img-src data:; base-uri 'none'; require-trusted-types-for 'script'; trusted-types tongping"
        )
        text = PAGE.format(sdk=self.url, nonce=NONCE, language=self.language)
        return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": policy})

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=256 * 1024)
        await socket.prepare(request)
        tab = Tab(socket)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                tab.heard.append(json.loads(message.data))
                if len(tab.heard) == 1:
                    self.tabs.append(tab)
        tab.open = False
        return socket

    @web.middleware
    async def note(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append(request.path)
        if request.path in self.instead:
            text, kind, headers = self.instead[request.path]
            return web.Response(text=text, content_type=kind, headers=headers)
        response: web.StreamResponse = await handler(request)
        return response


async def until(ready: Any, within_s: float = 30.0) -> Any:
    """What ``ready`` says once it is not empty. Raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while not (found := ready()):  # noqa: ASYNC110 - a browser says nothing of itself
            await asyncio.sleep(0.02)
    return found


@asynccontextmanager
async def sharing() -> AsyncIterator[Sharing]:
    made = Sharing()
    app = web.Application(middlewares=[made.note])

    def asset(text: str, kind: str) -> Any:
        async def answer(_: web.Request) -> web.Response:
            return web.Response(text=text, content_type=kind)

        return answer

    async def sdk(request: web.Request) -> web.FileResponse:
        return web.FileResponse(DIST / "sdk" / request.match_info["name"], headers={"Access-Control-Allow-Origin": "*"})

    app.router.add_get("/", made.page)
    app.router.add_get("/next", made.page)
    app.router.add_get("/secret", made.page)
    app.router.add_get("/page.css", asset(STYLE, "text/css"))
    app.router.add_get("/page.js", asset(SCRIPT, "text/javascript"))
    app.router.add_get(r"/sdk/{name:[a-z0-9.-]+\.js}", sdk)
    app.router.add_get("/api/v1/cobrowse/tab", made.socket)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()
