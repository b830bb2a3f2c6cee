"""Files of packs on disk: hashed, copied, taken out of archives, and on the disk for good before anything points to them. SHELL."""

import fcntl
import gzip
import hashlib
import os
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from verification.errors import FetchFailed, FileDamaged, HashMismatch, PackError
from verification.models.pack import Member, Source

CHUNK_BYTES = 1 << 18
Progress = Callable[[str, int, int], None]
"""(file, bytes so far, bytes in all)."""


def no_progress(_file: str, _done: int, _total: int) -> None:
    """For whoever does not look."""


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_file(path: Path, sha256: str, size: int) -> bool:
    """Whether it is there and is exactly that. A link is not followed."""
    try:
        return path.is_file() and not path.is_symlink() and path.stat().st_size == size and sha256_of(path) == sha256
    except OSError:
        return False


def copy_checked(source: IO[bytes], to: Path, sha256: str, size: int) -> None:
    """Into ``to``, which must not exist, and onto the disk. Never more than ``size`` bytes. Raises HashMismatch."""
    digest = hashlib.sha256()
    left = size
    with to.open("xb") as out:
        while chunk := source.read(min(CHUNK_BYTES, left + 1)):
            left -= len(chunk)
            if left < 0:
                break
            digest.update(chunk)
            out.write(chunk)
        out.flush()
        os.fsync(out.fileno())
    if left != 0 or digest.hexdigest() != sha256:
        to.unlink()
        raise HashMismatch(f"{to.name} is not the file that the manifest names ({'size' if left else 'hash'} differs)")


def write_whole(to: Path, content: bytes) -> None:
    """A new file, on the disk when this returns."""
    with to.open("xb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())


def sync_folder(folder: Path) -> None:
    """So that names in it outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def extract(archive: Path, source: Source, members: tuple[Member, ...], folder: Path) -> None:
    """These members of the source's archive and nothing else, under the names that the manifest gives them. No path of the archive is ever
    written to. Raises FileDamaged, HashMismatch."""
    try:
        if archive.name.endswith(".tar.gz"):
            _extract_tar(archive, members, folder)
        else:
            _extract_zip(archive, members, folder)
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        zlib.error,
        gzip.BadGzipFile,
        EOFError,
        NotImplementedError,
        RuntimeError,
        ValueError,
    ) as error:
        raise FileDamaged(f"{source.file} cannot be read: {error}") from None


def _extract_tar(archive: Path, members: tuple[Member, ...], folder: Path) -> None:
    wanted = {member.path: member for member in members}
    with tarfile.open(archive, "r:gz") as tar:
        for info in tar:
            member = wanted.get(info.name)
            if member is None:
                continue
            stream = tar.extractfile(info) if info.isreg() else None
            if stream is None or info.size != member.bytes:
                raise FileDamaged(f"{member.path} in {archive.name} is not the file that it should be")
            copy_checked(stream, folder / member.file, member.sha256, member.bytes)
            del wanted[info.name]
            if not wanted:
                return
    raise FileDamaged(f"{archive.name} has no {next(iter(wanted))}")


def _extract_zip(archive: Path, members: tuple[Member, ...], folder: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        for member in members:
            try:
                info = packed.getinfo(member.path)
            except KeyError:
                raise FileDamaged(f"{archive.name} has no {member.path}") from None
            if info.is_dir() or info.file_size != member.bytes:
                raise FileDamaged(f"{member.path} in {archive.name} is not the file that it should be")
            with packed.open(info) as stream:
                copy_checked(stream, folder / member.file, member.sha256, member.bytes)


@contextmanager
def as_path(content: bytes) -> Iterator[str]:
    """A path at which a library that takes nothing else finds exactly these bytes: memory that nobody can change, or where the system has no
    such thing a file of our own that is gone afterwards."""
    if hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir():
        with open(os.memfd_create("model", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), "wb") as memory:
            memory.write(content)
            memory.flush()
            seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
            fcntl.fcntl(memory.fileno(), fcntl.F_ADD_SEALS, seals)
            yield f"/proc/self/fd/{memory.fileno()}"
        return
    with tempfile.NamedTemporaryFile(prefix="model-") as copy:
        copy.write(content)
        copy.flush()
        yield copy.name


def tidy(path: Path) -> None:
    """Remove a folder or a file, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """The only one who changes this folder. Raises PackError where another does; with ``wait`` waits for it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise FetchFailed(f"cannot write to {folder}: {error.strerror}") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise PackError(f"somebody else installs or removes packs in {folder} just now") from None
        yield
    finally:
        os.close(handle)
