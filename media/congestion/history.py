"""What one subscriber was sent, by transport-wide number, until its feedback says what became of it. S.

draft-holmer-rmcat-transport-wide-cc-extensions-01; that lost feedback is no lost media, and that a number may be reported
twice, is taken from RFC 8888 sections 3.1 and 5.
"""

from array import array
from collections import deque
from typing import NamedTuple

from media.congestion.trend import Follower, Result, Results, Trend
from media.wire.twcc import REFERENCE_US, Feedback, parse_feedback

SIZE = 8192
"""Packets remembered: a power of two. Index = transport-wide number & ``MASK``."""
MASK = SIZE - 1
LOST_BIT = 0x8000
"""Set in ``SentPackets.size`` once a packet was counted as lost, so that it is counted once."""
MAX_PACKET = LOST_BIT - 1
_WRAP_US = REFERENCE_US << 24
CLOCK_JUMP_US = 3_000_000
"""The receiver's clock and ours may drift apart by this much between two feedbacks before the filters start afresh."""
MAX_UNREPORTED = 1024


class Joined(NamedTuple):
    """One feedback about packets that were really sent and not yet known to have arrived.

    ``results``: in order of transport-wide numbers, to be read before the next feedback is. ``lost_bytes``: of what is lost among them.
    ``recovered``: packets that an earlier feedback called lost. ``unreported_bytes``: sent before these and in no feedback so far: a
    feedback was lost. ``last_sent``: when the last one left, our seconds. ``latest``: when the latest arrived, the receiver's seconds.
    ``restarted``: the receiver's clock jumped, compare nothing with before. ``rtt_s``: since the newest arrived packet was sent, the
    receiver's wait included.
    """

    results: Results
    received: int
    received_bytes: int
    lost: int
    lost_bytes: int
    recovered: int
    unreported_bytes: int
    last_sent: float
    latest: float
    restarted: bool
    rtt_s: float | None


class SentPackets:
    """A ring of ``SIZE`` packets.

    ``number[0]`` is the transport-wide number given last. The forwarder writes without a call: ``at[number & MASK] = now; size[number & MASK] = bytes`` (1 … ``MAX_PACKET``; 0 means
    nothing is waited for). A packet older than the last ``SIZE`` is forgotten and its feedback ignored.
    """

    __slots__ = ("_reference", "_reported", "_seen_at", "at", "number", "size")

    def __init__(self) -> None:
        self.number = array("I", (0,))
        self.at = array("d", bytes(8 * SIZE))
        self.size = array("H", bytes(2 * SIZE))
        self._reference: int | None = None
        self._seen_at = 0.0
        self._reported: int | None = None

    def next(self) -> int:
        """The next transport-wide number, 16 bits."""
        number = self.number[0] = (self.number[0] + 1) & 0xFFFF
        return number

    def note(self, number: int, size: int, now: float) -> None:
        """A packet (a retransmission, padding) left with transport-wide ``number`` (16 bits)."""
        self.at[number & MASK] = now
        self.size[number & MASK] = min(size, MAX_PACKET)

    def forget(self, number: int) -> None:
        """Nothing is waited for under this number any more: the same packet leaves a second time."""
        self.size[number & MASK] = 0

    def follower(self) -> Follower:
        """Who follows the trend of what ``take`` returns."""
        return Trend()

    def take(self, body: bytes, now: float) -> Joined:
        """Read a feedback and join it. Raises RtcpError; then nothing has changed."""
        return self.join(parse_feedback(body), self.number[0], now)

    def join(self, feedback: Feedback, newest: int, now: float) -> Joined:
        """``newest``: the number given last. Numbers never sent, forgotten or already known to have arrived are ignored."""
        offset = self._unwrap(feedback.reference_time_us, now)
        restarted = offset is None
        if offset is None:
            self._reference = feedback.reference_time_us
            offset = 0
        arrivals = feedback.arrivals
        age = (newest - feedback.base_sequence) & 0xFFFF
        forgotten = max(0, age - MASK)
        if forgotten or len(arrivals) > age + 1:
            arrivals = arrivals[forgotten : age + 1]
        at = self.at
        size = self.size
        results: list[Result] = []
        append = results.append
        received = received_bytes = lost = recovered = 0
        newest_sent = -1.0
        for sequence, arrival_us in arrivals:
            index = sequence & MASK
            length = size[index]
            if not length:
                continue
            if arrival_us is None:
                if length < LOST_BIT:
                    size[index] = length | LOST_BIT
                    lost += 1
                    append((at[index], -1.0, length))
                continue
            size[index] = 0
            if length > LOST_BIT:
                length -= LOST_BIT
                recovered += 1
            newest_sent = at[index]
            received += 1
            received_bytes += length
            append((newest_sent, (arrival_us + offset) * 1e-6, length))
        unreported = self._unreported(arrivals[0].sequence, arrivals[-1].sequence) if arrivals else 0
        rtt = max(0.0, now - newest_sent) if newest_sent >= 0 else None
        lost_bytes = sum(length for _, arrival, length in results if arrival < 0) if lost else 0
        last_sent = results[-1][0] if results else -1.0
        latest = max([arrival for _, arrival, _ in results], default=-1.0)
        return Joined(
            results, received, received_bytes, lost, lost_bytes, recovered, unreported, last_sent, latest, restarted, rtt
        )

    def _unwrap(self, reference_us: int, now: float) -> int | None:
        """To be added to the times of this feedback; None when the receiver's clock cannot be followed."""
        before, seen_at = self._reference, self._seen_at
        self._seen_at = now
        if before is None:
            self._reference = reference_us
            return 0
        ahead = (reference_us - before + _WRAP_US // 2) % _WRAP_US - _WRAP_US // 2
        if abs(ahead - (now - seen_at) * 1e6) > CLOCK_JUMP_US:
            return None
        self._reference = before + ahead
        return self._reference - reference_us

    def _unreported(self, first: int, last: int) -> int:
        """Bytes sent between what was reported so far and ``first``, still waited for."""
        reported = self._reported
        if reported is None:
            self._reported = last
            return 0
        if (last - reported) & 0xFFFF < 0x8000:
            self._reported = last
        gap = (first - reported - 1) & 0xFFFF
        if not 0 < gap <= MAX_UNREPORTED:
            return 0
        size = self.size
        return sum(size[(reported + step) & MASK] & MAX_PACKET for step in range(1, gap + 1))


class WindowRate:
    """Bits per second over the last ``window_s``. One entry per feedback: ``add`` and ``bps`` cost next to nothing."""

    __slots__ = ("_bytes", "_entries", "window_s")

    def __init__(self, window_s: float) -> None:
        self.window_s = window_s
        self._entries: deque[tuple[float, int]] = deque(maxlen=256)
        self._bytes = 0

    def add(self, at: float, size: int) -> None:
        """``size`` bytes up to ``at``, seconds on one clock that does not run back; what is older than the newest is added to it."""
        entries = self._entries
        if entries:
            at = max(at, entries[-1][0])
            if at - entries[-1][0] > 2 * self.window_s:
                self.clear()
        if len(entries) == entries.maxlen:
            self._bytes -= entries.popleft()[1]
        entries.append((at, size))
        self._bytes += size
        oldest = at - self.window_s
        while len(entries) > 2 and entries[1][0] <= oldest:
            self._bytes -= entries.popleft()[1]

    def clear(self) -> None:
        self._entries.clear()
        self._bytes = 0

    def bps(self) -> float | None:
        """None until two entries are ``window_s`` / 5 apart. The first entry only starts the clock."""
        entries = self._entries
        if len(entries) < 2:
            return None
        span = entries[-1][0] - entries[0][0]
        if span < self.window_s / 5:
            return None
        return 8.0 * (self._bytes - entries[0][1]) / span
