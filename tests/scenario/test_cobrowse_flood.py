"""A page that sends as much as it can beside one as all are: whoever looks at the other one has everything in time, and neither server nor sanitiser grows without
end."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import ClientConnectionError

from server.bench_cobrowse_live import flow
from server.bench_cobrowse_page import Recorded, chunks_of
from server.bench_cobrowse_people import Tab
from server.bench_cobrowse_place import Place, Wanted, opened, resident
from tests.support.machine import most_memory, quick_or_skip

pytestmark = pytest.mark.campaign(23)

RATE, SECONDS = 20.0, 4.0
IN_TIME_MS = 1000.0
"""Ten times the goal: what is shown is that nobody waits for the flood to end."""
SERVER_BYTES = 200 << 20
"""16 MiB of one page's events wait at most, one picture of 16 MiB for a viewer, and copies of both on their way."""
SANITISER_BYTES = 400 << 20


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    """Two pages are shown."""
    async with opened(Wanted(shares=4, nodes=500)) as made:
        await made.come(2)
        yield made


def storms() -> list[list[str]]:
    """Thousands of changes in each event; the words and the tree grow as far as they may."""
    page, made = Recorded(500), list[bytes]()
    for number in range(3):
        changed = [
            {"id": one, "attributes": {"class": f"c{number}-{at}", "title": "x" * 40}} for at, one in enumerate(page.rows * 150)
        ]
        rows = [{"parentId": page.rows[0], "nextId": None, "node": page.row()} for _ in range(300)]
        words = [{"id": one, "value": f"{number} {'words ' * 200}"} for one in page.cells]
        made += [page.mutation(attributes=changed), page.mutation(adds=rows), page.mutation(texts=words)]
    return [chunks_of(one.decode()) for one in made]


def huge() -> list[list[str]]:
    """Whole pictures of a page about as large as may be."""
    page = Recorded(50_000)
    return [chunks_of(one.decode()) for one in (page.meta(), page.picture())]


@pytest.mark.quiet
@pytest.mark.parametrize("flood", [storms, huge])
async def test_nobody_waits_for_a_page_that_floods(place: Place, flood: Callable[[], list[list[str]]]) -> None:
    calm, hostile = place.shown
    events, told = flood(), 0

    async def floods(tab: Tab) -> None:
        nonlocal told
        for chunks in itertools.cycle(events):
            await tab.record(chunks)
            told += sum(map(len, chunks))

    before = {name: resident(place.pids[name]) for name in place.own}
    flooding = asyncio.create_task(floods(hostile.tab))
    try:
        found = await flow([calm], RATE, SECONDS, place.pids)
    finally:
        flooding.cancel()
        (ended,) = await asyncio.gather(flooding, return_exceptions=True)
    assert isinstance(ended, asyncio.CancelledError | ClientConnectionError), "it may be cut off"
    grown = {name: most_memory(place.pids[name]) - before[name] for name in place.own}
    assert grown["server"] < SERVER_BYTES, grown
    assert all(grown[name] < SANITISER_BYTES for name in grown if name != "server"), grown
    quick_or_skip(bool(found.latencies), grown)
    measured = {"p95_ms": found.of(95), "missing": found.missing, "events": found.sent, "flood_chars": told, "grown": grown}
    quick_or_skip(told > 1 << 20 and found.missing == 0 and found.of(95) <= IN_TIME_MS, measured)
