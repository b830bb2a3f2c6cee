"""What people in a session are told of a case: enough to go on, and nothing of how somebody is recognised."""

import itertools

import msgspec
import pytest

from server.domain.model import Language
from server.transactions.brief import OURS, TOLD, CaseStep, brief_of, steps_of, told
from server.transactions.case import Decided
from server.transactions.decision import AttemptKind, Outcome
from server.transactions.policy import REFERRED_BY_DEFAULT
from server.transactions.risk.result import RiskLevel
from tests.support import cases
from tests.support.records import Records
from verification.reasons import ReasonCode

SECRET = {code.value for code in ReasonCode} | REFERRED_BY_DEFAULT | {
    "no_match", "pad_attack", "match_missing", "pad_unavailable", "portrait_unsure", "risk_rejected", "risk_referred", "risk_unavailable", "document_expired",
    "upload_not_allowed", "attempt_malformed",
}  # fmt: skip
OF_THEIRS = {"attempt_ended", "stream_gap"}
"""Of the codes of checks those that say what the person did themselves, and that their picture stopped: nothing of how somebody is recognised."""


def test_no_code_of_a_check_or_of_the_risk_is_told() -> None:
    ours = {"engine_busy", "engine_lost", "deadline_missed"}
    assert SECRET & TOLD <= OF_THEIRS
    for code in SECRET - OF_THEIRS:
        assert told([code]) == ([OURS] if code in ours else []), code


def test_what_is_told_does_not_depend_on_what_is_not() -> None:
    """Neither by order nor by number: with any codes of checks between them it is the same."""
    secret = sorted(SECRET - OF_THEIRS - {"engine_busy", "engine_lost", "deadline_missed"})
    for first, second in itertools.pairwise(secret):
        assert told([first, "declined_in_review", second, "consent_withdrawn", first]) == [
            "declined_in_review",
            "consent_withdrawn",
        ]


def test_what_failed_on_our_side_is_one_code() -> None:
    assert told(["engine_lost", "evidence_lost", "attempt_ended"]) == [OURS, "attempt_ended"]


@pytest.mark.parametrize(
    ("assurance", "light", "steps"),
    [
        (["match"], None, [CaseStep.FACE]),
        (["match", "challenge"], None, [CaseStep.FACE, CaseStep.LIGHT]),
        (["match", "challenge"], "none", [CaseStep.FACE]),
        (["match", "challenge", "light", "document"], "slow", [CaseStep.FACE, CaseStep.LIGHT, CaseStep.DOCUMENT]),
    ],
)
def test_steps(assurance: list[str], light: str | None, steps: list[CaseStep]) -> None:
    rules = {} if light is None else {"challenge": {"light": light}}
    assert steps_of(cases.policy(assurance=assurance, **rules)) == steps


def test_a_brief_has_neither_customer_nor_details_nor_hashes() -> None:
    policy = cases.policy()
    case = Records().case(policy_hash=policy.hash)
    decided = Decided(
        outcome=Outcome.REJECT,
        reasons=("no_match",),
        assurance=AttemptKind.LIVE,
        risk_level=RiskLevel.REJECT,
        pack_hash="ab" * 32,
    )
    case = msgspec.structs.replace(case, decided=decided, attempts_used=9, return_url="https://app.bank.example/")
    brief = brief_of(case, policy)
    assert (brief.attempts_left, brief.attempts_used, brief.return_url, brief.reasons) == (
        0,
        9,
        "https://app.bank.example/",
        [],
    )
    assert brief.title == {Language.ZH: policy.title.zh, Language.EN: policy.title.en}
    text = msgspec.json.encode(brief).decode()
    for kept in (case.customer, case.details_hash, case.policy_hash, case.consent, str(case.created_by), "reject", "ab" * 32):
        assert kept not in text
