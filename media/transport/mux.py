"""The worker's UDP sockets: one port for everybody. Drains them, says by the first byte and the address who a packet is for.

RFC 7983 (demultiplexing). DTLS and SRTP are taken only from addresses that passed an authenticated ICE check; strangers'
datagrams are counted and dropped before anything looks into them.
"""

import asyncio
import contextlib
import ipaddress
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from media.relay.forward import Forwarder
from media.transport.ice_lite import IceLite, Verdict
from media.transport.mmsg import Destination, ReceiveBatch, SendBatch, unpack_address

SOCKET_BUFFER_BYTES = 8 << 20
MAX_DRAINS = 4
"""Full batches taken per wake-up before other work of the loop gets its turn."""
COALESCE_S = 0.001
"""Under load packets wait so long for each other: one wake-up, one flush and one report of arrivals serve them all."""
BUSY_S = COALESCE_S / 2
"""Load is when sockets are read more often than this, over the last ``READINGS`` or so. A timer costs as much as a wake-up: it pays only
where it serves several."""
READINGS = 10
LONGEST_GAP_S = 0.01
_BIND_TRIES = 20


class Endpoint:
    """One bound socket. ``announced``: the address that candidates show for it. ``tag`` makes address keys unique."""

    def __init__(self, sock: socket.socket, host: str, announced: str, tag: bytes, batch: SendBatch) -> None:
        self.sock = sock
        self.host = host
        self.port = int(sock.getsockname()[1])
        self.announced = announced
        self.tag = tag
        self.batch = batch
        self.pause: asyncio.TimerHandle | None = None
        self._read_at = 0.0
        self._gap_s = LONGEST_GAP_S

    def busy(self, now: float) -> bool:
        """Note that there was something to read at ``now``; whether that is often."""
        self._gap_s += (min(now - self._read_at, LONGEST_GAP_S) - self._gap_s) / READINGS
        self._read_at = now
        return self._gap_s < BUSY_S

    def send(self, data: bytes, to: Destination) -> None:
        self.batch.put(data, to)
        self.batch.flush()


def _open(host: str, port: int) -> socket.socket:
    version = ipaddress.ip_address(host).version
    sock = socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
    try:
        if version == 6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        for forced, plain in ((33, socket.SO_RCVBUF), (32, socket.SO_SNDBUF)):  # SO_RCVBUFFORCE, SO_SNDBUFFORCE
            try:
                sock.setsockopt(socket.SOL_SOCKET, forced, SOCKET_BUFFER_BYTES)
            except OSError:
                sock.setsockopt(socket.SOL_SOCKET, plain, SOCKET_BUFFER_BYTES)
        sock.setblocking(False)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock


def open_sockets(hosts: Sequence[str], port: int) -> list[socket.socket]:
    """One socket per host, all on the same port; ``port`` 0 finds one that is free on all. Raises OSError.

    An IPv6 address that this machine does not have is left out as long as another address is there.
    """
    last: OSError | None = None
    for _ in range(_BIND_TRIES if port == 0 else 1):
        sockets: list[socket.socket] = []
        wanted = port
        try:
            for host in hosts:
                try:
                    sock = _open(host, wanted)
                except OSError as error:
                    if ":" in host and (sockets or len(hosts) > 1) and error.errno in (97, 99):  # no IPv6 here
                        continue
                    raise
                sockets.append(sock)
                wanted = sock.getsockname()[1]
        except OSError as error:
            last = error
            for sock in sockets:
                sock.close()
            continue
        if sockets:
            return sockets
    raise last or OSError("nothing to bind")


class Reading(Protocol):
    """Another way to wait for the sockets and to take what comes."""

    def start(self) -> None: ...
    def settle(self) -> None: ...
    def close(self) -> None: ...


class Mux:
    """Owns the sockets of one worker. ``start`` and ``close`` from the running loop. ``batch``: what came in last."""

    def __init__(
        self,
        forwarder: Forwarder,
        ice: IceLite,
        bind: Sequence[str],
        port: int = 0,
        announced: Sequence[str] = (),
        on_error: Callable[[], None] = lambda: None,
        make_batch: Callable[[socket.socket], SendBatch] = SendBatch,
        reading: "Callable[[Mux], Reading] | None" = None,
    ) -> None:
        """``on_error`` is called inside the handler of an unexpected exception: the place for a rate-limited log.

        ``reading``: makes who reads the sockets instead, and leaves to this what is not plain.
        """
        self.forwarder = forwarder
        self.ice = ice
        self.on_error = on_error
        self.counts: Counter[str] = Counter()
        self.endpoints: list[Endpoint] = []
        for index, sock in enumerate(open_sockets(bind, port)):
            host = sock.getsockname()[0]
            self.endpoints.append(Endpoint(sock, host, host, bytes((index,)), make_batch(sock)))
        self._announced = tuple(announced)
        self.batch = ReceiveBatch()
        self._reading = reading(self) if reading is not None else None

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """What candidates show: (address, port), in order of preference."""
        port = self.endpoints[0].port
        if self._announced:
            return tuple((host, port) for host in self._announced)
        return tuple((e.announced, e.port) for e in self.endpoints)

    def start(self) -> None:
        if self._reading is not None:
            self._reading.start()
            return
        loop = asyncio.get_running_loop()
        for endpoint in self.endpoints:
            loop.add_reader(endpoint.sock.fileno(), self._readable, endpoint)

    def settle(self) -> None:
        """Before a tick: take what was put by, because it is read more cheaply together."""
        if self._reading is not None:
            self._reading.settle()

    def close(self) -> None:
        if self._reading is not None:
            self._reading.close()
        loop = asyncio.get_running_loop()
        for endpoint in self.endpoints:
            if endpoint.pause is not None:
                endpoint.pause.cancel()
            with contextlib.suppress(ValueError, OSError):
                loop.remove_reader(endpoint.sock.fileno())
            endpoint.sock.close()

    def flush(self) -> None:
        for endpoint in self.endpoints:
            endpoint.batch.flush()

    def _readable(self, endpoint: Endpoint) -> None:
        """Packets are here. Under load the next are taken together on a timer."""
        now = time.monotonic()
        self._drain(endpoint, now)
        if endpoint.busy(now):
            loop = asyncio.get_running_loop()
            loop.remove_reader(endpoint.sock.fileno())
            endpoint.pause = loop.call_later(COALESCE_S, self._after_pause, endpoint)

    def _after_pause(self, endpoint: Endpoint) -> None:
        loop = asyncio.get_running_loop()
        if self._drain(endpoint, time.monotonic()):
            endpoint.pause = loop.call_later(COALESCE_S, self._after_pause, endpoint)
        else:
            endpoint.pause = None
            loop.add_reader(endpoint.sock.fileno(), self._readable, endpoint)

    def _drain(self, endpoint: Endpoint, now: float) -> bool:
        """Whether there was anything."""
        batch = self.batch
        any_came = False
        for _ in range(MAX_DRAINS):
            got = batch.fill(endpoint.sock)
            if not got:
                break
            if any_came:
                now = time.monotonic()
            any_came = True
            for i in range(got):
                self.take(endpoint, i, now)
            self.flush()
            if got < len(batch.lengths):
                break
        return any_came

    def take(self, endpoint: Endpoint, i: int, now: float) -> None:
        """Packet ``i`` of the batch, as it came."""
        try:
            self._one(endpoint, i, self.batch.lengths[i], now)
        except Exception:
            self.failed()

    def failed(self) -> None:
        """Call while an unexpected exception is handled: a worker never dies of input. Counted, and the peer goes on."""
        self.counts["packet_error"] += 1
        self.on_error()

    def _one(self, endpoint: Endpoint, i: int, size: int, now: float) -> None:
        if not size:
            self.counts["too_long_or_empty"] += 1
            return
        batch = self.batch
        view = batch.views[i]
        first = view[0]
        key = batch.keys[i] + endpoint.tag
        if 128 <= first <= 191:
            session = self.ice.by_address.get(key)
            if session is None:
                self.counts["stranger"] += 1
                return
            peer: Any = session.owner
            heard = session.last_media
            if not peer.ready:
                self.counts["early_srtp"] += 1
            elif size > 1 and 192 <= view[1] <= 223:
                peer.on_rtcp(batch.memory[i], view, size, now)
            else:
                self.forwarder.on_srtp(peer, batch.memory[i], view, size, now)
            if key != session.selected:  # only the selected address's media keeps it selected
                session.last_media = heard
        elif 20 <= first <= 63:
            session = self.ice.by_address.get(key)
            if session is None:
                self.counts["stranger"] += 1
                return
            receiver: Any = session.owner
            receiver.on_dtls(bytes(view[:size]))
        elif first < 4:
            self._stun(endpoint, bytes(view[:size]), key, now)
        else:
            self.counts["unknown_protocol"] += 1

    def _stun(self, endpoint: Endpoint, data: bytes, key: bytes, now: float) -> None:
        sockaddr = key[:-1]
        outcome = self.ice.handle(data, key, unpack_address(sockaddr), now)
        if outcome.session is None:
            return
        destination = Destination(sockaddr)
        for message in (outcome.reply, outcome.ask):
            if message is not None:
                endpoint.batch.put(message, destination)
        if outcome.verdict not in (Verdict.ANSWERED, Verdict.PROVEN):
            return
        checked: Any = outcome.session.owner
        if outcome.selected:
            checked.on_path(endpoint, destination, now)
        checked.on_checked(now)
