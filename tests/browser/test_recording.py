"""A recording from the first question to the player: begun by clicks, consented to by clicks, played back in Chromium."""

import re
from collections.abc import AsyncIterator
from statistics import median

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.support.bank import Bank
from tests.support.browser import PHONE, Seat, all_leave
from tests.support.call import agent_enters
from tests.support.machine import quick_or_skip
from tests.support.review import ReviewDesk
from tests.support.server_process import ServerProcess
from tests.support.watching import APPEARS_MS

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

FIRST_PICTURES = """() => {
    const tiles = [...document.querySelectorAll(".review-tile")].map((tile) => [tile.querySelector("video"), tile.querySelector(".tile-still")]);
    if (tiles.length !== 2 || tiles.some(([video]) => video.buffered.length === 0)) return false;
    return tiles.every(([video, still]) => video.buffered.start(0) > 0.3 || (still === null && video.readyState >= 2));
}"""
"""Nothing plays yet: whoever is in the recording from its first moments on is seen already."""


@pytest_asyncio.fixture(loop_scope="session")
async def pair(
    request: pytest.FixtureRequest, browser: Browser, bank: Bank, server: ServerProcess
) -> AsyncIterator[tuple[Seat, Seat]]:
    """(customer on a telephone, agent), in a session of their own; the parameter is the customer's name."""
    opened = await bank.open(customer=request.param)
    customer, agent = await Seat.take(browser, viewport=PHONE), await Seat.take(browser)
    try:
        await agent.sign_in(server.agent_url, *server.agent)
        await agent_enters(agent, session_of=request.param)
        await customer.come_as_customer(opened.customer_link)
        await agent.receives("customer", "camera")
        await customer.receives("agent", "camera")
        yield customer, agent
        await bank.call("POST", f"/sessions/{opened.id}/end", {})
    finally:
        await all_leave(customer, agent)


async def lit(seat: Seat, state: str) -> None:
    await expect(seat.page.locator(f".light.{state}")).to_be_visible(timeout=APPEARS_MS)
    await expect(seat.page.locator(".light")).to_contain_text(seat.say(f"recording.{state}"))


async def ask_to_record(agent: Seat) -> None:
    if not await agent.button("recording.start").is_visible():
        await agent.press("bar.recording.off")
    await agent.press("recording.start")


async def answer(seat: Seat, key: str) -> None:
    question = seat.page.get_by_role("dialog", name=seat.say("consent.recording.title"))
    await expect(question).to_be_visible(timeout=APPEARS_MS)
    await question.get_by_role("button", name=seat.say(key), exact=True).click()


@pytest.mark.deadline(300)
@pytest.mark.parametrize("pair", ["Recorded Liu"], indirect=True)
async def test_what_was_recorded_by_clicks_is_played_back(
    pair: tuple[Seat, Seat], browser: Browser, server: ServerProcess
) -> None:
    customer, agent = pair
    await ask_to_record(agent)
    await lit(customer, "asking")
    await answer(agent, "consent.yes")
    await expect(agent.page.locator(".recording-panel")).to_contain_text("Recorded Liu")  # has not answered
    await expect(customer.page.get_by_role("dialog")).to_contain_text(customer.say("recording.kept.years.other", n=5))
    await answer(customer, "consent.yes")
    await lit(customer, "on")
    await lit(agent, "on")

    point = agent.page.get_by_role("checkbox").nth(1)
    await expect(agent.page.locator(".light .light-time")).to_have_text(re.compile(r"0:0[5-9]|0:[1-5]\d"), timeout=APPEARS_MS)
    await point.click()
    await expect(point).to_be_checked(timeout=APPEARS_MS)  # when it is stored
    await agent.fill("note.title", "Asks about fees")
    await agent.press("note.make")
    await customer.write("I have understood it")
    await customer.close_panel()
    await expect(agent.page.locator(".light .light-time")).to_have_text(re.compile(r"0:1[4-9]|0:[2-5]\d"), timeout=APPEARS_MS)
    await agent.press("recording.pause")
    await lit(customer, "paused")
    await agent.press("recording.go_on")
    await lit(customer, "on")
    await agent.press("recording.stop")
    await agent.confirm("recording.stop.yes")
    await expect(customer.page.locator(".light")).to_have_count(0, timeout=APPEARS_MS)

    desk = await ReviewDesk.take(browser, server, server.supervisor)
    reviewer = desk.seat
    await desk.open("Recorded Liu")
    await reviewer.until(FIRST_PICTURES, None, APPEARS_MS / 1000)
    await reviewer.press("review.play")
    before = await desk.all_play(4)
    assert {one.lane.partition(".")[2] for one in before} == {"camera", "microphone"}
    assert all(one.width > 0 for one in before if one.lane.endswith(".camera"))
    await desk.go_on(before)  # decoded frames advance for each of the two
    spreads: list[float] = []
    for _ in range(5):  # what began apart is brought together, a little at a time
        spreads = await desk.spreads_ms(60)
        if median(spreads) < 40:
            break

    mark = reviewer.page.locator(".review-mark.of-checkpoint")
    minutes, seconds = (await mark.locator("time").inner_text()).split(":")
    await mark.click()
    assert await desk.position_s() - (int(minutes) * 60 + int(seconds)) in (0, 1, 2)
    jumped = await desk.all_play(4)
    assert max(one.at_ms for one in jumped) - min(one.at_ms for one in jumped) < 1000
    await desk.go_on(jumped)
    await reviewer.press("review.mute", name="Recorded Liu")
    muted = "() => [...document.querySelectorAll('audio[data-lane]')].filter((one) => one.muted).length"
    assert await reviewer.evaluate(muted) == 1
    await reviewer.press("review.speed.times", n=2)
    await reviewer.press("review.pause")
    assert all(one.paused for one in await desk.played())

    for language, words in (("中文", "已说明产品和费用"), ("English", "Product and fees explained")):
        await reviewer.page.get_by_role("button", name=language).click()
        await expect(mark).to_contain_text(words)

    await expect(reviewer.page.locator(".review-mark.of-note")).to_contain_text("Asks about fees")
    await reviewer.press("review.tab.chat")
    await expect(reviewer.page.locator(".review-mark")).to_contain_text(["I have understood it"])
    await reviewer.press("review.tab.all")
    await expect(reviewer.page.locator(".review-mark.of-paused")).to_have_count(1)
    await reviewer.press("review.verify")
    await expect(reviewer.page.get_by_role("dialog")).to_contain_text(reviewer.say("review.verify.whole"), timeout=APPEARS_MS)
    await reviewer.close_dialog()

    await reviewer.press("review.export")
    await reviewer.press("review.export.go")
    save = reviewer.button("review.export.save")
    await expect(save).to_be_visible(timeout=3 * APPEARS_MS)
    async with reviewer.page.expect_download() as download:
        await save.click()
    film = await (await download.value).path()
    assert film.read_bytes()[4:8] == b"ftyp"  # ISO/IEC 14496-12: MP4
    await expect(reviewer.page.get_by_role("dialog")).to_contain_text(reviewer.say("review.export.saved"))
    await reviewer.close_dialog()

    await reviewer.press("review.erase")
    await reviewer.fill("review.erase.reason", "Asked for by the customer")
    word = reviewer.say("review.erase.word")
    await reviewer.page.get_by_label(reviewer.say("review.erase.type", word=word)).fill(word)
    await reviewer.press("review.erase.yes")
    await expect(desk.row("Recorded Liu").first).to_contain_text(reviewer.say("review.ending.erased"), timeout=APPEARS_MS)
    reviewer.expects(r"status of 410")
    await desk.row("Recorded Liu").first.click()
    await expect(reviewer.page.get_by_role("heading", name=reviewer.say("review.erased"))).to_be_visible(timeout=APPEARS_MS)
    await reviewer.leave()
    quick_or_skip(median(spreads) < 40, spreads)


@pytest.mark.parametrize("pair", ["Refusing Gao"], indirect=True)
async def test_a_refusal_is_taken_and_the_conversation_goes_on(pair: tuple[Seat, Seat]) -> None:
    customer, agent = pair
    await ask_to_record(agent)
    await answer(agent, "consent.yes")
    await answer(customer, "consent.no")
    await expect(agent.page.locator(".light")).to_have_count(0, timeout=APPEARS_MS)
    await customer.flow("agent", "camera", over_s=1)

    await ask_to_record(agent)  # asked again, and agreed to; then taken back
    await answer(customer, "consent.yes")
    await lit(customer, "on")
    await customer.page.locator(".light").click()
    await expect(customer.page.get_by_role("dialog")).to_contain_text(customer.say("recording.me.on"))
    await customer.press("recording.me.stop")
    await lit(customer, "paused")
    await lit(agent, "paused")
    await expect(customer.page.get_by_role("dialog")).to_have_count(0)  # nobody is asked twice


async def test_who_is_not_entitled_is_told_so(browser: Browser, server: ServerProcess) -> None:
    desk = await ReviewDesk.take(browser, server, server.agent)
    desk.seat.expects(r"status of 403")
    await expect(desk.page.get_by_role("heading", name=desk.seat.say("review.denied"))).to_be_visible(timeout=APPEARS_MS)
    await desk.seat.leave()


async def test_a_recording_that_is_none(browser: Browser, server: ServerProcess) -> None:
    seat = await Seat.take(browser)
    seat.expects(r"status of 404")
    await seat.sign_in(f"{server.url}/review/RE_nothing", *server.supervisor)
    await expect(seat.page.get_by_role("heading", name=seat.say("review.gone"))).to_be_visible(timeout=APPEARS_MS)
    await seat.press("review.back")
    await expect(seat.page.get_by_role("heading", name=seat.say("review.title"))).to_be_visible(timeout=APPEARS_MS)
    await seat.leave()
