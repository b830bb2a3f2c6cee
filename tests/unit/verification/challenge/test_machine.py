"""Whole attempts, frame by frame, without pictures: who answers passes; everything else does not, and it is said why."""

import itertools
import os
import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.support import performer
from tests.support.performer import GOOD, Person, perform, recorded, replay
from verification.challenge.events import (
    Advise,
    Ask,
    Assured,
    Cannot,
    End,
    Event,
    HoldOn,
    Judged,
    Rest,
    Settle,
    Show,
    Slipped,
    Tick,
)
from verification.challenge.machine import CHECKS, ChallengeMachine
from verification.challenge.observation import Observation
from verification.challenge.phases import Phase
from verification.challenge.policy import Assurance, ChallengePolicy, Light, Limits
from verification.challenge.script import Action, Script, draw_script
from verification.challenge.verdict import Outcome, Verdict
from verification.reasons import ReasonCode
from verification.types import Ability

R = ReasonCode
ALL = frozenset(Ability)
POLICY = ChallengePolicy()
LIMITS = Limits()
LONG = os.environ.get("TESTS_CAMPAIGN") == "long"


def script_of(number: int, policy: ChallengePolicy = POLICY, abilities: frozenset[Ability] = ALL) -> Script:
    return draw_script(number.to_bytes(16, "big"), abilities, policy)


def machine_of(number: int, policy: ChallengePolicy = POLICY, limits: Limits = LIMITS) -> ChallengeMachine:
    return ChallengeMachine(script_of(number, policy), policy, limits)


def attempt(number: int = 1, policy: ChallengePolicy = POLICY, **about: object) -> Verdict:
    change = about.pop("change", lambda one: one)
    heard = about.pop("heard", None)
    return perform(machine_of(number, policy), Person(seed=number, **about), change=change, heard=heard)  # type: ignore[arg-type]


@pytest.mark.parametrize("number", range(12))
def test_who_answers_passes(number: int) -> None:
    heard: list[tuple[float, Event]] = []
    verdict = attempt(number, heard=heard)
    assert verdict.passed, verdict
    assert verdict.reasons == ()
    assert {check.name for check in verdict.checks} == {"actions", *CHECKS}
    assert heard[-1][0] < 15.0
    assert verdict.script_hash == script_of(number).hash


@pytest.mark.parametrize("fps", [7.0, 10.0, 15.0, 24.0] if LONG else [7.0, 24.0])
def test_at_any_rate_that_a_tap_gives(fps: float) -> None:
    count = 4 if LONG or fps < 10 else 2
    passed = [attempt(number, fps=fps).passed for number in range(count)]
    assert sum(passed) >= (count if fps >= 10 else 2)  # at 7 a second a blink may lie between two frames


def test_slow_people_and_long_lines_pass() -> None:
    assert attempt(3, react_s=2.5, delay_s=1.0).passed


def test_order_of_what_is_told() -> None:
    heard: list[tuple[float, Event]] = []
    attempt(2, heard=heard)
    kinds = [type(event) for _, event in heard if not isinstance(event, Show)]
    assert kinds == [Ask, Rest, Ask, Rest, Ask, HoldOn, Judged]
    shows = [(now, event.step) for now, event in heard if isinstance(event, Show)]
    assert [step for _, step in shows[:-1]] == list(script_of(2).colours)
    assert shows[-1][1] is None
    assert all(after - before >= 1.0 - 1e-6 for (before, _), (after, _) in itertools.pairwise(shows))
    assert isinstance(machine_of(1).start(5.0)[0], Settle)


def test_late_ticks_make_colours_longer_never_shorter() -> None:
    machine = machine_of(5)
    person = Person(seed=5, fps=4.0)  # the clock is heard four times a second
    heard: list[tuple[float, Event]] = []
    perform(machine, person, heard=heard)
    shows = [now for now, event in heard if isinstance(event, Show)]
    assert len(shows) == 7
    assert all(after - before >= 1.0 for before, after in itertools.pairwise(shows))


MISSING: list[tuple[str, Callable[[Observation], Observation | None], str]] = [
    ("no pad", lambda one: replace(one, pad=None), "pad"),
    ("few pads", lambda one: replace(one, pad=None) if one.index > 12 else one, "pad"),
    ("no identity", lambda one: replace(one, identity=None), "identity"),
    ("no reference", lambda one: replace(one, reference=False), "identity"),
    ("no face colour", lambda one: replace(one, face_colour=None), "light"),
    ("no background", lambda one: replace(one, background_colour=None), "light"),
    ("no quality", lambda one: replace(one, quality=None), "actions"),
    ("no pose", lambda one: replace(one, yaw=None, pitch=None), "actions"),
    ("no face", lambda one: replace(one, faces=0), "actions"),
    ("two faces", lambda one: replace(one, faces=2), "actions"),
    ("no frames", lambda one: None, "actions"),
    ("one frame", lambda one: one if one.index < 1 else None, "actions"),
]


@pytest.mark.parametrize(("change", "check"), [case[1:] for case in MISSING], ids=[case[0] for case in MISSING])
def test_missing_evidence_never_passes(change: Callable[[Observation], Observation | None], check: str) -> None:
    verdict = attempt(1, change=change)
    assert not verdict.passed
    assert not verdict.check(check).passed


def test_before_the_end_it_never_passes() -> None:
    machine = machine_of(1)
    verdicts: list[Verdict] = []

    def look(one: Observation) -> Observation:
        if machine.phase is not Phase.JUDGED and one.index % 10 == 0:
            verdicts.append(machine.verdict())
        return one

    assert perform(machine, Person(seed=1), change=look).passed
    assert len(verdicts) > 5
    assert not any(verdict.passed for verdict in verdicts)
    assert machine.feed(Tick(99.0)) == []
    assert machine.due_s is None


# --- attacks


@pytest.mark.parametrize("number", range(4))
def test_a_recorded_answer_to_another_script(number: int) -> None:
    frames = recorded(Person(seed=number), machine_of(number))
    for other in range(100, 105):
        assert not replay(machine_of(other), frames).passed
        assert not replay(machine_of(other), frames, skip_s=1.1).passed


@pytest.mark.parametrize("number", range(6))
def test_who_does_nothing(number: int) -> None:
    verdict = attempt(number, answers=False)
    assert verdict.check("actions").reasons == (R.ACTION_MISSED,)
    assert verdict.outcome is Outcome.FAIL


@pytest.mark.parametrize("number", range(6))
def test_wrong_order(number: int) -> None:
    actions = [step.action for step in script_of(number).actions]
    person = Person(seed=number, answers=False)
    person.plan = [(1.5 + 2.0 * place, action) for place, action in enumerate(reversed(actions))]
    assert not perform(machine_of(number), person).passed


@pytest.mark.parametrize("number", range(6))
def test_everything_all_the_time(number: int) -> None:
    """A recording of somebody who does every action again and again: two others end it."""
    person = Person(seed=number, answers=False)
    person.plan = [(1.0 + 1.6 * n, action) for n, action in enumerate(list(Action) * 6)]
    verdict = perform(machine_of(number), person)
    assert not verdict.passed
    assert not verdict.check("light").passed or not verdict.check("actions").passed


def test_too_late() -> None:
    verdict = attempt(4, react_s=POLICY.action_s + 0.5)
    assert verdict.check("actions").reasons == (R.ACTION_MISSED,)


def test_before_it_was_asked() -> None:
    """Begins with the question itself: nobody reads as quickly."""
    number = next(n for n in range(99) if script_of(n).actions[0].action is Action.TURN_LEFT)
    heard: list[tuple[float, Event]] = []
    verdict = attempt(number, react_s=0.02, heard=heard)
    assert Slipped(R.ACTION_BEFORE_ASKED, 0) in [event for _, event in heard]
    assert verdict.check("actions").reasons == (R.ACTION_MISSED, R.ACTION_BEFORE_ASKED)


def test_a_blink_as_it_is_asked_for_is_no_slip() -> None:
    """People blink unasked; it only does not count."""
    number = next(n for n in range(99) if script_of(n).actions[0].action is Action.BLINK)
    verdict = attempt(number, react_s=0.02)
    assert verdict.check("actions").reasons == (R.ACTION_MISSED,)


def beside(number: int, on: Action, other: Action, late_s: float = 0.0) -> Person:
    """Somebody who does ``other`` whenever ``on`` is asked for."""
    person = Person(seed=number)
    plan = person.told

    def told(events: list[Event], now: float) -> None:
        person.plan += [
            (now + person.react_s + late_s, other) for event in events if isinstance(event, Ask) and event.action is on
        ]
        plan(events, now)

    person.told = told  # type: ignore[assignment,method-assign]
    return person


def slips(verdict: Verdict) -> float:
    return dict(verdict.check("actions").figures)["slips"]


@pytest.mark.parametrize("late_s", [0.0, 0.05, 0.4])
def test_another_action_at_the_same_time_is_a_slip(late_s: float) -> None:
    """A mouth that opens while the head turns: forgiven once, also if it ends later than the turn."""
    number = next(n for n in range(99) if script_of(n).actions[0].action is Action.TURN_LEFT)
    verdict = perform(machine_of(number), beside(number, Action.TURN_LEFT, Action.OPEN_MOUTH, late_s))
    assert verdict.passed
    assert slips(verdict) == 1


def test_also_at_the_same_time_as_the_last() -> None:
    number = next(n for n in range(99) if script_of(n).actions[2].action is Action.NOD)
    verdict = perform(machine_of(number, ChallengePolicy(mistakes=0)), beside(number, Action.NOD, Action.OPEN_MOUTH, 0.2))
    assert verdict.check("actions").reasons == (R.ACTION_OTHER,)


def test_two_that_end_in_one_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """People whose mouth opens whenever they nod: whatever ends with the frame that ends the last action."""
    monkeypatch.setitem(performer.LASTING, Action.OPEN_MOUTH, 0.9)
    monkeypatch.setitem(performer.REACH, Action.OPEN_MOUTH, 0.38)
    numbers = [n for n in range(60) if script_of(n).actions[2].action is Action.NOD]
    assert len(numbers) >= 5
    for number in numbers:
        assert perform(machine_of(number), beside(number, Action.NOD, Action.OPEN_MOUTH)).passed


def test_a_head_that_dips_as_it_turns_is_no_slip() -> None:
    number = next(n for n in range(99) if script_of(n).actions[0].action is Action.TURN_LEFT)

    def dips(share: float) -> float:
        def change(one: Observation) -> Observation:
            return replace(one, pitch=(one.pitch or 0.0) - share * max(0.0, abs(one.yaw or 0.0) - 3))

        machine = machine_of(number)
        return slips(perform(machine, Person(seed=number), change=change))

    assert dips(0.4) == 0


AT_ONCE = {Action.TURN_LEFT: 0.0, Action.NOD: 0.12, Action.OPEN_MOUTH: 0.2, Action.BLINK: 0.25}


def all_at_once(number: int, *, asked: bool) -> Verdict:
    """A fixed clip of somebody who does several things at once, calm between; it says that it cannot do what it does not show. ``asked``: played at each
    question; else again and again, blindly."""
    machine, person = machine_of(number), Person(seed=number, answers=False)

    def play(at: float) -> None:
        person.plan += [(at + late, action) for action, late in AT_ONCE.items()]

    if not asked:
        for turn in range(12):
            play(1.7 + 3.3 * turn)
    machine.start(0.0)
    unable: float | None = None
    for index in range(int(40 * person.fps)):
        now = index / person.fps
        events = machine.feed(Cannot(now)) if unable is not None and now >= unable else []
        unable = None if unable is not None and now >= unable else unable
        events += machine.feed(person.frame(index, now))
        person.told([event for event in events if isinstance(event, Show)], now)
        for event in events:
            if isinstance(event, Ask) and event.action not in AT_ONCE:
                unable = now + 0.05
            elif isinstance(event, Ask) and asked:
                play(now + 0.6)
            if isinstance(event, Judged):
                return event.verdict
    return machine.verdict()


@pytest.mark.parametrize("asked", [False, True])
def test_everything_at_once_answers_nothing(asked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for action, lasting in {Action.TURN_LEFT: 1.6, Action.NOD: 1.25, Action.BLINK: 0.3}.items():
        monkeypatch.setitem(performer.LASTING, action, lasting)
    monkeypatch.setitem(performer.REACH, Action.TURN_LEFT, 18.0)
    verdicts = [all_at_once(number, asked=asked) for number in range(30 if not LONG else 300)]
    assert not any(verdict.check("actions").passed for verdict in verdicts)


def test_it_is_too_late_to_be_unable() -> None:
    machine = machine_of(1)
    person = Person(seed=1)
    told: list[list[Event]] = []

    def change(one: Observation) -> Observation:
        if machine.phase is Phase.LIGHT:
            told.append(machine.feed(Cannot(0.0)))
        return one

    assert perform(machine, person, change=change).passed
    assert told
    assert not any(told)


def test_one_slip_is_forgiven_two_are_not() -> None:
    number = next(n for n in range(99) if script_of(n).actions[0].action is Action.TURN_LEFT)

    def run(slips: int) -> tuple[Verdict, list[Event]]:
        person = Person(seed=3, react_s=0.6)
        machine = machine_of(number)
        heard: list[tuple[float, Event]] = []
        plan = person.told

        def told(events: list[Event], now: float) -> None:
            for event in events:
                if isinstance(event, Ask) and event.number == 0 and slips:
                    person.plan += [(now + 0.6 + 1.3 * slip, Action.TURN_RIGHT) for slip in range(slips)]
                    person.plan.append((now + 0.7 + 1.3 * slips, Action.TURN_LEFT))
                    events = [other for other in events if other is not event]
            plan(events, now)

        person.told = told  # type: ignore[assignment,method-assign]
        return perform(machine, person, heard=heard), [event for _, event in heard]

    verdict, heard = run(1)
    assert verdict.passed, verdict
    assert Slipped(R.ACTION_OTHER, 0) in heard
    assert dict(verdict.check("actions").figures)["slips"] == 1
    verdict, _ = run(2)
    assert verdict.check("actions").reasons == (R.ACTION_OTHER,)


@pytest.mark.parametrize("after", [1.5, 3.0, 5.0, 7.0])
def test_a_swap_in_the_middle(after: float) -> None:
    verdict = attempt(6, change=lambda one: replace(one, identity=0.2) if one.received_s > after else one)
    assert verdict.check("identity").reasons == (R.FACE_CHANGED,)


def test_colours_that_do_not_come_back() -> None:
    assert attempt(7, light=0.0).check("light").reasons == (R.LIGHT_UNANSWERED,)
    assert not attempt(7, light=0.1, spill=0.1).passed
    assert not attempt(7, delay_s=2.5).passed


def test_passive_detection_counts() -> None:
    assert attempt(8, pad=0.3).check("pad").reasons == (R.PAD_ATTACK,)
    unsure = attempt(8, pad=0.6)
    assert (unsure.outcome, unsure.reasons) == (Outcome.REFER, (R.PAD_UNSURE,))


def test_frozen_and_looped_streams() -> None:
    frames: list[Observation] = []

    def freeze(one: Observation) -> Observation:
        frames.append(one)
        return one if one.index < 40 else replace(frames[40], index=one.index, at_s=one.at_s, received_s=one.received_s)

    verdict = attempt(9, change=freeze)
    assert R.STREAM_FROZEN in verdict.reasons
    kept = [Person(seed=9).frame(index, index / 12.5) for index in range(25)]

    def loop(one: Observation) -> Observation:
        return replace(
            kept[one.index % 25], index=one.index, at_s=one.at_s, received_s=one.received_s, reference=one.index == 0
        )

    assert R.STREAM_REPEATED in attempt(9, change=loop).reasons


# --- people


def test_advice_until_they_sit_well() -> None:
    heard: list[tuple[float, Event]] = []
    dark = replace(GOOD, reasons=(R.TOO_DARK,))

    def change(one: Observation) -> Observation:
        if one.index < 20:
            return replace(one, quality=dark, reference=False)
        return replace(
            one, faces=0 if one.index < 25 else 1, reference=one.index == 25, identity=one.identity if one.index > 25 else None
        )

    verdict = attempt(1, change=change, heard=heard)
    assert verdict.passed, verdict
    assert [event for _, event in heard if isinstance(event, Advise)] == [Advise((R.TOO_DARK,)), Advise((R.NO_FACE,))]


def test_who_never_sits_well() -> None:
    dark = replace(GOOD, reasons=(R.TOO_DARK,))
    assert attempt(1, change=lambda one: replace(one, quality=dark)).check("actions").reasons == (R.NOT_SETTLED,)
    twist = attempt(1, change=lambda one: replace(one, yaw=40.0 * (one.index % 2)))
    assert twist.check("actions").reasons == (R.NOT_SETTLED,)
    alone = attempt(1, change=lambda one: replace(one, faces=2))
    assert alone.check("actions").reasons == (R.NOT_SETTLED,)


def test_who_goes_away_and_comes_back_while_settling() -> None:
    def change(one: Observation) -> Observation:
        return replace(one, faces=0) if 3 <= one.index < 40 else one

    assert attempt(1, change=change).passed


def test_who_goes_away_later() -> None:
    assert R.FACE_LOST in attempt(1, change=lambda one: replace(one, faces=0) if one.index > 30 else one).reasons


def test_who_does_not_come_to_rest() -> None:
    done: list[bool] = []

    def change(one: Observation) -> Observation:
        return replace(one, mouth=0.22) if done else one

    machine = machine_of(next(n for n in range(99) if script_of(n).actions[0].action is Action.TURN_LEFT))
    person = Person(seed=2)
    plan = person.told

    def told(events: list[Event], now: float) -> None:
        done.extend(True for event in events if isinstance(event, Rest))
        plan(events, now)

    person.told = told  # type: ignore[assignment,method-assign]
    assert perform(machine, person, change=change).check("actions").reasons == (R.NOT_SETTLED,)


def cannot(number: int, which: frozenset[Action], policy: ChallengePolicy = POLICY) -> Verdict:
    """They say that they cannot, a second after they were asked."""
    machine, person = machine_of(number, policy), Person(seed=number, refuse=which)
    events, at = machine.start(0.0), None
    for index in range(600):
        now = index / person.fps
        if at is not None and now >= at:
            events, at = machine.feed(Cannot(now)), None
            person.told(events, now)
        events = machine.feed(person.frame(index, now))
        person.told(events, now)
        for event in events:
            if isinstance(event, Ask) and event.action in which:
                at = now + 1.0
            if isinstance(event, Judged):
                return event.verdict
    return machine.verdict()


def test_another_action_for_who_cannot_do_one() -> None:
    """Another instead and one more, which is said; twice is for a person to decide."""
    for number in range(6):
        first = script_of(number).actions[1].action
        verdict = cannot(number, frozenset({first}))
        assert verdict.passed, (first, verdict)
        assert verdict.reasons == (R.ACTION_REPLACED,)
        figures = dict(verdict.check("actions").figures)
        assert (figures["replaced"], figures["asked"], figures["done"]) == (1, 4, 4)
        refused = cannot(number, frozenset({first}), ChallengePolicy(replacements_accepted=0))
        assert (refused.outcome, refused.check("actions").reasons) == (Outcome.REFER, (R.ACTION_REPLACED,))


def test_two_that_they_cannot_do_are_referred() -> None:
    which = frozenset(step.action for step in script_of(2).actions[:2])
    verdict = cannot(2, which)
    assert (verdict.outcome, verdict.check("actions").reasons) == (Outcome.REFER, (R.ACTION_REPLACED,))
    assert dict(verdict.check("actions").figures)["replaced"] == 2


def test_who_can_do_nothing_is_referred() -> None:
    verdict = cannot(1, frozenset(Action))
    assert verdict.check("actions").outcome is Outcome.REFER
    assert verdict.check("actions").reasons == (R.ACTIONS_LEFT_NONE,)
    assert not verdict.passed


def test_said_before_the_first_question() -> None:
    """Nobody cannot do what they were not told."""
    script = script_of(1)
    machine = ChallengeMachine(script, POLICY, LIMITS)
    machine.start(0.0)
    for now in (0.1, 0.11, 0.12):
        assert machine.feed(Cannot(now)) == []
    person = Person(seed=1)
    heard = [event for index in range(10) for event in machine.feed(person.frame(index, 0.2 + index / 12.5))]
    asked = next(event for event in heard if isinstance(event, Ask))
    assert asked.action is script.actions[0].action
    machine.feed(Cannot(1.1))
    assert machine.phase is Phase.RESTING
    assert machine.feed(Cannot(1.11)) == []  # what comes next was not told either


def test_without_colours() -> None:
    policy = ChallengePolicy(light=Light.NONE)
    verdict = attempt(1, policy)
    assert dict(verdict.check("actions").figures)["done"] == 5
    assert (verdict.outcome, verdict.reasons) == (Outcome.REFER, (R.LIGHT_DECLINED,))
    accepted = attempt(1, replace(policy, accept_without_light=True))
    assert accepted.passed
    assert accepted.reasons == (R.LIGHT_DECLINED,)


def test_slow_colours() -> None:
    policy = ChallengePolicy(light=Light.SLOW)
    assert attempt(1, policy, light=0.2).passed
    assert not attempt(1, policy, light=0.0).passed


def test_a_pack_without_passive_detection() -> None:
    without = replace(LIMITS, has_pad=False)
    refused = perform(machine_of(1, limits=without), Person(seed=1, pad=None))
    assert (refused.outcome, refused.reasons) == (Outcome.REFER, (R.PAD_UNAVAILABLE,))
    policy = ChallengePolicy(accept_without_pad=True)
    assert perform(machine_of(1, policy, without), Person(seed=1, pad=None)).passed
    assert not attempt(1, policy, pad=None).passed  # this pack has it, and nothing came of it


def test_more_than_the_picture() -> None:
    policy = ChallengePolicy(also_require=frozenset({Assurance.DEVICE_ATTESTATION, Assurance.AGENT}))

    def run(*assured: Assurance) -> Verdict:
        machine = machine_of(1, policy)
        for one in assured:
            assert machine.feed(Assured(one)) == []
        return perform(machine, Person(seed=1))

    assert run(*policy.also_require).passed
    verdict = run(Assurance.AGENT)
    assert (verdict.outcome, verdict.reasons) == (Outcome.REFER, (R.ASSURANCE_MISSING,))
    assert verdict.check("assurance").score == 0.5
    assert not run().passed


def test_ended() -> None:
    machine = machine_of(1)
    machine.start(0.0)
    person = Person(seed=1)
    for index in range(20):
        machine.feed(person.frame(index, index / 12.5))
    events = machine.feed(End(1.7))
    assert events[-2] == Show(None, wait_s=pytest.approx(1.0, abs=0.2))
    assert isinstance(events[-1], Judged)
    assert events[-1].verdict.check("actions").reasons == (R.ATTEMPT_ENDED,)
    assert machine.verdict() is events[-1].verdict


def test_without_end() -> None:
    machine = machine_of(1, limits=replace(LIMITS, frames=50))
    verdict = perform(machine, Person(seed=1))
    assert verdict.check("actions").reasons == (R.STREAM_TOO_LONG,)


def test_the_clock_alone_ends_it() -> None:
    machine = machine_of(1)
    machine.start(100.0)
    for now in range(100, 112):
        assert machine.feed(Tick(float(now))) == []
        assert machine.due_s is not None
    (judged,) = machine.feed(Tick(112.1))
    assert isinstance(judged, Judged)


def test_a_clock_that_goes_back_changes_nothing() -> None:
    machine = machine_of(1)
    machine.start(100.0)
    machine.feed(Tick(105.0))
    assert machine.feed(Tick(50.0)) == []
    assert machine.phase is Phase.SETTLING


def test_chance_of_a_recording() -> None:
    """Recordings against scripts that they are no answer to: 20 here; 0 of 2,000 in the long form of campaign 20."""
    count = 2000 if LONG else 20
    chance = random.Random(20)
    takes = [recorded(Person(seed=number), machine_of(number), 16.0) for number in range(5)]
    passed = sum(
        replay(machine_of(1000 + number), takes[number % 5], skip_s=chance.uniform(0, 2)).passed for number in range(count)
    )
    assert passed == 0
