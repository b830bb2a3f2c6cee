"""What ``/metrics`` says of face checks: numbers of the workers, by what the workers are for (``faces``, ``documents``)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from server.services.face_ports import Readiness
from server.telemetry import Metrics

NAME = "tongping_verification_"
COUNTED = {
    "calls": "Checks asked for",
    "answered": "Checks answered",
    "refused": "Pictures without a usable face, or that cannot be read",
    "busy": "Checks refused because too many waited",
    "lost": "Checks whose worker was lost",
    "missed": "Checks that took too long",
    "restarts": "Workers started again after they died, were ended or refused to start",
    "renewed": "Workers replaced in order, after so many files",
    "died": "Workers that died by themselves",
}
KILLED = ("hung", "memory", "threads", "nonsense")
NOW = {
    "waiting": "Checks that wait for a worker",
    "working": "Checks that a worker is at",
    "rss_bytes": "Resident memory of the largest worker",
}
WORKERS = {
    "ready": "Workers that take checks",
    "unconfined": "Of these, workers that something of what should hold them does not hold",
}


class Counting(Protocol):
    """``server.faces.FaceWorkers``, as far as it is used here."""

    @property
    def readiness(self) -> Readiness: ...

    @property
    def counts_of(self) -> Mapping[str, Any]:
        """``verification.ports.EngineCounts`` of each; empty without an engine."""
        ...


def measure(metrics: Metrics, faces: Counting) -> None:
    """Numbers only; none of workers where there is no engine."""
    metrics.gauge(f"{NAME}ready", "Whether faces can be checked", lambda: float(faces.readiness.ready))
    for names, prefix, counts in ((COUNTED, "", True), (NOW, "", False), (WORKERS, "workers_", False)):
        for name, about in names.items():
            metrics.table(f"{NAME}{prefix}{name}", about, "workers", _reader(faces, name), counts=counts)
    metrics.grid(f"{NAME}killed", "Workers ended, by why", ("workers", "reason"), lambda: _killed(faces), counts=True)
    metrics.grid(
        f"{NAME}steps", "Checks that a worker was at, by kind", ("workers", "step"), lambda: _steps(faces), counts=True
    )
    metrics.grid(
        f"{NAME}work_seconds",
        "What they took in a worker, waiting left out: on the clock (wall) and of processor time (cpu)",
        ("workers", "step", "clock"),
        lambda: _work(faces),
        counts=True,
    )


Rows = Iterator[tuple[Sequence[str], float]]


def _reader(faces: Counting, name: str) -> Callable[[], list[tuple[str, float]]]:
    return lambda: [(workers, float(getattr(counts, name))) for workers, counts in faces.counts_of.items()]


def _killed(faces: Counting) -> Rows:
    for workers, counts in faces.counts_of.items():
        for reason in KILLED:
            yield (workers, reason), float(getattr(counts, f"killed_{reason}"))


def _steps(faces: Counting) -> Rows:
    for workers, counts in faces.counts_of.items():
        for name, step in counts.steps.items():
            yield (workers, name), float(step.calls)


def _work(faces: Counting) -> Rows:
    for workers, counts in faces.counts_of.items():
        for name, step in counts.steps.items():
            yield (workers, name, "wall"), step.wall_s
            yield (workers, name, "cpu"), step.cpu_s
