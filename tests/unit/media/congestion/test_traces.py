"""The whole of congestion control over simulated paths. Figures are asserted with some room; docs/congestion.md has plots."""

import pytest

from tests.support.netsim import CAMERA, Path, Simulation, Trace, steps

STEP = steps((0, 2.5e6), (20, 0.6e6), (40, 2.5e6))
SEEDS = (1, 2, 3)


@pytest.mark.parametrize("seed", SEEDS)
def test_step_down_and_up(seed: int) -> None:
    trace = Simulation(Path(STEP), seed=seed).run(60)
    assert trace.first(trace.estimate, 0.8 * 2.5e6, 0) <= 5
    assert trace.utilisation(8, 20) >= 0.8
    assert trace.first_below(trace.estimate, 0.7e6, 20) <= 1.0
    assert trace.utilisation(22, 40) >= 0.75
    assert trace.delay_p95(3, 20) <= 0.15
    assert trace.delay_p95(20, 40) <= 0.2
    assert trace.delay_p95(22, 40) <= 0.15
    assert trace.first(trace.estimate, 0.85 * 2.5e6, 40) <= 8


@pytest.mark.parametrize("seed", SEEDS)
def test_step_with_layers(seed: int) -> None:
    """Three simulcast cameras: nobody dark at 0.6 Mbit/s, the tallest layer back within 8 s."""
    trace = Simulation(Path(STEP), cameras=(720, 180, 180), seed=seed).run(60)
    assert trace.least([min(levels) for levels in trace.levels], 22, 40) >= 0  # type: ignore[arg-type]
    assert trace.first([levels[0] // 2 for levels in trace.levels], CAMERA.index(CAMERA[4]) // 2, 40) <= 8
    assert trace.mean(trace.held, 45, 60) == 0  # type: ignore[arg-type]
    assert trace.delay_p95(22, 60) <= 0.15


@pytest.mark.parametrize("seed", SEEDS)
def test_the_high_layer_is_soon_back_after_a_narrow_moment(seed: int) -> None:
    trace = Simulation(Path(steps((0, 3e6), (8, 0.3e6), (20, 3e6)), queue_s=0.64), cameras=(720,), seed=seed).run(27)
    assert trace.first([levels[0] // 2 for levels in trace.levels], CAMERA.index(CAMERA[4]) // 2, 20) <= 6
    assert max(estimate for at, estimate in zip(trace.times, trace.estimate, strict=True) if 9.5 <= at < 20) <= 1.2 * 0.3e6
    assert trace.mean(trace.padding, 11, 20) <= 0.1 * 0.3e6


def test_ramp() -> None:
    trace = Simulation(Path(lambda at: 0.3e6 + 3e6 * (at if at < 30 else 60 - at) / 30)).run(60)
    assert trace.utilisation(5, 60) >= 0.75
    assert trace.delay_p95(3, 60) <= 0.15


def test_on_off_each_five_seconds() -> None:
    """While nothing is sent the estimate neither falls nor grows; when it starts again the path is used at once."""
    trace = Simulation(Path(lambda _: 2e6), demand=lambda at: 20e6 if int(at / 5) % 2 == 0 else 0).run(60)
    for start in (5, 15, 25, 35, 45, 55):
        assert trace.least(trace.estimate, start + 0.5, start + 5) >= 1e6
        assert trace.mean(trace.estimate, start + 4, start + 5) <= 1.1 * trace.mean(trace.estimate, start, start + 1)
    for start in (20, 30, 40, 50):
        assert trace.utilisation(start + 0.5, start + 5) >= 0.65
    assert trace.delay_p95(3, 60) <= 0.15


@pytest.mark.parametrize(("bps", "queue_s"), [(3e6, 0.1), (3e6, 0.3), (1e6, 0.3), (10e6, 0.2)])
def test_a_competing_flow_starves_nobody(bps: float, queue_s: float) -> None:
    trace = Simulation(Path(lambda _: bps, queue_s=queue_s), competing=(15, 60)).run(75)
    assert trace.mean(trace.arrived, 25, 60) >= 0.2 * bps
    assert trace.mean(trace.other, 25, 60) >= 0.2 * bps
    assert trace.utilisation(68, 75) >= 0.75


@pytest.mark.parametrize("seed", SEEDS)
def test_300_kbit_s(seed: int) -> None:
    """Sound whole, never waiting in the pacer, and at least the lowest layer of the first picture."""
    trace = Simulation(Path(lambda _: 0.3e6), cameras=(720, 360), seed=seed).run(40)
    assert trace.least([levels[0] for levels in trace.levels], 3, 40) >= 0  # type: ignore[arg-type]
    assert trace.mean(trace.estimate, 3, 40) <= 0.4e6
    assert trace.delay_p95(3, 40) <= 0.15


@pytest.mark.parametrize(("loss", "least_bps"), [(0.05, 2.4e6), (0.1, 2.2e6), (0.2, 1.2e6)])
def test_random_loss_with_enough_capacity(loss: float, least_bps: float) -> None:
    trace = Simulation(Path(lambda _: 3e6, loss=loss), cameras=(720, 180)).run(40)
    assert trace.mean(trace.estimate, 8, 40) >= least_bps
    assert trace.least(trace.estimate, 8, 40) >= 0.2 * least_bps
    assert trace.mean([min(levels) for levels in trace.levels], 8, 40) >= 0  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", SEEDS)
def test_far_away_with_jitter(seed: int) -> None:
    trace = Simulation(Path(lambda _: 2e6, delay_s=0.2, jitter_s=0.03), seed=seed).run(40)
    assert trace.utilisation(8, 40) >= 0.75
    assert trace.delay_p95(3, 40) <= 0.15


def test_feedback_gets_lost() -> None:
    trace = Simulation(Path(lambda _: 2e6, feedback_loss=0.3)).run(40)
    assert trace.utilisation(8, 40) >= 0.75
    assert trace.delay_p95(3, 40) <= 0.15


def test_feedback_stops_and_comes_back() -> None:
    trace = Simulation(Path(lambda _: 2e6, feedback_dead=(15, 20))).run(40)
    assert trace.first_below(trace.estimate, 0.2e6, 15) <= 4
    assert trace.first(trace.estimate, 0.6 * 2e6, 20) <= 3
    assert trace.utilisation(25, 40) >= 0.75


def test_a_shallow_queue_shows_loss_instead_of_delay() -> None:
    trace = Simulation(Path(lambda _: 1.5e6, queue_s=0.03)).run(40)
    assert trace.utilisation(8, 40) >= 0.7
    sent = trace.mean(trace.sent, 8, 40) + trace.mean(trace.padding, 8, 40)
    assert trace.mean(trace.arrived, 8, 40) >= 0.85 * sent


def test_padding_is_a_small_part() -> None:
    trace: Trace = Simulation(Path(STEP), cameras=(720, 180, 180)).run(60)
    assert trace.mean(trace.padding, 2, 60) <= 0.05 * trace.mean(trace.capacity, 2, 60)


def test_the_same_seed_the_same_trace() -> None:
    one, two = (Simulation(Path(STEP, loss=0.02, jitter_s=0.01), seed=9).run(5) for _ in range(2))
    assert one == two
