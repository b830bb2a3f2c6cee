"""MediaPipe's mesh of 478 points: eyes that blink, a mouth that opens.

Input: a square around the face, turned so that the eyes are level, 256 × 256, RGB, 0 to 1. Eye aspect ratio: Soukupová and Čech 2016.
"""

import math
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from verification.engine.session import Session
from verification.faces.align import square
from verification.types import Face, Landmarks, Picture

SIZE = 256
CROP = 1.5
POINTS = 478

# Of the mesh: outer corner, two of the upper lid, inner corner, two of the lower lid; the eye on the left in the picture is the person's right one.
EYE_LEFT = (33, 160, 158, 133, 153, 144)
EYE_RIGHT = (263, 387, 385, 362, 380, 373)
LIPS = (78, 13, 308, 14)
"""Inner lips: corner on the left, middle of the upper, corner on the right, middle of the lower."""


class Mesh478:
    """``settings``: ``crop`` how many times the box's longer side."""

    def __init__(
        self, session: Session, settings: Mapping[str, Any] | None = None, *, element: type[np.floating[Any]] = np.float16
    ) -> None:
        self._session = session
        self._scale = float((settings or {}).get("crop", CROP))
        self._element = element

    def find(self, picture: Picture, face: Face) -> Landmarks:
        eyes = face.points[1] - face.points[0]
        degrees = math.degrees(math.atan2(float(eyes[1]), float(eyes[0])))
        side = max(face.box.width, face.box.height) * self._scale
        part, matrix = square(picture, face.box.centre, side, SIZE, degrees=degrees)
        tensor = np.ascontiguousarray(part.transpose(2, 0, 1)[None]).astype(self._element) / self._element(255)
        raw, presence = self._session.run(tensor)[:2]
        mesh = np.asarray(raw, np.float32).reshape(POINTS, 3)
        return Landmarks(
            points=_in_picture(mesh, matrix),
            presence=1 / (1 + math.exp(-float(np.clip(presence.reshape(-1)[0], -50, 50)))),
            eye_left=eye_aspect(mesh, EYE_LEFT),
            eye_right=eye_aspect(mesh, EYE_RIGHT),
            mouth=mouth_opening(mesh),
        )


def _in_picture(mesh: NDArray[np.float32], matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    back = cv2.invertAffineTransform(matrix)
    flat = mesh[:, :2] @ back[:, :2].T + back[:, 2]
    depth = mesh[:, 2:] * float(np.hypot(back[0, 0], back[1, 0]))
    return np.concatenate([flat, depth], axis=1).astype(np.float32)


def _distance(mesh: NDArray[np.float32], a: int, b: int) -> float:
    return float(np.hypot(*(mesh[a, :2] - mesh[b, :2])))


def eye_aspect(mesh: NDArray[np.float32], eye: tuple[int, int, int, int, int, int]) -> float:
    """Height of the eye over its width: about 0.3 open, under 0.1 shut."""
    outer, upper_a, upper_b, inner, lower_b, lower_a = eye
    width = _distance(mesh, outer, inner)
    return (_distance(mesh, upper_a, lower_a) + _distance(mesh, upper_b, lower_b)) / (2 * width) if width > 0 else 0.0


def mouth_opening(mesh: NDArray[np.float32]) -> float:
    """Gap between the lips over the mouth's inner width."""
    left, upper, right, lower = LIPS
    width = _distance(mesh, left, right)
    return _distance(mesh, upper, lower) / width if width > 0 else 0.0
