"""The manifest of a recording, written when it ends: every track file with its size and hash. S.

Magic ``TPMANIF`` and version (8 bytes), length (u32), JSON (``Manifest``), HMAC-SHA-256 of all that under a key from the data key.
"""

import hmac
import struct
from typing import Literal

import msgspec

from media.recording.errors import RecordingFormatError
from media.recording.keys import derive

FILE = "manifest"
MAGIC = b"TPMANIF\x01"
MAX_BYTES = 8 << 20
MAX_PARTS = 16_384
_LENGTH = struct.Struct("!I")
_OPENING = len(MAGIC) + _LENGTH.size
_MAC_BYTES = 32

Ending = Literal["complete", "interrupted", "failed"]


class PartEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One track file as it was then. ``whole_bytes`` < ``size``: what follows is a segment that a crash cut short.

    ``closed``: it has its final segment. ``head``: hash of its last segment, ``sha256``: of the file, both in hex.
    ``damaged``: it could not be read whole when the manifest was written after a crash.
    """

    file: str
    track: str
    part: int
    participant: str
    source: str
    kind: str
    size: int
    whole_bytes: int
    segments: int
    records: int
    first_us: int
    last_us: int
    head: str
    sha256: str
    closed: bool
    damaged: bool = False


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``ending``: "interrupted" when it was put together after a crash that nobody resumed, "failed" when the disk refused
    (``reason`` says how)."""

    recording: str
    ending: Ending
    started_wall_us: int
    ended_wall_us: int
    parts: tuple[PartEntry, ...]
    reason: str = ""


_MANIFESTS = msgspec.json.Decoder(Manifest)
"""Made here, before there are threads: two that prepare a type for themselves at once end the process (msgspec 0.22)."""


def encode(manifest: Manifest, data_key: bytes) -> bytes:
    """Raises RecordingFormatError(``manifest_too_large``)."""
    body = msgspec.json.encode(manifest)
    if len(body) > MAX_BYTES or len(manifest.parts) > MAX_PARTS:
        raise RecordingFormatError("manifest_too_large", f"{len(manifest.parts)} files")
    opening = MAGIC + _LENGTH.pack(len(body)) + body
    return opening + hmac.digest(derive(data_key, "manifest", manifest.recording), opening, "sha256")


def decode(raw: bytes, data_key: bytes, recording: str) -> Manifest:
    """Raises RecordingFormatError(``manifest_changed``)."""
    changed = RecordingFormatError("manifest_changed", "the manifest was changed, cut, or is another recording's")
    if len(raw) < _OPENING + _MAC_BYTES or len(raw) > _OPENING + MAX_BYTES + _MAC_BYTES or raw[: len(MAGIC)] != MAGIC:
        raise changed
    (length,) = _LENGTH.unpack_from(raw, len(MAGIC))
    if len(raw) != _OPENING + length + _MAC_BYTES:
        raise changed
    mac = hmac.digest(derive(data_key, "manifest", recording), raw[:-_MAC_BYTES], "sha256")
    if not hmac.compare_digest(mac, raw[-_MAC_BYTES:]):
        raise changed
    try:
        manifest = _MANIFESTS.decode(raw[_OPENING:-_MAC_BYTES])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise changed from None
    if manifest.recording != recording:
        raise changed
    return manifest
