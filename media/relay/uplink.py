"""What the relay keeps per incoming SSRC: order, gaps, statistics, the ring of recent packets, the sender's clock. Sans I/O.

RFC 3550 appendix A.1 (sequence validity), A.3 (loss), A.8 (jitter), section 6.4.1 (SR); RFC 4585 section 6.2.1 (NACK);
RFC 4588 (retransmissions arrive on another SSRC and are handed in here under their original number).
Times are seconds of the caller's monotonic clock; sequence numbers are 16 bit unless called ``extended``.
"""

from array import array
from collections import deque
from enum import IntEnum
from itertools import count
from typing import NamedTuple

from media.wire.payload import Descriptor
from media.wire.rtcp import ReportBlock

RING = 1024
"""Packets of video kept for retransmission; about 1.2 MB per publication and layer at full-size packets."""
VOICE_RING = 256
"""Packets of a voice: five seconds of it."""
MAX_DROPOUT = 3000
MAX_MISSING = 512
MAX_GAP = 256
"""A longer gap is not worth asking for packet by packet: a key frame is asked for instead."""
NACK_TRIES = 8
NACK_AGE_S = 1.0
VOICE_NACK_AGE_S = 0.4
"""What comes later than this is not played any more."""
NACK_AGAIN_S = 0.06
MIN_NACK_AGAIN_S = 0.04
MAX_NACK_AGAIN_S = 0.25
RATE_SAMPLES = 5
QUIET_S = 0.25
PAUSED_S = 1.0
SPARSE = 3
"""Pauses one after another, with too little between them to measure."""
MIN_RATE_S = 0.3
REPORTS_WITHIN_S = 6.0
"""A picture's first sender report comes within a second or two (RFC 3550 section 6.2)."""
PACKET_OVERHEAD_BYTES = 60
"""Counted with each packet in rates: IP, UDP, RTP with extensions, and the authentication tag."""


class Arrived(IntEnum):
    NEW = 0  # after all others
    LATE = 1  # fills a gap
    REFUSED = 2  # a duplicate, or too old
    RESTARTED = 3  # the sender's numbers jumped: everything derived from the old ones is void


class RingEntry(NamedTuple):
    """A received media packet. ``header``: what ``payload.READERS`` said of its counters, or None. ``level``: of its voice (RFC 6464), -1 without one.
    ``primary``: where in the payload of a voice with redundancy (RFC 2198) its primary encoding starts, 0 without. ``at``: when it came."""

    seq: int
    ts: int
    marker: int
    payload: bytes
    header: Descriptor | None
    level: int = -1
    primary: int = 0
    at: float = 0.0


class PublisherClock:
    """Maps our clock to one publisher's NTP clock; shared by all its SSRCs, so that lips stay in step.

    The smallest delay seen (plus 1 ms a report for drift) is the offset; both clocks in seconds.
    """

    __slots__ = ("offset",)

    def __init__(self) -> None:
        self.offset: float | None = None

    def note(self, ntp_s: float, now: float) -> None:
        seen = now - ntp_s
        if self.offset is None or abs(seen - self.offset) > 5.0:  # first report, or the clock was set
            self.offset = seen
        else:
            self.offset = min(self.offset + 0.001, seen)

    def ntp_at(self, now: float) -> float | None:
        return None if self.offset is None else now - self.offset


_numbers = count(1)


class Uplink:
    """One media SSRC of one publisher. ``kind``: "audio" or "video"; ``codec`` in lower case; ``rate`` in Hz.

    ``height``: lines of the picture, 0 while unknown. ``top_tid``: the highest temporal id seen; ``by_tid``: bytes so far of each.
    ``key_at``: when the newest key frame began to come. ``number``: unlike any other's in this process. ``loss``: part of the packets lost before the last report, 0 … 1.
    ``unheard``: what came last came behind a shut gate.
    ``missed``: packets that did not come of themselves, whether they were had later or not. ``red_at``: when redundancy came last.
    """

    __slots__ = (
        "_bad_seq", "_base", "_jitter", "_measured", "_missing", "_prior_expected", "_prior_received", "_rates", "_ring", "_sparse", "_transit",
        "by_tid", "clock", "codec", "cycles", "first_at", "height", "key_at", "keys", "kind", "last_at",
        "last_pid", "last_tl0", "last_ts", "late", "loss", "max_seq", "mid", "missed", "nack", "nacked", "number", "octets", "packets", "rate", "recovered",
        "red_at", "rid", "sr_at", "sr_ntp", "sr_ntp_mid", "sr_rtp", "ssrc", "top_tid", "unheard", "wants_key",
    )  # fmt: skip

    def __init__(
        self,
        ssrc: int,
        kind: str,
        codec: str,
        rate: int,
        clock: PublisherClock,
        *,
        mid: str = "",
        rid: str = "",
        nack: bool = False,
    ) -> None:
        self.ssrc = ssrc
        self.number = next(_numbers)
        self.kind = kind
        self.codec = codec
        self.rate = rate
        self.clock = clock
        self.mid = mid
        self.rid = rid
        self.nack = nack
        self.max_seq = -1
        self.cycles = 0
        self._base = 0
        self._bad_seq = -1
        self.packets = self.octets = self.late = self.recovered = self.nacked = self.keys = self.missed = 0
        self.red_at = float("-inf")
        self._prior_expected = self._prior_received = 0
        self._transit = 0
        self._jitter = 0.0
        self.loss = 0.0
        self._missing: dict[int, list[float]] = {}
        self._ring: list[RingEntry | None] = [None] * (RING if kind == "video" else VOICE_RING)
        self.first_at = self.last_at = 0.0
        self.key_at = float("-inf")
        self.last_ts = 0
        self.last_pid = self.last_tl0 = -1
        self.sr_ntp: float | None = None
        self.sr_ntp_mid = self.sr_rtp = 0
        self.sr_at = 0.0
        self.wants_key = self.unheard = False
        self.height = 0
        self.top_tid = 0
        self.by_tid = array("q", bytes(32))
        self._measured: deque[tuple[float, tuple[int, ...]]] = deque(maxlen=RATE_SAMPLES)
        self._sparse = 0
        self._rates: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)

    # ---- per packet

    def receive(self, seq: int, ts: int, size: int, now: float) -> Arrived:
        """Note a media packet. ``size``: payload bytes. Anything but REFUSED is to be forwarded."""
        newest = self.max_seq
        if newest < 0:
            self._start(seq, now)
        else:
            ahead = (seq - newest) & 0xFFFF
            if ahead == 1:
                self.max_seq = seq
                if seq == 0:
                    self.cycles += 1
            elif ahead and ahead < MAX_DROPOUT:
                self._gap(newest, ahead, now)
                if seq < newest:
                    self.cycles += 1
                self.max_seq = seq
            elif (missed := self._missing.pop(seq, None)) is not None:
                if missed[2] and self.kind == "audio":  # asked for; no other stream says that it was sent again
                    self.recovered += 1
                self.packets += 1
                self.octets += size
                self.late += 1
                return Arrived.LATE
            elif ahead == 0 or ahead > 0x10000 - MAX_DROPOUT:
                return Arrived.REFUSED
            elif seq == self._bad_seq:  # RFC 3550 A.1: two in a row after a jump: the sender restarted
                self._start(seq, now)
                self._count(ts, size, now)
                return Arrived.RESTARTED
            else:
                self._bad_seq = (seq + 1) & 0xFFFF
                return Arrived.REFUSED
        self._count(ts, size, now)
        return Arrived.NEW

    def restore(self, seq: int, size: int) -> bool:
        """Note that a missing packet was had from the redundancy of a later one; it is refused when it comes after all. False when it
        is not missing."""
        entry = self._missing.pop(seq, None)
        if entry is None:
            return False
        if not entry[2]:
            self.missed += 1
        self.recovered += 1
        self.packets += 1
        self.octets += size
        self.late += 1
        return True

    def _count(self, ts: int, size: int, now: float) -> None:
        self.packets += 1
        self.octets += size
        self.last_at = now
        self.last_ts = ts
        transit = int(now * self.rate) - ts & 0xFFFFFFFF
        if self.packets > 1:
            delta = (transit - self._transit) & 0xFFFFFFFF
            if delta > 0x7FFFFFFF:
                delta = 0x100000000 - delta
            self._jitter += (delta - self._jitter) / 16
        self._transit = transit

    def _start(self, seq: int, now: float) -> None:
        self.max_seq = seq
        self._base = seq
        self.cycles = 0
        self._bad_seq = -1
        self.packets = self.octets = 0
        self._prior_expected = self._prior_received = 0
        self._missing.clear()
        self.clear_ring()
        self.sr_ntp = None  # its reports were about other numbers
        self.sr_ntp_mid = 0
        if not self.first_at:
            self.first_at = now

    def _gap(self, newest: int, ahead: int, now: float) -> None:
        if ahead > MAX_GAP or len(self._missing) + ahead > MAX_MISSING:
            self._missing.clear()
            self.wants_key = self.kind == "video"
            return
        for step in range(1, ahead):
            self._missing[(newest + step) & 0xFFFF] = [now, -1.0, 0]

    # ---- how much it is

    def measure(self, now: float) -> None:
        """Call each 100 … 500 ms: keeps ``rates`` up to date. While nothing comes they stay what they were.

        Where packets come one now and then, so that nothing can be measured, they are forgotten: a burst is not believed for ever.
        """
        if now - self.last_at > QUIET_S:
            if now - self.last_at > PAUSED_S and self._measured:
                self._measured.clear()
                self._sparse += 1
                if self._sparse >= SPARSE:
                    self._rates = (0.0,) * len(self._rates)
            return
        totals = tuple(self.by_tid)
        if self._measured:
            at, before = self._measured[0]
            if now - at >= MIN_RATE_S:
                total = 0.0
                rates = []
                for old, new in zip(before, totals, strict=True):
                    total += 8 * (new - old) / (now - at)
                    rates.append(total)
                self._rates = tuple(rates)
                self._sparse = 0
        self._measured.append((now, totals))

    @property
    def rates(self) -> tuple[float, ...]:
        """Bits per second on the wire over the last second or so, by temporal id: each with all below it."""
        return self._rates

    @property
    def jitter_s(self) -> float:
        """RFC 3550 section 6.4.1, in seconds."""
        return self._jitter / self.rate

    @property
    def lost(self) -> int:
        """Packets that have not come, nor come again; falls when one comes late."""
        return 0 if self.max_seq < 0 else max(0, (self.cycles << 16 | self.max_seq) - self._base + 1 - self.packets)

    @property
    def expected(self) -> int:
        """Packets sent so far, by their numbers."""
        return 0 if self.max_seq < 0 else (self.cycles << 16 | self.max_seq) - self._base + 1

    def retire(self) -> None:
        """It has lost its SSRC: nothing comes any more."""

    # ---- ring

    def keep(self, entry: RingEntry) -> None:
        self._ring[entry.seq & (len(self._ring) - 1)] = entry

    def kept(self, seq: int) -> RingEntry | None:
        entry = self._ring[seq & (len(self._ring) - 1)]
        return entry if entry is not None and entry.seq == seq else None

    def clear_ring(self) -> None:
        """Forget every kept packet: nothing of a closed source is sent again."""
        self._ring[:] = [None] * len(self._ring)

    def pass_over(self, *, unheard: bool) -> None:
        """Wait no longer for what is missing. Call for each packet behind a shut gate, and for the first after it (no longer
        ``unheard``): what comes late of before is refused, and nobody asks for it."""
        self.unheard = unheard
        self._missing.clear()

    def missing(self, seq: int) -> bool:
        return seq in self._missing

    # ---- feedback

    def nacks_due(self, now: float, rtt_s: float | None = None) -> list[int]:
        """Sequence numbers to ask for now; entries that are too old or were asked for often enough are given up.

        The same number is asked for again when its answer should have come.
        """
        if not self._missing:
            return []
        again = NACK_AGAIN_S if rtt_s is None else min(max(MIN_NACK_AGAIN_S, 1.2 * rtt_s + 0.02), MAX_NACK_AGAIN_S)
        longest = NACK_AGE_S if self.kind == "video" else VOICE_NACK_AGE_S
        due: list[int] = []
        given_up: list[int] = []
        for seq, entry in self._missing.items():
            first, last, tries = entry
            if now - first > longest or tries >= NACK_TRIES:
                given_up.append(seq)
                self.missed += not tries
            elif self.nack and (last < 0 or now - last >= again):
                self.missed += not tries
                entry[1] = now
                entry[2] = tries + 1
                due.append(seq)
        for seq in given_up:
            del self._missing[seq]
        if given_up and self.kind == "video":
            self.wants_key = True
        self.nacked += len(due)
        return due

    def note_sender_report(self, ntp: int, rtp: int, now: float) -> None:
        """``ntp``: the 64-bit timestamp of the SR (RFC 3550 section 6.4.1)."""
        self.sr_ntp = ntp / 4294967296.0
        self.sr_ntp_mid = ntp >> 16 & 0xFFFFFFFF
        self.sr_rtp = rtp
        self.sr_at = now
        self.clock.note(self.sr_ntp, now)

    def rtp_at(self, now: float) -> int:
        """The publisher's RTP timestamp at our ``now``: by its sender report, else by its last packet. Modulo 2**32."""
        ntp = self.clock.ntp_at(now)
        if ntp is not None and self.sr_ntp is not None:
            return int(self.sr_rtp + (ntp - self.sr_ntp) * self.rate) & 0xFFFFFFFF
        return int(self.last_ts + (now - self.last_at) * self.rate) & 0xFFFFFFFF

    def timed(self, now: float) -> bool:
        """Whether ``rtp_at`` is when things were captured. Of a picture before its first report it is when they came, which is later by
        its encoding and pacing; who never reports is taken at that.
        """
        return self.sr_ntp is not None or self.kind == "audio" or now - self.first_at > REPORTS_WITHIN_S

    def report(self, now: float) -> ReportBlock:
        """The block for a receiver report; loss since the last call (RFC 3550 A.3)."""
        extended = self.cycles << 16 | self.max_seq
        expected = extended - self._base + 1
        lost = max(-0x800000, min(0x7FFFFF, expected - self.packets))
        expected_interval = expected - self._prior_expected
        received_interval = self.packets - self._prior_received
        self._prior_expected = expected
        self._prior_received = self.packets
        lost_interval = expected_interval - received_interval
        fraction = 0 if expected_interval <= 0 or lost_interval <= 0 else min(255, (lost_interval << 8) // expected_interval)
        self.loss = fraction / 256
        delay = 0
        if self.sr_ntp is not None:
            delay = min(0xFFFFFFFF, int((now - self.sr_at) * 65536))
        return ReportBlock(
            self.ssrc, fraction, lost, extended & 0xFFFFFFFF, int(self._jitter) & 0xFFFFFFFF, self.sr_ntp_mid, delay
        )
