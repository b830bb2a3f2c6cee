"""Checks of a face in a real Chromium: the server that looks, the bank's system that asks, and a customer before a canvas camera with an agent in a session."""

import json
import secrets
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from typing import Any

import aiohttp
from playwright.async_api import Browser, expect

from tests.support.asking import Asked, Asker
from tests.support.bank import Bank
from tests.support.browser import APPEARS_MS, Seat
from tests.support.call import agent_enters
from tests.support.canvas_camera import Actor, before
from tests.support.machine import busy
from tests.support.server_process import ServerProcess
from tests.support.tries import TRIES

OVER_MS = 60_000
"""From the beginning of an attempt to its end, at the most: a deadline only."""
IS_OVER = "(number) => window.__tp.checks.some((one) => one.state === 'over' && one.number === number)"
ASKED = "(count) => window.__tp.cues.filter(({ cue }) => cue === 'ask').length >= count"
ENDED = "window.__tp.checks.some((one) => one.state === 'over' && one.number > 0)"


@dataclass(slots=True)
class House:
    """A running server with face checks; ``asker``: the bank's system; ``staff``: the agent's account at the REST interface."""

    server: ServerProcess
    asker: Asker
    staff: Bank
    http: aiohttp.ClientSession

    @property
    def bank_url(self) -> str:
        """Of the demo's bank."""
        return f"http://127.0.0.1:{self.server.bank_port}"

    def last_attempt(self) -> str:
        """What the newest attempt came to, as it is stored, for whoever reads a failure."""
        with closing(sqlite3.connect(f"file:{self.server.data}/tongping.db?mode=ro", uri=True)) as db:
            rows = db.execute("SELECT outcome, reasons, checked FROM verification_attempts ORDER BY started_at DESC LIMIT 1")
            return "\n".join(str(part) for part in rows.fetchone() or ())

    async def supervisor(self) -> Bank:
        """Somebody who was in no session."""
        bank = Bank(self.http, self.server.url)
        await bank.sign_in(*self.server.supervisor)
        return bank


@asynccontextmanager
async def house(server: ServerProcess) -> AsyncIterator[House]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as http:
        staff = Bank(http, server.url)
        asker = await Asker.of(Bank(http, server.url), server)
        await staff.sign_in(*server.agent)
        yield House(server, asker, staff, http)


@dataclass(slots=True)
class Meeting:
    """An agent and a customer who see each other, and a case of this customer."""

    customer: Seat
    agent: Seat
    case: Asked
    house: House
    type: str

    async def begin(self) -> None:
        """The agent asks for consent, the customer gives it, the agent begins."""
        await self.agent.press("staff.verify.consent")
        await self.customer.press("consent.yes")
        await self.agent.press("staff.verify.begin")

    async def cannot(self, count: int) -> None:
        """As soon as they are asked for the ``count``-th time they say that they cannot do it; nothing where it ended before: why, ``seen`` says."""
        await self.customer.page.wait_for_function(f"(count) => ({ASKED})(count) || {ENDED}", arg=count, timeout=OVER_MS)
        if not await self.customer.evaluate(f"() => {ENDED}"):
            await self.customer.press("verify.cannot")

    async def over(self, number: int = 1) -> str | None:
        return await over(self.agent, number)

    async def seen(self, outcome: str | None, wanted: str) -> None:
        """What the attempt of a living person came to."""
        TRIES.made(self.type, outcome, wanted, await self.told(), alone=False)

    async def told(self) -> str:
        return await told(self.customer, self.house)


async def over(seat: Seat, number: int = 1, *, within_ms: float = OVER_MS) -> str | None:
    """The outcome of an attempt, once the page knows it: it is decided and stored by then."""
    await seat.page.wait_for_function(IS_OVER, arg=number, timeout=within_ms)
    outcome: str | None = await seat.evaluate("() => window.__tp.checks.at(-1).outcome")
    return outcome


EXCUSES = {"stream_gap": "self.result.paused", "engine_busy": "self.result.by.trouble"}
"""What alone speaks against nobody, and what the page says of it."""


async def came_to(
    seat: Seat, house: House, type: str, wanted: str, *, light: bool = True, pauses: bool = False, within_ms: float = OVER_MS
) -> None:
    """Of a customer by themselves: each other try that the product offers after what speaks against nobody is taken, as they would. ``pauses``: their camera
    stops in the first; nothing else is excused but on a busy machine."""
    for number in (1, 2, 3):
        outcome = await over(seat, number, within_ms=within_ms)
        how = await told(seat, house)
        [why, *more] = json.loads(how.splitlines()[1] or "[]") or [""]
        offered = await seat.evaluate("() => window.__tp.checks.at(-1).left > 0")
        expected = busy() or (pauses and number == 1 and why == "stream_gap")
        if outcome != "reject" or more or why not in EXCUSES or not offered or not expected:
            break
        await seat.sees(seat.say(EXCUSES[why]))
        await seat.press("self.result.again.go")
        await seat.press("self.ready.go" if light else "self.ready.dark")
    TRIES.made(type, outcome, wanted, how, alone=True)


async def told(seat: Seat, house: House) -> str:
    """How it went, for whoever reads a failure: what was seen, what was shown, what was done, and how many pictures the camera made."""
    return f"{house.last_attempt()}\n{await seat.evaluate(TOLD)}"


TOLD = """() => {
    const { cues, checks } = window.__tp;
    const { answers, draws, since_ms, late_ms } = window.__camera ?? { answers: [], draws: 0 };
    const rows = [...checks, ...cues, ...answers].sort((a, b) => a.at_ms - b.at_ms);
    const what = (one) => one.cue ?? one.state ?? "does";
    const list = rows.map((one) => `${Math.round(one.at_ms)} ${what(one)} ${one.action ?? one.outcome ?? ""}${one.colour ?? ""}`);
    return [`${((1000 * draws) / (performance.now() - since_ms)).toFixed(1)} pictures a second, ${late_ms} ms for one`, ...list].join("\\n");
}"""


@asynccontextmanager
async def meeting(
    browser: Browser,
    house: House,
    actor: Actor,
    type: str = "debit_card_password_change",
    *,
    language: str = "en",
    **fields: Any,
) -> AsyncIterator[Meeting]:
    """At the end the pages are closed, and must not have complained."""
    name = f"Lin Xiaoyu {secrets.token_hex(2)}"
    reference = f"c-{name[-4:]}"
    opened = await house.staff.open(customer=name, language=language, reference=reference)
    seats = [await Seat.take(browser, language=language) for _ in range(2)]
    customer, agent = seats
    try:
        await before(customer, actor)
        await agent.sign_in(house.server.agent_url, *house.server.agent)
        await agent_enters(agent, session_of=name)
        await customer.come_as_customer(opened.customer_link)
        await agent.receives("customer", "camera")
        case = await house.asker.ask(type, reference, actor.footage.portrait, session=opened.id, **fields)
        await expect(agent.page.locator(f'[data-case="{case.id}"]')).to_be_visible(timeout=APPEARS_MS)
        yield Meeting(customer, agent, case, house, type)
    finally:
        for seat in seats:
            await seat.context.close()
        await house.asker.bank.call("POST", f"/sessions/{opened.id}/end", {"reason": "test"})
    complaints = [text for seat in seats for text in seat.complaints]
    assert not complaints, complaints
