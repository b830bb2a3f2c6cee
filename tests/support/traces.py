"""Recorded paths: what a real browser's transport-wide feedback said of what was sent to it, kept in ``tests/data/traces``.

A file is compressed JSON. All times are milliseconds from its beginning, numbers are transport-wide ones of 16 bits:

``what``: one line. ``start``: the estimate at the beginning, bit/s. ``capacity``: [time, bit/s] from then on, 0 without a limit. ``number``: of the first packet. ``packets``: [time since the
packet before, bytes] in order of numbers; 0 bytes: its feedback does not count. ``feedback``: [time, its bytes in hexadecimal].
``padding``: [time, bytes] asked for. ``wanted``: [time, demand, floor], bit/s.

A replay is an open loop: what was sent is what the estimate of that day allowed. What the estimator makes of it may change; what it may
not make of it is asserted by ``tests/unit/media/congestion/test_recorded.py``.
"""

import gzip
import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from media.congestion.estimator import Estimator, EstimatorConfig
from media.congestion.history import SentPackets
from tests.support.netsim import SAMPLE_S, TICK_S, Trace

FOLDER = Path(__file__).resolve().parents[1] / "data" / "traces"
UNLIMITED_BPS = 20e6
"""Drawn and compared as this much."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """As described above, times in seconds, packets with their numbers: (number, at, bytes)."""

    what: str
    start_bps: int
    capacity: list[tuple[float, float]]
    packets: list[tuple[int, float, int]]
    feedback: list[tuple[float, bytes]]
    padding: list[tuple[float, int]]
    wanted: list[tuple[float, int, int]]

    @property
    def seconds(self) -> float:
        return self.feedback[-1][0]

    def capacity_at(self, at: float) -> float:
        found = 0.0
        for start, bps in self.capacity:
            if at >= start:
                found = bps
        return found or UNLIMITED_BPS


def names() -> list[str]:
    return sorted(path.name.removesuffix(".json.gz") for path in FOLDER.glob("*.json.gz"))


def load(name: str) -> Recorded:
    with gzip.open(FOLDER / f"{name}.json.gz", "rt", encoding="utf-8") as file:
        raw = json.load(file)
    packets = []
    at = 0.0
    for step, (since, size) in enumerate(raw["packets"]):
        at += since
        packets.append(((raw["number"] + step) & 0xFFFF, at / 1000, size))
    return Recorded(
        raw["what"],
        raw["start"],
        [(at / 1000, bps) for at, bps in raw["capacity"]],
        packets,
        [(at / 1000, bytes.fromhex(body)) for at, body in raw["feedback"]],
        [(at / 1000, size) for at, size in raw["padding"]],
        [(at / 1000, demand, floor) for at, demand, floor in raw["wanted"]],
    )


def from_log(
    lines: list[list[Any]], *, what: str, capacity: list[tuple[float, float]], begin: float, end: float
) -> dict[str, Any]:
    """What ``path_log`` wrote of who came first from ``begin`` to ``end``, as it is kept. ``capacity`` by the same clock.

    Raises ValueError when that connection was not the same all the time.
    """

    def ms(at: float) -> float:
        return round(1000 * (at - begin), 1)

    joined = [(line[1], line[2]) for line in lines if line[0] == "j"]
    connections = {number for number, participant in joined if participant == joined[0][1]}
    ours = [line for line in lines if line[1] in connections]
    heard = {line[1] for line in ours if line[0] == "f" and begin <= line[2] < end}
    if len(heard) != 1:
        raise ValueError(f"{len(heard)} connections, not one")
    ours = [line for line in ours if line[1] in heard]
    packets = [packet for line in ours if line[0] == "s" for packet in line[2] if begin <= packet[1] < end]
    since = [ms(packets[0][1]), *(round(1000 * (new[1] - old[1]), 2) for old, new in pairwise(packets))]
    heard_lines = [line for line in ours if line[0] == "f"]
    wanted = [(line[2], line[3], line[4]) for line in ours if line[0] == "w" and line[2] < end]
    first = max((at for at, _, _ in wanted if at <= begin), default=begin)
    return {
        "what": what,
        "start": next(line[4] for line in reversed(heard_lines) if line[2] <= max(begin, heard_lines[0][2])),
        "capacity": [[max(0.0, ms(at)), bps] for at, bps in capacity],
        "number": packets[0][0],
        "packets": [[gap, packet[2]] for gap, packet in zip(since, packets, strict=True)],
        "feedback": [[ms(line[2]), line[3]] for line in heard_lines if begin <= line[2] < end],
        "padding": [[ms(line[2]), line[3]] for line in ours if line[0] == "p" and begin <= line[2] < end],
        "wanted": [[max(0.0, ms(at)), demand, floor] for at, demand, floor in wanted if at >= first],
    }


def save(name: str, raw: dict[str, Any]) -> Path:
    path = FOLDER / f"{name}.json.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(json.dumps(raw, separators=(",", ":")).encode(), 9, mtime=0))
    return path


def play(recorded: Recorded) -> Trace:
    """What an estimator makes of it, sampled each ``SAMPLE_S``. ``queue`` is what it takes for the queue."""
    estimator = Estimator(0.0, EstimatorConfig(start_bps=recorded.start_bps))
    trace = Trace()
    sent = SentPackets()
    events: list[tuple[float, int, Any]] = [(at, 0, (number, size)) for number, at, size in recorded.packets]
    events += [(at, 1, body) for at, body in recorded.feedback]
    events += [(at, 2, (demand, floor)) for at, demand, floor in recorded.wanted]
    steps = int(recorded.seconds / TICK_S)
    events += [(step * TICK_S, 3, step) for step in range(steps)]
    padding = dict.fromkeys(range(steps + 1), 0)
    for at, size in recorded.padding:
        padding[min(steps, int(at / TICK_S) + 1)] += size
    last_sent, since_tick, since_sample = -1.0, 0, 0
    for at, kind, what in sorted(events, key=lambda event: event[:2]):
        if kind == 0:
            number, size = what
            sent.number[0] = number
            sent.note(number, size, at)
            last_sent = at
            since_tick += size
            since_sample += size
        elif kind == 1:
            estimator.on_joined(sent.take(what, at), at)
        elif kind == 2:
            estimator.demand_bps, estimator.floor_bps = what
        else:
            estimator.tick(last_sent, max(0, since_tick - padding[what]), at)
            since_tick = 0
            if what % round(SAMPLE_S / TICK_S) == 0:
                trace.times.append(at)
                trace.capacity.append(recorded.capacity_at(at))
                trace.estimate.append(estimator.estimate_bps)
                trace.sent.append(8 * since_sample / SAMPLE_S)
                trace.padding.append(8 * padding[what] / TICK_S)
                trace.arrived.append(estimator.acked_bps or 0.0)
                trace.queue.append(estimator.delay.queue_s)
                since_sample = 0
    return trace
