"""Pictures of a real sender's camera, through the real worker and a real decoder: what comes, with what bounds, and when it stops."""

import asyncio
import hashlib
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from media.client import MediaClient
from media.control import Configure
from media.errors import MediaRefusedError
from media.ports import MediaEvents
from media.supervisor import SupervisorConfig
from media.tap import wire
from media.tap.client import TapClient, TapConfig
from media.tap.errors import TapClosed, TapLost, TapRefused
from media.tap.wire import Kind
from tests.support.machine import quick_or_skip
from tests.support.media_lab import LabClient, loopback

NONCE = b"a nonce of 16 by"
DEADLINE_S = 60.0


class Heard:
    """What the media plane said: whose connection and which source."""

    def __init__(self) -> None:
        self.connected: set[str] = set()
        self.flowing: set[tuple[str, str]] = set()
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None

    def on_peer(self, room: str, participant: str, state: str) -> None:
        (self.connected.add if state == "connected" else self.connected.discard)(participant)
        self._tell()

    def on_track(self, room: str, participant: str, source: str, flowing: bool) -> None:
        (self.flowing.add if flowing else self.flowing.discard)((participant, source))
        self._tell()

    def _tell(self) -> None:
        task = asyncio.get_running_loop().create_task(self._notify())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def until(self, test: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S), self._changed:
            while not test():
                await self._changed.wait()


class Call:
    """A customer with a camera, connected; ``taps`` of the same media plane."""

    def __init__(self, media: MediaClient, heard: Heard, taps: TapClient, customer: LabClient) -> None:
        self.media, self.heard, self.taps, self.customer = media, heard, taps, customer

    async def connect(self, client: LabClient, *sources: str) -> None:
        await self.media.set_gates("room", client.name, frozenset(sources))
        await client.accept(await self.media.connect("room", client.name, await client.offer()))
        await self.heard.until(lambda: client.name in self.heard.connected)


@asynccontextmanager
async def call(*, native: bool = True, config: TapConfig | None = None) -> AsyncIterator[Call]:
    with loopback():
        media = MediaClient(SupervisorConfig(worker=Configure(bind=("127.0.0.1",), native=native)))
        heard = Heard()
        events: MediaEvents = heard  # type: ignore[assignment]
        media.listen(events)
        taps = TapClient(media, config)
        customer = LabClient("customer", colour=(120, 90, 160))
        try:
            await media.start()
            await taps.start()
            made = Call(media, heard, taps, customer)
            await made.connect(customer, "camera", "microphone")
            await heard.until(lambda: ("customer", "camera") in heard.flowing)
            yield made
        finally:
            await customer.close()
            await taps.close()
            await media.close()


@pytest.mark.parametrize("native", [True, False], ids=["compiled", "python"])
async def test_pictures_come_with_their_time_hash_and_nonce(native: bool) -> None:
    async with call(native=native) as made:
        frames = []
        asked_at = time.monotonic()
        async with made.taps.open("room", "customer", "camera", nonce=NONCE, fps=15, frames=8) as tap:
            assert {"limits", "privileges"} <= set(tap.confined)
            async for frame in tap:
                frames.append(frame)
        assert [frame.index for frame in frames] == list(range(8))
        assert all((frame.width, frame.height, frame.nonce) == (320, 240, NONCE) for frame in frames)
        assert all(len(frame.pixels) == 320 * 240 * 3 and frame.intact() for frame in frames)
        assert frames[0].sha256 == hashlib.sha256(frames[0].pixels).digest()
        times = [frame.rtp_time for frame in frames]
        most = 90_000 * (1 + time.monotonic() - asked_at)  # a busy machine shows no more than some of them
        assert all(0 < (b - a) & 0xFFFFFFFF < most for a, b in pairwise(times))
        received = [frame.received_at for frame in frames]
        assert received == sorted(received)
        assert asked_at <= received[0]
        assert received[-1] - received[0] >= 7 * (1 / 15) * 0.7  # no more a second than was asked for
        red, green, blue = frames[0].pixels[:3]
        assert blue - 60 < 120 < red < 240  # of Y, U and V = 120, 90, 160
        assert green < red
        assert tap.counts is not None
        assert (tap.counts.reason, tap.counts.sent) == ("done", 8)
        stats = await made.media.stats("room")
        assert stats["taps"] == {}


async def test_smaller_pictures_and_the_bound_of_time() -> None:
    async with call() as made:
        async with made.taps.open("room", "customer", "camera", nonce=NONCE, seconds=1.0, height=120) as tap:
            sizes = [(frame.width, frame.height) async for frame in tap]
        assert set(sizes) == {(160, 120)}
        assert 1 <= len(sizes) <= 17


async def test_what_is_refused() -> None:
    async with call(config=TapConfig(most=1)) as made:

        async def code(participant: str, source: str) -> str:
            with pytest.raises(TapRefused) as refused:
                async with made.taps.open("room", participant, source, nonce=NONCE):
                    pass
            return refused.value.code

        assert await code("nobody", "camera") == "no_such_source"
        assert await code("customer", "screen") == "no_such_source"
        assert await code("customer", "microphone") == "no_such_source"
        assert await code("customer", "window") == "no_such_source"
        await made.media.set_gates("room", "customer", frozenset({"microphone"}))
        assert await code("customer", "camera") == "gate_shut"
        await made.media.set_gates("room", "customer", frozenset({"camera"}))
        for wrong in ({"nonce": b"short"}, {"fps": 30}, {"frames": 1801}, {"seconds": 181}, {"height": 2}, {"fps": 0}):
            with pytest.raises(ValueError, match=r"at most|nonce|lines"):
                async with made.taps.open("room", "customer", "camera", **{"nonce": NONCE, **wrong}):  # type: ignore[arg-type]
                    pass
        async with made.taps.open("room", "customer", "camera", nonce=NONCE) as tap:
            assert await code("customer", "camera") == "busy"
            assert (await anext(tap)).index == 0


async def test_a_shut_gate_ends_it() -> None:
    async with call() as made, made.taps.open("room", "customer", "camera", nonce=NONCE) as tap:
        await anext(tap)
        await made.media.set_gates("room", "customer", frozenset())
        shut_at = time.monotonic()
        late: list[float] = []
        with pytest.raises(TapClosed) as closed:
            late += [frame.received_at async for frame in tap if frame.received_at > shut_at]
        assert late == []
        assert closed.value.code == "gate"
        with pytest.raises(TapClosed):
            await anext(tap)


async def test_who_leaves_or_comes_anew_ends_it() -> None:
    async with call() as made, made.taps.open("room", "customer", "camera", nonce=NONCE) as tap:
        await anext(tap)
        await made.media.disconnect("room", "customer")
        with pytest.raises(TapClosed) as closed:
            async for _ in tap:
                pass
        assert closed.value.code == "gone"


async def test_shutting_it_here_is_at_once() -> None:
    async with call() as made:
        async with made.taps.open("room", "customer", "camera", nonce=NONCE) as tap:
            await anext(tap)
            tap.end("withdrawn")
            with pytest.raises(TapClosed) as closed:
                await anext(tap)
            assert closed.value.code == "withdrawn"
        assert (await made.media.stats("room"))["taps"] == {}


async def test_who_gives_up_waiting_for_a_picture_gets_none_that_is_cut() -> None:
    async with call() as made, made.taps.open("room", "customer", "camera", nonce=NONCE) as tap:
        waiting = asyncio.ensure_future(anext(tap))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        for _ in range(2):
            with pytest.raises(TapLost):
                await anext(tap)


async def test_a_decoder_that_dies_is_told_and_the_next_tap_has_another() -> None:
    async with call() as made:
        async with made.taps.open("room", "customer", "camera", nonce=NONCE) as tap:
            await anext(tap)
            os.kill(tap._decoder.process.pid, signal.SIGSEGV)
            with pytest.raises(TapLost):
                [None async for _ in tap]
        async with made.taps.open("room", "customer", "camera", nonce=NONCE, frames=2) as tap:
            assert len([frame async for frame in tap]) == 2


async def test_a_decoder_that_dies_while_it_waits_is_replaced() -> None:
    async with call() as made:
        await made.taps.wait_ready()
        first = made.taps.spare_pid
        assert first is not None
        start = time.monotonic()
        os.kill(first, signal.SIGKILL)
        async with asyncio.timeout(DEADLINE_S):
            while made.taps.spare_pid in (first, None):
                await made.taps._changed.wait()
                made.taps._changed.clear()
        took_s = time.monotonic() - start
        assert made.taps.restarts == 1
        quick_or_skip(took_s < 5.0, took_s)


async def test_decoders_that_die_again_and_again_are_replaced_ever_later(monkeypatch: pytest.MonkeyPatch) -> None:
    says_ready = (
        "import sys, socket; from media import control; from media.tap.wire import Ready; "
        "socket.socket(fileno=int(sys.argv[1])).sendall(control.encode(Ready(())))"
    )
    pauses: list[float] = []
    enough = asyncio.Event()
    sleep = asyncio.sleep

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 4:
            enough.set()
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", pause)
    taps = TapClient(
        MediaClient(SupervisorConfig()),
        TapConfig(backoff_first_s=1.0, backoff_max_s=4.0, command=(sys.executable, "-c", says_ready)),
    )
    await taps.start()
    try:
        await asyncio.wait_for(enough.wait(), DEADLINE_S)
    finally:
        await taps.close()
    with pytest.raises(TapRefused, match="closed"):  # nor is another one started
        await taps.start()
    assert pauses[:4] == [1.0, 2.0, 4.0, 4.0]


async def test_a_lost_media_worker_ends_it() -> None:
    async with call() as made, made.taps.open("room", "customer", "camera", nonce=NONCE) as tap:
        await anext(tap)
        made.media.supervisor.kill(0, "for a test")
        with pytest.raises(TapLost):
            async for _ in tap:
                pass


# ---- what leaves the worker, packet by packet


class Tapped:
    """A socket in the place of a decoder: every record with the time at which it was there."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "tapped")
        self.records: list[tuple[float, wire.Record]] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(self.path)
        self._listener.listen(1)
        self._listener.setblocking(False)
        self._worker: socket.socket | None = None
        self.ended = asyncio.Event()
        self.some = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        self._worker, _ = self._listener.accept()
        self._worker.setblocking(False)
        asyncio.get_running_loop().add_reader(self._worker, self._read)

    def _read(self) -> None:
        assert self._worker is not None
        data = self._worker.recv(4096)
        if not data:
            asyncio.get_running_loop().remove_reader(self._worker)
            self.ended.set()
            return
        record = wire.read(data)
        assert record is not None
        self.records.append((time.monotonic(), record))
        if sum(one.kind is Kind.PACKET for _, one in self.records) > 20:
            self.some.set()

    def close(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._listener)
        self._listener.close()
        if self._worker is not None:
            loop.remove_reader(self._worker)
            self._worker.close()


@pytest.mark.parametrize("how", ["gate", "close", "disconnect"])
async def test_nothing_goes_to_a_tap_after_the_order_to_stop(tmp_path: Path, how: str) -> None:
    async with call() as made:
        ended: list[tuple[str, str]] = []
        made.media.listen_taps(lambda tap, reason: ended.append((tap, reason)))
        tapped = Tapped(tmp_path)
        try:
            await made.media.open_tap("room", "customer", "camera", "tap-1", tapped.path, 30.0)
            with pytest.raises(MediaRefusedError):
                await made.media.open_tap("room", "customer", "camera", "tap-1", tapped.path, 30.0)
            await asyncio.wait_for(tapped.some.wait(), DEADLINE_S)
            ordered_at = time.monotonic()
            if how == "gate":
                await made.media.set_gates("room", "customer", frozenset({"microphone"}))
            elif how == "close":
                await made.media.close_tap("room", "tap-1")
            else:
                await made.media.disconnect("room", "customer")
            await asyncio.wait_for(tapped.ended.wait(), DEADLINE_S)
        finally:
            tapped.close()
        packets = [(at, record) for at, record in tapped.records if record.kind is Kind.PACKET]
        assert packets[0][1].stream == 1
        assert tapped.records[0][1].rest == b"vp8"
        assert tapped.records[-1][1].kind is Kind.OVER
        assert ended == {"gate": [("tap-1", "gate")], "close": [], "disconnect": [("tap-1", "gone")]}[how]
        after_s = packets[-1][0] - ordered_at
        quick_or_skip(after_s < 0.1, after_s)


async def test_a_decoder_that_takes_nothing_holds_nobody_up(tmp_path: Path) -> None:
    async with call() as made:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(str(tmp_path / "stuck"))
        listener.listen(1)
        viewer = LabClient("viewer", send=())
        try:
            await made.media.open_tap("room", "customer", "camera", "tap-1", str(tmp_path / "stuck"), 30.0)
            await made.connect(viewer)
            mids = [t.mid for t in viewer.pc.getTransceivers() if t.kind == "video" and t.direction == "recvonly"]
            for _ in range(10):
                assert (await viewer.frame(mids[0])).width == 320
            with pytest.raises(MediaRefusedError) as refused:
                await made.media.open_tap("room", "customer", "camera", "tap-2", str(tmp_path / "nobody"), 30.0)
            assert refused.value.code == "busy"
        finally:
            listener.close()
            await viewer.close()
