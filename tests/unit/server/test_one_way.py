"""A statement is one way to the database's thread and back, whatever it is."""

import sqlite3
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
