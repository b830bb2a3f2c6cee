"""Error rates against numbers worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.evaluation import metrics

SCORES = st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=60).map(lambda values: np.array(values, np.float32))


def test_wilson_as_worked_out_by_hand() -> None:
    """10 of 100: (0.1 + 0.0192) ± 1.96 sqrt(0.09/100 + 0.0096/100) over 1.0384."""
    low, high = metrics.wilson(10, 100)
    assert low == pytest.approx(0.05523, abs=2e-5)
    assert high == pytest.approx(0.17437, abs=2e-5)


def test_what_never_happened_is_below_three_in_n() -> None:
    none, all_of_them = metrics.rate(0, 300), metrics.rate(300, 300)
    assert (none.low, none.high) == (0.0, 0.01)
    assert (all_of_them.low, all_of_them.high) == (0.99, 1.0)
    assert metrics.rule_of_three(2) == 1.0


@pytest.mark.parametrize(("count", "n"), [(1, 0), (-1, 5), (6, 5)])
def test_counts_that_cannot_be_are_refused(count: int, n: int) -> None:
    with pytest.raises(ValueError, match="of"):
        metrics.rate(count, n)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_rate_lies_in_its_interval(trial: tuple[int, int]) -> None:
    rate = metrics.rate(*trial)
    assert 0 <= rate.low <= rate.value <= rate.high <= 1
    assert set(rate.as_tree()) == {"rate", "count", "n", "low", "high"}


def test_an_operating_point_as_counted_by_hand() -> None:
    """Ten strangers at 0.0, 0.1 … 0.9: one in ten may match, so the threshold is just above 0.8."""
    non_mated = np.arange(10, dtype=np.float64) / 10
    mated = np.array([0.95, 0.85, 0.8, 0.5, -math.inf])
    point = metrics.operating_point(mated, non_mated, 0.1)
    assert point.threshold == pytest.approx(0.8001)
    assert (point.fmr.count, point.fnmr.count) == (1, 3)
    assert point.supported


def test_a_rate_that_so_few_pairs_cannot_show_is_marked() -> None:
    point = metrics.operating_point(np.array([1.0]), np.array([0.1, 0.2]), 1e-3)
    assert (point.threshold, point.supported, point.fmr.count) == (pytest.approx(0.2001), False, 0)


def test_strangers_without_faces_only_leave_a_threshold() -> None:
    assert math.isfinite(metrics.threshold_at(np.array([-math.inf, -math.inf]), 0.5))


@pytest.mark.parametrize(("scores", "target"), [([], 0.1), ([0.1], 0.0), ([0.1], 1.0)])
def test_rates_that_cannot_be_aimed_at_are_refused(scores: list[float], target: float) -> None:
    with pytest.raises(ValueError, match="rate"):
        metrics.threshold_at(np.array(scores), target)


@given(SCORES, st.floats(0.001, 0.999))
def test_a_threshold_never_lets_more_match_than_was_aimed_at(scores: np.ndarray, target: float) -> None:
    threshold = metrics.threshold_at(scores, target)
    allowed = math.floor(target * scores.size + 1e-9)
    assert int((scores >= threshold).sum()) <= allowed
    lower = int((scores >= threshold - 2 * metrics.STEP).sum())
    assert lower > allowed, "a lower threshold would have done"


@given(SCORES, SCORES)
def test_a_curve_falls_and_rises_between_all_and_nothing(wanted: np.ndarray, unwanted: np.ndarray) -> None:
    curve = metrics.det(wanted, unwanted)
    assert list(curve.false_accepts) == sorted(curve.false_accepts, reverse=True)
    assert list(curve.false_rejects) == sorted(curve.false_rejects)
    assert curve.false_accepts[-1] == 0
    assert curve.false_rejects[-1] == 1
    assert 0 <= curve.equal_error <= 1
    at = len(curve.thresholds) // 2
    assert curve.false_accepts[at] == pytest.approx(float((unwanted >= curve.thresholds[at]).mean()))
    assert curve.false_rejects[at] == pytest.approx(float((wanted < curve.thresholds[at]).mean()))


def test_equal_error_of_scores_that_overlap_by_a_quarter() -> None:
    assert metrics.det(np.array([4.0, 3, 2, 0]), np.array([1.0, -1, -2, -3])).equal_error == pytest.approx(0.25)
    assert metrics.Curve((), (), ()).equal_error == 0


def test_persons_drawn_anew_by_hand() -> None:
    """Two people with two pictures each; the first one's pair is wrong. Drawn (2, 0) all are wrong, (1, 1) half, (0, 2) none."""
    identities = np.array([0, 0, 1, 1], np.int32)
    pairs = np.array([[0, 1], [2, 3]], np.int32)
    wrong = np.array([True, False])
    weights = np.array([[2, 0], [1, 1], [0, 2]])
    assert metrics.bootstrap(identities, pairs, wrong, weights) == (pytest.approx(0.025), pytest.approx(0.975))


def test_pairs_of_two_persons_count_as_often_as_both() -> None:
    """Persons 0, 1, 2 once each; 0 × 1 is wrong. Drawn (2, 1, 0) only that pair is there, twice; drawn (3, 0, 0) there is none."""
    identities = np.array([0, 1, 2], np.int32)
    pairs = np.array([[0, 1], [0, 2], [1, 2]], np.int32)
    wrong = np.array([True, False, False])
    assert metrics.bootstrap(identities, pairs, wrong, np.array([[2, 1, 0], [3, 0, 0]])) == (1.0, 1.0)
    assert metrics.bootstrap(identities, pairs, wrong, np.array([[3, 0, 0]])) == (0.0, 1.0)


def test_no_error_among_few_persons_is_not_known_to_be_none() -> None:
    """Ten people with a pair each, drawn anew as often as one likes: never an error. Up to 3 of 10 of all people may still have one."""
    identities = np.repeat(np.arange(10, dtype=np.int32), 2)
    pairs = np.arange(20, dtype=np.int32).reshape(10, 2)
    weights = np.random.default_rng(1).multinomial(10, np.full(10, 0.1), 50)
    none, every = np.zeros(10, np.bool_), np.ones(10, np.bool_)
    assert metrics.bootstrap(identities, pairs, none, weights) == (0.0, pytest.approx(0.3))
    assert metrics.bootstrap(identities, pairs, every, weights) == (pytest.approx(0.7), 1.0)
    assert metrics.bootstrap(identities, pairs[:2], none[:2], weights) == (0.0, 1.0), "two people have these pairs"
    assert metrics.bootstrap(identities, pairs[:0], none[:0], weights) == (0.0, 1.0)


def test_a_score_at_the_threshold_is_a_match() -> None:
    fmr, fnmr = metrics.at_threshold(np.array([0.5, 0.4, 0.9]), np.array([0.5, 0.4, 0.1, 0.2]), 0.5)
    assert (fmr.count, fmr.n, fnmr.count, fnmr.n) == (1, 4, 1, 3)


def test_of_species_that_pass_as_often_the_one_that_was_tried_less_is_the_worst() -> None:
    """It may be the worse one by more."""
    rates = metrics.pad_rates(
        np.array([0.9]),
        {"few": np.array([0.9, 0.1]), "many": np.array([0.9, 0.9, 0.1, 0.1]), "rare": np.array([0.9, 0.1, 0.1, 0.1, 0.1, 0.1])},
        0.7,
    )
    assert rates.worst is rates.apcer["few"]
    assert rates.worst.high == max(one.high for one in rates.apcer.values())


def test_attacks_and_living_people_counted_by_hand() -> None:
    rates = metrics.pad_rates(
        np.array([0.9, 0.7, 0.69, -math.inf]), {"replay": np.array([0.7, 0.1]), "print": np.array([0.2, -math.inf])}, 0.7
    )
    assert rates.bpcer.value == 0.5
    assert {kind: one.value for kind, one in rates.apcer.items()} == {"print": 0.0, "replay": 0.5}
    assert rates.worst is rates.apcer["replay"]
    with pytest.raises(ValueError, match="no attacks"):
        metrics.pad_rates(np.array([1.0]), {}, 0.5)


@given(SCORES, st.integers(1, 30))
def test_a_histogram_holds_everybody(scores: np.ndarray, bins: int) -> None:
    assert sum(metrics.histogram(np.append(scores, -np.inf), -0.5, 0.5, bins)) == pytest.approx(1)


def test_a_histogram_and_an_axis_of_nothing() -> None:
    assert metrics.histogram(np.array([]), 0, 1, 3) == (0, 0, 0)
    assert metrics.histogram(np.array([0.0, 0.1, 0.9]), 0, 1, 2) == (pytest.approx(2 / 3), pytest.approx(1 / 3))
    assert metrics.spread([]) == (0.0, 1.0)
    assert metrics.spread([np.array([2.0, math.inf])]) == (1.5, 2.5)
    assert metrics.spread([np.array([1.0]), np.array([-math.inf]), np.array([]), np.array([3.0, 2.0])]) == (1.0, 3.0)


def test_an_axis_reaches_to_the_last_score() -> None:
    """Also where there are hundreds of thousands, and of several groups."""
    many = np.full(300_000, 0.1)
    many[-1] = 0.6
    assert metrics.spread([np.array([0.2]), many]) == (0.1, 0.6)
