"""Whatever a peer sends, the media readers end in a value or in their own error (campaign 1, short form)."""

import random
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from media import control
from media.errors import ControlError, RtcpError, SdpError
from media.wire import rtcp, twcc
from media.wire.sdp import parse_offer
from media.wire.sdp_answer import Candidate, LocalTransport, SlotSsrcs, make_answer

pytestmark = pytest.mark.campaign(1)

OFFERS = [path.read_bytes().decode() for path in sorted((Path(__file__).resolve().parents[1] / "data" / "sdp").glob("*.sdp"))]
WORDS = sorted({word for offer in OFFERS for line in offer.splitlines() for word in line.replace(":", " ").split()})[:400]
ODD = ["", " ", "\0", "\r", "*", "-1", "0", "65536", "4294967296", "٣", "é", "1e9", ";", "/", "a=", "m=", ":", "=", "x" * 5000]
LOCAL = LocalTransport("abcd", "p" * 24, (), (Candidate("127.0.0.1", 1),), 1)


def _mutate(random_: random.Random, text: str) -> str:
    lines = text.split("\r\n")
    for _ in range(random_.randint(1, 6)):
        index = random_.randrange(len(lines))
        line = lines[index]
        choice = random_.randrange(7)
        if choice == 0:
            del lines[index : index + random_.randint(1, 3)]
        elif choice == 1:
            lines.insert(random_.randrange(len(lines) + 1), line)
        elif choice == 2:
            other = random_.randrange(len(lines))
            lines[index], lines[other] = lines[other], line
        elif choice == 3:
            cut = random_.randrange(len(line) + 1)
            lines[index] = line[:cut] + random_.choice(ODD) + line[cut:]
        elif choice == 4:
            words = line.split(" ")
            words[random_.randrange(len(words))] = random_.choice(WORDS + ODD)
            lines[index] = " ".join(words)
        elif choice == 5:
            head, _, _ = line.partition(":")
            lines[index] = f"{head}:{random_.choice(WORDS + ODD)} {random_.choice(WORDS + ODD)}"
        else:
            lines[index] = line[: random_.randrange(len(line) + 1)]
        lines = lines or [""]
    return "\r\n".join(lines)


def _read(text: str) -> None:
    try:
        offer = parse_offer(text)
        answer = make_answer(offer, LOCAL, {slot.mid: SlotSsrcs(1, 2) for slot in offer.slots})
    except SdpError:
        return
    lines = answer.sdp.split("\r\n")
    assert len(answer.sections) == len(offer.sections) == sum(line.startswith("m=") for line in lines)
    assert all(line.isascii() and line.isprintable() and line[1] == "=" for line in lines[:-1])


@given(st.sampled_from(OFFERS), st.randoms(use_true_random=False))
def test_mutated_offers(offer: str, random_: random.Random) -> None:
    for _ in range(10):
        _read(_mutate(random_, offer))


@given(st.text(max_size=300))
@example("v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=group:BUNDLE 0")
def test_any_text_as_an_offer(text: str) -> None:
    _read(text)
    _read("v=0\r\n" + text)


_HEADERS = st.builds(
    lambda count, kind, body: bytes((0x80 | count, kind)) + (len(body) // 4).to_bytes(2, "big") + body[: len(body) // 4 * 4],
    st.integers(0, 63),
    st.sampled_from([200, 201, 202, 203, 204, 205, 206, 207]),
    st.binary(max_size=60),
)


@given(st.one_of(st.binary(max_size=300), st.lists(_HEADERS, min_size=1, max_size=5).map(b"".join)))
def test_any_bytes_as_rtcp(data: bytes) -> None:
    try:
        packets = rtcp.parse_compound(data)
    except RtcpError:
        return
    for packet in packets:
        if isinstance(packet, rtcp.TransportFeedback):
            _feedback(packet.body)


@given(st.builds(lambda count, rest: b"\0\1" + count.to_bytes(2, "big") + rest, st.integers(0, 300), st.binary(min_size=4)))
def test_any_bytes_as_transport_feedback(body: bytes) -> None:
    _feedback(body)


def _feedback(body: bytes) -> None:
    try:
        feedback = twcc.parse_feedback(body)
    except RtcpError:
        return
    assert len(feedback.arrivals) <= twcc.MAX_STATUSES


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.integers(0, 2**45)), max_size=60))
def test_any_arrivals(arrivals: list[tuple[int, int]]) -> None:
    log = twcc.ArrivalLog()
    for sequence, arrival_us in arrivals:
        log.add(sequence, arrival_us)
    for data in log.build(1, 2):
        assert len(data) <= rtcp.MAX_RTCP_BYTES
        (packet,) = rtcp.parse_compound(data)
        assert isinstance(packet, rtcp.TransportFeedback)
        twcc.parse_feedback(packet.body)


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_any_bytes_as_control_frames(pieces: list[bytes]) -> None:
    reader = control.FrameReader()
    try:
        for piece in pieces:
            for frame in reader.feed(piece):
                control.decode_command(frame)
                control.decode_worker_message(frame)
    except ControlError:
        return
