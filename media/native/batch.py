"""``SendBatch`` whose packets C may add to, and which C sends: datagrams of one size to one destination leave as one (UDP GSO)."""

import socket
from typing import Any

from media.native.library import Library
from media.transport.mmsg import SendBatch


class NativeBatch(SendBatch):
    """``calls``: how often the kernel was called. ``joins``: whether datagrams are joined; ends where the kernel refuses it."""

    def __init__(self, sock: socket.socket, library: Library, *, join: bool = True) -> None:
        ffi = library.ffi
        self._flush = library.lib.tp_flush
        self.struct: Any = ffi.new("struct tp_batch *")
        super().__init__(sock, use_mmsg=True)
        self.struct.fd = sock.fileno()
        self.struct.gso = join
        for i, memory in enumerate(self.buffers):
            self.struct.memory[i] = ffi.from_buffer("uint8_t *", memory)
        self.struct.iov = ffi.from_buffer("uint64_t *", self.iov)
        self.struct.headers = ffi.from_buffer("uint64_t *", self.headers)

    @property
    def count(self) -> int:
        return int(self.struct.count)

    @count.setter
    def count(self, value: int) -> None:
        self.struct.count = value

    @property
    def sent(self) -> int:
        return int(self.struct.sent)

    @sent.setter
    def sent(self, value: int) -> None:
        self.struct.sent = value

    @property
    def dropped(self) -> int:
        return int(self.struct.dropped)

    @dropped.setter
    def dropped(self, value: int) -> None:
        self.struct.dropped = value

    @property
    def calls(self) -> int:
        return int(self.struct.calls)

    @property
    def joins(self) -> bool:
        return bool(self.struct.gso)

    def flush(self) -> None:
        """Send everything now. Never blocks, never raises."""
        self._flush(self.struct)
