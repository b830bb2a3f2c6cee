"""The contract of ``server.store.ports``, fourth part: templates of faces, and keys that may check faces."""

import sqlite3
from pathlib import Path

import msgspec
import pytest

from server.domain import ids
from server.domain.ids import TemplateId
from server.domain.model import FaceTemplate
from server.errors import Conflict, Invalid, NotFound, StoreUnavailable
from server.store.ports import Store
from server.store.sql import open_store
from tests.support.records import Records, at


def template(make: Records, subject: str | None = "c-1") -> FaceTemplate:
    return FaceTemplate(
        id=TemplateId(make.id(ids.TEMPLATE)),
        subject=subject,
        consent="consents/1",
        pack_hash="ab" * 32,
        key=bytes(range(76)),
        sealed=bytes(range(256)) * 3,
        created_at=at(0),
        created_by="AK_X",
    )


async def test_a_template_comes_back_equal(store: Store, make: Records) -> None:
    first = template(make)
    async with store.begin() as tx:
        await tx.add_template(first)
    async with store.read() as tx:
        assert await tx.get_template(first.id) == first
        assert await tx.get_template(TemplateId("FT_X")) is None
    with_picture = msgspec.structs.replace(first, picture=bytes(range(256)) * 400)
    later = msgspec.structs.replace(first, subject=None, consent="", key=b"", sealed=b"", replaced_at=at(1), erased_at=at(2))
    for changed in (with_picture, msgspec.structs.replace(first, picture=b""), later):
        async with store.begin() as tx:
            await tx.save_template(changed)
        async with store.read() as tx:
            assert await tx.get_template(first.id) == changed
    other = msgspec.structs.replace(template(make, "c-2"), picture=b"\0sealed")
    async with store.begin() as tx:
        await tx.add_template(other)
    async with store.read() as tx:
        assert await tx.get_template(other.id) == other
        assert await tx.customer_template("c-2") == other


async def test_a_subject_has_one(store: Store, make: Records) -> None:
    first, second = template(make), template(make)
    async with store.begin() as tx:
        await tx.add_template(first)
    with pytest.raises(Conflict):
        async with store.begin() as tx:
            await tx.add_template(second)
    other = msgspec.structs.replace(second, subject="c-2")
    async with store.begin() as tx:
        await tx.add_template(other)
    with pytest.raises(Conflict):
        async with store.begin() as tx:
            await tx.save_template(second)
    erased = [msgspec.structs.replace(one, subject=None) for one in (first, other)]
    async with store.begin() as tx:
        for one in erased:
            await tx.save_template(one)
        await tx.add_template(template(make))
    async with store.read() as tx:
        assert [await tx.get_template(one.id) for one in erased] == erased


async def test_they_are_listed_by_id_and_adopted_by_pack(store: Store, make: Records) -> None:
    all_ = sorted((template(make, f"c-{number}") for number in range(5)), key=lambda one: one.id)
    other = msgspec.structs.replace(all_[1], pack_hash="cd" * 32)
    erased = msgspec.structs.replace(all_[3], subject=None, key=b"", sealed=b"", erased_at=at(1))
    known = msgspec.structs.replace(all_[4], recogniser="ef" * 32)
    async with store.begin() as tx:
        for one in (all_[2], all_[0], other, erased, known):
            await tx.add_template(one)
    async with store.read() as tx:
        assert await tx.list_templates("", 2) == [all_[0], other]
        assert await tx.list_templates(other.id, 10) == [all_[2], known]
        assert await tx.list_templates(known.id, 10) == []
        with pytest.raises(ValueError, match="limit"):
            await tx.list_templates("", 0)
        with pytest.raises(RuntimeError):
            await tx.adopt_templates("ab" * 32, "12" * 32)
    async with store.begin() as tx:
        assert await tx.adopt_templates("ab" * 32, "12" * 32) == 3
        assert await tx.adopt_templates("ab" * 32, "34" * 32) == 0
    async with store.read() as tx:
        left = {one.id: one.recogniser for one in await tx.list_templates("", 10)}
    assert left == {all_[0].id: "12" * 32, other.id: "", all_[2].id: "12" * 32, known.id: "ef" * 32}


async def test_what_is_refused(store: Store, make: Records) -> None:
    first = template(make)
    with pytest.raises(NotFound):
        async with store.begin() as tx:
            await tx.save_template(first)
    with pytest.raises(Invalid):
        async with store.begin() as tx:
            await tx.add_template(msgspec.structs.replace(first, subject="\0"))
    async with store.read() as tx:
        with pytest.raises(RuntimeError):
            await tx.add_template(first)


async def test_keys_that_may_check_faces(store: Store, make: Records) -> None:
    plain, faces = make.api_key(), msgspec.structs.replace(make.api_key(), faces=True)
    async with store.begin() as tx:
        await tx.add_api_key(plain)
        await tx.add_api_key(faces)
    async with store.read() as tx:
        assert [key.faces for key in await tx.list_api_keys()] == [False, True]


async def test_scrubbing_changes_nothing_that_is_kept(store: Store, make: Records) -> None:
    first = template(make)
    async with store.begin() as tx:
        await tx.add_template(first)
    assert await store.scrub() is True
    async with store.read() as tx:
        assert await tx.get_template(first.id) == first
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.scrub()


async def test_what_was_erased_is_in_no_file_of_the_database(tmp_path: Path, make: Records) -> None:
    """Also while somebody reads: then it says so, and goes on later."""
    store = await open_store(f"sqlite:///{tmp_path}/store.db")
    words = (b"WRAPPED-KEY-", b"SEALED-FACE-", b"SEALED-PICTURE-")
    first = msgspec.structs.replace(template(make), key=words[0] * 6, sealed=words[1] * 400, picture=words[2] * 4000)
    async with store.begin() as tx:
        await tx.add_template(first)

    def found() -> bool:
        return any(word in path.read_bytes() for path in tmp_path.iterdir() for word in words)

    assert found()
    reader = sqlite3.connect(tmp_path / "store.db")
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM face_templates").fetchall()
    async with store.begin() as tx:
        await tx.save_template(msgspec.structs.replace(first, subject=None, key=b"", sealed=b"", picture=None))
    assert await store.scrub() is False
    reader.close()
    assert await store.scrub() is True
    assert not found()
    await store.close()
