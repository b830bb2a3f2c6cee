"""Pictures of the demo's bank, from a real server with drawn faces, for the documentation.

    python -m tests.support.bank_pictures docs/screenshots

Each page at 1280 and 390 pixels, in Chinese and English.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Browser, async_playwright, expect

from server.demo_bank.products import PASSWORD
from server.demo_bank.words import WORDS
from tests.support.browser import DESKTOP, PHONE, Seat, launch
from tests.support.demo_bank import Branch, bank_beside

SIZES = {"1280": DESKTOP, "390": PHONE}
CAMERA = """
{
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [640, 480];
  const pen = canvas.getContext("2d");
  const paint = () => {
    pen.fillStyle = "black";
    pen.fillRect(0, 0, 640, 480);
    pen.fillStyle = "rgb(230, 160, 120)";
    pen.fillRect(160, 120, 320, 240);
  };
  setInterval(paint, 50);
  navigator.mediaDevices.getUserMedia = async () => (paint(), canvas.captureStream(20));
}
"""
"""A camera before which the drawn face sits."""


class Visitor:
    """Somebody at the bank's pages. ``which``: of the languages of ``WORDS``."""

    def __init__(self, seat: Seat, branch: Branch) -> None:
        self.seat, self.page, self.url = seat, seat.page, branch.place.url
        self.which = 0 if seat.language == "zh" else 1

    def word(self, key: str, **values: str) -> str:
        return WORDS[key][self.which].format(**values)

    async def press(self, key: str) -> None:
        await self.page.get_by_role("button", name=self.word(key), exact=True).click()

    async def sign_in(self, number: int = 0) -> None:
        await self.page.goto(self.url)
        await self.page.locator("button.person").nth(number).click()
        await expect(self.page.locator(".plastic")).to_be_visible()

    async def enrol(self) -> None:
        await self.page.goto(f"{self.url}/branch")
        await self.page.get_by_label(self.word("i_agree")).check()
        await self.press("camera_start")
        await self.press("take")
        await expect(self.page.locator(".notice")).to_have_text(self.word("enrolled_now"))

    async def order_password(self) -> str:
        """The order's id; the page is Tongping's then."""
        await self.page.goto(f"{self.url}/new/{PASSWORD}")
        id = await self.page.locator('input[name="order"]').input_value()
        await self.page.get_by_label(self.word("new_password")).fill("804152")
        await self.page.get_by_label(self.word("again")).fill("804152")
        await self.press("next_check")
        await self.page.wait_for_url("**/j/*")
        return id


async def pictures(browser: Browser, branch: Branch, folder: Path, language: str, size: str) -> None:
    seat = await Seat.take(browser, language=language, viewport=SIZES[size])
    await seat.context.add_init_script(CAMERA)
    visitor = Visitor(seat, branch)

    async def take(name: str) -> None:
        path = folder / f"bank-{name}-{language}-{size}.png"
        await seat.page.screenshot(path=path, animations="disabled", caret="hide")

    await visitor.sign_in()
    await take("home")
    await seat.page.goto(f"{visitor.url}/branch")
    await take("branch")
    await visitor.enrol()
    id = await visitor.order_password()
    await seat.page.goto(f"{visitor.url}/orders/{id}")
    await branch.show_live(id)
    await expect(seat.page.locator(".outcome.good")).to_be_visible()
    await take("done")
    await visitor.press("change_try")
    await expect(seat.page.locator(".change.refused")).to_be_visible()
    await take("changed")
    await seat.page.goto(f"{visitor.url}/branch")
    await visitor.press("erase")
    await expect(seat.page.locator(".notice")).to_be_visible()
    branch.books.anew("li")
    await seat.leave()


async def main(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as own:
        async with bank_beside(Path(own)) as branch, async_playwright() as playwright:
            browser = await launch(playwright)
            for language in ("zh", "en"):
                for size in SIZES:
                    await pictures(browser, branch, folder, language, size)
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
