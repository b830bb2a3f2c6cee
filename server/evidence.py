"""The vault of evidence on disk, for the server and the command line. A part of the composition root: it binds ``verification/evidence``.

Its master keys follow from those of templates (HKDF-SHA-256), so there is one key file to keep and to rotate, and no key seals two kinds of things.
"""

import asyncio
import functools
import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from media.recording.errors import RecordingError
from media.recording.keys import KEY_BYTES, read_master_keys
from server.config import Config
from server.errors import ConfigError
from server.faces import KEY_FILE, template_keys
from server.services.evidence_ports import EvidenceLost
from server.transactions.material import Picture
from verification.evidence.format import EvidenceError, KeyRing, Manifest
from verification.evidence.vault import FileVault

log = logging.getLogger(__name__)
_T = TypeVar("_T")
AT_ONCE = 4
"""Threads that work at the vault's files."""
WAIT_S = 10.0
"""The longest that somebody waits for them."""
IO_FAILED = "evidence_io"


def evidence_folder(config: Config) -> Path:
    return Path(config.evidence.dir) if config.evidence.dir else config.data_dir / "evidence"


def evidence_keys(config: Config) -> KeyRing:
    """Of the master keys of templates, in their order. Blocks. Raises ConfigError."""
    template_keys(config)  # there are some, and nobody else reads them
    try:
        text = config.verification.key.encode() or (config.data_dir / KEY_FILE).read_bytes()
        masters = read_master_keys(text)
    except (RecordingError, OSError) as error:
        raise ConfigError(f"verification.key: {getattr(error, 'detail', '') or error}") from None
    return ring_of(masters)


def ring_of(masters: Iterable[bytes]) -> KeyRing:
    """The vault's ring that follows from these master keys of templates."""
    return KeyRing(
        [HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=b"tongping evidence master").derive(key) for key in masters]
    )


def open_vault(config: Config) -> FileVault:
    """Blocks. Raises ConfigError."""
    try:
        return FileVault(evidence_folder(config), evidence_keys(config))
    except OSError as error:
        raise ConfigError(f"evidence.dir: {error.strerror}") from None


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """``unreadable``: names of what no key opens that is known; left as it was."""

    known: int
    changed: int
    unreadable: tuple[str, ...]


def rewrap_all(vault: FileVault) -> Rewrapped:
    """The key of everything under the ring's first. Blocks."""
    changed, unreadable, names = 0, [], vault.cases()
    for name in names:
        try:
            changed += vault.rewrap(name)
        except EvidenceError as error:
            if error.code != "evidence_not_found":  # begun, and nothing of it can be read by anybody
                unreadable.append(name)
    return Rewrapped(len(names), changed, tuple(unreadable))


class DiskEvidence:
    """``server/services/evidence_ports.py: EvidenceStore``."""

    def __init__(self, vault: FileVault) -> None:
        self._vault = vault
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="evidence")

    def close(self) -> None:
        """Nothing new is begun; what is being written goes on to its end, or is swept at the next start."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def seal(
        self, name: str, *, type: str, created_s: float, keep_until_s: float, facts: bytes, pictures: Sequence[Picture]
    ) -> str:
        return await self._beside(
            functools.partial(self._sealed, name, type, created_s, keep_until_s, facts.decode(), tuple(pictures))
        )

    def _sealed(
        self, name: str, type: str, created_s: float, keep_until_s: float, facts: str, pictures: Sequence[Picture]
    ) -> str:
        draft = self._vault.begin(name)
        try:
            for one in pictures:
                draft.add(one.shown.name, one.shown.kind.value, one.jpeg)
            draft.seal(type=type, created_s=created_s, keep_until_s=keep_until_s, facts=facts)
        except BaseException:
            draft.abandon()
            raise
        return self._vault.digest(name)

    async def facts(self, name: str, digest: str) -> bytes:
        return (await self._beside(functools.partial(self._manifest, name, digest))).facts.encode()

    async def read(self, name: str, digest: str, picture: str) -> bytes:
        def read() -> bytes:
            self._manifest(name, digest)
            return self._vault.read(name, picture)

        return await self._beside(read)

    async def check(self, name: str, digest: str) -> int:
        def check() -> int:
            self._manifest(name, digest)
            return len(self._vault.verify(name).blobs)

        return await self._beside(check)

    def _manifest(self, name: str, digest: str) -> Manifest:
        manifest = self._vault.manifest(name)
        if self._vault.digest(name) != digest:
            raise EvidenceError("it is not what the record and the audit name", code="evidence_changed")
        return manifest

    async def erase(self, name: str) -> bool:
        return await self._beside(functools.partial(self._vault.erase, name))

    async def old(self, after: str, before_s: float, limit: int) -> list[str]:
        return await self._beside(functools.partial(self._vault.old, after, before_s, limit))

    async def names(self) -> list[str]:
        return await self._beside(self._vault.cases)

    async def facts_sealed(self, name: str) -> bytes | None:
        manifest = await self._beside(functools.partial(self._readable, name))
        return None if manifest is None else manifest.facts.encode()

    async def keep_until_s(self, name: str) -> float | None:
        manifest = await self._beside(functools.partial(self._readable, name))
        return None if manifest is None else manifest.keep_until_s

    def _readable(self, name: str) -> Manifest | None:
        try:
            return self._vault.manifest(name)
        except EvidenceError:
            return None

    async def _beside(self, work: Callable[[], _T]) -> _T:
        """In a thread. One that takes too long goes on by itself, and what it writes then belongs to nothing: it is swept."""
        try:
            async with asyncio.timeout(WAIT_S):
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except EvidenceError as error:
            raise EvidenceLost(error.code) from None
        except (OSError, TimeoutError, RuntimeError) as error:  # the last: it is closed
            log.error("evidence cannot be written or read", extra={"error": type(error).__name__})
            raise EvidenceLost(IO_FAILED) from None
