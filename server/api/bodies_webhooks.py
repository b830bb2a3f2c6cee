"""Webhooks over REST; see ``bodies.py`` and ``docs/webhooks.md``."""

from datetime import datetime
from typing import Annotated

import msgspec

from server.api.bodies import Answer, Request
from server.domain.ids import DeliveryId, WebhookId
from server.webhooks.records import DeliveryState

EventName = Annotated[str, msgspec.Meta(min_length=1, max_length=60)]


class CreateWebhook(Request, frozen=True, kw_only=True):
    """``events``: names as in the audit trail, ``session.*`` for all of a kind, ``*`` for everything."""

    url: Annotated[str, msgspec.Meta(min_length=8, max_length=2000)]
    events: Annotated[list[EventName], msgspec.Meta(min_length=1, max_length=100)]


class WebhookView(Answer, frozen=True, kw_only=True):
    id: WebhookId
    url: str
    events: list[str]
    created_at: datetime
    created_by: str


class WebhookList(Answer, frozen=True, kw_only=True):
    webhooks: list[WebhookView]


class DeliveryView(Answer, frozen=True, kw_only=True):
    """``entry``: the number of the audit entry. ``last_status``: 0 where no answer came; ``last_fault`` says why."""

    id: DeliveryId
    webhook: WebhookId
    entry: int
    event: str
    state: DeliveryState
    created_at: datetime
    attempts: int
    next_at: datetime | None
    last_at: datetime | None
    last_status: int
    last_fault: str


class DeliveriesPage(Answer, frozen=True, kw_only=True):
    """Newest first."""

    deliveries: list[DeliveryView]
    next: str | None
