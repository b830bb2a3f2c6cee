"""What all connections of a worker counted since it started, and how they fared: for monitoring. Sans I/O.

Nothing here names a room or a person: counters are sums, and of each connection and each room one sample a heartbeat goes into
a histogram ("so many connection-seconds at a round trip time of up to 100 ms"). What is known of one session is in ``Peer.stats``.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from media import control
from media.downlink import Downlink
from media.publication import Publication, Subscription
from media.quality import Quality
from media.uplink import Uplink

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


class _Up(NamedTuple):
    """Of one stream; its numbers begin again when its sender restarts."""

    packets_in: int = 0
    bytes_in: int = 0
    lost_in: int = 0
    late_in: int = 0
    recovered_in: int = 0
    nacks_out: int = 0
    key_frames_in: int = 0


class _Down(NamedTuple):
    """Of one connection; these only grow."""

    key_requests_out: int = 0
    packets_out: int = 0
    bytes_out: int = 0
    nacks_in: int = 0
    resent_out: int = 0
    key_requests_in: int = 0
    left_out: int = 0
    refused_out: int = 0
    pacer_dropped: int = 0
    probe_bytes_out: int = 0


class _Seen:
    """What was counted of a connection already. ``by_mid``: packets of each slot."""

    def __init__(self) -> None:
        self.down = _Down()
        self.up: dict[Uplink, _Up] = {}
        self.by_mid: dict[str, int] = {}


class _Step(NamedTuple):
    """What is new of a connection since the last time. ``up``, ``mids``: what came, or was sent, at all."""

    counts: Counter[str]
    up: list[Uplink]
    mids: list[str]


class Totals:
    """Call ``update`` with each heartbeat, ``forget`` when a connection ends."""

    def __init__(self, now: float) -> None:
        self._counts = dict.fromkeys(COUNTS, 0)
        self._spreads = {name: [0] * (len(bounds) + 1) for name, (bounds, _) in SPREADS.items()}
        self._sums = dict.fromkeys(SPREADS, 0.0)
        self._legs: dict[Leg, _Seen] = {}
        self._at = now

    def update(self, rooms: Iterable[Iterable[Leg]], now: float) -> control.Totals:
        """Count what is new in all rooms, and take a sample of each connection and room."""
        interval = max(now - self._at, 0.001)
        self._at = now
        current = {name: dict.fromkeys(values, 0) for name, (_, values, _) in NOW.items()}
        for legs in rooms:
            connected = sent_bytes = 0
            worst = 0
            for leg in legs:
                step = self._count(leg)
                if leg.state != "connected":
                    continue
                connected += 1
                sent_bytes += step.counts["bytes_out"]
                self._sample(leg, step, interval)
                limit = _LIMITS.index(_limit(leg))
                worst = max(worst, limit)
                current["legs"][_LIMITS[limit]] += 1
                for mid, (publication, subscription) in leg.shown.items():
                    if publication.kind == "video":
                        current["pictures"][_picture(leg, mid, publication, subscription)] += 1
            if connected:
                self._add("room_participants", connected)
                self._add("room_sent_bps", 8 * sent_bytes / interval)
                current["room_legs"][_LIMITS[worst]] += 1
        spreads = {name: control.Spread(tuple(counts), self._sums[name]) for name, counts in self._spreads.items()}
        return control.Totals(dict(self._counts), current, spreads)

    def forget(self, leg: Leg) -> None:
        """A connection has ended: what it counted since the last time is added, and nothing of it kept."""
        self._count(leg)
        del self._legs[leg]

    def _count(self, leg: Leg) -> _Step:
        seen = self._legs.setdefault(leg, _Seen())
        step = _Step(Counter(), [], [])
        down, by_mid = _read_down(leg)
        step.mids.extend(mid for mid, packets in by_mid.items() if packets > seen.by_mid.get(mid, 0))
        for name, value, old in zip(_Down._fields, down, seen.down, strict=True):
            step.counts[name] += value - old
        seen.down, seen.by_mid = down, by_mid
        streams: dict[Uplink, _Up] = {}
        for publication in leg.publications.values():
            for uplink in publication.layers.values():
                streams[uplink] = self._count_up(uplink, seen.up.get(uplink, _Up()), step)
        seen.up = streams
        for name, value in step.counts.items():
            self._counts[name] += value
        return step

    def _count_up(self, uplink: Uplink, old: _Up, step: _Step) -> _Up:
        new = _read_up(uplink)
        if new.packets_in < old.packets_in:  # the sender restarted its numbers
            old = old._replace(packets_in=0, bytes_in=0, lost_in=0)
        if new.packets_in > old.packets_in:
            step.up.append(uplink)
        # What was lost and came late after all is not taken back: a counter only grows.
        new = new._replace(lost_in=max(new.lost_in, old.lost_in))
        for name, value, before in zip(_Up._fields, new, old, strict=True):
            step.counts[name] += value - before
        return new

    def _sample(self, leg: Leg, step: _Step, interval: float) -> None:
        estimator = leg.quality.estimator
        if estimator.rtt_s is not None:
            self._add("leg_rtt_seconds", estimator.rtt_s)
        if step.mids:
            self._add("leg_sent_bps", 8 * step.counts["bytes_out"] / interval)
            self._add("leg_down_loss_ratio", estimator.loss)
            self._add("leg_down_jitter_seconds", max(leg.downlinks[mid].jitter_s for mid in step.mids))
            if leg.quality.twcc_at is not None:
                self._add("leg_estimate_bps", estimator.estimate_bps)
        if step.up:
            lost, came = step.counts["lost_in"], step.counts["packets_in"]
            self._add("leg_up_loss_ratio", lost / (lost + came))
            self._add("leg_up_jitter_seconds", max(uplink.jitter_s for uplink in step.up))

    def _add(self, name: str, value: float) -> None:
        self._spreads[name][bisect_left(SPREADS[name][0], value)] += 1
        self._sums[name] += value


def _read_up(uplink: Uplink) -> _Up:
    return _Up(uplink.packets, uplink.octets, uplink.lost, uplink.late, uplink.recovered, uplink.nacked, uplink.keys)


def _read_down(leg: Leg) -> tuple[_Down, dict[str, int]]:
    octets = nacked = resent = left_out = refused = 0
    by_mid = {}
    for mid, downlink in leg.downlinks.items():
        downlink.collect()
        by_mid[mid] = downlink.packets
        octets += downlink.octets
        nacked += downlink.nacked
        resent += downlink.resent
        left_out += downlink.left_out
        refused += downlink.refused
    plis = sum(publication.plis for publication in leg.publications.values())
    dropped, probes = leg.quality.pacer.dropped, leg.quality.probe_bytes
    down = _Down(plis, sum(by_mid.values()), octets, nacked, resent, leg.counts["pli"], left_out, refused, dropped, probes)
    return down, by_mid


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
