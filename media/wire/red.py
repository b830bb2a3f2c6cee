"""Redundant audio: a voice's packet that carries earlier ones once more. Sans I/O.

RFC 2198 section 3: block headers of four bytes (F = 1, payload type, timestamp offset 14 bits, length 10 bits), a last header of one
byte (F = 0, payload type) for the primary encoding, then the blocks in that order, the primary one last and without a length.
"""

from typing import NamedTuple

from media.wire.rtp import Buffer

MAX_REDUNDANT = 4
"""Redundant blocks in a packet. Browsers send one or two."""
HEADER_BYTES = 4


class Block(NamedTuple):
    """A redundant block. ``offset``: how much earlier than the packet's timestamp it is, in its units. ``start``, ``end``: in the payload."""

    offset: int
    start: int
    end: int


class Red(NamedTuple):
    """``primary``: where the primary encoding starts, counted from the start of the payload. ``blocks``: the oldest first."""

    primary: int
    blocks: tuple[Block, ...]


def read(payload: Buffer, payload_type: int) -> Red | None:
    """What a whole payload consists of; None when it is not of this form: cut, too many blocks, nothing in the primary one, a block
    of anything but ``payload_type`` (so none that is redundant itself), or blocks that are not each later than the one before.

    A redundant block may be empty: then there is nothing to be had from it.
    """
    size = len(payload)
    headers: list[tuple[int, int]] = []
    at = 0
    while at < size and payload[at] & 0x80:
        if len(headers) == MAX_REDUNDANT or at + HEADER_BYTES > size or payload[at] & 0x7F != payload_type:
            return None
        offset = payload[at + 1] << 6 | payload[at + 2] >> 2
        if offset == 0 or (headers and offset >= headers[-1][0]):
            return None
        headers.append((offset, (payload[at + 2] & 3) << 8 | payload[at + 3]))
        at += HEADER_BYTES
    if at >= size or payload[at] != payload_type:
        return None
    at += 1
    blocks = []
    for offset, length in headers:
        blocks.append(Block(offset, at, at + length))
        at += length
    if at >= size:
        return None
    return Red(at, tuple(blocks))


def reach(payload: bytes) -> tuple[int, int]:
    """How many redundant blocks there are in a payload that ``read`` understood, and how much earlier than its packet the oldest is."""
    blocks = 0
    while payload[blocks * HEADER_BYTES] & 0x80:
        blocks += 1
    return blocks, payload[1] << 6 | payload[2] >> 2 if blocks else 0


def renumbered(payload: bytes, payload_type: int) -> bytes:
    """A payload that ``read`` understood, its blocks called ``payload_type``. The same object where they are called so already."""
    if payload[0] & 0x7F == payload_type:
        return payload
    changed = bytearray(payload)
    at = 0
    while changed[at] & 0x80:
        changed[at] = 0x80 | payload_type
        at += HEADER_BYTES
    changed[at] = payload_type
    return bytes(changed)
