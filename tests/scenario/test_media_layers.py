"""A camera in layers through the real worker to a subscriber whose path becomes narrow and wide again."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from media import control
from tests.support.layered import Layered
from tests.support.media_lab import LabWorker, lab_worker, loopback

FRAME_S = 1 / 30
SIZES = {"q": (180, 1, 400), "h": (360, 2, 700), "f": (720, 5, 1000)}
"""About 110, 370 and 1,250 kbit/s."""
DEADLINE_S = 90.0


async def run(worker: LabWorker, camera: Layered, viewer: Layered, until: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Frame after frame, at the pace of the worker's heartbeats, until the room's counters satisfy ``until``."""
    start = time.monotonic()
    frames = 0
    while time.monotonic() - start < DEADLINE_S:
        await worker.event(lambda e: isinstance(e, control.Heartbeat) or None, len(worker.events))
        told = [event for event in worker.events if isinstance(event, control.Encodings)]
        if told:
            camera.active = set(told[-1].active)
        while frames * FRAME_S < time.monotonic() - start:
            await camera.send_frame()
            frames += 1
        await viewer.feedback()
        if frames % 10 < 2 and until(stats := await worker.stats()):
            return stats
    raise AssertionError(f"not within {DEADLINE_S} s: {await worker.stats()}")


def shown(stats: dict[str, Any]) -> str | None:
    found: str | None = next(iter(stats["participants"]["two"]["slots"].values()), {}).get("rid")
    return found


@pytest.mark.campaign(16)
async def test_a_narrow_path_gets_the_lowest_layer_and_the_highest_again_when_it_is_wide() -> None:
    with loopback():
        async with lab_worker(heartbeat_interval_s=0.02) as worker:
            camera, viewer = Layered(SIZES), Layered(slots=1)
            camera.clock = viewer.clock = time.monotonic
            try:
                for name, person in (("one", camera), ("two", viewer)):
                    await worker.gates(name, "camera")
                    reply = await worker.ask(control.Connect, "room", name, await person.offer())
                    assert isinstance(reply, control.Connected), reply
                    await person.join(reply.answer)
                    await worker.state(name, "connected")
                await run(worker, camera, viewer, lambda stats: shown(stats) == "f")
                viewer.bps = 250_000
                stats = await run(worker, camera, viewer, lambda stats: shown(stats) == "q")
                network = stats["participants"]["two"]["quality"]
                assert network["estimate_bps"] < 600_000
                assert network["limit"] == "bandwidth"
                told = await worker.event(lambda e: e if isinstance(e, control.Network) and e.limit == "bandwidth" else None)
                assert told.participant == "two"
                await run(worker, camera, viewer, lambda stats: camera.active == {"q"})  # nobody needs the others any more
                viewer.bps = 50_000_000
                await run(worker, camera, viewer, lambda stats: shown(stats) == "f")
                assert camera.active >= {"q", "f"}
                assert network["probe_bytes"] > 0
            finally:
                for person in (camera, viewer):
                    await person.close()
    numbers = [seq for seq, _, _ in viewer.got]
    unwrapped = [numbers[0]]
    for number in numbers[1:]:
        unwrapped.append(unwrapped[-1] + ((number - unwrapped[-1] + 0x8000) & 0xFFFF) - 0x8000)
    assert sorted(set(unwrapped)) == list(range(min(unwrapped), max(unwrapped) + 1))
    assert len(set(unwrapped)) == len(unwrapped)
