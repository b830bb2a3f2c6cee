"""Webhooks and their deliveries, in memory: a part of ``memory.MemoryTransaction``."""

from collections.abc import Collection
from datetime import datetime

from server.domain.ids import DeliveryId, WebhookId
from server.errors import Conflict, NotFound
from server.store.codec import check_limit, check_record, decode_cursor, encode_cursor
from server.store.memory_access import TableAccess
from server.webhooks.records import Delivery, DeliveryPage, DeliveryState, Webhook


class WebhookTables(TableAccess):
    async def add_webhook(self, webhook: Webhook) -> None:
        self._add("webhooks", webhook.id, webhook)

    async def save_webhook(self, webhook: Webhook) -> None:
        self._save("webhooks", webhook.id, webhook)

    async def get_webhook(self, id: WebhookId) -> Webhook | None:
        found: Webhook | None = self._look().webhooks.get(id)
        return found

    async def list_webhooks(self, limit: int) -> list[Webhook]:
        check_limit(limit)
        return (await self.live_webhooks(()))[:limit]

    async def live_webhooks(self, subjects: Collection[str]) -> list[Webhook]:
        found = [w for w in self._look().webhooks.values() if w.ended_at is None and w.subject in ("", *subjects)]
        return sorted(found, key=lambda w: (w.created_at, w.id))

    async def add_delivery(self, delivery: Delivery) -> None:
        self._change("deliveries")
        check_record(delivery)
        self._need_webhook(delivery)
        self._need_no_other(delivery)
        self._add("deliveries", delivery.id, delivery)

    async def save_delivery(self, delivery: Delivery) -> None:
        self._change("deliveries")
        if delivery.id in self._look().deliveries:
            self._need_webhook(delivery)
            self._need_no_other(delivery)
        self._save("deliveries", delivery.id, delivery)

    def _need_webhook(self, delivery: Delivery) -> None:
        if delivery.webhook_id not in self._look().webhooks:
            raise NotFound("no such webhook")

    def _need_no_other(self, delivery: Delivery) -> None:
        for other in self._look().deliveries.values():
            if (other.webhook_id, other.entry) == (delivery.webhook_id, delivery.entry) and other.id != delivery.id:
                raise Conflict("it exists already")

    async def get_delivery(self, id: DeliveryId) -> Delivery | None:
        found: Delivery | None = self._look().deliveries.get(id)
        return found

    async def due_deliveries(self, now: datetime, limit: int, without: Collection[str]) -> list[Delivery]:
        check_limit(limit)
        due = [
            (d.next_at, d.id, d)
            for d in self._look().deliveries.values()
            if d.next_at is not None and d.next_at <= now and d.origin not in without
        ]
        return [delivery for *_, delivery in sorted(due, key=lambda one: one[:2])][:limit]

    async def list_deliveries(self, *, state: DeliveryState | None, limit: int, cursor: str | None) -> DeliveryPage:
        check_limit(limit)
        before = decode_cursor(cursor) if cursor is not None else None
        found = [
            d
            for d in self._look().deliveries.values()
            if (state is None or d.state is state) and (before is None or (d.created_at, d.id) < before)
        ]
        found.sort(key=lambda d: (d.created_at, d.id), reverse=True)
        more, found = len(found) > limit, found[:limit]
        return DeliveryPage(deliveries=found, next=encode_cursor(found[-1].created_at, found[-1].id) if more else None)

    async def forget_deliveries(self, before: datetime) -> int:
        rows, webhooks = self._change("deliveries"), self._change("webhooks")
        old = [id for id, d in rows.items() if d.created_at < before and d.next_at is None]
        for id in old:
            del rows[id]
        wanted = {d.webhook_id for d in rows.values()}
        for webhook in list(webhooks.values()):
            if webhook.created_at < before and webhook.subject and webhook.id not in wanted:
                del webhooks[webhook.id]
        return len(old)

    async def webhook_cursor(self) -> int | None:
        found: int | None = self._look().webhook_cursor.get(0)
        return found

    async def set_webhook_cursor(self, entry: int) -> None:
        self._change("webhook_cursor")[0] = entry
