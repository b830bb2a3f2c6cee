"""Faces brought to a model's template: the transform is exact, and what dlib cuts is what dlib cuts."""

import dlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import analysers, portraits
from verification.faces.align import ARCFACE_112, DLIB_150, dlib_chip, similarity, square, warp
from verification.faces.corners import box_around, points_from_corners


@given(st.floats(0.05, 20), st.floats(-180, 180), st.floats(-2000, 2000), st.floats(-2000, 2000))
def test_a_similarity_is_found_again(scale: float, degrees: float, x: float, y: float) -> None:
    angle = np.radians(degrees)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    source = (ARCFACE_112 @ turn.T + (x, y)).astype(np.float32)
    found = similarity(source, ARCFACE_112)
    back = source @ found[:, :2].T + found[:, 2]
    assert np.abs(back - ARCFACE_112).max() < 0.02


def test_points_in_one_place_are_no_face() -> None:
    with pytest.raises(ValueError, match="one place"):
        similarity(np.zeros((5, 2), np.float32), ARCFACE_112)
    with pytest.raises(ValueError, match="one place"):
        similarity(np.full((5, 2), np.nan, np.float32), ARCFACE_112)


def test_insightface_would_cut_the_same_square() -> None:
    """Its own function is not used: it warns in every call of a newer scikit-image."""
    from skimage.transform import SimilarityTransform

    points = np.array([[205, 175], [295, 182], [244, 232], [204, 267], [281, 272]], np.float32)
    theirs = SimilarityTransform.from_estimate(points, ARCFACE_112).params[:2]
    assert np.abs(similarity(points, ARCFACE_112) - theirs).max() < 1e-5


def test_a_large_face_is_reduced_without_flicker_and_at_the_right_place() -> None:
    """A fine chequerboard becomes even grey; a mark stays where it was."""
    board = np.indices((2400, 2400)).sum(axis=0) % 2 * 255
    picture = np.repeat(board[:, :, None], 3, axis=2).astype(np.uint8)
    picture[1180:1220, 1180:1220] = (255, 0, 0)
    points = (ARCFACE_112 - 56) * 16 + 1200
    chip = warp(picture, similarity(points.astype(np.float32), ARCFACE_112), 112)
    red = np.argwhere(chip[:, :, 0].astype(int) - chip[:, :, 1] > 120)
    assert red.mean(axis=0) == pytest.approx([56, 56], abs=0.6)
    away = chip[:40, :40].astype(int)
    assert away.max() - away.min() < 12


def test_a_face_over_the_edge_is_black_outside() -> None:
    picture = np.full((100, 100, 3), 200, np.uint8)
    chip, _ = square(picture, (0.0, 50.0), 100.0, 64)
    assert chip[32, 2].tolist() == [0, 0, 0]
    assert chip[32, 60].tolist() == [200, 200, 200]
    far, _ = square(picture, (5000.0, 5000.0), 1000.0, 64)
    assert not far.any()


def test_a_square_is_turned_level() -> None:
    portrait = portraits.portrait()
    level, _ = square(portrait, (240.0, 240.0), 200.0, 100)
    leaning, matrix = square(portraits.leaning(portrait, 20), (240.0, 240.0), 200.0, 100, degrees=20)
    assert np.abs(level.astype(int) - leaning).mean() < 4
    middle = matrix @ np.array([240.0, 240.0, 1.0])
    assert middle == pytest.approx([49.5, 49.5])


def test_dlib_cuts_the_chip_that_it_cuts_itself() -> None:
    portrait = portraits.portrait()
    face = analysers.base().one_face(portrait)
    assert face.corners is not None
    parts = [dlib.point(int(x), int(y)) for x, y in face.corners]
    box = dlib.rectangle(*(int(value) for value in face.box))
    theirs = dlib.get_face_chip(portrait, dlib.full_object_detection(box, parts), size=150, padding=0.25)
    assert np.array_equal(dlib_chip(portrait, face.corners), theirs)


def test_five_points_of_any_detector_come_to_lie_where_dlibs_do() -> None:
    """The template for detectors without dlib's points: chips of both ways show the same."""
    portrait = portraits.portrait()
    face = analysers.base().one_face(portrait)
    assert face.corners is not None
    by_corners = dlib_chip(portrait, face.corners)
    by_points = warp(portrait, similarity(face.points, DLIB_150), 150)
    assert np.abs(by_corners.astype(int) - by_points)[20:130, 20:130].mean() < 14


def test_estimated_points_and_boxes_follow_a_head_that_leans() -> None:
    corners = np.array([[381, 236], [347, 239], [258, 236], [292, 238], [316, 314]], np.float32)
    points = points_from_corners(corners)
    assert points[0] == pytest.approx([275, 237])
    assert points[1] == pytest.approx([364, 237.5])
    assert points[3][0] < points[2][0] < points[4][0]
    assert points[:2, 1].max() < points[2, 1] < points[3:, 1].min()
    turn = np.array([[0.0, -1.0], [1.0, 0.0]], np.float32)  # a quarter, clockwise as seen
    assert points_from_corners(corners @ turn.T) == pytest.approx(points @ turn.T, abs=0.01)
    box = box_around(points)
    assert box.width == pytest.approx(box.height)
    assert box.x0 < points[:, 0].min()
    assert box.y1 > points[:, 1].max()
    flat = points_from_corners(np.zeros((5, 2), np.float32))
    assert np.isfinite(flat).all()
