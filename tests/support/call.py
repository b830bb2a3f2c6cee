"""A whole call: a customer by link, an agent by login, an expert by link, each in a browser context of their own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from playwright.async_api import Browser

from tests.support.bank import Bank, Opened
from tests.support.browser import Seat, all_leave
from tests.support.server_process import ServerProcess


@dataclass(slots=True)
class Trio:
    """Three people in one session."""

    session: str
    customer: Seat
    agent: Seat
    expert: Seat
    customer_name: str
    expert_name: str

    def seats(self) -> dict[str, Seat]:
        return {"customer": self.customer, "agent": self.agent, "expert": self.expert}

    def pairs(self) -> list[tuple[str, Seat, str]]:
        """(whose page, the page, role of whom it should receive), both others for each."""
        seats = self.seats()
        return [(mine, seat, other) for mine, seat in seats.items() for other in seats if other != mine]


async def agent_enters(agent: Seat, *, session_of: str = "", take: str = "") -> None:
    """A signed-in agent goes into an open session of a customer, or takes a waiting one, with microphone and camera."""
    if take:
        await agent.press("waiting.take.label", name=take)
    else:
        rail = agent.page.get_by_role("navigation", name=agent.say("rail.label"))
        await rail.get_by_role("button", name=agent.say("rail.sessions")).click()
        await agent.page.get_by_role("button", name=session_of).first.click()
        await agent.press("ready.enter")
    await agent.press("join.start")
    await agent.in_call()


@asynccontextmanager
async def three(
    browser: Browser,
    bank: Bank,
    server: ServerProcess,
    *,
    customer: str = "Lin Xiaoyu",
    expert: str = "Dr Chen",
    language: str = "en",
    languages: dict[str, str] | None = None,
    viewports: dict[str, dict[str, int]] | None = None,
    opened: Opened | None = None,
) -> AsyncIterator[Trio]:
    """Everybody comes in, each in their own way, consenting to everything; at the end the pages are closed.

    ``languages`` and ``viewports``: by role, where they differ from ``language`` and the desktop.
    """
    opened = opened or await bank.open(language=language, customer=customer, expert=expert)
    sizes = viewports or {}
    seats = {
        role: await Seat.take(browser, language=(languages or {}).get(role, language), viewport=sizes.get(role))
        for role in ("customer", "agent", "expert")
    }
    try:
        await seats["agent"].sign_in(server.agent_url, *server.agent)
        await agent_enters(seats["agent"], session_of=customer)
        await seats["customer"].come_as_customer(opened.customer_link)
        await seats["expert"].come_as_expert(opened.expert_link)
        yield Trio(opened.id, seats["customer"], seats["agent"], seats["expert"], customer, expert)
    finally:
        await all_leave(*seats.values())
