"""A supervisor leads from now on, in the slots of whoever led, who leaves."""

from typing import TYPE_CHECKING

from server.domain.model import LeaveReason, Role, SessionStatus
from server.errors import Conflict, NotAllowed
from server.live.member import Member
from server.live.people import handover, leading, supervision
from server.signalling.messages_people import Handover, HandoverState

if TYPE_CHECKING:
    from server.live.session import LiveSession


async def take_over(session: "LiveSession", member: Member) -> None:
    """Raises NotAllowed, Conflict, StoreUnavailable."""
    if member.participant.role is not Role.SUPERVISOR:
        raise NotAllowed("Only a supervisor takes over.")
    leader = leading.lead(session)
    if session.status is not SessionStatus.OPEN or leader is None or leader is member or session.leaving is not None:
        raise Conflict("There is nobody to take over from.")
    if member.on_hold and member.participant.held_at is not None:
        raise Conflict("You are on hold.")
    if session.handing is not None:
        await handover.drop(session, HandoverState.CANCELLED, member.id)
    await supervision.hushed(session, member)
    record, place, before = await session.needs.people.lead(session.id, member.id, leader.id, LeaveReason.TAKEN_OVER, member.id)
    session.lost = None
    body = Handover(state=HandoverState.DONE, warm=False, from_=leader.id, to=member.id, to_name=member.participant.name)
    session.tell(body)
    await handover.switch(session, leader, place, record, before, LeaveReason.TAKEN_OVER)
