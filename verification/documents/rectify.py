"""A card laid flat: from its four corners in a picture to its own millimetres. OpenCV."""

import cv2
import numpy as np

from verification.documents.find import Corners, side_lengths
from verification.documents.reading import CARD, PAGE
from verification.types import Picture

TURN_RATIO = 1.5
"""Longer over shorter side: above it an ID-1 card, below a page (ID-3) or ID-2; a wrong guess stretches it by a tenth."""


def upright_corners(corners: Corners) -> Corners:
    """So that the first side is a longer one: top left, top right, bottom right, bottom left of a card that lies across."""
    a, b = side_lengths(corners)
    turned = corners if a >= b else np.roll(corners, -1, 0)
    start = min((0, 2), key=lambda at: float(turned[at, 0] + turned[at, 1]))
    return np.ascontiguousarray(np.roll(turned, -start, 0))


def flat(picture: Picture, corners: Corners) -> Picture:
    """``corners`` as ``upright_corners`` gives them. ``CARD`` or ``PAGE`` large; may still stand on its head."""
    a, b = side_lengths(corners)
    width, height = CARD if a / max(1.0, b) >= TURN_RATIO else PAGE
    target = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32) - np.float32(0.5)
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), target)
    shrink = max(1.0, a / width)
    if shrink > 1.5:  # many pixels for one: smooth first
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.4 * shrink), np.uint8)
    laid = cv2.warpPerspective(picture, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(laid, np.uint8)


def turned(card: Picture, quarters: int) -> Picture:
    """By so many right angles, clockwise."""
    return np.ascontiguousarray(np.rot90(card, -quarters))
