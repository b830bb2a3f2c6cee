"""How large a coded HEVC picture is, and of what kind, by its own parameter sets: ISO/IEC 14496-15 8.3.3.1 (the decoder's settings), ITU-T H.265
7.3.1.2 (units), 7.3.2.2 (sequence parameter set), 7.3.6.1 (a slice's first bit). Sans I/O.

What a file says beside its parameter sets (``ispe``, the fields of ``hvcC``) binds no decoder; these do, wherever they stand.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from verification.headers.common import broken, refuse, truncated
from verification.reasons import ReasonCode

MOST_UNITS = 65_536
"""Of all coded pictures of a file together."""
SEQUENCE = 33
SLICES = 32
"""Kinds below it are slices (7.4.2.2)."""
_PARAMETER_BYTES = 256
"""What is wanted of a parameter set stands in so many: eight layers take 105."""
_DEEPEST_BITS = 16


@dataclass(frozen=True, slots=True)
class Coded:
    """``width``, ``height``: of its brightness. ``chroma``: 0 none, 1 4:2:0, 2 4:2:2, 3 4:4:4. ``depth``: bits of a sample."""

    width: int
    height: int
    chroma: int
    depth: int

    @property
    def pixels(self) -> int:
        return self.width * self.height


class Units:
    """Counts what it has walked over: one for a file."""

    def __init__(self) -> None:
        self._left = MOST_UNITS

    def coded(self, settings: bytes, body: bytes) -> Coded:
        """Of ``hvcC``'s content and an item's: the dearest of all that its parameter sets allow."""
        found = list(self._of(settings, body))
        if not found:
            broken("a HEIC without the settings of its decoder")
        return Coded(
            max(one.width for one in found),
            max(one.height for one in found),
            max(one.chroma for one in found),
            max(one.depth for one in found),
        )

    def _of(self, settings: bytes, body: bytes) -> Iterator[Coded]:
        if len(settings) < 23:
            broken("a HEIC without the settings of its decoder")
        at = 23
        for _ in range(settings[22]):
            count = int.from_bytes(settings[at + 1 : at + 3], "big")
            at += 3
            for _ in range(count):
                unit, at = self._unit(settings, at, 2)
                yield from _sequence(unit)
        if at > len(settings):
            truncated()
        at, pictures = 0, 0
        while at < len(body):
            unit, at = self._unit(body, at, (settings[21] & 3) + 1)
            yield from _sequence(unit)
            pictures += unit[0] >> 1 & 63 < SLICES and len(unit) > 2 and unit[2] >> 7
        if pictures > 1:
            refuse(ReasonCode.IMAGE_ANIMATED, "a picture of a HEIC is several")

    def _unit(self, data: bytes, at: int, size: int) -> tuple[bytes, int]:
        """The first bytes of the one whose length stands there, and where the next begins."""
        first = at + size
        end = first + int.from_bytes(data[at:first], "big")
        if first > len(data) or end > len(data):
            truncated()
        self._left -= 1
        if self._left < 0:
            broken("a HEIC has too many units")
        if end < first + 2:
            broken("a unit of a HEIC is too short")
        return data[first : min(end, first + _PARAMETER_BYTES)], end


class _Bits:
    """From the left. What is past the end is 0, as far as a number can ask for it."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        if count > self._left:
            truncated()
        self._left -= count
        return self._value >> self._left & (1 << count) - 1

    def count(self) -> int:
        """ue(v), 9.2."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 31:
                broken("a parameter set of a HEIC makes no sense")
        return (1 << zeros) - 1 + self.take(zeros)


def _sequence(unit: bytes) -> Iterator[Coded]:
    """What a sequence parameter set says; of other units nothing."""
    if unit[0] >> 1 & 63 != SEQUENCE:
        return
    bits = _Bits(unit[2:].replace(b"\0\0\3", b"\0\0"))  # 7.4.2: without emulation prevention
    bits.take(4)
    layers = bits.take(3)
    bits.take(1)
    _levels(bits, layers)
    bits.count()
    chroma = bits.count()
    if chroma > 3:
        broken("a parameter set of a HEIC makes no sense")
    if chroma == 3:
        bits.take(1)
    width, height = bits.count(), bits.count()
    if bits.take(1):
        for _ in range(4):
            bits.count()
    depth = 8 + max(bits.count(), bits.count())
    if depth > _DEEPEST_BITS or not width or not height:
        broken("a parameter set of a HEIC makes no sense")
    yield Coded(width, height, chroma, depth)


def _levels(bits: _Bits, layers: int) -> None:
    """7.3.3: past profile and level, of the whole and of each layer."""
    bits.take(96)
    said = [(bits.take(1), bits.take(1)) for _ in range(layers)]
    if layers:
        bits.take(2 * (8 - layers))
    for profile, level in said:
        bits.take(88 * profile + 8 * level)
