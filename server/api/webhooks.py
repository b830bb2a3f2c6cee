"""Webhooks: who is told, what was told, and once more."""

import msgspec

from server.api.bodies import KeySet
from server.api.bodies_webhooks import DeliveriesPage, DeliveryView, WebhookList, WebhookView
from server.api.call import Call, Handler, Reply
from server.api.operations import BASE
from server.auth.jwks import key_set
from server.domain import ids
from server.domain.ids import DeliveryId, WebhookId
from server.webhooks.records import Delivery, Webhook


async def create_webhook(call: Call) -> Reply:
    made = await call.context.webhooks.create(call.body.url, call.body.events, call.who.actor)
    return Reply(_webhook(made), f"{BASE}/webhooks")


async def list_webhooks(call: Call) -> Reply:
    return Reply(WebhookList(webhooks=[_webhook(one) for one in await call.context.webhooks.all()]))


async def end_webhook(call: Call) -> Reply:
    await call.context.webhooks.end(WebhookId(call.id("webhook", ids.WEBHOOK)), call.who.actor)
    return Reply()


async def list_deliveries(call: Call) -> Reply:
    query = call.query
    page = await call.context.webhooks.deliveries(state=query.state, limit=query.limit, cursor=query.cursor)
    return Reply(DeliveriesPage(deliveries=[_delivery(one) for one in page.deliveries], next=page.next))


async def replay_delivery(call: Call) -> Reply:
    return Reply(_delivery(await call.context.webhooks.replay(DeliveryId(call.id("delivery", ids.DELIVERY)), call.who.actor)))


async def get_webhook_keys(call: Call) -> Reply:
    return Reply(msgspec.convert(key_set(call.context.webhook_keys), KeySet))


def _webhook(one: Webhook) -> WebhookView:
    return WebhookView(id=one.id, url=one.url, events=list(one.events), created_at=one.created_at, created_by=one.created_by)


def _delivery(one: Delivery) -> DeliveryView:
    fields = {name: getattr(one, name) for name in DeliveryView.__struct_fields__ if name != "webhook"}
    return DeliveryView(webhook=one.webhook_id, **fields)


HANDLERS: dict[str, Handler] = {
    "create_webhook": create_webhook,
    "list_webhooks": list_webhooks,
    "end_webhook": end_webhook,
    "list_deliveries": list_deliveries,
    "replay_delivery": replay_delivery,
    "get_webhook_keys": get_webhook_keys,
}
