"""More of what is shown to a camera instead of an answer: cuts with other people and where nobody looks, tints, recaptured screens, composites, and pictures that
are bent, moved and cut out so that they seem to do what is asked. Each makes a verdict from a number that draws its script."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from tests.support.liveness_attacks import ANSWERING, PRINTS, Attack, Lab
from tests.support.performer import Person
from tests.support.stand_in import POLICY, ROLES, Cut, Eye, Role, Shot, StandIn, light_table, play, script_for
from tests.support.takes import look, take
from verification.challenge.events import Ask, Event, Rest, Show
from verification.challenge.machine import ChallengeMachine
from verification.challenge.observation import Observation, Unreadable
from verification.challenge.policy import ChallengePolicy
from verification.challenge.script import Action, Script, draw_script
from verification.challenge.verdict import Verdict
from verification.faces.align import similarity
from verification.types import Ability, Embedding, Face, Picture

OTHERS = ("lp_d18_0_live.jpg", "lp_d6_1_live.jpg", "lp_d18_3_live.jpg", "lp_d6_4_live.jpg")
"""Real pictures of people who have no clip here."""
PAIRS = (("lp_d3", "hdtf_hill"), ("hdtf_hill", "lp_d3"), ("lp_d13", "lp_d3"), ("lp_d0", "lp_d3"))


def _pair(number: int) -> tuple[str, str]:
    return PAIRS[number % len(PAIRS)]


def _shared(first: str, second: str) -> Role:
    """What both can be seen to do."""
    cuts = {action: cut for action, cut in ROLES[first].cuts.items() if action in ROLES[second].cuts}
    return Role(ROLES[first].hold, cuts)


@dataclass
class Two:
    """Two people before one camera, or two files in one virtual camera: ``share`` says how much of the second is in the picture at a time (0 to 1)."""

    mine: StandIn
    theirs: StandIn
    share: Callable[[float], float]

    def __post_init__(self) -> None:
        self.fps, self.person = self.mine.fps, self.mine.person
        self.theirs.person.screen = self.mine.person.screen
        self.heard: list[tuple[float, Event]] = []

    def told(self, events: Sequence[Event], now: float) -> None:
        self.heard += [(now, event) for event in events]
        self.mine.told(events, now)
        self.theirs.told([event for event in events if not isinstance(event, Show)], now)

    def shot(self, now: float) -> Shot:
        part = self.share(now)
        mine, theirs = self.mine.shot(now), self.theirs.shot(now)
        if part in (0.0, 1.0):
            return theirs if part else mine
        blend = np.asarray(cv2.addWeighted(mine.picture, 1 - part, theirs.picture, part, 0), np.uint8)
        return Shot(blend, theirs.seen if part > 0.5 else mine.seen, mine.move)


def _run(lab: Lab, source: object, script: Script, policy: ChallengePolicy) -> Verdict:
    return lab.run(source, script, policy)  # type: ignore[arg-type]


def swap_and_back(lab: Lab, number: int) -> Verdict:
    """A picture of another real person for a second or two in the middle, then who was there before."""
    name = ANSWERING[number % len(ANSWERING)]
    script, policy = script_for(ROLES[name], number)
    theirs = lab.stand_in(OTHERS[number % len(OTHERS)], number, role=Role(Cut(0, 0), {}), does=lambda ask: None)
    begins, lasts = 2.0 + 0.7 * (number % 5), 0.7 + 0.4 * (number % 3)
    share = lambda now: float(begins <= now < begins + lasts)  # noqa: E731
    return _run(lab, Two(lab.stand_in(name, number), theirs, share), script, policy)


def stuntman(lab: Lab, number: int) -> Verdict:
    """The customer sits; whoever can do it does each action, from the question to the rest."""
    first, second = _pair(number)
    script, policy = script_for(ROLES[second], number)
    mine = lab.stand_in(first, number, does=lambda ask: None)
    both = Two(mine, lab.stand_in(second, number), lambda now: 0.0)

    def share(now: float) -> float:
        told = [event for _, event in both.heard if isinstance(event, Ask | Rest)]
        return float(bool(told) and isinstance(told[-1], Ask))

    both.share = share
    return _run(lab, both, script, policy)


def cross_fade(lab: Lab, number: int) -> Verdict:
    """One performer goes over into the other within half a second to a second and a half."""
    first, second = _pair(number)
    script, policy = script_for(_shared(first, second), number)
    begins, lasts = 2.2 + 0.5 * (number % 4), 0.5 + 0.5 * (number % 3)
    share = lambda now: min(1.0, max(0.0, (now - begins) / lasts))  # noqa: E731
    return _run(replace(lab, full=True), Two(lab.stand_in(first, number), lab.stand_in(second, number), share), script, policy)


def cut_in_a_blink(lab: Lab, number: int) -> Verdict:
    """Another person from the moment on when the eyes are shut."""
    first, second = (("lp_d3", "lp_d13"), ("lp_d13", "lp_d3"), ("lp_d0", "lp_d3"), ("lp_d3", "lp_d0"))[number % 4]
    script, policy = script_for(_shared(first, second), number)
    mine, theirs = lab.stand_in(first, number), lab.stand_in(second, number)
    begins = 1.6 + 0.5 * (number % 4)
    for each in (mine, theirs):
        each.will(Action.BLINK, begins)
    return _run(lab, Two(mine, theirs, lambda now: float(now > begins + 0.2)), script, policy)


def cut_in_the_dark(lab: Lab, number: int) -> Verdict:
    """As a colour changes the camera loses the picture for an instant; then another person sits there, as dark as the first for a moment."""
    first, second = _pair(number)
    script, policy = script_for(_shared(first, second), number)
    both = Two(lab.stand_in(first, number), lab.stand_in(second, number), lambda now: 0.0)
    after = 1 + number % 3

    def changed() -> float:
        shown = [now for now, event in both.heard if isinstance(event, Show)]
        return shown[after] if len(shown) > after else math.inf

    both.share = lambda now: float(now > changed() + 0.25)

    class Dark:
        fps, person, told = both.fps, both.person, both.told

        def shot(self, now: float) -> Shot:
            shot, since = both.shot(now), now - changed()
            gain = 0.04 if 0.1 <= since < 0.35 else min(1.0, 0.4 + since) if since >= 0.35 else 1.0
            return shot if gain == 1.0 else replace(shot, picture=np.ascontiguousarray((shot.picture * gain).astype(np.uint8)))

    return _run(replace(lab, full=True), Dark(), script, policy)


def tinted_background(sign: float) -> Attack:
    """The face as it was recorded; what is behind it in the colours (``sign`` 1) or against them (-1: the same difference)."""

    def attack(lab: Lab, number: int) -> Verdict:
        name = ANSWERING[number % len(ANSWERING)]
        script, policy = script_for(ROLES[name], number)
        return lab.run(lab.stand_in(name, number, person=Person(seed=number, light=1e-9, spill=0.12 * sign)), script, policy)

    return attack


def tinted_face_played(lab: Lab, number: int) -> Verdict:
    """A clip that is played while a filter tints its face with the right colours."""
    name = ("lp_d3", "lp_d13", "hdtf_hill", "lp_d0")[number % 4]
    last = len(take(name, lab.analyser).pictures) - 1
    first = number * 7 % (last // 2)
    role = Role(Cut(first, min(last, first + 18) if lab.sampled else last), {})
    return lab.run(lab.stand_in(name, number, role=role, does=lambda ask: None), lab.asked_of_all(number))


def jittered_loop(lab: Lab, number: int) -> Verdict:
    """Two seconds again and again, each frame of another brightness and contrast, with a sensor's noise; lit as it should be."""
    name = ("lp_d3", "hdtf_hill", "lp_d13")[number % 3]
    start, chance = 10 * (number % 4), np.random.default_rng(number)

    class Loop(StandIn):
        def _index(self, now: float) -> int:
            return start + round(now * self.fps) % 25

        def shot(self, now: float) -> Shot:
            shot = super().shot(now)
            gain, lift = chance.uniform(0.85, 1.0), chance.uniform(-6, 6)
            return replace(shot, picture=np.ascontiguousarray((shot.picture * gain + lift).clip(0, 255).astype(np.uint8)))

    source = Loop(take(name, lab.analyser), ROLES[name], Person(seed=number, light=0.12, spill=0.006), unrest_px=0.0)
    return lab.run(source, lab.asked_of_all(number))


def late_stream(lab: Lab, number: int) -> Verdict:
    """Everything as asked, one to three seconds later than it can be: it was sent to somebody who renders it, and back."""
    name = ANSWERING[number % len(ANSWERING)]
    script, policy = script_for(ROLES[name], number)
    later = 1.0 + 0.25 * (number % 9)
    person = Person(seed=number, light=0.12, spill=0.006, delay_s=0.3 + later, react_s=0.7 + later)
    return lab.run(lab.stand_in(name, number, person=person), script, policy)


def recaptured(picture: Picture, number: int) -> Picture:
    """As a camera sees a screen: turned a little, softer, darker in the shadows, with the beat of two grids."""
    height, width = picture.shape[:2]
    lean = 0.02 + 0.01 * (number % 3)
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners * (1 - lean) + np.array(
        [[lean * width, 0], [0, lean * height / 2], [0, 0], [lean * width, lean * height]], np.float32
    )
    seen = cv2.warpPerspective(
        picture, cv2.getPerspectiveTransform(corners, moved), (width, height), borderMode=cv2.BORDER_REPLICATE
    )
    soft = cv2.GaussianBlur(seen, (0, 0), 0.9).astype(np.float32) / 255
    down, across = np.mgrid[:height, :width]
    beat = 1 + 0.05 * np.sin(2 * math.pi * (across / (3.1 + 0.2 * (number % 4)) + down / 41)) * np.sin(2 * math.pi * down / 3.3)
    shone = (soft**1.15 * beat[..., None] * 0.93 + 0.03) * np.array([0.95, 1.0, 1.06])
    return np.ascontiguousarray((shone * 255).clip(0, 255).astype(np.uint8))


def recaptured_answer(lab: Lab, number: int) -> Verdict:
    """A screen on which somebody answers another nonce, its colours too."""
    name = ("lp_d3", "hdtf_hill")[number % 2]
    script, policy = script_for(ROLES[name], number)
    other = next(
        made for made in (script_for(ROLES[name], number + at)[0] for at in range(7000, 7100)) if _order(made) != _order(script)
    )
    source = lab.stand_in(name, number, does=lambda ask: None)
    for place, step in enumerate(other.actions):
        source.will(step.action, 1.2 + 3.0 * place)
    for colour in other.colours:
        source.person.see(colour, 0.6 + colour.at_s)

    class Screen:
        fps, person = source.fps, source.person

        def told(self, events: Sequence[Event], now: float) -> None:
            """A screen hears nothing."""

        def shot(self, now: float) -> Shot:
            shot = source.shot(now)
            return replace(shot, picture=recaptured(shot.picture, number))

    return _run(replace(lab, full=True), Screen(), script, policy)


def _order(script: Script) -> list[Action]:
    return [step.action for step in script.actions]


def pasted(on: Picture, face: Picture, box: tuple[float, float, float, float]) -> Picture:
    """The face of one picture on another, with a soft edge."""
    x0, y0, x1, y1 = box
    mask = np.zeros(on.shape[:2], np.float32)
    centre, axes = (round((x0 + x1) / 2), round((y0 + y1) / 2)), (round(0.6 * (x1 - x0)), round(0.65 * (y1 - y0)))
    cv2.ellipse(mask, centre, axes, 0, 0, 360, 1.0, -1)
    mask = cv2.blur(mask, (25, 25))
    return np.asarray(cv2.blendLinear(face, on, mask, 1 - mask), np.uint8)


def half_frozen(face_lives: bool) -> Attack:
    """Only the face moves, or only what is around it; the colours are on the face."""

    def attack(lab: Lab, number: int) -> Verdict:
        name = ("lp_d3", "lp_d13", "hdtf_hill")[number % 3]
        clip = take(name, lab.analyser)
        still = ROLES[name].hold.first
        face = clip.seen[still].face
        assert face is not None
        last = len(clip.pictures) - 1
        first = number * 7 % (last // 2)
        role = Role(Cut(first, min(last, first + 18)), {})

        class Half(StandIn):
            def shot(self, now: float) -> Shot:
                at = self._index(now)
                living, dead = clip.pictures[at], clip.pictures[still]
                composed = pasted(dead, living, face.box) if face_lives else pasted(living, dead, face.box)
                kept = self.take
                self.take = replace(kept, pictures=[composed], seen=clip.seen if face_lives else _Only(clip.seen[still]))  # type: ignore[arg-type]
                self._index = lambda now: 0  # type: ignore[method-assign]
                try:
                    return super().shot(now)
                finally:
                    self.take = kept
                    del self._index

        source = Half(clip, role, Person(seed=number, light=0.12, spill=0.006), does=lambda ask: None)
        return (
            lab.run(source, lab.asked_of_all(number))
            if not face_lives
            else replace(lab, full=True).run(source, lab.asked_of_all(number))
        )

    return attack


class _Only:
    def __init__(self, seen: object) -> None:
        self._seen = seen

    def __getitem__(self, index: int) -> object:
        return self._seen


BENDS = frozenset({Action.TURN_LEFT, Action.TURN_RIGHT, Action.NOD, Action.COME_CLOSER})
CUT_OUTS = frozenset({Action.BLINK, Action.OPEN_MOUTH, Action.COME_CLOSER})
LASTS = {Action.BLINK: 0.3}


class Puppet(StandIn):
    """A still picture that is bent, tipped, held nearer, and whose eyes and mouth are moved behind cut-outs, as it is asked."""

    bent = True
    """Turns: bent about an upright axis like a sheet of paper; else tipped as a board."""

    def _index(self, now: float) -> int:
        return 0

    def shot(self, now: float) -> Shot:
        whole, seen = self.take.pictures[0], self.take.seen[0]
        face = seen.face
        assert face is not None
        far = {action: self._far(action, now) for action in Action}
        picture = _cut_out(whole, face, far[Action.OPEN_MOUTH], far[Action.BLINK])
        picture = posed(picture, face, far[Action.TURN_LEFT] - far[Action.TURN_RIGHT], far[Action.NOD], bent=self.bent)
        kept, held = self.take, self.role
        self.take, self._held = replace(kept, pictures=[picture]), [0]
        self._zoomed_s = next((at + self.person.react_s for at, action in self._plan if action is Action.COME_CLOSER), None)
        self._zoomed_s = self._zoomed_s if self._zoomed_s is not None and now >= self._zoomed_s else None
        try:
            return super().shot(now)
        finally:
            self.take, self.role = kept, held

    def will(self, action: Action, at_s: float) -> None:
        self._plan.append((at_s, action))

    def _far(self, action: Action, now: float) -> float:
        lasts = LASTS.get(action, 1.3)
        parts = [(now - at) / lasts for at, planned in self._plan if planned is action]
        return max((math.sin(math.pi * part) ** 2 for part in parts if 0 < part < 1), default=0.0)


def _cut_out(picture: Picture, face: Face, mouth: float, eyes: float) -> Picture:
    """A dark hole where the mouth is, whose lower lip moves down; lids of the skin's colour over the eyes."""
    if not mouth and not eyes:
        return picture
    out = picture.copy()
    left, right, _, corner, other = (point.astype(float) for point in face.points)
    size, middle = float(np.hypot(*(right - left))), (corner + other) / 2
    if mouth:
        drop = round(0.55 * size * mouth)
        x0, x1 = round(middle[0] - 0.45 * size), round(middle[0] + 0.45 * size)
        y0, y1 = round(middle[1]), min(picture.shape[0], round(middle[1] + 0.75 * size))
        jaw = cv2.resize(picture[y0:y1, x0:x1], (x1 - x0, max(1, y1 - y0 - drop)), interpolation=cv2.INTER_AREA)
        out[y1 - len(jaw) : y1, x0:x1] = jaw
        cv2.ellipse(
            out, (round(middle[0]), y0 + drop // 2), (round(0.32 * size), max(1, drop // 2)), 0, 0, 360, (45, 15, 18), -1
        )
    if eyes > 0.3:
        for eye in (left, right):
            x, y = round(float(eye[0])), round(float(eye[1]))
            skin = picture[min(picture.shape[0] - 1, round(y + 0.28 * size)), x].tolist()
            cv2.ellipse(out, (x, y), (round(0.24 * size), round(0.12 * size)), 0, 0, 360, skin, -1)
            cv2.ellipse(out, (x, y + round(0.07 * size)), (round(0.2 * size), round(0.03 * size)), 0, 10, 170, (50, 35, 30), 2)
    return out


def posed(picture: Picture, face: Face, turn: float, nod: float, *, bent: bool) -> Picture:
    """``turn``, ``nod``: -1 to 1 of as far as it goes."""
    height, width = picture.shape[:2]
    (x, y), radius = face.box.centre, face.box.width
    if turn and bent:
        lean = math.radians(58 * turn)
        across = np.clip((np.arange(width) - x + radius * math.sin(lean)) / radius, -0.999, 0.999)
        columns = (radius * (np.arcsin(across) - lean) + x).astype(np.float32)
        rows = np.repeat(np.arange(height, dtype=np.float32)[:, None], width, axis=1)
        picture = np.asarray(
            cv2.remap(
                picture, np.repeat(columns[None], height, axis=0), rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            ),
            np.uint8,
        )
        turn = 0.0
    if not turn and not nod:
        return picture
    yaw, pitch, away = math.radians(45 * turn), math.radians(-40 * nod), 1.3 * width
    about_y = np.array([[math.cos(yaw), 0, math.sin(yaw)], [0, 1, 0], [-math.sin(yaw), 0, math.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, math.cos(pitch), -math.sin(pitch)], [0, math.sin(pitch), math.cos(pitch)]])
    corners = np.array([[-150, -150, 0], [150, -150, 0], [150, 150, 0], [-150, 150, 0]], float)
    turned = corners @ (about_y @ about_x).T
    seen = turned[:, :2] * (away / (away + turned[:, 2:]))
    matrix = cv2.getPerspectiveTransform(
        (corners[:, :2] + np.array([x, y])).astype(np.float32), (seen + np.array([x, y])).astype(np.float32)
    )
    return np.asarray(cv2.warpPerspective(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def puppet(kind: str, actions: frozenset[Action], *, everywhere: bool = False) -> Attack:
    """Asked only for what it can pretend, three things at most; ``everywhere``: the light falls on the whole sheet, else on the face alone."""

    def attack(lab: Lab, number: int) -> Verdict:
        name = f"{PRINTS[number % len(PRINTS)]}_{kind}.jpg"
        count = min(3, len(actions))
        policy = replace(POLICY, actions=count, strong=count - (Action.BLINK in actions), scripts=1, replacements=0)
        abilities = {Ability(action.value) for action in actions} | {Ability.COLOURS}
        script = draw_script(b"a puppet's script" + number.to_bytes(4, "big"), abilities, policy)
        person = Person(seed=number, light=0.12, spill=0.006)
        source = Puppet(take(name, lab.analyser), Role(Cut(0, 0), {}), person, everywhere=everywhere)
        source.bent = number % 2 == 0
        return replace(lab, full=True).run(source, script, policy)

    return attack


TRICKS: Mapping[str, Attack] = {
    "swap_and_back": swap_and_back,
    "stuntman": stuntman,
    "cross_fade": cross_fade,
    "cut_in_a_blink": cut_in_a_blink,
    "cut_in_the_dark": cut_in_the_dark,
    "tinted_background": tinted_background(1.0),
    "tinted_background_against": tinted_background(-1.0),
    "tinted_face_played": tinted_face_played,
    "jittered_loop": jittered_loop,
    "late_stream": late_stream,
    "recaptured_answer": recaptured_answer,
    "frozen_face": half_frozen(False),
    "frozen_background": half_frozen(True),
    "bent_print": puppet("print_paper", BENDS),
    "cut_out_print": puppet("print_paper", CUT_OUTS),
    "bent_phone": puppet("replay_phone", BENDS),
}
"""Every one must be refused."""


class Glass(StandIn):
    """What the screen's light adds to everything alike: the glass of another screen mirrors it, or a layer of some opacity lies over a picture."""

    adds = 0.05

    def _lit(self, picture: Picture, face: Face | None, now: float) -> Picture:
        light = next(rgb for at, rgb in reversed(self.person.screen) if at <= now - self.person.delay_s)
        value = np.arange(256) / 255
        linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
        tables = []
        for part in light:
            more = np.clip(linear * (1 - self.adds) + self.adds * part, 0, 1)
            back = np.where(more <= 0.0031308, 12.92 * more, 1.055 * more ** (1 / 2.4) - 0.055)
            tables.append((back * 255).round().astype(np.uint8))
        return np.asarray(cv2.LUT(picture, np.stack(tables, axis=-1)[None]), np.uint8)


def layered(adds: float, names: tuple[str, ...] = ANSWERING) -> Attack:
    """Recorded parts of the customer as they are asked for, the colours laid over all of it."""

    def attack(lab: Lab, number: int) -> Verdict:
        name = names[number % len(names)]
        script, policy = script_for(ROLES[name], number)
        source = Glass(take(name, lab.analyser), ROLES[name], Person(seed=number))
        source.adds = adds
        return lab.run(source, script, policy)

    return attack


TRICKS = {
    **TRICKS,
    "layer": layered(0.04),
    "glass": layered(0.08),
    "glass_of_a_monitor": layered(0.05, ("hdtf_hill_replay_monitor",)),
}


class SmallScreen(StandIn):
    """A screen that is smaller than the picture: its glass is lit, the room around it is not."""

    beyond = (0.34, 0.42)
    """Of the face's width and height, how far the glass goes."""

    def _lit(self, picture: Picture, face: Face | None, now: float) -> Picture:
        light = next(rgb for at, rgb in reversed(self.person.screen) if at <= now - self.person.delay_s)
        if face is None or light == (1.0, 1.0, 1.0):
            return picture
        box, (wide, high) = face.box, self.beyond
        x0, x1 = (max(0, round(x)) for x in (box.x0 - wide * box.width, box.x1 + wide * box.width))
        y0 = max(0, round(box.y0 - high * box.height))
        tables = np.stack([light_table(1 + self.person.light * (part - 1)) for part in light], axis=-1)[None]
        lit = picture.copy()
        lit[y0:, x0:x1] = cv2.LUT(np.ascontiguousarray(picture[y0:, x0:x1]), tables)
        return lit


def answer_on_small_screen(lab: Lab, number: int) -> Verdict:
    """Recorded parts of the customer, shown on a screen as they are asked for, whose glass throws back the colours."""
    name = "hdtf_hill_replay_monitor"
    script, policy = script_for(ROLES[name], number)
    return lab.run(SmallScreen(take(name, lab.analyser), ROLES[name], Person(seed=number, light=0.12)), script, policy)


@dataclass
class Portraits:
    """What a portrait is compared with at the end of an attempt. ``first``: the reference, ``kept``: the frames that the machine chose."""

    verdict: Verdict
    first: Embedding
    kept: list[Embedding]


def doctored_first(lab: Lab, name: str, victim: str, number: int) -> Portraits:
    """``name`` answers; the first picture of all is half ``victim``, laid on by eyes, nose and mouth."""
    script, policy = script_for(ROLES[name], number)
    clip, other = take(name, lab.analyser), take(victim, lab.analyser)
    start = ROLES[name].hold.first
    mine, theirs = clip.seen[start].face, other.seen[0].face
    assert mine is not None
    assert theirs is not None
    matrix = similarity(theirs.points, mine.points).astype(np.float32)
    size = (clip.pictures[start].shape[1], clip.pictures[start].shape[0])
    laid = np.asarray(cv2.warpAffine(other.pictures[0], matrix, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)
    half = np.asarray(cv2.addWeighted(clip.pictures[start], 0.5, laid, 0.5, 0), np.uint8)
    morph = pasted(clip.pictures[start], half, mine.box)
    doctored = Shot(np.ascontiguousarray(morph), look(lab.analyser, morph), np.float32([[1, 0, 0], [0, 1, 0]]))
    source = lab.stand_in(name, number)
    shoot, first = source.shot, [doctored]
    source.shot = lambda now: first.pop() if first else shoot(now)  # type: ignore[method-assign]
    machine = ChallengeMachine(script, policy, lab.limits)
    eye, seen = Eye(lab.analyser, lab.limits), []

    class Keeping:
        def observe(self, picture: Picture, shot: Shot, now: float) -> Observation | Unreadable:
            seen.append(shot.seen.embedding)
            return eye.observe(picture, shot, now)

    verdict = play(machine, source, Keeping())  # type: ignore[arg-type]
    kept = [seen[index] for index in machine.kept]
    assert all(one is not None for one in (seen[0], *kept))
    return Portraits(verdict, seen[0], kept)


RESIDUAL_TRICKS: Mapping[str, Attack] = {
    "answer_on_small_screen": answer_on_small_screen,
    "bent_still": puppet("live", BENDS),
    "cut_out_still": puppet("live", CUT_OUTS),
}
"""What answers in real time; measured, and nothing is claimed."""
