"""The part of ``ports.Transaction`` that is for the risk of transactions."""

from datetime import datetime
from typing import Protocol

import msgspec

from server.domain.ids import RiskEntryId
from server.transactions.risk.lists import IdentifierKind, ListEntry
from server.transactions.risk.records import RiskDevice, RiskEvent, StoredRules


class RiskEntryPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of entries of lists, newest first; ``next`` is the cursor of the following page or None."""

    entries: list[ListEntry]
    next: str | None


class RiskStore(Protocol):
    async def risk_generation(self) -> int:
        """How often entries were added or dropped and rules put or dropped, ever: another number is another state of them. What is forgotten because
        it expired does not count."""
        ...

    async def add_risk_entry(self, entry: ListEntry) -> None:
        """Conflict: the identifier is on that list."""
        ...

    async def get_risk_entry(self, id: RiskEntryId) -> ListEntry | None: ...
    async def drop_risk_entry(self, id: RiskEntryId) -> bool:
        """Whether there was one."""
        ...

    async def list_risk_entries(self, *, limit: int, cursor: str | None) -> RiskEntryPage: ...
    async def find_risk_entries(self, kind: IdentifierKind, digest: bytes) -> list[ListEntry]: ...
    async def count_risk_entries(self) -> int: ...
    async def forget_risk_entries(self, expired_before: datetime) -> int:
        """Those that expired before then; how many."""
        ...

    async def add_risk_event(self, event: RiskEvent) -> None:
        """Its number is the next one, whatever it says; no number comes twice, and who sees one has seen all that are smaller."""
        ...

    async def list_risk_events(self, *, after: int, since: datetime, limit: int) -> list[RiskEvent]:
        """Ascending by number, those greater than ``after`` that happened at ``since`` or later."""
        ...

    async def forget_risk_events(self, before: datetime) -> int: ...

    async def get_risk_device(self, customer: bytes, device: bytes) -> RiskDevice | None: ...
    async def put_risk_device(self, device: RiskDevice) -> None:
        """Whether there was one before or not."""
        ...

    async def list_risk_devices(self, limit: int) -> list[RiskDevice]:
        """Those on which somebody passed last, the newest first."""
        ...

    async def forget_risk_devices(self, last_before: datetime) -> int: ...

    async def list_risk_rules(self) -> list[StoredRules]:
        """By name."""
        ...

    async def put_risk_rules(self, rules: StoredRules) -> None:
        """Whether there were any of that name before or not."""
        ...

    async def drop_risk_rules(self, name: str) -> bool:
        """Whether there were any."""
        ...
