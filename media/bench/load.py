"""The load's data plane: one thread that sends SRTP at a steady rate and receives, decrypts and times what comes back.

Datagrams are taken by ``recvmmsg`` with the kernel's receive time; every media packet carries the wall clock at which it was
made, so the latency is from before encryption at the publisher to arrival at the subscriber's socket, whatever this thread
is doing. What is not SRTP (STUN, DTLS) goes back to the event loop that owns the socket. Every subscriber tells what it received as
a browser does (``viewer``), every publisher sends its reports (``stream``); nothing lost is asked for again, so that it shows.
"""

import asyncio
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pylibsrtp

from media.bench.stream import Camera, Stamp, read_stamp
from media.bench.viewer import FEEDBACK_S, REPORT_S, Viewer, read_header
from media.errors import RtcpError
from media.transport import srtp
from media.transport.mmsg import ffi

PACKET_BYTES = 2048
BATCH = 64
CONTROL_BYTES = 64
RECEIVE_BUFFER_BYTES = 4 << 20
SO_TIMESTAMPNS = 35
"""Linux, asm-generic/socket.h; Python's socket module does not name it."""
_NTP_EPOCH = 2208988800
_TIME = struct.Struct("=qq")


@dataclass(slots=True, eq=False)
class Publisher:
    """``tx`` protects what goes to ``to``."""

    index: int
    sock: socket.socket
    to: tuple[str, int]
    tx: pylibsrtp.Session
    camera: Camera
    report_at: float = 0.0


@dataclass(slots=True, eq=False)
class Receiver:
    """``seen``: publisher → which numbers of the window came in. ``other`` gets what is not SRTP, in the loop's thread.

    ``tx`` and ``to``: for its RTCP. ``at``: when it speaks next (time.monotonic).
    """

    sock: socket.socket
    rx: pylibsrtp.Session
    tx: pylibsrtp.Session
    to: tuple[str, int]
    viewer: Viewer
    other: Callable[[bytes, tuple[str, int]], None]
    seen: dict[int, bytearray] = field(default_factory=dict)
    refused: int = 0
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Window:
    """``sent``: packets sent by all publishers. ``received``: distinct ones over all receivers. ``latencies_us``: sorted.

    ``feedbacks``: packets of transport-wide feedback sent meanwhile. ``load_cpu_s``: of the thread, over ``elapsed_s``.
    """

    sent: int
    received: int
    duplicates: int
    refused: int
    feedbacks: int
    load_cpu_s: float
    elapsed_s: float
    latencies_us: tuple[int, ...]

    def percentile_ms(self, quantile: float) -> float:
        if not self.latencies_us:
            return 0.0
        return self.latencies_us[min(len(self.latencies_us) - 1, int(quantile * len(self.latencies_us)))] / 1000


class Load:
    """Add publishers and receivers, ``start``, then ``window`` as often as wanted, ``stop``. ``burst``: packets sent at once."""

    def __init__(self, payload_bytes: int, burst: int = 1) -> None:
        self.payload_bytes = payload_bytes
        self.burst = burst
        self._publishers: list[Publisher] = []
        self._receivers: dict[int, Receiver] = {}
        self._speakers: deque[Receiver] = deque()
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
        self._used = (0.0, 0.0)
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
        self._speakers.append(receiver)
        self._epoll.register(sock.fileno(), select.EPOLLIN)

    def start(self) -> None:
        """From now on every receiver speaks each ``FEEDBACK_S``, all of them evenly spread."""
        begin = time.monotonic()
        for index, receiver in enumerate(self._speakers):
            receiver.at = begin + FEEDBACK_S * (1 + index / len(self._speakers))
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
        feedbacks = self._feedbacks()
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
            feedbacks=self._feedbacks() - feedbacks,
            load_cpu_s=self._used[0],
            elapsed_s=self._used[1],
            latencies_us=tuple(sorted(self._latencies)),
        )

    def _feedbacks(self) -> int:
        return sum(receiver.viewer.feedbacks for receiver in self._receivers.values())

    # ---- in the thread

    def _run(self) -> None:
        while not self._stopping:
            order = self._order
            if order is None:
                self._receive(0.002)
                self._speak(time.monotonic())
                continue
            step, drain_s, count, expected = order
            publishers = self._publishers
            begun, used = time.monotonic(), time.thread_time()
            start = begun + 0.002
            burst = self.burst
            block = burst * len(publishers)
            total = -(-count // burst) * block
            spread = step / max(1, len(publishers))
            n = 0
            while n < total and not self._stopping:
                now = time.monotonic()
                self._speak(now)
                while n < total and start + n // burst * burst * spread <= now:
                    number = n // block * burst + n % burst
                    if number < count:
                        self._send(publishers[n % block // burst], number)
                    n += 1
                self._receive(max(0.0, start + n // burst * burst * spread - time.monotonic()))
            end = time.monotonic() + drain_s
            while self._packets < expected and time.monotonic() < end and not self._stopping:
                self._receive(0.002)
                self._speak(time.monotonic())
            self._used = time.thread_time() - used, time.monotonic() - begun
            self._order = None
            self._loop.call_soon_threadsafe(self._ended.set)

    def _send(self, publisher: Publisher, number: int) -> None:
        stamp = Stamp(self._window, publisher.index, number, time.time_ns())
        size = publisher.camera.write(self._out_view, stamp, keys=self._keys)
        self._sent += self._put(srtp.protect, publisher.tx, size, publisher.sock, publisher.to)

    def _put(self, cipher: srtp.Cipher, tx: pylibsrtp.Session, size: int, sock: socket.socket, to: tuple[str, int]) -> bool:
        """Protect and send what is in the buffer. False when the socket does not take it."""
        self._length[0] = size
        if cipher(srtp.context(tx), self._out, self._length):
            raise RuntimeError("the load cannot protect its own packet")
        try:
            sock.sendto(self._out_view[: self._length[0]], to)
        except BlockingIOError:
            return False
        return True

    def _say(self, plain: bytes, tx: pylibsrtp.Session, sock: socket.socket, to: tuple[str, int]) -> None:
        self._out_view[: len(plain)] = plain
        self._put(srtp.protect_rtcp, tx, len(plain), sock, to)

    def _speak(self, now: float) -> None:
        """RTCP of all whose time has come."""
        speakers = self._speakers
        while speakers and speakers[0].at <= now:
            receiver = speakers[0]
            speakers.rotate(-1)
            receiver.at = max(receiver.at + FEEDBACK_S, now)
            for packet in receiver.viewer.due(now):
                self._say(packet, receiver.tx, receiver.sock, receiver.to)
        for publisher in self._publishers:
            if now - publisher.report_at >= REPORT_S and publisher.camera.number:
                publisher.report_at = now
                self._say(publisher.camera.report(ntp_now()), publisher.tx, publisher.sock, publisher.to)

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
        length = self._length
        length[0] = size
        memory = self._memory[i]
        if 192 <= view[1] < 224:
            if srtp.unprotect_rtcp(srtp.context(receiver.rx), memory, length):
                receiver.refused += 1
            else:
                self._heard(receiver, bytes(view[: length[0]]))
            return
        if srtp.unprotect(srtp.context(receiver.rx), memory, length):
            receiver.refused += 1
            return
        seconds, nanoseconds = _TIME.unpack_from(self._control_view, CONTROL_BYTES * i + 16)
        arrived_ns = seconds * 1_000_000_000 + nanoseconds
        viewer = receiver.viewer
        ssrc, seq, twcc, start = read_header(view, size, viewer.twcc_id)
        viewer.note(ssrc, seq, twcc, arrived_ns // 1000)
        self._arrived(receiver, view, start, length[0], ssrc, arrived_ns)

    def _arrived(self, receiver: Receiver, view: memoryview, start: int, size: int, ssrc: int, arrived_ns: int) -> None:
        """A media packet came, decrypted: its payload is ``view[start:size]``."""
        stamp = read_stamp(view, start, size)
        if stamp is None or stamp.window != self._window:
            return
        self._packets += 1
        receiver.seen[stamp.publisher][stamp.number] = 1
        self._latencies.append(max(0, (arrived_ns - stamp.made_ns) // 1000))

    def _heard(self, receiver: Receiver, plain: bytes) -> None:
        try:
            receiver.viewer.on_rtcp(plain, time.monotonic())
        except RtcpError:
            receiver.refused += 1


def ntp_now() -> int:
    """The wall clock as a 64-bit NTP timestamp (RFC 3550 section 4)."""
    return (time.time_ns() + _NTP_EPOCH * 1_000_000_000 << 32) // 1_000_000_000


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
