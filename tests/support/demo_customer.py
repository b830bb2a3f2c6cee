"""A customer of the demo's bank in a real Chromium: signs in, has their face enrolled, orders something, shows that it is them, and comes back."""

import re
from dataclasses import dataclass

from playwright.async_api import expect

from server.demo_bank.products import LOSS, PASSWORD, PHONE, USHIELD
from server.demo_bank.words import WORDS
from tests.support.browser import APPEARS_MS, Seat

FIELDS: dict[str, dict[str, str]] = {
    PASSWORD: {"new_secret": "804152", "again": "804152"},
    LOSS: {"lost_on": "2026-01-02"},
    PHONE: {"new_phone": "15020014477"},
    USHIELD: {"new_secret": "5902716", "again": "5902716"},
}


def bank_word(key: str, **values: str) -> str:
    return WORDS[key][1].format(**values)


@dataclass(slots=True)
class DemoCustomer:
    """``url``: of the bank. All in English."""

    seat: Seat
    url: str

    async def press(self, key: str) -> None:
        await self.seat.page.get_by_role("button", name=bank_word(key), exact=True).click()

    async def sees(self, key: str, **values: str) -> None:
        heading = self.seat.page.get_by_role("heading", name=bank_word(key, **values), exact=True)
        await expect(heading).to_be_visible(timeout=APPEARS_MS)

    async def sign_in(self, name: str) -> None:
        await self.seat.page.goto(f"{self.url}/?lang=en")
        await self.seat.page.get_by_role("button", name=re.compile(rf"^{name}\b")).click()

    async def enrol(self) -> None:
        """At the branch, with the camera."""
        page = self.seat.page
        await page.get_by_role("link", name=bank_word("go_to_branch")).click()
        await page.get_by_label(bank_word("i_agree")).check()
        await self.press("camera_start")
        await self.press("take")
        await self.seat.sees(bank_word("enrolled_now"))

    async def enrol_if_need_be(self) -> None:
        """Who was enrolled by an earlier test still is."""
        enrolled = self.seat.page.get_by_text(bank_word("enrolled"), exact=True)
        offered = self.seat.page.get_by_role("link", name=bank_word("go_to_branch"))
        await expect(enrolled.or_(offered)).to_be_visible(timeout=APPEARS_MS)
        if await offered.is_visible():
            await self.enrol()

    async def order(self, type: str) -> str:
        """Until the page of the check is there. The address of the order's own page."""
        page = self.seat.page
        await page.get_by_role("link", name=re.compile(rf"^{re.escape(bank_word(type))}")).click()
        for name, value in FIELDS[type].items():
            await page.locator(f"input[name={name}]").fill(value)
        order = await page.locator("input[name=order]").input_value()
        await self.press("next_check")
        await expect(page.get_by_role("heading", name=self.seat.say("self.arrive.title"))).to_be_visible(timeout=APPEARS_MS)
        return f"{self.url}/orders/{order}"


async def agree_and_begin(seat: Seat, *, light: bool = True, scopes: tuple[str, ...] = ("self_face", "self_camera")) -> None:
    """From the first page of a customer's own check to its beginning."""
    await seat.press("start")
    for scope in scopes:
        await expect(seat.page.get_by_role("heading", name=seat.say(f"consent.{scope}.title"))).to_be_visible(
            timeout=APPEARS_MS
        )
        await seat.press("consent.yes")
    await seat.press("self.ready.go" if light else "self.ready.dark")
