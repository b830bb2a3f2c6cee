"""Reviews of verifications: who may, what they see, and what comes of it."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from server.api.bodies_verifications import ReviewDecision
from server.domain.ids import CaseId
from server.domain.model import SessionStatus
from server.errors import Gone, NotAllowed
from server.services.verification_reviews import NothingToSee, NotInReview
from server.transactions.case import CaseState
from server.transactions.decision import AttemptKind, Outcome
from server.transactions.material import Material
from server.transactions.risk.result import RiskReason
from server.transactions.token import verify_decision
from tests.support import cases
from tests.support.bank_place import DETAILS, BankPlace
from tests.support.records import at


@pytest.fixture
def place(tmp_path: Path) -> BankPlace:
    return BankPlace(tmp_path)


async def referred(place: BankPlace, type: str = "debit_card_password_change", **fields: Any) -> CaseId:
    id = await place.ready(type, **fields)
    place.refer_risk()
    decision, _, case = await place.live(id)
    assert (decision.outcome, case.state) == (Outcome.REFER, CaseState.REVIEW)
    return id


async def _attempts(place: BankPlace, id: CaseId) -> Any:
    async with place.store.read() as tx:
        return await tx.list_attempts(id)


async def test_an_agent_approves(place: BankPlace) -> None:
    id = await referred(place)
    reviews = place.verifications.reviews
    [entry] = (await reviews.waiting.page(place.reviewer())).reviews
    assert (entry.id, entry.yours, entry.second, entry.reasons) == (id, True, False, ["risk_referred"])
    assert entry.title == {"zh": "修改借记卡密码", "en": "Change of a debit card's password"}
    detail = await reviews.detail(place.reviewer(), id)
    assert detail.details == DETAILS
    [shown] = detail.attempts
    assert (shown.match_score, shown.match_threshold, shown.risk_level, shown.risk_reasons[0].code) == (
        0.62, 0.4, "refer", "new_device",
    )  # fmt: skip
    assert [check.name for check in shown.checks] == ["match", "pad", "challenge", "light"]
    case = await reviews.review(place.reviewer(), id, ReviewDecision.APPROVE, "老客户，新手机")
    assert (case.state, case.reviews[0].note) == (CaseState.ACCEPTED, "老客户，新手机")
    claims = verify_decision(
        case.result, msgspec.to_builtins(place.verifications.key_set()), details=DETAILS, audience=place.bank.actor, now=at(0)
    )
    assert (claims.accepted, claims.reasons) == (True, ("approved_in_review", "risk_referred"))
    with pytest.raises(NotInReview):
        await reviews.review(place.reviewer("WU"), id, ReviewDecision.DECLINE, "late")
    with pytest.raises(NotInReview):
        await reviews.detail(place.reviewer(), id)
    assert (await reviews.waiting.page(place.reviewer())).reviews == []
    actions = [(action, details) for action, _, details in await place.audit()]
    assert ("verification.reviewed", {"decision": "approve"}) in actions
    assert ("verification.read", {}) in actions


async def test_nobody_approves_what_cannot_be_seen(place: BankPlace, tmp_path: Path) -> None:
    """Pictures that are gone or changed, and an attempt that what broke here ended before there were any: then a case can be declined, and no more."""
    gone, changed, faulty = await referred(place), await referred(place), await place.ready()
    for id, changes in ((gone, False), (changed, True)):
        [name] = [one.id.lower() for one in await _attempts(place, id)]
        if changes:
            blob = tmp_path / "evidence" / name / "0000.blob"
            blob.write_bytes(blob.read_bytes()[:-1] + b"x")
        else:
            shutil.rmtree(tmp_path / "evidence" / name)
    attempts = place.verifications.attempts
    begun = await attempts.begin_attempt(faulty, AttemptKind.LIVE, "PA_X")
    checked, digest = await place.verifications.evidence.keep(
        begun, cases.attempt(checks=(), match_score=None, fault="engine_lost"), Material()
    )
    _, _, case = await attempts.finish_attempt(begun, checked, "PA_X", evidence=digest)
    for id in (gone, changed, *([faulty] if case.state is CaseState.REVIEW else [])):
        for who in (place.reviewer(), place.reviewer("WU")):
            with pytest.raises(NothingToSee):
                await place.verifications.reviews.review(who, id, ReviewDecision.APPROVE, "fine")
        assert (await place.case(id)).state is CaseState.REVIEW
        assert (
            await place.verifications.reviews.review(place.reviewer(), id, ReviewDecision.DECLINE, "nothing to see")
        ).state is CaseState.REJECTED


async def test_an_agent_declines(place: BankPlace) -> None:
    id = await referred(place)
    case = await place.verifications.reviews.review(place.reviewer(), id, ReviewDecision.DECLINE, "another person")
    assert case.state is CaseState.REJECTED
    assert case.decided is not None
    assert case.decided.reasons == ("declined_in_review", "risk_referred")
    async with place.store.read() as tx:
        failures = await place.verifications.cases.failures(tx, "c-1")
    assert failures is not None
    assert failures.count == 1


@pytest.mark.parametrize(("code", "state"), [("listed_block_device", "rejected"), ("listed_watch_device", "accepted")])
async def test_the_block_list_goes_before_an_approval(place: BankPlace, code: str, state: str) -> None:
    """Put on it between the attempt and the review, which may be days later."""
    id = await referred(place)
    listed = RiskReason(code=code, zh="在名单上", en="On a list")
    place.risk.result = msgspec.structs.replace(place.risk.result, reasons=(listed,))
    case = await place.verifications.reviews.review(place.reviewer(), id, ReviewDecision.APPROVE, "a face I know")
    assert case.state == state
    assert case.decided is not None
    assert (case.decided.reasons[0] == "risk_rejected") == (state == "rejected")
    assert place.risk.asked[-1].customer == "c-1"


async def test_two_people_where_the_policy_says_two(place: BankPlace) -> None:
    id = await referred(place, "test_twice")
    reviews = place.verifications.reviews
    case = await reviews.review(place.reviewer("LI"), id, ReviewDecision.APPROVE, "seen")
    assert (case.state, case.result) == (CaseState.SECOND_REVIEW, "")
    [mine] = (await reviews.waiting.page(place.reviewer("LI"))).reviews
    assert (mine.second, mine.yours, mine.why_not) == (True, False, "reviewed_already")
    with pytest.raises(NotAllowed, match="somebody else"):
        await reviews.review(place.reviewer("LI"), id, ReviewDecision.APPROVE, "again")
    detail = await reviews.detail(place.reviewer("WU"), id)
    assert [(one.by.id, one.by.name, one.reason) for one in detail.reviews] == [
        ("ST_LI", "", "seen")
    ]  # of an account that is gone
    both = await asyncio.gather(
        *(reviews.review(place.reviewer(name), id, ReviewDecision.APPROVE, "yes") for name in ("WU", "MA")),
        return_exceptions=True,
    )
    assert [type(one) for one in both].count(NotInReview) == 1
    assert (await place.case(id)).state is CaseState.ACCEPTED


async def test_nobody_reviews_their_own_session(place: BankPlace) -> None:
    session = place.make.session()
    session = msgspec.structs.replace(session, taken_by=place.reviewer("LEAD").actor)
    agent = place.make.participant(session.id, identity="staff:ST_LI")
    async with place.store.begin() as tx:
        await tx.add_session(session)
        await tx.add_participant(agent)
    id = await referred(place, session=session.id)
    assert (place.risk.asked[-1].with_agent, place.risk.asked[-1].session_kind) == (False, "video")
    reviews = place.verifications.reviews
    for name in ("LI", "LEAD"):
        [entry] = (await reviews.waiting.page(place.reviewer(name))).reviews
        assert (entry.yours, entry.why_not) == (False, "own_session")
        with pytest.raises(NotAllowed, match="in this session"):
            await reviews.review(place.reviewer(name), id, ReviewDecision.APPROVE, "I saw them")
    assert (await reviews.review(place.reviewer("WU"), id, ReviewDecision.APPROVE, "yes")).state is CaseState.ACCEPTED


async def test_a_session_that_has_ended(place: BankPlace) -> None:
    session = msgspec.structs.replace(place.make.session(), status=SessionStatus.ENDED)
    async with place.store.begin() as tx:
        await tx.add_session(session)
    with pytest.raises(Gone):
        await place.asked(session=session.id)


async def test_a_review_that_nobody_gives(place: BankPlace) -> None:
    id = await referred(place)
    place.clock.mono = 600
    assert (await place.verifications.reviews.waiting.page(place.reviewer())).reviews == []
    case = await place.case(id)
    assert case.state is CaseState.REJECTED
    assert case.decided is not None
    assert case.decided.reasons[0] == "review_overdue"
    with pytest.raises(NotInReview):
        await place.verifications.reviews.review(place.reviewer(), id, ReviewDecision.APPROVE, "late")
