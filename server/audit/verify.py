"""Checking an audit trail offline: straight from a SQLite database, or from an export that is kept elsewhere.

**Export**: JSON lines, one entry each, in order: the canonical form of ``chain`` with ``hash`` and ``previous`` (64 hex digits, lower
case) in front, e.g. ``{"hash":"…","previous":"…","entry":{…}}``. Its last line is a checkpoint for later.

Every function reads entry by entry, in constant memory, and blocks on the disk: not for the event loop.
"""

import re
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

import msgspec

from server.audit import chain
from server.audit.chain import AuditReport, Checkpoint, Verifier
from server.audit.events import AuditEntry
from server.errors import Invalid, StoreUnavailable

MAX_LINE_BYTES = 1 << 20
_CHECKPOINT = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})")


class _Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    hash: str
    previous: str
    entry: msgspec.Raw


_decoder = msgspec.json.Decoder(_Line, strict=True)


def export_line(entry: AuditEntry) -> bytes:
    """One line of an export, without the line feed."""
    form = chain.canonical(entry.number, entry.event)
    return b'{"hash":"%s","previous":"%s","entry":%s}' % (
        entry.hash.hex().encode(),
        entry.previous.hex().encode(),
        form,
    )


def read_line(line: bytes) -> AuditEntry:
    """The inverse of ``export_line``; raises Invalid for anything that is not byte for byte such a line."""
    try:
        read = _decoder.decode(line)
        number, event = chain.read_canonical(bytes(read.entry))
        entry = AuditEntry(number=number, event=event, previous=bytes.fromhex(read.previous), hash=bytes.fromhex(read.hash))
    except (msgspec.MsgspecError, ValueError) as exc:
        raise Invalid("not a line of an audit export") from exc
    if export_line(entry) != line:
        raise Invalid("not a line of an audit export")
    return entry


def checkpoint_text(point: Checkpoint) -> str:
    """``NUMBER:HASH``, to be kept elsewhere."""
    return f"{point.number}:{point.hash.hex()}"


def read_checkpoint(text: str) -> Checkpoint:
    """The inverse of ``checkpoint_text``. Raises Invalid."""
    found = _CHECKPOINT.fullmatch(text)
    if found is None:
        raise Invalid("a checkpoint is a number, a colon and 64 hex digits")
    return Checkpoint(number=int(found[1]), hash=bytes.fromhex(found[2]))


def verify_lines(
    lines: Iterable[bytes], *, start: Checkpoint | None = None, checkpoints: Iterable[Checkpoint] = ()
) -> AuditReport:
    """Check an export; each line with or without its line feed."""
    verifier = Verifier(start=start, checkpoints=checkpoints)
    for line in lines:
        try:
            entry = read_line(line.removesuffix(b"\n"))
        except Invalid as exc:
            verifier.unreadable(exc.detail)
            break
        if not verifier.feed(entry):
            break
    return verifier.report()


def verify_export(path: Path, *, start: Checkpoint | None = None, checkpoints: Iterable[Checkpoint] = ()) -> AuditReport:
    """Check an export in a file. Raises StoreUnavailable when it cannot be read."""
    try:
        with path.open("rb") as file:
            lines = iter(lambda: file.readline(MAX_LINE_BYTES), b"")
            return verify_lines(lines, start=start, checkpoints=checkpoints)
    except OSError as exc:
        raise StoreUnavailable(f"{path} cannot be read: {exc.strerror}") from exc


def verify_database(path: Path, *, checkpoints: Iterable[Checkpoint] = ()) -> AuditReport:
    """Check the audit trail in a SQLite database, also while a server writes it (a snapshot is read; nothing is written).

    Raises StoreUnavailable when the file is not there or not such a database.
    """
    verifier = Verifier(checkpoints=checkpoints)
    for number, form, previous, hash in _rows(path):
        try:
            found, event = chain.read_canonical(_bytes(form))
            if found != number:
                raise Invalid("is stored under another number")
            entry = AuditEntry(number=found, event=event, previous=_bytes(previous), hash=_bytes(hash))
        except Invalid as exc:
            verifier.unreadable(exc.detail)
            break
        if not verifier.feed(entry):
            break
    return verifier.report()


def export_database(path: Path, *, after: int = 0) -> Iterator[bytes]:
    """The lines of an export (each with its line feed) of a SQLite database. Raises StoreUnavailable, Invalid (a broken entry)."""
    for number, form, previous, hash in _rows(path, after):
        found, event = chain.read_canonical(_bytes(form))
        if found != number:
            raise Invalid("is stored under another number")
        yield export_line(AuditEntry(number=found, event=event, previous=_bytes(previous), hash=_bytes(hash))) + b"\n"


def _rows(path: Path, after: int = 0) -> Iterator[tuple[object, object, object, object]]:
    try:
        # `immutable` is not set: the write-ahead log is read too.
        connection = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)
    except sqlite3.Error as exc:
        raise StoreUnavailable(f"{path} cannot be opened") from exc
    try:
        # Text as bytes: what is not UTF-8 is a broken entry, not an unreadable database.
        connection.text_factory = bytes
        query = "SELECT number, entry, previous, hash FROM audit WHERE number > ? ORDER BY number"
        yield from connection.execute(query, (after,))
    except sqlite3.Error as exc:
        raise StoreUnavailable(f"{path} has no readable audit trail") from exc
    finally:
        connection.close()


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise Invalid("is stored in another type")
    return value
