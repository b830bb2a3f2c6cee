"""Whether a picture of a card can be read at all, and what to do about it. OpenCV; thresholds found on drawn cards (docs/documents.md)."""

import cv2
import numpy as np

from verification.documents.find import Corners, Found, side_lengths
from verification.documents.reading import Clarity
from verification.reasons import ReasonCode
from verification.types import Picture

LEAST_WIDTH_PX = 560.0
"""A character of a machine readable zone is then 12 pixels wide, of a resident identity card's number 16."""
LEAST_SHARPNESS = 0.30
MOST_GLARE = 0.008
LEAST_BRIGHTNESS = 0.20
MOST_HIDDEN = 0.002
BURNT = 252


def clarity(picture: Picture, found: Found, card: Picture) -> Clarity:
    """``card``: ``picture`` laid flat."""
    width = max(side_lengths(found.corners))
    grey = cv2.cvtColor(card, cv2.COLOR_RGB2GRAY)
    own = grey if width >= card.shape[1] else cv2.resize(grey, None, fx=width / card.shape[1], fy=width / card.shape[1], interpolation=cv2.INTER_AREA)  # fmt: skip
    return Clarity(
        width_px=width,
        sharpness=sharpness(np.asarray(own, np.uint8)),
        glare=glare(card),
        brightness=float(grey.mean()) / 255,
        hidden=hidden(found.corners, picture.shape[1], picture.shape[0]),
    )


def reasons(clarity: Clarity, found: Found) -> tuple[ReasonCode, ...]:
    """What is wrong, worst first."""
    checks = (
        (0 < found.cut < 4 or clarity.hidden > MOST_HIDDEN, ReasonCode.DOCUMENT_CUT_OFF),
        (clarity.width_px < LEAST_WIDTH_PX, ReasonCode.DOCUMENT_TOO_SMALL),
        (clarity.brightness < LEAST_BRIGHTNESS, ReasonCode.DOCUMENT_TOO_DARK),
        (clarity.sharpness < LEAST_SHARPNESS, ReasonCode.DOCUMENT_BLURRED),
        (clarity.glare > MOST_GLARE, ReasonCode.DOCUMENT_GLARE),
    )
    return tuple(reason for wrong, reason in checks if wrong)


def sharpness(grey: Picture) -> float:
    """How much of its strong edges a blur takes away (after Crété-Roffet et al., 2007): near 0 where it was blurred already."""
    values = cv2.GaussianBlur(grey, (0, 0), 0.8).astype(np.float32)
    lost, all_ = 0.0, 0.0
    for axis, size in ((1, (9, 1)), (0, (1, 9))):
        before = np.abs(np.diff(values, axis=axis))
        after = np.abs(np.diff(cv2.blur(values, size), axis=axis))
        strong = before >= np.quantile(before, 0.97)
        lost += float(np.maximum(0, before - after)[strong].sum())
        all_ += float(before[strong].sum())
    return lost / max(all_, 1e-6)


def of_frame(pixels: memoryview | bytes, width: int, height: int) -> float:
    """How much changes from pixel to pixel in the middle of a frame: of pictures of one scene the sharpest has the most. About 1 ms at 1,280 × 720."""
    rows = np.frombuffer(pixels, np.uint8).reshape(height, width, 3)
    green = rows[height // 8 : height - height // 8 : 2, width // 8 : width - width // 8 : 2, 1].astype(np.float32)
    return float(np.square(np.diff(green, axis=1)).mean() + np.square(np.diff(green, axis=0)).mean())


def glare(card: Picture) -> float:
    """Share of its area in burnt out patches; single bright pixels are none."""
    burnt = (card.min(2) >= BURNT).astype(np.uint8)
    patches = cv2.morphologyEx(burnt, cv2.MORPH_OPEN, np.ones((7, 7), np.uint8))
    return float(patches.mean())


def hidden(corners: Corners, width: int, height: int) -> float:
    """Share of its area outside of the picture."""
    frame = np.array([(-1, -1), (width, -1), (width, height), (-1, height)], np.float32)
    area = cv2.contourArea(corners)
    inside, _ = cv2.intersectConvexConvex(corners.astype(np.float32), frame)
    return float(max(0.0, 1 - inside / max(area, 1e-6)))
