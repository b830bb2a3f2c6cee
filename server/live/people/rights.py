"""Who may come in, and who is what."""

from typing import TYPE_CHECKING

import msgspec

from server.domain.grants import session_grants
from server.domain.ids import InvitationId, LoginId, StaffId
from server.domain.model import LeaveReason, Role, staff_of
from server.errors import Conflict, Invalid, NotAllowed
from server.live import telling, upkeep
from server.live.member import Member
from server.live.people.leading import lead
from server.live.records import may_join
from server.services.views import session_view
from server.signalling.messages import SessionChanged
from server.signalling.messages_people import GrantsChanged

if TYPE_CHECKING:
    from server.live.session import LiveSession

GIVEN = frozenset({Role.EXPERT, Role.AGENT, Role.SUPERVISOR})


async def lock(session: "LiveSession", member: Member, locked: bool) -> None:
    """Raises StoreUnavailable."""
    await session.changed(await session.needs.people.set_session(session.id, member.id, locked=locked))


async def set_role(session: "LiveSession", member: Member, other: Member, role: Role) -> None:
    """What is taken away is shut before it is written down or told, and stays shut if it cannot be.

    Raises Invalid, NotAllowed, Conflict, StoreUnavailable.
    """
    before, record = other.participant.role, session.record
    assert record is not None  # loaded before anybody is seated
    if before is Role.CUSTOMER or role not in GIVEN:
        raise Invalid("Experts, agents and supervisors can change between these roles.")
    if Role.SUPERVISOR in (before, role) and member.participant.role is not Role.SUPERVISOR:
        raise NotAllowed("Only a supervisor changes that.")
    if role is Role.SUPERVISOR and staff_of(other.participant) is None:
        raise Invalid("Only staff can be a supervisor.")
    if other.listens:
        raise Conflict("They listen: they must join in first.")
    if lead(session) is other or record.handover_to == other.id:
        raise Conflict("They lead this session: they must hand it over first.")
    if before is role:
        return
    grants = session_grants(role, record.kind)
    other.gate.grants &= grants
    await session.apply_gate(other)
    stored = session.people[other.id] = await session.needs.people.set_role(other.id, role, member.id)
    other.participant = msgspec.structs.replace(other.participant, role=stored.role)
    other.gate.grants = grants
    await session.apply_gate(other)
    await upkeep.renew(session, other)
    other.send(GrantsChanged(grants=sorted(grant.value for grant in grants)))
    other.send(SessionChanged(session=session_view(record, grants)))
    other.send(session.recording.view(other))
    for one in session.everybody:  # whom they may know of, and who may know of them
        telling.view(session, one)


# ---------------------------------------------------------------- rights that ended


async def remove_staff(session: "LiveSession", staff: StaffId, actor: str) -> None:
    """An account was disabled: its place here is taken away. Raises StoreUnavailable."""
    for member in session.everybody:
        if staff_of(member.participant) == staff:
            await session.depart(member, LeaveReason.REMOVED, actor)


async def remove_login(session: "LiveSession", login: LoginId) -> None:
    """A login was ended: the place that was entered by it is taken away. Raises StoreUnavailable."""
    for member in session.everybody:
        if member.participant.login_id == login:
            await session.depart(member, LeaveReason.REVOKED, member.id)


async def remove_invited(session: "LiveSession", invitation: InvitationId, actor: str) -> None:
    """An invitation was withdrawn: who came in by it leaves. Raises StoreUnavailable."""
    for place in await session.needs.people.invited(session.id, invitation):
        member = session.find(place.id)
        if member is not None:
            await session.depart(member, LeaveReason.REVOKED, actor)
        elif may_join(place):
            session.people[place.id] = await session.needs.records.leave(place.id, LeaveReason.REVOKED, actor)
