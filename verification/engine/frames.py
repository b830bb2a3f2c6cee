"""Pictures from process to process in shared memory: written once, sealed, handed over as a descriptor with its message. SHELL.

Sealed memory can neither change nor shrink any more, so what was checked is what is read, and a reader cannot be hurt by a
writer. One block carries all parts of a request, one after the other; the message says how large each is.
"""

import fcntl
import mmap
import os
from collections.abc import Sequence

from verification.errors import BadMessage

MAX_BLOCK_BYTES = 64 << 20
"""Of all parts together; what is larger is refused by both sides."""

_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


def put(parts: Sequence[bytes | memoryview]) -> int:
    """A descriptor of sealed memory with the parts in it; the caller closes it. Raises ValueError (too much, or nothing), OSError.

    Some milliseconds for a large picture.
    """
    size = sum(memoryview(part).nbytes for part in parts)
    if not 0 < size <= MAX_BLOCK_BYTES:
        raise ValueError(f"{size} bytes cannot be handed over: 1 to {MAX_BLOCK_BYTES}")
    block = os.memfd_create("tongping-picture", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(block, size)
        for part in parts:
            rest = memoryview(part).cast("B")
            while rest:
                rest = rest[os.write(block, rest) :]
        fcntl.fcntl(block, fcntl.F_ADD_SEALS, _SEALS)
    except BaseException:
        os.close(block)
        raise
    return block


def take(block: int, sizes: Sequence[int]) -> list[memoryview]:
    """The parts, read-only and not copied; they stay as long as somebody holds them. Closes ``block``.

    Raises BadMessage: not sealed, or of another size than its message says.
    """
    try:
        total = sum(sizes)
        if any(size < 0 for size in sizes) or not 0 < total <= MAX_BLOCK_BYTES:
            raise BadMessage(f"a block of {total} bytes")
        try:
            seals = fcntl.fcntl(block, fcntl.F_GET_SEALS)
        except OSError as error:
            raise BadMessage("a descriptor that is no shared memory") from error
        if seals & _SEALS != _SEALS:
            raise BadMessage("a block that is not sealed")
        if os.lseek(block, 0, os.SEEK_END) != total:  # fstat would be a call that finds files, too
            raise BadMessage("a block of another size than was said")
        whole = memoryview(mmap.mmap(block, total, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ))
    finally:
        os.close(block)
    parts, at = [], 0
    for size in sizes:
        parts.append(whole[at : at + size])
        at += size
    return parts
