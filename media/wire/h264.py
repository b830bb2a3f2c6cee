"""Reading H.264: which packet starts a key frame, and how tall its sequence parameter set says that it is. Sans I/O.

RFC 6184 sections 5.4 to 5.8 (packets), ITU-T H.264 sections 7.3.1, 7.3.2.1.1, 7.4.2.1.1 and 9.1 (the parameter set). Every reader answers
for any bytes and looks at a bounded number of them: what is cut short or nonsense says nothing, and is never an exception.
"""

from collections.abc import Iterator

from media.wire.bits import Bits, CutError
from media.wire.rtp import Buffer

MAX_SPS_BYTES = 256
"""What we need stands before this; with every scaling list a set has about as many."""
MAX_LINES = 0x4000
_SLICE, _SPS, _STAP_A, _FU_A = 5, 7, 24, 28
_WITH_CHROMA = frozenset((44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244))
"""Profiles whose set says how colour is sampled."""


def _units(buf: Buffer, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """(type, start, end) of the NAL units that begin in this packet; of a fragment its beginning."""
    if not 0 <= start < end <= len(buf):
        return
    kind = buf[start] & 0x1F
    if kind == _STAP_A:
        at = start + 1
        while at + 2 < end:
            size = buf[at] << 8 | buf[at + 1]
            at += 2
            if size == 0 or at + size > end:
                return
            yield buf[at] & 0x1F, at, at + size
            at += size
    elif kind == _FU_A:
        if start + 1 < end and buf[start + 1] & 0x80:
            yield buf[start + 1] & 0x1F, start + 1, end
    else:
        yield kind, start, end


def h264_key(buf: Buffer, start: int, end: int) -> bool:
    """True for a packet with an SPS or the start of an IDR slice: single NAL unit, STAP-A or first FU-A."""
    return any(kind in (_SLICE, _SPS) for kind, _, _ in _units(buf, start, end))


def h264_height(buf: Buffer, start: int, end: int) -> int:
    """Lines of the picture, from a packet with an SPS; 0 when it has none, or none that can be read."""
    for kind, begins, ends in _units(buf, start, end):
        if kind == _SPS:
            return sps_height(bytes(buf[begins + 1 : min(ends, begins + 1 + MAX_SPS_BYTES)]))
    return 0


def sps_height(data: bytes) -> int:
    """Lines after cropping of what a parameter set (without its NAL header) describes; 0 for what cannot be."""
    return sps_size(data)[1]


def sps_size(data: bytes) -> tuple[int, int]:
    """Width and height after cropping, each in the same way."""
    bits = Bits(data.replace(b"\x00\x00\x03", b"\x00\x00"))  # emulation_prevention_three_byte, section 7.4.1
    try:
        width, lines = _size(bits)
    except CutError:
        return 0, 0
    return width if 0 < width <= MAX_LINES else 0, lines if 0 < lines <= MAX_LINES else 0


def _size(bits: Bits) -> tuple[int, int]:
    profile = bits.read(8)
    bits.read(16)  # constraint flags, level
    bits.unsigned()  # seq_parameter_set_id
    chroma = 1
    apart = False
    if profile in _WITH_CHROMA:
        chroma = bits.unsigned()
        if chroma > 3:
            raise CutError
        apart = chroma == 3 and bool(bits.read(1))
        bits.unsigned()  # bit depths
        bits.unsigned()
        bits.read(1)
        if bits.read(1):
            for index in range(12 if chroma == 3 else 8):
                if bits.read(1):
                    _skip_scaling_list(bits, 16 if index < 6 else 64)
    bits.unsigned()  # log2_max_frame_num_minus4
    order = bits.unsigned()
    if order == 0:
        bits.unsigned()
    elif order == 1:
        bits.read(1)
        bits.unsigned()
        bits.unsigned()
        frames = bits.unsigned()
        if frames > 255:
            raise CutError
        for _ in range(frames):
            bits.unsigned()
    bits.unsigned()  # max_num_ref_frames
    bits.read(1)
    wide = bits.unsigned() + 1
    units = bits.unsigned() + 1
    fields = 2 - bits.read(1)  # frame_mbs_only_flag
    if fields == 2:
        bits.read(1)
    bits.read(1)
    narrower = cropped = 0
    if bits.read(1):
        narrower = bits.unsigned() + bits.unsigned()
        cropped = bits.unsigned() + bits.unsigned()
    each = fields * (2 if chroma == 1 and not apart else 1)
    across = 2 if chroma in (1, 2) and not apart else 1
    return 16 * wide - across * narrower, 16 * fields * units - each * cropped


def _skip_scaling_list(bits: Bits, size: int) -> None:
    """Section 7.3.2.1.1.1."""
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last
