"""Campaign 1: mutated and random bytes into every reader of the media plane end in a documented outcome, within bounded memory.

3,000 inputs a reader; ``TESTS_CAMPAIGN=long`` makes it a million.
"""

import gc
import os
import random
import resource
import struct
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pylibsrtp
import pytest
from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from media import control
from media.congestion.history import SentPackets
from media.errors import ControlError, RtcpError, SdpError
from media.native.history import NativeSentPackets, Scratch
from media.native.library import load
from media.tap import wire as tap_wire
from media.tap.incoming import Incoming
from media.transport.datachannel import BURST, MAX_MESSAGE_BYTES, PointerChannel, TokenBucket
from media.transport.ice_lite import MAX_STUN_BYTES, IceLite, Verdict
from media.transport.mmsg import AVAILABLE, Destination, pack_address, unpack_address
from media.wire import rtcp, twcc
from media.wire.payload import is_key, vp8
from media.wire.rtp import RtpReader, rtx_original_seq
from media.wire.sdp import ExtensionIds, parse_offer
from media.wire.sdp_answer import Candidate, LocalTransport, SlotSsrcs, make_answer
from tests.support.receiving import LIBRARY, STREAMS, Both, begin, picture

pytestmark = pytest.mark.campaign(1)

ROUNDS = 1_000_000 if os.environ.get("TESTS_CAMPAIGN") == "long" else 3_000
MOST_GROWTH_BYTES = 20 << 20
PWD = "p" * 22
IDS = ExtensionIds(1, 2, 3, 4, 5)
OFFERS = [path.read_bytes() for path in sorted((Path(__file__).resolve().parents[1] / "data" / "sdp").glob("*.sdp"))]
LOCAL = LocalTransport("abcd", "p" * 24, (), (Candidate("127.0.0.1", 1),), 1)


def mutate(source: random.Random, data: bytes) -> bytes:
    """A few of: bytes changed, a piece cut out, doubled, a length field made extreme, all cut short; sometimes only noise."""
    if source.random() < 0.02:
        return source.randbytes(source.randrange(300))
    out = bytearray(data)
    for _ in range(source.randint(1, 4)):
        at = source.randrange(len(out) + 1)
        kind = source.randrange(5)
        if kind == 0 and at < len(out):
            out[at] = source.randrange(256)
        elif kind == 1:
            del out[at : at + source.randint(1, 8)]
        elif kind == 2:
            out[at:at] = out[at : at + source.randint(1, 16)]
        elif kind == 3 and at + 1 < len(out):
            out[at : at + 2] = source.choice((b"\xff\xff", b"\x00\x00", b"\x7f\xff"))
        elif source.random() < 0.1:
            del out[at:]
    return bytes(out)


class Sdp:
    """Offers, as the browsers wrote them."""

    good = OFFERS

    def read(self, data: bytes) -> bool:
        try:
            offer = parse_offer(data.decode("utf-8", "replace"))
            answer = make_answer(offer, LOCAL, {slot.mid: SlotSsrcs(1, 2) for slot in offer.slots})
        except SdpError:
            return False
        assert len(answer.sections) == len(offer.sections)
        assert all(line.isascii() and line.isprintable() for line in answer.sdp.split("\r\n"))
        return True


class Stun:
    """Connectivity checks; an answer is only for whoever knew the password."""

    def __init__(self) -> None:
        message = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST, transaction_id=bytes(12))
        message.attributes["USERNAME"] = "user:other"
        message.attributes["PRIORITY"] = 1
        message.attributes["USE-CANDIDATE"] = None
        message.add_message_integrity(PWD.encode())
        self.good = [bytes(message)]
        self._ice = IceLite(0.0)
        self._session = self._ice.add("user", PWD, "peer", 0.0)
        self._now = 0.0

    def read(self, data: bytes) -> bool:
        self._now += 1
        outcome = self._ice.handle(data, data[-4:], ("192.0.2.1", 1), self._now)
        assert isinstance(outcome.verdict, Verdict)
        assert sum(self._ice.counts.values()) == self._now
        assert len(self._ice.by_ufrag) == 1
        assert len(self._ice.by_address) == len(self._session.addresses) <= 8
        if outcome.reply is None:
            return False
        assert stun.parse_message(data).check_message_integrity(PWD.encode())
        assert len(outcome.reply) <= MAX_STUN_BYTES
        return True


class Rtp:
    """Packets with every extension we know, and payloads of every codec."""

    def __init__(self) -> None:
        extension = b"\x10m\x21hi\x41\x00\x01\x50\x05\x00\x00\x00"
        head = struct.pack("!BBHII", 0xB1, 96, 1, 2, 3) + bytes(4)
        one = head + struct.pack("!HH", 0xBEDE, len(extension) // 4) + extension
        two = head + struct.pack("!HH", 0x1000, 3) + b"\x01\x01m\x02\x02hi\x04\x02\x00\x01\x00"
        payloads = (
            bytes((0x90, 0xE0, 0x81, 2, 3, 4, 0)) + b"vp8",
            bytes((0xAA, 0x81, 2, 0x20, 9)) + b"vp9",
            bytes((24, 0, 2, 0x67, 1, 0, 2, 0x65, 1)) + b"h264",
            bytes((28, 0x85)) + b"h264",
            bytes((0x18, 0x0A)) + b"av1",
        )
        self.good = [opening + payload + b"\x00\x02" for opening in (one, two) for payload in payloads]
        self._reader = RtpReader(IDS)

    def read(self, data: bytes) -> bool:
        reader = self._reader
        for codec in ("vp8", "vp9", "h264", "av1", "other"):
            assert is_key(codec, data, 0, len(data)) in (True, False)
        if not reader.parse(data, len(data)):
            return False
        assert 12 <= reader.start <= reader.end <= len(data)
        assert -1 <= reader.twcc <= 0xFFFF
        assert -1 <= reader.level <= 0xFF
        assert max(len(reader.mid), len(reader.rid), len(reader.rrid)) <= 16
        assert -1 <= rtx_original_seq(data, reader.start, reader.end) <= 0xFFFF
        header = vp8(data, reader.start, reader.end)
        assert max(header[3], header[5]) < max(1, reader.end - reader.start)
        return True


class Rtcp:
    """Compound packets of all types we read, feedback included."""

    def __init__(self) -> None:
        block = rtcp.ReportBlock(1, 2, 3, 4, 5, 6, 7)
        log = twcc.ArrivalLog()
        for number, arrival_us in ((1, 64_000), (2, 64_500), (5, 90_000), (4, 200_000), (40, 210_000)):
            log.add(number, arrival_us)
        self.good = [
            rtcp.build_sender_report(rtcp.SenderReport(1, 2, 3, 4, 5, (block,))) + rtcp.build_source_description(1, "name"),
            rtcp.build_receiver_report(rtcp.ReceiverReport(1, (block, block))) + rtcp.build_goodbye([1, 2]),
            rtcp.build_nack(1, 2, [1, 2, 9, 400]) + rtcp.build_pli(1, 2) + rtcp.build_fir(1, [(2, 3)]),
            rtcp.build_remb(1, 2_000_000, [1, 2]),
            *log.build(1, 2),
        ]

    def read(self, data: bytes) -> bool:
        try:
            packets = rtcp.parse_compound(data)
        except RtcpError:
            return False
        for packet in packets:
            if isinstance(packet, rtcp.TransportFeedback):
                Twcc().read(packet.body)
        return True


class Twcc:
    """The body of transport-wide feedback."""

    def __init__(self) -> None:
        log = twcc.ArrivalLog()
        for number in range(0, 300, 3):
            log.add(number, number * number * 1000)
        packets = [packet for data in log.build(1, 2) for packet in rtcp.parse_compound(data)]
        self.good = [packet.body for packet in packets if isinstance(packet, rtcp.TransportFeedback)]

    def read(self, data: bytes) -> bool:
        try:
            feedback = twcc.parse_feedback(data)
        except RtcpError:
            return False
        assert len(feedback.arrivals) <= twcc.MAX_STATUSES
        return True


class TwccInC(Twcc):
    """The same read and joined by the compiled core; what Python says of it is the reference."""

    def __init__(self) -> None:
        super().__init__()
        library = load() if AVAILABLE else None
        if library is None:
            pytest.skip("the compiled core is not built: there is no C compiler here")
        self._sides = SentPackets(), NativeSentPackets(library, Scratch(library))
        self._now = 1.0

    def read(self, data: bytes) -> bool:
        self._now += 0.01
        told: list[Any] = []
        for sent in self._sides:
            for number in range(0, 300, 3):
                sent.number[0] = number
                sent.note(number, 1200, self._now)
            try:
                joined = sent.take(data, self._now)
            except RtcpError as error:
                told.append(error.code)
            else:
                told.append(joined._replace(results=list(joined.results)))
        assert told[0] == told[1]
        assert self._sides[0].size == self._sides[1].size
        return not isinstance(told[0], str)


class Received:
    """Datagrams of somebody who knows the keys, received in Python and in C: both take them for the same."""

    def __init__(self) -> None:
        if LIBRARY is None:
            pytest.skip("the compiled core is not built: there is no C compiler here")
        self._stack = ExitStack()
        self._both = Both(self._stack)
        begin(self._both)
        self._source = random.Random("received")
        more = b"\x32\x00\x07\x10\x21\x00\x00\x00"
        two = b"\x03\x02\x00\x08\x01\x01\x30\x00"
        self.good = [
            self._both.packet(
                ssrc, picture(ssrc) if ssrc != 20 else b"voice", extension=extension, profile=profile, first=first
            )
            + (b"\x00\x02" if first & 0x20 else b"")
            for ssrc in STREAMS
            for extension, profile, first in ((more, 0xBEDE, 0x90), (two, 0x1000, 0xB0), (b"", 0, 0x82))
        ]
        self.good += Rtcp().good
        self._calls = 0

    def read(self, data: bytes) -> bool:
        """Numbers go on, so that most could be taken, and there are only so many sources: libsrtp keeps something of each."""
        both, source = self._both, self._source
        before = both.taken
        self._calls += 1
        if len(data) > 1 and 192 <= data[1] <= 223:
            protect = both.sending.protect_rtcp
        else:
            protect = both.sending.protect
            ssrc = source.choice((*STREAMS, 99))
            if len(data) >= 12:
                data = both.packet(ssrc, data[12:], first=data[0], pt=None, skip=source.random() < 0.05)[:12] + data[12:]
        try:
            data = protect(data)
        except pylibsrtp.Error:
            data = data[:1400]
        both.come(data, source.random() < 0.1)
        if self._calls % 200 == 0:
            both.same()
            both.forget()
        return both.taken > before

    def close(self) -> None:
        self._both.same()
        self._stack.close()


class Pointer:
    """Messages of the data channel, text and bytes."""

    good = (b'{"x":0.5,"y":0.25}', "指这里".encode(), b"x" * MAX_MESSAGE_BYTES)

    def __init__(self) -> None:
        self._relayed: list[str] = []
        self._now = 0.0
        self._counts: Counter[str] = Counter()
        channel: Any = object.__new__(PointerChannel)  # without an association: what follows it is under test
        channel._counts = self._counts
        channel._relay = self._relayed.append
        channel._clock = lambda: self._now
        channel._bucket = TokenBucket(60.0, BURST, 0.0)
        self._channel = channel
        self._even = False

    def read(self, data: bytes) -> bool:
        self._now += 0.01
        self._even = not self._even
        message: str | bytes = data if self._even else data.decode("utf-8", "surrogateescape")
        before = self._counts.total()
        self._channel._on_message(message)
        assert len(self._relayed) + self._counts.total() - before == 1
        taken = bool(self._relayed)
        if taken:
            assert isinstance(message, str)
            assert len(message.encode("utf-8", "replace")) <= MAX_MESSAGE_BYTES
        self._relayed.clear()
        return taken


class Control:
    """Frames between the supervisor and a worker."""

    def __init__(self) -> None:
        commands = [control.Configure(), control.Connect(1, "r", "p", "v=0"), control.SetGates(2, "r", "p", ("camera",))]
        told = [control.Heartbeat(0.1, 1, 2), control.Slots("r", "p", (control.SlotState("3", "q", "camera"),))]
        self.good = [control.encode(message) for message in (*commands, *told)]

    def read(self, data: bytes) -> bool:
        taken = False
        reader = control.FrameReader()
        try:
            frames = reader.feed(data)
        except ControlError:
            return False
        for frame in frames:
            for decode in (control.decode_command, control.decode_worker_message):
                read: Callable[[bytes], msgspec.Struct] = decode
                try:
                    read(frame)
                    taken = True
                except ControlError:
                    continue
        return taken


class Tapped:
    """Records of a tap, and the frames of every codec that are put together out of them."""

    def __init__(self) -> None:
        payloads = {
            "vp8": [bytes((0x90, 0xE0, 0x81, 2, 3, 0)) + b"\x10vp8", bytes((0x80, 0xE0, 0x81, 2, 3, 0)) + b"more"],
            "vp9": [bytes((0xAE, 0x81, 2, 0x20, 9, 0x18, 0, 9, 0, 9, 1, 4, 1)) + b"\x82vp9"],
            "h264": [bytes((24, 0, 2, 0x67, 1, 0, 2, 0x68, 1)), bytes((28, 0x85)) + b"idr", bytes((28, 0x45)) + b"end"],
            "av1": [bytes((0x18, 0x0A)) + b"sequence", bytes((0x50, 0x32)) + b"frame", bytes((0x90,)) + b"rest"],
        }
        self.good = []
        self._codecs = sorted(payloads)
        for stream, codec in enumerate(self._codecs):
            for seq, payload in enumerate(payloads[codec]):
                marker = seq == len(payloads[codec]) - 1
                self.good.append(tap_wire.pack(tap_wire.Kind.PACKET, payload, marker=marker, seq=seq, ts=9, stream=stream))
        self._made = {codec: self._begin(codec) for codec in self._codecs}
        self._now = 0.0

    def _begin(self, codec: str) -> Incoming:
        made = Incoming()
        begins = tap_wire.read(tap_wire.pack(tap_wire.Kind.BEGINS, codec.encode()))
        assert begins is not None
        made.take(begins, 0.0)
        return made

    def read(self, data: bytes) -> bool:
        record = tap_wire.read(data)
        if record is None:
            return False
        self._now += 0.01
        taken = 0
        for codec, made in self._made.items():
            for coded in made.take(record, self._now):
                assert coded.frame.data
                taken += 1
            if made.over:
                self._made[codec] = self._begin(codec)
        return taken > 0


def resident_bytes() -> int:
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


@pytest.mark.parametrize(
    "kind", [Sdp, Stun, Rtp, Rtcp, Twcc, TwccInC, Received, Pointer, Control, Tapped], ids=lambda kind: kind.__name__.lower()
)
def test_a_reader(kind: type[Any]) -> None:
    source = random.Random(kind.__name__)
    reader = kind()
    for good in reader.good:
        reader.read(good)
    for _ in range(200):
        reader.read(mutate(source, source.choice(reader.good)))
    before = resident_bytes()
    taken = sum(reader.read(mutate(source, source.choice(reader.good))) for _ in range(ROUNDS))
    assert resident_bytes() - before <= MOST_GROWTH_BYTES
    getattr(reader, "close", gc.collect)()
    assert ROUNDS // 100 < taken < ROUNDS  # neither all nonsense nor all harmless


@given(st.ip_addresses(), st.integers(0, 65535))
def test_addresses_go_there_and_back(address: object, port: int) -> None:
    key = pack_address(str(address).partition("%")[0], port)
    assert unpack_address(key)[1] == port
    assert Destination(key).key == key
