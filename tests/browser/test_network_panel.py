"""The agent watches the network of a session: lines and figures that move, and the same as a table; nobody else sees them."""

import re

import pytest
from playwright.async_api import Browser, Locator, expect

from tests.support.bank import Bank
from tests.support.browser import APPEARS_MS, Seat, all_leave
from tests.support.call import agent_enters
from tests.support.server_process import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

POLLED_MS = APPEARS_MS + 10_000
"""Several polls, and the first feedback before them."""
MOVES = """([section, points]) => {
    const drawn = [...section.querySelectorAll("svg path.main")].map((path) => path.getAttribute("d"));
    return drawn.length === 4 && drawn[0].split("L").length > points && /[1-9]/.test(section.querySelector(".plot-now.main strong").textContent);
}"""


async def test_the_agent_sees_what_reaches_the_customer(browser: Browser, bank: Bank, server: ServerProcess) -> None:
    name = "Wu Networked"
    opened = await bank.open(customer=name)
    customer, agent = await Seat.take(browser), await Seat.take(browser)
    try:
        await agent.sign_in(server.agent_url, *server.agent)
        await agent_enters(agent, session_of=name)
        await customer.come_as_customer(opened.customer_link)
        await customer.receives("agent", "camera")
        await agent.receives("customer", "camera")

        await agent.press("bar.more")
        await agent.press("panel.network")
        section = agent.page.get_by_role("complementary").get_by_role("region", name=name)
        await expect(section).to_be_visible(timeout=APPEARS_MS)
        await section.scroll_into_view_if_needed()
        handle = await section.element_handle()
        await agent.page.wait_for_function(MOVES, arg=[handle, 2], timeout=POLLED_MS)
        first = await drawn(section)
        await agent.page.wait_for_function(MOVES, arg=[handle, len(first.split("L")) + 1], timeout=POLLED_MS)
        assert await drawn(section) != first
        shown = section.get_by_role("list", name=agent.say("netpanel.slots"))
        await expect(shown).to_contain_text(re.compile(r"[1-9]\d+ lines"), timeout=POLLED_MS)
        rate = section.get_by_role("img").first
        await expect(rate).to_have_attribute("aria-label", re.compile(r"Sent: now [1-9][\d.]* kbit/s, between"))

        await section.locator("summary").click()
        rows = section.get_by_role("table").get_by_role("row")
        await expect(rows.nth(1)).to_contain_text(re.compile(r"\d"))
        assert await rows.first.get_by_role("columnheader").count() == 7

        async with agent.page.expect_request(re.compile(r"/media$")):  # it goes on while it is open
            pass
        await agent.press("close")
        await expect(section).to_have_count(0)

        await customer.press("bar.more")
        await expect(customer.page.get_by_role("dialog")).to_be_visible()
        await expect(customer.page.get_by_role("button", name=customer.say("panel.network"))).to_have_count(0)
        assert agent.complaints == []
        assert customer.complaints == []
    finally:
        await all_leave(customer, agent)


async def drawn(section: Locator) -> str:
    return await section.locator("svg path.main").first.get_attribute("d") or ""
