"""Every page in every state, in both languages and at three widths: no complaint, nothing sticks out, nothing is cut off.

The short form looks at each in two ways, and in each of eleven other ways at every third of them; the long one
(``TESTS_CAMPAIGN=long``) at all of them in all these and five more.
"""

import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.support.stories import Stories, open_stories
from tests.support.words import say

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.deadline(900)]

LONG = os.environ.get("TESTS_CAMPAIGN") == "long"

#: What is wrong with the story on the page now, in words. Runs in the browser.
FAULTS = """
() => {
  const faults = [];
  const root = document.documentElement;
  const minimum = root.dataset.size === "large" ? 56 : 44;
  if (root.scrollWidth > innerWidth) faults.push(`sticks out sideways: ${root.scrollWidth} > ${innerWidth}`);
  const seen = (element) => {
    const box = element.getBoundingClientRect();
    return box.width > 1 && box.height > 1 && element.checkVisibility({ visibilityProperty: true });
  };
  const named = (element) => `${element.tagName.toLowerCase()}.${element.className} "${(element.ariaLabel || element.textContent || "").slice(0, 40)}"`;
  if (![...document.querySelectorAll("#app *")].some(seen)) faults.push("shows nothing");
  for (const element of document.querySelectorAll("#app button, #app a[href], #app select, #app summary, #app textarea, #app input:not([type=radio]):not([type=file])")) {
    if (!seen(element)) continue;
    const box = element.getBoundingClientRect();
    if (box.width < minimum - 0.5 || box.height < minimum - 0.5) faults.push(`too small to touch: ${named(element)} ${box.width}x${box.height}`);
    let around = element.parentElement;
    while (around && !/auto|scroll/.test(getComputedStyle(around).overflowX)) around = around.parentElement;
    if (!around && (box.left < -0.5 || box.right > innerWidth + 0.5)) faults.push(`cut off at the side: ${named(element)}`);
    if (element.tagName === "BUTTON" && element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).overflow === "visible") {
      faults.push(`words do not fit: ${named(element)}`);
    }
  }
  const clipping = document.querySelectorAll("#app p, #app h1, #app h2, #app h3, #app dd, #app label, #app li");
  for (const element of clipping) {
    const style = getComputedStyle(element);
    if (!seen(element) || style.overflowX === "auto" || style.textOverflow === "ellipsis") continue;
    if (element.scrollWidth > element.clientWidth + 1 && style.display !== "inline") faults.push(`text wider than its box: ${named(element)}`);
  }
  const bar = document.querySelector(".bar");
  if (bar && bar.getBoundingClientRect().bottom > innerHeight + 0.5) faults.push("the bar is below the edge of the screen");
  if (document.getAnimations().some((one) => one.playState === "running" && one.effect.getComputedTiming().duration > 0)) faults.push("moves");
  if (/\\{\\w+\\}|undefined|NaN|\\[object/.test(document.body.innerText)) faults.push("a word was not filled in");
  return faults;
}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=[390, 768, 1280])
async def stories(request: pytest.FixtureRequest, browser: Browser) -> AsyncIterator[Stories]:
    async with open_stories(browser, request.param) as opened:
        yield opened


ALL = -1


async def _faults(stories: Stories, third: int = ALL, **look: str) -> dict[str, list[str]]:
    """``third``: 0 to 2, which third of the stories the short form looks at."""
    found: dict[str, list[str]] = {}
    for name in stories.names if LONG or third == ALL else stories.names[third::3]:
        await stories.show(name, **look)
        faults = [*stories.problems, *(await stories.page.evaluate(FAULTS))]
        if faults:
            found[name] = faults
    return found


async def test_there_are_stories(stories: Stories) -> None:
    assert len(stories.names) >= 60
    assert len(set(stories.names)) == len(stories.names)


@pytest.mark.parametrize(
    ("stories", "lang", "third"),
    [
        (390, "zh", ALL),
        (390, "en", 0),
        (768, "zh", 1),
        (1280, "en", ALL),
        *([(768, "en", ALL), (1280, "zh", ALL)] if LONG else []),
    ],
    indirect=["stories"],
)
async def test_every_story_is_whole(stories: Stories, lang: str, third: int) -> None:
    assert await _faults(stories, third, lang=lang) == {}


@pytest.mark.parametrize(
    ("stories", "lang", "third"),
    [(390, "zh", 2), (1280, "en", 0), *([(390, "en", ALL), (1280, "zh", ALL)] if LONG else [])],
    indirect=["stories"],
)
async def test_every_story_is_whole_in_large_text(stories: Stories, lang: str, third: int) -> None:
    assert await _faults(stories, third, lang=lang, size="large", theme="dark") == {}


@pytest.mark.parametrize(
    ("stories", "third", "look"),
    [
        (360, 1, {"lang": "zh", "size": "large"}),
        (360, 2, {"lang": "en"}),
        (430, 0, {"lang": "zh", "theme": "dark"}),
        (640, 1, {"lang": "en"}),
        (844, 2, {"lang": "zh"}),
        (1024, 0, {"lang": "en"}),
    ],
    indirect=["stories"],
)
async def test_every_story_is_whole_on_other_screens(stories: Stories, third: int, look: dict[str, str]) -> None:
    assert await _faults(stories, third, **look) == {}


@pytest.mark.parametrize("stories", [390, 1280] if LONG else [390], indirect=True)
async def test_every_story_is_whole_from_right_to_left(stories: Stories) -> None:
    assert await _faults(stories, 1, lang="en", direction="rtl") == {}


@pytest.mark.parametrize("stories", [390], indirect=True)
async def test_a_keyboard_on_the_screen_covers_nothing(stories: Stories) -> None:
    """As in Safari, where the page keeps its height: what is written stays in sight above the keyboard."""
    await stories.show("call-chat")
    bottom = await stories.page.evaluate(
        """() => {
            Object.defineProperty(visualViewport, "height", { configurable: true, get: () => innerHeight - 336 });
            visualViewport.dispatchEvent(new Event("resize"));
            return [".composer", ".side-head", ".bar"].map((one) => document.querySelector(one).getBoundingClientRect());
        }"""
    )
    composer, head, bar = bottom
    assert head["top"] >= 0
    assert composer["bottom"] <= 844 - 336 + 0.5
    assert bar["bottom"] <= 844 - 336 + 0.5
    await stories.page.evaluate("() => { delete visualViewport.height; visualViewport.dispatchEvent(new Event('resize')); }")
    box = await stories.page.locator(".composer").bounding_box()
    assert box is not None
    assert box["y"] > 700


#: Where one's own picture and the words on the stage lie over each other, or the words do not fit, in words. Runs in the browser.
COVERED = """
() => {
  const own = document.querySelector(".self").getBoundingClientRect();
  const faults = [];
  for (const words of document.querySelectorAll(".stage-empty > p, .tile.main > .tile-still .held > span, .tile.main > .tile-still > :is(strong, span:not(.avatar):not(.row))")) {
    const range = document.createRange();
    range.selectNodeContents(words);
    for (const line of range.getClientRects()) {
      if (line.left < own.right && own.left < line.right && line.top < own.bottom && own.top < line.bottom) faults.push(`covered: ${words.textContent}`);
    }
    if (words.scrollHeight > words.clientHeight + 1 && getComputedStyle(words).overflowY === "auto") faults.push(`cut off: ${words.textContent}`);
  }
  return faults;
}
"""


@pytest.mark.parametrize("stories", [360], indirect=True)
@pytest.mark.parametrize("lang", ["zh", "en"])
async def test_ones_own_picture_covers_no_words(stories: Stories, lang: str) -> None:
    """The smallest telephone with the largest text; also with the picture moved to each of the four corners."""
    await stories.page.set_viewport_size({"width": 360, "height": 640})
    found: dict[str, list[str]] = {}
    for name in ("call-alone", "call-left", "call-held", "call-held-screen", "call-their-screen-paused-before"):
        await stories.show(name, lang=lang, size="large")
        for key in ("ArrowLeft", "ArrowUp", "ArrowRight", "ArrowDown"):
            await stories.page.locator(".self").press(key)
            await stories.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
            if faults := await stories.page.evaluate(COVERED):
                found[f"{name} after {key}"] = faults
    await stories.page.set_viewport_size({"width": 360, "height": 740})
    assert found == {}


@pytest.mark.parametrize("stories", [360, 390], indirect=True)
@pytest.mark.parametrize("size", ["normal", "large"])
async def test_a_reference_stands_in_one_line_beside_a_round_button(stories: Stories, size: str) -> None:
    await stories.show("done", lang="en", size=size)
    lines, high, minimum = await stories.page.evaluate(
        """() => {
            const range = document.createRange();
            range.selectNodeContents(document.querySelector(".copy > output"));
            const tops = new Set([...range.getClientRects()].map((line) => Math.round(line.top)));
            return [tops.size, document.querySelector(".copy > button").getBoundingClientRect().height, document.documentElement.dataset.size === "large" ? 56 : 44];
        }"""
    )
    assert lines == 1
    assert high <= minimum + 4


@pytest.mark.parametrize("stories", [390], indirect=True)
@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("size", ["normal", "large"])
async def test_numbered_steps_begin_under_each_other(stories: Stories, lang: str, size: str) -> None:
    await stories.show("check-denied", lang=lang, size=size)
    starts, room = await stories.page.evaluate(
        """() => {
            const steps = [...document.querySelectorAll(".numbered > li")];
            const starts = steps.flatMap((step) => {
                const range = document.createRange();
                range.selectNodeContents(step);
                return [...range.getClientRects()].map((line) => Math.round(line.left - step.getBoundingClientRect().left));
            });
            const em = parseFloat(getComputedStyle(steps[0]).fontSize);
            return [[...new Set(starts)], 1.4 * em];
        }"""
    )
    assert len(starts) == 1
    assert starts[0] >= room  # the number and its full stop stay in one line


@pytest.mark.parametrize("stories", [390], indirect=True)
@pytest.mark.parametrize("lang", ["zh", "en"])
async def test_who_has_no_name_is_called_by_the_role_once(stories: Stories, lang: str) -> None:
    await stories.show("call-nameless", lang=lang)
    role = say(lang, "role.agent")
    assert (await stories.page.locator(".top-people").inner_text()).count(role) == 1
    people = await stories.page.locator(".person > .grow").all_inner_texts()
    assert [
        text.count(say(lang, f"role.{who}")) for text, who in zip(people, ("customer", "expert", "agent"), strict=True)
    ] == [
        1,
        1,
        1,
    ]


@pytest.mark.parametrize("stories", [390], indirect=True)
@pytest.mark.parametrize("lang", ["zh", "en"])
async def test_a_picture_that_is_not_sent_for_now_is_said(stories: Stories, lang: str) -> None:
    await stories.show("call-held", lang=lang)
    held = stories.page.locator(".tile.main [role=status]")
    await expect(held).to_have_text(say(lang, "tile.held"))
    await expect(stories.page.locator(".tile.main video")).to_have_count(0)
    why = say(lang, "network.limit.bandwidth")
    await expect(stories.page.locator(".top .quality")).to_contain_text(why)
    assert why in (await stories.page.locator(".top .quality").get_attribute("title") or "")
    await stories.show("call-network-why", lang=lang)
    await expect(stories.page.locator(".person").first).to_contain_text(why)


async def test_a_fault_is_noticed(stories: Stories) -> None:
    """The measure itself: a page that sticks out and has a tiny button is found."""
    await stories.show("arrive")
    await stories.page.evaluate(
        """() => {
            const wide = document.createElement("p");
            wide.style.width = "3000px";
            wide.textContent = "wide";
            const tiny = document.createElement("button");
            tiny.style.cssText = "width: 10px; height: 10px; padding: 0; overflow: hidden";
            document.querySelector("#app").append(wide, tiny);
        }"""
    )
    faults = " ".join(await stories.page.evaluate(FAULTS))
    await stories.page.reload()
    assert "sticks out sideways" in faults
    assert "too small to touch" in faults
