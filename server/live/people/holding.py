"""While a customer waits for a person whom they have asked for, or talks to one, the time of their verification stands still: for as long as its policy has it
(``waiting_s``), however often they ask. In the transaction of the asking.
"""

from datetime import datetime

from server.audit.events import AuditAction, AuditEvent
from server.domain.ids import SessionId
from server.store.ports import Transaction
from server.transactions.case import TRANSITIONS, Event, Hold, Release, apply, due


async def hold(tx: Transaction, session: SessionId, actor: str, now: datetime) -> None:
    await _told(tx, session, actor, now, Hold(), AuditAction.VERIFICATION_HELD)


async def release(tx: Transaction, session: SessionId, actor: str, now: datetime) -> None:
    await _told(tx, session, actor, now, Release(), AuditAction.VERIFICATION_RELEASED)


async def _told(tx: Transaction, session: SessionId, actor: str, now: datetime, event: Event, action: AuditAction) -> None:
    """What time has ended already, and nobody has written down yet, is left to whoever does; so is what is only judged still."""
    for case in await tx.session_cases(session):
        if type(event) not in TRANSITIONS[case.state] or due(case, now) is not None or now >= case.expires_at:
            continue
        after = apply(case, event, now)
        if after == case:
            continue
        await tx.save_case(after)
        await tx.append_audit(
            AuditEvent(
                action=action,
                at=now,
                actor=actor,
                session=session,
                subject=case.id,
                details={"until": after.expires_at.isoformat(timespec="seconds")},
            )
        )
