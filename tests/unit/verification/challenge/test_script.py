"""Scripts: fixed by the nonce, only what the pack sees, enough of them."""

import itertools
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from verification.challenge.policy import ChallengePolicy, Light, Limits, PolicyInvalid, limits_of
from verification.challenge.script import Action, askable, different, draw_script, replacements
from verification.models.pack import ComparisonThresholds, OperatingPoint, PadThresholds, Thresholds
from verification.types import Ability

NONCES = st.binary(min_size=16, max_size=32)
ALL = frozenset(Ability)
ACTIONS = [ability for ability in Ability if ability is not Ability.COLOURS]


@given(NONCES, st.sets(st.sampled_from(ACTIONS)), st.integers(1, 5), st.integers(0, 3), st.sampled_from(Light))
def test_what_a_script_asks_for(nonce: bytes, abilities: set[Ability], count: int, strong: int, light: Light) -> None:
    assume(strong <= count)
    policy = ChallengePolicy(actions=count, actions_without_light=count, strong=strong, light=light, scripts=1)
    sees = frozenset(abilities) | {Ability.COLOURS}
    if len(askable(sees, policy)) < count:
        with pytest.raises(PolicyInvalid, match="different actions"):
            draw_script(nonce, sees, policy)
        return
    script = draw_script(nonce, sees, policy)
    assert script == draw_script(nonce, sees, policy)
    first = replacements(script, policy, 0, [step.action for step in script.actions])
    second = replacements(script, policy, 1, [step.action for step in (*script.actions, *first)])
    spares = (*first, *second)
    assert first == replacements(script, policy, 0, [step.action for step in script.actions])
    assert replacements(script, policy, policy.replacements, []) == ()
    asked = [step.action for step in (*script.actions, *spares)]
    assert len(script.actions) == count
    assert len(first) == min(2, len(script.choice) - count)
    assert len(set(asked)) == len(asked)
    assert all(Ability(action.value) in sees for action in asked)
    assert sum(step.action is not Action.BLINK for step in script.actions) >= strong
    assert all(step.deadline_s == policy.action_s and 0.3 <= step.gap_s <= 0.9 for step in (*script.actions, *spares))
    assert bool(script.colours) == script.warning == (light is not Light.NONE)
    assert script.light is light
    assert (script.light_s > 0) == script.warning


def test_every_order_comes() -> None:
    policy = ChallengePolicy()
    rows = Counter(
        tuple(step.action for step in draw_script(number.to_bytes(16, "big"), ALL, policy).actions) for number in range(1200)
    )
    assert len(rows) == 120  # 6 · 5 · 4


def test_hash_is_of_all_of_it() -> None:
    hashes = {draw_script(number.to_bytes(16, "big"), ALL, ChallengePolicy()).hash for number in range(200)}
    assert len(hashes) == 200
    one = draw_script(bytes(16), ALL, ChallengePolicy())
    assert one.hash != draw_script(bytes(16), ALL, ChallengePolicy(action_s=6.0)).hash
    assert one.hash != draw_script(bytes(16), ALL, ChallengePolicy(light=Light.SLOW)).hash
    assert len(bytes.fromhex(one.hash)) == 32


def test_a_hash_is_not_found_by_trying_scripts() -> None:
    """The same content of another nonce is another hash: who is told one cannot look for the script that has it."""
    policy = ChallengePolicy(actions=1, strong=1, gap_s=(0.3, 0.3), light=Light.NONE, actions_without_light=1, scripts=1)
    turns = frozenset({Ability.TURN_LEFT, Ability.COLOURS})
    one, other = draw_script(bytes(16), turns, policy), draw_script(bytes([1] * 16), turns, policy)
    assert one.actions == other.actions
    assert one.hash != other.hash


def test_what_replaces_is_drawn_when_it_is_wanted() -> None:
    """Nothing of a script says what would be asked instead, but for who has its reserve; every action comes, and it depends on what was asked until then."""
    policy, asked = ChallengePolicy(), [Action.TURN_LEFT, Action.NOD, Action.COME_CLOSER]
    scripts = [draw_script(number.to_bytes(16, "big"), ALL, policy) for number in range(200)]
    assert all(script.reserve.hex() not in repr(script) for script in scripts)
    drawn = [tuple(step.action for step in replacements(script, policy, 0, asked)) for script in scripts]
    assert Counter(drawn).keys() == set(itertools.permutations((Action.TURN_RIGHT, Action.BLINK, Action.OPEN_MOUTH), 2))
    again = [tuple(step.action for step in replacements(script, policy, 1, asked)) for script in scripts]
    assert drawn != again


def test_how_many_there_are() -> None:
    assert different(ALL, ChallengePolicy()) == 120 * 960
    assert different(ALL, ChallengePolicy(light=Light.NONE)) == 720
    base = frozenset({Ability.TURN_LEFT, Ability.TURN_RIGHT, Ability.COME_CLOSER, Ability.COLOURS})
    assert different(base, ChallengePolicy()) == 6 * 960
    with pytest.raises(PolicyInvalid, match="too few different"):
        draw_script(bytes(16), base, ChallengePolicy(scripts=10_000))
    with pytest.raises(PolicyInvalid, match="this pack sees 3"):
        draw_script(bytes(16), base, ChallengePolicy(light=Light.NONE))
    rows = {
        tuple(step.rgb for step in draw_script(number.to_bytes(16, "big"), ALL, ChallengePolicy()).colours)
        for number in range(1500)
    }
    assert 700 <= len(rows) <= 960


def test_refuses() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        draw_script(b"short", ALL, ChallengePolicy())
    with pytest.raises(PolicyInvalid, match="colours"):
        draw_script(bytes(16), ALL - {Ability.COLOURS}, ChallengePolicy())


@pytest.mark.parametrize(
    "wrong",
    [
        {"actions": 0},
        {"actions_without_light": 7},
        {"strong": 4},
        {"action_s": 0.5},
        {"gap_s": (2.0, 1.0)},
        {"colours": 3},
        {"colour_s": (0.9, 1.6)},
        {"replacements": 6},
        {"mistakes": -1},
        {"settle_s": 0.0},
        {"scripts": 0},
    ],
)
def test_policies_that_cannot_be_right(wrong: dict[str, object]) -> None:
    with pytest.raises(PolicyInvalid):
        replace(ChallengePolicy(), **wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"pad_refer": 0.8},
        {"identity_turned": 0.5},
        {"pad_frames": 9},
        {"neutral_yaw": 20.0},
        {"blink_shut": 0.9},
        {"light_delay_s": (1.0, 0.5)},
    ],
)
def test_limits_that_cannot_be_right(wrong: dict[str, object]) -> None:
    with pytest.raises(PolicyInvalid):
        replace(Limits(), **wrong)


def test_limits_from_a_manifest() -> None:
    points = (OperatingPoint(fmr=1e-3, threshold=0.27), OperatingPoint(fmr=1e-4, threshold=0.34))
    limits = limits_of(
        Thresholds(comparison=ComparisonThresholds(points=points, default_fmr=1e-4), pad=PadThresholds(accept=0.8, refer=0.6))
    )
    assert (limits.identity, limits.pad_accept, limits.pad_refer) == (0.34, 0.8, 0.6)
    assert limits.identity_turned / limits.identity == pytest.approx(Limits().identity_turned / Limits().identity)
    assert limits_of(Thresholds()) == replace(Limits(), has_pad=False)
