"""The taps of one room: packets of a camera or a screen, behind its gate, handed to a decoder that nobody waits for. Sans I/O.

A tap is a ``publication.Sink``: it gets what the gate lets through, so a shut gate ends it with the very next packet; ``refresh`` then tells.
Where its decoder does not keep up packets are dropped and counted, and the next key frame is asked for: a decoder is never given
a stream with holes of ours.
"""

from collections.abc import Callable
from typing import Protocol

from media.relay.layers import heights
from media.relay.publication import Publication
from media.relay.uplink import RingEntry, Uplink
from media.tap.errors import TapRefused
from media.tap.wire import MAX_RECORD_BYTES, MAX_SECONDS, Kind, pack
from media.wire.depacketise import CODECS

MOST = 4
"""Taps of one room at a time."""
MAX_LINES = 1088
MAX_JUMP = 3000
MOST_FPS, FRAMES_AT_ONCE = 60.0, 120.0
"""Coded frames: more a second, once so many came beyond that, end a tap. What a network held back and delivers at once is less; no decoder is to be kept busy until
all of it is late."""


class Outlet(Protocol):
    """The way to the decoder. ``alive``: False once it is gone."""

    alive: bool

    def send(self, record: bytes) -> bool:
        """Never waits. False: there is no room, and it was dropped."""
        ...

    def flush(self) -> None:
        """What waits in the outlet is tried again. Call each 20 ms."""
        ...

    def close(self) -> None: ...


class Tap:
    """One of them. ``target``, ``uplink``, ``pending``: as of a ``publication.Sink``. ``dropped``: packets that found no room.
    ``flooded``: more pictures a second came than are decoded."""

    def __init__(self, name: str, publication: Publication, outlet: Outlet, height: int, until: float) -> None:
        self.name = name
        self.publication = publication
        self.until = until
        self.target: str | None = None
        self.uplink: Uplink | None = None
        self.pending: Uplink | None = None
        self.packets = self.dropped = 0
        self._outlet = outlet
        self._height = height
        self._stream = 0
        self._newest = -1
        self._frame = -1
        self._room, self._room_at = FRAMES_AT_ONCE, until - MAX_SECONDS
        self.flooded = False
        outlet.send(pack(Kind.BEGINS, codec_of(publication).encode()))

    @property
    def alive(self) -> bool:
        return self._outlet.alive

    def steer(self, now: float) -> None:
        """Ask for the layer that fits: the smallest that is as tall as was asked for, or the tallest there is."""
        self._outlet.flush()
        most = max(MAX_LINES, self._height)  # a telephone that is held upright sends 720 × 1,280
        lines = {rid: height for rid, height in heights(self.publication).items() if height <= most}
        tall = [rid for rid, height in lines.items() if self._height and height >= self._height]
        if lines:
            self.target = min(tall, key=lambda rid: lines[rid]) if tall else max(lines, key=lambda rid: lines[rid])
        wanted = self.publication.wanted(self, now)
        if wanted is not None:
            self.pending = wanted if wanted is not self.uplink else None

    def packet(self, uplink: Uplink, packet: RingEntry, startable: bool, late: bool, now: float) -> None:
        if not late and uplink is self.uplink and not 0 < (packet.seq - self._newest) & 0xFFFF < MAX_JUMP:
            self.uplink, self.pending = None, uplink  # the sender's numbers jumped
        if startable and not late and uplink is self.pending:
            self.uplink, self.pending = uplink, None
            self._stream += 1
        if uplink is not self.uplink:
            return
        if not late:
            self._newest = packet.seq
        marker = bool(packet.marker)
        if self._too_many(packet.ts, now, new=marker if late else packet.ts != self._frame):
            return
        at_us = int(now * 1e6)
        record = pack(
            Kind.PACKET, packet.payload, marker=marker, seq=packet.seq, ts=packet.ts, stream=self._stream, at_us=at_us
        )
        if len(record) <= MAX_RECORD_BYTES and self._outlet.send(record):
            self.packets += 1
        else:
            self.dropped += 1
            self.uplink, self.pending = None, uplink

    def _too_many(self, ts: int, now: float, *, new: bool) -> bool:
        """Nothing of what comes after that is given to the decoder; the next tick ends it. ``new``: a frame begins, or ends late."""
        if new:
            self._frame = ts
            self._room = min(FRAMES_AT_ONCE, self._room + max(0.0, now - self._room_at) * MOST_FPS) - 1.0
            self._room_at = now
            self.flooded = self.flooded or self._room < 0.0
        return self.flooded

    def report(self, uplink: Uplink, ntp: int, rtp: int, now: float) -> None:
        """Not needed: pictures have the time at which they came."""

    def end(self, reason: str) -> None:
        """Nothing more from here on."""
        self.publication.remove_sink(self)
        self.uplink = self.pending = None
        self._outlet.send(pack(Kind.OVER, reason.encode()))
        self._outlet.close()


def codec_of(publication: Publication) -> str:
    """In lower case, as ``depacketise.CODECS`` has it."""
    codec = publication.codec
    return codec.name.lower() if codec is not None else publication.codec_key.lower()


class Taps:
    """All of a room, by name. ``tell``: told (name, reason) of each that ended without being asked to."""

    def __init__(self, tell: Callable[[str, str], None]) -> None:
        self._tell = tell
        self._taps: dict[str, Tap] = {}

    def __len__(self) -> int:
        return len(self._taps)

    def open(
        self,
        name: str,
        publication: Publication | None,
        connect: Callable[[], Outlet],
        height: int,
        max_seconds: float,
        now: float,
    ) -> None:
        """Raises TapRefused; what ``connect`` raises."""
        if publication is None or publication.kind != "video":
            raise TapRefused("no_such_source", "nobody sends it")
        if not publication.gate.open:
            raise TapRefused("gate_shut", "it may not be seen")
        if codec_of(publication) not in CODECS:
            raise TapRefused("bad_codec", publication.codec_key)
        if name in self._taps or len(self._taps) >= MOST:
            raise TapRefused("busy", f"{MOST} taps")
        tap = Tap(name, publication, connect(), height, now + min(max_seconds, MAX_SECONDS))
        self._taps[name] = tap
        publication.add_sink(tap)
        tap.steer(now)
        publication.key_asked_at = float("-inf")  # its first frame is a key frame, asked for at once
        publication.request_key(now)

    def close(self, name: str) -> None:
        """Nothing happens when there is none."""
        tap = self._taps.pop(name, None)
        if tap is not None:
            tap.end("closed")

    def refresh(self, publication: Publication) -> None:
        """Its gate may have been shut."""
        if not publication.gate.open:
            self._end(lambda tap: tap.publication is publication, "gate")

    def gone(self, publication: Publication) -> None:
        """It is no more."""
        self._end(lambda tap: tap.publication is publication, "gone")

    def clear(self) -> None:
        self._end(lambda tap: True, "gone")

    def tick(self, now: float) -> None:
        """Each 20 ms."""
        if not self._taps:
            return
        self._end(lambda tap: not tap.alive, "lost")
        self._end(lambda tap: tap.flooded, "too_many")
        self._end(lambda tap: now >= tap.until, "time")
        for tap in self._taps.values():
            tap.steer(now)

    def _end(self, which: Callable[[Tap], bool], reason: str) -> None:
        for name, tap in list(self._taps.items()):
            if which(tap):
                del self._taps[name]
                tap.end(reason)
                self._tell(name, reason)

    def stats(self) -> dict[str, dict[str, object]]:
        return {
            name: {"participant": tap.publication.participant, "source": tap.publication.source, "packets": tap.packets,
                   "dropped": tap.dropped}
            for name, tap in self._taps.items()
        }  # fmt: skip
