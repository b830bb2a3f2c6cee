"""What all connections of a worker counted since it started, and how they fared: for monitoring. Sans I/O.

Nothing here names a room or a person: counters are sums, and of each connection and each room one sample a heartbeat goes into
a histogram ("so many connection-seconds at a round trip time of up to 100 ms"). What is known of one session is in ``Peer.stats``.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from media import control
from media.relay.downlink import Downlink
from media.relay.publication import Publication, Subscription
from media.relay.quality import Quality
from media.relay.uplink import Uplink

COUNTS: Mapping[str, str] = {
    "packets_in": "Media packets received, those that came again included",
    "bytes_in": "Bytes of media received, without headers",
    "lost_in": "Packets of publishers that never came, nor again",
    "late_in": "Packets of publishers that came after later ones",
    "recovered_in": "Packets of publishers that came as a retransmission",
    "nacks_out": "Packets asked for again of publishers",
    "key_frames_in": "Key frames received",
    "key_requests_out": "Key frames asked for of publishers",
    "packets_out": "Media packets sent",
    "bytes_out": "Bytes of media sent, without headers",
    "nacks_in": "Packets asked for again by subscribers",
    "resent_out": "Packets sent again to subscribers",
    "key_requests_in": "Key frames asked for by subscribers",
    "left_out": "Packets of temporal layers that were not sent on",
    "refused_out": "Packets that could not be encrypted, or sent again",
    "pacer_dropped": "Packets that waited too long for their turn on a narrow path",
    "probe_bytes_out": "Bytes of padding sent to find out what paths carry",
    "recording_dropped": "Packets to be recorded that found no room, because the recorder did not keep up",
}
"""Counters, each a sum over all connections. What they mean is theirs, as monitoring shows it."""

_PICTURES = ("lowest", "middle", "highest", "only", "waiting", "held", "unseen")
_LIMITS = ("none", "bandwidth", "loss")

NOW: Mapping[str, tuple[str, tuple[str, ...], str]] = {
    "pictures": ("layer", _PICTURES, "Pictures shown to subscribers now, by the encoding each gets"),
    "legs": ("limit", _LIMITS, "Connections now, by why they get less than they asked for"),
    "room_legs": ("limit", _LIMITS, "Rooms now, by the limit of their worst connection"),
}
"""How many there are now: label, its values, meaning."""

_BPS = (50_000.0, 100_000.0, 200_000.0, 300_000.0, 500_000.0, 800_000.0, 1_200_000.0, 2_000_000.0, 4_000_000.0, 8_000_000.0)
_LOSS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_JITTER_S = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)
_RTT_S = (0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.4, 0.7, 1.5)

SPREADS: Mapping[str, tuple[tuple[float, ...], str]] = {
    "leg_rtt_seconds": (_RTT_S, "Round trip time to a subscriber, one sample per connection and heartbeat"),
    "leg_down_loss_ratio": (_LOSS, "Part lost on the way to a subscriber, one sample per connection and heartbeat"),
    "leg_up_loss_ratio": (_LOSS, "Part lost on the way from a publisher, one sample per connection and heartbeat"),
    "leg_down_jitter_seconds": (_JITTER_S, "Jitter as subscribers report it, the worst slot of each"),
    "leg_up_jitter_seconds": (_JITTER_S, "Jitter of what publishers send, the worst stream of each"),
    "leg_estimate_bps": (_BPS, "What the way to a subscriber carries, as estimated"),
    "leg_sent_bps": (_BPS, "What is sent to a subscriber"),
    "room_sent_bps": (_BPS, "What is sent into a room, to all in it together"),
    "room_participants": ((1.0, 2.0, 3.0, 4.0, 6.0, 10.0, 20.0, 50.0), "Connections in a room"),
}
"""Histograms: upper bounds of their buckets (the last one has none), meaning."""


class Leg(Protocol):
    """A connection, as far as it is counted."""

    state: control.PeerStateName
    counts: Counter[str]
    publications: dict[str, Publication]
    downlinks: dict[str, Downlink]
    shown: dict[str, tuple[Publication, Subscription]]
    held: frozenset[str]
    quality: Quality


UP = ("packets_in", "bytes_in", "lost_in", "late_in", "recovered_in", "nacks_out", "key_frames_in")
"""What is counted of a stream; its numbers begin again when its sender restarts."""
DOWN = (
    "key_requests_out", "packets_out", "bytes_out", "nacks_in", "resent_out", "key_requests_in", "left_out", "refused_out",
    "pacer_dropped", "probe_bytes_out",
)  # fmt: skip
"""What is counted of a connection besides; these only grow."""
_NOTHING_UP = (0,) * len(UP)
_NOTHING_DOWN = (0,) * len(DOWN)


class _Seen:
    """What was counted of a connection already. ``by_mid``: packets of each slot."""

    __slots__ = ("by_mid", "down", "up")

    def __init__(self) -> None:
        self.down: tuple[int, ...] = _NOTHING_DOWN
        self.up: dict[Uplink, tuple[int, ...]] = {}
        self.by_mid: dict[str, int] = {}


class _Step(NamedTuple):
    """What is new of a connection since the last time, and the worst jitter of what came and of what was sent (0: nothing was)."""

    packets_in: int
    lost_in: int
    bytes_out: int
    sent: bool
    up_jitter_s: float
    down_jitter_s: float


class Totals:
    """For each heartbeat: ``begin``, ``add_room`` for every room, ``told``; ``forget`` whenever a connection ends.

    About 20 µs a connection: whoever has many lets others have their turn between rooms.
    """

    def __init__(self, now: float) -> None:
        self._counts = dict.fromkeys(COUNTS, 0)
        self._spreads = {name: [0] * (len(bounds) + 1) for name, (bounds, _) in SPREADS.items()}
        self._sums = dict.fromkeys(SPREADS, 0.0)
        self._legs: dict[Leg, _Seen] = {}
        self._at = now
        self._interval = 1.0
        self._now: dict[str, dict[str, int]] = {}
        self.begin(now)

    def begin(self, now: float) -> None:
        self._interval = max(now - self._at, 0.001)
        self._at = now
        self._now = {name: dict.fromkeys(values, 0) for name, (_, values, _) in NOW.items()}

    def add_room(self, legs: Iterable[Leg]) -> None:
        """Count what is new in one room, and take a sample of it and of each connection."""
        connected = sent_bytes = worst = 0
        current = self._now
        for leg in legs:
            step = self._count(leg)
            if leg.state != "connected":
                continue
            connected += 1
            sent_bytes += step.bytes_out
            self._sample(leg, step)
            limit = _LIMITS.index(_limit(leg))
            worst = max(worst, limit)
            current["legs"][_LIMITS[limit]] += 1
            for mid, (publication, subscription) in leg.shown.items():
                if publication.kind == "video":
                    current["pictures"][_picture(leg, mid, publication, subscription)] += 1
        if connected:
            self._add("room_participants", connected)
            self._add("room_sent_bps", 8 * sent_bytes / self._interval)
            current["room_legs"][_LIMITS[worst]] += 1

    def told(self, recording_dropped: int = 0) -> control.Totals:
        self._counts["recording_dropped"] = recording_dropped
        spreads = {name: control.Spread(tuple(counts), self._sums[name]) for name, counts in self._spreads.items()}
        return control.Totals(dict(self._counts), self._now, spreads)

    def forget(self, leg: Leg) -> None:
        """A connection has ended: what it counted since the last time is added, and nothing of it kept."""
        self._count(leg)
        del self._legs[leg]

    def _count(self, leg: Leg) -> _Step:
        seen = self._legs.get(leg)
        if seen is None:
            seen = self._legs[leg] = _Seen()
        down, down_jitter_s, sent = _read_down(leg, seen.by_mid)
        bytes_out = down[2] - seen.down[2]
        if down != seen.down:
            self._grow(DOWN, seen.down, down)
            seen.down = down
        packets = lost = 0
        jitter_s = 0.0
        streams: dict[Uplink, tuple[int, ...]] = {}
        for publication in leg.publications.values():
            for uplink in publication.layers.values():
                old = seen.up.get(uplink, _NOTHING_UP)
                new = streams[uplink] = _read_up(uplink, old)
                if new is old:
                    continue
                if new[0] < old[0]:  # the sender restarted its numbers
                    old = (0, 0, 0, *old[3:])
                self._grow(UP, old, new)
                packets += new[0] - old[0]
                lost += new[2] - old[2]
                jitter_s = max(jitter_s, uplink.jitter_s)
        seen.up = streams
        return _Step(packets, lost, bytes_out, sent, jitter_s, down_jitter_s)

    def _grow(self, names: Iterable[str], old: tuple[int, ...], new: tuple[int, ...]) -> None:
        counts = self._counts
        for name, value, before in zip(names, new, old, strict=True):
            if value != before:
                counts[name] += value - before

    def _sample(self, leg: Leg, step: _Step) -> None:
        estimator = leg.quality.estimator
        if estimator.rtt_s is not None:
            self._add("leg_rtt_seconds", estimator.rtt_s)
        if step.sent:
            self._add("leg_sent_bps", 8 * step.bytes_out / self._interval)
            self._add("leg_down_loss_ratio", estimator.loss)
            self._add("leg_down_jitter_seconds", step.down_jitter_s)
            if leg.quality.twcc_at is not None:
                self._add("leg_estimate_bps", estimator.estimate_bps)
        if step.packets_in:
            self._add("leg_up_loss_ratio", step.lost_in / (step.lost_in + step.packets_in))
            self._add("leg_up_jitter_seconds", step.up_jitter_s)

    def _add(self, name: str, value: float) -> None:
        self._spreads[name][bisect_left(SPREADS[name][0], value)] += 1
        self._sums[name] += value


def _read_up(u: Uplink, old: tuple[int, ...]) -> tuple[int, ...]:
    """In the order of ``UP``; ``old`` itself when nothing came since. What came late after all is not taken back: counters only grow."""
    if u.packets == old[0] and u.nacked == old[5]:
        return old
    lost = u.lost if u.packets < old[0] else max(u.lost, old[2])
    return u.packets, u.octets, lost, u.late, u.recovered, u.nacked, u.keys


def _read_down(leg: Leg, by_mid: dict[str, int]) -> tuple[tuple[int, ...], float, bool]:
    """In the order of ``DOWN``; the worst jitter of the slots in which something was sent; whether anything was. Updates ``by_mid``."""
    packets = octets = nacked = resent = left_out = refused = 0
    jitter_s, sent = 0.0, False
    for mid, d in leg.downlinks.items():
        d.collect()
        if not d.packets and not d.refused:
            continue
        if by_mid.get(mid, 0) != d.packets:
            by_mid[mid] = d.packets
            sent = True
            jitter_s = max(jitter_s, d.jitter_s)
        packets += d.packets
        octets += d.octets
        nacked += d.nacked
        resent += d.resent
        left_out += d.left_out
        refused += d.refused
    plis = 0
    for publication in leg.publications.values():
        plis += publication.plis
    quality = leg.quality
    dropped, probes = quality.pacer.dropped, quality.probe_bytes
    return (plis, packets, octets, nacked, resent, leg.counts["pli"], left_out, refused, dropped, probes), jitter_s, sent


def _limit(leg: Leg) -> str:
    """As the page is told it: only what has less than was asked for is limited."""
    quality = leg.quality
    return quality.estimator.limited_by if quality.allocation.total_bps < quality.allocation.demand_bps else "none"


def _picture(leg: Leg, mid: str, publication: Publication, subscription: Subscription) -> str:
    uplink = subscription.downlink.uplink
    if mid in leg.held:
        return "held"
    if "unseen" in subscription.gate.reasons:
        return "unseen"
    if uplink is None:
        return "waiting"
    if len(publication.rids) < 2 or uplink.rid not in publication.rids:
        return "only"
    rank = publication.rids.index(uplink.rid)
    return "lowest" if rank == 0 else "highest" if rank == len(publication.rids) - 1 else "middle"
