"""The folder that packs are installed in: what is there, what state it is in, and a pack's files, hashed before they are handed out. SHELL.

``<folder>/<pack>/`` holds the pack's files and ``installed.json``: when it was installed and whose licence was accepted. The manifest of a
pack that comes with this version is this version's own; one of the bank's stands beside its files as ``manifest.toml``, and what it was
when it was installed is on record. So nobody changes a threshold by editing a file in the folder.
"""

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

import msgspec

from verification.errors import (
    HashMismatch,
    LicenceNotAccepted,
    NotInstalled,
    PackError,
    ShapeMismatch,
)
from verification.models import catalogue, files
from verification.models.cited import check_report
from verification.models.manifest import MAX_MANIFEST_BYTES, load_manifest
from verification.models.onnx_format import Tensor, inputs_and_outputs, names_other_files
from verification.models.pack import ANY, Model, Pack, Same, Shapes

RECORD = "installed.json"
MANIFEST = "manifest.toml"
OLD = ".old-"


class State(StrEnum):
    """Of a pack in a store."""

    INSTALLED = "installed"
    NOT_INSTALLED = "not_installed"
    DAMAGED = "damaged"
    """Something is there, but not all of it, or of another version."""


@dataclass(frozen=True, slots=True)
class Record:
    """``installed.json``. ``acceptance``: None, or the licence's hash, when, and by which account of the machine."""

    pack: str
    version: str
    hash: str
    installed_at: str
    acceptance: Mapping[str, str] | None

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), indent=1, sort_keys=True).encode() + b"\n"

    def accepts(self, pack: Pack) -> bool:
        return self.acceptance is not None and self.acceptance.get("licence_sha256") == pack.licence_hash


@dataclass(frozen=True, slots=True)
class InstalledPack:
    """A pack whose files were there and had the right hashes and shapes when it was opened."""

    pack: Pack
    folder: Path

    def path(self, model: Model) -> Path:
        """Of a model's file. Raises NotInstalled where the model has none (it is part of a library)."""
        if not model.file:
            raise NotInstalled(f"the {model.task} of {self.pack.name} is part of {model.library}, not a file")
        return self.folder / model.file

    def read(self, model: Model) -> bytes:
        """The file's bytes, whose hash was taken of these very bytes. Raises NotInstalled, HashMismatch."""
        return _read(self.path(model), model.file, model.sha256, model.bytes)

    def read_file(self, name: str) -> bytes:
        """The same of any file that the manifest names, also one that no model is read from (what another was built from)."""
        sha256, size = self.pack.files.get(name, ("", 0))
        return _read(self.file(name), name, sha256, size)

    def file(self, name: str) -> Path:
        """Of any file that the manifest names, also one that no model is read from (what another was built from)."""
        if name not in self.pack.files:
            raise NotInstalled(f"{self.pack.name} has no file {name}")
        return self.folder / name


class ModelStore:
    """The packs of one folder, which need not exist yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def catalogue(self) -> Mapping[str, Pack]:
        """Every pack that comes with this version and every one of the bank's own that is installed and can be read, by name."""
        found = dict(catalogue.shipped())
        for name in self.installed():
            try:
                found[name] = self.manifest(name)
            except PackError:
                continue
        return found

    def installed(self) -> list[str]:
        """The names of what is there, whether it can be used or not."""
        if not self.folder.is_dir():
            return []
        return sorted(path.name for path in self.folder.iterdir() if path.is_dir() and not path.name.startswith("."))

    def manifest(self, name: str) -> Pack:
        """Raises NotInstalled, ManifestInvalid, and HashMismatch where one of the bank's own was changed since it was installed."""
        known = catalogue.shipped().get(name)
        if known is not None:
            return known
        path = self.folder / name / MANIFEST
        if not name or name.startswith(".") or "/" in name or not path.is_file():
            raise NotInstalled(f"there is no pack {name!r}: {', '.join(catalogue.shipped())}, or one of your own with --from")
        with path.open("rb") as file:
            pack = load_manifest(file.read(MAX_MANIFEST_BYTES + 1))
        record = self.record(name)
        if pack.name != name or record is None or record.hash != pack.hash:
            raise HashMismatch(f"the manifest of {name} is not the one that was installed: install it again")
        return pack

    def record(self, name: str) -> Record | None:
        """None where there is none that can be read."""
        try:
            tree = json.loads((self.folder / name / RECORD).read_bytes())
            accepted = tree["acceptance"]
            record = Record(tree["pack"], tree["version"], tree["hash"], tree["installed_at"], accepted)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return record if record.pack == name and isinstance(accepted, dict | None) else None

    def state(self, name: str) -> tuple[State, str]:
        """Without hashing anything: the state, and why it is not INSTALLED. Raises NotInstalled where no such pack is known."""
        if not (self.folder / name).is_dir():
            self.manifest(name)
            return State.NOT_INSTALLED, ""
        try:
            pack = resolved(self.manifest(name), self.folder / name)
            self._ready(pack)
            for file, (_, size) in pack.files.items():
                path = self.folder / name / file
                if not path.is_file() or path.stat().st_size != size:
                    return State.DAMAGED, f"{file} is missing or has another size"
        except PackError as error:
            return State.DAMAGED, error.detail
        return State.INSTALLED, ""

    def open(self, name: str) -> InstalledPack:
        """Raises NotInstalled, LicenceNotAccepted, HashMismatch, ShapeMismatch, FileDamaged, ManifestInvalid."""
        said = self.manifest(name)
        folder = self.folder / name
        if not folder.is_dir():
            raise NotInstalled(f"{name} is not installed: tongping models install {name}")
        self._ready(said)
        pack = resolved(said, folder)
        check_models(pack, folder)
        check_reports(said, None if name in catalogue.shipped() else folder)
        return InstalledPack(pack, folder)

    def verify(self, name: str) -> InstalledPack:
        """``open``, and the files that no model is read from."""
        installed = self.open(name)
        for file, (sha256, size) in installed.pack.files.items():
            if not files.is_file(installed.folder / file, sha256, size):
                raise HashMismatch(f"{file} is missing or not the file that the manifest names: install {name} again")
        return installed

    def _ready(self, pack: Pack) -> None:
        record = self.record(pack.name)
        if record is None:
            raise NotInstalled(f"{pack.name} was not installed to its end: tongping models install {pack.name}")
        if pack.needs_acceptance and not record.accepts(pack):
            raise LicenceNotAccepted(f"nobody has accepted the licence of {pack.name}: install it with --accept-licence")

    def remove(self, name: str) -> int:
        """Bytes freed. Raises NotInstalled."""
        if name.startswith(".") or "/" in name or not (self.folder / name).is_dir():
            raise NotInstalled(f"{name} is not installed")
        with files.locked(self.folder):
            self.recover()
            freed = sum(path.stat().st_size for path in (self.folder / name).rglob("*") if path.is_file())
            (self.folder / name).rename(self.folder / f"{OLD}{name}")
            files.sync_folder(self.folder)
            files.tidy(self.folder / f"{OLD}{name}")
        return freed

    def replace(self, name: str, staging: Path) -> None:
        """``staging`` becomes the pack. The lock is held."""
        old = self.folder / f"{OLD}{name}"
        if (self.folder / name).exists():
            (self.folder / name).rename(old)
        staging.rename(self.folder / name)
        files.sync_folder(self.folder)
        files.tidy(old)

    def recover(self) -> None:
        """After a power cut: a pack that was about to be replaced is there again, and nothing half done is left. The lock is held."""
        for folder in list(self.folder.iterdir()):
            name = folder.name.removeprefix(OLD)
            if folder.name.startswith(OLD) and not (self.folder / name).exists() and (folder / RECORD).is_file():
                folder.rename(self.folder / name)
            elif folder.name.startswith((OLD, ".new-", ".archive-")):
                files.tidy(folder)


def resolved(pack: Pack, folder: Path) -> Pack:
    """The pack as it stands in this folder: a model of which another file is there, that is the same, has that one's hash."""
    instead: dict[str, Same] = {}
    for model in pack.all_models:
        path = folder / model.file
        size = path.stat().st_size if model.same and path.is_file() else -1
        for same in model.same:
            if same.bytes == size:
                instead[model.file] = same
    if not instead:
        return pack

    def chosen(model: Model) -> Model:
        same = instead.get(model.file)
        return model if same is None else msgspec.structs.replace(model, sha256=same.sha256, bytes=same.bytes, built_from="")

    models = {task: tuple(map(chosen, found)) for task, found in pack.models.items()}
    needless = {model.built_from for model in pack.all_models if model.file in instead}
    kept = {name: what for name, what in pack.files.items() if name not in needless}
    kept |= {name: (same.sha256, same.bytes) for name, same in instead.items()}
    return replace(pack, models=MappingProxyType(models), files=MappingProxyType(kept))


def check_models(pack: Pack, folder: Path) -> None:
    """Every file that a model is read from, by hash and shapes, and the libraries. Raises as ``ModelStore.open``."""
    for model in pack.all_models:
        _check_library(model)
        if model.file:
            content = _read(folder / model.file, model.file, model.sha256, model.bytes)
            if model.is_onnx and names_other_files(content):
                raise ShapeMismatch(f"{model.file}: its weights lie in another file, whose hash nobody knows")
            if model.is_onnx and model.inputs:
                _check_shapes(model, content)


def check_reports(pack: Pack, folder: Path | None) -> None:
    """That the thresholds, counts and models are those of the evaluations they cite. ``folder``: of one of the bank's own, None for a shipped pack."""
    for evaluation in pack.evaluations:
        path = folder / evaluation.report if folder is not None else None
        content = catalogue.shipped_report(evaluation.report) if path is None else path.read_bytes() if path.is_file() else None
        if content is None:
            raise NotInstalled(f"the report {evaluation.report}, which the thresholds of {pack.name} cite, is not there")
        if hashlib.sha256(content).hexdigest() != evaluation.sha256:
            raise HashMismatch(f"the report {evaluation.report} is not the one that the thresholds of {pack.name} cite")
        check_report(pack, evaluation, content)


def _read(path: Path, name: str, sha256: str, size: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(size + 1)
    except OSError:
        raise NotInstalled(f"{name} is not there: install the pack again") from None
    if len(content) != size or hashlib.sha256(content).hexdigest() != sha256:
        raise HashMismatch(f"{name} is not the file that the manifest names: install the pack again")
    return content


def _check_library(model: Model) -> None:
    if not model.library:
        return
    name, wanted = model.library.split(" ")
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        raise NotInstalled(f"the {model.task} needs the Python package {name}: make verification") from None
    if version != wanted and not version.startswith(f"{wanted}."):
        raise NotInstalled(f"the {model.task} was made for {name} {wanted}, and {version} is installed")


def _check_shapes(model: Model, content: bytes) -> None:
    inputs, outputs = inputs_and_outputs(content)
    for what, wanted, found in (("input", model.inputs, inputs), ("output", model.outputs, outputs)):
        wrong = _difference(wanted, found, model.element)
        if wrong:
            raise ShapeMismatch(f"{model.file}: {what} {wrong}")


def _difference(wanted: Shapes, found: list[Tensor], element: str) -> str:
    by_name = {tensor.name: tensor for tensor in found}
    if set(by_name) != set(wanted):
        return f"names are {', '.join(by_name)} and not {', '.join(wanted)}"
    for name, shape in wanted.items():
        has = by_name[name]
        fits = len(has.shape) == len(shape) and all(a == b or b == ANY for a, b in zip(has.shape, shape, strict=True))
        if not fits or has.element != element:
            return f"{name} is {has.element} {list(has.shape)} and not {element} {list(shape)}"
    return ""
