"""What only the SQL store has: URLs, migrations, file modes, faults of the database, several processes."""

import asyncio
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from server.audit import chain
from server.domain import ids
from server.domain.ids import DeliveryId, WebhookId
from server.errors import ConfigError, StoreUnavailable
from server.store import sql
from server.store.migrate import NEWEST_REVISION, head
from server.store.ports_customers import FIRST, Told
from server.store.sql import SqlStore, open_store
from server.store.tables import metadata
from server.webhooks.records import Delivery, DeliveryState, Webhook
from tests.support.records import T0, Records


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


async def open_at(path: Path, *, migrate: bool = True) -> SqlStore:
    return await open_store(f"sqlite:///{path}", migrate=migrate)


# ---- opening


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x?mode=memory",
        "sqlite:////no/such/folder/store.db",
        "mysql://user:hunter2@host/db",
        "sqlite+pysqlite:///x.db",
        "sqlite:////proc/store.db",
    ],
)
async def test_a_wrong_url_is_told_without_its_password(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        await open_store(url)
    assert "hunter2" not in str(refused.value)


@pytest.fixture
def letter(path: Path) -> Iterator[Path]:
    path.write_bytes(b"a letter to the bank\n" * 500)
    yield path
    assert path.read_bytes() == b"a letter to the bank\n" * 500


async def test_a_file_that_is_no_database_is_refused_and_kept(letter: Path) -> None:
    with pytest.raises(StoreUnavailable):
        await open_at(letter)


async def test_the_database_is_private_and_durable(path: Path) -> None:
    store = await open_at(path)
    async with store.begin() as tx:
        await tx.append_audit(Records().event())
    for file in path.parent.iterdir():  # the write-ahead log and its index too
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    async with store.writer.connect() as connection:
        pragmas = {
            name: (await connection.execute(text(f"PRAGMA {name}"))).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}
    await store.close()


# ---- migrations


async def test_the_revisions_make_the_tables(path: Path) -> None:
    store = await open_at(path)

    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata))

    async with store.writer.connect() as connection:
        assert await connection.run_sync(differences) == []
    await store.close()


async def test_without_migrating_an_old_database_is_refused(path: Path) -> None:
    with pytest.raises(ConfigError, match="tongping db upgrade"):
        await open_at(path, migrate=False)
    await (await open_at(path)).close()
    await (await open_at(path, migrate=False)).close()


def test_the_newest_revision_is_named() -> None:
    assert head() == NEWEST_REVISION


async def test_a_database_with_nothing_to_do_is_opened_without_alembic(path: Path) -> None:
    await (await open_at(path)).close()
    program = f"""
import asyncio, sys
from server.store.sql import open_store

async def main():
    await (await open_store("sqlite:///{path}")).close()
    assert "alembic" not in sys.modules

asyncio.run(main())
"""
    ran = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


async def test_a_database_of_a_newer_server_is_refused_and_kept(path: Path) -> None:
    await (await open_at(path)).close()
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    for migrate in (True, False):
        with pytest.raises(ConfigError, match=NEWEST_REVISION):
            await open_at(path, migrate=migrate)


async def test_a_migration_that_fails_changes_nothing(path: Path) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("CREATE TABLE staff (something_else TEXT)")  # in the way of the first revision
    connection.close()
    with pytest.raises(StoreUnavailable):
        await open_at(path)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall() == [("staff",)]
    connection.close()


async def test_what_older_deliveries_are_about_is_written_to_them(path: Path) -> None:
    store, make = await open_at(path), Records()
    hook = Webhook(id=WebhookId(make.id(ids.WEBHOOK)), url="https://a.example", events=("*",), created_at=T0, created_by="ST_1")
    wanted: list[Told] = []
    async with store.begin() as tx:
        await tx.add_webhook(hook)
        for number in range(1003):  # more than a step of the migration
            event = msgspec.structs.replace(make.event(), subject=f"VE_{number // 2}", session=f"SE_{number // 3}")
            entry = await tx.append_audit(event)
            told = Delivery(
                id=DeliveryId(make.id(ids.DELIVERY)), webhook_id=hook.id, origin=hook.url, entry=entry.number, event=event.action,
                state=DeliveryState.DELIVERED, created_at=T0, subject=event.subject, session=event.session,
            )  # fmt: skip
            await tx.add_delivery(told)
            wanted.append(Told(delivery=told, webhook=hook, entry=entry))
        broken = msgspec.structs.replace(told, id=DeliveryId(make.id(ids.DELIVERY)), entry=1004)
        await tx.add_delivery(broken)
    await store.close()
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("INSERT INTO audit VALUES (1004, 'none of ours', x'00', x'00')")
        for column in ("subject", "session"):
            connection.execute(f"DROP INDEX ix_webhook_deliveries_{column}_entry_id")
            connection.execute(f"ALTER TABLE webhook_deliveries DROP COLUMN {column}")
        connection.execute("ALTER TABLE face_templates DROP COLUMN picture")
        connection.execute("ALTER TABLE consents DROP COLUMN text")
        connection.execute("DROP TABLE pdfs")
        connection.execute("UPDATE alembic_version SET version_num = '0017'")
    connection.close()
    store = await open_at(path)
    async with store.read() as tx:
        assert await tx.told_about("VE_0", after=FIRST, limit=10) == wanted[:2]
        assert await tx.told_about("SE_334", after=FIRST, limit=10) == wanted[1002:]
        assert await tx.get_delivery(broken.id) == msgspec.structs.replace(broken, subject="", session="")
    await store.close()


def test_the_tables_are_portable() -> None:
    for table in metadata.sorted_tables:
        assert "TIMESTAMP WITHOUT" not in str(CreateTable(table).compile(dialect=postgresql.dialect()))


# ---- faults


async def test_a_full_disk_loses_nothing_that_was_acknowledged(path: Path) -> None:
    store = await open_at(path)
    async with store.writer.connect() as connection:
        await connection.execute(text("PRAGMA max_page_count=60"))
    make, kept = Records(), 0

    async def fill() -> None:
        nonlocal kept
        for _ in range(10_000):
            async with store.begin() as tx:
                await tx.add_session(make.session())
                await tx.append_audit(make.event(text="x" * 500))
            kept += 1

    with pytest.raises(StoreUnavailable, match="SQLITE_FULL"):
        await fill()
    assert 0 < kept < 10_000
    async with store.read() as tx:
        entries = await tx.list_audit(after=0, limit=10_000)
        page = await tx.list_sessions(status=None, customer_reference=None, limit=10_000, cursor=None)
    assert len(entries) == len(page.sessions) == kept
    assert chain.verify(entries).ok
    async with store.writer.connect() as connection:  # somebody makes room
        await connection.execute(text("PRAGMA max_page_count=1000000"))
    async with store.begin() as tx:
        await tx.add_session(make.session())
    await store.close()


async def test_where_the_audit_cannot_be_written_nothing_of_the_change_is_kept(path: Path) -> None:
    records = Records()
    store = await open_at(path)
    async with store.writer.begin() as connection:
        await connection.execute(text("CREATE TRIGGER no BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'hunter2'); END"))

    async def write() -> None:
        async with store.begin() as tx:
            await tx.add_session(records.session())
            await tx.append_audit(records.event())

    with pytest.raises(StoreUnavailable) as refused:
        await write()
    assert "hunter2" not in str(refused.value)
    async with store.writer.begin() as connection:
        await connection.execute(text("DROP TRIGGER no"))
    async with store.begin() as tx:
        page = await tx.list_sessions(status=None, customer_reference=None, limit=10, cursor=None)
        assert page.sessions == []
        assert (await tx.append_audit(records.event())).number == 1
    await store.close()


async def test_a_table_that_vanished_is_unavailable_and_names_no_value(path: Path) -> None:
    store, make = await open_at(path), Records()
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("DROP TABLE api_keys")
    connection.close()
    with pytest.raises(StoreUnavailable) as refused:
        async with store.begin() as tx:
            await tx.add_api_key(make.api_key())
    assert "core banking" not in str(refused.value)
    await store.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sessions SET kind = 'party'",
        "UPDATE sessions SET created_at = 'yesterday'",
        "UPDATE sessions SET reason = x'ff'",
    ],
)
async def test_a_row_that_nobody_wrote_is_unavailable(path: Path, statement: str) -> None:
    store, session = await open_at(path), Records().session()
    async with store.begin() as tx:
        await tx.add_session(session)
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement)
    connection.close()
    with pytest.raises(StoreUnavailable):
        async with store.read() as tx:
            await tx.get_session(session.id)
    await store.ping()
    await store.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET entry = 'x'",
        "UPDATE audit SET entry = x'ff'",
        "UPDATE audit SET number = 2",
        "UPDATE audit SET hash = 7",
    ],
)
async def test_nothing_is_chained_to_a_broken_entry(path: Path, statement: str) -> None:
    store, make = await open_at(path), Records()
    async with store.begin() as tx:
        await tx.append_audit(make.event())
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("DROP TRIGGER audit_no_update")
        connection.execute(statement)
    connection.close()
    with pytest.raises(StoreUnavailable):
        async with store.begin() as tx:
            await tx.append_audit(make.event())
    await store.close()


async def test_another_process_that_writes_is_waited_for_and_its_end_seen(path: Path) -> None:
    """Two stores on one file stand for two processes (the server and a command): one chain, no fork."""
    one, other = await open_at(path), await open_at(path)
    make = Records()

    async def write(store: SqlStore) -> None:
        async with store.begin() as tx:
            await tx.append_audit(make.event())

    await asyncio.gather(*(write(store) for store in (one, other) * 20))
    async with one.read() as tx:
        entries = await tx.list_audit(after=0, limit=100)
    assert len(entries) == 40
    assert chain.verify(entries).ok
    await one.close()
    await other.close()


async def test_another_process_that_does_not_end_its_write_makes_it_unavailable(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "BUSY_TIMEOUT_MS", 1)
    store = await open_at(path)
    hog = sqlite3.connect(path, isolation_level=None)
    hog.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="SQLITE_BUSY"):
        async with store.begin():
            pass
    await store.ping()  # readers are not in its way
    hog.execute("ROLLBACK")
    hog.close()
    async with store.begin() as tx:
        await tx.append_audit(Records().event())
    await store.close()


async def test_writers_wait_in_a_bounded_queue_for_a_bounded_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await open_at(path)
    monkeypatch.setattr(sql, "MAX_WAITING_WRITERS", 2)

    async def write() -> None:
        async with store.begin() as tx:
            await tx.append_audit(Records().event())

    async with store.begin():
        waiting = [asyncio.create_task(write()) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(StoreUnavailable, match="too many"):
            await asyncio.create_task(write())
    await asyncio.gather(*waiting)
    monkeypatch.setattr(sql, "WAIT_S", 0.0)
    async with store.begin():
        with pytest.raises(StoreUnavailable, match="in time"):
            await asyncio.create_task(write())
    await store.close()


async def test_closing_waits_for_the_write_that_runs(path: Path) -> None:
    store, inside, go_on = await open_at(path), asyncio.Event(), asyncio.Event()

    async def write() -> None:
        async with store.begin() as tx:
            await tx.append_audit(Records().event())
            inside.set()
            await go_on.wait()

    writing = asyncio.create_task(write())
    await inside.wait()
    closing = asyncio.create_task(store.close())
    await asyncio.sleep(0)
    assert not closing.done()
    go_on.set()
    await asyncio.gather(writing, closing)
    again = await open_at(path)
    async with again.read() as tx:
        assert len(await tx.list_audit(after=0, limit=10)) == 1
    await again.close()
