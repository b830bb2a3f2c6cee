"""That a manifest says of an evaluation what the evaluation found, and that it was an evaluation of this pack's models. Sans I/O."""

from collections.abc import Sequence
from typing import Any

import msgspec

from verification.errors import ManifestInvalid
from verification.models.pack import Evaluation, Model, Pack, Task

COMPARING = (Task.DETECTOR, Task.LANDMARKS5, Task.RECOGNISER)
LIVING = (Task.DETECTOR, Task.PAD)
"""Tasks whose models have a part in an evaluation of comparison, and in one of passive detection."""
ROUNDED = 5e-4
"""How far a threshold may be from the one in the report that it cites."""
ROUNDED_FNMR = 6e-5
"""How far a share may be: four digits after the point."""


class _Point(msgspec.Struct, frozen=True):
    fmr: float
    threshold: float
    fnmr: float | None = None


class _Model(msgspec.Struct, frozen=True):
    task: str
    kind: str
    sha256: str = ""
    library: str = ""
    settings: dict[str, Any] = msgspec.field(default_factory=dict)


class _Pack(msgspec.Struct, frozen=True):
    models: tuple[_Model, ...]


class _Referred(msgspec.Struct, frozen=True):
    threshold: float


class _Report(msgspec.Struct, frozen=True):
    """What is looked at in a report; it says more."""

    pack: _Pack
    n: dict[str, int]
    operating_points: tuple[_Point, ...] = ()
    threshold: float | None = None
    refer: _Referred | None = None


def check_report(pack: Pack, evaluation: Evaluation, report: bytes) -> None:
    """Raises ManifestInvalid: ``evaluation``, which thresholds of ``pack`` cite, is of other models or settings, counted something else, or found other thresholds.

    ``report``: JSON as ``tongping evaluate`` writes it.
    """
    try:
        found = msgspec.json.decode(report, type=_Report)
    except msgspec.DecodeError as error:
        raise ManifestInvalid(f"the report {evaluation.report} cannot be read: {error}") from None
    for what, count in evaluation.n.items():
        _need(found.n.get(what) == count, f"n: {what} = {count} is not what {evaluation.report} counted")
    comparison, pad = pack.thresholds.comparison, pack.thresholds.pad
    if comparison is not None and comparison.evaluation == evaluation:
        _check_models(pack, COMPARING, found.pack.models, evaluation.report)
        for point in comparison.points:
            same = [
                o for o in found.operating_points if _near(o.fmr, point.fmr) and abs(o.threshold - point.threshold) <= ROUNDED
            ]
            where = f"at a false match rate of {point.fmr:g} is not what {evaluation.report} found"
            _need(bool(same), f"threshold {point.threshold} {where}")
            _need(
                point.fnmr is None or any(o.fnmr is not None and abs(o.fnmr - point.fnmr) <= ROUNDED_FNMR for o in same),
                f"fnmr {point.fnmr} {where}",
            )
    if pad is not None and pad.evaluation == evaluation:
        _check_models(pack, LIVING, found.pack.models, evaluation.report)
        referred = found.refer.threshold if found.refer else None
        for name, said, there in (("accept", pad.accept, found.threshold), ("refer", pad.refer, referred)):
            _need(
                there is not None and abs(there - said) <= ROUNDED,
                f"thresholds.pad.{name} {said} is not what {evaluation.report} evaluated",
            )


def _check_models(pack: Pack, tasks: Sequence[Task], ran: Sequence[_Model], report: str) -> None:
    for task in tasks:
        mine, theirs = pack.models.get(task, ()), [model for model in ran if model.task == task]
        _need(
            len(mine) == len(theirs) and all(_is(model, other) for model, other in zip(mine, theirs, strict=True)),
            f"{report} is an evaluation of another {task} than the pack has",
        )


def _is(model: Model, ran: _Model) -> bool:
    """The same file, or one that computes the same, asked in the same way."""
    files = {model.sha256, *(same.sha256 for same in model.same)}
    return (model.kind, model.library, model.settings) == (ran.kind, ran.library, ran.settings) and ran.sha256 in files


def _near(a: float, b: float) -> bool:
    """To a hundredth: the rates of a report are those that were aimed at."""
    return abs(a - b) <= 0.01 * max(a, b)


def _need(condition: bool, message: str) -> None:
    if not condition:
        raise ManifestInvalid(message)
