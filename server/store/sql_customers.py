"""What is kept of one customer, in SQL: a part of ``sql_transaction.SqlTransaction``."""

from datetime import datetime

from sqlalchemy import delete, func, or_, select, update

from server.domain.ids import FileId, SessionId
from server.domain.model import FaceTemplate
from server.store import tables as t
from server.store.codec import check_limit
from server.store.rows import from_row
from server.store.sql_access import RowAccess
from server.transactions.case import Case


class CustomerRows(RowAccess):
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
        return await self._change(delete(t.risk_devices).where(c.customer == customer, c.first_at <= until))

    async def end_callbacks(self, subject: str, at: datetime) -> int:
        if not subject:
            raise ValueError("a callback is about something")
        c = t.webhooks.c
        await self._change(update(t.webhooks).where(c.subject == subject, c.ended_at.is_(None)).values(ended_at=at))
        return await self._change(update(t.webhooks).where(c.subject == subject, c.url != "").values(url=""))
