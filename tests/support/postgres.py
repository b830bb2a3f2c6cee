"""Databases of a PostgreSQL that somebody has started for tests: a fresh one for each, copied from one that was migrated once.

``TESTS_POSTGRESQL`` names it: ``postgresql://USER[:PASSWORD]@HOST:PORT/DATABASE``, an account that may make databases. Needs ``asyncpg``.
"""

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import URL, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from server.store.sql import open_store

VARIABLE = "TESTS_POSTGRESQL"
_MARK = secrets.token_hex(4)
_TEMPLATE = f"tongping_test_{_MARK}"
_made = 0


def given() -> bool:
    return bool(os.environ.get(VARIABLE))


def _url() -> URL:
    return make_url(os.environ[VARIABLE]).set(drivername="postgresql+asyncpg")


async def _say(*statements: str) -> None:
    """Outside any transaction, as making a database wants it."""
    engine = create_async_engine(_url(), isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            for statement in statements:
                await connection.execute(text(statement))
    finally:
        await engine.dispose()


@asynccontextmanager
async def empty() -> AsyncIterator[str]:
    """The address of a database with nothing in it."""
    global _made
    _made += 1
    async with _database(f"{_TEMPLATE}_{_made}", "template0") as url:
        yield url


@asynccontextmanager
async def migrated() -> AsyncIterator[str]:
    """The address of a database of today's revision."""
    global _made
    _made += 1
    async with _database(f"{_TEMPLATE}_{_made}", _TEMPLATE) as url:
        yield url


@asynccontextmanager
async def template() -> AsyncIterator[None]:
    """While this is open there can be ``migrated`` ones."""
    async with _database(_TEMPLATE, "template0") as url:
        await (await open_store(url)).close()
        yield


@asynccontextmanager
async def _database(name: str, of: str) -> AsyncIterator[str]:
    await _say(f'CREATE DATABASE "{name}" TEMPLATE "{of}"')
    try:
        yield _url().set(database=name).render_as_string(hide_password=False)
    finally:
        await _say(f'DROP DATABASE "{name}" WITH (FORCE)')
