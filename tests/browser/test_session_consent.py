"""The consent gate, seen from the other side and at the relay: without consent not one packet passes; taken back, it stops."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.support.bank import Bank
from tests.support.browser import Seat, all_leave
from tests.support.call import agent_enters
from tests.support.server_process import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SEND_WITHOUT_ASKING = """async () => {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
    const peer = window.__tp.peers.at(-1);
    const [audio, video] = peer.getTransceivers();
    await audio.sender.replaceTrack(stream.getAudioTracks()[0]);
    await video.sender.replaceTrack(stream.getVideoTracks()[0]);
}"""
HAS_SENT = """async (least) => {
    const stats = await window.__tp.peers.at(-1).getStats();
    const rows = [...stats.values()].filter((one) => one.type === "outbound-rtp");
    return ["audio", "video"].every((kind) => rows.some((one) => one.kind === kind && one.packetsSent > least));
}"""


NOBODY_SHOWN = "() => [...window.__tp.slots.values()].every((slot) => slot.participant === null)"
SENT = """async (least) => {
    const rows = [...(await window.__tp.peers.at(-1).getStats()).values()].filter((one) => one.type === "outbound-rtp");
    const sent = rows.reduce((sum, one) => sum + one.packetsSent, 0);
    return sent > least ? sent : 0;
}"""


@pytest_asyncio.fixture(loop_scope="session")
async def pair(browser: Browser, bank: Bank, server: ServerProcess) -> AsyncIterator[tuple[Seat, Seat, str]]:
    """(customer, agent, session): the agent is in and sends; the customer has come in and refused both."""
    opened = await bank.open(customer="Refusing Ma")
    customer, agent = await Seat.take(browser), await Seat.take(browser)
    try:
        await agent.sign_in(server.agent_url, *server.agent)
        await agent_enters(agent, session_of="Refusing Ma")
        await customer.come_as_customer(opened.customer_link, microphone=False, camera=False)
        yield customer, agent, opened.id
        await bank.call("POST", f"/sessions/{opened.id}/end", {})
    finally:
        await all_leave(customer, agent)


async def test_refused_means_no_packet_given_means_media_withdrawn_means_none(pair: tuple[Seat, Seat, str], bank: Bank) -> None:
    customer, agent, session = pair
    # The agent's media flow to the customer for a while; of the customer not one packet comes back.
    await customer.flow("agent", "camera", over_s=2)
    assert sum((await agent.all_packets()).values()) == 0
    relayed = await bank.relayed(session)
    assert relayed["agent", "camera"]["forwarded"] > 0
    assert all(row["forwarded"] == 0 and not row["open"] for (role, _), row in relayed.items() if role == "customer")

    await customer.press("bar.camera.on")
    await customer.press("consent.yes")
    picture = await agent.flow("customer", "camera", over_s=1)
    assert picture.packets > 0
    rows = await agent.inbound()
    assert sum(row["packets"] for row in rows if row["kind"] == "audio") == 0  # the microphone is still refused
    await customer.press("bar.mic.on")
    await customer.press("consent.yes")
    await agent.receives("customer", "microphone")

    # Taken back: the relay passes on no further packet of the camera, while the voice goes on.
    await customer.press_label(customer.say("top.share.both"))
    await customer.press_label(f"{customer.say('sharing.withdraw')}: {customer.say('source.camera')}")
    await agent.shut("customer", "camera")
    before = await bank.relayed(session)
    assert before["customer", "camera"]["forwarded"] > 0
    voice = await agent.flow("customer", "microphone", over_s=1.5)
    after = await bank.relayed(session)
    assert after["customer", "camera"]["forwarded"] == before["customer", "camera"]["forwarded"]
    assert not after["customer", "camera"]["open"]
    assert after["customer", "microphone"]["forwarded"] > before["customer", "microphone"]["forwarded"]
    assert voice.packets > 0


async def test_a_page_that_sends_without_consent_is_not_forwarded(pair: tuple[Seat, Seat, str], bank: Bank) -> None:
    """The gate is the relay's: a page that puts tracks into the connection and asks nobody reaches nobody."""
    customer, agent, session = pair
    await customer.receives("agent", "camera")
    await customer.page.evaluate(SEND_WITHOUT_ASKING)
    await customer.until(HAS_SENT, 50, 20)
    relayed = await bank.relayed(session)
    for source in ("microphone", "camera"):
        row = relayed["customer", source]
        assert sum(layer["packets"] for layer in row["layers"]) > 0
        assert (row["forwarded"], row["open"]) == (0, False)
    assert sum((await agent.all_packets()).values()) == 0


async def test_on_hold_nothing_passes_either_way_and_taken_back_it_goes_on_as_it_was(
    pair: tuple[Seat, Seat, str], bank: Bank
) -> None:
    customer, agent, session = pair
    for source in ("camera", "mic"):
        await customer.press(f"bar.{source}.on")
        await customer.press("consent.yes")
    await agent.receives("customer", "camera")
    await customer.receives("agent", "camera")
    await agent.open_people()
    await agent.press("hold.label", name="Refusing Ma")
    await customer.sees(customer.say("hold.title"))
    for seat in (customer, agent):
        await seat.until(NOBODY_SHOWN, None, 10)
    before = await bank.relayed(session)
    sent = await customer.until(SENT, 0, 10)
    await customer.until(SENT, sent + 50, 20)
    after = await bank.relayed(session)
    assert {key: row["forwarded"] for key, row in after.items()} == {key: row["forwarded"] for key, row in before.items()}
    await agent.press("hold.lift", name="Refusing Ma")
    row = await agent.receives("customer", "camera")
    await agent.goes_on("customer", "camera", row["frames"] + 5)
    await customer.receives("agent", "microphone")
    assert [await seat.evaluate("() => window.__tp.peers.length") for seat in (customer, agent)] == [1, 1]
