"""The database's log is emptied beside the work: by a connection of its own, and nobody's commit waits for it."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from server.errors import StoreUnavailable
from server.store import checkpoints
from server.store.checkpoints import Checkpoints
from server.store.sql import SqlStore, open_store
from tests.support.records import Records

EVERY = 5


@pytest.fixture
async def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SqlStore]:
    monkeypatch.setattr(checkpoints, "EVERY", 1_000)
    opened = await open_store(f"sqlite:///{tmp_path}/a.db")
    monkeypatch.setattr(checkpoints, "EVERY", EVERY)
    yield opened
    await opened.close()


def without_log(folder: Path) -> int:
    """Audit entries in the database's file alone."""
    alone = folder / "alone.db"
    shutil.copyfile(folder / "a.db", alone)
    connection = sqlite3.connect(alone)
    try:
        return int(connection.execute("SELECT count(*) FROM audit").fetchone()[0])
    finally:
        connection.close()
        alone.unlink()


async def write(store: SqlStore, make: Records, times: int) -> None:
    for _ in range(times):
        async with store.begin() as tx:
            await tx.append_audit(make.event())


async def settled(store: SqlStore) -> None:
    assert store.checkpoints is not None
    await store.checkpoints.settled()


async def emptied(store: SqlStore, folder: Path) -> None:
    """What made the tables is out of the log."""
    assert await store.scrub()
    assert without_log(folder) == 0


async def test_it_is_emptied_after_so_many_commits_and_not_before(store: SqlStore, tmp_path: Path) -> None:
    await emptied(store, tmp_path)
    make = Records()
    await write(store, make, EVERY - 1)
    await settled(store)
    assert without_log(tmp_path) == 0
    await write(store, make, 1)
    await settled(store)
    assert without_log(tmp_path) == EVERY
    size = (tmp_path / "a.db-wal").stat().st_size
    for _ in range(20):
        await write(store, make, EVERY)
        await settled(store)
    assert without_log(tmp_path) == 21 * EVERY
    assert (tmp_path / "a.db-wal").stat().st_size <= 2 * size, "it begins again at the log's start"


async def test_no_commit_does_it_before_the_log_is_far_too_long(store: SqlStore, tmp_path: Path) -> None:
    await emptied(store, tmp_path)
    checkpoints.EVERY = 1_000_000
    make = Records()
    async with store.writer.connect() as connection:
        assert (await connection.execute(text("PRAGMA wal_autocheckpoint"))).scalar() == checkpoints.LAST_PAGES
    for _ in range(3):
        async with store.begin() as tx:
            for _ in range(50):
                await tx.append_audit(make.event(text="x" * 60_000))
    assert (tmp_path / "a.db-wal").stat().st_size > 2 * 1_000 * 4096
    assert without_log(tmp_path) == 0


async def test_a_log_that_readers_hold_is_emptied_once_writers_wait(
    store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "MOST_PAGES", 1)
    await emptied(store, tmp_path)
    make, looks = Records(), []
    real = Checkpoints._checkpoint

    async def watched(self: Checkpoints) -> int:
        left = await real(self)
        looks.append((left > 0, store._lock.locked()))
        return left

    monkeypatch.setattr(Checkpoints, "_checkpoint", watched)
    await write(store, make, 1)
    async with store.read() as tx:
        assert await tx.audit_head() == 1
        await write(store, make, EVERY - 1)
        await settled(store)
        assert looks[-1] == (True, True), "the reader is in the way of it, and writers waited"
        assert await tx.audit_head() == 1
    await write(store, make, EVERY)
    await settled(store)
    assert looks[-1][0] is False
    assert without_log(tmp_path) == 2 * EVERY


async def test_one_that_fails_is_said_and_the_next_one_does_it(
    store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make = Records()
    with monkeypatch.context() as broken:

        async def fails(self: Checkpoints, left: list[int]) -> None:
            raise StoreUnavailable("the database failed: SQLITE_IOERR")

        broken.setattr(Checkpoints, "_passive", fails)
        await write(store, make, EVERY)
        await settled(store)
    assert [record.message for record in caplog.records] == ["the database's log could not be emptied"]
    await write(store, make, EVERY)
    await settled(store)
    assert without_log(tmp_path) == 2 * EVERY


async def test_whoever_scrubs_or_closes_waits_for_the_one_that_runs(store: SqlStore, tmp_path: Path) -> None:
    make = Records()
    for _ in range(10):
        await write(store, make, EVERY)
        assert await store.scrub(), "it would be in the way"
        assert (tmp_path / "a.db-wal").stat().st_size == 0
    await write(store, make, EVERY)
    await store.close()
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "checkpoint"]
    assert without_log(tmp_path) == 11 * EVERY
