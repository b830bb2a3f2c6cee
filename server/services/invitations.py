"""Invitations: a link (128 random bits) and a 6-digit code, counted, expiring, revocable; only hashes are kept."""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from server.api.bodies import CreateInvitation, InvitationCreated, InvitationPreview, InvitationView
from server.audit.events import AuditAction, AuditEvent
from server.clock import Clock
from server.domain import ids
from server.domain.ids import InvitationId, ParticipantId, SessionId, StaffId
from server.domain.model import (
    INVITED_IDENTITY,
    Invitation,
    Role,
    Session,
    SessionStatus,
    by_themselves,
    dead_because,
    staff_of,
)
from server.errors import Conflict, DependencyError, Gone, Invalid, Locked, NotFound
from server.services.ports import MakeId
from server.services.sessions import existing
from server.store.ports import Store, Transaction
from server.transactions.brief import CaseBrief

INVITABLE = frozenset({Role.CUSTOMER, Role.AGENT, Role.EXPERT})
SECRET_BYTES = 16
CODE_DIGITS = 6
CODE_ATTEMPTS = 20  # with half of all codes taken, all of them fail once in a million


class Previews(Protocol):
    """``server.services.verification_sessions.CaseSessions``."""

    async def preview(self, tx: Transaction, session: Session) -> CaseBrief | None: ...


class Refusal(msgspec.Struct, frozen=True):
    """Why an invitation does not open the door. ``why`` goes into the audit, ``error`` to the caller."""

    why: str
    error: NotFound | Gone | Locked | Conflict
    session: str = ""
    invitation: str = ""


MAX_INVITED_BY_INVITED = 16
CODE_MAX_S = 86_400  # six digits can be guessed in time, however slowly guesses are let through


class Invitations:
    """``code_key``: secret that codes are hashed with (HMAC-SHA-256): a million codes are too few for a plain hash."""

    def __init__(self, store: Store, clock: Clock, make_id: MakeId, *, code_key: bytes, public_url: str) -> None:
        self._store = store
        self._clock = clock
        self._make_id = make_id
        self._code_key = code_key
        self.public_url = public_url
        self.previews: Previews | None = None  # bound by whoever has them

    async def create(self, session_id: SessionId, request: CreateInvitation, actor: str) -> InvitationCreated:
        """The one time that link and code can be read. Raises NotFound, Gone, Invalid (a role nobody is invited as)."""
        if request.role not in INVITABLE:
            raise Invalid("role: one can be invited as customer, agent or expert.")
        if request.with_code and request.expires_in_s > CODE_MAX_S:
            raise Invalid("with_code: a 6-digit code lives a day at most; send the link alone, or let it expire sooner.")
        now = self._clock.now()
        async with self._store.begin() as tx:
            session = await existing(tx, session_id)
            if session.status is SessionStatus.ENDED:
                raise Gone("This session has ended.")
            if by_themselves(session) and await tx.session_cases(session.id):
                raise Conflict("A customer is verified in it by themselves, by the link of their own.")
            code = await self._free_code(tx, now) if request.with_code else None
            invitation, link = await self.issue(
                tx,
                session,
                actor,
                role=request.role,
                name=request.name,
                uses_allowed=request.uses_allowed,
                expires_at=now + timedelta(seconds=request.expires_in_s),
                code=code,
            )
        return InvitationCreated(
            id=invitation.id,
            role=invitation.role,
            name=invitation.name,
            link=link,
            code=code,
            uses_allowed=invitation.uses_allowed,
            expires_at=invitation.expires_at,
        )

    async def issue(
        self,
        tx: Transaction,
        session: Session,
        actor: str,
        *,
        role: Role,
        uses_allowed: int,
        expires_at: datetime,
        name: str = "",
        code: str | None = None,
    ) -> tuple[Invitation, str]:
        """With its link, which is kept nowhere."""
        secret, now = secrets.token_urlsafe(SECRET_BYTES), self._clock.now()
        invitation = Invitation(
            id=InvitationId(self._make_id(ids.INVITATION)),
            session_id=session.id,
            role=role,
            name=name,
            secret_hash=secret_hash(secret),
            code_hash=self.code_hash(code) if code else b"",
            uses_allowed=uses_allowed,
            uses=0,
            created_at=now,
            created_by=actor,
            expires_at=expires_at,
        )
        await tx.add_invitation(invitation)
        await tx.append_audit(
            AuditEvent(
                action=AuditAction.INVITATION_CREATED,
                at=now,
                actor=actor,
                session=session.id,
                subject=invitation.id,
                details={"role": role.value, "uses_allowed": str(uses_allowed)},
            )
        )
        return invitation, f"{self.public_url}/j/{secret}"

    async def of_session(self, session_id: SessionId) -> list[Invitation]:
        async with self._store.read() as tx:
            await existing(tx, session_id)
            return await tx.list_invitations(session_id)

    async def revoke(self, session_id: SessionId, id: InvitationId, actor: str) -> None:
        """From now on it opens nothing. Revoking again changes nothing. Then call ``LiveSessions.invitation_revoked``. Raises NotFound."""
        now = self._clock.now()
        async with self._store.begin() as tx:
            invitation = await tx.get_invitation(id)
            if invitation is None or invitation.session_id != session_id:
                raise NotFound("There is no such invitation in this session.")
            if invitation.revoked_at is not None:
                return
            await tx.save_invitation(msgspec.structs.replace(invitation, revoked_at=now))
            await tx.append_audit(
                AuditEvent(action=AuditAction.INVITATION_REVOKED, at=now, actor=actor, session=session_id, subject=id)
            )

    async def inspect(self, secret: str, code: str) -> InvitationPreview:
        """What one sees before joining; uses nothing up. Raises Invalid, NotFound, Gone (the refusal is audited)."""
        refusal: Refusal | None = None
        async with self._store.begin() as tx:
            found = await self.find(tx, secret, code)
            if isinstance(found, Refusal):
                refusal = found
                await self.audit_refusal(tx, refusal)
            else:
                invitation, session = found
                invited_by = await self._inviter(tx, invitation)
                verification: CaseBrief | None = None
                if self.previews is not None and invitation.role is Role.CUSTOMER:
                    verification = await self.previews.preview(tx, session)
        if refusal is not None:
            raise refusal.error
        return InvitationPreview(
            role=invitation.role,
            name=invitation.name,
            invited_by=invited_by,
            kind=session.kind,
            language=session.language,
            context=session.context if invitation.role is not Role.CUSTOMER and session.waiting_room_at is None else "",
            expires_at=invitation.expires_at,
            verification=verification,
        )

    async def find(self, tx: Transaction, secret: str, code: str) -> tuple[Invitation, Session] | Refusal:
        """A live invitation with its session, or why not. Raises Invalid unless exactly one of the two is given."""
        if bool(secret) == bool(code):
            raise Invalid("Give the secret of the link or the 6-digit code: exactly one of them.")
        now = self._clock.now()
        if secret:
            invitation = await tx.invitation_by_secret(secret_hash(secret))
        else:
            live = await tx.live_invitations_by_code(self.code_hash(code), now)
            invitation = live[0] if live else None
        if invitation is None:
            return Refusal("unknown", NotFound("This invitation is not known or no longer valid."))
        why = dead_because(invitation, now)
        session = await existing(tx, invitation.session_id)
        if why is None and session.status is SessionStatus.ENDED:
            why = "session_ended"
        if why is None and session.locked_at is not None:
            return Refusal(
                "locked",
                Locked("This session is locked: nobody new can come in. Ask whoever invited you."),
                session.id,
                invitation.id,
            )
        if why is None and invitation.role is not Role.CUSTOMER and await self._inviter_disabled(tx, invitation):
            why = "revoked"  # else a back door could be made beforehand
        if why is not None:
            return Refusal(why, Gone(REFUSED[why]), session.id, invitation.id)
        return invitation, session

    async def audit_refusal(self, tx: Transaction, refusal: Refusal) -> None:
        await tx.append_audit(
            AuditEvent(
                action=AuditAction.INVITATION_REFUSED,
                at=self._clock.now(),
                actor="",
                session=refusal.session,
                subject=refusal.invitation,
                details={"why": refusal.why},
            )
        )

    def code_hash(self, code: str) -> bytes:
        return hmac.digest(self._code_key, b"invitation code\0" + code.encode(), "sha256")

    async def _free_code(self, tx: Transaction, now: datetime) -> str:
        for _ in range(CODE_ATTEMPTS):
            code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"
            if not await tx.live_invitations_by_code(self.code_hash(code), now):
                return code
        raise DependencyError("Too many codes are in use. Make the invitation without a code.")

    async def _inviter_disabled(self, tx: Transaction, invitation: Invitation) -> bool:
        """Whether it goes back to an account that was disabled, also over people who were invited and invited others."""
        who = invitation.created_by
        for _ in range(MAX_INVITED_BY_INVITED):
            if ids.is_id(who, ids.STAFF):
                staff = await tx.get_staff(StaffId(who))
                return staff is None or staff.disabled_at is not None
            participant = await tx.get_participant(ParticipantId(who)) if ids.is_id(who, ids.PARTICIPANT) else None
            if participant is None:
                return False
            earlier = await tx.get_invitation(
                InvitationId(participant.identity.removeprefix(INVITED_IDENTITY).partition("#")[0])
            )
            who = staff_of(participant) or (earlier.created_by if earlier is not None else "")
        return True

    async def _inviter(self, tx: Transaction, invitation: Invitation) -> str:
        """The name of whoever invited, where it is a person; "" for one of the bank's systems."""
        if ids.is_id(invitation.created_by, ids.STAFF):
            staff = await tx.get_staff(StaffId(invitation.created_by))
            return staff.name if staff else ""
        if ids.is_id(invitation.created_by, ids.PARTICIPANT):
            participant = await tx.get_participant(ParticipantId(invitation.created_by))
            return participant.name if participant else ""
        return ""


REFUSED = {
    "expired": "This invitation has expired. Ask for a new one.",
    "used": "This invitation has been used. Ask for a new one.",
    "revoked": "This invitation was withdrawn. Ask for a new one.",
    "session_ended": "This session has ended.",
}


def secret_hash(secret: str) -> bytes:
    """128 random bits need no key and no salt."""
    return hashlib.sha256(b"invitation link\0" + secret.encode()).digest()


def invitation_view(invitation: Invitation) -> InvitationView:
    return InvitationView(
        id=invitation.id,
        role=invitation.role,
        name=invitation.name,
        uses_allowed=invitation.uses_allowed,
        uses=invitation.uses,
        expires_at=invitation.expires_at,
        revoked=invitation.revoked_at is not None,
    )
