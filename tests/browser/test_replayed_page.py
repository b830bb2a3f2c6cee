"""A customer's page that was shown in a recorded conversation, in the reviewers' player: at each time what the agent saw then."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from server.demo_bank.products import PHONE
from tests.browser.test_cobrowse import OPEN, SHOWN, Shared, bank_logo, connect, logo_of
from tests.browser.test_recording import answer, ask_to_record, lit
from tests.support.bank import Bank
from tests.support.browser import Seat, all_leave
from tests.support.call import agent_enters
from tests.support.demo_customer import bank_word
from tests.support.review import ReviewDesk
from tests.support.server_process import ServerProcess
from tests.support.watching import APPEARS_MS

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

WHO = "Replayed Qin"
MOST_ASKED = 40
"""Of five tracks at the beginning and after three jumps; the rest is for what a busy machine breaks off."""
PICTURES = Path(os.environ["TESTS_PICTURES"]) if "TESTS_PICTURES" in os.environ else None


@pytest_asyncio.fixture(loop_scope="session")
async def shared(browser: Browser, bank: Bank, server: ServerProcess) -> AsyncIterator[Shared]:
    opened = await bank.open(customer=WHO)
    made = Shared(await Seat.take(browser), await Seat.take(browser), await Seat.take(browser))
    try:
        await made.bank.context.add_init_script(OPEN)
        await made.agent.sign_in(server.agent_url, *server.agent)
        await agent_enters(made.agent, session_of=WHO)
        await made.call.come_as_customer(opened.customer_link)
        await made.page.goto(f"{server.bank}/?lang=en")
        await made.page.locator("button.person").first.click()
        await made.page.get_by_role("link", name=re.compile(rf"^{re.escape(bank_word(PHONE))}")).click()
        await made.page.get_by_role("link", name=bank_word("way_person_go"), exact=True).click()
        yield made
    finally:
        await all_leave(made.agent, made.call, made.bank)


async def clock_after(shared: Shared, seconds: int) -> None:
    """The recording is so long."""
    time = shared.agent.page.locator(".light .light-time")
    async with asyncio.timeout(APPEARS_MS / 1000):
        while True:
            minutes, _, rest = (await time.inner_text()).partition(":")
            if int(minutes) * 60 + int(rest) >= seconds:
                return
            await asyncio.sleep(0.1)


def value(typed: str) -> str:
    return f"[...page.querySelectorAll('label input')].some((one) => one.value === {typed!r})"


@pytest.mark.deadline(300)
async def test_the_page_is_seen_as_it_was_at_each_time(shared: Shared, browser: Browser, server: ServerProcess) -> None:
    agent, page = shared.agent, shared.page
    await ask_to_record(agent)
    await answer(agent, "consent.yes")
    await answer(shared.call, "consent.yes")
    await lit(agent, "on")
    await connect(shared)
    heading = await page.locator("h1").inner_text()
    field = page.locator("input[name=new_phone]")
    times = []
    for typed in ("555 0134", "555 0199"):
        await field.fill(typed)
        await field.press("Tab")
        await shared.seen(f"page.querySelector('header img')?.naturalWidth > 0 && {value(typed)}")
        minutes, _, rest = (await agent.page.locator(".light .light-time").inner_text()).partition(":")
        times.append(int(minutes) * 60 + int(rest) + 2)
        await clock_after(shared, times[-1] + 2)
    await agent.press("bar.recording.on")
    await agent.press("recording.stop")
    await agent.confirm("recording.stop.yes")
    await expect(shared.call.page.locator(".light")).to_have_count(0, timeout=APPEARS_MS)

    before, after = times

    desk = await ReviewDesk.take(browser, server, server.supervisor)
    requests: list[str] = []
    desk.page.on("request", lambda request: requests.append(request.url))
    await desk.open(WHO)
    room = desk.page.locator(".review-page")
    await expect(room).to_have_attribute("data-standing", "none")  # nothing was shown at the beginning
    replayed = Shared(desk.seat, shared.call, shared.bank)
    slider = desk.page.get_by_role("slider", name=desk.seat.say("review.timeline"))
    end = int(await slider.get_attribute("aria-valuemax") or 0)

    async def seek(seconds: int) -> None:
        box = await slider.bounding_box()
        assert box is not None
        await desk.page.mouse.click(box["x"] + box["width"] * seconds / end, box["y"] + box["height"] - 2)
        await expect(room).to_have_attribute("data-standing", "seen", timeout=APPEARS_MS)
        now = await slider.get_attribute("aria-valuenow") or ""
        await expect(room).to_have_attribute("data-second", now, timeout=APPEARS_MS)

    await seek(after)
    await replayed.seen(f"page.body.innerText.includes({heading!r}) && {value('555 0199')}")
    frame = await replayed.frame()
    await replayed.seen("page.querySelector('header img').naturalWidth > 0")
    assert await logo_of(frame) == bank_logo()
    await seek(before)
    await replayed.seen("page.querySelector('header img')?.naturalWidth > 0")
    assert await logo_of(frame) == bank_logo()
    await replayed.seen(f"page.body.innerText.includes({heading!r}) && {value('555 0134')} && !{value('555 0199')}")
    await seek(after)
    await replayed.seen(value("555 0199"))
    if PICTURES is not None:
        for width in (1280, 390):
            await desk.page.set_viewport_size({"width": width, "height": 844})
            await desk.page.screenshot(path=PICTURES / f"replayed-{width}.png", full_page=True)
    asked = [url for url in requests if "/media?" in url]
    assert len(asked) <= MOST_ASKED, "a jump asks once for each track, however late the answer is"
    assert not [url for url in requests if "brand.png" in url]
    assert await frame.evaluate(f"{SHOWN}.querySelectorAll('script, [src^=http]').length") == 0
    await desk.seat.leave()
