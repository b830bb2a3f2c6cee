"""Where in a photograph a card lies: the best four-sided outline of the right shape. OpenCV.

Outlines come from edges of several strengths and from thresholds, on a reduced picture; each is made a convex hull and then four
straight sides; and from any four straight edges (``lines.py``), where something touches the card. Sides are then fitted to the edge itself, in the full picture, and corners are where they cross: cards have round ones.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from verification.documents import lines
from verification.types import Picture

Corners = NDArray[np.float32]
"""(4, 2), clockwise as seen, in pixels of the picture."""

WORK_PX = 640
"""Longer side of the reduced picture."""
LEAST_AREA = 0.02
"""Of the picture."""
LEAST_CUT_AREA = 0.1
"""Of the picture, for what its border cuts off."""
RATIOS = (1.15, 1.95)
"""Longer over shorter side: ID-1 is 1.586, ID-2 and ID-3 1.42, seen from at most about 40 degrees aside."""
PORTRAIT_RATIO = 1.36
"""Below it, it is rather the portrait on a card than a card seen from aside."""
LEAST_SUPPORT = 0.55
"""Of a side, how much has an edge under it."""
LEAST_MEAN_SUPPORT = 0.86
MOST_BEYOND = 0.42
"""Of four lines, on the mean of their sides: what must lie on edges, and what may go on beyond the corners."""
SAME_PX = 3.0
MOST_TRIED = 3
LEAST_SHARE = 0.35
"""Of the likeliest one's score, what another must have to be tried."""
BORDER_PX = 4.0
"""In the reduced picture: a side this near to its border is the border."""


@dataclass(frozen=True, slots=True)
class Found:
    """``cut``: sides (0 to 4) that the border of the picture cuts off. ``support``: share of its sides that lie on an edge."""

    corners: Corners
    cut: int
    support: float


def find(picture: Picture) -> Found | None:
    """The likeliest of ``candidates``."""
    return next(iter(candidates(picture)), None)


def candidates(picture: Picture) -> list[Found]:
    """What may be the card, the likeliest first, at most ``MOST_TRIED``; one that is cut off only where there is no whole one. A picture that is nothing but a
    card is one with four sides cut."""
    height, width = picture.shape[:2]
    scale = min(1.0, WORK_PX / max(height, width))
    small = cv2.resize(picture, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    gradient = _gradient(small)
    edge = _edge(gradient)
    least = LEAST_AREA * small.shape[0] * small.shape[1]
    judged: list[tuple[float, Found]] = []
    outlined = ((quad, False) for quad in _outlines(small))
    of_lines = ((quad, True) for quad in lines.quads(small, gradient, edge, least))
    for quad, in_pieces in _different(chain(outlined, of_lines)):
        score, found = _judge(_refine(quad, gradient, edge), gradient, edge, in_pieces=in_pieces)
        if found is not None:
            judged.append((score, found))
    judged.sort(key=lambda one: -one[0])
    kept: list[Found] = []
    for score, found in judged:
        if len(kept) < MOST_TRIED and score >= LEAST_SHARE * judged[0][0] and not any(_alike(found, one) for one in kept):
            kept.append(found)
    if not kept:
        whole = _whole(picture)
        return [whole] if whole is not None else []
    return [Found(np.ascontiguousarray((one.corners + 0.5) / scale - 0.5, np.float32), one.cut, one.support) for one in kept]


def _alike(a: Found, b: Found) -> bool:
    """Whether they are nearly the same place."""
    common, _ = cv2.intersectConvexConvex(a.corners, b.corners)
    return bool(common > 0.85 * max(cv2.contourArea(a.corners), cv2.contourArea(b.corners)))


def _whole(picture: Picture) -> Found | None:
    height, width = picture.shape[:2]
    ratio = max(height, width) / min(height, width)
    if not 1.35 <= ratio <= 1.65:
        return None
    corners = np.array([(0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1)], np.float32)
    return Found(corners, 4, 0.0)


def _gradient(small: NDArray[Any]) -> NDArray[np.float32]:
    """(height, width, 2): of the channel that changes most."""
    soft = cv2.GaussianBlur(small, (3, 3), 0)
    across = cv2.Sobel(soft, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(soft, cv2.CV_32F, 0, 1)
    strongest = np.argmax(across**2 + down**2, axis=2)[..., None]
    return np.concatenate((np.take_along_axis(across, strongest, 2), np.take_along_axis(down, strongest, 2)), 2)


def _outlines(small: NDArray[Any]) -> Iterator[Corners]:
    height, width = small.shape[:2]
    least = LEAST_AREA * height * width
    for mask in _masks(small):
        contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        for contour in sorted(contours, key=cv2.contourArea, reverse=True)[:12]:
            hull = cv2.convexHull(contour)
            if cv2.contourArea(hull) < least:
                continue
            quad = _four_sides(hull)
            if quad is not None:
                yield quad


def _masks(small: NDArray[Any]) -> Iterator[NDArray[np.uint8]]:
    """Black and white pictures whose outlines may be the card's."""
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    kernel = np.ones((3, 3), np.uint8)
    for channel, strengths in ((0, ((20, 60), (60, 160))), (1, ((14, 40),)), (2, ((14, 40),))):
        soft = cv2.GaussianBlur(lab[..., channel], (5, 5), 0)
        for low, high in strengths:
            edges = cv2.Canny(soft, low, high, L2gradient=True)
            yield cv2.dilate(edges, kernel).astype(np.uint8)
            yield cv2.morphologyEx(edges, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8)).astype(np.uint8)
        _, over = cv2.threshold(soft, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
        for mask in (over, 255 - over):
            yield cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((7, 7), np.uint8)).astype(np.uint8)


def _different(quads: Iterator[tuple[Corners, bool]]) -> Iterator[tuple[Corners, bool]]:
    """Without those that another is nearly the same as."""
    seen: list[Corners] = []
    for quad, in_pieces in quads:
        start = int(np.argmin(quad.sum(1)))
        ordered = np.roll(quad, -start, 0)
        if not any(np.abs(ordered - other).max() < SAME_PX for other in seen):
            seen.append(ordered)
            yield quad, in_pieces


def _four_sides(hull: NDArray[Any]) -> Corners | None:
    """The hull with as few bends as give four, if that covers about the same area."""
    length = cv2.arcLength(hull, True)
    for share in (0.01, 0.02, 0.03, 0.045, 0.06, 0.08):
        bends = cv2.approxPolyDP(hull, share * length, True).reshape(-1, 2)
        if len(bends) == 4:
            quad = _clockwise(bends.astype(np.float32))
            alike = cv2.contourArea(quad) / max(1.0, cv2.contourArea(hull))
            return quad if 0.85 <= alike <= 1.15 else None
        if len(bends) < 4:
            return None
    return None


def _clockwise(quad: Corners) -> Corners:
    middle = quad.mean(0)
    angles = np.arctan2(quad[:, 1] - middle[1], quad[:, 0] - middle[0])
    return np.ascontiguousarray(quad[np.argsort(angles)])


def side_lengths(quad: Corners) -> tuple[float, float]:
    """Means of opposite sides: the first and third, the second and fourth."""
    sides = np.linalg.norm(np.roll(quad, -1, 0) - quad, axis=1)
    return float(sides[0] + sides[2]) / 2, float(sides[1] + sides[3]) / 2


def _judge(quad: Corners, gradient: NDArray[np.float32], edge: float, *, in_pieces: bool = False) -> tuple[float, Found | None]:
    """How much it looks like a card. The larger of two that are alike wins: a picture on it has the shape of a card, too. ``in_pieces``: nothing but four
    lines, which any clutter has: then nearly all of them must be edges, that end where they meet."""
    height, width = gradient.shape[:2]
    if not cv2.isContourConvex(quad) or cv2.contourArea(quad) < LEAST_AREA * height * width:
        return 0.0, None
    a, b = side_lengths(quad)
    ratio = max(a, b) / max(1.0, min(a, b))
    if not _angles_fit(quad):
        return 0.0, None
    off = [_on_border(first, second, width, height) for first, second in pairwise([*quad, quad[0]])]
    cut = sum(off)
    if cut >= 3 or (off[0] and off[2]) or (off[1] and off[3]):  # what lies across the whole picture is no card
        return 0.0, None
    if (cut and cv2.contourArea(quad) < LEAST_CUT_AREA * height * width) or (not cut and not RATIOS[0] <= ratio <= RATIOS[1]):
        return 0.0, None
    support = [
        _support(first, second, gradient, edge)
        for (first, second), is_off in zip(pairwise([*quad, quad[0]]), off, strict=True)
        if not is_off
    ]
    if min(support) < LEAST_SUPPORT:
        return 0.0, None
    mean = float(np.mean(support))
    if in_pieces and mean < LEAST_MEAN_SUPPORT:
        return 0.0, None
    beyond = float(np.mean([_beyond(first, second, gradient, edge) for first, second in pairwise([*quad, quad[0]])]))
    if in_pieces and beyond > MOST_BEYOND:
        return 0.0, None
    area = cv2.contourArea(quad) / (height * width)
    shape = 1.0 - min(0.5, min(abs(ratio - 1.586), abs(ratio - 1.42)))
    likely = 0.45 if cut else 0.5 if ratio < PORTRAIT_RATIO else 1.0
    return mean * min(support) ** 0.5 * shape * area**0.35 * likely * (1 - 0.6 * beyond), Found(quad, cut, mean)


def _angles_fit(quad: Corners) -> bool:
    """Between 50 and 130 degrees, and opposite sides not more than 1.7 times as long."""
    sides = np.roll(quad, -1, 0) - quad
    lengths = np.linalg.norm(sides, axis=1)
    if lengths.min() < 8:
        return False
    units = sides / lengths[:, None]
    cosines = np.abs((units * np.roll(units, -1, 0)).sum(1))
    longer = max(lengths[0] / lengths[2], lengths[2] / lengths[0], lengths[1] / lengths[3], lengths[3] / lengths[1])
    return bool(cosines.max() < 0.643 and longer < 1.7)


def _on_border(first: NDArray[Any], second: NDArray[Any], width: int, height: int) -> bool:
    for axis, end in ((0, width - 1), (1, height - 1)):
        if max(first[axis], second[axis]) <= BORDER_PX or min(first[axis], second[axis]) >= end - BORDER_PX:
            return True
    return False


def _along(first: NDArray[Any], second: NDArray[Any], count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points of a side without its ends, and its unit normal."""
    way = (second - first).astype(np.float64)
    normal = np.array([way[1], -way[0]]) / max(1e-6, float(np.hypot(*way)))
    return first + np.linspace(0.1, 0.9, count)[:, None] * way, normal


def _profiles(
    points: NDArray[np.float64], normal: NDArray[np.float64], reach: NDArray[np.float64], gradient: NDArray[np.float32]
) -> NDArray[np.float64]:
    """(points, reach): how steep it is across the side, at each point and each distance from it."""
    at = points[:, None, :] + reach[None, :, None] * normal
    columns = np.clip(np.rint(at[..., 0]), 0, gradient.shape[1] - 1).astype(int)
    rows = np.clip(np.rint(at[..., 1]), 0, gradient.shape[0] - 1).astype(int)
    steep: NDArray[np.float64] = np.abs(gradient[rows, columns].astype(np.float64) @ normal)
    return steep


EDGES = (10.0, 60.0)
"""Steepness (Sobel, 3 × 3) from which something is an edge: the more a table is grained, the more it takes."""


def _edge(gradient: NDArray[np.float32]) -> float:
    strength = np.abs(gradient).sum(2)
    return float(np.clip(4.0 * np.median(strength), *EDGES))


def _support(first: NDArray[Any], second: NDArray[Any], gradient: NDArray[np.float32], edge: float) -> float:
    points, normal = _along(first, second, 40)
    steep = _profiles(points, normal, np.arange(-2.0, 3.0), gradient).max(1)
    return float((steep >= edge).mean())


def _beyond(first: NDArray[Any], second: NDArray[Any], gradient: NDArray[np.float32], edge: float) -> float:
    """Share of a side's line just past its ends that lies on an edge: a card's ends at its corners, what crosses it goes on."""
    way = (second - first).astype(np.float64)
    normal = np.array([way[1], -way[0]]) / max(1e-6, float(np.hypot(*way)))
    points = first + np.array([-0.14, -0.11, -0.08, -0.05, 1.05, 1.08, 1.11, 1.14])[:, None] * way
    steep = _profiles(points, normal, np.arange(-1.0, 2.0), gradient).max(1)
    return float((steep >= edge).mean())


def _refine(quad: Corners, gradient: NDArray[np.float32], edge: float) -> Corners:
    """Each side fitted to where it is steepest nearby; corners where they cross. Sides on the border stay."""
    height, width = gradient.shape[:2]
    reach = np.arange(-6.0, 6.5, 0.5)
    fitted = []
    for first, second in pairwise([*quad, quad[0]]):
        points, normal = _along(first, second, 60)
        if _on_border(first, second, width, height):
            fitted.append((normal, float(first.astype(np.float64) @ normal)))
            continue
        steep = _profiles(points, normal, reach, gradient)
        strong = steep.max(1) >= edge
        if strong.sum() < 12:
            return quad
        nearby = (points + reach[steep.argmax(1)][:, None] * normal)[strong]
        vx, vy, x, y = (float(value) for value in cv2.fitLine(nearby.astype(np.float32), cv2.DIST_HUBER, 0, 0.01, 0.01).ravel())
        fitted.append((np.array([vy, -vx]), vy * x - vx * y))
    found = []
    for at in range(4):
        (normal_a, far_a), (normal_b, far_b) = fitted[at - 1], fitted[at]
        matrix = np.array([normal_a, normal_b])
        if abs(np.linalg.det(matrix)) < 0.3:
            return quad
        found.append(np.linalg.solve(matrix, np.array([far_a, far_b])))
    refined = np.array(found, np.float32)
    moved = float(np.linalg.norm(refined - quad, axis=1).max())
    return refined if moved < 0.08 * max(side_lengths(quad)) else quad
