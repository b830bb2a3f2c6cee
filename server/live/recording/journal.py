"""The events of one recording on their way to the recorder: in order, without anybody waiting for them."""

import asyncio
import logging
from collections import deque

from server.live.ports import RecorderPort, RecorderUnavailable
from server.live.recording.events import Event

log = logging.getLogger(__name__)
MOST = 2000  # that wait: minutes of a lively session; what comes beyond is dropped, counted and logged


class Journal:
    """One task. While the recorder is lost events wait; call ``again`` when it is there. What it did not confirm in time may be in there twice."""

    def __init__(self, recorder: RecorderPort, recording: str) -> None:
        self._recorder = recorder
        self._recording = recording
        self._waiting: deque[tuple[Event, int]] = deque()
        self._more = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None
        self.dropped = 0

    def add(self, event: Event, mono_us: int) -> None:
        """``mono_us``: when it happened, by the machine's monotonic clock."""
        if len(self._waiting) >= MOST:
            self.dropped += 1
            if self.dropped == 1:
                log.error("events of a recording dropped", extra={"recording": self._recording})
            return
        self._waiting.append((event, mono_us))
        self.again()

    def again(self) -> None:
        if not self._waiting:
            return
        self._idle.clear()
        self._more.set()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="recording-events")

    async def settle(self) -> None:
        """Return when everything is with the recorder, or the recorder is lost."""
        await self._idle.wait()

    async def close(self, deadline_s: float) -> None:
        """What waits is tried once more; what is not with the recorder by then is lost, and logged."""
        self.again()
        try:
            async with asyncio.timeout(deadline_s):
                await self.settle()
        except TimeoutError:
            pass
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        lost = self.dropped + len(self._waiting)
        if lost:
            log.error("events of a recording lost", extra={"recording": self._recording, "events": lost})

    async def _run(self) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            try:
                while self._waiting:
                    event, mono_us = self._waiting[0]
                    await self._recorder.tell(self._recording, event, mono_us)
                    self._waiting.popleft()
            except RecorderUnavailable:
                log.warning("events of a recording wait", extra={"recording": self._recording, "events": len(self._waiting)})
            except Exception:
                self._waiting.popleft()
                log.exception("event of a recording not written", extra={"recording": self._recording})
                self._more.set()
            if not self._more.is_set():
                self._idle.set()
