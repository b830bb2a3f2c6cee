"""Whose word is taken: the signature of a webhook (Standard Webhooks 1.0, Ed25519), its age, what it is about. Pure.

A webhook is never more than a hint that something has happened: what has happened is asked of the server, and what may be done stands in a
signed decision. So a webhook that comes twice, late or in another order does no harm.
"""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

TOLERANCE_S = 300
"""What is older than this, or of the future, is not taken: somebody may have kept it."""
MAX_BYTES = 64 * 1024
MAX_SIGNATURES = 8


class HookRefused(Exception):
    """It proves nothing. The message says why, for the log."""


@dataclass(frozen=True, slots=True)
class Event:
    """``id``: the same each time that the same event is told. ``subject``: the verification."""

    id: str
    type: str
    subject: str


def read(headers: Mapping[str, str], body: bytes, keys: Iterable[Ed25519PublicKey], now: float) -> Event:
    """An event that one of ``keys`` signed a short time ago. ``now``: seconds since 1970. Raises HookRefused."""
    given = {name.lower(): value for name, value in headers.items()}
    id, timestamp = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    if not id or len(id) > 64 or not timestamp.isascii() or not timestamp.isdecimal() or len(timestamp) > 12:
        raise HookRefused("unsigned")
    if abs(now - int(timestamp)) > TOLERANCE_S:
        raise HookRefused("of another time")
    signed = f"{id}.{timestamp}.".encode() + body
    if not any(_signed_by(key, text, signed) for text in _signatures(given) for key in keys):
        raise HookRefused("not signed by Tongping")
    try:
        said = json.loads(body)
        return Event(id=id, type=_text(said, "type"), subject=_text(said["data"], "subject"))
    except (ValueError, TypeError, KeyError, RecursionError):
        raise HookRefused("not an event") from None


def public_keys(jwks: Mapping[str, Any]) -> list[Ed25519PublicKey]:
    """The Ed25519 keys of a JWKS (RFC 7517). Raises ValueError for what is none."""
    found = []
    for one in jwks.get("keys", []):
        if (one.get("kty"), one.get("crv")) == ("OKP", "Ed25519"):
            found.append(Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(one["x"] + "=")))
    return found


def _signatures(headers: Mapping[str, str]) -> Iterable[bytes]:
    for one in headers.get("webhook-signature", "").split(" ")[:MAX_SIGNATURES]:
        scheme, _, text = one.partition(",")
        if scheme == "v1a":
            try:
                yield base64.b64decode(text, validate=True)
            except ValueError:
                continue


def _signed_by(key: Ed25519PublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        key.verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def _text(said: Any, name: str) -> str:
    value = said[name]
    if not isinstance(value, str):
        raise TypeError(name)
    return value
