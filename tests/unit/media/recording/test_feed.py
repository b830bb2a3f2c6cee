"""The worker's end: nothing waits, what finds no room is counted, and what a lost recorder had not kept is sent again."""

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.recording.errors import RecordingError
from media.recording.feed import CONNECT_AGAIN_S, MAX_TRACKS, Feed, FeedTrack
from media.recording.records import HEAD, GapReason, Kind, Layer, SenderReport, unpack, unpack_gap
from media.recording.wire import FIRST_OWN_KIND, KEPT, FrameReader, Own, TrackInfo, read_hello, read_open
from tests.support.recordings import rtp


class FakeRecorder:
    """Listens, reads what it is told to, and keeps what it has read when it says so. ``kept``: by track id, what is in files."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="feed-")
        self.path = str(Path(self.folder.name) / "s")
        self.listener: socket.socket | None = None
        self.connection: socket.socket | None = None
        self.kept: dict[str, list[bytes]] = {}
        self.listen()

    def listen(self) -> None:
        Path(self.path).unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.listener.listen(1)
        self.listener.setblocking(False)

    def accept(self) -> bool:
        if self.connection is None and self.listener is not None:
            try:
                self.connection = self.listener.accept()[0]
            except BlockingIOError:
                return False
            self.connection.setblocking(False)
            self.frames = FrameReader()
            self.tracks: dict[int, str] = {}
            self.read_records: list[tuple[str, bytes]] = []
        return self.connection is not None

    def read(self, limit: int = 1 << 20) -> int:
        if not self.accept():
            return 0
        assert self.connection is not None
        try:
            data = self.connection.recv(limit)
        except BlockingIOError:
            return 0
        if not data:
            self.die()
        for number, kind, record in self.frames.feed(data):
            if kind == Own.HELLO:
                read_hello(record[HEAD.size :])
            elif kind == Own.OPEN:
                assert number not in self.tracks
                self.tracks[number] = read_open(record[HEAD.size :]).info.track
            elif kind == Own.CLOSE:
                del self.tracks[number]
            else:
                assert kind < FIRST_OWN_KIND
                self.read_records.append((self.tracks[number], record))
        return len(data)

    def keep(self) -> None:
        """What was read is in files; the worker is told."""
        if self.connection is not None:
            for track, record in self.read_records:
                self.kept.setdefault(track, []).append(record)
            self.read_records = []
            try:
                self.connection.send(KEPT.pack(self.frames.consumed))
            except BrokenPipeError:
                self.die()

    def die(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def close(self) -> None:
        self.die()
        if self.listener is not None:
            self.listener.close()
        self.folder.cleanup()

    def payloads(self, track: str, kind: int = Kind.RTP) -> list[bytes]:
        return [r.payload for raw in self.kept.get(track, []) for r in unpack(raw) if r.kind == kind]


@pytest.fixture
def recorder() -> Iterator[FakeRecorder]:
    made = FakeRecorder()
    yield made
    made.close()


def info(track: str = "TR_1", zero_mono_us: int = 0) -> TrackInfo:
    return TrackInfo(
        track=track, participant="PA_1", source="camera", kind="video", codec="VP8", clock_rate=90000,
        zero_wall_us=0, zero_mono_us=zero_mono_us,
    )  # fmt: skip


def drain(feed: Feed, recorder: FakeRecorder, now: float) -> float:
    """Until everything is in files."""
    for _ in range(200):
        now += CONNECT_AGAIN_S
        feed.tick(now)
        while recorder.read():
            feed.tick(now)
        recorder.keep()
        feed.tick(now)
        if not feed.unkept:
            return now
    raise AssertionError("it does not drain")


def test_what_is_given_arrives(recorder: FakeRecorder) -> None:
    feed = Feed(recorder.path, "w")
    track = feed.open_track("RE_1", info(zero_mono_us=1_000_000), 1.0)
    assert not feed.connected
    track.packet(b"early" * 4, 0.5)  # before the zero: at the zero
    track.packet(memoryview(bytearray(rtp(1, 2, b"x"))), 1.25, 3)
    track.media(96, 2, 3, 7, b"y", 1.5)
    track.packet(rtp(9, 9, bytes(3000)), 1.6)  # longer than any path carries, and kept all the same
    track.packet(bytes(70_000), 1.7)  # what no record can hold is no packet
    track.sender_report(SenderReport(7, 8, 9), 1.75)
    track.layer(3, Layer(7, "h"), 1.8)
    track.gate(1.9, opened=True)
    track.gate(1.9, opened=False)
    track.pause(2.0)
    track.resume(2.0)
    drain(feed, recorder, 2.0)
    records = [record for raw in recorder.kept["TR_1"] for record in unpack(raw)]
    assert [record.time_us for record in records[:3]] == [0, 250_000, 500_000]
    assert records[1].layer == 3
    assert records[2].payload == rtp(2, 3, b"y")
    assert [record.kind for record in records[4:]] == [
        Kind.SENDER_REPORT, Kind.LAYER, Kind.GATE_OPEN, Kind.GATE_SHUT, Kind.PAUSE, Kind.RESUME,
    ]  # fmt: skip
    track.close(3.0)
    track.close(3.0)
    track.packet(b"late" * 4, 3.0)
    track.gate(3.0, opened=True)
    drain(feed, recorder, 3.0)
    assert recorder.tracks == {}
    assert feed.connections == 1
    feed.close(4.0)


def test_a_recorder_that_does_not_read_costs_packets_and_no_time(recorder: FakeRecorder) -> None:
    feed = Feed(recorder.path, "w", buffer_bytes=20_000, reserve_bytes=2_000)
    track = feed.open_track("RE_1", info(), 0.0)
    for n in range(2000):
        track.packet(rtp(n, n, bytes(500)), n / 1000)
        if n % 20 == 0:
            feed.tick(n / 1000)
    assert feed.dropped > 100
    track.close(2.0)
    drain(feed, recorder, 2.0)
    there = [int.from_bytes(packet[2:4], "big") for packet in recorder.payloads("TR_1")]
    gaps = [unpack_gap(payload) for payload in recorder.payloads("TR_1", Kind.GAP)]
    assert there == sorted(there)
    assert len(there) + sum(gap.packets for gap in gaps) == 2000
    assert {gap.reason for gap in gaps} == {GapReason.OVERFLOW}
    for gap in gaps:
        assert not any(gap.first_us <= n * 1000 <= gap.last_us for n in there)
    feed.close(3.0)


def test_a_new_recorder_gets_what_the_one_before_did_not_keep(recorder: FakeRecorder) -> None:
    feed = Feed(recorder.path, "w")
    one, two = (feed.open_track("RE_1", info(name), 0.0) for name in ("TR_1", "TR_2"))
    one.layer(1, Layer(5, "q"), 0.0)
    one.packet(rtp(1, 1, b"a"), 0.0)
    drain(feed, recorder, 0.0)
    one.packet(rtp(2, 1, b"b"), 1.0)
    two.close(1.0)
    feed.tick(1.0)
    recorder.read()
    recorder.die()  # it had read b and kept nothing
    recorder.kept["TR_1"].append(b"")  # a new part
    one.packet(rtp(3, 1, b"c"), 2.0)
    three = feed.open_track("RE_1", info("TR_3"), 2.0)
    three.packet(rtp(1, 1, b"d"), 2.0)
    drain(feed, recorder, 2.0)
    assert recorder.payloads("TR_1") == [rtp(1, 1, b"a"), rtp(2, 1, b"b"), rtp(3, 1, b"c")]
    assert recorder.payloads("TR_3") == [rtp(1, 1, b"d")]
    assert [unpack_gap(p).reason for p in recorder.payloads("TR_1", Kind.GAP)] == [GapReason.RECORDER_LOST]
    assert len(recorder.payloads("TR_1", Kind.LAYER)) == 2
    assert recorder.payloads("TR_3", Kind.GAP) == []
    assert set(recorder.tracks.values()) == {"TR_1", "TR_3"}
    feed.close(9.0)


def test_nobody_listens_and_then_somebody_does(recorder: FakeRecorder) -> None:
    feed = Feed(recorder.path + "-elsewhere", "w")
    track = feed.open_track("RE_1", info(), 0.0)
    for n in range(100):
        track.packet(rtp(n, n, b"x"), 0.0)
        feed.tick(n / 10)
    assert not feed.connected
    Path(recorder.path).rename(recorder.path + "-elsewhere")
    drain(feed, recorder, 20.0)
    assert len(recorder.payloads("TR_1")) == 100
    feed.close(30.0)


def test_where_even_the_reserve_is_full_the_connection_is_given_up(recorder: FakeRecorder) -> None:
    feed = Feed(recorder.path, "w", buffer_bytes=2_000, reserve_bytes=500)
    track = feed.open_track("RE_1", info(), 0.0)
    feed.tick(0.0)
    for n in range(10):
        track.packet(rtp(n, n, bytes(300)), 0.0)
    feed.tick(0.1)
    assert feed.connected
    for n in range(40):
        track.sender_report(SenderReport(n, 0, 0), 0.2)
    track.close(0.2)
    assert not feed.connected
    assert feed.dropped >= 5
    late = feed.open_track("RE_1", info("TR_2"), 0.3)
    for n in range(60):
        feed.open_track("RE_1", info(f"TR_1{n}"), 0.3).close(0.3)
    late.packet(rtp(1, 1, b"x"), 0.4)
    recorder.die()
    drain(feed, recorder, 1.0)
    assert feed.connected
    feed.close(2.0)


def test_track_numbers_are_bounded_and_used_again(recorder: FakeRecorder) -> None:
    feed = Feed(recorder.path, "w", buffer_bytes=1 << 20, reserve_bytes=2 << 20)
    tracks = [feed.open_track("RE_1", info(f"TR_{n}"), 0.0) for n in range(MAX_TRACKS)]
    with pytest.raises(RecordingError, match="too_many_tracks"):
        feed.open_track("RE_1", info("TR_x"), 0.0)
    tracks[5].close(0.0)
    drain(feed, recorder, 0.0)
    feed._number = 4  # as after 65,536 of them
    assert feed.open_track("RE_1", info("TR_x"), 0.0).number == 5
    feed.close(1.0)


def test_what_has_ended_is_forgotten_although_there_is_always_something_on_its_way(recorder: FakeRecorder) -> None:
    feed = Feed(recorder.path, "w", buffer_bytes=8000)
    busy = feed.open_track("RE_1", info("TR_busy"), 0.0)
    now = drain(feed, recorder, 0.0)
    for n in range(100):
        ended = feed.open_track("RE_1", info(f"TR_{n}"), now)
        ended.packet(rtp(n, n, b"x"), now)
        ended.close(now)
        now += 0.02
        feed.tick(now)
        while recorder.read():
            pass
        recorder.keep()
        busy.packet(rtp(n, n, bytes(200)), now)
        feed.tick(now)
        assert feed.unkept
        assert feed.stats()["tracks"] == 1
    assert recorder.kept["TR_99"]
    feed.close(now)


operations = st.lists(
    st.one_of(
        st.tuples(st.just("packets"), st.integers(1, 30)),
        st.tuples(st.just("tick"), st.just(0)),
        st.tuples(st.just("read"), st.integers(1, 5000)),
        st.tuples(st.just("keep"), st.just(0)),
        st.tuples(st.just("die"), st.just(0)),
        st.tuples(st.just("open"), st.just(0)),
        st.tuples(st.just("close"), st.just(0)),
    ),
    max_size=60,
)


@given(operations)
def test_every_packet_is_kept_or_counted(steps: list[tuple[str, int]]) -> None:
    """Whatever the recorder does: what it kept, without what came twice, and what was counted as dropped, is what was given."""
    recorder = FakeRecorder()
    feed = Feed(recorder.path, "w", buffer_bytes=8_000, reserve_bytes=64_000)
    tracks: list[FeedTrack] = []
    names: list[str] = []
    given_to: dict[str, int] = {}
    now = 0.0
    try:
        for what, amount in [("open", 0), *steps]:
            now += 0.07
            if what == "open" and len(tracks) < 4:
                names.append(f"TR_{len(names)}")
                given_to[names[-1]] = 0
                tracks.append(feed.open_track("RE_1", info(names[-1]), now))
            elif what == "close" and tracks:
                tracks.pop().close(now)
            elif what == "packets":
                for track in tracks:
                    name = read_open(track.opening[14:]).info.track
                    for _ in range(amount):
                        now += 1e-5
                        track.packet(rtp(given_to[name], 0, bytes(100)), now)
                        given_to[name] += 1
            elif what == "tick":
                feed.tick(now)
            elif what == "read":
                recorder.read(amount)
            elif what == "keep":
                recorder.keep()
            elif what == "die":
                recorder.die()
        for track in tracks:
            track.close(now)
        drain(feed, recorder, now)
        for name in names:
            there = {int.from_bytes(packet[2:4], "big") for packet in recorder.payloads(name)}
            lost: dict[tuple[int, int], int] = {}
            for payload in recorder.payloads(name, Kind.GAP):
                gap = unpack_gap(payload)
                if gap.reason == GapReason.OVERFLOW:
                    lost[gap.first_us, gap.last_us] = gap.packets
            assert len(there) + sum(lost.values()) == given_to[name], name
    finally:
        feed.close(now)
        recorder.close()
