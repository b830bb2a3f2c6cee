"""Differences between what comes in and what goes out, for as long as they stay the same. Sans I/O.

RFC 7741 section 4.2 (VP8's picture id and TL0PICIDX).
"""

from typing import NamedTuple

from media.relay.uplink import Uplink
from media.wire.payload import Vp8

EVERYTHING = 3
"""As a highest temporal id: no layer is left out (the field has two bits)."""


class SlotCodec(NamedTuple):
    """How the subscriber receives a codec in this slot. ``rtx``: payload type of its retransmissions, or None."""

    payload_type: int
    rtx: int | None
    nack: bool


class Epoch:
    """The differences out − in from ``first_in`` on, until the next epoch; ``first_out`` is the first number sent under them.

    A new one begins with a switch of sources, after packets that were left out, and when ``cut``, the highest temporal id that is
    sent, changes.
    """

    __slots__ = ("codec", "cut", "first_in", "first_out", "pid_off", "seq_off", "tl0_off", "ts_off", "uplink")

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


def rewrite_vp8(buf: bytearray | memoryview, at: int, vp8: Vp8, pid_off: int, tl0_off: int) -> None:
    """Add the differences to picture id and TL0PICIDX of the payload that starts at ``at``, each in its own width."""
    _, _, bits, pid_at, pid, tl0_at, tl0, _, _ = vp8
    if pid_at >= 0 and pid_off:
        new = pid + pid_off
        if bits == 15:
            buf[at + pid_at] = 0x80 | new >> 8 & 0x7F
            buf[at + pid_at + 1] = new & 0xFF
        else:
            buf[at + pid_at] = new & 0x7F
    if tl0_at >= 0 and tl0_off:
        buf[at + tl0_at] = (tl0 + tl0_off) & 0xFF
