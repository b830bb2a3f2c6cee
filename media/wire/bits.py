"""Bits of a header of a video codec, the most significant first, and the numbers of varying length of H.264. Sans I/O."""


class CutError(Exception):
    """The bits end, or are a number that none may have."""


class Bits:
    """``read`` and all that builds on it raise CutError past the end."""

    __slots__ = ("_left", "_value")

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def read(self, count: int) -> int:
        """u(n)."""
        self._left -= count
        if self._left < 0:
            raise CutError
        return self._value >> self._left & (1 << count) - 1

    def unsigned(self) -> int:
        """ue(v), ITU-T H.264 section 9.1: at most 32 bits of value."""
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > 31:
                raise CutError
        return (1 << zeros) - 1 + self.read(zeros)

    def signed(self) -> int:
        """se(v), ITU-T H.264 section 9.1.1."""
        code = self.unsigned()
        return (code + 1) // 2 if code & 1 else -(code // 2)
