"""Loss that the rate causes, loss that is there anyway, and chance."""

import random

import pytest

from media.congestion.loss import MAX_INHERENT, NO_BOUND, LossBound, Phase


def feed(bound: LossBound, loss: float, seconds: float, now: float, *, acked: float = 1e6, packets: int = 10) -> float:
    """Feedback each 50 ms; an exact share is lost (spread over feedbacks)."""
    owed = 0.0
    for _ in range(round(seconds / 0.05)):
        now += 0.05
        owed += packets * loss
        lost = int(owed)
        owed -= lost
        bound.update(packets - lost, lost, 0, acked, now)
    return now


def test_no_loss_no_bound() -> None:
    bound = LossBound(0.0)
    feed(bound, 0.0, 10, 0.0)
    assert (bound.bound_bps, bound.fraction, bound.phase) == (NO_BOUND, 0.0, Phase.FREE)


def test_a_little_loss_no_bound() -> None:
    bound = LossBound(0.0)
    feed(bound, 0.015, 10, 0.0)
    assert bound.bound_bps == NO_BOUND
    assert bound.fraction == pytest.approx(0.015, abs=0.006)


@pytest.mark.parametrize("loss", [0.05, 0.1, 0.2])
def test_loss_that_stays_is_inherent_and_bounds_nothing(loss: float) -> None:
    bound = LossBound(0.0)
    now = feed(bound, loss, 1.5, 0.0)
    feed(bound, loss, 12, now, acked=8e5)
    assert bound.bound_bps == NO_BOUND
    assert bound.inherent == pytest.approx(loss, rel=0.15)


def test_an_experiment_sends_less() -> None:
    bound = LossBound(0.0)
    feed(bound, 0.2, 0.55, 0.0)
    assert bound.phase is Phase.TEST
    assert bound.bound_bps == pytest.approx(0.8e6)


def test_loss_that_goes_away_was_ours() -> None:
    bound = LossBound(0.0)
    now = feed(bound, 0.2, 0.55, 0.0)
    now = feed(bound, 0.2, 0.5, now)
    now = feed(bound, 0.0, 3.0, now)
    assert bound.phase is Phase.BOUND
    assert bound.inherent == 0.0
    before = bound.bound_bps
    feed(bound, 0.0, 5.0, now)
    assert before * 1.3 < bound.bound_bps < before * 1.6


def test_loss_again_after_an_experiment_cuts_by_half_the_loss() -> None:
    bound = LossBound(0.0)
    now = feed(bound, 0.2, 0.55, 0.0)
    now = feed(bound, 0.2, 0.5, now)
    now = feed(bound, 0.0, 2.5, now)
    assert bound.phase is Phase.BOUND
    before = bound.bound_bps
    feed(bound, 0.3, 1.1, now, acked=5e5)
    assert bound.phase is Phase.BOUND
    assert bound.bound_bps < 0.9 * before


def test_inherent_loss_is_forgotten_when_it_is_gone() -> None:
    bound = LossBound(0.0)
    now = feed(bound, 0.1, 12, 0.0)
    assert bound.inherent > 0.08
    feed(bound, 0.0, 30, now)
    assert bound.inherent < 0.04


def test_inherent_loss_has_an_end() -> None:
    bound = LossBound(0.0)
    feed(bound, 0.6, 12, 0.0)
    assert bound.inherent <= MAX_INHERENT


def test_chance_is_not_taken_for_a_change() -> None:
    chance = random.Random(6)
    bound = LossBound(0.0)
    now = 0.0
    bounded = 0
    for _ in range(2400):
        now += 0.05
        lost = sum(chance.random() < 0.05 for _ in range(8))
        bound.update(8 - lost, lost, 0, 1e6, now)
        bounded += bound.bound_bps < NO_BOUND
    assert bounded / 2400 < 0.25


def test_recovered_packets_are_taken_off() -> None:
    bound = LossBound(0.0)
    bound.update(80, 20, 0, 1e6, 0.1)
    bound.update(20, 0, 20, 1e6, 0.6)
    assert bound.fraction == 0.0


def test_few_packets_wait_longer() -> None:
    bound = LossBound(0.0)
    assert not bound.update(5, 0, 0, 1e6, 0.6)
    assert bound.update(5, 0, 0, 1e6, 2.1)
    assert bound.update(0, 0, 0, 1e6, 4.3)


def test_a_clean_probe_lifts_the_bound() -> None:
    bound = LossBound(0.0)
    now = feed(bound, 0.2, 1.05, 0.0)
    feed(bound, 0.0, 3.0, now)
    bound.lift(5e6, 0.5)
    assert bound.bound_bps < 2e6
    bound.lift(5e6, 0.01)
    assert bound.bound_bps == 5e6
    bound.free()
    assert bound.phase is Phase.FREE
    bound.free()
    bound.lift(9e6, 0.0)
    assert bound.bound_bps == NO_BOUND


def test_receiver_reports_count_the_same() -> None:
    bound = LossBound(0.0)
    for second in range(1, 4):
        bound.note_report(0.3, 1e6, 1.0, float(second))
    assert bound.bound_bps < 1e6
    assert bound.fraction > 0.2


def test_where_no_queue_shows_a_train_is_asked_for_first() -> None:
    bound = LossBound(0.0)
    bound.clear = True
    now = feed(bound, 0.2, 0.55, 0.0)
    assert (bound.phase, bound.bound_bps) == (Phase.ASK, NO_BOUND)
    bound.answer(limited=False, acked_bps=8e5, now=now)
    assert bound.phase is Phase.FREE
    assert bound.inherent == pytest.approx(0.2, abs=0.02)
    feed(bound, 0.2, 30, now)
    assert (bound.phase, bound.bound_bps) == (Phase.FREE, NO_BOUND)


def test_a_train_that_loses_more_is_followed_by_sending_less() -> None:
    bound = LossBound(0.0)
    bound.clear = True
    now = feed(bound, 0.2, 0.55, 0.0)
    bound.answer(limited=True, acked_bps=8e5, now=now)
    assert bound.phase is Phase.TEST
    assert bound.bound_bps == pytest.approx(6.4e5)


def test_a_train_that_is_not_answered_is_followed_by_sending_less() -> None:
    bound = LossBound(0.0)
    bound.clear = True
    now = feed(bound, 0.2, 0.55, 0.0)
    feed(bound, 0.2, 2.1, now)
    assert bound.phase is Phase.TEST
