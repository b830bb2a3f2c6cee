"""The picture of an export, drawn in place. SHELL: numpy, PyAV's frames.

Planar YUV 4:2:0, BT.601, limited range, as the codecs take it. Coordinates are even.
"""

from functools import lru_cache
from typing import TypeAlias

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from media.recording.export.layout import Rect
from media.recording.export.lettering import Alpha

Plane: TypeAlias = NDArray[np.uint8]
Colour: TypeAlias = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""

BACKGROUND: Colour = (17, 19, 23)
TILE: Colour = (38, 42, 50)
DISC: Colour = (66, 84, 116)
SPEAKING: Colour = (46, 190, 130)
BOX: Colour = (12, 13, 16)
PAUSED: Colour = (30, 32, 40)
CHECK: Colour = (24, 110, 78)
NOTED: Colour = (52, 60, 92)


@lru_cache(maxsize=64)
def _yuv(colour: Colour) -> tuple[int, int, int]:
    red, green, blue = colour
    return (
        round(16 + 0.257 * red + 0.504 * green + 0.098 * blue),
        round(128 - 0.148 * red - 0.291 * green + 0.439 * blue),
        round(128 + 0.439 * red - 0.368 * green - 0.071 * blue),
    )


class Canvas:
    """``pixels``: the three planes under each other, as ``VideoFrame.from_ndarray`` takes them."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self.pixels: Plane = np.zeros((height * 3 // 2, width), np.uint8)
        flat = self.pixels.reshape(-1)
        size = width * height
        self._planes: tuple[Plane, Plane, Plane] = (
            flat[:size].reshape(height, width),
            flat[size : size * 5 // 4].reshape(height // 2, width // 2),
            flat[size * 5 // 4 :].reshape(height // 2, width // 2),
        )
        self.fill(Rect(0, 0, width, height), BACKGROUND)

    def fill(self, rect: Rect, colour: Colour) -> None:
        for plane, value, part in zip(self._planes, _yuv(colour), (1, 2, 2), strict=True):
            plane[rect.y // part : (rect.y + rect.height) // part, rect.x // part : (rect.x + rect.width) // part] = value

    def frame(self, rect: Rect, colour: Colour, thickness: int = 4) -> None:
        """The rectangle's edge, inside it."""
        for edge in (
            Rect(rect.x, rect.y, rect.width, thickness),
            Rect(rect.x, rect.y + rect.height - thickness, rect.width, thickness),
            Rect(rect.x, rect.y, thickness, rect.height),
            Rect(rect.x + rect.width - thickness, rect.y, thickness, rect.height),
        ):
            self.fill(edge, colour)

    def picture(self, rect: Rect, shown: VideoFrame) -> None:
        """A picture of exactly this size in yuv420p."""
        for plane, source, part in zip(self._planes, shown.planes, (1, 2, 2), strict=True):
            width, height = rect.width // part, rect.height // part
            rows = np.frombuffer(memoryview(source), np.uint8).reshape(-1, source.line_size)
            y, x = rect.y // part, rect.x // part
            plane[y : y + height, x : x + width] = rows[:height, :width]

    def stamp(self, x: int, y: int, alpha: Alpha, colour: Colour = (255, 255, 255)) -> None:
        """Cover the pixels by ``alpha``; what stands out over the edge is left out. Colour as fine as half the pixels."""
        x, y = x // 2 * 2, y // 2 * 2
        height, width = min(alpha.shape[0], self.height - y) // 2 * 2, min(alpha.shape[1], self.width - x) // 2 * 2
        if height <= 0 or width <= 0 or x < 0 or y < 0:
            return
        cover = alpha[:height, :width].astype(np.int32)
        for plane, value, part in zip(self._planes, _yuv(colour), (1, 2, 2), strict=True):
            here = plane[y // part : (y + height) // part, x // part : (x + width) // part]
            much = cover if part == 1 else cover[::2, ::2]
            here[:] = (here + (value - here.astype(np.int32)) * much // 255).astype(np.uint8)

    def video_frame(self) -> VideoFrame:
        return VideoFrame.from_ndarray(self.pixels, format="yuv420p")


@lru_cache(maxsize=16)
def disc(diameter: int) -> Alpha:
    """A round spot with soft edges."""
    middle = (diameter - 1) / 2
    rows, columns = np.ogrid[:diameter, :diameter]
    away = np.sqrt((rows - middle) ** 2 + (columns - middle) ** 2)
    return (np.clip(diameter / 2 - away + 0.5, 0, 1) * 255).astype(np.uint8)
