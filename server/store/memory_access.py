"""What the parts of ``memory.MemoryTransaction`` need of it."""

from abc import abstractmethod
from typing import Any

import msgspec


class TableAccess:
    @abstractmethod
    def _look(self) -> Any: ...

    @abstractmethod
    def _change(self, table: str) -> dict[Any, Any]: ...

    @abstractmethod
    def _add(self, table: str, key: object, record: msgspec.Struct) -> None: ...

    @abstractmethod
    def _save(self, table: str, key: object, record: msgspec.Struct) -> None: ...
