"""Who is told of a supervisor who listens. Pure."""

from enum import StrEnum

from server.domain.model import Role


class Disclosed(StrEnum):
    """``staff``: agents and supervisors. Supervisors and the bank's systems always see it, and the audit has it."""

    EVERYBODY = "everybody"
    STAFF = "staff"
    NOBODY = "nobody"


_TOLD = {
    Disclosed.EVERYBODY: frozenset(Role),
    Disclosed.STAFF: frozenset({Role.AGENT, Role.SUPERVISOR, Role.SERVICE}),
    Disclosed.NOBODY: frozenset({Role.SUPERVISOR, Role.SERVICE}),
}


def tells(disclosed: Disclosed, role: Role) -> bool:
    """Whether somebody of this role may know of a supervisor who listens."""
    return role in _TOLD[disclosed]
