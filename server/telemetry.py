"""Logs and metrics. A log entry is a static message and fields; ids only, never names, tokens, SDP or text of people."""

import asyncio
import contextlib
import io
import logging
import logging.handlers
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any, TextIO, cast

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

FORBIDDEN_FIELDS = frozenset({"token", "sdp", "text", "password", "secret", "body", "customer_name", "username"})
OUR_PACKAGES = frozenset({"server", "media", "verification"})
LAG_INTERVAL_S = 0.5
_LOG_RECORD_FIELDS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def configure(level: str = "info", stream: TextIO | None = None) -> None:
    """JSON lines on ``stream`` (standard error), for structlog and for the standard library's loggers."""
    output = _Sparing(stream or sys.stderr)
    number = getattr(logging, level.upper())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _withhold,
            structlog.processors.ExceptionRenderer(_render_exception),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", output)),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(_StaticFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for package in OUR_PACKAGES:
        logging.getLogger(package).setLevel(number)


@contextlib.contextmanager
def held_back(name: str) -> Iterator[None]:
    """What this logger of the standard library says is written when the block is over, or with its first warning; never, where the block raises."""
    logger = logging.getLogger(name)
    target = logging.getLogger().handlers[0]
    held = logging.handlers.MemoryHandler(1000, logging.WARNING, target, flushOnClose=False)
    logger.addHandler(held)
    logger.propagate = False
    try:
        yield
        held.flush()
    finally:
        logger.propagate = True
        logger.removeHandler(held)
        held.close()


class _Sparing(io.TextIOBase):
    """Writes to another stream. Where that fails, on a full disk or because nobody reads any more, lines are lost and nothing else: no request ends by it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


def _withhold(_: Any, __: str, event: Any) -> Any:
    """The last line of defence: such a field should not have been given at all."""
    for field in FORBIDDEN_FIELDS & event.keys():
        event[field] = "withheld"
    return event


def _render_exception(exc_info: Any) -> str:
    """Types and places; no values: an exception's text may hold what a person wrote."""
    kind, _, trace = exc_info
    places = []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} {code.co_qualname}")
        trace = trace.tb_next
    return f"{kind.__module__}.{kind.__qualname__} at " + " < ".join(reversed(places[-12:]))


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


class _StaticFormatter(logging.Formatter):
    """Our own loggers: the static message and ``extra``. Foreign ones: the message unformatted; arguments may hold anything."""

    def format(self, record: logging.LogRecord) -> str:
        ours = record.name.partition(".")[0] in OUR_PACKAGES
        event: dict[str, Any] = {"event": str(record.msg)[:200] if ours or record.args else "foreign log entry"}
        if ours:
            event |= {name: value for name, value in record.__dict__.items() if name not in _LOG_RECORD_FIELDS}
        event |= {"level": record.levelname.lower(), "logger": record.name, "timestamp": _iso(record.created)}
        if record.exc_info and record.exc_info[0]:
            event["exception"] = _render_exception(record.exc_info)
        return str(structlog.processors.JSONRenderer()(None, "", _withhold(None, "", event)))


class _Table(Collector):
    def __init__(
        self,
        family: type[CounterMetricFamily | GaugeMetricFamily],
        name: str,
        about: str,
        labels: Sequence[str],
        read: Callable[[], Iterable[tuple[Sequence[str], float]]],
    ) -> None:
        self._family, self._name, self._about, self._labels, self._read = family, name, about, labels, read

    def collect(self) -> Iterator[Metric]:
        family = self._family(self._name, self._about, labels=self._labels)
        for values, number in self._read():
            family.add_metric(values, number)
        yield family


class _Spread(Collector):
    def __init__(
        self,
        name: str,
        about: str,
        label: str,
        bounds: Sequence[float],
        read: Callable[[], Iterable[tuple[str, Sequence[int], float]]],
    ) -> None:
        self._name, self._about, self._label, self._read = name, about, label, read
        self._bounds = [*(str(bound) for bound in bounds), "+Inf"]

    def collect(self) -> Iterator[Metric]:
        family = HistogramMetricFamily(self._name, self._about, labels=[self._label])
        for value, counts, total in self._read():
            family.add_metric([value], list(zip(self._bounds, map(float, accumulate(counts)), strict=True)), total)
        yield family


class Metrics:
    """Prometheus metrics of one server in a registry of its own. Labels are bounded: routes, methods, statuses."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "tongping_http_requests", "REST and page requests", ["method", "route", "status"], registry=self.registry
        )
        self.malformed = Counter(
            "tongping_http_malformed", "What came to the TCP port and was no HTTP request", registry=self.registry
        )
        self.request_seconds = Histogram(
            "tongping_http_request_seconds",
            "Time to answer a request",
            ["route"],
            buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
            registry=self.registry,
        )
        self.loop_lag_seconds = Histogram(
            "tongping_event_loop_lag_seconds",
            "How late timers fire",
            buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1),
            registry=self.registry,
        )

    def gauge(self, name: str, about: str, read: Callable[[], float]) -> None:
        """A value that is read when the metrics are."""
        Gauge(name, about, registry=self.registry).set_function(read)

    def table(
        self, name: str, about: str, label: str, read: Callable[[], Iterable[tuple[str, float]]], *, counts: bool
    ) -> None:
        """Values by one label that are read when the metrics are; ``counts``: they only grow, until what they count starts over."""
        family = CounterMetricFamily if counts else GaugeMetricFamily
        self.registry.register(_Table(family, name, about, [label], lambda: [((value,), number) for value, number in read()]))

    def grid(
        self,
        name: str,
        about: str,
        labels: Sequence[str],
        read: Callable[[], Iterable[tuple[Sequence[str], float]]],
        *,
        counts: bool = False,
    ) -> None:
        """Values by several labels that are read when the metrics are; ``counts`` as of ``table``."""
        self.registry.register(_Table(CounterMetricFamily if counts else GaugeMetricFamily, name, about, labels, read))

    def spread(
        self,
        name: str,
        about: str,
        label: str,
        bounds: Sequence[float],
        read: Callable[[], Iterable[tuple[str, Sequence[int], float]]],
    ) -> None:
        """Histograms by one label that somebody else fills: samples by bucket, not added up, one more than ``bounds``; and their sum."""
        self.registry.register(_Spread(name, about, label, bounds, read))

    def render(self) -> bytes:
        """The text exposition format."""
        return generate_latest(self.registry)

    async def watch_loop(self) -> None:
        """Measure the event loop's lag until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_INTERVAL_S
            await asyncio.sleep(LAG_INTERVAL_S)
            self.loop_lag_seconds.observe(max(0.0, loop.time() - due))
