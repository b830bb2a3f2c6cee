"""One slot on its way out: whatever it shows, its SSRC, sequence numbers, timestamps and picture ids go on unbroken. Sans I/O.

RFC 3550 (headers), RFC 7741 section 4.2 (VP8 counters), RFC 4588 (retransmission), RFC 8285 (extensions).
What goes out is arithmetic on what came in: an ``Epoch`` holds the differences since the last switch, so nothing is stored
per forwarded packet; a retransmission is rebuilt from the publisher's ring by the same arithmetic.
"""

import struct
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

from media.head import Head
from media.rtcp import ReportBlock
from media.sdp import ExtensionIds
from media.uplink import RingEntry, Uplink

RESENDS_PER_PACKET = 6
RESEND_GAP_S = 0.02
"""The same packet is not sent again within this time: browsers repeat NACKs."""
_RESENT = 512
EPOCHS = 4
MAX_CORRECTION_S = 0.25


class SlotCodec(NamedTuple):
    """How the subscriber receives a codec in this slot. ``rtx``: payload type of its retransmissions, or None."""

    payload_type: int
    rtx: int | None
    nack: bool


class Epoch:
    """The differences out − in since a switch to ``uplink``; ``first_out`` is the first number sent under them."""

    __slots__ = ("codec", "first_in", "first_out", "pid_off", "seq_off", "tl0_off", "ts_off", "uplink")

    def __init__(
        self, uplink: Uplink, codec: SlotCodec, first_in: int, first_out: int, ts_off: int, pid_off: int, tl0_off: int
    ) -> None:
        self.uplink = uplink
        self.codec = codec
        self.first_in = first_in
        self.first_out = first_out
        self.seq_off = (first_out - first_in) & 0xFFFF
        self.ts_off = ts_off
        self.pid_off = pid_off
        self.tl0_off = tl0_off


class Downlink:
    """One slot of one subscriber. ``codecs``: codec key (see ``sdp.Codec.key``) → how it is received here.

    ``tx``, ``peer`` and ``batch`` belong to the forwarder, which keeps what it needs here and nowhere else.
    """

    __slots__ = (
        "_clock", "_resent", "batch", "cname", "codecs", "destination", "epochs", "head", "kind", "last_at", "loss", "mid", "nacked", "octets",
        "out_pid", "out_seq", "out_tl0", "out_ts", "packets", "payload_type", "peer", "pending", "pid_off", "rate", "refused",
        "resent", "rtt_s", "rtx_head", "rtx_seq", "seq_off", "ssrc", "tl0_off", "ts_off", "tx", "uplink",
    )  # fmt: skip

    def __init__(
        self,
        *,
        mid: str,
        kind: str,
        ssrc: int,
        rtx_ssrc: int,
        codecs: Mapping[str, SlotCodec],
        ids: ExtensionIds,
        first_seq: int,
        first_ts: int,
        rtx_seq: int,
        cname: str = "",
    ) -> None:
        self.mid = mid
        self.cname = cname
        self.kind = kind
        self.ssrc = ssrc
        self.codecs = dict(codecs)
        self.head = Head(ssrc, mid, ids, level=kind == "audio")
        self.rtx_head = Head(rtx_ssrc, mid, ids, level=False)
        self.rate = 48000 if kind == "audio" else 90000
        self.out_seq = (first_seq - 1) & 0xFFFF
        self.out_ts = first_ts
        self.out_pid = self.out_tl0 = -1
        self.last_at = -1.0
        self._clock: tuple[float, int] | None = None
        self.rtx_seq = rtx_seq
        self.payload_type = 0
        self.seq_off = self.ts_off = self.pid_off = self.tl0_off = 0
        self.uplink: Uplink | None = None
        self.pending: Uplink | None = None
        self.epochs: deque[Epoch] = deque(maxlen=EPOCHS)
        self.packets = self.octets = self.resent = self.nacked = self.refused = 0
        self._resent: list[tuple[int, int, float]] = [(-1, 0, 0.0)] * _RESENT
        self.loss = 0.0
        self.rtt_s: float | None = None
        self.tx: Any = None
        self.peer: Any = None
        self.batch: Any = None
        self.destination: Any = None

    # ---- what it shows

    def want(self, uplink: Uplink, codec_key: str, now: float) -> bool:
        """Show this from its next key frame on (audio: from its next packet). False when the subscriber cannot receive it."""
        codec = self.codecs.get(codec_key)
        if codec is None:
            return False
        if self.uplink is not None and self.uplink is not uplink and self.uplink.kind == "audio":
            self.detach(now)
        if uplink is not self.uplink:
            self.pending = uplink
        else:
            self.pending = None
        return True

    def detach(self, now: float) -> None:
        """Show nothing from the next packet on; what was sent cannot be sent again."""
        self._settle(now)
        self.uplink = self.pending = None
        self.epochs.clear()

    def _settle(self, now: float) -> None:
        """Write down the newest numbers sent, which until now followed from the source's."""
        source = self.uplink
        if source is None or not self.epochs:
            return
        self._clock = now, (source.rtp_at(now) + self.ts_off) & 0xFFFFFFFF
        self._write((source.max_seq, source.last_ts, source.last_pid, source.last_tl0, source.last_at))

    def _write(self, newest: tuple[int, int, int, int, float]) -> None:
        seq, ts, pid, tl0, at = newest
        self.out_seq = (seq + self.seq_off) & 0xFFFF
        self.out_ts = (ts + self.ts_off) & 0xFFFFFFFF
        if pid >= 0:
            self.out_pid = (pid + self.pid_off) & 0x7FFF
        if tl0 >= 0:
            self.out_tl0 = (tl0 + self.tl0_off) & 0xFF
        self.last_at = at

    def switch(self, uplink: Uplink, codec: SlotCodec, seq: int, ts: int, vp8: tuple[Any, ...] | None, now: float) -> None:
        """Go over to ``uplink`` with this packet, its newest.

        Sequence numbers go on by one, picture id and TL0 by one; the slot's time goes on as its sender reports said, so that
        lips stay in step with voices.
        """
        self._settle(now)
        self.ts_off = self._offset(uplink, ts, now)
        self.pid_off = self.tl0_off = 0
        if vp8 is not None:
            if vp8[3] >= 0 and self.out_pid >= 0:
                self.pid_off = (self.out_pid + 1 - vp8[4]) & 0x7FFF
            if vp8[5] >= 0 and self.out_tl0 >= 0:
                self.tl0_off = (self.out_tl0 + 1 - vp8[6]) & 0xFF
        epoch = Epoch(uplink, codec, seq, (self.out_seq + 1) & 0xFFFF, self.ts_off, self.pid_off, self.tl0_off)
        self.seq_off = epoch.seq_off
        self.epochs.append(epoch)
        self.uplink = uplink
        self.pending = None
        self.payload_type = codec.payload_type

    def _offset(self, uplink: Uplink, ts: int, now: float) -> int:
        """From the new source's timestamps to the slot's: by both clocks where they can be believed, else by the time passed.

        They are not where time would stand still, or where they differ from the time passed by more than ``MAX_CORRECTION_S``:
        a first sender report that was seconds on its way would make the receiver wait for as long.
        """
        elapsed = 0 if self.last_at < 0 else max(self.rate // 100, int((now - self.last_at) * self.rate))
        if self._clock is not None:
            at, was = self._clock
            offset = was + int((now - at) * self.rate) - uplink.rtp_at(now)
            ahead = (ts + offset - self.out_ts + 0x80000000 & 0xFFFFFFFF) - 0x80000000
            if ahead >= self.rate // 100 and abs(ahead - elapsed) <= MAX_CORRECTION_S * self.rate:
                return offset & 0xFFFFFFFF
        return (self.out_ts + elapsed - ts) & 0xFFFFFFFF

    def restarted(self, uplink: Uplink, before: tuple[int, int, int, int, float]) -> None:
        """The source's numbers jumped; ``before``: its (max_seq, last_ts, last_pid, last_tl0, last_at). Waits for a key frame."""
        if self.uplink is not uplink or not self.epochs:
            return
        self._write(before)
        self._clock = None
        self.epochs.clear()
        self.uplink = None
        self.pending = uplink

    def before_switch(self, seq: int) -> bool:
        """True for a late packet from before the current switch: it has no number here."""
        return not self.epochs or (seq - self.epochs[-1].first_in) & 0xFFFF >= 0x8000

    def age(self) -> None:
        """Now and then (before 2**15 packets passed): keep comparisons with the start of an epoch unambiguous."""
        if not self.epochs:
            return
        epoch = self.epochs[-1]
        if (epoch.uplink.max_seq - epoch.first_in) & 0xFFFF > 0x4000:
            epoch.first_in = (epoch.uplink.max_seq - 0x2000) & 0xFFFF
            epoch.first_out = (epoch.first_in + epoch.seq_off) & 0xFFFF
            while len(self.epochs) > 1:
                self.epochs.popleft()

    # ---- retransmission

    def find(self, out_seq: int) -> tuple[Epoch, int] | None:
        """Under which epoch, and from which incoming number, a number was sent."""
        for epoch in reversed(self.epochs):
            if (out_seq - epoch.first_out) & 0xFFFF < 0x8000:
                return epoch, (out_seq - epoch.seq_off) & 0xFFFF
        return None

    def may_resend(self, out_seq: int, now: float) -> bool:
        """Counts a resend and says whether it is within the limits."""
        seq, times, last = self._resent[out_seq & (_RESENT - 1)]
        if seq != out_seq:
            times, last = 0, -1.0
        if times >= RESENDS_PER_PACKET or (times and now - last < RESEND_GAP_S):
            return False
        self._resent[out_seq & (_RESENT - 1)] = (out_seq, times + 1, now)
        return True

    def rebuild(self, epoch: Epoch, entry: RingEntry, twcc: int) -> bytes:
        """The packet again: on the RTX SSRC where negotiated, else as it was. ``twcc``: its new transport-wide number."""
        payload = bytearray(entry.payload)
        if entry.vp8 is not None:
            rewrite_vp8(payload, 0, entry.vp8, epoch.pid_off, epoch.tl0_off)
        seq = (entry.seq + epoch.seq_off) & 0xFFFF
        ts = (entry.ts + epoch.ts_off) & 0xFFFFFFFF
        if epoch.codec.rtx is None:
            head, kind, number, body = self.head, epoch.codec.payload_type, seq, bytes(payload)
        else:
            head, kind, number = self.rtx_head, epoch.codec.rtx, self.rtx_seq
            body = struct.pack("!H", seq) + bytes(payload)
            self.rtx_seq = (self.rtx_seq + 1) & 0xFFFF
        out = bytearray(head.size + len(body))
        pack = head.packer(len(body))
        if head.opening:
            pack(out, 0, head.b0, entry.marker | kind, number, ts, head.ssrc, head.opening, twcc, head.tail, body)
        else:
            pack(out, 0, head.b0, entry.marker | kind, number, ts, head.ssrc, head.tail, body)
        return bytes(out)

    # ---- reports

    def timestamp_at(self, now: float) -> int | None:
        """The slot's RTP timestamp at ``now`` for a sender report; None while it shows nothing."""
        if self.uplink is None or not self.epochs:
            return None
        return (self.uplink.rtp_at(now) + self.ts_off) & 0xFFFFFFFF

    def note_report(self, block: ReportBlock, ntp_mid: int) -> None:
        """A receiver report about this slot. ``ntp_mid``: middle 32 bits of our NTP time now (RFC 3550 section 6.4.1)."""
        self.loss = block.fraction_lost / 256
        if block.last_sr:
            rtt = (ntp_mid - block.last_sr - block.delay_since_last_sr) & 0xFFFFFFFF
            if rtt < 0x80000000:
                self.rtt_s = rtt / 65536


def rewrite_vp8(buf: bytearray | memoryview, at: int, vp8: tuple[Any, ...], pid_off: int, tl0_off: int) -> None:
    """Add the differences to picture id and TL0PICIDX of the payload that starts at ``at``, each in its own width."""
    _, _, bits, pid_at, pid, tl0_at, tl0 = vp8
    if pid_at >= 0 and pid_off:
        new = pid + pid_off
        if bits == 15:
            buf[at + pid_at] = 0x80 | new >> 8 & 0x7F
            buf[at + pid_at + 1] = new & 0xFF
        else:
            buf[at + pid_at] = new & 0x7F
    if tl0_at >= 0 and tl0_off:
        buf[at + tl0_at] = (tl0 + tl0_off) & 0xFF
