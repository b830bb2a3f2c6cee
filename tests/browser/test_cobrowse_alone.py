"""Help is offered to somebody on the demo bank's page, who accepts it and shows the page, without a link and without a conversation; or reads the code by telephone."""

import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from server.demo_bank.products import PHONE
from tests.browser.test_cobrowse import OPEN, READ_MS
from tests.support.browser import Seat, all_leave
from tests.support.demo_customer import bank_word
from tests.support.server_process import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PICTURES = Path(os.environ["TESTS_PICTURES"]) if "TESTS_PICTURES" in os.environ else None
SIZES = {"desktop": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}


@dataclass
class OnSite:
    agent: Seat
    bank: Seat
    size: str

    @property
    def page(self) -> Page:
        return self.bank.page

    async def list(self) -> None:
        rail = self.agent.page.get_by_role("navigation", name=self.agent.say("rail.label"))
        await rail.get_by_role("button", name=self.agent.say("rail.onsite")).click()

    async def press(self, words: str) -> None:
        button = self.page.get_by_role("button", name=words, exact=True)
        await expect(button).to_be_visible()
        await self.page.wait_for_timeout(READ_MS)
        await button.click()

    async def seen(self) -> None:
        """The agent comes in with neither microphone nor camera asked of the customer, and sees the page after their yes."""
        agent = self.agent
        await agent.press("join.start")
        await agent.press("bar.page.open")
        await agent.press("cobrowse.look.go")
        await self.photograph("asked")
        await self.press("Yes, allow")
        await expect(agent.page.locator("iframe.page-frame[data-page]")).to_be_visible()
        await self.photograph("seen")

    async def begin(self) -> None:
        """By the code, read by telephone."""
        agent, page = self.agent, self.page
        await page.get_by_role("button", name="Get help with this page").click()
        code_card = page.get_by_role("dialog", name="Your sharing code")
        await expect(code_card).to_contain_text(re.compile(r"\d{3}\s*\d{3}"))
        code = re.search(r"(\d{3})\s*(\d{3})", await code_card.inner_text())
        assert code is not None
        await self.list()
        await agent.fill("onsite.code", code[1] + code[2])
        await agent.press("cobrowse.code.go")
        await self.seen()

    async def photograph(self, name: str) -> None:
        if PICTURES is not None:
            await self.agent.page.screenshot(path=PICTURES / f"g-{name}-{self.size}-agent.png", caret="hide")
            await self.page.screenshot(path=PICTURES / f"g-{name}-{self.size}-customer.png", caret="hide")


@pytest_asyncio.fixture(loop_scope="session", params=list(SIZES))
async def on_site(request: pytest.FixtureRequest, browser: Browser, server: ServerProcess) -> AsyncIterator[OnSite]:
    """A customer at a form of the bank's, and an agent at the desk who have never met."""
    made = OnSite(await Seat.take(browser), await Seat.take(browser, viewport=SIZES[request.param]), request.param)
    try:
        await made.bank.context.add_init_script(OPEN)
        await made.agent.sign_in(server.agent_url, *server.agent)
        await made.page.goto(f"{server.bank}/?lang=en")
        await made.page.locator("button.person").first.click()
        await made.page.get_by_role("link", name=re.compile(rf"^{re.escape(bank_word(PHONE))}")).click()
        await made.page.get_by_role("link", name=bank_word("way_person_go"), exact=True).click()
        yield made
    finally:
        await all_leave(made.agent, made.bank)


async def test_help_is_offered_and_accepted(on_site: OnSite) -> None:
    agent, page = on_site.agent, on_site.page
    await on_site.list()
    card = (
        agent.page.locator("li.task")
        .filter(has_text="new order")
        .filter(has=agent.page.get_by_role("button", name="Offer help"))
    )
    await expect(card).to_have_count(1)
    await on_site.photograph("listed")
    await card.get_by_role("button", name="Offer help").click()
    await on_site.photograph("offered")
    offer = page.get_by_role("region", name=re.compile("offers to help you here"))
    await expect(offer).to_be_visible()
    assert await page.evaluate("document.activeElement.localName") != "tongping-share", "it takes no focus"
    await on_site.press("Yes, please")
    await on_site.seen()
    await page.get_by_role("button", name="Stop", exact=True).click()
    await agent.sees(agent.say("cobrowse.ended.title"))


async def test_the_code_is_typed_where_no_session_is(on_site: OnSite) -> None:
    agent, page = on_site.agent, on_site.page
    await on_site.begin()
    await page.get_by_role("button", name="Stop", exact=True).click()
    await agent.sees(agent.say("cobrowse.ended.title"))


@pytest.mark.parametrize("popups", [True, False])
async def test_from_the_page_into_the_conversation_and_back(on_site: OnSite, popups: bool) -> None:
    if not popups and on_site.size == "phone":
        pytest.skip("once is enough")
    agent, page = on_site.agent, on_site.page
    if not popups:
        await page.evaluate("window.open = () => null")
    await on_site.begin()
    await agent.press("cobrowse.call.go")
    card = page.get_by_role("region", name=re.compile("would like to talk with you"))
    await expect(card).to_be_visible()
    await on_site.photograph("call")
    async with page.context.expect_page() as coming:
        await on_site.press("Yes, open it")
        if not popups:
            link = page.get_by_role("link", name="Open the conversation")
            await expect(link).to_be_visible()
            await on_site.photograph("blocked")
            await link.click()
    window = await coming.value
    await window.wait_for_url(re.compile("/j/"))
    assert await window.evaluate("window.opener") is None
    talk = Seat(page.context, window, "en")
    await talk.check_and_agree()
    await expect(agent.button("cobrowse.call.go")).to_have_count(0)
    await on_site.photograph("talking")
    await window.close()
    await expect(agent.page.locator("iframe.page-frame[data-page]")).to_be_visible()
    await expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
    await expect(agent.button("cobrowse.call.go")).to_be_visible()
    await page.get_by_role("button", name="Stop", exact=True).click()
    await agent.sees(agent.say("cobrowse.ended.title"))
