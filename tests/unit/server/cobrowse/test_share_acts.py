"""Pointing, drawing and doing: what reaches the customer's page, and what never does."""

import pytest

from server.cobrowse.messages import (
    MAX_POINTS,
    Act,
    ActKind,
    ActOutcome,
    Mark,
    MarkKind,
    Pointer,
    Problem,
    Scope,
    ShareState,
    Spot,
    TabDom,
    TabDone,
    TabFront,
    TabPause,
    TabTake,
    Unmark,
    ViewAsk,
    ViewDom,
    ViewDone,
    ViewState,
    WantPicture,
)
from server.cobrowse.orders import Noted
from server.cobrowse.rules import Level
from tests.support.sharing import META, PICTURE, Facts, Stage, shared

pytestmark = pytest.mark.campaign(23)

SPOT = Spot(node=5, x=0.5, y=0.5)
CONTROL = (Scope.SCROLL, Scope.FILL, Scope.CLICK)


def act(kind: ActKind = ActKind.FILL, *, id: str = "1", page: int = 1, value: str = "", viewer: str = "") -> Act:
    return Act(act=id, page=page, node=5, kind=kind, value=value, viewer=viewer)


def look(stage: Stage, facts: Facts | None = None) -> None:
    stage.do(stage.share.looked(stage.looks.popleft().look, facts or Facts(), stage.now))


def sent(stage: Stage, kind: ActKind = ActKind.FILL, *, id: str = "1", value: str = "") -> Act:
    """At the tab."""
    stage.view(act(kind, id=id, value=value))
    look(stage)
    (found,) = stage.of(Act, "tab")
    return found


def outcomes(stage: Stage, viewer: str = "anna") -> list[ActOutcome]:
    return [one.outcome for one in stage.of(ViewDone, viewer)]


# ---------------------------------------------------------------- doing


def test_an_act_goes_through_the_gate_to_the_page_and_what_came_of_it_back() -> None:
    stage = shared(*CONTROL)
    stage.view(act(value="120", id="mine"))
    assert (stage.looks[0].page, stage.looks[0].node) == (1, 5)
    assert stage.frames("tab") == []
    look(stage)
    (found,) = stage.of(Act, "tab")
    assert (found.page, found.node, found.kind, found.value, found.viewer) == (1, 5, ActKind.FILL, "120", "anna")
    stage.tab(TabDone(act=found.act, outcome=ActOutcome.DONE))
    assert stage.frames("anna") == [ViewDone(act="mine", outcome=ActOutcome.DONE)]
    assert [dict(one.details) for one in stage.notes if one.what is Noted.ACT] == [
        {"viewer": "anna", "kind": "fill", "outcome": "done", "act": 1}
    ]


def test_the_tab_is_told_its_own_number_of_the_page() -> None:
    stage = shared()
    stage.hello("second", page=7)
    stage.tab(TabFront(), "second")
    stage.picture("second")
    stage.answer(Scope.FILL, connection="second")
    stage.store()
    stage.view(act(page=2))
    look(stage)
    assert [one.page for one in stage.of(Act, "second")] == [7]


@pytest.mark.parametrize("kind", ActKind)
def test_nothing_without_its_own_grant(kind: ActKind) -> None:
    needed = {ActKind.PROPOSE: Scope.POINT}.get(kind) or Scope(kind.value)
    stage = shared(*(scope for scope in (Scope.POINT, *CONTROL) if scope is not needed))
    stage.view(act(kind))
    assert not stage.looks
    frames = stage.frames("anna")
    assert [one.code for one in frames if isinstance(one, Problem)] == ["not_granted"]
    assert ViewDone(act="1", outcome=ActOutcome.REFUSED) in frames


@pytest.mark.parametrize("how", ["ended", "left", "cut"])
def test_what_the_page_has_taken_and_nothing_was_heard_of_is_never_written_down_as_refused(how: str) -> None:
    stage = shared(*CONTROL)
    sent(stage, ActKind.CLICK)
    stage.view(act(ActKind.CLICK, id="2"))
    look(stage)  # waits for the tab
    match how:
        case "ended":
            stage.do(stage.share.end("detached", stage.now))
        case "left":
            stage.do(stage.share.viewer_left("anna", stage.now))
        case "cut":
            stage.do(stage.share.viewer_went("anna", stage.now))
    assert stage.frames("tab") is not None
    assert [one.details["outcome"] for one in stage.notes if one.what is Noted.ACT] == ["late", "refused"]


def test_while_the_customer_is_on_hold_nobody_sees_asks_or_does_anything() -> None:
    stage = shared(*CONTROL, Scope.POINT)
    stage.picture()
    stage.frames("anna")
    stage.do(stage.share.hold(True, stage.now))
    (state,) = stage.of(ViewState, "anna")
    assert (state.state, state.page) == (ShareState.PAUSED, 0)
    stage.frames("tab")
    stage.event("typed meanwhile")
    stage.view(act())
    stage.view(Pointer(page=1, at=SPOT))
    stage.view(ViewAsk(scope=Scope.VIEW))
    assert stage.frames("tab") == []
    assert not stage.sanitise
    assert not stage.looks
    assert outcomes(stage) == [ActOutcome.REFUSED]
    stage.wait(5)
    stage.do(stage.share.hold(False, stage.now))
    assert len(stage.of(WantPicture, "tab")) == 1
    stage.picture()
    assert stage.of(ViewDom, "anna")
    stage.view(act())
    assert stage.looks


def test_one_viewers_grant_is_no_other_viewers() -> None:
    stage = shared(*CONTROL)
    stage.come("bo")
    stage.grant(Scope.VIEW, viewer="bo")
    stage.view(act(), "bo")
    stage.view(act(viewer="anna"), "bo")
    assert not stage.looks
    assert outcomes(stage, "bo") == [ActOutcome.REFUSED] * 2


def test_what_is_said_for_somebody_else_or_with_a_value_where_none_belongs_is_refused() -> None:
    stage = shared(*CONTROL)
    stage.view(act(viewer="bo"))
    stage.view(act(ActKind.CLICK, value="x"))
    stage.view(act(ActKind.SCROLL, value="x"))
    assert not stage.looks
    assert [one.code for one in stage.of(Problem, "anna")] == ["invalid"] * 3


@pytest.mark.parametrize("value", ["\u202e00001", "1\u200b00", "1\x0000", "\ufeff1"])
def test_a_value_that_reads_otherwise_than_it_is_comes_to_nothing(value: str) -> None:
    stage = shared(*CONTROL)
    for kind in (ActKind.FILL, ActKind.PROPOSE):
        stage.view(act(kind, value=value))
    assert not stage.looks
    assert [one.code for one in stage.of(Problem, "anna")] == ["invalid"] * 2


def test_lines_go_into_fields_of_several_lines_alone() -> None:
    stage = shared(*CONTROL)
    stage.view(act(value="one\ntwo"))
    look(stage)
    assert stage.of(Act, "tab") == []
    assert outcomes(stage) == [ActOutcome.REFUSED]
    stage.view(act(value="one\ntwo", id="2"))
    look(stage, Facts(tag="textarea", type=""))
    assert [one.value for one in stage.of(Act, "tab")] == ["one\ntwo"]


@pytest.mark.parametrize(
    ("facts", "outcome"),
    [
        (Facts(type="password"), ActOutcome.REFUSED),
        (Facts(sensitive=True), ActOutcome.REFUSED),
        (Facts(type="file"), ActOutcome.REFUSED),
        (Facts(level=Level.SEALED), ActOutcome.REFUSED),
        (Facts(tag="div", type="", level=Level.SHOWN), ActOutcome.REFUSED),
        (Facts(known=False), ActOutcome.GONE),
        (None, ActOutcome.GONE),
    ],
)
def test_a_node_that_is_not_the_agents(facts: Facts | None, outcome: ActOutcome) -> None:
    stage = shared(*CONTROL)
    stage.view(act())
    stage.do(stage.share.looked(stage.looks.popleft().look, facts, stage.now))
    assert stage.frames("tab") == []
    assert outcomes(stage) == [outcome]


def test_a_button_that_submits_is_not_clicked() -> None:
    stage = shared(*CONTROL)
    stage.view(act(ActKind.CLICK))
    look(stage, Facts(tag="button", type="submit", level=Level.SHOWN))
    assert stage.of(Act, "tab") == []
    assert outcomes(stage) == [ActOutcome.REFUSED]


@pytest.mark.parametrize("page", [2, 900])
def test_an_act_of_another_page_comes_to_nothing(page: int) -> None:
    stage = shared(*CONTROL)
    stage.view(act(page=page))
    assert not stage.looks
    assert outcomes(stage) == [ActOutcome.GONE]


@pytest.mark.parametrize("how", ["taken", "view", "pause", "reload", "other tab", "hidden", "viewer went", "left"])
def test_taken_back_between_asking_and_doing_nothing_reaches_the_page(how: str) -> None:
    """Before the sanitiser answered, and while it waits for the tab."""
    for looked in (False, True):
        stage = shared(*CONTROL)
        stage.hello("second")
        stage.event("meta")
        stage.view(act())
        if looked:
            look(stage)
        match how:
            case "taken":
                stage.tab(TabTake())
            case "view":
                stage.answer(Scope.VIEW, given=False)
            case "pause":
                stage.tab(TabPause(paused=True))
            case "reload":
                stage.hello("tab again", tab="tab", page=2)
            case "other tab":
                stage.tab(TabFront(), "second")
            case "hidden":
                stage.clean(META, hidden=True)
            case "viewer went":
                stage.do(stage.share.viewer_went("anna", stage.now))
            case "left":
                stage.do(stage.share.viewer_left("anna", stage.now))
        if not looked:
            look(stage)
        for connection in ("tab", "tab again", "second"):
            assert stage.of(Act, connection) == []


def test_what_the_page_does_not_answer_is_late_and_a_proposal_waits_longer() -> None:
    stage = shared(Scope.POINT, *CONTROL)
    sent(stage, id="fill")
    sent(stage, ActKind.PROPOSE, id="proposal")
    stage.wait(10)
    assert stage.frames("anna") == [ViewDone(act="fill", outcome=ActOutcome.LATE)]
    stage.wait(49)
    assert stage.frames("anna") == []
    stage.wait(1)
    assert stage.frames("anna") == [ViewDone(act="proposal", outcome=ActOutcome.LATE)]


def test_a_sanitiser_that_does_not_answer_is_late_too_and_its_answer_comes_to_nothing() -> None:
    stage = shared(*CONTROL)
    stage.view(act())
    stage.wait(10)
    assert outcomes(stage) == [ActOutcome.LATE]
    look(stage)
    assert stage.of(Act, "tab") == []


def test_a_proposal_is_dismissed() -> None:
    stage = shared(Scope.POINT)
    found = sent(stage, ActKind.PROPOSE, value="120")
    stage.tab(TabDone(act=found.act, outcome=ActOutcome.DISMISSED))
    assert outcomes(stage) == [ActOutcome.DISMISSED]


@pytest.mark.parametrize("when", ["at the sanitiser", "queued", "at the page"])
def test_a_proposal_goes_with_pointing_and_not_with_filling(when: str) -> None:
    stage = shared(Scope.POINT, Scope.FILL)
    stage.view(act(ActKind.PROPOSE, value="120"))
    if when != "at the sanitiser":
        look(stage)
    if when == "at the page":
        assert stage.of(Act, "tab")
    stage.answer(Scope.FILL, given=False)
    assert outcomes(stage) == [], "it stands"
    stage.answer(Scope.POINT, given=False)
    assert outcomes(stage) == [ActOutcome.LATE if when == "at the page" else ActOutcome.REFUSED]
    if when == "at the sanitiser":
        look(stage)
    assert stage.of(Act, "tab") == []


def test_what_the_tab_says_of_acts_that_are_none_is_ignored() -> None:
    stage = shared(Scope.FILL)
    found = sent(stage)
    stage.hello("second")
    for id in ("", "x", "0", "99", "-1", "９", "1" * 40):
        stage.tab(TabDone(act=id or "0", outcome=ActOutcome.DONE))
    stage.tab(TabDone(act=found.act, outcome=ActOutcome.DONE), "second")
    assert stage.frames("anna") == []
    stage.tab(TabDone(act=found.act, outcome=ActOutcome.LATE))
    assert outcomes(stage) == [ActOutcome.REFUSED]
    stage.tab(TabDone(act=found.act, outcome=ActOutcome.DONE))
    assert stage.frames("anna") == []


def test_an_answer_before_the_act_was_sent_is_ignored() -> None:
    stage = shared(Scope.FILL)
    stage.view(act())
    stage.tab(TabDone(act="1", outcome=ActOutcome.DONE))
    assert stage.frames("anna") == []


def test_acts_come_as_fast_as_a_person_does() -> None:
    stage = shared(Scope.SCROLL)
    for n in range(25):
        stage.view(act(ActKind.SCROLL, id=str(n)))
        if stage.looks:
            look(stage)
            (found,) = stage.of(Act, "tab")
            stage.tab(TabDone(act=found.act, outcome=ActOutcome.DONE))
    frames = [one for one in stage.frames("anna") if isinstance(one, ViewDone)]
    assert [one.outcome for one in frames] == [ActOutcome.DONE] * 20 + [ActOutcome.REFUSED] * 5
    assert sum(one.what is Noted.ACT for one in stage.notes) == 20
    stage.wait(1)
    for n in range(12):
        stage.view(act(ActKind.SCROLL, id=str(n)))
    assert len(stage.looks) == 8  # and not more at once


# ---------------------------------------------------------------- in the audit first


def test_nothing_of_an_act_goes_on_before_it_is_in_the_audit() -> None:
    stage = shared(*CONTROL)
    stage.stores = False
    for id, kind in (("1", ActKind.FILL), ("2", ActKind.SCROLL)):
        stage.view(act(kind, id=id))
    assert not stage.looks
    stage.do(stage.share.looked(1, Facts(), stage.now))  # nobody asked
    assert stage.frames("tab") == []
    assert [(one.viewer, one.kind) for one in (stage.begin(), stage.begin())] == [
        ("anna", ActKind.FILL),
        ("anna", ActKind.SCROLL),
    ]
    look(stage)
    look(stage)
    assert [one.kind for one in stage.of(Act, "tab")] == [ActKind.FILL, ActKind.SCROLL]


def test_an_act_that_cannot_be_stored_is_refused_and_the_next_is_not() -> None:
    stage = shared(*CONTROL)
    stage.stores = False
    for id in ("1", "2"):
        stage.view(act(id=id))
    first = stage.begin(ok=False)
    assert [one.code for one in stage.frames("anna") if isinstance(one, Problem)] == ["not_stored"]
    assert [one.details for one in stage.notes if one.what is Noted.ACT] == [
        {"viewer": "anna", "kind": "fill", "outcome": "refused", "act": first.number}
    ]
    stage.do(stage.share.begun(first.number, True, stage.now))  # said too late
    assert not stage.looks
    stage.begin()
    look(stage)
    assert len(stage.of(Act, "tab")) == 1


def test_an_act_is_begun_once() -> None:
    stage = shared(*CONTROL)
    stage.stores = False
    stage.view(act())
    begun = stage.begin()
    stage.do(stage.share.begun(begun.number, True, stage.now))
    assert len(stage.looks) == 1


@pytest.mark.parametrize("how", ["taken", "pause", "gap", "late", "lost"])
def test_what_is_over_while_it_is_being_stored_comes_to_nothing(how: str) -> None:
    stage = shared(*CONTROL)
    stage.stores = False
    stage.view(act())
    match how:
        case "taken":
            stage.tab(TabTake())
        case "pause":
            stage.tab(TabPause(paused=True))
        case "gap":
            stage.tab(TabDom(page=1, n=99, text="x", last=True))
        case "late":
            stage.wait(10)
        case "lost":
            stage.do(stage.share.sanitiser_lost(stage.now))
    stage.begin()
    assert not stage.looks
    assert outcomes(stage) == [ActOutcome.LATE if how == "late" else ActOutcome.REFUSED]


# ---------------------------------------------------------------- pointing and drawing


def pointed(stage: Stage, connection: str) -> list[tuple[str, int, bool]]:
    return [(one.viewer, one.page, one.at is not None) for one in stage.of(Pointer, connection)]


def test_a_pointer_goes_to_the_customer_and_to_those_who_look() -> None:
    stage = shared(Scope.POINT)
    stage.come("bo")
    stage.grant(Scope.VIEW, viewer="bo")
    stage.come("cy")
    stage.view(Pointer(page=1, at=SPOT))
    assert pointed(stage, "tab") == [("anna", 1, True)]
    assert pointed(stage, "bo") == [("anna", 1, True)]
    assert pointed(stage, "cy") == []
    assert pointed(stage, "anna") == []


def test_pointers_without_grant_of_another_page_or_for_another_are_left_out() -> None:
    stage = shared()
    stage.view(Pointer(page=1, at=SPOT))
    stage.grant(Scope.POINT)
    stage.view(Pointer(page=2, at=SPOT))
    assert pointed(stage, "tab") == []
    stage.view(Pointer(page=1, at=SPOT, viewer="bo"))
    assert pointed(stage, "tab") == [("anna", 1, True)]


def test_pointers_beyond_the_rate_are_left_out() -> None:
    stage = shared(Scope.POINT)
    for n in range(100):
        stage.view(Pointer(page=1, at=Spot(node=5, x=n / 100, y=0)))
    (last,) = stage.of(Pointer, "tab")
    assert last.at is not None
    assert last.at.x == 0.59
    assert stage.frames("anna") == []


@pytest.mark.parametrize(
    ("kind", "count", "good"),
    [
        (MarkKind.HIGHLIGHT, 1, True),
        (MarkKind.HIGHLIGHT, 2, False),
        (MarkKind.BOX, 2, True),
        (MarkKind.BOX, 1, False),
        (MarkKind.ARROW, 3, False),
        (MarkKind.INK, 1, False),
        (MarkKind.INK, MAX_POINTS, True),
    ],
)
def test_marks(kind: MarkKind, count: int, good: bool) -> None:
    stage = shared(Scope.POINT)
    stage.view(Mark(id="m1", page=1, kind=kind, spots=[SPOT] * count))
    assert [one.viewer for one in stage.of(Mark, "tab")] == ["anna"] * good
    assert [one.code for one in stage.of(Problem, "anna")] == ["invalid"] * (not good)


def test_a_mark_is_tied_to_one_node() -> None:
    stage = shared(Scope.POINT)
    spots = [Spot(node=node, x=0.5, y=0.5) for node in (5, 6)]
    stage.view(Mark(id="m1", page=1, kind=MarkKind.BOX, spots=spots))
    assert stage.of(Mark, "tab") == []
    assert [one.code for one in stage.of(Problem, "anna")] == ["invalid"]


def test_a_hundred_marks_of_one_viewer_may_stand_on_the_page() -> None:
    stage = shared(Scope.POINT)

    def draw(id: str) -> int:
        stage.wait(1)
        stage.view(Mark(id=id, page=1, kind=MarkKind.HIGHLIGHT, spots=[SPOT]))
        return len(stage.of(Mark, "tab"))

    assert sum(draw(str(number)) for number in range(101)) == 100
    assert [one.code for one in stage.of(Problem, "anna")] == ["too_many"]
    assert draw("7")  # in the place of the same
    stage.view(Unmark(id="7"))
    assert draw("new")
    assert not draw("newer")
    stage.view(Unmark(id=""))
    assert draw("newer")
    stage.tab(TabPause(paused=True))
    stage.tab(TabPause(paused=False))
    assert all(draw(f"again {number}") for number in range(100))


def test_marks_need_their_grant_their_page_and_time() -> None:
    stage = shared()
    box = Mark(id="m1", page=1, kind=MarkKind.BOX, spots=[SPOT] * 2)
    stage.view(box)
    stage.view(Unmark(id=""))
    stage.grant(Scope.POINT)
    stage.frames("tab")
    stage.view(Mark(id="m1", page=2, kind=MarkKind.BOX, spots=[SPOT] * 2))
    stage.view(Mark(id="m1", page=1, kind=MarkKind.BOX, spots=[SPOT] * 2, viewer="bo"))
    assert [one.code for one in stage.of(Problem, "anna")] == ["not_granted", "not_granted", "unknown", "invalid"]
    assert stage.frames("tab") == []
    for _ in range(20):
        stage.view(box)
    assert len(stage.of(Mark, "tab")) == 19
    assert [one.code for one in stage.of(Problem, "anna")] == ["too_many"]


def test_marks_are_taken_away_by_whom_they_are() -> None:
    stage = shared(Scope.POINT)
    stage.come("bo")
    stage.grant(Scope.VIEW, viewer="bo")
    stage.frames("tab")
    stage.view(Unmark(id="m1", viewer="bo"))
    assert stage.of(Unmark, "tab") == stage.of(Unmark, "bo") == [Unmark(id="m1", viewer="anna")]


@pytest.mark.parametrize("how", ["taken back", "pause", "left"])
def test_when_pointing_is_over_what_was_drawn_goes_queued_or_not(how: str) -> None:
    stage = shared(Scope.POINT)
    stage.come("bo")
    stage.grant(Scope.VIEW, viewer="bo")
    stage.frames("tab")
    stage.view(Mark(id="m1", page=1, kind=MarkKind.BOX, spots=[SPOT] * 2))
    stage.view(Pointer(page=1, at=SPOT))
    match how:
        case "taken back":
            stage.answer(Scope.POINT, given=False)
        case "pause":
            stage.tab(TabPause(paused=True))
        case "left":
            stage.do(stage.share.viewer_left("anna", stage.now))
    frames = stage.frames("tab")
    assert not any(isinstance(one, Mark) for one in frames)
    assert Unmark(id="", viewer="anna") in frames
    assert Pointer(page=1, at=None, viewer="anna") in frames
    assert not any(isinstance(one, Mark) for one in stage.frames("bo"))


def test_what_was_drawn_goes_for_the_others_too_when_the_page_is_another_connections() -> None:
    stage = shared(Scope.POINT)
    stage.come("bo")
    stage.grant(Scope.VIEW, viewer="bo")
    stage.frames("bo")
    stage.view(Mark(id="m1", page=1, kind=MarkKind.BOX, spots=[SPOT] * 2))
    stage.view(Pointer(page=1, at=SPOT))
    stage.hello("tab again", tab="tab")
    frames = stage.frames("bo")
    assert not any(isinstance(one, Mark) for one in frames)
    assert Unmark(id="", viewer="anna") in frames
    assert Pointer(page=1, at=None, viewer="anna") in frames


def test_nothing_is_done_in_a_page_of_which_events_were_left_out() -> None:
    stage = shared(Scope.FILL)
    stage.view(act())
    stage.tab(TabDom(page=1, n=99, text="x", last=True))
    look(stage)
    assert outcomes(stage) == [ActOutcome.REFUSED]
    stage.wait(5)
    stage.view(act())
    assert not stage.looks
    assert outcomes(stage) == [ActOutcome.REFUSED]
    for n, kind in ((100, META), (101, PICTURE)):
        stage.tab(TabDom(page=1, n=n, text="x", last=True))
        stage.clean(kind)
    stage.view(act())
    look(stage)
    assert len(stage.of(Act, "tab")) == 1
