"""What is recorded of a call: a real worker, a real recorder, real people; and what becomes of it when any of them is killed."""

import asyncio
import io
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import av
import pytest

from media import control
from media.client import MediaClient
from media.recording.client import RecorderClient
from media.recording.play.timeline import open_media, timeline
from media.recording.records import GapReason, Kind, unpack_gap, unpack_layer
from media.recording.verify import verify
from media.supervisor import SupervisorConfig
from tests.scenario.test_killed import Told as Lost
from tests.scenario.test_media_layers import FRAME_S, SIZES
from tests.scenario.test_media_redundancy import SPEAKER, Voice, words
from tests.scenario.test_recorder import Told, recorder, store_at
from tests.support.layered import Layered
from tests.support.machine import quick_or_skip
from tests.support.media_lab import DEADLINE_S, LabClient, LabWorker, Wire, colour_of, lab_worker, loopback, near, shows
from tests.support.recorded_calls import Capture, Packet, Recording, order, sends, sent_by, sent_more

BOTH: tuple[control.SourceName, ...] = ("microphone", "camera")
RED, BLUE = (120, 90, 200), (80, 200, 100)
REVOKED_S = 0.1


@asynccontextmanager
async def house(
    folder: Path, *, native: bool = True, heartbeat_s: float = 0.1, **changes: Any
) -> AsyncIterator[tuple[LabWorker, RecorderClient, Told]]:
    """A worker and a recorder that know each other."""
    with loopback():
        async with (
            recorder(folder, **changes) as (client, told),
            lab_worker(recorder=client.socket_path, native=native, heartbeat_interval_s=heartbeat_s) as worker,
        ):
            yield worker, client, told


async def kept(worker: LabWorker) -> None:
    """Everything that was handed over is in the recorder's files."""
    await worker.until(lambda stats: stats["recorder"]["unkept"] == 0, None)


async def ended(worker: LabWorker, client: RecorderClient, folder: Path, begun: Any) -> Recording:
    """Off, and read. It must verify."""
    await order(worker, begun, {}, "off")
    await kept(worker)
    assert (await client.end_recording(begun.recording)).ending == "complete"
    store = store_at(folder)
    assert verify(store, begun.recording).complete
    return Recording(store, begun)


def of(packets: list[Packet], kind: str) -> list[Packet]:
    """Of what a LabClient sent: "audio", "video" or "rtx", told apart by the payload type."""
    types = {"audio": {96}, "video": {97}, "rtx": {98}}[kind]
    return [packet for packet in packets if packet.kind & 0x7F in types]


def same(recorded: list[Packet], sent: list[Packet]) -> None:
    """What is recorded is an unbroken run of what was sent, in content."""
    assert recorded
    first, last = recorded[0].key, recorded[-1].key
    keys = [packet.key for packet in sent]
    run = sent[keys.index(first) : keys.index(last) + 1]
    assert [packet.content for packet in recorded] == [packet.content for packet in run]


@pytest.mark.parametrize("native", [True, False])
async def test_what_is_recorded_is_what_was_sent(tmp_path: Path, native: bool) -> None:
    """From the moment that gate and order are there, until the order ends; nothing of whom nobody named."""
    one, two = LabClient("one"), LabClient("two")
    sent, unnamed = sent_by(one), sent_by(two)
    async with house(tmp_path, native=native) as (worker, client, _):
        begun = await client.start_recording("RE_1")
        try:
            await order(worker, begun, {"one": BOTH})
            await worker.gates("one", "microphone")
            await worker.gates("two", *BOTH)
            await worker.connect(one)
            await worker.connect(two)
            await sent_more(sent, 60)
            opened_at = time.monotonic()
            await worker.gates("one", *BOTH)
            await sent_more(sent, 150)
            recording = await ended(worker, client, tmp_path, begun)
            off_at = time.monotonic()
            await sent_more(sent, 40)
        finally:
            await asyncio.gather(one.close(), two.close())
    assert {packet.kind & 0x7F for packet in sent} == {96, 97}
    voice, video = recording.packets("one", "microphone"), recording.packets("one", "camera")
    same(voice, of(sent, "audio"))
    same(video, of(sent, "video"))
    assert voice[0].content == of(sent, "audio")[0].content  # what is said at first is not lost
    assert video[0].at_us >= opened_at * 1e6
    assert video[0].body[0] & 0x10
    for source in (voice, video):
        assert len(source) > 40
        assert source[-1].at_us <= off_at * 1e6
    assert recording.tracks("two", "microphone") == recording.tracks("two", "camera") == []
    assert unnamed
    (track,) = recording.tracks("one", "camera")
    header = recording.header(track)
    assert (header.codec, header.clock_rate, header.payload_type) == ("VP8", 90000, 97)
    assert (header.zero_wall_us, header.zero_mono_us) == (begun.zero_wall_us, begun.zero_mono_us)
    assert recording.kinds(track) == [Kind.GATE_OPEN, Kind.LAYER]
    reports = [record for record in recording.records(track) if record.kind == Kind.SENDER_REPORT]
    assert reports


async def test_a_recorded_call_can_be_played(tmp_path: Path) -> None:
    """Decoded from the files: everybody's colour and tone, for as long as they were recorded."""
    people = {"one": LabClient("one", colour=RED), "two": LabClient("two", colour=BLUE)}
    sent = sent_by(people["two"])
    began = time.monotonic()
    async with house(tmp_path) as (worker, client, _):
        begun = await client.start_recording("RE_1")
        try:
            await order(worker, begun, {"one": BOTH, "two": BOTH})
            for name, person in people.items():
                await worker.gates(name, *BOTH)
                await worker.connect(person)
            await sent_more(sent, 250)
            await ended(worker, client, tmp_path, begun)
            took_s = time.monotonic() - began
        finally:
            await asyncio.gather(*(person.close() for person in people.values()))
    store = store_at(tmp_path)
    key = store.data_key("RE_1")
    found = timeline(tmp_path / "recordings" / "RE_1", key)
    assert {(track.participant, track.source) for track in found.tracks} == {
        (name, source) for name in people for source in BOTH
    }
    begins, longer_s, rates = [], [], []
    for track in found.tracks:
        media = open_media(found, track.track, key)
        begins.append(media.begins_us)
        with av.open(io.BytesIO(b"".join(media.chunks))) as file:
            frames = list(file.decode(file.streams[0]))
        length = frames[-1].time - frames[0].time
        assert 1.5 < length < took_s  # by the sender's clock; the first packets may have come late
        longer_s.append(length - found.duration_us / 1e6)
        if track.kind == "video":
            assert near(colour_of(frames[-1]), people[track.participant].colour)
            assert len(frames) > 30
            rates.append(len(frames) / length)
        else:
            assert max(abs(frame.to_ndarray()).max() for frame in frames) > 0.05
    assert max(begins) <= found.duration_us - 1_500_000
    quick_or_skip(max(longer_s) <= 0.1 and min(rates) > 25, (longer_s, rates))


@pytest.mark.parametrize("native", [True, False])
async def test_packets_that_were_lost_and_sent_again_are_recorded_once(tmp_path: Path, native: bool) -> None:
    one = LabClient("one", send=("video",))
    sent = sent_by(one)
    async with house(tmp_path, native=native) as (worker, client, _):
        begun = await client.start_recording("RE_1")
        wire = Wire(worker.address)
        lost = 0

        def lose(data: bytes) -> bool:
            nonlocal lost
            lost += 128 <= data[0] <= 191 and data[1] & 0x7F == 97
            return 128 <= data[0] <= 191 and data[1] & 0x7F == 97 and lost % 7 == 3

        try:
            await order(worker, begun, {"one": BOTH})
            await worker.gates("one", "camera")
            await worker.connect(one, via=wire)
            await sent_more(sent, 40)
            wire.lose_up = lose
            await worker.until(lambda s: s["participants"]["one"]["published"]["camera"][0]["recovered"] >= 4)
            wire.lose_up = lambda data: False
            await sent_more(sent, 20)
            await worker.until(lambda s: s["participants"]["one"]["published"]["camera"][0]["lost"] == 0)
            recording = await ended(worker, client, tmp_path, begun)
        finally:
            await one.close()
            wire.close()
    video = recording.packets("one", "camera")
    assert len(of(sent, "rtx")) >= 4
    assert [packet.seq for packet in video] != sorted(packet.seq for packet in video)  # in the order in which they came
    same(sorted(video, key=lambda packet: (packet.seq - video[0].seq) & 0xFFFF), of(sent, "video"))


@pytest.mark.parametrize("native", [True, False])
async def test_of_a_voice_with_redundancy_the_primary_encoding_and_what_was_restored(tmp_path: Path, native: bool) -> None:
    speaker = Voice(ssrc=SPEAKER, red=63, lost=10)
    async with house(tmp_path, native=native) as (worker, client, _):
        begun = await client.start_recording("RE_1")
        try:
            await order(worker, begun, {"speaker": BOTH})
            await worker.gates("speaker", "microphone")
            reply = await worker.ask(control.Connect, "room", "speaker", await speaker.offer())
            assert isinstance(reply, control.Connected), reply
            await speaker.join(reply.answer)
            await worker.state("speaker", "connected")
            sent = sends(speaker._dtls)
            for number in range(300):  # one of ten is lost on its way
                await speaker.say(redundant=True)
                if number % 20 == 19:
                    await worker.stats()  # so that it keeps up
            await worker.until(lambda s: s["participants"]["speaker"]["published"]["microphone"][0]["packets"] == 300)
            recording = await ended(worker, client, tmp_path, begun)
        finally:
            await speaker.close()
    assert len(sent) == 270
    voice = recording.packets("speaker", "microphone")
    assert {packet.kind & 0x7F for packet in voice} == {speaker.opus}
    assert sorted((packet.seq, packet.body) for packet in voice) == [(number, words(number)) for number in range(300)]
    assert [packet.ts for packet in sorted(voice, key=lambda packet: packet.seq)] == [960 * number for number in range(300)]


@pytest.mark.parametrize("how", ["gate", "whom", "paused", "off"])
async def test_no_packet_later_than_a_tenth_of_a_second_at_any_subscriber_or_in_the_recording(tmp_path: Path, how: str) -> None:
    """A consent is revoked: captured on the way to the subscribers by the kernel's clock, and read from the files."""
    one, viewers = LabClient("one"), [LabClient(name, send=()) for name in ("two", "three")]
    sent = sent_by(one)
    async with house(tmp_path) as (worker, client, _):
        begun = await client.start_recording("RE_1")
        wires = [Capture(worker.address) for _ in viewers]
        try:
            await order(worker, begun, {"one": BOTH})
            await worker.gates("one", *BOTH)
            await worker.connect(one)
            for viewer, wire in zip(viewers, wires, strict=True):
                await worker.connect(viewer, via=wire)
                await viewer.frame(await worker.event(shows(viewer.name, "one", "camera")))
            await sent_more(sent, 60)
            late_s: list[float] = []
            at, wall = time.monotonic(), time.time()
            if how == "gate":
                await worker.gates("one")
            else:
                await order(worker, begun, {} if how == "whom" else {"one": BOTH}, "on" if how == "whom" else how)
            done_at, mark = time.monotonic(), len(sent)
            await sent_more(sent, 50)
            half_wall = time.time()
            await sent_more(sent, 50)
            stop = len(sent)
            if how == "gate":
                for wire in wires:
                    media = wire.media()
                    late_s.append(max(each.at for each in media) - wall)
                    assert max(each.at for each in media) < half_wall
            else:
                assert all(max(each.at for each in wire.media()) > half_wall for wire in wires)  # the call goes on
            recording = await ended(worker, client, tmp_path, begun)
        finally:
            await asyncio.gather(*(person.close() for person in (one, *viewers)))
            for wire in wires:
                wire.close()
    late = {packet.key for packet in sent[mark:stop]}
    for source, kind in (("microphone", "audio"), ("camera", "video")):
        packets = recording.packets("one", source)
        same(packets, of(sent, kind))
        late_s.append(packets[-1].at_us / 1e6 - at)
        assert packets[-1].at_us / 1e6 <= done_at
        assert not late & {packet.key for packet in packets}
        (track,) = recording.tracks("one", source)
        assert recording.kinds(track)[2:] == ([] if how in ("paused", "off") else [Kind.GATE_SHUT])
    quick_or_skip(all(-0.5 < each <= REVOKED_S for each in late_s), late_s)


async def test_after_a_pause_it_goes_on_from_a_key_frame(tmp_path: Path) -> None:
    one = LabClient("one")
    sent = sent_by(one)
    async with house(tmp_path) as (worker, client, _):
        begun = await client.start_recording("RE_1")
        try:
            await order(worker, begun, {"one": BOTH})
            await worker.gates("one", *BOTH)
            await worker.connect(one)
            await sent_more(sent, 70)
            await order(worker, begun, {"one": BOTH}, "paused")
            paused_at = time.monotonic() * 1e6
            await client.pause("RE_1", True)
            await sent_more(sent, 70)
            await client.pause("RE_1", False)
            resumed_at = time.monotonic() * 1e6
            await order(worker, begun, {"one": BOTH})
            await sent_more(sent, 70)
            recording = await ended(worker, client, tmp_path, begun)
        finally:
            await one.close()
    for source in BOTH:
        packets = recording.packets("one", source)
        before = [packet for packet in packets if packet.at_us < paused_at]
        after = [packet for packet in packets if packet.at_us >= resumed_at]
        assert min(len(before), len(after)) > 10
        assert len(before) + len(after) == len(packets)
        if source == "camera":
            assert after[0].body[0] & 0x10
            assert after[0].body[after[0].body[0] >> 7 and 4] & 1 == 0  # an inverse key frame flag
        (track,) = recording.tracks("one", source)
        assert [kind for kind in recording.kinds(track) if kind != Kind.LAYER] == [Kind.GATE_OPEN, Kind.PAUSE, Kind.RESUME]


@pytest.mark.campaign(15)
async def test_a_recorder_that_is_killed_loses_nothing_and_the_call_goes_on(tmp_path: Path) -> None:
    one, two = LabClient("one"), LabClient("two", send=())
    sent = sent_by(one)
    async with house(tmp_path) as (worker, client, told):
        begun = await client.start_recording("RE_1")
        wire = Capture(worker.address)
        try:
            await order(worker, begun, {"one": BOTH})
            await worker.gates("one", *BOTH)
            await worker.connect(one)
            await worker.connect(two, via=wire)
            await two.frame(await worker.event(shows("two", "one", "camera")))
            await told.until("recorder", True)
            for _ in range(2):
                await sent_more(sent, 70)
                assert client.pid is not None
                os.kill(client.pid, signal.SIGKILL)
                await told.until("recorder", True)
            await sent_more(sent, 70)
            video = await worker.event(shows("two", "one", "camera"))
            await two.frame(video)
            recording = await ended(worker, client, tmp_path, begun)
            stats = (await worker.stats(None))["recorder"]
        finally:
            await asyncio.gather(one.close(), two.close())
            wire.close()
    assert stats["dropped"] == 0
    assert stats["connections"] == 3
    for source, kind in (("microphone", "audio"), ("camera", "video")):
        same(recording.packets("one", source), of(sent, kind))
    unbroken(wire)


def unbroken(wire: Capture) -> None:
    """No number is missing of any stream on its way to a subscriber."""
    by_ssrc: dict[int, list[int]] = {}
    for each in wire.media():
        by_ssrc.setdefault(each.ssrc, []).append(each.seq)
    assert len(by_ssrc) >= 2
    for numbers in by_ssrc.values():
        assert sorted({(number - numbers[0]) & 0xFFFF for number in numbers}) == list(range(len(set(numbers))))


async def test_on_a_full_disk_the_recording_ends_and_the_call_goes_on(tmp_path: Path) -> None:
    """RLIMIT_FSIZE stands for the full disk: a file of more than 300 KiB cannot be written."""
    command = (sys.executable, "-m", "tests.support.small_files", str(300 * 1024), "media.recording.process")
    camera, viewer = Layered(SIZES), Layered(slots=1)
    camera.clock = viewer.clock = time.monotonic
    async with house(tmp_path, heartbeat_s=0.02, command=command) as (worker, client, told):
        begun = await client.start_recording("RE_1")
        try:
            await order(worker, begun, {"one": BOTH})
            await worker.gates("one", "camera")
            await meet(worker, one=camera, two=viewer)
            sent = sends(camera._dtls)
            film = Film(worker, camera, viewer)
            await film.run(1.0)
            failed = asyncio.create_task(told.until("failed", "RE_1"))
            while not failed.done():
                await film.run(0.2)
            failed.result()
            shown = len(viewer.got)
            await film.run(2.0)
            assert len(viewer.got) > shown + 100
            await order(worker, begun, {}, "off")
            assert (await client.end_recording("RE_1")).ending == "failed"
            assert (await worker.stats(None))["worker"] == {}
            stats = await worker.stats()
        finally:
            await asyncio.gather(camera.close(), viewer.close())
    (slot,) = stats["participants"]["two"]["slots"].values()
    assert (slot["loss"], slot["nacked"], slot["refused"]) == (0, 0, 0)
    numbers = [seq for seq, _, _ in viewer.got]
    assert sorted((number - numbers[0]) & 0xFFFF for number in numbers) == list(range(len(numbers)))
    store = store_at(tmp_path)
    assert verify(store, "RE_1").complete
    video = Recording(store, begun).packets("one", "camera")
    assert sum(len(packet.body) for packet in video) > 150_000
    by_key = {packet.key: packet.content for packet in sent}
    assert [packet.content for packet in video] == [by_key[packet.key] for packet in video]


@pytest.mark.campaign(15)
async def test_a_worker_that_is_killed_costs_less_than_a_second_and_the_next_one_goes_on(tmp_path: Path) -> None:
    with loopback():
        async with recorder(tmp_path) as (client, _):
            configured = SupervisorConfig(
                worker=control.Configure(bind=("127.0.0.1",)), backoff_first_s=0.05, request_timeout_s=DEADLINE_S
            )
            media, told = MediaClient(configured), Lost()
            media.listen(told)
            media.use_recorder(client.socket_path)
            await media.start()
            one, again = LabClient("one"), LabClient("one")
            try:
                begun = await client.start_recording("RE_1")
                whom = {"one": frozenset(BOTH)}
                ends = []
                sent: list[list[Packet]] = []
                for person in (one, again):
                    sent.append(sent_by(person))
                    await media.set_recording("room", "RE_1", begun.zero_mono_us, whom, "on")
                    await media.set_gates("room", "one", frozenset(BOTH))
                    await person.accept(await media.connect("room", "one", await person.offer()))
                    async with asyncio.timeout(DEADLINE_S):
                        await person.connected.wait()
                    await sent_more(sent[-1], 120)
                    pid = media.supervisor.pid(0)
                    assert pid is not None
                    os.kill(pid, signal.SIGKILL)
                    ends.append(time.monotonic())
                    async with asyncio.timeout(DEADLINE_S):
                        await told.lost.get()
                    await person.close()
                async with asyncio.timeout(DEADLINE_S):
                    while (await client.stats())["tracks"] > 1:  # the events' own stays
                        pass
                assert (await client.end_recording("RE_1")).ending == "complete"
            finally:
                await asyncio.gather(one.close(), again.close())
                await media.close()
    store = store_at(tmp_path)
    assert verify(store, "RE_1").complete
    recording = Recording(store, begun)
    for source, kind in (("microphone", "audio"), ("camera", "video")):
        tracks = recording.tracks("one", source)
        assert len(tracks) == 2
        for track, packets, end in zip(tracks, sent, ends, strict=True):
            part = [p for p in recording.packets("one", source) if p.ssrc in {each.ssrc for each in packets}]
            same(part, of(packets, kind))
            assert end - 1.0 < part[-1].at_us / 1e6 <= end
            assert recording.kinds(track)[-1] == Kind.GAP
            (gap,) = [unpack_gap(record.payload) for record in recording.records(track) if record.kind == Kind.GAP]
            assert gap.reason == GapReason.WORKER_LOST


async def meet(worker: LabWorker, **people: Layered) -> None:
    for name, person in people.items():
        reply = await worker.ask(control.Connect, "room", name, await person.offer())
        assert isinstance(reply, control.Connected), reply
        await person.join(reply.answer)
        await worker.state(name, "connected")


class Film:
    """A camera at its pace, as a browser has it: the encodings that it is asked for, as far as its path carries them."""

    def __init__(self, worker: LabWorker, camera: Layered, viewer: Layered | None = None) -> None:
        self._worker = worker
        self._camera = camera
        self._viewer = viewer
        self._begun = time.monotonic()
        self._frames = 0

    async def run(self, seconds: float, *, without: str = "") -> None:
        stop = self._frames + round(seconds / FRAME_S)
        while self._frames < stop:
            await self._worker.event(lambda e: isinstance(e, control.Heartbeat) or None, len(self._worker.events))
            told = [event for event in self._worker.events if isinstance(event, control.Encodings)]
            self._camera.active = set(told[-1].active if told else SIZES) - {without}
            late = time.monotonic() - self._begun - self._frames * FRAME_S
            self._begun += max(
                0.0, late - 3 * FRAME_S
            )  # a camera held up drops pictures: it never sends seconds of them at once
            while self._frames < stop and self._frames * FRAME_S < time.monotonic() - self._begun:
                await self._camera.send_frame()
                self._frames += 1
            if self._viewer is not None:
                await self._viewer.feedback()


async def test_of_a_camera_in_layers_one_is_recorded_and_not_paused(tmp_path: Path) -> None:
    """Nobody watches. The tallest up to 720 lines is kept, another one while that does not come; each change is a key frame."""
    camera = Layered(SIZES)
    camera.clock = time.monotonic
    async with house(tmp_path, heartbeat_s=0.02) as (worker, client, _):
        begun = await client.start_recording("RE_1")
        try:
            await order(worker, begun, {"one": BOTH})
            await worker.gates("one", "camera")
            await meet(worker, one=camera)
            sent = sends(camera._dtls)
            film = Film(worker, camera)
            await film.run(4.0)
            assert camera.active == {"q", "f"}
            await film.run(1.5, without="f")
            await film.run(1.5)
            assert camera.active >= {"q", "f"}
            await order(worker, begun, {})
            await film.run(3.6)
            assert camera.active == {"q"}  # now nobody needs the others
            recording = await ended(worker, client, tmp_path, begun)
        finally:
            await camera.close()
    (track,) = recording.tracks("one", "camera")
    layers = [(record.layer, unpack_layer(record.payload)) for record in recording.records(track) if record.kind == Kind.LAYER]
    heights = [layer.height for _, layer in layers]
    assert all(SIZES[layer.rid][0] == layer.height and list(SIZES)[number] == layer.rid for number, layer in layers)
    assert 720 in heights
    assert heights[-1] == 720
    assert heights[heights.index(720) + 1] < 720
    packets = recording.packets("one", "camera")
    by_key = {packet.key: packet for packet in sent}
    assert len({packet.key for packet in packets}) == len(packets)
    assert [packet.content for packet in packets] == [by_key[packet.key].content for packet in packets]
    runs: list[list[Packet]] = []
    for packet in packets:
        if not runs or runs[-1][-1].layer != packet.layer:
            assert packet.body[0] & 0x10  # a frame begins …
            assert packet.body[6] == 0x10  # … that is a key frame
            runs.append([])
        runs[-1].append(packet)
    assert [run[0].layer for run in runs] == [number for number, _ in layers]
    for each in runs:  # nothing of an encoding is missing between its key frame and the change
        numbers = [packet.seq for packet in each]
        assert numbers == [(numbers[0] + n) & 0xFFFF for n in range(len(numbers))]


async def test_without_a_recorder_an_order_is_refused(tmp_path: Path) -> None:
    async with lab_worker() as worker:
        refused = await worker.ask(control.SetRecording, "room", "RE_1", 0, (), "on")
        assert (refused.code, (await worker.stats(None))["recorder"]) == ("no_recorder", None)
        assert isinstance(await worker.ask(control.SetRecording, "room", "RE_1", 0, (), "off"), control.Done)
