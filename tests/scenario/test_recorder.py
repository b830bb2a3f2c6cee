"""The recorder as a real process, fed as a media worker feeds it: what is kept, also when either of them is killed."""

import asyncio
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from media.errors import MediaUnavailableError
from media.recording import events, messages
from media.recording.client import RecorderClient, RecorderConfig
from media.recording.errors import RecordingError, RecordingStoreError
from media.recording.feed import Feed, FeedTrack
from media.recording.files import TrackReader, track_records
from media.recording.keys import KeyRing
from media.recording.records import Gap, GapReason, Kind, Layer, Record, SenderReport, unpack_gap
from media.recording.store import RecordingStore
from media.recording.verify import verify
from media.recording.wire import TrackInfo
from tests.support.recordings import rtp, vp8

ROOT = Path(__file__).resolve().parents[2]
MASTER = bytes(range(1, 33))
KILLS = 10
SEED = 4


MakeFeed = Callable[[RecorderClient], Feed]


class Told:
    def __init__(self) -> None:
        self.told: asyncio.Queue[tuple[object, ...]] = asyncio.Queue()

    def on_recording_failed(self, recording: str, reason: str) -> None:
        self.told.put_nowait(("failed", recording, reason))

    def on_track_refused(self, recording: str, track: str, code: str) -> None:
        self.told.put_nowait(("refused", recording, track, code))

    def on_recorder(self, ready: bool) -> None:
        self.told.put_nowait(("recorder", ready))

    async def until(self, *wanted: object) -> tuple[object, ...]:
        async with asyncio.timeout(60):
            while (told := await self.told.get())[: len(wanted)] != wanted:
                pass
            return told


def store_at(folder: Path) -> RecordingStore:
    return RecordingStore(folder / "recordings", KeyRing([MASTER]))


@asynccontextmanager
async def recorder(folder: Path, **changes: Any) -> AsyncIterator[tuple[RecorderClient, Told]]:
    key = folder / "master.key"
    if not key.exists():
        key.touch(mode=0o600)
        key.write_bytes(MASTER)
    configure = {"heartbeat_interval_s": 0.05, **changes.pop("configure", {})}
    config = RecorderConfig(
        folder=folder / "recordings",
        master_key_file=str(key),
        configure=messages.Configure(folder="", socket="", **configure),
        backoff_first_s=0.02,
        backoff_max_s=0.05,
        **changes,
    )
    told = Told()
    client = RecorderClient(config, told)
    await client.start()
    try:
        yield client, told
    finally:
        await client.close()


@pytest.fixture
def make_feed() -> Iterator[Callable[[RecorderClient], Feed]]:
    made: list[Feed] = []

    def make(client: RecorderClient) -> Feed:
        made.append(Feed(client.socket_path, "worker-0"))
        return made[-1]

    yield make
    for feed in made:
        feed.close(time.monotonic())


def info(begun: messages.Begun, track: str = "TR_1", **changes: Any) -> TrackInfo:
    fields: dict[str, Any] = {
        "track": track,
        "participant": "PA_1",
        "source": "camera",
        "kind": "video",
        "codec": "VP8",
        "clock_rate": 90000,
        "zero_wall_us": begun.zero_wall_us,
        "zero_mono_us": begun.zero_mono_us,
    }
    return TrackInfo(**(fields | changes))


async def drained(feed: Feed) -> None:
    """Everything is in the recorder's socket."""
    async with asyncio.timeout(60):
        while feed.waiting or not feed.connected:
            feed.tick(time.monotonic())
            await asyncio.sleep(0)


async def stats_until(client: RecorderClient, name: str, value: float) -> None:
    async with asyncio.timeout(60):
        while (await client.stats())[name] != value:
            pass


def has_segment(path: Path) -> bool:
    return path.exists() and b"TPSG" in path.read_bytes()


def read(store: RecordingStore, recording: str, track: str) -> list[list[Record]]:
    """Records of each part."""
    key = store.data_key(recording)
    parts = []
    for path in store.parts(recording):
        if path.name.startswith(f"{track}."):
            with TrackReader(path, key) as reader:
                parts.append(list(reader.records()))
    return parts


def packets(records: list[Record]) -> list[bytes]:
    return [record.payload for record in records if record.kind == Kind.RTP]


async def test_a_recording_from_begin_to_end(tmp_path: Path, make_feed: MakeFeed) -> None:
    async with recorder(tmp_path) as (client, told):
        begun = await client.start_recording("RE_1")
        with pytest.raises(RecordingStoreError, match="recording_exists"):
            await client.start_recording("RE_1")
        feed = make_feed(client)
        now = time.monotonic()
        track = feed.open_track("RE_1", info(begun), now)
        voice = feed.open_track("RE_1", info(begun, "TR_2", kind="audio", codec="opus", clock_rate=48000), now)
        nowhere = feed.open_track("RE_2", info(begun, "TR_3"), now)
        track.layer(1, Layer(7, "h", 720), now)
        track.gate(now, opened=True)
        sent = [rtp(n, n * 1800, vp8(key=n == 0, size=900)) for n in range(400)]
        for n, packet in enumerate(sent):
            track.packet(memoryview(packet), now + n / 50, 1)
            nowhere.packet(packet, now)
        voice.media(111, 5, 960, 8, b"opus", now)
        voice.sender_report(SenderReport(8, 1 << 40, 960), now)
        track.gate(now + 9, opened=False)
        await client.add_event("RE_1", events.Checkpoint(participant="PA_1", key="risk", label="风险"))
        await drained(feed)
        assert await told.until("refused") == ("refused", "RE_2", "TR_3", "no_recording")
        feed.close(now + 10)
        await stats_until(client, "connections", 0)
        ended = await client.end_recording("RE_1")
        assert (ended.ending, ended.files) == ("complete", 3)
        with pytest.raises(RecordingStoreError, match="no_recording"):
            await client.end_recording("RE_1")
        assert (await client.stats())["discarded"] == 400
    store = store_at(tmp_path)
    report = verify(store, "RE_1")
    assert report.complete, report
    assert (report.files, report.ending) == (3, "complete")
    (video,) = read(store, "RE_1", "TR_1")
    assert packets(video) == sent
    assert [r.kind for r in video if r.kind != Kind.RTP] == [Kind.LAYER, Kind.GATE_OPEN, Kind.GATE_SHUT]
    assert {r.layer for r in video if r.kind == Kind.RTP} == {1}
    assert [r.time_us for r in video] == sorted(r.time_us for r in video)
    (sound,) = read(store, "RE_1", "TR_2")
    assert packets(sound) == [rtp(5, 960, b"opus", pt=111, ssrc=8)]
    ((event,),) = read(store, "RE_1", "events")
    assert events.decode(event.payload) == events.Checkpoint(participant="PA_1", key="risk", label="风险")
    with store.track(store.parts("RE_1")[0], store.data_key("RE_1")) as reader:
        assert reader.index() == reader.rebuild_index()
        assert [key.layer for key in reader.index().key_frames] == [1]
    for path in (tmp_path / "recordings").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


async def test_it_may_open_as_many_files_as_the_machine_lets_it(tmp_path: Path) -> None:
    """However few its parent may."""
    few = "import resource as r, runpy; r.setrlimit(r.RLIMIT_NOFILE, (100, r.getrlimit(r.RLIMIT_NOFILE)[1])); "
    command = (sys.executable, "-c", few + "runpy.run_module('media.recording.process', run_name='__main__')")
    async with recorder(tmp_path, command=command) as (client, _):
        assert client.pid is not None
        soft, hard = resource.prlimit(client.pid, resource.RLIMIT_NOFILE)
    assert soft == min(hard, 1 << 16)


async def test_a_pause_keeps_nothing_of_what_comes(tmp_path: Path, make_feed: MakeFeed) -> None:
    async with recorder(tmp_path) as (client, _):
        begun = await client.start_recording("RE_1")
        feed = make_feed(client)
        track = feed.open_track("RE_1", info(begun), time.monotonic())
        sent, discarded = [], 0
        for n, paused in enumerate((False, True, True, False)):
            await client.pause("RE_1", paused)
            packet = rtp(n, 0, b"x")
            track.packet(packet, time.monotonic())
            await drained(feed)
            if paused:
                discarded += 1
            else:
                sent.append(packet)
            await stats_until(client, "records", len(sent))
            await stats_until(client, "discarded", discarded)
        await client.end_recording("RE_1")
    (records,) = read(store_at(tmp_path), "RE_1", "TR_1")
    assert packets(records) == sent
    assert [r.kind for r in records] == [Kind.RTP, Kind.PAUSE, Kind.RESUME, Kind.RTP]


async def test_a_worker_that_goes_leaves_its_tracks_closed(tmp_path: Path) -> None:
    async with recorder(tmp_path) as (client, _):
        begun = await client.start_recording("RE_1")
        worker = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.support.recording_worker", client.socket_path, "RE_1", str(begun.zero_mono_us)),
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        assert worker.stdout is not None
        told = 0
        async with asyncio.timeout(60):
            while told < 200:
                told = int(await worker.stdout.readline())
        worker.kill()
        await worker.communicate()
        await stats_until(client, "connections", 0)
        ended = await client.end_recording("RE_1")
    assert ended.ending == "complete"
    store = store_at(tmp_path)
    assert verify(store, "RE_1").complete
    (records,) = read(store, "RE_1", "TR_1")
    assert len(packets(records)) >= told  # all that was given to the socket
    assert Gap(*unpack_gap(records[-1].payload)).reason == GapReason.WORKER_LOST


class Source:
    """Sends a packet each two milliseconds by the loop's clock, and knows what it sent when; like a worker it ticks its feed."""

    STEP_S = 0.01

    def __init__(self, feed: Feed, track: FeedTrack) -> None:
        self.feed = feed
        self.track = track
        self.sent_at: list[float] = []
        self.lag = 0.0
        self._changed = asyncio.Event()
        self._next = time.monotonic()
        self._timer = asyncio.get_running_loop().call_soon(self._step)

    def _step(self) -> None:
        now = time.monotonic()
        self.lag = max(self.lag, now - self._next)
        self._next = now + self.STEP_S
        for _ in range(5):
            number = len(self.sent_at)
            self.track.packet(rtp(number, number * 90, number.to_bytes(4, "big") + bytes(200)), now)
            self.sent_at.append(now)
        self.feed.tick(now)
        self._changed.set()
        self._timer = asyncio.get_running_loop().call_later(self.STEP_S, self._step)

    async def send(self, count: int) -> None:
        """Until so many more are sent, or wait for a recorder."""
        stop = len(self.sent_at) + count
        while len(self.sent_at) < stop:
            self._changed.clear()
            await self._changed.wait()

    def stop(self) -> None:
        self._timer.cancel()


async def test_a_recorder_killed_again_and_again_loses_nothing(tmp_path: Path, make_feed: MakeFeed) -> None:
    chance = random.Random(SEED)
    async with recorder(tmp_path) as (client, told):
        begun = await client.start_recording("RE_1")
        feed = make_feed(client)
        source = Source(feed, feed.open_track("RE_1", info(begun), time.monotonic()))
        await told.until("recorder", True)
        for _ in range(KILLS):
            await source.send(chance.randint(1, 450))
            assert client.pid is not None
            os.kill(client.pid, signal.SIGKILL)
            await told.until("recorder", True)
        source.stop()
        source.track.close(time.monotonic())
        await drained(feed)
        await stats_until(client, "tracks", 1)
        ended = await client.end_recording("RE_1")
        restarts = client.restarts
    assert ended.ending == "complete"
    store = store_at(tmp_path)
    report = verify(store, "RE_1")
    assert report.complete, report
    parts = read(store, "RE_1", "TR_1")
    assert sum(len(packets(part)) for part in parts) >= len(source.sent_at)
    paths = [path for path in store.parts("RE_1") if path.name.startswith("TR_1.")]
    merged = packets(list(track_records(paths, store.data_key("RE_1"))))
    there = [int.from_bytes(packet[12:16], "big") for packet in merged]
    assert there == sorted(set(there))
    lost = [number for number in range(len(source.sent_at)) if number not in set(there)]
    assert len(lost) == feed.dropped  # what found no room while no recorder was there, and nothing else
    gaps = [unpack_gap(r.payload).reason for part in parts[1:] for r in part if r.kind == Kind.GAP]
    assert 1 <= gaps.count(GapReason.RECORDER_LOST) <= len(parts) - 1  # one that is killed at once has not written so yet
    assert 1 < len(parts) <= restarts + 1


async def test_a_recorder_that_is_stopped_can_be_resumed_or_finished(tmp_path: Path) -> None:
    async with recorder(tmp_path) as (client, _):
        first = await client.start_recording("RE_1")
        await client.start_recording("RE_2")
        await client.add_event("RE_1", events.Joined(participant="PA_1", role="agent"))
        store = store_at(tmp_path)
        assert {each.recording: each.state for each in store.list()} == {"RE_1": "recording", "RE_2": "recording"}
        with pytest.raises(RecordingStoreError, match="in_use"):
            store.erase("RE_1")
    assert {each.recording: each.state for each in store.list()} == {"RE_1": "unfinished", "RE_2": "unfinished"}
    report = verify(store, "RE_1")
    assert report.intact
    assert not report.complete
    assert store.finish("RE_2", int(time.time() * 1e6)).ending == "interrupted"
    assert verify(store, "RE_2").complete
    told = Told()
    config = RecorderConfig(folder=tmp_path / "recordings", master_key_file=str(tmp_path / "master.key"))
    client = RecorderClient(config, told)
    client.resume_recording(first)
    client.resume_recording(messages.Begun("RE_2", 1, 1))
    client.resume_recording(messages.Begun("RE_9", 1, 1))
    await client.start()
    try:
        assert (await told.until("failed"))[1] == "RE_2"
        assert (await told.until("failed"))[1] == "RE_9"
        await client.add_event("RE_1", events.Left(participant="PA_1"))
        assert (await client.end_recording("RE_1")).ending == "complete"
    finally:
        await client.close()
    assert verify(store, "RE_1").complete
    (before, after) = read(store, "RE_1", "events")
    assert [type(events.decode(r.payload)).__name__ for r in before + after if r.kind == Kind.EVENT] == ["Joined", "Left"]


async def test_a_full_disk_fails_one_recorder_s_recordings_and_keeps_them_whole(tmp_path: Path, make_feed: MakeFeed) -> None:
    """RLIMIT_FSIZE stands for the full disk: a file of more than 600 KiB cannot be written."""
    command = (sys.executable, "-m", "tests.support.small_files", str(600 * 1024), "media.recording.process")
    async with recorder(tmp_path, command=command) as (client, told):
        begun = await client.start_recording("RE_1")
        other = await client.start_recording("RE_2")
        feed = make_feed(client)
        now = time.monotonic()
        full = feed.open_track("RE_1", info(begun), now)
        quiet = feed.open_track("RE_1", info(begun, "TR_2"), now)
        well = feed.open_track("RE_2", info(other), now)
        quiet.packet(rtp(1, 1, b"quiet"), now)
        await drained(feed)
        while not has_segment(tmp_path / "recordings/RE_1/TR_2.0000.track"):
            await client.stats()
        for n in range(1000):
            full.packet(rtp(n, n, bytes(1000)), now)
        await drained(feed)
        failed = await told.until("failed", "RE_1")
        assert "large" in str(failed[2]).lower()
        well.packet(rtp(1, 1, b"well"), now)
        full.packet(rtp(1001, 1, b"after"), now)
        await drained(feed)
        late = feed.open_track("RE_1", info(begun, "TR_4"), now)
        late.packet(rtp(1, 1, b"late"), now)
        await drained(feed)
        assert await told.until("refused") == ("refused", "RE_1", "TR_4", "failed")
        ended = await client.end_recording("RE_1")
        assert (ended.ending, ended.reason) == ("failed", failed[2])
        feed.close(now)
        await stats_until(client, "connections", 0)
        assert (await client.end_recording("RE_2")).ending == "complete"
    store = store_at(tmp_path)
    for recording in ("RE_1", "RE_2"):
        assert verify(store, recording).complete, verify(store, recording)
    (records,) = read(store, "RE_1", "TR_1")
    assert packets(records) == [rtp(n, n, bytes(1000)) for n in range(len(packets(records)))]
    assert len(packets(records)) > 200
    assert unpack_gap(records[-1].payload).reason == GapReason.DISK
    assert packets(read(store, "RE_1", "TR_2")[0]) == [rtp(1, 1, b"quiet")]
    assert packets(read(store, "RE_2", "TR_1")[0]) == [rtp(1, 1, b"well")]


async def test_the_next_recorder_does_not_go_on_with_what_has_failed(tmp_path: Path, make_feed: MakeFeed) -> None:
    command = (sys.executable, "-m", "tests.support.small_files", str(600 * 1024), "media.recording.process")
    async with recorder(tmp_path, command=command) as (client, told):
        begun = await client.start_recording("RE_1")
        feed = make_feed(client)
        track = feed.open_track("RE_1", info(begun), time.monotonic())
        for n in range(1000):
            track.packet(rtp(n, n, bytes(1000)), time.monotonic())
        await drained(feed)
        await told.until("failed", "RE_1")
        assert client.pid is not None
        os.kill(client.pid, signal.SIGKILL)
        await told.until("recorder", False)
        await told.until("recorder", True)
        with pytest.raises(RecordingStoreError, match="no_recording"):
            await client.end_recording("RE_1")
    assert store_at(tmp_path).finish("RE_1", int(time.time() * 1e6)).ending == "interrupted"


async def test_a_disk_that_stands_still_costs_packets_and_nobody_waits(tmp_path: Path, make_feed: MakeFeed) -> None:
    fifo = tmp_path / "stuck"
    command = (sys.executable, "-m", "tests.support.stuck_disk", str(fifo), "media.recording.process")
    async with recorder(tmp_path, command=command, configure={"max_pending_bytes": 1 << 20}) as (client, _):
        begun = await client.start_recording("RE_1")
        feed = make_feed(client)
        track = feed.open_track("RE_1", info(begun), time.monotonic())
        track.packet(rtp(0, 0, bytes(1000)), time.monotonic())
        await drained(feed)
        while not has_segment(tmp_path / "recordings/RE_1/TR_1.0000.track"):
            await client.stats()
        os.mkfifo(fifo)
        count = 1
        while not feed.dropped:  # until the recorder's memory, the socket and the worker's buffer are full
            now = time.monotonic()
            for _ in range(200):
                track.packet(rtp(count, 0, bytes(1000)), now)
                count += 1
            feed.tick(now)
            await asyncio.sleep(0)
        stats = await client.stats()  # it answers while the disk stands still
        assert 1 << 20 < stats["pending_bytes"] < 3 << 20
        words = events.Chat(participant="PA_1", text="x" * 60_000)
        told = await asyncio.gather(*(client.add_event("RE_1", words) for _ in range(50)), return_exceptions=True)
        assert getattr(told[-1], "code", "") == "recorder_busy"  # events have a bound of their own
        fifo.rename(tmp_path / "opened")
        with (tmp_path / "opened").open("wb"):
            pass
        track.close(time.monotonic())
        await drained(feed)
        async with asyncio.timeout(60):
            while feed.unkept:
                feed.tick(time.monotonic())
                await asyncio.sleep(0)
        ended = await client.end_recording("RE_1")
    assert ended.ending == "complete"
    store = store_at(tmp_path)
    assert verify(store, "RE_1").complete
    (records,) = read(store, "RE_1", "TR_1")
    gaps = [unpack_gap(r.payload) for r in records if r.kind == Kind.GAP]
    assert {gap.reason for gap in gaps} == {GapReason.OVERFLOW}
    assert len(packets(records)) + sum(gap.packets for gap in gaps) == count


async def test_a_beginning_that_hangs_holds_up_no_other_recording(tmp_path: Path, make_feed: MakeFeed) -> None:
    fifo = tmp_path / "stuck"
    command = (sys.executable, "-m", "tests.support.stuck_disk", str(fifo), "media.recording.process")
    async with recorder(tmp_path, command=command, request_timeout_s=10.0) as (client, _):
        await client.start_recording("RE_1")
        os.mkfifo(fifo)
        hung = [asyncio.create_task(client.start_recording(f"RE_{n}")) for n in range(2, 14)]  # more than begin at once
        while not (tmp_path / "recordings/RE_2").exists():
            await client.stats()
        await client.add_event("RE_1", events.Paused(by="PA_1"))
        await client.pause("RE_1", True)
        assert (await client.stats())["recordings"] == 1
        with pytest.raises(RecordingError) as refused:
            await client.pause("RE_2", True)
        assert refused.value.code == "no_recording"
        with pytest.raises(RecordingError) as refused:
            await client.start_recording("RE_2")
        assert refused.value.code == "recording_exists"
        ending = [asyncio.create_task(client.end_recording(f"RE_{n}")) for n in (2, 13)]  # whoever asked for it has given up
        await client.stats()
        assert not any(task.done() for task in (*hung, *ending))
        fifo.rename(tmp_path / "opened")
        with (tmp_path / "opened").open("wb"):
            pass
        begun = await asyncio.gather(*hung, return_exceptions=True)
        ended = await asyncio.gather(*ending, return_exceptions=True)
        assert [isinstance(one, messages.Begun) for one in begun] == [True] * 11 + [False]
        assert isinstance(ended[0], messages.Ended)
        assert [getattr(one, "code", "") for one in (begun[-1], ended[-1])] == ["no_recording"] * 2
        assert (await client.stats())["recordings"] == 11
    assert verify(store_at(tmp_path), "RE_2").complete
    assert not (tmp_path / "recordings/RE_13").exists()


async def test_a_recorder_that_is_stopped_does_not_wait_for_a_beginning(tmp_path: Path) -> None:
    fifo = tmp_path / "stuck"
    command = (sys.executable, "-m", "tests.support.stuck_disk", str(fifo), "media.recording.process")
    async with recorder(tmp_path, command=command, stop_timeout_s=30.0) as (client, _):
        os.mkfifo(fifo)
        hung = asyncio.create_task(client.start_recording("RE_1"))
        while not (tmp_path / "recordings/RE_1").exists():
            await client.stats()
        async with asyncio.timeout(60):
            await client.close()
    with pytest.raises(MediaUnavailableError):
        await hung


async def test_a_worker_that_talks_nonsense_is_cut_off(tmp_path: Path, make_feed: MakeFeed) -> None:
    async with recorder(tmp_path) as (client, _):
        begun = await client.start_recording("RE_1")
        feed = make_feed(client)
        track = feed.open_track("RE_1", info(begun), time.monotonic())
        track.packet(rtp(1, 1, b"x"), time.monotonic())
        await drained(feed)
        await stats_until(client, "records", 1)
        for nonsense in (b"\xff" * 64, b"\0\0\xc9" + bytes(11)):  # an impossible time; an open before any hello
            reader, writer = await asyncio.open_unix_connection(client.socket_path)
            writer.write(nonsense)
            assert await reader.read() == b""
            writer.close()
        await stats_until(client, "connections", 1)
        await client.end_recording("RE_1")
        feed.close(0)
    assert packets(read(store_at(tmp_path), "RE_1", "TR_1")[0]) == [rtp(1, 1, b"x")]


@pytest.mark.parametrize(
    ("content", "mode", "words"), [(b"short", 0o600, "32 bytes"), (MASTER, 0o644, "by others"), (b"", 0o600, "no master key")]
)
async def test_a_key_that_is_wrong_is_said_at_the_start(tmp_path: Path, content: bytes, mode: int, words: str) -> None:
    key = tmp_path / "master.key"
    key.write_bytes(content)
    key.chmod(mode)
    with pytest.raises(MediaUnavailableError) as caught:
        async with recorder(tmp_path):
            pass
    assert words in caught.value.detail


async def test_nothing_answers_without_a_recorder(tmp_path: Path) -> None:
    client = RecorderClient(RecorderConfig(folder=tmp_path), Told())
    with pytest.raises(MediaUnavailableError, match="no_recorder"):
        await client.start_recording("RE_1")
    with pytest.raises(RecordingError, match="event_too_large"):
        await client.add_event("RE_1", events.Chat(participant="PA_1", text="x" * 70_000))
