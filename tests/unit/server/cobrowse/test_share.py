"""A share from its code to its end: consent, what is shown to whom, what ends it."""

import pytest

from server.cobrowse.messages import (
    Act,
    ActKind,
    AskConsent,
    Bye,
    Problem,
    Scope,
    ShareState,
    TabConsent,
    TabDom,
    TabHello,
    TabPause,
    TabState,
    TabStep,
    TabStop,
    TabTake,
    TabWelcome,
    ViewAnswer,
    ViewAsk,
    ViewDom,
    ViewHello,
    ViewPing,
    ViewPong,
    ViewRelease,
    ViewState,
    WantPicture,
    Who,
)
from server.cobrowse.orders import Cleaned, Noted
from server.domain.model import ConsentDecision
from tests.support.sharing import CODE, RULES, Stage, attached, shared


def granted(stage: Stage, viewer: str = "anna") -> list[Scope]:
    return [
        scope for one in stage.of(TabState, "tab")[-1:] for seat in one.viewers if seat.id == viewer for scope in seat.granted
    ]


# ---------------------------------------------------------------- beginning


def test_the_first_hello_is_answered_with_token_and_code() -> None:
    stage = Stage()
    stage.hello()
    assert stage.woken == {"tab"}
    welcome, state = stage.frames("tab")
    assert isinstance(welcome, TabWelcome)
    assert (welcome.share, welcome.token) == ("SH_1", "again")
    assert state == TabState(state=ShareState.IDLE, code=CODE, code_s=900, front=True, hidden=False, viewers=[], rules=RULES)


def test_a_code_is_good_for_one() -> None:
    stage = Stage()
    stage.hello()
    stage.do(stage.share.attach(stage.now))
    assert stage.share.code == ""
    assert stage.of(TabState, "tab")[-1].code == ""
    with pytest.raises(ValueError, match="used"):
        stage.share.attach(stage.now)


def test_nobody_looks_before_it_is_attached() -> None:
    stage = Stage()
    stage.hello()
    with pytest.raises(ValueError, match="nobody"):
        stage.come()


def test_a_code_nobody_uses_ends_the_share() -> None:
    stage = Stage()
    stage.hello()
    stage.wait(899)
    assert stage.share.state is ShareState.IDLE
    stage.wait(1)
    assert stage.frames("tab") == [Bye(code="expired", again=False)]
    assert stage.changes[-1].state is ShareState.ENDED


# ---------------------------------------------------------------- consent


def test_view_is_asked_given_stored_and_only_then_the_page_is_recorded() -> None:
    stage = attached()
    stage.view(ViewAsk(scope=Scope.VIEW))
    (ask,) = stage.of(AskConsent, "tab")
    assert (ask.viewer.id, ask.scope, ask.seconds, ask.rules) == ("anna", Scope.VIEW, 60, RULES)
    stage.answer(Scope.VIEW)
    assert stage.frames("tab") == []
    assert stage.of(ViewState, "anna")[-1].waits_for == [Scope.VIEW]
    assert stage.share.state is ShareState.ATTACHED
    record = stage.store()
    assert (record.viewer, record.scope, record.decision, record.rules) == ("anna", Scope.VIEW, ConsentDecision.GIVEN, RULES)
    assert stage.changes[-1].state is ShareState.SHARING
    state, want = stage.frames("tab")
    assert isinstance(state, TabState)
    assert state.viewers[0].granted == [Scope.VIEW]
    assert isinstance(want, WantPicture)
    answer, seen = stage.frames("anna")
    assert answer == ViewAnswer(scope=Scope.VIEW, given=True)
    assert isinstance(seen, ViewState)
    assert (seen.state, seen.waits_for) == (ShareState.SHARING, [])


def test_what_cannot_be_stored_is_not_given() -> None:
    stage = attached()
    stage.view(ViewAsk(scope=Scope.VIEW))
    stage.answer(Scope.VIEW)
    stage.store(ok=False)
    assert stage.share.state is ShareState.ATTACHED
    assert ViewAnswer(scope=Scope.VIEW, given=False) in stage.frames("anna")
    assert [one.code for one in stage.of(Problem, "tab")] == ["refused"]


def test_an_answer_to_other_rules_gives_nothing() -> None:
    stage = attached()
    stage.view(ViewAsk(scope=Scope.VIEW))
    stage.answer(Scope.VIEW, rules="another")
    assert not stage.records
    assert [one.code for one in stage.of(Problem, "tab")] == ["invalid"]
    stage.answer(Scope.VIEW)
    assert stage.store().decision is ConsentDecision.GIVEN


def test_a_no_is_stored() -> None:
    stage = attached()
    stage.view(ViewAsk(scope=Scope.VIEW))
    stage.answer(Scope.VIEW, given=False)
    assert stage.store().decision is ConsentDecision.REFUSED
    assert ViewAnswer(scope=Scope.VIEW, given=False) in stage.frames("anna")


def test_no_answer_in_time_is_a_no() -> None:
    stage = attached()
    stage.view(ViewAsk(scope=Scope.VIEW))
    stage.frames("anna")
    stage.wait(59.9)
    assert stage.frames("anna") == []
    stage.wait(0.1)
    assert ViewAnswer(scope=Scope.VIEW, given=False) in stage.frames("anna")
    assert stage.notes[-1].what is Noted.UNANSWERED


def test_only_the_tab_in_front_gives_and_every_tab_takes_back() -> None:
    stage = shared()
    stage.hello("second")
    stage.answer(Scope.FILL, connection="second")
    assert not stage.records
    assert [one.code for one in stage.of(Problem, "second")] == ["refused"]
    stage.answer(Scope.VIEW, given=False, connection="second")
    assert stage.store().decision is ConsentDecision.WITHDRAWN
    assert stage.share.state is ShareState.ATTACHED


@pytest.mark.parametrize("scope", [Scope.POINT, Scope.SCROLL, Scope.FILL, Scope.CLICK])
def test_nothing_of_the_ladder_is_given_or_asked_for_before_the_view(scope: Scope) -> None:
    stage = attached()
    stage.view(ViewAsk(scope=scope))
    assert [one.code for one in stage.of(Problem, "anna")] == ["not_granted"]
    stage.answer(scope)
    assert [one.code for one in stage.of(Problem, "tab")] == ["not_granted"]
    assert not stage.records


def test_nothing_is_given_to_somebody_who_is_not_there() -> None:
    stage = attached()
    stage.answer(Scope.VIEW, "bo")
    stage.do(stage.share.viewer_went("anna", stage.now))
    stage.answer(Scope.VIEW)
    stage.answer(Scope.VIEW, "")
    assert not stage.records
    assert {one.code for one in stage.of(Problem, "tab")} == {"unknown"}


def test_each_scope_is_one_viewers() -> None:
    stage = shared(Scope.FILL)
    stage.come("bo")
    stage.view(ViewAsk(scope=Scope.VIEW), "bo")
    stage.grant(Scope.VIEW, viewer="bo")
    state = stage.of(TabState, "tab")[-1]
    assert {one.id: one.granted for one in state.viewers} == {"anna": [Scope.VIEW, Scope.FILL], "bo": [Scope.VIEW]}


def test_one_question_at_a_time_and_not_again_and_again() -> None:
    stage = shared()
    stage.view(ViewAsk(scope=Scope.POINT))
    stage.view(ViewAsk(scope=Scope.FILL))
    assert [one.code for one in stage.of(Problem, "anna")] == ["too_many"]
    for _ in range(5):
        stage.answer(Scope.POINT)
        stage.store()
        stage.view(ViewRelease(scope=Scope.POINT))
        stage.frames("anna")
        stage.view(ViewAsk(scope=Scope.POINT))
    assert [one.code for one in stage.of(Problem, "anna")] == ["too_many"]


def test_after_a_no_the_same_is_not_asked_again_for_two_minutes() -> None:
    stage = shared()
    stage.view(ViewAsk(scope=Scope.POINT))
    stage.answer(Scope.POINT, given=False)
    stage.frames("tab")
    stage.wait(119.9)
    stage.view(ViewAsk(scope=Scope.POINT))
    assert stage.of(AskConsent, "tab") == []
    assert [one.code for one in stage.of(Problem, "anna")] == ["too_many"]
    stage.view(ViewAsk(scope=Scope.SCROLL))
    assert [one.scope for one in stage.of(AskConsent, "tab")] == [Scope.SCROLL]
    stage.answer(Scope.SCROLL)
    stage.store()
    stage.wait(0.1)
    stage.view(ViewAsk(scope=Scope.POINT))
    assert [one.scope for one in stage.of(AskConsent, "tab")] == [Scope.POINT]


def test_after_three_noes_somebody_asks_no_more_also_not_when_they_come_again() -> None:
    stage = shared()
    for scope in (Scope.POINT, Scope.SCROLL, Scope.FILL):
        stage.view(ViewAsk(scope=scope))
        stage.answer(scope, given=False)
    stage.do(stage.share.viewer_left("anna", stage.now))
    stage.come("anna")
    stage.frames("tab")
    stage.wait(3600)
    stage.view(ViewAsk(scope=Scope.VIEW))
    assert stage.of(AskConsent, "tab") == []
    assert [one.code for one in stage.of(Problem, "anna")] == ["too_many"]
    stage.come("bo")
    stage.view(ViewAsk(scope=Scope.VIEW), "bo")
    assert [one.viewer.id for one in stage.of(AskConsent, "tab")] == ["bo"]
    stage.records.clear()
    stage.answer(Scope.VIEW)  # by themselves
    assert [(one.viewer, one.decision) for one in stage.records] == [("anna", ConsentDecision.GIVEN)]


def test_who_has_a_scope_and_asks_for_it_is_told_so() -> None:
    stage = shared()
    stage.view(ViewAsk(scope=Scope.VIEW))
    assert stage.frames("anna") == [ViewAnswer(scope=Scope.VIEW, given=True)]
    assert stage.frames("tab") == []


def test_taken_back_while_it_is_stored_it_is_not_given() -> None:
    stage = shared()
    stage.answer(Scope.FILL)
    stage.answer(Scope.FILL, given=False)
    assert [one.decision for one in stage.records] == [ConsentDecision.GIVEN, ConsentDecision.WITHDRAWN]
    stage.store()
    stage.store()
    assert granted(stage) == []  # nothing changed, nothing was told
    stage.view(Act(act="1", page=1, node=5, kind=ActKind.FILL))
    assert not stage.looks


def test_what_is_taken_back_is_so_although_it_cannot_be_stored() -> None:
    stage = shared()
    stage.answer(Scope.VIEW, given=False)
    stage.store(ok=False)
    stage.event()
    assert not stage.sanitise
    assert stage.share.state is ShareState.ATTACHED


def test_with_the_view_everything_goes() -> None:
    stage = shared(Scope.POINT, Scope.FILL)
    stage.answer(Scope.VIEW, given=False)
    assert [(one.scope, one.decision) for one in stage.records] == [
        (scope, ConsentDecision.WITHDRAWN) for scope in (Scope.VIEW, Scope.POINT, Scope.FILL)
    ]


def test_take_back_control_leaves_view_and_pointer() -> None:
    stage = shared(Scope.POINT, Scope.SCROLL, Scope.FILL, Scope.CLICK)
    stage.tab(TabTake())
    assert {one.scope for one in stage.records} == {Scope.SCROLL, Scope.FILL, Scope.CLICK}
    assert granted(stage) == [Scope.VIEW, Scope.POINT]
    assert stage.notes[-1].what is Noted.TAKEN_BACK


def test_one_message_takes_a_scope_from_all() -> None:
    stage = shared(Scope.FILL)
    stage.come("bo")
    stage.grant(Scope.VIEW, Scope.FILL, viewer="bo")
    stage.answer(Scope.FILL, "", given=False)
    assert {one.viewer for one in stage.records} == {"anna", "bo"}


def test_a_viewer_gives_back() -> None:
    stage = shared(Scope.FILL)
    stage.view(ViewRelease(scope=Scope.FILL))
    assert granted(stage) == [Scope.VIEW]
    assert not stage.records
    assert [one.what for one in stage.notes] == [Noted.RELEASED]


# ---------------------------------------------------------------- viewers


def test_a_viewer_who_is_back_within_a_minute_goes_on_looking() -> None:
    stage = shared(Scope.FILL)
    stage.do(stage.share.viewer_went("anna", stage.now))
    stage.event()
    assert not stage.sanitise
    stage.wait(59)
    stage.come("anna", "anna again")
    assert len(stage.of(WantPicture, "tab")) == 1
    stage.picture()
    frames = stage.frames("anna again")
    assert [one.n for one in frames if isinstance(one, ViewDom)] == [1, 2]
    state = next(one for one in frames if isinstance(one, ViewState))
    assert state.viewers[0].granted == [Scope.VIEW]


def test_a_viewer_who_stays_away_is_asked_for_again() -> None:
    stage = shared()
    stage.do(stage.share.viewer_went("anna", stage.now))
    stage.wait(60)
    assert stage.share.state is ShareState.ATTACHED
    stage.come()
    assert stage.of(ViewState, "anna")[-1].viewers[0].granted == []


def test_a_second_connection_of_a_viewer_replaces_the_first() -> None:
    stage = shared(Scope.FILL)
    stage.come("anna", "other window")
    assert stage.frames("anna") == [Bye(code="replaced", again=False)]
    stage.view(ViewPing(n=1), "anna")
    assert stage.frames("anna") == [Bye(code="replaced", again=False)]
    stage.do(stage.share.viewer_went("anna", stage.now))
    stage.wait(120)
    assert stage.share.state is ShareState.SHARING


def test_whoever_leaves_the_session_is_cut_off_at_once() -> None:
    stage = shared(Scope.FILL)
    stage.event()
    stage.clean()
    stage.do(stage.share.viewer_left("anna", stage.now))
    assert stage.frames("anna") == [Bye(code="ended", again=False)]
    assert stage.of(TabState, "tab")[-1].viewers == []
    assert stage.share.state is ShareState.ATTACHED


def test_the_round_trip_to_the_tab_is_told() -> None:
    stage = shared()
    stage.view(ViewPing(n=1))
    stage.share.measured("tab", 42)
    stage.view(ViewPing(n=2))
    assert stage.frames("anna") == [ViewPong(n=1, tab_ms=None), ViewPong(n=2, tab_ms=42)]


# ---------------------------------------------------------------- the end, and what is refused


@pytest.mark.parametrize("by_customer", [True, False])
def test_stopped_it_is_over_for_all(by_customer: bool) -> None:
    stage = shared(Scope.FILL)
    stage.event()
    stage.clean()
    stage.share._core.dropped["attribute"] = 3
    if by_customer:
        stage.tab(TabStop())
    else:
        stage.do(stage.share.end("session_ended", stage.now))
    assert stage.frames("anna") == stage.frames("tab") == [Bye(code="ended", again=False)]
    assert stage.changes[-1].state is ShareState.ENDED
    assert stage.notes[-1].what is Noted.ENDED
    assert stage.notes[-1].details == {"why": "stopped" if by_customer else "session_ended"}
    assert stage.notes[-2].details == {"attribute": 3}
    assert stage.share.next_deadline() is None
    stage.do(stage.share.tab_went("tab", stage.now))
    stage.do(stage.share.viewer_went("anna", stage.now))
    assert stage.share.connections == 0
    with pytest.raises(ValueError, match="nobody"):
        stage.come()


def test_a_second_hello_is_refused_on_both_sides() -> None:
    stage = shared()
    stage.tab(TabHello(site="", token="", tab="tab", page=1))
    assert stage.frames("tab") == [Bye(code="invalid", again=False)]
    stage.view(ViewHello(token="x", share="SH_1"))
    assert stage.frames("anna") == [Bye(code="invalid", again=False)]
    assert stage.share.state is ShareState.SHARING
    stage.event()
    assert not stage.sanitise


def test_a_tab_that_says_too_much_is_cut_off_but_its_no_is_heard() -> None:
    stage = shared()
    for n in range(241):
        stage.tab(TabStep(step=f"step {n % 7}"))
    assert stage.frames("tab") == [Bye(code="too_many", again=True)]
    stage = shared()
    for _ in range(239):  # one was the answer that gave the view
        stage.tab(TabStep(step="step"))
    stage.answer(Scope.VIEW, given=False)
    assert stage.records[0].decision is ConsentDecision.WITHDRAWN
    assert stage.share.state is ShareState.ATTACHED


def test_giving_pausing_and_changing_tabs_without_end_is_refused() -> None:
    stage = shared()
    for _ in range(31):
        stage.tab(TabPause(paused=True))
        stage.tab(TabPause(paused=False))
    assert stage.share.state is ShareState.PAUSED
    stage.answer(Scope.FILL)
    assert {one.code for one in stage.of(Problem, "tab")} == {"too_many"}
    assert not stage.records


def test_a_viewer_who_says_too_much_is_cut_off() -> None:
    stage = shared()
    for n in range(1, 242):
        stage.view(ViewPing(n=n))
    assert stage.frames("anna") == [Bye(code="too_many", again=True)]


def test_events_of_another_page_are_refused() -> None:
    stage = shared()
    stage.tab(TabDom(page=7, n=3, text="x", last=True))
    assert not stage.sanitise
    assert [one.code for one in stage.of(Problem, "tab")] == ["invalid"]


def test_chunks_without_end_cut_the_tab_off() -> None:
    stage = shared()
    for _ in range(4001):
        stage.tab(TabDom(page=1, n=3, text="", last=False))
    assert stage.frames("tab") == [Bye(code="too_many", again=True)]


def test_connections_that_are_not_known_are_ignored() -> None:
    stage = shared()
    stage.tab(TabStop(), "nobody")
    stage.view(ViewPing(n=1), "nobody")
    stage.do(stage.share.tab_went("nobody", stage.now))
    stage.do(stage.share.viewer_went("nobody", stage.now))
    stage.do(stage.share.viewer_left("nobody", stage.now))
    stage.do(stage.share.recorded(99, True, stage.now))
    stage.do(stage.share.cleaned(Cleaned(order=99), stage.now))
    stage.do(stage.share.looked(99, None, stage.now))
    stage.share.measured("nobody", 1)
    assert stage.frames("nobody") == []
    assert stage.share.state is ShareState.SHARING


def test_taking_back_what_nobody_has_changes_nothing() -> None:
    stage = shared()
    stage.tab(TabConsent(viewer="bo", scope=Scope.VIEW, given=False, rules=""))
    stage.tab(TabTake())
    assert not stage.records
    assert stage.frames("tab") == []


# ---------------------------------------------------------------- whoever brought the page


def brought(how: Who = Who.TYPED) -> Stage:
    stage = Stage()
    stage.hello()
    stage.do(stage.share.attach(stage.now, first=True))
    stage.come("anna", who=how)
    stage.come("bo")
    for connection in ("tab", "anna", "bo"):
        stage.frames(connection)
    return stage


def problems(stage: Stage, viewer: str) -> list[str]:
    return [one.code for one in stage.of(Problem, viewer)]


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("how", [Who.TYPED, Who.OFFERED])
def test_nobody_else_asks_before_whoever_brought_the_page_was_answered(how: Who, given: bool) -> None:
    stage = brought(how)
    stage.view(ViewAsk(scope=Scope.VIEW), "bo")
    assert stage.of(AskConsent, "tab") == []
    assert problems(stage, "bo") == ["not_first"]
    stage.view(ViewAsk(scope=Scope.VIEW))
    stage.view(ViewAsk(scope=Scope.VIEW), "bo")
    (ask,) = stage.of(AskConsent, "tab")
    assert (ask.viewer.name, ask.who) == ("Anna", how)
    stage.answer(Scope.VIEW, given=given)
    stage.view(ViewAsk(scope=Scope.VIEW), "bo")
    (ask,) = stage.of(AskConsent, "tab")
    assert (ask.viewer.name, ask.who) == ("Bo", Who.OTHER)


def test_no_answer_is_none_and_a_no_to_others_neither() -> None:
    stage = brought()
    stage.view(ViewAsk(scope=Scope.VIEW))
    stage.wait(61)
    stage.answer(Scope.VIEW, "bo", given=False)
    stage.answer(Scope.VIEW, "", given=False)
    stage.view(ViewAsk(scope=Scope.VIEW), "bo")
    assert problems(stage, "bo") == ["not_first"]
    assert stage.share.waits_for_first


def test_others_ask_where_whoever_brought_the_page_is_away() -> None:
    stage = brought()
    stage.do(stage.share.viewer_left("anna", stage.now))
    stage.view(ViewAsk(scope=Scope.VIEW), "bo")
    assert problems(stage, "bo") == ["not_first"], "they may come again"
    stage.do(stage.share.first_away(stage.now))
    stage.view(ViewAsk(scope=Scope.VIEW), "bo")
    assert [one.who for one in stage.of(AskConsent, "tab")] == [Who.OTHER]


def test_who_brought_the_page_is_told_again_in_the_next_document() -> None:
    stage = brought()
    stage.view(ViewAsk(scope=Scope.VIEW))
    stage.hello("new", tab="tab", page=2)
    assert [one.who for one in stage.of(AskConsent, "new")] == [Who.TYPED]
