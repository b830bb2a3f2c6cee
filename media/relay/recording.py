"""What of a room is handed to the recorder: which sources, since when, and which encoding of each. Sans I/O.

A source is recorded while three things are so: the server named it (``Order.whom``), the recording is on, and the publication's own
gate is open. Then a ``RecordedSource`` is one of the publication's sinks: it gets what the gate lets through, each packet once,
whoever forwards it. Of a voice the primary encoding is kept (RFC 2198 taken apart) and what was restored; of a picture one encoding at a
time, from a key frame on.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from media.control import RecordingState
from media.recording.errors import RecordingError
from media.recording.records import Layer, SenderReport
from media.recording.wire import TrackInfo
from media.relay.layers import heights
from media.relay.publication import FLOWS_S, Publication
from media.relay.uplink import RingEntry, Uplink

MAX_HEIGHT = 720
"""Lines of the picture that is kept, unless somebody is sent a taller one anyway."""
BETTER_AFTER_S = 5.0
"""A taller picture must have been sent to somebody for so long: each change costs everybody a key frame."""
KEY_EVERY_S = 30.0
KEY_AGAIN_S = 3.0
"""A key frame at least so often, asked for again after a while: who jumps in a recording waits for what is decoded from there on."""
AIM_S = 0.2
LATE_S = 2.0
"""After a beginning or a change of encodings so long packets may come late from before it (``uplink.NACK_AGE_S`` and a round trip): those of
the encoding before the change are taken, those of what was not to be recorded are not."""
AGAIN_S = 1.0
"""The recorder took no more tracks: asked again after so long."""
STEREO = frozenset({"opus"})


class Track(Protocol):
    """``media.recording.feed.FeedTrack``."""

    def media(self, kind: int, seq: int, ts: int, ssrc: int, payload: bytes, now: float, layer: int = 0) -> None: ...
    def sender_report(self, report: SenderReport, now: float, layer: int = 0) -> None: ...
    def layer(self, number: int, layer: Layer, now: float) -> None: ...
    def gate(self, now: float, *, opened: bool) -> None: ...
    def close(self, now: float) -> None: ...


class Recorder(Protocol):
    """``media.recording.feed.Feed``."""

    def open_track(self, recording: str, info: TrackInfo, now: float) -> Track:
        """Raises RecordingError."""
        ...


class Publisher(Protocol):
    """A connection in the room."""

    participant: str

    @property
    def publications(self) -> Mapping[str, Publication]: ...


class Order(NamedTuple):
    """As in ``control.SetRecording``; ``whom``: sources by participant."""

    recording: str
    zero_mono_us: int
    whom: Mapping[str, frozenset[str]]
    state: RecordingState


class RecordedSource:
    """One source of one connection: a sink of its publication while it is recorded, one track from its first packet on.

    ``open_track`` is called in the packet path; None: the recorder takes no more.
    """

    __slots__ = (
        "_again_at", "_before", "_before_seq", "_better", "_better_at", "_first_ts", "_key_due", "_layer", "_open", "_switched_at", "_told", "_type",
        "active", "pending", "publication", "target", "track", "uplink",
    )  # fmt: skip

    def __init__(self, publication: Publication, payload_type: int, open_track: Callable[[float], Track | None]) -> None:
        self.publication = publication
        self.track: Track | None = None
        self.active = False
        self.target: str | None = None
        self.uplink: Uplink | None = None
        self.pending: Uplink | None = None
        self._type = payload_type
        self._open = open_track
        self._told = False
        self._layer = 0
        self._first_ts = 0
        self._switched_at = self._again_at = self._key_due = float("-inf")
        self._before: Uplink | None = None
        self._before_seq = 0
        self._better: str | None = None
        self._better_at = 0.0

    # ---- its life

    def update(self, *, allowed: bool, on: bool, now: float) -> None:
        """From the next packet on. ``allowed``: it may be recorded and its gate is open; ``on``: the recording is not paused."""
        active = allowed and on
        if self.active and not active:
            self._stop()
        if self.track is not None and allowed is not self._told:
            self._told = allowed
            self.track.gate(now, opened=allowed)
        if active and not self.active:
            self.active = True
            self.publication.add_sink(self)
            self.aim(now)
            self.publication.request_key(now)

    def end(self, now: float) -> None:
        """Nothing more, for good."""
        if self.active:
            self._stop()
        if self.track is not None:
            self.track.close(now)
            self.track = None

    def _stop(self) -> None:
        self.active = False
        self.publication.remove_sink(self)
        self.uplink = self.pending = self._before = self._better = self.target = None

    # ---- which encoding

    def aim(self, now: float) -> None:
        """Wait for the encoding that is to be kept; call it several times a second."""
        if self.publication.kind != "video":
            return
        self.target = self._best(now)
        wanted = self.publication.wanted(self, now)
        self.pending = wanted if wanted is not self.uplink else None
        if self.uplink is not None and now - max(self.uplink.key_at, self._switched_at) >= KEY_EVERY_S and now >= self._key_due:
            self._key_due = now + KEY_AGAIN_S
            self.publication.request_key(now, self.uplink)

    def _best(self, now: float) -> str | None:
        """The tallest one up to ``MAX_HEIGHT``, or the lowest; a taller one that has been sent to somebody for a while."""
        lines = heights(self.publication)
        if not lines:
            return None
        fitting = [rid for rid, height in lines.items() if height <= MAX_HEIGHT]
        best = max(fitting, key=lines.__getitem__) if fitting else min(lines, key=lines.__getitem__)
        shown = [d.uplink for d in self.publication.active if d.uplink is not None and now - d.uplink.last_at < FLOWS_S]
        better = max((u.rid for u in shown if lines.get(u.rid, 0) > lines[best]), key=lines.__getitem__, default=None)
        if better != self._better:
            self._better, self._better_at = better, now
        return better if better is not None and now - self._better_at >= BETTER_AFTER_S else best

    # ---- packets; called by the forwarder

    def packet(self, uplink: Uplink, packet: RingEntry, startable: bool, late: bool, now: float) -> None:
        """See ``publication.Sink``."""
        if (uplink is not self.uplink or late) and not self._takes(uplink, packet, startable, late, now):
            return
        seq, ts, marker, payload, _, _, primary, _ = packet
        self.track.media(  # type: ignore[union-attr]  # there is one as soon as there is an uplink
            marker | self._type, seq, ts, uplink.ssrc, payload[primary:] if primary else payload, now, self._layer
        )

    def _takes(self, uplink: Uplink, packet: RingEntry, startable: bool, late: bool, now: float) -> bool:
        """Whether a packet that is out of the ordinary belongs to what is kept; goes over to another encoding where it is time."""
        if late:
            recent = now - self._switched_at < LATE_S
            if uplink is self.uplink:
                return not recent or (packet.ts - self._first_ts) & 0xFFFFFFFF < 0x80000000
            if (
                uplink is self._before
                and recent
                and (self._before_seq - packet.seq) & 0xFFFF < 0x8000
                and self.track is not None
            ):
                self.track.media(
                    packet.marker | self._type, packet.seq, packet.ts, uplink.ssrc, packet.payload, now, self._number(uplink)
                )
            return False
        if self.publication.kind == "video":
            if self.uplink is None and self.pending is None:
                self.aim(now)
            if uplink is not self.pending or not startable:
                return False
        return self._switch(uplink, packet, now)

    def _switch(self, uplink: Uplink, packet: RingEntry, now: float) -> bool:
        if self.track is None:
            if now < self._again_at:
                return False
            self.track = self._open(now)
            if self.track is None:
                self._again_at = now + AGAIN_S
                return False
            self._told = True
            self.track.gate(now, opened=True)
        self._before = self.uplink if self.publication.kind == "video" else None
        self._before_seq = self._before.max_seq if self._before is not None else 0
        self.uplink, self.pending = uplink, None
        self._first_ts, self._switched_at = packet.ts, now
        self._layer = self._number(uplink)
        self.track.layer(self._layer, Layer(uplink.ssrc, uplink.rid, uplink.height), now)
        ntp = uplink.clock.ntp_at(now)
        if ntp is not None and uplink.sr_ntp is not None:  # what its earlier reports say of now
            self.track.sender_report(
                SenderReport(uplink.ssrc, int(ntp * 4294967296) & 0xFFFFFFFFFFFFFFFF, uplink.rtp_at(now)), now, self._layer
            )
        return True

    def _number(self, uplink: Uplink) -> int:
        """Of a layer, in the records: its place among the encodings offered, the lowest first."""
        rids = self.publication.rids
        return rids.index(uplink.rid) if uplink.rid in rids else 0

    def report(self, uplink: Uplink, ntp: int, rtp: int, now: float) -> None:
        """See ``publication.Sink``."""
        if uplink is self.uplink and self.track is not None:
            self.track.sender_report(SenderReport(uplink.ssrc, ntp, rtp), now, self._layer)


class RoomRecording:
    """Of one room. ``refused``: tracks that could not be opened."""

    def __init__(self, recorder: Recorder | None) -> None:
        self._recorder = recorder
        self._order: Order | None = None
        self._sources: dict[Publication, RecordedSource] = {}
        self._aimed_at = float("-inf")
        self.refused = 0

    def set(self, order: Order, publishers: Mapping[str, Publisher], now: float) -> None:
        """From the next packet on this is recorded, and nothing else."""
        if order.state == "off" or (self._order is not None and self._order.recording != order.recording):
            self.close(now)
        if order.state != "off":
            self._order = order
            for publisher in publishers.values():
                self.refresh(publisher, now)

    def refresh(self, publisher: Publisher, now: float) -> None:
        """Its gates have changed, or it is new."""
        order = self._order
        if order is None:
            return
        sources = order.whom.get(publisher.participant, frozenset())
        for publication in publisher.publications.values():
            allowed = publication.gate.open and publication.source in sources
            source = self._sources.get(publication)
            if source is None and allowed and publication.codec is not None:
                source = self._sources[publication] = self._source(publication, order)
            if source is not None:
                source.update(allowed=allowed, on=order.state == "on", now=now)

    def gone(self, publisher: Publisher, now: float) -> None:
        """The connection is over: its tracks are closed."""
        for publication in publisher.publications.values():
            source = self._sources.pop(publication, None)
            if source is not None:
                source.end(now)

    def tick(self, now: float) -> None:
        """Call each 20 ms."""
        if self._sources and now - self._aimed_at >= AIM_S:
            self._aimed_at = now
            for source in self._sources.values():
                if source.active:
                    source.aim(now)

    def close(self, now: float) -> None:
        """Nothing is recorded any more."""
        self._order = None
        for source in self._sources.values():
            source.end(now)
        self._sources.clear()

    def _source(self, publication: Publication, order: Order) -> RecordedSource:
        codec = publication.codec
        assert codec is not None

        def open_track(now: float) -> Track | None:
            begun_ms = max(0, int(now * 1e6) - order.zero_mono_us) // 1000
            info = TrackInfo(
                track=f"{publication.participant}-{publication.source}-{begun_ms}",
                participant=publication.participant,
                source=publication.source,
                kind="audio" if publication.kind == "audio" else "video",
                codec=codec.name,
                clock_rate=codec.clock_rate,
                zero_wall_us=0,
                zero_mono_us=order.zero_mono_us,
                payload_type=codec.payload_type,
                channels=2 if codec.name.lower() in STEREO else 1,
                fmtp=codec.fmtp,
            )
            try:
                return self._recorder.open_track(order.recording, info, now) if self._recorder is not None else None
            except RecordingError:
                self.refused += 1
                return None

        return RecordedSource(publication, codec.payload_type, open_track)
