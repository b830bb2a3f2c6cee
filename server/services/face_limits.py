"""How many requests with pictures there may be: at once, at once of one caller, a minute of one caller, and in one session. Sans-I/O: the caller brings ``now``.

At most ``MAX_CALLERS`` are remembered, and as many sessions; then the one that was quiet longest is forgotten, and starts with a full allowance.
"""

import math
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from server.errors import NotAllowed, TooMany, VerificationBusy
from server.signalling.rates import TokenBucket

MAX_CALLERS = 10_000
BURST_S = 10.0
"""So many seconds' worth at once, and at least as much as a whole batch takes."""


@dataclass(slots=True)
class _Caller:
    bucket: TokenBucket
    under_way: int = 0


class FaceLimits:
    """Times are monotonic seconds."""

    def __init__(self, *, at_once: int, at_once_each: int) -> None:
        """People with a place in a session have one at once each, and half of all places together: who sends slowly keeps no key waiting."""
        self._at_once = at_once
        self._people = max(1, at_once // 2)
        self._each = at_once_each
        self._callers: OrderedDict[str, _Caller] = OrderedDict()
        self._sessions: OrderedDict[str, int] = OrderedDict()
        self.under_way = 0
        self._people_under_way = 0

    @contextmanager
    def request(self, caller: str, per_min: int, now: float, *, person: bool = False) -> Iterator[None]:
        """Holds a place. Raises TooMany, VerificationBusy."""
        found = self._find(caller, per_min, now)
        if found.under_way >= (1 if person else self._each):
            raise TooMany("Too many of your checks are under way.", 1)
        if self.under_way >= self._at_once or (person and self._people_under_way >= self._people):
            raise VerificationBusy("Too many face checks are under way.", 1)
        self._take(found, per_min, now, 1)
        found.under_way += 1
        self.under_way += 1
        self._people_under_way += person
        try:
            yield
        finally:
            found.under_way -= 1
            self.under_way -= 1
            self._people_under_way -= person

    def more(self, caller: str, per_min: int, now: float, checks: int) -> None:
        """So many more of a request that holds a place. Raises TooMany, of which none was taken."""
        if checks > 0:
            self._take(self._find(caller, per_min, now), per_min, now, checks)

    def spend(self, session: str, most: int, checks: int) -> None:
        """So many checks more in a session, of ``most`` in all: whoever comes into it again is no new caller. Raises NotAllowed, and counts none then."""
        had = self._sessions.get(session, 0)
        if had + checks > most:
            raise NotAllowed("In one conversation there are no more face checks than this.")
        if session not in self._sessions and len(self._sessions) >= MAX_CALLERS:
            self._sessions.popitem(last=False)
        self._sessions[session] = had + checks
        self._sessions.move_to_end(session)

    def _take(self, caller: _Caller, per_min: int, now: float, checks: int) -> None:
        if not caller.bucket.take(now, checks):
            raise TooMany("Too many face checks in a short time.", max(1, math.ceil(60 * checks / per_min)))

    def _find(self, caller: str, per_min: int, now: float) -> _Caller:
        found = self._callers.get(caller)
        if found is None:
            if len(self._callers) >= MAX_CALLERS:
                idle = next((name for name, one in self._callers.items() if not one.under_way), None)
                if idle is not None:
                    del self._callers[idle]
            found = self._callers[caller] = _Caller(TokenBucket(per_min / 60, max(20.0, per_min * BURST_S / 60), now))
        self._callers.move_to_end(caller)
        return found
