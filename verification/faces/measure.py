"""What can be measured of a face's picture without a model: size, place, light, edges, and what seems to cover it.

Light and edges are measured in the face alone, brought to a fixed size by its eyes and mouth (``align.ARCFACE_112``): so they mean the same near and far,
and a background says nothing. What covers a face is found by colour: skin is compared with the same person's skin, never with a tone.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from verification.faces.align import ARCFACE_112, similarity, warp
from verification.faces.quality import Measures
from verification.types import Face, Picture

SIZE = 112
_FACE = ((16.0, 18.0), (96.0, 18.0), (96.0, 110.0), (16.0, 110.0))
"""Corners of the part of the aligned square that every face fills."""
_SURELY_FACE = (slice(30, 104), slice(24, 88))
_OVER, _UNDER = 250, 16
_STEPS = 12

# Rows and columns of the aligned square: where there is skin in most faces (forehead, cheeks, bridge of the nose), the tip of the nose, and the skin
# that glasses hide.
_FOREHEAD, _CHEEK_LEFT, _CHEEK_RIGHT, _BRIDGE = (
    (slice(24, 38), slice(40, 72)),
    (slice(64, 78), slice(24, 38)),
    (slice(64, 78), slice(74, 88)),
    (slice(54, 68), slice(50, 62)),
)
_SKIN = (_FOREHEAD, _CHEEK_LEFT, _CHEEK_RIGHT, _BRIDGE)
_NOSE_TIP = (slice(68, 76), slice(48, 64))
_JAWS = ((slice(82, 98), slice(34, 44)), (slice(82, 98), slice(68, 78)))
_UNDER_EYES = ((slice(56, 63), slice(28, 46)), (slice(56, 63), slice(66, 84)))
_RED_OF_SKIN, _BLUE_OF_SKIN = 130.5, 127.0
"""Skin of every tone has more Cr and less Cb than grey (128)."""
_PALE = 0.35
"""Of the skin's saturation: what has less is not that skin."""
_OTHER_HUE, _LEAST_HUE = 0.9, 10.0
"""Tangent of the angle to the skin's hue, and how far from it in units of Cr and Cb."""
_DARK = 0.62
"""Of the skin's luma: what is darker and of another colour may be hair, a beard, a shadow."""
_BLACK = 0.5
"""Of the skin's luma: so dark is the skin under both eyes behind sunglasses only, and nose and jaws behind a black mask."""
_HIDDEN = 0.3
"""The share of a face that sunglasses or a mask hide."""


def measure(picture: Picture, face: Face) -> Measures:
    """Raises ValueError where the five points make no face."""
    matrix = similarity(face.points, ARCFACE_112)
    chip = warp(picture, matrix, SIZE)
    luma = cv2.cvtColor(chip, cv2.COLOR_RGB2GRAY)[_SURELY_FACE].astype(np.float32)
    distance = face.eye_distance
    middle = luma.shape[1] // 2
    left, right = float(luma[:, :middle].mean()), float(luma[:, middle:].mean())
    return Measures(
        eye_distance=distance,
        eye_distance_share=distance / picture.shape[1],
        outside=outside(picture, matrix),
        sharpness=sharpness(luma),
        brightness=float(luma.mean()) / 255,
        contrast=float(luma.std()) / 255,
        over_exposed=float((luma >= _OVER).mean()),
        under_exposed=float((luma <= _UNDER).mean()),
        uneven=abs(left - right) / max((left + right) / 2, 1.0),
        occlusion=occlusion(chip),
    )


def outside(picture: Picture, matrix: NDArray[np.float64]) -> float:
    """Share of the face that is over the edge of the picture."""
    back = cv2.invertAffineTransform(matrix)
    (x0, y0), (x1, y1) = _FACE[0], _FACE[2]
    across, down = np.meshgrid(np.linspace(x0, x1, _STEPS), np.linspace(y0, y1, _STEPS))
    places = np.stack([across.ravel(), down.ravel()], axis=1) @ back[:, :2].T + back[:, 2]
    height, width = picture.shape[:2]
    within = (places >= -1).all(axis=1) & (places[:, 0] <= width) & (places[:, 1] <= height)
    return float(1 - within.mean())


def sharpness(luma: NDArray[np.float32]) -> float:
    """How much of what changes in the face does so from one pixel to the next: spread of the Laplacian over the spread of the luma."""
    smooth = cv2.GaussianBlur(luma, (3, 3), 0.6)  # a sensor's noise is no edge
    return float(cv2.Laplacian(smooth, cv2.CV_32F).std() / (luma.std() + 4.0)) / 2


def occlusion(chip: Picture) -> float:
    """Share of the face that seems covered: by another colour (a mask, a glove, a sheet of paper), or because it is dark where no hair grows.

    A hand is skin: it is not seen. Neither is a pale cover in a picture without colours.
    """
    colours = cv2.cvtColor(cv2.GaussianBlur(chip, (5, 5), 1.2), cv2.COLOR_RGB2YCrCb).astype(np.float32)
    luma = colours[..., 0]
    places = np.array([np.median(colours[part].reshape(-1, 3), axis=0) for part in _SKIN])
    skins = places[(places[:, 1] > _RED_OF_SKIN) & (places[:, 2] < _BLUE_OF_SKIN)]
    share, own = 0.0, np.median(luma[_SURELY_FACE])
    if len(skins):
        skin = skins[np.abs(skins[:, None] - skins[None]).sum(axis=(1, 2)).argmin()]  # the most usual
        share, own = float(_other_than(colours, skin)[_SURELY_FACE].mean()), skin[0]
    for hidden in (_UNDER_EYES, (*_JAWS, _NOSE_TIP)):
        if all(float(np.median(luma[part])) < _BLACK * own for part in hidden):
            share += _HIDDEN
    return min(1.0, share)


def _other_than(colours: NDArray[np.float32], skin: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Pixels of another hue than ``skin`` or nearly without one, that are neither dark enough for hair nor burnt out."""
    luma, red, blue = colours[..., 0], colours[..., 1] - 128, colours[..., 2] - 128
    skin_red, skin_blue = float(skin[1]) - 128, float(skin[2]) - 128
    saturation = float(np.hypot(skin_red, skin_blue))
    along = (red * skin_red + blue * skin_blue) / saturation
    beside = np.abs(red * skin_blue - blue * skin_red) / saturation
    other = (beside > _LEAST_HUE) & (beside > _OTHER_HUE * np.abs(along))
    if saturation > 10:
        other |= along < _PALE * saturation - 2
    return np.asarray(other & (luma >= _DARK * skin[0]) & (luma > 24) & (luma < 240))
