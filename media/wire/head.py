"""Header templates of what is sent on one SSRC: a whole packet is written in one call. Sans I/O.

RFC 3550 section 5.1, RFC 8285 section 4.2 (one-byte extensions).
"""

import struct
from collections.abc import Callable

from media.wire.sdp import ExtensionIds

_MID_LIMIT = 16

Packer = Callable[..., None]
_packers: dict[tuple[bool, int], dict[int, Packer]] = {}


class Head:
    """Fixed parts of the header of one SSRC: RTP, then at most TWCC, mid and audio level as one-byte extensions."""

    __slots__ = ("b0", "level_at", "opening", "packers", "size", "ssrc", "tail")

    def __init__(self, ssrc: int, mid: str, ids: ExtensionIds, *, level: bool) -> None:
        self.ssrc = ssrc
        tail = b""
        name = mid.encode()
        if 0 < ids.mid < 15 and 0 < len(name) <= _MID_LIMIT:
            tail += bytes((ids.mid << 4 | len(name) - 1,)) + name
        level_in_tail = -1
        if level and 0 < ids.audio_level < 15:
            level_in_tail = len(tail) + 1
            tail += bytes((ids.audio_level << 4, 127))
        twcc = 0 < ids.twcc < 15
        length = len(tail) + (3 if twcc else 0)
        tail += bytes(-length % 4)
        words = (length + 3) // 4
        opening = struct.pack("!HH", 0xBEDE, words) if words else b""
        self.b0 = 0x90 if words else 0x80
        if twcc:
            self.opening = opening + bytes((ids.twcc << 4 | 1,))
            self.tail = tail
        else:
            self.opening = b""
            self.tail = opening + tail
        self.size = 12 + 4 * words + (4 if words else 0)
        before_tail = self.size - len(tail)
        self.level_at = before_tail + level_in_tail if level_in_tail >= 0 else 0
        self.packers = _packers.setdefault((twcc, len(self.tail)), {})

    def packer(self, payload_size: int) -> Packer:
        """Writes a whole packet at once. With TWCC: (buf, 0, b0, b1, seq, ts, ssrc, opening, twcc seq, tail, payload)."""
        found = self.packers.get(payload_size)
        if found is None:
            middle = "5sH" if self.opening else ""
            found = struct.Struct(f"!BBHII{middle}{len(self.tail)}s{payload_size}s").pack_into
            self.packers[payload_size] = found
        return found
