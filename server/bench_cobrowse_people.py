"""Who takes part in a page that is shown, for the benchmark of co-browse: the customer and the staff in their session, the tab, those who look. As pages and script
speak to the server, without a browser.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any, Generic, TypeVar

import aiohttp
import msgspec

from server.bench_cobrowse_page import AT, Film
from server.cobrowse.messages import (
    AskConsent,
    TabState,
    TabWelcome,
    ToTab,
    ToViewer,
    ViewAnswer,
    ViewDom,
    ViewState,
    WantPicture,
)
from server.loadtest.api import Api
from server.loadtest.settings import LoadtestFailed
from server.loadtest.signalling import Signalling

ORIGIN = "https://bank.example"
SITE = "pk_bench"
WITHIN_S = 60.0
STAMP_CHARS = 20
_tab = msgspec.json.Decoder(ToTab)
_view = msgspec.json.Decoder(ToViewer)
Heard = TypeVar("Heard")


class Agent(Signalling):
    """Whoever leads the session. ``share``: the page that is shown in it, once one is."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, snapshot: dict[str, Any]) -> None:
        super().__init__(socket, snapshot)
        self.share: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def close(self) -> None:
        if self.share.done():
            self.share.exception()  # whoever wanted it has it
        await super().close()

    def _heard(self, body: dict[str, Any]) -> None:
        if self.share.done():
            return
        if body["type"] == "cobrowse.changed" and body["share"]:
            self.share.set_result(str(body["share"]))
        elif body["type"] == "error":
            self.share.set_exception(LoadtestFailed(f"message refused: {body['code']}"))


class _Line(Generic[Heard]):
    """One WebSocket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, decode: Callable[[str], Heard]) -> None:
        self.socket = socket
        self._decode = decode
        self._news = asyncio.Event()
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            async for message in self.socket:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    break
                arrived = time.perf_counter()
                await self._took(self._decode(message.data), len(message.data), arrived)
                self._news.set()
        finally:
            self._news.set()

    async def _took(self, body: Heard, size: int, arrived: float) -> None:
        raise NotImplementedError

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Raises LoadtestFailed: closed, or not in time."""
        try:
            async with asyncio.timeout(WITHIN_S):
                while not condition():
                    if self._reader.done():
                        raise LoadtestFailed(f"{what}: the socket was closed ({self.socket.close_code})")
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise LoadtestFailed(f"{what}: not in time") from None

    async def say(self, **fields: object) -> None:
        await self.socket.send_str(msgspec.json.encode(fields).decode())

    async def drop(self) -> None:
        """Without a word."""
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)
        if self.socket._conn is not None and self.socket._conn.transport is not None:
            self.socket._conn.transport.abort()
        await self.socket.close()


class Tab(_Line[ToTab]):
    """A page of the bank's, which shows ``film``, and from its beginning again whenever a picture is wanted. ``sent``: when each event left of which viewers get
    something, by its number; ``pictures``: how many were drawn."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, film: Film) -> None:
        super().__init__(socket, _tab.decode)
        self._film = film
        self._next = self._n = self._stamp = 0
        self.state: TabState | None = None
        self.welcomed = False
        self.sent: dict[int, float] = {}
        self.told = self.pictures = 0
        self._draws = asyncio.Lock()

    async def _took(self, body: ToTab, size: int, arrived: float) -> None:
        del size, arrived
        match body:
            case TabWelcome():
                self.welcomed = True
            case TabState():
                self.state = body
            case AskConsent():
                await self.consent(body.viewer.id, given=True)
            case WantPicture():
                await self._draw()

    @property
    def code(self) -> str:
        return self.state.code if self.state is not None else ""

    async def consent(self, viewer: str, *, given: bool) -> None:
        """``viewer`` "": taken back from all."""
        assert self.state is not None
        await self.say(type="tab.consent", viewer=viewer, scope="view", given=given, rules=self.state.rules)

    async def _draw(self) -> None:
        async with self._draws:
            for chunks in self._film.picture:
                await self._chunks(chunks)
            self._next = 0
            self.pictures += 1

    async def record(self, chunks: Sequence[str]) -> None:
        """An event that is not in the film. The page is not as the film has it any more, until a picture is wanted."""
        async with self._draws:
            await self._chunks(chunks)

    async def _chunks(self, chunks: Sequence[str]) -> None:
        self._n += 1
        for number, chunk in enumerate(chunks, 1):
            await self._chunk(chunk, last=number == len(chunks))

    async def happen(self) -> None:
        """The next thing."""
        if self._draws.locked():
            return
        if self._next >= len(self._film.happenings):
            await self._draw()
        one = self._film.happenings[self._next]
        self._next += 1
        self._n += 1
        self._stamp += 1
        self.told += 1
        if one.leaves:
            self.sent[self._stamp] = time.perf_counter()
        await self._chunk(f"{one.text}{self._stamp}}}", last=True)

    async def _chunk(self, text: str, *, last: bool) -> None:
        ends = "true" if last else "false"
        await self.socket.send_str(f'{{"type":"tab.dom","page":1,"n":{self._n},"text":"{text}","last":{ends}}}')


class Viewer(_Line[ToViewer]):
    """Somebody who looks. ``came``: when each event was whole here, by its number; ``last``: when something of the page came last; ``bytes``: all that came.
    ``told``: when they were last told that they see nothing; ``after``: frames of the page that came while that stood."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        super().__init__(socket, _view.decode)
        self.came: dict[int, float] = {}
        self.last = self.told = 0.0
        self.after = 0
        self._sees = False
        self.bytes = self.pictures = 0
        self.given: bool | None = None
        self._end = ""

    async def _took(self, body: ToViewer, size: int, arrived: float) -> None:
        self.bytes += size
        if isinstance(body, ViewState):
            if self._sees and not body.page:
                self.told = arrived
            self._sees = body.page > 0
        elif isinstance(body, ViewDom):
            self.last = arrived
            self.after += not self._sees
            self._end = self._end[-STAMP_CHARS:] + body.text[-STAMP_CHARS:]
            if not body.last or body.picture:
                return
            number = stamp(self._end)
            if number == AT:
                self.pictures += 1
            else:
                self.came[number] = arrived
        elif isinstance(body, ViewAnswer):
            self.given = body.given


def stamp(text: str) -> int:
    """The number of an event: the last thing in it, ``AT`` of a picture."""
    return int(text[text.rindex(":") + 1 : -1])


class Place:
    """Of the staff in the session of a share. ``url``: by which they look."""

    def __init__(self, http: aiohttp.ClientSession, token: str, participant: str, signalling: Agent) -> None:
        self._http = http
        self._token = token
        self.participant = participant
        self.signalling = signalling

    async def look(self, url: str, share: str) -> Viewer:
        """The socket is open and greeted; what is seen depends on the customer."""
        viewer = Viewer(await _socket(self._http, f"{url}/api/v1/cobrowse/view", None))
        await viewer.say(type="view.hello", token=self._token, share=share)
        return viewer


class Pair:
    """A page, and whoever has what happens in it."""

    def __init__(self, tab: Tab, viewer: Viewer) -> None:
        self.tab, self.viewer = tab, viewer

    def forget(self) -> None:
        """What was sent and came so far is not looked for any more."""
        self.tab.sent.clear()
        self.viewer.came.clear()

    @property
    def missing(self) -> int:
        return sum(number not in self.viewer.came for number in self.tab.sent)

    @property
    def latencies(self) -> list[float]:
        """Milliseconds of each event that came."""
        came = self.viewer.came
        return [(came[number] - sent) * 1000 for number, sent in self.tab.sent.items() if number in came]

    async def drop(self) -> None:
        for line in (self.tab, self.viewer):
            await line.drop()


class Shared(Pair):
    """In a session with its ``customer``. ``places``: of the staff; ``viewer``: of the first of them."""

    def __init__(self, share: str, tab: Tab, viewer: Viewer, places: Sequence[Place], customer: Signalling) -> None:
        super().__init__(tab, viewer)
        self.share, self.places, self.customer = share, places, customer

    async def drop(self) -> None:
        await super().drop()
        for one in (self.customer, *(place.signalling for place in self.places)):
            await one.close()


async def come(api: Api, film: Film, number: int, *, staff: int = 1) -> Shared:
    """A session with its customer and as many of the staff, a page that is shown in it, and its picture at the first of them. Raises LoadtestFailed."""
    async with AsyncExitStack() as stack:
        made = await _come(api, film, number, staff, stack)
        stack.pop_all()
        return made


async def _come(api: Api, film: Film, number: int, staff: int, stack: AsyncExitStack) -> Shared:
    """``stack``: ends what there is where more does not come."""
    session = await api.open_session(number)
    roles = ["customer", "agent", *["expert"] * (staff - 1)]
    entries = [await api.redeem(await api.invite(session, role, 1), f"{role} {at}") for at, role in enumerate(roles)]
    customer = await Signalling.open(api.http, api.url, str(entries[0]["token"]))
    stack.push_async_callback(customer.close)
    places = []
    for entry in entries[1:]:
        token, participant = str(entry["token"]), str(entry["participant"])
        places.append(Place(api.http, token, participant, await Agent.open(api.http, api.url, token)))
        stack.push_async_callback(places[-1].signalling.close)
    tab = Tab(await _socket(api.http, f"{api.url}/api/v1/cobrowse/tab", ORIGIN), film)
    stack.push_async_callback(tab.drop)
    await tab.say(type="tab.hello", site=SITE, token="", tab="t1", page=1)
    await tab.until(lambda: tab.code != "", "a code")
    agent = places[0].signalling
    await agent.say("cobrowse.attach", code=tab.code)
    try:
        async with asyncio.timeout(WITHIN_S):
            share = await asyncio.shield(agent.share)
    except TimeoutError:
        raise LoadtestFailed("cobrowse.attach: no answer in time") from None
    viewer = await places[0].look(api.url, share)
    stack.push_async_callback(viewer.drop)
    await ask(viewer)
    await viewer.until(lambda: viewer.pictures > 0, "a picture")
    return Shared(share, tab, viewer, places, customer)


async def ask(viewer: Viewer) -> None:
    """To see the page; the customer says yes."""
    await viewer.say(type="view.ask", scope="view")
    await viewer.until(lambda: viewer.given is not None, "an answer")
    if not viewer.given:
        raise LoadtestFailed("the customer's yes did not hold")


async def _socket(http: aiohttp.ClientSession, url: str, origin: str | None) -> aiohttp.ClientWebSocketResponse:
    headers = {} if origin is None else {"Origin": origin}
    try:
        async with asyncio.timeout(WITHIN_S):
            return await http.ws_connect(url, headers=headers, max_msg_size=0)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise LoadtestFailed(f"a socket of co-browse: {type(error).__name__} {getattr(error, 'status', '')}".rstrip()) from None
