"""Recordings that are being ended: the last events, the manifest, the record. Nobody waits for it, and it is tried again until it is done."""

import asyncio
import logging

from server.clock import Clock
from server.domain.ids import RecordingId
from server.domain.model import RecordingEnding
from server.errors import TongpingError
from server.live.ports import RecorderPort, RecorderUnavailable
from server.live.recording.journal import Journal
from server.live.recording.records import RecordingRecords

log = logging.getLogger(__name__)
EVENTS_S = 5.0  # for events that are still on their way
MOST_TRIES = 12  # half an hour, then the next start of the server ends it
FIRST_AGAIN_S, LONGEST_AGAIN_S = 1.0, 300.0
NEVER_BEGUN, RESTART = "begin", "restart"  # why it is ended


class Endings:
    """``tick`` about five times a second; ``close`` at the end."""

    def __init__(self, recorder: RecorderPort, records: RecordingRecords, clock: Clock) -> None:
        self._recorder = recorder
        self._records = records
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()
        self._again: list[tuple[float, RecordingId, str, int]] = []

    def end(self, id: RecordingId, journal: Journal | None, why: str, tries: int = 0) -> None:
        """``why``: a word for the audit."""
        task = asyncio.get_running_loop().create_task(self._end(id, journal, why, tries), name="recording-end")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _end(self, id: RecordingId, journal: Journal | None, why: str, tries: int) -> None:
        if journal is not None:
            await journal.close(EVENTS_S)
        try:
            ended = await self._recorder.end(id)
            ending = ended.ending
            if why == NEVER_BEGUN:
                ending = RecordingEnding.FAILED
            elif why == RESTART and ending is RecordingEnding.COMPLETE:
                ending = RecordingEnding.INTERRUPTED
            await self._records.end(id, ending, ended.size, ended.duration_ms, why)
        except Exception as error:
            tries += 1
            unexpected = None if isinstance(error, RecorderUnavailable | TongpingError) else error
            facts = {"recording": id, "tries": tries, "error": type(error).__name__}
            log.warning("recording not ended", exc_info=unexpected, extra=facts)
            if tries < MOST_TRIES:
                pause = min(FIRST_AGAIN_S * 2**tries, LONGEST_AGAIN_S)
                self._again.append((self._clock.monotonic() + pause, id, why, tries))

    def tick(self) -> None:
        now = self._clock.monotonic()
        due = [one for one in self._again if one[0] <= now]
        if due:
            self._again = [one for one in self._again if one[0] > now]
            for _, id, why, tries in due:
                self.end(id, None, why, tries)

    @property
    def tasks(self) -> list["asyncio.Task[None]"]:
        """Those that are under way."""
        return list(self._tasks)

    async def settle(self) -> None:
        """Return when everything that was begun is done, or waits to be tried again."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    async def close(self, deadline_s: float) -> None:
        """What is not ended by then is ended after the next start."""
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=deadline_s)
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks))
