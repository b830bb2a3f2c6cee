"""Ways into a session: an invitation, the waiting list, a staff member's own session. Each answers an ``Entry``.

After ``join_waiting``, and after ``enter`` of a waiting session, call ``LiveSessions.waiting_changed``.
"""

from datetime import datetime

import msgspec

from server.api.bodies import Entry, JoinWaiting, RedeemInvitation
from server.audit.events import AuditAction, AuditEvent
from server.clock import Clock
from server.domain import ids
from server.domain.grants import session_grants
from server.domain.ids import ParticipantId, SessionId, StaffId
from server.domain.model import (
    STAFF_IDENTITY,
    LeaveReason,
    Participant,
    ParticipantState,
    Role,
    Session,
    SessionKind,
    SessionStatus,
    Staff,
    staff_of,
)
from server.errors import Conflict, Gone, NotAllowed, NotFound, TooMany
from server.services.invitations import Invitations, Refusal
from server.services.ports import MakeId, TokenIssuer
from server.services.sessions import existing, take
from server.services.views import session_view
from server.store.ports import Store, Transaction

WALK_IN = "walk-in"  # identity of a customer without an appointment


class Entries:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        make_id: MakeId,
        invitations: Invitations,
        tokens: TokenIssuer,
        *,
        max_participants: int,
        max_waiting: int,
        walk_in: bool,
    ) -> None:
        self._store = store
        self._clock = clock
        self._make_id = make_id
        self._invitations = invitations
        self._tokens = tokens
        self._max_participants = max_participants
        self._max_waiting = max_waiting
        self._walk_in = walk_in

    async def redeem(self, request: RedeemInvitation) -> Entry:
        """Use an invitation up once. Raises Invalid, NotFound, Gone (audited), TooMany (the session is full)."""
        now = self._clock.now()
        refusal: Refusal | None = None
        async with self._store.begin() as tx:
            found = await self._invitations.find(tx, request.secret, request.code)
            if isinstance(found, Refusal):
                refusal = found
                await self._invitations.audit_refusal(tx, refusal)
            else:
                invitation, session = found
                await self._check_room(tx, session)
                used = await tx.use_invitation(invitation.id, now)
                if used is None:
                    raise Gone("This invitation has been used. Ask for a new one.")
                participant = self._new_participant(
                    session, f"invitation:{used.id}#{used.uses}", used.role, request.name or used.name, now
                )
                await tx.add_participant(participant)
                session = await self._name_customer(tx, session, participant)
                await tx.append_audit(
                    AuditEvent(
                        action=AuditAction.INVITATION_REDEEMED,
                        at=now,
                        actor=participant.id,
                        session=session.id,
                        subject=used.id,
                        details={"use": str(used.uses)},
                    )
                )
                await self._audit_grants(tx, participant, now)
        if refusal is not None:
            raise refusal.error
        return self._entry(session, participant, now)

    async def join_waiting(self, request: JoinWaiting) -> Entry:
        """A customer without an appointment. Raises NotAllowed (walk-in is off), TooMany (the list is full)."""
        if not self._walk_in:
            raise NotAllowed("This bank sees customers by appointment only.")
        now = self._clock.now()
        session = Session(
            id=SessionId(self._make_id(ids.SESSION)),
            kind=SessionKind.VIDEO,
            status=SessionStatus.WAITING,
            language=request.language,
            customer_reference="",
            customer_name=request.name,
            reason=request.reason,
            context="",
            created_at=now,
            created_by="",
            waiting_since=now,
        )
        participant = self._new_participant(session, WALK_IN, Role.CUSTOMER, request.name, now)
        async with self._store.begin() as tx:
            if len(await tx.waiting_sessions()) >= self._max_waiting:
                raise TooMany("Too many customers are waiting. Please try again later.", retry_after_s=60)
            await tx.add_session(session)
            await tx.append_audit(
                AuditEvent(
                    action=AuditAction.SESSION_CREATED,
                    at=now,
                    actor=participant.id,
                    session=session.id,
                    subject=session.id,
                    details={"kind": session.kind.value, "walk_in": "yes"},
                )
            )
            await tx.add_participant(participant)
            await self._audit_grants(tx, participant, now)
        return self._entry(session, participant, now)

    async def enter(self, session_id: SessionId, staff_id: StaffId) -> Entry:
        """A staff member goes into a session they created or took; a supervisor into any, listening if it is not theirs.

        An agent who enters a waiting session takes it. So does one who enters a session that one of the bank's systems
        made and nobody has taken. Entering again is the same place. Raises NotFound, Gone, Conflict, NotAllowed.
        """
        now = self._clock.now()
        async with self._store.begin() as tx:
            staff = await tx.get_staff(staff_id)
            if staff is None or staff.disabled_at is not None:
                raise NotAllowed("This account is not active.")
            session = await existing(tx, session_id)
            if session.status is SessionStatus.ENDED:
                raise Gone("This session has ended.")
            session = await self._admit_staff(tx, session, staff, now)
            identity = f"{STAFF_IDENTITY}{staff.id}"
            participant = await tx.find_participant(session.id, identity)
            listens_at = (
                now if staff.role is Role.SUPERVISOR and staff.id not in {session.created_by, session.taken_by} else None
            )
            if participant is None:
                await self._check_room(tx, session)
                participant = self._new_participant(session, identity, staff.role, staff.name, now)
                participant = msgspec.structs.replace(participant, listens_at=listens_at)
                await tx.add_participant(participant)
                await self._audit_grants(tx, participant, now)
            elif participant.leave_reason is LeaveReason.REMOVED:
                raise NotAllowed("You were removed from this session.")
            elif participant.state is ParticipantState.LEFT:
                participant = msgspec.structs.replace(
                    participant, state=ParticipantState.JOINING, left_at=None, leave_reason=None, listens_at=listens_at
                )
                await tx.save_participant(participant)
                await self._audit_grants(tx, participant, now)
        return self._entry(session, participant, now)

    async def renew(self, session_id: SessionId, participant_id: ParticipantId) -> tuple[str, datetime]:
        """A fresh token for the same place and when it ends. Raises NotFound, Gone (ended), NotAllowed (removed, disabled)."""
        async with self._store.read() as tx:
            session = await existing(tx, session_id)
            participant = await tx.get_participant(participant_id)
            staff_id = staff_of(participant) if participant is not None else None
            staff = await tx.get_staff(staff_id) if staff_id is not None else None
        if participant is None or participant.session_id != session_id:
            raise NotFound("There is no such participant in this session.")
        if staff_id is not None and (staff is None or staff.disabled_at is not None):
            raise NotAllowed("This account is not active.")
        if session.status is SessionStatus.ENDED:
            raise Gone("This session has ended.")
        if participant.leave_reason is LeaveReason.REMOVED:
            raise NotAllowed("You were removed from this session.")
        return self._token(session, participant, self._clock.now())

    async def _admit_staff(self, tx: Transaction, session: Session, staff: Staff, now: datetime) -> Session:
        if staff.id in {session.created_by, session.taken_by} or staff.role is Role.SUPERVISOR:
            return session
        if staff.role is not Role.AGENT:
            raise NotAllowed("An expert comes in by an invitation.")
        if session.status is SessionStatus.WAITING:
            return await take(tx, session, staff.id, now)
        if session.taken_by is None and ids.is_id(session.created_by, ids.API_KEY):
            taken = msgspec.structs.replace(session, taken_by=staff.id, taken_at=now)
            await tx.save_session(taken)
            await tx.append_audit(
                AuditEvent(action=AuditAction.SESSION_TAKEN, at=now, actor=staff.id, session=session.id, subject=session.id)
            )
            return taken
        if session.taken_by is not None:
            raise Conflict("Somebody else has taken this customer.")
        raise NotAllowed("This is another agent's session.")

    async def _check_room(self, tx: Transaction, session: Session) -> None:
        here = [p for p in await tx.list_participants(session.id) if p.state is not ParticipantState.LEFT]
        if len(here) >= self._max_participants:
            raise TooMany("This session is full.", retry_after_s=30)

    async def _name_customer(self, tx: Transaction, session: Session, participant: Participant) -> Session:
        """A session without a customer's name gets the one its customer comes in with."""
        if participant.role is not Role.CUSTOMER or session.customer_name or not participant.name:
            return session
        named = msgspec.structs.replace(session, customer_name=participant.name)
        await tx.save_session(named)
        return named

    async def _audit_grants(self, tx: Transaction, participant: Participant, now: datetime) -> None:
        await tx.append_audit(
            AuditEvent(
                action=AuditAction.GRANTS_ISSUED,
                at=now,
                actor=participant.id,
                session=participant.session_id,
                subject=participant.id,
                details={"role": participant.role.value},
            )
        )

    def _new_participant(self, session: Session, identity: str, role: Role, name: str, now: datetime) -> Participant:
        return Participant(
            id=ParticipantId(self._make_id(ids.PARTICIPANT)),
            session_id=session.id,
            identity=identity,
            role=role,
            name=name,
            state=ParticipantState.JOINING,
            created_at=now,
        )

    def _token(self, session: Session, participant: Participant, now: datetime) -> tuple[str, datetime]:
        return self._tokens.session_token(
            session=session.id,
            participant=participant.id,
            role=participant.role,
            grants=session_grants(participant.role, session.kind),
            now=now,
        )

    def _entry(self, session: Session, participant: Participant, now: datetime) -> Entry:
        token, expires_at = self._token(session, participant, now)
        return Entry(
            token=token,
            expires_at=expires_at,
            participant=participant.id,
            role=participant.role,
            session=session_view(session, session_grants(participant.role, session.kind)),
        )
