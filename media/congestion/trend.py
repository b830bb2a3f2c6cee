"""Groups of packets, how their delay changes from one to the next, its trend, and what that says. S.

draft-ietf-rmcat-gcc-02 sections 5.2 (groups) and 5.4 (adaptive threshold, detector); the trend line instead of the Kalman filter, and
the threshold's gains, as in Carlucci et al., "Analysis and Design of the Google Congestion Control for WebRTC" (MMSys 2016) and what
WebRTC ships. ``media/native/feedback.c`` does the same where the core is built and takes the figures from here (``TUNING``): who changes
``Trend`` changes both, and ``tests/unit/media/test_native_feedback.py`` compares them bit by bit.
"""

import math
from array import array
from collections import deque
from collections.abc import Iterator
from enum import IntEnum
from typing import Protocol

BURST_S = 0.005
"""Packets sent within this time are one group (section 5.2); so are those that arrive in one lump after waiting for a link."""
MAX_BURST_S = 0.1
WINDOW = 20
SMOOTHING = 0.9
GAIN = 4.0
MAX_DELTAS = 60
MIN_THRESHOLD_MS = 6.0
MAX_THRESHOLD_MS = 600.0
GAIN_UP = 0.0087
GAIN_DOWN = 0.039
PATIENT_GAIN_DOWN = 0.00018
"""The threshold follows the trend up and down (section 5.4: K_u, K_d). Down fast as WebRTC does it, which keeps queues short, but
as slowly as the draft does it beside a flow that fills the queue whatever we do (``patient``): else that flow gets it all."""
MAX_ADAPT_MS = 15.0
"""A trend further than this above the threshold is a sudden loss of capacity: the threshold does not follow it."""
OVERUSE_TIME_MS = 10.0
RESUM = 256
TUNING = array("d", (BURST_S, MAX_BURST_S, WINDOW, SMOOTHING, GAIN, MAX_DELTAS, MIN_THRESHOLD_MS, MAX_THRESHOLD_MS, GAIN_UP,
                     GAIN_DOWN, PATIENT_GAIN_DOWN, MAX_ADAPT_MS, OVERUSE_TIME_MS, RESUM))  # fmt: skip
"""``struct tp_tuning`` of feedback.h."""

Result = tuple[float, float, int]
"""``(sent_at, arrival, size)``: our seconds; the receiver's seconds, -1.0 when lost; bytes."""


class Results(Protocol):
    """What became of packets, in order of sending: a list, or kept outside Python."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Result]: ...


class Signal(IntEnum):
    """In the order of how bad they are."""

    UNDERUSE = 0
    NORMAL = 1
    OVERUSE = 2


class Follower(Protocol):
    """``signal``: as of the last group. ``trend``: the slope (s of delay per s) times the number of groups and ``GAIN``, to be compared
    with ``threshold``, both in ms. ``shortest``: the shortest delay, in s, of the groups that the last results completed, infinite where
    there is none. ``arrival``: when the last packet of the open group arrived.
    """

    @property
    def signal(self) -> Signal: ...
    @property
    def trend(self) -> float: ...
    @property
    def threshold(self) -> float: ...
    @property
    def shortest(self) -> float: ...
    @property
    def arrival(self) -> float: ...
    def follow(self, results: Results, threshold: float, patient: bool) -> Signal | None:
        """Take results in order of sending. The worst signal of the groups completed by them; None where there is none."""
        ...


class Trend:
    """The reference. Costs well under a microsecond a packet, about two a group."""

    __slots__ = (
        "_accumulated", "_adapted_at", "_deltas", "_first", "_in_window", "_origin", "_over_count", "_over_ms", "_previous_arrival",
        "_previous_sent", "_previous_slope", "_sent", "_smoothed", "_steps", "_sums", "arrival", "patient", "shortest", "signal",
        "threshold", "trend",
    )  # fmt: skip

    def __init__(self) -> None:
        self.signal = Signal.NORMAL
        self.trend = self.threshold = 0.0
        self.patient = False
        self.shortest = math.inf
        self._first = self._sent = self.arrival = -1.0
        self._previous_sent = self._previous_arrival = -1.0
        self._deltas = 0
        self._accumulated = self._smoothed = 0.0
        self._in_window: deque[tuple[float, float]] = deque(maxlen=WINDOW)
        self._sums = (0.0, 0.0, 0.0, 0.0)
        self._origin = 0.0
        self._steps = 0
        self._adapted_at = -1.0
        self._over_ms = -1.0
        self._over_count = 0
        self._previous_slope = 0.0

    def follow(self, results: Results, threshold: float, patient: bool) -> Signal | None:
        self.threshold = threshold
        self.patient = patient
        first = self._first
        last_sent = self._sent
        last_arrival = self.arrival
        worst: Signal | None = None
        shortest = math.inf
        for sent, arrival, _ in results:
            if arrival < 0 or sent < first:
                continue
            if sent - first <= BURST_S and first >= 0:
                if sent > last_sent:
                    last_sent = sent
                if arrival > last_arrival:
                    last_arrival = arrival
                continue
            if first >= 0:
                gap = arrival - last_arrival
                if gap <= BURST_S and gap < sent - last_sent and sent - first < MAX_BURST_S:
                    last_sent = sent
                    if gap > 0:
                        last_arrival = arrival
                    continue
                shortest = min(shortest, last_arrival - last_sent)
                if self._previous_sent >= 0:
                    signal = self._group(last_sent - self._previous_sent, last_arrival - self._previous_arrival, last_arrival)
                    if worst is None or signal > worst:
                        worst = signal
                self._previous_sent = last_sent
                self._previous_arrival = last_arrival
            first = last_sent = sent
            last_arrival = arrival
        self._first = first
        self._sent = last_sent
        self.arrival = last_arrival
        self.shortest = shortest
        return worst

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
        sx = sy = sxx = sxy = 0.0
        for index, (x, y) in enumerate(self._in_window):
            moved = x - shift
            self._in_window[index] = moved, y
            sx += moved
            sy += y
            sxx += moved * moved
            sxy += moved * y
        self._sums = sx, sy, sxx, sxy

    def _detect(self, slope: float, sent_delta_ms: float, now_ms: float) -> None:
        """Over-use is a trend above the threshold for more than 10 ms that does not fall (section 5.4)."""
        trend = self.trend = min(self._deltas, MAX_DELTAS) * slope * GAIN
        threshold = self.threshold
        if trend > threshold:
            self._over_ms = sent_delta_ms / 2 if self._over_ms < 0 else self._over_ms + sent_delta_ms
            self._over_count += 1
            if self._over_ms > OVERUSE_TIME_MS and self._over_count > 1 and slope >= self._previous_slope:
                self._over_ms = 0.0
                self._over_count = 0
                self.signal = Signal.OVERUSE
        else:
            self._over_ms = -1.0
            self._over_count = 0
            self.signal = Signal.UNDERUSE if trend < -threshold else Signal.NORMAL
        self._previous_slope = slope
        size = abs(trend)
        if size <= threshold + MAX_ADAPT_MS:
            elapsed = min(now_ms - self._adapted_at, 100.0) if self._adapted_at >= 0 else 0.0
            gain = GAIN_UP if size >= threshold else PATIENT_GAIN_DOWN if self.patient else GAIN_DOWN
            self.threshold = min(max(threshold + gain * (size - threshold) * elapsed, MIN_THRESHOLD_MS), MAX_THRESHOLD_MS)
        self._adapted_at = now_ms
