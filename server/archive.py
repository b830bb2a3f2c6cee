"""Recordings on disk as reviewers see them. A part of the composition root: it knows the server and ``media``. Everything blocks."""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from media.recording import events, manifest
from media.recording.check import NOT_TAMPERING
from media.recording.errors import RecordingError, RecordingFormatError, RecordingKeyError
from media.recording.play import pages, timeline
from media.recording.records import GapReason
from media.recording.store import KEY_FILE, RecordingStore
from media.recording.verify import verify
from server import recordings
from server.api.bodies_recordings import (
    RecordedEvent,
    RecordedGap,
    RecordedParty,
    RecordedSpan,
    RecordedSpeaking,
    RecordedTrack,
    RecordingFinding,
    RecordingVerified,
)
from server.config import Config
from server.domain.ids import ParticipantId
from server.domain.model import RecordingEnding
from server.errors import ConfigError
from server.services.recording_ports import ArchiveError, Finished, Playing, Receipt, Told

KEPT = 8
"""Time lines that are kept: a player asks for each track of a recording, again at every jump."""
_MS = 1000


class DiskArchive:
    """``server/services/recording_ports.py: Archive``. From any thread."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, timeline.Timeline] = OrderedDict()

    def tell(self, recording: str) -> Told:
        with self._opened() as store:
            found = self._timeline(store, recording)
        speaking = [
            RecordedSpeaking(at_ms=at // _MS, participants=sorted(ParticipantId(one) for one in who))
            for at, who in found.speaking
        ]
        return Told(
            duration_ms=found.duration_us // _MS,
            tracks=[_track(each) for each in found.tracks],
            parties=[
                RecordedParty(
                    participant=ParticipantId(each.participant), name=each.name, role=each.role, there=_spans(each.there)
                )
                for each in found.participants
            ],
            events=[shown for at, event in found.events if (shown := _event(at // _MS, event)) is not None],
            speaking=speaking,
            pauses=_spans(found.pauses),
            damaged=[name for name, _ in found.damaged],
        )

    def play(self, recording: str, track: str, from_ms: int) -> Playing:
        with self._opened() as store:
            found = self._timeline(store, recording)
            opened = timeline.open_media(found, track, store.data_key(recording), from_ms * _MS)
        return Playing(opened.mime, opened.begins_us // _MS, opened.chunks)

    def verify(self, recording: str) -> RecordingVerified:
        with self._opened() as store:
            report = verify(store, recording)
        return RecordingVerified(
            intact=report.intact,
            complete=report.complete,
            files=report.files,
            segments=report.segments,
            bytes=report.size,
            findings=[
                RecordingFinding(
                    file=each.file,
                    segment=each.segment,
                    what=each.what,
                    detail=each.detail,
                    tampering=each.what not in NOT_TAMPERING,
                )
                for each in report.findings
            ],
        )

    def finish(self, recording: str) -> Finished:
        with self._opened() as store:
            ended = recordings.ended(store, recording, int(time.time() * 1e6))
        return Finished(RecordingEnding(ended.ending), ended.size, ended.duration_ms)

    def erase(self, recording: str) -> Receipt:
        try:
            with self._opened(keys=False) as store:
                folder = store.path(recording)
                files = [path for path in folder.iterdir() if path.is_file()]
                sealed = folder / manifest.FILE
                receipt = Receipt(
                    len(files),
                    sum(path.stat().st_size for path in files),
                    hashlib.sha256(sealed.read_bytes()).hexdigest() if sealed.is_file() else "",
                )
                store.erase(recording)
        except ArchiveError as error:
            if error.code != "no_recording":
                raise
            return Receipt(0, 0, "")
        except OSError as error:
            raise ArchiveError("cannot_write", error.strerror or "the disk refused") from None
        finally:
            with self._lock:
                self._kept.pop(recording, None)
        return receipt

    def _timeline(self, store: RecordingStore, recording: str) -> timeline.Timeline:
        """Of one that has ended; what is damaged is left out and named."""
        folder = store.path(recording)
        with self._lock:
            if recording in self._kept:
                self._kept.move_to_end(recording)
                return self._kept[recording]
        found = timeline.timeline(folder, store.data_key(recording), despite_damage=True)
        with self._lock:
            if (folder / KEY_FILE).is_file():  # else it was erased meanwhile
                self._kept[recording] = found
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return found

    @contextmanager
    def _opened(self, *, keys: bool = True) -> Iterator[RecordingStore]:
        """Raises ArchiveError for whatever goes wrong inside."""
        try:
            yield RecordingStore(recordings.folder(self._config), recordings.ring(self._config) if keys else None)
        except (RecordingKeyError, ConfigError) as error:
            raise ArchiveError("no_key", error.detail) from error
        except RecordingFormatError as error:
            raise ArchiveError("damaged", error.detail or error.code) from error
        except RecordingError as error:
            raise ArchiveError(error.code, error.detail or error.code) from error


def _spans(spans: tuple[timeline.Span, ...]) -> list[RecordedSpan]:
    return [RecordedSpan(from_ms=each.from_us // _MS, to_ms=each.to_us // _MS) for each in spans]


def _track(track: timeline.Track) -> RecordedTrack:
    return RecordedTrack(
        track=track.track,
        participant=ParticipantId(track.participant),
        source=track.source,
        mime=pages.MIME if track.kind == pages.KIND else track.mime,
        spans=_spans(track.spans),
        gaps=[
            RecordedGap(
                from_ms=gap.first_us // _MS,
                to_ms=gap.last_us // _MS,
                packets=gap.packets,
                reason=GapReason(gap.reason).name.lower() if gap.reason in set(GapReason) else "unknown",
            )
            for gap in track.gaps
        ],
    )


def _event(at_ms: int, event: events.Event) -> RecordedEvent | None:
    """None for what has a place of its own: who speaks, and what the pages show large."""
    match event:
        case events.Joined():
            return RecordedEvent(at_ms=at_ms, kind="joined", participant=event.participant, text=event.name)
        case events.Left():
            return RecordedEvent(at_ms=at_ms, kind="left", participant=event.participant, text=event.reason)
        case events.Chat():
            return RecordedEvent(at_ms=at_ms, kind="chat", participant=event.participant, text=event.text)
        case events.File():
            return RecordedEvent(at_ms=at_ms, kind="file", participant=event.participant, text=event.name, size=event.size)
        case events.Checkpoint():
            return RecordedEvent(
                at_ms=at_ms,
                kind="checkpoint",
                participant=event.participant,
                text=event.label,
                item=event.key,
                zh=event.zh,
                en=event.en,
                note=event.note,
                on=event.done,
            )
        case events.Screen():
            return RecordedEvent(at_ms=at_ms, kind="screen", participant=event.participant, on=event.on)
        case events.Paused():
            return RecordedEvent(at_ms=at_ms, kind="paused", participant=event.by)
        case events.Resumed():
            return RecordedEvent(at_ms=at_ms, kind="resumed", participant=event.by)
        case events.Consent():
            return RecordedEvent(at_ms=at_ms, kind="consent", participant=event.participant, scope=event.scope, on=event.given)
        case _:
            return None
