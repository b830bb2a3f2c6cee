"""A customer who only shows a page is asked into the conversation."""

import pytest

from server.cobrowse.calls import ASK_S
from server.cobrowse.messages import AskCall, CallLink, Problem, Scope, TabCall, TabPause, ViewCall, ViewCalled, ViewState
from server.cobrowse.orders import Invite
from server.cobrowse.seats import AFTER_NO_S
from server.cobrowse.share import Person
from tests.support.sharing import Stage, shared

LINK = "https://bank.example/j/x"


class Talking(Stage):
    """``invites``: what is to be made."""

    def __init__(self) -> None:
        super().__init__()
        self.invites: list[Invite] = []

    def do(self, outputs: object) -> None:
        made = list(outputs)  # type: ignore[call-overload]
        self.invites += [one for one in made if isinstance(one, Invite)]
        super().do(made)


def alone() -> Talking:
    stage = Talking()
    stage.hello()
    stage.do(stage.share.attach(stage.now))
    stage.come()
    stage.do(stage.share.apart(True, stage.now))
    stage.frames("tab")
    stage.frames("anna")
    return stage


def code(stage: Stage, viewer: str = "anna") -> list[str]:
    return [one.code for one in stage.of(Problem, viewer)]


def test_asked_answered_and_the_way_in_told_to_the_page_alone() -> None:
    stage = alone()
    stage.view(ViewCall())
    (ask,) = stage.of(AskCall, "tab")
    assert (ask.viewer.id, ask.seconds) == ("anna", ASK_S)
    stage.tab(TabCall(viewer="bo", given=True))
    assert ([one.code for one in stage.of(Problem, "tab")], stage.invites) == (["unknown"], [])
    stage.tab(TabCall(viewer="anna", given=True))
    assert [one.viewer for one in stage.invites] == ["anna"]
    stage.tab(TabCall(viewer="anna", given=True))
    assert len(stage.invites) == 1, "once"
    assert stage.of(ViewCalled, "anna") == []
    stage.do(stage.share.invited(LINK, stage.now))
    assert stage.of(CallLink, "tab") == [CallLink(link=LINK)]
    told = stage.frames("anna")
    assert [one for one in told if isinstance(one, ViewCalled)] == [ViewCalled(given=True)]
    assert LINK not in repr(told)
    assert [(one.what.value, dict(one.details)) for one in stage.notes if "call" in one.what.value] == [
        ("call_asked", {"viewer": "anna"}),
        ("call_answered", {"viewer": "anna", "given": "yes"}),
    ]


@pytest.mark.parametrize("how", ["no", "silence", "gone", "inside"])
def test_without_a_yes_nothing_is_made(how: str) -> None:
    stage = alone()
    stage.view(ViewCall())
    if how == "no":
        stage.tab(TabCall(viewer="anna", given=False))
    elif how == "silence":
        stage.wait(ASK_S)
    elif how == "gone":
        stage.do(stage.share.viewer_went("anna", stage.now))
    else:
        stage.do(stage.share.apart(False, stage.now))
    told = stage.of(ViewCalled, "anna")
    assert told == ([] if how == "gone" else [ViewCalled(given=False)])
    stage.tab(TabCall(viewer="anna", given=True))
    assert stage.invites == []


def test_after_a_no_not_again_for_a_while() -> None:
    stage = alone()
    stage.view(ViewCall())
    stage.tab(TabCall(viewer="anna", given=False))
    stage.frames("anna")
    stage.view(ViewCall())
    assert code(stage) == ["too_many"]
    stage.wait(AFTER_NO_S)
    stage.view(ViewCall())
    assert code(stage) == []


def test_who_may_not_ask() -> None:
    stage = alone()
    stage.do(stage.share.viewer_came("eve", Person(id="eve", name="Eve", role="expert"), stage.now))
    stage.view(ViewCall(), "eve")
    assert code(stage, "eve") == ["not_granted"]
    stage.tab(TabPause(paused=True))
    stage.view(ViewCall())
    assert code(stage) == ["refused"]
    stage.tab(TabPause(paused=False))
    stage.view(ViewCall())
    stage.view(ViewCall())
    assert code(stage) == ["too_many"], "one question at a time"


def test_in_a_conversation_nobody_is_asked_into_it() -> None:
    stage = shared(Scope.POINT)
    stage.view(ViewCall())
    assert code(stage) == ["refused"]
    assert stage.of(AskCall, "tab") == []


def test_the_question_goes_on_in_the_next_document_and_the_link_with_it() -> None:
    stage = alone()
    stage.view(ViewCall())
    stage.hello("tab2", tab="tab", page=2)
    assert [one.seconds for one in stage.of(AskCall, "tab2")] == [ASK_S]
    stage.tab(TabCall(viewer="anna", given=True), "tab2")
    stage.do(stage.share.tab_went("tab2", stage.now))
    stage.do(stage.share.invited(LINK, stage.now))
    assert stage.of(ViewCalled, "anna") == [ViewCalled(given=False)], "nobody is there to have it"


def test_the_viewer_knows_whether_the_customer_is_apart() -> None:
    stage = alone()
    assert stage.of(ViewState, "anna") == []
    stage.do(stage.share.apart(False, stage.now))
    assert [one.apart for one in stage.of(ViewState, "anna")] == [False]
