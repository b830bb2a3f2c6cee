"""Reading what a coded key frame says of itself: its size, and what a WebM of AV1 must say before it. S.

RFC 6386 section 9.1 (VP8), VP9 bitstream specification section 6.2, AV1 bitstream specification sections 5.3 to 5.5, the AV1 codec ISO media file
format binding section 2.3 (``av1C``). Any bytes may come: what cannot be read says nothing.
"""

from media.recording.play import fmp4
from media.wire.bits import Bits, CutError

_SEQUENCE_HEADER = 1


def picture_size(codec: str, frame: bytes) -> tuple[int, int] | None:
    """Width and height of a key frame, as ``Depacketiser`` gives it; None when it does not say."""
    size = (0, 0)
    if codec == "vp8":
        if len(frame) >= 10 and not frame[0] & 1 and frame[3:6] == b"\x9d\x01\x2a":
            size = (int.from_bytes(frame[6:8], "little") & 0x3FFF, int.from_bytes(frame[8:10], "little") & 0x3FFF)
    elif codec == "vp9":
        size = _vp9(frame)
    elif codec == "av1":
        found = _av1_sequence(frame)
        size = (found[2], found[3]) if found else size
    elif codec == "h264":
        sets = fmp4.parameter_sets(frame)
        size = fmp4.picture_size(sets[0]) if sets else size
    return size if all(size) else None


def av1_config(frame: bytes) -> bytes:
    """``av1C`` for the sequence that begins with this temporal unit; b"" when it does not begin one."""
    found = _av1_sequence(frame)
    if found is None:
        return b""
    profile, level, _, _, unit = found
    return bytes((0x81, profile << 5 | level, 0x0C, 0)) + unit


def _vp9(frame: bytes) -> tuple[int, int]:
    bits = Bits(frame[:16])
    try:
        if bits.read(2) != 2:
            return 0, 0
        profile = bits.read(1) | bits.read(1) << 1
        if profile == 3:
            bits.read(1)
        if bits.read(1) or bits.read(1):  # shows one that was there before; not a key frame
            return 0, 0
        bits.read(2)
        if bits.read(24) != 0x498342:
            return 0, 0
        if profile >= 2:
            bits.read(1)
        if bits.read(3) != 7:
            bits.read(1)
            if profile in (1, 3):
                bits.read(3)
        elif profile in (1, 3):
            bits.read(1)
        return bits.read(16) + 1, bits.read(16) + 1
    except CutError:
        return 0, 0


def _av1_sequence(unit: bytes) -> tuple[int, int, int, int, bytes] | None:
    """Profile, level, width, height and the whole OBU of the first sequence header."""
    at = 0
    while at < len(unit):
        header = unit[at]
        start = at + (2 if header & 4 else 1)
        size = shift = 0
        while header & 2 and start < len(unit):
            byte = unit[start]
            size |= (byte & 0x7F) << shift
            shift += 7
            start += 1
            if not byte & 0x80 or shift > 49:
                break
        end = start + size if header & 2 else len(unit)
        if header >> 3 & 15 == _SEQUENCE_HEADER:
            try:
                return (*_av1_fields(Bits(unit[start : min(end, start + 64)])), unit[at:end])
            except CutError:
                return None
        at = end
    return None


def _av1_fields(bits: Bits) -> tuple[int, int, int, int]:
    """AV1 section 5.5.1, up to the size. Timing information, which no browser sends, is not read past: CutError."""
    profile = bits.read(3)
    bits.read(1)
    if bits.read(1):  # reduced_still_picture_header
        level = bits.read(5)
    else:
        if bits.read(1):
            raise CutError("timing information")
        delays = bits.read(1)
        points = bits.read(5) + 1
        level = 0
        for point in range(points):
            bits.read(12)
            found = bits.read(5)
            if found > 7:
                bits.read(1)
            if not point:
                level = found
            if delays and bits.read(1):
                bits.read(4)
    width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
    return profile, level, bits.read(width_bits) + 1, bits.read(height_bits) + 1
