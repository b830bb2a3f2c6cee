"""What a person does, seen against their own calm look: turns, nods, blinks, an open mouth, coming closer. Sans I/O.

Every action but the last is an excursion: calm, away far enough, calm again, neither too quickly nor too slowly, and with something in between: two
still pictures shown in turn are no movement. Times for deadlines are the receiver's, how long something lasted is by the frames' own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from verification.challenge.observation import Observation
from verification.challenge.policy import Limits
from verification.challenge.script import Action

GAP_S = 0.6
"""Unseen for longer, an excursion is not known to be one."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """The calm look: medians over the frames of settling. None: not known with this pack."""

    yaw: float
    pitch: float
    scale: float
    eyes: float | None
    mouth: float | None


def baseline(calm: Sequence[Observation]) -> Baseline:
    """Of usable observations, at least one (ValueError)."""
    if not calm or not all(one.usable for one in calm):
        raise ValueError("a baseline is made of usable observations")
    eyes = [one.eyes for one in calm if one.eyes is not None]
    mouth = [one.mouth for one in calm if one.mouth is not None]
    return Baseline(
        yaw=median(one.yaw or 0.0 for one in calm),
        pitch=median(one.pitch or 0.0 for one in calm),
        scale=median(one.scale or 0.0 for one in calm),
        eyes=median(eyes) if eyes else None,
        mouth=median(mouth) if mouth else None,
    )


@dataclass(frozen=True, slots=True)
class Performance:
    """An action seen whole. ``began_s``: first frame that was away from calm, ``ended_s``: first that was calm again, as received. ``lasted_s`` by the
    frames' own times. ``peak``: how far, in the action's unit."""

    action: Action
    began_s: float
    ended_s: float
    lasted_s: float
    peak: float


DIPS = 0.5
"""Degrees that a head may dip for each that it turns: a turn is not level, nor is a pose that is read from a face far to one side."""


def goes_with(seen: Performance, beside: Action, peak: float) -> bool:
    """Whether ``seen`` is what comes of itself with ``beside`` that went as far as ``peak``: nothing but a dip of a head that turns."""
    turning = beside in (Action.TURN_LEFT, Action.TURN_RIGHT)
    return seen.action is Action.NOD and turning and seen.peak <= DIPS * peak


class Excursion:
    """One action's detector. ``calm`` < ``far``: thresholds of the value; ``lasting``: shortest and longest; ``graded``: something in between is needed;
    ``stays_s``: done once it has been far for so long, there is no way back to wait for."""

    def __init__(
        self,
        action: Action,
        *,
        calm: float,
        far: float,
        lasting: tuple[float, float],
        graded: bool = True,
        stays_s: float | None = None,
    ) -> None:
        self.action = action
        self._calm, self._far = calm, far
        self._lasting, self._graded, self._stays_s = lasting, graded, stays_s
        self._ready = False
        self._seen_s = 0.0
        self._away: list[tuple[float, float, float]] = []

    @property
    def active(self) -> bool:
        """Away from calm, and was calm before."""
        return bool(self._away)

    @property
    def reach(self) -> float:
        """How far away from calm it was by now; 0 if it is not active."""
        return max((value for value, _, _ in self._away), default=0.0)

    @property
    def overdue(self) -> bool:
        """Away for longer than any action lasts: this is how they sit now."""
        return bool(self._away) and self._away[-1][1] - self._away[0][1] > self._lasting[1]

    def reset(self) -> None:
        """Calm must be seen again first."""
        self._ready, self._away = False, []

    def feed(self, value: float | None, at_s: float, received_s: float) -> Performance | None:
        """``value``: how far from the baseline; None: not to be told in this frame."""
        if value is None:
            if self._away and at_s - self._seen_s > GAP_S:
                self.reset()
            return None
        self._seen_s = at_s
        if value >= self._calm:
            if self._ready:
                self._away.append((value, at_s, received_s))
                if self._stays_s is not None:
                    return self._stayed()
            return None
        self._ready = True
        away, self._away = self._away, []
        if not away or self._stays_s is not None:
            return None
        return self._judge(away, at_s, received_s)

    def _judge(self, away: list[tuple[float, float, float]], at_s: float, received_s: float) -> Performance | None:
        peak = max(value for value, _, _ in away)
        lasted = at_s - away[0][1]
        if peak < self._far or not self._lasting[0] <= lasted <= self._lasting[1]:
            return None
        if self._graded and not any(0.25 * peak < value < 0.8 * peak for value, _, _ in away):
            return None
        return Performance(self.action, away[0][2], received_s, lasted, peak)

    def _stayed(self) -> Performance | None:
        first = next((at for value, at, _ in self._away if value >= self._far), None)
        _, at_s, received_s = self._away[-1]
        held = [value for value, at, _ in self._away if first is not None and at >= first]
        if first is None or at_s - first < (self._stays_s or 0.0) or min(held) < 0.9 * self._far:
            return None
        done = self._judge(self._away, at_s, received_s)
        self.reset()
        return done


class Watcher:
    """All detectors over the frames of one attempt, once the baseline is known."""

    def __init__(self, calm: Baseline, limits: Limits) -> None:
        self._limits = limits
        self._base = calm
        yaw, pitch = limits.neutral_yaw, limits.neutral_pitch
        lasting = limits.excursion_s
        self._detectors = {
            Action.TURN_LEFT: Excursion(Action.TURN_LEFT, calm=yaw, far=limits.turn_deg, lasting=lasting),
            Action.TURN_RIGHT: Excursion(Action.TURN_RIGHT, calm=yaw, far=limits.turn_deg, lasting=lasting),
            Action.NOD: Excursion(Action.NOD, calm=pitch, far=limits.nod_deg, lasting=lasting),
            Action.BLINK: Excursion(
                Action.BLINK,
                calm=1 - limits.blink_open,
                far=1 - limits.blink_shut,
                lasting=limits.blink_s,
                graded=False,
            ),
            Action.OPEN_MOUTH: Excursion(Action.OPEN_MOUTH, calm=limits.mouth_shut, far=limits.mouth_open, lasting=lasting),
            Action.COME_CLOSER: Excursion(
                Action.COME_CLOSER,
                calm=(limits.closer - 1) / 4,
                far=limits.closer - 1,
                lasting=lasting,
                stays_s=limits.closer_hold_s,
            ),
        }

    @property
    def baseline(self) -> Baseline:
        return self._base

    def reach(self, action: Action) -> float:
        """How far it is being done, in its unit, as far as one can tell by now; 0: not at all."""
        return self._detectors[action].reach

    def values(self, one: Observation) -> dict[Action, float | None]:
        """How far each action is from calm in this frame; None where that cannot be told."""
        if one.yaw is None or one.pitch is None or one.scale is None or one.faces != 1:
            return dict.fromkeys(Action)
        base, limits = self._base, self._limits
        yaw, pitch = one.yaw - base.yaw, one.pitch - base.pitch
        frontal = abs(yaw) < limits.turn_deg * 1.5 and abs(pitch) < limits.nod_deg * 2
        eyes = mouth = None
        if frontal and one.eyes is not None and base.eyes:
            eyes = 1 - one.eyes / base.eyes
        if one.mouth is not None and base.mouth is not None:
            mouth = one.mouth - base.mouth
        return {
            Action.TURN_LEFT: yaw,
            Action.TURN_RIGHT: -yaw,
            Action.NOD: abs(pitch) if abs(yaw) < limits.turn_deg else None,
            Action.BLINK: eyes,
            Action.OPEN_MOUTH: mouth,
            Action.COME_CLOSER: one.scale / base.scale - 1,
        }

    def calm(self, one: Observation) -> bool:
        """A usable frame in which nothing is being done."""
        if not one.usable:
            return False
        values = self.values(one)
        limits = self._limits
        bounds = {
            Action.TURN_LEFT: limits.neutral_yaw,
            Action.TURN_RIGHT: limits.neutral_yaw,
            Action.NOD: limits.neutral_pitch,
            Action.BLINK: 1 - limits.blink_open,
            Action.OPEN_MOUTH: limits.mouth_shut,
        }
        return all((values[action] or 0.0) < bound for action, bound in bounds.items())

    def feed(self, one: Observation) -> list[Performance]:
        """What ended with this frame."""
        values = self.values(one)
        found = []
        for action, detector in self._detectors.items():
            done = detector.feed(values[action], one.at_s, one.received_s)
            if done is not None:
                found.append(done)
        near = self._detectors[Action.COME_CLOSER]
        moved = any(done.action is Action.COME_CLOSER for done in found)
        if (moved or near.overdue) and one.scale is not None:
            self._base = replace(self._base, scale=one.scale)
            near.reset()
        return found
