"""What happened in a recording, on one time line, and its tracks as a player wants them. SHELL: blocks on the disk.

Times are microseconds since the recording's zero. ``timeline`` reads the index of each track and the whole track of events;
``open_media`` opens one track for a browser.
"""

import contextlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from media.recording import events
from media.recording.check import What, check_track, salvage
from media.recording.errors import RecordingError, RecordingFormatError, RecordingStoreError
from media.recording.events import Event
from media.recording.files import TrackReader, by_track, part_of, track_records
from media.recording.format import SEGMENT_HEAD_BYTES, TrackHeader, read_segment
from media.recording.index import SHOWN, Entry, KeyFrame, Reported, TrackIndex
from media.recording.play import pages
from media.recording.play.clock import SenderClock, TrackClock
from media.recording.play.remux import LEAD_US, WebmStream, mime
from media.recording.records import Gap, Kind, Record, unpack

HOLE_US = 1_000_000
"""A track in which nothing is written for so long holds nothing for that long."""
MAX_EVENTS = 500_000


class Span(NamedTuple):
    from_us: int
    to_us: int


class Track(NamedTuple):
    """``spans``: when there is something in it, to about half a second; of a page, when it was shown. ``mime``: "" for what no browser plays. ``paths``: its parts."""

    track: str
    participant: str
    source: str
    kind: str
    codec: str
    mime: str
    spans: tuple[Span, ...]
    gaps: tuple[Gap, ...]
    paths: tuple[Path, ...]
    header: TrackHeader
    reports: tuple[Reported, ...]

    @property
    def first_us(self) -> int:
        return self.spans[0].from_us

    @property
    def last_us(self) -> int:
        return self.spans[-1].to_us


class Party(NamedTuple):
    """Somebody of whom there is a track. ``name``, ``role``: as they were told last, "" where nothing says. ``there``: when they were in."""

    participant: str
    name: str
    role: str
    there: tuple[Span, ...]


class Happened(NamedTuple):
    time_us: int
    event: Event


class Timeline(NamedTuple):
    """``zero_wall_us``: Unix time of nought. ``participants``: in the order in which they came. ``speaking``: who is heard from then on.

    ``damaged``: files that could not be read, with the reason.
    """

    recording: str
    zero_wall_us: int
    duration_us: int
    tracks: tuple[Track, ...]
    participants: tuple[Party, ...]
    events: tuple[Happened, ...]
    speaking: tuple[tuple[int, frozenset[str]], ...]
    pauses: tuple[Span, ...]
    damaged: tuple[tuple[str, str], ...]

    def track(self, name: str) -> Track:
        """Raises RecordingStoreError(``no_track``)."""
        for each in self.tracks:
            if each.track == name:
                return each
        raise RecordingStoreError("no_track", f"{self.recording} has no track {name}")

    def clock(self, track: Track) -> TrackClock:
        """Of one track. The reports of all tracks that its participant had at the same time tell how their clock stands: who comes back may
        come with another device."""
        together = {track.track: track}
        rest = [each for each in self.tracks if each.participant == track.participant]
        while found := [
            each
            for each in rest
            if each.track not in together
            and any(each.first_us < other.last_us and other.first_us < each.last_us for other in together.values())
        ]:
            together.update((each.track, each) for each in found)
        reports = [report for each in together.values() for report in each.reports]
        return TrackClock(track.header.clock_rate, track.reports, SenderClock(reports))


def timeline(folder: Path, data_key: bytes, *, despite_damage: bool = False) -> Timeline:
    """Of the recording in ``folder``. Raises RecordingError where a file cannot be read, unless ``despite_damage``: such a file is left out then."""
    damaged: list[tuple[str, str]] = []
    tracks: list[Track] = []
    happened: list[Happened] = []
    pauses: list[tuple[int, bool]] = []
    keys: dict[str, list[KeyFrame]] = {}  # of pages
    zero_wall_us = 0
    for paths in by_track(sorted(folder.iterdir())).values():
        good: list[tuple[Path, TrackHeader, TrackIndex]] = []
        for path in paths:
            try:
                with TrackReader(path, data_key) as reader:
                    index = reader.index()
                    if despite_damage and not _whole(reader, index):
                        index = _salvaged(reader)
                    good.append((path, reader.header, index))
            except RecordingError as error:
                if not despite_damage and not _torn_header(path, data_key):
                    raise
                damaged.append((path.name, error.detail or error.code))
        if not good:
            continue
        header = good[0][1]
        zero_wall_us = max(zero_wall_us, header.zero_wall_us)  # a media worker does not know it
        if header.kind == "events":
            for record in read_track([path for path, _, _ in good], data_key, despite_damage=despite_damage):
                _note(record, happened, pauses)
            continue
        entries = [entry for _, _, index in good for entry in index.entries if entry.records]
        if entries:
            tracks.append(_track(header, tuple(path for path, _, _ in good), [index for _, _, index in good], _spans(entries)))
            if header.kind == pages.KIND:
                keys[header.track] = [key for _, _, index in good for key in index.key_frames]
    happened.sort(key=lambda each: each.time_us)
    duration = max(
        [track.last_us for track in tracks] + [each.time_us for each in happened] + [at for at, _ in pauses], default=0
    )
    tracks = [each if each.track not in keys else _page(each, keys[each.track], duration) for each in tracks]
    tracks = [each for each in tracks if each.spans]  # a page of which no picture came
    tracks.sort(key=lambda each: (each.first_us, each.track))
    return Timeline(
        folder.name,
        zero_wall_us,
        duration,
        tuple(tracks),
        _parties(tracks, happened, duration),
        tuple(happened),
        tuple(
            (each.time_us, frozenset(each.event.participants)) for each in happened if isinstance(each.event, events.Speaking)
        ),
        _pauses(pauses, duration),
        tuple(damaged),
    )


def _torn_header(path: Path, data_key: bytes) -> bool:
    """A crash while the file was begun: there is nothing in it."""
    raw = path.read_bytes() if path.stat().st_size < 1 << 16 else b""
    checked = check_track(lambda at, size: raw[at : at + size], len(raw), data_key, path.name, path.parent.name, *part_of(path))
    return (
        checked.cipher is None and bool(raw or not path.stat().st_size) and all(f.what is What.TORN for f in checked.findings)
    )


def _whole(reader: TrackReader, index: TrackIndex) -> bool:
    """The index reaches the end of the file."""
    last = index.entries[-1].offset if index.entries else -1
    head = read_segment(reader.read(last, SEGMENT_HEAD_BYTES)) if index.entries else None
    return head is not None and last + head.size == reader.size


def _salvaged(reader: TrackReader) -> TrackIndex:
    index = TrackIndex.of(reader.header)
    for found in salvage(reader.read, reader.size, reader.cipher):
        with contextlib.suppress(RecordingFormatError):
            index.scan(found.plain)
            index.add(found.header, found.offset)
    return index


def read_track(paths: Sequence[Path], data_key: bytes, *, despite_damage: bool = False) -> Iterator[Record]:
    """As ``track_records``; ``despite_damage`` goes on after segments that do not open."""
    if not despite_damage:
        yield from track_records(paths, data_key)
        return
    for path in paths:
        with TrackReader(path, data_key) as reader:
            for found in salvage(reader.read, reader.size, reader.cipher):
                yield from unpack(found.plain)


def _note(record: Record, happened: list[Happened], pauses: list[tuple[int, bool]]) -> None:
    if record.kind == Kind.EVENT and len(happened) < MAX_EVENTS:
        with contextlib.suppress(RecordingFormatError):
            event = events.decode(record.payload)
            if event is not None:
                happened.append(Happened(record.time_us, event))
            if isinstance(event, events.Paused | events.Resumed):
                pauses.append((record.time_us, isinstance(event, events.Paused)))
    elif record.kind in (Kind.PAUSE, Kind.RESUME):
        pauses.append((record.time_us, record.kind == Kind.PAUSE))


def _track(header: TrackHeader, paths: tuple[Path, ...], indexes: list[TrackIndex], spans: tuple[Span, ...]) -> Track:
    try:
        kind = mime(header)
    except RecordingError:
        kind = ""
    return Track(
        header.track,
        header.participant,
        header.source,
        header.kind,
        header.codec,
        kind,
        spans,
        tuple(gap for index in indexes for gap in index.gaps),
        paths,
        header,
        tuple(report for index in indexes for report in index.reports),
    )


def _page(track: Track, keys: Sequence[KeyFrame], duration: int) -> Track:
    return track._replace(spans=tuple(Span(*each) for each in pages.shown(keys, duration)))


def _spans(entries: Sequence[Entry]) -> tuple[Span, ...]:
    """Of at least one segment."""
    spans: list[Span] = []
    for entry in sorted(entries, key=lambda each: each.first_us):
        if spans and entry.first_us - spans[-1].to_us <= HOLE_US:
            spans[-1] = Span(spans[-1].from_us, max(spans[-1].to_us, entry.last_us))
        else:
            spans.append(Span(entry.first_us, entry.last_us))
    return tuple(spans)


def _pauses(told: list[tuple[int, bool]], duration: int) -> tuple[Span, ...]:
    spans: list[Span] = []
    since: int | None = None
    for at, paused in sorted(told):
        if paused and since is None:
            since = at
        elif not paused and since is not None:
            spans.append(Span(since, at))
            since = None
    if since is not None:
        spans.append(Span(since, duration))
    return tuple(spans)


def _parties(tracks: list[Track], happened: list[Happened], duration: int) -> tuple[Party, ...]:
    """Those of whom there are tracks, in the order in which they joined or were first recorded."""
    names: dict[str, tuple[str, str]] = {}
    since: dict[str, int] = {}
    there: dict[str, list[Span]] = defaultdict(list)
    first: dict[str, int] = {}
    for at, event in happened:
        if isinstance(event, events.Joined):
            names[event.participant] = (event.name, event.role)
            since.setdefault(event.participant, at)
            first.setdefault(event.participant, at)
        elif isinstance(event, events.Left) and event.participant in since:
            there[event.participant].append(Span(since.pop(event.participant), at))
    for who, at in since.items():
        there[who].append(Span(at, duration))
    for track in tracks:
        first.setdefault(track.participant, track.first_us)
        if track.participant not in names:
            there[track.participant].append(Span(track.first_us, track.last_us))
    recorded = sorted({track.participant for track in tracks}, key=lambda who: (first[who], who))
    return tuple(Party(who, *names.get(who, ("", "")), tuple(sorted(there[who]))) for who in recorded)


class Media(NamedTuple):
    """``chunks``: the bytes, in order; closing it closes the files. ``begins_us``: about when its first picture or voice is."""

    mime: str
    begins_us: int
    chunks: Iterator[bytes]


def open_media(found: Timeline, track: str, data_key: bytes, from_us: int = 0) -> Media:
    """One track for a browser (of a page: lines of JSON), from the last key frame before ``from_us`` on. Raises RecordingError(``no_track``, ``cannot_play``).

    Each ``next`` of ``chunks`` blocks on the disk for about a second of media: take it in a thread.
    """
    wanted = found.track(track)
    if wanted.kind == pages.KIND:
        begins, records = _from(wanted, data_key, max(0, from_us))
        return Media(pages.MIME, max(begins, wanted.first_us), _closing(pages.written(records), records))
    if not wanted.mime:
        raise RecordingError("cannot_play", f"{track} is {wanted.codec}")
    begins, records = _from(wanted, data_key, max(0, from_us))
    stream = WebmStream(wanted.header, records, found.clock(wanted), max(0, from_us))
    return Media(wanted.mime, max(begins, wanted.first_us), _closing(stream, records))


def _closing(stream: Iterable[bytes], records: Iterator[Record]) -> Iterator[bytes]:
    try:
        yield from stream
    finally:
        records.close()  # type: ignore[attr-defined]


def _from(track: Track, data_key: bytes, from_us: int) -> tuple[int, Iterator[Record]]:
    """Where to begin so that ``from_us`` can be shown, and the records from there on."""
    place = (0, 0, 0)  # part, segment, time
    if from_us > track.first_us:
        for number, path in enumerate(track.paths):
            with TrackReader(path, data_key) as reader:
                index = reader.index()
            if not index.entries or index.entries[0].first_us > from_us:
                break
            if track.kind == "audio":
                at = max(0, from_us - LEAD_US - HOLE_US)
                place = (number, index.segment_at(at), at)
                continue
            keys = [
                key for key in index.key_frames if key.time_us <= from_us and (key.layer == SHOWN or track.kind != pages.KIND)
            ]
            if keys:
                place = (number, keys[-1].segment, keys[-1].time_us)
    return place[2], _records(track.paths, data_key, *place)


def _records(paths: Sequence[Path], data_key: bytes, part: int, segment: int, from_us: int) -> Iterator[Record]:
    """As ``track_records``, without reading what lies before the segment."""
    if part:
        paths = paths[part:]
    if not segment:
        yield from track_records(paths, data_key, from_us)
        return
    last_us = -1
    with TrackReader(paths[0], data_key) as reader:
        for entry in reader.index().entries[segment:]:
            for record in unpack(reader.segment(entry.offset).plain):
                if record.time_us >= from_us:
                    last_us = max(last_us, record.time_us)
                    yield record
    yield from (record for record in track_records(paths[1:], data_key) if record.time_us > last_us or record.kind != Kind.RTP)
