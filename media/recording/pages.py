"""A shared page as a track keeps it: lines of JSON, each with its time, in records of kind ``PAGE``. S.

A line is longer than a record may be: its pieces follow one another, and a line of which a crash or damage left a part is left out. What the lines say is
the business of who writes them; of a line it is known here only whether a picture begins with it, so that a player can begin there, or nothing of the page
is shown from there on.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from media.recording.errors import RecordingFormatError
from media.recording.records import Kind, Record, pack

MORE = 1
"""The line goes on in the next record."""
GOES_ON = 2
"""It began in the one before."""
BEGINS = 4
BLANK = 8

PIECE_BYTES = 48 * 1024
MAX_LINE_BYTES = 512 * 1024
PAUSED = b'{"type":"kept.paused"}'
"""Told in place of a pause of the recording: nothing is shown until the next picture."""


class Line(NamedTuple):
    time_us: int
    text: bytes
    begins: bool


def pack_line(time_us: int, line: bytes, flags: int = 0) -> list[bytes]:
    """Its records. Raises RecordingFormatError(``page_too_large``, ``bad_page``: a line has no line feed in it)."""
    if len(line) > MAX_LINE_BYTES:
        raise RecordingFormatError("page_too_large", f"{len(line)} bytes")
    if not line or b"\n" in line or flags & ~(BEGINS | BLANK):
        raise RecordingFormatError("bad_page", "not a line")
    pieces = [line[at : at + PIECE_BYTES] for at in range(0, len(line), PIECE_BYTES)]
    last = len(pieces) - 1
    return [
        pack(Kind.PAGE, time_us, piece, (MORE if number < last else 0) | (GOES_ON if number else flags))
        for number, piece in enumerate(pieces)
    ]


def lines(records: Iterable[Record]) -> Iterator[Line]:
    """Whole ones, in order."""
    found, begins, going = bytearray(), False, False
    for record in records:
        if record.kind == Kind.PAUSE:
            going = False
            yield Line(record.time_us, PAUSED, begins=False)
            continue
        if record.kind != Kind.PAGE:
            continue
        if not record.layer & GOES_ON:
            found, begins, going = bytearray(), bool(record.layer & BEGINS), True
        if not going:
            continue
        found += record.payload
        if len(found) > MAX_LINE_BYTES:
            going = False
        elif not record.layer & MORE:
            going = False
            yield Line(record.time_us, bytes(found), begins)
