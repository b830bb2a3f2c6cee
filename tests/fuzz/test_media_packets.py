"""Campaign 1, short form: hostile bytes into every reader of the packet plane end in a documented outcome, never an exception."""

import random
import struct

import pytest
from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from media.ice_lite import IceLite, Verdict
from media.mmsg import Destination, pack_address, unpack_address
from media.payload import is_key, vp8
from media.rtp import RtpReader, rtx_original_seq
from media.sdp import ExtensionIds

pytestmark = pytest.mark.campaign(1)

PWD = "p" * 22
IDS = ExtensionIds(1, 2, 3, 4, 5, 6)
ROUNDS = 3000


def check() -> bytes:
    message = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST, transaction_id=bytes(12))
    message.attributes["USERNAME"] = "user:other"
    message.attributes["PRIORITY"] = 1
    message.attributes["USE-CANDIDATE"] = None
    message.add_message_integrity(PWD.encode())
    return bytes(message)


def rtp() -> bytes:
    extension = b"\x10m\x21hi\x41\x00\x01\x50\x05\x00\x00\x00"
    head = struct.pack("!BBHII", 0xB1, 96, 1, 2, 3) + bytes(4) + struct.pack("!HH", 0xBEDE, len(extension) // 4) + extension
    return head + bytes((0x90, 0xE0, 0x81, 2, 3, 4, 0)) + b"payload" + b"\x00\x02"


def mutate(source: random.Random, data: bytes) -> bytes:
    """A few of: bytes changed, a piece cut out, doubled, or a length field made large."""
    out = bytearray(data)
    for _ in range(source.randint(1, 4)):
        at = source.randrange(len(out) + 1)
        kind = source.randrange(4)
        if kind == 0 and at < len(out):
            out[at] = source.randrange(256)
        elif kind == 1:
            del out[at : at + source.randint(1, 8)]
        elif kind == 2:
            out[at:at] = out[at : at + source.randint(1, 16)]
        elif at + 1 < len(out):
            out[at : at + 2] = source.choice((b"\xff\xff", b"\x00\x00", b"\x7f\xff"))
    return bytes(out)


def test_stun() -> None:
    source = random.Random(1)
    ice = IceLite(0.0)
    session = ice.add("user", PWD, "peer", 0.0)
    good = check()
    for i in range(ROUNDS):
        data = mutate(source, good)
        outcome = ice.handle(data, b"x", ("192.0.2.1", 1), float(i))
        assert isinstance(outcome.verdict, Verdict)
        if outcome.reply is not None:  # only an intact body up to its integrity may be answered
            assert stun.parse_message(data).check_message_integrity(PWD.encode())
            ice.remove(session)
            session = ice.add("user", PWD, "peer", 0.0)
    assert len(ice.by_ufrag) == 1


def test_rtp_and_payloads() -> None:
    source = random.Random(2)
    reader = RtpReader(IDS)
    good = rtp()
    assert reader.parse(good, len(good))
    taken = 0
    for _ in range(ROUNDS):
        data = mutate(source, good)
        if not reader.parse(data, len(data)):
            continue
        taken += 1
        assert 12 <= reader.start <= reader.end <= len(data)
        assert -1 <= reader.twcc <= 0xFFFF
        assert -1 <= reader.level <= 0xFF
        assert max(len(reader.mid), len(reader.rid), len(reader.rrid)) <= 16
        assert -1 <= rtx_original_seq(data, reader.start, reader.end) <= 0xFFFF
        for codec in ("vp8", "vp9", "h264", "av1", "other"):
            assert is_key(codec, data, reader.start, reader.end) in (True, False)
        header = vp8(data, reader.start, reader.end)
        assert max(header[3], header[5]) < max(1, reader.end - reader.start)
    assert taken > 100


@given(st.ip_addresses(), st.integers(0, 65535))
def test_addresses_go_there_and_back(address: object, port: int) -> None:
    key = pack_address(str(address).partition("%")[0], port)
    assert unpack_address(key)[1] == port
    assert Destination(key).key == key
