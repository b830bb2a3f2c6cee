"""Sets of public Ed25519 keys as others keep them: JWKS (RFC 7517, RFC 8037). Sans-I/O."""

import base64
from collections.abc import Mapping

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from server.errors import Invalid

ALGORITHM = "EdDSA"
KEY_BYTES = 32
MAX_BYTES = 256 * 1024


class _Key(msgspec.Struct, frozen=True, kw_only=True):
    """Other members are allowed and not read (RFC 7517, section 4)."""

    kty: str
    crv: str = ""
    x: str = ""
    kid: str = ""
    d: str = ""


class _Set(msgspec.Struct, frozen=True):
    keys: list[_Key]


_decoder = msgspec.json.Decoder(_Set, strict=True)


def key_set(keys: Mapping[str, Ed25519PublicKey]) -> dict[str, list[dict[str, str]]]:
    """The public keys, each by its name (``kid``), in the order given."""
    return {
        "keys": [
            {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": ALGORITHM, "kid": kid, "x": encode(key.public_bytes_raw())}
            for kid, key in keys.items()
        ]
    }


def read_key_set(data: bytes) -> dict[str, Ed25519PublicKey]:
    """The Ed25519 keys of a set, by name; others are passed over. Raises Invalid: not a set, none in it, one is private, a name is there twice."""
    if len(data) > MAX_BYTES:
        raise Invalid("too large for a set of public keys (JWKS)")
    named: dict[str, Ed25519PublicKey] = {}
    try:
        for key in _decoder.decode(data).keys:
            if key.d:
                raise Invalid("there is a private key in this set: keep it to yourself and pass on the public ones")
            if key.kty != "OKP" or key.crv != "Ed25519":
                continue
            raw = decode(key.x)
            if not key.kid or key.kid in named or len(raw) != KEY_BYTES:
                raise ValueError("without a name, a name twice, or not a key")
            named[key.kid] = Ed25519PublicKey.from_public_bytes(raw)
    except (msgspec.MsgspecError, ValueError) as exc:
        raise Invalid("not a set of public keys (JWKS)") from exc
    if not named:
        raise Invalid("there is no Ed25519 key in this set")
    return named


def encode(data: bytes) -> str:
    """base64url without padding (RFC 7515, appendix C)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """The one spelling that ``encode`` gives. Raises ValueError for another, also of the same bytes."""
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if encode(data) != text:
        raise ValueError("not canonical base64url")
    return data
