"""Where everybody stands in the picture of an export, and who is large. S.

Lengths in pixels of the whole picture, all even, as pictures with halved colour need them. Nothing overlaps and nothing is cut: a picture is
made to fit its place.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

Mode = Literal["auto", "speaker", "grid"]
"""``auto``: up to two are equally large, of three and more who speaks is large. A screen is large in every mode."""

GAP = 8
MAX_PLACES = 24
"""Those who came later are heard and not seen."""
HOLD_US = 2_500_000
"""Somebody stays large at least as long."""
SURE_US = 700_000
"""Who has spoken for as long, without much of a break, becomes large."""
BREAK_US = 400_000


class Rect(NamedTuple):
    x: int
    y: int
    width: int
    height: int


class Place(NamedTuple):
    """``source``: "camera" or "screen" of the participant."""

    participant: str
    source: str
    rect: Rect


def arrange(width: int, height: int, parties: Sequence[str], large: tuple[str, str] | None) -> tuple[Place, ...]:
    """A place for each party. ``large``: (participant, source) who gets most of the room; None for a grid of equals.

    A screen that is large leaves its owner a place in the column.
    """
    parties = parties[:MAX_PLACES]
    if large is None or (large[1] == "camera" and len(parties) < 2):
        return _grid(width, height, [(who, "camera") for who in parties])
    rest = [who for who in parties if (who, "camera") != large]
    if not rest:
        return (Place(*large, Rect(0, 0, width, height)),)
    column = _even(width // 4)
    places = [Place(*large, Rect(0, 0, width - column - GAP, height))]
    across = 1 if len(rest) <= 8 else 2
    rows = math.ceil(len(rest) / across)
    each_width = _even((column - GAP * (across - 1)) // across)
    each_height = min(_even(each_width * 9 / 16), _even((height - GAP * (rows - 1)) // rows))
    top = _even((height - rows * each_height - (rows - 1) * GAP) / 2)
    for number, who in enumerate(rest):
        x = width - column + number % across * (each_width + GAP)
        y = top + number // across * (each_height + GAP)
        places.append(Place(who, "camera", Rect(x, y, each_width, each_height)))
    return tuple(places)


def _grid(width: int, height: int, wanted: Sequence[tuple[str, str]]) -> tuple[Place, ...]:
    """As large as they can be in the shape 16:9, in rows; the last row in the middle."""
    if not wanted:
        return ()
    across = max(range(1, len(wanted) + 1), key=lambda n: (_tile(width, height, len(wanted), n)[0], -n))
    each_width, each_height = _tile(width, height, len(wanted), across)
    rows = math.ceil(len(wanted) / across)
    top = _even((height - rows * each_height - (rows - 1) * GAP) / 2)
    places = []
    for number, (who, source) in enumerate(wanted):
        row = number // across
        here = min(across, len(wanted) - row * across)
        left = _even((width - here * each_width - (here - 1) * GAP) / 2)
        x = left + number % across * (each_width + GAP)
        places.append(Place(who, source, Rect(x, top + row * (each_height + GAP), each_width, each_height)))
    return tuple(places)


def _tile(width: int, height: int, count: int, across: int) -> tuple[int, int]:
    rows = math.ceil(count / across)
    each_width = (width - GAP * (across - 1)) // across
    each_height = (height - GAP * (rows - 1)) // rows
    each_width = min(each_width, each_height * 16 // 9)
    return max(2, _even(each_width)), max(2, _even(each_width * 9 / 16))


def _even(length: float) -> int:
    return int(length) // 2 * 2


def fit(width: int, height: int, inside: Rect) -> Rect:
    """The largest rectangle of this shape in the middle of ``inside``."""
    scale = min(inside.width / max(1, width), inside.height / max(1, height))
    w, h = max(2, _even(width * scale + 0.5)), max(2, _even(height * scale + 0.5))
    return Rect(inside.x + _even((inside.width - w) / 2), inside.y + _even((inside.height - h) / 2), w, h)


class Director:
    """Who is large among the parties, from who is heard. Ask in the order of time."""

    def __init__(self, mode: Mode) -> None:
        self._mode = mode
        self._chosen = ""
        self._since_us = 0
        self._began: dict[str, int] = {}
        self._heard: dict[str, int] = {}

    def large(self, at_us: int, parties: Sequence[str], speaking: Iterable[str], screen: str) -> tuple[str, str] | None:
        """For ``arrange``. ``screen``: whose screen is shown, "" for none."""
        for who in speaking:
            if at_us - self._heard.get(who, -BREAK_US - 1) > BREAK_US:
                self._began[who] = at_us
            self._heard[who] = at_us
        sure = [
            who
            for who in parties
            if at_us - self._heard.get(who, -BREAK_US - 1) <= BREAK_US and at_us - self._began[who] >= SURE_US
        ]
        if self._chosen not in parties:
            self._chosen, self._since_us = (sure or list(parties) or [""])[0], at_us
        elif sure and self._chosen not in sure and at_us - self._since_us >= HOLD_US:
            self._chosen, self._since_us = sure[0], at_us
        if screen:
            return screen, "screen"
        if self._mode == "grid" or len(parties) < (2 if self._mode == "speaker" else 3):
            return None
        return self._chosen, "camera"
