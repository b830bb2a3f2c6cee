"""What of a share is kept with a recording: lines out of the recorder's seat."""

import json
from typing import Any

import pytest

from server.cobrowse.kept import OVER, Kept, KeptAct, KeptLine, KeptState, KeptViewer
from server.cobrowse.messages import (
    ActKind,
    ActOutcome,
    Body,
    Bye,
    Mark,
    MarkKind,
    Pointer,
    Problem,
    Scope,
    ShareState,
    Spot,
    Unmark,
    ViewDom,
)

SPOT = Spot(node=5, x=0.5, y=0.5)
WHOM = frozenset({"PA_agent"})


def state(**change: Any) -> KeptState:
    viewers = [KeptViewer(id=one, role="agent", granted=[Scope.VIEW]) for one in ("PA_agent", "PA_expert")]
    told = {"state": ShareState.SHARING, "shown": True, "hidden": False, "front": True, "page": 1, "viewers": viewers, **change}
    return KeptState(**told)


def mark(viewer: str = "PA_agent", id: str = "m1", page: int = 1) -> Mark:
    return Mark(id=id, page=page, kind=MarkKind.BOX, spots=[SPOT, SPOT], viewer=viewer)


def dom(n: int, *, picture: bool = False) -> ViewDom:
    return ViewDom(page=1, n=n, text="{}", last=True, picture=picture)


def said(lines: list[KeptLine]) -> list[Any]:
    return [json.loads(one.text) for one in lines]


@pytest.mark.parametrize(
    "body",
    [
        mark("PA_expert"),
        Unmark(id="", viewer="PA_expert"),
        Pointer(page=1, at=SPOT, viewer="PA_expert"),
        KeptAct(viewer="PA_expert", page=1, node=5, kind=ActKind.CLICK, outcome=ActOutcome.DONE),
        Problem(code="refused", detail="x"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_what_somebody_does_who_is_not_recorded_is_not_kept(body: Body) -> None:
    assert Kept().lines(body, WHOM) == []


def test_who_is_not_recorded_is_not_named() -> None:
    [line] = said(Kept().lines(state(), WHOM))
    assert [one["id"] for one in line["viewers"]] == ["PA_agent"]
    assert "name" not in line["viewers"][0]


def test_a_picture_begins_with_all_that_stands() -> None:
    kept = Kept()
    kept.lines(state(), WHOM)
    for one in (mark(), mark(id="m2"), Unmark(id="m1", viewer="PA_agent")):
        kept.lines(one, WHOM)
    begin, first = kept.lines(dom(1, picture=True), WHOM)
    assert (begin.begins, first.begins) == (True, False)
    told = json.loads(begin.text)
    assert told["state"]["page"] == 1
    assert [one["id"] for one in told["marks"]] == ["m2"]
    assert len(kept.lines(dom(2), WHOM)) == 1
    assert kept.changes == 1
    kept.lines(dom(3, picture=True), WHOM)
    assert kept.changes == 0


def test_what_was_drawn_goes_with_its_page() -> None:
    kept = Kept()
    kept.lines(state(), WHOM)
    kept.lines(mark(), WHOM)
    kept.lines(state(page=2), WHOM)
    [begin] = [one for one in said(kept.lines(dom(1, picture=True), WHOM)) if one["type"] == "kept.begin"]
    assert begin["marks"] == []


@pytest.mark.parametrize("body", [state(shown=False), Bye(code="ended", again=False)])
def test_where_nothing_is_shown_any_more_it_says_so(body: Body) -> None:
    [line] = Kept().lines(body, WHOM)
    assert line.blank
    assert json.loads(line.text)["shown"] is False


def test_the_end_is_a_state() -> None:
    assert said(Kept().lines(Bye(code="ended", again=False), WHOM))[0]["state"] == OVER.state.value == "ended"
