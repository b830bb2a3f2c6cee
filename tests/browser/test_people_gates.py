"""Who may come in and who is what, in Chromium: the waiting room, the lock, a change of role that shows at once."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.support.bank import Bank
from tests.support.browser import APPEARS_MS, PHONE, Seat
from tests.support.people import Shift, has_peace, open_people, sees_and_hears, shift, switch
from tests.support.server_process import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

EXPERT = "Dr Chen"


@pytest_asyncio.fixture(loop_scope="session")
async def here(browser: Browser, bank: Bank, server: ServerProcess) -> AsyncIterator[Shift]:
    async with shift(browser, bank, server) as talking:
        yield talking


@pytest_asyncio.fixture(loop_scope="session")
async def expert(browser: Browser) -> AsyncIterator[Seat]:
    """On a phone."""
    seat = await Seat.take(browser, viewport=PHONE)
    yield seat
    await seat.leave()


async def waits(here: Shift, expert: Seat) -> None:
    """The expert comes by the link and is shown the way to nothing but a waiting page."""
    await expert.page.goto(here.expert_link)
    await expert.press("join.go")
    await expert.sees(expert.say("lobby.title"))
    await expect(here.a.page.locator(".people .waits")).to_contain_text(EXPERT, timeout=APPEARS_MS)


async def test_who_waits_learns_nothing_until_admitted(here: Shift, expert: Seat) -> None:
    await switch(here.a, "gates.room", True)
    await here.customer.write("My number is 6222 0200.")
    await waits(here, expert)
    await expect(expert.page.get_by_role("navigation", name=expert.say("bar.label"))).to_have_count(0)
    text = await expert.page.inner_text("body")
    assert not any(told in text for told in (here.customer_name, here.a_name, "6222"))
    await has_peace(expert)
    known: list[str] = await expert.evaluate("() => [...window.__tp.people.values()].map((one) => one.name)")
    assert set(known) <= {EXPERT}
    await expect(here.customer.page.get_by_text(EXPERT)).to_have_count(0)
    await here.a.press("waits.admit.label", name=EXPERT)
    await expert.in_call()
    await sees_and_hears(expert, here.customer_name)
    await sees_and_hears(here.customer, EXPERT)
    await expect(here.a.page.locator(".people .waits")).to_have_count(0)
    assert "My number is 6222 0200." in await expert.messages()


async def test_who_is_refused_is_told_so(here: Shift, expert: Seat) -> None:
    await switch(here.a, "gates.room", True)
    await waits(here, expert)
    await here.a.press("waits.refuse.label", name=EXPERT)
    await here.a.confirm("waits.refuse")
    await expert.sees(expert.say("ended.refused"))
    await expect(here.a.page.locator(".people .waits")).to_have_count(0, timeout=APPEARS_MS)


async def test_a_locked_session_lets_nobody_new_in_and_those_inside_back(here: Shift, expert: Seat) -> None:
    await switch(here.a, "gates.lock", True)
    expert.expects("Failed to load resource.*4(03|09|10|23)")
    await expert.page.goto(here.expert_link)
    await expert.sees(expert.say("problem.locked"))
    await here.customer.page.reload()
    await here.customer.in_call()
    await sees_and_hears(here.customer, here.a_name)
    await switch(here.a, "gates.lock", False)
    await expert.press("retry")
    await expert.press("join.go")
    await expert.in_call()
    await sees_and_hears(expert, here.customer_name)


async def test_a_change_of_role_shows_at_once(here: Shift, expert: Seat) -> None:
    await expert.page.goto(here.expert_link)
    await expert.press("join.go")
    await expert.in_call()
    await open_people(expert)
    hold = expert.button("hold.label", name=here.customer_name)
    await expect(hold).to_have_count(0)
    await change_role(here.a, "role.agent")
    await expect(hold).to_be_visible(timeout=APPEARS_MS)
    await expert.sees(expert.say("said.role", role=expert.say("role.agent")))
    await change_role(here.a, "role.expert")
    await expect(hold).to_have_count(0, timeout=APPEARS_MS)


async def change_role(agent: Seat, key: str) -> None:
    await open_people(agent)
    await agent.press("role.change.label", name=EXPERT)
    dialog = agent.page.get_by_role("dialog")
    await dialog.get_by_role("radio", name=agent.say(key)).check()
    await dialog.get_by_role("button", name=agent.say("role.change.yes"), exact=True).click()
