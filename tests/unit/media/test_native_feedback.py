"""Feedback read in C against Python's reading of it: the same facts, bit by bit, whatever a subscriber says."""

import random
import struct
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from media.congestion.delay import DelayDetector
from media.congestion.history import MASK, SentPackets
from media.congestion.trend import Signal
from media.errors import RtcpError
from media.native.history import NativeSentPackets, Scratch
from media.native.library import load
from media.transport.mmsg import AVAILABLE
from media.wire import rtcp, twcc

LIBRARY = load() if AVAILABLE else None
pytestmark = pytest.mark.skipif(LIBRARY is None, reason="the compiled core is not built: there is no C compiler here")

number = st.integers(0, 0xFFFF)
instant = st.floats(0, 2000, allow_nan=False)
chunk = st.one_of(
    st.integers(0, 0xFFFF),
    st.builds(lambda kind, run: kind << 13 | run, st.integers(0, 3), st.integers(0, 40)),
    st.builds(lambda bits: 0x8000 | bits, st.integers(0, 0x3FFF)),
    st.builds(lambda bits: 0xC000 | bits, st.integers(0, 0x3FFF)),
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Mostly well-formed, with base numbers near what was sent and reference times near one another."""
    base = draw(st.one_of(st.integers(0, 60), st.integers(65500, 65535), number))
    count = draw(st.one_of(st.integers(0, 60), number))
    reference = draw(st.one_of(st.integers(0, 40), st.integers(0xFFFFF0, 0xFFFFFF), st.integers(0, 0xFFFFFF)))
    chunks = draw(st.lists(chunk, max_size=8))
    deltas = draw(st.one_of(st.binary(max_size=120), st.integers(0, 12).map(lambda step: bytes((step,)) * 200)))
    return struct.pack(f"!HHI{len(chunks)}H", base, count, reference << 8, *chunks) + deltas


def told(base: int, arrivals: list[int | None]) -> bytes:
    """What a well-behaved receiver says; microseconds."""
    log = twcc.ArrivalLog()
    for step, at in enumerate(arrivals):
        if at is not None:
            log.add(base + step & 0xFFFF, at)
    packets = log.build(1, 2)
    return packets[0][12:] if packets else b""


said = st.builds(
    told,
    st.one_of(st.integers(0, 80), number),
    st.lists(st.one_of(st.none(), st.integers(0, 3_000_000)), max_size=60).map(
        lambda times: sorted(t for t in times if t is not None) + [t for t in times if t is None]
    ),
)
send = st.tuples(st.just("send"), st.integers(1, 40), st.integers(1, 2100))
hear = st.tuples(st.just("hear"), st.one_of(bodies(), said))
again = st.tuples(st.just("again"), st.integers(0, 5))
wait = st.tuples(st.just("wait"), st.sampled_from([0.0, 0.001, 0.004, 0.01, 0.05, 1.0, 10.0]))
skip = st.tuples(st.just("skip"), number)
patient = st.tuples(st.just("patient"))
forget = st.tuples(st.just("forget"), number)
steps = st.lists(st.one_of(send, send, hear, hear, wait, again, skip, forget, patient), max_size=40)


class Side:
    def __init__(self, sent: SentPackets, first: int) -> None:
        self.sent = sent
        self.sent.number[0] = first
        self.detector = DelayDetector(sent.follower)
        self.now = 1.0
        self.heard: list[bytes] = []

    def take(self, body: bytes) -> Any:
        try:
            joined = self.sent.take(body, self.now)
        except RtcpError as error:
            return error.code
        signal = self.detector.update(joined.results)
        if joined.restarted:
            self.detector.reset()
        return joined._replace(results=list(joined.results)), len(joined.results), signal, self.delay()

    def delay(self) -> Any:
        detector, follower = self.detector, self.detector._follower
        return (
            detector.signal, detector.trend, detector.threshold, detector.queue_s, detector.latest_s, follower.shortest, follower.arrival,
        )  # fmt: skip

    def step(self, what: str, *rest: Any) -> Any:
        if what == "send":
            for _ in range(rest[0]):
                self.now += 0.0015
                self.sent.note(self.sent.next(), rest[1], self.now)
        elif what == "wait":
            self.now += rest[0]
        elif what == "skip":
            self.sent.number[0] = rest[0]
        elif what == "forget":
            self.sent.forget(rest[0])
        elif what == "patient":
            self.detector.be_patient()
        elif what == "again" and self.heard:
            return self.take(self.heard[rest[0] % len(self.heard)])
        elif what == "hear":
            self.heard.append(rest[0])
            return self.take(rest[0])
        return None

    def facts(self) -> Any:
        return self.sent.number, self.sent.size, self.sent.at


def pair(first: int) -> tuple[Side, Side]:
    assert LIBRARY is not None
    return Side(SentPackets(), first), Side(NativeSentPackets(LIBRARY, Scratch(LIBRARY)), first)


@settings(deadline=None)
@given(first=st.one_of(st.just(0xFFFF), st.integers(65480, 65535), number), steps=steps)
@example(first=0xFFFF, steps=[("send", 30, 1100), ("hear", told(0, [10 * i for i in range(20)])), ("hear", told(0, [5] * 30))])
def test_both_read_the_same(first: int, steps: list[tuple[Any, ...]]) -> None:
    python, native = pair(first)
    for step in steps:
        assert native.step(*step) == python.step(*step)
    assert native.facts() == python.facts()


@settings(deadline=None)
@given(data=st.binary(max_size=64), cut=st.integers(0, 30))
def test_both_refuse_the_same(data: bytes, cut: int) -> None:
    python, native = pair(0xFFFF)
    for side in (python, native):
        side.step("send", 40, 1000)
    for body in (data, told(0, [1000 * i for i in range(40)])[:cut]):
        assert native.take(body) == python.take(body)
    assert native.facts() == python.facts()


def test_the_largest_feedback_there_is() -> None:
    python, native = pair(0xFFFF)
    for side in (python, native):
        side.step("send", 20_000, 1)
    body = struct.pack("!HHI", 0, twcc.MAX_STATUSES, 1 << 8) + struct.pack("!3H", 0x3FFF, 0x3FFF, 0x3FFF) + bytes(20_000)
    assert native.take(body) == python.take(body)
    late = struct.pack("!HHI", 20_000 - MASK - 1, 9000, 1 << 8) + struct.pack("!2H", 0x3FFF, 0x3FFF) + bytes((21,)) * 9000
    told_python, told_native = python.take(late), native.take(late)
    assert told_native == told_python
    assert told_native[1] > 3000
    assert native.detector.trend > 0
    assert native.facts() == python.facts()


@pytest.mark.parametrize("last", [0x8000, 0xA000, 0xC000, 0xD000])
def test_a_chunk_that_begins_with_the_last_status(last: int) -> None:
    """What else it says, up to 13 statuses more, is nobody's."""
    python, native = pair(0xFFFF)
    for side in (python, native):
        side.step("send", 20_000, 1)
    chunks = struct.pack("!4H", 0x3FFF, 0x3FFF, 0x2001, last | 0x0FFF)
    body = struct.pack("!HHI", 0, twcc.MAX_STATUSES, 1 << 8) + chunks + bytes(20_000)
    assert twcc.MAX_STATUSES - 1 == 2 * 0x1FFF + 1
    assert native.take(body) == python.take(body)
    assert native.facts() == python.facts()


def test_one_too_many_is_refused_and_changes_nothing() -> None:
    python, native = pair(0xFFFF)
    for side in (python, native):
        side.step("send", 40, 1000)
        before = bytes(side.sent.size)
        assert side.take(struct.pack("!HHIH", 0, twcc.MAX_STATUSES + 1, 1 << 8, 0x3FFF) + bytes(200)) == "bad_count"
        assert side.take(struct.pack("!HHIH", 0, 40, 1 << 8, 0x2028) + bytes(39)) == "truncated"
        assert bytes(side.sent.size) == before


def test_results_are_those_of_the_last_feedback() -> None:
    _, native = pair(0xFFFF)
    native.step("send", 4, 1000)
    joined = native.sent.take(told(0, [0, 10_000, 20_000]), 2.0)
    assert isinstance(joined.results, Scratch)
    assert [size for _, _, size in joined.results] == [1000] * 3
    assert (joined.received, joined.lost, joined.received_bytes, joined.rtt_s) == (3, 0, 3000, 2.0 - joined.last_sent)
    empty = native.sent.take(told(0, [0]), 2.1)
    assert not empty.results
    assert empty.rtt_s is None


def test_a_builder_of_feedback_is_understood() -> None:
    """A compound packet as a browser's, through the reader of RTCP."""
    python, native = pair(0xFFFF)
    for side in (python, native):
        side.step("send", 300, 1200)
    log = twcc.ArrivalLog()
    for i in range(0, 300, 3):
        log.add(i, 1_000_000 + 4000 * i)
    for data in log.build(1, 2):
        (packet,) = rtcp.parse_compound(data)
        assert isinstance(packet, rtcp.TransportFeedback)
        assert native.take(packet.body) == python.take(packet.body)


@pytest.mark.parametrize("path", ["steady", "grows", "shrinks", "jitters", "lumps", "steps"])
@pytest.mark.parametrize(("pause_s", "lost"), [(0.0017, 0.0), (0.0005, 0.02), (0.006, 0.3)])
def test_both_follow_the_same_trend(path: str, pause_s: float, lost: float) -> None:
    """Paths as they are, long enough for the sums to be made anew."""
    python, native = pair(0xFFFF)
    chance = random.Random(path)
    signals = set()
    sent = 0
    for block in range(60):
        arrivals: list[int | None] = []
        for step in range(30):
            n = 30 * block + step
            at = python.now + (step + 1) * pause_s
            delay = {
                "steady": 0.04,
                "grows": 0.04 + 0.0003 * n,
                "shrinks": 0.5 - 0.0002 * n,
                "jitters": 0.04 + chance.uniform(0, 0.02),
                "lumps": 0.04 + 0.05 - at % 0.05,
                "steps": 0.04 + 0.1 * (block // 10 % 2),
            }[path]
            arrivals.append(None if chance.random() < lost else int((at + delay) * 1e6))
        for side in (python, native):
            for _ in range(30):
                side.now += pause_s
                side.sent.note(side.sent.next(), 1100, side.now)
            side.now += 0.0001
        body = told(sent, arrivals)
        sent += 30
        if body:
            answers = python.take(body), native.take(body)
            assert answers[0] == answers[1]
            signals.add(native.detector.signal)
    assert native.facts() == python.facts()
    if path == "grows" and not lost:
        assert Signal.OVERUSE in signals
