"""Open sessions that nobody comes to any more are ended: looked for from time to time in the records, so a restart changes nothing."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from server.clock import Clock
from server.domain.ids import SessionId
from server.errors import TongpingError
from server.live.ports import SessionRecords
from server.live.settings import LiveSettings

log = logging.getLogger(__name__)
FIRST_S = 60.0  # after a start those who were in a session have come back by then


class Sweep:
    """``end``: end this session unless somebody is inside or came later than that. One sweep at a time."""

    def __init__(
        self,
        sessions: SessionRecords,
        clock: Clock,
        settings: LiveSettings,
        end: Callable[[SessionId, datetime], Awaitable[None]],
    ) -> None:
        self._sessions = sessions
        self._clock = clock
        self._settings = settings
        self._end = end
        self._due_at = clock.monotonic() + min(FIRST_S, settings.sweep_s)
        self._task: asyncio.Task[None] | None = None

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The sweep that is under way."""
        return self._task if self._task is not None and not self._task.done() else None

    def tick(self) -> None:
        """Quick."""
        now = self._clock.monotonic()
        if self._settings.abandoned_s > 0 and now >= self._due_at and self.task is None:
            self._due_at = now + self._settings.sweep_s
            self._task = asyncio.get_running_loop().create_task(self._run(), name="abandoned-sessions")

    async def _run(self) -> None:
        before = self._clock.now() - timedelta(seconds=self._settings.abandoned_s)
        try:
            for id in await self._sessions.abandoned(before=before):
                await self._end(id, before)
        except TongpingError as error:
            log.warning("abandoned sessions not ended, tried again later", extra={"code": error.code})
        except Exception:
            log.exception("abandoned sessions not ended")

    async def close(self) -> None:
        if (task := self.task) is not None:
            task.cancel()
            await asyncio.wait([task])
