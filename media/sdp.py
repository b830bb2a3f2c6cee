"""Offers: the lines of a session description that a forwarding server needs, read strictly. S.

RFC 8866 (SDP), RFC 8829 (JSEP), RFC 9143 (BUNDLE), RFC 8853 (simulcast), RFC 8851 (rid), RFC 8839 (ICE), RFC 8841 (data
channel), RFC 8285 (header extensions), RFC 4588 (RTX), RFC 5576 (ssrc). Everything is bounded; what is not understood is
skipped; what is understood and wrong is an ``SdpError`` with a stable code.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["audio", "video", "application"]
Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
Source = Literal["microphone", "camera", "screen"]
Role = Literal["publish", "slot", "data", "idle", "rejected"]


@dataclass(frozen=True, slots=True)
class Codec:
    """One payload type of an offer, its RTX folded in.

    ``name`` as registered ("opus", "VP8", "H264", …). ``parameters``: fmtp, keys in lower case. ``feedback``: as in rtcp-fb
    ("nack", "nack pli", "ccm fir", "transport-cc", "goog-remb"). ``key``: equal for codecs that one can be forwarded as
    the other, e.g. "opus", "VP8", "H264/42e0/1", "VP9/0", "AV1/0"; None when it is not forwardable.
    """

    payload_type: int
    name: str
    clock_rate: int
    channels: int = 1
    parameters: Mapping[str, str] = field(default_factory=dict)
    feedback: frozenset[str] = frozenset()
    rtx_payload_type: int | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class ExtensionIds:
    """RTP header extension ids, 1–14; 0 when not negotiated."""

    mid: int = 0
    rid: int = 0
    rrid: int = 0
    twcc: int = 0
    audio_level: int = 0
    abs_send_time: int = 0


@dataclass(frozen=True, slots=True)
class MediaSection:
    """One m-section of an offer.

    ``role`` and ``source``: what it is for; the first audio that sends is the microphone, the first video the camera, the
    second the screen. ``rids``: send rids in the order of the offer. ``ssrcs``: announced media SSRCs (RTX ones excluded);
    ``fid``: media SSRC → RTX SSRC.
    """

    index: int
    mid: str
    kind: Kind
    direction: Direction
    role: Role
    source: Source | None = None
    protocol: str = "UDP/TLS/RTP/SAVPF"
    formats: tuple[str, ...] = ()
    codecs: tuple[Codec, ...] = ()
    extensions: ExtensionIds = ExtensionIds()
    rids: tuple[str, ...] = ()
    ssrcs: tuple[int, ...] = ()
    fid: Mapping[int, int] = field(default_factory=dict)
    sctp_port: int | None = None
    max_message_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """``algorithm``: "sha-256", "sha-384" or "sha-512". ``value``: upper-case hex pairs joined by colons."""

    algorithm: str
    value: str


@dataclass(frozen=True, slots=True)
class Offer:
    """``ufrag``, ``pwd``, ``fingerprints`` are of the one bundled transport."""

    sections: tuple[MediaSection, ...]
    ufrag: str
    pwd: str
    fingerprints: tuple[Fingerprint, ...]

    @property
    def slots(self) -> tuple[MediaSection, ...]:
        """The receive-only audio and video sections."""
        return tuple(s for s in self.sections if s.role == "slot")


def parse_offer(text: str) -> Offer:
    """Read an offer. Raises SdpError, nothing else."""
    raise NotImplementedError
