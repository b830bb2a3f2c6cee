"""ICE-lite for many peers on one port: who may talk to us, and where each peer is reached. Sans I/O.

RFC 8445 (lite implementation: sections 2.5, 6.1.1, 7.3, 8.2), RFC 8489 (STUN), RFC 7675 (consent), RFC 7983 (demultiplexing).
``handle`` takes any datagram and answers with an ``Outcome``; no input raises. An address belongs to a peer from its first
authenticated check on; datagrams from other addresses must not reach DTLS or SRTP (``by_address`` has none of them).

Answered with an error are only those who know the password: 487 for a role conflict, 420 with UNKNOWN-ATTRIBUTES (RFC 8489
sections 6.3.1 and 14.13). RFC 8489 section 9.1.3 would have 400 or 401 sent to everybody else; nothing is sent, because source
addresses are easily forged, nobody shall learn from outside who is here, and a peer whose credentials are right has no use for
them.

Which address is used: the first authenticated one; then any with USE-CANDIDATE; then any authenticated one while the
selected one has been silent for ``SILENCE_S`` (Firefox's later checks carry no USE-CANDIDATE); and the first one after an
ICE restart. An address that another live peer is using is never taken over.

A check says who sent it, not that its source address is where they are: whoever has seen one can send it again from anywhere, and a
participant can forge addresses. Media goes to the first address only after a DTLS handshake with it; to any other only after somebody
there has answered a check of ours, signed with the peer's password (``Remote``). The lite agent of RFC 8445 sends none, having no pairs
to try; this one asks back about an address that has just checked us, which every full agent must answer (section 7.3), much like the
consent checks of RFC 7675.
"""

import enum
import hashlib
import hmac
import struct
from array import array
from typing import NamedTuple

from aioice import stun

SILENCE_S = 1.0
DISCONNECT_S = 8.0
"""No authenticated check for this long, and no media either: the peer is taken for dead (noticed in under 10 s)."""
CONSENT_S = 30.0
"""RFC 7675 section 5.1: without a check for this long nothing more may be sent."""
ASK_AGAIN_S = 0.04
"""Nobody is asked back more often; browsers check each 50 ms at most. Each time it takes twice as long until the same address may be asked
once more, so that who cannot answer is asked ``log2(ASKS_S / ASK_AGAIN_S)`` times, ten, in ``ASKS_S``."""
ASKS_S = 30.0
ANSWER_S = 3.0
"""So long the answer to what was asked first counts; then another question is asked."""
MAX_ADDRESSES = 8
MAX_STUN_BYTES = 1280
UNKNOWN_PER_SESSION_PER_S = 20.0
"""The same for one session's ufrag, bursts of three times as many: a flood with one's own name keeps nobody else out."""
UNKNOWN_PER_S = 500.0
"""Requests from unproven addresses whose integrity is looked at, per second; bursts of twice as many. More are dropped."""

_COOKIE = b"\x21\x12\xa4\x42"
_ATTRIBUTE = struct.Struct("!HH")
_HEADER = struct.Struct("!HH")
_REQUEST, _SUCCESS, _ERROR = 0x0001, 0x0101, 0x0111
_USERNAME, _MESSAGE_INTEGRITY, _ERROR_CODE, _UNKNOWN_ATTRIBUTES = 0x0006, 0x0008, 0x0009, 0x000A
_XOR_MAPPED_ADDRESS, _PRIORITY, _FINGERPRINT, _ICE_CONTROLLED = 0x0020, 0x0024, 0x8028, 0x8029
_HOST_PRIORITY = 126 << 24 | 65535 << 8 | 255
_UNDERSTOOD = frozenset((0x01, 0x06, 0x08, 0x09, 0x0A, 0x14, 0x15, 0x1C, 0x1D, 0x1E, 0x20, 0x24, 0x25))
"""RFC 8489 section 18.3.1 and RFC 8445 section 16.1; those that do not belong into a check are ignored, as section 6.3 says."""
MAX_UNKNOWN_LISTED = 8


class Verdict(enum.Enum):
    """What became of a datagram; each is a counter."""

    ANSWERED = "answered"
    ROLE_CONFLICT = "role_conflict"  # answered with error 487: a lite agent is always the controlled one
    UNKNOWN_ATTRIBUTE = "unknown_attribute"  # answered with error 420
    MALFORMED = "malformed"
    IGNORED = "ignored"  # well formed, but not a binding request
    UNKNOWN_USER = "unknown_user"
    BAD_INTEGRITY = "bad_integrity"
    THROTTLED = "throttled"
    TAKEN = "taken"  # the address is in use by another live peer
    PROVEN = "proven"  # an answer to what was asked back


class Outcome(NamedTuple):
    """``reply``, then ``ask``: send them back to where the datagram came from. ``selected``: the peer's address has just changed."""

    verdict: Verdict
    reply: bytes | None = None
    session: "IceSession | None" = None
    selected: bool = False
    ask: bytes | None = None


class Remote(NamedTuple):
    """A peer's own credentials, and random bytes that nobody else knows: what asking back needs."""

    ufrag: str
    pwd: str
    secret: bytes


class _Asked(NamedTuple):
    """``first``, ``last``: when this question was asked. ``since``: when the first of the last ``times`` times was."""

    transaction: bytes = b""
    first: float = float("-inf")
    last: float = float("-inf")
    since: float = float("-inf")
    times: int = 0


class IceSession:
    """One peer's credentials, authenticated addresses and selected address. Times are in seconds of the caller's clock.

    ``asked``: by address, what was asked back there. ``proven``: when an address answered. ``heard``: ``last_media``, for who writes it
    in memory. ``version``: another one whenever an address is lost or another one is selected.
    """

    __slots__ = (
        "_selected", "addresses", "asked", "created", "heard", "last_check", "owner", "proven", "pwd", "questions", "remote", "restarting",
        "started", "tokens", "tokens_at", "ufrag", "version",
    )  # fmt: skip

    def __init__(self, ufrag: str, pwd: str, owner: object, now: float, remote: Remote | None) -> None:
        self.ufrag = ufrag
        self.pwd = pwd
        self.owner = owner
        self.created = now
        self.remote = remote
        self.addresses: dict[bytes, float] = {}
        self.asked: dict[bytes, _Asked] = {}
        self.proven: dict[bytes, float] = {}
        self.questions = 0
        self.started = False
        self._selected: bytes | None = None
        self.last_check = now
        self.heard = array("d", (0.0,))
        self.version = array("Q", (0,))
        self.restarting = False
        self.tokens = 3 * UNKNOWN_PER_SESSION_PER_S
        self.tokens_at = now

    @property
    def selected(self) -> bytes | None:
        """Where media goes."""
        return self._selected

    @selected.setter
    def selected(self, address: bytes | None) -> None:
        self._selected = address
        self.version[0] += 1

    @property
    def last_media(self) -> float:
        """When media last came from the selected address."""
        return self.heard[0]

    @last_media.setter
    def last_media(self, now: float) -> None:
        self.heard[0] = now

    def alive(self, now: float) -> bool:
        """Checked within ``DISCONNECT_S``; media within 3 s also counts, up to ``CONSENT_S``."""
        if self.selected is None:
            return False
        silent = now - self.last_check
        return silent <= DISCONNECT_S or (silent <= CONSENT_S and now - self.last_media <= 3.0)

    def forget(self, address: bytes) -> None:
        """It is not this peer's any more."""
        self.version[0] += 1
        for table in (self.addresses, self.asked, self.proven):
            table.pop(address, None)

    def ask(self, address: bytes, now: float) -> bytes | None:
        """A check of ours for this address; None when enough have just left. Repeated for some time as it was (RFC 8489 section 6.2.1)."""
        assert self.remote is not None
        transaction, first, last, since, times = self.asked.get(address, _Asked())
        if now - since >= ASKS_S:
            since, times = now, 0
        if now - last < ASK_AGAIN_S * 2 ** max(0, times - 1):
            return None
        if now - first > ANSWER_S:
            self.questions += 1
            transaction, first = hmac.digest(self.remote.secret, struct.pack("!Q", self.questions), hashlib.sha256)[:12], now
        self.asked[address] = _Asked(transaction, first, now, since, times + 1)
        attributes = (
            (_USERNAME, f"{self.remote.ufrag}:{self.ufrag}".encode()),
            (_PRIORITY, _HOST_PRIORITY.to_bytes(4, "big")),
            (_ICE_CONTROLLED, bytes(8)),
        )
        return _message(_REQUEST, transaction, self.remote.pwd, *attributes)


class IceLite:
    """All sessions of one port."""

    def __init__(self, now: float = 0.0) -> None:
        self.by_ufrag: dict[bytes, IceSession] = {}
        self.by_address: dict[bytes, IceSession] = {}
        self.counts: dict[Verdict, int] = dict.fromkeys(Verdict, 0)
        self._tokens = 2 * UNKNOWN_PER_S
        self._tokens_at = now

    def add(self, ufrag: str, pwd: str, owner: object, now: float, remote: Remote | None = None) -> IceSession:
        """Expect checks with these credentials. A ufrag in use is the caller's bug: ValueError.

        ``remote``: None where a peer cannot be asked back; its addresses are then believed.
        """
        key = ufrag.encode()
        if key in self.by_ufrag:
            raise ValueError("ufrag in use")
        session = IceSession(ufrag, pwd, owner, now, remote)
        self.by_ufrag[key] = session
        return session

    def restart(self, session: IceSession, ufrag: str, pwd: str, remote: Remote | None = None) -> None:
        """New credentials; the old ones are dropped at once, proven addresses stay (RFC 8445 section 9)."""
        key = ufrag.encode()
        if key in self.by_ufrag:
            raise ValueError("ufrag in use")
        self.by_ufrag.pop(session.ufrag.encode(), None)
        session.ufrag = ufrag
        session.pwd = pwd
        session.remote = remote
        session.asked.clear()
        session.restarting = True
        self.by_ufrag[key] = session

    def remove(self, session: IceSession) -> None:
        self.by_ufrag.pop(session.ufrag.encode(), None)
        for address in session.addresses:
            if self.by_address.get(address) is session:
                del self.by_address[address]
        for table in (session.addresses, session.asked, session.proven):
            table.clear()
        session.selected = None

    def handle(self, data: bytes, address: bytes, host: tuple[str, int], now: float) -> Outcome:
        """Take one datagram that starts like STUN. ``address``: its key; ``host``: the same as text and port."""
        outcome = self._handle(data, address, host, now)
        self.counts[outcome.verdict] += 1
        return outcome

    def _handle(self, data: bytes, address: bytes, host: tuple[str, int], now: float) -> Outcome:
        size = len(data)
        if size < 20 or size > MAX_STUN_BYTES or size & 3 or data[4:8] != _COOKIE or size != 20 + (data[2] << 8 | data[3]):
            return Outcome(Verdict.MALFORMED)
        kind = data[0] << 8 | data[1]
        if kind == _SUCCESS:
            return self._answered(data, address, now)
        if kind != _REQUEST:
            return Outcome(Verdict.IGNORED)
        username, unknown = _look_through(data)
        ours, _, theirs = username.partition(b":")
        session = self.by_ufrag.get(ours)
        if session is None or not theirs or (session.remote is not None and theirs != session.remote.ufrag.encode()):
            return Outcome(Verdict.UNKNOWN_USER)
        if address not in session.addresses and not self._take_token(session, now):
            return Outcome(Verdict.THROTTLED)
        message = _parse(data)
        if message is None:
            return Outcome(Verdict.MALFORMED)
        if not message.check_message_integrity(session.pwd.encode()):
            return Outcome(Verdict.BAD_INTEGRITY)
        current = self.by_address.get(address)
        if current is not None and current is not session and current.selected == address and current.alive(now):
            return Outcome(Verdict.TAKEN)
        transaction = message.transaction_id
        if unknown:
            attributes = ((_ERROR_CODE, _error(420, "Unknown Attribute")), (_UNKNOWN_ATTRIBUTES, unknown))
            return Outcome(Verdict.UNKNOWN_ATTRIBUTE, _reply(_ERROR, transaction, session, *attributes), session)
        if "ICE-CONTROLLED" in message.attributes:  # RFC 8445 section 7.3.1.1
            conflict = _reply(_ERROR, transaction, session, (_ERROR_CODE, _error(487, "Role Conflict")))
            return Outcome(Verdict.ROLE_CONFLICT, conflict, session)
        selected, ask = self._adopt(session, address, "USE-CANDIDATE" in message.attributes, now)
        seen = stun.pack_xor_address(host, transaction)
        reply = _reply(_SUCCESS, transaction, session, (_XOR_MAPPED_ADDRESS, seen))
        return Outcome(Verdict.ANSWERED, reply, session, selected, ask)

    def _answered(self, data: bytes, address: bytes, now: float) -> Outcome:
        """What was asked back there is answered: media may go there, and does."""
        session = self.by_address.get(address)
        asked = session.asked.get(address) if session is not None else None
        if session is None or session.remote is None or asked is None or not hmac.compare_digest(asked.transaction, data[8:20]):
            return Outcome(Verdict.IGNORED)
        message = _parse(data)
        if message is None:
            return Outcome(Verdict.MALFORMED)
        if not message.check_message_integrity(session.remote.pwd.encode()):
            return Outcome(Verdict.BAD_INTEGRITY)
        del session.asked[address]
        if now - asked.first > ANSWER_S:
            return Outcome(Verdict.IGNORED)
        session.proven[address] = now
        moved = session.selected != address
        session.selected = address
        session.restarting = False
        return Outcome(Verdict.PROVEN, None, session, moved)

    def _adopt(self, session: IceSession, address: bytes, nominated: bool, now: float) -> tuple[bool, bytes | None]:
        """Whether the peer's address is now this one, and what to ask there before it may be."""
        previous = self.by_address.get(address)
        if previous is not None and previous is not session:
            previous.forget(address)
            if previous.selected == address:
                previous.selected = None
        silent = now - max(session.last_media, session.addresses.get(session.selected or b"", 0.0)) > SILENCE_S
        session.addresses.pop(address, None)
        while len(session.addresses) >= MAX_ADDRESSES:
            oldest = next(a for a in session.addresses if a != session.selected)
            session.forget(oldest)
            self.by_address.pop(oldest, None)
        session.addresses[address] = now
        self.by_address[address] = session
        session.last_check = now
        if session.selected == address:
            session.restarting = False
            return False, None
        if not (session.selected is None or nominated or session.restarting or silent):
            return False, None
        believed = not session.started or now - session.proven.get(address, float("-inf")) <= CONSENT_S
        if session.remote is not None and not believed:
            return False, session.ask(address, now)
        session.selected = address
        session.started = True
        session.restarting = False
        return True, None

    def _take_token(self, session: IceSession, now: float) -> bool:
        elapsed = max(0.0, now - session.tokens_at)
        session.tokens_at = now
        session.tokens = min(3 * UNKNOWN_PER_SESSION_PER_S, session.tokens + elapsed * UNKNOWN_PER_SESSION_PER_S)
        if session.tokens < 1:
            return False
        session.tokens -= 1
        elapsed = max(0.0, now - self._tokens_at)
        self._tokens_at = now
        self._tokens = min(2 * UNKNOWN_PER_S, self._tokens + elapsed * UNKNOWN_PER_S)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def _look_through(data: bytes) -> tuple[bytes, bytes]:
    """USERNAME (RFC 8445 section 7.2.2), ``b""`` when there is none, and the types (16 bits each) that we would have to know.

    Types under 0x8000 must be understood (RFC 8489 section 14); what follows MESSAGE-INTEGRITY is nobody's word (14.5).
    """
    username = unknown = b""
    at = 20
    while at + 4 <= len(data):
        kind, size = _ATTRIBUTE.unpack_from(data, at)
        if kind == _MESSAGE_INTEGRITY:
            break
        if kind == _USERNAME and not username and at + 4 + size <= len(data):
            username = data[at + 4 : at + 4 + size]
        elif kind < 0x8000 and kind not in _UNDERSTOOD and len(unknown) < 2 * MAX_UNKNOWN_LISTED:
            unknown += data[at : at + 2]
        at += 4 + (size + 3 & ~3)
    return username, unknown


def _parse(data: bytes) -> stun.Message | None:
    """aioice's reader; whatever it raises on hostile bytes (ValueError, struct.error, …) means malformed."""
    try:
        message = stun.parse_message(data)
    except Exception:
        return None
    return message if message.message_method == stun.Method.BINDING else None


def _error(code: int, reason: str) -> bytes:
    """The value of ERROR-CODE (RFC 8489 section 14.8)."""
    return bytes((0, 0, code // 100, code % 100)) + reason.encode()


def _reply(kind: int, transaction: bytes, session: IceSession, *attributes: tuple[int, bytes]) -> bytes:
    return _message(kind, transaction, session.pwd, *attributes)


def _message(kind: int, transaction: bytes, pwd: str, *attributes: tuple[int, bytes]) -> bytes:
    """A whole message: these attributes, MESSAGE-INTEGRITY and FINGERPRINT (RFC 8489 sections 5, 14.5, 14.7)."""
    body = b"".join(_ATTRIBUTE.pack(type_, len(value)) + value + bytes(-len(value) % 4) for type_, value in attributes)
    message = _HEADER.pack(kind, len(body)) + _COOKIE + transaction + body
    message += _ATTRIBUTE.pack(_MESSAGE_INTEGRITY, 20) + stun.message_integrity(message, pwd.encode())
    whole = _HEADER.pack(kind, len(message) - 20 + 8) + message[4:]
    return whole + _ATTRIBUTE.pack(_FINGERPRINT, 4) + stun.message_fingerprint(whole).to_bytes(4, "big")
