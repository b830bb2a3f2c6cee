"""``tongping bench cobrowse`` says what it promises; how quick anything is, it is run for."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest
from aiohttp import ClientSession, web

from server import bench_cobrowse, bench_cobrowse_live, bench_cobrowse_sanitiser
from server.bench_cobrowse_live import Flow, flow
from server.bench_cobrowse_page import AT, ROW_NODES, RULES, Film, Recorded
from server.bench_cobrowse_people import Pair, stamp
from server.bench_cobrowse_place import Place, Wanted, all_cores, cpu_s, one_core
from server.bench_cobrowse_relay import Relay, application, pairs
from server.bench_cobrowse_slow import EVERY_S, slow_line
from server.cobrowse.rules import read_rules
from server.loadtest.settings import LoadtestFailed
from tests.support.pages import nodes_of

SANITISER_ALONE = ["--shares", "0"]


def test_it_measures_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench_cobrowse.main(["--json", "--nodes", "1000", "--pictures", "2", "--events", "40", *SANITISER_ALONE]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["nodes"] == pytest.approx(1000, abs=ROW_NODES)
    times = {name for name in found if name.endswith("_ms")}
    assert {
        "sanitiser_snapshot_15k_ms",
        "sanitiser_slice_max_ms",
        "sanitiser_event_p95_ms",
        "reading_ms",
        "first_picture_ms",
        "first_slice_max_ms",
    } <= times
    assert all(found[name] > 0 for name in (*times, "ratio_to_reading", "picture_bytes", "share_bytes"))
    assert 5_000 < found["bytes_per_minute"] < 100_000


def test_its_page_is_as_large_as_real_ones_and_all_that_happens_is_understood() -> None:
    page = Recorded(15_000)
    raw = page.picture()
    assert len(raw) == pytest.approx(1_760_000, rel=0.1)
    assert len(nodes_of(json.loads(raw)["data"]["node"])) == page.nodes == pytest.approx(15_000, abs=ROW_NODES)
    made = bench_cobrowse_sanitiser.sanitiser(read_rules(RULES), page)
    for one in (raw, *page.happenings(80), *page.minute()):
        taken = made.take(one)
        assert not taken.resync
        assert "unknown_node" not in taken.dropped


def test_without_json_it_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench_cobrowse.main(["--nodes", "500", "--pictures", "1", "--events", "1", *SANITISER_ALONE]) == 0
    assert "bytes_per_minute " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--nodes", "499"], "--nodes is 500 to 50000"),
        (["--nodes", "50001"], "--nodes is 500 to 50000"),
        (["--pictures", "0"], "at least one of the others"),
        (["--events", "0"], "at least one of the others"),
        (["--shares", "-1"], "--shares is 0 to 5000"),
        (["--shares", "5001"], "--shares is 0 to 5000"),
        (["--live-nodes", "60000"], "--live-nodes 500 to 50000"),
        (["--step", "0"], "--step, --revocations and --rounds are at least 1"),
        (["--revocations", "0"], "at least 1"),
        (["--rounds", "0"], "at least 1"),
        (["--seconds", "0.5"], "--seconds 1 to 600"),
        (["--seconds", "nan"], "--seconds 1 to 600"),
        (["--rate", "0"], "--rate 0.1 to 100"),
        (["--rate", "nan"], "--rate 0.1 to 100"),
    ],
)
def test_what_it_cannot_measure(asked: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bench_cobrowse.main(asked)
    assert said in capsys.readouterr().err


def test_what_cannot_be_measured_here_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    async def measure(wanted: object) -> dict[str, object]:
        raise LoadtestFailed("the server has no sanitiser")

    monkeypatch.setattr(bench_cobrowse_live, "measure", measure)
    assert bench_cobrowse.main(["--json", "--nodes", "500", "--pictures", "1", "--events", "1", "--shares", "1"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "bench cobrowse: the server has no sanitiser\n"


# ---------------------------------------------------------------- the pieces of what goes over the network


def test_an_event_is_known_again_by_its_number() -> None:
    film = Film(500, 40)
    meta, picture = ("".join(json.loads(f'"{chunk}"') for chunk in chunks) for chunks in film.picture)
    assert json.loads(meta)["timestamp"] == json.loads(picture)["timestamp"] == stamp(meta) == stamp(picture) == AT
    assert film.picture_bytes == len(meta.encode()) + len(picture.encode())
    for number, one in enumerate(film.happenings, 1):
        text = json.loads(f'"{one.text}{number}}}"')
        assert json.loads(text)["timestamp"] == stamp(text) == number
    leaving = [one.leaves for one in film.happenings]
    assert any(leaving), "typing into a masked field a second time says nothing new"
    assert not all(leaving)


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def shown(app: web.Application, count: int) -> AsyncIterator[list[Pair]]:
    """So many pages through a bare relay."""
    async with served(app) as url, ClientSession() as http:
        made = await pairs(http, url, Film(500, 40), count)
        try:
            yield made
        finally:
            await asyncio.gather(*(one.drop() for one in made))


async def test_through_a_bare_relay_everything_comes() -> None:
    async with shown(application(), 3) as made:
        found = await flow(made, 40.0, 1.0, {"driver": os.getpid()})
        again = await flow(made, 40.0, 1.0, {"driver": os.getpid()})
    assert found.missing == again.missing == 0
    assert 0 < len(found.latencies) < found.sent, "of some events nothing is for viewers"
    assert all(0 < one < 60_000 for one in found.latencies)
    assert found.cpu_s["driver"] > 0
    assert found.percent("driver") > 0
    sent, seconds = found.sent, found.seconds
    found.add(again)
    assert (found.sent, found.seconds) == (sent + again.sent, seconds + again.seconds)
    assert len(found.lag_ms) > len(again.lag_ms) > 0


class Leaky(Relay):
    """Loses whatever a tab sends."""

    async def tab(self, request: web.Request) -> web.WebSocketResponse:
        socket = await self._socket(request)
        async for _ in socket:
            pass
        return socket


class Curt(Leaky):
    """Closes upon the first frame of a tab."""

    async def tab(self, request: web.Request) -> web.WebSocketResponse:
        socket = await self._socket(request)
        await socket.receive()
        await socket.close()
        return socket


async def test_what_does_not_come_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_cobrowse_live, "DRAIN_S", 0.0)
    async with shown(application(Leaky()), 1) as made:
        found = await flow(made, 40.0, 1.0, {})
    assert found.missing > 0
    assert found.latencies == []
    with pytest.raises(LoadtestFailed, match="nothing of a page"):
        found.of(95)


async def test_a_page_that_is_cut_off_is_told() -> None:
    async with shown(application(Curt()), 1) as made:
        with pytest.raises(LoadtestFailed, match="a page was cut off"):
            await flow(made, 100.0, 60.0, {})
        with pytest.raises(LoadtestFailed, match="something: the socket was closed"):
            await made[0].tab.until(lambda: False, "something")


async def test_a_slow_line_carries_all_and_no_more_a_second_than_it_should() -> None:
    words = os.urandom(6000)

    ended = asyncio.Event()
    complaints: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readexactly(5)
        writer.write(asked + words)
        await writer.drain()
        await reader.read()
        writer.close()
        await writer.wait_closed()
        ended.set()

    async with await asyncio.start_server(say, "127.0.0.1", 0) as server:
        async with slow_line("127.0.0.1", server.sockets[0].getsockname()[1], 8000.0) as (url, line):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
            begun = time.monotonic()
            writer.write(b"hello")
            assert await reader.readexactly(6005) == b"hello" + words
            assert time.monotonic() - begun >= 0.9 * (6005 - 8000 * EVERY_S) / 8000
            assert line.bytes == 6005
        assert await reader.read() == b"", "it is cut off with the line"
        await ended.wait()
        writer.close()
        await writer.wait_closed()
    assert not complaints, "nor is anything said of whom it cut off"


# ---------------------------------------------------------------- how many


class Steady:
    """A place where everybody comes at once."""

    own = ("server", "sanitiser 0")
    memory = 1

    def __init__(self) -> None:
        self.shown: list[int] = []
        self.pids: dict[str, int] = {}

    async def come(self, count: int) -> None:
        self.shown = list(range(count))


def went(p95_ms: float, cpu_percent: float = 10.0, missing: int = 0) -> Flow:
    cpu_s = {"server": 2 * cpu_percent / 300, "sanitiser 0": cpu_percent / 300, "driver": 0.1}
    return Flow(1.0, 100, missing, [p95_ms] * 20, cpu_s, [1.0])


@pytest.mark.parametrize(
    ("flows", "best", "levels", "by_cpu"),
    [
        ([went(5, 10), went(6, 20), went(7, 25)], 5, {"2", "4", "5"}, 20),
        ([went(5, 10), went(300, 20), went(7, 20), went(400), went(500, 50)], 4, {"2", "4", "5"}, 20),
        ([went(300, 10), went(300, 10), went(5, 20), went(5, 20)], 5, {"2", "4", "5"}, 25),
        ([went(5, 10), went(5, 100)], 2, {"2", "4"}, 20),
        ([went(5, 10), went(5, 20, missing=1)], 2, {"2", "4"}, 20),
        ([went(2000, 50), went(3000, 50)], 0, {"2"}, None),
    ],
)
async def test_how_many_a_core_carries(
    flows: list[Flow], best: int, levels: set[str], by_cpu: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = list[int]()

    async def flow(shown: list[int], rate: float, seconds: float, pids: object) -> Flow:
        counts.append(len(shown))
        return flows.pop(0)

    monkeypatch.setattr(bench_cobrowse_live, "flow", flow)
    found = await bench_cobrowse_live.many(cast("Place", Steady()), Wanted(shares=5, step=2))
    assert flows == [], "each level once, and once more where it was late"
    assert counts == sorted(counts)
    assert found["shares_per_core"] == best
    assert cast("dict[str, object]", found["share_levels"]).keys() == levels
    assert found["shares_per_core_by_cpu"] == by_cpu


# ---------------------------------------------------------------- processes


def test_a_process_that_is_gone_is_told() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    with pytest.raises(LoadtestFailed, match="the server ended meanwhile"):
        cpu_s({"server": process.pid})
    assert cpu_s({"driver": os.getpid()})["driver"] > 0


def test_the_cores_are_given_back() -> None:
    before = os.sched_getaffinity(0)
    with all_cores():
        with one_core():
            assert len(os.sched_getaffinity(0)) == 1
            last = os.sched_getaffinity(0)
        assert len(before) == 1 or not os.sched_getaffinity(0) & last
    assert os.sched_getaffinity(0) == before
