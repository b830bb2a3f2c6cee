"""The way to one subscriber: what it carries, and which of its pictures get how much of it. Sans I/O.

Puts together ``media.congestion``: the forwarder notes what it sends, feedback moves the estimate, the allocator spends it.
"""

from collections.abc import Sequence

from media import control
from media.congestion.allocate import UP_MARGIN, Allocation, Allocator, Want
from media.congestion.estimator import Estimator, EstimatorConfig
from media.congestion.history import MASK, SentPackets
from media.congestion.pacer import Pacer
from media.relay.downlink import Paced

SILENT_S = 3.0
"""A subscriber that never says anything of what it receives for so long does not do congestion control: it gets everything."""
RATE_S = 0.5
UNPACED_SHARE = 0.8
"""Paced until the demand is less than this part of the estimate."""
ASK_FOR = 1.02 * UP_MARGIN
"""Of the demand: what the path must be found to carry while something is left out, for higher layers need a margin."""
RESEND_SHARE = 0.5
RESEND_S = 0.25
LEAST_RESEND_BYTES = 6_000
"""Of the estimate, packets of pictures that are sent again: so much over this time at once, but at least this. A queue that overflows
loses hundreds of packets, and their repetition would keep it full."""
TELL_S = 1.0
TELL_CHANGE = 0.10


class Quality:
    """``urgent``: the estimate fell below what is allocated; allocate at once. ``probe_bytes``: padding sent so far."""

    def __init__(self, now: float, config: EstimatorConfig | None = None, sent: SentPackets | None = None) -> None:
        self.sent = sent if sent is not None else SentPackets()
        self.estimator = Estimator(now, config, self.sent.follower)
        self.allocation = Allocation({}, 0, 0, 0)
        self.urgent = False
        self.probe_bytes = 0
        self.twcc_at: float | None = None
        self._allocator = Allocator()
        self.pacer: Pacer[Paced] = Pacer(self.estimator.estimate_bps, now)
        self.paced = False
        self._resend_bytes = float(LEAST_RESEND_BYTES)
        self._resent_at = now
        self._heard = False
        self._began: float | None = None
        self._total = 0
        self._rate_at = now
        self._rate_total = 0
        self._rate: float | None = None
        self._told: control.Network | None = None
        self._told_at = float("-inf")

    # ---- what the subscriber says

    def on_feedback(self, body: bytes, now: float) -> None:
        """Transport-wide feedback. Raises RtcpError."""
        moved = self.estimator.on_joined(self.sent.take(body, now), now)
        self.twcc_at = now
        self._heard = True
        if moved:
            self._settled()

    def on_remb(self, bps: int, now: float) -> None:
        self.estimator.on_remb(bps, now)
        self._settled()

    def on_report(self, fraction_lost: float, rtt_s: float | None, now: float) -> None:
        """One receiver report about all slots together. ``fraction_lost``: 0 … 1."""
        self.estimator.on_report(fraction_lost, rtt_s, now, self._rate)
        self._settled()

    def _settled(self) -> None:
        self._heard = True
        if self.twcc_at is not None and self.estimator.estimate_bps < self.allocation.total_bps:
            self.urgent = True

    # ---- time

    @property
    def busy(self) -> bool:
        """A probe is under way, or packets wait: time matters although nothing is shown."""
        return self.paced or self.estimator.prober.busy

    def tick(self, total_bytes: int, now: float) -> int:
        """Bytes of padding to send now. Call each 20 ms. ``total_bytes``: of media sent so far."""
        new = max(0, total_bytes - self._total)
        self._total = total_bytes
        if new and self._began is None:
            self._began = now
        if now - self._rate_at >= RATE_S:
            self._rate = 8 * (total_bytes - self._rate_total) / (now - self._rate_at)
            self._rate_at, self._rate_total = now, total_bytes
        padding = self.estimator.tick(self.sent.at[self.sent.number[0] & MASK], new, now)
        self.probe_bytes += padding
        return padding

    def may_resend(self, size: int, now: float) -> bool:
        """Whether ``size`` bytes of a picture may be sent again now. Tell ``note_resent`` when they are."""
        rate = RESEND_SHARE * self.estimator.estimate_bps / 8
        most = max(rate * RESEND_S, LEAST_RESEND_BYTES)
        self._resend_bytes = min(most, self._resend_bytes + rate * max(0.0, now - self._resent_at))
        self._resent_at = now
        return size <= self._resend_bytes

    def note_resent(self, size: int) -> None:
        self._resend_bytes -= size

    def pace(self, now: float) -> bool:
        """Whether pictures are to leave through ``pacer`` from now on: while the path is what limits them. Call each 20 ms."""
        estimate = self.estimator.estimate_bps
        if not self.paced and (self.twcc_at is None or self.allocation.demand_bps <= estimate):
            return False
        self.pacer.set_estimate(estimate, now)
        share = UNPACED_SHARE if self.paced else 1.0
        wanted = self.twcc_at is not None and self.pacer.active and self.allocation.demand_bps > share * estimate
        self.paced = wanted or (self.paced and len(self.pacer) > 0)
        return self.paced

    # ---- what it gets

    def allocate(self, wants: Sequence[Want], now: float) -> Allocation:
        """Who gets which layer. Call each 200 ms, when ``urgent``, and when the wants changed."""
        self.urgent = False
        self.allocation = self._allocator.allocate(wants, self._budget(wants, now), now)
        demand = self.allocation.demand_bps
        self.estimator.floor_bps = sum(_least(w) for w in wants)
        self.estimator.demand_bps = demand if self.allocation.total_bps >= demand else ASK_FOR * demand
        return self.allocation

    def _budget(self, wants: Sequence[Want], now: float) -> float:
        """The estimate. Without transport-wide feedback nothing is held: nothing could be probed for, and who is sent nothing has
        nothing to say.
        """
        estimate = self.estimator.estimate_bps
        if self.twcc_at is not None:
            return estimate
        if not self._heard and self._began is not None and now - self._began > SILENT_S:
            return float("inf")
        return max(estimate, 1.01 * sum(min((layer.bitrate_bps for layer in w.layers), default=0) for w in wants))

    def stats(self) -> dict[str, object]:
        estimator = self.estimator
        return {
            "estimate_bps": estimator.estimate_bps,
            "sent_bps": round(self._rate or 0),
            "demand_bps": self.allocation.demand_bps,
            "allocated_bps": self.allocation.total_bps,
            "limit": estimator.limited_by,
            "rtt_s": estimator.rtt_s,
            "loss": estimator.loss,
            "probe_bytes": self.probe_bytes,
            "paced": self.paced,
            "pacer_dropped": self.pacer.dropped,
            "held": self.allocation.held,
        }

    # ---- what the page is told

    def news(self, room: str, participant: str, now: float) -> control.Network | None:
        """When it changed by enough, and at most once a second."""
        if now - self._told_at < TELL_S or not self._heard:
            return None
        estimator = self.estimator
        rtt = estimator.rtt_s
        state = control.Network(
            room,
            participant,
            estimator.estimate_bps,
            None if rtt is None else round(rtt * 1000),
            round(estimator.loss * 1000),
            estimator.limited_by if self.allocation.total_bps < self.allocation.demand_bps else "none",
            self.allocation.held,
        )
        if self._told is not None and not _differs(self._told, state):
            return None
        self._told, self._told_at = state, now
        return state


def _least(want: Want) -> int:
    """The whole of its lowest encoding: what it needs to move."""
    lines = min((layer.height for layer in want.layers), default=0)
    return max((layer.bitrate_bps for layer in want.layers if layer.height == lines), default=0)


def _differs(old: control.Network, new: control.Network) -> bool:
    if (old.limit, old.held, old.rtt_ms is None) != (new.limit, new.held, new.rtt_ms is None):
        return True
    if abs(new.down_bps - old.down_bps) > TELL_CHANGE * old.down_bps:
        return True
    if abs((new.rtt_ms or 0) - (old.rtt_ms or 0)) > max(20, (old.rtt_ms or 0) // 4):
        return True
    return abs(new.loss_permille - old.loss_permille) > 10
