"""A conversation that changes hands: a customer, the agent who leads, a colleague at a desk; what a test does about them in the pages."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from playwright.async_api import Browser, Locator, expect

from tests.support.bank import Bank
from tests.support.browser import APPEARS_MS, Seat
from tests.support.call import agent_enters
from tests.support.server_process import ServerProcess

#: Notes when each frame of the large picture was put on the page, in milliseconds, and when it became somebody else's.
WATCH_FRAMES = """() => {
    const element = document.querySelector(".stage-main .tile.main video");
    const watched = (window.__watched = { element, stamps: [], switched: null });
    new MutationObserver(() => (watched.switched = performance.now())).observe(element, { attributeFilter: ["aria-label"] });
    const next = (now) => {
        watched.stamps.push(now);
        if (watched.stamps.length > 20000) watched.stamps.shift();
        element.requestVideoFrameCallback(next);
    };
    element.requestVideoFrameCallback(next);
}"""
SAME_ELEMENT = """() => {
    const element = document.querySelector(".stage-main .tile.main video");
    return element === window.__watched.element && element.isConnected;
}"""
#: The longest time without a frame from a second before until two seconds after it became somebody else's, also one that went on then.
LONGEST_GAP = """() => {
    const { stamps, switched } = window.__watched;
    if (switched === null) return null;
    const [from, to] = [switched - 1000, Math.min(switched + 2000, performance.now())];
    const last = stamps.findLastIndex((at) => at <= from);
    const next = stamps.findIndex((at) => at > to);
    const within = [...stamps.slice(Math.max(last, 0), next === -1 ? undefined : next), to];
    return Math.max(...within.slice(1).map((at, index) => at - within[index]));
}"""
#: Packets and frames of one person's source on this page, by their name; null while there is none.
ROW_OF = """async ([name, source]) =>
    (await window.__tp.inbound()).find((row) => row.name === name && row.source === source) ?? null"""
#: True when nothing has arrived for half a second of the statistics' own clock.
IS_QUIET = """async (quiet_ms) => {
    const rows = await window.__tp.inbound();
    const total = rows.reduce((sum, row) => sum + row.packets, 0);
    const now_ms = rows.length > 0 ? Math.max(...rows.map((row) => row.at_ms)) : performance.now();
    const seen = (window.__tp.still ??= { total, since_ms: now_ms });
    if (seen.total !== total) window.__tp.still = { total, since_ms: now_ms };
    return now_ms - window.__tp.still.since_ms >= quiet_ms;
}"""


SURNAMES = ("Lindqvist", "Okonkwo", "Zhao")


@dataclass(slots=True)
class Shift:
    """One conversation and its two agents; ``b`` sits at a desk and is in no conversation."""

    session: str
    customer: Seat
    a: Seat
    b: Seat
    customer_name: str
    a_name: str
    b_name: str
    expert_link: str


@dataclass(slots=True)
class Account:
    username: str
    password: str
    name: str


async def hire(server: ServerProcess, role: str = "agent") -> Account:
    """A fresh account with a name that no other has, made by the supervisor."""
    name = f"Bo {secrets.choice(SURNAMES)} {secrets.token_hex(2)}"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as http:
        staff = Bank(http, server.url)
        await staff.sign_in(*server.supervisor)
        account = Account(f"{role}-{secrets.token_hex(6)}", secrets.token_urlsafe(18), name)
        await staff.call(
            "POST", "/staff", {"username": account.username, "name": name, "role": role, "password": account.password}
        )
        return account


async def over(server: ServerProcess, session: str) -> None:
    """Ended from outside, or it would be offered at the desks of later tests."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as http:
        staff = Bank(http, server.url)
        await staff.sign_in(*server.supervisor)
        key = await staff.call("POST", "/keys", {"name": "tests"})
        staff.use(key["secret"])
        await staff.call("POST", f"/sessions/{session}/end", {"reason": "test"})
        await staff.sign_in(*server.supervisor)
        await staff.call("DELETE", f"/keys/{key['key']['id']}")


@asynccontextmanager
async def shift(browser: Browser, bank: Bank, server: ServerProcess, *, language: str = "en") -> AsyncIterator[Shift]:
    """The customer and the agent talk, the colleague waits at a desk; at the end the pages are closed and must not have complained."""
    account = await hire(server)
    customer = f"Wang Jianguo {secrets.token_hex(2)}"
    a_name = (await bank.call("GET", "/me"))["name"]
    opened = await bank.open(customer=customer, language=language)
    seats = [await Seat.take(browser, language=language) for _ in range(3)]
    guest, a, b = seats
    try:
        await a.sign_in(server.agent_url, *server.agent)
        await agent_enters(a, session_of=customer)
        await guest.come_as_customer(opened.customer_link)
        await b.sign_in(server.agent_url, account.username, account.password)
        await expect(b.page.get_by_role("heading", name=b.say("waiting.title"))).to_be_visible(timeout=APPEARS_MS)
        await guest.receives("agent", "camera")
        await a.receives("customer", "camera")
        yield Shift(opened.id, guest, a, b, customer, a_name, account.name, opened.expert_link)
    finally:
        for seat in seats:
            await seat.context.close()
        await over(server, opened.id)
    complaints = [text for seat in seats for text in seat.complaints]
    assert not complaints, complaints


async def open_people(seat: Seat) -> None:
    """The panel with everybody, by its key: it is the same at every width."""
    if await seat.page.locator("ul.people").count() == 0:
        await seat.page.locator("button.top-people").click()


async def switch(seat: Seat, key: str, on: bool) -> None:
    """Lock or waiting room; returns when the server has said so."""
    await open_people(seat)
    knob = seat.page.get_by_role("switch", name=seat.say(key))
    assert (await knob.get_attribute("aria-checked") == "true") is not on
    await knob.click()
    await expect(knob).to_have_attribute("aria-checked", "true" if on else "false", timeout=APPEARS_MS)


async def offer(seat: Seat, *, to: str | None, warm: bool = False, note: str = "") -> None:
    """Open the dialog by its key, choose, and offer. ``to`` None: any free colleague."""
    await seat.page.locator("body").press("h")
    dialog = seat.page.get_by_role("dialog")
    await dialog.get_by_role("radio", name=seat.say("handover.any") if to is None else to).check()
    await dialog.get_by_role("radio", name=seat.say("handover.warm" if warm else "handover.cold")).check()
    await dialog.get_by_label(seat.say("handover.note")).fill(note)
    await dialog.get_by_role("button", name=seat.say("handover.go"), exact=True).click()


def card(here: Shift) -> Locator:
    """The offer of this conversation at the colleague's desk."""
    return here.b.page.locator(".offer", has_text=here.customer_name)


async def accept(here: Shift) -> None:
    await card(here).get_by_role("button", name=here.b.say("offer.accept"), exact=True).click()
    await here.b.in_call()


async def row(seat: Seat, name: str, source: str, condition: str, *, within_s: float = 30) -> dict[str, Any]:
    """The statistics of what arrives of somebody, by name, as soon as ``condition`` on ``row`` holds."""
    script = f"""async (argument) => {{
        const row = await ({ROW_OF})(argument);
        return row && ({condition}) ? row : null;
    }}"""
    found: dict[str, Any] = await seat.until(script, [name, source], within_s)
    return found


async def sees_and_hears(seat: Seat, name: str) -> None:
    """New frames are decoded and a voice that is no silence arrives, both from now on."""
    for source, field in (("camera", "frames"), ("microphone", "energy")):
        first = await row(seat, name, source, "true")
        await row(seat, name, source, f"row.{field} > {first[field]}")


async def has_peace(seat: Seat) -> None:
    """Not one packet of a voice or a picture arrives for half a second."""
    await seat.evaluate("() => { window.__tp.still = undefined; }")
    await seat.until(IS_QUIET, 500, APPEARS_MS / 1000)
