"""axe-core on every story, WCAG 2.2 A and AA, and the contrast of the colours that are used together."""

import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.support.stories import Stories, open_stories

LONG = os.environ.get("TESTS_CAMPAIGN") == "long"
"""The short form looks at every story on a phone and at each third on a desktop."""
pytestmark = [pytest.mark.browser]

STATIC = Path(__file__).resolve().parents[2] / "static"
AXE = STATIC / "node_modules" / "axe-core" / "axe.min.js"
RUN_AXE = """
async (part) => {
  const result = await axe.run(part ?? document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    rules: { region: { enabled: false }, "page-has-heading-one": { enabled: false }, "landmark-one-main": { enabled: false } },
    resultTypes: ["violations"],
  });
  return result.violations.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.target.join(" ")} ${node.any[0]?.message ?? node.all[0]?.message ?? rule.help}`));
}
"""

#: Text on ground: 4.5:1.
TEXT = [
    ("ink", "paper"),
    ("ink", "surface"),
    ("ink", "sunken"),
    ("ink", "accent-wash"),
    ("ink", "warn-wash"),
    ("ink", "danger-wash"),
    ("ink-soft", "paper"),
    ("ink-soft", "surface"),
    ("ink-soft", "sunken"),
    ("accent", "paper"),
    ("accent", "surface"),
    ("accent", "accent-wash"),
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    ("on-danger", "danger"),
    ("on-danger", "danger-strong"),
    ("danger", "paper"),
    ("danger", "surface"),
    ("danger", "danger-wash"),
    ("warn", "surface"),
    ("warn", "warn-wash"),
    ("on-stage", "stage"),
    ("on-stage", "stage-raised"),
    ("on-stage-soft", "stage"),
]
#: Edges of controls and marks on ground: 3:1.
CONTROLS = [("edge", "paper"), ("edge", "surface"), ("accent", "paper"), ("accent", "sunken"), ("live", "stage")]


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=[390, 1280])
async def stories(request: pytest.FixtureRequest, browser: Browser) -> AsyncIterator[Stories]:
    async with open_stories(browser, request.param) as opened:
        await opened.page.evaluate(AXE.read_text(encoding="utf-8"))
        yield opened


@pytest.mark.deadline(900)
@pytest.mark.asyncio(loop_scope="session")
async def test_every_story_passes_axe(stories: Stories) -> None:
    look = {"lang": "zh", "theme": "light"} if stories.width == 390 else {"lang": "en", "theme": "dark"}
    found: dict[str, list[str]] = {}
    once = slice(stories.width == 390, None, 1 if LONG else 2)
    for name in stories.names[once]:
        await stories.show(name, **look)
        violations = await stories.page.evaluate(RUN_AXE)
        if violations:
            found[name] = violations
    assert found == {}


def _colours(block: str) -> dict[str, tuple[float, float, float]]:
    found = re.findall(r"--([a-z-]+): #([0-9a-f]{6});", block)
    return {name: (int(hexa[0:2], 16), int(hexa[2:4], 16), int(hexa[4:6], 16)) for name, hexa in found}


def _luminance(colour: tuple[float, float, float]) -> float:
    """WCAG 2.2, "relative luminance"."""
    parts = [value / 255 for value in colour]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _themes() -> dict[str, dict[str, tuple[float, float, float]]]:
    css = (STATIC / "src" / "styles" / "tokens.css").read_text(encoding="utf-8")
    light_block, dark_block = css.split(':root[data-theme="dark"]')
    light = _colours(light_block)
    return {"light": light, "dark": light | _colours(dark_block)}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_that_meet_are_told_apart(theme: str) -> None:
    colours = _themes()[theme]
    weak = {
        f"{front} on {back}": round(ratio, 2)
        for pairs, least in ((TEXT, 4.5), (CONTROLS, 3.0))
        for front, back in pairs
        if (ratio := _contrast(colours[front], colours[back])) < least
    }
    assert weak == {}


def test_contrast_is_measured_as_written() -> None:
    assert _contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21.0)
    assert _contrast((119, 119, 119), (255, 255, 255)) == pytest.approx(4.478, abs=0.001)
