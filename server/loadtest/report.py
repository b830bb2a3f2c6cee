"""The figures of a load test from what was counted, as they are printed. Sans I/O."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from server.loadtest.scrape import Scrape, between

LATE_MS = 10.0
BUSY_PERCENT = 85.0
"""A load that sends later than this, or whose thread works more than this, is what was measured."""
WORKER_WINDOW_S = 10.0


@dataclass(frozen=True, slots=True)
class SecondOf:
    """One second of the load; ``None``: nothing came."""

    expected: int
    received: int
    latency_p95_ms: float | None
    load_lag_p99_ms: float


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the processes of the load counted together; ``seconds`` in their order."""

    seconds: Sequence[SecondOf]
    latency_ms: tuple[float, float, float]
    lag_p99_ms: float
    duplicates: int
    refused: int
    skipped: int
    bits: int
    busiest_percent: float


@dataclass(frozen=True, slots=True)
class Joined:
    """``joins_s``: (when begun, how long) of all; ``warm_up_s``: the longest; ``flows``: everywhere everything arrived before."""

    joins_s: Sequence[tuple[float, float]]
    warm_up_s: float
    flows: bool


def joins_per_s(joins_s: Sequence[tuple[float, float]]) -> float | None:
    """Over the time from the first one's beginning to the last one's end; None where nobody came."""
    if not joins_s:
        return None
    span = max(at + took for at, took in joins_s) - min(at for at, _ in joins_s)
    return len(joins_s) / span if span > 0 else None


def percentile(values: Sequence[float], quantile: float) -> float | None:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(quantile * len(ordered)))] if ordered else None


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _ms(value: float | None) -> float | None:
    return None if value is None else round(1000 * value, 1)


def figures(
    settings: Mapping[str, Any],
    joined: Joined,
    loaded: Loaded,
    scrapes: Sequence[Scrape],
    failures: Mapping[str, int],
) -> dict[str, Any]:
    """Everything that ``--json`` prints. ``scrapes``: during the measured seconds, the first just before, the last just after.

    What the server did not tell is null.
    """
    all_failures = Counter(failures)
    whole = between(scrapes[0], scrapes[-1]) if len(scrapes) > 1 else None
    if whole is not None and whole.restarted and scrapes[0].workers:
        all_failures["a media worker was started again"] += 1
    worker_lag = _worker_lag(scrapes)
    server_lag = whole.server_lag_p99_ms if whole else None
    expected = sum(second.expected for second in loaded.seconds)
    received = sum(second.received for second in loaded.seconds)
    duration_s = len(loaded.seconds)
    limits = []
    if loaded.lag_p99_ms > LATE_MS:
        limits.append(f"the load sent late: {loaded.lag_p99_ms:.0f} ms at the 99th percentile")
    if loaded.busiest_percent > BUSY_PERCENT:
        limits.append(f"a thread of the load worked {loaded.busiest_percent:.0f} % of the time")
    if loaded.skipped:
        limits.append(f"the load left out {loaded.skipped} frames that it was too late for")
    return {
        **settings,
        "joined": len(joined.joins_s),
        "joins_per_s": _rounded(joins_per_s(joined.joins_s), 2),
        "join_p50_ms": _ms(percentile([took for _, took in joined.joins_s], 0.5)),
        "join_p95_ms": _ms(percentile([took for _, took in joined.joins_s], 0.95)),
        "warm_up_s": round(joined.warm_up_s, 1),
        "flows": joined.flows,
        "packets": expected,
        "received": received,
        "loss": round(1 - received / expected, 6) if expected else 1.0,
        "duplicates": loaded.duplicates,
        "latency_p50_ms": _rounded(loaded.latency_ms[0], 2),
        "latency_p95_ms": _rounded(loaded.latency_ms[1], 2),
        "latency_p99_ms": _rounded(loaded.latency_ms[2], 2),
        "sent_mbps": round(loaded.bits / duration_s / 1e6, 2) if duration_s else 0.0,
        "forwards_per_s": round(received / duration_s) if duration_s else 0,
        "cpu_us_per_forward": _rounded(whole.cpu_us_per_forward, 2) if whole else None,
        "worker_cpu_percent": _rounded(whole.worker_cpu_percent, 1) if whole else None,
        "server_cpu_percent": _rounded(whole.server_cpu_percent, 1) if whole else None,
        "event_loop_lag_p99_ms": _rounded(_highest([worker_lag, server_lag]), 2),
        "worker_lag_p99_ms": _rounded(worker_lag, 2),
        "server_lag_p99_ms": _rounded(server_lag, 2),
        "load_lag_p99_ms": round(loaded.lag_p99_ms, 2),
        "load_thread_percent": round(loaded.busiest_percent, 1),
        "load_refused": loaded.refused,
        "load_was_the_limit": limits,
        "failures": dict(all_failures.most_common()),
        "series": series(loaded.seconds, scrapes),
    }


def _worker_lag(scrapes: Sequence[Scrape]) -> float | None:
    """The highest; workers speak of their last ten seconds, so what they say in the first ten has the joins in it. Of a shorter
    measurement it is what they said last.
    """
    late = [one for one in scrapes if one.at - scrapes[0].at >= WORKER_WINDOW_S] or list(scrapes[-1:])
    return _highest([1000 * worker.lag_p99_s for one in late for worker in one.workers.values()])


def _highest(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def series(seconds: Sequence[SecondOf], scrapes: Sequence[Scrape]) -> list[dict[str, float | None]]:
    """One row to a second of the load. The server's figures are of two seconds around it: workers say theirs once a second."""
    rows: list[dict[str, float | None]] = []
    begin = scrapes[0].at if scrapes else 0.0
    for number, second in enumerate(seconds):
        near = [scrape for scrape in scrapes if number - 0.75 <= scrape.at - begin <= number + 1.75]
        found = between(near[0], near[-1]) if len(near) > 1 else None
        rows.append(
            {
                "at_s": number + 1,
                "latency_p95_ms": _rounded(second.latency_p95_ms, 2),
                "loss": round(1 - second.received / second.expected, 6) if second.expected else None,
                "worker_lag_p99_ms": _rounded(found.worker_lag_p99_ms, 2) if found else None,
                "worker_cpu_percent": _rounded(found.worker_cpu_percent, 1) if found else None,
                "server_cpu_percent": _rounded(found.server_cpu_percent, 1) if found else None,
                "load_lag_p99_ms": round(second.load_lag_p99_ms, 2),
            }
        )
    return rows


_TABLE = (
    ("people who came", "joined", "", 1.0),
    ("joins a second", "joins_per_s", "", 1.0),
    ("join, median", "join_p50_ms", "ms", 1.0),
    ("join, 95 %", "join_p95_ms", "ms", 1.0),
    ("packets forwarded a second", "forwards_per_s", "", 1.0),
    ("loss", "loss", "%", 100.0),
    ("latency, median", "latency_p50_ms", "ms", 1.0),
    ("latency, 95 %", "latency_p95_ms", "ms", 1.0),
    ("latency, 99 %", "latency_p99_ms", "ms", 1.0),
    ("processor per forward", "cpu_us_per_forward", "µs", 1.0),
    ("media workers", "worker_cpu_percent", "% of a core", 1.0),
    ("the server itself", "server_cpu_percent", "% of a core", 1.0),
    ("event loops late, 99 %", "event_loop_lag_p99_ms", "ms", 1.0),
    ("the load itself late, 99 %", "load_lag_p99_ms", "ms", 1.0),
    ("the load's busiest thread", "load_thread_percent", "% of a core", 1.0),
)


def table(found: Mapping[str, Any]) -> str:
    lines = [f"{found['rooms']} rooms of {found['people']}, {found['duration_s']:g} s, on {found['cores']} cores"]
    for label, name, unit, factor in _TABLE:
        value = found[name]
        shown = "not known" if value is None else f"{round(value * factor, 4):g} {unit}".rstrip()
        lines.append(f"  {label:28} {shown}")
    if not found["flows"]:
        lines.append("  The relay did not carry everything before the measurement began.")
    lines += [f"  THE LOAD WAS THE LIMIT: {limit}" for limit in found["load_was_the_limit"]]
    lines += [f"  failed {count} times: {reason}" for reason, count in found["failures"].items()]
    return "\n".join(lines)
