"""What a browser says of what it receives: transport-wide feedback and receiver reports. Sans I/O.

draft-holmer-rmcat-transport-wide-cc-extensions-01 and RFC 3550 section 6.4. The feedback's interval is the one that Chromium comes to
at the rates of the benchmark (its shortest); reports go out each second.
"""

import struct

from media.wire import rtcp
from media.wire.twcc import ArrivalLog

FEEDBACK_S = 0.05
REPORT_S = 1.0
RECEIVE_ONLY_SSRC = 1
"""Of who sends no media, as Chromium has it."""
_FIXED = struct.Struct("!BBHII")
_U16 = struct.Struct("!H")


def read_header(view: memoryview, size: int, twcc_id: int) -> tuple[int, int, int, int]:
    """``(SSRC, sequence number, transport-wide number or -1, where the payload begins)`` of an RTP packet.

    Header and extensions (RFC 8285 section 4.2, one-byte) are not encrypted in SRTP.
    """
    first, _, seq, _, ssrc = _FIXED.unpack_from(view)
    at = 12 + 4 * (first & 15)
    if not first & 0x10 or at + 4 > size:
        return ssrc, seq, -1, at
    start = at + 4 + 4 * (view[at + 2] << 8 | view[at + 3])
    at += 4
    wanted = twcc_id << 4 | 1
    while at < min(start, size - 2):
        head = view[at]
        if head == wanted:
            return ssrc, seq, _U16.unpack_from(view, at + 1)[0], start
        at += 1 if head == 0 else 2 + (head & 15)
    return ssrc, seq, -1, start


class Reception:
    """One SSRC as received: what a report block says of it (RFC 3550 sections 6.4.1 and A.3)."""

    __slots__ = ("_before", "base", "highest", "packets", "sr_at", "sr_mid", "ssrc")

    def __init__(self, ssrc: int, seq: int) -> None:
        self.ssrc = ssrc
        self.base = self.highest = seq
        self.packets = 0
        self.sr_mid = 0
        self.sr_at = 0.0
        self._before = (0, 0)

    def note(self, seq: int) -> None:
        self.packets += 1
        ahead = (seq - self.highest) & 0xFFFF
        if ahead < 0x8000:
            self.highest += ahead

    def block(self, now: float) -> rtcp.ReportBlock:
        expected = self.highest - self.base + 1
        before_expected, before_packets = self._before
        self._before = expected, self.packets
        new = expected - before_expected
        lost = max(0, new - (self.packets - before_packets))
        fraction = min(255, (lost << 8) // new) if new > 0 else 0
        delay = int((now - self.sr_at) * 65536) if self.sr_mid else 0
        total = max(0, expected - self.packets)
        return rtcp.ReportBlock(self.ssrc, fraction, total, self.highest & 0xFFFFFFFF, 0, self.sr_mid, delay)


class Viewer:
    """``ssrc``: its own. ``twcc_id``: of the transport-wide number's header extension, 0 where there is none.

    ``feedbacks``: packets of transport-wide feedback made so far.
    """

    def __init__(self, ssrc: int, twcc_id: int) -> None:
        self.ssrc = ssrc
        self.twcc_id = twcc_id
        self.feedbacks = 0
        self._arrivals = ArrivalLog()
        self._streams: dict[int, Reception] = {}
        self._last = 0
        self._feedback_at = self._report_at = 0.0

    def note(self, ssrc: int, seq: int, number: int, arrival_us: int) -> None:
        """A packet came in, number -1: without a transport-wide one."""
        if number >= 0:
            self._arrivals.add(number, arrival_us)
        stream = self._streams.get(ssrc)
        if stream is None:
            stream = self._streams[ssrc] = Reception(ssrc, seq)
        stream.note(seq)
        self._last = ssrc

    def on_rtcp(self, plain: bytes, now: float) -> None:
        """A decrypted compound packet. Raises RtcpError."""
        for packet in rtcp.parse_compound(plain):
            if isinstance(packet, rtcp.SenderReport):
                stream = self._streams.get(packet.ssrc)
                if stream is not None:
                    stream.sr_mid, stream.sr_at = packet.ntp >> 16 & 0xFFFFFFFF, now

    def due(self, now: float) -> list[bytes]:
        """Plain RTCP to be sent now. Call each ``FEEDBACK_S``."""
        packets = self._arrivals.build(self.ssrc, self._last)
        self.feedbacks += len(packets)
        if self._streams and now - self._report_at >= REPORT_S:
            self._report_at = now
            blocks = tuple(stream.block(now) for stream in self._streams.values())[: rtcp.MAX_COUNT]
            report = rtcp.build_receiver_report(rtcp.ReceiverReport(self.ssrc, blocks))
            packets.append(report + rtcp.build_source_description(self.ssrc, "bench"))
        return packets
