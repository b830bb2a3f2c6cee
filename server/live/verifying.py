"""Verifying a transaction inside a live session: one attempt at a time, on one customer's camera. What is asked, looked at and decided is elsewhere
(``services/verification_live.py``); here is who may begin, and who is told."""

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

import msgspec

from server.domain import ids
from server.domain.grants import Grant
from server.domain.ids import CaseId, ParticipantId
from server.domain.model import ParticipantState, Role, SessionStatus
from server.errors import Conflict, NotAllowed, NotFound, TongpingError, VerificationUnavailable
from server.live.briefing import Briefing, whose
from server.live.member import Member
from server.live.people.leading import leads
from server.services.verification_live import STOPPED_BY_STAFF
from server.signalling.messages import ServerBody
from server.signalling.messages_verification import (
    VerificationBegin,
    VerificationChanged,
    VerificationCue,
    VerificationState,
)
from server.transactions.case import Attempt, Case
from server.transactions.cues import Instruction

if TYPE_CHECKING:
    from server.live.session import LiveSession
    from server.services.verification_live import Playing

log = logging.getLogger(__name__)


class Verifying:
    """Of one session."""

    def __init__(self, session: "LiveSession") -> None:
        self._session = session
        self.briefing = Briefing(session)
        self._task: asyncio.Task[None] | None = None
        self._case: CaseId | None = None
        self._whose: ParticipantId | None = None

    @property
    def under_way(self) -> bool:
        return self._task is not None and not self._task.done()

    def begin(self, member: Member, body: VerificationBegin) -> None:
        """Raises NotFound (no such customer here), NotAllowed (on somebody else's camera), Conflict (one runs), VerificationUnavailable."""
        session = self._session
        player = session.needs.attempts()
        if player is None:
            raise VerificationUnavailable("Transactions are not verified here.")
        other = session.members.get(ParticipantId(body.participant))
        if other is None or other.participant.role is not Role.CUSTOMER or not ids.is_id(body.case, ids.CASE):
            raise NotFound("There is no such customer here, or no such case.")
        if member.participant.role is Role.CUSTOMER and (other is not member or whose(session) is not member):
            raise NotAllowed("A customer is verified on their own camera, in a session that is theirs.")
        if session.status is not SessionStatus.OPEN:
            raise Conflict("They wait for somebody.")
        if self.under_way:
            raise Conflict("An attempt is under way.")
        self._case, self._whose = CaseId(body.case), other.id
        page = _Page(self, other.id, self._case)
        self._task = asyncio.create_task(self._play(page, member.id, light=body.light), name="live-attempt")

    async def _play(self, page: "_Page", actor: str, *, light: bool) -> None:
        player = self._session.needs.attempts()
        assert player is not None
        changed = VerificationChanged(case=page.case, participant=page.participant, state=VerificationState.OVER)
        try:
            attempt, case = await player.play(page.case, self._session.id, page.participant, actor, page, light=light)
            changed = msgspec.structs.replace(changed, number=attempt.number, left=_left(case), outcome=attempt.outcome)
            await self.briefing.tell()  # why it ended, before that it did: a page that knows it says nothing else in between
        except TongpingError as error:
            message = "an attempt did not come to an end" if page.number else "an attempt could not begin"
            log.info(message, extra={"case": page.case, "code": error.code, "detail": error.detail})
            changed = msgspec.structs.replace(changed, number=page.number, problem=error.code)
        except Exception:
            log.exception("an attempt failed", extra={"case": page.case})
            changed = msgspec.structs.replace(changed, number=page.number, problem="internal")
        self.tell(changed)
        self.briefing.changed()

    def cannot(self, member: Member, *, light: bool) -> None:
        """``light``: they want no colours. Raises Conflict: nothing is asked of this person."""
        playing = self._playing()
        if playing is None or member.id != self._whose:
            raise Conflict("Nothing is asked of you now.")
        playing.cannot(light=light)

    def stop(self, member: Member) -> None:
        """Raises Conflict (none runs), NotAllowed."""
        playing = self._playing()
        if playing is None:
            raise Conflict("No attempt is under way.")
        if member.participant.role is Role.CUSTOMER and member.id != self._whose:
            raise NotAllowed("It is another customer's.")
        playing.stop(None if member.id == self._whose else STOPPED_BY_STAFF)

    def break_off(self) -> None:
        """They want something else: an attempt that runs is used up."""
        if (playing := self._playing()) is not None:
            playing.stop()

    def _playing(self) -> "Playing | None":
        player = self._session.needs.attempts()
        return player.playing(self._case) if player is not None and self._case is not None and self.under_way else None

    def tell(self, body: ServerBody) -> None:
        """The person, and those who run verifications."""
        for member in self._session.members.values():
            staff = member.participant.role is not Role.CUSTOMER and Grant.VERIFICATION_RUN in member.grants
            if staff or member.id == self._whose:
                member.send(body)

    def with_agent(self, participant: ParticipantId) -> bool:
        """Whether somebody who leads is with this customer now: on line, with media that flows, and each before the other's eyes (neither on hold,
        nor in the waiting room, nor listening unseen, nor on the way out)."""
        members = self._session.members
        customer = members.get(participant)
        return (
            customer is not None
            and _met(customer)
            and any(leads(one) and _met(one) and one.state is ParticipantState.ACTIVE for one in members.values())
        )

    def cue(self, participant: ParticipantId, body: VerificationCue) -> None:
        member = self._session.members.get(participant)
        if member is not None:
            member.send(body)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task


class _Page:
    """``services/verification_live.py: Page``."""

    def __init__(self, verifying: Verifying, participant: ParticipantId, case: CaseId) -> None:
        self._verifying = verifying
        self.participant, self.case = participant, case
        self.number = 0

    def begins(self, attempt: Attempt, *, warning: bool) -> None:
        self.number = attempt.number
        self._verifying.briefing.changed()
        self._verifying.tell(
            VerificationChanged(
                case=self.case,
                participant=self.participant,
                state=VerificationState.PLAYING,
                number=attempt.number,
                warning=warning,
            )
        )

    def with_agent(self) -> bool:
        return self._verifying.with_agent(self.participant)

    def show(self, instruction: Instruction) -> None:
        red_green_blue = instruction.colour
        fields = msgspec.structs.asdict(instruction) | {
            "colour": "#{:02x}{:02x}{:02x}".format(*red_green_blue) if red_green_blue is not None else "",
            "reasons": list(instruction.reasons),
        }
        self._verifying.cue(self.participant, VerificationCue(case=self.case, **fields))


def _met(member: Member) -> bool:
    return member.shown_to_others and not member.leaving


def _left(case: Case) -> int:
    return max(0, case.attempts_allowed - case.attempts_used)
