"""Five failures of one customer, over all their cases, and nothing is asked of them for a while. Sans-I/O.

Commission Delegated Regulation (EU) 2018/389, Article 4(3)(b): at most five failed attempts in a row. A success begins the count anew, and so does a
whole ``lock_s`` without a failure. An attempt that runs counts as the failure that it may become (``may_begin``), and nothing succeeds inside a lock
(``inside_lock``): no more than five can be tried in a row, however many run at once.

An attempt that ended through us is no failure unless something was found before that; and, referred or not, ``MAX_EXCUSED`` times only: whoever finds out
how to make us end one would try without end.
"""

from datetime import datetime, timedelta

import msgspec

from server.transactions.case import ABANDONED, CUSTOMER_LOCKED, Attempt
from server.transactions.decision import (
    DECISION_FAULT,
    MALFORMED,
    MAX_REASONS,
    CheckedAttempt,
    CheckOutcome,
    Decision,
    Outcome,
    is_ours,
)

MAX_FAILURES = 5
MAX_EXCUSED = 5
NOT_THEIRS = frozenset({DECISION_FAULT, MALFORMED, "risk_rejected", "upload_not_allowed"})
"""Reasons that say nothing of whether the right person was there."""


KEYED = "~"
"""What a keyed digest begins with; no pseudonym does."""


class Failures(msgspec.Struct, frozen=True, kw_only=True):
    """Of one customer, by a keyed digest of the bank's pseudonym (``keyed``): it says nothing of whom. ``locked_until``: None while they may try. ``excused``: attempts that ended through us, the last of them at
    ``excused_at``."""

    customer: str
    count: int
    last_at: datetime
    locked_until: datetime | None = None
    excused: int = 0
    excused_at: datetime | None = None


def keyed(digest: bytes) -> str:
    """The customer of ``Failures``."""
    return f"{KEYED}{digest.hex()}"


def is_failure(attempt: CheckedAttempt, decision: Decision) -> bool:
    """Whether it counts: a refusal for what was shown, or broken off by the person; not for what broke here."""
    if decision.outcome is not Outcome.REJECT or is_excused(attempt, decision) or CUSTOMER_LOCKED in decision.reasons:
        return False
    return any(reason not in NOT_THEIRS for reason in decision.reasons)


def is_excused(attempt: CheckedAttempt, decision: Decision) -> bool:
    """Whether it ended through us, and nothing that was seen until then was an attack: they may try again, or are referred."""
    ours = is_ours(attempt.fault) and all(one.outcome is not CheckOutcome.FAIL for one in attempt.checks)
    return decision.outcome is not Outcome.ACCEPT and ours and CUSTOMER_LOCKED not in decision.reasons


def ended_through_us(attempt: Attempt) -> bool:
    """The same of the record of an attempt, whenever it is asked: also of one whose end nobody saw. What the bank took back is theirs."""
    if attempt.ended_at is None:
        return False
    if attempt.checked is None or attempt.outcome is None:
        return ABANDONED not in attempt.reasons
    return is_excused(attempt.checked, Decision(outcome=attempt.outcome, reasons=attempt.reasons))


def failed(before: Failures | None, customer: str, now: datetime, *, lock_s: int) -> Failures:
    """After one more failure."""
    count = in_a_row(before, now, lock_s=lock_s) + 1
    locked = now + timedelta(seconds=lock_s) if count >= MAX_FAILURES else None
    after = before or Failures(customer=customer, count=0, last_at=now)
    return msgspec.structs.replace(after, count=count, last_at=now, locked_until=locked)


def excused(before: Failures | None, customer: str, now: datetime, *, lock_s: int) -> Failures:
    """After one more that ended through us. From the sixth on within ``lock_s`` each is a failure."""
    after = before or Failures(customer=customer, count=0, last_at=now)
    recent = after.excused_at is not None and now < after.excused_at + timedelta(seconds=lock_s)
    count = after.excused + 1 if recent else 1
    if count > MAX_EXCUSED:
        after = failed(after, customer, now, lock_s=lock_s)
    return msgspec.structs.replace(after, excused=count, excused_at=now)


def is_locked(failures: Failures | None, now: datetime) -> bool:
    return failures is not None and failures.locked_until is not None and now < failures.locked_until


def in_a_row(failures: Failures | None, now: datetime, *, lock_s: int) -> int:
    """How many count now."""
    return 0 if failures is None or now >= failures.last_at + timedelta(seconds=lock_s) else failures.count


def may_begin(failures: Failures | None, running: int, now: datetime, *, lock_s: int) -> bool:
    """Whether one more attempt may run beside the ``running`` ones of this customer: should all of them fail, that is five at most."""
    return in_a_row(failures, now, lock_s=lock_s) + running < MAX_FAILURES


def inside_lock(decision: Decision) -> Decision:
    """What is left of a decision while the customer is locked: nobody passes, and nobody is asked to let them pass."""
    if decision.outcome is Outcome.REJECT:
        return decision
    return Decision(outcome=Outcome.REJECT, reasons=(CUSTOMER_LOCKED, *decision.reasons)[:MAX_REASONS])
