"""The processes that read and sign PDFs: one for each, started, watched and ended here. A part of the composition root: it knows ``media``."""

import asyncio
import logging
import os
import sys
from contextlib import suppress

import msgspec

from media import environment
from media.child import kill
from server.errors import DependencyError
from server.pdf.jobs import MAX_SIGNED_BYTES, Box, Done, Job, PdfRefused, Why, decode_done, encode

log = logging.getLogger(__name__)
MODULE = "server.pdf.process"
AT_ONCE = 2
WAIT_S = 60.0
"""For a place."""
LONGEST_S = 30.0
"""Of one: much longer than its own processor time, for a machine that has much to do."""
_MOST = MAX_SIGNED_BYTES + (1 << 20)
_PART = 1 << 18
WHOLE = frozenset({"network", "limits", "privileges", "calls"})
"""What holds such a process, where the machine allows it."""


class PdfWork:
    """``command``: of another process than ours, for tests."""

    def __init__(self, command: tuple[str, ...] = (), *, longest_s: float = LONGEST_S) -> None:
        self._command = command or (sys.executable, "-m", MODULE)
        self._longest_s = longest_s
        self._places = asyncio.Semaphore(AT_ONCE)
        self._warned = False

    async def read(self, data: bytes) -> tuple[tuple[float, float], ...]:
        done, _ = await self._run(Job(), data)
        if not done.sizes:
            raise DependencyError("PDFs cannot be read at the moment.")
        return done.sizes

    async def sign(self, data: bytes, box: Box, strokes: tuple[tuple[tuple[float, float], ...], ...], line: str) -> bytes:
        _, signed = await self._run(Job(box, strokes, line), data)
        if not signed:
            raise DependencyError("The PDF could not be signed.")
        return signed

    async def _run(self, job: Job, data: bytes) -> tuple[Done, bytes]:
        """Raises PdfRefused, DependencyError."""
        try:
            async with asyncio.timeout(WAIT_S):
                await self._places.acquire()
        except TimeoutError:
            raise DependencyError("Too many PDFs are being read.") from None
        try:
            status, answer = await self._once(encode(job, data))
        finally:
            self._places.release()
        if status < 0:  # by a signal: its limits, or ours
            log.warning("pdf process ended", extra={"status": status})
            raise PdfRefused(Why.TOO_MUCH)
        try:
            if status:
                raise ValueError("failed")
            done, signed = decode_done(answer)
        except (ValueError, msgspec.MsgspecError):
            log.error("pdf process failed", extra={"status": status})
            raise DependencyError("PDFs cannot be read at the moment.") from None
        if not self._warned and (missing := WHOLE - set(done.confined)):
            self._warned = True
            log.warning("pdf process is not wholly confined", extra={"missing": sorted(missing)})
        if done.why is not None:
            raise PdfRefused(done.why)
        return done, signed

    async def _once(self, frame: bytes) -> tuple[int, bytes]:
        """(how it ended, what it said)."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,  # what a reader complains about may quote the file
                env=environment.needed(os.environ),
            )
        except OSError as error:
            raise DependencyError("PDFs cannot be read at the moment.") from error
        answer = bytearray()
        try:
            async with asyncio.timeout(self._longest_s):
                assert process.stdin is not None
                assert process.stdout is not None
                with suppress(ConnectionError):
                    process.stdin.write(frame)
                    await process.stdin.drain()
                    process.stdin.close()
                while len(answer) <= _MOST and (part := await process.stdout.read(_PART)):
                    answer += part
                if len(answer) > _MOST:
                    kill(process)
                await process.wait()
        except TimeoutError:
            pass
        finally:
            kill(process)
            await process.wait()
        return process.returncode if process.returncode is not None else -9, bytes(answer)
