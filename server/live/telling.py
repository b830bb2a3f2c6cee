"""What each page was last told of the others: it is told again only what differs, so that nothing shows that it must not know of."""

from typing import TYPE_CHECKING

from server.domain.grants import Grant
from server.domain.ids import ParticipantId
from server.domain.model import LeaveReason, Role
from server.domain.views import ConsentView, ParticipantView
from server.live.member import Member
from server.services.disclosure import tells
from server.signalling.messages import ConsentChanged, ParticipantChanged, ParticipantLeft, QueuePosition, Speaking

if TYPE_CHECKING:
    from server.live.session import LiveSession


def sees(session: "LiveSession", viewer: Member, other: Member) -> bool:
    """Whether somebody's page may know that the other one is here."""
    if viewer is other:
        return True
    if viewer.waits:
        return False
    if other.waits:
        return Grant.PARTICIPANT_ADMIT in viewer.grants
    if other.listens and viewer.id not in other.known_to:
        return tells(session.needs.settings.disclosed, viewer.participant.role)
    return True


def knows(session: "LiveSession", viewer: Member, participant: ParticipantId) -> bool:
    """The same of somebody who may have left."""
    other = session.find(participant)
    if other is not None:
        return sees(session, viewer, other)
    place = session.people.get(participant)
    if viewer.waits or place is None:
        return False
    if place.waits_at is not None:
        return Grant.PARTICIPANT_ADMIT in viewer.grants
    return place.listens_at is None or tells(session.needs.settings.disclosed, viewer.participant.role)


def hidden(session: "LiveSession", member: Member) -> bool:
    """Whether somebody inside must not know of this person."""
    return any(not sees(session, other, member) for other in session.members.values())


def view(session: "LiveSession", member: Member, *, but: Member | None = None) -> None:
    """Everybody (``but`` one) whose page shows something else of this person is told how it is now."""
    now = member.view()
    for other in session.everybody:
        if other is but:
            continue
        if not sees(session, other, member):
            if other.shown.pop(member.id, None) is not None:
                other.send(ParticipantLeft(participant=member.id, reason=LeaveReason.LEFT))
        elif other.shown.get(member.id) != now:
            other.shown[member.id] = now
            other.send(ParticipantChanged(participant=now))


def left(session: "LiveSession", member: Member, reason: LeaveReason) -> None:
    for other in session.members.values():
        if other.shown.pop(member.id, None) is not None or sees(session, other, member):
            other.send(ParticipantLeft(participant=member.id, reason=reason))


def consent(session: "LiveSession", decided: ConsentView) -> None:
    """A decision was recorded: to those who know whose it is."""
    for other in session.everybody:
        if knows(session, other, decided.participant):
            other.send(ConsentChanged(consent=decided))


def position(session: "LiveSession", place: tuple[int, int | None]) -> None:
    """Customers who wait are told their place in the waiting list, from 1, and how many seconds that may still take."""
    for member in session.members.values():
        if member.participant.role is Role.CUSTOMER and member.position != place:
            member.position = place
            member.send(QueuePosition(position=place[0], estimated_wait_s=place[1]))


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
