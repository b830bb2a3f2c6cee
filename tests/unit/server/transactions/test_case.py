"""What may become of a case: every cell of the table, and every order of events that Hypothesis finds."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.ids import ApiKeyId, AttemptId, CaseId, StaffId
from server.transactions import lock
from server.transactions.case import (
    ENDED,
    IN_REVIEW,
    TRANSITIONS,
    Abandon,
    Attempt,
    Begin,
    Cancel,
    Case,
    CaseState,
    Decided,
    Event,
    Expire,
    Finish,
    Hold,
    Identified,
    Identify,
    Lock,
    Overdue,
    Proof,
    Release,
    Review,
    Reviewed,
    WrongState,
    abandoned,
    apply,
    due,
    finished,
    next_due,
)
from server.transactions.decision import AttemptKind, Decision, Outcome
from server.transactions.risk.result import RiskLevel
from tests.support.cases import HASH, attempt, risk
from tests.support.records import at

LI, WANG = StaffId("ST_LI"), StaffId("ST_WANG")


def new(**fields: Any) -> Case:
    return Case(
        id=CaseId("VE_1"), type="card_loss_report", customer="c-1", state=CaseState.OPEN, details_hash="h", key=b"k", sealed=b"s",
        reference_key=b"r", reference_sealed=b"t", policy_hash=HASH, consent="consents/1", created_at=at(0), created_by=ApiKeyId("AK_1"),
        expires_at=at(900), attempts_allowed=3, due_at=at(900),
    ) if not fields else msgspec.structs.replace(new(), **fields)  # fmt: skip


def decided(outcome: Outcome, *reasons: str) -> Decided:
    return Decided(outcome=outcome, reasons=reasons, assurance=AttemptKind.LIVE, risk_level=RiskLevel.LOW, pack_hash=HASH)


def begin(number: int = 1) -> Begin:
    return Begin(attempt=AttemptId(f"AT_{number}"), attempt_s=120)


def finish(outcome: Outcome, *reasons: str) -> Finish:
    return Finish(decided=decided(outcome, *reasons), review_s=3600)


def reviewed(by: StaffId, approved: bool = True, reviewers: int = 1) -> Reviewed:
    return Reviewed(review=Review(by=by, at=at(60), approved=approved, note="seen"), reviewers=reviewers)


def identify(level: RiskLevel = RiskLevel.LOW) -> Identify:
    by = Identified(by=LI, at=at(60), methods=(Proof.DOCUMENT_SEEN, Proof.CALLED_BACK), note="seen")
    return Identify(identified=by, risk_level=level, review_s=600)


def referred(reviewers: int = 1) -> Case:
    case = apply(apply(new(), begin(), at(1)), finish(Outcome.REFER, "pad_unsure"), at(30))
    if reviewers == 2:
        case = apply(case, reviewed(LI, reviewers=2), at(40))
    return case


def sample(state: CaseState) -> Case:
    """A case in this state that came there in the way that cases do."""
    begun = apply(new(), begin(), at(1))
    return {
        CaseState.OPEN: new(),
        CaseState.CHECKING: begun,
        CaseState.REVIEW: referred(),
        CaseState.SECOND_REVIEW: referred(2),
        CaseState.ACCEPTED: apply(begun, finish(Outcome.ACCEPT), at(20)),
        CaseState.REJECTED: apply(referred(), reviewed(LI, approved=False), at(50)),
        CaseState.EXPIRED: apply(new(), Expire(), at(900)),
        CaseState.CANCELLED: apply(new(), Cancel(), at(2)),
        CaseState.LOCKED: apply(new(), Lock(), at(2)),
    }[state]


EVENTS: tuple[Event, ...] = (
    begin(9), identify(), identify(RiskLevel.REFER), finish(Outcome.ACCEPT), finish(Outcome.REFER, "x"), finish(Outcome.REJECT, "no_match"), Abandon(),
    reviewed(WANG), reviewed(WANG, approved=False), reviewed(WANG, reviewers=2), Overdue(), Expire(), Cancel(), Lock(),
    msgspec.structs.replace(reviewed(WANG, reviewers=2), void=(LI,)), Hold(), Release(),
)  # fmt: skip


@pytest.mark.campaign(2)
def test_every_cell_of_the_table() -> None:
    reached: dict[tuple[CaseState, type[Event]], set[CaseState]] = {}
    for state in CaseState:
        assert sample(state).state is state
        for left in (0, 2):
            for event in EVENTS:
                case = msgspec.structs.replace(sample(state), attempts_allowed=sample(state).attempts_used + left)
                try:
                    after = apply(case, event, at(60))
                except WrongState:
                    assert type(event) not in TRANSITIONS[state] or (isinstance(event, Begin) and left == 0)
                else:
                    reached.setdefault((state, type(event)), set()).add(after.state)
                    assert (after.ended_at is not None) == (after.state in ENDED)
    assert reached == {(state, kind): set(to) for state, ways in TRANSITIONS.items() for kind, to in ways.items()}


def test_an_attempt_that_is_accepted() -> None:
    begun = apply(new(), begin(), at(10))
    assert (begun.state, begun.attempt, begun.attempt_until, begun.attempts_used) == ("checking", "AT_1", at(130), 1)
    done = apply(begun, finish(Outcome.ACCEPT), at(40))
    assert (done.state, done.ended_at, done.attempt, done.decided) == ("accepted", at(40), None, decided(Outcome.ACCEPT))
    assert (done.key, done.sealed, done.reference_key, done.reference_sealed) == (b"", b"", b"", b"")
    assert done.details_hash == "h"
    for event in EVENTS:
        with pytest.raises(WrongState, match="It was accepted"):
            apply(done, event, at(41))


def test_attempts_are_counted() -> None:
    case = new()
    for number in (1, 2, 3):
        assert case.state is CaseState.OPEN
        case = apply(apply(case, begin(number), at(number)), finish(Outcome.REJECT, "no_match"), at(number))
    assert (case.state, case.attempts_used, case.decided) == ("rejected", 3, decided(Outcome.REJECT, "no_match"))
    broken_off = apply(apply(new(attempts_allowed=1), begin(), at(1)), Abandon(), at(121))
    assert broken_off.state is CaseState.REJECTED
    assert broken_off.decided is not None
    assert broken_off.decided.reasons == ("attempt_lost",)


def test_an_attempt_ends_with_the_case() -> None:
    late = apply(new(), begin(), at(890))
    assert late.attempt_until == late.expires_at == at(900)
    with pytest.raises(WrongState):
        apply(new(), begin(), at(900))
    assert due(late, at(899)) is None
    first = due(late, at(900))
    assert first == Abandon()
    open_again = apply(late, first, at(900))
    assert due(open_again, at(900)) == Expire()
    assert apply(open_again, Expire(), at(900)).state is CaseState.EXPIRED


def test_time_stands_still_while_the_customer_waits_for_a_person() -> None:
    held = apply(new(waiting_s=600), Hold(), at(800))
    assert (held.state, held.held_at, held.expires_at, next_due(held)) == (CaseState.OPEN, at(800), at(1500), at(1500))
    assert due(held, at(1499)) is None
    assert apply(held, begin(), at(1400)).attempt_until == at(1500), "with the agent who came"
    assert apply(held, Hold(), at(1000)) == held, "again changes nothing"
    alone = apply(held, Release(), at(1000))
    assert (alone.held_at, alone.waiting_s, alone.expires_at, alone.due_at) == (None, 400, at(1100), at(1100)), (
        "what is left is as it was"
    )
    assert apply(alone, Release(), at(1001)) == alone
    again = apply(alone, Hold(), at(1050))
    assert again.expires_at == at(1500), "no more in all than the policy has"
    assert due(again, at(1500)) == Expire()
    late = apply(new(waiting_s=600), Hold(), at(100))
    assert apply(late, Release(), at(1499)).expires_at == late.expires_at == at(1500)


def test_many_short_waits_gain_nothing() -> None:
    case = new(waiting_s=60)
    for second in range(100):
        moment = at(second) + timedelta(milliseconds=900)
        case = apply(apply(case, Hold(), at(second)), Release(), moment)
    assert case.waiting_s == 0
    assert case.expires_at <= at(960)
    assert apply(new(), Hold(), at(1)).expires_at == at(900), "a policy that has none"
    with pytest.raises(WrongState, match="Its time is over"):
        apply(new(waiting_s=60), Hold(), at(900))


def test_an_attempt_that_is_broken_off_by_the_asking_stays_held() -> None:
    begun = apply(new(waiting_s=600), begin(), at(10))
    held = apply(begun, Hold(), at(20))
    assert (held.state, held.attempt_until, held.expires_at) == (CaseState.CHECKING, at(130), at(1500))
    assert apply(held, Abandon(), at(21)).due_at == at(1500)


def test_two_reviewers_are_two_people() -> None:
    case = referred(2)
    with pytest.raises(WrongState, match="Somebody else"):
        apply(case, reviewed(LI, reviewers=2), at(50))
    done = apply(case, reviewed(WANG, reviewers=2), at(50))
    assert done.state is CaseState.ACCEPTED
    assert done.decided is not None
    assert done.decided.reasons == ("approved_in_review", "pad_unsure")
    assert [review.by for review in done.reviews] == [LI, WANG]
    refused = apply(case, reviewed(WANG, approved=False, reviewers=2), at(50))
    assert refused.state is CaseState.REJECTED
    assert refused.decided is not None
    assert (refused.decided.outcome, refused.decided.reasons) == (Outcome.REJECT, ("declined_in_review", "pad_unsure"))


def test_a_review_has_its_time() -> None:
    case = referred()
    assert (case.review_until, next_due(case)) == (at(30 + 3600), at(30 + 3600))
    assert due(case, at(3629)) is None
    assert due(case, at(3630)) == Overdue()
    over = apply(case, Overdue(), at(3630))
    assert over.state is CaseState.REJECTED
    assert over.decided is not None
    assert over.decided.reasons == ("review_overdue", "pad_unsure")
    assert due(over, at(99999)) is None
    assert next_due(over) is None
    assert (next_due(new()), next_due(sample(CaseState.CHECKING))) == (at(900), at(121))


def test_a_person_who_vouches_passes_nobody() -> None:
    waits = apply(new(), identify(), at(60))
    assert (waits.state, waits.attempts_used, waits.review_until) == (CaseState.REVIEW, 0, at(660))
    assert waits.identified == identify().identified
    assert waits.decided == Decided(
        outcome=Outcome.REFER,
        reasons=("identified_by_agent",),
        assurance=AttemptKind.AGENT,
        risk_level=RiskLevel.LOW,
        pack_hash="",
    )
    done = apply(waits, reviewed(WANG), at(70))
    assert done.state is CaseState.ACCEPTED
    assert done.decided is not None
    assert done.decided.reasons == ("approved_in_review", "identified_by_agent")
    risky = apply(new(), identify(RiskLevel.REFER), at(60))
    assert risky.decided is not None
    assert risky.decided.reasons == ("identified_by_agent", "risk_referred")
    with pytest.raises(WrongState):
        apply(new(), identify(), at(900))


def test_what_is_kept_of_an_attempt() -> None:
    begun = Attempt(
        id=AttemptId("AT_1"), case_id=CaseId("VE_1"), number=1, assurance=AttemptKind.LIVE, started_at=at(1), started_by="PA_1",
        until=at(121),
    )  # fmt: skip
    done = finished(begun, attempt(), risk(), Decision(outcome=Outcome.REFER, reasons=("pad_unsure",)), at(20))
    assert (done.outcome, done.reasons, done.ended_at, done.checked, done.risk) == (
        Outcome.REFER, ("pad_unsure",), at(20), attempt(), risk(),
    )  # fmt: skip
    assert abandoned(begun, "attempt_cut", at(30)) == msgspec.structs.replace(begun, ended_at=at(30), reasons=("attempt_cut",))


@pytest.mark.campaign(2)
@given(st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(0, 400)), max_size=30))
def test_any_order_of_events(steps: list[tuple[Event, int]]) -> None:
    """At most one success, never more attempts than allowed, no way back from an end, and nothing kept after one."""
    case, now, accepted = new(waiting_s=500), 0, 0
    for event, wait in steps:
        now += wait
        while (by_time := due(case, at(now))) is not None:
            case = apply(case, by_time, at(now))
        before = case
        try:
            case = apply(case, event, at(now))
        except WrongState:
            assert case is before
            continue
        assert before.state not in ENDED
        accepted += case.state is CaseState.ACCEPTED
        assert case.attempts_used <= case.attempts_allowed
        assert at(900) <= case.expires_at <= at(1400)
        assert (case.attempt is not None) == (case.state is CaseState.CHECKING) == (case.attempt_until is not None)
        assert (case.review_until is not None) == (case.state in IN_REVIEW)
        if case.state in ENDED:
            assert (case.key, case.sealed, case.reference_key, case.reference_sealed) == (b"",) * 4
        if case.state is CaseState.ACCEPTED:
            assert case.decided is not None
            assert case.decided.outcome is Outcome.ACCEPT
        if case.state is CaseState.REJECTED:
            assert case.decided is not None
            assert case.decided.outcome is Outcome.REJECT
    assert accepted <= 1


@pytest.mark.campaign(6)
def test_five_failures_lock() -> None:
    failures = None
    for number in range(1, 6):
        assert not lock.is_locked(failures, at(number))
        failures = lock.failed(failures, "c-1", at(number), lock_s=3600)
        assert failures.count == number
    assert failures is not None
    assert failures.locked_until == at(3605)
    assert lock.is_locked(failures, at(5))
    assert lock.is_locked(failures, at(3604))
    assert not lock.is_locked(failures, at(3605))
    assert lock.failed(failures, "c-1", at(3605), lock_s=3600).count == 1


def test_failures_that_are_far_apart_are_not_in_a_row() -> None:
    failures = lock.failed(None, "c-1", at(0), lock_s=3600)
    assert lock.failed(failures, "c-1", at(3599), lock_s=3600).count == 2
    assert lock.failed(failures, "c-1", at(3600), lock_s=3600) == lock.Failures(customer="c-1", count=1, last_at=at(3600))
    assert timedelta(0) < at(3600) - failures.last_at


@pytest.mark.campaign(6)
def test_what_ends_through_us_is_excused_five_times() -> None:
    failures = lock.Failures(customer="c-1", count=0, last_at=at(0))
    for number in range(1, 6):
        failures = lock.excused(failures, "c-1", at(number), lock_s=3600)
        assert (failures.count, failures.excused) == (0, number)
    assert lock.failed(failures, "c-1", at(6), lock_s=3600) == msgspec.structs.replace(failures, count=1, last_at=at(6))
    sixth = lock.excused(failures, "c-1", at(7), lock_s=3600)
    assert (sixth.count, sixth.excused, sixth.last_at, sixth.locked_until) == (1, 6, at(7), None)
    later = lock.excused(failures, "c-1", at(3605), lock_s=3600)
    assert (later.count, later.excused) == (0, 1)
    for number in range(8, 12):
        sixth = lock.excused(sixth, "c-1", at(number), lock_s=3600)
    assert (sixth.count, sixth.locked_until) == (5, at(3611))
    again = lock.excused(msgspec.structs.replace(sixth, excused=0), "c-1", at(12), lock_s=3600)
    assert (again.count, again.locked_until) == (5, at(3611)), "neither lifted nor made longer"


@pytest.mark.campaign(6)
@given(st.lists(st.tuples(st.sampled_from(("begin", "fail", "pass", "ours")), st.integers(0, 40)), max_size=90))
def test_no_more_than_ten_in_a_row_whoever_ends_them(steps: list[tuple[str, int]]) -> None:
    """Five failures, and five that ended through us."""
    failures, running, now, since = None, 0, 0, 0
    for what, wait in steps:
        now += wait
        if what == "begin":
            if not lock.is_locked(failures, at(now)) and lock.may_begin(failures, running, at(now), lock_s=100_000):
                running += 1
        elif running:
            running -= 1
            if what == "pass" and not lock.is_locked(failures, at(now)):
                failures, since = None, 0
            elif what != "pass":
                failures = (lock.failed if what == "fail" else lock.excused)(failures, "c-1", at(now), lock_s=100_000)
                since += 1
        assert since <= lock.MAX_FAILURES + lock.MAX_EXCUSED
        assert since < 10 or lock.is_locked(failures, at(now))


@pytest.mark.campaign(6)
@given(st.lists(st.tuples(st.sampled_from(("begin", "fail", "pass")), st.integers(0, 40)), max_size=60))
def test_no_more_than_five_in_a_row_however_many_run_at_once(steps: list[tuple[str, int]]) -> None:
    failures, running, now, failed_since = None, 0, 0, 0
    for what, wait in steps:
        now += wait
        if what == "begin":
            if not lock.is_locked(failures, at(now)) and lock.may_begin(failures, running, at(now), lock_s=100_000):
                running += 1
        elif running:
            running -= 1
            decision = Decision(outcome=Outcome.ACCEPT, reasons=())
            if lock.is_locked(failures, at(now)):
                decision = lock.inside_lock(decision)
            if what == "pass" and decision.outcome is Outcome.ACCEPT:
                failures, failed_since = None, 0
            elif what == "fail":
                failures, failed_since = lock.failed(failures, "c-1", at(now), lock_s=100_000), failed_since + 1
        assert failed_since <= lock.MAX_FAILURES
        assert lock.is_locked(failures, at(now)) == (failed_since == lock.MAX_FAILURES)


def test_nothing_succeeds_inside_a_lock() -> None:
    refused = Decision(outcome=Outcome.REJECT, reasons=("no_match",))
    assert lock.inside_lock(refused) == refused
    for outcome, reasons in ((Outcome.ACCEPT, ()), (Outcome.REFER, ("risk_referred",))):
        found = lock.inside_lock(Decision(outcome=outcome, reasons=reasons))
        assert found == Decision(outcome=Outcome.REJECT, reasons=("customer_locked", *reasons))
        assert not lock.is_failure(attempt(), found)
    assert lock.is_failure(attempt(), refused)


def test_what_is_approved_while_the_customer_is_locked_is_rejected() -> None:
    begun = apply(new(), begin(), at(0))
    waits = apply(begun, Finish(decided=decided(Outcome.REFER, "pad_unsure"), review_s=600), at(1))
    first = Reviewed(review=Review(by=LI, at=at(2), approved=True, note=""), reviewers=2, against="customer_locked")
    second = Reviewed(review=Review(by=WANG, at=at(3), approved=True, note=""), reviewers=2, against="customer_locked")
    case = apply(apply(waits, first, at(2)), second, at(3))
    assert (case.state, len(case.reviews)) == (CaseState.REJECTED, 2)
    assert case.decided is not None
    assert (case.decided.outcome, case.decided.reasons) == (Outcome.REJECT, ("customer_locked", "pad_unsure"))
