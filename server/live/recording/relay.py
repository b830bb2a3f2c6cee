"""What the relay was told of a session's recording, and whether it has confirmed it."""

import asyncio
import logging
from collections.abc import Callable
from typing import NamedTuple

from server.clock import Clock
from server.domain.ids import ParticipantId, SessionId
from server.domain.model import Source
from server.live.ports import MediaPort, MediaUnavailable
from server.live.settings import LiveSettings

log = logging.getLogger(__name__)
_SOURCES = frozenset(source.value for source in Source)


class Said(NamedTuple):
    """What the relay is to record of this session."""

    recording: str
    zero_us: int
    whom: frozenset[ParticipantId]
    on: bool

    def tightens(self, before: "Said") -> bool:
        return before.on and (not self.on or bool(before.whom - self.whom) or self.recording != before.recording)


NOTHING = Said("", 0, frozenset(), False)


class RelaySide:
    """``to_say``: what may be recorded at this moment; asked anew each time, so that no order of events can say too much."""

    def __init__(
        self, session: SessionId, media: MediaPort, clock: Clock, settings: LiveSettings, to_say: Callable[[], Said]
    ) -> None:
        self._session = session
        self._media = media
        self._clock = clock
        self._settings = settings
        self._to_say = to_say
        self._last = NOTHING  # what it was told last, confirmed or not
        self._epoch = 0  # grows whenever the relay forgets the room
        self._telling = asyncio.Lock()
        self._retry_at = 0.0
        self.told: Said | None = NOTHING  # None: it did not say
        self.unsafe = False  # somebody is not to be recorded any more, and it has not confirmed that
        self.unanswered_since: float | None = None

    @property
    def recorded(self) -> frozenset[ParticipantId]:
        """Of whom it is known to record."""
        return self.told.whom if self.told is not None and self.told.on else frozenset()

    def due(self, now: float) -> bool:
        return self.told is None and now >= self._retry_at

    def forgotten(self) -> None:
        """The relay has lost the room."""
        self._epoch += 1
        self.told = self._last = NOTHING
        self.unsafe = False

    async def say(self) -> None:
        """Tell it, where that is not what it was told. From any task; never raises."""
        async with self._telling:
            said = self._to_say()
            before = self.told
            if said == before:
                return
            if before is None and self._clock.monotonic() < self._retry_at and not said.tightens(self._last):
                return
            epoch = self._epoch
            known: Said | None = None
            try:
                async with asyncio.timeout(self._settings.media_control_s):
                    await self._tell(said)
                known = said
                self.unanswered_since, self.unsafe = None, False
            except (MediaUnavailable, TimeoutError):
                log.warning("the relay was not told what is recorded", extra={"session": self._session})
                now = self._clock.monotonic()
                self._retry_at = now + self._settings.retry_s
                self.unsafe = self.unsafe or said.tightens(self._last)
                if self.unanswered_since is None:
                    self.unanswered_since = now
            finally:
                if epoch == self._epoch:
                    self.told, self._last = known, said

    async def _tell(self, said: Said) -> None:
        old = self._last
        if old.recording and old.recording != said.recording:
            await self._media.set_recording(self._session, old.recording, old.zero_us, {}, "off")
        if said.recording:
            whom: dict[str, frozenset[str]] = dict.fromkeys(sorted(said.whom), _SOURCES)
            await self._media.set_recording(self._session, said.recording, said.zero_us, whom, "on" if said.on else "paused")
