"""Webhooks at work: what happened becomes deliveries, deliveries are tried until somebody has them. SHELL, except for who posts.

Two steps, each of which may be cut off at any point and is taken up again:

1. ``feed``: entries of the audit trail after the cursor become deliveries, in one transaction with the cursor: each entry once for each webhook
   that wants it, also over crashes and with several servers on one database.
2. ``send``: what is due is posted by whoever takes it: it is put off by ``LEASE_S`` in the store first, so that no two servers post it at once. What
   comes of it is stored afterwards: a crash in between posts it again when that time is over, under the same id. A receiver that is slow or dead
   holds up nobody but itself.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection
from datetime import timedelta
from typing import Any, Protocol

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from server.audit import chain
from server.audit.events import AuditAction, AuditEntry, AuditEvent
from server.clock import Clock
from server.domain import ids
from server.domain.ids import DeliveryId, WebhookId
from server.errors import DependencyError, Invalid, NotFound, TongpingError, TooMany
from server.services.ports import MakeId
from server.store.ports import Store, Transaction
from server.webhooks import schedule, signing, targets
from server.webhooks.records import Delivery, DeliveryPage, DeliveryState, Webhook
from server.webhooks.schedule import Answer

log = logging.getLogger(__name__)
LOOK_S = 1.0
FEED = 200
MADE_AT_ONCE = 1000
"""Deliveries in one transaction, as far as whole entries allow: all that is written waits for it."""
MOST = 200
"""Webhooks for everything."""
LEASE_S = 90.0
"""Longer than a try can take (``webhooks.timeout_s`` is 60 at most)."""
AT_ONCE = 16
AT_ONCE_EACH = 2
"""To one origin, however many webhooks and callbacks it has."""
_NAMES = frozenset(action.value for action in AuditAction)
_KINDS = frozenset(name.partition(".")[0] + ".*" for name in _NAMES)

Describe = Callable[[Transaction, AuditEvent], Awaitable[dict[str, Any]]]
"""More about an event, as it is known when it is sent; {} where there is no more."""


class Post(Protocol):
    async def __call__(self, url: str, body: bytes, headers: dict[str, str]) -> Answer:
        """Never raises but CancelledError."""
        ...


async def nothing_more(tx: Transaction, event: AuditEvent) -> dict[str, Any]:
    return {}


class Webhooks:
    """``origins``: who may be told anything. ``chance``: 0 to 1, anew each time. Run ``run`` as a task."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        make_id: MakeId,
        post: Post,
        key: Ed25519PrivateKey,
        *,
        origins: Collection[str],
        keep_days: int,
        chance: Callable[[], float],
        describe: Describe = nothing_more,
    ) -> None:
        self._store, self._clock, self._make_id, self._post, self._key = store, clock, make_id, post, key
        self._origins = frozenset(origins)
        self._keep = timedelta(days=keep_days)
        self._chance, self._describe = chance, describe
        self._under_way: dict[DeliveryId, tuple[str, asyncio.Task[None]]] = {}
        self._room = asyncio.Event()
        self._failed = ""
        self._behind = False

    # ---- who is told

    async def create(self, url: str, events: list[str], actor: str) -> Webhook:
        """Told of what happens from now on. Raises Invalid (address, events), TooMany."""
        if not events or any(name not in _NAMES and name not in _KINDS and name != "*" for name in events):
            raise Invalid("events: names of events as in the audit trail, `session.*` for all of a kind, or `*`.")
        self.check(url)
        async with self._store.begin() as tx:
            made = await self._made(tx, url, tuple(dict.fromkeys(events)), actor)
            if len(await tx.list_webhooks(MOST)) >= MOST:
                raise TooMany(f"There are {MOST} webhooks already.")
            await tx.add_webhook(made)
            await tx.append_audit(self._event(AuditAction.WEBHOOK_CREATED, actor, made.id))
        return made

    def check(self, url: str) -> None:
        """Raises Invalid for an address that may not be told."""
        targets.check(url, self._origins)

    async def call_back(self, tx: Transaction, url: str, events: tuple[str, ...], subject: str, actor: str) -> None:
        """Tell ``url`` of ``events`` about ``subject``: in the transaction that makes it. Raises Invalid."""
        self.check(url)
        await tx.add_webhook(msgspec.structs.replace(await self._made(tx, url, events, actor), subject=subject))

    async def _made(self, tx: Transaction, url: str, events: tuple[str, ...], actor: str) -> Webhook:
        id, after = WebhookId(self._make_id(ids.WEBHOOK)), await tx.audit_head()
        return Webhook(id=id, url=url, events=events, created_at=self._clock.now(), created_by=actor, after=after)

    async def all(self) -> list[Webhook]:
        async with self._store.read() as tx:
            return await tx.list_webhooks(MOST)

    async def end(self, id: WebhookId, actor: str) -> None:
        """Nothing more is sent there; what waits is given up. Again changes nothing. Raises NotFound."""
        now = self._clock.now()
        async with self._store.begin() as tx:
            found = await tx.get_webhook(id)
            if found is None:
                raise NotFound("There is no such webhook.")
            if found.ended_at is None:
                await tx.save_webhook(msgspec.structs.replace(found, ended_at=now))
                await tx.append_audit(self._event(AuditAction.WEBHOOK_ENDED, actor, id))

    # ---- what was told

    async def deliveries(self, *, state: DeliveryState | None, limit: int, cursor: str | None) -> DeliveryPage:
        """Raises Invalid for a cursor that is none."""
        async with self._store.read() as tx:
            return await tx.list_deliveries(state=state, limit=limit, cursor=cursor)

    async def replay(self, id: DeliveryId, actor: str) -> Delivery:
        """Send it again, whatever became of it. Raises NotFound, also for one of a webhook that has ended."""
        async with self._store.begin() as tx:
            found = await tx.get_delivery(id)
            webhook = await tx.get_webhook(found.webhook_id) if found is not None else None
            if found is None or webhook is None or webhook.ended_at is not None:
                raise NotFound("There is no such delivery, or nobody to send it to.")
            again = schedule.again(found, self._clock.now())
            await tx.save_delivery(again)
            await tx.append_audit(self._event(AuditAction.WEBHOOK_REPLAYED, actor, id))
        return again

    async def forget_old(self) -> int:
        async with self._store.begin() as tx:
            return await tx.forget_deliveries(self._clock.now() - self._keep)

    # ---- work

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                self._room.clear()
                try:
                    await self.feed()
                    await self.send()
                    self._failed = ""
                except TongpingError as error:
                    self._behind = False
                    if error.code != self._failed:
                        log.warning("webhooks wait", extra={"code": error.code})
                    self._failed = error.code
                if not self._behind:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(LOOK_S):  # wait_for loses a cancellation that comes together with the event
                            await self._room.wait()
        finally:
            await self._stop()

    async def feed(self) -> int:
        """Make deliveries of what is new; how many entries were looked at. The first time of all begins with what comes after."""
        self._behind = False
        async with self._store.read() as tx:
            cursor = await tx.webhook_cursor()
            if cursor is not None and not await tx.list_audit(after=cursor, limit=1):
                return 0
        async with self._store.begin() as tx:
            cursor = await tx.webhook_cursor()
            if cursor is None:
                await tx.set_webhook_cursor(await tx.audit_head())
                return 0
            entries = await tx.list_audit(after=cursor, limit=FEED)
            if not entries:
                return 0
            wanting = await tx.live_webhooks({entry.event.subject for entry in entries})
            looked, made = 0, 0
            for entry in entries:
                for webhook in wanting:
                    told = entry.number > webhook.after and webhook.wants(entry.event.action.value, entry.event.subject)
                    if told:
                        await tx.add_delivery(self._delivery(webhook, entry))
                        made += 1
                looked += 1
                if made >= MADE_AT_ONCE:
                    break
            await tx.set_webhook_cursor(entries[looked - 1].number)
        self._behind = looked < len(entries) or len(entries) == FEED
        return looked

    def _delivery(self, webhook: Webhook, entry: AuditEntry) -> Delivery:
        now = self._clock.now()
        return Delivery(
            id=DeliveryId(self._make_id(ids.DELIVERY)),
            webhook_id=webhook.id,
            origin=targets.origin(webhook.url),
            entry=entry.number,
            event=entry.event.action.value,
            state=DeliveryState.PENDING,
            created_at=now,
            next_at=now,
            subject=entry.event.subject,
            session=entry.event.session,
        )

    async def send(self) -> int:
        """Begin to post what is due, as far as there is room; how many were begun."""
        room = AT_ONCE - len(self._under_way)
        if room <= 0:
            return 0
        held = [origin for origin, _ in self._under_way.values()]
        full = {origin for origin in held if held.count(origin) >= AT_ONCE_EACH}
        async with self._store.read() as tx:
            due = await tx.due_deliveries(self._clock.now(), 2 * AT_ONCE, full)
        begun = 0
        for delivery in due:
            held = [origin for origin, _ in self._under_way.values()]
            if begun >= room or delivery.id in self._under_way or held.count(delivery.origin) >= AT_ONCE_EACH:
                continue
            task = asyncio.create_task(self._try(delivery), name="webhook")
            self._under_way[delivery.id] = (delivery.origin, task)
            begun += 1
        return begun

    async def settle(self) -> None:
        """Wait for what is being posted now."""
        await asyncio.gather(*(task for _, task in list(self._under_way.values())))

    async def _try(self, found: Delivery) -> None:
        try:
            delivery = await self._taken(found)
            if delivery is None:
                return
            try:
                prepared = await self._prepare(delivery)
                answer = await self._post(*prepared) if prepared is not None else None
            except DependencyError:
                raise
            except Exception:
                log.exception("a webhook could not be made", extra={"delivery": delivery.id})
                answer = Answer(0, "internal")
            await self._keep_answer(delivery, answer)
        except DependencyError as error:
            log.warning("a webhook's delivery could not be stored", extra={"delivery": found.id, "code": error.code})
        finally:
            del self._under_way[found.id]
            self._room.set()

    async def _taken(self, found: Delivery) -> Delivery | None:
        """Put off by ``LEASE_S``, so that nobody else takes it meanwhile. None: it is not as it was found, somebody else has it."""
        taken = msgspec.structs.replace(found, next_at=self._clock.now() + timedelta(seconds=LEASE_S))
        async with self._store.begin() as tx:
            if await tx.get_delivery(found.id) != found:
                return None
            await tx.save_delivery(taken)
        return taken

    async def _prepare(self, delivery: Delivery) -> tuple[str, bytes, dict[str, str]] | None:
        """Address, body, headers; None where nobody may be told any more."""
        async with self._store.read() as tx:
            webhook = await tx.get_webhook(delivery.webhook_id)
            if webhook is None or webhook.ended_at is not None:
                return None
            try:
                self.check(webhook.url)  # the configuration may have changed since
            except Invalid:
                return None
            (entry,) = await tx.list_audit(after=delivery.entry - 1, limit=1)
            more = await self._describe(tx, entry.event)
        body = payload(entry, webhook.id, more)
        headers = signing.sign(self._key, delivery.id, self._clock.now(), body)
        return webhook.url, body, {**headers, "content-type": "application/json", "user-agent": "Tongping"}

    async def _keep_answer(self, delivery: Delivery, answer: Answer | None) -> None:
        tried = schedule.after(delivery, answer or Answer(0, "target_refused"), self._clock.now(), self._chance())
        if answer is None:
            tried = msgspec.structs.replace(tried, state=DeliveryState.DEAD, next_at=None)
        async with self._store.begin() as tx:
            if await tx.get_delivery(delivery.id) == delivery:  # nobody had it sent again meanwhile, nor another server
                await tx.save_delivery(tried)
        if tried.state is DeliveryState.DEAD:
            log.error("a webhook's delivery is given up", extra={"delivery": delivery.id, "status": tried.last_status})

    async def _stop(self) -> None:
        tasks = [task for _, task in self._under_way.values()]
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)

    def _event(self, action: AuditAction, actor: str, subject: str) -> AuditEvent:
        return AuditEvent(action=action, at=self._clock.now(), actor=actor, subject=subject)


def payload(entry: AuditEntry, webhook: WebhookId, more: dict[str, Any]) -> bytes:
    """What is posted: ``type``, ``timestamp`` and ``data``, as the Standard Webhooks specification has them. ``number`` orders events; ``webhook`` says whom it
    is for: who got it cannot pass it on as somebody else's."""
    event = entry.event
    data: dict[str, Any] = {
        "webhook": webhook,
        "number": entry.number,
        "actor": event.actor,
        "subject": event.subject,
        "session": event.session,
    }
    return msgspec.json.encode(
        {
            "type": event.action.value,
            "timestamp": chain.format_time(event.at),
            "data": {**data, "details": event.details, **more},
        }
    )
