"""The tables. Records go in and out by column name, which is the record's field name; see ``rows.py``.

Change them together with a new revision in ``migrations/versions``; a test compares the two.
"""

from datetime import UTC, datetime

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
)


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC time with microseconds. SQLite has no zones: there the naive UTC time is stored, which sorts right."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Json(TypeDecorator[object]):
    """Lists and structs as JSON text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: object, dialect: Dialect) -> str:
        return msgspec.json.encode(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> object:
        """A text that is none of JSON raises ValueError, which is a record that cannot be read."""
        return msgspec.json.decode(value or "[]")


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_ID = String(40)
_WORD = String(40)  # a value of an enumeration

sessions = Table(
    "sessions",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("kind", _WORD, nullable=False),
    Column("status", _WORD, nullable=False),
    Column("language", _WORD, nullable=False),
    Column("customer_reference", Text, nullable=False),
    Column("customer_name", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("context", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("waiting_since", UtcTime),
    Column("taken_by", _ID),
    Column("taken_at", UtcTime),
    Column("ended_at", UtcTime),
    Column("end_reason", Text, nullable=False),
    Column("locked_at", UtcTime),
    Column("waiting_room_at", UtcTime),
    Column("handover_from", _ID),
    Column("handover_to", _ID),
    Column("consults_at", UtcTime),
    Index(None, "created_at", "id"),
    Index(None, "customer_reference", "created_at"),
    Index(None, "status", "created_at"),
    Index(None, "taken_at"),
)

participants = Table(
    "participants",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("session_id", _ID, ForeignKey("sessions.id"), nullable=False),
    Column("identity", Text, nullable=False),
    Column("role", _WORD, nullable=False),
    Column("name", Text, nullable=False),
    Column("state", _WORD, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("joined_at", UtcTime),
    Column("left_at", UtcTime),
    Column("leave_reason", _WORD),
    Column("held_at", UtcTime),
    Column("muted_at", UtcTime),
    Column("listens_at", UtcTime),
    Column("waits_at", UtcTime),
    Column("login_id", _ID),
    UniqueConstraint("session_id", "identity"),
    UniqueConstraint("session_id", "id"),  # what the pairs below refer to
)

invitations = Table(
    "invitations",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("session_id", _ID, ForeignKey("sessions.id"), nullable=False),
    Column("role", _WORD, nullable=False),
    Column("name", Text, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False, unique=True),
    Column("code_hash", LargeBinary, nullable=False),
    Column("uses_allowed", Integer, nullable=False),
    Column("uses", Integer, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("revoked_at", UtcTime),
    Index(None, "session_id"),
    Index(None, "code_hash"),
)


consents = Table(
    "consents",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=True),  # which of two decisions is the newer one
    Column("id", _ID, nullable=False, unique=True),
    Column("session_id", _ID, nullable=False),
    Column("participant_id", _ID, nullable=False),
    Column("scope", _WORD, nullable=False),
    Column("decision", _WORD, nullable=False),
    Column("wording", Text, nullable=False),
    Column("language", _WORD, nullable=False),
    Column("decided_at", UtcTime, nullable=False),
    Column("text", Text, nullable=False, server_default=""),
    ForeignKeyConstraint(["session_id", "participant_id"], ["participants.session_id", "participants.id"]),
    Index(None, "session_id", "participant_id", "scope"),
    sqlite_autoincrement=True,
)

files = Table(
    "files",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("session_id", _ID, nullable=False),
    Column("participant_id", _ID, nullable=False),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    ForeignKeyConstraint(["session_id", "participant_id"], ["participants.session_id", "participants.id"]),
    Index(None, "session_id", "participant_id"),
)

pdfs = Table(
    "pdfs",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("session_id", _ID, nullable=False),
    Column("participant_id", _ID, nullable=False),
    Column("file_id", _ID, ForeignKey("files.id"), nullable=False),
    Column("pages", Integer, nullable=False),
    Column("sizes", Json, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("opened_at", UtcTime),
    Column("signed_file_id", _ID, ForeignKey("files.id")),
    Column("signed_at", UtcTime),
    Column("signatures", Integer, nullable=False),
    Column("looked", Text),
    ForeignKeyConstraint(["session_id", "participant_id"], ["participants.session_id", "participants.id"]),
    Index(None, "session_id", "created_at"),
)

messages = Table(
    "messages",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("session_id", _ID, nullable=False),
    Column("participant_id", _ID, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("file_id", _ID, ForeignKey("files.id")),
    Column("sent_at", UtcTime, nullable=False),
    Column("number", BigInteger, nullable=False),
    ForeignKeyConstraint(["session_id", "participant_id"], ["participants.session_id", "participants.id"]),
    UniqueConstraint("session_id", "number"),
    UniqueConstraint("session_id", "participant_id", "client_id"),
)

recordings = Table(
    "recordings",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("session_id", _ID, ForeignKey("sessions.id"), nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("started_by", Text, nullable=False),
    Column("paused_at", UtcTime),
    Column("ended_at", UtcTime),
    Column("ending", _WORD),
    Column("erased_at", UtcTime),
    Column("erase_reason", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("duration_ms", BigInteger, nullable=False),
    Column("participants", Json, nullable=False),
    Column("checkpoints", Json, nullable=False),
    Index(None, "started_at", "id"),
    Index(None, "session_id", "started_at"),
    Index(None, "ended_at"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("name", Text, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("revoked_at", UtcTime),
    Column("recordings", Boolean, nullable=False, server_default=false()),
    Column("faces", Boolean, nullable=False, server_default=false()),
    Column("verifications", Boolean, nullable=False, server_default=false()),
    Column("audit", Boolean, nullable=False, server_default=false()),
    Column("customers", Boolean, nullable=False, server_default=false()),
)

face_templates = Table(
    "face_templates",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("subject", Text, unique=True),
    Column("consent", Text, nullable=False),
    Column("pack_hash", Text, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("replaced_at", UtcTime),
    Column("erased_at", UtcTime),
    Column("recogniser", Text, nullable=False, server_default=""),
    Column("picture", LargeBinary),
)

verification_policies = Table(
    "verification_policies",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("canonical", LargeBinary, nullable=False),
)

verification_cases = Table(
    "verification_cases",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("type", Text, nullable=False),
    Column("customer", Text, nullable=False),
    Column("state", _WORD, nullable=False),
    Column("details_hash", Text, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("policy_hash", Text, ForeignKey("verification_policies.hash"), nullable=False),
    Column("consent", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", _ID, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("attempts_allowed", Integer, nullable=False),
    Column("due_at", UtcTime),
    Column("template", _ID),
    Column("session_id", _ID, ForeignKey("sessions.id")),
    Column("return_url", Text, nullable=False, server_default=""),
    Column("reference_pack", Text, nullable=False),
    Column("reference_key", LargeBinary, nullable=False),
    Column("reference_sealed", LargeBinary, nullable=False),
    Column("attempts_used", Integer, nullable=False),
    Column("attempt", _ID),
    Column("attempt_until", UtcTime),
    Column("review_until", UtcTime),
    Column("reviews", Json, nullable=False),
    Column("decided", Json, nullable=False),
    Column("identified", Json, nullable=False, server_default="null"),
    Column("ended_at", UtcTime),
    Column("result", Text, nullable=False),
    Column("result_until", UtcTime),
    Column("redeemed_at", UtcTime),
    Column("retention_days", Integer, nullable=False, server_default="30"),
    Column("reference_vault", Text, nullable=False, server_default=""),
    Column("reference_evidence", Text, nullable=False, server_default=""),
    Column("evidence_until", UtcTime),
    Column("evidence_erased_at", UtcTime),
    Column("held_at", UtcTime),
    Column("waiting_s", Integer, nullable=False, server_default="0"),
    Index(None, "state", "review_until"),
    Index(None, "due_at"),
    Index(None, "evidence_until"),
    Index(None, "customer", "created_at"),
    Index(None, "session_id"),
)

verification_attempts = Table(
    "verification_attempts",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("case_id", _ID, ForeignKey("verification_cases.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("assurance", _WORD, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("started_by", Text, nullable=False),
    Column("until", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Column("outcome", _WORD),
    Column("reasons", Json, nullable=False),
    Column("checked", Json, nullable=False),
    Column("risk", Json, nullable=False),
    Column("evidence", Text, nullable=False, server_default=""),
    UniqueConstraint("case_id", "number"),
)

verification_failures = Table(
    "verification_failures",
    metadata,
    Column("customer", Text, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("last_at", UtcTime, nullable=False),
    Column("locked_until", UtcTime),
    Column("excused", Integer, nullable=False, server_default="0"),
    Column("excused_at", UtcTime),
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("url", Text, nullable=False),
    Column("events", Json, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", _ID, nullable=False),
    Column("after", BigInteger, nullable=False),
    Column("subject", Text, nullable=False),
    Column("ended_at", UtcTime),
    Index(None, "subject"),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("webhook_id", _ID, ForeignKey("webhooks.id"), nullable=False),
    Column("origin", Text, nullable=False),
    Column("entry", BigInteger, nullable=False),
    Column("event", Text, nullable=False),
    Column("state", _WORD, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", UtcTime),
    Column("last_at", UtcTime),
    Column("last_status", Integer, nullable=False),
    Column("last_fault", Text, nullable=False),
    Column("subject", Text, nullable=False, server_default=""),
    Column("session", Text, nullable=False, server_default=""),
    UniqueConstraint("webhook_id", "entry"),
    Index(None, "next_at"),
    Index(None, "state", "created_at"),
    Index(None, "subject", "entry", "id"),
    Index(None, "session", "entry", "id"),
)

webhook_cursor = Table(
    "webhook_cursor",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("entry", BigInteger, nullable=False),
)

risk_entries = Table(
    "risk_entries",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("list", _WORD, nullable=False),
    Column("kind", _WORD, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("key", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_at", UtcTime),
    UniqueConstraint("digest", "kind", "list"),
    Index(None, "created_at", "id"),
)

risk_events = Table(
    "risk_events",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("at", UtcTime, nullable=False),
    Column("failed", Boolean, nullable=False),
    Column("voids", Boolean, nullable=False, server_default=false()),
    Column("customer", LargeBinary, nullable=False),
    Column("device", LargeBinary),
    Column("address", LargeBinary),
    Index(None, "at"),
    sqlite_autoincrement=True,
)

risk_devices = Table(
    "risk_devices",
    metadata,
    Column("customer", LargeBinary, primary_key=True),
    Column("device", LargeBinary, primary_key=True),
    Column("first_at", UtcTime, nullable=False),
    Column("last_at", UtcTime, nullable=False),
    Index(None, "last_at"),
)

risk_rules = Table(
    "risk_rules",
    metadata,
    Column("name", _WORD, primary_key=True),
    Column("text", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", Text, nullable=False),
)

risk_generation = Table(
    "risk_generation",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
)

staff = Table(
    "staff",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("username", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("role", _WORD, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("disabled_at", UtcTime),
)

logins = Table(
    "logins",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("staff_id", _ID, ForeignKey("staff.id"), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("ends_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Index(None, "ends_at"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_hash", LargeBinary, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("about", Text, nullable=False, server_default=""),
    Index(None, "created_at"),
    Index(None, "about"),
)

audit = Table(
    "audit",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("entry", Text, nullable=False),  # the canonical form, see audit/chain.py: exactly what was hashed
    Column("previous", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)
