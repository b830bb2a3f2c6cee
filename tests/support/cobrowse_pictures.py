"""Pictures of a page that is looked at together, from a running server, for the documentation.

    python -m tests.support.cobrowse_pictures docs/screenshots

The customer's window, 1280 and 390 pixels wide, and the agent's, which is a desktop's, with each of them; in English and Chinese. The agent is drawn.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Browser, async_playwright, expect

from tests.support.browser import DESKTOP, PHONE, launch
from tests.support.screenshots import DRAWN
from tests.support.server_process import ServerProcess
from tests.support.together import YES, Together, together
from tests.support.watching import APPEARS_MS

SIZES = {"1280": DESKTOP, "390": PHONE}


async def pictures(browser: Browser, server: ServerProcess, folder: Path, language: str, size: str) -> None:
    drawn = f"if (window === top) {{ {DRAWN.replace('__ROLE__', 'agent')} }}"  # its clock is blocked in the replay's frames
    async with together(browser, server, language=language, viewport=SIZES[size], script=drawn) as shared:
        await fill_in(shared)
        for scope in ("point", "fill"):
            await shared.ask(scope, YES[language])
            await shared.standing(scope, "granted")
        await shared.tool("highlight")
        await shared.pick("page.querySelector('input[type=date]')")
        await shared.tool("arrow")
        await shared.drag("page.querySelectorAll('select')[1].parentElement")
        await shared.drawn("path.mark").wait_for()
        await shared.tool("point")
        await shared.agent.page.mouse.move(*await shared.spot("page.querySelector('input[type=date]')", 0.6, 0.8))
        await shared.drawn(".pointer").wait_for()
        await shared.agent.page.screenshot(path=folder / f"cobrowse-agent-{language}-{size}.png", caret="hide")
        await shared.page.screenshot(path=folder / f"cobrowse-customer-{language}-{size}.png", caret="hide")


async def fill_in(shared: Together) -> None:
    """Half of it, and one thing wrong."""
    page = shared.page
    await page.locator("#payees button").nth(9).click()
    await page.locator("[name=amount]").fill("250.00")
    await page.locator("[name=purpose]").select_option("purpose_family")
    await page.locator("[name=pay_on]").fill("2020-02-29")
    await page.locator("[name=pay_on]").press("Tab")
    await page.locator("[name=purpose]").evaluate("(field) => field.scrollIntoView({ block: 'center' })")
    await shared.seen("page.querySelectorAll('[aria-invalid=true]').length === 1 && page.defaultView.scrollY > 0")


async def main(folder: Path) -> None:
    expect.set_options(timeout=APPEARS_MS)
    with tempfile.TemporaryDirectory() as data, ServerProcess(Path(data)) as server:
        async with async_playwright() as playwright:
            browser = await launch(playwright, clips=False)
            for language in ("en", "zh"):
                for size in SIZES:
                    await pictures(browser, server, folder, language, size)
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
