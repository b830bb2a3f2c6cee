"""Is it a living face, from one picture alone: MiniFASNet looks for what screens and paper leave in it.

Two networks of minivision-ai's Silent-Face-Anti-Spoofing, each with the face's surroundings at another scale, and one trained on CelebA-Spoof. The former take
0 to 255 as it is: divided by 255 they reject everybody.
"""

from collections.abc import Mapping, Sequence
from math import isfinite
from types import MappingProxyType
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from verification.engine.session import Session
from verification.types import Box, Face, Pad, Picture


class PadModel(Protocol):
    """``score``: 0 an attack, 1 bona fide; None where it cannot tell."""

    def score(self, picture: Picture, face: Face) -> float | None: ...


class MiniFasNet:
    """minivision's. ``settings``: ``crop`` how many times the face's box (2.7, 4.0), ``size`` of the input (80), ``live`` the class that is (1)."""

    def __init__(self, session: Session, settings: Mapping[str, Any]) -> None:
        self._session = session
        self._scale = float(settings.get("crop", 2.7))
        self._size = int(settings.get("size", 80))
        self._live = int(settings.get("live", 1))

    def tensor(self, picture: Picture, face: Face) -> NDArray[np.float32]:
        """(1, 3, size, size), blue, green, red, 0 to 255."""
        part = surroundings(picture, face.box, self._scale)
        small = cv2.resize(part, (self._size, self._size), interpolation=cv2.INTER_LINEAR)
        return np.ascontiguousarray(small[:, :, ::-1].transpose(2, 0, 1)[None], np.float32)

    def score(self, picture: Picture, face: Face) -> float | None:
        return float(softmax(self._session.run(self.tensor(picture, face))[0][0])[self._live])


class MiniFas128:
    """The one trained on CelebA-Spoof. ``settings``: ``crop`` how many times the box's longer side (1.5), ``size`` (128), ``live`` (0)."""

    def __init__(self, session: Session, settings: Mapping[str, Any]) -> None:
        self._session = session
        self._scale = float(settings.get("crop", 1.5))
        self._size = int(settings.get("size", 128))
        self._live = int(settings.get("live", 0))

    def tensor(self, picture: Picture, face: Face) -> NDArray[np.float32]:
        """(1, 3, size, size), red, green, blue, 0 to 1; what lies outside of the picture is mirrored."""
        side = max(1, int(max(face.box.width, face.box.height) * self._scale))
        x, y = face.box.centre
        part = mirrored(picture, int(x - side / 2), int(y - side / 2), side)
        how = cv2.INTER_AREA if side > self._size else cv2.INTER_LANCZOS4
        small = cv2.resize(part, (self._size, self._size), interpolation=how)
        return np.ascontiguousarray(small.transpose(2, 0, 1)[None], np.float32) / np.float32(255)

    def score(self, picture: Picture, face: Face) -> float | None:
        return float(softmax(self._session.run(self.tensor(picture, face))[0][0])[self._live])


def doubted(score: float, sure: float, accept: float) -> float:
    """What one model lets pass, in the terms of the mean: ``sure``, the least it says of living faces, is worth ``accept``; straight lines to 0 and to 1."""
    return score / sure * accept if score < sure else accept + (score - sure) / (1 - sure) * (1 - accept)


class PassivePad:
    """Several models, their mean; where one is sure of every living face (``sure``, by name), no more than it lets pass: two others that see nothing do
    not outvote it. One that cannot tell is left out; where none can, there is no answer. One that says what is no number was brought to
    it by a picture that is no ordinary one: an attack."""

    def __init__(
        self, models: Sequence[tuple[str, PadModel]], *, sure: Mapping[str, float] = MappingProxyType({}), accept: float = 0.5
    ) -> None:
        self._models, self._sure, self._accept = tuple(models), dict(sure), accept

    def judge(self, picture: Picture, face: Face) -> Pad | None:
        scores = [(name, model.score(picture, face)) for name, model in self._models]
        told = [(name, score if isfinite(score) else 0.0) for name, score in scores if score is not None]
        if not told:
            return None
        each = tuple(score for _, score in told)
        lets = [doubted(score, self._sure[name], self._accept) for name, score in told if name in self._sure]
        return Pad(min([sum(each) / len(each), *lets]), each, tuple(name for name, _ in told))


def mean_pad(pads: Sequence[Pad | None]) -> Pad | None:
    """Over several pictures of one attempt: each model's mean over those of which it could tell, and the mean of these; less what a model's doubts
    took from the pictures' own scores. None: there is none.

    No answer is left out because another model could not tell: who wants to be asked by fewer models gains nothing by it.
    """
    told: dict[str | int, list[float]] = {}
    for pad in pads:
        if pad is not None:
            keys: Sequence[str | int] = pad.names or range(len(pad.each))
            for key, score in zip(keys, pad.each, strict=True):
                told.setdefault(key, []).append(score)
    if not told:
        return None
    each = tuple(float(np.mean(scores)) for scores in told.values())
    doubts = np.mean([max(0.0, float(np.mean(pad.each)) - pad.score) for pad in pads if pad is not None])
    return Pad(max(0.0, float(np.mean(each) - doubts)), each, tuple(key for key in told if isinstance(key, str)))


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    powers = np.exp(logits.astype(np.float64) - float(logits.max()))
    return np.asarray(powers / powers.sum(), np.float64)


def surroundings(picture: Picture, box: Box, scale: float) -> Picture:
    """The box made ``scale`` times as large about its centre, less where the picture is too small for it, moved inside of the picture: as
    MiniFASNet was trained."""
    height, width = picture.shape[:2]
    wide, high = max(box.width, 1.0), max(box.height, 1.0)
    scale = min(scale, (width - 1) / wide, (height - 1) / high)
    new_wide, new_high = wide * scale, high * scale
    x, y = box.centre
    x0 = min(max(x - new_wide / 2, 0.0), width - 1 - new_wide)
    y0 = min(max(y - new_high / 2, 0.0), height - 1 - new_high)
    x0, y0 = max(x0, 0.0), max(y0, 0.0)
    return picture[int(y0) : int(y0 + new_high) + 1, int(x0) : int(x0 + new_wide) + 1]


def mirrored(picture: Picture, x0: int, y0: int, side: int) -> Picture:
    """A square that may reach over the edge, where the picture is continued by its mirror image."""
    height, width = picture.shape[:2]
    left, top = max(0, -x0), max(0, -y0)
    right, bottom = max(0, x0 + side - width), max(0, y0 + side - height)
    part = picture[max(0, y0) : min(height, y0 + side), max(0, x0) : min(width, x0 + side)]
    if not part.size:
        return picture
    if left or top or right or bottom:
        part = np.asarray(cv2.copyMakeBorder(part, top, bottom, left, right, cv2.BORDER_REFLECT_101), np.uint8)
    return part
