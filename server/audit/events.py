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
    PARTICIPANT_ADMITTED = "participant.admitted"
    PARTICIPANT_ROLE_CHANGED = "participant.role_changed"
    SESSION_LOCKED = "session.locked"
    SESSION_UNLOCKED = "session.unlocked"
    SESSION_REQUEUED = "session.requeued"
    SESSION_ASKED = "session.asked"
    WAITING_ROOM_OPENED = "waiting_room.opened"
    WAITING_ROOM_CLOSED = "waiting_room.closed"
    HANDOVER_CHANGED = "handover.changed"
    SUPERVISION_CHANGED = "supervision.changed"
    CONSENT_DECIDED = "consent.decided"
    RECORDING_STARTED = "recording.started"
    RECORDING_PAUSED = "recording.paused"
    RECORDING_RESUMED = "recording.resumed"
    RECORDING_ENDED = "recording.ended"
    RECORDING_FAILED = "recording.failed"
    RECORDING_READ = "recording.read"
    RECORDING_VERIFIED = "recording.verified"
    RECORDING_EXPORTED = "recording.exported"
    RECORDING_ERASED = "recording.erased"
    CHECKPOINT_MARKED = "checkpoint.marked"
    TAP_OPENED = "tap.opened"
    TAP_CLOSED = "tap.closed"
    GRANTS_ISSUED = "grants.issued"
    ACCESS_REFUSED = "access.refused"
    LOGIN_SUCCEEDED = "login.succeeded"
    LOGIN_FAILED = "login.failed"
    LOGIN_ENDED = "login.ended"
    KEY_CREATED = "key.created"
    KEY_REVOKED = "key.revoked"
    SIGNING_KEY_ROTATED = "signing_key.rotated"
    STAFF_CREATED = "staff.created"
    STAFF_DISABLED = "staff.disabled"
    FILE_RECEIVED = "file.received"
    FILE_READ = "file.read"
    CHAT_READ = "chat.read"
    FACE_COMPARED = "face.compared"
    FACE_EXAMINED = "face.examined"
    FACE_LIVENESS_CHECKED = "face.liveness_checked"
    DOCUMENT_READ = "document.read"
    DOCUMENT_COMPARED = "document.compared"
    TEMPLATE_ENROLLED = "template.enrolled"
    TEMPLATE_REPLACED = "template.replaced"
    TEMPLATE_ERASED = "template.erased"
    TEMPLATE_KEYS_REWRAPPED = "template.keys_rewrapped"
    RISK_ENTRY_ADDED = "risk.entry_added"
    RISK_ENTRY_REMOVED = "risk.entry_removed"
    RISK_LISTS_READ = "risk.lists_read"
    RISK_RULES_REPLACED = "risk.rules_replaced"
    RISK_RULES_REMOVED = "risk.rules_removed"
    MODELS_INSTALLED = "models.installed"
    MODELS_REMOVED = "models.removed"
    POLICIES_RELOADED = "policies.reloaded"
    VERIFICATION_CREATED = "verification.created"
    VERIFICATION_REFERENCE_SET = "verification.reference_set"
    VERIFICATION_ATTEMPT_BEGUN = "verification.attempt_begun"
    VERIFICATION_ATTEMPT_ENDED = "verification.attempt_ended"
    VERIFICATION_IDENTIFIED = "verification.identified"
    VERIFICATION_HELD = "verification.held"
    VERIFICATION_RELEASED = "verification.released"
    VERIFICATION_REVIEWED = "verification.reviewed"
    VERIFICATION_READ = "verification.read"
    REVIEWS_LISTED = "reviews.listed"
    VERIFICATION_ENDED = "verification.ended"
    VERIFICATION_REDEEMED = "verification.redeemed"
    VERIFICATION_REDEEM_REFUSED = "verification.redeem_refused"
    EVIDENCE_READ = "evidence.read"
    EVIDENCE_EXPORTED = "evidence.exported"
    EVIDENCE_ERASED = "evidence.erased"
    EVIDENCE_KEYS_REWRAPPED = "evidence.keys_rewrapped"
    CUSTOMER_LOCKED = "customer.locked"
    CUSTOMER_UNLOCKED = "customer.unlocked"
    CUSTOMER_EXPORTED = "customer.exported"
    CUSTOMER_ERASED = "customer.erased"
    WEBHOOK_CREATED = "webhook.created"
    WEBHOOK_ENDED = "webhook.ended"
    WEBHOOK_REPLAYED = "webhook.replayed"


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
