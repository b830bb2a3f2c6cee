"""Whoever leaves is forgotten at once: nothing of a connection waits for the collector of circles of references."""

import asyncio
import contextlib
import gc
import weakref
from collections.abc import AsyncIterator, Iterator
from functools import partial

import pytest

from media import control
from media.native.batch import NativeBatch
from media.native.forwarder import NativeForwarder
from media.native.inlet import Inlet
from media.native.library import Library, load
from media.native.selector import MediaSelector
from media.relay.catch_up import catch_up
from media.relay.downlink import Downlink
from media.relay.forward import Forwarder
from media.relay.peer import Peer
from media.relay.publication import Publication
from media.relay.room import Room
from media.transport import srtp
from media.transport.dtls import Identity
from media.transport.ice_lite import IceLite
from media.transport.mmsg import AVAILABLE
from media.transport.mux import Mux
from media.wire.sdp import Offer
from tests.support.media_lab import DEADLINE_S, LabClient, loopback


class OnTheLoop(Inlet):
    """Receives in C, but when the test's own loop says that there is something."""

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(self._mux.endpoints[0].sock.fileno(), lambda: self.take(0, loop.time()))


class Host:
    """What a worker is to its rooms, in this process, so that its objects can be watched."""

    def __init__(self, library: Library | None) -> None:
        self.ice = IceLite(asyncio.get_running_loop().time())
        self.identity = Identity()
        self.selector = MediaSelector()
        self.forwarder: Forwarder = Forwarder(srtp.unprotect, srtp.protect, srtp.new_length())
        if library is None:
            self.mux = Mux(self.forwarder, self.ice, ["127.0.0.1"])
        else:
            self.forwarder = native = NativeForwarder(library)
            self.mux = Mux(
                native, self.ice, ["127.0.0.1"], make_batch=partial(NativeBatch, library=library),
                reading=partial(OnTheLoop, library, native, self.selector),
            )  # fmt: skip
        self.room = Room("room", self)
        self.retired: set[asyncio.Task[None]] = set()
        self.states: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    def emit(self, event: control.Event) -> None:
        if isinstance(event, control.PeerState):
            self.states.put_nowait((event.participant, event.state))

    recorder = None

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
            sent=self.forwarder.history(),
            make_uplink=self.forwarder.uplink,
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


LIBRARY = load() if AVAILABLE else None


@pytest.fixture(params=[None, LIBRARY] if LIBRARY is not None else [None], ids=lambda library: "c" if library else "python")
async def host(request: pytest.FixtureRequest) -> AsyncIterator[Host]:
    with loopback():
        host = Host(request.param)
        host.mux.start()
        yield host
        host.room.close()
        await host.all_gone()
        host.mux.close()
        host.selector.close()


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
