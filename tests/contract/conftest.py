"""The stores that the contract holds for, and a session with somebody in it. PostgreSQL is one of them where there is one (``tests.support.postgres``)."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from server.domain.model import Participant, Session
from server.store.memory import MemoryStore
from server.store.ports import Store
from server.store.sql import open_store
from tests.support import postgres as postgresql
from tests.support.records import Records


@pytest.fixture(scope="session")
def postgres() -> Iterator[None]:
    """The database that each of these tests has a copy of."""
    with asyncio.Runner() as runner:
        made = postgresql.template()
        runner.run(made.__aenter__())
        yield
        runner.run(made.__aexit__(None, None, None))


@pytest.fixture(params=["memory", "sqlite", *(["postgresql"] if postgresql.given() else [])])
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == "postgresql":
        request.getfixturevalue("postgres")
    return str(request.param)


@pytest.fixture
async def store(kind: str, tmp_path: Path) -> AsyncIterator[Store]:
    async with AsyncExitStack() as stack:
        url = f"sqlite:///{tmp_path}/store.db"
        if kind == "postgresql":
            url = await stack.enter_async_context(postgresql.migrated())
        opened: Store = MemoryStore() if kind == "memory" else await open_store(url)
        yield opened
        await opened.close()


@pytest.fixture
def make() -> Records:
    return Records()


@pytest.fixture
async def session(store: Store, make: Records) -> Session:
    session = make.session()
    async with store.begin() as tx:
        await tx.add_session(session)
    return session


@pytest.fixture
async def participant(store: Store, make: Records, session: Session) -> Participant:
    participant = make.participant(session.id)
    async with store.begin() as tx:
        await tx.add_participant(participant)
    return participant
