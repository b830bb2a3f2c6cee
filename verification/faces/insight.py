"""The insightface package's own classes: SCRFD finds faces, ArcFace embeds them, its addon tells living ones from others.

Their models are the pack's (licensed separately); sessions are made by ``engine.session`` like all others, so hashes and shapes were checked
before, and no class here opens a file.
"""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np

from verification.engine.session import Session
from verification.faces.align import ARCFACE_112, similarity, warp
from verification.faces.detect_yunet import NARROWEST, passes
from verification.types import Box, Embedding, Face, Picture

SIDES = (320, 640)
SCORE = 0.5


class ScrfdDetector:
    """``settings``: ``score``; ``size`` of the square that the picture is fitted into first."""

    def __init__(self, session: Session, settings: Mapping[str, Any] | None = None) -> None:
        from insightface.model_zoo.scrfd import SCRFD

        settings = settings or {}
        self._score = float(settings.get("score", SCORE))
        self._sides = passes(settings, SIDES)
        self._model = SCRFD(session=session.runtime, static_shape_sessions=False)

    def detect(self, picture: Picture, *, careful: bool = False) -> list[Face]:
        """Largest first. ``careful`` changes nothing: it sees small faces beside large ones anyway."""
        bgr = np.ascontiguousarray(picture[:, :, ::-1])
        for side in self._sides:
            if min(picture.shape[:2]) * side < NARROWEST * max(picture.shape[:2]):
                continue
            rows, points = self._model.detect(bgr, input_size=(side, side), det_thresh=self._score)
            if len(rows) and points is not None:
                faces = [
                    Face(Box(*(float(value) for value in row[:4])), float(row[4]), five.astype(np.float32))
                    for row, five in zip(rows, points, strict=True)
                ]
                return sorted(faces, key=lambda face: -face.box.area)
        return []

    def finer(self, picture: Picture, face: Face) -> Face:
        """Its box is fine as it is."""
        return face


class ArcFace:
    """``model``: the bytes that ``session`` was made from; insightface looks into them for how its input is scaled."""

    kind = "arcface"

    def __init__(self, session: Session, model: bytes) -> None:
        from insightface.model_zoo.arcface_onnx import ArcFaceONNX

        self._model = ArcFaceONNX(model_file=BytesIO(model), session=session.runtime)
        self._model.model_file = session.name  # the bytes are needed no longer

    def embed(self, picture: Picture, face: Face) -> Embedding:
        chip = warp(picture, similarity(face.points, ARCFACE_112), 112)
        features = self._model.get_feat(np.ascontiguousarray(chip[:, :, ::-1]))
        return np.asarray(features, np.float32).reshape(-1)


class InsightfaceLiveness:
    """One picture's probability of a living face; None where too little is to be seen around the face, or its points make none."""

    def __init__(self, session: Session) -> None:
        from insightface.addons.liveness import Liveness

        self._model = Liveness(session.name, session=session.runtime)

    def score(self, picture: Picture, face: Face) -> float | None:
        bgr = np.ascontiguousarray(picture[:, :, ::-1])
        try:
            answer = self._model.predict(bgr, face.points)
        except RuntimeError:  # five points that are no face
            return None
        return None if answer["live_score"] is None else float(answer["live_score"])
