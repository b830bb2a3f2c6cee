"""One page of the demo's bank with all that pages have, looked at together in two windows: every change is seen, and everything is done after a yes.
``test_cobrowse_page_forged``: and nothing without."""

import re

import pytest
from playwright.async_api import Browser, expect

from tests.support.demo_customer import bank_word
from tests.support.server_process import ServerProcess
from tests.support.together import BOX, Together, together

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

CODE, SECRET = "204060", "804152"
AMOUNT = """[...page.querySelectorAll("input")].find((one) => /^2\\d\\d\\.00$/.test(one.value))"""


async def test_every_change_is_seen(browser: Browser, server: ServerProcess) -> None:
    async with together(browser, server) as shared:
        await first_picture(shared)
        await errors(shared)
        await lists_and_days(shared)
        await component_and_scrolling(shared)
        await dialog(shared)


async def first_picture(shared: Together) -> None:
    """What rules show can be read, what they do not cannot, and a page in a frame is masked whole."""
    await shared.seen(f"page.querySelector('h1')?.innerText === {bank_word('transfer')!r}")
    await shared.seen("page.querySelector('iframe').contentDocument.querySelectorAll('td').length === 3")
    words = await shared.of("page.body.innerText")
    for shown in ("accounts", "account_savings", "purpose", "transfer_check", "payments"):
        assert bank_word(shown) in words, shown
    assert bank_word("limit") in await shared.of("page.querySelector('tp-part').shadowRoot.textContent")
    everything = await shared.of("page.documentElement.outerHTML")
    for hidden in ("42,180.56", "8842", "Lin Xiaoyu", "Bai Xiaomei", "62170"):
        assert hidden not in everything, hidden
    framed = await shared.of("page.querySelector('iframe').contentDocument.body.innerText")
    assert set(framed) <= set("•\n\t "), framed
    # what is chosen: not which account, and of the other list the words
    assert await shared.of("page.querySelectorAll('select')[0].hasAttribute('data-tp-masked')")
    assert not await shared.of("page.querySelectorAll('select')[1].hasAttribute('data-tp-masked')")
    await shared.photograph("page-first")


async def errors(shared: Together) -> None:
    await shared.page.get_by_role("button", name=bank_word("transfer_check")).click()
    for words in ("wrong_payee", "wrong_amount", "wrong_purpose"):
        await shared.seen(f"page.body.innerText.includes({bank_word(words)!r})")
    await shared.seen("page.querySelectorAll('[aria-invalid=true]').length === 4")
    await expect(shared.agent.page.locator(".facts .chip.warn")).to_have_text("4")
    await shared.photograph("page-errors")


async def lists_and_days(shared: Together) -> None:
    page = shared.page
    await page.locator("#payees").evaluate("(list) => list.scrollTo(0, 400)")
    await shared.seen("Math.abs(page.querySelector('fieldset ul').scrollTop - 400) < 3")
    await page.locator("#payees button").filter(has_text="Lin Xiaoyu").click()
    await shared.seen("[...page.querySelectorAll('input')].some((one) => one.value === 'Lin Xiaoyu')")
    await page.locator("[name=purpose]").select_option("purpose_rent")
    await shared.seen(f"page.querySelectorAll('select')[1].selectedOptions[0]?.text === {bank_word('purpose_rent')!r}")
    await page.locator("[name=from]").select_option("account_savings")
    await page.locator("[name=memo]").fill("May")
    await page.locator("[name=amount]").fill("250.00")
    await page.locator("[name=amount]").press("Tab")
    await shared.seen("[...page.querySelectorAll('input')].some((one) => one.value === '250.00')")
    assert await shared.of("page.querySelectorAll('select')[0].hasAttribute('data-tp-masked')")
    await shared.seen("page.querySelectorAll('[aria-invalid]').length === 0")
    await page.get_by_role("button", name=bank_word("calendar")).click()
    await shared.seen("page.querySelectorAll('[role=group] button').length > 29")
    await page.get_by_role("button", name=bank_word("month_on")).click()
    month = await page.locator(".month b").inner_text()
    await shared.seen(f"page.querySelector('[role=group] b')?.innerText === {month!r}")
    day = page.locator(".day:not(:disabled)").first
    chosen = await day.get_attribute("data-day")
    await day.click()
    await shared.seen(f"page.querySelector('input[type=date]').value === {chosen!r}")
    await shared.seen("page.querySelectorAll('[role=group] button[aria-pressed=true]').length === 1")
    await shared.photograph("page-day")


async def component_and_scrolling(shared: Together) -> None:
    page, root = shared.page, "page.querySelector('tp-part').shadowRoot"
    await page.locator("bank-limit").get_by_role("button", name="100,000").click()
    await shared.seen(f"{root}.querySelectorAll('button')[2].getAttribute('aria-pressed') === 'true'")
    await shared.seen(f"{root}.querySelector('p').textContent.endsWith('/ 100,000')")
    assert await shared.of(f"getComputedStyle({root}.querySelectorAll('button')[2]).borderRadius") == "999px", "its own sheet"
    await page.evaluate("scrollTo(0, 1200)")
    await shared.seen("Math.abs(page.defaultView.scrollY - 1200) < 3")
    await page.evaluate("scrollTo(0, 0)")
    await shared.seen("page.defaultView.scrollY === 0")


async def dialog(shared: Together) -> None:
    """It keeps everything else away, and what the customer enters there is nobody else's."""
    page = shared.page
    await page.get_by_role("button", name=bank_word("transfer_check")).click()
    await shared.seen(
        "page.querySelector('dialog').matches(':modal') && page.querySelector('dialog').innerText.includes('250.00')"
    )
    await page.locator("[name=code]").fill(CODE)
    await page.locator("[name=secret]").fill(SECRET)
    await page.locator("[name=secret]").press("Tab")
    await shared.seen("[...page.querySelectorAll('dialog input')].every((one) => one.value === '•••••')")
    heard = await shared.agent.page.evaluate("line.heard.join()")
    assert "250.00" in heard
    for secret in (CODE, SECRET):
        assert secret not in heard
    await shared.photograph("page-dialog")
    await page.get_by_role("button", name=bank_word("confirm_back")).click()
    await shared.seen("!page.querySelector('dialog').open")


async def test_everything_is_pointed_at_and_scrolled_to_after_a_yes(browser: Browser, server: ServerProcess) -> None:
    async with together(browser, server) as shared:
        await shared.fill_in()
        await pointing(shared)
        await scrolling(shared)


async def test_everything_is_entered_and_pressed_after_a_yes(browser: Browser, server: ServerProcess) -> None:
    async with together(browser, server) as shared:
        await shared.fill_in()
        await proposing(shared)
        await filling(shared)
        await pressing(shared)


async def pointing(shared: Together) -> None:
    """Everything that can be drawn, seen where it belongs; the size of the picture, a new one, and how far away it is."""
    agent, page = shared.agent, shared.page
    await shared.ask("point")
    await shared.standing("point", "granted")
    await shared.tool("point")
    await agent.page.mouse.move(*await shared.spot("page.querySelector('h1')"))
    await expect(shared.drawn(".pointer")).to_have_count(1)
    await shared.tool("highlight")
    await shared.pick("page.querySelector('h1')")
    await shared.around(shared.drawn("rect.highlight"), page.locator("h1"))
    await shared.pick("page.querySelector('tp-part').shadowRoot.querySelectorAll('button')[2]")
    await expect(shared.drawn("rect.highlight")).to_have_count(2)
    await shared.around(shared.drawn("rect.highlight").nth(1), page.locator("bank-limit button").nth(2))
    table = "page.querySelector('table')"
    for number, tool in enumerate(("box", "arrow", "ink"), 1):
        await shared.tool(tool)
        await shared.drag(table)
        await expect(shared.drawn(".mark")).to_have_count(number)
    box = await page.locator("table").first.evaluate(BOX)
    drawn = await shared.drawn("rect.mark").evaluate(BOX)
    assert box[0] < drawn[0] < drawn[0] + drawn[2] < box[0] + box[2]
    await shared.photograph("page-marks")
    await agent.press("cobrowse.undo")
    await expect(shared.drawn(".mark")).to_have_count(2)
    await page.evaluate("scrollTo(0, 120)")  # what is drawn goes with the page
    await shared.around(shared.drawn("rect.highlight").first, page.locator("h1"))
    await page.evaluate("scrollTo(0, 0)")
    await shared.seen("page.defaultView.scrollY === 0")
    await agent.press("cobrowse.clear")
    await expect(shared.drawn(":is(.mark, rect.highlight)")).to_have_count(0)
    await agent.press("cobrowse.zoom.in")
    await expect(agent.button("cobrowse.zoom.fit")).to_have_attribute("aria-pressed", "false")
    scale = "new DOMMatrix(getComputedStyle(document.querySelector('.sheet:not(.coming)')).transform).a"
    larger = await shared.of(scale)
    await agent.press("cobrowse.zoom.fit")
    await expect(agent.button("cobrowse.zoom.fit")).to_have_attribute("aria-pressed", "true")
    assert await shared.of(scale) < larger
    await shared.resync()
    await shared.seen(f"page.querySelector('h1').innerText === {bank_word('transfer')!r}")
    await shared.seen(f"page.querySelectorAll('select')[1].selectedOptions[0]?.text === {bank_word('purpose_rent')!r}")
    await expect(agent.page.locator(".page-trip")).to_have_text(re.compile(r"\d+ ms"))


async def scrolling(shared: Together) -> None:
    page = shared.page
    await shared.ask("scroll")
    await shared.standing("scroll", "granted")
    await shared.tool("scroll")
    field = "[...page.querySelectorAll('input')].find((one) => one.value === '250.00')"  # at the lower edge
    assert await shared.of(f"{field}.getBoundingClientRect().top") < 800
    await shared.pick(field)
    await shared.came("done")
    await page.wait_for_function("scrollY > 50")
    await shared.seen("page.defaultView.scrollY > 50")
    await shared.photograph("page-scrolled")


async def proposing(shared: Together) -> None:
    """What the customer accepts is there, what they dismiss is not; of a list by its words."""
    page = shared.page
    await shared.ask("point")
    await shared.standing("point", "granted")
    await shared.tool("propose")
    for field, name, value, answer, left in (
        (AMOUNT, "amount", "275.00", "Dismiss", "250.00"),
        (AMOUNT, "amount", "275.00", "Accept", "275.00"),
        ("page.querySelectorAll('select')[1]", "purpose", bank_word("purpose_goods"), "Accept", "purpose_goods"),
    ):
        await shared.bring(name)
        await shared.enter(field, value, "propose")
        await expect(page.get_by_role("button", name="Dismiss", exact=True)).to_be_visible()
        await shared.photograph(f"page-proposed-{name}-{answer}")
        await shared.answer(answer)
        await shared.came("accepted" if answer == "Accept" else "dismissed")
        await expect(page.locator(f"[name={name}]")).to_have_value(left)
    await shared.seen(f"page.querySelectorAll('select')[1].selectedOptions[0]?.text === {bank_word('purpose_goods')!r}")


async def filling(shared: Together) -> None:
    """At once: words, a list, a day; not what the page hides."""
    agent, page = shared.agent, shared.page
    await shared.ask("fill")
    await shared.standing("fill", "granted")
    tool = agent.page.get_by_role("button", name=agent.say("cobrowse.tool.fill"), exact=True)
    await expect(tool).to_have_attribute("aria-pressed", "true")  # it is the one that proposed
    on = await page.locator("[name=pay_on]").get_attribute("max")
    assert on is not None
    for field, name, value, left in (
        ("page.querySelectorAll('select')[1]", "purpose", bank_word("purpose_salary"), "purpose_salary"),
        ("page.querySelector('input[type=date]')", "pay_on", on, on),
        ("[...page.querySelectorAll('input')].find((one) => one.value === 'May')", "memo", "June", "June"),
    ):
        await shared.bring(name)
        await shared.enter(field, value, "now")
        await shared.came("done")
        await expect(page.locator(f"[name={name}]")).to_have_value(left)
    await shared.seen(f"page.querySelector('input[type=date]').value === {on!r}")
    account = await page.locator("[name=account]").input_value()
    await shared.bring("account")
    await shared.enter(
        "[...page.querySelectorAll('input')].find((one) => one.previousSibling?.data === 'Their account')", "1", "now"
    )
    await shared.came("refused")
    await expect(page.locator("[name=account]")).to_have_value(account)


async def pressing(shared: Together) -> None:
    """The calendar, which the bank's rules name; what leads on to sending they do not."""
    page = shared.page
    await shared.ask("click")
    await shared.standing("click", "granted")
    await shared.tool("click")
    await shared.bring("#calendar-open")
    await shared.pick("page.querySelector('[aria-expanded]')")
    await shared.came("done")
    await expect(page.locator("#calendar")).to_be_visible()
    await shared.seen("page.querySelectorAll('[role=group] button:not(:disabled)').length > 3")
    await shared.pick("page.querySelectorAll('[role=group] button[aria-pressed]:not(:disabled)')[0]")
    await expect(page.locator(".day:not(:disabled)").first).to_have_attribute("aria-pressed", "true")
    await expect(page.locator("[name=pay_on]")).to_have_value(
        await page.locator(".day:not(:disabled)").first.get_attribute("data-day") or ""
    )
    await shared.bring("#check")
    await shared.pick(f"[...page.querySelectorAll('button')].find((one) => one.innerText === {bank_word('transfer_check')!r})")
    await shared.came("refused")
    await expect(page.locator("dialog")).to_be_hidden()
    await shared.photograph("page-pressed")
