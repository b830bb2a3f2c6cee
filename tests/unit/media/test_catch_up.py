"""Somebody who comes into the middle of a picture's stream gets its newest key frame and what followed it, and nothing older."""

import itertools
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from media.relay.catch_up import MAX_FRAMES, YOUNG_S, catch_up, newest_run
from media.relay.downlink import Downlink
from media.relay.uplink import PublisherClock, RingEntry, Uplink
from media.wire.rtp import RtpReader
from tests.unit.media.test_forward import IDS, Stage, picture


@pytest.fixture
def stage() -> Iterator[Stage]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        yield Stage(sock)


def sent(stage: Stage, since: int) -> list[tuple[RtpReader, bytes]]:
    out = []
    for i in range(since, stage.batch.count):
        plain = stage.check.unprotect(bytes(stage.batch.buffers[i][: stage.batch.iov[2 * i + 1]]))
        reader = RtpReader(IDS)
        assert reader.parse(plain, len(plain))
        out.append((reader, plain[reader.start : reader.end]))
    return out


def newcomer(stage: Stage, mid: str = "7") -> Downlink:
    downlink = stage.slot(stage.camera, mid)
    stage.camera.steer(downlink, stage.now)
    return downlink


def come_in(stage: Stage, downlink: Downlink, since: float = 0.0) -> list[tuple[RtpReader, bytes]]:
    before = stage.batch.count
    done = catch_up(stage.forwarder, stage.camera, downlink, since, stage.now)
    out = sent(stage, before)
    assert done == bool(out)
    return out


def open_camera(stage: Stage) -> None:
    stage.camera.gate.release("consent")
    stage.camera.refresh(stage.now)


def test_the_newest_key_frame_and_what_followed_it_come_at_once(stage: Stage) -> None:
    open_camera(stage)
    for seq, key in enumerate((True, False, True, False, False), start=100):
        stage.frame(seq, key=key, pid=seq)
    out = come_in(stage, newcomer(stage))
    assert [payload[-5] for _, payload in out] == [0, 1, 1]  # key, then the two after it
    first = out[0][0].seq
    assert [reader.seq for reader, _ in out] == [first, first + 1, first + 2]


def test_live_packets_go_on_behind_it_unbroken(stage: Stage) -> None:
    open_camera(stage)
    for seq in range(100, 104):
        stage.frame(seq, key=seq == 101, pid=seq)
    out = come_in(stage, newcomer(stage))
    ((live, _),) = stage.frame(104, pid=104)
    newest = out[-1][0]
    assert live.seq == newest.seq + 1
    assert (live.ts - newest.ts) & 0xFFFFFFFF == 3000, "a frame's own distance"


def test_times_of_what_is_late_are_a_millisecond_apart_so_that_nothing_is_played_late(stage: Stage) -> None:
    open_camera(stage)
    for seq in range(100, 104):
        stage.frame(seq, key=seq == 100, pid=seq)
    out = come_in(stage, newcomer(stage))
    assert [(b.ts - a.ts) & 0xFFFFFFFF for (a, _), (b, _) in itertools.pairwise(out)] == [90, 90, 90]


def test_what_was_caught_up_can_be_sent_again_as_it_was(stage: Stage) -> None:
    open_camera(stage)
    for seq in range(100, 104):
        stage.frame(seq, key=seq == 100, pid=seq)
    downlink = newcomer(stage)
    for reader, payload in come_in(stage, downlink):
        found = downlink.find(reader.seq)
        assert found is not None
        epoch, seq = found
        entry = epoch.uplink.kept(seq)
        assert entry is not None
        again = downlink.rebuild(epoch, entry, 0)
        repeated = RtpReader(IDS)
        assert repeated.parse(again, len(again))
        assert repeated.ts == reader.ts
        assert again[repeated.start : repeated.end] == reader.seq.to_bytes(2, "big") + payload


def test_a_slot_that_was_used_before_goes_forward_in_time(stage: Stage) -> None:
    open_camera(stage)
    downlink = newcomer(stage)
    frames = [stage.frame(seq, key=seq == 100, pid=seq) for seq in range(100, 110)]
    was = frames[-1][0][0]
    stage.camera.unsubscribe("7", stage.now)
    stage.camera.subscribe("7", downlink, stage.now)
    out = come_in(stage, downlink)
    assert len(out) == 10
    assert (out[0][0].ts - was.ts) & 0xFFFFFFFF < 0x80000000
    assert out[0][0].ts != was.ts
    assert out[0][0].seq == was.seq + 1


def test_nothing_comes_from_before_one_was_let_in(stage: Stage) -> None:
    open_camera(stage)
    stage.frame(100, key=True)
    since = stage.now + 0.001
    stage.frame(101)
    assert come_in(stage, newcomer(stage), since) == []


def test_a_key_frame_from_before_that_is_whole_only_since_does_not_come(stage: Stage) -> None:
    open_camera(stage)
    stage.frame(100, key=True, pid=1)
    stage.come(stage.packet(102, b"\x80\x80\x80\x01rest", ts=3000 * 100))
    began = stage.video.key_at
    since = stage.now + 0.001
    stage.come(stage.packet(101, picture(key=True, pid=1), ts=3000 * 100))  # sent again, and looks like a key frame's first
    assert stage.video.key_at == began
    assert come_in(stage, newcomer(stage), since) == []
    assert len(come_in(stage, newcomer(stage, "8"))) == 2, "who was there before may have it"
    stage.frame(104, pid=2)
    stage.frame(103, key=True, pid=2)
    assert len(newest_run(stage.video, since, stage.now)) == 2, "all of that came since"


def test_when_a_key_frame_began_is_not_when_its_last_packet_came(stage: Stage) -> None:
    open_camera(stage)
    stage.frame(100, key=True, ts=5)
    began = stage.video.key_at
    stage.frame(101, key=True, ts=5)
    assert stage.video.key_at == began
    stage.frame(102, key=True, ts=6)
    assert stage.video.key_at > began


def test_nothing_comes_of_what_was_sent_behind_a_shut_gate(stage: Stage) -> None:
    open_camera(stage)
    stage.frame(100, key=True)
    stage.camera.gate.shut("consent")
    stage.camera.refresh(stage.now)
    stage.frame(101, key=True)
    open_camera(stage)
    stage.frame(102)
    assert come_in(stage, newcomer(stage)) == []


def test_without_a_whole_and_young_run_the_slot_waits_as_before(stage: Stage) -> None:
    open_camera(stage)
    stage.frame(100, key=True)
    stage.frame(102)  # 101 is missing
    downlink = newcomer(stage)
    assert come_in(stage, downlink) == []
    assert downlink.pending is stage.video
    stage.frame(103, key=True)
    late = newcomer(stage, "8")
    stage.now += YOUNG_S + 0.1
    assert come_in(stage, late) == []
    assert stage.camera.waits(stage.now) is True


def test_a_slot_that_shows_something_and_one_whose_gate_is_shut_are_left_alone(stage: Stage) -> None:
    open_camera(stage)
    shown = newcomer(stage)
    stage.frame(100, key=True)
    assert come_in(stage, shown) == []
    shut = newcomer(stage, "8")
    stage.camera.subscriptions["8"].gate.shut("held")
    stage.camera.refresh(stage.now)
    assert come_in(stage, shut) == []


def test_a_layer_without_a_key_frame_is_preceded_by_a_lower_one_that_has_one(stage: Stage) -> None:
    open_camera(stage)
    stage.frame(100, key=True)
    stage.video.height = 180
    higher = stage.camera.layers["h"] = Uplink(12, "video", "vp8", 90000, PublisherClock(), rid="h", nack=True)
    higher.height = 360
    higher.receive(500, 9000, 900, stage.now)
    downlink = stage.slot(stage.camera, "7")
    downlink.aim("h", 3)
    stage.camera.steer(downlink, stage.now)
    assert downlink.pending is higher
    assert len(come_in(stage, downlink)) == 1
    assert downlink.uplink is stage.video
    assert downlink.pending is higher, "it goes over with that one's next key frame"


def run_of(codec: str, *payloads: bytes, ts: list[int], old: int = 0) -> Any:
    """``old``: so many of them came before the slot was let in."""
    uplink = Uplink(9, "video", codec, 90000, PublisherClock())
    for seq, (payload, at) in enumerate(zip(payloads, ts, strict=True), start=65534):
        uplink.receive(seq & 0xFFFF, at, len(payload), 1.0)
        uplink.keep(RingEntry(seq & 0xFFFF, at, 0, payload, None, at=1.0 if seq >= 65534 + old else 0.5))
    return newest_run(uplink, 0.8, 1.1)


def test_of_h264_a_run_begins_with_the_frame_of_the_key_not_with_its_last_part() -> None:
    delta, parameters, key = b"\x61x", b"\x67\x42\xe0\x1f", b"\x65x"
    run = run_of("h264", delta, parameters, key, delta, ts=[1, 2, 2, 3])
    assert [entry.payload for entry in run] == [parameters, key, delta]
    assert run_of("h264", delta, parameters, key, delta, ts=[1, 2, 2, 3], old=1) == run
    assert run_of("h264", delta, parameters, key, delta, ts=[1, 2, 2, 3], old=2) == []
    assert run_of("h264", key, delta, ts=[2, 3]) == [], "what came before the key's first packet is not known"


def test_a_run_is_bounded(stage: Stage) -> None:
    open_camera(stage)
    stage.frame(100, key=True)
    for seq in range(101, 101 + MAX_FRAMES):
        stage.now -= 0.019
        stage.frame(seq)
    assert newest_run(stage.video, 0.0, stage.now) == []
    stage.frame(300 - 1 - 60, key=True)
    big = picture(key=True) + bytes(1100)
    seq = stage.video.max_seq
    stage.come(stage.packet(seq + 1, big))
    for more in range(2, 70):
        stage.come(stage.packet(seq + more, picture() + bytes(1100), ts=3000 * (seq + 1)))
        stage.now -= 0.02
    assert newest_run(stage.video, 0.0, stage.now) == []
