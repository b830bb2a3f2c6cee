"""The first whole session, in a real Chromium with real media: three people see, hear and write to each other."""

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.support.bank import Bank
from tests.support.browser import APPEARS_MS, Seat
from tests.support.call import Trio, agent_enters, three
from tests.support.server_process import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

LEAST_FRAMES_PER_S = 10
BACK_WITHIN_S = 3.0
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c635048280000019400f17d4397f30000000049454e44ae426082"
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def trio(browser: Browser, bank: Bank, server: ServerProcess) -> AsyncIterator[Trio]:
    async with three(browser, bank, server, customer="<b>Zoë</b> O'Neil 王") as people:
        yield people


async def test_three_people_see_and_hear_each_other(trio: Trio) -> None:
    for mine, page, other in trio.pairs():
        picture = await page.flow(other, "camera")
        assert picture.per_s >= LEAST_FRAMES_PER_S, f"the {mine} decodes {picture.per_s:.1f} frames/s of the {other}"
        voice = await page.flow(other, "microphone")
        assert voice.energy > 0, f"the {mine} hears nothing of the {other}"


async def test_names_are_shown_as_they_were_given(trio: Trio) -> None:
    await trio.agent.sees(trio.customer_name)
    await trio.expert.sees(trio.customer_name)


async def test_chat_and_file_arrive_at_both_others(trio: Trio) -> None:
    text = "Is my card blocked? 我的卡停了吗？"
    await trio.customer.write(text)
    await trio.expert.give_file("申请表 form.png", "image/png", PNG)
    for page in trio.seats().values():
        await page.open_chat()
        await page.sees(text)
        await expect(page.download("申请表 form.png")).to_be_visible(timeout=APPEARS_MS)
    async with trio.agent.page.expect_download() as download:
        await trio.agent.download("申请表 form.png").click()
    path = await (await download.value).path()
    assert path.read_bytes() == PNG


async def test_a_shared_screen_arrives_and_stops(trio: Trio) -> None:
    await trio.expert.press("bar.screen")
    await trio.expert.press("consent.yes")
    shown = {
        page: page.page.get_by_label(page.say("tile.screen", name=trio.expert_name)) for page in (trio.customer, trio.agent)
    }
    for page, screen in shown.items():
        await page.receives("expert", "screen")
        await expect(screen).to_be_visible()
    await trio.expert.press("screen.stop")
    for screen in shown.values():
        await expect(screen).to_have_count(0)


async def test_a_reload_comes_back_within_3_s(trio: Trio, bank: Bank) -> None:
    await trio.customer.receives("agent", "camera")
    began = time.monotonic()
    await trio.customer.page.reload()
    await trio.customer.receives("agent", "camera")
    assert time.monotonic() - began <= BACK_WITHIN_S
    picture = await trio.agent.flow("customer", "camera", over_s=2)
    assert picture.per_s >= LEAST_FRAMES_PER_S
    present = [one for one in await bank.participants(trio.session) if one["state"] != "left"]
    assert len(present) == 3  # the same place, not a second one


async def test_no_page_complained(trio: Trio) -> None:
    assert trio.complaints() == []


async def test_the_expert_comes_in_by_one_click(browser: Browser, bank: Bank) -> None:
    opened = await bank.open()
    expert = await Seat.take(browser)
    try:
        await expert.page.goto(opened.expert_link)
        await expert.sees("Card blocked; wants a new one.")
        await expert.press("join.go")
        await expert.in_call()
    finally:
        await expert.leave()


async def test_the_agent_removes_one_and_ends_it_for_all(browser: Browser, bank: Bank, server: ServerProcess) -> None:
    async with three(browser, bank, server) as people:
        await people.customer.receives("expert", "camera")
        await people.agent.open_people()
        await people.agent.press("remove.label", name=people.expert_name)
        await people.agent.confirm("remove.yes")
        await people.expert.sees(people.expert.say("ended.removed"))
        await expect(
            people.customer.page.get_by_label(people.customer.say("tile.video", name=people.expert_name))
        ).to_have_count(0)
        picture = await people.agent.flow("customer", "camera", over_s=2)
        assert picture.per_s >= LEAST_FRAMES_PER_S
        await people.agent.press("bar.end")
        await people.agent.confirm("end.yes")
        await people.customer.sees(people.customer.say("ended.session_ended"))
        assert (await bank.call("GET", f"/sessions/{people.session}"))["status"] == "ended"


async def test_a_waiting_customer_is_taken(browser: Browser, bank: Bank, server: ServerProcess) -> None:
    customer, agent = await Seat.take(browser), await Seat.take(browser)
    try:
        await customer.page.goto(server.url)
        await customer.press("arrive.nocode.go")
        await customer.page.get_by_label(customer.say("reason.card")).check()
        await customer.fill("walkin.name", "Wang Walk-in")
        await customer.press("walkin.go")
        await customer.press("check.skip")
        await customer.press("consent.yes")
        await customer.press("consent.yes")
        await customer.sees(customer.say("wait.title"))
        await agent.sign_in(server.agent_url, *server.agent)
        await agent_enters(agent, take="Wang Walk-in")
        await customer.in_call()
        await agent.in_call()
        await customer.receives("agent", "camera")
    finally:
        await customer.leave()
        await agent.leave()
