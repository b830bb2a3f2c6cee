"""Clips of people for liveness: every second frame of one, and what the models of a pack say about each.

The models are asked once for each frame, when it is wanted; what they said is kept in ``var/liveness`` of this checkout by the hashes of clip, pack
and code, which is only quicker. Nothing of a clip is ever committed or shown.
"""

import hashlib
import os
import pickle
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from verification.challenge.observe import thumbnail
from verification.faces.analyser import Analyser, that_count
from verification.types import Embedding, Face, Picture, Quality

ROOT = Path(__file__).resolve().parents[2]
CLIPS = ROOT.parent / "shared" / "data" / "dev" / "clips"
ATTACKS = CLIPS.parent / "attacks"
KEPT = ROOT / "var" / "liveness"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the models say about one frame, with everything that the colours need."""

    faces: int
    face: Face | None
    yaw: float | None
    pitch: float | None
    roll: float | None
    eyes: float | None
    mouth: float | None
    pad: float | None
    quality: Quality | None
    embedding: Embedding | None


class Book:
    """What the models say about each frame of a clip: asked when it is first wanted, kept in a file from then on."""

    def __init__(self, analyser: Analyser, pictures: list[Picture], kept: Path) -> None:
        self._analyser, self._pictures, self._kept = analyser, pictures, kept
        self._seen: dict[int, Seen] = pickle.loads(kept.read_bytes()) if kept.is_file() else {}
        self._new = 0

    def __getitem__(self, index: int) -> Seen:
        if index not in self._seen:
            self._seen[index] = look(self._analyser, self._pictures[index])
            self._new += 1
            if self._new % 10 == 0:
                self.keep()
        return self._seen[index]

    def keep(self) -> None:
        KEPT.mkdir(parents=True, exist_ok=True)
        part = self._kept.with_suffix(f".{os.getpid()}.part")
        part.write_bytes(pickle.dumps(self._seen))
        part.replace(self._kept)


@dataclass(frozen=True, slots=True)
class Take:
    """``pictures`` at ``fps``, 640 × 480."""

    name: str
    fps: float
    pictures: list[Picture]
    seen: Book


def look(analyser: Analyser, picture: Picture) -> Seen:
    faces = that_count(analyser.detect(picture))
    if len(faces) != 1:
        return Seen(len(faces), None, None, None, None, None, None, None, None, None)
    face = faces[0]
    pose, mesh, pad = analyser.pose(picture, face), analyser.landmarks(picture, face), analyser.pad(picture, face)
    return Seen(
        faces=1,
        face=face,
        yaw=pose.yaw if pose else None,
        pitch=pose.pitch if pose else None,
        roll=pose.roll if pose else None,
        eyes=(mesh.eye_left + mesh.eye_right) / 2 if mesh else None,
        mouth=mesh.mouth if mesh else None,
        pad=pad.score if pad else None,
        quality=analyser.quality(picture, face, landmarks=mesh, pose=pose),
        embedding=analyser.embed(picture, face),
    )


def need() -> None:
    """Skips where the development clips are not there."""
    if not CLIPS.is_dir():
        pytest.skip("the development clips (../shared/data/dev/clips) are not there")


def _read(path: Path) -> tuple[float, list[Picture]]:
    if path.suffix in (".jpg", ".png"):
        return 12.5, [np.ascontiguousarray(cv2.imread(str(path))[:, :, ::-1])]
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        fps = float(stream.average_rate or 25)
        every = 2 if fps > 20 else 1
        pictures = [
            np.ascontiguousarray(frame.to_ndarray(format="rgb24"))
            for index, frame in enumerate(container.decode(stream))
            if index % every == 0
        ]
    return fps / every, pictures


@cache
def _way() -> str:
    """Another one where any code that looks at pictures is another."""
    sources = [*sorted((ROOT / "verification").glob("faces/*.py")), Path(__file__)]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()


@cache
def _take(path: Path, analyser: Analyser) -> Take:
    fps, pictures = _read(path)
    key = hashlib.sha256(path.read_bytes() + (analyser.pack.hash + _way()).encode()).hexdigest()
    return Take(path.stem, fps, pictures, Book(analyser, pictures, KEPT / f"{path.stem}-{key[:24]}.pickle"))


def take(name: str, analyser: Analyser) -> Take:
    """A clip by its name without ending, or a picture of the attacks with it."""
    need()
    return _take(ATTACKS / name if name.endswith(".jpg") else CLIPS / f"{name}.mp4", analyser)


def small(picture: Picture) -> bytes:
    return thumbnail(picture)
