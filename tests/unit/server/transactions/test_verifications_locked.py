"""Five failures in a row lock a customer, over all cases and however many attempts run at once; nothing succeeds inside a lock."""

import asyncio
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from server.api.bodies_verifications import ReviewDecision, Signals
from server.domain.ids import CaseId
from server.errors import StoreUnavailable
from server.services.risk import Risk
from server.services.verification_cases import AttemptsRunning, CustomerLocked
from server.transactions.case import Case, CaseState
from server.transactions.decision import BROKEN_OFF, AttemptKind, CheckedAttempt, CheckOutcome, Outcome
from server.transactions.lock import Failures
from server.transactions.policy import Check
from server.transactions.risk.engine import Whom
from server.transactions.risk.lists import Identifiers
from server.transactions.risk.result import RiskLevel
from server.transactions.token import verify_decision
from tests.support import cases
from tests.support.bank_place import DETAILS, PASSWORD, BankPlace, takes
from tests.support.records import at

FAILED = cases.attempt(checks=(cases.check(Check.MATCH, CheckOutcome.FAIL, "no_match"),))


@pytest.fixture
def place(tmp_path: Path) -> BankPlace:
    return BankPlace(tmp_path)


async def referred(place: BankPlace, **fields: Any) -> CaseId:
    id = await place.ready(**fields)
    place.refer_risk()
    await place.live(id)
    return id


@pytest.mark.campaign(6)
async def test_five_failures_lock_a_customer_over_all_cases(place: BankPlace) -> None:
    first, second, other = await place.ready(), await place.ready(), await place.ready(customer="c-2")
    for id in (first, first, first, second):
        await place.live(id, FAILED)
    assert (await place.case(second)).state is CaseState.OPEN
    _, _, case = await place.live(second, FAILED)
    assert (case.state, case.result) == (CaseState.LOCKED, "")
    with pytest.raises(CustomerLocked):
        await place.asked()
    assert (await place.live(other))[2].state is CaseState.ACCEPTED
    assert ("customer.locked", second, {"failures": "5"}) in await place.audit()
    place.clock.mono = 86_399
    with pytest.raises(CustomerLocked):
        await place.asked()
    place.clock.mono = 86_400
    assert (await place.live(await place.ready()))[2].state is CaseState.ACCEPTED


@pytest.mark.campaign(6)
async def test_a_case_that_is_open_when_the_customer_is_locked(place: BankPlace) -> None:
    waiting = await place.ready()
    for id in [await place.ready(), await place.ready()]:
        for _ in range(3):
            if (await place.case(id)).state is CaseState.OPEN:
                await place.live(id, FAILED)
    with pytest.raises(CustomerLocked):
        await place.live(waiting)
    assert (await place.case(waiting)).attempts_used == 0
    await place.verifications.unlock(place.reviewer("BOSS"), "c-1")
    await place.verifications.unlock(place.reviewer("BOSS"), "c-1")
    unlocked = [(subject, details) for action, subject, details in await place.audit() if action == "customer.unlocked"]
    async with place.store.read() as tx:
        latest = await tx.latest_case("c-1")
    assert latest is not None
    assert unlocked == [(latest.id, {"failures": "5", "was": "locked"})]
    assert (await place.live(waiting))[2].state is CaseState.ACCEPTED


async def real_risk(place: BankPlace) -> Risk:
    """With the rules that are shipped, at noon."""
    risk = Risk(place.store, place.clock, place.make.id, place.policies, Identifiers(bytes(32)), UTC)
    await risk.load()
    place.risk = risk  # type: ignore[assignment]
    place.anew()
    return risk


async def test_who_was_unlocked_is_not_refused_by_the_rules_for_the_same_failures(place: BankPlace) -> None:
    await real_risk(place)
    signals = Signals(device="d-1", address="192.0.2.1")
    for _ in range(5):
        await place.live(await place.ready(signals=signals), FAILED)
    await place.verifications.unlock(place.reviewer("BOSS"), "c-1")
    place.clock.mono += 3600
    assert (await place.live(await place.ready(signals=signals)))[2].state is CaseState.ACCEPTED


async def test_what_counts_for_the_rules(place: BankPlace) -> None:
    """Failures wherever they are counted: cancelled attempts and declines too; attempts from when they begin; a device from an approval on."""
    signals = Signals(device="d-1", address="192.0.2.1")
    attempts = place.verifications.attempts
    id = await place.ready(signals=signals)
    await attempts.begin_attempt(id, AttemptKind.LIVE, "PA_X")
    whom = Whom(customer="c-1", device="d-1", address="192.0.2.1")
    assert place.risk.notes == [("begun", whom)]
    await place.verifications.cancel(place.bank, id)
    assert place.risk.notes[1:] == [("failed", whom)]
    reviews = place.verifications.reviews
    await reviews.review(place.reviewer(), await referred(place, signals=signals), ReviewDecision.DECLINE, "another")
    assert place.risk.notes[2:] == [("begun", whom), ("failed", whom)]
    await reviews.review(place.reviewer(), await referred(place, signals=signals), ReviewDecision.APPROVE, "the same")
    assert place.risk.notes[4:] == [("begun", whom), ("passed", whom)]
    id = await place.ready(signals=signals)
    attempt = await attempts.begin_attempt(id, AttemptKind.LIVE, "PA_X")
    await attempts.abandon_attempt(attempt, "PA_X", StoreUnavailable("x"))
    assert place.risk.notes[6:] == [("begun", whom)], "excused"
    assert place.risk.asked[-1].counted


async def test_a_review_that_nobody_makes_in_time(place: BankPlace) -> None:
    """No failure, but not without end: who is referred at will would try each night."""
    for number in range(1, 7):
        await referred(place)
        place.clock.mono += 600
        await place.verifications.settle_due()
        failures = await _failures(place)
        assert failures is not None
        assert (failures.excused, failures.count) == (number, number - 5 if number > 5 else 0)


async def test_a_success_begins_the_count_anew(place: BankPlace) -> None:
    for _ in range(3):
        id = await place.ready()
        await place.live(id, FAILED)
        await place.live(id, FAILED)
        await place.live(id)
    assert (await place.asked()).state == "open"


@pytest.mark.campaign(6)
async def test_what_breaks_here_is_not_the_customers_failure(place: BankPlace) -> None:
    """Not for ever: whoever can make it break would try without end."""
    case = await show(place, cases.attempt(fault="worker_gone"), 5)
    assert case.decided is not None
    assert case.decided.reasons == ("worker_gone",)
    failures = await _failures(place)
    assert failures is not None
    assert (failures.count, failures.excused) == (0, 5)
    await show(place, cases.attempt(fault="worker_gone"), 4)
    assert (await place.asked()).state == "open"
    assert (await show(place, cases.attempt(fault="worker_gone"), 1)).state is CaseState.LOCKED


async def show(place: BankPlace, checked: CheckedAttempt, times: int) -> Case:
    """In as many cases as that takes."""
    id = await place.ready()
    for _ in range(times):
        if (await place.case(id)).state is not CaseState.OPEN:
            id = await place.ready()
        _, _, case = await place.live(id, checked)
    return case


@pytest.mark.campaign(6)
@pytest.mark.parametrize("why", sorted(BROKEN_OFF))
async def test_what_a_person_breaks_off_is_a_failure(place: BankPlace, why: str) -> None:
    """Else whoever sees that it goes badly would break off each time. Nobody may approve it either, whatever the policy says."""
    (place.own / "own.toml").write_text(PASSWORD + f"\n[refer]\nreasons = [{why!r}]\n", encoding="utf-8")
    (place.own / "password.toml").unlink()
    place.policies.reload()
    case = await show(place, cases.attempt(fault=why), 5)
    assert case.state is CaseState.LOCKED
    assert case.decided is not None
    assert case.decided.reasons == (why,)
    assert [word for word, _ in place.risk.notes] == ["begun", "failed"] * 5


@pytest.mark.campaign(6)
async def test_whoever_keeps_the_engine_busy_has_no_tries_without_end_and_few_reviewers(place: BankPlace) -> None:
    """One review for all the tries of a case, and ten tries in a row over all cases."""
    missed = msgspec.structs.replace(cases.check(Check.CHALLENGE, CheckOutcome.REFER, "stream_rate"), excused=("stream_rate",))
    busy = cases.attempt(fault="engine_busy", checks=(cases.check(Check.MATCH), missed))
    states = []
    for _ in range(3):
        id = await place.ready()
        states += [(await place.live(id, busy))[2].state for _ in range((await place.case(id)).attempts_allowed)]
    assert states == [CaseState.OPEN, CaseState.OPEN, CaseState.REVIEW] * 3
    failures = await _failures(place)
    assert failures is not None
    assert (failures.excused, failures.count) == (9, 4)
    assert (await show(place, busy, 1)).state is CaseState.LOCKED
    with pytest.raises(CustomerLocked):
        await place.asked()


async def test_nothing_can_be_tried_again_in_a_case_whose_time_is_over(place: BankPlace) -> None:
    id = await place.ready()
    attempt = await place.verifications.attempts.begin_attempt(id, AttemptKind.LIVE, "PA_X")
    busy = cases.attempt(fault="engine_busy", checks=(cases.check(Check.MATCH),))
    checked, digest = await place.verifications.evidence.keep(attempt, busy, cases.MATERIAL)
    case = await place.case(id)
    place.clock.mono += (case.expires_at - place.clock.now()).total_seconds() + 1
    assert case.attempt_until is not None
    until = msgspec.structs.replace(case, attempt_until=place.clock.now() + timedelta(seconds=20))
    async with place.store.begin() as tx:
        await tx.save_case(until)
    _, _, after = await place.verifications.attempts.finish_attempt(attempt, checked, "PA_X", evidence=digest)
    assert (after.state, after.attempts_used) == (CaseState.REVIEW, 1)


@pytest.mark.campaign(6)
@pytest.mark.parametrize("how", ["killed", "stopped", "broken"])
async def test_what_ends_through_us_is_no_failure_unless_there_is_no_end_of_it(place: BankPlace, how: str) -> None:
    """A server that is killed, one that is stopped in order, a store that does not take the result."""
    reason = {"killed": "attempt_lost", "stopped": "attempt_cut", "broken": "attempt_broken"}[how]
    for number in range(1, 11):
        id = await place.ready()
        attempt = await place.verifications.attempts.begin_attempt(id, AttemptKind.LIVE, "PA_X")
        if how == "killed":
            place.anew()
            place.clock.mono += 150
            await place.verifications.settle_due()
        else:
            error = asyncio.CancelledError() if how == "stopped" else StoreUnavailable("busy")
            await place.verifications.attempts.abandon_attempt(attempt, "PA_X", error)
        failures = await _failures(place)
        assert failures is not None
        assert (failures.excused, failures.count) == (number, max(0, number - 5))
        case = await place.case(id)
        assert case.attempts_used == 1
        assert case.decided is not None
        assert case.decided.reasons == (reason,)
        ended = [more for action, about, more in await place.audit() if (action, about) == ("verification.attempt_ended", id)]
        assert ended == [{"attempt": attempt.id, "outcome": "abandoned", "reasons": reason}]
    with pytest.raises(CustomerLocked):
        await place.asked()
    assert [action for action, _, _ in await place.audit()].count("customer.locked") == 1


async def test_an_upload_that_takes_longer_than_a_request_may(place: BankPlace) -> None:
    """The server cuts it off: the attempt is used up, and it is no failure."""
    waits = asyncio.Event()

    async def slow(*_: Any, **__: Any) -> Any:
        waits.set()
        await asyncio.Event().wait()

    place.workers.liveness = slow  # type: ignore[method-assign]
    id = await place.ready("test_pictures")
    upload = asyncio.create_task(place.verifications.attempts.upload(place.bank, id, takes()))
    await waits.wait()
    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload
    case, failures = await place.case(id), await _failures(place)
    assert case.decided is not None
    assert failures is not None
    assert (case.attempts_used, case.decided.reasons) == (1, ("attempt_cut",))
    assert (failures.count, failures.excused) == (0, 1)


async def test_the_right_face_while_the_store_is_busy(place: BankPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures that match, and nobody can write that down: five times no failure."""

    async def busy(*_: Any, **__: Any) -> Any:
        raise StoreUnavailable("writers wait")

    with monkeypatch.context() as patched:
        patched.setattr(place.verifications.attempts, "finish_attempt", busy)
        for _ in range(5):
            id = await place.ready("test_pictures")
            with pytest.raises(StoreUnavailable):
                await place.verifications.attempts.upload(place.bank, id, takes())
    failures = await _failures(place)
    assert failures is not None
    assert (failures.count, failures.excused) == (0, 5)
    _, _, case = await place.verifications.attempts.upload(place.bank, await place.ready("test_pictures"), takes())
    assert case.state is CaseState.ACCEPTED
    assert await _failures(place) is None, "a success begins both counts anew"


async def _failures(place: BankPlace, customer: str = "c-1") -> Failures | None:
    async with place.store.read() as tx:
        return await place.verifications.cases.failures(tx, customer)


async def _fails(place: BankPlace, times: int) -> None:
    """In cases of their own."""
    for _ in range(times):
        id = await place.ready()
        await place.live(id, FAILED)


@pytest.mark.campaign(6)
async def test_taking_a_case_back_breaks_its_attempt_off(place: BankPlace) -> None:
    """A bank's app has a button for that."""
    attempts = place.verifications.attempts
    for number in range(1, 6):
        id = await place.ready()
        running = await attempts.begin_attempt(id, AttemptKind.LIVE, "PA_X")
        cancelled = await place.verifications.cancel(place.bank, id)
        assert (cancelled.state, cancelled.result) == ("cancelled", None)
        async with place.store.read() as tx:
            attempt = await tx.get_attempt(running.id)
        assert attempt is not None
        assert (attempt.ended_at, attempt.outcome, attempt.reasons) == (at(0), None, ("attempt_abandoned",))
        failures = await _failures(place)
        assert failures is not None
        assert (failures.count, failures.locked_until is not None) == (number, number == 5)
        ended = [
            details
            for action, subject, details in await place.audit()
            if (action, subject) == ("verification.attempt_ended", id)
        ]
        assert ended == [{"attempt": running.id, "outcome": "abandoned", "reasons": "attempt_abandoned"}]
        assert await attempts.abandon_attempt(running, "PA_X", StoreUnavailable("x")) == await place.case(id), "once"
    with pytest.raises(CustomerLocked):
        await place.asked()


async def test_taking_a_case_back_in_which_nothing_runs_is_no_failure(place: BankPlace) -> None:
    for id in (await place.ready(), await referred(place)):
        await place.verifications.cancel(place.bank, id)
    assert await _failures(place) is None
    actions = [action for action, _, _ in await place.audit()]
    assert actions.count("verification.attempt_ended") == 1, "that of the one that was referred"


@pytest.mark.campaign(6)
async def test_attempts_that_run_count_with_the_failures(place: BankPlace) -> None:
    """Else as many as could run at once would be tried after the fifth failure."""
    attempts = place.verifications.attempts
    ids = [await place.ready() for _ in range(7)]
    running = [await attempts.begin_attempt(id, AttemptKind.LIVE, "PA_X") for id in ids[:5]]
    with pytest.raises(AttemptsRunning, match="run already"):
        await attempts.begin_attempt(ids[5], AttemptKind.LIVE, "PA_X")
    assert (await place.case(ids[5])).attempts_used == 0
    other = await place.ready(customer="c-2")
    assert (await place.live(other))[2].state is CaseState.ACCEPTED
    for attempt in running[:4]:
        await attempts.finish_attempt(attempt, FAILED, "PA_X", evidence=cases.EVIDENCE)
    with pytest.raises(AttemptsRunning):
        await attempts.begin_attempt(ids[5], AttemptKind.LIVE, "PA_X")
    _, _, case = await attempts.finish_attempt(running[4], FAILED, "PA_X", evidence=cases.EVIDENCE)
    assert case.state is CaseState.LOCKED
    with pytest.raises(CustomerLocked):
        await attempts.begin_attempt(ids[6], AttemptKind.LIVE, "PA_X")
    failures = await _failures(place)
    assert failures is not None
    assert failures.count == 5


@pytest.mark.campaign(6)
@pytest.mark.parametrize("level", [RiskLevel.LOW, RiskLevel.REFER])
async def test_nobody_passes_inside_a_lock(place: BankPlace, level: RiskLevel) -> None:
    """Begun before it, finished in it: a lock that a review's decline made."""
    waits = await referred(place)
    place.risk.result = cases.risk(level)
    begun = await place.ready()
    attempt = await place.verifications.attempts.begin_attempt(begun, AttemptKind.LIVE, "PA_X")
    await _fails(place, 4)
    await place.verifications.reviews.review(place.reviewer(), waits, ReviewDecision.DECLINE, "another person")
    failures = await _failures(place)
    assert failures is not None
    assert failures.locked_until is not None
    decision, _, case = await place.verifications.attempts.finish_attempt(
        attempt, cases.attempt(), "PA_X", evidence=cases.EVIDENCE
    )
    assert (decision.outcome, decision.reasons[0]) == (Outcome.REJECT, "customer_locked")
    assert (case.state, case.result) == (CaseState.OPEN, "")
    assert await _failures(place) == failures, "neither lifted nor counted"
    assert place.risk.notes[-1][0] == "failed", "that of the review"
    with pytest.raises(CustomerLocked):
        await place.live(begun)
    place.risk.result = cases.risk()
    await place.verifications.unlock(place.reviewer("BOSS"), "c-1")
    assert (await place.live(begun))[2].state is CaseState.ACCEPTED


@pytest.mark.campaign(6)
async def test_an_agent_approves_nobody_out_of_a_lock(place: BankPlace) -> None:
    waits, later = await referred(place), await referred(place)
    place.risk.result = cases.risk()
    await _fails(place, 5)
    failures = await _failures(place)
    case = await place.verifications.reviews.review(place.reviewer(), waits, ReviewDecision.APPROVE, "a face I know")
    assert case.state is CaseState.REJECTED
    claims = verify_decision(
        case.result, msgspec.to_builtins(place.verifications.key_set()), details=DETAILS, audience=place.bank.actor, now=at(0)
    )
    assert (claims.accepted, claims.reasons) == (False, ("customer_locked", "risk_referred"))
    assert await _failures(place) == failures
    with pytest.raises(CustomerLocked):
        await place.asked()
    await place.verifications.unlock(place.reviewer("BOSS"), "c-1")
    case = await place.verifications.reviews.review(place.reviewer(), later, ReviewDecision.APPROVE, "a face I know")
    assert case.state is CaseState.ACCEPTED
