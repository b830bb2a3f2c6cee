"""Detectors: where the face is, at every size and way up, and none where there is none."""

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support import analysers, packs, portraits
from verification.engine.session import Session
from verification.errors import NotInstalled
from verification.faces.analyser import Analyser, is_face, that_count
from verification.faces.corners import Corners
from verification.faces.detect_hog import HogDetector
from verification.faces.detect_yunet import YunetDetector, suppressed
from verification.models.pack import Task
from verification.types import Box, Face, Picture

PACKS = {"base": analysers.base, "open": analysers.open_pack, "insightface": analysers.insightface}
LANDMARKS = np.array([*portraits.EYES, portraits.NOSE, (213.0, 268.0), (285.0, 270.0)])


def analyser(pack: str) -> Analyser:
    return PACKS[pack]()


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_a_face_is_found_where_it_is_at_every_size(pack: str, scale: float) -> None:
    picture = np.asarray(cv2.resize(portraits.portrait(), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    faces = analyser(pack).detect(picture)
    assert len(faces) == 1
    face = faces[0]
    assert np.abs(face.points / scale - LANDMARKS).max() < 16
    box = face.box
    assert box.x0 < face.points[:, 0].min() < face.points[:, 0].max() < box.x1
    assert box.y0 < face.points[:, 1].min() < face.points[:, 1].max() < box.y1 + 5
    assert face.mouth_seen is (pack != "base")
    assert (face.corners is None) is (pack == "insightface")


@pytest.mark.parametrize("pack", PACKS)
def test_a_face_stays_where_it_is_when_the_picture_grows(pack: str) -> None:
    portrait = portraits.portrait()
    first = analyser(pack).detect(portrait)[0]
    wider = np.asarray(cv2.copyMakeBorder(portrait, 37, 91, 150, 13, cv2.BORDER_CONSTANT, value=(127,) * 3), np.uint8)
    again = analyser(pack).detect(wider)[0]
    assert np.abs(again.points - first.points - (150, 37)).max() < 9


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize("shape", [(480, 640), (64, 64), (64, 9000), (9000, 64), (2200, 300)])
def test_nothing_is_found_on_a_wall(pack: str, shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(5).integers(90, 160, (*shape, 3)).astype(np.uint8)
    assert analyser(pack).detect(noise) == []


@pytest.mark.parametrize("pack", PACKS)
def test_several_faces_are_found_the_largest_first(pack: str) -> None:
    portrait = portraits.portrait()
    smaller = np.asarray(cv2.resize(portrait, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA), np.uint8)
    wall = np.full((480, 900, 3), 127, np.uint8)
    wall[100 : 100 + smaller.shape[0], : smaller.shape[1]] = smaller
    wall[:, 420:] = portrait
    faces = analyser(pack).detect(wall, careful=True)
    assert len(faces) == 2
    assert faces[0].box.area > faces[1].box.area
    assert faces[0].box.centre[0] > 420 > faces[1].box.centre[0]
    assert len(that_count(faces)) == 2


def test_a_small_face_is_found_in_a_later_pass() -> None:
    """Under 80 pixels of the reduced picture dlib's detector sees nothing; the full one has more."""
    wall = np.full((720, 1280, 3), 127, np.uint8)
    small = cv2.resize(portraits.portrait(), None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    wall[300 : 300 + small.shape[0], 500 : 500 + small.shape[1]] = small
    corners = _corners()
    assert HogDetector(corners, {"sides": (320,)}).detect(wall) == []
    assert len(HogDetector(corners).detect(wall)) == 1
    assert HogDetector(corners, {"score": 5.0}).detect(wall) == []


@pytest.mark.parametrize(
    ("shape", "settings", "scales"),
    [
        ((480, 640, 3), {}, [0.5, 0.75, 1.0, 2.0]),
        ((224, 224, 3), {}, [1.0, 2.0]),
        ((320, 240, 3), {}, [1.0, 1.5, 2.0]),
        ((720, 1280, 3), {"sides": (320,)}, [0.25]),
        ((15, 1280, 3), {}, []),
    ],
)
def test_the_last_look_is_a_lenient_one_also_at_small_pictures(
    monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int, int], settings: dict[str, Any], scales: list[float]
) -> None:
    """Of which several looks would be the same, and one is taken."""
    detector = HogDetector(_corners(), settings)
    looks: list[tuple[float, float]] = []
    monkeypatch.setattr(detector, "_pass", lambda _, scale, least: looks.append((scale, least)) or [])
    assert detector.detect(np.full(shape, 127, np.uint8)) == []
    assert looks == [(scale, 0.0) for scale in scales[:-1]] + [(scale, -0.2) for scale in scales[-1:]]


def _corners() -> Corners:
    base = packs.base()
    model = base.pack.model(Task.LANDMARKS5)
    assert model is not None
    return Corners(base.read(model), model.file)


def test_a_predictor_that_cannot_be_read_is_not_installed() -> None:
    with pytest.raises(NotInstalled, match="shape_predictor"):
        Corners(b"not dlib's", "shape_predictor.dat")


def test_the_box_for_passive_detection_is_found_in_more_pixels() -> None:
    wall = np.full((720, 1280, 3), 127, np.uint8)
    small = cv2.resize(portraits.portrait(), None, fx=0.9, fy=0.9, interpolation=cv2.INTER_AREA)
    wall[200 : 200 + small.shape[0], 500 : 500 + small.shape[1]] = small
    detector = packs_detector()
    face = detector.detect(wall)[0]
    finer = detector.finer(wall, face)
    assert finer.box != face.box
    assert np.abs(np.array(finer.box) - face.box).max() < 12
    assert np.array_equal(finer.points, face.points)
    elsewhere = replace(face, box=Box(0, 0, 90, 90))
    assert detector.finer(wall, elsewhere) is elsewhere
    little = np.asarray(cv2.resize(wall, (320, 180), interpolation=cv2.INTER_AREA), np.uint8)
    seen = detector.detect(little)[0]
    assert detector.finer(little, seen) is seen
    portrait = portraits.portrait()
    for other in (analysers.base(), analysers.insightface()):
        one = other.one_face(portrait)
        assert other._detector.finer(portrait, one) is one


def packs_detector() -> YunetDetector:
    opened = packs.open_pack()
    model = opened.pack.model(Task.DETECTOR)
    assert model is not None
    return YunetDetector(Session(opened.read(model), name=model.file), model.settings)


def _row(x: float, y: float, side: float, score: float) -> NDArray[np.float32]:
    return np.array([x, y, x + side, y + side, score, *([0] * 10)], np.float32)


def test_of_boxes_that_overlap_the_surest_is_kept() -> None:
    rows = np.stack([_row(0, 0, 100, 0.7), _row(10, 5, 100, 0.9), _row(300, 0, 50, 0.8), _row(75, 0, 100, 0.65)])
    kept = suppressed(rows, 0.3)
    assert kept[:, 4].tolist() == pytest.approx([0.9, 0.8, 0.65])
    assert len(suppressed(rows[:0], 0.3)) == 0


def test_what_counts_is_near_in_size_to_the_largest() -> None:
    def face(side: float) -> Face:
        return Face(Box(0, 0, side, side), 1.0, np.zeros((5, 2), np.float32))

    assert that_count([]) == []
    assert len(that_count([face(100), face(41), face(39)])) == 2


@pytest.mark.parametrize(
    "face",
    [
        Face(Box(0, 0, 50, 50), 1.0, np.full((5, 2), np.nan, np.float32)),
        Face(Box(0, 0, float("inf"), 50), 1.0, LANDMARKS.astype(np.float32)),
        Face(Box(9, 9, 9, 50), 1.0, LANDMARKS.astype(np.float32)),
        Face(Box(0, 0, 50, 50), 1.0, np.zeros((5, 2), np.float32)),
    ],
)
def test_what_cannot_be_a_face_is_none(face: Face) -> None:
    assert not is_face(face)
    assert is_face(Face(Box(100, 100, 380, 380), 1.0, LANDMARKS.astype(np.float32)))


@pytest.mark.parametrize("pack", PACKS)
def test_a_picture_of_any_orientation_in_memory_is_taken(pack: str) -> None:
    """Rows that do not lie one after another, as a part of a larger picture."""
    part: Picture = np.asarray(cv2.copyMakeBorder(portraits.portrait(), 0, 0, 60, 60, cv2.BORDER_REPLICATE), np.uint8)[
        :, 60:-60
    ]
    whole = analyser(pack)
    face = whole.one_face(part)
    assert np.isfinite(whole.embed(part, face)).all()
