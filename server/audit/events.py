"""What goes into the audit trail. Pure data."""

from datetime import datetime
from enum import StrEnum

import msgspec


class AuditAction(StrEnum):
    SESSION_CREATED = "session.created"
    SESSION_TAKEN = "session.taken"
    SESSION_UPDATED = "session.updated"
    SESSION_ENDED = "session.ended"
    INVITATION_CREATED = "invitation.created"
    INVITATION_REDEEMED = "invitation.redeemed"
    INVITATION_REFUSED = "invitation.refused"
    INVITATION_REVOKED = "invitation.revoked"
    PARTICIPANT_JOINED = "participant.joined"
    PARTICIPANT_LEFT = "participant.left"
    PARTICIPANT_REMOVED = "participant.removed"
    PARTICIPANT_HELD = "participant.held"
    PARTICIPANT_RESUMED = "participant.resumed"
    PARTICIPANT_MUTED = "participant.muted"
    PARTICIPANT_UNMUTED = "participant.unmuted"
    SUPERVISION_CHANGED = "supervision.changed"
    CONSENT_DECIDED = "consent.decided"
    GRANTS_ISSUED = "grants.issued"
    LOGIN_SUCCEEDED = "login.succeeded"
    LOGIN_FAILED = "login.failed"
    LOGIN_ENDED = "login.ended"
    KEY_CREATED = "key.created"
    KEY_REVOKED = "key.revoked"
    SIGNING_KEY_ROTATED = "signing_key.rotated"
    STAFF_CREATED = "staff.created"
    STAFF_DISABLED = "staff.disabled"
    FILE_RECEIVED = "file.received"


class AuditEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A fact to be recorded. ``actor`` and ``subject`` are ids; ``details`` holds ids, codes and numbers: no personal data."""

    action: AuditAction
    at: datetime
    actor: str
    session: str = ""
    subject: str = ""
    details: dict[str, str] = {}


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An event in the chain: ``hash`` = SHA-256 over ``previous`` and the canonical form of number and event."""

    number: int
    event: AuditEvent
    previous: bytes
    hash: bytes
