"""With whose consent a session is recorded (双录), and whom. Pure."""

from collections.abc import Callable, Iterable

from server.domain.grants import Grant
from server.domain.ids import ParticipantId
from server.domain.model import Role
from server.live.member import Member

LEADS = frozenset({Role.AGENT, Role.SUPERVISOR})
Says = Callable[[Member], bool]


def learns(member: Member) -> bool:
    """Whether they learn anything of the session."""
    return member.participant.waits_at is None


def present(member: Member) -> bool:
    """Whether they are in the conversation, on hold perhaps: not in the waiting room, and not listening unheard."""
    return not member.gone and member.participant.waits_at is None and member.participant.listens_at is None


def recordable(member: Member) -> bool:
    """Whether they are heard and seen by the others, so that they may be recorded if they agreed. A whisper never is."""
    return present(member) and not member.circle


def controls(member: Member) -> bool:
    return Grant.RECORDING_CONTROL in member.grants


def together(members: Iterable[Member]) -> bool:
    """A customer and somebody who leads."""
    roles = {member.participant.role for member in members if present(member)}
    return Role.CUSTOMER in roles and bool(roles & LEADS)


def needed(members: Iterable[Member]) -> frozenset[ParticipantId]:
    """Without whose consent nothing may be recorded: every customer, and one of those who lead."""
    return frozenset(m.id for m in members if present(m) and m.participant.role in {Role.CUSTOMER, *LEADS})


def agreed(members: Iterable[Member], agrees: Says) -> bool:
    """Whether those have agreed without whom nothing may be recorded, and a customer is in the talk: what staff say while every customer is
    on hold is not the customer's conversation."""
    here = [member for member in members if present(member)]
    customers = [member for member in here if member.participant.role is Role.CUSTOMER]
    leads = [member for member in here if member.participant.role in LEADS]
    return any(map(recordable, customers)) and all(map(agrees, customers)) and any(map(agrees, leads))


def refused(members: Iterable[Member], said_no: Says) -> bool:
    """Whether it cannot begin, because a customer or everybody who leads said no."""
    here = [member for member in members if present(member)]
    customers = [member for member in here if member.participant.role is Role.CUSTOMER]
    leads = [member for member in here if member.participant.role in LEADS]
    return any(map(said_no, customers)) or (bool(leads) and all(map(said_no, leads)))
