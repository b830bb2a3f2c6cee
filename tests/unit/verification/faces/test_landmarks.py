"""The mesh and the head's pose: where things are, how far they are open, and which way is which."""

import math

import numpy as np
import pytest

from tests.support import analysers, portraits
from tests.support.liveness_tricks import posed
from verification.challenge.policy import ChallengePolicy, Light, Limits, PolicyInvalid
from verification.challenge.script import Action, draw_script, replacements
from verification.faces.landmarks import EYE_LEFT, EYE_RIGHT, LIPS, POINTS, eye_aspect, mouth_opening
from verification.faces.pose import pose_from_points, roll_of
from verification.types import Ability, Box, Face


@pytest.mark.parametrize("degrees", [0.0, 20.0, -20.0])
def test_the_mesh_lies_on_the_face(degrees: float) -> None:
    analyser = analysers.open_pack()
    picture = portraits.leaning(portraits.portrait(), degrees) if degrees else portraits.portrait()
    face = analyser.one_face(picture)
    mesh = analyser.landmarks(picture, face)
    assert mesh is not None
    assert mesh.points.shape == (POINTS, 3)
    assert mesh.presence > 0.99
    for eye, point in ((EYE_LEFT, face.points[0]), (EYE_RIGHT, face.points[1])):
        assert np.abs(mesh.points[list(eye), :2].mean(axis=0) - point).max() < 12
    assert np.abs(mesh.points[list(LIPS), :2].mean(axis=0) - face.points[3:].mean(axis=0)).max() < 16
    assert 0.2 < mesh.eye_left < 0.45
    assert 0.2 < mesh.eye_right < 0.45


def test_shut_eyes_are_shut() -> None:
    analyser = analysers.open_pack()
    picture = portraits.with_eyes_shut(portraits.portrait())
    mesh = analyser.landmarks(picture, analyser.one_face(picture))
    assert mesh is not None
    assert max(mesh.eye_left, mesh.eye_right) < 0.12


def test_a_wall_has_no_presence() -> None:
    analyser = analysers.open_pack()
    face = analyser.one_face(portraits.portrait())
    assert analyser.landmarks(np.full((480, 480, 3), 127, np.uint8), face) is None  # and so neither eyes nor a mouth
    mirrored = np.ascontiguousarray(portraits.portrait()[:, ::-1])
    assert analyser.landmarks(mirrored, face) is not None


def test_openings_are_ratios() -> None:
    mesh = np.zeros((POINTS, 3), np.float32)
    outer, upper_a, upper_b, inner, lower_b, lower_a = EYE_LEFT
    mesh[outer], mesh[inner] = (0, 0, 0), (40, 0, 0)
    mesh[upper_a, 1], mesh[upper_b, 1], mesh[lower_a, 1], mesh[lower_b, 1] = -6, -6, 6, 6
    assert eye_aspect(mesh, EYE_LEFT) == pytest.approx(0.3)
    assert eye_aspect(mesh, EYE_RIGHT) == 0.0  # all in one place
    left, upper, right, lower = LIPS
    mesh[left], mesh[right], mesh[upper], mesh[lower] = (0, 0, 0), (50, 0, 0), (25, -10, 0), (25, 15, 0)
    assert mouth_opening(mesh) == pytest.approx(0.5)
    assert mouth_opening(np.zeros((POINTS, 3), np.float32)) == 0.0


def test_yaw_is_positive_to_the_persons_left() -> None:
    """The nose to the right in the picture, by the networks and by the points alone."""
    for analyser in (analysers.base(), analysers.open_pack()):
        yaws = []
        for yaw in (-40, 0, 40):
            picture = portraits.turned(portraits.portrait(), yaw=yaw)
            pose = analyser.pose(picture, analyser.one_face(picture))
            assert pose is not None
            yaws.append(pose.yaw)
        assert yaws[0] < yaws[1] - 5 < yaws[1] + 5 < yaws[2]


def test_pitch_is_positive_upwards() -> None:
    for analyser in (analysers.base(), analysers.open_pack()):
        pitches = []
        for pitch in (0, 35):
            picture = portraits.turned(portraits.portrait(), pitch=pitch)
            pose = analyser.pose(picture, analyser.one_face(picture))
            assert pose is not None
            pitches.append(pose.pitch)
        assert pitches[1] > pitches[0] + 5


def _face(nose: tuple[float, float], *, lean: float = 0.0) -> Face:
    points = np.array([[-50, 0], [50, 0], nose, [-30, 100], [30, 100]], np.float32)
    angle = math.radians(lean)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]], np.float32)
    return Face(Box(-100, -60, 100, 140), 1.0, points @ turn.T + 200)


def test_a_pose_from_five_points_does_not_mind_leaning() -> None:
    for lean in (-40.0, 0.0, 25.0):
        pose = pose_from_points(_face((0, 60), lean=lean))
        assert pose.roll == pytest.approx(lean, abs=0.01)
        assert pose.yaw == pytest.approx(0, abs=0.01)
        assert pose.pitch == pytest.approx(0, abs=0.01)
        assert pose_from_points(_face((20, 60), lean=lean)).yaw > 10
        assert pose_from_points(_face((0, 45), lean=lean)).pitch > 10
        assert roll_of(_face((0, 60), lean=lean)) == pytest.approx(lean, abs=0.01)
    assert pose_from_points(_face((900, 60))).yaw == 90
    flat = Face(Box(0, 0, 1, 1), 1.0, np.zeros((5, 2), np.float32))
    assert pose_from_points(flat).yaw == 0


def test_a_face_outside_of_the_picture_has_the_pose_of_its_points() -> None:
    face = _face((0, 60))
    away = Face(Box(5000, 5000, 5100, 5100), 1.0, face.points + 5000)
    pose = analysers.open_pack().pose(portraits.portrait(), away)
    assert pose is not None
    assert pose.yaw == pytest.approx(0, abs=0.01)


def test_what_a_pack_can_see_decides_what_may_be_asked() -> None:
    base, more = analysers.base(), analysers.open_pack()
    assert base.abilities == {Ability.TURN_LEFT, Ability.TURN_RIGHT, Ability.COME_CLOSER, Ability.COLOURS}
    assert more.abilities == base.abilities | {Ability.NOD, Ability.BLINK, Ability.OPEN_MOUTH}
    assert (base.has_pad, base.has_mesh, more.has_pad, more.has_mesh) == (False, False, True, True)
    portrait = portraits.portrait()
    assert base.landmarks(portrait, base.one_face(portrait)) is None


def test_base_asks_only_for_what_its_pose_can_measure() -> None:
    """Thousands of scripts, whatever replaces what: turns and coming closer. A policy that needs more is refused before anybody is asked."""
    abilities, policy = analysers.base().abilities, ChallengePolicy()
    measured = {Action.TURN_LEFT, Action.TURN_RIGHT, Action.COME_CLOSER}
    for number in range(300):
        script = draw_script(number.to_bytes(16, "big"), abilities, policy)
        asked = [step.action for step in script.actions]
        assert set(asked) | set(script.choice) == measured
        assert replacements(script, policy, 0, asked) == ()  # who cannot do one of the three is referred
    with pytest.raises(PolicyInvalid, match="5 different actions asked for, this pack sees 3"):
        draw_script(bytes(16), abilities, ChallengePolicy(light=Light.NONE))


@pytest.mark.parametrize("tipped", [20, 30, 40])
def test_why_base_asks_for_no_nod(tipped: float) -> None:
    """A photograph that is tipped like a board moves the pitch of five points by as much as a nod; the head pose models hardly."""
    picture = portraits.portrait()
    moved = {}
    for name, analyser in (("base", analysers.base()), ("open", analysers.open_pack())):
        face = analyser.one_face(picture)
        straight, after = analyser.pose(picture, face), posed(picture, face, 0.0, tipped / 40, bent=False)
        leaning = analyser.pose(after, analyser.one_face(after))
        assert straight is not None
        assert leaning is not None
        moved[name] = abs(leaning.pitch - straight.pitch)
    assert moved["open"] < Limits().nod_deg * 0.6
    if tipped == 40:
        assert moved["base"] > moved["open"]
