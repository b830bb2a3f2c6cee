"""dlib's five points - the corners of both eyes and the foot of the nose -, found in a box that its detector would give."""

from dataclasses import replace
from typing import Any

import dlib
import numpy as np
from numpy.typing import NDArray

from verification.errors import NotInstalled
from verification.models.files import as_path
from verification.types import Box, Face, Points

Grey = NDArray[np.uint8]

# The tip of the nose and the corners of the mouth as seen from eyes and foot of the nose: what YuNet says on the same faces.
_NOSE_TIP = (1.16, 0.19, 0.52)
"""Sideways, of the foot's; down: distances of the eyes, and of the foot's depth."""
_MOUTH = (0.46, 0.53, 0.65)
"""Half its width and how far down: distances of the eyes, and of the foot's depth."""

# Where dlib's detector puts its box around other detectors' five points, as a share of the way from eyes to mouth, and in distances of the eyes.
_BOX_DOWN = 0.486
_BOX_HALF = 1.167


class Corners:
    """``model``: the bytes of dlib's five-point predictor, those whose hash was right; ``name``: what errors call it. Raises NotInstalled where
    dlib cannot read them."""

    def __init__(self, model: bytes, name: str) -> None:
        try:
            with as_path(model) as path:
                self._predictor: Any = dlib.shape_predictor(path)
        except RuntimeError as error:
            raise NotInstalled(f"{name} cannot be read") from error

    def find(self, grey: Grey, box: Box) -> Points:
        rectangle = dlib.rectangle(round(box.x0), round(box.y0), round(box.x1) - 1, round(box.y1) - 1)
        return np.array([(point.x, point.y) for point in self._predictor(grey, rectangle).parts()], np.float32)

    def added(self, grey: Grey, face: Face) -> Face:
        """To a face of another detector, whose eyes then are where the corners say, which is truer."""
        corners = self.find(grey, box_around(face.points))
        points = face.points.copy()
        points[0], points[1] = corners[2:4].mean(axis=0), corners[0:2].mean(axis=0)
        return replace(face, points=points, corners=corners)


def box_around(points: Points) -> Box:
    """The box that dlib's detector would give around ``Face.points``."""
    eyes = (points[0] + points[1]) / 2
    mouth = (points[3] + points[4]) / 2
    size = max(float(np.hypot(*(points[1] - points[0]))), 0.9 * float(np.hypot(*(mouth - eyes))), 1.0)
    x, y = (float(value) for value in eyes + (mouth - eyes) * _BOX_DOWN)
    half = _BOX_HALF * size
    return Box(x - half, y - half, x + half, y + half)


def points_from_corners(corners: Points) -> Points:
    """``Face.points`` from ``Face.corners``; tip of the nose and mouth are estimated."""
    left, right, foot = corners[2:4].mean(axis=0), corners[0:2].mean(axis=0), corners[4]
    across = right - left
    distance = float(np.hypot(*across)) or 1.0
    along = across / distance
    down = np.array([-along[1], along[0]], np.float32)
    middle = (left + right) / 2
    side, depth = float((foot - middle) @ along), float((foot - middle) @ down)
    nose_side, nose_depth = _NOSE_TIP[0] * side, _NOSE_TIP[1] * distance + _NOSE_TIP[2] * depth
    half, mouth_depth = _MOUTH[0] * distance, _MOUTH[1] * distance + _MOUTH[2] * depth
    return np.array(
        [
            left,
            right,
            middle + along * nose_side + down * nose_depth,
            middle + along * -half + down * mouth_depth,
            middle + along * half + down * mouth_depth,
        ],
        np.float32,
    )
