"""Customers who are verified by themselves: a session of their own and the link to it, made with the case; what its people are told; its end with the case's.

Such a session has the kind ``verification`` and was made by an API key (``domain.model.by_themselves``). It is one customer's, who comes by the link
alone; agents come when they are asked for.
"""

import math
from collections import OrderedDict
from collections.abc import Collection
from datetime import datetime, timedelta

from server.api.bodies_verifications import CustomerLinks, Link
from server.audit.events import AuditAction, AuditEvent
from server.domain import ids
from server.domain.ids import SessionId
from server.domain.model import Role, Session, SessionKind, SessionStatus
from server.errors import Invalid, TooMany
from server.services.invitations import Invitations
from server.services.verification_cases import SYSTEM, Cases
from server.signalling.rates import TokenBucket
from server.store.ports import Transaction
from server.transactions.brief import CaseBrief, brief_of
from server.transactions.case import Cancel, Case, CaseState
from server.transactions.policy import Policy
from server.webhooks import targets

LINK_USES = 20
"""So often may a link be opened again, by whoever closed the page or changed to another device: one page at a time."""
OVER_S = 120
"""So long after its case a session goes on: the customer reads what came of it, or has asked for a person."""
SESSIONS_AT_ONCE = 100
MAX_KEYS = 10_000


class CaseSessions:
    """``return_origins``: where customers may be sent back to. ``per_min``: cases that one key may make in a minute."""

    def __init__(self, cases: Cases, invitations: Invitations, *, return_origins: Collection[str], per_min: int) -> None:
        self._cases = cases
        self._invitations = invitations
        self._origins = frozenset(return_origins)
        self._per_min = per_min
        self._made: OrderedDict[str, TokenBucket] = OrderedDict()

    # ---- making one

    def count(self, key: str) -> None:
        """One more case of this key. Raises TooMany. Of more than ``MAX_KEYS`` the one that was quiet longest begins anew."""
        now = self._cases.clock.monotonic()
        bucket = self._made.get(key)
        if bucket is None:
            if len(self._made) >= MAX_KEYS:
                self._made.popitem(last=False)
            bucket = self._made[key] = TokenBucket(self._per_min / 60, self._per_min, now)
        self._made.move_to_end(key)
        if not bucket.take(now):
            raise TooMany("Too many verifications in a short time.", math.ceil(60 / self._per_min))

    def check(self, link: Link, session: str) -> None:
        """Raises Invalid."""
        if session:
            raise Invalid("link: a verification in a session has no link of its own.")
        if not link.return_url:
            return
        try:
            origin = targets.origin(link.return_url)
        except Invalid as error:
            raise Invalid(f"link.return_url: {error.detail}") from None
        if origin not in self._origins:
            raise Invalid("link.return_url: this origin is not among transactions.return_origins.")

    async def make(
        self, tx: Transaction, policy: Policy, link: Link, customer: str, actor: str, expires_at: datetime
    ) -> tuple[Session, CustomerLinks]:
        """A session and the one address that leads to it, until ``expires_at``. The secret of the address is told here and kept nowhere."""
        cases, now = self._cases, self._cases.clock.now()
        session = Session(
            id=SessionId(cases.make_id(ids.SESSION)),
            kind=SessionKind.VERIFICATION,
            status=SessionStatus.OPEN,
            language=link.language,
            customer_reference=customer,
            customer_name="",
            reason=getattr(policy.title, link.language.value),
            context="",
            created_at=now,
            created_by=actor,
        )
        await tx.add_session(session)
        await tx.append_audit(
            AuditEvent(
                action=AuditAction.SESSION_CREATED,
                at=now,
                actor=actor,
                session=session.id,
                subject=session.id,
                details={"kind": session.kind.value},
            )
        )
        _, address = await self._invitations.issue(
            tx, session, actor, role=Role.CUSTOMER, uses_allowed=LINK_USES, expires_at=expires_at
        )
        return session, CustomerLinks(customer=address)

    # ---- what its people are told

    async def of_session(self, session: SessionId) -> list[CaseBrief]:
        """Of any session, the newest first. Raises VerificationUnavailable, StoreUnavailable."""
        async with self._cases.store.read() as tx:
            return [await self._brief(tx, case) for case in await tx.session_cases(session)]

    async def preview(self, tx: Transaction, session: Session) -> CaseBrief | None:
        """What somebody comes for who opens the link. None: nothing of this kind."""
        if session.kind is not SessionKind.VERIFICATION:
            return None
        cases = await tx.session_cases(session.id)
        return await self._brief(tx, cases[0]) if cases else None

    async def _brief(self, tx: Transaction, case: Case) -> CaseBrief:
        return brief_of(case, await self._cases.policy(tx, case))

    # ---- its end

    async def ending(self, tx: Transaction, session: Session, actor: str) -> None:
        """In the transaction that ends it: nobody could come to its case any more, which is therefore taken back. What waits for a review goes on."""
        if session.kind is not SessionKind.VERIFICATION or not ids.is_id(session.created_by, ids.API_KEY):
            return
        for found in await tx.session_cases(session.id):
            case = await self._cases.settled(tx, found.id)
            if case.state in (CaseState.OPEN, CaseState.CHECKING):
                await self._cases.happened(tx, case, Cancel(), actor or SYSTEM)

    async def over(self, after: SessionId) -> list[SessionId]:
        """Sessions that may be over, from the one after this on; ``Sessions.end_over`` looks closer."""
        async with self._cases.store.read() as tx:
            return await tx.over_sessions(self.over_before(), after, SESSIONS_AT_ONCE)

    def over_before(self) -> datetime:
        return self._cases.clock.now() - timedelta(seconds=OVER_S)
