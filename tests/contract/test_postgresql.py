"""What the contract does not ask of every store: revisions, several servers on one database, and the whole way of a case, on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from typer.testing import CliRunner

from server.audit import chain
from server.audit.verify import verify_lines
from server.cli import app as cli
from server.domain.ids import SessionId
from server.errors import ConfigError, StoreUnavailable
from server.store import sql
from server.store.sql import SqlStore, open_store
from server.store.tables import metadata
from tests.scenario.test_verifications_api import Bank, settings
from tests.support import postgres as postgresql
from tests.support.bank_place import takes
from tests.support.records import Records
from tests.support.server import app

pytestmark = pytest.mark.skipif(not postgresql.given(), reason=f"no PostgreSQL in {postgresql.VARIABLE}")


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with postgresql.empty() as made:
        yield made


@pytest.fixture
async def servers(url: str) -> AsyncIterator[tuple[SqlStore, SqlStore]]:
    """Two on one database."""
    one, other = await open_store(url), await open_store(url)
    yield one, other
    await one.close()
    await other.close()


async def test_the_revisions_make_the_tables(url: str) -> None:
    store = await open_store(url)

    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata))

    async with store.writer.connect() as connection:
        assert await connection.run_sync(differences) == []
    await store.close()


async def test_without_migrating_an_empty_database_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="tongping db upgrade"):
        await open_store(url, migrate=False)
    await (await open_store(url)).close()
    await (await open_store(url, migrate=False)).close()


async def test_servers_that_start_at_once_upgrade_it_once(url: str) -> None:
    stores = await asyncio.gather(*(open_store(url) for _ in range(4)))
    for store in stores:
        await store.ping()
        await store.close()


async def test_two_servers_write_one_chain(servers: tuple[SqlStore, SqlStore]) -> None:
    make = Records()

    async def append(store: SqlStore) -> None:
        async with store.begin() as tx:
            await tx.append_audit(make.event())
            await asyncio.sleep(0)
            await tx.append_audit(make.event())

    await asyncio.gather(*(append(store) for store in servers * 20))
    async with servers[0].read() as tx:
        entries = await tx.list_audit(after=0, limit=500)
    assert [entry.number for entry in entries] == list(range(1, 81))
    before = chain.GENESIS
    for entry in entries:
        form = chain.canonical(entry.number, entry.event)
        assert (entry.previous, entry.hash) == (before, chain.entry_hash(before, form))
        before = entry.hash


async def test_a_reader_sees_one_moment(servers: tuple[SqlStore, SqlStore]) -> None:
    one, other = servers
    make = Records()
    first, second = make.session(), make.session()
    async with one.begin() as tx:
        await tx.add_session(first)
    async with other.read() as looking:
        assert await looking.get_session(first.id) == first
        async with one.begin() as tx:
            await tx.add_session(second)
            await tx.save_session(msgspec.structs.replace(first, reason="another"))
        assert await looking.get_session(first.id) == first
        assert await looking.get_session(second.id) is None
    async with other.read() as looking:
        assert await looking.get_session(second.id) == second


async def test_a_reader_writes_nothing(servers: tuple[SqlStore, SqlStore]) -> None:
    """Also where a mistake of ours would have it."""
    async with servers[0].read() as tx:
        with pytest.raises(StoreUnavailable):
            await tx.run(text("DELETE FROM audit"))


async def test_the_trail_cannot_be_changed(servers: tuple[SqlStore, SqlStore]) -> None:
    async with servers[0].begin() as tx:
        await tx.append_audit(Records().event())
    for statement in ("UPDATE audit SET entry = 'x'", "DELETE FROM audit", "TRUNCATE audit"):
        with pytest.raises(StoreUnavailable):
            async with servers[0].begin() as tx:
                await tx.run(text(statement))


async def test_a_server_that_is_gone_leaves_no_lock(servers: tuple[SqlStore, SqlStore]) -> None:
    """Its connection ends in the middle of a write: the other one writes on, and nothing of it is there."""
    one, other = servers
    session = Records().session()

    async def cut_off() -> None:
        async with one.begin() as tx:
            await tx.add_session(session)
            async with other.read() as looking:
                assert await looking.get_session(session.id) is None
                [row] = await tx._rows(text("SELECT pg_backend_pid() AS pid"))
                await looking.run(text(f"SELECT pg_terminate_backend({row['pid']})"))
            await tx.get_session(session.id)

    with pytest.raises(StoreUnavailable):
        await cut_off()
    async with asyncio.timeout(30), other.begin() as tx:
        assert await tx.get_session(session.id) is None
        await tx.add_session(session)
    async with asyncio.timeout(30), one.begin() as tx:  # and the first is connected anew
        assert await tx.get_session(session.id) == session


async def test_nobody_waits_for_the_other_servers_turn_for_good(
    servers: tuple[SqlStore, SqlStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = servers
    monkeypatch.setattr(sql, "WAIT_S", 0.2)
    late = await open_store(one.writer.url.render_as_string(hide_password=False))
    async with one.begin():
        with pytest.raises(StoreUnavailable):
            async with late.begin():
                pass
    async with late.begin() as tx:
        await tx.append_audit(Records().event())
    await late.close()


async def test_the_trail_is_exported_and_holds(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, make = await open_store(url), Records()
    for _ in range(3):
        async with store.begin() as tx:
            await tx.append_audit(make.event())
    await store.close()
    monkeypatch.delenv(postgresql.VARIABLE)  # a server knows no such one
    monkeypatch.setenv("TONGPING_DATABASE_URL", url)
    done = await asyncio.to_thread(CliRunner().invoke, cli, ["audit", "export"])
    assert done.exit_code == 0, done.output
    report = verify_lines(done.stdout_bytes.splitlines(keepends=True))
    assert (report.ok, report.entries) == (True, 3)


async def test_the_whole_way_of_a_case(url: str, tmp_path: Path) -> None:
    async with app(tmp_path, store=await open_store(url), **settings(tmp_path)) as here:
        bank = await Bank.of(here)
        session = SessionId(await here.session(customer_reference="c-1"))
        await here.place(session)
        await bank.ask(session=session)
        id = await bank.ready(signals={"device": "d-1"})
        done = await bank.show(id, takes())
        assert (done.status, done.json["attempt"]["outcome"]) == (201, "accept"), done.json
        token = (await bank.get(id)).json["result"]
        answers = await asyncio.gather(*(bank.post(f"/{id}/redeem", {"token": token}) for _ in range(10)))
        assert sorted(answer.status for answer in answers) == [200] + [409] * 9
        referred = await bank.ready()
        assert (await bank.show(referred, takes(count=3))).json["verification"]["state"] == "review"
        review = {"decision": "approve", "reason": "seen"}
        assert (await here.post(f"/verifications/{referred}/review", review, token=here.agent)).status == 200
        assert (await here.post("/customers/export", {"customer": "c-1"}, token=here.supervisor)).status == 200
        for case in (await here.server.context.customers.find("c-1")).cases:
            await bank.post(f"/{case.id}/cancel")
        await here.post(f"/sessions/{session}/end", {}, token=here.agent)
        erased = await here.post("/customers/erase", {"customer": "c-1"}, token=here.supervisor)
        assert (erased.status, erased.json["erased"]["cases"]) == (200, 3), erased.json
        assert (await here.get("//readyz")).json["store"] is True
        assert (await here.get("/audit/checkpoint", token=here.supervisor)).status == 200
    left = await open_store(url)
    async with left.read() as tx:
        assert await tx.customer_cases("c-1", after="", limit=10) == []
    await left.close()
