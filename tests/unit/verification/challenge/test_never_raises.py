"""Whatever a model says of a frame: nothing raises, it is told as a verdict, and it never passes."""

from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.performer import GOOD, Person
from verification.challenge.events import Ask, Event, Judged
from verification.challenge.machine import ChallengeMachine
from verification.challenge.observation import Observation, Unreadable
from verification.challenge.observe import Observer, observation
from verification.challenge.phases import Phase
from verification.challenge.policy import ChallengePolicy, Limits
from verification.challenge.script import draw_script
from verification.challenge.verdict import Outcome
from verification.errors import VerificationError
from verification.ports import Analysis, FaceSeen
from verification.reasons import ReasonCode
from verification.types import Ability, Pad

POLICY = ChallengePolicy()
NAN = float("nan")


def machine() -> ChallengeMachine:
    made = ChallengeMachine(draw_script(bytes(16), frozenset(Ability), POLICY), POLICY, Limits())
    made.start(0.0)
    return made


def asked_once() -> tuple[ChallengeMachine, float]:
    """A machine that has asked for something."""
    made, person = machine(), Person()
    for index in count():
        now = index / 12.5
        if any(isinstance(event, Ask) for event in made.feed(person.frame(index, now))):
            return made, now
    raise AssertionError


@pytest.mark.parametrize("asked", [False, True])
def test_a_frame_that_cannot_be_used_ends_the_attempt_and_is_referred(asked: bool) -> None:
    made, now = asked_once() if asked else (machine(), 0.0)
    made_of = observation(Analysis(640, 480, 1, yaw=NAN), index=90, at_s=now + 0.1, received_s=now + 0.1, sha256=b"")
    assert made_of == Unreadable(now + 0.1)
    last = made.feed(made_of)[-1]
    assert isinstance(last, Judged)
    assert made.phase is Phase.JUDGED
    actions = last.verdict.check("actions")
    assert (actions.outcome, actions.reasons) == (Outcome.REFER, (ReasonCode.OBSERVATION_INVALID,))
    assert not last.verdict.passed
    assert made.feed(made_of) == []


def test_also_where_the_deadline_was_over_before() -> None:
    """For a minute no picture came: that, and neither the action nor the frame, is what ended it."""
    made, now = asked_once()
    events = made.feed(Unreadable(now + 60))
    assert [type(event) for event in events].count(Judged) == 1
    actions = made.verdict().check("actions")
    assert (actions.outcome, actions.reasons) == (Outcome.REFER, (ReasonCode.STREAM_GAP,))
    assert not made.verdict().passed


numbers = st.one_of(st.floats(), st.floats(-400, 400), st.none())
times = st.one_of(st.floats(0, 60), st.floats())
colours = st.one_of(
    st.none(), st.tuples(st.floats(), st.floats(0, 255), st.floats(0, 255)), st.tuples(*[st.floats(0, 255)] * 3)
)
analyses = st.builds(
    Analysis,
    width=st.integers(-1, 5000),
    height=st.integers(-1, 5000),
    faces=st.integers(0, 3),
    face=st.one_of(
        st.none(),
        st.builds(
            lambda box, points: FaceSeen(box, 0.9, points),
            st.tuples(*[st.floats(-1000, 5000)] * 3, st.floats()),
            st.one_of(st.just(()), st.lists(st.tuples(st.floats(), st.floats(-9, 900)), min_size=5, max_size=5).map(tuple)),
        ),
    ),
    scale=numbers,
    yaw=numbers,
    pitch=numbers,
    roll=numbers,
    eyes=numbers,
    mouth=numbers,
    pad=st.one_of(st.none(), st.floats().map(lambda score: Pad(score, (score,)))),
    identity=numbers,
    quality=st.sampled_from([None, GOOD, replace(GOOD, sharpness=NAN), replace(GOOD, reasons=(ReasonCode.OCCLUDED,))]),
    face_colour=colours,
    background_colour=colours,
    thumbnail=st.sampled_from([b"", bytes(64), bytes(range(64)), bytes(7)]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(analyses, times, times, st.booleans()), min_size=1, max_size=12))
def test_feeding_raises_nothing(frames: list[tuple[Analysis, float, float, bool]]) -> None:
    """Anything at all, after a start that is in order: so every part of the machine sees it."""
    made, began = asked_once()
    events: list[Event] = []
    for number, (analysis, at_s, received_s, reference) in enumerate(frames):
        one = observation(
            analysis, index=100 + number, at_s=at_s, received_s=began + received_s, sha256=bytes([number]), reference=reference
        )
        events += made.feed(one)
        assert isinstance(one, Observation | Unreadable)
    assert not made.verdict().passed
    assert sum(isinstance(event, Judged) for event in events) <= 1


def test_an_observer_raises_nothing_either(monkeypatch: pytest.MonkeyPatch) -> None:
    observer = Observer(None, Limits())  # type: ignore[arg-type]

    def wrong(*about: object) -> Observation:
        return replace(Person().frame(0, 0.0), yaw=NAN)

    monkeypatch.setattr(observer, "_look", wrong)
    assert observer.observe(None, at_s=1.0, received_s=2.0) == Unreadable(2.0)  # type: ignore[arg-type]


def test_what_is_refused_is_one_of_ours() -> None:
    with pytest.raises(VerificationError) as refused:
        replace(Person().frame(0, 0.0), yaw=NAN)
    assert refused.value.code == ReasonCode.OBSERVATION_INVALID.value
