"""Where it is written down which decisions were redeemed, so that none is a second time when an older copy of the database comes back. ``server/redeems.py`` binds it."""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol

from server.transactions.token import LEEWAY_S, MAX_LIFETIME_S

HOLDS = timedelta(seconds=MAX_LIFETIME_S + 2 * LEEWAY_S)
"""No decision can be redeemed so long after it was, whatever its lifetime."""


class RedeemJournal(Protocol):
    """Of decisions that may still hold; those that hold no more are forgotten. ``decision``: see ``named``."""

    async def tidy(self, now: datetime) -> Mapping[str, datetime]:
        """What stands there, and when it was redeemed, without what holds no more. Raises DependencyError: it cannot be read or written, or was changed."""
        ...

    async def find(self, decision: str) -> datetime | None:
        """When it was redeemed. Raises DependencyError, also where what is redeemed next could not be written down."""
        ...

    async def append(self, decision: str, at: datetime) -> bool:
        """On disk when it returns. False: it stands there already. Raises DependencyError: nobody may be told that it was redeemed."""
        ...


def named(jti: str) -> str:
    """The SHA-256 of a decision's own id, in hex."""
    return hashlib.sha256(jti.encode()).hexdigest()
