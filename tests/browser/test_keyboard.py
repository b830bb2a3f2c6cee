"""Without a mouse: everything can be reached and is seen to be reached, and a customer and an agent get through a whole call."""

import os
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.support.stories import Stories, open_stories
from tests.support.words import say

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
LONG = os.environ.get("TESTS_CAMPAIGN") == "long"

#: Marks what must be reached: `data-reach` is its number in the document's order. Answers how many there are.
MARK = """
() => {
  const all = [...document.querySelectorAll('button, a[href], input, select, textarea, summary, [tabindex="0"]')];
  const groups = new Set();
  let number = 0;
  for (const element of all) {
    if (element.disabled || element.tabIndex < 0 || element.closest("[inert]") || !element.checkVisibility({ visibilityProperty: true })) continue;
    if (element.type === "radio") {
      if (groups.has(element.name)) continue; // one of a group takes the focus, arrows go on from there
      groups.add(element.name);
    }
    element.dataset.reach = String(number);
    number += 1;
  }
  return number;
}
"""
#: Number of what has the focus, whether that is seen, and its name.
FOCUSED = """
() => {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  const outlined = (one) => getComputedStyle(one).outlineStyle !== "none" && parseFloat(getComputedStyle(one).outlineWidth) >= 2;
  const within = element.localName === "iframe" ? element.contentDocument?.activeElement : null; // a frame of ours shows the focus by itself
  const ring = (one) => outlined(one) || (one === element && within !== null && within !== undefined && outlined(within));
  const name = (element.ariaLabel || element.labels?.[0]?.textContent || element.textContent || "").trim();
  return { reach: Number(element.dataset.reach ?? -1), ring: ring(element) || (element.closest(".reason") !== null && ring(element.closest(".reason"))), name };
}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stories(browser: Browser) -> AsyncIterator[Stories]:
    async with open_stories(browser, 1280) as opened:
        yield opened


async def _complaints(stories: Stories) -> list[str]:
    """Tab through all of it once: what is left out, out of order, or not seen to have the focus."""
    page = stories.page
    wanted: int = await page.evaluate(MARK)
    met: list[int] = []
    complaints: list[str] = []
    for _ in range(wanted + 2):
        await page.keyboard.press("Tab")
        focused = await page.evaluate(FOCUSED)
        if focused is None:
            continue  # the browser's own bar comes between the last and the first
        if focused["reach"] in met:
            break
        if not focused["ring"]:
            complaints.append(f"the focus is not seen on {focused['name'][:40]!r}")
        if focused["reach"] >= 0:
            met.append(focused["reach"])
    missing = set(range(wanted)) - set(met)
    if missing:
        names = await page.evaluate(
            "(numbers) => numbers.map((one) => document.querySelector(`[data-reach='${one}']`)?.outerHTML.slice(0, 120) ?? `${one} is there no more`)",
            sorted(missing),
        )
        complaints.append(f"not reached: {names}")
    turns = sum(1 for one, following in pairwise(met) if following < one)
    if turns > 1:  # once from the last to the first: a page may begin in the middle
        complaints.append(f"jumps about: {met}")
    return complaints


@pytest.mark.deadline(900)
async def test_everything_is_reached_in_order_and_seen(stories: Stories) -> None:
    """The short form goes through every second of them."""
    found: dict[str, list[str]] = {}
    for name in stories.names if LONG else stories.names[::2]:
        await stories.show(name, lang="en")
        if complaints := await _complaints(stories):
            found[name] = complaints
    assert found == {}


class Hands:
    """Keys only."""

    def __init__(self, stories: Stories, lang: str) -> None:
        self.page = stories.page
        self.lang = lang

    def say(self, key: str, **places: object) -> str:
        return say(self.lang, key, **places)

    async def go_to(self, key: str, **places: object) -> None:
        """Tab until the focus is there."""
        wanted = self.say(key, **places)
        met: list[str] = []
        for _ in range(60):
            focused = await self.page.evaluate(FOCUSED)
            if focused is not None and focused["name"] == wanted:
                return
            met.append(focused["name"] if focused else "")
            await self.page.keyboard.press("Tab")
        raise AssertionError(f"Tab never came to {wanted!r}: {met}")

    async def press(self, key: str, **places: object) -> None:
        await self.go_to(key, **places)
        await self.hit("Enter")

    async def hit(self, key: str) -> None:
        """As a person would: the next key comes when the page has drawn what this one did."""
        await self.page.keyboard.press(key)
        await self.page.evaluate(
            "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
        )

    async def focused(self) -> str:
        focused = await self.page.evaluate(FOCUSED)
        return str(focused["name"]) if focused else ""

    async def heading(self, key: str, **places: object) -> None:
        await expect(self.page.get_by_role("heading", name=self.say(key, **places))).to_be_visible()

    async def hears(self, text: str) -> None:
        """What a screen reader is told."""
        await expect(self.page.locator("[aria-live=polite].hidden-text").last).to_contain_text(text)


@pytest.mark.parametrize("lang", ["en", "zh"])
async def test_a_customer_gets_through_a_call(stories: Stories, lang: str) -> None:
    await stories.show("customer-flow", lang=lang)
    hands, page = Hands(stories, lang), stories.page
    await hands.go_to("arrive.code")
    await page.keyboard.type("482913")
    await hands.hit("Enter")
    await hands.press("start")
    await hands.press("check.before.go")
    await hands.heading("check.title")
    await hands.press("next")
    for scope in ("microphone", "camera"):
        await hands.heading(f"consent.{scope}.title")
        await hands.press("consent.yes")
    await hands.press("bar.mic.off")
    assert await hands.focused() == hands.say("bar.mic.on")  # the same button, with its new name

    await hands.press("bar.chat")
    await hands.go_to("chat.write")
    await page.keyboard.type("Hello")
    await hands.hit("Enter")
    await expect(page.locator(".bubble > p")).to_have_text(["Hello"])
    await hands.hit("Escape")
    await expect(page.get_by_label(hands.say("chat.write"))).to_have_count(0)
    assert await hands.focused() == hands.say("bar.chat")

    await hands.press("bar.screen")
    await hands.press("consent.no")
    assert await hands.focused() == hands.say("bar.screen")

    await hands.press("bar.end")
    assert await page.evaluate("document.querySelector('.bar').closest('[inert]') !== null")
    assert await page.evaluate("document.querySelector('[aria-live=polite].hidden-text').closest('[inert]') === null")
    assert await hands.focused() == hands.say("end.no")  # Enter without thinking does no harm
    await hands.hit("Escape")
    assert await hands.focused() == hands.say("bar.end")
    assert await page.evaluate("document.querySelectorAll('[inert]').length") == 0
    await hands.hit("Enter")
    await hands.press("end.yes")
    await hands.heading("ended.session_ended")


async def test_an_agent_gets_through_a_call(stories: Stories) -> None:
    await stories.show("agent-flow", lang="en")
    hands, page = Hands(stories, "en"), stories.page
    await hands.go_to("login.username")
    await page.keyboard.type("jing.li")
    await hands.hit("Tab")
    await page.keyboard.type("a long enough password")
    await hands.hit("Enter")
    await hands.press("waiting.take.label", name="Maria Okonkwo")
    await hands.press("join.start")
    await expect(page.locator(".stage-main")).to_be_visible()

    await hands.press("context.edit")
    assert await hands.focused() == hands.say("create.context")
    await page.keyboard.type("m cm i: letters are letters here. ")
    await hands.press("save")
    await hands.hears(hands.say("context.saved"))
    await expect(page.get_by_role("button", name=hands.say("context.edit"))).to_be_focused()

    await hands.hit("c")
    await expect(page.get_by_label(hands.say("chat.write"))).to_be_visible()
    await hands.hit("Escape")
    await hands.hit("i")
    await hands.go_to("invite.name")
    await page.keyboard.type("Dr Chen")
    await hands.hit("Enter")
    await hands.heading("invite.made", name="Dr Chen")
    await hands.hit("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await hands.hit("?")
    await hands.heading("keys.title")
    await hands.hit("Escape")
    await hands.press("bar.end")
    await hands.press("end.yes")
    await expect(page.get_by_text(hands.say("bench.ended"))).to_be_visible()
