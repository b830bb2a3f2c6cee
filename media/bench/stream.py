"""A camera as a browser sends it: VP8 in three temporal layers, transport-wide numbers, sender reports. Sans I/O.

RFC 7741 section 4.2 (descriptor), RFC 6386 section 9.1 (key frame header), RFC 3550 section 6.4.1 (reports). Every packet carries
a stamp in its payload: from which window and publisher it is, its number there, and when it was made.
"""

import struct
from typing import NamedTuple

from media.wire import rtcp

MAGIC = b"tongping"
_STAMP = struct.Struct("!8sIIIQ")
"""Magic, window, publisher, number, wall clock in ns; at ``STAMP_AT`` of the payload."""
STAMP_AT = 17
MIN_PAYLOAD_BYTES = STAMP_AT + _STAMP.size
FRAME_PACKETS = 8
LAYERS = 3
_PATTERN = ((0, False), (2, True), (1, True), (2, False))
"""(temporal id, layer sync) of four pictures in a row: the third needs the first, the fourth the third."""
PICTURE_PACKETS = FRAME_PACKETS * len(_PATTERN)
KEY_PACKETS = 20 * PICTURE_PACKETS
"""A key frame every so many packets, always in the lowest layer."""
TWCC_EXTENSION = 3
CLOCK_HZ = 90_000
FRAME_TICKS = 3000
_HEAD = struct.Struct("!BBHIIHHBHx")
_KEY = b"\x10\x02\x00\x9d\x01\x2a\x80\x02\xe0\x01"
"""First bytes of a key frame of 640 × 480."""
_DELTA = b"\x11\x02\x00\x00\x00\x00\x00\x00\x00\x00"


class Stamp(NamedTuple):
    window: int
    publisher: int
    number: int
    made_ns: int


class Camera:
    """``number``: packets so far. ``ssrc`` and ``payload_type`` as negotiated."""

    def __init__(self, ssrc: int, payload_type: int, payload_bytes: int) -> None:
        if payload_bytes < MIN_PAYLOAD_BYTES:
            raise ValueError(f"a payload has at least {MIN_PAYLOAD_BYTES} bytes")
        self.ssrc = ssrc
        self.payload_type = payload_type
        self.number = 0
        self._payload = bytes(payload_bytes)
        self._twcc = 0
        self._octets = 0

    def write(self, view: memoryview, stamp: Stamp, *, keys: bool) -> int:
        """The next packet into ``view``; its length. ``keys``: every picture of the lowest layer is a key frame."""
        frame, position = divmod(self.number, FRAME_PACKETS)
        tid, sync = _PATTERN[frame % len(_PATTERN)]
        key = tid == 0 and (keys or self.number % KEY_PACKETS < FRAME_PACKETS)
        marker = 0x80 if position == FRAME_PACKETS - 1 else 0
        self._twcc = (self._twcc + 1) & 0xFFFF
        _HEAD.pack_into(
            view, 0, 0x90, marker | self.payload_type, (1000 + self.number) & 0xFFFF, frame * FRAME_TICKS & 0xFFFFFFFF,
            self.ssrc, 0xBEDE, 1, TWCC_EXTENSION << 4 | 1, self._twcc,
        )  # fmt: skip
        start = _HEAD.size
        size = len(self._payload)
        view[start : start + size] = self._payload
        view[start] = 0x90 if position == 0 else 0x80
        view[start + 1] = 0xE0  # picture id, TL0PICIDX, temporal id
        struct.pack_into("!HBB", view, start + 2, 0x8000 | frame & 0x7FFF, frame // len(_PATTERN) & 0xFF, tid << 6 | sync << 5)
        if position == 0:
            view[start + 6 : start + 16] = _KEY if key else _DELTA
        _STAMP.pack_into(view, start + STAMP_AT, MAGIC, *stamp)
        self.number += 1
        self._octets += size
        return start + size

    def report(self, ntp: int) -> bytes:
        """A plain sender report. ``ntp``: the wall clock as a 64-bit NTP timestamp."""
        ts = self.number // FRAME_PACKETS * FRAME_TICKS & 0xFFFFFFFF
        report = rtcp.SenderReport(self.ssrc, ntp, ts, self.number & 0xFFFFFFFF, self._octets & 0xFFFFFFFF)
        return rtcp.build_sender_report(report) + rtcp.build_source_description(self.ssrc, "bench")


def read_stamp(view: memoryview, start: int, size: int) -> Stamp | None:
    """The stamp of a decrypted packet whose payload begins at ``start``; None when it is none of ours."""
    if size < start + MIN_PAYLOAD_BYTES:
        return None
    magic, *fields = _STAMP.unpack_from(view, start + STAMP_AT)
    return Stamp(*fields) if magic == MAGIC else None
