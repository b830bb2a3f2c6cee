"""One TURN allocation as its client sees it. S: takes datagrams and ``now``, returns what to send.

RFC 8656 sections 7 (allocate), 8 (refresh), 10 (permissions), 11 (send), 12 (channels); RFC 8489 section 9.2 (long-term credential:
the first request is refused with realm and nonce, the second carries them; 438 brings a new nonce).

Requests are repeated at most ``MAX_TRIES`` times ``RETRY_S`` apart; over a stream they are sent once (``reliable``).
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from turn.errors import StunError
from turn.stun import Attribute, Class, Message, Method, decode, encode, long_term_key, pack_address, unpack_address

RETRY_S = 0.5
MAX_TRIES = 6
MAX_CHALLENGES = 3
"""Times that one request is asked for credentials, or told that its nonce is old, before that counts as the answer."""
UDP = bytes((17, 0, 0, 0))


@dataclass(slots=True)
class Reply:
    """The answer to one request. ``error`` 0: done."""

    method: Method
    error: int
    message: Message | None


@dataclass(slots=True)
class _Pending:
    method: Method
    attributes: Callable[[bytes], list[tuple[Attribute, bytes]]]
    data: bytes
    due: float
    tries: int = 1
    challenges: int = 0


@dataclass(slots=True)
class TurnClient:
    """``new_transaction`` makes 12 random bytes. ``relayed``: the allocation's address once it is there."""

    username: str
    password: str
    new_transaction: Callable[[], bytes]
    reliable: bool = False
    relayed: tuple[str, int] | None = None
    mapped: tuple[str, int] | None = None
    replies: dict[bytes, Reply] = field(default_factory=dict)
    received: list[tuple[tuple[str, int], bytes]] = field(default_factory=list)
    _pending: dict[bytes, _Pending] = field(default_factory=dict)
    _realm: bytes = b""
    _nonce: bytes = b""
    _key: bytes | None = None

    # ---- what to send

    def allocate(self, now: float, lifetime_s: int = 60, *, ipv6: bool = False) -> tuple[bytes, bytes]:
        """(request, its name in ``replies``)."""
        family = [(Attribute.REQUESTED_ADDRESS_FAMILY, bytes((2, 0, 0, 0)))] if ipv6 else []
        fixed = [(Attribute.REQUESTED_TRANSPORT, UDP), (Attribute.LIFETIME, lifetime_s.to_bytes(4, "big")), *family]
        return self._ask(Method.ALLOCATE, lambda _: list(fixed), now)

    def refresh(self, now: float, lifetime_s: int) -> tuple[bytes, bytes]:
        """``lifetime_s`` 0 ends the allocation."""
        return self._ask(Method.REFRESH, lambda _: [(Attribute.LIFETIME, lifetime_s.to_bytes(4, "big"))], now)

    def permit(self, now: float, host: str, port: int = 9) -> tuple[bytes, bytes]:
        return self._ask(Method.CREATE_PERMISSION, lambda t: [(Attribute.XOR_PEER_ADDRESS, pack_address(host, port, t))], now)

    def bind(self, now: float, channel: int, host: str, port: int) -> tuple[bytes, bytes]:
        number = channel.to_bytes(2, "big") + bytes(2)
        return self._ask(
            Method.CHANNEL_BIND,
            lambda t: [(Attribute.CHANNEL_NUMBER, number), (Attribute.XOR_PEER_ADDRESS, pack_address(host, port, t))],
            now,
        )

    def send(self, host: str, port: int, data: bytes) -> bytes:
        """An indication: never answered, whether it went out or not."""
        transaction = self.new_transaction()
        attributes = [(Attribute.XOR_PEER_ADDRESS, pack_address(host, port, transaction)), (Attribute.DATA, data)]
        return encode(Method.SEND, Class.INDICATION, transaction, attributes)

    @staticmethod
    def channel_data(channel: int, data: bytes) -> bytes:
        return struct.pack("!HH", channel, len(data)) + data + bytes(-len(data) % 4)

    def due(self, now: float) -> list[bytes]:
        """What must be sent again. A request that was sent often enough gets error -1: nobody answers."""
        again: list[bytes] = []
        for transaction, pending in list(self._pending.items()):
            if now < pending.due:
                continue
            if self.reliable or pending.tries >= MAX_TRIES:
                self._finish(transaction, pending, -1, None)
                continue
            pending.tries += 1
            pending.due = now + RETRY_S
            again.append(pending.data)
        return again

    # ---- what comes

    def feed(self, data: bytes, now: float) -> list[bytes]:
        """Take a datagram, or one message of a stream; what is to be sent for it. Hostile bytes are ignored."""
        try:
            message = decode(data)
            if message.method == Method.DATA and message.cls is Class.INDICATION:
                peer = unpack_address(message.attributes.get(Attribute.XOR_PEER_ADDRESS, b""), message.transaction)
                self.received.append((peer, message.attributes.get(Attribute.DATA, b"")))
                del self.received[:-64]
                return []
            return self._answer(message, now)
        except StunError:
            return []

    def _answer(self, message: Message, now: float) -> list[bytes]:
        pending = self._pending.get(message.transaction)
        if pending is None or message.method != pending.method or message.cls not in (Class.SUCCESS, Class.ERROR):
            return []
        if message.error in (401, 438) and pending.challenges < MAX_CHALLENGES and self._challenged(message):
            del self._pending[message.transaction]
            data, transaction = self._ask(pending.method, pending.attributes, now)
            self._pending[transaction].challenges = pending.challenges + 1
            self._renamed[message.transaction] = transaction
            return [data]
        if self._key is not None and message.cls is Class.SUCCESS and not message.verified(self._key):
            return []  # not from the relay that knows our password
        if message.cls is Class.SUCCESS and pending.method is Method.ALLOCATE:
            self.relayed = unpack_address(message.attributes.get(Attribute.XOR_RELAYED_ADDRESS, b""), message.transaction)
            self.mapped = unpack_address(message.attributes.get(Attribute.XOR_MAPPED_ADDRESS, b""), message.transaction)
        self._finish(message.transaction, pending, message.error, message)
        return []

    def reply(self, name: bytes) -> Reply | None:
        """The answer to the request that was first called ``name``; None while there is none."""
        while name in self._renamed:
            name = self._renamed[name]
        return self.replies.get(name)

    _renamed: dict[bytes, bytes] = field(default_factory=dict)

    def _challenged(self, message: Message) -> bool:
        """Take realm and nonce; whether they are another than those that were refused."""
        realm = message.attributes.get(Attribute.REALM, self._realm)
        nonce = message.attributes.get(Attribute.NONCE, b"")
        if not realm or not nonce or (message.error == 401 and self._key is not None):
            return False
        self._realm, self._nonce = realm, nonce
        self._key = long_term_key(self.username, realm.decode("utf-8", "replace"), self.password)
        return True

    def _ask(
        self, method: Method, attributes: Callable[[bytes], list[tuple[Attribute, bytes]]], now: float
    ) -> tuple[bytes, bytes]:
        transaction = self.new_transaction()
        signed = attributes(transaction)
        if self._key is not None:
            signed += [
                (Attribute.USERNAME, self.username.encode()),
                (Attribute.REALM, self._realm),
                (Attribute.NONCE, self._nonce),
            ]
        data = encode(method, Class.REQUEST, transaction, signed, self._key)
        wait_s = RETRY_S * MAX_TRIES if self.reliable else RETRY_S
        self._pending[transaction] = _Pending(method, attributes, data, now + wait_s)
        return data, transaction

    def _finish(self, transaction: bytes, pending: _Pending, error: int, message: Message | None) -> None:
        del self._pending[transaction]
        self.replies[transaction] = Reply(pending.method, error, message)


class StreamReader:
    """Cuts a stream into STUN messages and channel data (RFC 8656 section 12.5: over a stream channel data is padded)."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Whole messages. Raises StunError when it cannot be such a stream."""
        self._buffer += data
        found: list[bytes] = []
        while len(self._buffer) >= 4:
            first, size = struct.unpack_from("!HH", self._buffer)
            if first & 0xC000 == 0:
                whole = 20 + size
            elif first & 0xC000 == 0x4000:
                whole = 4 + size + (-size % 4)
            else:
                raise StunError("not_stun")
            if len(self._buffer) < whole:
                break
            found.append(self._buffer[:whole])
            self._buffer = self._buffer[whole:]
        return found
