"""Where co-browse is measured as it runs: a server of its own with its sanitiser, and those who came. Server and sanitiser have one core together where there is more
than one."""

import asyncio
import contextlib
import gc
import json
import os
import re
import resource
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from server.bench_cobrowse_page import RULES, Film
from server.bench_cobrowse_people import ORIGIN, SITE, Shared, come
from server.loadtest.api import Api
from server.loadtest.own_server import own_server
from server.loadtest.settings import LoadtestFailed

AT_ONCE = 4
"""Sessions that are begun at a time."""
SANITISER = b"server.cobrowse.process"
END_S = 30.0
_NONE = re.compile(r"^tongping_cobrowse_shares 0(\.0)?$", re.MULTILINE)
FILM = 1500
"""Events, until the page is drawn anew."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """``shares``: the most at a time; ``step``: so many more each time; ``rate``: events a second of each; ``seconds``: of a measurement; ``revocations``: at least."""

    shares: int = 500
    step: int = 100
    rate: float = 3.0
    seconds: float = 10.0
    revocations: int = 50
    rounds: int = 3
    nodes: int = 1000


class Place:
    """A server and those who came. ``pids``: of its processes, and this one."""

    def __init__(self, api: Api, film: Film, server: int) -> None:
        self.api, self.film = api, film
        self.pids = {"server": server, "driver": os.getpid()}
        self.shown: list[Shared] = []

    def processes(self) -> None:
        """Raises LoadtestFailed: there is no sanitiser."""
        found = sorted(_children(self.pids["server"]))
        if not found:
            raise LoadtestFailed("the server has no sanitiser")
        self.pids |= {f"sanitiser {number}": pid for number, pid in enumerate(found)}

    @property
    def own(self) -> list[str]:
        """The server's processes."""
        return [name for name in self.pids if name != "driver"]

    @property
    def memory(self) -> int:
        """Bytes of the server's own process that are resident."""
        return resident(self.pids["server"])

    async def come(self, count: int) -> None:
        """Until there are so many."""
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(number: int) -> Shared:
            async with turns:
                return await come(self.api, self.film, number, staff=1 if number else 2)

        try:
            async with asyncio.TaskGroup() as group:
                coming = [group.create_task(one(number)) for number in range(len(self.shown), count)]
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        self.shown += [task.result() for task in coming]
        gc.freeze()  # what is here stays: this process is not to be what is measured

    async def leave(self) -> None:
        """Everybody, and the server has written down that they did, where it does so in time."""
        await asyncio.gather(*(one.drop() for one in self.shown), return_exceptions=True)
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with asyncio.timeout(END_S):
                while not _NONE.search(await self._metrics()):  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.1)

    async def _metrics(self) -> str:
        async with self.api.http.get(f"{self.api.url}/metrics") as answer:
            return await answer.text()


@asynccontextmanager
async def opened(wanted: Wanted) -> AsyncIterator[Place]:
    """Raises LoadtestFailed."""
    film = Film(wanted.nodes, FILM)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tongping-bench-")))
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        server = await stack.enter_async_context(own_server(_settings(folder, wanted)))
        place = Place(Api(http, server.url, server.authorization), film, server.pid)
        stack.push_async_callback(place.leave)
        place.processes()
        yield place


def _settings(folder: Path, wanted: Wanted) -> dict[str, str]:
    """All come from one address, and stay for as long as it takes."""
    rules, config = folder / "rules.toml", folder / "tongping.toml"
    rules.write_bytes(RULES)
    config.write_text(
        f'[[cobrowse.sites]]\nkey = {json.dumps(SITE)}\nname = "Bench"\norigins = [{json.dumps(ORIGIN)}]\nrules = {json.dumps(str(rules))}\n',
        encoding="utf-8",
    )
    people = str(6 * wanted.shares + 100)
    return {
        "TONGPING_CONFIG": str(config),
        "TONGPING_COBROWSE_MAX_SHARES": str(wanted.shares + 10),
        "TONGPING_COBROWSE_MAX_SHARES_PER_ADDRESS": str(wanted.shares + 10),
        "TONGPING_LIMITS_MAX_CONNECTIONS": people,
        "TONGPING_LIMITS_MAX_CONNECTIONS_PER_ADDRESS": people,
        "TONGPING_TOKENS_SESSION_S": "86400",
        "TONGPING_MEDIA_WORKERS": "1",
        "TONGPING_RECORDING_ENABLED": "false",
        "TONGPING_VERIFICATION_ENABLED": "false",
    }


@contextmanager
def one_core() -> Iterator[None]:
    """What is started inside has one core, and this process the others, where there is more than one."""
    cores = sorted(os.sched_getaffinity(0))
    try:
        if len(cores) > 1:
            os.sched_setaffinity(0, cores[-1:])
        yield
    finally:
        os.sched_setaffinity(0, cores[:-1] or cores)


@contextmanager
def all_cores() -> Iterator[None]:
    """As it was before, afterwards."""
    cores = os.sched_getaffinity(0)
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def cpu_s(pids: Mapping[str, int]) -> dict[str, float]:
    """Processor time of each process, all its threads (clock_getcpuclockid(3)). Raises LoadtestFailed: one is gone."""
    found = {}
    for name, pid in pids.items():
        try:
            found[name] = time.clock_gettime((~pid << 3) | 2)
        except OSError:
            raise LoadtestFailed(f"the {name} ended meanwhile") from None
    return found


def _children(parent: int) -> Iterator[int]:
    """Its sanitisers."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            above = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:  # ended meanwhile
            continue
        if above == parent and SANITISER in command:
            yield int(folder.name)


def resident(pid: int) -> int:
    """Bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
