"""Lips with voices: what a real Chromium plays of one person's microphone and camera was captured at the same moment, also while
the picture is late.

``estimatedPlayoutTimestamp`` is the sender's clock of what is played now, by our sender reports; Chromium has it for what it keeps
in step only, which is one voice and one picture of a stream (``media.wire.sdp_answer.slot_streams``).
"""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.support.bank import Bank
from tests.support.browser import Seat
from tests.support.call import Trio, three
from tests.support.server_process import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

OUT_OF_STEP_MS = 80
LATE_MS = 400
WITHIN_S = 60

# How late each of the two is played, by (role, source): [voice, picture] in milliseconds, or null while Chromium does not say.
PLAYED = """async (role) => {
    const late = { microphone: null, camera: null };
    for (const peer of window.__tp.peers) {
        if (peer.connectionState === "closed") continue;
        for (const stat of (await peer.getStats()).values()) {
            const slot = stat.type === "inbound-rtp" ? window.__tp.slots.get(stat.mid) : undefined;
            if (!slot?.source || window.__tp.people.get(slot.participant)?.role !== role) continue;
            const ntp_ms = 2_208_988_800_000;
            if (stat.estimatedPlayoutTimestamp) late[slot.source] = stat.timestamp + ntp_ms - stat.estimatedPlayoutTimestamp;
        }
    }
    return late.microphone === null || late.camera === null ? null : [late.microphone, late.camera];
}"""
EARLIER = f"""async ([role, than_ms]) => {{
    const late = await ({PLAYED})(role);
    return late && late[0] < than_ms ? late : null;
}}"""
# As if the pictures came late: Chromium holds them back for so long before it shows them.
DELAY = """async ([role, delay_ms]) => {
    const peer = window.__tp.peers.at(-1);
    for (const { mid, receiver } of peer.getTransceivers()) {
        const slot = window.__tp.slots.get(mid);
        if (slot?.source === "camera" && window.__tp.people.get(slot.participant)?.role === role) receiver.jitterBufferTarget = delay_ms;
    }
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def trio(browser: Browser, bank: Bank, server: ServerProcess) -> AsyncIterator[Trio]:
    async with three(browser, bank, server) as people:
        yield people


async def in_step(seat: Seat, role: str, at_least_ms: float) -> list[float]:
    """Wait until the picture is at least so late, and the voice with it."""
    script = f"""async ([role, least_ms, most_ms]) => {{
        const late = await ({PLAYED})(role);
        return late && late[1] >= least_ms && Math.abs(late[0] - late[1]) <= most_ms ? late : null;
    }}"""
    try:
        late: list[float] = await seat.until(script, [role, at_least_ms, OUT_OF_STEP_MS], WITHIN_S)
    except AssertionError:
        raise AssertionError(await seat.evaluate(PLAYED, role)) from None
    return late


async def test_each_voice_is_in_step_with_its_face_also_when_the_face_is_late(trio: Trio) -> None:
    for role in ("agent", "expert"):
        print(f"the {role}, late by ms:", await in_step(trio.customer, role, 0))
    await trio.customer.evaluate(DELAY, ["agent", LATE_MS])
    late = await in_step(trio.customer, "agent", LATE_MS)
    print("the agent with pictures held back, late by ms:", late)
    assert late[0] > LATE_MS - OUT_OF_STEP_MS
    other = await trio.customer.until(EARLIER, ["expert", late[0]], WITHIN_S)  # at one moment a busy machine may hold back all
    print("the expert meanwhile:", other)  # a stream of its own: it did not wait


async def test_a_camera_that_is_turned_on_again_is_in_step_again(trio: Trio) -> None:
    await trio.expert.press("bar.camera.off")
    await trio.expert.press("bar.camera.on")
    await trio.agent.receives("expert", "camera")
    print("the expert again, late by ms:", await in_step(trio.agent, "expert", 0))


async def test_nobody_complained(trio: Trio) -> None:
    assert {role: seat.complaints for role, seat in trio.seats().items() if seat.complaints} == {}
