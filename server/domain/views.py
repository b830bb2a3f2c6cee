"""What others may see of the records: the wire types that REST bodies and signalling messages share. Pure data."""

from datetime import datetime

import msgspec

from server.domain.ids import FileId, MessageId, ParticipantId, SessionId, StaffId
from server.domain.model import (
    ConsentDecision,
    ConsentScope,
    Language,
    ParticipantState,
    Role,
    SessionKind,
    SessionStatus,
    Source,
)


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """``customer_reference``, ``reason`` and ``context`` are empty for those without the grant ``session.read``.

    ``locked``: nobody new comes in by an invitation. ``waiting_room``: who newly comes by one waits to be admitted.
    """

    id: SessionId
    kind: SessionKind
    status: SessionStatus
    language: Language
    customer_name: str
    customer_reference: str
    reason: str
    context: str
    created_at: datetime
    waiting_since: datetime | None
    ended_at: datetime | None
    end_reason: str
    locked: bool = False
    waiting_room: bool = False


class TrackView(msgspec.Struct, frozen=True, kw_only=True):
    """``on``: the sender is sending. ``open``: consent and grants let the relay forward it."""

    source: Source
    on: bool
    open: bool


class ParticipantView(msgspec.Struct, frozen=True, kw_only=True):
    """``on_hold``: hears and sees nobody. ``muted``: by somebody else; only they can lift it. ``listens``:
    a supervisor who hears and sees everybody and is heard and seen by nobody, or heard by one person they whisper to.
    ``waits``: in the waiting room, hears, sees and learns nothing."""

    id: ParticipantId
    role: Role
    name: str
    state: ParticipantState
    tracks: list[TrackView]
    on_hold: bool = False
    muted: bool = False
    listens: bool = False
    waits: bool = False


class ConsentView(msgspec.Struct, frozen=True, kw_only=True):
    participant: ParticipantId
    scope: ConsentScope
    decision: ConsentDecision
    decided_at: datetime


class FileView(msgspec.Struct, frozen=True, kw_only=True):
    """The bytes are at ``GET /api/v1/sessions/{session}/files/{id}``."""

    id: FileId
    name: str
    media_type: str
    size_bytes: int


class ChatMessageView(msgspec.Struct, frozen=True, kw_only=True):
    id: MessageId
    number: int
    participant: ParticipantId
    name: str
    role: Role
    client_id: str
    text: str
    file: FileView | None
    sent_at: datetime


class AvailableStaff(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody at a desk who may be given a customer. ``busy``: in a session already."""

    id: StaffId
    name: str
    role: Role
    busy: bool


class WaitingEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A customer in the waiting list, oldest first."""

    session: SessionId
    customer_name: str
    reason: str
    language: Language
    waiting_since: datetime
    connected: bool  # whether their page is open


class PersonInside(msgspec.Struct, frozen=True, kw_only=True):
    """``connected`` false: cut off, and the place is kept for some seconds."""

    role: Role
    name: str
    connected: bool


class OccupiedSession(msgspec.Struct, frozen=True, kw_only=True):
    """An open session that somebody is in, as a desk sees it. ``alone_since``: a customer is waiting in it, and nobody leads.

    ``customer_reference`` is empty for those without the grant ``session.read`` in it.
    """

    session: SessionId
    customer_name: str
    customer_reference: str
    reason: str
    language: Language
    created_at: datetime
    people: list[PersonInside]
    alone_since: datetime | None
