"""So much is taken in one turn of the event loop, the rest in the next ones, in the order in which it came."""

import asyncio
from collections import deque


class Turns:
    def __init__(self, most: int) -> None:
        self._most = self._left = most
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._renews = False

    async def take(self) -> None:
        """Waits for a turn with room."""
        loop = asyncio.get_running_loop()
        if not self._renews:
            self._renews = True
            loop.call_soon(self._renew)
        if self._left and not self._waiting:
            self._left -= 1
            return
        turn = loop.create_future()
        self._waiting.append(turn)
        await turn

    def _renew(self) -> None:
        self._left, self._renews = self._most, False
        while self._left and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self._left -= 1
        if self._left < self._most:
            self._renews = True
            asyncio.get_running_loop().call_soon(self._renew)
