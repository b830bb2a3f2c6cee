"""Pictures to be kept and shown to people: small, upright, JPEG, with nothing of the file that they came from. SHELL: only in a worker."""

import cv2
import numpy as np

from verification.engine.messages import STILL_BYTES, STILL_HEIGHT, STILL_WIDTH
from verification.ports import Still
from verification.types import Picture

QUALITIES = (85, 70, 50, 30, 10)


def still(picture: Picture, most: int = STILL_BYTES) -> Still:
    """In the best quality that fits into ``most`` bytes; what is nothing but noise is made smaller until it does."""
    height, width = picture.shape[:2]
    scale = min(1.0, STILL_WIDTH / width, STILL_HEIGHT / height)
    if scale < 1.0:
        size = max(1, min(STILL_WIDTH, round(width * scale))), max(1, min(STILL_HEIGHT, round(height * scale)))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
    blue_first = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2BGR)
    for quality in QUALITIES:
        done, data = cv2.imencode(".jpg", blue_first, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if done and len(data) <= most:
            return Still(data.tobytes(), blue_first.shape[1], blue_first.shape[0])
    half = max(1, blue_first.shape[1] // 2), max(1, blue_first.shape[0] // 2)
    return still(np.asarray(cv2.resize(picture, half, interpolation=cv2.INTER_AREA)), most)
