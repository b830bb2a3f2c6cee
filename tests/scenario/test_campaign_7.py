"""Campaign 7: strangers forge handshakes, checks and media at the worker's port while people connect and talk.

What arrives is sent as fast as the worker takes it, so that nothing is lost in a socket's buffer: that a line can be filled up is
another matter.
"""

import asyncio
import contextlib
import os
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from aioice import stun

from tests.support.machine import quick_or_skip
from tests.support.media_lab import LabWorker
from tests.support.synthetic import Crowd, crowd, synthetic_worker

pytestmark = pytest.mark.campaign(7)

LONG = os.environ.get("TESTS_CAMPAIGN") == "long"
PEOPLE = 200 if LONG else 60
AT_ONCE = 10
MOST_LOST = 0.01
SECONDS = 20.0 if LONG else 3.0
WARM_UPS = 8
VIEWERS = 3
STRANGERS = 6


def hello(number: int) -> bytes:
    """A DTLS 1.2 ClientHello that says nothing (RFC 6347 section 4.2.2)."""
    body = struct.pack("!H", 0xFEFD) + os.urandom(32) + b"\x00\x00" + b"\x00\x02\x13\x01" + b"\x01\x00"
    handshake = (
        b"\x01" + len(body).to_bytes(3, "big") + struct.pack("!H", number & 0xFFFF) + bytes(3) + len(body).to_bytes(3, "big")
    )
    return b"\x16\xfe\xfd" + bytes(8) + struct.pack("!H", len(handshake + body)) + handshake + body


def check(user: str) -> bytes:
    """A binding request with a password that was guessed."""
    message = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    message.attributes["USERNAME"] = user
    message.attributes["PRIORITY"] = 1
    message.attributes["ICE-CONTROLLING"] = 1
    message.attributes["USE-CANDIDATE"] = None
    message.add_message_integrity(os.urandom(24))
    return bytes(message)


@contextlib.asynccontextmanager
async def attack(worker: LabWorker, ssrcs: tuple[int, ...] = ()) -> AsyncIterator[Counter[str]]:
    """Everything a stranger can say, from ``STRANGERS`` addresses, until the block ends. What was sent, by kind."""
    sent: Counter[str] = Counter()
    going = True
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(STRANGERS)]

    def volley(number: int) -> dict[str, bytes]:
        ssrc = ssrcs[number % len(ssrcs)] if ssrcs else 1
        rtp = struct.pack("!BBHII", 0x80, 96, number & 0xFFFF, number & 0xFFFFFFFF, ssrc)
        return {
            "hello": hello(number),
            "check": check("somebody:else"),
            "rtp": rtp + os.urandom(200),
            "rtcp": b"\x81\xc9\x00\x07" + os.urandom(60),
            "alert": b"\x15\xfe\xfd" + bytes(8) + b"\x00\x02\x02\x28",
            "noise": os.urandom(1 + number % 64),
        }

    async def spray() -> None:
        number = 0
        while going:
            for sock in sockets:
                for kind, data in volley(number).items():
                    with contextlib.suppress(BlockingIOError):
                        sock.sendto(data, worker.address)
                        sent[kind] += 1
                number += 1
            await worker.stats(None)  # at the worker's pace

    for sock in sockets:
        sock.setblocking(False)
    task = asyncio.create_task(spray())
    try:
        yield sent
    finally:
        going = False
        await task
        for sock in sockets:
            sock.close()


async def everybody(people: Crowd, count: int) -> list[BaseException]:
    """``AT_ONCE`` at a time; what went wrong."""
    failed: list[BaseException] = []
    for first in range(0, count, AT_ONCE):
        results = await asyncio.gather(
            *(people.meet(f"room{first}", f"p{first + n}", slots=1) for n in range(min(AT_ONCE, count - first))),
            return_exceptions=True,
        )
        failed += [one for one in results if isinstance(one, BaseException)]
    return failed


async def test_everybody_connects_while_handshakes_are_forged() -> None:
    async with synthetic_worker() as worker, crowd(worker) as people:
        async with attack(worker) as sent:
            failed = await everybody(people, PEOPLE)
        assert failed == []
        stats = await worker.stats(None)
        assert stats["peers"] == PEOPLE
        assert sent["hello"] >= PEOPLE
        assert stats["mux"]["stranger"] >= sent["hello"]
        assert stats["worker"] == {}
        assert "packet_error" not in stats["mux"]
        states = [
            one["state"]
            for room in range(0, PEOPLE, AT_ONCE)
            for one in (await worker.stats(f"room{room}"))["participants"].values()
        ]
        assert states == ["connected"] * PEOPLE


async def test_media_go_on_while_packets_are_injected() -> None:
    """Strangers send packets with the right SSRCs, and the publisher's own address sends some that it did not encrypt."""
    async with synthetic_worker() as worker, crowd(worker) as people:
        await people.join("room", "publisher")
        for n in range(VIEWERS):
            await people.join("room", f"viewer{n}", publishes=False, slots=1)
        publisher = people.load.publishers[0]
        people.load.start()
        for _ in range(WARM_UPS):  # until the estimates let every layer pass
            warm = await people.load.window(200, 1.5, 1.0, VIEWERS, keys=True)
            if warm.received == warm.sent * VIEWERS:
                break
        forging = True

        async def forge() -> int:
            """From the publisher's own socket: whoever can spoof a proven address still lacks the keys."""
            number = 0
            while forging:
                header = struct.pack(
                    "!BBHII", 0x80, publisher.camera.payload_type, number & 0xFFFF, number, publisher.camera.ssrc
                )
                with contextlib.suppress(BlockingIOError):
                    publisher.sock.sendto(header + os.urandom(100), publisher.to)
                    publisher.sock.sendto(b"\x80\xc8\x00\x06" + os.urandom(50), publisher.to)
                number += 1
                await worker.stats(None)
            return number

        async with attack(worker, (publisher.camera.ssrc,)):
            forger = asyncio.create_task(forge())
            window = await people.load.window(200, SECONDS, 2.0, VIEWERS)
            forging = False
            forged = await forger
        lost = 1 - window.received / (window.sent * VIEWERS)
        counts = (await worker.stats())["participants"]["publisher"]["counts"]
        assert forged > 20
        assert counts["srtp_refused"] >= 0.9 * forged
        assert window.refused == 0
        assert (await worker.stats(None))["worker"] == {}
        quick_or_skip(lost <= MOST_LOST, f"{lost:.2%} of {window.sent * VIEWERS} lost")
