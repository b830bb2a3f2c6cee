"""The audit trail as the rest of the server sees it: part of every store transaction, so a fact and its entry are one write."""

from collections.abc import Sequence
from typing import Protocol

from server.audit.events import AuditEntry, AuditEvent
from server.errors import StoreUnavailable


class EntryUnreadable(StoreUnavailable):
    """The database answers, and what it has in the place of an entry is none."""


class AuditLog(Protocol):
    """Append-only, hash-chained (``chain.py``). An entry is on disk when the transaction it was appended in has ended."""

    async def append_audit(self, event: AuditEvent) -> AuditEntry:
        """Link the event to the newest entry. Concurrent transactions are serialised: the chain never forks."""
        ...

    async def audit_head(self) -> int:
        """The number of the newest entry, 0 where there is none."""
        ...

    async def list_audit(self, *, after: int, limit: int) -> Sequence[AuditEntry]:
        """At most ``limit`` entries, ascending, those with a number greater than ``after``."""
        ...
