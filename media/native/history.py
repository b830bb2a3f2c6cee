"""``SentPackets`` whose feedback C reads, joins and groups. What C declines (malformed feedback) is Python's."""

import struct
from array import array
from collections.abc import Iterable, Iterator
from typing import Any

from media.congestion.groups import Delta, Result
from media.congestion.history import Joined, SentPackets
from media.native.library import Library

_JOINED = struct.Struct("@6q2dqd")
"""``struct tp_joined`` of feedback.h."""
_RESULT = struct.Struct("@ddq")
_DELTA = struct.Struct("@ddd")


class Scratch:
    """The library's memory for the feedback that is being read: one for all subscribers. As ``groups.Results`` it is the last one's."""

    __slots__ = ("_deltas", "_ffi", "_group", "_results", "count", "join", "joined", "struct")

    def __init__(self, library: Library) -> None:
        ffi = self._ffi = library.ffi
        self.join: Any = library.lib.tp_join
        self._group: Any = library.lib.tp_group
        self.struct: Any = ffi.new("struct tp_scratch *")
        self.joined: Any = ffi.buffer(ffi.addressof(self.struct, "joined"))
        self._results: Any = ffi.buffer(self.struct.result)
        self._deltas: Any = ffi.buffer(self.struct.deltas)
        self.count = 0
        assert len(self.joined) == _JOINED.size

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Result]:
        return _RESULT.iter_unpack(self._results[: _RESULT.size * self.count])

    def group(self, state: "array[float]", burst_s: float, longest_s: float) -> Iterable[Delta]:
        ffi = self._ffi
        count = self._group(ffi.from_buffer("double[]", state), burst_s, longest_s, self.struct)
        return _DELTA.iter_unpack(self._deltas[: _DELTA.size * count])


class NativeSentPackets(SentPackets):
    """``join`` is the reference's and keeps a clock of its own: use ``take`` alone."""

    __slots__ = ("_kept", "_scratch", "_struct")

    def __init__(self, library: Library, scratch: Scratch) -> None:
        super().__init__()
        ffi = library.ffi
        self._scratch = scratch
        self._struct: Any = ffi.new("struct tp_history *")
        self._kept = [ffi.from_buffer(f"{kind}[]", buffer, require_writable=True)
                      for kind, buffer in (("uint32_t", self.number), ("double", self.at), ("uint16_t", self.size))]  # fmt: skip
        self._struct.number, self._struct.at, self._struct.size = self._kept
        self._struct.reported = -1

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
