"""What journals beside the database have in common: files of lines, each with the SHA-256 over the hash of the line before and itself. SHELL. All of it blocks."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MODE = 0o600
_PART = 1 << 20


@contextmanager
def locked(path: Path, flags: int) -> Iterator[int]:
    """The file of this name, whoever puts another in its place meanwhile. Raises OSError."""
    while True:
        descriptor = os.open(path, flags | os.O_CLOEXEC, _MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_at(descriptor, path):
                yield descriptor
                return
        finally:
            os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def read_from(descriptor: int, offset: int) -> bytes:
    data = bytearray()
    while part := os.pread(descriptor, _PART, offset + len(data)):
        data += part
    return bytes(data)


def cut(descriptor: int, size: int) -> None:
    """What is after that was not written whole."""
    os.ftruncate(descriptor, size)
    os.fsync(descriptor)


def sync_folder(path: Path) -> None:
    """The names in it are on disk."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def chained(before: str, form: bytes) -> str:
    return hashlib.sha256(before.encode() + form).hexdigest()
