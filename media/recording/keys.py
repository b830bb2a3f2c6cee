"""Keys of recordings: master keys, the data key of each recording wrapped under one, and what is derived from it. S.

Master key: 32 bytes. Data key: 32 random bytes to a recording, kept wrapped with AES-256-GCM (NIST SP 800-38D) under a
master key, with the recording's id and the master key's id as associated data. Keys of tracks, headers, manifests and
indexes come from the data key by HKDF-SHA-256 (RFC 5869). Chance comes from outside: nonces and keys are parameters.
"""

import base64
import binascii
import hashlib
import struct
from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from media.recording.errors import RecordingKeyError

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
SALT_BYTES = 16
MAX_MASTER_KEYS = 16
MAX_KEY_FILE_BYTES = 4096

_MAGIC = b"TPKEY\0\0\x01"
_ID_BYTES = 8
WRAPPED_BYTES = len(_MAGIC) + _ID_BYTES + NONCE_BYTES + KEY_BYTES + TAG_BYTES
_BASE64 = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-_ \r\n,")


def master_key_id(key: bytes) -> str:
    """Names a master key by its content: 64 bits of a SHA-256, in hex."""
    return hashlib.sha256(b"tongping recording master key\0" + key).hexdigest()[: 2 * _ID_BYTES]


def read_master_keys(content: bytes) -> tuple[bytes, ...]:
    """Of a key file or a variable: 32 raw bytes, or keys in base64, one to a line or comma-separated; the first wraps.

    Raises RecordingKeyError: empty, too short or long, not base64, too many.
    """
    if len(content) == KEY_BYTES and not _BASE64.issuperset(content):
        return (content,)
    if len(content) > MAX_KEY_FILE_BYTES:
        raise RecordingKeyError("bad_master_key", f"a key file has at most {MAX_KEY_FILE_BYTES} bytes")
    keys: list[bytes] = []
    for word in content.replace(b",", b"\n").split():
        try:
            key = base64.b64decode(word.replace(b"-", b"+").replace(b"_", b"/"), validate=True)
        except binascii.Error:
            raise RecordingKeyError("bad_master_key", "a master key is 32 bytes in base64") from None
        if len(key) != KEY_BYTES:
            raise RecordingKeyError("bad_master_key", f"a master key has 32 bytes, not {len(key)}")
        if key not in keys:
            keys.append(key)
    if not keys:
        raise RecordingKeyError("no_master_key", "there is no master key")
    if len(keys) > MAX_MASTER_KEYS:
        raise RecordingKeyError("bad_master_key", f"more than {MAX_MASTER_KEYS} master keys")
    return tuple(keys)


class KeyRing:
    """The master keys that are known; the first wraps, all unwrap."""

    def __init__(self, keys: Iterable[bytes]) -> None:
        self._keys: dict[str, bytes] = {}
        for key in keys:
            if len(key) != KEY_BYTES:
                raise RecordingKeyError("bad_master_key", f"a master key has 32 bytes, not {len(key)}")
            self._keys.setdefault(master_key_id(key), key)
        if not self._keys:
            raise RecordingKeyError("no_master_key", "there is no master key")
        self.current = next(iter(self._keys))

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the keys, the one that wraps first."""
        return tuple(self._keys)

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self._keys)})"

    def wrap(self, recording: str, data_key: bytes, nonce: bytes) -> bytes:
        """``WRAPPED_BYTES`` that only this ring's first key opens. ``nonce``: 12 random bytes."""
        if len(data_key) != KEY_BYTES or len(nonce) != NONCE_BYTES:
            raise RecordingKeyError("bad_data_key", "a data key has 32 bytes and its nonce 12")
        opening = _MAGIC + bytes.fromhex(self.current)
        sealed = AESGCM(self._keys[self.current]).encrypt(nonce, data_key, opening + recording.encode())
        return opening + nonce + sealed

    def unwrap(self, recording: str, wrapped: bytes) -> bytes:
        """The data key. Raises RecordingKeyError: erased, not a wrapped key, an unknown master key, or changed."""
        key = self._keys.get(wrapped_with(wrapped))
        if key is None:
            raise RecordingKeyError(
                "unknown_master_key", f"it was wrapped with the master key {wrapped_with(wrapped)}, which is not here"
            )
        at = len(_MAGIC) + _ID_BYTES
        try:
            return AESGCM(key).decrypt(
                wrapped[at : at + NONCE_BYTES], wrapped[at + NONCE_BYTES :], wrapped[:at] + recording.encode()
            )
        except InvalidTag:
            raise RecordingKeyError("wrapped_key_changed", "the wrapped key was changed, or is another recording's") from None

    def rewrap(self, recording: str, wrapped: bytes, nonce: bytes) -> bytes:
        """The same data key under this ring's first master key. Raises RecordingKeyError as ``unwrap`` does."""
        return self.wrap(recording, self.unwrap(recording, wrapped), nonce)


def wrapped_with(wrapped: bytes) -> str:
    """Id of the master key that a wrapped key needs. Raises RecordingKeyError(``erased`` or ``not_a_wrapped_key``)."""
    if not wrapped.strip(b"\0"):
        raise RecordingKeyError("erased", "the key was erased: nothing can be read any more")
    if len(wrapped) != WRAPPED_BYTES or not wrapped.startswith(_MAGIC):
        raise RecordingKeyError("not_a_wrapped_key", "not a wrapped key")
    return wrapped[len(_MAGIC) : len(_MAGIC) + _ID_BYTES].hex()


def derive(data_key: bytes, purpose: str, recording: str, track: str = "", part: int = 0, salt: bytes = b"") -> bytes:
    """32 bytes for one purpose. HKDF-SHA-256; info: version, purpose, recording, track, part, each field with its length."""
    info = b"tongping recording 1"
    for field in (purpose, recording, track):
        encoded = field.encode()
        info += struct.pack("!H", len(encoded)) + encoded
    return HKDF(hashes.SHA256(), KEY_BYTES, salt=salt, info=info + struct.pack("!I", part)).derive(data_key)


def data_key_id(data_key: bytes, recording: str) -> str:
    """Names a data key in track headers, so that a wrong one is told from a changed file."""
    return derive(data_key, "id", recording)[:_ID_BYTES].hex()
