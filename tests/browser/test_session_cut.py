"""Campaign 15, short form: the WebSocket is cut; media run on, no chat message is lost or doubled, the place is kept."""

import asyncio
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, expect

from tests.support.bank import Bank
from tests.support.browser import APPEARS_MS, Seat
from tests.support.call import agent_enters
from tests.support.cutter import Cutter
from tests.support.server_process import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.campaign(15), pytest.mark.asyncio(loop_scope="session")]


async def test_a_cut_loses_no_message_and_no_place(browser: Browser, bank: Bank, server: ServerProcess) -> None:
    opened = await bank.open(customer="Cut Off")
    customer, agent = await Seat.take(browser), await Seat.take(browser)
    async with Cutter(urlsplit(server.url).port or 0, server.cut_port) as cutter:
        try:
            await agent.sign_in(server.agent_url, *server.agent)
            await agent_enters(agent, session_of="Cut Off")
            link = urlsplit(opened.customer_link)
            await customer.come_as_customer(link._replace(netloc=f"127.0.0.1:{cutter.port}").geturl())
            await customer.write("before")
            await agent.open_chat()
            await agent.sees("before")
            await agent.receives("customer", "camera")

            await cutter.cut()
            await customer.sees(customer.say("reconnect.title"))
            for number in range(3):
                await agent.write(f"agent {number} while cut")
            await customer.write("customer while cut")
            # The relay does not need the WebSocket: the picture goes on arriving all the while.
            assert (await agent.flow("customer", "camera", over_s=2)).per_s >= 10
            await cutter.mend()

            wanted = ["before", *(f"agent {number} while cut" for number in range(3)), "customer while cut"]
            for page in (customer, agent):
                bubbles = page.page.get_by_label(page.say("chat.list")).locator(".bubble > p")
                await expect(bubbles).to_have_count(len(wanted), timeout=APPEARS_MS)
                assert sorted(await bubbles.all_inner_texts()) == sorted(wanted)
            present = [one for one in await bank.participants(opened.id) if one["state"] != "left"]
            assert len(present) == 2
        finally:
            await asyncio.gather(customer.leave(), agent.leave())
