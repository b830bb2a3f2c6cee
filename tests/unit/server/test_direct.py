"""What goes straight to the driver is stored and read as SQLAlchemy does it."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Boolean, Float, Integer, LargeBinary, Table, bindparam, create_engine, insert, select, update

from server.errors import Conflict, StoreUnavailable
from server.store import direct, one_way
from server.store.sql import open_store
from server.store.tables import Json, UtcTime, metadata
from tests.support.records import Records

TIMES = [datetime(2026, 11, 22, 23, 59, 59, 123456, UTC), datetime(1999, 1, 1, tzinfo=UTC)]
SAMPLES: list[tuple[type, list[Any]]] = [
    (UtcTime, TIMES), (Json, [["一", 1, {"a": None}], []]), (Boolean, [True, False]), (LargeBinary, [b"\x00\xff", b""]),
    (Float, [0.1, -2.5]), (Integer, [7, 2**62]),
]  # fmt: skip


def samples(table: Table) -> list[dict[str, Any]]:
    """Two rows, with NULL in the second where there may be."""
    rows: list[dict[str, Any]] = []
    for number in range(2):
        row: dict[str, Any] = {}
        for column in table.columns:
            found = next((values for type, values in SAMPLES if isinstance(column.type, type)), ["字 'quoted'", "other"])
            row[column.name] = None if number and column.nullable and not isinstance(column.type, Json) else found[number]
        rows.append(row)
    return rows


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=lambda table: table.name)
async def test_every_table_as_sqlalchemy_has_it(table: Table, tmp_path: Path) -> None:
    for name in ("theirs", "ours"):
        engine = create_engine(f"sqlite:///{tmp_path}/{name}.db")
        metadata.create_all(engine, tables=[table])
        if name == "theirs":
            with engine.begin() as connection:
                for row in samples(table):
                    connection.execute(insert(table), row)
            with engine.connect() as connection:
                theirs = [dict(one) for one in connection.execute(select(table)).mappings()]
        engine.dispose()
    driver = await one_way.connect(f"{tmp_path}/ours.db")
    try:
        made = insert(table)
        for row in samples(table):
            assert await direct.change(driver, made, row) == 1
        await driver.commit()
        ours = (await direct.rows(driver, select(table), {}))()
    finally:
        await driver.close()
    assert ours == theirs == samples(table)
    raw = [sqlite3.connect(tmp_path / f"{name}.db") for name in ("theirs", "ours")]
    stored = [one.execute(f"SELECT * FROM {table.name}").fetchall() for one in raw]
    for one in raw:
        one.close()
    assert stored[0] == stored[1]


async def test_values_are_the_callers_and_the_rest_is_the_statements_own(tmp_path: Path) -> None:
    store, make = await open_store(f"sqlite:///{tmp_path}/a.db"), Records()
    key = make.api_key()
    async with store.begin() as tx:
        await tx.add_api_key(key)
        with pytest.raises(Conflict):
            await tx.add_api_key(key)
        assert await tx.get_api_key(key.id) == key, "it goes on"
    table = metadata.tables["api_keys"]
    named = update(table).where(table.c.id == bindparam("this"))
    written = direct.written(named, ("name", "this"))
    assert (written.sql.split()[:4], written.bound({"name": "b", "this": key.id})) == (
        ["UPDATE", "api_keys", "SET", "name=?"],
        ["b", key.id],
    )
    assert direct.written(named, ("name", "this")) is written, "written once"
    assert direct.Written(select(table).limit(3), ()).bound({}) == [3, 0]
    with pytest.raises(TypeError, match="no value for this"):
        direct.Written(named, ("name",))
    with pytest.raises(TypeError, match="colour"):
        direct.Written(named, ("name", "colour", "this"))
    await store.close()


async def test_a_connection_that_is_gone_is_an_error_of_the_database(tmp_path: Path) -> None:
    driver = await one_way.connect(f"{tmp_path}/a.db")
    await driver.close()
    with pytest.raises(sqlite3.Error):
        await direct.rows(driver, select(metadata.tables["audit"]), {})


async def test_what_a_column_cannot_be_is_unavailable(tmp_path: Path) -> None:
    store, make = await open_store(f"sqlite:///{tmp_path}/a.db"), Records()
    key = make.api_key()
    async with store.begin() as tx:
        await tx.add_api_key(key)
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute("UPDATE api_keys SET created_at = 'yesterday'")
    connection.close()
    with pytest.raises(StoreUnavailable, match="cannot be read"):
        async with store.read() as tx:
            await tx.get_api_key(key.id)
    await store.close()
