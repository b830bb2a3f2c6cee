"""Bad networks and dead subscribers: lost packets are repaired without a storm of key frames, one's trouble is not another's."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from media.transport.datachannel import MAX_BUFFERED_BYTES
from tests.support.media_lab import LabClient, LabWorker, Wire, lab_worker, loopback, shows

LOST = 0.05
REPAIRS = 4
FRAMES = 40


@pytest.fixture
async def worker() -> AsyncIterator[LabWorker]:
    with loopback():
        async with lab_worker() as running:
            yield running


def some(seed: int) -> Callable[[bytes], bool]:
    """Lose five in a hundred datagrams of media, RTCP and retransmissions included; the same ones in every run."""
    source = random.Random(seed)
    return lambda data: 128 <= data[0] <= 191 and source.random() < LOST


def camera(stats: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = stats["participants"][name]["published"]["camera"][0]
    return found


@pytest.mark.campaign(16)
async def test_five_percent_lost_on_both_legs_is_repaired(worker: LabWorker) -> None:
    one, two = LabClient("one", send=("audio", "video")), LabClient("two", send=())
    up, down = Wire(worker.address), Wire(worker.address)
    try:
        await worker.gates("one", "microphone", "camera")
        await worker.connect(one, via=up)
        await worker.connect(two, via=down)
        video = await worker.event(shows("two", "one", "camera"))
        await two.frame(video)
        before = camera(await worker.stats(), "one")["plis"]
        up.lose_up, up.lose_down, down.lose_up, down.lose_down = some(1), some(2), some(3), some(4)

        def repaired(stats: dict[str, Any]) -> bool:
            slot = stats["participants"]["two"]["slots"].get(video, {})
            return bool(camera(stats, "one")["recovered"] >= REPAIRS and slot.get("resent", 0) >= REPAIRS)

        stats = await worker.until(repaired)
        for _ in range(FRAMES):
            await two.frame(video)
        source, slot = camera(stats, "one"), stats["participants"]["two"]["slots"][video]
        assert source["nacked"] >= source["recovered"]
        assert slot["nacked"] >= slot["resent"]
        assert source["plis"] - before <= (source["nacked"] + slot["nacked"]) // 4  # a key frame is the exception, not the cure
        assert not [s for s in stats["participants"].values() if s["state"] != "connected"]
        assert (await worker.stats(None))["worker"] == {}
    finally:
        await asyncio.gather(one.close(), two.close())
        up.close()
        down.close()


async def test_a_subscriber_that_reads_nothing_holds_nobody_back(worker: LabWorker) -> None:
    one, two, dead = LabClient("one"), LabClient("two", send=()), LabClient("dead", send=())
    wire = Wire(worker.address)
    try:
        await worker.gates("one", "microphone", "camera", "pointer")
        await worker.connect(one)
        await worker.connect(two)
        await worker.connect(dead, via=wire)
        video = await worker.event(shows("two", "one", "camera"))
        stalled = await worker.event(shows("dead", "one", "camera"))
        await two.frame(video)
        async with asyncio.timeout(60):
            await asyncio.gather(one.opened.wait(), dead.opened.wait(), two.opened.wait())
        wire.lose_up = wire.lose_down = lambda data: True
        start = await worker.stats()
        told = 0
        lagging = "x" * 1000
        for _ in range(FRAMES):
            one.channel.send(lagging)
            await two.frame(video)
            told += 1
        assert sum([1 for _ in range(told) if await asyncio.wait_for(two.messages.get(), 10)]) == told
        stats = await worker.until(lambda s: camera(s, "one")["packets"] - camera(start, "one")["packets"] >= FRAMES)

        def grown(name: str, mid: str) -> int:
            slots = [s["participants"][name]["slots"].get(mid, {}).get("packets", 0) for s in (start, stats)]
            return int(slots[1] - slots[0])

        published = camera(stats, "one")["packets"] - camera(start, "one")["packets"]
        assert grown("two", video) == published
        assert grown("dead", stalled) <= published
        assert stats["participants"]["two"]["slots"][video]["refused"] == 0
        assert (await worker.stats(None))["send_dropped"] == 0
        for _ in range(2 * MAX_BUFFERED_BYTES // len(lagging)):
            one.channel.send(lagging)
        await worker.state("dead", "disconnected")
        await two.frame(video)
    finally:
        await asyncio.gather(one.close(), two.close(), dead.close())
        wire.close()
