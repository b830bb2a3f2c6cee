"""What viewers get of a shared page, on its way into the session's recording: a line after the other, as fast as the recorder takes them.

Little waits here, the rest in the share, bounded as a viewer's: a recorder that does not keep up costs changes, and then there is a new picture. It is asked
whether it may be kept when it is taken, and again before each line is handed over. A recording takes only so much of pages (``pages.Room``): beyond it the track
says that there is a gap, and goes on with a picture later.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from server.clock import Clock
from server.cobrowse.kept import TOO_MUCH, Kept, KeptLine
from server.cobrowse.messages import Body, Bye
from server.domain.ids import ParticipantId
from server.live.ports import PageLine, RecorderPort, RecorderUnavailable
from server.live.recording.pages import PageKept

log = logging.getLogger(__name__)
PICTURE_S = 300.0
"""So old the newest picture may become while the page changes: a player begins at one."""
MOST_BYTES = 1_000_000
"""That were taken and are not with the recorder: beyond it the rest waits in the share."""
GAP_S = 60.0
"""After so long one that had grown too fast goes on."""
AGAIN_S = 2.0
"""After so long a recorder that refused is tried again."""


class Keeper:
    """A connection of the share. ``next``: what waits, and what may be kept of it; None for nothing. ``may``: whether anything may, now. ``over``: told once, with whether to try again."""

    id: str

    def __init__(
        self,
        connection: str,
        recorder: RecorderPort,
        clock: Clock,
        kept: PageKept,
        share: str,
        customer: ParticipantId,
        next: Callable[[], tuple[Body, PageKept] | None],
        may: Callable[[], bool],
        over: Callable[["Keeper", bool], None],
    ) -> None:
        self.id = connection
        self._recorder = recorder
        self._clock = clock
        self._first = kept
        self._track = f"page-{share}"
        self._customer = customer
        self._next = next
        self._may = may
        self._over = over
        self._lines = Kept()
        self._pictured_at = clock.monotonic()
        self._gap_until: float | None = None
        self._waiting: deque[tuple[PageLine, int]] = deque()
        self._bytes = 0
        self._pulls = False
        self._ended = False
        self._more = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._run(), name="cobrowse-keeper")

    @property
    def task(self) -> "asyncio.Task[None] | None":
        """What is under way."""
        return None if self._task.done() else self._task

    def is_for(self, kept: PageKept) -> bool:
        return kept[:2] == self._first[:2]

    def picture_due(self, now: float) -> bool:
        """Whoever is told so asks for one."""
        if self._gap_until is not None:
            if now < max(self._gap_until, self._pictured_at + GAP_S):
                return False
        elif not self._lines.changes or now - self._pictured_at < PICTURE_S:
            return False
        self._pictured_at = now
        return True

    def wake(self) -> None:
        """What waits is taken when it comes, so that it has its time."""
        if not self._pulls:
            self._pulls = True
            asyncio.get_running_loop().call_soon(self._pull)

    def hush(self) -> None:
        """It looks no longer than others do, and asks before each line whether it may."""

    def finish(self, code: str, *, again: bool = False) -> None:
        del code, again
        self._task.cancel()

    def _pull(self) -> None:
        self._pulls = False
        while not self._task.done() and self._bytes < MOST_BYTES and (found := self._next()) is not None:
            body, kept = found
            now = self._clock.monotonic()
            for line in self._fitting(self._lines.lines(body, kept.whom), kept, now, last=isinstance(body, Bye)):
                if line.begins:
                    self._pictured_at = now
                told = PageLine(
                    track=self._track, participant=self._customer, text=line.text, begins=line.begins, blank=line.blank
                )
                self._waiting.append((told, int(now * 1e6)))
                self._bytes += len(line.text)
            self._ended = isinstance(body, Bye)
            self._more.set()
            if self._ended:
                return

    def _fitting(self, lines: list[KeptLine], kept: PageKept, now: float, *, last: bool) -> list[KeptLine]:
        """What the recording takes of them. ``last``: it does, in any case."""
        if last:
            return lines
        found: list[KeptLine] = []
        for line in lines:
            if self._gap_until is not None and not (line.begins and now >= self._gap_until):
                continue
            if kept.room.take(len(line.text), now):
                self._gap_until = None
                found.append(line)
            elif self._gap_until is None:
                found.append(TOO_MUCH)
                self._gap_until = now + GAP_S
                log.warning("a page grows too fast to be kept", extra={"recording": kept.recording})
            else:
                self._gap_until = now + GAP_S
        return found

    async def _run(self) -> None:
        again = False
        try:
            while not (self._ended and not self._waiting):
                await self._more.wait()
                self._more.clear()
                await self._write()
        except RecorderUnavailable:
            again = True
            log.warning("page not kept", extra={"recording": self._first.recording})
        except Exception:
            again = True
            log.exception("page not kept", extra={"recording": self._first.recording})
        finally:
            self._over(self, again)

    async def _write(self) -> None:
        while self._waiting and self._may():
            line, mono_us = self._waiting.popleft()
            self._bytes -= len(line.text)
            await self._recorder.page(self._first.recording, line, mono_us)
            if not self._waiting and not self._ended:
                self._pull()
