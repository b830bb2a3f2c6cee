"""The index of a track file: where each time begins, where pictures begin, and how RTP time becomes real time. S.

Built while a track is written, and again from the file when it is not there. Times are microseconds as in records.
RFC 3550 section 6.4.1 (sender reports), section 5.1 (RTP timestamps wrap around).
"""

import struct
from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from media.recording import pages
from media.recording.errors import RecordingFormatError
from media.recording.format import SegmentHeader, TrackHeader
from media.recording.keys import NONCE_BYTES
from media.recording.records import HEAD, Gap, Kind, Layer, SenderReport, unpack_gap, unpack_layer, unpack_report
from media.wire.payload import is_key
from media.wire.rtp import RtpReader
from media.wire.sdp import ExtensionIds

MAX_INDEX_BYTES = 256 << 20
KEY_MERGE_US = 100_000
"""Packets of one layer that begin a picture within this time are one place to begin at: H.264 sends parameter sets apart."""
SHOWN, UNSHOWN = 0, 1
"""Layers of key frames in a track of pages."""

_MAGIC = b"TPINDEX\x01"
_COUNTS = struct.Struct("!IIIII")
_ENTRY = struct.Struct("!QQQI")
_KEY = struct.Struct("!QIB")
_REPORT = struct.Struct("!QIQI")
_GAP = struct.Struct("!IQQB")


class Entry(NamedTuple):
    """Segment number n of the index is segment n of the file. ``offset``: of its header in the file."""

    offset: int
    first_us: int
    last_us: int
    records: int


class KeyFrame(NamedTuple):
    """A picture that needs no other begins here. ``segment``: which one holds it. In a track of pages ``layer`` 1 is the place from which on nothing is shown."""

    time_us: int
    segment: int
    layer: int


class Reported(NamedTuple):
    """A sender report and when it arrived."""

    time_us: int
    report: SenderReport


class TrackIndex:
    """Of one part. Add every segment in order; ask at any time."""

    def __init__(self, kind: str, codec: str) -> None:
        self._video = kind == "video"
        self._pages = kind == "pages"
        self._codec = codec.lower()
        self._reader = RtpReader(ExtensionIds())
        self._seen_key: dict[int, int] = {}
        self.entries: list[Entry] = []
        self.key_frames: list[KeyFrame] = []
        self.reports: list[Reported] = []
        self.gaps: list[Gap] = []
        self.layers: dict[int, Layer] = {}

    @classmethod
    def of(cls, header: TrackHeader) -> "TrackIndex":
        return cls(header.kind, header.codec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TrackIndex):
            return NotImplemented
        mine = (self.entries, self.key_frames, self.reports, self.gaps, self.layers)
        return mine == (other.entries, other.key_frames, other.reports, other.gaps, other.layers)

    __hash__ = None  # type: ignore[assignment]

    # ---- building

    def scan(self, plain: bytes) -> tuple[int, int, int]:
        """Note the records of the segment that comes next: (smallest time, greatest time, number of records).

        Raises RecordingFormatError when they do not fit; nothing is noted then but what came before.
        """
        at, end, count = 0, len(plain), 0
        first_us, last_us = -1, 0
        unpack_from, head_bytes, video = HEAD.unpack_from, HEAD.size, self._video
        while at < end:
            if at + head_bytes > end:
                raise RecordingFormatError("bad_record", "a record is cut short")
            kind, layer, length, time_us = unpack_from(plain, at)
            at += head_bytes
            if at + length > end:
                raise RecordingFormatError("bad_record", "a record does not fit its segment")
            if first_us < 0 or time_us < first_us:
                first_us = time_us
            if time_us > last_us:
                last_us = time_us
            if kind != Kind.RTP:
                if self._pages:
                    self._page(kind, layer, time_us)
                self._note(kind, layer, time_us, plain[at : at + length])
            elif video:
                self._picture(plain[at : at + min(length, 256)], layer, time_us)
            at += length
            count += 1
        return max(first_us, 0), last_us, count

    def add(self, header: SegmentHeader, offset: int) -> None:
        """The segment that was scanned last stands at ``offset``."""
        self.entries.append(Entry(offset, header.first_us, header.last_us, header.records))

    def _note(self, kind: int, layer: int, time_us: int, payload: bytes) -> None:
        try:
            if kind == Kind.SENDER_REPORT:
                self.reports.append(Reported(time_us, unpack_report(payload)))
            elif kind == Kind.GAP:
                self.gaps.append(unpack_gap(payload))
            elif kind == Kind.LAYER:
                self.layers[layer] = unpack_layer(payload)
        except RecordingFormatError:
            pass  # of a later version: an index leaves out what it cannot read

    def _page(self, kind: int, flags: int, time_us: int) -> None:
        if kind == Kind.PAGE and flags & pages.BEGINS:
            self.key_frames.append(KeyFrame(time_us, len(self.entries), SHOWN))
        elif kind == Kind.PAUSE or (kind == Kind.PAGE and flags & pages.BLANK):
            self.key_frames.append(KeyFrame(time_us, len(self.entries), UNSHOWN))

    def _picture(self, head: bytes, layer: int, time_us: int) -> None:
        if len(head) > 12 and head[0] & 0x20:  # padding is counted from the packet's end, which is not here
            head = bytes((head[0] & ~0x20,)) + head[1:]
        reader = self._reader
        if not reader.parse(head, len(head)) or not is_key(self._codec, head, reader.start, reader.end):
            return
        before = self._seen_key.get(layer)
        if before is None or not before <= time_us < before + KEY_MERGE_US:
            self.key_frames.append(KeyFrame(time_us, len(self.entries), layer))
            self._seen_key[layer] = time_us

    # ---- asking

    def segment_at(self, time_us: int) -> int:
        """The last segment that begins at or before the time; 0 before the first, -1 when there is none."""
        if not self.entries:
            return -1
        return max(0, bisect_right(self.entries, time_us, key=lambda entry: entry.first_us) - 1)

    # ---- on disk: a copy to save reading the whole file, believed only where its tag fits

    def encode(self, key: bytes, head: bytes, nonce: bytes) -> bytes:
        """Sealed for the file whose chain ends in ``head``. ``nonce``: 12 random bytes."""
        layers = b"".join(
            struct.pack("!BIHH", number, each.ssrc, each.height, len(each.rid.encode())) + each.rid.encode()
            for number, each in sorted(self.layers.items())
        )
        plain = b"".join(
            (
                _COUNTS.pack(len(self.entries), len(self.key_frames), len(self.reports), len(self.gaps), len(self.layers)),
                *(_ENTRY.pack(*each) for each in self.entries),
                *(_KEY.pack(*each) for each in self.key_frames),
                *(_REPORT.pack(at, *report) for at, report in self.reports),
                *(_GAP.pack(*each) for each in self.gaps),
                layers,
            )
        )
        return _MAGIC + nonce + AESGCM(key).encrypt(nonce, plain, _MAGIC + head)

    @classmethod
    def decode(cls, raw: bytes, header: TrackHeader, key: bytes, head: bytes) -> "TrackIndex":
        """Raises RecordingFormatError(``index_changed``): changed, or of another state of the file."""
        if len(raw) > MAX_INDEX_BYTES or not raw.startswith(_MAGIC):
            raise RecordingFormatError("index_changed", "not an index")
        start = len(_MAGIC) + NONCE_BYTES
        try:
            plain = AESGCM(key).decrypt(raw[len(_MAGIC) : start], raw[start:], _MAGIC + head)
        except (InvalidTag, ValueError):
            raise RecordingFormatError("index_changed", "the index is not of this file as it is") from None
        index = cls.of(header)
        counts = _COUNTS.unpack_from(plain)
        at = _COUNTS.size
        for count, fields in zip(counts, (_ENTRY, _KEY, _REPORT, _GAP), strict=False):
            block = plain[at : at + count * fields.size]
            at += len(block)
            if fields is _ENTRY:
                index.entries = [Entry(*each) for each in fields.iter_unpack(block)]
            elif fields is _KEY:
                index.key_frames = [KeyFrame(*each) for each in fields.iter_unpack(block)]
            elif fields is _REPORT:
                index.reports = [Reported(t, SenderReport(*rest)) for t, *rest in fields.iter_unpack(block)]
            else:
                index.gaps = [Gap(*each) for each in fields.iter_unpack(block)]
        for _ in range(counts[4]):
            number, ssrc, height, length = struct.unpack_from("!BIHH", plain, at)
            at += 9
            index.layers[number] = Layer(ssrc, plain[at : at + length].decode(), height)
            at += length
        return index


class RtpClock:
    """RTP time of one SSRC → the sender's NTP clock and the recording's time, by the sender report nearest in time.

    ``rate`` in Hz. Differences are taken modulo 2**32 around the nearest report, so a timestamp that wraps between it and the
    packet is right; packets must lie within half the circle of a report (6.6 hours at 90 kHz).
    """

    def __init__(self, rate: int, reports: Iterable[Reported]) -> None:
        self._rate = rate
        self._reports = sorted(reports, key=lambda each: each.time_us)
        self._times = [each.time_us for each in self._reports]

    def __bool__(self) -> bool:
        return bool(self._reports)

    def ntp_s(self, rtp: int, near_us: int) -> float | None:
        """Seconds of the sender's NTP clock. ``near_us``: when the packet arrived. None without a report."""
        if not self._reports:
            return None
        at = bisect_right(self._times, near_us)
        if at == len(self._times) or (at and near_us - self._times[at - 1] <= self._times[at] - near_us):
            at -= 1
        report = self._reports[at].report
        ahead = (rtp - report.rtp + 0x80000000 & 0xFFFFFFFF) - 0x80000000
        return report.ntp / 4294967296.0 + ahead / self._rate
