"""One server to a data folder: a second one would end the first one's demo session and take its people for lost."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from server.errors import ConfigError

NAME = "server.lock"


class InUse(ConfigError):
    """Another process has it."""


@contextlib.contextmanager
def held(data_dir: Path) -> Iterator[None]:
    """The folder is this process's own; the system lets go of it when the process ends, however it ends. Raises ConfigError."""
    path = data_dir / NAME
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigError(f"cannot open {path}: {error.strerror}") from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUse(f"another server uses data_dir {data_dir}: stop it, or choose another TONGPING_DATA_DIR") from None
        except OSError as error:
            raise ConfigError(f"cannot lock {path}: {error.strerror}") from None
        yield
    finally:
        os.close(lock)


def make_folder(path: Path) -> None:
    """Raises ConfigError."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"data_dir {path} cannot be made: {error.strerror}") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise ConfigError(f"data_dir {path} cannot be written")
