"""What the processes of a load counted, added up. One of the few modules that know ``media``."""

from collections.abc import Sequence

import msgspec

from media.bench.tally import Measured, Second, Spread, total
from server.loadtest.report import Loaded, SecondOf


def loaded(parts: Sequence[bytes | msgspec.Raw]) -> Loaded:
    """Of the same seconds: each part a ``Measured`` as JSON."""
    whole = total(msgspec.json.decode(part, type=Measured) for part in parts)
    latency, lag = whole.spread("latency_us"), whole.spread("lag_us")
    p50, p95, p99 = (latency.percentile(quantile) / 1000 for quantile in (0.50, 0.95, 0.99))
    return Loaded(
        [_second(second) for second in whole.seconds],
        (p50, p95, p99),
        lag.percentile(0.99) / 1000,
        whole.duplicates,
        whole.refused,
        whole.skipped,
        whole.bits,
        100 * whole.thread_s / whole.elapsed_s if whole.elapsed_s else 0.0,
    )


def _second(second: Second) -> SecondOf:
    latency = Spread(second.latency_us).percentile(0.95) / 1000 if second.latency_us else None
    return SecondOf(second.expected, second.received, latency, Spread(second.lag_us).percentile(0.99) / 1000)
