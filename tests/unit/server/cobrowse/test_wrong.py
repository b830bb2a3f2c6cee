"""Fields of the page that say that they are wrong: viewers are told of those alone that they read anything of, and of the picture that they have."""

import msgspec
import pytest

from server.cobrowse.gate import may_be_named
from server.cobrowse.messages import (
    MAX_WRONG,
    Act,
    ActKind,
    ActOutcome,
    Scope,
    TabDone,
    TabFront,
    TabPause,
    TabStep,
    ViewDone,
    ViewState,
)
from server.cobrowse.rules import Level
from server.cobrowse.wrong import LATE_S, WrongFields
from tests.support.sharing import META, Facts, Stage, shared

pytestmark = pytest.mark.campaign(23)

HIDDEN = Facts(value_shown=False)


def step(stage: Stage, *fields: int, connection: str = "tab") -> None:
    stage.tab(TabStep(step="Amount", errors=len(fields), fields=list(fields)), connection)


def looked(stage: Stage, facts: Facts | None = None, *, times: int = 1) -> None:
    for _ in range(times):
        stage.do(stage.share.looked(stage.looks.popleft().look, facts or Facts(), stage.now))


def told(stage: Stage, viewer: str = "anna") -> list[int]:
    return stage.of(ViewState, viewer)[-1].fields


@pytest.mark.parametrize(
    ("facts", "named"),
    [
        (Facts(), True),
        (Facts(value_shown=False, level=Level.SHOWN), True),
        (Facts(tag="div", type="", value_shown=False, level=Level.SHOWN), True),
        (HIDDEN, False),
        (Facts(level=Level.SEALED), False),
        (Facts(level=Level.BLOCKED), False),
        (Facts(level=Level.GONE), False),
        (Facts(sensitive=True, level=Level.SHOWN), False),
        (Facts(tag="", level=Level.SHOWN), False),
        (Facts(known=False), False),
    ],
)
def test_a_field_is_named_of_which_viewers_read_anything(facts: Facts, named: bool) -> None:
    assert may_be_named(facts) is named
    stage = shared()
    step(stage, 5)
    looked(stage, facts)
    assert told(stage) == ([5] if named else [])


def test_those_that_may_be_named_in_the_tabs_order_once_all_are_known() -> None:
    stage = shared()
    step(stage, 9, 5, 9, 7, 3)
    assert [(one.page, one.node) for one in stage.looks] == [(1, 9), (1, 5), (1, 7), (1, 3)]
    assert told(stage) == []
    looked(stage)
    looked(stage, HIDDEN)
    looked(stage)
    assert stage.of(ViewState, "anna") == [], "not all are known"
    stage.do(stage.share.looked(stage.looks.popleft().look, None, stage.now))
    state = stage.of(ViewState, "anna")[-1]
    assert (state.fields, state.errors) == ([9, 7], 5), "the others are counted"
    step(stage)
    assert told(stage) == []


def test_no_more_than_a_round_at_a_time_and_the_newest_waits() -> None:
    stage = shared()
    for node in range(5, 60):
        step(stage, node, node + 100)
    assert len(stage.looks) == 2
    looked(stage, times=2)
    assert [one.node for one in stage.looks] == [59, 159]
    looked(stage, times=2)
    assert told(stage) == [59, 159]
    assert not stage.looks
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"type": "tab.step", "step": "", "fields": list(range(1, MAX_WRONG + 2))}, TabStep)
    for bad in (0, -1, 2**31 + 1, "5", 1.5, None):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"type": "tab.step", "step": "", "fields": [bad]}, TabStep)


@pytest.mark.parametrize("how", ["picture", "gap", "another tab", "lost", "paused", "hidden", "not named", "numbers somebody"])
def test_nothing_is_known_any_more_of(how: str) -> None:
    stage = shared()
    step(stage, 5)
    looked(stage)
    assert told(stage) == [5]
    step(stage, 5, 7)  # under way
    match how:
        case "picture":
            looked(stage, times=2)
            stage.picture()
        case "gap":
            stage.event(room=False)
        case "another tab":
            stage.hello("second")
            stage.tab(TabFront(), "second")
            stage.picture("second")
        case "lost":
            stage.do(stage.share.sanitiser_lost(stage.now))
        case "paused":
            stage.tab(TabPause(paused=True))
        case "hidden":
            stage.event("meta")
            stage.clean(META, hidden=True)
        case "not named":
            stage.event("meta")
            stage.clean(META, name="…")
        case "numbers somebody":
            looked(stage, times=2)
            stage.tab(TabStep(step="Card 4111 1111 1111 1111", errors=1, fields=[5]))
    assert told(stage) == []
    while stage.looks:
        looked(stage)
    if how in ("gap", "another tab", "lost", "paused"):
        assert all(one.fields == [] for one in stage.of(ViewState, "anna")), "answers to questions of before come to nothing"


def test_what_is_asked_behind_the_picture_is_of_it() -> None:
    stage = shared()
    stage.event("meta")
    stage.event("picture")
    step(stage, 5)
    stage.clean(META)
    stage.clean(2)
    looked(stage)
    assert told(stage) == [5]


def test_of_a_page_that_nobody_looks_at_nothing_is_asked() -> None:
    stage = shared()
    stage.hello("second")
    step(stage, 5, connection="second")
    stage.tab(TabPause(paused=True))
    step(stage, 5)
    assert not stage.looks


def test_who_does_not_look_is_told_nothing() -> None:
    stage = shared()
    stage.come("bo")
    step(stage, 5)
    looked(stage)
    assert told(stage) == [5]
    assert told(stage, "bo") == []


def test_acts_are_asked_beside_it() -> None:
    stage = shared(Scope.FILL)
    step(stage, 5)
    stage.view(Act(act="1", page=1, node=5, kind=ActKind.FILL, value="1"))
    looked(stage, HIDDEN, times=2)
    assert [one.outcome for one in stage.of(ViewDone, "anna")] == [ActOutcome.REFUSED]
    stage.tab(TabDone(act="-1", outcome=ActOutcome.DONE))
    assert stage.of(ViewState, "anna") == []


def test_a_round_that_is_not_answered_is_given_up() -> None:
    fields = WrongFields()
    (first,) = fields.say(1, [5], 0.0)
    assert fields.say(1, [6], LATE_S - 1) == []
    (second,) = fields.say(1, [7], LATE_S)
    assert (second.page, second.node) == (1, 7)
    assert fields.looked(first.look, Facts()) == []
    assert fields.told == []
    assert fields.looked(second.look, Facts()) == []
    assert fields.told == [7]
    assert fields.looked(1, Facts()) is None, "of an act"
