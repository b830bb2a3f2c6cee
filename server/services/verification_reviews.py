"""What was referred to a person: everything that a reviewer decides by, and the decision. ``waiting`` is the queue."""

from collections.abc import Mapping

import msgspec

from server.api.bodies_verifications import (
    CheckView,
    EarlierReview,
    IdentifiedView,
    ReviewDecision,
    ReviewDetail,
    ReviewedAttempt,
    ReviewPicture,
    RiskReasonView,
)
from server.audit.events import AuditAction
from server.domain.ids import AttemptId, CaseId, StaffId
from server.domain.model import Language, Staff
from server.errors import Conflict, Gone, NotAllowed, NotFound
from server.services.principal import Principal
from server.services.staff_names import staff_named, staff_ref
from server.services.verification_attempts import VerificationAttempts
from server.services.verification_evidence import Kept, attempt_name
from server.services.verification_queue import Waiting, WhyNot
from server.services.verification_views import attempt_view
from server.store.ports import Transaction
from server.transactions.case import CUSTOMER_LOCKED, IN_REVIEW, Attempt, Case, Review, Reviewed, due
from server.transactions.details import read_details
from server.transactions.lock import ended_through_us
from server.transactions.material import REFERENCE, PictureKind, ReferenceShown, is_name

_WORDS: dict[WhyNot, str] = {
    "own_session": "You were in this session: a colleague who was not reviews it.",
    "reviewed_already": "You have reviewed it: somebody else gives the second review.",
}


class NothingToSee(Conflict):
    """Of what waits for a review there are no pictures, or not those that were sealed: nobody can approve it."""

    code = "evidence_lost"


class NotInReview(Conflict):
    """It waits for no review."""

    code = "not_in_review"


class VerificationReviews:
    def __init__(self, attempts: VerificationAttempts) -> None:
        self._cases, self._attempts, self._evidence = attempts.cases, attempts, attempts.evidence
        self.waiting = Waiting(attempts.cases)

    async def detail(self, who: Principal, id: CaseId) -> ReviewDetail:
        """Each look is in the audit. Raises NotFound, NotInReview."""
        cases = self._cases
        async with cases.store.begin() as tx:
            case = await cases.settled(tx, id)
            if case.state in IN_REVIEW:
                await cases.note(tx, AuditAction.VERIFICATION_READ, who.actor, case)
        if case.state not in IN_REVIEW:
            raise NotInReview("It waits for no review.")
        async with cases.store.read() as tx:
            entry = await self.waiting.entry(tx, case, await cases.policy(tx, case), who)
            attempts = await tx.list_attempts(id)
            by = [one.by for one in case.reviews] + ([case.identified.by] if case.identified is not None else [])
            people = await staff_named(tx, by)
        kept = {one.attempt.id if one.attempt is not None else "": one for one in await self._evidence.evidence_of(case)}
        return ReviewDetail(
            review=entry,
            details=read_details(cases.opened(case).details),
            template=case.template,
            reference_picture="" in kept and not kept[""].lost,
            attempts=[_attempt(one, kept.get(one.id), _reference(case, kept.get(one.id), kept.get(""))) for one in attempts],
            identified=_identified(case, people),
            reviews=[
                EarlierReview(by=staff_ref(one.by, people), at=one.at, approved=one.approved, reason=one.note)
                for one in case.reviews
            ],
        )

    async def picture(self, who: Principal, id: CaseId, attempt: AttemptId, name: str) -> bytes:
        """Raises NotFound, NotInReview, NotAllowed (who may not review it), Gone, EvidenceChanged, VerificationUnavailable."""
        if not is_name(name):  # it stands in the audit
            raise NotFound("There is no such picture.")
        async with self._cases.store.begin() as tx:
            case = await self._looking(tx, who, id)
            found = await tx.get_attempt(attempt)
            if found is None or found.case_id != id or not found.evidence:
                raise NotFound("There is no such picture.")
            await self._cases.note(tx, AuditAction.EVIDENCE_READ, who.actor, case, attempt=attempt, picture=name)
        return await self._evidence.picture(attempt_name(found), found.evidence, name)

    async def reference(self, who: Principal, id: CaseId) -> bytes:
        """As ``picture``, of the portrait that came with the case."""
        async with self._cases.store.begin() as tx:
            case = await self._looking(tx, who, id)
            if not case.reference_evidence:
                raise NotFound("There is no such picture.")
            await self._cases.note(tx, AuditAction.EVIDENCE_READ, who.actor, case, picture=REFERENCE)
        return await self._evidence.picture(case.reference_vault, case.reference_evidence, REFERENCE)

    async def _looking(self, tx: Transaction, who: Principal, id: CaseId) -> Case:
        """Nothing is written here where it is refused: what time has made of the case is written down by whoever settles it."""
        case = await self._cases.found(tx, id)
        if case.state not in IN_REVIEW or due(case, self._cases.clock.now()) is not None:
            raise NotInReview("It waits for no review.")
        if (why_not := await self.waiting.why_not(tx, case, await self._cases.policy(tx, case), who)) is not None:
            raise NotAllowed(_WORDS[why_not])
        return case

    async def review(self, who: Principal, id: CaseId, decision: ReviewDecision, reason: str) -> Case:
        """What is approved while the customer is locked, or something of it on the block list, is rejected all the same; while the risk cannot be assessed
        nothing is approved.

        Raises NotFound, NotInReview, NotAllowed (whoever was in the session, where the policy says so; the same person again), NothingToSee and RiskUnavailable (approving).
        """
        cases = self._cases
        approved = decision is ReviewDecision.APPROVE
        if approved:
            await self._check_evidence(id)
        async with cases.store.begin() as tx:
            case = await cases.settled(tx, id)
            waits = case.state in IN_REVIEW
            why_not: WhyNot | None = None
            if waits:
                policy = await cases.policy(tx, case)
                why_not = await self.waiting.why_not(tx, case, policy, who)
            if waits and why_not is None:
                review = Review(by=StaffId(who.actor), at=cases.clock.now(), approved=approved, note=reason)
                void = await self._void(tx, case) if approved else ()
                await cases.note(
                    tx, AuditAction.VERIFICATION_REVIEWED, who.actor, case, decision=decision.value, not_counted=" ".join(void)
                )
                against = ""
                if await cases.locked(tx, case.customer):
                    against = CUSTOMER_LOCKED
                elif approved and await self._attempts.blocked(tx, case):
                    against = "risk_rejected"
                reviewed = Reviewed(review=review, reviewers=policy.reviewers, against=against, void=void)
                before, case = case, await cases.happened(tx, case, reviewed, who.actor)
                if not approved:
                    case = await cases.failed(tx, before, case, who.actor)
        if not waits:
            raise NotInReview("It waits for no review.")
        if why_not is not None:
            raise NotAllowed(_WORDS[why_not])
        return case

    async def _void(self, tx: Transaction, case: Case) -> tuple[StaffId, ...]:
        """Who approved it and whose account is disabled by now."""
        people = await staff_named(tx, [one.by for one in case.reviews])
        return tuple(
            one.by for one in case.reviews if (staff := people.get(one.by)) is not None and staff.disabled_at is not None
        )

    async def _check_evidence(self, id: CaseId) -> None:
        """Whether what is about to be approved is there, every picture of it as it was sealed. Raises NothingToSee."""
        async with self._cases.store.read() as tx:
            case = await self._cases.found(tx, id)
            attempts = await tx.list_attempts(id)
        if (
            case.state not in IN_REVIEW or case.identified is not None
        ):  # an agent vouches for these, by what they saw themselves
            return
        kept = [
            one
            for one in await self._evidence.evidence_of(case)
            if one.attempt is not None and one.attempt.id == attempts[-1].id
        ]
        try:
            for one in kept:
                for shown in one.pictures:
                    await self._evidence.picture(one.name, one.digest, shown.name)
        except (Conflict, Gone, NotFound):
            kept = []
        if not any(shown.kind is not PictureKind.REFERENCE for one in kept for shown in one.pictures):
            raise NothingToSee("There is nothing to be seen of this attempt any more: it can be declined only.")


def _identified(case: Case, people: Mapping[str, Staff]) -> IdentifiedView | None:
    one = case.identified
    if one is None:
        return None
    return IdentifiedView(by=staff_ref(one.by, people), at=one.at, methods=list(one.methods), note=one.note)


def _reference(case: Case, kept: Kept | None, portrait: Kept | None) -> ReferenceShown:
    """``kept``: of the attempt; ``portrait``: that came with the case."""
    found = portrait if case.template is None else kept
    if found is None:
        return ReferenceShown.NONE
    if found.lost:
        return ReferenceShown.LOST
    told = kept.facts.reference if kept is not None and kept.facts is not None else ReferenceShown.NONE
    if case.template is None and told is not ReferenceShown.CHANGED:
        return ReferenceShown.PORTRAIT
    return told


def _attempt(attempt: Attempt, kept: Kept | None, reference: ReferenceShown) -> ReviewedAttempt:
    checked, risk = attempt.checked, attempt.risk
    pictures = [one for one in kept.pictures if one.kind is not PictureKind.REFERENCE] if kept is not None else []
    return ReviewedAttempt(
        attempt=attempt_view(attempt),
        checks=[
            CheckView(name=one.name, outcome=one.outcome, score=one.score, reasons=list(one.reasons), excused=list(one.excused))
            for one in (checked.checks if checked is not None else ())
        ],
        match_score=checked.match_score if checked is not None else None,
        match_threshold=checked.match_threshold if checked is not None else None,
        frames=checked.frames if checked is not None else 0,
        pack_name=checked.pack_name if checked is not None else "",
        fault=checked.fault if checked is not None else None,
        risk_score=risk.score if risk is not None else None,
        risk_level=risk.level if risk is not None else None,
        risk_reasons=[
            RiskReasonView(code=one.code, words={Language.ZH: one.zh, Language.EN: one.en}, contribution=one.contribution)
            for one in (risk.reasons if risk is not None else ())
        ],
        rules_hash=risk.rules_hash if risk is not None else "",
        model_hash=risk.model_hash if risk is not None else "",
        pictures=[ReviewPicture(**msgspec.structs.asdict(one)) for one in pictures],
        reference=reference,
        evidence_lost=kept is not None and bool(kept.lost),
        excused=ended_through_us(attempt),
    )
