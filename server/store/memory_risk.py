"""The risk of transactions, in memory: a part of ``memory.MemoryTransaction``."""

from datetime import datetime
from typing import Any

import msgspec

from server.domain.ids import RiskEntryId
from server.errors import Conflict
from server.store.codec import check_limit, check_record, decode_cursor, encode_cursor
from server.store.memory_access import TableAccess
from server.store.ports_risk import RiskEntryPage
from server.transactions.risk.lists import IdentifierKind, ListEntry
from server.transactions.risk.records import RiskDevice, RiskEvent, StoredRules


class RiskTables(TableAccess):
    def _forget(self, table: str, old: Any) -> int:
        rows = self._change(table)
        gone = [key for key, record in rows.items() if old(record)]
        for key in gone:
            del rows[key]
        return len(gone)

    def _step(self) -> None:
        rows = self._change("risk_counters")
        rows["generation"] = rows.get("generation", 0) + 1

    async def risk_generation(self) -> int:
        found: int = self._look().risk_counters.get("generation", 0)
        return found

    # lists

    async def add_risk_entry(self, entry: ListEntry) -> None:
        rows = self._change("risk_entries")
        if any((one.list, one.kind, one.digest) == (entry.list, entry.kind, entry.digest) for one in rows.values()):
            raise Conflict("it exists already")
        self._add("risk_entries", entry.id, entry)
        self._step()

    async def get_risk_entry(self, id: RiskEntryId) -> ListEntry | None:
        found: ListEntry | None = self._look().risk_entries.get(id)
        return found

    async def drop_risk_entry(self, id: RiskEntryId) -> bool:
        gone = self._change("risk_entries").pop(id, None) is not None
        if gone:
            self._step()
        return gone

    async def list_risk_entries(self, *, limit: int, cursor: str | None) -> RiskEntryPage:
        check_limit(limit)
        before = decode_cursor(cursor) if cursor is not None else None
        found = [one for one in self._look().risk_entries.values() if before is None or (one.created_at, one.id) < before]
        found.sort(key=lambda one: (one.created_at, one.id), reverse=True)
        more, found = len(found) > limit, found[:limit]
        return RiskEntryPage(entries=found, next=encode_cursor(found[-1].created_at, found[-1].id) if more else None)

    async def find_risk_entries(self, kind: IdentifierKind, digest: bytes) -> list[ListEntry]:
        found = [one for one in self._look().risk_entries.values() if one.kind is kind and one.digest == digest]
        return sorted(found, key=lambda one: (one.created_at, one.id))

    async def count_risk_entries(self) -> int:
        return len(self._look().risk_entries)

    async def forget_risk_entries(self, expired_before: datetime) -> int:
        return self._forget("risk_entries", lambda one: one.expires_at is not None and one.expires_at < expired_before)

    # what happened

    async def add_risk_event(self, event: RiskEvent) -> None:
        counters = self._change("risk_counters")
        number = counters["event"] = counters.get("event", 0) + 1
        self._add("risk_events", number, msgspec.structs.replace(event, number=number))

    async def list_risk_events(self, *, after: int, since: datetime, limit: int) -> list[RiskEvent]:
        check_limit(limit)
        found = [one for one in self._look().risk_events.values() if one.number > after and one.at >= since]
        return sorted(found, key=lambda one: one.number)[:limit]

    async def forget_risk_events(self, before: datetime) -> int:
        return self._forget("risk_events", lambda one: one.at < before)

    async def get_risk_device(self, customer: bytes, device: bytes) -> RiskDevice | None:
        found: RiskDevice | None = self._look().risk_devices.get((customer, device))
        return found

    async def put_risk_device(self, device: RiskDevice) -> None:
        rows = self._change("risk_devices")
        check_record(device)
        rows[device.customer, device.device] = device

    async def list_risk_devices(self, limit: int) -> list[RiskDevice]:
        if limit < 1:
            raise ValueError("limit must be at least 1")
        found = sorted(
            self._look().risk_devices.values(), key=lambda one: (one.last_at, one.customer, one.device), reverse=True
        )
        return found[:limit]

    async def forget_risk_devices(self, last_before: datetime) -> int:
        return self._forget("risk_devices", lambda one: one.last_at < last_before)

    # rules

    async def list_risk_rules(self) -> list[StoredRules]:
        return sorted(self._look().risk_rules.values(), key=lambda one: one.name)

    async def put_risk_rules(self, rules: StoredRules) -> None:
        rows = self._change("risk_rules")
        check_record(rules)
        rows[rules.name] = rules
        self._step()

    async def drop_risk_rules(self, name: str) -> bool:
        gone = self._change("risk_rules").pop(name, None) is not None
        if gone:
            self._step()
        return gone
