"""The service of verifications: who asks, what is decided, what is kept, and what happens once."""

import asyncio
import dataclasses
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from server.api.bodies_verifications import ReviewDecision, SetPortrait, Signals
from server.domain.grants import Grant
from server.domain.ids import CaseId, TemplateId
from server.errors import Conflict, Gone, Invalid, NotFound, PictureRefused, TongpingError, VerificationUnavailable
from server.services.verification_attempts import ReferenceMissing
from server.services.verification_cases import TooManyCases
from server.services.verification_redeems import AlreadyRedeemed, NotAccepted
from server.services.verifications import OtherCustomer
from server.transactions.case import CaseState, WrongState
from server.transactions.decision import AttemptKind, CheckOutcome, Outcome
from server.transactions.details import details_hash
from server.transactions.policy import Check, canonical_hash
from server.transactions.risk.result import RiskLevel
from server.transactions.token import verify_decision
from tests.support import cases
from tests.support.bank_place import DETAILS, PASSWORD, BankPlace, takes
from tests.support.records import at
from tests.support.tiny_engine import ALICE, BOB, draw

FAILED = cases.attempt(checks=(cases.check(Check.MATCH, CheckOutcome.FAIL, "no_match"),))


@pytest.fixture
def place(tmp_path: Path) -> BankPlace:
    return BankPlace(tmp_path)


async def referred(place: BankPlace, type: str = "debit_card_password_change", **fields: Any) -> CaseId:
    id = await place.ready(type, **fields)
    place.refer_risk()
    decision, _, case = await place.live(id)
    assert (decision.outcome, case.state) == (Outcome.REFER, CaseState.REVIEW)
    return id


# ---- asked


async def test_a_transaction_is_accepted_and_its_decision_verified_and_redeemed(place: BankPlace) -> None:
    asked = await place.asked()
    assert (asked.state, asked.attempts_allowed, asked.attempts_used, asked.reference) == ("open", 3, 0, "missing")
    assert asked.details_hash == details_hash(DETAILS)
    assert asked.expires_at == at(900)
    with_portrait = await place.verifications.set_portrait(place.bank, asked.id, SetPortrait(image=draw(ALICE)))
    assert with_portrait.reference == "portrait"
    place.clock.mono = 20
    decision, attempt, case = await place.live(asked.id)
    assert (decision.outcome, attempt.number, attempt.ended_at) == (Outcome.ACCEPT, 1, at(20))
    view = await place.verifications.get(place.bank, asked.id)
    assert (view.state, view.ended_at, view.verdict.outcome) == ("accepted", at(20), "accept")
    jwks = msgspec.to_builtins(place.verifications.key_set())
    claims = verify_decision(view.result, jwks, details=DETAILS, audience=place.bank.actor, now=at(21))
    assert claims.accepted
    assert (claims.case, claims.customer, claims.type, claims.policy_hash) == (case.id, "c-1", case.type, case.policy_hash)
    assert (claims.assurance, claims.risk_level, claims.pack_hash) == ("live", "low", cases.HASH)
    redeemed = await place.verifications.redeem(place.bank, asked.id, view.result)
    assert redeemed.redeemed_at == at(20)
    assert [action for action, _, _ in await place.audit()] == [
        "verification.created", "verification.reference_set", "verification.attempt_begun", "verification.attempt_ended",
        "verification.ended", "verification.redeemed",
    ]  # fmt: skip


async def test_nothing_of_the_details_is_plain_or_outlives_the_case(place: BankPlace) -> None:
    id = await place.ready(signals=Signals(device="device-canary", phone="+8613800138000"))
    before = await place.case(id)
    for canary in (DETAILS["card"].encode(), b"device-canary", b"13800138000"):
        assert canary not in msgspec.msgpack.encode(before)
    await place.live(id)
    after = await place.case(id)
    assert (after.key, after.sealed, after.reference_key, after.reference_sealed) == (b"",) * 4
    assert after.details_hash == details_hash(DETAILS)
    audit = json.dumps(await place.audit())
    assert not any(canary in audit for canary in (DETAILS["card"], "device-canary", "13800138000", "c-1", after.details_hash))


@pytest.mark.campaign(19)
async def test_what_was_sealed_opens_in_its_place_alone(place: BankPlace) -> None:
    other = await place.case(await place.ready(details={"card": "1"}))
    for number in range(3):
        id = await place.ready()
        one = await place.case(id)
        wrong = (
            msgspec.structs.replace(one, key=other.key, sealed=other.sealed),
            msgspec.structs.replace(one, details_hash=other.details_hash),
            msgspec.structs.replace(one, key=one.reference_key, sealed=one.reference_sealed),
        )[number]
        async with place.store.begin() as tx:
            await tx.save_case(wrong)
        with pytest.raises(VerificationUnavailable, match="cannot be opened"):
            await place.live(id)
        assert (await place.case(id)).state is CaseState.CHECKING, "nothing was decided"


async def _attempts(place: BankPlace, id: CaseId) -> Any:
    async with place.store.read() as tx:
        return await tx.list_attempts(id)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"type": "no_such_type"}, NotFound),
        ({"details": {}}, Invalid),
        ({"details": {"card": "4417", "more": 1}}, Invalid),
        ({"details": {"card": 4417}}, Invalid),
        ({"details": b'{"card": "1", "card": "2"}'}, Invalid),
        ({"details": b'{"card": "1", "amount": 1250.5}'}, Invalid),
        ({"details": b"[]"}, Invalid),
        ({"signals": Signals(address="nowhere")}, Invalid),
        ({"signals": Signals(device="a\nb")}, Invalid),
        ({"template": "FT_" + "A" * 26}, NotFound),
        ({"session": "SE_" + "A" * 26}, NotFound),
    ],
)
async def test_what_is_not_asked_for_rightly(place: BankPlace, fields: dict[str, Any], error: type[TongpingError]) -> None:
    with pytest.raises(error) as refused:
        await place.asked(**fields)
    assert refused.value.detail
    assert not any(word in refused.value.detail for word in ("4417", "1250.5", "nowhere"))
    assert await place.audit() == []


async def test_a_callback(place: BankPlace) -> None:
    with pytest.raises(Invalid):
        await place.asked(callback="https://evil.example/")
    made = await place.asked(callback="https://core.bank.example/hook")
    assert place.callbacks.made == [("https://core.bank.example/hook", ("verification.*", "customer.locked"), made.id)]
    assert [action for action, _, _ in await place.audit()] == ["verification.created"]


async def test_a_template_is_the_customers_own(place: BankPlace) -> None:
    template = await place.enrol("c-1")
    missing = TemplateId("FT_" + "A" * 26)
    with pytest.raises(NotFound) as none:
        await place.asked(template=missing)
    with pytest.raises(NotFound) as other:
        await place.asked(template=template, customer="c-2")
    assert str(none.value) == str(other.value), "whose it is, and that it is, is for keys that may see templates"
    place.bank = dataclasses.replace(place.bank, grants=place.bank.grants | {Grant.FACE_TEMPLATES})
    with pytest.raises(OtherCustomer):
        await place.asked(template=template, customer="c-2")
    made = await place.asked(template=template)
    assert made.reference == "template"
    with pytest.raises(Conflict, match="no portrait beside"):
        await place.verifications.set_portrait(place.bank, made.id, SetPortrait(image=draw(ALICE)))
    await place.faces.erase(place.key, template)
    with pytest.raises(Gone):
        await place.asked(template=template)


async def test_cases_are_not_asked_for_without_end(place: BankPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.services.verification_cases.MOST_OPEN_OF_KEY", 22)
    made = [(await place.asked()).id for _ in range(20)]
    with pytest.raises(TooManyCases, match="this customer"):
        await place.asked()
    for number in (2, 3):
        await place.asked(customer=f"c-{number}")
    with pytest.raises(TooManyCases, match="this key"):
        await place.asked(customer="c-4")
    await place.verifications.cancel(place.bank, made[0])
    assert (await place.asked()).state == "open"


async def test_a_key_sees_its_own_alone(place: BankPlace) -> None:
    id = await place.ready()
    stranger = place.key
    for call in (
        place.verifications.get(stranger, id),
        place.verifications.cancel(stranger, id),
        place.verifications.redeem(stranger, id, "x"),
        place.verifications.set_portrait(stranger, id, SetPortrait(image=draw(ALICE))),
        place.verifications.attempts.upload(stranger, id, takes()),
    ):
        with pytest.raises(NotFound, match="no such verification"):
            await call
    with pytest.raises(NotFound):
        await place.verifications.get(place.bank, CaseId("VE_X"))


async def test_portraits(place: BankPlace) -> None:
    made = await place.asked()
    with pytest.raises(ReferenceMissing):
        await place.live(made.id)
    assert (await place.case(made.id)).attempts_used == 0
    with pytest.raises(PictureRefused, match="not good enough"):
        await place.verifications.set_portrait(place.bank, made.id, SetPortrait(image=draw((60, 55, 50))))
    with pytest.raises(PictureRefused):
        await place.verifications.set_portrait(place.bank, made.id, SetPortrait(image=draw(None)))
    await place.verifications.set_portrait(place.bank, made.id, SetPortrait(image=draw(BOB)))
    await place.verifications.set_portrait(place.bank, made.id, SetPortrait(image=draw(ALICE)))
    await place.live(made.id, FAILED)
    with pytest.raises(Conflict, match="before the first attempt"):
        await place.verifications.set_portrait(place.bank, made.id, SetPortrait(image=draw(ALICE)))


async def test_it_can_be_taken_back(place: BankPlace) -> None:
    id = await place.ready()
    attempt = await place.verifications.attempts.begin_attempt(id, AttemptKind.LIVE, "PA_X")
    cancelled = await place.verifications.cancel(place.bank, id)
    assert (cancelled.state, cancelled.result) == ("cancelled", None)
    with pytest.raises(WrongState):
        await place.verifications.attempts.finish_attempt(attempt, cases.attempt(), "PA_X", evidence=cases.EVIDENCE)
    with pytest.raises(WrongState):
        await place.verifications.cancel(place.bank, id)
    assert (await place.case(id)).state is CaseState.CANCELLED


async def test_its_time(place: BankPlace) -> None:
    id = await place.ready()
    attempt = await place.verifications.attempts.begin_attempt(id, AttemptKind.LIVE, "PA_X")
    place.clock.mono = 150
    with pytest.raises(WrongState):
        await place.verifications.attempts.finish_attempt(attempt, cases.attempt(), "PA_X", evidence=cases.EVIDENCE)
    view = await place.verifications.get(place.bank, id)
    assert (view.state, view.attempts_used) == ("open", 1)
    assert (await _attempts(place, id))[0].reasons == ("attempt_lost",)
    place.clock.mono = 900
    assert (await place.verifications.get(place.bank, id)).state == "expired"
    ended = [details for action, _, details in await place.audit() if action == "verification.ended"]
    assert ended[0]["state"] == "expired"


async def test_what_nobody_asks_for_is_settled_too(place: BankPlace) -> None:
    ids = [await place.ready() for _ in range(3)]
    await place.verifications.attempts.begin_attempt(ids[0], AttemptKind.LIVE, "PA_X")
    assert await place.verifications.settle_due() == 0
    place.clock.mono = 900
    assert await place.verifications.settle_due() == 3
    assert {(await place.case(id)).state for id in ids} == {CaseState.EXPIRED}
    assert await place.verifications.settle_due() == 0


# ---- decided


async def test_attempts_are_used_up(place: BankPlace) -> None:
    id = await place.ready()
    for number in (1, 2, 3):
        decision, attempt, case = await place.live(id, FAILED)
        assert (decision.outcome, decision.reasons[0], attempt.number) == (Outcome.REJECT, "no_match", number)
    assert case.state is CaseState.REJECTED
    claims = verify_decision(
        case.result, msgspec.to_builtins(place.verifications.key_set()), details=DETAILS, audience=place.bank.actor, now=at(0)
    )
    assert not claims.accepted
    assert claims.reasons[0] == "no_match"
    with pytest.raises(NotAccepted):
        await place.verifications.redeem(place.bank, id, case.result)
    with pytest.raises(WrongState):
        await place.live(id)


async def test_one_attempt_at_a_time_and_one_success(place: BankPlace) -> None:
    id = await place.ready()
    attempts = place.verifications.attempts
    begun = await asyncio.gather(
        *(attempts.begin_attempt(id, AttemptKind.LIVE, "PA_X") for _ in range(10)), return_exceptions=True
    )
    [attempt] = [one for one in begun if not isinstance(one, BaseException)]
    assert all(isinstance(one, WrongState) for one in begun if one is not attempt)
    done = await asyncio.gather(
        *(attempts.finish_attempt(attempt, cases.attempt(), "PA_X", evidence=cases.EVIDENCE) for _ in range(10)),
        return_exceptions=True,
    )
    assert sum(not isinstance(one, BaseException) for one in done) == 1
    assert [action for action, _, _ in await place.audit()].count("verification.ended") == 1


async def test_a_running_case_keeps_its_policy(place: BankPlace) -> None:
    """Also over a restart, with another policy of that type in force."""
    id = await place.ready()
    before = await place.case(id)
    (place.own / "password.toml").write_text(PASSWORD.replace("attempts = 3", "attempts = 1\nfmr = 1e-3"), encoding="utf-8")
    place.policies.reload()
    newer = await place.asked()
    assert (newer.attempts_allowed, newer.policy_hash == before.policy_hash) == (1, False)
    place.policies = type(place.policies)(place.own)
    place.anew()
    _, _, case = await place.live(id, FAILED)
    assert (case.state, case.policy_hash) == (CaseState.OPEN, before.policy_hash)
    async with place.store.begin() as tx:
        await tx.save_case(msgspec.structs.replace(case, policy_hash=newer.policy_hash))
    _, _, other = await place.live(id, FAILED)
    assert other.state is CaseState.OPEN


async def test_a_policy_that_was_kept_by_another_version(place: BankPlace) -> None:
    """It wrote fewer keys: what is kept is what was hashed. One that is lost holds up its own case alone."""
    first, lost = await referred(place), await referred(place)
    case = await place.case(first)
    async with place.store.begin() as tx:
        kept = msgspec.json.decode(await tx.get_policy(case.policy_hash) or b"")
        assert kept.pop("review_s") == 600
        shorter = msgspec.json.encode(kept, order="sorted")
        await tx.keep_policy(canonical_hash(shorter), shorter)
        await tx.save_case(msgspec.structs.replace(case, policy_hash=canonical_hash(shorter)))
        for hash, canonical in (("0" * 64, shorter), (canonical_hash(b"[]"), b"[]")):
            await tx.keep_policy(hash, canonical)
    for hash in ("0" * 64, canonical_hash(b"[]")):
        async with place.store.begin() as tx:
            await tx.save_case(msgspec.structs.replace(await place.case(lost), policy_hash=hash))
        reviews = place.verifications.reviews
        assert [entry.id for entry in (await reviews.waiting.page(place.reviewer())).reviews] == [first]
        with pytest.raises(VerificationUnavailable):
            await reviews.review(place.reviewer(), lost, ReviewDecision.APPROVE, "yes")
    assert (await reviews.review(place.reviewer(), first, ReviewDecision.APPROVE, "yes")).state is CaseState.ACCEPTED


async def test_what_the_risk_is_asked(place: BankPlace) -> None:
    signals = Signals(device="d-1", address="192.0.2.7", account="a-1", customer_age_group="80_plus", channel="app")
    details = {"card": "4417", "amount": "1250.00"}
    id = await place.ready(signals=signals, details=details)
    await place.live(id, FAILED)
    await place.live(id)
    asked = place.risk.asked[-1]
    assert (asked.type, asked.customer, asked.device, asked.address) == (
        "debit_card_password_change",
        "c-1",
        "d-1",
        "192.0.2.7",
    )
    assert (asked.amount, asked.attempt, asked.assurance, asked.with_agent) == ("1250.00", 2, "live", False)
    assert (asked.customer_age_group, asked.channel, asked.account) == ("80_plus", "app", "a-1")
    assert [word for word, _ in place.risk.notes] == ["begun", "failed", "begun", "passed"]


async def test_an_amount_of_another_name(place: BankPlace) -> None:
    text = PASSWORD.replace("[details.amount]", "[details.new_limit]").replace("debit_card_password_change", "test_limit")
    (place.own / "limit.toml").write_text(text + '\n[risk]\namount = "new_limit"\n', encoding="utf-8")
    place.policies.reload()
    await place.live(await place.ready("test_limit", details={"card": "4417", "new_limit": "90000.00"}))
    assert place.risk.asked[-1].amount == "90000.00"


@pytest.mark.parametrize("level", [RiskLevel.REFER, RiskLevel.REJECT])
async def test_a_risk_that_is_not_low(place: BankPlace, level: RiskLevel) -> None:
    id = await place.ready()
    place.refer_risk(level)
    decision, _, case = await place.live(id)
    assert decision.outcome.value == level.value
    assert place.risk.noted_last == [], "nothing that the customer showed was wrong"
    assert case.result == ""


# ---- redeemed


@pytest.mark.campaign(6)
async def test_a_decision_is_used_once(place: BankPlace) -> None:
    id = await place.ready()
    _, _, case = await place.live(id)
    place.clock.mono = 3.25
    found = await asyncio.gather(
        *(place.verifications.redeem(place.bank, id, case.result) for _ in range(100)), return_exceptions=True
    )
    assert sum(not isinstance(one, BaseException) for one in found) == 1
    refused = [one for one in found if isinstance(one, BaseException)]
    assert {type(one) for one in refused} == {AlreadyRedeemed}
    assert str(refused[0]) == "This decision was redeemed at 2026-03-01T08:30:03.373Z."
    assert (await place.verifications.get(place.bank, id)).redeemed_at == at(3.25)
    actions = [action for action, _, _ in await place.audit()]
    assert (actions.count("verification.redeemed"), actions.count("verification.redeem_refused")) == (1, 99)


@pytest.mark.campaign(6)
async def test_what_is_not_redeemed(place: BankPlace) -> None:
    first, second = await place.ready(), await place.ready()
    token = (await place.live(first))[2].result
    other = (await place.live(second))[2].result
    for wrong in ("", "x", other, token[:-1], token + "A", token.swapcase()):
        with pytest.raises(Invalid):
            await place.verifications.redeem(place.bank, first, wrong)
    open_case = await place.ready()
    with pytest.raises(Invalid):
        await place.verifications.redeem(place.bank, open_case, token)
    place.clock.mono = 605
    with pytest.raises(Gone, match="expired"):
        await place.verifications.redeem(place.bank, first, token)
    assert (await place.verifications.get(place.bank, first)).result is None
    assert (await place.case(first)).redeemed_at is None


# ---- uploaded pictures


async def upload(place: BankPlace, id: CaseId, images: list[bytes]) -> tuple[Any, list[str], CaseState]:
    attempt, advice, case = await place.verifications.attempts.upload(place.bank, id, images)
    return attempt, [one.code for one in advice], case.state


async def test_uploaded_pictures(place: BankPlace) -> None:
    id = await place.ready("test_pictures")
    attempt, advice, state = await upload(place, id, takes())
    assert (state, attempt.outcome, attempt.assurance, advice) == (CaseState.ACCEPTED, Outcome.ACCEPT, "images", [])
    assert attempt.checked.frames == 10
    assert {one.name: one.outcome.value for one in attempt.checked.checks} == {"match": "pass", "pad": "pass"}
    claims = (await place.case(id)).result
    found = verify_decision(
        claims, msgspec.to_builtins(place.verifications.key_set()), details=DETAILS, audience=place.bank.actor, now=at(0)
    )
    assert found.assurance == "images"


@pytest.mark.parametrize(
    ("images", "reason", "state"),
    [
        (takes(BOB), "no_match", CaseState.OPEN),
        (takes(striped=True), "pad_attack", CaseState.OPEN),
        (takes(count=1), "pad_too_few", CaseState.REVIEW),
        (takes(count=1) * 10, "pad_too_few", CaseState.REVIEW),
        ([*takes(count=9), draw(None)], "no_face", CaseState.OPEN),
        ([draw(None)] * 3, "no_face", CaseState.OPEN),
        ([*takes(count=5), *takes(BOB, count=5)], "face_changed", CaseState.OPEN),
        ([b"no picture"], "image_broken", CaseState.OPEN),
    ],
)
async def test_pictures_that_do_not_do(place: BankPlace, images: list[bytes], reason: str, state: CaseState) -> None:
    id = await place.ready("test_pictures")
    attempt, _, after = await upload(place, id, images)
    assert attempt.outcome is not Outcome.ACCEPT
    assert after is state
    if reason != "image_broken":
        assert reason in attempt.reasons
    assert (await place.case(id)).attempts_used == 1


async def test_a_template_of_another_pack_or_erased(place: BankPlace) -> None:
    template = await place.enrol("c-1")
    made = await place.asked("test_pictures", template=template)
    attempt, _, state = await upload(place, made.id, takes())
    assert state is CaseState.ACCEPTED
    again = await place.asked("test_pictures", template=template)
    await place.faces.erase(place.key, template)
    attempt, _, state = await upload(place, again.id, takes())
    assert (attempt.reasons, state) == (("pack_changed",), CaseState.OPEN)


@pytest.mark.campaign(11)
async def test_an_engine_that_fails_is_never_a_yes(place: BankPlace) -> None:
    from verification import errors

    for error, reason, state in (
        (errors.EngineLost("gone"), "engine_lost", CaseState.REVIEW),
        (errors.EngineBusy("busy"), "engine_busy", CaseState.OPEN),
        (errors.DeadlineMissed("late"), "deadline_missed", CaseState.OPEN),
        (errors.TemplateRefused("other"), "pack_changed", CaseState.OPEN),
        (ValueError("operating point"), "engine_lost", CaseState.REVIEW),
    ):
        id = await place.ready("test_pictures")
        place.engine.next_error = error
        attempt, _, after = await upload(place, id, takes())
        assert (attempt.reasons, after) == ((reason,), state)
        assert place.risk.noted_last == []


async def test_a_call_that_is_cut_off_uses_the_attempt_up(place: BankPlace) -> None:
    id = await place.ready("test_pictures")
    place.engine.next_error = RuntimeError("a mistake of ours")
    with pytest.raises(RuntimeError):
        await upload(place, id, takes())
    case = await place.case(id)
    assert (case.state, case.attempts_used) == (CaseState.OPEN, 1)
    assert (await upload(place, id, takes()))[2] is CaseState.ACCEPTED


async def test_uploads_only_where_the_policy_allows_them(place: BankPlace) -> None:
    id = await place.ready()
    with pytest.raises(Conflict, match="live stream only"):
        await upload(place, id, takes())
    assert (await place.case(id)).attempts_used == 0
