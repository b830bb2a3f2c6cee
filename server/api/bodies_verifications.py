"""What goes in and out of transactions that are verified (``docs/transactions.md``). Times are UTC, scores 0 to 1."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec

from server.api.bodies import Answer, Request
from server.api.bodies_faces import MAX_IMAGES, ConsentRef, FaceReason, Subject, TemplateRef
from server.domain.ids import AttemptId, CaseId, SessionId, StaffId, TemplateId
from server.domain.model import Language
from server.transactions.case import CaseState, Proof
from server.transactions.decision import AttemptKind, CheckOutcome, Outcome
from server.transactions.material import PictureKind, ReferenceShown
from server.transactions.policy import Check
from server.transactions.risk.result import RiskLevel
from server.transactions.token import MAX_TOKEN_CHARS

MAX_NOTE = 500

TypeName = Annotated[
    str, msgspec.Meta(pattern="^[a-z][a-z0-9_]{2,63}$", description="What kind of transaction: the name of a policy.")
]
Details = Annotated[
    msgspec.Raw,
    msgspec.Meta(
        description="The transaction itself, as its policy describes it: strings, whole numbers, true, false, null, arrays and objects; amounts as strings. "
        "Its canonical form (RFC 8785) is hashed, and the decision is about exactly that.",
        extra_json_schema={"type": "object", "maxProperties": 64},
    ),
]
Identifier = Annotated[str, msgspec.Meta(max_length=200)]


class Signals(Request, frozen=True, kw_only=True):
    """What you know beside the transaction, for the assessment of its risk. Empty or null: not known. Of identifiers only keyed hashes are kept."""

    device: Identifier = ""
    address: Annotated[str, msgspec.Meta(max_length=45, description="The customer's IP address.")] = ""
    phone: Identifier = ""
    account: Identifier = ""
    customer_age_group: Literal["under_18", "18_24", "25_64", "65_79", "80_plus"] | None = None
    customer_since_days: Annotated[int, msgspec.Meta(ge=0, le=100_000)] | None = None
    channel: Literal["app", "web", "branch", "phone"] | None = None


class Link(Request, frozen=True, kw_only=True):
    """A page for the customer alone. ``return_url``: an address of yours, of ``transactions.return_origins``, to which they go when it is over."""

    language: Language = Language.ZH
    return_url: Annotated[str, msgspec.Meta(max_length=2000)] = ""


class CustomerLinks(Answer, frozen=True, kw_only=True):
    """``customer``: the address to send the customer to. Whoever has it may try: send it to nobody else."""

    customer: str


class CreateVerification(Request, frozen=True, kw_only=True):
    """``template``: of the customer, whose ``subject`` is ``customer``; without one bring a portrait (``PUT …/portrait``) before the first attempt.
    ``session``: where it takes place, if in a session with an agent. ``callback``: an address of yours that is told, signed, of each step; its origin is
    one of ``webhooks.origins``. ``link``: where the customer is verified by themselves, without a ``session``; the answer has the address."""

    type: TypeName
    customer: Subject
    details: Details
    consent: ConsentRef
    template: TemplateRef = ""
    session: Annotated[str, msgspec.Meta(max_length=40)] = ""
    link: Link | None = None
    signals: Signals = Signals()
    callback: Annotated[str, msgspec.Meta(max_length=2000)] = ""


class SetPortrait(Request, frozen=True, kw_only=True):
    """A picture of the customer that you vouch for. Its template is kept, sealed, until the case ends; a small copy of the picture with the evidence, for
    reviewers, as long as the policy says."""

    image: bytes


class UploadAttempt(Request, frozen=True, kw_only=True):
    """``image``: pictures of one person, taken one after the other, in their order, at least ten different ones, or nothing can be said of their liveness;
    or ``clip``: WebM or MP4 of one person, 30 seconds at most, which is looked at in sixteen pictures."""

    image: Annotated[list[bytes], msgspec.Meta(max_length=MAX_IMAGES)] = msgspec.field(default_factory=list)
    clip: bytes = b""


class ReviewDecision(StrEnum):
    APPROVE = "approve"
    DECLINE = "decline"


class ReviewVerification(Request, frozen=True, kw_only=True):
    """``reason``: why, for colleagues and auditors; not for the customer."""

    decision: ReviewDecision
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NOTE)]


class IdentifyCustomer(Request, frozen=True, kw_only=True):
    """``methods``: by what you know who they are, each once, as many as the policy asks for. ``note``: what you saw or heard, for who reviews it."""

    methods: Annotated[list[Proof], msgspec.Meta(min_length=1, max_length=len(Proof))]
    note: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NOTE)]


class RedeemDecision(Request, frozen=True, kw_only=True):
    """``token``: the signed decision, which you have verified against the details that you are about to execute."""

    token: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TOKEN_CHARS)]


class UnlockCustomer(Request, frozen=True, kw_only=True):
    customer: Subject


class ReferenceKind(StrEnum):
    """``missing``: no attempt can begin."""

    TEMPLATE = "template"
    PORTRAIT = "portrait"
    MISSING = "missing"


class Verdict(Answer, frozen=True, kw_only=True):
    """Of the last attempt, or of its review. ``reasons``: codes. Null: there were no pictures, or no assessment."""

    outcome: Outcome
    reasons: list[str]
    assurance: AttemptKind | None
    risk_level: RiskLevel | None


class VerificationView(Answer, frozen=True, kw_only=True):
    """``result``: the signed decision, once there is one, until ``result_until``: verify it, redeem it, then execute. ``verdict`` may be of an attempt that
    failed while another is possible: only ``state`` says what is. ``links``: in the answer of ``POST`` alone, where a link was asked for."""

    id: CaseId
    type: str
    customer: str
    state: CaseState
    details_hash: str
    policy_hash: str
    reference: ReferenceKind
    session: SessionId | None
    created_at: datetime
    expires_at: datetime
    attempts_allowed: int
    attempts_used: int
    attempt_until: datetime | None
    review_until: datetime | None
    verdict: Verdict | None
    ended_at: datetime | None
    result: str | None
    result_until: datetime | None
    redeemed_at: datetime | None
    links: CustomerLinks | None = None


class AttemptView(Answer, frozen=True, kw_only=True):
    """``outcome``: null while it runs, and where it was broken off."""

    id: AttemptId
    number: int
    assurance: AttemptKind
    started_at: datetime
    ended_at: datetime | None
    outcome: Outcome | None
    reasons: list[str]


class AttemptDone(Answer, frozen=True, kw_only=True):
    """``advice``: what the person can do about it next time, where the pictures were the reason."""

    attempt: AttemptView
    advice: list[FaceReason]
    verification: VerificationView


class Redeemed(Answer, frozen=True, kw_only=True):
    """Yours alone: nobody else was or will be told this of the same decision."""

    id: CaseId
    redeemed_at: datetime


class ReviewEntry(Answer, frozen=True, kw_only=True):
    """``second``: somebody has approved it, and a second person is needed. ``yours``: whether you may review it; ``why_not``: a code."""

    id: CaseId
    type: str
    title: dict[Language, str]
    customer: str
    session: SessionId | None
    created_at: datetime
    review_until: datetime
    reasons: list[str]
    second: bool
    yours: bool
    why_not: Literal["own_session", "reviewed_already"] | None


class WaitingType(Answer, frozen=True, kw_only=True):
    """How many of one type wait for a review, whoever may decide them."""

    type: str
    title: dict[Language, str]
    count: int


class ReviewQueue(Answer, frozen=True, kw_only=True):
    """The one that is due first first. ``next``: the cursor of the next page, which may be there also after a short one; null after the last. ``types``: of
    all that wait, whatever was asked for."""

    reviews: list[ReviewEntry]
    types: list[WaitingType]
    next: str | None


class CheckView(Answer, frozen=True, kw_only=True):
    name: Check
    outcome: CheckOutcome
    score: float | None
    reasons: list[str]
    excused: list[str]
    """Of the reasons those that a fault of ours explains."""


class RiskReasonView(Answer, frozen=True, kw_only=True):
    code: str
    words: dict[Language, str]
    contribution: float


class ReviewPicture(Answer, frozen=True, kw_only=True):
    """A picture that was kept of an attempt; ``GET …/pictures/{name}`` has it. ``at_ms``: since the first one that was looked at. ``asked``: what was asked for
    just then: an action, a colour as ``#rrggbb``, or nothing. Scores: null where it was not measured; ``match``: likeness to the reference, held against
    the attempt's ``match_threshold``; ``pad``: 1 is a live person."""

    name: str
    kind: PictureKind
    at_ms: int
    asked: str
    match: float | None
    pad: float | None
    quality: float | None


class ReviewedAttempt(Answer, frozen=True, kw_only=True):
    """An attempt as a reviewer sees it. Null and empty: it was broken off, or a fault ended it (``fault``). ``pictures``: in their order.
    ``evidence_lost``: there was more, and it is not there any more or is not what it was. ``excused``: it ended through us, and is as a rule no failure of
    the customer. ``rules_hash``, ``model_hash``: what its risk was assessed with. ``reference``: what there is to hold them against: ``portrait``: ``GET …/reference``; ``enrolment``: ``GET …/pictures/reference-1`` of this attempt."""

    attempt: AttemptView
    checks: list[CheckView]
    match_score: float | None
    match_threshold: float | None
    frames: int
    pack_name: str
    fault: str | None
    risk_score: float | None
    risk_level: RiskLevel | None
    risk_reasons: list[RiskReasonView]
    rules_hash: str
    model_hash: str
    pictures: list[ReviewPicture]
    reference: ReferenceShown
    evidence_lost: bool
    excused: bool


class StaffRef(Answer, frozen=True, kw_only=True):
    """Somebody of the bank. ``name``: as it is now, "" where the account is there no more. ``active``: whether it may sign in."""

    id: StaffId
    name: str
    active: bool


class EarlierReview(Answer, frozen=True, kw_only=True):
    by: StaffRef
    at: datetime
    approved: bool
    reason: str


class IdentifiedView(Answer, frozen=True, kw_only=True):
    """A person of the bank vouches for the customer, without a face check."""

    by: StaffRef
    at: datetime
    methods: list[Proof]
    note: str


class ReviewDetail(Answer, frozen=True, kw_only=True):
    """Everything that a reviewer decides by. ``details``: null once the case has ended. ``identified``: by whom and how, where there was no face check."""

    review: ReviewEntry
    details: dict[str, Any] | None
    template: TemplateId | None
    reference_picture: bool
    attempts: list[ReviewedAttempt]
    identified: IdentifiedView | None
    reviews: list[EarlierReview]
