"""Campaign 17 at the server: sessions come and go, and nothing of them stays in memory, in tasks or in descriptors.

``LONG=1``: 500 sessions. Records are on disk, so whatever Python holds more of per session is a leak.
"""

import asyncio
import gc
import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest
from sqlalchemy.types import TypeDecorator

from server.store.sql import open_store
from tests.support.fake_media import OFFER
from tests.support.server import Here, app

pytestmark = pytest.mark.campaign(17)

LONG = os.environ.get("TESTS_CAMPAIGN") == "long"
AT_ONCE = 10
WARM_UPS = 2
ROUNDS = 48 if LONG else 3
BLOCKS_A_SESSION = 500
"""Pieces of memory that the interpreter may hold more of for each session: caches of bounded size fill up, and after hundreds of other
tests in the process 230 were seen where it is 60 alone. A session has thousands while it runs.
"""
GROWN_MIB = 8.0
DEADLINE_S = 60.0
PROGRAM = ("server.", "media.", "aiohttp.")
"""But for types of columns: SQLAlchemy keeps them with the statements that it has seen, 500 at most, and what is asked once a while may come late."""


async def until_type(socket: aiohttp.ClientWebSocketResponse, type: str) -> dict[str, Any]:
    """The next such frame, or message with such a body."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            frame: dict[str, Any] = json.loads((await socket.receive()).data)
            if type in (frame["t"], frame.get("body", {}).get("type")):
                return frame


async def closed(socket: aiohttp.ClientWebSocketResponse) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while (await socket.receive()).type is aiohttp.WSMsgType.TEXT:
            pass


async def come(here: Here, token: str) -> aiohttp.ClientWebSocketResponse:
    socket = await here.http.ws_connect(f"{here.url}/api/v1/signal", max_msg_size=0)
    await socket.send_json({"t": "hello", "version": 1, "token": token})
    await until_type(socket, "welcome")
    return socket


async def say(socket: aiohttp.ClientWebSocketResponse, seq: int, type: str, **fields: Any) -> None:
    await socket.send_json({"t": "msg", "seq": seq, "ack": 0, "body": {"type": type, **fields}})


async def visit(here: Here, number: int) -> None:
    """A whole session, which ends in one of four ways."""
    session = await here.session(reason=f"card {number}")
    tokens = [(await here.place(session, role))["token"] for role in ("customer", "expert")]
    customer, expert = [await come(here, token) for token in tokens]
    await say(customer, 1, "consent.set", scope="camera", decision="given", wording="camera-1", language="zh")
    await say(customer, 2, "media.offer", sdp=OFFER)
    await until_type(customer, "media.answer")
    await say(customer, 3, "chat.send", client_id="1", text="a" * 500)
    await until_type(expert, "chat.message")
    await say(expert, 1, "no.such.thing")
    assert (await here.get(f"/sessions/{session}/media", token=here.agent)).status == 200
    if number % 4 == 1:
        await say(customer, 4, "leave")
    elif number % 4 == 2:  # cut, without a word
        assert customer._conn is not None
        assert customer._conn.transport is not None
        customer._conn.transport.abort()
    if number % 4 == 3:
        await come_as_nobody(here)
        waits = (await here.post("/waiting", {"name": "Lin", "reason": "card", "language": "zh"})).json["session"]["id"]
        assert (await here.post(f"/sessions/{waits}/enter", token=here.agent)).status == 200
        assert (await here.post(f"/sessions/{waits}/end", {}, token=here.agent)).status == 200
    assert (await here.post(f"/sessions/{session}/end", {"reason": "done"}, token=here.agent)).status == 200
    for socket in (customer, expert):
        await closed(socket)
        await socket.close()
    assert (await here.get(f"/sessions/{session}/consents", token=here.agent)).status == 200


async def come_as_nobody(here: Here) -> None:
    socket = await here.http.ws_connect(f"{here.url}/api/v1/signal")
    await socket.send_json({"t": "hello", "version": 1, "token": "nothing"})
    await closed(socket)
    await socket.close()


def resident_mib() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) / 1024


class Rest(NamedTuple):
    """What there is when nobody is in a session. ``series``: lines of the metrics. ``kinds``: how many objects of the program, by class.
    ``blocks``: pieces of memory that Python holds.
    """

    tasks: int
    descriptors: int
    series: int
    kinds: Counter[type]
    blocks: int
    mib: float


async def at_rest(here: Here, tasks: int) -> Rest:
    """When no more than so many tasks run: one of the server's own ticks may be at work just now."""
    async with asyncio.timeout(DEADLINE_S):
        while here.server.live.stats()["sessions"] or here.server.live.stats()["greeting"]:  # noqa: ASYNC110 - the server's ticks
            await asyncio.sleep(0)
        series = len((await here.get("//metrics")).raw.splitlines())
        await here.http.close()
        while any("RequestHandler" in repr(task.get_coro()) for task in asyncio.all_tasks()) or (  # noqa: ASYNC110 - as they end
            len(asyncio.all_tasks()) > tasks
        ):
            await asyncio.sleep(0)
    here.media.calls.clear()
    assert not here.media.offers
    assert not here.media.gates
    gc.collect()
    kinds = (type(thing) for thing in gc.get_objects())
    counted = Counter(kind for kind in kinds if str(kind.__module__).startswith(PROGRAM))
    return Rest(
        len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd")), series, counted, sys.getallocatedblocks(), resident_mib()
    )


async def test_sessions_that_ended_leave_nothing_behind(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "data").mkdir()
    store = await open_store(f"sqlite:///{tmp_path}/data/tongping.db")
    rests: list[Rest] = []
    async with app(tmp_path, store=store, throttle__waiting_joins=10_000) as here:
        await here.http.close()
        for round_ in range(WARM_UPS + ROUNDS):
            async with aiohttp.ClientSession() as here.http:
                await asyncio.gather(*(visit(here, AT_ONCE * round_ + n) for n in range(AT_ONCE)))
                caplog.clear()  # pytest keeps every record of a test
                most = max(rest.tasks for rest in rests) if round_ >= WARM_UPS else sys.maxsize
                rests.append(await at_rest(here, most))
    before, after, sessions = rests[WARM_UPS - 1], rests[-1], ROUNDS * AT_ONCE
    print([(rest.tasks, rest.descriptors, rest.series, rest.blocks, round(rest.mib, 1)) for rest in rests])
    for rest in rests[WARM_UPS:]:
        assert rest.descriptors <= before.descriptors
        assert rest.series <= before.series
    more = Counter({kind: count for kind, count in (after.kinds - before.kinds).items() if not issubclass(kind, TypeDecorator)})
    assert not {kind: count for kind, count in more.items() if count >= sessions // AT_ONCE}, more
    assert after.blocks - before.blocks <= sessions * BLOCKS_A_SESSION, (before.blocks, after.blocks)
    assert after.mib - before.mib <= GROWN_MIB, (before.mib, after.mib)
