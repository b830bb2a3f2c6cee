"""The person that a benchmark plays does what a challenge asks, and nothing before."""

import hashlib
import random
from dataclasses import asdict, replace

import pytest

from server.bench_person import LASTS_S, REACH, REACT_S, Person
from server.challenges import instruction
from server.transactions.cues import Cue, Instruction
from tests.support import performer
from verification.challenge.events import Judged
from verification.challenge.machine import ChallengeMachine
from verification.challenge.policy import ChallengePolicy, Light, Limits
from verification.challenge.script import Action, draw_script
from verification.challenge.verdict import Verdict
from verification.types import Ability

FPS = 10.0


def played(seed: int) -> tuple[Verdict, float]:
    """And after how many seconds. Every action that there is."""
    rules = ChallengePolicy(actions_without_light=6, light=Light.NONE)
    nonce = hashlib.sha256(b"%d" % seed).digest()
    machine = ChallengeMachine(draw_script(nonce, frozenset(Ability), rules), rules, Limits())
    person, seen = Person(random.Random(seed)), performer.Person()
    events = machine.start(0.0)
    for index in range(600):
        now = index / FPS
        person.told([instruction(one, now) for one in events], now)
        frame, pose = seen.frame(index, now), person.pose(now)
        if pose is None:
            frame = replace(frame, faces=0, face_box=None, scale=None, yaw=None, pitch=None, roll=None, eyes=None, mouth=None)
            frame = replace(
                frame, pad=None, identity=None, quality=None, face_colour=None, background_colour=None, reference=False
            )
        else:
            frame = replace(frame, **asdict(pose))
        events = machine.feed(frame)
        for one in events:
            if isinstance(one, Judged):
                return one.verdict, now
    raise AssertionError("it was never judged")


@pytest.mark.parametrize("seed", range(12))
def test_they_do_every_action_that_is_asked_for_in_any_order(seed: int) -> None:
    verdict, took = played(seed)
    (actions,) = (check for check in verdict.checks if check.name == "actions")
    assert actions.passed, actions
    assert dict(actions.figures) == {"asked": 6.0, "done": 6.0, "slips": 0.0, "replaced": 0.0}
    assert took > 6 * (REACT_S[0] + min(LASTS_S.values()))


def test_they_know_every_action() -> None:
    assert set(REACH) == set(LASTS_S) == {action.value for action in Action}


def test_nobody_is_there_before_they_were_asked_and_had_time_to_look() -> None:
    person = Person(random.Random(1))
    assert person.pose(100.0) is None
    person.told([Instruction(cue=Cue.SETTLE)], 10.0)
    assert person.pose(10.0 + REACT_S[0] - 0.01) is None
    calm = person.pose(10.0 + REACT_S[1])
    assert calm is not None
    assert (calm.yaw, calm.pitch) == (0.0, 0.0)
    person.told([Instruction(cue=Cue.ASK, action="turn_right")], 20.0)
    assert person.pose(20.0 + REACT_S[0]) == calm
    turned = person.pose(20.0 + sum(REACT_S) / 2 + LASTS_S["turn_right"] / 2)
    assert turned is not None
    assert turned.yaw < -15.0
