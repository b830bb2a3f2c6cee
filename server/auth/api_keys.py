"""Keys of the bank's systems: ``tpk_<id without its prefix>_<secret>``, shown once, kept as SHA-256. Sans-I/O."""

import base64
import hashlib
import hmac
import re

from server.domain.ids import API_KEY, ID_BYTES, ApiKeyId, make_id
from server.errors import Unauthenticated

PREFIX = "tpk_"
SECRET_BYTES = 32
_SHAPE = re.compile(r"tpk_([A-Z2-7]{26})_([A-Z2-7]{52})")


def make_api_key(random_bytes: bytes) -> tuple[ApiKeyId, str, bytes]:
    """Id, the key to show once, and the hash to keep; from exactly 48 random bytes."""
    if len(random_bytes) != ID_BYTES + SECRET_BYTES:
        raise ValueError(f"an API key needs {ID_BYTES + SECRET_BYTES} random bytes, not {len(random_bytes)}")
    id = make_id(API_KEY, random_bytes[:ID_BYTES])
    secret = base64.b32encode(random_bytes[ID_BYTES:]).decode().rstrip("=")
    return ApiKeyId(id), f"{PREFIX}{id.removeprefix(API_KEY + '_')}_{secret}", hash_secret(secret)


def is_api_key(text: str) -> bool:
    """Whether a bearer credential claims to be an API key (and not a token)."""
    return text.startswith(PREFIX)


def read_api_key(text: str) -> tuple[ApiKeyId, str]:
    """Id and secret. Raises Unauthenticated for anything else."""
    found = _SHAPE.fullmatch(text)
    if found is None:
        raise Unauthenticated("The key is not valid.")
    return ApiKeyId(f"{API_KEY}_{found[1]}"), found[2]


def hash_secret(secret: str) -> bytes:
    """256 random bits need no salt and no slow hash."""
    return hashlib.sha256(b"tongping api key\0" + secret.encode()).digest()


def secret_matches(secret: str, secret_hash: bytes) -> bool:
    """In constant time."""
    return hmac.compare_digest(hash_secret(secret), secret_hash)
