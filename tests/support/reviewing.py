"""Members of staff who decide in the workbench what a check could not."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, expect

from tests.support.browser import APPEARS_MS, Seat
from tests.support.call import agent_enters
from tests.support.checking import House


async def waiting(house: House, type: str) -> dict[str, Any]:
    """The newest case of this type that waits for a review."""
    queue = (await (await house.supervisor()).call("GET", "/reviews"))["reviews"]
    found: dict[str, Any] = max((one for one in queue if one["type"] == type), key=lambda one: str(one["created_at"]))
    return found


@asynccontextmanager
async def desk(browser: Browser, house: House, account: tuple[str, str]) -> AsyncIterator[Seat]:
    """Signed in at the workbench."""
    seat = await Seat.take(browser)
    try:
        await seat.sign_in(house.server.agent_url, *account)
        yield seat
    finally:
        await seat.leave()


async def opens_review(seat: Seat, customer: str) -> None:
    """From the rail to the page of the case of this pseudonym; returns when all its pictures are there: once it is decided they are refused."""
    rail = seat.page.get_by_role("navigation", name=seat.say("rail.label"))
    await rail.get_by_role("button", name=re.compile(rf"^{re.escape(seat.say('rail.verifications'))}")).click()
    await seat.page.locator("ul.tasks button").filter(has_text=customer).first.click()
    await expect(seat.page.get_by_role("form", name=seat.say("reviews.decide"))).to_be_visible(timeout=APPEARS_MS)
    await expect(seat.page.locator(".shot .skeleton, .shot-loading")).to_have_count(0, timeout=APPEARS_MS)


async def approves(seat: Seat, reason: str, then: str) -> None:
    """``then``: what the page says of it, by its key."""
    await seat.page.get_by_label(seat.say("reviews.reason"), exact=True).fill(reason)
    await seat.press("reviews.approve")
    await seat.sees(seat.say(then))


async def asks_for_a_person(customer: Seat) -> None:
    """Again while nobody is there: who has just signed in may not be at their desk yet."""
    waits = customer.page.get_by_text(customer.say("wait.title")).first
    nobody = customer.page.get_by_text(customer.say("self.person.nobody")).first
    async with asyncio.timeout(APPEARS_MS / 1000):
        while not await waits.is_visible():
            await customer.press("self.person.yes")
            await expect(waits.or_(nobody)).to_be_visible(timeout=APPEARS_MS)


async def declines_and_is_identified(customer: Seat, agent: Seat) -> None:
    """From the first page of their own check: no to the look at their face, yes to a conversation, two proofs; until it waits for a colleague."""
    await customer.press("start")
    await customer.press("consent.no")
    await customer.sees(customer.say("self.declined.title"))
    await asks_for_a_person(customer)
    await agent_enters(agent, take=agent.say("waiting.nameless"))
    for scope in ("microphone", "camera"):
        await expect(customer.page.get_by_role("heading", name=customer.say(f"consent.{scope}.title"))).to_be_visible()
        await customer.press("consent.yes")
    await customer.in_call()
    await agent.press("staff.identify.open")
    for proof in ("document_seen", "questions_answered"):
        await agent.page.get_by_label(agent.say(f"reviews.proof.{proof}")).check()
    await agent.fill("staff.identify.note", "Identity card ending in 7123, and the street of the branch.")
    await agent.press("staff.identify.go")
    await case_is(agent, "review")


async def case_is(seat: Seat, state: str) -> None:
    """Beside the conversation, in the case's own line: the form to identify somebody says of a colleague's review what the state says."""
    words = seat.say(f"staff.cases.state.{state}")
    await expect(seat.page.locator("[data-case]").get_by_text(words, exact=True)).to_be_visible(timeout=APPEARS_MS)
