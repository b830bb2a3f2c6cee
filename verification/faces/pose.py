"""Which way a head looks: by two small networks (FSA-Net, Yang and others 2019), or roughly by where nose and eyes stand."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from verification.engine.session import Session
from verification.types import Face, Picture, Pose

SIZE = 64
MARGIN = 0.2
"""Of the box's sides, added at each edge."""
YAW_SIGN = -1.0
"""The networks' yaw is positive where the nose is to the left in the picture; their pitch is ours."""

# Of the five points, in distances of the eyes: where the tip of the nose stands when a head looks straight, and by how much that changes.
NOSE_DEPTH = 0.60
YAW_PER_SIDE = 92.0
PITCH_PER_DEPTH = -125.0


class FsaNet:
    """One or several networks, their mean. ``settings``: ``margin`` added to the face's box at each edge."""

    def __init__(self, sessions: Sequence[Session], settings: Mapping[str, Any] | None = None) -> None:
        self._sessions = tuple(sessions)
        self._margin = float((settings or {}).get("margin", MARGIN))

    def find(self, picture: Picture, face: Face) -> Pose:
        wide, high = face.box.width, face.box.height
        x0, y0 = int(face.box.x0 - self._margin * wide), int(face.box.y0 - self._margin * high)
        x1, y1 = int(face.box.x1 + self._margin * wide), int(face.box.y1 + self._margin * high)
        height, width = picture.shape[:2]
        part = picture[max(0, y0) : min(height, y1), max(0, x0) : min(width, x1)]
        if not part.size:
            return pose_from_points(face)
        small = cv2.resize(part, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        tensor = (np.ascontiguousarray(small[:, :, ::-1].transpose(2, 0, 1)[None], np.float32) - 127.5) / np.float32(128)
        angles = np.mean([session.run(tensor)[0].reshape(-1) for session in self._sessions], axis=0)
        return Pose(YAW_SIGN * float(angles[0]), float(angles[1]), roll_of(face))  # the eyes say more truly how a head leans


def roll_of(face: Face) -> float:
    """Degrees, by the line of the eyes."""
    across = face.points[1] - face.points[0]
    return math.degrees(math.atan2(float(across[1]), float(across[0])))


def pose_from_points(face: Face) -> Pose:
    """Yaw and pitch to about ten degrees: noses differ. Changes from one frame to the next are truer than single values."""
    across = face.points[1] - face.points[0]
    distance = float(np.hypot(*across)) or 1.0
    along = across / distance
    down = np.array([-along[1], along[0]], np.float32)
    nose = (face.points[2] - (face.points[0] + face.points[1]) / 2) / distance
    side, depth = float(nose @ along), float(nose @ down)
    yaw = max(-90.0, min(90.0, YAW_PER_SIDE * side))
    pitch = max(-90.0, min(90.0, PITCH_PER_DEPTH * (depth - NOSE_DEPTH)))
    return Pose(yaw, pitch, roll_of(face))
