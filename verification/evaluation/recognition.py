"""Runs a pack's detector and recogniser over pictures and scores the pairs of a table. SHELL.

Embeddings are kept in memory only, and only while this runs.
"""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from verification.errors import ImageRefused
from verification.evaluation.pairs import PairSet
from verification.evaluation.table import Complaints
from verification.faces.analyser import Analyser
from verification.images import Limits, read
from verification.models.pack import Task
from verification.models.store import ModelStore
from verification.types import Embedding, Picture

PAD_SHARE = 0.25
PAD_GREY = 127
TIGHT = 0.5
"""A picture of whose shorter side the face takes this much or more, or in which none is found, is taken for a tight crop."""
LIMITS = Limits(min_side=16, max_bytes=64 << 20)
"""A table's pictures are the operator's own: small crops are read."""
ROWS = 256

Progress = Callable[[int, int], None]
"""(pictures done, pictures in all)"""


class Padding(StrEnum):
    """Whether a grey border (a quarter of the longer side, on every side) is put around a picture before a face is looked for."""

    AUTO = "auto"
    """Only around what looks like a tight crop, decided for each picture by itself, without looking at the truth."""
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Seen:
    """Of one picture. ``embedding``: None where no face was found; of several the largest is taken. ``refused``: why it cannot be read."""

    embedding: Embedding | None
    padded: bool = False
    faces: int = 0
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Recognition:
    """``mated``, ``non_mated``: a score for each pair of ``pairs``, -inf where one of the two has no face."""

    pairs: PairSet
    mated: NDArray[np.float32]
    non_mated: NDArray[np.float32]
    no_face: int
    several_faces: int
    padded: int


def with_border(picture: Picture) -> Picture:
    """Tight crops lack what detectors were trained to see around a face."""
    side = round(max(picture.shape[:2]) * PAD_SHARE)
    grey = (PAD_GREY, PAD_GREY, PAD_GREY)
    return np.asarray(cv2.copyMakeBorder(picture, side, side, side, side, cv2.BORDER_CONSTANT, value=grey), np.uint8)


def look(analyser: Analyser, data: bytes, padding: Padding) -> Seen:
    """Find the largest face and embed it."""
    try:
        picture = read(data, limits=LIMITS)
    except ImageRefused as refused:
        return Seen(None, refused=refused.detail or refused.code)
    faces = [] if padding is Padding.ALWAYS else analyser.detect(picture)
    padded = False
    if padding is Padding.ALWAYS or (padding is Padding.AUTO and _is_tight(picture, [f.box.width for f in faces[:1]])):
        bordered = with_border(picture)
        again = analyser.detect(bordered)
        if again or not faces:
            picture, faces, padded = bordered, again, True
    if not faces:
        return Seen(None, padded)
    return Seen(analyser.embed(picture, faces[0]), padded, len(faces))


def _is_tight(picture: Picture, widths: Sequence[float]) -> bool:
    return not widths or widths[0] >= TIGHT * min(picture.shape[:2])


def run(
    pairs: PairSet,
    store: ModelStore,
    pack: str,
    *,
    padding: Padding = Padding.AUTO,
    processes: int = 1,
    progress: Progress = lambda done, of: None,
) -> Recognition:
    """Raises TableRefused for pictures that cannot be read, each with its line; PackError."""
    complaints = Complaints(pairs.file)
    seen: list[Seen] = []
    for one in _each(pairs.pictures, store, pack, padding, processes):
        if one.refused:
            complaints.add(pairs.lines[len(seen)], f"{pairs.pictures[len(seen)].name}: {one.refused}")
        seen.append(one)
        progress(len(seen), len(pairs.pictures))
    complaints.raise_if_any()
    recogniser = store.manifest(pack).model(Task.RECOGNISER)
    kind = recogniser.kind if recogniser else ""
    embeddings = _stacked(seen)
    return Recognition(
        pairs,
        scores(kind, embeddings, pairs.mated),
        scores(kind, embeddings, pairs.non_mated),
        no_face=sum(one.embedding is None for one in seen),
        several_faces=sum(one.faces > 1 for one in seen),
        padded=sum(one.padded for one in seen),
    )


def scores(kind: str, embeddings: NDArray[np.float64], pairs: NDArray[np.int32]) -> NDArray[np.float32]:
    """As ``faces.compare.comparison_score`` says it of each pair. Rows that are not numbers (no face): -inf. Raises ValueError: an unknown kind."""
    if kind not in {"dlib_resnet", "arcface"}:
        raise ValueError(f"embeddings of {kind} are not known")
    if kind == "arcface":
        embeddings = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    found = np.empty(len(pairs), np.float32)
    step = ROWS * 256
    for at in range(0, len(pairs), step):
        first, second = embeddings[pairs[at : at + step, 0]], embeddings[pairs[at : at + step, 1]]
        if kind == "arcface":
            found[at : at + step] = (first * second).sum(axis=1)
        else:
            found[at : at + step] = 1.0 - np.sqrt(((first - second) ** 2).sum(axis=1))
    return np.where(np.isnan(found), np.float32(-np.inf), found).astype(np.float32)


def _stacked(seen: Sequence[Seen]) -> NDArray[np.float64]:
    size = next((one.embedding.size for one in seen if one.embedding is not None), 1)
    empty = np.full(size, np.nan)
    return np.array([empty if one.embedding is None else one.embedding for one in seen], np.float64)


def _each(pictures: Sequence[Path], store: ModelStore, pack: str, padding: Padding, processes: int) -> Iterator[Seen]:
    if processes <= 1:
        analyser = Analyser(store.open(pack))
        for path in pictures:
            yield _look_at(analyser, path, padding)
        return
    store.open(pack)  # whatever is wrong with it is said by this process
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _begin, (str(store.folder), pack, padding.value)) as pool:
        yield from pool.map(_in_process, [str(path) for path in pictures], chunksize=8)


def _look_at(analyser: Analyser, path: Path, padding: Padding) -> Seen:
    try:
        if path.stat().st_size > LIMITS.max_bytes:
            return Seen(None, refused="too large")
        return look(analyser, path.read_bytes(), padding)
    except OSError as error:
        return Seen(None, refused=error.strerror or "cannot be read")


_here: tuple[Analyser, Padding] | None = None


def _begin(folder: str, pack: str, padding: str) -> None:  # pragma: no cover - in a process of its own
    global _here
    _here = Analyser(ModelStore(Path(folder)).open(pack)), Padding(padding)


def _in_process(path: str) -> Seen:  # pragma: no cover - in a process of its own
    assert _here is not None
    return _look_at(_here[0], Path(path), _here[1])
