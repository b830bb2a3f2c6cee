"""The demo's bank in Chromium: its pages under their own policy, with its camera; for everybody, on a phone and on a desktop."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from server.demo_bank.products import TYPES
from tests.browser.test_accessibility import AXE, RUN_AXE
from tests.support.bank_pictures import CAMERA, Visitor
from tests.support.browser import DESKTOP, PHONE, Seat
from tests.support.demo_bank import Branch, bank_beside

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def branch(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Branch]:
    async with bank_beside(tmp_path_factory.mktemp("bank")) as made:
        yield made


@pytest.mark.parametrize(("language", "viewport"), [("zh", PHONE), ("en", DESKTOP)])
async def test_from_the_camera_to_the_new_password(
    browser: Browser, branch: Branch, language: str, viewport: dict[str, int]
) -> None:
    """Enrolled with the camera, sent to Tongping's page and back, and the page changes by itself; nothing on the console all the while."""
    seat = await Seat.take(browser, language=language, viewport=viewport)
    await seat.context.add_init_script(CAMERA)
    visitor = Visitor(seat, branch)
    await visitor.sign_in(0)
    await visitor.enrol()
    id = await visitor.order_password()
    assert seat.page.url.startswith(f"{branch.here.server.context.public_url}/j/")
    await seat.page.goto(f"{branch.place.url}/orders/{id}")
    await expect(seat.page.get_by_role("link", name=visitor.word("go_on"))).to_be_visible()
    await branch.show_live(id)
    await expect(seat.page.get_by_role("heading", name=visitor.word("done_debit_card_password_change"))).to_be_visible()
    await expect(seat.page.get_by_text(visitor.word("assurance_live"))).to_be_visible()
    await visitor.press("change_try")
    await expect(seat.page.locator(".change.refused")).to_contain_text(visitor.word("check_other_details"))
    await seat.page.goto(f"{branch.place.url}/branch")
    await visitor.press("erase")
    await expect(seat.page.locator(".notice")).to_have_text(visitor.word("erased_now"))
    await visitor.press("sign_out")
    await expect(seat.page.get_by_role("heading", name=visitor.word("sign_in"))).to_be_visible()
    await seat.leave()


async def test_at_the_branch_without_consent_and_without_a_camera(browser: Browser, branch: Branch) -> None:
    seat = await Seat.take(browser)
    await seat.context.add_init_script(CAMERA)
    visitor = Visitor(seat, branch)
    await visitor.sign_in(2)
    await seat.page.goto(f"{branch.place.url}/branch")
    await visitor.press("camera_start")
    await visitor.press("take")
    await expect(seat.page.locator("#told")).to_have_text(visitor.word("need_consent"))
    assert branch.books.account("chen").template == ""
    await seat.context.add_init_script("navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('no'); }")
    await seat.page.reload()
    await visitor.press("camera_start")
    await expect(seat.page.locator("#told")).to_have_text(visitor.word("camera_denied"))
    await expect(seat.page.get_by_role("button", name=visitor.word("camera_start"))).to_be_visible()
    await seat.leave()


@pytest.mark.parametrize(("language", "width"), [("zh", 390), ("en", 390), ("en", 1280)])
async def test_every_page_passes_axe_and_fits(
    browser: Browser, branch: Branch, tmp_path: Path, language: str, width: int
) -> None:
    context = await browser.new_context(
        locale="zh-CN" if language == "zh" else "en-GB", viewport={"width": width, "height": 800}, bypass_csp=True
    )
    await context.add_init_script(CAMERA)
    page = await context.new_page()
    visitor = Visitor(Seat(context, page, language), branch)
    url, found = branch.place.url, list[str]()

    async def look(name: str) -> None:
        await page.evaluate(AXE.read_text(encoding="utf-8"))
        found.extend(f"{name}: {one}" for one in await page.evaluate(RUN_AXE))
        wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{name} is {wide} px too wide"

    await page.goto(url)
    await look("sign in")
    await visitor.sign_in(3)
    await look("home")
    await page.goto(f"{url}/branch")
    await look("branch")
    await page.goto(f"{url}/new/{TYPES[0]}")
    await look("ways")
    await page.screenshot(path=tmp_path / "ways.png", full_page=True)
    await page.get_by_role("link", name=visitor.word("way_person_go"), exact=True).click()
    await expect(page.get_by_role("button", name=visitor.word("next_person"), exact=True)).to_be_visible()
    await look("by a person")
    await visitor.enrol()
    for type in TYPES:
        await page.goto(f"{url}/new/{type}")
        await look(type)
    id = await visitor.order_password()
    await page.goto(f"{url}/orders/{id}")
    await look("order")
    await branch.show_live(id)
    await expect(page.locator(".outcome.good")).to_be_visible()
    await look("done")
    await visitor.press("change_try")
    await look("changed")
    await page.goto(f"{url}/history")
    await look("history")
    await page.goto(f"{url}/nothing")
    await look("nothing")
    await page.goto(f"{url}/branch")
    await visitor.press("erase")
    await context.close()
    assert found == []
