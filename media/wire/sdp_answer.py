"""Answers: what the relay negotiates for an offer, and its text. S.

The answer is ICE-lite and DTLS-passive, bundles everything, and says once and for all which payload types, header
extensions and SSRCs each section uses: nothing is renegotiated later.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from media.errors import SdpError
from media.wire.sdp import EXTENSION_NAMES, Codec, ExtensionIds, Fingerprint, Kind, MediaSection, Offer, Role, Source

DEFAULT_VIDEO_CODECS = ("VP8", "H264", "VP9", "AV1")
MAX_MESSAGE_BYTES = 262_144
SCTP_PORT = 5000
CNAME = "tongping"
"""One canonical name for all that the relay sends: its sender reports are all of one clock, the relay's (RFC 3550 section 6.5.1)."""
NO_EXTENSIONS = ExtensionIds()

_KEY_ORDER = {"H264/42e0": 0, "H264/4200": 1}
_ECHOED = {
    "H264": ("level-asymmetry-allowed", "packetization-mode", "profile-level-id"),
    "VP9": ("profile-id",),
    "AV1": ("level-idx", "profile", "tier"),
    "opus": ("minptime", "useinbandfec", "usedtx"),
}
_ASKED_OF_VOICES = "minptime=10;useinbandfec=1;usedtx=1"
"""Of a publisher's Opus: each packet repeats the one before it coarsely (a loss is filled by whoever decodes), silence is not sent."""
_VALUE = re.compile(r"[0-9A-Za-z]{1,8}")
_DIRECTIONS = {"publish": "recvonly", "slot": "sendonly", "idle": "inactive"}


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
    """``key`` and ``red_payload_type``: as in ``sdp.Codec``; a publication fits a slot that has a codec of the same key.

    ``fmtp``: as offered, what matters to who decodes it.
    """

    key: str
    name: str
    payload_type: int
    clock_rate: int
    rtx_payload_type: int | None = None
    nack: bool = False
    pli: bool = False
    fir: bool = False
    transport_cc: bool = False
    remb: bool = False
    red_payload_type: int | None = None
    fmtp: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class NegotiatedSection:
    """What was agreed for one section.

    publish: ``codecs`` has exactly one, ``rids``/``ssrcs``/``fid`` are the publisher's. slot: ``codecs`` are all that may be
    forwarded into it, ``ssrc``/``rtx_ssrc`` the relay's. data: ``sctp_port``/``max_message_bytes`` are the peer's.
    idle (agreed inactive) and rejected ones carry no media. ``stream``: of a slot, what it is kept in step with; see
    ``slot_streams``.
    """

    index: int
    mid: str
    kind: Kind
    role: Role
    source: Source | None = None
    codecs: tuple[NegotiatedCodec, ...] = ()
    extensions: ExtensionIds = NO_EXTENSIONS
    rids: tuple[str, ...] = ()
    ssrcs: tuple[int, ...] = ()
    fid: Mapping[int, int] | None = None
    ssrc: int = 0
    rtx_ssrc: int = 0
    stream: str = ""
    sctp_port: int = 0
    max_message_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """``sdp``: the text to send. ``sections``: one per section of the offer, in its order."""

    sdp: str
    sections: tuple[NegotiatedSection, ...]


def _negotiated_codec(codec: Codec, key: str, role: Role, twcc: bool) -> NegotiatedCodec:
    """REMB is what a subscriber without transport-wide feedback may say; a publisher is not told any, so it is not promised.

    A voice is sent again on its own stream: what no browser offers, RTX for audio, is not agreed to.
    """
    transport_cc = twcc and "transport-cc" in codec.feedback
    nack = "nack" in codec.feedback
    return NegotiatedCodec(
        key=key,
        name=codec.name,
        payload_type=codec.payload_type,
        clock_rate=codec.clock_rate,
        rtx_payload_type=codec.rtx_payload_type if nack and codec.name != "opus" else None,
        nack=nack,
        fmtp=_kept_parameters(codec),
        pli="nack pli" in codec.feedback,
        fir="ccm fir" in codec.feedback,
        transport_cc=transport_cc,
        remb=role == "slot" and not transport_cc and "goog-remb" in codec.feedback,
        red_payload_type=codec.red_payload_type,
    )


def _forwardable(section: MediaSection, video_codecs: tuple[str, ...]) -> tuple[tuple[Codec, str], ...]:
    """The offered codecs that may be forwarded, best first, one per key."""
    ranks = {name: rank for rank, name in enumerate(video_codecs)} if section.kind == "video" else {"opus": 0}
    best: dict[str, Codec] = {}
    for codec in section.codecs:
        if codec.key is not None and codec.name in ranks:
            best.setdefault(codec.key, codec)
    return tuple(
        (codec, key) for key, codec in sorted(best.items(), key=lambda item: (ranks[item[1].name], _KEY_ORDER.get(item[0], 0)))
    )


def _extensions(section: MediaSection, role: Role, twcc: bool) -> ExtensionIds:
    """What is answered; rids only to a publisher of several."""
    offered = section.extensions
    simulcast = role == "publish" and bool(section.rids)
    return ExtensionIds(
        mid=offered.mid,
        rid=offered.rid if simulcast else 0,
        rrid=offered.rrid if simulcast else 0,
        twcc=offered.twcc if twcc else 0,
        audio_level=offered.audio_level if section.kind == "audio" else 0,
    )


def _negotiate(section: MediaSection, slot_ssrcs: Mapping[str, SlotSsrcs], video_codecs: tuple[str, ...]) -> NegotiatedSection:
    if section.role == "data":
        return NegotiatedSection(
            index=section.index,
            mid=section.mid,
            kind=section.kind,
            role="data",
            sctp_port=section.sctp_port or SCTP_PORT,
            max_message_bytes=section.max_message_bytes or 0,
        )
    usable = _forwardable(section, video_codecs) if section.role != "rejected" else ()
    if not usable:
        return NegotiatedSection(section.index, section.mid, section.kind, "rejected")
    if section.role != "slot":
        usable = usable[:1]
    twcc = bool(section.extensions.twcc) and any("transport-cc" in codec.feedback for codec, _ in usable)
    if section.role == "publish" and section.kind == "audio" and "nack" in usable[0][0].feedback:
        # A lost voice is sent again under its own number (there is no RTX for audio), where AEAD ciphers must not see another packet:
        # a new transport-wide number in the header would make it one (RFC 7714 section 8.1).
        twcc = False
    agreed = NegotiatedSection(
        index=section.index,
        mid=section.mid,
        kind=section.kind,
        role=section.role,
        source=section.source,
        codecs=tuple(_negotiated_codec(codec, key, section.role, twcc) for codec, key in usable),
        extensions=_extensions(section, section.role, twcc),
    )
    if section.role == "publish":
        rids = section.rids if agreed.extensions.mid and agreed.extensions.rid else ()
        return replace(agreed, rids=rids, ssrcs=section.ssrcs, fid=section.fid)
    if section.role == "slot":
        try:
            ssrcs = slot_ssrcs[section.mid]
        except KeyError:
            raise SdpError("slot_without_ssrc", section.mid) from None
        rtx = any(codec.rtx_payload_type is not None for codec in agreed.codecs)
        return replace(agreed, ssrc=ssrcs.ssrc, rtx_ssrc=ssrcs.rtx_ssrc if rtx else 0)
    return agreed


def _format_parameters(codec: NegotiatedCodec, offered: Codec, role: Role) -> str:
    """The answer's fmtp. RFC 7587 §7, RFC 6184 §8.2.2, RFC 9628 §6, AV1 RTP specification §7.2. Offered values are checked.

    Opus parameters say what their writer wants to receive: a publisher is told what the relay wants, a subscriber hears their own.
    """
    if codec.name == "opus" and role == "publish":
        return _ASKED_OF_VOICES
    return _kept_parameters(offered)


def _kept_parameters(codec: Codec) -> str:
    kept = ((name, codec.parameters.get(name, "")) for name in _ECHOED.get(codec.name, ()))
    return ";".join(f"{name}={value}" for name, value in kept if _VALUE.fullmatch(value))


def _codec_lines(agreed: NegotiatedSection, section: MediaSection) -> list[str]:
    by_type = {codec.payload_type: codec for codec in section.codecs}
    lines = []
    for codec in agreed.codecs:
        number = codec.payload_type
        lines.append(f"a=rtpmap:{number} {codec.name}/{codec.clock_rate}" + ("/2" if codec.name == "opus" else ""))
        parameters = _format_parameters(codec, by_type[number], agreed.role)
        if parameters:
            lines.append(f"a=fmtp:{number} {parameters}")
        feedback = {
            "transport-cc": codec.transport_cc,
            "goog-remb": codec.remb,
            "ccm fir": codec.fir,
            "nack": codec.nack,
            "nack pli": codec.pli,
        }
        lines += [f"a=rtcp-fb:{number} {name}" for name, agreed_to in feedback.items() if agreed_to]
        if codec.rtx_payload_type is not None:
            lines += [f"a=rtpmap:{codec.rtx_payload_type} rtx/90000", f"a=fmtp:{codec.rtx_payload_type} apt={number}"]
        if codec.red_payload_type is not None:
            lines += [f"a=rtpmap:{codec.red_payload_type} red/48000/2", f"a=fmtp:{codec.red_payload_type} {number}/{number}"]
    return lines


def slot_streams(sections: Iterable[NegotiatedSection]) -> dict[str, str]:
    """Mid → stream of each slot: the first audio and the first video slot are one stream, the second ones another, and so on.

    Browsers play in step what is in one stream (RFC 8830; one voice and one picture in it, no more), by the clock of the sender
    reports. Which person is shown in which pair is up to ``slots.SlotTable``.
    """
    seen: Counter[str] = Counter()
    streams = {}
    for section in sections:
        if section.role == "slot":
            streams[section.mid] = f"pair-{seen[section.kind]}"
            seen[section.kind] += 1
    return streams


def _slot_lines(agreed: NegotiatedSection) -> list[str]:
    lines = [f"a=msid:{agreed.stream} track-{agreed.mid}"]
    if agreed.rtx_ssrc:
        lines.append(f"a=ssrc-group:FID {agreed.ssrc} {agreed.rtx_ssrc}")
    lines += [f"a=ssrc:{ssrc} cname:{CNAME}" for ssrc in (agreed.ssrc, agreed.rtx_ssrc) if ssrc]
    return lines


def _section_lines(agreed: NegotiatedSection, section: MediaSection, transport: list[str]) -> list[str]:
    if agreed.role == "rejected":
        head = f"m={section.name or section.kind} 0 {section.protocol} {' '.join(section.formats)}"
        return [head, "c=IN IP4 0.0.0.0", *([f"a=mid:{section.mid}"] if section.mid else []), "a=inactive"]
    if agreed.role == "data":
        head = f"m=application 9 {section.protocol} webrtc-datachannel"
        body = [f"a=sctp-port:{SCTP_PORT}", f"a=max-message-size:{MAX_MESSAGE_BYTES}"]
        return [head, "c=IN IP4 0.0.0.0", f"a=mid:{agreed.mid}", *transport, *body]
    types = [
        number
        for codec in agreed.codecs
        for number in (codec.payload_type, codec.rtx_payload_type, codec.red_payload_type)  # the first is what is sent
        if number is not None
    ]
    lines = [
        f"m={agreed.kind} 9 {section.protocol} {' '.join(map(str, types))}",
        "c=IN IP4 0.0.0.0",
        f"a=mid:{agreed.mid}",
        *transport,
        "a=rtcp-mux",
        "a=rtcp-rsize",
        f"a={_DIRECTIONS[agreed.role]}",
        *_codec_lines(agreed, section),
    ]
    for uri, name in EXTENSION_NAMES.items():
        number = getattr(agreed.extensions, name)
        if number:
            lines.append(f"a=extmap:{number} {uri}")
    if agreed.rids:
        lines += [f"a=rid:{rid} recv" for rid in agreed.rids]
        lines.append("a=simulcast:recv " + ";".join(agreed.rids))
    if agreed.role == "slot":
        lines += _slot_lines(agreed)
    return lines


def _candidate_lines(local: LocalTransport) -> list[str]:
    """RFC 8839 §5.1; all host candidates of component 1, the first preferred (RFC 8445 §5.1.2.1)."""
    lines = [
        f"a=candidate:{n} 1 udp {(126 << 24) | ((65535 - n) << 8) | 255} {candidate.address} {candidate.port} typ host"
        for n, candidate in enumerate(local.candidates, 1)
    ]
    return [*lines, "a=end-of-candidates"]


def make_answer(
    offer: Offer,
    local: LocalTransport,
    slot_ssrcs: Mapping[str, SlotSsrcs],
    video_codecs: tuple[str, ...] = DEFAULT_VIDEO_CODECS,
) -> Answer:
    """Answer an offer. ``slot_ssrcs``: by mid, one for each of ``offer.slots``. Raises SdpError (nothing can be agreed)."""
    agreed = tuple(_negotiate(section, slot_ssrcs, video_codecs) for section in offer.sections)
    streams = slot_streams(agreed)
    agreed = tuple(replace(section, stream=streams[section.mid]) if section.mid in streams else section for section in agreed)
    accepted = [section.mid for section in agreed if section.role != "rejected"]
    if not any(section.role in ("publish", "slot", "data") for section in agreed):
        raise SdpError("nothing_in_common", "no section can be answered")
    transport = [
        f"a=ice-ufrag:{local.ufrag}",
        f"a=ice-pwd:{local.pwd}",
        *(f"a=fingerprint:{fingerprint.algorithm} {fingerprint.value}" for fingerprint in local.fingerprints),
        "a=setup:passive",
    ]
    lines = [
        "v=0",
        f"o=- {local.session_id} {local.session_version} IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=ice-lite",
        "a=group:BUNDLE " + " ".join(accepted),
        "a=msid-semantic: WMS *",
    ]
    for section, offered in zip(agreed, offer.sections, strict=True):
        first = bool(accepted) and section.mid == accepted[0] and section.role != "rejected"
        lines += _section_lines(section, offered, transport + (_candidate_lines(local) if first else []))
    return Answer("\r\n".join(lines) + "\r\n", agreed)
