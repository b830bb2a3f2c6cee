"""Who is heard, who may come in, who is what, and who leads: hold and mute, lock, waiting room, roles, hand-over, a lost agent. Part of ``messages.py``."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec

from server.domain.ids import ParticipantId, SessionId, StaffId
from server.domain.model import Role
from server.domain.views import SessionView
from server.signalling.base import Body

MAX_NOTE_CHARS = 500

AParticipant = Annotated[ParticipantId, msgspec.Meta(max_length=40)]

# ---------------------------------------------------------------- client → server


class Hold(Body, frozen=True, kw_only=True, tag="participant.hold"):
    """Put somebody else on hold, or take them back: held they hear and see nobody, and nobody them. Needs ``participant.hold``."""

    participant: AParticipant
    held: bool


class Mute(Body, frozen=True, kw_only=True, tag="participant.mute"):
    """Mute somebody else's microphone at the relay, or lift that. Needs ``participant.mute``."""

    participant: AParticipant
    muted: bool


class Lock(Body, frozen=True, kw_only=True, tag="session.lock"):
    """Nobody new comes in by an invitation; those who have a place come back. Needs ``session.lock``."""

    locked: bool


class WaitingRoomSet(Body, frozen=True, kw_only=True, tag="session.waiting_room"):
    """While on, who newly comes by an invitation waits until they are admitted. Needs ``session.lock``."""

    on: bool


class Admit(Body, frozen=True, kw_only=True, tag="participant.admit"):
    """Let somebody who waits in, or send them away. Needs ``participant.admit``."""

    participant: AParticipant
    admitted: bool


class RoleSet(Body, frozen=True, kw_only=True, tag="participant.role"):
    """Make somebody else an expert, an agent or a supervisor, in this session. Needs ``participant.role``."""

    participant: AParticipant
    role: Role


class HandoverOffer(Body, frozen=True, kw_only=True, tag="handover.offer"):
    """Whoever leads offers the customer to a colleague (``to`` null: to any agent who is free). Needs ``handover``.

    ``warm``: talk to the colleague first, while everybody else is on hold. ``note``: for the colleague alone.
    """

    to: Annotated[StaffId, msgspec.Meta(max_length=40)] | None = None
    warm: bool = False
    note: Annotated[str, msgspec.Meta(max_length=MAX_NOTE_CHARS)] = ""


class HandoverCancel(Body, frozen=True, kw_only=True, tag="handover.cancel"):
    """The offer is taken back, or the talk with the colleague was for nothing. Needs ``handover``."""


class HandoverComplete(Body, frozen=True, kw_only=True, tag="handover.complete"):
    """The colleague, with whom one has talked, leads from now on. Needs ``handover``."""


class HandoverAnswer(Body, frozen=True, kw_only=True, tag="handover.answer"):
    """Desk connections only: accept or decline ``handover.offered``."""

    session: Annotated[SessionId, msgspec.Meta(max_length=40)]
    accepted: bool


# ---------------------------------------------------------------- server → client


class GrantsChanged(Body, frozen=True, kw_only=True, tag="grants"):
    """What one may do from now on: somebody changed one's role. ``token.renewed`` comes with it."""

    grants: list[str]


class HandoverState(StrEnum):
    OFFERED = "offered"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    EXPIRED = "expired"
    HERE = "here"
    DONE = "done"
    CANCELLED = "cancelled"


class Handover(Body, frozen=True, kw_only=True, tag="handover"):
    """A hand-over went on. ``to`` and ``to_name``: the colleague, null and empty until one has accepted."""

    state: HandoverState
    warm: bool
    from_: ParticipantId = msgspec.field(name="from")
    to: ParticipantId | None
    to_name: str


class HandoverOffered(Body, frozen=True, kw_only=True, tag="handover.offered"):
    """Desk connections only: a colleague offers a customer. ``lost``: the agent's connection is gone, and nobody leads."""

    session: SessionView
    from_name: str
    warm: bool
    note: str
    lost: bool
    expires_at: datetime


class HandoverWithdrawn(Body, frozen=True, kw_only=True, tag="handover.withdrawn"):
    """Desk connections only: that offer is over. Somebody else was faster, it was taken back, or its time is up."""

    session: SessionId


class HandoverTaken(Body, frozen=True, kw_only=True, tag="handover.taken"):
    """Desk connections only, to the one who accepted: the token to enter that session with."""

    session: SessionView
    token: str


class AgentLost(Body, frozen=True, kw_only=True, tag="agent.lost"):
    """The connection of whoever leads is gone; their place is kept until ``until``."""

    since: datetime
    until: datetime


class AgentBack(Body, frozen=True, kw_only=True, tag="agent.back"):
    """They are back."""
