"""What the server and the recorder process say to each other, in frames of ``media.control``. S.

The recorder is started as ``python -m media.recording.process --control-fd N`` and exits when that socket closes. ``Configure``
comes first, once, and is answered by ``Ready``; every other command carries a ``request`` number and is answered exactly once, by
the reply named in its docstring or by ``Failed``.
"""

import msgspec

from media.control import Message, decode
from media.recording.manifest import Ending

# ---- to the recorder


class Begun(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A recording that a recorder before this one had begun."""

    recording: str
    zero_wall_us: int
    zero_mono_us: int
    paused: bool = False


class Configure(Message, frozen=True):
    """``folder``: of all recordings. ``socket``: path of the Unix socket that media workers write to (made mode 0600; its folder keeps
    others out). ``master_key``: keys in base64, which stand in no environment; where it is empty, ``master_key_file``. ``resume``: recordings under way.

    ``max_pending_bytes``: records that wait for the disk; beyond it nothing is read from the workers, until half is written. Beyond
    twice as much events are refused (``recorder_busy``): whoever has them keeps them, and tries again.
    ``flush_s``: a segment is written when its first record is so old; ``sync_s``: how often what was written is made to last.
    """

    folder: str
    socket: str
    master_key_file: str = ""
    master_key: str = ""
    resume: tuple[Begun, ...] = ()
    max_pending_bytes: int = 64 << 20
    max_recordings: int = 200
    flush_s: float = 0.4
    sync_s: float = 0.8
    heartbeat_interval_s: float = 1.0

    def __post_init__(self) -> None:
        if not 0.01 <= self.flush_s <= 10 or not 0.01 <= self.sync_s <= 60 or not 0.01 <= self.heartbeat_interval_s <= 60:
            raise ValueError("flush_s is 0.01 to 10 s, sync_s and the heartbeat 0.01 to 60 s")
        if self.max_pending_bytes < 1 << 20 or self.max_recordings < 1:
            raise ValueError("at least 1 MiB may wait for the disk, and there is room for one recording")


class StartRecording(Message, frozen=True):
    """A new recording with its key and its events track: ``Done``. The zero of times is the caller's, in microseconds."""

    request: int
    recording: str
    zero_wall_us: int
    zero_mono_us: int


class AddEvent(Message, frozen=True):
    """``event``: JSON of ``media.recording.events``; ``mono_us``: when it was, 0 for now. ``Done``."""

    request: int
    recording: str
    event: bytes
    mono_us: int = 0


class AddPage(Message, frozen=True):
    """``line``: JSON of a shared page for the track ``track``, which begins with its first; ``flags``: ``BEGINS`` and ``BLANK`` of ``media.recording.pages``.
    While the recording is paused it is thrown away. ``Done``."""

    request: int
    recording: str
    track: str
    participant: str
    line: bytes
    flags: int = 0
    mono_us: int = 0


class PauseRecording(Message, frozen=True):
    """While paused, packets and pages of its tracks are thrown away; each track says since when. ``Done``."""

    request: int
    recording: str
    paused: bool


class EndRecording(Message, frozen=True):
    """Close every track and write the manifest: ``Ended``, when that is on the disk."""

    request: int
    recording: str


class Stats(Message, frozen=True):
    """``StatsReport``."""

    request: int


# ---- replies


class Done(Message, frozen=True):
    request: int


class Ended(Message, frozen=True):
    """``size``: bytes of its track files; ``files``: how many; ``reason``: why it failed, if it did."""

    request: int
    recording: str
    ending: Ending
    files: int
    size: int
    reason: str = ""


class StatsReport(Message, frozen=True):
    request: int
    stats: dict[str, int | float]


class Failed(Message, frozen=True):
    request: int
    code: str
    detail: str = ""


# ---- events


class Ready(Message, frozen=True):
    """Workers may connect. ``failed``: recordings of ``resume`` that cannot go on, with the reason."""

    failed: tuple[tuple[str, str], ...] = ()


class Heartbeat(Message, frozen=True):
    """``pending_bytes``: waiting for the disk; ``discarded``: records of no open track, in all; ``held_back``: workers are not read now."""

    recordings: int
    tracks: int
    pending_bytes: int
    records: int
    discarded: int
    held_back: bool
    cpu_s: float


class RecordingFailed(Message, frozen=True):
    """The disk refused: what was kept is whole, nothing more is written. End it to get its manifest."""

    recording: str
    reason: str


class TrackRefused(Message, frozen=True):
    """A worker's track is not recorded: no such recording, or it failed, or has too many."""

    recording: str
    track: str
    code: str


Request = StartRecording | AddEvent | AddPage | PauseRecording | EndRecording | Stats
Command = Configure | Request
Reply = Done | Ended | StatsReport | Failed
Event = Ready | Heartbeat | RecordingFailed | TrackRefused
FromRecorder = Done | Ended | StatsReport | Failed | Ready | Heartbeat | RecordingFailed | TrackRefused

_command_decoder: msgspec.msgpack.Decoder[Command] = msgspec.msgpack.Decoder(Command)
_recorder_decoder: msgspec.msgpack.Decoder[FromRecorder] = msgspec.msgpack.Decoder(FromRecorder)


def decode_command(frame: bytes) -> Command:
    """What the recorder reads. Raises ControlError(``bad_message``)."""
    return decode(_command_decoder, frame)


def decode_from_recorder(frame: bytes) -> FromRecorder:
    """What the server reads. Raises ControlError(``bad_message``)."""
    return decode(_recorder_decoder, frame)
