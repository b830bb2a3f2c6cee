"""What the server and the process that reads and signs PDFs say to each other, once: a job and the file go in, an answer comes out. Sans-I/O."""

from enum import StrEnum

import msgspec

MAX_BYTES = 20 << 20
MAX_PAGES = 300
MAX_SIGNED_BYTES = MAX_BYTES + (8 << 20)
"""Signatures make it larger, and what was packed well may be packed otherwise."""
SMALLEST_PT, LARGEST_PT = 36.0, 14_400.0
"""Half an inch to 200 inches (ISO 32000-1, annex C.2)."""
_HEAD = 4


class Why(StrEnum):
    """Why a PDF is refused: the ``code`` of the problem is this, after ``pdf_``."""

    BROKEN = "broken"  # no PDF, or one that cannot be read
    ENCRYPTED = "encrypted"
    ACTIVE = "active"  # scripts, programs, files within, layers
    FORM = "form"  # fields to fill in, or notes over the page
    TOO_MANY_PAGES = "too_many_pages"
    BAD_PAGE = "bad_page"  # a size that no paper has, or none at all
    TOO_MUCH = "too_much"  # a bomb, or more than can be read in time


class Box(msgspec.Struct, frozen=True):
    """Of a page as it is shown, in shares, from the upper left corner."""

    page: int
    x: float
    y: float
    width: float
    height: float


class Job(msgspec.Struct, frozen=True):
    """Without a box: look at it. With: put these strokes (shares of the box) and this line into it."""

    box: Box | None = None
    strokes: tuple[tuple[tuple[float, float], ...], ...] = ()
    line: str = ""
    cpu_s: int = 10
    memory_bytes: int = 768 << 20


class Done(msgspec.Struct, frozen=True):
    """``why``: it was refused; else ``sizes`` of the pages as they are shown, in points. The signed file follows, where that was the job. ``confined``: what
    held the process."""

    why: Why | None
    sizes: tuple[tuple[float, float], ...] = ()
    confined: tuple[str, ...] = ()


class PdfRefused(Exception):
    """Raised by whoever reads one."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.value)
        self.why = why


def encode(head: Job | Done, data: bytes) -> bytes:
    packed = msgspec.msgpack.encode(head)
    return len(packed).to_bytes(_HEAD, "big") + packed + data


def decode_job(frame: bytes) -> tuple[Job, bytes]:
    """Raises ValueError."""
    end = _HEAD + int.from_bytes(frame[:_HEAD], "big")
    return msgspec.msgpack.decode(frame[_HEAD:end], type=Job), frame[end:]


def decode_done(frame: bytes) -> tuple[Done, bytes]:
    """What a process says that may have been taken over. Raises ValueError."""
    end = _HEAD + int.from_bytes(frame[:_HEAD], "big")
    if end > len(frame):
        raise ValueError("cut off")
    done = msgspec.msgpack.decode(frame[_HEAD:end], type=Done)
    if len(done.sizes) > MAX_PAGES or not all(SMALLEST_PT <= side <= LARGEST_PT for size in done.sizes for side in size):
        raise ValueError("no pages")
    return done, frame[end:]
