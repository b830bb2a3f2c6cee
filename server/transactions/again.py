"""What an attempt comes to that ended through nobody's fault: another try, or a person. Sans-I/O.

It stays excused whatever it comes to, so ``lock.MAX_EXCUSED`` bounds it; and an attempt in which anything was found against somebody is none of these.
"""

from server.transactions.decision import MAX_REASONS, CheckedAttempt, Decision, Outcome
from server.transactions.lock import is_excused
from server.transactions.risk.result import RiskLevel

STREAM_GAP = "stream_gap"
"""The fault of an attempt whose picture stopped for a moment."""


def another_try(attempt: CheckedAttempt, decision: Decision, *, left: int, seen: bool) -> Decision:
    """A person is asked only where that helps: not while the customer may try again (``left``) and a new attempt says more than one with a hole, and
    never with nothing to look at (``seen`` false: no picture was kept)."""
    if decision.outcome is not Outcome.REFER or not is_excused(attempt, decision):
        return decision
    if not seen or (attempt.fault == STREAM_GAP and left > 0):
        return Decision(outcome=Outcome.REJECT, reasons=decision.reasons[:MAX_REASONS])
    return decision


def stays_open(attempt: CheckedAttempt, decision: Decision, risk: RiskLevel, *, left: int, person: bool) -> bool:
    """Whether a case goes on although no attempt is left: the last ended through nobody's fault, and a person of the bank can still say who the customer
    is (``person``)."""
    ours = decision.outcome is Outcome.REJECT and is_excused(attempt, decision)
    return ours and left <= 0 and person and risk is not RiskLevel.REJECT
