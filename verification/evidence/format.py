"""How evidence stands on disk: the key of a case, its blobs, its manifest. Sans I/O; chance comes from outside.

Master key: 32 bytes, kept by the operator. Case key: 32 random bytes, wrapped with AES-256-GCM (NIST SP 800-38D) under a master key with
the case's id in the associated data. Each blob and the manifest has a key of its own, derived from the case key by HKDF-SHA-256 (RFC 5869)
with a random salt, and is sealed under it once; associated data: case, name, kind, schema. So a blob opens nowhere but in its own case
and under its own name, and nothing opens once the case key is gone.
"""

import hashlib
import hmac
import math
import re
import struct
from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from verification.errors import VerificationError

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
SALT_BYTES = 16
SCHEMA = 1
MAX_BLOB_BYTES = 64 << 20
MAX_BLOBS = 4096
MAX_MANIFEST_BYTES = 4 << 20

_KEY_MAGIC = b"TPEVKEY\x01"
_BLOB_MAGIC = b"TPEVBLB\x01"
_ID_BYTES = 8
WRAPPED_BYTES = len(_KEY_MAGIC) + _ID_BYTES + NONCE_BYTES + KEY_BYTES + TAG_BYTES
BLOB_OVERHEAD = len(_BLOB_MAGIC) + SALT_BYTES + TAG_BYTES
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
MANIFEST_KIND = "manifest"


class EvidenceError(VerificationError):
    """Evidence that cannot be used, read or written: nothing of it is handed out. ``code`` says why:

    ``evidence_bad_name``, ``evidence_bad_key``, ``evidence_bad_time``, ``evidence_unknown_master_key``, ``evidence_changed``, ``evidence_missing``, ``evidence_exists``,
    ``evidence_too_large``, ``evidence_erased``, ``evidence_sealed``, ``evidence_not_found``.
    """

    code = "evidence_unusable"


class BlobEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``size`` and ``sha256`` are of the plain bytes; ``number``: from 0, in the order of writing."""

    number: int
    name: str
    kind: str
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Times: seconds since 1970. ``keep_until_s``: from then on it is due for erasure. ``facts``: scores, script, consents, decision; JSON text."""

    schema: Literal[1]
    case: str
    type: str
    created_s: float
    keep_until_s: float
    blobs: tuple[BlobEntry, ...]
    facts: str


_MANIFESTS = msgspec.json.Decoder(Manifest)
"""Made here, before there are threads: two that prepare a type for themselves at once end the process (msgspec 0.22)."""


def check_name(name: str) -> str:
    """Of a case, a blob or a kind: lower case letters, digits, ``.``, ``_``, ``-``; at most 80. Raises EvidenceError."""
    if not _NAME.fullmatch(name) or ".." in name:
        raise EvidenceError("a name of evidence has letters a to z, digits, . _ and -", code="evidence_bad_name")
    return name


def master_key_id(key: bytes) -> str:
    """Names a master key by its content: 64 bits of a SHA-256, in hexadecimal."""
    return hashlib.sha256(b"tongping evidence master key\0" + key).hexdigest()[: 2 * _ID_BYTES]


class KeyRing:
    """The master keys that are known: the first wraps, all unwrap. To rotate: put a new one first, ``rewrap`` every case, drop the old one."""

    def __init__(self, keys: Iterable[bytes]) -> None:
        self._keys: dict[str, bytes] = {}
        for key in keys:
            if len(key) != KEY_BYTES:
                raise EvidenceError(f"a master key has {KEY_BYTES} bytes", code="evidence_bad_key")
            self._keys.setdefault(master_key_id(key), key)
        if not self._keys:
            raise EvidenceError("there is no master key", code="evidence_bad_key")
        self.current = next(iter(self._keys))

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self._keys)})"

    def wrap(self, case: str, case_key: bytes, nonce: bytes) -> bytes:
        """``WRAPPED_BYTES``. ``nonce``: 12 random bytes, never used before."""
        if len(case_key) != KEY_BYTES or len(nonce) != NONCE_BYTES:
            raise EvidenceError("a case key has 32 bytes and its nonce 12", code="evidence_bad_key")
        opening = _KEY_MAGIC + bytes.fromhex(self.current)
        return opening + nonce + AESGCM(self._keys[self.current]).encrypt(nonce, case_key, opening + _bound("key", case))

    def unwrap(self, case: str, wrapped: bytes) -> bytes:
        """Raises EvidenceError: erased, changed, another case's, or of a master key that is not here."""
        at = len(_KEY_MAGIC) + _ID_BYTES
        key = self._keys.get(wrapped_with(wrapped))
        if key is None:
            raise EvidenceError("it was wrapped with a master key that is not here", code="evidence_unknown_master_key")
        try:
            return AESGCM(key).decrypt(
                wrapped[at : at + NONCE_BYTES], wrapped[at + NONCE_BYTES :], wrapped[:at] + _bound("key", case)
            )
        except InvalidTag:
            raise EvidenceError("the key of the case was changed, or is another's", code="evidence_changed") from None


def wrapped_with(wrapped: bytes) -> str:
    """Id of the master key that it needs. Raises EvidenceError."""
    if not wrapped.strip(b"\0"):
        raise EvidenceError("the key of the case was erased", code="evidence_erased")
    if len(wrapped) != WRAPPED_BYTES or not wrapped.startswith(_KEY_MAGIC):
        raise EvidenceError("not the key of a case", code="evidence_changed")
    return wrapped[len(_KEY_MAGIC) : len(_KEY_MAGIC) + _ID_BYTES].hex()


def _bound(*fields: str) -> bytes:
    """Each with its length, so that no two sets of fields give the same bytes."""
    found = struct.pack("!H", SCHEMA)
    for field in fields:
        encoded = field.encode()
        found += struct.pack("!H", len(encoded)) + encoded
    return found


def _derived(case_key: bytes, bound: bytes, salt: bytes) -> bytes:
    return HKDF(hashes.SHA256(), KEY_BYTES, salt=salt, info=b"tongping evidence" + bound).derive(case_key)


def seal(case_key: bytes, case: str, name: str, kind: str, data: bytes, salt: bytes) -> bytes:
    """``salt``: 16 random bytes, never used before in this case. The nonce is 0, as each key seals once."""
    if len(salt) != SALT_BYTES:
        raise EvidenceError("a salt has 16 bytes", code="evidence_bad_key")
    if len(data) > MAX_BLOB_BYTES:
        raise EvidenceError(f"a blob has at most {MAX_BLOB_BYTES} bytes", code="evidence_too_large")
    bound = _bound("blob", case, name, kind)
    opening = _BLOB_MAGIC + salt
    return opening + AESGCM(_derived(case_key, bound, salt)).encrypt(bytes(NONCE_BYTES), data, opening + bound)


def open_sealed(case_key: bytes, case: str, name: str, kind: str, sealed: bytes) -> bytes:
    """Raises EvidenceError(``evidence_changed``): not the bytes that were sealed for this case, name and kind."""
    at = len(_BLOB_MAGIC) + SALT_BYTES
    bound = _bound("blob", case, name, kind)
    if len(sealed) < BLOB_OVERHEAD or not sealed.startswith(_BLOB_MAGIC):
        raise EvidenceError(f"{name} is not a sealed blob", code="evidence_changed")
    try:
        key = _derived(case_key, bound, sealed[len(_BLOB_MAGIC) : at])
        return AESGCM(key).decrypt(bytes(NONCE_BYTES), sealed[at:], sealed[:at] + bound)
    except InvalidTag:
        raise EvidenceError(f"{name} was changed, or belongs elsewhere", code="evidence_changed") from None


def entry(number: int, name: str, kind: str, data: bytes) -> BlobEntry:
    return BlobEntry(number, name, kind, len(data), hashlib.sha256(data).hexdigest())


def matches(found: BlobEntry, data: bytes) -> bool:
    return len(data) == found.size and hmac.compare_digest(hashlib.sha256(data).hexdigest(), found.sha256)


def encode_manifest(manifest: Manifest) -> bytes:
    """Raises EvidenceError: ``evidence_bad_time`` where it could not be read again or would be due before it was made, ``evidence_too_large``."""
    if not (math.isfinite(manifest.created_s) and math.isfinite(manifest.keep_until_s)):
        raise EvidenceError("a time of evidence is no number: to keep it for long, say until when", code="evidence_bad_time")
    if manifest.keep_until_s < manifest.created_s:
        raise EvidenceError("evidence cannot be due before it was made", code="evidence_bad_time")
    data = msgspec.json.encode(manifest)
    if len(data) > MAX_MANIFEST_BYTES:
        raise EvidenceError("the manifest is too large", code="evidence_too_large")
    return data


def decode_manifest(data: bytes, case: str) -> Manifest:
    """Raises EvidenceError(``evidence_changed``)."""
    try:
        manifest = _MANIFESTS.decode(data)
    except msgspec.MsgspecError:
        raise EvidenceError("the manifest cannot be read", code="evidence_changed") from None
    names = [blob.name for blob in manifest.blobs]
    in_order = [blob.number for blob in manifest.blobs] == list(range(len(names)))
    if manifest.case != case or len(set(names)) != len(names) or not in_order:
        raise EvidenceError("the manifest does not fit its case", code="evidence_changed")
    return manifest


def due(keep_until: Mapping[str, float], now_s: float) -> list[str]:
    """Cases whose time is over, the longest first."""
    return sorted((case for case, until in keep_until.items() if until <= now_s), key=lambda case: (keep_until[case], case))
