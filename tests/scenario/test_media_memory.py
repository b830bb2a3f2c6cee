"""Whoever leaves is forgotten at once: nothing of a connection waits for the collector of circles of references."""

import asyncio
import contextlib
import gc
import weakref
from collections.abc import AsyncIterator, Iterator

import pytest

from media import control
from media.relay.catch_up import catch_up
from media.relay.downlink import Downlink
from media.relay.forward import Forwarder
from media.relay.peer import Peer
from media.relay.publication import Publication
from media.relay.room import Room
from media.transport import srtp
from media.transport.dtls import Identity
from media.transport.ice_lite import IceLite
from media.transport.mux import Mux
from media.wire.sdp import Offer
from tests.support.media_lab import DEADLINE_S, LabClient, loopback


class Host:
    """What a worker is to its rooms, in this process, so that its objects can be watched."""

    def __init__(self) -> None:
        self.ice = IceLite(asyncio.get_running_loop().time())
        self.identity = Identity()
        self.mux = Mux(Forwarder(srtp.unprotect, srtp.protect, srtp.new_length()), self.ice, ["127.0.0.1"])
        self.room = Room("room", self)
        self.retired: set[asyncio.Task[None]] = set()
        self.states: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    def emit(self, event: control.Event) -> None:
        if isinstance(event, control.PeerState):
            self.states.put_nowait((event.participant, event.state))

    def new_peer(self, room: Room, participant: str, offer: Offer, now: float) -> Peer:
        return Peer(
            room,
            participant,
            offer,
            ice=self.ice,
            identity=self.identity,
            candidates=self.mux.addresses,
            video_codecs=control.Configure().video_codecs,
            now=now,
        )

    def retire(self, peer: Peer) -> None:
        task = asyncio.create_task(peer.close())
        self.retired.add(task)
        task.add_done_callback(self.retired.discard)

    def catch_up(self, publication: Publication, downlink: Downlink, since: float, now: float) -> bool:
        return catch_up(self.mux.forwarder, publication, downlink, since, now)

    def flush(self) -> None:
        self.mux.flush()

    async def until(self, participant: str, state: str) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while await self.states.get() != (participant, state):
                pass

    async def connect(self, client: LabClient) -> "weakref.ref[Peer]":
        self.room.set_gates(client.name, ("microphone", "camera", "pointer"))
        await client.accept(self.room.connect(client.name, await client.offer()))
        await self.until(client.name, "connected")
        async with asyncio.timeout(DEADLINE_S):
            await client.connected.wait()
        return weakref.ref(self.room.peers[client.name])

    async def all_gone(self) -> None:
        while self.retired:
            await asyncio.wait(self.retired)
        await asyncio.sleep(0)


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    with loopback():
        host = Host()
        host.mux.start()
        yield host
        host.room.close()
        await host.all_gone()
        host.mux.close()


@contextlib.contextmanager
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def pointing(host: Host, *clients: LabClient) -> None:
    """Data channels are open, and something went through one."""
    async with asyncio.timeout(DEADLINE_S):
        for client in clients:
            await client.opened.wait()
        clients[0].channel.send("here")
        await clients[1].messages.get()


async def test_a_participant_who_leaves_is_forgotten_at_once(host: Host) -> None:
    one, other = LabClient("one"), LabClient("other")
    with no_collector():
        left, stayed = await host.connect(one), await host.connect(other)
        await pointing(host, one, other)
        host.room.disconnect("one")
        await host.all_gone()
        assert left() is None
        assert stayed() is not None
        await one.close()
        await other.close()


async def test_a_connection_that_another_replaces_is_forgotten_at_once(host: Host) -> None:
    before, after = LabClient("one"), LabClient("one")
    with no_collector():
        replaced = await host.connect(before)
        now = await host.connect(after)
        await host.all_gone()
        assert replaced() is None
        assert now() is not None
        await before.close()
        await after.close()


async def test_a_connection_that_never_came_up_is_forgotten_at_once(host: Host) -> None:
    client = LabClient("one")
    with no_collector():
        host.room.connect("one", await client.offer())
        never = weakref.ref(host.room.peers["one"])
        host.room.disconnect("one")
        await host.all_gone()
        assert never() is None
        await client.close()


async def test_a_client_that_says_goodbye_is_forgotten_at_once(host: Host) -> None:
    client = LabClient("one")
    with no_collector():
        ended = await host.connect(client)
        await client.close()
        peer = ended()
        assert peer is not None
        async with asyncio.timeout(DEADLINE_S):
            while peer.dtls.transport.state != "closed":  # noqa: ASYNC110 - aiortc's own state
                await asyncio.sleep(0)
        del peer
        host.room.tick(asyncio.get_running_loop().time() + 1)
        await host.until("one", "failed")
        await host.all_gone()
        assert ended() is None
