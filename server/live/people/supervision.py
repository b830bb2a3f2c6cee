"""Listen, whisper, join in. Who is told that a supervisor listens is the policy's (``supervision.disclosed``,
``server/services/disclosure.py``): everybody, unless it says otherwise. Whoever they whisper to knows of them in any case, and is
alone told of the whisper."""

from typing import TYPE_CHECKING

import msgspec

from server.domain.ids import ParticipantId
from server.domain.model import Role, SupervisionMode
from server.errors import Conflict, DependencyError, Invalid, NotFound
from server.live.member import Member, keep
from server.live.people import unstored
from server.signalling.messages import Supervise, Whispers

if TYPE_CHECKING:
    from server.live.session import LiveSession


async def supervise(session: "LiveSession", member: Member, body: Supervise) -> None:
    """What narrows is done before it is written down, what widens afterwards. Raises Invalid, NotFound, Conflict, StoreUnavailable."""
    to = _ear(session, member, body)
    before = member.whispers_to
    member.whispers_to = None
    if body.mode is not SupervisionMode.JOIN and not member.listens:
        member.participant = msgspec.structs.replace(member.participant, listens_at=session.needs.clock.now())
    await session.apply_gate(member)
    if before is not None and before != to:
        _tell(session, member, before, None)
    try:
        stored = session.people[member.id] = await session.needs.records.supervise(member.id, body.mode, to)
    except DependencyError:
        if body.mode is not SupervisionMode.JOIN:
            unstored.keep(session, member, unstored.LISTENS, member.id)
        raise
    unstored.stored(session, member.id, unstored.LISTENS)
    keep(member, stored, "listens_at")
    if to is not None:
        member.known_to.add(to)
    member.whispers_to = to
    await session.apply_gate(member)
    session.tell_view(member)
    if to is not None:
        _tell(session, member, to, to)


def _ear(session: "LiveSession", member: Member, body: Supervise) -> ParticipantId | None:
    """Whom they want to whisper to. A customer never hears what others do not."""
    if body.mode is not SupervisionMode.WHISPER:
        if body.to is not None:
            raise Invalid("Only a whisper is for somebody.")
        return None
    other = session.members.get(body.to) if body.to is not None else None
    if other is None or other is member:
        raise NotFound("There is no such participant here.")
    if other.participant.role is Role.CUSTOMER:
        raise Invalid("Nobody whispers to a customer.")
    if member.on_hold or other.on_hold:
        raise Conflict("Nobody whispers across a hold.")
    return other.id


def greeted(session: "LiveSession", member: Member) -> None:
    """Somebody has a new page: it is told who whispers to them, and to whom they do."""
    for other in session.members.values():
        if other.whispers_to is not None and member.id in (other.id, other.whispers_to):
            member.send(Whispers(by=other.id, to=other.whispers_to))


async def hushed(session: "LiveSession", member: Member) -> None:
    """Nobody whispers to somebody who has left (they might come back with other people beside them), or across a hold."""
    for other in list(session.members.values()):
        to = other.whispers_to
        if to is not None and member.id in (other.id, to):
            other.whispers_to = None
            await session.apply_gate(other)
            _tell(session, other, to, None)


def _tell(session: "LiveSession", member: Member, ear: ParticipantId, to: ParticipantId | None) -> None:
    for one in (member, session.members.get(ear)):
        if one is not None:
            one.send(Whispers(by=member.id, to=to))
