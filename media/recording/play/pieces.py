"""From a track's records to coded pictures and voices on the recording's time line. S.

Packets are put in order (RTX brings lost ones late), made into frames, and given their time. Of a picture of which a packet is missing nothing is
given out, nor of what follows it, until the next key frame. Bounded by what ``Reorder`` and ``Depacketiser`` hold for one stream.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from media.recording.errors import RecordingError
from media.recording.format import TrackHeader
from media.recording.play.clock import TrackClock
from media.recording.records import Kind, Record
from media.wire.depacketise import CODECS, Depacketiser
from media.wire.reorder import Reorder
from media.wire.rtp import RtpReader
from media.wire.sdp import ExtensionIds

HOLD_S = 1.0
"""A lost packet is waited for as long: of recorded time, so nobody waits."""
MAX_STREAMS = 16
"""SSRCs of one track; one more and the oldest is forgotten."""
LOST_ITS_WAY = 64
"""So many packets in a row that come too late: the sender counts anew."""


class Piece(NamedTuple):
    """One coded picture, or one packet of a voice; ``key``: nothing before it is needed. Times go up within a track."""

    time_us: int
    data: bytes
    key: bool


class Blank(NamedTuple):
    """From here on there is nothing, until the next piece: the gate was shut, the recording paused."""

    time_us: int


class _Packet(NamedTuple):
    seq: int
    ts: int
    marker: bool
    payload: bytes
    arrived_us: int


class _Stream:
    """One SSRC."""

    def __init__(self, codec: str) -> None:
        self.reorder: Reorder[_Packet] = Reorder(HOLD_S)
        self.frames = Depacketiser(codec) if codec in CODECS else None
        self.late = 0

    def push(self, packet: _Packet) -> list[_Packet]:
        before = self.reorder.late
        ready = self.reorder.push(packet.seq, packet, packet.arrived_us / 1e6)
        self.late = self.late + 1 if self.reorder.late > before else 0
        if self.late < LOST_ITS_WAY:
            return ready
        self.late = 0
        ready += self.reorder.drain()
        self.skip()
        return ready + self.reorder.push(packet.seq, packet, packet.arrived_us / 1e6)

    def skip(self) -> None:
        if self.frames is not None:
            self.frames.skip()


class Pieces:
    """Of one track, all its parts. ``dropped``: pictures that were whole and could not be decoded for what was lost before them.

    Raises RecordingError(``cannot_play``) for a codec that nothing can be made of.
    """

    def __init__(self, header: TrackHeader, clock: TrackClock) -> None:
        self.codec = header.codec.lower()
        if self.codec != "opus" and self.codec not in CODECS:
            raise RecordingError("cannot_play", f"{header.track} is {header.codec}")
        self._clock = clock
        self._reader = RtpReader(ExtensionIds())
        self._streams: dict[int, _Stream] = {}
        self._shown = -1  # the SSRC that pictures are of
        self._needs_key = True
        self._last_us = -1
        self.dropped = 0

    def read(self, records: Iterable[Record]) -> Iterator[Piece | Blank]:
        """Everything, in the order of the file."""
        for record in records:
            yield from self.feed(record)
        yield from self.end()

    def feed(self, record: Record) -> list[Piece | Blank]:
        """The pieces that are ready with this record."""
        kind = record.kind
        if kind == Kind.RTP:
            reader = self._reader
            payload = record.payload
            if not reader.parse(payload, len(payload)):
                return []
            stream = self._streams.get(reader.ssrc) or self._begin(reader.ssrc)
            data = payload[reader.start : reader.end]
            packet = _Packet(reader.seq, reader.ts, bool(reader.marker), data, record.time_us)
            return self._give(reader.ssrc, stream, stream.push(packet))
        if kind in (Kind.GATE_SHUT, Kind.PAUSE):
            found = self.end()
            found.append(Blank(max(record.time_us, self._last_us + 1)))
            return found
        if kind in (Kind.GATE_OPEN, Kind.RESUME):  # what a gap record tells of, numbers tell better
            return self.end()
        return []

    def end(self) -> list[Piece | Blank]:
        """What still waits for something that does not come any more."""
        found: list[Piece | Blank] = []
        for ssrc, stream in self._streams.items():
            found += self._give(ssrc, stream, stream.reorder.drain())
            stream.skip()
        self._needs_key = True
        return found

    def _begin(self, ssrc: int) -> _Stream:
        if len(self._streams) >= MAX_STREAMS:
            del self._streams[next(iter(self._streams))]
        stream = self._streams[ssrc] = _Stream(self.codec)
        return stream

    def _give(self, ssrc: int, stream: _Stream, packets: list[_Packet]) -> list[Piece | Blank]:
        found: list[Piece | Blank] = []
        for packet in packets:
            if stream.frames is None:
                if packet.payload:
                    found.append(self._piece(ssrc, packet.ts, packet.arrived_us, packet.payload, key=True))
                continue
            for frame in stream.frames.push(packet.seq, packet.ts, packet.marker, packet.payload):
                if frame.key:
                    self._shown = ssrc
                    self._needs_key = False
                elif ssrc != self._shown >= 0:
                    continue  # another encoding, before its turn or after
                elif frame.lost:
                    self._needs_key = True
                if self._needs_key:
                    self.dropped += 1
                else:
                    found.append(self._piece(ssrc, frame.ts, packet.arrived_us, frame.data, key=frame.key))
        return found

    def _piece(self, ssrc: int, ts: int, arrived_us: int, data: bytes, *, key: bool) -> Piece:
        self._last_us = max(self._clock.time_us(ssrc, ts, arrived_us), self._last_us + 1, 0)
        return Piece(self._last_us, data, key)


def opus_samples(packet: bytes) -> int:
    """How many samples of 48 kHz an Opus packet holds, by its first bytes (RFC 6716 section 3.1); 0 when it cannot be read."""
    if not packet:
        return 0
    config, code = packet[0] >> 3, packet[0] & 3
    if config < 12:
        each = (480, 960, 1920, 2880)[config & 3]
    elif config < 16:
        each = (480, 960)[config & 1]
    else:
        each = (120, 240, 480, 960)[config & 3]
    count = (1, 2, 2, packet[1] & 63 if len(packet) > 1 else 0)[code]
    return each * count if each * count <= 5760 else 0
