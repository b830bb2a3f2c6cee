"""Statements that are the same each time, on SQLite: SQLAlchemy writes their text once, and then values, text and rows go straight to the driver.

What SQLAlchemy does for each execution (a context, a result and its metadata, a greenlet) takes some four times as long as SQLite needs for one row. Types are its own either way:
a value is stored and read as it would be by SQLAlchemy.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Executable, Select
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import ClauseElement

from server.store.one_way import Connection

_DIALECT = SQLiteDialect_aiosqlite()
_MOST = 500
"""Far more than there are."""
_Process = Callable[[Any], Any] | None


class Written:
    """``statement`` in SQL. ``names``: of the values that it is given; a bound value that is not among them is the statement's own.
    Raises TypeError where they are not what it asks for."""

    def __init__(self, statement: ClauseElement, names: Sequence[str]) -> None:
        compiled = statement.compile(dialect=_DIALECT, column_keys=list(names))
        self.sql = str(compiled)
        self._values: list[tuple[str, Any, _Process]] = []
        for name in compiled.positiontup or ():  # type: ignore[attr-defined]
            bound = compiled.binds[name]  # type: ignore[attr-defined]
            own = None if bound.key in names else bound.effective_value
            if bound.required and bound.key not in names:
                raise TypeError(f"no value for {bound.key}")
            self._values.append((bound.key, own, bound.type.dialect_impl(_DIALECT).bind_processor(_DIALECT)))
        if unknown := set(names) - {name for name, _, _ in self._values}:
            raise TypeError(f"values that the statement has no place for: {sorted(unknown)}")
        self._columns: list[tuple[str, _Process]] = []
        if isinstance(statement, Select):
            self._columns = [
                (column.name, column.type.dialect_impl(_DIALECT).result_processor(_DIALECT, None))
                for column in statement.selected_columns
            ]

    def bound(self, values: Mapping[str, Any]) -> list[Any]:
        """In the order of the question marks."""
        found: list[Any] = []
        for name, own, process in self._values:
            value = values.get(name, own)
            found.append(value if process is None else process(value))
        return found

    def read(self, row: Sequence[Any]) -> dict[str, Any]:
        """Raises ValueError, TypeError for a value that its column's type cannot be."""
        return {
            name: value if process is None else process(value)
            for (name, process), value in zip(self._columns, row, strict=True)
        }


@lru_cache(_MOST)
def written(statement: ClauseElement, names: tuple[str, ...]) -> Written:
    """By the statement object: it must be one that is kept."""
    return Written(statement, names)


def driver_of(connection: AsyncConnection) -> Connection | None:
    """None where it is not SQLite."""
    if connection.dialect.name != "sqlite" or connection.sync_connection is None:
        return None
    driver = connection.sync_connection.connection.driver_connection
    return driver if isinstance(driver, Connection) else None


async def rows(driver: Connection, statement: Executable, values: Mapping[str, Any]) -> Callable[[], list[dict[str, Any]]]:
    """What reads them: each column → value; it raises ValueError or TypeError for a value that its column's type cannot be. Raises sqlite3.Error."""
    made, (_, found) = await _run(driver, statement, values)
    return lambda: [made.read(row) for row in found]


async def change(driver: Connection, statement: Executable, values: Mapping[str, Any]) -> int:
    """Rows changed. Raises sqlite3.Error."""
    _, (changed, _) = await _run(driver, statement, values)
    return changed


def later(driver: Connection, statement: Executable, values: Mapping[str, Any]) -> None:
    """``change`` with the next statement or the commit, which fails where it does."""
    assert isinstance(statement, ClauseElement)
    made = written(statement, tuple(values))
    driver.later(made.sql, made.bound(values))


async def _run(driver: Connection, statement: Executable, values: Mapping[str, Any]) -> tuple[Written, tuple[int, list[Any]]]:
    assert isinstance(statement, ClauseElement)
    made = written(statement, tuple(values))
    bound = made.bound(values)
    try:
        _, changed, _, found = await driver.run(False, made.sql, bound)
    except UnicodeError:
        raise
    except ValueError as exc:  # the driver's word for a connection that is closed
        raise sqlite3.OperationalError(type(exc).__name__) from exc
    return made, (changed, found)
