"""All stories on one page of the shared Chromium: ``stories.html`` is opened once and goes from story to story by address."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

from playwright.async_api import Browser, Page

from tests.support.static_site import DIST, serve

#: Heights of the widths: telephones upright (360, 390, 430) and on their side (844), a page of 1280 enlarged twice (640).
HEIGHTS = {360: 740, 390: 844, 430: 932, 640: 400, 768: 1024, 844: 390, 1024: 768, 1280: 800}


@dataclass
class Stories:
    """``problems`` collects what the console and the page complain about since ``show`` was called."""

    page: Page
    width: int
    names: list[str]
    problems: list[str] = field(default_factory=list)
    turns: "count[int]" = field(default_factory=count)

    async def show(
        self, name: str, *, lang: str = "zh", theme: str = "light", size: str = "normal", direction: str = "ltr"
    ) -> None:
        """Shows one story and returns when it is drawn, and what happens in it by itself has happened."""
        self.problems.clear()
        await self.page.evaluate(
            """async (hash) => {
                const shown = new Promise((done) => addEventListener("storyshown", done, { once: true }));
                location.hash = hash;
                await shown;
                await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
                await window.storySettles;
            }""",
            f"story={name}&lang={lang}&theme={theme}&size={size}&dir={direction}&turn={next(self.turns)}",
        )


@asynccontextmanager
async def open_stories(browser: Browser, width: int = 390) -> AsyncIterator[Stories]:
    """Motion is switched off, as for a reader who asked for that, so that nothing depends on the moment."""
    if not (DIST / "stories.html").exists():
        raise FileNotFoundError("static/dist is not built: npm run build in static/")
    with serve() as address:
        context = await browser.new_context(viewport={"width": width, "height": HEIGHTS[width]}, reduced_motion="reduce")
        try:
            page = await context.new_page()
            stories = Stories(page=page, width=width, names=[])
            page.on(
                "console",
                lambda said: stories.problems.append(said.text) if said.type in {"error", "warning"} else None,
            )
            page.on("pageerror", lambda error: stories.problems.append(str(error)))
            await page.goto(f"{address}/stories.html")
            stories.names = await page.evaluate("window.storyNames")
            yield stories
        finally:
            await context.close()
