"""Whether there is room in a session for somebody who comes: a link that many have must not keep out whom the session is for."""

from typing import TYPE_CHECKING

from server.domain.model import Participant, Role, staff_of

if TYPE_CHECKING:
    from server.live.session import LiveSession


def room_for(session: "LiveSession", place: Participant) -> bool:
    """As many as are inside may wait besides. Never refused: the bank's own accounts, and a customer where there is none."""
    if staff_of(place) is not None:
        return True
    others = (one for one in session.everybody if one.id != place.id)
    if place.role is Role.CUSTOMER and all(one.participant.role is not Role.CUSTOMER for one in others):
        return True
    here = session.members if place.waits_at is None else session.waiting
    return len(here) < session.needs.settings.members
