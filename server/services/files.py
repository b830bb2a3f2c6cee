"""Files of a chat: streamed to disk, judged by content, scanned, kept under ``data_dir/files`` by id.

Order: temporary file (size limit while it comes in) → what it is → scanner → fsync → record and audit in one transaction → renamed to its id.
A crash leaves at most a temporary file, which the next start removes, or gives its name where it is on record.
"""

import asyncio
import hashlib
import os
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import FileIO
from pathlib import Path
from typing import Protocol, TypeVar

from server.audit.events import AuditAction, AuditEvent
from server.clock import Clock
from server.domain import ids
from server.domain.ids import FileId, ParticipantId, SessionId
from server.domain.model import FileRecord, SessionStatus
from server.errors import DependencyError, Gone, Invalid, NotFound, TooLarge, TooMany, UnsupportedMediaType
from server.services import file_types
from server.services.ports import MakeId
from server.services.sessions import existing
from server.store.ports import Store, Transaction

MAX_NAME_CHARS = 120
COMING_IN = 128  # files at a time: slow ones of a dozen people must not keep everybody else from sending
COMING_IN_PER_PERSON = 3
_WRITE_BYTES = 256 * 1024
_TEMPORARY = ".part"

T = TypeVar("T")

Look = Callable[[Path, str], Awaitable[None]]
"""At a file that came in, with its media type, before the scanner: what it raises refuses the file."""
Also = Callable[[Transaction, FileRecord], Awaitable[None]]
"""What is written down with a file that is kept."""


class FileScanner(Protocol):
    """Looks for harm in a file that is on disk. A bank plugs its own scanner in here."""

    async def scan(self, path: Path, media_type: str) -> str | None:
        """Why it is refused, as a stable word, or None. Raises DependencyError when it cannot tell: then it is refused."""
        ...


class ContentScanner:
    """The scanner that is always there: executables, the EICAR test file, bombs, active PDF, macros."""

    async def scan(self, path: Path, media_type: str) -> str | None:
        return await asyncio.to_thread(lambda: file_types.danger(path.read_bytes(), media_type))


@dataclass(frozen=True, slots=True)
class Received:
    """A file that came in and passed, not yet on record: ``Files.keep`` or ``Files.discard`` it."""

    path: Path
    name: str
    media_type: str
    size_bytes: int
    sha256: str


class Files:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        make_id: MakeId,
        scanner: FileScanner,
        *,
        folder: Path,
        max_file_bytes: int,
        max_session_bytes: int,
        media_types: frozenset[str],
    ) -> None:
        self._store = store
        self._clock = clock
        self._make_id = make_id
        self._scanner = scanner
        self._folder = folder
        self.max_file_bytes = max_file_bytes
        self._max_session_bytes = max_session_bytes
        self._media_types = media_types & file_types.KNOWN
        self._coming_in: Counter[ParticipantId] = Counter()

    async def prepare(self) -> None:
        """Make the folder and bring to an end what was interrupted. Call it at the start."""
        await asyncio.to_thread(self._folder.mkdir, mode=0o700, parents=True, exist_ok=True)
        for left in await asyncio.to_thread(lambda: list(self._folder.glob(f"*{_TEMPORARY}"))):
            id = FileId(left.name.removesuffix(_TEMPORARY))
            async with self._store.read() as tx:
                recorded = ids.is_id(id, ids.FILE) and await tx.get_file(id) is not None
            await asyncio.to_thread(partial(_move, left, self._path(id)) if recorded else left.unlink)

    @property
    def coming_in(self) -> int:
        """Files that are being received now."""
        return self._coming_in.total()

    @contextmanager
    def one_more(self, participant: ParticipantId) -> Iterator[None]:
        """Room for one more file that comes in. Raises TooMany: quotas are counted only when a file is on record."""
        if self._coming_in[participant] >= COMING_IN_PER_PERSON or self._coming_in.total() >= COMING_IN:
            raise TooMany("Too many files at once. Please wait until the others are sent.", retry_after_s=5)
        self._coming_in[participant] += 1
        try:
            yield
        finally:
            self._coming_in[participant] -= 1
            if not self._coming_in[participant]:
                del self._coming_in[participant]

    async def receive(self, name: str, chunks: AsyncIterator[bytes], look: Look | None = None) -> Received:
        """Raises what ``look`` raises, Invalid (empty, bad name), TooLarge, UnsupportedMediaType (not allowed, or refused by the scanner), DependencyError (the
        disk takes no more)."""
        name = clean_name(name)
        path = self._folder / f"{secrets.token_hex(16)}{_TEMPORARY}"
        try:
            size_bytes, sha256 = await self._write(path, chunks)
            if size_bytes == 0:
                raise Invalid("The file is empty.")
            media_type = await asyncio.to_thread(lambda: file_types.detect(path.read_bytes()))
            if media_type is None or media_type not in self._media_types:
                raise UnsupportedMediaType("Files of this kind are not accepted.")
            if look is not None:
                await look(path, media_type)
            if await self._scanner.scan(path, media_type) is not None:
                raise UnsupportedMediaType("The file was refused by the scanner.")
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return Received(path, with_extension(name, media_type), media_type, size_bytes, sha256)

    async def made(self, name: str, media_type: str, data: bytes) -> Received:
        """A file that this server made. Raises OSError."""
        path = self._folder / f"{secrets.token_hex(16)}{_TEMPORARY}"
        try:
            await asyncio.to_thread(_write_whole, path, data)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        sha256 = (await asyncio.to_thread(hashlib.sha256, data)).hexdigest()
        return Received(path, with_extension(clean_name(name), media_type), media_type, len(data), sha256)

    async def keep(
        self,
        received: Received,
        session_id: SessionId,
        participant: ParticipantId,
        also: Also | None = None,
        *,
        ours: bool = False,
    ) -> FileRecord:
        """Put it on record, with what is ``also`` written. ``ours``: made here, and counted to nobody. Raises NotFound, Gone (ended), TooLarge (the session
        has sent enough), and what ``also`` raises: then nothing is kept."""
        now = self._clock.now()
        record = FileRecord(
            id=FileId(self._make_id(ids.FILE)),
            session_id=session_id,
            participant_id=participant,
            name=received.name,
            media_type=received.media_type,
            size_bytes=received.size_bytes,
            sha256=received.sha256,
            created_at=now,
        )
        path = self._path(record.id)
        unrecorded = path.with_name(f"{record.id}{_TEMPORARY}")
        try:
            await asyncio.to_thread(_move, received.path, unrecorded)
            async with self._store.begin() as tx:
                session = await existing(tx, session_id)
                if session.status is SessionStatus.ENDED:
                    raise Gone("This session has ended.")
                if not ours and await tx.session_file_bytes(session_id) + record.size_bytes > self._max_session_bytes:
                    raise TooLarge("This session has sent as many files as it may.")
                await tx.add_file(record)
                await tx.append_audit(
                    AuditEvent(
                        action=AuditAction.FILE_RECEIVED,
                        at=now,
                        actor=participant,
                        session=session_id,
                        subject=record.id,
                        details={"size_bytes": str(record.size_bytes), "media_type": record.media_type},
                    )
                )
                if also is not None:
                    await also(tx, record)
        except BaseException:
            received.path.unlink(missing_ok=True)
            unrecorded.unlink(missing_ok=True)
            raise
        await asyncio.to_thread(_move, unrecorded, path)
        return record

    async def discard(self, received: Received) -> None:
        await asyncio.to_thread(received.path.unlink, missing_ok=True)

    async def find(self, session_id: SessionId, id: FileId) -> tuple[FileRecord, Path]:
        """The record and where its bytes are. Raises NotFound, DependencyError (the bytes are gone)."""
        async with self._store.read() as tx:
            record = await tx.get_file(id)
        if record is None or record.session_id != session_id:
            raise NotFound("There is no such file in this session.")
        path = self._path(record.id)
        if not await asyncio.to_thread(path.is_file):
            raise DependencyError("This file cannot be read at the moment.")
        return record, path

    async def erase(self, id: FileId) -> None:
        """Its bytes, for good; again changes nothing."""
        path = self._path(id)
        for one in (path, path.with_name(f"{id}{_TEMPORARY}")):
            await asyncio.to_thread(one.unlink, missing_ok=True)

    def _path(self, id: FileId) -> Path:
        return self._folder / id

    async def _write(self, path: Path, chunks: AsyncIterator[bytes]) -> tuple[int, str]:
        size_bytes, digest, buffer = 0, hashlib.sha256(), bytearray()
        file = await _on_disk(lambda: path.open("xb", buffering=0))
        try:
            await _on_disk(lambda: os.fchmod(file.fileno(), 0o600))
            async for chunk in chunks:
                size_bytes += len(chunk)
                if size_bytes > self.max_file_bytes:
                    raise TooLarge(f"Files may have {self.max_file_bytes} bytes.")
                digest.update(chunk)
                buffer += chunk
                if len(buffer) >= _WRITE_BYTES:
                    await _on_disk(partial(_write_all, file, bytes(buffer)))
                    buffer.clear()
            await _on_disk(partial(_write_all, file, bytes(buffer)))
            await _on_disk(lambda: os.fsync(file.fileno()))
        finally:
            file.close()
        return size_bytes, digest.hexdigest()


def clean_name(name: str) -> str:
    """A name to show and to save as: no path, no control or bidirectional characters. Raises Invalid when nothing is left."""
    base = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(char for char in base if char.isprintable() and char not in '<>:"|?*').strip(". ")
    if not kept:
        raise Invalid("X-File-Name: the file needs a name.")
    if len(kept) > MAX_NAME_CHARS:
        stem, dot, extension = kept.rpartition(".")
        kept = f"{stem[: MAX_NAME_CHARS - len(extension) - 1]}{dot}{extension}" if dot and len(extension) < 10 else kept
    return kept[:MAX_NAME_CHARS]


def with_extension(name: str, media_type: str) -> str:
    """The name, ending as its content says: ``letter.pdf.exe`` that is text becomes ``letter.pdf.exe.txt``."""
    extensions = file_types.EXTENSIONS[media_type]
    return name if name.lower().endswith(extensions) else name[: MAX_NAME_CHARS - 5] + extensions[0]


async def _on_disk(work: Callable[[], T]) -> T:
    """Raises DependencyError."""
    try:
        return await asyncio.to_thread(work)
    except OSError as error:
        raise DependencyError("The file cannot be kept at the moment.") from error


def _write_whole(path: Path, data: bytes) -> None:
    with path.open("xb", buffering=0) as file:
        os.fchmod(file.fileno(), 0o600)
        _write_all(file, data)
        os.fsync(file.fileno())


def _write_all(file: FileIO, data: bytes) -> None:
    """A disk that is nearly full takes a part and says so."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _move(source: Path, target: Path) -> None:
    source.rename(target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
