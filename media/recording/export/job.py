"""The export of a recording. SHELL: reads it, decodes, encodes and writes; takes minutes of processor time.

Everything is streamed: in memory are a picture and a second of voice of each track, whatever the recording's length. Run it in a
process of its own (``tongping recordings export`` is one).
"""

import contextlib
import hashlib
import os
import platform
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.metadata import version
from itertools import starmap
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np

from media.recording.check import NOT_TAMPERING
from media.recording.errors import RecordingError, RecordingStoreError
from media.recording.events import Checkpoint
from media.recording.export.layout import Mode
from media.recording.export.lettering import Lettering, find_font
from media.recording.export.notes import SCHEMA, Language, chapters, encode, in_language, subtitles
from media.recording.export.sound import LOUD, RATE, Limiter, Samples, Voice, loudness
from media.recording.export.stage import Stage
from media.recording.export.writer import CODECS, Format, Writer, check_format
from media.recording.manifest import FILE as MANIFEST_FILE
from media.recording.play import pages
from media.recording.play.pieces import Blank, Piece, Pieces
from media.recording.play.timeline import Happened, Timeline, Track, read_track, timeline
from media.recording.store import RecordingStore, describe
from media.recording.verify import Report, verify

Progress = Callable[[int, int], None]
"""(µs done, µs in all), about once a second of the recording. What it raises ends the export, and nothing is left of it."""

MAX_SIZE = (3840, 2160)
RATES = (10, 12, 15, 20, 24, 25, 30)
TAIL_US = 200_000
"""The last voice and picture are heard and seen to their end."""


class Exported(NamedTuple):
    """``files``: the film, its manifest, and words where there are any. ``manifest``: as in the JSON."""

    files: tuple[Path, ...]
    manifest: dict[str, Any]


def export(
    store: RecordingStore,
    recording: str,
    target: Path,
    *,
    progress: Progress | None = None,
    layout: Mode = "auto",
    size: tuple[int, int] = (1280, 720),
    fps: int = 15,
    format: Format = "webm",
    lettering: Lettering | None = None,
    despite_damage: bool = False,
    language: Language | None = None,
) -> Exported:
    """Write ``target``, ``<target>.json`` (hashes), where there was chat or a checkpoint ``<target>.vtt``, and of each page that was shared
    ``<target>.<track>.jsonl``.
    ``language``: of what was ticked off; the session's otherwise.

    The same recording and the same tools give the same bytes. Raises RecordingError: ``no_recording``, ``in_use`` (it is still being
    written), ``exists``, ``bad_size``, ``no_encoder``, ``damaged`` (unless ``despite_damage``: then what can be read is exported, and the
    manifest says what could not), ``empty``, ``cannot_write``.
    """
    if fps not in RATES or any(length % 2 or not 160 <= length <= most for length, most in zip(size, MAX_SIZE, strict=True)):
        raise RecordingError(
            "bad_size", f"{size[0]}x{size[1]} at {fps}: even, 160 to {MAX_SIZE[0]}x{MAX_SIZE[1]}, at one of {RATES}"
        )
    check_format(format)
    beside = [target.with_name(target.name + end) for end in (".json", ".vtt")]
    for path in (target, *beside):
        if path.exists():
            raise RecordingError("exists", f"{path} is there already")
    if store.in_use(recording):
        raise RecordingStoreError("in_use", f"the recording {recording} is being written")
    lettering = lettering or Lettering(find_font())
    report = verify(store, recording)
    if not report.intact and not despite_damage:
        first = next(finding for finding in report.findings if finding.what not in NOT_TAMPERING)
        where = f"{first.file}, segment {first.segment}" if first.segment >= 0 else first.file
        raise RecordingError("damaged", f"{recording} is not as it was recorded: {where}: {first.what}: {first.detail}")
    data_key = store.data_key(recording)
    found = timeline(store.path(recording), data_key, despite_damage=despite_damage and not report.intact)
    if not any(track.mime for track in found.tracks):
        raise RecordingError("empty", f"{recording} has no voice and no picture")
    if language is not None:
        found = found._replace(events=tuple(starmap(Happened, in_language(found.events, language))))
    shared = [track for track in found.tracks if track.kind == pages.KIND]
    kept = {track.track: target.with_name(f"{target.name}.{track.track}.jsonl") for track in shared}
    for path in kept.values():
        if path.exists():
            raise RecordingError("exists", f"{path} is there already")
    beside += kept.values()
    job = _Job(found, data_key, lettering, layout, size, fps, damaged=despite_damage and not report.intact)
    marks = chapters(found.events, found.duration_us)
    parts = contextlib.ExitStack()
    writer = Writer(target, format, size, fps, marks, recording)
    try:
        job.run(writer, progress)
        length, digest = writer.close()
        names = {party.participant: party.name or job.stage.labels[party.participant] for party in found.participants}
        words = subtitles(found.events, names, job.length_us).encode()
        told = {
            track.track: parts.enter_context(
                _written(kept[track.track], pages.written(read_track(track.paths, data_key, despite_damage=despite_damage)))
            )
            for track in shared
        }
        made: dict[str, Any] = {
            "schema": SCHEMA,
            "recording": recording,
            "file": target.name,
            "sha256": digest,
            "bytes": length,
            "duration_ms": job.length_us // 1000,
            "started_wall_us": found.zero_wall_us,
            "format": format,
            "video": {"codec": CODECS[format].video, "width": size[0], "height": size[1], "fps": fps, "layout": layout},
            "audio": {"codec": CODECS[format].audio, "rate": RATE, "channels": 1},
            "source": _source(store, recording, data_key, report),
            "damage": {
                "exported_despite": despite_damage and not report.intact,
                "findings": [finding._asdict() for finding in report.findings],
                "unread": [{"file": name, "reason": reason} for name, reason in found.damaged],
                "pictures_not_decoded": job.stage.failed,
                "pictures_dropped": job.dropped,
            },
            "participants": [
                {
                    "participant": party.participant,
                    "role": party.role,
                    "name": party.name,
                    "label": job.stage.labels[party.participant],
                }
                for party in found.participants
            ],
            "pages": [
                {
                    "track": track.track,
                    "participant": track.participant,
                    "file": kept[track.track].name,
                    "bytes": told[track.track].size,
                    "sha256": told[track.track].sha256,
                }
                for track in shared
            ],
            "not_exported": [track.track for track in found.tracks if not track.mime and track not in shared],
            "pauses": [span._asdict() for span in found.pauses],
            "gaps": [{"track": track.track, **gap._asdict()} for track in found.tracks for gap in track.gaps],
            "checkpoints": [
                {
                    "time_us": at,
                    "key": event.key,
                    "label": event.label,
                    "participant": event.participant,
                    "done": event.done,
                    "note": event.note,
                }
                for at, event in found.events
                if isinstance(event, Checkpoint)
            ],
            "tools": _tools(lettering),
        }
        files = [target]
        for track in shared:
            told[track.track].publish()
            files.append(kept[track.track])
        with _written(beside[0], [encode(made)]) as manifest_part, _written(beside[1], [words]) as words_part:
            if words:
                words_part.publish()
                files.append(beside[1])
            manifest_part.publish()
            writer.publish()
        return Exported((*files, beside[0]), made)
    except BaseException:
        writer.abandon()
        for path in beside:
            path.unlink(missing_ok=True)
        raise
    finally:
        parts.close()


class _Job:
    """One run from nought to the end."""

    def __init__(
        self,
        found: Timeline,
        data_key: bytes,
        lettering: Lettering,
        layout: Mode,
        size: tuple[int, int],
        fps: int,
        *,
        damaged: bool,
    ) -> None:
        self._found = found
        self._data_key = data_key
        self._damaged = damaged
        self._fps = fps
        self._reading: list[Pieces] = []
        self.stage = Stage(found, self._pieces, size, layout, lettering)
        self._voices = sorted(
            (track for track in found.tracks if track.kind == "audio" and track.mime), key=lambda t: t.first_us
        )
        self._open: list[tuple[Track, Voice]] = []
        self._ticks = max(1, -(-(found.duration_us + TAIL_US) * fps // 1_000_000))
        self.length_us = self._ticks * 1_000_000 // fps

    @property
    def dropped(self) -> int:
        """Pictures left out because something before them was lost."""
        return sum(pieces.dropped for pieces in self._reading)

    def _pieces(self, track: Track) -> Iterator[Piece | Blank]:
        pieces = Pieces(track.header, self._found.clock(track))
        self._reading.append(pieces)
        return pieces.read(read_track(track.paths, self._data_key, despite_damage=self._damaged))

    def run(self, writer: Writer, progress: Progress | None) -> None:
        block = RATE // self._fps
        limiter = Limiter()
        for tick in range(self._ticks):
            mixed, heard = self._mix(tick * block, block)
            ready = limiter.push(mixed)
            if ready is not None:
                writer.sound(ready, (tick - 1) * block)
            # The picture that is nearest to the tick, before or after it: half a tick at most is what lips and voice are apart.
            at_us = (2 * tick + 1) * 500_000 // self._fps
            if self.stage.draw(at_us, heard) or tick == self._ticks - 1:
                writer.picture(self.stage.canvas.video_frame(), tick)
            if progress is not None and tick % self._fps == 0:
                progress(tick * 1_000_000 // self._fps, self.length_us)
        last = limiter.end()
        if last is not None:
            writer.sound(last, (self._ticks - 1) * block)
        if progress is not None:
            progress(self.length_us, self.length_us)

    def _mix(self, start: int, count: int) -> tuple[Samples, list[str]]:
        """The sum of all voices, and who is heard in it."""
        at_us = start * 125 // 6
        while self._voices and self._voices[0].first_us - 1_000_000 <= at_us:
            track = self._voices.pop(0)
            self._open.append((track, Voice(self._pieces(track))))
        mixed = np.zeros(count, np.float32)
        heard = []
        for track, voice in list(self._open):
            samples = voice.take(start, count)
            if samples is not None:
                mixed += samples
                if loudness(samples) > LOUD:
                    heard.append(track.participant)
            elif voice.over:
                self._open.remove((track, voice))
        return mixed, heard


def _source(store: RecordingStore, recording: str, data_key: bytes, report: Report) -> dict[str, Any]:
    """What the export was made of: every track file with its hash as it is now, and the recording's own manifest."""
    path = store.path(recording) / MANIFEST_FILE
    return {
        "ending": report.ending,
        "intact": report.intact,
        "complete": report.complete,
        "manifest_sha256": hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "",
        "files": [
            {
                "file": part.file,
                "track": part.track,
                "participant": part.participant,
                "source": part.source,
                "bytes": part.size,
                "sha256": part.sha256,
            }
            for part in (describe(each, data_key, recording) for each in store.parts(recording))
        ],
    }


def _tools(lettering: Lettering) -> dict[str, Any]:
    libraries = {name: ".".join(map(str, found)) for name, found in av.library_versions.items()}
    return {
        "tongping": version("tongping"),
        "python": platform.python_version(),
        "av": version("av"),
        "numpy": version("numpy"),
        "pillow": version("pillow"),
        "libraries": libraries,
        "font": lettering.named(),
    }


class _Part(NamedTuple):
    size: int
    sha256: str
    publish: Callable[[], None]


def _publish(temporary: Path, path: Path) -> None:
    try:
        temporary.replace(path)
    except OSError as error:
        raise RecordingError("cannot_write", f"{path}: {error.strerror}") from None


@contextlib.contextmanager
def _written(path: Path, pieces: Iterable[bytes]) -> Iterator[_Part]:
    """A file under another name, written as it comes."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(fd, "wb") as file:
            digest = hashlib.sha256()
            for piece in pieces:
                digest.update(piece)
                file.write(piece)
            size = file.tell()
            file.flush()
            os.fsync(file.fileno())
        yield _Part(size, digest.hexdigest(), partial(_publish, temporary, path))
    except OSError as error:
        raise RecordingError("cannot_write", f"{path}: {error.strerror}") from None
    finally:
        temporary.unlink(missing_ok=True)
