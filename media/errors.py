"""The media plane's errors: one tree, stable codes. Foreign exceptions never leave this package.

``PeerFault`` is the fault of whoever sent the bytes, ``CallerBug`` of the code that called, ``Exhausted`` a full bound,
``DependencyFailure`` the failure of something below (DTLS, SRTP, a socket).
"""


class MediaError(Exception):
    """``code`` is stable; ``detail`` is one sentence that says nothing secret."""

    code = "media"

    def __init__(self, detail: str = "", code: str = "") -> None:
        self.code = code or type(self).code
        self.detail = detail
        super().__init__(f"{self.code}: {detail}" if detail else self.code)


class PeerFault(MediaError):
    code = "peer_fault"


class OfferRefused(PeerFault):
    """An offer that is well formed but cannot be answered."""

    code = "offer_refused"


class CallerBug(MediaError):
    code = "caller_bug"


class UnknownRoom(CallerBug):
    code = "unknown_room"


class Exhausted(MediaError):
    """A bound on rooms, peers or publications is reached."""

    code = "exhausted"


class DependencyFailure(MediaError):
    code = "dependency"


class HandshakeFailed(DependencyFailure):
    """DTLS did not reach ``connected``: deadline, wrong fingerprint, no common SRTP profile."""

    code = "handshake_failed"


class SrtpError(DependencyFailure):
    code = "srtp"
