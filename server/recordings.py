"""Recordings on disk, out of the server's configuration. A part of the composition root: it knows the server and ``media``.

Everything here touches the disk and blocks.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from media.recording.errors import RecordingError
from media.recording.keyfile import load_ring, make_key_file
from media.recording.keys import KeyRing
from media.recording.store import FOLDER, RecordingStore, Summary
from media.recording.verify import Report
from media.recording.verify import verify as verify_recording
from server.config import Config
from server.errors import ConfigError

KEY_FILE = "secrets/recording.key"


def folder(config: Config) -> Path:
    return config.data_dir / FOLDER


def ring(config: Config, *, make: bool = False) -> KeyRing:
    """The master keys. ``make``: one is made where none is configured and none was made before. Raises ConfigError."""
    path = config.data_dir / KEY_FILE
    try:
        if make and not config.recording.key:
            make_key_file(path)
        return load_ring(str(path), config.recording.key)
    except RecordingError as error:
        raise ConfigError(f"recording.key: {error.detail}") from None


@contextmanager
def _opened(config: Config, *, keys: bool = True) -> Iterator[RecordingStore]:
    """Raises ConfigError for whatever goes wrong inside."""
    try:
        if not folder(config).is_dir():
            raise ConfigError(f"there are no recordings in {config.data_dir}")
        yield RecordingStore(folder(config), ring(config) if keys else None)
    except RecordingError as error:
        raise ConfigError(error.detail or error.code) from None


def listed(config: Config) -> list[Summary]:
    """Oldest name first; none when nothing was ever recorded."""
    if not folder(config).is_dir():
        return []
    with _opened(config) as store:
        return list(store.list())


def verify(config: Config, recording: str) -> Report:
    """Every file of it, read whole."""
    with _opened(config) as store:
        return verify_recording(store, recording)


def erase(config: Config, recording: str) -> None:
    """Its key first; then the files."""
    with _opened(config, keys=False) as store:
        store.erase(recording)


def finish(config: Config, recording: str, now_wall_us: int) -> str:
    """Give a recording that a crash left without one its manifest; how it ended."""
    with _opened(config) as store:
        return store.finish(recording, now_wall_us).ending


def rewrap(config: Config) -> tuple[int, int]:
    """The key of every recording under the first master key: (how many were, how many are now)."""
    with _opened(config) as store:
        names = [each.recording for each in store.list() if each.state != "erased"]
        return len(names), sum(store.rewrap(name) for name in names)
