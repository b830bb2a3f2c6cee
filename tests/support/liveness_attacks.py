"""What is shown to a camera instead of an answer, species by species; each makes a verdict from a number that draws its script.

Everything here must be refused. ``RESIDUAL`` is what the page calls the residual risk: a face rendered in real time that does what is asked and is lit as
the screen is; it is measured, and nothing is claimed.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from tests.support.performer import Person
from tests.support.stand_in import POLICY, ROLES, Cut, Eye, Line, Role, Shot, StandIn, play, script_for
from tests.support.takes import take
from verification.challenge.events import Event, Rest, Show
from verification.challenge.machine import ChallengeMachine
from verification.challenge.observation import Observation
from verification.challenge.policy import Limits, limits_of
from verification.challenge.script import Action, Script, draw_script
from verification.challenge.verdict import Verdict
from verification.faces.analyser import Analyser
from verification.reasons import ReasonCode
from verification.types import Picture

LIVE = ("lp_d0", "lp_d3", "lp_d13", "hdtf_hill", "intel_male", "ghost_orig")
ANSWERING = ("lp_d3", "hdtf_hill", "lp_d13", "lp_d0")
"""Clips that can do two things or more."""
PRINTS = ("lp_d3_0", "hdtf_hill_1", "lp_d13_2", "intel_male_3", "lp_d0_1", "lp_d18_4", "ghost_orig_0", "lp_d6_5")


@dataclass
class Lab:
    """``full``: every picture through every model. ``narrow``: through VP8 at 500 kbit/s."""

    analyser: Analyser
    full: bool = False
    narrow: bool = False
    sampled: bool = False
    """Clips that are only played: a second and a half of them, to and fro, so that few frames are looked at."""
    lenient: bool = False
    """Takes a face that seems covered, as screens of screens often do, for a good one: refusing it is luck."""

    @property
    def limits(self) -> Limits:
        limits = limits_of(self.analyser.pack.thresholds)
        return replace(limits, tolerated=limits.tolerated | {ReasonCode.OCCLUDED}) if self.lenient else limits

    def stand_in(self, name: str, number: int, **about: object) -> StandIn:
        person = about.pop("person", None) or Person(seed=number, light=0.12, spill=0.006)
        role = about.pop("role", None) or ROLES[name]
        return StandIn(take(name, self.analyser), role, person, **about)  # type: ignore[arg-type]

    def run(
        self, source: StandIn, script: Script, policy=POLICY, other: Callable[[float], StandIn | None] = lambda now: None
    ) -> Verdict:
        machine = ChallengeMachine(script, policy, self.limits)
        line = Line(source.fps) if self.narrow else None
        return play(machine, source, Eye(self.analyser, self.limits, full=self.full), line=line, other=other)

    def live(self, name: str, number: int, light: float = 0.12) -> Verdict:
        """Somebody who answers."""
        script, policy = script_for(ROLES[name], number)
        return self.run(self.stand_in(name, number, person=Person(seed=number, light=light, spill=light / 20)), script, policy)

    def asked_of_all(self, number: int) -> Script:
        """A script of everything that the pack can see."""
        return draw_script(b"anybody's script" + number.to_bytes(4, "big"), self.analyser.abilities, POLICY)


def played(name: str) -> Callable[[Lab, int], Verdict]:
    """A clip played to whatever is asked, from somewhere in it; nothing answers."""

    def attack(lab: Lab, number: int) -> Verdict:
        last = len(take(name, lab.analyser).pictures) - 1
        first = number * 7 % max(1, last // 2)
        role = Role(Cut(first, min(last, first + 18) if lab.sampled else last), {})
        source = lab.stand_in(name, number, role=role, does=lambda ask: None, person=Person(seed=number, light=0.0))
        return lab.run(source, lab.asked_of_all(number))

    return attack


def _name(number: int, names: tuple[str, ...] = ANSWERING) -> str:
    return names[number % len(names)]


def loop(lab: Lab, number: int) -> Verdict:
    """Two seconds to a virtual camera, again and again, without a camera's noise."""
    name = _name(number, ("lp_d3", "hdtf_hill", "lp_d13"))
    start = 10 * (number % 4)

    class Loop(StandIn):
        def _index(self, now: float) -> int:
            return start + round(now * self.fps) % 25

    source = Loop(take(name, lab.analyser), ROLES[name], Person(seed=number, light=0.0), unrest_px=0.0, noise=False)
    return lab.run(source, lab.asked_of_all(number))


def freeze(lab: Lab, number: int) -> Verdict:
    """Answers the first, then the picture stands still while the colours go on."""
    name = _name(number, ("lp_d3", "hdtf_hill"))
    source = lab.stand_in(name, number)
    frozen: list[object] = []
    shoot, told = source.shot, source.told

    def shot(now: float):  # type: ignore[no-untyped-def]
        if len(frozen) == 1:
            frozen.append(shoot(now))
        return frozen[1] if len(frozen) > 1 else shoot(now)

    def hear(events: list[Event], now: float) -> None:
        if any(isinstance(event, Rest) for event in events) and not frozen:
            frozen.append(None)
        told(events, now)

    source.shot, source.told = shot, hear  # type: ignore[method-assign,assignment]
    script, policy = script_for(ROLES[name], number)
    return lab.run(source, script, policy)


def swap(lab: Lab, number: int) -> Verdict:
    """Another person takes over in the middle and goes on answering."""
    first, second = (("lp_d3", "hdtf_hill"), ("hdtf_hill", "lp_d3"), ("lp_d13", "lp_d3"), ("lp_d0", "lp_d3"))[number % 4]
    after = 2.5 + number % 3
    shared = {action: cut for action, cut in ROLES[first].cuts.items() if action in ROLES[second].cuts}
    script, policy = script_for(Role(ROLES[first].hold, shared), number)
    mine, theirs = lab.stand_in(first, number), lab.stand_in(second, number)
    theirs.person.screen = mine.person.screen
    return lab.run(mine, script, policy, other=lambda now: theirs if now > after else None)


def late(lab: Lab, number: int) -> Verdict:
    name = _name(number)
    script, policy = script_for(ROLES[name], number)
    return lab.run(
        lab.stand_in(name, number, person=Person(seed=number, light=0.12, react_s=policy.action_s + 0.7)), script, policy
    )


def wrong_order(lab: Lab, number: int) -> Verdict:
    name = _name(number)
    script, policy = script_for(ROLES[name], number)
    row = [step.action for step in script.actions][::-1]
    if len(row) == 3:
        row = [row[0], row[2], row[1]]
    return lab.run(lab.stand_in(name, number, does=lambda ask: row[ask.number]), script, policy)


def before_asked(lab: Lab, number: int) -> Verdict:
    """Knows the order, and does everything without waiting for the questions."""
    name = _name(number, ("lp_d3", "hdtf_hill"))
    script, policy = script_for(ROLES[name], number)
    source = lab.stand_in(name, number, does=lambda ask: None)
    for place, step in enumerate(script.actions):
        source.will(step.action, 0.45 + 0.1 * place)
    return lab.run(source, script, policy)


def all_at_once(lab: Lab, number: int) -> Verdict:
    """A clip of somebody who does several things at once, played at each question, lit by the screen: whatever is asked is among them. The clip's turns, with
    nods, mouths and blinks put on them as an editor would."""
    name = "hdtf_hill"
    role = ROLES[name]
    source = lab.stand_in(name, number, does=lambda ask: Action.TURN_RIGHT)
    script = lab.asked_of_all(number)
    machine = ChallengeMachine(script, POLICY, lab.limits)
    eye = Eye(lab.analyser, lab.limits, full=lab.full)
    began: list[float] = []

    class Edited:
        def observe(self, picture: Picture, shot: Shot, now: float) -> Observation:
            one = eye.observe(picture, shot, now)
            if not source._playing:
                began.clear()
                return one
            if not began:
                began.append(now)
            part = min(1.0, (now - began[0]) * source.fps / len(role.cuts[Action.TURN_RIGHT].frames()))
            hill = math.sin(math.pi * part) ** 2
            return replace(
                one,
                pitch=None if one.pitch is None else one.pitch - 18 * hill,
                mouth=None if one.mouth is None else one.mouth + 0.5 * hill,
                eyes=None if one.eyes is None else one.eyes * (1 - 0.8 * hill),
            )

    return play(machine, source, Edited(), line=Line(source.fps) if lab.narrow else None)  # type: ignore[arg-type]


def unlit(lab: Lab, number: int) -> Verdict:
    name = _name(number)
    script, policy = script_for(ROLES[name], number)
    return lab.run(lab.stand_in(name, number, person=Person(seed=number, light=0.0)), script, policy)


def lit_late(lab: Lab, number: int) -> Verdict:
    """The right colours two seconds late: somebody paints them in by hand."""
    name = _name(number)
    script, policy = script_for(ROLES[name], number)
    return lab.run(lab.stand_in(name, number, person=Person(seed=number, light=0.12, delay_s=2.0)), script, policy)


def lit_everywhere(lab: Lab, number: int) -> Verdict:
    """The right colours at the right time, over the whole picture: on the glass of a screen, by a filter."""
    name = _name(number)
    script, policy = script_for(ROLES[name], number)
    return lab.run(lab.stand_in(name, number, everywhere=True), script, policy)


def _with_colours_of(lab: Lab, source: StandIn, other: Script, script: Script, policy: object) -> Verdict:
    told, colours = source.told, list(other.colours)

    def hear(events: list[Event], now: float) -> None:
        told(
            [
                replace(event, step=colours.pop(0)) if isinstance(event, Show) and event.step and colours else event
                for event in events
            ],
            now,
        )

    source.told = hear  # type: ignore[method-assign,assignment]
    return lab.run(source, script, policy)  # type: ignore[arg-type]


def lit_otherwise(lab: Lab, number: int) -> Verdict:
    """The right actions, and the colours of another attempt at the right times."""
    name = _name(number)
    script, policy = script_for(ROLES[name], number)
    other, _ = script_for(ROLES[name], number + 5000)
    return _with_colours_of(lab, lab.stand_in(name, number), other, script, policy)


def recorded(lab: Lab, number: int) -> Verdict:
    """A whole answer to another script, played from the start of this one."""
    name = _name(number, ("lp_d3", "hdtf_hill"))
    script, policy = script_for(ROLES[name], number)
    other, _ = script_for(ROLES[name], number + 7000)
    if [step.action for step in other.actions] == [step.action for step in script.actions]:
        other, _ = script_for(ROLES[name], number + 8000)
    source = lab.stand_in(name, number, does=lambda ask: None)
    at = 1.2
    for step in other.actions:
        source.will(step.action, at)
        at += 3.0
    for colour in other.colours:
        source.person.see(colour, 0.6 + colour.at_s)
    source.told = lambda events, now: None  # type: ignore[method-assign]
    return lab.run(source, script, policy)


def still(kind: str) -> Callable[[Lab, int], Verdict]:
    """A picture held before the camera, lit by the screen as a face would be."""

    def attack(lab: Lab, number: int) -> Verdict:
        name = f"{PRINTS[number % len(PRINTS)]}_{kind}.jpg"
        role = Role(Cut(0, 0), {})
        return lab.run(lab.stand_in(name, number, role=role), lab.asked_of_all(number))

    return attack


def shown_answer(name: str) -> Callable[[Lab, int], Verdict]:
    """A screen before the camera whose person does what is asked; the colours fall on its glass."""

    def attack(lab: Lab, number: int) -> Verdict:
        script, policy = script_for(ROLES[name], number)
        return lab.run(lab.stand_in(name, number, everywhere=True), script, policy)

    return attack


def rendered(name: str) -> Callable[[Lab, int], Verdict]:
    """The same, with the colours rendered on the face alone."""

    def attack(lab: Lab, number: int) -> Verdict:
        script, policy = script_for(ROLES[name], number)
        return lab.run(lab.stand_in(name, number), script, policy)

    return attack


Attack = Callable[[Lab, int], Verdict]
SPECIES: Mapping[str, Attack] = {
    "replay_phone": played("lp_d3_replay_phone"),
    "replay_monitor": played("hdtf_hill_replay_monitor"),
    "deepfake": played("ghost_elon"),
    "virtual_camera": lambda lab, number: played(_name(number, ("lp_d3", "lp_d13", "hdtf_hill", "lp_d0")))(lab, number),
    "loop": loop,
    "freeze": freeze,
    "swap": swap,
    "late_answer": late,
    "wrong_order": wrong_order,
    "before_asked": before_asked,
    "all_at_once": all_at_once,
    "unlit": unlit,
    "lit_late": lit_late,
    "lit_otherwise": lit_otherwise,
    "lit_everywhere": lit_everywhere,
    "recorded_answer": recorded,
    "print": still("print_paper"),
    "still_on_phone": still("replay_phone"),
    "still_on_monitor": still("replay_monitor"),
    "answer_on_phone": shown_answer("lp_d3_replay_phone"),
    "answer_on_monitor": shown_answer("hdtf_hill_replay_monitor"),
}
RESIDUAL: Mapping[str, Attack] = {
    "rendered_deepfake": rendered("ghost_elon"),
    "rendered_on_phone": rendered("lp_d3_replay_phone"),
    "rendered_on_monitor": rendered("hdtf_hill_replay_monitor"),
}
