"""Campaign 16 in virtual time: how many packets are still missing, and how late the others are, when either leg of a video loses.

Packets go through the impairer's channels; the publisher answers NACKs as Chromium does, the subscriber sends them as Chromium
does, and between them is what the relay has for it: the list of what is missing with its pace, and the limits of resending. No
clock, no socket: the figures are the algorithm's, whatever the machine does meanwhile.
"""

import heapq
import os
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

import pytest

from media.relay.downlink import Downlink
from media.relay.uplink import PublisherClock, Uplink
from media.wire.sdp import ExtensionIds
from tests.support.impairer import Channel, Condition

pytestmark = pytest.mark.campaign(16)

FRAMES_PER_S, PACKETS_PER_FRAME, SIZE = 30, 5, 1000
SECONDS = 60 if os.environ.get("TESTS_CAMPAIGN") == "long" else 20
TICK_S = 0.0202
"""Timers are a little late."""
NACK_BYTES = 60
CHROMIUM_AGAIN_S = 0.02
CHROMIUM_TRIES = 10
"""nack_requester.cc: repeated after a round trip, looked at every 20 ms, given up after ten times."""


class World:
    """Events in order of virtual time."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = count()

    def at(self, when: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._events, (when, next(self._number), do))

    def send(self, channel: Channel, size: int, arrived: Callable[[], None]) -> None:
        leaves = channel.put(size, self.now)
        if leaves is not None:
            self.at(leaves, arrived)

    def run(self, until: float) -> None:
        while self._events and self._events[0][0] <= until:
            self.now, _, do = heapq.heappop(self._events)
            do()


@dataclass(slots=True)
class Leg:
    """Packets of one direction by number: when sent first, when arrived first; how often sent again, and how often for nothing."""

    sent: dict[int, float] = field(default_factory=dict)
    arrived: dict[int, float] = field(default_factory=dict)
    resent: int = 0
    needless: int = 0

    def take(self, number: int, now: float, *, again: bool = False) -> bool:
        """Whether it is new."""
        self.resent += again
        if number in self.arrived:
            self.needless += again
            return False
        self.arrived[number] = now
        return True

    def missing(self) -> float:
        """Share of the packets that never came."""
        return 1 - len(self.arrived) / len(self.sent)

    def late_ms(self, one_way_ms: float) -> list[float]:
        """How much later than the line's own delay each came."""
        return sorted((at - self.sent[number]) * 1000 - one_way_ms for number, at in self.arrived.items())


def percentile(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(share * len(values)))]


def publisher_to_relay(condition: Condition) -> Leg:
    """The relay asks for what is missing every tick; the publisher sends again, at most once a round trip."""
    world, leg = World(), Leg()
    up, down = Channel("up", condition), Channel("down", condition)
    uplink = Uplink(1, "video", "vp8", 90_000, PublisherClock(), nack=True)
    rtt_s = 2 * condition.delay_ms / 1000
    resent_at: dict[int, float] = {}
    tries: dict[int, int] = {}

    def arrives(number: int, again: bool) -> None:
        if leg.take(number, world.now, again=again):
            uplink.receive(number & 0xFFFF, number, SIZE, world.now)

    def publish(number: int) -> None:
        leg.sent[number] = world.now
        world.send(up, SIZE, lambda: arrives(number, False))

    def asked(numbers: list[int]) -> None:
        for number in numbers:
            if world.now - resent_at.get(number, -1.0) >= rtt_s:
                resent_at[number] = world.now
                world.send(up, SIZE, lambda number=number: arrives(number, True))  # type: ignore[misc]

    def tick() -> None:
        due = uplink.nacks_due(world.now, max(rtt_s, 0.001))
        if due:
            for number in due:
                tries[number] = tries.get(number, 0) + 1
            world.send(down, NACK_BYTES, lambda: asked(due))
        world.at(world.now + TICK_S, tick)

    total = SECONDS * FRAMES_PER_S * PACKETS_PER_FRAME
    for number in range(total):
        frame, place = divmod(number, PACKETS_PER_FRAME)
        world.at(frame / FRAMES_PER_S + place * 0.001, lambda number=number: publish(number))  # type: ignore[misc]
    world.at(0.005, tick)
    world.run(SECONDS + 3.0)
    return leg


def relay_to_subscriber(condition: Condition) -> Leg:
    """The subscriber asks at once and again after a round trip; the relay keeps to its limits of resending."""
    world, leg = World(), Leg()
    down, up = Channel("down", condition), Channel("up", condition)
    ids = ExtensionIds(0, 0, 0, 0, 0)
    slot = Downlink(mid="1", kind="video", ssrc=1, rtx_ssrc=2, codecs={}, ids=ids, first_seq=1, first_ts=1, rtx_seq=1)
    rtt_s = 2 * condition.delay_ms / 1000
    newest = -1
    wanted: dict[int, tuple[int, float]] = {}

    def arrives(number: int, again: bool) -> None:
        nonlocal newest
        leg.take(number, world.now, again=again)
        wanted.pop(number, None)
        if number > newest:
            gone = list(range(newest + 1, number))
            newest = number
            for one in gone:
                wanted[one] = (1, world.now)
            if gone:
                world.send(up, NACK_BYTES, lambda: asked(gone))

    def forward(number: int) -> None:
        leg.sent[number] = world.now
        world.send(down, SIZE, lambda: arrives(number, False))

    def asked(numbers: list[int]) -> None:
        for number in numbers:
            if slot.may_resend(number & 0xFFFF, world.now, max(rtt_s, 0.001)):
                world.send(down, SIZE, lambda number=number: arrives(number, True))  # type: ignore[misc]

    def look() -> None:
        due = [one for one, (_, at) in wanted.items() if world.now - at >= max(rtt_s, CHROMIUM_AGAIN_S)]
        for one in due:
            times, _ = wanted.pop(one)
            if times < CHROMIUM_TRIES:
                wanted[one] = (times + 1, world.now)
        if due:
            world.send(up, NACK_BYTES, lambda: asked(due))
        world.at(world.now + CHROMIUM_AGAIN_S, look)

    for number in range(SECONDS * FRAMES_PER_S * PACKETS_PER_FRAME):
        frame, place = divmod(number, PACKETS_PER_FRAME)
        world.at(frame / FRAMES_PER_S + place * 0.001, lambda number=number: forward(number))  # type: ignore[misc]
    world.at(0.005, look)
    world.run(SECONDS + 3.0)
    return leg


CASES = [(loss, burst, delay_ms) for loss in (0.05, 0.10, 0.20) for burst in (1.0, 4.0) for delay_ms in (0.0, 50.0, 200.0)]
MOST_MISSING = {0.05: 0.0005, 0.10: 0.001, 0.20: 0.005}
"""Of what is sent; each costs a key frame."""
FAR_MS, FAR = 200.0, 4
"""One way: within the second after which the relay gives up there are two or three tries only, so this many times as many."""


@pytest.mark.parametrize(("loss", "burst", "delay_ms"), CASES)
@pytest.mark.parametrize("leg", [publisher_to_relay, relay_to_subscriber])
def test_what_was_lost_is_sent_again_in_time(
    leg: Callable[[Condition], Leg], loss: float, burst: float, delay_ms: float
) -> None:
    outcome = leg(Condition(loss=loss, burst=burst, delay_ms=delay_ms))
    late_ms = outcome.late_ms(delay_ms)
    again = [one for one in late_ms if one > 1]
    told = (
        f"missing {outcome.missing():.3%}, later {len(again) / len(late_ms):.1%}, by p50 {statistics.median(again):.0f} "
        f"p95 {percentile(again, 0.95):.0f} p99 {percentile(again, 0.99):.0f} ms, sent again {outcome.resent / len(outcome.sent):.1%}, "
        f"needless {outcome.needless / len(outcome.sent):.1%}"
    )
    print(f"{leg.__name__} {loss:.0%} burst {burst:.0f} delay {delay_ms:.0f} ms: {told}")
    assert outcome.missing() <= MOST_MISSING[loss] * burst * (FAR if delay_ms >= FAR_MS else 1), told
    assert outcome.needless / len(outcome.sent) <= loss, told
    assert percentile(again, 0.95) <= 150 * (1 + (burst - 1) / 4) + (4 if burst == 1 else 6) * 2 * delay_ms, told
