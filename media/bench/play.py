"""A camera and a microphone that play what was encoded once: real VP8 and real Opus, a stamp on each picture and voice. Sans I/O.

The stamp is where decoders do not look, so that what is sent stays what it is: after the last partition of a VP8 frame (RFC 6386 section
9.5: the last one goes to the end, and what is not needed is not read), and in the padding of an Opus packet (RFC 6716 section 3.2.5).
"""

import struct
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from media.bench.stream import CLOCK_HZ
from media.wire import rtcp

MAGIC = b"tongping"
_STAMP = struct.Struct("!8sIIHQ")
STAMP_BYTES = _STAMP.size
PART_BYTES = 1100
"""Of a picture in one packet."""
PICTURES_PER_S = 30
VOICE_S = 0.02
VOICE_HZ = 48_000
SPOKEN = 0x80 | 30
"""RFC 6464: voice activity, 30 dB below the loudest."""
_NTP_EPOCH_NS = 2_208_988_800 * 1_000_000_000
_HEAD = struct.Struct("!BBHIIHH")


class Clip(msgspec.Struct, frozen=True):
    """``pictures``: VP8 frames, the first a key frame, to be shown ``PICTURES_PER_S``. ``voices``: Opus packets of 20 ms, one frame each."""

    pictures: tuple[bytes, ...]
    voices: tuple[bytes, ...]


class Stamp(NamedTuple):
    """Of a whole frame, in its last packet. ``first``: packets that the source had sent before it. ``packets``: of the frame."""

    source: int
    first: int
    packets: int
    made_ns: int


def read_stamp(view: memoryview, start: int, end: int) -> Stamp | None:
    """The stamp at the end of a payload; None: this is no last packet of a frame of ours."""
    at = end - STAMP_BYTES
    if at < start or view[at : at + 8] != MAGIC:
        return None
    return Stamp(*_STAMP.unpack_from(view, at)[1:])


class Source:
    """What camera and microphone have in common. ``viewers``: how many should receive it. ``number``: packets so far.

    Subclasses give ``period_s``, ``clock_hz`` and ``_payloads``.
    """

    period_s: float
    clock_hz: int
    spoken = False

    def __init__(self, index: int, ssrc: int, payload_type: int, extension: int) -> None:
        """``extension``: the number of the header extension that it sends; 0: none."""
        self.index = index
        self.ssrc = ssrc
        self.number = 0
        self.viewers = 0
        self.octets = 0
        self._payload_type = payload_type
        self._extension = extension
        self._frames = 0
        self._made_ns = 0

    def frame(self, made_ns: int) -> list[bytes]:
        """The RTP packets of the next frame, the stamp in the last of them."""
        payloads = self._payloads()
        stamp = _STAMP.pack(MAGIC, self.index, self.number & 0xFFFFFFFF, len(payloads), made_ns)
        packets = []
        last = len(payloads) - 1
        for position, payload in enumerate(payloads):
            marker = 0x80 if position == last and not self.spoken else 0
            body = payload + stamp if position == last else payload
            packets.append(self._head(marker) + body)
            self.number += 1
            self.octets += len(body)
        self._frames += 1
        self._made_ns = made_ns
        return packets

    def restart(self) -> None:
        """Somebody needs a key frame."""

    def report(self, ntp: int) -> bytes:
        """A plain sender report. ``ntp``: the wall clock as a 64-bit NTP timestamp."""
        since_ns = (ntp * 1_000_000_000 >> 32) - _NTP_EPOCH_NS - self._made_ns
        ts = self._ticks(self._frames - 1) + since_ns * self.clock_hz // 1_000_000_000
        report = rtcp.SenderReport(self.ssrc, ntp, ts & 0xFFFFFFFF, self.number & 0xFFFFFFFF, self.octets & 0xFFFFFFFF)
        return rtcp.build_sender_report(report) + rtcp.build_source_description(self.ssrc, "bench")

    def _ticks(self, frame: int) -> int:
        return round(frame * self.period_s * self.clock_hz)

    def _head(self, marker: int) -> bytes:
        """Header with one header extension of one or two bytes (RFC 8285 section 4.2)."""
        seq, ts = (1000 + self.number) & 0xFFFF, self._ticks(self._frames) & 0xFFFFFFFF
        first = 0x90 if self._extension else 0x80
        head = _HEAD.pack(first, marker | self._payload_type, seq, ts, self.ssrc, 0xBEDE, 1)
        return head + self._extended() if self._extension else head[:12]

    def _extended(self) -> bytes:
        raise NotImplementedError

    def _payloads(self) -> Sequence[bytes]:
        raise NotImplementedError


class Picture(Source):
    """``extension``: of the transport-wide number."""

    period_s = 1 / PICTURES_PER_S
    clock_hz = CLOCK_HZ

    def __init__(self, index: int, ssrc: int, payload_type: int, extension: int, clip: Clip) -> None:
        super().__init__(index, ssrc, payload_type, extension)
        self._pictures = [_parts(picture) for picture in clip.pictures]
        self._at = 0

    def restart(self) -> None:
        self._at = 0

    def _extended(self) -> bytes:
        number = (self.number + 1) & 0xFFFF
        return bytes((self._extension << 4 | 1, number >> 8, number & 0xFF, 0))

    def _payloads(self) -> Sequence[bytes]:
        """RFC 7741 section 4.2: descriptor with a picture id of 15 bits."""
        parts = self._pictures[self._at]
        self._at = (self._at + 1) % len(self._pictures)
        pid = struct.pack("!H", 0x8000 | self._frames & 0x7FFF)
        return [(b"\x80\x80" if position else b"\x90\x80") + pid + part for position, part in enumerate(parts)]


def _parts(picture: bytes) -> tuple[bytes, ...]:
    return tuple(picture[at : at + PART_BYTES] for at in range(0, len(picture), PART_BYTES))


class Voice(Source):
    """``extension``: of the level (RFC 6464)."""

    period_s = VOICE_S
    clock_hz = VOICE_HZ
    spoken = True

    def __init__(self, index: int, ssrc: int, payload_type: int, extension: int, clip: Clip) -> None:
        super().__init__(index, ssrc, payload_type, extension)
        self._voices = [padded(voice, STAMP_BYTES) for voice in clip.voices]

    def _extended(self) -> bytes:
        return bytes((self._extension << 4, SPOKEN, 0, 0))

    def _payloads(self) -> Sequence[bytes]:
        return (self._voices[self._frames % len(self._voices)],)


def padded(packet: bytes, room: int) -> bytes:
    """An Opus packet of one frame (code 0) as one of code 3 that wants ``room`` (≤ 254) bytes of padding after it.

    RFC 6716 section 3.2.5. Raises ValueError when it has another code or is empty.
    """
    if not packet or packet[0] & 3:
        raise ValueError("not an Opus packet of one frame")
    return bytes((packet[0] | 3, 0x41, room)) + packet[1:]
