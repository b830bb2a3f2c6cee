"""Whether the colours of the screen come back from the face, in their order and after the right delay. Sans I/O.

What is looked at is the difference between face and background of two log-chromaticities, ln(R/G) and ln(B/G) in linear light: a camera's white
balance and exposure change both areas alike and cancel out, and so does a tint over the whole picture (a screen held before the camera, a
filter) by which everything is multiplied. Light from the screen moves the near face and hardly the far background. This is correlated with what was shown, for every delay;
how well other sequences would fit says what that correlation is worth. And it must be the face that moves: who tints the background the other way
makes the same difference; and hardly what is behind it: glass that mirrors the screen, or a layer over the picture, adds as much light to both.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verification.challenge.colours import ColourStep, draw_colours, linear
from verification.challenge.observation import Observation
from verification.challenge.policy import ChallengePolicy, Limits
from verification.challenge.verdict import Check, Outcome
from verification.reasons import ReasonCode

DELAYS_S = (-1.5, 3.0)
"""Searched beyond what is allowed, to say what was wrong."""
DELAY_STEP_S = 0.05
OTHERS = 40
"""Other sequences that the answer is compared with, every tenth of a second of delay."""
FADE_PARTS = 4
LEFT = 0.2
"""Share of what was shown that movements must leave unexplained."""

OWN = 0.25
"""Share of the difference that must be the face's own movement: a white balance that follows even six tenths of what is in the picture leaves four."""

BEHIND = 0.5
"""Of the light that the face throws back, in absolute terms, so much may come from behind at most. A wall that is as bright as the skin and twice as far from the screen
throws back a quarter; a white one close behind a dark face as much as the face, or more: then nobody is refused for it, a person decides."""

Opponent = tuple[float, float]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shown:
    """A colour that went out at ``at_s`` (receiver's clock) for ``for_s``."""

    at_s: float
    step: ColourStep


def opponent(rgb: Sequence[float]) -> Opponent:
    """Red and blue against green in linear light: the direction in which light of this colour moves what it falls on. White: (0, 0)."""
    red, green, blue = (linear(value) for value in rgb)
    return red - green, blue - green


def chroma(one: Observation) -> Opponent | None:
    """Face against background; None where one of them is not to be seen or has no light in a channel."""
    both = chromas(one)
    return (both[0][0] - both[1][0], both[0][1] - both[1][1]) if both is not None else None


def chromas(one: Observation) -> tuple[Opponent, Opponent] | None:
    """Of the face and of the background; None as of ``chroma``."""
    if one.face_colour is None or one.background_colour is None:
        return None
    face = [linear(value) for value in one.face_colour]
    behind = [linear(value) for value in one.background_colour]
    if min(*face, *behind) < 1e-4:
        return None
    return (
        (math.log(face[0] / face[1]), math.log(face[2] / face[1])),
        (math.log(behind[0] / behind[1]), math.log(behind[2] / behind[1])),
    )


@dataclass(frozen=True, slots=True)
class Sample:
    """One frame: when it was received, its chroma (face against background), what else moves a face's colour: degrees and size against the first frame,
    the chroma of the face by itself, and the light of face and background in the two directions of colour (``opponent``)."""

    at_s: float
    chroma: Opponent
    moved: tuple[float, ...] = ()
    own: Opponent = (0.0, 0.0)
    face: Opponent = (0.0, 0.0)
    behind: Opponent = (0.0, 0.0)


class Track:
    """Samples in order of time, at least three. The mean, a trend and whatever goes with the pose (linearly and squared) are taken out of them and out of
    everything that they are compared with: a partial correlation. A head that turns changes its shade without any light of ours. ``of``: what of a sample is
    looked at."""

    def __init__(self, samples: Sequence[Sample], of: Callable[[Sample], Opponent] = lambda sample: sample.chroma) -> None:
        self.times = np.array([sample.at_s for sample in samples])
        values = np.array([of(sample) for sample in samples])
        moved = np.array([sample.moved for sample in samples]).reshape(len(samples), -1)
        columns = [np.ones(len(samples)), self.times, *moved.T, *(moved.T**2)]
        self._nuisance = _orthonormal(columns)
        self._values = values - self._nuisance @ (self._nuisance.T @ values)
        self._power = float((self._values**2).sum())

    def fit(self, steps: Sequence[tuple[float, Opponent]], delays_s: Floats) -> tuple[Floats, Floats]:
        """(correlation, gain) with a step function, (seconds, value from then on), before its first step (0, 0), for each delay. 0 where the step
        function is nearly explained by the movements themselves."""
        starts = np.array([at for at, _ in steps])
        levels = np.array([(0.0, 0.0), *(value for _, value in steps)])
        shown = levels[np.searchsorted(starts, self.times[None, :] - delays_s[:, None], side="right")]
        whole = ((shown - shown.mean(axis=1, keepdims=True)) ** 2).sum(axis=(1, 2))
        along = np.einsum("nk,dnc->dkc", self._nuisance, shown)
        power = (shown**2).sum(axis=(1, 2)) - (along**2).sum(axis=(1, 2))
        crossed = np.einsum("dnc,nc->d", shown, self._values)
        told = (power > 1e-9) & (power > LEFT * whole) & (self._power > 1e-15)
        safe = np.where(told, power, 1.0)
        r = np.where(told, crossed / np.sqrt(safe * max(self._power, 1e-300)), 0.0)
        return r, np.where(told, crossed / safe, 0.0)


def _orthonormal(columns: Sequence[Floats]) -> Floats:
    """(n, k): Gram-Schmidt; columns that the others already say are left out."""
    basis: list[Floats] = []
    for column in columns:
        rest = column - sum((one * (one @ column) for one in basis), np.zeros_like(column))
        length = float(np.linalg.norm(rest))
        if length > 1e-6 * max(1e-9, float(np.linalg.norm(column))) and len(basis) < len(column) - 1:
            basis.append(rest / length)
    return np.stack(basis, axis=1)


def staircase(shown: Sequence[Shown]) -> list[tuple[float, Opponent]]:
    """What was shown as steps; a fade as a few of them; white at the end."""
    steps: list[tuple[float, Opponent]] = []
    before: Opponent = (0.0, 0.0)
    for one in shown:
        after = opponent(one.step.rgb)
        parts = FADE_PARTS if one.step.fade_s else 1
        for part in range(1, parts + 1):
            share = (part - 0.5) / parts if parts > 1 else 1.0
            at = one.at_s + one.step.fade_s * (part - 1) / parts
            steps.append((at, (before[0] + (after[0] - before[0]) * share, before[1] + (after[1] - before[1]) * share)))
        if parts > 1:
            steps.append((one.at_s + one.step.fade_s, after))
        before = after
    if shown:
        steps.append((shown[-1].at_s + shown[-1].step.for_s, (0.0, 0.0)))
    return steps


def best(
    track: Track, steps: Sequence[tuple[float, Opponent]], delays_s: tuple[float, float], every_s: float = DELAY_STEP_S
) -> tuple[float, float, float]:
    """(correlation, gain, delay) of the delay that fits best, both ends tried."""
    tried = np.linspace(*delays_s, round((delays_s[1] - delays_s[0]) / every_s) + 1)
    correlations, gains = track.fit(steps, tried)
    place = int(np.argmax(correlations))
    return float(correlations[place]), float(gains[place]), float(tried[place])


def _movement(one: Observation, first: Observation) -> tuple[float, ...]:
    """Turned and nodded by so many tens of degrees since the first frame, grown by so much."""
    yaw, pitch = (one.yaw or 0.0) - (first.yaw or 0.0), (one.pitch or 0.0) - (first.pitch or 0.0)
    grown = math.log(one.scale / first.scale) if one.scale and first.scale else 0.0
    return yaw / 10, pitch / 10, grown


class LightWatch:
    """Fed with every observation from the first colour on, and with what was shown."""

    def __init__(self, limits: Limits, policy: ChallengePolicy, script_hash: str) -> None:
        self._limits, self._policy = limits, policy
        self._seed = script_hash.encode()
        self._shown: list[Shown] = []
        self._samples: list[Sample] = []
        self._first: Observation | None = None
        self._looked = 0

    def show(self, step: ColourStep, at_s: float) -> None:
        self._shown.append(Shown(at_s, step))

    def feed(self, one: Observation) -> None:
        self._looked += 1
        both = chromas(one) if one.faces == 1 else None
        if both is None or one.face_colour is None or one.background_colour is None:
            return
        face, behind = both
        self._first = self._first or one
        difference = (face[0] - behind[0], face[1] - behind[1])
        self._samples.append(
            Sample(
                one.received_s,
                difference,
                _movement(one, self._first),
                face,
                *(opponent(colour) for colour in (one.face_colour, one.background_colour)),
            )
        )

    def _covered(self) -> bool:
        """Enough frames, and some of them in the time of every colour."""
        if len(self._samples) < self._limits.light_frames or len(self._shown) < self._policy.colours:
            return False
        times = [sample.at_s for sample in self._samples]
        late = self._limits.light_delay_s[0]
        return all(
            bisect_left(times, one.at_s + one.step.for_s + late) - bisect_left(times, one.at_s + late) >= 3
            for one in self._shown
        )

    def check(self) -> Check:
        """``score``: the correlation at the best delay that is allowed. ``chance``: share of other sequences that fit as well. ``own``: how much of it is the
        face's. ``behind``: how much light the background throws back, of the face's."""
        limits = self._limits
        if not self._covered():
            dark = self._looked >= limits.light_frames and len(self._samples) < self._looked / 2
            reason = ReasonCode.LIGHT_UNSEEN if dark else ReasonCode.EVIDENCE_MISSING
            return Check("light", 0.0, Outcome.REFER, (reason,), (("frames", float(len(self._samples))),))
        track = Track(self._samples)
        steps = staircase(self._shown)
        score, gain, delay = best(track, steps, limits.light_delay_s)
        anywhere, _, where = best(track, steps, DELAYS_S)
        strongest = max(math.hypot(*value) for _, value in steps)
        amplitude = gain * strongest
        chance = self._chance(track, score)
        own, behind = self._own(steps, delay, gain)
        figures = (
            ("delay_s", round(delay, 3)),
            ("amplitude", round(amplitude, 5)),
            ("chance", round(chance, 4)),
            ("own", round(own, 3)),
            ("behind", round(behind, 3)),
            ("frames", float(len(self._samples))),
        )
        fits = score >= limits.light_correlation and amplitude >= limits.light_amplitude and chance <= limits.light_chance
        if fits and own >= OWN and limits.light_delay_s[0] <= where <= limits.light_delay_s[1]:
            if behind <= BEHIND:
                return Check("light", score, Outcome.PASS, (), figures)
            # glass, a layer over the picture, or a living person close before a wall that is brighter than they are: a person decides
            return Check("light", score, Outcome.REFER, (ReasonCode.LIGHT_BEHIND,), figures)
        reason = ReasonCode.LIGHT_UNANSWERED
        if anywhere >= limits.light_correlation and not limits.light_delay_s[0] <= where <= limits.light_delay_s[1]:
            reason = ReasonCode.LIGHT_EARLY if where < limits.light_delay_s[0] else ReasonCode.LIGHT_LATE
        return Check("light", max(0.0, score), Outcome.FAIL, (reason,), figures)

    def _own(self, steps: Sequence[tuple[float, Opponent]], delay_s: float, gain: float) -> tuple[float, float]:
        """Share of the difference's movement that is the face's own, and of the face's light that comes from behind; (0, 1) where nothing moves."""

        def moves(of: Callable[[Sample], Opponent]) -> float:
            return float(Track(self._samples, of).fit(steps, np.array([delay_s]))[1][0])

        face = moves(lambda sample: sample.face)
        if gain <= 0 or face <= 0:
            return 0.0, 1.0
        return moves(lambda sample: sample.own) / gain, moves(lambda sample: sample.behind) / face

    def _chance(self, track: Track, score: float) -> float:
        """Share of sequences drawn like this one, but from other nonces, that would fit as well."""
        start = self._shown[0].at_s
        as_well = 0
        for number in range(OTHERS):
            other = draw_colours(self._seed + number.to_bytes(4, "big"), self._policy)
            steps = staircase([Shown(start + step.at_s, step) for step in other])
            as_well += best(track, steps, self._limits.light_delay_s, 2 * DELAY_STEP_S)[0] >= score
        return as_well / OTHERS
