"""One person's place in a live session. Data only; ``session.py`` and ``room.py`` change it."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from server.domain.grants import Grant
from server.domain.ids import ParticipantId
from server.domain.model import Participant, ParticipantState, SessionStatus, Source
from server.domain.views import ParticipantView
from server.live.gates import ConsentGate, Forwarded
from server.live.ports import PeerState
from server.services.views import participant_view
from server.signalling.connection import Connection
from server.signalling.messages import ServerBody
from server.signalling.rates import TokenBucket


@dataclass(frozen=True, slots=True)
class Offer:
    """One that is being answered: message ``re`` of ``connection``."""

    task: asyncio.Task[None]
    connection: Connection
    re: int


NOTHING = Forwarded()


@dataclass(slots=True)
class Member:
    """``away_since`` is monotonic seconds, None while the connection is open."""

    participant: Participant
    gate: ConsentGate
    quality: TokenBucket
    offers: TokenBucket
    stored: TokenBucket  # what this person says that is written down
    connection: Connection | None = None
    away_since: float | None = None
    gone: bool = False
    expires_at: datetime | None = None
    renew_at: datetime | None = None
    renewing: bool = False
    ice_renew_at: datetime | None = None  # when this person needs new credentials of the TURN relay
    ice_version: int = 0  # of the relay that was told last
    on: set[Source] = field(default_factory=set)
    applied: Forwarded | None = NOTHING  # as the relay has it; None: it did not say
    applying: asyncio.Lock = field(default_factory=asyncio.Lock)
    retry_at: float = 0.0
    peer: PeerState | None = None
    offer: Offer | None = None
    negotiating: asyncio.Lock = field(default_factory=asyncio.Lock)
    seen: int = 0
    whispers_to: ParticipantId | None = None  # of a supervisor who listens; forgotten in a restart
    shown: dict[ParticipantId, ParticipantView] = field(default_factory=dict)  # what this page was last told of each
    speakers: list[ParticipantId] = field(default_factory=list)  # and of who speaks
    position: tuple[int, int | None] | None = None  # in the waiting list, as last told

    @property
    def id(self) -> ParticipantId:
        return self.participant.id

    @property
    def grants(self) -> frozenset[Grant]:
        return self.gate.grants

    @property
    def state(self) -> ParticipantState:
        if self.gone:
            return ParticipantState.LEFT
        if self.away_since is not None:
            return ParticipantState.DISCONNECTED
        return ParticipantState.ACTIVE if self.peer == "connected" else ParticipantState.JOINED

    @property
    def passing(self) -> frozenset[Source]:
        """What the relay is known to forward."""
        return self.applied.sources if self.applied is not None else frozenset()

    def wanted(self, status: SessionStatus) -> Forwarded:
        """What the relay is to forward."""
        if self.gone:
            return Forwarded()
        sources = self.gate.open_sources(status)
        if self.participant.muted_at is not None:
            sources -= {Source.MICROPHONE}
        if self.participant.listens_at is not None:
            if self.whispers_to is None or self.participant.held_at is not None:
                return Forwarded(circle=self.circle)
            return Forwarded(sources & {Source.MICROPHONE}, self.circle, frozenset({self.whispers_to}))
        return Forwarded(sources, self.circle)

    @property
    def circle(self) -> str:
        """Those of the same one hear and see each other."""
        return f"hold:{self.id}" if self.participant.held_at is not None else ""

    def view(self) -> ParticipantView:
        if self.participant.listens_at is not None:  # that they whisper is nobody else's affair
            return participant_view(self.participant, state=self.state)
        return participant_view(self.participant, on=self.on, open_sources=self.passing, state=self.state)

    def send(self, body: ServerBody) -> None:
        if self.connection is not None:
            self.connection.send(body)


def keep(member: Member, stored: Participant, field: str) -> None:
    """This one field as it was stored: another may be tighter in force than it could be written down."""
    member.participant = msgspec.structs.replace(member.participant, **{field: getattr(stored, field)})
