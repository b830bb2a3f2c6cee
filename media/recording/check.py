"""Checks one track file against its keys, without touching a disk: what is wrong is named by segment. S.

A segment is believed when its ciphertext opens under this file's key. Where one does not, the next one that does is looked
for, so that one damaged segment costs itself and no other.
"""

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from media.recording.errors import RecordingFormatError, RecordingKeyError
from media.recording.format import (
    HEADER_PREFIX_BYTES,
    MAGIC,
    MAX_HEADER_BYTES,
    SEGMENT_HEAD_BYTES,
    SEGMENT_MAGIC,
    SegmentHeader,
    TrackCipher,
    header_size,
    read_header,
    read_segment,
    segment_hash,
)
from media.recording.keys import TAG_BYTES

Read = Callable[[int, int], bytes]
"""(offset, at most so many bytes) → what the file has there."""

LOOK_BYTES = 1 << 20
MAX_CANDIDATES = 2000
"""Places looked at in one file for a segment that still opens: beyond it the rest counts as changed."""


class What(StrEnum):
    """What is wrong. Those of ``NOT_TAMPERING`` a crash leaves behind as well."""

    TORN = "torn"  # the file ends inside a segment that begins as it should: a crash, or cut short since
    OPEN = "open"  # no final segment: a crash at a segment's end, cut short, or still being written
    CHANGED = "changed"
    MISSING = "missing"
    REPEATED = "repeated"
    MOVED = "moved"
    FOREIGN = "foreign"  # of another track or recording
    INSERTED = "inserted"
    HEADER = "header"  # the file's own header
    KEY = "key"
    TRUNCATED = "truncated"  # shorter than the manifest says
    UNLISTED = "unlisted"  # not in the manifest
    MANIFEST = "manifest"
    UNFINISHED = "unfinished"  # no manifest: whether whole tracks or ends are missing cannot be told


NOT_TAMPERING = frozenset({What.TORN, What.OPEN, What.UNFINISHED})


class Finding(NamedTuple):
    """``segment``: -1 when it is not about one."""

    file: str
    segment: int
    what: What
    detail: str


class TrackCheck(NamedTuple):
    """``whole_bytes``: up to where everything is in order from the start. ``head``: hash of the last segment in order."""

    findings: tuple[Finding, ...]
    cipher: TrackCipher | None
    segments: int
    records: int
    whole_bytes: int
    first_us: int
    last_us: int
    head: bytes
    closed: bool


class Opened(NamedTuple):
    """A segment that was believed."""

    offset: int
    header: SegmentHeader
    plain: bytes
    hash: bytes


def load_header(read: Read, data_key: bytes) -> TrackCipher:
    """Raises RecordingFormatError, RecordingKeyError."""
    return read_header(read(0, header_size(read(0, HEADER_PREFIX_BYTES))), data_key)


def open_at(read: Read, at: int, cipher: TrackCipher) -> Opened | None:
    """The segment that begins at ``at``, if one does and it opens."""
    head = read_segment(read(at, SEGMENT_HEAD_BYTES))
    if head is None:
        return None
    segment = read(at, head.size)
    try:
        header, plain = cipher.open(segment)
    except RecordingFormatError:
        return None
    return Opened(at, header, plain, segment_hash(segment))


class _Walk:
    """From segment to segment; ``lost`` regions in between."""

    def __init__(self, read: Read, size: int, cipher: TrackCipher) -> None:
        self._read = read
        self._size = size
        self._cipher = cipher
        self._candidates = MAX_CANDIDATES

    def next(self, at: int) -> Opened | None:
        """The first segment from ``at`` on that opens, wherever it begins."""
        found = open_at(self._read, at, self._cipher)
        if found is not None:
            return found
        look = at + 1
        while look < self._size and self._candidates:
            block = self._read(look, LOOK_BYTES)
            place = block.find(SEGMENT_MAGIC)
            if place < 0:
                look += max(1, len(block) - len(SEGMENT_MAGIC) + 1)
                continue
            found = open_at(self._read, look + place, self._cipher)
            if found is not None:
                return found
            self._candidates -= 1
            look += place + 1
        return None


def walk(read: Read, size: int, cipher: TrackCipher) -> Iterator[Opened]:
    """The segments in order from the start, as far as the chain holds: what a player reads. Never more than one in memory."""
    at, index, head = len(cipher.opening), 0, cipher.start
    while at < size:
        found = open_at(read, at, cipher)
        if found is None or found.header.number != index or found.header.previous != head:
            return
        yield found
        if found.header.final:
            return
        at += found.header.size
        index += 1
        head = found.hash


def salvage(read: Read, size: int, cipher: TrackCipher) -> Iterator[Opened]:
    """Every segment that opens and stands after the ones before it, also past damage: for who wants what is left, and says so."""
    steps = _Walk(read, size, cipher)
    at, expected = len(cipher.opening), 0
    while at < size and (found := steps.next(at)) is not None:
        if found.header.number >= expected:
            expected = found.header.number + 1
            yield found
            if found.header.final:
                return
        at = found.offset + found.header.size


def check_track(
    read: Read, size: int, data_key: bytes, file: str, recording: str, track: str, part: int, others: Sequence[TrackCipher] = ()
) -> TrackCheck:
    """Everything that is wrong with one file of ``size`` bytes. ``others``: keys of the recording's other files, to name strays."""
    try:
        cipher = load_header(read, data_key)
    except RecordingKeyError as error:
        return _nothing(Finding(file, -1, What.KEY, error.detail))
    except RecordingFormatError as error:
        torn = _header_torn(read(0, MAX_HEADER_BYTES), data_key)
        detail = "the file ends inside its header: a crash, or cut short since" if torn else error.detail
        return _nothing(Finding(file, -1, What.TORN if torn else What.HEADER, detail))
    header = cipher.header
    if header.recording != recording:
        return _nothing(Finding(file, -1, What.FOREIGN, f"the file is of recording {header.recording}"))
    if (header.track, header.part) != (track, part):
        return _nothing(Finding(file, -1, What.FOREIGN, f"the file is {header.name}"))
    return _Check(read, size, file, cipher, others).run()


def _header_torn(raw: bytes, data_key: bytes) -> bool:
    """The file ends inside its header, which begins as it must. All of it with another length in it is no crash."""
    if len(raw) < HEADER_PREFIX_BYTES:
        return MAGIC.startswith(raw[: len(MAGIC)])
    try:
        if len(raw) >= header_size(raw) or SEGMENT_MAGIC in raw:
            return False
        with_length = (
            raw[: len(MAGIC)] + max(0, len(raw) - HEADER_PREFIX_BYTES - 32).to_bytes(4, "big") + raw[HEADER_PREFIX_BYTES:]
        )
        read_header(with_length, data_key)
    except RecordingFormatError as error:
        return error.code != "not_a_track"
    except RecordingKeyError:
        return True
    return False


def _nothing(finding: Finding) -> TrackCheck:
    return TrackCheck((finding,), None, 0, 0, 0, 0, 0, b"", closed=False)


class _Check:
    def __init__(self, read: Read, size: int, file: str, cipher: TrackCipher, others: Sequence[TrackCipher]) -> None:
        self._read = read
        self._size = size
        self._file = file
        self._cipher = cipher
        self._others = [other for other in others if other.header.name != file]
        self._findings: list[Finding] = []
        self._hashes: dict[int, bytes] = {-1: cipher.start}
        self._lost: set[int] = set()

    def _say(self, segment: int, what: What, detail: str) -> None:
        self._findings.append(Finding(self._file, segment, what, detail))

    def run(self) -> TrackCheck:
        steps = _Walk(self._read, self._size, self._cipher)
        at = whole = len(self._cipher.opening)
        expected = segments = records = first_us = last_us = 0
        head = self._cipher.start
        closed = False
        while at < self._size and not closed:
            found = steps.next(at)
            if found is None:
                break
            in_order = not self._findings and found.offset == at and found.header.number == expected
            self._place(found, at, expected)
            at = found.offset + found.header.size
            header = found.header
            if in_order and not self._findings:
                if not records and header.records:
                    first_us = header.first_us
                last_us = max(last_us, header.last_us)
                segments, records, whole, head = segments + 1, records + header.records, at, found.hash
            if header.number >= expected:
                expected = header.number + 1
                closed = header.final
        self._end(at, expected, closed=closed)
        in_order = not any(f.what not in NOT_TAMPERING for f in self._findings)
        return TrackCheck(
            tuple(self._findings), self._cipher, segments, records, whole, first_us, last_us, head, closed=closed and in_order
        )

    def _place(self, found: Opened, at: int, expected: int) -> None:
        """Say what is wrong with where this one stands."""
        index = found.header.number
        if found.offset > at:
            self._region(at, found.offset, expected, index)
        elif index > expected:
            for number in _few(expected, index):
                self._lost.add(number)
                self._say(
                    number,
                    What.MISSING,
                    f"segments {expected} to {index - 1} are missing" if index - expected > 1 else "it is missing",
                )
        if index < expected:
            if index in self._hashes:
                self._say(index, What.REPEATED, f"it stands again where segment {expected} should")
            else:
                self._say(index, What.MOVED, f"it stands where segment {expected} should")
        elif self._hashes.get(index - 1, found.header.previous) != found.header.previous:
            self._say(index, What.CHANGED, "it does not follow the segment before it")
        self._hashes.setdefault(index, found.hash)

    def _region(self, start: int, end: int, expected: int, index: int) -> None:
        """Bytes that do not open, with segment ``index`` after them."""
        stray = self._stray(start)
        if stray is not None:
            self._say(expected, What.FOREIGN, stray)
        elif index <= expected:
            self._say(expected, What.INSERTED, f"{end - start} bytes before it are no segment of this file")
        if index > expected:
            for number in _few(expected, index):
                self._lost.add(number)
                if stray is None or number > expected:
                    self._say(number, What.CHANGED, f"{end - start} bytes from {start} on do not open")

    def _stray(self, at: int) -> str | None:
        for other in self._others:
            found = open_at(self._read, at, other)
            if found is not None:
                return f"segment {found.header.number} of {other.header.name} stands here"
        return None

    def _end(self, at: int, expected: int, *, closed: bool) -> None:
        rest = self._size - at
        if closed:
            if rest:
                self._say(-1, What.INSERTED, f"{rest} bytes follow the final segment")
            return
        if rest <= 0:
            self._say(expected, What.OPEN, "no final segment: the writer ended, still writes, or the end was cut off")
            return
        stray = self._stray(at)
        if stray is not None:
            self._say(expected, What.FOREIGN, stray)
        elif self._is_torn(at, rest, expected):
            self._say(expected, What.TORN, f"the file ends {rest} bytes into it: a crash, or cut short since")
        elif not self._read(at, min(rest, LOOK_BYTES)).strip(b"\0") and rest <= LOOK_BYTES:
            self._say(expected, What.TORN, f"{rest} zero bytes: a power cut, or overwritten since")
        else:
            self._say(expected, What.CHANGED, f"{rest} bytes from {at} on do not open: changed, or torn by a power cut")

    def _is_torn(self, at: int, rest: int, expected: int) -> bool:
        """The last segment begins as it must and the file ends before it does."""
        raw = self._read(at, SEGMENT_HEAD_BYTES)
        previous = self._hashes.get(expected - 1)
        if previous is None:
            return False
        if len(raw) < SEGMENT_HEAD_BYTES:
            begins = SEGMENT_MAGIC.startswith(raw[:4]) and raw[5:8] == bytes(len(raw[5:8]))
            number = expected.to_bytes(4, "big")
            return begins and raw[4:5] in (b"", b"\0", b"\1") and number.startswith(raw[8:12]) and previous.startswith(raw[36:])
        head = read_segment(raw)
        if head is None or head.number != expected or head.previous != previous or head.size <= rest:
            return False
        # All of it may be here with another length in its header: that is no crash.
        length = rest - SEGMENT_HEAD_BYTES
        if length < TAG_BYTES:
            return True
        restored = raw[:32] + length.to_bytes(4, "big") + raw[36:]
        return (
            open_at(
                lambda offset, size: (restored + self._read(at + SEGMENT_HEAD_BYTES, length))[offset : offset + size],
                0,
                self._cipher,
            )
            is None
        )


def _few(first: int, stop: int) -> range:
    """At most a hundred of them are named one by one."""
    return range(first, min(stop, first + 100))
