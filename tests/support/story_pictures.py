"""Pictures of stories, with drawn people, for the documentation.

python -m tests.support.story_pictures docs/screenshots
"""

import asyncio
import sys
from pathlib import Path

from playwright.async_api import async_playwright

from tests.support.browser import chromium_path, flags
from tests.support.stories import open_stories

#: Story, language, theme, size of text, widths.
PICTURES = (
    ("arrive", "zh", "light", "normal", (390, 1280)),
    ("check", "zh", "light", "normal", (390, 1280)),
    ("consent-camera", "zh", "light", "normal", (390,)),
    ("wait", "zh", "light", "large", (390,)),
    ("call-live", "zh", "light", "normal", (390, 1280)),
    ("call-asked-screen", "en", "dark", "normal", (390,)),
    ("call-sharing", "zh", "light", "normal", (390,)),
    ("call-their-screen-paused", "en", "dark", "normal", (1280,)),
    ("call-weak", "zh", "light", "large", (390,)),
    ("call-chat-days", "en", "light", "normal", (390,)),
    ("expert-arrival", "en", "light", "normal", (1280,)),
    ("call-grid", "en", "dark", "normal", (1280,)),
    ("bench-home", "zh", "light", "normal", (1280,)),
    ("bench-created", "en", "light", "normal", (1280,)),
    ("bench-qr", "zh", "light", "normal", (1280,)),
    ("bench-call", "zh", "light", "normal", (390, 1280)),
    ("bench-network", "zh", "light", "normal", (390, 1280)),
    ("people-waiting-list", "zh", "light", "normal", (1280,)),
    ("people-lobby", "en", "light", "normal", (390,)),
    ("people-handover-ask", "en", "light", "normal", (1280,)),
    ("people-offer", "zh", "light", "normal", (1280,)),
    ("people-customer-handover", "zh", "light", "large", (390,)),
    ("people-lost", "zh", "light", "normal", (390,)),
    ("people-takeover", "en", "dark", "normal", (1280,)),
    ("bench-review-full", "en", "light", "normal", (1280,)),
    ("bench-review-identified", "zh", "light", "normal", (1280,)),
    ("bench-verify-case", "zh", "light", "normal", (1280,)),
    ("page-code", "en", "light", "normal", (1280,)),
    ("page-all", "zh", "light", "normal", (1280,)),
    ("page-point", "en", "light", "normal", (390, 1280)),
    ("page-acts", "en", "dark", "normal", (1280,)),
    ("recording-on", "zh", "light", "normal", (390,)),
    ("recording-question", "zh", "light", "large", (390,)),
    ("recording-who", "en", "light", "normal", (390,)),
    ("bench-recording-on", "en", "light", "normal", (1280,)),
    ("self-arrive", "zh", "light", "large", (390,)),
    ("self-face", "en", "light", "normal", (390,)),
    ("self-ready", "zh", "light", "normal", (390, 1280)),
    ("self-ask", "zh", "light", "normal", (390,)),
    ("self-card-advice", "en", "light", "normal", (390,)),
    ("self-again-unseen", "en", "light", "normal", (390,)),
    ("self-accepted", "zh", "light", "normal", (390,)),
    ("review-list", "zh", "light", "normal", (1280,)),
    ("review-player", "zh", "light", "normal", (390, 1280)),
    ("review-verify-changed", "en", "dark", "normal", (1280,)),
)


async def main(folder: Path) -> None:
    """Writes ``story-<name>-<lang>-<width>.png`` for each."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=flags(clips=False))
        for width in (390, 1280):
            async with open_stories(browser, width) as stories:
                for name, lang, theme, size, widths in PICTURES:
                    if width not in widths:
                        continue
                    await stories.show(name, lang=lang, theme=theme, size=size)
                    await stories.page.wait_for_function(
                        "() => [...document.querySelectorAll('video')].every((video) => video.readyState >= 2) && !document.querySelector('.shot-loading')"
                        " && [...document.querySelectorAll('.page-room.seen iframe')].every((one) => one.dataset.page)"
                    )
                    await stories.page.screenshot(path=folder / f"story-{name}-{lang}-{width}.png", caret="hide")
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
