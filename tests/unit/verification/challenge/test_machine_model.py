"""The table of phases: whole, every cell that can be is reached, none that cannot, and whatever comes in an attempt ends."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.support.performer import Person
from verification.challenge import machine as module
from verification.challenge.events import Ask, Cannot, End, Event, Judged, NoLight, Tick
from verification.challenge.machine import ChallengeMachine
from verification.challenge.phases import TABLE, Happening, Phase, PhaseError, follow
from verification.challenge.policy import ChallengePolicy, Light, Limits
from verification.challenge.script import Action, draw_script
from verification.types import Ability

POLICY = ChallengePolicy(mistakes=1, replacements=1, scripts=1)
LIMITS = Limits(frames=400)

H, P = Happening, Phase
CELLS = {
    P.SETTLING: {H.STEADY: P.ASKED, H.LOST: P.SETTLING, H.LATE: P.JUDGED, H.ENDED: P.JUDGED},
    P.ASKED: {
        H.DONE: P.RESTING, H.DONE_LAST: P.LIGHT, H.SLIP: P.ASKED, H.MISTAKEN: P.JUDGED, H.LOST: P.JUDGED, H.LATE: P.JUDGED,
        H.OTHER: P.RESTING, H.NONE_LEFT: P.JUDGED, H.ENDED: P.JUDGED,
    },
    P.RESTING: {
        H.STEADY: P.ASKED, H.SLIP: P.RESTING, H.MISTAKEN: P.JUDGED, H.LOST: P.JUDGED, H.LATE: P.JUDGED,
        H.ENDED: P.JUDGED,
    },
    P.LIGHT: {H.SLIP: P.LIGHT, H.MISTAKEN: P.JUDGED, H.LOST: P.JUDGED, H.LIT: P.JUDGED, H.ENDED: P.JUDGED},
    P.JUDGED: {},
}  # fmt: skip
"""The same table, written down a second time."""


@pytest.mark.parametrize(("phase", "happening"), list(product(Phase, Happening)))
def test_every_cell(phase: Phase, happening: Happening) -> None:
    assert set(TABLE) == set(Phase)
    assert set(TABLE[phase]) == set(Happening)
    after = CELLS[phase].get(happening)
    assert TABLE[phase][happening] is after
    if after is None:
        with pytest.raises(PhaseError, match=happening.value):
            follow(phase, happening)
    else:
        assert follow(phase, happening) is after


class Attempt:
    """A person and a clock, told what to do next."""

    def __init__(self, number: int, light: Light = Light.STEPS, actions: int = 2) -> None:
        policy = replace(POLICY, light=light, actions_without_light=actions, strong=1, actions=actions)
        self.script = draw_script(number.to_bytes(16, "big"), frozenset(Ability), policy)
        self.machine = ChallengeMachine(self.script, policy, LIMITS)
        self.person = Person(seed=number, answers=False)
        self.now, self.index, self.judged = 0.0, 0, 0
        self.asked: Action | None = None
        self.machine.start(0.0)

    def take(self, events: list[Event]) -> None:
        self.person.told(events, self.now)
        for event in events:
            assert not self.judged
            if isinstance(event, Ask):
                self.asked = event.action
            self.judged += isinstance(event, Judged)

    def frames(self, seconds: float, **changes: object) -> None:
        for _ in range(int(seconds * 12.5)):
            self.now += 0.08
            one = self.person.frame(self.index, self.now)
            self.take(self.machine.feed(replace(one, **changes)))
            self.index += 1

    def until(self, phase: Phase) -> None:
        """Sits still until then, at most eight seconds."""
        for _ in range(100):
            if self.machine.phase is phase:
                return
            self.frames(0.08)
        raise AssertionError(f"still {self.machine.phase}")

    def do(self, action: Action | None = None) -> None:
        """The action that is asked for, or another; whole."""
        chosen = action or self.asked
        if chosen is not None:
            self.person.plan.append((self.now + 0.4, chosen))
            self.frames(1.9)

    def other(self) -> Action:
        return Action.NOD if self.asked is not Action.NOD else Action.TURN_LEFT

    def cannot(self) -> None:
        self.take(self.machine.feed(Cannot(self.now)))

    def no_light(self) -> None:
        self.take(self.machine.feed(NoLight(self.now)))

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.take(self.machine.feed(Tick(self.now)))

    def end(self) -> None:
        self.take(self.machine.feed(End(self.now)))


class Attempts(RuleBasedStateMachine):
    """People who sit well, do things, do others, go away, say that they cannot, and clocks that jump, in any order."""

    @initialize(number=st.integers(0, 40), light=st.sampled_from([Light.STEPS, Light.NONE]), settles=st.booleans())
    def begin(self, number: int, light: Light, settles: bool) -> None:
        self.attempt = Attempt(number, light)
        if settles:
            self.attempt.until(Phase.ASKED)

    @rule(seconds=st.sampled_from([0.5, 1.0, 1.6]))
    def sits(self, seconds: float) -> None:
        self.attempt.frames(seconds)

    @rule(action=st.sampled_from([None, None, Action.TURN_LEFT, Action.NOD, Action.OPEN_MOUTH]))
    def does_something(self, action: Action | None) -> None:
        self.attempt.do(action)

    @rule(
        others=st.lists(st.sampled_from(list(Action)), min_size=1, max_size=3, unique=True),
        late=st.sampled_from([0.0, 0.1, 0.3]),
    )
    def does_several_at_once(self, others: list[Action], late: float) -> None:
        """Performances that end in one frame, and after the phase has changed because of one."""
        self.attempt.person.plan += [(self.attempt.now + 0.4 + late, action) for action in others]
        self.attempt.do()

    @rule(seconds=st.sampled_from([0.4, 1.4]))
    def goes_away(self, seconds: float) -> None:
        self.attempt.frames(seconds, faces=0)

    @rule()
    def cannot(self) -> None:
        self.attempt.cannot()

    @rule(chance=st.integers(0, 3))
    def wants_no_colours(self, chance: int) -> None:
        if chance == 0:
            self.attempt.no_light()

    @rule(seconds=st.sampled_from([0.1, 0.9, 4.0, 15.0]))
    def nothing_comes(self, seconds: float) -> None:
        self.attempt.wait(seconds)

    @rule(chance=st.integers(0, 9))
    def ends(self, chance: int) -> None:
        if chance == 0:
            self.attempt.end()

    @invariant()
    def is_whole(self) -> None:
        if not hasattr(self, "attempt"):
            return
        machine = self.attempt.machine
        assert (machine.phase is Phase.JUDGED) == (self.attempt.judged == 1)
        assert (machine.asked is not None) == (machine.phase is Phase.ASKED)
        assert (machine.due_s is None) == (machine.phase is Phase.JUDGED)
        if machine.phase is not Phase.JUDGED:
            assert not machine.verdict().passed


def test_whatever_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that the table says cannot be (it raises), and one verdict at the end."""
    run_state_machine_as_test(Attempts, settings=settings(max_examples=60, stateful_step_count=8, deadline=None))


def asked(number: int = 1, **about: object) -> Attempt:
    attempt = Attempt(number, **about)  # type: ignore[arg-type]
    attempt.until(Phase.ASKED)
    return attempt


def resting() -> Attempt:
    attempt = asked()
    for _ in range(40):
        if attempt.person.plan == []:
            attempt.person.plan.append((attempt.now + 0.4, attempt.asked or Action.NOD))
        attempt.frames(0.08)
        if attempt.machine.phase is Phase.RESTING:
            return attempt
    raise AssertionError(attempt.machine.phase)


def lit() -> Attempt:
    attempt = asked(actions=1)
    attempt.do()
    assert attempt.machine.phase is Phase.LIGHT
    return attempt


def test_every_possible_cell_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[tuple[Phase, Happening]] = set()

    def noted(phase: Phase, happening: Happening) -> Phase:
        seen.add((phase, happening))
        return follow(phase, happening)

    monkeypatch.setattr(module, "follow", noted)

    # settling
    Attempt(1).wait(13.0)
    away = Attempt(1)
    away.frames(1.5, faces=0)
    away.cannot()
    assert away.machine.phase is Phase.SETTLING  # nobody was told anything yet
    Attempt(1).end()
    # asked
    for way in ("wait", "end"):
        getattr(asked(), way)(*([6.0] if way == "wait" else []))
    asked().frames(1.5, faces=0)
    slip = asked()
    slip.do(slip.other())
    assert slip.machine.phase is Phase.ASKED
    slip.do(slip.other())
    assert slip.machine.phase is Phase.JUDGED
    unable = asked()
    unable.cannot()
    assert unable.machine.phase is Phase.RESTING
    unable.until(Phase.ASKED)
    unable.cannot()
    # resting
    resting().wait(7.0)
    resting().end()
    resting().frames(1.5, faces=0)
    tired = resting()
    tired.cannot()
    assert tired.machine.phase is Phase.RESTING
    busy = resting()
    busy.frames(0.6, mouth=0.22)  # not calm, so that nothing is asked
    for _ in range(2):
        busy.person.plan.append((busy.now + 0.1, Action.TURN_LEFT))
        busy.frames(1.7, mouth=0.22)
    assert busy.machine.phase is Phase.JUDGED
    # light
    lit().until(Phase.JUDGED)
    lit().end()
    lit().frames(1.5, faces=0)
    for others in (1, 2):
        at_once = asked(actions=1)
        beside = [action for action in (Action.OPEN_MOUTH, Action.COME_CLOSER, Action.TURN_LEFT) if action is not at_once.asked]
        at_once.person.plan += [(at_once.now + (0.9 if others == 1 else 0.45), action) for action in beside[:others]]
        at_once.do()
        at_once.frames(0.6)
        assert at_once.machine.phase is (Phase.LIGHT if others == 1 else Phase.JUDGED)
    possible = {(phase, happening) for phase, row in CELLS.items() for happening in row}
    assert possible - seen == set()
