"""Which layer a slot waits for, when a key frame is asked for, and which layers nobody needs."""

import pytest

from media.relay.epoch import EVERYTHING
from media.relay.layers import BEGINS_S, PAUSE_AFTER_S, UNSEEN_AFTER_S, Costs, Needed, guess_bps, heights, ladder
from media.relay.publication import FLOWS_S, PLI_INTERVAL_S, STALL_S, Publication
from media.relay.uplink import PublisherClock, Uplink
from tests.support.room_parts import camera, flow, layer, show, slot


def test_a_target_that_stops_is_replaced_by_the_nearest_lower_one_that_flows_and_comes_back() -> None:
    source = camera("q", "h", "f")
    low, middle, high = (layer(source, rid, ssrc, lines) for rid, ssrc, lines in (("q", 1, 180), ("h", 2, 360), ("f", 3, 720)))
    for uplink in (low, middle, high):
        flow(uplink, 1.0)
    viewer = slot()
    source.subscribe("v", viewer, 1.0)
    viewer.aim("f", EVERYTHING)
    source.steer(viewer, 1.0)
    assert viewer.pending is high
    show(viewer, high, 1.0)
    later = 1.0 + STALL_S
    flow(low, later)
    flow(middle, later)
    source.steer_all(later)
    assert viewer.pending is middle
    show(viewer, middle, later)
    source.steer_all(later)
    assert viewer.pending is high  # waits for its first key frame, while the other one goes on
    assert not source.waits(later)  # but asks for none: it does not flow
    flow(high, later)
    assert source.waits(later)


def test_a_higher_one_is_taken_where_no_lower_one_flows_and_the_target_where_none_does() -> None:
    source = camera("q", "h", "f")
    low, high = layer(source, "q", 1, 180), layer(source, "f", 3, 720)
    viewer = slot()
    viewer.aim("q", EVERYTHING)
    source.subscribe("v", viewer, 1.0)
    flow(low, 1.0)
    flow(high, 3.0)
    assert source.wanted(viewer, 3.0) is high
    assert source.wanted(viewer, 9.0) is low


def test_what_is_shown_already_takes_a_wish_back() -> None:
    source = camera("q", "f")
    low, high = layer(source, "q", 1, 180), layer(source, "f", 3, 720)
    flow(low, 1.0)
    flow(high, 1.0)
    viewer = slot()
    source.subscribe("v", viewer, 1.0)
    viewer.aim("q", EVERYTHING)
    source.steer(viewer, 1.0)
    show(viewer, low, 1.0)
    viewer.aim("f", EVERYTHING)
    source.steer(viewer, 1.0)
    assert viewer.pending is high
    viewer.aim("q", EVERYTHING)
    source.steer(viewer, 1.0)
    assert viewer.pending is None


def test_key_frames_are_asked_for_where_somebody_waits_at_most_every_half_second() -> None:
    source = camera("q", "f")
    asked: list[int] = []
    source.ask_key = lambda uplink: asked.append(uplink.ssrc)
    low, high = layer(source, "q", 1, 180), layer(source, "f", 3, 720)
    flow(low, 1.0)
    flow(high, 1.0)
    one, two = slot("1"), slot("2")
    for name, viewer, rid in (("a", one, "q"), ("b", two, "f")):
        viewer.aim(rid, EVERYTHING)
        source.subscribe(name, viewer, 1.0)
    assert source.request_key(1.0)
    assert sorted(asked) == [1, 3]
    assert not source.request_key(1.0 + PLI_INTERVAL_S / 2)
    show(one, low, 1.1)
    show(two, high, 1.1)
    asked.clear()
    assert source.request_key(2.0, high)  # a subscriber cannot decode it any more
    assert asked == [3]
    assert source.plis == 2


def test_lowering_sends_the_least_of_what_is_shown_until_the_switch() -> None:
    source = camera("q", "f")
    low, high = layer(source, "q", 1, 180), layer(source, "f", 3, 720)
    flow(low, 1.0)
    flow(high, 1.0)
    viewer = slot()
    source.subscribe("v", viewer, 1.0)
    show(viewer, high, 1.0)
    viewer.aim("q", 1, lower=True)
    assert (viewer.max_tid, viewer.careful) == (0, True)
    show(viewer, low, 1.1)
    assert (viewer.max_tid, viewer.cut) == (1, 1)
    viewer.aim(None, EVERYTHING)
    assert viewer.max_tid == EVERYTHING
    viewer.detach(1.2)
    viewer.aim("f", 2)
    assert viewer.cut == 2
    assert not viewer.careful


def test_heights_are_as_key_frames_say_else_by_halves() -> None:
    source = camera("q", "h", "f")
    for rid, ssrc in (("q", 1), ("h", 2), ("f", 3)):
        layer(source, rid, ssrc)
    assert heights(source) == {"q": 180, "h": 360, "f": 720}
    source.layers["f"].height = 540
    assert heights(source) == {"q": 135, "h": 270, "f": 540}
    screen = camera(source="screen")
    assert ladder(screen) == []
    layer(screen, "", 9)
    assert heights(screen) == {"": 1080}


def test_the_ladder_has_every_temporal_layer_with_what_it_costs() -> None:
    source = camera("q", "f")
    low, high = layer(source, "q", 1, 180), layer(source, "f", 3, 720)
    now = 1.0
    for step in range(100):
        now = 1.0 + step * 0.02
        flow(low, now, 200, tid=(0, 2, 1, 2)[step % 4])
        if step % 10 == 0:
            low.measure(now)
    found = ladder(source)
    assert [(one.rid, one.temporal) for one in found] == [("q", 0), ("q", 1), ("q", EVERYTHING), ("f", EVERYTHING)]
    rates = [one.bitrate_bps for one in found[:3]]
    assert rates[0] < rates[1] < rates[2]
    assert 70_000 < rates[2] < 90_000
    assert found[3].bitrate_bps == guess_bps(720) == 1_500_000
    assert guess_bps(4000) > guess_bps(720)
    assert high.rates[-1] == 0


def test_audio_is_one_step() -> None:
    source = Publication("p", "microphone", "audio", "0", "opus", 1)
    assert ladder(source)[0].bitrate_bps > 0
    source.layers[""] = Uplink(1, "audio", "opus", 48000, PublisherClock())
    assert len(ladder(source)) == 1


def test_a_layer_that_nobody_needs_is_paused_after_a_while_and_back_at_once() -> None:
    source = camera("q", "h", "f")
    for rid, ssrc, lines in (("q", 1, 180), ("h", 2, 360), ("f", 3, 720)):
        flow(layer(source, rid, ssrc, lines), 1.0)
    viewer = slot()
    viewer.aim("h", EVERYTHING)
    source.subscribe("v", viewer, 1.0)
    needed = Needed(1.0)
    assert needed.update(source, 1.0) == ("q", "h", "f")  # it may remember another list
    assert needed.update(source, 1.0 + PAUSE_AFTER_S - 0.1) is None
    now = 1.0 + PAUSE_AFTER_S + 0.1
    for uplink in source.layers.values():
        flow(uplink, now)
    assert needed.update(source, now) == ("q", "h")
    assert needed.update(source, now) is None
    viewer.aim("f", EVERYTHING)
    assert needed.update(source, now) == ("q", "h", "f")


def test_alone_the_lowest_goes_on_and_what_never_came_is_waited_for() -> None:
    source = camera("q", "h", "f")
    flow(layer(source, "q", 1, 180), 1.0)
    needed = Needed(1.0)
    assert needed.update(source, 1.0) == ("q", "h", "f")
    assert needed.update(source, 1.0 + PAUSE_AFTER_S + 1) is None  # the others may be on their way
    assert needed.update(source, 1.0 + UNSEEN_AFTER_S + PAUSE_AFTER_S) == ("q",)
    assert Needed(1.0).update(camera(), 100.0) is None


def test_a_layer_that_comes_late_is_waited_for_while_somebody_has_the_highest_there_is() -> None:
    """A slow start must not cost the highest layer for good: who never sees it could never ask for it."""
    source = camera("q", "h", "f")
    for rid, ssrc, lines in (("q", 1, 180), ("h", 2, 360)):
        flow(layer(source, rid, ssrc, lines), 1.0)
    viewer = slot()
    viewer.aim("h", EVERYTHING)
    source.subscribe("v", viewer, 1.0)
    needed = Needed(1.0)
    assert needed.update(source, 1.0) == ("q", "h", "f")
    for now in (5.0, 1.0 + UNSEEN_AFTER_S + PAUSE_AFTER_S, 100.0):
        for uplink in source.layers.values():
            flow(uplink, now)
        assert needed.update(source, now) is None
    viewer.aim("q", EVERYTHING)
    assert needed.update(source, 100.1) is None
    for uplink in source.layers.values():
        flow(uplink, 104.0)
    assert needed.update(source, 104.0) == ("q",)


def test_what_is_shown_in_place_of_a_target_that_does_not_come_goes_on() -> None:
    source = camera("q", "h", "f")
    low, middle, high = (layer(source, rid, ssrc, lines) for rid, ssrc, lines in (("q", 1, 180), ("h", 2, 360), ("f", 3, 720)))
    for uplink in (low, middle, high):
        flow(uplink, 1.0)
    viewer = slot()
    viewer.aim("f", EVERYTHING)
    source.subscribe("v", viewer, 1.0)
    show(viewer, middle, 1.0)
    needed = Needed(1.0)
    assert needed.update(source, 1.0) == ("q", "h", "f")
    for now in (2.0, 5.0, 9.0):
        flow(middle, now)
        assert needed.update(source, now) is None
    viewer.aim(None, EVERYTHING)  # nobody chose for it: all are wanted
    assert needed.update(source, 20.0) is None


def test_a_layer_that_comes_again_flows() -> None:
    source = camera("q")
    low = layer(source, "q", 1)
    flow(low, 1.0)
    viewer = slot()
    source.subscribe("v", viewer, 1.0)
    assert source.waits(1.0 + FLOWS_S / 2)


def test_an_encoding_that_begins_anew_is_taken_to_cost_what_it_did() -> None:
    """A browser sends it with less at first: that it fits now does not say that it will."""
    source = camera("q", "f")
    low, high = layer(source, "q", 1, 180), layer(source, "f", 3, 720)
    costs = Costs()

    def run(begin: float, seconds: float, octets: int) -> list[int]:
        found = []
        for step in range(int(seconds * 50)):
            now = begin + step * 0.02
            flow(low, now, 250)
            if octets:
                flow(high, now, octets)
            if step % 10 == 0:
                for uplink in (low, high):
                    uplink.measure(now)
                found.append(ladder(source, costs)[-1].bitrate_bps)
        return found

    assert run(1.0, 3.0, 2500)[-1] == pytest.approx(1_000_000, rel=0.1)
    paused = run(4.0, 5.0, 0)[-1]
    assert paused >= 700_000
    again = run(9.0, BEGINS_S + 1.0, 750)
    assert min(again[: int(BEGINS_S * 5)]) >= 0.95 * paused
    assert again[-1] == pytest.approx(300_000, rel=0.1)


def test_a_layer_that_somebody_is_about_to_have_is_sent() -> None:
    source = camera("q", "h", "f")
    for rid, ssrc, lines in (("q", 1, 180), ("h", 2, 360), ("f", 3, 720)):
        flow(layer(source, rid, ssrc, lines), 1.0)
    needed = Needed(1.0)
    assert needed.update(source, 1.0) == ("q", "h", "f")
    assert needed.update(source, 9.0) == ("q",)
    assert needed.update(source, 9.2, {"f"}) == ("q", "f")
