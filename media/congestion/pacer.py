"""Spreads one subscriber's bursts over a narrow path. S.

A leaky bucket at ``FACTOR`` times the estimate (draft-ietf-rmcat-gcc-02 section 4 demands a pacer; 2.5 is WebRTC's factor).
Sound never waits for pictures.
"""

from collections import deque
from collections.abc import Hashable
from enum import IntEnum
from typing import Generic, NamedTuple, TypeVar

FACTOR = 2.5
BURST_S = 0.005
"""This much may leave at once after idleness …"""
CATCH_UP_S = 0.04
"""… and this much when the last call was long ago but something waited meanwhile."""
MAX_AGE_S = 0.25
MIN_QUEUE_BYTES = 30_000
MAX_PACKETS = 2048
ON_BPS = 3_000_000
OFF_BPS = 4_000_000
"""Paced below ``ON_BPS``; no more from ``OFF_BPS`` on."""

Item = TypeVar("Item")


class Priority(IntEnum):
    AUDIO = 0
    RESEND = 1
    VIDEO = 2
    PADDING = 3


class _Queued(NamedTuple, Generic[Item]):
    item: Item
    size: int
    at: float
    stream: Hashable


class Pacer(Generic[Item]):
    """``active`` False: send directly, nothing is queued and no call is needed.

    The queue holds at most ``MAX_AGE_S`` at the paced rate (at least ``MIN_QUEUE_BYTES``), ``MAX_PACKETS`` packets, and nothing
    older than ``MAX_AGE_S``. Past that the stream of the oldest video packet loses all that is queued of it, since nothing
    after the hole can be decoded: ``take_starved`` names it, ask its publisher for a key frame. Audio past its age leaves at
    once; it is never dropped for video.
    """

    __slots__ = ("_budget", "_bytes", "_count", "_filled_at", "_queues", "_rate", "_starved", "active", "dropped")

    def __init__(self, estimate_bps: float, now: float) -> None:
        self._queues: tuple[deque[_Queued[Item]], ...] = tuple(deque() for _ in Priority)
        self._bytes = self._count = 0
        self._starved: set[Hashable] = set()
        self._filled_at = now
        self._rate = FACTOR * estimate_bps / 8
        self._budget = self._rate * BURST_S
        self.active = estimate_bps < ON_BPS
        self.dropped = 0

    def __len__(self) -> int:
        return self._count

    @property
    def queued_bytes(self) -> int:
        return self._bytes

    def set_estimate(self, estimate_bps: float, now: float) -> None:
        """Call when the estimate changed."""
        self._fill(now)
        self._rate = FACTOR * estimate_bps / 8
        if estimate_bps < ON_BPS:
            self.active = True
        elif estimate_bps >= OFF_BPS and not self._count:
            self.active = False

    def _fill(self, now: float) -> None:
        elapsed = now - self._filled_at
        if elapsed > 0:
            self._filled_at = now
            longest = CATCH_UP_S if self._count else BURST_S
            self._budget = min(self._budget + elapsed * self._rate, self._rate * longest)

    def push(self, item: Item, size: int, priority: Priority, now: float, stream: Hashable = None) -> bool:
        """Queue it; False when something was dropped for it. ``size``: bytes. ``stream``: what a key frame must be asked for.

        Then call ``pop_due``: what may leave at once does.
        """
        if not self._count:
            self._fill(now)
        self._queues[priority].append(_Queued(item, size, now, stream))
        self._bytes += size
        self._count += 1
        kept = True
        limit = max(MIN_QUEUE_BYTES, self._rate * MAX_AGE_S)
        while (self._bytes > limit or self._count > MAX_PACKETS) and self._drop():
            kept = False
        return kept

    def _drop(self) -> bool:
        """Padding first, then the stream of the oldest video, then the oldest resend, then the oldest sound."""
        for priority in (Priority.PADDING, Priority.VIDEO, Priority.RESEND, Priority.AUDIO):
            queue = self._queues[priority]
            if not queue:
                continue
            if priority is Priority.VIDEO:
                self._starve(queue[0].stream)
            elif priority is not Priority.AUDIO or self._count > MAX_PACKETS:
                self._take(queue.popleft())
                self.dropped += 1
            else:
                return False
            return True
        return False

    def _starve(self, stream: Hashable) -> None:
        queue = self._queues[Priority.VIDEO]
        for _ in range(len(queue)):
            queued = queue.popleft()
            if queued.stream == stream:
                self._take(queued)
                self.dropped += 1
            else:
                queue.append(queued)
        self._starved.add(stream)

    def _take(self, queued: _Queued[Item]) -> None:
        self._bytes -= queued.size
        self._count -= 1

    def take_starved(self) -> frozenset[Hashable]:
        """Streams of which something was dropped since the last call: each needs a key frame."""
        starved = frozenset(self._starved)
        self._starved.clear()
        return starved

    def pop_due(self, now: float) -> list[Item]:
        """What leaves now, most urgent first. Audio leaves even when the bucket is empty, and is charged for."""
        self._fill(now)
        due: list[Item] = []
        audio, resends, video, padding = self._queues
        while audio:
            queued = audio.popleft()
            self._charge(queued)
            due.append(queued.item)
        oldest = now - MAX_AGE_S
        while video and video[0].at < oldest:
            self._starve(video[0].stream)
        for queue in (resends, video, padding):
            while queue and self._budget > -1:
                queued = queue.popleft()
                self._charge(queued)
                if queue is video or queued.at >= oldest:
                    due.append(queued.item)
        return due

    def _charge(self, queued: _Queued[Item]) -> None:
        self._budget -= queued.size
        self._take(queued)

    def next_at(self, now: float) -> float | None:
        """When ``pop_due`` has something to give; None while nothing is queued."""
        if not self._count:
            return None
        if self._queues[Priority.AUDIO]:
            return now
        budget = self._budget + (now - self._filled_at) * self._rate
        return now if budget > -1 else now - budget / self._rate

    def clear(self) -> None:
        """Forget all that is queued: the path changed or is gone."""
        for queue in self._queues:
            queue.clear()
        self._bytes = self._count = 0
