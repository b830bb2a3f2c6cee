"""From records of verifications to what the bank's systems see of them. Pure."""

from datetime import datetime

from server.api.bodies_verifications import AttemptView, ReferenceKind, Verdict, VerificationView
from server.transactions.case import Attempt, Case


def verification_view(case: Case, now: datetime) -> VerificationView:
    """``result`` for as long as it holds."""
    holds = bool(case.result) and case.result_until is not None and now < case.result_until
    decided = case.decided
    reference = ReferenceKind.MISSING
    if case.template is not None:
        reference = ReferenceKind.TEMPLATE
    elif case.reference_pack:
        reference = ReferenceKind.PORTRAIT
    return VerificationView(
        id=case.id,
        type=case.type,
        customer=case.customer,
        state=case.state,
        details_hash=case.details_hash,
        policy_hash=case.policy_hash,
        reference=reference,
        session=case.session_id,
        created_at=case.created_at,
        expires_at=case.expires_at,
        attempts_allowed=case.attempts_allowed,
        attempts_used=case.attempts_used,
        attempt_until=case.attempt_until,
        review_until=case.review_until,
        verdict=Verdict(
            outcome=decided.outcome,
            reasons=list(decided.reasons),
            assurance=decided.assurance,
            risk_level=decided.risk_level,
        )
        if decided is not None
        else None,
        ended_at=case.ended_at,
        result=case.result if holds else None,
        result_until=case.result_until,
        redeemed_at=case.redeemed_at,
    )


def attempt_view(attempt: Attempt) -> AttemptView:
    return AttemptView(
        id=attempt.id,
        number=attempt.number,
        assurance=attempt.assurance,
        started_at=attempt.started_at,
        ended_at=attempt.ended_at,
        outcome=attempt.outcome,
        reasons=list(attempt.reasons),
    )
