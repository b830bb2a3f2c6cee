"""What is asked of a person: drawn from a nonce, so that nobody, the person included, knows it before. Sans I/O."""

import hashlib
import json
import math
from collections.abc import Collection, Set
from dataclasses import dataclass, field
from enum import StrEnum

from verification.challenge.colours import ColourStep, draw_colours
from verification.challenge.draw import Draw, derived
from verification.challenge.policy import ChallengePolicy, Light, PolicyInvalid
from verification.types import Ability


class Action(StrEnum):
    """Left and right are the person's own."""

    TURN_LEFT = "turn_left"
    TURN_RIGHT = "turn_right"
    NOD = "nod"
    BLINK = "blink"
    OPEN_MOUTH = "open_mouth"
    COME_CLOSER = "come_closer"


@dataclass(frozen=True, slots=True)
class Step:
    """Asked after a rest of at least ``gap_s``, done within ``deadline_s`` after that."""

    action: Action
    deadline_s: float
    gap_s: float


@dataclass(frozen=True, slots=True)
class Script:
    """``choice``: what the policy may ask with this pack. ``reserve``: what replacements are drawn from, when somebody cannot do something and not before
    (``replacements``). ``warning``: tell about changing colours before, and offer the other forms. ``hash``: SHA-256, hexadecimal, of all of it and of something of
    the nonce, so that nobody finds the script by trying all of them; part of the evidence."""

    actions: tuple[Step, ...]
    choice: tuple[Action, ...]
    reserve: bytes = field(repr=False)
    colours: tuple[ColourStep, ...]
    light: Light
    warning: bool
    hash: str

    @property
    def light_s(self) -> float:
        """How long the colours last."""
        return self.colours[-1].at_s + self.colours[-1].for_s if self.colours else 0.0


def _digest(
    nonce: bytes, steps: tuple[Step, ...], choice: tuple[Action, ...], colours: tuple[ColourStep, ...], light: Light
) -> str:
    content = {
        "version": 2,
        "nonce": derived(nonce, "hash").hex(),
        "actions": [[step.action.value, step.deadline_s, step.gap_s] for step in steps],
        "choice": [action.value for action in choice],
        "colours": [[*step.rgb, step.at_s, step.for_s, step.fade_s] for step in colours],
        "light": light.value,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def actions_of(abilities: Set[Ability]) -> tuple[Action, ...]:
    """What a pack can see, in a fixed order."""
    return tuple(action for action in Action if Ability(action.value) in abilities)


def askable(abilities: Set[Ability], policy: ChallengePolicy) -> tuple[Action, ...]:
    """What the policy may ask with this pack: no blink where every action must be a strong one."""
    count = policy.actions_without_light if policy.light is Light.NONE else policy.actions
    return tuple(action for action in actions_of(abilities) if action is not Action.BLINK or policy.strong < count)


def different(abilities: Set[Ability], policy: ChallengePolicy) -> int:
    """How many scripts can be drawn, rests and the times of colours not counted."""
    count = policy.actions_without_light if policy.light is Light.NONE else policy.actions
    rows = math.perm(len(askable(abilities, policy)), count)
    if policy.light is Light.NONE:
        return rows
    two_only = 12  # of four colours, neighbours different: six pairs that alternate, begun with either
    return rows * (4 * int(3 ** (policy.colours - 1)) - two_only)


def draw_script(nonce: bytes, abilities: Set[Ability], policy: ChallengePolicy) -> Script:
    """The script of a nonce: the same for the same arguments.

    Raises ValueError for a nonce under 16 bytes, ``PolicyInvalid`` where the pack does not see enough different actions, or the colours.
    """
    if policy.light is not Light.NONE and Ability.COLOURS not in abilities:
        raise PolicyInvalid("this pack cannot look for colours: light = none")
    count = policy.actions_without_light if policy.light is Light.NONE else policy.actions
    choice = askable(abilities, policy)
    if len(choice) < count:
        raise PolicyInvalid(f"{count} different actions asked for, this pack sees {len(choice)}")
    if different(abilities, policy) < policy.scripts:
        raise PolicyInvalid("too few different scripts with this pack")

    draw = Draw(nonce, "actions")
    steps = tuple(Step(action, policy.action_s, draw.between(*policy.gap_s)) for action in draw.order(choice))
    asked = steps[:count]
    colours = draw_colours(nonce, policy)
    digest = _digest(nonce, asked, choice, colours, policy.light)
    return Script(asked, choice, derived(nonce, "replacements"), colours, policy.light, bool(colours), digest)


def replacements(script: Script, policy: ChallengePolicy, number: int, asked: Collection[Action]) -> tuple[Step, ...]:
    """What is asked of who cannot do something for the ``number``-th time (from 0): the first instead, the second beside; of what was not ``asked`` for. Fewer where
    the pack sees no more, none where the policy allows no more. Fixed by the nonce and by what was asked until now, so nobody has to keep it."""
    if number >= policy.replacements:
        return ()
    draw = Draw(script.reserve, f"replacement {number}")
    left = draw.order([action for action in script.choice if action not in asked])
    return tuple(Step(action, policy.action_s, draw.between(*policy.gap_s)) for action in left[:2])
