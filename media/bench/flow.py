"""A load that goes on: pictures and voices of many people from one thread, who come and go while it runs.

On top of ``load.Load``, which has sockets, decryption and what receivers say. Every source has its own beat; what somebody asks a key
frame of begins its clip again. A frame counts at a receiver when its last packet, which has the stamp, came, with as many of its packets
as came before that; its latency is from before encryption until the kernel had that last packet.
"""

import asyncio
import heapq
import queue
import struct
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TypeVar

from media.bench.load import Load, Receiver, ntp_now
from media.bench.network import BenchError
from media.bench.peers import LEVEL_EXTENSION, OPUS, RTX, VP8, Section, Taken, voice
from media.bench.play import Clip, Picture, Source, Voice, read_stamp
from media.bench.stream import MIN_PAYLOAD_BYTES, TWCC_EXTENSION
from media.bench.tally import Measured, Tally
from media.bench.viewer import FEEDBACK_S, RECEIVE_ONLY_SSRC, REPORT_S, Viewer
from media.transport import srtp

T = TypeVar("T")
TURN_S = 0.005
"""Longest wait for packets in one turn of the thread."""
LATE_S = 0.5
"""A source that is later than this leaves out what it missed."""
LEAD_S = 0.05
ANSWER_S = 10.0
FIRST_SSRC = 1_000_000
_PAYLOAD_SPECIFIC = 206
_PLI, _FIR = 1, 4


@dataclass(slots=True, eq=False)
class Listener(Receiver):
    """``frames``: by SSRC the RTP time of the frame that is coming and how many of its packets came. ``last``: by source the number of the
    newest frame counted. ``sources``: its own. ``gone``: takes part no more.
    """

    frames: dict[int, tuple[int, int]] = field(default_factory=dict)
    last: dict[int, int] = field(default_factory=dict)
    sources: tuple[Source, ...] = ()
    gone: bool = False


class Flow(Load):
    """``start``; ``add`` and ``remove`` people; ``measure`` as often as wanted; ``stop``. From one event loop only.

    ``ended``: done when the thread ended by an error.
    """

    def __init__(self) -> None:
        super().__init__(MIN_PAYLOAD_BYTES)
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._beats: list[tuple[float, int, Listener, Source, bool]] = []
        self._beat = 0
        self._tally: Tally | None = None
        self._failed: BaseException | None = None

    # ---- from the event loop

    def add(self, taken: Taken, sources: Sequence[Source]) -> Listener:
        """Takes the socket over. Its sources begin, each at another moment of its period."""
        viewer = Viewer(sources[0].ssrc if sources else RECEIVE_ONLY_SSRC, taken.twcc_id)
        listener = Listener(taken.sock, taken.rx, taken.tx, taken.to, viewer, taken.other, sources=tuple(sources))

        def begin() -> None:
            now = time.monotonic()
            listener.at = now + FEEDBACK_S
            self.add_receiver(listener)
            for source in listener.sources:
                self._beat += 1
                phase = self._beat * 0.6180339887 % 1
                self._push(now + phase * source.period_s, listener, source, False)
                self._push(now + phase * REPORT_S, listener, source, True)

        self._inbox.put(begin)
        return listener

    async def remove(self, listeners: Iterable[Listener]) -> None:
        """Sends nothing more for them and closes their sockets."""

        def end() -> None:
            for listener in listeners:
                listener.gone = True
                fd = listener.sock.fileno()
                if fd >= 0 and self._receivers.pop(fd, None) is not None:
                    self._epoll.unregister(fd)
                    self._speakers.remove(listener)
                    listener.sock.close()

        await self._ask(end)

    async def measure(self, seconds: float, drain_s: float) -> Measured:
        """What is made within ``seconds`` from a moment from now on. ``viewers`` of every source is set before.

        Raises BenchError when the thread ended.
        """
        tally, used = await self._ask(lambda: self._begin(seconds))
        await asyncio.sleep(LEAD_S + seconds + drain_s)
        thread_s, elapsed_s, sources = await self._ask(lambda: self._end(used))
        return tally.measured(sources, thread_s, elapsed_s)

    async def _ask(self, work: Callable[[], T]) -> T:
        done: Future[T] = Future()

        def run() -> None:
            try:
                done.set_result(work())
            except Exception as error:
                done.set_exception(error)

        self._inbox.put(run)
        try:
            async with asyncio.timeout(ANSWER_S):
                return await asyncio.wrap_future(done)
        except TimeoutError:
            raise BenchError(f"the load's thread does not answer: {self._failed!r}") from None

    # ---- in the thread

    def _begin(self, seconds: float) -> tuple[Tally, tuple[float, float]]:
        """The first moment is the thread's own: what it made before would count where it arrives and not where it was sent."""
        tally = self._tally = Tally(time.time_ns() + int(LEAD_S * 1e9), seconds)
        for receiver in self._receivers.values():
            receiver.refused = 0
        return tally, (time.thread_time(), time.monotonic())

    def _end(self, used: tuple[float, float]) -> tuple[float, float, int]:
        tally, self._tally = self._tally, None
        assert tally is not None
        tally.refused = sum(receiver.refused for receiver in self._receivers.values())
        sources = sum(len(receiver.sources) for receiver in self._receivers.values() if isinstance(receiver, Listener))
        return time.thread_time() - used[0], time.monotonic() - used[1], sources

    def _push(self, at: float, listener: Listener, source: Source, report: bool) -> None:
        self._beat += 1
        heapq.heappush(self._beats, (at, self._beat, listener, source, report))

    def _run(self) -> None:
        try:
            while not self._stopping:
                while not self._inbox.empty():
                    self._inbox.get()()
                self._speak(time.monotonic())
                self._receive(self._play())
        except BaseException as error:
            self._failed = error
            raise

    def _play(self) -> float:
        """Everything that is due. Answers how long nothing is, in seconds."""
        beats = self._beats
        while beats:
            now = time.monotonic()
            at, _, listener, source, report = beats[0]
            if at > now:
                return min(TURN_S, at - now)
            heapq.heappop(beats)
            if listener.gone:
                continue
            if report:
                if source.number:
                    self._say(source.report(ntp_now()), listener.tx, listener.sock, listener.to)
                self._push(at + REPORT_S, listener, source, True)
                continue
            self._send_frame(listener, source, now - at)
            following = at + source.period_s
            if now - following > LATE_S:
                if self._tally is not None:
                    self._tally.skipped += int((now - following) / source.period_s)
                following = now
            self._push(following, listener, source, False)
        return TURN_S

    def _send_frame(self, listener: Listener, source: Source, late_s: float) -> None:
        made_ns = time.time_ns()
        packets = source.frame(made_ns)
        octets = 0
        for packet in packets:
            size = len(packet)
            octets += size
            self._out_view[:size] = packet
            self._put(srtp.protect, listener.tx, size, listener.sock, listener.to)
        tally = self._tally
        if tally is not None and tally.covers(made_ns):
            tally.sent(made_ns, len(packets), source.viewers, octets, int(late_s * 1e6))

    def _arrived(self, receiver: Receiver, view: memoryview, start: int, size: int, ssrc: int, arrived_ns: int) -> None:
        if view[1] & 0x7F == RTX:  # a probe that repeats
            return
        assert isinstance(receiver, Listener)
        ts = int.from_bytes(view[4:8], "big")
        frame, packets = receiver.frames.get(ssrc, (ts, 0))
        packets = packets + 1 if frame == ts else 1
        receiver.frames[ssrc] = ts, packets
        stamp = read_stamp(view, start, size)
        tally = self._tally
        if stamp is None or tally is None or not tally.covers(stamp.made_ns):
            return
        if receiver.last.get(stamp.source, -1) >= stamp.first:
            tally.duplicates += 1
            return
        receiver.last[stamp.source] = stamp.first
        tally.arrived(stamp.made_ns, min(packets, stamp.packets), max(0, arrived_ns - stamp.made_ns) // 1000)

    def _heard(self, receiver: Receiver, plain: bytes) -> None:
        assert isinstance(receiver, Listener)
        wanted = wanted_keys(plain)
        for source in receiver.sources:
            if source.ssrc in wanted:
                source.restart()
        super()._heard(receiver, plain)


def wanted_keys(plain: bytes) -> set[int]:
    """The SSRCs that a compound packet asks a key frame of: PLI and FIR (RFC 4585 section 6.3.1, RFC 5104 section 4.3.1)."""
    found: set[int] = set()
    at = 0
    while at + 12 <= len(plain):
        length = 4 * (struct.unpack_from("!H", plain, at + 2)[0] + 1)
        if plain[at + 1] == _PAYLOAD_SPECIFIC:
            kind = plain[at] & 31
            if kind == _PLI:
                found.add(struct.unpack_from("!I", plain, at + 8)[0])
            elif kind == _FIR:
                end = min(at + length, len(plain))
                found.update(struct.unpack_from("!I", plain, entry)[0] for entry in range(at + 12, end - 7, 8))
        at += length
    return found


def describe_person(
    number: int, clip: Clip, voices: int, pictures: int, *, microphone: bool = True, camera: bool = True
) -> tuple[list[Section], list[Source]]:
    """What somebody offers, and what they send by it. ``number``: theirs, from 0 on; ``voices``, ``pictures``: how many they receive."""
    sources: list[Source] = []
    sections: list[Section] = []
    if microphone:
        sources.append(Voice(2 * number, FIRST_SSRC + 4 * number, OPUS, LEVEL_EXTENSION, clip))
        sections.append(voice("0", sources[-1].ssrc))
    if camera:
        sources.append(Picture(2 * number + 1, FIRST_SSRC + 4 * number + 1, VP8, TWCC_EXTENSION, clip))
        sections.append(Section(str(len(sections)), sources[-1].ssrc))
    sections += [voice(str(len(sections) + slot)) for slot in range(voices)]
    sections += [Section(str(len(sections) + slot)) for slot in range(pictures)]
    return sections, sources
