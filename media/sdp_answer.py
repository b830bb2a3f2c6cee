"""Answers: what the relay negotiates for an offer, and its text. S.

The answer is ICE-lite and DTLS-passive, bundles everything, and says once and for all which payload types, header
extensions and SSRCs each section uses: nothing is renegotiated later.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from media.sdp import ExtensionIds, Fingerprint, Kind, Offer, Role, Source

DEFAULT_VIDEO_CODECS = ("VP8", "H264", "VP9", "AV1")
MAX_MESSAGE_BYTES = 262_144
SCTP_PORT = 5000


@dataclass(frozen=True, slots=True)
class Candidate:
    """A host candidate over UDP. ``address``: IPv4 or IPv6 text."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class SlotSsrcs:
    """What the relay sends with in one slot; chosen by the caller, kept over ICE restarts. Audio uses ``ssrc`` only."""

    ssrc: int
    rtx_ssrc: int


@dataclass(frozen=True, slots=True)
class LocalTransport:
    """The relay's side of the transport. ``session_id`` stays and ``session_version`` grows over the answers to one peer."""

    ufrag: str
    pwd: str
    fingerprints: tuple[Fingerprint, ...]
    candidates: tuple[Candidate, ...]
    session_id: int
    session_version: int = 1


@dataclass(frozen=True, slots=True)
class NegotiatedCodec:
    """``key``: as in ``sdp.Codec``; a publication fits a slot that has a codec of the same key."""

    key: str
    name: str
    payload_type: int
    clock_rate: int
    rtx_payload_type: int | None = None
    nack: bool = False
    pli: bool = False
    transport_cc: bool = False
    remb: bool = False


@dataclass(frozen=True, slots=True)
class NegotiatedSection:
    """What was agreed for one section.

    publish: ``codecs`` has exactly one, ``rids``/``ssrcs``/``fid`` are the publisher's. slot: ``codecs`` are all that may be
    forwarded into it, ``ssrc``/``rtx_ssrc`` the relay's. data: ``sctp_port``/``max_message_bytes`` are the peer's.
    idle (agreed inactive) and rejected ones carry nothing.
    """

    index: int
    mid: str
    kind: Kind
    role: Role
    source: Source | None = None
    codecs: tuple[NegotiatedCodec, ...] = ()
    extensions: ExtensionIds = ExtensionIds()
    rids: tuple[str, ...] = ()
    ssrcs: tuple[int, ...] = ()
    fid: Mapping[int, int] | None = None
    ssrc: int = 0
    rtx_ssrc: int = 0
    sctp_port: int = 0
    max_message_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """``sdp``: the text to send. ``sections``: one per section of the offer, in its order."""

    sdp: str
    sections: tuple[NegotiatedSection, ...]


def make_answer(
    offer: Offer,
    local: LocalTransport,
    slot_ssrcs: Mapping[str, SlotSsrcs],
    video_codecs: tuple[str, ...] = DEFAULT_VIDEO_CODECS,
) -> Answer:
    """Answer an offer. ``slot_ssrcs``: by mid, one for each of ``offer.slots``. Raises SdpError (nothing can be agreed)."""
    raise NotImplementedError
