"""Co-browse as it runs, for its benchmark: a server of its own with its sanitiser, sessions with customers and staff, pages that change and those who look, all over the
network's protocol. This process plays everybody, so what is read of the server's processes is theirs alone; they have one core together where there is more than one.
"""

import asyncio
import os
import random
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from server.bench_cobrowse_people import Pair, Shared, ask
from server.bench_cobrowse_place import Place, Wanted, all_cores, cpu_s, one_core, opened
from server.bench_cobrowse_relay import pairs, relay
from server.bench_cobrowse_sanitiser import at
from server.bench_cobrowse_slow import slow_line
from server.loadtest.settings import LoadtestFailed

IN_TIME_MS, HOPELESS_MS = 100.0, 1000.0
DRAIN_S = 5.0
LAG_EVERY_S = 0.02
TOGETHER = 100
"""Shares beside each other where they are compared with a bare relay, and where something is taken back."""
REVOKED = 25
"""Shares of which something is taken back at a time."""
SILENT_S = 1.0
"""So long it is watched whether nothing comes any more."""
BUSY_RATE = 20.0
"""Events a second of a page where somebody types and the page follows."""
BURST = 10
"""Events right before something is taken back, so that there is always some of the page under way."""
SLOW_BYTES_S = 8000
"""64 kbit/s."""
SLOW_RATE = 100.0
"""Events a second of a page at which somebody slow looks: so many that a 95th percentile stands still."""
REDRAWN = 200


@dataclass(slots=True)
class Flow:
    """What came of events that were sent for some time. ``cpu_s``: of each process; ``lag_ms``: how late this process itself was."""

    seconds: float = 0.0
    sent: int = 0
    missing: int = 0
    latencies: list[float] = field(default_factory=list)
    cpu_s: dict[str, float] = field(default_factory=dict)
    lag_ms: list[float] = field(default_factory=list)

    def add(self, other: "Flow") -> None:
        self.seconds += other.seconds
        self.sent += other.sent
        self.missing += other.missing
        self.latencies += other.latencies
        self.cpu_s = {name: self.cpu_s.get(name, 0.0) + took for name, took in other.cpu_s.items()}
        self.lag_ms += other.lag_ms

    def percent(self, *names: str) -> float:
        return round(100 * sum(self.cpu_s[name] for name in names) / self.seconds, 1)

    def of(self, percentile: int) -> float:
        """Milliseconds. Raises LoadtestFailed: nothing came."""
        if not self.latencies:
            raise LoadtestFailed("nothing of a page came to anybody")
        return at(self.latencies, percentile)


async def flow(shown: Sequence[Pair], rate: float, seconds: float, pids: Mapping[str, int]) -> Flow:
    """So many events a second from each page, evenly but not in step."""
    found = Flow()
    for one in shown:
        one.forget()
    told = sum(one.tab.told for one in shown)
    before, begin = cpu_s(pids), time.perf_counter()
    until = begin + seconds
    lag = asyncio.create_task(_lag(found.lag_ms))
    try:
        async with asyncio.TaskGroup() as group:
            for one in shown:
                group.create_task(_happens(one, rate, until))
            await asyncio.sleep(seconds)
            found.seconds = time.perf_counter() - begin
            found.cpu_s = {name: after - before[name] for name, after in cpu_s(pids).items()}
    except ExceptionGroup as failed:
        raise LoadtestFailed(f"a page was cut off: {failed.exceptions[0]}") from None
    finally:
        lag.cancel()
    by = time.perf_counter() + DRAIN_S
    while any(one.missing for one in shown) and time.perf_counter() < by:  # noqa: ASYNC110 - nothing says that it was the last
        await asyncio.sleep(0.1)
    found.sent = sum(one.tab.told for one in shown) - told
    found.missing = sum(one.missing for one in shown)
    found.latencies = [each for one in shown for each in one.latencies]
    return found


async def _happens(one: Pair, rate: float, until: float) -> None:
    drawn = random.Random()  # noqa: S311 - when something happens
    await asyncio.sleep(drawn.random() / rate)
    while time.perf_counter() < until:
        await one.tab.happen()
        await asyncio.sleep(drawn.uniform(0.5, 1.5) / rate)


async def _lag(found: list[float]) -> None:
    loop = asyncio.get_running_loop()
    while True:
        wanted = loop.time() + LAG_EVERY_S
        await asyncio.sleep(LAG_EVERY_S)
        found.append((loop.time() - wanted) * 1000)


# ---------------------------------------------------------------- what is measured


async def measure(wanted: Wanted) -> dict[str, object]:
    """Raises LoadtestFailed."""
    found: dict[str, object] = {}
    with all_cores():
        async with AsyncExitStack() as stack:
            with one_core():
                place = await stack.enter_async_context(opened(wanted))
                url, bare = await stack.enter_async_context(relay())
            await place.come(1)
            found |= await _one_page(place, wanted)
            together = min(wanted.shares, TOGETHER)
            await place.come(together)
            found |= await _beside_a_relay(place, url, bare, wanted)
            found |= await _slow(place, wanted)
            found |= await _revoked(place, wanted)
            found |= await many(place, wanted)
    return found


async def _one_page(place: Place, wanted: Wanted) -> dict[str, object]:
    """Nobody else is there."""
    found = await flow(place.shown, BUSY_RATE, wanted.seconds, place.pids)
    return {
        "live_nodes": wanted.nodes,
        "page_to_agent_p50_ms": found.of(50),
        "page_to_agent_p95_ms": found.of(95),
        "page_to_agent_events": len(found.latencies),
    }


async def _beside_a_relay(place: Place, url: str, bare: int, wanted: Wanted) -> dict[str, object]:
    """The same frames as often through both, in turns."""
    count, ours, theirs = len(place.shown), Flow(), Flow()
    others = await pairs(place.api.http, url, place.film, count)
    try:
        for _ in range(2):
            ours.add(await flow(place.shown, wanted.rate, wanted.seconds / 2, place.pids))
            theirs.add(await flow(others, wanted.rate, wanted.seconds / 2, {"relay": bare}))
    finally:
        await asyncio.gather(*(one.drop() for one in others))
    idle = await flow([], wanted.rate, wanted.seconds / 2, place.pids)
    events, each = [
        round(1e6 * sum(one.cpu_s[name] for name in names) / one.sent, 1)
        for one, names in ((ours, place.own), (theirs, ["relay"]))
    ]
    return {
        "together": count,
        "together_p95_ms": ours.of(95),
        "bare_relay_p95_ms": theirs.of(95),
        "event_cpu_us": events,
        "bare_relay_event_cpu_us": each,
        "ratio_to_bare_relay": round(events / each, 2),
        "ratio_to_bare_relay_p50": round(ours.of(50) / theirs.of(50), 2),
        "idle_cpu_percent": idle.percent(*place.own),
    }


async def _slow(place: Place, wanted: Wanted) -> dict[str, object]:
    """A second viewer comes and goes, whose line is slow; in turns without and with them, and in the same turns a page beside it that nobody slow looks at."""
    shared, taken = place.shown[0], 0
    both = place.shown[:2]
    alone: list[list[float]] = [[] for _ in both]
    beside: list[list[float]] = [[] for _ in both]
    memory = [place.memory]
    watching = asyncio.create_task(_watch(place, memory))
    parts = urlsplit(place.api.url)

    async def turn(found: list[list[float]]) -> None:
        await flow(both, SLOW_RATE, wanted.seconds, place.pids)
        for each, one in zip(found, both, strict=True):
            each += one.latencies

    try:
        async with slow_line(parts.hostname or "", parts.port or 80, SLOW_BYTES_S) as (url, line):
            for number in range(wanted.rounds):
                await turn(alone)
                slow = await shared.places[1].look(url, shared.share)
                if not number:
                    await ask(slow)
                await slow.until(lambda slow=slow: slow.last > 0, "a slow viewer's picture")  # type: ignore[misc]
                before = line.bytes
                await turn(beside)
                taken += line.bytes - before
                await slow.drop()
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    ratio, low, high = _ratio(beside[0], alone[0])
    return {
        "fast_alone_p95_ms": at(alone[0], 95),
        "fast_beside_slow_p95_ms": at(beside[0], 95),
        "fast_events": len(alone[0]),
        "slow_viewer_ratio": ratio,
        "slow_viewer_ratio_low": low,
        "slow_viewer_ratio_high": high,
        "slow_viewer_control_ratio": _ratio(beside[-1], alone[-1])[0] if len(both) > 1 else None,
        "slow_viewer_bytes_s": round(taken / (wanted.rounds * wanted.seconds)),
        "slow_viewer_memory_bytes": max(memory) - memory[0],
    }


def _ratio(beside: list[float], alone: list[float]) -> tuple[float, float, float]:
    """Of the 95th percentiles, and between what it lies (95 %, by drawing again from what was measured)."""
    drawn = random.Random(7)  # noqa: S311 - a bootstrap
    found = [at(drawn.choices(beside, k=len(beside)), 95) / at(drawn.choices(alone, k=len(alone)), 95) for _ in range(REDRAWN)]
    return round(at(beside, 95) / at(alone, 95), 2), round(at(found, 2.5), 2), round(at(found, 97.5), 2)


async def _watch(place: Place, memory: list[int]) -> None:
    while True:
        await asyncio.sleep(LAG_EVERY_S)
        memory.append(place.memory)


async def _revoked(place: Place, wanted: Wanted) -> dict[str, object]:
    """The customer takes it back from all while things happen in the page, and gives it again."""
    busy = place.shown[: min(REVOKED, wanted.revocations)]
    rounds = -(-wanted.revocations // len(busy))
    silent, told, lag_ms = list[float](), list[float](), list[float]()

    async def one(shared: Shared) -> None:
        tab, viewer, agent = shared.tab, shared.viewer, shared.places[0].participant
        for _ in range(rounds):
            began = len(viewer.came)
            await viewer.until(lambda: len(viewer.came) > began + BUSY_RATE * random.uniform(0.3, 0.8), "events")  # noqa: B023, S311
            for _ in range(BURST):
                await tab.happen()
            taken_back = time.perf_counter()
            await tab.consent("", given=False)
            await asyncio.sleep(SILENT_S)
            silent.append(max(0.0, (viewer.last - taken_back) * 1000))
            told.append((viewer.told - taken_back if viewer.told > taken_back else SILENT_S) * 1000)
            pictures = viewer.pictures
            await tab.consent(agent, given=True)
            await viewer.until(lambda: viewer.pictures > pictures, "a picture")  # noqa: B023

    for shared in place.shown:
        shared.forget()
    before, begin, events = cpu_s(place.pids), time.perf_counter(), sum(shared.tab.told for shared in place.shown)
    lag = asyncio.create_task(_lag(lag_ms))
    happening = [
        asyncio.create_task(_happens(shared, BUSY_RATE if shared in busy else wanted.rate, time.perf_counter() + 3600))
        for shared in place.shown
    ]
    try:
        await asyncio.gather(*(one(shared) for shared in busy))
    finally:
        for task in (*happening, lag):
            task.cancel()
        await asyncio.gather(*happening, lag, return_exceptions=True)
    seconds, after = time.perf_counter() - begin, cpu_s(place.pids)
    return {
        "revocations": len(silent),
        "revoke_to_silence_p50_ms": at(silent, 50),
        "revoke_to_silence_ms": round(max(silent), 3),
        "revoke_to_told_p50_ms": at(told, 50),
        "revoke_to_told_ms": round(max(told), 3),
        "revoked_frames_after": sum(shared.viewer.after for shared in busy),
        "revoke_events_s": round((sum(shared.tab.told for shared in place.shown) - events) / seconds),
        "revoke_cpu_percent": round(100 * sum(after[name] - before[name] for name in place.own) / seconds, 1),
        "revoke_driver_lag_p95_ms": at(lag_ms, 95),
    }


async def many(place: Place, wanted: Wanted) -> dict[str, object]:
    """More and more, until a core is full, something is lost or comes much too late."""
    levels: dict[int, dict[str, float]] = {}
    best = 0
    counts = sorted({*range(max(wanted.step, len(place.shown)), wanted.shares, wanted.step), wanted.shares})
    for count in counts:
        await place.come(count)
        found = await flow(place.shown[:count], wanted.rate, wanted.seconds, place.pids)
        if found.of(95) > IN_TIME_MS:  # it may have been others' doing
            again = await flow(place.shown[:count], wanted.rate, wanted.seconds, place.pids)
            found = min(found, again, key=lambda one: one.of(95))
        levels[count] = {
            "p50_ms": found.of(50),
            "p95_ms": found.of(95),
            "missing": found.missing,
            "events_s": round(found.sent / found.seconds),
            "cpu_percent": found.percent(*place.own),
            "server_cpu_percent": found.percent("server"),
            "driver_cpu_percent": found.percent("driver"),
            "driver_lag_p95_ms": at(found.lag_ms, 95),
            "server_bytes": place.memory,
            "load": round(os.getloadavg()[0], 1),
        }
        full = bool(found.missing) or levels[count]["cpu_percent"] >= 100
        if full or found.of(95) > HOPELESS_MS:
            break
        if found.of(95) <= IN_TIME_MS:
            best = count
    shown = best or max(levels)
    taken = levels[shown]["cpu_percent"]
    by_cpu = (
        int(shown * 100 / taken) if taken and levels[shown]["p95_ms"] <= HOPELESS_MS else None
    )  # else work was still waiting
    return {
        "shares": shown,
        "events_s_of_a_share": wanted.rate,
        "p95_ms": levels[shown]["p95_ms"],
        "cpu_percent": levels[shown]["cpu_percent"],
        "shares_per_core": best,
        "shares_per_core_by_cpu": by_cpu,
        "shares_per_core_is": f"the most of {'/'.join(map(str, levels))} at a time with p95 <= {IN_TIME_MS:g} ms, nothing missing, and server and sanitiser within one core",
        "share_levels": {str(count): level for count, level in levels.items()},
    }
