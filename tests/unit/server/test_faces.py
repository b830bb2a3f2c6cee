"""Face checks and templates as a service: nothing that fails is a yes, nothing of a face is kept but sealed, everything is in the audit."""

import base64
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from server.api.bodies_faces import Assurance, Presentation, TemplateState
from server.config import load
from server.domain import ids
from server.domain.ids import TemplateId
from server.domain.model import Role
from server.errors import (
    ConfigError,
    Conflict,
    Gone,
    Invalid,
    NotFound,
    PictureRefused,
    TooMany,
    VerificationBusy,
    VerificationLost,
    VerificationTimeout,
    VerificationUnavailable,
)
from server.faces import RingSeal, template_keys
from server.services.face_ports import CLIP_PICTURES, SealBroken
from server.services.faces import PackChanged, TemplateExists
from tests.support.face_place import Place, somebody
from tests.support.tiny_engine import ALICE, BOB, card, draw
from verification import errors
from verification.models.identity import FORMER_PACKS

DIM = (60, 55, 50)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


async def test_two_pictures(place: Place) -> None:
    same = await place.faces.compare(place.key, draw(ALICE), draw(ALICE), None)
    other = await place.faces.compare(place.key, draw(ALICE), draw(BOB), 1e-4)
    assert (same.match, other.match) == (True, False)
    assert [reason.code for reason in other.reasons] == ["no_match"]
    assert set(other.reasons[0].advice) == {"zh", "en"}
    assert other.fmr == 1e-4
    assert await place.audit() == [
        ("face.compared", "", {"outcome": "match", "fmr": "0.001", "pack": place.engine.pack_info.hash}),
        ("face.compared", "", {"outcome": "no_match", "fmr": "0.0001", "pack": place.engine.pack_info.hash}),
    ]


async def test_an_operating_point_that_the_pack_does_not_have(place: Place) -> None:
    with pytest.raises(Invalid, match=r"fmr: one of 0.0001, 0.001\."):
        await place.faces.compare(place.key, draw(ALICE), draw(ALICE), 0.5)


async def test_the_configured_operating_point_counts(tmp_path: Path) -> None:
    place = Place(tmp_path, fmr=1e-4)
    assert (await place.faces.compare(place.key, draw(ALICE), draw(ALICE), None)).fmr == 1e-4
    assert (await place.faces.compare(place.key, draw(ALICE), draw(ALICE), 1e-3)).fmr == 1e-3


TROUBLE: list[tuple[Exception, type[Exception]]] = [
    (errors.EngineBusy("16 calls wait already"), VerificationBusy),
    (errors.EngineLost("the worker died"), VerificationLost),
    (errors.BadMessage("nonsense"), VerificationLost),
    (errors.DeadlineMissed("no answer in 10 s"), VerificationTimeout),
    (errors.VerificationError("odd"), VerificationLost),
    (ValueError("an answer that cannot be"), VerificationLost),
]


@pytest.mark.parametrize(("raised", "told"), TROUBLE)
async def test_trouble_in_the_engine_is_never_an_answer(place: Place, raised: Exception, told: type[Exception]) -> None:
    id = await place.enrol()
    calls: list[Callable[[], Any]] = [
        lambda: place.faces.compare(place.key, draw(ALICE), draw(ALICE), None),
        lambda: place.faces.compare_with(place.key, id, draw(ALICE), None),
        lambda: place.faces.examine(place.key, draw(ALICE)),
        lambda: place.faces.liveness(place.key, [draw(ALICE)], b""),
        lambda: place.faces.liveness(place.key, [], b"clip"),
        lambda: place.faces.enrol(place.key, draw(ALICE), "c-9", "consents/9"),
        lambda: place.faces.replace(place.key, id, draw(ALICE), None),
    ]
    for call in calls:
        place.engine.next_error = raised
        with pytest.raises(told) as failed:
            await call()
        assert isinstance(failed.value, VerificationUnavailable)
    place.engine.next_error = raised
    batch = await place.faces.compare_batch(place.key, [draw(ALICE)] * 2, [draw(ALICE)] * 2, None)
    assert batch.pairs[0].comparison is None
    assert batch.pairs[0].fault is not None
    assert batch.pairs[0].fault.code.startswith("verification_")
    assert batch.pairs[1].comparison is not None
    outcomes = {details.get("outcome") for action, _, details in await place.audit() if action.startswith("face.")}
    assert outcomes == {told.code, "batch"}  # type: ignore[attr-defined]


async def test_pictures_that_are_refused_say_which_and_what_to_do(place: Place) -> None:
    for reference, probe, code, at in (
        (draw(ALICE), draw(None), "no_face", 1),
        (draw(ALICE, faces=2), draw(ALICE), "several_faces", 0),
        (b"rubbish", draw(ALICE), "image_format_unknown", 0),
        (draw(ALICE), draw(ALICE)[:200], "image_truncated", 1),
    ):
        with pytest.raises(PictureRefused) as refused:
            await place.faces.compare(place.key, reference, probe, None)
        assert (refused.value.code, refused.value.picture) == (code, at)
        (reason,) = place.workers.reasons(refused.value.reasons)
        assert reason.code == code
        assert all(reason.advice.values())
    assert [details["outcome"] for _, _, details in await place.audit()] == [
        "no_face", "several_faces", "image_format_unknown", "image_truncated",
    ]  # fmt: skip


async def test_a_batch_answers_pair_by_pair(place: Place) -> None:
    batch = await place.faces.compare_batch(
        place.key, [draw(ALICE), draw(ALICE), draw(None)], [draw(ALICE), draw(BOB), draw(BOB)], None
    )
    assert [pair.comparison.match if pair.comparison else None for pair in batch.pairs] == [True, False, None]
    fault = batch.pairs[2].fault
    assert fault is not None
    assert (fault.code, fault.picture, fault.reasons[0].code) == ("no_face", 0, "no_face")
    assert (await place.audit())[0][2] == {
        "outcome": "batch", "pairs": "3", "compared": "2", "matches": "1", "fmr": "0.001", "pack": place.engine.pack_info.hash,
    }  # fmt: skip
    with pytest.raises(Invalid):
        await place.faces.compare_batch(place.key, [draw(ALICE)], [draw(ALICE)], 0.5)
    assert (await place.audit())[1][2] == {"outcome": "invalid", "pairs": "1"}


async def test_liveness_of_pictures_and_clips(place: Place) -> None:
    live = await place.faces.liveness(place.key, takes(10), b"")
    assert (live.presentation, live.assurance) == (Presentation.BONA_FIDE, Assurance.UPLOADED_PICTURES)
    still = await place.faces.liveness(place.key, [draw(ALICE)], b"")
    assert (still.presentation, [reason.code for reason in still.reasons]) == (Presentation.UNDETERMINED, ["pad_too_few"])
    again = await place.faces.liveness(place.key, saved_again(16), b"")
    assert (again.presentation, [reason.code for reason in again.reasons]) == (Presentation.UNDETERMINED, ["pad_too_few"])
    attack = await place.faces.liveness(place.key, [draw(ALICE, striped=True)], b"")
    assert (attack.presentation, attack.reasons[0].code) == (Presentation.ATTACK, "pad_attack")
    swapped = await place.faces.liveness(place.key, [draw(ALICE), draw(BOB)], b"")
    assert (swapped.presentation, swapped.reasons[0].code) == (Presentation.UNDETERMINED, "face_changed")
    nobody = await place.faces.liveness(place.key, [draw(None)], b"")
    assert (nobody.presentation, nobody.reasons[0].code, nobody.pad_score) == (Presentation.UNDETERMINED, "no_face", None)
    seldom = await place.faces.liveness(place.key, [draw(ALICE), draw(None), draw(None)], b"")
    assert (seldom.presentation, seldom.reasons[0].code) == (Presentation.UNDETERMINED, "face_lost")
    two = await place.faces.liveness(place.key, [draw(ALICE), draw(ALICE, faces=2)], b"")
    assert (two.presentation, two.reasons[0].code) == (Presentation.UNDETERMINED, "several_faces")


def takes(count: int) -> list[bytes]:
    """Pictures of one person, all different."""
    return [draw(ALICE, size=(160 + 4 * at, 120)) for at in range(count)]


def saved_again(count: int) -> list[bytes]:
    """One picture in different files."""
    files = [draw(ALICE) + bytes(at) for at in range(count)]
    assert len(set(files)) == count
    return files


async def test_each_picture_and_each_of_a_clip_is_a_check(place: Place) -> None:
    customer = await somebody(place, Role.CUSTOMER)
    place.engine.next_error = errors.EngineLost("gone")
    with pytest.raises(VerificationLost):
        await place.faces.liveness(customer, [], b"clip")  # 15 beside the one of being admitted
    before = list(place.engine.calls)
    for images, clip in ((takes(7), b""), ([], b"clip")):
        with pytest.raises(TooMany):
            await place.faces.liveness(customer, images, clip)
    assert place.engine.calls == before
    await place.faces.liveness(customer, takes(6), b"")
    with pytest.raises(TooMany):
        await place.faces.liveness(customer, takes(2), b"")
    await place.faces.liveness(customer, takes(1), b"")


async def test_a_clip_costs_as_many_as_are_taken_out_of_it(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    async def clip(data: bytes, *, frames: int = 0) -> Any:
        asked.append(frames)
        raise errors.EngineLost("gone")

    monkeypatch.setattr(place.engine, "clip", clip)
    with pytest.raises(VerificationLost):
        await place.faces.liveness(place.key, [], b"clip")
    assert asked == [CLIP_PICTURES]


async def test_customers_are_told_no_scores(place: Place) -> None:
    customer, agent = await somebody(place, Role.CUSTOMER), await somebody(place, Role.AGENT)
    supervisor = await somebody(place, Role.SUPERVISOR)
    expert = await somebody(place, Role.EXPERT)
    for who, told in ((customer, False), (expert, False), (agent, True), (supervisor, True), (place.key, True)):
        other = await place.faces.compare(who, draw(ALICE), draw(BOB), None)
        assert (other.match, [reason.code for reason in other.reasons]) == (False, ["no_match"])
        assert (other.comparison_score is not None) is told
        batch = await place.faces.compare_batch(who, [draw(ALICE), draw(None)], [draw(ALICE), draw(BOB)], None)
        first, second = batch.pairs
        assert first.comparison is not None
        assert (first.comparison.match, first.comparison.comparison_score is not None) == (True, told)
        assert second.fault is not None
        live = await place.faces.liveness(who, takes(10), b"")
        assert (live.presentation, live.pad_score is not None) == (Presentation.BONA_FIDE, told)
        assert [frame.pad_score is not None for frame in live.frames] == [told] * 10
        assert [frame.comparison_score is not None for frame in live.frames[1:]] == [told] * 9
        assert all(frame.faces == 1 and frame.quality is not None for frame in live.frames)
        attack = await place.faces.liveness(who, [draw(ALICE, striped=True)], b"")
        assert (attack.presentation, attack.reasons[0].code) == (Presentation.ATTACK, "pad_attack")
        assert attack.reasons[0].advice
        shown = (await place.faces.documents.compare(who, card(ALICE), draw(ALICE), None)).comparison
        assert shown is not None
        assert (shown.match, shown.comparison_score is not None) == (True, told)


async def test_a_pack_without_passive_detection_never_says_bona_fide(place: Place) -> None:
    place.engine.pack_info = replace(place.engine.pack_info, has_pad=False, pad_accept=None, pad_refer=None)
    checked = await place.faces.liveness(place.key, [draw(ALICE)], b"")
    assert checked.presentation is Presentation.UNDETERMINED


async def test_quality_is_told(place: Place) -> None:
    good = await place.faces.examine(place.key, draw(ALICE))
    dark = await place.faces.examine(place.key, draw(DIM))
    assert good.picture.quality.good
    assert [reason.code for reason in dark.picture.quality.reasons] == ["too_dark"]
    assert [details["outcome"] for _, _, details in await place.audit()] == ["good", "poor"]


# ---- templates


async def test_the_life_of_a_template(place: Place) -> None:
    made = await place.faces.enrol(place.key, draw(ALICE), "c-1", "consents/1")
    id = made.template.id
    assert (made.template.state, made.template.subject) == (TemplateState.READY, "c-1")
    assert await place.faces.template(id) == made.template
    found = await place.faces.compare_with(place.key, id, draw(ALICE), None)
    assert (found.match, found.template, found.reference) == (True, id, None)
    assert not (await place.faces.compare_with(place.key, id, draw(BOB), None)).match
    with pytest.raises(TemplateExists):
        await place.faces.enrol(place.key, draw(BOB), "c-1", "consents/2")
    replaced = await place.faces.replace(place.key, id, draw(BOB), "consents/3")
    assert (replaced.template.consent, replaced.template.replaced_at is None) == ("consents/3", False)
    assert (await place.faces.replace(place.key, id, draw(BOB), None)).template.consent == "consents/3"
    assert (await place.faces.compare_with(place.key, id, draw(BOB), None)).match
    await place.faces.erase(place.key, id)
    for call in (
        lambda: place.faces.template(id),
        lambda: place.faces.compare_with(place.key, id, draw(BOB), None),
        lambda: place.faces.replace(place.key, id, draw(BOB), None),
        lambda: place.faces.erase(place.key, id),
    ):
        with pytest.raises(Gone):
            await call()
    async with place.store.read() as tx:
        left = await tx.get_template(id)
    assert left is not None
    assert (left.subject, left.consent, left.key, left.sealed) == (None, "", b"", b"")
    assert await place.enrol("c-1") != id
    audit = await place.audit()
    assert [action for action, subject, _ in audit if subject == id] == [
        "template.enrolled", "face.compared", "face.compared", "template.replaced", "template.replaced", "face.compared",
        "template.erased", "face.compared",
    ]  # fmt: skip
    replaced_with = [details["outcome"] for action, _, details in audit if action == "template.replaced"]
    assert replaced_with == ["no_match", "match"]  # the first by another person's face
    assert "c-1" not in str(audit)
    assert "consents" not in str(audit)


async def test_a_template_that_is_not_there(place: Place) -> None:
    for call in (
        lambda: place.faces.template(TemplateId("FT_X")),
        lambda: place.faces.compare_with(place.key, TemplateId("FT_X"), draw(BOB), None),
        lambda: place.faces.erase(place.key, TemplateId("FT_X")),
    ):
        with pytest.raises(NotFound):
            await call()


async def test_another_recogniser_needs_everybody_anew(place: Place) -> None:
    id = await place.enrol()
    place.engine.pack_info = replace(place.engine.pack_info, hash="cd" * 32, recogniser="cd" * 32)
    assert (await place.faces.template(id)).state is TemplateState.PACK_CHANGED
    before = list(place.engine.calls)
    with pytest.raises(PackChanged):
        await place.faces.compare_with(place.key, id, draw(ALICE), None)
    assert place.engine.calls == before
    assert (await place.faces.replace(place.key, id, draw(ALICE), None)).template.state is TemplateState.READY


async def test_another_pack_with_the_same_recogniser_does_not(place: Place) -> None:
    """Another threshold of attacks, another licence: the numbers of faces are the same."""
    id = await place.enrol()
    place.engine.pack_info = replace(place.engine.pack_info, hash="cd" * 32, pad_accept=0.9)
    assert (await place.faces.template(id)).state is TemplateState.READY
    assert (await place.faces.compare_with(place.key, id, draw(ALICE), None)).match
    assert not (await place.faces.compare_with(place.key, id, draw(BOB), None)).match


async def forget_recogniser(place: Place, id: TemplateId, **more: Any) -> None:
    """As templates were kept before."""
    async with place.store.begin() as tx:
        record = await tx.get_template(id)
        assert record is not None
        await tx.save_template(msgspec.structs.replace(record, recogniser="", **more))


async def recogniser_kept(place: Place, id: TemplateId) -> str:
    async with place.store.read() as tx:
        record = await tx.get_template(id)
    assert record is not None
    return record.recogniser


async def test_templates_of_before_are_adopted_by_the_pack_that_made_them(place: Place) -> None:
    id = await place.enrol()
    await forget_recogniser(place, id)
    assert (await place.faces.compare_with(place.key, id, draw(ALICE), None)).match
    assert await recogniser_kept(place, id) == ""
    async with place.faces.admitted(place.key):
        pass
    assert await recogniser_kept(place, id) == place.engine.pack_info.recogniser
    place.engine.pack_info = replace(place.engine.pack_info, hash="cd" * 32)
    assert (await place.faces.compare_with(place.key, id, draw(ALICE), None)).match


async def test_templates_of_before_whose_pack_nobody_knows(place: Place) -> None:
    id = await place.enrol()
    await forget_recogniser(place, id)
    place.engine.pack_info = replace(place.engine.pack_info, hash="cd" * 32)
    await place.faces.scrub()
    assert await recogniser_kept(place, id) == ""
    with pytest.raises(PackChanged):
        await place.faces.compare_with(place.key, id, draw(ALICE), None)


@pytest.mark.parametrize(
    "pack",
    [
        "cb78490ace650ce9f647540321ea042c9c76a774263bc335042073db4dc914ad",
        "fbf21b7718306840f0fdbd2bd0a4f1fbaaff056b1ca5a4a6044fc4a305b32196",
    ],
    ids=["base", "open"],
)
async def test_templates_of_before_of_a_pack_that_came_with_an_earlier_version(place: Place, pack: str) -> None:
    """Whose manifest says something else now."""
    recogniser = FORMER_PACKS[pack]
    id = await place.enrol()
    await forget_recogniser(place, id, pack_hash=pack)
    place.engine.pack_info = replace(place.engine.pack_info, recogniser=recogniser)
    assert (await place.faces.template(id)).state is TemplateState.READY
    await place.faces.scrub()
    assert await recogniser_kept(place, id) == recogniser


async def test_bad_pictures_are_no_templates(place: Place, tmp_path: Path) -> None:
    with pytest.raises(PictureRefused) as refused:
        await place.faces.enrol(place.key, draw(DIM), "c-1", "consents/1")
    assert refused.value.reasons == ("too_dark",)
    lenient = Place(tmp_path / "other", strict_enrolment=False)
    made = await lenient.faces.enrol(lenient.key, draw(DIM), "c-1", "consents/1")
    assert not made.picture.quality.good


@pytest.mark.parametrize("what", ["id", "pack", "sealed", "key", "cut"])
async def test_a_template_opens_only_where_it_belongs(place: Place, what: str) -> None:
    """Swapped with another one's, said to be of another pack, or changed in one bit: no answer."""
    id, other = await place.enrol("c-1"), await place.enrol("c-2", BOB)
    async with place.store.begin() as tx:
        mine, theirs = await tx.get_template(id), await tx.get_template(other)
        assert mine is not None
        assert theirs is not None
        changes: dict[str, dict[str, Any]] = {
            "id": {"key": theirs.key, "sealed": theirs.sealed},
            "pack": {"pack_hash": "cd" * 32},
            "sealed": {"sealed": mine.sealed[:-1] + bytes([mine.sealed[-1] ^ 1])},
            "key": {"key": mine.key[:-1] + bytes([mine.key[-1] ^ 1])},
            "cut": {"sealed": mine.sealed[:5]},
        }
        await tx.save_template(msgspec.structs.replace(mine, **changes[what]))
    if what == "pack":
        place.engine.pack_info = replace(place.engine.pack_info, hash="cd" * 32)
    with pytest.raises(VerificationUnavailable, match="cannot be opened"):
        await place.faces.compare_with(place.key, id, draw(BOB), None)


def test_the_seal_says_nothing_twice_the_same(place: Place) -> None:
    first, second = place.seal.seal("FT_A", "x", b"face" * 40), place.seal.seal("FT_A", "x", b"face" * 40)
    assert first[0] != second[0]
    assert b"face" not in first[1]
    assert place.seal.open("FT_A", "x", *first) == b"face" * 40
    with pytest.raises(SealBroken):
        place.seal.open("FT_A", "x", first[0], second[1])


def test_master_keys(tmp_path: Path) -> None:
    config = load(environment={}, overrides={"data_dir": str(tmp_path)})
    ring = template_keys(config)
    assert template_keys(config).ids == ring.ids
    file = tmp_path / "secrets" / "face.key"
    assert file.stat().st_mode & 0o777 == 0o600
    sealed = RingSeal(ring).seal("FT_A", "x", b"face")
    newer = base64.b64encode(bytes(32)).decode()
    both = load(
        environment={}, overrides={"data_dir": str(tmp_path), "verification.key": f"{newer},{file.read_text().strip()}"}
    )
    assert RingSeal(template_keys(both)).open("FT_A", "x", *sealed) == b"face"
    alone = load(environment={}, overrides={"data_dir": str(tmp_path), "verification.key": newer})
    with pytest.raises(SealBroken):
        RingSeal(template_keys(alone)).open("FT_A", "x", *sealed)
    file.chmod(0o644)
    with pytest.raises(ConfigError, match=r"verification\.key"):
        template_keys(config)


async def test_a_template_of_another_recogniser_is_refused(place: Place) -> None:
    id = await place.enrol()
    place.engine.next_error = errors.TemplateRefused("another recogniser made it", code="template_of_another_model")
    with pytest.raises(Conflict):
        await place.faces.compare_with(place.key, id, draw(ALICE), None)


def test_no_code_is_without_advice(place: Place) -> None:
    from verification.reasons import ReasonCode

    told = place.workers.reasons([code.value for code in ReasonCode] + ["no_such_reason"])
    assert [reason.code for reason in told] == [code.value for code in ReasonCode]
    assert all(reason.advice["zh"] and reason.advice["en"] for reason in told)  # type: ignore[index]


def test_ids_of_templates() -> None:
    assert ids.is_id(ids.make_id(ids.TEMPLATE, bytes(16)), "FT")
