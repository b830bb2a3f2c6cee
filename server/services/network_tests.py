"""A page tries its way to a media worker: a connection of its own, with a data channel and nothing else, for some seconds."""

import asyncio
import logging
import re
from dataclasses import dataclass

from server.clock import Clock
from server.errors import Invalid, MediaPlaneUnavailable, TooMany
from server.live.ports import MediaPort, MediaRefused, MediaUnavailable
from server.services.ports import MakeId

log = logging.getLogger(__name__)
PREFIX = "NT"
LAST_S = 20.0
ANSWER_S = 8.0
AT_ONCE = 6
"""Tests of one person at a time: each way to the worker is one."""
SESSION_AT_ONCE = 24
ALL_AT_ONCE = 200
WAITING_AT_ONCE = 140
"""Of all who wait: anybody can come in to wait, and those in a session must not go short because of it."""
WAITING_FREELY = 70
"""Beyond this a waiting person gets one at a time, and those of one address ``ADDRESS_AT_ONCE``: nobody can take all from the others."""
ADDRESS_AT_ONCE = 3
TICK_S = 1.0
_MEDIA = re.compile(r"^m=(?!application )", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who tries. ``address``: its ``throttle.address_key``."""

    who: str
    session: str
    address: str
    waiting: bool


@dataclass(frozen=True, slots=True)
class _Running:
    caller: Caller
    ends_at: float  # monotonic


class NetworkTests:
    """Each test is a room of one, away from every session: nothing can be heard or seen there."""

    def __init__(self, media: MediaPort, clock: Clock, make_id: MakeId) -> None:
        self._media = media
        self._clock = clock
        self._make_id = make_id
        self._running: dict[str, _Running] = {}

    def __len__(self) -> int:
        return len(self._running)

    async def start(self, caller: Caller, sdp: str) -> str:
        """The worker's answer. Raises Invalid, TooMany, MediaPlaneUnavailable."""
        if _MEDIA.search(sdp):
            raise Invalid("A network test has a data channel and nothing else.")
        if not self._has_room(caller):
            raise TooMany("Too many network tests at once. Please wait a moment.", retry_after_s=int(LAST_S))
        room = self._make_id(PREFIX)
        self._running[room] = _Running(caller, self._clock.monotonic() + LAST_S)
        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._media.connect(room, caller.who, sdp)
        except MediaRefused as refused:
            await self._end(room)
            raise Invalid(f"{refused.code}: {refused.detail}"[:300]) from None
        except (MediaUnavailable, TimeoutError):
            await self._end(room)
            raise MediaPlaneUnavailable("The media relay did not answer. Try again.") from None

    def _has_room(self, caller: Caller) -> bool:
        running = [one.caller for one in self._running.values()]
        mine = sum(one.who == caller.who for one in running)
        if len(running) >= ALL_AT_ONCE or mine >= AT_ONCE:
            return False
        if not caller.waiting:
            return sum(one.session == caller.session for one in running) < SESSION_AT_ONCE
        waiting = [one for one in running if one.waiting]
        if len(waiting) < WAITING_FREELY:
            return True
        here = sum(one.address == caller.address for one in waiting)
        return len(waiting) < WAITING_AT_ONCE and not mine and here < ADDRESS_AT_ONCE

    async def end_due(self) -> None:
        """Take down those whose time is over."""
        now = self._clock.monotonic()
        for room in [room for room, one in self._running.items() if now >= one.ends_at]:
            await self._end(room)

    async def _end(self, room: str) -> None:
        self._running.pop(room, None)
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._media.close_room(room)
        except (MediaUnavailable, TimeoutError):
            log.warning("network test not taken down", extra={"room": room})

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(TICK_S)
            try:
                await self.end_due()
            except Exception:
                log.exception("network tests not looked after")
