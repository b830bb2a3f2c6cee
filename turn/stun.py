"""STUN messages, only what a TURN client needs, written and read strictly. S.

RFC 8489 (STUN), RFC 8656 (TURN). ``decode`` raises StunError and nothing else. Addresses are written as asked, also those that no
honest client would ask for: that is what the relay is tested with.
"""

import hashlib
import hmac
import ipaddress
import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

from turn.errors import StunError

COOKIE = 0x2112A442
HEADER_BYTES = 20
MAX_BYTES = 2048
_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
_FINGERPRINT_XOR = 0x5354554E


class Method(IntEnum):
    BINDING = 0x001
    ALLOCATE = 0x003
    REFRESH = 0x004
    SEND = 0x006
    DATA = 0x007
    CREATE_PERMISSION = 0x008
    CHANNEL_BIND = 0x009


class Class(IntEnum):
    REQUEST = 0x000
    INDICATION = 0x010
    SUCCESS = 0x100
    ERROR = 0x110


class Attribute(IntEnum):
    USERNAME = 0x0006
    MESSAGE_INTEGRITY = 0x0008
    ERROR_CODE = 0x0009
    CHANNEL_NUMBER = 0x000C
    LIFETIME = 0x000D
    XOR_PEER_ADDRESS = 0x0012
    DATA = 0x0013
    REALM = 0x0014
    NONCE = 0x0015
    XOR_RELAYED_ADDRESS = 0x0016
    REQUESTED_ADDRESS_FAMILY = 0x0017
    REQUESTED_TRANSPORT = 0x0019
    XOR_MAPPED_ADDRESS = 0x0020
    FINGERPRINT = 0x8028


@dataclass(frozen=True, slots=True)
class Message:
    """``attributes``: the first of each kind, up to MESSAGE-INTEGRITY; what follows it is nobody's word."""

    method: int
    cls: Class
    transaction: bytes
    attributes: dict[int, bytes]
    signed: bytes | None = None  # what MESSAGE-INTEGRITY was made over
    integrity: bytes = b""

    @property
    def error(self) -> int:
        """The number of ERROR-CODE (RFC 8489 section 14.8); 0 without one."""
        value = self.attributes.get(Attribute.ERROR_CODE, b"")
        return (value[2] & 7) * 100 + value[3] if len(value) >= 4 else 0

    def verified(self, key: bytes) -> bool:
        if self.signed is None:
            return False
        return hmac.compare_digest(hmac.new(key, self.signed, hashlib.sha1).digest(), self.integrity)


def long_term_key(username: str, realm: str, password: str) -> bytes:
    """RFC 8489 section 9.2.2."""
    return hashlib.md5(f"{username}:{realm}:{password}".encode(), usedforsecurity=False).digest()


def encode(
    method: Method, cls: Class, transaction: bytes, attributes: list[tuple[Attribute, bytes]], key: bytes | None = None
) -> bytes:
    """A whole message with FINGERPRINT, and MESSAGE-INTEGRITY where there is a key. RFC 8489 sections 5, 14.5, 14.7."""
    kind = _kind(method, cls)
    body = b"".join(_attribute(kind_, value) for kind_, value in attributes)
    if key is not None:
        signed = _HEADER.pack(kind, len(body) + 24, COOKIE, transaction) + body
        body += _attribute(Attribute.MESSAGE_INTEGRITY, hmac.new(key, signed, hashlib.sha1).digest())
    head = _HEADER.pack(kind, len(body) + 8, COOKIE, transaction) + body
    return head + _attribute(Attribute.FINGERPRINT, (zlib.crc32(head) ^ _FINGERPRINT_XOR).to_bytes(4, "big"))


def _kind(method: int, cls: int) -> int:
    return (method & 0xF80) << 2 | (method & 0x70) << 1 | method & 0xF | cls


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(kind, len(value)) + value + bytes(-len(value) % 4)


def decode(data: bytes) -> Message:
    """Read one message that fills ``data``. Raises StunError."""
    if not HEADER_BYTES <= len(data) <= MAX_BYTES or len(data) % 4:
        raise StunError("bad_length")
    kind, size, cookie, transaction = _HEADER.unpack_from(data)
    if kind & 0xC000 or cookie != COOKIE or size != len(data) - HEADER_BYTES:
        raise StunError("not_stun")
    method = (kind & 0x3E00) >> 2 | (kind & 0xE0) >> 1 | kind & 0xF
    attributes: dict[int, bytes] = {}
    at = HEADER_BYTES
    while at < len(data):
        number, length = _ATTRIBUTE.unpack_from(data, at)
        value = data[at + 4 : at + 4 + length]
        if len(value) != length:
            raise StunError("bad_attribute")
        if number == Attribute.MESSAGE_INTEGRITY:
            if length != 20:
                raise StunError("bad_attribute")
            signed = data[:2] + (at + 24 - HEADER_BYTES).to_bytes(2, "big") + data[4:at]
            return Message(method, Class(kind & 0x110), transaction, attributes, signed, value)
        attributes.setdefault(number, value)
        at += 4 + length + (-length % 4)
    return Message(method, Class(kind & 0x110), transaction, attributes)


def pack_address(host: str, port: int, transaction: bytes) -> bytes:
    """XOR-…-ADDRESS (RFC 8489 section 14.2). Raises ValueError for what is no address."""
    address = ipaddress.ip_address(host)
    mask = COOKIE.to_bytes(4, "big") + transaction
    family = 1 if address.version == 4 else 2
    mixed = bytes(a ^ b for a, b in zip(address.packed, mask, strict=False))
    return struct.pack("!BBH", 0, family, port ^ COOKIE >> 16) + mixed


def unpack_address(value: bytes, transaction: bytes) -> tuple[str, int]:
    """Raises StunError."""
    if len(value) not in (8, 20) or value[1] != (1 if len(value) == 8 else 2):
        raise StunError("bad_address")
    mask = COOKIE.to_bytes(4, "big") + transaction
    packed = bytes(a ^ b for a, b in zip(value[4:], mask, strict=False))
    return str(ipaddress.ip_address(packed)), int.from_bytes(value[2:4], "big") ^ COOKIE >> 16
