"""A shared page out of a recording, as lines of JSON: for a player, from the last whole picture before a moment on, or all of it. SHELL: blocks on the disk."""

from collections.abc import Iterable, Iterator

from media.recording import pages
from media.recording.index import SHOWN, KeyFrame
from media.recording.records import Record

KIND = "pages"
MIME = "application/x-ndjson"
PIECE_BYTES = 256 * 1024


def shown(keys: Iterable[KeyFrame], end_us: int) -> list[tuple[int, int]]:
    """From when to when there was a picture. ``end_us``: of the recording."""
    found: list[tuple[int, int]] = []
    since: int | None = None
    for key in sorted(keys, key=lambda each: each.time_us):
        if key.layer == SHOWN:
            since = key.time_us if since is None else since
        elif since is not None:
            found.append((since, key.time_us))
            since = None
    if since is not None:
        found.append((since, max(since, end_us)))
    return found


def written(records: Iterable[Record]) -> Iterator[bytes]:
    """``{"at_us": …, "begins": …, "line": …}``, a line each, many to a piece. ``begins``: what came before need not be known."""
    piece = bytearray()
    for line in pages.lines(records):
        begins = b"true" if line.begins else b"false"
        piece += b'{"at_us":%d,"begins":%s,"line":%s}\n' % (line.time_us, begins, line.text)
        if len(piece) >= PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)
