"""``tongping bench relay``: CPU per forwarded packet of our worker, and of Janus in the same run on the same machine.

The server runs on CPU 0 and the load on CPU 1, the servers one after another. Set-up is real ICE and DTLS. Cost is the server
process's own clock over the window, divided by packets that arrived; a run that lost packets is repeated, then reported with
its loss, and counts as failed. NACK with its packet ring, RTX and transport-wide feedback are negotiated everywhere; the camera has
three temporal layers, and every subscriber answers as a browser does: feedback each 50 ms, receiver reports each second. So our
estimates, probes, layers and gates work in the measured run: it begins once every subscriber has been found to carry everything.
``others_core_percent`` is what else worked on the server's core: on a busy machine a server runs late, handles packets in
larger batches and looks cheaper than it is, so only figures with ``"quiet": true`` are worth quoting.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import os
import platform
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from typing import Any

from aiortc import RTCCertificate

from media.bench.janus import ROOM_SETTINGS, Janus, find_janus
from media.bench.load import Load, Window
from media.bench.network import BenchError, Namespace
from media.bench.peers import PROFILES, Connection, Section, extension_id, only_address
from media.bench.stream import LAYERS
from media.bench.viewer import FEEDBACK_S, REPORT_S
from media.client import MediaClient
from media.control import Configure
from media.errors import MediaError
from media.ports import NetworkState, SlotAssignment
from media.supervisor import SupervisorConfig

SERVER_CPU, LOAD_CPU = 0, 1
SETTLE_S = 0.3
MAX_WARM_UP_S = 30.0
"""Warm-up goes on until a window arrives whole: a relay that estimates its subscribers' paths gives them everything only after a while."""
WARM_UP_DRAIN_S = 0.03
ROOM_SIZE = 5
ATTEMPTS = 3
"""Something else on the machine may make a server lose packets: then it is measured again, and ``attempts`` says so."""
QUIET_CORE_PERCENT = 10
FEATURES = (
    "both: NACK with its packet ring, RTX, transport-wide feedback from and to the relay, sender and receiver reports, "
    "VP8 in temporal layers with picture id and TL0PICIDX; nothing is asked for again, so that loss shows"
)
OURS = "estimate per subscriber with probes, choice of layers, gates, pacing where a path is narrow"
EXIT_FAILED, EXIT_UNAVAILABLE, EXIT_INTERRUPTED = 1, 2, 130


PUBLISHED_TRIES, PUBLISHED_PAUSE_S = 50, 0.1


@dataclass(frozen=True, slots=True)
class Settings:
    """``rate``: packets a second of one publisher to ``subscribers``; in the 5 × 5 room each publishes
    ``room_rate``, so that both shapes have the same number of forwards. ``profiles``: the first gives the headline figures. ``drain_s`` stays below the 2 s after which a silent track counts as gone.
    ``native``: our forwarder in C where it was built, else the one in Python. ``burst``: packets that a camera sends at once.
    """

    versus: tuple[str, ...] = ()
    seconds: float = 10.0
    rate: float = 600.0
    subscribers: int = 20
    payload_bytes: int = 1100
    profiles: tuple[str, ...] = ("cm", "gcm")
    room: bool = True
    warm_up_s: float = 1.0
    drain_s: float = 1.0
    native: bool = True
    burst: int = 1

    @property
    def room_rate(self) -> float:
        return self.rate * self.subscribers / (ROOM_SIZE * (ROOM_SIZE - 1))


Shape = Callable[[Load, str], Any]


def process_cpu_s(pid: int) -> float:
    """The clock of all threads of another process (clock_getcpuclockid(3): MAKE_PROCESS_CPUCLOCK with CPUCLOCK_SCHED)."""
    return time.clock_gettime((~pid << 3) | 2)


def busy_s(cpu: int | None = None) -> float:
    """Time that this core, or all of them together, worked since the machine started, for whomever (proc(5), /proc/stat)."""
    with open("/proc/stat") as stat:
        fields = next(line for line in stat if line.startswith(f"cpu{'' if cpu is None else cpu} ")).split()
    user, nice, system, _idle, _iowait, irq, softirq = (int(word) for word in fields[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


class Quiet:
    """The load hears of nothing it needs to act on."""

    def on_slots(self, room: str, participant: str, slots: Sequence[SlotAssignment]) -> None: ...
    def on_speaking(self, room: str, participants: Sequence[str]) -> None: ...
    def on_peer(self, room: str, participant: str, state: str) -> None: ...
    def on_track(self, room: str, participant: str, source: str, flowing: bool) -> None: ...
    def on_encodings(self, room: str, participant: str, source: str, active: Sequence[str]) -> None: ...
    def on_network(self, room: str, participant: str, state: NetworkState) -> None: ...
    def on_rooms_lost(self, rooms: Sequence[str]) -> None: ...


class Ours:
    """Our worker under its own supervisor."""

    def __init__(self, client: MediaClient) -> None:
        self._client = client

    @property
    def pid(self) -> int:
        pid = self._client.supervisor.pid(0)
        if pid is None:
            raise BenchError("the media worker died")
        return pid

    @property
    def compiled(self) -> bool:
        """Whether the worker forwards in C."""
        return self._client.supervisor.states()[0].compiled

    @property
    def lag_p99_ms(self) -> float | None:
        """How late the worker's timers fired in the last ten seconds."""
        heartbeat = self._client.supervisor.states()[0].heartbeat
        return round(heartbeat.lag_p99_ms, 2) if heartbeat is not None else None

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, address: str, prefix: tuple[str, ...], native: bool = True) -> AsyncIterator["Ours"]:
        client = MediaClient(
            SupervisorConfig(
                worker=Configure(bind=(address,), native=native),
                command=(*prefix, sys.executable, "-m", "media.worker") if prefix else (),
            )
        )
        client.listen(Quiet())
        await client.start()
        try:
            yield cls(client)
        finally:
            await client.close()

    async def join(self, load: Load, make: Callable[[bool], Connection], publishes: bool, slots: int) -> Connection:
        connection = make(True)
        name = f"peer{connection.number}"
        ssrc = 100_000 + 10 * connection.number if publishes else 0
        sections = [Section("0", ssrc)] if publishes else []
        sections += [Section(str(n)) for n in range(len(sections), len(sections) + slots)]
        await self._client.set_gates("bench", name, frozenset({"camera"}))
        answer = await self._client.connect("bench", name, await connection.describe(sections, "actpass"))
        await connection.connect(answer)
        connection.hand_over(load, ssrc)
        return connection

    async def broadcast(self, load: Load, make: Callable[[bool], Connection], subscribers: int) -> list[Connection]:
        """One publisher, ``subscribers`` with one slot each."""
        joined = [await self.join(load, make, True, 0)]
        for _ in range(subscribers):
            joined.append(await self.join(load, make, False, 1))
        return joined

    async def room(self, load: Load, make: Callable[[bool], Connection]) -> list[Connection]:
        """Everybody publishes and has a slot for each of the others, over one connection."""
        return [await self.join(load, make, True, ROOM_SIZE - 1) for _ in range(ROOM_SIZE)]


class Theirs:
    """Janus VideoRoom: a connection to publish and another one to subscribe, as it works."""

    def __init__(self, janus: Janus) -> None:
        self._janus = janus
        self._rooms = 0

    @property
    def pid(self) -> int:
        return self._janus.pid

    async def _new_room(self) -> int:
        self._rooms += 1
        handle = await self._janus.attach()
        await self._janus.message(handle, {"request": "create", "room": self._rooms, **ROOM_SETTINGS})
        return self._rooms

    async def _publish(self, load: Load, make: Callable[[bool], Connection], room: int) -> tuple[Connection, int]:
        connection = make(True)
        ssrc = 100_000 + 10 * connection.number
        handle = await self._janus.attach()
        joined, _ = await self._janus.message(handle, {"request": "join", "ptype": "publisher", "room": room})
        offer = await connection.describe([Section("0", ssrc)], "active")
        _, answer = await self._janus.message(handle, {"request": "configure", "video": True}, "offer", offer)
        await connection.connect(answer)
        connection.hand_over(load, ssrc)
        return connection, joined["id"]

    async def _subscribe(self, load: Load, make: Callable[[bool], Connection], room: int, feeds: list[int]) -> Connection:
        connection = make(False)
        handle = await self._janus.attach()
        body = {"request": "join", "ptype": "subscriber", "room": room, "streams": [{"feed": feed} for feed in feeds]}
        offer = await self._when_published(handle, body)
        answer = await connection.describe(_answer_sections(offer), "active")
        await self._janus.message(handle, {"request": "start"}, "answer", answer)
        await connection.connect(offer)
        connection.hand_over(load)
        return connection

    async def _when_published(self, handle: int, body: dict[str, Any]) -> str:
        """The offer. Janus knows a feed only when its own side of the publisher's handshake is done, a moment after ours."""
        for _ in range(PUBLISHED_TRIES):
            try:
                return (await self._janus.message(handle, body))[1]
            except BenchError as error:
                if "No such feed" not in str(error):
                    raise
            await asyncio.sleep(PUBLISHED_PAUSE_S)
        raise BenchError("janus did not take the publisher")

    async def broadcast(self, load: Load, make: Callable[[bool], Connection], subscribers: int) -> list[Connection]:
        room = await self._new_room()
        publisher, feed = await self._publish(load, make, room)
        return [publisher, *[await self._subscribe(load, make, room, [feed]) for _ in range(subscribers)]]

    async def room(self, load: Load, make: Callable[[bool], Connection]) -> list[Connection]:
        room = await self._new_room()
        published = [await self._publish(load, make, room) for _ in range(ROOM_SIZE)]
        feeds = [feed for _, feed in published]
        subscribed = [await self._subscribe(load, make, room, [other for other in feeds if other != feed]) for feed in feeds]
        return [connection for connection, _ in published] + subscribed


def _answer_sections(offer: str) -> list[Section]:
    """One per video section of Janus's offer, with its payload types."""
    sections = []
    for part in offer.replace("\r", "").split("\nm=")[1:]:
        lines = part.split("\n")
        mid = next(line[6:] for line in lines if line.startswith("a=mid:"))
        types = [int(word) for word in lines[0].split()[3:]]
        sections.append(
            Section(
                mid,
                payload_type=types[0],
                rtx_type=types[1] if len(types) > 1 else types[0] + 1,
                mid_id=extension_id(part, "mid"),
                twcc_id=extension_id(part, "twcc"),
            )
        )
    return sections


def _figures(window: Window, forwards: int, cpu_s: float, seconds: float) -> dict[str, Any]:
    return {
        "cpu_us_per_forward": round(cpu_s / window.received * 1e6, 2) if window.received else None,
        "core_percent": round(100 * cpu_s / seconds, 1),
        "forwards": window.received,
        "forwards_per_s": round(window.received / seconds),
        "loss": round(1 - window.received / forwards, 6) if forwards else 1.0,
        "p50_ms": round(window.percentile_ms(0.50), 3),
        "p95_ms": round(window.percentile_ms(0.95), 3),
        "duplicates": window.duplicates,
        "feedbacks_per_s": round(window.feedbacks / window.elapsed_s),
        "load_core_percent": round(100 * window.load_cpu_s / window.elapsed_s, 1),
    }


async def _measure(server: Ours | Theirs, shape: str, profile: str, settings: Settings) -> dict[str, Any]:
    """The first of at most ``ATTEMPTS`` measurements that lost nothing, else the last."""
    for attempt in range(1, ATTEMPTS + 1):
        figures = await _attempt(server, shape, profile, settings) | {"attempts": attempt}
        if figures["loss"] == 0:
            break
    return figures


async def _attempt(server: Ours | Theirs, shape: str, profile: str, settings: Settings) -> dict[str, Any]:
    """Set up, warm up, measure one window, tear down."""
    certificate = RTCCertificate.generateCertificate()
    load = Load(settings.payload_bytes, settings.burst)
    connections: list[Connection] = []
    viewers = settings.subscribers if shape == "broadcast" else ROOM_SIZE - 1
    rate = settings.rate if shape == "broadcast" else settings.room_rate

    def make(controlling: bool) -> Connection:
        connections.append(Connection(certificate, profile, controlling))
        return connections[-1]

    try:
        async with AsyncExitStack() as stack:
            stack.callback(load.stop)
            if shape == "broadcast":
                await server.broadcast(load, make, settings.subscribers)
            else:
                await server.room(load, make)
            load.start()
            await asyncio.sleep(SETTLE_S)
            latest = time.monotonic() + MAX_WARM_UP_S
            while time.monotonic() < latest:
                warm = await load.window(rate, settings.warm_up_s, WARM_UP_DRAIN_S, viewers, keys=True)
                if warm.received == warm.sent * viewers:
                    break
            busy, started, cpu_s = busy_s(SERVER_CPU), time.monotonic(), process_cpu_s(server.pid)
            window = await load.window(rate, settings.seconds, settings.drain_s, viewers)
            cpu_s = process_cpu_s(server.pid) - cpu_s
            elapsed, busy = time.monotonic() - started, busy_s(SERVER_CPU) - busy
            lag_p99_ms = server.lag_p99_ms if isinstance(server, Ours) else None
    finally:
        await asyncio.gather(*(connection.close() for connection in connections), return_exceptions=True)
    figures = _figures(window, window.sent * viewers, cpu_s, settings.seconds)
    if isinstance(server, Ours):
        figures |= {"loop_lag_p99_ms": lag_p99_ms, "compiled": server.compiled}
    return figures | {"others_core_percent": round(max(0.0, 100 * (busy - cpu_s) / elapsed), 1)}


async def _all(settings: Settings, address: str, namespace: Namespace | None, pinned: bool) -> dict[str, Any]:
    """profile → shape → server → figures."""
    pin = ("taskset", "-c", str(SERVER_CPU)) if pinned else ()
    result: dict[str, Any] = {}
    shapes = ("broadcast", "room") if settings.room else ("broadcast",)
    for profile in settings.profiles:
        for shape in shapes:
            figures = result.setdefault(profile, {}).setdefault(shape, {})
            prefix = (*namespace.prefix, *pin) if namespace is not None else pin
            async with Ours.running(
                namespace.server_address if namespace is not None else address, prefix, settings.native
            ) as ours:
                figures["ours"] = await _measure(ours, shape, profile, settings)
            if namespace is None:
                continue
            for name, loops in (("janus", 0), ("janus_tuned", 1)):
                async with Janus(namespace, pin, event_loops=loops) as janus:
                    figures[name] = await _measure(Theirs(janus), shape, profile, settings)
    return result


def _pinned() -> bool:
    return {SERVER_CPU, LOAD_CPU} <= os.sched_getaffinity(0) and shutil.which("taskset") is not None


def _ratios(figures: dict[str, Any]) -> dict[str, Any]:
    """Ours over theirs; None where one side forwarded nothing."""
    ours = figures["ours"]["cpu_us_per_forward"]
    found = {}
    for name, ratio in (("janus", "ratio"), ("janus_tuned", "ratio_tuned")):
        if name in figures:
            theirs = figures[name]["cpu_us_per_forward"]
            found[ratio] = round(ours / theirs, 3) if ours and theirs else None
    return figures | found


def run(settings: Settings) -> dict[str, Any]:
    """Measure; the figures as they are printed. Raises BenchError when that cannot be done here."""
    affinity = os.sched_getaffinity(0)
    with contextlib.ExitStack() as stack:
        namespace = None
        if settings.versus:
            find_janus()
            namespace = stack.enter_context(Namespace())
        address = namespace.load_address if namespace is not None else "127.0.0.1"
        stack.enter_context(only_address(address))
        pinned = _pinned()
        stack.callback(os.sched_setaffinity, 0, affinity)
        measured = asyncio.run(_pinned_all(settings, address, namespace, pinned))
    profiles = {profile: {shape: _ratios(figures) for shape, figures in shapes.items()} for profile, shapes in measured.items()}
    servers = [
        server
        for shapes in profiles.values()
        for figures in shapes.values()
        for server in figures.values()
        if isinstance(server, dict)
    ]
    headline = profiles[settings.profiles[0]]
    return {
        **headline["broadcast"],
        **({"room_5x5": headline["room"]} if "room" in headline else {}),
        "other_profiles": {profile: profiles[profile] for profile in settings.profiles[1:]},
        "lossless": all(server["loss"] == 0 for server in servers),
        "quiet": pinned and all(server["others_core_percent"] <= QUIET_CORE_PERCENT for server in servers),
        "settings": {
            **asdict(settings),
            "room_rate": settings.room_rate,
            "profile": PROFILES[settings.profiles[0]].openssl_profile.decode(),
            "server_cpu": SERVER_CPU if pinned else None,
            "load_cpu": LOAD_CPU if pinned else None,
            "network": "veth pair" if settings.versus else "loopback",
            "features": FEATURES,
            "ours_has_on": OURS,
            "feedback_ms": round(1000 * FEEDBACK_S),
            "report_ms": round(1000 * REPORT_S),
            "temporal_layers": LAYERS,
            "janus": "as packaged; tuned: event_loops = 1" if settings.versus else None,
            "python": platform.python_version(),
        },
    }


async def _pinned_all(settings: Settings, address: str, namespace: Namespace | None, pinned: bool) -> dict[str, Any]:
    if pinned:
        os.sched_setaffinity(0, {LOAD_CPU})
    return await _all(settings, address, namespace, pinned)


def _settings(arguments: Sequence[str]) -> tuple[Settings, bool]:
    default = Settings()
    parser = argparse.ArgumentParser(
        prog="tongping bench relay", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--vs", choices=["janus"], action="append", default=[], help="measure this one too (root, Debian's package)"
    )
    parser.add_argument("--json", action="store_true", help="one line of JSON instead of a table")
    parser.add_argument("--seconds", type=float, default=default.seconds, help="length of each measurement (10)")
    parser.add_argument("--rate", type=float, default=default.rate, help="packets a second of the one publisher (600)")
    parser.add_argument("--subscribers", type=int, default=default.subscribers, help="of the one publisher (20)")
    parser.add_argument("--profile", choices=[*PROFILES, "both"], default="both", help="SRTP: AES_CM_128, AEAD_AES_128_GCM")
    parser.add_argument("--no-room", action="store_true", help="leave out the 5 × 5 room")
    parser.add_argument("--python", action="store_true", help="our forwarder in Python, also where the one in C was built")
    parser.add_argument("--burst", type=int, default=default.burst, help="packets that a camera sends at once (1)")
    options = parser.parse_args(list(arguments))
    if options.seconds <= 0 or options.rate <= 0 or options.subscribers < 1 or options.burst < 1:
        parser.error("seconds, rate, subscribers and burst must be positive")
    profiles = default.profiles if options.profile == "both" else (options.profile,)
    return (
        Settings(
            versus=tuple(options.vs),
            seconds=options.seconds,
            rate=options.rate,
            subscribers=options.subscribers,
            profiles=profiles,
            room=not options.no_room,
            native=not options.python,
            burst=options.burst,
        ),
        options.json,
    )


def terminated(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def main(arguments: Sequence[str]) -> int:
    """The command; returns the exit status: 0, 1 when packets were lost, 2 when it cannot run here."""
    settings, as_json = _settings(arguments)
    logging.getLogger("aiortc").setLevel(logging.CRITICAL)
    logging.getLogger("aioice").setLevel(logging.CRITICAL)
    before = signal.signal(signal.SIGTERM, terminated)  # so that processes and the namespace are cleared away then, too
    try:
        figures = run(settings)
    except (BenchError, MediaError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return EXIT_UNAVAILABLE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, before)
    print(json.dumps(figures) if as_json else json.dumps(figures, indent=2))
    return 0 if figures["lossless"] else EXIT_FAILED
