"""What of a share is shown to whom: pictures, pauses, pages that are never shown, documents that come and go."""

import pytest

from server.cobrowse.messages import (
    Act,
    ActKind,
    AskConsent,
    Bye,
    Problem,
    Scope,
    ShareState,
    TabDom,
    TabFront,
    TabPause,
    TabState,
    TabStep,
    TabStop,
    ViewAsk,
    ViewDom,
    ViewRelease,
    ViewResync,
    ViewState,
    WantPicture,
)
from server.cobrowse.orders import Cleaned, Noted
from tests.support.sharing import CHANGE, META, Stage, attached, shared


def test_events_go_through_the_sanitiser_to_who_may_look() -> None:
    stage = shared()
    stage.come("bo")
    stage.event("raw")
    assert stage.sanitise[0].text == "raw"
    stage.clean(text="made anew")
    assert [one.text for one in stage.of(ViewDom, "anna")] == ["made anew"]
    assert stage.of(ViewDom, "bo") == []


def test_nothing_is_taken_from_a_tab_while_nobody_looks() -> None:
    stage = attached()
    stage.event("unasked")
    assert not stage.sanitise
    stage.grant(Scope.VIEW)
    stage.picture()
    stage.answer(Scope.VIEW, given=False)
    stage.event("late")
    assert not stage.sanitise


def test_revoked_nothing_that_waited_leaves() -> None:
    stage = shared()
    stage.event()
    stage.clean()
    stage.event()
    stage.answer(Scope.VIEW, given=False)
    stage.clean()
    frames = stage.frames("anna")
    assert not any(isinstance(one, ViewDom) for one in frames)
    state = frames[-1]
    assert isinstance(state, ViewState)
    assert (state.page, state.name, state.step) == (0, "", "")


def test_revoked_what_is_under_way_is_stopped_of_those_who_were_shown_the_page() -> None:
    stage = shared()
    stage.come("bo")
    stage.answer(Scope.VIEW, "", given=False)
    assert stage.hushed == ["anna"]
    stage.answer(Scope.VIEW, "", given=False)
    assert stage.hushed == ["anna"], "once"


@pytest.mark.parametrize("how", ["stopped", "left", "released", "with another scope", "paused", "hidden"])
def test_only_what_was_taken_back_is_stopped(how: str) -> None:
    stage = shared(Scope.POINT)
    match how:
        case "stopped":
            stage.tab(TabStop())
        case "left":
            stage.do(stage.share.viewer_left("anna", stage.now))
        case "released":
            stage.view(ViewRelease(scope=Scope.VIEW))
        case "with another scope":
            stage.answer(Scope.POINT, given=False)
        case "paused":
            stage.tab(TabPause(paused=True))
        case "hidden":
            stage.event("meta")
            stage.clean(META, hidden=True, name="login")
    assert stage.hushed == (["anna"] if how in ("stopped", "left", "released") else [])


@pytest.mark.parametrize("first", ["paused", "hidden", "held"])
def test_what_was_shown_a_moment_before_is_cut_off_too(first: str) -> None:
    """Of the page before a pause something may still be under way when all is taken back."""
    stage = shared()
    if first == "paused":
        stage.tab(TabPause(paused=True))
    elif first == "held":
        stage.do(stage.share.hold(True, stage.now))
    else:
        stage.event("meta")
        stage.clean(META, hidden=True, name="login")
    assert stage.hushed == []
    stage.answer(Scope.VIEW, given=False)
    assert stage.hushed == ["anna"]
    stage.tab(TabPause(paused=True))
    stage.tab(TabStop())
    assert stage.hushed == ["anna"], "once"


def test_whether_something_waits_is_what_is_taken() -> None:
    stage = shared()

    def taken(connection: str) -> list[bool]:
        found = []
        while True:
            found.append(stage.share.waits(connection))
            body, outputs = stage.share.take(connection, stage.now)
            stage.do(outputs)
            if body is None or isinstance(body, Bye):
                assert found.pop() is (body is not None)
                return found

    for text in ("one", "x" * 300_000):
        stage.event(text)
        stage.clean()
        assert taken("anna") == [True] * (1 if text == "one" else 7)
    stage.come("bo")
    assert all(taken("bo"))
    assert taken("anna") == [True], "who else is there"
    assert not stage.share.waits("nobody")
    stage.tab(TabStop())
    assert stage.share.waits("anna"), "its Bye"
    taken("anna")


def test_given_again_it_begins_with_a_picture_and_nothing_of_before() -> None:
    stage = shared()
    stage.event("of before")
    stage.answer(Scope.VIEW, given=False)
    stage.store()
    stage.wait(5)
    stage.grant(Scope.VIEW)
    assert len(stage.of(WantPicture, "tab")) == 1
    stage.clean()
    stage.event("of before, too")
    assert stage.sanitise[0].gap
    stage.clean(text="")
    stage.picture()
    assert [one.text for one in stage.of(ViewDom, "anna")] == ["meta", "picture"]


def test_a_pause_hides_and_keeps_what_was_granted() -> None:
    stage = shared(Scope.FILL)
    stage.event()
    stage.clean()
    stage.tab(TabPause(paused=True))
    frames = stage.frames("anna")
    assert [type(one) for one in frames] == [ViewState]
    stage.event()
    assert not stage.sanitise
    stage.view(Act(act="1", page=1, node=5, kind=ActKind.FILL))
    assert not stage.looks
    stage.wait(5)
    stage.frames("tab")
    stage.tab(TabPause(paused=False))
    assert [type(one) for one in stage.frames("tab")] == [TabState, WantPicture]
    stage.picture()
    assert len(stage.of(ViewDom, "anna")) == 2
    assert [one.what for one in stage.notes if one.what in (Noted.PAUSED, Noted.RESUMED)] == [Noted.PAUSED, Noted.RESUMED]


def test_a_page_that_rules_hide_shows_nothing() -> None:
    stage = shared(Scope.FILL)
    stage.tab(TabStep(step="Amount", errors=1))
    stage.event()
    stage.clean()
    stage.event("meta")
    stage.clean(META, hidden=True, name="login")
    frames = stage.frames("anna")
    assert not any(isinstance(one, ViewDom) for one in frames)
    state = frames[-1]
    assert isinstance(state, ViewState)
    assert (state.hidden, state.page, state.name, state.step, state.errors) == (True, 0, "", "", 0)
    assert stage.of(TabState, "tab")[-1].hidden
    stage.view(Act(act="1", page=1, node=5, kind=ActKind.FILL))
    assert not stage.looks
    stage.event("meta")
    stage.clean(META, text="out of it", name="transfer")
    assert len(stage.of(WantPicture, "tab")) == 1
    assert [one.text for one in stage.of(ViewDom, "anna")] == ["out of it"]


def test_the_journey_is_told_of_pages_that_rules_name_and_without_numbers_of_anybody() -> None:
    stage = shared()
    stage.tab(TabStep(step="Amount", errors=2, dwell_s=40))
    state = stage.of(ViewState, "anna")[-1]
    assert (state.step, state.errors, state.dwell_s, state.name) == ("Amount", 2, 40, "transfer")
    stage.tab(TabStep(step="Card 4111 1111 1111 1111"))
    assert stage.of(ViewState, "anna")[-1].step == ""
    stage.tab(TabStep(step="Amount"))
    stage.event("meta")
    stage.clean(META, name="…")
    state = stage.of(ViewState, "anna")[-1]
    assert (state.name, state.step) == ("…", "")


def test_a_step_of_a_page_that_is_not_known_yet_is_not_told() -> None:
    stage = shared()
    stage.do(stage.share.tab_went("tab", stage.now))
    stage.hello("new", tab="tab", page=2)
    stage.tab(TabStep(step="Secret step"), "new")
    assert all(one.step == "" for one in stage.of(ViewState, "anna"))


def test_who_comes_later_gets_a_picture_and_one_for_all_in_five_seconds() -> None:
    stage = shared()
    for viewer in ("bo", "cy"):
        stage.come(viewer)
        stage.grant(Scope.VIEW, viewer=viewer)
    assert stage.of(WantPicture, "tab") == []
    stage.wait(5)
    assert len(stage.of(WantPicture, "tab")) == 1
    stage.picture()
    assert [len(stage.of(ViewDom, viewer)) for viewer in ("anna", "bo", "cy")] == [2, 2, 2]


def test_a_slow_viewer_loses_its_own_events_alone() -> None:
    stage = shared()
    stage.come("bo")
    stage.grant(Scope.VIEW, viewer="bo")
    stage.wait(5)
    stage.picture()
    stage.frames("anna")
    stage.frames("bo")
    stage.frames("tab")
    for _ in range(5):
        stage.event("x" * 600_000)
        stage.clean()
        assert sum(len(one.text) for one in stage.of(ViewDom, "bo")) == 600_000
    assert stage.of(ViewDom, "anna") == []
    stage.wait(5)
    assert len(stage.of(WantPicture, "tab")) == 1


def test_a_resync_is_asked_for_and_not_too_often() -> None:
    stage = shared()
    stage.wait(5)
    for _ in range(3):
        stage.view(ViewResync())
    assert len(stage.of(WantPicture, "tab")) == 1
    assert [one.code for one in stage.of(Problem, "anna")] == ["too_many"]


def test_the_sanitiser_asks_for_a_picture() -> None:
    stage = shared()
    stage.wait(5)
    stage.event()
    stage.clean(resync=True)
    assert len(stage.of(WantPicture, "tab")) == 1


def test_missing_events_are_a_gap_and_a_picture_is_asked_for() -> None:
    stage = shared()
    stage.wait(5)
    stage.tab(TabDom(page=1, n=9, text="x", last=True))
    assert [type(one) for one in stage.frames("tab")] == [Problem, WantPicture]
    stage.tab(TabDom(page=1, n=10, text="meta", last=True))
    assert stage.sanitise[0].gap


def test_more_than_the_sanitiser_can_do_is_left_out_until_it_has_done_it() -> None:
    stage = shared()
    stage.wait(5)
    for _ in range(5):
        stage.event("x" * 4_000_000)
    assert len(stage.sanitise) == 4
    assert stage.share.next_deadline() is None
    stage.event()
    for _ in range(4):
        assert stage.of(WantPicture, "tab") == []
        stage.clean()
    assert len(stage.of(WantPicture, "tab")) == 1
    assert stage.of(ViewDom, "anna") == []
    stage.event("meta")
    assert stage.sanitise[0].gap


def test_without_room_the_page_is_left_out_and_what_is_taken_back_is_heard() -> None:
    stage = shared(Scope.FILL)
    stage.event("before")
    stage.event("left out", room=False)
    stage.event("left out too")
    assert [one.text for one in stage.sanitise] == ["before"]
    stage.tab(TabPause(paused=True), room=False)
    assert stage.share.state is ShareState.PAUSED
    stage.tab(TabPause(paused=False), room=False)
    stage.wait(5)
    assert stage.of(WantPicture, "tab") == [], "until all that is under way is done"
    stage.clean()
    assert stage.of(ViewDom, "anna") == []
    assert len(stage.of(WantPicture, "tab")) == 1
    stage.event("meta")
    assert stage.sanitise[0].gap
    stage.clean(META)


def test_a_tab_behind_takes_nothing_from_the_one_in_front() -> None:
    stage = shared()
    stage.hello("second")
    stage.event("unasked", "second", room=False)
    stage.event()
    assert len(stage.sanitise) == 1


def test_a_sanitiser_that_died_is_asked_anew() -> None:
    stage = shared(Scope.FILL)
    stage.wait(5)
    stage.event()
    stage.view(Act(act="1", page=1, node=5, kind=ActKind.FILL))
    stage.do(stage.share.sanitiser_lost(stage.now))
    assert stage.of(WantPicture, "tab")
    late = stage.sanitise.popleft()
    stage.do(stage.share.cleaned(Cleaned(order=late.order, text="late", kind=CHANGE), stage.now))
    stage.do(stage.share.looked(1, None, stage.now))
    assert stage.of(ViewDom, "anna") == []
    stage.picture()
    assert len(stage.of(ViewDom, "anna")) == 2


# ---------------------------------------------------------------- documents


def test_after_a_reload_who_looked_looks_and_may_do_nothing() -> None:
    stage = shared(Scope.POINT, Scope.FILL)
    stage.do(stage.share.tab_went("tab", stage.now))
    assert not stage.of(ViewState, "anna")[-1].front
    stage.wait(59)
    stage.hello("new", tab="tab", page=2)
    state = stage.of(TabState, "new")[-1]
    assert state.viewers[0].granted == [Scope.VIEW]
    stage.picture("new")
    dom = stage.of(ViewDom, "anna")
    assert [(one.page, one.picture) for one in dom] == [(2, True), (2, False)]
    assert [one.details["scope"] for one in stage.notes if one.what is Noted.LAPSED] == ["point", "fill"]
    assert not stage.records


def test_away_for_a_minute_is_the_end() -> None:
    stage = shared()
    stage.do(stage.share.tab_went("tab", stage.now))
    stage.frames("anna")
    stage.wait(60)
    assert stage.share.state is ShareState.ENDED
    assert stage.frames("anna") == [Bye(code="ended", again=False)]
    stage.hello("new", tab="tab", page=2)
    assert stage.frames("new") == [Bye(code="ended", again=False)]


def test_another_tab_is_shared_once_the_customer_looks_at_it() -> None:
    stage = shared(Scope.FILL)
    stage.hello("second", page=1)
    assert not stage.of(TabState, "second")[-1].front
    stage.event("of the first")
    stage.clean()
    stage.tab(TabFront(), "second")
    assert stage.of(WantPicture, "second")
    assert [one.front for one in stage.of(TabState, "tab")] == [False]
    stage.event("of the first")
    assert not stage.sanitise
    stage.picture("second", text="of the second")
    assert [(one.page, one.text) for one in stage.of(ViewDom, "anna")] == [(2, "meta"), (2, "of the second")]
    stage.view(Act(act="1", page=2, node=5, kind=ActKind.FILL))
    assert not stage.looks


def test_a_tab_in_the_background_does_not_take_over_by_itself() -> None:
    stage = shared()
    stage.do(stage.share.tab_went("tab", stage.now))
    stage.hello("second")
    assert not stage.of(TabState, "second")[-1].front
    stage.wait(120)
    assert stage.share.state is ShareState.SHARING
    assert stage.of(ViewDom, "anna") == []


def test_an_older_connection_of_a_tab_is_replaced() -> None:
    stage = shared()
    stage.hello("new", tab="tab", page=1)
    assert stage.frames("tab") == [Bye(code="replaced", again=False)]
    stage.event("of before", "tab")
    assert not stage.sanitise
    assert stage.of(TabState, "new")[-1].front
    assert stage.of(WantPicture, "new") == []  # fetched with the state above
    stage.picture("new")
    assert [one.page for one in stage.of(ViewDom, "anna")] == [1, 1]


def test_more_tabs_than_eight_are_refused() -> None:
    stage = Stage()
    for n in range(9):
        stage.hello(f"tab{n}")
    assert stage.frames("tab8") == [Bye(code="too_many", again=False)]
    assert stage.of(TabState, "tab7")


def test_a_question_goes_on_in_the_next_document() -> None:
    stage = attached()
    stage.view(ViewAsk(scope=Scope.VIEW))
    stage.do(stage.share.tab_went("tab", stage.now))
    stage.wait(10)
    stage.hello("new", tab="tab", page=2)
    assert [one.seconds for one in stage.of(AskConsent, "new")] == [50]
