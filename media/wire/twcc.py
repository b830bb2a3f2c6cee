"""Transport-wide congestion control feedback, both ways (draft-holmer-rmcat-transport-wide-cc-extensions-01). S."""

import struct
from itertools import accumulate
from typing import NamedTuple

from media.errors import RtcpError
from media.wire.rtcp import build_transport_feedback

DELTA_US = 250
REFERENCE_US = 64_000
WINDOW_US = 500_000
MAX_RUN = 0x1FFF
MAX_PENDING = 4096
MAX_GAP = 1024
"""A jump by more than this many numbers starts afresh instead of being reported as lost."""
MAX_BODY_BYTES = 1100
MAX_STATUSES = 16_384

_RTPFB = 205
_RTCP_HEAD = 12
_HEAD = struct.Struct("!HHI")
_DELTA = struct.Struct("!h")


class Arrival(NamedTuple):
    """``sequence``: 16-bit transport-wide number. ``arrival_us``: when it came in (the receiver's clock), None when lost."""

    sequence: int
    arrival_us: int | None


class Feedback(NamedTuple):
    """``arrivals``: one per number from ``base_sequence`` on. ``feedback_count``: 8 bits, one more with each feedback."""

    base_sequence: int
    feedback_count: int
    reference_time_us: int
    arrivals: tuple[Arrival, ...]


def _chunks(statuses: list[int]) -> bytes:
    """Packet status chunks (§3.1.3, §3.1.4): a run where one is long enough to pay, else a vector of 14 or 7."""
    words = []
    index = 0
    total = len(statuses)
    while index < total:
        status = statuses[index]
        run = index + 1
        while run < total and run - index < MAX_RUN and statuses[run] == status:
            run += 1
        length = run - index
        window = statuses[index : index + 14]
        small = max(window) < 2
        if length >= (14 if small else 7) or run == total:
            words.append(status << 13 | length)
            index = run
        elif small:
            word = 0x8000
            for position, symbol in enumerate(window):
                word |= symbol << (13 - position)
            words.append(word)
            index += 14
        else:
            word = 0xC000
            for position, symbol in enumerate(window[:7]):
                word |= symbol << (12 - 2 * position)
            words.append(word)
            index += 7
    return struct.pack(f"!{len(words)}H", *words)


class ArrivalLog:
    """What came in from one publisher; builds the feedback packets about it.

    A packet that comes late is reported in the next feedback together with everything since it, for as long as
    ``WINDOW_US``. At most ``MAX_PENDING`` packets are kept: when more come in between two feedbacks, the oldest are
    forgotten and count as lost.
    """

    def __init__(self) -> None:
        self._arrivals: dict[int, int] = {}
        self._highest: int | None = None
        self._next = 0
        self._count = 0

    def add(self, sequence: int, arrival_us: int) -> None:
        """Note a packet. ``sequence``: 16 bits. ``arrival_us``: monotonic microseconds."""
        highest = self._highest
        if highest is None:
            unwrapped = sequence + 0x10000
            self._highest = self._next = unwrapped
        else:
            unwrapped = highest + ((sequence - highest + 0x8000) & 0xFFFF) - 0x8000
            if unwrapped > highest:
                self._highest = unwrapped
            elif unwrapped in self._arrivals or unwrapped < highest - MAX_GAP:
                return
            if unwrapped < self._next:
                self._next = unwrapped
        self._arrivals[unwrapped] = arrival_us
        if len(self._arrivals) > MAX_PENDING:
            del self._arrivals[next(iter(self._arrivals))]

    def build(self, sender_ssrc: int, media_ssrc: int) -> list[bytes]:
        """RTCP packets about everything noted since the last call; empty when nothing came in. Call every 50 ms."""
        arrivals = self._arrivals
        pending = sorted(sequence for sequence in arrivals if sequence >= self._next)
        if not pending:
            return []
        packets = []
        index = 0
        while index < len(pending):
            start = self._next
            if pending[index] - start > MAX_GAP:
                start = pending[index]
            body, index = self._body(start, pending, index)
            packets.append(build_transport_feedback(sender_ssrc, media_ssrc, body))
            self._next = pending[index - 1] + 1
        oldest = arrivals[pending[-1]] - WINDOW_US
        for sequence in [sequence for sequence, arrival in arrivals.items() if arrival < oldest]:
            del arrivals[sequence]
        return packets

    def _body(self, start: int, pending: list[int], index: int) -> tuple[bytes, int]:
        """One feedback that begins at ``start`` and takes as many of ``pending[index:]`` as fit; the index after them."""
        reference = self._arrivals[pending[index]] // REFERENCE_US
        quantum = reference * (REFERENCE_US // DELTA_US)
        statuses: list[int] = []
        deltas = bytearray()
        expected = start
        while index < len(pending) and len(deltas) + len(statuses) // 7 * 2 < MAX_BODY_BYTES:
            sequence = pending[index]
            gap = sequence - expected
            now = self._arrivals[sequence] // DELTA_US
            delta = now - quantum
            if gap > MAX_GAP or not -0x8000 <= delta <= 0x7FFF:
                break
            statuses += [0] * gap
            if 0 <= delta <= 0xFF:
                statuses.append(1)
                deltas.append(delta)
            else:
                statuses.append(2)
                deltas += _DELTA.pack(delta)
            quantum = now
            expected = sequence + 1
            index += 1
        head = _HEAD.pack(start & 0xFFFF, len(statuses), (reference & 0xFFFFFF) << 8 | self._count)
        self._count = (self._count + 1) & 0xFF
        body = head + _chunks(statuses) + deltas
        return body + bytes(-len(body) % 4), index


def _statuses(body: bytes, count: int) -> tuple[list[int], int]:
    """The status symbols and the offset after the chunks."""
    statuses: list[int] = []
    offset = _HEAD.size
    while len(statuses) < count:
        if offset + 2 > len(body):
            raise RtcpError("truncated", "packet status chunks")
        word = body[offset] << 8 | body[offset + 1]
        offset += 2
        if not word & 0x8000:
            statuses += [word >> 13] * min(word & 0x1FFF, count - len(statuses))
            if not word & 0x1FFF:
                raise RtcpError("bad_chunk", "an empty run")
        elif word & 0x4000:
            statuses += [word >> shift & 3 for shift in range(12, -1, -2)]
        else:
            statuses += [word >> shift & 1 for shift in range(13, -1, -1)]
    return statuses[:count], offset


def lone_feedback(data: bytes) -> bytes | None:
    """What ``parse_feedback`` takes of RTCP that is one transport feedback and nothing else, as browsers send it; None for all other."""
    end = len(data)
    if end < _RTCP_HEAD + _HEAD.size or data[1] != _RTPFB or data[0] & 0xDF != 0x8F or 4 * (data[2] << 8 | data[3]) + 4 != end:
        return None
    if data[0] & 0x20:
        padding = data[-1]
        end -= padding
        if not padding or end < _RTCP_HEAD:
            return None
    return data[_RTCP_HEAD:end]


def parse_feedback(body: bytes) -> Feedback:
    """Read ``rtcp.TransportFeedback.body``. Raises RtcpError, nothing else."""
    if len(body) < _HEAD.size:
        raise RtcpError("truncated", "transport feedback")
    base, count, word = _HEAD.unpack_from(body)
    if not 0 < count <= MAX_STATUSES:
        raise RtcpError("bad_count", f"{count} statuses")
    reference = word >> 8
    if reference >= 0x800000:
        reference -= 0x1000000
    statuses, offset = _statuses(body, count)
    if statuses.count(1) == count:  # nothing lost, all in order: nearly always
        if offset + count > len(body):
            raise RtcpError("truncated", "receive deltas")
        quanta = accumulate(body[offset : offset + count], initial=reference * (REFERENCE_US // DELTA_US))
        next(quanta)
        pairs = [((base + position) & 0xFFFF, DELTA_US * quantum) for position, quantum in enumerate(quanta)]
        return Feedback(base, word & 0xFF, reference * REFERENCE_US, tuple(map(Arrival._make, pairs)))
    time_us = reference * REFERENCE_US
    arrivals = []
    for position, status in enumerate(statuses):
        sequence = (base + position) & 0xFFFF
        if status == 0:
            arrivals.append(Arrival(sequence, None))
            continue
        if status == 3 or offset + status > len(body):
            raise RtcpError("truncated", "receive deltas")
        delta = body[offset] if status == 1 else _DELTA.unpack_from(body, offset)[0]
        offset += status
        time_us += delta * DELTA_US
        arrivals.append(Arrival(sequence, time_us))
    return Feedback(base, word & 0xFF, reference * REFERENCE_US, tuple(arrivals))
