"""The tables. Records go in and out by column name, which is the record's field name; see ``rows.py``.

Change them together with a new revision in ``migrations/versions``; a test compares the two.
"""

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
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

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("name", Text, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("revoked_at", UtcTime),
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
    Index(None, "created_at"),
)

audit = Table(
    "audit",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("entry", Text, nullable=False),  # the canonical form, see audit/chain.py: exactly what was hashed
    Column("previous", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)
