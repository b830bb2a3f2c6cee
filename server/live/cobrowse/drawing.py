"""Images of shared pages on their way to whoever draws them anew, and back. The shares have them; here is only what is under way."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from weakref import WeakValueDictionary

from server.clock import Clock
from server.cobrowse.orders import Draw
from server.cobrowse.share import Outputs, Share

log = logging.getLogger(__name__)
MOST_BYTES = 128 * 1024 * 1024
"""Of all shares together that are kept; beyond it further ones stay blank."""
MOST_WAITING_BYTES = 4 * 1024 * 1024
"""Of one share, as the tab sent them, also of those that nobody wants any more."""


class Drawing:
    """One image of a share at a time, so that none has all places. ``draw``: ``server.drawings``; None where nothing is drawn. ``kept``: bytes that all shares
    keep now."""

    def __init__(self, clock: Clock, kept: Callable[[], int]) -> None:
        self.draw: Callable[[bytes], Awaitable[bytes | None]] | None = None
        self._clock = clock
        self._kept = kept
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._waiting: Counter[str] = Counter()

    def order(self, order: Draw, share: Share, do: Callable[[Outputs], None]) -> None:
        """The share is told in any case, later; ``do``: what it wants then."""
        task = asyncio.get_running_loop().create_task(self._run(order, share, do), name="cobrowse-image")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, order: Draw, share: Share, do: Callable[[Outputs], None]) -> None:
        made, size = None, len(order.data)
        turn = self._turns.get(share.id) or asyncio.Lock()
        self._turns[share.id] = turn
        self._waiting[share.id] += size
        try:
            if self._waiting[share.id] <= MOST_WAITING_BYTES:
                async with turn:
                    made = await self._drawn(order, share)
        except Exception:
            log.exception("an image was not drawn")
        finally:
            self._waiting[share.id] -= size
            if not self._waiting[share.id]:
                del self._waiting[share.id]
        do(share.drawn(order.number, made, self._clock.monotonic()))

    async def _drawn(self, order: Draw, share: Share) -> bytes | None:
        if self.draw is None or not share.awaits(order.number) or self._kept() >= MOST_BYTES:
            return None
        return await self.draw(order.data)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
