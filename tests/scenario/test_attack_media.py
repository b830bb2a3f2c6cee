"""One participant against everybody else on the same worker: stalled handshakes, floods, endless SSRCs."""

import asyncio
import contextlib
import re
import socket
import struct
from collections.abc import AsyncIterator, Iterator

import pytest
from aioice import stun
from aiortc.rtcsctptransport import DataChunk

from media import control
from media.relay.incoming import MAX_SSRCS_EVER
from media.transport.datachannel import MAX_HELD_CHUNKS
from tests.support.media_lab import LabClient, LabWorker, lab_worker, loopback


@pytest.fixture
async def worker() -> AsyncIterator[LabWorker]:
    with loopback():
        async with lab_worker() as running:
            yield running


def binding(offer: str, answer: str, pwd: str | None = None) -> bytes:
    """A check with the credentials in an answer, or with a password of one's own."""
    found = [re.search(rf"a=ice-{name}:(\S+)", text) for text, name in ((offer, "ufrag"), (answer, "ufrag"), (answer, "pwd"))]
    theirs, ufrag, right = [match[1] for match in found if match is not None]
    message = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    message.attributes["USERNAME"] = f"{ufrag}:{theirs}"
    message.attributes["PRIORITY"] = 1
    message.attributes["ICE-CONTROLLING"] = 1
    message.add_message_integrity((pwd or right).encode())
    return bytes(message)


@contextlib.contextmanager
def udp(worker: LabWorker, count: int) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(count)]
        for sock in sockets:
            sock.connect(worker.address)
        yield sockets


async def answer_to(worker: LabWorker, client: LabClient, room: str = "evil") -> str:
    reply = await worker.ask(control.Connect, room, client.name, await client.offer())
    assert isinstance(reply, control.Connected)
    return str(reply.answer)


async def test_handshakes_that_never_go_on_hold_nobody_up(worker: LabWorker) -> None:
    """Anybody who can wait for an agent can do this."""
    stalled = [LabClient(f"stalled{n}") for n in range(12)]
    good = LabClient("good")
    try:
        with udp(worker, len(stalled)) as sockets:
            for client, sock in zip(stalled, sockets, strict=True):
                sock.send(binding(await client.offer(), await answer_to(worker, client)))
            await worker.until(lambda s: s["stun"].get("answered", 0) >= len(stalled), None)
            async with asyncio.timeout(60):
                await worker.connect(good)
    finally:
        await asyncio.gather(*(client.close() for client in (*stalled, good)))


async def test_a_flood_of_checks_with_ones_own_name_keeps_nobody_out(worker: LabWorker) -> None:
    flooder, good = LabClient("flooder"), LabClient("good")
    try:
        wrong = binding(await flooder.offer(), await answer_to(worker, flooder), "wrong" * 8)
        with udp(worker, 8) as sockets:

            async def flood() -> None:
                while True:
                    for sock in sockets:
                        for _ in range(20):
                            sock.send(wrong)
                    await worker.stats(None)  # as fast as it is taken: no datagram of others is lost

            flooding = asyncio.create_task(flood())
            try:
                await worker.until(lambda s: s["stun"].get("throttled", 0) > 2000, None)
                async with asyncio.timeout(60):
                    await worker.connect(good)
            finally:
                flooding.cancel()
                await asyncio.wait([flooding])
    finally:
        await asyncio.gather(flooder.close(), good.close())


async def test_a_new_ssrc_with_every_packet_ends_that_peer_alone(worker: LabWorker) -> None:
    """SRTP keeps state for each SSRC that it has ever seen."""
    evil, good = LabClient("evil"), LabClient("good")
    try:
        await worker.connect(good)
        await worker.connect(evil)
        mark = len(worker.events)
        found = re.search(r"a=rtpmap:(\d+) VP8/90000", evil.answer)
        assert found is not None
        sender = evil.pc.getSenders()[0].transport
        with contextlib.suppress(ConnectionError):  # the relay says goodbye in between
            for n in range(2 * MAX_SSRCS_EVER):
                header = struct.pack("!BBHII", 0x80, int(found[1]), 7, 90, 0x1000 + n)
                await sender._send_rtp(header + b"\x10\x00\x00\x9d\x01\x2a")
                if n % 50 == 49:  # so that none is lost
                    await worker.stats()
        await worker.state("evil", "failed", mark)
        assert (await worker.stats())["participants"]["good"]["state"] == "connected"
    finally:
        await asyncio.gather(evil.close(), good.close())


@pytest.mark.parametrize("what", ["gaps", "endless message", "streams"])
async def test_what_sctp_would_have_to_keep_ends_that_peer_alone(worker: LabWorker, what: str) -> None:
    """aiortc keeps it without bounds and looks through all of it for each piece: one peer could stop the worker."""
    evil, good = LabClient("evil"), LabClient("good")
    try:
        await worker.connect(good)
        await worker.connect(evil)
        mark = len(worker.events)
        await asyncio.wait_for(evil.opened.wait(), 60)
        sctp = evil.pc.sctp
        assert sctp is not None
        with contextlib.suppress(ConnectionError):
            for n in range(4 * MAX_HELD_CHUNKS):
                chunk = DataChunk(flags=6 if what == "streams" else 0)  # neither the first piece nor the last
                chunk.tsn = (sctp._local_tsn + n * (2 if what == "gaps" else 1)) & 0xFFFFFFFF
                chunk.stream_id = n if what == "streams" else 0
                chunk.stream_seq, chunk.protocol, chunk.user_data = 0, 51, b"x"
                await sctp._send_chunk(chunk)
                if n % 50 == 49:
                    await worker.stats()
        await worker.state("evil", "failed", mark)
        assert (await worker.stats())["participants"]["good"]["state"] == "connected"
    finally:
        await asyncio.gather(evil.close(), good.close())
