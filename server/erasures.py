"""The journal of erasures: a file of JSON lines, each with the SHA-256 over the line before and itself. SHELL.

It belongs beside the database and in none of its backups: it is what makes an older copy forget again. A last line that was not written whole
was acknowledged to nobody and is cut off; any other that is not as it was written stops the start.
"""

import asyncio
import os
from pathlib import Path

import msgspec

from server.errors import DependencyError
from server.journals import chained, cut, locked, read_from, sync_folder
from server.services.erasure_ports import Erasure


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    hash: str
    erasure: msgspec.Raw


class _Done(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """In place of an erasure: all of this one was done."""

    done: str


_LINES, _ERASURES, _DONES = (msgspec.json.Decoder(_Line), msgspec.json.Decoder(Erasure), msgspec.json.Decoder(_Done))
"""Made here, before there are threads: two that prepare a type for themselves at once end the process (msgspec 0.22)."""


class JournalBroken(DependencyError):
    """Somebody has to look at it."""

    code = "erasures_broken"


class FileJournal:
    """Several servers may write to one file: each line is put after what stands there, under a lock on the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def append(self, erasure: Erasure) -> None:
        await self._append(erasure)

    async def finish(self, id: str) -> None:
        await self._append(_Done(done=id))

    async def _append(self, what: Erasure | _Done) -> None:
        try:
            await asyncio.to_thread(self._write, msgspec.json.encode(what))
        except OSError as error:
            raise DependencyError("The erasing could not be written down.") from error

    async def all(self) -> list[Erasure]:
        try:
            return await asyncio.to_thread(self._read)
        except OSError as error:
            raise DependencyError("The journal of erasures cannot be read.") from error

    # ---- these block

    def _read(self) -> list[Erasure]:
        try:
            with locked(self._path, os.O_RDWR) as descriptor:
                return _lines(descriptor)[0]
        except FileNotFoundError:
            return []

    def _write(self, form: bytes) -> None:
        with locked(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND) as descriptor:
            last = _lines(descriptor)[1]
            line = msgspec.json.encode(_Line(chained(last, form), msgspec.Raw(form))) + b"\n"
            if os.write(descriptor, line) != len(line):
                raise OSError("not written whole")
            os.fsync(descriptor)
        sync_folder(self._path.parent)


def _lines(descriptor: int) -> tuple[list[Erasure], str]:
    """(what stands there, the last hash)."""
    data = read_from(descriptor, 0)
    whole, _, rest = data.rpartition(b"\n")
    if rest:
        cut(descriptor, len(data) - len(rest))
    found: dict[str, Erasure] = {}
    last = ""
    for number, line in enumerate(whole.split(b"\n") if whole else [], 1):
        try:
            read = _LINES.decode(line)
            what = _what(read.erasure, found)
        except msgspec.MsgspecError:
            raise JournalBroken(f"Line {number} of the journal of erasures is none.") from None
        if read.hash != chained(last, bytes(read.erasure)):
            raise JournalBroken(f"Line {number} of the journal of erasures is not as it was written.")
        found[what.id] = what
        last = read.hash
    return list(found.values()), last


def _what(form: msgspec.Raw, before: dict[str, Erasure]) -> Erasure:
    """Raises MsgspecError: neither an erasing, nor the end of one that stands before it."""
    if not bytes(form).startswith(b'{"done":'):
        return _ERASURES.decode(form)
    done = _DONES.decode(form).done
    if done not in before:
        raise msgspec.ValidationError("the end of nothing")
    return msgspec.structs.replace(before[done], done=True)
