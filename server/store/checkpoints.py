"""SQLite's log (WAL) is brought into the database beside the work, not in the commit of whoever makes it long.

By itself SQLite does that in the commit that makes the log a thousand pages long: one of some thirty then waits for four mebibytes and one more ``fsync``. Here a connection of
its own does it after every ``EVERY`` commits (``PASSIVE``: nobody waits for it, and it waits for nobody). What is acknowledged is on disk either way, by the
commit's own ``fsync`` of the log. While others write all the time it never gets to the end, so that the log would grow: at ``MOST_PAGES`` writers wait for the rest,
which is little then; and SQLite does it itself, as before, at ``LAST_PAGES``, whatever has become of all this.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from server.errors import StoreUnavailable
from server.store.sql_transaction import translated

log = logging.getLogger(__name__)

EVERY = 64
"""Commits."""
MOST_PAGES = 8_000
"""Of 4 KiB."""
LAST_PAGES = 12_000


class Checkpoints:
    """``engine``: of one connection. ``writers``: held by whoever writes. ``whole``: awaits to the end, see ``sql``."""

    def __init__(self, engine: AsyncEngine, writers: asyncio.Lock, whole: Callable[[Any], Awaitable[None]]) -> None:
        self._engine = engine
        self._writers = writers
        self._whole = whole
        self._commits = 0
        self._running: asyncio.Task[None] | None = None
        self._closed = False
        self.alone = asyncio.Lock()
        """Held while the log is read; taken after ``writers`` by whoever needs both."""

    def committed(self) -> None:
        """One more transaction is in the log."""
        self._commits += 1
        if self._commits >= EVERY and self._running is None and not self._closed:
            self._commits = 0
            self._running = asyncio.create_task(self._run(), name="checkpoint")
            self._running.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del task
        self._running = None

    async def _run(self) -> None:
        try:
            if await self._checkpoint() >= MOST_PAGES:
                async with self._writers:
                    await self._checkpoint()
        except StoreUnavailable as error:  # the next one does it, or SQLite itself
            log.warning("the database's log could not be emptied", extra={"error": error.detail})

    async def _checkpoint(self) -> int:
        """Pages in the log; 0 where all of it is in the database, so that the next commit begins at its start."""
        left = [0]
        async with self.alone:
            if not self._closed:
                await self._whole(self._passive(left))
        return left[0]

    async def _passive(self, left: list[int]) -> None:
        with translated():
            async with self._engine.connect() as connection:
                driver: Any = (await connection.get_raw_connection()).driver_connection
                _, _, _, [(_, pages, done)] = await driver.run(False, "PRAGMA wal_checkpoint(PASSIVE)", ())
                left[0] = pages if done < pages else 0

    async def settled(self) -> None:
        """Waits for the one that runs. Whoever holds ``writers`` must not."""
        if self._running is not None:
            await asyncio.wait([self._running])

    async def close(self) -> None:
        """As ``settled``, and there is none any more."""
        self._closed = True
        await self.settled()
        await self._engine.dispose()
