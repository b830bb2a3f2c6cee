"""Batches of datagrams on real loopback sockets, with and without the system calls for many at once."""

import select
import socket
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from media.native.batch import NativeBatch
from media.native.library import load
from media.transport.mmsg import AVAILABLE, Destination, ReceiveBatch, SendBatch, pack_address, unpack_address
from media.transport.sizes import PACKET_BYTES, SEND_BATCH

LIBRARY = load()
WAYS: dict[str, Callable[[socket.socket], SendBatch]] = {"one by one": partial(SendBatch, use_mmsg=False)}
if AVAILABLE:
    WAYS["mmsg"] = SendBatch
if LIBRARY is not None:
    WAYS["native"] = partial(NativeBatch, library=LIBRARY, join=False)
    WAYS["native, joined"] = partial(NativeBatch, library=LIBRARY)
SO_NO_CHECK = 11
ways = pytest.mark.parametrize("way", WAYS)
families = pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])


def opened(family: int, host: str) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setblocking(False)
    try:
        sock.bind((host, 0))
    except OSError:
        sock.close()
        pytest.skip("no such address family here")
    return sock


@pytest.fixture
def pair(family: int, host: str) -> Iterator[tuple[socket.socket, socket.socket]]:
    with opened(family, host) as one, opened(family, host) as two:
        yield one, two


def wait(sock: socket.socket) -> None:
    assert select.select([sock], [], [], 5)[0]


def drain(batch: ReceiveBatch, sock: socket.socket, count: int) -> list[tuple[bytes, bytes]]:
    got: list[tuple[bytes, bytes]] = []
    while len(got) < count:
        wait(sock)
        n = batch.fill(sock)
        got += [(bytes(batch.views[i][: batch.lengths[i]]), batch.keys[i]) for i in range(n)]
    return got


@ways
@families
def test_what_is_sent_comes_in_with_its_address(pair: tuple[socket.socket, socket.socket], host: str, way: str) -> None:
    one, two = pair
    send, receive = WAYS[way](one), ReceiveBatch(use_mmsg=AVAILABLE and way != "one by one")
    to = Destination(pack_address(host, two.getsockname()[1]))
    for i in range(100):
        send.put(b"%d" % i, to)
    send.flush()
    send.flush()
    got = drain(receive, two, 100)
    assert [data for data, _ in got] == [b"%d" % i for i in range(100)]
    assert {unpack_address(key) for _, key in got} == {(host, one.getsockname()[1])}
    assert {key for _, key in got} == {pack_address(host, one.getsockname()[1])}
    assert (send.sent, send.dropped) == (100, 0)
    assert receive.fill(two) == 0


@ways
@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1")])
def test_bounds(pair: tuple[socket.socket, socket.socket], way: str, host: str) -> None:
    one, two = pair
    send, receive = WAYS[way](one), ReceiveBatch(use_mmsg=AVAILABLE and way != "one by one")
    to = Destination(pack_address(host, two.getsockname()[1]))
    send.put(bytes(PACKET_BYTES + 1), to)
    assert (send.count, send.dropped) == (0, 1)
    one.sendto(bytes(PACKET_BYTES + 1), two.getsockname())  # too long to be read whole: nobody reads it
    assert drain(receive, two, 1)[0][0] == b""
    for _ in range(SEND_BATCH + 1):
        send.put(b"x", to)
    assert send.count == 1
    send.flush()
    assert send.sent == SEND_BATCH + 1


@ways
@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1")])
def test_one_that_cannot_be_sent_does_not_stop_the_others(
    pair: tuple[socket.socket, socket.socket], way: str, host: str
) -> None:
    one, two = pair
    send, receive = WAYS[way](one), ReceiveBatch(use_mmsg=AVAILABLE and way != "one by one")
    good = Destination(pack_address(host, two.getsockname()[1]))
    send.put(b"a", good)
    send.put(b"b", Destination(pack_address("255.255.255.255", 9)))  # broadcast is not permitted
    send.put(b"c", good)
    send.flush()
    assert [data for data, _ in drain(receive, two, 2)] == [b"a", b"c"]
    assert (send.sent, send.dropped) == (2, 1)


@ways
def test_a_full_socket_drops_and_counts(way: str) -> None:
    if way == "native, joined":
        pytest.skip("what stands in for a full socket here does not join")
    one, two = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with one, two:
        one.setblocking(False)
        send = WAYS[way](one)
        for i in range(SEND_BATCH):
            send.buffers[i][:1] = b"x"
            send.iov[2 * i + 1] = PACKET_BYTES
            send.destinations[i] = None
            send.count = i + 1
        if way == "one by one":
            send.flush()
            assert send.count == 0
            return
        send.flush()
        assert send.dropped > 0
        assert send.sent + send.dropped == SEND_BATCH


@families
def test_joined_sends_keep_every_destination_s_order_and_every_datagram(
    pair: tuple[socket.socket, socket.socket], family: int, host: str
) -> None:
    if LIBRARY is None:
        pytest.skip("the compiled core is not built here")
    one, two = pair
    with opened(family, host) as three:
        others = (two, three)
        send = NativeBatch(one, LIBRARY)
        to = [Destination(pack_address(host, other.getsockname()[1])) for other in others]
        wanted: tuple[list[bytes], list[bytes]] = ([], [])
        sizes = [1900] * 2 + [900] * 7 + [400] + [401] * 3 + [1200] * 60 + [12, 1, 1, 2, 1300]
        for i, size in enumerate(sizes):
            for which in (0, 1):
                data = bytes([i, which]) * (size // 2 + which)
                send.put(data, to[which])
                wanted[which].append(data)
        send.flush()
        for which, other in enumerate(others):
            receive = ReceiveBatch()
            assert [data for data, _ in drain(receive, other, len(sizes))] == wanted[which]
            assert receive.fill(other) == 0
        assert (send.sent, send.dropped) == (2 * len(sizes), 0)
        assert send.joins
        assert send.calls == 1


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1")])
def test_what_the_kernel_will_not_join_leaves_one_by_one(pair: tuple[socket.socket, socket.socket], host: str) -> None:
    if LIBRARY is None:
        pytest.skip("the compiled core is not built here")
    one, two = pair
    one.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)  # segments need checksums
    send, receive = NativeBatch(one, LIBRARY), ReceiveBatch()
    to = Destination(pack_address(host, two.getsockname()[1]))
    for round_ in range(10):
        for i in range(4):
            send.put(bytes([round_, i]), to)
        send.flush()
        assert [data for data, _ in drain(receive, two, 4)] == [bytes([round_, i]) for i in range(4)]
    assert (send.sent, send.dropped) == (40, 0)
    assert not send.joins


def test_addresses_in_text() -> None:
    for host in ("203.0.113.9", "2001:db8::1"):
        key = pack_address(host, 4242)
        assert unpack_address(key) == (host, 4242)
        assert Destination(key).sockname[:2] == (host, 4242)
    with pytest.raises(ValueError, match="does not appear"):
        pack_address("example.org", 1)
