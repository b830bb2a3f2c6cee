"""A customer who is verified by themselves asks for a person: their session waits in line as any other, with the reason, and is theirs still.

Nobody is offered such a session before, nor is one that nobody asked for a way to a customer for whoever would like to be with them.
"""

from typing import TYPE_CHECKING

from server.domain.model import Role, SessionKind, SessionStatus
from server.errors import CallerError, Conflict, DependencyError, NotAllowed
from server.live.member import Member
from server.live.people import leading
from server.signalling.messages_verification import VerificationAgent

if TYPE_CHECKING:
    from server.live.session import LiveSession


class NoStaff(Conflict):
    """Nobody is at a desk."""

    code = "no_staff"


async def ask(session: "LiveSession", member: Member, body: VerificationAgent) -> None:
    """Raises NotAllowed, Conflict (somebody is there, or coming), NoStaff, TooMany (the list is full), StoreUnavailable: then
    an attempt that runs goes on. Again changes nothing."""
    record, needs = session.record, session.needs
    if member.participant.role is not Role.CUSTOMER:
        raise NotAllowed("Customers ask for a person.")
    if record is None or record.kind is not SessionKind.VERIFICATION:
        raise Conflict("This session has its people.")
    waits = record.status is SessionStatus.WAITING
    if body.wanted is waits:
        return
    if body.wanted:
        if leading.lead(session) is not None or session.handing is not None:
            raise Conflict("Somebody is with you, or on the way.")
        if not needs.desks.available():
            raise NoStaff("Nobody is on duty now.")
        record = await needs.people.ask(session.id, member.id, body.reason, most=needs.settings.waiting)
        session.verifying.break_off()  # not before: where nobody can come it goes on
    else:
        record = await needs.people.unask(session.id, member.id)
    await session.changed(record)
    needs.waiting_changed()


async def given_up(session: "LiveSession", actor: str) -> bool:
    """The customer who waits has gone. Whether the session goes on without waiting, so that they can come back by their link; else it is over.

    Raises StoreUnavailable.
    """
    record = session.record
    if record is None or record.kind is not SessionKind.VERIFICATION or record.status is not SessionStatus.WAITING:
        return False
    try:
        record = await session.needs.people.unask(session.id, actor)
    except DependencyError:
        raise
    except CallerError:  # ended, or taken, meanwhile
        return True
    await session.changed(record)
    session.needs.waiting_changed()
    return True
