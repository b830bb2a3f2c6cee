"""The compiled forwarder against the one in Python: whatever happens, both send the same bytes to the same places."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any, NamedTuple

import pylibsrtp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from media.congestion.history import SentPackets
from media.native.batch import NativeBatch
from media.native.forwarder import Leg, NativeForwarder
from media.native.library import Library, build, load
from media.relay.downlink import Downlink
from media.relay.epoch import EVERYTHING, SlotCodec
from media.relay.forward import MAX_PAYLOAD_BYTES, Forwarder
from media.relay.publication import Publication
from media.transport import srtp
from media.transport.mmsg import AVAILABLE, Destination, SendBatch, pack_address
from media.wire.red import Red, read
from media.wire.sdp import ExtensionIds
from tests.support.layered import KINDS, PATTERN, Sent, Source
from tests.unit.media.test_red import OPUS, built

LIBRARY = load() if AVAILABLE else None
pytestmark = pytest.mark.skipif(LIBRARY is None, reason="the compiled core is not built: there is no C compiler here")

KEY = bytes(range(30))
IDS = (ExtensionIds(mid=4, twcc=3), ExtensionIds(), ExtensionIds(mid=4, audio_level=1), ExtensionIds(twcc=3, audio_level=2))
SLOTS = 4
PORT = 40000


class Out(NamedTuple):
    """One packet in a batch: its destination and its bytes."""

    to: bytes
    data: bytes


def session() -> pylibsrtp.Session:
    policy = pylibsrtp.Policy(key=KEY, ssrc_type=pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
    policy.allow_repeat_tx = True
    policy.window_size = 1024
    return pylibsrtp.Session(policy)


class Side:
    """A camera in two layers with temporal layers, a microphone, and slots that differ in what they negotiated."""

    def __init__(self, forwarder: Forwarder, batch: SendBatch, kind: str) -> None:
        self.forwarder = forwarder
        self.batch = batch
        self.camera = Publication("p", "camera", "video", "1", "VP8", 1)
        self.microphone = Publication("p", "microphone", "audio", "0", "opus", 2)
        for publication in (self.camera, self.microphone):
            publication.gate.release("consent")
        self.sources = [Source(1, 65500, 32760, 250, kind), Source(2, 100, 5, 7, kind)]
        for source in self.sources:
            self.camera.layers[source.uplink.rid] = source.uplink
        self.voice = Source(3, 7, 0, 0)
        self.voice.uplink.kind, self.voice.uplink.codec = "audio", "opus"
        self.microphone.layers[""] = self.voice.uplink
        self.sent = [SentPackets() for _ in range(2)]
        self.contexts = [session() for _ in range(2)]
        self.slots = [self._slot(i) for i in range(SLOTS)]
        self.now = 1.0

    def _slot(self, i: int) -> Downlink:
        publication = self.microphone if i == SLOTS - 1 else self.camera
        downlink = Downlink(
            mid=str(i), kind=publication.kind, ssrc=1000 + i, rtx_ssrc=2000 + i, ids=IDS[i], sent=self.sent[i % 2],
            codecs={publication.codec_key: SlotCodec(100 + i, 110, True, 63 if i == SLOTS - 1 else 0)}, first_seq=65000 + i, first_ts=5, rtx_seq=1,
        )  # fmt: skip
        self.path(downlink, i, PORT + i)
        publication.subscribe(str(i), downlink, 1.0)
        return downlink

    def path(self, downlink: Downlink, i: int, port: int) -> None:
        downlink.tx = srtp.context(self.contexts[i % 2])
        downlink.batch = self.batch
        downlink.destination = Destination(pack_address("127.0.0.1" if i % 2 else "::1", port))
        downlink.changed()

    def come(
        self, publication: Publication, source: Source, packet: Sent, level: int, redundancy: Red | None = None
    ) -> list[Out]:
        reader: Any = SimpleNamespace(ts=packet.ts, level=level, marker=packet.marker)
        data = memoryview(packet.payload)
        self.now += 0.005
        self.batch.count = 0
        self.forwarder.on_media(publication, source.uplink, reader, data, packet.seq, 0, len(data), self.now, redundancy)
        return self.out()

    def out(self) -> list[Out]:
        """What is in the batch, by destination: the order between destinations is free."""
        found = []
        for i in range(self.batch.count):
            name = int(self.batch.headers[8 * i])
            length = int(self.batch.name_lengths[16 * i + 2])
            assert LIBRARY is not None
            to = bytes(LIBRARY.ffi.buffer(LIBRARY.ffi.cast("char *", name), length))
            found.append(Out(to, bytes(self.batch.buffers[i][: self.batch.iov[2 * i + 1]])))
        return sorted(found, key=lambda packet: packet.to)

    def facts(self) -> list[Any]:
        """Everything else that both must agree about."""
        for slot in self.slots:
            slot.collect()
        counted = [(s.packets, s.octets, s.refused, s.seq_off, s.pid_off, s.cut) for s in self.slots]
        counted += [tuple(s.numbers) if s.numbers is not None else () for s in self.slots]
        return [*counted, self.forwarder.forwards, self.camera.forwarded, *[(s.number[0], s.at, s.size) for s in self.sent]]


@pytest.fixture(scope="module")
def sockets() -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(2)]


def pair(sockets: list[socket.socket], kind: str = "vp8") -> tuple[Side, Side]:
    assert LIBRARY is not None
    python = Side(Forwarder(srtp.unprotect, srtp.protect, srtp.new_length()), SendBatch(sockets[0]), kind)
    return python, Side(NativeForwarder(LIBRARY), NativeBatch(sockets[1], LIBRARY), kind)


layer = st.integers(0, 1)
slot = st.integers(0, SLOTS - 1)
frame = st.tuples(st.just("frame"), layer, st.booleans(), st.integers(1, 3), st.integers(0, 7), st.integers(0, 1200))
step = st.one_of(
    frame,
    frame,
    frame,
    st.tuples(st.just("voice"), st.integers(-1, 127), st.integers(0, 2), st.booleans()),
    st.tuples(st.just("protect"), st.booleans()),
    st.tuples(st.just("aim"), slot, layer, st.sampled_from([0, 1, 2, EVERYTHING])),
    st.tuples(st.just("path"), slot, st.integers(0, 3)),
    st.tuples(st.just("away"), slot),
    st.tuples(st.just("gate"), slot, st.booleans()),
    st.tuples(st.just("hear"), st.integers(0, 5)),
)


def run(side: Side, steps: list[tuple[Any, ...]]) -> Iterator[list[Out]]:
    """``frame``: (layer, key, packets, index of one that is lost at first, bytes); ``hear``: the lost one comes after all."""
    lost: list[tuple[Source, Sent]] = []
    for what, *rest in steps:
        if what == "frame":
            which, key, packets, miss, size = rest
            source = side.sources[which]
            for i, packet in enumerate(source.frame(packets, key=key).packets):
                whole = packet._replace(payload=packet.payload + bytes(size))
                if i == miss:
                    lost.append((source, whole))
                else:
                    yield side.come(side.camera, source, whole, -1)
        elif what == "voice":
            packet = side.voice.frame(1).packets[0]
            level, blocks, miss = rest
            redundancy = None
            if blocks:
                again = [(960 * back, packet.payload + bytes(back)) for back in range(blocks, 0, -1)]
                packet = packet._replace(payload=built(packet.payload, *again))
                redundancy = read(packet.payload, OPUS)
            if not miss:
                yield side.come(side.microphone, side.voice, packet, level, redundancy)
        elif what == "protect":
            side.slots[SLOTS - 1].protect(rest[0])
        elif what == "hear" and lost:
            yield side.come(side.camera, *lost.pop(rest[0] % len(lost)), -1)
        elif what == "aim" and rest[0] != SLOTS - 1:
            downlink, source = side.slots[rest[0]], side.sources[rest[1]]
            downlink.want(source.uplink, "VP8", side.now)
            downlink.aim(source.uplink.rid, rest[2])
        elif what == "path":
            side.path(side.slots[rest[0]], rest[0], PORT + 10 + rest[1])
        elif what == "away":
            downlink = side.slots[rest[0]]
            downlink.batch = None
            downlink.changed()
        elif what == "gate":
            publication = side.microphone if rest[0] == SLOTS - 1 else side.camera
            gate = publication.subscriptions[str(rest[0])].gate
            (gate.shut if rest[1] else gate.release)("test")
            publication.refresh(side.now)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(kind=st.sampled_from(KINDS), steps=st.lists(step, max_size=60))
def test_both_send_the_same(sockets: list[socket.socket], kind: str, steps: list[tuple[Any, ...]]) -> None:
    python, native = pair(sockets, kind)
    assert list(run(native, steps)) == list(run(python, steps))
    assert native.facts() == python.facts()


def test_the_comparison_compares_something(sockets: list[socket.socket]) -> None:
    python, native = pair(sockets)
    steps: list[tuple[Any, ...]] = [
        ("frame", 0, True, 2, 7, 100),
        *[("frame", 0, False, 2, 7, 100)] * len(PATTERN),
        ("voice", 30, 0, False),
    ]
    sent = list(run(native, steps))
    assert sent == list(run(python, steps))
    assert sum(map(len, sent)) == 3 * 2 * (1 + len(PATTERN)) + 1
    legs = [slot.mirror for slot in native.slots]
    assert all(isinstance(leg, Leg) and not leg.slow for leg in legs)
    native.slots[0].aim("1", 0)
    assert [leg.slow for leg in legs if leg is not None] == [True, False, False, False]


def test_a_full_batch_is_sent_on_the_way(sockets: list[socket.socket]) -> None:
    python, native = pair(sockets)
    for side in (python, native):
        list(run(side, [("frame", 0, True, 1, 7, 10)]))
        to = Destination(pack_address("127.0.0.1", 9))
        packet = side.sources[0].frame(1).packets[0]
        side.batch.count = 0
        for _ in range(255):
            side.batch.put(b"x", to)
        reader: Any = SimpleNamespace(ts=packet.ts, level=-1, marker=0)
        data = memoryview(packet.payload)
        side.forwarder.on_media(side.camera, side.sources[0].uplink, reader, data, packet.seq, 0, len(data), side.now)
        assert side.batch.count == 2  # one went with the 255, two came after
        assert side.batch.sent + side.batch.dropped == 256
    assert native.out() == python.out()


def test_too_long_a_payload_and_a_refused_packet(sockets: list[socket.socket]) -> None:
    python, native = pair(sockets)
    sent = []
    for side in (python, native):
        start = [("frame", 0, True, 1, 7, 10)]
        list(run(side, start))
        source = side.sources[0]
        longest = source.frame(1).packets[0]
        room = MAX_PAYLOAD_BYTES - len(longest.payload)
        sent.append(side.come(side.camera, source, longest._replace(payload=longest.payload + bytes(room)), -1))
        over = source.frame(1).packets[0]
        assert side.come(side.camera, source, over._replace(payload=over.payload + bytes(room + 1)), -1) == []
    assert len(sent[0]) == SLOTS - 1
    assert sent[0] == sent[1]


def test_what_was_built_from_other_sources_is_not_loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr("media.native.library.target", lambda: tmp_path / "core-0.so")
    assert load() is None
    with pytest.raises(OSError, match="core-0"):
        Library(tmp_path / "core-0.so")


def test_without_a_compiler_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr("media.native.library.target", lambda: tmp_path / "core-0.so")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert build().startswith("no C compiler")
    broken = tmp_path / "cc"
    broken.write_text("#!/bin/sh\necho 'cannot do it' >&2\nexit 1\n")
    broken.chmod(0o755)
    assert "cannot do it" in build()
    broken.write_text("not a program")
    assert "did not work" in build()
    assert list(tmp_path.iterdir()) == [broken]
