"""The contract of the store for webhooks: memory and SQL do the same, refuse the same."""

from datetime import timedelta

import msgspec
import pytest

from server.domain import ids
from server.domain.ids import DeliveryId, WebhookId
from server.errors import Conflict, Invalid, NotFound
from server.store.ports import Store, Transaction
from server.webhooks.records import Delivery, DeliveryState, Webhook
from tests.support.records import T0, Records, at


def webhook(make: Records, *, seconds: float = 0, subject: str = "", events: tuple[str, ...] = ("session.*",)) -> Webhook:
    return Webhook(
        id=WebhookId(make.id(ids.WEBHOOK)), url="https://core.bank.example/hooks?a=b", events=events, created_at=at(seconds),
        created_by=make.id(ids.STAFF), subject=subject,
    )  # fmt: skip


def delivery(make: Records, of: Webhook, entry: int, *, seconds: float = 0, due: float | None = 0) -> Delivery:
    return Delivery(
        id=DeliveryId(make.id(ids.DELIVERY)), webhook_id=of.id, origin=of.url, entry=entry, event="session.created", state=DeliveryState.PENDING,
        created_at=at(seconds), next_at=None if due is None else at(due),
    )  # fmt: skip


async def test_webhooks_are_kept_and_found(store: Store, make: Records) -> None:
    everything, later = webhook(make), webhook(make, seconds=5)
    ended = msgspec.structs.replace(webhook(make, seconds=1), ended_at=at(2))
    of_one, of_another = webhook(make, subject="VE_ONE"), webhook(make, subject="VE_OTHER")
    async with store.begin() as tx:
        for one in (later, everything, ended, of_one, of_another):
            await tx.add_webhook(one)
        assert await tx.list_webhooks(10) == [everything, later]
        assert await tx.list_webhooks(1) == [everything]
        with pytest.raises(Conflict):
            await tx.add_webhook(msgspec.structs.replace(later, url="https://x.example"))
    async with store.begin() as tx:
        await tx.save_webhook(msgspec.structs.replace(later, ended_at=at(9)))
        with pytest.raises(NotFound):
            await tx.save_webhook(webhook(make))
    async with store.read() as tx:
        assert await tx.get_webhook(ended.id) == ended
        assert await tx.get_webhook(WebhookId(make.id(ids.WEBHOOK))) is None
        assert await tx.live_webhooks([]) == [everything]
        assert {one.id for one in await tx.live_webhooks(["VE_ONE", "VE_NONE"])} == {everything.id, of_one.id}


async def test_a_webhook_has_an_entry_once(store: Store, make: Records) -> None:
    one, other = webhook(make), webhook(make)
    async with store.begin() as tx:
        await tx.add_webhook(one)
        await tx.add_webhook(other)
        first = delivery(make, one, 7)
        await tx.add_delivery(first)
        await tx.add_delivery(delivery(make, other, 7))
        with pytest.raises(Conflict):
            await tx.add_delivery(delivery(make, one, 7))
    for wrong, error in ((delivery(make, webhook(make), 8), NotFound), (msgspec.structs.replace(first, event="a\0b"), Invalid)):
        with pytest.raises(error):
            await _add(store, wrong)
    async with store.begin() as tx:
        changed = msgspec.structs.replace(
            first, state=DeliveryState.DEAD, attempts=11, next_at=None, last_at=at(3), last_status=500, last_fault="status_500"
        )
        await tx.save_delivery(changed)
        assert await tx.get_delivery(first.id) == changed
        with pytest.raises(NotFound):
            await tx.save_delivery(delivery(make, one, 9))


async def _add(store: Store, one: Delivery) -> None:
    async with store.begin() as tx:
        await tx.add_delivery(one)


async def test_what_is_due_is_found_the_longest_due_first(store: Store, make: Records) -> None:
    one, busy = webhook(make), msgspec.structs.replace(webhook(make), url="https://slow.example")
    async with store.begin() as tx:
        await tx.add_webhook(one)
        await tx.add_webhook(busy)
        second, first = delivery(make, one, 1, due=20), delivery(make, one, 2, due=10)
        others = [delivery(make, one, 3, due=None), delivery(make, one, 4, due=31), delivery(make, busy, 1, due=0)]
        for each in (second, first, *others):
            await tx.add_delivery(each)
    async with store.read() as tx:
        assert await tx.due_deliveries(at(30), 10, []) == [others[2], first, second]
        assert await tx.due_deliveries(at(30), 10, [busy.url]) == [first, second]
        assert await tx.due_deliveries(at(10), 1, {busy.url}) == [first]
        with pytest.raises(ValueError, match="limit"):
            await tx.due_deliveries(at(30), 0, [])


async def test_deliveries_are_listed_in_pages_newest_first(store: Store, make: Records) -> None:
    one = webhook(make)
    made = [delivery(make, one, number, seconds=number // 2) for number in range(7)]
    made[3] = msgspec.structs.replace(made[3], state=DeliveryState.DEAD, next_at=None)
    async with store.begin() as tx:
        await tx.add_webhook(one)
        for each in made:
            await tx.add_delivery(each)
    async with store.read() as tx:
        seen, cursor = [], None
        while True:
            page = await tx.list_deliveries(state=None, limit=3, cursor=cursor)
            seen += page.deliveries
            cursor = page.next
            if cursor is None:
                break
        assert seen == sorted(made, key=lambda d: (d.created_at, d.id), reverse=True)
        assert (await tx.list_deliveries(state=DeliveryState.DEAD, limit=3, cursor=None)).deliveries == [made[3]]
        with pytest.raises(Invalid):
            await tx.list_deliveries(state=None, limit=3, cursor="none")


async def test_what_is_over_is_forgotten(store: Store, make: Records) -> None:
    general, done, waiting, young = (
        webhook(make),
        webhook(make, subject="A"),
        webhook(make, subject="B"),
        webhook(make, subject="C", seconds=50),
    )
    over = [delivery(make, general, 1, due=None), delivery(make, done, 1, due=None)]
    kept = [
        delivery(make, general, 2, due=99),
        delivery(make, waiting, 2, due=99),
        delivery(make, general, 3, seconds=50, due=None),
    ]
    async with store.begin() as tx:
        for one in (general, done, waiting, young):
            await tx.add_webhook(one)
        for each in (*over, *kept):
            await tx.add_delivery(each)
        assert await tx.forget_deliveries(T0 + timedelta(seconds=40)) == 2
        assert {one.id for one in (await tx.list_deliveries(state=None, limit=10, cursor=None)).deliveries} == {
            one.id for one in kept
        }
        assert {one.id for one in await tx.live_webhooks(["A", "B", "C"])} == {general.id, waiting.id, young.id}


async def test_the_cursor_is_one_number(store: Store) -> None:
    async with store.begin() as tx:
        assert await tx.webhook_cursor() is None
        await tx.set_webhook_cursor(5)
        await tx.set_webhook_cursor(2**40)
    async with store.read() as tx:
        assert await tx.webhook_cursor() == 2**40
        await _refused(tx)


async def _refused(tx: Transaction) -> None:
    with pytest.raises(RuntimeError):
        await tx.set_webhook_cursor(1)
    with pytest.raises(RuntimeError):
        await tx.forget_deliveries(T0)
