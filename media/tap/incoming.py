"""A worker's records → coded frames that can be decoded, and which of their pictures are to be shown. Sans I/O.

Nothing is given out before a key frame, nor between a loss and the next one: what is decoded is what was sent.
"""

from typing import NamedTuple

from media.tap.wire import Kind, Record
from media.wire.depacketise import CODECS, Depacketiser, Frame
from media.wire.reorder import Reorder

HOLD_S = 0.25
"""What the relay asks for again comes within this, or not at all."""


class Coded(NamedTuple):
    """``at_us``: when its last packet came to the relay. ``lost``: frames given up since the one before."""

    frame: Frame
    at_us: int
    lost: int


class Incoming:
    """``codec``: "" until the worker says it. ``over``: why there is nothing more, "" as long as there is. ``whole`` and ``broken``: frames."""

    def __init__(self) -> None:
        self.codec = ""
        self.over = ""
        self.whole = self.broken = 0
        self._stream = -1
        self._order: Reorder[Record] = Reorder(HOLD_S)
        self._made: Depacketiser | None = None
        self._at: dict[int, int] = {}
        self._lost = 0
        self._waits = True

    def take(self, record: Record, now: float) -> list[Coded]:
        """``now``: any clock of seconds, the same for all calls."""
        if self.over:
            return []
        if record.kind is Kind.OVER:
            self.over = record.rest.decode("ascii", "replace")[:40] or "over"
            return []
        if record.kind is Kind.BEGINS:
            codec = record.rest.decode("ascii", "replace")
            if self.codec or codec not in CODECS:
                self.over = "bad_codec"
            else:
                self.codec = codec
                self._made = Depacketiser(codec)
            return []
        if self._made is None:
            self.over = "bad_order"
            return []
        out: list[Coded] = []
        if record.stream != self._stream:
            out = self._frames(self._order.drain())
            self._stream = record.stream
            self._made.skip()
            self._waits = True
        return out + self._frames(self._order.push(record.seq, record, now))

    def due(self, now: float) -> list[Coded]:
        """Call now and then: frames after a gap that was waited for long enough."""
        return [] if self.over or self._made is None else self._frames(self._order.due(now))

    def _frames(self, records: list[Record]) -> list[Coded]:
        assert self._made is not None
        out: list[Coded] = []
        for record in records:
            broken = self._made.damaged
            for frame in self._made.push(record.seq, record.ts, record.marker, record.rest):
                self.whole += 1
                if frame.key:
                    self._waits = False
                elif frame.lost:
                    self._waits = True
                if self._waits:
                    self._lost += 1
                    continue
                out.append(Coded(frame, record.at_us, self._lost))
                self._lost = 0
            more = self._made.damaged - broken
            self.broken += more
            self._lost += more
        return out


class Chooser:
    """Which pictures are shown, so that there are no more than ``fps`` a second: by when they came, which nobody who sends them decides."""

    def __init__(self, fps: float) -> None:
        self._every_us = 1e6 / fps
        self._due_us = 0.0

    def shows(self, at_us: int) -> bool:
        """Call for each in turn."""
        if at_us < self._due_us - self._every_us / 4:
            return False
        self._due_us = max(self._due_us, at_us - self._every_us / 2) + self._every_us
        return True
