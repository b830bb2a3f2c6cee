"""Which pictures of an attempt are kept: the first good one, each action at its peak, each colour, the one most like the reference, the last; no more than
``MAX_PICTURES``. Those that may yet be replaced by a better one are held as they came; what is settled is made small, by a worker."""

import math
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from server.live.ports import TapPicture
from server.transactions.material import MAX_PICTURES, Picture, PictureKind, Shown

RESERVED = 2
"""Places for those that are known at the end only: the best match, the last."""
BESIDE = 2
"""And for what is added beside those that are chosen here: the sides of a document come last."""

Still = Callable[[memoryview, int, int], Awaitable[bytes]]
"""Pixels, width, height → a small JPEG."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame that was looked at. ``at_s``: since the first. ``stretch``: how far the action that is asked for has gone, of whatever unit; None: not seen."""

    picture: TapPicture
    at_s: float
    match: float | None = None
    pad: float | None = None
    quality: float | None = None
    good: bool = False
    stretch: float | None = None


class Keeping:
    """``asked``, ``coloured``, ``rest`` say what the person is shown; ``saw`` brings the frames, in their order; ``add`` keeps one whatever it is; then
    ``pictures``. ``settle`` makes small what will not change any more: call it after each frame, so that little is held."""

    def __init__(self, still: Still) -> None:
        self._still = still
        self._waiting: deque[tuple[Shown, TapPicture]] = deque()
        self._kept: list[Picture] = []
        self._first: Seen | None = None
        self._last: Seen | None = None
        self._match: Seen | None = None
        self._peak: Seen | None = None
        self._lit: Seen | None = None
        self._action = self._colour = ""
        self._start: float | None = None
        self._far = -math.inf
        self._numbers: dict[PictureKind, int] = {}

    # ---- what the person is shown

    def asked(self, action: str) -> None:
        """From now on they are asked for this."""
        self._end_action()
        self._action, self._start, self._far = action, None, -math.inf

    def rest(self) -> None:
        """Nothing is asked for."""
        self._end_action()

    def coloured(self, colour: str) -> None:
        """The page has this colour from now on; "": as it was. The one before was seen best just now."""
        if self._colour and self._lit is not None:
            self._take(PictureKind.COLOUR, self._lit, self._colour)
        self._colour, self._lit = colour, None

    # ---- what is seen of them

    def saw(self, one: Seen) -> None:
        self._last = one
        if self._colour:
            self._lit = one
        if one.good and self._first is None:
            self._first = one
            self._take(PictureKind.FIRST, one)
        if one.match is not None and (self._match is None or one.match > (self._match.match or 0.0)):
            self._match = one
        if self._action and one.stretch is not None:
            self._start = one.stretch if self._start is None else self._start
            if (far := abs(one.stretch - self._start)) > self._far:
                self._far, self._peak = far, one

    def add(self, kind: PictureKind, one: Seen, asked: str = "") -> None:
        """Beside those that are chosen here, as long as there is room."""
        self._take(kind, one, asked, most=MAX_PICTURES - RESERVED)

    async def settle(self, most: int = 1) -> None:
        """Make so many of them small. Raises what ``still`` raises."""
        for _ in range(min(most, len(self._waiting))):
            shown, picture = self._waiting[0]
            jpeg = await self._still(picture.pixels, picture.width, picture.height)
            self._waiting.popleft()
            self._kept.append(Picture(shown=shown, jpeg=jpeg))

    @property
    def kept(self) -> tuple[Picture, ...]:
        """Those that are small already, in the order of their time."""
        return tuple(sorted(self._kept, key=lambda one: one.shown.at_ms))

    async def pictures(self) -> tuple[Picture, ...]:
        """All of them, in the order of their time; nothing can be added afterwards. Raises what ``still`` raises."""
        self._end_action()
        self.coloured("")
        for kind, one in ((PictureKind.MATCH, self._match), (PictureKind.LAST, self._last)):
            if one is not None:
                self._take(kind, one, self._action, most=MAX_PICTURES)
        self._match = self._last = None
        await self.settle(len(self._waiting))
        return self.kept

    # ---- inside

    def _end_action(self) -> None:
        if self._action and self._peak is not None:
            self._take(PictureKind.ACTION, self._peak, self._action)
        self._action, self._peak = "", None

    def _take(self, kind: PictureKind, one: Seen, asked: str = "", *, most: int = MAX_PICTURES - RESERVED - BESIDE) -> None:
        if len(self._kept) + len(self._waiting) >= most:
            return
        number = self._numbers[kind] = self._numbers.get(kind, 0) + 1
        shown = Shown(
            name=f"{kind.value}-{number}",
            kind=kind,
            at_ms=max(0, round(one.at_s * 1000)),
            asked=asked,
            match=share(one.match),
            pad=share(one.pad),
            quality=share(one.quality),
        )
        self._waiting.append((shown, one.picture))


def share(score: float | None) -> float | None:
    """0 to 1; None stays."""
    return None if score is None else min(1.0, max(0.0, score))
