"""Every error that the media package raises on purpose. ``code`` is stable and for machines, ``detail`` is safe to show.

Three kinds: the peer's fault (``PeerError``: what a browser, or a stranger, sent), a dependency's failure
(``MediaUnavailableError``) and the caller's own bug (``ControlError``: wrong order or a broken control stream).
"""


class MediaError(Exception):
    """Root of the tree."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


class PeerError(MediaError):
    """The peer's fault: what it sent cannot be read or answered."""


class SdpError(PeerError):
    """A session description that cannot be read or answered."""


class RtcpError(PeerError):
    """An RTCP compound packet that cannot be read."""


class MediaRefusedError(PeerError):
    """What ``MediaClient.connect`` raises when the worker cannot answer the offer."""


class MediaUnavailableError(MediaError):
    """No worker, or it did not answer in time."""


class ControlError(MediaError):
    """The stream between the supervisor and a worker is broken: a frame too large, or not a known message."""


class ExhaustedError(MediaError):
    """A bound on rooms, peers or publications is reached."""


class HandshakeError(MediaUnavailableError):
    """DTLS did not reach ``connected``: deadline, wrong fingerprint, no common SRTP profile."""


class SrtpError(MediaUnavailableError):
    """libsrtp refused, or a packet does not fit the bound on its length."""
