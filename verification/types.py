"""What the parts of the engine hand one another: pictures, faces, and what is said about them.

Conventions, the same everywhere:

- A picture is RGB, 8 bits, ``(height, width, 3)``, as a camera sees it (not mirrored). Coordinates are pixels, x to the right,
  y down; the centre of the first pixel is (0, 0).
- *Left* and *right* of a feature (an eye, a corner of the mouth) mean where it stands in the picture. *Left* and *right* of an action
  or a turn mean the person's own: who turns to their left moves their nose to the right in the picture.
- ``yaw > 0``: the person looks to their left (nose to the right in the picture). ``pitch > 0``: they look up. ``roll > 0``: the
  head leans clockwise as seen in the picture (towards the person's left shoulder). Degrees, 0 looks straight into the camera.
- A ``comparison_score`` is the higher the more alike two faces are, and is compared with thresholds of the same pack only.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from verification.reasons import ReasonCode

Picture = NDArray[np.uint8]
"""(height, width, 3), RGB, C-contiguous."""

Embedding = NDArray[np.float32]
"""(n,) exactly as the recogniser gives it."""

Points = NDArray[np.float32]
"""(n, 2), pixels."""


class Ability(StrEnum):
    """What a pack's models can see a person do, and so what a script may ask."""

    TURN_LEFT = "turn_left"
    TURN_RIGHT = "turn_right"
    NOD = "nod"
    BLINK = "blink"
    OPEN_MOUTH = "open_mouth"
    COME_CLOSER = "come_closer"
    COLOURS = "colours"
    """Not an action: the colours of the screen can be looked for in the face."""


class Box(NamedTuple):
    """Pixels; may reach over the edge of the picture."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def width(self) -> float:
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    @property
    def centre(self) -> tuple[float, float]:
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2

    @property
    def area(self) -> float:
        return max(0.0, self.width) * max(0.0, self.height)


@dataclass(frozen=True, slots=True)
class Face:
    """``points`` (5, 2): left eye, right eye, tip of the nose, left and right corner of the mouth, as they stand in the picture.

    Where a pack's landmarks do not see the mouth (``base``) its two corners are estimated from eyes and nose: good enough to
    crop by, not to measure by; ``mouth_seen`` says so.
    ``corners`` (5, 2), if the pack has them: outer and inner corner of the eye on the right, outer and inner corner of the one on the left,
    foot of the nose - dlib's order - that its chip is cut by.
    """

    box: Box
    score: float
    points: Points
    corners: Points | None = None
    mouth_seen: bool = True

    @property
    def eye_distance(self) -> float:
        """Pixels between the centres of the eyes."""
        return float(np.hypot(*(self.points[1] - self.points[0])))


@dataclass(frozen=True, slots=True)
class Pose:
    """Degrees; see the conventions above."""

    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True, slots=True)
class Quality:
    """``reasons`` are what is wrong, worst first; empty: good enough. None: this pack cannot tell.

    ``size_px``: between the eyes. ``sharpness``: of edges in the face at a fixed size, 0 (flat) to about 1; ``brightness``, ``contrast``:
    mean and spread of the face's luma, 0 to 1; ``over_exposed``, ``under_exposed``: share of its pixels; ``occlusion``: share of the face that
    seems covered; ``eyes_open``: of the eye that is
    more open, eye aspect ratio. ``score``: the worst of all measures, 0 useless, 1 beyond reproach.
    """

    size_px: float
    yaw: float | None
    pitch: float | None
    roll: float | None
    sharpness: float
    brightness: float
    contrast: float
    over_exposed: float
    under_exposed: float
    occlusion: float | None
    eyes_open: float | None
    reasons: tuple[ReasonCode, ...]
    score: float

    @property
    def good(self) -> bool:
        return not self.reasons


@dataclass(frozen=True, slots=True)
class Pad:
    """Passive presentation attack detection of one picture. ``score``: 0 an attack, 1 bona fide; mean of ``each`` model's, or less where one
    doubts that is sure of the living (``faces.passive.doubted``)."""

    score: float
    each: tuple[float, ...]
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Landmarks:
    """``points`` (478, 3): the mesh of MediaPipe in pixels of the picture, z in the same unit, smaller is nearer.

    ``presence``: probability that there is a face. ``eye_left``, ``eye_right`` (in the picture): eye aspect ratio, about 0.3 open and under 0.1
    shut. ``mouth``: height of the gap between the lips over the mouth's width, about 0 shut, over 0.4 wide open.
    """

    points: NDArray[np.float32]
    presence: float
    eye_left: float
    eye_right: float
    mouth: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """``fmr``: the false match rate at whose ``threshold`` ``match`` was decided."""

    comparison_score: float
    threshold: float
    match: bool
    fmr: float
    reasons: tuple[ReasonCode, ...] = ()
