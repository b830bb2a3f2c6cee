"""A decision: every combination of what can be there, missing or wrong, against the rule said in another way."""

import math
from itertools import product
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.transactions.decision import (
    AttemptKind,
    CheckedAttempt,
    CheckOutcome,
    CheckResult,
    Outcome,
    decide,
)
from server.transactions.lock import is_failure
from server.transactions.policy import Check, Policy
from server.transactions.risk.result import RiskLevel, RiskResult, unavailable
from tests.support.cases import HASH, SCRIPT, attempt, check, policy, risk

P, R, F = CheckOutcome.PASS, CheckOutcome.REFER, CheckOutcome.FAIL
ALL = frozenset({Check.MATCH, Check.PAD, Check.CHALLENGE, Check.LIGHT})


def test_everything_is_as_it_should_be() -> None:
    made = decide(policy(), attempt(), risk())
    assert (made.outcome, made.reasons) == (Outcome.ACCEPT, ())


def allowed(asked: Policy, kind: AttemptKind, outcomes: dict[Check, CheckOutcome | None], fault: bool, level: RiskLevel) -> str:
    """The rule once more: what is against it, at its worst."""
    if kind is AttemptKind.AGENT:
        return "reject"
    if kind is not AttemptKind.LIVE and not asked.clip_allowed:
        return "reject"
    if F in outcomes.values() or level is RiskLevel.REJECT:
        return "reject"
    passed_by_an_upload = any(outcomes[one] is P for one in (Check.CHALLENGE, Check.LIGHT)) and kind is not AttemptKind.LIVE
    if not fault and (passed_by_an_upload or (outcomes[Check.LIGHT] is P and outcomes[Check.CHALLENGE] is None)):
        return "reject"
    if not fault and outcomes[Check.MATCH] is None:
        return "reject"
    missing = {one for one in asked.assurance if outcomes[one] is None} if not fault else set()
    unsure = {one for one, outcome in outcomes.items() if outcome is R}
    if not (fault or missing or unsure) and level is RiskLevel.LOW:
        return "accept"
    codes = {f"{one}_unsure" for one in unsure} | ({"engine_lost"} if fault else set())
    codes |= {"evidence_missing"} if missing - {Check.PAD} else set()
    if codes - asked.refer.reasons or (Check.PAD in missing and not asked.refer.missing_pad):
        return "reject"
    return "refer"


@pytest.mark.campaign(6)
@pytest.mark.parametrize("clip_allowed", [False, True])
@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize("assurance", [ALL, frozenset({Check.MATCH, Check.PAD}), frozenset({Check.MATCH})])
def test_every_combination(clip_allowed: bool, lenient: bool, assurance: frozenset[Check]) -> None:
    """4 outcomes of each of 4 checks × kinds × faults × risk: 6,144 of each policy."""
    reasons = ["evidence_missing", "engine_lost", "pad_unsure", "match_unsure", "light_unsure", "challenge_unsure"]
    asked = policy(
        assurance=assurance, clip_allowed=clip_allowed, refer={"reasons": reasons if lenient else [], "missing_pad": lenient}
    )
    seen: set[Outcome] = set()
    for kind, fault, level in product(AttemptKind, (False, True), RiskLevel):
        for outcomes in product((None, P, R, F), repeat=4):
            each = dict(zip((Check.MATCH, Check.PAD, Check.CHALLENGE, Check.LIGHT), outcomes, strict=True))
            checks = tuple(check(name, outcome) for name, outcome in each.items() if outcome is not None)
            tried = attempt(assurance=kind, checks=checks, fault="engine_lost" if fault else None)
            made = decide(asked, tried, risk(level))
            assert made.outcome.value == allowed(asked, kind, each, fault, level), (kind, fault, level, each, made)
            assert bool(made.reasons) == (made.outcome is not Outcome.ACCEPT)
            seen.add(made.outcome)
    assert seen == (set(Outcome) if lenient else {Outcome.ACCEPT, Outcome.REFER, Outcome.REJECT})


@pytest.mark.parametrize(
    "wrong",
    [
        {"match_score": None},
        {"match_threshold": None},
        {"match_score": math.nan},
        {"match_threshold": math.nan},
        {"match_score": math.inf},
        {"match_score": 0.39},
        {"match_threshold": -math.inf},
        {"frames": 0},
        {"pack_hash": ""},
        {"pack_hash": "zz" * 32},
        {"pack_name": ""},
        {"script_hash": ""},
        {"checks": attempt().checks * 2},
        {"checks": tuple(msgspec.structs.replace(one, reasons=("no_match",)) for one in attempt().checks)},
        {"checks": tuple(msgspec.structs.replace(one, score=math.nan) for one in attempt().checks)},
        {"checks": ()},
    ],
)
def test_what_contradicts_itself_is_rejected(wrong: dict[str, Any]) -> None:
    made = decide(policy(), attempt(**wrong), risk())
    assert made.outcome is Outcome.REJECT
    assert set(made.reasons) & {"attempt_malformed", "match_missing"}


class Raises:
    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


@pytest.mark.parametrize("broken", ["policy", "attempt", "risk"])
def test_what_raises_is_rejected(broken: str) -> None:
    parts: dict[str, Any] = {"policy": policy(), "attempt": attempt(), "risk": risk()} | {broken: Raises()}
    made = decide(parts["policy"], parts["attempt"], parts["risk"])
    assert (made.outcome, made.reasons) == (Outcome.REJECT, ("decision_fault",))


def test_what_nobody_knows_is_not_a_yes() -> None:
    """Values that no version of this server makes, past the types."""
    unknown: Any = "maybe"
    odd = tuple(msgspec.structs.replace(one, outcome=unknown) for one in attempt().checks)
    assert decide(policy(), attempt(checks=odd), risk()).outcome is Outcome.REJECT
    assert decide(policy(), attempt(), risk(unknown)).outcome is Outcome.REFER
    stranger = (*attempt().checks, CheckResult(name=unknown, outcome=P))
    assert decide(policy(), attempt(checks=stranger), risk()).outcome is Outcome.ACCEPT  # passed, and not asked for
    assert decide(policy(), attempt(assurance=unknown), risk()).outcome is Outcome.REJECT
    assert decide(policy(), attempt(fault="DROP TABLE"), risk()).reasons == ("fault",)


def test_the_level_of_risk_decides_and_what_is_no_assessment_refers() -> None:
    for level, outcome in ((RiskLevel.LOW, "accept"), (RiskLevel.REFER, "refer"), (RiskLevel.REJECT, "reject")):
        for score in (0.0, 0.5, 1.0):  # a list may say low whatever the score
            assert decide(policy(), attempt(), risk(level, score)).outcome.value == outcome
    for score in (math.nan, math.inf, -0.1, 1.1):
        made = decide(policy(), attempt(), risk(score=score))
        assert (made.outcome, made.reasons) == (Outcome.REFER, ("risk_unavailable",))
    made = decide(policy(), attempt(), unavailable())
    assert (made.outcome, made.reasons) == (Outcome.REFER, ("risk_unavailable",))
    pretended = msgspec.structs.replace(unavailable(), level=RiskLevel.LOW, score=0.0)
    assert decide(policy(), attempt(), pretended).outcome is Outcome.REFER
    pretended = msgspec.structs.replace(unavailable(), level=RiskLevel.REJECT)
    assert decide(policy(), attempt(), pretended).outcome is Outcome.REJECT


def test_the_worst_comes_first_and_everything_is_said() -> None:
    checks = (check(Check.MATCH, F, "no_match"), check(Check.PAD, R, "pad_unsure"), check(Check.CHALLENGE, R, "light_unseen"))
    made = decide(policy(), attempt(checks=checks), risk(RiskLevel.REJECT))
    assert made.reasons == ("no_match", "risk_rejected", "evidence_missing", "pad_unsure", "light_unseen")


def test_what_counts_against_the_customer() -> None:
    failed = attempt(checks=(check(Check.MATCH, F, "no_match"),))
    assert is_failure(failed, decide(policy(), failed, risk()))
    assert not is_failure(attempt(), decide(policy(), attempt(), risk(RiskLevel.REJECT)))
    broken = attempt(fault="worker_gone")
    assert decide(policy(), broken, risk()).outcome is Outcome.REJECT
    assert not is_failure(broken, decide(policy(), broken, risk()))
    assert not is_failure(attempt(), decide(policy(), attempt(), risk()))
    assert not is_failure(attempt(frames=0), decide(policy(), attempt(frames=0), risk()))


@given(st.builds(CheckedAttempt), st.builds(RiskResult))
def test_whatever_is_drawn_never_raises_and_is_never_accepted_by_chance(tried: CheckedAttempt, assessed: RiskResult) -> None:
    made = decide(policy(), tried, assessed)
    assert made.outcome is not Outcome.ACCEPT or (
        tried.fault is None
        and tried.pack_hash not in ("", HASH[:-1])
        and tried.script_hash != SCRIPT[:-1]
        and {one.name for one in tried.checks if one.outcome is P} >= policy().assurance
        and assessed.level is RiskLevel.LOW
    )
