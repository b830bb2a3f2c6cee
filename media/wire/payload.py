"""Reading payload headers: which packet starts a key frame, how tall it is, and where VP8 keeps its counters. Sans I/O.

VP8: RFC 7741 section 4.2, RFC 6386 section 9.1 (its key frame header). VP9: RFC 9628 section 4.2. H.264: RFC 6184 section 5.4. AV1: RTP Payload Format for AV1 v1.0,
section 4.4. Every reader answers for any bytes: what is cut short or nonsense is "no key frame", never an exception.
"""

from media.wire.rtp import Buffer

Vp8 = tuple[bool, bool, int, int, int, int, int, int, bool]
"""What ``vp8`` says of a payload."""
NO_VP8: Vp8 = (False, False, 0, -1, 0, -1, 0, 0, False)


def vp8(buf: Buffer, start: int, end: int) -> Vp8:
    """``(frame starts, is key, picture id width in bits 0|7|15, its offset, its value, TL0PICIDX offset, its value, temporal id,
    layer sync)``.

    Offsets count from the start of the payload and are -1 where the field is absent; without a temporal id it is 0. Layer sync:
    the frame needs nothing but frames of temporal id 0. A cut header gives ``NO_VP8``.
    """
    if end <= start or end > len(buf):
        return NO_VP8
    first = buf[start]
    at = start + 1
    bits = pid = tl0 = tid = 0
    sync = False
    pid_at = tl0_at = -1
    if first & 0x80:
        if at >= end:
            return NO_VP8
        flags = buf[at]
        at += 1
        if flags & 0x80:
            if at >= end:
                return NO_VP8
            pid_at = at - start
            pid = buf[at]
            if pid & 0x80:
                if at + 1 >= end:
                    return NO_VP8
                pid = (pid & 0x7F) << 8 | buf[at + 1]
                bits = 15
                at += 2
            else:
                bits = 7
                at += 1
        if flags & 0x40:
            if at >= end:
                return NO_VP8
            tl0_at = at - start
            tl0 = buf[at]
            at += 1
        if flags & 0x30:
            if flags & 0x20 and at < end:
                tid = buf[at] >> 6
                sync = bool(buf[at] & 0x20)
            at += 1
    if at >= end:
        return NO_VP8
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


def h264_key(buf: Buffer, start: int, end: int) -> bool:
    """True for a packet with an SPS or the start of an IDR slice: single NAL unit, STAP-A or first FU-A."""
    if end <= start or end > len(buf):
        return False
    kind = buf[start] & 0x1F
    if kind in (5, 7):
        return True
    if kind == 24:  # STAP-A
        at = start + 1
        while at + 2 < end:
            size = buf[at] << 8 | buf[at + 1]
            at += 2
            if size == 0 or at + size > end:
                return False
            if buf[at] & 0x1F in (5, 7):
                return True
            at += size
        return False
    if kind == 28 and start + 1 < end:  # FU-A: the start bit and the type of the fragmented unit
        return bool(buf[start + 1] & 0x80) and buf[start + 1] & 0x1F in (5, 7)
    return False


def vp9_key(buf: Buffer, start: int, end: int) -> bool:
    """True for the first packet of a picture that is not inter-predicted, in the lowest spatial layer."""
    if end <= start or end > len(buf):
        return False
    first = buf[start]
    if first & 0x40 or not first & 0x08:  # P: inter-predicted; B: begins a frame
        return False
    at = start + 1
    if first & 0x80:  # I: picture id
        if at >= end:
            return False
        at += 2 if buf[at] & 0x80 else 1
    if first & 0x20:  # L: layer indices
        if at >= end:
            return False
        return (buf[at] >> 1 & 7) == 0
    return at < end


def av1_key(buf: Buffer, start: int, end: int) -> bool:
    """True for the first packet of a coded video sequence (the N bit of the aggregation header)."""
    if end - start < 2 or end > len(buf):
        return False
    return bool(buf[start] & 0x08) and not buf[start] & 0x80


def is_key(codec: str, buf: Buffer, start: int, end: int) -> bool:
    """``codec`` in lower case. An unknown codec cannot be seen into: every packet may start a picture."""
    if codec == "vp8":
        return vp8(buf, start, end)[1]
    if codec == "h264":
        return h264_key(buf, start, end)
    if codec == "vp9":
        return vp9_key(buf, start, end)
    if codec == "av1":
        return av1_key(buf, start, end)
    return end > start
