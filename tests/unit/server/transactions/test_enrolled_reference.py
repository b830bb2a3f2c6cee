"""By a template whose picture is kept: it is sealed with each attempt that was compared with it, and whoever reviews the attempt sees that one or reads why none."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from server.api.bodies_verifications import ReviewDecision, SetPortrait
from server.domain.ids import AttemptId, CaseId, TemplateId
from server.errors import NotFound, StoreUnavailable, VerificationUnavailable
from server.services.verification_reviews import NothingToSee
from server.transactions.case import Attempt, CaseState
from server.transactions.decision import AttemptKind, Outcome
from server.transactions.lock import ended_through_us
from server.transactions.material import ENROLMENT, Material, PictureKind, ReferenceShown
from server.transactions.policy import read_policy
from tests.support import cases
from tests.support.bank_place import PICTURES, BankPlace, takes
from tests.support.tiny_engine import ALICE, BOB, draw

KEEPS_NONE = PICTURES.replace("test_pictures", "test_keeps_none") + "\n[evidence]\nkeep_reference = false\n"
NEWER = draw(ALICE, size=(200, 160))


@pytest.fixture
def place(tmp_path: Path) -> BankPlace:
    made = BankPlace(tmp_path)
    (made.own / "keeps_none.toml").write_text(KEEPS_NONE, encoding="utf-8")
    made.policies.reload()
    return made


async def by_template(place: BankPlace, type: str = "test_pictures", *, keep: bool = True) -> tuple[CaseId, TemplateId]:
    made = await place.faces.enrol(place.key, draw(ALICE), "c-1", "consents/1", keep_picture=keep)
    return (await place.asked(type, template=made.template.id)).id, made.template.id


async def show(place: BankPlace, id: CaseId, images: list[bytes] | None = None) -> Attempt:
    """It is referred, if it is Alice."""
    place.refer_risk()
    attempt, _, _ = await place.verifications.attempts.upload(place.bank, id, images or takes())
    assert isinstance(attempt, Attempt)
    return attempt


async def told(place: BankPlace, id: CaseId) -> list[Any]:
    detail = await place.verifications.reviews.detail(place.reviewer(), id)
    return list(detail.attempts)


async def reference(place: BankPlace, id: CaseId, attempt: AttemptId) -> bytes:
    found = await place.verifications.reviews.picture(place.reviewer(), id, attempt, ENROLMENT)
    assert isinstance(found, bytes)
    return found


async def test_the_reviewer_sees_the_picture_of_the_enrolment(place: BankPlace) -> None:
    id, _ = await by_template(place)
    attempt = await show(place, id)
    [one] = await told(place, id)
    assert (one.reference, one.evidence_lost, len(one.pictures)) == (ReferenceShown.ENROLMENT, False, 10)
    assert {picture.kind for picture in one.pictures} == {PictureKind.UPLOAD}
    assert await reference(place, id, attempt.id) == await place.workers.still(draw(ALICE))
    looks = [details for action, _, details in await place.audit() if action == "evidence.read"]
    assert looks == [{"attempt": attempt.id, "picture": ENROLMENT}]
    case = await place.case(id)
    [kept] = await place.verifications.evidence.evidence_of(case)
    assert (kept.pictures[0].name, kept.pictures[0].kind, len(kept.pictures)) == (ENROLMENT, PictureKind.REFERENCE, 11)
    assert kept.digest == attempt.evidence, "the trail names it with the rest"
    with pytest.raises(NotFound):
        await place.verifications.reviews.reference(place.reviewer(), id)
    approved = await place.verifications.reviews.review(place.reviewer(), id, ReviewDecision.APPROVE, "the same")
    assert approved.state is CaseState.ACCEPTED


async def test_a_picture_is_of_one_case_and_one_attempt(place: BankPlace) -> None:
    id, _ = await by_template(place)
    attempt = await show(place, id)
    other = await place.ready("test_pictures", customer="c-2")
    theirs = await show(place, other)
    for case, of in ((id, theirs.id), (other, attempt.id), (other, theirs.id)):
        with pytest.raises(NotFound):
            await reference(place, case, of)
    assert (await told(place, other))[0].reference is ReferenceShown.PORTRAIT


async def test_enrolled_without_it_or_by_a_policy_that_keeps_none(place: BankPlace) -> None:
    id, template = await by_template(place, keep=False)
    attempt = await show(place, id)
    assert (await told(place, id))[0].reference is ReferenceShown.NONE
    with pytest.raises(NotFound):
        await reference(place, id, attempt.id)
    await place.faces.replace(place.key, template, draw(ALICE), None, keep_picture=True)
    assert (await told(place, id))[0].reference is ReferenceShown.NONE, "that is not what was compared with"
    kept = (await place.asked("test_keeps_none", template=template)).id
    none = await show(place, kept)
    assert (await told(place, kept))[0].reference is ReferenceShown.NONE
    with pytest.raises(NotFound):
        await reference(place, kept, none.id)


async def test_a_policy_that_keeps_none_keeps_no_portrait_either(place: BankPlace) -> None:
    id = (await place.asked("test_keeps_none")).id
    await place.verifications.set_portrait(place.bank, id, SetPortrait(image=draw(ALICE)))
    assert place.vault._vault.cases() == []
    await place.verifications.set_portrait(place.bank, id, SetPortrait(image=NEWER))
    await show(place, id)
    detail = await place.verifications.reviews.detail(place.reviewer(), id)
    assert (detail.reference_picture, detail.attempts[0].reference) == (False, ReferenceShown.NONE)
    with pytest.raises(NotFound):
        await place.verifications.reviews.reference(place.reviewer(), id)


async def test_each_attempt_has_what_it_was_compared_with(place: BankPlace) -> None:
    """Also where the template is another one by the time of the review, or erased."""
    id, template = await by_template(place)
    first = await show(place, id, takes(BOB))
    await place.faces.replace(place.key, template, NEWER, None)
    second = await show(place, id)
    await place.faces.replace(place.key, template, draw(BOB), None)
    assert await reference(place, id, first.id) == await place.workers.still(draw(ALICE))
    assert await reference(place, id, second.id) == await place.workers.still(NEWER)
    await place.faces.erase(place.key, template)
    assert [one.reference for one in await told(place, id)] == [ReferenceShown.ENROLMENT] * 2
    assert await reference(place, id, second.id) == await place.workers.still(NEWER)


Meddle = Callable[[BankPlace, TemplateId], Awaitable[object]]


async def _replaced(place: BankPlace, id: TemplateId) -> None:
    await place.faces.replace(place.key, id, draw(BOB), None)


async def _erased(place: BankPlace, id: TemplateId) -> None:
    await place.faces.erase(place.key, id)


async def _anothers(place: BankPlace, id: TemplateId) -> None:
    await _saved(place, id, subject="c-9")


async def _swapped(place: BankPlace, id: TemplateId) -> None:
    """By who writes into the database."""
    other = await place.faces.enrol(place.key, draw(BOB), "c-2", "consents/2", keep_picture=True)
    async with place.store.read() as tx:
        theirs = await tx.get_template(other.template.id)
    assert theirs is not None
    await _saved(place, id, picture=theirs.picture)


async def _cut(place: BankPlace, id: TemplateId) -> None:
    await _saved(place, id, picture=b"")


async def _saved(place: BankPlace, id: TemplateId, **changes: Any) -> None:
    async with place.store.begin() as tx:
        found = await tx.get_template(id)
        assert found is not None
        await tx.save_template(msgspec.structs.replace(found, **changes))


async def meddled(place: BankPlace, meddle: Meddle, monkeypatch: pytest.MonkeyPatch) -> tuple[CaseId, Attempt]:
    """After they were compared, before it is sealed."""
    id, template = await by_template(place)
    still = place.workers.still

    async def late(image: bytes) -> bytes:
        monkeypatch.undo()
        await meddle(place, template)
        return await still(image)

    monkeypatch.setattr(place.workers, "still", late)
    attempt, _, _ = await place.verifications.attempts.upload(place.bank, id, takes())
    assert isinstance(attempt, Attempt)
    return id, attempt


@pytest.mark.campaign(19)
@pytest.mark.parametrize("meddle", [_swapped, _cut])
async def test_what_is_another_one_when_it_is_sealed_is_not_shown(
    place: BankPlace, meddle: Meddle, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.refer_risk()
    id, attempt = await meddled(place, meddle, monkeypatch)
    [one] = await told(place, id)
    assert (one.reference, len(one.pictures), one.evidence_lost) == (ReferenceShown.LOST, 10, False)
    with pytest.raises(NotFound):
        await reference(place, id, attempt.id)


@pytest.mark.parametrize("meddle", [_replaced, _erased, _anothers])
async def test_a_template_that_is_another_one_by_the_end_passes_nobody(
    place: BankPlace, meddle: Meddle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is it a failure of theirs: they looked like what was there when it began."""
    id, attempt = await meddled(place, meddle, monkeypatch)
    assert (attempt.outcome, attempt.reasons) == (Outcome.REJECT, ("reference_changed",))
    case = await place.case(id)
    assert (case.state, case.result) == (CaseState.OPEN, "")
    [kept] = await place.verifications.evidence.evidence_of(case)
    assert kept.facts is not None
    assert (kept.facts.reference, len(kept.pictures)) == (ReferenceShown.CHANGED, 10)
    assert ended_through_us(attempt)


async def test_a_store_that_fails_then_loses_the_picture_alone(place: BankPlace) -> None:
    id, _ = await by_template(place)
    case, attempts = await place.case(id), place.verifications.attempts
    compared = await attempts.reference(case)

    class Broken:
        def read(self) -> Any:
            raise StoreUnavailable("gone")

    store, place.verifications.cases.store = place.verifications.cases.store, Broken()
    policy = place.policies.current("test_pictures")
    material = await attempts.with_reference(case, policy, compared, cases.MATERIAL)
    place.verifications.cases.store = store
    assert (material.reference, material.reference_shown) == (b"", ReferenceShown.LOST)
    assert material.pictures == cases.MATERIAL.pictures


async def test_of_whom_nothing_is_seen_there_is_no_reference(place: BankPlace) -> None:
    """Or a reference alone would pass for something to look at."""
    id, _ = await by_template(place)
    case, policy = await place.case(id), place.policies.current("test_pictures")
    attempts = place.verifications.attempts
    compared = await attempts.reference(case)
    nothing = await attempts.with_reference(case, policy, compared, Material())
    assert (nothing.reference, nothing.kept) == (b"", ())
    assert Material(reference=b"jpeg").kept == ()
    not_compared = await attempts.with_reference(case, policy, b"", cases.MATERIAL)
    assert (not_compared.reference, not_compared.reference_shown) == (b"", ReferenceShown.NONE)


async def test_nobody_approves_by_a_reference_alone(place: BankPlace) -> None:
    """However it came to be all that is there."""
    id, _ = await by_template(place)
    attempt = await show(place, id)
    [kept] = await place.verifications.evidence.evidence_of(await place.case(id))
    vault = place.vault._vault
    jpeg = vault.read(kept.name, ENROLMENT)
    vault.erase(kept.name)
    draft = vault.begin(kept.name)
    draft.add(ENROLMENT, "reference", jpeg)
    facts = msgspec.json.encode(msgspec.structs.replace(kept.facts, pictures=kept.pictures[:1])).decode()
    draft.seal(type="test_pictures", created_s=0.0, keep_until_s=4e9, facts=facts)
    async with place.store.begin() as tx:
        await tx.save_attempt(msgspec.structs.replace(attempt, evidence=vault.digest(kept.name)))
    [one] = await told(place, id)
    assert (one.reference, one.pictures, one.evidence_lost) == (ReferenceShown.ENROLMENT, [], False)
    with pytest.raises(NothingToSee):
        await place.verifications.reviews.review(place.reviewer(), id, ReviewDecision.APPROVE, "the same")


async def test_a_portrait_that_came_after_they_were_compared_is_not_held_beside_them(place: BankPlace) -> None:
    id = await place.ready()
    place.refer_risk()
    attempts = place.verifications.attempts
    attempt = await attempts.begin_attempt(id, AttemptKind.LIVE, "PA_X")
    material = msgspec.structs.replace(cases.MATERIAL, reference_shown=ReferenceShown.CHANGED)
    checked, digest = await place.verifications.evidence.keep(attempt, cases.attempt(), material)
    await attempts.finish_attempt(attempt, checked, "PA_X", evidence=digest)
    assert [one.reference for one in await told(place, id)] == [ReferenceShown.CHANGED]


async def test_erasing_the_case_erases_it_and_leaves_the_template(place: BankPlace) -> None:
    id, template = await by_template(place)
    await show(place, id)
    await place.verifications.reviews.review(place.reviewer(), id, ReviewDecision.DECLINE, "no")
    assert await place.verifications.evidence.erase(await place.case(id)) == 1
    assert place.vault._vault.cases() == []
    assert (await place.faces.template(template)).picture_kept


async def test_an_attempt_from_before_says_that_there_is_none(place: BankPlace) -> None:
    """As facts were sealed then."""
    id, _ = await by_template(place, keep=False)
    await show(place, id)
    [kept] = await place.verifications.evidence.evidence_of(await place.case(id))
    form = msgspec.to_builtins(kept.facts)
    del form["reference"]
    assert msgspec.convert(form, type(kept.facts)).reference is ReferenceShown.NONE


async def test_where_the_seal_of_the_template_itself_is_broken_nothing_is_compared(place: BankPlace) -> None:
    id, template = await by_template(place)
    await _saved(place, template, sealed=b"")
    with pytest.raises(VerificationUnavailable):
        await place.verifications.attempts.reference(await place.case(id))


def test_the_key_in_a_policy() -> None:
    assert read_policy(PICTURES, name="p").evidence.keep_reference is True
    kept = read_policy(KEEPS_NONE, name="p")
    assert kept.evidence.keep_reference is False
    for wrong, why in (("keep_reference = 1", "Expected `bool`"), ("keep_picture = true", "unknown field")):
        text = KEEPS_NONE.replace("keep_reference = false", wrong)
        with pytest.raises(Exception, match=why):
            read_policy(text, name="p")
