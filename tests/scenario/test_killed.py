"""Campaign 15: a worker or the whole server is killed while sessions are live; what comes back, how soon, and never as a storm."""

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiortc import RTCCertificate

from media.bench.peers import Connection, Section, only_address
from media.client import MediaClient
from media.control import Configure
from media.ports import NetworkState, PeerState, SlotAssignment
from media.supervisor import SupervisorConfig
from tests.support.bank import Bank
from tests.support.machine import quick_or_skip
from tests.support.server_process import ServerProcess

pytestmark = pytest.mark.campaign(15)

DEADLINE_S = 60.0
ROOMS = 10
BACK_S = 5.0
KILLS = 5
CAMERA = frozenset({"camera"})


class Told:
    """What the media plane says; only what these tests wait for is kept."""

    def __init__(self) -> None:
        self.lost: asyncio.Queue[list[str]] = asyncio.Queue()
        self.connected: set[tuple[str, str]] = set()
        self.changed = asyncio.Event()

    def on_slots(self, room: str, participant: str, slots: Sequence[SlotAssignment]) -> None: ...
    def on_speaking(self, room: str, participants: Sequence[str]) -> None: ...
    def on_track(self, room: str, participant: str, source: str, flowing: bool) -> None: ...
    def on_encodings(self, room: str, participant: str, source: str, active: Sequence[str]) -> None: ...
    def on_network(self, room: str, participant: str, state: NetworkState) -> None: ...

    def on_peer(self, room: str, participant: str, state: PeerState) -> None:
        (self.connected.add if state == "connected" else self.connected.discard)((room, participant))
        self.changed.set()

    def on_rooms_lost(self, rooms: Sequence[str]) -> None:
        self.connected -= {pair for pair in self.connected if pair[0] in rooms}
        self.lost.put_nowait(list(rooms))

    async def until_connected(self, count: int) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while len(self.connected) < count:
                self.changed.clear()
                await self.changed.wait()


@contextlib.asynccontextmanager
async def media(**changes: Any) -> AsyncIterator[tuple[MediaClient, Told]]:
    worker = Configure(bind=("127.0.0.1",), heartbeat_interval_s=0.1)
    client, told = MediaClient(SupervisorConfig(worker=worker, **{"request_timeout_s": DEADLINE_S, **changes})), Told()
    client.listen(told)
    await client.start()
    try:
        yield client, told
    finally:
        await client.close()


class People:
    """Two in each room, at real ICE and DTLS."""

    def __init__(self, client: MediaClient) -> None:
        self._client = client
        self._certificate = RTCCertificate.generateCertificate()
        self._connections: list[Connection] = []

    async def _meet(self, room: str, name: str) -> None:
        connection = Connection(self._certificate, "gcm", True)
        self._connections.append(connection)
        offer = await connection.describe([Section("0", 1000 + 10 * connection.number), Section("1")], "actpass")
        await connection.connect(await self._client.connect(room, name, offer))

    async def come(self) -> None:
        """Everybody at once, as pages do that were told that the media is lost."""
        await asyncio.gather(*(self._meet(f"room{room}", name) for room in range(ROOMS) for name in ("one", "two")))

    async def go(self) -> None:
        connections, self._connections = self._connections, []
        await asyncio.gather(*(connection.close() for connection in connections))


@pytest.fixture
def quiet() -> None:
    for name in ("aioice", "aiortc"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


@pytest.mark.usefixtures("quiet")
async def test_ten_rooms_are_back_on_a_new_worker_within_seconds() -> None:
    """With their gates, which nobody says again."""
    loop = asyncio.get_running_loop()
    with only_address("127.0.0.1"):
        async with media() as (client, told):
            people = People(client)
            for room in range(ROOMS):
                await client.set_gates(f"room{room}", "one", CAMERA)
            await people.come()
            await told.until_connected(2 * ROOMS)
            before = client.supervisor.pid(0)
            assert before is not None
            killed_at = loop.time()
            os.kill(before, signal.SIGKILL)
            async with asyncio.timeout(DEADLINE_S):
                assert sorted(await told.lost.get()) == sorted(f"room{room}" for room in range(ROOMS))
            await people.go()
            await people.come()
            await told.until_connected(2 * ROOMS)
            took_s = loop.time() - killed_at
            assert client.supervisor.pid(0) != before
            for room in range(ROOMS):
                told_of: Any = (await client.stats(f"room{room}"))["participants"]
                assert sorted(told_of) == ["one", "two"]
            await people.go()
            print(f"back after {took_s:.1f} s")
            quick_or_skip(took_s <= BACK_S, took_s)


async def test_a_worker_that_is_killed_again_and_again_is_started_ever_more_slowly() -> None:
    """Each pause is at least twice the one before, up to the longest; one start for each end."""
    first_s, longest_s = 0.05, 0.4
    command = (sys.executable, "-m", "tests.support.scripted_worker")
    loop = asyncio.get_running_loop()
    async with media(command=command, backoff_first_s=first_s, backoff_max_s=longest_s) as (client, told):
        pids, pauses = [], []
        for _ in range(KILLS):
            await client.connect("room", "PA_1", "offer")
            pid = client.supervisor.pid(0)
            assert pid is not None
            pids.append(pid)
            os.kill(pid, signal.SIGKILL)
            async with asyncio.timeout(DEADLINE_S):
                await told.lost.get()
            lost_at = loop.time()
            await client.supervisor.wait_ready(DEADLINE_S)
            pauses.append(loop.time() - lost_at)
        assert len(set(pids)) == KILLS
        (state,) = client.supervisor.states()
        assert state.restarts == KILLS
        expected = [min(first_s * 2**n, longest_s) for n in range(KILLS)]
        assert all(pause >= least - 0.01 for pause, least in zip(pauses, expected, strict=True)), pauses


class Person:
    """Signalling by hand."""

    def __init__(self, http: aiohttp.ClientSession, token: str) -> None:
        self._http = http
        self.token = token
        self._seq = 0

    async def hello(self, url: str, resume: dict[str, Any] | None = None) -> dict[str, Any]:
        """The first frame of the answer."""
        self.socket = await self._http.ws_connect(f"{url}/api/v1/signal", max_msg_size=0)
        await self.socket.send_json({"t": "hello", "version": 1, "token": self.token, "resume": resume})
        self._seq = 0
        return await self.read()

    async def read(self) -> dict[str, Any]:
        async with asyncio.timeout(DEADLINE_S):
            frame: dict[str, Any] = json.loads((await self.socket.receive()).data)
        return frame

    async def say(self, type: str, **fields: Any) -> None:
        self._seq += 1
        await self.socket.send_json({"t": "msg", "seq": self._seq, "ack": 0, "body": {"type": type, **fields}})

    async def hears(self, type: str) -> dict[str, Any]:
        while (frame := await self.read()).get("body", {}).get("type") != type:
            pass
        body: dict[str, Any] = frame["body"]
        return body


async def place(http: aiohttp.ClientSession, url: str, link: str, name: str) -> Person:
    entry = await Bank(http, url).call("POST", "/invitations/redeem", {"secret": link.rpartition("/")[2], "name": name})
    return Person(http, entry["token"])


async def until_gone(pids: list[int]) -> None:
    """Workers end when their server does; here they are nobody's children."""
    async with asyncio.timeout(DEADLINE_S):
        while any(Path(f"/proc/{pid}").exists() for pid in pids):  # noqa: ASYNC110, ASYNC240 - other processes
            await asyncio.sleep(0)


async def test_after_the_server_is_killed_sessions_consents_and_people_are_back(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        async with aiohttp.ClientSession() as http:
            bank = Bank(http, server.url)
            await bank.sign_in(*server.agent)
            opened = await bank.open()
            customer = await place(http, server.url, opened.customer_link, "Lin")
            expert = await place(http, server.url, opened.expert_link, "Chen")
            welcome = await customer.hello(server.url)
            await expert.hello(server.url)
            await customer.say("consent.set", scope="camera", decision="given", wording="camera-1", language="en")
            await customer.say("chat.send", client_id="1", text="before")
            await expert.hears("consent.changed")
            await expert.hears("chat.message")
            workers = server.media_workers()
            assert workers

            server.kill()
            await until_gone(workers)
            server.start()

            resume = {"key": welcome["resume_key"], "ack": 0}
            refused = await customer.hello(server.url, resume)
            assert (refused["t"], refused["code"]) == ("bye", "resume_unknown")
            assert (await customer.socket.receive()).data == 4404
            found = (await customer.hello(server.url))["snapshot"]
            assert found["session"]["id"] == opened.id
            assert [(one["scope"], one["decision"]) for one in found["consents"]] == [("camera", "given")]
            assert [one["text"] for one in found["chat"]] == ["before"]
            others = (await expert.hello(server.url))["snapshot"]
            assert [one["role"] for one in others["participants"]] == ["customer"]
            await expert.say("chat.send", client_id="2", text="after")
            while (await customer.hears("chat.message"))["message"]["text"] != "after":
                pass
            again = Bank(http, server.url)
            await again.sign_in(*server.agent)
            assert sorted(one["role"] for one in await again.participants(opened.id)) == ["customer", "expert"]
            await again.call("POST", f"/sessions/{opened.id}/end", {"reason": "done"})
            for person in (customer, expert):
                await person.socket.close()
