"""The journal of redeemed decisions: a file of JSON lines, each with the SHA-256 over the line before and itself. SHELL.

It belongs beside the database and in none of its backups: it is what keeps an older copy from letting a decision be redeemed twice. It has what may still hold, and is
written anew without the rest. A last line that is not as it was written was acknowledged to nobody and is cut off; any other stops the start.
"""

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec

from server.errors import DependencyError
from server.journals import chained, cut, locked, read_from, sync_folder
from server.services.redeem_ports import HOLDS

log = logging.getLogger(__name__)
_T = TypeVar("_T")


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    hash: str
    redeem: msgspec.Raw


class _Redeem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``decision``: the SHA-256 of its own id."""

    decision: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    at: Annotated[datetime, msgspec.Meta(tz=True)]


_LINES, _REDEEMS = msgspec.json.Decoder(_Line), msgspec.json.Decoder(_Redeem)
"""Made here, before there are threads: two that prepare a type for themselves at once end the process (msgspec 0.22)."""


class RedeemsBroken(DependencyError):
    """Somebody has to look at it."""

    code = "redeems_broken"


class _Read:
    """What was read of one file: up to ``size``, where the line after ``last`` begins."""

    def __init__(self, file: os.stat_result | None = None) -> None:
        self.file = file
        self.size = 0
        self.lines = 0
        self.last = ""
        self.found: dict[str, datetime] = {}
        self.named = False
        """Its name is on disk."""

    def is_of(self, file: os.stat_result) -> bool:
        return self.file is not None and os.path.samestat(self.file, file) and file.st_size >= self.size


class FileRedeems:
    """Several servers may write to one file: each reads what the others have put there, under a lock on the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = asyncio.Lock()
        self._alone = threading.Lock()
        """One thread at a time, also where somebody has stopped waiting for one."""
        self._read = _Read()
        self._failed = False
        """What was to be written may be there or not: it is written anew before anything else is."""

    async def tidy(self, now: datetime) -> Mapping[str, datetime]:
        return await self._done(lambda: self._tidied(now - HOLDS))

    async def find(self, decision: str) -> datetime | None:
        return await self._done(lambda: self._found(decision))

    async def append(self, decision: str, at: datetime) -> bool:
        return await self._done(lambda: self._written(_Redeem(decision, at)))

    async def _done(self, work: Callable[[], _T]) -> _T:
        def alone() -> _T:
            with self._alone:
                return work()

        try:
            async with self._turn:
                return await asyncio.to_thread(alone)
        except OSError as error:
            raise DependencyError("The journal of redeemed decisions cannot be read or written.") from error

    # ---- these block

    def _found(self, decision: str) -> datetime | None:
        if self._failed:
            self._tidied(None)
        try:
            with locked(self._path, os.O_RDWR) as descriptor:
                return self._as_it_is(descriptor).found.get(decision)
        except FileNotFoundError:
            return None

    def _written(self, redeem: _Redeem) -> bool:
        with locked(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND) as descriptor:
            read = self._as_it_is(descriptor)
            if redeem.decision in read.found:
                return False
            line, last = _line(read.last, redeem)
            self._failed = True
            if os.write(descriptor, line) != len(line):
                raise OSError("not written whole")
            os.fsync(descriptor)
            if not read.named:
                sync_folder(self._path.parent)
                read.named = True
            read.found[redeem.decision] = redeem.at
            read.size, read.lines, read.last = read.size + len(line), read.lines + 1, last
            self._failed = False
        return True

    def _tidied(self, before: datetime | None) -> dict[str, datetime]:
        """Without what was redeemed before, or as it is but in a new file."""
        try:
            with locked(self._path, os.O_RDWR) as descriptor:
                found = self._as_it_is(descriptor).found
                kept = {decision: at for decision, at in found.items() if before is None or at > before}
                if self._failed or len(kept) != len(found):
                    try:
                        self._write_anew(kept)
                    except OSError as error:
                        if self._failed:
                            raise
                        log.warning("redeemed decisions that hold no more stay written down", extra={"errno": error.errno})
                return kept
        except FileNotFoundError:
            self._failed = False
            return {}

    def _write_anew(self, kept: dict[str, datetime]) -> None:
        """Under the lock of the one before: a crash leaves either of them, whole. Whoever waited for that lock asks for the new one's."""
        path = self._path.resolve()
        beside = path.with_name(f"{path.name}.new")
        data, last = bytearray(), ""
        for decision, at in kept.items():
            line, last = _line(last, _Redeem(decision, at))
            data += line
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            if os.write(descriptor, data) != len(data):
                raise OSError("not written whole")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        beside.replace(path)
        sync_folder(path.parent)
        self._read, self._failed = _Read(), False  # others may have written to it already

    def _as_it_is(self, descriptor: int) -> _Read:
        """With what others have written. Raises RedeemsBroken."""
        file = os.fstat(descriptor)
        if not self._read.is_of(file):
            self._read = _Read(file)
        read = self._read
        lines = read_from(descriptor, read.size).split(b"\n")
        for at, line in enumerate(lines):
            ended = at < len(lines) - 1
            found = _redeem(line, read.last) if ended else None
            if found is not None:
                redeem, read.last = found
                read.found.setdefault(redeem.decision, redeem.at)
                read.size, read.lines = read.size + len(line) + 1, read.lines + 1
            elif any(lines[at + 1 :]):
                self._read = _Read()
                raise RedeemsBroken(f"Line {read.lines + 1} of the journal of redeemed decisions is not as it was written.")
            elif line or ended:
                cut(descriptor, read.size)
                break
        return read


def _line(last: str, redeem: _Redeem) -> tuple[bytes, str]:
    """(the line, its hash)."""
    form = msgspec.json.encode(redeem)
    hash = chained(last, form)
    return msgspec.json.encode(_Line(hash, msgspec.Raw(form))) + b"\n", hash


def _redeem(line: bytes, last: str) -> tuple[_Redeem, str] | None:
    """(what it says, its hash). None: it is not as it was written after the line with the hash ``last``."""
    try:
        read = _LINES.decode(line)
        redeem = _REDEEMS.decode(read.redeem)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return (redeem, read.hash) if read.hash == chained(last, bytes(read.redeem)) else None
