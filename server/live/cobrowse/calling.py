"""The way into the conversation for a customer who only shows a page: made once they have said yes, and told to their page alone."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from server.domain.ids import ParticipantId, SessionId
from server.errors import TongpingError

log = logging.getLogger(__name__)
MakeLink = Callable[[SessionId, ParticipantId, str], Awaitable[str]]
"""Session, the customer's place, who asked."""


class Calling:
    """``link``: bound by whoever makes them; None: nobody does."""

    def __init__(self) -> None:
        self.link: MakeLink | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def invite(self, session: SessionId, customer: ParticipantId, viewer: str, told: Callable[[str], None]) -> None:
        """``told``: with the link, or "" where there is none."""

        async def run() -> None:
            link = ""
            try:
                if self.link is not None:
                    link = await self.link(session, customer, viewer)
            except TongpingError as error:
                log.warning("no way into the conversation was made", extra={"session": session, "code": error.code})
            finally:
                told(link)

        task = asyncio.create_task(run(), name="cobrowse-invitation")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks))
