"""What has to be done from time to time, each at its own pace; one that fails keeps none of the others from its turn. SHELL."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from server import risk
from server.context import Context
from server.errors import TongpingError

log = logging.getLogger(__name__)
HOUSE_S = 3600.0
EXPORTS_S = 30.0
CASES_S = 5.0
REFUSALS_S = 60.0
PACK_S = 15.0

Chore = Callable[[], Awaitable[Any]]


def chores(context: Context) -> list[tuple[str, float, Mapping[str, Chore]]]:
    """(name of the task, pause in seconds, what is done)."""
    return [
        (
            "housekeeping",
            HOUSE_S,
            {
                "idempotency": context.idempotency.forget_old,
                "logins": context.staff.forget_logins,
                "recordings": context.recordings.erase_due,
                "templates": context.faces.scrub,
                "risk": context.risk.tidy,
                "redeems": context.verifications.redemptions.tidy,
                "failures": context.verifications.cases.forget_failures,
                "webhooks": context.webhooks.forget_old,
                "evidence-due": context.verifications.evidence.erase_due,
                "evidence-swept": context.verifications.evidence.sweep,
            },
        ),
        ("exports-tidy", EXPORTS_S, {"exports": context.recordings.exports.tidy}),
        ("refusals", REFUSALS_S, {"refusals": context.refusals.flush}),
        ("policies-pack", PACK_S, {"policies": lambda: risk.look_at_pack(context.risk.policies)}),
        ("cases-settle", CASES_S, {"cases": lambda: _until_nothing(context.verifications.settle_due)}),
    ]


async def keep(every_s: float, done: Mapping[str, Chore]) -> None:
    """Until cancelled; the first time after one pause."""
    while True:
        await asyncio.sleep(every_s)
        await once(done)


async def once(done: Mapping[str, Chore]) -> None:
    for name, chore in done.items():
        try:
            await chore()
        except TongpingError as error:
            log.warning("housekeeping failed", extra={"chore": name, "code": error.code})
        except Exception:
            log.exception("housekeeping failed", extra={"chore": name})


async def _until_nothing(chore: Callable[[], Awaitable[int]]) -> None:
    while await chore():
        pass
