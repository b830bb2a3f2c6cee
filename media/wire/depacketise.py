"""From RTP payloads to whole coded frames: VP8, VP9, H.264, AV1. Sans I/O.

RFC 7741 (VP8), RFC 9628 (VP9; its superframe index: VP9 bitstream specification, annex B), RFC 6184 (H.264, packetization modes 0 and 1),
RTP Payload Format for AV1 v1.0. What comes in is one stream's packets in the order of their numbers (``media/wire/reorder.py`` makes
it so); each is read for any bytes, and what is cut short or nonsense damages its frame and raises nothing.

A frame is given out when its last packet is there (marker, or the next time stamp), and only when it is whole. What was lost in between is told by
``Frame.lost`` of the next one: until the next key frame nothing can be decoded for certain.
"""

from typing import NamedTuple, Protocol

from media.wire.payload import vp8, vp9
from media.wire.rtp import Buffer

MAX_FRAME_BYTES = 4 << 20
"""A longer frame is not one: it counts as damaged."""
MAX_PARTS = 4096
"""Packets of which a frame may consist; units of H.264 and AV1 too."""
CODECS = frozenset({"vp8", "vp9", "h264", "av1"})

_START_CODE = b"\x00\x00\x00\x01"
_IDR, _SPS, _STAP_A, _FU_A = 5, 7, 24, 28
_SEQUENCE_HEADER, _TEMPORAL_DELIMITER, _TILE_LIST = 1, 2, 8
_DELIMITER = b"\x12\x00"
"""An AV1 temporal delimiter with its size; each temporal unit begins with one in files and for decoders."""


class Frame(NamedTuple):
    """One coded picture. ``ts``: its RTP time. ``key``: it can be decoded alone. ``lost``: something before it never came.

    ``data``: VP8: a frame as in RFC 6386; VP9: a frame, or a superframe where there are several layers; H.264: NAL units with four-byte start
    codes (Annex B), parameter sets among them as sent; AV1: a temporal unit, its OBUs with sizes. ``first_seq`` … ``last_seq``: its packets.
    """

    ts: int
    key: bool
    data: bytes
    lost: bool
    first_seq: int
    last_seq: int


class _Assembly(Protocol):
    """The frame in the making, by one codec's rules."""

    def begin(self, follows: bool) -> None:
        """A new frame. ``follows``: nothing is missing between the one before and this packet."""
        ...

    def add(self, payload: bytes) -> bool:
        """One more packet of it. False: the frame cannot be whole."""
        ...

    def end(self) -> tuple[bool, bytes] | None:
        """(key, data), or None where it is not whole after all."""
        ...


class Depacketiser:
    """Packets of one stream (one SSRC, in order) → frames. ``codec``: one of ``CODECS``. ``damaged``: frames that were not whole.

    Raises ValueError for a codec that it does not know.
    """

    def __init__(self, codec: str) -> None:
        if codec not in _ASSEMBLIES:
            raise ValueError(f"no frames can be made of {codec}")
        self._frame: _Assembly = _ASSEMBLIES[codec]()
        self._last = self._ts = self._first_seq = -1
        self._bytes = self._parts = 0
        self._begun = self._open = self._whole = self._lost = False
        self.damaged = 0

    def push(self, seq: int, ts: int, marker: bool, payload: Buffer) -> list[Frame]:
        """The next packet; the frames that it completes, at most two. A number that is not after the last one's is passed over."""
        found: list[Frame] = []
        follows = True
        if self._last >= 0:
            ahead = (seq - self._last) & 0xFFFF
            if not 0 < ahead < 0x8000:
                return found
            follows = ahead == 1
        previous, self._last = self._last, seq
        if not follows:
            self._lost = True
            self._spoil()
        if not len(payload):  # padding, or a packet that only takes its number
            return found
        if self._open and ts != self._ts:
            self._close(found, previous)
        if not self._open:
            self._open = True
            self._ts, self._first_seq = ts, seq
            self._bytes = self._parts = 0
            self._whole = True
            self._frame.begin(follows and self._begun)
            self._begun = True
        self._bytes += len(payload)
        self._parts += 1
        if self._bytes > MAX_FRAME_BYTES or self._parts > MAX_PARTS:
            self._whole = False
        if self._whole and not self._frame.add(bytes(payload)):
            self._whole = False
        if marker:
            self._close(found, seq)
        return found

    def skip(self) -> None:
        """Something is missing that no number tells of (a pause, another stream from here on). The next packet begins anew."""
        self._spoil()
        if self._open:
            self._close([], self._last)
        self._lost = True
        self._last = -1
        self._begun = False

    def _spoil(self) -> None:
        """What is being put together lacks something."""
        if self._open:
            self._whole = False

    def _close(self, found: list[Frame], last_seq: int) -> None:
        self._open = False
        made = self._frame.end() if self._whole else None
        if made is None:
            self.damaged += 1
            self._lost = True
            return
        found.append(Frame(self._ts, made[0], made[1], self._lost, self._first_seq, last_seq))
        self._lost = False


class _Vp8:
    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._key = False

    def begin(self, follows: bool) -> None:
        self._parts.clear()

    def add(self, payload: bytes) -> bool:
        start = _vp8_start(payload)
        if start >= len(payload):
            return False
        if not self._parts:
            begins, self._key, *_ = vp8(payload, 0, len(payload))
            if not begins:
                return False
        elif payload[0] & 0x10 and not payload[0] & 0x07:  # the start of another frame under the same time
            return False
        self._parts.append(payload[start:])
        return True

    def end(self) -> tuple[bool, bytes] | None:
        return (self._key, b"".join(self._parts)) if self._parts else None


def _vp8_start(payload: bytes) -> int:
    """Where the frame's bytes begin after the payload descriptor (RFC 7741 section 4.2); past the end when it is cut."""
    if not payload[0] & 0x80:
        return 1
    if len(payload) < 3:
        return len(payload)
    flags = payload[1]
    at = 2
    if flags & 0x80:
        at += 2 if payload[at] & 0x80 else 1
    return at + bool(flags & 0x40) + bool(flags & 0x30)


class _Vp9:
    """Of each spatial layer's frame the start (B) and the end (E) must be there; several make a superframe."""

    def __init__(self) -> None:
        self._layers: list[list[bytes]] = []
        self._inside = self._key = False

    def begin(self, follows: bool) -> None:
        self._layers.clear()
        self._inside = self._key = False

    def add(self, payload: bytes) -> bool:
        start = _vp9_start(payload)
        if start >= len(payload):
            return False
        begins, ends = bool(payload[0] & 0x08), bool(payload[0] & 0x04)
        if begins == self._inside:  # a second start, or a middle without one
            return False
        if begins:
            if not self._layers:
                self._key = vp9(payload, 0, len(payload))[1]
            if len(self._layers) == 8:
                return False
            self._layers.append([])
        self._layers[-1].append(payload[start:])
        self._inside = not ends
        return True

    def end(self) -> tuple[bool, bytes] | None:
        if self._inside or not self._layers:
            return None
        frames = [b"".join(parts) for parts in self._layers]
        data = b"".join(frames)
        return self._key, data if len(frames) == 1 else data + _superframe_index([len(frame) for frame in frames])


def _vp9_start(payload: bytes) -> int:
    """Where the frame's bytes begin after the payload descriptor (RFC 9628 section 4.2); past the end when it is cut."""
    size = len(payload)
    first = payload[0]
    at = 1
    if first & 0x80:
        at += 2 if at < size and payload[at] & 0x80 else 1
    if first & 0x20:
        at += 1 if first & 0x10 else 2
    if first & 0x50 == 0x50:  # P and F: up to three differences of picture ids
        for _ in range(3):
            if at >= size:
                return size
            at += 1
            if not payload[at - 1] & 1:
                break
    if first & 0x02:
        if at >= size:
            return size
        structure = payload[at]
        at += 1
        if structure & 0x10:
            at += 4 * ((structure >> 5) + 1)
        if structure & 0x08:
            if at >= size:
                return size
            pictures = payload[at]
            at += 1
            for _ in range(pictures):
                if at >= size:
                    return size
                at += 1 + (payload[at] >> 2 & 3)
    return at


def _superframe_index(sizes: list[int]) -> bytes:
    """VP9 bitstream specification, annex B.3."""
    width = (max(sizes).bit_length() + 7) // 8
    marker = bytes((0xC0 | (width - 1) << 3 | len(sizes) - 1,))
    return marker + b"".join(size.to_bytes(width, "little") for size in sizes) + marker


class _H264:
    def __init__(self) -> None:
        self._out: list[bytes] = []
        self._units = 0
        self._key = self._fragment = self._follows = False

    def begin(self, follows: bool) -> None:
        self._out.clear()
        self._units = 0
        self._key = self._fragment = False
        self._follows = follows

    def add(self, payload: bytes) -> bool:
        kind = payload[0] & 0x1F
        if not self._out and not self._follows and _h264_first(payload) != _SPS:
            return False  # slices of this picture may be missing before it
        if kind == _FU_A:
            return self._add_fragment(payload)
        if self._fragment:
            return False
        if kind == _STAP_A:
            at = 1
            while at < len(payload):
                size = int.from_bytes(payload[at : at + 2], "big")
                unit = payload[at + 2 : at + 2 + size]
                if not size or len(unit) != size or not self._unit(unit):
                    return False
                at += 2 + size
            return at > 1
        return 0 < kind < _STAP_A and self._unit(payload)

    def _add_fragment(self, payload: bytes) -> bool:
        """RFC 6184 section 5.8."""
        if len(payload) < 3:
            return False
        begins, ends = payload[1] & 0x80, payload[1] & 0x40
        if bool(begins) == self._fragment or (begins and ends):
            return False
        self._fragment = not ends
        if begins:
            return self._unit(bytes((payload[0] & 0xE0 | payload[1] & 0x1F,)) + payload[2:])
        self._out.append(payload[2:])
        return True

    def _unit(self, unit: bytes) -> bool:
        self._units += 1
        self._key = self._key or unit[0] & 0x1F == _IDR
        self._out += (_START_CODE, unit)
        return self._units <= MAX_PARTS

    def end(self) -> tuple[bool, bytes] | None:
        if self._fragment or not self._out:
            return None
        return self._key, b"".join(self._out)


def _h264_first(payload: bytes) -> int:
    """The type of the first NAL unit that begins in this packet."""
    kind = payload[0] & 0x1F
    if kind == _STAP_A and len(payload) > 3:
        return payload[3] & 0x1F
    if kind == _FU_A and len(payload) > 1 and payload[1] & 0x80:
        return payload[1] & 0x1F
    return kind


class _Av1:
    """Aggregation header: Z (goes on from the packet before), Y (goes on in the next), W (elements), N (a sequence begins)."""

    def __init__(self) -> None:
        self._units: list[bytes] = []
        self._part: list[bytes] | None = None
        self._key = self._any = self._follows = False

    def begin(self, follows: bool) -> None:
        self._units.clear()
        self._part = None
        self._key = self._any = False
        self._follows = follows

    def add(self, payload: bytes) -> bool:
        first = payload[0]
        elements = _av1_elements(payload)
        if not elements or bool(first & 0x80) != (self._part is not None):
            return False
        if not self._any and not self._follows and not first & 0x08:
            return False
        self._any = True
        for index, element in enumerate(elements):
            goes_on = bool(first & 0x40) and index == len(elements) - 1
            if self._part is None:
                self._part = [element]
            else:
                self._part.append(element)
            if not goes_on:
                if not self._unit(b"".join(self._part)):
                    return False
                self._part = None
        return True

    def _unit(self, unit: bytes) -> bool:
        """One OBU (AV1 bitstream specification 5.3), written with its size."""
        header = unit[0]
        kind = header >> 3 & 15
        at = 2 if header & 0x04 else 1
        if header & 0x80 or len(unit) < at:
            return False
        body = unit[at:]
        if header & 0x02:
            size, used = _leb128(unit, at)
            if not used or at + used + size > len(unit):
                return False
            body = unit[at + used : at + used + size]
        if kind == _SEQUENCE_HEADER:
            self._key = True
        if kind not in (_TEMPORAL_DELIMITER, _TILE_LIST):
            self._units.append(bytes((header | 0x02,)) + unit[1:at] + _as_leb128(len(body)) + body)
        return len(self._units) <= MAX_PARTS

    def end(self) -> tuple[bool, bytes] | None:
        if self._part is not None or not self._units:
            return None
        return self._key, _DELIMITER + b"".join(self._units)


def _av1_elements(payload: bytes) -> list[bytes]:
    """The OBU elements of a packet, none empty; [] when it cannot be read."""
    count = payload[0] >> 4 & 3
    found: list[bytes] = []
    at = 1
    while at < len(payload):
        if count and len(found) == count - 1:
            size = len(payload) - at
        else:
            size, used = _leb128(payload, at)
            at += used
            if not used:
                return []
        if not size or at + size > len(payload) or (count and len(found) == count):
            return []
        found.append(payload[at : at + size])
        at += size
    return found if not count or len(found) == count else []


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    """(value, bytes used); (0, 0) when it is cut or too long (AV1 bitstream specification 4.10.5)."""
    value = 0
    for index, byte in enumerate(data[at : at + 8]):
        value |= (byte & 0x7F) << (7 * index)
        if not byte & 0x80:
            return value, index + 1
    return 0, 0


def _as_leb128(value: int) -> bytes:
    out = bytearray()
    while True:
        byte = value & 0x7F
        value >>= 7
        out.append(byte | (0x80 if value else 0))
        if not value:
            return bytes(out)


_ASSEMBLIES: dict[str, type[_Vp8] | type[_Vp9] | type[_H264] | type[_Av1]] = {
    "vp8": _Vp8,
    "vp9": _Vp9,
    "h264": _H264,
    "av1": _Av1,
}
