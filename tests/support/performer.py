"""A person before a camera, as the observations of their frames: does what a machine asks for, or something else, and shines back what is shown.

Closed loop and without pictures: thousands of attempts in the time of one. ``tests/biometrics`` does the same with real frames.
"""

import hashlib
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from verification.challenge.colours import ColourStep, linear
from verification.challenge.events import Ask, Event, Judged, Show
from verification.challenge.machine import ChallengeMachine
from verification.challenge.observation import Colour, Observation
from verification.challenge.script import Action
from verification.challenge.verdict import Verdict
from verification.types import Box, Quality

GOOD = Quality(90.0, 0.0, 0.0, 0.0, 0.6, 0.5, 0.2, 0.0, 0.0, 0.0, 0.3, (), 0.9)

LASTING = {Action.BLINK: 0.25, Action.NOD: 0.9, Action.OPEN_MOUTH: 1.0}
"""Seconds; the others 1.2."""
REACH = {
    Action.TURN_LEFT: 26.0,
    Action.TURN_RIGHT: 26.0,
    Action.NOD: 18.0,
    Action.BLINK: 0.92,
    Action.OPEN_MOUTH: 0.55,
    Action.COME_CLOSER: 0.4,
}


def srgb(value: float) -> float:
    """Linear light 0 to 1 as sRGB 0 to 255."""
    value = min(1.0, max(0.0, value))
    return 255 * (12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055)


@dataclass
class Person:
    """``react_s`` after it was asked for they begin. ``light``: share of the screen's light in that of the face (0: none), ``spill``: in the background's;
    ``delay_s``: from the server's colour to its picture back at the server. ``refuse``: what they do not do."""

    seed: int = 1
    fps: float = 12.5
    react_s: float = 0.7
    light: float = 0.12
    spill: float = 0.004
    delay_s: float = 0.3
    pad: float | None = 0.85
    identity: float = 0.62
    refuse: frozenset[Action] = frozenset()
    plan: list[tuple[float, Action]] = field(default_factory=list)
    """(seconds, action) that they do, whoever asks."""
    screen: list[tuple[float, tuple[float, float, float]]] = field(default_factory=lambda: [(-1e9, (1.0, 1.0, 1.0))])
    answers: bool = True
    nearer: float = 0.0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.sway = [(self.random.uniform(0.05, 0.3), self.random.uniform(0, 6.28)) for _ in range(6)]

    def told(self, events: Sequence[Event], now: float) -> None:
        for event in events:
            if isinstance(event, Ask) and self.answers and event.action not in self.refuse:
                self.plan.append((now + self.react_s, event.action))
            elif isinstance(event, Show):
                self.see(event.step, now)

    def see(self, step: ColourStep | None, now: float) -> None:
        light = tuple(linear(value) for value in step.rgb) if step else (1.0, 1.0, 1.0)
        before, fade = self.screen[-1][1], step.fade_s if step else 0.0
        for part in range(1, 11 if fade else 1):
            mixed = tuple(a + (b - a) * part / 10 for a, b in zip(before, light, strict=True))
            self.screen.append((now + fade * part / 10, (mixed[0], mixed[1], mixed[2])))
        if not fade:
            self.screen.append((now, (light[0], light[1], light[2])))

    def _shape(self, action: Action, now: float) -> float:
        """How far they are in an action: a smooth hill; closer stays."""
        most = 0.0
        for start, planned in self.plan:
            if planned is not action or now <= start:
                continue
            part = (now - start) / LASTING.get(action, 1.2)
            if action is Action.COME_CLOSER:
                most = max(most, min(1.0, part))
            elif part < 1:
                most = max(most, math.sin(math.pi * part) ** 2 if action is not Action.BLINK else 1.0)
        return most * REACH[action]

    def _noise(self, spread: float) -> float:
        return self.random.gauss(0.0, spread)

    def _lit(self, base: tuple[float, float, float], share: float, now: float) -> Colour:
        lit = next(rgb for at, rgb in reversed(self.screen) if at <= now - self.delay_s)
        return Colour(
            *(srgb(value * (1 + share * (part - 1))) + self._noise(0.15) for value, part in zip(base, lit, strict=True))
        )

    def frame(self, index: int, now: float) -> Observation:
        waves = [
            size * math.sin(2 * math.pi * rate * now + rate * 40)
            for (rate, _), size in zip(self.sway, (2, 2, 1.5, 1, 1, 1), strict=True)
        ]
        thumbnail = bytes(
            int(
                120
                + 60 * math.sin(cell / 3)
                + 3 * waves[cell % 6]
                + 8 * self._shape(Action.COME_CLOSER, now)
                + self._noise(0.4)
            )
            % 256
            for cell in range(64)
        )
        yaw = self._shape(Action.TURN_LEFT, now) - self._shape(Action.TURN_RIGHT, now) + waves[0] + self._noise(0.5)
        return Observation(
            index=index,
            at_s=1000 + now,
            received_s=now + 0.01 * self.random.random(),
            sha256=hashlib.sha256(f"{self.seed} {index}".encode()).digest(),
            width=640,
            height=480,
            faces=1,
            face_box=Box(220, 140, 420, 380),
            scale=0.14 * (1 + self._shape(Action.COME_CLOSER, now)) + self._noise(0.0005),
            yaw=yaw,
            pitch=-self._shape(Action.NOD, now) + waves[1] / 2 + self._noise(0.5),
            roll=waves[2],
            eyes=0.3 * (1 - self._shape(Action.BLINK, now)) + self._noise(0.005),
            mouth=max(0.0, 0.03 + self._shape(Action.OPEN_MOUTH, now) + self._noise(0.005)),
            pad=self.pad + self._noise(0.03) if self.pad is not None and index % 2 == 0 else None,
            identity=None if index == 0 else self.identity - abs(yaw) * 0.006 + self._noise(0.02),
            quality=GOOD,
            face_colour=self._lit((0.42, 0.26, 0.20), self.light, now),
            background_colour=self._lit((0.35, 0.36, 0.33), self.spill, now),
            thumbnail=thumbnail,
            reference=index == 0,
        )


Change = Callable[[Observation], Observation | None]


def perform(
    machine: ChallengeMachine,
    person: Person,
    *,
    change: Change = lambda one: one,
    seconds: float = 60.0,
    heard: list[tuple[float, Event]] | None = None,
) -> Verdict:
    """Runs an attempt to its end. ``change`` makes another observation of each, or drops it (None)."""
    events = machine.start(0.0)
    for index in range(int(seconds * person.fps)):
        now = index / person.fps
        one = change(person.frame(index, now))
        events = machine.feed(one) if one is not None else []
        if heard is not None:
            heard += [(now, event) for event in events]
        person.told(events, now)
        for event in events:
            if isinstance(event, Judged):
                return event.verdict
    return machine.verdict()


def recorded(person: Person, machine: ChallengeMachine, seconds: float = 30.0) -> list[Observation]:
    """The frames of an attempt and of what follows it, as somebody who taps the line would have them."""
    kept: list[Observation] = []

    def keep(one: Observation) -> Observation:
        kept.append(one)
        return one

    perform(machine, person, change=keep)
    start = len(kept)
    kept.extend(person.frame(index, index / person.fps) for index in range(start, int(seconds * person.fps)))
    return kept


def replay(machine: ChallengeMachine, frames: Sequence[Observation], *, skip_s: float = 0.0) -> Verdict:
    """The same frames to another script; ``skip_s`` of them are left out at the start."""
    machine.start(0.0)
    first = next(index for index, one in enumerate(frames) if one.received_s >= skip_s)
    for index, one in enumerate(frames[first:]):
        moved = replace(
            one,
            index=index,
            received_s=one.received_s - skip_s,
            identity=one.identity if index else None,
            reference=index == 0,
        )
        for event in machine.feed(moved):
            if isinstance(event, Judged):
                return event.verdict
    return machine.verdict()
