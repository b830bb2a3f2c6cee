"""The load's data plane: one thread that sends SRTP at a steady rate and receives, decrypts and times what comes back.

Datagrams are taken by ``recvmmsg`` with the kernel's receive time; every media packet carries the wall clock at which it was
made, so the latency is from before encryption at the publisher to arrival at the subscriber's socket, whatever this thread
is doing. What is not SRTP (STUN, DTLS) goes back to the event loop that owns the socket.
"""

import asyncio
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pylibsrtp

from media import srtp
from media.mmsg import ffi

PACKET_BYTES = 2048
BATCH = 64
CONTROL_BYTES = 64
RECEIVE_BUFFER_BYTES = 4 << 20
SO_TIMESTAMPNS = 35
"""Linux, asm-generic/socket.h; Python's socket module does not name it."""
MAGIC = b"tongping"
_STAMP = struct.Struct("!8sIIIQ")
"""Magic, window, publisher, number, wall clock in ns; at ``STAMP_AT`` of the payload."""
STAMP_AT = 16
FRAME_PACKETS = 8
KEY_PACKETS = 600
"""A key frame every so many packets."""
TWCC_EXTENSION = 3
_HEAD = struct.Struct("!BBHIIHHBHx")


@dataclass(slots=True, eq=False)
class Publisher:
    """``number`` counts packets over all windows; ``ssrc`` and ``payload_type`` as negotiated."""

    index: int
    sock: socket.socket
    to: tuple[str, int]
    session: pylibsrtp.Session
    ssrc: int
    payload_type: int
    number: int = 0
    transport_sequence: int = 0


@dataclass(slots=True, eq=False)
class Receiver:
    """``seen``: publisher → which numbers of the window came in. ``other`` gets what is not SRTP, in the loop's thread."""

    sock: socket.socket
    session: pylibsrtp.Session
    other: Callable[[bytes, tuple[str, int]], None]
    seen: dict[int, bytearray] = field(default_factory=dict)
    refused: int = 0
    rtcp: int = 0


@dataclass(frozen=True, slots=True)
class Window:
    """``sent``: packets sent by all publishers. ``received``: distinct ones over all receivers. ``latencies_us``: sorted."""

    sent: int
    received: int
    duplicates: int
    refused: int
    latencies_us: tuple[int, ...]

    def percentile_ms(self, quantile: float) -> float:
        if not self.latencies_us:
            return 0.0
        return self.latencies_us[min(len(self.latencies_us) - 1, int(quantile * len(self.latencies_us)))] / 1000


class Load:
    """Add publishers and receivers, ``start``, then ``window`` as often as wanted, ``stop``."""

    def __init__(self, payload_bytes: int) -> None:
        self._payload_bytes = payload_bytes
        self._publishers: list[Publisher] = []
        self._receivers: dict[int, Receiver] = {}
        self._loop = asyncio.get_running_loop()
        self._epoll = select.epoll()
        self._thread = threading.Thread(target=self._run, name="bench-load", daemon=True)
        self._stopping = False
        self._window = 0
        self._order: tuple[float, float, int, int] | None = None
        self._keys = False
        self._ended = asyncio.Event()
        self._latencies: list[int] = []
        self._sent = 0
        self._packets = 0
        self._lib = ffi.dlopen(None)
        self._memory = [ffi.new("char[]", PACKET_BYTES) for _ in range(BATCH)]
        self._views = [memoryview(ffi.buffer(memory)).cast("B") for memory in self._memory]
        self._iov = ffi.new("struct iovec[]", BATCH)
        self._headers = ffi.new("struct mmsghdr[]", BATCH)
        self._names = ffi.new("char[]", 32 * BATCH)
        self._control = ffi.new("char[]", CONTROL_BYTES * BATCH)
        self._control_view = memoryview(ffi.buffer(self._control)).cast("B")
        self._name_view = memoryview(ffi.buffer(self._names)).cast("B")
        for i in range(BATCH):
            self._iov[i].iov_base = self._memory[i]
            self._iov[i].iov_len = PACKET_BYTES
            header = self._headers[i].msg_hdr
            header.msg_name = self._names + 32 * i
            header.msg_iov = self._iov + i
            header.msg_iovlen = 1
            header.msg_control = self._control + CONTROL_BYTES * i
        self._length = srtp.new_length()
        self._out, self._out_view = srtp.new_buffer(PACKET_BYTES)

    # ---- from the event loop

    @property
    def publishers(self) -> list[Publisher]:
        return self._publishers

    def add_publisher(self, publisher: Publisher) -> None:
        self._publishers.append(publisher)

    def add_receiver(self, receiver: Receiver) -> None:
        """Take over a socket; the event loop must not read it any more."""
        sock = receiver.sock
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        self._receivers[sock.fileno()] = receiver
        self._epoll.register(sock.fileno(), select.EPOLLIN)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        if self._thread.is_alive():
            self._thread.join()
        self._epoll.close()
        for receiver in self._receivers.values():
            receiver.sock.close()

    async def window(self, rate: float, seconds: float, drain_s: float, viewers: int, *, keys: bool = False) -> Window:
        """Every publisher sends ``rate`` packets a second, each meant for so many ``viewers``; then at most ``drain_s`` until
        all have arrived. ``keys``: every frame is a key frame, so that everybody can start.
        """
        count = round(rate * seconds)
        for receiver in self._receivers.values():
            receiver.seen = {publisher.index: bytearray(count) for publisher in self._publishers}
            receiver.refused = 0
        self._latencies = []
        self._sent = self._packets = 0
        self._ended.clear()
        self._window += 1
        self._keys = keys
        self._order = (1 / rate, drain_s, count, count * len(self._publishers) * viewers)
        await self._ended.wait()
        received = sum(sum(seen) for receiver in self._receivers.values() for seen in receiver.seen.values())
        return Window(
            sent=self._sent,
            received=received,
            duplicates=self._packets - received,
            refused=sum(receiver.refused for receiver in self._receivers.values()),
            latencies_us=tuple(sorted(self._latencies)),
        )

    # ---- in the thread

    def _run(self) -> None:
        while not self._stopping:
            order = self._order
            if order is None:
                self._receive(0.002)
                continue
            step, drain_s, count, expected = order
            publishers = self._publishers
            start = time.monotonic() + 0.002
            total = count * len(publishers)
            spread = step / max(1, len(publishers))
            n = 0
            while n < total and not self._stopping:
                now = time.monotonic()
                while n < total and start + n * spread <= now:
                    self._send(publishers[n % len(publishers)], n // len(publishers))
                    n += 1
                self._receive(max(0.0, start + n * spread - time.monotonic()))
            end = time.monotonic() + drain_s
            while self._packets < expected and time.monotonic() < end and not self._stopping:
                self._receive(0.002)
            self._order = None
            self._loop.call_soon_threadsafe(self._ended.set)

    def _send(self, publisher: Publisher, number: int) -> None:
        """One VP8 packet as browsers send it: two-byte picture id, TL0 index, transport-wide number (RFC 7741 §4.2)."""
        view = self._out_view
        position = publisher.number % FRAME_PACKETS
        frame = publisher.number // FRAME_PACKETS
        marker = 0x80 if position == FRAME_PACKETS - 1 else 0
        publisher.transport_sequence = (publisher.transport_sequence + 1) & 0xFFFF
        _HEAD.pack_into(
            view, 0, 0x90, marker | publisher.payload_type, (1000 + publisher.number) & 0xFFFF, (frame * 3000) & 0xFFFFFFFF,
            publisher.ssrc, 0xBEDE, 1, TWCC_EXTENSION << 4 | 1, publisher.transport_sequence,
        )  # fmt: skip
        start = 20
        size = self._payload_bytes
        view[start : start + size] = bytes(size)
        key = self._keys or publisher.number % KEY_PACKETS == 0
        view[start] = 0x90 if position == 0 else 0x80
        view[start + 1] = 0xE0
        struct.pack_into("!HBB", view, start + 2, 0x8000 | frame & 0x7FFF, frame & 0xFF, 0)
        if position == 0:
            view[start + 6 : start + 16] = (b"\x10" if key else b"\x11") + b"\x02\x00\x9d\x01\x2a\x80\x02\xe0\x01"
        _STAMP.pack_into(view, start + STAMP_AT, MAGIC, self._window, publisher.index, number, time.time_ns())
        publisher.number += 1
        self._length[0] = start + size
        if srtp.protect(srtp.context(publisher.session), self._out, self._length):
            raise RuntimeError("the load cannot protect its own packet")
        try:
            publisher.sock.sendto(view[: self._length[0]], publisher.to)
        except BlockingIOError:
            return
        self._sent += 1

    def _receive(self, timeout_s: float) -> None:
        headers = self._headers
        for fd, _ in self._epoll.poll(timeout_s):
            receiver = self._receivers[fd]
            for i in range(BATCH):
                inner = headers[i].msg_hdr
                inner.msg_namelen = 32
                inner.msg_controllen = CONTROL_BYTES
            got = self._lib.recvmmsg(fd, headers, BATCH, socket.MSG_DONTWAIT, ffi.NULL)
            for i in range(got):
                self._take(receiver, i, headers[i].msg_len)

    def _take(self, receiver: Receiver, i: int, size: int) -> None:
        view = self._views[i]
        if not 128 <= view[0] < 192:
            data = bytes(view[:size])
            host = socket.inet_ntoa(self._name_view[32 * i + 4 : 32 * i + 8])
            port = int.from_bytes(self._name_view[32 * i + 2 : 32 * i + 4], "big")
            self._loop.call_soon_threadsafe(receiver.other, data, (host, port))
            return
        if 192 <= view[1] < 224:
            receiver.rtcp += 1
            return
        length = self._length
        length[0] = size
        if srtp.unprotect(srtp.context(receiver.session), self._memory[i], length):
            receiver.refused += 1
            return
        start = 12
        if view[0] & 0x10:
            start += 4 + 4 * (view[14] << 8 | view[15])
        if length[0] < start + STAMP_AT + _STAMP.size:
            return
        magic, window, publisher, number, stamp_ns = _STAMP.unpack_from(view, start + STAMP_AT)
        if magic != MAGIC or window != self._window:
            return
        self._packets += 1
        receiver.seen[publisher][number] = 1
        seconds, nanoseconds = struct.unpack_from("=qq", self._control_view, CONTROL_BYTES * i + 16)
        self._latencies.append(max(0, (seconds * 1_000_000_000 + nanoseconds - stamp_ns) // 1000))


def own_sessions(transport: Any, profile: Any) -> tuple[pylibsrtp.Session, pylibsrtp.Session]:
    """(sending, receiving) sessions of our own with the keys of a connected aiortc DTLS transport (RFC 5764 §4.2).

    libsrtp's sessions are not for two threads: aiortc keeps its own for RTCP in the event loop.
    """
    keys = transport._ssl.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (profile.key_length + profile.salt_length))
    ours, theirs = (1, 0) if transport._role == "server" else (0, 1)
    kinds = ((ours, pylibsrtp.Policy.SSRC_ANY_OUTBOUND), (theirs, pylibsrtp.Policy.SSRC_ANY_INBOUND))
    tx, rx = (
        pylibsrtp.Session(
            pylibsrtp.Policy(key=profile.get_key_and_salt(keys, side), ssrc_type=kind, srtp_profile=profile.libsrtp_profile)
        )
        for side, kind in kinds
    )
    return tx, rx
