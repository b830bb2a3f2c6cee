"""Large trees are written piece by piece as well, so that no turn takes long. Sans-I/O."""

from collections.abc import Generator, Sequence
from typing import Any

import msgspec

TOGETHER = 500
"""Nodes that are written at once."""
_encode = msgspec.json.Encoder().encode


class Written:
    """Of one event. In place of nodes side by side stands None until they are written, as sheets in them may be read later than they are made."""

    def __init__(self) -> None:
        self._later: list[tuple[list[Any], int, list[Any]]] = []

    def clear(self) -> None:
        self._later.clear()

    def later(self, levels: Sequence[list[Any]]) -> None:
        """All that is made by now. ``levels``: the nodes of each, from the top down; the last of each but the lowest goes on."""
        lowest = len(levels) - 1
        for number, made in enumerate(levels):
            end = begun = len(made) - (number < lowest)
            while begun and made[begun - 1] is not None:
                begun -= 1
            if begun < end:
                self._later.append((made, begun, made[begun:end]))
                made[begun:end] = [None]

    def write(self) -> Generator[None, None, None]:
        """They become JSON (``msgspec.Raw``), those side by side one, with pauses."""
        for made, place, nodes in self._later:
            made[place] = msgspec.Raw(_encode(nodes)[1:-1])
            nodes.clear()
            yield
