"""One transaction on a SQL database, in SQLAlchemy Core; see ``ports.Transaction``. Opened by ``sql.SqlStore`` only."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    ColumnElement,
    Executable,
    Insert,
    Table,
    Update,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from server.audit import chain
from server.audit.events import AuditEntry, AuditEvent
from server.domain import ids
from server.domain.ids import (
    ApiKeyId,
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
    SessionKind,
    SessionStatus,
    Staff,
    StaffLogin,
)
from server.errors import Conflict, NotFound, StoreUnavailable
from server.store import direct
from server.store import tables as t
from server.store.codec import GONE, check_limit, check_record, check_text, decode_cursor, encode_cursor
from server.store.ports import IdempotencyRecord, Page, RecordingPage
from server.store.rows import Row, audit_from_row, audit_to_row, from_row, to_row
from server.store.sql_cases import CaseRows
from server.store.sql_customers import CustomerRows
from server.store.sql_risk import RiskRows
from server.store.sql_webhooks import WebhookRows

_Record = TypeVar("_Record", bound=msgspec.Struct)
_FOREIGN_KEY_CODES = {"SQLITE_CONSTRAINT_FOREIGNKEY", "23503"}  # SQLite's name; PostgreSQL's SQLSTATE

_HEAD = select(t.audit).order_by(t.audit.c.number.desc()).limit(1)


@cache
def _inserted(table: Table) -> Insert:
    return insert(table)


@cache
def _updated(table: Table) -> Update:
    return update(table).where(table.c.id == bindparam("this"))


@contextmanager
def translated() -> Iterator[None]:
    """No exception of a driver crosses: what it raises becomes StoreUnavailable, or NotFound/Conflict for a constraint."""
    try:
        yield
    except (IntegrityError, sqlite3.IntegrityError) as exc:
        if _reason(getattr(exc, "orig", exc)) in _FOREIGN_KEY_CODES:
            raise NotFound("what it belongs to does not exist") from exc
        raise Conflict("it exists already") from exc
    except DBAPIError as exc:
        raise StoreUnavailable(f"the database failed: {_reason(exc.orig)}") from exc
    except sqlite3.Error as exc:
        raise StoreUnavailable(f"the database failed: {_reason(exc)}") from exc
    except (SQLAlchemyError, OSError) as exc:
        raise StoreUnavailable(f"the database failed: {type(exc).__name__}") from exc


def _reason(error: BaseException | None) -> str:
    """A code, never the driver's text, which may quote values."""
    code = getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None)
    return str(code or type(error).__name__)


class SqlTransaction(CaseRows, CustomerRows, RiskRows, WebhookRows):
    """See ``ports.Transaction``. After any error but Conflict the block must be left."""

    def __init__(self, connection: AsyncConnection, *, writable: bool) -> None:
        self._connection = connection
        self._driver = direct.driver_of(connection)
        self._writable = writable
        self._open = True
        self._savepoints = connection.dialect.name != "sqlite"  # SQLite undoes the failed statement alone
        self._failures = {}
        self._head: AuditEntry | None = (
            None  # of the audit, once this transaction has written one: nobody else writes meanwhile
        )

    def end(self) -> None:
        self._open = False

    async def _rows(self, query: Executable, values: Mapping[str, Any] | None = None) -> Sequence[Row]:
        if not self._open:
            raise RuntimeError("the transaction is over")
        with translated():
            read: Callable[[], Sequence[Row]]
            if self._driver is not None and values is not None:
                read = await direct.rows(self._driver, query, values)
            else:
                read = (await self._connection.execute(query, values)).mappings().all
            try:
                return read()
            except (ValueError, TypeError) as exc:  # a value that its column's type cannot be
                raise StoreUnavailable("a stored record cannot be read") from exc

    async def run(self, statement: Executable) -> None:
        """A statement of the store itself."""
        with translated():
            await self._connection.execute(statement)

    async def _change(self, statement: Executable, row: dict[str, Any] | None = None) -> int:
        """Rows changed. ``row``: values of the statement, which without them is the same each time and compiled once."""
        self._check_writable()
        with translated():
            if self._driver is not None and row is not None:
                return await direct.change(self._driver, statement, row)
            if not self._savepoints:
                return (await self._connection.execute(statement, row)).rowcount
            async with self._connection.begin_nested():
                return (await self._connection.execute(statement, row)).rowcount

    async def _change_later(self, statement: Executable, row: dict[str, Any]) -> None:
        self._check_writable()
        if self._driver is not None:
            direct.later(self._driver, statement, row)
        else:
            await self._change(statement, row)

    def _check_writable(self) -> None:
        if not self._open:
            raise RuntimeError("the transaction is over")
        if not self._writable:
            raise RuntimeError("a read-only snapshot cannot be written")

    async def _add(self, table: Table, record: msgspec.Struct) -> None:
        self._check_writable()
        check_record(record)
        await self._change(_inserted(table), to_row(record))

    async def _save(self, table: Table, id: str, record: msgspec.Struct) -> None:
        self._check_writable()
        check_record(record)
        if not await self._change(_updated(table), {**to_row(record), "this": id}):
            raise NotFound("no such record")

    async def _find(self, type: type[_Record], table: Table, *where: ColumnElement[bool]) -> _Record | None:
        rows = await self._rows(select(table).where(*where).limit(1))
        return from_row(rows[0], type) if rows else None

    async def _all(self, type: type[_Record], table: Table, *where: ColumnElement[bool]) -> list[_Record]:
        """Oldest first."""
        rows = await self._rows(select(table).where(*where).order_by(table.c.created_at, table.c.id))
        return [from_row(row, type) for row in rows]

    # sessions

    async def add_session(self, session: Session) -> None:
        await self._add(t.sessions, session)

    async def save_session(self, session: Session) -> None:
        await self._save(t.sessions, session.id, session)

    async def get_session(self, id: SessionId) -> Session | None:
        return await self._get(Session, t.sessions, id)

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
        c = t.sessions.c
        query = select(t.sessions).order_by(c.created_at.desc(), c.id.desc()).limit(limit + 1)
        if status is not None:
            query = query.where(c.status == status.value)
        if customer_reference is not None:
            check_text("customer_reference", customer_reference)
            query = query.where(c.customer_reference == customer_reference)
        if seen_by is not None:
            own = or_(c.created_by == seen_by, c.taken_by == seen_by)
            alone = and_(c.kind == SessionKind.VERIFICATION.value, c.status != SessionStatus.WAITING.value)
            free = and_(c.taken_by.is_(None), ~c.created_by.startswith(f"{ids.STAFF}_", autoescape=True), ~alone)
            query = query.where(own if customer_reference is not None else or_(free, own))
        if cursor is not None:
            at, id = decode_cursor(cursor)
            query = query.where(or_(c.created_at < at, and_(c.created_at == at, c.id < id)))
        rows = await self._rows(query)
        found = [from_row(row, Session) for row in rows[:limit]]
        return Page(sessions=found, next=encode_cursor(found[-1].created_at, found[-1].id) if len(rows) > limit else None)

    async def waiting_sessions(self) -> list[Session]:
        c = t.sessions.c
        waiting = and_(c.status == SessionStatus.WAITING.value, c.waiting_since.is_not(None))
        rows = await self._rows(select(t.sessions).where(waiting).order_by(c.waiting_since, c.id))
        return [from_row(row, Session) for row in rows]

    async def recent_wait_seconds(self, limit: int) -> list[float]:
        check_limit(limit)
        c = t.sessions.c
        query = select(c.taken_at, c.waiting_since).where(c.taken_at.is_not(None), c.waiting_since.is_not(None))
        rows = await self._rows(query.order_by(c.taken_at.desc(), c.id.desc()).limit(limit))
        return [(row["taken_at"] - row["waiting_since"]).total_seconds() for row in rows]

    # participants

    async def add_participant(self, participant: Participant) -> None:
        await self._add(t.participants, participant)

    async def save_participant(self, participant: Participant) -> None:
        await self._save(t.participants, participant.id, participant)

    async def get_participant(self, id: ParticipantId) -> Participant | None:
        return await self._get(Participant, t.participants, id)

    async def find_participant(self, session: SessionId, identity: str) -> Participant | None:
        c = t.participants.c
        return await self._find(Participant, t.participants, c.session_id == session, c.identity == identity)

    async def list_participants(self, session: SessionId) -> list[Participant]:
        return await self._all(Participant, t.participants, t.participants.c.session_id == session)

    # invitations

    async def add_invitation(self, invitation: Invitation) -> None:
        self._check_writable()
        if invitation.code_hash and await self.live_invitations_by_code(invitation.code_hash, invitation.created_at):
            raise Conflict("the code is in use")
        await self._add(t.invitations, invitation)

    async def save_invitation(self, invitation: Invitation) -> None:
        await self._save(t.invitations, invitation.id, invitation)

    async def get_invitation(self, id: InvitationId) -> Invitation | None:
        return await self._get(Invitation, t.invitations, id)

    async def invitation_by_secret(self, secret_hash: bytes) -> Invitation | None:
        return await self._find(Invitation, t.invitations, t.invitations.c.secret_hash == secret_hash)

    async def live_invitations_by_code(self, code_hash: bytes, now: datetime) -> list[Invitation]:
        if not code_hash:
            return []
        return await self._all(Invitation, t.invitations, t.invitations.c.code_hash == code_hash, _live(now))

    async def list_invitations(self, session: SessionId) -> list[Invitation]:
        return await self._all(Invitation, t.invitations, t.invitations.c.session_id == session)

    async def use_invitation(self, id: InvitationId, now: datetime) -> Invitation | None:
        c = t.invitations.c
        if not await self._change(update(t.invitations).where(c.id == id, _live(now)).values(uses=c.uses + 1)):
            return None
        return await self.get_invitation(id)

    # consents

    async def add_consent(self, consent: Consent) -> None:
        await self._add(t.consents, consent)

    async def latest_consents(self, session: SessionId) -> list[Consent]:
        c = t.consents.c
        newest = select(func.max(c.sequence)).where(c.session_id == session).group_by(c.participant_id, c.scope)
        query = select(t.consents).where(c.sequence.in_(newest)).order_by(c.participant_id, c.scope)
        return [from_row(row, Consent) for row in await self._rows(query)]

    # chat

    async def add_message(self, message: ChatMessage) -> ChatMessage:
        self._check_writable()
        check_record(message)
        c = t.messages.c
        first = await self._find(
            ChatMessage,
            t.messages,
            c.session_id == message.session_id,
            c.participant_id == message.participant_id,
            c.client_id == message.client_id,
        )
        if first is not None:
            return first
        rows = await self._rows(select(func.max(c.number).label("last")).where(c.session_id == message.session_id))
        numbered = msgspec.structs.replace(message, number=(rows[0]["last"] or 0) + 1)
        await self._add(t.messages, numbered)
        return numbered

    async def list_messages(self, session: SessionId, *, after: int, limit: int) -> list[ChatMessage]:
        check_limit(limit)
        c = t.messages.c
        query = select(t.messages).where(c.session_id == session, c.number > after).order_by(c.number).limit(limit)
        return [from_row(row, ChatMessage) for row in await self._rows(query)]

    async def last_messages(self, session: SessionId, limit: int) -> list[ChatMessage]:
        check_limit(limit)
        c = t.messages.c
        query = select(t.messages).where(c.session_id == session).order_by(c.number.desc()).limit(limit)
        return [from_row(row, ChatMessage) for row in reversed(await self._rows(query))]

    async def add_file(self, file: FileRecord) -> None:
        await self._add(t.files, file)

    async def get_file(self, id: FileId) -> FileRecord | None:
        return await self._get(FileRecord, t.files, id)

    async def session_file_bytes(self, session: SessionId) -> int:
        total = func.coalesce(func.sum(t.files.c.size_bytes), 0).label("total")
        rows = await self._rows(select(total).where(t.files.c.session_id == session))
        return int(rows[0]["total"])

    async def add_pdf(self, pdf: PdfRecord) -> None:
        await self._add(t.pdfs, pdf)

    async def save_pdf(self, pdf: PdfRecord) -> None:
        await self._save(t.pdfs, pdf.id, pdf)

    async def get_pdf(self, id: PdfId) -> PdfRecord | None:
        return await self._get(PdfRecord, t.pdfs, id)

    async def session_pdfs(self, session: SessionId) -> list[PdfRecord]:
        return await self._all(PdfRecord, t.pdfs, t.pdfs.c.session_id == session)

    # recordings

    async def add_recording(self, recording: Recording) -> None:
        await self._add(t.recordings, recording)

    async def save_recording(self, recording: Recording) -> None:
        await self._save(t.recordings, recording.id, recording)

    async def get_recording(self, id: RecordingId) -> Recording | None:
        return await self._get(Recording, t.recordings, id)

    async def list_recordings(self, *, session: SessionId | None, limit: int, cursor: str | None) -> RecordingPage:
        check_limit(limit)
        c = t.recordings.c
        query = select(t.recordings).order_by(c.started_at.desc(), c.id.desc()).limit(limit + 1)
        if session is not None:
            query = query.where(c.session_id == session)
        if cursor is not None:
            started_at, id = decode_cursor(cursor)
            query = query.where(or_(c.started_at < started_at, and_(c.started_at == started_at, c.id < id)))
        found = [from_row(row, Recording) for row in await self._rows(query)]
        more, found = len(found) > limit, found[:limit]
        return RecordingPage(recordings=found, next=encode_cursor(found[-1].started_at, found[-1].id) if more else None)

    async def open_recordings(self) -> list[Recording]:
        c = t.recordings.c
        query = select(t.recordings).where(c.ended_at.is_(None)).order_by(c.started_at, c.id)
        return [from_row(row, Recording) for row in await self._rows(query)]

    async def due_recordings(self, ended_before: datetime, limit: int) -> list[Recording]:
        check_limit(limit)
        c = t.recordings.c
        query = select(t.recordings).where(c.erased_at.is_(None), c.ended_at < ended_before).order_by(c.ended_at, c.id)
        return [from_row(row, Recording) for row in await self._rows(query.limit(limit))]

    # templates of faces

    async def add_template(self, template: FaceTemplate) -> None:
        await self._add(t.face_templates, template)

    async def save_template(self, template: FaceTemplate) -> None:
        await self._save(t.face_templates, template.id, template)

    async def get_template(self, id: TemplateId) -> FaceTemplate | None:
        return await self._get(FaceTemplate, t.face_templates, id)

    async def list_templates(self, after: str, limit: int) -> list[FaceTemplate]:
        check_limit(limit)
        c = t.face_templates.c
        query = select(t.face_templates).where(c.erased_at.is_(None), c.id > after).order_by(c.id).limit(limit)
        return [from_row(row, FaceTemplate) for row in await self._rows(query)]

    async def adopt_templates(self, pack_hash: str, recogniser: str) -> int:
        c = t.face_templates.c
        unsaid = update(t.face_templates).where(c.pack_hash == pack_hash, c.recogniser == "")
        return await self._change(unsaid.values(recogniser=recogniser))

    # keys and staff

    async def add_api_key(self, key: ApiKey) -> None:
        await self._add(t.api_keys, key)

    async def save_api_key(self, key: ApiKey) -> None:
        await self._save(t.api_keys, key.id, key)

    async def get_api_key(self, id: ApiKeyId) -> ApiKey | None:
        return await self._get(ApiKey, t.api_keys, id)

    async def list_api_keys(self) -> list[ApiKey]:
        return await self._all(ApiKey, t.api_keys)

    async def add_staff(self, staff: Staff) -> None:
        await self._add(t.staff, staff)

    async def save_staff(self, staff: Staff) -> None:
        await self._save(t.staff, staff.id, staff)

    async def get_staff(self, id: StaffId) -> Staff | None:
        return await self._get(Staff, t.staff, id)

    async def staff_by_username(self, username: str) -> Staff | None:
        return await self._find(Staff, t.staff, t.staff.c.username == username)

    async def list_staff(self) -> list[Staff]:
        return await self._all(Staff, t.staff)

    async def add_login(self, login: StaffLogin) -> None:
        await self._add(t.logins, login)

    async def save_login(self, login: StaffLogin) -> None:
        await self._save(t.logins, login.id, login)

    async def get_login(self, id: LoginId) -> StaffLogin | None:
        return await self._get(StaffLogin, t.logins, id)

    async def forget_logins(self, before: datetime) -> int:
        return await self._change(delete(t.logins).where(t.logins.c.ends_at < before))

    # idempotency

    async def get_idempotency(self, scope: str, key: str) -> IdempotencyRecord | None:
        c = t.idempotency.c
        return await self._find(IdempotencyRecord, t.idempotency, c.scope == scope, c.key == key)

    async def add_idempotency(self, record: IdempotencyRecord) -> None:
        await self._add(t.idempotency, record)

    async def save_idempotency(self, record: IdempotencyRecord) -> None:
        self._check_writable()
        check_record(record)
        c = t.idempotency.c
        there = update(t.idempotency).where(c.scope == record.scope, c.key == record.key)
        if not await self._change(there.values(to_row(record))):
            raise NotFound("no such record")

    async def drop_idempotency(self, scope: str, key: str) -> None:
        c = t.idempotency.c
        await self._change(delete(t.idempotency).where(c.scope == scope, c.key == key))

    async def forget_idempotency(self, before: datetime) -> int:
        return await self._change(delete(t.idempotency).where(t.idempotency.c.created_at < before))

    async def erase_idempotency(self, about: str) -> int:
        made = update(t.idempotency).where(t.idempotency.c.about == about, t.idempotency.c.about != "")
        return await self._change(made.values(status=GONE, body=b""))

    # audit

    async def append_audit(self, event: AuditEvent) -> AuditEntry:
        self._check_writable()
        if self._head is None:
            rows = await self._rows(_HEAD, {})
            self._head = audit_from_row(rows[0]) if rows else None
        entry = chain.link(self._head, event)
        await self._change_later(_inserted(t.audit), audit_to_row(entry))
        self._head = entry
        return entry

    async def audit_head(self) -> int:
        rows = await self._rows(select(func.max(t.audit.c.number).label("head")))
        return int(rows[0]["head"] or 0)

    async def list_audit(self, *, after: int, limit: int) -> Sequence[AuditEntry]:
        check_limit(limit)
        c = t.audit.c
        query = select(t.audit).where(c.number > after).order_by(c.number).limit(limit)
        return [audit_from_row(row) for row in await self._rows(query)]


def _live(now: datetime) -> ColumnElement[bool]:
    c = t.invitations.c
    return and_(c.revoked_at.is_(None), c.uses < c.uses_allowed, c.expires_at > now)
