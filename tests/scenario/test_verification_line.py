"""Calls of verification workers: their line, what ends one and what does not, a start and an end."""

import asyncio
import contextlib
import os
import signal
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine_pools import at_work, engine, there, until, works_again
from tests.support.tiny_engine import ALICE, COMMAND, Trap, card, draw, install
from verification.engine.crew import Job
from verification.engine.messages import Embed
from verification.engine.pool import EngineConfig, EnginePool
from verification.engine.process import Allowance
from verification.errors import DeadlineMissed, EngineBusy, EngineLost, HashMismatch, ProviderMissing, VerificationError
from verification.ports import StepWork


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("models")).parent


async def test_a_full_line_and_calls_that_are_late(models: Path) -> None:
    slow = draw(Trap.SLOW.value)
    async with engine(models, max_waiting=2, deadline_s=60.0) as pool:
        first = asyncio.create_task(pool.quality(slow))
        await at_work(pool)
        second, third = (asyncio.create_task(pool.quality(slow)) for _ in range(2))
        await asyncio.sleep(0)
        with pytest.raises(EngineBusy):
            await pool.quality(draw(ALICE))
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        fourth = asyncio.create_task(pool.quality(draw(ALICE)))
        assert [examined.width for examined in await asyncio.gather(first, third, fourth)] == [160, 160, 160]
        assert (pool.counts.busy, pool.counts.waiting, pool.counts.restarts) == (1, 0, 0)
    async with engine(models, deadline_s=0.3) as pool:
        late = [asyncio.create_task(pool.quality(slow)) for _ in range(3)]
        for call in late:
            with pytest.raises(DeadlineMissed):
                await call
        await until(pool, lambda: pool.counts.working == 0)
        assert (pool.counts.missed, pool.counts.restarts) == (3, 0)  # a caller who has no time is no reason to end a worker
        while True:
            with contextlib.suppress(DeadlineMissed):  # a busy machine may take longer
                assert (await pool.quality(draw(ALICE))).width == 160
                break


async def test_a_live_picture_waits_for_one_picture_of_a_file_and_no_more(models: Path) -> None:
    """Whoever sends many at once to the only worker does not make an attempt late; and nothing is refused in the middle."""
    slow = draw(Trap.SLOW.value)
    frame = bytes(3 * 160 * 120)
    async with engine(models, max_waiting=1, deadline_s=60.0) as pool:
        whole = asyncio.create_task(pool.liveness([slow] * 6))
        await at_work(pool)
        waits = asyncio.create_task(pool.quality(slow))
        await asyncio.sleep(0)
        seen = await pool.analyse(frame, 160, 120, pad=False)
        assert (seen.width, whole.done(), waits.done()) == (160, False, False)
        assert len((await whole).frames) == 6
        assert (await waits).width == 160
        assert pool.counts.busy == 0
    async with engine(models, deadline_s=1.2) as pool:
        with pytest.raises(DeadlineMissed):  # the time of one call, however many it is made of
            await pool.liveness([slow] * 32)


async def test_a_worker_that_is_kept_waiting_does_not_hang(models: Path) -> None:
    """Processor time is what its work may take: on a machine with much to do the clock says nothing about it. Both are told."""
    async with engine(models, work_s=1.0) as pool:
        call = asyncio.create_task(pool.quality(draw(Trap.SLOW.value)))
        await at_work(pool)
        os.kill(pool.pids()[0], signal.SIGSTOP)
        assert await asyncio.wait({call}, timeout=1.5) == (set(), {call})
        os.kill(pool.pids()[0], signal.SIGCONT)
        assert (await call).width == 160
        counts = pool.counts
        assert (counts.killed_hung, counts.restarts) == (0, 0)
        assert counts.work_wall_s >= 1.5 > counts.work_cpu_s
        assert counts.steps == {"quality": StepWork(1, counts.work_wall_s, counts.work_cpu_s)}
        if sys.platform == "linux":
            assert counts.work_cpu_s > 0
        await pool.compare(draw(ALICE), draw(ALICE))
        assert {name: step.calls for name, step in pool.counts.steps.items()} == {"quality": 1, "compare": 1}
        assert pool.counts_of == {"faces": pool.counts}


async def test_an_ordinary_mistake_costs_only_its_own_call(models: Path) -> None:
    async with engine(models) as pool:
        with pytest.raises(EngineLost, match="RuntimeError"):
            await pool.quality(draw(Trap.FAIL.value))
        assert (await pool.quality(draw(ALICE))).quality.good
        assert (pool.counts.restarts, pool.counts.lost) == (0, 1)


async def test_one_of_two_is_enough(models: Path) -> None:
    async with engine(models, workers=2, work_s=2.0) as pool:
        assert len(set(pool.pids().values())) == 2
        stuck = asyncio.create_task(pool.quality(draw(Trap.HANG.value)))
        await at_work(pool)
        for _ in range(5):
            assert (await pool.compare(draw(ALICE), draw(ALICE))).comparison.match
        assert not stuck.done()
        with pytest.raises(EngineLost):
            await stuck
        await pool.wait_ready(2)


async def test_it_closes_with_what_is_at_work_done_and_nothing_left(models: Path) -> None:
    async with engine(models) as pool:
        pids = list(pool.pids().values())
        at_it = asyncio.create_task(pool.quality(draw(Trap.SLOW.value)))
        await at_work(pool)
        waits = asyncio.create_task(pool.quality(draw(ALICE)))
        await asyncio.sleep(0)
    assert (await at_it).width == 160
    with pytest.raises(EngineLost):
        await waits
    with pytest.raises(EngineLost):
        await pool.quality(draw(ALICE))
    assert not any(there(pid) for pid in pids)


def test_the_loop_that_the_server_runs_on(models: Path) -> None:
    async def run() -> None:
        async with engine(models) as pool:
            with pytest.raises(EngineLost):
                await pool.quality(draw(Trap.CRASH.value))
            await works_again(pool)

    pytest.importorskip("uvloop").run(run())


async def test_a_start_that_is_given_up(models: Path) -> None:
    pool = EnginePool(EngineConfig(pack="tiny", models_dir=models, command=COMMAND))
    starting = asyncio.create_task(pool.start())
    await until(pool, lambda: bool(pool.pids()))
    pid = pool.pids()[0]
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert not there(pid)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"pack": "unknown"}, HashMismatch),
        ({"providers": ("cuda",)}, ProviderMissing),
        ({"command": ("/nonexistent",), "ready_timeout_s": 1.0}, EngineLost),
        ({"command": (sys.executable, "-c", "pass"), "ready_timeout_s": 1.0}, EngineLost),
    ],
)
async def test_what_cannot_start_says_why(models: Path, changes: dict[str, Any], error: type[VerificationError]) -> None:
    with pytest.raises(error):
        async with engine(models, **changes):
            pass


async def test_documents_have_workers_and_a_line_of_their_own(models: Path) -> None:
    async with engine(models) as pool:
        assert not pool.pack.reads_documents
        with pytest.raises(EngineLost, match="no documents are read here"):
            await pool.document(card(ALICE), today=date(2026, 11, 22))
    async with engine(models, document_workers=1, work_s=2.0) as pool:
        stuck = asyncio.create_task(pool.quality(draw(Trap.HANG.value)))
        assert (await pool.document(card(ALICE), today=date(2026, 11, 22))).reading.accepted
        assert pool.pack.reads_documents
        os.kill(pool.readers.pids()[0], signal.SIGKILL)
        await until(pool.readers, lambda: pool.readers.counts.ready == 0)
        with pytest.raises(EngineLost):
            await stuck
        await pool.readers.wait_ready()
        assert (await pool.document(card(ALICE), today=date(2026, 11, 22))).reading.accepted
        await works_again(pool)


@pytest.mark.parametrize(
    "changes",
    [
        {"document_workers": -1},
        {"workers": 0},
        {"threads": 0},
        {"max_waiting": 0},
        {"work_s": 0.0},
        {"stall_s": 0.0},
        {"renew_files": 0},
        {"ping_s": -1.0},
    ],
)
def test_what_cannot_be_configured(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"at least one|more than 0"):
        EngineConfig(**changes)


async def test_a_call_shows_nothing_of_its_pictures() -> None:
    """Not in a log, and not at the price of writing a picture out as text: that took longer than looking at it."""
    job = Job(Embed(1, (7,)), (b"a-face!",), Allowance(1, 1), asyncio.get_running_loop().create_future())
    assert "face" not in repr(job)
