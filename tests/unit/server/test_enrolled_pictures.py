"""The picture that a template was made from: kept where the bank asks for it and a policy shows it to somebody, sealed with the template, and gone with it."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from server.domain.ids import TemplateId
from server.domain.model import FaceTemplate
from server.errors import DependencyError, Gone, NotFound, PictureRefused, VerificationLost
from server.services import face_templates
from server.services.enrolled_pictures import EnrolledPictures
from server.services.erasure_ports import ErasedPicture, Erasure
from server.services.face_ports import SealBroken
from server.services.faces import Faces, TemplateChanged
from tests.support.face_place import Place
from tests.support.records import at
from tests.support.tiny_engine import ALICE, BOB, draw
from verification import errors


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


async def record(place: Place, id: TemplateId) -> FaceTemplate:
    async with place.store.read() as tx:
        found = await tx.get_template(id)
    assert found is not None
    return found


def picture(place: Place, kept: FaceTemplate) -> bytes | None:
    return EnrolledPictures(place.seal).opened(kept)


async def test_it_is_kept_small_and_sealed_where_it_is_asked_for(place: Place) -> None:
    made = await place.faces.enrol(place.key, draw(ALICE), "c-1", "consents/1", keep_picture=True)
    kept = await record(place, made.template.id)
    small = await place.workers.still(draw(ALICE))
    assert made.template.picture_kept
    assert picture(place, kept) == small
    assert kept.picture is not None
    assert small[:64] not in kept.picture
    assert b"\xff\xd8\xff" not in msgspec.msgpack.encode(kept)
    assert (await place.audit())[-1] == ("template.enrolled", kept.id, {"pack": place.engine.pack_info.hash, "picture": "kept"})
    assert (await place.faces.compare_with(place.key, kept.id, draw(ALICE), None)).match


async def test_else_nothing_of_it_is(place: Place) -> None:
    id = await place.enrol()
    assert picture(place, await record(place, id)) is None
    assert not (await place.faces.template(id)).picture_kept
    assert "still" not in place.engine.calls
    assert (await place.audit())[-1][2] == {"pack": place.engine.pack_info.hash}


async def test_what_no_policy_would_show_to_anybody_is_not_kept(place: Place) -> None:
    wanted = [True]
    place.faces = Faces(
        place.store, place.clock, place.make.id, place.workers, place.seal, place.config.verification, lambda: wanted[-1]
    )
    made = await place.faces.enrol(place.key, draw(ALICE), "c-1", "consents/1", keep_picture=True)
    assert made.template.picture_kept
    wanted.append(False)
    again = await place.faces.replace(place.key, made.template.id, draw(ALICE), None, keep_picture=True)
    assert not again.template.picture_kept
    assert (await record(place, made.template.id)).picture is None
    other = await place.faces.enrol(place.key, draw(BOB), "c-2", "consents/2", keep_picture=True)
    assert not other.template.picture_kept


@pytest.mark.parametrize(
    ("before", "asked", "after"),
    [(True, None, True), (False, None, False), (True, False, False), (False, True, True), (True, True, True)],
)
async def test_another_picture_takes_its_place_or_none(place: Place, before: bool, asked: bool | None, after: bool) -> None:
    made = await place.faces.enrol(place.key, draw(ALICE), "c-1", "consents/1", keep_picture=before)
    was = await record(place, made.template.id)
    newer = draw(ALICE, size=(200, 160))
    again = await place.faces.replace(place.key, was.id, newer, None, keep_picture=asked)
    kept = await record(place, was.id)
    assert again.template.picture_kept is after
    assert picture(place, kept) == (await place.workers.still(newer) if after else None)
    assert kept.key != was.key
    assert (await place.audit())[-1][2].get("picture", "") == ("kept" if after else "")


async def test_a_consent_taken_back_meanwhile_stands(place: Place) -> None:
    """A slower replacing that says nothing of the picture began before it was given up."""
    id = (await place.faces.enrol(place.key, draw(ALICE), "c-1", "consents/1", keep_picture=True)).template.id
    still, held, may = place.engine.still, asyncio.Event(), asyncio.Event()

    async def slow(*args: Any, **more: Any) -> Any:
        held.set()
        await may.wait()
        return await still(*args, **more)

    place.engine.still = slow  # type: ignore[method-assign]
    slower = asyncio.create_task(place.faces.replace(place.key, id, draw(ALICE, size=(200, 160)), None))
    await held.wait()
    place.engine.still = still  # type: ignore[method-assign]
    await place.faces.replace(place.key, id, draw(ALICE), "consents/2", keep_picture=False)
    may.set()
    with pytest.raises(TemplateChanged):
        await slower
    left = await place.faces.template(id)
    assert (left.picture_kept, left.consent) == (False, "consents/2")


class Written:
    """A journal of erasures; ``broken``: it cannot be written."""

    def __init__(self) -> None:
        self.erasures: list[Erasure] = []
        self.broken = False

    async def append(self, erasure: Erasure) -> None:
        if self.broken:
            raise DependencyError("The erasing could not be written down.")
        self.erasures.append(erasure)

    async def finish(self, id: str) -> None:
        raise AssertionError

    async def all(self) -> list[Erasure]:
        return self.erasures


async def test_an_erasing_is_written_down_outside_the_store_first(place: Place) -> None:
    journal = Written()
    place.faces = Faces(
        place.store, place.clock, place.make.id, place.workers, place.seal, place.config.verification, journal=journal
    )
    id = await place.enrol()
    journal.broken = True
    with pytest.raises(DependencyError):
        await place.faces.erase(place.key, id)
    assert (await place.faces.template(id)).subject == "c-1", "nothing was erased"
    journal.broken = False
    await place.faces.erase(place.key, id)
    with pytest.raises(Gone):
        await place.faces.erase(place.key, id)
    with pytest.raises(NotFound):
        await place.faces.erase(place.key, TemplateId("FT_NONE"))
    [one] = journal.erasures
    assert (one.templates, one.customer, one.cases, one.actor) == ((id,), "", (), place.key.actor)


async def test_it_can_go_alone(place: Place) -> None:
    """And the template compares as before; written down outside the store first, with which picture it was."""
    journal = Written()
    place.faces = Faces(
        place.store, place.clock, place.make.id, place.workers, place.seal, place.config.verification, journal=journal
    )
    place.clock.mono = 5.0
    id = (await place.faces.enrol(place.key, draw(ALICE), "c-1", "consents/1", keep_picture=True)).template.id
    was = await record(place, id)
    place.clock.mono = 9.0
    journal.broken = True
    with pytest.raises(DependencyError):
        await place.faces.erase_picture(place.key, id)
    assert await record(place, id) == was, "nothing was erased"
    journal.broken = False
    await place.faces.erase_picture(place.key, id)
    assert await record(place, id) == msgspec.structs.replace(was, picture=None)
    assert (await place.audit())[-1] == ("template.picture_erased", id, {})
    [one] = journal.erasures
    assert (one.pictures, one.templates, one.at, one.actor) == (
        (ErasedPicture(template=id, kept_at=at(5)),), (), at(9), place.key.actor,
    )  # fmt: skip
    assert (await place.faces.compare_with(place.key, id, draw(ALICE), None)).match
    assert not (await place.faces.template(id)).picture_kept
    assert not (await place.faces.replace(place.key, id, draw(ALICE), None)).template.picture_kept, "as it was"


async def test_none_that_is_not_there_goes(place: Place) -> None:
    """Never kept, gone already, of a template that was erased or never was: nothing is written down."""
    journal = Written()
    place.faces = Faces(
        place.store, place.clock, place.make.id, place.workers, place.seal, place.config.verification, journal=journal
    )
    without = await place.enrol()
    kept = (await place.faces.enrol(place.key, draw(BOB), "c-2", "consents/2", keep_picture=True)).template.id
    await place.faces.erase_picture(place.key, kept)
    for id in (without, kept, TemplateId("FT_NONE")):
        with pytest.raises(NotFound):
            await place.faces.erase_picture(place.key, id)
    await place.faces.erase(place.key, kept)
    with pytest.raises(Gone):
        await place.faces.erase_picture(place.key, kept)
    assert [(one.templates, len(one.pictures)) for one in journal.erasures] == [((), 1), ((kept,), 0)]


async def test_of_a_template_that_is_replaced_meanwhile_neither_goes(place: Place) -> None:
    """And what was written down is of the one before: a start leaves the new one alone."""
    id = (await place.faces.enrol(place.key, draw(ALICE), "c-1", "consents/1", keep_picture=True)).template.id

    class Slow(Written):
        async def append(self, erasure: Erasure) -> None:
            await super().append(erasure)
            place.clock.mono += 1.0
            await place.faces.replace(place.key, id, draw(ALICE, size=(200, 160)), "consents/2")

    journal = Slow()
    before = await record(place, id)
    one = Faces(place.store, place.clock, place.make.id, place.workers, place.seal, place.config.verification, journal=journal)
    with pytest.raises(TemplateChanged):
        await one.erase_picture(place.key, id)
    left = await record(place, id)
    assert (left.picture is not None, left.consent) == (True, "consents/2")
    [[erased]] = [one.pictures for one in journal.erasures]
    assert [face_templates.picture_stands(one, erased) for one in (before, left)] == [True, False]


async def test_who_gave_it_up_has_none_by_a_slower_replacing(place: Place) -> None:
    id = (await place.faces.enrol(place.key, draw(ALICE), "c-1", "consents/1", keep_picture=True)).template.id
    still = place.engine.still

    async def meanwhile(*args: Any, **more: Any) -> Any:
        await place.faces.erase_picture(place.key, id)
        return await still(*args, **more)

    place.engine.still = meanwhile  # type: ignore[method-assign]
    with pytest.raises(TemplateChanged):
        await place.faces.replace(place.key, id, draw(ALICE, size=(200, 160)), None)
    assert (await record(place, id)).picture is None


async def test_it_goes_with_its_template(place: Place) -> None:
    made = await place.faces.enrol(place.key, draw(ALICE), "c-1", "consents/1", keep_picture=True)
    await place.faces.erase(place.key, made.template.id)
    left = await record(place, made.template.id)
    assert (left.key, left.sealed, left.picture, left.subject) == (b"", b"", None, None)


async def test_where_it_cannot_be_made_small_nobody_is_enrolled(place: Place) -> None:
    """And what was there stays."""
    made = await place.faces.enrol(place.key, draw(ALICE), "c-1", "consents/1", keep_picture=True)
    was = await record(place, made.template.id)

    async def fails(*_: object, **__: object) -> Any:
        raise errors.EngineLost("the worker died")

    place.engine.still = fails  # type: ignore[method-assign]
    with pytest.raises(VerificationLost):
        await place.faces.enrol(place.key, draw(BOB), "c-2", "consents/2", keep_picture=True)
    with pytest.raises(VerificationLost):
        await place.faces.replace(place.key, was.id, draw(BOB), None)
    assert await record(place, was.id) == was
    async with place.store.read() as tx:
        assert [one.id for one in await tx.list_templates("", 10)] == [was.id]


async def test_a_bad_picture_is_refused_before_anything_is_kept(place: Place) -> None:
    with pytest.raises(PictureRefused):
        await place.faces.enrol(place.key, draw(None), "c-1", "consents/1", keep_picture=True)
    assert "still" not in place.engine.calls


@pytest.mark.campaign(19)
@pytest.mark.parametrize("what", ["anothers", "earlier", "template", "pack", "changed", "cut", "empty"])
async def test_it_opens_in_its_place_alone(place: Place, what: str) -> None:
    """Not as another customer's, not beside a newer template of the same one, not as a template, and not changed."""
    made = await place.faces.enrol(place.key, draw(ALICE), "c-1", "consents/1", keep_picture=True)
    other = await place.faces.enrol(place.key, draw(BOB), "c-2", "consents/2", keep_picture=True)
    earlier = await record(place, made.template.id)
    await place.faces.replace(place.key, earlier.id, draw(ALICE, size=(200, 160)), None)
    mine, theirs = await record(place, earlier.id), await record(place, other.template.id)
    assert mine.picture is not None
    changed = mine.picture[:40] + bytes([mine.picture[40] ^ 1]) + mine.picture[41:]
    wrong: dict[str, dict[str, Any]] = {
        "anothers": {"picture": theirs.picture},
        "earlier": {"picture": earlier.picture},
        "template": {"picture": mine.sealed},
        "pack": {"pack_hash": "cd" * 32},
        "changed": {"picture": changed},
        "cut": {"picture": mine.picture[:9]},
        "empty": {"picture": b""},
    }
    with pytest.raises(SealBroken):
        picture(place, msgspec.structs.replace(mine, **wrong[what]))
    with pytest.raises(SealBroken):  # nor does it pass for a template
        place.seal.open(mine.id, mine.pack_hash, mine.key, mine.picture)
    with pytest.raises(SealBroken):
        picture(place, msgspec.structs.replace(theirs, id=mine.id))


async def test_another_pack_with_the_same_recogniser_opens_it(place: Place) -> None:
    made = await place.faces.enrol(place.key, draw(ALICE), "c-1", "consents/1", keep_picture=True)
    place.engine.pack_info = replace(place.engine.pack_info, hash="cd" * 32)
    assert picture(place, await record(place, made.template.id)) == await place.workers.still(draw(ALICE))
