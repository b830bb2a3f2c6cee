"""Which frames of an attempt a portrait is compared with, and what their scores say together. Sans I/O.

The first good frame is what all others are compared with; whoever doctors that one frame (half the customer, half themselves) is still like it afterwards. So
a portrait is compared with calm frames of the whole attempt, which the nonce chooses: nobody knows which, most of them must be the customer.
"""

import hmac
from collections.abc import Sequence
from statistics import median

from verification.challenge.script import Script

EVERY = 4
"""One of so many calm frames in a row is kept."""
KEPT = 500
"""As many as the longest attempt has of them at 30 frames a second: none may be left out at its end, where another person could sit by then."""
LEAST = 5
"""Fewer say nothing."""


def chosen(script: Script, number: int) -> bool:
    """Whether the calm frame of this number, counted from 0, is one of them: one of each ``EVERY``, the nonce says which. Tossed for one by one there would be
    too few of a quick answer in one attempt of ten."""
    run, place = divmod(number, EVERY)
    return hmac.digest(script.reserve, b"portrait" + run.to_bytes(8, "big"), "sha256")[0] % EVERY == place


ALIKE = 0.75
"""Share of them that must be like the portrait each by itself."""


def of_one(scores: Sequence[float], threshold: float) -> bool:
    """Whether the frames that were kept are like the portrait nearly all: half of them is somebody else's film before one's own face. Where the median
    is enough and this is not, a person decides."""
    return sum(score >= threshold for score in scores) >= ALIKE * len(scores)


def together(scores: Sequence[float]) -> float | None:
    """Of comparison scores of a portrait with the frames that were kept: their median, which is held against the pack's threshold. None: too few; nothing is known,
    and who decides refers."""
    return median(scores) if len(scores) >= LEAST else None
