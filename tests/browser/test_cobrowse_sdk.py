"""The script for the bank's pages in Chromium, on a page with a strict policy, against a server that says what each test wants."""

import json
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.browser.test_accessibility import AXE, RUN_AXE
from tests.support.browser import DESKTOP, PHONE, Seat
from tests.support.cobrowse_page import LI, SECRET, Sharing, rules, sharing, until
from tests.support.server_process import ServerProcess
from tests.support.static_site import DIST

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

OPEN = """
const attach = Element.prototype.attachShadow;
Element.prototype.attachShadow = function (options) {
  return attach.call(this, this.localName === "tongping-share" ? { ...options, mode: "open" } : options);
};
"""
"""So that a test can look into it."""
OWN = '"tagName": "tongping-share"'
NAMES = "() => Object.getOwnPropertyNames(window)"
ROOT = Path(__file__).parents[2]
PICTURES = Path(os.environ["TESTS_PICTURES"]) if "TESTS_PICTURES" in os.environ else None


@pytest_asyncio.fixture(loop_scope="session")
async def bank() -> AsyncIterator[Sharing]:
    async with sharing() as made:
        yield made


async def seat(browser: Browser, *, language: str = "en", viewport: dict[str, int] = DESKTOP) -> Seat:
    taken = await Seat.take(browser, language=language, viewport=viewport)
    await taken.context.add_init_script(OPEN)
    return taken


async def begin(bank: Sharing, page: Page) -> None:
    """Up to the code."""
    await page.goto(bank.url)
    await page.evaluate("Tongping.start()")
    await until(lambda: bank.tabs)
    await bank.tab.say(
        "tab.welcome", share="SH_1", token="T", pages=rules(bank.url), bank_zh="海川银行", bank_en="Haichuan Bank"
    )
    await bank.state(state="idle", code="402713", code_s=600)


async def share(bank: Sharing, page: Page, *scopes: str) -> None:
    """Up to the picture."""
    await begin(bank, page)
    await bank.granted("view", *scopes)
    await bank.tab.say("picture.want")
    await until(lambda: [one for one in bank.tab.events if one["type"] == 2])


async def press(page: Page, name: str) -> None:
    await page.get_by_role("button", name=name, exact=True).click()


async def said(page: Page, words: str) -> None:
    """In the bar."""
    await expect(page.locator("tongping-share .bar .line")).to_contain_text(words)


async def test_it_leaves_one_name_and_breaks_no_policy(browser: Browser, bank: Sharing) -> None:
    taken = await Seat.take(browser)
    page = taken.page
    await page.route("**/sdk/tongping.js", lambda route: route.abort())
    taken.expects("ERR_FAILED", "Tongping is not defined")
    await page.goto(bank.url)
    before = set(await page.evaluate(NAMES))
    await page.unroute("**/sdk/tongping.js")
    await share(bank, page)
    after = set(await page.evaluate(NAMES))
    assert after - before == {"Tongping"}
    assert await page.evaluate("document.querySelector('tongping-share').shadowRoot === null"), "closed"
    assert await page.evaluate(
        "Object.isFrozen(Tongping) && !('value' in (() => { try { window.Tongping = 1; } catch {} return {}; })())"
    )
    assert await page.evaluate("typeof Tongping.start") == "function"
    assert OWN not in json.dumps(bank.tab.events)
    assert not await page.evaluate("document.querySelector('script[src*=record-]') !== null"), "its tag is gone"
    await taken.leave()


async def test_nothing_is_recorded_before_a_yes(browser: Browser, bank: Sharing) -> None:
    taken = await seat(browser)
    page = taken.page
    await page.goto(bank.url)
    await expect(page.get_by_role("button", name="Get help with this page")).to_be_visible()
    assert not bank.tabs, "a page that is only looked at opens no socket"
    await begin(bank, page)
    await expect(page.get_by_role("dialog", name="Your sharing code")).to_contain_text("402")
    await bank.state(state="attached", viewers=[LI])
    await bank.ask("view")
    card = page.get_by_role("dialog", name="Li Wen of Haichuan Bank wants to see this page and other pages you open here")
    await expect(card).to_be_visible()
    await expect(card).to_contain_text("passwords, one-time codes")
    yes, no = [await card.get_by_role("button", name=name).bounding_box() for name in ("Yes, allow", "No")]
    assert yes is not None
    assert no is not None
    assert (yes["width"], yes["height"]) == (no["width"], no["height"])
    assert yes["height"] >= 44
    await page.fill("#amount", "12")
    assert [one["type"] for one in bank.tab.heard] == ["tab.hello"]
    assert not any("record-" in path for path in bank.asked)
    await page.wait_for_timeout(600)  # what is pressed at once was meant for something else
    await press(page, "Yes, allow")
    await until(lambda: bank.tab.of("tab.consent"))
    assert bank.tab.of("tab.consent")[0]["given"] is True
    assert not any("record-" in path for path in bank.asked)
    await bank.granted("view")
    await bank.tab.say("picture.want")
    await until(lambda: [one for one in bank.tab.events if one["type"] == 2])
    assert [one["type"] for one in bank.tab.events][:2] == [4, 2]
    await taken.leave()


async def test_a_recorder_that_was_exchanged_is_not_run(browser: Browser, bank: Sharing) -> None:
    taken = await seat(browser)
    page = taken.page
    (real,) = (DIST / "sdk").glob("record-*.js")
    other = f"window.exchanged = true;\n{real.read_text(encoding='utf-8')}"
    await page.route("**/sdk/record-*.js", lambda route: route.fulfill(body=other, content_type="text/javascript"))
    taken.expects("integrity")
    await begin(bank, page)
    await bank.granted("view")
    await bank.tab.say("picture.want")
    await until(lambda: bank.tab.of("tab.stop"))
    assert await page.evaluate("window.exchanged") is None
    assert not bank.tab.events
    await taken.leave()


async def test_what_leaves_is_masked_here_already(browser: Browser, bank: Sharing) -> None:
    taken = await seat(browser)
    page = taken.page
    await share(bank, page)
    await page.fill("#amount", "250")
    await page.fill("#password", f"{SECRET}9")
    await page.fill("#note", f"{SECRET}8")
    await page.evaluate(
        """(secret) => {
          for (const place of [document.querySelector("main"), document.getElementById("host").shadowRoot]) {
            const made = document.createElement("p");
            made.append(secret);
            made.title = made.dataset.x = secret;
            place.append(made);
          }
          document.querySelector(".balance").firstChild.data = secret;
          document.querySelector("h1").textContent = "Transfer abroad";
        }""",
        SECRET,
    )
    await until(lambda: "Transfer abroad" in json.dumps(bank.tab.events) and '"250"' in json.dumps(bank.tab.events))
    told = json.dumps(bank.tab.events)
    assert SECRET not in told
    assert "Transfer money" in told, "a rule shows it"
    assert OWN not in told, "nothing of its own"
    await taken.leave()


async def test_revoked_is_silent_at_once(browser: Browser, bank: Sharing) -> None:
    taken = await seat(browser)
    page = taken.page
    await share(bank, page, "point")
    await press(page, "More")
    await press(page, "Take “see” back from Li Wen")
    await until(lambda: bank.tab.of("tab.consent"))
    before = len(bank.tab.heard)
    await page.evaluate("document.querySelector('h1').textContent = 'other'; Tongping.journey('step')")
    await bank.granted("view")  # as if the server did not know it yet
    await press(page, "Stop")
    await until(lambda: bank.tab.of("tab.stop"))
    assert [one["type"] for one in bank.tab.heard[before:]] == ["tab.stop"]
    await taken.leave()


async def test_acts_are_judged_here_again(browser: Browser, bank: Sharing) -> None:
    taken = await seat(browser)
    page = taken.page
    await share(bank, page, "scroll", "fill", "click")
    node = bank.tab.node

    async def done(kind: str, node: int, value: str = "", **part: object) -> str:
        return await bank.outcome(await bank.act(kind, node, value, **part))

    assert await done("fill", node(id="amount"), "250") == "done"
    assert await page.input_value("#amount") == "250"
    assert await done("fill", node(id="to"), "Household") == "done"
    assert await page.input_value("#to") == "h"
    for secret in ("password", "code", "note"):
        assert await done("fill", node(id=secret), "x") == "refused", secret
    assert await done("click", node(id="send")) == "refused"
    assert await page.title() == "Transfer"
    assert await done("click", node(id="more")) == "done"
    await expect(page.locator("#dialog")).to_be_visible()
    await press(page, "Take back control")
    await until(lambda: bank.tab.of("tab.take"))
    assert await done("fill", node(id="amount"), "9") == "refused"
    await page.locator("#close").click()
    await bank.granted("view")  # the server has heard of it, and the customer gives it anew
    await bank.granted("view", "fill")
    assert await done("fill", node(id="amount"), "1", page=99) == "gone"
    assert await done("fill", node(id="amount"), "1", viewer="PA_other") == "refused"
    await page.locator("#amount").press_sequentially("7")
    assert await done("fill", node(id="amount"), "1") == "dismissed"
    await taken.leave()


async def test_a_proposal_is_taken_by_keyboard(browser: Browser, bank: Sharing) -> None:
    taken = await seat(browser)
    page = taken.page
    await share(bank, page, "point")
    act = await bank.act("propose", bank.tab.node(id="amount"), "1,250.00")
    card = page.get_by_role("group", name="Li Wen proposes:")
    await expect(card).to_contain_text("1,250.00")
    await page.get_by_role("button", name="Accept").focus()
    await page.wait_for_timeout(600)  # what is pressed at once was meant for something else
    await page.keyboard.press("Enter")
    assert await bank.outcome(act) == "done"
    assert await page.input_value("#amount") == "1,250.00"
    await expect(card).to_be_hidden()
    act = await bank.act("propose", bank.tab.node(id="amount"), "2")
    await expect(card).to_be_visible()
    await page.locator("#amount").press_sequentially("5")
    assert await bank.outcome(act) == "dismissed"
    await taken.leave()


async def test_the_bar_is_above_a_modal_dialog(browser: Browser, bank: Sharing) -> None:
    taken = await seat(browser)
    page = taken.page
    await share(bank, page)
    await page.locator("#more").click()
    await expect(page.locator("dialog tongping-share")).to_be_attached()
    await press(page, "Pause")
    await until(lambda: bank.tab.of("tab.pause"))
    await page.locator("#close").click()
    await expect(page.locator("html > tongping-share")).to_be_attached()
    assert OWN not in json.dumps(bank.tab.events)
    await press(page, "Stop")
    await until(lambda: bank.tab.of("tab.stop"))
    await said(page, "Sharing has ended")
    await taken.leave()


async def test_navigation_and_reload_come_back(browser: Browser, bank: Sharing) -> None:
    taken = await seat(browser)
    page = taken.page
    await share(bank, page)
    first = bank.tab.heard[0]
    for number, go in ((2, page.locator("#next").click), (3, page.reload)):
        await go()
        await until(lambda number=number: len(bank.tabs) == number)  # type: ignore[misc]
        hello = bank.tab.heard[0]
        assert (hello["token"], hello["page"], hello["tab"]) == ("T", number, first["tab"])
        await bank.tab.say("tab.welcome", share="SH_1", token="T", pages=rules(bank.url), bank_zh="", bank_en="")
        await bank.granted("view")
        await bank.tab.say("picture.want")
        await until(lambda: [one for one in bank.tab.events if one["type"] == 2])
        assert {one["page"] for one in bank.tab.of("tab.dom")} == {number}
        await said(page, "Li Wen sees this page")
    await taken.leave()


async def test_history_takes_a_new_picture_under_other_rules(browser: Browser, bank: Sharing) -> None:
    taken = await seat(browser)
    page = taken.page
    await share(bank, page)
    count = len(bank.tab.events)
    await page.evaluate("history.pushState(null, '', '/secret?x=1'); document.querySelector('h1').textContent = 'Elsewhere'")
    await until(lambda: [one for one in bank.tab.events[count:] if one["type"] == 2])
    after = bank.tab.events[count:]
    after = after[[one["type"] for one in after].index(4) :]
    assert after[1]["type"] == 2
    assert after[0]["data"]["href"] == f"{bank.url}/secret"
    assert "Elsewhere" not in json.dumps(bank.tab.events), "no rule names it"
    await taken.leave()


async def test_a_second_tab_takes_part(browser: Browser, bank: Sharing) -> None:
    taken = await seat(browser)
    page = taken.page
    await share(bank, page)
    first = bank.tab
    other = await taken.context.new_page()
    await other.goto(bank.url)
    await until(lambda: len(bank.tabs) == 2)
    second = bank.tab
    assert second.heard[0]["token"] == "T"
    assert second.heard[0]["tab"] != first.heard[0]["tab"]
    assert second.heard[0]["page"] > first.heard[0]["page"]
    await second.say("tab.welcome", share="SH_1", token="T", pages=rules(bank.url), bank_zh="", bank_en="")
    await bank.granted("view", front=False, tab=second)
    await until(lambda: second.of("tab.front"))
    await bank.granted("view", front=False, tab=first)
    await said(page, "Another tab of yours is shared")
    await press(other, "Stop")
    await said(page, "Sharing has ended")
    await taken.leave()


async def test_a_line_that_is_cut_comes_back(browser: Browser, bank: Sharing) -> None:
    taken = await seat(browser)
    page = taken.page
    await share(bank, page)
    await bank.tab.socket.close()
    await said(page, "Connection lost")
    await until(lambda: len(bank.tabs) == 2)
    hello = bank.tab.heard[0]
    assert (hello["token"], hello["page"]) == ("T", 1)
    assert not bank.tab.of("tab.dom")
    await bank.tab.say("tab.welcome", share="SH_1", token="T", pages=rules(bank.url), bank_zh="", bank_en="")
    await bank.granted("view")
    await bank.tab.say("picture.want")
    await until(lambda: bank.tab.events)
    assert bank.tab.of("tab.dom")[0]["n"] == 1
    await taken.leave()


async def test_what_the_agent_sees_is_hatched(browser: Browser, bank: Sharing) -> None:
    taken = await seat(browser)
    page = taken.page
    await share(bank, page)
    await page.fill("#amount", "250")
    await press(page, "What your adviser sees")
    areas = page.locator(".hidden-area")
    await expect(areas.first).to_be_visible()
    covered = await page.evaluate(
        """() => {
          const areas = [...document.querySelector("tongping-share").shadowRoot.querySelectorAll(".hidden-area")].map((one) => one.getBoundingClientRect());
          const is = (selector) => {
            const box = document.querySelector(selector).getBoundingClientRect();
            const [x, y] = [box.left + Math.min(box.width / 2, 30), box.top + box.height / 2];
            return areas.some((one) => one.left <= x && x <= one.right && one.top <= y && y <= one.bottom);
          };
          return Object.fromEntries(["#password", "#code", "#note", ".balance", "h1", "#amount", "label"].map((one) => [one, is(one)]));
        }"""
    )
    assert covered == {
        "#password": True,
        "#code": True,
        "#note": True,
        ".balance": True,
        "h1": False,
        "#amount": False,
        "label": False,
    }
    await press(page, "Show my page as it is")
    await expect(areas).to_have_count(0)
    await taken.leave()


async def test_pointer_and_marks_stand_where_the_agent_puts_them(browser: Browser, bank: Sharing) -> None:
    taken = await seat(browser)
    page = taken.page
    await share(bank, page, "point")
    node = bank.tab.node(id="amount")
    spot = {"node": node, "x": 0.5, "y": 0.5}
    await bank.tab.say("pointer", page=1, at=spot, viewer="PA_li")
    await bank.tab.say("mark", id="m1", page=1, kind="highlight", spots=[spot], viewer="PA_li")
    await bank.tab.say("mark", id="m2", page=1, kind="arrow", spots=[{**spot, "x": 0.1, "y": 0.1}, spot], viewer="PA_li")
    pointer, marked = page.locator(".layer > .name"), page.locator("rect.highlight")
    await expect(pointer).to_have_text("Li Wen")
    field, box = await page.locator("#amount").bounding_box(), await marked.bounding_box()
    assert field is not None
    assert box is not None
    assert abs(field["y"] - box["y"]) < 8
    assert abs(field["width"] - box["width"]) < 16
    await expect(page.locator("path.mark")).to_have_count(1)
    await bank.tab.say("unmark", id="", viewer="PA_li")
    await expect(marked).to_have_count(0)
    await bank.granted("view")
    await expect(pointer).to_have_count(0)
    await taken.leave()


@pytest.mark.parametrize(("language", "viewport"), [("zh", PHONE), ("en", PHONE), ("zh", DESKTOP), ("en", DESKTOP)])
async def test_axe_finds_nothing_and_targets_are_large(
    browser: Browser, bank: Sharing, language: str, viewport: dict[str, int]
) -> None:
    bank.language = "zh-CN" if language == "zh" else "en"
    taken = await seat(browser, language=language, viewport=viewport)
    page = taken.page
    found = list[str]()

    async def look(name: str) -> None:
        if PICTURES is not None:
            await page.screenshot(path=PICTURES / f"sdk-{name}-{language}-{viewport['width']}.png")
        found.extend(f"{name}: {one}" for one in await page.evaluate(RUN_AXE) if "tongping-share" in one)
        small = await page.evaluate(
            """() => [...document.querySelector("tongping-share").shadowRoot.querySelectorAll("button")].filter((one) => one.offsetParent || one.getClientRects().length)
              .filter((one) => one.getBoundingClientRect().height < 44 || one.getBoundingClientRect().width < 44).map((one) => one.textContent)"""
        )
        found.extend(f"{name}: small: {one}" for one in small)
        wide = await page.evaluate("document.documentElement.scrollWidth > innerWidth")
        assert not wide, name

    await begin(bank, page)
    cdp = await page.context.new_cdp_session(page)
    await cdp.send("Page.setBypassCSP", {"enabled": True})
    await begin_again(bank, page)
    await page.evaluate(AXE.read_text(encoding="utf-8"))
    panel = page.locator("tongping-share .panel")
    await expect(panel).to_contain_text("402")
    await look("code")
    await bank.state(state="attached", viewers=[LI])
    for scope in ("view", "fill"):
        await bank.ask(scope)
        await expect(page.locator("tongping-share .choices")).to_be_visible()
        await look(f"ask-{scope}")
        await page.keyboard.press("Escape")
        await page.wait_for_timeout(600)
        await page.keyboard.press("Escape")
        await expect(page.locator("tongping-share .choices")).to_have_count(0)
    await bank.granted("view", "point", "scroll", "fill")
    await bank.tab.say("picture.want")
    await until(lambda: [one for one in bank.tab.events if one["type"] == 2])
    await look("bar")
    await page.locator("tongping-share .fixed button").first.click()
    await look("bar-more")
    await page.locator("tongping-share .tools button[aria-pressed]").click()
    await expect(page.locator("tongping-share .hidden-area").first).to_be_visible()
    await look("seen")
    await page.locator("tongping-share .tools button[aria-pressed]").click()
    await bank.act("propose", bank.tab.node(id="amount"), "1,250.00")
    await expect(page.locator("tongping-share .ghost")).to_be_visible()
    await bank.tab.say(
        "pointer", page=bank.tab.heard[0]["page"], at={"node": bank.tab.node(id="to"), "x": 0.3, "y": 0.5}, viewer="PA_li"
    )
    await look("ghost")
    await bank.granted("view", hidden=True)
    await look("hidden")
    await bank.tab.say("bye", code="ended", again=False)
    await expect(page.locator("tongping-share .bar")).to_have_count(1)
    await look("ended")
    await taken.leave()
    assert not found


async def begin_again(bank: Sharing, page: Page) -> None:
    """The same in a document that was loaded without its policy, in which axe may run."""
    count = len(bank.tabs)
    await page.reload()
    await until(lambda: len(bank.tabs) > count)
    await bank.tab.say(
        "tab.welcome", share="SH_1", token="T", pages=rules(bank.url), bank_zh="海川银行", bank_en="Haichuan Bank"
    )
    await bank.state(state="idle", code="402713", code_s=600)


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_the_demo_bank_gives_a_code_of_the_real_server(browser: Browser, server: ServerProcess, language: str) -> None:
    """From another origin, under that bank's own policy, over its navigation, to the end."""
    taken = await seat(browser, language=language)
    page = taken.page
    await page.goto(server.bank)
    await page.locator("tongping-share button.start").click()
    code = page.locator("tongping-share .code")
    await expect(code).to_have_text(re.compile(r"^\d{6}$"))
    first = await code.text_content()
    assert first is not None
    await page.reload()
    await expect(code).to_have_text(first)
    await page.locator("tongping-share .card .row button").click()
    await expect(code).to_have_count(0)
    await page.reload()
    await page.locator("tongping-share button.start").click()
    await expect(code).to_have_text(re.compile(r"^\d{6}$"))
    await page.locator("button.person").first.click()
    await expect(page.locator("[data-customer]:not([data-customer=''])")).to_be_attached()
    await expect(code).to_have_text(re.compile(r"^\d{6}$"))
    await page.locator("form[action='/sign-out'] button").click()
    await expect(page.locator("tongping-share button.start")).to_be_visible()
    await expect(code).to_have_count(0)
    await taken.leave()


async def test_the_page_to_copy_and_its_policy(browser: Browser, bank: Sharing) -> None:
    """As they stand in the document, but for the server's address."""
    document = (ROOT / "docs" / "cobrowse-sdk.md").read_text(encoding="utf-8")
    for scheme in ("http", "ws"):
        document = document.replace(f"{scheme}s://video.bank.example", bank.url.replace("http", scheme))
    (_, html), (_, script), (_, policy) = re.findall(r"^```(\w*)\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)
    name, _, value = policy.strip().partition(": ")
    bank.instead = {
        "/": (html, "text/html", {name: value}),
        "/page.js": (script, "text/javascript", {}),
        "/favicon.ico": ("", "image/x-icon", {}),
    }
    taken = await seat(browser)
    page = taken.page
    await page.goto(bank.url)
    await press(page, "Get help with this page")
    await until(lambda: bank.tabs)
    hello = bank.tab.heard[0]
    assert (hello["site"], hello["customer"]) == ("pk_bank", "C-20881")
    await bank.tab.say("tab.welcome", share="SH_1", token="T", pages=rules(bank.url), bank_zh="", bank_en="")
    await bank.state(state="idle", code="402713", code_s=600)
    await expect(page.get_by_role("dialog", name="Your sharing code")).to_contain_text("402")
    await bank.granted("view")
    await expect(page.locator("body.is-shared")).to_be_attached()
    await bank.tab.say("picture.want")
    await until(lambda: [one for one in bank.tab.events if one["type"] == 2])
    await page.evaluate("Tongping.stop()")
    await until(lambda: bank.tab.of("tab.stop"))
    await taken.leave()


async def test_stop_is_reached_behind_a_dialog_in_a_shadow_root(browser: Browser, bank: Sharing) -> None:
    taken = await seat(browser)
    page = taken.page
    await share(bank, page)
    await page.evaluate(
        """() => {
          const dialog = document.createElement("dialog");
          dialog.append("Terms");
          document.getElementById("host").shadowRoot.append(dialog);
          dialog.showModal();
        }"""
    )
    await expect(page.locator("#host dialog tongping-share")).to_be_attached()
    await press(page, "Stop")
    await until(lambda: bank.tab.of("tab.stop"))
    await taken.leave()
