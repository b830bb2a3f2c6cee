"""What the bank gets for an erasing: that it was done, when, and of how much. Sans-I/O.

A compact JWS (RFC 7515, EdDSA over Ed25519, RFC 8037), typ ``tongping-erasure+jwt``, by the key of the audit trail (``GET /audit/keys``). It names the customer;
the server keeps no copy of it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from server.auth.jwks import ALGORITHM, decode
from server.errors import Invalid

TYPE = "tongping-erasure+jwt"
MAX_CHARS = 4096


class ReceiptSigner:
    """``kid`` names the key for readers, ``issuer`` the server."""

    def __init__(self, key: Ed25519PrivateKey, kid: str, *, issuer: str) -> None:
        self._key, self._kid, self._issuer = key, kid, issuer

    def sign(self, id: str, customer: str, at: datetime, counts: Mapping[str, int]) -> str:
        """``counts``: of what was erased."""
        claims = {"iss": self._issuer, "iat": int(at.timestamp()), "jti": id, "sub": customer, "erased": dict(counts)}
        return jwt.encode(claims, self._key, algorithm=ALGORITHM, headers={"kid": self._kid, "typ": TYPE})


def read_receipt(text: str, keys: Mapping[str, Ed25519PublicKey]) -> tuple[str, str, datetime, dict[str, int]]:
    """(id, customer, when, counts) of a receipt that one of ``keys`` signed. Raises Invalid."""
    try:
        for part in text.split("."):
            decode(part)  # one spelling only
        head = jwt.get_unverified_header(text)
        if len(text) > MAX_CHARS or head.get("typ") != TYPE or head.get("kid") not in keys:
            raise Invalid("not a receipt by a known key")
        claims = jwt.decode(text, keys[head["kid"]], algorithms=[ALGORITHM], options={"verify_iat": False})
        at = datetime.fromtimestamp(claims["iat"], UTC)
        return str(claims["jti"]), str(claims["sub"]), at, {str(name): int(count) for name, count in claims["erased"].items()}
    except (jwt.InvalidTokenError, KeyError, TypeError, ValueError, AttributeError) as exc:
        raise Invalid("not a receipt by a known key") from exc
