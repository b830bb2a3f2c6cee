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
ANSWERS = frozenset({"action_before_asked", "action_missed", "action_other", "light_late"})
"""Of an answer that was asked for, and was wrong, late or not given. Where our lateness may be why, it speaks against nobody, and for nobody either."""
TOO_BUSY = frozenset({"deadline_missed", "engine_busy"})
"""The faults of an engine that had too much to do. They come to many at the same time, so all of them would wait for the same few people."""


def another_try(attempt: CheckedAttempt, decision: Decision, *, seen: bool, left: int) -> Decision:
    """A person is asked only where that helps: never with nothing to look at (``seen`` false: no picture was kept); never with a hole, on whatever try and whatever
    else is doubtful: whoever stops the camera before the check that would find them out would be shown to a reviewer with the rest in order; never where the
    answers were not theirs as far as anybody saw (``ANSWERS``); and for an engine that was too busy only where no try is ``left``, or something else is doubtful.
    The reasons name what was excused: all of it to a reviewer, a hole always."""
    if decision.outcome is not Outcome.REFER or not is_excused(attempt, decision):
        return decision
    excused = list(dict.fromkeys(code for one in attempt.checks for code in one.excused))
    holes = [code for code in excused if code in HOLES]
    in_vain = attempt.fault in TOO_BUSY and left > 0 and _nothing_else(attempt)
    if not seen or holes or attempt.fault == STREAM_GAP or in_vain or ANSWERS.intersection(excused):
        return _naming(Outcome.REJECT, decision, holes)
    return _naming(Outcome.REFER, decision, excused)


def _naming(outcome: Outcome, decision: Decision, codes: list[str]) -> Decision:
    """The hole, and what was found, before what there is no room for."""
    return Decision(outcome=outcome, reasons=tuple(dict.fromkeys((*decision.reasons, *codes)))[:MAX_REASONS])


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
