"""A PDF opened together: an agent at a desk and a customer at a telephone see the same page, and the customer's signature is put into it."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, expect

from tests.support.bank import Bank
from tests.support.browser import APPEARS_MS, PHONE, Seat, all_leave
from tests.support.call import agent_enters
from tests.support.pdf_file import MARKS, agreement
from tests.support.server_process import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PICTURES = Path(os.environ["TESTS_PICTURES"]) if "TESTS_PICTURES" in os.environ else None
NAME = "agreement.pdf"

#: How dark a drawn page is in each cell of a grid of 12 by 16, 0 to 1, whatever size it is drawn in.
INK = """
(page) => {
  const from = document.querySelector(`.pdf-page[data-page="${page}"] canvas[data-drawn="${page}"]`);
  if (!from) return null;
  const small = document.createElement("canvas");
  [small.width, small.height] = [12, 16];
  const brush = small.getContext("2d");
  brush.imageSmoothingQuality = "high";
  brush.drawImage(from, 0, 0, 12, 16);
  const { data } = brush.getImageData(0, 0, 12, 16);
  return Array.from({ length: 192 }, (_, cell) => 1 - (data[cell * 4] + data[cell * 4 + 1] + data[cell * 4 + 2]) / 765);
}
"""
#: What is at the top of the view: the page, and what part of its height is above.
PLACE = """
() => {
  const view = document.querySelector(".pdf-scroll").getBoundingClientRect();
  for (const page of document.querySelectorAll(".pdf-page")) {
    const box = page.getBoundingClientRect();
    if (box.bottom > view.top + 1) return Number(page.dataset.page) + Math.max(0, (view.top - box.top) / box.height);
  }
  return 0;
}
"""


@dataclass
class Together:
    agent: Seat
    customer: Seat

    async def photograph(self, name: str) -> None:
        if PICTURES is not None:
            for who, seat in (("agent", self.agent), ("customer", self.customer)):
                await seat.page.screenshot(path=PICTURES / f"pdf-{name}-{who}.png", caret="hide")


@pytest_asyncio.fixture(loop_scope="session")
async def together(browser: Browser, bank: Bank, server: ServerProcess) -> AsyncIterator[Together]:
    opened = await bank.open(customer="Lin Yue")
    made = Together(await Seat.take(browser), await Seat.take(browser, viewport=PHONE))
    try:
        await made.agent.sign_in(server.agent_url, *server.agent)
        await agent_enters(made.agent, session_of="Lin Yue")
        await made.customer.come_as_customer(opened.customer_link)
        yield made
    finally:
        await all_leave(made.agent, made.customer)


async def give(agent: Seat, content: bytes) -> None:
    await agent.press("bar.more")
    async with agent.page.expect_file_chooser() as chosen:
        await agent.press("pdf.show")
    await (await chosen.value).set_files({"name": NAME, "mimeType": "application/pdf", "buffer": content})


async def ink(page: Page, number: int) -> list[float]:
    """Once it is drawn."""
    await page.locator(f'.pdf-page[data-page="{number}"] canvas[data-drawn="{number}"]').wait_for()
    found: list[float] = await page.evaluate(INK, number)
    return found


def darkest(cells: list[float]) -> set[int]:
    """The cells of the black squares that a page is told by."""
    return {index for index, dark in enumerate(cells) if dark > 0.5}


async def place(page: Page, at: float, give_or_take: float = 0.02) -> None:
    """Waits until this is at the top of the view."""
    async with asyncio.timeout(APPEARS_MS / 1000):
        while abs(await page.evaluate(PLACE) - at) > give_or_take:  # noqa: ASYNC110 - a page says nothing of itself
            await asyncio.sleep(0.05)


async def drag(page: Page, on: Locator, *points: tuple[float, float]) -> None:
    """Over an element, in parts of its size."""
    box = await on.bounding_box()
    assert box is not None
    for index, (x, y) in enumerate(points):
        await page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        if index == 0:
            await page.mouse.down()
    await page.mouse.up()


async def scroll(page: Page, part: float) -> None:
    """So much of the first page is above."""
    await page.locator('.pdf-page[data-page="1"]').evaluate(
        "(page, part) => page.closest('.pdf-scroll').scrollTo({ top: page.offsetTop + page.offsetHeight * part })", part
    )


async def test_from_opening_it_to_the_signed_file(together: Together) -> None:
    agent, customer = together.agent, together.customer
    await give(agent, agreement())
    stage = customer.page.get_by_role("region", name=customer.say("pdf.stage", name=NAME))
    await expect(stage).to_be_visible()
    await expect(customer.page.locator(".pdf-page .hidden-text").first).to_contain_text("Agreement, page 1")
    # both see the same page, drawn in another size
    here, there = await ink(agent.page, 1), await ink(customer.page, 1)
    assert darkest(here) == darkest(there) == MARKS[1]
    await together.photograph("opened")
    # and the same place, whoever scrolls
    await scroll(agent.page, 0.25)
    await place(customer.page, 1.25)
    await customer.sees(customer.say("pdf.lead", name=await agent_name(customer)))
    await customer.press("pdf.page.next")
    await place(agent.page, 2.0)
    assert darkest(await ink(agent.page, 2)) == darkest(await ink(customer.page, 2)) == MARKS[2] != MARKS[1]
    await agent.press("pdf.page.previous")
    await place(customer.page, 1.0)
    # what is drawn is seen
    await tool(agent, "highlight")
    await drag(agent.page, agent.page.locator('.pdf-page[data-page="1"]'), (0.1, 0.08), (0.4, 0.1), (0.6, 0.12))
    theirs = customer.page.locator('.pdf-page[data-page="1"] rect.highlight.theirs')
    await expect(theirs).to_have_count(1)
    sides = [float(await theirs.get_attribute(name) or "nan") for name in ("x", "y", "width", "height")]
    assert sides == pytest.approx([0.1, 0.08, 0.5, 0.04], abs=0.005)
    await tool(agent, "ink")
    await drag(agent.page, agent.page.locator('.pdf-page[data-page="1"]'), (0.1, 0.2), (0.3, 0.25), (0.5, 0.2))
    await expect(customer.page.locator("polyline.ink.theirs")).to_have_count(1)
    await together.photograph("marked")
    await agent.press("pdf.clear")
    await expect(customer.page.locator(".pdf-marks > *")).to_have_count(0)
    # a signature is asked for, refused, asked for again
    await ask(agent)
    await customer.press("pdf.sign.no")
    await customer.confirm("pdf.sign.no.yes")
    await agent.sees(agent.say("pdf.declined.agent"))
    await ask(agent)
    await expect(customer.page.locator(".pdf-box.asked")).to_be_in_viewport()
    await together.photograph("asked")
    await customer.press("pdf.sign.go")
    pad = customer.page.locator(".pdf-pad")
    await drag(customer.page, pad, (0.1, 0.8), (0.3, 0.1), (0.5, 0.9), (0.7, 0.1), (0.9, 0.8))
    await drag(customer.page, pad, (0.1, 0.5), (0.9, 0.5))
    await customer.press("pdf.pad.undo")
    await drag(customer.page, pad, (0.1, 0.4), (0.9, 0.45))
    await together.photograph("pad")
    await customer.press("pdf.pad.next")
    await expect(customer.page.locator('.pdf-review[data-drawn="true"]')).to_be_visible()
    await together.photograph("review")
    before = [await ink(seat.page, 1) for seat in (agent, customer)]
    await customer.press("pdf.review.yes")
    await customer.sees(customer.say("pdf.thanks.title"))
    await agent.sees(agent.say("pdf.signed.agent"))
    # both look at the signed one, and what they save is what the server says it is
    fingerprint = await agent.page.locator(".pdf-print code").inner_text()
    saved = [await save(seat) for seat in (agent, customer)]
    assert saved[0] == saved[1]
    assert saved[0].startswith(b"%PDF-")
    assert hashlib.sha256(saved[0]).hexdigest() == fingerprint
    for seat, cells in zip((agent, customer), before, strict=True):
        await signed_is_drawn(seat.page, cells)
    await together.photograph("signed")
    # closed for both
    await agent.press("pdf.close")
    await agent.confirm("pdf.close.yes")
    await expect(stage).to_have_count(0)
    await expect(agent.page.locator(".pdf-stage")).to_have_count(0)


async def tool(agent: Seat, name: str) -> None:
    """Into the hand; what is said of it moves the page a little down."""
    await agent.press(f"pdf.tool.{name}")
    await agent.sees(agent.say(f"pdf.hint.{name}"))


async def ask(agent: Seat) -> None:
    await scroll(agent.page, 0.2)
    await tool(agent, "sign")
    await drag(agent.page, agent.page.locator('.pdf-page[data-page="1"]'), (0.3, 0.3), (0.5, 0.35), (0.7, 0.4))
    await agent.press("pdf.draft.ask")


async def save(seat: Seat) -> bytes:
    async with seat.page.expect_download() as chosen:
        await seat.press("pdf.signed.save")
    return (await (await chosen.value).path()).read_bytes()


async def signed_is_drawn(page: Page, before: list[float]) -> None:
    """There is more ink where the signature was asked for, and nowhere else."""
    async with asyncio.timeout(APPEARS_MS / 1000):
        while True:
            cells = await page.evaluate(INK, 1)
            more = {index for index, dark in enumerate(cells or before) if dark > before[index] + 0.015}
            if more:
                break
            await asyncio.sleep(0.05)
    assert more <= {row * 12 + column for row in (4, 5, 6) for column in range(3, 9)}


async def agent_name(customer: Seat) -> str:
    return (await customer.page.locator(".top-people bdi").inner_text()).strip()


async def test_what_is_no_pdf_is_refused_in_words_and_nobody_else_is_told(together: Together) -> None:
    agent, customer = together.agent, together.customer
    agent.expects("415|422|Unsupported|Unprocessable")
    await give(agent, b"not a document at all")
    await agent.sees(agent.say("pdf.sending.failed", name=NAME))
    await expect(customer.page.locator(".pdf-stage")).to_have_count(0)
