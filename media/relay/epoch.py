"""Differences between what comes in and what goes out, for as long as they stay the same. Sans I/O.

RFC 7741 section 4.2 (VP8's picture id and TL0PICIDX), RFC 9628 section 4.2 (VP9's, written in the same way), RFC 2198 (voices with
redundancy).
"""

from typing import NamedTuple

from media.relay.uplink import RingEntry, Uplink
from media.wire.payload import Descriptor
from media.wire.red import reach, renumbered

EVERYTHING = 3
"""As a highest temporal id: no layer is left out (VP8's field has two bits; of VP9's three, higher ids count as this)."""


class SlotCodec(NamedTuple):
    """How the subscriber receives a codec in this slot. ``rtx``: payload type of its retransmissions, or None. ``red``: of a voice with
    redundancy (RFC 2198), 0: not negotiated."""

    payload_type: int
    rtx: int | None
    nack: bool
    red: int = 0


class Epoch:
    """The differences out − in from ``first_in`` on, until the next epoch; ``first_out`` is the first number sent under them.

    A new one begins with a switch of sources, after packets that were left out, and when ``cut``, the highest temporal id that is
    sent, or ``red``, the payload type of a voice with redundancy (0: that is taken off), changes. ``since`` is the timestamp, as it came
    in, of the first frame of which that is so; ``least`` the lowest ``cut`` from then on, where several followed with nothing sent.
    ``opened``: number and timestamp, as they came in, of the first packet that the slot showed of its source; None: long ago.
    """

    __slots__ = (
        "codec",
        "cut",
        "first_in",
        "first_out",
        "least",
        "opened",
        "pid_off",
        "red",
        "seq_off",
        "since",
        "tl0_off",
        "ts_off",
        "uplink",
    )

    def __init__(
        self,
        uplink: Uplink,
        codec: SlotCodec,
        first_in: int,
        first_out: int,
        ts_off: int,
        pid_off: int,
        tl0_off: int,
        cut: int = EVERYTHING,
        red: int = 0,
        since: int = 0,
        least: int = EVERYTHING,
        opened: tuple[int, int] | None = None,
    ) -> None:
        self.uplink = uplink
        self.codec = codec
        self.first_in = first_in
        self.first_out = first_out
        self.seq_off = (first_out - first_in) & 0xFFFF
        self.ts_off = ts_off
        self.pid_off = pid_off
        self.tl0_off = tl0_off
        self.cut = cut
        self.since = since
        self.least = min(least, cut)
        self.red = red
        self.opened = opened

    def voice(self, packet: RingEntry) -> tuple[int, bytes]:
        """Payload type and payload with which a voice's packet leaves, whenever it does: the first time, late, or again.

        Redundancy of what was said before the slot was let in (behind a shut gate, in another circle) is taken off.
        """
        payload, primary = packet.payload, packet.primary
        if not primary:
            return self.codec.payload_type, payload
        if not self.red or self._earlier(packet):
            return self.codec.payload_type, payload[primary:]
        return self.red, renumbered(payload, self.codec.payload_type)

    def _earlier(self, packet: RingEntry) -> bool:
        """Whether the redundancy of this packet goes back to before the slot showed its source, by numbers or by time."""
        if self.opened is None:
            return False
        seq, ts = self.opened
        blocks, offset = reach(packet.payload)
        return (packet.seq - seq) & 0xFFFF < blocks or 0 < (ts + offset - packet.ts) & 0xFFFFFFFF < 0x80000000


def rewrite(buf: bytearray | memoryview, at: int, header: Descriptor, pid_off: int, tl0_off: int) -> None:
    """Add the differences to picture id and TL0PICIDX of the payload that starts at ``at``, each in its own width."""
    _, _, bits, pid_at, pid, tl0_at, tl0, _, _ = header
    if pid_at >= 0 and pid_off:
        new = pid + pid_off
        if bits == 15:
            buf[at + pid_at] = 0x80 | new >> 8 & 0x7F
            buf[at + pid_at + 1] = new & 0xFF
        else:
            buf[at + pid_at] = new & 0x7F
    if tl0_at >= 0 and tl0_off:
        buf[at + tl0_at] = (tl0 + tl0_off) & 0xFF
