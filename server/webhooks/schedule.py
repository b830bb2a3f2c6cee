"""What becomes of a delivery after a try. Sans-I/O.

Tries are 5 s, 30 s, 2 min, 10 min, 30 min, 1 h, 3 h, 6 h, 12 h and 24 h apart, each longer or shorter by up to a tenth so that a system that comes
back is not met by all at once: about two days. Then the delivery is dead and waits for a person.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from server.webhooks.records import Delivery, DeliveryState

PAUSES_S = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 3 * 3600.0, 6 * 3600.0, 12 * 3600.0, 24 * 3600.0)
SPREAD = 0.1
LONGEST_ASKED_S = 3600.0
"""How long a receiver may ask us to wait (Retry-After, RFC 9110, section 10.2.3)."""
GONE = 410


@dataclass(frozen=True, slots=True)
class Answer:
    """``status``: 0 where none came, and then ``fault`` says why: ``timeout``, ``connection``, ``tls``, ``target_refused``. ``retry_after_s``: as it
    asked, 0 where it did not."""

    status: int
    fault: str = ""
    retry_after_s: float = 0.0

    @property
    def taken(self) -> bool:
        return 200 <= self.status < 300


def after(delivery: Delivery, answer: Answer, now: datetime, chance: float) -> Delivery:
    """``chance``: 0 to 1, drawn anew for each try."""
    tried = msgspec.structs.replace(
        delivery,
        attempts=delivery.attempts + 1,
        last_at=now,
        last_status=answer.status,
        last_fault="" if answer.taken else answer.fault or f"status_{answer.status}",
        next_at=None,
    )
    if answer.taken:
        return msgspec.structs.replace(tried, state=DeliveryState.DELIVERED)
    if answer.status == GONE or tried.attempts > len(PAUSES_S):
        return msgspec.structs.replace(tried, state=DeliveryState.DEAD)
    pause_s = PAUSES_S[tried.attempts - 1] * (1 + SPREAD * (2 * chance - 1))
    pause_s = max(pause_s, min(answer.retry_after_s, LONGEST_ASKED_S))
    return msgspec.structs.replace(tried, state=DeliveryState.PENDING, next_at=now + timedelta(seconds=pause_s))


def again(delivery: Delivery, now: datetime) -> Delivery:
    """By hand: as if it had never been tried, at once. What was delivered may be sent again too: receivers know it by its id."""
    return msgspec.structs.replace(delivery, state=DeliveryState.PENDING, attempts=0, next_at=now)
