"""Campaign 12, the disk: it takes a write in part, or fails in the middle; nothing that was acknowledged is lost, nothing is kept by half."""

import random
from pathlib import Path

import aiohttp
import pytest

from server.app import running
from server.audit.verify import verify_database
from server.errors import StoreUnavailable
from server.store import checkpoints
from server.store.sql import SqlStore, open_store
from tests.support.failing_disk import files_at_most
from tests.support.log_lines import written
from tests.support.records import Records
from tests.support.server import FakePlane, Here, app, config

pytestmark = pytest.mark.campaign(12)
ROUNDS = 25
LONGEST = 60_000
"""Bytes that there is still room for: less than a commit or two."""
WORDS = b"asks for a new card\n" * 2_000


async def test_a_write_that_is_cut_off_anywhere_loses_nothing_of_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "EVERY", 1 << 60)  # so that each commit is written at the end of the log
    chance, make, kept = random.Random(12), Records(), []
    path = tmp_path / "store.db"
    store = await open_store(f"sqlite:///{path}")

    async def write(store: SqlStore) -> None:
        session = make.session()
        async with store.begin() as tx:
            await tx.add_session(session)
            await tx.append_audit(make.event(session=session.id, text="x" * 500))
        kept.append(session.id)

    async def until_refused() -> None:
        for _ in range(1000):
            await write(store)

    async def there(store: SqlStore) -> None:
        async with store.read() as tx:
            page = await tx.list_sessions(status=None, customer_reference=None, limit=10_000, cursor=None)
        assert sorted(one.id for one in page.sessions) == sorted(kept)

    said = set()
    await write(store)
    for _ in range(ROUNDS):
        room = path.with_name("store.db-wal").stat().st_size + chance.randint(1, LONGEST)
        with files_at_most(room), pytest.raises(StoreUnavailable, match="SQLITE_") as refused:
            await until_refused()
        said.add(refused.value.detail)
        await there(store)
        await write(store)  # somebody made room
    report = verify_database(path)
    assert (report.ok, report.entries) == (True, len(kept))
    await store.close()
    again = await open_store(f"sqlite:///{path}")
    await there(again)
    await write(again)
    await again.close()
    assert len(kept) > ROUNDS
    print(f"{len(kept)} kept of {len(kept) + ROUNDS}: {said}")


async def test_a_file_that_the_disk_takes_in_part_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with written():  # the test's own log lies on that disk, too
        await refused_in_part(tmp_path)


async def refused_in_part(tmp_path: Path) -> None:
    async with app(tmp_path) as here:
        session = await here.session()
        path, token = f"/sessions/{session}/files", (await here.place(session))["token"]
        headers = {"X-File-Name": "words.txt"}
        folder = tmp_path / "data" / "files"
        for size in (1, 1000, len(WORDS) - 1):
            with files_at_most(size):
                refused = await here.post(path, data=WORDS, headers=headers, token=token)
            assert (refused.status, refused.code) == (503, "unavailable"), refused.raw
            assert list(folder.iterdir()) == []
        with files_at_most(len(WORDS)):
            sent = await here.post(path, data=WORDS, headers=headers, token=token)
        assert sent.status == 201
        assert (await here.get("/" + sent.headers["Location"].removeprefix("/api/v1/"), token=token)).raw == WORDS


async def test_files_that_a_killed_server_left_are_kept_or_gone_as_the_record_says(tmp_path: Path) -> None:
    """It is killed after the record of one was written and before its file had its name; and before the record of another."""
    database = f"sqlite:///{tmp_path}/store.db"
    async with app(tmp_path, store=await open_store(database)) as here:
        session = await here.session()
        token = (await here.place(session))["token"]
        path, headers = f"/sessions/{session}/files", {"X-File-Name": "a.txt"}
        sent = [(await here.post(path, data=WORDS, headers=headers, token=token)).json["id"] for _ in range(2)]
    folder = tmp_path / "data" / "files"
    (folder / sent[0]).rename(folder / f"{sent[0]}.part")
    for left in (f"FI_{'A' * 26}", "0a" * 16):
        (folder / f"{left}.part").write_bytes(WORDS)
    async with (
        running(config(tmp_path), store=await open_store(database), media=FakePlane()) as server,
        aiohttp.ClientSession() as http,
    ):
        here = Here(server, http, None)
        assert sorted(one.name for one in folder.iterdir()) == sorted(sent)
        for id in sent:
            assert (await here.get(f"/sessions/{session}/files/{id}", token=token)).raw == WORDS
