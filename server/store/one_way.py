"""SQLite statements in one go: a statement, its rows and the end of its cursor are one way to the database's thread and back.

The driver (aiosqlite) takes a way for each: a cursor, the statement, its rows, the cursor's end. On a machine that has much to do each of them waits to
be scheduled, twice, while the write lock is held. What nobody awaits an answer to (``later``) goes along with the next statement, or with the commit.
"""

import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import aiosqlite
import sqlalchemy
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
    _later: deque[tuple[str, Sequence[Any]]]
    _settled = True
    """Nothing was run since the last commit or rollback."""

    def cursor(self) -> Cursor:  # type: ignore[override]
        return Cursor(self)

    async def run(self, many: bool, sql: str, parameters: Iterable[Any]) -> tuple[Any, int, int | None, list[Any]]:
        found: tuple[Any, int, int | None, list[Any]] = await self._go(_whole, many, sql, parameters)
        return found

    def later(self, sql: str, parameters: Sequence[Any]) -> None:
        """Before whatever is run next, or in the commit; a rollback forgets it. Where it fails, so does that, by OperationalError, and the commit."""
        self._settled = False
        self._later.append((sql, parameters))

    async def commit(self) -> None:
        """Where it fails nothing of the transaction is left."""
        self._settled = False
        await self._execute(_committed, self._conn, self._later)  # type: ignore[no-untyped-call]
        self._settled = True

    async def rollback(self) -> None:
        if not self._settled:
            await self._execute(_undone, self._conn, self._later)  # type: ignore[no-untyped-call]
            self._settled = True

    async def _go(self, function: Callable[..., Any], *arguments: Any) -> Any:
        self._settled = False
        if self._later:
            return await self._execute(_after, self._later, function, self._conn, *arguments)  # type: ignore[no-untyped-call]
        return await self._execute(function, self._conn, *arguments)  # type: ignore[no-untyped-call]


def _after(later: deque[tuple[str, Sequence[Any]]], function: Callable[..., Any], *arguments: Any) -> Any:
    """In the database's thread."""
    _caught_up(arguments[0], later)
    return function(*arguments)


def _caught_up(connection: sqlite3.Connection, later: deque[tuple[str, Sequence[Any]]]) -> None:
    while later:
        try:
            connection.execute(*later[0]).close()
        except sqlite3.Error as exc:
            error = sqlite3.OperationalError("what was to be run before")
            error.sqlite_errorname = getattr(exc, "sqlite_errorname", type(exc).__name__)
            raise error from exc
        later.popleft()


def _committed(connection: sqlite3.Connection, later: deque[tuple[str, Sequence[Any]]]) -> None:
    try:
        _caught_up(connection, later)
        connection.commit()
    except BaseException:
        _undone(connection, later)
        raise


def _undone(connection: sqlite3.Connection, later: deque[tuple[str, Sequence[Any]]]) -> None:
    """In the database's thread, behind whatever still runs there."""
    later.clear()
    connection.rollback()


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
    made._later = deque()
    made._thread.daemon = True  # as SQLAlchemy has it: a loop that is gone must not keep the process
    return made


def begin(statement: str) -> Callable[[sqlalchemy.Connection], None]:
    """For the event ``begin`` of an engine: with the transaction's first statement."""

    def begun(connection: sqlalchemy.Connection) -> None:
        driver = connection.connection.driver_connection
        assert isinstance(driver, Connection)
        driver.later(statement, ())

    return begun


def use(dialect: Dialect, record: ConnectionPoolEntry, arguments: Any, options: dict[str, Any]) -> None:
    """For the event ``do_connect`` of an engine."""
    del dialect, record, arguments
    options["async_creator_fn"] = connect
