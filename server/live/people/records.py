"""What is written down of who may come in, who is what and who leads: each method is one transaction, with its audit entry."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from server.audit.events import AuditAction, AuditEvent
from server.domain import ids
from server.domain.ids import InvitationId, LoginId, ParticipantId, SessionId, StaffId
from server.domain.model import (
    INVITED_IDENTITY,
    STAFF_IDENTITY,
    Language,
    LeaveReason,
    Participant,
    ParticipantState,
    Role,
    Session,
    SessionStatus,
    Staff,
    SupervisionMode,
    staff_of,
)
from server.errors import Conflict, Gone, NotAllowed, TooMany
from server.live.people import holding
from server.live.records import here, may_join
from server.live.transactions import Transactions
from server.services.sessions import existing
from server.signalling.messages_verification import AgentReason
from server.store.ports import Transaction


class PeopleRecords(Transactions):
    async def account(self, id: StaffId) -> Staff | None:
        async with self._reading() as tx:
            return await tx.get_staff(id)

    async def stands(self, place: Participant) -> bool:
        """Whether the account of a place is active, and the signing in that it was entered by was not ended."""
        staff = staff_of(place)
        if staff is None:
            return True
        async with self._reading() as tx:
            account = await tx.get_staff(staff)
            login = await tx.get_login(place.login_id) if place.login_id is not None else None
        signed_out = place.login_id is not None and (login is None or login.ended_at is not None)
        return account is not None and account.disabled_at is None and not signed_out

    async def invited(self, session: SessionId, invitation: InvitationId) -> list[Participant]:
        """Who came in by it."""
        async with self._reading() as tx:
            places = await tx.list_participants(session)
        return [place for place in places if came_by(place, invitation)]

    async def set_session(
        self, session: SessionId, actor: str, *, locked: bool | None = None, waiting_room: bool | None = None
    ) -> Session:
        """Locked or not, with a waiting room or not. Saying it again changes nothing. Raises NotFound, Gone (ended)."""
        now = self._clock.now()
        async with self._writing() as tx:
            record = await _open(tx, session)
            changes: dict[str, object] = {}
            actions: list[AuditAction] = []
            if locked is not None and (record.locked_at is not None) is not locked:
                changes["locked_at"] = now if locked else None
                actions.append(AuditAction.SESSION_LOCKED if locked else AuditAction.SESSION_UNLOCKED)
            if waiting_room is not None and (record.waiting_room_at is not None) is not waiting_room:
                changes["waiting_room_at"] = now if waiting_room else None
                actions.append(AuditAction.WAITING_ROOM_OPENED if waiting_room else AuditAction.WAITING_ROOM_CLOSED)
            if not changes:
                return record
            record = msgspec.structs.replace(record, **changes)
            await tx.save_session(record)
            for action in actions:
                await tx.append_audit(AuditEvent(action=action, at=now, actor=actor, session=session, subject=session))
        return record

    async def admit(self, participant: ParticipantId, actor: str) -> Participant:
        """Let in from the waiting room. Raises NotFound, Gone (they left)."""
        now = self._clock.now()
        async with self._writing() as tx:
            current = await here(tx, participant)
            if current.waits_at is None:
                return current
            admitted = msgspec.structs.replace(current, waits_at=None)
            await tx.save_participant(admitted)
            await tx.append_audit(
                AuditEvent(
                    action=AuditAction.PARTICIPANT_ADMITTED, at=now, actor=actor, session=current.session_id, subject=current.id
                )
            )
        return admitted

    async def set_role(self, participant: ParticipantId, role: Role, actor: str) -> Participant:
        """Raises NotFound, Gone (they left)."""
        now = self._clock.now()
        async with self._writing() as tx:
            current = await here(tx, participant)
            if current.role is role:
                return current
            changed = msgspec.structs.replace(current, role=role)
            await tx.save_participant(changed)
            await tx.append_audit(
                AuditEvent(
                    action=AuditAction.PARTICIPANT_ROLE_CHANGED,
                    at=now,
                    actor=actor,
                    session=current.session_id,
                    subject=current.id,
                    details={"from": current.role.value, "to": role.value},
                )
            )
        return changed

    # ------------------------------------------------------------ handing over

    async def note_handover(self, session: SessionId, actor: str, state: str, details: dict[str, str]) -> None:
        """What leaves no other trace in the records: offered, declined, expired, taken back."""
        async with self._writing() as tx:
            await tx.append_audit(_handover(session, actor, session, self._clock.now(), {"state": state, **details}))

    async def accept_handover(
        self, session: SessionId, giver: ParticipantId, staff: StaffId, login: LoginId, *, warm: bool
    ) -> tuple[Session, Participant]:
        """A place for the colleague. Raises NotFound, Gone (ended), NotAllowed (disabled, removed), Conflict (one has accepted)."""
        now = self._clock.now()
        async with self._writing() as tx:
            record = await _open(tx, session)
            account = await tx.get_staff(staff)
            if account is None or account.disabled_at is not None:
                raise NotAllowed("This account is not active.")
            if record.handover_to is not None:
                raise Conflict("A colleague was faster.")
            place = await tx.find_participant(session, f"{STAFF_IDENTITY}{staff}")
            if place is None:
                place = Participant(
                    id=ParticipantId(self._make_id(ids.PARTICIPANT)),
                    session_id=session,
                    identity=f"{STAFF_IDENTITY}{staff}",
                    role=account.role,
                    name=account.name,
                    state=ParticipantState.JOINING,
                    created_at=now,
                    login_id=login,
                )
                await tx.add_participant(place)
            elif place.leave_reason is LeaveReason.REMOVED:
                raise NotAllowed("You were removed from this session.")
            else:
                gone = place.state is ParticipantState.LEFT
                place = msgspec.structs.replace(
                    place,
                    role=account.role,
                    state=ParticipantState.JOINING if gone else place.state,
                    left_at=None,
                    leave_reason=None,
                    held_at=None,
                    muted_at=None,
                    listens_at=None,
                    waits_at=None,
                    login_id=login,
                )
                await tx.save_participant(place)
            record = msgspec.structs.replace(
                record, handover_from=giver, handover_to=place.id, consults_at=now if warm else None
            )
            await tx.save_session(record)
            await tx.append_audit(
                AuditEvent(
                    action=AuditAction.GRANTS_ISSUED,
                    at=now,
                    actor=place.id,
                    session=session,
                    subject=place.id,
                    details={"role": place.role.value},
                )
            )
            await tx.append_audit(
                _handover(session, staff, place.id, now, {"state": "accepted", "from": giver, "warm": "yes" if warm else "no"})
            )
        return record, place

    async def drop_handover(self, session: SessionId, actor: str, state: str) -> Session:
        """Nobody takes over after all. Raises NotFound, Gone (ended)."""
        now = self._clock.now()
        async with self._writing() as tx:
            record = await _open(tx, session)
            if record.handover_to is None:
                return record
            record = msgspec.structs.replace(record, handover_from=None, handover_to=None, consults_at=None)
            await tx.save_session(record)
            await tx.append_audit(_handover(session, actor, session, now, {"state": state}))
        return record

    async def lead(
        self, session: SessionId, leader: ParticipantId, before: ParticipantId | None, reason: LeaveReason, actor: str
    ) -> tuple[Session, Participant, Participant | None]:
        """``leader`` leads from now on, like everybody heard and seen; ``before`` has left for ``reason``. Raises NotFound, Gone."""
        now = self._clock.now()
        async with self._writing() as tx:
            record = await _open(tx, session)
            place = await here(tx, leader)
            place = msgspec.structs.replace(place, listens_at=None)
            await tx.save_participant(place)
            record = msgspec.structs.replace(
                record,
                taken_by=staff_of(place) or record.taken_by,
                taken_at=record.taken_at or now,
                handover_from=None,
                handover_to=None,
                consults_at=None,
            )
            await tx.save_session(record)
            old = await tx.get_participant(before) if before is not None else None
            if old is not None and may_join(old):
                old = msgspec.structs.replace(old, state=ParticipantState.LEFT, left_at=now, leave_reason=reason)
                await tx.save_participant(old)
                await tx.append_audit(
                    AuditEvent(
                        action=AuditAction.PARTICIPANT_LEFT,
                        at=now,
                        actor=actor,
                        session=session,
                        subject=old.id,
                        details={"reason": reason.value},
                    )
                )
            event = _handover(session, actor, place.id, now, {"state": "done", "from": before or ""})
            if reason is LeaveReason.TAKEN_OVER:
                taken = {"mode": SupervisionMode.TAKE_OVER.value, "from": before or ""}
                event = msgspec.structs.replace(event, action=AuditAction.SUPERVISION_CHANGED, details=taken)
            await tx.append_audit(event)
        return record, place, old

    async def requeue(self, session: SessionId) -> Session:
        """Nobody leads any more: back to the waiting list, to its front. Raises NotFound, Gone (ended)."""
        now = self._clock.now()
        async with self._writing() as tx:
            record = await _open(tx, session)
            if record.status is SessionStatus.WAITING:
                return record
            waiting = await tx.waiting_sessions()
            first = min((one.waiting_since for one in waiting if one.waiting_since is not None), default=now)
            record = msgspec.structs.replace(
                record,
                status=SessionStatus.WAITING,
                waiting_since=min(now, first - timedelta(milliseconds=1)),
                taken_by=None,
                taken_at=None,
                handover_from=None,
                handover_to=None,
                consults_at=None,
            )
            await tx.save_session(record)
            await tx.append_audit(
                AuditEvent(action=AuditAction.SESSION_REQUEUED, at=now, actor="", session=session, subject=session)
            )
        return record

    async def ask(self, session: SessionId, actor: str, why: AgentReason, *, most: int) -> Session:
        """A customer who is by themselves asks for a person: to the end of the waiting list, of ``most`` at the most. Raises NotFound, Gone (ended), TooMany."""
        now = self._clock.now()
        async with self._writing() as tx:
            record = await _open(tx, session)
            if record.status is SessionStatus.WAITING:
                return record
            if len(await tx.waiting_sessions()) >= most:
                raise TooMany("Too many customers are waiting. Please try again later.", retry_after_s=60)
            record = msgspec.structs.replace(
                record,
                status=SessionStatus.WAITING,
                reason=f"{_title(record)}{BETWEEN}{ASKS[record.language][why]}",
                waiting_since=now,
                taken_by=None,
                taken_at=None,
            )
            await tx.save_session(record)
            await tx.append_audit(
                AuditEvent(
                    action=AuditAction.SESSION_ASKED,
                    at=now,
                    actor=actor,
                    session=session,
                    subject=session,
                    details={"wanted": "yes", "reason": why.value},
                )
            )
            await holding.hold(tx, session, actor, now)
        return record

    async def unask(self, session: SessionId, actor: str) -> Session:
        """They do not wait any more, and the session goes on. Raises NotFound, Gone (ended), Conflict (an agent has taken them)."""
        now = self._clock.now()
        async with self._writing() as tx:
            record = await _open(tx, session)
            if record.status is not SessionStatus.WAITING:
                raise Conflict("Somebody has taken this customer.")
            record = msgspec.structs.replace(record, status=SessionStatus.OPEN, reason=_title(record), waiting_since=None)
            await tx.save_session(record)
            await tx.append_audit(
                AuditEvent(
                    action=AuditAction.SESSION_ASKED,
                    at=now,
                    actor=actor,
                    session=session,
                    subject=session,
                    details={"wanted": "no"},
                )
            )
            await holding.release(tx, session, actor, now)
        return record


BETWEEN = " · "
ASKS: Mapping[Language, Mapping[AgentReason, str]] = {
    Language.ZH: {
        AgentReason.DECLINED: "不愿人脸核验",
        AgentReason.CANNOT: "自助核验不成功",
        AgentReason.HELP: "需要帮助",
    },
    Language.EN: {
        AgentReason.DECLINED: "wants no check of the face",
        AgentReason.CANNOT: "the check does not work",
        AgentReason.HELP: "needs help",
    },
}


def _title(record: Session) -> str:
    """What it is about, without why they asked for a person before."""
    for why in ASKS[record.language].values():
        if record.reason.endswith(f"{BETWEEN}{why}"):
            return record.reason.removesuffix(f"{BETWEEN}{why}")
    return record.reason


async def _open(tx: Transaction, session: SessionId) -> Session:
    """Raises NotFound, Gone."""
    record = await existing(tx, session)
    if record.status is SessionStatus.ENDED:
        raise Gone("This session has ended.")
    return record


def _handover(session: SessionId, actor: str, subject: str, at: datetime, details: dict[str, str]) -> AuditEvent:
    return AuditEvent(
        action=AuditAction.HANDOVER_CHANGED, at=at, actor=actor, session=session, subject=subject, details=details
    )


def came_by(place: Participant, invitation: InvitationId) -> bool:
    """Whether this place was got by that invitation."""
    return place.identity.startswith(f"{INVITED_IDENTITY}{invitation}#")
