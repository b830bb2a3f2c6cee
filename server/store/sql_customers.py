"""What is kept of one customer, in SQL: a part of ``sql_transaction.SqlTransaction``."""

from datetime import datetime

from sqlalchemy import RowMapping, delete, func, or_, select, tuple_, update

from server.domain.ids import FileId, SessionId
from server.domain.model import Consent, FaceTemplate
from server.store import tables as t
from server.store.codec import check_limit
from server.store.ports_customers import Told
from server.store.rows import audit_from_row, from_row
from server.store.sql_risk import RiskRows
from server.transactions.case import Case
from server.webhooks.records import Delivery, Webhook


class CustomerRows(RiskRows):
    async def customer_cases(self, customer: str, *, after: str, limit: int) -> list[Case]:
        check_limit(limit)
        c = t.verification_cases.c
        query = select(t.verification_cases).where(c.customer == customer, c.id > after).order_by(c.id).limit(limit)
        return [from_row(row, Case) for row in await self._rows(query)]

    async def customer_template(self, subject: str) -> FaceTemplate | None:
        c = t.face_templates.c
        return await self._find(FaceTemplate, t.face_templates, c.subject == subject, c.erased_at.is_(None))

    async def blank_chat(self, session: SessionId) -> int:
        c = t.messages.c
        return await self._change(update(t.messages).where(c.session_id == session, c.text != "").values(text=""))

    async def all_consents(self, session: SessionId) -> list[Consent]:
        c = t.consents.c
        return [
            from_row(row, Consent)
            for row in await self._rows(select(t.consents).where(c.session_id == session).order_by(c.sequence))
        ]

    async def told_about(self, about: str, *, after: tuple[int, str], limit: int) -> list[Told]:
        check_limit(limit)
        d, a = t.webhook_deliveries.c, t.audit.c
        entry, id = after
        rows: dict[str, RowMapping] = {}
        ways = (d.subject, d.session) if about else ()
        for column in ways:  # each in the order of its own index: no more than a page is read
            query = (
                select(t.webhook_deliveries, a.entry.label("canonical"), a.number, a.previous, a.hash)
                .join(t.audit, a.number == d.entry)
                .where(column == about, tuple_(d.entry, d.id) > tuple_(entry, id))
                .order_by(d.entry, d.id)
                .limit(limit)
            )
            rows.update({row["id"]: row for row in await self._rows(query)})
        found: list[Told] = []
        webhooks: dict[str, Webhook | None] = {}
        for row in sorted(rows.values(), key=lambda row: (row["number"], row["id"]))[:limit]:
            delivery = from_row(row, Delivery)
            if delivery.webhook_id not in webhooks:
                webhooks[delivery.webhook_id] = await self._find(Webhook, t.webhooks, t.webhooks.c.id == delivery.webhook_id)
            webhook = webhooks[delivery.webhook_id]
            made = audit_from_row({**row, "entry": row["canonical"]})
            if webhook is not None:
                found.append(Told(delivery=delivery, webhook=webhook, entry=made))
        return found

    async def session_files(self, session: SessionId) -> list[FileId]:
        c = t.files.c
        rows = await self._rows(select(c.id).where(c.session_id == session).order_by(c.id))
        return [FileId(row["id"]) for row in rows]

    async def blank_files(self, session: SessionId) -> int:
        c = t.files.c
        there = update(t.files).where(c.session_id == session, or_(c.name != "", c.sha256 != ""))
        return await self._change(there.values(name="", sha256=""))

    async def count_customer_devices(self, customer: bytes, until: datetime) -> int:
        c = t.risk_devices.c
        [row] = await self._rows(select(func.count().label("count")).where(c.customer == customer, c.first_at <= until))
        return int(row["count"])

    async def forget_customer_devices(self, customer: bytes, until: datetime) -> int:
        c = t.risk_devices.c
        gone = await self._change(delete(t.risk_devices).where(c.customer == customer, c.first_at <= until))
        if gone:
            await self._step()
        return gone

    async def end_callbacks(self, subject: str, at: datetime) -> int:
        if not subject:
            raise ValueError("a callback is about something")
        c = t.webhooks.c
        await self._change(update(t.webhooks).where(c.subject == subject, c.ended_at.is_(None)).values(ended_at=at))
        return await self._change(update(t.webhooks).where(c.subject == subject, c.url != "").values(url=""))
