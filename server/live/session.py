"""One live session: who is here, and what they are told. Everything that awaits runs in its actor, one thing at a time."""

import logging
from datetime import datetime

import msgspec

from server.auth.tokens import Claims
from server.domain.grants import Grant, session_grants
from server.domain.ids import FileId, MessageId, ParticipantId, SessionId, StaffId
from server.domain.model import (
    ChatMessage,
    Consent,
    ConsentDecision,
    ConsentScope,
    FileRecord,
    LeaveReason,
    Participant,
    ParticipantState,
    Recording,
    Role,
    Session,
    SessionStatus,
    Source,
    replaced,
)
from server.domain.views import ChatMessageView
from server.errors import DependencyError, Gone, NotAllowed, NotFound, TongpingError
from server.live import ice, telling, upkeep
from server.live.actions import carry_out
from server.live.actor import Actor, Command
from server.live.cobrowse import attaching
from server.live.due import Due
from server.live.gates import ConsentGate
from server.live.member import Member, keep
from server.live.narrowing import Narrowing, heard, takes_back
from server.live.needs import Needs
from server.live.people import handover, lost, places, rights, supervision, unstored, waiting_room
from server.live.presence import Alone
from server.live.recording.capture import SessionRecording
from server.live.records import may_join
from server.live.refusals import close_code, left_code, message_error
from server.live.room import Room
from server.live.verifying import Verifying
from server.services.views import consent_view, message_view, session_view
from server.signalling.connection import Connection
from server.signalling.messages import (
    ChatSeen,
    CloseCode,
    ErrorCode,
    Hello,
    MediaLost,
    MessageError,
    ServerBody,
    SessionChanged,
    Snapshot,
)
from server.signalling.protocol import Incoming, Refused, State
from server.signalling.rates import TokenBucket

log = logging.getLogger(__name__)
SENT_AWAY = frozenset({LeaveReason.REMOVED, LeaveReason.REVOKED, LeaveReason.REFUSED})


class Seat:
    """A member's side of a connection."""

    def __init__(self, session: "LiveSession", member: Member) -> None:
        self._session = session
        self._member = member

    def deliver(self, connection: Connection, event: Incoming | Refused) -> None:
        if not self._session.narrowing.post(self._member, connection, event):
            connection.close(CloseCode.INTERNAL, "The server is busy.")

    def connection_changed(self, connection: Connection) -> None:
        self._session.connection_changed(self._member, connection)


class LiveSession:
    def __init__(self, id: SessionId, needs: Needs) -> None:
        self.id = id
        self.needs = needs
        self.due = Due()
        self.actor = Actor(f"session-{id}", stir=self.due.stir)
        self.room = Room(id, needs.media, needs.settings, self)
        self.members: dict[ParticipantId, Member] = {}
        self.waiting: dict[ParticipantId, Member] = {}  # in the waiting room: no members yet
        self.record: Session | None = None
        self.people: dict[ParticipantId, Participant] = {}  # everybody who has a place, here or not
        self._gates: dict[ParticipantId, ConsentGate] = {}  # kept after somebody left: a held gate stays held
        self._hellos: dict[ParticipantId, TokenBucket] = {}
        self._consents: dict[tuple[ParticipantId, ConsentScope], Consent] = {}
        self._numbers: dict[MessageId, int] = {}  # of the newest chat messages
        self._due: set[str] = set()  # housekeeping that is queued already
        self.speakers: list[ParticipantId] = []  # as the relay last said, loudest first
        self.alone = Alone()
        self.recording = SessionRecording(self)
        self.verifying = Verifying(self)
        self.narrowing = Narrowing(self)
        self.handing: handover.Handing | None = None
        self.leaving: tuple[Member, float, LeaveReason] | None = None  # somebody else leads; until then (monotonic seconds)
        self.lost: lost.Lost | None = None  # whoever leads
        self.unstored: unstored.Unstored = {}
        self.empty_since = needs.clock.monotonic()

    @property
    def everybody(self) -> list[Member]:
        """Those who are inside, and those who wait to be let in."""
        return [*self.members.values(), *self.waiting.values()]

    def find(self, id: ParticipantId) -> Member | None:
        """Inside, or waiting."""
        return self.members.get(id) or self.waiting.get(id)

    @property
    def on_the_way(self) -> StaffId | None:
        """Who has accepted this customer, and does not lead yet."""
        return self.handing.staff if self.handing is not None else None

    # ------------------------------------------------------------ coming

    async def join(self, connection: Connection, claims: Claims, hello: Hello) -> Connection | None:
        """Answer a hello; see ``connection.Greet``."""
        try:
            session = await self._load()
            participant = await self._admissible(session, claims)
        except TongpingError as error:
            connection.close(close_code(error), error.detail)
            return None
        if not self._hello_rate(participant.id).take(self.needs.clock.monotonic()):
            connection.close(CloseCode.TOO_MANY, "Too many connections in a short time.")
            return None
        member = self.find(participant.id)
        if hello.resume is not None:
            resumed = member.connection if member is not None else None
            if resumed is None or not resumed.resume_over(connection, hello.resume, self.needs.new_key()):
                connection.close(CloseCode.RESUME_UNKNOWN, "Connect again without resume.")
                return None
            assert member is not None
            self._admitted(member, claims)
            return resumed
        if member is None:
            if not places.room_for(self, participant):
                connection.close(CloseCode.TOO_MANY, "This session is full.")
                return None
            try:
                await lost.retaken(self, participant)
                participant = await self.needs.records.join(participant.id)
            except TongpingError as error:
                connection.close(close_code(error), error.detail)
                return None
            self.people[participant.id] = participant
            member = self._seat(participant, frozenset())
        keep(member, participant, "login_id")  # perhaps by another signing in
        try:
            await self._welcome(member, connection, claims)
        except DependencyError as error:
            connection.close(CloseCode.INTERNAL, error.detail)
            return None
        return connection

    async def _load(self) -> Session:
        """Raises NotFound, Gone (ended), StoreUnavailable."""
        if self.record is None:
            loaded = await self.needs.records.load(self.id)
            await upkeep.restore(self, loaded)
            self.record = loaded.session
            self.people = {participant.id: participant for participant in loaded.participants}
            for consent in loaded.consents:
                self._consents[consent.participant_id, consent.scope] = consent
            self.recording.loaded(loaded.consents)
            handover.restored(self)
        if self.record.status is SessionStatus.ENDED:
            raise Gone("This session has ended.")
        return self.record

    async def _admissible(self, session: Session, claims: Claims) -> Participant:
        """The place that a token is for. Raises NotFound: there is none, or no longer."""
        participant = await self.needs.records.participant(ParticipantId(claims.subject))
        if participant is None or participant.session_id != session.id:
            raise NotFound("There is no such place in this session.")
        if participant.role is not claims.role and not {participant.role, claims.role} <= rights.GIVEN:
            raise NotFound("There is no such place in this session.")
        if not await self.needs.people.stands(participant):
            raise NotFound("This account is not active, or was signed out.")
        if not may_join(participant) or replaced(session, participant):
            raise NotFound("This place was given up.")
        return participant

    def _hello_rate(self, participant: ParticipantId) -> TokenBucket:
        """One for each place: connecting again must not be a way round the limits of a connection."""
        rate = self._hellos.get(participant)
        if rate is None:
            settings, now = self.needs.settings, self.needs.clock.monotonic()
            rate = self._hellos[participant] = TokenBucket(settings.hello_per_s, settings.hello_burst, now)
        return rate

    def _seat(self, participant: Participant, grants: frozenset[Grant]) -> Member:
        gate = self._gates.get(participant.id)
        if gate is None:
            gate = self._gates[participant.id] = ConsentGate(grants)
            for (person, _), consent in self._consents.items():
                if person == participant.id:
                    gate.decided(consent)
        gate.grants = grants
        now = self.needs.clock.monotonic()
        settings = self.needs.settings
        member = Member(
            unstored.seated(self, participant),
            gate,
            TokenBucket(settings.quality_per_s, settings.quality_burst, now),
            TokenBucket(settings.offers_per_s, settings.offers_burst, now),
            TokenBucket(settings.stored_per_s, settings.stored_burst, now),
        )
        member.aside = handover.aside(self, member.id)
        member.narrowed = self.narrowing.of(member.id)
        (self.waiting if member.waits else self.members)[participant.id] = member
        return member

    async def _welcome(self, member: Member, connection: Connection, claims: Claims) -> None:
        """A full snapshot: a first join, or a page that was loaded again."""
        member.hang_up(CloseCode.MOVED, "Connected elsewhere.")
        await self.room.stop_offer(member)
        if member.away_since is None:
            member.away_since = self.needs.clock.monotonic()
        member.on.clear()
        self._admitted(member, claims)
        snapshot = await self.snapshot(member)
        member.position = None
        member.peer = None
        connection.accept(self.needs.new_key(), snapshot)
        connection.owner = Seat(self, member)
        member.connection = connection
        if connection.state is State.OPEN:
            member.away_since = None
        else:
            member.connection = None  # its socket went before it was greeted: the place is kept
        self.greeted(member, snapshot)
        await self.apply_gate(member)
        self.tell_view(member)
        self.note_people()

    def greeted(self, member: Member, snapshot: Snapshot) -> None:
        """What a new page is told besides its snapshot."""
        for other in self.members.values():
            if other.seen > 0 and telling.sees(self, member, other):
                member.send(ChatSeen(participant=other.id, number=other.seen))
        telling.greeted(self, member, [snapshot.you, *snapshot.participants])
        if not member.waits:
            supervision.greeted(self, member)
            handover.greeted(self, member)
            lost.greeted(self, member)
            self.verifying.briefing.greeted(member)
            attaching.greeted(self, member)

    def _admitted(self, member: Member, claims: Claims) -> None:
        """A token from before one's role changed is good for what both roles may; the server sends another at once."""
        member.gate.grants = claims.grants
        member.expires_at = claims.expires_at
        member.renew_at = upkeep.renew_at(self, claims.expires_at)
        if claims.role is not member.participant.role and self.record is not None:
            member.gate.grants &= session_grants(member.participant.role, self.record.kind)
            member.renew_at = self.needs.clock.now()

    async def snapshot(self, member: Member) -> Snapshot:
        """Everything this person's page needs to draw itself. Raises StoreUnavailable."""
        if member.waits:
            return waiting_room.snapshot(self, member)
        messages, files = await self.needs.records.history(self.id, self.needs.settings.history)
        self._numbers = {message.id: message.number for message in messages}
        characters, shown = 0, len(messages)
        while shown > 0 and characters + len(messages[shown - 1].text) <= self.needs.settings.history_chars:
            shown -= 1
            characters += len(messages[shown].text)
        messages = messages[shown:]
        session = self.record
        assert session is not None  # loaded before anybody is seated
        settings = self.needs.settings
        return Snapshot(
            session=session_view(session, member.grants),
            you=msgspec.structs.replace(member.view(), state=ParticipantState.JOINED),
            grants=sorted(grant.value for grant in member.grants),
            participants=[
                other.view() for other in self.everybody if other is not member and telling.sees(self, member, other)
            ],
            consents=[consent_view(one) for one in self._consents.values() if telling.knows(self, member, one.participant_id)],
            chat=[self.message_view(message, files) for message in messages if message.participant_id in self.people],
            media=ice.limits(self.needs, member),
            files=settings.files,
            recording=self.recording.view(member),
        )

    async def revive(self, recording: Recording | None = None) -> None:
        """After a restart: those who were here have ``keep_s`` to come back. ``recording``: the one that was under way.

        Raises NotFound, Gone, StoreUnavailable.
        """
        await self._load()
        if recording is not None:
            self.recording.revive(recording)
        here = (ParticipantState.JOINED, ParticipantState.ACTIVE, ParticipantState.DISCONNECTED)
        for participant in list(self.people.values()):
            if participant.state in here and self.find(participant.id) is None:
                member = self._seat(participant, frozenset())
                member.away_since = self.needs.clock.monotonic()
        self.note_people()

    async def watch(self) -> None:
        """Keep an eye on a waiting customer whose page has not connected yet: see ``abandoned``."""
        try:
            await self._load()
        except TongpingError as error:
            log.warning("waiting session not loaded", extra={"session": self.id, "code": error.code})

    # ------------------------------------------------------------ messages

    async def handle(self, member: Member, connection: Connection, event: Incoming | Refused) -> None:
        if not heard(member, connection, event):
            return
        try:
            if isinstance(event, Refused):
                connection.send(MessageError(re=event.seq, code=ErrorCode.INVALID, detail=event.detail))
            elif (member.leaving or member.cut) and not takes_back(event):
                raise NotAllowed("You are on the way out.")
            elif member.waits and type(event.body) not in waiting_room.ALLOWED:
                raise NotAllowed("You are in the waiting room.")
            else:
                await carry_out(self, member, event.seq, event.body)
        except TongpingError as error:
            connection.send(message_error(event.seq, error))
        except Exception:
            log.exception("message failed", extra={"session": self.id, "participant": member.id})
            connection.send(MessageError(re=event.seq, code=ErrorCode.INTERNAL, detail="It could not be done."))
        finally:
            connection.handled(event.seq)

    @property
    def status(self) -> SessionStatus:
        return self.record.status if self.record is not None else SessionStatus.ENDED

    def tell(self, body: ServerBody) -> None:
        for member in self.members.values():
            member.send(body)

    def tell_others(self, member: Member, body: ServerBody) -> None:
        """Something of this person: to those who know that they are here."""
        for other in self.members.values():
            if other is not member and telling.sees(self, other, member):
                other.send(body)

    def tell_view(self, member: Member) -> None:
        telling.view(self, member)
        self.recording.seen(member)

    def message_view(self, message: ChatMessage, files: dict[FileId, FileRecord]) -> ChatMessageView:
        return message_view(message, self.people, files)

    def remember(self, message: ChatMessage) -> None:
        """Keep the number of a message for ``chat.read``."""
        self._numbers[message.id] = message.number
        while len(self._numbers) > 2 * self.needs.settings.history:
            del self._numbers[next(iter(self._numbers))]

    def number_of(self, message: MessageId) -> int | None:
        return self._numbers.get(message)

    def agreed(self, member: Member, scope: ConsentScope) -> bool:
        """Whether the newest stored decision is a yes."""
        newest = self._consents.get((member.id, scope))
        return newest is not None and newest.decision is ConsentDecision.GIVEN

    def consents(self, scope: ConsentScope) -> list[Consent]:
        """The newest stored decisions about it."""
        return [consent for (_, about), consent in self._consents.items() if about is scope]

    def keep_consent(self, member: Member, consent: Consent) -> None:
        """A decision that is stored."""
        self._consents[consent.participant_id, consent.scope] = consent
        member.gate.decided(consent)
        self.recording.decided(consent)

    async def before_gates(self) -> None:
        """What is recorded is said first: nobody is recorded behind a gate that opens for another reason."""
        await self.recording.say()

    async def apply_gate(self, member: Member) -> None:
        if not member.shown_to_others:
            self.needs.taps.shut(member.id, "sent_away" if member.sent_away else "held" if member.on_hold else "gone")
        await self.relay_gate(member)
        await self.recording.follow()

    async def relay_gate(self, member: Member) -> None:
        """Waits for the relay alone. From any task."""
        if await self.room.apply(member):
            self.due.stir()
            if member.applied is None:
                member.retry_at = self.needs.clock.monotonic() + self.needs.settings.retry_s
            self.gates_changed(member)

    def gates_changed(self, member: Member) -> None:
        self.tell_view(member)
        telling.speaking(self)

    # ------------------------------------------------------------ going

    def connection_changed(self, member: Member, connection: Connection) -> None:
        if connection is not member.connection or member.gone:
            return
        if connection.state is State.OPEN:
            member.away_since = None
        elif member.away_since is None:
            member.away_since = self.needs.clock.monotonic()
        if connection.state is State.CLOSED:
            member.connection = None
        telling.view(self, member, but=member)
        self.note_people()

    async def depart(self, member: Member, reason: LeaveReason, actor: str) -> None:
        """Stored, then the media is taken down, then everybody is told. Raises StoreUnavailable: they are still here.

        Of and to somebody who is sent away nothing is forwarded any more before that is written down, nor if it cannot be.
        """
        if reason in SENT_AWAY:
            member.sent_away = reason, actor  # tried again until it is stored
            member.retry_at = self.needs.clock.monotonic() + self.needs.settings.retry_s
            await self.apply_gate(member)
        try:
            self.people[member.id] = await self.needs.records.leave(member.id, reason, actor)
        except Gone:
            log.info("left already by the record", extra={"session": self.id, "participant": member.id})
        await self._gone(member, reason)

    async def _gone(self, member: Member, reason: LeaveReason) -> None:
        member.gone = True
        self.needs.taps.shut(member.id, "gone")
        self.members.pop(member.id, None)
        self.waiting.pop(member.id, None)
        self.empty_since = self.needs.clock.monotonic()
        self.recording.left(member)
        await self.room.apply(member)
        await self.room.disconnect(member)
        member.hang_up(left_code(reason))
        await supervision.hushed(self, member)
        telling.left(self, member, reason)
        unstored.left(self, member, reason)
        await self.recording.follow()
        if not self.everybody:
            await self.narrowing.settle()
            await self.room.close()
        self.note_people()

    async def remove(self, participant: ParticipantId, actor: str) -> None:
        """Raises NotFound (not of this session), Gone (left already), StoreUnavailable."""
        await self._load()
        member = self.find(participant)
        if member is not None:
            await self.depart(member, LeaveReason.REMOVED, actor)
            return
        stored = await self.needs.records.participant(participant)
        if stored is None or stored.session_id != self.id:
            raise NotFound("There is no such participant in this session.")
        self.people[participant] = await self.needs.records.leave(participant, LeaveReason.REMOVED, actor)

    async def end(self, reason: str, actor: str) -> Session:
        """Stored, then everybody is told and disconnected. Ending again changes nothing. Raises NotFound, StoreUnavailable."""
        was_waiting = self.record is None or self.record.status is SessionStatus.WAITING
        ended = await self.needs.sessions.end(self.id, reason, actor)
        await self._ended(ended)
        if was_waiting:
            self.needs.waiting_changed()
        return ended

    async def end_abandoned(self, before: datetime) -> None:
        """Unless somebody is here or on the way: see ``Sessions.abandoned``. Raises NotFound, StoreUnavailable."""
        if not self.everybody and (ended := await self.needs.sessions.end_abandoned(self.id, before=before)) is not None:
            await self._ended(ended)

    async def end_over(self, before: datetime) -> None:
        """Unless it is not over: see ``Sessions.end_over``. Raises NotFound, StoreUnavailable."""
        if (ended := await self.needs.sessions.end_over(self.id, before=before)) is not None:
            await self._ended(ended)

    async def _ended(self, record: Session) -> None:
        self.record = record
        members, self.members, self.waiting = self.everybody, {}, {}
        handover.over(self)
        self.unstored.clear()
        self.needs.taps.over(self.people)
        for member in members:
            member.gone = True
            if not member.waits:
                member.send(SessionChanged(session=session_view(record, member.grants)))
            member.hang_up(CloseCode.SESSION_ENDED)
        self.note_people()
        await self.recording.follow()
        await self.narrowing.settle()
        for member in members:
            await self.room.stop_offer(member)
        if members:
            await self.room.close()

    async def changed(self, record: Session) -> None:
        """Somebody else changed the record."""
        if self.record is None or self.record.status is SessionStatus.ENDED:
            return
        if record.status is SessionStatus.ENDED:
            await self._ended(record)
            return
        if record.taken_by != self.record.taken_by:
            self.alone.taken(self.needs.clock.monotonic())
        self.record = record
        self.note_people()
        for member in list(self.members.values()):
            member.send(SessionChanged(session=session_view(record, member.grants)))
        for member in list(self.members.values()):
            await self.apply_gate(member)

    # ------------------------------------------------------------ media

    def media_lost(self) -> None:
        self.room.lost(self.everybody)
        self.recording.media_lost()
        for member in self.everybody:
            member.flowing.clear()
            member.send(MediaLost())
        self.speakers.clear()
        telling.speaking(self)
        for member in self.members.values():
            self.tell_view(member)
        self.queue("gates", self.reapply)

    async def reapply(self) -> None:
        for member in self.everybody:
            await self.apply_gate(member)

    def media_flows(self, participant: ParticipantId, source: Source, flowing: bool) -> None:
        """Packets came in, perhaps from somebody whose page has not said so, or none any more."""
        member = self.members.get(participant)
        if member is not None:
            (member.flowing.add if flowing else member.flowing.discard)(source)
            handover.poke(self)
        if flowing and member is not None and source not in member.on and source in member.passing:
            member.on.add(source)
            self.tell_view(member)

    # ------------------------------------------------------------ time

    def tick(self) -> None:
        """Deadlines; what must await is queued."""
        upkeep.tick(self)

    def queue(self, name: str, command: Command) -> None:
        """Housekeeping, at most one of a kind at a time."""
        if name in self._due:
            return

        async def run() -> None:
            self._due.discard(name)
            await command()

        if self.actor.post(run):
            self._due.add(name)

    @property
    def disposable(self) -> bool:
        """Nobody is here, and nothing is left to be done."""
        waiting = self.record is not None and self.record.status is SessionStatus.WAITING
        held = self.status is not SessionStatus.ENDED and any(gate.held for gate in self._gates.values())
        undone = self.room.undone or self.recording.undone or self.handing is not None
        undone = undone or bool(self.unstored) or self.verifying.under_way
        return not self.everybody and self.actor.idle and not (waiting or held or undone)

    # ------------------------------------------------------------ the waiting list

    def note_people(self) -> None:
        """Somebody came, went or was cut off."""
        self.due.stir()
        lost.watch(self)
        handover.poke(self)
        if self.status is SessionStatus.WAITING:
            self.needs.waiting_changed()
        self.alone.note(self.members.values(), self.status, self.needs.clock.monotonic(), self.needs.clock.now())
        self.needs.people_changed()

    @property
    def customer_connected(self) -> bool:
        return any(member.participant.role is Role.CUSTOMER and member.away_since is None for member in self.members.values())

    async def close(self, deadline_s: float) -> None:
        """The server stops: places are kept, connections are told to come back."""
        for member in self.everybody:
            if member.connection is not None:
                member.connection.close(CloseCode.GOING_AWAY)
        await self.actor.close(deadline_s)
        await self.narrowing.close(deadline_s)
        await self.recording.close(deadline_s)
        await self.verifying.close()
        for member in self.everybody:
            await self.room.stop_offer(member)
