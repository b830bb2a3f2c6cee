"""What came of an attempt: every check with its score and its reasons. Sans I/O."""

from dataclasses import dataclass
from enum import StrEnum

from verification.reasons import ReasonCode


class Outcome(StrEnum):
    """PASS: every check is content. REFER: a person decides. FAIL: something speaks against it."""

    PASS = "pass"  # noqa: S105
    REFER = "refer"
    FAIL = "fail"


_ORDER = (Outcome.PASS, Outcome.REFER, Outcome.FAIL)


def worst(outcomes: "tuple[Outcome, ...]") -> Outcome:
    """FAIL before REFER before PASS; of none: REFER, for nothing shown is not shown."""
    return max(outcomes, key=_ORDER.index, default=Outcome.REFER)


@dataclass(frozen=True, slots=True)
class Check:
    """``score``: 0 to 1, or what the check measures (``docs/verification-liveness.md``). ``figures``: what it was made of, for the evidence.

    ``passed`` is False for REFER and for FAIL.
    """

    name: str
    score: float
    outcome: Outcome
    reasons: tuple[ReasonCode, ...] = ()
    figures: tuple[tuple[str, float], ...] = ()

    @property
    def passed(self) -> bool:
        return self.outcome is Outcome.PASS


@dataclass(frozen=True, slots=True)
class Verdict:
    """``script_hash``: of what was asked. ``frames``: how many observations it rests on."""

    outcome: Outcome
    checks: tuple[Check, ...]
    script_hash: str
    frames: int

    @property
    def passed(self) -> bool:
        return self.outcome is Outcome.PASS

    @property
    def reasons(self) -> tuple[ReasonCode, ...]:
        """Of all checks, each once, in the order of the checks."""
        return tuple(dict.fromkeys(reason for check in self.checks for reason in check.reasons))

    def check(self, name: str) -> Check:
        """Raises KeyError."""
        for check in self.checks:
            if check.name == name:
                return check
        raise KeyError(name)


def conclude(checks: tuple[Check, ...], required: frozenset[str], script_hash: str, frames: int) -> Verdict:
    """Passes only if every one of ``required`` is there and all that are there passed."""
    missing = required - {check.name for check in checks}
    gaps = tuple(Check(name, 0.0, Outcome.REFER, (ReasonCode.EVIDENCE_MISSING,)) for name in sorted(missing))
    every = (*checks, *gaps)
    return Verdict(worst(tuple(check.outcome for check in every)), every, script_hash, frames)
