"""Answering streams made of clips: a stand-in does what a script asks by the parts of a clip in which its person happens to do that, and the
light of the screen falls on their face. What is simulated and what is not stands in ``docs/verification-liveness.md``.

A part is cut out of a clip, played forward (``back``: and then backward) at its own speed; between parts a calm stretch goes to and fro. Coming closer
is a zoom. A hand's unrest and a sensor's noise are added, so that no picture comes twice.
"""

import hashlib
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from tests.support.performer import Person
from tests.support.takes import Seen, Take, small
from verification.challenge.events import Ask, Event, Judged
from verification.challenge.machine import ChallengeMachine
from verification.challenge.observation import Observation, Unreadable
from verification.challenge.observe import Observer, colours
from verification.challenge.policy import ChallengePolicy, Limits
from verification.challenge.script import Action, Script, draw_script
from verification.challenge.verdict import Verdict
from verification.faces.analyser import Analyser
from verification.types import Ability, Box, Embedding, Face, Picture

POLICY = ChallengePolicy()
ZOOM = 1.38
ZOOM_S = 1.0


@dataclass(frozen=True, slots=True)
class Cut:
    first: int
    last: int
    back: bool = False

    def frames(self) -> list[int]:
        way = list(range(self.first, self.last + 1))
        return way + way[-2::-1] if self.back else way


@dataclass(frozen=True, slots=True)
class Role:
    """``hold``: the calm stretch. ``cuts``: what this clip's person can be seen to do; ``zooms``: there is room to come closer."""

    hold: Cut
    cuts: dict[Action, Cut]
    zooms: bool = False

    @property
    def actions(self) -> tuple[Action, ...]:
        return (*self.cuts, Action.COME_CLOSER) if self.zooms else tuple(self.cuts)


ROLES = {
    "lp_d0": Role(Cut(0, 8), {Action.BLINK: Cut(30, 38)}, zooms=True),
    "lp_d3": Role(
        Cut(93, 98),
        {
            Action.TURN_RIGHT: Cut(0, 16),
            Action.TURN_LEFT: Cut(118, 146),
            Action.NOD: Cut(46, 94),
            Action.BLINK: Cut(27, 29, back=True),
            Action.OPEN_MOUTH: Cut(147, 158, back=True),
        },
    ),
    "lp_d13": Role(Cut(117, 127), {Action.BLINK: Cut(19, 26), Action.OPEN_MOUTH: Cut(61, 72)}),
    "hdtf_hill": Role(Cut(58, 62), {Action.TURN_RIGHT: Cut(8, 47), Action.TURN_LEFT: Cut(82, 99)}),
    "intel_male": Role(Cut(0, 12), {}, zooms=True),
    "ghost_orig": Role(Cut(0, 12), {}, zooms=True),
}
"""Of every second frame (every one of ``intel_male``); from ``events.json`` and from what our own models say, looked through by eye."""
ROLES["ghost_elon"] = ROLES["ghost_orig"]
ROLES["lp_d3_replay_phone"] = Role(Cut(0, 2), {Action.TURN_RIGHT: Cut(0, 16), Action.BLINK: Cut(27, 29, back=True)})
ROLES["hdtf_hill_replay_monitor"] = Role(Cut(58, 62), {Action.TURN_RIGHT: Cut(8, 47)})


def policy_for(role: Role, base: ChallengePolicy = POLICY) -> ChallengePolicy:
    """Asks only for what the clip can show, three things at most."""
    count = min(3, len(role.actions))
    return replace(
        base, actions=count, strong=max(0, count - 1) if Action.BLINK in role.actions else count, scripts=1, replacements=0
    )


def script_for(role: Role, number: int, base: ChallengePolicy = POLICY) -> tuple[Script, ChallengePolicy]:
    policy = policy_for(role, base)
    abilities = {Ability(action.value) for action in role.actions} | {Ability.COLOURS}
    return draw_script(hashlib.sha256(b"stand-in %d" % number).digest(), abilities, policy), policy


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture as it left the camera. ``seen``: what the models said of the frame it was made from, ``move`` (2, 3): where its pixels went."""

    picture: Picture
    seen: Seen
    move: NDArray[np.float32]


_GREY = 5
_NOISE = (np.random.default_rng(5).normal(0, 1.2, (4, 560, 720, 3)).round() + _GREY).clip(0, 255).astype(np.uint8)


def light_table(gain: float) -> NDArray[np.uint8]:
    """sRGB → sRGB where light is ``gain`` times as much."""
    value = np.arange(256) / 255
    light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4) * gain
    light = np.clip(light, 0, 1)
    back = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return (back * 255).round().astype(np.uint8)


@dataclass
class StandIn:
    """``person`` brings the light (how much of it, how late, how much on the background) and how quickly they react; ``does``: which action they do when
    asked (None: nothing). ``unrest_px``, ``noise``: of the hand and the sensor."""

    take: Take
    role: Role
    person: Person = field(default_factory=lambda: Person(light=0.12, spill=0.006))
    does: Callable[[Ask], Action | None] = lambda ask: ask.action
    unrest_px: float = 3.0
    noise: bool = True
    everywhere: bool = False
    """The light falls on the whole picture alike."""

    def __post_init__(self) -> None:
        self.fps = self.take.fps
        self._random = random.Random(self.person.seed)
        self._waves = [(self._random.uniform(0.2, 1.2), self._random.uniform(0, 6.3)) for _ in range(6)]
        self._held = self.role.hold.frames() + self.role.hold.frames()[-2:0:-1]
        self._at = 0
        self._playing: list[int] = []
        self._plan: list[tuple[float, Action]] = []
        self._zoomed_s: float | None = None

    def told(self, events: Sequence[Event], now: float) -> None:
        self.person.told([event for event in events if not isinstance(event, Ask)], now)
        for event in events:
            action = self.does(event) if isinstance(event, Ask) else None
            if action is not None:
                self.will(action, now + self.person.react_s)

    def will(self, action: Action, at_s: float) -> None:
        self._plan.append((at_s, action))

    def _index(self, now: float) -> int:
        if not self._playing and self._plan and now >= self._plan[0][0]:
            _, action = self._plan.pop(0)
            if action is Action.COME_CLOSER:
                self._zoomed_s = now
            elif action in self.role.cuts:
                self._playing = self.role.cuts[action].frames()
        if self._playing:
            return self._playing.pop(0)
        self._at += 1
        return self._held[self._at % len(self._held)]

    def shot(self, now: float) -> Shot:
        index = self._index(now)
        picture, seen = self.take.pictures[index], self.take.seen[index]
        zoom = 1.0 + (ZOOM - 1) * min(1.0, (now - self._zoomed_s) / ZOOM_S) if self._zoomed_s is not None else 1.0
        shift = [
            self.unrest_px * sum(math.sin(2 * math.pi * rate * now + turn) for rate, turn in self._waves[part : part + 3]) / 2
            for part in (0, 3)
        ]
        centre = (
            ((seen.face.box.x0 + seen.face.box.x1) / 2, (seen.face.box.y0 + seen.face.box.y1) / 2) if seen.face else (320, 240)
        )
        move = np.array(
            [[zoom, 0, (1 - zoom) * centre[0] + shift[0]], [0, zoom, (1 - zoom) * centre[1] + shift[1]]], np.float32
        )
        size = (picture.shape[1], picture.shape[0])
        moved = cv2.warpAffine(picture, move, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        lit = self._lit(np.asarray(moved, np.uint8), _moved(seen.face, move) if seen.face else None, now)
        if self.noise:
            dx, dy = self._random.randrange(80), self._random.randrange(80)
            grain = _NOISE[self._random.randrange(4), dy : dy + size[1], dx : dx + size[0]]
            lit = np.asarray(cv2.subtract(cv2.add(lit, grain), (_GREY,) * 4), np.uint8)
        return Shot(np.ascontiguousarray(lit), seen, move)

    def _lit(self, picture: Picture, face: Face | None, now: float) -> Picture:
        person = self.person
        light = next(rgb for at, rgb in reversed(person.screen) if at <= now - person.delay_s)
        if light == (1.0, 1.0, 1.0) or person.light == 0.0:
            return picture
        near, far = (
            np.stack([light_table(1 + share * (part - 1)) for part in light], axis=-1)[None]
            for share in (person.light, person.light if self.everywhere else person.spill)
        )
        on_face, behind = cv2.LUT(picture, near), cv2.LUT(picture, far)
        if face is None:
            return np.asarray(behind, np.uint8)
        mask = np.zeros(picture.shape[:2], np.float32)
        (x, y), box = face.box.centre, face.box
        cv2.ellipse(mask, (round(x), round(y)), (round(0.62 * box.width), round(0.66 * box.height)), 0, 0, 360, 1.0, -1)
        mask[round(min(box.y1, mask.shape[0] - 1)) :, :] = 0.6
        mask = cv2.blur(mask, (41, 41))
        return np.asarray(cv2.blendLinear(on_face, behind, mask, 1 - mask), np.uint8)


def _moved(face: Face, move: NDArray[np.float32]) -> Face:
    """The face where the picture's pixels went."""
    corners = np.array([[face.box.x0, face.box.y0], [face.box.x1, face.box.y1]], np.float32)
    ((x0, y0), (x1, y1)) = corners @ move[:, :2].T + move[:, 2]
    return replace(face, box=Box(float(x0), float(y0), float(x1), float(y1)), points=face.points @ move[:, :2].T + move[:, 2])


class Line:
    """VP8 as a browser sends it on a narrow line, encoded and decoded by libvpx."""

    def __init__(self, fps: float, bps: int = 500_000, size: tuple[int, int] = (640, 480)) -> None:
        self._coder = av.CodecContext.create("libvpx", "w")
        self._coder.width, self._coder.height = size
        self._coder.pix_fmt = "yuv420p"
        self._coder.bit_rate = bps
        self._coder.framerate = round(fps)
        self._coder.time_base = 1 / self._coder.framerate
        self._coder.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "error-resilient": "1"}
        self._coder.thread_count = 1
        self._decoder = av.CodecContext.create("vp8", "r")
        self._decoder.thread_count = 1
        self._at = 0

    def __call__(self, picture: Picture) -> Picture:
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
        frame.pts = self._at
        self._at += 1
        out = [decoded for packet in self._coder.encode(frame) for decoded in self._decoder.decode(packet)]
        return np.ascontiguousarray(out[-1].to_ndarray(format="rgb24")) if out else picture


class Eye:
    """Shots become observations. ``full``: every picture goes through every model; else what the models said of the frame that it was made from is
    taken, and hash, thumbnail and colours from the picture itself."""

    def __init__(self, analyser: Analyser, limits: Limits, *, full: bool = False) -> None:
        self._analyser, self._limits = analyser, limits
        self._observer = Observer(analyser, limits, pad_every=3) if full else None
        self._reference: Embedding | None = None
        self._index = 0

    def observe(self, picture: Picture, shot: Shot, now: float) -> Observation | Unreadable:
        if self._observer is not None:
            return self._observer.observe(picture, at_s=100 + now, received_s=now)
        seen, index = shot.seen, self._index
        self._index += 1
        height, width = picture.shape[:2]
        bare = Observation(
            index,
            100 + now,
            now,
            hashlib.sha256(picture.tobytes()).digest(),
            width,
            height,
            seen.faces,
            thumbnail=small(picture),
        )
        if seen.face is None or seen.embedding is None:
            return bare
        face = _moved(seen.face, shot.move)
        first = self._reference is None and self._limits.good(seen.quality)
        if first:
            self._reference = seen.embedding
        skin, around = colours(picture, face)
        compared = not first and self._reference is not None
        return replace(
            bare,
            face_box=face.box,
            scale=face.eye_distance / width,
            yaw=seen.yaw,
            pitch=seen.pitch,
            roll=seen.roll,
            eyes=seen.eyes,
            mouth=seen.mouth,
            pad=seen.pad if index % 2 == 0 else None,
            identity=self._analyser.compare(self._reference, seen.embedding).comparison_score if compared else None,  # type: ignore[arg-type]
            quality=seen.quality,
            face_colour=skin,
            background_colour=around,
            reference=first,
        )


def play(
    machine: ChallengeMachine,
    source: StandIn,
    eye: Eye,
    *,
    line: Line | None = None,
    seconds: float = 40.0,
    other: Callable[[float], StandIn | None] = lambda now: None,
) -> Verdict:
    """An attempt to its end. ``other``: who is before the camera at that time instead."""
    events = machine.start(0.0)
    for index in range(int(seconds * source.fps)):
        now = index / source.fps
        mine, theirs = source.shot(now), other(now)
        shot = theirs.shot(now) if theirs is not None else mine
        picture = line(shot.picture) if line is not None else shot.picture
        events = machine.feed(eye.observe(picture, shot, now))
        source.told(events, now)
        if theirs is not None:
            theirs.told(events, now)
        for event in events:
            if isinstance(event, Judged):
                return event.verdict
    return machine.verdict()
