"""What the interface says of recordings. Times inside a recording are milliseconds since its beginning."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec

from server.api.bodies import Answer, Request
from server.domain.ids import ParticipantId, RecordingId, SessionId
from server.domain.model import Language


class RecordingStanding(StrEnum):
    """``open``: it is being recorded now. ``interrupted``: a crash ended it; what was written is whole."""

    OPEN = "open"
    COMPLETE = "complete"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    ERASED = "erased"


class RecordedPerson(Answer, frozen=True, kw_only=True):
    participant: ParticipantId
    name: str
    role: str


class RecordingView(Answer, frozen=True, kw_only=True):
    """``participants``: whoever was recorded at some time. ``erase_reason``: what the reviewer wrote, or ``retention``."""

    id: RecordingId
    session: SessionId
    customer_name: str
    standing: RecordingStanding
    started_at: datetime
    started_by: str
    ended_at: datetime | None
    erased_at: datetime | None
    erase_reason: str
    bytes: int
    duration_ms: int
    participants: list[RecordedPerson]
    checkpoints: list[str]


class RecordingsPage(Answer, frozen=True, kw_only=True):
    """Newest first. ``next``: the cursor of the following page, or null."""

    recordings: list[RecordingView]
    next: str | None


class RecordedSpan(Answer, frozen=True, kw_only=True):
    from_ms: int
    to_ms: int


class RecordedGap(Answer, frozen=True, kw_only=True):
    """``packets`` 0: not known how many. ``reason``: ``overflow``, ``recorder_lost``, ``worker_lost``, ``disk``."""

    from_ms: int
    to_ms: int
    packets: int
    reason: str


class RecordedTrack(Answer, frozen=True, kw_only=True):
    """``mime``: what ``MediaSource.isTypeSupported`` is asked; "" where no browser plays it. ``spans``: when there is something in it."""

    track: str
    participant: ParticipantId
    source: str
    mime: str
    spans: list[RecordedSpan]
    gaps: list[RecordedGap]


class RecordedParty(Answer, frozen=True, kw_only=True):
    """Somebody of whom there is a track. ``there``: when they were in the session."""

    participant: ParticipantId
    name: str
    role: str
    there: list[RecordedSpan]


class RecordedEvent(Answer, frozen=True, kw_only=True):
    """``kind``: ``joined``, ``left``, ``chat``, ``file``, ``checkpoint``, ``screen``, ``paused``, ``resumed``, ``consent``.

    ``text``: of a chat line, the label of a checkpoint, the name of a file, the reason of leaving. ``item`` and ``note``: of a checkpoint;
    ``zh`` and ``en``: its label in each language, "" in older recordings.
    ``scope``: of a consent. ``on``: done, shown, given. ``size``: of a file, in bytes.
    """

    at_ms: int
    kind: str
    participant: str
    text: str = ""
    item: str = ""
    zh: str = ""
    en: str = ""
    note: str = ""
    scope: str = ""
    on: bool = True
    size: int = 0


class RecordedSpeaking(Answer, frozen=True, kw_only=True):
    """Who is heard from here on."""

    at_ms: int
    participants: list[ParticipantId]


class RecordingDetail(Answer, frozen=True, kw_only=True):
    """``damaged``: files of it that cannot be read: verify it."""

    recording: RecordingView
    duration_ms: int
    tracks: list[RecordedTrack]
    parties: list[RecordedParty]
    events: list[RecordedEvent]
    speaking: list[RecordedSpeaking]
    pauses: list[RecordedSpan]
    damaged: list[str]


class RecordingFinding(Answer, frozen=True, kw_only=True):
    """``segment`` -1: the file as a whole. ``tampering``: not what a crash leaves behind."""

    file: str
    segment: int
    what: str
    detail: str
    tampering: bool


class RecordingVerified(Answer, frozen=True, kw_only=True):
    """``intact``: nothing was changed, is missing or foreign. ``complete``: and nothing at all was found."""

    intact: bool
    complete: bool
    files: int
    segments: int
    bytes: int
    findings: list[RecordingFinding]


class EraseRecording(Request, frozen=True, kw_only=True):
    """``reason`` is kept beside the record of the recording."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class ExportFormat(StrEnum):
    """WebM with VP9 and Opus, MP4 with H.264 and AAC."""

    WEBM = "webm"
    MP4 = "mp4"


class StartExport(Request, frozen=True, kw_only=True):
    """``language``: of what was ticked off, in the film and its chapters; null: the session's."""

    format: ExportFormat = ExportFormat.WEBM
    language: Language | None = None


class ExportState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ExportFault(StrEnum):
    """Why an export failed. ``damaged``: it is not as it was recorded. ``empty``: no voice and no picture are in it."""

    DAMAGED = "damaged"
    EMPTY = "empty"
    NO_SPACE = "no_space"
    TOO_LONG = "too_long"
    OTHER = "other"


class RecordingExport(Answer, frozen=True, kw_only=True):
    """``progress``: 0 to 1. ``fault``: why it failed, null where it did not; ``problem``: the same in a sentence. ``sha256`` and ``bytes``: of the file, which is there until ``expires_at``."""

    id: str
    recording: RecordingId
    format: ExportFormat
    state: ExportState
    progress: float
    fault: ExportFault | None
    problem: str
    bytes: int
    sha256: str
    expires_at: datetime | None
