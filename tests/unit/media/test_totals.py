"""What monitoring sees of all connections together: counters that only grow, one sample a heartbeat, nobody named."""

import pytest

from media import control
from media.congestion.allocate import Allocation
from media.relay.totals import COUNTS, NOW, SPREADS, Totals
from media.relay.uplink import Uplink
from media.wire.rtcp import ReportBlock
from tests.support.room_parts import Person, camera, flow, layer, show


class Leg(Person):
    """A person whose connection has a state."""

    def __init__(self, participant: str, state: control.PeerStateName = "connected") -> None:
        super().__init__(participant)
        self.state: control.PeerStateName = state


def publisher(*rids: str) -> tuple[Leg, list[Uplink]]:
    leg = Leg("p")
    publication = leg.publications["1"] = camera(*rids)
    layers = [
        layer(publication, rid, ssrc, 180 << index) for index, (rid, ssrc) in enumerate(zip(rids, range(9, 99), strict=False))
    ]
    return leg, layers


def update(totals: Totals, rooms: list[list[Leg]], now: float) -> control.Totals:
    totals.begin(now)
    for legs in rooms:
        totals.add_room(legs)
    return totals.told()


def samples(told: control.Totals, name: str) -> int:
    return sum(told.spreads[name].counts)


def test_every_name_is_there_from_the_start_and_means_something() -> None:
    told = update(Totals(0.0), [], 1.0)
    assert set(told.counts) == set(COUNTS)
    assert set(told.counts.values()) == {0}
    assert {name: set(values) for name, values in told.now.items()} == {
        name: set(values) for name, (_, values, _) in NOW.items()
    }
    assert {name: len(spread.counts) for name, spread in told.spreads.items()} == {
        name: len(bounds) + 1 for name, (bounds, _) in SPREADS.items()
    }
    assert all(list(bounds) == sorted(set(bounds)) for bounds, _ in SPREADS.values())
    assert control.decode_worker_message(control.encode(control.Heartbeat(0, 0, 0, totals=told))[4:]) == control.Heartbeat(
        0, 0, 0, totals=told
    )


def test_what_publishers_send_is_counted_once() -> None:
    leg, (low, high) = publisher("q", "f")
    totals = Totals(0.0)
    for step in range(10):
        flow(low, step / 100, octets=100)
        flow(high, step / 100, octets=1000)
    low.keys, low.nacked, low.recovered, leg.publications["1"].plis = 1, 5, 2, 3
    told = update(totals, [[leg]], 1.0)
    assert (told.counts["packets_in"], told.counts["bytes_in"]) == (20, 11_000)
    assert (told.counts["key_frames_in"], told.counts["nacks_out"], told.counts["recovered_in"]) == (1, 5, 2)
    assert told.counts["key_requests_out"] == 3
    assert samples(told, "leg_up_loss_ratio") == samples(told, "leg_up_jitter_seconds") == 1
    again = update(totals, [[leg]], 2.0)  # nothing came since
    assert again.counts == told.counts
    assert samples(again, "leg_up_loss_ratio") == 1


def test_loss_on_the_way_in_is_that_of_the_last_heartbeat() -> None:
    leg, (uplink,) = publisher("")
    totals = Totals(0.0)
    for seq in range(100, 120):
        if seq % 5:
            uplink.receive(seq, seq * 3000, 1000, seq / 100)
    assert uplink.lost == 3  # what is missing before the first packet cannot be known
    told = update(totals, [[leg]], 1.0)
    assert told.counts["lost_in"] == 3
    assert told.spreads["leg_up_loss_ratio"].sum == pytest.approx(3 / 19)
    uplink.receive(105, 105 * 3000, 1000, 1.1)  # late after all: the counter does not fall
    told = update(totals, [[leg]], 2.0)
    assert (told.counts["lost_in"], told.counts["late_in"], uplink.lost) == (3, 1, 2)
    assert told.spreads["leg_up_loss_ratio"].counts[0] == 1


def test_a_stream_that_begins_again_is_not_taken_back() -> None:
    leg, (uplink,) = publisher("")
    totals = Totals(0.0)
    for _ in range(50):
        flow(uplink, 0.5)
    update(totals, [[leg]], 1.0)
    uplink.receive(40_000, 0, 1000, 1.1)
    uplink.receive(40_001, 0, 1000, 1.1)  # RFC 3550 A.1: two in a row after a jump
    assert uplink.packets == 1
    told = update(totals, [[leg]], 2.0)
    assert (told.counts["packets_in"], told.counts["bytes_in"], told.counts["lost_in"]) == (51, 51_000, 0)
    leg.publications["1"].layers[""] = Uplink(77, "video", "vp8", 90000, uplink.clock)  # or with another SSRC
    flow(leg.publications["1"].layers[""], 2.1)
    assert update(totals, [[leg]], 3.0).counts["packets_in"] == 52


def test_what_a_subscriber_gets_and_how_it_fares() -> None:
    source, (low, high) = publisher("q", "f")
    leg = Leg("s")
    downlink = leg.sees(source.publications["1"], "7")
    flow(high, 0.1)
    show(downlink, high, 0.1)
    downlink.packets, downlink.octets, downlink.resent, downlink.nacked = 100, 125_000, 4, 6
    downlink.note_report(ReportBlock(downlink.ssrc, 0, 0, 0, 900, 0, 0), 0)
    leg.counts["pli"] = 2
    leg.quality.probe_bytes = 700
    leg.quality.twcc_at = 0.5
    leg.quality.estimator.rtt_s = 0.08
    told = update(Totals(0.0), [[source, leg]], 1.0)
    assert (told.counts["packets_out"], told.counts["bytes_out"], told.counts["resent_out"], told.counts["nacks_in"]) == (
        100, 125_000, 4, 6,
    )  # fmt: skip
    assert (told.counts["key_requests_in"], told.counts["probe_bytes_out"]) == (2, 700)
    assert told.spreads["leg_sent_bps"].sum == told.spreads["room_sent_bps"].sum == 1_000_000
    assert told.spreads["leg_rtt_seconds"] == control.Spread((0, 0, 0, 1, 0, 0, 0, 0, 0, 0), 0.08)
    assert told.spreads["leg_down_jitter_seconds"].sum == pytest.approx(0.01)
    assert told.spreads["leg_estimate_bps"].sum == 800_000
    assert samples(told, "leg_down_loss_ratio") == 1
    assert told.spreads["room_participants"] == control.Spread((0, 1, 0, 0, 0, 0, 0, 0, 0), 2)
    assert low.packets == 0


@pytest.mark.parametrize(
    ("prepare", "kind"),
    [("f", "highest"), ("h", "middle"), ("q", "lowest"), ("", "waiting"), ("held", "held"), ("unseen", "unseen")],
)
def test_which_layer_a_picture_is_shown_in(prepare: str, kind: str) -> None:
    source, layers = publisher("q", "h", "f")
    leg = Leg("s")
    downlink = leg.sees(source.publications["1"], "7")
    for uplink in layers:
        flow(uplink, 0.1)
        if uplink.rid == prepare:
            show(downlink, uplink, 0.1)
    if prepare == "held":
        leg.held = frozenset({"7"})
    elif prepare == "unseen":
        leg.shown["7"][1].gate.shut("unseen")
    told = update(Totals(0.0), [[leg]], 1.0)
    assert {name: number for name, number in told.now["pictures"].items() if number} == {kind: 1}


def test_a_picture_without_layers_is_the_only_one() -> None:
    source, (uplink,) = publisher("")
    source.publications["1"].rids = ()
    leg = Leg("s")
    flow(uplink, 0.1)
    show(leg.sees(source.publications["1"], "7"), uplink, 0.1)
    assert update(Totals(0.0), [[leg]], 1.0).now["pictures"]["only"] == 1


def test_the_worst_connection_is_what_its_room_is_told_by() -> None:
    good, poor, gone = Leg("a"), Leg("b"), Leg("c", "disconnected")
    poor.quality.estimator.demand_bps = 5_000_000
    poor.quality.allocation = Allocation({}, 700_000, 5_000_000, 1)
    told = update(Totals(0.0), [[good, poor, gone], [Leg("d")], [Leg("e", "connecting")]], 1.0)
    assert told.now["legs"] == {"none": 2, "bandwidth": 1, "loss": 0}
    assert told.now["room_legs"] == {"none": 1, "bandwidth": 1, "loss": 0}
    assert samples(told, "room_participants") == 2


def test_whoever_leaves_is_counted_to_the_end_and_then_forgotten() -> None:
    leg, (uplink,) = publisher("")
    totals = Totals(0.0)
    flow(uplink, 0.1)
    update(totals, [[leg]], 1.0)
    flow(uplink, 1.1)
    totals.forget(leg)
    assert update(totals, [], 2.0).counts["packets_in"] == 2
    assert totals._legs == {}
    other = Leg("never counted")
    totals.forget(other)
    assert totals._legs == {}


def test_what_the_recorder_did_not_get_is_told_as_it_is_counted_there() -> None:
    totals = Totals(0.0)
    assert [totals.told(dropped).counts["recording_dropped"] for dropped in (5, 5, 7)] == [5, 5, 7]
