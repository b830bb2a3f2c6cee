"""The risk of transactions, in SQL: a part of ``sql_transaction.SqlTransaction``."""

from datetime import datetime

from sqlalchemy import and_, bindparam, delete, func, insert, or_, select, update

from server.domain.ids import RiskEntryId
from server.store import tables as t
from server.store.codec import check_limit, check_record, decode_cursor, encode_cursor
from server.store.ports_risk import RiskEntryPage
from server.store.rows import from_row, to_row
from server.store.sql_access import RowAccess
from server.transactions.risk.lists import IdentifierKind, ListEntry
from server.transactions.risk.records import RiskDevice, RiskEvent, StoredRules

_THE_ONE = 0
_GENERATION = select(t.risk_generation)
_NEW_EVENT = insert(t.risk_events)
_EVENTS = (
    select(t.risk_events)
    .where(t.risk_events.c.number > bindparam("after"), t.risk_events.c.at >= bindparam("since"))
    .order_by(t.risk_events.c.number)
    .limit(bindparam("most"))
)


class RiskRows(RowAccess):
    async def _step(self) -> None:
        number = t.risk_generation.c.number
        if not await self._change(update(t.risk_generation).values(number=number + 1)):
            await self._change(insert(t.risk_generation).values(id=_THE_ONE, number=1))

    async def risk_generation(self) -> int:
        rows = await self._rows(_GENERATION, {})
        return int(rows[0]["number"]) if rows else 0

    # lists

    async def add_risk_entry(self, entry: ListEntry) -> None:
        await self._add(t.risk_entries, entry)
        await self._step()

    async def get_risk_entry(self, id: RiskEntryId) -> ListEntry | None:
        return await self._get(ListEntry, t.risk_entries, id)

    async def drop_risk_entry(self, id: RiskEntryId) -> bool:
        gone = bool(await self._change(delete(t.risk_entries).where(t.risk_entries.c.id == id)))
        if gone:
            await self._step()
        return gone

    async def list_risk_entries(self, *, limit: int, cursor: str | None) -> RiskEntryPage:
        check_limit(limit)
        c = t.risk_entries.c
        query = select(t.risk_entries).order_by(c.created_at.desc(), c.id.desc()).limit(limit + 1)
        if cursor is not None:
            at, id = decode_cursor(cursor)
            query = query.where(or_(c.created_at < at, and_(c.created_at == at, c.id < id)))
        found = [from_row(row, ListEntry) for row in await self._rows(query)]
        more, found = len(found) > limit, found[:limit]
        return RiskEntryPage(entries=found, next=encode_cursor(found[-1].created_at, found[-1].id) if more else None)

    async def find_risk_entries(self, kind: IdentifierKind, digest: bytes) -> list[ListEntry]:
        c = t.risk_entries.c
        query = select(t.risk_entries).where(c.digest == digest, c.kind == kind.value).order_by(c.created_at, c.id)
        return [from_row(row, ListEntry) for row in await self._rows(query)]

    async def count_risk_entries(self) -> int:
        rows = await self._rows(select(func.count().label("number")).select_from(t.risk_entries))
        return int(rows[0]["number"])

    async def forget_risk_entries(self, expired_before: datetime) -> int:
        return await self._change(delete(t.risk_entries).where(t.risk_entries.c.expires_at < expired_before))

    # what happened

    async def add_risk_event(self, event: RiskEvent) -> None:
        self._check_writable()
        check_record(event)
        row = to_row(event)
        del row["number"]
        await self._change_later(_NEW_EVENT, row)

    async def list_risk_events(self, *, after: int, since: datetime, limit: int) -> list[RiskEvent]:
        check_limit(limit)
        rows = await self._rows(_EVENTS, {"after": after, "since": since, "most": limit})
        return [from_row(row, RiskEvent) for row in rows]

    async def forget_risk_events(self, before: datetime) -> int:
        return await self._change(delete(t.risk_events).where(t.risk_events.c.at < before))

    async def get_risk_device(self, customer: bytes, device: bytes) -> RiskDevice | None:
        c = t.risk_devices.c
        return await self._find(RiskDevice, t.risk_devices, c.customer == customer, c.device == device)

    async def put_risk_device(self, device: RiskDevice) -> None:
        await self._put(t.risk_devices, device)

    async def list_risk_devices(self, limit: int) -> list[RiskDevice]:
        if limit < 1:
            raise ValueError("limit must be at least 1")
        c = t.risk_devices.c
        query = select(t.risk_devices).order_by(c.last_at.desc(), c.customer.desc(), c.device.desc()).limit(limit)
        return [from_row(row, RiskDevice) for row in await self._rows(query)]

    async def forget_risk_devices(self, last_before: datetime) -> int:
        return await self._change(delete(t.risk_devices).where(t.risk_devices.c.last_at < last_before))

    # rules

    async def list_risk_rules(self) -> list[StoredRules]:
        rows = await self._rows(select(t.risk_rules).order_by(t.risk_rules.c.name))
        return [from_row(row, StoredRules) for row in rows]

    async def put_risk_rules(self, rules: StoredRules) -> None:
        await self._put(t.risk_rules, rules)
        await self._step()

    async def drop_risk_rules(self, name: str) -> bool:
        gone = bool(await self._change(delete(t.risk_rules).where(t.risk_rules.c.name == name)))
        if gone:
            await self._step()
        return gone
