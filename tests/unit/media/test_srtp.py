import pylibsrtp
import pytest

from media.errors import SrtpError
from media.transport.srtp import MAX_PLAIN_BYTES, Protector, context, new_buffer, new_length, protect, unprotect


def pair() -> tuple[Protector, Protector]:
    def session(kind: int, key: bytes) -> pylibsrtp.Session:
        return pylibsrtp.Session(pylibsrtp.Policy(key=key, ssrc_type=kind))

    out, into = pylibsrtp.Policy.SSRC_ANY_OUTBOUND, pylibsrtp.Policy.SSRC_ANY_INBOUND
    one, two = bytes(range(30)), bytes(range(1, 31))
    return Protector(session(out, one), session(into, two)), Protector(session(out, two), session(into, one))


def come(protector: Protector, data: bytes) -> bytes:
    memory, view = new_buffer()
    view[: len(data)] = data
    return bytes(view[: protector.unprotect_rtcp(memory, len(data))])


RTP = b"\x80\x60\x00\x01" + bytes(4) + b"\x00\x00\x00\x09" + b"payload"
RTCP = b"\x80\xc9\x00\x01" + b"\x00\x00\x00\x09"


def test_there_and_back() -> None:
    one, two = pair()
    assert come(two, one.protect_rtcp(RTCP)) == RTCP
    data = one.protect_rtp(RTP)
    memory, view = new_buffer()
    length = new_length()
    view[: len(data)] = data
    length[0] = len(data)
    assert unprotect(two.rx, memory, length) == 0
    assert bytes(view[: length[0]]) == RTP
    assert protect(context(one.tx_session), memory, length) != 0  # the same index again


def test_forged_short_and_long_packets_are_errors() -> None:
    one, two = pair()
    data = bytearray(one.protect_rtcp(RTCP))
    data[-1] ^= 1
    for bad in (bytes(data), b"", b"\x80", RTCP):
        assert come(two, bad) == b""
    with pytest.raises(SrtpError, match="too_long"):
        one.protect_rtp(RTP + bytes(MAX_PLAIN_BYTES))
    with pytest.raises(SrtpError, match="refused"):
        one.protect_rtp(b"\x80")
