"""What the parts of ``sql_transaction.SqlTransaction`` need of it."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Executable, Select, Table, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from server.store.codec import check_record
from server.store.rows import Row, from_row, to_row

_Record = TypeVar("_Record", bound=msgspec.Struct)


# Made once: to build a statement takes as long as to run it.


@cache
def _by_key(table: Table) -> Select[Any]:
    [key] = table.primary_key.columns
    return select(table).where(key == bindparam("key_"))


@cache
def _in_place(table: Table, names: tuple[str, ...], *, postgres: bool) -> Executable:
    made = postgresql.insert(table) if postgres else sqlite.insert(table)
    key = [column.name for column in table.primary_key.columns]
    return made.on_conflict_do_update(index_elements=key, set_={name: made.excluded[name] for name in names if name not in key})


class RowAccess:
    _savepoints: bool  # a PostgreSQL, not SQLite

    async def _put(self, table: Table, record: msgspec.Struct) -> None:
        """In place of the one with its primary key, if there is one; it must belong to nothing else."""
        self._check_writable()
        check_record(record)
        row = to_row(record)
        await self._change_later(_in_place(table, tuple(row), postgres=self._savepoints), row)

    async def _get(self, type: type[_Record], table: Table, key: str) -> _Record | None:
        """By its primary key, which is one column."""
        rows = await self._rows(_by_key(table), {"key_": key})
        return from_row(rows[0], type) if rows else None

    @abstractmethod
    def _check_writable(self) -> None: ...

    @abstractmethod
    async def _rows(self, query: Executable, values: Mapping[str, Any] | None = None) -> Sequence[Row]:
        """``values``: of a statement that is the same object each time."""
        ...

    @abstractmethod
    async def _change(self, statement: Executable, row: dict[str, Any] | None = None) -> int: ...

    @abstractmethod
    async def _change_later(self, statement: Executable, row: dict[str, Any]) -> None:
        """One that fails only with the database: nobody is told what came of it but whoever comes next in this transaction, or commits."""
        ...

    @abstractmethod
    async def _add(self, table: Table, record: msgspec.Struct) -> None: ...

    @abstractmethod
    async def _save(self, table: Table, id: str, record: msgspec.Struct) -> None: ...

    @abstractmethod
    async def _find(self, type: type[_Record], table: Table, *where: ColumnElement[bool]) -> _Record | None: ...
