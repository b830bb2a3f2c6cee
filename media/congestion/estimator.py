"""How much one subscriber's path carries. S.

Delay-based AIMD after draft-ietf-rmcat-gcc-02 section 5.5 (far from the last congested rate multiplicative, near it additive,
back-off to 0.85 of what arrives), the loss bound of ``loss``, probes of ``probe``; REMB (draft-alvestrand-rmcat-remb-03) and
receiver reports (RFC 3550 section 6.4) for those without transport-wide feedback.
"""

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

from media.congestion.delay import DelayDetector, Signal
from media.congestion.history import Joined, SentPackets, WindowRate
from media.congestion.loss import ASK_MORE, LossBound, Phase
from media.congestion.probe import Prober
from media.congestion.trend import Follower, Results, Trend
from media.wire.twcc import Feedback

Limit = Literal["none", "bandwidth", "loss"]

BACK_OFF = 0.85
"""Of what arrives, on over-use (section 5.5: beta)."""
UP_PER_S = 1.08
"""Far from the last congested rate (eta)."""
OVER_ACKED = 1.25
OVER_ACKED_BPS = 50_000
"""Without a probe the estimate does not pass this multiple of what arrives (plus this): nothing else was shown to fit."""
APP_LIMITED = 0.65
"""Less than this part of the estimate is sent: over-use then says little about the estimate."""
RATE_WINDOW_S = 0.5
LATELY_S = 0.2
"""On over-use the lower of what arrives over both windows counts: a lost half of the capacity shows within ``LATELY_S``."""
MIN_ADDITIVE_BPS = 4_000.0
PACKET_BITS = 8 * 1200
PAUSE_S = 0.3
"""Between two decreases at least this and the round trip time: until then what arrives does not show the last one."""
NEAR_DEVIATIONS = 3.0
LONG_QUEUE_S = 0.12
"""A queue this long that does not shrink is over-use, whatever its trend: a sudden loss of capacity shows here first."""
NO_QUEUE_S = 0.015
"""Below this there is nothing to back off from: a trend is chance."""
DRAIN = 0.65
"""Part of the estimate that may be used after a decrease while a queue longer than ``DRAIN_FROM_S`` stands, until it is shorter than
``DRAIN_TO_S`` or ``DRAIN_MAX_S`` have passed."""
DRAIN_FROM_S = 0.08
DRAIN_TO_S = 0.04
DRAIN_MAX_S = 1.0
STANDING_S = 0.02
OTHERS_AFTER_S = 3.0
OTHERS_DECREASES = 2
"""A queue over ``STANDING_S`` that has stood for ``OTHERS_AFTER_S`` through so many decreases is another flow's, which fills it
whatever we do: see ``delay.PATIENT_GAIN_DOWN``."""
OBEYED = 1.5
"""Of the estimate: where more than this leaves, the queue is our own, whatever we believe."""
FLAT_S = 0.012
FLAT_FOR_S = 1.0
"""What stands still within this through a decrease, without loss, is no queue: the path has become longer."""
ALONE_S = 0.008
"""A shorter queue than this is nobody's."""
CALM_S = 0.14
"""While nothing is lost and no queue stands, feedback is gathered for so long before it moves the estimate: most of what a good path costs."""
FEEDBACK_LATE_S = 1.0
"""No feedback for this long although packets leave: the estimate halves each ``HALVE_S``."""
HALVE_S = 0.5
RETURN = 0.5
"""Of the estimate of before a silence, or before a queue that turned out to be another flow's: where it goes on after it."""
OUTAGE_LOSS = 0.2
OUTAGE_RUN_S = 0.5
"""Everything lost that was sent in so long a time: the path was away. That is not loss by the rate, and does not count as loss."""
ASK = 2.0
"""Of what is sent: the train that tells loss by the rate from other loss."""
FLOOR_LOSS = 0.35
MAX_FLOOR_BPS = 500_000
"""With less than this lost and no queue, loss never bounds the estimate below ``floor_bps``, nor that above this."""
REMB_STALE_S = 5.0
TWCC_PREFERRED_S = 3.0
"""REMB and reports do not move the estimate while transport-wide feedback is not older than this."""
REPORT_STALE_S = 10.0


class EstimatorConfig(NamedTuple):
    """Bits per second. ``start_bps`` is believed until the first feedback or probe says otherwise."""

    min_bps: int = 60_000
    max_bps: int = 40_000_000
    start_bps: int = 800_000


class LinkCapacity:
    """Where the path was last seen congested: mean and deviation of what arrived then (section 5.5: R_hat, var_max)."""

    __slots__ = ("_variance", "mean")

    def __init__(self) -> None:
        self.mean: float | None = None
        self._variance = 0.4

    def add(self, bps: float) -> None:
        sample = bps / 1000
        if self.mean is None:
            self.mean = sample
            return
        self.mean += 0.05 * (sample - self.mean)
        error = self.mean - sample
        self._variance = min(max(0.95 * self._variance + 0.05 * error * error / max(self.mean, 1.0), 0.4), 2.5)

    def compare(self, bps: float) -> int:
        """-1, 0, 1: below, near, above. 1 while unknown."""
        if self.mean is None:
            return 1
        reach = NEAR_DEVIATIONS * math.sqrt(self._variance * self.mean)
        return (bps / 1000 > self.mean + reach) - (bps / 1000 < self.mean - reach)


class Estimator:
    """One per subscriber. Drive it with feedback as it comes and ``tick`` each 5 … 25 ms; read ``estimate_bps``.

    ``demand_bps`` is to be set by whoever allocates: what would be sent if the path carried it (nothing is probed beyond it).
    ``floor_bps``: likewise, what the least of everything needs. ``acked_bps``: what arrives. ``sent_bps``: what leaves. ``loss``: fraction, smoothed. ``rtt_s``: None while unknown.
    """

    __slots__ = (
        "_acked", "_acked_lately", "_calm_bytes", "_calm_received", "_calm_since", "_capacity", "_changed_at", "_decreases", "_drain_until", "_feedback_at", "_flat", "_flat_bps", "_grown_at",
        "_halved_at", "_hold", "_newest_sent", "_outage_bps", "_rate", "_remb_at", "_remb_bps", "_report_at", "_run",
        "_run_from", "_run_to", "_sent",
        "_standing_bps", "_standing_since", "_unheard_since", "acked_bps", "config", "delay", "demand_bps", "floor_bps", "loss_bound", "prober",
        "rtt_s", "sent_bps",
    )  # fmt: skip

    def __init__(self, now: float, config: EstimatorConfig | None = None, follower: Callable[[], Follower] = Trend) -> None:
        """``follower``: makes who follows the trend of the delay, ``SentPackets.follower`` of what will be joined."""
        self.config = config or EstimatorConfig()
        self.delay = DelayDetector(follower)
        self.loss_bound = LossBound(now)
        self.prober = Prober(now, self.config.max_bps)
        self._capacity = LinkCapacity()
        self._acked = WindowRate(RATE_WINDOW_S)
        self._acked_lately = WindowRate(LATELY_S)
        self._sent = WindowRate(RATE_WINDOW_S)
        self._calm_bytes = self._calm_received = 0
        self._calm_since = now
        self._rate = float(self.config.start_bps)
        self.acked_bps: float | None = None
        self.sent_bps: float | None = None
        self.demand_bps = 0.0
        self.floor_bps = 0.0
        self._run = 0
        self._run_from = self._run_to = 0.0
        self.rtt_s: float | None = None
        self._hold = False
        self._changed_at = self._grown_at = now
        self._drain_until = now
        self._standing_since = now
        self._standing_bps = self._rate
        self._decreases = 0
        self._flat = now, 0.0, 0.0
        self._flat_bps = self._rate
        self._feedback_at: float | None = None
        self._halved_at = now
        self._unheard_since = -1.0
        self._newest_sent = -1.0
        self._outage_bps: float | None = None
        self._remb_at = self._report_at = -1e9
        self._remb_bps = math.inf

    # ---- what is known

    @property
    def estimate_bps(self) -> int:
        rate = DRAIN * self._rate if self._drain_until > self._grown_at else self._rate
        return int(self._clamp(min(rate, self._bound())))

    def _bound(self) -> float:
        """From loss. Where no queue shows and not most is lost, it leaves the least of everything."""
        bound = self.loss_bound.bound_bps
        if bound < self.floor_bps and self.delay.queue_s < STANDING_S and self.loss < FLOOR_LOSS:
            return min(self.floor_bps, max(bound, MAX_FLOOR_BPS))
        return bound

    @property
    def loss(self) -> float:
        return self.loss_bound.fraction

    @property
    def limited_by(self) -> Limit:
        """Why less than ``demand_bps`` may be sent."""
        if self.demand_bps <= self.estimate_bps:
            return "none"
        return "loss" if self._bound() < self._rate else "bandwidth"

    def _clamp(self, bps: float) -> float:
        return min(max(bps, self.config.min_bps), self.config.max_bps)

    # ---- transport-wide feedback

    def on_feedback(self, feedback: Feedback, sent: SentPackets, newest: int, now: float) -> None:
        """``newest``: the transport-wide number given last. Feedback that says nothing new changes nothing."""
        self.on_joined(sent.join(feedback, newest, now), now)

    def on_joined(self, joined: Joined, now: float) -> bool:
        """The same, joined already. False where the estimate is what it was: nothing new, or calm and only noted."""
        results = joined.results
        if not results:
            return False
        silence = now - self._feedback_at if self._feedback_at is not None else 0.0
        self._feedback_at = now
        if joined.restarted or silence > 2 * FEEDBACK_LATE_S:
            self.delay.reset()
            self._acked.clear()
            self._acked_lately.clear()
            self._sent.clear()
            self._calm_bytes = self._calm_received = 0
        last_sent = joined.last_sent
        self._newest_sent = max(self._newest_sent, last_sent)
        total = joined.received_bytes + joined.unreported_bytes + self._calm_bytes
        received = joined.received + self._calm_received
        heard = self.delay.update(results)
        if now - self._calm_since < CALM_S and self._calm(joined, heard):
            self._calm_bytes, self._calm_received = total, received
            return False
        self._calm_since = now
        self._calm_bytes = self._calm_received = 0
        if joined.received:
            self._acked.add(joined.latest, total)
            self._acked_lately.add(joined.latest, total)
            self.acked_bps = self._acked.bps()
        self._sent.add(last_sent, total + joined.lost_bytes)
        self.sent_bps = self._sent.bps()
        if joined.rtt_s is not None:
            self._note_rtt(joined.rtt_s, weight=0.1)
        signal = self._judge(heard, last_sent)
        counted = self._count(results) if joined.lost or self._run else 0
        if self._outage_bps is not None and joined.received:
            self._return(counted, joined.received, self.delay.queue_of(results), now)
        self.loss_bound.clear = self.delay.queue_s < STANDING_S
        asked = self.loss_bound.phase is Phase.ASK
        self.loss_bound.update(received, counted, joined.recovered, self.acked_bps or self._rate, now)
        if self.loss_bound.phase is Phase.ASK and not asked:
            self.prober.ask(ASK * max(self.sent_bps or 0.0, self.acked_bps or 0.0, float(self.config.min_bps)))
        if self.prober.busy:
            self.prober.on_results(results, now)
        self._longer(counted, now)
        self._drained(now)
        self._steer(signal, now)
        self._read_probe(signal, now)
        if self.loss_bound.bound_bps > self._rate:
            self.loss_bound.free()
        return True

    def _calm(self, joined: Joined, heard: Signal) -> bool:
        """Nothing in it that would do more than raise the estimate a little."""
        return (
            heard is Signal.NORMAL
            and not joined.lost
            and not joined.recovered
            and not self._run
            and not self._hold
            and self._outage_bps is None
            and self.acked_bps is not None
            and not self.prober.busy
            and self.loss_bound.phase is Phase.FREE
            and self.delay.queue_s < NO_QUEUE_S
            and self.delay.latest_s < NO_QUEUE_S
        )

    def _count(self, results: Results) -> int:
        """How many were lost, those left out that were lost because the path was away. What is lost at the end is counted later."""
        counted = 0
        for sent, arrival, _ in results:
            if arrival < 0:
                if not self._run:
                    self._run_from = sent
                self._run += 1
                self._run_to = sent
            elif self._run:
                if self._run_to - self._run_from < OUTAGE_RUN_S:
                    counted += self._run
                self._run = 0
        return counted

    def _judge(self, signal: Signal, last_sent: float) -> Signal:
        """What the detector says, seen together with the length of the queue and our own probes."""
        queue = self.delay.latest_s
        if queue > LONG_QUEUE_S and not self.delay.patient and signal is not Signal.UNDERUSE:
            signal = Signal.OVERUSE
        if signal is Signal.OVERUSE and (queue < NO_QUEUE_S or last_sent < self.prober.masked_until):
            return Signal.UNDERUSE
        return signal

    def _note_rtt(self, rtt_s: float, *, weight: float) -> None:
        self.rtt_s = rtt_s if self.rtt_s is None else self.rtt_s + weight * (rtt_s - self.rtt_s)

    def _steer(self, signal: Signal, now: float) -> None:
        """Section 5.5: over-use decreases, under-use holds while queues drain, normal increases."""
        elapsed = min(max(now - self._grown_at, 0.0), 1.0)
        self._grown_at = now
        if signal is Signal.OVERUSE:
            pause = PAUSE_S + min(self.rtt_s or 0.2, PAUSE_S)
            if now - self._changed_at >= pause or (self.acked_bps is not None and self.acked_bps < self._rate / 2):
                self._decrease(now)
            self._hold = True
        elif signal is Signal.UNDERUSE:
            self._hold = True
        elif self._hold:
            self._hold = False
        else:
            self._increase(elapsed)

    def _decrease(self, now: float) -> None:
        acked = self.acked_bps
        lately = self._acked_lately.bps()
        if acked is not None and lately is not None and not self.delay.patient:
            acked = min(acked, lately)
        target = BACK_OFF * (self._rate if acked is None else acked)
        if self.sent_bps is not None and self.sent_bps < APP_LIMITED * self._rate:
            target = max(target, BACK_OFF * self._rate)
        elif acked is not None:
            if self._capacity.compare(acked) < 0:
                self._capacity = LinkCapacity()
            self._capacity.add(acked)
        if target < self._rate:
            self._rate = self._clamp(target)
        self._changed_at = now
        self.prober.backed_off(now)
        self._decreases += 1
        if self.delay.queue_s > DRAIN_FROM_S and not self.delay.patient:
            self._drain_until = now + DRAIN_MAX_S

    def _drained(self, now: float) -> None:
        """Is the queue gone? One that stays although much less is sent is somebody else's."""
        queue = self.delay.queue_s
        if queue < STANDING_S:
            self._standing_since = now
            self._standing_bps = self._rate
            self._decreases = 0
            if queue < ALONE_S:
                self.delay.patient = False
        elif (self.sent_bps or 0.0) > OBEYED * self._rate:
            self._standing_since = now
        elif now - self._standing_since > OTHERS_AFTER_S and self._decreases >= OTHERS_DECREASES and not self.delay.patient:
            self.delay.be_patient()
            self._drain_until = now
            self._rate = self._clamp(max(self._rate, RETURN * self._standing_bps))
        if queue < DRAIN_TO_S:
            self._drain_until = now

    def _longer(self, lost: int, now: float) -> None:
        """Was that a queue, or has the path become longer? A queue shrinks after a decrease, or loses."""
        since, low, high = self._flat
        queue = self.delay.latest_s
        low, high = min(low, queue), max(high, queue)
        if queue < STANDING_S:
            self._flat_bps = self._rate
        if lost or queue < STANDING_S or high - low > FLAT_S:
            self._flat = now, queue, queue
            return
        self._flat = since, low, high
        if self._decreases and now - since > FLAT_FOR_S + (self.rtt_s or 0.0):
            self.delay.rebase()
            self._flat = now, 0.0, 0.0
            self._drain_until = now
            self._rate = self._clamp(max(self._rate, BACK_OFF * self._flat_bps))
            self._capacity = LinkCapacity()
            self.prober.recovered(now)

    def _increase(self, elapsed: float) -> None:
        acked = self.acked_bps
        if acked is None:
            return
        if self._capacity.compare(acked) > 0:
            self._capacity = LinkCapacity()
        if self._capacity.mean is not None and self._capacity.compare(self._rate) >= 0:
            response = (self.rtt_s or 0.1) + 0.1
            grown = self._rate + max(MIN_ADDITIVE_BPS, PACKET_BITS / response) * elapsed
        else:
            grown = self._rate * UP_PER_S**elapsed + 1000 * elapsed
        ceiling = OVER_ACKED * acked + OVER_ACKED_BPS
        if grown > ceiling:
            grown = max(self._rate, ceiling) if self._rate < ceiling else self._rate
        self._rate = self._clamp(grown)

    def _read_probe(self, signal: Signal, now: float) -> None:
        asking = self.loss_bound.phase is Phase.ASK
        usual = self.loss_bound.before + ASK_MORE if asking else self.loss
        found = self.prober.outcome(self._newest_sent, self.rtt_s or 0.2, usual, now)
        if found is None:
            return
        if asking:
            self.loss_bound.answer(found.limited, self.acked_bps or self._rate, now)
        if found.bps > self.estimate_bps and signal is not Signal.OVERUSE:
            self.loss_bound.lift(found.bps, found.loss)
            if found.bps > self._rate:
                self._rate = self._clamp(found.bps)
                self._capacity = LinkCapacity()

    # ---- time and silence

    def tick(self, last_sent_at: float, media_bytes: int, now: float) -> int:
        """Bytes of padding to send now. ``last_sent_at``: when the last packet left; ``media_bytes``: since the last call."""
        late = self._late(last_sent_at, now)
        if late and now - self._halved_at >= HALVE_S:
            if self._outage_bps is None:
                self._outage_bps = self._rate
            self._rate = self._clamp(self._rate / 2)
            self._halved_at = now
            self.prober.backed_off(now)
        if self._feedback_at is None:
            return 0
        if self.prober.busy:
            self._read_probe(Signal.NORMAL, now)
        allowed = not late and self.delay.signal is Signal.NORMAL and not self._hold
        return self.prober.due(self.estimate_bps, self.demand_bps, allowed, media_bytes, now)

    def _late(self, last_sent_at: float, now: float) -> bool:
        """Something left after the last word of the receiver, and no word has come for too long since it left."""
        heard = self._feedback_at
        limit = FEEDBACK_LATE_S + (self.rtt_s or 0.0)
        if heard is None or now - heard > TWCC_PREFERRED_S:
            if self._remb_at > -1e9 and self._remb_at > (heard or -1e9):
                heard, limit = self._remb_at, REMB_STALE_S
            if self._report_at > -1e9 and self._report_at > (heard or -1e9):
                heard, limit = self._report_at, REPORT_STALE_S
        if heard is None or last_sent_at <= heard:
            return False
        if self._unheard_since <= heard:
            self._unheard_since = last_sent_at
        return now - self._unheard_since > limit

    def _return(self, lost: int, received: int, queue_s: float, now: float) -> None:
        before = self._outage_bps or 0.0
        if queue_s > LONG_QUEUE_S:
            self._outage_bps = None  # its own queue kept the feedback away
        elif lost <= OUTAGE_LOSS * (lost + received):
            self._rate = self._clamp(max(self._rate, RETURN * before))
            self._outage_bps = None
            self._capacity = LinkCapacity()
            self.prober.recovered(now)

    # ---- without transport-wide feedback

    def _without_feedback(self, now: float) -> bool:
        return self._feedback_at is None or now - self._feedback_at > TWCC_PREFERRED_S

    def on_remb(self, bps: int, now: float) -> None:
        """The receiver's own estimate: believed within the bounds when there is no transport-wide feedback."""
        self._remb_at = now
        self._remb_bps = bps
        if self._without_feedback(now):
            self._outage_bps = None
            self._rate = self._clamp(bps)

    def on_report(self, fraction_lost: float, rtt_s: float | None, now: float, sent_bps: float | None = None) -> None:
        """A receiver report about all that is sent. ``fraction_lost``: 0 … 1. ``sent_bps``: what leaves, where it is known.

        The round trip time counts always. With neither transport-wide feedback nor REMB the loss ladder alone decides: up by
        8 % a second towards 1.5 times what is sent, down by half the loss over 10 %.
        """
        elapsed = min(max(now - self._report_at, 0.0), 5.0)
        self._report_at = now
        if rtt_s is not None:
            self._note_rtt(rtt_s, weight=0.3)
        if not self._without_feedback(now):
            return
        if sent_bps is not None:
            self.sent_bps = sent_bps
            self.acked_bps = sent_bps * (1 - min(max(fraction_lost, 0.0), 1.0))
        self.loss_bound.note_report(min(max(fraction_lost, 0.0), 1.0), self.acked_bps or self._rate, elapsed, now)
        if now - self._remb_at > REMB_STALE_S:
            if fraction_lost < 0.02 and self.acked_bps is not None:
                self._increase(min(elapsed, 1.0))
            elif fraction_lost > 0.10:
                self._rate = self._clamp(self._rate * (1 - fraction_lost / 2))
        if self.loss_bound.bound_bps > self._rate:
            self.loss_bound.free()
