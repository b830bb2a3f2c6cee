"""Identifiers: a two-letter prefix and 128 random bits in base32, e.g. ``SE_J2K…``. Pure: the caller brings the bits."""

import base64
import re
from typing import NewType

SessionId = NewType("SessionId", str)
ParticipantId = NewType("ParticipantId", str)
InvitationId = NewType("InvitationId", str)
ConsentId = NewType("ConsentId", str)
MessageId = NewType("MessageId", str)
FileId = NewType("FileId", str)
ApiKeyId = NewType("ApiKeyId", str)
StaffId = NewType("StaffId", str)
LoginId = NewType("LoginId", str)
ConnectionId = NewType("ConnectionId", str)
RecordingId = NewType("RecordingId", str)
TemplateId = NewType("TemplateId", str)
CaseId = NewType("CaseId", str)
AttemptId = NewType("AttemptId", str)
RiskEntryId = NewType("RiskEntryId", str)
WebhookId = NewType("WebhookId", str)
DeliveryId = NewType("DeliveryId", str)
PdfId = NewType("PdfId", str)

SESSION, PARTICIPANT, INVITATION, CONSENT = "SE", "PA", "IN", "CO"
MESSAGE, FILE, API_KEY, STAFF, LOGIN, CONNECTION = "ME", "FI", "AK", "ST", "LO", "CN"
RECORDING, EXPORT = "RE", "EX"
TEMPLATE = "FT"
CASE, ATTEMPT, DECISION = "VE", "AT", "DE"
RISK_ENTRY = "RL"
WEBHOOK, DELIVERY = "WH", "WD"
ERASURE = "ER"
PDF = "PD"
SHARE, VISITOR = "SH", "VI"

ID_BYTES = 16
_PATTERN = re.compile(r"[A-Z]{2}_[A-Z2-7]{26}")


def make_id(prefix: str, random_bytes: bytes) -> str:
    """Return ``prefix_`` + base32 of exactly 16 random bytes. Raises ValueError on any other length."""
    if len(random_bytes) != ID_BYTES:
        raise ValueError(f"an id needs {ID_BYTES} random bytes, not {len(random_bytes)}")
    return f"{prefix}_{base64.b32encode(random_bytes).decode().rstrip('=')}"


def is_id(text: str, prefix: str) -> bool:
    """Whether ``text`` is well formed as an identifier with this prefix."""
    return text.startswith(prefix + "_") and _PATTERN.fullmatch(text) is not None
