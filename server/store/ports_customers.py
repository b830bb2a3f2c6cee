"""The part of ``ports.Transaction`` that is for what is kept of one customer."""

from datetime import datetime
from typing import Protocol

from server.domain.ids import FileId, SessionId
from server.domain.model import FaceTemplate
from server.transactions.case import Case


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
        """The same, forgotten; how many."""
        ...

    async def end_callbacks(self, subject: str, at: datetime) -> int:
        """Webhooks about this alone, their addresses too; how many."""
        ...
