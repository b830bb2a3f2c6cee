"""Verification workers as real processes: dead, hung, out of memory, with a model that is not theirs.

Campaign 11 in its short form: whatever happens to a worker, the call that it had fails and says so. Nobody is accepted by an accident.
"""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.support.engine_pools import BACK_S, at_work, engine, until, works_again
from tests.support.machine import quick_or_skip
from tests.support.tiny_engine import ALICE, COMMAND, Trap, draw, install, model
from verification.engine.crew import Job
from verification.engine.messages import Compare, Embed
from verification.engine.pool import EngineConfig, EnginePool
from verification.engine.process import Allowance
from verification.errors import EngineLost, HashMismatch


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("models")).parent


@pytest.mark.quiet
@pytest.mark.campaign(11)
async def test_killed_at_work_and_while_it_waits(models: Path) -> None:
    async with engine(models) as pool:
        call = asyncio.create_task(pool.compare(draw(Trap.SLOW.value), draw(Trap.SLOW.value)))
        await at_work(pool)
        began = time.monotonic()
        os.kill(pool.pids()[0], signal.SIGKILL)
        with pytest.raises(EngineLost):
            async with asyncio.timeout(60):
                await call
        failed_s = time.monotonic() - began
        back_s = [await works_again(pool)]
        os.kill(pool.pids()[0], signal.SIGKILL)
        await until(pool, lambda: pool.counts.ready == 0)
        back_s.append(await works_again(pool))
        assert (pool.counts.died, pool.counts.restarts, pool.counts.lost) == (2, 2, 1)
        quick_or_skip(failed_s <= 1 and max(back_s) <= BACK_S, (failed_s, back_s))


@pytest.mark.campaign(11)
async def test_stopped_at_work_and_while_it_waits(models: Path) -> None:
    async with engine(models, stall_s=3.0, pong_timeout_s=3.0) as pool:
        call = asyncio.create_task(pool.match((await pool.embed(draw(ALICE))).template, draw(ALICE)))
        os.kill(pool.pids()[0], signal.SIGSTOP)
        with pytest.raises(EngineLost):
            await call
        await works_again(pool)
        os.kill(pool.pids()[0], signal.SIGSTOP)
        await until(pool, lambda: pool.counts.ready == 0)
        await works_again(pool)
        assert pool.counts.killed_hung == 2


@pytest.mark.campaign(11)
async def test_a_call_of_several_pictures(models: Path) -> None:
    """Each has its own time; a worker that hangs at one is not waited for as long as all may take, and whoever does not wait any more takes none of it."""
    slow = draw(Trap.SLOW.value)
    async with engine(models, work_s=1.5, stall_s=3.0) as pool:
        assert len((await pool.liveness([slow] * 4)).frames) == 4  # two seconds
        left = asyncio.create_task(pool.liveness([slow] * 32))
        await at_work(pool)
        left.cancel()
        await until(pool, lambda: pool.counts.working == 0)
        assert pool.counts.work_cpu_s < 8
        assert pool.counts.restarts == 0
        stuck = asyncio.create_task(pool.liveness([slow] * 32))
        await at_work(pool)
        os.kill(pool.pids()[0], signal.SIGSTOP)
        with pytest.raises(EngineLost):
            async with asyncio.timeout(32 * 1.5 / 2):
                await stuck
        assert pool.counts.killed_hung == 1


async def test_what_cannot_be_asked_costs_no_worker(models: Path, caplog: pytest.LogCaptureFixture) -> None:
    good = draw(ALICE)
    async with engine(models) as pool:
        with pytest.raises(ValueError, match="false match rate"):
            await pool.compare(good, good, fmr=0.5)
        template = (await pool.embed(good)).template
        for nearly in (np.float64(1e-3), np.float32(1e-3)):
            assert (await pool.compare(good, good, fmr=nearly)).comparison.fmr == 1e-3  # type: ignore[arg-type]
            assert (await pool.match(template, good, fmr=nearly)).comparison.fmr == 1e-3  # type: ignore[arg-type]
        gone = memoryview(bytes(960))
        gone.release()
        with pytest.raises(ValueError, match="released"):
            await pool.analyse(gone, 20, 16)
        with pytest.raises(TypeError):
            await pool.quality([7])  # type: ignore[arg-type]
        loop = asyncio.get_running_loop()
        strange = Compare(90, (1, 1), np.float32(1e-3))  # type: ignore[arg-type]
        jobs = [
            Job(Embed(91, (7,)), (), Allowance(1, 1), loop.create_future()),
            Job(strange, (b"xx",), Allowance(1, 1), loop.create_future()),
        ]
        for restarts, job in enumerate(jobs):  # a mistake of ours that nobody has made yet
            pool._waiting.join(job, live=False)
            pool._more.set()
            with pytest.raises(EngineLost):
                await job.answer
            assert (await pool.quality(good)).width == 160
            assert (pool.counts.restarts, pool.counts.died) == (restarts, restarts)
        assert "error of the server" in caplog.text


@pytest.mark.campaign(11)
@pytest.mark.parametrize(
    ("traps", "work_s"),
    [
        ([(Trap.HANG, "killed_hung")], 1.5),
        (
            [(Trap.GROW, "killed_memory"), (Trap.BLOAT, "killed_memory"), (Trap.CRASH, "died"), (Trap.SPAWN, "killed_threads")],
            60,
        ),
    ],
)
async def test_a_picture_that_does_harm(models: Path, traps: list[tuple[Trap, str]], work_s: float) -> None:
    async with engine(models, work_s=work_s) as pool:
        template = (await pool.embed(draw(ALICE))).template
        for trap, counted in traps:
            harmful = draw(trap.value)
            before = getattr(pool.counts, counted)
            with pytest.raises(EngineLost):
                await (pool.match(template, harmful) if trap is Trap.CRASH else pool.compare(harmful, harmful))
            await works_again(pool)
            assert getattr(pool.counts, counted) == before + 1
        if traps[0][0] is Trap.HANG and sys.platform == "linux":
            assert pool.counts.work_cpu_s >= work_s
        assert pool.counts.lost == len(traps)
        assert pool.counts.answered == 1 + 2 * len(traps)


@pytest.mark.campaign(11)
async def test_a_model_with_a_wrong_hash_refuses_to_start(tmp_path: Path) -> None:
    file = install(tmp_path)
    good = file.read_bytes()
    file.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    pool = EnginePool(EngineConfig(pack="tiny", models_dir=tmp_path, command=COMMAND))
    with pytest.raises(HashMismatch, match=r"tiny\.onnx is not the file that the manifest names"):
        await pool.start()
    with pytest.raises(EngineLost):
        await pool.compare(draw(ALICE), draw(ALICE))
    with pytest.raises(EngineLost):
        _ = pool.pack


@pytest.mark.campaign(11)
async def test_a_model_that_is_changed_behind_its_back(tmp_path: Path) -> None:
    file = install(tmp_path)
    good = file.read_bytes()
    async with engine(tmp_path, refused_s=0.2) as pool:
        file.write_bytes(b"tampered" + good)
        os.kill(pool.pids()[0], signal.SIGKILL)
        await until(pool, lambda: pool.counts.ready == 0)
        with pytest.raises(EngineLost):
            await pool.compare(draw(ALICE), draw(ALICE))
        with pytest.raises(HashMismatch):
            await pool.wait_ready()
        with pytest.raises(EngineLost, match="pack_hash_mismatch"):
            await pool.compare(draw(ALICE), draw(ALICE))
        file.write_bytes(good)
        await until(pool, lambda: pool.counts.ready == 1)
        await works_again(pool)


@pytest.mark.campaign(11)
async def test_another_pack_than_decisions_were_made_with(tmp_path: Path) -> None:
    file = install(tmp_path)
    async with engine(tmp_path) as pool:
        (tmp_path / "tiny.sha256").write_text("0" * 64)
        file.write_bytes(model())
        os.kill(pool.pids()[0], signal.SIGKILL)
        await until(pool, lambda: pool.counts.ready == 0)
        with pytest.raises(HashMismatch):
            await pool.wait_ready()
    install(tmp_path)
    with pytest.raises(HashMismatch, match="not the one that decisions were made with"):
        async with engine(tmp_path, pack_hash="ab" * 32):
            pass
