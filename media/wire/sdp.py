"""Offers: the lines of a session description that a forwarding server needs, read strictly. S.

RFC 8866 (SDP), RFC 8829 (JSEP), RFC 9143 (BUNDLE), RFC 8853 (simulcast), RFC 8851 (rid), RFC 8839 (ICE), RFC 8841 (data
channel), RFC 8285 (header extensions), RFC 4588 (RTX), RFC 2198 (RED), RFC 5576 (ssrc). Everything is bounded; what is not understood is
skipped; what is understood and wrong is an ``SdpError`` with a stable code.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from media.errors import SdpError

Kind = Literal["audio", "video", "application"]
Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
Source = Literal["microphone", "camera", "screen"]
Role = Literal["publish", "slot", "data", "idle", "rejected"]

MAX_SDP_CHARS = 262_144
MAX_LINES = 8_192
MAX_LINE_CHARS = 4_096
MAX_SECTIONS = 64
MAX_FORMATS = 64
MAX_PARAMETERS = 32
MAX_EXTENSIONS = 32
MAX_RIDS = 4
MAX_RED_BLOCKS = 32
MAX_SSRCS = 16
MAX_FINGERPRINTS = 8
MAX_MID_CHARS = 16
"""As long as a one-byte header extension can carry (RFC 8285 §4.2)."""

DIRECTIONS: tuple[Direction, ...] = ("sendrecv", "sendonly", "recvonly", "inactive")
RTP_PROTOCOLS = ("UDP/TLS/RTP/SAVPF", "TCP/DTLS/RTP/SAVPF")
DATA_PROTOCOLS = ("UDP/DTLS/SCTP", "TCP/DTLS/SCTP")
EXTENSION_NAMES = {
    "urn:ietf:params:rtp-hdrext:sdes:mid": "mid",
    "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id": "rid",
    "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id": "rrid",
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01": "twcc",
    "urn:ietf:params:rtp-hdrext:ssrc-audio-level": "audio_level",
}
"""URI → field of ``ExtensionIds``."""

_KNOWN = frozenset((
    "bundle-only", "extmap", "fingerprint", "fmtp", "group", "ice-lite", "ice-pwd", "ice-ufrag", "inactive",
    "max-message-size", "mid", "recvonly", "rid", "rtcp-fb", "rtcp-mux", "rtpmap", "sctp-port", "sendonly",
    "sendrecv", "setup", "simulcast", "ssrc", "ssrc-group",
))  # fmt: skip
_KINDS: dict[str, Kind] = {"audio": "audio", "video": "video", "application": "application"}
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,64}")
_PROTOCOL = re.compile(r"[A-Za-z0-9/]{1,32}")
_RID = re.compile(r"[A-Za-z0-9_-]{1,16}")
_ICE = re.compile(r"[A-Za-z0-9+/]+")
_HEX_PAIRS = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2})*")
_DIGEST_BYTES = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
_SPELLING = {"opus": "opus", "vp8": "VP8", "vp9": "VP9", "h264": "H264", "av1": "AV1"}
_SHAPES = {"opus": (48000, 2), "VP8": (90000, 1), "VP9": (90000, 1), "H264": (90000, 1), "AV1": (90000, 1)}
"""(clock rate, channels) that a codec must have to be forwarded."""
_H264_PROFILES = {"42e0": "42e0", "42c0": "42e0", "4200": "4200"}
"""First two bytes of profile-level-id → profile: constrained baseline (two spellings) and baseline."""


@dataclass(frozen=True, slots=True)
class Codec:
    """One payload type of an offer, its RTX or RED folded in.

    ``name`` as registered ("opus", "VP8", "H264", …). ``parameters``: fmtp, keys in lower case. ``feedback``: as in rtcp-fb
    ("nack", "nack pli", "ccm fir", "transport-cc", "goog-remb"). ``key``: equal for codecs that one can be forwarded as
    the other: "opus", "VP8", "H264/42e0", "H264/4200", "VP9", "AV1"; None when it is not forwardable. ``red_payload_type``: of
    the same voice with redundancy, all of whose blocks are of this payload type.
    """

    payload_type: int
    name: str
    clock_rate: int
    channels: int = 1
    parameters: Mapping[str, str] = field(default_factory=dict)
    feedback: frozenset[str] = frozenset()
    rtx_payload_type: int | None = None
    key: str | None = None
    red_payload_type: int | None = None


@dataclass(frozen=True, slots=True)
class ExtensionIds:
    """RTP header extension ids, 1–14; 0 when not negotiated."""

    mid: int = 0
    rid: int = 0
    rrid: int = 0
    twcc: int = 0
    audio_level: int = 0


@dataclass(frozen=True, slots=True)
class MediaSection:
    """One m-section of an offer.

    ``name``: the media type as written (a rejected section may have one that is not a ``Kind``). ``mid``: may be empty in a
    rejected section only.

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
    name: str = ""
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


class _Section:
    """Lines of one m-section while it is being read."""

    __slots__ = ("attributes", "formats", "kind", "port", "protocol")

    def __init__(self, kind: str, port: int, protocol: str, formats: tuple[str, ...]) -> None:
        self.kind = kind
        self.port = port
        self.protocol = protocol
        self.formats = formats
        self.attributes: dict[str, list[str]] = {}

    def all(self, name: str) -> list[str]:
        return self.attributes.get(name, [])

    def one(self, name: str) -> str | None:
        """The value of an attribute that may be given once; repeating the same value is tolerated."""
        values = self.attributes.get(name)
        if not values:
            return None
        if any(value != values[0] for value in values):
            raise SdpError("repeated_attribute", name)
        return values[0]


def _uint(text: str, low: int, high: int, code: str) -> int:
    """A decimal number within bounds. ``isdecimal`` alone would take other scripts' digits."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 10 and low <= int(text) <= high):
        raise SdpError(code, f"{low}-{high} expected")
    return int(text)


def _media_line(value: str) -> _Section:
    fields = value.split()
    if len(fields) < 4:
        raise SdpError("bad_media_line")
    kind, port, protocol, *formats = fields
    if len(formats) > MAX_FORMATS:
        raise SdpError("too_many_formats", f"at most {MAX_FORMATS}")
    if not all(_TOKEN.fullmatch(word) for word in (kind, *formats)) or not _PROTOCOL.fullmatch(protocol):
        raise SdpError("bad_media_line")
    return _Section(kind, _uint(port, 0, 65535, "bad_media_line"), protocol, tuple(formats))


def _read_lines(text: str) -> tuple[_Section, list[_Section]]:
    if len(text) > MAX_SDP_CHARS:
        raise SdpError("too_large", f"at most {MAX_SDP_CHARS} characters")
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    if len(lines) > MAX_LINES:
        raise SdpError("too_many_lines", f"at most {MAX_LINES}")
    if not lines or lines[0].rstrip("\r") != "v=0":
        raise SdpError("not_sdp", "the first line is not v=0")
    session = current = _Section("session", 0, "", ())
    media: list[_Section] = []
    for raw in lines:
        line = raw[:-1] if raw.endswith("\r") else raw
        if len(line) > MAX_LINE_CHARS or len(line) < 2 or line[1] != "=":
            raise SdpError("bad_line", f"at most {MAX_LINE_CHARS} characters of the form x=…")
        if line[0] == "a":
            name, _, value = line[2:].partition(":")
            if name in _KNOWN:
                current.attributes.setdefault(name, []).append(value.strip())
        elif line[0] == "m":
            if len(media) == MAX_SECTIONS:
                raise SdpError("too_many_sections", f"at most {MAX_SECTIONS}")
            current = _media_line(line[2:])
            media.append(current)
    if not media:
        raise SdpError("no_sections")
    return session, media


def _parameters(text: str) -> dict[str, str]:
    pairs = [pair.strip().partition("=") for pair in text.split(";", MAX_PARAMETERS)[:MAX_PARAMETERS]]
    return {name.lower(): value for name, separator, value in pairs if separator}


def _codec_key(name: str, parameters: Mapping[str, str]) -> str | None:
    """What may be forwarded as what; see ``Codec.key``. RFC 7587, 7741, 6184 §8.1, 9628, AV1 RTP specification §7."""
    if name in ("opus", "VP8"):
        return name
    if name == "H264" and parameters.get("packetization-mode") == "1":
        profile = _H264_PROFILES.get(parameters.get("profile-level-id", "42000a")[:4].lower())
        return f"H264/{profile}" if profile else None
    if name == "VP9" and parameters.get("profile-id", "0") == "0":
        return name
    if name == "AV1" and parameters.get("profile", "0") == "0":
        return name
    return None


def _by_payload_type(values: list[str], payload_types: frozenset[int], code: str) -> list[tuple[int | None, str]]:
    """``<payload type> <rest>`` lines of the formats in the m-line; None stands for ``*``."""
    result: list[tuple[int | None, str]] = []
    for value in values:
        head, _, rest = value.partition(" ")
        number = None if head == "*" else _uint(head, 0, 127, code)
        if number is None or number in payload_types:
            result.append((number, rest.strip()))
    return result


def _codecs(section: _Section) -> tuple[Codec, ...]:
    order = [_uint(word, 0, 127, "bad_payload_type") for word in section.formats]
    known = frozenset(order)
    if len(known) != len(order):
        raise SdpError("repeated_payload_type")
    names: dict[int, tuple[str, int, int]] = {}
    for number, rest in _by_payload_type(section.all("rtpmap"), known, "bad_rtpmap"):
        fields = rest.split("/")
        if number is None or number in names or len(fields) not in (2, 3) or not _TOKEN.fullmatch(fields[0]):
            raise SdpError("bad_rtpmap")
        rate = _uint(fields[1], 1, 1_000_000, "bad_rtpmap")
        names[number] = (fields[0], rate, _uint(fields[2], 1, 255, "bad_rtpmap") if len(fields) == 3 else 1)
    fmtp: dict[int, dict[str, str]] = {}
    for number, rest in _by_payload_type(section.all("fmtp"), known, "bad_fmtp"):
        if number is not None:
            fmtp.setdefault(number, {}).update(_parameters(rest))
    red = _redundant(section, names, known)
    feedback: dict[int | None, set[str]] = {}
    for number, rest in _by_payload_type(section.all("rtcp-fb"), known, "bad_rtcp_fb"):
        feedback.setdefault(number, set()).add(" ".join(rest.split()))
    rtx: dict[int, int] = {}
    for number in order:
        if number in names and names[number][0].lower() == "rtx" and "apt" in fmtp.get(number, {}):
            rtx.setdefault(_uint(fmtp[number]["apt"], 0, 127, "bad_rtx"), number)
    codecs = []
    for number in order:
        if number not in names or names[number][0].lower() == "rtx":
            continue
        spelled, rate, channels = names[number]
        name = _SPELLING.get(spelled.lower(), spelled)
        parameters = fmtp.get(number, {})
        key = _codec_key(name, parameters) if (rate, channels) == _SHAPES.get(name) else None
        offered = frozenset(feedback.get(number, set()) | feedback.get(None, set()))
        redundant = red.get(number) if key == "opus" else None
        codecs.append(Codec(number, name, rate, channels, parameters, offered, rtx.get(number), key, redundant))
    return tuple(codecs)


def _redundant(section: _Section, names: Mapping[int, tuple[str, int, int]], known: frozenset[int]) -> dict[int, int]:
    """Payload type of a voice → payload type of its RED (RFC 2198 section 5), where all blocks are of that voice."""
    found: dict[int, int] = {}
    for number, rest in _by_payload_type(section.all("fmtp"), known, "bad_fmtp"):
        if number is None or number not in names or (names[number][0].lower(), *names[number][1:]) != ("red", 48000, 2):
            continue
        blocks = rest.split("/")
        if 2 <= len(blocks) <= MAX_RED_BLOCKS and len(set(blocks)) == 1:
            found.setdefault(_uint(blocks[0], 0, 127, "bad_red"), number)
    return found


def _extensions(section: _Section) -> ExtensionIds:
    """RFC 8285 §5. Ids above 14 need two-byte headers, which are not answered: those extensions are left out."""
    values = section.all("extmap")
    if len(values) > MAX_EXTENSIONS:
        raise SdpError("too_many_extensions", f"at most {MAX_EXTENSIONS}")
    found: dict[str, int] = {}
    used: set[int] = set()
    for value in values:
        fields = value.split()
        if len(fields) < 2:
            raise SdpError("bad_extmap")
        number = _uint(fields[0].partition("/")[0], 1, 4096 + 255, "bad_extmap")
        if number in used:
            raise SdpError("bad_extmap", "an id is used twice")
        used.add(number)
        name = EXTENSION_NAMES.get(fields[1])
        if name is not None and number <= 14:
            found.setdefault(name, number)
    return ExtensionIds(**found)


def _send_rids(section: _Section) -> tuple[str, ...]:
    """RFC 8851 §4 and RFC 8853 §5.1: what the section sends; the first alternative of each simulcast stream."""
    declared = []
    for value in section.all("rid"):
        fields = value.split()
        if len(fields) < 2 or fields[1] not in ("send", "recv") or not _RID.fullmatch(fields[0]):
            raise SdpError("bad_rid")
        if fields[1] == "send":
            declared.append(fields[0])
    if len(declared) > MAX_RIDS or len(set(declared)) != len(declared):
        raise SdpError("bad_rid", f"at most {MAX_RIDS}, all different")
    simulcast = section.one("simulcast")
    if simulcast is None:
        return tuple(declared)
    fields = simulcast.split()
    if len(fields) not in (2, 4):
        raise SdpError("bad_simulcast")
    lists = dict(zip(fields[::2], fields[1::2], strict=True))
    if not set(lists) <= {"send", "recv"}:
        raise SdpError("bad_simulcast")
    if "send" not in lists:
        return ()
    rids = tuple(stream.partition(",")[0].removeprefix("~") for stream in lists["send"].split(";"))
    if len(set(rids)) != len(rids) or not set(rids) <= set(declared):
        raise SdpError("bad_simulcast", "names a rid that is not declared, or one twice")
    return rids


def _ssrcs(section: _Section) -> tuple[tuple[int, ...], dict[int, int]]:
    """RFC 5576 §4: announced media SSRCs, and media → RTX of the FID groups."""
    ssrcs: list[int] = []
    for value in section.all("ssrc"):
        number = _uint(value.partition(" ")[0], 1, 0xFFFFFFFF, "bad_ssrc")
        if number not in ssrcs:
            ssrcs.append(number)
        if len(ssrcs) > MAX_SSRCS:
            raise SdpError("too_many_ssrcs", f"at most {MAX_SSRCS}")
    fid: dict[int, int] = {}
    for value in section.all("ssrc-group"):
        fields = value.split()
        if fields[:1] != ["FID"]:
            continue
        if len(fields) != 3:
            raise SdpError("bad_ssrc_group")
        media, repair = (_uint(word, 1, 0xFFFFFFFF, "bad_ssrc_group") for word in fields[1:])
        if media == repair or media in fid or repair in fid.values():
            raise SdpError("bad_ssrc_group", "an SSRC is used twice")
        fid[media] = repair
    if not set(fid) | set(fid.values()) <= set(ssrcs) or set(fid) & set(fid.values()):
        raise SdpError("bad_ssrc_group", "names an SSRC that is not announced, or one twice")
    return tuple(ssrc for ssrc in ssrcs if ssrc not in fid.values()), fid


def _direction(section: _Section) -> Direction:
    given = [name for name in DIRECTIONS if name in section.attributes]
    if len(given) > 1:
        raise SdpError("bad_direction", "more than one")
    return given[0] if given else "sendrecv"


class _Roles:
    """Hands out sources in the order of the sections."""

    def __init__(self) -> None:
        self._left: dict[Kind, list[Source]] = {"audio": ["microphone"], "video": ["camera", "screen"], "application": []}
        self._data = False

    def take(self, kind: Kind, direction: Direction) -> tuple[Role, Source | None]:
        if kind == "application":
            role: Role = "rejected" if self._data else "data"
            self._data = True
            return role, None
        if direction == "recvonly":
            return "slot", None
        if direction == "inactive" or not self._left[kind]:
            return "idle", None
        return "publish", self._left[kind].pop(0)


def _section(index: int, section: _Section, bundled: frozenset[str], roles: _Roles) -> MediaSection:
    mid = section.one("mid")
    rejected = section.port == 0 and "bundle-only" not in section.attributes
    if mid is None and rejected:
        mid = ""
    elif mid is None or not _TOKEN.fullmatch(mid) or len(mid) > MAX_MID_CHARS:
        raise SdpError("bad_mid", f"a token of at most {MAX_MID_CHARS} characters")
    kind = _KINDS.get(section.kind)
    rtp = section.kind in ("audio", "video") and section.protocol in RTP_PROTOCOLS
    data = section.kind == "application" and section.protocol in DATA_PROTOCOLS and section.formats == ("webrtc-datachannel",)
    if rejected or kind is None or not (rtp or data):
        shown = kind or "application"
        return MediaSection(
            index, mid, shown, "inactive", "rejected", None, section.protocol, section.formats, name=section.kind
        )
    if mid not in bundled:
        raise SdpError("not_bundled", "every section must be in one BUNDLE group")
    direction = _direction(section)
    if data:
        role, _ = roles.take("application", direction)
        port = _uint(section.one("sctp-port") or "5000", 1, 65535, "bad_sctp_port")
        size = _uint(section.one("max-message-size") or "65536", 0, 0xFFFFFFFF, "bad_max_message_size")
        return MediaSection(
            index, mid, kind, direction, role, None, section.protocol, section.formats, name=section.kind,
            sctp_port=port, max_message_bytes=size,
        )  # fmt: skip
    if "rtcp-mux" not in section.attributes:
        raise SdpError("no_rtcp_mux", "rtcp-mux is required")
    role, source = roles.take(kind, direction)
    ssrcs, fid = _ssrcs(section) if role == "publish" else ((), {})
    return MediaSection(
        index, mid, kind, direction, role, source, section.protocol, section.formats, name=section.kind,
        codecs=_codecs(section), extensions=_extensions(section), rids=_send_rids(section) if role == "publish" else (),
        ssrcs=ssrcs, fid=fid,
    )  # fmt: skip


def _transport(session: _Section, tagged: _Section) -> tuple[str, str, tuple[Fingerprint, ...]]:
    """ICE credentials and fingerprints of the section that carries the bundle (RFC 9143 §7.1, RFC 8839 §5, RFC 8122)."""
    if "ice-lite" in session.attributes:
        raise SdpError("ice_lite", "both sides cannot be lite")
    ufrag = tagged.one("ice-ufrag") or session.one("ice-ufrag") or ""
    pwd = tagged.one("ice-pwd") or session.one("ice-pwd") or ""
    if not _ICE.fullmatch(ufrag) or not _ICE.fullmatch(pwd) or not 4 <= len(ufrag) <= 256 or not 22 <= len(pwd) <= 256:
        raise SdpError("bad_ice_credentials")
    if (tagged.one("setup") or session.one("setup")) not in ("actpass", "active"):
        raise SdpError("bad_setup", "setup must be actpass or active")
    fingerprints = []
    for value in (tagged.all("fingerprint") or session.all("fingerprint"))[:MAX_FINGERPRINTS]:
        algorithm, _, digest = value.partition(" ")
        size = _DIGEST_BYTES.get(algorithm.lower())
        if size is None:
            continue
        if not _HEX_PAIRS.fullmatch(digest) or len(digest) != 3 * size - 1:
            raise SdpError("bad_fingerprint")
        fingerprints.append(Fingerprint(algorithm.lower(), digest.upper()))
    if not fingerprints:
        raise SdpError("no_fingerprint", "sha-256, sha-384 or sha-512 is required")
    return ufrag, pwd, tuple(fingerprints)


def _check_across(sections: tuple[MediaSection, ...]) -> None:
    """What bundled sections must agree about (RFC 9143 §9.2, §15.2): extension ids and SSRCs."""
    meaning: dict[int, str] = {}
    ssrcs: set[int] = set()
    for section in sections:
        for name in EXTENSION_NAMES.values():
            number = getattr(section.extensions, name)
            if number and meaning.setdefault(number, name) != name:
                raise SdpError("extension_clash", "one id, two extensions")
        for ssrc in (*section.ssrcs, *section.fid.values()):
            if ssrc in ssrcs:
                raise SdpError("repeated_ssrc")
            ssrcs.add(ssrc)


def parse_offer(text: str) -> Offer:
    """Read an offer. Raises SdpError, nothing else."""
    session, media = _read_lines(text)
    groups = [group.split()[1:] for group in session.all("group") if group.split()[:1] == ["BUNDLE"]]
    if len(groups) != 1 or not groups[0]:
        raise SdpError("not_bundled", "one BUNDLE group is required")
    roles = _Roles()
    bundled = frozenset(groups[0])
    sections = tuple(_section(index, section, bundled, roles) for index, section in enumerate(media))
    mids = [section.mid for section in sections]
    named = [mid for mid in mids if mid]
    if len(set(named)) != len(named):
        raise SdpError("bad_mid", "one is used twice")
    if groups[0][0] not in mids:
        raise SdpError("not_bundled", "the group names a section that does not exist")
    ufrag, pwd, fingerprints = _transport(session, media[mids.index(groups[0][0])])
    _check_across(sections)
    return Offer(sections, ufrag, pwd, fingerprints)
