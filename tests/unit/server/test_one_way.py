"""A statement is one way to the database's thread and back, whatever it is."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import create_async_engine

from server.store import one_way


async def test_one_way_for_each_statement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ways: list[str] = []
    whole = one_way._whole

    def counted(connection: sqlite3.Connection, many: bool, sql: str, parameters: Any) -> Any:
        ways.append(sql.split()[0])
        return whole(connection, many, sql, parameters)

    execute = one_way.Connection._execute

    async def watched(self: one_way.Connection, function: Any, *arguments: Any, **named: Any) -> Any:
        if function is not counted:
            ways.append(getattr(function, "__name__", "other"))
        return await execute(self, function, *arguments, **named)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(one_way, "_whole", counted)
    monkeypatch.setattr(one_way.Connection, "_execute", watched)
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/a.db")
    event.listen(engine.sync_engine, "do_connect", one_way.use)
    try:
        async with engine.connect() as connection:
            await connection.execute(text("CREATE TABLE t (id INTEGER PRIMARY KEY, word TEXT UNIQUE)"))
            ways.clear()
            await connection.execute(text("INSERT INTO t (word) VALUES (:word)"), [{"word": "a"}, {"word": "b"}])
            changed = await connection.execute(text("UPDATE t SET word = 'c' WHERE word = 'b'"))
            found = (await connection.execute(text("SELECT id, word FROM t ORDER BY id"))).mappings().all()
            none = (await connection.execute(text("SELECT id FROM t WHERE id > 5"))).mappings().all()
            assert changed.rowcount == 1
            assert [dict(one) for one in found] == [{"id": 1, "word": "a"}, {"id": 2, "word": "c"}]
            assert none == []
            assert ways == ["INSERT", "UPDATE", "SELECT", "SELECT"]
            with pytest.raises(IntegrityError):
                await connection.execute(text("INSERT INTO t (word) VALUES ('a')"))
            with pytest.raises(OperationalError):
                await connection.execute(text("SELECT nothing FROM nowhere"))
            assert (await connection.execute(text("SELECT count(*) FROM t"))).scalar() == 2, "it goes on"
    finally:
        await engine.dispose()


@pytest.fixture
async def driver(tmp_path: Path) -> AsyncIterator[one_way.Connection]:
    made = one_way.connect(f"{tmp_path}/a.db", isolation_level=None)
    await made
    await made.run(False, "CREATE TABLE t (id INTEGER PRIMARY KEY, word TEXT UNIQUE NOT NULL)", ())
    await made.commit()
    yield made
    await made.close()


async def words(path: Path) -> list[str]:
    """As another connection sees them."""
    other = sqlite3.connect(f"{path}/a.db")
    try:
        return [word for (word,) in other.execute("SELECT word FROM t ORDER BY id")]
    finally:
        other.close()


def ways_of(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    ways, execute = list[str](), one_way.Connection._execute

    async def watched(self: one_way.Connection, function: Any, *arguments: Any, **named: Any) -> Any:
        ways.append(function.__name__)
        return await execute(self, function, *arguments, **named)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(one_way.Connection, "_execute", watched)
    return ways


NEW = "INSERT INTO t (word) VALUES (?)"


async def test_what_nobody_waits_for_goes_with_the_next_statement_or_the_commit(
    driver: one_way.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways = ways_of(monkeypatch)
    driver.later("BEGIN IMMEDIATE", ())
    driver.later(NEW, ["a"])
    assert ways == []
    assert (await driver.run(False, "SELECT word FROM t", ()))[3] == [("a",)]
    driver.later(NEW, ["b"])
    assert await words(tmp_path) == []
    await driver.commit()
    assert await words(tmp_path) == ["a", "b"]
    assert len(ways) == 2
    await driver.rollback()
    assert len(ways) == 2, "there is nothing to take back"


async def test_what_a_rollback_takes_back_is_never_run(driver: one_way.Connection, tmp_path: Path) -> None:
    driver.later("BEGIN IMMEDIATE", ())
    await driver.run(False, NEW, ["a"])
    driver.later(NEW, ["b"])
    await driver.rollback()
    await driver.commit()
    assert await words(tmp_path) == []
    assert (await driver.run(False, "SELECT count(*) FROM t", ()))[3] == [(0,)]


async def test_where_it_fails_nothing_is_committed(driver: one_way.Connection, tmp_path: Path) -> None:
    await driver.run(False, NEW, ["a"])
    driver.later("BEGIN IMMEDIATE", ())
    driver.later(NEW, ["b"])
    driver.later(NEW, ["a"])
    with pytest.raises(sqlite3.OperationalError) as failed:
        await driver.run(False, NEW, ["c"])
    assert failed.value.sqlite_errorname == "SQLITE_CONSTRAINT_UNIQUE"
    with pytest.raises(sqlite3.OperationalError):  # also for whoever took no notice
        await driver.commit()
    await driver.rollback()
    assert await words(tmp_path) == ["a"]
    await driver.run(False, NEW, ["c"])
    assert await words(tmp_path) == ["a", "c"]


async def test_a_statement_that_fails_by_itself_takes_nothing_along(driver: one_way.Connection, tmp_path: Path) -> None:
    driver.later("BEGIN IMMEDIATE", ())
    driver.later(NEW, ["a"])
    with pytest.raises(sqlite3.IntegrityError):
        await driver.run(False, NEW, ["a"])
    await driver.commit()
    assert await words(tmp_path) == ["a"]
