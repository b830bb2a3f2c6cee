"""SRTP in place: libsrtp called on our own buffers (1-2 microseconds), RFC 3711 and RFC 7714.

``pylibsrtp._binding`` is private: the version is pinned and ``tests/contract/test_private_names.py`` names what we use.
Every return code is checked by the callers:
0 is success, anything else means that the packet must not be used.
"""

from collections.abc import Callable
from typing import Any

import pylibsrtp
from pylibsrtp._binding import ffi as _ffi
from pylibsrtp._binding import lib as _lib

from media.errors import SrtpError
from media.transport.sizes import PACKET_BYTES, SRTP_TRAILER_BYTES

MAX_PLAIN_BYTES = PACKET_BYTES - SRTP_TRAILER_BYTES

Cipher = Callable[[Any, Any, Any], int]

protect: Cipher = _lib.srtp_protect
unprotect: Cipher = _lib.srtp_unprotect
protect_rtcp: Cipher = _lib.srtp_protect_rtcp
unprotect_rtcp: Cipher = _lib.srtp_unprotect_rtcp


def address(ctx: Any) -> int:
    """Where a context is in memory, for C that calls libsrtp itself."""
    return int(_ffi.cast("uintptr_t", ctx))


def protect_address() -> int:
    """Where ``srtp_protect`` is in memory."""
    return _function("srtp_protect")


def unprotect_addresses() -> tuple[int, int]:
    """Where ``srtp_unprotect`` and ``srtp_unprotect_rtcp`` are in memory."""
    return _function("srtp_unprotect"), _function("srtp_unprotect_rtcp")


def _function(name: str) -> int:
    return int(_ffi.cast("uintptr_t", _ffi.addressof(_lib, name)))


def new_length() -> Any:
    """An ``int *`` for the length argument."""
    return _ffi.new("int *")


def new_buffer(size: int = PACKET_BYTES) -> tuple[Any, memoryview]:
    """Memory for C and the same memory for Python."""
    memory = _ffi.new("char[]", size)
    return memory, memoryview(_ffi.buffer(memory)).cast("B")


def context(session: pylibsrtp.Session) -> Any:
    """The ``srtp_t`` of a session; valid while the session lives."""
    return session._srtp[0]


class Protector:
    """RTCP and retransmissions, one at a time: bounded, errors as ``SrtpError``. One per peer."""

    def __init__(self, tx: pylibsrtp.Session, rx: pylibsrtp.Session) -> None:
        self.tx_session = tx
        self.rx_session = rx
        self.tx = context(tx)
        self.rx = context(rx)
        self._length = new_length()
        self._memory, self._view = new_buffer()

    def _run(self, call: Cipher, data: bytes) -> bytes:
        size = len(data)
        if size > MAX_PLAIN_BYTES:
            raise SrtpError("too_long", f"{size} bytes")
        self._view[:size] = data
        self._length[0] = size
        status = call(self.tx, self._memory, self._length)
        if status:
            raise SrtpError("refused", f"libsrtp status {status}")
        return bytes(self._view[: self._length[0]])

    def protect_rtcp(self, data: bytes) -> bytes:
        return self._run(protect_rtcp, data)

    def protect_rtp(self, data: bytes) -> bytes:
        return self._run(protect, data)

    def unprotect_rtcp(self, memory: Any, size: int) -> int:
        """What came in, in place. How long it is then; 0: it must not be used."""
        length = self._length
        length[0] = size
        return 0 if unprotect_rtcp(self.rx, memory, length) else int(length[0])
