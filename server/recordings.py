"""Recordings on disk, out of the server's configuration. A part of the composition root: it knows the server and ``media``.

Everything here touches the disk and blocks.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


class Refused(ConfigError):
    """``why``: the code of a RecordingError."""

    def __init__(self, detail: str, why: str) -> None:
        super().__init__(detail)
        self.why = why


@contextmanager
def _opened(config: Config) -> Iterator[RecordingStore]:
    """Raises ConfigError for whatever goes wrong inside."""
    try:
        if not folder(config).is_dir():
            raise ConfigError(f"there are no recordings in {config.data_dir}")
        yield RecordingStore(folder(config), ring(config))
    except RecordingError as error:
        raise Refused(error.detail or error.code, error.code) from None


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


def check(config: Config, recording: str) -> None:
    """Raises ConfigError where there is none of this name."""
    with _opened(config) as store:
        store.path(recording)


def finish(config: Config, recording: str, now_wall_us: int) -> str:
    """Give a recording that a crash left without one its manifest; how it ended."""
    with _opened(config) as store:
        return store.finish(recording, now_wall_us).ending


@dataclass(frozen=True, slots=True)
class Ended:
    """``ending``: of ``RecordingEnding``. ``size``: bytes of its files."""

    ending: str
    size: int
    duration_ms: int


def ended(store: RecordingStore, recording: str, now_wall_us: int) -> Ended:
    """By its manifest, which is written where there is none. Raises RecordingError."""
    if not store.began(recording):
        return Ended("failed", 0, 0)
    made = store.manifest(recording, store.data_key(recording)) or store.finish(recording, now_wall_us)
    size = sum(part.size for part in made.parts)
    return Ended(made.ending, size, max((part.last_us for part in made.parts), default=0) // 1000)


def rewrap(config: Config) -> tuple[int, int]:
    """The key of every recording under the first master key: (how many were, how many are now)."""
    with _opened(config) as store:
        names = [each.recording for each in store.list() if each.state != "erased"]
        return len(names), sum(store.rewrap(name) for name in names)


def export(
    config: Config,
    recording: str,
    target: Path,
    *,
    progress: Callable[[int, int], None],
    layout: str,
    size: tuple[int, int],
    fps: int,
    format: str,
    font: Path | None,
    despite_damage: bool,
    language: str | None,
) -> dict[str, Any]:
    """One film of everybody, and what its manifest says. ``progress``: (µs done, µs in all). Takes minutes of processor time.

    Raises ConfigError, of which Refused says why the recording cannot be exported.
    """
    from media.recording.export import export as export_recording  # libav and numpy: only who exports loads them
    from media.recording.export.lettering import Lettering

    with _opened(config) as store:
        try:
            lettering = Lettering(font) if font is not None else None
        except ValueError as error:
            raise ConfigError(str(error)) from None
        made = export_recording(
            store,
            recording,
            target,
            progress=progress,
            layout=layout,  # type: ignore[arg-type]
            size=size,
            fps=fps,
            format=format,  # type: ignore[arg-type]
            lettering=lettering,
            despite_damage=despite_damage,
            language=language,  # type: ignore[arg-type]
        )
        return made.manifest | {"files": [str(path) for path in made.files]}
