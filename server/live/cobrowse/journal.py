"""What a share has written down: the customer's consents, and for the audit who came and went and what was done, by kinds. Content never."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from server.audit.events import AuditAction, AuditEvent
from server.cobrowse.messages import Scope
from server.cobrowse.orders import Begin, Note, Record
from server.domain import ids
from server.domain.ids import ConsentId, ParticipantId, SessionId
from server.domain.model import Consent, ConsentDecision, ConsentScope, Language
from server.errors import TongpingError
from server.live.transactions import Transactions

log = logging.getLogger(__name__)
WORDING = "cobrowse-2"
A_TIME = 64
MOST_WAITING = 2000
RETRY_S = 1.0
SCOPES = {Scope.VIEW: ConsentScope.PAGE_VIEW}
"""All other steps of the ladder are ``PAGE_CONTROL``; which one stands in the wording."""


Entry = Record | Begin | Note


class PageRecords(Transactions):
    """Each method is one transaction. Raises StoreUnavailable."""

    async def attached(self, session: SessionId, customer: ParticipantId, actor: str, share: str, rules: str) -> None:
        async with self._writing() as tx:
            await tx.append_audit(
                AuditEvent(
                    action=AuditAction.COBROWSE_ATTACHED,
                    at=self._clock.now(),
                    actor=actor,
                    session=session,
                    subject=share,
                    details={"customer": customer, "rules": rules},
                )
            )

    async def write(
        self, session: SessionId, customer: ParticipantId, language: Language, share: str, what: list[Entry]
    ) -> None:
        """In this order. A consent's wording says which step, whose, and under which rules: ``cobrowse-2 VIEWER STEP RULES``."""
        now = self._clock.now()
        async with self._writing() as tx:
            for one in what:
                if isinstance(one, Begin):
                    await tx.append_audit(
                        AuditEvent(
                            action=AuditAction.COBROWSE_ACT_BEGUN,
                            at=now,
                            actor=one.viewer,
                            session=session,
                            subject=share,
                            details={"viewer": one.viewer, "kind": one.kind.value, "act": str(one.number)},
                        )
                    )
                    continue
                if isinstance(one, Note):
                    details = {name: str(value) for name, value in one.details.items()}
                    await tx.append_audit(
                        AuditEvent(
                            action=AuditAction(f"cobrowse.{one.what.value}"),
                            at=now,
                            actor=details.get("viewer") or customer,
                            session=session,
                            subject=share,
                            details=details,
                        )
                    )
                    continue
                consent = Consent(
                    id=ConsentId(self._make_id(ids.CONSENT)),
                    session_id=session,
                    participant_id=customer,
                    scope=SCOPES.get(one.scope, ConsentScope.PAGE_CONTROL),
                    decision=one.decision,
                    wording=f"{WORDING} {one.viewer} {one.scope.value} {one.rules}",
                    language=language,
                    decided_at=now,
                )
                await tx.add_consent(consent)
                await tx.append_audit(
                    AuditEvent(
                        action=AuditAction.CONSENT_DECIDED,
                        at=now,
                        actor=customer,
                        session=session,
                        subject=consent.id,
                        details={
                            "scope": consent.scope.value,
                            "decision": one.decision.value,
                            "share": share,
                            "viewer": one.viewer,
                            "step": one.scope.value,
                            "rules": one.rules,
                        },
                    )
                )


class Journal:
    """Of one share in one session: one transaction after another. ``stored`` is told of each ``Record`` and ``Begin``. A yes that cannot be stored is none, nor is an
    act; all else is tried again."""

    def __init__(
        self,
        records: PageRecords,
        session: SessionId,
        customer: ParticipantId,
        language: Language,
        share: str,
        stored: Callable[[Record | Begin, bool], None],
    ) -> None:
        self._records = records
        self._session, self._customer, self._language, self._share = session, customer, language, share
        self._stored = stored
        self._waiting: deque[Entry] = deque()
        self._task: asyncio.Task[None] | None = None

    def add(self, what: Entry) -> None:
        if len(self._waiting) >= MOST_WAITING:  # no store for long: what is newest is lost, and a yes is none
            log.error("not written down", extra={"share": self._share})
            if not isinstance(what, Note):
                asyncio.get_running_loop().call_soon(self._stored, what, False)
            return
        self._waiting.append(what)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="cobrowse-journal")

    @property
    def task(self) -> "asyncio.Task[None] | None":
        """What is under way."""
        return self._task if self._task is not None and not self._task.done() else None

    async def _run(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(A_TIME, len(self._waiting)))]
            try:
                await self._records.write(self._session, self._customer, self._language, self._share, batch)
            except TongpingError as error:
                log.warning("not written down, tried again", extra={"share": self._share, "code": error.code})
                given = [
                    one
                    for one in batch
                    if isinstance(one, Begin) or (isinstance(one, Record) and one.decision is ConsentDecision.GIVEN)
                ]
                self._waiting.extendleft(reversed([one for one in batch if one not in given]))
                for one in given:
                    self._stored(one, False)
                if not given:
                    await asyncio.sleep(RETRY_S)
            else:
                for done in batch:
                    if not isinstance(done, Note):
                        self._stored(done, True)

    async def close(self, deadline_s: float) -> None:
        if (task := self.task) is not None:
            await asyncio.wait([task], timeout=deadline_s)
            if not task.done():
                log.error("not written down", extra={"share": self._share, "entries": len(self._waiting)})
                task.cancel()
                await asyncio.wait([task])
