"""Where ``sure`` of passive detection comes from, and what it is worth on people who had no part in the choice (``docs/verification.md``).

    python -m tests.support.pad_choice LABELS.csv [BITS_PER_SECOND]

Which model may not be outvoted (the one that best tells living faces from monitor replays) and from where on (the largest multiple of 0.05 under each living face)
is chosen anew for each person from the pictures of all others, and counted on that person alone. Prints JSON; the development pictures are not shipped.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.support import packs
from verification.evaluation.labels import Presentation, read_labels
from verification.evaluation.metrics import Rate, rate
from verification.evaluation.recognition import LIMITS
from verification.evaluation.vp8 import STILL_FPS, STILL_FRAMES, held, through_vp8
from verification.faces.analyser import Analyser
from verification.faces.passive import doubted
from verification.images import read
from verification.models.pack import Task
from verification.types import Picture

LOOKS = 5
AGAINST = "replay_monitor"
DRAWS = 2000
Scores = NDArray[np.float64]


def looked(analyser: Analyser, pictures: Sequence[Picture]) -> Scores:
    """(pictures with a face, models)."""
    found = []
    for picture in pictures:
        faces = analyser.detect(picture)
        pad = analyser.pad(picture, faces[0]) if faces else None
        if pad is not None:
            found.append(pad.each)
    return np.array(found, np.float64)


def sent(picture: Picture, bits_per_second: int) -> list[Picture]:
    if not bits_per_second:
        return [picture]
    frames = list(through_vp8(held(picture), bits_per_second=bits_per_second, fps=STILL_FPS))
    return frames[STILL_FRAMES // 2 :: (STILL_FRAMES // 2) // LOOKS]


def score(each: Scores, model: int | None, sure: float, accept: float) -> float:
    """Of one presentation, as ``PassivePad`` makes it; without a model the plain mean. Without a face nothing passes."""
    if not each.size:
        return -1.0
    lets = [1.0 if model is None else doubted(float(row[model]), sure, accept) for row in each]
    return float(np.mean(np.minimum(each.mean(axis=1), lets)))


def chosen(means: Scores, living: NDArray[np.bool_], attacks: NDArray[np.bool_]) -> tuple[int, float]:
    """(model, sure) from the presentations given."""

    def area(model: int) -> float:
        return float((means[living, model][:, None] > means[attacks, model][None]).mean())

    best = max(range(means.shape[1]), key=area)
    return best, float(np.floor((means[living, best].min() - 1e-9) * 20) / 20)


def told(counted: Rate) -> dict[str, float | int]:
    return {key: round(value, 4) for key, value in counted.as_tree().items()}


def main(table: Path, bits_per_second: int) -> dict[str, object]:
    analyser = Analyser(packs.open_pack())
    thresholds = analyser.pack.thresholds.pad
    assert thresholds is not None
    asked: tuple[Presentation, ...] = read_labels(table)
    stills = [looked(analyser, [read(one.file.read_bytes(), limits=LIMITS)]) for one in asked]
    models = len(analyser.pack.models[Task.PAD])
    means = np.array([each.mean(axis=0) if each.size else np.full(models, -1.0) for each in stills])
    shown = (
        stills
        if not bits_per_second
        else [looked(analyser, sent(read(one.file.read_bytes(), limits=LIMITS), bits_per_second)) for one in asked]
    )
    # a performer whose face another wears is one person with them
    people = np.array([one.identity.replace("ghost_elon", "ghost_orig") for one in asked])
    kinds, living = np.array([one.kind for one in asked]), np.array([one.live for one in asked])
    choices: dict[str, object] = {}
    left_out, plain = np.full(len(asked), -1.0), np.array([score(each, None, 1.0, thresholds.accept) for each in shown])
    for person in sorted(set(people)):
        others = people != person
        model, sure = chosen(means, living & others, (kinds == AGAINST) & ~living & others)
        choices[str(person)] = [analyser.pack.models[Task.PAD][model].file, sure]
        for place in np.flatnonzero(~others):
            left_out[place] = score(shown[place], model, sure, thresholds.accept)

    def rates(scores: Scores) -> dict[str, object]:
        passed = scores >= thresholds.accept
        found: dict[str, object] = {"bpcer": told(rate(int((~passed & living).sum()), int(living.sum())))}
        for kind in sorted(set(kinds[~living])):
            these = (kinds == kind) & ~living
            found[str(kind)] = told(rate(int((passed & these).sum()), int(these.sum())))
        return found

    chance, drawn = np.random.default_rng(1), []
    for _ in range(DRAWS):
        picks = chance.choice(sorted(set(people)), len(set(people)))
        these = np.concatenate([left_out[(people == one) & (kinds == AGAINST)] for one in picks])
        if these.size:
            drawn.append(float((these >= thresholds.accept).mean()))
    return {
        "bits_per_second": bits_per_second,
        "choices": choices,
        "plain_mean": rates(plain),
        "each_person_left_out": rates(left_out),
        f"{AGAINST}_persons_drawn_anew": [round(float(edge), 4) for edge in np.quantile(drawn, [0.025, 0.975])],
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0), indent=1))
