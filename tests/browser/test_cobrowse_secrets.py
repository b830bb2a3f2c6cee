"""Secrets of every kind, planted in a page in Chromium in every way in which pages change: none leaves the server, with the script's masking and without."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.cobrowse_corpus.kinds import KINDS, Kind
from tests.cobrowse_corpus.place import Site, Watched, Watching, kept, open_bare, overheard, serving, site, watching
from tests.cobrowse_corpus.secrets import Secrets, ended, leaves, said
from tests.support.server_process import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.campaign(23), pytest.mark.asyncio(loop_scope="session")]

OPEN = """
const attach = Element.prototype.attachShadow;
Element.prototype.attachShadow = function (options) {
  return attach.call(this, this.localName === "tongping-share" ? { ...options, mode: "open" } : options);
};
"""
"""So that a test can press what the script shows."""
READ_MS = 700
NOT_EVEN_SENT = frozenset(
    {
        "a password",
        "a one-time code",
        "a code by its name",
        "fields of a card",
        "a hidden field",
        "title",
        "aria-label",
        "handlers",
        "the address of a link",
    }
)
"""Of what the script's own masking leaves nothing, wherever it stands; of styles and of words in elements that only the server drops it leaves more."""
PLACES = {"private": "masked", "shown": "shown", "sealed": "masked", "values": "values", "blocked": "masked"}
"""To what of a kind it is planted as there."""
EVERYWHERE = ("picture", "inserted", "replaced", "changed", "piecewise", "moved", "copied", "shadow")
SEALED = ("frame",)
"""Where nothing may be read, whatever rules say."""
FIELDS = (
    "input",
    "input type='password'",
    "input autocomplete='one-time-code'",
    "input type='tel'",
    "input name='cvv'",
    "textarea",
)


@dataclass
class Bank:
    site: Site
    server: ServerProcess
    branch: Watching
    secrets: Secrets

    async def written(self) -> dict[str, str]:
        """What the server wrote down and what it tells of itself, by where it is."""
        async with self.branch.here.http.get(f"{self.server.url}/metrics") as answer:
            metrics = await answer.text()
        return {path: content.decode("utf-8", "replace") for path, content in kept(self.server)} | {"/metrics": metrics}


@dataclass
class Shared:
    """A page that is looked at. ``sent``: what it sent; ``shows``: words that the agent is to see, by the way they came, and those ``seen``."""

    page: Page
    view: Watched
    sent: list[str]
    secrets: Secrets
    shows: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    _looked: int = 0
    _beacons: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def make(self, way: str, place: str, kind: Kind, sort: str) -> list[str]:
        return [place, kind.name, self.secrets.make(sort, f"{kind.name}, {way} in {place}")]

    def everywhere(self, way: str) -> list[list[str]]:
        return [
            self.make(way, place, kind, sort)
            for place, what in PLACES.items()
            if way in EVERYWHERE[:4] or place in ("private", "shown")
            for kind in KINDS
            if (sort := kind.masked if way in SEALED else getattr(kind, what))
        ]

    async def plant(self, way: str, planted: list[list[str]], *, shows: bool = False) -> None:
        """``shows``: with a word that may be read, to know that it comes through."""
        if shows:
            self.shows.append(f"Seen {way}")
            planted = [*planted, ["shown", "words", self.shows[-1]]]
        beacon = f"beacon-{next(self._beacons)}"
        await self.page.evaluate("([way, planted, beacon]) => corpus.plant(way, planted, beacon)", [way, planted, beacon])
        await self.view.see(beacon)
        await asyncio.to_thread(self.look)

    def look(self) -> None:
        """Through what has come since the last time."""
        fresh = self.view.raw[self._looked :]
        fresh = fresh[: ended(fresh)]
        self._looked += len(fresh)
        texts = list(said(fresh))
        assert self.secrets.found(*texts) == set()
        self.seen.update(one for one in self.shows if any(one in text for text in texts))

    async def type(self) -> None:
        """By keyboard, in fields of each part, and what is chosen there."""
        for place, what in PLACES.items():
            await self.page.evaluate(
                "([place, fields]) => document.getElementById(place).insertAdjacentHTML('beforeend', `<form class='typed'>${fields}</form>`)",
                [place, "".join(f"<{one}></textarea>" if one == "textarea" else f"<{one}>" for one in FIELDS)],
            )
            typed = self.page.locator(f"#{place} .typed")
            for at, one in enumerate(FIELDS):
                own = typed.locator("input, textarea").nth(at)
                sort = "card" if what == "values" and one in ("input", "input type='tel'", "textarea") else "word"
                secret = self.secrets.make(sort, f"{one}, typed in {place}")
                await own.fill(secret[:-3])
                await own.press_sequentially(secret[-3:])
                await own.blur()
        await self.plant("inserted", [], shows=True)

    async def everything(self) -> None:
        """After the first picture."""
        for way in (*EVERYWHERE[1:], *SEALED):
            if way not in EVERYWHERE[:4]:
                await self.page.evaluate("corpus.clear()")
            await self.plant(way, self.everywhere(way), shows=way in EVERYWHERE[:5])
        await self.page.evaluate("corpus.clear()")
        masked = [self.make("turned", "shown", kind, kind.masked) for kind in KINDS]
        await self.plant("turned", masked)
        await self.type()
        for way in ("title", "root", "storage", "history"):
            await self.plant(way, [["private", "", self.secrets.make("word", way)]])
        drawn = len(self.view.drawn)
        await self.view.say("view.resync")
        await self.view.pictures(drawn + 1)

    async def elsewhere(self) -> None:
        """On a page that no rule names."""
        way = "a page without rules"
        secret = self.secrets.make("word", way)
        drawn = len(self.view.drawn)
        await self.page.evaluate("(s) => history.pushState({}, '', `/elsewhere/${s}?a=${s}`)", secret)
        if await self.page.evaluate("bare.state"):
            await self.page.evaluate("bare.draw()")
        await self.view.pictures(drawn + 1)
        drawn = len(self.view.drawn)
        planted = [self.make(way, "shown", kind, kind.masked) for kind in KINDS]
        await self.page.evaluate("(planted) => corpus.plant('inserted', planted)", planted)
        await self.view.say("view.resync")
        await self.view.pictures(drawn + 1)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Site, ServerProcess, Secrets]]:
    async with site() as shown, serving(tmp_path_factory.mktemp("corpus"), shown) as server:
        yield shown, server, Secrets()


@pytest_asyncio.fixture(loop_scope="session")
async def bank(house: tuple[Site, ServerProcess, Secrets]) -> AsyncIterator[Bank]:
    """A session of its own for each test."""
    shown, server, secrets = house
    async with watching(server) as branch:
        yield Bank(shown, server, branch, secrets)


async def begin(browser: Browser, bank: Bank, *, masked: bool) -> Shared:
    """Up to the first picture, in which everything stands already."""
    context = await browser.new_context(locale="en-GB")
    await context.add_init_script(OPEN)
    page = await context.new_page()
    sent = overheard(page)
    await page.goto(f"{bank.site.url}/corpus/home{'' if masked else '?bare'}")
    await page.evaluate("(kinds) => corpus.begin(kinds)", {one.name: {"html": one.html, "script": one.script} for one in KINDS})
    if masked:
        await page.evaluate("Tongping.start()")
        code = (
            await page.locator("tongping-share").get_by_role("dialog", name="Your sharing code").locator(".code").inner_text()
        )
    else:
        code = await open_bare(page, bank.server)
    view = await bank.branch.attach("".join(one for one in code if one.isdigit()))
    shared = Shared(page, view, sent, bank.secrets)
    planted = shared.everywhere("picture")
    shared.shows.append("Seen picture")
    await page.evaluate("(planted) => corpus.plant('picture', planted)", [*planted, ["shown", "words", "Seen picture"]])
    await view.say("view.ask", scope="view")
    if masked:
        yes = page.get_by_role("button", name="Yes, allow", exact=True)
        await yes.wait_for()
        await page.wait_for_timeout(READ_MS)
        await yes.click()
    await view.pictures()
    await asyncio.to_thread(shared.look)
    return shared


async def nothing_left(shared: Shared, bank: Bank) -> None:
    """Of all that came to who looked, once the page is gone."""
    await shared.page.context.close()
    await shared.view.close()
    await asyncio.to_thread(shared.look)
    raw, frames = shared.view.raw, bank.branch.agent.frames
    carried = "".join(json.loads(one).get("text", "") for one in raw)
    assert shared.secrets.found("\n".join(raw), carried, json.dumps(frames), "\n".join(leaves(frames))) == set()
    assert shared.seen == set(shared.shows), "what may be read is there"


async def nothing_is_written(bank: Bank) -> None:
    """In the log, the database, the audit in it, or any other file."""
    written = await bank.written()
    assert "/api/v1/cobrowse/tab" in written["log"]
    assert any("cobrowse." in content for path, content in written.items() if path.startswith("tongping.db")), (
        "the audit is there"
    )
    assert {path: found for path, content in written.items() if (found := bank.secrets.found(content))} == {}


def by_kind(places: set[str]) -> set[str]:
    return {one.partition(", ")[0] for one in places}


async def test_nothing_leaves_with_the_scripts_own_masking(browser: Browser, bank: Bank) -> None:
    shared = await begin(browser, bank, masked=True)
    await shared.everything()
    for sort in ("card", "phone", "identity", "mail"):
        step = bank.secrets.make(sort, "a step of the journey")
        await shared.page.evaluate("(step) => Tongping.journey(step)", f"Transfer to {step}")
        await shared.plant("inserted", [])
    await shared.elsewhere()
    await nothing_left(shared, bank)
    await nothing_is_written(bank)
    sent = shared.secrets.found(*said([one for one in shared.sent if '"tab.dom"' in one]))
    assert by_kind(sent) & NOT_EVEN_SENT == set()


async def test_nothing_leaves_by_the_server_alone(browser: Browser, bank: Bank) -> None:
    shared = await begin(browser, bank, masked=False)
    await shared.everything()
    await shared.elsewhere()
    await nothing_left(shared, bank)
    await nothing_is_written(bank)
    sent = shared.secrets.found(*said([one for one in shared.sent if '"tab.dom"' in one]))
    assert len(by_kind(sent) & {one.name for one in KINDS}) >= 90, "the server was told of nearly all of them"
