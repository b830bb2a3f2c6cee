"""Whole requests and answers of verifications as the OpenAPI document shows them: the requests run as they stand, one after another."""

from datetime import UTC, datetime

import msgspec

from server.api.bodies_verifications import (
    CreateVerification,
    IdentifyCustomer,
    RedeemDecision,
    ReferenceKind,
    ReviewDecision,
    ReviewVerification,
    SetPortrait,
    UnlockCustomer,
    UploadAttempt,
    Verdict,
    VerificationView,
)
from server.api.examples_faces import PORTRAIT as FACE
from server.domain.ids import CaseId
from server.transactions.case import CaseState, Proof
from server.transactions.decision import AttemptKind, Outcome
from server.transactions.details import details_hash
from server.transactions.risk.result import RiskLevel

_DETAILS = {"card_last4": "4417", "request_reference": "r-20261122-0007"}
_ID = CaseId("VE_7K2QV4N6W3J5MZTBRLUE5XHOAA")
_POLICY = "3e0f4b1c9a7d52e86f10b3c4d5a697887766554433221100ffeeddccbbaa9988"

CREATE = CreateVerification(
    type="debit_card_password_change",
    customer="c-7f3a",
    details=msgspec.Raw(msgspec.json.encode(_DETAILS)),
    consent="consents/2026/118",
)
PORTRAIT = SetPortrait(image=FACE)
UPLOAD = UploadAttempt(image=[FACE])
IDENTIFY = IdentifyCustomer(
    methods=[Proof.DOCUMENT_SEEN, Proof.QUESTIONS_ANSWERED], note="Identity card seen; knew the last two payments."
)
REVIEW = ReviewVerification(decision=ReviewDecision.APPROVE, reason="The same person as on the card; the device is new.")
REDEEM = RedeemDecision(token="eyJhbGciOiJFZERTQSIs.eyJpc3MiOi.AAAA")  # noqa: S106 - nobody's
UNLOCK = UnlockCustomer(customer="c-7f3a")


def _at(minute: int, second: int = 0) -> datetime:
    return datetime(2026, 11, 22, 8, minute, second, tzinfo=UTC)


CREATED = VerificationView(
    id=_ID, type=CREATE.type, customer=CREATE.customer, state=CaseState.OPEN, details_hash=details_hash(_DETAILS), policy_hash=_POLICY,
    reference=ReferenceKind.MISSING, session=None, created_at=_at(0), expires_at=_at(15), attempts_allowed=3, attempts_used=0,
    attempt_until=None, review_until=None, verdict=None, ended_at=None, result=None, result_until=None, redeemed_at=None,
)  # fmt: skip
ACCEPTED = msgspec.structs.replace(
    CREATED, state=CaseState.ACCEPTED, reference=ReferenceKind.PORTRAIT, attempts_used=1,
    verdict=Verdict(outcome=Outcome.ACCEPT, reasons=[], assurance=AttemptKind.LIVE, risk_level=RiskLevel.LOW),
    ended_at=_at(1, 22), result=REDEEM.token, result_until=_at(11, 22),
)  # fmt: skip
