"""Tells live sessions of their cases, and reviewers' desks of what waits for them, as the audit trail tells of it, whoever changed it, on whichever server; and ends the sessions of customers by
themselves with their cases."""

import asyncio
import logging
from datetime import datetime
from typing import Protocol

from server.audit.events import AuditAction, AuditEvent
from server.domain import ids
from server.domain.ids import SessionId
from server.errors import TongpingError
from server.live.hub import LiveSessions
from server.store.ports import Store
from server.transactions.case import OVERDUE, CaseState
from server.transactions.decision import Outcome

log = logging.getLogger(__name__)
LOOK_S = 0.5
RETRY_S = 5.0
END_EVERY_S = 15.0
AT_ONCE = 200


class OverSessions(Protocol):
    """``server.services.verification_sessions.CaseSessions``."""

    async def over(self, after: SessionId) -> list[SessionId]: ...
    def over_before(self) -> datetime: ...


class CaseWatch:
    """Run ``run`` as a task."""

    def __init__(self, store: Store, live: LiveSessions, sessions: OverSessions) -> None:
        self._store, self._live, self._sessions = store, live, sessions
        self._seen: int | None = None  # the last entry of the trail that was looked at

    async def run(self) -> None:
        """Until cancelled."""
        rounds = 0
        while True:
            pause_s = RETRY_S
            try:
                await self.look()
                if rounds % round(END_EVERY_S / LOOK_S) == 0:
                    await self.end_over()
                pause_s = LOOK_S
            except TongpingError as error:
                log.warning("cases of sessions were not looked at, tried again", extra={"code": error.code})
            except Exception:
                log.exception("cases of sessions were not looked at")
            rounds += 1
            await asyncio.sleep(pause_s)

    async def look(self) -> int:
        """Tell of what has happened since the last look; of how many sessions. The first look only remembers where the trail is."""
        changed: set[SessionId] = set()
        reviews = False
        async with self._store.read() as tx:
            if self._seen is None:
                self._seen = await tx.audit_head()
            while entries := await tx.list_audit(after=self._seen, limit=AT_ONCE):
                self._seen = entries[-1].number
                changed |= {
                    SessionId(one.event.session)
                    for one in entries
                    if one.event.session and ids.is_id(one.event.subject, ids.CASE)
                }
                reviews = reviews or any(_of_reviews(one.event) for one in entries)
        if reviews:
            self._live.reviews_changed()
        for session in changed:
            self._live.cases_changed(session)
        return len(changed)

    async def end_over(self) -> None:
        """Those that cannot be ended now are tried again the next time, and keep the others from nothing."""
        after = SessionId("")
        while found := await self._sessions.over(after):
            for session in found:
                try:
                    await self._live.end_over(session, self._sessions.over_before())
                except TongpingError as error:
                    log.warning("a session that is over was not ended", extra={"session": session, "code": error.code})
            after = found[-1]


def _of_reviews(event: AuditEvent) -> bool:
    """Whether a case has come to be reviewed, or does not wait for it any more."""
    match event.action:
        case AuditAction.VERIFICATION_ATTEMPT_ENDED:
            return event.details.get("outcome") == Outcome.REFER
        case AuditAction.VERIFICATION_ENDED:
            overdue = OVERDUE in event.details.get("reasons", "").split()
            return overdue or event.details.get("state") == CaseState.CANCELLED
        case AuditAction.VERIFICATION_IDENTIFIED | AuditAction.VERIFICATION_REVIEWED:
            return True
    return False
