"""What the people of a session are told of its cases: what it is about, where it stands, what comes next. Sans-I/O.

Neither the customer nor the details, and of what spoke against somebody nothing: whoever tries to pass as somebody else must not learn by what they
were seen.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

import msgspec

from server.domain.ids import CaseId
from server.domain.model import Language
from server.transactions.case import ABANDONED, APPROVED, CUSTOMER_LOCKED, DECLINED, OVERDUE, Case, CaseState
from server.transactions.decision import BROKEN_OFF, IDENTIFIED
from server.transactions.policy import Check, Policy

OURS = "trouble"
"""Something failed on our side, whatever it was."""
_FAULTS = frozenset(
    """attempt_broken attempt_cut attempt_lost deadline_missed engine_busy engine_lost engine_unavailable evidence_lost pack_changed reference_changed
    stream_lost""".split()  # noqa: SIM905
)
TOLD = BROKEN_OFF | {
    ABANDONED, APPROVED, CUSTOMER_LOCKED, DECLINED, IDENTIFIED, OVERDUE, "attempt_ended", "put_on_hold", "stopped_by_staff", "stream_gap",
}  # fmt: skip
"""Codes that a customer may know: who decided, and what they did themselves."""


class CaseStep(StrEnum):
    """What a live attempt will ask for. ``light``: the screen changes its colours."""

    FACE = "face"
    LIGHT = "light"
    DOCUMENT = "document"


class CaseBrief(msgspec.Struct, frozen=True, kw_only=True):
    """A case as those in its session see it. ``without_face``: whether staff may identify the customer in other ways.

    ``return_url``: where the customer goes when it is over, "" for nowhere. ``reasons``: of what came of the last attempt or of its review those codes that
    tell nothing about how somebody is recognised: who decided it, what the customer did themselves, and ``trouble``, which was ours. ``retention_days``: how
    long pictures and results are kept after a decision.
    """

    case: CaseId
    type: str
    title: dict[Language, str]
    state: CaseState
    attempts_left: int
    attempts_used: int
    expires_at: datetime
    steps: list[CaseStep]
    without_face: bool
    retention_days: int
    return_url: str = ""
    reasons: list[str] = []


def brief_of(case: Case, policy: Policy) -> CaseBrief:
    return CaseBrief(
        case=case.id,
        type=case.type,
        title={Language.ZH: policy.title.zh, Language.EN: policy.title.en},
        state=case.state,
        attempts_left=max(0, case.attempts_allowed - case.attempts_used),
        attempts_used=case.attempts_used,
        expires_at=case.expires_at,
        steps=steps_of(policy),
        without_face=policy.without_face.allowed,
        retention_days=case.retention_days,
        return_url=case.return_url,
        reasons=told(case.decided.reasons) if case.decided is not None else [],
    )


def steps_of(policy: Policy) -> list[CaseStep]:
    steps = [CaseStep.FACE]
    if Check.CHALLENGE in policy.assurance and policy.challenge.light != "none":
        steps.append(CaseStep.LIGHT)
    if Check.DOCUMENT in policy.assurance:
        steps.append(CaseStep.DOCUMENT)
    return steps


def told(reasons: Iterable[str]) -> list[str]:
    """Each once, in their order."""
    codes = [OURS if code in _FAULTS else code for code in reasons if code in TOLD or code in _FAULTS]
    return list(dict.fromkeys(codes))
