"""Policies, attempts and risks for tests of decisions: all as it should be, unless told otherwise."""

from typing import Any

import msgspec

from server.transactions.decision import AttemptKind, CheckedAttempt, CheckOutcome, CheckResult
from server.transactions.material import Material, Picture, PictureKind, Shown
from server.transactions.policy import Check, Policy
from server.transactions.risk.result import UNAVAILABLE, RiskLevel, RiskReason, RiskResult

HASH = "ab" * 32
SCRIPT = "cd" * 32
EVIDENCE = "ef" * 32
"""Of none."""
MATERIAL = Material(pictures=(Picture(shown=Shown(name="last-1", kind=PictureKind.LAST), jpeg=b"\xff\xd8 a face"),))
DETAILS = {"card": "6222020200112233", "channel": "mobile"}


def policy(**fields: Any) -> Policy:
    """``fields``: as in a TOML file."""
    asked = {
        "type": "debit_card_password_change",
        "title": {"zh": "修改借记卡密码", "en": "Change a debit card's password"},
        "assurance": ["match", "pad", "challenge", "light"],
        "details": {"card": {"type": "digits"}, "channel": {"type": "string", "required": False}},
        **fields,
    }
    return msgspec.convert(msgspec.to_builtins(asked), Policy)


def check(name: Check, outcome: CheckOutcome = CheckOutcome.PASS, *reasons: str) -> CheckResult:
    return CheckResult(name=name, outcome=outcome, score=0.9, reasons=reasons)


def attempt(**fields: Any) -> CheckedAttempt:
    asked: dict[str, Any] = {
        "assurance": AttemptKind.LIVE,
        "checks": tuple(check(name) for name in (Check.MATCH, Check.PAD, Check.CHALLENGE, Check.LIGHT)),
        "match_score": 0.62,
        "match_threshold": 0.4,
        "pack_name": "tiny",
        "pack_hash": HASH,
        "frames": 40,
        "script_hash": SCRIPT,
        **fields,
    }
    return CheckedAttempt(**asked)


def risk(level: RiskLevel = RiskLevel.LOW, score: float = 0.1) -> RiskResult:
    reasons = () if level is RiskLevel.LOW else (RiskReason(code="new_device", zh="新设备", en="A new device"),)
    assert UNAVAILABLE not in {one.code for one in reasons}
    return RiskResult(score=score, level=level, reasons=reasons, rules_hash=HASH, model_hash=HASH, took_ms=0.4)
