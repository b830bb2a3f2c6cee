"""``tongping bench recording``: many recordings at a time, and what the calls notice of it.

Real media workers, a real recorder process, its files on a real disk; rooms of three with 500 kbit/s of VP8 and a voice each, over real
ICE, DTLS and SRTP. The same people stay in all rounds, of which every other one is recorded (off, on, on, off, …), so that what a busy
machine does is done to both. Recordings of a round begin before it is measured and end after it; then each is read and verified.

- ``loss``: of the calls' packets while recorded; the load asks for nothing again, so that it shows. ``loss_without``: in the other rounds;
- ``latency_p95_added_ms``: 95th percentile of a frame's way (before encryption until the kernel has its last packet) with, less without;
- ``cpu_percent``: of one core, workers and recorder together while recorded; ``cpu_without_percent``: the workers in the other rounds;
- ``gaps``: gap records in all tracks; ``missing_packets``: sequence numbers that are not in them; ``verify``: of all recordings;
- ``disk_bytes_per_s``: what all of them wrote together; ``load_was_the_limit``: reasons to doubt the figures; ``quiet``: nothing else used
  more than 10 % of a core.

Exit status 1 when calls lost something, were later by more than 10 ms, or a recording is not whole.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from aiortc import RTCCertificate

from media.bench.clip import make_clip
from media.bench.flow import Flow, describe_person
from media.bench.network import BenchError
from media.bench.peers import Connection, only_address
from media.bench.play import Source
from media.bench.recorded import Round, Track, Verified, figures, read_track, unharmed
from media.bench.relay import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_UNAVAILABLE, Quiet, busy_s, process_cpu_s, terminated
from media.client import MediaClient
from media.control import Configure, RecordingState
from media.errors import MediaError
from media.recording.client import RecorderClient, RecorderConfig
from media.recording.files import by_track, track_records
from media.recording.keyfile import load_ring, make_key_file
from media.recording.messages import Begun
from media.recording.store import RecordingStore
from media.recording.verify import verify
from media.supervisor import SupervisorConfig

PEOPLE = 3
SOURCES = frozenset({"microphone", "camera"})
ADDRESS = "127.0.0.1"
PROFILE = "gcm"
AT_ONCE = 6
WARM_UP_S, LOOK_S, LOOK_DRAIN_S, DRAIN_S = 30.0, 1.0, 0.3, 1.0
SETTLE_S = 1.5
"""From the order to record until it is measured: the first key frames are asked for then."""
KEPT_S = 10.0
ADDED_MS = 10.0
MAX_RECORDINGS, MAX_SECONDS, MAX_ROUNDS, MAX_WORKERS = 100, 600, 20, 16


@dataclass(frozen=True, slots=True)
class Settings:
    """``rounds``: with recording; as many without. ``folder``: of the files, "" for the system's temporary one."""

    recordings: int = 20
    seconds: float = 5.0
    rounds: int = 2
    workers: int = 1
    folder: str = ""


class _Told:
    """What the recorder says by itself."""

    def __init__(self) -> None:
        self.failed: list[str] = []

    def on_recording_failed(self, recording: str, reason: str) -> None:
        self.failed.append(f"{recording}: {reason}")

    def on_track_refused(self, recording: str, track: str, code: str) -> None:
        self.failed.append(f"{recording} {track}: {code}")

    def on_recorder(self, ready: bool) -> None:
        if not ready:
            self.failed.append("the recorder was lost")


class House:
    """Workers, recorder and everybody in their rooms."""

    def __init__(self, client: MediaClient, recorder: RecorderClient, settings: Settings, flow: Flow) -> None:
        self.client = client
        self.recorder = recorder
        self.settings = settings
        self.flow = flow
        self.sources: list[Source] = []
        self.connections: list[Connection] = []
        self._clip = make_clip()
        self._certificate = RTCCertificate.generateCertificate()

    async def come(self) -> None:
        """Everybody. Raises BenchError, MediaError."""
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(number: int) -> None:
            async with turns:
                await self._come(number)

        async with asyncio.TaskGroup() as group:
            for number in range(PEOPLE * self.settings.recordings):
                group.create_task(one(number))

    async def _come(self, number: int) -> None:
        room, name = _room(number // PEOPLE), _name(number)
        sections, sources = describe_person(number, self._clip, PEOPLE - 1, PEOPLE - 1)
        connection = Connection(self._certificate, PROFILE, True)
        self.connections.append(connection)
        await self.client.set_gates(room, name, SOURCES)
        await connection.connect(await self.client.connect(room, name, await connection.describe(sections, "actpass")))
        self.flow.add(connection.take_over(), sources)
        for source in sources:
            source.viewers = PEOPLE - 1
        self.sources += sources

    async def warm_up(self) -> None:
        """Until everything arrives. Raises BenchError."""
        latest = time.monotonic() + WARM_UP_S
        while True:
            seen = await self.flow.measure(LOOK_S, LOOK_DRAIN_S)
            if seen.received == seen.expected:
                return
            if time.monotonic() > latest:
                raise BenchError(f"the relay does not carry the load: {seen.received} of {seen.expected} packets came")

    async def round(self, number: int, *, recorded: bool) -> tuple[Round, list[Begun]]:
        """One round, and the recordings that it made, ended."""
        begun: list[Begun] = []
        started = time.monotonic()
        if recorded:
            for room in range(self.settings.recordings):
                begun.append(await self.recorder.start_recording(f"RE_bench{number}x{room}"))
                await self._order(room, begun[-1], "on")
            await asyncio.sleep(SETTLE_S)
        cpu = self._cpu()
        measured = await self.flow.measure(self.settings.seconds, DRAIN_S)
        elapsed, workers, recorder, own, busy = (now - before for now, before in zip(self._cpu(), cpu, strict=True))
        size = 0
        for room, each in enumerate(begun):
            await self._order(room, each, "off")
        recorded_s = time.monotonic() - started
        if recorded:
            await self._kept()
            size = sum([(await self.recorder.end_recording(each.recording)).size for each in begun])
        lag = max((state.heartbeat.lag_p99_ms for state in self.client.supervisor.states() if state.heartbeat), default=0.0)
        others = max(0.0, busy - workers - recorder - own)
        kept_s = recorded_s if recorded else 0.0
        window_s = self.settings.seconds
        return Round(recorded, measured, window_s, elapsed, workers, recorder, others, lag, size, kept_s), begun

    async def _order(self, room: int, begun: Begun, state: RecordingState) -> None:
        people = range(PEOPLE * room, PEOPLE * (room + 1))
        whom = {_name(number): SOURCES for number in people} if state == "on" else {}
        await self.client.set_recording(_room(room), begun.recording, begun.zero_mono_us, whom, state)

    async def _kept(self) -> None:
        """Everything that was handed over lies in the recorder's files. Raises BenchError."""
        latest = time.monotonic() + KEPT_S
        before = -1.0
        while time.monotonic() < latest:
            stats = await self.recorder.stats()
            if stats["records"] == before and not stats["pending_bytes"]:
                return
            before = stats["records"]
            await asyncio.sleep(0.1)
        raise BenchError("the recorder does not come to an end")

    def _cpu(self) -> tuple[float, float, float, float, float]:
        """(now, workers, recorder, this process, all of the machine), seconds. Raises BenchError."""
        pids = [self.client.supervisor.pid(worker) for worker in range(self.settings.workers)]
        recorder = self.recorder.pid
        if recorder is None or None in pids:
            raise BenchError("a media worker or the recorder died")
        workers = sum(process_cpu_s(pid) for pid in pids if pid is not None)
        return time.monotonic(), workers, process_cpu_s(recorder), time.process_time(), busy_s()

    async def leave(self) -> None:
        await asyncio.gather(*(connection.close() for connection in self.connections), return_exceptions=True)


def _room(number: int) -> str:
    return f"room{number}"


def _name(number: int) -> str:
    return f"PA_bench{number}"


@asynccontextmanager
async def _house(settings: Settings, folder: Path, told: _Told) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        recorder = RecorderClient(RecorderConfig(folder=folder / "recordings", master_key_file=str(folder / "key")), told)
        await recorder.start()
        stack.push_async_callback(recorder.close)
        worker = Configure(bind=(ADDRESS,), recorder=recorder.socket_path)
        client = MediaClient(SupervisorConfig(workers=settings.workers, worker=worker))
        client.listen(Quiet())
        await client.start()
        stack.push_async_callback(client.close)
        flow = Flow()
        flow.start()
        stack.callback(flow.stop)
        house = House(client, recorder, settings, flow)
        stack.push_async_callback(house.leave)
        yield house


def orders(rounds: int) -> list[bool]:
    """Whether each round is recorded: off, on, on, off, off, on, … so that neither is always the later one."""
    return [recorded for number in range(rounds) for recorded in ((False, True) if number % 2 == 0 else (True, False))]


def _read(folder: Path, begun: Sequence[Begun], failed: Sequence[str]) -> tuple[list[Track], Verified]:
    """Every recording, from its files."""
    store = RecordingStore(folder / "recordings", load_ring(str(folder / "key")))
    tracks: list[Track] = []
    findings: list[str] = []
    complete = 0
    for each in begun:
        report = verify(store, each.recording)
        complete += report.complete
        findings += [f"{each.recording} {found.file}: {found.what}: {found.detail}" for found in report.findings]
        parts = by_track(store.parts(each.recording))
        key = store.data_key(each.recording)
        tracks += [read_track(track_records(paths, key)) for track, paths in sorted(parts.items()) if track != "events"]
    return tracks, Verified(len(begun), complete, tuple(findings), tuple(failed))


async def _run(settings: Settings) -> dict[str, Any]:
    told = _Told()
    with tempfile.TemporaryDirectory(prefix="tongping-bench-", dir=settings.folder or None) as name:
        folder = Path(name)
        make_key_file(folder / "key")
        rounds: list[Round] = []
        begun: list[Begun] = []
        async with _house(settings, folder, told) as house:
            await house.come()
            await house.warm_up()
            for number, recorded in enumerate(orders(settings.rounds)):
                one, recordings = await house.round(number, recorded=recorded)
                rounds.append(one)
                begun += recordings
            failed = list(told.failed)
        tracks, verified = await asyncio.to_thread(_read, folder, begun, failed)
    return figures(settings.recordings, rounds, tracks, verified) | {
        "settings": {**asdict(settings), "people": PEOPLE, "cores": os.cpu_count() or 1, "profile": PROFILE}
    }


def run(settings: Settings) -> dict[str, Any]:
    """Measure; the figures as they are printed. Raises BenchError, MediaError."""
    with only_address(ADDRESS):
        return asyncio.run(_run(settings))


def _settings(arguments: Sequence[str]) -> tuple[Settings, bool]:
    default = Settings()
    parser = argparse.ArgumentParser(
        prog="tongping bench recording", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--recordings", type=int, default=default.recordings, help="rooms of three, all recorded (20)")
    parser.add_argument("--seconds", type=float, default=default.seconds, help="of each round (5)")
    parser.add_argument("--rounds", type=int, default=default.rounds, help="that are recorded; as many are not (2)")
    parser.add_argument("--workers", type=int, default=default.workers, help="media workers (1)")
    parser.add_argument("--folder", default="", help="where recordings are written, for another disk; emptied afterwards")
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    options = parser.parse_args(list(arguments))
    for name, value, highest in (
        ("recordings", options.recordings, MAX_RECORDINGS),
        ("seconds", options.seconds, MAX_SECONDS),
        ("rounds", options.rounds, MAX_ROUNDS),
        ("workers", options.workers, MAX_WORKERS),
    ):
        if not 1 <= value <= highest:
            parser.error(f"--{name} is between 1 and {highest}")
    if options.folder and not os.path.isdir(options.folder):
        parser.error("--folder: there is no such folder")
    return Settings(options.recordings, options.seconds, options.rounds, options.workers, options.folder), options.json


def main(arguments: Sequence[str]) -> int:
    """The command; returns the exit status: 0, 1 when calls or recordings were harmed, 2 when it cannot run here."""
    settings, as_json = _settings(arguments)
    for name in ("aioice", "aiortc"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    before = signal.signal(signal.SIGTERM, terminated)  # so that processes and files are cleared away then, too
    try:
        found = run(settings)
    except ExceptionGroup as group:
        print(f"bench: {_first(group)}", file=sys.stderr)
        return EXIT_UNAVAILABLE
    except (BenchError, MediaError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return EXIT_UNAVAILABLE
    except (KeyboardInterrupt, asyncio.CancelledError):
        return EXIT_INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, before)
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(found) if as_json else json.dumps(found, indent=2))
    return 0 if unharmed(found, ADDED_MS) else EXIT_FAILED


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if not isinstance(error, BenchError | MediaError | OSError):
        raise error
    return error
