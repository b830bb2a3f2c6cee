"""What the server says of itself at ``/metrics`` (Prometheus text format), and what follows from two such answers. Sans I/O."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_LINE = re.compile(r"^(\w+)(?:\{([^}]*)\})? (\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_WORKER = "tongping_media_worker_"
_LAG = "tongping_event_loop_lag_seconds_bucket"


@dataclass(frozen=True, slots=True)
class Worker:
    """``cpu_s`` and ``forwards`` grow since it started; ``lag_p99_s``: of its last ten seconds."""

    cpu_s: float = 0.0
    forwards: float = 0.0
    lag_p99_s: float = 0.0
    restarts: float = 0.0


@dataclass(frozen=True, slots=True)
class Scrape:
    """``at``: seconds of the asker's monotonic clock. ``lag``: (upper bound in seconds, cumulative count) of the server's timers.

    ``server_cpu_s``: processor time of the server's own process where the asker can see it.
    """

    at: float
    workers: Mapping[str, Worker] = field(default_factory=dict)
    lag: Sequence[tuple[float, float]] = ()
    server_cpu_s: float | None = None


def read(text: str, at: float, server_cpu_s: float | None = None) -> Scrape:
    """Lines that are not understood are left out."""
    workers: dict[str, dict[str, float]] = {}
    lag: list[tuple[float, float]] = []
    names = {
        "cpu_seconds_total": "cpu_s",
        "forwards_total": "forwards",
        "lag_p99_seconds": "lag_p99_s",
        "restarts_total": "restarts",
    }
    for line in text.splitlines():
        found = _LINE.match(line)
        if found is None:
            continue
        name, labels, number = found.groups()
        try:
            value = float(number)
        except ValueError:
            continue
        by = dict(_LABEL.findall(labels or ""))
        if name.startswith(_WORKER) and "worker" in by and (what := names.get(name.removeprefix(_WORKER))):
            workers.setdefault(by["worker"], {})[what] = value
        elif name == _LAG and "le" in by:
            lag.append((float(by["le"]), value))
    return Scrape(at, {number: Worker(**values) for number, values in workers.items()}, tuple(sorted(lag)), server_cpu_s)


@dataclass(frozen=True, slots=True)
class Between:
    """From one answer to a later one; None: not known. ``lag_p99_ms``: of the server's event loop; the bound of the bucket, at most 1 s.

    ``restarted``: a worker was, or there is none in common, so that nothing of them is known.
    """

    seconds: float
    forwards: float | None
    cpu_us_per_forward: float | None
    worker_cpu_percent: float | None
    server_cpu_percent: float | None
    worker_lag_p99_ms: float | None
    server_lag_p99_ms: float | None
    restarted: bool


def between(first: Scrape, last: Scrape) -> Between:
    seconds = last.at - first.at
    common = first.workers.keys() & last.workers.keys()
    restarted = not common or any(
        last.workers[one].restarts != first.workers[one].restarts or last.workers[one].cpu_s < first.workers[one].cpu_s
        for one in common
    )
    forwards = cpu_s = lag = None
    if not restarted:
        forwards = sum(last.workers[one].forwards - first.workers[one].forwards for one in common)
        cpu_s = sum(last.workers[one].cpu_s - first.workers[one].cpu_s for one in common)
        lag = 1000 * max(last.workers[one].lag_p99_s for one in common)
    server_s = None
    if first.server_cpu_s is not None and last.server_cpu_s is not None:
        server_s = last.server_cpu_s - first.server_cpu_s
    return Between(
        seconds,
        forwards,
        1e6 * cpu_s / forwards if cpu_s is not None and forwards else None,
        100 * cpu_s / seconds if cpu_s is not None and seconds > 0 else None,
        100 * server_s / seconds if server_s is not None and seconds > 0 else None,
        lag,
        _lag_p99_ms(first.lag, last.lag),
        restarted,
    )


def _lag_p99_ms(first: Sequence[tuple[float, float]], last: Sequence[tuple[float, float]]) -> float | None:
    """The bound of the bucket that the 99th percentile of what came between lies in; 1 s stands for all above."""
    before = dict(first)
    grown = [(bound, count - before.get(bound, 0.0)) for bound, count in last]
    if not grown or grown[-1][1] <= 0:
        return None
    highest = max((bound for bound, _ in grown if bound != float("inf")), default=0.0)
    wanted = 0.99 * grown[-1][1]
    return 1000 * min(highest, next(bound for bound, count in grown if count >= wanted))
