"""The sockets of a worker, on loopback: nothing is lost when reading goes over to a timer under load and back again."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from media.relay.forward import Forwarder
from media.transport import srtp
from media.transport.ice_lite import IceLite
from media.transport.mux import BUSY_S, Mux

STRANGER = b"\x80" + bytes(40)  # looks like RTP, from nobody known: counted, and nothing else


@pytest.fixture
async def mux() -> AsyncIterator[Mux]:
    mux = Mux(Forwarder(srtp.unprotect, srtp.protect, srtp.new_length()), IceLite(0.0), ["127.0.0.1"])
    mux.start()
    yield mux
    mux.close()


async def until_counted(mux: Mux, count: int) -> None:
    async with asyncio.timeout(60):
        while mux.counts["stranger"] < count:  # noqa: ASYNC110 - a counter of the code under test
            await asyncio.sleep(0)


async def test_packets_close_together_are_read_on_a_timer_and_none_is_lost(mux: Mux) -> None:
    endpoint = mux.endpoints[0]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(endpoint.sock.getsockname())
        paused = False
        sent = 0
        async with asyncio.timeout(60):
            while not paused:
                sender.send(STRANGER)
                sent += 1
                await until_counted(mux, sent)
                paused = endpoint.pause is not None
        for _ in range(50):
            sender.send(STRANGER)
        await until_counted(mux, sent + 50)
        async with asyncio.timeout(60):
            while endpoint.pause is not None:  # noqa: ASYNC110 - a quiet millisecond: back to waiting for the socket
                await asyncio.sleep(0)
        sender.send(STRANGER)
        await until_counted(mux, sent + 51)


async def test_a_lone_packet_waits_for_nobody(mux: Mux) -> None:
    endpoint = mux.endpoints[0]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(endpoint.sock.getsockname())
        for sent in range(2):
            sender.send(STRANGER)
            await until_counted(mux, sent + 1)
            assert endpoint.pause is None


@pytest.mark.parametrize(
    ("gap_s", "busy"), [(BUSY_S * 1.2, False), (0.001, False), (0.02, False), (BUSY_S * 0.8, True), (0.0, True)]
)
def test_load_is_when_packets_keep_coming(mux: Mux, gap_s: float, busy: bool) -> None:
    endpoint = mux.endpoints[0]
    told = [endpoint.busy(1.0 + n * gap_s) for n in range(100)]
    assert not any(told[:10])
    assert all(told[60:]) if busy else not any(told)
    assert not any(endpoint.busy(10.0 + n * 0.02) for n in range(10))


async def test_closing_while_reading_is_paused(mux: Mux) -> None:
    endpoint = mux.endpoints[0]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(endpoint.sock.getsockname())
        sent = 0
        async with asyncio.timeout(60):
            while endpoint.pause is None:
                sender.send(STRANGER)
                sent += 1
                await until_counted(mux, sent)
        pause = endpoint.pause
        mux.close()
        assert pause.cancelled()
