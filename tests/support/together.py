"""Two windows at one page: a customer of the demo's bank at its page for transfers, and an agent at the desk who sees it, for tests and pictures."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Browser, Locator, expect

from server.demo_bank.words import WORDS
from tests.browser.test_cobrowse import OPEN, SHOWN, Shared
from tests.support.browser import Seat, all_leave
from tests.support.pages import Json, nodes_of
from tests.support.server_process import ServerProcess
from tests.support.watching import APPEARS_MS

FULL_PICTURE = 2
YES = {"en": "Yes, allow", "zh": "同意"}
LINES = """
{
  const Own = WebSocket;
  window.WebSocket = class extends Own {
    constructor(...given) {
      super(...given);
      this.said = [];
      this.heard = [];
      if (!/\\/cobrowse\\/(view|tab)$/.test(String(given[0]))) return;
      window.line = this;
      this.addEventListener("message", ({ data }) => this.heard.push(data));
    }
    send(data) {
      this.said.push(data);
      super.send(data);
    }
  };
}
"""
"""So that a test can speak on a window's own socket, and hear it."""

FORGE = """
async ([acts, pace]) => {
  const heard = () => line.heard.filter((text) => text.includes('"view.done"')).map((text) => JSON.parse(text)).filter((one) => one.type === "view.done");
  for (const one of acts) {
    line.send(JSON.stringify(one));
    await new Promise((go) => setTimeout(go, pace));
  }
  while (true) {
    const done = new Map(heard().map((one) => [one.act, one.outcome]));
    if (acts.every((one) => done.has(one.act))) return acts.map((one) => done.get(one.act));
    await new Promise((go) => setTimeout(go, 20));
  }
}
"""
LIE = """
async (acts) => {
  const read = (texts, type) => texts.filter((text) => text.includes(`"${type}"`)).map((text) => JSON.parse(text)).filter((one) => one.type === type);
  const about = { page: read(line.said, "tab.hello").at(-1).page, viewer: read(line.heard, "tab.state").at(-1).viewers[0].id };
  for (const one of acts) line.dispatchEvent(new MessageEvent("message", { data: JSON.stringify({ ...one, ...about }) }));
  while (true) {
    const done = new Map(read(line.said, "tab.done").map((one) => [one.act, one.outcome]));
    if (acts.every((one) => done.has(one.act))) return acts.map((one) => done.get(one.act));
    await new Promise((go) => setTimeout(go, 20));
  }
}
"""
AT_ONCE, PACE_MS = 8, 120
"""Of one viewer's acts the server takes up so many, and ten a second; all beyond it would refuse without looking at them."""

BOX = """
(element) => {
  const { x, y, width, height } = element.getBoundingClientRect();
  return [x, y, width, height];
}
"""


@dataclass
class Together(Shared):
    """Parts of the replayed page are named by what they are: classes and ids come as digests. An expression speaks of ``page``."""

    acts: int = field(default=0, init=False)

    async def of(self, expression: str) -> Any:
        """Of the page as the agent sees it."""
        return await (await self.frame()).evaluate(f"(() => {{ const page = {SHOWN}; return {expression}; }})()")

    async def spot(self, expression: str, x: float = 0.5, y: float = 0.5) -> tuple[float, float]:
        """Of an element of the replayed page, in the agent's window."""
        left, top = await (await self.frame()).evaluate(
            f"""(() => {{
              const page = {SHOWN}, sheet = document.querySelector(".sheet:not(.coming)");
              const box = ({expression}).getBoundingClientRect(), scale = new DOMMatrix(getComputedStyle(sheet).transform).a;
              const paper = document.querySelector(".paper").getBoundingClientRect();
              return [paper.left + (box.left + box.width * {x}) * scale, paper.top + (box.top + box.height * {y}) * scale];
            }})()"""
        )
        frame = await self.agent.page.locator("iframe.page-frame").bounding_box()
        assert frame is not None
        return frame["x"] + left, frame["y"] + top

    async def pick(self, expression: str) -> None:
        await self.agent.page.mouse.click(*await self.spot(expression))

    async def drag(self, expression: str) -> None:
        """Across the middle of an element."""
        mouse = self.agent.page.mouse
        await mouse.move(*await self.spot(expression, 0.25, 0.25))
        await mouse.down()
        for part in (0.4, 0.6, 0.75):
            await mouse.move(*await self.spot(expression, part, part))
        await mouse.up()

    async def bring(self, name: str) -> None:
        """The customer scrolls to a field of theirs, and the agent sees it."""
        where = f"[name={name}]" if name.isidentifier() else name
        scroll = "(field) => { field.scrollIntoView({ block: 'center', behavior: 'instant' }); return scrollY; }"
        at = await self.page.locator(where).evaluate(scroll)
        await self.seen(f"Math.abs(page.defaultView.scrollY - {at}) < 3")

    async def enter(self, expression: str, value: str, how: str) -> None:
        """With the tool in the hand; ``how``: ``now`` or ``propose``."""
        await self.pick(expression)
        dialog = self.agent.page.get_by_role("dialog")
        await dialog.get_by_role("textbox").fill(value)
        await dialog.get_by_role("button", name=self.agent.say(f"cobrowse.fill.{how}"), exact=True).click()

    async def fill_in(self) -> None:
        """The customer does: everything that is needed."""
        page = self.page
        await page.locator("#payees button").nth(9).click()
        await page.locator("[name=amount]").fill("250.00")
        await page.locator("[name=purpose]").select_option("purpose_rent")
        await page.locator("[name=memo]").fill("May")
        await page.locator("[name=memo]").press("Tab")
        await page.evaluate("scrollTo(0, 0)")
        await self.seen(
            "[...page.querySelectorAll('input')].some((one) => one.value === 'May') && page.defaultView.scrollY === 0"
        )

    async def resync(self) -> None:
        """The button does it: the picture is another."""
        agent = self.agent
        await self.of("page.documentElement.setAttribute('data-before', '')")
        tools = agent.page.get_by_role("group", name=agent.say("cobrowse.tools"), exact=True)
        await tools.get_by_role("button", name=agent.say("cobrowse.resync"), exact=True).click()
        await self.seen("!page.documentElement.hasAttribute('data-before') && page.querySelector('h1') !== null")

    def drawn(self, look: str) -> Locator:
        """What the customer sees of it."""
        return self.page.locator(f"tongping-share {look}")

    async def around(self, drawn: Locator, what: Locator, by: float = 12) -> None:
        """That it is drawn around this part of the customer's page."""
        async with asyncio.timeout(APPEARS_MS / 1000):
            while True:
                one, other = await drawn.evaluate(BOX), await what.evaluate(BOX)
                if all(abs(a - b) <= by for a, b in zip(one, other, strict=True)):
                    return
                await asyncio.sleep(0.05)

    async def forge(self, acts: list[dict[str, Any]]) -> list[str]:
        """On the agent's socket, by hand; what came of each."""
        came: list[str] = []
        for first in range(0, len(acts), AT_ONCE):
            came += await self.agent.page.evaluate(FORGE, [[self._act(one) for one in acts[first : first + AT_ONCE]], PACE_MS])
        return came

    async def lie(self, acts: list[dict[str, Any]]) -> list[str]:
        """To the customer's page, as if the server had let it through: from the one who looks."""
        came: list[str] = await self.page.evaluate(LIE, [self._act(one) for one in acts])
        return came

    def _act(self, act: dict[str, Any]) -> dict[str, Any]:
        self.acts += 1
        return {"type": "act", "act": str(9000 + self.acts), "value": "", "viewer": ""} | act

    async def reached(self) -> int:
        """How many acts the customer's page was told to do."""
        count = """line.heard.filter((text) => text.includes('"act"') && JSON.parse(text).type === "act").length"""
        return int(await self.page.evaluate(count))

    async def looks_at(self) -> int:
        """The server's number of the page."""
        states = [one for one in map(json.loads, await self.agent.page.evaluate("line.heard")) if one["type"] == "view.state"]
        return int(states[-1]["page"])

    async def nodes(self) -> dict[int, Json]:
        """Of the newest whole picture that the agent's window was sent, by number."""
        events: list[Json] = []
        parts: list[str] = []
        for text in await self.agent.page.evaluate("line.heard"):
            one = json.loads(text)
            if one["type"] == "view.dom":
                parts.append(one["text"])
                if one["last"]:
                    events.append(json.loads("".join(parts)))
                    parts.clear()
        return nodes_of([one for one in events if one["type"] == FULL_PICTURE][-1]["data"]["node"])


@asynccontextmanager
async def together(
    browser: Browser, server: ServerProcess, *, language: str = "en", viewport: dict[str, int] | None = None, script: str = ""
) -> AsyncIterator[Together]:
    """The customer has the page for transfers open; the agent has typed their code at the desk, and sees it. ``viewport``: the customer's; ``script``: for the
    agent's window."""
    bank = await Seat.take(browser, language=language, viewport=viewport)
    made = Together(await Seat.take(browser, language=language), bank, bank)
    agent, page = made.agent, made.page
    try:
        await bank.context.add_init_script(OPEN)
        for seat in (agent, bank):
            await seat.context.add_init_script(LINES)
        if script:
            await agent.context.add_init_script(script)
        await agent.sign_in(server.agent_url, *server.agent)
        await page.goto(f"{server.bank}/?lang={language}")
        await page.locator("button.person").first.click()
        await page.get_by_role("link", name=re.compile(rf"^{WORDS['transfer'][language == 'en']}")).click()
        await page.locator("tongping-share button").first.click()
        digits = page.locator("tongping-share .code")
        await expect(digits).to_have_text(re.compile(r"\d{6}"))
        rail = agent.page.get_by_role("navigation", name=agent.say("rail.label"))
        await rail.get_by_role("button", name=agent.say("rail.onsite")).click()
        await agent.fill("onsite.code", await digits.inner_text())
        await agent.press("cobrowse.code.go")
        await agent.press("join.start")
        await agent.press("bar.page.open")
        await agent.press("cobrowse.look.go")
        await made.answer(YES[language])
        await made.frame()
        yield made
    finally:
        await all_leave(agent, bank)
