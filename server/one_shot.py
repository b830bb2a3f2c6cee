"""One process for one job: it reads the job to its end, answers and ends. Started, watched and ended here. A part of the composition root: it knows ``media``."""

import asyncio
import logging
import os
import signal
from collections.abc import Iterable
from contextlib import suppress

from media import environment
from media.child import kill

log = logging.getLogger(__name__)
AT_ONCE = 2
LONGEST_S = 30.0
"""Of one: much longer than its own processor time, for a machine that has much to do."""
NICER = 10
"""So much lower is its priority, from its start on: calls are on the same machine."""
WHOLE = frozenset({"network", "limits", "privileges", "calls"})
"""What holds such a process, where the machine allows it."""
_PART = 1 << 18


class Busy(Exception):
    """No place for it in time."""


class OneShot:
    """``name``: for logs. ``most_bytes``: of an answer; who says more is killed, and so is who takes longer than ``longest_s``."""

    def __init__(self, name: str, command: tuple[str, ...], *, most_bytes: int, longest_s: float = LONGEST_S) -> None:
        self._name = name
        self._command = command
        self._most_bytes = most_bytes
        self._longest_s = longest_s
        self._places = asyncio.Semaphore(AT_ONCE)
        self._warned = False

    async def run(self, data: bytes, *, wait_s: float | None = None) -> tuple[int, bytes]:
        """(how it ended: below 0 by a signal, what it said). ``wait_s``: for a place. Raises Busy, and OSError where it cannot be started."""
        try:
            async with asyncio.timeout(wait_s):
                await self._places.acquire()
        except TimeoutError:
            raise Busy from None
        try:
            return await self._run(data)
        finally:
            self._places.release()

    def held(self, by: Iterable[str]) -> None:
        """What it said that it is confined by; told once where something is missing."""
        if not self._warned and (missing := WHOLE - set(by)):
            self._warned = True
            log.warning("process is not wholly confined", extra={"kind": self._name, "missing": sorted(missing)})

    async def _run(self, data: bytes) -> tuple[int, bytes]:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # what a reader complains about may quote the file
            env=environment.needed(os.environ),
        )
        answer = bytearray()
        try:
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, process.pid, os.getpriority(os.PRIO_PROCESS, 0) + NICER)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._longest_s):
                    await self._exchange(process, data, answer)
        finally:
            kill(process)
            status = await process.wait()
        return (status, bytes(answer)) if len(answer) <= self._most_bytes else (-signal.SIGKILL, b"")

    async def _exchange(self, process: asyncio.subprocess.Process, data: bytes, answer: bytearray) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(ConnectionError):  # it has read enough
            process.stdin.write(data)
            await process.stdin.drain()
            process.stdin.close()
        while part := await process.stdout.read(_PART):
            answer += part
            if len(answer) > self._most_bytes:
                return
        await process.wait()
