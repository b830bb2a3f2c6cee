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
from media.wire.rtp import RtpReader
from media.wire.sdp import ExtensionIds
from tests.support.room_parts import Person

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
            mid="7", kind="audio", ssrc=SSRC, rtx_ssrc=0, codecs={"opus": SlotCodec(109, None, True)}, ids=ids, first_seq=65_530,
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

    def come(self, number: int, level: int = -1) -> list[Packet]:
        """A packet of the publisher's; what left because of it."""
        reader: Any = SimpleNamespace(ts=number * FRAME & 0xFFFFFFFF, level=level, marker=0)
        payload = memoryview(number.to_bytes(4, "big") * 10)
        self.batch.count = 0
        self.forwarder.on_media(self.microphone, self.uplink, reader, payload, number & 0xFFFF, 0, len(payload), self.now)
        return [numbered(bytes(self.batch.buffers[i][: self.batch.iov[2 * i + 1]])) for i in range(self.batch.count)]

    def asks(self, *numbers: int) -> list[Packet]:
        self.rtp.clear()
        assert self.feedback.receive(rtcp.build_nack(5, SSRC, numbers), self.now)
        return [numbered(packet) for packet in self.rtp]


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
    again = 0
    for what, n, level in steps:
        first: list[Packet] = []
        if what == "speak":
            for _ in range(n):
                one.now += 0.02
                first += one.come(one.number, level)
                one.number += 1
        elif what == "lose":
            lost += range(one.number, one.number + n)
            one.number += n
            one.now += 0.02 * n
        elif what == "late" and lost:
            first += one.come(lost.pop(n % len(lost)), level)
        elif what == "other":
            for _ in range(n):
                one.quality.sent.note(one.quality.sent.next(), 1000, one.now)
        elif what == "gate":
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
    assert one.slot.resent == again


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
