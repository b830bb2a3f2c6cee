"""A portrait that needs no other folder - NASA's of Eileen Collins, public domain, which comes with scikit-image - and what can be wrong with one.

``azure(name)``: one of the people of ../shared (MIT), padded as its README says; skips where that is not there.
"""

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from verification.images import read
from verification.types import Picture

AZURE = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "dev" / "faces" / "azure_family"
EYES = ((209.0, 187.0), (293.0, 188.0))
"""Of ``portrait``; about, left and right in the picture."""
NOSE = (249.0, 234.0)
MOUTH = (249.0, 270.0)


@cache
def _portrait() -> Picture:
    skimage = pytest.importorskip("skimage.data")
    return np.ascontiguousarray(cv2.resize(skimage.astronaut()[10:250, 100:340], (480, 480), interpolation=cv2.INTER_CUBIC))


def portrait() -> Picture:
    """480 × 480, looking into the camera; nothing is wrong with it."""
    return _portrait().copy()


def azure(name: str) -> Picture:
    path = AZURE / name
    if not path.is_file():
        pytest.skip("the pictures of ../shared/data are not there")
    picture = read(path.read_bytes())
    side = round(max(picture.shape[:2]) * 0.25)
    return cv2.copyMakeBorder(picture, side, side, side, side, cv2.BORDER_CONSTANT, value=(127, 127, 127)).astype(np.uint8)


def _as_picture(values: NDArray[np.float64]) -> Picture:
    return np.ascontiguousarray(np.clip(values, 0, 255).astype(np.uint8))


def blurred(picture: Picture, sigma: float = 7.0) -> Picture:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8)


def light(picture: Picture, factor: float, added: float = 0.0) -> Picture:
    return _as_picture(picture.astype(np.float64) * factor + added)


def from_the_side(picture: Picture) -> Picture:
    """Light from the left only."""
    fall = 1 / (1 + np.exp((np.arange(picture.shape[1]) - 235) / 12.0)) * 0.9 + 0.12
    return _as_picture(picture * fall[None, :, None])


def leaning(picture: Picture, degrees: float) -> Picture:
    """Clockwise as seen."""
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1.0)
    return np.asarray(cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def turned(picture: Picture, yaw: float = 0.0, pitch: float = 0.0) -> Picture:
    """The portrait painted on a head - an ellipsoid with a nose - that is turned by ``yaw`` (its nose to the right) and ``pitch`` (up)."""
    height, width = picture.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64))
    centre_x, centre_y = NOSE[0], NOSE[1] - 20
    sine_y, cosine_y = np.sin(np.radians(yaw)), np.cos(np.radians(yaw))
    sine_p, cosine_p = np.sin(np.radians(pitch)), np.cos(np.radians(pitch))
    source_x, source_y = x.copy(), y.copy()
    for _ in range(25):  # which place of the flat portrait comes to lie here
        across, down = source_x - centre_x, source_y - centre_y
        ball = 95.0 * np.sqrt(np.clip(1 - (across / 150) ** 2 - (down / 190) ** 2, 0, 1))
        nose = 38.0 * np.exp(-((across / 22) ** 2) - ((source_y - NOSE[1]) / 30) ** 2)
        depth = ball + nose - 60
        source_x += 0.5 * ((x - centre_x - depth * sine_y) / cosine_y + centre_x - source_x)
        source_y += 0.5 * ((y - centre_y + depth * sine_p) / cosine_p + centre_y - source_y)
    drawn = cv2.remap(
        picture, source_x.astype(np.float32), source_y.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(drawn, np.uint8)


def masked(picture: Picture, colour: tuple[int, int, int] = (150, 190, 225)) -> Picture:
    """Nose and mouth behind a mask."""
    picture = picture.copy()
    outline = np.array([[172, 226], [249, 212], [326, 226], [316, 300], [249, 326], [182, 300]], np.int32)
    cv2.fillPoly(picture, [outline], colour)
    return picture


def with_sunglasses(picture: Picture) -> Picture:
    picture = picture.copy()
    for x, y in EYES:
        cv2.ellipse(picture, (round(x), round(y) + 8), (40, 32), 0, 0, 360, (18, 18, 20), -1)
    return picture


def with_eyes_shut(picture: Picture) -> Picture:
    """Lids painted over both eyes."""
    picture = picture.copy()
    for x, y in EYES:
        centre = (round(x), round(y))
        skin = tuple(int(value) for value in picture[centre[1] + 24, centre[0]])
        cv2.ellipse(picture, centre, (27, 15), 0, 0, 360, skin, -1)
        cv2.ellipse(picture, (centre[0], centre[1] + 4), (24, 6), 0, 10, 170, (90, 60, 50), 2)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.8), np.uint8)


def far_away(picture: Picture, share: float = 0.2) -> Picture:
    """The portrait small in the middle of a grey wall."""
    height, width = picture.shape[:2]
    small = cv2.resize(picture, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    wall = np.full_like(picture, 127)
    y, x = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    wall[y : y + small.shape[0], x : x + small.shape[1]] = small
    return wall


def beside(first: Picture, second: Picture) -> Picture:
    """Two portraits in one picture, as high as the first."""
    scale = first.shape[0] / second.shape[0]
    second = np.asarray(
        cv2.resize(second, (round(second.shape[1] * scale), first.shape[0]), interpolation=cv2.INTER_AREA), np.uint8
    )
    return np.ascontiguousarray(np.concatenate([first, second], axis=1))
