"""Many datagrams per system call: ``recvmmsg`` and ``sendmmsg`` through cffi, with a fall-back to one by one. Linux.

Buffers are laid out once. Addresses are raw ``sockaddr`` bytes throughout (dictionary keys on receipt, pointers on sending),
so nothing is formatted or parsed per packet. Sending never blocks: what the socket does not take is dropped and counted.
"""

import errno
import ipaddress
import socket
import struct
from typing import Any

from cffi import FFI

from media.transport.sizes import PACKET_BYTES, SEND_BATCH

RECEIVE_BATCH = 64

ffi = FFI()
ffi.cdef(
    """
    struct iovec { void *iov_base; size_t iov_len; };
    struct msghdr { void *msg_name; uint32_t msg_namelen; struct iovec *msg_iov; size_t msg_iovlen;
                    void *msg_control; size_t msg_controllen; int msg_flags; };
    struct mmsghdr { struct msghdr msg_hdr; unsigned int msg_len; };
    int recvmmsg(int sockfd, struct mmsghdr *msgvec, unsigned int vlen, int flags, void *timeout);
    int sendmmsg(int sockfd, struct mmsghdr *msgvec, unsigned int vlen, int flags);
    """
)


def _load() -> Any:
    try:
        library = ffi.dlopen(None)
        _ = library.recvmmsg, library.sendmmsg
    except (OSError, AttributeError):
        return None
    return library


_lib = _load()
# Headers are read and filled by word index; this holds on 64-bit Linux and is checked, not assumed.
_LAYOUT_OK = (
    ffi.sizeof("struct mmsghdr") == 64
    and ffi.sizeof("struct iovec") == 16
    and ffi.offsetof("struct msghdr", "msg_namelen") == 8
    and ffi.offsetof("struct msghdr", "msg_flags") == 48
    and ffi.offsetof("struct mmsghdr", "msg_len") == 56
)
AVAILABLE = _lib is not None and _LAYOUT_OK
_MSG_DONTWAIT = 0x40
_MSG_TRUNC = int(socket.MSG_TRUNC)


def pack_address(host: str, port: int) -> bytes:
    """The ``sockaddr`` of a numeric host and port. Raises ValueError for anything that is not an address."""
    address = ipaddress.ip_address(host)
    if address.version == 4:
        return struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + address.packed + bytes(8)
    return struct.pack("=H", socket.AF_INET6) + struct.pack("!HI", port, 0) + address.packed + bytes(4)


def unpack_address(key: bytes) -> tuple[str, int]:
    """``(numeric host, port)`` of a ``sockaddr``; the scope of a link-local address is not part of the text."""
    port = key[2] << 8 | key[3]
    if len(key) == 16:
        return str(ipaddress.IPv4Address(key[4:8])), port
    return str(ipaddress.IPv6Address(key[8:24])), port


class Destination:
    """Where to send: kept memory with a ``sockaddr``, and the family that says which socket."""

    __slots__ = ("_memory", "family", "host", "key", "length", "pointer", "port")

    def __init__(self, key: bytes) -> None:
        self.key = key
        self._memory = ffi.new("char[]", key)
        self.pointer = int(ffi.cast("uintptr_t", self._memory))
        self.length = len(key)
        self.family = socket.AF_INET if len(key) == 16 else socket.AF_INET6
        self.host, self.port = unpack_address(key)

    @property
    def sockname(self) -> tuple[str, int] | tuple[str, int, int, int]:
        if self.family == socket.AF_INET:
            return self.host, self.port
        return self.host, self.port, 0, int.from_bytes(self.key[24:28], "little")


class ReceiveBatch:
    """``fill(sock)`` takes up to ``RECEIVE_BATCH`` datagrams; packet ``i`` is ``views[i][:lengths[i]]`` from ``keys[i]``.

    ``views[i]`` is writable memory of ``PACKET_BYTES``; ``memory[i]`` is the same for C. A datagram that did not fit has
    length 0, and nobody reads it.
    """

    def __init__(self, *, use_mmsg: bool = AVAILABLE) -> None:
        count = RECEIVE_BATCH
        self.memory = [ffi.new("char[]", PACKET_BYTES) for _ in range(count)]
        self.views = [memoryview(ffi.buffer(m)).cast("B") for m in self.memory]
        self.lengths = [0] * count
        self.keys = [b""] * count
        self._use = use_mmsg and AVAILABLE
        self._names = ffi.new("char[]", 32 * count)
        self._name_view = memoryview(ffi.buffer(self._names)).cast("B")
        self._iov = ffi.new("struct iovec[]", count)
        self._headers = ffi.new("struct mmsghdr[]", count)
        for i in range(count):
            self._iov[i].iov_base = self.memory[i]
            self._iov[i].iov_len = PACKET_BYTES
            header = self._headers[i].msg_hdr
            header.msg_name = self._names + 32 * i
            header.msg_namelen = 28
            header.msg_iov = self._iov + i
            header.msg_iovlen = 1
        self._words = memoryview(ffi.buffer(self._headers)).cast("B").cast("I")

    def fill(self, sock: socket.socket) -> int:
        """How many datagrams came in; 0 when none waits. Socket errors of earlier sends (ICMP) count as none."""
        if not self._use:
            return self._fill_one_by_one(sock)
        got: int = _lib.recvmmsg(sock.fileno(), self._headers, RECEIVE_BATCH, _MSG_DONTWAIT, ffi.NULL)
        if got <= 0:
            return 0
        words = self._words
        names = self._name_view
        for i in range(got):
            at = 32 * i
            word = 16 * i
            self.keys[i] = bytes(names[at : at + words[word + 2]])
            self.lengths[i] = 0 if words[word + 12] & _MSG_TRUNC else words[word + 14]
            words[word + 2] = 28
        return got

    def headers(self) -> int:
        """Where in memory the ``mmsghdr`` are, for C that fills them itself. ``look`` then at those that matter."""
        return int(ffi.cast("uintptr_t", self._headers))

    def look(self, i: int) -> None:
        """Bring ``keys[i]`` and ``lengths[i]`` up to date."""
        word = 16 * i
        self.keys[i] = bytes(self._name_view[32 * i : 32 * i + self._words[word + 2]])
        self.lengths[i] = 0 if self._words[word + 12] & _MSG_TRUNC else self._words[word + 14]

    def _fill_one_by_one(self, sock: socket.socket) -> int:
        for i in range(RECEIVE_BATCH):
            try:
                size, _, flags, name = sock.recvmsg_into([self.views[i]])
            except OSError:
                return i
            key = pack_address(name[0].partition("%")[0], name[1])
            if len(name) == 4 and name[3]:
                key = key[:24] + struct.pack("=I", name[3])
            self.keys[i] = key
            self.lengths[i] = 0 if flags & socket.MSG_TRUNC else size
        return RECEIVE_BATCH


class SendBatch:
    """Datagrams to go out together through one socket.

    The filler writes packet ``count`` into ``buffers[count]`` (C: ``memory[count]``), its length into ``iov[2*count+1]`` and its
    destination into ``headers[8*count]`` and ``name_lengths[16*count+2]``, and raises ``count``; ``flush`` before it reaches
    ``SEND_BATCH``. ``dropped`` counts what the socket did not take.
    """

    def __init__(self, sock: socket.socket, *, use_mmsg: bool = AVAILABLE) -> None:
        self.sock = sock
        self._use = use_mmsg and AVAILABLE
        self.count = 0
        self.sent = 0
        self.dropped = 0
        n = SEND_BATCH
        self.memory = [ffi.new("char[]", PACKET_BYTES) for _ in range(n)]
        self.buffers = [memoryview(ffi.buffer(m)).cast("B") for m in self.memory]
        self._iov = ffi.new("struct iovec[]", n)
        self._headers = ffi.new("struct mmsghdr[]", n)
        for i in range(n):
            self._iov[i].iov_base = self.memory[i]
            header = self._headers[i].msg_hdr
            header.msg_iov = self._iov + i
            header.msg_iovlen = 1
        self.iov = memoryview(ffi.buffer(self._iov)).cast("B").cast("Q")
        raw = memoryview(ffi.buffer(self._headers)).cast("B")
        self.headers = raw.cast("Q")
        self.name_lengths = raw.cast("I")
        self.destinations: list[Destination | None] = [None] * n

    def put(self, data: bytes | memoryview, to: Destination) -> None:
        """Add one datagram (the slow path: STUN, DTLS, RTCP). Too long a datagram is dropped and counted."""
        if len(data) > PACKET_BYTES:
            self.dropped += 1
            return
        if self.count >= SEND_BATCH:
            self.flush()
        i = self.count
        self.buffers[i][: len(data)] = data
        self.address(i, len(data), to)
        self.count = i + 1

    def address(self, i: int, length: int, to: Destination) -> None:
        """Say how long packet ``i`` is and where it goes; keeps ``to`` alive until the flush."""
        self.iov[2 * i + 1] = length
        self.headers[8 * i] = to.pointer
        self.name_lengths[16 * i + 2] = to.length
        self.destinations[i] = to

    def flush(self) -> None:
        """Send everything now. Never blocks, never raises."""
        total = self.count
        if not total:
            return
        self.count = 0
        if not self._use:
            self._flush_one_by_one(total)
            return
        fd = self.sock.fileno()
        at = 0
        while at < total:
            took: int = _lib.sendmmsg(fd, self._headers + at, total - at, _MSG_DONTWAIT)
            if took > 0:
                self.sent += took
                at += took
                continue
            if ffi.errno in (errno.EAGAIN, errno.ENOBUFS):  # full: the rest is late already
                self.dropped += total - at
                return
            if ffi.errno == errno.EINTR:
                continue
            self.dropped += 1  # this one cannot be sent (unreachable, refused earlier): go on with the next
            at += 1

    def _flush_one_by_one(self, total: int) -> None:
        for i in range(total):
            to = self.destinations[i]
            if to is None:  # pragma: no cover - the filler always gives one
                continue
            try:
                self.sock.sendto(self.buffers[i][: self.iov[2 * i + 1]], to.sockname)
                self.sent += 1
            except OSError:
                self.dropped += 1
