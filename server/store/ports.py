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
    AttemptId,
    CaseId,
    FileId,
    InvitationId,
    LoginId,
    ParticipantId,
    PdfId,
    RecordingId,
    SessionId,
    StaffId,
    TemplateId,
)
from server.domain.model import (
    ApiKey,
    ChatMessage,
    Consent,
    FaceTemplate,
    FileRecord,
    Invitation,
    Participant,
    PdfRecord,
    Recording,
    Session,
    SessionStatus,
    Staff,
    StaffLogin,
)
from server.store.ports_customers import CustomerStore
from server.store.ports_risk import RiskStore
from server.transactions.case import Attempt, Case
from server.transactions.lock import Failures
from server.webhooks.ports import WebhookStore


class IdempotencyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The answer that was given to a creating POST. ``request_hash`` tells a repeat from a different request.

    ``status`` 0 and no body: begun, and nobody has written down how it ended. 410 and no body: what it made was erased. ``about``: the id of what it made.
    """

    scope: str  # who asked: key or staff or participant id
    key: str
    request_hash: bytes
    status: int
    body: bytes
    created_at: datetime
    about: str = ""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A page of sessions, newest first; ``next`` is the cursor of the following page or None."""

    sessions: list[Session]
    next: str | None


class RecordingPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of recordings, newest first; ``next`` is the cursor of the following page or None."""

    recordings: list[Recording]
    next: str | None


class Transaction(AuditLog, CustomerStore, RiskStore, WebhookStore, Protocol):
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
        other account made, without those in which a customer is verified by themselves.
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

    async def add_pdf(self, pdf: PdfRecord) -> None: ...
    async def save_pdf(self, pdf: PdfRecord) -> None: ...
    async def get_pdf(self, id: PdfId) -> PdfRecord | None: ...
    async def session_pdfs(self, session: SessionId) -> list[PdfRecord]:
        """The oldest first."""
        ...

    async def add_recording(self, recording: Recording) -> None: ...
    async def save_recording(self, recording: Recording) -> None: ...
    async def get_recording(self, id: RecordingId) -> Recording | None: ...
    async def list_recordings(self, *, session: SessionId | None, limit: int, cursor: str | None) -> RecordingPage: ...
    async def open_recordings(self) -> list[Recording]:
        """Those that have not ended, oldest first."""
        ...

    async def due_recordings(self, ended_before: datetime, limit: int) -> list[Recording]:
        """Those that ended before then and are not erased, the one that ended first first."""
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

    async def add_template(self, template: FaceTemplate) -> None:
        """A subject has one at most: Conflict, here and in ``save_template``."""
        ...

    async def save_template(self, template: FaceTemplate) -> None: ...
    async def get_template(self, id: TemplateId) -> FaceTemplate | None: ...
    async def list_templates(self, after: str, limit: int) -> list[FaceTemplate]:
        """By id, from the one after this on ("" from the first); those that were erased left out."""
        ...

    async def adopt_templates(self, pack_hash: str, recogniser: str) -> int:
        """Of this pack's templates those without a recogniser have this one now; how many."""
        ...

    async def add_case(self, case: Case) -> None:
        """Its policy is kept before (``keep_policy``): NotFound otherwise."""
        ...

    async def save_case(self, case: Case) -> None: ...
    async def get_case(self, id: CaseId) -> Case | None: ...
    async def session_cases(self, session: SessionId) -> list[Case]:
        """Of this session, the newest first."""
        ...

    async def over_sessions(self, before: datetime, after: SessionId, limit: int) -> list[SessionId]:
        """Open sessions of the kind ``verification`` that an API key made, all of whose cases (one at least) wait for a review or ended before then. By id,
        from the one after this on ("" from the first)."""
        ...

    async def reviewed_cases(
        self,
        limit: int,
        after: tuple[datetime, str] | None = None,
        *,
        type: str | None = None,
        due_before: datetime | None = None,
    ) -> list[Case]:
        """Those that wait for a review or a second one, the one that is due first first. ``after``: those that come after this time and id. ``due_before``:
        those whose time is over then or before."""
        ...

    async def count_reviewed(self) -> dict[str, int]:
        """How many of each type wait for a review or a second one; types of which none does are not named."""
        ...

    async def sealed_cases(self, after: str, limit: int) -> list[Case]:
        """By id, from the one after this on ("" from the first); those of which something is sealed."""
        ...

    async def due_cases(self, now: datetime, limit: int) -> list[Case]:
        """Those that time alone changes (``case.due``), the longest overdue first."""
        ...

    async def evidence_due(self, now: datetime, limit: int, after: Case | None = None) -> list[Case]:
        """Those whose evidence is to be erased (``Case.evidence_until``), the longest due first. ``after``: those that come after this one."""
        ...

    async def count_open_cases(self, customer: str, key: ApiKeyId) -> tuple[int, int]:
        """Those that have not ended: of this customer, and of this API key."""
        ...

    async def latest_case(self, customer: str) -> Case | None:
        """The one of this customer that was made last."""
        ...

    async def running_attempts(self, customer: str) -> int:
        """In how many of this customer's cases an attempt runs, also where its time is over and nobody has written that down yet."""
        ...

    async def add_attempt(self, attempt: Attempt) -> None: ...
    async def save_attempt(self, attempt: Attempt) -> None: ...
    async def get_attempt(self, id: AttemptId) -> Attempt | None: ...
    async def list_attempts(self, case: CaseId) -> list[Attempt]:
        """By their number."""
        ...

    async def keep_policy(self, hash: str, canonical: bytes) -> None:
        """Once; again changes nothing."""
        ...

    async def get_policy(self, hash: str) -> bytes | None: ...

    async def get_failures(self, customer: str) -> Failures | None: ...
    async def put_failures(self, failures: Failures) -> None:
        """Whether there were any before or not."""
        ...

    async def drop_failures(self, customer: str) -> None:
        """Nothing happens when there are none."""
        ...

    async def forget_failures(self, last_before: datetime, now: datetime) -> int:
        """Those of customers who are not locked, of which the last, and the last excused one, was then or before; how many."""
        ...

    async def plain_failures(self, limit: int) -> list[Failures]:
        """Those under no digest."""
        ...

    async def get_idempotency(self, scope: str, key: str) -> IdempotencyRecord | None: ...
    async def add_idempotency(self, record: IdempotencyRecord) -> None: ...
    async def save_idempotency(self, record: IdempotencyRecord) -> None: ...
    async def drop_idempotency(self, scope: str, key: str) -> None:
        """Nothing happens when there is none."""
        ...

    async def forget_idempotency(self, before: datetime) -> int: ...
    async def erase_idempotency(self, about: str) -> int:
        """What was answered when this was made: the record stays, with status 410 and without its body; how many."""
        ...


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

    async def scrub(self) -> bool:
        """Make sure that what was overwritten or deleted is in none of the database's files any more, as far as the database can.

        False: somebody is reading, try again later. Raises StoreUnavailable.
        """
        ...

    async def close(self) -> None: ...
