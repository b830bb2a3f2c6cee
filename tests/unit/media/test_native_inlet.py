"""Receiving in C against Python's: whatever comes and whatever changes meanwhile, both send the same and know the same."""

import socket
import struct
from array import array
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from media.native.inlet import SWEEP
from media.native.uplink import NativeUplink
from media.relay.epoch import EVERYTHING
from media.relay.uplink import PublisherClock, RingEntry, Uplink
from media.transport.mmsg import pack_address
from media.wire import rtcp
from media.wire.payload import is_key, vp8
from tests.support.receiving import (
    LIBRARY,
    RED,
    RTX,
    STREAMS,
    Both,
    Plane,
    Sink,
    begin,
    picture,
)
from tests.unit.media.test_red import built

pytestmark = pytest.mark.skipif(LIBRARY is None, reason="the compiled core is not built: there is no C compiler here")


@pytest.fixture
def both() -> Iterator[Both]:
    with ExitStack() as stack:
        yield Both(stack)


def test_what_is_plain_passes_by_python_and_comes_out_the_same(both: Both) -> None:
    begin(both)
    before = both.taken
    for turn in range(15):
        for ssrc in (10, 12, 13, 14, 15, 20):
            payload = b"voice" if ssrc == 20 else picture(ssrc, pid=turn, tid=turn % 3)
            level = bytes((0x10, 30 + turn)) if ssrc == 20 else b""
            out = both.media(both.packet(ssrc, payload, extension=both.twcc() + level, marker=0x80))
            assert sum(map(len, out)) == (0 if ssrc == 12 else 2)
    assert both.taken - before == 90
    facts = both.same()
    assert len(facts["levels"]) == 15
    assert facts["forwards"] > 150
    assert facts["heard"] == both.now


def test_a_gate_that_is_shut_lets_nothing_more_through_and_opens_again(both: Both) -> None:
    begin(both)
    for plane in both.planes:
        plane.publications["1"].gate.shut("mute")  # alone, before anything else hears of it
    before = both.taken
    assert not any(both.media(both.packet(10, picture(10))))
    assert both.taken == before
    for plane in both.planes:
        plane.publications["1"].refresh(both.now)
        plane.publications["1"].gate.release("mute")
        plane.publications["1"].refresh(both.now)
    assert not any(both.media(both.packet(10, picture(10))))
    assert any(both.media(both.packet(10, picture(10, key=True))))
    assert any(both.media(both.packet(10, picture(10))))
    assert both.taken == before + 1
    for plane in both.planes:
        plane.publications["1"].subscriptions["2"].gate.shut("unseen")
        plane.publications["1"].refresh(both.now)
    assert [len(out) for out in both.media(both.packet(10, picture(10)))].count(1) == 1
    assert both.taken == before + 2
    both.same()


def test_who_has_left_is_unknown_from_the_next_packet_on(both: Both) -> None:
    begin(both)
    for plane in both.planes:
        plane.ice.remove(plane.publisher.session)
        if plane.publisher.inbox is not None:
            plane.publisher.inbox.close()
    before = both.taken
    assert not any(both.media(both.packet(10, picture(10))))
    assert both.taken == before
    facts = both.same()
    assert facts["mux"]["stranger"] == 1
    inlet = both.planes[1].inlet
    assert inlet is not None
    assert (inlet.peers, inlet.sources) == ({}, {})


def test_only_what_comes_from_the_selected_address_keeps_it(both: Both) -> None:
    begin(both)
    heard = both.now
    both.media(both.packet(10, picture(10)), 1)
    both.media(both.packet(10, picture(10)), 1)
    assert both.same()["heard"] == heard
    for plane in both.planes:
        plane.publisher.session.selected = plane.key(both.sources[1])
    both.media(both.packet(10, picture(10)), 1)
    both.media(both.packet(10, picture(10)), 1)
    assert both.same()["heard"] == both.now
    both.media(both.packet(10, picture(10)), 0)
    assert both.same()["heard"] == pytest.approx(both.now - 0.0031)


def test_who_is_known_at_one_of_our_addresses_is_a_stranger_at_another(both: Both) -> None:
    begin(both)
    before = both.taken
    assert not any(both.come(both.sending.protect(both.packet(10, picture(10))), 0, 1))
    assert both.taken == before
    assert both.same()["mux"]["stranger"] == 1


@pytest.mark.parametrize(
    ("profile", "extension", "told"),
    [
        (0xBEDE, b"\x00\x10\x28\x00", 40),
        (0xBEDE, b"\xf0\x01\x10\x28", None),  # id 15: nothing after it is looked at
        (0xBEDE, b"\x20\x01\x10\x28", 40),  # id 2 is nobody's
        (0xBEDE, b"\x20\x01\x1f\x28", None),  # longer than what is there
        (0xBEDE, b"\x10\x05\x10\x28", 40),  # the last one counts
        (0x1005, b"\x01\x01\x28\x00", 40),
        (0x1000, b"\x02\x00\x01\x01\x28\x00\x00\x00", 40),
        (0x1000, b"\x01\x00\x00\x00", None),  # empty
        (0x1000, b"\x00\x00\x00\x01", None),
        (0x1010, b"\x01\x01\x28\x00", None),  # neither of the two forms
    ],
)
def test_header_extensions(both: Both, profile: int, extension: bytes, told: int | None) -> None:
    begin(both)
    before = both.taken
    both.media(both.packet(20, b"voice", extension=extension, profile=profile))
    assert both.taken == before + 1
    assert [level for _, level, _ in both.same()["levels"]] == ([] if told is None else [told])


def test_a_recorder_beside_the_slots_gets_every_packet(both: Both) -> None:
    begin(both)
    for plane in both.planes:
        plane.sinks.append(Sink())
        plane.publications["1"].add_sink(plane.sinks[0])
    for turn in range(5):
        both.media(both.packet(10, picture(10, pid=turn)))
    for plane in both.planes:
        plane.publications["1"].remove_sink(plane.sinks[0])
    both.media(both.packet(10, picture(10)))
    assert [got[1].header[4] for got in both.same()["sinks"][0]] == list(range(5))


def test_feedback_is_put_by_until_the_next_tick_and_all_else_is_told_at_once_after_it(both: Both) -> None:
    begin(both)
    lone = rtcp.build_transport_feedback(5, 7, struct.pack("!HHIHH", 1, 1, 0, 0x2001, 0x0100))
    report = rtcp.build_receiver_report(rtcp.ReceiverReport(5, ()))
    native = both.planes[1].publisher.feedback
    before = both.taken
    both.come(both.sending.protect_rtcp(lone))
    assert native.got == []
    assert both.taken == before + 1
    both.come(both.sending.protect_rtcp(report))
    assert [data for data, _ in native.got] == [lone, report]
    assert LIBRARY is not None
    most = LIBRARY.lib.TP_TOLD
    for _ in range(most + 8):
        both.come(both.sending.protect_rtcp(lone))
    assert len(native.got) == 2 + most + 1  # so many are put by
    both.come(both.sending.protect_rtcp(lone), 1)
    assert len(both.same()["said"]) == 2 + most + 8 + 1


def test_more_arrivals_than_are_put_by_are_noted_in_order(both: Both) -> None:
    begin(both)
    for _ in range(300):
        both.media(both.packet(20, b"voice", extension=both.twcc() + bytes((0x10, 60))))
    assert len(both.same()["levels"]) == 300
    for turn in range(300):
        both.media(both.packet(10, picture(10, pid=turn), extension=both.twcc()))
    both.same()


def test_a_slot_that_waits_for_a_voice_gets_it_with_the_next_packet(both: Both) -> None:
    begin(both)
    for shut in (True, False):
        for plane in both.planes:
            gate = plane.publications["0"].subscriptions["0"].gate
            (gate.shut if shut else gate.release)("unseen")
            plane.publications["0"].refresh(both.now)
        assert sum(map(len, both.media(both.packet(20, b"voice")))) == 2 - shut
    before = both.taken
    both.media(both.packet(20, b"voice"))
    assert both.taken == before + 1
    both.same()


@pytest.mark.parametrize(
    ("first", "body", "taken"),
    [
        (0xA0, b"voice\x00", False),  # padding that does not count itself
        (0xA0, b"voice\x02", True),
        (0xA0, b"\x09" * 8, False),  # more padding than there is
        (0xA3, b"\x08" * 8, True),  # nothing but padding, after three CSRCs
        (0x8F, b"", True),
    ],
)
def test_malformed_packets_are_pythons_and_nobody_gets_them(both: Both, first: int, body: bytes, taken: bool) -> None:
    begin(both)
    before = both.taken
    sent = both.media(both.packet(20, body, first=first))
    assert (both.taken - before, any(sent)) == (int(taken), taken)
    assert both.same()["counts"]["rtp_malformed"] == 1 - taken


def test_a_slot_that_leaves_layers_out_is_asked_for_each_packet(both: Both) -> None:
    begin(both)
    for plane in both.planes:
        plane.slots[0].aim("10", 0)
    assert sum(sum(map(len, both.media(both.packet(10, picture(10, pid=n, tid=n % 3))))) for n in range(9)) == 9 + 3
    both.same()


def test_a_stream_that_begins_anew_under_its_number_is_another_one(both: Both) -> None:
    begin(both)
    for plane in both.planes:
        plane.stream(10)
    assert not any(both.media(both.packet(10, picture(10))))
    assert any(both.media(both.packet(10, picture(10, key=True))))
    before = both.taken
    assert any(both.media(both.packet(10, picture(10))))
    assert both.taken == before + 1
    both.same()


def test_addresses_that_are_nobodys_any_more_are_swept_away(both: Both) -> None:
    inlet = both.planes[1].inlet
    assert inlet is not None
    begin(both)
    plane = both.planes[1]
    for n in range(4 * SWEEP):
        address = pack_address("127.0.0.2", n + 1) + plane.endpoint.tag
        plane.ice._adopt(plane.publisher.session, address, False, 0.0)
        inlet._learn(address)
        assert len(inlet._origins) <= SWEEP + 1
    assert inlet._origins[address].stale is False


def test_what_is_kept_is_given_back_as_it_was_and_the_memory_too() -> None:
    assert LIBRARY is not None
    clock = PublisherClock()
    python, native = Uplink(1, "video", "vp8", 90000, clock), NativeUplink(LIBRARY, 1, "video", "vp8", 90000, clock)
    for turn, size in enumerate((0, 1, 63, 64, 1200, 1836, 20, 1836)):
        payload = picture(10, pid=turn) + bytes(size)
        payload = payload[:1836]
        entry = RingEntry(1024 * turn & 0xFFFF, turn, 0x80, payload, vp8(payload, 0, len(payload)), -1, 0, 1.5)
        for uplink in (python, native):
            uplink.keep(entry)
            uplink.keep(entry._replace(seq=entry.seq + 3))
            assert uplink.kept(entry.seq) == entry
            assert uplink.kept(entry.seq + 1024) is None
            assert uplink.kept(entry.seq + 1) is None
    native.keep(RingEntry(1, 0, 0, bytes(1837), None))
    assert native.kept(1) is None
    for uplink in (python, native):
        uplink.clear_ring()
        assert uplink.kept(3) is None


extension = st.one_of(
    st.just(b""),
    st.builds(lambda level: bytes((0x10, level)), st.integers(0, 255)),
    st.builds(
        lambda level, number: bytes((0x10, level, 0x31)) + struct.pack("!H", number),
        st.integers(0, 255),
        st.integers(0, 0xFFFF),
    ),
    st.builds(lambda number: bytes((3, 2)) + struct.pack("!H", number), st.integers(0, 0xFFFF)),
    st.binary(max_size=24),
)
streams = st.sampled_from([10, 10, 12, 13, 14, 15, 20])
payload = st.one_of(
    st.binary(max_size=30),
    st.builds(lambda first, rest: bytes((first,)) + rest, st.integers(0x80, 0xFF), st.binary(max_size=12)),
)
frame = st.tuples(
    st.just("frame"),
    streams,
    st.booleans(),
    st.integers(0, 0x7FFF),
    st.integers(0, 3),
    st.sampled_from([0, 0, 0, 0, 1, 2, 300, 5000]),
    st.booleans(),
)
step = st.one_of(
    frame,
    frame,
    st.tuples(
        st.just("odd"),
        streams,
        payload,
        extension,
        st.sampled_from([0x90, 0x90, 0x80, 0xB0, 0x93, 0xA0, 0x50]),
        st.sampled_from([0xBEDE, 0x1000, 0x1003, 7]),
    ),
    st.tuples(st.just("again"), st.integers(0, 50), st.integers(0, 2)),
    st.tuples(st.just("from"), streams, st.integers(0, 2)),
    st.tuples(st.just("rtx"), st.integers(0, 4)),
    st.tuples(st.just("red"), st.integers(0, 2)),
    st.tuples(st.just("raw"), st.binary(max_size=60), st.integers(0, 2)),
    st.tuples(
        st.just("rtcp"),
        st.one_of(st.binary(max_size=40), st.binary(max_size=40).map(lambda more: bytes((15,)) + more)),
        st.integers(0, 2),
    ),
    st.tuples(st.just("gate"), st.integers(0, 3), st.booleans()),
    st.tuples(st.just("slot"), st.integers(0, 9), st.booleans()),
    st.tuples(st.just("aim"), st.integers(0, 1), st.sampled_from([10, 12]), st.sampled_from([0, 1, EVERYTHING])),
    st.tuples(st.just("sink"), st.integers(0, 3), st.booleans()),
    st.tuples(st.just("anew"), streams),
    st.tuples(st.just("select"), st.integers(0, 1)),
    st.tuples(st.just("protect"), st.booleans()),
    st.tuples(st.just("jump"), streams, st.integers(1, 0xFFFF)),
    st.tuples(st.just("settle")),
)


def run(both: Both, steps: list[tuple[Any, ...]]) -> None:
    for what, *rest in steps:
        if what == "frame":
            ssrc, key, pid, tid, skip, hold = rest
            body = picture(ssrc, key=key, pid=pid, tid=tid) if ssrc != 20 else b"voice"
            if skip == 2:
                both.media(both.packet(ssrc, body, extension=both.twcc()), hold=True)
            both.media(both.packet(ssrc, body, extension=both.twcc(), skip=skip if skip != 2 else 0), hold=hold)
        elif what == "odd":
            ssrc, body, more, first, profile = rest
            both.media(both.packet(ssrc, body, extension=more, first=first, profile=profile))
        elif what == "again":
            both.again(*rest)
        elif what == "from":
            both.media(both.packet(rest[0], picture(rest[0]) if rest[0] != 20 else b"", extension=both.twcc()), rest[1])
        elif what == "rtx":
            both.media(both.packet(11, struct.pack("!H", (both._seq[10] - rest[0]) & 0xFFFF) + picture(10), pt=RTX))
        elif what == "red":
            both.media(both.packet(20, built(b"new", *[(960 * back, b"old") for back in range(rest[0], 0, -1)]), pt=RED))
        elif what == "raw":
            both.come(*rest)
        elif what == "rtcp":
            plain = (
                struct.pack("!BBHI", 0x80 | rest[0][0] % 32 if rest[0] else 0x8F, 205, (len(rest[0]) + 7) // 4, 1)
                + rest[0]
                + bytes(-len(rest[0]) % 4)
            )
            both.come(both.sending.protect_rtcp(plain), rest[1])
        elif what == "settle":
            both.same()
        else:
            for plane in both.planes:
                change(plane, both, what, *rest)


def change(plane: Plane, both: Both, what: str, *rest: Any) -> None:
    publication = plane.publications.get(str(rest[0] % 4), plane.publications["1"])
    if what == "gate":
        (publication.gate.shut if rest[1] else publication.gate.release)("test")
        publication.refresh(both.now)
    elif what == "slot":
        slot = plane.slots[rest[0]]
        owner = next(p for p in plane.publications.values() if slot.mid in p.subscriptions)
        (owner.subscriptions[slot.mid].gate.shut if rest[1] else owner.subscriptions[slot.mid].gate.release)("test")
        owner.refresh(both.now)
    elif what == "aim":
        slot = plane.slots[rest[0]]
        slot.want(plane.routes[rest[1]].uplink, plane.publications["1"].codec_key, both.now)
        slot.aim(str(rest[1]), rest[2])
    elif what == "sink":
        if rest[1]:
            plane.sinks.append(Sink())
            publication.add_sink(plane.sinks[-1])
        elif publication.sinks:
            publication.remove_sink(publication.sinks[0])
    elif what == "anew":
        plane.stream(rest[0])
    elif what == "select":
        plane.publisher.session.selected = plane.key(both.sources[rest[0]])
    elif what == "protect":
        for slot in plane.slots[-2:]:
            slot.protect(rest[0])
    elif what == "jump" and plane is both.planes[0]:
        both._seq[rest[0]] = (both._seq[rest[0]] + rest[1]) & 0xFFFF


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=st.lists(step, max_size=50))
@example(steps=[("frame", 10, True, 1, 0, 0, False)] * 3 + [("anew", 10)] + [("frame", 10, True, 1, 0, 0, False)] * 3)
def test_both_receive_the_same(steps: list[tuple[Any, ...]]) -> None:
    with ExitStack() as stack:
        both = Both(stack)
        begin(both)
        run(both, steps)
        both.same()


@settings(deadline=None)
@given(ssrc=st.sampled_from([10, 13, 14, 15]), body=payload)
@example(14, bytes((24, 0, 1, 9, 0, 2, 0x67, 1)))
@example(14, bytes((24, 0, 1, 9, 0, 3, 0x67, 1)))
@example(14, bytes((28, 0x85)))
def test_both_read_the_same_of_any_payload(ssrc: int, body: bytes) -> None:
    """By what they note of it: numbers, temporal id, and whether a picture can begin."""
    with ExitStack() as stack:
        both = Both(stack)
        begin(both)
        before = both.taken
        both.media(both.packet(ssrc, body))
        codec = STREAMS[ssrc][1]
        assert (both.taken == before) == (len(body) > 0 and is_key(codec, body, 0, len(body)))
        both.same()


def test_the_loop_waits_in_c_and_wakes_up_for_what_is_pythons(both: Both) -> None:
    begin(both)
    plane = both.planes[1]
    assert plane.inlet is not None
    plane.inlet.start()
    selector = plane.inlet._selector
    one, two = socket.socketpair()
    with one, two:
        selector.register(one, 1)
        two.send(b"x")
        assert [key.fileobj for key, _ in selector.select(5)] == [one]
        one.recv(1)
        before = both.taken
        both.sources[0].sendto(both.sending.protect(both.packet(10, picture(10))), plane.endpoint.sock.getsockname())
        assert selector.select(0.02) == []
        assert both.taken == before + 1
        both.sources[2].sendto(b"\x80" + bytes(20), plane.endpoint.sock.getsockname())
        assert selector.select(5) == []  # woken up by the stranger
        assert plane.mux.counts["stranger"] == 1
        selector.unregister(one)
    plane.inlet.close()
    assert selector.select(0) == []


def test_under_load_packets_wait_for_each_other(both: Both) -> None:
    begin(both)
    plane = both.planes[1]
    assert plane.inlet is not None
    inlet = plane.inlet
    endpoint = inlet.struct.endpoint[0]
    inlet.struct.coalesce = 60.0
    while not endpoint.paused:
        both.sources[0].sendto(both.sending.protect(both.packet(10, picture(10))), plane.endpoint.sock.getsockname())
        inlet.serve(0)
    both.sources[0].sendto(both.sending.protect(both.packet(10, picture(10))), plane.endpoint.sock.getsockname())
    before = both.taken
    inlet.serve(0)
    assert both.taken == before
    endpoint.pause_until = 0  # the time is over, and something came
    inlet.serve(0)
    assert (both.taken, endpoint.paused) == (before + 1, 1)
    endpoint.pause_until = 0  # nothing came
    inlet.serve(0)
    assert not endpoint.paused


def test_flags_are_as_wide_as_c_takes_them() -> None:
    assert (array("i").itemsize, array("q").itemsize, array("Q").itemsize, array("d").itemsize) == (4, 8, 8, 8)
