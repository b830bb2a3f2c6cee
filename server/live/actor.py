"""One task that runs commands one after another: what makes a live session free of races."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from server.errors import DependencyError

log = logging.getLogger(__name__)
_T = TypeVar("_T")
Command = Callable[[], Awaitable[None]]


class Busy(DependencyError):
    """The inbox is full, or the actor has stopped."""

    code = "busy"


class Actor:
    """Runs commands in the order they came. At most ``inbox`` wait: one more is refused. Call ``close`` to stop it."""

    def __init__(self, name: str, inbox: int = 2048, stir: Callable[[], None] | None = None) -> None:
        """``stir``: told when something is queued, and when it has run."""
        self._name = name
        self._stir = stir
        self._queue: asyncio.Queue[Command] = asyncio.Queue(inbox)
        self._task: asyncio.Task[None] | None = None
        self._working = False
        self._stopped = False
        self._callers: set[asyncio.Future[Any]] = set()

    @property
    def idle(self) -> bool:
        return not self._working and self._queue.empty()

    def post(self, command: Command) -> bool:
        """Queue it; False when there is no room."""
        if self._stopped:
            return False
        try:
            self._queue.put_nowait(command)
        except asyncio.QueueFull:
            return False
        if self._stir is not None:
            self._stir()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name=self._name)
        return True

    async def call(self, command: Callable[[], Awaitable[_T]]) -> _T:
        """Queue it and wait for its result. It runs to its end even when the caller is cancelled. Raises Busy."""
        done: asyncio.Future[_T] = asyncio.get_running_loop().create_future()

        async def answer() -> None:
            try:
                result = await command()
            except Exception as error:
                if not done.done():
                    done.set_exception(error)
                return
            if not done.done():
                done.set_result(result)

        if not self.post(answer):
            raise Busy("The server is busy. Please try again.")
        self._callers.add(done)
        try:
            return await done
        finally:
            self._callers.discard(done)

    async def settle(self) -> None:
        """Return when everything that was queued has run."""
        await self._queue.join()

    async def close(self, deadline_s: float) -> None:
        """Take nothing more, let what waits run for at most ``deadline_s``, then stop."""
        self._stopped = True
        if self._task is None:
            return
        try:
            async with asyncio.timeout(deadline_s):
                await self._queue.join()
        except TimeoutError:
            log.warning("actor stopped with work left", extra={"actor": self._name})
        self._task.cancel()
        await asyncio.wait([self._task])
        for caller in self._callers:
            if not caller.done():
                caller.set_exception(Busy("The server is stopping."))

    async def _run(self) -> None:
        while True:
            command = await self._queue.get()
            self._working = True
            try:
                await command()
            except Exception:
                log.exception("command failed", extra={"actor": self._name})
            finally:
                self._working = False
                self._queue.task_done()
                if self._stir is not None:
                    self._stir()
