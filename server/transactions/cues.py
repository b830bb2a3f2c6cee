"""What a page shows and speaks while somebody is verified on the live stream. Pure data."""

from enum import StrEnum

import msgspec


class Cue(StrEnum):
    """What the page shows now."""

    SETTLE = "settle"  # look straight into the camera
    ASK = "ask"  # do this
    REST = "rest"  # it was seen: look straight into the camera again
    SLIPPED = "slipped"  # that was something else; the same is still asked for
    COLOUR = "colour"  # the screen's light from now on
    HOLD_ON = "hold_on"  # all is done: keep looking until the colours are over
    ADVISE = "advise"  # what keeps them from beginning
    DOCUMENT = "document"  # hold an identity document before the camera; ``action``: a ``Card``


class Card(StrEnum):
    """``action`` of ``Cue.DOCUMENT``. ``reasons`` say what keeps the picture from being read, as ``POST /documents/read`` does."""

    SHOW = "show_card"  # the side with the portrait
    TURN_OVER = "turn_over"  # that was read: now the other side
    HOLD_STILL = "hold_still"  # it is seen, and being read
    SEEN = "seen"  # all that is needed was read: put it away


class Instruction(msgspec.Struct, frozen=True, kw_only=True):
    """One step of what a page shows and speaks. What it does not need is as it stands here.

    ``within_s``: how long there is for it. ``number`` counts actions from 0, ``of`` how many there are. ``left``: how many more slips are forgiven.
    ``colour``: red, green, blue, None for the page as it was, after ``wait_s`` and faded into over ``fade_s``. ``reasons``: codes, worst first.
    """

    cue: Cue
    within_s: float = 0.0
    action: str = ""
    number: int = 0
    of: int = 0
    left: int = 0
    colour: tuple[int, int, int] | None = None
    wait_s: float = 0.0
    fade_s: float = 0.0
    reasons: tuple[str, ...] = ()
