"""Recording a session (双录): what staff ask for, and what every page shows of it. Part of ``messages.py``."""

from datetime import datetime
from enum import StrEnum

import msgspec

from server.domain.ids import ParticipantId, RecordingId
from server.signalling.base import AnyId, Body, ShortText


class RecordingWanted(StrEnum):
    """What staff ask for."""

    ON = "on"
    PAUSED = "paused"
    OFF = "off"


class RecordingStatus(StrEnum):
    """What is: ``asking`` for consents; ``on``, ``paused``, ``failed`` show a light."""

    OFF = "off"
    ASKING = "asking"
    ON = "on"
    PAUSED = "paused"
    FAILED = "failed"


class RecordingProblem(StrEnum):
    """Why it failed. The call goes on."""

    RECORDER = "recorder"  # it is not there; it goes on by itself when it is
    DISK = "disk"  # full, or it refused: ask for it again
    RELAY = "relay"  # the media relay does not answer; it goes on by itself
    STORE = "store"  # it could not be written down: ask for it again


class RecordingSet(Body, frozen=True, kw_only=True, tag="recording.set"):
    """Record, pause, or end the recording. It begins when customer and agent have consented. Needs ``recording.control``."""

    state: RecordingWanted


class CheckpointMark(Body, frozen=True, kw_only=True, tag="checkpoint.mark"):
    """An item of the checklist is done, or is not after all. ``note`` is kept in the recording alone; with ``item`` "" it is a note
    by itself. Needs ``recording.control``.
    """

    item: AnyId
    done: bool
    note: ShortText = ""


class ChecklistItem(msgspec.Struct, frozen=True, kw_only=True):
    """``done_at`` and ``by`` are null until it is done."""

    item: str
    zh: str
    en: str
    done_at: datetime | None = None
    by: ParticipantId | None = None


class RecordingChanged(Body, frozen=True, kw_only=True, tag="recording"):
    """The whole state, every time.

    ``recorded``: whose voices and pictures are being written now. ``missing``: who is to be asked for consent (scope ``recording``),
    whatever the state but ``off``. ``checklist``: empty for those without the grant ``recording.control``. ``problem``: of ``failed``.
    ``available``: whether this server records at all. ``retention_days``: how long it is kept; 0 until somebody erases it.
    """

    state: RecordingStatus = RecordingStatus.OFF
    id: RecordingId | None = None
    started_at: datetime | None = None
    recorded: list[ParticipantId] = msgspec.field(default_factory=list)
    missing: list[ParticipantId] = msgspec.field(default_factory=list)
    checklist: list[ChecklistItem] = msgspec.field(default_factory=list)
    problem: RecordingProblem | None = None
    available: bool = False
    retention_days: int = 0
