"""A bad network on purpose: a seeded UDP impairer between browsers and one media worker, in a process of its own.

The worker listens on 127.0.0.1 and announces ``ANNOUNCED``, another loopback address with the same port. The impairer listens
there, and on one more address for every line; a page whose answer names a line's address (``THROUGH_A_LINE``) goes through
that line. Each source behind a line gets an upstream socket of its own, so the worker sees distinct addresses. Nothing inside
a packet is changed.

    async with Impairer(worker_port, seed=7) as impairer:
        line = await impairer.line("customer")
        await line.set(up=Condition(loss=0.1), down=Condition(rate_bps=300_000))

What happens to the n-th packet of a direction is a function of the seed, n, its size, its time and the condition; chance alone
is a function of the seed and n. Times are seconds of the monotonic clock, sizes bytes of UDP payload.
"""

import argparse
import asyncio
import contextlib
import hashlib
import heapq
import json
import random
import select
import socket
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import count
from types import TracebackType
from typing import Any, Self

ANNOUNCED = "127.0.0.2"
WORKER = "127.0.0.1"
OVERHEAD_BYTES = 28
"""IPv4 and UDP headers, which a rate limit counts."""
MAX_LEGS = 32
"""Sources behind one line; the one that has been there longest makes room."""
MAX_HELD = 20_000
"""Packets on their way in all; further ones are dropped and counted as ``overflow``."""
DEADLINE_S = 10.0
_DATAGRAM = 4096
_DRAIN = 64


@dataclass(frozen=True, slots=True)
class Condition:
    """One direction of a line.

    ``loss``: probability. ``burst``: mean number of packets lost in a row; above 1 losses follow Gilbert and Elliott's two states.
    ``delay_ms``, ``jitter_ms``: one way; every packet takes from ``delay_ms`` to ``delay_ms + jitter_ms``, evenly.
    ``keep_order``: jitter never lets a packet overtake another. ``reorder``: probability that a packet is held back ``reorder_ms``
    more, so that others overtake it. ``rate_bps``: bottleneck, 0 is none; ``queue_bytes`` wait before it, the rest is dropped.
    """

    loss: float = 0.0
    burst: float = 1.0
    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    keep_order: bool = True
    reorder: float = 0.0
    reorder_ms: float = 20.0
    rate_bps: float = 0.0
    queue_bytes: int = 32_000

    def __post_init__(self) -> None:
        if not (0 <= self.loss <= 1 and 0 <= self.reorder <= 1 and self.burst >= 1):
            raise ValueError("probabilities are 0 to 1, a burst is at least one packet")
        if self.burst > 1 and self.loss >= self.burst / (self.burst + 1):
            raise ValueError("so much loss needs longer bursts: a packet at least passes between two of them")
        if min(self.delay_ms, self.jitter_ms, self.reorder_ms, self.rate_bps, self.queue_bytes) < 0:
            raise ValueError("nothing here is negative")


GOOD = Condition()
Schedule = Sequence[tuple[float, Condition]]
"""(seconds from when it was set, what holds from then on), in order of time."""


class Channel:
    """One direction: decides when a packet leaves, or that it never does. Sans I/O.

    The order of things on the way: bottleneck and its queue, loss, delay. ``counts``: in, lost, dropped (queue full), out.
    """

    def __init__(self, seed: object, condition: Condition = GOOD) -> None:
        self._random = random.Random(str(seed))
        self._schedule: list[tuple[float, Condition]] = []
        self.condition = condition
        self.counts: Counter[str] = Counter()
        self._bad = False
        self._free_at = float("-inf")
        self._last_out = float("-inf")

    def set(self, condition: Condition, now: float) -> None:
        self.follow([(0.0, condition)], now)

    def follow(self, schedule: Schedule, now: float) -> None:
        """Conditions to come, ``schedule`` counted from ``now``. Replaces what was planned."""
        if [at for at, _ in schedule] != sorted(at for at, _ in schedule):
            raise ValueError("a schedule is in order of time")
        self._schedule = [(now + at, condition) for at, condition in schedule]
        self._advance(now)

    def _advance(self, now: float) -> None:
        while self._schedule and self._schedule[0][0] <= now:
            at, condition = self._schedule.pop(0)
            waiting_bits = max(0.0, self._free_at - at) * self.condition.rate_bps
            self._free_at = at + waiting_bits / condition.rate_bps if condition.rate_bps else float("-inf")
            if not condition.rate_bps or condition.rate_bps > self.condition.rate_bps > 0:
                self._last_out = min(self._last_out, at)  # what waits does not hold back what comes after
            self.condition = condition

    def backlog_bytes(self, now: float) -> float:
        """What waits before the bottleneck."""
        return max(0.0, self._free_at - now) * self.condition.rate_bps / 8 if self.condition.rate_bps else 0.0

    def put(self, size: int, now: float) -> float | None:
        """When a packet that comes now leaves; None when it is lost. ``now`` never goes back."""
        self._advance(now)
        chance, jitter, held = self._random.random(), self._random.random(), self._random.random()
        condition = self.condition
        self.counts["in"] += 1
        leaves = now
        if condition.rate_bps:
            wire = size + OVERHEAD_BYTES
            if self.backlog_bytes(now) + wire > max(condition.queue_bytes, wire):
                self._lose(chance)
                self.counts["dropped"] += 1
                return None
            self._free_at = max(now, self._free_at) + wire * 8 / condition.rate_bps
            leaves = self._free_at
        if self._lose(chance):
            self.counts["lost"] += 1
            return None
        leaves += (condition.delay_ms + jitter * condition.jitter_ms) / 1000
        if condition.keep_order:
            leaves = max(leaves, self._last_out)
            self._last_out = leaves
        if held < condition.reorder:
            self.counts["held_back"] += 1
            leaves += condition.reorder_ms / 1000
        self.counts["out"] += 1
        return leaves

    def _lose(self, chance: float) -> bool:
        """Gilbert–Elliott with loss 0 in the good state and 1 in the bad one; the bad one lasts ``burst`` packets on average."""
        condition = self.condition
        if condition.burst <= 1:
            self._bad = chance < condition.loss
        elif self._bad:
            self._bad = chance >= 1 / condition.burst
        else:
            self._bad = chance < condition.loss / (condition.burst * (1 - condition.loss))
        return self._bad


# ---------------------------------------------------------------- the process


class _Line:
    """An address that browsers come to, and a socket towards the worker for each of them."""

    def __init__(self, name: str, host: str, port: int, seed: int) -> None:
        self.name = name
        self.host = host
        self.front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.front.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.front.setblocking(False)
        self.front.bind((host, port))
        self.up = Channel(f"{seed} {name} up")
        self.down = Channel(f"{seed} {name} down")
        self.legs: dict[tuple[str, int], socket.socket] = {}
        self.back_host = WORKER


class _Process:
    """Everything the child does, in one thread: sockets, a heap of what is on its way, commands as lines of JSON."""

    def __init__(self, control: socket.socket, worker_port: int, seed: int) -> None:
        self._control = control
        self._worker = (WORKER, worker_port)
        self._seed = seed
        self._epoll = select.epoll()
        self._epoll.register(control.fileno(), select.EPOLLIN)
        self._lines: dict[str, _Line] = {}
        self._fronts: dict[int, _Line] = {}
        self._backs: dict[int, tuple[_Line, tuple[str, int], socket.socket]] = {}
        self._held: list[tuple[float, int, socket.socket, bytes, tuple[str, int] | None]] = []
        self._number = count()
        self._commands = b""
        self._late_ms: Counter[int] = Counter()
        self._overflow = 0
        self._trace: list[tuple[float, str, str, str, int, str, str]] | None = None

    def run(self) -> None:
        """Until the control stream closes."""
        while True:
            now = time.monotonic()
            timeout = max(0.0, self._held[0][0] - now) if self._held else -1.0
            for fd, _ in self._epoll.poll(timeout):
                if fd == self._control.fileno():
                    data = self._control.recv(65536)
                    if not data:
                        return
                    self._commands += data
                    *lines, self._commands = self._commands.split(b"\n")
                    for line in lines:
                        self._control.sendall(json.dumps(self._command(json.loads(line))).encode() + b"\n")
                elif fd in self._fronts:
                    self._from_browsers(self._fronts[fd])
                elif fd in self._backs:
                    self._from_worker(*self._backs[fd])
            self._release()

    def _from_browsers(self, line: _Line) -> None:
        for _ in range(_DRAIN):
            try:
                data, source = line.front.recvfrom(_DATAGRAM)
            except OSError:
                return
            self._pass(line, line.up, "up", data, self._leg(line, source), None)

    def _from_worker(self, line: _Line, source: tuple[str, int], back: socket.socket) -> None:
        for _ in range(_DRAIN):
            try:
                data = back.recv(_DATAGRAM)
            except OSError:  # nothing more, or nobody listens there now
                return
            self._pass(line, line.down, "down", data, line.front, source)

    def _leg(self, line: _Line, source: tuple[str, int]) -> socket.socket:
        back = line.legs.get(source)
        if back is None:
            if len(line.legs) >= MAX_LEGS:
                self._close_leg(line, next(iter(line.legs)))
            back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            back.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            back.setblocking(False)
            back.bind((line.back_host, 0))
            back.connect(self._worker)
            line.legs[source] = back
            self._backs[back.fileno()] = (line, source, back)
            self._epoll.register(back.fileno(), select.EPOLLIN)
        return back

    def _close_leg(self, line: _Line, source: tuple[str, int]) -> None:
        back = line.legs.pop(source)
        self._epoll.unregister(back.fileno())
        del self._backs[back.fileno()]
        back.close()

    def _pass(
        self, line: _Line, channel: Channel, way: str, data: bytes, out: socket.socket, to: tuple[str, int] | None
    ) -> None:
        now = time.monotonic()
        leaves = channel.put(len(data), now)
        if self._trace is not None:
            fate = "lost" if leaves is None else f"{(leaves - now) * 1000:.1f}"
            digest = hashlib.blake2b(data, digest_size=8).hexdigest()
            self._trace.append((now, line.name, way, fate, len(data), data[:12].hex(), digest))
        if leaves is None:
            return
        if len(self._held) >= MAX_HELD:
            self._overflow += 1
            return
        heapq.heappush(self._held, (leaves, next(self._number), out, data, to))

    def _release(self) -> None:
        now = time.monotonic()
        while self._held and self._held[0][0] <= now:
            due, _, out, data, to = heapq.heappop(self._held)
            self._late_ms[int((now - due) * 1000)] += 1
            with contextlib.suppress(OSError):  # the worker is gone for now, the leg is closed, or a buffer is full: a network
                if to is None:
                    out.send(data)
                else:
                    out.sendto(data, to)

    def _command(self, command: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"ok": getattr(self, f"_do_{command.pop('do')}")(**command)}
        except (OSError, ValueError, TypeError, KeyError) as error:
            return {"error": f"{type(error).__name__}: {error}"}

    def _do_line(self, name: str, host: str, port: int) -> None:
        line = _Line(name, host, port, self._seed)
        self._lines[name] = line
        self._fronts[line.front.fileno()] = line
        self._epoll.register(line.front.fileno(), select.EPOLLIN)

    def _do_follow(self, name: str, way: str, steps: list[tuple[float, dict[str, Any]]]) -> None:
        channel: Channel = getattr(self._lines[name], way)
        channel.follow([(at, Condition(**condition)) for at, condition in steps], time.monotonic())

    def _do_rebind(self, name: str, host: str) -> None:
        line = self._lines[name]
        line.back_host = host
        for source in list(line.legs):
            self._close_leg(line, source)

    def _do_trace(self, on: bool) -> list[Any]:
        told, self._trace = self._trace or [], [] if on else None
        return told

    def _do_stats(self) -> dict[str, Any]:
        return {
            "lines": {
                line.name: {"up": dict(line.up.counts), "down": dict(line.down.counts), "legs": len(line.legs)}
                for line in self._lines.values()
            },
            "late_ms": {str(late): times for late, times in self._late_ms.items()},
            "overflow": self._overflow,
            "cpu_s": time.process_time(),
        }


# ---------------------------------------------------------------- from a test


class Line:
    """The access line of one person. ``host``: the address at which the browser finds the worker through it."""

    def __init__(self, impairer: "Impairer", name: str, host: str) -> None:
        self._impairer = impairer
        self.name = name
        self.host = host

    async def set(self, *, up: Condition = GOOD, down: Condition = GOOD) -> None:
        """From now on. Both directions are set, a good one unless said."""
        await self.follow(up=[(0.0, up)], down=[(0.0, down)])

    async def both(self, **condition: Any) -> None:
        await self.set(up=Condition(**condition), down=Condition(**condition))

    async def follow(self, *, up: Schedule, down: Schedule) -> None:
        for way, schedule in (("up", up), ("down", down)):
            steps = [(at, asdict(condition)) for at, condition in schedule]
            await self._impairer.ask("follow", name=self.name, way=way, steps=steps)

    async def rebind(self, host: str = WORKER) -> None:
        """From the next packet on the worker sees another source address; what it sends to the old one is lost."""
        await self._impairer.ask("rebind", name=self.name, host=host)

    async def stats(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self._impairer.ask("stats"))["lines"][self.name]
        return found


class Impairer:
    """``async with``: the process, with one good line at ``ANNOUNCED`` for all pages that do not choose."""

    def __init__(self, worker_port: int, *, seed: int) -> None:
        self._port = worker_port
        self._seed = seed
        self._hosts = count(2)
        self._asking = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self.lines: dict[str, Line] = {}

    async def __aenter__(self) -> Self:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.support.impairer",
                "--control-fd", str(theirs.fileno()), "--worker-port", str(self._port), "--seed", str(self._seed),
                pass_fds=[theirs.fileno()],
            )  # fmt: skip
        self._reader, self._writer = await asyncio.open_unix_connection(sock=ours, limit=1 << 26)
        await self.line("everybody")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()
        async with asyncio.timeout(DEADLINE_S):
            status = await self._process.wait()
        assert status == 0 or error is not None, f"the impairer ended with {status}"

    async def ask(self, do: str, **more: Any) -> Any:
        """One command, one answer. Raises ValueError when the process refuses it."""
        async with self._asking, asyncio.timeout(DEADLINE_S):
            self._writer.write(json.dumps({"do": do, **more}).encode() + b"\n")
            answer = json.loads(await self._reader.readline())
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer["ok"]

    async def line(self, name: str) -> Line:
        """A new line."""
        line = Line(self, name, f"127.0.0.{next(self._hosts)}")
        await self.ask("line", name=name, host=line.host, port=self._port)
        self.lines[name] = line
        return line

    async def stats(self) -> dict[str, Any]:
        """Of all lines; ``late_ms``: how many packets left how many whole milliseconds later than they should have."""
        found: dict[str, Any] = await self.ask("stats")
        return found

    async def trace(self, on: bool) -> list[tuple[float, str, str, str, int, str, str]]:
        """Start or stop writing down packets; what was written: (at, line, way, "lost" or ms on the way, bytes, first 12 as hex,
        a digest of all)."""
        return [tuple(one) for one in await self.ask("trace", on=on)]


def through_a_line(host: str) -> str:
    """A script for a page, before its own: the answer's candidate at ``ANNOUNCED`` is at ``host`` instead."""
    return """(() => {
        const accept = RTCPeerConnection.prototype.setRemoteDescription;
        RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
            return accept.call(this, { type, sdp: sdp.replaceAll(" ANNOUNCED ", " HOST ") });
        };
    })();""".replace("ANNOUNCED", ANNOUNCED).replace("HOST", host)


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.support.impairer")
    for name in ("--control-fd", "--worker-port", "--seed"):
        parser.add_argument(name, type=int, required=True)
    arguments = parser.parse_args()
    control = socket.socket(fileno=arguments.control_fd)
    with control:
        _Process(control, arguments.worker_port, arguments.seed).run()


if __name__ == "__main__":
    main()
