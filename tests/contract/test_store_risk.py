"""The contract of ``server.store.ports``, sixth part: lists, what happened lately, known devices and rules in place of files."""

from datetime import datetime

import msgspec
import pytest

from server.domain import ids
from server.domain.ids import RiskEntryId
from server.errors import Conflict, Invalid
from server.store.ports import Store
from server.transactions.risk.lists import IdentifierKind, ListEntry, ListName
from server.transactions.risk.records import RiskDevice, RiskEvent, StoredRules
from tests.support.records import Records, at


def entry(make: Records, digest: bytes = b"d" * 32, *, created: float = 0, expires_at: datetime | None = None) -> ListEntry:
    return ListEntry(
        id=RiskEntryId(make.id(ids.RISK_ENTRY)),
        list=ListName.BLOCK,
        kind=IdentifierKind.DEVICE,
        digest=digest,
        key="ab" * 8,
        reason="stolen",
        created_at=at(created),
        created_by="ST_X",
        expires_at=expires_at,
    )


async def test_entries_come_back_equal_and_go(store: Store, make: Records) -> None:
    first = entry(make, expires_at=at(60))
    async with store.begin() as tx:
        await tx.add_risk_entry(first)
    async with store.read() as tx:
        assert await tx.get_risk_entry(first.id) == first
        assert await tx.find_risk_entries(IdentifierKind.DEVICE, first.digest) == [first]
        assert await tx.find_risk_entries(IdentifierKind.CUSTOMER, first.digest) == []
        assert await tx.find_risk_entries(IdentifierKind.DEVICE, b"e" * 32) == []
        assert await tx.count_risk_entries() == 1
    async with store.begin() as tx:
        assert await tx.drop_risk_entry(first.id) is True
        assert await tx.drop_risk_entry(first.id) is False
    async with store.read() as tx:
        assert await tx.get_risk_entry(first.id) is None
        assert await tx.count_risk_entries() == 0


async def test_an_identifier_is_once_on_a_list(store: Store, make: Records) -> None:
    async with store.begin() as tx:
        await tx.add_risk_entry(entry(make))
    with pytest.raises(Conflict):
        async with store.begin() as tx:
            await tx.add_risk_entry(entry(make))
    others = [
        msgspec.structs.replace(entry(make), list=ListName.WATCH),
        msgspec.structs.replace(entry(make), kind=IdentifierKind.CUSTOMER),
    ]
    async with store.begin() as tx:
        for one in others:
            await tx.add_risk_entry(one)
    async with store.read() as tx:
        assert await tx.count_risk_entries() == 3


async def test_pages_newest_first(store: Store, make: Records) -> None:
    entries = [entry(make, bytes([number]) * 32, created=number // 2) for number in range(7)]
    async with store.begin() as tx:
        for one in entries:
            await tx.add_risk_entry(one)
    found: list[ListEntry] = []
    cursor = None
    async with store.read() as tx:
        for expected in (3, 3, 1):
            page = await tx.list_risk_entries(limit=3, cursor=cursor)
            assert len(page.entries) == expected
            found += page.entries
            cursor = page.next
        assert cursor is None
        with pytest.raises(Invalid):
            await tx.list_risk_entries(limit=3, cursor="nonsense")
    assert found == sorted(entries, key=lambda one: (one.created_at, one.id), reverse=True)


async def test_what_expired_is_forgotten(store: Store, make: Records) -> None:
    kept, later, gone = (
        entry(make, b"1" * 32),
        entry(make, b"2" * 32, expires_at=at(60)),
        entry(make, b"3" * 32, expires_at=at(59)),
    )
    async with store.begin() as tx:
        for one in (kept, later, gone):
            await tx.add_risk_entry(one)
        assert await tx.forget_risk_entries(at(60)) == 1
    async with store.read() as tx:
        assert {one.id for one in (await tx.list_risk_entries(limit=9, cursor=None)).entries} == {kept.id, later.id}


async def test_what_happened_is_listed_in_order(store: Store) -> None:
    events = [
        RiskEvent(at=at(number), failed=number % 2 == 1, customer=b"c" * 32, device=b"d" * 32 if number else None, address=None)
        for number in range(5)
    ]
    async with store.begin() as tx:
        for one in events:
            await tx.add_risk_event(one)
    async with store.read() as tx:
        first = await tx.list_risk_events(after=0, since=at(1), limit=2)
        rest = await tx.list_risk_events(after=first[-1].number, since=at(1), limit=10)
    numbers = [one.number for one in first + rest]
    assert numbers == sorted(set(numbers))
    assert [msgspec.structs.replace(one, number=0) for one in first + rest] == events[1:]
    async with store.begin() as tx:
        assert await tx.forget_risk_events(at(4)) == 4
        await tx.add_risk_event(events[0])
    async with store.read() as tx:
        assert [one.at for one in await tx.list_risk_events(after=numbers[-1], since=at(0), limit=10)] == [at(0)]


async def test_a_known_device_is_replaced_and_forgotten(store: Store) -> None:
    first = RiskDevice(customer=b"c" * 32, device=b"d" * 32, first_at=at(0), last_at=at(0))
    again = msgspec.structs.replace(first, last_at=at(9))
    async with store.begin() as tx:
        await tx.put_risk_device(first)
        await tx.put_risk_device(again)
    async with store.read() as tx:
        assert await tx.get_risk_device(first.customer, first.device) == again
        assert await tx.get_risk_device(first.device, first.customer) is None
    async with store.begin() as tx:
        assert await tx.forget_risk_devices(at(9)) == 0
        assert await tx.forget_risk_devices(at(10)) == 1
    async with store.read() as tx:
        assert await tx.get_risk_device(first.customer, first.device) is None


async def test_devices_newest_first(store: Store) -> None:
    devices = [RiskDevice(customer=b"c" * 32, device=bytes([n]) * 32, first_at=at(0), last_at=at(n // 2)) for n in range(5)]
    async with store.begin() as tx:
        for one in devices:
            await tx.put_risk_device(one)
    async with store.read() as tx:
        assert await tx.list_risk_devices(10) == devices[::-1]
        assert await tx.list_risk_devices(2) == devices[:2:-1]
        with pytest.raises(ValueError, match="limit"):
            await tx.list_risk_devices(0)


async def test_rules_are_replaced_and_dropped(store: Store) -> None:
    first = StoredRules(name="default", text="# none\n", created_at=at(0), created_by="ST_X")
    other = StoredRules(name="a", text="", created_at=at(0), created_by="ST_X")
    again = msgspec.structs.replace(first, text="# 规则\n", created_at=at(1))
    async with store.begin() as tx:
        for one in (first, other, again):
            await tx.put_risk_rules(one)
    async with store.read() as tx:
        assert await tx.list_risk_rules() == [other, again]
    async with store.begin() as tx:
        assert await tx.drop_risk_rules("default") is True
        assert await tx.drop_risk_rules("default") is False
    async with store.read() as tx:
        assert await tx.list_risk_rules() == [other]


async def test_each_change_of_lists_and_rules_is_another_generation(store: Store, make: Records) -> None:
    first, old = entry(make), entry(make, b"e" * 32, expires_at=at(1))
    rules = StoredRules(name="a", text="", created_at=at(0), created_by="ST_X")
    seen = []
    for change in (
        lambda tx: tx.add_risk_entry(first),
        lambda tx: tx.add_risk_entry(old),
        lambda tx: tx.put_risk_rules(rules),
        lambda tx: tx.put_risk_rules(rules),
        lambda tx: tx.drop_risk_rules("a"),
        lambda tx: tx.drop_risk_entry(first.id),
    ):
        async with store.read() as tx:
            seen.append(await tx.risk_generation())
        async with store.begin() as tx:
            await change(tx)
            seen.append(await tx.risk_generation())
    assert seen == [0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6]
    async with store.begin() as tx:
        await tx.drop_risk_entry(first.id)
        await tx.drop_risk_rules("a")
        await tx.forget_risk_entries(at(9))
        await tx.add_risk_event(RiskEvent(at=at(0), failed=False, customer=b"c"))
        assert await tx.risk_generation() == 6


async def test_no_number_of_an_event_comes_twice(store: Store) -> None:
    async def add() -> int:
        async with store.begin() as tx:
            await tx.add_risk_event(RiskEvent(at=at(0), failed=False, customer=b"c"))
        async with store.read() as tx:
            return (await tx.list_risk_events(after=0, since=at(0), limit=1))[0].number

    first = await add()
    async with store.begin() as tx:
        assert await tx.forget_risk_events(at(1)) == 1
    assert await add() > first


async def test_nothing_is_written_through_a_snapshot(store: Store, make: Records) -> None:
    device = RiskDevice(customer=b"c", device=b"d", first_at=at(0), last_at=at(0))
    rules = StoredRules(name="a", text="", created_at=at(0), created_by="")
    async with store.read() as tx:
        for refused in (
            tx.add_risk_entry(entry(make)),
            tx.drop_risk_entry(RiskEntryId("RL_X")),
            tx.forget_risk_entries(at(0)),
            tx.add_risk_event(RiskEvent(at=at(0), failed=False, customer=b"c")),
            tx.forget_risk_events(at(0)),
            tx.put_risk_device(device),
            tx.forget_risk_devices(at(0)),
            tx.put_risk_rules(rules),
            tx.drop_risk_rules("a"),
        ):
            with pytest.raises(RuntimeError):
                await refused
    with pytest.raises(Invalid):
        async with store.begin() as tx:
            await tx.put_risk_rules(msgspec.structs.replace(rules, text="\0"))
