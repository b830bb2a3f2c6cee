"""What an agent's socket says by hand about the page for transfers: the server passes on nothing that was not granted, or is the customer's alone, and the page refuses
it once more should a server do so."""

import re
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.support.demo_customer import bank_word
from tests.support.pages import Json, nodes_of
from tests.support.server_process import ServerProcess
from tests.support.together import Together, together

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

CODE, SECRET = "204060", "804152"
NO = {"refused", "gone"}
KINDS = ("scroll", "fill", "click", "propose")
ALL_VALUES = "[...document.querySelectorAll('input, select')].map((one) => one.value)"
PRESSED = ("button", "a", "input", "select", "label")
DRAWN = ":is(.pointer, .mark, rect.highlight)"


async def test_what_is_forged_does_nothing(browser: Browser, server: ServerProcess) -> None:
    async with together(browser, server) as shared:
        await shared.fill_in()
        await shared.resync()
        nodes = await shared.nodes()
        amount = next((id for id, node in nodes.items() if node.get("attributes", {}).get("value") == "250.00"), 0)
        await without_a_yes(shared, amount)
        for scope in ("point", "scroll", "fill", "click"):
            await shared.ask(scope)
            await shared.standing(scope, "granted")
        await what_is_the_customers(shared, nodes, amount)
        await taken_back(shared, amount)
        await to_the_end(shared)


async def without_a_yes(shared: Together, node: int) -> None:
    await hands_off(shared, node)
    assert await shared.lie([{"kind": "fill", "node": node, "value": "1"}]) == ["refused"], "the page knows who may do what"
    await expect(shared.page.locator("[name=amount]")).to_have_value("250.00")


async def hands_off(shared: Together, node: int) -> None:
    """Nothing is granted but looking."""
    at = await shared.looks_at()
    before = await shared.reached(), await shared.page.evaluate("scrollY")
    acts = [{"page": at, "node": node, "kind": kind, "value": "1" if kind in ("fill", "propose") else ""} for kind in KINDS]
    assert await shared.forge(acts) == ["refused"] * len(KINDS)
    spot = {"node": node, "x": 0.5, "y": 0.5}
    for one in (
        {"type": "pointer", "page": at, "at": spot, "viewer": ""},
        {"type": "mark", "page": at, "id": "f1", "kind": "highlight", "spots": [spot], "viewer": ""},
    ):
        await shared.agent.page.evaluate("(one) => line.send(JSON.stringify(one))", one)
    await shared.forge(acts[:1])  # answered after those
    await expect(shared.drawn(DRAWN)).to_have_count(0)
    assert (await shared.reached(), await shared.page.evaluate("scrollY")) == before


async def what_is_the_customers(shared: Together, nodes: dict[int, Json], amount: int) -> None:
    """With everything granted: the code, the password, what the page hides, and all that sends."""
    page, at = shared.page, await shared.looks_at()
    # what is granted is done, also by hand: so forging and lying do reach
    assert await shared.forge([{"page": at, "node": amount, "kind": "fill", "value": "260.00"}]) == ["done"]
    await expect(page.locator("[name=amount]")).to_have_value("260.00")
    assert await shared.lie([{"kind": "fill", "node": amount, "value": "250.00"}]) == ["done"]
    await expect(page.locator("[name=amount]")).to_have_value("250.00")
    before = await page.evaluate(ALL_VALUES)
    inside = [id for node in nodes.values() if node.get("tagName") == "dialog" for id in nodes_of(node)]
    outside = [id for id, node in nodes.items() if node.get("tagName") in PRESSED and id not in inside]
    own = hidden_ones(nodes, amount)
    fills = [{"kind": kind, "node": id, "value": "999999"} for id in own for kind in ("fill", "propose")]
    await never(shared, amount, fills)
    await never(shared, amount, [{"kind": "click", "node": id} for id in outside if not is_named(nodes[id])])
    assert await page.evaluate(ALL_VALUES) == before
    await page.get_by_role("button", name=bank_word("transfer_check")).click()
    await page.locator("[name=code]").fill(CODE)
    await page.locator("[name=secret]").fill(SECRET)
    await page.locator("[name=secret]").press("Tab")
    await shared.seen("[...page.querySelectorAll('dialog input')].every((one) => one.value === '•••••')")
    before = await page.evaluate(ALL_VALUES)
    assert CODE in before
    assert SECRET in before
    fills = [{"kind": kind, "node": id, "value": "999999"} for id in inside for kind in ("fill", "propose")]
    await never(shared, amount, fills)
    await never(shared, amount, [{"kind": "click", "node": id} for id in inside])
    behind = [
        {"kind": kind, "node": amount, "value": value} for kind, value in (("fill", "9"), ("propose", "9"), ("click", ""))
    ]
    assert set(await shared.forge([act | {"page": at} for act in behind])) <= NO  # the page knows what stands before it
    assert await page.evaluate(ALL_VALUES) == before
    assert page.url.endswith("/transfer")
    await expect(page.locator("dialog")).to_be_visible()
    await page.get_by_role("button", name=bank_word("confirm_back")).click()
    await shared.seen("!page.querySelector('dialog').open")


def hidden_ones(nodes: dict[int, Json], amount: int) -> list[int]:
    """Fields whose value no rule shows: the account that it is from, and the one that it goes to, before the amount."""
    from_one = min(id for id, node in nodes.items() if node.get("tagName") == "select")
    to_one = max(id for id, node in nodes.items() if node.get("tagName") == "input" and id < amount)
    assert set(nodes[to_one]["attributes"]["value"]) == {"•"}
    return [from_one, to_one]


def is_named(node: Json) -> bool:
    """What opens the calendar, which the bank's rules let be pressed."""
    return "aria-expanded" in node.get("attributes", {})


async def never(shared: Together, other: int, acts: list[dict[str, Any]]) -> None:
    """Refused by the server, which passes nothing on, and by the page; ``other``: what may still be scrolled to afterwards, so it was not for too many."""
    at, before = await shared.looks_at(), await shared.reached()
    came = await shared.forge([act | {"page": at} for act in acts])
    assert len(acts) > 1
    assert [act for act, outcome in zip(acts, came, strict=True) if outcome not in NO] == []
    assert await shared.reached() == before
    assert await shared.forge([{"page": at, "node": other, "kind": "scroll"}]) == ["done"]
    came = await shared.lie(acts)
    assert [act for act, outcome in zip(acts, came, strict=True) if outcome not in NO] == []


async def taken_back(shared: Together, node: int) -> None:
    page = shared.page
    await page.get_by_role("button", name="Take back control", exact=True).click()
    for scope in ("scroll", "fill", "click"):
        await shared.standing(scope, "open")
    await page.get_by_role("button", name="More", exact=True).click()
    await page.get_by_role("button", name=re.compile("Take “point and propose” back")).click()
    await shared.standing("point", "open")
    for tool in ("point", "highlight", "scroll", "fill", "click", "propose"):
        name = shared.agent.say(f"cobrowse.tool.{tool}")
        await expect(shared.agent.page.get_by_role("button", name=name, exact=True)).to_have_count(0)
    await without_a_yes(shared, node)


async def to_the_end(shared: Together) -> None:
    """The page is seen until the customer stops it."""
    agent, page = shared.agent, shared.page
    await page.locator("[name=memo]").fill("still seen")
    await page.locator("[name=memo]").press("Tab")
    await shared.seen("[...page.querySelectorAll('input')].some((one) => one.value === 'still seen')")
    await page.get_by_role("button", name="Stop", exact=True).click()
    await agent.sees(agent.say("cobrowse.ended.title"))
    await expect(agent.page.locator("iframe.page-frame")).to_have_count(0)
