"""The processes that read and sign PDFs: one for each."""

import logging
import sys

import msgspec

from server.errors import DependencyError
from server.one_shot import LONGEST_S, Busy, OneShot
from server.pdf.jobs import MAX_SIGNED_BYTES, Box, Done, Job, PdfRefused, Why, decode_done, encode

log = logging.getLogger(__name__)
MODULE = "server.pdf.process"
WAIT_S = 60.0
"""For a place."""
_MOST = MAX_SIGNED_BYTES + (1 << 20)


class PdfWork:
    """``command``: of another process than ours, for tests."""

    def __init__(self, command: tuple[str, ...] = (), *, longest_s: float = LONGEST_S) -> None:
        self._process = OneShot("pdf", command or (sys.executable, "-m", MODULE), most_bytes=_MOST, longest_s=longest_s)

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
            status, answer = await self._process.run(encode(job, data), wait_s=WAIT_S)
        except Busy:
            raise DependencyError("Too many PDFs are being read.") from None
        except OSError as error:
            raise DependencyError("PDFs cannot be read at the moment.") from error
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
        self._process.held(done.confined)
        if done.why is not None:
            raise PdfRefused(done.why)
        return done, signed
