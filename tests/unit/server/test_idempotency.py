"""An Idempotency-Key does a thing once, also when the same request comes again before the first is answered."""

import asyncio
import hashlib

import pytest

from server.api.idempotency import Idempotency, StoredReply
from server.errors import Conflict
from server.store.memory import MemoryStore
from tests.support.signalling import ManualClock

REPLY = StoredReply(body=b"{}", location="/api/v1/sessions/SE_1")


class Work:
    """Something that is done when ``go`` is set, and counts how often."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.go = asyncio.Event()
        self.times = 0
        self.fails = False

    async def __call__(self) -> StoredReply:
        self.times += 1
        self.started.set()
        await self.go.wait()
        if self.fails:
            raise Conflict("not now")
        return REPLY


def made() -> Idempotency:
    return Idempotency(MemoryStore(), ManualClock(), secret=b"s" * 32, keep_s=60)


async def overtaken(keys: Idempotency, work: Work) -> list[StoredReply | BaseException]:
    """The answers of two requests, the second of which came while the first was at work."""
    first = asyncio.create_task(keys.run("POST /sessions", "k", b"hash", 201, work))
    await work.started.wait()
    second = asyncio.create_task(keys.run("POST /sessions", "k", b"hash", 201, work))
    for _ in range(20):  # as far as it gets
        await asyncio.sleep(0)
    assert work.times == 1
    work.go.set()
    return await asyncio.gather(first, second, return_exceptions=True)


async def test_the_second_waits_for_the_first_and_gets_its_answer() -> None:
    work = Work()
    assert await overtaken(made(), work) == [REPLY, REPLY]
    assert work.times == 1


async def test_a_failure_is_not_remembered() -> None:
    keys, work = made(), Work()
    work.fails = True
    answers = await overtaken(keys, work)
    assert [type(answer) for answer in answers] == [Conflict, Conflict]
    assert work.times == 2
    work.fails = False
    assert await keys.run("POST /sessions", "k", b"hash", 201, work) == REPLY


async def test_a_server_that_died_between_the_work_and_its_answer_does_not_do_it_twice() -> None:
    store = MemoryStore()
    work = Work()
    before = Idempotency(store, ManualClock(), secret=b"s" * 32, keep_s=60)
    dying = asyncio.create_task(before.run("POST /sessions", "k", b"hash", 201, work))
    await work.started.wait()
    dying.cancel()
    await asyncio.wait([dying])
    work.go.set()
    after = Idempotency(store, ManualClock(), secret=b"s" * 32, keep_s=60)
    for _ in range(2):
        with pytest.raises(Conflict, match="cut off"):
            await after.run("POST /sessions", "k", b"hash", 201, work)
    assert work.times == 1
    assert await after.run("POST /sessions", "another", b"hash", 201, work) == REPLY


async def test_another_request_under_the_same_key() -> None:
    keys, work = made(), Work()
    work.go.set()
    await keys.run("POST /sessions", "k", b"hash", 201, work)
    with pytest.raises(Conflict):
        await keys.run("POST /sessions", "k", b"other", 201, work)
    assert await keys.run("POST /waiting", "k", b"other", 201, work) == REPLY
    assert work.times == 2


async def test_what_was_asked_cannot_be_guessed_from_what_is_kept() -> None:
    """A body may be little more than a telephone number: its plain hash would tell it to whoever tries them all."""
    store, work = MemoryStore(), Work()
    work.go.set()
    asked = hashlib.sha256(b"+86 138 0013 8000").digest()
    await Idempotency(store, ManualClock(), secret=b"s" * 32, keep_s=60).run("AK_1", "one", asked, 201, work)
    async with store.read() as tx:
        record = await tx.get_idempotency("AK_1", hashlib.sha256(b"AK_1\0one").hexdigest())
    assert record is not None
    assert asked not in record.request_hash + record.body
    with pytest.raises(Conflict, match="secret was changed"):
        await Idempotency(store, ManualClock(), secret=b"t" * 32, keep_s=60).run("AK_1", "one", asked, 201, work)
