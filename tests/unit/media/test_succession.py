"""A hand-over: who takes whose slots, what stays shown until when, and what is forgotten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.congestion.allocate import Choice
from media.errors import ExhaustedError
from media.relay.director import _apply
from media.relay.layers import guess_bps, ladder
from media.relay.slots import Candidate, SlotTable
from media.relay.succession import MOST, WAIT_S, Succession
from tests.support.room_parts import Person, camera, flow, layer, show, slot

Key = tuple[str, str]
A, B, C, D = (("a", "camera"), ("b", "camera"), ("c", "camera"), ("d", "camera"))


def face(key: Key, order: int = 0, spoke_at: float = 0.0) -> Candidate[Key]:
    return Candidate(key, "video", False, spoke_at, order, key[0])


def voice(name: str, order: int = 0) -> Candidate[Key]:
    return Candidate((name, "microphone"), "audio", False, 0.0, order, name)


def table() -> SlotTable[Key]:
    return SlotTable(["a0", "a1"], ["v0", "v1", "v2"])


# ---- one subscriber's slots


def test_the_successor_takes_the_slots_of_the_one_before() -> None:
    slots = table()
    slots.update([voice("c", 1), face(C, 1), voice("a", 2), face(A, 2)])
    assert (slots.shown["v1"], slots.shown["a1"]) == (A, ("a", "microphone"))
    slots.inherit(A, B)
    slots.inherit(("a", "microphone"), ("b", "microphone"))
    assert slots.update([voice("c", 1), face(C, 1), voice("a", 2), face(A, 2)]) == []
    changes = slots.update([voice("c", 1), face(C, 1), voice("a", 2), face(A, 2), voice("b", 3), face(B, 3)])
    assert sorted(changes) == [("a1", ("b", "microphone")), ("v1", B)]
    assert slots.taken == {A: B, ("a", "microphone"): ("b", "microphone")}


def test_who_was_shown_elsewhere_moves_and_the_one_before_is_not_shown_twice() -> None:
    slots = table()
    slots.update([face(A, 1), face(B, 2), face(C, 3)])
    slots.inherit(A, B)
    assert slots.update([face(A, 1), face(B, 2), face(C, 3)]) == [("v1", None), ("v0", B)]
    assert slots.update([face(A, 1, 99.0), face(B, 2), face(C, 3)]) == []


def test_the_slots_of_somebody_gone_are_kept() -> None:
    slots = table()
    slots.update([face(A, 1), face(C, 2)])
    slots.inherit(A, B)
    assert slots.update([face(C, 2)]) == [("v0", None)]
    assert slots.update([face(C, 2), face(D, 4)]) == [("v2", D)]
    assert slots.update([face(C, 2), face(D, 4), face(("e", "camera"), 5)]) == []
    assert slots.update([face(C, 2), face(D, 4), face(("e", "camera"), 5), face(B, 6, 1.0)]) == [("v0", B)]


def test_also_of_somebody_who_was_gone_before_the_order() -> None:
    slots = table()
    slots.update([face(A, 1), face(C, 2)])
    slots.update([face(C, 2)])
    slots.inherit(A, B)
    assert slots.update([face(C, 2), face(D, 3)]) == [("v2", D)]
    assert slots.update([face(C, 2), face(D, 3), face(B, 4)]) == [("v0", B)]
    other = table()
    other.update([face(A, 1)])
    other.update([face(D, 2)])  # nothing is taken from somebody who has come since
    other.inherit(A, B)
    assert other.update([face(D, 2), face(B, 3)]) == [("v1", B)]


def test_what_is_not_waited_for_any_more_goes_to_others() -> None:
    slots = table()
    slots.update([face(A, 1), face(C, 2)])
    slots.inherit(A, B)
    slots.update([face(C, 2)])
    slots.disinherit(B)
    assert slots.update([face(C, 2), face(D, 3)]) == [("v0", D)]


def test_a_picture_that_its_page_does_not_want_is_not_wanted_of_a_successor() -> None:
    slots = table()
    slots.update([face(A, 1), face(C, 2)], 2)
    slots.inherit(A, B)
    slots.update([face(C, 2)], 2)
    assert slots.update([face(C, 2), face(D, 3)], 2) == []
    assert slots.update([face(C, 2), face(D, 3)], 0) == [("v1", None)]


def test_handed_on_and_handed_back() -> None:
    slots = table()
    slots.update([face(A, 1)])
    slots.inherit(A, B)
    slots.update([])
    slots.inherit(B, C)
    assert slots.update([face(C, 2)]) == [("v0", C)]
    slots.inherit(C, A)
    assert slots.update([face(A, 3), face(C, 2)]) == [("v0", A)]
    assert slots.taken == {B: A, C: A}
    slots.inherit(C, A)
    assert slots.update([face(A, 3), face(C, 2)]) == []
    slots.forget(C)
    assert slots.update([face(A, 3), face(C, 2)]) == [("v1", C)]


PEOPLE = [(name, "camera") for name in "abcde"]


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("see"), st.sets(st.sampled_from(PEOPLE)), st.integers(0, 3)),
            st.tuples(st.just("inherit"), st.sampled_from(PEOPLE), st.sampled_from(PEOPLE)),
            st.tuples(st.just("disinherit"), st.sampled_from(PEOPLE)),
            st.tuples(st.just("forget"), st.sampled_from(PEOPLE)),
        ),
        max_size=40,
    )
)
def test_nobody_is_shown_twice_and_nothing_that_is_not_there(steps: list[tuple[object, ...]]) -> None:
    slots = table()
    for step in steps:
        match step:
            case ("see", set() as keys, int() as most):
                slots.update([face(key, order) for order, key in enumerate(sorted(keys))], most)
                shown = [key for key in slots.shown.values() if key is not None]
                assert len(set(shown)) == len(shown) <= most
                assert set(shown) <= keys - set(slots.taken)
            case ("inherit", old, new) if old != new:
                slots.inherit(old, new)  # type: ignore[arg-type]
            case ("disinherit", key):
                slots.disinherit(key)  # type: ignore[arg-type]
            case ("forget", key):
                slots.forget(key)  # type: ignore[arg-type]


# ---- the room's memory of it


def pairs(succession: Succession) -> set[tuple[str, str, str]]:
    return {(old[0], new[0], old[1]) for old, new in succession}


def test_what_the_successor_does_not_send_in_time_is_dropped() -> None:
    succession = Succession()
    succession.replace("a", "b", 5.0, now=100.0)
    assert succession.spoke_at("b") == 5.0
    assert succession.due(lambda key: False, 100.0 + WAIT_S - 0.1) == []
    assert succession.due(lambda key: key == ("b", "microphone"), 100.0 + WAIT_S) == [("b", "camera")]
    assert pairs(succession) == {("a", "b", "microphone")}
    assert succession.due(lambda key: False, 1000.0) == []
    assert pairs(succession) == {("a", "b", "microphone")}


def test_a_successor_who_sends_nothing_is_forgotten() -> None:
    succession = Succession()
    succession.replace("a", "b", 0.0, now=0.0)
    assert succession.due(lambda key: False, WAIT_S) == [("b", "microphone"), ("b", "camera")]
    assert not pairs(succession)


def test_who_leaves() -> None:
    succession = Succession()
    succession.replace("a", "b", 0.0, now=0.0)
    succession.left("a")
    assert pairs(succession)  # kept for the successor
    assert not succession.came("b")
    assert succession.due(lambda key: True, WAIT_S) == []
    assert not pairs(succession)
    succession.replace("a", "b", 0.0, now=20.0)
    succession.due(lambda key: True, 31.0)
    succession.left("a")
    assert not pairs(succession)
    succession.replace("a", "b", 0.0, now=40.0)
    succession.left("b")
    assert not pairs(succession)


def test_who_was_replaced_and_comes_again_is_one_like_any_other() -> None:
    succession = Succession()
    succession.replace("a", "b", 0.0, now=0.0)
    assert not succession.came("a")  # a reload
    succession.left("a")
    assert succession.came("a")
    assert not pairs(succession)


def test_handed_back_and_on() -> None:
    succession = Succession()
    succession.replace("a", "b", 3.0, now=0.0)
    succession.replace("b", "a", 0.0, now=1.0)
    assert {(old, new) for old, new, _ in pairs(succession)} == {("b", "a")}
    succession.replace("a", "c", 4.0, now=2.0)
    succession.replace("a", "d", 1.0, now=3.0)
    assert succession.spoke_at("d") == 3.0
    succession.clear()
    assert not pairs(succession)


def test_hand_overs_are_bounded() -> None:
    succession = Succession()
    for number in range(MOST):
        succession.replace(f"old {number}", f"new {number}", 0.0, now=0.0)
    succession.replace("old 1", "another", 0.0, now=0.0)
    with pytest.raises(ExhaustedError):
        succession.replace("one more", "new", 0.0, now=0.0)


# ---- the publication that leaves, and the one that comes


def test_a_picture_goes_on_until_its_successors_key_frame() -> None:
    old, new = camera("", participant="a"), camera("", participant="b")
    before, after = layer(old, "", 10), layer(new, "", 20)
    downlink = slot()
    flow(before, 1.0)
    flow(after, 1.0)
    old.subscribe("x/7", downlink, 1.0)
    show(downlink, before, 1.0)
    old.leave("x/7", 1.1)
    new.subscribe("x/7", downlink, 1.1)
    assert (downlink.uplink, downlink.pending) == (before, after)
    assert (old.active, old.steered, new.active) == ([downlink], [], [downlink])
    assert (old.waits(1.1), new.waits(1.1)) == (False, True)
    old.steer_all(1.2)
    old.settle(1.2)
    assert downlink.pending is after
    asked: list[int] = []
    old.ask_key = new.ask_key = lambda uplink: asked.append(uplink.ssrc)
    new.request_key(1.2, downlink.uplink)
    assert asked == [20]
    show(downlink, after, 1.3)
    old.settle(1.3)
    assert (old.active, old.subscriptions) == ([], {})
    assert (downlink.uplink, downlink.pending) == (after, None)


@pytest.mark.parametrize("how", ["gate", "unsubscribe"])
def test_when_the_old_one_ends_first_the_slot_still_waits_for_the_new_one(how: str) -> None:
    old, new = camera("", participant="a"), camera("", participant="b")
    before, after = layer(old, "", 10), layer(new, "", 20)
    downlink = slot()
    old.subscribe("x/7", downlink, 1.0)
    show(downlink, before, 1.0)
    old.leave("x/7", 1.1)
    new.subscribe("x/7", downlink, 1.1)
    if how == "gate":
        old.gate.shut("hold")
        old.refresh(1.2)
    else:
        old.unsubscribe("x/7", 1.2)
    assert (downlink.uplink, downlink.pending) == (None, after)
    assert old.active == []
    show(downlink, after, 1.3)
    assert downlink.uplink is after


def test_what_shows_nothing_leaves_at_once() -> None:
    old = camera("", participant="a")
    layer(old, "", 10)
    downlink = slot()
    old.subscribe("x/7", downlink, 1.0)
    old.leave("x/7", 1.1)
    old.leave("nobody", 1.1)
    assert (old.subscriptions, downlink.pending) == ({}, None)


def test_what_has_another_source_by_then_is_left_alone() -> None:
    old, new = camera("", participant="a"), camera("", participant="b")
    before, after = layer(old, "", 10), layer(new, "", 20)
    downlink = slot()
    old.subscribe("x/7", downlink, 1.0)
    show(downlink, before, 1.0)
    old.leave("x/7", 1.1)
    new.subscribe("x/7", downlink, 1.1)
    show(downlink, after, 1.2)
    old.unsubscribe("x/7", 1.3)
    assert downlink.uplink is after


def test_a_path_that_carried_the_old_picture_is_not_emptied_before_the_new_one_is_there() -> None:
    old, new = camera("", participant="a"), camera("", participant="b")
    before, after = layer(old, "", 10, 360), layer(new, "", 20, 360)
    person = Person("x")
    downlink = person.sees(old, "7")
    flow(before, 1.0)
    show(downlink, before, 1.0)
    person.shown.clear()
    old.leave("x/7", 1.1)
    subscription = new.subscribe("x/7", downlink, 1.1)
    nothing = Choice(None, "bandwidth")
    _apply(new, subscription, nothing, 1.1)
    assert (downlink.uplink, downlink.pending, subscription.gate.open) == (before, after, True)
    flow(after, 1.2)
    show(downlink, after, 1.2)
    _apply(new, subscription, nothing, 1.3)
    assert (downlink.uplink, subscription.gate.open) == (None, False)


def test_until_it_is_measured_a_layer_is_taken_to_cost_what_the_old_one_did() -> None:
    new = camera("")
    layer(new, "", 20, 360)
    assert ladder(new)[0].bitrate_bps == guess_bps(360)
    new.guesses = {360: 123_000.0}
    assert ladder(new)[0].bitrate_bps == 123_000
