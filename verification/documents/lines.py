"""The second way to a card's outline: from straight edges, whatever they belong to. OpenCV.

A thing that touches a card joins its outline, so that no outline is the card's alone; the card's own straight edges are there all the same, in pieces.
Pieces on one line are joined to it, and every four lines that could be the sides of a card are tried.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Quad = NDArray[np.float32]

LEAST_PIECE_PX = 14.0
MOST_LINES = 40
SAME_ANGLE = np.deg2rad(3.0)
SAME_PX = 3.0
LEAST_LINE_SHARE = 0.08
"""Of the picture's longer side: what the pieces of a line make together."""
MOST_TURN = np.deg2rad(28.0)
"""Between opposite sides, of a card seen from aside."""
LEAST_APART_PX = 60.0
SQUARE = (np.deg2rad(55.0), np.deg2rad(125.0))
RATIOS = (1.2, 1.9)
MOST_LONGER = 1.6
"""Of two opposite sides."""
SAMPLES = 32
BEST = 24


@dataclass(slots=True)
class _Line:
    """``angle``: 0 to pi; ``normal`` · point = ``far``; ``length``: of its pieces."""

    angle: float
    normal: NDArray[np.float64]
    far: float
    length: float


def quads(small: NDArray[Any], gradient: NDArray[np.float32], edge: float, least_area: float) -> Iterator[Quad]:
    """The likeliest first, clockwise. ``gradient``, ``edge``: as in ``find``; ``least_area`` in pixels."""
    height, width = small.shape[:2]
    found = _lines(small)
    if len(found) < 4:
        return
    corners = _tried(found, width, height, least_area)
    if not len(corners):
        return
    score = _edged(corners, gradient, edge)
    for place in np.argsort(-score)[:BEST]:
        yield np.ascontiguousarray(corners[place], np.float32)


def _lines(small: NDArray[Any]) -> list[_Line]:
    height, width = small.shape[:2]
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    pieces: list[NDArray[np.float64]] = []
    for channel in range(3):
        detected = cv2.createLineSegmentDetector(cv2.LSD_REFINE_NONE).detect(np.ascontiguousarray(lab[..., channel]))[0]
        if detected is not None:
            pieces.append(np.asarray(detected, np.float64).reshape(-1, 4))
    if not pieces:
        return []
    all_ = np.concatenate(pieces)
    lengths = np.hypot(all_[:, 2] - all_[:, 0], all_[:, 3] - all_[:, 1])
    order = [place for place in np.argsort(-lengths)[:600] if lengths[place] >= LEAST_PIECE_PX]
    found: list[_Line] = []
    for place in order:
        x0, y0, x1, y1 = all_[place]
        angle = float(np.arctan2(y1 - y0, x1 - x0) % np.pi)
        for line in found:
            turn = abs(angle - line.angle)
            off = max(
                abs(x0 * line.normal[0] + y0 * line.normal[1] - line.far),
                abs(x1 * line.normal[0] + y1 * line.normal[1] - line.far),
            )
            if min(turn, np.pi - turn) < SAME_ANGLE and off < SAME_PX:
                line.length += lengths[place]
                break
        else:
            if len(found) < 4 * MOST_LINES:
                normal = np.array([-np.sin(angle), np.cos(angle)])
                found.append(_Line(angle, normal, float(normal @ (x0, y0)), float(lengths[place])))
    least = LEAST_LINE_SHARE * max(height, width)
    return sorted((line for line in found if line.length >= least), key=lambda line: -line.length)[:MOST_LINES]


def _tried(found: list[_Line], width: int, height: int, least_area: float) -> NDArray[np.float64]:
    """(n, 4, 2): corners of every four lines that could be a card's."""
    angle = np.array([line.angle for line in found])
    normal = np.array([line.normal for line in found])
    far = np.array([line.far for line in found])
    middle = np.array([width / 2, height / 2])
    turn = np.abs(angle[:, None] - angle[None, :])
    turn = np.minimum(turn, np.pi - turn)
    sign = np.sign((normal[:, None] * normal[None, :]).sum(2))
    apart = np.abs((far - normal @ middle)[:, None] - sign * (far - normal @ middle)[None, :])
    first, second = np.nonzero(np.triu((turn < MOST_TURN) & (apart > LEAST_APART_PX), 1))
    if not len(first):
        return np.zeros((0, 4, 2))
    across = turn[first[:, None], first[None, :]]
    one, other = np.nonzero(np.triu((across > SQUARE[0]) & (across < SQUARE[1]), 1))
    sides = np.stack([first[one], first[other], second[one], second[other]], 1)
    if len(sides) > 60_000:
        sides = sides[:60_000]
    corners = np.stack([_crossing(sides[:, at], sides[:, (at + 1) % 4], normal, far) for at in range(4)], 1)
    lengths = np.linalg.norm(np.roll(corners, -1, 1) - corners, axis=2)
    with np.errstate(divide="ignore", invalid="ignore"):
        means = np.stack([lengths[:, 0] + lengths[:, 2], lengths[:, 1] + lengths[:, 3]], 1) / 2
        ratio = means.max(1) / means.min(1)
        longer = np.maximum(_either(lengths[:, 0], lengths[:, 2]), _either(lengths[:, 1], lengths[:, 3]))
    x, y = corners[..., 0], corners[..., 1]
    area = ((x * np.roll(y, -1, 1)).sum(1) - (y * np.roll(x, -1, 1)).sum(1)) / 2
    inside = (corners > -2).all((1, 2)) & (x < width + 1).all(1) & (y < height + 1).all(1)
    fits = inside & (np.abs(area) > least_area) & (ratio > RATIOS[0]) & (ratio < RATIOS[1]) & (longer < MOST_LONGER)
    corners, area = corners[fits], area[fits]
    corners[area < 0] = corners[area < 0][:, ::-1]
    return np.asarray(corners, np.float64)


def _either(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(a / b, b / a)


def _crossing(
    a: NDArray[np.intp], b: NDArray[np.intp], normal: NDArray[np.float64], far: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Where lines meet, (n, 2); far outside where they nearly do not."""
    across = normal[a, 0] * normal[b, 1] - normal[a, 1] * normal[b, 0]
    across = np.where(np.abs(across) < 1e-3, 1e-9, across)
    x = (far[a] * normal[b, 1] - far[b] * normal[a, 1]) / across
    y = (far[b] * normal[a, 0] - far[a] * normal[b, 0]) / across
    return np.stack([x, y], 1)


def _edged(corners: NDArray[np.float64], gradient: NDArray[np.float32], edge: float) -> NDArray[np.float64]:
    """How much of their sides lies on edges that run along them, and how little those go on beyond the corners; a larger one is likelier."""
    height, width = gradient.shape[:2]
    way = np.roll(corners, -1, 1) - corners
    length = np.maximum(np.linalg.norm(way, axis=2), 1e-6)
    normal = np.stack([way[..., 1], -way[..., 0]], 2) / length[..., None]
    inner, beyond = np.linspace(0.07, 0.93, SAMPLES), np.array([-0.13, -0.1, -0.07, 1.07, 1.1, 1.13])
    share = []
    for along in (inner, beyond):
        points = corners[:, :, None] + along[None, None, :, None] * way[:, :, None]
        hit = np.zeros(points.shape[:3], bool)
        for reach in (-1.0, 0.0, 1.0):
            at = np.rint(points + reach * normal[:, :, None]).astype(np.int32)
            columns, rows = np.clip(at[..., 0], 0, width - 1), np.clip(at[..., 1], 0, height - 1)
            hit |= np.abs((gradient[rows, columns] * normal[:, :, None]).sum(3)) >= edge
        share.append(hit.mean(2))
    on, off = share
    x, y = corners[..., 0], corners[..., 1]
    area = ((x * np.roll(y, -1, 1)).sum(1) - (y * np.roll(x, -1, 1)).sum(1)) / 2
    return np.asarray(on.mean(1) * on.min(1) * (1 - 0.5 * off.mean(1)) * (area / (height * width)) ** 0.3, np.float64)
