"""A ZIP that is read while it is written: nothing of it is kept but the piece that was not taken yet.

Nothing is packed: what comes out is as large as what went in, so that no archive of ours unfolds into more than it is. Method "deflate" without compression:
every program reads it from a stream, as sizes stand behind each file.
"""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO


class _Buffer:
    """As far as ``zipfile`` asks for a file that cannot be sought in."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None: ...

    def take(self) -> bytes:
        taken, self._pieces = b"".join(self._pieces), []
        return taken


class ZipStream:
    """Call ``take`` after each piece that was written, and ``close`` at the end, then ``take`` once more. Of one task alone; each call blocks as long as copying takes."""

    def __init__(self) -> None:
        self._buffer = _Buffer()
        self._archive = zipfile.ZipFile(self._buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=0)  # type: ignore[call-overload]

    @contextmanager
    def file(self, name: str) -> Iterator[IO[bytes]]:
        """One file to write to; its size need not be known. ``name``: made by us, never what somebody typed. Raises ValueError: it would lie elsewhere."""
        if name.startswith("/") or "\\" in name or ".." in name.split("/"):
            raise ValueError("a file of an archive lies in it")
        with self._archive.open(name, "w", force_zip64=True) as out:
            yield out

    def take(self) -> bytes:
        """What was written since the last time."""
        return self._buffer.take()

    def close(self) -> None:
        self._archive.close()
