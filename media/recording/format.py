"""The track file: a header, then segments, each sealed by itself and chained to the one before. S. ``docs/recording.md``.

Header: magic ``TPTRACK`` and version (8 bytes), length of the body (u32), the body (JSON, ``TrackHeader``), HMAC-SHA-256 of
all that under a key of this file. Segment: 68 bytes in the clear (``SegmentHeader``), which are the associated data of the
AES-256-GCM ciphertext that follows. Key: by HKDF from the data key, with recording, track and part as info and the header's
random salt; nonce: the final flag and the segment's number. So no key meets a nonce twice: what goes on after a crash is a
new part with a salt of its own, and a track that ends because the disk refused a segment ends with a nonce that it did not use. Numbers are
big-endian.
"""

import hashlib
import hmac
import re
import struct
from typing import Literal, NamedTuple

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from media.recording.errors import RecordingFormatError, RecordingKeyError
from media.recording.keys import SALT_BYTES, TAG_BYTES, data_key_id, derive

MAGIC = b"TPTRACK\x01"
SEGMENT_MAGIC = b"TPSG"
MAX_HEADER_BYTES = 16 * 1024
MAX_PLAIN_BYTES = 1 << 20
"""Longest segment; a writer flushes at a quarter of it."""
MAX_SEGMENTS = 1 << 31
MAX_PARTS = 4096
FINAL = 1

_LENGTH = struct.Struct("!I")
_SEGMENT = struct.Struct("!4sB3sIQQII32s")
SEGMENT_HEAD_BYTES = _SEGMENT.size
_OPENING = len(MAGIC) + _LENGTH.size
_MAC_BYTES = 32
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")


def check_id(value: str) -> str:
    """The same, when it can be an id and a file's name. Raises RecordingFormatError(``bad_id``)."""
    if not _ID.match(value):
        raise RecordingFormatError("bad_id", "an id has 1 to 64 letters, digits, _ or -")
    return value


def file_name(track: str, part: int) -> str:
    return f"{track}.{part:04d}.track"


def read_file_name(name: str) -> tuple[str, int] | None:
    """Track and part of a track file's name; None for any other name."""
    track, _, rest = name.partition(".")
    number, _, end = rest.partition(".")
    if end == "track" and len(number) == 4 and number.isdecimal() and number.isascii() and _ID.match(track):
        return track, int(number)
    return None


class TrackHeader(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a track is. ``part``: from 0, one more after every crash or reconnection.

    ``zero_wall_us`` and ``zero_mono_us``: the zero of all times in this file, in microseconds of Unix time and of the machine's monotonic
    clock. ``data_key``: ``keys.data_key_id``. ``salt``: 16 random bytes in hex. ``clock_rate`` in Hz; 0 for events and pages.
    """

    recording: str
    track: str
    part: int
    participant: str
    source: str
    kind: Literal["audio", "video", "events", "pages"]
    codec: str
    clock_rate: int
    zero_wall_us: int
    zero_mono_us: int
    data_key: str
    salt: str
    payload_type: int = -1
    channels: int = 1
    fmtp: str = ""

    def __post_init__(self) -> None:
        check_id(self.recording)
        check_id(self.track)
        if not 0 <= self.part < MAX_PARTS:
            raise ValueError(f"a part is 0 to {MAX_PARTS - 1}")
        if self.clock_rate < 0 or (self.kind in ("audio", "video") and not self.clock_rate):
            raise ValueError("a clock rate is positive")
        if self.zero_wall_us < 0 or self.zero_mono_us < 0:
            raise ValueError("times are positive")
        if len(self.salt) != 2 * SALT_BYTES or len(bytes.fromhex(self.salt)) != SALT_BYTES:
            raise ValueError("a salt is 16 bytes in hex")

    @property
    def name(self) -> str:
        return file_name(self.track, self.part)


_HEADERS = msgspec.json.Decoder(TrackHeader)
"""Made here, before there are threads: two that prepare a type for themselves at once end the process (msgspec 0.22)."""


class SegmentHeader(NamedTuple):
    """``length``: of the ciphertext, its tag included. ``previous``: SHA-256 of the segment before (header and ciphertext), of the
    file's header for the first. Times in microseconds: the smallest and the greatest in it."""

    number: int
    first_us: int
    last_us: int
    records: int
    length: int
    previous: bytes
    final: bool

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return SEGMENT_HEAD_BYTES + self.length


def _write_segment(head: SegmentHeader) -> bytes:
    return _SEGMENT.pack(
        SEGMENT_MAGIC, FINAL if head.final else 0, b"\0\0\0", head.number, head.first_us, head.last_us, head.records, head.length, head.previous
    )  # fmt: skip


def read_segment(raw: bytes) -> SegmentHeader | None:
    """None when the 68 bytes are not the beginning of a segment. Proves nothing: that is ``TrackCipher.open``'s part."""
    if len(raw) < SEGMENT_HEAD_BYTES:
        return None
    magic, flags, reserved, index, first_us, last_us, records, length, previous = _SEGMENT.unpack_from(raw)
    if magic != SEGMENT_MAGIC or flags & ~FINAL or reserved != b"\0\0\0" or index >= MAX_SEGMENTS:
        return None
    if not TAG_BYTES <= length <= MAX_PLAIN_BYTES + TAG_BYTES or first_us > last_us:
        return None
    return SegmentHeader(index, first_us, last_us, records, length, previous, bool(flags & FINAL))


class TrackCipher:
    """Keys of one track file. ``opening``: the whole header as bytes; ``start``: its hash, where the chain begins.

    ``body``: the header's JSON as it was read; made here when it is to be written.
    """

    def __init__(self, header: TrackHeader, data_key: bytes, body: bytes | None = None) -> None:
        if header.data_key != data_key_id(data_key, header.recording):
            raise RecordingKeyError("wrong_data_key", f"{header.name} was made with another key")
        self.header = header
        salt = bytes.fromhex(header.salt)
        self._aead = AESGCM(derive(data_key, "segments", header.recording, header.track, header.part, salt))
        if body is None:
            body = msgspec.json.encode(header)
        if len(body) > MAX_HEADER_BYTES:
            raise RecordingFormatError("header_too_large", f"{len(body)} bytes")
        opening = MAGIC + _LENGTH.pack(len(body)) + body
        key = derive(data_key, "header", header.recording, header.track, header.part, salt)
        self.opening = opening + hmac.digest(key, opening, "sha256")
        self.start = hashlib.sha256(self.opening).digest()
        self.index_key = derive(data_key, "index", header.recording, header.track, header.part, salt)

    def seal(
        self, plain: bytes, index: int, previous: bytes, first_us: int, last_us: int, records: int, *, final: bool
    ) -> bytes:
        """A segment. The caller never gives one index twice: ``TrackSealer`` counts."""
        if len(plain) > MAX_PLAIN_BYTES or index >= MAX_SEGMENTS:
            raise RecordingFormatError("segment_too_large", f"{len(plain)} bytes")
        head = _write_segment(SegmentHeader(index, first_us, last_us, records, len(plain) + TAG_BYTES, previous, final))
        return head + self._aead.encrypt(_nonce(index, final), plain, head)

    def open(self, segment: bytes) -> tuple[SegmentHeader, bytes]:
        """The records of a whole segment. Raises RecordingFormatError(``segment_changed``): changed, or another file's."""
        head = read_segment(segment)
        if head is None or len(segment) != head.size:
            raise RecordingFormatError("segment_changed", "not a segment")
        try:
            plain = self._aead.decrypt(
                _nonce(head.number, head.final), segment[SEGMENT_HEAD_BYTES:], segment[:SEGMENT_HEAD_BYTES]
            )
        except InvalidTag:
            raise RecordingFormatError("segment_changed", f"segment {head.number} was changed, or is of another file") from None
        return head, plain


def _nonce(index: int, final: bool) -> bytes:
    return struct.pack("!IQ", FINAL if final else 0, index)


def segment_hash(segment: bytes) -> bytes:
    return hashlib.sha256(segment).digest()


def header_size(raw: bytes) -> int:
    """Bytes of the whole file header, from its first 12. Raises RecordingFormatError(``not_a_track``)."""
    if len(raw) < _OPENING or raw[: len(MAGIC)] != MAGIC:
        raise RecordingFormatError("not_a_track", "not a track of a recording, or of a version that is not known")
    (length,) = _LENGTH.unpack_from(raw, len(MAGIC))
    if length > MAX_HEADER_BYTES:
        raise RecordingFormatError("not_a_track", f"a header of {length} bytes")
    return int(_OPENING + length + _MAC_BYTES)


HEADER_PREFIX_BYTES = _OPENING


def peek_header(raw: bytes) -> TrackHeader:
    """What the header says, believed of nobody. Raises RecordingFormatError."""
    size = header_size(raw)
    if len(raw) < size:
        raise RecordingFormatError("header_cut", "the header is cut short")
    try:
        return _HEADERS.decode(raw[_OPENING : size - _MAC_BYTES])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordingFormatError("header_changed", f"the header cannot be read: {error}") from None


def read_header(raw: bytes, data_key: bytes) -> TrackCipher:
    """The keys of a file from its first bytes. Raises RecordingFormatError, RecordingKeyError(``wrong_data_key``)."""
    header = peek_header(raw)
    size = header_size(raw)
    cipher = TrackCipher(header, data_key, raw[_OPENING : size - _MAC_BYTES])
    if not hmac.compare_digest(cipher.opening, raw[:size]):
        raise RecordingFormatError("header_changed", "the header was changed")
    return cipher


class TrackSealer:
    """Writes one part: give ``cipher.opening`` to the file, then what ``seal`` returns, and tell ``written`` after each.

    ``head``, ``records``, ``first_us``, ``last_us``, ``closed`` are about what is written.
    """

    def __init__(self, header: TrackHeader, data_key: bytes) -> None:
        self.cipher = TrackCipher(header, data_key)
        self.segments = 0
        self.records = 0
        self.head = self.cipher.start
        self.first_us = self.last_us = 0
        self.closed = False
        self._used = (-1, -1)

    def seal(self, plain: bytes, first_us: int, last_us: int, records: int, *, final: bool = False) -> bytes:
        """The next segment. Raises RecordingFormatError(``track_closed``) after the final one, and where a nonce would be used again:
        a segment that could not be written may be followed by the final one only."""
        if self.closed or self._used[final] >= self.segments:
            raise RecordingFormatError("track_closed", "nothing follows this segment")
        self._used = (self._used[0], self.segments) if final else (self.segments, self._used[1])
        return self.cipher.seal(plain, self.segments, self.head, first_us, last_us, records, final=final)

    def written(self, segment: bytes) -> SegmentHeader:
        """This one, of ``seal``, is in the file."""
        header = read_segment(segment)
        assert header is not None
        if not self.records and header.records:
            self.first_us = header.first_us
        self.last_us = max(self.last_us, header.last_us)
        self.records += header.records
        self.segments += 1
        self.head = segment_hash(segment)
        self.closed = header.final
        return header
