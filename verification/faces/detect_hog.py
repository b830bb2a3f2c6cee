"""Faces by dlib's histograms of gradients, their eyes and nose by its five-point predictor: the pack `base`.

The detector costs time by the pixel, so a reduced grey picture comes first and the full one only where nothing was found there. A second face that
is smaller than about a quarter of the picture's longer side is not seen in the first pass, only by who looks carefully.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import dlib
import numpy as np
from numpy.typing import NDArray

from verification.faces.corners import Corners, points_from_corners
from verification.types import Box, Face, Picture

SIDES = (320, 480, 640, 1280)
"""Longer side of the picture at each pass, in pixels; a smaller picture is enlarged to the second at most."""
MOST_ENLARGED = 2.0
NARROWEST = 16
"""Pixels: in a narrower picture there is no face."""
SMALLEST = 80
"""Pixels of a face that the detector sees."""
COUNTS_FROM = 0.4
"""Another face counts when its side is at least this share of the largest one's: smaller ones stand in the background."""
LAST_LESS = 0.2
"""By so much less sure a face may be that only the last pass finds."""


class HogDetector:
    """``settings``: ``score`` the least that counts (default 0.0), ``sides`` the longer side of each pass."""

    def __init__(self, corners: Corners, settings: Mapping[str, Any] | None = None) -> None:
        settings = settings or {}
        self._score = float(settings.get("score", 0.0))
        self._sides = tuple(int(side) for side in settings.get("sides", SIDES))
        self._corners = corners
        self._detector: Any = dlib.get_frontal_face_detector()

    def detect(self, picture: Picture, *, careful: bool = False) -> list[Face]:
        """Largest first. ``careful``: look closer, so that everybody is found whose face counts beside the largest."""
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        faces, scale = self._first(grey)
        if careful and faces:
            closer = min(1.0, SMALLEST / (COUNTS_FROM * max(faces[0].box.width, 1.0)))
            if closer > scale:
                faces = self._pass(grey, closer, self._score) or faces
        return faces

    def finer(self, picture: Picture, face: Face) -> Face:
        """Its box is fine as it is."""
        return face

    def _first(self, grey: NDArray[np.uint8]) -> tuple[list[Face], float]:
        """Of the first pass that finds any, and its scale."""
        scales = self._scales(grey.shape)
        for scale in scales:
            faces = self._pass(grey, scale, self._score if scale != scales[-1] else self._score - LAST_LESS)
            if faces:
                return faces, scale
        return [], 1.0

    def _scales(self, shape: Sequence[int]) -> list[float]:
        """Of each pass; of small pictures several would be the same."""
        first, *others = self._sides
        scales = [min(first / max(shape), 1.0), *(min(side / max(shape), MOST_ENLARGED) for side in others)]
        return [scale for scale in dict.fromkeys(scales) if min(shape) * scale >= NARROWEST]

    def _pass(self, grey: NDArray[np.uint8], scale: float, least: float) -> list[Face]:
        if scale < 1:
            looked = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        elif scale > 1:
            looked = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
        else:
            looked = grey
        boxes, scores, _ = self._detector.run(looked, 0, least)
        faces = [self._face(grey, box, score, scale) for box, score in zip(boxes, scores, strict=True)]
        return sorted(faces, key=lambda face: -face.box.area)

    def _face(self, grey: NDArray[np.uint8], found: Any, score: float, scale: float) -> Face:
        box = Box(found.left() / scale, found.top() / scale, (found.right() + 1) / scale, (found.bottom() + 1) / scale)
        corners = self._corners.find(grey, box)
        return Face(box, float(score), points_from_corners(corners), corners, mouth_seen=False)
