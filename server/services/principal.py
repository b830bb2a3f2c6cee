"""Who is asking, after authentication. Pure data."""

from dataclasses import dataclass
from enum import StrEnum

from server.domain.grants import Grant
from server.domain.ids import LoginId, ParticipantId, SessionId
from server.domain.model import Role


class PrincipalKind(StrEnum):
    DESK = "desk"  # staff with a desk token
    PARTICIPANT = "participant"  # a session token: reaches its own session only
    SERVICE = "service"  # an API key of one of the bank's systems


@dataclass(frozen=True, slots=True)
class Principal:
    """``actor`` is the id that goes into records and the audit: a StaffId, an ApiKeyId or a ParticipantId."""

    kind: PrincipalKind
    actor: str
    role: Role
    grants: frozenset[Grant]
    session: SessionId | None = None
    participant: ParticipantId | None = None
    login: LoginId | None = None  # of staff at the desk
    waits: bool = False  # a participant in the waiting room: may learn nothing of the session
