"""What every kind of record of a live session is kept by: one transaction at a time, each with a deadline."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from server.clock import Clock
from server.errors import StoreUnavailable
from server.store.ports import Store, Transaction


class Transactions:
    """All raise StoreUnavailable."""

    def __init__(self, store: Store, clock: Clock, make_id: Callable[[str], str], deadline_s: float) -> None:
        self._store = store
        self._clock = clock
        self._make_id = make_id
        self._deadline_s = deadline_s

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[Transaction]:
        try:
            async with asyncio.timeout(self._deadline_s), self._store.begin() as tx:
                yield tx
        except TimeoutError as error:
            raise StoreUnavailable("It could not be stored in time.") from error

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[Transaction]:
        try:
            async with asyncio.timeout(self._deadline_s), self._store.read() as tx:
                yield tx
        except TimeoutError as error:
            raise StoreUnavailable("It could not be read in time.") from error
