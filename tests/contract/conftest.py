"""The stores that the contract holds for, and a session with somebody in it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.domain.model import Participant, Session
from server.store.memory import MemoryStore
from server.store.ports import Store
from server.store.sql import open_store
from tests.support.records import Records


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    opened: Store = MemoryStore() if request.param == "memory" else await open_store(f"sqlite:///{tmp_path}/store.db")
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
