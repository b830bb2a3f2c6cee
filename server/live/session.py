"""One live session: who is here, and what they are told. Everything that awaits runs in its actor, one thing at a time."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import msgspec

from server.auth.tokens import Claims
from server.clock import Clock
from server.domain.grants import Grant
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
    Role,
    Session,
    SessionStatus,
    Source,
    staff_of,
)
from server.domain.views import ChatMessageView
from server.errors import DependencyError, Gone, NotFound, TongpingError
from server.live import ice, supervision, telling
from server.live.actions import carry_out
from server.live.actor import Actor, Command
from server.live.gates import ConsentGate
from server.live.member import Member
from server.live.ports import EntryRecords, MediaPort, SessionRecords
from server.live.presence import Alone
from server.live.records import Records, may_join
from server.live.refusals import close_code, message_error
from server.live.room import Room
from server.live.settings import LiveSettings
from server.services.sessions import ABANDONED
from server.services.views import consent_view, message_view, session_view
from server.signalling.connection import Connection
from server.signalling.messages import (
    ChatSeen,
    CloseCode,
    ErrorCode,
    Hello,
    MediaLost,
    MessageError,
    QueuePosition,
    ServerBody,
    SessionChanged,
    Snapshot,
    TokenRenewed,
)
from server.signalling.protocol import Incoming, Refused, State
from server.signalling.rates import TokenBucket

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Needs:
    """What live sessions are made with."""

    records: Records
    sessions: SessionRecords
    entries: EntryRecords
    media: MediaPort
    ice: ice.IceIssuer
    clock: Clock
    settings: LiveSettings
    new_key: Callable[[], str]  # resume keys: unguessable
    waiting_changed: Callable[[], None]
    people_changed: Callable[[], None]  # somebody came, went or was cut off, in any session


class Seat:
    """A member's side of a connection."""

    def __init__(self, session: "LiveSession", member: Member) -> None:
        self._session = session
        self._member = member

    def deliver(self, connection: Connection, event: Incoming | Refused) -> None:
        if not self._session.actor.post(partial(self._session.handle, self._member, connection, event)):
            connection.close(CloseCode.INTERNAL, "The server is busy.")

    def connection_changed(self, connection: Connection) -> None:
        self._session.connection_changed(self._member, connection)


class LiveSession:
    def __init__(self, id: SessionId, needs: Needs) -> None:
        self.id = id
        self.needs = needs
        self.actor = Actor(f"session-{id}")
        self.room = Room(id, needs.media, needs.settings, self)
        self.members: dict[ParticipantId, Member] = {}
        self.record: Session | None = None
        self.people: dict[ParticipantId, Participant] = {}  # everybody who has a place, here or not
        self._gates: dict[ParticipantId, ConsentGate] = {}  # kept after somebody left: a held gate stays held
        self._hellos: dict[ParticipantId, TokenBucket] = {}
        self._consents: dict[tuple[ParticipantId, ConsentScope], Consent] = {}
        self._numbers: dict[MessageId, int] = {}  # of the newest chat messages
        self._due: set[str] = set()  # housekeeping that is queued already
        self.speakers: list[ParticipantId] = []  # as the relay last said, loudest first
        self.alone = Alone()
        self._empty_since = needs.clock.monotonic()

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
        member = self.members.get(participant.id)
        if hello.resume is not None:
            resumed = member.connection if member is not None else None
            if resumed is None or not resumed.resume_over(connection, hello.resume, self.needs.new_key()):
                connection.close(CloseCode.RESUME_UNKNOWN, "Connect again without resume.")
                return None
            assert member is not None
            self._admitted(member, claims)
            return resumed
        if member is None:
            if len(self.members) >= self.needs.settings.members:
                connection.close(CloseCode.TOO_MANY, "This session is full.")
                return None
            try:
                participant = await self.needs.records.join(participant.id)
            except TongpingError as error:
                connection.close(close_code(error), error.detail)
                return None
            self.people[participant.id] = participant
            member = self._seat(participant, claims.grants)
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
            self.record = loaded.session
            self.people = {participant.id: participant for participant in loaded.participants}
            for consent in loaded.consents:
                self._consents[consent.participant_id, consent.scope] = consent
        if self.record.status is SessionStatus.ENDED:
            raise Gone("This session has ended.")
        return self.record

    async def _admissible(self, session: Session, claims: Claims) -> Participant:
        """The place that a token is for. Raises NotFound: there is none, or no longer."""
        participant = await self.needs.records.participant(ParticipantId(claims.subject))
        if participant is None or participant.session_id != session.id or participant.role is not claims.role:
            raise NotFound("There is no such place in this session.")
        staff = staff_of(participant)
        if staff is not None and not await self.needs.records.staff_active(staff):
            raise NotFound("This account is not active.")
        if not may_join(participant):
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
            participant,
            gate,
            TokenBucket(settings.quality_per_s, settings.quality_burst, now),
            TokenBucket(settings.offers_per_s, settings.offers_burst, now),
            TokenBucket(settings.stored_per_s, settings.stored_burst, now),
        )
        self.members[participant.id] = member
        return member

    async def _welcome(self, member: Member, connection: Connection, claims: Claims) -> None:
        """A full snapshot: a first join, or a page that was loaded again."""
        older, member.connection = member.connection, None
        if older is not None:
            older.close(CloseCode.MOVED, "Connected elsewhere.")
        await self.room.stop_offer(member)
        if member.away_since is None:
            member.away_since = self.needs.clock.monotonic()
        member.on.clear()
        self._admitted(member, claims)
        snapshot = await self._snapshot(member)
        member.position = None
        member.peer = None
        connection.accept(self.needs.new_key(), snapshot)
        connection.owner = Seat(self, member)
        member.connection = connection
        if connection.state is State.OPEN:
            member.away_since = None
        else:
            member.connection = None  # its socket went before it was greeted: the place is kept
        for other in self.members.values():
            if other.seen > 0:
                member.send(ChatSeen(participant=other.id, number=other.seen))
        supervision.greeted(self, member)
        telling.greeted(self, member, [snapshot.you, *snapshot.participants])
        await self.room.apply(member)
        self.tell_view(member)
        self._note_people()

    def _admitted(self, member: Member, claims: Claims) -> None:
        member.gate.grants = claims.grants
        member.expires_at = claims.expires_at
        member.renew_at = self._renew_at(claims.expires_at)

    async def _snapshot(self, member: Member) -> Snapshot:
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
            participants=[other.view() for other in self.members.values() if other is not member],
            consents=[consent_view(consent) for consent in self._consents.values()],
            chat=[self.message_view(message, files) for message in messages if message.participant_id in self.people],
            media=ice.limits(self.needs, member),
            files=settings.files,
        )

    async def revive(self) -> None:
        """After a restart: those who were here have ``keep_s`` to come back. Raises NotFound, Gone, StoreUnavailable."""
        await self._load()
        here = (ParticipantState.JOINED, ParticipantState.ACTIVE, ParticipantState.DISCONNECTED)
        for participant in list(self.people.values()):
            if participant.state in here and participant.id not in self.members:
                member = self._seat(participant, frozenset())
                member.away_since = self.needs.clock.monotonic()
        self._note_people()

    async def watch(self) -> None:
        """Keep an eye on a waiting customer whose page has not connected yet: see ``abandoned``."""
        try:
            await self._load()
        except TongpingError as error:
            log.warning("waiting session not loaded", extra={"session": self.id, "code": error.code})

    # ------------------------------------------------------------ messages

    async def handle(self, member: Member, connection: Connection, event: Incoming | Refused) -> None:
        if connection is not member.connection or member.gone or connection.state is State.CLOSED:
            return
        try:
            if isinstance(event, Refused):
                connection.send(MessageError(re=event.seq, code=ErrorCode.INVALID, detail=event.detail))
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
        for other in self.members.values():
            if other is not member:
                other.send(body)

    def tell_view(self, member: Member) -> None:
        telling.view(self, member)

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

    def keep_consent(self, member: Member, consent: Consent) -> None:
        """A decision that is stored."""
        self._consents[consent.participant_id, consent.scope] = consent
        member.gate.decided(consent)

    async def apply_gate(self, member: Member) -> None:
        if await self.room.apply(member):
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
        self._note_people()

    async def depart(self, member: Member, reason: LeaveReason, actor: str) -> None:
        """Stored, then the media is taken down, then everybody is told. Raises StoreUnavailable: nothing has changed."""
        try:
            self.people[member.id] = await self.needs.records.leave(member.id, reason, actor)
        except Gone:
            log.info("left already by the record", extra={"session": self.id, "participant": member.id})
        await self._gone(member, reason)

    async def _gone(self, member: Member, reason: LeaveReason) -> None:
        member.gone = True
        self.members.pop(member.id, None)
        self._empty_since = self.needs.clock.monotonic()
        await self.room.apply(member)
        await self.room.disconnect(member)
        connection, member.connection = member.connection, None
        if connection is not None:
            connection.close(CloseCode.REMOVED if reason is LeaveReason.REMOVED else CloseCode.LEFT)
        await supervision.hushed(self, member)
        telling.left(self, member, reason)
        if not self.members:
            await self.room.close()
        self._note_people()

    async def remove(self, participant: ParticipantId, actor: str) -> None:
        """Raises NotFound (not of this session), Gone (left already), StoreUnavailable."""
        await self._load()
        member = self.members.get(participant)
        if member is not None:
            await self.depart(member, LeaveReason.REMOVED, actor)
            return
        stored = await self.needs.records.participant(participant)
        if stored is None or stored.session_id != self.id:
            raise NotFound("There is no such participant in this session.")
        self.people[participant] = await self.needs.records.leave(participant, LeaveReason.REMOVED, actor)

    async def remove_staff(self, staff: StaffId, actor: str) -> None:
        """An account was disabled: its place here is taken away. Raises StoreUnavailable."""
        for member in list(self.members.values()):
            if staff_of(member.participant) == staff:
                await self.depart(member, LeaveReason.REMOVED, actor)

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
        if not self.members and (ended := await self.needs.sessions.end_abandoned(self.id, before=before)) is not None:
            await self._ended(ended)

    async def _ended(self, record: Session) -> None:
        self.record = record
        members, self.members = list(self.members.values()), {}
        for member in members:
            member.gone = True
            member.send(SessionChanged(session=session_view(record, member.grants)))
            connection, member.connection = member.connection, None
            if connection is not None:
                connection.close(CloseCode.SESSION_ENDED)
        self._note_people()
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
        self._note_people()
        for member in list(self.members.values()):
            member.send(SessionChanged(session=session_view(record, member.grants)))
        for member in list(self.members.values()):
            await self.apply_gate(member)

    # ------------------------------------------------------------ media

    def media_lost(self) -> None:
        self.room.lost(list(self.members.values()))
        self.tell(MediaLost())
        self.speakers.clear()
        telling.speaking(self)
        for member in self.members.values():
            self.tell_view(member)
        self._queue("gates", self._reapply)

    async def _reapply(self) -> None:
        for member in list(self.members.values()):
            await self.apply_gate(member)

    def media_flows(self, participant: ParticipantId, source: Source) -> None:
        """Packets came in from somebody whose page has not said so."""
        member = self.members.get(participant)
        if member is not None and source not in member.on and source in member.passing:
            member.on.add(source)
            self.tell_view(member)

    # ------------------------------------------------------------ time

    def tick(self) -> None:
        """Deadlines; what must await is queued."""
        now, wall = self.needs.clock.monotonic(), self.needs.clock.now()
        keep_s = self.needs.settings.connection.keep_s
        for member in list(self.members.values()):
            if member.connection is not None:
                member.connection.tick()
            if member.away_since is not None and now - member.away_since >= keep_s:
                self._queue("lost", self._drop_lost)
            if member.applied is None and now >= member.retry_at:
                self._queue("gates", self._reapply)
            self._check_token(member, wall)
            ice.renew(self.needs, member, wall)
        if self.alone.due(now):
            self._note_people()
        if self.abandoned(now):
            self._queue("abandoned", self._abandon)
        if self.room.due(now):
            self._queue("media", lambda: self.room.retry(now))

    def _check_token(self, member: Member, wall: datetime) -> None:
        connection = member.connection
        if connection is None or connection.state is not State.OPEN or member.expires_at is None:
            return
        if wall >= member.expires_at:
            connection.close(CloseCode.TOKEN_EXPIRED, "The token has ended and could not be renewed.")
        elif member.renew_at is not None and wall >= member.renew_at and not member.renewing:
            member.renewing = self.actor.post(partial(self._renew, member))

    def _renew_at(self, expires_at: datetime) -> datetime:
        now = self.needs.clock.now()
        life_s = (expires_at - now).total_seconds()
        return now + timedelta(seconds=max(life_s - self.needs.settings.renew_before_s, life_s / 2))

    async def _renew(self, member: Member) -> None:
        try:
            token, expires_at = await self.needs.entries.renew(self.id, member.id)
        except TongpingError as error:
            log.warning("token not renewed", extra={"session": self.id, "participant": member.id, "code": error.code})
            member.renew_at = self.needs.clock.now() + timedelta(seconds=5)
            return
        finally:
            member.renewing = False
        member.expires_at = expires_at
        member.renew_at = self._renew_at(expires_at)
        member.send(TokenRenewed(token=token, expires_at=expires_at))

    async def _drop_lost(self) -> None:
        now = self.needs.clock.monotonic()
        for member in list(self.members.values()):
            if member.away_since is not None and now - member.away_since >= self.needs.settings.connection.keep_s:
                try:
                    await self.depart(member, LeaveReason.LOST, member.id)
                except DependencyError:
                    log.warning("leaving not stored, tried again", extra={"session": self.id})

    def abandoned(self, now: float) -> bool:
        """Whether this waiting customer has been gone for too long, or never came."""
        if self.record is None or self.record.status is not SessionStatus.WAITING or self.members:
            return False
        came = any(participant.joined_at is not None for participant in self.people.values())
        settings = self.needs.settings
        return now - self._empty_since >= (settings.wait_keep_s if came else settings.wait_connect_s)

    async def _abandon(self) -> None:
        if self.abandoned(self.needs.clock.monotonic()):
            try:
                await self.end(ABANDONED, "")
            except DependencyError:
                self._empty_since = self.needs.clock.monotonic()

    def _queue(self, name: str, command: Command) -> None:
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
        return not self.members and self.actor.idle and not waiting and not held and not self.room.undone

    # ------------------------------------------------------------ the waiting list

    def _note_people(self) -> None:
        """Somebody came, went or was cut off."""
        if self.status is SessionStatus.WAITING:
            self.needs.waiting_changed()
        self.alone.note(self.members.values(), self.status, self.needs.clock.monotonic(), self.needs.clock.now())
        self.needs.people_changed()

    def walked_out(self, member: Member) -> bool:
        """Whether a customer gave up waiting: nobody is left to be served."""
        return self.status is SessionStatus.WAITING and member.participant.role is Role.CUSTOMER

    def tell_position(self, position: tuple[int, int | None]) -> None:
        for member in self.members.values():
            if member.participant.role is Role.CUSTOMER and member.position != position:
                member.position = position
                member.send(QueuePosition(position=position[0], estimated_wait_s=position[1]))

    @property
    def customer_connected(self) -> bool:
        return any(member.participant.role is Role.CUSTOMER and member.away_since is None for member in self.members.values())

    async def close(self, deadline_s: float) -> None:
        """The server stops: places are kept, connections are told to come back."""
        for member in self.members.values():
            if member.connection is not None:
                member.connection.close(CloseCode.GOING_AWAY)
        await self.actor.close(deadline_s)
        for member in self.members.values():
            await self.room.stop_offer(member)
