"""Lists of identifiers: block, watch, allow. Sans-I/O.

Nothing of an identifier is kept but HMAC-SHA-256 under the server's own key, so that a list tells nobody whom it names, and equal identifiers of
different kinds are different. Compared exactly; there is no search.
"""

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum

import msgspec

from server.domain.ids import RiskEntryId

MOST_ENTRIES = 100_000
MAX_IDENTIFIER = 200
DIGEST_BYTES = 32
_MOBILE = re.compile("1[3-9][0-9]{9}")


class ListName(StrEnum):
    """``block``: rejected. ``watch``: referred at least. ``allow``: scores do not count; rules that reject or refer do."""

    BLOCK = "block"
    WATCH = "watch"
    ALLOW = "allow"


class IdentifierKind(StrEnum):
    CUSTOMER = "customer"  # the bank's pseudonym
    DEVICE = "device"
    ADDRESS = "address"  # IPv4, or the /64 of IPv6
    PHONE = "phone"
    ACCOUNT = "account"


class ListEntry(msgspec.Struct, frozen=True, kw_only=True):
    """``digest``: of the identifier; ``key``: of which key. Without ``expires_at`` it stays until it is removed. ``reason``: a code."""

    id: RiskEntryId
    list: ListName
    kind: IdentifierKind
    digest: bytes
    key: str
    reason: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None


class IdentifierInvalid(ValueError):
    """An identifier that is none of its kind; the message does not quote it."""


class Identifiers:
    """Turns identifiers into digests. ``key``: 32 bytes; ``name`` tells keys apart and says nothing of them."""

    def __init__(self, key: bytes) -> None:
        if len(key) != DIGEST_BYTES:
            raise ValueError("a key of 32 bytes is needed")
        self._key = key
        self.name = self._mac(b"name of this key")[:8].hex()

    def digest(self, kind: IdentifierKind, identifier: str) -> bytes:
        """32 bytes. Raises IdentifierInvalid."""
        return self._mac(kind.value.encode() + b"\0" + normalised(kind, identifier).encode())

    def _mac(self, message: bytes) -> bytes:
        return hmac.digest(self._key, b"tongping risk 1\0" + message, hashlib.sha256)


def normalised(kind: IdentifierKind, identifier: str) -> str:
    """What equal identifiers have in common. Raises IdentifierInvalid: empty, too long, no address, no telephone number."""
    if not identifier or len(identifier) > MAX_IDENTIFIER or not identifier.isprintable():
        raise IdentifierInvalid(f"{kind.value}: 1 to {MAX_IDENTIFIER} visible characters are needed")
    if kind is IdentifierKind.ADDRESS:
        try:
            address = ipaddress.ip_address(identifier)
        except ValueError:
            raise IdentifierInvalid("address: not an IP address") from None
        if isinstance(address, ipaddress.IPv6Address):
            if address.ipv4_mapped is not None:
                return str(address.ipv4_mapped)
            return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
        return str(address)
    if kind is IdentifierKind.PHONE:
        digits = "".join(one for one in identifier if one not in " -().")
        plain = digits.removeprefix("+")
        if not (plain.isascii() and plain.isdigit() and 3 <= len(plain) <= 20):
            raise IdentifierInvalid("phone: digits, with a + before the country's code or without, are needed")
        return _international(plain, abroad=digits.startswith(("+", "00")))
    return identifier


def _international(digits: str, *, abroad: bool) -> str:
    """One spelling of a number: without the 00 of a call ``abroad``, and a mobile number of the mainland, where no country is named, with its country's code."""
    number = digits.removeprefix("00")
    return f"86{number}" if not abroad and _MOBILE.fullmatch(number) else number


class Hit(msgspec.Struct, frozen=True):
    list: ListName
    kind: IdentifierKind
    reason: str


class ListIndex:
    """The entries, by digest. ``foreign``: how many of them were made under another key than ``key``."""

    def __init__(self, entries: Iterable[ListEntry] = (), *, key: str = "") -> None:
        self._key = key
        self._by_digest: dict[bytes, list[ListEntry]] = {}
        self._size = 0
        self.foreign = 0
        for entry in entries:
            self.add(entry)

    def __len__(self) -> int:
        return self._size

    def add(self, entry: ListEntry) -> None:
        self._by_digest.setdefault(entry.digest, []).append(entry)
        self._count(entry, 1)

    def remove(self, entry: ListEntry) -> None:
        """Nothing happens when it is not there."""
        there = self._by_digest.get(entry.digest, [])
        left = [one for one in there if one.id != entry.id]
        if len(left) == len(there):
            return
        self._count(entry, -1)
        if left:
            self._by_digest[entry.digest] = left
        else:
            del self._by_digest[entry.digest]

    def forget(self, expired_before: datetime) -> None:
        """As the store does: those that expired before then."""
        gone = [
            entry
            for entries in self._by_digest.values()
            for entry in entries
            if entry.expires_at is not None and entry.expires_at < expired_before
        ]
        for entry in gone:
            self.remove(entry)

    def _count(self, entry: ListEntry, by: int) -> None:
        self._size += by
        if entry.key != self._key:
            self.foreign += by

    def hits(self, digests: Mapping[IdentifierKind, bytes], now: datetime) -> tuple[Hit, ...]:
        """What of these is listed at ``now``, each list and kind once."""
        found: dict[tuple[ListName, IdentifierKind], Hit] = {}
        for kind, digest in digests.items():
            for entry in self._by_digest.get(digest, ()):
                if entry.kind is kind and (entry.expires_at is None or now < entry.expires_at):
                    found.setdefault((entry.list, kind), Hit(entry.list, kind, entry.reason))
        return tuple(found.values())
