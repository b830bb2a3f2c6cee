"""The contract of ``server.store.ports``, fifth part: transactions to be verified, their attempts, policies and failures."""

import asyncio

import msgspec
import pytest

from server.domain.ids import ApiKeyId, AttemptId, CaseId, SessionId, StaffId
from server.domain.model import Session, SessionKind, SessionStatus
from server.errors import Conflict, Invalid, NotFound
from server.store.ports import Store
from server.transactions.case import (
    Begin,
    Cancel,
    Case,
    Decided,
    Finish,
    Identified,
    Identify,
    Proof,
    Review,
    Reviewed,
    apply,
    finished,
)
from server.transactions.decision import AttemptKind, Decision, Outcome
from server.transactions.lock import Failures, excused, failed
from server.transactions.risk.result import RiskLevel
from tests.support import cases
from tests.support.records import Records, at

POLICY = cases.policy()


async def keep(store: Store, *kept: Case) -> None:
    async with store.begin() as tx:
        await tx.keep_policy(POLICY.hash, POLICY.canonical)
        for case in kept:
            await tx.add_case(case)


def referred(case: Case, seconds: float, review_s: int = 600) -> Case:
    decided = Decided(
        outcome=Outcome.REFER,
        reasons=("pad_unsure",),
        assurance=AttemptKind.CLIP,
        risk_level=RiskLevel.REFER,
        pack_hash="ab" * 32,
    )
    begun = apply(case, Begin(attempt=AttemptId("AT_1"), attempt_s=60), at(seconds))
    return apply(begun, Finish(decided=decided, review_s=review_s), at(seconds))


async def test_a_case_comes_back_equal(store: Store, make: Records, session: Session) -> None:
    case = make.case(policy_hash=POLICY.hash, session=session.id)
    await keep(store, case)
    async with store.read() as tx:
        assert await tx.get_case(case.id) == case
        assert await tx.get_case(CaseId("VE_X")) is None
    waits = referred(case, 5)
    review = Review(by=StaffId("ST_1"), at=at(7), approved=True, note="同一个人")
    done = apply(waits, Reviewed(review=review, reviewers=1), at(7))
    done = msgspec.structs.replace(done, result="a.b.c", result_until=at(300), redeemed_at=at(9))
    vouched = Identified(by=StaffId("ST_2"), at=at(3), methods=(Proof.DOCUMENT_SEEN, Proof.CALLED_BACK), note="看过")
    identified = apply(case, Identify(identified=vouched, risk_level=RiskLevel.REFER, review_s=60), at(3))
    for later in (waits, done, identified):
        async with store.begin() as tx:
            await tx.save_case(later)
        async with store.read() as tx:
            assert await tx.get_case(case.id) == later


async def test_what_is_sealed_of_them_is_found(store: Store, make: Records) -> None:
    """To be put under another master key."""
    first, second, third, ended = sorted((make.case(policy_hash=POLICY.hash) for _ in range(4)), key=lambda one: one.id)
    second = msgspec.structs.replace(second, key=b"", reference_key=b"key")
    ended = msgspec.structs.replace(ended, key=b"", sealed=b"")
    await keep(store, third, ended, second, first)
    async with store.read() as tx:
        assert await tx.sealed_cases("", 2) == [first, second]
        assert await tx.sealed_cases(second.id, 10) == [third]
        assert await tx.sealed_cases(third.id, 10) == []
        with pytest.raises(ValueError, match="limit"):
            await tx.sealed_cases("", 0)


async def test_attempts_come_back_equal(store: Store, make: Records) -> None:
    case, other = make.case(policy_hash=POLICY.hash), make.case(policy_hash=POLICY.hash)
    await keep(store, case, other)
    first, second, elsewhere = make.attempt(case.id), make.attempt(case.id, 2), make.attempt(other.id)
    async with store.begin() as tx:
        for one in (second, first, elsewhere):
            await tx.add_attempt(one)
    decision = Decision(outcome=Outcome.REJECT, reasons=("no_match", "risk_rejected"))
    checked = cases.attempt(match_score=None, fault="engine_lost")
    done = finished(first, checked, cases.risk(RiskLevel.REJECT), decision, at(9))
    async with store.begin() as tx:
        await tx.save_attempt(done)
    async with store.read() as tx:
        assert await tx.list_attempts(case.id) == [done, second]
        assert await tx.get_attempt(first.id) == done
        assert await tx.get_attempt(AttemptId("AT_X")) is None
    with pytest.raises(Conflict):
        async with store.begin() as tx:
            await tx.add_attempt(make.attempt(case.id, 2))


async def test_what_is_refused(store: Store, make: Records) -> None:
    case = make.case(policy_hash=POLICY.hash)
    for wrong in (case, msgspec.structs.replace(make.case(policy_hash=POLICY.hash), session_id=SessionId("SE_X"))):
        with pytest.raises(NotFound):
            async with store.begin() as tx:
                await tx.add_case(wrong)
        async with store.begin() as tx:
            await tx.keep_policy(POLICY.hash, POLICY.canonical)
    with pytest.raises(NotFound):
        async with store.begin() as tx:
            await tx.save_case(case)
    with pytest.raises(NotFound):
        async with store.begin() as tx:
            await tx.add_attempt(make.attempt(case.id))
    with pytest.raises(NotFound):
        async with store.begin() as tx:
            await tx.save_attempt(make.attempt(case.id))
    with pytest.raises(Invalid):
        async with store.begin() as tx:
            await tx.add_case(msgspec.structs.replace(case, customer="\0"))
    await keep(store, case)
    with pytest.raises(Conflict):
        await keep(store, case)
    async with store.read() as tx:
        with pytest.raises(RuntimeError):
            await tx.add_case(make.case(policy_hash=POLICY.hash))
        with pytest.raises(RuntimeError):
            await tx.keep_policy(POLICY.hash, POLICY.canonical)


async def test_policies_are_kept_once(store: Store) -> None:
    async with store.begin() as tx:
        await tx.keep_policy("a", b"first")
        await tx.keep_policy("a", b"second")
    async with store.read() as tx:
        assert await tx.get_policy("a") == b"first"
        assert await tx.get_policy("b") is None


async def test_the_queue_of_reviews(store: Store, make: Records) -> None:
    made = [make.case(policy_hash=POLICY.hash) for _ in range(4)]
    late, soon, second = referred(made[0], 50), referred(made[1], 10), referred(made[2], 30)
    review = Review(by=StaffId("ST_1"), at=at(31), approved=True, note="")
    second = apply(second, Reviewed(review=review, reviewers=2), at(31))
    await keep(store, late, soon, second, made[3])
    async with store.read() as tx:
        assert await tx.reviewed_cases(10) == [soon, second, late]
        assert await tx.reviewed_cases(1) == [soon]
        with pytest.raises(ValueError, match="limit"):
            await tx.reviewed_cases(0)
        assert soon.review_until is not None
        after = (soon.review_until, str(soon.id))
        assert await tx.reviewed_cases(10, after) == [second, late]
        assert await tx.reviewed_cases(1, after) == [second]
        assert await tx.reviewed_cases(10, type="nobody_has_this") == []
        assert await tx.reviewed_cases(10, after, type=late.type) == [second, late]
        assert await tx.reviewed_cases(10, due_before=second.review_until) == [soon, second]
        assert await tx.reviewed_cases(10, after, due_before=soon.review_until) == []
        assert await tx.count_reviewed() == {soon.type: 3}
    same = [referred(make.case(policy_hash=POLICY.hash), 70) for _ in range(3)]  # due at once: their ids decide
    async with store.read() as tx:
        assert await tx.count_reviewed() == {soon.type: 3}
    await keep(store, *same)
    first, middle, last = sorted(same, key=lambda case: case.id)
    async with store.read() as tx:
        assert await tx.reviewed_cases(10, (late.review_until or at(0), str(late.id))) == [first, middle, last]
        assert await tx.reviewed_cases(10, (middle.review_until or at(0), str(middle.id))) == [last]
        assert await tx.count_reviewed() == {soon.type: 6}


async def test_what_time_changes(store: Store, make: Records) -> None:
    waiting = make.case(policy_hash=POLICY.hash)
    early = make.case(policy_hash=POLICY.hash, created_at=at(-300))
    running = apply(make.case(policy_hash=POLICY.hash), Begin(attempt=AttemptId("AT_1"), attempt_s=60), at(10))
    over = apply(make.case(policy_hash=POLICY.hash), Cancel(), at(10))
    await keep(store, waiting, early, running, over)
    async with store.read() as tx:
        assert await tx.due_cases(at(69), 10) == []
        assert await tx.due_cases(at(70), 10) == [running]
        assert await tx.due_cases(at(900), 10) == [running, early, waiting]
        assert await tx.due_cases(at(900), 1) == [running]
        with pytest.raises(ValueError, match="limit"):
            await tx.due_cases(at(0), 0)


async def test_how_many_attempts_of_a_customer_run(store: Store, make: Records) -> None:
    def of(customer: str) -> Case:
        return msgspec.structs.replace(make.case(policy_hash=POLICY.hash), customer=customer)

    begin = Begin(attempt=AttemptId("AT_1"), attempt_s=60)
    running = [apply(of(customer), begin, at(1)) for customer in ("c-1", "c-1", "c-2")]
    await keep(store, of("c-1"), apply(of("c-1"), Cancel(), at(1)), referred(of("c-1"), 1), *running)
    async with store.read() as tx:
        assert [await tx.running_attempts(customer) for customer in ("c-1", "c-2", "c-3")] == [2, 1, 0]
    async with store.begin() as tx:
        await tx.save_case(apply(running[0], Cancel(), at(2)))
        assert await tx.running_attempts("c-1") == 1


async def test_the_latest_case_of_a_customer(store: Store, make: Records) -> None:
    first, second, third = (
        msgspec.structs.replace(make.case(policy_hash=POLICY.hash, created_at=at(seconds)), customer=customer)
        for seconds, customer in ((5, "c-1"), (9, "c-1"), (30, "c-2"))
    )
    await keep(store, second, third, first)
    async with store.read() as tx:
        assert [await tx.latest_case(customer) for customer in ("c-1", "c-2", "c-3")] == [second, third, None]


async def test_cases_that_have_not_ended_are_counted(store: Store, make: Records) -> None:
    mine = [make.case(policy_hash=POLICY.hash) for _ in range(3)]
    other = msgspec.structs.replace(make.case(policy_hash=POLICY.hash), customer="c-9", created_by=ApiKeyId("AK_9"))
    [first, *_] = mine
    await keep(store, *mine, other)
    async with store.begin() as tx:
        await tx.save_case(apply(first, Cancel(), at(1)))
    async with store.read() as tx:
        assert await tx.count_open_cases(first.customer, ApiKeyId("AK_9")) == (2, 1)
        assert await tx.count_open_cases("c-9", first.created_by) == (1, 2)
        assert await tx.count_open_cases("nobody", ApiKeyId("AK_8")) == (0, 0)


async def test_failures(store: Store) -> None:
    async with store.read() as tx:
        assert await tx.get_failures("c-1") is None
    failures: Failures | None = None
    for number in range(5):
        failures = excused(failed(failures, "c-1", at(number), lock_s=3600), "c-1", at(number), lock_s=3600)
        async with store.begin() as tx:
            await tx.put_failures(failures)
            await tx.put_failures(failed(None, "c-2", at(0), lock_s=3600))
        async with store.read() as tx:
            assert await tx.get_failures("c-1") == failures
    async with store.begin() as tx:
        await tx.drop_failures("c-1")
        await tx.drop_failures("c-3")
    async with store.read() as tx:
        assert await tx.get_failures("c-1") is None
        assert await tx.get_failures("c-2") is not None


async def test_failures_are_kept_until_lock_and_counts_are_over(store: Store) -> None:
    quiet, excuses = failed(None, "~a", at(0), lock_s=3600), excused(None, "~b", at(0), lock_s=3600)
    locked = msgspec.structs.replace(quiet, customer="~c", locked_until=at(9000))
    excused_later = excused(msgspec.structs.replace(quiet, customer="~d"), "~d", at(60), lock_s=3600)
    plain = msgspec.structs.replace(quiet, customer="c-1", last_at=at(60))
    async with store.begin() as tx:
        for one in (quiet, excuses, locked, excused_later, plain):
            await tx.put_failures(one)
    async with store.begin() as tx:
        assert await tx.plain_failures(5) == [plain]
        assert await tx.forget_failures(at(-1), at(3599)) == 0
    async with store.begin() as tx:
        assert await tx.get_failures("~a") == quiet
        assert await tx.forget_failures(at(0), at(3600)) == 2
        assert await tx.get_failures("~a") is None
    async with store.begin() as tx:
        left = [await tx.get_failures(name) for name in ("~a", "~b", "~c", "~d", "c-1")]
        assert left == [None, None, locked, excused_later, plain]
        assert await tx.forget_failures(at(60), at(8999)) == 2
        assert await tx.forget_failures(at(60), at(9000)) == 1


async def test_one_of_many_takes_it(store: Store, make: Records) -> None:
    """Read, look, write in one transaction: exactly one of racing calls finds it untaken."""
    case = make.case(policy_hash=POLICY.hash)
    await keep(store, case)

    async def take(number: int) -> bool:
        async with store.begin() as tx:
            found = await tx.get_case(case.id)
            assert found is not None
            if found.redeemed_at is not None:
                return False
            await tx.save_case(msgspec.structs.replace(found, redeemed_at=at(number)))
            return True

    assert sum(await asyncio.gather(*(take(number) for number in range(30)))) == 1


async def test_keys_that_may_have_transactions_verified(store: Store, make: Records) -> None:
    plain, right = make.api_key(), msgspec.structs.replace(make.api_key(), verifications=True)
    async with store.begin() as tx:
        await tx.add_api_key(plain)
        await tx.add_api_key(right)
    async with store.read() as tx:
        assert [key.verifications for key in await tx.list_api_keys()] == [False, True]


async def test_the_cases_of_a_session(store: Store, make: Records, session: Session) -> None:
    old = make.case(policy_hash=POLICY.hash, session=session.id)
    new = make.case(policy_hash=POLICY.hash, session=session.id, created_at=at(20))
    new = msgspec.structs.replace(new, return_url="https://bank.example/done?order=1")
    await keep(store, old, new, make.case(policy_hash=POLICY.hash))
    async with store.read() as tx:
        assert await tx.session_cases(session.id) == [new, old]
        assert await tx.session_cases(SessionId("SE_NONE")) == []


async def test_sessions_that_are_over_because_their_cases_are(store: Store, make: Records) -> None:
    key = f"AK_{'A' * 26}"

    def of(**fields: object) -> Session:
        return msgspec.structs.replace(make.session(), **{"kind": SessionKind.VERIFICATION, "created_by": key, **fields})

    over, late, reviewed, open_, twice = (of() for _ in range(5))
    others = [
        of(kind=SessionKind.VIDEO),
        of(created_by=f"ST_{'A' * 26}"),
        of(status=SessionStatus.ENDED),
        of(status=SessionStatus.WAITING),
    ]
    empty = of()
    async with store.begin() as tx:
        for session in (over, late, reviewed, open_, twice, empty, *others):
            await tx.add_session(session)

    def case(session: Session) -> Case:
        return make.case(policy_hash=POLICY.hash, session=session.id)

    await keep(
        store, *(apply(case(one), Cancel(), at(10)) for one in (over, twice, *others)), apply(case(late), Cancel(), at(11)),
        referred(case(reviewed), 5), case(open_), case(twice),
    )  # fmt: skip
    none, found = SessionId(""), sorted([over.id, reviewed.id])
    async with store.read() as tx:
        assert await tx.over_sessions(at(10), none, 10) == found
        assert await tx.over_sessions(at(11), none, 10) == sorted([*found, late.id])
        assert await tx.over_sessions(at(9), none, 10) == [reviewed.id]
        assert await tx.over_sessions(at(10), none, 1) == found[:1]
        assert await tx.over_sessions(at(10), found[0], 10) == found[1:]
        with pytest.raises(ValueError, match="limit"):
            await tx.over_sessions(at(10), none, 0)


async def test_what_is_kept_of_a_case_comes_back_and_is_due_when_its_time_is_over(
    store: Store, make: Records, session: Session
) -> None:
    made = make.case(policy_hash=POLICY.hash, session=session.id)
    kept = msgspec.structs.replace(made, retention_days=180, reference_vault="ve_x.a", reference_evidence="ef" * 32)
    await keep(store, kept)
    cancelled = apply(kept, Cancel(), at(60))
    assert cancelled.evidence_until == at(60 + 30 * 86_400)
    async with store.begin() as tx:
        assert await tx.evidence_due(at(1e9), 5) == []
        await tx.save_case(cancelled)
    async with store.read() as tx:
        assert await tx.evidence_due(at(59 + 30 * 86_400), 5) == []
        assert await tx.evidence_due(at(60 + 30 * 86_400), 5) == [cancelled]
    others = [
        msgspec.structs.replace(
            make.case(policy_hash=POLICY.hash), evidence_until=at(until), state=cancelled.state, due_at=None
        )
        for until in (60 + 30 * 86_400, 60 + 30 * 86_400, 7e8)
    ]
    async with store.begin() as tx:
        for one in others:
            await tx.add_case(one)
    later = sorted([cancelled, *others], key=lambda one: (one.evidence_until, one.id))
    async with store.read() as tx:
        assert await tx.evidence_due(at(1e9), 5) == later
        for number, one in enumerate(later):
            assert await tx.evidence_due(at(1e9), 2, one) == later[number + 1 : number + 3]
    async with store.begin() as tx:
        for one in others:
            await tx.save_case(msgspec.structs.replace(one, evidence_until=None))
    erased = msgspec.structs.replace(cancelled, evidence_until=None, evidence_erased_at=at(9e6))
    async with store.begin() as tx:
        await tx.save_case(erased)
    async with store.read() as tx:
        assert (await tx.evidence_due(at(1e9), 5), await tx.get_case(kept.id)) == ([], erased)
