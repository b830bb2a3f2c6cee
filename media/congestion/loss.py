"""A bound on the rate from loss, which tells loss that the rate causes from loss that is simply there. S.

The ladder of draft-ietf-rmcat-gcc-02 section 6 (under 2 %: up, over 10 %: down by half the loss) is blind on radio links: at
10 % random loss it falls to its floor and stays there. So, after the idea of an inherent loss in WebRTC's second loss-based
estimator, persistent loss is answered with an experiment. Where no queue shows, first with a short train of twice what is sent: a
rate that is too high loses far more of it. Else, and where that says so: send less than what arrived; what remains was not ours.
"""

import math
from enum import Enum

INTERVAL_S = 0.5
MIN_PACKETS = 40
MAX_INTERVAL_S = 2.0
"""An observation: at least ``INTERVAL_S`` and ``MIN_PACKETS`` packets, or ``MAX_INTERVAL_S``."""
LOW = 0.02
PERSISTS = 3
"""Observations in a row above ``LOW`` before anything is done; one is enough above ``HIGH``."""
HIGH = 0.10
UP_PER_S = 1.08
TEST_FACTOR = 0.80
"""Of what arrived: what an experiment sends."""
TEST_OBSERVATIONS = 2
MAX_TEST_OBSERVATIONS = 6
TEST_PACKETS = 120
"""An experiment lasts for at least so many observations and packets, the first observation left out."""
REMAINS = 0.5
"""The part of the loss that must remain under an experiment for the rate to be blameless. What remains is inherent either way."""
PROBE_LOSS = 0.05
ASK_S = 1.5
"""The answer of a train is waited for so long; then less is sent."""
ASK_MORE = 0.10
"""The part that a train may lose above what is lost anyway, besides what every probe may: where the rate is to blame a train of twice
the rate loses half of itself."""
ASK_AGAIN_S = 2.0
MAX_INHERENT = 0.35
RETEST_S = 8.0
FORGET = 0.9
"""What is kept, each observation, of the inherent loss above the loss that is seen."""
CHANCE = 2.0
"""Standard deviations by which few packets may differ from the inherent loss by chance."""
NO_BOUND = float("inf")


class Phase(Enum):
    """``FREE``: loss says nothing. ``ASK``: a train is to be sent to see whether more loses more. ``TEST``: sending less to see
    whether it goes away. ``BOUND``: it did, the rate was the cause."""

    FREE = "free"
    ASK = "ask"
    TEST = "test"
    BOUND = "bound"


class LossBound:
    """``bound_bps``: at most this much, infinite while loss says nothing. ``fraction``: smoothed. ``inherent``: not caused by us.
    ``before``: lost when the last experiment began. ``clear``: to be set, whether no queue shows."""

    __slots__ = (
        "_lost", "_packets", "_persisted", "_seen", "_seen_lost", "_seen_packets", "_tested_at", "_updated_at", "before",
        "bound_bps", "clear", "fraction", "inherent", "phase",
    )  # fmt: skip

    def __init__(self, now: float) -> None:
        self.bound_bps = NO_BOUND
        self.fraction = 0.0
        self.inherent = 0.0
        self.phase = Phase.FREE
        self.clear = False
        self._packets = self._lost = 0
        self._updated_at = now
        self._tested_at = now - RETEST_S
        self._persisted = 0
        self.before = 0.0
        self._seen = self._seen_lost = self._seen_packets = 0

    def update(self, received: int, lost: int, recovered: int, acked_bps: float, now: float) -> bool:
        """Counts of one feedback; ``acked_bps``: what arrives. True when an observation was completed by it.

        ``recovered`` packets were counted as lost before and are taken off again.
        """
        self._packets += received - recovered + lost
        self._lost += lost - recovered
        elapsed = now - self._updated_at
        if elapsed < INTERVAL_S or (self._packets < MIN_PACKETS and elapsed < MAX_INTERVAL_S):
            return False
        packets = self._packets
        loss = min(max(self._lost / packets, 0.0), 1.0) if packets > 0 else 0.0
        self._packets = self._lost = 0
        self._updated_at = now
        if packets <= 0:
            return True
        self.fraction += 0.5 * (loss - self.fraction)
        self._observe(loss, packets, acked_bps, min(elapsed, MAX_INTERVAL_S), now)
        return True

    def note_report(self, fraction_lost: float, acked_bps: float, elapsed_s: float, now: float) -> None:
        """The same from a receiver report (RFC 3550 section 6.4.1), for who sends no transport-wide feedback."""
        self.fraction += 0.5 * (fraction_lost - self.fraction)
        self._observe(fraction_lost, MIN_PACKETS, acked_bps, min(elapsed_s, MAX_INTERVAL_S), now)

    def _observe(self, loss: float, packets: int, acked_bps: float, elapsed: float, now: float) -> None:
        chance = CHANCE * math.sqrt(max(self.inherent, 0.005) / packets)
        if loss < self.inherent - chance:
            self.inherent = loss + FORGET * (self.inherent - loss)
        if self.phase is Phase.TEST:
            self._judge(loss, packets, now)
            return
        if self.phase is Phase.ASK:
            if now - self._tested_at >= ASK_S:
                self._start_test(loss, acked_bps, now)
            return
        excess = max(0.0, (loss - self.inherent - chance) / (1 - self.inherent))
        if excess < LOW:
            self._persisted = 0
            if self.phase is Phase.BOUND:
                self.bound_bps *= UP_PER_S**elapsed
            return
        self._persisted += 1
        if self._persisted < (1 if excess >= HIGH else PERSISTS):
            return
        if now - self._tested_at >= RETEST_S:
            if self.clear and self.phase is Phase.FREE and loss <= MAX_INHERENT:
                self.phase = Phase.ASK
                self.before = loss
                self._tested_at = now
            else:
                self._start_test(min(loss, max(self.fraction, self.inherent)), acked_bps, now)
        elif excess >= HIGH:
            self.phase = Phase.BOUND
            sent_bps = acked_bps / max(1 - loss, 0.1)
            self.bound_bps = (self.bound_bps if self.bound_bps < NO_BOUND else sent_bps) * (1 - excess / 2)

    def _start_test(self, loss: float, acked_bps: float, now: float) -> None:
        self.before = loss
        self.phase = Phase.TEST
        self.bound_bps = min(self.bound_bps, acked_bps) * TEST_FACTOR
        self._tested_at = now
        self._seen = self._seen_lost = self._seen_packets = 0
        self._persisted = 0

    def answer(self, limited: bool, acked_bps: float, now: float) -> None:
        """What came of the train that was asked for in ``ASK``: one that met no limit shows that what is lost is not our doing."""
        if limited:
            self._start_test(self.before, acked_bps, now)
            return
        self.inherent = min(max(self.inherent, self.before), MAX_INHERENT)
        self.phase = Phase.FREE
        self._persisted = 0
        self._tested_at = now - RETEST_S + ASK_AGAIN_S

    def _judge(self, loss: float, packets: int, now: float) -> None:
        """The first observation of an experiment is still about what was sent before it."""
        self._seen += 1
        if self._seen == 1:
            return
        self._seen_packets += packets
        self._seen_lost += round(loss * packets)
        if self._seen <= TEST_OBSERVATIONS or (self._seen_packets < TEST_PACKETS and self._seen < MAX_TEST_OBSERVATIONS):
            return
        mean = self._seen_lost / self._seen_packets
        self.inherent = min(max(self.inherent, mean), MAX_INHERENT)
        if mean >= REMAINS * self.before:
            self.phase = Phase.FREE
            self.bound_bps = NO_BOUND
        else:
            self.phase = Phase.BOUND
        self._tested_at = now

    def lift(self, bps: float, loss: float) -> None:
        """A probe at ``bps`` lost no more than ``loss``: where that is next to nothing, the bound was too low."""
        if self.phase is Phase.BOUND and loss <= self.inherent + PROBE_LOSS:
            self.bound_bps = max(self.bound_bps, bps)

    def free(self) -> None:
        """The bound has risen past what delay allows: it says nothing any more."""
        if self.phase is Phase.BOUND:
            self.phase = Phase.FREE
            self.bound_bps = NO_BOUND
