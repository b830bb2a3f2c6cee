"""Verification workers are replaced after so many files: by one that is ready before, so that nobody waits for it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from server.config import load
from server.faces import FaceWorkers
from tests.support.engine_pools import engine, there, until
from tests.support.tiny_engine import ALICE, Trap, draw, install
from verification.engine import meter, process
from verification.engine.pool import EnginePool
from verification.errors import EngineLost


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("models")).parent


class Seen(set[int]):
    """The ready workers of a pool, and how few there ever were from now on."""

    def __init__(self, pool: EnginePool) -> None:
        super().__init__(pool._ready)
        self.fewest = len(self)
        pool._ready = self

    def discard(self, worker: int) -> None:
        super().discard(worker)
        self.fewest = min(self.fewest, len(self))


async def test_nobody_waits_for_it(models: Path) -> None:
    """One worker, asked without a pause while it is replaced twice: there is always one that answers."""
    async with engine(models, renew_files=3, pack="tiny") as pool:
        seen, pids = Seen(pool), []
        for renewed in (1, 2):
            pids.append(pool.pids()[0])
            for _ in range(3):
                assert (await pool.quality(draw(ALICE))).width == 160
            meanwhile = 0
            while pool.counts.renewed < renewed:
                assert (await pool.analyse(bytes(960), 20, 16)).faces == 0
                meanwhile += 1
            assert meanwhile > 1
        assert seen.fewest == 1
        assert len({*pids, pool.pids()[0]}) == 3
        assert (pool.counts.restarts, pool.counts.lost, pool.counts.missed) == (0, 0, 0)
    assert not any(there(pid) for pid in pids)


async def test_never_more_than_twice_as_many(models: Path) -> None:
    async with engine(models, renew_files=2, pack="tiny") as pool:
        pid = pool.pids()[0]
        await asyncio.gather(*(pool.quality(draw(ALICE)) for _ in range(5)))
        assert pool.counts.renewed >= 1
        assert pool.pids()[0] != pid
        assert pool.counts.answered == 5


async def test_one_after_the_other_where_there_is_no_memory_for_two(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter, "available_bytes", lambda: 64 << 20)
    async with engine(models, renew_files=2, pack="tiny") as pool:
        seen, pid = Seen(pool), pool.pids()[0]
        assert (await pool.analyse(bytes(960), 20, 16)).faces == 0
        assert (await pool.analyse(bytes(960), 20, 16)).faces == 0
        assert pool.pids()[0] == pid
        await asyncio.gather(*(pool.quality(draw(ALICE)) for _ in range(3)))  # the third waited
        await until(pool, lambda: pool.counts.ready == 0)
        assert (await pool.quality(draw(ALICE))).width == 160
        assert not there(pid)
        assert seen.fewest == 0
        assert (pool.counts.renewed, pool.counts.restarts, pool.counts.lost) == (1, 0, 0)


async def test_a_pack_that_was_exchanged_is_used_from_the_next_start_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The one at work keeps what it loaded, and is replaced as soon as that is there again."""
    file = install(tmp_path)
    good = file.read_bytes()
    async with engine(tmp_path, renew_files=2, pack="tiny") as pool:
        pid = pool.pids()[0]
        file.write_bytes(b"tampered" + good)
        for _ in range(2):
            await pool.quality(draw(ALICE))
        while "has no successor" not in caplog.text:
            await pool.analyse(bytes(960), 20, 16)
        for _ in range(8):
            assert (await pool.quality(draw(ALICE))).width == 160
        assert (pool.pids()[0], pool.counts.renewed, pool.counts.restarts) == (pid, 0, 0)
        file.write_bytes(good)
        while not pool.counts.renewed:
            await pool.quality(draw(ALICE))
        assert pool.pids()[0] != pid
        assert pool.counts.lost == 0


async def test_a_successor_that_cannot_start(
    models: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """For another reason: the one at work goes on, but not for ever; it is tried again."""
    async with engine(models, renew_files=20, pack="tiny") as pool:
        pid = pool.pids()[0]
        real = process.WorkerProcess.start
        failed: list[int] = []

        async def start(*words: Any) -> process.WorkerProcess:
            if len(failed) < 2:
                failed.append(1)
                raise OSError("no process")
            return await real(*words)

        monkeypatch.setattr(process.WorkerProcess, "start", start)
        for _ in range(20):
            await pool.quality(draw(ALICE))
        while not pool.counts.renewed:
            assert (await pool.quality(draw(ALICE))).width == 160
        assert len(failed) == 2
        assert caplog.text.count("has no successor") == 2
        assert pool.counts.answered <= 41
        assert pool.pids()[0] != pid
        assert (pool.counts.restarts, pool.counts.lost) == (0, 0)


async def test_one_that_dies_is_followed_by_the_successor_that_is_about_to_be(models: Path) -> None:
    async with engine(models, renew_files=1) as pool:
        first = pool.pids()[0]
        await pool.quality(draw(ALICE))
        await until_following(pool)
        (successor,) = (worker.process.pid for worker in pool._following)
        with pytest.raises(EngineLost):
            await pool.quality(draw(Trap.CRASH.value))
        await until(pool, lambda: pool.counts.ready == 1)
        assert pool.pids()[0] == successor
        assert (await pool.quality(draw(ALICE))).width == 160
        assert (pool.counts.died, pool.counts.restarts, pool.counts.renewed) == (1, 1, 0)
    assert not there(first)
    assert not there(successor)


async def test_what_becomes_of_a_successor_that_is_not_needed(models: Path) -> None:
    async with engine(models, renew_files=1) as pool:
        await pool.quality(draw(ALICE))
        await until_following(pool)
        pids = [worker.process.pid for worker in pool._everyone()]
    assert len(pids) == 2
    assert not any(there(pid) for pid in pids)


async def test_one_that_is_gone_before_its_successor_is_begun(models: Path) -> None:
    async with engine(models, renew_files=2, pack="tiny") as pool:
        worker = pool._workers[0]
        worker.files = 2 - 1
        await pool.quality(draw(ALICE))
        worker.gone("memory")
        await until(pool, lambda: pool.counts.restarts == 1 and pool.counts.ready == 1)
        assert not pool._renewing
        for _ in range(2):
            await pool.quality(draw(ALICE))
        while not pool.counts.renewed:
            await pool.analyse(bytes(960), 20, 16)


@pytest.mark.parametrize("room", [True, False])
async def test_the_server_gives_every_answer(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: bool) -> None:
    """Also the last one of a worker, also while it is replaced."""
    if not room:
        monkeypatch.setattr(meter, "available_bytes", lambda: 0)
    async with engine(models, renew_files=2, pack="tiny") as pool:
        faces = FaceWorkers(load(environment={}, overrides={"data_dir": str(tmp_path)}), pool)
        while pool.counts.renewed < 2:
            assert faces.readiness.ready
            assert (await faces.compare(draw(ALICE), draw(ALICE), fmr=None)).match
        assert (pool.counts.lost, pool.counts.restarts) == (0, 0)


async def until_following(pool: EnginePool) -> None:
    async with asyncio.timeout(60):
        while not pool._following:
            await pool.analyse(bytes(960), 20, 16)
