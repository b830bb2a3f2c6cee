"""DTLS by aiortc's transport behind an adapter of our own: bounded queue, deadline, one step of a handshake at a time.

RFC 8827 section 6.5 (fingerprints), RFC 5764 (SRTP keys). aiortc verifies that every fingerprint of the offer with a known
algorithm matches the peer's certificate and negotiates AEAD_AES_256_GCM, AEAD_AES_128_GCM or AES128_CM_SHA1_80; we are always
the passive side. Its private names are pinned and named in ``tests/contract/test_private_names.py``.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport

from media.errors import HandshakeError
from media.transport.srtp import Protector
from media.wire.sdp import Fingerprint

QUEUE_DATAGRAMS = 128
"""Datagrams waiting for DTLS; when full the newest is dropped (DTLS and SCTP repeat what is lost)."""
HANDSHAKE_DEADLINE_S = 15.0
MAX_DATAGRAM_BYTES = 2048
_NO_SESSIONS = 0
"""``SSL_SESS_CACHE_OFF``: nobody resumes a connection here, so nothing is kept for it."""


class _Certificate(RTCCertificate):
    """Its SSL context serves all connections. aiortc makes one for each: 1.5 ms, 25 KiB, and a circle of references that waits
    for the collector."""

    _shared: Any = None

    def _create_ssl_context(self, srtp_profiles: Any) -> Any:
        if self._shared is None:
            self._shared = super()._create_ssl_context(srtp_profiles)
            self._shared.set_session_cache_mode(_NO_SESSIONS)
        return self._shared


class Identity:
    """The process's certificate, and whose turn it is to go on with a handshake; one per worker.

    A handshake costs about 3 ms of this process. One step of one of them is taken per turn of the event loop, so that media is
    read in between; those that wait for their peer hold nobody up.
    """

    def __init__(self) -> None:
        self.certificate: RTCCertificate = _Certificate.generateCertificate()
        self.turn = asyncio.Lock()

    @property
    def fingerprints(self) -> tuple[Fingerprint, ...]:
        return tuple(Fingerprint(f.algorithm, f.value) for f in self.certificate.getFingerprints()[:1])


class DtlsEndpoint:
    """What ``RTCDtlsTransport`` takes for an ICE transport, and its life: ``start`` once, ``feed`` datagrams, ``stop``."""

    role = "controlled"

    def __init__(self, identity: Identity, send: Callable[[bytes], None]) -> None:
        self._identity = identity
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUE_DATAGRAMS)
        self._send_now = send
        self._closed = False
        self.dropped = 0
        as_ice: Any = self  # what aiortc uses of an ICE transport is below
        self.transport = RTCDtlsTransport(as_ice, [identity.certificate])
        self.transport._set_role("server")

    # ---- what aiortc calls

    @property
    def state(self) -> str:
        return "closed" if self._closed else "completed"

    async def _recv(self) -> bytes:
        data = await self._queue.get()
        if not self.connected:
            async with self._identity.turn:
                await asyncio.sleep(0)
        if data is None or self._closed:
            raise ConnectionError("closed")
        return data

    async def _send(self, data: bytes) -> None:
        if self._closed:
            raise ConnectionError("closed")
        self._send_now(data)

    # ---- what the peer calls

    def feed(self, data: bytes) -> None:
        """A DTLS datagram from a proven address."""
        if self._closed or not data:
            return
        try:
            self._queue.put_nowait(data)
        except asyncio.QueueFull:
            self.dropped += 1

    async def start(self, fingerprints: Sequence[Fingerprint]) -> Protector:
        """Handshake as the passive side. Raises HandshakeError (deadline, fingerprint, no common SRTP profile)."""
        wanted = RTCDtlsParameters([RTCDtlsFingerprint(f.algorithm, f.value) for f in fingerprints], "auto")
        if not wanted.fingerprints:
            raise HandshakeError("no_fingerprint")
        try:
            async with asyncio.timeout(HANDSHAKE_DEADLINE_S):
                await self.transport.start(wanted)
        except TimeoutError:
            raise HandshakeError("handshake_timeout") from None
        except ConnectionError:
            raise HandshakeError("handshake_closed") from None
        except Exception as error:  # OpenSSL errors of many kinds on hostile records
            raise HandshakeError("handshake_failed", type(error).__name__) from error
        if self.transport.state != "connected":
            raise HandshakeError("handshake_failed", "not connected")
        # aiortc's pump may end with an exception of OpenSSL's; look at it, so that it is not reported as forgotten
        pump = self.transport._task
        if pump is not None:
            pump.add_done_callback(_look)
        return Protector(self.transport._tx_srtp, self.transport._rx_srtp)

    @property
    def connected(self) -> bool:
        return bool(self.transport.state == "connected")

    async def stop(self) -> None:
        """Say goodbye and end. Never raises. What it held is free at once: the circles of references are cut."""
        pump = self.transport._task
        try:
            with contextlib.suppress(Exception):
                await self.transport.stop()
            self._closed = True
            while not self._queue.empty():
                self._queue.get_nowait()
            self._queue.put_nowait(None)
            if pump is not None:
                await asyncio.wait([pump])
        finally:
            self._closed = True
            self._send_now = _send_nowhere
            parts: Any = self.transport
            parts._transport = parts._data_receiver = None


def _send_nowhere(data: bytes) -> None:
    """After the end."""


def _look(task: "asyncio.Future[None]") -> None:
    if not task.cancelled():
        task.exception()
