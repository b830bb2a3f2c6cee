"""What the store keeps for the risk of transactions, beside the lists (``lists.py``). Pure data; identifiers are digests."""

from datetime import datetime

import msgspec


class RiskEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that was made, or (``failed``) one that was rejected; or (``voids``) what this customer failed before counts no more. ``number`` is the
    store's, ascending."""

    at: datetime
    failed: bool
    voids: bool = False
    customer: bytes
    device: bytes | None = None
    address: bytes | None = None
    number: int = 0


class RiskDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A device on which this customer has passed a verification."""

    customer: bytes
    device: bytes
    first_at: datetime
    last_at: datetime


class StoredRules(msgspec.Struct, frozen=True, kw_only=True):
    """Rules that stand in place of the file of their name."""

    name: str
    text: str
    created_at: datetime
    created_by: str
