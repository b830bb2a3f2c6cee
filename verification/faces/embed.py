"""What makes a face comparable: dlib's ResNet-34 as an ONNX model. Its 128 numbers are compared by distance."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from verification.engine.session import Session
from verification.faces.align import DLIB_150, DLIB_SIZE, dlib_chip, similarity, warp
from verification.types import Embedding, Face, Picture

MEAN = (122.782, 117.001, 104.298)
SCALE = 256.0


class DlibResnet:
    """Takes (n, 3, 150, 150), red, green, blue, (x - ``mean``) / ``scale``; both in ``settings``."""

    kind = "dlib_resnet"

    def __init__(self, session: Session, settings: Mapping[str, Any]) -> None:
        self._session = session
        self._mean = np.asarray(settings.get("mean", MEAN), np.float32)[:, None, None]
        self._scale = np.float32(settings.get("scale", SCALE))

    def embed(self, picture: Picture, face: Face) -> Embedding:
        """By dlib's own five points where there are any, by a detector's otherwise: slightly less accurate."""
        if face.corners is not None:
            chip = dlib_chip(picture, face.corners)
        else:
            chip = warp(picture, similarity(face.points, DLIB_150), DLIB_SIZE)
        tensor = np.ascontiguousarray((chip.transpose(2, 0, 1) - self._mean)[None] / self._scale, np.float32)
        return np.asarray(self._session.run(tensor)[0], np.float32).reshape(-1)
