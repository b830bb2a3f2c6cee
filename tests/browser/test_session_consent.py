"""The consent gate, seen from the other side: without consent not one packet arrives; taken back, it stops."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.support.bank import Bank
from tests.support.browser import Seat
from tests.support.call import agent_enters
from tests.support.server_process import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session")
async def pair(browser: Browser, bank: Bank, server: ServerProcess) -> AsyncIterator[tuple[Seat, Seat, str]]:
    """(customer, agent, session): the agent is in and sends; the customer looks at the link."""
    opened = await bank.open(customer="Refusing Ma")
    customer, agent = await Seat.take(browser), await Seat.take(browser)
    try:
        await agent.sign_in(server.agent_url, *server.agent)
        await agent_enters(agent, session_of="Refusing Ma")
        await customer.page.goto(opened.customer_link)
        yield customer, agent, opened.id
    finally:
        await customer.leave()
        await agent.leave()


async def test_refused_means_no_packet_given_means_media_withdrawn_means_none(pair: tuple[Seat, Seat, str]) -> None:
    customer, agent, _ = pair
    await customer.come_as_customer(customer.page.url, microphone=False, camera=False)
    # The agent's media flow to the customer for a while; of the customer not one packet comes back.
    await customer.flow("agent", "camera", over_s=3)
    assert sum((await agent.all_packets()).values()) == 0

    await customer.press("bar.camera.on")
    await customer.press("consent.yes")
    picture = await agent.flow("customer", "camera", over_s=2)
    assert picture.packets > 0
    rows = await agent.inbound()
    assert sum(row["packets"] for row in rows if row["kind"] == "audio") == 0  # the microphone is still refused

    # What is in flight when it is taken back may still arrive; then nothing does while the agent's own media run on.
    await customer.press_label(customer.say("top.share.camera"))
    await customer.press_label(f"{customer.say('sharing.withdraw')}: {customer.say('source.camera')}")
    await agent.is_cut_off_from("customer")
    before = await agent.all_packets()
    await customer.flow("agent", "camera", over_s=2)
    assert await agent.all_packets() == before


async def test_a_page_that_sends_without_consent_is_not_forwarded(pair: tuple[Seat, Seat, str]) -> None:
    """The gate is the relay's: a page that puts tracks into the connection and asks nobody reaches nobody."""
    customer, agent, _ = pair
    await customer.come_as_customer(customer.page.url, microphone=False, camera=False)
    await customer.receives("agent", "camera")
    await customer.page.evaluate("""async () => {
        const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
        const peer = window.__tp.peers.at(-1);
        const [audio, video] = peer.getTransceivers();
        await audio.sender.replaceTrack(stream.getAudioTracks()[0]);
        await video.sender.replaceTrack(stream.getVideoTracks()[0]);
    }""")
    sent = """async (least) => {
        const stats = await window.__tp.peers.at(-1).getStats();
        const rows = [...stats.values()].filter((one) => one.type === "outbound-rtp");
        return ["audio", "video"].every((kind) => rows.some((one) => one.kind === kind && one.packetsSent > least));
    }"""
    await customer.until(sent, 50, 20)
    assert sum((await agent.all_packets()).values()) == 0
