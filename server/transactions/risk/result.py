"""What the risk engine answers. Pure data."""

from enum import StrEnum

import msgspec

UNAVAILABLE = "risk_unavailable"
"""The reason code of an assessment that could not be made."""


class RiskLevel(StrEnum):
    LOW = "low"
    REFER = "refer"
    REJECT = "reject"


class RiskReason(msgspec.Struct, frozen=True, kw_only=True):
    """Why. ``code``: stable, of a rule, a list or a feature of the model. ``zh``, ``en``: words for staff, never for customers.

    ``contribution``: its share of the score, -1 to 1; 0 for what decided the level by itself.
    """

    code: str
    zh: str
    en: str
    contribution: float = 0.0


class RiskResult(msgspec.Struct, frozen=True, kw_only=True):
    """``score``: 0 (nothing speaks against it) to 1. ``level`` is what decides: a rule may set it whatever the score. ``took_ms``: milliseconds.

    ``reasons``: the heaviest first, at most 16.
    """

    score: float
    level: RiskLevel
    reasons: tuple[RiskReason, ...]
    rules_hash: str
    model_hash: str
    took_ms: float


def assessed(risk: RiskResult) -> bool:
    """Whether this says anything: what could not be assessed speaks for nobody."""
    return 0 <= risk.score <= 1 and all(one.code != UNAVAILABLE for one in risk.reasons)


def unavailable(took_ms: float = 0.0, rules_hash: str = "", model_hash: str = "") -> RiskResult:
    """An assessment that could not be made: never low."""
    reason = RiskReason(code=UNAVAILABLE, zh="风险评估暂不可用", en="The risk could not be assessed")
    return RiskResult(
        score=1.0, level=RiskLevel.REFER, reasons=(reason,), rules_hash=rules_hash, model_hash=model_hash, took_ms=took_ms
    )
