"""Desk connections: staff who see the waiting list and who is in their sessions, never what is said or shown there."""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from server.auth.tokens import Claims
from server.domain.grants import Grant, desk_grants, session_grants
from server.domain.ids import LoginId, SessionId, StaffId
from server.domain.model import Role, Session
from server.domain.views import OccupiedSession, WaitingEntry
from server.errors import Conflict, DependencyError, NotAllowed, TongpingError
from server.live import telling
from server.live.actor import Actor, Busy
from server.live.needs import Needs
from server.live.people import handover
from server.live.ports import DeskTokens
from server.live.presence import TOLD_EVERY_S, look
from server.live.refusals import message_error
from server.live.session import LiveSession
from server.services.disclosure import tells
from server.services.views import session_view, waiting_entry
from server.signalling.connection import Connection
from server.signalling.messages import (
    CloseCode,
    ErrorCode,
    Hello,
    MessageError,
    SessionsInside,
    TakeWaiting,
    TokenRenewed,
    WaitingList,
    WaitingTaken,
)
from server.signalling.messages_people import HandoverAnswer, HandoverTaken
from server.signalling.messages_verification import ReviewsChanged
from server.signalling.protocol import Incoming, Refused, State

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Desk:
    """One tab of one staff account."""

    staff: StaffId
    login: LoginId
    until: datetime  # then one has to sign in again
    role: Role
    name: str
    grants: frozenset[Grant]
    connection: Connection
    expires_at: datetime
    renew_at: datetime
    renewing: bool = False
    told: list[WaitingEntry] | None = None
    told_inside: list[OccupiedSession] | None = None


class DeskSeat:
    def __init__(self, desks: "Desks", desk: Desk) -> None:
        self._desks = desks
        self._desk = desk

    def deliver(self, connection: Connection, event: Incoming | Refused) -> None:
        if not self._desks.actor.post(partial(self._desks.handle, self._desk, event)):
            connection.close(CloseCode.INTERNAL, "The server is busy.")

    def connection_changed(self, connection: Connection) -> None:
        if connection.state is State.CLOSED:
            self._desks.forget(self._desk)


@contextmanager
def _told(desk: Desk, seq: int) -> Iterator[None]:
    """What goes wrong with the message number ``seq`` is told to the desk."""
    try:
        yield
    except TongpingError as error:
        desk.connection.send(message_error(seq, error))
    except Exception:
        log.exception("message failed", extra={"staff": desk.staff})
        desk.connection.send(MessageError(re=seq, code=ErrorCode.INTERNAL, detail="It could not be done."))


class Desks:
    """``watch``: the live session of an id, made where needed. ``session_changed``: tell those in it of its new record.

    ``sessions``: the live ones.
    """

    def __init__(
        self,
        needs: Needs,
        tokens: DeskTokens,
        watch: Callable[[SessionId], LiveSession | None],
        session_changed: Callable[[Session], None],
        sessions: Callable[[], Iterable[LiveSession]],
        session: Callable[[SessionId], LiveSession | None],
    ) -> None:
        self.needs = needs
        self.actor = Actor("desks")
        self._tokens = tokens
        self._watch = watch
        self._session_changed = session_changed
        self._sessions = sessions
        self._session = session
        self._desks: list[Desk] = []  # oldest first
        self._people_changed = False
        self._inside_told_at = float("-inf")
        self._reviews_changed = False
        self._reviews_told_at = float("-inf")
        self._refresh_queued = False
        self._refreshed_at = needs.clock.monotonic()
        self._somebody_waits = False

    @property
    def connected(self) -> list[Desk]:
        return self._desks

    def __len__(self) -> int:
        return len(self._desks)

    async def join(self, connection: Connection, claims: Claims, hello: Hello) -> Connection | None:
        """Answer a hello; see ``connection.Greet``."""
        staff, login_id = StaffId(claims.subject), LoginId(claims.login)
        try:
            login = await self.needs.records.login(staff, login_id)
            account = await self.needs.people.account(staff)
            if login is None or account is None:
                raise NotAllowed("Please sign in again.")
        except TongpingError as error:
            store_failed = isinstance(error, DependencyError)
            connection.close(CloseCode.INTERNAL if store_failed else CloseCode.UNAUTHORISED, error.detail)
            return None
        own = [desk for desk in self._desks if desk.staff == staff]
        if hello.resume is not None:
            for desk in own:
                if desk.login == login.id and desk.connection.resume_over(connection, hello.resume, self.needs.new_key()):
                    desk.expires_at, desk.renew_at = claims.expires_at, self._renew_at(claims.expires_at, desk.until)
                    return desk.connection
            connection.close(CloseCode.RESUME_UNKNOWN, "Connect again without resume.")
            return None
        if len(own) >= self.needs.settings.desks_per_staff:
            own[0].connection.close(CloseCode.MOVED, "Connected elsewhere.")
        if len(self._desks) >= self.needs.settings.desks:
            connection.close(CloseCode.TOO_MANY, "Too many desks are connected.")
            return None
        desk = Desk(
            staff=staff,
            login=login.id,
            until=login.ends_at,
            role=claims.role,
            name=account.name,
            grants=claims.grants,
            connection=connection,
            expires_at=claims.expires_at,
            renew_at=self._renew_at(claims.expires_at, login.ends_at),
        )
        connection.owner = DeskSeat(self, desk)
        connection.accept(self.needs.new_key(), None)
        if connection.state is State.OPEN:
            self._desks.append(desk)
            self.refresh()
            self._tell_inside([desk])
            for session in self._sessions():
                handover.desk_came(session, staff, connection)
        return connection

    def forget(self, desk: Desk) -> None:
        if desk in self._desks:
            self._desks.remove(desk)

    async def dismiss(self, staff: StaffId) -> None:
        """The account was disabled."""
        for desk in list(self._desks):
            if desk.staff == staff:
                desk.connection.close(CloseCode.UNAUTHORISED, "This account is not active.")

    async def sign_out(self, login: LoginId) -> None:
        """The login was ended."""
        for desk in list(self._desks):
            if desk.login == login:
                desk.connection.close(CloseCode.LEFT, "Signed out.")

    async def handle(self, desk: Desk, event: Incoming | Refused) -> None:
        connection = desk.connection
        if connection.state is State.CLOSED:
            return
        with _told(desk, event.seq):
            if isinstance(event, Refused):
                connection.send(MessageError(re=event.seq, code=ErrorCode.INVALID, detail=event.detail))
            elif isinstance(event.body, TakeWaiting):
                await self._take(desk, event.body.session)
            elif isinstance(event.body, HandoverAnswer):
                self._answer(desk, event.seq, event.body)
            else:
                raise NotAllowed("This is said inside a session, not at the desk.")
        connection.handled(event.seq)

    async def _take(self, desk: Desk, id: SessionId) -> None:
        if Grant.WAITING_TAKE not in desk.grants:
            raise NotAllowed(f"This needs the grant {Grant.WAITING_TAKE.value}.")
        session = await self.needs.sessions.take(id, desk.staff)
        self._session_changed(session)
        self.refresh()
        entry = await self.needs.entries.enter(id, desk.staff, desk.login)
        view = session_view(session, session_grants(desk.role, session.kind))
        desk.connection.send(WaitingTaken(session=view, token=entry.token))

    def _answer(self, desk: Desk, seq: int, body: HandoverAnswer) -> None:
        """Done by the session, which may be slow: no desk waits for it. Raises NotAllowed, Conflict, Busy."""
        if Grant.HANDOVER not in desk.grants:
            raise NotAllowed(f"This needs the grant {Grant.HANDOVER.value}.")
        session = self._session(body.session)
        if session is None:
            raise Conflict("This offer is over.")

        async def run() -> None:
            if desk.connection.state is State.CLOSED:
                return  # signed out meanwhile, perhaps
            with _told(desk, seq):
                answered = await handover.answer(session, desk.staff, desk.login, desk.connection, body.accepted)
                if answered is not None:
                    view, token = answered
                    desk.connection.send(HandoverTaken(session=view, token=token))

        if not session.actor.post(run):
            raise Busy("The server is busy. Please try again.")

    # ------------------------------------------------------------ the waiting list

    def refresh(self) -> None:
        """The list or somebody's place in it may have changed; many calls make one reading."""
        if not self._refresh_queued:
            self._refresh_queued = self.actor.post(self._refresh)

    async def _refresh(self) -> None:
        self._refresh_queued = False
        try:
            waiting = await self.needs.sessions.waiting()
            positions = await self.needs.sessions.queue_positions()
        except DependencyError:
            log.warning("waiting list not read")
            return
        self._refreshed_at = self.needs.clock.monotonic()
        self._somebody_waits = bool(waiting)
        entries = []
        for session in waiting:
            live = self._watch(session.id)
            entries.append(waiting_entry(session, connected=live is not None and live.customer_connected))
            if live is not None and session.id in positions:
                telling.position(live, positions[session.id])
        for desk in self._desks:
            if Grant.WAITING_TAKE in desk.grants and desk.told != entries:
                desk.told = entries
                desk.connection.send(WaitingList(entries=entries))

    # ------------------------------------------------------------ who is inside

    def people_changed(self) -> None:
        """Told with the next tick: many changes make one message."""
        self._people_changed = True

    def _tell_inside(self, desks: list[Desk]) -> None:
        inside = look(self._sessions())
        for desk in desks:
            if Grant.SESSION_LIST not in desk.grants:
                continue
            entries = inside.seen_by(
                desk.staff,
                all_sessions=desk.role is Role.SUPERVISOR,
                told=tells(self.needs.settings.disclosed, desk.role),
            )
            if desk.told_inside != entries:
                desk.told_inside = entries
                desk.connection.send(SessionsInside(entries=entries))

    # ------------------------------------------------------------ what waits for a review

    def reviews_changed(self) -> None:
        """Told with the next tick, as ``people_changed``."""
        self._reviews_changed = True

    def _tell_reviews(self) -> None:
        for desk in self._desks:
            if Grant.VERIFICATION_REVIEW in desk.grants:
                desk.connection.send(ReviewsChanged())

    # ------------------------------------------------------------ time

    def tick(self) -> None:
        wall, now = self.needs.clock.now(), self.needs.clock.monotonic()
        if self._somebody_waits and now - self._refreshed_at >= self.needs.settings.wait_refresh_s:
            self.refresh()  # the estimates grow old
        if self._people_changed and now - self._inside_told_at >= TOLD_EVERY_S:
            self._people_changed, self._inside_told_at = False, now
            self._tell_inside(self._desks)
        if self._reviews_changed and now - self._reviews_told_at >= TOLD_EVERY_S:
            self._reviews_changed, self._reviews_told_at = False, now
            self._tell_reviews()
        for desk in list(self._desks):
            desk.connection.tick()
            if desk.connection.state is not State.OPEN:
                continue
            if wall >= desk.expires_at:
                desk.connection.close(CloseCode.TOKEN_EXPIRED, "The token has ended and could not be renewed.")
            elif wall >= desk.renew_at and not desk.renewing:
                desk.renewing = self.actor.post(partial(self._renew, desk))

    def _renew_at(self, expires_at: datetime, until: datetime) -> datetime:
        if expires_at >= until:
            return until  # nothing longer can be had
        now = self.needs.clock.now()
        life_s = (expires_at - now).total_seconds()
        return now + timedelta(seconds=max(life_s - self.needs.settings.renew_before_s, life_s / 2))

    async def _renew(self, desk: Desk) -> None:
        now = self.needs.clock.now()
        desk.renew_at = now + timedelta(seconds=5)  # unless it works
        try:
            if await self.needs.records.login(desk.staff, desk.login) is None:  # ended, or the account was disabled, elsewhere
                desk.connection.close(CloseCode.UNAUTHORISED, "Please sign in again.")
                return
        except DependencyError:
            return
        finally:
            desk.renewing = False
        token, expires_at = self._tokens.desk_token(
            staff=desk.staff, login=desk.login, role=desk.role, grants=desk_grants(desk.role), now=now, until=desk.until
        )
        desk.expires_at, desk.renew_at = expires_at, self._renew_at(expires_at, desk.until)
        desk.connection.send(TokenRenewed(token=token, expires_at=expires_at))

    async def close(self, deadline_s: float) -> None:
        for desk in list(self._desks):
            desk.connection.close(CloseCode.GOING_AWAY)
        await self.actor.close(deadline_s)
