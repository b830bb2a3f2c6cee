"""``SentPackets`` whose feedback C reads and joins, and ``Trend`` in C. What C declines (malformed feedback) is Python's."""

import math
import struct
from collections.abc import Iterator
from typing import Any

from media.congestion.history import Joined, SentPackets
from media.congestion.trend import TUNING, WINDOW, Result, Results, Signal
from media.native.library import Library

_JOINED = struct.Struct("@6q2dqd")
"""``struct tp_joined`` of feedback.h."""
_RESULT = struct.Struct("@ddq")
_TREND = struct.Struct("@6d")
"""The first of ``struct tp_trend``."""
_SIGNALS = tuple(Signal)


class Scratch:
    """The library's memory for the feedback that is being read: one for all subscribers. As ``trend.Results`` it is the last one's."""

    __slots__ = ("_results", "count", "follow", "join", "joined", "struct", "tuning")

    def __init__(self, library: Library) -> None:
        ffi = library.ffi
        self.join: Any = library.lib.tp_join
        self.follow: Any = library.lib.tp_follow
        self.struct: Any = ffi.new("struct tp_scratch *")
        self.tuning: Any = ffi.from_buffer("struct tp_tuning *", TUNING)
        self.joined: Any = ffi.buffer(ffi.addressof(self.struct, "joined"))
        self._results: Any = ffi.buffer(self.struct.result)
        self.count = 0
        assert len(self.joined) == _JOINED.size
        assert len(TUNING) * TUNING.itemsize == ffi.sizeof("struct tp_tuning")
        assert library.lib.TP_WINDOW >= WINDOW

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Result]:
        return _RESULT.iter_unpack(self._results[: _RESULT.size * self.count])


class NativeTrend:
    """Follows the results that are in the scratch."""

    __slots__ = ("_fields", "_scratch", "_struct", "arrival", "shortest", "signal", "threshold", "trend")

    def __init__(self, library: Library, scratch: Scratch) -> None:
        ffi = library.ffi
        self._scratch = scratch
        self._struct: Any = ffi.new("struct tp_trend *")
        self._fields: Any = ffi.buffer(self._struct, _TREND.size)
        for field in ("arrival", "first", "sent", "previous_sent", "previous_arrival", "adapted_at", "over_ms"):
            setattr(self._struct, field, -1.0)
        self._struct.signal = Signal.NORMAL
        self.signal = Signal.NORMAL
        self.trend = self.threshold = 0.0
        self.shortest, self.arrival = math.inf, -1.0

    def follow(self, results: Results, threshold: float, patient: bool) -> Signal | None:
        scratch = self._scratch
        assert results is scratch
        scratch.follow(self._struct, scratch.tuning, threshold, patient, scratch.struct)
        worst, signal, self.trend, self.threshold, self.shortest, self.arrival = _TREND.unpack(self._fields)
        self.signal = _SIGNALS[int(signal)]
        return None if worst < 0 else _SIGNALS[int(worst)]


class NativeSentPackets(SentPackets):
    """``join`` is the reference's and keeps a clock of its own: use ``take`` alone."""

    __slots__ = ("_kept", "_library", "_scratch", "_struct")

    def __init__(self, library: Library, scratch: Scratch) -> None:
        super().__init__()
        ffi = library.ffi
        self._library = library
        self._scratch = scratch
        self._struct: Any = ffi.new("struct tp_history *")
        self._kept = [ffi.from_buffer(f"{kind}[]", buffer, require_writable=True)
                      for kind, buffer in (("uint32_t", self.number), ("double", self.at), ("uint16_t", self.size))]  # fmt: skip
        self._struct.number, self._struct.at, self._struct.size = self._kept
        self._struct.reported = -1

    def follower(self) -> NativeTrend:
        return NativeTrend(self._library, self._scratch)

    def take(self, body: bytes, now: float) -> Joined:
        scratch = self._scratch
        count = scratch.join(self._struct, body, len(body), now, scratch.struct)
        if count < 0:
            return super().take(body, now)
        scratch.count = count
        (
            received, received_bytes, lost, lost_bytes, recovered, unreported, last_sent, latest, restarted, rtt,
        ) = _JOINED.unpack(scratch.joined)  # fmt: skip
        return Joined(
            scratch, received, received_bytes, lost, lost_bytes, recovered, unreported, last_sent, latest, bool(restarted),
            rtt if rtt >= 0 else None,
        )  # fmt: skip
