"""One person's place in a live session. Data only; ``session.py`` and ``room.py`` change it."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from server.domain.grants import Grant
from server.domain.ids import ParticipantId
from server.domain.model import LeaveReason, Participant, ParticipantState, SessionStatus, Source
from server.domain.views import ParticipantView
from server.live.gates import ConsentGate, Forwarded, Narrowed
from server.live.ports import PeerState
from server.services.views import participant_view
from server.signalling.connection import Connection
from server.signalling.messages import CloseCode, ServerBody
from server.signalling.rates import TokenBucket


@dataclass(frozen=True, slots=True)
class Offer:
    """One that is being answered: message ``re`` of ``connection``."""

    task: asyncio.Task[None]
    connection: Connection
    re: int


NOTHING = Forwarded()
NOT_NARROWED = Narrowed()


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
    narrowed: Narrowed = NOT_NARROWED  # by what was said and is not carried out yet
    applying: asyncio.Lock = field(default_factory=asyncio.Lock)
    retry_at: float = 0.0
    peer: PeerState | None = None
    offer: Offer | None = None
    negotiating: asyncio.Lock = field(default_factory=asyncio.Lock)
    seen: int = 0
    aside: bool = False  # two others talk first, in a hand-over: like on hold
    stays_for: frozenset[ParticipantId] | None = None  # of who leaves: the picture stays for these, until another is there
    sent_away: tuple[LeaveReason, str] | None = None  # why and by whom: nothing is forwarded of them or to them any more
    flowing: set[Source] = field(default_factory=set)  # what comes in at the relay
    known_to: set[ParticipantId] = field(default_factory=set)  # whom a hidden supervisor has whispered to
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
        if self.cut or self.waits or self.narrowed.out:
            return Forwarded(circle=self.circle)
        sources = self.gate.open_sources(status) - self.narrowed.sources
        if self.participant.muted_at is not None:
            sources -= {Source.MICROPHONE}
        if self.stays_for is not None:
            return Forwarded(sources - {Source.MICROPHONE}, self.circle, self.stays_for)
        if self.participant.listens_at is not None:
            if self.whispers_to is None or self.on_hold:
                return Forwarded(circle=self.circle)
            return Forwarded(sources & {Source.MICROPHONE}, self.circle, frozenset({self.whispers_to}))
        return Forwarded(sources, self.circle)

    @property
    def circle(self) -> str:
        """Those of the same one hear and see each other."""
        if self.waits:
            return f"wait:{self.id}"
        if self.cut or self.leaving or self.narrowed.out:
            return f"out:{self.id}"
        return f"hold:{self.id}" if self.on_hold else ""

    @property
    def on_hold(self) -> bool:
        """Hears and sees nobody, and nobody them: put there by somebody, or because two others talk first."""
        return self.participant.held_at is not None or self.aside or self.narrowed.held

    @property
    def shown_to_others(self) -> bool:
        """Whether anybody may see them, as far as it is not a matter of consent."""
        return not (self.gone or self.cut or self.waits or self.on_hold or self.narrowed.out)

    @property
    def waits(self) -> bool:
        """In the waiting room: hears, sees and learns nothing."""
        return self.participant.waits_at is not None

    @property
    def cut(self) -> bool:
        """On the way out."""
        return self.sent_away is not None

    @property
    def leaving(self) -> bool:
        """Somebody else leads: they hear and see nobody any more."""
        return self.stays_for is not None

    @property
    def listens(self) -> bool:
        return self.participant.listens_at is not None

    def view(self) -> ParticipantView:
        if self.listens:  # that they whisper is nobody else's affair
            view = participant_view(self.participant, state=self.state)
        else:
            view = participant_view(self.participant, on=self.on, open_sources=self.passing, state=self.state)
        return msgspec.structs.replace(view, on_hold=self.on_hold)

    def send(self, body: ServerBody) -> None:
        if self.connection is not None:
            self.connection.send(body)

    def hang_up(self, code: CloseCode, detail: str = "") -> None:
        """End the connection: it is not theirs any more."""
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close(code, detail)


def keep(member: Member, stored: Participant, field: str) -> None:
    """This one field as it was stored: another may be tighter in force than it could be written down."""
    member.participant = msgspec.structs.replace(member.participant, **{field: getattr(stored, field)})
