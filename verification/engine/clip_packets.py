"""How many pictures a decoder makes of one packet, also such as are never shown. Sans I/O.

A packet of a few thousand bytes can hold hundreds of pictures that repeat the one before them, and a decoder comes back only after the last of them.
"""

from verification.errors import ImageRefused
from verification.reasons import ReasonCode

MOST_PICTURES = 16
"""In a packet: encoders put up to four beside the one that is shown."""
MOST_UNITS = 160
"""Of H.264, in a packet: a picture in parts of 1,200 bytes has 80."""

_FRAME_HEADER, _FRAME = 3, 6


def pictures(decoder: str, data: bytes, settings: bytes) -> int:
    """At least one. ``settings``: of the track, ``avcC`` for H.264 (ISO/IEC 14496-15, 5.3.3). Raises ImageRefused."""
    if decoder == "libdav1d":
        count = _av1(data)
    elif decoder == "vp9":
        count = _vp9(data)
    elif decoder == "h264":
        count = 1 if _units(data, settings) <= MOST_UNITS else MOST_PICTURES + 1
    else:
        count = 1
    if count > MOST_PICTURES:
        raise ImageRefused("the clip has too many pictures in one packet", code=ReasonCode.CLIP_BROKEN.value)
    return max(1, count)


def _vp9(data: bytes) -> int:
    """VP9 bitstream specification, annex B: a superframe says at its end how many it has."""
    last = data[-1] if data else 0
    return (last & 7) + 1 if last & 0xE0 == 0xC0 else 1


def _av1(data: bytes) -> int:
    """AV1 bitstream specification, 5.3: units with their type and size. A header that shows what is there already (5.9.2, its first bit) decodes nothing, and is
    a picture that comes out all the same: encoders put one in a packet, so they have the same limit, apart."""
    at = count = again = 0
    while at < len(data) and max(count, again) <= MOST_PICTURES:
        head = data[at]
        kind = head >> 3 & 15
        at += 2 if head & 4 else 1
        size = shift = 0
        while head & 2 and at < len(data) and shift < 56:
            size |= (data[at] & 127) << shift
            shift += 7
            at += 1
            if not data[at - 1] & 128:
                break
        shown_again = kind == _FRAME_HEADER and at < len(data) and data[at] & 128 != 0
        again += shown_again
        count += kind in (_FRAME_HEADER, _FRAME) and not shown_again
        if not head & 2:
            break
        at += size
    return max(count, again)


def _units(data: bytes, settings: bytes) -> int:
    """By length or by start code, whichever makes more of it: a decoder may take either."""
    coded = data.count(b"\0\0\1")
    size = (settings[4] & 3) + 1 if len(settings) > 4 else 4
    at = count = 0
    while at + size < len(data) and count <= MOST_UNITS:
        at += size + int.from_bytes(data[at : at + size], "big")
        count += 1
    return max(coded, count)
