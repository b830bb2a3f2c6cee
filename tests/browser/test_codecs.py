"""Every codec that the relay forwards, in a real Chromium: decoded, still so after the sender came back, lips with voices."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Browser

from tests.support.bank import Bank
from tests.support.browser import Seat, all_leave
from tests.support.machine import quick_or_skip
from tests.support.server_process import CALLS_ONLY, ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.quiet, pytest.mark.asyncio(loop_scope="session")]

LEAST_FRAMES_PER_S = 10
OUT_OF_STEP_MS = 100
MOST_FROZEN_S = 0.5
MOST_IN_DECODER = 10
LOOKS = 3
MOST_LATE_MS = 600
"""From camera to screen in one machine, with the buffers of a busy one."""

ROW = """async (source) => {
    for (const peer of window.__tp.peers) {
        if (peer.connectionState === "closed") continue;
        const stats = await peer.getStats();
        for (const stat of stats.values()) {
            if (stat.type !== "inbound-rtp" || window.__tp.slots.get(stat.mid)?.source !== source) continue;
            return { ...stat, codec: stats.get(stat.codecId)?.mimeType ?? "" };
        }
    }
    return null;
}"""
PLAYED = """async ([most_ms, most_late_ms]) => {
    const row = %s;
    const rows = [await row("microphone"), await row("camera")];
    if (!rows.every((one) => one?.estimatedPlayoutTimestamp)) return null;
    const ntpEpoch_ms = 2_208_988_800_000;
    const late_ms = rows.map((one) => one.timestamp + ntpEpoch_ms - one.estimatedPlayoutTimestamp);
    const possible = late_ms.every((one) => one > 0 && one < most_late_ms);
    return possible && Math.abs(late_ms[0] - late_ms[1]) <= most_ms ? late_ms : null;
}"""


async def offers(browser: Browser, codec: str) -> bool:
    """Whether this Chromium can send and receive it."""
    page = await browser.new_page()
    try:
        script = """(type) => [RTCRtpSender, RTCRtpReceiver].every((side) =>
            side.getCapabilities("video").codecs.some((one) => one.mimeType === type))"""
        return bool(await page.evaluate(script, f"video/{codec}"))
    finally:
        await page.close()


@asynccontextmanager
async def two(browser: Browser, folder: Path, codec: str) -> AsyncIterator[tuple[Seat, Seat]]:
    """Two experts (who come in by one click) in a session of a server that asks for this codec only."""
    with ServerProcess(folder, TONGPING_MEDIA_VIDEO_CODECS=codec, TONGPING_MEDIA_WORKERS="1", **CALLS_ONLY) as server:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as http:
            bank = Bank(http, server.url)
            await bank.sign_in(*server.agent)
            opened = await bank.open()
            invitation = {"role": "expert", "name": "Dr Li"}
            link = (await bank.call("POST", f"/sessions/{opened.id}/invitations", invitation))["link"]
        one, other = await Seat.take(browser), await Seat.take(browser)
        try:
            link = link if link.startswith("http") else server.url + link
            await asyncio.gather(one.come_as_expert(opened.expert_link), other.come_as_expert(link))
            yield one, other
        finally:
            await all_leave(one, other)


async def camera(seat: Seat) -> dict[str, Any]:
    """The statistics of the other's picture."""
    found: dict[str, Any] = await seat.until(ROW, "camera", 20)
    return found


async def decodes(seat: Seat, codec: str, after_keys: int = 0) -> None:
    """The other's picture from its next key frame on is in this codec and moves without standing still.

    Looked at up to three times: a busy machine stalls now and then; a stream that cannot be decoded never moves again.
    """
    newer = f"async (keys) => {{ const row = await ({ROW})('camera'); return row?.keyFramesDecoded > keys; }}"
    await seat.until(newer, after_keys, 20)
    seen = []
    for _ in range(LOOKS):
        before = await camera(seat)
        picture = await seat.flow("expert", "camera", over_s=1.5)
        after = await camera(seat)
        assert after["codec"] == f"video/{codec}"
        frozen_s = after["totalFreezesDuration"] - before["totalFreezesDuration"]
        lost = after["framesReceived"] - after["framesDecoded"] - after["framesDropped"]
        asked = after["pliCount"] - before["pliCount"]
        if picture.per_s >= LEAST_FRAMES_PER_S and frozen_s <= MOST_FROZEN_S and lost <= MOST_IN_DECODER and asked <= 1:
            return
        seen.append((picture.per_s, frozen_s, lost, asked))
    told = f"frames/s, frozen s, frames not decoded, key frames asked for: {seen}"
    assert max(per_s for per_s, *_ in seen) > 0, told
    quick_or_skip(False, told)


async def in_step(seat: Seat) -> None:
    """Voice and picture come to be played as they were captured, by our sender reports, and these are right: no delay is impossible.

    Chromium takes the mean of up to twenty reports: after another sender took the line it needs some of them.
    """
    await seat.until(PLAYED % ROW, [OUT_OF_STEP_MS, MOST_LATE_MS], 20)


@pytest.mark.parametrize("codec", ["VP8", "VP9", "H264", "AV1"])
async def test_both_decode_each_other_and_again_after_a_reload(browser: Browser, tmp_path: Path, codec: str) -> None:
    if not await offers(browser, codec):
        assert codec in ("H264", "AV1"), f"every Chromium has {codec}"
        pytest.skip(f"this Chromium does not offer {codec}")
    async with two(browser, tmp_path, codec) as (one, other):
        await asyncio.gather(decodes(one, codec), decodes(other, codec))
        if codec == "VP8":
            await in_step(one)
        keys = (await camera(one))["keyFramesDecoded"]
        await other.page.reload()
        await decodes(one, codec, keys)
        if codec == "VP8":
            await in_step(one)
        assert one.complaints == other.complaints == []
