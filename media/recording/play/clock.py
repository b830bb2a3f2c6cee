"""When what is in a packet happened, on the one time line of a recording. S.

A participant's sender reports tie the RTP time of each of their streams to one clock of theirs (RFC 3550 section 6.4.1); how that clock
stands to the recording's is taken from the reports that travelled fastest, window by window, so that a clock that runs too
quickly or too slowly moves everything of that participant together: lips stay with voices. Without reports the packets'
arrival tells. Times are microseconds since the recording's zero.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable

from media.recording.index import Reported, RtpClock

WINDOW_US = 30_000_000
"""Reports of so long a time tell one offset, together with those of the window before and the one after."""
STEP_US = 5_000_000
"""A report that is further off than this from the one before: the sender has set its clock."""
EARLY_US = 1_000_000
LATE_US = 6_000_000
"""A packet that would have come so long before or after what it holds: the reports are not believed."""
CREEP = 5e-5
"""How much slower than ours a sender's crystal may be, where only arrivals tell."""
_NTP = 4294967296.0


class SenderClock:
    """A participant's NTP time → the recording's. ``reports``: of all tracks of the participant, in any order."""

    def __init__(self, reports: Iterable[Reported]) -> None:
        eras: list[tuple[int, dict[int, float]]] = []
        before = 0.0
        for each in sorted(reports, key=lambda found: found.time_us):
            seen = each.time_us - each.report.ntp / _NTP * 1e6
            if not eras or abs(seen - before) > STEP_US:
                eras.append((each.time_us, {}))
            before = seen
            windows = eras[-1][1]
            number = each.time_us // WINDOW_US
            windows[number] = min(windows.get(number, seen), seen)
        self._starts = [start for start, _ in eras]
        self._knots = [_knots(windows) for _, windows in eras]

    def __bool__(self) -> bool:
        return bool(self._starts)

    def offset_us(self, near_us: int) -> float:
        """What to add to the sender's time, in µs, around ``near_us``. Only where there are reports."""
        times, offsets = self._knots[max(0, bisect_right(self._starts, near_us) - 1)]
        at = bisect_right(times, near_us)
        if at in (0, len(times)):
            return offsets[min(at, len(times) - 1)]
        part = (near_us - times[at - 1]) / (times[at] - times[at - 1])
        return offsets[at - 1] + part * (offsets[at] - offsets[at - 1])


def _knots(windows: dict[int, float]) -> tuple[list[int], list[float]]:
    numbers = sorted(windows)
    smooth = [min(windows[near] for near in (n - 1, n, n + 1) if near in windows) for n in numbers]
    return [number * WINDOW_US + WINDOW_US // 2 for number in numbers], smooth


class _Arrivals:
    """RTP time of one SSRC by when its packets came: the one that travelled fastest tells."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._rtp = self._ahead = self._arrived = 0
        self._offset: float | None = None

    def time_us(self, rtp: int, arrived_us: int) -> float:
        if self._offset is None:
            self._rtp, self._arrived, self._offset = rtp, arrived_us, float(arrived_us)
        self._ahead += (rtp - self._rtp + 0x80000000 & 0xFFFFFFFF) - 0x80000000
        self._rtp = rtp
        media = self._ahead / self._rate * 1e6
        self._offset += max(0, arrived_us - self._arrived) * CREEP
        self._arrived = max(self._arrived, arrived_us)
        seen = arrived_us - media
        if abs(seen - self._offset) > LATE_US:  # it began anew
            self._offset = seen
        self._offset = min(self._offset, seen)
        return media + self._offset


class TrackClock:
    """RTP time of a track's packets → the recording's time. ``rate`` in Hz; ``reports``: of this track, every part of it."""

    def __init__(self, rate: int, reports: Iterable[Reported], sender: SenderClock) -> None:
        self._rate = rate
        self._sender = sender
        by_ssrc: dict[int, list[Reported]] = defaultdict(list)
        for each in reports:
            by_ssrc[each.report.ssrc].append(each)
        self._clocks = {ssrc: RtpClock(rate, found) for ssrc, found in by_ssrc.items()} if sender else {}
        self._arrivals: dict[int, _Arrivals] = {}

    def time_us(self, ssrc: int, rtp: int, arrived_us: int) -> int:
        """When the sample with this RTP time was taken. Call it in the order of the packets' numbers."""
        arrivals = self._arrivals.setdefault(ssrc, _Arrivals(self._rate))
        by_arrival = arrivals.time_us(rtp, arrived_us)
        clock = self._clocks.get(ssrc)
        ntp = clock.ntp_s(rtp, arrived_us) if clock is not None else None
        if ntp is not None:
            told = ntp * 1e6 + self._sender.offset_us(arrived_us)
            if -EARLY_US <= arrived_us - told <= LATE_US:
                return round(told)
        return round(by_arrival)
