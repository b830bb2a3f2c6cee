"""A page of the demo's bank, shown to an agent: two real windows, the customer's yes to each step, and what stays the customer's alone."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import Browser, Frame, Page, expect

from server.demo_bank import web
from server.demo_bank.products import PASSWORD, PHONE
from tests.support.bank import Bank
from tests.support.browser import APPEARS_MS, Seat, all_leave
from tests.support.call import agent_enters
from tests.support.demo_customer import bank_word
from tests.support.server_process import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PICTURES = Path(os.environ["TESTS_PICTURES"]) if "TESTS_PICTURES" in os.environ else None
OPEN = """
const attach = Element.prototype.attachShadow;
Element.prototype.attachShadow = function (options) {
  return attach.call(this, this.localName === "tongping-share" ? { ...options, mode: "open" } : options);
};
"""
"""So that a test can press what the script shows on the bank's page."""
READ_MS = 700
"""What is pressed at once was meant for something else: the prompt does not take it."""

#: Of the element of the replayed page that a selector names: its middle, in the frame's pixels.
MIDDLE = """
(selector) => {
  const sheet = document.querySelector(".sheet:not(.coming)");
  const box = sheet.querySelector("iframe").contentDocument.querySelector(selector).getBoundingClientRect();
  const scale = new DOMMatrix(getComputedStyle(sheet).transform).a;
  const paper = document.querySelector(".paper").getBoundingClientRect();
  return [paper.left + (box.left + box.width / 2) * scale, paper.top + (box.top + box.height / 2) * scale];
}
"""
BRAND = Path(web.__file__).with_name("static") / "brand.png"
SHOWN = "document.querySelector('.sheet:not(.coming) iframe')?.contentDocument"


@dataclass
class Shared:
    """``page``: the bank's page of the customer; ``call``: their page of the conversation."""

    agent: Seat
    call: Seat
    bank: Seat

    @property
    def page(self) -> Page:
        return self.bank.page

    async def frame(self) -> Frame:
        """The replay, once it has drawn something."""
        await expect(self.agent.page.locator("iframe.page-frame[data-page]")).to_be_visible()
        return next(one for one in self.agent.page.frames if one.url.endswith("/replay.html"))

    async def seen(self, script: str) -> None:
        """Waits until it is so in the page as the agent sees it; ``page`` is its document."""
        frame = await self.frame()
        async with asyncio.timeout(APPEARS_MS / 1000):
            while not await frame.evaluate(f"(() => {{ const page = {SHOWN}; return page && ({script}); }})()"):  # noqa: ASYNC110 - a page says nothing of itself
                await asyncio.sleep(0.05)

    async def click(self, selector: str) -> None:
        """In the picture, with the tool in the hand."""
        frame = await self.frame()
        x, y = await frame.evaluate(MIDDLE, selector)
        box = await self.agent.page.locator("iframe.page-frame").bounding_box()
        assert box is not None
        await self.agent.page.mouse.click(box["x"] + x, box["y"] + y)

    async def ask(self, scope: str, answer: str = "Yes, allow") -> None:
        say = self.agent.say
        await self.agent.press_label(f"{say('cobrowse.ask')}: {say(f'cobrowse.scope.{scope}')}")
        await self.answer(answer)

    async def answer(self, answer: str = "Yes, allow") -> None:
        button = self.page.get_by_role("button", name=answer, exact=True)
        await expect(button).to_be_visible()
        await self.page.wait_for_timeout(READ_MS)
        await button.click()

    async def standing(self, scope: str, how: str) -> None:
        step = self.agent.page.locator(".step").filter(has_text=self.agent.say(f"cobrowse.scope.{scope}.text"))
        await expect(step).to_have_class(re.compile(rf"\b{how}\b"))

    async def tool(self, name: str) -> None:
        group = self.agent.page.get_by_role("group", name=self.agent.say("cobrowse.tools"), exact=True)
        await group.get_by_role("button", name=self.agent.say(f"cobrowse.tool.{name}"), exact=True).click()

    async def came(self, outcome: str) -> None:
        """Of the newest act."""
        await expect(self.agent.page.locator(".acts > li").first).to_contain_text(self.agent.say(f"cobrowse.outcome.{outcome}"))

    async def photograph(self, name: str) -> None:
        if PICTURES is not None:
            await self.agent.page.screenshot(path=PICTURES / f"cobrowse-{name}-agent.png", caret="hide")
            await self.page.screenshot(path=PICTURES / f"cobrowse-{name}-customer.png", caret="hide")


@pytest_asyncio.fixture(loop_scope="session")
async def shared(browser: Browser, bank: Bank, server: ServerProcess) -> AsyncIterator[Shared]:
    """In a conversation, and the customer has a form of the bank's open in another window."""
    opened = await bank.open(customer="Lin Yue")
    made = Shared(await Seat.take(browser), await Seat.take(browser), await Seat.take(browser))
    try:
        await made.bank.context.add_init_script(OPEN)
        await made.agent.sign_in(server.agent_url, *server.agent)
        await agent_enters(made.agent, session_of="Lin Yue")
        await made.call.come_as_customer(opened.customer_link)
        await made.page.goto(f"{server.bank}/?lang=en")
        await made.page.locator("button.person").first.click()
        await made.page.get_by_role("link", name=re.compile(rf"^{re.escape(bank_word(PHONE))}")).click()
        await made.page.get_by_role("link", name=bank_word("way_person_go"), exact=True).click()
        yield made
    finally:
        await all_leave(made.agent, made.call, made.bank)


async def connect(shared: Shared) -> None:
    """The code read out, typed, and the customer's yes to being seen."""
    await shared.page.get_by_role("button", name="Get help with this page").click()
    card = shared.page.get_by_role("dialog", name="Your sharing code")
    await expect(card).to_contain_text(re.compile(r"\d{3}\s*\d{3}"))
    code = re.search(r"(\d{3})\s*(\d{3})", await card.inner_text())
    assert code is not None
    await shared.agent.press("bar.page.open")
    await shared.agent.fill("cobrowse.code.label", code[1] + code[2])
    await shared.agent.press("cobrowse.code.go")
    await shared.agent.sees(shared.agent.say("cobrowse.asked.title"))
    await shared.photograph("asked")
    await shared.answer()
    await shared.frame()


async def test_from_the_code_to_the_end(shared: Shared) -> None:
    agent, page = shared.agent, shared.page
    await connect(shared)
    heading = await page.locator("h1").inner_text()
    await shared.seen(f"page.body.innerText.includes({heading!r})")
    assert await page.locator("tongping-share").count() >= 1
    frame = await shared.frame()
    assert "tongping" not in await frame.evaluate(f"{SHOWN}.documentElement.outerHTML")
    await shared.photograph("seen")
    # every change, but what looks like somebody's telephone
    field = page.locator("input[name=new_phone]")
    for typed, shown in (("555 0134", "555 0134"), ("15020014477", "•••••"), ("555 0134", "555 0134")):
        await field.fill(typed)
        await field.press("Tab")  # it is told once the field is left
        await shared.seen(f"[...page.querySelectorAll('label input')].some((one) => one.value === {shown!r})")
    # pointing takes a yes of its own
    await expect(agent.page.get_by_role("button", name=agent.say("cobrowse.tool.point"), exact=True)).to_have_count(0)
    await shared.ask("scroll", "No")
    await shared.standing("scroll", "refused")
    await shared.ask("point")
    await shared.standing("point", "granted")
    await shared.tool("highlight")
    await shared.click("h1")
    await expect(agent.button("cobrowse.undo")).to_be_visible()
    await shared.photograph("highlight")
    await agent.press("cobrowse.clear")
    # proposing takes no more than pointing
    await shared.tool("propose")
    await shared.click("label input")
    await agent.page.get_by_role("textbox", name=agent.say("cobrowse.fill.value"), exact=True).fill("555 0199")
    await shared.photograph("propose")
    await expect(
        agent.page.get_by_role("dialog").get_by_role("button", name=agent.say("cobrowse.fill.now"), exact=True)
    ).to_have_count(0)
    await agent.page.get_by_role("dialog").get_by_role("button", name=agent.say("cobrowse.fill.propose"), exact=True).click()
    await expect(page.get_by_role("button", name="Accept", exact=True)).to_be_visible()
    await expect(page.locator("input[name=new_phone]")).to_have_value("555 0134")
    await shared.photograph("proposed")
    await page.wait_for_timeout(READ_MS)
    await page.get_by_role("button", name="Accept", exact=True).click()
    await expect(page.locator("input[name=new_phone]")).to_have_value("555 0199")
    await shared.came("accepted")
    # what submits stays the customer's
    await shared.ask("click")
    await shared.standing("click", "granted")
    before = page.url
    await shared.tool("click")
    await shared.click("main form button:last-of-type")
    await shared.came("refused")
    assert page.url == before
    await shared.photograph("refused")
    # and so does the end
    await page.get_by_role("button", name="Stop", exact=True).click()
    await agent.sees(agent.say("cobrowse.ended.title"))
    await expect(agent.page.locator("iframe.page-frame")).to_have_count(0)
    await shared.photograph("ended")


async def test_another_page_asks_anew_and_its_secrets_stay(shared: Shared) -> None:
    agent, page = shared.agent, shared.page
    await connect(shared)
    await shared.ask("fill")
    await shared.standing("fill", "granted")
    await page.goto(re.sub(r"/new/[^/?]+", f"/new/{PASSWORD}", page.url))
    heading = await page.locator("h1").inner_text()
    await shared.seen(f"page.body.innerText.includes({heading!r})")
    await shared.standing("view", "granted")
    await shared.standing("fill", "open")
    await page.locator("input[name=new_secret]").fill("804152")
    await page.locator("input[name=new_secret]").press("Tab")
    await shared.seen("[...page.querySelectorAll('label input')].some((one) => one.value === '•••••')")
    frame = await shared.frame()
    assert "804152" not in await frame.evaluate(
        f"{SHOWN}.documentElement.outerHTML + [...{SHOWN}.querySelectorAll('input')].map((one) => one.value)"
    )
    await shared.ask("fill")
    await shared.standing("fill", "granted")
    await shared.tool("fill")
    await shared.click("label input")
    await agent.page.get_by_role("textbox", name=agent.say("cobrowse.fill.value"), exact=True).fill("111111")
    await agent.page.get_by_role("dialog").get_by_role("button", name=agent.say("cobrowse.fill.now"), exact=True).click()
    await shared.came("refused")
    await expect(page.locator("input[name=new_secret]")).to_have_value("804152")
    await shared.photograph("secret")
    await agent.press("bar.page.close")
    await expect(agent.page.locator("iframe.page-frame")).to_have_count(0)
    await agent.press("bar.page.open")
    await shared.seen(f"page.body.innerText.includes({heading!r})")
    await page.get_by_role("button", name="Pause", exact=True).click()
    await agent.sees(agent.say("cobrowse.paused.title"))
    await agent.press("cobrowse.detach")
    await agent.sees(agent.say("cobrowse.ended.title"))


#: Of an image of the replayed page: how large it is, and its pixels.
PIXELS = """
(image) => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  return [canvas.width, canvas.height, [...context.getImageData(0, 0, canvas.width, canvas.height).data]];
}
"""


async def logo_of(frame: Frame) -> tuple[int, int, bytes]:
    """The one in the head of the replayed page: width, height, RGBA."""
    width, height, pixels = await frame.evaluate(f"({PIXELS})({SHOWN}.querySelector('header img'))")
    return width, height, bytes(pixels)


def bank_logo() -> tuple[int, int, bytes]:
    """The demo bank's; it is drawn anew without loss."""
    with Image.open(BRAND) as image:
        return *image.size, image.convert("RGBA").tobytes()


async def test_an_image_that_a_rule_names_is_seen_and_nobody_fetches_it(shared: Shared) -> None:
    agent, page = shared.agent, shared.page
    await page.evaluate("""async () => {
      const image = Object.assign(document.createElement("img"), { src: "/static/brand.png?token=s3cret", alt: "s3cret" });
      document.querySelector("main").append(image);
      await image.decode();
    }""")
    asked: list[str] = []
    for one in (page, agent.page):
        one.on("request", lambda request: asked.append(request.url))
    frames: list[str] = []
    agent.page.on("websocket", lambda socket: socket.on("framereceived", lambda data: frames.append(str(data))))
    await connect(shared)
    await shared.seen("page.querySelector('header img')?.naturalWidth > 0")
    frame = await shared.frame()
    assert await logo_of(frame) == bank_logo()
    other = f"[...{SHOWN}.querySelectorAll('main img')].map((one) => [one.dataset.asset ?? null, one.getAttribute('src')])"
    assert await frame.evaluate(other) == [[None, None]]
    assert not [url for url in asked if "brand.png" in url]
    assert any('"view.asset"' in one for one in frames)
    assert not [one for one in frames if "brand.png" in one or "s3cret" in one]
    # what it showed goes with its address
    await page.evaluate("document.querySelector('.brand-art').removeAttribute('src')")
    await shared.seen("page.querySelector('header img').getAttribute('src') === null")
