"""What of a room reaches the recorder: only what may, each packet once whoever forwards, one encoding at a time."""

import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.native.batch import NativeBatch
from media.native.forwarder import NativeForwarder
from media.native.library import load
from media.recording.errors import RecordingError
from media.recording.feed import Feed
from media.recording.records import HEAD, Kind, Layer, SenderReport, unpack, unpack_layer, unpack_report
from media.recording.wire import FrameReader, Own, TrackInfo, read_open
from media.relay.feedback import Feedback
from media.relay.layers import PAUSE_AFTER_S, Needed
from media.relay.publication import PLI_INTERVAL_S, Publication
from media.relay.recording import AGAIN_S, AIM_S, BETTER_AFTER_S, KEY_EVERY_S, LATE_S, Order, RoomRecording
from media.relay.uplink import MAX_NACK_AGAIN_S, NACK_AGE_S, PublisherClock, RingEntry, Uplink
from media.transport.mmsg import AVAILABLE
from media.wire.rtcp import SenderReport as RtcpSenderReport
from media.wire.rtcp import build_sender_report
from media.wire.sdp_answer import NegotiatedCodec
from tests.unit.media.test_forward import RTX, Stage, picture
from tests.unit.media.test_red import built

LIBRARY = load() if AVAILABLE else None
ALL = frozenset({"microphone", "camera", "screen"})
VP8 = NegotiatedCodec("VP8", "VP8", 96, 90000)
OPUS = NegotiatedCodec("opus", "opus", 111, 48000, fmtp="useinbandfec=1")


class Got(NamedTuple):
    """A record in the feed's buffer. ``track``: its source."""

    track: str
    kind: int
    layer: int
    time_us: int
    payload: bytes

    @property
    def seq(self) -> int:
        return int(struct.unpack_from("!H", self.payload, 2)[0])

    @property
    def body(self) -> bytes:
        return self.payload[12:]


def said(feed: Feed) -> tuple[list[TrackInfo], list[Got]]:
    """Every track that was opened, and every record of all of them."""
    names: dict[int, str] = {}
    infos, found = [], []
    for number, kind, record in FrameReader().feed(bytes(feed.view[: feed.used])):
        if kind == Own.OPEN:
            infos.append(read_open(record[HEAD.size :]).info)
            names[number] = infos[-1].source
        elif kind == Own.CLOSE:
            found.append(Got(names[number], kind, 0, 0, b""))
        else:
            (each,) = unpack(record)
            found.append(Got(names[number], *each))
    return infos, found


def packets(feed: Feed, source: str) -> list[tuple[int, bytes]]:
    return [(got.seq, got.body) for got in said(feed)[1] if got.track == source and got.kind == Kind.RTP]


def kinds(feed: Feed, source: str) -> list[int]:
    return [got.kind for got in said(feed)[1] if got.track == source]


@dataclass
class Person:
    participant: str
    publications: dict[str, Publication]


class Scene:
    """One person with a camera and a microphone behind one forwarder, and the recording of their room."""

    def __init__(self, sock: socket.socket, *, native: bool = False) -> None:
        self.stage = Stage(sock)
        if native:
            assert LIBRARY is not None
            self.stage.forwarder = NativeForwarder(LIBRARY)
            self.stage.batch = NativeBatch(sock, library=LIBRARY)
        self.stage.camera.codec, self.stage.microphone.codec = VP8, OPUS
        self.person = Person("p", {"1": self.stage.camera, "0": self.stage.microphone})
        self.feed = Feed("/nowhere", "worker-0")
        self.recording = RoomRecording(self.feed)
        for publication in self.person.publications.values():
            publication.gate.release("consent")
            publication.refresh(1.0)

    def order(self, state: str = "on", whom: frozenset[str] = ALL, recording: str = "RE_1") -> None:
        order = Order(recording, 0, {"p": whom, "q": ALL}, state)  # type: ignore[arg-type]
        self.recording.set(order, {"p": self.person}, self.stage.now)

    def gate(self, publication: Publication, *, opened: bool) -> None:
        (publication.gate.release if opened else publication.gate.shut)("consent")
        publication.refresh(self.stage.now)
        self.recording.refresh(self.person, self.stage.now)

    def frame(self, seq: int, *, key: bool = False) -> bytes:
        self.stage.frame(seq, key=key, pid=seq)
        return picture(key=key, pid=seq)

    def say(self, seq: int, payload: bytes, *, red: bool = False) -> None:
        self.stage.come(self.stage.packet(seq, payload, ssrc=20, pt=63 if red else 111, ts=960 * seq))

    def resend(self, seq: int, body: bytes) -> None:
        """On the stream of what is sent again."""
        number = self.stage.video.packets & 0x7FFF
        self.stage.come(self.stage.packet(number, struct.pack("!H", seq) + body, ssrc=11, pt=RTX, ts=3000 * seq))


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        yield made


@pytest.fixture(params=["python", "c"])
def scene(request: pytest.FixtureRequest, sock: socket.socket) -> Scene:
    native = request.param == "c"
    if native and LIBRARY is None:
        pytest.skip("the compiled core is not built: there is no C compiler here")
    return Scene(sock, native=native)


def test_what_came_is_recorded_once_whoever_forwards_it(scene: Scene) -> None:
    """Plain, lost and sent again, late, repeated, and had from the redundancy of a later one."""
    scene.stage.slot(scene.stage.camera, "1")
    scene.stage.slot(scene.stage.microphone, "2")
    scene.order()
    sent = {seq: scene.frame(seq, key=seq == 1) for seq in (1, 2, 4, 6, 7)}
    sent[3] = picture(pid=3)
    scene.resend(3, sent[3])
    scene.resend(3, sent[3])
    sent[5] = scene.frame(5)
    scene.frame(5)
    assert sorted(packets(scene.feed, "camera")) == sorted(sent.items())
    scene.say(10, b"ten")
    scene.say(13, built(b"thirteen", (960 * 2, b"eleven"), (960, b"twelve")), red=True)
    scene.say(12, b"twelve")
    scene.say(14, built(b"fourteen", (960, b"thirteen")), red=True)
    voice = packets(scene.feed, "microphone")
    assert sorted(voice) == [(10, b"ten"), (11, b"eleven"), (12, b"twelve"), (13, b"thirteen"), (14, b"fourteen")]
    assert scene.stage.forwarder.forwards == 7 + 5


def test_headers_are_as_they_came_without_extensions(scene: Scene) -> None:
    scene.order()
    marked = bytearray(scene.stage.packet(1, picture(key=True), extension=b"\x32\x00\x09\x00"))
    marked[1] |= 0x80
    scene.stage.come(bytes(marked))
    scene.say(5, b"opus")
    infos, found = said(scene.feed)
    video, voice = (got.payload for got in found if got.kind == Kind.RTP)
    assert video == struct.pack("!BBHII", 0x80, 0x80 | 96, 1, 3000, 10) + picture(key=True)
    assert voice == struct.pack("!BBHII", 0x80, 111, 5, 4800, 20) + b"opus"
    assert [(i.source, i.kind, i.codec, i.clock_rate, i.payload_type, i.channels, i.fmtp) for i in infos] == [
        ("camera", "video", "VP8", 90000, 96, 1, ""),
        ("microphone", "audio", "opus", 48000, 111, 2, "useinbandfec=1"),
    ]
    assert infos[0].track == f"p-camera-{int(scene.stage.now * 1000) - 20}"
    assert [got.time_us for got in found if got.kind == Kind.RTP] == [1_020_000, 1_040_000]
    assert kinds(scene.feed, "camera") == [Kind.GATE_OPEN, Kind.LAYER, Kind.RTP]


def test_nothing_is_written_of_what_may_not_be(scene: Scene) -> None:
    """No order, not named, a shut gate, paused, off: not even a track."""
    steps: list[Callable[[], None]] = [
        lambda: None,
        lambda: scene.order(whom=frozenset()),
        lambda: scene.order("paused"),
        lambda: scene.gate(scene.stage.camera, opened=False),
        lambda: scene.order(),
        lambda: scene.order("off"),
        lambda: scene.gate(scene.stage.camera, opened=True),
    ]
    for seq, step in enumerate(steps, 1):
        step()
        scene.frame(seq, key=True)
    assert said(scene.feed) == ([], [])
    scene.order(whom=frozenset({"microphone"}))
    scene.frame(20, key=True)
    scene.say(1, b"x")
    assert {got.track for got in said(scene.feed)[1]} == {"microphone"}


@pytest.mark.parametrize("how", ["gate", "whom", "paused", "off", "gone", "closed", "another"])
def test_after_the_order_not_one_packet_more(scene: Scene, how: str) -> None:
    scene.stage.slot(scene.stage.camera, "1")
    scene.order()
    first = scene.frame(1, key=True)
    {
        "gate": lambda: scene.gate(scene.stage.camera, opened=False),
        "whom": lambda: scene.order(whom=frozenset({"microphone"})),
        "paused": lambda: scene.order("paused"),
        "off": lambda: scene.order("off"),
        "gone": lambda: scene.recording.gone(scene.person, scene.stage.now),
        "closed": lambda: scene.recording.close(scene.stage.now),
        "another": lambda: scene.order("paused", recording="RE_2"),
    }[how]()
    for seq in (2, 3):
        scene.frame(seq, key=True)
        scene.recording.tick(scene.stage.now + seq)
    assert packets(scene.feed, "camera") == [(1, first)]
    last = {"gate": [Kind.GATE_SHUT], "whom": [Kind.GATE_SHUT], "paused": []}.get(how, [Own.CLOSE])
    assert kinds(scene.feed, "camera")[3:] == last
    assert scene.stage.camera.sinks == ()


def test_it_goes_on_in_the_same_track_from_a_key_frame(scene: Scene) -> None:
    scene.order()
    scene.frame(1, key=True)
    ways: list[tuple[Callable[[], None], Callable[[], None]]] = [
        (lambda: scene.order("paused"), scene.order),
        (lambda: scene.order(whom=frozenset()), scene.order),
        (lambda: scene.gate(scene.stage.camera, opened=False), lambda: scene.gate(scene.stage.camera, opened=True)),
    ]
    for stop, go in ways:
        stop()
        scene.stage.now += PLI_INTERVAL_S
        asked = len(scene.stage.keys)
        go()
        assert len(scene.stage.keys) == asked + 1
        seq = scene.stage.video.max_seq
        scene.frame(seq + 1)
        scene.frame(seq + 2, key=True)
        scene.frame(seq + 3)
    assert [seq for seq, _ in packets(scene.feed, "camera")] == [1, 3, 4, 6, 7, 9, 10]
    assert len(said(scene.feed)[0]) == 1
    gates = [kind for kind in kinds(scene.feed, "camera") if kind in (Kind.GATE_OPEN, Kind.GATE_SHUT)]
    assert gates == [Kind.GATE_OPEN, Kind.GATE_SHUT, Kind.GATE_OPEN, Kind.GATE_SHUT, Kind.GATE_OPEN]


def test_a_gate_that_changes_during_a_pause_is_told_all_the_same(scene: Scene) -> None:
    scene.order()
    scene.say(1, b"x")
    scene.order("paused")
    scene.gate(scene.stage.microphone, opened=False)
    scene.order("on")
    scene.say(2, b"x")
    assert kinds(scene.feed, "microphone")[-2:] == [Kind.RTP, Kind.GATE_SHUT]


def test_the_same_order_twice_changes_nothing(scene: Scene) -> None:
    for seq in range(1, 4):
        scene.order()
        scene.frame(seq, key=seq == 1)
        scene.recording.refresh(scene.person, scene.stage.now)
    assert kinds(scene.feed, "camera") == [Kind.GATE_OPEN, Kind.LAYER, Kind.RTP, Kind.RTP, Kind.RTP]


def test_a_new_connection_is_a_new_track(scene: Scene) -> None:
    scene.order()
    scene.say(1, b"x")
    scene.recording.gone(scene.person, scene.stage.now)
    scene.recording.refresh(scene.person, scene.stage.now)
    scene.say(2, b"y")
    infos, found = said(scene.feed)
    assert len({info.track for info in infos}) == 2
    assert [got.kind for got in found].count(Own.CLOSE) == 1


def test_what_was_missing_from_before_is_not_taken(scene: Scene) -> None:
    """A packet that fills a gap from before the recording began comes from before it."""
    scene.frame(1, key=True)
    scene.frame(3)
    scene.order()
    scene.frame(2)
    scene.frame(6, key=True)
    scene.frame(5)
    scene.frame(8)
    scene.frame(7)
    assert [seq for seq, _ in packets(scene.feed, "camera")] == [6, 8, 7]
    scene.frame(10)
    scene.stage.now += LATE_S
    scene.frame(9)
    scene.order("paused")
    scene.order()
    scene.frame(12, key=True)
    scene.stage.now += NACK_AGE_S + MAX_NACK_AGAIN_S  # as long as it is asked for, and a round trip
    scene.frame(11)
    assert [seq for seq, _ in packets(scene.feed, "camera")][-3:] == [10, 9, 12]


def test_the_recorder_takes_no_more(scene: Scene) -> None:
    """Asked again a second later; the call goes on."""

    class Full:
        def open_track(self, recording: str, info: TrackInfo, now: float) -> None:
            raise RecordingError("too_many_tracks")

    slot = scene.stage.slot(scene.stage.microphone, "2")
    scene.recording = RoomRecording(Full())  # type: ignore[arg-type]
    scene.order()
    for seq in range(5):
        scene.say(seq, b"x")
    assert scene.recording.refused == 1
    scene.stage.now += AGAIN_S
    scene.say(5, b"x")
    assert scene.recording.refused == 2
    slot.collect()
    assert slot.packets == 6


def test_without_a_recorder_nothing_is_opened(scene: Scene) -> None:
    scene.recording = RoomRecording(None)
    scene.order()
    scene.say(1, b"x")
    scene.recording.tick(2.0)
    scene.order("off")
    assert scene.stage.microphone.sinks == ()


def test_sender_reports_and_what_earlier_ones_say(scene: Scene) -> None:
    ntp = 3_900_000_000 << 32
    scene.stage.peer.quality = None
    feedback = Feedback(scene.stage.peer, 1.0, lambda: 0)

    def report(seconds: int, rtp: int, ssrc: int = 20) -> None:
        feedback.receive(build_sender_report(RtcpSenderReport(ssrc, ntp + (seconds << 32), rtp, 0, 0)), scene.stage.now)

    scene.say(1, b"x")
    report(0, 1000)  # before there is a recording
    begun = scene.stage.now
    scene.order()
    scene.say(2, b"x")
    report(1, 49000)
    report(1, 0, ssrc=10)  # of the camera, of which nothing is recorded yet
    scene.gate(scene.stage.microphone, opened=False)
    report(2, 97000)
    told = [(got.layer, unpack_report(got.payload)) for got in said(scene.feed)[1] if got.kind == Kind.SENDER_REPORT]
    ((_, first), second) = told
    assert second == (0, SenderReport(20, ntp + (1 << 32), 49000))
    ahead = scene.stage.now - begun
    assert abs(first.ntp / 2**32 - (ntp / 2**32 + ahead)) < 1e-5
    assert abs(first.rtp - (1000 + ahead * 48000)) < 2


# ---- which encoding


class Layered:
    """A camera in three encodings, 180, 360 and 720 lines."""

    LINES = ((1, "q", 180), (2, "h", 360), (3, "f", 720))

    def __init__(self) -> None:
        self.feed = Feed("/nowhere", "worker-0")
        self.recording = RoomRecording(self.feed)
        self.camera = Publication("p", "camera", "video", "1", "VP8", 1)
        self.camera.codec = VP8
        self.camera.rids = ("q", "h", "f")
        self.camera.gate.release("consent")
        self.asked: list[str] = []
        self.camera.ask_key = lambda uplink: self.asked.append(uplink.rid)
        self.needed = Needed(0.0)
        self.now = 1.0
        self.seq = 0
        self.person = Person("p", {"1": self.camera})
        clock = PublisherClock()
        self.uplinks = {rid: Uplink(ssrc, "video", "vp8", 90000, clock, rid=rid) for ssrc, rid, _ in self.LINES}
        self.heights = {rid: lines for _, rid, lines in self.LINES}

    def begin(self) -> None:
        self.recording.set(Order("RE_1", 0, {"p": ALL}, "on"), {"p": self.person}, self.now)

    def come(self, *rids: str, key: bool = False, late: bool = False, seq: int | None = None) -> None:
        """A frame of one packet in each of these encodings."""
        self.seq += 1
        self.now += 0.02
        for rid in rids:
            uplink = self.uplinks[rid]
            self.camera.layers[rid] = uplink
            number = self.seq if seq is None else seq
            uplink.receive(number, 1800 * number, 20, self.now)
            uplink.height = self.heights[rid]
            for sink in self.camera.sinks:
                sink.packet(uplink, RingEntry(number, 1800 * number, 0, rid.encode(), None), key, late, self.now)
        self.recording.tick(self.now)
        if self.camera.waits(self.now):
            self.camera.request_key(self.now)

    def run(self, seconds: float, *rids: str) -> None:
        for _ in range(round(seconds / 0.02)):
            self.come(*rids)

    def active(self) -> tuple[str, ...] | None:
        """What the publisher is told to send."""
        self.needed.update(self.camera, self.now)
        return self.needed.told

    def kept(self) -> str:
        """The encodings in the order of their packets, each once a run."""
        runs = ""
        for got in said(self.feed)[1]:
            if got.kind == Kind.RTP and not runs.endswith(got.body.decode()):
                runs += got.body.decode()
        return runs


def test_one_encoding_at_a_time_goes_over_at_key_frames() -> None:
    scene = Layered()
    scene.begin()
    scene.come("q")
    assert scene.asked == ["q"]
    scene.come("q", key=True)
    scene.run(0.5, "q", "h")
    assert scene.asked[-1] == "h"
    assert scene.kept() == "q"
    scene.come("q", "h", key=True)
    scene.run(0.5, "q", "h")
    assert scene.kept() == "qh"
    layers = [(got.layer, unpack_layer(got.payload)) for got in said(scene.feed)[1] if got.kind == Kind.LAYER]
    assert layers == [(0, Layer(1, "q", 180)), (1, Layer(2, "h", 360))]
    assert {(got.layer, got.body) for got in said(scene.feed)[1] if got.kind == Kind.RTP} == {(0, b"q"), (1, b"h")}


def test_the_encoding_that_is_kept_is_not_paused() -> None:
    scene = Layered()
    scene.begin()
    for _ in range(2):
        scene.come("q", "h", "f", key=True)
        scene.run(AIM_S + 0.1, "q", "h", "f")
    scene.run(PAUSE_AFTER_S + 10, "q", "h", "f")
    assert scene.kept().endswith("f")
    assert scene.active() == ("q", "f")
    scene.recording.close(scene.now)
    scene.run(PAUSE_AFTER_S + 0.1, "q", "f")
    scene.active()
    scene.run(PAUSE_AFTER_S + 0.1, "q", "f")
    assert scene.active() == ("q",)


def test_a_taller_picture_only_where_somebody_has_it_for_a_while() -> None:
    scene = Layered()
    scene.heights["f"] = 1080
    scene.begin()
    for _ in range(3):
        scene.come("q", "h", "f", key=True)
        scene.run(AIM_S + 0.1, "q", "h", "f")
    scene.run(BETTER_AFTER_S, "q", "h", "f")
    assert scene.kept()[-1] == "h"

    class Shown:
        """A subscriber's slot with the tallest."""

        target = "f"
        uplink = scene.uplinks["f"]
        pending = None

    scene.camera.active = [Shown()]  # type: ignore[list-item]
    scene.run(BETTER_AFTER_S - 0.1, "q", "h", "f")
    scene.come("q", "h", "f", key=True)
    assert scene.kept()[-1] == "h"
    scene.run(0.1 + AIM_S + 0.1, "q", "h", "f")
    scene.come("q", "h", "f", key=True)
    assert scene.kept()[-1] == "f"
    scene.camera.active = []
    scene.run(AIM_S + 0.1, "q", "h", "f")
    scene.come("q", "h", "f", key=True)
    assert scene.kept()[-1] == "h"


def test_a_key_frame_is_asked_for_each_half_minute() -> None:
    scene = Layered()
    scene.begin()
    scene.come("q", key=True)
    begun, scene.asked = scene.now, []
    scene.run(KEY_EVERY_S - 1, "q")
    assert scene.asked == []
    scene.run(2, "q")
    assert scene.asked == ["q"], "not again at once"
    scene.uplinks["q"].key_at = scene.now
    scene.run(KEY_EVERY_S - 1, "q")
    assert scene.asked == ["q"]
    assert scene.now - begun > KEY_EVERY_S


def test_all_are_too_tall_then_it_is_the_lowest() -> None:
    scene = Layered()
    scene.heights = {"q": 1080, "h": 1440, "f": 2160}
    scene.begin()
    scene.come("q", "h", "f")
    scene.run(AIM_S + 0.1, "q", "h", "f")
    scene.come("q", "h", "f", key=True)
    scene.run(1.0, "q", "h", "f")
    assert scene.kept() == "q"


def test_an_encoding_that_stops_is_left_for_one_that_flows() -> None:
    scene = Layered()
    scene.begin()
    for _ in range(2):
        scene.come("q", "h", "f", key=True)
        scene.run(AIM_S + 0.1, "q", "h", "f")
    assert scene.kept()[-1] == "f"
    scene.run(1.0, "q", "h")
    assert scene.asked[-1] == "h"
    scene.come("q", "h", key=True)
    assert scene.kept()[-1] == "h"
    assert scene.active() == ("q", "h", "f")  # the one it would rather have is still asked for
    scene.run(AIM_S + 0.1, "q", "h", "f")
    scene.come("q", "h", "f", key=True)
    assert scene.kept()[-1] == "f"


def test_a_gap_before_the_change_is_filled_after_it() -> None:
    scene = Layered()
    scene.begin()
    scene.come("q")
    scene.come("q", key=True)
    scene.come("q", "h")
    scene.run(AIM_S + 0.1, "q", "h")
    gap = scene.seq
    scene.come("q", "h", key=True)
    for late, taken in ((gap, True), (gap + 5, False)):
        before = len(said(scene.feed)[1])
        scene.come("q", late=True, seq=late)
        assert (len(said(scene.feed)[1]) > before) == taken
    assert (said(scene.feed)[1][-1].layer, said(scene.feed)[1][-1].seq) == (0, gap)
    scene.now += LATE_S
    before = len(said(scene.feed)[1])
    scene.come("q", late=True, seq=gap)
    assert len(said(scene.feed)[1]) == before


def test_a_sender_s_new_stream_is_followed_from_its_key_frame() -> None:
    scene = Layered()
    scene.camera.rids = ()
    scene.uplinks = {"": Uplink(1, "video", "vp8", 90000, PublisherClock())}
    scene.heights = {"": 480}
    scene.begin()
    scene.come("", key=True)
    scene.uplinks[""] = Uplink(9, "video", "vp8", 90000, PublisherClock())
    scene.run(AIM_S + 0.1, "")
    scene.come("", key=True)
    layers = [unpack_layer(got.payload).ssrc for got in said(scene.feed)[1] if got.kind == Kind.LAYER]
    assert layers == [1, 9]


@settings(max_examples=60)
@given(
    st.lists(
        st.sampled_from(["packet", "key", "voice", "open", "shut", "on", "paused", "off", "nobody", "gone", "tick", "late"]),
        max_size=50,
    )
)
def test_whatever_happens_only_what_may_be_is_written(steps: list[str]) -> None:
    """Against a plain account of what is allowed; every picture's run begins with a key frame."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        scene = Scene(made)
        opened, on, waits = True, False, True
        seq = 0
        may: dict[str, list[int]] = {"camera": [], "microphone": []}
        for step in steps:
            if step in ("open", "shut"):
                opened = step == "open"
                for publication in (scene.stage.camera, scene.stage.microphone):
                    scene.gate(publication, opened=opened)
            elif step in ("on", "paused", "off", "nobody"):
                on = step == "on"
                scene.order(step if step != "nobody" else "on", frozenset() if step == "nobody" else ALL)
            elif step == "gone":
                scene.recording.gone(scene.person, scene.stage.now)
                on = False
                scene.order("paused")
            elif step == "tick":
                scene.stage.now += AIM_S
                scene.recording.tick(scene.stage.now)
            elif step == "voice":
                seq += 1
                scene.say(seq, b"x")
                if opened and on:
                    may["microphone"].append(seq)
            else:
                seq += 2 if step == "late" else 1
                key = step == "key"
                scene.frame(seq, key=key)
                if opened and on and (key or not waits):
                    may["camera"].append(seq)
                    waits = False
            waits = waits or not (opened and on)
        for source, numbers in may.items():
            assert [number for number, _ in packets(scene.feed, source)] == numbers
        scene.stage.batch.count = 0
