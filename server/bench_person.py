"""A person before a camera, as a benchmark plays one: what their head does at any moment after they were asked. Sans I/O.

They need ``REACT_S`` to read or hear what is asked and to begin, also to look straight at first; then an action takes as long as it takes people.
"""

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass

from server.transactions.cues import Cue, Instruction

REACT_S = (0.7, 1.2)
LASTS_S = {"turn_left": 1.2, "turn_right": 1.2, "nod": 0.9, "blink": 0.35, "open_mouth": 1.0, "come_closer": 1.0}
"""From calm to calm; coming closer: until they are there, where they stay."""
REACH = {"turn_left": 26.0, "turn_right": 26.0, "nod": 18.0, "blink": 0.9, "open_mouth": 0.5, "come_closer": 0.35}
"""Degrees; shares of how they look when calm."""
EYES, MOUTH, SCALE = 0.3, 0.03, 0.14


@dataclass(frozen=True, slots=True)
class Pose:
    """Degrees; ratios as the engine's."""

    yaw: float
    pitch: float
    eyes: float
    mouth: float
    scale: float


class Person:
    """``pose`` is None until they look into the camera."""

    def __init__(self, drawn: random.Random) -> None:
        self._drawn = drawn
        self._here: float | None = None
        self._does: list[tuple[float, str]] = []

    def told(self, instructions: Iterable[Instruction], now: float) -> None:
        """What their page shows from ``now`` on."""
        for one in instructions:
            if one.cue is Cue.SETTLE:
                self._here = now + self._drawn.uniform(*REACT_S)
            elif one.cue is Cue.ASK:
                self._does.append((now + self._drawn.uniform(*REACT_S), one.action))

    def pose(self, now: float) -> Pose | None:
        if self._here is None or now < self._here:
            return None
        far = dict.fromkeys(REACH, 0.0)
        for begun, action in self._does:
            part = (now - begun) / LASTS_S[action]
            if part > 0:
                far[action] = max(far[action], REACH[action] * _hill(action, part))
        return Pose(
            yaw=far["turn_left"] - far["turn_right"],
            pitch=-far["nod"],
            eyes=EYES * (1 - far["blink"]),
            mouth=MOUTH + far["open_mouth"],
            scale=SCALE * (1 + far["come_closer"]),
        )


def _hill(action: str, part: float) -> float:
    """0 to 1. ``part``: of the time that it takes; over 1 it is over."""
    if action == "come_closer":
        return min(1.0, part)
    if part >= 1:
        return 0.0
    return 1.0 if action == "blink" else math.sin(math.pi * part) ** 2
