"""Who gets which layer: order, sizes, bounds, and that nothing flaps."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.congestion.allocate import (
    GRACE_BPS,
    HOLD_AFTER_S,
    MAX_UP_AFTER_S,
    SOON_BEFORE_S,
    SOON_S,
    UP_AFTER_S,
    Allocation,
    Allocator,
    Layer,
    Want,
    usable,
)

VOICE = Want("mic", "audio", 0, False, (Layer("", 0, 48_000, 0),))
LAYERS = (
    Layer("l", 0, 90_000, 180), Layer("l", 1, 150_000, 180), Layer("m", 0, 300_000, 360), Layer("m", 1, 500_000, 360),
    Layer("h", 0, 900_000, 720), Layer("h", 1, 1_500_000, 720),
)  # fmt: skip


def camera(key: str, height: int = 720, *, speaking: bool = False) -> Want:
    return Want(key, "camera", height, speaking, LAYERS)


def screen(key: str = "screen", bps: int = 1_000_000) -> Want:
    return Want(key, "screen", 1080, False, (Layer("", 0, bps, 1080),))


def given_to(allocation: Allocation) -> dict[object, str | None]:
    return {key: f"{c.layer.rid}{c.layer.temporal}" if c.layer else None for key, c in allocation.choices.items()}


def level(allocation: Allocation, key: str) -> tuple[str, int] | None:
    layer = allocation.choices[key].layer
    return (layer.rid, layer.temporal) if layer else None


def first(wants: list[Want], budget: float) -> dict[object, str | None]:
    return given_to(Allocator().allocate(wants, budget, 0.0))


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        (40_000, {"mic": "0", "a": None, "b": None}),
        (150_000, {"mic": "0", "a": "l0", "b": None}),
        (300_000, {"mic": "0", "a": "l1", "b": "l0"}),
        (700_000, {"mic": "0", "a": "m1", "b": "l1"}),
        (2_000_000, {"mic": "0", "a": "h1", "b": "m0"}),
        (9_000_000, {"mic": "0", "a": "h1", "b": "h1"}),
    ],
)
def test_the_speaker_first_but_nobody_twice_before_all_have_one(budget: int, expected: dict[str, str]) -> None:
    assert first([VOICE, camera("b"), camera("a", speaking=True)], budget) == expected


def test_a_screen_comes_before_the_speaker() -> None:
    wants = [VOICE, camera("a", speaking=True), screen()]
    assert first(wants, 1_100_000) == {"mic": "0", "a": None, "screen": "0"}
    assert first(wants, 1_190_000) == {"mic": "0", "a": "l0", "screen": "0"}


def test_what_does_not_fit_does_not_stop_what_does() -> None:
    assert first([VOICE, camera("a"), screen()], 500_000) == {"mic": "0", "a": "m0", "screen": None}


def test_others_are_raised_in_turn() -> None:
    assert first([camera("a"), camera("b"), camera("c")], 460_000) == {"a": "l1", "b": "l1", "c": "l1"}


def test_no_layer_taller_than_its_slot_needs() -> None:
    wants = [camera("tiny", 90), camera("small", 180), camera("mid", 400), camera("odd", 380)]
    assert first(wants, 20e6) == {"tiny": "l1", "small": "l1", "mid": "m1", "odd": "m1"} | {"mid": "m1"}
    assert first([camera("big", 401)], 20e6) == {"big": "h1"}
    assert first([camera("huge", 2160)], 20e6) == {"huge": "h1"}


def test_what_is_not_seen_costs_nothing() -> None:
    allocation = Allocator().allocate([VOICE, camera("a", 0), Want("none", "camera", 720, False, ())], 1e6, 0.0)
    assert allocation.total_bps == 48_000
    assert allocation.demand_bps == 48_000
    assert allocation.held == 0
    assert not allocation.choices["a"].held
    assert allocation.choices["a"].reason == "unseen"


def test_why_and_how_much() -> None:
    allocation = Allocator().allocate([VOICE, camera("a"), camera("b", 180)], 250_000, 0.0)
    assert (allocation.total_bps, allocation.demand_bps, allocation.held) == (48_000 + 180_000, 48_000 + 1_650_000, 0)
    assert allocation.choices["a"].reason == "bandwidth"
    assert Allocator().allocate([camera("a", 180)], 9e6, 0.0).choices["a"].reason == "size"
    assert Allocator().allocate([camera("a")], 1e4, 0.0).choices["a"].held


def test_layers_that_cost_more_and_give_less_are_passed_over() -> None:
    want = Want(
        "a", "camera", 720, False, (Layer("l", 0, 500_000, 180), Layer("m", 0, 300_000, 360), Layer("h", 0, 900_000, 720))
    )
    assert [layer.rid for layer in usable(want)] == ["m", "h"]


class TestOverTime:
    def test_up_after_two_seconds_with_room_to_spare(self) -> None:
        allocator = Allocator()
        wants = [VOICE, camera("a")]
        assert given_to(allocator.allocate(wants, 400_000, 0.0))["a"] == "m0"
        for step in range(50):
            assert given_to(allocator.allocate(wants, 560_000, step * 0.1))["a"] == "m0", "fits, but not with a margin"
        for step in range(20):
            assert given_to(allocator.allocate(wants, 640_000, 5 + step * 0.1))["a"] == "m0"
        assert given_to(allocator.allocate(wants, 640_000, 5 + UP_AFTER_S))["a"] == "m1"

    def test_down_at_once(self) -> None:
        allocator = Allocator()
        wants = [VOICE, camera("a"), camera("b", 180)]
        allocator.allocate(wants, 4e6, 0.0)
        assert given_to(allocator.allocate(wants, 250_000, 0.02)) == {"mic": "0", "a": "l0", "b": "l0"}

    def test_a_dip_starts_the_wait_again(self) -> None:
        allocator = Allocator()
        wants = [camera("a")]
        allocator.allocate(wants, 200_000, 0.0)
        allocator.allocate(wants, 3e6, 1.0)
        allocator.allocate(wants, 200_000, 2.9)
        assert given_to(allocator.allocate(wants, 3e6, 3.1))["a"] == "l1"
        assert given_to(allocator.allocate(wants, 3e6, 5.2))["a"] == "h1"

    def test_held_comes_back_as_soon_as_it_fits_for_two_seconds(self) -> None:
        allocator = Allocator()
        wants = [VOICE, camera("a"), camera("b")]
        allocator.allocate(wants, 220_000, 0.0)
        assert given_to(allocator.allocate(wants, 230_000, 1.0))["b"] is None
        assert given_to(allocator.allocate(wants, 230_000, 3.1)) == {"mic": "0", "a": "l0", "b": "l0"}

    def test_a_newcomer_gets_at_once_what_fits(self) -> None:
        allocator = Allocator()
        allocator.allocate([camera("a")], 1e6, 0.0)
        assert given_to(allocator.allocate([camera("a"), camera("b")], 1e6, 0.1)) == {"a": "m1", "b": "m1"}
        assert given_to(allocator.allocate([camera("a")], 1e6, 0.2)) == {"a": "m1"}

    def test_a_slot_made_smaller_follows_at_once(self) -> None:
        allocator = Allocator()
        allocator.allocate([camera("a")], 9e6, 0.0)
        assert given_to(allocator.allocate([camera("a", 180)], 9e6, 0.1))["a"] == "l1"

    def test_a_raise_in_vain_says_nothing_where_there_is_much_more(self) -> None:
        allocator = Allocator()
        wants = [camera("a")]
        allocator.allocate(wants, 200_000, 0.0)
        now = 0.0
        for wait in (UP_AFTER_S, 2 * UP_AFTER_S):
            allocator.allocate(wants, 400_000, now + 0.1)
            assert given_to(allocator.allocate(wants, 400_000, now + wait))["a"] == "l1"
            assert given_to(allocator.allocate(wants, 400_000, now + wait + 0.2))["a"] == "m0"
            now += wait + 1
            assert given_to(allocator.allocate(wants, 200_000, now))["a"] == "l1"
        allocator.allocate(wants, 2e6, now + 0.1)
        assert given_to(allocator.allocate(wants, 2e6, now + UP_AFTER_S))["a"] == "l1"
        assert given_to(allocator.allocate(wants, 2e6, now + UP_AFTER_S + 0.2))["a"] == "h1"

    def test_what_is_about_to_be_raised_is_named_before(self) -> None:
        allocator = Allocator()
        wants = [camera("a")]
        allocator.allocate(wants, 200_000, 0.0)
        assert allocator.allocate(wants, 2e6, 1.0).soon == {}
        assert allocator.allocate(wants, 2e6, 1.1 + UP_AFTER_S - SOON_BEFORE_S).soon == {"a": LAYERS[5]}
        assert allocator.allocate(wants, 200_000, 2.0).soon == {}

    def test_each_relapse_makes_the_next_wait_longer_and_calm_shorter(self) -> None:
        allocator = Allocator()
        wants = [camera("a")]
        allocator.allocate(wants, 500_000, 0.0)
        now = 0.0
        waits = []
        for _ in range(5):
            start = now
            while given_to(allocator.allocate(wants, 1.9e6, now))["a"] != "h1":
                now += 0.1
            waits.append(now - start)
            now += 0.5
            allocator.allocate(wants, 500_000, now)
        assert waits == [pytest.approx(wait, abs=0.3) for wait in (2, 4, 8, 16, MAX_UP_AFTER_S)]
        now += 100
        allocator.allocate(wants, 500_000, now)
        allocator.allocate(wants, 1.9e6, now + 0.1)
        assert given_to(allocator.allocate(wants, 1.9e6, now + 2.2))["a"] == "h1"

    def test_a_path_that_changed_was_not_tried_in_vain(self) -> None:
        """What was raised on a wide path and lowered because the path became narrow is raised again as the first time."""
        allocator = Allocator()
        wants = [camera("a")]
        allocator.allocate(wants, 500_000, 0.0)
        now = 0.0
        for _ in range(3):
            start = now
            while given_to(allocator.allocate(wants, 6e6, now))["a"] != "h1":
                now += 0.1
            assert now - start == pytest.approx(UP_AFTER_S, abs=0.3)
            now += 0.5
            allocator.allocate(wants, 300_000, now)


wants_strategy = st.lists(
    st.tuples(
        st.sampled_from(["audio", "screen", "camera", "camera"]),
        st.sampled_from([0, 90, 180, 360, 720, 1080]),
        st.booleans(),
        st.lists(
            st.tuples(
                st.sampled_from("lmh"), st.integers(0, 2), st.integers(0, 3_000_000), st.sampled_from([0, 180, 360, 720])
            ),
            max_size=6,
        ),
    ),
    max_size=8,
).map(
    lambda rows: [
        Want(i, kind, height, speaking, tuple(Layer(*layer) for layer in layers))  # type: ignore[arg-type]
        for i, (kind, height, speaking, layers) in enumerate(rows)
    ]
)


def sound(wants: list[Want]) -> int:
    return sum(usable(want)[-1].bitrate_bps for want in wants if want.kind == "audio" and want.layers)


@given(wants_strategy, st.lists(st.tuples(st.integers(0, 6_000_000), st.floats(0, 4)), min_size=1, max_size=12))
def test_never_more_than_the_budget_but_for_sound_and_a_moment_of_grace(
    wants: list[Want], budgets: list[tuple[int, float]]
) -> None:
    allocator = Allocator()
    now = 0.0
    for budget, later in budgets:
        now += later
        allocation = allocator.allocate(wants, budget, now)
        beyond = sum(choice.layer.bitrate_bps for choice in allocation.choices.values() if choice.layer)
        assert beyond <= max(budget, sound(wants)) + GRACE_BPS
        settled = Allocator().allocate(wants, budget, now)
        assert settled.total_bps <= max(budget, sound(wants))
        assert allocation.total_bps == sum(c.layer.bitrate_bps for c in allocation.choices.values() if c.layer)
        assert allocation.total_bps <= allocation.demand_bps
        assert set(allocation.choices) == {want.key for want in wants}
        for want in wants:
            layer = allocation.choices[want.key].layer
            assert layer is None or layer in usable(want)
            assert layer is not None or want.kind != "audio" or not want.layers


def test_a_picture_is_held_only_after_a_sustained_shortage_and_is_soon_back() -> None:
    allocator = Allocator()
    want = camera("a", 720)
    assert level(allocator.allocate([want], 3_000_000, 0.0), "a") == ("h", 1)
    for step in range(int(HOLD_AFTER_S * 10)):
        assert level(allocator.allocate([want], 50_000, 1.0 + step / 10), "a") == ("l", 0)
    assert level(allocator.allocate([want], 50_000, 1.0 + HOLD_AFTER_S), "a") is None
    assert level(allocator.allocate([want], 3_000_000, 20.0), "a") is None
    assert level(allocator.allocate([want], 3_000_000, 20.01 + SOON_S), "a") == ("h", 1)


def test_a_short_shortage_holds_nobody_and_the_next_begins_anew() -> None:
    allocator = Allocator()
    want = camera("a", 720)
    allocator.allocate([want], 3_000_000, 0.0)
    for start in (1.0, 10.0):
        for at in (start, start + HOLD_AFTER_S - 0.1):
            assert level(allocator.allocate([want], 50_000, at), "a") == ("l", 0)
        assert level(allocator.allocate([want], 120_000, start + 3), "a") == ("l", 0)


def test_a_picture_that_is_drawn_taller_is_soon_better() -> None:
    allocator = Allocator()
    assert level(allocator.allocate([camera("a", 180)], 3_000_000, 0.0), "a") == ("l", 1)
    assert level(allocator.allocate([camera("a", 720)], 3_000_000, 1.0), "a") == ("l", 1)
    assert level(allocator.allocate([camera("a", 720)], 3_000_000, 1.01 + SOON_S), "a") == ("h", 1)


def test_grace_ends_where_it_would_be_much_beyond_the_budget() -> None:
    allocator = Allocator()
    only = Want("s", "screen", 1080, False, (Layer("", 3, GRACE_BPS + 1, 1080),))
    allocator.allocate([only], 3_000_000, 0.0)
    assert allocator.allocate([only], 50_000, 1.0).choices["s"].held


@given(wants_strategy, st.integers(0, 6_000_000), st.integers(0, 6_000_000))
def test_more_budget_never_means_less_in_the_order_of_importance(wants: list[Want], one: int, two: int) -> None:
    low, high = sorted((one, two))
    ranked = sorted(
        (want for want in wants if want.kind != "audio" and usable(want)),
        key=lambda want: (want.kind != "screen", not want.speaking, -want.slot_height),
    )

    def shown(budget: int) -> list[bool]:
        choices = Allocator().allocate(wants, budget, 0.0).choices
        return [choices[want.key].layer is not None for want in ranked]

    assert shown(low) <= shown(high)


@settings(max_examples=60)
@given(wants_strategy, st.lists(st.integers(0, 6_000_000), max_size=5), st.integers(0, 6_000_000))
def test_a_steady_budget_settles(wants: list[Want], before: list[int], budget: int) -> None:
    """Whatever came before: no picture goes down after the first moment, and soon nothing moves any more."""
    allocator = Allocator()
    now = 0.0
    for other in before:
        now += 1.0
        allocator.allocate(wants, other, now)
    seen: list[dict[object, int]] = []
    for _ in range(400):
        now += 0.1
        choices = allocator.allocate(wants, budget, now).choices
        seen.append({key: choice.layer.bitrate_bps if choice.layer else -1 for key, choice in choices.items()})
    assert all(row == seen[-1] for row in seen[200:])
    downs = {key: sum(b[key] < a[key] for a, b in itertools.pairwise(seen)) for key in seen[0]}
    assert all(count <= 1 for count in downs.values())


@given(wants_strategy, st.integers(0, 6_000_000))
def test_same_calls_same_answers(wants: list[Want], budget: int) -> None:
    assert Allocator().allocate(wants, budget, 1.0) == Allocator().allocate(wants, budget, 1.0)
