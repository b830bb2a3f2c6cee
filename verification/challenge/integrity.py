"""Whether a stream can be what a camera sends: its times, its rate, its size, whether anything comes again, and whether it is cut. Sans I/O."""

import math
from bisect import bisect_left, bisect_right
from itertools import pairwise
from statistics import median

import numpy as np
from numpy.typing import NDArray

from verification.challenge.observation import Observation
from verification.challenge.policy import Limits
from verification.challenge.verdict import Check, Outcome
from verification.reasons import ReasonCode

REPEATED = 2
"""So many frames that came before, to the last bit, are no accident."""
STILL_S = 3.0
"""Nobody keeps every cell of the thumbnail the same for so long."""
LOOP_S = 1.0
LOOP_FRAMES = 15
LOOP_NEAR = 0.75
"""Mean difference of a cell (of 255) that two thumbnails of the same frame can have after an encoder, brightness and contrast taken out."""
LOOP_MOVES = 3.0
"""What repeats must have moved by so many times that, or it is only somebody who sits still."""


FLAT = 3.0
"""Spread (grey levels) under which a thumbnail shows nothing that could be compared with its mean and spread taken out."""
CUT_S = 1.5
"""Frames further apart may have anything between them; but that is a gap (``Limits.gap_s``), and what has one never passes."""
MADE_UP_S = 3.0
"""So soon, by our clock, a line that has held pictures back has handed them all over, and they come as before."""
STEADY_S = 1.0
EVEN_S = 0.3
"""What came for so long, the one clock no further than that from the other, was not held back and handed over at once."""
NEXT_S = 0.3
"""Frames this near follow one another; between others the head had time, as much as lies between them."""
GROWS = 1.6
"""No face is so many times as large after a pause: who comes closer takes a second for less."""
CUTS = 2
"""One jump may be a detector's; so many are cuts."""

CAME_LATE = "came_late"
"""A figure: 1 where nothing is wrong with the times that pictures which came late would not do."""

Floats = NDArray[np.float64]


def distance(one: bytes, other: bytes) -> float:
    """Mean absolute difference of two thumbnails' cells, 0 to 255."""
    return float(np.abs(np.frombuffer(one, np.uint8).astype(float) - np.frombuffer(other, np.uint8)).mean())


def evened(thumbnail: bytes) -> tuple[Floats, float]:
    """(cells with their mean taken out and their spread as unit, that spread in grey levels, at least ``FLAT``): brighter, darker, paler is the same."""
    cells = np.frombuffer(thumbnail, np.uint8).astype(float)
    cells -= cells.mean()
    spread = max(FLAT, float(cells.std()))
    return cells / spread, spread


class StreamWatch:
    """Fed with every observation of an attempt, in the order they came."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._times: list[tuple[float, float]] = []
        self._sizes: list[tuple[int, int]] = []
        self._seen: dict[bytes, int] = {}
        self._repeated = 0
        self._frozen_since: float | None = None
        self._frozen_s = 0.0
        self._still_since: float | None = None
        self._still_s = 0.0
        self._thumbnails: list[tuple[float, bytes]] = []
        self._evened: Floats = np.empty((0, 64))
        self._before: Observation | None = None
        self._seen_face: Observation | None = None
        self._cuts = 0
        self._last_sha = b""
        self._runs: dict[int, int] = {}
        self._looped_s = 0.0
        self._senders = self._late = False

    def feed(self, one: Observation) -> None:
        self._times.append((one.at_s, one.received_s))
        if (one.width, one.height) not in self._sizes[-1:]:
            self._sizes.append((one.width, one.height))
        self._same_bits(one)
        self._cut(one)
        if one.thumbnail:
            self._same_look(one)

    def _same_bits(self, one: Observation) -> None:
        number = len(self._times)
        if one.sha256 == self._last_sha:
            self._frozen_since = self._times[-2][1] if self._frozen_since is None else self._frozen_since
            self._frozen_s = max(self._frozen_s, one.received_s - self._frozen_since)
        else:
            self._frozen_since = None
            if one.sha256 in self._seen:
                self._repeated += 1
        self._last_sha = one.sha256
        self._seen.setdefault(one.sha256, number)

    def _same_look(self, one: Observation) -> None:
        thumbnails = self._thumbnails
        if thumbnails and thumbnails[-1][1] == one.thumbnail:
            self._still_since = thumbnails[-1][0] if self._still_since is None else self._still_since
            self._still_s = max(self._still_s, one.received_s - self._still_since)
        else:
            self._still_since = None
        now = len(thumbnails)
        cells, spread = evened(one.thumbnail)
        if now == len(self._evened):
            self._evened = np.resize(self._evened, (max(64, 2 * now), cells.size))
        gaps = np.abs(self._evened[:now] - cells).mean(axis=1) * spread
        runs: dict[int, int] = {}
        for place in np.flatnonzero(gaps <= LOOP_NEAR).tolist():
            for lag in (now - place - 1, now - place, now - place + 1):
                if 2 <= lag < now and lag not in runs and one.received_s - thumbnails[now - lag][0] >= LOOP_S:
                    runs[lag] = self._runs.get(lag, 0) + 1
        self._evened[now] = cells
        thumbnails.append((one.received_s, one.thumbnail))
        self._runs = runs
        for run in {length for length in runs.values() if length >= LOOP_FRAMES}:
            part = self._evened[now + 1 - run : now + 1]
            if float(np.abs(part - part[0]).mean(axis=1).max()) * spread >= LOOP_MOVES * LOOP_NEAR:
                self._looped_s = max(self._looped_s, thumbnails[-1][0] - thumbnails[-run][0])

    def _cut(self, one: Observation) -> None:
        """What goes further from one frame to the next than anything before a camera does, also over a pause: whoever stops the camera while they cut has cut."""
        before, self._before = self._before, one
        face = self._seen_face
        if one.face_box is not None:
            self._seen_face = one
        leaps = face is not None and self._near(face, one) and self._leaps(face, one)
        self._cuts += leaps or (before is not None and self._near(before, one) and self._changes(before, one))

    @staticmethod
    def _near(before: Observation, one: Observation) -> bool:
        """Near enough in time, whoever's, and of one size."""
        apart = min(one.at_s - before.at_s, one.received_s - before.received_s)
        return one.at_s > before.at_s and apart < CUT_S and (before.width, before.height) == (one.width, one.height)

    def _leaps(self, before: Observation, one: Observation) -> bool:
        """The face by its own width, its size, or the head's speed. ``before``: the last frame that had a face. The time between is the sender's or ours, whichever
        is less: who writes down more than there was has no more."""
        limits, seconds = self._limits, max(0.0, min(one.at_s - before.at_s, one.received_s - before.received_s))
        for then, now in ((before.yaw, one.yaw), (before.pitch, one.pitch)):
            # each pose is off by some degrees: between frames that are close that alone is no speed
            if then is not None and now is not None and abs(now - then) > max(limits.speed_deg_s * seconds, limits.leap_deg):
                return True
        a, b = before.face_box, one.face_box
        if a is None or b is None or min(a.width, b.width) <= 0:
            return False
        away = math.dist(a.centre, b.centre) / min(a.width, b.width)
        grown = max(a.width, b.width) / min(a.width, b.width)
        return away > max(limits.leap, limits.leap_s * seconds) or grown > (limits.leap_scale if seconds < NEXT_S else GROWS)

    def _changes(self, before: Observation, one: Observation) -> bool:
        """The whole scene, brightness and contrast taken out: colours of the screen are no cut."""
        if not before.thumbnail or not one.thumbnail:
            return False
        (a, wide), (b, wider) = evened(before.thumbnail), evened(one.thumbnail)
        return float(np.abs(a - b).mean()) * math.sqrt(wide * wider) > self._limits.scene

    def _time_reasons(self) -> list[ReasonCode]:
        limits = self._limits
        steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(self._times)]
        reasons = []
        self._senders, self._late = self._of_times(steps)
        if self._senders or self._late:
            reasons.append(ReasonCode.STREAM_TIMES)
        least = min(self._late_s(self._in_time(end)) for end in (0, -1))
        held_back = max(self._late_s(end) for end in (0, -1)) - least > limits.gap_s
        if held_back or any(abs(at - received) > limits.gap_s or received > limits.gap_s for at, received in steps):
            reasons.append(ReasonCode.STREAM_GAP)
        usual = median(at for at, _ in steps)
        if usual <= 0 or not limits.rate[0] <= 1 / usual <= limits.rate[1]:
            reasons.append(ReasonCode.STREAM_RATE)
        return reasons

    def _of_times(self, steps: list[tuple[float, float]]) -> tuple[bool, bool]:
        """Whether the times are wrong by the sender alone (back, or at once ahead of ours for good), and whether they are so that pictures which came late, and
        perhaps were made up for, would do the same. Anything on the way to us makes late, and so does a sender's clock that stands still."""
        if any(at <= 0 or received < 0 for at, received in steps):
            return True, False
        (first_at, first), (last_at, last) = self._times[self._in_time(0)], self._times[self._in_time(-1)]
        if last <= first:
            return True, False
        ahead, behind = self._jumped()
        drift = (last_at - first_at) / (last - first) - 1
        return ahead, behind or abs(drift) > self._limits.drift

    def _late_s(self, place: int) -> float:
        """How late it came, by the two clocks: of one picture alone it says nothing."""
        at, received = self._times[place]
        return received - at

    def _in_time(self, end: int) -> int:
        """The place of that of the first (``end`` 0) or the last (-1) pictures that came least late. The very first is a key frame, which was asked for and
        takes longer than others: what follows waits behind it until the line has made up for it. And an attempt may end while a line holds pictures back."""
        came = [received for _, received in self._times]
        near = min(MADE_UP_S, (came[-1] - came[0]) / 3)
        places = [place for place, received in enumerate(came) if abs(received - came[end]) <= near]
        return min(places, key=self._late_s)

    def _jumped(self) -> tuple[bool, bool]:
        """Whether the sender's time went further than ours and stayed so, and whether it went less far and did. What a line holds back comes late and then all
        at once, so the distance of the two clocks is soon what it was; a camera that stops stops both."""
        most, ahead, behind = self._limits.gap_s, False, False
        came = [received for _, received in self._times]
        apart = [received - at for at, received in self._times]
        for place in range(1, len(came)):
            step, now = apart[place] - apart[place - 1], came[place]
            if step > most:  # it came late: what follows makes up for it, unless that was the end
                until = bisect_right(came, now + MADE_UP_S)
                behind |= until < len(came) and min(apart[place:until]) - apart[place - 1] > most
            elif step < -most:  # made up for: what came before was late, and not for long
                since = bisect_left(came, now - MADE_UP_S) - 1
                before = apart[max(0, since) : place]
                # at the beginning nobody knows what was in time: it was held back, unless it came as steadily as what is in time
                steady = came[place - 1] - came[0] >= STEADY_S and max(before) - min(before) <= EVEN_S
                ahead |= (since >= 0 or steady) and min(before) - apart[place] > most
        return ahead, behind

    def _size_is_wrong(self) -> bool:
        limits = self._limits
        low, high = limits.side
        for width, height in self._sizes:
            if min(width, height) < low or max(width, height) > high:
                return True
            if not limits.aspect[0] <= width / height <= limits.aspect[1]:
                return True
        shapes = [max(size) / min(size) for size in self._sizes]
        return max(shapes) / min(shapes) > 1.03

    def check(self) -> Check:
        """``score``: share of what was looked at that is in order."""
        if len(self._times) < 3:
            return Check("stream", 0.0, Outcome.REFER, (ReasonCode.STREAM_TOO_SHORT,))
        reasons = self._time_reasons()
        if self._size_is_wrong():
            reasons.append(ReasonCode.STREAM_SIZE)
        if self._frozen_s > self._limits.frozen_s or self._still_s > STILL_S:
            reasons.append(ReasonCode.STREAM_FROZEN)
        if self._repeated >= REPEATED:
            reasons.append(ReasonCode.STREAM_REPEATED)
        if self._looped_s > 0:
            reasons.append(ReasonCode.STREAM_LOOPED)
        if self._cuts >= CUTS:
            reasons.append(ReasonCode.STREAM_JUMPED)
        figures = (
            ("frozen_s", round(max(self._frozen_s, self._still_s), 3)),
            ("repeated", float(self._repeated)),
            ("looped_s", round(self._looped_s, 3)),
            ("cuts", float(self._cuts)),
            (CAME_LATE, float(self._late and not self._senders)),
        )
        outcome = Outcome.FAIL if set(reasons) - {ReasonCode.STREAM_GAP} else Outcome.REFER if reasons else Outcome.PASS
        return Check("stream", 1 - len(reasons) / 8, outcome, tuple(reasons), figures)
