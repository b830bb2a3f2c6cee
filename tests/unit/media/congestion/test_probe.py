"""When a train is sent, how much of it, and what its answer means."""

import pytest

from media.congestion.probe import MAX_INTERVAL_S, MAX_SHARE, MIN_STEPS, Prober


def tick(
    prober: Prober, now: float, estimate: float = 1e6, demand: float = 4e6, *, allowed: bool = True, media: int = 0
) -> int:
    return prober.due(estimate, demand, allowed, media, now)


def train(prober: Prober, now: float, **kwargs: float) -> tuple[list[tuple[float, int]], float]:
    """Ticks of 20 ms until a train has begun and ended: (sent at, bytes) of each burst, and when it ended."""
    bursts = []
    for _ in range(1000):
        size = tick(prober, now, **kwargs)  # type: ignore[arg-type]
        if size:
            bursts.append((now, size))
        elif bursts:
            return bursts, now
        now += 0.02
    raise AssertionError("no train")


def answer(bursts: list[tuple[float, int]], bps: float, *, lost: int = 0) -> list[tuple[float, float, int]]:
    """What a path of ``bps`` makes of it, in packets of 600 bytes; the last ``lost`` of each burst do not come."""
    results = []
    free = 0.0
    for sent, size in bursts:
        count = max(1, round(size / 600))
        for part in range(count):
            free = max(free, sent) + 8 * 600 / bps
            results.append((sent, -1.0 if part >= count - lost else free + 0.05, 600))
    return results


def ask(prober: Prober, now: float, bps: float, **kwargs: float) -> tuple[float, bool] | None:
    bursts, end = train(prober, now, **kwargs)
    prober.on_results(answer(bursts, bps), end)
    found = prober.outcome(end + 1, 0.05, 0.0, end + 0.1)
    return None if found is None else (found.bps, found.limited)


def test_the_first_two_trains_are_at_twice_and_four_times() -> None:
    prober = Prober(0.0, 20e6)
    for factor in (2, 4):
        bursts, end = train(prober, 0.0 if factor == 2 else 1.0)
        sent = 8 * sum(size for _, size in bursts[1:]) / (bursts[-1][0] - bursts[0][0])
        assert sent == pytest.approx(factor * 1e6, rel=0.02)
        prober.on_results(answer(bursts, 20e6), end)
        found = prober.outcome(end, 0.05, 0.0, end)
        assert found is not None
        assert not found.limited
        assert found.bps == pytest.approx(factor * 1e6, rel=0.05)
    assert prober.succeeded == 2
    assert not prober.busy


def test_a_narrow_path_is_measured() -> None:
    prober = Prober(0.0, 20e6)
    found = ask(prober, 0.0, 1.3e6)
    assert found is not None
    assert found[1]
    assert found[0] == pytest.approx(0.95 * 1.3e6, rel=0.05)
    assert tick(prober, 0.5) == 0


def test_nothing_is_sent_beyond_demand() -> None:
    prober = Prober(0.0, 20e6)
    prober.backed_off(0.0)
    assert all(tick(prober, now / 50, demand=1e6) == 0 for now in range(500))
    bursts, _ = train(prober, 20.0, demand=1.2e6)
    sent = 8 * sum(size for _, size in bursts[1:]) / (bursts[-1][0] - bursts[0][0])
    assert sent == pytest.approx(1.5e6, rel=0.03)


def test_nothing_above_the_highest_rate() -> None:
    prober = Prober(0.0, 1e6)
    assert all(tick(prober, now / 50) == 0 for now in range(500))


def test_media_is_part_of_the_train() -> None:
    prober = Prober(0.0, 20e6)
    alone = tick(prober, 0.0)
    assert alone == pytest.approx(2e6 * 0.015 / 8, rel=0.01)
    assert tick(prober, 0.02, media=2000) == pytest.approx(3000, abs=2)
    assert tick(prober, 0.04, media=9000) == 0


def test_over_use_ends_it() -> None:
    prober = Prober(0.0, 20e6)
    assert tick(prober, 0.0) > 0
    assert tick(prober, 0.02, allowed=False) == 0
    assert not prober.busy


def test_a_back_off_lets_the_queue_drain_first() -> None:
    prober = Prober(0.0, 20e6)
    tick(prober, 0.0)
    prober.backed_off(0.1)
    assert not prober.busy
    assert all(tick(prober, 0.1 + step / 50) == 0 for step in range(49))
    assert tick(prober, 1.2) > 0


def test_ticks_that_come_too_soon_send_nothing() -> None:
    prober = Prober(0.0, 20e6)
    tick(prober, 0.0)
    assert tick(prober, 0.001) == 0


def test_trains_that_meet_the_limit_become_rarer_and_smaller() -> None:
    prober = Prober(0.0, 20e6)
    now = 0.0
    starts = []
    for _ in range(5):
        bursts, end = train(prober, now, estimate=1e6)
        starts.append(bursts[0][0])
        prober.on_results(answer(bursts, 1e6), end)
        assert prober.outcome(end, 0.05, 0.0, end) is not None
        now = end
    assert starts[-1] - starts[-2] == pytest.approx(MAX_INTERVAL_S, abs=0.3)
    assert prober.failed == 5
    prober.recovered(now)
    assert any(tick(prober, now + step / 50) for step in range(60)), "as soon as its share allows"


def test_padding_stays_within_its_share() -> None:
    prober = Prober(0.0, 20e6)
    prober.backed_off(0.0)
    now = 1.1
    spent = 0
    while now < 61:
        size = tick(prober, now, demand=20e6)
        spent += size
        if prober.busy and size:
            prober.on_results([(now, now + 0.05, size)], now)
        if prober.outcome(now, 0.05, 0.0, now) is not None:
            spent += 0
        now += 0.02
    assert 0 < 8 * spent < 2.5 * MAX_SHARE * 1e6 * 60


def test_no_answer_is_an_answer() -> None:
    prober = Prober(0.0, 20e6)
    _, end = train(prober, 0.0)
    assert prober.outcome(0.0, 0.05, 0.0, end + 0.5) is None
    assert prober.busy
    assert prober.outcome(0.0, 0.05, 0.0, end + 1.2) is None
    assert not prober.busy
    assert prober.failed == 1


def test_a_train_that_mostly_got_lost_says_nothing() -> None:
    prober = Prober(0.0, 20e6)
    bursts, end = train(prober, 0.0)
    results = [(sent, -1.0 if i % 3 else arrival, size) for i, (sent, arrival, size) in enumerate(answer(bursts, 20e6))]
    prober.on_results(results, end)
    assert prober.outcome(end, 0.05, 0.0, end) is None


def test_loss_beyond_the_usual_is_the_limit() -> None:
    for usual, limited in ((0.0, True), (0.2, False)):
        prober = Prober(0.0, 20e6)
        bursts, end = train(prober, 0.0)
        results = [
            (sent, -1.0 if i % 5 == 4 else arrival, size) for i, (sent, arrival, size) in enumerate(answer(bursts, 20e6))
        ]
        prober.on_results(results, end)
        found = prober.outcome(end, 0.05, usual, end)
        assert found is not None
        assert found.limited is limited


def test_a_compressed_train_is_not_believed() -> None:
    prober = Prober(0.0, 20e6)
    bursts, end = train(prober, 0.0)
    results = [(sent, 5.0 + i * 1e-5, 600) for i, (sent, _, _) in enumerate(answer(bursts, 20e6))]
    prober.on_results(results, end)
    assert prober.outcome(end, 0.05, 0.0, end) is None


def test_results_of_other_times_are_left_out() -> None:
    prober = Prober(5.0, 20e6)
    prober.on_results([(1.0, 2.0, 600)], 5.0)
    bursts, end = train(prober, 5.0)
    prober.on_results([(1.0, 2.0, 600), *answer(bursts, 20e6), (99.0, 99.1, 600)], end)
    found = prober.outcome(end, 0.05, 0.0, end)
    assert found is not None
    assert found.bps == pytest.approx(2e6, rel=0.05)


def test_a_train_after_which_nothing_is_sent_is_answered_soon() -> None:
    prober = Prober(0.0, 20e6)
    bursts, _ = train(prober, 0.0)
    prober.on_results(answer(bursts, 20e6), 0.1)
    last = bursts[-1][0]
    assert prober.outcome(last, 0.05, 0.0, last + 0.1) is None
    found = prober.outcome(last, 0.05, 0.0, last + 0.2)
    assert found is not None
    assert not found.limited


def test_a_train_that_over_use_ends_is_read_as_far_as_it_went() -> None:
    """It is what made the queue grow: its answer is what the path carries."""
    prober = Prober(0.0, 20e6)
    bursts = [(now, tick(prober, now)) for now in (step * 0.02 for step in range(MIN_STEPS))]
    assert tick(prober, MIN_STEPS * 0.02, allowed=False) == 0
    assert prober.busy
    prober.on_results(answer(bursts, 1.3e6), 0.1)
    found = prober.outcome(0.5, 0.05, 0.0, 0.3)
    assert found is not None
    assert found.limited
    assert found.bps == pytest.approx(0.95 * 1.3e6, rel=0.05)
    assert tick(prober, 0.4, allowed=False) == 0


def test_over_use_after_the_train_leaves_its_answer() -> None:
    prober = Prober(0.0, 20e6)
    bursts, end = train(prober, 0.0)
    assert tick(prober, end, allowed=False) == 0
    prober.on_results(answer(bursts, 20e6), end)
    assert prober.outcome(end + 1, 0.05, 0.0, end + 0.1) is not None


def test_after_a_back_off_the_step_is_smaller_until_one_is_carried() -> None:
    prober = Prober(0.0, 20e6)
    prober.backed_off(0.0)
    for expected, now in ((1.5e6, 1.1), (2e6, 9.0)):
        bursts, end = train(prober, now)
        sent = 8 * sum(size for _, size in bursts[1:]) / (bursts[-1][0] - bursts[0][0])
        assert sent == pytest.approx(expected, rel=0.03)
        prober.on_results(answer(bursts, 20e6), end)
        assert prober.outcome(end + 1, 0.05, 0.0, end + 0.1) is not None


def test_a_limit_well_above_the_estimate_is_followed_up_soon() -> None:
    prober = Prober(0.0, 20e6)
    prober.backed_off(-2.0)
    found = ask(prober, 0.0, 1.3e6, estimate=1e6)
    assert found is not None
    assert found[1]
    bursts, _ = train(prober, 0.3, estimate=found[0])
    assert bursts[0][0] < 1.5
