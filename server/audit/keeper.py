"""Signs the head of the audit trail from time to time, and keeps what it signed in a folder that should lie elsewhere. SHELL.

    <folder>/audit-000000001234.jws      one signed checkpoint (``signed.py``), named by the number of the entry it saw

Before it signs it follows the chain from the last checkpoint on, and the first time sees that the trail has what each older one saw. What does not
hold is never signed: it is said in the log and in the metrics, and stays said until the trail is put right. A file appears whole or not at all, is on
disk before anybody is told of it, and never takes another's place. Files of others in the folder are left alone; one of ours that cannot be read, or
contradicts the trail, is as bad as a broken trail. Several servers on one database may share a folder.
"""

import asyncio
import contextlib
import logging
import os
import re
import secrets
from pathlib import Path
from typing import NoReturn

from server.audit.chain import GENESIS, Checkpoint, Verifier
from server.audit.ports import EntryUnreadable
from server.audit.signed import MAX_CHARS, CheckpointReader, CheckpointSigner, SignedCheckpoint
from server.clock import Clock
from server.errors import ConfigError, DependencyError, Invalid
from server.store.ports import Store

log = logging.getLogger(__name__)
PAGE = 200
_NAME = re.compile(r"audit-([0-9]{12,19})\.jws")


class AuditBroken(DependencyError):
    """The trail does not hold. Nothing of it is signed until somebody has looked."""

    code = "audit_broken"


class AuditKeeper:
    """``await prepare()`` once, then ``checkpoint`` whenever one is wanted, ``run`` for ever. ``intact``: as far as was looked."""

    def __init__(self, store: Store, clock: Clock, signer: CheckpointSigner, reader: CheckpointReader, folder: Path) -> None:
        self._store, self._clock, self._signer, self._reader = store, clock, signer, reader
        self._folder = folder
        self._last: SignedCheckpoint | None = None
        self._older: list[SignedCheckpoint] = []
        self._making: asyncio.Task[SignedCheckpoint] | None = None
        self._last_failure = ""
        self.intact = True

    @property
    def number(self) -> int:
        """Of the newest entry that is signed for."""
        return self._last.point.number if self._last else 0

    async def prepare(self) -> None:
        """Raises ConfigError: the folder cannot be made or read, or a checkpoint in it is none that we signed."""
        try:
            kept = await asyncio.to_thread(self._kept)
        except OSError as error:
            raise ConfigError(f"audit.checkpoint_dir: {self._folder} cannot be used: {error.strerror}") from None
        except Invalid as error:
            raise ConfigError(f"audit.checkpoint_dir: {self._folder}: {error.detail}") from None
        self._older, self._last = kept[:-1], kept[-1] if kept else None

    async def checkpoint(self) -> SignedCheckpoint:
        """Of the head as it is now; the last one again where nothing came since. It goes on where whoever asked has gone, so that a long trail is
        followed to its end at some time.

        Raises AuditBroken, StoreUnavailable, DependencyError (the folder cannot be written).
        """
        while (before := self._making) is not None and not before.done():
            with contextlib.suppress(DependencyError):
                await asyncio.shield(before)
        self._making = asyncio.create_task(self._make(), name="audit-checkpoint")
        self._making.add_done_callback(_looked_at)
        return await asyncio.shield(self._making)

    async def _make(self) -> SignedCheckpoint:
        await self._compare_older()
        start = self._last.point if self._last else Checkpoint(number=0, hash=GENESIS)
        head = await self._follow(start)
        if self._last is not None and head.number == start.number:
            return self._last
        try:
            made = await asyncio.to_thread(self._write, self._signer.sign(head, self._clock.now()))
        except OSError as error:
            raise DependencyError("A checkpoint of the audit trail could not be kept.") from error
        if made.point != head:
            self._broken(head.number, "another server saw it otherwise")
        self._last = made
        log.info(
            "audit checkpoint", extra={"number": head.number, "hash": head.hash.hex(), "kid": made.kid, "signed": made.text}
        )
        return made

    async def run(self, every_s: float) -> None:
        """A checkpoint at once and every ``every_s`` seconds, until cancelled."""
        while True:
            await self.attempt()
            await asyncio.sleep(every_s)

    async def finish(self, timeout_s: float) -> None:
        """The last one of a server that stops, if it can be had in that time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self.attempt()
        if self._making is not None:
            self._making.cancel()
            await asyncio.wait({self._making})

    async def attempt(self) -> None:
        """One checkpoint; what is in the way is logged, once until it changes."""
        try:
            await self.checkpoint()
            self._last_failure = ""
        except DependencyError as error:
            if error.code != self._last_failure:
                log.error("no audit checkpoint", extra={"code": error.code, "detail": error.detail})
            self._last_failure = error.code

    async def _compare_older(self) -> None:
        """Raises AuditBroken."""
        while self._older:
            seen = self._older[-1].point
            try:
                async with self._store.read() as tx:
                    entries = await tx.list_audit(after=max(0, seen.number - 1), limit=1)
            except EntryUnreadable as error:
                self._broken(seen.number, error.detail)
            found = entries[0].hash if entries and entries[0].number == seen.number else b""
            if seen.hash != (found if seen.number else GENESIS):
                self._broken(seen.number, "not what a checkpoint saw")
            self._older.pop()

    async def _follow(self, start: Checkpoint) -> Checkpoint:
        """The head, having checked each entry after ``start`` and that ``start`` itself is as it was. Raises AuditBroken."""
        after = max(0, start.number - 1)
        verifier: Verifier | None = None
        while True:
            try:
                async with self._store.read() as tx:
                    entries = await tx.list_audit(after=after, limit=PAGE)
            except EntryUnreadable as error:
                self._broken(after + 1, error.detail)
            for entry in entries:
                if verifier is None:
                    before = Checkpoint(number=after, hash=entry.previous if start.number else GENESIS)
                    verifier = Verifier(start=before, checkpoints=[start] if start.number else ())
                if not verifier.feed(entry):
                    break
            report = verifier.report() if verifier is not None else None
            if report is not None and not report.ok:
                self._broken(report.broken, report.why)
            if len(entries) < PAGE:
                break
            after = entries[-1].number
        if verifier is None and start.number:
            self._broken(start.number, f"missing: a checkpoint saw entry {start.number}")
        self.intact = True
        return report.head if report is not None else start

    def _broken(self, number: int | None, why: str) -> NoReturn:
        if self.intact:
            log.critical("the audit trail is not intact", extra={"number": number, "why": why})
        self.intact = False
        raise AuditBroken("The audit trail is not intact.")

    # ---- files; these block

    def _kept(self) -> list[SignedCheckpoint]:
        """Oldest first."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = []
        for path in sorted(self._folder.iterdir()):
            if name := _NAME.fullmatch(path.name):
                made = read_file(path, self._reader)
                if made.point.number != int(name[1]):
                    raise Invalid(f"{path.name} is a checkpoint of another entry")
                kept.append(made)
        return sorted(kept, key=lambda made: made.point.number)

    def _write(self, made: SignedCheckpoint) -> SignedCheckpoint:
        """The one that lies there, where another server was first."""
        path = self._folder / f"audit-{made.point.number:012d}.jws"
        temporary = self._folder / f".{path.name}.{secrets.token_hex(4)}"
        try:
            with temporary.open("xb") as file:
                file.write(made.text.encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            os.link(temporary, path)
        except FileExistsError:
            return self._first(path)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return made

    def _first(self, path: Path) -> SignedCheckpoint:
        try:
            return read_file(path, self._reader)
        except Invalid as error:
            raise OSError(f"{path.name} is there and is no checkpoint of ours") from error


def _looked_at(made: "asyncio.Task[SignedCheckpoint]") -> None:
    """Whoever waited for it may be gone: then its error was not asked for."""
    if not made.cancelled():
        made.exception()


def read_file(path: Path, reader: CheckpointReader) -> SignedCheckpoint:
    """Raises Invalid, OSError."""
    with path.open("rb") as file:
        data = file.read(MAX_CHARS + 2)
    try:
        return reader.read(data.decode("ascii").removesuffix("\n"))
    except UnicodeDecodeError as exc:
        raise Invalid(f"{path.name} is not a signed checkpoint") from exc
    except Invalid as exc:
        raise Invalid(f"{path.name}: {exc.detail}") from exc


def read_folder(folder: Path, reader: CheckpointReader) -> list[SignedCheckpoint]:
    """All that a keeper wrote there, oldest first. Raises Invalid, OSError."""
    return [read_file(path, reader) for path in sorted(folder.iterdir()) if _NAME.fullmatch(path.name)]
