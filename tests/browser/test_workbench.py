"""What the agent writes down while talking reaches the expert; what somebody pauses is told apart from what they stop."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.support.bank import Bank
from tests.support.browser import APPEARS_MS, Seat
from tests.support.call import agent_enters
from tests.support.server_process import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@dataclass
class Desk:
    """A walk-in customer whom the agent has taken."""

    customer: Seat
    agent: Seat
    browser: Browser


@pytest_asyncio.fixture(loop_scope="session")
async def desk(browser: Browser, bank: Bank, server: ServerProcess) -> AsyncIterator[Desk]:
    customer, agent = await Seat.take(browser), await Seat.take(browser)
    try:
        await customer.page.goto(server.url)
        await customer.press("arrive.nocode.go")
        await customer.page.get_by_label(customer.say("reason.card")).check()
        await customer.fill("walkin.name", "Zhao Walk-in")
        await customer.press("walkin.go")
        await customer.press("check.skip")
        await customer.press("consent.yes")
        await customer.press("consent.yes")
        await customer.sees(customer.say("wait.title"))
        await agent.sign_in(server.agent_url, *server.agent)
        await agent_enters(agent, take="Zhao Walk-in")
        await customer.in_call()
        yield Desk(customer, agent, browser)
    finally:
        await customer.leave()
        await agent.leave()


async def test_the_expert_reads_what_the_agent_wrote_down(desk: Desk) -> None:
    agent = desk.agent
    await agent.sees(agent.say("context.none"))
    await agent.press("context.write")
    await agent.fill("create.context", "Card lost at the market.\n<b>Hard of hearing</b>")
    await agent.press("save")
    await agent.sees("<b>Hard of hearing</b>")

    await agent.press("invite.title")
    await agent.fill("invite.name", "Dr Chen")
    told = agent.page.get_by_label(agent.say("invite.context"))
    await expect(told).to_have_value("Card lost at the market.\n<b>Hard of hearing</b>")
    await told.fill("Card lost; wants a new number.")
    await agent.press("invite.go")
    link = await agent.page.get_by_role("dialog").locator("output").first.inner_text()
    await agent.press("qr.show")
    await expect(agent.page.get_by_role("img", name=agent.say("qr.label"))).to_be_visible()
    await agent.press("done")
    await agent.sees("Card lost; wants a new number.")

    expert = await Seat.take(desk.browser)
    try:
        await expert.page.goto(link)
        await expert.sees("Card lost; wants a new number.")
        await expert.press("join.go")
        await expert.in_call()
        await agent.sees("Dr Chen")
        await agent.press("context.edit")
        await agent.fill("create.context", "The new number is 138.")
        await agent.press("save")
        await expert.sees("The new number is 138.")  # at once, without a reload
    finally:
        await expert.leave()
    assert "138" not in await desk.customer.page.inner_text("body")
    assert agent.complaints == []


async def test_a_paused_screen_is_not_taken_for_a_stopped_one(desk: Desk) -> None:
    agent, customer = desk.agent, desk.customer
    await agent.press("bar.screen")
    await agent.press("consent.yes")
    await customer.receives("agent", "screen")
    await expect(agent.page.get_by_label(agent.say("screen.preview"))).to_be_visible()
    await agent.press("screen.pause")
    paused = customer.page.locator(".tile.of-screen .tile-still")
    await expect(paused).to_be_visible(timeout=APPEARS_MS)
    await expect(customer.page.locator(".tile.of-screen video")).to_have_count(0)
    await agent.press("screen.resume")
    await expect(customer.page.locator(".tile.of-screen video")).to_be_visible(timeout=APPEARS_MS)
    await agent.press("screen.stop")
    await expect(customer.page.locator(".tile.of-screen")).to_have_count(0)
    await agent.press("bar.screen")  # and is asked again
    await agent.press("consent.no")
    assert customer.complaints == []


async def test_the_agent_is_told_of_an_invited_customer_and_goes_in(
    browser: Browser, bank: Bank, server: ServerProcess
) -> None:
    name = "Qian Invited"
    opened = await bank.open(customer=name)
    customer, agent = await Seat.take(browser), await Seat.take(browser)
    try:
        await agent.sign_in(server.agent_url, *server.agent)
        await expect(agent.page.get_by_role("heading", name=agent.say("waiting.title"))).to_be_visible()
        await expect(agent.page.get_by_text(name)).to_have_count(0)
        await customer.come_as_customer(opened.customer_link)
        card = agent.page.locator(".task.arrived", has_text=name)
        await expect(card).to_be_visible(timeout=APPEARS_MS)
        await expect(card).to_contain_text("Card lost")
        await expect(card).to_contain_text("C-1001")
        await expect(agent.page.get_by_role("status").filter(has_text=agent.say("said.arrived", name=name))).to_have_count(1)
        await expect(agent.page).to_have_title(re.compile(r"^\(\d+\) "))
        await agent.press("rail.sessions")
        row = agent.page.get_by_role("button").filter(has_text=name)
        await expect(row).to_contain_text(agent.say("sessions.inside", names=name))
        await (
            agent.page.get_by_role("navigation", name=agent.say("rail.label"))
            .get_by_role("button", name=re.compile(rf"^{agent.say('rail.waiting')}"))
            .click()
        )
        await agent.press("arrived.enter.label", name=name)
        await agent.press("join.start")
        await agent.in_call()
        await customer.receives("agent", "camera")
        await expect(agent.page.locator(".task.arrived", has_text=name)).to_have_count(0)
    finally:
        await customer.leave()
        await agent.leave()
