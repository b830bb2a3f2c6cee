"""The way without a face: who may vouch for a customer, and who must look at that."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from server.api.bodies_verifications import ReviewDecision, SetPortrait
from server.domain.ids import CaseId, ParticipantId, StaffId
from server.domain.model import STAFF_IDENTITY, Participant, Role, Session, SessionStatus
from server.errors import Conflict, Gone, Invalid, NotAllowed, NotFound, TongpingError
from server.services.principal import Principal, PrincipalKind
from server.services.verification_cases import CustomerLocked
from server.services.verification_identification import RiskRejected
from server.services.verification_uploads import faulty
from server.transactions.case import CaseState, Proof, WrongState
from server.transactions.decision import AttemptKind, CheckOutcome
from server.transactions.policy import Check
from server.transactions.risk.result import RiskLevel
from server.transactions.token import verify_decision
from tests.support import cases
from tests.support.bank_place import DETAILS, PASSWORD, BankPlace
from tests.support.records import at
from tests.support.tiny_engine import ALICE, draw

BOTH = (Proof.DOCUMENT_SEEN, Proof.CALLED_BACK)
FAILED = cases.attempt(checks=(cases.check(Check.MATCH, CheckOutcome.FAIL, "no_match"),))


@pytest.fixture
def place(tmp_path: Path) -> BankPlace:
    return BankPlace(tmp_path)


async def staff(place: BankPlace, session: Session, name: str = "LI", role: Role = Role.AGENT) -> Principal:
    person: Participant = place.make.participant(session.id)
    async with place.store.begin() as tx:
        await tx.add_participant(msgspec.structs.replace(person, role=role, identity=f"{STAFF_IDENTITY}ST_{name}"))
    return Principal(PrincipalKind.PARTICIPANT, person.id, role, frozenset(), session.id, person.id)


async def scene(place: BankPlace, type: str = "debit_card_password_change") -> tuple[CaseId, Session, Principal]:
    session = place.make.session()
    async with place.store.begin() as tx:
        await tx.add_session(session)
    return (await place.asked(type, session=session.id)).id, session, await staff(place, session)


async def identify(place: BankPlace, who: Principal, id: CaseId, methods: Any = BOTH, note: str = "身份证已看，已回拨") -> Any:
    return await place.verifications.identifications.identify(who, id, methods, note)


async def test_a_colleague_who_was_not_there_approves(place: BankPlace) -> None:
    id, _, agent = await scene(place)
    case = await identify(place, agent, id)
    assert (case.state, case.attempts_used, case.identified.by) == (CaseState.REVIEW, 0, "ST_LI")
    reviews = place.verifications.reviews
    assert [(one.yours, one.why_not) for one in (await reviews.waiting.page(place.reviewer())).reviews] == [
        (False, "own_session")
    ]
    detail = await reviews.detail(place.reviewer("WU"), id)
    assert detail.attempts == []
    assert (detail.identified.methods, detail.identified.note) == (list(BOTH), "身份证已看，已回拨")
    with pytest.raises(NotAllowed):
        await reviews.review(place.reviewer(), id, ReviewDecision.APPROVE, "mine")
    done = await reviews.review(place.reviewer("WU"), id, ReviewDecision.APPROVE, "seen")
    claims = verify_decision(
        done.result, msgspec.to_builtins(place.verifications.key_set()), details=DETAILS, audience=place.bank.actor, now=at(0)
    )
    assert (claims.accepted, claims.assurance, claims.reasons, claims.pack_hash) == (
        True, "agent", ("approved_in_review", "identified_by_agent"), "",
    )  # fmt: skip
    assert (claims.rules_hash, claims.model_hash) == (cases.HASH, cases.HASH)
    audit = await place.audit()
    assert (
        "verification.identified",
        id,
        {"methods": "document_seen called_back", "risk": "low", "rules": cases.HASH, "model": cases.HASH},
    ) in audit
    assert "身份证" not in str(audit)
    asked = place.risk.asked[0]
    assert (asked.assurance, asked.with_agent, asked.session_kind, asked.attempt) == ("agent", True, "video", 1)


async def test_whoever_vouched_does_not_review_whatever_the_policy_says(place: BankPlace) -> None:
    own = PASSWORD.replace("debit_card_password_change", "test_own").replace("review_s", "own_session = true\nreview_s")
    (place.own / "own.toml").write_text(own, encoding="utf-8")
    place.policies.reload()
    id, session, agent = await scene(place, "test_own")
    await staff(place, session, "WU")
    await identify(place, agent, id)
    with pytest.raises(NotAllowed):
        await place.verifications.reviews.review(place.reviewer(), id, ReviewDecision.APPROVE, "mine")
    done = await place.verifications.reviews.review(place.reviewer("WU"), id, ReviewDecision.APPROVE, "hers")
    assert done.state is CaseState.ACCEPTED


async def test_two_reviewers_are_two_others(place: BankPlace) -> None:
    id, _, agent = await scene(place, "test_twice")
    await identify(place, agent, id)
    reviews = place.verifications.reviews
    assert (await reviews.review(place.reviewer("WU"), id, ReviewDecision.APPROVE, "yes")).state is CaseState.SECOND_REVIEW
    assert (await reviews.review(place.reviewer("XU"), id, ReviewDecision.APPROVE, "yes")).state is CaseState.ACCEPTED


async def test_who_may_not(place: BankPlace) -> None:
    id, session, agent = await scene(place)
    _, _, elsewhere = await scene(place)
    customer = await staff(place, session, "X", Role.CUSTOMER)
    desk = Principal(PrincipalKind.DESK, StaffId("ST_LI"), Role.AGENT, frozenset())
    invited = place.make.participant(session.id)
    async with place.store.begin() as tx:
        await tx.add_participant(msgspec.structs.replace(invited, role=Role.AGENT, identity=f"invitation:{invited.id}"))
    listener = await staff(place, session, "BOSS", Role.SUPERVISOR)
    async with place.store.begin() as tx:
        unseen = await tx.get_participant(ParticipantId(listener.actor))
        assert unseen is not None
        await tx.save_participant(msgspec.structs.replace(unseen, listens_at=at(1)))
    stranger = Principal(PrincipalKind.PARTICIPANT, invited.id, Role.AGENT, frozenset(), session.id, invited.id)
    refused: list[tuple[Principal, type[TongpingError]]] = [
        (customer, NotAllowed), (desk, NotAllowed), (place.bank, NotAllowed), (stranger, NotAllowed), (elsewhere, NotFound),
        (listener, NotAllowed),
    ]  # fmt: skip
    for who, error in refused:
        with pytest.raises(error):
            await identify(place, who, id)
    no_session = (await place.asked()).id
    with pytest.raises(NotFound):
        await identify(place, agent, no_session)
    assert (await place.case(id)).state is CaseState.OPEN


async def test_what_is_refused(place: BankPlace) -> None:
    id, session, agent = await scene(place)
    for methods, note in (((Proof.CALLED_BACK,), "x"), ((Proof.CALLED_BACK,) * 2, "x"), (BOTH, "  ")):
        with pytest.raises(Invalid):
            await identify(place, agent, id, methods, note)
    place.refer_risk(RiskLevel.REJECT)
    with pytest.raises(RiskRejected):
        await identify(place, agent, id)
    place.refer_risk(RiskLevel.REFER)
    await place.verifications.set_portrait(place.bank, id, SetPortrait(image=draw(ALICE)))
    await place.verifications.attempts.begin_attempt(id, AttemptKind.LIVE, "PA_X")
    with pytest.raises(WrongState):
        await identify(place, agent, id)
    with pytest.raises(ValueError, match="no attempt"):
        await place.verifications.attempts.begin_attempt(id, AttemptKind.AGENT, "PA_X")
    place.clock.mono = 150
    case = await identify(place, agent, id)
    assert case.decided.reasons == ("identified_by_agent", "risk_referred")
    with pytest.raises(WrongState):
        await identify(place, agent, id)
    ended, other, somebody = await scene(place)
    async with place.store.begin() as tx:
        await tx.save_session(msgspec.structs.replace(other, status=SessionStatus.ENDED))
    with pytest.raises(Gone):
        await identify(place, somebody, ended)
    assert session.id != other.id


async def test_the_policy_may_have_no_such_way(place: BankPlace) -> None:
    for name, more in (("test_never", "allowed = false"), ("test_one", "methods = 1")):
        text = PASSWORD.replace("debit_card_password_change", name) + f"\n[without_face]\n{more}\n"
        (place.own / f"{name}.toml").write_text(text, encoding="utf-8")
    place.policies.reload()
    id, _, agent = await scene(place, "test_never")
    with pytest.raises(Conflict, match="not verified without"):
        await identify(place, agent, id)
    id, _, agent = await scene(place, "test_one")
    assert (await identify(place, agent, id, (Proof.KNOWN_IN_PERSON,))).state is CaseState.REVIEW


async def test_no_way_round_a_lock(place: BankPlace) -> None:
    id, _, agent = await scene(place)
    waits, _, other = await scene(place)
    await identify(place, other, waits)
    for count in (3, 2):
        failing = await place.ready()
        for _ in range(count):
            await place.live(failing, FAILED)
    with pytest.raises(CustomerLocked):
        await identify(place, agent, id)
    case = await place.verifications.reviews.review(place.reviewer("WU"), waits, ReviewDecision.APPROVE, "yes")
    assert (case.state, case.decided.reasons[0]) == (CaseState.REJECTED, "customer_locked")


@pytest.mark.parametrize("how", ["killed", "stopped", "nothing seen"])
async def test_a_last_try_that_ends_through_us_leaves_the_way_to_a_person(place: BankPlace, how: str) -> None:
    """Where there is one: in a session, by a policy that has it. No attempt begins there any more, and its time goes on."""
    once = PASSWORD.replace("attempts = 3", "attempts = 1")
    for name, more in (("test_once", ""), ("test_never", "\n[without_face]\nallowed = false\n")):
        text = once.replace("debit_card_password_change", name) + more
        (place.own / f"{name}.toml").write_text(text, encoding="utf-8")
    place.policies.reload()
    id, _, agent = await scene(place, "test_once")
    late, _, _ = await scene(place, "test_once")
    never, _, _ = await scene(place, "test_never")
    for one in (id, late, never):
        await place.portrait(one)
    alone = await place.ready("test_once")
    for one, state in ((id, "open"), (late, "open"), (never, "rejected"), (alone, "rejected")):
        attempts = place.verifications.attempts
        attempt = await attempts.begin_attempt(one, AttemptKind.LIVE, "PA_X")
        if how == "killed":
            place.anew()
            place.clock.mono += 150
            await place.verifications.settle_due()
        elif how == "stopped":
            await attempts.abandon_attempt(attempt, "PA_X", asyncio.CancelledError())
        else:
            lost = faulty(AttemptKind.LIVE, "stream_lost")
            await attempts.finish_attempt(attempt, lost, "PA_X", evidence="", seen=False)
        case = await place.case(one)
        assert (case.state, case.attempts_used, bool(case.result)) == (state, 1, state == "rejected")
    with pytest.raises(WrongState):
        await place.verifications.attempts.begin_attempt(id, AttemptKind.LIVE, "PA_X")
    assert (await identify(place, agent, id)).state is CaseState.REVIEW
    place.clock.mono += 900
    await place.verifications.settle_due()
    assert (await place.case(late)).state is CaseState.EXPIRED
