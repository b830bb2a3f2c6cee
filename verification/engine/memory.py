"""What glibc's allocator keeps for later is given back to the system; elsewhere nothing is done. SHELL."""

import contextlib
import ctypes

_MMAP_THRESHOLD = -3
LARGE_BYTES = 1 << 20


def give_back() -> None:
    """Whatever is free."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def give_back_large() -> None:
    """From now on every piece of ``LARGE_BYTES``, at once when it is free: where a picture is decoded in one piece of memory and read by models in many,
    what the one left would else be kept beside what the others take."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, LARGE_BYTES)
