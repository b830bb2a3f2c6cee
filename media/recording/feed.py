"""The media worker's end of the recorder's socket. SHELL: a non-blocking Unix socket, and nothing that waits.

``FeedTrack.packet`` runs in the packet path: it copies the packet into one preallocated buffer and returns. ``Feed.tick``, called by
the worker each 20 ms or so, writes the buffer to the socket as far as it goes. What was sent stays in the buffer until the
recorder says that it is in its files; a recorder that takes another's place gets it again, each track as a new part, so that
one that was killed lost nothing (``files.track_records`` leaves out what came twice). When the buffer is full, because the recorder
does not keep up or is not there, packets are dropped and counted, and a gap record says so.
"""

import socket
import struct
from collections import deque
from collections.abc import Iterator

from media.recording.errors import RecordingError
from media.recording.records import Gap, GapReason, Kind, Layer, SenderReport, pack_gap, pack_layer, pack_report
from media.recording.wire import FRAME, KEPT, VERSION, Hello, Open, Own, TrackInfo, frame, own

BUFFER_BYTES = 16 << 20
"""Four seconds of twenty three-party recordings at 500 kbit/s: what is on its way (half a second), and a recorder's start."""
SOCKET_BYTES = 1 << 20
RESERVE_BYTES = 256 * 1024
"""Room that packets do not take: for opening and closing tracks, reports and gaps."""
SEND_BYTES = 256 * 1024
CONNECT_AGAIN_S = 0.2
MAX_TRACKS = 4096

_pack_into = FRAME.pack_into
_RTP = struct.Struct("!BBHII")
_pack_media_into = struct.Struct(FRAME.format + "BBHII").pack_into
_MEDIA_BYTES = FRAME.size + _RTP.size


class Feed:
    """One per worker. ``path``: of the recorder's socket. All methods belong to one thread; ``now`` is the monotonic clock in seconds.

    ``dropped``: packets that found no room, in all. ``connections``: how often a recorder was reached.
    """

    def __init__(self, path: str, worker: str, *, buffer_bytes: int = BUFFER_BYTES, reserve_bytes: int = RESERVE_BYTES) -> None:
        self._path = path
        self._worker = worker
        self.limit = buffer_bytes
        self.buffer = bytearray(buffer_bytes + reserve_bytes)
        self.view = memoryview(self.buffer)
        self._kept = 0  # in the recorder's files up to here, where a frame begins
        self._start = 0  # sent up to here
        self.used = 0
        self._stream = 0  # what the recorder counts where the buffer begins: bytes of this connection
        self._told = b""  # of the recorder's words, what is no whole one yet
        self._prefix = b""  # goes out before the buffer: a new recorder learns the tracks
        self._socket: socket.socket | None = None
        self._tried = float("-inf")
        self._tracks: dict[int, FeedTrack] = {}
        self._ended: deque[tuple[int, int]] = deque()  # tracks that are closed, and where in the buffer that stands
        self._number = 0
        self.dropped = 0
        self.connections = 0

    @property
    def connected(self) -> bool:
        return self._socket is not None

    @property
    def waiting(self) -> int:
        """Bytes that are not sent yet."""
        return len(self._prefix) + self.used - self._start

    @property
    def unkept(self) -> int:
        """Bytes that are not known to be in the recorder's files."""
        return len(self._prefix) + self.used - self._kept

    def stats(self) -> dict[str, object]:
        """For health pages. ``unkept``: bytes that are not known to be in the recorder's files."""
        return {
            "connected": self.connected,
            "connections": self.connections,
            "tracks": len(self._tracks),
            "unkept": self.unkept,
            "dropped": self.dropped,
        }

    def open_track(self, recording: str, info: TrackInfo, now: float) -> "FeedTrack":
        """From here on its packets can be given. Raises RecordingError(``too_many_tracks``), RecordingFormatError."""
        if len(self._tracks) >= MAX_TRACKS:
            raise RecordingError("too_many_tracks", f"{MAX_TRACKS} tracks in one worker")
        while self._number in self._tracks:
            self._number = (self._number + 1) & 0xFFFF
        track = FeedTrack(self, self._number, own(self._number, Own.OPEN, Open(recording=recording, info=info)), info)
        self._number = (self._number + 1) & 0xFFFF
        self._tracks[track.number] = track
        self.put(track.opening, now)
        return track

    def tick(self, now: float) -> None:
        """Connect where that is due, tell of gaps, and send what the socket takes."""
        if self._socket is None and now - self._tried >= CONNECT_AGAIN_S:
            self._tried = now
            self._connect(now)
        self._listen(now)
        for track in self._tracks.values():
            if track.lost:
                track.tell_lost(now)
        self._send(now)

    def close(self, now: float) -> None:
        """Close every track and send what can be sent without waiting."""
        for track in list(self._tracks.values()):
            track.close(now)
        self._send(now)
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    # ---- the buffer

    def room(self, size: int, limit: int) -> bool:
        """Whether ``size`` bytes fit below ``limit`` now; what is kept is taken out of the buffer where that is worth it."""
        if self.used + size > limit and self._kept >= self.limit // 4:
            self._compact()
        return self.used + size <= limit

    def put(self, data: bytes, now: float) -> None:
        """A frame that must not be dropped. Where even its room is taken the recorder is given up and a new one begun."""
        if not self.room(len(data), len(self.buffer)):
            self._forget(now)
            if data[2] == Own.OPEN:  # a new connection opens every track anyway
                return
        self.view[self.used : self.used + len(data)] = data
        self.used += len(data)

    def _compact(self) -> None:
        moved = self._kept
        rest = self.used - moved
        self.buffer[:rest] = self.buffer[moved : self.used]
        self._start -= moved
        self._stream += moved
        self._ended = deque((number, at - moved) for number, at in self._ended)
        self._kept, self.used = 0, rest

    def _forget(self, now: float) -> None:
        """Everything in the buffer counts as lost, and the connection is given up."""
        for number, kind in self._frames():
            track = self._tracks.get(number)
            if kind == Kind.RTP and track is not None:
                track.lose(now)
        self._drop_ended(self.used)
        self._kept = self._start = self.used = 0
        self._disconnect(now)

    def _frames(self) -> Iterator[tuple[int, int]]:
        """Track number and kind of each frame that is not kept yet."""
        at = self._kept
        while at < self.used:
            number, kind, _, length, _ = FRAME.unpack_from(self.buffer, at)
            yield number, kind
            at += FRAME.size + length

    def _drop_ended(self, kept: int) -> None:
        """Forget the tracks whose end the recorder has in its files."""
        while self._ended and self._ended[0][1] <= kept:
            del self._tracks[self._ended.popleft()[0]]

    def end(self, number: int) -> None:
        """The track is closed; its number is free once the recorder knows."""
        self._ended.append((number, self.used))

    # ---- the socket

    def _connect(self, now: float) -> None:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BYTES)
        try:
            made.connect(self._path)
        except OSError:  # not there yet, or its backlog is full: again at a later tick
            made.close()
            return
        self._socket = made
        self.connections += 1
        self._start = self._kept
        opened: set[int] = set()
        mentioned: set[int] = set()
        for number, kind in self._frames():
            if kind == Own.OPEN:
                opened.add(number)
            mentioned.add(number)
        ended = {number for number, _ in self._ended}
        parts = [own(0, Own.HELLO, Hello(version=VERSION, worker=self._worker))]
        for number, track in self._tracks.items():
            if number not in opened and (number in mentioned or number not in ended):
                parts.append(track.opening)
                at_us = track.us(now)
                gap = Gap(0, at_us, at_us, GapReason.RECORDER_LOST)
                parts.append(frame(number, Kind.GAP, at_us, pack_gap(gap)))
                parts.extend(frame(number, Kind.LAYER, at_us, pack_layer(layer), n) for n, layer in track.layers.items())
        self._prefix = b"".join(parts)
        self._stream = len(self._prefix) - self._kept
        self._told = b""

    def _listen(self, now: float) -> None:
        """How far the recorder has come."""
        if self._socket is None:
            return
        try:
            while data := self._socket.recv(4096):
                self._told += data
            self._disconnect(now)  # it closed the connection
        except BlockingIOError:
            pass
        except OSError:
            self._disconnect(now)
        whole = len(self._told) // KEPT.size * KEPT.size
        if whole:
            (kept,) = KEPT.unpack_from(self._told, whole - KEPT.size)
            self._told = self._told[whole:]
            self._kept = min(max(self._kept, kept - self._stream), self._start)
        if self._ended and not self._prefix:
            self._drop_ended(self._kept)
        if self._kept == self.used and not self._prefix:
            self._stream += self.used
            self._kept = self._start = self.used = 0

    def _send(self, now: float) -> None:
        if self._socket is None:
            return
        try:
            while self._prefix:
                self._prefix = self._prefix[self._socket.send(self._prefix) :]
            while self._start < self.used:
                self._start += self._socket.send(self.view[self._start : min(self.used, self._start + SEND_BYTES)])
        except BlockingIOError:
            return
        except OSError:
            self._disconnect(now)

    def _disconnect(self, now: float) -> None:
        self._tried = now
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._prefix = b""
        self._start = self._kept


class FeedTrack:
    """One track of one recording. ``packet`` and ``media`` never wait, raise or allocate much."""

    __slots__ = ("_feed", "_from", "_zero_us", "closed", "layers", "lost", "lost_first", "lost_last", "number", "opening")

    def __init__(self, feed: Feed, number: int, opening: bytes, info: TrackInfo) -> None:
        self._feed = feed
        self._zero_us = info.zero_mono_us
        self._from = (info.zero_mono_us + 1) / 1e6
        self.number = number
        self.opening = opening
        self.layers: dict[int, Layer] = {}
        self.lost = 0
        self.lost_first = self.lost_last = 0
        self.closed = False

    def us(self, now: float) -> int:
        """Microseconds since the track's zero; 0 for what was before."""
        return max(0, int(now * 1e6) - self._zero_us)

    def packet(self, data: bytes | bytearray | memoryview, now: float, layer: int = 0) -> None:
        """A decrypted RTP packet as it came."""
        feed = self._feed
        at = feed.used
        size = len(data)
        end = at + 14 + size
        if end > feed.limit or self.lost or size > 2048 or now < self._from:
            self._slow(data, now, layer)
            return
        _pack_into(feed.buffer, at, self.number, 1, layer, size, int(now * 1e6) - self._zero_us)
        feed.view[at + 14 : end] = data
        feed.used = end

    def media(self, kind: int, seq: int, ts: int, ssrc: int, payload: bytes, now: float, layer: int = 0) -> None:
        """A packet from its parts (``kind``: marker and payload type, the header's second byte), without extensions."""
        feed = self._feed
        at = feed.used
        size = len(payload)
        end = at + _MEDIA_BYTES + size
        if end > feed.limit or self.lost or size > 2036 or now < self._from:
            self._slow(_RTP.pack(0x80, kind, seq, ts, ssrc) + payload, now, layer)
            return
        _pack_media_into(
            feed.buffer, at, self.number, 1, layer, size + 12, int(now * 1e6) - self._zero_us, 0x80, kind, seq, ts, ssrc
        )
        feed.view[at + _MEDIA_BYTES : end] = payload
        feed.used = end

    def _slow(self, data: bytes | bytearray | memoryview, now: float, layer: int) -> None:
        """No room, or something is to be told before it."""
        feed = self._feed
        if self.closed or len(data) > 0xFFFF:
            return
        needed = FRAME.size + len(data)
        if not (self.tell_lost(now, needed) if self.lost else feed.room(needed, feed.limit)):
            self.lose(now)
        else:
            feed.put(frame(self.number, Kind.RTP, self.us(now), bytes(data), layer), now)

    def lose(self, now: float) -> None:
        """Count a packet that the recorder does not get."""
        at = self.us(now)
        if not self.lost:
            self.lost_first = at
        self.lost += 1
        self.lost_last = at
        self._feed.dropped += 1

    def tell_lost(self, now: float, beside: int = 2048) -> bool:
        """Write the gap where there is room again for it and ``beside`` more bytes: one gap, not one a packet."""
        gap = Gap(self.lost, self.lost_first, self.lost_last, GapReason.OVERFLOW)
        told = frame(self.number, Kind.GAP, self.us(now), pack_gap(gap))
        if not self._feed.room(len(told) + beside, self._feed.limit):
            return False
        self.lost = 0
        self._feed.put(told, now)
        return True

    def sender_report(self, report: SenderReport, now: float, layer: int = 0) -> None:
        self._say(Kind.SENDER_REPORT, now, pack_report(report), layer)

    def layer(self, number: int, layer: Layer, now: float) -> None:
        """What packets of layer ``number`` are; say it before the first."""
        self.layers[number] = layer
        self._say(Kind.LAYER, now, pack_layer(layer), number)

    def gate(self, now: float, *, opened: bool) -> None:
        self._say(Kind.GATE_OPEN if opened else Kind.GATE_SHUT, now)

    def pause(self, now: float) -> None:
        self._say(Kind.PAUSE, now)

    def resume(self, now: float) -> None:
        self._say(Kind.RESUME, now)

    def close(self, now: float) -> None:
        """Nothing more; what is given afterwards is ignored."""
        if not self.closed:
            if self.lost:
                told = Gap(self.lost, self.lost_first, self.lost_last, GapReason.OVERFLOW)
                self._say(Kind.GAP, now, pack_gap(told))
                self.lost = 0
            self._say(Own.CLOSE, now)
            self.closed = True
            self._from = float("inf")
            self._feed.end(self.number)

    def _say(self, kind: int, now: float, payload: bytes = b"", layer: int = 0) -> None:
        if not self.closed:
            self._feed.put(frame(self.number, kind, self.us(now), payload, layer), now)
