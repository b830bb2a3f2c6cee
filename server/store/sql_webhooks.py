"""Webhooks and their deliveries, in SQL: a part of ``sql_transaction.SqlTransaction``."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import and_, delete, exists, insert, or_, select, update

from server.domain.ids import DeliveryId, WebhookId
from server.store import tables as t
from server.store.codec import check_limit, decode_cursor, encode_cursor
from server.store.rows import from_row
from server.store.sql_access import RowAccess
from server.webhooks.records import Delivery, DeliveryPage, DeliveryState, Webhook

_THE_ONE = 1


class WebhookRows(RowAccess):
    async def add_webhook(self, webhook: Webhook) -> None:
        await self._add(t.webhooks, webhook)

    async def save_webhook(self, webhook: Webhook) -> None:
        await self._save(t.webhooks, webhook.id, webhook)

    async def get_webhook(self, id: WebhookId) -> Webhook | None:
        return await self._get(Webhook, t.webhooks, id)

    async def list_webhooks(self, limit: int) -> list[Webhook]:
        check_limit(limit)
        c = t.webhooks.c
        query = select(t.webhooks).where(c.ended_at.is_(None), c.subject == "").order_by(c.created_at, c.id).limit(limit)
        return [from_row(row, Webhook) for row in await self._rows(query)]

    async def live_webhooks(self, subjects: Collection[str]) -> list[Webhook]:
        c = t.webhooks.c
        query = select(t.webhooks).where(c.ended_at.is_(None), c.subject.in_({"", *subjects})).order_by(c.created_at, c.id)
        return [from_row(row, Webhook) for row in await self._rows(query)]

    async def add_delivery(self, delivery: Delivery) -> None:
        await self._add(t.webhook_deliveries, delivery)

    async def save_delivery(self, delivery: Delivery) -> None:
        await self._save(t.webhook_deliveries, delivery.id, delivery)

    async def get_delivery(self, id: DeliveryId) -> Delivery | None:
        return await self._get(Delivery, t.webhook_deliveries, id)

    async def due_deliveries(self, now: datetime, limit: int, without: Collection[str]) -> list[Delivery]:
        check_limit(limit)
        c = t.webhook_deliveries.c
        query = select(t.webhook_deliveries).where(c.next_at <= now, c.origin.not_in(list(without)))
        return [from_row(row, Delivery) for row in await self._rows(query.order_by(c.next_at, c.id).limit(limit))]

    async def list_deliveries(self, *, state: DeliveryState | None, limit: int, cursor: str | None) -> DeliveryPage:
        check_limit(limit)
        c = t.webhook_deliveries.c
        query = select(t.webhook_deliveries).order_by(c.created_at.desc(), c.id.desc()).limit(limit + 1)
        if state is not None:
            query = query.where(c.state == state.value)
        if cursor is not None:
            created_at, id = decode_cursor(cursor)
            query = query.where(or_(c.created_at < created_at, and_(c.created_at == created_at, c.id < id)))
        found = [from_row(row, Delivery) for row in await self._rows(query)]
        more, found = len(found) > limit, found[:limit]
        return DeliveryPage(deliveries=found, next=encode_cursor(found[-1].created_at, found[-1].id) if more else None)

    async def forget_deliveries(self, before: datetime) -> int:
        c, w = t.webhook_deliveries.c, t.webhooks.c
        count = await self._change(delete(t.webhook_deliveries).where(c.created_at < before, c.next_at.is_(None)))
        wanted = exists().where(c.webhook_id == w.id)
        await self._change(delete(t.webhooks).where(w.created_at < before, w.subject != "", ~wanted))
        return count

    async def webhook_cursor(self) -> int | None:
        rows = await self._rows(select(t.webhook_cursor))
        return int(rows[0]["entry"]) if rows else None

    async def set_webhook_cursor(self, entry: int) -> None:
        if not await self._change(update(t.webhook_cursor).values(entry=entry)):
            await self._change(insert(t.webhook_cursor).values(id=_THE_ONE, entry=entry))
