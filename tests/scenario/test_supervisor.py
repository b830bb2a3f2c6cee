"""Workers that die, hang or talk nonsense, as real processes: what the client says, and that they come back."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from media.client import MediaClient
from media.control import Configure, Stats
from media.errors import MediaRefusedError, MediaUnavailableError
from media.ports import NetworkState, PeerState, SlotAssignment
from media.supervisor import SupervisorConfig

COMMAND = (sys.executable, "-m", "tests.support.scripted_worker")
MICROPHONE = frozenset({"microphone"})


class Events:
    """Keeps what was told; ``until`` waits for one."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()

    def on_slots(self, room: str, participant: str, slots: Sequence[SlotAssignment]) -> None:
        self.told.put_nowait(("slots", room, participant, *slots))

    def on_speaking(self, room: str, participants: Sequence[str]) -> None:
        self.told.put_nowait(("speaking", room, *participants))

    def on_peer(self, room: str, participant: str, state: PeerState) -> None:
        self.told.put_nowait(("peer", room, participant, state))

    def on_track(self, room: str, participant: str, source: str, flowing: bool) -> None:
        self.told.put_nowait(("track", room, participant, source, flowing))

    def on_encodings(self, room: str, participant: str, source: str, active: Sequence[str]) -> None:
        self.told.put_nowait(("encodings", room, participant, source, *active))

    def on_network(self, room: str, participant: str, state: NetworkState) -> None:
        self.told.put_nowait(("network", room, participant, state))

    def on_rooms_lost(self, rooms: Sequence[str]) -> None:
        self.told.put_nowait(("lost", *rooms))

    async def until(self, kind: str) -> tuple[Any, ...]:
        async with asyncio.timeout(60):
            while (told := await self.told.get())[0] != kind:
                pass
            return told


def config(**changes: Any) -> SupervisorConfig:
    values: dict[str, Any] = {
        "command": COMMAND,
        "worker": Configure(heartbeat_interval_s=0.1),
        "heartbeat_timeout_s": 10.0,
        "backoff_first_s": 0.05,
        "backoff_max_s": 0.1,
        "request_timeout_s": 20.0,
    }
    return SupervisorConfig(**(values | changes))


@asynccontextmanager
async def running(**changes: Any) -> AsyncIterator[tuple[MediaClient, Events]]:
    client, events = MediaClient(config(**changes)), Events()
    client.listen(events)
    await client.start()
    try:
        yield client, events
    finally:
        await client.close()


async def test_commands_and_events() -> None:
    async with running() as (client, events):
        assert await client.connect("room", "PA_1", "offer") == "v=0 offer"
        assert await events.until("track") == ("track", "room", "PA_1", "connected", True)
        await client.set_gates("room", "PA_1", frozenset({"screen", "camera"}))
        assert (await client.stats("room"))["gates"] == {"PA_1": ["camera", "screen"]}
        await client.disconnect("room", "PA_1")
        assert await events.until("slots") == ("slots", "room", "PA_1", SlotAssignment("3", "PA_1", "camera"))
        assert await events.until("speaking") == ("speaking", "room", "PA_1")
        assert await events.until("peer") == ("peer", "room", "PA_1", "closed")
        await client.close_room("room")
        assert await client.stats("room") == {}
        assert events.told.empty()


async def test_unknown_rooms_are_no_error() -> None:
    async with running() as (client, _):
        await client.disconnect("nowhere", "PA_1")
        await client.close_room("nowhere")
        assert await client.stats("nowhere") == {}


@pytest.mark.parametrize(
    ("room", "error", "code"),
    [
        ("refuse", MediaRefusedError, "not_sdp"),
        ("full", MediaUnavailableError, "worker_full"),
        ("wrong", MediaUnavailableError, "bad_reply"),
        ("die", MediaUnavailableError, "worker_lost"),
        ("garbage", MediaUnavailableError, "worker_lost"),
        ("hang", MediaUnavailableError, "worker_lost"),
    ],
)
async def test_refusals_and_failures(room: str, error: type[Exception], code: str) -> None:
    async with running(**({"heartbeat_timeout_s": 3.0} if room == "hang" else {})) as (client, events):
        with pytest.raises(error) as caught:
            await client.connect(room, "PA_1", "offer")
        assert caught.value.code == code  # type: ignore[attr-defined]
        if code == "worker_lost":
            assert await events.until("lost") == ("lost", room)
        assert await client.connect("room", "PA_1", "offer") == "v=0 offer"


async def test_a_fault_of_whoever_is_told_costs_a_worker_and_not_the_watch() -> None:
    class Clumsy(Events):
        faults = 2

        def fail(self) -> None:
            if self.faults:
                self.faults -= 1
                raise ValueError("for a test")

        def on_track(self, room: str, participant: str, source: str, flowing: bool) -> None:
            self.fail()

        def on_rooms_lost(self, rooms: Sequence[str]) -> None:
            super().on_rooms_lost(rooms)
            self.fail()

    client, events = MediaClient(config()), Clumsy()
    client.listen(events)
    await client.start()
    try:
        with contextlib.suppress(MediaUnavailableError):  # or it was answered just before
            await client.connect("room", "PA_1", "offer")
        assert await events.until("lost") == ("lost", "room")
        await client.supervisor.wait_ready(60)
        assert await client.connect("room", "PA_1", "offer") == "v=0 offer"
    finally:
        await client.close()


async def test_no_answer_in_time() -> None:
    async with running(request_timeout_s=0.1) as (client, _):
        with pytest.raises(MediaUnavailableError, match="timeout"):
            await client.connect("mute", "PA_1", "offer")


async def test_gates_said_before_connecting_and_after_a_loss_are_applied() -> None:
    async with running() as (client, events):
        await client.set_gates("room", "PA_1", MICROPHONE)
        await client.connect("room", "PA_1", "offer")
        before = await client.stats("room")
        assert before["gates"] == {"PA_1": ["microphone"]}
        pid = client.supervisor.pid(0)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert await events.until("lost") == ("lost", "room")
        await client.set_gates("room", "PA_2", frozenset({"camera"}))
        for participant in ("PA_1", "PA_2"):
            await client.connect("room", participant, "offer")
        after = await client.stats("room")
        assert after["gates"] == {"PA_1": ["microphone"], "PA_2": ["camera"]}
        assert after["pid"] != before["pid"]


@pytest.mark.parametrize(("room", "timeout_s"), [("deaf", 2.0), ("wrong", 20.0)])
async def test_a_gate_that_is_not_confirmed_ends_the_worker(room: str, timeout_s: float) -> None:
    async with running(request_timeout_s=timeout_s) as (client, events):
        if room == "wrong":
            with pytest.raises(MediaUnavailableError):
                await client.connect(room, "PA_1", "offer")
        else:
            await client.connect(room, "PA_1", "offer")
        with pytest.raises(MediaUnavailableError):
            await client.set_gates(room, "PA_1", MICROPHONE)
        assert await events.until("lost") == ("lost", room)


RECORDER = Configure(heartbeat_interval_s=0.1, recorder="/nowhere")


async def test_what_is_recorded_is_said_before_the_gates_and_forgotten_with_the_worker() -> None:
    async with running(worker=RECORDER) as (client, events):
        await client.set_recording("room", "RE_1", 5, {"PA_1": MICROPHONE}, "on")
        await client.connect("room", "PA_1", "offer")
        assert list((await client.stats("room"))["gates"].items()) == [("recording", ["RE_1", "on", "PA_1"]), ("PA_1", [])]  # type: ignore[attr-defined]
        await client.set_recording("room", "RE_1", 5, {}, "paused")
        assert (await client.stats("room"))["gates"] == {"recording": ["RE_1", "paused"], "PA_1": []}
        pid = client.supervisor.pid(0)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert await events.until("lost") == ("lost", "room")
        await client.connect("room", "PA_1", "offer")
        assert (await client.stats("room"))["gates"] == {"PA_1": []}
        await client.set_recording("room", "RE_1", 5, {}, "on")
        await client.set_recording("room", "RE_1", 5, {}, "off")
        assert (await client.stats("room"))["gates"]["recording"] == ["RE_1", "off"]  # type: ignore[index]


async def test_without_a_recorder_nothing_can_be_recorded() -> None:
    async with running() as (client, _):
        with pytest.raises(MediaUnavailableError, match="no_recorder"):
            await client.set_recording("room", "RE_1", 5, {}, "on")


async def test_a_recording_that_is_not_confirmed_ends_the_worker() -> None:
    async with running(worker=RECORDER, request_timeout_s=2.0) as (client, events):
        await client.connect("deaf", "PA_1", "offer")
        with pytest.raises(MediaUnavailableError, match="timeout"):
            await client.set_recording("deaf", "RE_1", 5, {}, "paused")
        assert await events.until("lost") == ("lost", "deaf")


async def test_rooms_spread_over_workers_and_stay() -> None:
    async with running(workers=2, worker=Configure(port=40_000, heartbeat_interval_s=0.1)) as (client, _):
        await client.supervisor.wait_ready(60, workers=2)
        assert client.supervisor.addresses(1) == (("127.0.0.1", 40_001),)
        for participant in ("PA_1", "PA_2"):
            await client.connect("a", participant, "offer")
        await client.connect("b", "PA_3", "offer")
        await client.connect("c", "PA_4", "offer")
        pids = {room: (await client.stats(room))["pid"] for room in "abc"}
        assert pids["a"] != pids["b"] == pids["c"]
        assert sorted([(await client.stats(room))["recorder"] for room in "ab"]) == [["worker-0", ""], ["worker-1", ""]]  # type: ignore[type-var]
        await client.connect("a", "PA_5", "offer")
        assert (await client.stats("a"))["pid"] == pids["a"]


async def test_a_worker_that_never_gets_ready_is_an_error_at_start() -> None:
    client = MediaClient(config(command=(*COMMAND, "--never-ready"), ready_timeout_s=0.5, stop_timeout_s=0.1))
    with pytest.raises(MediaUnavailableError, match="no_worker"):
        await client.start()
    with pytest.raises(MediaUnavailableError, match="no_worker"):
        client.supervisor.send(0, Stats(1))


async def test_a_program_that_does_not_exist_is_an_error_at_start() -> None:
    client = MediaClient(config(command=("/does/not/exist",), ready_timeout_s=0.3))
    with pytest.raises(MediaUnavailableError, match="no_worker"):
        await client.start()


async def test_too_many_commands_without_an_answer() -> None:
    async with running(max_pending=1) as (client, _):
        with pytest.raises(MediaUnavailableError, match="worker_busy"):
            await client.connect("room", "PA_1", "offer")


async def test_workers_end_with_the_supervisor() -> None:
    async with running(workers=2) as (client, _):
        pids = [client.supervisor.pid(worker) for worker in client.supervisor.ready()]
    for pid in pids:
        assert pid is not None
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="worker"):
        SupervisorConfig(workers=0)
    with pytest.raises(ValueError, match="65535"):
        SupervisorConfig(workers=2, worker=Configure(port=65535))
