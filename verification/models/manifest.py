"""A pack's manifest (TOML): every file with its hash, what it came from, and the thresholds with the evaluation they come from.

``docs/models.md`` says what each key means. What is not understood is refused: an unknown key, a setting that its reader does not know or
cannot work with, a limit of quality that nobody looks at, a path out of the folder, a threshold that its score can never reach or that
stands in the wrong order. Sans I/O.
"""

import hashlib
import itertools
import json
import re
import tomllib
from collections.abc import Container
from types import MappingProxyType

import msgspec

from verification.errors import ManifestInvalid
from verification.faces.quality import limits_of
from verification.models.pack import (
    ANY,
    BUILT,
    ELEMENTS,
    KINDS,
    LEAST_ACCEPT,
    LEAST_REFER,
    LEAST_THRESHOLD,
    MOST_FMR,
    OF_LIBRARIES,
    SCORE_RANGE,
    Model,
    Pack,
    Source,
    Strict,
    Task,
    Thresholds,
)
from verification.models.settings import unlike, wrong_settings

FORMAT = 1
MAX_MANIFEST_BYTES = 256 * 1024
MAX_FILE_BYTES = 1 << 30

__all__ = ["Model", "Pack", "Source", "Task", "Thresholds", "load_manifest"]


class _Manifest(Strict, frozen=True, kw_only=True):
    format: int
    name: str
    version: str
    summary: str
    licence: str
    accept_licence: bool = False
    licence_text: str = ""
    warnings: tuple[str, ...] = ()
    source: tuple[Source, ...] = ()
    model: tuple[Model, ...]
    thresholds: Thresholds


def load_manifest(toml: bytes) -> Pack:
    """Read and check. Raises ManifestInvalid with one line that names the key."""
    if len(toml) > MAX_MANIFEST_BYTES:
        raise ManifestInvalid(f"a manifest of {len(toml)} bytes is too long")
    try:
        tree = tomllib.loads(toml.decode("utf-8"))
        manifest = msgspec.convert(tree, _Manifest)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ManifestInvalid(f"the manifest is not TOML: {error}") from None
    except msgspec.ValidationError as error:
        raise ManifestInvalid(f"the manifest cannot be used: {error}") from None
    canonical = json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    files = _check(manifest)
    models = {task: tuple(m for m in manifest.model if m.task is task) for task in Task}
    return Pack(
        name=manifest.name,
        version=manifest.version,
        summary=manifest.summary,
        licence=manifest.licence,
        needs_acceptance=manifest.accept_licence,
        licence_text=manifest.licence_text,
        warnings=manifest.warnings,
        sources=manifest.source,
        models=MappingProxyType({task: found for task, found in models.items() if found}),
        thresholds=manifest.thresholds,
        hash=hashlib.sha256(canonical.encode()).hexdigest(),
        files=MappingProxyType(files),
    )


_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,119}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LIBRARY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]* [0-9][0-9.]*")
RESERVED = frozenset({"manifest.toml", "installed.json"})


def _need(condition: bool, message: str) -> None:
    if not condition:
        raise ManifestInvalid(message)


def _check(manifest: _Manifest) -> dict[str, tuple[str, int]]:
    """Everything that types cannot say. Returns the files of the installed pack."""
    _need(manifest.format == FORMAT, f"format {manifest.format} is not understood, {FORMAT} is")
    _need(bool(_NAME.fullmatch(manifest.name)) and len(manifest.name) <= 40, f"{manifest.name!r} is no name for a pack")
    _need(bool(manifest.version) and len(manifest.version) <= 40, "the pack has no version")
    _need(bool(manifest.licence.strip()), "the pack names no licence")
    _need(not manifest.accept_licence or bool(manifest.licence_text.strip()), "a licence to be accepted needs licence_text")
    files: dict[str, tuple[str, int]] = {}
    for source in manifest.source:
        _check_source(source)
        for file, sha256, size in source.files:
            _check_file(file, sha256, size, f"source {source.name}")
            _need(file not in files, f"{file} comes from two sources")
            files[file] = (sha256, size)
    names = [source.name for source in manifest.source]
    _need(len(set(names)) == len(names), "two sources have one name")
    _need(bool(manifest.model), "the pack has no model")
    for model in manifest.model:
        _check_model(model, names, files)
        wrong = wrong_settings(model)
        _need(not wrong, f"{model.task} {model.kind}: {wrong}")
    different = unlike(manifest.model)
    _need(not different, different)
    tasks = {model.task for model in manifest.model}
    for needed in (Task.DETECTOR, Task.RECOGNISER):
        _need(needed in tasks, f"the pack has no {needed}")
    recognisers = [model for model in manifest.model if model.task is Task.RECOGNISER]
    _need(len(recognisers) == 1, "the pack has more than one recogniser: their scores cannot be compared")
    _check_thresholds(manifest.thresholds, recognisers[0], files, has_pad=Task.PAD in tasks)
    return files


def _check_file(file: str, sha256: str, size: int, whose: str) -> None:
    _need(bool(_FILE.fullmatch(file)) and ".." not in file and file not in RESERVED, f"{whose}: {file!r} is no name for a file")
    _need(bool(_SHA256.fullmatch(sha256)), f"{whose}: sha256 of {file} is not 64 hexadecimal digits")
    _need(0 < size <= MAX_FILE_BYTES, f"{whose}: {size} bytes of {file} cannot be")


def _check_source(source: Source) -> None:
    whose = f"source {source.name}"
    _need(bool(_FILE.fullmatch(source.name)), f"{source.name!r} is no name for a source")
    _check_file(source.file, source.sha256, source.bytes, whose)
    _need(source.kind in {"pypi", "https", "mirror"}, f"{whose}: kind {source.kind!r} is not pypi, https or mirror")
    if source.kind == "pypi":
        _need(
            bool(_FILE.fullmatch(source.project) and _FILE.fullmatch(source.version)),
            f"{whose}: project and version are needed",
        )
    if source.kind == "https":
        _need(
            source.url.startswith("https://") and source.url.isascii() and source.url.isprintable(),
            f"{whose}: url is not https",
        )
    if source.members:
        _need(source.file.endswith((".zip", ".whl", ".tar.gz")), f"{whose}: {source.file} is no archive that is read")
    for member in source.members:
        parts = member.path.split("/")
        _need(all(parts) and not {"..", "."} & set(parts) and "\\" not in member.path, f"{whose}: path {member.path!r}")


def _check_model(model: Model, sources: list[str], files: dict[str, tuple[str, int]]) -> None:
    whose = f"{model.task} {model.kind}"
    _need(model.kind in KINDS[model.task], f"{whose}: kind must be one of {', '.join(sorted(KINDS[model.task]))}")
    _need(bool(model.licence.strip()), f"{whose}: no licence")
    _need(model.element in ELEMENTS, f"{whose}: element {model.element!r}")
    _need(not model.library or bool(_LIBRARY.fullmatch(model.library)), f"{whose}: library must be 'name version'")
    if not model.file:
        _need(bool(model.library) and not model.built_from, f"{whose}: neither a file nor a library")
        return
    _need(model.kind not in OF_LIBRARIES, f"{whose}: its library has the model, a file is not read")
    _check_file(model.file, model.sha256, model.bytes, whose)
    if model.source:
        _need(model.source in sources, f"{whose}: there is no source {model.source!r}")
    if model.built_from:
        _need(model.kind in BUILT, f"{whose}: nothing is built of this kind")
        _need(model.built_from in files, f"{whose}: {model.built_from} is not fetched")
        _need(model.file not in files, f"{whose}: {model.file} is both fetched and built")
        for same in model.same:
            _check_file(model.file, same.sha256, same.bytes, whose)
        sizes = {model.bytes, *(same.bytes for same in model.same)}
        _need(
            len(sizes) == 1 + len(model.same), f"{whose}: files that are the same to us need different sizes to be told apart"
        )
    else:
        _need(not model.same, f"{whose}: same is for what is built")
        known = files.get(model.file)
        _need(
            known is None or known == (model.sha256, model.bytes),
            f"{whose}: its source says another hash or size of {model.file}",
        )
        _need(known is not None or not model.source, f"{whose}: source {model.source} has no file {model.file}")
    files[model.file] = (model.sha256, model.bytes)
    if model.is_onnx and model.kind != "insightface_liveness":  # whose own class looks at them
        _need(bool(model.inputs and model.outputs), f"{whose}: inputs and outputs of {model.file} are needed")
    for dimensions in (*model.inputs.values(), *model.outputs.values()):
        sane = all(0 < d < 1 << 24 if isinstance(d, int) else d == ANY for d in dimensions)
        _need(sane and len(dimensions) <= 8, f"{whose}: dimensions {list(dimensions)}")


def _check_thresholds(thresholds: Thresholds, recogniser: Model, files: Container[str], *, has_pad: bool) -> None:
    comparison = thresholds.comparison
    if comparison is None:
        raise ManifestInvalid("there is no threshold of comparison")
    low, high = SCORE_RANGE[recogniser.kind]
    points = sorted(comparison.points, key=lambda point: point.fmr)
    _need(bool(points), "thresholds.comparison has no points")
    for point in points:
        _need(0 < point.fmr <= MOST_FMR, f"a false match rate of {point.fmr} cannot be: more than 0, {MOST_FMR:g} at most")
        _need(
            low < point.threshold < high,
            f"threshold {point.threshold} is outside ({low:g}, {high:g}), the scores of {recogniser.kind}",
        )
        _need(
            point.threshold >= LEAST_THRESHOLD[recogniser.kind],
            f"threshold {point.threshold} lets strangers match: {recogniser.kind} needs {LEAST_THRESHOLD[recogniser.kind]:g} at least",
        )
        _need(point.fnmr is None or 0 <= point.fnmr <= 1, f"a false non-match rate of {point.fnmr} cannot be")
    for rarer, other in itertools.pairwise(points):
        _need(rarer.fmr < other.fmr and rarer.threshold > other.threshold, "a lower false match rate needs a higher threshold")
    _need(any(point.fmr == comparison.default_fmr for point in points), "default_fmr is none of the points")
    still = comparison.still
    _need(
        still is None or points[-1].threshold < still < high,
        f"still = {still} is not between the highest threshold and {high:g}",
    )
    _need((thresholds.pad is not None) == has_pad, "PAD models and thresholds.pad need each other")
    if thresholds.pad is not None:
        _need(0 < thresholds.pad.refer <= thresholds.pad.accept < 1, "thresholds.pad: 0 < refer <= accept < 1 does not hold")
        _need(
            thresholds.pad.accept >= LEAST_ACCEPT and thresholds.pad.refer >= LEAST_REFER,
            f"thresholds.pad lets everything pass: accept needs {LEAST_ACCEPT:g} at least, refer {LEAST_REFER:g}",
        )
    try:
        limits_of(thresholds.quality)
    except ValueError as error:
        raise ManifestInvalid(f"thresholds.quality: {error}") from None
    for evaluation in (comparison.evaluation, thresholds.pad.evaluation if thresholds.pad else None):
        if evaluation is not None:
            _need(
                bool(_FILE.fullmatch(evaluation.report)) and evaluation.report.endswith(".json"),
                f"report {evaluation.report!r}",
            )
            _need(
                evaluation.report not in RESERVED and evaluation.report not in files,
                f"report {evaluation.report!r} is another file",
            )
            _need(bool(_SHA256.fullmatch(evaluation.sha256)), "sha256 of a report is not 64 hexadecimal digits")
            _need(bool(evaluation.n) and all(count > 0 for count in evaluation.n.values()), "a report that counted nothing")
