"""Who looks is behind: pictures come in time and are looked at later. Whether an answer came in time is seen in the pictures."""

from itertools import pairwise

import pytest

from tests.support.performer import Person
from verification.challenge.events import Cannot, End, Event, Judged, NoLight, Show, Tick
from verification.challenge.machine import ChallengeMachine
from verification.challenge.policy import ChallengePolicy, Limits
from verification.challenge.script import Action, draw_script
from verification.challenge.verdict import Outcome, Verdict
from verification.reasons import ReasonCode
from verification.types import Ability

POLICY = ChallengePolicy()
STEP_S = 0.1


def late(person: Person, behind_s: float, *, told: bool = True) -> tuple[Verdict, list[tuple[float, Event]]]:
    """The person does at once what the page shows; each picture is looked at ``behind_s`` after it came. ``told``: the machine knows."""
    machine = ChallengeMachine(draw_script(bytes([person.seed] * 16), frozenset(Ability), POLICY), POLICY, Limits())
    events: list[tuple[float, Event]] = [(0.0, event) for event in machine.start(0.0)]
    first = round(behind_s / STEP_S)
    for index in range(600):
        now, came = index * STEP_S, (index - first) * STEP_S
        heard = machine.feed(Tick(now, came if told else None))
        if index >= first:
            heard = [*heard, *machine.feed(person.frame(index - first, came))]
        person.told(heard, now)
        events += [(now, event) for event in heard]
        if any(isinstance(event, Judged) for event in heard):
            break
    return machine.verdict(), events


@pytest.mark.parametrize("behind_s", [0.0, 0.5, 1.5, 4.5])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_who_answers_in_time_passes_however_late_it_is_seen(seed: int, behind_s: float) -> None:
    verdict, _ = late(Person(seed=seed, fps=10.0), behind_s)
    assert verdict.outcome is Outcome.PASS, verdict


def test_without_knowing_it_would_be_taken_for_no_answer() -> None:
    verdict, _ = late(Person(seed=1, fps=10.0), 4.5, told=False)
    assert verdict.outcome is Outcome.FAIL, verdict


@pytest.mark.parametrize("behind_s", [0.0, 2.0])
def test_who_does_nothing_has_missed_it_all_the_same(behind_s: float) -> None:
    verdict, events = late(Person(seed=1, fps=10.0, refuse=frozenset(Action)), behind_s)
    assert ReasonCode.ACTION_MISSED in verdict.reasons
    assert events[-1][0] < 12.0 + behind_s


def test_colours_go_by_the_clock() -> None:
    for behind_s in (0.0, 2.0):
        _, events = late(Person(seed=2, fps=10.0), behind_s)
        shown = [(at, event.step.for_s) for at, event in events if isinstance(event, Show) and event.step is not None]
        assert len(shown) == POLICY.colours
        for (at, lasts_s), (after, _) in pairwise(shown):
            assert lasts_s <= after - at + 1e-6 <= lasts_s + STEP_S + 1e-6


@pytest.mark.parametrize("said", [End, Cannot, NoLight])
def test_what_somebody_says_while_pictures_wait_makes_no_gap(said: type[End] | type[Cannot] | type[NoLight]) -> None:
    """They all came; nobody has looked at them yet."""
    machine = ChallengeMachine(draw_script(bytes([1] * 16), frozenset(Ability), POLICY), POLICY, Limits())
    person = Person(seed=1, fps=10.0)
    machine.start(0.0)
    for index in range(20):
        person.told(machine.feed(person.frame(index, index * STEP_S)), index * STEP_S)
    assert machine.asked is not None
    told = machine.feed(said(8.0))
    assert ReasonCode.STREAM_GAP not in machine.verdict().reasons
    assert any(isinstance(event, Judged) for event in told) is (said is End)
    silent = machine.feed(Tick(8.1))
    assert ReasonCode.STREAM_GAP in machine.verdict().reasons or said is End, "a tick says that all of them were looked at"
    assert any(isinstance(event, Judged) for event in silent) is (said is not End)
