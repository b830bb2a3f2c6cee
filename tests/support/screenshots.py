"""Pictures of the real pages, from a running server with three people in a call, for the documentation.

    python -m tests.support.screenshots docs/screenshots

Cameras are drawn people: nobody's face. Each page at 1280 and 390 pixels, in Chinese and English.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

import aiohttp
from playwright.async_api import Browser, async_playwright, expect

from tests.support.bank import Bank
from tests.support.browser import APPEARS_MS, DESKTOP, PHONE, Seat, launch
from tests.support.call import agent_enters
from tests.support.server_process import ServerProcess

NAMES = {"zh": ("林晓雨", "陈医生", "王敏"), "en": ("Lin Xiaoyu", "Dr Chen", "Wang Min")}
SIZES = {"1280": DESKTOP, "390": PHONE}


DRAWN = (Path(__file__).resolve().parent / "drawn.js").read_text(encoding="utf-8")


async def sit(browser: Browser, role: str, language: str, size: str) -> Seat:
    """A seat whose camera shows a drawn person."""
    seat = await Seat.take(browser, language=language, viewport=SIZES[size])
    await seat.context.add_init_script(DRAWN.replace("__ROLE__", role))
    return seat


class Album:
    """Takes the pictures of one language at one size."""

    def __init__(self, folder: Path, language: str, size: str) -> None:
        self.folder = folder
        self.suffix = f"{language}-{size}"
        self.taken: list[Path] = []

    async def take(self, seat: Seat, name: str) -> None:
        path = self.folder / f"{name}-{self.suffix}.png"
        await seat.page.screenshot(path=path, animations="disabled", caret="hide")
        self.taken.append(path)


async def customer_pages(album: Album, customer: Seat, server: ServerProcess, link: str) -> None:
    """Up to the call, one picture a page."""
    await customer.page.goto(server.url)
    await expect(customer.button("arrive.code.go")).to_be_visible()
    await album.take(customer, "arrive")
    await customer.page.goto(link)
    await expect(customer.button("start")).to_be_visible()
    await album.take(customer, "invited")
    await customer.press("start")
    await customer.press("check.before.go")
    await expect(customer.page.get_by_label(customer.say("check.preview"))).to_be_visible(timeout=APPEARS_MS)
    await album.take(customer, "check")
    await customer.press("next")
    await expect(customer.button("consent.yes")).to_be_visible()
    await album.take(customer, "consent")
    await customer.press("consent.yes")
    await customer.press("consent.yes")
    await customer.in_call()


async def waiting_page(album: Album, browser: Browser, server: ServerProcess, language: str, size: str) -> Seat:
    waiting = await Seat.take(browser, language=language, viewport=SIZES[size])
    await waiting.page.goto(server.url)
    await waiting.press("arrive.nocode.go")
    await waiting.page.get_by_label(waiting.say("reason.card")).check()
    await waiting.fill("walkin.name", NAMES[language][2])
    await album.take(waiting, "walk-in")
    await waiting.press("walkin.go")
    await waiting.press("check.skip")
    await waiting.press("consent.yes")
    await waiting.press("consent.yes")
    await waiting.sees(waiting.say("wait.title"))
    await album.take(waiting, "waiting")
    return waiting


async def album(browser: Browser, server: ServerProcess, bank: Bank, folder: Path, language: str, size: str) -> list[Path]:
    """One language at one size, from the first page to the last."""
    pictures = Album(folder, language, size)
    customer_name, expert_name, _ = NAMES[language]
    opened = await bank.open(language=language, customer=customer_name, expert=expert_name)
    seats = [await sit(browser, role, language, size) for role in ("customer", "agent", "expert")]
    customer, agent, expert = seats
    try:
        seats.append(await waiting_page(pictures, browser, server, language, size))
        await agent.page.goto(server.agent_url)
        await expect(agent.button("login.go")).to_be_visible()
        await pictures.take(agent, "login")
        await agent.sign_in(server.agent_url, *server.agent)
        await expect(agent.button("waiting.take.label", name=NAMES[language][2])).to_be_visible()
        await pictures.take(agent, "workbench")
        await agent_enters(agent, session_of=customer_name)
        await customer_pages(pictures, customer, server, opened.customer_link)
        await expert.page.goto(opened.expert_link)
        await expect(expert.button("join.go")).to_be_visible()
        await pictures.take(expert, "expert-arrival")
        await expert.press("join.go")
        for seat in (customer, agent, expert):
            for role in ("customer", "agent", "expert"):
                if seat is not {"customer": customer, "agent": agent, "expert": expert}[role]:
                    await seat.receives(role, "camera")
        await pictures.take(customer, "call-customer")
        await pictures.take(expert, "call-expert")
        await customer.write("我的卡停了吗？" if language == "zh" else "Is my card blocked?")
        await agent.write("已经停了，我们来补办。" if language == "zh" else "It is. Let us get you a new one.")
        await pictures.take(agent, "call-agent")
        await pictures.take(customer, "chat-customer")
        await agent.close_panel()
        await agent.press("bar.end")
        await agent.confirm("end.yes")
        await customer.sees(customer.say("ended.session_ended"))
        await pictures.take(customer, "done")
    finally:
        for seat in seats:
            await seat.leave()
    return pictures.taken


async def main(folder: Path) -> None:
    """Every album with a server of its own, so that nobody from another one is in a list."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    async with async_playwright() as playwright:
        browser = await launch(playwright, clips=False)
        for language in ("zh", "en"):
            for size in SIZES:
                with tempfile.TemporaryDirectory() as data, ServerProcess(Path(data)) as server:
                    async with aiohttp.ClientSession() as http:
                        bank = Bank(http, server.url)
                        await bank.sign_in(*server.agent)
                        taken = await album(browser, server, bank, folder, language, size)
                print(f"{language} {size}: {len(taken)} pictures", flush=True)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
