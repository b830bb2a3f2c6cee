"""Whoever wants no colours, before or in the middle: what is shown then, and that it is no way to have less of both."""

from dataclasses import replace

import pytest

from server.challenges import challenge_policy, without_light
from server.transactions.policy_files import read_files
from tests.support.performer import Person
from tests.unit.verification.challenge.test_machine import ALL, POLICY, machine_of
from verification.challenge.colours import LEAST_S
from verification.challenge.events import Ask, Event, Judged, NoLight, Show
from verification.challenge.machine import ChallengeMachine
from verification.challenge.phases import Phase
from verification.challenge.policy import ChallengePolicy, Light, Limits
from verification.challenge.script import actions_of, draw_script
from verification.challenge.verdict import Outcome, Verdict
from verification.models.catalogue import shipped
from verification.models.pack import Pack, Task
from verification.reasons import ReasonCode
from verification.types import Ability

LENIENT = ChallengePolicy(accept_without_light=True)


def declined(
    phase: Phase, policy: ChallengePolicy = POLICY, *, again: bool = False
) -> tuple[Verdict, list[tuple[float, Event]], float]:
    """They say so half a second into the first time of this phase, of settling at once; what they heard, and when they said it."""
    machine, person = machine_of(1, policy), Person(seed=1)
    events: list[Event] = list(machine.start(0.0))
    heard = [(0.0, event) for event in events]
    since = said = -1.0
    for index in range(600):
        now = index / person.fps
        events = machine.feed(person.frame(index, now))
        since = now if machine.phase is phase and since < 0 else since
        if since >= 0 and now >= since + (0.0 if phase is Phase.SETTLING else 0.5) and (said < 0 or again):
            said = now if said < 0 else said
            events += machine.feed(NoLight(now))
        person.told(events, now)
        heard += [(now, event) for event in events]
        for event in events:
            if isinstance(event, Judged):
                return event.verdict, heard, said
    return machine.verdict(), heard, said


@pytest.mark.parametrize("phase", [Phase.SETTLING, Phase.ASKED, Phase.RESTING, Phase.LIGHT])
def test_no_other_colour_is_shown_and_a_person_decides(phase: Phase) -> None:
    verdict, heard, said = declined(phase)
    assert (verdict.outcome, verdict.reasons) == (Outcome.REFER, (ReasonCode.LIGHT_DECLINED,))
    shown = [(now, event) for now, event in heard if isinstance(event, Show)]
    before = [event for now, event in shown if now < said]
    after = [event for now, event in shown if now >= said]
    if phase is Phase.SETTLING:
        assert shown == []
        return
    assert before
    assert [event.step for event in after] == [None], "the page as it was, once"
    last = max(now for now, event in shown if now < said)
    assert after[0].wait_s == pytest.approx(max(0.0, last + LEAST_S - said), abs=0.1)


def test_the_last_who_decline_are_not_kept_waiting() -> None:
    _, heard, said = declined(Phase.LIGHT)
    assert heard[-1][0] == said


def test_in_the_middle_it_is_never_enough_with_fewer_actions() -> None:
    """Who says so before is asked for five actions and may pass where the policy says so; who says so after three of three does not."""
    assert declined(Phase.LIGHT, LENIENT)[0].outcome is Outcome.REFER
    assert declined(Phase.SETTLING, LENIENT)[0].outcome is Outcome.REFER
    same = replace(LENIENT, actions=5, actions_without_light=5)
    verdict, heard, said = declined(Phase.ASKED, same)
    assert said > 0
    assert verdict.passed
    assert sum(isinstance(event, Ask) for _, event in heard) == 5
    assert not declined(Phase.ASKED, replace(same, accept_without_light=False))[0].passed


def test_saying_it_again_and_where_there_are_none_changes_nothing() -> None:
    verdict, heard, _ = declined(Phase.ASKED, again=True)
    assert verdict.reasons == (ReasonCode.LIGHT_DECLINED,)
    assert [event.step for _, event in heard if isinstance(event, Show)][-1] is None
    none = replace(POLICY, light=Light.NONE)
    assert declined(Phase.ASKED, none)[0].reasons == (ReasonCode.LIGHT_DECLINED,)


def test_before_it_begins_a_pack_that_sees_little_is_asked_for_what_it_sees() -> None:
    few = frozenset({Ability.TURN_LEFT, Ability.TURN_RIGHT, Ability.COLOURS})
    rules = without_light(POLICY, few)
    assert (rules.light, rules.actions_without_light) == (Light.NONE, 2)
    script = draw_script(bytes(16), few, rules)
    assert (len(script.actions), script.colours, script.warning) == (2, (), False)
    assert without_light(POLICY, ALL) == replace(POLICY, light=Light.NONE)


def test_a_pack_that_draws_few_rows_asks_them_and_passes_nobody() -> None:
    """Three actions of three make six rows: enough to begin, too few to stand in for colours."""
    three = frozenset({Ability.TURN_LEFT, Ability.TURN_RIGHT, Ability.COME_CLOSER, Ability.COLOURS})
    rules = without_light(ChallengePolicy(actions=2, actions_without_light=3, accept_without_light=True), three)
    assert (rules.actions_without_light, rules.strong, rules.scripts) == (3, 2, 1)
    drawn = {tuple(step.action for step in draw_script(bytes([number] * 16), three, rules).actions) for number in range(100)}
    assert len(drawn) == 6
    for abilities in (three, three - {Ability.COME_CLOSER}):
        assert not without_light(LENIENT, abilities).accept_without_light, "fewer than asked for pass nobody by themselves"
    assert without_light(LENIENT, ALL).accept_without_light


def sight_of(pack: Pack) -> frozenset[Ability]:
    """As ``verification/faces/analyser.py`` says once its models are loaded."""
    able = {Ability.TURN_LEFT, Ability.TURN_RIGHT, Ability.COME_CLOSER, Ability.COLOURS}
    able |= {Ability.NOD} if pack.model(Task.HEAD_POSE) else set()
    return frozenset(able | ({Ability.BLINK, Ability.OPEN_MOUTH} if pack.model(Task.LANDMARKS) else set()))


SIGHT = {name: sight_of(pack) for name, pack in shipped().items()}
SIGHT |= {"head pose": SIGHT["base"] | {Ability.NOD}, "mesh": SIGHT["base"] | {Ability.BLINK, Ability.OPEN_MOUTH}}


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("light", [True, False])
@pytest.mark.parametrize("type", sorted(read_files(None).policies))
def test_what_is_shipped_begins_with_every_pack(type: str, light: bool, sight: str) -> None:
    policy = read_files(None).policies[type]
    rules, abilities = challenge_policy(policy), SIGHT[sight]
    rules = rules if light else without_light(rules, abilities)
    script = draw_script(bytes(16), abilities, rules)
    ChallengeMachine(script, rules, Limits())
    assert bool(script.colours) is light
    assert light or not rules.accept_without_light, "without colours somebody looks"
    asked = policy.challenge.actions if light else policy.challenge.actions_without_light
    assert len(script.actions) == min(asked, len(actions_of(abilities)))
