"""Error rates with what is known about them. Sans I/O.

Comparison (ISO/IEC 19795-1): FMR, the share of non-mated pairs that match; FNMR, the share of mated pairs that do not. A pair matches when its
score is at least the threshold. A picture without a face has the score -inf: it matches nobody.
Attacks (ISO/IEC 30107-3): APCER, of one species the share that passes; BPCER, the share of bona fide presentations that does not.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.floating]
Z_95 = 1.959963984540054
"""Of the normal distribution, two-sided 95 %."""
STEP = 1e-4
"""Thresholds are rounded up to this: what is written down is what was counted."""


@dataclass(frozen=True, slots=True)
class Rate:
    """``count`` of ``n``; ``low`` and ``high`` hold the true rate in 95 % of such experiments, if the trials were independent."""

    count: int
    n: int
    low: float
    high: float

    @property
    def value(self) -> float:
        return self.count / self.n

    def as_tree(self) -> dict[str, float | int]:
        return {"rate": self.value, "count": self.count, "n": self.n, "low": self.low, "high": self.high}


def rate(count: int, n: int) -> Rate:
    """With Wilson's interval; where nothing was counted its upper end is the rule of three's, and mirrored where everything was.

    Raises ValueError: ``n`` is not positive, or ``count`` not in 0..n.
    """
    if n <= 0 or not 0 <= count <= n:
        raise ValueError(f"{count} of {n}")
    low, high = wilson(count, n)
    if count == 0:
        low, high = 0.0, rule_of_three(n)
    elif count == n:
        low, high = 1.0 - rule_of_three(n), 1.0
    return Rate(count, n, low, high)


def wilson(count: int, n: int, z: float = Z_95) -> tuple[float, float]:
    """Wilson's score interval (1927) for a share."""
    share = count / n
    middle = share + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    whole = 1 + z * z / n
    return max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole)


def rule_of_three(n: int) -> float:
    """None in ``n`` trials: with 95 % confidence the rate is below this (Hanley and Lippman-Hand 1983)."""
    return min(1.0, 3 / n)


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """``target``: the false match rate that was aimed at; ``fmr`` is what was counted at ``threshold``, never more than it.

    ``supported``: there were enough non-mated pairs for one of them to be a match at this rate."""

    target: float
    threshold: float
    fmr: Rate
    fnmr: Rate
    supported: bool


def threshold_at(non_mated: Scores, target: float) -> float:
    """The lowest multiple of ``STEP`` at which at most ``target`` of them match. Raises ValueError for no scores, or a rate that cannot be."""
    if not 0 < target < 1 or not non_mated.size:
        raise ValueError("a rate between 0 and 1, and scores")
    allowed = math.floor(target * non_mated.size + 1e-9)
    if allowed >= non_mated.size:  # pragma: no cover - target < 1
        raise ValueError("nothing is refused")
    above = float(-np.partition(-non_mated, allowed)[allowed])  # the highest that must not match
    if above == -math.inf:
        above = float(np.min(non_mated[np.isfinite(non_mated)], initial=0.0)) - STEP
    threshold = (math.floor(above / STEP) + 1) * STEP
    while int((non_mated >= round(threshold, 6)).sum()) > allowed:  # rounding, and steps of float32
        threshold += STEP
    return round(threshold, 6)


def at_threshold(mated: Scores, non_mated: Scores, threshold: float) -> tuple[Rate, Rate]:
    """FMR and FNMR."""
    return (
        rate(int((non_mated >= threshold).sum()), non_mated.size),
        rate(int((mated < threshold).sum()), mated.size),
    )


def operating_point(mated: Scores, non_mated: Scores, target: float) -> OperatingPoint:
    threshold = threshold_at(non_mated, target)
    fmr, fnmr = at_threshold(mated, non_mated, threshold)
    return OperatingPoint(target, threshold, fmr, fnmr, supported=target * non_mated.size >= 1)


@dataclass(frozen=True, slots=True)
class Curve:
    """The same number of each: at ``thresholds`` (rising) so many of each kind are wrong."""

    thresholds: tuple[float, ...]
    false_accepts: tuple[float, ...]
    false_rejects: tuple[float, ...]

    @property
    def equal_error(self) -> float:
        """Where both rates are nearest, their mean."""
        pairs = zip(self.false_accepts, self.false_rejects, strict=True)
        return min(((abs(a - b), (a + b) / 2) for a, b in pairs), default=(0.0, 0.0))[1]


def det(wanted: Scores, unwanted: Scores, points: int = 400) -> Curve:
    """Detection error trade-off: false accepts of ``unwanted`` and false rejects of ``wanted`` at thresholds taken evenly from both, the rare ends included."""
    wanted, unwanted = np.sort(wanted), np.sort(unwanted)
    spaced = np.concatenate([np.linspace(0, 1, points // 2), 1 - np.logspace(-7, 0, points // 2)]).clip(0, 1)
    candidates = [scores[(spaced * (scores.size - 1)).round().astype(np.int64)] for scores in (wanted, unwanted)]
    thresholds = np.unique(np.concatenate(candidates))
    thresholds = thresholds[np.isfinite(thresholds)]
    if thresholds.size:
        thresholds = np.append(thresholds, np.nextafter(thresholds[-1], np.inf))
    accepts = (unwanted.size - np.searchsorted(unwanted, thresholds, "left")) / unwanted.size
    rejects = np.searchsorted(wanted, thresholds, "left") / wanted.size
    return Curve(*(tuple(float(value) for value in values) for values in (thresholds, accepts, rejects)))


def bootstrap(
    identities: NDArray[np.int32], pairs: NDArray[np.int32], wrong: NDArray[np.bool_], weights: NDArray[np.int64]
) -> tuple[float, float]:
    """95 % interval of the share of ``pairs`` that are ``wrong``, from drawing persons anew: pairs of one person hang together, so
    an interval that takes them for independent is too narrow.

    ``identities`` (pictures,), ``pairs`` (n, 2) of pictures, ``weights`` (draws, persons): how often each person was drawn. A pair counts as often
    as both its persons, multiplied; one person's own pairs as often as that person. Draws without a pair are left out. Where no pair is wrong, or every one, all
    draws are alike and say nothing: the other end is then the rule of three's, over the persons.
    """
    persons = weights.shape[1]
    first, second = identities[pairs[:, 0]].astype(np.int64), identities[pairs[:, 1]].astype(np.int64)
    if wrong.size and wrong.all() == wrong.any():
        unknown = rule_of_three(np.union1d(first, second).size)
        return (1.0 - unknown, 1.0) if wrong.all() else (0.0, unknown)
    cells = np.minimum(first, second) * persons + np.maximum(first, second)
    keys, where = np.unique(cells, return_inverse=True)
    counted = np.bincount(where, minlength=keys.size)
    errors = np.bincount(where, weights=wrong, minlength=keys.size)
    one, other = keys // persons, keys % persons
    shares = []
    for draw in weights:
        factor = np.where(one == other, draw[one], draw[one] * draw[other])
        total = int((factor * counted).sum())
        if total:
            shares.append(float((factor * errors).sum()) / total)
    if not shares:
        return 0.0, 1.0
    low, high = np.percentile(shares, [2.5, 97.5])
    return float(low), float(high)


@dataclass(frozen=True, slots=True)
class PadRates:
    """At ``threshold``. ``worst``: the highest APCER of a species, which 30107-3 asks to be told. ``no_face``: of attacks and of bona fide."""

    threshold: float
    bpcer: Rate
    apcer: Mapping[str, Rate]

    @property
    def worst(self) -> Rate:
        return max(self.apcer.values(), key=lambda one: (one.value, -one.n))


def pad_rates(bona_fide: Scores, attacks: Mapping[str, Scores], threshold: float) -> PadRates:
    """Whoever scores ``threshold`` or more passes; without a face (-inf) nobody does. Raises ValueError where there is nothing to count."""
    if not attacks:
        raise ValueError("no attacks")
    return PadRates(
        threshold,
        rate(int((bona_fide < threshold).sum()), bona_fide.size),
        {kind: rate(int((scores >= threshold).sum()), scores.size) for kind, scores in sorted(attacks.items())},
    )


def histogram(scores: Scores, low: float, high: float, bins: int) -> tuple[float, ...]:
    """Share of ``scores`` in each of ``bins`` of equal width; what lies outside (and -inf) counts in the outer ones."""
    if not scores.size:
        return (0.0,) * bins
    at = np.clip((scores.astype(np.float64).clip(low, high) - low) / (high - low) * bins, 0, bins - 1).astype(np.int64)
    return tuple(float(count) / scores.size for count in np.bincount(at, minlength=bins))


def spread(groups: Iterable[Scores]) -> tuple[float, float]:
    """A range that holds every finite score of every group, for an axis."""
    finite = [scores[np.isfinite(scores)] for scores in groups]
    low = min((float(scores.min()) for scores in finite if scores.size), default=0.0)
    high = max((float(scores.max()) for scores in finite if scores.size), default=1.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)
