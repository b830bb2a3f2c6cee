"""Faces brought to the size and place that a model was trained with.

Templates are where the five points of ``Face.points`` come to lie. ArcFace's stands in insightface.utils.face_align; dlib's is where the same five points lie
on average in the chips that dlib itself cuts (measured).
"""

import math
from typing import Any

import cv2
import dlib
import numpy as np
from numpy.typing import NDArray

from verification.types import Picture, Points

Matrix = NDArray[np.float64]
"""(2, 3): where a pixel of the picture comes to lie."""

ARCFACE_112: Points = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float32
)
DLIB_150: Points = np.array([[45.9, 45.6], [101.1, 44.8], [73.9, 79.3], [50.1, 100.7], [99.8, 99.9]], np.float32)
DLIB_SIZE = 150
DLIB_PADDING = 0.25


def similarity(source: Points, target: Points) -> Matrix:
    """The turn, scale and shift that bring ``source`` closest to ``target`` (least squares; Umeyama 1991, in the plane and without a
    reflection). Raises ValueError where the points are all in one place."""
    a, b = np.asarray(source, np.float64), np.asarray(target, np.float64)
    mean_a, mean_b = a.mean(axis=0), b.mean(axis=0)
    a, b = a - mean_a, b - mean_b
    spread = float((a * a).sum())
    if not math.isfinite(spread) or spread < 1e-9:
        raise ValueError("points in one place")
    cosine = float((a * b).sum()) / spread
    sine = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / spread
    turn = np.array([[cosine, -sine], [sine, cosine]])
    return np.column_stack([turn, mean_b - turn @ mean_a])


def warp(picture: Picture, matrix: Matrix, size: int) -> Picture:
    """A square of ``size`` pixels. A face much larger than that is reduced first, so that nothing flickers through."""
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale < 0.5:
        picture, matrix = _reduced(picture, matrix, size, scale)
    return np.asarray(cv2.warpAffine(picture, matrix, (size, size), flags=cv2.INTER_LINEAR), np.uint8)


def _reduced(picture: Picture, matrix: Matrix, size: int, scale: float) -> tuple[Picture, Matrix]:
    """The part of the picture that comes into the square, in half or a third of its size and so on, and the matrix from there."""
    inverse = cv2.invertAffineTransform(matrix)
    corners = np.array([[0, 0], [size, 0], [0, size], [size, size]], np.float64) @ inverse[:, :2].T + inverse[:, 2]
    height, width = picture.shape[:2]
    margin = 2 / scale  # a pixel of the square and a bit
    x0, y0 = (max(0, math.floor(value)) for value in corners.min(axis=0) - margin)
    x1, y1 = math.ceil(min(width, corners[:, 0].max() + margin)), math.ceil(min(height, corners[:, 1].max() + margin))
    if x1 <= x0 or y1 <= y0:
        return picture, matrix
    part = picture[y0:y1, x0:x1]
    new_width, new_height = max(1, round(part.shape[1] * scale * 1.5)), max(1, round(part.shape[0] * scale * 1.5))
    factor_x, factor_y = part.shape[1] / new_width, part.shape[0] / new_height
    small = cv2.resize(part, (new_width, new_height), interpolation=cv2.INTER_AREA)
    # a pixel (u, v) of the small one is the middle of a block of the picture
    back = np.array([[factor_x, 0, x0 + (factor_x - 1) / 2], [0, factor_y, y0 + (factor_y - 1) / 2], [0, 0, 1]])
    return np.asarray(small, np.uint8), matrix @ back


def dlib_chip(picture: Picture, corners: Points) -> Picture:
    """150 × 150, exactly as dlib cuts it by its own five points (``Face.corners``)."""
    shape: Any = dlib.full_object_detection(
        _rectangle(corners), [dlib.point(round(float(x)), round(float(y))) for x, y in corners]
    )
    return np.asarray(dlib.get_face_chip(np.ascontiguousarray(picture), shape, size=DLIB_SIZE, padding=DLIB_PADDING), np.uint8)


def _rectangle(points: Points) -> Any:
    """dlib wants one; what it cuts does not depend on it."""
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    return dlib.rectangle(int(x0), int(y0), int(x1) + 1, int(y1) + 1)


def square(
    picture: Picture, centre: tuple[float, float], side: float, size: int, *, degrees: float = 0.0
) -> tuple[Picture, Matrix]:
    """A square part of the picture, turned level when it leans by ``degrees`` clockwise; its matrix leads from picture to part. Black outside."""
    angle, scale = math.radians(degrees), size / side
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    x, y = centre
    half = (size - 1) / 2
    matrix = np.array([[cosine, sine, half - cosine * x - sine * y], [-sine, cosine, half + sine * x - cosine * y]])
    return warp(picture, matrix, size), matrix
