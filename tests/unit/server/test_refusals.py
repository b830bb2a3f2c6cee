"""Refusals are in the audit, each where there are few; a flood is counted, and nothing of it is lost."""

import pytest

from server.errors import StoreUnavailable
from server.services.refusals import MOST, MOST_CALLERS, MOST_EACH, Refusals
from server.store.memory import MemoryStore
from tests.support.signalling import ManualClock


async def entries(store: MemoryStore) -> list[tuple[str, str, dict[str, str]]]:
    async with store.read() as tx:
        events = [entry.event for entry in await tx.list_audit(after=0, limit=1000)]
    assert {one.action.value for one in events} <= {"access.refused"}
    return [(one.actor, one.subject, one.details) for one in events]


async def test_each_and_then_how_many() -> None:
    store, clock = MemoryStore(), ManualClock()
    refusals = Refusals(store, clock)
    for _ in range(MOST_EACH + 7):
        await refusals.note("export_customer", "not_allowed", actor="ST_1")
    await refusals.note("list_sessions", "unauthenticated", actor="", subject="AK_1")
    said = {"operation": "export_customer", "code": "not_allowed"}
    key = ("", "AK_1", {"operation": "list_sessions", "code": "unauthenticated"})
    assert await entries(store) == [("ST_1", "", said)] * MOST_EACH + [key]
    assert (await refusals.flush(), await refusals.flush()) == (7, 0)
    assert (await entries(store))[-1] == ("ST_1", "", {"more": "7"})
    clock.seconds += 60
    await refusals.note("export_customer", "not_allowed", actor="ST_1")
    assert (await entries(store))[-1] == ("ST_1", "", said)


async def test_many_callers_fill_no_more_than_that() -> None:
    store = MemoryStore()
    refusals = Refusals(store, ManualClock())
    for number in range(1000):
        await refusals.note("list_sessions", "unauthenticated", actor=f"PA_{number}")
    assert len(await entries(store)) == MOST
    assert await refusals.flush() == 1000 - MOST
    written = await entries(store)
    assert len(written) == MOST + MOST_CALLERS + 1
    assert sum(int(details.get("more", "1")) for _, _, details in written) == 1000


async def test_a_store_that_is_gone_loses_no_count(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    refusals = Refusals(store, ManualClock())

    def gone() -> None:
        raise StoreUnavailable("gone")

    with monkeypatch.context() as patched:
        patched.setattr(store, "begin", gone)
        await refusals.note("list_sessions", "not_allowed", actor="ST_1")
        assert await refusals.flush() == 0
    assert await refusals.flush() == 1
    assert await entries(store) == [("ST_1", "", {"more": "1"})]
