"""Lists of identifiers, managed: who enters and removes what, in force at once, in the audit without an identifier."""

import asyncio
import logging
from datetime import datetime, timedelta

from server.api.bodies_risk import AddRiskEntry, FindRiskEntries, RiskEntries, RiskEntryView
from server.audit.events import AuditAction, AuditEvent
from server.clock import Clock
from server.domain import ids
from server.domain.ids import RiskEntryId
from server.errors import Conflict, Invalid, NotFound
from server.services.ports import MakeId
from server.services.risk_generation import Generation
from server.store.ports import Store, Transaction
from server.transactions.risk.engine import RiskEngine
from server.transactions.risk.lists import MOST_ENTRIES, IdentifierInvalid, IdentifierKind, ListEntry, ListIndex

log = logging.getLogger(__name__)
PAGE = 10_000
EXPIRED_KEPT = timedelta(days=1)


class RiskLists:
    """``engine``: whose lists these are. One change at a time, in the store and then in the engine; other servers' come with ``load``."""

    def __init__(self, store: Store, clock: Clock, make_id: MakeId, engine: RiskEngine, generation: Generation) -> None:
        self._store = store
        self._clock = clock
        self._make_id = make_id
        self._engine = engine
        self._generation = generation
        self._changing = asyncio.Lock()

    def __len__(self) -> int:
        return len(self._engine.lists)

    async def load(self, tx: Transaction) -> None:
        """Every entry of the store. Raises StoreUnavailable."""
        index, cursor = ListIndex(key=self._engine.identifiers.name), None
        while True:
            page = await tx.list_risk_entries(limit=PAGE, cursor=cursor)
            for entry in page.entries:
                index.add(entry)
            cursor = page.next
            if cursor is None:
                break
        self._engine.lists = index
        if index.foreign:
            log.error("entries of risk lists were made under another key", extra={"entries": index.foreign})

    async def tidy(self) -> None:
        """Delete what expired a day ago."""
        before = self._clock.now() - EXPIRED_KEPT
        async with self._changing:
            async with self._store.begin() as tx:
                await tx.forget_risk_entries(before)
            self._engine.lists.forget(before)

    async def page(self, *, limit: int, cursor: str | None, actor: str) -> RiskEntries:
        """Each page is in the audit. Raises Invalid: the cursor."""
        async with self._store.begin() as tx:
            found = await tx.list_risk_entries(limit=limit, cursor=cursor)
            await self._read(tx, actor, how="list", count=len(found.entries))
        return RiskEntries(entries=[self._view(one) for one in found.entries], next=found.next)

    async def find(self, asked: FindRiskEntries, actor: str) -> RiskEntries:
        """That somebody looked is in the audit, whom they looked for is not. Raises Invalid."""
        digest = self._digest(asked.kind, asked.identifier)
        async with self._store.begin() as tx:
            found = await tx.find_risk_entries(asked.kind, digest)
            await self._read(tx, actor, how="find", kind=asked.kind.value, count=len(found))
        return RiskEntries(entries=[self._view(one) for one in reversed(found)], next=None)

    async def add(self, asked: AddRiskEntry, actor: str) -> RiskEntryView:
        """In force when this returns. Raises Invalid (no identifier of its kind, a time that is over), Conflict (it is there, or the lists are full)."""
        now = self._clock.now()
        if asked.expires_at is not None and asked.expires_at <= now:
            raise Invalid("expires_at: this time is over.")
        entry = ListEntry(
            id=RiskEntryId(self._make_id(ids.RISK_ENTRY)),
            list=asked.list,
            kind=asked.kind,
            digest=self._digest(asked.kind, asked.identifier),
            key=self._engine.identifiers.name,
            reason=asked.reason,
            created_at=now,
            created_by=actor,
            expires_at=asked.expires_at,
        )
        async with self._changing:
            async with self._store.begin() as tx:
                before = await tx.risk_generation()
                gone = await self._make_room(tx, entry, now)
                await tx.add_risk_entry(entry)
                until = "" if entry.expires_at is None else entry.expires_at.isoformat()
                await self._audit(tx, AuditAction.RISK_ENTRY_ADDED, actor, entry, until=until)
                after = await tx.risk_generation()
            if self._generation.own(before, after):
                for one in gone:
                    self._engine.lists.remove(one)
                self._engine.lists.add(entry)
        return self._view(entry)

    async def _make_room(self, tx: Transaction, entry: ListEntry, now: datetime) -> list[ListEntry]:
        """Raises Conflict. An entry that has expired makes way for the new one."""
        same = [one for one in await tx.find_risk_entries(entry.kind, entry.digest) if one.list is entry.list]
        for one in same:
            if one.expires_at is None or now < one.expires_at:
                raise Conflict("It is on this list.")
            await tx.drop_risk_entry(one.id)
        if await tx.count_risk_entries() >= MOST_ENTRIES:
            raise Conflict(f"The lists are full: {MOST_ENTRIES} entries.")
        return same

    async def remove(self, id: RiskEntryId, actor: str) -> None:
        """Without effect when this returns. Raises NotFound."""
        async with self._changing:
            async with self._store.begin() as tx:
                before = await tx.risk_generation()
                entry = await tx.get_risk_entry(id)
                if entry is None:
                    raise NotFound("There is no such entry.")
                await tx.drop_risk_entry(id)
                await self._audit(tx, AuditAction.RISK_ENTRY_REMOVED, actor, entry)
                after = await tx.risk_generation()
            if self._generation.own(before, after):
                self._engine.lists.remove(entry)

    def _digest(self, kind: IdentifierKind, identifier: str) -> bytes:
        try:
            return self._engine.identifiers.digest(kind, identifier)
        except IdentifierInvalid as error:
            raise Invalid(f"identifier: {error}.") from None

    def _view(self, entry: ListEntry) -> RiskEntryView:
        return RiskEntryView(
            id=entry.id,
            list=entry.list,
            kind=entry.kind,
            reason=entry.reason,
            created_at=entry.created_at,
            created_by=entry.created_by,
            expires_at=entry.expires_at,
            expired=entry.expires_at is not None and entry.expires_at <= self._clock.now(),
        )

    async def _read(self, tx: Transaction, actor: str, *, how: str, count: int, kind: str = "") -> None:
        details = {"how": how, "count": str(count)} | ({"kind": kind} if kind else {})
        at = self._clock.now()
        await tx.append_audit(AuditEvent(action=AuditAction.RISK_LISTS_READ, at=at, actor=actor, details=details))

    async def _audit(self, tx: Transaction, action: AuditAction, actor: str, entry: ListEntry, **more: str) -> None:
        details = {"list": entry.list.value, "kind": entry.kind.value, "reason": entry.reason} | more
        at = self._clock.now()
        await tx.append_audit(AuditEvent(action=action, at=at, actor=actor, subject=entry.id, details=details))
