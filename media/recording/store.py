"""Recordings on disk, a folder each below ``recordings/``. SHELL: blocks on the disk; one recording belongs to one thread.

    <recording>/key                     the data key, wrapped (mode 0600, as everything here; folders 0700)
    <recording>/<track>.<part>.track    append-only
    <recording>/<track>.<part>.track.index   a copy to save time, made when the track is closed
    <recording>/manifest                when the recording has ended
    <recording>/reserve                 room for final segments and manifest when the disk is full

Who writes a recording holds a lock on its folder (flock), which the system lets go of when the process ends. Erasing overwrites and
removes the wrapped key first: whatever is left of the files after that opens for nobody.
"""

import contextlib
import fcntl
import hashlib
import logging
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from media.recording import manifest
from media.recording.check import NOT_TAMPERING, TrackCheck, check_track
from media.recording.errors import RecordingError, RecordingFormatError, RecordingStoreError
from media.recording.files import TrackReader, part_of
from media.recording.format import MAX_PARTS, TrackCipher, TrackHeader, check_id, peek_header, read_file_name
from media.recording.keys import KEY_BYTES, NONCE_BYTES, SALT_BYTES, WRAPPED_BYTES, KeyRing, data_key_id
from media.recording.manifest import Ending, Manifest, PartEntry
from media.recording.records import Gap, GapReason, Kind, pack, pack_gap
from media.recording.wire import TrackInfo
from media.recording.writer import FILE_MODE, FLAGS, FOLDER_MODE, TrackFile, sync_folder, write_all, write_file

log = logging.getLogger(__name__)

FOLDER = "recordings"
KEY_FILE = "key"
RESERVE_FILE = "reserve"
RESERVE_BYTES = 256 * 1024
MAX_FILES = 2 * manifest.MAX_PARTS
HASH_BYTES = 1 << 20

State = Literal["recording", "unfinished", "complete", "interrupted", "failed", "erased", "damaged"]


class Summary(NamedTuple):
    """One recording as ``list`` tells it. ``started_wall_us``: None when nothing readable says so; ``tracks`` and ``parts`` counted by file names."""

    recording: str
    state: State
    started_wall_us: int | None
    ended_wall_us: int | None
    tracks: int
    parts: int
    size: int
    reason: str


class RecordingStore:
    """All recordings below ``folder`` (which is made). ``ring`` may be None for what needs no key: listing and erasing."""

    def __init__(self, folder: Path, ring: KeyRing | None) -> None:
        self.folder = folder
        self._ring = ring
        try:
            folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        except OSError as error:
            raise RecordingStoreError("cannot_write", f"{folder}: {error.strerror}") from None

    @property
    def ring(self) -> KeyRing:
        if self._ring is None:
            raise RecordingStoreError("no_master_key", "this needs the master key of recordings")
        return self._ring

    def path(self, recording: str) -> Path:
        """Raises RecordingStoreError(``no_recording``)."""
        try:
            path = self.folder / check_id(recording)
        except RecordingFormatError as error:
            raise RecordingStoreError("no_recording", error.detail) from None
        if not path.is_dir() or path.is_symlink():
            raise RecordingStoreError("no_recording", f"there is no recording {recording}")
        return path

    # ---- writing

    def create(self, recording: str, started_wall_us: int) -> "OpenRecording":
        """A new one with a key of its own. Raises RecordingStoreError (``recording_exists``, ``cannot_write``)."""
        ring = self.ring
        path = self.folder / check_id(recording)
        data_key = secrets.token_bytes(KEY_BYTES)
        try:
            path.mkdir(mode=FOLDER_MODE)
            write_file(path / KEY_FILE, ring.wrap(recording, data_key, secrets.token_bytes(NONCE_BYTES)))
            _reserve(path)
            sync_folder(self.folder)
        except FileExistsError:
            raise RecordingStoreError("recording_exists", f"there is a recording {recording} already") from None
        except OSError as error:
            shutil.rmtree(path, ignore_errors=True)
            raise RecordingStoreError("cannot_write", f"{recording}: {error.strerror}") from None
        return OpenRecording(path, recording, data_key, started_wall_us)

    def resume(self, recording: str, started_wall_us: int) -> "OpenRecording":
        """Go on after a crash. Raises RecordingStoreError (``no_recording``, ``in_use``, ``has_ended``), RecordingKeyError."""
        path = self.path(recording)
        if (path / manifest.FILE).exists():
            raise RecordingStoreError("has_ended", f"the recording {recording} has ended")
        return OpenRecording(path, recording, self.data_key(recording), started_wall_us)

    # ---- reading

    def began(self, recording: str) -> bool:
        """Whether there is anything of it: False also where a crash left its folder before there was a key."""
        try:
            path = self.path(recording)
        except RecordingStoreError:
            return False
        return (path / KEY_FILE).exists() or bool(self.parts(recording))

    def in_use(self, recording: str) -> bool:
        """Whether somebody writes it now. Raises RecordingStoreError(``no_recording``)."""
        return _held(self.path(recording))

    def data_key(self, recording: str) -> bytes:
        """Raises RecordingStoreError, RecordingKeyError."""
        return self.ring.unwrap(recording, _read(self.path(recording) / KEY_FILE, 2 * WRAPPED_BYTES))

    def manifest(self, recording: str, data_key: bytes) -> Manifest | None:
        """None while there is none. Raises RecordingFormatError(``manifest_changed``)."""
        path = self.path(recording) / manifest.FILE
        if not path.exists():
            return None
        return manifest.decode(_read(path, manifest.MAX_BYTES + 4096), data_key, recording)

    def parts(self, recording: str) -> tuple[Path, ...]:
        """Track files, those of one track in order."""
        return tuple(path for path in _listed(self.path(recording)) if read_file_name(path.name) is not None)

    def track(self, path: Path, data_key: bytes) -> TrackReader:
        return TrackReader(path, data_key)

    def list(self) -> Iterator[Summary]:
        """Every recording, oldest name first. Without a key only names, sizes and whether somebody writes are known."""
        for path in sorted(self.folder.iterdir()):
            if path.is_dir() and not path.is_symlink():
                with contextlib.suppress(RecordingFormatError):
                    yield self._summary(check_id(path.name))

    def _summary(self, recording: str) -> Summary:
        path = self.path(recording)
        files = [(each, found) for each in _listed(path) if (found := read_file_name(each.name)) is not None]
        size = sum(each.stat().st_size for each, _ in files)
        started: int | None = None
        ended: int | None = None
        reason = ""
        state: State = "unfinished"
        if _held(path):
            state = "recording"
        elif not (path / KEY_FILE).exists():
            state = "erased"
        elif self._ring is not None and (path / manifest.FILE).exists():
            try:
                made = self.manifest(recording, self.data_key(recording))
                assert made is not None
                state, reason = made.ending, made.reason
                started, ended = made.started_wall_us, made.ended_wall_us
            except RecordingError as error:
                state, reason = "damaged", error.detail
        if started is None and files:
            with contextlib.suppress(RecordingError), files[0][0].open("rb") as file:
                started = peek_header(file.read(32 * 1024)).zero_wall_us
        return Summary(recording, state, started, ended, len({track for _, (track, _) in files}), len(files), size, reason)

    # ---- ending

    def finish(self, recording: str, now_wall_us: int) -> Manifest:
        """Put the manifest of a recording together that a crash left without one. Raises as ``resume``."""
        opened = self.resume(recording, now_wall_us)
        try:
            return opened.finish(now_wall_us, "interrupted")
        finally:
            opened.release()

    def erase(self, recording: str, *, force: bool = False) -> None:
        """First the key, then the files. Raises RecordingStoreError(``in_use``, unless ``force``; ``cannot_write``)."""
        path = self.path(recording)
        lock = None
        try:
            try:
                lock = _lock(path)
            except RecordingStoreError:
                if not force:
                    raise
            for key in (path / KEY_FILE, *path.glob(f"{KEY_FILE}.*.tmp")):  # also what a rewrapping left that was killed
                _shred(key)
            sync_folder(path)
            for file in path.iterdir():
                file.unlink()
            path.rmdir()
            sync_folder(self.folder)
        except OSError as error:
            raise RecordingStoreError("cannot_write", f"{recording}: {error.strerror}") from None
        finally:
            if lock is not None:
                os.close(lock)

    def rewrap(self, recording: str) -> bool:
        """The recording's key under the ring's first master key; False when it was already. Raises RecordingKeyError."""
        path = self.path(recording) / KEY_FILE
        wrapped = _read(path, 2 * WRAPPED_BYTES)
        again = self.ring.rewrap(recording, wrapped, secrets.token_bytes(NONCE_BYTES))
        if again[:16] == wrapped[:16]:
            return False
        try:
            write_file(path, again)
        except OSError as error:
            raise RecordingStoreError("cannot_write", f"{recording}: {error.strerror}") from None
        return True


class OpenRecording:
    """One that is written to; it belongs to one thread, ``sync`` and ``closed`` to any. Raises RecordingStoreError(``in_use``)."""

    def __init__(self, path: Path, recording: str, data_key: bytes, started_wall_us: int) -> None:
        self._lock = _lock(path)
        self.path = path
        self.recording = recording
        self.started_wall_us = started_wall_us
        self.failed = ""
        self.on_failed: Callable[[str], None] | None = None
        """Called once, from the thread that the recording belongs to, with the reason."""
        self.closed = False
        self._data_key = data_key
        self._key_id = data_key_id(data_key, recording)
        self._next: dict[str, int] = {}
        self._open: dict[str, TrackFile] = {}
        self._entries: dict[str, PartEntry] = {}
        self._files = threading.Lock()
        self._named = False  # files whose names do not last yet
        self.size = 0
        try:
            for each in _listed(path):
                found = read_file_name(each.name)
                if found is not None:
                    self._next[found[0]] = max(self._next.get(found[0], 0), found[1] + 1)
        except RecordingStoreError:
            os.close(self._lock)
            raise

    def open_track(self, info: TrackInfo) -> TrackFile:
        """A new part of a track. Raises RecordingStoreError (``failed``, ``too_many_tracks``, ``cannot_write``), RecordingFormatError."""
        if self.failed or self.closed:
            raise RecordingStoreError("failed", self.failed or "the recording has ended")
        part = self._next.get(check_id(info.track), 0)
        if part >= MAX_PARTS or len(self._entries) + len(self._open) >= manifest.MAX_PARTS:
            raise RecordingStoreError("too_many_tracks", f"{part} parts of {info.track}")
        try:
            header = TrackHeader(
                recording=self.recording,
                track=info.track,
                part=part,
                participant=info.participant,
                source=info.source,
                kind=info.kind,
                codec=info.codec,
                clock_rate=info.clock_rate,
                zero_wall_us=info.zero_wall_us,
                zero_mono_us=info.zero_mono_us,
                data_key=self._key_id,
                salt=secrets.token_hex(SALT_BYTES),
                payload_type=info.payload_type,
                channels=info.channels,
                fmtp=info.fmtp,
            )
        except ValueError as error:
            raise RecordingFormatError("bad_track", str(error)) from None
        self._next[info.track] = part + 1
        try:
            file = TrackFile(self.path, header, self._data_key)
        except OSError as error:
            self.fail(error)
            raise RecordingStoreError("cannot_write", f"{self.recording}: {error.strerror}") from None
        with self._files:
            self._open[header.name] = file
            self._named = True
        return file

    def append(self, file: TrackFile, plain: bytes) -> bool:
        """Records of a track, as one segment. False when the recording has failed, now or before: nothing was written then."""
        if self.failed or not file.open:
            return False
        try:
            file.append(plain)
        except OSError as error:
            self.fail(error)
            return False
        self.size += len(plain)
        return True

    def close_track(self, file: TrackFile, plain: bytes = b"") -> bool:
        """With its last records. False when the disk refused."""
        if not file.open:
            return False
        try:
            file.finish(plain)
        except OSError as error:
            self.fail(error)
            return False
        self._closed_track(file)
        return True

    def _closed_track(self, file: TrackFile) -> None:
        with self._files:
            self._open.pop(file.header.name, None)
        if not file.torn:
            self._entries[file.header.name] = file.entry()

    def fail(self, error: OSError) -> None:
        """The disk refused: nothing more is written but the ends of what is there, into the room that was kept for them."""
        if self.failed or self.closed:
            return
        self.failed = os.strerror(error.errno) if error.errno else str(error)
        log.error("recording failed", extra={"recording": self.recording, "error": error.errno})
        with contextlib.suppress(OSError):
            (self.path / RESERVE_FILE).unlink()
        for file in list(self._open.values()):
            at = file.last_us
            with contextlib.suppress(OSError, RecordingFormatError):
                file.finish(pack(Kind.GAP, at, pack_gap(Gap(0, at, at, GapReason.DISK))))
            file.abandon()
            self._closed_track(file)
        if self.on_failed is not None:
            self.on_failed(self.failed)

    def sync(self) -> None:
        """Everything appended before lasts. From any thread. Raises OSError: call ``fail`` in the recording's own thread then."""
        with self._files:
            files = list(self._open.values())
            named, self._named = self._named, False
        if named:
            sync_folder(self.path)
        for file in files:
            file.sync()

    def finish(self, now_wall_us: int, ending: Ending = "complete") -> Manifest:
        """Close every track and write the manifest. Raises RecordingStoreError when it cannot be written (what is there stays)."""
        for file in list(self._open.values()):
            self.close_track(file)
        if self.failed:
            ending = "failed"
        entries = [self._entries.get(each.name) or self._old(each) for each in _listed(self.path) if read_file_name(each.name)]
        made = Manifest(
            recording=self.recording,
            ending=ending,
            started_wall_us=self.started_wall_us,
            ended_wall_us=max(now_wall_us, self.started_wall_us),
            parts=tuple(entries),
            reason=self.failed,
        )
        try:
            with contextlib.suppress(FileNotFoundError):
                (self.path / RESERVE_FILE).unlink()
            write_file(self.path / manifest.FILE, manifest.encode(made, self._data_key))
        except OSError as error:
            raise RecordingStoreError("cannot_write", f"{self.recording}: {error.strerror}") from None
        self.closed = True
        return made

    def release(self) -> None:
        """Close what is open as it is and let go of the recording."""
        self.closed = True
        with self._files:
            files, self._open = list(self._open.values()), {}
        for file in files:
            file.abandon()
        if self._lock >= 0:
            lock, self._lock = self._lock, -1
            os.close(lock)

    def _old(self, path: Path) -> PartEntry:
        """Of a part that another process wrote, or that the disk tore: read it, once it lasts as it is."""
        try:
            with path.open("rb") as file:
                os.fsync(file.fileno())
        except OSError as error:
            raise RecordingStoreError("cannot_write", f"{path.name}: {error.strerror}") from None
        return describe(path, self._data_key, self.recording)


def describe(path: Path, data_key: bytes, recording: str) -> PartEntry:
    """A track file as it is now, for a manifest after a crash. Raises RecordingStoreError when it cannot be read."""
    checked, size, sha256 = check_part(path, data_key, recording)
    header = checked.cipher.header if checked.cipher is not None else None
    track, part = part_of(path)
    return PartEntry(
        file=path.name,
        track=track,
        part=part,
        participant=header.participant if header else "",
        source=header.source if header else "",
        kind=header.kind if header else "",
        size=size,
        whole_bytes=checked.whole_bytes,
        segments=checked.segments,
        records=checked.records,
        first_us=checked.first_us,
        last_us=checked.last_us,
        head=checked.head.hex(),
        sha256=sha256,
        closed=checked.closed,
        damaged=any(finding.what not in NOT_TAMPERING for finding in checked.findings),
    )


def check_part(path: Path, data_key: bytes, recording: str, others: Sequence[TrackCipher] = ()) -> tuple[TrackCheck, int, str]:
    """What is wrong with a track file, its size, and the SHA-256 of just that. Raises RecordingStoreError when it cannot be read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            size = os.fstat(fd).st_size
            digest = hashlib.sha256()
            at = 0
            while at < size and (block := os.pread(fd, min(HASH_BYTES, size - at), at)):
                digest.update(block)
                at += len(block)

            def read(offset: int, length: int) -> bytes:
                return os.pread(fd, min(length, max(0, size - offset)), offset)

            return check_track(read, size, data_key, path.name, recording, *part_of(path), others), size, digest.hexdigest()
        finally:
            os.close(fd)
    except OSError as error:
        raise RecordingStoreError("cannot_read", f"{path.name}: {error.strerror}") from None


def _listed(path: Path) -> list[Path]:
    """Files of a recording by name. Raises RecordingStoreError when there are too many to be one."""
    try:
        found = sorted(path.iterdir())
    except OSError as error:
        raise RecordingStoreError("cannot_read", f"{path.name}: {error.strerror}") from None
    if len(found) > MAX_FILES + 16:
        raise RecordingStoreError("cannot_read", f"{path.name} has {len(found)} files")
    return found


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise RecordingStoreError("cannot_read", f"{path.parent.name}/{path.name}: {error.strerror}") from None
    if len(data) > limit:
        raise RecordingStoreError("cannot_read", f"{path.parent.name}/{path.name} is too long")
    return data


def _lock(path: Path) -> int:
    """Raises RecordingStoreError(``in_use``)."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise RecordingStoreError("cannot_read", f"{path.name}: {error.strerror}") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise RecordingStoreError("in_use", f"the recording {path.name} is being written") from None
    return fd


def _held(path: Path) -> bool:
    try:
        os.close(_lock(path))
    except RecordingStoreError as error:
        return error.code == "in_use"
    return False


def _reserve(path: Path) -> None:
    fd = os.open(path / RESERVE_FILE, FLAGS, FILE_MODE)
    try:
        write_all(fd, secrets.token_bytes(RESERVE_BYTES))
    finally:
        os.close(fd)


def _shred(path: Path) -> None:
    """Overwrite in place, then remove. A disk that writes elsewhere (flash, copy on write) may keep the old bytes: wrapped, they still
    need the master key."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        size = os.fstat(fd).st_size
        for filling in (secrets.token_bytes(size), bytes(size)):
            os.lseek(fd, 0, os.SEEK_SET)
            write_all(fd, filling)
            os.fsync(fd)
    finally:
        os.close(fd)
    path.unlink()
