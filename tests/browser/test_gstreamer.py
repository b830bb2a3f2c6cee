"""A client that is no browser: GStreamer's webrtcbin comes in by a link, and it and a Chromium see, hear and write to each other.

One call for all tests here, run in order: the customer in Chromium, the expert in GStreamer.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.support.bank import Bank
from tests.support.browser import Seat
from tests.support.gstreamer import PACKAGES, Participant, available, participant
from tests.support.machine import quick_or_skip
from tests.support.server_process import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

LEAST_FRAMES_PER_S = 10
LONG_ENOUGH = 30
"""Frames: not only the first key frame."""
TRIES = 5


@dataclass(slots=True)
class Call:
    session: str
    customer: Seat
    expert: Participant


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def call(browser: Browser, bank: Bank, server: ServerProcess) -> AsyncIterator[Call]:
    if not available():
        pytest.skip(f"no GStreamer with webrtcbin: apt-get install --no-install-recommends {' '.join(PACKAGES)}")
    opened = await bank.open(customer="Stream Xiaoyu")
    customer = await Seat.take(browser)
    try:
        async with aiohttp.ClientSession() as http, participant(http, server.url, opened.expert_link) as expert:
            await customer.come_as_customer(opened.customer_link)
            await expert.connect("microphone", "camera")
            yield Call(opened.id, customer, expert)
    finally:
        await customer.leave()


async def test_both_decode_each_other(call: Call) -> None:
    first = await call.expert.receives("customer", "camera", more_than=1)
    assert min(first["width"], first["height"]) >= 120
    await call.expert.receives("customer", "camera", more_than=first["frames"] + LONG_ENOUGH)
    rates = []
    while max(rates, default=0) < LEAST_FRAMES_PER_S and len(rates) < TRIES:
        rates.append((await call.customer.flow("expert", "camera", over_s=1.5)).per_s)
    assert max(rates) > 0, rates
    quick_or_skip(max(rates) >= LEAST_FRAMES_PER_S, rates)


async def test_both_hear_each_other(call: Call) -> None:
    before = await call.expert.receives("customer", "microphone")
    after = await call.expert.receives("customer", "microphone", more_than=before["frames"] + 50)  # a second of sound
    assert after["energy"] > before["energy"]
    assert (await call.customer.flow("expert", "microphone", over_s=1)).energy > 0


async def test_chat_arrives_both_ways(call: Call) -> None:
    await call.expert.send("chat.send", client_id="1", text="This is not a browser.")
    await call.customer.open_chat()
    await call.customer.sees("This is not a browser.")
    await call.customer.write("So I see. 看得见。")
    await call.expert.reads("So I see. 看得见。")


async def test_consent_taken_back_stops_the_picture_at_the_relay(call: Call, bank: Bank) -> None:
    await call.expert.consent("camera", decision="withdrawn")
    await call.customer.shut("expert", "camera")
    before = (await bank.relayed(call.session))["expert", "camera"]
    assert before["forwarded"] > 0
    assert (await call.customer.flow("expert", "microphone", over_s=1)).packets > 0
    after = (await bank.relayed(call.session))["expert", "camera"]
    assert (after["forwarded"], after["open"]) == (before["forwarded"], False)
    await call.expert.consent("camera")
    seen = (await call.customer.receives("expert", "camera"))["frames"]
    await call.customer.goes_on("expert", "camera", seen + LONG_ENOUGH)


async def test_nothing_was_refused_and_nobody_complained(call: Call) -> None:
    assert call.expert.errors == []
    assert call.expert.complaints == call.customer.complaints == []
