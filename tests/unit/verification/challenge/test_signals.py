"""Actions are seen against the person's own calm look, whole, and with plausible dynamics."""

import math
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.performer import Person
from verification.challenge.observation import Observation
from verification.challenge.policy import Limits
from verification.challenge.script import Action
from verification.challenge.signals import Baseline, Excursion, Performance, Watcher, baseline
from verification.types import Box

LIMITS = Limits()
CALM = Baseline(yaw=3.0, pitch=-2.0, scale=0.15, eyes=0.28, mouth=0.04)


def frame(index: int, fps: float = 10.0, **changes: object) -> Observation:
    seen = Observation(
        index=index, at_s=50 + index / fps, received_s=index / fps, sha256=bytes([index % 256]), width=640, height=480, faces=1,
        face_box=Box(0, 0, 1, 1), scale=0.15, yaw=3.0, pitch=-2.0, roll=0.0, eyes=0.28, mouth=0.04,
    )  # fmt: skip
    return replace(seen, **changes)


def watch(frames: Iterable[Observation], calm: Baseline = CALM) -> list[Performance]:
    watcher = Watcher(calm, LIMITS)
    return [done for one in frames for done in watcher.feed(one)]


def hill(name: str, base: float, height: float, seconds: float, fps: float = 10.0) -> list[Observation]:
    """Half a second calm, a smooth excursion, half a second calm."""
    lead, body = int(0.5 * fps), int(seconds * fps)
    values = (
        [base] * lead + [base + height * math.sin(math.pi * (n + 1) / (body + 1)) ** 2 for n in range(body)] + [base] * lead
    )
    return [frame(index, fps, **{name: value}) for index, value in enumerate(values)]


WHOLE = [
    (Action.TURN_LEFT, "yaw", 3.0, 25.0, 1.2),
    (Action.TURN_RIGHT, "yaw", 3.0, -25.0, 1.2),
    (Action.NOD, "pitch", -2.0, -16.0, 0.9),
    (Action.NOD, "pitch", -2.0, 16.0, 0.9),
    (Action.BLINK, "eyes", 0.28, -0.26, 0.4),
    (Action.OPEN_MOUTH, "mouth", 0.04, 0.5, 1.0),
]


@pytest.mark.parametrize(("action", "name", "base", "height", "seconds"), WHOLE)
def test_seen_whole_and_only_that(action: Action, name: str, base: float, height: float, seconds: float) -> None:
    (done,) = watch(hill(name, base, height, seconds))
    assert done.action is action
    assert 0.5 <= done.began_s <= 0.8
    assert done.ended_s <= 0.6 + seconds
    assert done.lasted_s == pytest.approx(done.ended_s - done.began_s)
    assert done.peak > 0.4 * abs(height)


@pytest.mark.parametrize(("action", "name", "base", "height", "seconds"), WHOLE)
def test_too_little_is_nothing(action: Action, name: str, base: float, height: float, seconds: float) -> None:
    assert watch(hill(name, base, height * 0.4, seconds)) == []


@pytest.mark.parametrize(("action", "name", "base", "height", "seconds"), WHOLE)
def test_without_a_calm_start_or_end_it_is_not_whole(
    action: Action, name: str, base: float, height: float, seconds: float
) -> None:
    frames = hill(name, base, height, seconds)
    peak = max(range(len(frames)), key=lambda index: abs(getattr(frames[index], name) - base))
    assert watch(frames[peak:]) == []
    assert watch(frames[: peak + 1]) == []


@pytest.mark.parametrize(("name", "height"), [("yaw", 25.0), ("pitch", 16.0), ("mouth", 0.5)])
def test_two_stills_shown_in_turn_are_no_movement(name: str, height: float) -> None:
    base = getattr(frame(0), name)
    values = [base] * 5 + [base + height] * 8 + [base] * 5
    assert watch(frame(index, **{name: value}) for index, value in enumerate(values)) == []


@pytest.mark.parametrize(("name", "height"), [("yaw", 25.0), ("pitch", 16.0), ("mouth", 0.5)])
@pytest.mark.parametrize("least", [0.82, 0.9])
def test_a_still_that_shakes_is_no_movement(name: str, height: float, least: float) -> None:
    """A switch to another still and back, whose values tremble by a tenth or a fifth: nothing lies half way."""
    base = getattr(frame(0), name)
    values = [base] * 5 + [base + height * (1.0 if index % 2 else least) for index in range(8)] + [base] * 5
    assert watch(frame(index, **{name: value}) for index, value in enumerate(values)) == []


@pytest.mark.parametrize(("name", "height"), [("yaw", 25.0), ("pitch", 16.0), ("mouth", 0.5), ("eyes", -0.27)])
def test_too_long_is_a_way_to_sit(name: str, height: float) -> None:
    assert watch(hill(name, getattr(frame(0), name), height, 12.0)) == []


def test_too_quick_is_noise() -> None:
    assert watch(hill("yaw", 3.0, 25.0, 0.15, fps=20)) == []
    assert watch(hill("pitch", -2.0, 16.0, 0.15, fps=20)) == []


def test_closer_must_stay_and_grow() -> None:
    grow = [0.15 * (1 + 0.4 * min(1.0, max(0.0, (n - 5) / 8))) for n in range(25)]
    (done,) = watch(frame(index, scale=scale) for index, scale in enumerate(grow))
    assert done.action is Action.COME_CLOSER
    assert done.peak >= LIMITS.closer - 1
    jump = [0.15] * 5 + [0.21] * 20
    assert watch(frame(index, scale=scale) for index, scale in enumerate(jump)) == []
    touch = [0.15] * 5 + [0.165, 0.18, 0.19, 0.165, 0.15] + [0.15] * 10
    assert watch(frame(index, scale=scale) for index, scale in enumerate(touch)) == []
    waver = [0.15] * 5 + [0.16, 0.175, 0.19, 0.16, 0.16, 0.16, 0.16, 0.15]
    assert watch(frame(index, scale=scale) for index, scale in enumerate(waver)) == []


def test_after_coming_closer_that_is_the_new_distance() -> None:
    watcher = Watcher(CALM, LIMITS)
    grow = [0.15 * (1 + 0.4 * min(1.0, max(0.0, (n - 5) / 8))) for n in range(60)]
    done = [one for index, scale in enumerate(grow) for one in watcher.feed(frame(index, scale=scale))]
    assert len(done) == 1
    assert watcher.baseline.scale > 0.18


def test_who_sits_nearer_for_long_sits_there_now() -> None:
    watcher = Watcher(CALM, LIMITS)
    for index in range(70):
        assert watcher.feed(frame(index, scale=0.15 if index < 3 else 0.165)) == []
    assert watcher.baseline.scale == 0.165


def test_unseen_for_long_is_not_known() -> None:
    frames = hill("yaw", 3.0, 25.0, 1.2)
    gone = [replace(one, faces=0, yaw=None) if 9 <= index <= 17 else one for index, one in enumerate(frames)]
    assert watch(gone) == []
    for index in (9, 11):
        frames[index] = replace(frames[index], faces=0, yaw=None)
    assert [done.action for done in watch(frames)] == [Action.TURN_LEFT]


def test_a_turn_is_no_blink_and_no_nod() -> None:
    frames = [replace(one, eyes=0.1, pitch=-14.0) if abs(one.yaw - 3.0) > 21.5 else one for one in hill("yaw", 3.0, 27.0, 1.4)]
    assert [done.action for done in watch(frames)] == [Action.TURN_LEFT]


def test_a_pack_without_mesh_sees_neither_eyes_nor_mouth() -> None:
    frames = [replace(one, eyes=None, mouth=None) for one in hill("yaw", 3.0, 25.0, 1.2)]
    bare = baseline(frames[:4])
    assert bare == Baseline(3.0, -2.0, 0.15, None, None)
    assert [done.action for done in watch(frames, bare)] == [Action.TURN_LEFT]
    assert Watcher(bare, LIMITS).calm(frames[0])


def test_baseline_is_the_median() -> None:
    frames = [frame(n, yaw=float(n), eyes=0.1 * n if n else None) for n in range(5)]
    assert baseline(frames) == Baseline(2.0, -2.0, 0.15, pytest.approx(0.25), 0.04)
    with pytest.raises(ValueError, match="usable"):
        baseline([])
    with pytest.raises(ValueError, match="usable"):
        baseline([frame(0, faces=2)])


def test_calm_is_calm_in_everything() -> None:
    watcher = Watcher(CALM, LIMITS)
    assert watcher.calm(frame(0))
    for away in ({"yaw": 12.0}, {"yaw": -8.0}, {"pitch": 8.0}, {"pitch": -10.0}, {"eyes": 0.15}, {"mouth": 0.3}, {"faces": 2}):
        assert not watcher.calm(frame(0, **away)), away


def test_active_while_it_lasts() -> None:
    watcher = Watcher(CALM, LIMITS)
    states = []
    for one in hill("yaw", 3.0, 25.0, 1.2):
        watcher.feed(one)
        states.append(watcher.reach(Action.TURN_LEFT) > 0)
    assert not states[0]
    assert any(states)
    assert not states[-1]


@given(st.lists(st.one_of(st.none(), st.floats(-60, 60)), max_size=60))
def test_any_values_end_in_whole_performances(values: list[float | None]) -> None:
    detector = Excursion(Action.TURN_LEFT, calm=8, far=14, lasting=(0.25, 4.5))
    for index, value in enumerate(values):
        done = detector.feed(value, index / 10, index / 10)
        if done is not None:
            assert done.peak >= 14
            assert 0.25 <= done.lasted_s <= 4.5
            assert not detector.active


def test_the_performer_does_what_its_plan_says() -> None:
    person = Person(seed=3)
    person.plan = [
        (1.0, Action.TURN_LEFT),
        (4.0, Action.BLINK),
        (6.0, Action.NOD),
        (8.0, Action.OPEN_MOUTH),
        (10.0, Action.COME_CLOSER),
    ]
    frames = [person.frame(index, index / 12.5) for index in range(150)]
    done = watch(frames[8:], baseline(frames[:8]))
    assert [one.action for one in done] == [action for _, action in person.plan]
