"""Is the queue on the way growing, and how long is it? S.

draft-ietf-rmcat-gcc-02 section 5.1; the trend of its delay is ``trend``'s.
"""

import math
from collections.abc import Callable

from media.congestion.trend import MAX_THRESHOLD_MS as MAX_THRESHOLD_MS
from media.congestion.trend import MIN_THRESHOLD_MS as MIN_THRESHOLD_MS
from media.congestion.trend import Follower, Results, Trend
from media.congestion.trend import Signal as Signal

THRESHOLD_MS = 12.5
PATIENT_THRESHOLD_MS = 25.0
"""What the trend's threshold begins with, and what it is at least raised to beside a flow that fills the queue whatever we do."""
BASE_S = 60.0
"""The shortest delay of the last one to two such periods is taken for the path's own."""
STANDING_S = 0.3


class DelayDetector:
    """Takes what became of packets, says how the queue does.

    ``signal``, ``trend``, ``threshold``: see ``trend.Follower``. ``queue_s``: the queue that does not go away, the shortest delay of
    the last moments over the path's own; ``latest_s``: the same of the last groups alone.
    """

    __slots__ = (
        "_follower", "_lows", "_lows_until", "_make", "_recent", "_recent_until", "latest_s", "patient", "queue_s", "signal", "threshold",
        "trend",
    )  # fmt: skip

    def __init__(self, make: Callable[[], Follower] = Trend) -> None:
        """``make``: who follows the trend of what ``update`` is given."""
        self._make = make
        self.threshold = THRESHOLD_MS
        self.patient = False
        self.reset()

    def reset(self) -> None:
        """Forget all but the threshold: the receiver's clock jumped, or nothing came for long."""
        self.signal = Signal.NORMAL
        self.trend = 0.0
        self._follower = self._make()
        self.queue_s = self.latest_s = 0.0
        self._lows = self._recent = (math.inf, math.inf)
        self._lows_until = self._recent_until = -1.0

    def queue_of(self, results: Results) -> float:
        """The shortest queue, in s, that any of these packets waited in; 0 while the path's own delay is unknown."""
        base = min(self._lows)
        waits = [arrival - sent - base for sent, arrival, _ in results if arrival >= 0]
        return max(0.0, min(waits)) if waits and base < math.inf else 0.0

    def rebase(self) -> None:
        """What looks like a queue is the path, which has become longer: its delay now is its own."""
        delay = self.latest_s + min(self._lows)
        self._lows = delay, delay
        self._recent = delay, delay
        self.queue_s = self.latest_s = 0.0

    def be_patient(self) -> None:
        """Another flow fills the queue: what it does to the delay is no reason to go below our share."""
        self.patient = True
        self.threshold = max(self.threshold, PATIENT_THRESHOLD_MS)

    def update(self, results: Results) -> Signal:
        """``results``: as in ``history.Joined``, in order of sending. Returns the worst signal of the groups completed by them.

        With none completed it is the signal of before, but an ``OVERUSE`` is not told twice: it is ``NORMAL`` then.
        """
        follower = self._follower
        worst = follower.follow(results, self.threshold, self.patient)
        if worst is not None:
            self.signal = follower.signal
            self.trend = follower.trend
            self.threshold = follower.threshold
        shortest = follower.shortest
        if shortest < math.inf:
            self._measure(shortest, follower.arrival)
        if worst is None:
            return Signal.NORMAL if self.signal is Signal.OVERUSE else self.signal
        return worst

    def _measure(self, delay: float, arrival: float) -> None:
        """``delay``: the shortest of the last groups, in s, the difference of the two clocks included."""
        low = min(self._lows[0], delay)
        recent = min(self._recent[0], delay)
        if arrival >= self._lows_until:
            self._lows = delay, low
            self._lows_until = arrival + BASE_S
        else:
            self._lows = low, self._lows[1]
        if arrival >= self._recent_until:
            self._recent = delay, recent
            self._recent_until = arrival + STANDING_S
        else:
            self._recent = recent, self._recent[1]
        base = min(self._lows)
        self.latest_s = delay - base
        self.queue_s = min(self._recent) - base
