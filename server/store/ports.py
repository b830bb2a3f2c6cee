"""What the rest of the server needs of a store. ``memory.py`` and ``sql.py`` both pass ``tests/contract/test_store*.py``.

One ``Transaction`` is one atomic, durable unit: when ``Store.begin()``'s block ends without an exception everything in it
is on disk; otherwise nothing of it happened. Write transactions are serialised; keep them short and await nothing
foreign inside. The audit entry of a fact is appended in the transaction that records the fact.
"""

from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

import msgspec

from server.audit.ports import AuditLog
from server.domain.ids import (
    ApiKeyId,
    FileId,
    InvitationId,
    LoginId,
    ParticipantId,
    SessionId,
    StaffId,
)
from server.domain.model import (
    ApiKey,
    ChatMessage,
    Consent,
    FileRecord,
    Invitation,
    Participant,
    Session,
    SessionStatus,
    Staff,
    StaffLogin,
)


class IdempotencyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The answer that was given to a creating POST. ``request_hash`` tells a repeat from a different request.

    ``status`` 0 and no body: begun, and nobody has written down how it ended.
    """

    scope: str  # who asked: key or staff or participant id
    key: str
    request_hash: bytes
    status: int
    body: bytes
    created_at: datetime


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A page of sessions, newest first; ``next`` is the cursor of the following page or None."""

    sessions: list[Session]
    next: str | None


class Transaction(AuditLog, Protocol):
    # get_* return None when there is no such record; add_* raise Conflict when the key is taken;
    # save_* replace the whole record and raise NotFound when it does not exist.

    async def add_session(self, session: Session) -> None: ...
    async def save_session(self, session: Session) -> None: ...
    async def get_session(self, id: SessionId) -> Session | None: ...
    async def list_sessions(
        self,
        *,
        status: SessionStatus | None,
        customer_reference: str | None,
        limit: int,
        cursor: str | None,
        seen_by: StaffId | None = None,
    ) -> Page:
        """``seen_by``: only those this account made or took and, unless a reference is asked for, those nobody has taken that no
        other account made.
        """
        ...

    async def waiting_sessions(self) -> list[Session]:
        """Status ``waiting``, oldest ``waiting_since`` first."""
        ...

    async def recent_wait_seconds(self, limit: int) -> list[float]:
        """How long each of the last ``limit`` taken sessions had waited, newest first; [] when none was."""
        ...

    async def add_participant(self, participant: Participant) -> None: ...
    async def save_participant(self, participant: Participant) -> None: ...
    async def get_participant(self, id: ParticipantId) -> Participant | None: ...
    async def find_participant(self, session: SessionId, identity: str) -> Participant | None: ...
    async def list_participants(self, session: SessionId) -> list[Participant]: ...

    async def add_invitation(self, invitation: Invitation) -> None: ...
    async def save_invitation(self, invitation: Invitation) -> None: ...
    async def get_invitation(self, id: InvitationId) -> Invitation | None: ...
    async def invitation_by_secret(self, secret_hash: bytes) -> Invitation | None: ...
    async def live_invitations_by_code(self, code_hash: bytes, now: datetime) -> list[Invitation]:
        """Not expired, not revoked, uses left. Codes are unique among live invitations (add_invitation: Conflict)."""
        ...

    async def list_invitations(self, session: SessionId) -> list[Invitation]: ...
    async def use_invitation(self, id: InvitationId, now: datetime) -> Invitation | None:
        """Count one use if it is live, atomically; None when it is not. Exactly one of many racing calls wins the last use."""
        ...

    async def add_consent(self, consent: Consent) -> None: ...
    async def latest_consents(self, session: SessionId) -> list[Consent]:
        """The newest decision for each participant and scope."""
        ...

    async def add_message(self, message: ChatMessage) -> ChatMessage:
        """Assigns ``number``. A repeated (session, participant, client_id) returns the first message unchanged."""
        ...

    async def list_messages(self, session: SessionId, *, after: int, limit: int) -> list[ChatMessage]:
        """Ascending by ``number``, those greater than ``after``."""
        ...

    async def last_messages(self, session: SessionId, limit: int) -> list[ChatMessage]:
        """The newest ``limit``, ascending by number."""
        ...

    async def add_file(self, file: FileRecord) -> None: ...
    async def get_file(self, id: FileId) -> FileRecord | None: ...
    async def session_file_bytes(self, session: SessionId) -> int:
        """The sizes of all its files together."""
        ...

    async def add_api_key(self, key: ApiKey) -> None: ...
    async def save_api_key(self, key: ApiKey) -> None: ...
    async def get_api_key(self, id: ApiKeyId) -> ApiKey | None: ...
    async def list_api_keys(self) -> list[ApiKey]: ...

    async def add_staff(self, staff: Staff) -> None: ...
    async def save_staff(self, staff: Staff) -> None: ...
    async def get_staff(self, id: StaffId) -> Staff | None: ...
    async def staff_by_username(self, username: str) -> Staff | None: ...
    async def list_staff(self) -> list[Staff]: ...

    async def add_login(self, login: StaffLogin) -> None: ...
    async def save_login(self, login: StaffLogin) -> None: ...
    async def get_login(self, id: LoginId) -> StaffLogin | None: ...
    async def forget_logins(self, before: datetime) -> int:
        """Those whose time was over before then; how many."""
        ...

    async def get_idempotency(self, scope: str, key: str) -> IdempotencyRecord | None: ...
    async def add_idempotency(self, record: IdempotencyRecord) -> None: ...
    async def save_idempotency(self, record: IdempotencyRecord) -> None: ...
    async def drop_idempotency(self, scope: str, key: str) -> None:
        """Nothing happens when there is none."""
        ...

    async def forget_idempotency(self, before: datetime) -> int: ...


class Store(Protocol):
    def begin(self) -> AbstractAsyncContextManager[Transaction]:
        """A write transaction. Raises StoreUnavailable when the database cannot be reached or written."""
        ...

    def read(self) -> AbstractAsyncContextManager[Transaction]:
        """A read-only snapshot; writing through it raises RuntimeError."""
        ...

    async def ping(self) -> None:
        """Raises StoreUnavailable."""
        ...

    async def close(self) -> None: ...
