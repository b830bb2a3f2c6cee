"""When something is to be looked at next, so that what nothing happens to costs nothing."""

import math
from collections.abc import Iterable
from itertools import count
from typing import Final

AT_ONCE: Final = -math.inf
LONGEST_S: Final = 2.0
"""It is looked at so often whatever it says."""
EARLY_S: Final = 0.05
"""Before a deadline: looking too early changes nothing, and rounding makes nothing late."""
_numbers = count(1)


class Due:
    """Of one session. ``at``: monotonic seconds. ``number``: another after each change, and no other session's."""

    def __init__(self) -> None:
        self.stir()

    def stir(self) -> None:
        """Something has happened to it, or may have: it is looked at with the next tick."""
        self.at = AT_ONCE
        self.number = next(_numbers)


def earliest(deadlines: Iterable[float | None], now: float) -> float:
    """When to look again at what was looked at now."""
    first = min((one for one in deadlines if one is not None), default=math.inf)
    return min(first - EARLY_S, now + LONGEST_S)
