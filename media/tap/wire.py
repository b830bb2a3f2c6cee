"""What a media worker hands a decoder, and what the decoder and its client say to each other. Sans I/O.

**Worker → decoder**, one datagram of a Unix ``SOCK_SEQPACKET`` socket each: a header (big-endian) and what follows it.

| At | Field | |
|---|---|---|
| 0 | kind | u8: 1 begins (rest: codec in lower case), 2 packet (rest: RTP payload), 3 over (rest: why) |
| 1 | flags | u8: 1 marker |
| 2 | seq | u16: of RTP |
| 4 | ts | u32: of RTP |
| 8 | stream | u32: another number, another stream of packets, which begins with a key frame |
| 12 | at | u64: when it came to the relay, microseconds of the machine's monotonic clock |

**Decoder ↔ client**: frames of ``media/control.py`` with the messages below. A ``Picture`` is followed by its pixels, which are not part
of the frame: ``width`` × ``height`` × 3 bytes, red, green, blue.
"""

import struct
from enum import IntEnum
from typing import NamedTuple

import msgspec

from media.control import Message, decode
from media.errors import ControlError

HEADER = struct.Struct("!BBHIIQ")
MAX_RECORD_BYTES = 2048
"""The relay takes no longer packets."""
MAX_FRAME_BYTES = 1 << 14
MARKER = 1
MAX_FPS, MAX_FRAMES, MAX_SECONDS = 15.0, 1800, 180.0
MAX_PIXELS = 1920 * 1088
"""Of a picture as it was coded: a larger one ends the tap."""
NONCE_BYTES = 16, 256
"""At least and at most."""
MAX_SIDE = 4096


class Kind(IntEnum):
    BEGINS = 1
    PACKET = 2
    OVER = 3


class Record(NamedTuple):
    kind: Kind
    marker: bool
    seq: int
    ts: int
    stream: int
    at_us: int
    rest: bytes


def pack(kind: Kind, rest: bytes, *, marker: bool = False, seq: int = 0, ts: int = 0, stream: int = 0, at_us: int = 0) -> bytes:
    """One datagram."""
    return HEADER.pack(kind, marker, seq, ts, stream & 0xFFFFFFFF, at_us) + rest


def read(datagram: bytes) -> Record | None:
    """None for what is none."""
    if not HEADER.size <= len(datagram) <= MAX_RECORD_BYTES:
        return None
    kind, flags, seq, ts, stream, at_us = HEADER.unpack_from(datagram)
    if kind not in (1, 2, 3):
        return None
    return Record(Kind(kind), bool(flags & MARKER), seq, ts, stream, at_us, datagram[HEADER.size :])


class Start(Message, frozen=True):
    """The first message to a decoder: what it is used for, once. Numbers past their bounds are a ValueError.

    ``fps``: pictures a second at most. ``frames``: then it is over. ``seconds``: from now on, then it is over. ``height``: lines of what
    comes out, 0: as it was coded; nothing is made larger.
    """

    nonce: bytes
    fps: float = MAX_FPS
    frames: int = MAX_FRAMES
    seconds: float = MAX_SECONDS
    height: int = 0

    def __post_init__(self) -> None:
        if not NONCE_BYTES[0] <= len(self.nonce) <= NONCE_BYTES[1]:
            raise ValueError(f"a nonce has {NONCE_BYTES[0]} to {NONCE_BYTES[1]} bytes")
        if not 0 < self.fps <= MAX_FPS or not 1 <= self.frames <= MAX_FRAMES or not 0 < self.seconds <= MAX_SECONDS:
            raise ValueError(f"at most {MAX_FPS:g} pictures a second, {MAX_FRAMES} in all, for {MAX_SECONDS:g} s")
        if self.height and not 16 <= self.height <= MAX_SIDE:
            raise ValueError("a picture has 16 lines or more")


class Ready(Message, frozen=True):
    """The decoder waits for its ``Start``. ``confined``: what holds it (``media.tap.confine``)."""

    confined: tuple[str, ...]


class Picture(Message, frozen=True):
    """``index`` from 0 on; ``rtp_time``: its RTP time stamp; ``at_us``: when its last packet came to the relay, monotonic microseconds.

    ``sha256``: of the pixels that follow. ``lost``: frames that were not whole since the picture before.
    """

    index: int
    rtp_time: int
    at_us: int
    width: int
    height: int
    sha256: bytes
    nonce: bytes
    lost: int = 0


class Over(Message, frozen=True):
    """The last message. ``reason``: ``done`` (as many as were asked for, or the time is over), what the worker said, or
    ``no_picture``. Counts: coded ``frames`` that came whole, ``broken`` ones, ``decoded`` pictures and ``sent`` ones."""

    reason: str
    frames: int
    broken: int
    decoded: int
    sent: int


_from_decoder: msgspec.msgpack.Decoder[Ready | Picture | Over] = msgspec.msgpack.Decoder(Ready | Picture | Over)
_start: msgspec.msgpack.Decoder[Start] = msgspec.msgpack.Decoder(Start)


def decode_from_decoder(frame: bytes) -> Ready | Picture | Over:
    """What the client reads: of a process that may have been taken over. Raises ControlError(``bad_message``)."""
    message = decode(_from_decoder, frame)
    if isinstance(message, Picture) and not _plausible(message):
        raise ControlError("bad_message", "a picture that cannot be")
    return message


def _plausible(picture: Picture) -> bool:
    sides = 0 < picture.width <= MAX_SIDE and 0 < picture.height <= MAX_SIDE
    return sides and picture.width * picture.height <= MAX_PIXELS and len(picture.sha256) == 32 and picture.index >= 0


def decode_start(frame: bytes) -> Start:
    """What the decoder reads. Raises ControlError(``bad_message``)."""
    return decode(_start, frame)
