"""Whoever comes later sees what others have drawn and what still stands, and nothing of it before they may look."""

from server.cobrowse.messages import Mark, MarkKind, Scope, Spot, TabConsent, Unmark
from tests.support.sharing import RULES, Stage, shared


def drawn(stage: Stage, *ids: str) -> None:
    for id in ids:
        stage.view(Mark(id=id, page=1, kind=MarkKind.HIGHLIGHT, spots=[Spot(node=7, x=0.5, y=0.5)]))


def test_marks_that_stand_are_shown_to_who_comes_later_once_they_may_look() -> None:
    stage = shared(Scope.POINT)
    drawn(stage, "one", "two", "three")
    stage.view(Unmark(id="two"))
    stage.come("bo")
    assert stage.of(Mark, "bo") == []
    stage.grant(Scope.VIEW, viewer="bo")
    told = stage.of(Mark, "bo")
    assert [(one.id, one.viewer, one.page) for one in told] == [("one", "anna", 1), ("three", "anna", 1)]
    assert stage.of(Mark, "bo") == [], "once"


def test_those_of_who_may_no_more_are_not() -> None:
    stage = shared(Scope.POINT)
    drawn(stage, "one")
    stage.tab(TabConsent(viewer="anna", scope=Scope.POINT, given=False, rules=RULES))
    stage.come("bo")
    stage.grant(Scope.VIEW, viewer="bo")
    assert stage.of(Mark, "bo") == []


def test_nor_those_of_another_document() -> None:
    stage = shared(Scope.POINT)
    drawn(stage, "one")
    stage.hello("next", tab="tab", page=2)
    stage.come("bo")
    stage.answer(Scope.VIEW, "bo", connection="next")
    stage.store()
    assert stage.of(Mark, "bo") == []
