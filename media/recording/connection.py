"""One media worker at the recorder's socket: its frames, its tracks, and what is said back to it. SHELL."""

import asyncio
import logging
import os
import socket
import struct
import time
from collections.abc import Callable
from typing import Protocol, cast

import msgspec

from media.control import Message
from media.recording import messages
from media.recording.errors import RecordingFormatError
from media.recording.live import Live, LiveTrack
from media.recording.records import HEAD, MAX_TIME_US, Gap, GapReason, Kind, pack, pack_gap
from media.recording.wire import FIRST_OWN_KIND, KEPT, FrameReader, Own, TrackInfo, read_hello, read_open

log = logging.getLogger(__name__)

EVENTS_TRACK = "events"
MAX_TRACKS = 256
"""Of one recording at once."""
MAX_UNREAD_BYTES = 4096
"""Of words to a worker that does not read them: the next one says it too."""


class Keeper(Protocol):
    """The recorder, as a connection needs it. ``records``, ``discarded``: counted in all."""

    records: int
    discarded: int

    def connected(self, connection: "WorkerConnection") -> bool: ...
    def disconnected(self, connection: "WorkerConnection") -> None: ...
    def live(self, recording: str) -> Live | None: ...
    def open_track(self, live: Live, info: TrackInfo) -> LiveTrack: ...
    def add(self, track: LiveTrack, record: bytes) -> None: ...
    def flush(self, track: LiveTrack) -> None: ...
    def close_track(self, track: LiveTrack) -> None: ...
    def after_writes(self, done: Callable[[], None]) -> None: ...
    def emit(self, message: Message) -> None: ...


class WorkerConnection(asyncio.Protocol):
    """One media worker. A worker that goes, however it goes, leaves its tracks closed, with a gap record that says so."""

    def __init__(self, recorder: Keeper) -> None:
        self._recorder = recorder
        self._frames = FrameReader()
        self._tracks: dict[int, LiveTrack | None] = {}
        self._transport: asyncio.Transport | None = None
        self._worker: str | None = None
        self._flushed_at = float("-inf")
        self._flushed = 0  # bytes of the stream

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none of asyncio's
        peer = transport.get_extra_info("socket")
        _, uid, _ = struct.unpack("iII", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if uid not in (os.getuid(), 0) or not self._recorder.connected(self):
            log.error("worker refused", extra={"uid": uid})
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        try:
            for number, kind, record in self._frames.feed(data):
                self._frame(number, kind, record)
        except RecordingFormatError as error:
            log.error("worker broke the stream", extra={"worker": self._worker, "error": error.code})
            self.close()

    def _frame(self, number: int, kind: int, record: bytes) -> None:
        recorder = self._recorder
        if kind < FIRST_OWN_KIND:
            track = self._tracks.get(number)
            if track is None or (kind == Kind.RTP and track.live.paused) or track.live.failed:
                recorder.discarded += 1
                return
            recorder.records += 1
            recorder.add(track, record)
        elif self._worker is None:
            if kind != Own.HELLO:
                raise RecordingFormatError("bad_frame", "no hello")
            self._worker = read_hello(record[HEAD.size :]).worker
        elif kind == Own.OPEN:
            self._open(number, record[HEAD.size :])
        elif kind == Own.CLOSE:
            track = self._tracks.pop(number, None)
            if track is not None:
                recorder.close_track(track)

    def _open(self, number: int, payload: bytes) -> None:
        asked = read_open(payload)
        if number in self._tracks:
            raise RecordingFormatError("bad_frame", "a track number is used twice")
        live = self._recorder.live(asked.recording)
        code = ""
        if live is None:
            code = "no_recording"
        elif live.failed:
            code = "failed"
        elif len(live.tracks) >= MAX_TRACKS:
            code = "too_many_tracks"
        elif asked.info.kind in ("events", "pages") or asked.info.track == EVENTS_TRACK:
            code = "bad_track"
        if live is None or code:
            self._tracks[number] = None
            self._recorder.emit(messages.TrackRefused(asked.recording[:64], asked.info.track[:64], code))
        else:
            self._tracks[number] = self._recorder.open_track(live, _timed(asked.info, live))

    def flush(self, now: float, flush_s: float) -> None:
        """Every ``flush_s`` write what is there, all tracks at once, and tell the worker when it is in the files."""
        mark = self._frames.consumed
        if mark == self._flushed or now - self._flushed_at < flush_s:
            return
        self._flushed_at, self._flushed = now, mark
        for track in self._tracks.values():
            if track is not None and track.pending:
                self._recorder.flush(track)
        self._recorder.after_writes(lambda: self._tell_kept(mark))

    def _tell_kept(self, mark: int) -> None:
        transport = self._transport
        if transport is not None and not transport.is_closing() and transport.get_write_buffer_size() < MAX_UNREAD_BYTES:
            transport.write(KEPT.pack(mark))

    def forget(self, live: Live) -> None:
        """The recording has ended; what still comes for it is thrown away."""
        for number, track in self._tracks.items():
            if track is not None and track.live is live:
                self._tracks[number] = None

    def hold_back(self, hold: bool) -> None:
        """Read nothing for now: the worker's buffer fills, and then it drops."""
        if self._transport is not None and not self._transport.is_closing():
            if hold:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.close()

    def close(self) -> None:
        """Close its tracks and the connection."""
        for track in self._tracks.values():
            if track is not None:
                at = min(max(0, int(time.monotonic() * 1e6) - track.info.zero_mono_us), MAX_TIME_US)
                self._recorder.add(track, pack(Kind.GAP, at, pack_gap(Gap(0, at, at, GapReason.WORKER_LOST))))
                self._recorder.close_track(track)
        self._tracks.clear()
        self._recorder.disconnected(self)
        if self._transport is not None:
            self._transport.abort()


def _timed(info: TrackInfo, live: Live) -> TrackInfo:
    """With the recording's own wall clock, where a worker does not know it."""
    return info if info.zero_wall_us else msgspec.structs.replace(info, zero_wall_us=live.begun.zero_wall_us)
