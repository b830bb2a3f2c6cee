"""Co-browse over real sockets: a tab of the bank's, those who look, and the session that both are in."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

from aiohttp import ClientWebSocketResponse, WSMsgType

from tests.support.pages import Recorder
from tests.support.server import Here, app

WITHIN_S = 30.0
ORIGIN = "https://bank.example"
SITE = "pk_bank"
RULES = """
[[page]]
url = "https://bank.example/transfers/*"
name = "transfer"
show = ["h1", "label", ".shown", "button"]
values = ["#amount"]
click = ["form button"]
images = ["#logo"]
mask = [".balance"]

[[page]]
url = "https://bank.example/login"
name = "login"
pause = true
"""
Frame = dict[str, Any]


PLANTED = "6222020200112233"


class Form:
    """A page with what an agent may fill and click, and with what is the customer's alone."""

    def __init__(self) -> None:
        page = self.recorder = Recorder(f"{ORIGIN}/transfers/7?card={PLANTED}")
        self.title = page.element("h1", {}, "Transfer")
        self.amount = page.element("input", {"id": "amount", "type": "text", "value": "12"})
        self.note = page.element("input", {"id": "note", "type": "text", "value": f"for {PLANTED}"})
        self.password = page.element("input", {"id": "amount", "type": "password", "value": "hunter22"})
        self.code = page.element("input", {"id": "amount", "autocomplete": "one-time-code", "value": "889900"})
        self.file = page.element("input", {"id": "amount", "type": "file"})
        self.help = page.element("button", {"type": "button"}, "Help")
        self.pay = page.element("button", {}, page.element("b", {}, "Pay"))
        self.balance = page.element(
            "p", {"class": "balance shown"}, "84,213.07", page.element("button", {"type": "button"}, "x")
        )
        page.put(
            self.title,
            page.element(
                "form", {}, self.amount, self.note, self.password, self.code, self.file, self.help, self.pay, self.balance
            ),
        )


class Line:
    """One WebSocket; what comes lies in ``frames``. ``code``: with which it was closed, None while it is open."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self.socket = socket
        self.frames: list[Frame] = []
        self.code: int | None = None
        self._news = asyncio.Condition()
        self.reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for message in self.socket:
            if message.type is WSMsgType.TEXT:
                self.took(json.loads(message.data))
                async with self._news:
                    self._news.notify_all()
        self.code = self.socket.close_code or 1006
        async with self._news:
            self._news.notify_all()

    def took(self, frame: Frame) -> None:
        self.frames.append(frame)

    async def say(self, type: str, **fields: Any) -> None:
        await self.socket.send_str(json.dumps({"type": type, **fields}, ensure_ascii=False))

    async def until(self, condition: Callable[[], Any]) -> Any:
        """What the condition says once it is true; fails when the socket is closed before."""
        async with asyncio.timeout(WITHIN_S), self._news:
            while not (found := condition()):
                assert self.code is None, f"closed with {self.code}: {self.frames[-3:]}"
                await self._news.wait()
            return found

    async def over(self) -> Frame:
        """The last frame, a Bye, when it is closed; {} where there was none."""
        async with asyncio.timeout(WITHIN_S), self._news:
            while self.code is None:
                await self._news.wait()
        return self.frames[-1] if self.frames and self.frames[-1]["type"] == "bye" else {}

    def got(self, type: str) -> list[Frame]:
        return [one for one in self.frames if one["type"] == type]

    async def next(self, type: str, after: int = 0) -> Frame:
        """The first of this type behind the first ``after`` of them."""
        found: Frame = (await self.until(lambda: self.got(type)[after:]))[0]
        return found

    async def drop(self) -> None:
        """Without a word."""
        transport = self.socket._conn.transport if self.socket._conn is not None else None  # type: ignore[union-attr]
        assert transport is not None
        transport.abort()
        await self.reading

    async def close(self) -> None:
        await self.socket.close()
        await asyncio.wait([self.reading])


class Tab(Line):
    """A document of the bank's. It draws its page whenever it is asked to."""

    def __init__(self, socket: ClientWebSocketResponse, recorder: Recorder) -> None:
        super().__init__(socket)
        self.recorder = recorder
        self.page = 1
        self._n = itertools.count(1)
        self._drawing: list[asyncio.Task[None]] = []
        self.draws = True

    def took(self, frame: Frame) -> None:
        super().took(frame)
        if frame["type"] == "picture.want" and self.draws:
            self._drawing.append(asyncio.create_task(self.draw()))

    async def draw(self) -> None:
        await self.record(self.recorder.meta(), self.recorder.picture())

    async def record(self, *events: bytes) -> None:
        for event in events:
            text, n = event.decode(), next(self._n)
            for at in range(0, len(text), 40_000):
                await self.say("tab.dom", page=self.page, n=n, text=text[at : at + 40_000], last=at + 40_000 >= len(text))

    async def hello(self, token: str = "", *, page: int = 1, tab: str = "t1", site: str = SITE) -> Self:
        self.page = page
        await self.say("tab.hello", site=site, token=token, tab=tab, page=page)
        return self

    @property
    def state(self) -> Frame:
        return self.got("tab.state")[-1]

    async def asked(self, count: int = 1) -> Frame:
        """The ``count``-th prompt."""
        return await self.next("consent.ask", count - 1)

    async def answer(self, ask: Frame, *, given: bool = True) -> None:
        await self.say("tab.consent", viewer=ask["viewer"]["id"], scope=ask["scope"], given=given, rules=ask["rules"])


class View(Line):
    """Somebody who looks. ``events``: what the page's replay gets."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        super().__init__(socket)
        self.events: list[Frame] = []
        self._text: list[str] = []

    def took(self, frame: Frame) -> None:
        super().took(frame)
        if frame["type"] == "view.dom":
            self._text.append(frame["text"])
            if frame["last"]:
                self.events.append(json.loads("".join(self._text)))
                self._text.clear()

    async def hello(self, token: str, share: str) -> Self:
        await self.say("view.hello", token=token, share=share)
        return self

    @property
    def state(self) -> Frame:
        return self.got("view.state")[-1]

    async def ask(self, tab: Tab, scope: str = "view", *, given: bool = True) -> Frame:
        """Ask, and have the customer answer. What the viewer is told."""
        answers, prompts = len(self.got("view.answer")), len(tab.got("consent.ask"))
        await self.say("view.ask", scope=scope)
        await tab.answer(await tab.asked(prompts + 1), given=given)
        return await self.next("view.answer", answers)

    async def act(self, kind: str, node: int, value: str = "", *, id: str = "a1", page: int | None = None) -> None:
        await self.say("act", act=id, page=self.state["page"] if page is None else page, node=node, kind=kind, value=value)

    async def outcome(self, id: str = "a1") -> str:
        done = await self.until(lambda: [one for one in self.got("view.done") if one["act"] == id])
        return str(done[0]["outcome"])

    async def pictures(self, count: int = 1) -> list[Frame]:
        """The first ``count`` whole pictures."""
        found: list[Frame] = await self.until(lambda: len(self.drawn) >= count and self.drawn)
        return found

    @property
    def drawn(self) -> list[Frame]:
        return [one for one in self.events if one["type"] == 2]

    @property
    def text(self) -> str:
        """All that it was ever sent."""
        return json.dumps([*self.frames, *self.events], ensure_ascii=False)


class Person(Line):
    """Somebody's signalling connection."""

    def __init__(self, socket: ClientWebSocketResponse, token: str, participant: str) -> None:
        super().__init__(socket)
        self.token, self.participant = token, participant
        self._seq = itertools.count(1)
        self._pings = asyncio.create_task(self._ping())

    async def _ping(self) -> None:
        for number in itertools.count(1):
            await asyncio.sleep(5)
            if self.socket.closed:
                return
            await self.socket.send_json({"t": "ping", "n": number})

    def took(self, frame: Frame) -> None:
        body = frame.get("body") or {"type": frame["t"], **frame}
        self.frames.append(body)
        if frame["t"] == "bye":
            self._pings.cancel()

    async def tell(self, type: str, **fields: Any) -> None:
        await self.socket.send_json({"t": "msg", "seq": next(self._seq), "ack": 0, "body": {"type": type, **fields}})

    async def close(self) -> None:
        self._pings.cancel()
        await super().close()


class Branch:
    """A session with its customer and its agent inside, on a server that shows the pages of one site."""

    def __init__(self, here: Here) -> None:
        self.here = here
        self.session = ""
        self._lines: list[Line] = []

    async def begin(self) -> None:
        self.session = await self.here.session()
        entry = await self.here.place(self.session)
        self.customer = await self.person(entry)
        self.agent = await self.staff()

    async def staff(self) -> Person:
        return await self.person((await self.here.post(f"/sessions/{self.session}/enter", {}, token=self.here.agent)).json)

    async def expert(self) -> Person:
        return await self.person(await self.here.place(self.session, "expert"))

    async def person(self, entry: Any) -> Person:
        socket = await self.here.http.ws_connect(f"{self.here.url}/api/v1/signal", max_msg_size=0)
        await socket.send_json({"t": "hello", "version": 1, "token": entry["token"], "resume": None})
        person = self._keep(Person(socket, entry["token"], entry["participant"]))
        await person.next("welcome")
        return person

    async def socket(self, path: str, origin: str | None) -> ClientWebSocketResponse:
        headers = {} if origin is None else {"Origin": origin}
        return await self.here.http.ws_connect(f"{self.here.url}/api/v1/cobrowse/{path}", headers=headers, max_msg_size=0)

    async def tab(self, recorder: Recorder | None = None, origin: str = ORIGIN) -> Tab:
        return self._keep(Tab(await self.socket("tab", origin), recorder or Recorder(f"{ORIGIN}/transfers/7?card=1")))

    async def visitor(self, number: int = 1, *, site: str = SITE, origin: str = ORIGIN, language: str = "en") -> Line:
        """A page of a site that tells who is on it."""
        line: Line = self._keep(Line(await self.socket("site", origin)))
        await line.say("site.hello", site=site, visitor=f"{number:032x}", language=language)
        return line

    async def view(self) -> View:
        return self._keep(View(await self.socket("view", None)))

    async def shared(self, recorder: Recorder | None = None) -> tuple[Tab, str]:
        """A tab whose code the agent typed, and the share's id."""
        tab = await (await self.tab(recorder)).hello()
        await tab.next("tab.state")
        told = len(self.agent.got("cobrowse.changed"))
        await self.agent.tell("cobrowse.attach", code=tab.state["code"])
        changed = await self.agent.next("cobrowse.changed", told)
        return tab, str(changed["share"])

    async def looking(self, recorder: Recorder | None = None, *scopes: str) -> tuple[Tab, View]:
        """A tab at which the agent looks, and may do ``scopes`` besides."""
        tab, share = await self.shared(recorder)
        view = await (await self.view()).hello(self.agent.token, share)
        for scope in ("view", *scopes):
            assert (await view.ask(tab, scope))["given"]
        await view.pictures()
        return tab, view

    def _keep(self, line: Any) -> Any:
        self._lines.append(line)
        return line

    async def close(self) -> None:
        for line in self._lines:
            await line.close()


def site(folder: Path, *, presence: bool = False) -> dict[str, object]:
    """For ``cobrowse.sites``, with its rules in the folder."""
    rules = folder / "rules.toml"
    rules.write_text(RULES, encoding="utf-8")
    return {"key": SITE, "name": "Bank", "origins": [ORIGIN], "rules": str(rules), "presence": presence}


@asynccontextmanager
async def branch(folder: Path, *, presence: bool = False, **overrides: object) -> AsyncIterator[Branch]:
    async with app(folder, cobrowse__sites=[site(folder, presence=presence)], **overrides) as here:
        made = Branch(here)
        await made.begin()
        try:
            yield made
        finally:
            await made.close()
