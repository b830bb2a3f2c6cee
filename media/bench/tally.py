"""What a load counted, second by second, in a form that several processes can add up. Sans I/O.

Times are kept as numbers of values in buckets of 1.6 % (after G. Tene's HdrHistogram), so that an hour takes no more memory than a second.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

_FINE = 128
"""Values below are kept exactly; above, the highest seven bits are."""
SECOND_NS = 1_000_000_000


class Spread:
    """How values (whole numbers, here microseconds) are spread. ``counts``: bucket → how many."""

    __slots__ = ("counts",)

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        self.counts: Counter[int] = Counter(counts or {})

    def add(self, value: int) -> None:
        """Negative values count as 0."""
        if value < _FINE:
            self.counts[max(0, value)] += 1
        else:
            shift = value.bit_length() - 7
            self.counts[(shift << 6) + (value >> shift)] += 1

    def merge(self, other: "Spread") -> None:
        self.counts.update(other.counts)

    def percentile(self, quantile: float) -> int:
        """The highest value of the bucket that the quantile (0 … 1) lies in; 0 when there is none."""
        wanted = quantile * self.counts.total()
        seen = 0
        for bucket in sorted(self.counts):
            seen += self.counts[bucket]
            if seen >= wanted:
                return _highest(bucket)
        return 0


def _highest(bucket: int) -> int:
    if bucket < _FINE:
        return bucket
    shift = (bucket >> 6) - 1
    return ((bucket & 63) + 65 << shift) - 1


class Second(msgspec.Struct):
    """One second. ``expected``: packets sent, once for each who should receive them; ``received``: of those. ``latency_us``, ``lag_us``
    (how late the load sent): bucket → how many.
    """

    expected: int = 0
    received: int = 0
    latency_us: dict[int, int] = msgspec.field(default_factory=dict)
    lag_us: dict[int, int] = msgspec.field(default_factory=dict)


class Measured(msgspec.Struct):
    """A measurement of one process. ``thread_s``: processor time of its thread over ``elapsed_s``. ``skipped``: frames not sent
    because the load was too late; ``refused``: packets that could not be decrypted or read; ``bits``: of media sent."""

    seconds: list[Second]
    duplicates: int = 0
    refused: int = 0
    skipped: int = 0
    bits: int = 0
    sources: int = 0
    thread_s: float = 0.0
    elapsed_s: float = 0.0

    @property
    def expected(self) -> int:
        return sum(second.expected for second in self.seconds)

    @property
    def received(self) -> int:
        return sum(second.received for second in self.seconds)

    def spread(self, name: str) -> Spread:
        """Of ``latency_us`` or ``lag_us`` over all seconds."""
        whole = Spread()
        for second in self.seconds:
            whole.merge(Spread(getattr(second, name)))
        return whole


def loss(expected: int, received: int) -> float:
    """0 … 1; 1 when nothing was expected: a load that sends nothing has not shown anything."""
    return 1 - received / expected if expected else 1.0


def total(parts: Iterable[Measured]) -> Measured:
    """Of several processes that measured the same seconds. Threads' time is the busiest one's."""
    all_ = list(parts)
    length = max((len(part.seconds) for part in all_), default=0)
    seconds = []
    for number in range(length):
        latency, lag = Spread(), Spread()
        own = [part.seconds[number] for part in all_ if number < len(part.seconds)]
        for second in own:
            latency.merge(Spread(second.latency_us))
            lag.merge(Spread(second.lag_us))
        expected = sum(second.expected for second in own)
        received = sum(second.received for second in own)
        seconds.append(Second(expected, received, dict(latency.counts), dict(lag.counts)))
    busiest = max(all_, key=lambda part: part.thread_s / part.elapsed_s if part.elapsed_s else 0.0, default=Measured([]))
    return Measured(
        seconds,
        sum(part.duplicates for part in all_),
        sum(part.refused for part in all_),
        sum(part.skipped for part in all_),
        sum(part.bits for part in all_),
        sum(part.sources for part in all_),
        busiest.thread_s,
        busiest.elapsed_s,
    )


class Tally:
    """Counts what is made between two moments (ns of the wall clock) and arrives, whenever that is."""

    def __init__(self, begin_ns: int, seconds: float) -> None:
        self.begin_ns = begin_ns
        self.end_ns = begin_ns + int(seconds * SECOND_NS)
        whole = max(1, -(-(self.end_ns - begin_ns) // SECOND_NS))
        self._expected = [0] * whole
        self._received = [0] * whole
        self._latency = [Spread() for _ in range(whole)]
        self._lag = [Spread() for _ in range(whole)]
        self.duplicates = self.refused = self.skipped = self.bits = 0

    def covers(self, made_ns: int) -> bool:
        return self.begin_ns <= made_ns < self.end_ns

    def sent(self, made_ns: int, packets: int, viewers: int, octets: int, lag_us: int) -> None:
        """Call for what ``covers`` only, as ``arrived``."""
        second = (made_ns - self.begin_ns) // SECOND_NS
        self._expected[second] += packets * viewers
        self._lag[second].add(lag_us)
        self.bits += 8 * octets

    def arrived(self, made_ns: int, packets: int, latency_us: int) -> None:
        second = (made_ns - self.begin_ns) // SECOND_NS
        self._received[second] += packets
        self._latency[second].add(latency_us)

    def measured(self, sources: int, thread_s: float, elapsed_s: float) -> Measured:
        rows = zip(self._expected, self._received, self._latency, self._lag, strict=True)
        return Measured(
            [Second(expected, received, dict(latency.counts), dict(lag.counts)) for expected, received, latency, lag in rows],
            self.duplicates,
            self.refused,
            self.skipped,
            self.bits,
            sources,
            thread_s,
            elapsed_s,
        )
