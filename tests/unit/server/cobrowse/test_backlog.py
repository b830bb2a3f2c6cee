"""What waits for one connection: bounded, begun anew with a picture, and nothing of what was taken back."""

import pytest

from server.cobrowse.backlog import MOST_AGE_S, MOST_BYTES, MOST_PICTURE_BYTES, MOST_SAID, Event, Line, Pictures, Reel
from server.cobrowse.messages import (
    CHUNK_CHARS,
    Bye,
    Mark,
    MarkKind,
    Pointer,
    Problem,
    ShareState,
    Spot,
    TabState,
    ViewDom,
    ViewPong,
    WantPicture,
)

META, PICTURE, CHANGE = 4, 2, 3


def event(kind: int, text: str = "{}", page: int = 1) -> Event:
    return Event(page=page, text=text, kind=kind, size=len(text))


def drawn() -> Reel:
    """With a whole picture, taken."""
    reel = Reel()
    reel.push(event(META), 0)
    reel.push(event(PICTURE), 0)
    drain(reel)
    return reel


def drain(reel: Reel) -> list[ViewDom]:
    found = []
    while (one := reel.take()) is not None:
        found.append(one)
    return found


def test_what_a_viewer_gets_begins_with_a_picture() -> None:
    reel = Reel()
    reel.push(event(CHANGE), 0)
    reel.push(event(PICTURE), 0)
    assert drain(reel) == []
    assert reel.wants_picture
    reel.push(event(META, "meta"), 0)
    reel.push(event(PICTURE, "picture"), 0)
    reel.push(event(CHANGE, "change"), 0)
    assert [(one.n, one.text, one.picture) for one in drain(reel)] == [
        (1, "meta", True),
        (2, "picture", False),
        (3, "change", False),
    ]
    assert not reel.wants_picture


def test_long_events_go_in_chunks() -> None:
    reel = drawn()
    text = "x" * CHUNK_CHARS + "yz"
    reel.push(event(CHANGE, text), 0)
    assert [(one.n, len(one.text), one.last) for one in drain(reel)] == [(3, CHUNK_CHARS, False), (3, 2, True)]


def test_too_many_changes_are_dropped_and_a_picture_is_wanted() -> None:
    reel = drawn()
    reel.push(event(CHANGE, "a" * (MOST_BYTES - 10)), 0)
    assert reel.take() is not None  # half of it is there already
    reel.push(event(CHANGE, "b" * 11), 0)
    assert drain(reel) == []
    assert reel.wants_picture
    assert reel.bytes == 0
    reel.push(event(CHANGE), 0)
    assert drain(reel) == []
    reel.push(event(META), 0)
    assert [one.n for one in drain(reel)] == [4]


def test_changes_that_wait_too_long_are_dropped() -> None:
    reel = drawn()
    reel.push(event(CHANGE), 10)
    reel.push(event(CHANGE), 10 + MOST_AGE_S)
    assert not reel.wants_picture
    reel.push(event(CHANGE), 10.1 + MOST_AGE_S)
    assert reel.wants_picture


def test_a_picture_takes_the_place_of_all_that_waits() -> None:
    reel = drawn()
    reel.push(event(CHANGE, "old"), 0)
    reel.push(event(META, "meta"), 0)
    reel.push(event(PICTURE, "new"), 0)
    assert [one.text for one in drain(reel)] == ["meta", "new"]


def test_a_picture_that_is_half_there_is_finished_first() -> None:
    reel = drawn()
    reel.push(event(META), 0)
    reel.push(event(PICTURE, "p" * CHUNK_CHARS * 2), 0)
    reel.take()
    reel.take()
    reel.push(event(META, "meta"), 1)
    reel.push(event(PICTURE, "another"), 1)
    reel.push(event(CHANGE), 1)
    assert [one.last for one in drain(reel)] == [True]
    assert reel.wants_picture  # what came after it was left out


def test_a_slow_viewer_holds_one_picture_and_some_changes_at_most() -> None:
    reel = drawn()
    reel.push(event(META), 0)
    reel.push(event(PICTURE, "p" * 3_000_000), 0)
    for at in range(2000):
        reel.push(event(CHANGE, "c" * 5000), at / 1000)
        assert reel.bytes <= 3_000_002 + MOST_BYTES
    assert [one.text[0] for one in drain(reel) if one.n == 4] == ["p"] * 62
    assert reel.wants_picture


def test_pictures_without_end_are_not_kept() -> None:
    reel = drawn()
    reel.push(event(META), 0)
    for _ in range(5):
        reel.push(event(PICTURE, "p" * 6_000_000), 0)
        assert reel.bytes <= MOST_PICTURE_BYTES
    assert reel.wants_picture


def test_another_page_takes_the_place_of_one_that_is_half_there() -> None:
    reel = drawn()
    reel.push(event(META), 0)
    reel.push(event(PICTURE, "p" * CHUNK_CHARS * 2), 0)
    reel.take()
    reel.take()
    reel.push(event(META, "meta", page=2), 0)
    assert [(one.page, one.n, one.text, one.picture) for one in drain(reel)] == [(2, 5, "meta", True)]


def state(code: str) -> TabState:
    return TabState(state=ShareState.IDLE, code=code, code_s=1, front=True, hidden=False, viewers=[], rules="")


def everything(line: Line) -> list[object]:
    found: list[object] = []
    while (one := line.take()) is not None:
        found.append(one)
    return found


def test_a_newer_state_takes_the_place_of_an_older() -> None:
    line = Line()
    line.say(state("1"))
    line.say(WantPicture())
    line.say(ViewPong(n=1, tab_ms=None))
    line.say(WantPicture())
    line.say(state("2"))
    assert everything(line) == [ViewPong(n=1, tab_ms=None), WantPicture(), state("2")]


def test_of_pointers_the_newest_of_each_viewer() -> None:
    line = Line()
    for x in (0.1, 0.2):
        for viewer in ("anna", "bo"):
            line.point(Pointer(page=1, at=Spot(node=1, x=x, y=0), viewer=viewer))
    assert [(one.viewer, one.at.x) for one in everything(line) if isinstance(one, Pointer) and one.at] == [
        ("anna", 0.2),
        ("bo", 0.2),
    ]


def test_what_is_said_goes_before_the_page() -> None:
    line = Line()
    line.show(event(META), 0)
    line.point(Pointer(page=1, at=None, viewer="anna"))
    line.say(ViewPong(n=1, tab_ms=None))
    assert [type(one) for one in everything(line)] == [ViewPong, Pointer, ViewDom]


def test_where_there_is_no_room_marks_are_left_out_and_what_must_be_said_ends_it() -> None:
    line = Line()
    spots = [Spot(node=1, x=0, y=0)] * 256
    taken = [line.offer(Mark(id=str(n), page=1, kind=MarkKind.INK, spots=spots)) for n in range(10)]
    assert taken[0]
    assert not taken[-1]
    assert line.weight <= MOST_SAID
    for n in range(MOST_SAID):
        line.offer(Problem(code="refused", detail=str(n)))
    assert line.weight == MOST_SAID
    line.say(ViewPong(n=1, tab_ms=None))
    assert line.over
    assert line.take() == Bye(code="too_many", again=True)


def test_after_the_bye_nothing_waits() -> None:
    line = Line()
    line.say(state("1"))
    line.show(event(META), 0)
    line.end(Bye(code="ended", again=False))
    line.end(Bye(code="replaced", again=False))
    line.say(state("2"))
    line.show(event(META), 0)
    line.point(Pointer(page=1, at=None, viewer="anna"))
    assert line.take() == line.take() == Bye(code="ended", again=False)
    assert line.reel.bytes == 0


def test_whoever_fetches_is_told_once_that_something_waits() -> None:
    line = Line()
    assert not line.stirred()
    line.say(state("1"))
    assert (line.stirred(), line.stirred()) == (True, False)


def test_pictures_are_single_flight_and_not_too_often() -> None:
    pictures = Pictures()
    assert not pictures.due(0)
    pictures.want()
    assert pictures.due(0)
    pictures.want()  # gets that one
    assert not pictures.due(6)
    pictures.came()
    pictures.want()
    assert pictures.next_deadline() == 5
    assert not pictures.due(4.9)
    assert pictures.due(5)
    pictures.came()
    assert pictures.next_deadline() is None


def test_one_that_does_not_come_is_asked_for_again() -> None:
    pictures = Pictures()
    pictures.want()
    assert pictures.due(0)
    assert pictures.next_deadline() == 10
    assert not pictures.due(9.9)
    assert pictures.due(10)


@pytest.mark.parametrize("asked", [True, False])
def test_another_document_is_asked_at_once(asked: bool) -> None:
    pictures = Pictures()
    pictures.want()
    assert pictures.due(0)
    if not asked:
        pictures.came()
    pictures.fresh()
    pictures.want()
    assert pictures.due(0.1)
