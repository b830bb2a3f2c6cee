"""Reads or signs one PDF and ends: it holds no key, reaches no network and opens no file. SHELL.

    python -m server.pdf.process < job > answer

One file, one process: what a file may do to its reader it does to nothing else. Time and memory are bounded here; whoever started it watches the clock.
"""

import contextlib
import io
import os
import resource
import sys

import pikepdf

from server.pdf.jobs import Box, Done, Job, PdfRefused, Why, decode_job, encode
from server.pdf.reading import read
from server.pdf.signing import sign
from verification.engine import confine

HELD_FILES = 3
_PART = 1 << 20


def main() -> int:
    left = confine.leave_network()
    job, data = decode_job(_all())
    _warm_up()
    resource.setrlimit(resource.RLIMIT_CPU, (job.cpu_s, job.cpu_s))
    held = (*left, *confine.confine(HELD_FILES, job.memory_bytes))
    with contextlib.suppress(OSError):  # nobody listens any more
        _say(encode(*_answer(job, data, held)))
    return 0


def _answer(job: Job, data: bytes, held: tuple[str, ...]) -> tuple[Done, bytes]:
    try:
        if job.box is None:
            return Done(None, read(data), held), b""
        sizes, signed = sign(data, job)
        return Done(None, sizes, held), signed
    except PdfRefused as refused:
        return Done(refused.why, confined=held), b""
    except (MemoryError, RecursionError):
        return Done(Why.TOO_MUCH, confined=held), b""


def _warm_up() -> None:
    """Whatever is imported late is imported now: when it is confined no file can be opened any more."""
    with pikepdf.new() as pdf:
        pdf.add_blank_page(page_size=(200, 200))
        made = sign(_saved(pdf), Job(Box(1, 0.1, 0.1, 0.5, 0.5), (((0.0, 0.0), (1.0, 1.0)),), "warm"))
    read(made[1])
    with contextlib.suppress(PdfRefused):
        read(b"%PDF-1.7\nnothing")


def _saved(pdf: pikepdf.Pdf) -> bytes:
    out = io.BytesIO()
    pdf.save(out)
    return out.getvalue()


def _all() -> bytes:
    parts: list[bytes] = []
    while part := os.read(0, _PART):
        parts.append(part)
    return b"".join(parts)


def _say(frame: bytes) -> None:
    rest = memoryview(frame)
    while rest:
        rest = rest[os.write(1, rest) :]


if __name__ == "__main__":
    os._exit(main()) if sys.argv[1:] == [] else sys.exit(2)
