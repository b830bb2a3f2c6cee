"""How a server finds the relay that was started from the same data folder: a locked file that says where it is.

The lock is one of an open file description (fcntl(2), Linux 3.15): it ends with the process, however it ends, and who looks whether it
is held need not take it for a moment, so that nobody who looks is in the way of a relay that starts.
"""

import fcntl
import json
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from turn.errors import RelayError

FILE = "serving.json"
MAX_BYTES = 4096
_FLOCK = struct.Struct("@hhqqi4x")
"""``struct flock``: type, whence, start, length (0: all of it), process."""


class Place(NamedTuple):
    host: str
    port: int
    tls_port: int


@contextmanager
def told(folder: Path, place: Place) -> Iterator[None]:
    """Say so as long as this lasts. Raises RelayError: another one runs."""
    path = folder / FILE
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise RelayError("not_written", f"{path} cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "r+", encoding="utf-8") as file:
        try:
            fcntl.fcntl(file, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
        except OSError:
            raise RelayError("running", f"a relay is running from {folder} already") from None
        file.truncate(0)
        file.write(json.dumps(place._asdict()))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def find(folder: Path) -> Place | None:
    """Where the relay is that runs from this folder; None when none does. Never raises."""
    try:
        with (folder / FILE).open("r", encoding="utf-8") as file:
            asked = fcntl.fcntl(file, fcntl.F_OFD_GETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
            if _FLOCK.unpack(asked)[0] == fcntl.F_UNLCK:
                return None  # nobody holds it: what it says is old
            found = json.loads(file.read(MAX_BYTES))
        return Place(str(found["host"]), int(found["port"]), int(found["tls_port"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
