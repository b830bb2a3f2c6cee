"""Ways into a session: an invitation, the waiting list, a staff member's own session. Each answers an ``Entry``.

After ``join_waiting``, and after ``enter`` of a waiting session, call ``LiveSessions.waiting_changed``.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from server.api.bodies import Entry, JoinWaiting, RedeemInvitation
from server.audit.events import AuditAction, AuditEvent
from server.clock import Clock
from server.domain import ids
from server.domain.grants import session_grants
from server.domain.ids import LoginId, ParticipantId, SessionId, StaffId
from server.domain.model import (
    INVITED_IDENTITY,
    STAFF_IDENTITY,
    Invitation,
    LeaveReason,
    Participant,
    ParticipantState,
    Role,
    Session,
    SessionKind,
    SessionStatus,
    Staff,
    by_themselves,
    staff_of,
)
from server.errors import Conflict, Gone, NotAllowed, NotFound, TooMany
from server.services.invitations import Invitations, Refusal
from server.services.ports import MakeId, TokenIssuer
from server.services.sessions import existing, leader, take
from server.services.views import session_view, veiled
from server.store.ports import Store, Transaction

WALK_IN = "walk-in"  # identity of a customer without an appointment
KEPT_FREE = timedelta(seconds=60)


class LinkInUse(Conflict):
    """Somebody is there by this link already."""

    code = "link_in_use"


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
        """Use an invitation up once. Raises Invalid, NotFound, Gone and LinkInUse (audited), TooMany (the session is full), NotAllowed (from a place that was
        kept for it somebody was removed)."""
        now = self._clock.now()
        refusal: Refusal | None = None
        async with self._store.begin() as tx:
            found = await self._invitations.find(tx, request.secret, request.code)
            if not isinstance(found, Refusal):
                found = await self._in_use(tx, *found, now) or found
            if isinstance(found, Refusal):
                refusal = found
                await self._invitations.audit_refusal(tx, refusal)
            else:
                invitation, session = found
                kept = await self._kept(tx, invitation, session)
                people = await tx.list_participants(session.id)
                waits = kept is None and session.waiting_room_at is not None and not _first_customer(people, invitation.role)
                if kept is None:
                    self._check_room(people, invitation.role, waits, now)
                used = await tx.use_invitation(invitation.id, now)
                if used is None:
                    raise Gone("This invitation has been used. Ask for a new one.")
                if kept is not None:
                    participant = msgspec.structs.replace(kept, name=request.name or kept.name)
                    await tx.save_participant(participant)
                else:
                    participant = self._new_participant(
                        session, f"{INVITED_IDENTITY}{used.id}#{used.uses}", used.role, request.name or used.name, now
                    )
                    if waits:
                        participant = msgspec.structs.replace(participant, waits_at=now)
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

    async def _in_use(self, tx: Transaction, invitation: Invitation, session: Session, now: datetime) -> Refusal | None:
        """The link of a customer who is verified by themselves opens one page at a time: whoever else has it does not get in beside them, nor in their
        place. A place that was lost is good for nothing any more once the link was opened again."""
        made = session.kind is SessionKind.VERIFICATION and ids.is_id(session.created_by, ids.API_KEY)
        if not made or invitation.role is not Role.CUSTOMER:
            return None
        own = f"{INVITED_IDENTITY}{invitation.id}#"
        places = [one for one in await tx.list_participants(session.id) if one.identity.startswith(own)]
        if any(_counts(one, now) for one in places):
            return Refusal(
                "in_use", LinkInUse("This link is open on another page. Close it there first."), session.id, invitation.id
            )
        for one in places:
            if one.state is ParticipantState.JOINING or one.leave_reason is LeaveReason.LOST:
                gone = msgspec.structs.replace(
                    one, state=ParticipantState.LEFT, left_at=one.left_at or now, leave_reason=LeaveReason.LEFT
                )
                await tx.save_participant(gone)
        return None

    async def _kept(self, tx: Transaction, invitation: Invitation, session: Session) -> Participant | None:
        """The place that is there for the next use of it: of a customer who shows a page in this session. Raises NotAllowed: they were removed."""
        kept = await tx.find_participant(session.id, f"{INVITED_IDENTITY}{invitation.id}#{invitation.uses + 1}")
        if kept is None or kept.state is not ParticipantState.LEFT:
            return kept
        if kept.leave_reason in (LeaveReason.REMOVED, LeaveReason.REVOKED):
            raise NotAllowed("You were removed from this session.")
        return msgspec.structs.replace(kept, state=ParticipantState.JOINING, left_at=None, leave_reason=None)

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

    async def enter(self, session_id: SessionId, staff_id: StaffId, login: LoginId) -> Entry:
        """A staff member goes into a session they lead; a supervisor into any, listening if it is not theirs; nobody to a customer who is verified by themselves
        and has asked for nobody.

        ``login``: the signing in that they come by: the place ends with it. An agent who enters a waiting session takes it. So does one who enters a session that one of the bank's systems
        made and nobody has taken. Entering again is the same place. There is always room for them: a session full of guests
        must not keep out who leads it. Raises NotFound, Gone, Conflict, NotAllowed.
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
            listens_at = now if staff.role is Role.SUPERVISOR and staff.id != leader(session) else None
            if participant is None:
                participant = self._new_participant(session, identity, staff.role, staff.name, now)
                participant = msgspec.structs.replace(participant, listens_at=listens_at, login_id=login)
                await tx.add_participant(participant)
                await self._audit_grants(tx, participant, now)
            elif participant.leave_reason is LeaveReason.REMOVED:
                raise NotAllowed("You were removed from this session.")
            elif participant.state is ParticipantState.LEFT:
                participant = msgspec.structs.replace(
                    participant,
                    state=ParticipantState.JOINING,
                    left_at=None,
                    leave_reason=None,
                    listens_at=listens_at,
                    login_id=login,
                )
                await tx.save_participant(participant)
                await self._audit_grants(tx, participant, now)
            elif participant.login_id != login:
                participant = msgspec.structs.replace(participant, login_id=login)
                await tx.save_participant(participant)
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
        if participant.leave_reason not in (None, LeaveReason.LOST):
            raise NotAllowed("You were removed from this session.")
        return self._token(session, participant, self._clock.now())

    async def _admit_staff(self, tx: Transaction, session: Session, staff: Staff, now: datetime) -> Session:
        if by_themselves(session) and await tx.session_cases(session.id):
            raise NotAllowed("This customer has not asked for anybody.")
        if staff.role is Role.SUPERVISOR or (staff.id == leader(session) and session.status is not SessionStatus.WAITING):
            return session
        if await self._comes_to_lead(tx, session, staff):
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

    async def _comes_to_lead(self, tx: Transaction, session: Session, staff: Staff) -> bool:
        """Whether they have accepted the customer from a colleague who leads still."""
        coming = await tx.get_participant(session.handover_to) if session.handover_to is not None else None
        return coming is not None and staff_of(coming) == staff.id

    def _check_room(self, people: Sequence[Participant], role: Role, waits: bool, now: datetime) -> None:
        """As many as are inside may wait besides; a customer always gets in where there is none. Raises TooMany."""
        here = [one for one in people if _counts(one, now)]
        if role is Role.CUSTOMER and all(one.role is not Role.CUSTOMER for one in here):
            return
        if sum((one.waits_at is not None) is waits for one in here) >= self._max_participants:
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
        view = session_view(session, session_grants(participant.role, session.kind))
        return Entry(
            token=token,
            expires_at=expires_at,
            participant=participant.id,
            role=participant.role,
            session=view if participant.waits_at is None else veiled(view),
        )


def _counts(place: Participant, now: datetime) -> bool:
    """Whether a place takes up room: one that nobody has come to is kept free for a minute only."""
    if place.state is ParticipantState.JOINING:
        return now - place.created_at < KEPT_FREE
    return place.state is not ParticipantState.LEFT


def _first_customer(people: Sequence[Participant], role: Role) -> bool:
    """Whom the session is for does not wait to be let in."""
    return role is Role.CUSTOMER and all(one.role is not Role.CUSTOMER for one in people)
