"""What each page was last told of the others: it is told again only what differs, so that nothing shows that it must not know of."""

from typing import TYPE_CHECKING

from server.domain.ids import ParticipantId
from server.domain.model import LeaveReason
from server.domain.views import ParticipantView
from server.live.member import Member
from server.signalling.messages import ParticipantChanged, ParticipantLeft, Speaking

if TYPE_CHECKING:
    from server.live.session import LiveSession


def view(session: "LiveSession", member: Member, *, but: Member | None = None) -> None:
    """Everybody (``but`` one) whose page shows something else of this person is told how it is now."""
    now = member.view()
    for other in session.members.values():
        if other is not but and other.shown.get(member.id) != now:
            other.shown[member.id] = now
            other.send(ParticipantChanged(participant=now))


def left(session: "LiveSession", member: Member, reason: LeaveReason) -> None:
    for other in session.members.values():
        other.shown.pop(member.id, None)
        other.send(ParticipantLeft(participant=member.id, reason=reason))


def greeted(session: "LiveSession", member: Member, shown: list[ParticipantView]) -> None:
    """A new page, which shows these people and nobody speaking."""
    member.shown = {one.id: one for one in shown}
    member.speakers = []
    speaking(session, member)


def speaking(session: "LiveSession", *members: Member) -> None:
    """These (everybody where nobody is named) are told who speaks of those they can hear, where that is not what they were told."""
    speakers = [session.members[id] for id in session.speakers if id in session.members]
    for member in members or session.members.values():
        heard: list[ParticipantId] = [
            one.id for one in speakers if one.wanted(session.status).reaches(member.id, member.circle)
        ]
        if heard != member.speakers:
            member.speakers = heard
            member.send(Speaking(participants=heard))
