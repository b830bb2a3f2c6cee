"""What a media worker writes into the recorder's socket: records with the number of their track in front. S.

A frame is 14 bytes (track u16, kind u8, layer u8, length u16, time u64, big-endian) and ``length`` bytes; from its third byte on it
is a record (``media.recording.records``), which goes into the file as it is. Kinds above 127 are for the recorder itself. A frame
it cannot read ends the connection, as if the worker had gone. The recorder answers with one number now and then (u64): so
many bytes of this connection, whole frames, are in its files, or were refused.
"""

import struct
from enum import IntEnum
from typing import Literal, TypeVar

import msgspec

from media.recording.errors import RecordingFormatError
from media.recording.records import MAX_TIME_US

T = TypeVar("T")

FRAME = struct.Struct("!HBBHQ")
KEPT = struct.Struct("!Q")
VERSION = 1
FIRST_OWN_KIND = 128


class Own(IntEnum):
    """Kinds that end in the recorder."""

    HELLO = 200  # the first frame of a connection: JSON ``Hello``
    OPEN = 201  # JSON ``Open``: the frame's track number is this from here on
    CLOSE = 202  # nothing more of the track; its number is free


class TrackInfo(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a track is. ``zero_wall_us``, ``zero_mono_us``: the zero of its records' times, Unix and monotonic, in microseconds; a Unix time
    of 0: as the recorder has it of the recording.

    ``track``: an id, unlike any other's in the recording. ``clock_rate`` in Hz, 0 for events and pages.
    """

    track: str
    participant: str
    source: str
    kind: Literal["audio", "video", "events", "pages"]
    codec: str
    clock_rate: int
    zero_wall_us: int
    zero_mono_us: int
    payload_type: int = -1
    channels: int = 1
    fmtp: str = ""


class Hello(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``worker``: for logs."""

    version: int
    worker: str


class Open(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    recording: str
    info: TrackInfo


_encoder = msgspec.json.Encoder()


def frame(track: int, kind: int, time_us: int, payload: bytes = b"", layer: int = 0) -> bytes:
    """Raises RecordingFormatError when a field does not fit."""
    if not 0 <= track <= 0xFFFF or len(payload) > 0xFFFF or not 0 <= time_us <= MAX_TIME_US:
        raise RecordingFormatError("bad_frame", f"track {track}, {len(payload)} bytes at {time_us} µs")
    return FRAME.pack(track, kind, layer, len(payload), time_us) + payload


def own(track: int, kind: Own, body: Hello | Open) -> bytes:
    """Raises RecordingFormatError when it is too long."""
    return frame(track, kind, 0, _encoder.encode(body))


def read_hello(payload: bytes) -> Hello:
    """Raises RecordingFormatError: not one, or of another version."""
    hello = _read(payload, Hello)
    if hello.version != VERSION:
        raise RecordingFormatError("bad_frame", f"version {hello.version} of the feed")
    return hello


def read_open(payload: bytes) -> Open:
    """Raises RecordingFormatError."""
    return _read(payload, Open)


def _read(payload: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(payload, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordingFormatError("bad_frame", str(error)) from None


class FrameReader:
    """Cuts the stream into frames; holds at most one that is incomplete (65,549 bytes)."""

    def __init__(self) -> None:
        self._rest = b""
        self.consumed = 0
        """Bytes of the whole frames so far."""

    def feed(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """(track number, kind, record) of each frame that is complete now. Raises RecordingFormatError."""
        if self._rest:
            data = self._rest + data
        frames = []
        at, end = 0, len(data)
        unpack_from, head = FRAME.unpack_from, FRAME.size
        while end - at >= head:
            track, kind, _, length, time_us = unpack_from(data, at)
            if time_us > MAX_TIME_US or not kind:
                raise RecordingFormatError("bad_frame", f"kind {kind} at {time_us} µs")
            stop = at + head + length
            if stop > end:
                break
            frames.append((track, kind, data[at + 2 : stop]))
            at = stop
        self._rest = data[at:]
        self.consumed += at
        return frames
