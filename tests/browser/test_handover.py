"""A customer is given to a colleague, in Chromium with real media: nothing is negotiated anew, and the picture goes on."""

import pytest
from playwright.async_api import Browser, expect

from tests.support.bank import Bank
from tests.support.browser import APPEARS_MS, Seat
from tests.support.machine import quick_or_skip
from tests.support.people import (
    LONGEST_GAP,
    SAME_ELEMENT,
    WATCH_FRAMES,
    Shift,
    accept,
    card,
    has_peace,
    offer,
    sees_and_hears,
    shift,
)
from tests.support.server_process import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

GAP_MS = 300
TRIES = 3
NOTE = "Card is blocked; <b>new phone number</b> still to do."


async def connections(seat: Seat) -> tuple[int, int]:
    """Offers sent and connections made."""
    made, offers = await seat.evaluate("() => [window.__tp.peers.length, window.__tp.offers]")
    return made, offers


async def is_told(seat: Seat, key: str, **places: object) -> None:
    await expect(seat.page.locator(".notice.state, .on-hold").get_by_text(seat.say(key, **places))).to_be_visible(
        timeout=APPEARS_MS
    )


async def ended(seat: Seat, key: str) -> None:
    await expect(seat.page.get_by_text(seat.say(key)).first).to_be_visible(timeout=APPEARS_MS)


@pytest.mark.quiet
async def test_a_cold_hand_over_is_a_switch(browser: Browser, bank: Bank, server: ServerProcess) -> None:
    gaps: list[float] = []
    while len(gaps) < TRIES and (not gaps or min(gaps) > GAP_MS):
        gaps.append(await _hand_over_cold(browser, bank, server))
    quick_or_skip(min(gaps) <= GAP_MS, f"no frame for {gaps} ms")


async def _hand_over_cold(browser: Browser, bank: Bank, server: ServerProcess) -> float:
    """All that is no figure is asserted. The longest time without a picture, in milliseconds."""
    async with shift(browser, bank, server) as here:
        customer = here.customer
        before = await connections(customer)
        await customer.evaluate(WATCH_FRAMES)
        await offer(here.a, to=here.b_name, note=NOTE)
        await is_told(here.a, "handover.offered", name=here.b_name)
        await expect(card(here)).to_contain_text(NOTE, timeout=APPEARS_MS)
        await expect(card(here)).to_contain_text(here.a_name)
        await accept(here)
        await is_told(customer, "handover.customer.done", to=here.b_name)
        await ended(here.a, "ended.handed_over")
        await sees_and_hears(customer, here.b_name)
        await sees_and_hears(here.b, here.customer_name)
        gap: float | None = await customer.evaluate(LONGEST_GAP)
        assert await connections(customer) == before, "nothing is negotiated anew"
        assert await customer.evaluate(SAME_ELEMENT), "the picture was taken down and put up again"
        assert gap is not None, "the element in which the one was shown never became the other's"
        picture = customer.page.locator(".stage-main .tile.main video")
        await expect(picture).to_have_attribute("aria-label", customer.say("tile.video", name=here.b_name))
        await is_told(here.b, "handover.mine.done")
        return gap


async def test_a_warm_hand_over_is_a_talk_first(browser: Browser, bank: Bank, server: ServerProcess) -> None:
    async with shift(browser, bank, server) as here:
        customer = here.customer
        before = await connections(customer)
        await offer(here.a, to=None, warm=True)
        await accept(here)
        await is_told(customer, "handover.customer.warm", **{"from": here.a_name, "to": here.b_name})
        await is_told(here.a, "handover.here.warm", name=here.b_name)
        await is_told(here.b, "handover.mine.warm", name=here.a_name)
        await has_peace(customer)
        await sees_and_hears(here.a, here.b_name)
        await sees_and_hears(here.b, here.a_name)
        await has_peace(customer)
        await here.a.press("handover.complete")
        await is_told(customer, "handover.customer.done", to=here.b_name)
        await ended(here.a, "ended.handed_over")
        await sees_and_hears(customer, here.b_name)
        await sees_and_hears(here.b, here.customer_name)
        assert await connections(customer) == before


async def test_a_warm_hand_over_is_called_off(browser: Browser, bank: Bank, server: ServerProcess) -> None:
    async with shift(browser, bank, server) as here:
        customer = here.customer
        await offer(here.a, to=here.b_name, warm=True)
        await accept(here)
        await is_told(here.a, "handover.here.warm", name=here.b_name)
        await has_peace(customer)
        await here.a.press("handover.cancel.label")
        await sees_and_hears(customer, here.a_name)
        await expect(customer.page.locator(".notice.state")).to_have_count(0, timeout=APPEARS_MS)
        await ended(here.b, "ended.left")
        await offer(here.a, to=here.b_name)  # and can be offered again
        await card(here).get_by_role("button", name=here.b.say("offer.decline"), exact=True).click()
        await is_told(here.a, "handover.declined", name=here.b_name)


async def test_the_agents_page_crashes_and_a_colleague_takes_over(browser: Browser, bank: Bank, server: ServerProcess) -> None:
    async with shift(browser, bank, server) as here:
        customer = here.customer
        before = await connections(customer)
        await here.a.context.close()
        await is_told(customer, "lost.title")
        await expect(card(here)).to_contain_text(here.b.say("offer.lost.title", name=here.a_name), timeout=APPEARS_MS)
        await accept(here)
        await is_told(customer, "handover.customer.done", to=here.b_name)
        await sees_and_hears(customer, here.b_name)
        await sees_and_hears(here.b, here.customer_name)
        assert await connections(customer) == before


async def test_the_agent_comes_back(browser: Browser, bank: Bank, server: ServerProcess) -> None:
    async with shift(browser, bank, server) as here:
        customer = here.customer
        await here.a.page.goto("about:blank")
        await is_told(customer, "lost.title")
        await here.a.page.goto(server.agent_url)
        await is_told(customer, "lost.back")
        await sees_and_hears(customer, here.a_name)


async def test_a_supervisor_takes_over(browser: Browser, bank: Bank, server: ServerProcess) -> None:
    async with shift(browser, bank, server) as here:
        supervisor = await Seat.take(browser)
        try:
            await supervisor.sign_in(server.agent_url, *server.supervisor)
            await _enter(supervisor, here)
            await supervisor.press("takeover")
            await supervisor.confirm("takeover.yes")
            await ended(here.a, "ended.taken_over")
            await sees_and_hears(here.customer, "Supervisor")
            await sees_and_hears(supervisor, here.customer_name)
            await expect(supervisor.button("takeover")).to_have_count(0)
        finally:
            await supervisor.leave()


async def _enter(supervisor: Seat, here: Shift) -> None:
    rail = supervisor.page.get_by_role("navigation", name=supervisor.say("rail.label"))
    await rail.get_by_role("button", name=supervisor.say("rail.sessions")).click()
    await supervisor.page.get_by_role("button", name=here.customer_name).first.click()
    await supervisor.press("ready.enter")
    await supervisor.in_call()
    await supervisor.sees(supervisor.say("supervise.listening"))
