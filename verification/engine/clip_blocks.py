"""How many packets a WebM holds, before a demuxer makes them. Sans I/O.

A block of 260 bytes laces 256 packets (RFC 9559, 10.3), a block of its own takes seven, and a demuxer keeps what it reads before it knows its streams. After
an error a demuxer goes on at the next four bytes that could begin a cluster, so blocks are counted after each of these wherever they are. Elements: RFC 8794.
"""

from collections.abc import Iterator

from verification.errors import ImageRefused
from verification.reasons import ReasonCode

MAX_PACKETS = 12_000
"""Of pictures and sound together: 30 s of 60 pictures a second are 1,800, of sound 1,500."""
MAX_ELEMENTS = 60_000
"""That are looked at for it."""

_CLUSTER = b"\x1f\x43\xb6\x75"
_GROUP = 0xA0
_BLOCKS = (0xA1, 0xA3)
_LACED = 0x06
_CUT_AGAIN = b"A_REAL/"
"""Sound of which a demuxer makes as many packets of a block as the track says."""


def check(data: bytes) -> None:
    """Raises ImageRefused: more packets than a clip of half a minute has, or blocks of which a demuxer makes any number."""
    if _CUT_AGAIN in data:
        raise ImageRefused("the clip has sound of a kind that is not read", code=ReasonCode.CLIP_BROKEN.value)
    elements = packets = 0
    at = data.find(_CLUSTER)
    while at >= 0:
        for count in _blocks(data, _number(data, at + 4)[1]):
            elements += 1
            packets += count
            if elements > MAX_ELEMENTS or packets > MAX_PACKETS:
                raise ImageRefused("the clip claims more pictures than are read", code=ReasonCode.CLIP_TOO_LONG.value)
        at = data.find(_CLUSTER, at + 4)


def _blocks(data: bytes, at: int) -> Iterator[int]:
    """Of each element from there to the next cluster, or to what is none: how many packets it has."""
    while True:
        kind, inside = _name(data, at)
        size, inside = _number(data, inside)
        if not kind or inside > len(data) or data[at : at + 4] == _CLUSTER:
            yield 0
            return
        if kind == _GROUP:
            yield 0
            at = inside
            continue
        if size < 0:
            yield 0
            return
        yield _packets(data, inside, inside + size) if kind in _BLOCKS else 0
        at = inside + size


def _packets(data: bytes, begin: int, end: int) -> int:
    _, at = _number(data, begin)
    if at + 3 >= min(end, len(data)):
        return 1
    return data[at + 3] + 1 if data[at + 2] & _LACED else 1


def _name(data: bytes, at: int) -> tuple[int, int]:
    """The element's identifier with its marker, and where it ends; 0 where there is none."""
    first = data[at] if at < len(data) else 0
    length = 9 - first.bit_length()
    if length > 4:
        return 0, at
    return int.from_bytes(data[at : at + length], "big"), at + length


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A variable-size integer and where it ends; -1 where there is none or it says that nobody knows."""
    first = data[at] if at < len(data) else 0
    length = 9 - first.bit_length()
    if length > 8 or at + length > len(data):
        return -1, at
    most = (1 << 7 * length) - 1
    number = int.from_bytes(data[at : at + length], "big") & most
    return (-1 if number == most else number), at + length
