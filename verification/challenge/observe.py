"""Pictures become observations: what the models say of a frame, its colours, its thumbnail.

``colours`` and ``thumbnail`` are what a worker adds to what its models say; ``observation`` turns its answer into what the machine takes;
``Observer`` does all of it for who holds pictures and an ``Analyser`` in one process.
"""

import hashlib
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from verification.challenge.observation import Colour, Observation, ObservationInvalid, Unreadable
from verification.challenge.policy import Limits
from verification.faces.analyser import Analyser, that_count
from verification.ports import Analysis
from verification.types import Box, Embedding, Face, Picture

THUMBNAIL = 8


def thumbnail(picture: Picture) -> bytes:
    """64 bytes: 8 × 8 means of luma (BT.601), rows from the top."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return bytes(np.asarray(cv2.resize(grey, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)))


def _mean(picture: Picture, mask: NDArray[np.uint8]) -> Colour | None:
    """Of the pixels of ``mask`` that are neither black nor burnt out; None where fewer than 64 of them are."""
    pixels = picture[mask > 0]
    brightest = pixels.max(axis=1)
    pixels = pixels[(brightest < 250) & (brightest > 15)]
    if len(pixels) < 64:
        return None
    red, green, blue = pixels.mean(axis=0)
    return Colour(float(red), float(green), float(blue))


def face_areas(shape: tuple[int, int], face: Face) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Masks (height, width): forehead and cheeks, placed by eyes and mouth; and what is not the person: outside a wide box around the head and
    not below it, where shoulders are lit by the screen too."""
    skin = np.zeros(shape, np.uint8)
    left, right = face.points[0], face.points[1]
    mouth = (face.points[3] + face.points[4]) / 2
    eyes = (left + right) / 2
    down = mouth - eyes
    across = right - left
    size = float(max(np.hypot(*across), np.hypot(*down) * 0.8))
    centres = (eyes - 0.55 * down, left + 0.62 * down, right + 0.62 * down)
    for centre, radius in zip(centres, (0.30, 0.20, 0.20), strict=True):
        x, y = (round(float(value)) for value in centre)
        cv2.circle(skin, (x, y), max(2, round(radius * size)), 255, -1)
    around = np.full(shape, 255, np.uint8)
    box = face.box
    x0, x1 = int(box.x0 - 0.3 * box.width), int(box.x1 + 0.3 * box.width)
    y0 = int(box.y0 - 0.4 * box.height)
    around[max(0, y0) :, max(0, x0) : max(0, x1)] = 0
    around[max(0, int(box.y1)) :, :] = 0
    return skin, around


def colours(picture: Picture, face: Face) -> tuple[Colour | None, Colour | None]:
    """Of forehead and cheeks, every second pixel, and of the background, every fourth. None: too little of it is to be seen."""
    height, width = picture.shape[:2]
    skin, around = face_areas((height, width), face)
    return _mean(picture[::2, ::2], skin[::2, ::2]), _mean(picture[::4, ::4], around[::4, ::4])


def observation(
    analysis: Analysis, *, index: int, at_s: float, received_s: float, sha256: bytes, reference: bool = False
) -> Observation | Unreadable:
    """What a worker answered about a frame, as the machine takes it; raises nothing, whatever the worker said. ``reference``: it is the frame that later
    ones are compared with."""
    try:
        return _observation(analysis, index, at_s, received_s, sha256, reference)
    except ObservationInvalid:
        return Unreadable(received_s)


def _observation(analysis: Analysis, index: int, at_s: float, received_s: float, sha256: bytes, reference: bool) -> Observation:
    seen = analysis.face
    return Observation(
        index=index,
        at_s=at_s,
        received_s=received_s,
        sha256=sha256,
        width=analysis.width,
        height=analysis.height,
        faces=analysis.faces,
        face_box=Box(*seen.box) if seen else None,
        scale=analysis.scale,
        yaw=analysis.yaw,
        pitch=analysis.pitch,
        roll=analysis.roll,
        eyes=analysis.eyes,
        mouth=analysis.mouth,
        pad=analysis.pad.score if analysis.pad else None,
        identity=analysis.identity,
        quality=analysis.quality,
        face_colour=Colour(*analysis.face_colour) if analysis.face_colour else None,
        background_colour=Colour(*analysis.background_colour) if analysis.background_colour else None,
        thumbnail=analysis.thumbnail,
        reference=reference,
    )


class Observer:
    """One attempt's frames, in their order, through an analyser of this process.

    ``pad_every``: passive detection is the dearest model, so only each so many frames. The first good frame becomes the reference of ``identity``.
    """

    def __init__(self, analyser: Analyser, limits: Limits, *, pad_every: int = 2) -> None:
        if pad_every < 1:
            raise ValueError("pad_every: at least 1")
        self._analyser, self._limits = analyser, limits
        self._pad_every = pad_every
        self._reference: Embedding | None = None
        self._index = 0
        self._last: Embedding | None = None

    @property
    def reference(self) -> Embedding | None:
        """Of the first good frame: what the others are compared with, and no more. A portrait is compared with those of ``ChallengeMachine.kept``."""
        return self._reference

    @property
    def last(self) -> Embedding | None:
        """Of the frame that was observed last; None without one face."""
        return self._last

    def observe(self, picture: Picture, *, at_s: float, received_s: float, sha256: bytes = b"") -> Observation | Unreadable:
        """``sha256`` of the pixels, made here where it is not given."""
        try:
            return self._look(picture, at_s, received_s, sha256)
        except ObservationInvalid:
            return Unreadable(received_s)

    def _look(self, picture: Picture, at_s: float, received_s: float, sha256: bytes) -> Observation:
        index = self._index
        self._index += 1
        height, width = picture.shape[:2]
        digest = sha256 or hashlib.sha256(picture.tobytes()).digest()
        small = thumbnail(picture)
        self._last = None
        faces = that_count(self._analyser.detect(picture))
        bare = Observation(index, at_s, received_s, digest, width, height, len(faces), thumbnail=small)
        if len(faces) != 1:
            return bare
        face = faces[0]
        pose = self._analyser.pose(picture, face)
        mesh = self._analyser.landmarks(picture, face)
        quality = self._analyser.quality(picture, face, landmarks=mesh, pose=pose)
        self._last = embedding = self._analyser.embed(picture, face)
        looked = self._analyser.pad(picture, face) if index % self._pad_every == 0 else None
        identity: float | None = None
        first = self._reference is None and self._limits.good(quality)
        if first:
            self._reference = embedding
        elif self._reference is not None:
            identity = self._analyser.compare(self._reference, embedding).comparison_score
        skin, around = colours(picture, face)
        return replace(
            bare,
            face_box=face.box,
            scale=face.eye_distance / width,
            yaw=pose.yaw if pose else None,
            pitch=pose.pitch if pose else None,
            roll=pose.roll if pose else None,
            eyes=(mesh.eye_left + mesh.eye_right) / 2 if mesh else None,
            mouth=mesh.mouth if mesh else None,
            pad=looked.score if looked else None,
            identity=identity,
            quality=quality,
            face_colour=skin,
            background_colour=around,
            reference=first,
        )
