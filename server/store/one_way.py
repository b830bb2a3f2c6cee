"""SQLite statements in one go: a statement, its rows and the end of its cursor are one way to the database's thread and back.

The driver (aiosqlite) takes a way for each: a cursor, the statement, its rows, the cursor's end. On a machine that has much to do each of them waits to
be scheduled, twice, while the write lock is held.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import aiosqlite
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.pool import ConnectionPoolEntry

_CHUNK = 64
"""Of the driver's own iteration over rows, which nobody does here."""


class Cursor:
    """As far as SQLAlchemy asks for one. All rows of a statement are here when it has run."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.description: Sequence[Any] | None = None
        self.rowcount, self.arraysize = -1, 1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> "Cursor":
        return self

    async def execute(self, sql: str, parameters: Iterable[Any] = ()) -> "Cursor":
        return await self._run(False, sql, parameters)

    async def executemany(self, sql: str, parameters: Iterable[Iterable[Any]]) -> "Cursor":
        return await self._run(True, sql, parameters)

    async def _run(self, many: bool, sql: str, parameters: Iterable[Any]) -> "Cursor":
        self.description, self.rowcount, self.lastrowid, self._rows = await self._connection.run(many, sql, parameters)
        return self

    async def fetchall(self) -> list[Any]:
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        self._rows = []


class Connection(aiosqlite.Connection):
    def cursor(self) -> Cursor:  # type: ignore[override]
        return Cursor(self)

    async def run(self, many: bool, sql: str, parameters: Iterable[Any]) -> tuple[Any, int, int | None, list[Any]]:
        found: tuple[Any, int, int | None, list[Any]] = await self._execute(_whole, self._conn, many, sql, parameters)  # type: ignore[no-untyped-call]
        return found


def _whole(
    connection: sqlite3.Connection, many: bool, sql: str, parameters: Iterable[Any]
) -> tuple[Any, int, int | None, list[Any]]:
    """In the database's thread: description, rows changed, the last row's number, rows."""
    cursor = connection.cursor()
    try:
        (cursor.executemany if many else cursor.execute)(sql, parameters)  # type: ignore[arg-type]
        rows = cursor.fetchall() if cursor.description else []
        return cursor.description, cursor.rowcount, cursor.lastrowid, rows
    finally:
        cursor.close()


def connect(database: str, **options: Any) -> Connection:
    """As ``aiosqlite.connect``; await it."""
    made = Connection(partial(sqlite3.connect, database, **options), _CHUNK)
    made._thread.daemon = True  # as SQLAlchemy has it: a loop that is gone must not keep the process
    return made


def use(dialect: Dialect, record: ConnectionPoolEntry, arguments: Any, options: dict[str, Any]) -> None:
    """For the event ``do_connect`` of an engine."""
    del dialect, record, arguments
    options["async_creator_fn"] = connect
