"""Checkpoints that carry a signature, to be kept where nobody can change both them and the audit trail. Sans-I/O.

A compact JWS (RFC 7515, EdDSA over Ed25519, RFC 8037), typ ``tongping-checkpoint+jwt``, of the claims

    {"at": seconds since 1970, "hash": 64 hex digits, "iss": …, "number": …}

It says: at that time entry ``number`` of the trail had ``hash``, and all before it held. Whoever has the public key can check it
(``server/auth/jwks.py``). A reader takes one spelling only: one algorithm, a known ``kid``, no other header or claim, canonical base64url.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from server.audit.chain import Checkpoint
from server.auth.jwks import ALGORITHM, decode
from server.errors import Invalid

TYPE = "tongping-checkpoint+jwt"
MAX_CHARS = 1024
_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}")
_HASH = re.compile(r"[0-9a-f]{64}")
_REFUSED = "not a signed checkpoint"


class SignedCheckpoint(msgspec.Struct, frozen=True, kw_only=True):
    """``issuer``: the server that made it. ``text``: the JWS."""

    point: Checkpoint
    issuer: str
    at: datetime
    kid: str
    text: str


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    alg: str
    kid: str
    typ: str


class _Claims(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    at: int
    hash: str
    iss: str
    number: int


_read_header = msgspec.json.Decoder(_Header, strict=True)
_read_claims = msgspec.json.Decoder(_Claims, strict=True)


class CheckpointSigner:
    """``kid`` names the key for readers, ``issuer`` the server."""

    def __init__(self, key: Ed25519PrivateKey, kid: str, *, issuer: str) -> None:
        self._key, self._kid, self._issuer = key, kid, issuer

    def sign(self, point: Checkpoint, at: datetime) -> SignedCheckpoint:
        """``at`` loses its fraction of a second. Raises Invalid for a time without a zone."""
        if at.tzinfo is None:
            raise Invalid("the time of a checkpoint needs a time zone")
        seconds = int(at.timestamp())
        claims = {"at": seconds, "hash": point.hash.hex(), "iss": self._issuer, "number": point.number}
        text = jwt.encode(claims, self._key, algorithm=ALGORITHM, headers={"kid": self._kid, "typ": TYPE})
        return SignedCheckpoint(
            point=point, issuer=self._issuer, at=datetime.fromtimestamp(seconds, UTC), kid=self._kid, text=text
        )


class CheckpointReader:
    """``keys``: by name, all that may have signed."""

    def __init__(self, keys: Mapping[str, Ed25519PublicKey]) -> None:
        self._keys = dict(keys)

    def read(self, text: str) -> SignedCheckpoint:
        """Raises Invalid: not of this form, by an unknown key, or changed."""
        if len(text) > MAX_CHARS or _SHAPE.fullmatch(text) is None:
            raise Invalid(_REFUSED)
        try:
            header, payload, _ = (decode(part) for part in text.split("."))
            head = _read_header.decode(header)
            claims = _read_claims.decode(payload)
        except (msgspec.MsgspecError, ValueError) as exc:
            raise Invalid(_REFUSED) from exc
        if head.alg != ALGORITHM or head.typ != TYPE or not 0 <= claims.number < 1 << 63 or not _HASH.fullmatch(claims.hash):
            raise Invalid(_REFUSED)
        key = self._keys.get(head.kid)
        if key is None:
            raise Invalid(f"a checkpoint signed by an unknown key {head.kid[:16]!r}")
        try:
            jwt.api_jws.decode(text, key, algorithms=[ALGORITHM])
            at = datetime.fromtimestamp(claims.at, UTC)
        except (jwt.InvalidTokenError, ValueError, OverflowError, OSError) as exc:
            raise Invalid("a checkpoint whose signature is wrong") from exc
        return SignedCheckpoint(
            point=Checkpoint(number=claims.number, hash=bytes.fromhex(claims.hash)),
            issuer=claims.iss,
            at=at,
            kid=head.kid,
            text=text,
        )
