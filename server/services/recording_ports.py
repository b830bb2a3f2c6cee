"""What reviewing recordings needs of the disk. Bound in ``server/archive.py``; everything here blocks, and is called in threads."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from server.api.bodies_recordings import (
    RecordedEvent,
    RecordedParty,
    RecordedSpan,
    RecordedSpeaking,
    RecordedTrack,
    RecordingVerified,
)
from server.domain.model import RecordingEnding


class ArchiveError(Exception):
    """``code``: ``no_recording``, ``no_track``, ``cannot_play``, ``in_use``, ``no_key``, else it cannot be read; ``detail`` is safe to show."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Told:
    """What happened in a recording, on its time line."""

    duration_ms: int
    tracks: list[RecordedTrack]
    parties: list[RecordedParty]
    events: list[RecordedEvent]
    speaking: list[RecordedSpeaking]
    pauses: list[RecordedSpan]
    damaged: list[str]


@dataclass(frozen=True, slots=True)
class Playing:
    """One track for a browser. Closing ``chunks`` closes the files."""

    mime: str
    begins_ms: int
    chunks: Iterator[bytes]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was erased. ``manifest``: SHA-256 of the manifest in hex, "" where there was none."""

    files: int
    size: int
    manifest: str


@dataclass(frozen=True, slots=True)
class Finished:
    """How one ended that nobody writes any more, as its files have it."""

    ending: RecordingEnding
    size: int
    duration_ms: int


class Archive(Protocol):
    """All raise ArchiveError. A recording and a track are looked up by name: no name is made into a path unchecked."""

    def tell(self, recording: str) -> Told: ...
    def play(self, recording: str, track: str, from_ms: int) -> Playing: ...
    def verify(self, recording: str) -> RecordingVerified: ...
    def finish(self, recording: str) -> Finished:
        """Of one that was left without an end: it gets its manifest."""
        ...

    def erase(self, recording: str) -> Receipt:
        """Its key first, then the files. Of one that is gone already an empty receipt."""
        ...
