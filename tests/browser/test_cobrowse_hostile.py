"""A page that wants to harm whoever looks at it, shared by a tab that masks nothing, and an agent in the workbench: there nothing runs and nothing is fetched. And a page
that grows and changes without end: the server's memory is bounded, the share of another session goes on, and what is looked at is there again afterwards."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Frame, Page, Request, expect

from tests.cobrowse_corpus import hostile
from tests.cobrowse_corpus.place import Site, Watching, open_bare, serving, site, watching
from tests.support.browser import APPEARS_MS, Seat, all_leave
from tests.support.call import agent_enters
from tests.support.cobrowsing import Tab, View
from tests.support.machine import most_memory
from tests.support.pages import Recorder, mutation
from tests.support.server_process import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.campaign(23), pytest.mark.asyncio(loop_scope="session")]

SHOWN = "document.querySelector('.sheet:not(.coming) iframe')?.contentDocument"
CUSTOMER = "Lin Hostile"
ITSELF = "the-customers-own"
"""The customer's browser: not all that it fetches in advance can be refused."""
MOST_SERVER, MOST_SANITISER = 640 << 20, 640 << 20
"""Bytes that may be resident at the most."""
HUGE, DEEP = 70_000, 700
"""Nodes and levels: beyond what is shown of a page."""

#: In the replayed page and all documents in it: what ran, and what of an element could run, fetch or lead anywhere. Asked from outside, as those have no scripts.
HARM = """
(page) => {
  const harm = [];
  const bad = /javascript:|vbscript:|data:|url\\(|expression\\(|@import|\\/lure|https?:/i;
  const look = (inner) => {
    if (inner.defaultView?.ran || parent.ran || top.ran) harm.push("ran");
    const walk = (root) => {
      for (const one of root.querySelectorAll("*")) {
        if (/^(script|object|embed|base|meta|link|video|audio|source|frame|portal|foreignobject|animate|set)$/i.test(one.localName)) harm.push(one.localName);
        for (const { name, value } of one.attributes) if (/^on|^(src|srcset|srcdoc|action|formaction|ping|background|poster)$/i.test(name) || bad.test(value)) harm.push(`${one.localName} ${name}=${value}`);
        if (one.sheet) for (const rule of one.sheet.cssRules) if (bad.test(rule.cssText)) harm.push(rule.cssText);
        if (one.shadowRoot) walk(one.shadowRoot);
        if (one.contentDocument) look(one.contentDocument);
      }
    };
    walk(inner);
  };
  look(page);
  return harm;
}
"""


@dataclass
class Stage:
    """``customer``: the hostile page; ``fetched``: what the agent's browser asked for; ``tried``: what the customer's did."""

    site: Site
    server: ServerProcess
    branch: Watching
    customer: Page
    agent: Seat
    fetched: list[str] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    happened: list[str] = field(default_factory=list)

    async def frame(self) -> Frame:
        await expect(self.agent.page.locator("iframe.page-frame[data-page]")).to_be_visible()
        return next(one for one in self.agent.page.frames if one.url.endswith("/replay.html"))

    async def seen(self, words: str) -> None:
        """Waits until the agent can read that in the page."""
        frame = await self.frame()
        script = f"(words) => {SHOWN}?.body?.innerText.includes(words) ?? false"
        async with asyncio.timeout(APPEARS_MS / 1000):
            while not await frame.evaluate(script, words):  # noqa: ASYNC110 - a page says nothing of itself
                await asyncio.sleep(0.1)

    async def says(self, words: str) -> None:
        """The page does, and the agent sees it."""
        await self.customer.evaluate("(words) => { document.getElementById('beacon').textContent = words }", words)
        await self.seen(words)

    def harmed(self) -> list[str]:
        """What the agent's browser did that it should not have."""
        strange = [url for url in self.fetched if not url.startswith((f"{self.server.url}/", f"blob:{self.server.url}/"))]
        return [*strange, *self.happened, *(one for one in self.site.asked if "/lure" in one and not one.startswith(ITSELF))]


@pytest_asyncio.fixture(loop_scope="session")
async def stage(browser: Browser, tmp_path: Path) -> AsyncIterator[Stage]:
    async with site() as shown, serving(tmp_path, shown) as server, watching(server, customer_name=CUSTOMER) as branch:
        lure = f"{shown.url}/lure"
        shown.pages["/hostile/page"] = hostile.page(lure)
        context = await browser.new_context(locale="en-GB", user_agent=ITSELF)
        made = Stage(shown, server, branch, await context.new_page(), await Seat.take(browser))
        customer, agent = made.customer, made.agent

        async def refuse(route: Any) -> None:
            made.tried.append(route.request.url)
            await route.abort("aborted")  # so that the page stays where something would lead it there

        await context.route("**/lure/**", refuse)
        customer.on("dialog", lambda dialog: dialog.dismiss())
        try:
            await customer.goto(f"{shown.url}/hostile/page", wait_until="commit")
            await customer.locator("#beacon").wait_for()
            await agent.sign_in(server.agent_url, *server.agent)
            await agent_enters(agent, session_of=CUSTOMER)
            code = await open_bare(customer, server)
            await agent.press("bar.page.open")
            await agent.fill("cobrowse.code.label", code)
            agent.context.on("request", lambda request: made.fetched.append(url_of(request)))
            agent.context.on("page", lambda page: made.happened.append(f"a window: {page.url}"))
            agent.page.on("dialog", lambda dialog: made.happened.append(f"a dialog: {dialog.message}"))
            agent.page.on("download", lambda download: made.happened.append(f"a download: {download.url}"))
            await agent.press("cobrowse.code.go")
            await made.seen("Hostile")
            yield made
        finally:
            await context.close()
            await all_leave(agent)


def url_of(request: Request) -> str:
    return request.url


async def test_nothing_runs_and_nothing_is_fetched(stage: Stage) -> None:
    customer, agent = stage.customer, stage.agent
    assert await customer.evaluate("window.ran") >= 5, "it is hostile"
    assert len(stage.tried) >= 20, "it is hostile"
    at = agent.page.url
    for number, piece in enumerate(hostile.PIECES):
        text = hostile.said(piece, f"{stage.site.url}/lure")
        await customer.evaluate("(html) => hostile.late(html)", text)
        if number % 6 == 0:
            await stage.says(f"Late {number}")
    await customer.evaluate("bare.draw()")
    await stage.says("Drawn anew")
    frame = await stage.frame()
    box = await agent.page.locator("iframe.page-frame").bounding_box()
    assert box is not None
    for x in range(1, 8):  # and all over it
        for y in range(1, 6):
            await agent.page.mouse.click(box["x"] + box["width"] * x / 8, box["y"] + box["height"] * y / 6)
    await stage.says("After the clicks")
    assert await frame.evaluate(f"({HARM})({SHOWN})") == []
    assert await agent.page.evaluate("window.ran") is None
    assert stage.harmed() == []
    assert agent.page.url == at
    inner = [one.url for one in agent.page.frames if one.parent_frame is not None]
    assert {url for url in inner if url not in ("", "about:blank", "about:srcdoc")} <= {f"{stage.server.url}/replay.html"}


async def test_a_page_without_end_harms_nobody(stage: Stage) -> None:
    customer = stage.customer
    async with watching(stage.server) as other:
        tab, view = await share(other, stage.site)
        waits: list[float] = []
        stop = asyncio.Event()
        others = asyncio.create_task(goes_on(tab, view, stop, waits))
        await customer.evaluate("(levels) => hostile.deep(levels)", DEEP)
        await customer.evaluate("hostile.gone('deep')")
        await customer.evaluate("bare.draw()")
        await stage.says("After the depth")
        assert await customer.evaluate("hostile.storm(3000, 100, 500)") >= 500  # for as long as that takes
        await customer.evaluate("hostile.gone('storm')")
        await customer.evaluate("bare.draw()")
        await stage.says("After the storm")
        await customer.evaluate("(many) => hostile.huge(many)", HUGE)
        await customer.evaluate("hostile.gone('huge')")
        await customer.evaluate("bare.draw()")
        await stage.says("After the mass")
        stop.set()
        await others
        assert len(waits) >= 5, "the other session's page was shown all the time"
        assert "Hostile" not in view.text
    assert stage.harmed() == []
    assert most_memory(stage.server.pid) < MOST_SERVER
    assert [most for pid in sanitisers(stage.server.pid) if (most := most_memory(pid)) >= MOST_SANITISER] == []


async def share(branch: Watching, shown: Site) -> tuple[Tab, View]:
    """A page of another session, which changes at once."""
    recorder = Recorder(f"{shown.url}/quiet")
    title = recorder.element("h1", {}, "Quiet")
    recorder.put(title)
    tab = await branch.tab(recorder, shown.url)
    await tab.hello(site="pk_corpus")
    await tab.next("tab.state")
    view = await branch.attach(tab.state["code"])
    assert (await view.ask(tab))["given"]
    await view.pictures()
    return tab, view


async def goes_on(tab: Tab, view: View, stop: asyncio.Event, waits: list[float]) -> None:
    """Changes, one after the other, as long as it takes; each is seen."""
    words = tab.recorder.body["childNodes"][0]["childNodes"][0]["id"]
    number = 0
    while not stop.is_set():
        number += 1
        said, began = f"Quiet {number}.", time.monotonic()
        await tab.record(mutation(texts=[{"id": words, "value": said}]))
        await view.until(lambda said=said: any(said in json.dumps(one) for one in view.events[-3:]))  # type: ignore[misc]
        waits.append(time.monotonic() - began)
        await asyncio.sleep(0.1)


def sanitisers(server: int) -> list[int]:
    """The process ids of the server's sanitisers."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            command = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:  # ended meanwhile
            continue
        if int(parent) == server and b"server.cobrowse.process" in command:
            found.append(int(folder.name))
    assert found
    return found
