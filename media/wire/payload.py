"""Reading payload headers: which packet starts a key frame, how tall it is, and where VP8 and VP9 keep their counters. Sans I/O.

VP8: RFC 7741 section 4.2, RFC 6386 section 9.1 (its key frame header). VP9: RFC 9628 section 4.2. H.264: ``h264``. AV1: RTP Payload
Format for AV1 v1.0, section 4.4; without a dependency descriptor, which the relay does not negotiate, it has no counters. Every reader answers for any bytes: what is cut short or nonsense is "no key frame", never an exception.
"""

from collections.abc import Callable

from media.wire.h264 import h264_height, h264_key
from media.wire.rtp import Buffer

Descriptor = tuple[bool, bool, int, int, int, int, int, int, bool]
"""What ``vp8`` and ``vp9`` say of a payload."""
NO_DESCRIPTOR: Descriptor = (False, False, 0, -1, 0, -1, 0, 0, False)


def vp8(buf: Buffer, start: int, end: int) -> Descriptor:
    """``(frame starts, is key, picture id width in bits 0|7|15, its offset, its value, TL0PICIDX offset, its value, temporal id,
    layer sync)``.

    Offsets count from the start of the payload and are -1 where the field is absent; without a temporal id it is 0. Layer sync:
    the frame needs nothing but frames of temporal id 0. A cut header gives ``NO_DESCRIPTOR``.
    """
    if end <= start or end > len(buf):
        return NO_DESCRIPTOR
    first = buf[start]
    at = start + 1
    bits = pid = tl0 = tid = 0
    sync = False
    pid_at = tl0_at = -1
    if first & 0x80:
        if at >= end:
            return NO_DESCRIPTOR
        flags = buf[at]
        at += 1
        if flags & 0x80:
            if at >= end:
                return NO_DESCRIPTOR
            pid_at = at - start
            pid = buf[at]
            if pid & 0x80:
                if at + 1 >= end:
                    return NO_DESCRIPTOR
                pid = (pid & 0x7F) << 8 | buf[at + 1]
                bits = 15
                at += 2
            else:
                bits = 7
                at += 1
        if flags & 0x40:
            if at >= end:
                return NO_DESCRIPTOR
            tl0_at = at - start
            tl0 = buf[at]
            at += 1
        if flags & 0x30:
            if flags & 0x20 and at < end:
                tid = buf[at] >> 6
                sync = bool(buf[at] & 0x20)
            at += 1
    if at >= end:
        return NO_DESCRIPTOR
    begins = bool(first & 0x10) and not first & 0x07
    return begins, begins and not buf[at] & 1, bits, pid_at, pid, tl0_at, tl0, tid, sync


def vp8_height(buf: Buffer, start: int, end: int) -> int:
    """Lines of the picture, from the first packet of a VP8 key frame (RFC 6386 section 9.1); 0 when it does not say."""
    if end <= start or end > len(buf):
        return 0
    at = start + 1
    if buf[start] & 0x80:
        if at >= end:
            return 0
        flags = buf[at]
        at += 1
        if flags & 0x80:
            if at >= end:
                return 0
            at += 2 if buf[at] & 0x80 else 1
        at += bool(flags & 0x40) + bool(flags & 0x30)
    if at + 10 > end or buf[at] & 1 or bytes(buf[at + 3 : at + 6]) != b"\x9d\x01\x2a":
        return 0
    return (buf[at + 9] << 8 | buf[at + 8]) & 0x3FFF


def vp9(buf: Buffer, start: int, end: int) -> Descriptor:
    """As ``vp8``; temporal ids above 3 (the field has three bits) count as 3.

    Layer sync is the bit U: later pictures of higher layers need nothing of those layers from before this one. A key frame is of the
    lowest spatial layer and one in the frame's own header too (VP9 bitstream specification 6.2): an intra-only frame starts nothing.
    """
    if end <= start or end > len(buf):
        return NO_DESCRIPTOR
    first = buf[start]
    at = start + 1
    bits = pid = tl0 = tid = sid = 0
    sync = False
    pid_at = tl0_at = -1
    if first & 0x80:  # I: picture id
        if at >= end:
            return NO_DESCRIPTOR
        pid_at = at - start
        pid = buf[at]
        bits = 7
        at += 1
        if pid & 0x80:
            if at >= end:
                return NO_DESCRIPTOR
            pid = (pid & 0x7F) << 8 | buf[at]
            bits = 15
            at += 1
    if first & 0x20:  # L: layer indices
        if at >= end:
            return NO_DESCRIPTOR
        tid = min(buf[at] >> 5, 3)
        sync = bool(buf[at] & 0x10)
        sid = buf[at] >> 1 & 7
        at += 1
        if not first & 0x10:  # not F: flexible mode, which has no TL0PICIDX
            if at >= end:
                return NO_DESCRIPTOR
            tl0_at = at - start
            tl0 = buf[at]
            at += 1
    if at >= end:
        return NO_DESCRIPTOR
    begins = bool(first & 0x08) and not sid
    key = begins and not first & 0x40
    if key:
        at = _after_structure(buf, at, end) if first & 0x02 else at
        key = at < end and buf[at] & 0xCC == 0x80  # frame_marker 2, show_existing_frame 0, frame_type 0
    return begins, key, bits, pid_at, pid, tl0_at, tl0, tid, sync


def _after_structure(buf: Buffer, at: int, end: int) -> int:
    """Where VP9's scalability structure (RFC 9628 section 4.2.1) that begins at ``at`` ends; ``end`` when it is cut."""
    if at >= end:
        return end
    first = buf[at]
    at += 1
    if first & 0x10:  # Y: width and height of each spatial layer
        at += 4 * ((first >> 5) + 1)
    if first & 0x08:  # G: a group of pictures
        if at >= end:
            return end
        pictures = buf[at]
        at += 1
        for _ in range(pictures):
            if at >= end:
                return end
            at += 1 + (buf[at] >> 2 & 3)
    return min(at, end)


def vp9_height(buf: Buffer, start: int, end: int) -> int:
    """Lines of the picture (of its highest spatial layer), from the first packet of a VP9 key frame; 0 when it does not say.

    Where the descriptor has no sizes, the frame's header has (profile 0; VP9 bitstream specification 6.2 and 7.2).
    """
    if not vp9(buf, start, end)[1]:
        return 0
    first = buf[start]
    at = start + 1
    if first & 0x80:
        at += 2 if buf[at] & 0x80 else 1
    if first & 0x20:
        at += 1 if first & 0x10 else 2
    if first & 0x02:
        layers = buf[at] >> 5
        if buf[at] & 0x10:
            last = at + 1 + 4 * layers + 2
            return buf[last] << 8 | buf[last + 1]
        at = _after_structure(buf, at, end)
    if buf[at] & 0x30 or bytes(buf[at + 1 : at + 4]) != b"\x49\x83\x42" or at + 9 > end:
        return 0
    rest = int.from_bytes(buf[at + 4 : at + 9], "big")  # colour space 3 bits, range 1, width - 1 and height - 1 16 each
    return (rest >> 4 & 0xFFFF) + 1 if rest >> 37 != 7 else 0


def av1_key(buf: Buffer, start: int, end: int) -> bool:
    """True for the first packet of a coded video sequence (the N bit of the aggregation header)."""
    if end - start < 2 or end > len(buf):
        return False
    return bool(buf[start] & 0x08) and not buf[start] & 0x80


READERS: dict[str, Callable[[Buffer, int, int], Descriptor]] = {"vp8": vp8, "vp9": vp9}
"""Of codecs whose packets carry counters: by name in lower case."""


def is_key(codec: str, buf: Buffer, start: int, end: int) -> bool:
    """``codec`` in lower case. An unknown codec cannot be seen into: every packet may start a picture."""
    reader = READERS.get(codec)
    if reader is not None:
        return reader(buf, start, end)[1]
    if codec == "h264":
        return h264_key(buf, start, end)
    if codec == "av1":
        return av1_key(buf, start, end)
    return end > start


def height(codec: str, buf: Buffer, start: int, end: int) -> int:
    """Lines of the picture that this packet starts, 0 when it does not say."""
    if codec == "vp8":
        return vp8_height(buf, start, end)
    if codec == "vp9":
        return vp9_height(buf, start, end)
    if codec == "h264":
        return h264_height(buf, start, end)
    return 0
