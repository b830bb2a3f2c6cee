"""A worker's sockets with one publisher and some slots, twice: received in Python and in C."""

import select
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pylibsrtp

from media.congestion.history import SentPackets
from media.native.batch import NativeBatch
from media.native.forwarder import NativeForwarder
from media.native.inlet import Inlet
from media.native.library import load
from media.native.selector import MediaSelector
from media.native.uplink import NativeUplink
from media.relay.downlink import Downlink
from media.relay.epoch import SlotCodec
from media.relay.feedback import Feedback
from media.relay.forward import Forwarder, Route
from media.relay.publication import Publication
from media.relay.uplink import PublisherClock, RingEntry, Uplink
from media.transport import srtp
from media.transport.ice_lite import IceLite
from media.transport.mmsg import AVAILABLE, Destination, SendBatch, pack_address
from media.transport.mux import Mux
from media.wire.rtp import RtpReader
from media.wire.sdp import ExtensionIds
from tests.support.room_parts import Person

LIBRARY = load() if AVAILABLE else None
KEY = bytes(range(30))
IDS = ExtensionIds(mid=4, twcc=3, audio_level=1)
VP8, VP9, H264, AV1, OPUS, RED, RTX = 96, 97, 98, 100, 111, 63, 99
STREAMS = {
    10: ("1", "vp8", VP8),
    12: ("1", "vp8", VP8),
    13: ("2", "vp9", VP9),
    14: ("3", "h264", H264),
    15: ("4", "av1", AV1),
    20: ("0", "opus", OPUS),
}
"""By SSRC: mid, codec, payload type. The first two are layers of one camera; 11 carries retransmissions of 10."""
ADDRESSES = 3
COMES_WITHIN_S = 30.0
END = b"no more"
"""From which packets come: the selected one, another one of the same peer, and a stranger's."""


def session(kind: int) -> pylibsrtp.Session:
    policy = pylibsrtp.Policy(key=KEY, ssrc_type=kind)
    policy.allow_repeat_tx = True
    policy.window_size = 1024
    return pylibsrtp.Session(policy)


class Noted(Feedback):
    """What is said is only written down; what came is noted as ever."""

    def __init__(self) -> None:
        super().__init__(Person("p"), 0.0, lambda: 0)
        self.got: list[tuple[bytes, float]] = []

    def receive(self, data: bytes, now: float) -> bool:
        self.got.append((data, now))
        return data[0] >> 6 == 2

    def built(self) -> list[bytes]:
        self._note_pending()
        return self._arrivals.build(1, 2)


class Sink:
    target: str | None = None
    uplink: Uplink | None = None
    pending: Uplink | None = None

    def __init__(self) -> None:
        self.got: list[Any] = []

    def packet(self, uplink: Uplink, packet: RingEntry, startable: bool, late: bool, now: float) -> None:
        self.got.append((uplink.ssrc, packet, startable, late, now))

    def report(self, uplink: Uplink, ntp: int, rtp: int, now: float) -> None: ...


class Publisher:
    """As ``media.relay.peer.Peer`` is for who receives."""

    def __init__(self, ice: IceLite) -> None:
        self.ready = True
        self.counts: Counter[str] = Counter()
        self.receiving = session(pylibsrtp.Policy.SSRC_ANY_INBOUND)
        self.rx = srtp.context(self.receiving)
        self.reader = RtpReader(IDS)
        self.routes: dict[int, Route] = {}
        self.payload_types = {mid: number for mid, _, number in STREAMS.values()}
        self.red_types = {"0": RED}
        self.feedback = Noted()
        self.note_arrival = self.feedback.note_arrival
        self.inbox: Any = None
        self.session = ice.add("ufrag", "p" * 22, self, 0.0)
        self.dtls: list[bytes] = []
        self._length = srtp.new_length()

    def learn(self, reader: RtpReader, now: float) -> Route | None:
        self.counts["ssrc_unknown"] += 1
        return None

    def on_dtls(self, data: bytes) -> None:
        self.dtls.append(data)

    def on_rtcp(self, memory: Any, view: memoryview, size: int, now: float) -> None:
        self._length[0] = size
        if srtp.unprotect_rtcp(self.rx, memory, self._length):
            self.counts["srtcp_refused"] += 1
        else:
            self.on_plain_rtcp(view, self._length[0], now)

    def on_plain_rtcp(self, view: memoryview, size: int, now: float) -> None:
        if self.feedback.receive(bytes(view[:size]), now):
            self.session.last_media = now


class Plane:
    """A worker's sockets, one publisher, and for each of its sources two slots, whose packets go to sockets of their own."""

    def __init__(self, native: bool, sources: list[socket.socket], stack: ExitStack) -> None:
        self.errors = 0
        self.ice = IceLite(0.0)
        self.forwarder: Forwarder = Forwarder(srtp.unprotect, srtp.protect, srtp.new_length())
        self.inlet: Inlet | None = None
        if native:
            assert LIBRARY is not None
            library = LIBRARY
            self.forwarder = forwarder = NativeForwarder(library)
            selector = stack.enter_context(MediaSelector())
            self.mux = Mux(
                forwarder, self.ice, ["127.0.0.1", "127.0.0.2"], on_error=self._error, make_batch=lambda sock: NativeBatch(sock, library),
                reading=lambda mux: self._read(Inlet(library, forwarder, selector, mux)),
            )  # fmt: skip
        else:
            self.mux = Mux(self.forwarder, self.ice, ["127.0.0.1", "127.0.0.2"], on_error=self._error, make_batch=SendBatch)
        self.endpoint = self.mux.endpoints[0]
        for endpoint in self.mux.endpoints:
            stack.callback(endpoint.sock.close)
        self.publisher = Publisher(self.ice)
        for source in sources[: ADDRESSES - 1]:
            self.ice._adopt(self.publisher.session, self.key(source), False, 0.0)
        self.clock = PublisherClock()
        self.levels: list[tuple[str, int, float]] = []
        self.uplinks: list[Uplink] = []
        self.sinks: list[Sink] = []
        self.publications = {mid: Publication("p", "microphone" if mid == "0" else f"camera{mid}", "audio" if mid == "0" else "video", mid, codec, 1)
                             for mid, codec, _ in STREAMS.values()}  # fmt: skip
        for publication in self.publications.values():
            publication.on_level = lambda *told: self.levels.append(told)
            publication.gate.release("consent")
            publication.refresh(0.0)
        for ssrc in STREAMS:
            self.stream(ssrc)
        self.routes = self.publisher.routes
        self.routes[11] = Route(self.publications["1"], self.routes[10].uplink, rtx=True)
        self.out = session(pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
        self.receivers: list[socket.socket] = []
        self.slots: list[Downlink] = []
        self.sent = [self.forwarder.history(), SentPackets()]
        for mid, publication in self.publications.items():
            for twin in range(2):
                self.slots.append(self._slot(publication, 2 * int(mid) + twin, stack))

    def _read(self, inlet: Inlet) -> Inlet:
        self.inlet = inlet
        return inlet

    def _error(self) -> None:
        self.errors += 1
        raise

    def key(self, source: socket.socket) -> bytes:
        return pack_address(*source.getsockname()) + self.endpoint.tag

    def stream(self, ssrc: int) -> None:
        """A new stream, or its sender begins anew under the same SSRC."""
        mid, codec, _ = STREAMS[ssrc]
        publication = self.publications[mid]
        old = publication.layers.get(str(ssrc))
        rate = 48000 if mid == "0" else 90000
        uplink = self.forwarder.uplink(ssrc, publication.kind, codec, rate, self.clock, mid=mid, rid=str(ssrc), nack=True)
        uplink.number = len(self.uplinks) + 1  # what is compared says of which
        if isinstance(uplink, NativeUplink):
            uplink.struct.number = uplink.number
        self.uplinks.append(uplink)
        publication.layers[str(ssrc)] = uplink
        self.publisher.routes[ssrc] = Route(publication, uplink, rtx=False)
        if old is not None:
            old.retire()
            for downlink in publication.steered:
                if old in (downlink.uplink, downlink.pending):
                    downlink.want(uplink, publication.codec_key, 0.0)

    def _slot(self, publication: Publication, i: int, stack: ExitStack) -> Downlink:
        sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        self.receivers.append(sock)
        downlink = Downlink(
            mid=str(i), kind=publication.kind, ssrc=1000 + i, rtx_ssrc=2000 + i, ids=IDS, sent=self.sent[i % 2],
            codecs={publication.codec_key: SlotCodec(100 + i, 101, True, RED if publication.mid == "0" else 0)}, first_seq=7, first_ts=5, rtx_seq=1,
        )  # fmt: skip
        downlink.tx = srtp.context(self.out)
        downlink.batch = self.endpoint.batch
        downlink.destination = Destination(pack_address(*sock.getsockname()))
        publication.subscribe(str(i), downlink, 0.0)
        return downlink

    def read(self, now: float, endpoint: int = 0) -> list[list[bytes]]:
        """Take what has come; what each slot was sent for it."""
        if self.inlet is not None:
            self.inlet.take(endpoint, now)
        else:
            self.mux._drain(self.mux.endpoints[endpoint], now)
        return [list(_waiting(sock)) for sock in self.receivers]

    def rest(self, sender: socket.socket) -> list[list[bytes]]:
        """What was sent each slot and had not come yet: all that comes before what is sent now."""
        rest: list[list[bytes]] = []
        for sock in self.receivers:
            sender.sendto(END, sock.getsockname())
            rest.append([])
            while END not in rest[-1]:
                _readable(sock)
                rest[-1] += _waiting(sock)
            rest[-1].remove(END)
        return rest

    def facts(self) -> dict[str, Any]:
        self.mux.settle()
        for slot in self.slots:
            slot.collect()
        return {
            "uplinks": [
                [getattr(u, name) for name in ("max_seq", "cycles", "packets", "octets", "last_at", "last_ts", "last_pid", "last_tl0",
                                               "top_tid", "_jitter", "_transit", "_bad_seq", "_base", "keys", "key_at", "late", "recovered", "wants_key")]
                + [list(u.by_tid), bool(u.unheard), dict(u._missing), u.report(9.0), u.lost, [u.kept((u.max_seq - back) & 0xFFFF) for back in range(40)]]
                for u in self.uplinks
            ],
            "publications": [(p.last_at, p.forwarded) for p in self.publications.values()],
            "slots": [(s.packets, s.octets, s.refused, s.seq_off, s.cut, s.left_out, None if s.uplink is None else s.uplink.number) for s in self.slots],
            "sent": [(s.number[0], s.at, s.size) for s in self.sent],
            "heard": self.publisher.session.last_media,
            "counts": self.publisher.counts,
            "mux": self.mux.counts,
            "dtls": self.publisher.dtls,
            "said": self.publisher.feedback.got,
            "arrivals": self.publisher.feedback.built(),
            "levels": self.levels,
            "sinks": [sink.got for sink in self.sinks],
            "forwards": self.forwarder.forwards,
            "errors": self.errors,
        }  # fmt: skip


def _readable(sock: socket.socket) -> None:
    assert select.select([sock], [], [], COMES_WITHIN_S)[0], "nothing came"


def _waiting(sock: socket.socket) -> Iterator[bytes]:
    while True:
        try:
            yield sock.recv(4096)
        except BlockingIOError:
            return


class Both:
    def __init__(self, stack: ExitStack) -> None:
        self.sources = []
        for _ in range(ADDRESSES):
            sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            sock.bind(("127.0.0.1", 0))
            self.sources.append(sock)
        self.planes = [Plane(native, self.sources, stack) for native in (False, True)]
        self.sending = session(pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
        self.now = 1.0
        self._seq = dict.fromkeys((*STREAMS, 11, 99), 65520)
        self._held: list[bytes] = []
        self._twcc = 65500

    def come(self, data: bytes, source: int = 0, endpoint: int = 0) -> list[list[bytes]]:
        self.now += 0.0031
        for plane in self.planes:
            self.sources[source].sendto(data, plane.mux.endpoints[endpoint].sock.getsockname())
            _readable(plane.mux.endpoints[endpoint].sock)
        python, native = (plane.read(self.now, endpoint) for plane in self.planes)
        if native != python:  # a busy machine may take its time between two of its own sockets
            for plane, read in zip(self.planes, (python, native), strict=True):
                for own, late in zip(read, plane.rest(self.sources[0]), strict=True):
                    own += late
        assert native == python
        return native

    def packet(self, ssrc: int, payload: bytes, *, skip: int = 0, pt: int | None = None, extension: bytes = b"", first: int = 0x90, profile: int = 0xBEDE,
               marker: int = 0) -> bytes:  # fmt: skip
        seq = self._seq[ssrc] = (self._seq[ssrc] + 1 + skip) & 0xFFFF
        number = STREAMS[ssrc][2] if pt is None and ssrc in STREAMS else pt or VP8
        data = struct.pack("!BBHII", first, marker | number, seq, 3000 * seq & 0xFFFFFFFF, ssrc)
        data += bytes(4 * (first & 15))
        if first & 0x10:
            extension += bytes(-len(extension) % 4)
            data += struct.pack("!HH", profile, len(extension) // 4) + extension
        return data + payload

    def twcc(self) -> bytes:
        self._twcc = (self._twcc + 1) & 0xFFFF
        return struct.pack("!BH", 3 << 4 | 1, self._twcc)

    def media(self, plain: bytes, source: int = 0, *, hold: bool = False) -> list[list[bytes]]:
        try:
            data = self.sending.protect(plain)
        except pylibsrtp.Error:  # a number too far behind is not sent
            return []
        if hold:
            self._held.append(data)
            return []
        return self.come(data, source)

    def again(self, which: int, source: int = 0) -> None:
        if self._held:
            self.come(self._held[which % len(self._held)], source)

    def same(self) -> dict[str, Any]:
        python, native = (plane.facts() for plane in self.planes)
        for name, fact in python.items():
            assert native[name] == fact, name
        return native

    def forget(self) -> None:
        """What was only written down to be compared."""
        for plane in self.planes:
            for written in (plane.levels, plane.publisher.dtls, plane.publisher.feedback.got):
                written.clear()

    @property
    def taken(self) -> int:
        """Packets that Python has not seen."""
        inlet = self.planes[1].inlet
        assert inlet is not None
        return int(inlet.struct.taken)


def picture(ssrc: int, *, key: bool = False, pid: int = 0, tid: int = 0, size: int = 20) -> bytes:
    if STREAMS[ssrc][1] == "vp9":
        return bytes((0x88 | 0x20 | (not key) << 6, 0x80 | pid >> 8 & 0x7F, pid & 0xFF, tid << 5, 7, 0x82)) + bytes(size)
    if STREAMS[ssrc][1] == "av1":
        return bytes((0x18 if key else 0x10, 0x0A)) + bytes(size)
    if STREAMS[ssrc][1] == "h264":
        return bytes((0x65 if key else 0x61,)) + bytes(size)
    return bytes((0x90, 0xE0, 0x80 | pid >> 8 & 0x7F, pid & 0xFF, pid >> 2 & 0xFF, tid << 6, 0 if key else 1)) + bytes(size)


def begin(both: Both) -> None:
    """Everybody sees and hears the first of everything, and C knows it all."""
    for ssrc in STREAMS:
        both.media(both.packet(ssrc, picture(ssrc, key=True) if ssrc != 20 else b"voice", extension=both.twcc()))
        both.media(both.packet(ssrc, picture(ssrc) if ssrc != 20 else b"voice", extension=both.twcc()))
