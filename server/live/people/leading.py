"""Who leads a session, and whom it is for."""

from typing import TYPE_CHECKING

from server.domain.ids import ParticipantId
from server.domain.model import Role, staff_of
from server.live.member import Member
from server.live.presence import LEADING

if TYPE_CHECKING:
    from server.live.session import LiveSession


def lead(session: "LiveSession") -> Member | None:
    """Whoever took this customer, or made the session; where they are not in it, an agent who is, or a supervisor like everybody."""
    record = session.record
    if record is None:
        return None
    leading = [one for one in session.members.values() if leads(one) and one.id != record.handover_to]
    owner = record.taken_by or record.created_by
    for one in leading:
        if owner and staff_of(one.participant) == owner:
            return one
    leading.sort(key=lambda one: (one.away_since is not None, one.participant.role is not Role.AGENT))
    return leading[0] if leading else None


def leads(member: Member) -> bool:
    """Whether this person may lead as they are in the session."""
    return member.participant.role in LEADING and not (member.listens or member.leaving or member.cut)


def customers(session: "LiveSession") -> list[ParticipantId]:
    """Who is inside, or has a place that is kept."""
    return [one.id for one in session.members.values() if one.participant.role is Role.CUSTOMER]
