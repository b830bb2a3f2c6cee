"""Whether one face was there all along, whether it stayed the same person, and whether it looks alive. Sans I/O."""

import math
from bisect import bisect_left
from itertools import takewhile
from statistics import fmean, median
from typing import NamedTuple

from verification.challenge.observation import Observation
from verification.challenge.policy import Limits
from verification.challenge.verdict import Check, Outcome
from verification.reasons import ReasonCode

CALM = 20
"""So many frames at rest are needed to say that a face never changes."""
EDGE_S = 0.35
"""At rest is a calm frame so far from every other."""
SIDE = 3
"""So many straight frames on either side of a turn are looked at."""


class _Compared(NamedTuple):
    """A frame with the reference. ``same``: above the threshold of its pose."""

    number: int
    score: float
    same: bool
    turned: bool


class Presence:
    """Fed with every observation of an attempt, in their order."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._frames = self._one = self._several = 0
        self._reference: Observation | None = None
        self._compared: list[_Compared] = []
        self._uncompared = 0
        self._calm: list[tuple[float, float]] = []
        self._moved: list[float] = []
        self._pad: list[float] = []

    def feed(self, one: Observation, *, counts: bool = True, calm: bool = False) -> None:
        """``counts``: for the shares of frames with a face; while somebody settles, they do not. ``calm``: nothing is being done in it."""
        if counts:
            self._frames += 1
            self._one += one.faces == 1
            self._several += one.faces > 1
        if not calm:
            self._moved.append(one.received_s)
        if one.faces != 1:
            return
        if one.pad is not None:
            self._pad.append(one.pad)
        if self._reference is None:
            self._reference = one if one.reference else None
        elif one.identity is None:
            self._uncompared += 1
        else:
            turned = self._turned(one, self._reference)
            threshold = self._limits.identity_turned if turned else self._limits.identity
            if calm:
                self._calm.append((one.received_s, one.identity))
            self._compared.append(_Compared(one.index, one.identity, one.identity >= threshold, turned))

    def _turned(self, one: Observation, reference: Observation) -> bool:
        """Further from the reference than recognisers know well."""
        yaw = abs((one.yaw or 0.0) - (reference.yaw or 0.0))
        pitch = abs((one.pitch or 0.0) - (reference.pitch or 0.0))
        return max(yaw, pitch) > self._limits.turned_deg

    def _unheld(self) -> int:
        """Sides of turns on which most of the nearest straight frames are not there or not the same person: the lower threshold of turned frames says
        little by itself, so it must be the same person who went into the turn and who came out of it."""
        rows, unheld = self._compared, 0
        for place, row in enumerate(rows):
            for step, edge in ((-1, place - 1), (1, place + 1)):
                if not row.turned or not 0 <= edge < len(rows) or rows[edge].turned:
                    continue
                near = [rows[at] for at in range(edge, edge + SIDE * step, step) if 0 <= at < len(rows)]
                # the next turn may be near, and an attempt begins and ends
                straight = list(takewhile(lambda one: not one.turned, near))
                held = sum(one.same and abs(one.number - row.number) <= 2 * SIDE for one in straight)
                unheld += 2 * held <= len(straight)
        return unheld

    def _still(self) -> float:
        """The score that a tenth of the frames at rest have at most; 0 where there are too few of them. How an action begins and how it ends looks calm too, and
        is left out."""
        moved = [-math.inf, *self._moved, math.inf]
        rest = []
        for at, score in self._calm:
            place = bisect_left(moved, at)
            if min(at - moved[place - 1], moved[place] - at) > EDGE_S:
                rest.append(score)
        return sorted(rest)[len(rest) // 10] if len(rest) >= CALM else 0.0

    def face(self) -> Check:
        """``score``: share of frames with exactly one face."""
        if not self._frames:
            return Check("face", 0.0, Outcome.REFER, (ReasonCode.NO_FACE,))
        share, others = self._one / self._frames, self._several / self._frames
        reasons = []
        if not others <= self._limits.others_share:
            reasons.append(ReasonCode.SEVERAL_FACES)
        if not share >= self._limits.face_share:
            reasons.append(ReasonCode.FACE_LOST)
        return Check("face", share, Outcome.FAIL if reasons else Outcome.PASS, tuple(reasons), (("others", others),))

    def identity(self) -> Check:
        """``score``: median comparison score of all frames with the first good one. ``calm_least``: of the frames at rest; a living face is never so much like itself
        as one picture is."""
        scores = [row.score for row in self._compared]
        if len(scores) < 10 or self._uncompared > len(scores):
            return Check("identity", 0.0, Outcome.REFER, (ReasonCode.EVIDENCE_MISSING,))
        share = sum(row.same for row in self._compared) / len(scores)
        longest = run = 0
        for row in self._compared:
            run = 0 if row.same else run + 1
            longest = max(longest, run)
        unheld, least = self._unheld(), self._still()
        still = self._limits.identity_still is not None and least > self._limits.identity_still
        held = share >= self._limits.identity_share and longest < self._limits.identity_run and not unheld
        return Check(
            "identity",
            median(scores),
            Outcome.PASS if held and not still else Outcome.FAIL,
            (*(() if held else (ReasonCode.FACE_CHANGED,)), *((ReasonCode.FACE_STILL,) if still else ())),
            (
                ("share", round(share, 4)),
                ("longest_other", float(longest)),
                ("turns_unheld", float(unheld)),
                ("calm_least", round(least, 4)),
                ("frames", float(len(scores))),
            ),
        )

    def passive(self, *, accept_without: bool) -> Check:
        """``score``: mean of passive detection. ``accept_without``: the policy does not ask for it where the pack has none."""
        limits, scores = self._limits, self._pad
        if not scores:
            outcome = Outcome.PASS if accept_without and not limits.has_pad else Outcome.REFER
            reason = ReasonCode.PAD_TOO_FEW if limits.has_pad else ReasonCode.PAD_UNAVAILABLE
            return Check("pad", 0.0, outcome, (reason,))
        mean = fmean(scores)
        width = min(limits.pad_window, len(scores))
        lowest = min(fmean(scores[start : start + width]) for start in range(len(scores) - width + 1))
        figures = (("frames", float(len(scores))), ("lowest", round(lowest, 4)))
        if not mean >= limits.pad_refer:
            return Check("pad", mean, Outcome.FAIL, (ReasonCode.PAD_ATTACK,), figures)
        if len(scores) < limits.pad_frames:
            return Check("pad", mean, Outcome.REFER, (ReasonCode.PAD_TOO_FEW,), figures)
        if not (mean >= limits.pad_accept and lowest >= limits.pad_refer):
            return Check("pad", mean, Outcome.REFER, (ReasonCode.PAD_UNSURE,), figures)
        return Check("pad", mean, Outcome.PASS, (), figures)
