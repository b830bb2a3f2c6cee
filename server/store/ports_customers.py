"""The part of ``ports.Transaction`` that is for what is kept of one customer."""

from datetime import datetime
from typing import Protocol

import msgspec

from server.audit.events import AuditEntry
from server.domain.ids import FileId, SessionId
from server.domain.model import Consent, FaceTemplate
from server.transactions.case import Case
from server.webhooks.records import Delivery, Webhook

FIRST = (0, "")


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery, to whom, and of which entry of the audit."""

    delivery: Delivery
    webhook: Webhook
    entry: AuditEntry

    @property
    def place(self) -> tuple[int, str]:
        """Where it stands in the order of ``told_about``."""
        return self.delivery.entry, self.delivery.id


class CustomerStore(Protocol):
    async def customer_cases(self, customer: str, *, after: str, limit: int) -> list[Case]:
        """By id, from the one after this on."""
        ...

    async def customer_template(self, subject: str) -> FaceTemplate | None:
        """The one of this person that was not erased."""
        ...

    async def blank_chat(self, session: SessionId) -> int:
        """Nothing stands in its lines any more; in how many something did."""
        ...

    async def all_consents(self, session: SessionId) -> list[Consent]:
        """Every decision in it, the earliest first."""
        ...

    async def told_about(self, about: str, *, after: tuple[int, str], limit: int) -> list[Told]:
        """Deliveries of entries whose subject or session is this, by ``Told.place``, from the one after this on (``FIRST``: all). Of a session that is also what
        was told of everybody in it."""
        ...

    async def session_files(self, session: SessionId) -> list[FileId]:
        """By id."""
        ...

    async def blank_files(self, session: SessionId) -> int:
        """Their names and hashes are gone; of how many they were there."""
        ...

    async def count_customer_devices(self, customer: bytes, until: datetime) -> int:
        """Devices on which this customer (a digest) has passed, the first time by then."""
        ...

    async def forget_customer_devices(self, customer: bytes, until: datetime) -> int:
        """The same, forgotten; how many. Where there were any it is a step of ``RiskStore.risk_generation``: other servers remember them no longer."""
        ...

    async def end_callbacks(self, subject: str, at: datetime) -> int:
        """Webhooks about this alone, their addresses too; how many."""
        ...
