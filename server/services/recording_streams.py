"""Tracks of recordings on their way to browsers: decrypted piece by piece in threads, as fast as each browser reads."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from server.errors import TooMany
from server.services.recording_ports import ArchiveError, Playing

MOST = 64
MOST_EACH = 24  # of one reviewer: a player has one for each track, and some of the jump before


class Streams:
    """How many there are, in all and of each reviewer."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.pool = pool
        self.open: Counter[str] = Counter()
        self.playing: dict[Stream, str] = {}  # of which recording

    def cut(self, recording: str) -> None:
        """Nothing more of it is read: it is being erased."""
        for stream in [stream for stream, of in self.playing.items() if of == recording]:
            stream.cut()

    @contextmanager
    def room(self, actor: str) -> Iterator["Room"]:
        """Keeps a place while the track is opened. Raises TooMany."""
        if self.open.total() >= MOST or self.open[actor] >= MOST_EACH:
            raise TooMany("Too many tracks are being played at once.", retry_after_s=5)
        self.open[actor] += 1
        room = Room(self, actor)
        try:
            yield room
        finally:
            if not room.in_use:
                self.leave(actor)

    def leave(self, actor: str) -> None:
        self.open[actor] -= 1
        if self.open[actor] <= 0:
            del self.open[actor]


class Room:
    def __init__(self, streams: Streams, actor: str) -> None:
        self._streams = streams
        self._actor = actor
        self.in_use = False

    def taken(self, recording: str, playing: Playing) -> "Stream":
        self.in_use = True
        stream = Stream(self._streams, self._actor, playing)
        self._streams.playing[stream] = recording
        return stream


class Stream:
    """``async for`` its pieces, then ``close`` it, also when it was not read to the end."""

    def __init__(self, streams: Streams, actor: str, playing: Playing) -> None:
        self._streams = streams
        self._actor = actor
        self._chunks = playing.chunks
        self._turn = threading.Lock()  # a reader that was given up on still has it for a moment
        self._closed = False
        self._cut = False
        self.mime = playing.mime
        self.begins_ms = playing.begins_ms

    def __aiter__(self) -> "Stream":
        return self

    async def __anext__(self) -> bytes:
        """Raises ArchiveError where the track cannot be read any further."""
        piece = None
        if not self._cut:
            piece = await asyncio.get_running_loop().run_in_executor(self._streams.pool, self._next)
        if self._cut:
            raise ArchiveError("no_recording", "the recording was erased")
        if piece is None:
            raise StopAsyncIteration
        return piece

    def _next(self) -> bytes | None:
        with self._turn:
            return None if self._closed else next(self._chunks, None)

    def cut(self) -> None:
        self._cut = True

    def close(self) -> None:
        """At once; its files are closed in a thread."""
        if self._streams.playing.pop(self, None) is None:
            return
        self._streams.leave(self._actor)
        self._streams.pool.submit(self._close)

    def _close(self) -> None:
        with self._turn:
            self._closed = True
            close = getattr(self._chunks, "close", None)
            if close is not None:
                close()
