"""Events put together from chunks, and events on their way through the sanitiser."""

import pytest

from server.cobrowse.assembly import Assembly, GapError
from server.cobrowse.feed import MOST_EVENTS, Feed


def test_chunks_with_one_number_are_one_event() -> None:
    made = Assembly()
    assert made.take(1, '{"a"', last=False) is None
    assert made.take(1, ":1}", last=True) == '{"a":1}'
    assert made.take(2, "{}", last=True) == "{}"


def test_where_events_are_missing_the_one_that_came_is_refused_and_the_next_taken() -> None:
    made = Assembly()
    with pytest.raises(GapError, match="missing"):
        made.take(3, "half", last=False)
    assert made.take(3, "rest", last=True) is None
    assert made.take(4, "whole", last=True) == "whole"


def test_an_event_that_was_not_ended_is_missing() -> None:
    made = Assembly()
    made.take(1, "half", last=False)
    with pytest.raises(GapError):
        made.take(2, "next", last=True)
    assert made.take(3, "whole", last=True) == "whole"


def test_an_event_is_not_taken_twice() -> None:
    made = Assembly()
    made.take(1, "a", last=True)
    with pytest.raises(GapError, match="again"):
        made.take(1, "a", last=True)
    assert made.take(2, "b", last=True) == "b"


def test_what_is_too_long_is_refused_once_and_not_kept() -> None:
    made = Assembly(most_bytes=10)
    assert made.take(1, "x" * 8, last=False) is None
    with pytest.raises(GapError, match="10 bytes"):
        made.take(1, "密", last=False)
    assert made.take(1, "y" * 8, last=True) is None
    assert made.take(2, "密密密", last=True) == "密密密"


def test_what_is_not_wanted_is_counted_and_not_kept() -> None:
    made = Assembly(most_bytes=10)
    assert made.take(1, "x" * 100, last=True, wanted=False) is None
    assert made.take(2, "a", last=False, wanted=False) is None
    assert made.take(2, "b", last=True) is None
    assert made.take(3, "c", last=True) == "c"


def test_answers_of_before_a_gap_come_to_nothing() -> None:
    feed = Feed()
    assert feed.order(1, "unheard") is None
    feed.listen()
    first = feed.order(1, "a")
    second = feed.order(1, "b")
    assert first is not None
    assert second is not None
    assert (first.gap, second.gap) == (True, False)
    assert feed.answered(first.order) == 1
    feed.deafen()
    feed.listen()
    third = feed.order(1, "c")
    assert third is not None
    assert third.gap
    assert feed.answered(second.order) is None
    assert feed.answered(third.order) == 1
    assert feed.answered(third.order) is None
    assert feed.bytes == 0


def test_too_much_under_way_is_waited_for() -> None:
    feed = Feed()
    feed.listen()
    orders = [feed.order(1, "x" * 4_000_000) for _ in range(5)]
    assert [one is not None for one in orders] == [True] * 4 + [False]
    assert not feed.hears
    assert not feed.is_ready
    for one in orders[:4]:
        assert one is not None
        assert feed.answered(one.order) is None
    assert feed.is_ready


def test_small_events_are_counted_too() -> None:
    feed = Feed()
    feed.listen()
    for _ in range(MOST_EVENTS):
        assert feed.order(1, "x") is not None
    assert feed.order(1, "x") is None
    feed.lost()
    assert (feed.bytes, feed.is_ready, feed.hears) == (0, True, False)
