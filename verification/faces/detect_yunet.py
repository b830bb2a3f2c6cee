"""Faces and their five points by YuNet: one convolutional network without anchors (Wu, Peng, Yu 2023), decoded here.

Input: BGR, 0 to 255, both sides multiples of 32. For each stride (8, 16, 32) a cell of the grid says how surely it is a face (class times object), where its
centre and size are (size as a logarithm), and where the five points lie, in cells.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from verification.engine.session import Session
from verification.types import Box, Face, Picture

STRIDES = (8, 16, 32)
MULTIPLE = 32
SCORE = 0.6
OVERLAP = 0.3
SAME = 0.5
"""Two boxes that share more (intersection over union) are of one face."""
SIDES = (320, 640)
"""Longer side of the picture at each pass, in pixels; the next is taken where the one before found nothing."""
NARROWEST = 16
"""Pixels: in a narrower picture there is no face."""
OUTPUTS = tuple(f"{name}_{stride}" for name in ("cls", "obj", "bbox", "kps") for stride in STRIDES)

Found = NDArray[np.float32]
"""(n, 15): box, score, five points."""


def passes(settings: Mapping[str, Any], sides: tuple[int, int]) -> tuple[int, int]:
    """Longer sides of the two passes: the manifest's ``size``, and twice that."""
    first = int(settings.get("size", sides[0]))
    return first, 2 * first


class YunetDetector:
    """``settings``: ``score``; ``nms`` the overlap of two boxes; ``size`` of the first pass."""

    def __init__(self, session: Session, settings: Mapping[str, Any] | None = None) -> None:
        settings = settings or {}
        self._session = session
        self._score = float(settings.get("score", SCORE))
        self._overlap = float(settings.get("nms", OVERLAP))
        self._sides = passes(settings, SIDES)
        self._grids: dict[tuple[int, int, int], NDArray[np.float32]] = {}

    def detect(self, picture: Picture, *, careful: bool = False) -> list[Face]:
        """Largest first. ``careful`` changes nothing: it sees small faces beside large ones anyway."""
        tried = set()
        for side in self._sides:
            scale = min(1.0, side / max(picture.shape[:2]))
            if scale in tried or min(picture.shape[:2]) * scale < NARROWEST:
                continue
            tried.add(scale)
            found = self._pass(picture, scale)
            if len(found):
                faces = [_face(row / scale, float(row[4])) for row in found]
                return sorted(faces, key=lambda face: -face.box.area)
        return []

    def finer(self, picture: Picture, face: Face) -> Face:
        """The same face with the box that the last, finest pass gives it: what passive detection cuts out depends on it. ``face`` where that pass
        does not see it."""
        scale = min(1.0, self._sides[-1] / max(picture.shape[:2]))
        if scale <= self._sides[0] / max(picture.shape[:2]):
            return face
        seen = [
            (_shared(face.box, Box(*(float(value) for value in row[:4]))), row) for row in self._pass(picture, scale) / scale
        ]
        share, best = max(seen, key=lambda pair: pair[0], default=(0.0, None))
        return replace(face, box=Box(*(float(value) for value in best[:4]))) if best is not None and share > SAME else face

    def _pass(self, picture: Picture, scale: float) -> Found:
        """In pixels of the reduced picture."""
        if scale < 1:
            picture = np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        height, width = picture.shape[:2]
        padded = np.zeros((1, 3, -(-height // MULTIPLE) * MULTIPLE, -(-width // MULTIPLE) * MULTIPLE), np.float32)
        padded[0, :, :height, :width] = picture[:, :, ::-1].transpose(2, 0, 1)
        outputs = dict(zip(OUTPUTS, self._session.run(padded, outputs=OUTPUTS), strict=True))
        found = [self._decode(outputs, stride, padded.shape[2], padded.shape[3]) for stride in STRIDES]
        return suppressed(np.concatenate(found), self._overlap)

    def _decode(self, outputs: dict[str, NDArray[np.float32]], stride: int, height: int, width: int) -> Found:
        classes, objects = outputs[f"cls_{stride}"][0, :, 0], outputs[f"obj_{stride}"][0, :, 0]
        scores = np.sqrt(np.clip(classes, 0, 1) * np.clip(objects, 0, 1))
        sure = np.flatnonzero(scores >= self._score)
        grid = self._grid(stride, height // stride, width // stride)[sure]
        boxes, points = outputs[f"bbox_{stride}"][0, sure], outputs[f"kps_{stride}"][0, sure]
        centres = (boxes[:, :2] + grid) * stride
        sizes = np.exp(np.clip(boxes[:, 2:], -10, 10)) * stride
        places = (points.reshape(-1, 5, 2) + grid[:, None]) * stride
        rows = [centres - sizes / 2, centres + sizes / 2, scores[sure, None], places.reshape(-1, 10)]
        return np.concatenate(rows, axis=1).astype(np.float32)

    def _grid(self, stride: int, rows: int, columns: int) -> NDArray[np.float32]:
        key = (stride, rows, columns)
        if key not in self._grids:
            if len(self._grids) >= 64:  # pictures of many shapes
                self._grids.clear()
            down, across = np.mgrid[:rows, :columns]
            self._grids[key] = np.stack([across, down], axis=-1).reshape(-1, 2).astype(np.float32)
        return self._grids[key]


def _face(row: NDArray[np.float32], score: float) -> Face:
    """YuNet's points come in the order that ``Face.points`` has: as they stand in the picture from left to right."""
    return Face(Box(*(float(value) for value in row[:4])), score, row[5:15].reshape(5, 2).astype(np.float32))


def _shared(a: Box, b: Box) -> float:
    """Intersection over union."""
    wide, high = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
    both = max(0.0, wide) * max(0.0, high)
    return both / (a.area + b.area - both) if both else 0.0


def suppressed(found: Found, overlap: float) -> Found:
    """Of boxes that overlap by more than ``overlap`` (intersection over union) only the surest."""
    found = found[np.argsort(-found[:, 4], kind="stable")]
    areas = (found[:, 2] - found[:, 0]) * (found[:, 3] - found[:, 1])
    kept: list[int] = []
    left = np.arange(len(found))
    while left.size:
        first, left = int(left[0]), left[1:]
        kept.append(first)
        low = np.maximum(found[left, :2], found[first, :2])
        high = np.minimum(found[left, 2:4], found[first, 2:4])
        shared = np.prod(np.clip(high - low, 0, None), axis=1)
        left = left[shared <= overlap * (areas[left] + areas[first] - shared)]
    return found[kept]
