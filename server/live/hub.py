"""``LiveSessions``: the connected people. The way in for hellos, for the API, and for what the media plane says.

Lives on one event loop; only ``server/app.py`` makes one. Run ``run_ticks`` as a task (or call ``tick`` about five times a
second), and ``close`` at the end.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from server.auth.tokens import Audience
from server.clock import Clock
from server.domain.ids import CONNECTION, ConnectionId, InvitationId, LoginId, ParticipantId, SessionId, StaffId
from server.domain.model import ParticipantState, Role, Session, Source, staff_of
from server.domain.views import AvailableStaff
from server.errors import DependencyError, MediaPlaneUnavailable, TokenExpired, TongpingError, TooMany, Unauthenticated
from server.live import telling
from server.live.actor import Busy
from server.live.desk import Desks
from server.live.ice import IceIssuer, NoRelay
from server.live.member import Member
from server.live.needs import Needs
from server.live.people import handover, rights
from server.live.people.desk_offers import DeskOffers
from server.live.people.records import PeopleRecords, came_by
from server.live.ports import (
    CaseBriefs,
    DeskTokens,
    EntryRecords,
    MediaPort,
    MediaUnavailable,
    NetworkState,
    PeerState,
    RecorderPort,
    SessionRecords,
    SlotAssignment,
    Verifier,
)
from server.live.recording.endings import RESTART, Endings
from server.live.recording.no_recorder import NoRecorder
from server.live.recording.records import RecordingRecords
from server.live.records import Records
from server.live.session import LiveSession
from server.live.settings import LiveSettings
from server.live.sweep import Sweep
from server.live.taps import Taps
from server.services.disclosure import tells
from server.signalling.connection import Connection
from server.signalling.messages import (
    CloseCode,
    Encodings,
    Hello,
    Network,
    NetworkLimit,
    Slots,
    SlotView,
)
from server.signalling.protocol import State
from server.store.ports import Store

if TYPE_CHECKING:
    from server.live.cobrowse.shares import Shares
    from server.live.cobrowse.site import OnSite
    from server.live.together import Tables
    from server.services.verification_live import LiveAttempts

log = logging.getLogger(__name__)
TICK_S = 0.2


class LiveSessions:
    def __init__(
        self,
        *,
        store: Store,
        sessions: SessionRecords,
        entries: EntryRecords,
        verifier: Verifier,
        desk_tokens: DeskTokens,
        media: MediaPort,
        clock: Clock,
        make_id: Callable[[str], str],
        new_key: Callable[[], str],
        settings: LiveSettings | None = None,
        ice: IceIssuer | None = None,
        recorder: RecorderPort | None = None,
    ) -> None:
        """``new_key`` makes resume keys: at least 128 random bits as text of at most 64 characters."""
        self.settings = settings or LiveSettings()
        self._clock = clock
        self._make_id = make_id
        self._verifier = verifier
        self._records = Records(store, clock, make_id, self.settings.store_s)
        recorder = recorder or NoRecorder()
        self._recordings = RecordingRecords(store, clock, make_id, self.settings.store_s)
        self._endings = Endings(recorder, self._recordings, clock)
        self.taps = Taps(store, media, clock, self.settings.store_s, self._shown)
        self.attempts: LiveAttempts | None = None  # bound by whoever has them
        self.briefs: CaseBriefs | None = None  # likewise
        self.cobrowse: Shares | None = None  # likewise
        self.pdfs: Tables | None = None  # likewise
        self.pages: OnSite | None = None  # likewise
        self._needs = Needs(
            records=self._records,
            sessions=sessions,
            entries=entries,
            people=PeopleRecords(store, clock, make_id, self.settings.store_s),
            desks=DeskOffers(lambda: self._desks.connected, self._sessions_now),
            media=media,
            recorder=recorder,
            recordings=self._recordings,
            endings=self._endings,
            taps=self.taps,
            attempts=lambda: self.attempts,
            briefs=lambda: self.briefs,
            cobrowse=lambda: self.cobrowse,
            pdfs=lambda: self.pdfs,
            ice=ice or NoRelay(),
            clock=clock,
            settings=self.settings,
            new_key=new_key,
            waiting_changed=self.waiting_changed,
            people_changed=lambda: self._desks.people_changed(),
        )
        self._ice_version = self._needs.ice.version
        self._sessions: dict[SessionId, LiveSession] = {}
        self._desks = Desks(self._needs, desk_tokens, self._watch, self.session_changed, self._sessions_now, self._sessions.get)
        self._sweep = Sweep(sessions, clock, self.settings, self._end_abandoned)
        self._greeting: set[Connection] = set()  # sockets that have not said hello
        self._closing: set[asyncio.Task[None]] = set()
        self._stopped = False
        media.listen(self)
        recorder.listen(self)

    # ------------------------------------------------------------ connections

    def new_connection(self) -> Connection:
        """For a new socket. Its hello deadline runs from now."""
        connection = Connection(ConnectionId(self._make_id(CONNECTION)), self._clock, self.settings.connection)
        self._greeting.add(connection)
        return connection

    async def greet(self, connection: Connection, hello: Hello) -> Connection | None:
        """Check the token and seat whoever it is for; see ``connection.Greet``."""
        self._greeting.discard(connection)
        if self._stopped:
            connection.close(CloseCode.GOING_AWAY)
            return None
        try:
            claims = self._verifier.verify(hello.token, now=self._clock.now())
            actor_of = self._desks if claims.audience is Audience.DESK else self._session(SessionId(claims.session))
            async with asyncio.timeout(self.settings.join_s):
                return await actor_of.actor.call(lambda: actor_of.join(connection, claims, hello))
        except TokenExpired as error:
            connection.close(CloseCode.TOKEN_EXPIRED, error.detail)
        except Unauthenticated as error:
            connection.close(CloseCode.UNAUTHORISED, error.detail)
        except TooMany as error:
            connection.close(CloseCode.TOO_MANY, error.detail)
        except Busy as error:
            connection.close(CloseCode.GOING_AWAY if self._stopped else CloseCode.INTERNAL, error.detail)
        except (DependencyError, TimeoutError):
            connection.close(CloseCode.INTERNAL, "The server is busy. Please try again.")
        except Exception:
            log.exception("hello failed", extra={"connection": connection.id})
            connection.close(CloseCode.INTERNAL, "The connection could not be made.")
        return None

    def _shown(self, session: SessionId, participant: ParticipantId) -> bool:
        """Whether somebody is inside, and not on hold, nor on the way out."""
        live = self._sessions.get(session)
        member = live.members.get(participant) if live is not None else None
        return member is not None and member.shown_to_others and not member.narrowed.unseen

    def _sessions_now(self) -> Iterable[LiveSession]:
        return self._sessions.values()

    def find(self, id: SessionId) -> LiveSession | None:
        """The live session, where there is one now."""
        return self._sessions.get(id)

    def _session(self, id: SessionId) -> LiveSession:
        """The live session, made where needed: whoever asks puts a command into its actor at once. Raises TooMany."""
        session = self._sessions.get(id)
        if session is None:
            if len(self._sessions) >= self.settings.sessions:
                raise TooMany("The server is full. Please try again later.", retry_after_s=30)
            session = self._sessions[id] = LiveSession(id, self._needs)
        return session

    def _watch(self, id: SessionId) -> LiveSession | None:
        try:
            session = self._session(id)
        except TooMany:
            return None
        if session.record is None and session.actor.idle:
            session.actor.post(session.watch)
        return session

    # ------------------------------------------------------------ for the API

    async def end_session(self, session: SessionId, reason: str, actor: str) -> Session:
        """Recorded by ``Sessions.end``, then everybody is told and disconnected. Raises NotFound, DependencyError."""
        live = self._session(session)
        return await live.narrowing.call([one.id for one in live.everybody], lambda: live.end(reason, actor))

    async def _end_abandoned(self, session: SessionId, before: datetime) -> None:
        live = self._session(session)
        await live.actor.call(lambda: live.end_abandoned(before))

    async def end_over(self, session: SessionId, before: datetime) -> None:
        """Unless it is not over: see ``Sessions.end_over``. Raises NotFound, TooMany, DependencyError."""
        live = self._session(session)
        await live.actor.call(lambda: live.end_over(before))

    def cases_changed(self, session: SessionId) -> None:
        """A case of this session has changed: those in it are told."""
        live = self._sessions.get(session)
        if live is not None:
            live.verifying.briefing.changed()

    def reviews_changed(self) -> None:
        """Another case waits for a review, or one does no more: the desks of reviewers are told."""
        self._desks.reviews_changed()

    async def remove_participant(self, session: SessionId, participant: ParticipantId, actor: str) -> None:
        """Recorded, audited, told, disconnected. Raises NotFound, Gone (left already), DependencyError."""
        live = self._session(session)
        await live.narrowing.call([participant], lambda: live.remove(participant, actor))

    async def staff_disabled(self, staff: StaffId, actor: str) -> None:
        """The account's desks and places end now, those that are being taken included. Raises DependencyError: call it again."""
        await self._desks.actor.call(lambda: self._desks.dismiss(staff))
        await self._in_all(
            lambda live: rights.remove_staff(live, staff, actor), lambda member: staff_of(member.participant) == staff
        )

    async def login_ended(self, login: LoginId) -> None:
        """Its desks and the places that were entered by it end now, those that are just being taken included. Raises DependencyError."""
        await self._desks.actor.call(lambda: self._desks.sign_out(login))
        await self._in_all(lambda live: rights.remove_login(live, login), lambda member: member.participant.login_id == login)

    async def invitation_revoked(self, session: SessionId, invitation: InvitationId, actor: str) -> None:
        """Who came in by it leaves. Raises DependencyError: call it again."""
        live = self._session(session)
        whom = [one.id for one in live.everybody if came_by(one.participant, invitation)]
        await live.narrowing.call(whom, lambda: rights.remove_invited(live, invitation, actor))

    async def _in_all(self, what: Callable[[LiveSession], Awaitable[None]], whom: Callable[[Member], bool]) -> None:
        """All at once: one whose store or relay is slow holds up nobody else. Raises what one of them raised."""
        results = await asyncio.gather(
            *(
                live.narrowing.call([one.id for one in live.everybody if whom(one)], partial(what, live))
                for live in list(self._sessions.values())
            ),
            return_exceptions=True,
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result

    def staff_available(self) -> list[AvailableStaff]:
        """Who is at a desk and may be given a customer."""
        return self._needs.desks.available()

    def hides(self, role: Role) -> bool:
        """Whether somebody of this role must not know of supervisors who listen."""
        return not tells(self.settings.disclosed, role)

    def waiting_changed(self) -> None:
        """Desks and waiting customers are told what has changed."""
        self._desks.refresh()

    def session_changed(self, session: Session) -> None:
        """The record changed: those in it are told, and the gates follow."""
        live = self._sessions.get(session.id)
        if live is not None and not live.actor.post(lambda: live.changed(session)):
            log.error("session change not told", extra={"session": session.id})

    def connected(self, session: SessionId) -> frozenset[ParticipantId]:
        """Who is here (places that are being kept count)."""
        live = self._sessions.get(session)
        return frozenset(member.id for member in live.everybody) if live is not None else frozenset()

    def states(self, session: SessionId) -> dict[ParticipantId, ParticipantState]:
        """The live states of those who are here: finer than the stored ones."""
        live = self._sessions.get(session)
        return {member.id: member.state for member in live.everybody} if live is not None else {}

    def listening(self, session: SessionId) -> frozenset[ParticipantId]:
        """Who is here and listens: whether they whisper is not everybody's to know."""
        live = self._sessions.get(session)
        members = live.members.values() if live is not None else ()
        return frozenset(member.id for member in members if member.participant.listens_at is not None)

    async def media(self, session: SessionId) -> Mapping[str, object]:
        """The relay's counters; empty where nobody is connected. Raises MediaPlaneUnavailable."""
        try:
            async with asyncio.timeout(self.settings.media_control_s):
                return await self._needs.media.stats(session)
        except (MediaUnavailable, TimeoutError) as error:
            raise MediaPlaneUnavailable("The media relay did not answer. Please try again.") from error

    def stats(self) -> Mapping[str, int]:
        """For the metrics."""
        members = [member for session in self._sessions.values() for member in session.everybody]
        return {
            "sessions": len(self._sessions),
            "participants": len(members),
            "participants_away": sum(member.away_since is not None for member in members),
            "participants_active": sum(member.peer == "connected" for member in members),
            "desks": len(self._desks),
            "greeting": len(self._greeting),
        }

    async def recover(self) -> None:
        """After a start: those who were in a session have some seconds to come back before they count as lost."""
        under_way = await self._recordings.under_way()
        interrupted = {recording.session_id: recording for recording in under_way}
        for id in await self._records.unfinished():
            try:
                live = self._session(id)
                await live.actor.call(partial(live.revive, interrupted.get(id)))
            except TongpingError as error:
                log.warning("session not recovered", extra={"session": id, "code": error.code})
            else:
                self._dispose(live)  # where nobody was: appointments take no room from those who were in a session
        for recording in under_way:
            self._endings.end(recording.id, None, RESTART)

    # ------------------------------------------------------------ time

    def tick(self) -> None:
        """Deadlines of everything. Quick."""
        for connection in list(self._greeting):
            connection.tick()
            if connection.state is not State.AWAIT_HELLO:
                self._greeting.discard(connection)
        self._desks.tick()
        self._sweep.tick()
        self._endings.tick()
        if (version := self._needs.ice.version) != self._ice_version:
            self._ice_version = version
            for session in self._sessions.values():
                session.due.stir()
        now = self._clock.monotonic()
        for session in list(self._sessions.values()):
            if session.due.at <= now:
                session.tick()
                self._dispose(session)

    def _dispose(self, session: LiveSession) -> None:
        """Forget it, if nothing is left to be done there."""
        if session.disposable:
            del self._sessions[session.id]
            task = asyncio.create_task(session.close(1.0), name="session-close")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def run_ticks(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(TICK_S)
            self.tick()

    async def settle(self) -> None:
        """Return when everything that was queued has run."""
        busy = True
        while busy:
            actors = [self._desks.actor, *(session.actor for session in self._sessions.values())]
            for actor in actors:
                await actor.settle()
            offers = [
                member.offer.task
                for session in self._sessions.values()
                for member in session.everybody
                if member.offer is not None and not member.offer.task.done()
            ]
            if offers:
                await asyncio.wait(offers)
            if self._sweep.task is not None:
                offers.append(self._sweep.task)
                await asyncio.wait([self._sweep.task])
            for session in list(self._sessions.values()):
                await session.narrowing.settle()
                await session.recording.settle()
            offers.extend(self._endings.tasks)
            await self._endings.settle()
            asking = any(session.recording.asking for session in self._sessions.values())
            busy = bool(offers) or asking or any(not actor.idle for actor in actors) or bool(self._closing)
            if self._closing:
                await asyncio.wait(list(self._closing))

    async def close(self, deadline_s: float = 5.0) -> None:
        """Everybody is told to come back (``going_away``); what was queued is done first."""
        self._stopped = True
        for connection in self._greeting:
            connection.close(CloseCode.GOING_AWAY)
        self._greeting.clear()
        await self._sweep.close()
        closing = [session.close(deadline_s) for session in self._sessions.values()]
        await asyncio.gather(*closing, self._desks.close(deadline_s), *self._closing)
        await self._endings.close(deadline_s)
        self._sessions.clear()

    # ------------------------------------------------------------ what the media plane says

    def on_slots(self, room: str, participant: str, slots: Sequence[SlotAssignment]) -> None:
        member = self._member(room, participant)
        if member is not None and not member.waits:
            member.send(
                Slots(
                    slots=[
                        SlotView(
                            mid=slot.mid,
                            participant=ParticipantId(slot.participant) if slot.participant is not None else None,
                            source=Source(slot.source) if slot.source is not None else None,
                            held=slot.held,
                        )
                        for slot in slots
                    ]
                )
            )

    def on_speaking(self, room: str, participants: Sequence[str]) -> None:
        live = self._sessions.get(SessionId(room))
        if live is not None:
            live.speakers = [ParticipantId(one) for one in participants]
            telling.speaking(live)
            live.recording.heard()

    def on_peer(self, room: str, participant: str, state: PeerState) -> None:
        live = self._sessions.get(SessionId(room))
        member = live.find(ParticipantId(participant)) if live is not None else None
        if live is not None and member is not None and member.peer != state:
            member.peer = state
            live.tell_view(member)
            handover.poke(live)

    def on_track(self, room: str, participant: str, source: str, flowing: bool) -> None:
        live = self._sessions.get(SessionId(room))
        if live is not None:
            live.media_flows(ParticipantId(participant), Source(source), flowing)

    def on_encodings(self, room: str, participant: str, source: str, active: Sequence[str]) -> None:
        member = self._member(room, participant)
        if member is not None:
            member.send(Encodings(source=Source(source), active=list(active)))

    def on_network(self, room: str, participant: str, state: NetworkState) -> None:
        member = self._member(room, participant)
        if member is not None:
            member.send(
                Network(
                    down_kbps=state.down_bps // 1000,
                    rtt_ms=state.rtt_ms,
                    loss_permille=state.loss_permille,
                    limit=NetworkLimit(state.limit),
                    held=state.held,
                )
            )

    def _member(self, room: str, participant: str) -> Member | None:
        live = self._sessions.get(SessionId(room))
        return live.find(ParticipantId(participant)) if live is not None else None

    def on_recorder(self, ready: bool) -> None:
        for live in list(self._sessions.values()):
            live.recording.recorder_changed(ready)

    def on_recording_failed(self, recording: str) -> None:
        for live in list(self._sessions.values()):
            live.recording.failed(recording)

    def on_rooms_lost(self, rooms: Sequence[str]) -> None:
        for room in rooms:
            live = self._sessions.get(SessionId(room))
            if live is not None:
                live.media_lost()
