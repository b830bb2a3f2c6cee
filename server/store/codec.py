"""What both stores share so that they cannot differ: which values a record may hold, cursors, limits. Sans-I/O."""

import base64
import binascii
from datetime import UTC, datetime, timedelta

import msgspec

from server.errors import Invalid

MAX_LIMIT = 10_000
GONE = 410
"""Status of the answer to a request whose work was erased."""
_MAX_INTEGER = 2**63 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def check_record(record: msgspec.Struct) -> None:
    """Raises Invalid for what some database cannot keep: text with NUL or lone surrogates, naive times, integers over 64 bits."""
    for name in record.__struct_fields__:
        value = getattr(record, name)
        if isinstance(value, str):
            check_text(name, value)
        elif isinstance(value, datetime):
            if value.tzinfo is None:
                raise Invalid(f"{name}: a time needs a time zone")
        elif isinstance(value, int) and abs(value) > _MAX_INTEGER:
            raise Invalid(f"{name}: out of range")


def check_text(name: str, value: str) -> None:
    """Raises Invalid for text that not every database can keep."""
    if "\0" in value:
        raise Invalid(f"{name}: NUL is not allowed")
    try:
        value.encode()
    except UnicodeEncodeError as exc:
        raise Invalid(f"{name}: not Unicode") from exc


def check_limit(limit: int) -> None:
    """A limit outside 1..10,000 is a bug of the caller: raises ValueError."""
    if not 1 <= limit <= MAX_LIMIT:
        raise ValueError(f"limit must be 1..{MAX_LIMIT}, not {limit}")


def encode_cursor(created_at: datetime, id: str) -> str:
    """An opaque mark of a place in a list ordered by creation time and id."""
    microseconds = (created_at - _EPOCH) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(f"{microseconds}:{id}".encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> tuple[datetime, str]:
    """Raises Invalid for what ``encode_cursor`` did not make."""
    try:
        padded = cursor.encode() + b"=" * (-len(cursor) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
        microseconds, id = text.split(":", 1)
        created_at = _EPOCH + timedelta(microseconds=int(microseconds))
    except (ValueError, OverflowError, binascii.Error) as exc:
        raise Invalid("not a cursor") from exc
    check_text("cursor", id)
    if encode_cursor(created_at, id) != cursor:
        raise Invalid("not a cursor")
    return created_at, id
