"""Pictures become observations: with the models of ``base`` and pictures of people, and with drawn ones where only colours count."""

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support import packs
from verification.challenge.light import chroma
from verification.challenge.observe import Observer, colours, face_areas, observation, thumbnail
from verification.challenge.policy import limits_of
from verification.faces.analyser import Analyser
from verification.ports import Analysis, FaceSeen
from verification.types import Box, Face, Pad, Picture

FACES = Path(__file__).resolve().parents[5] / "shared" / "data" / "dev" / "faces" / "azure_family"
FACE = Face(
    box=Box(240, 120, 400, 340),
    score=0.9,
    points=np.array([[285, 200], [355, 200], [320, 240], [290, 285], [350, 285]], np.float32),
)


def drawn(face: tuple[int, int, int] = (200, 150, 120), behind: tuple[int, int, int] = (90, 100, 110)) -> Picture:
    picture = np.full((480, 640, 3), behind, np.uint8)
    cv2.ellipse(picture, (320, 230), (80, 110), 0, 0, 360, face, -1)
    return picture


def portrait(name: str) -> Picture:
    if not FACES.is_dir():
        pytest.skip("the development faces (../shared/data/dev/faces) are not there")
    picture = cv2.imread(str(FACES / name))
    return np.ascontiguousarray(picture[:, :, ::-1])


@pytest.fixture(scope="module")
def analyser() -> Analyser:
    return Analyser(packs.base())


def test_colours_of_face_and_background() -> None:
    skin, around = colours(drawn(), FACE)
    assert skin == pytest.approx((200, 150, 120), abs=1)
    assert around == pytest.approx((90, 100, 110), abs=1)


def test_areas_do_not_touch() -> None:
    skin, around = face_areas((480, 640), FACE)
    assert not np.any((skin > 0) & (around > 0))
    assert skin[165, 320]
    assert skin[252, 285]
    assert skin[252, 355]
    assert not skin[285, 320]  # the mouth
    assert not around[400:].any()  # shoulders


def test_too_little_or_too_dark_to_tell() -> None:
    assert colours(drawn(behind=(5, 5, 5)), FACE)[1] is None
    assert colours(drawn(face=(254, 254, 254)), FACE)[0] is None
    near = Face(
        Box(-100, -100, 740, 560), 0.9, np.array([[150, 150], [490, 150], [320, 260], [200, 400], [440, 400]], np.float32)
    )
    skin, around = colours(drawn(), near)
    assert skin is not None
    assert around is None


def test_a_tint_moves_the_chroma_and_white_balance_does_not() -> None:
    def of(picture: Picture) -> tuple[float, float]:
        skin, around = colours(picture, FACE)
        analysis = Analysis(640, 480, 1, face_colour=skin, background_colour=around)
        value = chroma(observation(analysis, index=0, at_s=0, received_s=0, sha256=b""))
        assert value is not None
        return value

    plain = of(drawn())
    greener = of(drawn(face=(195, 158, 121)))
    assert greener[0] < plain[0] - 0.05
    assert of(drawn(face=(200, 150, 120), behind=(90, 100, 110))) == pytest.approx(plain)
    linear = lambda value, gain: round(255 * ((value / 255) ** 2.2 * gain) ** (1 / 2.2))  # noqa: E731
    balanced = of(
        drawn(
            face=(linear(200, 0.8), linear(150, 1.1), linear(120, 0.9)),
            behind=(linear(90, 0.8), linear(100, 1.1), linear(110, 0.9)),
        )
    )
    assert balanced == pytest.approx(plain, abs=0.03)


def test_thumbnail_is_eight_by_eight_means() -> None:
    picture = np.zeros((480, 640, 3), np.uint8)
    picture[:60, :80] = 255
    assert thumbnail(picture) == bytes([255] + [0] * 63)


def test_a_workers_answer_becomes_an_observation() -> None:
    seen = FaceSeen((1.0, 2.0, 3.0, 4.0), 0.9, ((0.0, 0.0),) * 5)
    analysis = Analysis(
        640, 480, 1, face=seen, scale=0.1, yaw=1.0, pitch=2.0, roll=3.0, eyes=0.3, mouth=0.1, pad=Pad(0.8, (0.8,)), identity=0.5,
        face_colour=(1.0, 2.0, 3.0), background_colour=(4.0, 5.0, 6.0), thumbnail=bytes(64),
    )  # fmt: skip
    one = observation(analysis, index=7, at_s=1.5, received_s=2.5, sha256=b"x", reference=True)
    assert one.usable
    assert (one.index, one.at_s, one.received_s, one.sha256, one.reference) == (7, 1.5, 2.5, b"x", True)
    assert one.face_box == Box(1.0, 2.0, 3.0, 4.0)
    assert (one.pad, one.identity, one.eyes, one.mouth) == (0.8, 0.5, 0.3, 0.1)
    assert one.face_colour == (1.0, 2.0, 3.0)
    bare = observation(Analysis(640, 480, 2), index=0, at_s=0, received_s=0, sha256=b"")
    assert not bare.usable
    assert bare.pad is bare.face_box is bare.face_colour is None


def test_an_attempts_frames(analyser: Analyser) -> None:
    limits = limits_of(analyser.pack.thresholds)
    observer = Observer(analyser, limits)
    nobody = observer.observe(drawn(), at_s=0.0, received_s=0.0)
    assert (nobody.index, nobody.faces, nobody.usable) == (0, 0, False)
    assert len(nobody.thumbnail) == 64
    dad = portrait("Family1-Dad1.jpg")
    first = observer.observe(dad, at_s=0.1, received_s=0.1)
    assert first.usable
    assert first.reference == limits.good(first.quality)
    assert first.sha256 == hashlib.sha256(dad.tobytes()).digest()
    assert first.identity is None
    again = observer.observe(dad, at_s=0.2, received_s=0.2, sha256=b"given")
    assert (again.index, again.sha256, again.reference) == (2, b"given", False)
    assert again.identity == pytest.approx(1.0, abs=1e-3)
    son = observer.observe(portrait("Family1-Dad2.jpg"), at_s=0.3, received_s=0.3)
    lady = observer.observe(portrait("Family2-Lady1.jpg"), at_s=0.4, received_s=0.4)
    assert son.identity is not None
    assert lady.identity is not None
    assert lady.identity < limits.identity < son.identity
    assert first.face_colour is not None
    assert first.pad is None  # base cannot
    assert observer.reference is not None
    assert observer.last is not None
    assert analyser.compare(observer.last, observer.reference).comparison_score == pytest.approx(lady.identity)
    observer.observe(drawn(), at_s=0.5, received_s=0.5)
    assert observer.last is None


def test_refuses() -> None:
    with pytest.raises(ValueError, match="pad_every"):
        Observer(None, None, pad_every=0)  # type: ignore[arg-type]
