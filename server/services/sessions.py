"""Sessions: create, read, list, take from the waiting list, end.

To end a session call ``LiveSessions.end_session``: it calls ``Sessions.end`` and tells those who are connected.
After ``take`` call ``LiveSessions.session_changed`` and ``waiting_changed``.
"""

import statistics
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import msgspec

from server.api.bodies import CreateSession, UpdateSession
from server.audit.events import AuditAction, AuditEvent
from server.clock import Clock
from server.domain import ids
from server.domain.grants import Grant, session_grants
from server.domain.ids import SessionId, StaffId
from server.domain.model import LeaveReason, ParticipantState, Role, Session, SessionKind, SessionStatus, dead_because
from server.errors import Conflict, Gone, NotFound
from server.services.ports import MakeId
from server.services.principal import Principal, PrincipalKind
from server.store.codec import encode_cursor
from server.store.ports import Page, Store, Transaction
from server.transactions.case import IN_REVIEW, Case, CaseState

Ending = Callable[[Transaction, Session, str], Awaitable[None]]
"""In the transaction that ends a session, before it is ended; with who ends it, "" for the server."""

SESSIONS_A_PAGE = 100
ABANDONED = "abandoned"
OVER = "over"
INSIDE = frozenset({ParticipantState.JOINED, ParticipantState.ACTIVE, ParticipantState.DISCONNECTED})
RECENT_WAITS = 20  # how many past waits an estimate looks at


class SessionOfAnother(Conflict):
    """A session is of one customer, and this one is another's: by its ``customer_reference``, or by a case in it."""

    code = "session_of_another"


class Sessions:
    def __init__(self, store: Store, clock: Clock, make_id: MakeId) -> None:
        self._store = store
        self._clock = clock
        self._make_id = make_id
        self.ending: Ending | None = None  # what else ends with a session; bound by whoever has it

    async def create(self, request: CreateSession, by: Principal) -> Session:
        """A session with an appointment, open at once."""
        now = self._clock.now()
        session = Session(
            id=SessionId(self._make_id(ids.SESSION)),
            kind=request.kind,
            status=SessionStatus.OPEN,
            language=request.language,
            customer_reference=request.customer_reference,
            customer_name=request.customer_name,
            reason=request.reason,
            context=request.context,
            created_at=now,
            created_by=by.actor,
        )
        async with self._store.begin() as tx:
            await tx.add_session(session)
            await tx.append_audit(
                AuditEvent(
                    action=AuditAction.SESSION_CREATED,
                    at=now,
                    actor=by.actor,
                    session=session.id,
                    subject=session.id,
                    details={"kind": session.kind.value},
                )
            )
        return session

    async def get(self, id: SessionId) -> Session:
        """Raises NotFound."""
        async with self._store.read() as tx:
            return await existing(tx, id)

    async def page(
        self,
        *,
        status: SessionStatus | None,
        customer_reference: str | None,
        limit: int,
        cursor: str | None,
        seen_by: StaffId | None = None,
    ) -> Page:
        """Newest first; ``seen_by`` an account: see ``Transaction.list_sessions``. Raises Invalid for a cursor that no page gave."""
        async with self._store.read() as tx:
            return await tx.list_sessions(
                status=status, customer_reference=customer_reference, limit=limit, cursor=cursor, seen_by=seen_by
            )

    async def update(self, id: SessionId, change: UpdateSession, actor: str) -> Session:
        """The audit says which fields changed, not what they say. Nothing new: nothing happens. Raises NotFound, Gone, SessionOfAnother."""
        async with self._store.begin() as tx:
            session = await existing(tx, id)
            if session.status is SessionStatus.ENDED:
                raise Gone("This session has ended.")
            given = {name: value for name, value in msgspec.structs.asdict(change).items() if value is not None}
            fresh = {name: value for name, value in given.items() if value != getattr(session, name)}
            if not fresh:
                return session
            if reference := fresh.get("customer_reference"):
                await of_one(tx, session, reference)
            updated = msgspec.structs.replace(session, **fresh)
            await tx.save_session(updated)
            await tx.append_audit(
                AuditEvent(
                    action=AuditAction.SESSION_UPDATED,
                    at=self._clock.now(),
                    actor=actor,
                    session=id,
                    subject=id,
                    details={"fields": ",".join(sorted(fresh))},
                )
            )
        return updated

    async def take(self, id: SessionId, staff: StaffId) -> Session:
        """A waiting customer for this agent: exactly one of many wins. Raises NotFound, Gone, Conflict."""
        async with self._store.begin() as tx:
            return await take(tx, await existing(tx, id), staff, self._clock.now())

    async def end(self, id: SessionId, reason: str, actor: str) -> Session:
        """Ended, with everybody in it. Ending it again changes nothing. Raises NotFound.

        Participants that have not left become ``left`` with the reason ``ended``.
        """
        now = self._clock.now()
        async with self._store.begin() as tx:
            session = await existing(tx, id)
            if session.status is SessionStatus.ENDED:
                return session
            return await self._end(tx, session, reason, actor, now)

    async def _end(self, tx: Transaction, session: Session, reason: str, actor: str, now: datetime) -> Session:
        if self.ending is not None:
            await self.ending(tx, session, actor)
        return await _end(tx, session, reason, actor, now)

    async def abandoned(self, *, before: datetime) -> list[SessionId]:
        """Open sessions that nobody has been in since ``before`` and that no live invitation leads to."""
        now = self._clock.now()
        found: list[SessionId] = []
        cursor: str | None = encode_cursor(before, "")  # younger ones cannot be
        while cursor is not None:
            async with self._store.read() as tx:
                page = await tx.list_sessions(
                    status=SessionStatus.OPEN, customer_reference=None, limit=SESSIONS_A_PAGE, cursor=cursor
                )
                found += [session.id for session in page.sessions if await _abandoned(tx, session, before, now)]
            cursor = page.next
        return found

    async def end_abandoned(self, id: SessionId, *, before: datetime) -> Session | None:
        """End one of them, if it still is one; None: it is not."""
        now = self._clock.now()
        async with self._store.begin() as tx:
            session = await existing(tx, id)
            if not await _abandoned(tx, session, before, now):
                return None
            return await self._end(tx, session, ABANDONED, "", now)

    async def end_over(self, id: SessionId, *, before: datetime) -> Session | None:
        """End one in which a customer is verified by themselves: its cases ended before then, or wait for a review and since then nobody was there; no agent
        is there, and nobody waits for one. None: it is not over. Raises NotFound."""
        now = self._clock.now()
        async with self._store.begin() as tx:
            session = await existing(tx, id)
            if not await _over(tx, session, before):
                return None
            return await self._end(tx, session, OVER, "", now)

    async def waiting(self) -> list[Session]:
        """Oldest first."""
        async with self._store.read() as tx:
            return await tx.waiting_sessions()

    async def queue_positions(self) -> dict[SessionId, tuple[int, int | None]]:
        """Of everybody who waits: place in the waiting list from 1, and estimated seconds still to wait.

        The estimate is the median of the last waits less what this one has waited; None when nobody was taken yet, or
        when this one has waited longer than that: no promise is better than a wrong one.
        """
        now = self._clock.now()
        async with self._store.read() as tx:
            waiting = await tx.waiting_sessions()
            recent = await tx.recent_wait_seconds(RECENT_WAITS)
        usual_s = statistics.median(recent) if recent else None
        positions: dict[SessionId, tuple[int, int | None]] = {}
        for position, session in enumerate(waiting, 1):
            waited_s = (now - (session.waiting_since or now)).total_seconds()
            left_s = None if usual_s is None or waited_s > usual_s else round(usual_s - waited_s)
            positions[session.id] = (position, left_s)
        return positions


async def _over(tx: Transaction, session: Session, before: datetime) -> bool:
    cases = await tx.session_cases(session.id)
    made = session.kind is SessionKind.VERIFICATION and ids.is_id(session.created_by, ids.API_KEY)
    if not cases or not made or session.status is not SessionStatus.OPEN:
        return False
    people = await tx.list_participants(session.id)
    inside = [
        one for one in people if one.state in INSIDE or (one.state is ParticipantState.JOINING and one.created_at > before)
    ]
    if any(one.role is not Role.CUSTOMER for one in inside):
        return False
    ended = all(case.ended_at is not None and case.ended_at <= before for case in cases)
    reviewed = all(case.state in IN_REVIEW or (case.ended_at is not None and case.ended_at <= before) for case in cases)
    lately = any(one.left_at is not None and one.left_at > before for one in people)
    return ended or (reviewed and not inside and not lately)


async def _abandoned(tx: Transaction, session: Session, before: datetime, now: datetime) -> bool:
    if session.status is not SessionStatus.OPEN:
        return False
    people = await tx.list_participants(session.id)
    if any(person.state in INSIDE for person in people):
        return False
    times = [session.created_at, session.taken_at]
    for person in people:
        times += [person.created_at, person.joined_at, person.left_at]
    if any(time is not None and time > before for time in times):
        return False
    return all(dead_because(invitation, now) is not None for invitation in await tx.list_invitations(session.id))


async def put_away(tx: Transaction, session: SessionId) -> None:
    """No PDF is open there any more; what was marked is gone."""
    for pdf in await tx.session_pdfs(session):
        if pdf.looked is not None:
            await tx.save_pdf(msgspec.structs.replace(pdf, looked=None))


async def _end(tx: Transaction, session: Session, reason: str, actor: str, now: datetime) -> Session:
    """Inside a write transaction. Without an ``actor`` the server ends it, and the audit says why."""
    ended = msgspec.structs.replace(session, status=SessionStatus.ENDED, ended_at=now, end_reason=reason)
    await tx.save_session(ended)
    await put_away(tx, session.id)
    for participant in await tx.list_participants(session.id):
        if participant.state is ParticipantState.LEFT:
            continue
        await tx.save_participant(
            msgspec.structs.replace(participant, state=ParticipantState.LEFT, left_at=now, leave_reason=LeaveReason.ENDED)
        )
        await tx.append_audit(
            AuditEvent(
                action=AuditAction.PARTICIPANT_LEFT,
                at=now,
                actor=actor,
                session=session.id,
                subject=participant.id,
                details={"reason": LeaveReason.ENDED.value},
            )
        )
    await tx.append_audit(
        AuditEvent(
            action=AuditAction.SESSION_ENDED,
            at=now,
            actor=actor,
            session=session.id,
            subject=session.id,
            details={} if actor else {"why": reason},
        )
    )
    return ended


async def of_one(tx: Transaction, session: Session, customer: str) -> None:
    """Raises SessionOfAnother where a case of somebody else is in it. Those of customers who were erased say nothing, nor do those that were withdrawn or ran
    out before anybody tried."""
    if any(case.customer not in ("", customer) and not _came_to_nothing(case) for case in await tx.session_cases(session.id)):
        raise SessionOfAnother("This session has a verification of another customer.")


def owner(session: Session, cases: Sequence[Case]) -> str:
    """Whose it is: by its reference; else who all of its ``cases`` that came to something name, or all of them where none did. "": nobody's, as there are several
    such, or one of them was erased."""
    if session.customer_reference:
        return session.customer_reference
    counted = [case for case in cases if not _came_to_nothing(case)] or cases
    whose = {case.customer for case in counted}
    return whose.pop() if len(whose) == 1 else ""


def _came_to_nothing(case: Case) -> bool:
    ended = case.state in (CaseState.CANCELLED, CaseState.EXPIRED)
    return ended and case.attempts_used == 0 and case.identified is None


def leader(session: Session) -> StaffId | None:
    """The account whose session it is: who took the customer, or was handed it; else who made it. None: nobody's yet."""
    owner = session.taken_by or session.created_by
    return StaffId(owner) if ids.is_id(owner, ids.STAFF) else None


async def existing(tx: Transaction, id: SessionId) -> Session:
    """The session. Raises NotFound."""
    session = await tx.get_session(id) if ids.is_id(id, ids.SESSION) else None
    if session is None:
        raise NotFound("There is no such session.")
    return session


async def take(tx: Transaction, session: Session, staff: StaffId, now: datetime) -> Session:
    """Inside a write transaction: write transactions are serialised, so one of many wins."""
    if session.status is SessionStatus.ENDED:
        raise Gone("This session has ended.")
    if session.taken_by is not None or session.status is not SessionStatus.WAITING:
        raise Conflict("Somebody else has taken this customer.")
    taken = msgspec.structs.replace(session, status=SessionStatus.OPEN, taken_by=staff, taken_at=now)
    await tx.save_session(taken)
    waited_s = (now - (session.waiting_since or now)).total_seconds()
    await tx.append_audit(
        AuditEvent(
            action=AuditAction.SESSION_TAKEN,
            at=now,
            actor=staff,
            session=session.id,
            subject=session.id,
            details={"waited_s": str(round(waited_s))},
        )
    )
    return taken


def grants_in(session: Session, principal: Principal) -> frozenset[Grant]:
    """What ``principal`` may do with this session. Empty: it is none of their business.

    A participant: what the token says, in their own session. An API key: its grants, in every session. Staff at the
    desk: their role's grants in the sessions they lead (``leader``), a supervisor in all; elsewhere nothing.
    """
    if principal.kind is PrincipalKind.PARTICIPANT:
        return principal.grants if principal.session == session.id else frozenset()
    if principal.kind is PrincipalKind.SERVICE:
        return principal.grants
    if principal.role is Role.SUPERVISOR or principal.actor == leader(session):
        return principal.grants | session_grants(principal.role, session.kind)
    return frozenset()
