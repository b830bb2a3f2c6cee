"""Voices over a line that loses packets, in a real Chromium that speaks without a pause: what is lost is sent again.

``TONGPING_FIGURES=file`` keeps every figure; the long campaign measures 5, 10 and 20 %, each for 20 s.
"""

import json
import math
import os
import struct
import wave
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.support.bad_network import Call, Received, measure, on_lines
from tests.support.browser import chromium_path, flags
from tests.support.impairer import GOOD, Condition
from tests.support.machine import quick_or_skip

pytestmark = [pytest.mark.browser, pytest.mark.quiet, pytest.mark.campaign(16), pytest.mark.asyncio(loop_scope="session")]

LONG = os.environ.get("TESTS_CAMPAIGN") == "long"
LOSSES = (0.05, 0.1, 0.2) if LONG else (0.1,)
MOST_GAPS = {0.05: 0.01, 0.1: 0.03, 0.2: 0.08}
MEASURE_S = 20.0 if LONG else 6.0
FAR_MS = (50.0, 100.0) if LONG else (50.0,)
MOST_GAPS_FAR = 0.02
REDUNDANT_WITHIN_S = 30
SETTLE_S = 2.0
TRIES = 3
RATE = 48_000
# Whether this page's own voice is sent with redundancy: RED stands before Opus in what it was answered.
REDUNDANT = """(wanted) => {
    const peer = window.__tp.peers.findLast(({ connectionState }) => connectionState === "connected");
    if (!peer) return false;
    const { mid } = peer.getTransceivers()[0];
    const section = peer.remoteDescription.sdp.split(/^(?=m=)/m).find((part) => new RegExp(`^a=mid:${mid}\\r?$`, "m").test(part));
    const red = /^a=rtpmap:(\\d+) red/m.exec(section)[1];
    return /^m=audio \\d+ \\S+ (\\d+)/.exec(section)[1] === red === wanted;
}"""


def speech(path: Path, seconds: int = 10) -> Path:
    """Something like a voice that never pauses: silence would be left out, and nothing is missed of it."""
    samples = bytearray()
    phase = 0.0
    for i in range(RATE * seconds):
        at = i / RATE
        phase += 2 * math.pi * (140 + 30 * math.sin(2 * math.pi * 0.7 * at)) / RATE
        voiced = sum(math.sin(n * phase) / n for n in (1, 2, 3, 5, 8, 13))
        samples += struct.pack("<h", int(5000 * (0.55 + 0.45 * math.sin(2 * math.pi * 4 * at)) * voiced))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(bytes(samples))
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def speaking(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    voice = speech(tmp_path_factory.mktemp("voice") / "voice.wav")
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path=chromium_path(),
            args=[*flags(clips=False), f"--use-file-for-fake-audio-capture={voice}"],
            ignore_default_args=["--mute-audio", "--hide-scrollbars"],
        )
        yield chromium
        await chromium.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def call(speaking: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Call]:
    async with on_lines(speaking, tmp_path_factory.mktemp("lines"), "one", "two") as call:
        await call.people[0].elapse(SETTLE_S)
        yield call


def audible(one: Received) -> float:
    """Share of what was played that was made up, but for silence."""
    return one.gaps - one.silent


def keep(case: str, heard: Received) -> None:
    """For the tables of the documentation."""
    if path := os.environ.get("TONGPING_FIGURES"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"case": case, **asdict(heard)}) + "\n")


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("way", ["up", "down"])
async def test_a_voice_has_few_gaps_because_what_was_lost_is_sent_again(call: Call, way: str, loss: float) -> None:
    """``up``: from who speaks to the relay; ``down``: from the relay to who listens."""
    one = call.people[0]
    listener = 1 if way == "up" else 0
    bad = Condition(loss=loss)
    told = []
    for _ in range(TRIES):
        await one.line.set(up=bad if way == "up" else GOOD, down=bad if way == "down" else GOOD)
        await one.elapse(SETTLE_S)
        heard = (await measure(call.people, MEASURE_S))[listener]["microphone"]
        await one.line.both()
        told.append(f"{heard.text()} over {heard.seconds:.1f} s")
        keep(f"voice {way} {loss:.0%}", heard)
        if audible(heard) <= MOST_GAPS[loss]:
            break
    quick_or_skip(audible(heard) <= MOST_GAPS[loss], told)


@pytest.mark.parametrize("one_way_ms", FAR_MS)
async def test_a_voice_has_few_gaps_on_a_long_way_because_it_is_sent_with_redundancy(call: Call, one_way_ms: float) -> None:
    """On both ways at once: what is sent again comes too late. Both speak with redundancy, for different reasons."""
    one = call.people[0]
    told = []
    for _ in range(TRIES):
        await one.line.both(loss=0.1, delay_ms=one_way_ms)
        for person in call.people:
            await person.seat.until(REDUNDANT, True, REDUNDANT_WITHIN_S)
        await one.elapse(SETTLE_S)
        both = [heard["microphone"] for heard in await measure(call.people, MEASURE_S)]
        await one.line.both()
        for name, heard in zip(("down", "up"), both, strict=True):
            told.append(f"{name}: {heard.text()} over {heard.seconds:.1f} s")
            keep(f"voice {name} 10%, {2 * one_way_ms:.0f} ms there and back", heard)
        worst = max(map(audible, both))
        if worst <= MOST_GAPS_FAR:
            break
    quick_or_skip(worst <= MOST_GAPS_FAR, told)


async def test_what_is_sent_again_is_the_same_packet(call: Call) -> None:
    """Under one number an AEAD cipher must protect one packet only, header included (RFC 7714 section 8.1). On both ways."""
    one = call.people[0]
    await one.line.both(loss=0.1, burst=3)  # with redundancy single ones need not be sent again
    await call.impairer.trace(True)
    await one.elapse(4)
    trace = await call.impairer.trace(False)
    await one.line.both()
    packets: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for _, _, way, _, _, head, digest in trace:
        first, second = bytes.fromhex(head[:4]) if len(head) == 24 else (0, 0)
        if first & 0xC0 == 0x80 and not 192 <= second <= 223:  # RTP and no RTCP (RFC 5761 section 4)
            packets[way, head[4:8] + head[16:]].append(digest)
    again = {key: digests for key, digests in packets.items() if len(digests) > 1}
    assert {way for way, _ in again} == {"up", "down"}, "nothing was sent again"
    assert all(len(set(digests)) == 1 for digests in again.values()), again
