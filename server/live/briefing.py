"""What the people of a session are told of its cases: all of them, when somebody comes and when one of them has changed, whoever changed it."""

import asyncio
import logging
from typing import TYPE_CHECKING

from server.domain.grants import Grant
from server.domain.ids import ParticipantId
from server.domain.model import Role
from server.errors import TongpingError
from server.live.member import Member
from server.signalling.messages_verification import VerificationCases
from server.transactions.brief import CaseBrief

if TYPE_CHECKING:
    from server.live.session import LiveSession

log = logging.getLogger(__name__)


class Briefing:
    """Of one session. Where it has no case nobody is told anything."""

    def __init__(self, session: "LiveSession") -> None:
        self._session = session
        self._told: dict[ParticipantId, list[CaseBrief]] = {}
        self._retry_at: float | None = None

    def greeted(self, member: Member) -> None:
        """A new page, which shows none yet."""
        self._told.pop(member.id, None)
        self.changed()

    def changed(self) -> None:
        """One of its cases has changed, or may have."""
        if self._session.needs.briefs() is not None:
            self._session.queue("cases", self.tell)

    @property
    def reads_again(self) -> bool:
        """They could not be read: ``tick`` waits for a time."""
        return self._retry_at is not None

    def tick(self, now: float) -> None:
        if self._retry_at is not None and now >= self._retry_at:
            self._retry_at = None
            self.changed()

    async def tell(self) -> None:
        """Read them and tell whoever was told something else. What cannot be read is read again later."""
        session, needs = self._session, self._session.needs
        source = needs.briefs()
        whom = [member for member in session.members.values() if self._entitled(member)]
        if source is None or not whom:
            return
        try:
            async with asyncio.timeout(needs.settings.store_s):
                cases = await source.of_session(session.id)
        except (TongpingError, TimeoutError):
            log.warning("the cases of a session were not read, tried again", extra={"session": session.id})
            self._retry_at = needs.clock.monotonic() + needs.settings.retry_s
            return
        for member in whom:
            if cases != self._told.get(member.id, []):
                self._told[member.id] = cases
                member.send(VerificationCases(cases=cases))

    def _entitled(self, member: Member) -> bool:
        if Grant.VERIFICATION_RUN not in member.grants:
            return False
        return member.participant.role is not Role.CUSTOMER or member is whose(self._session)


def whose(session: "LiveSession") -> Member | None:
    """The customer whom the session is for: of those inside the one who has been it longest."""
    customers = [member for member in session.members.values() if member.participant.role is Role.CUSTOMER]
    return min(customers, key=lambda one: (one.participant.created_at, one.id), default=None)
