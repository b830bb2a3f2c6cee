"""Whose face it is: the same person's pictures are alike, others' are not, and what cannot be compared is refused."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support import analysers, portraits
from verification.faces.compare import comparison_score
from verification.reasons import ReasonCode
from verification.types import Embedding

PACKS = {"base": (analysers.base, 128), "open": (analysers.open_pack, 128), "insightface": (analysers.insightface, 512)}


@pytest.mark.parametrize("pack", PACKS)
def test_a_face_is_itself_in_other_light_size_and_place(pack: str) -> None:
    make, numbers = PACKS[pack]
    analyser = make()
    portrait = portraits.portrait()
    _, _, first = analyser.embed_picture(portrait)
    assert first.shape == (numbers,)
    assert first.dtype == np.float32
    for other in (
        portraits.light(portrait, 0.6),
        portraits.leaning(portrait, 12),
        portraits.turned(portrait, yaw=20),
        portrait[40:, 60:],
    ):
        _, _, second = analyser.embed_picture(np.ascontiguousarray(other))
        compared = analyser.compare(first, second)
        assert compared.match
        assert compared.reasons == ()
        assert compared.comparison_score >= compared.threshold
    assert analyser.compare(first, first).comparison_score == pytest.approx(1.0)


@pytest.mark.parametrize("pack", PACKS)
def test_people_of_the_test_set_are_told_apart(pack: str) -> None:
    analyser = PACKS[pack][0]()
    people = {"Dad": ("Family1-Dad1.jpg", "Family1-Dad2.jpg", "Family1-Dad3.jpg"), "Mom": ("Family1-Mom1.jpg", "Family1-Mom2.jpg"),
              "Lady": ("Family2-Lady1.jpg", "Family2-Lady2.jpg"), "Man": ("Family2-Man1.jpg", "Family2-Man2.jpg")}  # fmt: skip
    embedded = [(who, analyser.embed_picture(portraits.azure(file))[2]) for who, files in people.items() for file in files]
    embedded.append(("astronaut", analyser.embed_picture(portraits.portrait())[2]))
    mated, others = [], []
    for index, (who, first) in enumerate(embedded):
        for other, second in embedded[index + 1 :]:
            compared = analyser.compare(first, second)
            assert compared.reasons == (() if compared.match else (ReasonCode.NO_MATCH,))
            (mated if who == other else others).append(compared)
    assert len(mated) == 6
    assert all(compared.match for compared in mated)
    # Two of one family are alike enough for a false match of `base` at 1e-3: what such a rate means.
    assert sum(compared.match for compared in others) <= 1
    assert min(c.comparison_score for c in mated) > max(c.comparison_score for c in others) + 0.1


def test_without_dlibs_points_those_of_the_detector_do() -> None:
    """A pack without the five-point predictor; slightly less alike."""
    analyser = analysers.open_pack()
    portrait = portraits.portrait()
    face = analyser.one_face(portrait)
    first = analyser.embed(portrait, face)
    second = analyser.embed(portrait, replace(face, corners=None))
    assert not np.array_equal(first, second)
    assert analyser.compare(first, second).comparison_score > 0.6


def test_scores_are_higher_for_what_is_more_alike() -> None:
    a = np.array([1, 0, 0], np.float32)
    b = np.array([0.9, 0.1, 0], np.float32)
    far = np.array([-1, 0, 0], np.float32)
    for kind in ("dlib_resnet", "arcface"):
        assert comparison_score(kind, a, a) == pytest.approx(1.0)
        assert comparison_score(kind, a, a) > comparison_score(kind, a, b) > comparison_score(kind, a, far)
    assert comparison_score("dlib_resnet", a, far) == pytest.approx(-1.0)
    assert comparison_score("arcface", a, a * 7) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (np.zeros(3, np.float32), np.zeros(4, np.float32)),
        (np.zeros((1, 3), np.float32), np.zeros((1, 3), np.float32)),
        (np.array([np.nan, 0, 1], np.float32), np.ones(3, np.float32)),
        (np.ones(3, np.float32), np.array([np.inf, 0, 1], np.float32)),
        (np.zeros(3, np.float32), np.ones(3, np.float32)),
    ],
)
def test_what_cannot_be_compared_is_refused(a: Embedding, b: Embedding) -> None:
    with pytest.raises(ValueError, match="embedding"):
        comparison_score("arcface", a, b)


def test_an_unknown_recogniser_or_operating_point_is_refused() -> None:
    ones = np.ones(128, np.float32)
    with pytest.raises(ValueError, match="facenet"):
        comparison_score("facenet", ones, ones)
    with pytest.raises(ValueError, match="false match rate"):
        analysers.base().compare(ones, ones, fmr=0.5)


def test_an_operating_point_decides() -> None:
    analyser = analysers.base()
    points = analyser.pack.thresholds.comparison
    assert points is not None
    a = np.zeros(128, np.float32)
    for point in points.points:
        b = a.copy()
        b[0] = 1 - point.threshold - 0.001
        assert analyser.compare(a, b, fmr=point.fmr).match
        b[0] = 1 - point.threshold + 0.001
        compared = analyser.compare(a, b, fmr=point.fmr)
        assert not compared.match
        assert compared.fmr == point.fmr
