"""Records for tests: valid, deterministic, each with its own identifier."""

from datetime import UTC, datetime, timedelta
from itertools import count

from server.audit.events import AuditAction, AuditEvent
from server.domain import ids
from server.domain.ids import (
    ApiKeyId,
    AttemptId,
    CaseId,
    ConsentId,
    FileId,
    InvitationId,
    LoginId,
    MessageId,
    ParticipantId,
    SessionId,
    StaffId,
)
from server.domain.model import (
    ApiKey,
    ChatMessage,
    Consent,
    ConsentDecision,
    ConsentScope,
    FileRecord,
    Invitation,
    Language,
    Participant,
    ParticipantState,
    Role,
    Session,
    SessionKind,
    SessionStatus,
    Staff,
    StaffLogin,
)
from server.transactions.case import Attempt, Case, CaseState
from server.transactions.decision import AttemptKind

T0 = datetime(2026, 3, 1, 8, 30, 0, 123456, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """``seconds`` after the beginning of every test."""
    return T0 + timedelta(seconds=seconds)


class Records:
    """Makes records; identifiers count up, so that the same test makes the same ones."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def skip(self, to: int) -> None:
        """The identifiers go on from ``to``."""
        self._numbers = count(to)

    def id(self, prefix: str) -> str:
        return ids.make_id(prefix, next(self._numbers).to_bytes(ids.ID_BYTES, "big"))

    def session(
        self,
        *,
        created_at: datetime = T0,
        status: SessionStatus = SessionStatus.OPEN,
        customer_reference: str = "",
        waiting_since: datetime | None = None,
        taken_at: datetime | None = None,
    ) -> Session:
        return Session(
            id=SessionId(self.id(ids.SESSION)),
            kind=SessionKind.VIDEO,
            status=status,
            language=Language.ZH,
            customer_reference=customer_reference,
            customer_name="王芳",
            reason="loan",
            context="line\nline ‘quoted’ \U0001f600",
            created_at=created_at,
            created_by="",
            waiting_since=waiting_since,
            taken_at=taken_at,
        )

    def participant(self, session: SessionId, *, identity: str = "walk-in", created_at: datetime = T0) -> Participant:
        return Participant(
            id=ParticipantId(self.id(ids.PARTICIPANT)),
            session_id=session,
            identity=identity,
            role=Role.CUSTOMER,
            name="王芳",
            state=ParticipantState.JOINING,
            created_at=created_at,
        )

    def invitation(
        self,
        session: SessionId,
        *,
        uses_allowed: int = 1,
        code_hash: bytes = b"",
        created_at: datetime = T0,
        expires_at: datetime | None = None,
    ) -> Invitation:
        id = self.id(ids.INVITATION)
        return Invitation(
            id=InvitationId(id),
            session_id=session,
            role=Role.EXPERT,
            name="Expert",
            secret_hash=b"\0\xff" + id.encode(),
            code_hash=code_hash,
            uses_allowed=uses_allowed,
            uses=0,
            created_at=created_at,
            created_by=self.id(ids.STAFF),
            expires_at=expires_at or created_at + timedelta(hours=1),
        )

    def consent(
        self,
        session: SessionId,
        participant: ParticipantId,
        *,
        scope: ConsentScope = ConsentScope.CAMERA,
        decision: ConsentDecision = ConsentDecision.GIVEN,
        decided_at: datetime = T0,
        text: str = "",
    ) -> Consent:
        return Consent(
            id=ConsentId(self.id(ids.CONSENT)),
            session_id=session,
            participant_id=participant,
            scope=scope,
            decision=decision,
            wording="camera-1",
            language=Language.ZH,
            decided_at=decided_at,
            text=text,
        )

    def message(
        self, session: SessionId, participant: ParticipantId, *, client_id: str, text: str = "hello", file: FileId | None = None
    ) -> ChatMessage:
        return ChatMessage(
            id=MessageId(self.id(ids.MESSAGE)),
            session_id=session,
            participant_id=participant,
            client_id=client_id,
            text=text,
            file_id=file,
            sent_at=T0,
            number=0,
        )

    def file(self, session: SessionId, participant: ParticipantId) -> FileRecord:
        return FileRecord(
            id=FileId(self.id(ids.FILE)),
            session_id=session,
            participant_id=participant,
            name="合同.pdf",
            media_type="application/pdf",
            size_bytes=2**40,
            sha256="0" * 64,
            created_at=T0,
        )

    def api_key(self) -> ApiKey:
        return ApiKey(
            id=ApiKeyId(self.id(ids.API_KEY)), name="core banking", secret_hash=bytes(32), created_at=T0, created_by="ST"
        )

    def staff(self, username: str) -> Staff:
        return Staff(
            id=StaffId(self.id(ids.STAFF)),
            username=username,
            name="Li Wei",
            role=Role.AGENT,
            password_hash="$argon2id$…",
            created_at=T0,
        )

    def login(self, staff: StaffId, *, ends_at: datetime | None = None) -> StaffLogin:
        return StaffLogin(id=LoginId(self.id(ids.LOGIN)), staff_id=staff, created_at=T0, ends_at=ends_at or at(3600))

    def case(self, *, policy_hash: str = "ab" * 32, created_at: datetime = T0, session: SessionId | None = None) -> Case:
        """Its policy is not kept yet."""
        until = created_at + timedelta(seconds=900)
        return Case(
            id=CaseId(self.id(ids.CASE)),
            type="card_loss_report",
            customer="c-7f3a",
            state=CaseState.OPEN,
            details_hash="h" * 43,
            key=bytes(range(76)),
            sealed=bytes(range(200)),
            policy_hash=policy_hash,
            consent="consents/1",
            created_at=created_at,
            created_by=ApiKeyId("AK_1"),
            expires_at=until,
            attempts_allowed=3,
            due_at=until,
            session_id=session,
        )

    def attempt(self, case: CaseId, number: int = 1) -> Attempt:
        return Attempt(
            id=AttemptId(self.id(ids.ATTEMPT)),
            case_id=case,
            number=number,
            assurance=AttemptKind.IMAGES,
            started_at=T0,
            started_by="AK_1",
            until=at(120),
        )

    def event(self, *, actor: str = "ST_1", seconds: float = 0, **details: str) -> AuditEvent:
        return AuditEvent(action=AuditAction.SESSION_CREATED, at=at(seconds), actor=actor, session="SE_1", details=details)
