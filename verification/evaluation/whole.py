"""A whole evaluation: run it, count, draw, write down. SHELL (``numpy.random`` with a fixed seed draws the persons of the intervals)."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verification.errors import TableRefused
from verification.evaluation import labels, metrics, pad, pairs, plots, recognition, report
from verification.evaluation.recognition import Padding, Progress
from verification.faces.analyser import Analyser
from verification.models.cited import COMPARING, LIVING
from verification.models.pack import Pack, Task
from verification.models.store import ModelStore

TARGETS = (1e-2, 1e-3, 1e-4)
DRAWS = 400
SEED = 20261122
UNITS = {"dlib_resnet": "comparison score: 1 - distance", "arcface": "comparison score: cosine"}


@dataclass(frozen=True, slots=True)
class Evaluated:
    """``tree``: what `--json` prints and the report says. ``plots``: name → PNG."""

    tree: dict[str, Any]
    plots: Mapping[str, bytes]
    name: str

    def page(self, plots: Sequence[str]) -> str:
        """``plots``: where they lie, seen from the page."""
        make = report.recognition_page if self.tree["kind"] == "recognition" else report.pad_page
        return make(self.tree, plots)

    def write(self, folder: Path) -> tuple[Path, ...]:
        """``NAME.json``, ``NAME.md`` and the plots. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        pictures = {f"{self.name}-{plot}.png": content for plot, content in self.plots.items()}
        files = {
            f"{self.name}.json": report.to_json(self.tree),
            f"{self.name}.md": self.page(list(pictures)).encode(),
            **pictures,
        }
        for file, content in files.items():
            (folder / file).write_bytes(content)
        return tuple(folder / file for file in files)


@dataclass(frozen=True, slots=True)
class Said:
    """What the operator says about it: the data set's name, the date (ISO 8601), the software, notes for whoever quotes the figures."""

    data: str
    date: str
    software: str
    notes: tuple[str, ...] = ()

    def about(self, table: Path) -> report.About:
        try:
            digest = hashlib.sha256(table.read_bytes()).hexdigest()
        except OSError as error:
            raise TableRefused(f"{table}: {error.strerror or 'cannot be read'}") from None
        return report.About(self.data or table.parent.name, table.name, digest, self.date, self.software, self.notes)


def nothing(done: int, of: int) -> None:
    """Progress that nobody looks at."""


def evaluate_recognition(
    table: Path,
    store: ModelStore,
    pack: str,
    said: Said,
    *,
    all_pairs: bool = False,
    padding: Padding = Padding.AUTO,
    processes: int = 1,
    progress: Progress = nothing,
) -> Evaluated:
    """Raises TableRefused, PackError."""
    about = said.about(table)
    asked = pairs.read_pairs(table, all_pairs=all_pairs)
    manifest = store.open(pack).pack
    found = recognition.run(asked, store, pack, padding=padding, processes=processes, progress=progress)
    points = [metrics.operating_point(found.mated, found.non_mated, target) for target in TARGETS]
    curve = metrics.det(found.mated, found.non_mated)
    tree: dict[str, Any] = {
        "kind": "recognition",
        **about.as_tree(),
        "pack": report.pack_tree(manifest, COMPARING),
        "all_pairs": all_pairs,
        "padding": padding.value,
        "n": {
            "pictures": len(asked.pictures),
            "identities": asked.persons,
            "mated": len(asked.mated),
            "non_mated": len(asked.non_mated),
            "no_face": found.no_face,
            "several_faces": found.several_faces,
            "padded": found.padded,
        },
        "operating_points": [report.point_tree(point, _by_persons(found, point.threshold)) for point in points],
        "manifest_points": _at_the_manifest(manifest, found),
        "equal_error": curve.equal_error,
    }
    title = (
        f"{pack}: {len(asked.mated):,} mated, {len(asked.non_mated):,} non-mated pairs, {asked.persons:,} people, {said.date}"
    )
    marks = [
        plots.Mark(p.fmr.value, p.fnmr.value, f"{report.percent(p.fnmr.value)} at {p.target:g}") for p in points if p.supported
    ]
    thresholds = {f"{p.threshold:.3f}, FMR {p.target:g}": p.threshold for p in points}
    groups = {"mated": found.mated, "non-mated": found.non_mated}
    recogniser = manifest.model(Task.RECOGNISER)
    drawn = {
        "det": plots.det_plot(title, {pack: curve}, marks, (len(asked.non_mated), len(asked.mated)), ("FMR", "FNMR")),
        "scores": plots.score_plot(
            title, groups, thresholds, UNITS.get(recogniser.kind if recogniser else "", "comparison score")
        ),
    }
    return Evaluated(tree, drawn, f"{pack}-recognition")


def _by_persons(found: recognition.Recognition, threshold: float) -> tuple[tuple[float, float], tuple[float, float]]:
    persons = found.pairs.persons
    weights = np.random.default_rng(SEED).multinomial(persons, np.full(persons, 1 / persons), DRAWS).astype(np.int64)

    def interval(of: NDArray[np.int32], wrong: NDArray[np.bool_]) -> tuple[float, float]:
        return metrics.bootstrap(found.pairs.identities, of, wrong, weights)

    return (
        interval(found.pairs.non_mated, found.non_mated >= threshold),
        interval(found.pairs.mated, found.mated < threshold),
    )


def _at_the_manifest(pack: Pack, found: recognition.Recognition) -> list[dict[str, Any]]:
    comparison = pack.thresholds.comparison
    said = []
    for point in comparison.points if comparison else ():
        fmr, fnmr = metrics.at_threshold(found.mated, found.non_mated, point.threshold)
        counted = {"fmr": fmr.as_tree(), "fnmr": fnmr.as_tree()}
        said.append({"fmr": point.fmr, "threshold": point.threshold, "counted": counted})
    return said


def evaluate_pad(
    table: Path,
    store: ModelStore,
    pack: str,
    said: Said,
    *,
    threshold: float | None = None,
    vp8_bits_per_second: int = 0,
    progress: Progress = nothing,
) -> Evaluated:
    """``threshold``: None, the manifest's. Raises TableRefused, PackError; ValueError where the pack has no passive detection."""
    about = said.about(table)
    asked = labels.read_labels(table)
    analyser = Analyser(store.open(pack))
    limits = analyser.pack.thresholds.pad
    found = pad.run(asked, analyser, table, vp8_bits_per_second=vp8_bits_per_second, progress=progress)
    used = threshold if threshold is not None else limits.accept if limits else 0.5
    bona_fide, attacks = _groups(found, [one.score for one in found])
    rates = metrics.pad_rates(bona_fide, attacks, used)
    tree: dict[str, Any] = {
        "kind": "pad",
        **about.as_tree(),
        "pack": report.pack_tree(analyser.pack, LIVING),
        "threshold_from": "given" if threshold is not None else "the manifest's",
        "n": {
            "presentations": len(asked),
            "bona_fide": int(bona_fide.size),
            "attacks": len(asked) - int(bona_fide.size),
            "clips": sum(one.is_clip for one in asked),
            "identities": len({one.identity for one in asked if one.identity}),
            "no_face": sum(one.frames == 0 for one in found),
        },
        **report.pad_tree(rates),
    }
    if limits is not None and limits.refer <= used:
        tree["refer"] = report.pad_tree(metrics.pad_rates(bona_fide, attacks, limits.refer))
    title = f"{pack}: {tree['n']['bona_fide']} bona fide, {tree['n']['attacks']} attacks, {said.date}"
    groups, marks = {"bona fide": bona_fide, **attacks}, {f"accept {used:g}": used}
    drawn = {
        "det": plots.pad_det(title, bona_fide, attacks, _marks(rates)),
        "scores": plots.score_plot(title, groups, marks, "score, 1 = bona fide"),
        "passing": plots.passing_plot(title, groups, marks),
    }
    if vp8_bits_per_second:
        sent = _groups(found, [one.vp8 if one.vp8 is not None else -np.inf for one in found])
        tree["vp8"] = {"bits_per_second": vp8_bits_per_second, **report.pad_tree(metrics.pad_rates(*sent, used))}
        after = f"{title}, after VP8 at {vp8_bits_per_second // 1000} kbit/s"
        drawn["passing-vp8"] = plots.passing_plot(after, {"bona fide": sent[0], **sent[1]}, marks)
    return Evaluated(tree, drawn, f"{pack}-pad")


def _groups(found: Sequence[pad.Scored], scores: Sequence[float]) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """Of bona fide presentations, and of each species."""
    kinds = sorted({one.presentation.kind for one in found if not one.presentation.live})

    def those(kind: str | None) -> NDArray[np.float64]:
        chosen = [
            s
            for one, s in zip(found, scores, strict=True)
            if (None if one.presentation.live else one.presentation.kind) == kind
        ]
        return np.array(chosen, np.float64)

    return those(None), {kind: those(kind) for kind in kinds}


def _marks(rates: metrics.PadRates) -> list[plots.Mark]:
    return [plots.Mark(one.value, rates.bpcer.value, "") for one in rates.apcer.values()]
