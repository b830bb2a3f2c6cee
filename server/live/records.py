"""What live sessions write down: each method is one transaction, with its audit entry, and has a deadline."""

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from server.audit.events import AuditAction, AuditEvent
from server.domain import ids
from server.domain.consent_texts import is_for_another, text_of
from server.domain.ids import ConsentId, FileId, LoginId, MessageId, ParticipantId, SessionId, StaffId
from server.domain.model import (
    ChatMessage,
    Consent,
    ConsentDecision,
    FileRecord,
    LeaveReason,
    Participant,
    ParticipantState,
    PdfRecord,
    Session,
    SessionStatus,
    StaffLogin,
    SupervisionMode,
    login_stands,
)
from server.errors import Gone, Invalid, NotFound
from server.live.transactions import Transactions
from server.signalling.messages import ChatSend, ConsentSet
from server.store.ports import Transaction

SESSIONS_A_PAGE = 100


@dataclass(frozen=True, slots=True)
class Loaded:
    session: Session
    participants: list[Participant]
    consents: list[Consent]
    pdf: PdfRecord | None  # that is open


@dataclass(frozen=True, slots=True)
class Posted:
    """``repeated``: the same ``client_id`` had been stored before, and this is that message."""

    message: ChatMessage
    file: FileRecord | None
    repeated: bool


class Standing(StrEnum):
    """What somebody else may decide of a participant's media, by the field of the record that says since when."""

    HELD = "held_at"
    MUTED = "muted_at"


_STOOD = {
    (Standing.HELD, True): AuditAction.PARTICIPANT_HELD,
    (Standing.HELD, False): AuditAction.PARTICIPANT_RESUMED,
    (Standing.MUTED, True): AuditAction.PARTICIPANT_MUTED,
    (Standing.MUTED, False): AuditAction.PARTICIPANT_UNMUTED,
}


class Records(Transactions):
    async def load(self, session: SessionId) -> Loaded:
        """Raises NotFound, StoreUnavailable."""
        async with self._reading() as tx:
            record = await tx.get_session(session)
            if record is None:
                raise NotFound("There is no such session.")
            people, consents = await tx.list_participants(session), await tx.latest_consents(session)
            pdfs = await tx.session_pdfs(session)
            return Loaded(record, people, consents, next((one for one in pdfs if one.looked is not None), None))

    async def participant(self, id: ParticipantId) -> Participant | None:
        async with self._reading() as tx:
            return await tx.get_participant(id)

    async def login(self, staff: StaffId, id: LoginId) -> StaffLogin | None:
        """None when it is over, or the account was disabled."""
        async with self._reading() as tx:
            account, login = await tx.get_staff(staff), await tx.get_login(id)
        active = account is not None and account.disabled_at is None
        return login if active and login_stands(login, staff, self._clock.now()) else None

    async def history(self, session: SessionId, limit: int) -> tuple[list[ChatMessage], dict[FileId, FileRecord]]:
        """The newest messages, ascending, and the files they name."""
        files: dict[FileId, FileRecord] = {}
        async with self._reading() as tx:
            messages = await tx.last_messages(session, limit)
            for message in messages:
                if message.file_id is not None and (file := await tx.get_file(message.file_id)) is not None:
                    files[file.id] = file
        return messages, files

    async def unfinished(self) -> list[SessionId]:
        """Sessions that are not over."""
        found: list[SessionId] = []
        for status in (SessionStatus.OPEN, SessionStatus.WAITING):
            cursor: str | None = None
            while True:
                async with self._reading() as tx:
                    page = await tx.list_sessions(status=status, customer_reference=None, limit=SESSIONS_A_PAGE, cursor=cursor)
                found += [session.id for session in page.sessions]
                cursor = page.next
                if cursor is None:
                    break
        return found

    async def join(self, participant: ParticipantId) -> Participant:
        """They are here: ``joined``. Raises NotFound, Gone (they left for good, or were removed meanwhile)."""
        now = self._clock.now()
        async with self._writing() as tx:
            current = await tx.get_participant(participant)
            if current is None:
                raise NotFound("There is no such participant.")
            if not may_join(current):
                raise Gone("This place was given up.")
            joined = msgspec.structs.replace(
                current,
                state=ParticipantState.JOINED,
                joined_at=current.joined_at or now,
                left_at=None,
                leave_reason=None,
            )
            await tx.save_participant(joined)
            await tx.append_audit(
                AuditEvent(
                    action=AuditAction.PARTICIPANT_JOINED,
                    at=now,
                    actor=joined.id,
                    session=joined.session_id,
                    subject=joined.id,
                    details={"role": joined.role.value, "again": "no" if current.joined_at is None else "yes"},
                )
            )
        return joined

    async def leave(self, participant: ParticipantId, reason: LeaveReason, actor: str) -> Participant:
        """They are gone. Raises NotFound, Gone (they were gone before)."""
        now = self._clock.now()
        async with self._writing() as tx:
            current = await tx.get_participant(participant)
            if current is None:
                raise NotFound("There is no such participant.")
            if current.state is ParticipantState.LEFT and current.leave_reason is not LeaveReason.LOST:
                raise Gone("They have left already.")
            left = msgspec.structs.replace(current, state=ParticipantState.LEFT, left_at=now, leave_reason=reason)
            await tx.save_participant(left)
            removed = reason is LeaveReason.REMOVED
            await tx.append_audit(
                AuditEvent(
                    action=AuditAction.PARTICIPANT_REMOVED if removed else AuditAction.PARTICIPANT_LEFT,
                    at=now,
                    actor=actor,
                    session=left.session_id,
                    subject=left.id,
                    details={"reason": reason.value},
                )
            )
        return left

    async def stand(self, participant: ParticipantId, standing: Standing, yes: bool, actor: str) -> Participant:
        """On hold or muted from now on, or no longer. Saying it again changes nothing. Raises NotFound, Gone (they left)."""
        now = self._clock.now()
        async with self._writing() as tx:
            current = await here(tx, participant)
            if (getattr(current, standing.value) is not None) is yes:
                return current
            changed = msgspec.structs.replace(current, **{standing.value: now if yes else None})
            await tx.save_participant(changed)
            await tx.append_audit(
                AuditEvent(action=_STOOD[standing, yes], at=now, actor=actor, session=changed.session_id, subject=changed.id)
            )
        return changed

    async def supervise(self, participant: ParticipantId, mode: SupervisionMode, to: ParticipantId | None) -> Participant:
        """A supervisor listens, whispers or joins in from now on. Raises NotFound, Gone (they left)."""
        now = self._clock.now()
        async with self._writing() as tx:
            current = await here(tx, participant)
            since = None if mode is SupervisionMode.JOIN else current.listens_at or now
            changed = msgspec.structs.replace(current, listens_at=since)
            await tx.save_participant(changed)
            await tx.append_audit(
                AuditEvent(
                    action=AuditAction.SUPERVISION_CHANGED,
                    at=now,
                    actor=participant,
                    session=changed.session_id,
                    subject=to or participant,
                    details={"mode": mode.value},
                )
            )
        return changed

    async def decide(self, session: SessionId, participant: ParticipantId, body: ConsentSet) -> Consent:
        """Raises Invalid: they agree to something by a text that asks for something else."""
        if body.decision is ConsentDecision.GIVEN and is_for_another(body.scope, body.wording):
            raise Invalid("This text asks for something else.")
        now = self._clock.now()
        consent = Consent(
            id=ConsentId(self._make_id(ids.CONSENT)),
            session_id=session,
            participant_id=participant,
            scope=body.scope,
            decision=body.decision,
            wording=body.wording,
            language=body.language,
            decided_at=now,
            text=text_of(body.scope, body.wording, body.language),
        )
        async with self._writing() as tx:
            await tx.add_consent(consent)
            await tx.append_audit(
                AuditEvent(
                    action=AuditAction.CONSENT_DECIDED,
                    at=now,
                    actor=participant,
                    session=session,
                    subject=consent.id,
                    details={
                        "scope": body.scope.value,
                        "decision": body.decision.value,
                        "wording": consent.wording,
                        "language": consent.language.value,
                        **({"text": consent.text} if consent.text else {}),
                    },
                )
            )
        return consent

    async def post(self, session: SessionId, participant: ParticipantId, body: ChatSend) -> Posted:
        """Raises NotFound for a file that is not of this session."""
        message = ChatMessage(
            id=MessageId(self._make_id(ids.MESSAGE)),
            session_id=session,
            participant_id=participant,
            client_id=body.client_id,
            text=body.text,
            file_id=body.file,
            sent_at=self._clock.now(),
            number=0,
        )
        file: FileRecord | None = None
        async with self._writing() as tx:
            if body.file is not None:
                file = await tx.get_file(body.file)
                if file is None or file.session_id != session:
                    raise NotFound("There is no such file in this session.")
            stored = await tx.add_message(message)
            if stored.file_id != body.file:
                file = await tx.get_file(stored.file_id) if stored.file_id is not None else None
        return Posted(stored, file, stored.id != message.id)


def may_join(participant: Participant) -> bool:
    """A place that was lost can be taken again with the same token; one that was given up or taken away cannot."""
    return participant.state is not ParticipantState.LEFT or participant.leave_reason is LeaveReason.LOST


async def here(tx: Transaction, participant: ParticipantId) -> Participant:
    """Raises NotFound, Gone (they left for good)."""
    current = await tx.get_participant(participant)
    if current is None:
        raise NotFound("There is no such participant.")
    if not may_join(current):
        raise Gone("They have left already.")
    return current
