"""Records to rows and back."""

from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeVar

import msgspec
from sqlalchemy import RowMapping

from server.audit import chain
from server.audit.events import AuditEntry
from server.audit.ports import EntryUnreadable
from server.errors import Invalid, StoreUnavailable

_Record = TypeVar("_Record", bound=msgspec.Struct)
Row = RowMapping | dict[str, Any]


def to_row(record: msgspec.Struct) -> dict[str, Any]:
    """Column → value; enumerations as their values."""
    row: dict[str, Any] = {}
    for name in record.__struct_fields__:
        value = getattr(record, name)
        row[name] = value.value if isinstance(value, Enum) else value
    return row


def from_row(row: Row, type: type[_Record]) -> _Record:
    """Raises StoreUnavailable for a row that no version of this server wrote."""
    try:
        return msgspec.convert({name: row[name] for name in type.__struct_fields__}, type)
    except msgspec.ValidationError as exc:
        raise StoreUnavailable(f"a stored {type.__name__} cannot be read") from exc


def audit_to_row(entry: AuditEntry) -> dict[str, Any]:
    return {
        "number": entry.number,
        "entry": chain.canonical(entry.number, entry.event).decode(),
        "previous": entry.previous,
        "hash": entry.hash,
    }


def audit_from_row(row: Row | Mapping[str, Any]) -> AuditEntry:
    """Raises StoreUnavailable for an entry that is not in canonical form; whether it is in the chain is for the verifier."""
    try:
        number, event = chain.read_canonical(row["entry"].encode())
    except (Invalid, AttributeError, UnicodeEncodeError) as exc:
        raise EntryUnreadable("a stored audit entry cannot be read") from exc
    previous, hash = row["previous"], row["hash"]
    if number != row["number"] or not isinstance(previous, bytes) or not isinstance(hash, bytes):
        raise EntryUnreadable("a stored audit entry cannot be read")
    return AuditEntry(number=number, event=event, previous=previous, hash=hash)
