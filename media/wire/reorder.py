"""Packets of one stream in the order of their numbers: what came late finds its place, for what is lost nobody waits long. Sans I/O.

Numbers are 16 bit (RFC 3550), times seconds of the caller's monotonic clock.
"""

from typing import Generic, TypeVar

T = TypeVar("T")

MAX_WAITING = 512
"""Packets held behind a gap; one more and the gap is given up."""


class Reorder(Generic[T]):
    """``hold_s``: how long a gap is waited for. ``lost``: numbers that were given up; ``late``: packets that came after that, or twice."""

    def __init__(self, hold_s: float = 0.2, most: int = MAX_WAITING) -> None:
        self._hold_s = hold_s
        self._most = most
        self._next = -1
        self._waiting: dict[int, T] = {}
        self._since = 0.0
        self.lost = self.late = 0

    def push(self, seq: int, item: T, now: float) -> list[T]:
        """The items whose turn it is with this one."""
        if self._next < 0:
            self._next = seq
        ahead = (seq - self._next) & 0xFFFF
        if ahead >= 0x8000 or seq in self._waiting:
            self.late += 1
            return []
        if ahead and not self._waiting:
            self._since = now
        self._waiting[seq] = item
        out = self._run()
        if self._waiting and (len(self._waiting) > self._most or now - self._since >= self._hold_s):
            out += self._give_up(now)
        return out

    def due(self, now: float) -> list[T]:
        """Call now and then: what has waited long enough, where nothing else comes."""
        return self._give_up(now) if self._waiting and now - self._since >= self._hold_s else []

    def drain(self) -> list[T]:
        """Everything that waits, in order; whatever comes next is the first."""
        out: list[T] = []
        while self._waiting:
            out += self._give_up(self._since)
        self._next = -1
        return out

    def _run(self) -> list[T]:
        out: list[T] = []
        while (item := self._waiting.pop(self._next, None)) is not None:
            out.append(item)
            self._next = (self._next + 1) & 0xFFFF
        return out

    def _give_up(self, now: float) -> list[T]:
        """Go on after the first gap."""
        first = min(self._waiting, key=lambda seq: (seq - self._next) & 0xFFFF)
        self.lost += (first - self._next) & 0xFFFF
        self._next = first
        self._since = now
        return self._run()
