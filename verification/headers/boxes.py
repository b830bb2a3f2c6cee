"""Boxes in boxes, and the numbers in them: ISO/IEC 14496-12 4.2. Sans I/O."""

import struct
from collections.abc import Iterator

from verification.headers.common import MOST_PARTS, broken, truncated


def boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(kind, first byte, byte after the last) of each box's content between ``at`` and ``end``."""
    for _ in range(MOST_PARTS):
        if at == end:
            return
        if at + 8 > end:
            truncated()
        size, kind, head = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], 8
        if size == 1:
            if at + 16 > end:
                truncated()
            (size,) = struct.unpack(">Q", data[at + 8 : at + 16])
            head = 16
        elif size == 0:
            size = end - at
        if size < head:
            broken("a HEIC box makes no sense")
        if at + size > end:
            truncated()
        yield kind, at + head, at + size
        at += size
    broken("a HEIC has too many boxes")


class Numbers:
    """One after the other, the largest byte first. ``budget``: how many more may be taken of the file."""

    def __init__(self, data: bytes, at: int, end: int, budget: list[int]) -> None:
        self._data = data
        self._end = end
        self._budget = budget
        self.at = at

    def take(self, size: int) -> int:
        self._budget[0] -= 1
        if self._budget[0] < 0:
            broken("a HEIC has too many parts")
        self.at += size
        if self.at > self._end:
            truncated()
        return int.from_bytes(self._data[self.at - size : self.at], "big")

    def full(self) -> tuple[int, int]:
        """Version and flags."""
        return self.take(1), self.take(3)
