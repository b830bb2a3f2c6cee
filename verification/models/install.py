"""Installs a pack: everything is fetched, built and checked in a folder aside, and takes its place by one rename. SHELL.

A file that another installed pack has is taken from there, by its hash. With ``origin`` (a folder or an address that mirrors the files) no
other address is asked. Whoever interrupts this loses nothing: an installed pack stays as it was, and what was fetched is asked on from there.
"""

import getpass
import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from verification.errors import FetchFailed, HashMismatch, LicenceNotAccepted, ManifestInvalid, NotInstalled
from verification.models import catalogue, fetch, files
from verification.models.builders import BUILDERS
from verification.models.files import Progress, no_progress
from verification.models.manifest import MAX_MANIFEST_BYTES, load_manifest
from verification.models.pack import Member, Pack, Same, Source
from verification.models.store import RECORD, InstalledPack, ModelStore, Record, check_models, check_reports, resolved

MANIFEST = "manifest.toml"
MAX_REPORT_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Options:
    """``origin``: a mirror, a folder or an http(s) address; empty: the manifest's own sources. ``timeout_s``: for connecting and each piece,
    ``whole_timeout_s``: for each file. ``retries``: how often pip asks again. ``wait``: for another installation instead of giving up. ``pack_hash``: no
    other pack than this; a pack of one's own over http needs it, as nothing else says whose it is."""

    origin: str = ""
    pack_hash: str = ""
    accept_licence: bool = False
    quiet: bool = True
    wait: bool = False
    retries: int = fetch.ATTEMPTS
    timeout_s: float = fetch.CONNECT_TIMEOUT_S
    whole_timeout_s: float = fetch.WHOLE_TIMEOUT_S
    progress: Progress = no_progress


def install(store: ModelStore, name: str, options: Options = Options()) -> InstalledPack:
    """Install or repair. Raises every ``PackError`` there is; an installed pack is then as it was."""
    manifest, pack = _manifest(name, options)
    with files.locked(store.folder, wait=options.wait):
        store.recover()
        record = _record(store, pack, options)
        staging = Path(tempfile.mkdtemp(prefix=".new-", dir=store.folder))
        try:
            work = _Work(store, pack, staging, options)
            work.run()
            if manifest is not None:
                files.write_whole(staging / MANIFEST, manifest)
                _fetch_reports(pack, staging, options)
            files.write_whole(staging / RECORD, record.to_json())
            said, pack = pack, resolved(pack, staging)
            check_models(pack, staging)
            check_reports(said, staging if manifest is not None else None)
            files.sync_folder(staging)
            store.replace(name, staging)
            for part in work.parts:
                part.unlink(missing_ok=True)
        finally:
            files.tidy(staging)
    return InstalledPack(pack, store.folder / name)


def pack_named(name: str, origin: str = "", pack_hash: str = "") -> Pack:
    """What would be installed. Raises NotInstalled where there is no such pack, ManifestInvalid, HashMismatch, FetchFailed."""
    return _manifest(name, Options(origin=origin, pack_hash=pack_hash))[1]


def _manifest(name: str, options: Options) -> tuple[bytes | None, Pack]:
    """A shipped pack's manifest is this version's own; one of the bank's stands beside its files."""
    known = catalogue.shipped()
    if name in known:
        _check_pin(known[name], options)
        return None, known[name]
    if not options.origin:
        raise NotInstalled(f"there is no pack {name!r}: {', '.join(known)}, or one of your own with --from")
    if options.origin.lower().startswith("http://") and not options.pack_hash:
        raise FetchFailed(
            "a pack of your own comes from a folder, over https, or with its hash (--sha256): over http anybody can have put it there"
        )
    content = _small(options, MANIFEST, MAX_MANIFEST_BYTES)
    pack = load_manifest(content)
    if pack.name != name:
        raise ManifestInvalid(f"the manifest there is of the pack {pack.name!r}, not {name!r}")
    _check_pin(pack, options)
    return content, pack


def _check_pin(pack: Pack, options: Options) -> None:
    if options.pack_hash and pack.hash != options.pack_hash.lower():
        raise HashMismatch(f"the pack {pack.name} there has the hash {pack.hash}, which is not the one that was given")


def _small(options: Options, file: str, most: int) -> bytes:
    if _is_address(options.origin):
        whole_s = min(options.whole_timeout_s, fetch.SMALL_TIMEOUT_S)
        address = fetch.mirror_address(options.origin, file)
        return fetch.fetch_small(address, most, timeout_s=options.timeout_s, whole_timeout_s=whole_s)
    path = Path(options.origin) / file
    try:
        with path.open("rb") as opened:
            content = opened.read(most + 1)
    except OSError as error:
        raise NotInstalled(f"cannot read {path}: {error.strerror}") from None
    if len(content) > most:
        raise ManifestInvalid(f"{path} is too long")
    return content


def _is_address(origin: str) -> bool:
    return "://" in origin


def _fetch_reports(pack: Pack, staging: Path, options: Options) -> None:
    """The evaluations that a manifest of the bank's own cites."""
    for evaluation in pack.evaluations:
        if not (staging / evaluation.report).exists():
            content = _small(options, evaluation.report, MAX_REPORT_BYTES)
            if hashlib.sha256(content).hexdigest() != evaluation.sha256:
                raise HashMismatch(f"the report {evaluation.report} is not the one that the manifest cites")
            files.write_whole(staging / evaluation.report, content)


def _record(store: ModelStore, pack: Pack, options: Options) -> Record:
    """Raises LicenceNotAccepted where the pack's licence is neither accepted now nor was before."""
    before = store.record(pack.name)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    accepted = before.acceptance if before is not None and before.accepts(pack) else None
    if pack.needs_acceptance and options.accept_licence and accepted is None:
        accepted = {"licence_sha256": pack.licence_hash, "at": now, "by": _who()}
    if pack.needs_acceptance and accepted is None:
        raise LicenceNotAccepted(
            f"{pack.name} is licensed for {pack.licence}: install it with --accept-licence if that holds for you"
        )
    return Record(pack.name, pack.version, pack.hash, now, accepted)


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


class _Work:
    """Fills one folder with the files of one pack."""

    def __init__(self, store: ModelStore, pack: Pack, staging: Path, options: Options) -> None:
        self._store, self._pack, self._staging, self._options = store, pack, staging, options
        self.parts: list[Path] = []
        """What was fetched whole; kept until the pack is installed, so that nothing is fetched twice."""

    def run(self) -> None:
        for source in self._pack.sources:
            missing = [one for one in source.files if not self._reuse(*one)]
            if missing and not (self._options.origin and self._from_mirror(source, missing)):
                if self._options.origin and self._same(source):
                    continue
                if self._options.origin:
                    raise FetchFailed(f"{self._options.origin} has neither {missing[0][0]} nor {source.file}")
                self._from_source(source)
        for model in self._pack.all_models:
            if model.same and (self._staging / model.file).is_file():
                continue
            if model.built_from and not self._reuse(model.file, model.sha256, model.bytes):
                built = BUILDERS[model.kind]((self._staging / model.built_from).read_bytes())
                if hashlib.sha256(built).hexdigest() != model.sha256:
                    raise HashMismatch(f"{model.file} was built, but is not the file that the manifest names")
                files.write_whole(self._staging / model.file, built)
            elif model.file and not (self._staging / model.file).exists():
                self._own(model.file, model.sha256, model.bytes)

    def _same(self, source: Source) -> bool:
        """Whether the mirror has, instead of all that is built of this source, what is the same."""
        built = [model for model in self._pack.all_models if model.built_from in {file for file, _, _ in source.files}]
        found = [any(self._mirrored_same(model.file, same) for same in model.same) for model in built]
        return bool(built) and all(found)

    def _mirrored_same(self, file: str, same: Same) -> bool:
        try:
            return self._reuse(file, same.sha256, same.bytes) or self._mirrored(file, same.sha256, same.bytes, self._staging)
        except HashMismatch:
            return False

    def _own(self, file: str, sha256: str, size: int) -> None:
        """A model without a source: it stands beside the bank's own manifest."""
        own = Source(name="own", kind="mirror", file=file, sha256=sha256, bytes=size)
        if not self._reuse(file, sha256, size) and not (
            self._options.origin and self._from_mirror(own, [(file, sha256, size)])
        ):
            raise FetchFailed(f"{file} has no source, and {self._options.origin or 'no mirror'} does not give it")

    def _reuse(self, file: str, sha256: str, size: int) -> bool:
        """Whether it is there now: since before, or copied from a pack that has it."""
        to = self._staging / file
        for path in () if to.exists() else self._installed(file):
            if files.is_file(path, sha256, size):
                with path.open("rb") as source:
                    files.copy_checked(source, to, sha256, size)
                break
        return to.exists()

    def _installed(self, file: str) -> Iterator[Path]:
        for folder in sorted(self._store.folder.iterdir()):
            if folder.is_dir() and folder != self._staging:
                yield folder / file

    def _from_mirror(self, source: Source, missing: list[tuple[str, str, int]]) -> bool:
        """Each file by itself, or the archive that they are in."""
        for one in missing:
            if not self._mirrored(*one, self._staging):
                break
        else:
            return True
        if not source.members:
            return False
        with tempfile.TemporaryDirectory(prefix=".archive-", dir=self._store.folder) as aside:
            if not self._mirrored(source.file, source.sha256, source.bytes, Path(aside)):
                return False
            self._extract(Path(aside) / source.file, source)
        return True

    def _mirrored(self, file: str, sha256: str, size: int, folder: Path) -> bool:
        """Raises HashMismatch where it has another file of that name, and FetchFailed where it cannot be reached at all."""
        origin = self._options.origin
        if _is_address(origin):
            try:
                self._address(fetch.mirror_address(origin, file), file, sha256, size, folder)
            except FetchFailed as error:
                if "the server answers 404" in error.detail:
                    return False
                raise
            return True
        path = Path(origin) / file
        if not path.is_file():
            return False
        with path.open("rb") as source:
            files.copy_checked(source, folder / file, sha256, size)
        self._options.progress(file, size, size)
        return True

    def _address(self, url: str, file: str, sha256: str, size: int, folder: Path) -> None:
        downloads = self._store.folder / ".downloads"
        downloads.mkdir(exist_ok=True)
        part = downloads / sha256
        fetch.fetch(
            url,
            part,
            sha256=sha256,
            size=size,
            progress=self._options.progress,
            name=file,
            timeout_s=self._options.timeout_s,
            whole_timeout_s=self._options.whole_timeout_s,
        )
        with part.open("rb") as source:
            files.copy_checked(source, folder / file, sha256, size)
        self.parts.append(part)

    def _from_source(self, source: Source) -> None:
        with tempfile.TemporaryDirectory(prefix=".archive-", dir=self._store.folder) as aside:
            folder = Path(aside)
            if source.kind == "pypi":
                self._options.progress(source.file, 0, source.bytes)
                fetched = fetch.download_package(
                    source,
                    folder,
                    quiet=self._options.quiet,
                    retries=self._options.retries,
                    timeout_s=self._options.timeout_s,
                    whole_timeout_s=self._options.whole_timeout_s,
                )
                if not files.is_file(fetched, source.sha256, source.bytes):
                    raise HashMismatch(f"{source.file} is not the file that the manifest names")
                self._options.progress(source.file, source.bytes, source.bytes)
            elif source.kind == "https":
                self._address(source.url, source.file, source.sha256, source.bytes, folder)
            else:
                raise FetchFailed(f"{source.file} has no public address: give a mirror that has it with --from")
            self._extract(folder / source.file, source)

    def _extract(self, fetched: Path, source: Source) -> None:
        wanted: tuple[Member, ...] = tuple(member for member in source.members if not (self._staging / member.file).exists())
        if source.members:
            files.extract(fetched, source, wanted, self._staging)
        else:
            with fetched.open("rb") as opened:
                files.copy_checked(opened, self._staging / source.file, source.sha256, source.bytes)
