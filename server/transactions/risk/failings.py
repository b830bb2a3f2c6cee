"""What customers failed within a day, each failure with all it was counted under: so that what is void can be taken back everywhere. Sans-I/O.

Overflow: beyond ``most`` customers the one that failed longest ago is forgotten, and of one customer the oldest beyond ``MOST_EACH``; what is forgotten
stays counted. Times are POSIX seconds.
"""

from collections import OrderedDict, deque

MOST = 100_000
MOST_EACH = 64


class Failings:
    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._of: OrderedDict[bytes, deque[tuple[float, tuple[bytes, ...]]]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._of)

    def add(self, customer: bytes, keys: tuple[bytes, ...], at: float) -> None:
        """``keys``: of the counters that it was added to."""
        if customer not in self._of and len(self._of) >= self._most:
            self._of.popitem(last=False)
        self._of.setdefault(customer, deque(maxlen=MOST_EACH)).append((at, keys))
        self._of.move_to_end(customer)

    def void(self, customer: bytes) -> list[tuple[float, tuple[bytes, ...]]]:
        """Theirs, which are forgotten here."""
        return list(self._of.pop(customer, ()))

    def forget_before(self, before: float) -> None:
        """Customers whose last failure is older."""
        while self._of:
            customer, theirs = next(iter(self._of.items()))
            if theirs[-1][0] >= before:
                break
            del self._of[customer]
