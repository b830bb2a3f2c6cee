"""Layers in a real Chromium: switched by what a page says of its pictures' sizes (20 times, 100 in the long form), without a decode error."""

import json
import os
import statistics
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.support.bad_network import SAY_MORE, Person, on_lines
from tests.support.machine import load_per_core, quick_or_skip

pytestmark = [pytest.mark.browser, pytest.mark.quiet, pytest.mark.campaign(16), pytest.mark.asyncio(loop_scope="session")]

SWITCHES = 100 if os.environ.get("TESTS_CAMPAIGN") == "long" else 20
SMALL, LARGE = 90, 1080
MOST_FROZEN_S = 0.5
"""In 20 switches; each waits for a key frame while the old layer goes on."""
MOST_STILL_S = 0.3
"""Half of the switches show no frame for longer than this at most; one comes each 0.04 s, and is looked for each 0.025 s."""
SIZE = "(sizes) => window.__say({ type: 'receive.set', video: 12, sizes })"
ENCODINGS = "() => Math.max(...window.__tp.peers.at(-1).getSenders().map((sender) => sender.getParameters().encodings.length))"
HEIGHT = """async ([source, condition]) => {
    for (const stat of (await window.__tp.peers.at(-1).getStats()).values()) {
        if (stat.type !== "inbound-rtp" || window.__tp.slots.get(stat.mid)?.source !== source) continue;
        const { low, high } = condition;
        if (stat.frameHeight && (low ? stat.frameHeight <= low : stat.frameHeight >= high)) return stat.frameHeight;
    }
    return 0;
}"""
# The longest time between two decoded frames since it was last asked for.
WATCH = """([source]) => {
    const state = window.__still = { longest: 0 };
    const count = async () => {
        for (const stat of (await window.__tp.peers.at(-1).getStats()).values()) {
            if (stat.type === "inbound-rtp" && window.__tp.slots.get(stat.mid)?.source === source) return stat.framesDecoded ?? 0;
        }
        return 0;
    };
    (async () => {
        let frames = await count(), last = performance.now();
        for (;;) {
            await new Promise((resolve) => setTimeout(resolve, 25));
            const now = await count();
            if (now === frames) continue;
            state.longest = Math.max(state.longest, performance.now() - last);
            frames = now;
            last = performance.now();
        }
    })();
}"""
TAKE_STILL = "() => { const longest = window.__still.longest; window.__still.longest = 0; return longest / 1000; }"


def keep(figures: dict[str, object]) -> None:
    """For the documentation."""
    if path := os.environ.get("TONGPING_FIGURES"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(figures) + "\n")


async def says(person: Person, mid: str, height: int) -> None:
    """Over the page's own socket, as its layout would."""
    await person.seat.page.evaluate(SIZE, [{"mid": mid, "height": height}])


async def test_switches_of_layers_without_a_decode_error(browser: Browser, tmp_path: Path) -> None:
    async with on_lines(browser, tmp_path, "one", "two", scripts=(SAY_MORE,)) as call:
        one, two = call.people
        assert await two.seat.page.evaluate(ENCODINGS) >= 2
        row = next(row for row in (await one.sample())["in"] if row["source"] == "camera")
        full = await one.seat.until(HEIGHT, ["camera", {"high": 360}], 20)
        before = await one.sample()
        await one.seat.page.evaluate(WATCH, ["camera"])
        still_s = []
        for n in range(SWITCHES):
            small = n % 2 == 0
            await says(one, row["mid"], SMALL if small else LARGE)
            await one.seat.until(HEIGHT, ["camera", {"low": full // 2} if small else {"high": full // 2 + 1}], 30)
            still_s.append(await one.seat.page.evaluate(TAKE_STILL))
        after = await one.sample()
        old, new = (next(row for row in sample["in"] if row["source"] == "camera") for sample in (before, after))
        undecoded = (new["received"] - old["received"]) - (new["decoded"] - old["decoded"]) - (new["dropped"] - old["dropped"])
        assert new["keys"] - old["keys"] >= SWITCHES - 1
        assert undecoded <= 8, f"{undecoded} frames were complete and not decoded"
        assert new["plis"] - old["plis"] <= 1, "the decoder asked for key frames"
        await call.nobody_dropped()
        frozen_s = new["frozen_s"] - old["frozen_s"]
        figures = {"case": "layers", "switches": SWITCHES, "frozen_s": frozen_s, "still_s": still_s, "load": load_per_core()}
        keep(figures)
        quick_or_skip(statistics.median(still_s) <= MOST_STILL_S, figures)
        quick_or_skip(frozen_s <= MOST_FROZEN_S * max(1, SWITCHES // 20), frozen_s)
