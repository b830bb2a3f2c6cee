"""Is the queue on the way growing? Inter-group delay variation, its trend, an adaptive threshold, a detector. S.

draft-ietf-rmcat-gcc-02 sections 5.1, 5.2 and 5.4; the trend line instead of the Kalman filter, and the threshold's gains, as
in Carlucci et al., "Analysis and Design of the Google Congestion Control for WebRTC" (MMSys 2016) and what WebRTC ships.
"""

import math
from collections import deque
from collections.abc import Iterable
from enum import IntEnum

from media.congestion.groups import ARRIVAL, SHORTEST, Delta, Result, Results, group, no_group

BURST_S = 0.005
"""Packets sent within this time are one group (section 5.2); so are those that arrive in one lump after waiting for a link."""
MAX_BURST_S = 0.1
WINDOW = 20
SMOOTHING = 0.9
GAIN = 4.0
MAX_DELTAS = 60
THRESHOLD_MS = 12.5
MIN_THRESHOLD_MS = 6.0
MAX_THRESHOLD_MS = 600.0
GAIN_UP = 0.0087
GAIN_DOWN = 0.039
PATIENT_GAIN_DOWN = 0.00018
PATIENT_THRESHOLD_MS = 25.0
"""The threshold follows the trend up and down (section 5.4: K_u, K_d). Down fast as WebRTC does it, which keeps queues short, but
as slowly as the draft does it beside a flow that fills the queue whatever we do (``patient``): else that flow gets it all."""
MAX_ADAPT_MS = 15.0
"""A trend further than this above the threshold is a sudden loss of capacity: the threshold does not follow it."""
OVERUSE_TIME_MS = 10.0
RESUM = 256
BASE_S = 60.0
"""The shortest delay of the last one to two such periods is taken for the path's own."""
STANDING_S = 0.3


class Signal(IntEnum):
    """In the order of how bad they are."""

    UNDERUSE = 0
    NORMAL = 1
    OVERUSE = 2


class DelayDetector:
    """Takes what became of packets, says how the queue does. Costs well under a microsecond a packet, about two a group.

    ``signal``: as of the last group. ``trend``: the slope (s of delay per s) times the number of groups and ``GAIN``, to be
    compared with ``threshold``, both in ms. ``queue_s``: the queue that does not go away, the shortest delay of the last moments
    over the path's own; ``latest_s``: the same of the last groups alone.
    """

    __slots__ = (
        "_accumulated", "_adapted_at", "_deltas", "_groups", "_in_window", "_lows", "_lows_until", "_origin",
        "_over_count", "_over_ms", "_previous_trend", "_recent", "_recent_until", "_smoothed", "_steps", "_sums", "latest_s", "patient", "queue_s", "signal", "threshold", "trend",
    )  # fmt: skip

    def __init__(self) -> None:
        self.threshold = THRESHOLD_MS
        self.patient = False
        self.reset()

    def reset(self) -> None:
        """Forget all but the threshold: the receiver's clock jumped, or nothing came for long."""
        self.signal = Signal.NORMAL
        self.trend = 0.0
        self._groups = no_group()
        self._deltas = 0
        self._accumulated = self._smoothed = 0.0
        self._in_window: deque[tuple[float, float]] = deque(maxlen=WINDOW)
        self._sums = (0.0, 0.0, 0.0, 0.0)
        self._origin = 0.0
        self._steps = 0
        self._adapted_at = -1.0
        self._over_ms = -1.0
        self._over_count = 0
        self._previous_trend = 0.0
        self.queue_s = self.latest_s = 0.0
        self._lows = self._recent = (math.inf, math.inf)
        self._lows_until = self._recent_until = -1.0

    def queue_of(self, results: list[Result] | Results) -> float:
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

    def update(self, results: list[Result] | Results) -> Signal:
        """``results``: as in ``history.Joined``, in order of sending. Returns the worst signal of the groups completed by them.

        With none completed it is the signal of before, but an ``OVERUSE`` is not told twice: it is ``NORMAL`` then.
        """
        state = self._groups
        if isinstance(results, list):
            deltas: Iterable[Delta] = group(results, state, BURST_S, MAX_BURST_S)
        else:
            deltas = results.group(state, BURST_S, MAX_BURST_S)
        worst: Signal | None = None
        for sent_delta, arrival_delta, arrival in deltas:
            signal = self._group(sent_delta, arrival_delta, arrival)
            if worst is None or signal > worst:
                worst = signal
        shortest = state[SHORTEST]
        if shortest < math.inf:
            self._measure(shortest, state[ARRIVAL])
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

    def _group(self, sent_delta: float, arrival_delta: float, arrival: float) -> Signal:
        """One inter-group delay variation (section 5.2) into the least squares line over the last ``WINDOW`` groups."""
        self._deltas += 1
        self._accumulated += (arrival_delta - sent_delta) * 1e3
        y = self._smoothed = SMOOTHING * self._smoothed + (1 - SMOOTHING) * self._accumulated
        if self._steps % RESUM == 0:
            self._resum(arrival)
        self._steps += 1
        window = self._in_window
        x = (arrival - self._origin) * 1e3
        sx, sy, sxx, sxy = self._sums
        if len(window) == WINDOW:
            old_x, old_y = window[0]
            sx -= old_x
            sy -= old_y
            sxx -= old_x * old_x
            sxy -= old_x * old_y
        window.append((x, y))
        self._sums = sx, sy, sxx, sxy = sx + x, sy + y, sxx + x * x, sxy + x * y
        if len(window) == WINDOW:
            spread = WINDOW * sxx - sx * sx
            slope = (WINDOW * sxy - sx * sy) / spread if spread > 1e-3 else 0.0
            self._detect(slope, sent_delta * 1e3, arrival * 1e3)
        return self.signal

    def _resum(self, origin: float) -> None:
        """Move the origin of the times to now and add up anew, so that differences of large sums lose no digits."""
        shift = (origin - self._origin) * 1e3
        self._origin = origin
        moved = [(x - shift, y) for x, y in self._in_window]
        self._in_window = deque(moved, maxlen=WINDOW)
        self._sums = (
            sum(x for x, _ in moved),
            sum(y for _, y in moved),
            sum(x * x for x, _ in moved),
            sum(x * y for x, y in moved),
        )

    def _detect(self, slope: float, sent_delta_ms: float, now_ms: float) -> None:
        """Over-use is a trend above the threshold for more than 10 ms that does not fall (section 5.4)."""
        trend = self.trend = min(self._deltas, MAX_DELTAS) * slope * GAIN
        threshold = self.threshold
        if trend > threshold:
            self._over_ms = sent_delta_ms / 2 if self._over_ms < 0 else self._over_ms + sent_delta_ms
            self._over_count += 1
            if self._over_ms > OVERUSE_TIME_MS and self._over_count > 1 and slope >= self._previous_trend:
                self._over_ms = 0.0
                self._over_count = 0
                self.signal = Signal.OVERUSE
        else:
            self._over_ms = -1.0
            self._over_count = 0
            self.signal = Signal.UNDERUSE if trend < -threshold else Signal.NORMAL
        self._previous_trend = slope
        size = abs(trend)
        if size <= threshold + MAX_ADAPT_MS:
            elapsed = min(now_ms - self._adapted_at, 100.0) if self._adapted_at >= 0 else 0.0
            gain = GAIN_UP if size >= threshold else PATIENT_GAIN_DOWN if self.patient else GAIN_DOWN
            self.threshold = min(max(threshold + gain * (size - threshold) * elapsed, MIN_THRESHOLD_MS), MAX_THRESHOLD_MS)
        self._adapted_at = now_ms
