"""The figures of ``tongping bench recording`` from what was counted with and without recording. Sans I/O."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from media.bench.tally import Measured, Spread, loss, total
from media.recording.records import Kind, Record, unpack_gap

LATE_MS = 10.0
BUSY_PERCENT = 85.0
QUIET_PERCENT = 10.0
_HALF = 0x8000


@dataclass(frozen=True, slots=True)
class Round:
    """One measurement. ``workers_s``, ``recorder_s``, ``others_s``: processor time over ``elapsed_s``; the last of all that is neither of
    those nor the load. ``window_s``: of it, what was counted. ``size``: bytes of track files, over ``recorded_s`` seconds; both 0 where
    nothing was recorded.
    """

    recording: bool
    measured: Measured
    window_s: float
    elapsed_s: float
    workers_s: float
    recorder_s: float
    others_s: float
    lag_p99_ms: float
    size: int = 0
    recorded_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Track:
    """What is in one track. ``missing``: sequence numbers between the first and the last that are not there. ``gaps``: gap records, of
    which ``dropped`` packets are told.
    """

    packets: int
    missing: int
    gaps: int
    dropped: int


def read_track(records: Iterable[Record]) -> Track:
    """Of a track whose every packet has one source and comes once or twice."""
    first = highest = -1
    seen: set[int] = set()
    gaps = dropped = 0
    for record in records:
        if record.kind == Kind.GAP:
            gaps += 1
            dropped += unpack_gap(record.payload).packets
        elif record.kind == Kind.RTP:
            seq = int.from_bytes(record.payload[2:4], "big")
            if first < 0:
                first = highest = seq
            ahead = (seq - highest) & 0xFFFF
            number = highest + (ahead if ahead < _HALF else ahead - 0x10000)
            highest = max(highest, number)
            first = min(first, number)
            seen.add(number)
    return Track(len(seen), highest - first + 1 - len(seen) if seen else 0, gaps, dropped)


@dataclass(frozen=True, slots=True)
class Verified:
    """``findings``: of all recordings that are not intact and complete, in words. ``failed``: what the recorder told to have failed."""

    recordings: int
    complete: int
    findings: tuple[str, ...]
    failed: tuple[str, ...]


def _p95_ms(parts: Sequence[Measured]) -> float:
    whole = Spread()
    for part in parts:
        whole.merge(part.spread("latency_us"))
    return whole.percentile(0.95) / 1000


def _percent(part_s: float, whole_s: float) -> float:
    return round(100 * part_s / whole_s, 1) if whole_s else 0.0


def _loss(rounds: Sequence[Round]) -> float:
    whole = total(each.measured for each in rounds)
    return round(loss(whole.expected, whole.received), 6)


def figures(recordings: int, rounds: Sequence[Round], tracks: Sequence[Track], verified: Verified) -> dict[str, Any]:
    """``recordings``: at a time. ``rounds``: with and without recording, at least one of each."""
    on = [each for each in rounds if each.recording]
    off = [each for each in rounds if not each.recording]
    on_s, off_s = sum(each.elapsed_s for each in on), sum(each.elapsed_s for each in off)
    p95_on, p95_off = _p95_ms([each.measured for each in on]), _p95_ms([each.measured for each in off])
    load_lag = max(each.measured.spread("lag_us").percentile(0.99) / 1000 for each in rounds)
    thread = max(_percent(each.measured.thread_s, each.measured.elapsed_s) for each in rounds)
    limits = []
    if load_lag > LATE_MS:
        limits.append(f"the load sent late: {load_lag:.0f} ms at the 99th percentile")
    if thread > BUSY_PERCENT:
        limits.append(f"the load's thread worked {thread:.0f} % of the time")
    if skipped := sum(each.measured.skipped for each in rounds):
        limits.append(f"the load left out {skipped} frames that it was too late for")
    others = [_percent(each.others_s, each.elapsed_s) for each in rounds]
    forwards_per_s = sum(each.measured.received for each in on) / sum(each.window_s for each in on)
    recorded_s = sum(each.recorded_s for each in on)
    workers_on, workers_off = sum(each.workers_s for each in on), sum(each.workers_s for each in off)
    recorder_s = sum(each.recorder_s for each in on)
    return {
        "recordings": recordings,
        "loss": _loss(on),
        "loss_without": _loss(off),
        "latency_p95_ms": round(p95_on, 2),
        "latency_p95_without_ms": round(p95_off, 2),
        "latency_p95_added_ms": round(p95_on - p95_off, 2),
        "cpu_percent": _percent(workers_on + recorder_s, on_s),
        "cpu_without_percent": _percent(workers_off, off_s),
        "worker_cpu_percent": _percent(workers_on, on_s),
        "recorder_cpu_percent": _percent(recorder_s, on_s),
        "worker_us_per_forward": round(1e6 * workers_on / on_s / forwards_per_s, 2) if forwards_per_s else None,
        "loop_lag_p99_ms": round(max(each.lag_p99_ms for each in on), 2),
        "forwards_per_s": round(forwards_per_s),
        "tracks": len(tracks),
        "recorded_packets": sum(track.packets for track in tracks),
        "missing_packets": sum(track.missing for track in tracks),
        "gaps": sum(track.gaps for track in tracks),
        "dropped_packets": sum(track.dropped for track in tracks),
        "verified": verified.complete,
        "verify": "complete" if verified.recordings and verified.complete == verified.recordings else "not complete",
        "findings": list(verified.findings),
        "recorder_failures": list(verified.failed),
        "disk_bytes_per_s": round(sum(each.size for each in on) / recorded_s) if recorded_s else 0,
        "load_lag_p99_ms": round(load_lag, 2),
        "load_thread_percent": thread,
        "load_was_the_limit": limits,
        "others_percent": max(others),
        "quiet": max(others) <= QUIET_PERCENT,
        "rounds": [
            {
                "recording": each.recording,
                "loss": _loss([each]),
                "latency_p95_ms": round(_p95_ms([each.measured]), 2),
                "worker_cpu_percent": _percent(each.workers_s, each.elapsed_s),
                "recorder_cpu_percent": _percent(each.recorder_s, each.elapsed_s),
                "others_percent": other,
            }
            for each, other in zip(rounds, others, strict=True)
        ],
    }


def unharmed(found: dict[str, Any], added_ms: float) -> bool:
    """Whether calls lost nothing and were not later by more, and every recording is whole."""
    return bool(
        found["loss"] == 0
        and found["latency_p95_added_ms"] <= added_ms
        and found["verify"] == "complete"
        and not (found["gaps"] or found["missing_packets"] or found["recorder_failures"])
    )
