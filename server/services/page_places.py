"""A customer who shows a page and has come by nothing else: a session is made for it, with a place that is theirs, and a way to come into it later."""

from datetime import timedelta

import msgspec

from server.audit.events import AuditAction, AuditEvent
from server.clock import Clock
from server.domain import ids
from server.domain.ids import ParticipantId, SessionId, StaffId
from server.domain.model import (
    INVITED_IDENTITY,
    Language,
    LeaveReason,
    Participant,
    ParticipantState,
    Role,
    Session,
    SessionKind,
    SessionStatus,
)
from server.errors import Gone, NotFound
from server.services.invitations import Invitations
from server.services.ports import MakeId
from server.services.sessions import existing
from server.store.ports import Store

PAGE_IDENTITY = "page:"
"""Then the share, until a link was made for the place."""
LINK_LIVES = timedelta(minutes=5)


class PagePlaces:
    """All raise StoreUnavailable."""

    def __init__(self, store: Store, clock: Clock, make_id: MakeId, invitations: Invitations) -> None:
        self._store = store
        self._clock = clock
        self._make_id = make_id
        self._invitations = invitations

    async def begin(
        self, staff: StaffId, language: Language, share: str, visitor: str, offer: str
    ) -> tuple[Session, Participant]:
        """A session of this member of staff, open at once, and in it the customer's place. ``visitor``, ``offer``: who on the site has accepted what; "" where
        none was made."""
        now = self._clock.now()
        session = Session(
            id=SessionId(self._make_id(ids.SESSION)),
            kind=SessionKind.COBROWSE,
            status=SessionStatus.OPEN,
            language=language,
            customer_reference="",
            customer_name="",
            reason="",
            context="",
            created_at=now,
            created_by=staff,
        )
        place = Participant(
            id=ParticipantId(self._make_id(ids.PARTICIPANT)),
            session_id=session.id,
            identity=f"{PAGE_IDENTITY}{share}",
            role=Role.CUSTOMER,
            name="",
            state=ParticipantState.JOINING,
            created_at=now,
        )
        details = {"kind": session.kind.value, "share": share}
        created = AuditEvent(
            action=AuditAction.SESSION_CREATED, at=now, actor=staff, session=session.id, subject=session.id, details=details
        )
        answered = AuditEvent(
            action=AuditAction.COBROWSE_OFFER_ANSWERED,
            at=now,
            actor=visitor,
            session=session.id,
            subject=visitor,
            details={"offer": offer, "given": "yes", "share": share},
        )
        async with self._store.begin() as tx:
            await tx.add_session(session)
            await tx.add_participant(place)
            for event in (answered, created) if offer else (created,):
                await tx.append_audit(event)
        return session, place

    async def link(self, session_id: SessionId, place_id: ParticipantId, actor: str) -> str:
        """Leads to this place, once. What was made for it before leads nowhere any more. Raises NotFound, Gone."""
        now = self._clock.now()
        async with self._store.begin() as tx:
            session, place = await existing(tx, session_id), await tx.get_participant(place_id)
            if place is None or place.session_id != session.id or place.role is not Role.CUSTOMER:
                raise NotFound("There is no such place in this session.")
            if session.status is SessionStatus.ENDED or place.leave_reason in (LeaveReason.REMOVED, LeaveReason.REVOKED):
                raise Gone("This place was given up.")
            for one in await tx.list_invitations(session.id):
                if place.identity == kept_for(one.id, 1) and one.revoked_at is None and one.uses == 0:
                    await tx.save_invitation(msgspec.structs.replace(one, revoked_at=now))
            invitation, link = await self._invitations.issue(
                tx, session, actor, role=Role.CUSTOMER, uses_allowed=1, expires_at=now + LINK_LIVES
            )
            await tx.save_participant(msgspec.structs.replace(place, identity=kept_for(invitation.id, 1)))
        return link


def kept_for(invitation: str, use: int) -> str:
    """The identity of the place that this use of an invitation leads to."""
    return f"{INVITED_IDENTITY}{invitation}#{use}"
