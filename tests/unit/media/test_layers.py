"""Temporal layers through the forwarder: whatever is left out, late, lost or switched, what leaves is one unbroken stream."""

import socket
import struct
from collections.abc import Iterator
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.congestion.pacer import Pacer
from media.relay.downlink import Downlink, Paced
from media.relay.epoch import EVERYTHING, SlotCodec
from media.relay.forward import Forwarder
from media.relay.publication import Publication
from media.transport.mmsg import Destination, SendBatch, pack_address
from media.wire.payload import READERS
from media.wire.rtp import RtpReader
from media.wire.sdp import ExtensionIds
from tests.support.layered import KINDS, PATTERN, Frame, Sent, Source

__all__ = ["KINDS", "PATTERN", "Sent", "Source"]


class Got(NamedTuple):
    """A packet as the subscriber gets it. ``source``: (ssrc, frame, packet) it was made from, None for an empty one."""

    seq: int
    ts: int
    pid: int
    tl0: int
    source: tuple[int, int, int] | None
    payload: bytes


class Stage:
    """One slot, two layers, no encryption. ``kind``: one of ``KINDS``."""

    def __init__(self, sock: socket.socket, kind: str = "vp8") -> None:
        self.kind = kind
        self.forwarder = Forwarder(lambda *_: 0, lambda *_: 0, [0])
        self.batch = SendBatch(sock)
        self.camera = Publication("p", "camera", "video", "1", "VP8", 1)
        self.camera.gate.release("consent")
        self.sources = [Source(1, 65500, 32760, 250, kind), Source(2, 100, 5, 7, kind)]
        for source in self.sources:
            self.camera.layers[source.uplink.rid] = source.uplink
        self.slot = Downlink(
            mid="7", kind="video", ssrc=9, rtx_ssrc=10, codecs={"VP8": SlotCodec(100, 101, True)}, ids=ExtensionIds(), first_seq=65000,
            first_ts=5, rtx_seq=1,
        )  # fmt: skip
        self.slot.batch = self.batch
        self.slot.destination = Destination(pack_address("127.0.0.1", sock.getsockname()[1]))
        self.camera.subscribe("s", self.slot, 1.0)
        self.now = 1.0
        self.got: list[Got] = []

    def come(self, source: Source, packet: Sent) -> list[Got]:
        reader: Any = SimpleNamespace(ts=packet.ts, level=-1, marker=packet.marker)
        data = memoryview(packet.payload)
        self.now += 0.005
        self.batch.count = 0
        self.forwarder.on_media(self.camera, source.uplink, reader, data, packet.seq, 0, len(data), self.now)
        new = []
        for i in range(self.batch.count):
            new.append(read(bytes(self.batch.buffers[i][: self.batch.iov[2 * i + 1]]), self.kind))
        self.got += new
        return new

    def show(self, source: Source) -> None:
        self.slot.want(source.uplink, "VP8", self.now)

    def frame(self, source: Source, packets: int = 1, *, key: bool = False) -> list[Got]:
        return [got for packet in source.frame(packets, key=key).packets for got in self.come(source, packet)]

    def again(self, out_seq: int) -> Got | None:
        """What a NACK of this number brings."""
        found = self.slot.find(out_seq)
        entry = found[0].uplink.kept(found[1]) if found else None
        if found is None or entry is None:
            return None
        packet = self.slot.rebuild(found[0], entry, 1)
        assert struct.unpack_from("!H", packet, 12)[0] == out_seq
        return read(packet[:2] + packet[12:14] + packet[4:12] + packet[14:], self.kind)


def read(packet: bytes, kind: str = "vp8") -> Got:
    reader = RtpReader(ExtensionIds())
    assert reader.parse(packet, len(packet))
    payload = packet[reader.start : reader.end]
    header = READERS[kind.split()[0]](payload, 0, len(payload))
    source = struct.unpack("!BHB", payload[-4:]) if payload else None
    return Got(reader.seq, reader.ts, header[4], header[6], source, payload)


@pytest.fixture
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        yield Stage(sock, getattr(request, "param", "vp8"))


def tids(stage: Stage, got: list[Got]) -> list[int]:
    return [stage.sources[g.source[0] - 1].frames[g.source[1]].tid for g in got if g.source]


def check_numbers(got: list[Got], *, holes: int = 0) -> None:
    """No number twice, and no more holes than ``holes``."""
    numbers = [(g.seq - got[0].seq) & 0xFFFF for g in got]
    assert len(set(numbers)) == len(numbers)
    assert max(numbers) + 1 - len(numbers) <= holes


@pytest.mark.parametrize("stage", KINDS, indirect=True)
def test_a_lower_limit_leaves_whole_frames_out_and_no_hole(stage: Stage) -> None:
    one = stage.sources[0]
    stage.frame(one, 2, key=True)
    for limit in (EVERYTHING, 1, 0):
        stage.slot.aim(None, limit)
        first = len(stage.got)
        for _ in range(16):
            stage.frame(one, 2)
        assert max(tids(stage, stage.got[first:])) == min(2, limit)
        assert stage.slot.careful is (limit != EVERYTHING)
    check_numbers(stage.got)
    assert [g.seq for g in stage.got] == [(65000 + i) & 0xFFFF for i in range(len(stage.got))]
    pids = [g.pid for g in stage.got[::2]]
    if stage.kind == "vp8":
        assert pids == [(pids[0] + i) & 0x7FFF for i in range(len(pids))]
    else:  # what was left out leaves a hole
        assert pids == [(32761 + g.source[1]) & 0x7FFF for g in stage.got[::2] if g.source]
    assert stage.slot.left_out > 0


@pytest.mark.parametrize("stage", KINDS, indirect=True)
def test_a_limit_takes_effect_between_frames(stage: Stage) -> None:
    one = stage.sources[0]
    stage.frame(one, key=True)
    second = one.frame(3)
    stage.come(one, second.packets[0])
    stage.slot.aim(None, 0)
    assert len(stage.come(one, second.packets[1])) == len(stage.come(one, second.packets[2])) == 1
    assert stage.frame(one, 3) == []
    assert stage.frame(one, 3) == []


def test_more_comes_back_layer_by_layer_where_frames_need_only_the_lowest(stage: Stage) -> None:
    one = stage.sources[0]
    stage.frame(one, key=True)
    stage.slot.aim(None, 0)
    for _ in range(8):
        stage.frame(one)
    stage.slot.aim(None, EVERYTHING)
    first = len(stage.got)
    for _ in range(16):
        stage.frame(one)
    assert tids(stage, stage.got[first:]) == [1, 0, 1, 0, 2, 1, 2, 0, 2, 1, 2, 0]
    assert not stage.slot.careful
    check_numbers(stage.got)


@pytest.mark.parametrize("stage", ["vp9"], indirect=True)
def test_everything_comes_back_where_no_later_frame_needs_what_was_left_out(stage: Stage) -> None:
    one = stage.sources[0]
    stage.frame(one, key=True)
    stage.slot.aim(None, 1)
    for _ in range(8):
        stage.frame(one)
    stage.slot.aim(None, EVERYTHING)
    first = len(stage.got)
    for _ in range(8):
        stage.frame(one)
    assert tids(stage, stage.got[first:]) == [1, 2, 0, 2, 1, 2, 0]
    assert not stage.slot.careful
    check_numbers(stage.got)


@pytest.mark.parametrize("stage", KINDS, indirect=True)
def test_a_key_frame_brings_everything_back(stage: Stage) -> None:
    one = stage.sources[0]
    stage.frame(one, key=True)
    stage.slot.aim(None, 0)
    stage.frame(one)
    stage.slot.aim(None, EVERYTHING)
    stage.frame(one, key=True)
    assert not stage.slot.careful
    assert len(stage.frame(one)) == 1


def test_a_stream_without_temporal_layers_is_never_thinned(stage: Stage) -> None:
    one = stage.sources[0]
    plain = Sent(1, 0, b"\x10\x00key" + struct.pack("!BHB", 1, 0, 0), 0x80, 0)
    stage.come(one, plain)
    stage.slot.aim(None, 0)
    assert [
        len(stage.come(one, Sent(2 + i, 3000 * i + 3000, b"\x10\x01" + plain.payload[-4:], 0x80, 0))) for i in range(9)
    ] == [1] * 9
    stage.slot.aim(None, EVERYTHING)
    stage.come(one, Sent(11, 90000, b"\x10\x01" + plain.payload[-4:], 0x80, 0))
    assert not stage.slot.careful


def test_a_missing_packet_keeps_its_number_and_an_empty_one_takes_it_when_it_is_not_wanted(stage: Stage) -> None:
    one = stage.sources[0]
    stage.frame(one, key=True)
    stage.slot.aim(None, 0)
    assert stage.frame(one, 1) == []
    lost = one.frame(1)  # of temporal id 1, but nobody knows
    assert stage.frame(one, 1) == []
    [base] = stage.frame(one, 1)
    assert base.seq == 65002
    [filler] = stage.come(one, lost.packets[0])
    assert (filler.seq, filler.payload) == (65001, b"")
    assert stage.again(65001) == filler
    assert stage.again(65002) == base


def test_a_late_packet_of_a_frame_from_before_the_limit_is_sent(stage: Stage) -> None:
    one = stage.sources[0]
    stage.frame(one, key=True)
    cut_short = one.frame(2)
    stage.come(one, cut_short.packets[0])
    stage.slot.aim(None, 0)
    assert stage.frame(one) == []
    [late] = stage.come(one, cut_short.packets[1])
    assert (late.seq, late.source) == (65002, (1, 1, 1))


def test_what_is_missing_between_two_packets_of_a_frame_that_is_left_out_needs_no_number(stage: Stage) -> None:
    one = stage.sources[0]
    stage.frame(one, key=True)
    stage.slot.aim(None, 0)
    out = one.frame(3)
    stage.come(one, out.packets[0])
    stage.come(one, out.packets[2])
    assert stage.come(one, out.packets[1]) == []
    stage.frame(one)
    stage.frame(one)
    assert [g.seq for g in stage.frame(one)] == [65001]


def test_numbers_that_were_never_given_are_not_found(stage: Stage) -> None:
    stage.frame(stage.sources[0], key=True)
    assert stage.slot.find(65001) is None
    assert stage.slot.find(64999) is None


STEP = st.one_of(
    st.tuples(st.just("frame"), st.integers(1, 3)),
    st.tuples(st.just("frame"), st.integers(1, 3)),
    st.tuples(st.just("frame"), st.integers(1, 3)),
    st.tuples(st.just("key"), st.integers(1, 3)),
    st.tuples(st.just("limit"), st.integers(0, 3)),
    st.tuples(st.just("switch"), st.integers(0, 1)),
    st.tuples(st.just("nack"), st.integers(0, 40)),
    st.tuples(st.just("age"), st.just(0)),
)


def needs(stage: Stage, ssrc: int, frame: Frame) -> set[int]:
    """The frames that this one refers to: the last of each temporal id up to its own.

    Layer sync: VP8, only of the lowest; VP9 in flexible mode, not of its own; VP9 else, later frames not to older ones above its own.
    """
    if frame.key:
        return set()
    frames = stage.sources[ssrc - 1].frames
    wanted = range(frame.tid + 1)
    if frame.sync and stage.kind != "vp9":
        wanted = range(1) if stage.kind == "vp8" else range(frame.tid)
    found = set()
    for tid in wanted:
        for number in range(frame.number - 1, -1, -1):
            if frames[number].tid == tid:
                found.add(number)
                break
            if frames[number].key or (stage.kind == "vp9" and frames[number].sync and frames[number].tid < tid):
                break
    return found


def check(stage: Stage, *, whole: bool) -> None:
    """``whole``: every packet came in, if late."""
    by_number = sorted(stage.got, key=lambda g: (g.seq - stage.got[0].seq) & 0xFFFF)
    media = [g for g in by_number if g.source]
    for before, after in pairwise(media):
        assert 0 <= (after.ts - before.ts) & 0xFFFFFFFF < 0x80000000
    frames: dict[tuple[int, int], list[Got]] = {}
    for got in media:
        assert got.source is not None
        frames.setdefault(got.source[:2], []).append(got)
    if not whole:
        return
    last: tuple[int, int] | None = None
    cut_short = set()
    for key in dict.fromkeys(g.source[:2] for g in media if g.source):
        if last is not None and last[0] != key[0]:
            cut_short.add(last)  # a switch in the middle of a frame
        last = key
    for (ssrc, number), packets in frames.items():
        frame = stage.sources[ssrc - 1].frames[number]
        assert len({(p.ts, p.pid, p.tl0) for p in packets}) == 1
        if (ssrc, number) not in cut_short:
            assert len(packets) == len(frame.packets)
        assert all((ssrc, needed) in frames for needed in needs(stage, ssrc, frame))


@settings(max_examples=300)
@given(st.sampled_from(KINDS), st.lists(STEP, min_size=5, max_size=60))
def test_without_loss_numbers_picture_ids_and_references_are_unbroken(kind: str, steps: list[tuple[str, int]]) -> None:
    run(kind, steps, [])


@settings(max_examples=300)
@given(st.sampled_from(KINDS), st.lists(STEP, min_size=5, max_size=60), st.lists(st.integers(0, 12), min_size=1, max_size=30))
def test_with_late_and_lost_packets_every_number_has_one_packet(
    kind: str, steps: list[tuple[str, int]], fates: list[int]
) -> None:
    run(kind, steps, fates)


def run(kind: str, steps: list[tuple[str, int]], fates: list[int]) -> None:
    """``fates``, over and over: 1–8 delay a packet by as many others, above 10 it is lost."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        stage = Stage(sock, kind)
        one = stage.sources[0]
        stage.slot.want(one.uplink, "VP8", 1.0)
        sent: dict[int, Got] = {}
        waiting: list[tuple[int, Source, Sent]] = []
        clock = lost = 0

        def come(source: Source, packet: Sent) -> None:
            for got in stage.come(source, packet):
                assert got.seq not in sent
                sent[got.seq] = got

        def feed(source: Source, frame: Frame) -> None:
            nonlocal clock, lost
            for packet in frame.packets:
                fate = fates[clock % len(fates)] if fates and not frame.key else 0
                clock += 1
                if fate > 10:
                    lost += 1
                elif fate > 8 or fate == 0:
                    come(source, packet)
                else:
                    waiting.append((clock + fate, source, packet))
                for due in [w for w in waiting if w[0] <= clock]:
                    waiting.remove(due)
                    come(due[1], due[2])

        feed(one, one.frame(1, key=True))
        shown = one
        for what, amount in steps:
            if what in ("frame", "key"):
                for source in stage.sources:
                    feed(source, source.frame(amount, key=what == "key"))
            elif what == "limit":
                stage.slot.aim(None, amount)
            elif what == "switch":
                shown = stage.sources[amount]
                stage.show(shown)
            elif what == "age":
                stage.slot.age()
            elif sent:
                number = sorted(sent)[amount % len(sent)]
                again = stage.again(number)
                assert again is None or again == sent[number]
        for _, source, packet in waiting:
            come(source, packet)
        check_numbers(stage.got, holes=lost)
        check(stage, whole=not lost)
        for number in list(sent)[-30:]:
            again = stage.again(number)
            assert again is None or again == sent[number]
        if not fates:
            shown_frames = list(dict.fromkeys((g.pid, g.source[:2]) for g in stage.got if g.source))
            for (pid, (before, number)), (next_pid, (ssrc, next_number)) in pairwise(shown_frames):
                step = next_number - number if kind != "vp8" and ssrc == before else 1
                if kind == "vp8" or ssrc == before:
                    assert next_pid == pid + step & 0x7FFF
                else:  # after what was left out last
                    assert 0 < next_pid - pid & 0x7FFF < 9


def test_a_paced_slot_gets_the_same_packets_in_the_same_order_later(stage: Stage) -> None:
    one = stage.sources[0]
    pacer: Pacer[Paced] = Pacer(20_000, stage.now)
    stage.slot.pace(pacer)
    assert not stage.slot.careful  # it shows nothing yet
    stage.frame(one, 3, key=True)
    assert stage.slot.careful
    stage.slot.aim(None, 1)
    for _ in range(8):
        stage.frame(one, 2)
    assert stage.forwarder.pacers == {pacer}
    for _ in range(400):
        stage.batch.count = 0
        stage.now += 0.005
        stage.forwarder.release(stage.now)
        stage.got += [read(bytes(stage.batch.buffers[i][: stage.batch.iov[2 * i + 1]])) for i in range(stage.batch.count)]
    assert not stage.forwarder.pacers
    assert len(stage.got) == 3 + 2 * 4
    assert [g.seq for g in stage.got] == [(65000 + i) & 0xFFFF for i in range(len(stage.got))]
    assert stage.again(stage.got[-1].seq) == stage.got[-1]
    stage.slot.pace(None)
    assert len(stage.frame(one, 1, key=True)) == 1


def test_what_waits_in_a_pacer_does_not_leave_after_its_gate_was_shut(stage: Stage) -> None:
    one = stage.sources[0]
    pacer: Pacer[Paced] = Pacer(10_000, stage.now)
    stage.slot.pace(pacer)
    stage.frame(one, 3, key=True)
    for _ in range(8):
        stage.frame(one, 3)
    assert len(pacer) > 0
    stage.camera.gate.shut("consent")
    stage.camera.refresh(stage.now)
    stage.batch.count = 0
    for _ in range(400):
        stage.now += 0.005
        stage.forwarder.release(stage.now)
    assert stage.batch.count == 0
    assert not stage.forwarder.pacers
