"""Reads track files of a recording. SHELL: blocks on the disk. Bounded: one segment in memory at a time."""

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from media.recording.check import Opened, load_header, open_at, walk
from media.recording.errors import RecordingFormatError, RecordingStoreError
from media.recording.format import SEGMENT_HEAD_BYTES, TrackCipher, TrackHeader, read_file_name, read_segment, segment_hash
from media.recording.index import MAX_INDEX_BYTES, TrackIndex
from media.recording.records import Kind, Record, unpack
from media.recording.writer import INDEX_SUFFIX


class TrackReader:
    """One track file, for players and exporters. Use as a context manager.

    Raises RecordingStoreError when it cannot be opened, RecordingFormatError or RecordingKeyError when its header is not right.
    """

    def __init__(self, path: Path, data_key: bytes) -> None:
        self.path = path
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError as error:
            raise RecordingStoreError("cannot_read", f"{path.name}: {error.strerror}") from None
        try:
            self.cipher: TrackCipher = load_header(self.read, data_key)
        except BaseException:
            os.close(self._fd)
            raise

    def __enter__(self) -> "TrackReader":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    @property
    def header(self) -> TrackHeader:
        return self.cipher.header

    @property
    def size(self) -> int:
        return os.fstat(self._fd).st_size

    def read(self, offset: int, length: int) -> bytes:
        """At most ``length`` bytes; fewer at the end. Raises RecordingStoreError."""
        found = b""
        try:
            while len(found) < length and (more := os.pread(self._fd, length - len(found), offset + len(found))):
                found += more
        except OSError as error:
            raise RecordingStoreError("cannot_read", f"{self.path.name}: {error.strerror}") from None
        return found

    def segments(self) -> Iterator[Opened]:
        """In order from the start, as far as they are whole and in order; what follows is ``verify``'s to name."""
        return walk(self.read, self.size, self.cipher)

    def segment(self, offset: int) -> Opened:
        """The one at an offset of the index. Raises RecordingFormatError(``segment_changed``)."""
        found = open_at(self.read, offset, self.cipher)
        if found is None:
            raise RecordingFormatError("segment_changed", f"{self.path.name}: no segment at {offset}")
        return found

    def records(self, from_us: int = 0) -> Iterator[Record]:
        """Those that arrived at ``from_us`` or later, in the order of the file."""
        for segment in self.segments():
            if segment.header.last_us >= from_us:
                for record in unpack(segment.plain):
                    if record.time_us >= from_us:
                        yield record

    def index(self) -> TrackIndex:
        """The copy beside the file where it fits, else made from the file (which reads all of it)."""
        with contextlib.suppress(OSError, RecordingFormatError):
            kept = self.path.with_name(self.path.name + INDEX_SUFFIX)
            if kept.stat().st_size <= MAX_INDEX_BYTES:
                return TrackIndex.decode(kept.read_bytes(), self.header, self.cipher.index_key, self._last_hash())
        return self.rebuild_index()

    def rebuild_index(self) -> TrackIndex:
        index = TrackIndex.of(self.header)
        for segment in self.segments():
            index.scan(segment.plain)
            index.add(segment.header, segment.offset)
        return index

    def _last_hash(self) -> bytes:
        """Hash of the file's final segment, found by the headers alone; b"" without one."""
        at, size = len(self.cipher.opening), self.size
        while at < size:
            header = read_segment(self.read(at, SEGMENT_HEAD_BYTES))
            if header is None:
                return b""
            if header.final:
                return segment_hash(self.read(at, header.size))
            at += header.size
        return b""


def part_of(path: Path) -> tuple[str, int]:
    """Track and part of a track file."""
    named = read_file_name(path.name)
    assert named is not None
    return named


def by_track(paths: Iterable[Path]) -> dict[str, list[Path]]:
    """The track files among these, by track, in the order given."""
    found: dict[str, list[Path]] = {}
    for path in paths:
        named = read_file_name(path.name)
        if named is not None:
            found.setdefault(named[0], []).append(path)
    return found


def track_records(paths: Sequence[Path], data_key: bytes, from_us: int = 0) -> Iterator[Record]:
    """Records of all parts of one track, in their order: what a recorder got again after another's end is left out.

    Packets of a track come in the order of their times, so a later part repeats at most the end of the one before it.
    """
    last_us, there = -1, set[bytes]()
    for path in paths:
        before_us, before = last_us, there
        with TrackReader(path, data_key) as reader:
            for record in reader.records():
                if record.kind == Kind.RTP:
                    if record.time_us < before_us or (record.time_us == before_us and record.payload in before):
                        continue
                    if record.time_us > last_us:
                        last_us, there = record.time_us, set()
                    if record.time_us == last_us:
                        there.add(record.payload)
                if record.time_us >= from_us:
                    yield record
