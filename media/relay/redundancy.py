"""When a voice is sent with redundancy (RFC 2198): while a way to or from the relay loses packets and sending them again comes late. Sans I/O.

It costs a voice more than twice, so it is switched on for who needs it only, and off again when the line is good: a publisher sends it
while its own way needs it or a listener's does, and listeners whose way does not need it, or who cannot read it, get the voice alone.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from media.relay.downlink import Downlink
from media.relay.publication import Publication, Subscription
from media.relay.quality import Quality
from media.relay.uplink import Uplink

ON_LOSS = 0.03
OFF_LOSS = 0.01
NEAR_S = 0.06
"""With a round trip shorter than this what is sent again comes in time …"""
NEAR_ON_LOSS = 0.12
"""… unless so much is lost that it is lost again."""
SMOOTH_S = 1.5
OFF_AFTER_S = 10.0
MIN_PACKETS = 25
"""Of fewer packets than this nothing is said."""
AGAIN_S = 20.0
"""A publisher that does not do what it was told is told again after so long: it may not have heard."""
WITH = ("red",)
WITHOUT = ("",)
"""What a publisher is told to send of its microphone."""


class Listener(Protocol):
    quality: Quality
    publications: dict[str, Publication]
    shown: dict[str, tuple[Publication, Subscription]]


class Need:
    """Of one way: whether it needs redundancy. ``loss``: smoothed, 0 … 1."""

    __slots__ = ("_at", "_good_since", "loss", "wanted")

    def __init__(self, now: float) -> None:
        self.loss = 0.0
        self.wanted = False
        self._at = self._good_since = now

    def update(self, loss: float, rtt_s: float | None, now: float) -> bool:
        """``loss``: of late. Call several times a second."""
        self.loss += (loss - self.loss) * min(1.0, (now - self._at) / SMOOTH_S)
        self._at = now
        if self.loss >= OFF_LOSS:
            self._good_since = now
        if not self.wanted:
            self.wanted = self.loss >= (NEAR_ON_LOSS if rtt_s is not None and rtt_s < NEAR_S else ON_LOSS)
        elif now - self._good_since >= OFF_AFTER_S:
            self.wanted = False
        return self.wanted


class _Rate:
    """What part of something is lost, from two counters that grow."""

    __slots__ = ("_lost", "_packets", "loss")

    def __init__(self) -> None:
        self._packets = self._lost = 0
        self.loss = 0.0

    def update(self, packets: int, lost: int) -> float:
        if packets < self._packets or lost < self._lost:  # they began anew
            self._packets, self._lost = packets, lost
        elif packets - self._packets >= MIN_PACKETS:
            self.loss = min(1.0, (lost - self._lost) / (packets - self._packets))
            self._packets, self._lost = packets, lost
        return self.loss


class _Way:
    """To one listener, or of one voice to the relay."""

    __slots__ = ("_asked", "_packets", "_seen", "need", "rate")

    def __init__(self, now: float) -> None:
        self.need = Need(now)
        self.rate = _Rate()
        self._packets = self._asked = 0
        self._seen: dict[Downlink, tuple[int, int]] = {}

    def hears(self, voices: list[Downlink]) -> float:
        """What part of these a listener asks for again. Of a slot that shows a voice anew only what is counted from now on."""
        seen, self._seen = self._seen, {}
        for d in voices:
            packets, asked = seen.get(d, (d.packets, d.asked))
            self._packets += d.packets - packets
            self._asked += d.asked - asked
            self._seen[d] = d.packets, d.asked
        return self.rate.update(self._packets, self._asked)


class Redundancy:
    """Of all voices of one room. ``tell``: a publisher is to send its voice so from now on."""

    def __init__(self, tell: Callable[[Publication, tuple[str, ...]], None]) -> None:
        self._tell = tell
        self._to: dict[str, _Way] = {}
        self._from: dict[Publication, _Way] = {}
        self._told: dict[Publication, tuple[tuple[str, ...], float]] = {}

    def tick(self, people: Mapping[str, Listener], now: float) -> None:
        """Call each 100 … 500 ms."""
        to, self._to = self._to, {}
        for name, one in people.items():
            voices = [s.downlink for p, s in one.shown.values() if p.red and _readable(p, s)]
            if not voices:
                continue
            way = self._to[name] = to.get(name) or _Way(now)
            estimator = one.quality.estimator
            asked = way.hears(voices)
            allocation = one.quality.allocation
            narrow = allocation.total_bps < allocation.demand_bps
            full = narrow and one.quality.twcc_at is not None and not estimator.loss_bound.clear
            # where a queue stands on a narrow way, it is the rate that loses
            wanted = way.need.update(0.0 if full else max(asked, estimator.loss), estimator.rtt_s, now)
            for downlink in voices:
                if downlink.redundant != wanted:
                    downlink.protect(wanted)
        before, self._from = self._from, {}
        told, self._told = self._told, {}
        for one in people.values():
            for publication in one.publications.values():
                uplink = next(iter(publication.layers.values()), None)
                if publication.red and uplink is not None:
                    way = self._from[publication] = before.get(publication) or _Way(now)
                    own = way.need.update(way.rate.update(uplink.expected, uplink.missed), one.quality.estimator.rtt_s, now)
                    active = WITH if own or any(d.redundant for d in publication.active) else WITHOUT
                    self._told[publication] = self._say(
                        publication, uplink, active, *told.get(publication, (WITHOUT, now)), now
                    )

    def _say(
        self, publication: Publication, uplink: Uplink, active: tuple[str, ...], told: tuple[str, ...], at: float, now: float
    ) -> tuple[tuple[str, ...], float]:
        obeyed = (now - uplink.red_at < 1.0) == (active is WITH) or now - uplink.last_at >= 1.0
        if active == told and (obeyed or now - at < AGAIN_S):
            return told, at
        self._tell(publication, active)
        return active, now


def _readable(publication: Publication, subscription: Subscription) -> bool:
    codec = subscription.downlink.codecs.get(publication.codec_key)
    return codec is not None and codec.red > 0
