"""Real worker process, real aiortc clients on loopback: what the relay is for, and what it withstands, end to end."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable

import aioice.ice
import pytest
from aioice import stun

from media import control
from media.transport import datachannel
from tests.support.media_lab import LabClient, LabWorker, Wire, colour_of, lab_worker, loopback, loudness, near, shows

RED, BLUE = (120, 90, 200), (80, 200, 100)


@pytest.fixture
async def worker() -> AsyncIterator[LabWorker]:
    with loopback():
        async with lab_worker() as running:
            yield running


@contextlib.asynccontextmanager
async def clients(
    worker: LabWorker, *people: LabClient, gates: tuple[str, ...] = ("microphone", "camera")
) -> AsyncIterator[None]:
    """Everybody connected with these gates open; closed afterwards."""
    try:
        for client in people:
            await worker.gates(client.name, *gates)
            await worker.connect(client)
        yield
    finally:
        await asyncio.gather(*(client.close() for client in people))


def rtp(data: bytes) -> bool:
    return 128 <= data[0] <= 191 and not 192 <= data[1] <= 223


def every(n: int) -> Callable[[bytes], bool]:
    """Lose every n-th RTP packet."""
    seen = 0

    def lose(data: bytes) -> bool:
        nonlocal seen
        if not rtp(data):
            return False
        seen += 1
        return seen % n == 0

    return lose


def binding(answer: str, theirs: str = "x", *, use: bool = False) -> bytes:
    """An authentic check for the credentials in an answer. ``theirs``: the name of who sends it."""
    message = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    found = {name: re.search(rf"a=ice-{name}:(\S+)", answer) for name in ("ufrag", "pwd")}
    assert found["ufrag"] is not None
    assert found["pwd"] is not None
    message.attributes["USERNAME"] = f"{found['ufrag'][1]}:{theirs}"
    message.attributes["PRIORITY"] = 1
    message.attributes["ICE-CONTROLLING"] = 1
    if use:
        message.attributes["USE-CANDIDATE"] = None
    message.add_message_integrity(found["pwd"][1].encode())
    return bytes(message)


async def test_two_people_see_and_hear_each_other(worker: LabWorker) -> None:
    one, two = LabClient("one", colour=RED), LabClient("two", colour=BLUE)
    async with clients(worker, one, two):
        for viewer, shown, colour in ((one, two, BLUE), (two, one, RED)):
            video = await worker.event(shows(viewer.name, shown.name, "camera"))
            audio = await worker.event(shows(viewer.name, shown.name, "microphone"))
            picture = await viewer.frame(video)
            assert (picture.width, picture.height) == (320, 240)
            assert near(colour_of(picture), colour)
            assert max([loudness(await viewer.frame(audio)) for _ in range(20)]) > 1000
        stats = await worker.stats(None)
        assert (stats["rooms"], stats["peers"], stats["worker"], stats["protect_refused"]) == (1, 2, {}, 0)
        beat = await worker.event(lambda e: e if isinstance(e, control.Heartbeat) and e.peers == 2 else None)
        assert beat.cpu_s > 0


async def test_ipv4_and_ipv6_meet_in_one_room() -> None:
    one, two = LabClient("one", colour=RED), LabClient("two", colour=BLUE)
    async with lab_worker(bind=("127.0.0.1", "::1")) as worker:
        assert {host for host, _ in worker.addresses} == {"127.0.0.1", "::1"}
        try:
            for client, address in ((one, "127.0.0.1"), (two, "::1")):
                await worker.gates(client.name, "microphone", "camera")
                with loopback(address):
                    await worker.connect(client)
            for viewer, shown, colour in ((one, two, BLUE), (two, one, RED)):
                assert near(colour_of(await viewer.frame(await worker.event(shows(viewer.name, shown.name, "camera")))), colour)
        finally:
            await asyncio.gather(one.close(), two.close())


async def test_only_what_browsers_can_come_to_is_announced() -> None:
    with loopback():
        async with lab_worker(bind=("0.0.0.0",), announced=("127.0.0.1", "2001:db8::1")) as worker:
            assert [host for host, _ in worker.addresses] == ["127.0.0.1", "2001:db8::1"]
            one, two = LabClient("one", send=("video",), colour=RED), LabClient("two", send=())
            async with clients(worker, one, two):
                assert near(colour_of(await two.frame(await worker.event(shows("two", "one", "camera")))), RED)
                assert "0.0.0.0" not in "".join(line for line in two.answer.splitlines() if line.startswith("a=candidate"))


async def test_without_a_gate_nothing_is_forwarded_and_closing_ends_it(worker: LabWorker) -> None:
    one, two = LabClient("one"), LabClient("two", send=())
    async with clients(worker, one, two, gates=()):
        await worker.event(
            lambda e: isinstance(e, control.TrackFlow) and (e.participant, e.source, e.flowing) == ("one", "camera", True)
        )
        await worker.until(lambda s: s["participants"]["one"]["published"]["camera"][0]["packets"] > 30)
        assert (await worker.stats(None))["forwards"] == 0
        mark = len(worker.events)
        await worker.gates("one", "camera")
        video = await worker.event(shows("two", "one", "camera"))
        await two.frame(video)
        await worker.gates("one")
        before = (await worker.stats(None))["forwards"]
        got = (await worker.stats())["participants"]["one"]["published"]["camera"][0]["packets"]
        await worker.until(lambda s: s["participants"]["one"]["published"]["camera"][0]["packets"] > got + 30)
        assert (await worker.stats(None))["forwards"] == before
        await worker.event(
            lambda e: isinstance(e, control.Slots) and e.participant == "two" and all(s.source is None for s in e.slots), mark
        )


async def test_lost_packets_are_recovered_on_both_legs(worker: LabWorker) -> None:
    one, two = LabClient("one", send=("video",)), LabClient("two", send=())
    up, down = Wire(worker.address), Wire(worker.address)
    try:
        await worker.gates("one", "camera")
        await worker.connect(one, via=up)
        await worker.connect(two, via=down)
        video = await worker.event(shows("two", "one", "camera"))
        await two.frame(video)
        up.lose_up = every(5)
        down.lose_down = every(7)
        stats = await worker.until(
            lambda s: (
                s["participants"]["one"]["published"]["camera"][0]["recovered"] > 3
                and s["participants"]["two"]["slots"].get(video, {}).get("resent", 0) > 3
            )
        )
        camera = stats["participants"]["one"]["published"]["camera"][0]
        assert camera["nacked"] >= camera["recovered"]
        for _ in range(20):
            await two.frame(video)
    finally:
        await asyncio.gather(one.close(), two.close())
        up.close()
        down.close()


async def test_a_client_whose_address_changes_goes_on(worker: LabWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aioice.ice, "CONSENT_INTERVAL", 1)
    one, two = LabClient("one", send=("video",)), LabClient("two", send=())
    wire = Wire(worker.address)
    try:
        await worker.gates("one", "camera")
        await worker.connect(one)
        await worker.connect(two, via=wire)
        video = await worker.event(shows("two", "one", "camera"))
        await two.frame(video)
        wire.rebind()
        await worker.until(lambda s: s["participants"]["two"]["counts"].get("path_moved", 0) == 1)
        for _ in range(40):  # more than the receiver can have had in store
            await two.frame(video)
    finally:
        await asyncio.gather(one.close(), two.close())
        wire.close()


async def test_an_ice_restart_keeps_dtls_and_slots_and_drops_the_old_credentials(worker: LabWorker) -> None:
    one, two = LabClient("one", send=("video",)), LabClient("two", send=())
    wire = Wire(worker.address)
    try:
        await worker.gates("one", "camera")
        await worker.connect(one)
        await worker.connect(two, via=wire)
        video = await worker.event(shows("two", "one", "camera"))
        await two.frame(video)
        mark = len(worker.events)
        offer = re.sub(r"a=ice-ufrag:\S+", "a=ice-ufrag:restarted", await two.offer())
        reply = await worker.ask(control.Connect, "room", "two", re.sub(r"a=ice-pwd:\S+", "a=ice-pwd:" + "p" * 24, offer))
        assert isinstance(reply, control.Connected), reply

        def credentials(answer: str) -> set[str]:
            return set(re.findall(r"a=ice-(?:ufrag|pwd):(\S+)", answer))

        assert not credentials(reply.answer) & credentials(two.answer)
        assert re.findall(r"a=ssrc:(\d+)", reply.answer) == re.findall(r"a=ssrc:(\d+)", two.answer)
        wire.watch_down = lambda data: data[0] < 4
        old, new = binding(two.answer), binding(reply.answer, "restarted", use=True)
        wire.inject(old)
        wire.inject(new)
        answered = await asyncio.wait_for(wire.seen_down.get(), 60)
        assert answered[8:20] == new[8:20]
        assert (await worker.stats(None))["stun"]["unknown_user"] >= 1
        for _ in range(40):
            await two.frame(video)
        assert not [e for e in worker.events[mark:] if isinstance(e, control.PeerState | control.Slots)]
        again = await worker.ask(control.Connect, "room", "two", await two.offer() + "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n")
        assert isinstance(again, control.Failed)
    finally:
        await asyncio.gather(one.close(), two.close())
        wire.close()


async def test_a_reload_replaces_the_peer_and_keeps_the_gates(worker: LabWorker) -> None:
    one, two, again = (
        LabClient("one", send=("video",)),
        LabClient("two", send=()),
        LabClient("one", send=("video",), colour=BLUE),
    )
    try:
        async with clients(worker, one, two):
            await two.frame(await worker.event(shows("two", "one", "camera")))
            mark = len(worker.events)
            await worker.connect(again)
            video = await worker.event(shows("two", "one", "camera"), mark)
            while not near(colour_of(await two.frame(video)), BLUE):
                pass
            assert (await worker.stats(None))["peers"] == 2
            await worker.ask(control.Disconnect, "room", "one")
            await worker.state("one", "closed", mark)
            await worker.ask(control.CloseRoom, "room")
            assert (await worker.stats(None))["peers"] == 0
    finally:
        await again.close()


async def test_pointers_pass_only_an_open_gate_and_say_who_sent_them(worker: LabWorker) -> None:
    one, two = LabClient("one", send=()), LabClient("two", send=())
    async with clients(worker, one, two, gates=()):
        async with asyncio.timeout(60):
            await asyncio.gather(one.opened.wait(), two.opened.wait())
        one.channel.send("shut")
        await worker.until(lambda s: s["pointer_dropped"] == 1)
        await worker.gates("one", "pointer")
        one.channel.send("x" * 1025)
        one.channel.send(b"bytes")
        await worker.until(lambda s: s["participants"]["one"]["counts"].get("pointer_refused") == 2)
        one.channel.send('{"x":1}')
        assert await asyncio.wait_for(two.messages.get(), 20) == '{"from":"one","data":"{\\"x\\":1}"}'
        began = time.monotonic()
        for _ in range(300):
            one.channel.send("fast")
        await worker.until(lambda s: s["participants"]["one"]["counts"].get("pointer_throttled", 0) > 0)
        assert two.messages.qsize() <= datachannel.BURST + datachannel.RATE_PER_S * (time.monotonic() - began)


@pytest.mark.parametrize("offer", ["", "v=0\r\n", "nonsense", "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio"])
async def test_an_offer_that_cannot_be_answered_is_refused_with_a_code(worker: LabWorker, offer: str) -> None:
    reply = await worker.ask(control.Connect, "room", "one", offer)
    assert isinstance(reply, control.Failed)
    assert reply.code != "internal"
    assert (await worker.stats(None))["peers"] == 0


async def test_a_wrong_fingerprint_fails_and_leaves_nothing_behind(worker: LabWorker) -> None:
    one = LabClient("one", send=())
    try:
        offer = re.sub(r"a=fingerprint:sha-(\d+) ..:", r"a=fingerprint:sha-\1 00:", await one.offer())
        reply = await worker.ask(control.Connect, "room", "one", offer)
        await one.accept(reply.answer)
        await worker.state("one", "failed")
        assert (await worker.stats(None))["peers"] == 0
    finally:
        await one.close()


HELLO = bytes.fromhex("16feff0000000000000000003a010000") + bytes.fromhex("2e000000000000002e") + os.urandom(64)


@pytest.mark.campaign(7)
async def test_strangers_cannot_disturb_handshakes_or_media(worker: LabWorker) -> None:
    """Forged ClientHellos race real ones, STUN, RTP and noise are sprayed: every client connects, media flows, nothing is let in."""
    attackers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(4)]
    for sock in attackers:
        sock.setblocking(False)
    rtp_like = b"\x80\x60" + os.urandom(200)
    noise = [
        HELLO,
        rtp_like,
        b"\x80\xc8" + os.urandom(60),
        b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12),
        b"\x47noise",
        b"\x00",
        b"",
    ]
    going = True

    async def spray() -> None:
        while going:
            for sock in attackers:
                for data in noise:
                    with contextlib.suppress(BlockingIOError):
                        sock.sendto(data, worker.address)
            await asyncio.sleep(0)
            await worker.stats(None)  # at the worker's pace

    task = asyncio.create_task(spray())
    people = [LabClient(f"p{i}", send=("video",), colour=RED, video_slots=2) for i in range(3)]
    try:
        async with clients(worker, *people):
            for viewer, shown in ((people[0], "p1"), (people[1], "p2"), (people[2], "p0")):
                video = await worker.event(shows(viewer.name, shown, "camera"))
                assert near(colour_of(await viewer.frame(video)), RED)
            stats = await worker.stats(None)
            assert stats["mux"]["stranger"] > 50
            assert stats["stun"]["unknown_user"] > 10
            assert stats["worker"] == {}
            assert "packet_error" not in stats["mux"]
    finally:
        going = False
        await task
        for sock in attackers:
            sock.close()


@pytest.mark.campaign(7)
async def test_forged_packets_from_the_clients_own_address_are_refused(worker: LabWorker) -> None:
    """Whoever can spoof a proven address still lacks the keys: media goes on, the connection stays."""
    one, two = LabClient("one", send=("video",)), LabClient("two", send=())
    wire = Wire(worker.address)
    try:
        await worker.gates("one", "camera")
        await worker.connect(one, via=wire)
        await worker.connect(two)
        video = await worker.event(shows("two", "one", "camera"))
        await two.frame(video)
        mark = len(worker.events)
        for i in range(200):
            wire.inject(b"\x80\x61" + os.urandom(100))
            wire.inject(b"\x80\xc8" + os.urandom(60))
            wire.inject(HELLO if i % 2 else b"\x17\xfe\xfd" + os.urandom(60))
            wire.inject(binding(one.answer)[:-4])
        stats = await worker.until(
            lambda s: (
                s["participants"]["one"]["counts"].get("srtp_refused", 0) >= 150
                and s["participants"]["one"]["counts"].get("srtcp_refused", 0) >= 150
            )
        )
        assert stats["participants"]["one"]["state"] == "connected"
        for _ in range(20):
            await two.frame(video)
        assert not [e for e in worker.events[mark:] if isinstance(e, control.PeerState)]
        assert (await worker.stats(None))["worker"] == {}
    finally:
        await asyncio.gather(one.close(), two.close())
        wire.close()


async def test_sigterm_and_a_closed_control_stream_end_it_cleanly(worker: LabWorker) -> None:
    one = LabClient("one", send=())
    async with clients(worker, one):
        worker.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(worker.process.wait(), 10) == 0
        await worker.state("one", "closed")
    async with lab_worker() as second:
        assert await second.stop() == 0


async def test_the_number_of_connections_is_bounded() -> None:
    with loopback():
        async with lab_worker(max_peers=1) as worker:
            one, two = LabClient("one", send=()), LabClient("two", send=())
            async with clients(worker, one):
                refused = await worker.ask(control.Connect, "room", "two", await two.offer())
                assert isinstance(refused, control.Failed)
                assert refused.code == "worker_full"
            await two.close()
