"""The queue of reviews: what waits, page by page, who may decide what of it, and the note in the audit of who has seen the list."""

import logging
from datetime import timedelta
from typing import Literal

from server.api.bodies_verifications import ReviewEntry, ReviewQueue, WaitingType
from server.audit.events import AuditAction, AuditEvent
from server.domain.ids import CaseId
from server.domain.model import Language, staff_of
from server.errors import TongpingError, VerificationUnavailable
from server.services.principal import Principal
from server.services.verification_cases import Cases
from server.store.codec import decode_cursor, encode_cursor
from server.store.ports import Transaction
from server.transactions.case import Case
from server.transactions.policy import Policy

log = logging.getLogger(__name__)
MOST_SCANNED = 500
"""Cases that are looked at for one page; where few of them fit the page is a short one."""
NOTED_EVERY_S = 60.0
TOLD_ANEW_S = 3600.0
"""After so long a case that somebody still sees is one more that they have seen."""

WhyNot = Literal["own_session", "reviewed_already"]


class Looks:
    """Who has seen the list, in the audit: one entry in ``NOTED_EVERY_S`` of a person, with the number of cases that were new to them. An entry that is
    held back for that long is written by ``flush``."""

    def __init__(self, cases: Cases) -> None:
        self._cases = cases
        self._of: dict[str, _Look] = {}

    async def seen(self, actor: str, shown: frozenset[CaseId]) -> None:
        """Before they get the list. Raises what the store raises: then they get none."""
        now = self._cases.clock.monotonic()
        look = self._of.setdefault(actor, _Look(now))
        if now - look.since >= TOLD_ANEW_S:
            look.since, look.told = now, set()
        look.held |= shown - look.told
        await self._note(actor, look, now)

    async def flush(self) -> None:
        """What was held back; who has not looked for long is forgotten. For housekeeping."""
        now = self._cases.clock.monotonic()
        for actor, look in list(self._of.items()):
            await self._note(actor, look, now)
            if not (look.held or look.writing) and now - look.since >= TOLD_ANEW_S and self._of.get(actor) is look:
                del self._of[actor]

    async def close(self) -> None:
        """The server stops: what was held back is written now."""
        for actor, look in list(self._of.items()):
            try:
                await self._note(actor, look, float("inf"))
            except TongpingError as error:
                log.error("who has seen the queue of reviews is not in the audit", extra={"staff": actor, "code": error.code})

    async def _note(self, actor: str, look: "_Look", now: float) -> None:
        if not look.held or now - look.noted_at < NOTED_EVERY_S:
            return
        held, before = look.held, look.noted_at
        look.held, look.told, look.noted_at = set(), look.told | held, now
        look.writing += 1
        event = AuditEvent(
            action=AuditAction.REVIEWS_LISTED, at=self._cases.clock.now(), actor=actor, details={"count": str(len(held))}
        )
        try:
            async with self._cases.store.begin() as tx:
                await tx.append_audit(event)
        except BaseException:
            look.held, look.told, look.noted_at = look.held | held, look.told - held, before
            raise
        finally:
            look.writing -= 1


class _Look:
    """``told``: cases of which the audit has it since ``since``; ``held``: seen, and not noted yet. ``writing``: entries under way, whose cases are held again
    where they fail."""

    def __init__(self, now: float) -> None:
        self.since, self.noted_at = now, float("-inf")
        self.writing = 0
        self.told: set[CaseId] = set()
        self.held: set[CaseId] = set()


class Waiting:
    def __init__(self, cases: Cases) -> None:
        self._cases = cases
        self.looks = Looks(cases)

    async def page(
        self,
        who: Principal,
        *,
        type: str | None = None,
        yours: bool | None = None,
        due_in_s: int | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> ReviewQueue:
        """The one that is due first first. ``yours``: those that ``who`` may decide, or those that they may not. ``due_in_s``: whose time is over by then.
        Raises Invalid for a cursor that no page gave."""
        cases = self._cases
        after = decode_cursor(cursor) if cursor is not None else None
        await cases.settle_due()
        due_before = cases.clock.now() + timedelta(seconds=due_in_s) if due_in_s is not None else None
        entries: list[ReviewEntry] = []
        scanned = 0
        async with cases.store.read() as tx:
            more = True
            while more and len(entries) < limit and scanned < MOST_SCANNED:
                found = await tx.reviewed_cases(limit + 1, after, type=type, due_before=due_before)
                more = len(found) > limit
                for case in found[:limit]:
                    if len(entries) == limit or scanned == MOST_SCANNED:
                        more = True
                        break
                    scanned += 1
                    after = (case.review_until or case.expires_at, case.id)
                    entry = await self._shown(tx, case, who)
                    if entry is not None and (yours is None or entry.yours is yours):
                        entries.append(entry)
            counts = await tx.count_reviewed()
            types = [WaitingType(type=name, title=self._title(name), count=count) for name, count in sorted(counts.items())]
        await self.looks.seen(who.actor, frozenset(entry.id for entry in entries))
        return ReviewQueue(reviews=entries, types=types, next=encode_cursor(*after) if more and after is not None else None)

    async def entry(self, tx: Transaction, case: Case, policy: Policy, who: Principal) -> ReviewEntry:
        why_not = await self.why_not(tx, case, policy, who)
        return ReviewEntry(
            id=case.id,
            type=case.type,
            title={Language.ZH: policy.title.zh, Language.EN: policy.title.en},
            customer=case.customer,
            session=case.session_id,
            created_at=case.created_at,
            review_until=case.review_until or case.expires_at,
            reasons=list(case.decided.reasons) if case.decided is not None else [],
            second=bool(case.reviews),
            yours=why_not is None,
            why_not=why_not,
        )

    async def why_not(self, tx: Transaction, case: Case, policy: Policy, who: Principal) -> WhyNot | None:
        """Why ``who`` may not review it."""
        if any(review.by == who.actor for review in case.reviews):
            return "reviewed_already"
        if case.identified is not None and case.identified.by == who.actor:  # whatever the policy says of sessions
            return "own_session"
        if policy.own_session or case.session_id is None:
            return None
        people = await tx.list_participants(case.session_id)
        session = await tx.get_session(case.session_id)
        was_there = any(staff_of(one) == who.actor for one in people)
        led = session is not None and who.actor in (session.taken_by, session.created_by)
        return "own_session" if was_there or led else None

    async def _shown(self, tx: Transaction, case: Case, who: Principal) -> ReviewEntry | None:
        try:
            return await self.entry(tx, case, await self._cases.policy(tx, case), who)
        except VerificationUnavailable as error:  # the others are reviewed all the same
            log.error("a case in review is not shown", extra={"case": case.id, "code": error.code})
            return None

    def _title(self, type: str) -> dict[Language, str]:
        """Of the policy in force; of one that is there no more its name."""
        try:
            title = self._cases.policies.current(type).title
        except TongpingError:
            return {Language.ZH: type, Language.EN: type}
        return {Language.ZH: title.zh, Language.EN: title.en}
