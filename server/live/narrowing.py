"""What narrows is in force when it is said: a yes taken back, a hold, a mute, somebody removed or leaving, the end.

The session's actor does one thing after another, and each may wait for the store or the relay. So a message that narrows and
whose sender may say it is noted the moment it is delivered, and until it has been carried out: nothing that comes before it in the
queue opens again what it shuts. The relay is told by a task of its own that waits for nothing but the relay. The message itself is
carried out in its turn, with its record, as if nothing had been done yet; where it is refused, what was noted is forgotten.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from server.domain.grants import Grant
from server.domain.ids import ParticipantId
from server.domain.model import ConsentDecision, ConsentScope, Source, SupervisionMode
from server.live.actor import Busy
from server.live.gates import SCOPES, Narrowed
from server.live.member import Member
from server.live.people import waiting_room
from server.signalling.connection import Connection
from server.signalling.messages import ClientBody, ConsentSet, EndSession, Leave, Remove, Supervise
from server.signalling.messages_people import Hold, Mute
from server.signalling.messages_recording import RecordingSet, RecordingWanted
from server.signalling.protocol import Incoming, Refused, State

if TYPE_CHECKING:
    from server.live.session import LiveSession

log = logging.getLogger(__name__)
_T = TypeVar("_T")
_OUT: Final = Narrowed(out=True)
_SILENT: Final = Narrowed(sources=frozenset(Source))


@dataclass(slots=True, eq=False)
class Said:
    """One thing that narrows. ``stops``: nothing is to be recorded of anybody. ``by``: who of the session says it."""

    whom: Mapping[ParticipantId, Narrowed] = field(default_factory=dict)
    stops: bool = False
    by: ParticipantId | None = None

    @property
    def of_recording(self) -> bool:
        return self.stops or any(one.unrecorded for one in self.whom.values())


class Narrowing:
    """Of one session. At most one task for each person; what was noted is bounded by the actor's inbox. ``close`` at the end."""

    def __init__(self, session: "LiveSession") -> None:
        self._session = session
        self._said: list[Said] = []
        self._tasks: dict[ParticipantId | None, asyncio.Task[None]] = {}  # None: about the recording alone
        self._again: set[ParticipantId | None] = set()

    @property
    def stops(self) -> bool:
        """Whether somebody said that the recording pauses or ends."""
        return any(said.stops for said in self._said)

    def of(self, participant: ParticipantId) -> Narrowed:
        narrowed = Narrowed()
        for said in self._said:
            if participant in said.whom:
                narrowed = narrowed.and_(said.whom[participant])
        return narrowed

    # ------------------------------------------------------------ saying

    def post(self, member: Member, connection: Connection, event: Incoming | Refused) -> bool:
        """Queue a message; what narrows is in force from here on. False when there is no room: a yes that was taken back stays so."""
        session = self._session
        said = _narrows(session, member, connection, event)
        if said is None:
            return session.actor.post(lambda: session.handle(member, connection, event))

        async def run() -> None:
            try:
                await session.handle(member, connection, event)
            finally:
                self._drop(said)
            await self._settled(said)

        self._note(said)
        if session.actor.post(run):
            return True
        if isinstance(event, Incoming) and isinstance(event.body, ConsentSet):
            take_back(session, member, event.body.scope)
        self._drop(said)
        return False

    async def call(self, whom: Iterable[ParticipantId], command: Callable[[], Awaitable[_T]]) -> _T:
        """Like the actor's ``call``, of something that sends these people away: they are out from here on. Raises Busy, and what it raises."""
        said = Said(_without_whispers(self._session, dict.fromkeys(whom, _OUT)))

        async def run() -> _T:
            try:
                return await command()
            finally:
                self._drop(said)
                await self._settled(said)

        self._note(said)
        try:
            return await self._session.actor.call(run)
        except Busy:
            self._drop(said)
            raise

    def _note(self, said: Said) -> None:
        self._said.append(said)
        taps = self._session.needs.taps
        for whose, narrowed in said.whom.items():
            self._refresh(whose)
            if narrowed.unseen:
                taps.shut(whose, "withdrawn")
            if narrowed.out:
                taps.shut(whose, "gone" if whose == said.by else "sent_away")
            elif narrowed.held:
                taps.shut(whose, "held")
            if narrowed.unrecorded:
                self._session.recording.doubted(whose)
            self._tell_relay(whose)
        if said.stops:
            self._tell_relay(None)

    def _drop(self, said: Said) -> None:
        """It was carried out, or refused."""
        if said in self._said:
            self._said.remove(said)
            for whose in said.whom:
                self._refresh(whose)

    def _refresh(self, whose: ParticipantId) -> None:
        member = self._session.find(whose)
        if member is not None:
            member.narrowed = self.of(whose)
            self._session.due.stir()

    async def _settled(self, said: Said) -> None:
        """Where it was refused, it is as before. In the actor."""
        session = self._session
        for whose in said.whom:
            member = session.find(whose)
            if member is not None and member.applied not in (None, member.wanted(session.status)):
                await session.apply_gate(member)
        if said.of_recording:
            await session.recording.follow()

    # ------------------------------------------------------------ the relay

    def _tell_relay(self, whose: ParticipantId | None) -> None:
        if whose in self._tasks:
            self._again.add(whose)
        else:
            self._tasks[whose] = asyncio.get_running_loop().create_task(self._run(whose), name="narrowing")

    async def _run(self, whose: ParticipantId | None) -> None:
        """Out of the state of the moment, under the locks of those who tell the relay: as often as it takes, never too much."""
        session = self._session
        try:
            more = True
            while more:
                self._again.discard(whose)
                await session.recording.say()
                member = session.find(whose) if whose is not None else None
                if member is not None:
                    await session.relay_gate(member)
                more = whose in self._again
        except Exception:
            log.exception("relay not told of what narrows", extra={"session": session.id, "participant": whose or ""})
        finally:
            self._again.discard(whose)
            del self._tasks[whose]

    async def settle(self) -> None:
        """Return when the relay was told everything so far, or has failed to answer."""
        while self._tasks:
            await asyncio.wait(list(self._tasks.values()))

    async def close(self, deadline_s: float) -> None:
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()), timeout=deadline_s)
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


def takes_back(event: Incoming | Refused) -> bool:
    """Whether somebody says no."""
    return (
        isinstance(event, Incoming) and isinstance(event.body, ConsentSet) and event.body.decision is not ConsentDecision.GIVEN
    )


def heard(member: Member, connection: Connection, event: Incoming | Refused) -> bool:
    """Whether it counts: of the page that somebody has now, and a no also of one that is gone meanwhile."""
    there = connection is member.connection and connection.state is not State.CLOSED
    return not member.gone and (there or takes_back(event))


def take_back(session: "LiveSession", member: Member, scope: ConsentScope) -> None:
    """In force until a later yes is stored."""
    member.gate.hold(scope)
    session.needs.taps.withdraw(member.id, scope)
    if scope is ConsentScope.RECORDING:
        session.recording.hold(member.id)


# ---------------------------------------------------------------- what narrows


def _narrows(session: "LiveSession", member: Member, connection: Connection, event: Incoming | Refused) -> Said | None:
    """None where it narrows nothing, or they may not say it: the same is asked again when it is carried out."""
    if isinstance(event, Refused) or not heard(member, connection, event):
        return None
    if (member.leaving or member.cut) and not takes_back(event):
        return None
    if member.waits and type(event.body) not in waiting_room.ALLOWED:
        return None
    whom, stops = _of(session, member, event.body)
    return Said(_without_whispers(session, whom), stops, member.id) if whom or stops else None


def _of(session: "LiveSession", member: Member, body: ClientBody) -> tuple[dict[ParticipantId, Narrowed], bool]:
    """Of whom what, and whether the recording stops. (No role may send less than another: a role that changes narrows nothing.)"""
    whom: dict[ParticipantId, Narrowed] = {}
    match body:
        case ConsentSet(scope=scope) if body.decision is not ConsentDecision.GIVEN:
            if scope in SCOPES:
                whom[member.id] = Narrowed(sources=frozenset({SCOPES[scope]}))
            elif scope in (ConsentScope.RECORDING, ConsentScope.FACE):
                whom[member.id] = Narrowed(unrecorded=scope is ConsentScope.RECORDING, unseen=scope is ConsentScope.FACE)
        case Hold(participant=other, held=True) if Grant.PARTICIPANT_HOLD in member.grants:
            if other in session.members and other != member.id:
                whom[other] = Narrowed(held=True)
        case Mute(participant=other, muted=True) if Grant.PARTICIPANT_MUTE in member.grants:
            if other in session.members and other != member.id:
                whom[other] = Narrowed(sources=frozenset({Source.MICROPHONE}))
        case Remove(participant=other) if Grant.PARTICIPANT_REMOVE in member.grants:
            if session.find(other) is not None and other != member.id:
                whom[other] = _OUT
        case Leave():
            whom[member.id] = _OUT
        case EndSession() if Grant.SESSION_END in member.grants:
            whom = dict.fromkeys((one.id for one in session.everybody), _OUT)
        case Supervise(mode=SupervisionMode.LISTEN | SupervisionMode.WHISPER) if Grant.SUPERVISE in member.grants:
            whom[member.id] = _SILENT
        case RecordingSet(state=RecordingWanted.PAUSED | RecordingWanted.OFF) if Grant.RECORDING_CONTROL in member.grants:
            return whom, True
        case _:
            pass
    return whom, False


def _without_whispers(session: "LiveSession", whom: dict[ParticipantId, Narrowed]) -> dict[ParticipantId, Narrowed]:
    """Nobody whispers to somebody who is out, or across a hold."""
    away = {whose for whose, narrowed in whom.items() if narrowed.held or narrowed.out}
    for other in session.members.values():
        if other.whispers_to in away and other.id not in away:
            whom[other.id] = whom.get(other.id, Narrowed()).and_(_SILENT)
    return whom
