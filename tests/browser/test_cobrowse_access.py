"""The demo bank's page shared by a customer who has keys alone: what stands on it, in both languages, on a telephone and at a desk, and two who look, each with their own grants."""

import asyncio
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Frame, Page, expect

from server.demo_bank.products import PHONE as NEW_NUMBER
from server.demo_bank.words import WORDS
from tests.browser.test_accessibility import AXE, RUN_AXE
from tests.browser.test_cobrowse import OPEN, READ_MS, SHOWN
from tests.support.bank import Bank
from tests.support.browser import DESKTOP, PHONE, Seat, all_leave
from tests.support.sdk_words import words
from tests.support.server_process import ServerProcess
from tests.support.watching import APPEARS_MS

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PICTURES = Path(os.environ["TESTS_PICTURES"]) if "TESTS_PICTURES" in os.environ else None
AGENT, EXPERT = "李明", "Dr Chen"
NUMBER = "15020014477"
"""Hidden, as a rule shows the field, but this is somebody's telephone."""
FIELD = "input[name=new_phone]"
DRAWN = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
#: What has the focus, in the script's own page, too.
FOCUSED = """
() => {
  let at = document.activeElement;
  while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  const { outlineStyle, outlineWidth } = getComputedStyle(at);
  return {
    own: at.getRootNode().host?.localName === "tongping-share",
    tag: at.localName,
    field: at.name ?? "",
    name: (at.ariaLabel || at.textContent).trim(),
    ring: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2,
  };
}
"""
#: Of the script's own page: what is too small to hit or to read, or does not fit.
SMALL = """
(host) => {
  const seen = [...host.shadowRoot.querySelectorAll(".panel *, .ghost *, .layer .name")].filter((one) => one.checkVisibility() && one.getClientRects().length);
  const said = [];
  for (const one of seen) {
    const box = one.getBoundingClientRect();
    const words = [...one.childNodes].some((child) => child.nodeType === 3 && child.nodeValue.trim() !== "") && one.className !== "said";
    if (words && parseFloat(getComputedStyle(one).fontSize) < 16) said.push(`letters of ${getComputedStyle(one).fontSize}: ${one.textContent}`);
    if (one.localName === "button" && (box.width < 44 || box.height < 44)) said.push(`a target of ${box.width} x ${box.height}: ${one.textContent}`);
    if (one.matches("button, h2, p") && (box.left < 0 || box.right > innerWidth)) said.push(`outside: ${one.textContent}`);
  }
  for (const card of host.shadowRoot.querySelectorAll(".card")) if (card.scrollHeight > card.clientHeight + 1) said.push(`must be scrolled: ${card.textContent}`);
  const bar = host.shadowRoot.querySelector(".bar:not(.open)");
  if (bar !== null && bar.offsetHeight > innerHeight / 4) said.push(`the bar takes ${bar.offsetHeight} of ${innerHeight}`);
  if (document.documentElement.scrollWidth > innerWidth) said.push("the page has become wider than the window");
  return said;
}
"""
#: Whether the page's end comes out from under the bar; what the bar says makes it higher, and the page is told with the next pictures.
CLEAR = """
async (host) => {
  for (const end = performance.now() + 10_000; performance.now() < end; await new Promise(requestAnimationFrame)) {
    scrollTo(0, document.documentElement.scrollHeight);
    const bar = host.shadowRoot.querySelector(".bar").getBoundingClientRect();
    if (document.body.getBoundingClientRect().bottom <= bar.top) return true;
  }
  return false;
}
"""


@dataclass
class Customer:
    """At the bank's page, on a telephone with keys."""

    seat: Seat
    language: str
    measured: bool = True
    """What is looked at."""
    found: list[str] = field(default_factory=list)
    """What ought not to be."""

    @property
    def page(self) -> Page:
        return self.seat.page

    def own(self, key: str) -> str:
        return words(self.language)[key]

    def part(self, selector: str) -> Any:
        return self.page.locator(f"tongping-share {selector}")

    async def come(self, url: str) -> None:
        """To a form of the bank's; axe may not run under the page's policy."""
        await self.seat.context.add_init_script(OPEN)
        cdp = await self.seat.context.new_cdp_session(self.page)
        await cdp.send("Page.setBypassCSP", {"enabled": True})
        word = WORDS["way_person_go"][0 if self.language == "zh" else 1]
        await self.page.goto(f"{url}/?lang={self.language}")
        await self.page.locator("button.person").first.click()
        await self.page.locator(f"a[href*='{NEW_NUMBER}']").first.click()
        await self.page.get_by_role("link", name=word, exact=True).click()
        await expect(self.page.locator(FIELD)).to_be_visible()
        await self.page.evaluate(AXE.read_text(encoding="utf-8"))

    async def focus(self) -> dict[str, Any]:
        found: dict[str, Any] = await self.page.evaluate(FOCUSED)
        return found

    async def hit(self, key: str) -> None:
        await self.page.keyboard.press(key)
        await self.page.evaluate(DRAWN)

    async def tab_to(self, *names: str) -> None:
        """Of the script's buttons the one with this name, or with all of these in its name; the focus is seen on it."""
        met: list[str] = []
        for _ in range(40):
            at = await self.focus()
            there = at["name"] == names[0] if len(names) == 1 else all(name in at["name"] for name in names)
            if at["own"] and at["tag"] == "button" and there:
                assert at["ring"], f"the focus is not seen on {at['name']}"
                return
            met.append(at["name"][:20])
            await self.hit("Tab")
        raise AssertionError(f"Tab never came to {names}: {met}")

    async def press(self, key: str) -> None:
        await self.tab_to(self.own(key))
        await self.hit("Enter")

    async def look(self, name: str) -> None:
        """On a telephone in light, at a desk in light or dark."""
        if not self.measured:
            return
        host = self.page.locator("tongping-share")
        for size, scheme in ((DESKTOP, "light" if self.language == "zh" else "dark"), (PHONE, "light")):
            await self.page.set_viewport_size(size)  # type: ignore[arg-type]
            await self.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            await self.page.evaluate(DRAWN)
            complaints = [*await host.evaluate(RUN_AXE), *await host.evaluate(SMALL)]
            self.found += [f"{name} {size['width']}: {one}" for one in complaints]
            if PICTURES is not None:
                await self.page.screenshot(path=PICTURES / f"axe-{name}-{self.language}-{size['width']}.png", caret="hide")

    async def asked(self, scope: str) -> None:
        """The question is there, and has the focus, which is seen."""
        title = self.own(f"ask.{scope}").replace("{who}", "")
        await expect(self.part(".card h2")).to_contain_text(title)
        at = await self.focus()
        assert at["own"], f"the focus is on {at}"
        assert (at["tag"], at["ring"]) == ("h2", True)
        assert title in at["name"]

    async def called(self) -> None:
        """A question waits; Escape leads to it where it took no focus, so soon after a key."""
        await expect(self.part(".choices")).to_be_visible()
        if not (await self.focus())["own"]:
            await self.hit("Escape")

    async def answer(self, given: bool) -> None:
        """From the question's title: No comes first, then Yes."""
        await self.page.wait_for_timeout(READ_MS)
        await self.hit("Tab")
        assert (await self.focus())["name"] == self.own("no")
        if given:
            await self.hit("Tab")
            at = await self.focus()
            assert (at["name"], at["ring"]) == (self.own("yes"), True)
        await self.hit("Enter")
        await expect(self.part(".choices")).to_have_count(0)

    async def give(self, agent: "Agent", scope: str) -> None:
        await agent.press(agent.step("ask", scope))
        await self.called()
        await self.answer(given=True)
        await agent.allowed(scope)

    async def take(self, name: str, scope: str) -> None:
        """Back from the one of this name."""
        if not await self.part(".bar.open").count():
            await self.part(".bar button").get_by_text(self.own("more"), exact=True).press("Enter")
        await self.part(f".bar.open button[aria-label*='{name}'][aria-label*='{self.own(f'may.{scope}')}']").press("Enter")

    async def write(self, number: str) -> None:
        """What stands in a field is told once it is left."""
        await self.page.locator(FIELD).fill(number)
        await self.hit("Tab")


@dataclass
class Agent:
    """At the workbench, by keys wherever the customer's page is concerned."""

    seat: Seat

    @property
    def page(self) -> Page:
        return self.seat.page

    async def enter(self, key: str) -> None:
        """Neither heard nor seen: here it is about the page."""
        for switch in ("join.microphone", "join.camera"):
            await self.page.get_by_role("switch", name=self.seat.say(switch)).click()
        await self.seat.press(key)

    async def press(self, label: str) -> None:
        button = self.page.get_by_role("button", name=label, exact=True)
        await expect(button).to_be_enabled()
        await button.focus()
        await self.page.keyboard.press("Enter")

    def step(self, what: str, scope: str) -> str:
        say = self.seat.say
        return f"{say(f'cobrowse.{what}')}: {say(f'cobrowse.scope.{scope}')}"

    async def allowed(self, scope: str) -> None:
        """The ladder says so where the focus stayed."""
        await expect(self.page.get_by_role("button", name=self.step("release", scope), exact=True)).to_be_focused()

    async def frame(self) -> Frame:
        await expect(self.page.locator("iframe.page-frame[data-page]")).to_be_visible()
        return next(one for one in self.page.frames if one.url.endswith("/replay.html"))

    async def use(self, tool: str) -> None:
        """The tool, then N until there is something for it, then Enter."""
        await self.press(self.seat.say(f"cobrowse.tool.{tool}"))
        frame = await self.frame()
        await frame.locator(".glass").focus()
        for _ in range(20):
            await self.page.keyboard.press("n")
            await frame.evaluate(DRAWN)
            if await frame.locator(".overlay .candidate").count():
                await self.page.keyboard.press("Enter")
                return
        raise AssertionError(f"nothing to {tool}")

    async def axe(self) -> list[str]:
        """The whole page and the frame with the replay, at a desk and on a telephone."""
        complaints: list[str] = []
        frame = await self.frame()
        for size in (PHONE, DESKTOP):
            await self.page.set_viewport_size(size)  # type: ignore[arg-type]
            for where in (self.page, frame):
                await where.evaluate(AXE.read_text(encoding="utf-8"))
                complaints += [f"agent {size['width']}: {one}" for one in await where.evaluate(RUN_AXE)]
            if PICTURES is not None:
                await self.page.screenshot(path=PICTURES / f"axe-agent-{size['width']}.png", caret="hide")
        return complaints


async def put_away(customer: Customer) -> None:
    """The code, and that it was."""
    own = customer.own
    await customer.look("button")
    await customer.press("button")
    await expect(customer.part(".code")).to_have_text(re.compile(r"\d{6}"))
    assert (await customer.focus())["name"] == own("code.title")
    await customer.look("code")
    await customer.press("cancel")
    await expect(customer.part(".bar")).to_contain_text(own("bar.ended"))
    await customer.look("over")


async def begin(customer: Customer, agent: Agent) -> None:
    """Help offered and accepted; the page seen."""
    page, own = customer.page, customer.own
    rail = agent.page.get_by_role("navigation", name=agent.seat.say("rail.label"))
    await rail.get_by_role("button", name=agent.seat.say("rail.onsite")).click()
    await agent.page.locator("li.task").filter(has_text="new order").get_by_role("button", name="Offer help").click()
    await expect(customer.part(".choices")).to_be_visible()
    assert not (await customer.focus())["own"], "an offer takes no focus"
    await customer.look("offer")
    await customer.hit("Escape")
    assert (await customer.focus())["name"] == own("help.offer.no")
    await page.wait_for_timeout(READ_MS)
    await customer.press("help.offer.yes")
    await agent.enter("join.start")
    await agent.seat.press("bar.page.open")
    await agent.seat.press("cobrowse.look.go")
    await expect(customer.part(".card h2[tabindex]")).to_be_visible()
    await customer.asked("view")
    await customer.look("ask-view")
    await customer.answer(given=True)
    await agent.frame()


async def allow(customer: Customer, agent: Agent) -> None:
    """The rest of the ladder: a no by Escape, a question while something is being written, and three times yes."""
    page = customer.page
    await customer.look("bar")
    await expect(customer.part(".bar .note")).to_have_text(customer.own("bar.hides"))
    assert await page.locator("tongping-share").evaluate(CLEAR), "the page's end stays under the bar"
    await customer.hit("Tab")
    assert (await customer.focus())["name"] == customer.own("pause"), "after the card comes the bar"

    await page.locator(FIELD).focus()
    await agent.press(agent.step("ask", "click"))
    await expect(customer.part(".choices")).to_be_visible()
    await customer.asked("click")
    await customer.look("ask-click")
    await page.wait_for_timeout(READ_MS)
    await customer.hit("Escape")
    await expect(customer.part(".choices")).to_have_count(0)
    assert (await customer.focus())["field"] == "new_phone", "back where it was"

    cdp = await customer.seat.context.new_cdp_session(page)
    await cdp.send("Input.imeSetComposition", {"text": "5", "selectionStart": 1, "selectionEnd": 1})
    await agent.press(agent.step("ask", "scroll"))
    await expect(customer.part(".choices")).to_be_visible()
    await expect(customer.part("[role=alert]")).to_contain_text(customer.own("reach"))
    assert (await customer.focus())["field"] == "new_phone", "nothing is taken from under the fingers"
    await cdp.send("Input.insertText", {"text": "5"})
    await customer.hit("Escape")
    await customer.asked("scroll")
    await customer.look("ask-scroll")
    await customer.answer(given=True)
    assert (await customer.focus())["field"] == "new_phone"
    await agent.allowed("scroll")
    for scope in ("point", "fill"):
        await page.locator("main").evaluate("() => document.activeElement.blur()")
        await agent.press(agent.step("ask", scope))
        await customer.called()
        await customer.asked(scope)
        await customer.look(f"ask-{scope}")
        await customer.answer(given=True)
        await agent.allowed(scope)
    await customer.look("bar-all")


async def work(customer: Customer, agent: Agent) -> None:
    """A proposal, what the agent sees, a question to talk."""
    page, own = customer.page, customer.own
    await agent.use("fill")
    await agent.page.get_by_label(agent.seat.say("cobrowse.fill.value")).fill(NUMBER)
    await agent.page.keyboard.press("Enter")
    await expect(customer.part(".ghost")).to_be_visible()
    await customer.look("proposal")
    await customer.hit("Escape")
    assert (await customer.focus())["name"] == own("ghost.dismiss")
    await page.wait_for_timeout(READ_MS)
    await customer.press("ghost.accept")
    await expect(page.locator(FIELD)).to_have_value(NUMBER)
    assert (await customer.focus())["field"] == "new_phone", "to see what stands there now"

    await customer.press("more")
    await customer.look("more")
    await customer.press("seen")
    await expect(customer.part(".hidden-area").first).to_be_attached()
    await customer.look("seen")
    await customer.press("seen.off")
    await customer.press("less")

    await agent.press(agent.seat.say("cobrowse.call.go"))
    await expect(customer.part(".choices")).to_be_visible()
    await customer.look("talk")
    await customer.hit("Escape")
    assert (await customer.focus())["name"] == own("help.call.no")
    await page.wait_for_timeout(READ_MS)
    await customer.hit("Enter")
    await agent.seat.sees(agent.seat.say("cobrowse.call.refused"))


@dataclass
class Expert(Agent):
    """Comes by link; what the server sends of the page is kept."""

    told: list[str] = field(default_factory=list)

    async def come(self, link: str) -> None:
        def heard(frame: str | bytes) -> None:
            if isinstance(frame, str) and ('"view.dom"' in frame or '"view.asset"' in frame):
                self.told.append(frame)

        self.page.on("websocket", lambda socket: socket.on("framereceived", heard))
        await self.page.goto(link)
        await self.enter("join.go")
        await self.seat.press("bar.page.open")

    async def looks(self, customer: Customer) -> None:
        """Inherits nothing of what the agent may: asks, and waits for a yes of their own."""
        await self.seat.sees(self.seat.say("cobrowse.look.title"))
        await expect(self.page.locator("iframe.page-frame")).to_have_count(0)
        assert self.told == []
        await self.seat.press("cobrowse.look.go")
        await customer.called()
        await expect(customer.part(".card")).to_contain_text(customer.own("ask.other"))
        await customer.look("ask-expert")
        await customer.answer(given=True)
        await self.frame()


async def has_tool(agent: Agent, there: bool) -> None:
    """What a grant to point gives: in the page of the one who has it, and of no other."""
    button = agent.page.get_by_role("button", name=agent.seat.say("cobrowse.tool.highlight"), exact=True)
    await expect(button).to_have_count(int(there))


async def sees_number(agent: Agent, number: str) -> None:
    """In the picture."""
    frame = await agent.frame()
    value = f"[...({SHOWN}?.querySelectorAll('label input') ?? [])].some((one) => one.value === {number!r})"
    async with asyncio.timeout(APPEARS_MS / 1000):
        while not await frame.evaluate(value):  # noqa: ASYNC110 - a page says nothing of itself
            await asyncio.sleep(0.05)


async def end(customer: Customer, agent: Agent) -> None:
    """Paused and gone on by the same button; control taken back; stopped."""
    await customer.press("pause")
    await agent.seat.sees(agent.seat.say("cobrowse.paused.title"))
    await customer.look("paused")
    assert (await customer.focus())["name"] == customer.own("resume")
    await customer.hit("Enter")
    await agent.frame()
    await customer.press("take")
    await expect(agent.page.locator(".step.granted")).to_have_count(2)
    await customer.press("stop")
    await agent.seat.sees(agent.seat.say("cobrowse.ended.title"))


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_a_page_is_shared_by_keys_alone(browser: Browser, server: ServerProcess, language: str) -> None:
    agent = Agent(await Seat.take(browser))
    customer = Customer(await Seat.take(browser, language=language, viewport=PHONE), language)
    try:
        cdp = await agent.seat.context.new_cdp_session(agent.page)
        await cdp.send("Page.setBypassCSP", {"enabled": True})
        await agent.seat.sign_in(server.agent_url, *server.agent)
        await customer.come(server.bank)
        await put_away(customer)
        await begin(customer, agent)
        await allow(customer, agent)
        await work(customer, agent)
        complaints = customer.found + await agent.axe()
        await end(customer, agent)
    finally:
        await all_leave(agent.seat, customer.seat)
    assert complaints == []


async def test_two_look_each_with_their_own_grants(browser: Browser, bank: Bank, server: ServerProcess) -> None:
    """Only the one who may point can; what is taken from the one the other keeps."""
    agent, expert = Agent(await Seat.take(browser)), Expert(await Seat.take(browser))
    customer = Customer(await Seat.take(browser, viewport=PHONE), "en", measured=False)
    try:
        await agent.seat.sign_in(server.agent_url, *server.agent)
        await customer.come(server.bank)
        await begin(customer, agent)
        await customer.give(agent, "point")
        session = (await bank.call("GET", "/sessions"))["sessions"][0]["id"]
        invited = await bank.call("POST", f"/sessions/{session}/invitations", {"role": "expert", "name": EXPERT})
        customer.measured = True
        await expert.come(invited["link"])
        await expert.looks(customer)
        names = customer.part(".bar .line bdi")
        await expect(names).to_have_count(2)
        await customer.look("two")
        customer.measured = False
        # the agent's mark is seen by both; the expert has nothing to draw with
        await has_tool(agent, there=True)
        await has_tool(expert, there=False)
        await expect(expert.page.locator(".step.granted")).to_have_count(1)
        await agent.use("highlight")
        seen = (await expert.frame()).locator(".overlay .mark.filled")
        await expect(customer.part("rect.highlight")).to_have_count(1)
        await expect(seen).to_have_count(1)
        await customer.write("555 0134")
        for one in (agent, expert):
            await sees_number(one, "555 0134")
        # pointing passes from the one to the other: what the agent drew goes, the expert's comes
        await customer.take(AGENT, "point")
        await expect(customer.part("rect.highlight")).to_have_count(0)
        await expect(seen).to_have_count(0)
        await customer.give(expert, "point")
        await has_tool(agent, there=False)
        await expert.use("highlight")
        await expect(customer.part("rect.highlight")).to_have_count(1)
        await expect((await agent.frame()).locator(".overlay .mark.filled")).to_have_count(1)
        # without view nothing more comes to the expert, nor stays of what they drew; the agent goes on
        await customer.take(EXPERT, "view")
        await expect(expert.page.locator("iframe.page-frame")).to_have_count(0)
        await expect(customer.part("rect.highlight")).to_have_count(0)
        await expect(names).to_have_count(1)
        silent = list(expert.told)
        await customer.write("555 0199")
        await sees_number(agent, "555 0199")
        await customer.take(AGENT, "view")
        await expect(agent.page.locator("iframe.page-frame")).to_have_count(0)
        assert expert.told == silent
    finally:
        await all_leave(agent.seat, expert.seat, customer.seat)
    assert customer.found == []
