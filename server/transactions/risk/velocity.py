"""How often something happened in the last minutes and hours, for many keys in little memory. Sans-I/O.

Each key has at most 160 buckets: minutes for the last hour, quarters of an hour before that. A count is never too low: everything younger than the
window is in it, and at most what is a bucket older (a minute; a quarter of an hour in windows over an hour). Times are POSIX seconds.

Overflow: beyond ``max_keys`` the key that was quiet longest is forgotten, and ``forgotten`` counts it.
"""

from array import array
from collections import OrderedDict

MINUTE = 60
HOUR = 3600
DAY = 86_400
QUARTER = 15  # minutes
MAX_KEYS = 200_000
_MOST = 2**31


class Velocity:
    def __init__(self, max_keys: int = MAX_KEYS) -> None:
        self._max_keys = max_keys
        self._keys: OrderedDict[bytes, array[int]] = OrderedDict()
        self.forgotten = 0

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, key: bytes, at: float) -> None:
        """It happened once more at ``at``; also out of order, within the last day."""
        minute = int(at // MINUTE)
        buckets = self._keys.get(key)
        if buckets is None:
            if len(self._keys) >= self._max_keys:
                self._keys.popitem(last=False)
                self.forgotten += 1
            self._keys[key] = array("q", (minute, 1))
            return
        self._keys.move_to_end(key)
        place = len(buckets) - 2
        while place >= 0 and buckets[place] > minute:
            place -= 2
        if place >= 0 and buckets[place] == minute:
            buckets[place + 1] = min(_MOST, buckets[place + 1] + 1)
            return
        buckets[place + 2 : place + 2] = array("q", (minute, 1))
        _tidy(buckets)

    def take_back(self, key: bytes, at: float) -> None:
        """What was added at ``at`` does not count any more. Nothing happens where it was forgotten."""
        minute, buckets = int(at // MINUTE), self._keys.get(key, array("q"))
        for place in range(0, len(buckets), 2):  # of quarters the latest minute is written down
            if buckets[place] >= minute:
                buckets[place + 1] = max(0, buckets[place + 1] - 1)
                return

    def count(self, key: bytes, window_s: int, now: float) -> int:
        """In the ``window_s`` before ``now`` (at most a day), and what is dated later."""
        buckets = self._keys.get(key)
        if buckets is None:
            return 0
        oldest = int((now - window_s) // MINUTE)
        total = 0
        for place in range(len(buckets) - 2, -1, -2):
            if buckets[place] < oldest:
                break
            total += buckets[place + 1]
        return total

    def forget_before(self, before: float) -> int:
        """Keys that have been quiet since then; how many. Cheap when there are none: the quietest are looked at first."""
        minute = int(before // MINUTE)
        gone = 0
        while self._keys:
            key, buckets = next(iter(self._keys.items()))
            if buckets[-2] >= minute:
                break
            del self._keys[key]
            gone += 1
        return gone


def _tidy(buckets: "array[int]") -> None:
    """Drop what is over a day older than the newest, and put together what is over an hour older by quarters, under their latest minute."""
    newest = buckets[-2]
    oldest, fine = newest - DAY // MINUTE - QUARTER, newest - HOUR // MINUTE - 1
    kept = array("q")
    for place in range(0, len(buckets), 2):
        minute, number = buckets[place], buckets[place + 1]
        if minute < oldest:
            continue
        if kept and minute < fine and kept[-2] // QUARTER == minute // QUARTER:
            kept[-2] = minute
            kept[-1] = min(_MOST, kept[-1] + number)
        else:
            kept.extend((minute, number))
    if len(kept) != len(buckets):
        buckets[:] = kept
