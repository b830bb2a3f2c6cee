"""Who was refused: an entry in the audit each, bounded, so that nobody fills the trail or the disk by asking.

Of one caller ``MOST_EACH`` a minute are written, of all together ``MOST``; what is beyond is counted, and ``flush`` writes the counts: of ``MOST_CALLERS`` by
name, of everybody else in one.
"""

import logging
from collections import Counter

from server.audit.events import AuditAction, AuditEvent
from server.clock import Clock
from server.errors import TongpingError
from server.store.ports import Store

log = logging.getLogger(__name__)
MOST_EACH = 5
MOST = 60
MOST_CALLERS = 20
WINDOW_S = 60.0


class Refusals:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._since = clock.monotonic()
        self._written: Counter[str] = Counter()
        self._more: Counter[str] = Counter()
        self._others = 0

    async def note(self, operation: str, code: str, *, actor: str, subject: str = "") -> None:
        """``actor``: the id of who asked, "" of nobody known, who are one caller together. ``subject``: of the key that was shown. Never raises: the caller is
        refused whether that can be written or not."""
        now = self._clock.monotonic()
        if now >= self._since + WINDOW_S:
            self._since = now
            self._written.clear()
        caller = actor or subject
        if self._written[caller] >= MOST_EACH or self._written.total() >= MOST:
            self._count(caller)
            return
        self._written[caller] += 1
        if not await self._write([(actor, subject, {"operation": operation, "code": code})]):
            self._count(caller)

    async def flush(self) -> int:
        """What was counted since; of how many refusals. For housekeeping, and at the end."""
        more, others = self._more, self._others
        self._more, self._others = Counter(), 0
        entries = [(caller, "", {"more": str(count)}) for caller, count in more.items()]
        entries += [("", "", {"more": str(others)})] if others else []
        if entries and not await self._write(entries):
            self._more.update(more)
            self._others += others
            return 0
        return more.total() + others

    def _count(self, caller: str) -> None:
        if caller in self._more or len(self._more) < MOST_CALLERS:
            self._more[caller] += 1
        else:
            self._others += 1

    async def _write(self, entries: list[tuple[str, str, dict[str, str]]]) -> bool:
        at = self._clock.now()
        try:
            async with self._store.begin() as tx:
                for actor, subject, details in entries:
                    action = AuditAction.ACCESS_REFUSED
                    await tx.append_audit(AuditEvent(action=action, at=at, actor=actor, subject=subject, details=details))
        except TongpingError as error:
            log.error("a refusal is not in the audit", extra={"code": error.code})
            return False
        return True
