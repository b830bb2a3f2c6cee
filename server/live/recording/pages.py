"""What of a shared page may be kept with a session's recording. Pure."""

from typing import NamedTuple

from server.domain.ids import ParticipantId, RecordingId
from server.signalling.rates import TokenBucket

HOUR_BYTES = 200_000_000
BURST_BYTES = 50_000_000
"""A whole picture, and another, come at once."""
MOST_BYTES = 2_000_000_000
"""Of one recording."""


class Room:
    """How much of shared pages one recording takes: of all shares in it, and however often one begins anew."""

    def __init__(self, now: float) -> None:
        self._bucket = TokenBucket(HOUR_BYTES / 3600, BURST_BYTES, now)
        self._left = MOST_BYTES

    def take(self, size: int, now: float) -> bool:
        if size > self._left or not self._bucket.take(now, size):
            return False
        self._left -= size
        return True


class PageKept(NamedTuple):
    """In which recording, after how many starts of the recorder, of whom what they do in the page, and how much."""

    recording: RecordingId
    starts: int
    whom: frozenset[ParticipantId]
    room: Room
