"""Writes one track file. SHELL: every call blocks on the disk; a file belongs to one thread, ``sync`` may come from another.

A segment is written with one ``write`` to a file opened for appending. When the disk refuses, the file is cut back to its
last whole segment, so that what is there stays readable, and the error goes up. Where it refuses that too nothing is appended any more.
"""

import contextlib
import hashlib
import os
import secrets
import threading
from pathlib import Path

from media.recording.format import TrackHeader, TrackSealer
from media.recording.index import TrackIndex
from media.recording.manifest import PartEntry

FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
FILE_MODE = 0o600
FOLDER_MODE = 0o700
INDEX_SUFFIX = ".index"


def write_all(fd: int, data: bytes) -> None:
    """Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def sync_folder(path: Path) -> None:
    """Make names in a folder last. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_file(path: Path, data: bytes) -> None:
    """A whole small file, atomically: complete or not there, and on the disk. Raises OSError."""
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    fd = os.open(temporary, FLAGS, FILE_MODE)
    try:
        try:
            write_all(fd, data)
            os.fsync(fd)
        finally:
            os.close(fd)
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(path.parent)


class TrackFile:
    """One part, from its header to its final segment. Raises OSError wherever the disk refuses. ``torn``: something stands after its
    last whole segment that is none."""

    def __init__(self, folder: Path, header: TrackHeader, data_key: bytes) -> None:
        self.path = folder / header.name
        self.header = header
        self.index = TrackIndex.of(header)
        self._sealer = TrackSealer(header, data_key)
        self._hash = hashlib.sha256()
        self._size = 0
        self._dirty = False
        self._indexed = True
        self.torn = False
        self._lock = threading.Lock()  # between a sync and the close
        self._fd = os.open(self.path, FLAGS, FILE_MODE)
        try:
            self._append(self._sealer.cipher.opening)
        except OSError:
            self.abandon()
            raise

    @property
    def size(self) -> int:
        return self._size

    @property
    def last_us(self) -> int:
        return self._sealer.last_us

    @property
    def open(self) -> bool:
        return self._fd >= 0

    def append(self, plain: bytes, *, final: bool = False) -> None:
        """One segment with these records. Raises OSError, RecordingFormatError (not records, too long, closed)."""
        first_us, last_us, count = self.index.scan(plain)
        if not count:
            first_us = last_us = self._sealer.last_us
        sealed = self._sealer.seal(plain, first_us, last_us, count, final=final)
        offset = self._size
        self._append(sealed)
        self.index.add(self._sealer.written(sealed), offset)

    def _append(self, data: bytes) -> None:
        try:
            write_all(self._fd, data)
        except OSError:
            self._indexed = False  # it has what was not written
            try:
                os.ftruncate(self._fd, self._size)
            except OSError:
                self.torn = True
                self.abandon()
            raise
        self._size += len(data)
        self._hash.update(data)
        self._dirty = True

    def sync(self) -> None:
        """What was appended before lasts. Raises OSError."""
        with self._lock:
            if self._fd >= 0 and self._dirty:
                self._dirty = False
                os.fdatasync(self._fd)

    def finish(self, plain: bytes = b"") -> None:
        """The final segment, the index beside it, and everything on the disk."""
        self.append(plain, final=True)
        self.sync()
        self.abandon()
        if not self._indexed:
            return
        with contextlib.suppress(OSError):  # it can be made again from the file
            sealed = self.index.encode(self._sealer.cipher.index_key, self._sealer.head, secrets.token_bytes(12))
            write_file(self.path.with_name(self.path.name + INDEX_SUFFIX), sealed)

    def abandon(self) -> None:
        """Close it as it is, without a final segment."""
        with self._lock:
            if self._fd >= 0:
                fd, self._fd = self._fd, -1
                os.close(fd)

    def entry(self) -> PartEntry:
        """For the manifest."""
        sealer, header = self._sealer, self.header
        return PartEntry(
            file=header.name,
            track=header.track,
            part=header.part,
            participant=header.participant,
            source=header.source,
            kind=header.kind,
            size=self._size,
            whole_bytes=self._size,
            segments=sealer.segments,
            records=sealer.records,
            first_us=sealer.first_us,
            last_us=sealer.last_us,
            head=sealer.head.hex(),
            sha256=self._hash.hexdigest(),
            closed=sealer.closed,
        )
