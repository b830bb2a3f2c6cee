"""What an attempt comes to that ended through nobody's fault: another try, or a person. Sans-I/O.

It stays excused whatever it comes to, so ``lock.MAX_EXCUSED`` bounds it; and an attempt in which anything was found against somebody is none of these.
"""

from server.transactions.case import Case
from server.transactions.decision import MAX_REASONS, CheckedAttempt, CheckOutcome, Decision, Outcome
from server.transactions.lock import is_excused
from server.transactions.policy import Policy
from server.transactions.risk.result import RiskLevel

STREAM_GAP = "stream_gap"
"""The fault of an attempt whose picture stopped for a moment."""
HOLES = frozenset({STREAM_GAP, "stream_times"})
"""Of which whoever holds the camera may be the cause, whatever else went wrong at the same time."""
TOO_BUSY = frozenset({"deadline_missed", "engine_busy"})
"""The faults of an engine that had too much to do. They come to many at the same time, so all of them would wait for the same few people."""


def another_try(attempt: CheckedAttempt, decision: Decision, *, seen: bool, left: int) -> Decision:
    """A person is asked only where that helps: never with nothing to look at (``seen`` false: no picture was kept); never because of a hole alone, also where
    no try is left: whoever stops the camera before the check that would find them out would be shown to a reviewer with all the rest in order; and for an
    engine that was too busy only where no try is ``left``. What is doubtful beside it is theirs to look at."""
    if decision.outcome is not Outcome.REFER or not is_excused(attempt, decision):
        return decision
    hole = attempt.fault == STREAM_GAP or any(HOLES.intersection(one.excused) for one in attempt.checks)
    in_vain = hole or (attempt.fault in TOO_BUSY and left > 0)
    if not seen or (in_vain and _nothing_else(attempt)):
        return Decision(outcome=Outcome.REJECT, reasons=decision.reasons[:MAX_REASONS])
    return decision


def _nothing_else(attempt: CheckedAttempt) -> bool:
    """Whether nothing but what is excused is missing."""
    return all(
        one.reasons and set(one.reasons) <= set(one.excused) for one in attempt.checks if one.outcome is not CheckOutcome.PASS
    )


def person_may(case: Case, policy: Policy) -> bool:
    """Whether somebody of the bank can identify the customer without their face: there is a session to do it in, and the policy has the way."""
    return policy.without_face.allowed and case.session_id is not None


def stays_open(attempt: CheckedAttempt, decision: Decision, risk: RiskLevel, *, left: int, person: bool) -> bool:
    """Whether a case goes on although no attempt is left: the last ended through nobody's fault, and a person of the bank can still say who the customer
    is (``person``). Of an attempt whose end nobody saw ``person`` alone decides: no risk was assessed, and whoever vouches for the customer has it assessed."""
    ours = decision.outcome is Outcome.REJECT and is_excused(attempt, decision)
    return ours and left <= 0 and person and risk is not RiskLevel.REJECT
