"""Gives freed memory back to the system. glibc keeps what C freed between pieces that are still used, and at first all of it."""

from typing import Any

from cffi import FFI

INTERVAL_S = 30.0
"""While others are connected. A hundred freed MiB take about 15 ms, nothing freed takes half a millisecond."""

_ffi = FFI()
_ffi.cdef("int malloc_trim(size_t pad);")


def _load() -> Any:
    try:
        return _ffi.dlopen(None).malloc_trim
    except (OSError, AttributeError):  # another C library: it has its own way
        return None


_trim = _load()


class Heap:
    """``freed`` when much was; ``give_back`` now and then. ``trims``: how often it gave back."""

    def __init__(self) -> None:
        self._freed = False
        self._at = float("-inf")
        self.trims = 0

    def freed(self) -> None:
        """Somebody's memory became free."""
        self._freed = True

    def give_back(self, now: float, *, idle: bool) -> None:
        """If anything became free: at once when ``idle``, else at most every ``INTERVAL_S``. Blocks for some milliseconds."""
        if _trim is None or not self._freed or (not idle and now - self._at < INTERVAL_S):
            return
        self._freed = False
        self._at = now
        self.trims += 1
        _trim(0)
