"""What is kept of one customer, in memory: a part of ``memory.MemoryTransaction``."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from server.domain.ids import FileId, SessionId
from server.domain.model import Consent, FaceTemplate
from server.store.codec import check_limit
from server.store.memory_risk import RiskTables
from server.store.ports_customers import Told
from server.transactions.case import Case


class CustomerTables(RiskTables):
    async def customer_cases(self, customer: str, *, after: str, limit: int) -> list[Case]:
        check_limit(limit)
        found = [case for case in self._look().cases.values() if case.customer == customer and case.id > after]
        return sorted(found, key=lambda case: case.id)[:limit]

    async def customer_template(self, subject: str) -> FaceTemplate | None:
        there = (one for one in self._look().templates.values() if one.subject == subject and one.erased_at is None)
        return next(there, None)

    async def blank_chat(self, session: SessionId) -> int:
        return self._put("messages", lambda one: one.session_id == session and one.text != "", text="")

    async def all_consents(self, session: SessionId) -> list[Consent]:
        return [one for one in self._look().consents.values() if one.session_id == session]

    async def told_about(self, about: str, *, after: tuple[int, str], limit: int) -> list[Told]:
        check_limit(limit)
        tables = self._look()
        found = []
        for delivery in tables.deliveries.values() if about else ():
            entry, webhook = tables.audit.get(delivery.entry), tables.webhooks.get(delivery.webhook_id)
            if entry is not None and webhook is not None and about in (delivery.subject, delivery.session):
                found.append(Told(delivery=delivery, webhook=webhook, entry=entry))
        return sorted((one for one in found if one.place > after), key=lambda one: one.place)[:limit]

    async def session_files(self, session: SessionId) -> list[FileId]:
        return sorted(file.id for file in self._look().files.values() if file.session_id == session)

    async def blank_files(self, session: SessionId) -> int:
        return self._put("files", lambda one: one.session_id == session and bool(one.name or one.sha256), name="", sha256="")

    async def count_customer_devices(self, customer: bytes, until: datetime) -> int:
        devices = self._look().risk_devices.values()
        return sum(one.customer == customer and one.first_at <= until for one in devices)

    async def forget_customer_devices(self, customer: bytes, until: datetime) -> int:
        rows = self._change("risk_devices")
        gone = [key for key, one in rows.items() if key[0] == customer and one.first_at <= until]
        for key in gone:
            del rows[key]
        if gone:
            self._step()
        return len(gone)

    async def end_callbacks(self, subject: str, at: datetime) -> int:
        if not subject:
            raise ValueError("a callback is about something")
        self._put("webhooks", lambda one: one.subject == subject and one.ended_at is None, ended_at=at)
        return self._put("webhooks", lambda one: one.subject == subject and one.url != "", url="")

    def _put(self, table: str, which: Callable[[Any], bool], **fields: Any) -> int:
        rows = self._change(table)
        found = [(key, record) for key, record in rows.items() if which(record)]
        for key, record in found:
            rows[key] = msgspec.structs.replace(record, **fields)
        return len(found)
