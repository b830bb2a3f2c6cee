"""Records paths for ``traces``: ``python -m tests.support.record_paths [name …]``.

Two people in a real Chromium, one of them behind a line of the impairer, whose feedback is written down by the media worker. Takes about a
minute each. Only on a machine that has time: what is late here is a queue there.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.async_api import async_playwright

from tests.support.bad_network import on_lines
from tests.support.browser import launch
from tests.support.impairer import Condition
from tests.support.path_log import lines, logged
from tests.support.traces import from_log, save

BEFORE_S = 8.0
WIDE = {"rate_bps": 2_000_000, "queue_bytes": 75_000}
NARROW = {"rate_bps": 300_000, "queue_bytes": 24_000}
PATHS: dict[str, tuple[str, list[tuple[float, dict[str, Any]]], float]] = {
    "step": ("2 Mbit/s, from 10 s 300 kbit/s, from 24 s 2 Mbit/s", [(0, WIDE), (10, NARROW), (24, WIDE)], 40),
    "loss": ("2 Mbit/s, 10 % random loss", [(0, {**WIDE, "loss": 0.1})], 30),
    "jitter": ("2 Mbit/s, 30 ms away with 50 ms jitter", [(0, {**WIDE, "delay_ms": 30, "jitter_ms": 50})], 30),
    "on-off": (
        "2 Mbit/s and 500 kbit/s, five seconds each",
        [(5.0 * n, {**WIDE, "rate_bps": 500_000, "queue_bytes": 30_000} if n % 2 else WIDE) for n in range(8)],
        40,
    ),
}
"""Name → (what it is, conditions towards the subscriber from a second on, seconds). The way back is a good one."""


async def record(name: str) -> Path:
    what, schedule, seconds = PATHS[name]
    steps = [(at, Condition(**condition)) for at, condition in schedule]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        async with async_playwright() as playwright:
            chromium = await launch(playwright, clips=False)
            async with on_lines(chromium, folder, "one", "two", **logged(folder / "log")) as call:
                one = call.people[0]
                await one.line.set(down=steps[0][1])
                await one.elapse(BEFORE_S)
                begin = time.monotonic()
                await one.line.follow(up=[(0.0, Condition())], down=steps)
                await one.elapse(seconds + 0.5)
            await chromium.close()
        capacity = [(begin + at, condition.rate_bps) for at, condition in steps]
        found = lines(folder / "log")
    return save(name, from_log(found, what=what, capacity=capacity, begin=begin, end=begin + seconds))


async def main(chosen: list[str]) -> None:
    for name in chosen or list(PATHS):
        path = await record(name)
        print(path.name, path.stat().st_size, "bytes")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
