"""Another master key for templates and for what is sealed of transactions: whatever breaks off, everything opens, and doing it again ends it."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from media.recording.keys import wrapped_with
from server import config as configuration
from server import data_lock, face_keys
from server.app import database_url
from server.cli_templates import app
from server.domain import ids
from server.domain.ids import TemplateId
from server.domain.model import FaceTemplate
from server.errors import ConfigError
from server.faces import KEY_FILE, RingSeal, template_keys
from server.services.enrolled_pictures import EnrolledPictures
from server.services.face_ports import SealBroken
from server.store.memory import MemoryStore
from server.store.ports import Store, Transaction
from server.store.sql import open_store
from tests.support.records import Records, at

PACK = "ab" * 32
SECRET = b"numbers of a face"
PICTURE = b"the picture that they were made from"


class Place:
    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TONGPING_DATA_DIR", str(folder))
        monkeypatch.delenv("PORT", raising=False)
        self.env = monkeypatch.setenv
        self.folder = folder
        self.file = folder / KEY_FILE
        self.make = Records()

    @property
    def config(self) -> configuration.Config:
        return configuration.load()

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, ["rewrap", *arguments])

    def seal(self) -> RingSeal:
        return RingSeal(template_keys(self.config))

    async def fill(self, store: Store, templates: int, seal: RingSeal) -> list[str]:
        made = []
        async with store.begin() as tx:
            for number in range(templates):
                id = TemplateId(self.make.id(ids.TEMPLATE))
                key, sealed = seal.seal(id, PACK, SECRET)
                picture = EnrolledPictures(seal).sealed(id, PACK, key, PICTURE)
                kept = FaceTemplate(
                    id=id, subject=f"c-{number}", consent="consents/1", pack_hash=PACK, key=key, sealed=sealed, picture=picture,
                    created_at=at(0), created_by="AK_X",
                )  # fmt: skip
                await tx.add_template(kept)
                made.append(id)
            gone = TemplateId(self.make.id(ids.TEMPLATE))
            await tx.add_template(
                FaceTemplate(
                    id=gone,
                    subject=None,
                    consent="",
                    pack_hash=PACK,
                    key=b"",
                    sealed=b"",
                    created_at=at(0),
                    created_by="AK_X",
                    erased_at=at(1),
                )
            )
        return made

    def stored(self, do: Callable[[Store], Any]) -> Any:
        async def run() -> Any:
            store = await open_store(database_url(self.config), migrate=True)
            try:
                return await do(store)
            finally:
                await store.close()

        return asyncio.run(run())


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(tmp_path, monkeypatch)


async def opened(store: Store, seal: RingSeal) -> int:
    """How many templates; all open, with their pictures."""
    async with store.read() as tx:
        records = await tx.list_templates("", 1000)
    assert [seal.open(record.id, PACK, record.key, record.sealed) for record in records] == [SECRET] * len(records)
    assert {EnrolledPictures(seal).opened(record) for record in records} == {PICTURE}
    return len(records)


async def under(store: Store) -> set[str]:
    async with store.read() as tx:
        return {wrapped_with(record.key) for record in await tx.list_templates("", 1000)}


def test_a_new_key_takes_the_place_of_the_old(place: Place) -> None:
    old = place.seal()
    place.stored(lambda store: place.fill(store, 3, old))
    before = template_keys(place.config).current
    done = place.run("--new-key")
    assert done.exit_code == 0, done.output
    ring = template_keys(place.config)
    assert len(ring.ids) == 2
    assert ring.ids[1] == before
    assert done.output == f"3 of 3 are under the master key {ring.current} now, the others were before\n"
    assert place.file.stat().st_mode & 0o777 == 0o600
    assert place.stored(under) == {ring.current}
    assert place.run().output == f"0 of 3 are under the master key {ring.current} now, the others were before\n"
    assert "1 old keys are forgotten" in place.run("--forget-old").output
    assert template_keys(place.config).ids == (ring.current,)
    assert place.stored(lambda store: opened(store, place.seal())) == 3
    with pytest.raises(SealBroken):
        place.stored(lambda store: opened(store, old))

    async def audit(store: Store) -> list[Any]:
        async with store.read() as tx:
            return [entry.event for entry in await tx.list_audit(after=0, limit=10)]

    events = place.stored(audit)
    assert [(event.action.value, event.subject) for event in events] == [("template.keys_rewrapped", ring.current)] * 3
    assert events[0].details == {"known": "3", "changed": "3", "unreadable": "0"}
    assert SECRET.decode() not in json.dumps([msgspec.to_builtins(event) for event in events])


async def test_transactions_under_way_too(place: Place) -> None:
    store, seal = MemoryStore(), place.seal()
    under_way, ended = place.make.case(), msgspec.structs.replace(place.make.case(), key=b"", sealed=b"")
    id = under_way.id
    key, sealed = seal.of("transaction details").seal(id, "of", SECRET)
    reference_key, reference_sealed = seal.of("transaction portrait").seal(id, PACK, SECRET)
    async with store.begin() as tx:
        await tx.keep_policy(under_way.policy_hash, b"{}")
        await tx.add_case(ended)
        await tx.add_case(
            msgspec.structs.replace(
                under_way,
                key=key,
                sealed=sealed,
                reference_pack=PACK,
                reference_key=reference_key,
                reference_sealed=reference_sealed,
            )
        )
    face_keys.put_new_key_first(place.config)
    ring = template_keys(place.config)
    done = await face_keys.rewrap(store, ring)
    assert (done.known, done.changed, done.unreadable) == (1, 2, ())
    face_keys.forget_old_keys(place.config)
    new = place.seal()
    async with store.read() as tx:
        kept = await tx.get_case(id)
    assert kept is not None
    assert new.of("transaction details").open(id, "of", kept.key, kept.sealed) == SECRET
    assert new.of("transaction portrait").open(id, PACK, kept.reference_key, kept.reference_sealed) == SECRET


class Breaking:
    """A store whose transaction number ``at`` comes to nothing, as when the machine stops."""

    def __init__(self, store: Store, at: int) -> None:
        self._store, self._at = store, at

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        self._at -= 1
        async with self._store.begin() as tx:
            yield tx
            if self._at < 0:
                raise OSError("no power")


@pytest.mark.parametrize("transactions", range(5))
async def test_broken_off_anywhere(place: Place, transactions: int) -> None:
    store = MemoryStore()
    await place.fill(store, 7, place.seal())
    old = template_keys(place.config).current
    face_keys.put_new_key_first(place.config)
    ring = template_keys(place.config)
    breaking: Any = Breaking(store, transactions)
    with pytest.raises(OSError, match="power"):
        await face_keys.rewrap(breaking, ring, at_once=2)
    assert await opened(store, RingSeal(ring)) == 7
    assert await under(store) == ({old} if not transactions else {ring.current} if transactions == 4 else {old, ring.current})
    again = await face_keys.rewrap(store, template_keys(place.config), at_once=2)
    assert (again.known, again.changed) == (7, max(0, 7 - 2 * transactions))
    assert await under(store) == {ring.current}


def test_a_key_that_is_not_here(place: Place) -> None:
    """What it protects is left as it is, the rest is done, and no key is forgotten."""
    place.stored(lambda store: place.fill(store, 1, place.seal()))
    lost = place.file.read_bytes()
    place.file.unlink()
    done = place.run("--new-key", "--forget-old")
    assert done.exit_code == 1
    assert "its master key is not here" in done.output
    assert "0 of 1" in done.output
    assert len(template_keys(place.config).ids) == 2
    place.file.write_bytes(place.file.read_bytes() + lost)
    assert place.run("--forget-old").exit_code == 0
    assert place.stored(lambda store: opened(store, place.seal())) == 1


def test_what_is_refused(place: Place) -> None:
    with data_lock.held(place.folder):
        assert isinstance(place.run("--new-key").exception, ConfigError)
    assert not place.file.exists()
    for _ in range(15):
        face_keys.put_new_key_first(place.config)
    before = place.file.read_bytes()
    with pytest.raises(ConfigError, match="more than 16 master keys"):
        face_keys.put_new_key_first(place.config)
    assert place.file.read_bytes() == before
    place.env("TONGPING_VERIFICATION_KEY", base64.b64encode(bytes(32)).decode())
    for option in ("--new-key", "--forget-old"):
        error = place.run(option).exception
        assert isinstance(error, ConfigError)
        assert "verification.key" in error.detail
    assert place.run().exit_code == 0
    assert place.file.read_bytes() == before


def test_a_key_of_raw_bytes(place: Place) -> None:
    """Which an operator may have made with ``head -c 32 /dev/urandom``."""
    place.file.parent.mkdir()
    place.file.write_bytes(bytes(range(200, 232)))
    place.file.chmod(0o600)
    old = template_keys(place.config)
    face_keys.put_new_key_first(place.config)
    assert template_keys(place.config).ids[1:] == old.ids
    assert face_keys.forget_old_keys(place.config) == 1
