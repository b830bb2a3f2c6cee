"""A process of a load test: ``python -m server.loadtest.process``. People of some rooms, with all they do.

One of the few modules that know the server's interfaces and ``media`` (its bench, as a client has it). Orders come on standard input,
reports go to standard output (``orders``); when the input ends, whyever, the sessions are ended and so is the process.
"""

import asyncio
import contextlib
import logging
import resource
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import msgspec
from aiortc import RTCCertificate

from media.bench.clip import make_clip
from media.bench.flow import Flow, Listener, describe_person
from media.bench.network import BenchError
from media.bench.peers import Connection, only_address
from media.bench.play import Clip, Source
from media.errors import MediaError
from server.loadtest.api import Api
from server.loadtest.orders import MAX_LINE, Broken, Counted, Measure, Order, Ready, Report
from server.loadtest.settings import LoadtestFailed
from server.loadtest.signalling import Signalling

AT_ONCE = 6
"""Joins under way at a time, where no pace is given."""
WARM_UP_S = 30.0
"""Longest wait until the relay carries everything: it begins to send little to a path that it does not know."""
LOOK_S, LOOK_DRAIN_S, DRAIN_S = 1.0, 0.3, 1.0
END_S = 15.0
MOST_ORDERS = 16
"""That wait; one more ends the process."""
PROFILE = "gcm"
"""AEAD_AES_128_GCM, as Chromium and our worker agree on."""
ROLES = ("agent", "customer", "expert")


@dataclass(eq=False, slots=True)
class Person:
    """Somebody who came. ``sources``: camera and microphone."""

    signalling: Signalling
    connection: Connection
    listener: Listener
    sources: tuple[Source, ...]


@dataclass(eq=False, slots=True)
class Room:
    number: int
    session: str = ""
    links: dict[str, str] = field(default_factory=dict)
    people: list[Person] = field(default_factory=list)


class Load:
    """All of this process. ``failures``: reason → how often, since they were last told."""

    def __init__(self, order: Order, http: aiohttp.ClientSession, flow: Flow, clip: Clip) -> None:
        self.order = order
        self.http = http
        self.flow = flow
        self.clip = clip
        self.api = Api(http, order.url, order.authorization)
        self.rooms = [Room(order.first + number) for number in range(order.rooms)]
        self.joins_s: list[tuple[float, float]] = []
        self.failures: Counter[str] = Counter()
        self._certificate = RTCCertificate.generateCertificate()
        self._people = 0
        self._told: set[Signalling] = set()

    # ---- coming in

    async def open(self) -> None:
        """A session and its invitations for every room, before anybody comes."""
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(room: Room) -> None:
            async with turns:
                await self._open(room)

        async with asyncio.TaskGroup() as group:
            for room in self.rooms:
                group.create_task(one(room))

    async def come(self) -> None:
        """Everybody, at the pace that was ordered."""
        pace = self.order.ramp
        turns = asyncio.Semaphore(len(self.rooms) * self.order.people if pace else AT_ONCE)
        begin = time.monotonic()
        coming = [(room, place) for room in self.rooms if room.links for place in range(self.order.people)]
        async with asyncio.TaskGroup() as group:
            for number, (room, place) in enumerate(coming):
                if pace:
                    await asyncio.sleep(max(0.0, begin + number / pace - time.monotonic()))
                await turns.acquire()
                task = group.create_task(self._come(room, place))
                task.add_done_callback(lambda _: turns.release())

    async def _open(self, room: Room) -> None:
        people = self.order.people
        links = {}
        try:
            room.session = await self.api.open_session(room.number)
            for role, uses in zip(ROLES, (1, 1, people - 2), strict=True):
                if uses:
                    links[role] = await self.api.invite(room.session, role, uses)
        except LoadtestFailed as error:
            self.failures[str(error)] += people
        else:
            room.links = links

    async def _come(self, room: Room, place: int) -> None:
        begin = time.monotonic()
        role = ROLES[min(place, len(ROLES) - 1)]
        try:
            entry = await self.api.redeem(room.links[role], f"{role} {place}")
            room.people.append(await self._enter(str(entry["token"]), place))
        except (LoadtestFailed, BenchError, MediaError) as error:
            self.failures[str(error)] += 1
            return
        self.joins_s.append((begin, time.monotonic() - begin))

    async def _enter(self, token: str, place: int) -> Person:
        signalling = await Signalling.open(self.http, self.order.url, token)
        connection = Connection(self._certificate, PROFILE, True)
        try:
            slots = signalling.snapshot["media"]
            others = self.order.people - 1
            self._people += 1
            sections, sources = describe_person(
                self._people,
                self.clip,
                min(others, slots["audio_slots"]),
                min(others, slots["video_slots"]),
                microphone=place <= slots["audio_slots"],  # so many others fit into everybody's slots
                camera=place <= slots["video_slots"],
            )
            await signalling.say("media.offer", sdp=await connection.describe(sections, "actpass"))
            for source in sources:
                name = "microphone" if source.spoken else "camera"
                await signalling.say("track.state", source=name, on=True)
                await signalling.say("consent.set", scope=name, decision="given", wording=f"{name}-1", language="zh")
            await connection.connect(await signalling.answer())
        except BaseException:
            await signalling.close()
            await connection.close()
            raise
        return Person(signalling, connection, self.flow.add(connection.take_over(), sources), tuple(sources))

    # ---- measuring

    def expect(self) -> None:
        """Who should receive what, by who is in now."""
        for room in self.rooms:
            here = [person for person in room.people if not person.signalling.ended]
            for person in room.people:
                for source in person.sources:
                    source.viewers = len(here) - (person in here)

    async def warm_up(self) -> tuple[bool, float]:
        """Until everything that is sent arrives. Whether it did, and the seconds that took."""
        begin = time.monotonic()
        while True:
            self.expect()
            seen = await self.flow.measure(LOOK_S, LOOK_DRAIN_S)
            if seen.received == seen.expected:
                return seen.expected > 0, time.monotonic() - begin
            if time.monotonic() - begin > WARM_UP_S:
                return False, time.monotonic() - begin

    def told_failures(self) -> dict[str, int]:
        """What went wrong since this was last asked."""
        for room in self.rooms:
            for person in room.people:
                signalling = person.signalling
                if signalling.ended and signalling not in self._told:
                    self._told.add(signalling)
                    self.failures[f"signalling ended: {signalling.ended}"] += 1
        found, self.failures = dict(self.failures), Counter()
        return found

    # ---- the end

    async def leave(self) -> None:
        """Ends every session; what cannot be ended is left to the server."""
        people = [person for room in self.rooms for person in room.people]
        with contextlib.suppress(TimeoutError, BenchError):
            async with asyncio.timeout(END_S):
                await self.flow.remove([person.listener for person in people])
                await asyncio.gather(*(person.signalling.close() for person in people), return_exceptions=True)
                ended = [self.api.end(room.session) for room in self.rooms if room.session]
                await asyncio.gather(*ended, return_exceptions=True)
        await asyncio.gather(*(person.connection.close() for person in people), return_exceptions=True)


@asynccontextmanager
async def loading(order: Order) -> AsyncIterator[Load]:
    connector = aiohttp.TCPConnector(limit=0, ssl=not order.insecure)
    async with aiohttp.ClientSession(connector=connector) as http:
        flow = Flow()
        flow.start()
        load = Load(order, http, flow, make_clip())
        try:
            yield load
        finally:
            await load.leave()
            flow.stop()


async def _input() -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=MAX_LINE)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


def _report(report: Report) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
    sys.stdout.buffer.flush()


async def _work(order: Order, orders: "asyncio.Queue[Measure]") -> None:
    with only_address(order.address):
        async with loading(order) as load:
            await load.open()
            await load.come()
            flows, warm_up_s = await load.warm_up()
            _report(Ready(joins_s=load.joins_s, failures=load.told_failures(), flows=flows, warm_up_s=warm_up_s))
            while True:
                wanted = await orders.get()
                load.expect()
                measured = await load.flow.measure(wanted.seconds, DRAIN_S)
                _report(Counted(measured=msgspec.Raw(msgspec.json.encode(measured)), failures=load.told_failures()))


async def _listen(reader: asyncio.StreamReader, orders: "asyncio.Queue[Measure]") -> None:
    """Until the input ends."""
    while line := await reader.readline():
        orders.put_nowait(msgspec.json.decode(line, type=Measure))


async def _run() -> None:
    reader = await _input()
    order = msgspec.json.decode(await reader.readline(), type=Order)
    orders: asyncio.Queue[Measure] = asyncio.Queue(MOST_ORDERS)
    tasks = asyncio.create_task(_work(order, orders)), asyncio.create_task(_listen(reader, orders))
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(ended, BaseException) and not isinstance(ended, asyncio.CancelledError):
            raise ended


def main() -> None:
    for name in ("aioice", "aiortc"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        asyncio.run(_run())
    except (LoadtestFailed, BenchError, MediaError) as error:
        with contextlib.suppress(BrokenPipeError):
            _report(Broken(why=str(error)))


if __name__ == "__main__":
    main()
