"""A real media worker process and real aiortc clients on 127.0.0.1, for scenarios.

aioice leaves out 127.0.0.1: ``loopback`` patches the list of host addresses for the time of a test.
"""

import array
import asyncio
import contextlib
import fractions
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count
from typing import Any, TypeVar

import aioice.ice
import av
from aiortc import (
    AudioStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
    VideoStreamTrack,
)
from aiortc.jitterbuffer import JitterBuffer

from media import control

T = TypeVar("T")
DEADLINE_S = 60.0
STORE_PACKETS = 64
"""What a client keeps of a picture while something is missing."""


@contextlib.contextmanager
def loopback(address: str = "127.0.0.1") -> Iterator[None]:
    """aioice offers exactly this address."""
    before = aioice.ice.get_host_addresses
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: [address]
    try:
        yield
    finally:
        aioice.ice.get_host_addresses = before


class LabWorker:
    """A worker process spoken to as its supervisor would, with the events it has sent in ``events``."""

    def __init__(self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.process = process
        self._writer = writer
        self._reader = reader
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self.events: list[control.WorkerMessage] = []
        self._changed = asyncio.Condition()
        self.address = ("", 0)
        self.addresses: tuple[tuple[str, int], ...] = ()
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        frames = control.FrameReader()
        while data := await self._reader.read(65536):
            for frame in frames.feed(data):
                message = control.decode_worker_message(frame)
                request = getattr(message, "request", None)
                async with self._changed:
                    if request is not None:
                        asked = self._waiting.pop(request)
                        if not asked.done():  # who asked may have given up
                            asked.set_result(message)
                    else:
                        self.events.append(message)
                        self._changed.notify_all()

    def send(self, message: control.Message) -> None:
        self._writer.write(control.encode(message))

    async def ask(self, kind: type[Any], *arguments: Any) -> Any:
        """Send a command and wait for its reply."""
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        future = self._waiting[number]
        self.send(kind(number, *arguments))
        async with asyncio.timeout(DEADLINE_S):  # wait_for of Python 3.11 may swallow an outer timeout
            return await future

    async def event(self, test: Callable[[Any], T | None], after: int = 0) -> T:
        """Wait until an event from index ``after`` on makes ``test`` true; returns what ``test`` returned."""

        def found() -> T | None:
            return next((r for e in self.events[after:] if (r := test(e))), None)

        async with asyncio.timeout(DEADLINE_S), self._changed:
            while (result := found()) is None:
                await self._changed.wait()
            return result

    async def stats(self, room: str | None = "room") -> dict[str, Any]:
        return (await self.ask(control.Stats, room)).stats

    async def until(self, test: Callable[[dict[str, Any]], bool], room: str | None = "room") -> dict[str, Any]:
        """Ask for statistics until they satisfy ``test``, once per heartbeat."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                mark = len(self.events)
                if test(stats := await self.stats(room)):
                    return stats
                await self.event(lambda e: isinstance(e, control.Heartbeat) or None, mark)

    async def connect(self, client: "LabClient", room: str = "room", via: "Wire | None" = None) -> None:
        """Offer, answer, and wait until the worker and the client say connected. ``via``: the wire between them.

        The worker, as DTLS server, is connected one flight before the client, who can send nothing until then.
        """
        mark = len(self.events)
        offer = await client.offer()
        reply = await self.ask(control.Connect, room, client.name, offer)
        assert isinstance(reply, control.Connected), reply
        answer = reply.answer
        if via is not None:
            answer = answer.replace(f" 127.0.0.1 {self.address[1]} ", f" 127.0.0.1 {via.port} ")
        client.answer = reply.answer
        await client.accept(answer)
        await self.state(client.name, "connected", mark)
        async with asyncio.timeout(DEADLINE_S):
            await client.connected.wait()

    async def state(self, participant: str, state: str, after: int = 0) -> None:
        await self.event(
            lambda e: isinstance(e, control.PeerState) and e.participant == participant and e.state == state, after
        )

    async def gates(self, participant: str, *sources: str, room: str = "room") -> None:
        assert isinstance(await self.ask(control.SetGates, room, participant, sources), control.Done)

    async def stop(self) -> int:
        self._writer.close()
        code = await asyncio.wait_for(self.process.wait(), DEADLINE_S)
        await asyncio.wait_for(self._task, DEADLINE_S)
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()
        return code


@contextlib.asynccontextmanager
async def lab_worker(**configuration: Any) -> AsyncIterator[LabWorker]:
    """A worker bound to 127.0.0.1 on a free port, stopped afterwards."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "media.worker", "--control-fd", str(theirs.fileno()), pass_fds=[theirs.fileno()]
        )
    reader, writer = await asyncio.open_unix_connection(sock=ours)
    worker = LabWorker(process, reader, writer)
    try:
        worker.send(control.Configure(**{"bind": ("127.0.0.1",), "heartbeat_interval_s": 0.1, **configuration}))
        ready = await worker.event(lambda e: e if isinstance(e, control.Ready) else None)
        worker.addresses = ready.addresses
        worker.address = ready.addresses[0]
        yield worker
    finally:
        await worker.stop()


class ColourTrack(VideoStreamTrack):
    """Frames of one colour, as (Y, U, V)."""

    def __init__(self, colour: tuple[int, int, int], size: tuple[int, int] = (320, 240)) -> None:
        super().__init__()
        self._colour = colour
        self._size = size

    async def recv(self) -> av.VideoFrame:
        pts, base = await self.next_timestamp()
        frame = av.VideoFrame(*self._size, "yuv420p")
        for plane, value in zip(frame.planes, self._colour, strict=True):
            plane.update(bytes((value,)) * plane.buffer_size)
        frame.pts, frame.time_base = pts, base
        return frame


def colour_of(frame: av.VideoFrame) -> tuple[int, int, int]:
    """(Y, U, V) in the middle of a decoded frame."""
    y, u, v = ((plane, bytes(plane)) for plane in frame.planes)
    return tuple(data[plane.height // 2 * plane.line_size + plane.width // 2] for plane, data in (y, u, v))  # type: ignore[return-value]


def near(one: tuple[int, int, int], other: tuple[int, int, int]) -> bool:
    return all(abs(a - b) < 12 for a, b in zip(one, other, strict=True))


def loudness(frame: av.AudioFrame) -> int:
    """The largest sample of 16-bit audio."""
    return max(abs(sample) for sample in array.array("h", bytes(frame.planes[0])))


class ToneTrack(AudioStreamTrack):
    """A square wave of moderate loudness; paced as aiortc's silent track is."""

    async def recv(self) -> av.AudioFrame:
        silent = await super().recv()
        frame = av.AudioFrame(format="s16", layout="mono", samples=silent.samples)
        samples = array.array("h", (4000 if at // 10 % 2 else -4000 for at in range(silent.samples))).tobytes()
        frame.planes[0].update(samples.ljust(frame.planes[0].buffer_size, bytes(1)))
        frame.pts, frame.sample_rate, frame.time_base = (
            silent.pts,
            silent.sample_rate,
            fractions.Fraction(1, silent.sample_rate),
        )
        return frame


class LabClient:
    """One participant as the pages make it: sends first, then slots to receive in, and the pointer channel."""

    def __init__(
        self,
        name: str,
        *,
        send: Any = ("audio", "video"),
        colour: Any = (120, 90, 160),
        audio_slots: int = 2,
        video_slots: int = 2,
    ) -> None:
        self.name = name
        self.colour = colour
        self.answer = ""
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self.connected = asyncio.Event()
        self.pc.on("connectionstatechange", self._state_changed)
        self.tracks: dict[str, Any] = {}
        self.messages: asyncio.Queue[str] = asyncio.Queue()
        self.opened = asyncio.Event()
        if "audio" in send:
            self.pc.addTransceiver(ToneTrack(), "sendonly")
        if "video" in send:
            self.pc.addTransceiver(ColourTrack(colour), "sendonly")
        if "screen" in send:
            self.pc.addTransceiver(ColourTrack((200, 90, 40)), "sendonly")
        self.audio_slots = [self.pc.addTransceiver("audio", "recvonly") for _ in range(audio_slots)]
        self.video_slots = [self.pc.addTransceiver("video", "recvonly") for _ in range(video_slots)]
        for slot in self.video_slots:  # aiortc waits for what was lost for good until 512 packets came: 17 s of these pictures
            slot.receiver._RTCRtpReceiver__jitter_buffer = JitterBuffer(capacity=STORE_PACKETS, is_video=True)
        # after the sections: aiortc closes the transport of a bundle whose channel came first
        self.channel = self.pc.createDataChannel("pointer", ordered=False, maxRetransmits=0)
        self.channel.on("message", self.messages.put_nowait)
        self.channel.on("open", self.opened.set)

    def _state_changed(self) -> None:
        if self.pc.connectionState == "connected":
            self.connected.set()

    async def offer(self) -> str:
        if self.pc.localDescription is None:
            await self.pc.setLocalDescription(await self.pc.createOffer())
        return str(self.pc.localDescription.sdp)

    async def accept(self, answer: str) -> None:
        """Take the answer. aiortc looks for candidates in the last section of a bundle: they are repeated there."""
        lines = answer.splitlines()
        lines += [line for line in lines if line.startswith("a=candidate:")] + ["a=end-of-candidates", ""]
        answer = "\r\n".join(lines)
        await self.pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    def slot(self, mid: str) -> Any:
        """The track of the slot with this mid."""
        return next(t.receiver.track for t in self.pc.getTransceivers() if t.mid == mid)

    async def frame(self, mid: str) -> Any:
        return await asyncio.wait_for(self.slot(mid).recv(), DEADLINE_S)

    async def close(self) -> None:
        await self.pc.close()


def _udp() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock


class Wire:
    """A NAT between one client and the worker: loses what ``lose_up``/``lose_down`` say, changes its address by ``rebind``."""

    def __init__(self, worker: tuple[str, int]) -> None:
        self._worker = worker
        self._front = _udp()
        self._back = _udp()
        self._client: Any = None
        self.port = self._front.getsockname()[1]
        self.lose_up: Callable[[bytes], bool] = lambda data: False
        self.lose_down: Callable[[bytes], bool] = lambda data: False
        self.lost = 0
        self.seen_down: asyncio.Queue[bytes] = asyncio.Queue()
        self.watch_down: Callable[[bytes], bool] = lambda data: False
        loop = asyncio.get_running_loop()
        loop.add_reader(self._front, self._up)
        loop.add_reader(self._back, self._down)

    @property
    def back_port(self) -> int:
        return int(self._back.getsockname()[1])

    def _up(self) -> None:
        with contextlib.suppress(BlockingIOError):
            data, self._client = self._front.recvfrom(4096)
            if self.lose_up(data):
                self.lost += 1
            else:
                self.inject(data)

    def _down(self) -> None:
        with contextlib.suppress(BlockingIOError):
            data, _ = self._back.recvfrom(4096)
            if self.watch_down(data):
                self.seen_down.put_nowait(data)
            elif self.lose_down(data):
                self.lost += 1
            elif self._client is not None:
                self._front.sendto(data, self._client)

    def inject(self, data: bytes) -> None:
        """To the worker, from the client's address."""
        self._back.sendto(data, self._worker)

    def rebind(self) -> None:
        """From now on the client comes from another address; what is sent to the old one is lost."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._back)
        self._back.close()
        self._back = _udp()
        loop.add_reader(self._back, self._down)

    def close(self) -> None:
        loop = asyncio.get_running_loop()
        for sock in (self._front, self._back):
            loop.remove_reader(sock)
            sock.close()


def shows(participant: str, publisher: str, source: str) -> Callable[[Any], str | None]:
    """An event test: the mid of ``participant``'s slot that shows this source."""

    def test(event: Any) -> str | None:
        if isinstance(event, control.Slots) and event.participant == participant:
            return next((s.mid for s in event.slots if (s.participant, s.source) == (publisher, source)), None)
        return None

    return test
