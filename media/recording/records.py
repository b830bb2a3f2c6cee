"""Records: what a segment holds once it is decrypted, one after another. S.

A record is 12 bytes (kind u8, layer u8, length u16, time u64, big-endian) and ``length`` bytes. ``time``: microseconds since
the zero that the track's header names, by the monotonic clock of the machine. Readers skip kinds that they do not know.
"""

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

from media.recording.errors import RecordingFormatError

HEAD = struct.Struct("!BBHQ")
MAX_PAYLOAD_BYTES = 0xFFFF
MAX_TIME_US = 1 << 53
"""285 years; whatever is later was not written by us."""

_REPORT = struct.Struct("!IQI")
_GAP = struct.Struct("!IQQB")
_LAYER = struct.Struct("!IH")


class Kind(IntEnum):
    """What a record is; 1 … 127 belong to files, above are the feed's own (``media.recording.wire``)."""

    RTP = 1
    """An RTP packet as it came, decrypted. ``layer``: which encoding."""
    SENDER_REPORT = 2
    GATE_OPEN = 3
    """From here on the source may pass: consent and grant are there."""
    GATE_SHUT = 4
    PAUSE = 5
    """The recording itself was paused."""
    RESUME = 6
    GAP = 7
    EVENT = 8
    """JSON (``media.recording.events``); only in tracks of kind "events"."""
    LAYER = 9
    """What a layer's number means."""
    PAGE = 10
    """A piece of a line of JSON; only in tracks of kind "pages" (``media.recording.pages``, which says what ``layer`` means)."""


class GapReason(IntEnum):
    """Why packets are not here."""

    OVERFLOW = 1  # the recorder did not keep up: dropped in the media worker
    RECORDER_LOST = 2  # the recorder ended and was started again; how many packets it held is not known
    WORKER_LOST = 3  # the media worker ended
    DISK = 4  # the disk refused


class Record(NamedTuple):
    """``kind`` is a plain number: it may be one that this version does not know."""

    kind: int
    layer: int
    time_us: int
    payload: bytes


class SenderReport(NamedTuple):
    """RFC 3550 section 6.4.1: ``ntp`` is the 64-bit timestamp, ``rtp`` the RTP time of the same moment."""

    ssrc: int
    ntp: int
    rtp: int


class Gap(NamedTuple):
    """``packets`` (0: not known) between these times, in microseconds as in records."""

    packets: int
    first_us: int
    last_us: int
    reason: int


class Layer(NamedTuple):
    """An encoding of the track: its SSRC, the rid of simulcast ("" without), the lines of its picture (0: not known)."""

    ssrc: int
    rid: str
    height: int = 0


def pack(kind: int, time_us: int, payload: bytes = b"", layer: int = 0) -> bytes:
    """One record. Raises RecordingFormatError when a field does not fit."""
    if len(payload) > MAX_PAYLOAD_BYTES or not 0 <= time_us <= MAX_TIME_US or not 0 <= layer <= 255 or not 0 < kind < 256:
        raise RecordingFormatError("bad_record", f"kind {kind}, {len(payload)} bytes at {time_us} µs")
    return HEAD.pack(kind, layer, len(payload), time_us) + payload


def unpack(plain: bytes) -> Iterator[Record]:
    """The records of a segment. Raises RecordingFormatError where they do not fit its length."""
    at, end = 0, len(plain)
    while at < end:
        if at + HEAD.size > end:
            raise RecordingFormatError("bad_record", "a record is cut short")
        kind, layer, length, time_us = HEAD.unpack_from(plain, at)
        at += HEAD.size
        if at + length > end or time_us > MAX_TIME_US:
            raise RecordingFormatError("bad_record", "a record does not fit its segment")
        yield Record(kind, layer, time_us, plain[at : at + length])
        at += length


def pack_report(report: SenderReport) -> bytes:
    return _REPORT.pack(*report)


def unpack_report(payload: bytes) -> SenderReport:
    """Raises RecordingFormatError; so do the other readers below."""
    if len(payload) != _REPORT.size:
        raise RecordingFormatError("bad_record", "a sender report has 16 bytes")
    return SenderReport(*_REPORT.unpack(payload))


def pack_gap(gap: Gap) -> bytes:
    return _GAP.pack(min(gap.packets, 0xFFFFFFFF), gap.first_us, gap.last_us, gap.reason)


def unpack_gap(payload: bytes) -> Gap:
    if len(payload) != _GAP.size:
        raise RecordingFormatError("bad_record", "a gap has 21 bytes")
    return Gap(*_GAP.unpack(payload))


def pack_layer(layer: Layer) -> bytes:
    return _LAYER.pack(layer.ssrc, layer.height) + layer.rid.encode()


def unpack_layer(payload: bytes) -> Layer:
    if len(payload) < _LAYER.size or len(payload) > _LAYER.size + 255:
        raise RecordingFormatError("bad_record", "a layer has 6 bytes and a rid")
    ssrc, height = _LAYER.unpack_from(payload)
    try:
        return Layer(ssrc, payload[_LAYER.size :].decode(), height)
    except UnicodeDecodeError:
        raise RecordingFormatError("bad_record", "a rid is text") from None
