"""How long the sanitiser of co-browse takes in one process: see ``bench_cobrowse``."""

import gc
import json
import math
import os
import time
import tracemalloc
from typing import NamedTuple

import msgspec

from server import heap
from server.bench_cobrowse_page import RULES, Recorded
from server.cobrowse.rules import RulePack, read_rules
from server.cobrowse.sanitiser import Sanitiser
from server.cobrowse.styles import Names, Styles

_encode = msgspec.json.Encoder().encode


def sanitiser(pack: RulePack, page: Recorded) -> Sanitiser:
    made = Sanitiser(pack, Styles(Names(os.urandom(32))))
    made.take(page.meta())
    return made


class Step(NamedTuple):
    """``left``: what leaves. ``slices``: milliseconds of each, by the clock on the wall; ``cpu``: of all of them, of the processor."""

    left: bytes
    slices: list[float]
    cpu: float


def stepped(made: Sanitiser, raw: bytes) -> Step:
    steps, slices, used = made.steps(raw), list[float](), time.process_time()
    while True:
        begun = time.perf_counter()
        try:
            next(steps)
        except StopIteration as done:
            left = b"" if done.value.event is None else _encode(done.value.event)
            slices.append((time.perf_counter() - begun) * 1000)
            return Step(left, slices, (time.process_time() - used) * 1000)
        slices.append((time.perf_counter() - begun) * 1000)


def kept(pack: RulePack, page: Recorded) -> int:
    """Bytes that a share keeps after its picture, with what its sheets became."""
    made = sanitiser(pack, page)
    raw = page.picture()
    gc.collect()
    tracemalloc.start()
    try:
        made.take(raw)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def measure(*, nodes: int, pictures: int, events: int) -> dict[str, object]:
    pack, page = read_rules(RULES), Recorded(nodes)
    made, raw = sanitiser(pack, page), page.picture()
    heap.settled()  # as in the process that does it
    first = stepped(made, raw)
    taken, reading, reading_cpu = list[Step](), list[float](), list[float]()
    for _ in range(pictures):
        taken.append(stepped(made, raw))
        begun, used = time.perf_counter(), time.process_time()
        json.dumps(json.loads(raw))
        reading.append((time.perf_counter() - begun) * 1000)
        reading_cpu.append((time.process_time() - used) * 1000)
    each = [stepped(made, one) for one in page.happenings(events)]
    sent = sum(len(stepped(made, one).left) for one in page.minute())
    cpu = [one.cpu for one in taken]
    return {
        "nodes": made.nodes,
        "raw_bytes": len(raw),
        "sanitiser_snapshot_15k_ms": at([sum(one.slices) for one in taken], 50),
        "sanitiser_snapshot_15k_cpu_ms": at(cpu, 50),
        "sanitiser_slice_max_ms": at([max(one.slices) for one in taken], 50),
        "reading_ms": at(reading, 50),
        "reading_cpu_ms": at(reading_cpu, 50),
        "ratio_to_reading": round(at(cpu, 50) / at(reading_cpu, 50), 2),
        "sanitiser_event_p50_ms": at([sum(one.slices) for one in each], 50),
        "sanitiser_event_p95_ms": at([sum(one.slices) for one in each], 95),
        "sanitiser_event_p95_cpu_ms": at([one.cpu for one in each], 95),
        "first_picture_ms": round(sum(first.slices), 3),
        "first_slice_max_ms": round(max(first.slices), 3),
        "picture_bytes": len(first.left),
        "bytes_per_minute": sent,
        "share_bytes": kept(pack, page),
    }


def at(found: list[float], percentile: float) -> float:
    """Milliseconds, by nearest rank."""
    ordered = sorted(found)
    return round(ordered[max(0, math.ceil(len(ordered) * percentile / 100) - 1)], 3)
