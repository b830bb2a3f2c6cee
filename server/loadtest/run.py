"""A load test from beginning to end: the server where it is our own, the processes of the load, what the server says meanwhile."""

import asyncio
import contextlib
import os
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec

from server.loadtest import report, scrape
from server.loadtest.api import TIMEOUT, Api
from server.loadtest.counted import loaded
from server.loadtest.orders import MAX_LINE, Broken, Counted, Measure, Order, Ready, Report
from server.loadtest.own_server import own_server
from server.loadtest.settings import LoadtestFailed, Settings

SCRAPE_S = 0.5
END_S = 25.0
"""For a process to end its sessions."""
JOIN_S = 60.0
"""For one person of a process, one after another, at the very longest."""
AFTER_S = 30.0
Tell = Callable[[str], None]


class Process:
    """One process of the load."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def order(self, line: Order | Measure) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(ConnectionError):  # what it says tells more
            self._process.stdin.write(msgspec.json.encode(line) + b"\n")
            await self._process.stdin.drain()

    async def report(self, within_s: float) -> Ready | Counted:
        """Raises LoadtestFailed: it could not go on, it died, too late."""
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(within_s):
                line = await self._process.stdout.readline()
        except TimeoutError:
            raise LoadtestFailed("a process of the load does not answer") from None
        if not line:
            raise LoadtestFailed("a process of the load ended; its own message is above")
        found: Report = msgspec.json.decode(line, type=Report)
        if isinstance(found, Broken):
            raise LoadtestFailed(found.why)
        return found

    async def end(self) -> None:
        """It ends its sessions and stops; killed when it does not."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_S):
                await self._process.wait()
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def _processes(count: int) -> AsyncIterator[list[Process]]:
    """In sessions of their own, so that an interrupt at the keyboard is for us, who let them end in order."""
    started: list[Process] = []
    try:
        for _ in range(count):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "server.loadtest.process", stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE, start_new_session=True, limit=MAX_LINE,
            )  # fmt: skip
            started.append(Process(process))
        yield started
    finally:
        await asyncio.gather(*(process.end() for process in started))


def _own_address(url: str) -> str:
    """This machine's address on the way to the server. Raises LoadtestFailed."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_DGRAM)
        family, _, _, _, target = min(found, key=lambda each: each[0] != socket.AF_INET)
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(target)
            return str(probe.getsockname()[0])
    except OSError as error:
        raise LoadtestFailed(f"no way to {parts.hostname}: {error.strerror}") from None


class Watch:
    """Asks the server for its figures, twice a second. ``pid``: of its process where it is on this machine and ours."""

    def __init__(self, http: aiohttp.ClientSession, url: str, pid: int | None) -> None:
        self._http = http
        self._url = url
        self._pid = pid
        self.scrapes: list[scrape.Scrape] = []

    async def look(self) -> None:
        """Once. What the server does not tell is not there."""
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, UnicodeError):
            async with self._http.get(f"{self._url}/metrics", timeout=TIMEOUT) as answer:
                if answer.status == 200:
                    text = await answer.text()
                    self.scrapes.append(scrape.read(text, time.monotonic(), _cpu_s(self._pid)))

    async def go_on(self) -> None:
        while True:
            await asyncio.sleep(SCRAPE_S)
            await self.look()


def _cpu_s(pid: int | None) -> float | None:
    """Processor time of another process, all threads (clock_getcpuclockid(3)); None when it cannot be told."""
    if pid is None:
        return None
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return None


async def run(settings: Settings, sign_in: Callable[[Api], Any] | None, tell: Tell) -> dict[str, Any]:
    """The figures. ``sign_in``: awaited with an ``Api`` that has no authorization yet; None: a server of its own, which has a key.

    Raises LoadtestFailed. Whatever happens, cancellation included: sessions, processes and the own server are ended.
    """
    async with AsyncExitStack() as stack:
        pid, authorization = None, ""
        if settings.url:
            url = settings.url
        else:
            tell("starting a server")
            own = await stack.enter_async_context(own_server())
            url, authorization, pid = own.url, own.authorization, own.pid
        connector = aiohttp.TCPConnector(ssl=not settings.insecure)
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        api = Api(http, url, authorization)
        if sign_in is not None:
            await sign_in(api)
        shares = settings.shares()
        processes = await stack.enter_async_context(_processes(len(shares)))
        tell(f"{settings.rooms * settings.people} people come in")
        await _send_orders(settings, processes, api, shares)
        longest = JOIN_S + AFTER_S + settings.rooms * settings.people * (1 / settings.ramp if settings.ramp else 1)
        ready = [_as(Ready, found) for found in await _all(process.report(longest) for process in processes)]
        failures = Counter[str]()
        for one in ready:
            failures.update(one.failures)
        if not any(one.joins_s for one in ready):
            raise LoadtestFailed("nobody came in: " + "; ".join(failures) if failures else "nobody came in")
        tell(f"measuring for {settings.duration_s:g} s")
        watch = Watch(http, url, pid)
        counted = await _measure(settings.duration_s, processes, watch)
        for each in counted:
            failures.update(each.failures)
        tell("ending the sessions")
    joined = report.Joined(
        [join for one in ready for join in one.joins_s],
        max(one.warm_up_s for one in ready),
        all(one.flows for one in ready if one.joins_s),
    )
    shown = {
        "rooms": settings.rooms,
        "people": settings.people,
        "duration_s": settings.duration_s,
        "ramp": settings.ramp,
        "own_server": not settings.url,
        "load_processes": len(shares),
        "cores": os.cpu_count() or 1,
    }
    return report.figures(shown, joined, loaded([one.measured for one in counted]), watch.scrapes, failures)


async def _send_orders(settings: Settings, processes: Sequence[Process], api: Api, shares: Sequence[int]) -> None:
    first = 0
    address = _own_address(api.url)
    for process, rooms in zip(processes, shares, strict=True):
        order = Order(
            url=api.url,
            authorization=api.authorization,
            address=address,
            rooms=rooms,
            first=first,
            people=settings.people,
            ramp=settings.ramp * rooms / settings.rooms,
            insecure=settings.insecure,
        )
        first += rooms
        await process.order(order)


async def _measure(seconds: float, processes: Sequence[Process], watch: Watch) -> list[Counted]:
    await watch.look()
    watching = asyncio.create_task(watch.go_on())
    try:
        for process in processes:
            await process.order(Measure(seconds=seconds))
        counted = [_as(Counted, found) for found in await _all(process.report(seconds + AFTER_S) for process in processes)]
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    return counted


async def _all(work: Any) -> list[Any]:
    """Of all; the first that fails ends the others, and what it raised is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]


def _as(kind: type[Any], found: Any) -> Any:
    if not isinstance(found, kind):
        raise LoadtestFailed("a process of the load answered out of order")
    return found
