"""Campaign 15, short form: the WebSocket is cut, the address changes; nothing is lost or doubled, the place is kept."""

import os
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.support.bank import Bank
from tests.support.browser import APPEARS_MS, Seat, all_leave
from tests.support.call import agent_enters
from tests.support.cutter import Cutter
from tests.support.machine import quick_or_skip
from tests.support.media_lab import Wire
from tests.support.server_process import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.campaign(15), pytest.mark.asyncio(loop_scope="session")]

LONG = os.environ.get("TESTS_CAMPAIGN") == "long"
CUTS_S = (1.0, 3.0, 8.0, 15.0) if LONG else (1.0, 3.0, 8.0)
LONGEST_RESUME_S = 4.0
"""Between two attempts of a page lie at most 2.25 s while its place is kept (``keptMs`` in ``wire.ts``); the rest is a busy machine."""
THROUGH_THE_WIRE = """(() => {
    const accept = RTCPeerConnection.prototype.setRemoteDescription;
    RTCPeerConnection.prototype.setRemoteDescription = async function ({ type, sdp }) {
        const port = Number(/a=candidate:\\S+ 1 udp \\d+ 127\\.0\\.0\\.1 (\\d+)/i.exec(sdp)[1]);
        const wire = await window.__wire(port);
        return accept.call(this, { type, sdp: sdp.replaceAll(` 127.0.0.1 ${port} `, ` 127.0.0.1 ${wire} `) });
    };
})();"""
LINES = """async () => ({
    peers: window.__tp.peers.length,
    sockets: window.__tp.sockets,
    slots: [...window.__tp.slots.values()].filter((slot) => slot.source).map((slot) => `${slot.mid} ${slot.participant} ${slot.source}`).sort(),
})"""


@pytest_asyncio.fixture(loop_scope="session")
async def cutter(server: ServerProcess) -> AsyncIterator[Cutter]:
    async with Cutter(urlsplit(server.url).port or 0, server.cut_port) as cutter:
        yield cutter


async def test_cuts_of_seconds_lose_no_message_and_no_place(
    browser: Browser, bank: Bank, server: ServerProcess, cutter: Cutter
) -> None:
    opened = await bank.open(customer="Cut Off")
    customer, agent = await Seat.take(browser), await Seat.take(browser)
    customer.expects("net::ERR_", "WebSocket")  # the browser itself says that it cannot connect
    try:
        await agent.sign_in(server.agent_url, *server.agent)
        await agent_enters(agent, session_of="Cut Off")
        link = urlsplit(opened.customer_link)
        await customer.come_as_customer(link._replace(netloc=f"127.0.0.1:{cutter.port}").geturl())
        await customer.write("before")
        await agent.open_chat()
        await agent.sees("before")
        await agent.receives("customer", "camera")
        identity = await agent.page.evaluate(LINES)
        wanted = ["before"]
        resumed_s = []
        for cut_s in CUTS_S:
            await cutter.cut()
            await customer.sees(customer.say("reconnect.title"))
            await agent.write(f"agent, cut {cut_s}")
            await customer.write(f"customer, cut {cut_s}")
            wanted += [f"agent, cut {cut_s}", f"customer, cut {cut_s}"]
            # The relay does not need the WebSocket: the picture goes on arriving all the while.
            assert (await agent.flow("customer", "camera", over_s=cut_s)).per_s > 0
            await cutter.mend()
            mended = time.monotonic()
            banner = customer.page.locator(".notice").filter(has_text=customer.say("reconnect.title"))
            await expect(banner).to_have_count(0, timeout=APPEARS_MS)
            resumed_s.append(time.monotonic() - mended)
            for page in (customer, agent):
                bubbles = page.page.get_by_label(page.say("chat.list")).locator(".bubble > p")
                await expect(bubbles).to_have_count(len(wanted), timeout=APPEARS_MS)
                assert sorted(await bubbles.all_inner_texts()) == sorted(wanted)
        assert await agent.page.evaluate(LINES) == identity  # slots as before: nothing was set up anew
        people = await bank.participants(opened.id)
        assert sorted((one["role"], one["state"]) for one in people) == [("agent", "active"), ("customer", "active")]
        quick_or_skip(max(resumed_s) <= LONGEST_RESUME_S, resumed_s)
    finally:
        await all_leave(customer, agent)


async def test_another_address_keeps_the_place_and_the_slots(browser: Browser, bank: Bank, server: ServerProcess) -> None:
    """The customer's phone leaves the Wi-Fi: from then on its media come from another address, and nothing else changes."""
    opened = await bank.open(customer="Moving Mo")
    customer, agent = await Seat.take(browser), await Seat.take(browser)
    wires: list[Wire] = []

    def wire(port: int) -> int:
        wires.append(Wire(("127.0.0.1", port)))
        return wires[-1].port

    await customer.context.expose_function("__wire", wire)
    await customer.context.add_init_script(THROUGH_THE_WIRE)
    try:
        await agent.sign_in(server.agent_url, *server.agent)
        await agent_enters(agent, session_of="Moving Mo")
        await customer.come_as_customer(opened.customer_link)
        await agent.receives("customer", "camera")
        await customer.receives("agent", "camera")
        assert len(wires) == 1
        before = [await page.page.evaluate(LINES) for page in (customer, agent)]
        old_port = wires[0].back_port

        wires[0].rebind()
        assert wires[0].back_port != old_port
        for page, other in ((customer, "agent"), (agent, "customer")):
            seen = await page.receives(other, "camera")
            await page.goes_on(other, "camera", seen["frames"] + 30)
            assert (await page.flow(other, "microphone", over_s=1)).energy > 0
        assert [await page.page.evaluate(LINES) for page in (customer, agent)] == before
        people = await bank.participants(opened.id)
        assert sorted((one["role"], one["state"]) for one in people) == [("agent", "active"), ("customer", "active")]
    finally:
        await all_leave(customer, agent)
        for one in wires:
            one.close()
