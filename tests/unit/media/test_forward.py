"""The forwarding path with real SRTP and a real socket: gates to the packet, rewriting, retransmission, recovery."""

import socket
import struct
from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pylibsrtp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.relay.downlink import Downlink
from media.relay.epoch import SlotCodec
from media.relay.forward import Forwarder, Route
from media.relay.layers import ladder
from media.relay.publication import Gate, Publication
from media.relay.uplink import PublisherClock, Uplink
from media.transport import srtp
from media.transport.mmsg import Destination, SendBatch, pack_address
from media.transport.sizes import SEND_BATCH
from media.wire.payload import vp8
from media.wire.rtp import RtpReader
from media.wire.sdp import ExtensionIds
from tests.unit.media.test_red import built

KEY = bytes(range(30))
IDS = ExtensionIds(mid=4, twcc=3, audio_level=1)
RTX = 98


def session(kind: int) -> pylibsrtp.Session:
    policy = pylibsrtp.Policy(key=KEY, ssrc_type=kind)
    policy.allow_repeat_tx = True
    policy.window_size = 1024
    return pylibsrtp.Session(policy)


class Stage:
    """A publisher with a camera and a microphone, and subscribers' slots, around one forwarder."""

    def __init__(self, sock: socket.socket) -> None:
        self.forwarder = Forwarder(srtp.unprotect, srtp.protect, srtp.new_length())
        self.batch = SendBatch(sock)
        self.destination = Destination(pack_address("127.0.0.1", sock.getsockname()[1]))
        self.sender = session(pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
        self.receiving = session(pylibsrtp.Policy.SSRC_ANY_INBOUND)
        self.out = session(pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
        self.check = session(pylibsrtp.Policy.SSRC_ANY_INBOUND)
        self.memory, self.view = srtp.new_buffer()
        self.camera = Publication("p", "camera", "video", "1", "VP8", 1)
        self.microphone = Publication("p", "microphone", "audio", "0", "opus", 2)
        clock = PublisherClock()
        self.video = self.camera.layers[""] = Uplink(10, "video", "vp8", 90000, clock, nack=True)
        self.audio = self.microphone.layers[""] = Uplink(20, "audio", "opus", 48000, clock)
        self.levels: list[int] = []
        self.microphone.on_level = lambda participant, level, now: self.levels.append(level)
        self.keys: list[int] = []
        self.camera.ask_key = lambda uplink: self.keys.append(uplink.ssrc)
        self.twcc: list[int] = []
        self.peer: Any = SimpleNamespace(
            counts=Counter(), rx=srtp.context(self.receiving), reader=RtpReader(IDS), session=SimpleNamespace(last_media=0.0),
            routes={10: Route(self.camera, self.video, rtx=False), 11: Route(self.camera, self.video, rtx=True),
                    20: Route(self.microphone, self.audio, rtx=False)},
            payload_types={"1": 96, "0": 111}, red_types={"0": 63}, learn=lambda reader, now: None, note_arrival=lambda n, now: self.twcc.append(n),
        )  # fmt: skip
        self.now = 1.0
        self._used = 0

    def slot(self, publication: Publication, mid: str, ids: ExtensionIds = IDS) -> Downlink:
        key = publication.codec_key
        downlink = Downlink(
            mid=mid, kind=publication.kind, ssrc=1000 + int(mid), rtx_ssrc=2000 + int(mid), codecs={key: SlotCodec(100, 101, True)},
            ids=ids, first_seq=1, first_ts=5, rtx_seq=1,
        )  # fmt: skip
        downlink.tx = srtp.context(self.out)
        downlink.batch = self.batch
        downlink.destination = self.destination
        publication.subscribe(mid, downlink, self.now)
        return downlink

    def packet(
        self, seq: int, payload: bytes, *, ssrc: int = 10, pt: int = 96, ts: int | None = None, extension: bytes = b""
    ) -> bytes:
        data = struct.pack("!BBHII", 0x90 if extension else 0x80, pt, seq, 3000 * seq if ts is None else ts, ssrc)
        if extension:
            data += struct.pack("!HH", 0xBEDE, len(extension) // 4) + extension
        return data + payload

    def come(self, plain: bytes) -> list[tuple[RtpReader, bytes]]:
        """One packet arrives; returns what was put out for it, decrypted."""
        return self.raw(self.sender.protect(plain))

    def raw(self, data: bytes) -> list[tuple[RtpReader, bytes]]:
        first = self.batch.count
        self.view[: len(data)] = data
        self.now += 0.02
        self.forwarder.on_srtp(self.peer, self.memory, self.view, len(data), self.now)
        out = []
        for i in range(first, self.batch.count):
            plain = self.check.unprotect(bytes(self.batch.buffers[i][: self.batch.iov[2 * i + 1]]))
            reader = RtpReader(IDS)
            assert reader.parse(plain, len(plain))
            out.append((reader, plain[reader.start : reader.end]))
        return out

    def frame(self, seq: int, *, key: bool = False, pid: int = 0, **more: Any) -> list[tuple[RtpReader, bytes]]:
        return self.come(self.packet(seq, picture(key=key, pid=pid), **more))


def picture(*, key: bool = False, pid: int = 0) -> bytes:
    return bytes((0x90, 0x80, 0x80 | pid >> 8, pid & 0xFF, 0 if key else 1)) + b"body"


@pytest.fixture
def stage() -> Iterator[Stage]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        yield Stage(sock)


def test_a_gate_is_shut_until_every_reason_is_gone() -> None:
    gate = Gate("consent")
    gate.shut("hold")
    gate.release("consent")
    assert not gate.open
    gate.release("hold")
    gate.release("never")
    assert gate.open


def test_nothing_passes_a_shut_gate_and_closing_takes_effect_on_the_next_packet(stage: Stage) -> None:
    slot = stage.slot(stage.camera, "1")
    assert stage.frame(1, key=True) == []
    assert stage.video.kept(1) is None
    stage.camera.gate.release("consent")
    stage.camera.refresh(stage.now)
    assert len(stage.frame(2, key=True)) == 1
    assert len(stage.frame(3)) == 1
    assert stage.video.kept(3) is not None
    stage.camera.gate.shut("consent")
    stage.camera.refresh(stage.now)
    assert stage.frame(4, key=True) == []
    assert stage.video.kept(3) is None  # nothing is left to be sent again
    assert slot.find(2) is None
    assert not stage.camera.request_key(stage.now)
    assert stage.forwarder.forwards == 2


def test_what_was_lost_behind_a_shut_gate_is_not_asked_for_nor_kept_when_it_comes_after_all(stage: Stage) -> None:
    stage.slot(stage.camera, "1")
    stage.frame(100, key=True)
    stage.frame(103)
    assert not stage.video.missing(101)
    assert stage.video.nacks_due(stage.now) == []
    stage.camera.gate.release("consent")
    stage.camera.refresh(stage.now)
    assert stage.frame(102) == []
    assert len(stage.frame(106, key=True)) == 1
    stage.frame(108)
    assert stage.video.nacks_due(stage.now) == [107]
    assert (
        stage.come(stage.packet(9, b"\x00\x69" + picture(key=True), ssrc=11)) == []
    )  # 105, on the stream of what is sent again
    assert stage.peer.counts["rtx_unneeded"] == 1
    assert [stage.frame(seq, key=True) for seq in (101, 104, 105)] == [[], [], []]
    assert [seq for seq in range(100, 110) if stage.video.kept(seq)] == [106, 108]
    assert len(stage.frame(107)) == 1
    stage.frame(110)
    stage.camera.gate.shut("consent")
    stage.camera.refresh(stage.now)
    assert stage.video.nacks_due(stage.now) == [], "of what was said before it was shut, too"
    stage.camera.gate.release("consent")
    stage.camera.refresh(stage.now)
    stage.frame(111, key=True)
    assert stage.frame(109) == []
    assert stage.video.kept(109) is None


def test_redundancy_brings_nothing_back_from_behind_a_shut_gate(stage: Stage) -> None:
    stage.slot(stage.microphone, "1")
    for seq in (10, 12):
        assert stage.come(stage.packet(seq, b"before", ssrc=20, pt=111, ts=960 * seq)) == []
    stage.microphone.gate.release("consent")
    stage.microphone.refresh(stage.now)
    blocks = [(960 * back, b"before") for back in (4, 3, 2, 1)]
    ((_, said),) = stage.come(stage.packet(15, built(b"after", *blocks), ssrc=20, pt=63, ts=960 * 15))
    assert said == b"after"
    assert [seq for seq in range(9, 16) if stage.audio.kept(seq)] == [15]
    assert [body for _, body in stage.come(stage.packet(17, built(b"on", *blocks), ssrc=20, pt=63, ts=960 * 17))] == [
        b"before",
        b"on",
    ]
    assert [seq for seq in range(9, 18) if stage.audio.kept(seq)] == [15, 16, 17]


def test_a_subscription_has_a_gate_of_its_own(stage: Stage) -> None:
    stage.camera.gate.release("consent")
    stage.slot(stage.camera, "1")
    stage.slot(stage.camera, "2")
    assert len(stage.frame(1, key=True)) == 2
    stage.camera.subscriptions["1"].gate.shut("hold")
    stage.camera.refresh(stage.now)
    out = stage.frame(2)
    assert [reader.ssrc for reader, _ in out] == [1002]
    stage.camera.subscriptions["1"].gate.release("hold")
    stage.camera.refresh(stage.now)
    assert [reader.ssrc for reader, _ in stage.frame(3)] == [1002]
    assert [reader.ssrc for reader, _ in stage.frame(4, key=True)] == [1001, 1002]
    stage.camera.unsubscribe("1", stage.now)
    stage.camera.unsubscribe("1", stage.now)
    assert [reader.ssrc for reader, _ in stage.frame(5)] == [1002]


def test_video_begins_with_a_key_frame_and_is_rewritten(stage: Stage) -> None:
    stage.camera.gate.release("consent")
    stage.slot(stage.camera, "1")
    assert stage.frame(7) == []
    [(reader, body)] = stage.frame(8, key=True, pid=300, extension=b"\x32\x00\x09\x00")
    assert (reader.ssrc, reader.pt, reader.seq, reader.ts, reader.twcc, reader.mid) == (1001, 100, 1, 5, 1, b"1")
    assert body == picture(key=True, pid=300)
    assert stage.twcc == [9]
    [(reader, _)] = stage.frame(9, pid=301)
    assert (reader.seq, reader.twcc) == (2, 2)


def test_a_restarted_source_goes_on_unbroken_at_its_next_key_frame(stage: Stage) -> None:
    stage.camera.gate.release("consent")
    stage.slot(stage.camera, "1")
    stage.frame(100, key=True, pid=50)
    stage.frame(101, pid=51)
    assert stage.frame(30000) == []
    assert stage.frame(30001) == []
    [(reader, body)] = stage.frame(30002, key=True, pid=7000)
    assert reader.seq == 3
    assert vp8(body, 0, len(body))[4] == 52


def test_late_packets_go_out_under_their_own_number(stage: Stage) -> None:
    stage.camera.gate.release("consent")
    stage.slot(stage.camera, "1")
    stage.frame(10)
    stage.frame(13, key=True)
    stage.frame(15)
    assert [reader.seq for reader, _ in stage.frame(14)] == [2]
    assert stage.frame(12) == []  # from before the switch
    assert stage.frame(14) == []  # twice


def test_retransmissions_of_the_publisher_fill_gaps(stage: Stage) -> None:
    stage.camera.gate.release("consent")
    stage.slot(stage.camera, "1")

    def rtx(seq: int, body: bytes) -> list[tuple[RtpReader, bytes]]:
        return stage.come(stage.packet(seq, body, ssrc=11, pt=RTX, ts=3000))

    assert rtx(1, b"") == []  # padding before media
    assert rtx(2, struct.pack("!H", 5) + picture()) == []
    stage.frame(1, key=True)
    stage.frame(3, pid=3)
    [(reader, body)] = rtx(3, struct.pack("!H", 2) + picture(pid=2))
    assert (reader.seq, body) == (2, picture(pid=2))
    assert rtx(4, struct.pack("!H", 2) + picture(pid=2)) == []
    assert stage.peer.counts["rtx_unneeded"] == 1
    assert stage.video.recovered == 1


def test_audio_starts_at_once_and_carries_its_level(stage: Stage) -> None:
    stage.microphone.gate.release("consent")
    stage.slot(stage.microphone, "3")
    [(reader, body)] = stage.come(stage.packet(5, b"opus", ssrc=20, pt=111, extension=b"\x10\x95\x00\x00"))
    assert (reader.level, body) == (0x95, b"opus")
    assert stage.levels == [0x95]


def test_without_header_extensions(stage: Stage) -> None:
    stage.camera.gate.release("consent")
    stage.slot(stage.camera, "1", ExtensionIds())
    [(reader, body)] = stage.frame(1, key=True)
    assert (reader.start, reader.twcc, body) == (12, -1, picture(key=True))


def test_what_is_not_authentic_or_not_ours_goes_nowhere(stage: Stage) -> None:
    stage.camera.gate.release("consent")
    stage.slot(stage.camera, "1")
    stage.frame(1, key=True)
    assert stage.raw(stage.packet(2, picture() + bytes(10))) == []
    good = bytearray(stage.sender.protect(stage.packet(3, picture())))
    good[-1] ^= 1
    assert stage.raw(bytes(good)) == []
    assert stage.peer.counts["srtp_refused"] == 2
    assert stage.come(stage.packet(4, picture(), ssrc=999)) == []
    assert stage.frame(5, pt=97) == []
    assert stage.peer.counts["payload_type_unknown"] == 1
    padded = bytearray(stage.packet(6, b"\x00\x00"))
    padded[0] |= 0x20
    assert stage.come(bytes(padded)) == []
    assert stage.peer.counts["rtp_malformed"] == 1
    assert len(stage.frame(7)) == 1


def test_a_replayed_packet_is_refused(stage: Stage) -> None:
    stage.camera.gate.release("consent")
    stage.slot(stage.camera, "1")
    data = stage.sender.protect(stage.packet(1, picture(key=True)))
    assert len(stage.raw(data)) == 1
    assert stage.raw(data) == []


def test_a_payload_too_long_to_be_sent_on_is_left_out(stage: Stage) -> None:
    reader = RtpReader(IDS)
    data = stage.packet(1, bytes(1900))
    assert reader.parse(data, len(data))
    stage.forwarder.on_media(stage.camera, stage.video, reader, memoryview(data), 1, 12, len(data), 1.0)
    assert stage.video.packets == 0


def test_the_longest_browser_packet_passes(stage: Stage) -> None:
    stage.camera.gate.release("consent")
    stage.slot(stage.camera, "1")
    first = stage.batch.count
    reader = RtpReader(IDS)
    data = stage.packet(1, picture(key=True) + bytes(1391))
    assert reader.parse(data, len(data))
    stage.forwarder.on_media(stage.camera, stage.video, reader, memoryview(data), 1, 12, len(data), 1.0)
    assert stage.batch.count == first + 1


def test_a_full_batch_is_flushed_and_a_pathless_subscriber_skipped(stage: Stage) -> None:
    stage.camera.gate.release("consent")
    slot = stage.slot(stage.camera, "1")
    stage.batch.count = 0
    stage.frame(1, key=True)
    for _ in range(SEND_BATCH - 1):
        stage.batch.put(b"x", stage.destination)
    stage.frame(2)
    assert stage.batch.count == 1
    slot.batch = None
    assert stage.frame(3) == []


def test_a_codec_nobody_asked_for_is_not_served(stage: Stage) -> None:
    stage.camera.gate.release("consent")
    stage.camera.codec_key = "H264/42e0/1"
    downlink = stage.slot(stage.camera, "1")
    downlink.codecs.clear()
    stage.camera.refresh(stage.now)
    downlink.pending = stage.video
    assert stage.frame(1, key=True) == []


def test_key_frames_are_asked_for_at_most_every_half_second(stage: Stage) -> None:
    stage.camera.gate.release("consent")
    assert stage.camera.request_key(10.0)
    assert not stage.camera.request_key(10.4)
    assert stage.camera.request_key(10.5)
    assert stage.keys == [10, 10]
    assert not stage.microphone.request_key(10.0)
    stage.camera.layers.clear()
    assert not stage.camera.request_key(20.0)


def test_the_layer_with_the_most_bytes_is_preferred_while_it_flows(stage: Stage) -> None:
    stage.camera.gate.release("consent")
    slot = stage.slot(stage.camera, "1")
    stage.frame(1, key=True)
    high = stage.camera.layers["f"] = Uplink(12, "video", "vp8", 90000, PublisherClock(), rid="f")
    for i in range(20):
        high.receive(i, 0, 1000, stage.now)
    stage.camera.steer_all(stage.now)
    assert slot.pending is high
    assert stage.camera.best(stage.now + 1.0) is high
    stage.video.last_at = stage.now + 5
    assert stage.camera.best(stage.now + 5) is stage.video


@given(st.lists(st.tuples(st.sampled_from(["packet", "key", "open", "shut"]), st.integers(1, 3)), max_size=40))
def test_whatever_happens_a_shut_gate_lets_nothing_through(steps: list[tuple[str, int]]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        stage = Stage(sock)
        stage.slot(stage.camera, "1")
        seq, last = 0, 0
        for what, amount in steps:
            if what in ("open", "shut"):
                (stage.camera.gate.release if what == "open" else stage.camera.gate.shut)("consent")
                stage.camera.refresh(stage.now)
                continue
            seq += amount
            out = stage.frame(seq, key=what == "key")
            assert stage.camera.gate.open or out == []
            for reader, _ in out:
                assert reader.seq > last
                last = reader.seq
        stage.batch.count = 0


KEYS = {
    "h264": (bytes((0x67, 1, 2)), bytes((0x41, 1, 2))),
    "vp9": (bytes((0x08, 0x82, 2)), bytes((0x48, 0x86, 2))),
    "av1": (bytes((0x18, 0x0A, 1)), bytes((0x10, 0x0A, 1))),
}


@pytest.mark.parametrize("codec", KEYS)
def test_other_codecs_begin_with_a_key_frame_too(stage: Stage, codec: str) -> None:
    key, delta = KEYS[codec]
    stage.camera.gate.release("consent")
    video = stage.camera.layers[""] = Uplink(10, "video", codec, 90000, PublisherClock(), nack=True)
    stage.peer.routes[10] = Route(stage.camera, video, rtx=False)
    stage.slot(stage.camera, "1")
    assert stage.come(stage.packet(1, delta)) == []
    assert stage.come(stage.packet(2, b"")) == []
    assert [body for _, body in stage.come(stage.packet(3, key))] == [key]
    assert [body for _, body in stage.come(stage.packet(4, delta))] == [delta]
    assert video.keys == 1


def test_a_packet_that_cannot_be_encrypted_is_not_sent(stage: Stage) -> None:
    stage.camera.gate.release("consent")
    slot = stage.slot(stage.camera, "1")
    forwarder = stage.forwarder = Forwarder(srtp.unprotect, lambda *_: 1, srtp.new_length())
    assert stage.frame(1, key=True) == []
    assert (slot.refused, forwarder.protect_refused, forwarder.forwards, slot.packets) == (1, 1, 0, 0)


def test_redundancy_of_a_voice_is_read_strictly(stage: Stage) -> None:
    slot = stage.slot(stage.microphone, "7")
    stage.microphone.gate.release("consent")
    stage.microphone.refresh(stage.now)
    assert len(stage.come(stage.packet(1, b"one", ssrc=20, pt=111, ts=960))) == 1
    came = stage.come(stage.packet(3, built(b"three", (960, b"two")), ssrc=20, pt=63, ts=2880))
    assert [(reader.seq, reader.ts - came[1][0].ts, reader.pt, payload) for reader, payload in came] == [
        (2, -960, 100, b"two"),
        (3, 0, 100, b"three"),
    ]
    for seq, wrong in enumerate((b"", built(b"x", (960, b"y"), payload_type=63), built(b"")), 4):
        assert stage.come(stage.packet(seq, wrong, ssrc=20, pt=63)) == []
    assert stage.peer.counts["red_malformed"] == 3
    assert stage.audio.max_seq == 3
    assert stage.come(stage.packet(7, b"x", ssrc=20, pt=64)) == []
    assert stage.come(stage.packet(8, b"x", ssrc=10, pt=63)) == []
    assert stage.peer.counts["payload_type_unknown"] == 2
    assert slot.packets == 3


def test_redundancy_costs_only_who_is_sent_it(stage: Stage) -> None:
    stage.microphone.gate.release("consent")
    for n in range(100):
        stage.come(stage.packet(n, built(bytes(100), (960, bytes(100))), ssrc=20, pt=63, ts=960 * n))
        if n % 10 == 0:
            stage.audio.measure(stage.now)
    (alone,), (whole,) = ladder(stage.microphone, redundant=False), ladder(stage.microphone)
    assert alone.bitrate_bps == pytest.approx(8 * 50 * 160, rel=0.05)
    assert whole.bitrate_bps == pytest.approx(8 * 50 * 265, rel=0.05)
