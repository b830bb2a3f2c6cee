"""What is wrong with a picture of a face is told by reason: by measures, and by pictures that are wrong in each way."""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.support import analysers, portraits
from verification.errors import FaceRefused, ManifestInvalid
from verification.faces.analyser import Analyser
from verification.faces.measure import measure, occlusion
from verification.faces.quality import LIMITS, Measures, judge, limits_of
from verification.reasons import ReasonCode
from verification.types import Picture, Pose

GOOD = Measures(
    eye_distance=80,
    eye_distance_share=0.15,
    outside=0,
    sharpness=0.3,
    brightness=0.5,
    contrast=0.2,
    over_exposed=0,
    under_exposed=0,
    uneven=0.05,
    occlusion=0,
)
STRAIGHT = Pose(0, 0, 0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"eye_distance": 29}, ReasonCode.FACE_TOO_SMALL),
        ({"eye_distance_share": 0.41}, ReasonCode.FACE_TOO_NEAR),
        ({"outside": 0.07}, ReasonCode.FACE_CUT_OFF),
        ({"sharpness": 0.08}, ReasonCode.BLURRED),
        ({"brightness": 0.17}, ReasonCode.TOO_DARK),
        ({"under_exposed": 0.41}, ReasonCode.TOO_DARK),
        ({"brightness": 0.87}, ReasonCode.TOO_BRIGHT),
        ({"over_exposed": 0.19}, ReasonCode.TOO_BRIGHT),
        ({"contrast": 0.05}, ReasonCode.LOW_CONTRAST),
        ({"uneven": 0.71}, ReasonCode.UNEVEN_LIGHT),
        ({"occlusion": 0.16}, ReasonCode.OCCLUDED),
    ],
)
def test_each_measure_over_its_limit_is_a_reason(change: dict[str, float], reason: ReasonCode) -> None:
    assert judge(GOOD, STRAIGHT, 0.3, LIMITS).reasons == ()
    told = judge(replace(GOOD, **change), STRAIGHT, 0.3, LIMITS)
    assert told.reasons == (reason,)
    assert told.score < 0.5
    assert not told.good


@pytest.mark.parametrize(
    ("pose", "reason"),
    [
        (Pose(29, 0, 0), ReasonCode.FACE_TURNED),
        (Pose(-29, 0, 0), ReasonCode.FACE_TURNED),
        (Pose(0, 29, 0), ReasonCode.FACE_UP_OR_DOWN),
        (Pose(0, -29, 0), ReasonCode.FACE_UP_OR_DOWN),
        (Pose(0, 0, 23), ReasonCode.FACE_TILTED),
        (Pose(0, 0, -23), ReasonCode.FACE_TILTED),
    ],
)
def test_a_head_that_looks_elsewhere_is_a_reason(pose: Pose, reason: ReasonCode) -> None:
    assert judge(GOOD, pose, None, LIMITS).reasons == (reason,)


def test_shut_eyes_are_a_reason_and_what_cannot_be_seen_is_none() -> None:
    assert judge(GOOD, STRAIGHT, 0.05, LIMITS).reasons == (ReasonCode.EYES_CLOSED,)
    blind = judge(replace(GOOD, occlusion=None), None, None, LIMITS)
    assert (blind.yaw, blind.pitch, blind.roll, blind.occlusion, blind.eyes_open) == (None,) * 5
    assert blind.good
    assert judge(GOOD, STRAIGHT, 0.3, LIMITS).score > 0.6


def test_the_worst_comes_first_and_each_reason_once() -> None:
    told = judge(replace(GOOD, sharpness=0.01, brightness=0.15, under_exposed=0.6, occlusion=0.2), STRAIGHT, 0.3, LIMITS)
    assert told.reasons == (ReasonCode.BLURRED, ReasonCode.TOO_DARK, ReasonCode.OCCLUDED)
    assert told.score == pytest.approx(0.01 / (2 * LIMITS["sharpness_min"]))


def test_a_manifest_may_be_stricter_but_not_misspelt() -> None:
    assert limits_of({})["yaw_max"] == LIMITS["yaw_max"]
    stricter = limits_of({"yaw_max": 10.0})
    assert judge(GOOD, Pose(12, 0, 0), None, stricter).reasons == (ReasonCode.FACE_TURNED,)
    with pytest.raises(ValueError, match="yaw_maximum"):
        limits_of({"yaw_maximum": 10.0})
    base = analysers.packs.base()
    with pytest.raises(ManifestInvalid, match="sharpnes"):
        Analyser(analysers.with_quality(base, {"sharpnes_min": 0.1}))


# ---------------------------------------------------------------- pictures


def _near(picture: Picture) -> Picture:
    return np.asarray(cv2.copyMakeBorder(picture[60:360, 155:345], 40, 40, 0, 0, cv2.BORDER_REPLICATE), np.uint8)


Change = Callable[[Picture], Picture]
WRONG: list[tuple[ReasonCode, str, Change]] = [
    (ReasonCode.FACE_TOO_SMALL, "base", portraits.far_away),
    (ReasonCode.FACE_TOO_NEAR, "base", _near),
    (ReasonCode.FACE_CUT_OFF, "base", lambda p: np.ascontiguousarray(p[:, 230:])),
    (ReasonCode.FACE_TURNED, "strict", lambda p: portraits.turned(p, yaw=40)),
    (ReasonCode.FACE_TURNED, "strict", lambda p: portraits.turned(p, yaw=-50)),
    (ReasonCode.FACE_UP_OR_DOWN, "strict", lambda p: portraits.turned(p, pitch=35)),
    (ReasonCode.FACE_TILTED, "base", lambda p: portraits.leaning(p, 26)),
    (ReasonCode.FACE_TILTED, "base", lambda p: portraits.leaning(p, -28)),
    (ReasonCode.BLURRED, "base", portraits.blurred),
    (ReasonCode.TOO_DARK, "base", lambda p: portraits.light(p, 0.15)),
    (ReasonCode.TOO_BRIGHT, "base", lambda p: portraits.light(p, 1.1, 110)),
    (ReasonCode.LOW_CONTRAST, "base", lambda p: portraits.light(p, 0.25, 110)),
    (ReasonCode.OCCLUDED, "base", portraits.masked),
    (ReasonCode.OCCLUDED, "base", lambda p: portraits.masked(p, (225, 228, 230))),
    (ReasonCode.OCCLUDED, "base", portraits.with_sunglasses),
    (ReasonCode.OCCLUDED, "open", lambda p: portraits.masked(p, (28, 28, 30))),
    (ReasonCode.UNEVEN_LIGHT, "open", portraits.from_the_side),
    (ReasonCode.EYES_CLOSED, "open", portraits.with_eyes_shut),
    (ReasonCode.FACE_TOO_SMALL, "open", portraits.far_away),
    (ReasonCode.BLURRED, "open", portraits.blurred),
    (ReasonCode.OCCLUDED, "open", portraits.with_sunglasses),
]
ANALYSERS = {"base": analysers.base, "strict": analysers.strict, "open": analysers.open_pack}


@pytest.mark.parametrize(("reason", "pack", "change"), WRONG)
def test_each_reason_is_reached_by_a_picture(reason: ReasonCode, pack: str, change: Change) -> None:
    analyser = ANALYSERS[pack]()
    picture = change(portraits.portrait())
    face = analyser.one_face(picture)
    mesh = analyser.landmarks(picture, face)
    assert reason in analyser.quality(picture, face, landmarks=mesh).reasons


@pytest.mark.parametrize("pack", ["base", "open"])
def test_nothing_is_wrong_with_a_good_portrait(pack: str) -> None:
    analyser = ANALYSERS[pack]()
    _, quality, _ = analyser.embed_picture(portraits.portrait(), careful=True)
    assert quality.reasons == ()
    assert quality.score > 0.5
    assert 70 < quality.size_px < 100


def test_no_face_and_several_faces_are_refused() -> None:
    analyser = analysers.base()
    portrait = portraits.portrait()
    wall = np.full((480, 640, 3), 127, np.uint8)
    with pytest.raises(FaceRefused) as refused:
        analyser.one_face(wall)
    assert refused.value.code == ReasonCode.NO_FACE
    with pytest.raises(FaceRefused) as refused:
        analyser.one_face(portraits.beside(portrait, np.ascontiguousarray(portrait[:, ::-1])))
    assert refused.value.code == ReasonCode.SEVERAL_FACES


def test_somebody_far_behind_does_not_count() -> None:
    portrait = portraits.portrait()
    small = cv2.resize(portrait, None, fx=0.3, fy=0.3, interpolation=cv2.INTER_AREA)
    picture = np.ascontiguousarray(np.concatenate([portrait, np.full((480, 200, 3), 127, np.uint8)], axis=1))
    picture[20 : 20 + small.shape[0], 500 : 500 + small.shape[1]] = small
    analyser = analysers.open_pack()
    assert len(analyser.detect(picture)) >= 1
    assert analyser.one_face(picture).box.centre[0] < 400


def test_covered_faces_are_told_on_every_skin_and_beards_are_not() -> None:
    """The portrait in other tones: what is compared is a person's skin with their own."""
    analyser = analysers.base()
    portrait = portraits.portrait()
    face = analyser.one_face(portrait)
    for red, green, blue in ((1, 1, 1), (0.75, 0.65, 0.55), (0.5, 0.4, 0.33), (1.05, 1.0, 0.9)):
        toned = np.clip(portrait * np.array([red, green, blue]), 0, 255).astype(np.uint8)
        assert (measure(toned, face).occlusion or 0) < 0.05
        assert (measure(portraits.masked(toned), face).occlusion or 0) > 0.3
        assert (measure(portraits.with_sunglasses(toned), face).occlusion or 0) > 0.2
        bearded = toned.copy()
        cv2.ellipse(bearded, (249, 285), (62, 42), 0, 0, 180, tuple(int(v * 0.3) for v in toned[270, 190]), -1)
        assert (measure(bearded, face).occlusion or 0) < 0.1


def test_a_picture_without_colours_is_not_covered() -> None:
    grey = cv2.cvtColor(portraits.portrait(), cv2.COLOR_RGB2GRAY)
    picture = np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8)
    face = analysers.base().one_face(picture)
    assert measure(picture, face).occlusion == 0
    assert occlusion(np.zeros((112, 112, 3), np.uint8)) == 0
