"""The store in memory: a fake with the real semantics, checked by the same contract suite as the SQL store.

Tables are dicts that are never changed once committed: a transaction copies a table before its first write to it and the
commit swaps the references, so that a snapshot is a reference and a rollback is nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import msgspec

from server.audit import chain
from server.audit.events import AuditEntry, AuditEvent
from server.domain import ids
from server.domain.ids import (
    ApiKeyId,
    AttemptId,
    CaseId,
    DeliveryId,
    FileId,
    InvitationId,
    LoginId,
    ParticipantId,
    PdfId,
    RecordingId,
    RiskEntryId,
    SessionId,
    StaffId,
    TemplateId,
    WebhookId,
)
from server.domain.model import (
    ApiKey,
    ChatMessage,
    Consent,
    ConsentScope,
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
    by_themselves,
)
from server.errors import Conflict, NotFound, StoreUnavailable
from server.store.codec import GONE, check_limit, check_record, check_text, decode_cursor, encode_cursor
from server.store.memory_cases import CaseTables
from server.store.memory_customers import CustomerTables
from server.store.memory_risk import RiskTables
from server.store.memory_webhooks import WebhookTables
from server.store.ports import IdempotencyRecord, Page, RecordingPage
from server.transactions.case import Attempt, Case
from server.transactions.lock import Failures
from server.transactions.risk.lists import ListEntry
from server.transactions.risk.records import RiskDevice, RiskEvent, StoredRules
from server.webhooks.records import Delivery, Webhook


class _Tables(msgspec.Struct):
    """Keys in insertion order."""

    sessions: dict[SessionId, Session] = {}
    participants: dict[ParticipantId, Participant] = {}
    invitations: dict[InvitationId, Invitation] = {}
    consents: dict[str, Consent] = {}
    messages: dict[str, ChatMessage] = {}
    files: dict[FileId, FileRecord] = {}
    pdfs: dict[PdfId, PdfRecord] = {}
    recordings: dict[RecordingId, Recording] = {}
    api_keys: dict[ApiKeyId, ApiKey] = {}
    staff: dict[StaffId, Staff] = {}
    logins: dict[LoginId, StaffLogin] = {}
    idempotency: dict[tuple[str, str], IdempotencyRecord] = {}
    audit: dict[int, AuditEntry] = {}
    templates: dict[TemplateId, FaceTemplate] = {}
    policies: dict[str, bytes] = {}
    cases: dict[CaseId, Case] = {}
    attempts: dict[AttemptId, Attempt] = {}
    failures: dict[str, Failures] = {}
    risk_entries: dict[RiskEntryId, ListEntry] = {}
    risk_events: dict[int, RiskEvent] = {}
    risk_devices: dict[tuple[bytes, bytes], RiskDevice] = {}
    risk_rules: dict[str, StoredRules] = {}
    risk_counters: dict[str, int] = {}
    webhooks: dict[WebhookId, Webhook] = {}
    deliveries: dict[DeliveryId, Delivery] = {}
    webhook_cursor: dict[int, int] = {}


def _live(invitation: Invitation, now: datetime) -> bool:
    return invitation.revoked_at is None and invitation.uses < invitation.uses_allowed and now < invitation.expires_at


def _seen(session: Session, staff: StaffId, *, free: bool) -> bool:
    free = (
        free and session.taken_by is None and not session.created_by.startswith(f"{ids.STAFF}_") and not by_themselves(session)
    )
    return free or staff in (session.created_by, session.taken_by)


class MemoryTransaction(CaseTables, CustomerTables, RiskTables, WebhookTables):
    """See ``ports.Transaction``."""

    def __init__(self, committed: _Tables, *, writable: bool) -> None:
        self._tables = msgspec.structs.replace(committed)
        self._copied: set[str] = set()
        self._writable = writable
        self._open = True

    def _end(self) -> _Tables:
        self._open = False
        return self._tables

    def _look(self) -> _Tables:
        if not self._open:
            raise RuntimeError("the transaction is over")
        return self._tables

    def _change(self, table: str) -> dict[Any, Any]:
        """The table, copied before its first change in this transaction."""
        tables = self._look()
        if not self._writable:
            raise RuntimeError("a read-only snapshot cannot be written")
        if table not in self._copied:
            setattr(tables, table, dict(getattr(tables, table)))
            self._copied.add(table)
        changed: dict[Any, Any] = getattr(tables, table)
        return changed

    def _add(self, table: str, key: object, record: msgspec.Struct) -> None:
        rows = self._change(table)
        check_record(record)
        if key in rows:
            raise Conflict("it exists already")
        rows[key] = record

    def _save(self, table: str, key: object, record: msgspec.Struct) -> None:
        rows = self._change(table)
        check_record(record)
        if key not in rows:
            raise NotFound("no such record")
        rows[key] = record

    def _need_session(self, id: SessionId) -> None:
        if id not in self._look().sessions:
            raise NotFound("no such session")

    def _need_participant(self, session: SessionId, id: ParticipantId) -> None:
        found = self._look().participants.get(id)
        if found is None or found.session_id != session:
            raise NotFound("no such participant in the session")

    # sessions

    async def add_session(self, session: Session) -> None:
        self._add("sessions", session.id, session)

    async def save_session(self, session: Session) -> None:
        self._save("sessions", session.id, session)

    async def get_session(self, id: SessionId) -> Session | None:
        return self._look().sessions.get(id)

    async def list_sessions(
        self,
        *,
        status: SessionStatus | None,
        customer_reference: str | None,
        limit: int,
        cursor: str | None,
        seen_by: StaffId | None = None,
    ) -> Page:
        check_limit(limit)
        if customer_reference is not None:
            check_text("customer_reference", customer_reference)
        before = decode_cursor(cursor) if cursor is not None else None
        found = [
            s
            for s in self._look().sessions.values()
            if (status is None or s.status is status)
            and (customer_reference is None or s.customer_reference == customer_reference)
            and (seen_by is None or _seen(s, seen_by, free=customer_reference is None))
            and (before is None or (s.created_at, s.id) < before)
        ]
        found.sort(key=lambda s: (s.created_at, s.id), reverse=True)
        more = len(found) > limit
        found = found[:limit]
        return Page(sessions=found, next=encode_cursor(found[-1].created_at, found[-1].id) if more else None)

    async def waiting_sessions(self) -> list[Session]:
        waiting = [
            (s.waiting_since, s.id, s)
            for s in self._look().sessions.values()
            if s.status is SessionStatus.WAITING and s.waiting_since is not None
        ]
        return [s for _, _, s in sorted(waiting, key=lambda item: item[:2])]

    async def recent_wait_seconds(self, limit: int) -> list[float]:
        check_limit(limit)
        taken = [
            (s.taken_at, s.id, (s.taken_at - s.waiting_since).total_seconds())
            for s in self._look().sessions.values()
            if s.taken_at is not None and s.waiting_since is not None
        ]
        return [wait for _, _, wait in sorted(taken, key=lambda item: item[:2], reverse=True)[:limit]]

    # participants

    async def add_participant(self, participant: Participant) -> None:
        if await self.find_participant(participant.session_id, participant.identity) is not None:
            raise Conflict("the identity has a place in the session")
        self._need_session(participant.session_id)
        self._add("participants", participant.id, participant)

    async def save_participant(self, participant: Participant) -> None:
        other = await self.find_participant(participant.session_id, participant.identity)
        if other is not None and other.id != participant.id:
            raise Conflict("the identity has a place in the session")
        self._save("participants", participant.id, participant)

    async def get_participant(self, id: ParticipantId) -> Participant | None:
        return self._look().participants.get(id)

    async def find_participant(self, session: SessionId, identity: str) -> Participant | None:
        for found in self._look().participants.values():
            if found.session_id == session and found.identity == identity:
                return found
        return None

    async def list_participants(self, session: SessionId) -> list[Participant]:
        found = [p for p in self._look().participants.values() if p.session_id == session]
        return sorted(found, key=lambda p: (p.created_at, p.id))

    # invitations

    async def add_invitation(self, invitation: Invitation) -> None:
        rows = self._look().invitations.values()
        if any(other.secret_hash == invitation.secret_hash for other in rows):
            raise Conflict("it exists already")
        if invitation.code_hash and await self.live_invitations_by_code(invitation.code_hash, invitation.created_at):
            raise Conflict("the code is in use")
        self._need_session(invitation.session_id)
        self._add("invitations", invitation.id, invitation)

    async def save_invitation(self, invitation: Invitation) -> None:
        self._save("invitations", invitation.id, invitation)

    async def get_invitation(self, id: InvitationId) -> Invitation | None:
        return self._look().invitations.get(id)

    async def invitation_by_secret(self, secret_hash: bytes) -> Invitation | None:
        for found in self._look().invitations.values():
            if found.secret_hash == secret_hash:
                return found
        return None

    async def live_invitations_by_code(self, code_hash: bytes, now: datetime) -> list[Invitation]:
        rows = self._look().invitations.values()
        return [i for i in rows if code_hash and i.code_hash == code_hash and _live(i, now)]

    async def list_invitations(self, session: SessionId) -> list[Invitation]:
        found = [i for i in self._look().invitations.values() if i.session_id == session]
        return sorted(found, key=lambda i: (i.created_at, i.id))

    async def use_invitation(self, id: InvitationId, now: datetime) -> Invitation | None:
        rows = self._change("invitations")
        found: Invitation | None = rows.get(id)
        if found is None or not _live(found, now):
            return None
        rows[id] = msgspec.structs.replace(found, uses=found.uses + 1)
        used: Invitation = rows[id]
        return used

    # consents

    async def add_consent(self, consent: Consent) -> None:
        self._need_participant(consent.session_id, consent.participant_id)
        self._add("consents", consent.id, consent)

    async def latest_consents(self, session: SessionId) -> list[Consent]:
        newest: dict[tuple[ParticipantId, ConsentScope], Consent] = {}
        for consent in self._look().consents.values():
            if consent.session_id == session:
                newest[consent.participant_id, consent.scope] = consent
        return [newest[key] for key in sorted(newest)]

    # chat

    async def add_message(self, message: ChatMessage) -> ChatMessage:
        rows = self._change("messages")
        in_session = [m for m in rows.values() if m.session_id == message.session_id]
        for first in in_session:
            if first.participant_id == message.participant_id and first.client_id == message.client_id:
                repeated: ChatMessage = first
                return repeated
        numbered = msgspec.structs.replace(message, number=max((m.number for m in in_session), default=0) + 1)
        self._need_participant(message.session_id, message.participant_id)
        if message.file_id is not None and message.file_id not in self._look().files:
            raise NotFound("no such file")
        self._add("messages", message.id, numbered)
        return numbered

    async def list_messages(self, session: SessionId, *, after: int, limit: int) -> list[ChatMessage]:
        check_limit(limit)
        found = [m for m in self._look().messages.values() if m.session_id == session and m.number > after]
        return sorted(found, key=lambda m: m.number)[:limit]

    async def last_messages(self, session: SessionId, limit: int) -> list[ChatMessage]:
        check_limit(limit)
        found = [m for m in self._look().messages.values() if m.session_id == session]
        return sorted(found, key=lambda m: m.number)[-limit:]

    async def add_file(self, file: FileRecord) -> None:
        self._need_participant(file.session_id, file.participant_id)
        self._add("files", file.id, file)

    async def get_file(self, id: FileId) -> FileRecord | None:
        return self._look().files.get(id)

    async def session_file_bytes(self, session: SessionId) -> int:
        return sum(file.size_bytes for file in self._look().files.values() if file.session_id == session)

    async def add_pdf(self, pdf: PdfRecord) -> None:
        self._need_participant(pdf.session_id, pdf.participant_id)
        self._need_files(pdf)
        self._add("pdfs", pdf.id, pdf)

    async def save_pdf(self, pdf: PdfRecord) -> None:
        self._need_files(pdf)
        self._save("pdfs", pdf.id, pdf)

    async def get_pdf(self, id: PdfId) -> PdfRecord | None:
        return self._look().pdfs.get(id)

    async def session_pdfs(self, session: SessionId) -> list[PdfRecord]:
        found = [pdf for pdf in self._look().pdfs.values() if pdf.session_id == session]
        return sorted(found, key=lambda pdf: (pdf.created_at, pdf.id))

    def _need_files(self, pdf: PdfRecord) -> None:
        if not {pdf.file_id, pdf.signed_file_id} - {None} <= self._look().files.keys():
            raise NotFound("what it belongs to does not exist")

    # recordings

    async def add_recording(self, recording: Recording) -> None:
        self._need_session(recording.session_id)
        self._add("recordings", recording.id, recording)

    async def save_recording(self, recording: Recording) -> None:
        self._save("recordings", recording.id, recording)

    async def get_recording(self, id: RecordingId) -> Recording | None:
        return self._look().recordings.get(id)

    async def list_recordings(self, *, session: SessionId | None, limit: int, cursor: str | None) -> RecordingPage:
        check_limit(limit)
        before = decode_cursor(cursor) if cursor is not None else None
        found = [
            r
            for r in self._look().recordings.values()
            if (session is None or r.session_id == session) and (before is None or (r.started_at, r.id) < before)
        ]
        found.sort(key=lambda r: (r.started_at, r.id), reverse=True)
        more = len(found) > limit
        found = found[:limit]
        return RecordingPage(recordings=found, next=encode_cursor(found[-1].started_at, found[-1].id) if more else None)

    async def open_recordings(self) -> list[Recording]:
        found = [r for r in self._look().recordings.values() if r.ended_at is None]
        return sorted(found, key=lambda r: (r.started_at, r.id))

    async def due_recordings(self, ended_before: datetime, limit: int) -> list[Recording]:
        check_limit(limit)
        found = [
            (r.ended_at, r.id, r)
            for r in self._look().recordings.values()
            if r.erased_at is None and r.ended_at is not None and r.ended_at < ended_before
        ]
        return [r for _, _, r in sorted(found, key=lambda item: item[:2])[:limit]]

    # templates of faces

    def _one_each(self, template: FaceTemplate) -> None:
        others = (one for one in self._look().templates.values() if one.id != template.id)
        if template.subject is not None and any(one.subject == template.subject for one in others):
            raise Conflict("it exists already")

    async def add_template(self, template: FaceTemplate) -> None:
        self._one_each(template)
        self._add("templates", template.id, template)

    async def save_template(self, template: FaceTemplate) -> None:
        self._one_each(template)
        self._save("templates", template.id, template)

    async def get_template(self, id: TemplateId) -> FaceTemplate | None:
        return self._look().templates.get(id)

    async def list_templates(self, after: str, limit: int) -> list[FaceTemplate]:
        check_limit(limit)
        found = sorted(self._look().templates.values(), key=lambda one: one.id)
        return [one for one in found if one.erased_at is None and one.id > after][:limit]

    async def adopt_templates(self, pack_hash: str, recogniser: str) -> int:
        found = [one for one in self._look().templates.values() if one.pack_hash == pack_hash and not one.recogniser]
        for one in found:
            self._save("templates", one.id, msgspec.structs.replace(one, recogniser=recogniser))
        return len(found)

    # keys and staff

    async def add_api_key(self, key: ApiKey) -> None:
        self._add("api_keys", key.id, key)

    async def save_api_key(self, key: ApiKey) -> None:
        self._save("api_keys", key.id, key)

    async def get_api_key(self, id: ApiKeyId) -> ApiKey | None:
        return self._look().api_keys.get(id)

    async def list_api_keys(self) -> list[ApiKey]:
        return sorted(self._look().api_keys.values(), key=lambda k: (k.created_at, k.id))

    async def add_staff(self, staff: Staff) -> None:
        if await self.staff_by_username(staff.username) is not None:
            raise Conflict("the username is taken")
        self._add("staff", staff.id, staff)

    async def save_staff(self, staff: Staff) -> None:
        other = await self.staff_by_username(staff.username)
        if other is not None and other.id != staff.id:
            raise Conflict("the username is taken")
        self._save("staff", staff.id, staff)

    async def get_staff(self, id: StaffId) -> Staff | None:
        return self._look().staff.get(id)

    async def staff_by_username(self, username: str) -> Staff | None:
        for found in self._look().staff.values():
            if found.username == username:
                return found
        return None

    async def list_staff(self) -> list[Staff]:
        return sorted(self._look().staff.values(), key=lambda s: (s.created_at, s.id))

    async def add_login(self, login: StaffLogin) -> None:
        if login.staff_id not in self._look().staff:
            raise NotFound("no such account")
        self._add("logins", login.id, login)

    async def save_login(self, login: StaffLogin) -> None:
        self._save("logins", login.id, login)

    async def get_login(self, id: LoginId) -> StaffLogin | None:
        return self._look().logins.get(id)

    async def forget_logins(self, before: datetime) -> int:
        rows = self._change("logins")
        old = [id for id, login in rows.items() if login.ends_at < before]
        for id in old:
            del rows[id]
        return len(old)

    # idempotency

    async def get_idempotency(self, scope: str, key: str) -> IdempotencyRecord | None:
        return self._look().idempotency.get((scope, key))

    async def add_idempotency(self, record: IdempotencyRecord) -> None:
        self._add("idempotency", (record.scope, record.key), record)

    async def save_idempotency(self, record: IdempotencyRecord) -> None:
        self._save("idempotency", (record.scope, record.key), record)

    async def drop_idempotency(self, scope: str, key: str) -> None:
        self._change("idempotency").pop((scope, key), None)

    async def forget_idempotency(self, before: datetime) -> int:
        rows = self._change("idempotency")
        old = [key for key, record in rows.items() if record.created_at < before]
        for key in old:
            del rows[key]
        return len(old)

    async def erase_idempotency(self, about: str) -> int:
        rows = self._change("idempotency")
        found = [key for key, record in rows.items() if about and record.about == about]
        for key in found:
            rows[key] = msgspec.structs.replace(rows[key], status=GONE, body=b"")
        return len(found)

    # audit

    async def append_audit(self, event: AuditEvent) -> AuditEntry:
        rows = self._change("audit")
        entry = chain.link(rows.get(len(rows)), event)
        rows[entry.number] = entry
        return entry

    async def audit_head(self) -> int:
        return len(self._look().audit)

    async def list_audit(self, *, after: int, limit: int) -> Sequence[AuditEntry]:
        check_limit(limit)
        rows = self._look().audit
        return [rows[number] for number in range(max(after, 0) + 1, min(max(after, 0) + limit, len(rows)) + 1)]


class MemoryStore:
    """See ``ports.Store``. Nothing survives ``close()``."""

    def __init__(self) -> None:
        self._committed = _Tables()
        self._writer = asyncio.Lock()
        self._owner: asyncio.Task[Any] | None = None
        self._closed = False

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[MemoryTransaction]:
        """A write transaction; see ``ports.Store.begin``. Raises RuntimeError inside another one of the same task."""
        if self._owner is not None and self._owner is asyncio.current_task():
            raise RuntimeError("a write transaction inside a write transaction")
        async with self._writer:
            await self.ping()
            self._owner = asyncio.current_task()
            transaction = MemoryTransaction(self._committed, writable=True)
            try:
                yield transaction
                self._committed = transaction._end()
            finally:
                transaction._end()
                self._owner = None

    @asynccontextmanager
    async def read(self) -> AsyncIterator[MemoryTransaction]:
        await self.ping()
        transaction = MemoryTransaction(self._committed, writable=False)
        try:
            yield transaction
        finally:
            transaction._end()

    async def ping(self) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closed")

    async def scrub(self) -> bool:
        await self.ping()
        return True

    async def close(self) -> None:
        self._closed = True
