"""From what was checked to a decision. Sans-I/O.

``STEPS`` is the one table of what is looked at, in its order. Each step says what it found against accepting; the worst of all findings is the
outcome, and all of them are its reasons. ACCEPT takes more than that nothing was found: what the policy asks for must have been shown
(``_shown``). Whatever is missing, unknown, contradictory or raises is REFER at best, and REFER only where the policy lets an agent approve that.
"""

import math
import re
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import NamedTuple

import msgspec

from server.transactions.policy import Check, Policy
from server.transactions.risk.result import UNAVAILABLE, RiskLevel, RiskResult, assessed

_HASH = re.compile(r"[0-9a-f]{64}")
_CODE = re.compile(r"[a-z][a-z0-9_]{1,63}")
MAX_REASONS = 16


class Outcome(StrEnum):
    """``refer``: a person of the bank decides."""

    ACCEPT = "accept"
    REFER = "refer"
    REJECT = "reject"


class CheckOutcome(StrEnum):
    PASS = "pass"  # noqa: S105 - not a secret
    REFER = "refer"
    FAIL = "fail"


class AttemptKind(StrEnum):
    """Where the frames came from. ``clip`` and ``images`` were uploaded: made beforehand, for all that anybody knows. ``agent``: there were none, a person
    of the bank has identified the customer without a face check."""

    LIVE = "live"
    CLIP = "clip"
    IMAGES = "images"
    AGENT = "agent"


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """``score``: 0 to 1, None where the check has none. ``reasons``: codes, of what did not pass. ``excused``: those of them that the attempt's fault, which
    is ours, explains: they speak against nobody. ``outcome`` is that of the others; REFER where there are none."""

    name: Check
    outcome: CheckOutcome
    score: float | None = None
    reasons: tuple[str, ...] = ()
    excused: tuple[str, ...] = ()


class CheckedAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """What an attempt showed. ``fault``: why it did not come to an end (``engine_lost``, ``camera_off`` …); then nothing that speaks for them counts.

    ``match_threshold``: of the operating point that the policy asks for. ``script_hash``: hex SHA-256 of the challenge that was played; "" without one.
    ``frames``: how many were looked at.
    """

    assurance: AttemptKind
    checks: tuple[CheckResult, ...]
    match_score: float | None
    match_threshold: float | None
    pack_name: str
    pack_hash: str
    frames: int
    script_hash: str = ""
    fault: str | None = None


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """``reasons``: codes, those of the outcome first; empty for ACCEPT."""

    outcome: Outcome
    reasons: tuple[str, ...]


class Finding(NamedTuple):
    """Something against accepting. ``outcome``: REJECT, or REFER where a person may decide."""

    outcome: Outcome
    code: str


DECISION_FAULT = "decision_fault"
MALFORMED = "attempt_malformed"
PAD_MISSING = "pad_unavailable"
EVIDENCE_MISSING = "evidence_missing"
IDENTIFIED = "identified_by_agent"
BROKEN_OFF = frozenset({"camera_off", "consent_withdrawn", "customer_gone", "stream_too_fast", "stream_unreadable"})
"""Faults that the person can bring about whenever they like: rejected, and never referred. All others are ours."""
LIVE_ONLY = frozenset({Check.CHALLENGE, Check.LIGHT, Check.DOCUMENT})
"""What an upload cannot answer."""


def decide(policy: Policy, attempt: CheckedAttempt, risk: RiskResult) -> Decision:
    """Never raises. ACCEPT only where every check that ``policy`` asks for has passed, nothing else was found and the risk is low."""
    try:
        found = [_allowed(policy, finding) for _, step in STEPS for finding in step(policy, attempt, risk)]
        if not found and not _shown(policy, attempt, risk):
            found = [_allowed(policy, Finding(Outcome.REFER, DECISION_FAULT))]
    except Exception:
        return Decision(outcome=Outcome.REJECT, reasons=(DECISION_FAULT,))
    if not found:
        return Decision(outcome=Outcome.ACCEPT, reasons=())
    worst = Outcome.REJECT if any(one.outcome is not Outcome.REFER for one in found) else Outcome.REFER
    ordered = sorted(found, key=lambda one: one.outcome is Outcome.REFER)  # stable: in the order of the steps otherwise
    return Decision(outcome=worst, reasons=tuple(dict.fromkeys(one.code for one in ordered))[:MAX_REASONS])


# ---- the steps


def _fault(policy: Policy, attempt: CheckedAttempt, risk: RiskResult) -> Iterator[Finding]:
    del policy, risk
    if attempt.fault in BROKEN_OFF:
        yield Finding(Outcome.REJECT, attempt.fault)
    elif attempt.fault is not None:
        yield Finding(Outcome.REFER, attempt.fault if _CODE.fullmatch(attempt.fault) else "fault")


def _malformed(policy: Policy, attempt: CheckedAttempt, risk: RiskResult) -> Iterator[Finding]:
    """What contradicts itself proves nothing."""
    del policy, risk
    if attempt.fault is not None:
        return
    names = [one.name for one in attempt.checks]
    scores = [one.score for one in attempt.checks if one.score is not None]
    passed = {one.name for one in attempt.checks if one.outcome is CheckOutcome.PASS}
    if (
        len(set(names)) != len(names)
        or not all(math.isfinite(score) for score in scores)
        or attempt.frames < 1
        or not attempt.pack_name
        or not _HASH.fullmatch(attempt.pack_hash)
        or any(one.outcome is CheckOutcome.PASS and one.reasons for one in attempt.checks)
        or any(one.excused for one in attempt.checks)
        or (Check.MATCH in passed and not _matched(attempt))
        or (passed & LIVE_ONLY and (attempt.assurance is not AttemptKind.LIVE or not _HASH.fullmatch(attempt.script_hash)))
        or (Check.LIGHT in passed and Check.CHALLENGE not in names)
    ):
        yield Finding(Outcome.REJECT, MALFORMED)


def _way(policy: Policy, attempt: CheckedAttempt, risk: RiskResult) -> Iterator[Finding]:
    del risk
    if attempt.assurance is AttemptKind.AGENT:  # what a person vouches for is no attempt: see ``Identify``
        yield Finding(Outcome.REJECT, MALFORMED)
    elif attempt.assurance is not AttemptKind.LIVE and not policy.clip_allowed:
        yield Finding(Outcome.REJECT, "upload_not_allowed")


def _failed(policy: Policy, attempt: CheckedAttempt, risk: RiskResult) -> Iterator[Finding]:
    """Also of checks that the policy does not ask for, and whatever went wrong on our side: what was seen is not unseen."""
    del policy, risk
    for one in attempt.checks:
        if one.outcome not in (CheckOutcome.PASS, CheckOutcome.REFER):
            for code in _against(attempt, one) or (f"{one.name}_failed",):
                yield Finding(Outcome.REJECT, code)


def _missing(policy: Policy, attempt: CheckedAttempt, risk: RiskResult) -> Iterator[Finding]:
    del risk
    if attempt.fault is not None:
        return
    names = {one.name for one in attempt.checks}
    for check in sorted(policy.assurance - names):
        if check is Check.MATCH:
            yield Finding(Outcome.REJECT, "match_missing")
        else:
            yield Finding(Outcome.REFER, PAD_MISSING if check is Check.PAD else EVIDENCE_MISSING)


def _referred(policy: Policy, attempt: CheckedAttempt, risk: RiskResult) -> Iterator[Finding]:
    del policy, risk
    for one in attempt.checks:
        if one.outcome is CheckOutcome.REFER:
            for code in _against(attempt, one) or (() if one.excused else (f"{one.name}_unsure",)):
                yield Finding(Outcome.REFER, code)


def _risk(policy: Policy, attempt: CheckedAttempt, risk: RiskResult) -> Iterator[Finding]:
    """The level decides: a list or a rule may say low whatever the score. What could not be assessed is never low."""
    del policy, attempt
    if risk.level is RiskLevel.REJECT:
        yield Finding(Outcome.REJECT, "risk_rejected")
    elif not assessed(risk):
        yield Finding(Outcome.REFER, UNAVAILABLE)
    elif risk.level is not RiskLevel.LOW:
        yield Finding(Outcome.REFER, "risk_referred")


def is_ours(fault: str | None) -> bool:
    """Whether it went wrong on our side."""
    return fault is not None and fault not in BROKEN_OFF


def _against(attempt: CheckedAttempt, check: CheckResult) -> tuple[str, ...]:
    """Its reasons without what is excused, which is nothing unless something of ours went wrong."""
    excused = check.excused if is_ours(attempt.fault) else ()
    return tuple(code for code in check.reasons if code not in excused)


Step = Callable[[Policy, CheckedAttempt, RiskResult], Iterator[Finding]]
STEPS: tuple[tuple[str, Step], ...] = (
    ("it came to an end", _fault),
    ("it does not contradict itself", _malformed),
    ("the policy allows this way of showing a face", _way),
    ("no check has failed", _failed),
    ("every check that the policy asks for was made", _missing),
    ("no check was unsure", _referred),
    ("the risk is low", _risk),
)

_ALWAYS_REFERRED = frozenset({"risk_referred", UNAVAILABLE})
"""The policy has chosen them by its limits of risk."""


def _allowed(policy: Policy, finding: Finding) -> Finding:
    """REFER only for what the policy lets an agent approve."""
    if finding.outcome is not Outcome.REFER:
        return Finding(Outcome.REJECT, finding.code)
    if finding.code in _ALWAYS_REFERRED or finding.code in policy.refer.reasons:
        return finding
    if finding.code == PAD_MISSING and policy.refer.missing_pad:
        return finding
    return Finding(Outcome.REJECT, finding.code)


def _matched(attempt: CheckedAttempt) -> bool:
    score, threshold = attempt.match_score, attempt.match_threshold
    if score is None or threshold is None:
        return False
    return math.isfinite(score) and math.isfinite(threshold) and score >= threshold


def _shown(policy: Policy, attempt: CheckedAttempt, risk: RiskResult) -> bool:
    """Said once more, the other way round: everything that must be so is so."""
    passed = {one.name for one in attempt.checks if one.outcome is CheckOutcome.PASS}
    return (
        attempt.fault is None
        and Check.MATCH in passed
        and policy.assurance <= passed
        and len(passed) == len(attempt.checks)
        and _matched(attempt)
        and risk.level is RiskLevel.LOW
        and 0 <= risk.score <= 1
    )
