"""What is kept of webhooks. Pure data.

An event is an entry of the audit trail: it is there when the fact is, in the order of the facts. A delivery is one event for one target, and
stands in the store before the first try.
"""

from datetime import datetime
from enum import StrEnum

import msgspec

from server.domain.ids import DeliveryId, WebhookId


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who wants to be told. ``events``: names, or beginnings with ``.*``; ``*`` is all. ``after``: the audit entry after which it is told. ``subject``: only what concerns this, as the
    callback of one case; "" is everything."""

    id: WebhookId
    url: str
    events: tuple[str, ...]
    created_at: datetime
    created_by: str
    after: int = 0
    subject: str = ""
    ended_at: datetime | None = None

    def wants(self, event: str, subject: str) -> bool:
        """Whether it is to be told of ``event`` about ``subject``."""
        named = any(name in (event, "*") or (name.endswith(".*") and event.startswith(name[:-1])) for name in self.events)
        return named and self.subject in ("", subject) and self.ended_at is None


class DeliveryState(StrEnum):
    """``dead``: given up; somebody may have it sent again."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """``origin``: of its webhook's address. ``entry``: the number of the audit entry; ``subject`` and ``session`` are that entry's. ``next_at``: of the next try, None where
    there is none. ``last_status``: HTTP status of the last answer, 0 where none came; ``last_fault``: why that was not good, a code."""

    id: DeliveryId
    webhook_id: WebhookId
    origin: str
    entry: int
    event: str
    state: DeliveryState
    created_at: datetime
    attempts: int = 0
    next_at: datetime | None = None
    last_at: datetime | None = None
    last_status: int = 0
    last_fault: str = ""
    subject: str = ""
    session: str = ""


class DeliveryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first; ``next`` is the cursor of the following page or None."""

    deliveries: list[Delivery]
    next: str | None
