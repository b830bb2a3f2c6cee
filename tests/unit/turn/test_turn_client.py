"""The TURN client without a network: a relay of a few lines answers it, honestly or not."""

import hashlib
import hmac
from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turn.client import MAX_TRIES, RETRY_S, StreamReader, TurnClient
from turn.errors import StunError
from turn.stun import (
    Attribute,
    Class,
    Message,
    Method,
    decode,
    encode,
    long_term_key,
    pack_address,
    unpack_address,
)

KEY = long_term_key("1:PA", "tongping", "right")


def numbers() -> Iterator[bytes]:
    for number in count(1):
        yield number.to_bytes(12, "big")


def client(*, password: str = "right", reliable: bool = False) -> TurnClient:
    return TurnClient("1:PA", password, numbers().__next__, reliable)


def challenge(request: Message, code: int = 401, nonce: bytes = b"nonce") -> bytes:
    error = bytes((0, 0, code // 100, code % 100))
    attributes = [(Attribute.ERROR_CODE, error), (Attribute.REALM, b"tongping"), (Attribute.NONCE, nonce)]
    return encode(Method(request.method), Class.ERROR, request.transaction, attributes)


def allocated(request: Message, key: bytes = KEY) -> bytes:
    relayed = pack_address("192.0.2.9", 50000, request.transaction)
    mapped = pack_address("2001:db8::7", 1234, request.transaction)
    attributes = [(Attribute.XOR_RELAYED_ADDRESS, relayed), (Attribute.XOR_MAPPED_ADDRESS, mapped)]
    return encode(Method.ALLOCATE, Class.SUCCESS, request.transaction, attributes, key)


def test_an_allocation() -> None:
    one = client()
    first, name = one.allocate(0.0)
    asked = decode(first)
    assert asked.method == Method.ALLOCATE
    assert Attribute.USERNAME not in asked.attributes
    (second,) = one.feed(challenge(asked), 0.1)
    signed = decode(second)
    assert signed.attributes[Attribute.USERNAME] == b"1:PA"
    assert signed.attributes[Attribute.NONCE] == b"nonce"
    assert signed.verified(KEY)
    assert not signed.verified(b"another key")
    assert one.reply(name) is None
    assert one.feed(allocated(signed), 0.2) == []
    reply = one.reply(name)
    assert reply is not None
    assert reply.error == 0
    assert (one.relayed, one.mapped) == (("192.0.2.9", 50000), ("2001:db8::7", 1234))
    assert one.due(99.0) == []


def test_an_old_nonce_is_replaced_and_a_wrong_password_is_an_answer() -> None:
    one = client()
    first, name = one.allocate(0.0)
    (second,) = one.feed(challenge(decode(first)), 0.0)
    (third,) = one.feed(challenge(decode(second), 438, b"fresh"), 0.0)
    assert decode(third).attributes[Attribute.NONCE] == b"fresh"
    assert one.feed(challenge(decode(third), 401), 0.0) == []
    reply = one.reply(name)
    assert reply is not None
    assert reply.error == 401


def test_a_relay_that_always_asks_for_another_nonce_is_given_up() -> None:
    one = client()
    data, name = one.allocate(0.0)
    for number in range(10):
        again = one.feed(challenge(decode(data), 438, str(number).encode()), 0.0)
        if not again:
            break
        (data,) = again
    reply = one.reply(name)
    assert reply is not None
    assert reply.error == 438


def test_success_that_is_not_signed_by_the_relay_is_not_believed() -> None:
    one = client()
    first, name = one.allocate(0.0)
    (second,) = one.feed(challenge(decode(first)), 0.0)
    assert one.feed(allocated(decode(second), b"somebody else's key"), 0.0) == []
    assert one.reply(name) is None
    assert one.relayed is None


def test_requests_are_repeated_and_then_nobody_has_answered() -> None:
    one = client()
    data, name = one.permit(0.0, "192.0.2.1")
    sent = 1
    now = 0.0
    while one.reply(name) is None:
        now += RETRY_S
        again = one.due(now)
        sent += len(again)
        assert all(copy == data for copy in again)
    reply = one.reply(name)
    assert reply is not None
    assert reply.error == -1
    assert sent == MAX_TRIES


def test_over_a_stream_nothing_is_repeated() -> None:
    one = client(reliable=True)
    _, name = one.refresh(0.0, 0)
    assert one.due(RETRY_S) == []
    assert one.due(RETRY_S * MAX_TRIES) == []
    reply = one.reply(name)
    assert reply is not None
    assert reply.error == -1


def test_what_is_asked_for() -> None:
    one = client()
    bind = decode(one.bind(0.0, 0x4001, "127.0.0.1", 80)[0])
    assert bind.attributes[Attribute.CHANNEL_NUMBER] == b"\x40\x01\0\0"
    assert unpack_address(bind.attributes[Attribute.XOR_PEER_ADDRESS], bind.transaction) == ("127.0.0.1", 80)
    ipv6 = decode(one.allocate(0.0, ipv6=True)[0])
    assert ipv6.attributes[Attribute.REQUESTED_ADDRESS_FAMILY] == b"\x02\0\0\0"
    sent = decode(one.send("::1", 9, b"x"))
    assert (sent.method, sent.cls, sent.attributes[Attribute.DATA]) == (Method.SEND, Class.INDICATION, b"x")
    assert TurnClient.channel_data(0x4001, b"abcde") == b"\x40\x01\0\5abcde\0\0\0"


def test_data_that_comes() -> None:
    one = client()
    peer = pack_address("192.0.2.5", 7, b"t" * 12)
    data = encode(Method.DATA, Class.INDICATION, b"t" * 12, [(Attribute.XOR_PEER_ADDRESS, peer), (Attribute.DATA, b"hi")])
    assert one.feed(data, 0.0) == []
    assert one.received == [(("192.0.2.5", 7), b"hi")]
    assert one.feed(encode(Method.DATA, Class.INDICATION, b"t" * 12, []), 0.0) == []
    assert len(one.received) == 1


@given(st.binary(max_size=400))
def test_hostile_bytes(data: bytes) -> None:
    one = client()
    one.allocate(0.0)
    assert one.feed(data, 0.0) == []
    assert one.relayed is None


@given(st.data())
def test_every_change_of_a_message_is_read_or_refused(draw: st.DataObject) -> None:
    good = bytearray(allocated(Message(Method.ALLOCATE, Class.REQUEST, b"t" * 12, {})))
    for _ in range(draw.draw(st.integers(1, 4))):
        good[draw.draw(st.integers(0, len(good) - 1))] = draw.draw(st.integers(0, 255))
    try:
        message = decode(bytes(good[: draw.draw(st.integers(0, len(good)))]))
    except StunError:
        return
    assert message.error >= 0


@pytest.mark.parametrize(
    "data",
    [b"", b"\0" * 19, b"\x80" + bytes(19), b"\0\1\0\0" + bytes(16), encode(Method.BINDING, Class.REQUEST, b"t" * 12, [])[:-4]],
)
def test_what_is_no_message(data: bytes) -> None:
    with pytest.raises(StunError):
        decode(data)


def test_an_attribute_past_the_end_and_an_integrity_of_another_length() -> None:
    head = b"\0\1\0\x04\x21\x12\xa4\x42" + b"t" * 12
    with pytest.raises(StunError):
        decode(head + b"\0\x06\0\x08")
    with pytest.raises(StunError):
        decode(head[:3] + b"\x08" + head[4:] + b"\0\x08\0\x04abcd")


def test_integrity_is_over_what_comes_before_it() -> None:
    data = encode(Method.BINDING, Class.REQUEST, b"t" * 12, [(Attribute.USERNAME, b"me")], b"key")
    message = decode(data)
    before = data[:2] + (len(data) - 20 - 8).to_bytes(2, "big") + data[4:-32]
    assert message.signed == before
    assert message.integrity == hmac.new(b"key", before, hashlib.sha1).digest()
    assert not decode(encode(Method.BINDING, Class.REQUEST, b"t" * 12, [])).verified(b"key")


@given(st.ip_addresses(), st.integers(0, 65535), st.binary(min_size=12, max_size=12))
def test_addresses(address: object, port: int, transaction: bytes) -> None:
    assert unpack_address(pack_address(str(address), port, transaction), transaction) == (str(address), port)


def test_no_address() -> None:
    for value in (b"", b"\0\1" + bytes(18), b"\0\2" + bytes(6)):
        with pytest.raises(StunError):
            unpack_address(value, b"t" * 12)


@given(st.lists(st.binary(max_size=40), max_size=5), st.integers(1, 9))
def test_a_stream_is_cut_where_messages_end(parts: list[bytes], step: int) -> None:
    sent = [encode(Method.SEND, Class.INDICATION, b"t" * 12, [(Attribute.DATA, part)]) for part in parts]
    sent += [TurnClient.channel_data(0x4000, part) for part in parts]
    whole = b"".join(sent)
    reader = StreamReader()
    found = [message for at in range(0, len(whole), step) for message in reader.feed(whole[at : at + step])]
    assert found == sent


def test_a_stream_of_something_else() -> None:
    with pytest.raises(StunError):
        StreamReader().feed(b"\xff\xff\0\0")
