"""A voice that was lost is sent again: what leaves under one number is one packet, whichever forwarder sent it first."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pylibsrtp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.congestion.history import MASK
from media.native.batch import NativeBatch
from media.native.forwarder import NativeForwarder
from media.native.library import load
from media.relay.downlink import VOICE_AGE_S, Downlink
from media.relay.epoch import SlotCodec
from media.relay.feedback import Feedback
from media.relay.forward import Forwarder
from media.relay.publication import Publication
from media.relay.uplink import PublisherClock, Uplink
from media.transport import srtp
from media.transport.mmsg import AVAILABLE, Destination, SendBatch, pack_address
from media.wire import rtcp
from media.wire.red import read
from media.wire.rtp import RtpReader
from media.wire.sdp import ExtensionIds
from tests.support.room_parts import Person
from tests.unit.media.test_red import OPUS, built

LIBRARY = load() if AVAILABLE else None
FORWARDERS = [
    "python",
    pytest.param("native", marks=pytest.mark.skipif(LIBRARY is None, reason="the compiled core is not built")),
]
KEY = bytes(range(44))
FRAME = 960
SSRC = 1007
Packet = tuple[int, bytes]
"""Sequence number and the whole packet as it left, protected."""


def session() -> pylibsrtp.Session:
    """As aiortc makes it, with the cipher that browsers choose."""
    policy = pylibsrtp.Policy(
        key=KEY, ssrc_type=pylibsrtp.Policy.SSRC_ANY_OUTBOUND, srtp_profile=pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_256_GCM
    )
    policy.allow_repeat_tx = True
    policy.window_size = 1024
    return pylibsrtp.Session(policy)


class Listener(Person):
    """One audio slot, through a real forwarder and real ciphers."""

    def __init__(self, sock: socket.socket, how: str, ids: ExtensionIds) -> None:
        super().__init__("v")
        if how == "native":
            assert LIBRARY is not None
            self.forwarder: Forwarder = NativeForwarder(LIBRARY)
            self.batch: SendBatch = NativeBatch(sock, LIBRARY)
        else:
            self.forwarder = Forwarder(srtp.unprotect, srtp.protect, srtp.new_length())
            self.batch = SendBatch(sock)
        self.protector = srtp.Protector(session(), session())
        self.microphone = Publication("p", "microphone", "audio", "0", "opus", 1)
        self.microphone.gate.release("consent")
        self.uplink = self.microphone.layers[""] = Uplink(3, "audio", "opus", 48_000, PublisherClock(), nack=True)
        self.slot = Downlink(
            mid="7", kind="audio", ssrc=SSRC, rtx_ssrc=0, codecs={"opus": SlotCodec(109, None, True, 63)}, ids=ids, first_seq=65_530,
            first_ts=0xFFFFF000, rtx_seq=1, sent=self.quality.sent,
        )  # fmt: skip
        self.slot.tx = self.protector.tx
        self.slot.batch = self.batch
        self.slot.destination = Destination(pack_address("127.0.0.1", 9))
        self.by_ssrc[SSRC] = self.downlinks["7"] = self.slot
        self.shown["7"] = self.microphone, self.microphone.subscribe("v", self.slot, 1.0)
        self.feedback = Feedback(self, 0.0, lambda: 0)
        self.now = 1.0
        self.number = 65_500

    def send_rtp(self, data: bytes) -> int:
        self.rtp.append(self.protector.protect_rtp(data))
        return len(self.rtp[-1])

    def come(self, number: int, level: int = -1, blocks: int = 0) -> list[Packet]:
        """A packet of the publisher's, with so many of those before it once more; what left because of it."""
        reader: Any = SimpleNamespace(ts=number * FRAME & 0xFFFFFFFF, level=level, marker=0)
        payload = opus(number)
        redundancy = None
        if blocks:
            payload = built(payload, *((FRAME * back, opus(number - back)) for back in range(blocks, 0, -1)))
            redundancy = read(payload, OPUS)
            assert redundancy is not None
        self.batch.count = 0
        view = memoryview(payload)
        seq = number & 0xFFFF
        self.forwarder.on_media(self.microphone, self.uplink, reader, view, seq, 0, len(view), self.now, redundancy)
        return [numbered(bytes(self.batch.buffers[i][: self.batch.iov[2 * i + 1]])) for i in range(self.batch.count)]

    def asks(self, *numbers: int) -> list[Packet]:
        self.rtp.clear()
        assert self.feedback.receive(rtcp.build_nack(5, SSRC, numbers), self.now)
        return [numbered(packet) for packet in self.rtp]


def opus(number: int) -> bytes:
    return number.to_bytes(4, "big") * 10


def numbered(packet: bytes) -> Packet:
    assert int.from_bytes(packet[8:12], "big") == SSRC
    return int.from_bytes(packet[2:4], "big"), packet


@pytest.fixture(scope="module")
def sock() -> Iterator[socket.socket]:
    with ExitStack() as stack:
        yield stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))


ids = st.sampled_from(
    [ExtensionIds(mid=4, twcc=3, audio_level=1), ExtensionIds(twcc=3), ExtensionIds(mid=4, audio_level=2), ExtensionIds()]
)
step = st.one_of(
    st.tuples(st.just("speak"), st.integers(1, 20), st.integers(-1, 127)),
    st.tuples(st.just("redundant"), st.integers(0, 2), st.just(0)),
    st.tuples(st.just("protect"), st.integers(0, 1), st.just(0)),
    st.tuples(st.just("lose"), st.integers(1, 4), st.just(0)),
    st.tuples(st.just("late"), st.integers(0, 5), st.integers(-1, 127)),
    st.tuples(st.just("other"), st.integers(1, 30), st.just(0)),  # the subscriber's other slots take transport-wide numbers
    st.tuples(st.just("gate"), st.integers(0, 1), st.just(0)),
    st.tuples(st.just("ask"), st.integers(0, 40), st.just(0)),
)


@pytest.mark.parametrize("how", FORWARDERS)
@settings(max_examples=60)
@given(ids=ids, steps=st.lists(step, min_size=1, max_size=40))
def test_whatever_happens_one_number_is_one_packet(
    sock: socket.socket, how: str, ids: ExtensionIds, steps: list[tuple[str, int, int]]
) -> None:
    one = Listener(sock, how, ids)
    left: dict[int, bytes] = {}
    lost: list[int] = []
    again = blocks = 0
    let_in, receiving = one.number, session_in()
    for what, n, level in steps:
        first: list[Packet] = []
        if what == "speak":
            for _ in range(n):
                one.now += 0.02
                first += one.come(one.number, level, blocks)
                one.number += 1
        elif what == "redundant":
            blocks = n
        elif what == "protect":
            one.slot.protect(n == 1)
        elif what == "lose":
            lost += range(one.number, one.number + n)
            one.number += n
            one.now += 0.02 * n
        elif what == "late" and lost:
            first += one.come(lost.pop(n % len(lost)), level, blocks)
        elif what == "other":
            for _ in range(n):
                one.quality.sent.note(one.quality.sent.next(), 1000, one.now)
        elif what == "gate":
            if n and not one.microphone.gate.open:
                let_in = one.number
            (one.microphone.gate.release if n else one.microphone.gate.shut)("consent")
            one.microphone.refresh(one.now)
        elif what == "ask" and left:
            one.now += 0.2
            asked = list(left)[-1 - n % len(left)]
            for seq, packet in one.asks(asked):
                assert (seq, packet) == (asked, left[asked])
                again += 1
        for seq, packet in first:
            assert seq not in left, "it left under a number that another packet had"
            left[seq] = packet
            said = plain(packet, receiving)[1]
            assert not any(opus(number) in said for number in range(let_in - 50, let_in)), "it was said behind a shut gate"
    assert one.slot.resent == again


def plain(packet: bytes, receiving: pylibsrtp.Session | None = None) -> tuple[int, bytes]:
    """Payload type and payload of what left. ``receiving``: which takes all of a stream."""
    data = (receiving or session_in()).unprotect(packet)
    reader = RtpReader(ExtensionIds())
    assert reader.parse(data, len(data))
    return reader.pt, data[reader.start : reader.end]


def session_in() -> pylibsrtp.Session:
    policy = pylibsrtp.Policy(
        key=KEY, ssrc_type=pylibsrtp.Policy.SSRC_ANY_INBOUND, srtp_profile=pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_256_GCM
    )
    return pylibsrtp.Session(policy)


@pytest.mark.parametrize("how", FORWARDERS)
def test_redundancy_is_for_who_needs_it_and_what_is_missing_is_had_from_it_for_everybody(sock: socket.socket, how: str) -> None:
    one = Listener(sock, how, ExtensionIds(mid=4, twcc=3, audio_level=1))
    one.come(100, 30)
    ((_, without),) = one.come(101, 30, 1)
    assert plain(without) == (109, opus(101))
    one.slot.protect(True)
    ((seq, with_it),) = one.come(102, 30, 1)
    number, payload = plain(with_it)
    assert (number, payload) == (63, built(opus(102), (FRAME, opus(101)), payload_type=109))
    assert one.asks(seq) == [(seq, with_it)]
    one.slot.protect(False)
    assert one.asks(seq - 1) == [(seq - 1, without)]
    left = one.come(105, 30, 2)  # 103 and 104 are missing
    assert [number - seq for number, _ in left] == [2, 1, 3]
    assert [plain(packet) for _, packet in left] == [(109, opus(104)), (109, opus(103)), (109, opus(105))]
    assert one.uplink.missed == one.uplink.recovered == 2
    assert one.come(104, 30) == []  # it came after all
    assert one.uplink.nacks_due(one.now) == []
    one.now += 0.2
    assert one.slot.asked == 2
    assert one.asks(left[1][0]) == [left[1]]
    assert one.slot.asked == 2, "it was lost before it came here"
    assert one.come(106, 30, 2)
    assert one.uplink.missed == 2


@pytest.mark.parametrize("how", FORWARDERS)
@pytest.mark.parametrize("gate", ["publication", "subscription"])
def test_redundancy_of_what_was_said_behind_a_shut_gate_is_taken_off(sock: socket.socket, how: str, gate: str) -> None:
    one = Listener(sock, how, ExtensionIds(mid=4, twcc=3, audio_level=1))
    one.slot.protect(True)
    one.come(100, 30, 2)
    shut = one.microphone.gate if gate == "publication" else one.shown["7"][1].gate
    shut.shut("hold")
    one.microphone.refresh(one.now)
    assert [one.come(number, 30, 4) for number in range(101, 110)] == [[]] * 9
    shut.release("hold")
    one.microphone.refresh(one.now)
    left = [one.come(number, 30, 2)[0] for number in (110, 111, 112)]
    left += one.come(115, 30, 4)  # 113 and 114 are had from its redundancy
    whole = built(opus(112), (2 * FRAME, opus(110)), (FRAME, opus(111)), payload_type=109)
    receiving = session_in()
    assert [plain(packet, receiving) for _, packet in left] == [
        *((109, opus(110)), (109, opus(111)), (63, whole)), *((109, opus(114)), (109, opus(113))),
        (63, built(opus(115), *((FRAME * back, opus(115 - back)) for back in range(4, 0, -1)), payload_type=109)),
    ]  # fmt: skip
    one.slot.protect(False)
    one.slot.age()
    one.now += 0.2
    assert sorted(one.asks(*(seq for seq, _ in left))) == sorted(left)


@pytest.mark.parametrize("how", FORWARDERS)
def test_a_late_packet_with_redundancy_from_before_leaves_without_and_so_it_does_again(sock: socket.socket, how: str) -> None:
    one = Listener(sock, how, ExtensionIds(mid=4, twcc=3))
    one.slot.protect(True)
    one.come(100, -1)
    one.come(103, -1)
    (late,) = one.come(101, -1, 2)
    (whole,) = one.come(102, -1, 2)
    assert plain(late[1]) == (109, opus(101))
    assert plain(whole[1])[0] == 63
    assert one.asks(late[0], whole[0]) == [late, whole]


def test_redundancy_is_measured_by_its_time_too(sock: socket.socket) -> None:
    """The packets between were left out, not lost: silence. What is before them in numbers is not what is before them in time."""
    one = Listener(sock, "python", ExtensionIds())
    one.slot.protect(True)
    one.come(100)
    one.come(101)
    reader: Any = SimpleNamespace(ts=102 * FRAME, level=-1, marker=0)
    payload = memoryview(built(opus(102), (5 * FRAME, opus(97))))
    one.batch.count = 0
    one.forwarder.on_media(one.microphone, one.uplink, reader, payload, 102, 0, len(payload), one.now, read(payload, OPUS))
    assert plain(bytes(one.batch.buffers[0][: one.batch.iov[1]])) == (109, opus(102))


def test_long_after_it_was_let_in_a_slot_gets_all_redundancy_whatever_the_numbers(sock: socket.socket) -> None:
    one = Listener(sock, "python", ExtensionIds())
    one.slot.protect(True)
    for number in range(1, 65_540):
        if number % 1000 == 0:
            one.slot.age()
        if one.uplink.receive(number & 0xFFFF, number * FRAME & 0xFFFFFFFF, 40, one.now) and number > 1:
            pytest.fail("a number was refused")
        if number == 1:
            one.uplink.max_seq = -1
            one.come(number)
    ((_, packet),) = one.come(65_540, -1, 4)
    assert plain(packet)[0] == 63


def test_a_block_that_cannot_be_of_the_packet_before_is_left_alone(sock: socket.socket) -> None:
    one = Listener(sock, "python", ExtensionIds())
    one.come(100)
    one.come(101)
    reader: Any = SimpleNamespace(ts=103 * FRAME, level=-1, marker=0)
    for blocks in ([(3 * FRAME, opus(7))], [(2 * FRAME, opus(7))], [(FRAME, b"")]):
        payload = memoryview(built(opus(103), *blocks))
        one.batch.count = 0
        one.forwarder.on_media(one.microphone, one.uplink, reader, payload, 103, 0, len(payload), one.now, read(payload, OPUS))
    assert one.uplink.missing(102)
    assert one.slot.packets == 3


@pytest.mark.parametrize("how", FORWARDERS)
def test_a_voice_is_sent_again_a_few_times_and_not_when_it_is_of_no_use_any_more(sock: socket.socket, how: str) -> None:
    one = Listener(sock, how, ExtensionIds(mid=4, twcc=3, audio_level=1))
    sent = [packet for n in range(20) for packet in one.come(100 + n, 30)]
    seq = sent[10][0]
    reader = RtpReader(ExtensionIds(mid=4, twcc=3, audio_level=1))
    assert reader.parse(sent[10][1], len(sent[10][1]))
    number = reader.twcc
    assert one.quality.sent.size[number & MASK] == len(sent[10][1])
    for _ in range(10):
        assert one.asks(seq) in ([sent[10]], [])
        one.now += 0.15
    assert one.slot.resent == 6
    assert one.slot.nacked == 10
    assert one.quality.sent.size[number & MASK] == 0, "nobody can say which of the two was meant"
    assert one.quality.sent.size[number + 1 & MASK] > 0
    for n in range(20, 30 + int(VOICE_AGE_S * 48_000 / FRAME)):
        one.come(100 + n, 30)
    assert one.asks(sent[11][0]) == []
    one.slot.batch.count = 0


def test_a_voice_that_is_shut_is_forgotten(sock: socket.socket) -> None:
    one = Listener(sock, "python", ExtensionIds())
    sent = [packet for n in range(5) for packet in one.come(100 + n)]
    one.microphone.gate.shut("consent")
    one.microphone.refresh(one.now)
    assert one.asks(sent[3][0]) == []
    one.microphone.gate.release("consent")
    one.microphone.refresh(one.now)
    more = one.come(106)
    assert one.asks(sent[3][0]) == []
    assert one.asks(more[0][0]) == more


def test_what_could_not_be_protected_is_counted() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        one = Listener(sock, "python", ExtensionIds())
        sent = one.come(100)
        one.send_rtp = lambda data: 0  # type: ignore[method-assign]
        assert one.asks(sent[0][0]) == []
        assert (one.slot.refused, one.slot.resent) == (1, 0)
