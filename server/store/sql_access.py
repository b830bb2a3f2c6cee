"""What the parts of ``sql_transaction.SqlTransaction`` need of it."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Executable, RowMapping, Table
from sqlalchemy.dialects import postgresql, sqlite

from server.store.codec import check_record
from server.store.rows import to_row

_Record = TypeVar("_Record", bound=msgspec.Struct)


class RowAccess:
    _savepoints: bool  # a PostgreSQL, not SQLite

    async def _put(self, table: Table, record: msgspec.Struct) -> None:
        """In place of the one with its primary key, if there is one."""
        self._check_writable()
        check_record(record)
        row = to_row(record)
        made = postgresql.insert(table) if self._savepoints else sqlite.insert(table)
        key = [column.name for column in table.primary_key.columns]
        others = {name: made.excluded[name] for name in row if name not in key}
        await self._change(made.on_conflict_do_update(index_elements=key, set_=others), row)

    @abstractmethod
    def _check_writable(self) -> None: ...

    @abstractmethod
    async def _rows(self, query: Executable) -> Sequence[RowMapping]: ...

    @abstractmethod
    async def _change(self, statement: Executable, row: dict[str, Any] | None = None) -> int: ...

    @abstractmethod
    async def _add(self, table: Table, record: msgspec.Struct) -> None: ...

    @abstractmethod
    async def _save(self, table: Table, id: str, record: msgspec.Struct) -> None: ...

    @abstractmethod
    async def _find(self, type: type[_Record], table: Table, *where: ColumnElement[bool]) -> _Record | None: ...
