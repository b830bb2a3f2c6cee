"""The hash chain of the audit trail. Sans-I/O.

**Canonical form** of an entry (version 1), stable for ever: the UTF-8 bytes of the JSON object

    {"action":…,"actor":…,"at":…,"details":{…},"number":…,"session":…,"subject":…}

with exactly these keys, keys sorted by code point (those of ``details`` too), no white space, no escapes but those that
JSON requires (``\\"``, ``\\\\`` and control characters), ``number`` a decimal integer, every other value a string, and ``at`` in UTC as
``YYYY-MM-DDTHH:MM:SS.ffffffZ``. The hash of entry ``n`` is

    SHA-256( "tongping-audit-1" LF ‖ hash of entry n-1 (32 bytes) ‖ canonical form of entry n )

and "entry 0" has the hash ``GENESIS``. Numbers are 1, 2, 3 … without gaps.

A chain proves order and completeness only up to its head, and whoever can rewrite all of it can forge another: keep a
``Checkpoint`` (number and hash of the head) somewhere else, from time to time, and verify against it.
"""

import hashlib
import hmac
from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from server.audit.events import AuditEntry, AuditEvent
from server.errors import Invalid

HASH_BYTES = 32
DOMAIN = b"tongping-audit-1\n"
GENESIS = hashlib.sha256(b"tongping-audit-1 genesis\n").digest()

_TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


class _Canonical(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    action: str
    actor: str
    at: str
    details: dict[str, str]
    number: int
    session: str
    subject: str


_decoder = msgspec.json.Decoder(_Canonical, strict=True)
_encoder = msgspec.json.Encoder(order="sorted")


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What was known of the chain at some time and is kept elsewhere: entry ``number`` has ``hash``."""

    number: int
    hash: bytes


class AuditReport(msgspec.Struct, frozen=True, kw_only=True):
    """What verifying found. ``broken`` is the number of the first bad entry, None when the chain holds; ``why`` is one sentence."""

    entries: int
    head: Checkpoint
    broken: int | None = None
    why: str = ""

    @property
    def ok(self) -> bool:
        return self.broken is None


def format_time(at: datetime) -> str:
    """Raises Invalid for a time without a zone."""
    if at.tzinfo is None:
        raise Invalid("an audit time needs a time zone")
    return at.astimezone(UTC).strftime(_TIME_FORMAT).rjust(len("2026-01-01T00:00:00.000000Z"), "0")


def canonical(number: int, event: AuditEvent) -> bytes:
    """The canonical form, see the module's docstring. Raises Invalid for what has none (a naive time, a lone surrogate)."""
    form = _Canonical(
        action=str(event.action),
        actor=event.actor,
        at=format_time(event.at),
        details=event.details,
        number=number,
        session=event.session,
        subject=event.subject,
    )
    try:
        return _encoder.encode(form)
    except (UnicodeEncodeError, TypeError, msgspec.MsgspecError) as exc:
        raise Invalid("an audit event holds text that is not Unicode") from exc


def read_canonical(data: bytes) -> tuple[int, AuditEvent]:
    """The inverse of ``canonical``. Raises Invalid for anything that is not byte for byte what ``canonical`` gives."""
    try:
        form = _decoder.decode(data)
        event = AuditEvent(
            action=msgspec.convert(form.action, type=_ACTION),
            at=datetime.strptime(form.at, _TIME_FORMAT).replace(tzinfo=UTC),
            actor=form.actor,
            session=form.session,
            subject=form.subject,
            details=form.details,
        )
    except (msgspec.MsgspecError, ValueError) as exc:
        raise Invalid("not an audit entry") from exc
    if canonical(form.number, event) != data:
        raise Invalid("not in canonical form")
    return form.number, event


_ACTION = AuditEvent.__annotations__["action"]


def entry_hash(previous: bytes, form: bytes) -> bytes:
    return hashlib.sha256(DOMAIN + previous + form).digest()


def link(previous: AuditEntry | None, event: AuditEvent) -> AuditEntry:
    """The entry that records ``event`` after ``previous`` (None: the first). Raises Invalid, see ``canonical``."""
    number, before = (1, GENESIS) if previous is None else (previous.number + 1, previous.hash)
    return AuditEntry(number=number, event=event, previous=before, hash=entry_hash(before, canonical(number, event)))


class Verifier:
    """Reads a chain entry by entry, in constant memory. ``feed`` until it returns False or the entries end, then ``report``."""

    def __init__(self, *, start: Checkpoint | None = None, checkpoints: Iterable[Checkpoint] = ()) -> None:
        """``start``: the trusted entry before the first one fed (default: the genesis). ``checkpoints``: what must be found."""
        self._head = start or Checkpoint(number=0, hash=GENESIS)
        self._first = self._head.number + 1
        self._wanted: dict[int, bytes] = {}
        self._broken: int | None = None
        self._why = ""
        for point in checkpoints:
            if self._wanted.setdefault(point.number, point.hash) != point.hash:
                self._fail(point.number, "two checkpoints contradict each other")
        if self._wanted.get(self._head.number, self._head.hash) != self._head.hash:
            self._fail(self._head.number, "the start is not what the checkpoint says")

    def _fail(self, number: int, why: str) -> bool:
        if self._broken is None:
            self._broken, self._why = number, why
        return False

    def feed(self, entry: AuditEntry) -> bool:
        """Check the next entry; False (for good) from the first broken one on."""
        if self._broken is not None:
            return False
        expected = self._head.number + 1
        if entry.number != expected:
            return self._fail(expected, f"expected entry {expected}, found {entry.number}")
        if not hmac.compare_digest(entry.previous, self._head.hash):
            return self._fail(expected, "does not follow from the entry before it")
        try:
            form = canonical(entry.number, entry.event)
        except Invalid as exc:
            return self._fail(expected, exc.detail)
        if not hmac.compare_digest(entry.hash, entry_hash(entry.previous, form)):
            return self._fail(expected, "its hash does not match its content")
        wanted = self._wanted.pop(expected, entry.hash)
        if not hmac.compare_digest(entry.hash, wanted):
            return self._fail(expected, "is not the entry that the checkpoint saw")
        self._head = Checkpoint(number=expected, hash=entry.hash)
        return True

    def unreadable(self, why: str) -> bool:
        """The next entry exists but cannot be read."""
        return self._fail(self._head.number + 1, why)

    def report(self) -> AuditReport:
        missing = [number for number in self._wanted if number > self._head.number]
        if self._broken is None and missing:
            self._fail(self._head.number + 1, f"missing: a checkpoint saw entry {max(missing)}")
        return AuditReport(entries=self._head.number - self._first + 1, head=self._head, broken=self._broken, why=self._why)


def verify(
    entries: Iterable[AuditEntry], *, start: Checkpoint | None = None, checkpoints: Iterable[Checkpoint] = ()
) -> AuditReport:
    """Check a chain from ``start`` (default: the genesis) on; see ``Verifier``."""
    verifier = Verifier(start=start, checkpoints=checkpoints)
    for entry in entries:
        if not verifier.feed(entry):
            break
    return verifier.report()
