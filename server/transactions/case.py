"""A transaction that waits to be verified: what is kept of it, and what may become of it. Sans-I/O.

``TRANSITIONS`` is the one table of states. ``apply`` takes a case, what happened and the time, and gives the case as it is then; what the table
does not have is ``WrongState``. ``due`` says what time alone has made of a case: who reads one asks it first.
"""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias

import msgspec

from server.domain.ids import ApiKeyId, AttemptId, CaseId, SessionId, StaffId, TemplateId
from server.errors import Conflict
from server.transactions.decision import IDENTIFIED, AttemptKind, CheckedAttempt, Decision, Outcome
from server.transactions.risk.result import RiskLevel, RiskResult


class WrongState(Conflict):
    """This cannot happen to a case in this state."""

    code = "wrong_state"


ABANDONED = "attempt_abandoned"
"""By the bank, which takes the case back."""
LOST = "attempt_lost"
"""Its time is over, and whoever played it is gone: a server that was killed."""


class CaseState(StrEnum):
    """``open``: the next attempt may begin. ``checking``: one runs. ``review``, ``second_review``: a person decides. The others are for good."""

    OPEN = "open"
    CHECKING = "checking"
    REVIEW = "review"
    SECOND_REVIEW = "second_review"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    LOCKED = "locked"


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """What a reviewer decided. ``note``: in their words, for the bank's staff."""

    by: StaffId
    at: datetime
    approved: bool
    note: str


class Proof(StrEnum):
    """By what a person of the bank knows who the customer is, without a face check."""

    DOCUMENT_SEEN = "document_seen"
    QUESTIONS_ANSWERED = "questions_answered"
    CALLED_BACK = "called_back"
    KNOWN_IN_PERSON = "known_in_person"


class Identified(msgspec.Struct, frozen=True, kw_only=True):
    """Who vouches for the customer, and by what. ``note``: in their words, for who reviews it."""

    by: StaffId
    at: datetime
    methods: tuple[Proof, ...]
    note: str


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """What came of the last attempt, or of its review. ``reasons``: codes. ``rules_hash``, ``model_hash``: what the risk was assessed with; "" where it was not."""

    outcome: Outcome
    reasons: tuple[str, ...]
    assurance: AttemptKind | None
    risk_level: RiskLevel | None
    pack_hash: str
    rules_hash: str = ""
    model_hash: str = ""


NEVER_DECIDED_DAYS = 30
"""Evidence of what ended without a decision is kept no longer."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction. ``customer``: the bank's pseudonym. ``details_hash``: of the canonical details; ``key`` and ``sealed`` hold them and the device
    until the case has ended, then they are b"". ``reference_*``: a portrait's template, sealed likewise, where no stored ``template`` is named.

    ``consent``: where the bank keeps the customer's separate consent to have their face checked. ``return_url``: where the customer goes in the end.

    ``retention_days``: how long evidence is kept after a decision; ``evidence_until``: when it is due for erasure, set when the case ends.
    ``reference_vault``, ``reference_evidence``: the portrait's name in the vault, and its digest as ``Attempt.evidence``.
    ``attempt_until``, ``review_until``: when the attempt or the review that runs is over; ``due_at``: the next time that time alone changes it.
    ``held_at``: since when its time stands still, while the customer waits for a person or talks to one; ``expires_at`` has all that it may stand still by
    then. ``waiting_s``: how much of that is left for the next time.
    ``identified``: in place of an attempt. ``result``: the signed decision, "" without one.
    """

    id: CaseId
    type: str
    customer: str
    state: CaseState
    details_hash: str
    key: bytes
    sealed: bytes
    policy_hash: str
    consent: str
    created_at: datetime
    created_by: ApiKeyId
    expires_at: datetime
    attempts_allowed: int
    due_at: datetime | None
    template: TemplateId | None = None
    session_id: SessionId | None = None
    return_url: str = ""
    reference_pack: str = ""
    reference_key: bytes = b""
    reference_sealed: bytes = b""
    attempts_used: int = 0
    attempt: AttemptId | None = None
    attempt_until: datetime | None = None
    review_until: datetime | None = None
    reviews: tuple[Review, ...] = ()
    decided: Decided | None = None
    identified: Identified | None = None
    ended_at: datetime | None = None
    result: str = ""
    result_until: datetime | None = None
    redeemed_at: datetime | None = None
    retention_days: int = NEVER_DECIDED_DAYS
    reference_vault: str = ""
    reference_evidence: str = ""
    evidence_until: datetime | None = None
    evidence_erased_at: datetime | None = None
    held_at: datetime | None = None
    waiting_s: int = 0


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try at showing a face. ``outcome`` is None while it runs and where it was broken off: then ``ended_at`` tells the two apart. ``evidence``: hex SHA-256
    of the sealed manifest of what was kept of it; "" where nothing was."""

    id: AttemptId
    case_id: CaseId
    number: int
    assurance: AttemptKind
    started_at: datetime
    started_by: str
    until: datetime
    ended_at: datetime | None = None
    outcome: Outcome | None = None
    reasons: tuple[str, ...] = ()
    checked: CheckedAttempt | None = None
    risk: RiskResult | None = None
    evidence: str = ""


class Begin(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt begins. ``attempt_s``: how long it may take; ``grace_s``: and its judgement after that, until when nobody takes it for lost."""

    attempt: AttemptId
    attempt_s: int
    grace_s: int = 0


class Finish(msgspec.Struct, frozen=True, kw_only=True):
    """The attempt has come to an end. ``review_s``: how long a review may take. ``stays_open``: the last one has failed through nobody's fault, and the case
    waits for a person to identify the customer; no attempt begins any more."""

    decided: Decided
    review_s: int
    stays_open: bool = False


class Identify(msgspec.Struct, frozen=True, kw_only=True):
    """A person of the bank vouches for the customer: others review that. ``review_s``: how long they may take."""

    identified: Identified
    risk_level: RiskLevel
    review_s: int
    rules_hash: str = ""
    model_hash: str = ""


class Abandon(msgspec.Struct, frozen=True, kw_only=True):
    """The attempt is over and nobody has seen its end. ``why``: a code of what went wrong here, ``attempt_lost`` where only its time tells. ``stays_open``:
    as in ``Finish``."""

    why: str = LOST
    stays_open: bool = False


class Reviewed(msgspec.Struct, frozen=True, kw_only=True):
    """``reviewers``: how many must approve. ``against``: the code of what has come up since, for which nothing is accepted whoever approves. ``void``: whose
    earlier approvals do not count."""

    review: Review
    reviewers: int
    against: str = ""
    void: tuple[StaffId, ...] = ()


class Overdue(msgspec.Struct, frozen=True, kw_only=True):
    """Nobody reviewed it in time."""


class Expire(msgspec.Struct, frozen=True, kw_only=True):
    """Its time is over."""


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """The customer waits for a person whom they have asked for: until ``Release`` its time stands still, as long as it may. Again changes nothing."""


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """They go on by themselves. Again changes nothing."""


class Cancel(msgspec.Struct, frozen=True, kw_only=True):
    """The bank takes it back; an attempt that runs is broken off."""


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """The customer has failed too often."""


Event: TypeAlias = Begin | Finish | Identify | Abandon | Reviewed | Overdue | Expire | Hold | Release | Cancel | Lock

_S = CaseState
TRANSITIONS: Mapping[CaseState, Mapping[type[Event], frozenset[CaseState]]] = {
    _S.OPEN: {
        Begin: frozenset({_S.CHECKING}),
        Identify: frozenset({_S.REVIEW}),
        Expire: frozenset({_S.EXPIRED}),
        Hold: frozenset({_S.OPEN}),
        Release: frozenset({_S.OPEN}),
        Cancel: frozenset({_S.CANCELLED}),
        Lock: frozenset({_S.LOCKED}),
    },
    _S.CHECKING: {
        Finish: frozenset({_S.ACCEPTED, _S.REVIEW, _S.OPEN, _S.REJECTED}),
        Abandon: frozenset({_S.OPEN, _S.REJECTED}),
        Hold: frozenset({_S.CHECKING}),
        Release: frozenset({_S.CHECKING}),
        Cancel: frozenset({_S.CANCELLED}),
    },
    _S.REVIEW: {
        Reviewed: frozenset({_S.ACCEPTED, _S.SECOND_REVIEW, _S.REJECTED}),
        Overdue: frozenset({_S.REJECTED}),
        Cancel: frozenset({_S.CANCELLED}),
    },
    _S.SECOND_REVIEW: {
        Reviewed: frozenset({_S.ACCEPTED, _S.SECOND_REVIEW, _S.REJECTED}),
        Overdue: frozenset({_S.REJECTED}),
        Cancel: frozenset({_S.CANCELLED}),
    },
    _S.ACCEPTED: {},
    _S.REJECTED: {},
    _S.EXPIRED: {},
    _S.CANCELLED: {},
    _S.LOCKED: {},
}
ENDED = frozenset(state for state, ways in TRANSITIONS.items() if not ways)
IN_REVIEW = frozenset({_S.REVIEW, _S.SECOND_REVIEW})

APPROVED = "approved_in_review"
DECLINED = "declined_in_review"
OVERDUE = "review_overdue"
CUSTOMER_LOCKED = "customer_locked"


def apply(case: Case, event: Event, now: datetime) -> Case:
    """Raises WrongState."""
    ways = TRANSITIONS[case.state].get(type(event))
    if ways is None:
        raise WrongState(_WORDS[case.state])
    after = _after(case, event, now)
    if after.state not in ways:
        raise WrongState(_WORDS[case.state])
    if after.state in ENDED:
        ended = msgspec.structs.replace(after, attempt=None, attempt_until=None, review_until=None, ended_at=now)
        after = _forgotten(msgspec.structs.replace(ended, evidence_until=evidence_until(ended, now)))
    return msgspec.structs.replace(after, due_at=next_due(after))


def due(case: Case, now: datetime) -> Event | None:
    """What time has made of it, and what has not been written down yet. Ask again afterwards: one may follow from another."""
    if case.state is _S.CHECKING and case.attempt_until is not None and now >= case.attempt_until:
        return Abandon()
    if case.state is _S.OPEN and now >= case.expires_at:
        return Expire()
    if case.state in IN_REVIEW and case.review_until is not None and now >= case.review_until:
        return Overdue()
    return None


def next_due(case: Case) -> datetime | None:
    """When ``due`` will have something to say; None for a case that has ended."""
    if case.state in IN_REVIEW:
        return case.review_until
    if case.state is _S.CHECKING:
        return case.attempt_until
    return case.expires_at if case.state is _S.OPEN else None


def finished(attempt: Attempt, checked: CheckedAttempt, risk: RiskResult, decision: Decision, now: datetime) -> Attempt:
    """The attempt with what came of it."""
    return msgspec.structs.replace(
        attempt, ended_at=now, outcome=decision.outcome, reasons=decision.reasons, checked=checked, risk=risk
    )


def abandoned(attempt: Attempt, why: str, now: datetime) -> Attempt:
    return msgspec.structs.replace(attempt, ended_at=now, reasons=(why,))


# ---- what each event does


def _after(case: Case, event: Event, now: datetime) -> Case:
    replace = msgspec.structs.replace
    match event:
        case Begin():
            if now >= case.expires_at or case.attempts_used >= case.attempts_allowed:
                raise WrongState("Its time or its attempts are used up.")
            until = min(now + timedelta(seconds=event.attempt_s), case.expires_at) + timedelta(seconds=event.grace_s)
            return replace(
                case, state=_S.CHECKING, attempt=event.attempt, attempt_until=until, attempts_used=case.attempts_used + 1
            )
        case Finish():
            return _finish(replace(case, attempt=None, attempt_until=None), event, now)
        case Identify():
            if now >= case.expires_at:
                raise WrongState("Its time is over.")
            decided = Decided(
                outcome=Outcome.REFER,
                reasons=(IDENTIFIED,) if event.risk_level is RiskLevel.LOW else (IDENTIFIED, "risk_referred"),
                assurance=AttemptKind.AGENT,
                risk_level=event.risk_level,
                pack_hash="",
                rules_hash=event.rules_hash,
                model_hash=event.model_hash,
            )
            until = now + timedelta(seconds=event.review_s)
            return replace(case, state=_S.REVIEW, decided=decided, identified=event.identified, review_until=until)
        case Abandon():
            reasons = (event.why,)
            decided = Decided(outcome=Outcome.REJECT, reasons=reasons, assurance=None, risk_level=None, pack_hash="")
            return _tried(replace(case, attempt=None, attempt_until=None, decided=decided), stays_open=event.stays_open)
        case Reviewed():
            return _review(case, event)
        case Overdue():
            return replace(case, state=_S.REJECTED, decided=_again(case, Outcome.REJECT, OVERDUE))
        case Expire():
            return replace(case, state=_S.EXPIRED)
        case Hold():
            return _held(case, now)
        case Release():
            return _released(case, now)
        case Cancel():
            return replace(case, state=_S.CANCELLED)
        case Lock():
            return replace(case, state=_S.LOCKED)


def _held(case: Case, now: datetime) -> Case:
    if now >= case.expires_at:
        raise WrongState("Its time is over.")
    if case.held_at is not None:
        return case
    until = case.expires_at + timedelta(seconds=case.waiting_s)
    return msgspec.structs.replace(case, held_at=now, expires_at=until)


def _released(case: Case, now: datetime) -> Case:
    """What was not waited of the time is given back."""
    if case.held_at is None:
        return case
    waited = max(0.0, (now - case.held_at).total_seconds())
    left = max(0, case.waiting_s - math.ceil(waited))  # nothing is gained by many short ones
    until = case.expires_at - timedelta(seconds=case.waiting_s - min(case.waiting_s, math.floor(waited)))
    return msgspec.structs.replace(case, held_at=None, waiting_s=left, expires_at=until)


def _finish(case: Case, event: Finish, now: datetime) -> Case:
    decided = msgspec.structs.replace(case, decided=event.decided)
    if event.decided.outcome is Outcome.ACCEPT:
        return msgspec.structs.replace(decided, state=_S.ACCEPTED)
    if event.decided.outcome is Outcome.REFER:
        return msgspec.structs.replace(decided, state=_S.REVIEW, review_until=now + timedelta(seconds=event.review_s))
    return _tried(decided, stays_open=event.stays_open)


def _tried(case: Case, *, stays_open: bool = False) -> Case:
    """An attempt that failed: there is another, or there is none."""
    left = case.attempts_used < case.attempts_allowed or stays_open
    return msgspec.structs.replace(case, state=_S.OPEN if left else _S.REJECTED)


def _review(case: Case, event: Reviewed) -> Case:
    if any(earlier.by == event.review.by for earlier in case.reviews):
        raise WrongState("Somebody else gives the second review.")
    reviews = (*case.reviews, event.review)
    if not event.review.approved:
        return msgspec.structs.replace(case, state=_S.REJECTED, reviews=reviews, decided=_again(case, Outcome.REJECT, DECLINED))
    if sum(one.by not in event.void for one in reviews) < event.reviewers:
        return msgspec.structs.replace(case, state=_S.SECOND_REVIEW, reviews=reviews)
    if event.against:
        decided = _again(case, Outcome.REJECT, event.against)
        return msgspec.structs.replace(case, state=_S.REJECTED, reviews=reviews, decided=decided)
    return msgspec.structs.replace(case, state=_S.ACCEPTED, reviews=reviews, decided=_again(case, Outcome.ACCEPT, APPROVED))


def _again(case: Case, outcome: Outcome, why: str) -> Decided:
    """What was referred, decided by a person or by time; why it was referred stays."""
    if case.decided is None:
        raise WrongState("Nothing was referred.")
    return msgspec.structs.replace(case.decided, outcome=outcome, reasons=(why, *case.decided.reasons))


def evidence_until(case: Case, now: datetime) -> datetime | None:
    """When evidence of a case that ends now is due for erasure. None: there is none."""
    if not case.attempts_used and not case.reference_evidence:
        return None
    decided = case.state in (_S.ACCEPTED, _S.REJECTED)
    return now + timedelta(days=case.retention_days if decided else min(case.retention_days, NEVER_DECIDED_DAYS))


def _forgotten(case: Case) -> Case:
    """Of the details nothing but their hash outlives the case, of a portrait nothing at all."""
    return msgspec.structs.replace(case, key=b"", sealed=b"", reference_key=b"", reference_sealed=b"")


_WORDS = {
    _S.OPEN: "No attempt runs, and nothing waits for a review.",
    _S.CHECKING: "An attempt runs.",
    _S.REVIEW: "It waits for a review.",
    _S.SECOND_REVIEW: "It waits for a second review.",
    _S.ACCEPTED: "It was accepted.",
    _S.REJECTED: "It was rejected.",
    _S.EXPIRED: "It has expired.",
    _S.CANCELLED: "It was cancelled.",
    _S.LOCKED: "The customer has failed too often.",
}
