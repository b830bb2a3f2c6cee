"""A seeded discrete-event simulator of one subscriber's path, with the real feedback, estimator, prober, pacer and allocator.

No clock, no socket: events lie on a heap and time jumps from one to the next. What is simulated is the link (capacity over
time, a drop-tail queue, delay, jitter, loss both ways), the media sources, the receiver's timer and a competing Reno flow;
everything in between is the code that runs in the relay, down to the bytes of the feedback packets.
"""

import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from media.congestion.allocate import Allocator, Layer, Want
from media.congestion.estimator import Estimator, EstimatorConfig
from media.congestion.history import MASK, SentPackets
from media.congestion.pacer import Pacer, Priority
from media.wire import rtcp, twcc

PACKET = 1200
TICK_S = 0.02
SAMPLE_S = 0.1
AUDIO_BYTES = 120
FRAME_S = 1 / 30

CAMERA = (
    Layer("l", 0, 90_000, 180), Layer("l", 1, 150_000, 180), Layer("m", 0, 300_000, 360), Layer("m", 1, 500_000, 360),
    Layer("h", 0, 900_000, 720), Layer("h", 1, 1_500_000, 720),
)  # fmt: skip


@dataclass(frozen=True)
class Path:
    """``capacity``: bits per second at a time. ``queue_s``: how long the queue may get at that capacity. One-way ``delay_s``."""

    capacity: Callable[[float], float]
    delay_s: float = 0.03
    queue_s: float = 0.3
    loss: float = 0.0
    jitter_s: float = 0.0
    feedback_loss: float = 0.0
    feedback_dead: tuple[float, float] = (0.0, 0.0)
    policer: bool = False


@dataclass
class Trace:
    """Samples each ``SAMPLE_S``; rates in bit/s, times in s. ``delays``: (sent, queueing delay) of each packet that arrived."""

    times: list[float] = field(default_factory=list)
    capacity: list[float] = field(default_factory=list)
    estimate: list[float] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)
    arrived: list[float] = field(default_factory=list)
    padding: list[float] = field(default_factory=list)
    other: list[float] = field(default_factory=list)
    queue: list[float] = field(default_factory=list)
    held: list[int] = field(default_factory=list)
    levels: list[tuple[int, ...]] = field(default_factory=list)
    delays: list[tuple[float, float]] = field(default_factory=list)
    audio_waits: list[float] = field(default_factory=list)
    lost: int = 0
    starved: int = 0

    def mean(self, values: list[float], start: float, end: float) -> float:
        chosen = [value for at, value in zip(self.times, values, strict=True) if start <= at < end]
        return sum(chosen) / len(chosen)

    def least(self, values: list[float], start: float, end: float) -> float:
        return min(value for at, value in zip(self.times, values, strict=True) if start <= at < end)

    def utilisation(self, start: float, end: float) -> float:
        return self.mean(self.arrived, start, end) / self.mean(self.capacity, start, end)

    def delay_p95(self, start: float, end: float) -> float:
        chosen = sorted(wait for sent, wait in self.delays if start <= sent < end)
        return chosen[int(0.95 * (len(chosen) - 1))]

    def first(self, values: list[float], level: float, start: float) -> float:
        """Seconds from ``start`` until ``values`` reach ``level``; infinite when never."""
        for at, value in zip(self.times, values, strict=True):
            if at >= start and value >= level:
                return at - start
        return float("inf")

    def first_below(self, values: list[float], level: float, start: float) -> float:
        for at, value in zip(self.times, values, strict=True):
            if at >= start and value <= level:
                return at - start
        return float("inf")


@dataclass
class _Packet:
    size: int
    number: int = -1
    flow: str = "media"
    sent: float = 0.0
    made: float = 0.0
    audio: bool = False


class Simulation:
    """Run one path. ``demand``: what the elastic source would send at a time (it follows the estimate below that).

    ``cameras``: slot heights; where given, the allocator chooses layers of simulcast cameras instead of the elastic source.
    ``competing``: a Reno flow from the first to the second time.
    """

    def __init__(
        self,
        path: Path,
        *,
        seed: int = 1,
        demand: Callable[[float], float] = lambda _: 20e6,
        cameras: tuple[int, ...] = (),
        competing: tuple[float, float] | None = None,
        config: EstimatorConfig | None = None,
        feedback_s: float = 0.05,
        paced: bool = True,
    ) -> None:
        self.path = path
        self.random = random.Random(seed)
        self.demand = demand
        self.cameras = cameras
        self.paced = paced
        self.feedback_s = feedback_s
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = 0
        self.sent = SentPackets()
        self.estimator = Estimator(0.0, config)
        self.pacer: Pacer[_Packet] = Pacer(self.estimator.estimate_bps, 0.0)
        self.allocator = Allocator()
        self.log = twcc.ArrivalLog()
        self.number = 0
        self.last_sent = -1.0
        self.media_bytes = 0
        self._queue: deque[_Packet] = deque()
        self._queued = 0
        self._serving = False
        self._last_arrival = 0.0
        self.trace = Trace()
        self._binned = dict.fromkeys(("sent", "arrived", "padding", "other"), 0)
        self._levels = [-1] * len(cameras)
        self._key_due = [False] * len(cameras)
        self.competing = competing
        self._window, self._threshold, self._flight, self._cut_at = 10.0, 64.0, 0, -1.0

    def at(self, when: float, what: Callable[[], None]) -> None:
        self._serial += 1
        heapq.heappush(self._events, (when, self._serial, what))

    def run(self, seconds: float) -> Trace:
        for first, what in (
            (0.0, self._frame),
            (0.003, self._audio),
            (0.007, self._tick),
            (0.05, self._feedback),
            (SAMPLE_S, self._sample),
        ):
            self.at(first, what)
        if self.competing:
            self.at(self.competing[0], self._compete)
        while self._events and self._events[0][0] <= seconds:
            self.now, _, what = heapq.heappop(self._events)
            what()
        return self.trace

    # ---- the link

    def _enqueue(self, packet: _Packet) -> None:
        packet.sent = self.now
        limit = max(self.path.capacity(self.now) / 8 * self.path.queue_s, 2 * PACKET)
        if self.random.random() < self.path.loss or self._queued + packet.size > limit:
            self._dropped(packet)
            return
        self._queue.append(packet)
        self._queued += packet.size
        if not self._serving:
            self._serve()

    def _serve(self) -> None:
        self._serving = bool(self._queue)
        if self._serving:
            packet = self._queue[0]
            self.at(self.now + 8 * packet.size / self.path.capacity(self.now), self._served)

    def _served(self) -> None:
        packet = self._queue.popleft()
        self._queued -= packet.size
        jitter = self.random.uniform(0, self.path.jitter_s)
        arrival = self._last_arrival = max(self._last_arrival, self.now + self.path.delay_s + jitter)
        waited = self.now - packet.sent
        self.at(arrival, lambda: self._arrived(packet, waited))
        self._serve()

    def _arrived(self, packet: _Packet, waited: float) -> None:
        if packet.flow == "other":
            self._binned["other"] += packet.size
            self.at(self.now + self.path.delay_s, lambda: self._acknowledged(lost=False))
            return
        self._binned["arrived"] += packet.size
        self.trace.delays.append((packet.sent, waited))
        if packet.audio:
            self.trace.audio_waits.append(self.now - self.path.delay_s - packet.made)
        self.log.add(packet.number, int(self.now * 1e6) + 77_000_000)

    def _dropped(self, packet: _Packet) -> None:
        if packet.flow == "other":
            self.at(self.now + 2 * self.path.delay_s, lambda: self._acknowledged(lost=True))
        else:
            self.trace.lost += 1

    # ---- the receiver

    def _feedback(self) -> None:
        self.at(self.now + self.feedback_s, self._feedback)
        for data in self.log.build(7, 9):
            start, end = self.path.feedback_dead
            if start <= self.now < end or self.random.random() < self.path.feedback_loss:
                continue
            self.at(self.now + self.path.delay_s, lambda data=data: self._heard(data))

    def _heard(self, data: bytes) -> None:
        (packet,) = rtcp.parse_compound(data)
        assert isinstance(packet, rtcp.TransportFeedback)
        self.estimator.on_feedback(twcc.parse_feedback(packet.body), self.sent, self.number, self.now)

    # ---- the sender

    def _send(self, packet: _Packet, *, padding: bool = False) -> None:
        self.number = packet.number = (self.number + 1) & 0xFFFF
        self.sent.at[self.number & MASK] = self.now
        self.sent.size[self.number & MASK] = packet.size
        self.last_sent = self.now
        self._binned["padding" if padding else "sent"] += packet.size
        if not padding:
            self.media_bytes += packet.size
        self._enqueue(packet)

    def _put(self, packet: _Packet, priority: Priority, stream: int = 0) -> None:
        packet.made = self.now
        if not (self.paced and self.pacer.active):
            self._send(packet)
            return
        self.pacer.push(packet, packet.size, priority, self.now, stream)
        self._pop()

    def _pop(self) -> None:
        for packet in self.pacer.pop_due(self.now):
            self._send(packet)
        self._starved()
        when = self.pacer.next_at(self.now)
        if when is not None:
            self.at(max(when, self.now + 0.001), self._pop)

    def _starved(self) -> None:
        for stream in self.pacer.take_starved():
            assert isinstance(stream, int)
            self.trace.starved += 1
            if self.cameras:
                self._key_due[stream] = True

    def _tick(self) -> None:
        self.at(self.now + TICK_S, self._tick)
        estimator = self.estimator
        self._allocate()
        padding = estimator.tick(self.last_sent, self.media_bytes, self.now)
        self.media_bytes = 0
        while padding > 0:
            self._send(_Packet(min(padding, PACKET)), padding=True)
            padding -= PACKET
        self.pacer.set_estimate(estimator.estimate_bps, self.now)

    def _audio(self) -> None:
        self.at(self.now + 0.02, self._audio)
        self._put(_Packet(AUDIO_BYTES, audio=True), Priority.AUDIO)

    def _allocate(self) -> None:
        if not self.cameras:
            self.estimator.demand_bps = self.demand(self.now)
            return
        wants = [Want("a", "audio", 0, False, (Layer("", 0, 8 * AUDIO_BYTES * 50, 0),))]
        wants += [Want(i, "camera", height, i == 0, CAMERA) for i, height in enumerate(self.cameras)]
        given = self.allocator.allocate(wants, self.estimator.estimate_bps, self.now)
        self.estimator.demand_bps = given.demand_bps
        for i in range(len(self.cameras)):
            layer = given.choices[i].layer
            level = -1 if layer is None else CAMERA.index(layer)
            if level != self._levels[i] and level >= 0 and level // 2 != self._levels[i] // 2:
                self._key_due[i] = True
            self._levels[i] = level

    def _frame(self) -> None:
        self.at(self.now + FRAME_S, self._frame)
        if not self.cameras:
            target = max(min(self.demand(self.now), 0.95 * self.estimator.estimate_bps) - 8 * AUDIO_BYTES * 50, 0)
            self._picture(target, 0)
            return
        for i, level in enumerate(self._levels):
            if level >= 0:
                scale = 4.0 if self._key_due[i] else 1.0
                self._key_due[i] = False
                self._picture(CAMERA[level].bitrate_bps * scale, i)

    def _picture(self, bps: float, stream: int) -> None:
        size = int(bps * FRAME_S / 8 * self.random.uniform(0.8, 1.2))
        while size > 0:
            self._put(_Packet(max(min(size, PACKET), 60)), Priority.VIDEO, stream)
            size -= PACKET

    # ---- the competing flow (Reno: slow start, additive increase, halving once per round trip)

    def _compete(self) -> None:
        assert self.competing is not None
        while self.now < self.competing[1] and self._flight < self._window:
            self._flight += 1
            self._enqueue(_Packet(PACKET, flow="other"))

    def _acknowledged(self, *, lost: bool) -> None:
        self._flight -= 1
        if not lost:
            self._window += 1.0 if self._window < self._threshold else 1.0 / self._window
        elif self.now - self._cut_at > 2 * self.path.delay_s + self.path.queue_s:
            self._cut_at = self.now
            self._window = self._threshold = max(self._window / 2, 2.0)
        self._compete()

    # ---- what is written down

    def _sample(self) -> None:
        self.at(self.now + SAMPLE_S, self._sample)
        trace = self.trace
        capacity = self.path.capacity(self.now)
        trace.times.append(self.now)
        trace.capacity.append(capacity)
        trace.estimate.append(self.estimator.estimate_bps)
        trace.queue.append(8 * self._queued / capacity)
        trace.held.append(sum(level < 0 for level in self._levels))
        trace.levels.append(tuple(self._levels))
        for name, values in (
            ("sent", trace.sent),
            ("arrived", trace.arrived),
            ("padding", trace.padding),
            ("other", trace.other),
        ):
            values.append(8 * self._binned[name] / SAMPLE_S)
            self._binned[name] = 0


def steps(*pieces: tuple[float, float]) -> Callable[[float], float]:
    """Capacity from pieces (from this second on, bit/s), in order."""

    def capacity(at: float) -> float:
        found = pieces[0][1]
        for start, bps in pieces:
            if at >= start:
                found = bps
        return found

    return capacity
