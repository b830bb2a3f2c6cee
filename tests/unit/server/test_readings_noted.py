"""Who reads from outside is in the audit: once in a while, however often they ask, and never not at all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from server.audit.events import AuditAction
from server.domain.ids import CaseId, SessionId
from server.errors import StoreUnavailable
from server.services import history
from server.services.history import NOTED_EVERY, History
from server.services.verification_queue import TOLD_ANEW_S, Looks
from server.store.memory import MemoryStore
from tests.support.records import T0
from tests.support.signalling import ManualClock

ONE, OTHER = SessionId("SE_1"), SessionId("SE_2")


class Failing(MemoryStore):
    """``fails``: the next writing does; ``waits``: it waits for this before."""

    fails = False
    waits: asyncio.Event | None = None

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Any]:
        async with super().begin() as tx:
            yield tx
            if self.waits is not None:
                await self.waits.wait()
            if self.fails:
                raise StoreUnavailable("the disk is full")


async def noted(store: MemoryStore) -> list[tuple[str, str, str]]:
    async with store.read() as tx:
        return [(one.event.actor, one.event.session, one.event.subject) for one in await tx.list_audit(after=0, limit=100)]


async def test_a_reader_who_asks_again_is_noted_once_a_minute_for_each_thing() -> None:
    store = MemoryStore()
    kept = History(store)
    for at in (T0, T0, T0 + NOTED_EVERY / 2):
        await kept.read_from_outside(AuditAction.CHAT_READ, at, "AK_1", ONE)
    await kept.read_from_outside(AuditAction.CHAT_READ, T0, "AK_2", ONE)
    await kept.read_from_outside(AuditAction.CHAT_READ, T0, "AK_1", OTHER)
    for file in ("FI_1", "FI_2", "FI_1"):
        await kept.read_from_outside(AuditAction.FILE_READ, T0, "AK_1", ONE, file)
    first = [("AK_1", ONE, ""), ("AK_2", ONE, ""), ("AK_1", OTHER, ""), ("AK_1", ONE, "FI_1"), ("AK_1", ONE, "FI_2")]
    assert await noted(store) == first
    await kept.read_from_outside(AuditAction.CHAT_READ, T0 + NOTED_EVERY, "AK_1", ONE)
    await kept.read_from_outside(AuditAction.CHAT_READ, T0, "AK_1", ONE)  # a clock that was set back
    assert await noted(store) == [*first, ("AK_1", ONE, ""), ("AK_1", ONE, "")]


async def test_what_could_not_be_noted_is_noted_the_next_time() -> None:
    store = Failing()
    kept = History(store)
    store.fails = True
    with pytest.raises(StoreUnavailable):
        await kept.read_from_outside(AuditAction.CHAT_READ, T0, "AK_1", ONE)
    store.fails = False
    await kept.read_from_outside(AuditAction.CHAT_READ, T0, "AK_1", ONE)
    assert await noted(store) == [("AK_1", ONE, "")]


async def test_readers_without_number_are_not_all_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST_NOTED", 3)
    store = MemoryStore()
    kept = History(store)
    for _ in range(2):
        for number in range(5):
            await kept.read_from_outside(AuditAction.CHAT_READ, T0, f"AK_{number}", ONE)
    assert len(kept._noted) == 3
    assert len(await noted(store)) == 5 + 2, "of the two that were not remembered each"
    await kept.read_from_outside(AuditAction.CHAT_READ, T0 + NOTED_EVERY, "AK_9", ONE)
    assert [actor for _, actor, _, _ in kept._noted] == ["AK_9"]


async def test_a_look_whose_entry_fails_while_housekeeping_goes_by_is_noted_later() -> None:
    store, clock = Failing(), ManualClock()
    looks = Looks(SimpleNamespace(store=store, clock=clock))  # type: ignore[arg-type]
    await looks.seen("ST_1", frozenset({CaseId("VE_1")}))
    clock.seconds += TOLD_ANEW_S - 1
    store.fails, store.waits = True, asyncio.Event()
    seeing = asyncio.create_task(looks.seen("ST_1", frozenset({CaseId("VE_2")})))
    await asyncio.sleep(0)
    clock.seconds += 2
    await looks.flush()
    store.waits.set()
    with pytest.raises(StoreUnavailable):
        await seeing
    store.fails = False
    await looks.flush()
    assert len(await noted(store)) == 2
