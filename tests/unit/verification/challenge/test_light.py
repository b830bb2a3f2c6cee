"""The colours in the face: found at the right delay, and nothing else taken for them."""

import math
import os
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.performer import Person, srgb
from verification.challenge.colours import draw_colours, linear
from verification.challenge.light import LightWatch, Sample, Track, chroma, opponent, staircase
from verification.challenge.observation import Colour, Observation
from verification.challenge.policy import ChallengePolicy, Light, Limits
from verification.challenge.verdict import Check, Outcome
from verification.reasons import ReasonCode

POLICY = ChallengePolicy()
LONG = os.environ.get("TESTS_CAMPAIGN") == "long"
NONCE = b"the nonce of this test"


def answer(
    person: Person, *, nonce: bytes = NONCE, shown: bytes = NONCE, policy: ChallengePolicy = POLICY, change=lambda one: one
) -> Check:
    """``shown``: the nonce by whose colours the person is lit."""
    watch = LightWatch(Limits(), policy, "hash of a script")
    start = 2.0
    for step in draw_colours(nonce, policy):
        watch.show(step, start + step.at_s)
    lit = draw_colours(shown, policy)
    for step in lit:
        person.see(step, start + step.at_s)
    person.see(None, start + lit[-1].at_s + lit[-1].for_s)
    end = start + max(lit[-1].at_s + lit[-1].for_s, draw_colours(nonce, policy)[-1].at_s + 1.6) + 1.0
    for index in range(int(start * person.fps), int(end * person.fps)):
        watch.feed(change(person.frame(index, index / person.fps)))
    return watch.check()


@settings(max_examples=12)
@given(st.binary(min_size=16, max_size=16), st.floats(0.1, 1.1), st.floats(0.03, 0.3), st.integers(0, 9))
def test_found_whatever_the_sequence_and_the_delay(nonce: bytes, delay: float, light: float, seed: int) -> None:
    seen = answer(Person(seed=seed, delay_s=delay, light=light), nonce=nonce, shown=nonce)
    assert seen.outcome is Outcome.PASS, seen
    assert dict(seen.figures)["delay_s"] == pytest.approx(delay, abs=0.12)


@pytest.mark.parametrize("seed", range(4))
def test_slow_colours_are_found_too(seed: int) -> None:
    policy = ChallengePolicy(light=Light.SLOW)
    assert answer(Person(seed=seed, light=0.2), policy=policy).outcome is Outcome.PASS
    other = answer(Person(seed=seed, light=0.2), policy=policy, shown=b"another nonce than it")
    assert not other.passed


@settings(max_examples=12)
@given(st.binary(min_size=16, max_size=16), st.integers(0, 9))
def test_no_light_no_answer(nonce: bytes, seed: int) -> None:
    seen = answer(Person(seed=seed, light=0.0, spill=0.0), nonce=nonce)
    assert (seen.outcome, seen.reasons) == (Outcome.FAIL, (ReasonCode.LIGHT_UNANSWERED,))


def test_another_nonces_colours() -> None:
    """About three in a thousand are alike enough by chance (``docs/verification-liveness.md``)."""
    count, most = (200, 4) if LONG else (12, 1)
    assert sum(answer(Person(seed=number), shown=number.to_bytes(16, "big")).passed for number in range(count)) <= most


def test_a_tint_over_everything_is_no_answer() -> None:
    """A screen held before the camera, a coloured filter, white balance."""
    assert not answer(Person(light=0.12, spill=0.12)).passed


@pytest.mark.parametrize("sideways", [("yaw", "pitch"), ("pitch", "yaw"), ("yaw", "scale"), ("scale", "pitch")])
def test_a_head_whose_movements_change_its_shade_is_no_answer(sideways: tuple[str, str]) -> None:
    """It turns, nods or comes closer in time with the colours, and its own shade goes with that: the colours explain nothing more."""
    GLASS.screen[:] = [(-1e9, (1.0, 1.0, 1.0))]
    for step in draw_colours(NONCE, POLICY):
        GLASS.see(step, 2.0 + step.at_s)

    def change(one: Observation) -> Observation:
        assert one.face_colour is not None
        red, green, blue = next(rgb for at, rgb in reversed(GLASS.screen) if at <= one.received_s - GLASS.delay_s)
        far = dict(zip(sideways, (red - green, blue - green), strict=True))
        face = one.face_colour
        shaded = Colour(face.red * (1 + 0.03 * (red - green)), face.green, face.blue * (1 + 0.03 * (blue - green)))
        scale = 0.14 * math.exp(0.2 * far.get("scale", 0.0))
        return replace(one, yaw=12 * far.get("yaw", 0.0), pitch=12 * far.get("pitch", 0.0), scale=scale, face_colour=shaded)

    moving = answer(Person(light=0.0, spill=0.0), change=change)
    assert not moving.passed
    assert moving.score < 0.5
    still = answer(Person(light=0.0, spill=0.0), change=lambda one: replace(change(one), yaw=0.0, pitch=0.0, scale=0.14))
    assert still.passed  # the same shades of somebody who sits still are an answer


@pytest.mark.parametrize("seed", range(3))
def test_a_background_that_is_tinted_the_other_way_is_no_answer(seed: int) -> None:
    """The same difference, to the last digit of the correlation; but the face stays as it was."""
    seen = answer(Person(seed=seed, light=0.0, spill=-0.12))
    assert seen.score > 0.9
    assert abs(dict(seen.figures)["own"]) < 0.1
    assert (seen.outcome, seen.reasons) == (Outcome.FAIL, (ReasonCode.LIGHT_UNANSWERED,))
    assert not answer(Person(seed=seed, light=0.02, spill=-0.12)).passed
    assert dict(answer(Person(seed=seed)).figures)["own"] == pytest.approx(1.0, abs=0.1)


def layered(share: float, face: float, behind: float):  # type: ignore[no-untyped-def]
    """The colours added to everything alike, as glass mirrors them and as a layer of some opacity does; ``face``, ``behind``: how bright both are."""

    def change(one: Observation) -> Observation:
        light = next(rgb for at, rgb in reversed(GLASS.screen) if at <= one.received_s - GLASS.delay_s)
        made = {}
        for name, bright in (("face_colour", face), ("background_colour", behind)):
            colour = getattr(one, name)
            made[name] = Colour(*(srgb(linear(part) * bright + share * lit) for part, lit in zip(colour, light, strict=True)))
        return replace(one, **made)

    return change


GLASS = Person(delay_s=0.3)


@pytest.mark.parametrize("share", [0.02, 0.05])
@pytest.mark.parametrize(("face", "behind"), [(0.3, 2.4), (0.6, 2.0), (1.0, 1.0), (1.0, 0.4), (0.25, 2.6)])
def test_light_that_is_added_to_everything_is_no_answer(share: float, face: float, behind: float) -> None:
    """A dark face before a bright wall seems to answer: the same light is more of it. In absolute terms it is as much."""
    GLASS.screen[:] = [(-1e9, (1.0, 1.0, 1.0))]
    for step in draw_colours(NONCE, POLICY):
        GLASS.see(step, 2.0 + step.at_s)
    seen = answer(Person(light=0.0, spill=0.0), change=layered(share, face, behind))
    assert not seen.passed
    assert (seen.outcome, seen.reasons) in {
        (Outcome.FAIL, (ReasonCode.LIGHT_UNANSWERED,)),
        (Outcome.REFER, (ReasonCode.LIGHT_BEHIND,)),
    }
    if face < 0.5:
        assert seen.reasons == (ReasonCode.LIGHT_BEHIND,)
        assert seen.score > 0.75  # the correlation alone would have passed it
        assert dict(seen.figures)["behind"] == pytest.approx(1.0, abs=0.15)


def test_a_white_wall_behind_a_dark_face_is_a_background() -> None:
    """Lit by an eighth of what the face has of the screen, five times as bright by itself."""

    def wall(one: Observation) -> Observation:
        assert one.background_colour is not None
        return replace(one, background_colour=Colour(*(srgb(min(0.97, linear(part) * 2.4)) for part in one.background_colour)))

    seen = answer(Person(light=0.12, spill=0.015), change=wall)
    assert seen.passed, seen
    assert dict(seen.figures)["behind"] < 0.5


@pytest.mark.parametrize("spill", [0.08, 0.12, 0.3])
def test_who_sits_close_before_a_bright_wall_is_not_refused_for_it(spill: float) -> None:
    """It throws back as much of the screen's light as they do, or more."""

    def wall(one: Observation) -> Observation:
        assert one.background_colour is not None
        return replace(one, background_colour=Colour(*(srgb(min(0.97, linear(part) * 2.4)) for part in one.background_colour)))

    seen = answer(Person(light=0.12, spill=spill / 4), change=wall)
    if not seen.passed:
        assert (seen.outcome, seen.reasons) == (Outcome.REFER, (ReasonCode.LIGHT_BEHIND,))
    assert dict(seen.figures)["behind"] > 0.2


@pytest.mark.parametrize("follows", [0.3, 0.6])
def test_a_white_balance_that_follows_takes_nothing_away(follows: float) -> None:
    """At once, by so much of what the light does to the face: the worst that a camera can do."""
    person = Person()

    def balanced(one: Observation) -> Observation:
        assert one.face_colour is not None
        assert one.background_colour is not None
        whole = [(linear(part) / usual) ** -follows for part, usual in zip(one.face_colour, (0.42, 0.26, 0.20), strict=True)]
        face, behind = (
            Colour(*(srgb(linear(part) * gain) for part, gain in zip(colour, whole, strict=True)))
            for colour in (one.face_colour, one.background_colour)
        )
        return replace(one, face_colour=face, background_colour=behind)

    seen = answer(person, change=balanced)
    assert seen.passed, seen
    assert dict(seen.figures)["own"] == pytest.approx(1 - follows, abs=0.1)


@pytest.mark.parametrize("delay", [1.35, 1.6, 2.2, 3.0])
def test_a_second_or_three_later_is_never_an_answer(delay: float) -> None:
    for number in range(4):
        nonce = bytes([number] * 16)
        assert not answer(Person(seed=number, delay_s=delay), nonce=nonce, shown=nonce).passed


@pytest.mark.parametrize(
    ("delay", "reason"), [(2.0, ReasonCode.LIGHT_LATE), (2.6, ReasonCode.LIGHT_LATE), (-0.8, ReasonCode.LIGHT_EARLY)]
)
def test_late_and_early(delay: float, reason: ReasonCode) -> None:
    seen = answer(Person(delay_s=delay))
    assert not seen.passed
    assert seen.reasons in ((reason,), (ReasonCode.LIGHT_UNANSWERED,))


def test_late_is_said_to_be_late() -> None:
    seen = [answer(Person(delay_s=2.0), nonce=bytes([n] * 16), shown=bytes([n] * 16)).reasons for n in range(4)]
    assert seen.count((ReasonCode.LIGHT_LATE,)) >= 3


def test_early_is_said_to_be_early() -> None:
    """Nobody answers a colour before it is shown: somebody knew the script."""
    seen = [answer(Person(delay_s=-0.8), nonce=bytes([n] * 16), shown=bytes([n] * 16)).reasons for n in range(4)]
    assert seen.count((ReasonCode.LIGHT_EARLY,)) >= 2


@pytest.mark.parametrize(
    "change",
    [
        lambda one: replace(one, face_colour=None),
        lambda one: replace(one, background_colour=None),
        lambda one: replace(one, faces=2),
        lambda one: replace(one, face_colour=Colour(0.0, 0.0, 0.0)),
    ],
)
def test_what_cannot_be_seen_is_not_passed(change) -> None:
    seen = answer(Person(), change=change)
    assert (seen.outcome, seen.reasons) == (Outcome.REFER, (ReasonCode.LIGHT_UNSEEN,))


def test_colours_that_nobody_looked_at_are_missing() -> None:
    seen = answer(Person(), change=lambda one: replace(one, face_colour=None) if one.received_s > 7.0 else one)
    assert (seen.outcome, seen.reasons) == (Outcome.REFER, (ReasonCode.EVIDENCE_MISSING,))


def test_colours_that_did_not_go_out_are_missing() -> None:
    watch = LightWatch(Limits(), POLICY, "hash")
    for step in draw_colours(NONCE, POLICY)[:-1]:
        watch.show(step, step.at_s)
    person = Person()
    for index in range(100):
        watch.feed(person.frame(index, index / 12.5))
    assert watch.check().reasons == (ReasonCode.EVIDENCE_MISSING,)


def test_a_flat_track_fits_nothing() -> None:
    track = Track([Sample(float(at), (0.3, -0.1)) for at in range(40)])
    r, gain = track.fit([(5.0, (1.0, 0.0))], np.array([0.0]))
    assert (r[0], gain[0]) == pytest.approx((0.0, 0.0), abs=1e-6)
    same = Track([Sample(1.0, (0.1, 0.2))] * 3)
    assert same.fit([(0.0, (1.0, 0.0))], np.array([0.0]))[0][0] == 0.0


def test_fit_is_pearsons_r_without_trend_and_movement() -> None:
    """Against least squares and the plain formula."""
    chance = random.Random(5)
    times = sorted(chance.uniform(0, 10) for _ in range(80))
    steps = [(1.0, (0.4, -0.2)), (3.0, (-0.3, 0.5)), (6.0, (0.1, 0.1)), (8.0, (0.0, 0.0))]

    def at(now: float) -> tuple[float, float]:
        return next((value for since, value in reversed(steps) if now >= since + 0.3), (0.0, 0.0))

    yaw = [math.sin(now) for now in times]
    samples = [
        Sample(
            now,
            (at(now)[0] + chance.gauss(0, 0.2) + 0.03 * now + 0.5 * turn, at(now)[1] + chance.gauss(0, 0.2) - 0.4 * turn**2),
            (turn,),
        )
        for now, turn in zip(times, yaw, strict=True)
    ]
    r, gain = Track(samples).fit(steps, np.array([0.3]))
    design = np.stack([np.ones(80), np.array(times), np.array(yaw), np.array(yaw) ** 2], axis=1)

    def rest(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        return values - design @ np.linalg.lstsq(design, values, rcond=None)[0]

    x = np.concatenate([rest(np.array([sample.chroma[c] for sample in samples])) for c in (0, 1)])
    y = np.concatenate([rest(np.array([at(now)[c] for now in times])) for c in (0, 1)])
    assert r[0] == pytest.approx(float(x @ y / np.sqrt((x @ x) * (y @ y))), abs=1e-9)
    assert gain[0] == pytest.approx(float(x @ y / (y @ y)), abs=1e-9)


def test_what_the_movements_explain_is_no_answer() -> None:
    """A head that turns with the colours could make the same curve by its shade."""
    samples = [Sample(at / 10, (0.1 * (at >= 40), 0.0), (float(at >= 40),)) for at in range(80)]
    r, gain = Track(samples).fit([(4.0, (1.0, 0.0))], np.array([0.0]))
    assert (r[0], gain[0]) == (0.0, 0.0)


def test_opponents() -> None:
    assert opponent((255, 255, 255)) == (0.0, 0.0)
    red, blue = opponent((48, 255, 96))
    assert red < 0
    assert blue < 0
    grey = Observation(0, 0.0, 0.0, b"", 640, 480, 1, face_colour=Colour(90, 90, 90), background_colour=Colour(200, 200, 200))
    assert chroma(grey) == pytest.approx((0.0, 0.0))
    assert chroma(replace(grey, face_colour=Colour(0, 90, 90))) is None
    assert staircase([]) == []
