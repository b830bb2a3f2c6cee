"""A disk that takes a write in part and then no more, for this process or another: by the size that a file may have."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def files_at_most(size: int, pid: int = 0) -> Iterator[None]:
    """A write over this size is cut off there, and the next one fails (EFBIG). ``pid`` 0: of this process."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
