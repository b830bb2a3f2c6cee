"""What transactions need of the others. Bound in ``server/app.py``."""

from datetime import datetime
from enum import StrEnum
from typing import Protocol

from server.errors import DependencyError
from server.store.ports import Transaction
from server.transactions.policy import Policy
from server.transactions.risk.engine import Asked, Whom
from server.transactions.risk.result import UNAVAILABLE, RiskResult


class CallBacks(Protocol):
    """``server/webhooks/service.py``."""

    def check(self, url: str) -> None:
        """Raises Invalid for an address that may not be told."""
        ...

    async def call_back(self, tx: Transaction, url: str, events: tuple[str, ...], subject: str, actor: str) -> None:
        """Tell ``url`` of ``events`` about ``subject``: in the transaction that makes it."""
        ...


class PolicySource(Protocol):
    """``server/transactions/policy_files.py``."""

    def current(self, type: str) -> Policy:
        """Raises UnknownType."""
        ...

    def by_hash(self, hash: str) -> Policy | None:
        """One that is or was in force; what a running case began with is in the store besides."""
        ...


class Noted(StrEnum):
    """``begun``: an attempt; ``failed``: one more failure of the customer; ``passed``: they were accepted, from which on their device is known and
    their failures are void; ``voided``: these alone."""

    BEGUN = "begun"
    FAILED = "failed"
    PASSED = "passed"
    VOIDED = "voided"


class RiskUnavailable(DependencyError):
    """The risk cannot be assessed: nobody is passed, and nothing has changed."""

    code = UNAVAILABLE


class RiskPort(Protocol):
    """``server/services/risk.py``."""

    async def assess(self, tx: Transaction, asked: Asked, policy: Policy, now: datetime) -> RiskResult:
        """In the transaction that decides. Never raises: what cannot be assessed is ``risk_unavailable``, which refers."""
        ...

    def customer_digest(self, customer: str) -> bytes:
        """Keyed: it tells nobody whom it is of."""
        ...

    async def noted(self, tx: Transaction, whom: Whom, what: Noted, now: datetime) -> None:
        """What is remembered of it is in the transaction that records it."""
        ...
