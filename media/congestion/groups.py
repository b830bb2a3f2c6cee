"""Packets that left together are one group; what changed from each group to the next. S.

draft-ietf-rmcat-gcc-02 section 5.2 (bursts of 5 ms, and those that arrive in one lump after waiting for a link).
"""

import math
from array import array
from collections.abc import Iterable, Iterator
from typing import Protocol

Result = tuple[float, float, int]
"""``(sent_at, arrival, size)``: our seconds; the receiver's seconds, -1.0 when lost; bytes."""
Delta = tuple[float, float, float]
"""Between two groups: seconds between their last packets when sent, when arrived; when the last of the later one arrived."""

FIRST, SENT, ARRIVAL, PREVIOUS_SENT, PREVIOUS_ARRIVAL, SHORTEST = range(6)
"""Places in the state: when the first packet of the open group left, its last; when its last arrived; the same of the group before;
the shortest delay of the groups completed by the last call, infinite without any."""


class Results(Protocol):
    """What became of packets, in order of sending, kept outside Python; a list of ``Result`` otherwise."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Result]: ...
    def group(self, state: "array[float]", burst_s: float, longest_s: float) -> Iterable[Delta]:
        """As the function ``group``."""
        ...


def no_group() -> "array[float]":
    """The state before the first packet."""
    return array("d", (-1.0, -1.0, -1.0, -1.0, -1.0, math.inf))


def group(results: list[Result], state: "array[float]", burst_s: float, longest_s: float) -> list[Delta]:
    """Take results in order of sending into ``state``; what changed with each group that they completed.

    ``burst_s``: packets sent within this time are one group, so are those that arrive within it although they left less close to one
    another; ``longest_s``: a group of these is not longer.
    """
    first, last_sent, last_arrival, previous_sent, previous_arrival, _ = state
    shortest = math.inf
    deltas: list[Delta] = []
    for sent, arrival, _ in results:
        if arrival < 0 or sent < first:
            continue
        if sent - first <= burst_s and first >= 0:
            if sent > last_sent:
                last_sent = sent
            if arrival > last_arrival:
                last_arrival = arrival
            continue
        if first >= 0:
            gap = arrival - last_arrival
            if gap <= burst_s and gap < sent - last_sent and sent - first < longest_s:
                last_sent = sent
                if gap > 0:
                    last_arrival = arrival
                continue
            shortest = min(shortest, last_arrival - last_sent)
            if previous_sent >= 0:
                deltas.append((last_sent - previous_sent, last_arrival - previous_arrival, last_arrival))
            previous_sent = last_sent
            previous_arrival = last_arrival
        first = last_sent = sent
        last_arrival = arrival
    state[:] = array("d", (first, last_sent, last_arrival, previous_sent, previous_arrival, shortest))
    return deltas
