"""What is kept of an attempt on the live stream: in the real vault, with a person who answers; and what is decided where nothing can be kept."""

import hashlib
import itertools
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from server.api.bodies_verifications import SetPortrait
from server.audit.events import AuditAction
from server.domain.consent_texts import text_of
from server.domain.ids import TemplateId
from server.domain.model import ConsentScope, Language
from server.services.case_folder import CaseFolder
from server.services.faces import Faces
from server.transactions.case import Attempt, Case, CaseState
from server.transactions.decision import CheckedAttempt
from server.transactions.material import ENROLMENT, MAX_PICTURES, Agreed, Facts, Material, PictureKind, ReferenceShown
from tests.scenario.test_live_verification import Visit
from tests.support.bank_place import BankPlace
from tests.support.live_person import Scene
from tests.support.performer import Person
from tests.support.signalling import House
from tests.support.tiny_engine import ALICE, BOB, draw


@pytest.fixture(autouse=True)
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same nonces in each run."""
    numbers = itertools.count()
    monkeypatch.setattr(
        "server.challenges.secrets.token_bytes", lambda size: hashlib.sha256(b"%d" % next(numbers)).digest()[:size]
    )


@pytest.fixture
async def visit(tmp_path: Path) -> AsyncIterator[Visit]:
    house = House()
    one = Visit(house, BankPlace(tmp_path))
    await one.open()
    yield one
    await house.close()


async def last(visit: Visit) -> tuple[Case, Attempt]:
    async with visit.house.store.read() as tx:
        found = (await tx.list_attempts(visit.case))[-1]
    return await visit.place.case(visit.case), found


async def test_the_pictures_of_an_attempt_and_what_it_was_decided_by(visit: Visit) -> None:
    await visit.begin()
    assert (await visit.play())["outcome"] == "accept"
    case, attempt = await last(visit)
    reference, kept = await visit.place.verifications.evidence.evidence_of(case)
    assert (reference.attempt, reference.lost, kept.lost, kept.digest) == (None, "", "", attempt.evidence)
    cues = visit.customer[1].got("verification.cue")
    actions = [cue["action"] for cue in cues if cue["cue"] == "ask"]
    colours = [cue["colour"] for cue in cues if cue["cue"] == "colour" and cue["colour"]]
    by_kind: dict[str, list[str]] = {}
    for shown in kept.pictures:
        by_kind.setdefault(shown.kind.value, []).append(shown.asked)
    assert by_kind["action"] == actions
    assert by_kind["colour"] == colours[: len(by_kind["colour"])]
    assert {kind: len(found) for kind, found in by_kind.items() if kind in ("first", "match", "last")} == dict.fromkeys(
        ("first", "match", "last"), 1
    )
    assert len(kept.pictures) <= MAX_PICTURES
    times = [shown.at_ms for shown in kept.pictures]
    assert times == sorted(times)
    best = next(shown for shown in kept.pictures if shown.kind.value == "match")
    assert (best.match, 0 < (best.quality or 0.0) <= 1) == (pytest.approx(0.7), True)
    picture = await visit.place.verifications.evidence.picture(kept.name, kept.digest, best.name)
    assert picture.startswith(b"\xff\xd8\xff")
    facts = kept.facts
    assert isinstance(facts, Facts)
    assert (facts.case, facts.attempt, facts.checked) == (case.id, attempt.id, attempt.checked)
    assert (facts.policy_hash, facts.details_hash) == (case.policy_hash, case.details_hash)
    assert facts.played["asked"] == actions
    assert attempt.checked is not None
    assert facts.played["script"] == attempt.checked.script_hash
    assert facts.played["timeline"][0]["cue"] == "settle"
    assert facts.consents[0] == case.consent
    async with visit.house.store.read() as tx:
        [agreed] = [one for one in await tx.latest_consents(visit.session) if one.scope is ConsentScope.FACE]
    assert facts.consents[1:] == (agreed.id,)
    assert facts.agreed == (Agreed.to(agreed),)
    assert (agreed.wording, facts.agreed[0].participant) == ("w", visit.customer[0])
    assert b"template" not in msgspec.json.encode(facts)
    async with visit.house.store.read() as tx:
        trail = [one.event for one in await tx.list_audit(after=0, limit=1000)]
    (ended,) = [one for one in trail if one.action is AuditAction.VERIFICATION_ATTEMPT_ENDED]
    assert ended.details["evidence"] == attempt.evidence


@pytest.mark.parametrize("language", Language)
async def test_the_folder_of_a_case_says_by_itself_what_was_agreed_to(visit: Visit, language: Language) -> None:
    """Of each consent that stood when the attempt was sealed, whatever was said later."""
    face, document = (
        {"scope": "face", "wording": "face-5", "language": "en"},
        {"scope": "document", "wording": "w", "language": "zh"},
    )
    for one in (face, document, {**document, "scope": "microphone"}):
        await visit.customer[1].say("consent.set", decision="given", **one)
    await visit.begin()
    assert (await visit.play())["outcome"] == "accept"
    async with visit.house.store.read() as tx:
        stood = {
            one.scope.value: one for one in await tx.latest_consents(visit.session) if one.participant_id == visit.customer[0]
        }
    for one in (face, document):
        await visit.customer[1].say("consent.set", decision="withdrawn", **one)
    await visit.house.live.settle()
    verifications = visit.place.verifications
    folder = CaseFolder(verifications.cases, verifications.evidence, [], {}, {})
    files = await folder.files(visit.case, language, "system")
    sealed = msgspec.json.decode(files["facts/1.json"])
    told = [
        (one["id"], one["participant"], one["scope"], one["wording"], one["language"], one["text"]) for one in sealed["agreed"]
    ]
    assert told == [
        (stood["document"].id, visit.customer[0], "document", "w", "zh", ""),
        (stood["face"].id, visit.customer[0], "face", "face-5", "en", text_of(ConsentScope.FACE, "face-5", Language.EN)),
    ]
    assert msgspec.convert(sealed["agreed"], tuple[Agreed, ...]) == tuple(Agreed.to(stood[one]) for one in ("document", "face"))
    page = files["report.html"].decode()
    assert all(word in page for word in ("face-5", text_of(ConsentScope.FACE, "face-5", Language.EN), visit.customer[0]))
    assert page.count({"zh": "无：不是本系统页面的文本", "en": "none: not a text of our pages"}[language.value]) == 1
    assert stood["face"].decided_at.strftime("%Y-%m-%d %H:%M:%S") in page


async def test_each_action_is_kept_at_its_peak(visit: Visit) -> None:
    await visit.begin()
    assert (await visit.play())["outcome"] == "accept"
    case, _ = await last(visit)
    kept = (await visit.place.verifications.evidence.evidence_of(case))[1]
    by_action = {shown.asked: shown.name for shown in kept.pictures if shown.kind.value == "action"}
    assert len(by_action) == 3
    for action, name in by_action.items():
        if not action.startswith("turn"):
            continue
        picture = await visit.place.verifications.evidence.picture(kept.name, kept.digest, name)
        index = int.from_bytes(picture[3:7], "little")
        yaws = [abs(one.yaw or 0.0) for one in visit.scene.shown.values()]
        assert abs(visit.scene.shown[index].yaw or 0.0) > 0.8 * max(yaws)


async def test_an_engine_that_makes_no_small_pictures_accepts_nobody(visit: Visit) -> None:
    visit.scene.no_stills = True
    await visit.begin()
    done = await visit.play()
    assert done["outcome"] != "accept"
    case, attempt = await last(visit)
    assert case.state is not CaseState.ACCEPTED
    assert attempt.checked is not None
    assert attempt.checked.fault == "evidence_lost"


async def test_the_engine_dies_just_before_the_last_pictures(visit: Visit) -> None:
    """All was right, and the pictures that say so are not there."""

    class Late(Scene):
        async def still(self, *args: object, **fields: object):  # type: ignore[no-untyped-def, override]
            self.no_stills = len(self.person.plan) >= 3
            return await super().still(*args, **fields)  # type: ignore[arg-type]

    visit.scene = Late(Person())
    await visit.begin()
    assert (await visit.play())["outcome"] != "accept"
    case, attempt = await last(visit)
    assert case.state is not CaseState.ACCEPTED
    assert attempt.checked is not None
    assert attempt.checked.fault == "evidence_lost"
    kept = (await visit.place.verifications.evidence.evidence_of(case))[1]
    assert (kept.lost, bool(kept.pictures)) == ("", True)  # what there is, is kept for who looks into it


async def test_a_vault_that_is_gone_accepts_nobody_and_it_is_no_failure_of_theirs(visit: Visit, tmp_path: Path) -> None:
    shutil.move(tmp_path / "evidence", tmp_path / "elsewhere")
    (tmp_path / "evidence").write_bytes(b"")
    await visit.begin()
    done = await visit.play()
    assert done["outcome"] == "reject"
    case, attempt = await last(visit)
    assert (case.state, attempt.reasons, attempt.evidence) == (CaseState.OPEN, ("evidence_lost",), "")
    async with visit.house.store.read() as tx:
        failures = await visit.place.verifications.cases.failures(tx, "C-1")
    assert failures is None or failures.count == 0


async def test_who_stops_before_anything_is_seen_has_failed_and_there_is_nothing_to_keep_but_that(visit: Visit) -> None:
    await visit.begin()
    await visit.until(lambda: visit.house.media.taps)
    await visit.customer[1].say("verification.stop")
    await visit.until(lambda: len(visit.told()) > 1)
    case, attempt = await last(visit)
    assert "attempt_ended" in attempt.reasons
    assert "evidence_lost" not in attempt.reasons
    kept = (await visit.place.verifications.evidence.evidence_of(case))[1]
    assert (kept.lost, kept.pictures) == ("", ())


async def test_consent_that_is_taken_back_while_it_is_sealed_is_the_last_word(
    visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is accepted then, and nothing stays."""
    evidence = visit.place.verifications.evidence
    keep = evidence.keep

    async def late(attempt: Attempt, checked: CheckedAttempt, material: Material) -> tuple[CheckedAttempt, str]:
        kept = await keep(attempt, checked, material)
        await visit.customer[1].say("consent.set", scope="face", decision="withdrawn", wording="face-4", language="zh")
        await visit.until(lambda: visit.customer[1].got("consent.changed")[-1]["consent"]["decision"] == "withdrawn")
        return kept

    monkeypatch.setattr(evidence, "keep", late)
    await visit.begin()
    assert (await visit.play())["outcome"] == "reject"
    case, attempt = await last(visit)
    assert (case.state, attempt.reasons, attempt.evidence, attempt.checked and attempt.checked.checks) == (
        CaseState.OPEN, ("consent_withdrawn",), "", (),
    )  # fmt: skip
    assert [kept.attempt for kept in await evidence.evidence_of(case)] == [None]
    assert not [path for path in visit.place.vault._vault.cases() if path.startswith("at_")]


async def enrolled(visit: Visit) -> TemplateId:
    """A case by the template of an enrolment whose picture is kept."""
    place = visit.place
    place.faces = Faces(place.store, place.clock, place.make.id, place.workers, place.seal, place.config.verification)
    made = await place.faces.enrol(place.key, draw(ALICE), "C-1", "consents/1", keep_picture=True)
    visit.case = (await place.asked(customer="C-1", session=visit.session, template=made.template.id)).id
    return made.template.id


async def test_the_picture_of_the_enrolment_is_kept_with_the_others(visit: Visit) -> None:
    template = await enrolled(visit)
    await visit.begin()
    assert (await visit.play())["outcome"] == "accept"
    await visit.place.faces.erase(visit.place.key, template)
    case, _ = await last(visit)
    [kept] = await visit.place.verifications.evidence.evidence_of(case)
    first, *others = kept.pictures
    assert (first.name, first.kind) == (ENROLMENT, PictureKind.REFERENCE)
    assert others
    assert all(one.kind is not PictureKind.REFERENCE for one in others)
    assert kept.facts.reference is ReferenceShown.ENROLMENT
    picture = await visit.place.verifications.evidence.picture(kept.name, kept.digest, ENROLMENT)
    assert picture == await visit.place.workers.still(draw(ALICE))


async def test_of_a_template_that_is_another_one_by_then_no_picture_is_kept(visit: Visit) -> None:
    template = await enrolled(visit)
    await visit.begin()
    await visit.until(lambda: visit.house.media.taps)
    await visit.place.faces.replace(visit.place.key, template, draw(BOB), None)
    assert (await visit.play())["outcome"] == "reject"
    case, attempt = await last(visit)
    assert attempt.reasons == ("reference_changed",)
    [kept] = await visit.place.verifications.evidence.evidence_of(case)
    assert kept.facts.reference is ReferenceShown.CHANGED
    assert kept.pictures
    assert all(one.kind is not PictureKind.REFERENCE for one in kept.pictures)


async def test_nor_is_a_portrait_shown_that_came_after_they_were_compared(visit: Visit) -> None:
    begin = visit.place.verifications.attempts.begin_attempt

    async def late(*asked: Any, **more: Any) -> Attempt:
        await visit.place.verifications.set_portrait(visit.place.bank, visit.case, SetPortrait(image=draw(BOB)))
        begun: Attempt = await begin(*asked, **more)
        return begun

    visit.place.verifications.attempts.begin_attempt = late
    await visit.begin()
    assert (await visit.play())["outcome"] == "reject"
    case, attempt = await last(visit)
    assert attempt.reasons == ("reference_changed",)
    _, kept = await visit.place.verifications.evidence.evidence_of(case)
    assert kept.facts.reference is ReferenceShown.CHANGED
