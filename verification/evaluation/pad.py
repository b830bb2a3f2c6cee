"""Runs a pack's passive detection over presentations that are known to be alive or an attack. SHELL.

A clip's score is the mean over frames that are spread evenly over it. A presentation without a face anywhere passes nowhere: an attack that
failed, a living person who was turned away.
"""

import math
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError

from verification.errors import ImageRefused
from verification.evaluation.labels import Presentation
from verification.evaluation.recognition import LIMITS
from verification.evaluation.table import Complaints
from verification.evaluation.vp8 import STILL_FPS, STILL_FRAMES, held, through_vp8
from verification.faces.analyser import Analyser
from verification.images import read
from verification.types import Picture

CLIP_FRAMES = 12
"""Frames of a clip that are looked at."""
STILL_LOOKS = 5
"""Frames of a still picture that went through a codec that are looked at, all of its second half."""
MAX_CLIP_FRAMES = 3600
MAX_SIDE = 4096

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Scored:
    """``score``, ``vp8``: mean over frames, -inf without a face; ``vp8`` is None where it was not asked for. ``frames``: how many had a face."""

    presentation: Presentation
    score: float
    frames: int
    vp8: float | None


def run(
    presentations: Sequence[Presentation],
    analyser: Analyser,
    table: Path,
    *,
    vp8_bits_per_second: int = 0,
    progress: Progress = lambda done, of: None,
) -> tuple[Scored, ...]:
    """Raises TableRefused for what cannot be read, with its line; ValueError where the pack has no passive detection."""
    if not analyser.has_pad:
        raise ValueError(f"{analyser.pack.name} has no passive detection of attacks")
    complaints = Complaints(table)
    found: list[Scored] = []
    for number, one in enumerate(presentations):
        try:
            found.append(
                _clip(one, analyser, vp8_bits_per_second) if one.is_clip else _still(one, analyser, vp8_bits_per_second)
            )
        except ImageRefused as refused:
            complaints.add(one.line, f"{one.file.name}: {refused.detail or refused.code}")
        except (OSError, FFmpegError) as error:
            complaints.add(one.line, f"{one.file.name}: {error.strerror or 'cannot be read'}")
        progress(number + 1, len(presentations))
    complaints.raise_if_any()
    return tuple(found)


def _still(one: Presentation, analyser: Analyser, bits_per_second: int) -> Scored:
    picture = read(one.file.read_bytes(), limits=LIMITS)
    score, seen = mean_score(analyser, [picture])
    vp8 = None
    if bits_per_second:
        sent = list(through_vp8(held(picture), bits_per_second=bits_per_second, fps=STILL_FPS))
        vp8, _ = mean_score(analyser, sent[STILL_FRAMES // 2 :: (STILL_FRAMES // 2) // STILL_LOOKS])
    return Scored(one, score, seen, vp8)


def _clip(one: Presentation, analyser: Analyser, bits_per_second: int) -> Scored:
    count, fps = _length(one.file)
    wanted = _spread(count)
    score, seen = mean_score(analyser, _picked(frames_of(one.file), wanted))
    vp8 = None
    if bits_per_second:
        vp8, _ = mean_score(
            analyser, _picked(through_vp8(frames_of(one.file), bits_per_second=bits_per_second, fps=fps), wanted)
        )
    return Scored(one, score, seen, vp8)


def _picked(frames: Iterable[Picture], wanted: Container[int]) -> Iterator[Picture]:
    return (frame for number, frame in enumerate(frames) if number in wanted)


def _spread(count: int) -> list[int]:
    return sorted({int(at) for at in np.linspace(0, count - 1, min(CLIP_FRAMES, count)).round()})


def mean_score(analyser: Analyser, pictures: Iterable[Picture]) -> tuple[float, int]:
    """Over those in which the largest face could be judged, and how many those were."""
    scores = []
    for picture in pictures:
        faces = analyser.detect(picture)
        pad = analyser.pad(picture, faces[0]) if faces else None
        if pad is not None:
            scores.append(pad.score)
    return (float(np.mean(scores)), len(scores)) if scores else (-math.inf, 0)


def _length(path: Path) -> tuple[int, float]:
    """Frames, and how many there are a second."""
    with av.open(str(path)) as container:
        rate = float(container.streams.video[0].average_rate or STILL_FPS) if container.streams.video else 0.0
    count = sum(1 for _ in frames_of(path))
    if not count:
        raise ImageRefused("there is no picture in it")
    return count, rate if 1 <= rate <= 120 else float(STILL_FPS)


def frames_of(path: Path) -> Iterator[Picture]:
    """Every frame of a clip, upright as the engine looks at it, one after another. Raises ImageRefused, FFmpegError."""
    with av.open(str(path)) as container:
        if not container.streams.video:
            raise ImageRefused("there is no picture in it")
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for number, frame in enumerate(container.decode(stream)):
            if number >= MAX_CLIP_FRAMES or max(frame.width, frame.height) > MAX_SIDE:
                raise ImageRefused(f"more than {MAX_CLIP_FRAMES} frames, or larger than {MAX_SIDE}")
            yield np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90) % 4))
