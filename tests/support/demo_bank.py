"""The demo's bank beside a real server, as ``serve --demo`` puts it there, and customers who use its pages without a browser.

The server works with the engine of drawn faces and with policies that take uploaded pictures: ``show`` is what a customer does before the camera, over
HTTP and with the bank's own key. The live check is tests/browser's.
"""

import asyncio
import html
import io
import json
import re
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from server import demo_beside
from server.app import listen
from server.demo_bank.books import Books, Order
from server.demo_bank.products import LOSS, PASSWORD, PHONE, TYPES, USHIELD
from server.domain.ids import CaseId
from server.transactions.decision import AttemptKind
from tests.support import cases, server
from tests.support.bank_place import takes
from tests.support.fake_engine import FakeEngine
from tests.support.repository import ROOT
from tests.support.server import Here
from tests.support.tiny_engine import ALICE, Colour, draw

WITHIN_S = 30.0
RULES = """
model_weight = 0.0

[[rule]]
name = "the_very_old"
when = 'customer_age_group == "80_plus"'
action = "refer"
reason = { zh = "高龄客户", en = "A customer over 80" }
"""
FORMS: dict[str, dict[str, str]] = {
    PASSWORD: {"new_secret": "804152", "again": "804152"},
    LOSS: {"lost_on": "2026-01-02"},
    PHONE: {"new_phone": "150 2001 4477"},
    USHIELD: {"new_secret": "5902716", "again": "5902716"},
}


def policies(folder: Path) -> Path:
    """The four shipped ones, which are content with pictures that were uploaded."""
    for type in TYPES:
        text = (ROOT / "server" / "transactions" / "policies" / f"{type}.toml").read_text(encoding="utf-8")
        text = re.sub(r"^assurance = .*$", 'assurance = ["match", "pad"]', text, flags=re.MULTILINE)
        text = re.sub(r"^clip_allowed = .*\n", "", text, flags=re.MULTILINE)
        text = re.sub(r"^reviewers = .*$", "reviewers = 1\nclip_allowed = true", text, flags=re.MULTILINE)
        text = re.sub(r"^\[challenge\]\n(?:.+\n)*", "", text, flags=re.MULTILINE)
        text = re.sub(r"^fmr = .*$", "fmr = 1e-3", text, flags=re.MULTILINE)
        (folder / f"{type}.toml").write_text(text, encoding="utf-8")
    (folder / "rules").mkdir()
    (folder / "rules" / "default.toml").write_text(RULES, encoding="utf-8")
    return folder


@dataclass(slots=True)
class Page:
    """What was answered. ``path``: where one came to."""

    status: int
    path: str
    text: str
    headers: Any

    def words(self) -> str:
        """Without markup."""
        return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", self.text)))

    def field(self, name: str) -> str:
        """The value of a hidden field of this page."""
        found = re.search(rf'name="{name}" value="([^"]*)"', self.text)
        assert found, f"no field {name} in: {self.words()[:400]}"
        return html.unescape(found[1])


class Customer:
    """A browser without a screen."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url, self.http = url, http

    async def get(self, path: str = "/", **more: Any) -> Page:
        async with self.http.get(self.url + path, allow_redirects=False, **more) as answer:
            return Page(answer.status, urlsplit(answer.headers.get("Location", path)).path, await answer.text(), answer.headers)

    async def post(
        self, path: str, fields: dict[str, Any] | None = None, *, form_token: str | None = None, **more: Any
    ) -> Page:
        """With the token of the sign-in page or the home page, unless another is given; where one is led to is in ``path``, whole."""
        if form_token is None:
            form_token = (await self.get()).field("form_token")
        data = aiohttp.FormData({"form_token": form_token})
        for name, value in (fields or {}).items():
            if isinstance(value, bytes):
                data.add_field(name, io.BytesIO(value), filename="p.jpg", content_type="image/jpeg")
            else:
                data.add_field(name, value)
        async with self.http.post(self.url + path, data=data, allow_redirects=False, **more) as answer:
            return Page(answer.status, answer.headers.get("Location", path), await answer.text(), answer.headers)

    async def sign_in(self, who: str = "li") -> Page:
        await self.post("/sign-in", {"customer": who})
        return await self.get()

    async def enrol(self, colour: Colour | None = ALICE, **more: Any) -> Page:
        return await self.post("/branch", {"consent": "yes", "image": draw(colour, kind="JPEG")}, **more)

    async def order(self, type: str = PASSWORD, **fields: str) -> str:
        """Its id."""
        form = await self.get(f"/new/{type}")
        done = await self.post("/orders", {"type": type, "order": form.field("order"), **FORMS[type], **fields})
        assert done.status == 303, done.words()
        return form.field("order")

    async def until(self, order: str, state: str) -> Page:
        """The order's page once it says so."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                said = json.loads((await self.get(f"/orders/{order}/state")).text)
                if state in (said["state"], said["case_state"]):
                    return await self.get(f"/orders/{order}")


@dataclass(slots=True)
class Branch:
    """``key``: the bank's, of the server. ``books``: another pair of eyes on its books."""

    here: Here
    place: demo_beside.Place
    key: str
    books: Books
    stop: Callable[[], Awaitable[None]]
    start: Callable[[], Awaitable[None]]
    http: aiohttp.ClientSession

    async def show_live(self, order: str) -> None:
        """As an attempt on the live stream ends that went well."""
        verifications = self.here.server.context.verifications
        begun = await verifications.attempts.begin_attempt(CaseId(self.order(order).case_id), AttemptKind.LIVE, "PA_X")
        checked, digest = await verifications.evidence.keep(begun, cases.attempt(), cases.MATERIAL)
        await verifications.attempts.finish_attempt(begun, checked, "PA_X", evidence=digest)

    async def again(self) -> None:
        """Stopped and started anew."""
        await self.stop()
        await self.start()

    def customer(self, http: aiohttp.ClientSession | None = None) -> Customer:
        return Customer(self.place.url, http or self.http)

    def order(self, id: str) -> Order:
        return self.books.get(id)

    async def show(self, order: str, colour: Colour = ALICE) -> Any:
        """Before the camera, as it were."""
        case = self.order(order).case_id
        form = aiohttp.FormData()
        for picture in takes(colour):
            form.add_field("image", picture, filename="x.png")
        headers = {"Authorization": f"Bearer {self.key}"}
        async with self.here.http.post(
            f"{self.here.url}/api/v1/verifications/{case}/attempts", data=form, headers=headers
        ) as answer:
            assert answer.status == 201, await answer.text()
            return await answer.json()


@asynccontextmanager
async def bank_beside(folder: Path, *, callback: bool = True, **overrides: Any) -> AsyncIterator[Branch]:
    """``callback``: whether the bank has webhooks sent."""
    own = Path(tempfile.mkdtemp(dir=folder))
    place = demo_beside.place(server.config(folder, **overrides))
    settings = {
        "engine": FakeEngine(),
        "verification__key_rate_per_min": 100_000,
        "transactions__policies_dir": str(policies(own)),
        "transactions__return_origins": [*place.config.transactions.return_origins],
        "webhooks__origins": [*place.config.webhooks.origins],
        **overrides,
    }
    if not callback:
        place = replace(place, callback_url="")
    async with AsyncExitStack() as stack:
        stack.callback(place.close)
        here = await stack.enter_async_context(server.app(folder, **settings))
        http = await stack.enter_async_context(browser())
        running = AsyncExitStack()
        stack.push_async_callback(lambda: running.aclose())

        async def start() -> None:
            port = urlsplit(place.url).port or 0
            at = place if place.sock.fileno() >= 0 else replace(place, sock=listen("127.0.0.1", port))
            await running.enter_async_context(demo_beside.bank(at, here.server.context))

        await start()
        data = place.config.data_dir / demo_beside.FOLDER
        books = Books(data)
        stack.callback(books.close)
        yield Branch(here, place, (data / demo_beside.KEY_FILE).read_text(), books, running.aclose, start, http)


def browser() -> aiohttp.ClientSession:
    """One that reads English and keeps cookies, also of an address without a name."""
    return aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), headers={"Accept-Language": "en"})
