"""What the recorder holds of a recording under way, and of each open track. SHELL, by what it refers to."""

from media.recording import messages
from media.recording.records import MAX_TIME_US
from media.recording.store import OpenRecording
from media.recording.wire import TrackInfo
from media.recording.writer import TrackFile


class Live:
    """A recording under way. ``tracks``: those that are open, by worker connection or of the recorder itself."""

    def __init__(self, opened: OpenRecording, begun: messages.Begun) -> None:
        self.opened = opened
        self.begun = begun
        self.paused = begun.paused
        self.failed = False
        self.tracks: set[LiveTrack] = set()
        self.events: LiveTrack | None = None
        self.pages: dict[str, LiveTrack] = {}

    def us(self, mono_us: int) -> int:
        return min(max(0, mono_us - self.begun.zero_mono_us), MAX_TIME_US)


class LiveTrack:
    """One open track: records that wait to become a segment. ``file`` belongs to the disk's thread."""

    __slots__ = ("file", "info", "live", "pending", "since")

    def __init__(self, live: Live, info: TrackInfo) -> None:
        self.live = live
        self.info = info
        self.pending = bytearray()
        self.since = 0.0
        self.file: TrackFile | None = None
