"""The evidence vault's files. SHELL: synchronous; call it beside an event loop (``asyncio.to_thread``).

    <folder>/<case>/key          the case key, wrapped: whoever erases it erases the case
    <folder>/<case>/<n>.blob     sealed, numbered in the order of writing
    <folder>/<case>/manifest     sealed; written last: a case without one was never finished

Everything is on disk (fsync of file and folder) before a call returns, a draft's blobs before ``seal`` writes its manifest. A file appears whole or not at all: it is written under another name and
renamed. Names of blobs stand in the manifest alone. Nothing is ever written that is not sealed.
"""

import contextlib
import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn, Protocol

from verification.evidence import format as sealed
from verification.evidence.format import BlobEntry, EvidenceError, KeyRing, Manifest, check_name

KEY, MANIFEST, TEMPORARY = "key", "manifest", ".tmp"
_MODE, _FOLDER_MODE = 0o600, 0o700


class Vault(Protocol):
    """What cases need. All raise EvidenceError, whose ``code`` says why; OSError where the disk fails."""

    def begin(self, case: str) -> "Draft": ...
    def manifest(self, case: str) -> Manifest: ...
    def read(self, case: str, name: str) -> bytes: ...
    def verify(self, case: str) -> Manifest: ...
    def erase(self, case: str) -> bool: ...
    def rewrap(self, case: str) -> bool: ...
    def cases(self) -> list[str]: ...
    def due(self, now_s: float) -> list[str]: ...


class Draft(Protocol):
    """A case that is being written: blobs one after the other, then ``seal``. Without that it was never there."""

    def add(self, name: str, kind: str, data: bytes) -> BlobEntry: ...
    def seal(self, *, type: str, created_s: float, keep_until_s: float, facts: str = "{}") -> Manifest: ...
    def abandon(self) -> None: ...


class FileVault:
    """``folder`` is made if it is not there. One process writes a case; any may read."""

    def __init__(self, folder: Path, ring: KeyRing) -> None:
        self._folder = folder
        self._ring = ring
        folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)

    # ---- writing

    def begin(self, case: str) -> "FileDraft":
        """Raises EvidenceError(``evidence_exists``): of this case there is something already, finished or not."""
        folder = self._at(case)
        try:
            folder.mkdir(mode=_FOLDER_MODE)
        except FileExistsError:
            raise EvidenceError("there is evidence of this case already", code="evidence_exists") from None
        _sync(self._folder)
        key = secrets.token_bytes(sealed.KEY_BYTES)
        draft = FileDraft(folder, case, key)
        draft.keep_key(self._ring.wrap(case, key, secrets.token_bytes(sealed.NONCE_BYTES)))
        return draft

    # ---- reading

    def manifest(self, case: str) -> Manifest:
        return self._manifest(case, self._key(case))

    def read(self, case: str, name: str) -> bytes:
        """One blob, checked against the manifest."""
        key = self._key(case)
        for entry in self._manifest(case, key).blobs:
            if entry.name == name:
                return self._blob(case, key, entry)
        raise EvidenceError("there is no such blob in this case", code="evidence_not_found")

    def verify(self, case: str) -> Manifest:
        """Every blob, and that there is no file that the manifest does not name. Raises EvidenceError for the first that is not right."""
        key = self._key(case)
        manifest = self._manifest(case, key)
        for entry in manifest.blobs:
            self._blob(case, key, entry)
        expected = {KEY, MANIFEST, *(_file(entry.number) for entry in manifest.blobs)}
        there = {path.name for path in self._at(case).iterdir() if not path.name.endswith(TEMPORARY)}
        if there - expected:
            raise EvidenceError("there are files that the manifest does not name", code="evidence_changed")
        return manifest

    def cases(self) -> list[str]:
        """Of which there is anything, finished or not."""
        found = []
        for path in self._folder.iterdir():
            with contextlib.suppress(EvidenceError):
                if path.is_dir():
                    found.append(check_name(path.name))
        return sorted(found)

    def unfinished(self) -> list[str]:
        """Cases without a key or a manifest: of a process that died while it wrote. Erase those that nobody is writing."""
        return [case for case in self.cases() if not all((self._at(case) / name).is_file() for name in (KEY, MANIFEST))]

    def digest(self, case: str) -> str:
        """Hexadecimal SHA-256 of the manifest as it stands on disk, sealed: what a record of the case can name, and anybody can compute without a key."""
        return hashlib.sha256(self._sealed_manifest(case)).hexdigest()

    def old(self, after: str, before_s: float, limit: int) -> list[str]:
        """Of ``cases()``: from the one after this on, in order, whose folder nothing was written to since ``before_s`` (seconds since 1970)."""
        found = []
        for case in self.cases():
            with contextlib.suppress(FileNotFoundError):
                if case > after and self._at(case).stat().st_mtime < before_s:
                    found.append(case)
                    if len(found) >= limit:
                        break
        return found

    def due(self, now_s: float) -> list[str]:
        """Cases that are to be erased, the longest due first. One that cannot be read is never due: somebody has to look at it."""
        until = {}
        for case in self.cases():
            with contextlib.suppress(EvidenceError):
                until[case] = self.manifest(case).keep_until_s
        return sealed.due(until, now_s)

    # ---- keys

    def rewrap(self, case: str) -> bool:
        """Under the ring's first master key. False: it was already. The blobs stay as they are."""
        path = self._at(case) / KEY
        wrapped = self._wrapped(case)
        key = self._ring.unwrap(case, wrapped)
        if sealed.wrapped_with(wrapped) == self._ring.current:
            return False
        _write(path, self._ring.wrap(case, key, secrets.token_bytes(sealed.NONCE_BYTES)))
        return True

    def erase(self, case: str) -> bool:
        """Nothing of the case can be read any more, also from a copy of its blobs: the key is overwritten and removed first. False: was not there."""
        folder = self._at(case)
        if not folder.is_dir():
            return False
        with contextlib.suppress(FileNotFoundError):
            _overwrite(folder / KEY)
        for path in folder.glob(f"{KEY}*{TEMPORARY}"):
            _overwrite(path)
        _sync(folder)
        shutil.rmtree(folder)
        _sync(self._folder)
        return True

    # ---- inside

    def _at(self, case: str) -> Path:
        return self._folder / check_name(case)

    def _wrapped(self, case: str) -> bytes:
        return _read(self._at(case) / KEY, sealed.WRAPPED_BYTES, "there is no evidence of this case", "evidence_not_found")

    def _key(self, case: str) -> bytes:
        return self._ring.unwrap(case, self._wrapped(case))

    def _sealed_manifest(self, case: str) -> bytes:
        most = sealed.MAX_MANIFEST_BYTES + sealed.BLOB_OVERHEAD
        return _read(self._at(case) / MANIFEST, most, "the case was never finished", "evidence_missing")

    def _manifest(self, case: str, key: bytes) -> Manifest:
        data = self._sealed_manifest(case)
        return sealed.decode_manifest(sealed.open_sealed(key, case, MANIFEST, sealed.MANIFEST_KIND, data), case)

    def _blob(self, case: str, key: bytes, entry: BlobEntry) -> bytes:
        path = self._at(case) / _file(entry.number)
        data = _read(path, entry.size + sealed.BLOB_OVERHEAD, f"{entry.name} is missing", "evidence_missing")
        plain = sealed.open_sealed(key, case, entry.name, entry.kind, data)
        if not sealed.matches(entry, plain):
            raise EvidenceError(f"{entry.name} is not what the manifest names", code="evidence_changed")
        return plain


class FileDraft:
    """Of ``FileVault.begin``; belongs to one thread at a time.

    It holds the folder itself, not its name: where the case was erased meanwhile, and perhaps begun anew by somebody else, nothing more is written
    (EvidenceError ``evidence_erased``), and nothing of the other one is touched.
    """

    def __init__(self, folder: Path, case: str, key: bytes) -> None:
        self._open = False
        self._folder = folder
        self._held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
        self._case = case
        self._key = key
        self._blobs: dict[str, BlobEntry] = {}
        self._open = True

    def __del__(self) -> None:
        self._close()

    def keep_key(self, wrapped: bytes) -> None:
        self._write(KEY, wrapped)

    def add(self, name: str, kind: str, data: bytes) -> BlobEntry:
        """On disk when ``seal`` returns. Raises EvidenceError: a name that is none, or used; too large; sealed or erased already."""
        self._need_open()
        if name in self._blobs or len(self._blobs) >= sealed.MAX_BLOBS:
            raise EvidenceError("there is such a blob already, or there are too many", code="evidence_exists")
        if check_name(name) == MANIFEST or check_name(kind) == sealed.MANIFEST_KIND:
            raise EvidenceError("the manifest is no blob", code="evidence_bad_name")
        entry = sealed.entry(len(self._blobs), name, kind, data)
        salt = secrets.token_bytes(sealed.SALT_BYTES)
        self._write(_file(entry.number), sealed.seal(self._key, self._case, name, kind, data, salt), synced=False)
        self._blobs[name] = entry
        return entry

    def seal(self, *, type: str, created_s: float, keep_until_s: float, facts: str = "{}") -> Manifest:
        """From now on it is evidence, and nothing can be added. Raises EvidenceError: times that cannot be, or too much; it is then still open."""
        self._need_open()
        blobs = tuple(self._blobs.values())
        manifest = Manifest(1, self._case, check_name(type), created_s, keep_until_s, blobs, facts)
        data = sealed.encode_manifest(manifest)
        salt = secrets.token_bytes(sealed.SALT_BYTES)
        self._sync_blobs()
        self._write(MANIFEST, sealed.seal(self._key, self._case, MANIFEST, sealed.MANIFEST_KIND, data, salt))
        self._close()
        return manifest

    def abandon(self) -> None:
        """As if it had never been begun. Does nothing once it is sealed."""
        if self._open:
            mine = self._is_mine()
            self._close()
            if mine:
                _overwrite(self._folder / KEY)
                shutil.rmtree(self._folder)
                _sync(self._folder.parent)

    def _is_mine(self) -> bool:
        """What is held is not given to another folder as long as it is held."""
        try:
            return os.path.samestat(os.fstat(self._held), self._folder.lstat())
        except FileNotFoundError:
            return False

    def _sync_blobs(self) -> None:
        """All of them, and then their names, before there is a manifest that says that they are there."""
        try:
            for entry in self._blobs.values():
                with _opened(_file(entry.number), os.O_RDONLY, self._held) as file:
                    os.fsync(file)
        except FileNotFoundError:
            self._gone()
        os.fsync(self._held)

    def _write(self, name: str, data: bytes, *, synced: bool = True) -> None:
        try:
            _write_in(self._held, name, data, synced=synced)
        except FileNotFoundError:
            self._gone()

    def _gone(self) -> NoReturn:
        self._close()
        raise EvidenceError("the case was erased while it was written", code="evidence_erased") from None

    def _close(self) -> None:
        if self._open:
            self._open = False
            self._key = b""
            os.close(self._held)

    def _need_open(self) -> None:
        if not self._open:
            raise EvidenceError("the case is sealed", code="evidence_sealed")


def _file(number: int) -> str:
    return f"{number:04}.blob"


def _read(path: Path, most: int, detail: str, code: str) -> bytes:
    """Regular files only, and no more of them than there can be."""
    try:
        with _opened(path, os.O_RDONLY) as file:
            state = os.fstat(file)
            if not stat.S_ISREG(state.st_mode) or state.st_size > most:
                raise EvidenceError(f"{path.name} is not what was written", code="evidence_changed")
            data = b""
            while chunk := os.read(file, most + 1 - len(data)):
                data += chunk
            return data
    except FileNotFoundError:
        raise EvidenceError(detail, code=code) from None


@contextlib.contextmanager
def _opened(path: Path | str, flags: int, folder: int | None = None) -> Iterator[int]:
    file = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, _MODE, dir_fd=folder)
    try:
        yield file
    finally:
        os.close(file)


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all, and on disk."""
    with _opened(path.parent, os.O_RDONLY | os.O_DIRECTORY) as folder:
        _write_in(folder, path.name, data)


def _write_in(folder: int, name: str, data: bytes, *, synced: bool = True) -> None:
    """The same in an open folder. Raises FileNotFoundError where it was removed. Not ``synced``: whoever writes it sees to that."""
    temporary = f"{name}.{secrets.token_hex(6)}{TEMPORARY}"
    try:
        with _opened(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, folder) as file:
            _write_all(file, data)
            if synced:
                os.fsync(file)
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise
    if synced:
        os.fsync(folder)


def _write_all(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def _overwrite(path: Path) -> None:
    """Zeros over it, on disk, then it is gone. On disks that write elsewhere the old block may linger: wrap with a master key that can be destroyed."""
    with _opened(path, os.O_WRONLY) as file:
        _write_all(file, bytes(os.fstat(file).st_size))
        os.fsync(file)
    path.unlink()


def _sync(folder: Path) -> None:
    with _opened(folder, os.O_RDONLY | os.O_DIRECTORY) as file:
        os.fsync(file)
