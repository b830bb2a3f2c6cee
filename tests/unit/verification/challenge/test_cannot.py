"""Who cannot do something: as often as the policy says, of what was asked, and nothing gets easier by it."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.performer import Person, perform
from verification.challenge.events import Ask, Cannot, Event
from verification.challenge.machine import ChallengeMachine
from verification.challenge.observation import Observation
from verification.challenge.policy import ChallengePolicy, Limits
from verification.challenge.script import Action, draw_script
from verification.challenge.verdict import Outcome, Verdict
from verification.reasons import ReasonCode
from verification.types import Ability

POLICY = ChallengePolicy()


def attempt(
    number: int, policy: ChallengePolicy, unable: frozenset[Action], wishes: int
) -> tuple[Verdict, list[Action], ChallengeMachine]:
    """Somebody who says so of ``unable``, and of whatever is asked ``wishes`` times before they do anything; and what they were asked for."""
    machine = ChallengeMachine(draw_script(number.to_bytes(16, "big"), frozenset(Ability), policy), policy, Limits())
    person = Person(seed=number, refuse=unable)
    left = [wishes]

    def say(one: Observation) -> Observation:
        now = machine.asked.action if machine.asked else None
        if now is not None and (now in unable or left[0] > 0):
            left[0] -= 1
            person.plan[:] = [(at, action) for at, action in person.plan if action is not now]
            person.told(machine.feed(Cannot(one.received_s)), one.received_s)
        return one

    heard: list[tuple[float, Event]] = []
    verdict = perform(machine, person, change=say, heard=heard)
    asked = [event.action for _, event in heard if isinstance(event, Ask)]
    return verdict, asked, machine


@settings(max_examples=25, deadline=None)
@given(
    number=st.integers(0, 400),
    allowed=st.integers(0, 3),
    accepted=st.integers(0, 3),
    wishes=st.integers(0, 5),
    unable=st.frozensets(st.sampled_from(Action), max_size=2),
)
def test_at_most_as_often_as_the_policy_says(
    number: int, allowed: int, accepted: int, wishes: int, unable: frozenset[Action]
) -> None:
    policy = replace(POLICY, replacements=allowed, replacements_accepted=accepted)
    verdict, asked, machine = attempt(number, policy, unable, wishes)
    replaced = dict(verdict.check("actions").figures)["replaced"]
    assert replaced <= allowed
    assert len(set(asked)) == len(asked)  # nobody is asked twice for the same
    assert len(machine.steps) >= POLICY.actions
    if verdict.passed:
        assert replaced <= accepted
        assert dict(verdict.check("actions").figures)["done"] == len(machine.steps)
        assert len(machine.steps) == min(POLICY.actions + replaced, len(Action) - replaced)
        assert (ReasonCode.ACTION_REPLACED in verdict.reasons) == bool(replaced)
        assert not unable & {step.action for step in machine.steps}


@pytest.mark.parametrize("wishes", [0, 1, 2, 3])
def test_what_it_costs(wishes: int) -> None:
    verdict, asked, machine = attempt(9, POLICY, frozenset(), wishes)
    assert verdict.outcome is (Outcome.PASS if wishes <= 1 else Outcome.REFER)
    if wishes <= 1:
        assert len(machine.steps) == 3 + wishes
        assert len(asked) == 3 + 2 * wishes
    elif wishes == 2:
        assert verdict.check("actions").reasons == (ReasonCode.ACTION_REPLACED,)
    else:
        assert verdict.check("actions").reasons == (ReasonCode.ACTIONS_LEFT_NONE,)


def test_a_policy_without_replacements() -> None:
    verdict, _, machine = attempt(9, replace(POLICY, replacements=0), frozenset(), 1)
    assert verdict.check("actions").reasons == (ReasonCode.ACTIONS_LEFT_NONE,)
    assert machine.steps == draw_script((9).to_bytes(16, "big"), frozenset(Ability), POLICY).actions


def test_nobody_who_knows_a_script_knows_what_replaces() -> None:
    """Two nonces of one order of actions do not agree in what comes instead."""
    instead: dict[tuple[Action, ...], set[Action]] = {}
    for number in range(400):
        machine = ChallengeMachine(draw_script(number.to_bytes(16, "big"), frozenset(Ability), POLICY), POLICY, Limits())
        row = tuple(step.action for step in machine.steps)
        if row[:2] == (Action.NOD, Action.TURN_LEFT):
            _, asked, _ = attempt(number, POLICY, frozenset(), 1)
            instead.setdefault(row, set()).add(asked[1])
    assert any(len(drawn) > 1 for drawn in instead.values())
