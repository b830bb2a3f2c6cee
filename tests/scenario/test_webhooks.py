"""Webhooks at work: what happened reaches a real receiver, signed, in spite of failures, crashes and replays; nobody else is asked."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from server.app import make_id
from server.audit.events import AuditAction, AuditEvent
from server.auth.jwks import read_key_set
from server.errors import Invalid, NotFound
from server.store.ports import Store, Transaction
from server.store.sql import open_store
from server.webhooks import signing
from server.webhooks.http import HttpPost
from server.webhooks.records import DeliveryState
from server.webhooks.service import LEASE_S, MADE_AT_ONCE, Webhooks
from tests.support.server import app
from tests.support.signalling import ManualClock

KEY = Ed25519PrivateKey.from_private_bytes(b"w" * 32)


class Receiver:
    """One of the bank's systems. ``answers``: statuses to give, then 204. ``hang``: none at all."""

    def __init__(self) -> None:
        self.url = ""
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.headers: dict[str, str] = {}
        self.hang = asyncio.Event()
        self.hang.set()
        self.arrived = asyncio.Condition()

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        async with self.arrived:
            self.got.append(({name.lower(): value for name, value in request.headers.items()}, body))
            self.arrived.notify_all()
        await self.hang.wait()
        return web.Response(status=self.answers.pop(0) if self.answers else 204, headers=self.headers, body=b"x" * 5000)

    def types(self) -> list[str]:
        return [json.loads(body)["type"] for _, body in self.got]


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    one = Receiver()
    application = web.Application()
    application.router.add_post("/hooks", one.take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    one.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield one
    finally:
        one.hang.set()
        await runner.cleanup()


class Office:
    """Webhooks over a database on disk, a real receiver and a clock that is turned by hand."""

    def __init__(self, store: Store, post: HttpPost, *origins: str) -> None:
        self.store, self.clock = store, ManualClock()
        self._post, self._origins = post, origins
        self.described: dict[str, Any] = {}
        self.webhooks = self.again()

    def again(self) -> Webhooks:
        """As after a restart."""

        async def describe(tx: Transaction, event: AuditEvent) -> dict[str, Any]:
            if "fail" in self.described:
                raise LookupError
            return self.described

        return Webhooks(
            self.store, self.clock, make_id, self._post, KEY, origins=self._origins, keep_days=90, chance=lambda: 0.5, describe=describe
        )  # fmt: skip

    async def happens(self, action: AuditAction = AuditAction.SESSION_CREATED, subject: str = "SE_1") -> None:
        async with self.store.begin() as tx:
            await tx.append_audit(
                AuditEvent(action=action, at=self.clock.now(), actor="ST_1", subject=subject, details={"kind": "video"})
            )

    async def work(self, webhooks: Webhooks | None = None) -> None:
        webhooks = webhooks or self.webhooks
        await webhooks.feed()
        await webhooks.send()
        await webhooks.settle()

    async def all(self, state: DeliveryState | None = None) -> list[Any]:
        return (await self.webhooks.deliveries(state=state, limit=100, cursor=None)).deliveries


@pytest.fixture
async def to() -> AsyncIterator[Receiver]:
    async with receiver() as one:
        yield one


@pytest.fixture
async def office(tmp_path: Path, to: Receiver) -> AsyncIterator[Office]:
    store = await open_store(f"sqlite:///{tmp_path}/tongping.db")
    post = HttpPost(5.0)
    one = Office(store, post, to.url)
    await one.webhooks.feed()
    yield one
    await post.close()
    await store.close()


async def test_what_happened_is_told_signed_once(office: Office, to: Receiver) -> None:
    await office.happens()  # before anybody wanted to know
    office.clock.seconds += 1
    await office.webhooks.create(to.url + "/hooks", ["session.*"], "ST_1")
    await office.happens()
    await office.happens(AuditAction.KEY_CREATED)
    await office.happens(AuditAction.SESSION_ENDED)
    office.described = {"more": 1}
    for _ in range(3):
        await office.work()
    assert sorted(to.types()) == ["session.created", "session.ended"]
    for headers, body in to.got:
        id = signing.verify(headers, body, [KEY.public_key()], office.clock.now())
        told = json.loads(body)
        assert told["data"]["webhook"] == (await office.webhooks.all())[0].id
        assert (told["data"]["subject"], told["data"]["details"], told["data"]["more"]) == ("SE_1", {"kind": "video"}, 1)
        assert headers["content-type"] == "application/json"
        assert id in {one.id for one in await office.all(DeliveryState.DELIVERED)}
    assert len(await office.all()) == 2


async def test_a_receiver_that_fails_is_tried_again_under_the_same_id(office: Office, to: Receiver) -> None:
    await office.webhooks.create(to.url + "/hooks", ["session.created"], "ST_1")
    to.answers = [500, 302, 404]
    to.headers = {"Location": to.url + "/hooks"}
    await office.happens()
    await office.work()
    await office.work()  # not yet due
    assert len(to.got) == 1
    for pause_s in (5, 30, 120):
        office.clock.seconds += pause_s * 1.1
        await office.work()
    assert len({headers["webhook-id"] for headers, _ in to.got}) == 1
    assert len({headers["webhook-timestamp"] for headers, _ in to.got}) == 4
    (only,) = await office.all()
    assert (only.state, only.attempts, only.last_status) == (DeliveryState.DELIVERED, 4, 204)


async def test_what_was_given_up_is_listed_and_sent_again_by_hand(office: Office, to: Receiver) -> None:
    await office.webhooks.create(to.url + "/hooks", ["*"], "ST_1")
    await office.work()
    to.got.clear()
    to.answers = [500] * 11
    await office.happens()
    for _ in range(11):
        await office.work()
        office.clock.seconds += 27 * 3600
    (dead,) = await office.all(DeliveryState.DEAD)
    assert (dead.attempts, dead.last_fault, len(to.got)) == (11, "status_500", 11)
    await office.work()
    assert len(to.got) == 11
    await office.webhooks.replay(dead.id, "ST_2")
    await office.work()
    assert dead.id in {headers["webhook-id"] for headers, _ in to.got[11:]}
    assert await office.all(DeliveryState.DEAD) == []
    assert sorted(to.types()[11:]) == ["session.created", "webhook.replayed"]  # the replay itself is an event


async def test_a_crash_anywhere_loses_nothing(office: Office, to: Receiver) -> None:
    await office.webhooks.create(to.url + "/hooks", ["session.created"], "ST_1")
    await office.happens()
    await office.webhooks.feed()  # and then the process died
    second = office.again()
    await second.feed()
    assert len(await office.all()) == 1
    to.hang.clear()
    await second.send()
    async with to.arrived:
        await to.arrived.wait_for(lambda: to.got)
    await second._stop()  # it died after it had posted, before that was stored
    to.hang.set()
    third = office.again()
    await office.work(third)
    assert len(to.got) == 1, "somebody else may be posting it"
    office.clock.seconds += LEASE_S
    await office.work(third)
    assert [headers["webhook-id"] for headers, _ in to.got] == [(await office.all())[0].id] * 2
    assert [one.state for one in await office.all()] == [DeliveryState.DELIVERED]


async def test_two_servers_on_one_database_make_one_delivery_each(office: Office, to: Receiver) -> None:
    await office.webhooks.create(to.url + "/hooks", ["session.created"], "ST_1")
    for _ in range(30):
        await office.happens()
    other = office.again()
    await asyncio.gather(*(one.feed() for one in (office.webhooks, other) * 5))
    assert len(await office.all()) == 30


async def test_two_servers_post_a_delivery_once(office: Office, to: Receiver) -> None:
    await office.webhooks.create(to.url + "/hooks", ["session.created"], "ST_1")
    for number in range(5):
        await office.happens(subject=f"SE_{number}")
    other = office.again()
    await office.webhooks.feed()
    for _ in range(3):
        await asyncio.gather(office.webhooks.send(), other.send())
        await asyncio.gather(office.webhooks.settle(), other.settle())
    posted = [headers["webhook-id"] for headers, _ in to.got]
    assert sorted(posted) == sorted(one.id for one in await office.all(DeliveryState.DELIVERED))
    assert len(posted) == 5


async def test_so_many_deliveries_are_made_at_once(office: Office, to: Receiver) -> None:
    for number in range(100):
        await office.webhooks.create(f"{to.url}/hooks?{number}", ["session.created"], "ST_1")
    for number in range(25):
        await office.happens(subject=f"SE_{number}")
    made = 0
    while await office.webhooks.feed():
        async with office.store.read() as tx:
            due = len(await tx.due_deliveries(office.clock.now(), 10_000, set()))
        assert due - made <= MADE_AT_ONCE
        made = due
    assert made == 2500


async def test_a_receiver_that_hangs_holds_up_nobody_else(tmp_path: Path, to: Receiver) -> None:
    async with receiver() as slow:
        store = await open_store(f"sqlite:///{tmp_path}/tongping.db")
        post = HttpPost(30.0)
        office = Office(store, post, to.url, slow.url)
        await office.webhooks.feed()
        slow.hang.clear()
        await office.webhooks.create(slow.url + "/hooks", ["session.created"], "ST_1")
        async with store.begin() as tx:
            for number in range(20):  # as many callbacks of cases, which are webhooks too
                await office.webhooks.call_back(tx, slow.url + "/hooks", ("session.created",), "SE_1", f"AK_{number}")
        await office.webhooks.create(to.url + "/hooks", ["session.created"], "ST_1")
        for _ in range(40):
            await office.happens()
        running = asyncio.create_task(office.webhooks.run())
        async with to.arrived:
            await to.arrived.wait_for(lambda: len(to.got) == 40)
        assert len(slow.got) == 2  # as many at once as one may have
        slow.hang.set()
        async with slow.arrived:
            await slow.arrived.wait_for(lambda: len(slow.got) >= 40)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await post.close()
        await store.close()


async def test_faults_have_names(office: Office, to: Receiver) -> None:
    made = await office.webhooks.create(to.url + "/hooks", ["session.created"], "ST_1")
    await office.happens()
    office.described = {"fail": True}
    await office.work()
    assert (await office.all())[0].last_fault == "internal"
    office.described = {}
    quick = HttpPost(0.2)
    to.hang.clear()
    office._post = quick
    office.clock.seconds += 10
    await office.work(office.again())
    assert (await office.all())[0].last_fault == "timeout"
    to.hang.set()
    office._origins = ()
    office.clock.seconds += 100
    await office.work(office.again())
    (refused,) = await office.all()
    assert (refused.state, refused.last_fault) == (DeliveryState.DEAD, "target_refused")
    await office.webhooks.end(made.id, "ST_1")
    with pytest.raises(NotFound):
        await office.webhooks.replay(refused.id, "ST_1")
    await quick.close()


async def test_nobody_listening_is_a_fault_of_the_connection(office: Office, to: Receiver) -> None:
    async with receiver() as gone:
        pass
    answer = await office._post(gone.url + "/hooks", b"{}", {})
    assert (answer.status, answer.fault) == (0, "connection")
    to.headers = {"Retry-After": "17"}
    assert (await office._post(to.url + "/hooks", b"{}", {})).retry_after_s == 17
    to.headers = {"Retry-After": "Fri, 01 May 2026 12:00:00 GMT"}
    assert (await office._post(to.url + "/hooks", b"{}", {})).retry_after_s == 0


async def test_a_callback_is_of_one_case_and_is_forgotten(office: Office, to: Receiver) -> None:
    async with office.store.begin() as tx:
        await office.webhooks.call_back(tx, to.url + "/hooks", ("session.*",), "SE_7", "AK_1")
    for subject in ("SE_7", "SE_8"):
        await office.happens(subject=subject)
    await office.work()
    assert [json.loads(body)["data"]["subject"] for _, body in to.got] == ["SE_7"]
    assert await office.webhooks.all() == []  # not a webhook that anybody manages
    office.clock.seconds += timedelta(days=91).total_seconds()
    assert await office.webhooks.forget_old() == 1
    async with office.store.read() as tx:
        assert await tx.live_webhooks(["SE_7"]) == []


async def test_who_is_told_is_checked(office: Office, to: Receiver) -> None:
    for url in ("https://evil.example/", to.url.replace("127.0.0.1", "localhost"), "http://169.254.169.254/"):
        with pytest.raises(Invalid):
            await office.webhooks.create(url, ["*"], "ST_1")
    for events in ([], ["session.creatd"], ["session"], ["*.created"], ["**"]):
        with pytest.raises(Invalid):
            await office.webhooks.create(to.url, events, "ST_1")
    for _ in range(200):
        await office.webhooks.create(to.url, ["*"], "ST_1")
    with pytest.raises(Exception, match="200"):
        await office.webhooks.create(to.url, ["*"], "ST_1")


async def test_over_rest_from_a_fact_to_the_receiver(tmp_path: Path, to: Receiver) -> None:
    async with app(tmp_path, webhooks__origins=(to.url,)) as here:
        made = await here.post("/webhooks", {"url": to.url + "/hooks", "events": ["session.*"]}, token=here.supervisor)
        assert made.status == 201
        session = await here.session()
        async with to.arrived:
            await to.arrived.wait_for(lambda: "session.created" in to.types())
        keys = read_key_set((await here.get("/webhooks/keys")).raw).values()
        headers, body = to.got[0]
        id = signing.verify(headers, body, keys, here.server.context.clock.now())
        assert json.loads(body)["data"]["session"] == session
        await here.server.context.webhooks.settle()
        page = (await here.get("/webhooks/deliveries?state=delivered", token=here.supervisor)).json
        assert [one["id"] for one in page["deliveries"]] == [id]
        again = await here.post(f"/webhooks/deliveries/{id}/replay", token=here.supervisor)
        assert again.json["state"] == "pending"
        async with to.arrived:
            await to.arrived.wait_for(lambda: len(to.got) >= 2)
        assert to.got[1][0]["webhook-id"] == id
        refused = await here.post("/webhooks", {"url": "https://evil.example/x", "events": ["*"]}, token=here.supervisor)
        assert (refused.status, refused.code) == (400, "invalid")
        listed = (await here.get("/webhooks", token=here.supervisor)).json["webhooks"]
        assert [one["url"] for one in listed] == [to.url + "/hooks"]
        assert (await here.delete(f"/webhooks/{listed[0]['id']}", token=here.supervisor)).status == 204
        assert (await here.delete(f"/webhooks/{listed[0]['id']}", token=here.supervisor)).status == 204
        assert (await here.get("/webhooks", token=here.supervisor)).json["webhooks"] == []
        assert (await here.post(f"/webhooks/deliveries/{id}/replay", token=here.supervisor)).status == 404
        actions = [entry["action"] for entry in (await here.get("/audit", token=here.supervisor)).json["entries"]]
        assert [actions.count(f"webhook.{name}") for name in ("created", "replayed", "ended")] == [1, 1, 1]
