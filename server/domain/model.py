"""The records that a session is made of, and the words they use. Pure data: no I/O, no clock.

Times are aware UTC ``datetime``s. These are what the store keeps; what others may see of them is in ``views.py``.
"""

from datetime import datetime
from enum import StrEnum

import msgspec

from server.domain.ids import (
    STAFF,
    ApiKeyId,
    ConsentId,
    FileId,
    InvitationId,
    LoginId,
    MessageId,
    ParticipantId,
    PdfId,
    RecordingId,
    SessionId,
    StaffId,
    TemplateId,
)


class Role(StrEnum):
    """Who somebody is in a session; resolves to grants (``grants.py``)."""

    CUSTOMER = "customer"
    AGENT = "agent"
    EXPERT = "expert"
    SUPERVISOR = "supervisor"
    SERVICE = "service"


class SessionKind(StrEnum):
    """Presets of grants, not separate code."""

    VIDEO = "video"
    COBROWSE = "cobrowse"
    SAME_SCREEN = "same_screen"
    VERIFICATION = "verification"


class SessionStatus(StrEnum):
    """``waiting`` (in the waiting list) → ``open`` (an agent has it, or it was created by one) → ``ended``."""

    WAITING = "waiting"
    OPEN = "open"
    ENDED = "ended"


class ParticipantState(StrEnum):
    """``joining`` → ``joined`` (signalling) → ``active`` (media) ⇄ ``disconnected`` → ``left``."""

    JOINING = "joining"
    JOINED = "joined"
    ACTIVE = "active"
    DISCONNECTED = "disconnected"
    LEFT = "left"


class LeaveReason(StrEnum):
    LEFT = "left"
    REMOVED = "removed"
    LOST = "lost"
    ENDED = "ended"
    REFUSED = "refused"  # not let in from the waiting room
    REVOKED = "revoked"  # the invitation was withdrawn, or the login was ended
    HANDED_OVER = "handed_over"  # a colleague leads
    TAKEN_OVER = "taken_over"  # a supervisor leads


class Source(StrEnum):
    """What a track shows (W3C has no word for it; LiveKit's ``source``)."""

    MICROPHONE = "microphone"
    CAMERA = "camera"
    SCREEN = "screen"


class ConsentScope(StrEnum):
    """What a person agrees to. The first three are also the names of the sources they open."""

    MICROPHONE = "microphone"
    CAMERA = "camera"
    SCREEN = "screen"
    RECORDING = "recording"
    PAGE_VIEW = "page_view"
    PAGE_CONTROL = "page_control"
    FACE = "face"
    DOCUMENT = "document"


class ConsentDecision(StrEnum):
    GIVEN = "given"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class Language(StrEnum):
    ZH = "zh"
    EN = "en"


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A service encounter with a customer."""

    id: SessionId
    kind: SessionKind
    status: SessionStatus
    language: Language
    customer_reference: str  # the bank's own key for its customer; may be empty
    customer_name: str  # what the customer wants to be called; may be empty
    reason: str  # why the customer calls; shown in the waiting list
    context: str  # summary for an expert, written by an agent or the bank's system
    created_at: datetime
    created_by: str  # a StaffId, an ApiKeyId, or "" for a customer without an appointment
    waiting_since: datetime | None = None
    taken_by: StaffId | None = None
    taken_at: datetime | None = None  # when an agent took it from the waiting list
    ended_at: datetime | None = None
    end_reason: str = ""
    locked_at: datetime | None = None  # nobody new comes in by an invitation since
    waiting_room_at: datetime | None = None  # who newly comes by an invitation waits to be admitted since
    handover_from: ParticipantId | None = None  # a colleague has accepted, and does not lead yet
    handover_to: ParticipantId | None = None
    consults_at: datetime | None = None  # the two talk first: everybody else is on hold since


def by_themselves(session: Session) -> bool:
    """Whether a customer is, or was, in it to be verified with nobody there: one of the bank's systems made it, no agent has taken it, and nobody was asked
    for."""
    made = not session.created_by.startswith(f"{STAFF}_")
    return (
        session.kind is SessionKind.VERIFICATION
        and made
        and session.taken_by is None
        and session.status is not SessionStatus.WAITING
    )


class SupervisionMode(StrEnum):
    """How a supervisor is in a session: heard and seen by nobody, heard by one person, like everybody, or in the lead."""

    LISTEN = "listen"
    WHISPER = "whisper"
    JOIN = "join"
    TAKE_OVER = "take_over"


class Participant(msgspec.Struct, frozen=True, kw_only=True):
    """One person's place in one session."""

    id: ParticipantId
    session_id: SessionId
    identity: str  # stable over re-joins: "staff:ST_…", "invitation:IN_…#1", "walk-in"
    role: Role
    name: str
    state: ParticipantState
    created_at: datetime
    joined_at: datetime | None = None
    left_at: datetime | None = None
    leave_reason: LeaveReason | None = None
    held_at: datetime | None = None  # on hold since: hears and sees nobody, and nobody them
    muted_at: datetime | None = None  # their microphone was muted by somebody else
    listens_at: datetime | None = None  # a supervisor who hears everybody and is heard by nobody, or by one while whispering
    waits_at: datetime | None = None  # in the waiting room since: hears, sees and learns nothing
    login_id: LoginId | None = None  # of staff: the signing in that they came by


STAFF_IDENTITY = "staff:"
INVITED_IDENTITY = "invitation:"  # then the invitation, "#", and which use of it


def staff_of(participant: Participant) -> StaffId | None:
    """The account whose place this is; None for those who came by an invitation or from the waiting list."""
    if not participant.identity.startswith(STAFF_IDENTITY):
        return None
    return StaffId(participant.identity.removeprefix(STAFF_IDENTITY))


def replaced(session: Session, place: Participant) -> bool:
    """Whether an agent was lost, and somebody else has the customer now: the place is good for nothing any more."""
    staff = staff_of(place)
    was_lost = place.leave_reason is LeaveReason.LOST and place.role is Role.AGENT and staff is not None
    return was_lost and session.taken_by not in (None, staff) and session.handover_to != place.id


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """A way in: a link (secret) and a 6-digit code. Only hashes are kept (SHA-256 for the link, keyed HMAC for the code)."""

    id: InvitationId
    session_id: SessionId
    role: Role
    name: str  # who is invited; may be empty
    secret_hash: bytes
    code_hash: bytes  # b"" when made without a code
    uses_allowed: int
    uses: int
    created_at: datetime
    created_by: str
    expires_at: datetime
    revoked_at: datetime | None = None


def dead_because(invitation: Invitation, now: datetime) -> str | None:
    """``revoked``, ``expired``, ``used``, or None while it is live."""
    if invitation.revoked_at is not None:
        return "revoked"
    if invitation.expires_at <= now:
        return "expired"
    if invitation.uses >= invitation.uses_allowed:
        return "used"
    return None


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """One decision of one person about one scope; decisions are appended, the newest of a scope counts."""

    id: ConsentId
    session_id: SessionId
    participant_id: ParticipantId
    scope: ConsentScope
    decision: ConsentDecision
    wording: str  # version of the text that was shown, e.g. "camera-1"
    language: Language
    decided_at: datetime
    text: str = ""  # SHA-256 of that text in that language, hexadecimal (consent_texts.py); "": not one of our pages'


class ChatMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the chat. ``text`` or ``file_id`` is set, or both. ``client_id`` makes sending it idempotent."""

    id: MessageId
    session_id: SessionId
    participant_id: ParticipantId
    client_id: str
    text: str
    file_id: FileId | None
    sent_at: datetime
    number: int  # 1, 2, 3 … within the session


class FileRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A file sent in a chat. The bytes are kept by the file port, not in the database."""

    id: FileId
    session_id: SessionId
    participant_id: ParticipantId
    name: str
    media_type: str
    size_bytes: int
    sha256: str
    created_at: datetime


class PdfRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A PDF that staff brought, to be looked at together. Its bytes are files of the session; name and hash stand there."""

    id: PdfId
    session_id: SessionId
    participant_id: ParticipantId
    file_id: FileId
    pages: int
    sizes: tuple[tuple[float, float], ...]  # of each page as it is shown, in points
    created_at: datetime
    opened_at: datetime | None = None  # the first time
    signed_file_id: FileId | None = None  # with the newest signature, and those before
    signed_at: datetime | None = None
    signatures: int = 0
    looked: str | None = None  # while it is open: where, what is marked and asked; as ``server/pdf/together.py`` writes it


class RecordingEnding(StrEnum):
    """``interrupted``: the server or the machine went down; ``failed``: recorder or disk."""

    COMPLETE = "complete"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An item of the checklist that was done. What was noted beside it is in the recording alone."""

    item: str
    at: datetime
    by: ParticipantId


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """A recording of a session: what of it may be kept in a database. Voices and pictures are in files under a key of their own."""

    id: RecordingId
    session_id: SessionId
    started_at: datetime
    started_by: str
    paused_at: datetime | None = None
    ended_at: datetime | None = None
    ending: RecordingEnding | None = None  # with ended_at
    erased_at: datetime | None = None  # the key is destroyed, the files are gone
    erase_reason: str = ""  # as the reviewer wrote it, or "retention"
    bytes: int = 0
    duration_ms: int = 0
    participants: tuple[ParticipantId, ...] = ()  # whoever was recorded at some time
    checkpoints: tuple[Checkpoint, ...] = ()


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key of one of the bank's systems (role ``service``). Only the SHA-256 of its secret is kept."""

    id: ApiKeyId
    name: str
    secret_hash: bytes
    created_at: datetime
    created_by: str
    revoked_at: datetime | None = None
    recordings: bool = False  # may review recordings
    faces: bool = False  # may check faces and keep templates
    verifications: bool = False  # may have transactions verified
    audit: bool = False  # may read the audit trail, which is of everything
    customers: bool = False  # may take out and erase what is kept of a customer


class FaceTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """A face that pictures are compared with, sealed, apart from whoever it is: the bank's own pseudonym alone says that.

    Once it is erased nothing is left but that it was there.
    """

    id: TemplateId
    subject: str | None  # the bank's pseudonym, one template each; None once erased
    consent: str  # where the bank has this person's separate consent; "" once erased
    pack_hash: str  # of the model pack that made it; hexadecimal SHA-256 of its manifest
    recogniser: str = ""  # what of that pack decides its numbers, hexadecimal; "": from before it was kept, the pack tells
    key: bytes  # its own key, wrapped under the master key; b"" once erased
    sealed: bytes  # AES-256-GCM; b"" once erased
    picture: bytes | None = None  # the one that it was made from, sealed under the same key; None: not kept, or erased
    created_at: datetime
    created_by: str  # an ApiKeyId
    replaced_at: datetime | None = None
    erased_at: datetime | None = None


class Staff(msgspec.Struct, frozen=True, kw_only=True):
    """A member of the bank's staff who signs in with a password (argon2id)."""

    id: StaffId
    username: str
    name: str
    role: Role  # agent, expert or supervisor
    password_hash: str
    created_at: datetime
    disabled_at: datetime | None = None


class StaffLogin(msgspec.Struct, frozen=True, kw_only=True):
    """One signing in of a member of staff: its desk tokens are renewed until ``ends_at``, or until it is ended."""

    id: LoginId
    staff_id: StaffId
    created_at: datetime
    ends_at: datetime
    ended_at: datetime | None = None


def login_stands(login: StaffLogin | None, staff: StaffId, now: datetime) -> bool:
    """Whether this is a login of this account that is not over."""
    return login is not None and login.staff_id == staff and login.ended_at is None and now < login.ends_at
