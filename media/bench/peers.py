"""The load's connections: real ICE and DTLS by aiortc, with session descriptions of our own; then the sockets are taken over."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal, NamedTuple

import aioice.ice
import pylibsrtp
from aiortc import RTCCertificate, RTCDtlsTransport, RTCIceGatherer, RTCIceTransport
from aiortc.rtcdtlstransport import (
    SRTP_AEAD_AES_128_GCM,
    SRTP_AES128_CM_SHA1_80,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
)
from aiortc.rtcicetransport import RTCIceParameters
from aiortc.sdp import candidate_from_sdp

from media.bench.load import Load, Publisher, Receiver, own_sessions
from media.bench.network import BenchError
from media.bench.stream import TWCC_EXTENSION, Camera
from media.bench.viewer import RECEIVE_ONLY_SSRC, Viewer
from media.errors import SdpError
from media.wire.sdp import EXTENSION_NAMES

PROFILES = {"cm": SRTP_AES128_CM_SHA1_80, "gcm": SRTP_AEAD_AES_128_GCM}
"""AES_CM_128_HMAC_SHA1_80 and AEAD_AES_128_GCM (RFC 5764, RFC 7714)."""
CONNECT_TIMEOUT_S = 15.0
VP8, RTX, OPUS = 96, 97, 111
MID_EXTENSION, LEVEL_EXTENSION = 4, 5

_URIS = {name: uri for uri, name in EXTENSION_NAMES.items()}


@contextmanager
def only_address(address: str) -> Any:
    """aioice gathers exactly this address (it would leave out loopback, and try every interface)."""
    before = aioice.ice.get_host_addresses
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: [address]
    try:
        yield
    finally:
        aioice.ice.get_host_addresses = before


@dataclass(frozen=True, slots=True)
class Section:
    """One section of a description we write. ``ssrc`` 0: it receives. ``mid_id``, ``twcc_id``: of the header extensions.

    A voice's are ``voice(…)``: Opus, without RTX, with its level beside the packet.
    """

    mid: str
    ssrc: int = 0
    payload_type: int = VP8
    rtx_type: int = RTX
    mid_id: int = MID_EXTENSION
    twcc_id: int = TWCC_EXTENSION
    kind: Literal["video", "audio"] = "video"

    @property
    def extensions(self) -> tuple[tuple[str, int], ...]:
        level = (("audio_level", LEVEL_EXTENSION),) if self.kind == "audio" else ()
        return ("mid", self.mid_id), ("twcc", self.twcc_id), *level

    @property
    def payload_types(self) -> tuple[int, ...]:
        return (self.payload_type,) if self.kind == "audio" else (self.payload_type, self.rtx_type)

    def codec_lines(self) -> list[str]:
        """What is offered of codecs and feedback."""
        pt, rtx = self.payload_type, self.rtx_type
        if self.kind == "audio":
            return [
                f"a=rtpmap:{pt} opus/48000/2",
                f"a=fmtp:{pt} minptime=10;useinbandfec=1",
                *(f"a=rtcp-fb:{pt} {name}" for name in ("transport-cc", "nack")),
            ]
        return [
            f"a=rtpmap:{pt} VP8/90000",
            *(f"a=rtcp-fb:{pt} {name}" for name in ("transport-cc", "nack", "nack pli", "ccm fir")),
            f"a=rtpmap:{rtx} rtx/90000",
            f"a=fmtp:{rtx} apt={pt}",
        ]

    def source_lines(self) -> list[str]:
        """Which streams it sends."""
        if not self.ssrc:
            return []
        own = [f"a=ssrc:{self.ssrc} cname:bench"]
        if self.kind == "audio":
            return ["a=msid:bench voice", *own]
        repair = self.ssrc + 1
        return ["a=msid:bench bench", f"a=ssrc-group:FID {self.ssrc} {repair}", *own, f"a=ssrc:{repair} cname:bench"]


def voice(mid: str, ssrc: int = 0) -> Section:
    """A section of Opus."""
    return Section(mid, ssrc, payload_type=OPUS, kind="audio")


class Taken(NamedTuple):
    """A connection's socket and keys, which nobody else uses from now on.

    ``to``: the relay's address. ``other``: takes what is not SRTP, in the event loop's thread. ``twcc_id``: as in ``Remote``.
    """

    sock: socket.socket
    to: tuple[str, int]
    tx: pylibsrtp.Session
    rx: pylibsrtp.Session
    other: Callable[[bytes, tuple[str, int]], None]
    twcc_id: int


@dataclass(frozen=True, slots=True)
class Remote:
    """What we need of the other side's description. ``twcc_id``: of the transport-wide number's extension, 0 without one."""

    ufrag: str
    pwd: str
    fingerprint: RTCDtlsFingerprint
    candidates: tuple[str, ...]
    lite: bool
    twcc_id: int


def extension_id(text: str, name: str) -> int:
    """The number of a header extension in a description; 0 where it has none."""
    for line in text.splitlines():
        number, _, uri = line.removeprefix("a=extmap:").partition(" ")
        if uri == _URIS[name]:
            return int(number.partition("/")[0])
    return 0


def read_remote(text: str) -> Remote:
    """The transport lines of a description. Raises SdpError when one is missing."""
    values: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        values.setdefault(name, []).append(value)
    try:
        algorithm, _, digest = values["a=fingerprint"][0].partition(" ")
        return Remote(
            values["a=ice-ufrag"][0],
            values["a=ice-pwd"][0],
            RTCDtlsFingerprint(algorithm, digest),
            tuple(dict.fromkeys(values.get("a=candidate", ()))),
            "a=ice-lite" in values,
            extension_id(text, "twcc"),
        )
    except (KeyError, IndexError):
        raise SdpError("no_transport", "the server's description names none") from None


class Connection:
    """One ICE and DTLS transport of the load; DTLS client, the SRTP profile given."""

    _numbers = count(1)

    def __init__(self, certificate: RTCCertificate, profile: str, controlling: bool) -> None:
        self.number = next(self._numbers)
        self._profile = PROFILES[profile]
        self._gatherer = RTCIceGatherer(iceServers=[])
        self._ice = RTCIceTransport(self._gatherer)
        self._ice._connection.ice_controlling = controlling
        self._ice._role_set = True
        self._dtls = RTCDtlsTransport(self._ice, [certificate])
        self._dtls._set_role("client")
        self._dtls._srtp_profiles = [self._profile]
        self._twcc_id = 0

    async def describe(self, sections: Sequence[Section], setup: str) -> str:
        """Our offer or answer: VP8 with NACK, RTX, PLI and transport-wide feedback."""
        await self._gatherer.gather()
        ice = self._gatherer.getLocalParameters()
        (fingerprint,) = (f for f in self._dtls.getLocalParameters().fingerprints if f.algorithm == "sha-256")
        candidates = [
            f"a=candidate:{c.foundation} {c.component} {c.protocol} {c.priority} {c.ip} {c.port} typ {c.type}"
            for c in self._gatherer.getLocalCandidates()
        ]
        lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0"]
        lines.append("a=group:BUNDLE " + " ".join(section.mid for section in sections))
        for section in sections:
            lines += [
                f"m={section.kind} 9 UDP/TLS/RTP/SAVPF {' '.join(map(str, section.payload_types))}",
                "c=IN IP4 0.0.0.0",
                f"a=mid:{section.mid}",
                f"a=ice-ufrag:{ice.usernameFragment}",
                f"a=ice-pwd:{ice.password}",
                f"a=fingerprint:sha-256 {fingerprint.value}",
                f"a=setup:{setup}",
                *candidates,
                "a=end-of-candidates",
                "a=rtcp-mux",
                "a=rtcp-rsize",
                "a=sendonly" if section.ssrc else "a=recvonly",
                *section.codec_lines(),
                *(f"a=extmap:{number} {_URIS[name]}" for name, number in section.extensions if number),
                *section.source_lines(),
            ]
        return "\r\n".join(lines) + "\r\n"

    async def connect(self, description: str) -> None:
        """ICE and DTLS with the server's description. Raises BenchError when that takes too long."""
        remote = read_remote(description)
        self._ice._connection.remote_is_lite = remote.lite
        self._twcc_id = remote.twcc_id
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                for candidate in remote.candidates:
                    await self._ice.addRemoteCandidate(candidate_from_sdp(candidate))
                await self._ice.addRemoteCandidate(None)
                await self._ice.start(RTCIceParameters(usernameFragment=remote.ufrag, password=remote.pwd))
                await self._dtls.start(RTCDtlsParameters(fingerprints=[remote.fingerprint]))
        except TimeoutError:
            raise BenchError("a load connection was not set up in time") from None
        if self._dtls.state != "connected":
            raise BenchError(f"a load connection failed: ICE {self._ice.state}, DTLS {self._dtls.state}")

    def take_over(self) -> Taken:
        """Socket and keys, for a thread of the load; once."""
        (pair,) = self._ice._connection._nominated.values()
        protocol = pair.protocol
        fd = protocol.transport.get_extra_info("socket").fileno()
        loop: Any = asyncio.get_running_loop()
        loop._remove_reader(fd)  # a transport's own reader has no public switch
        tx, rx = own_sessions(self._dtls, self._profile)
        with socket.socket(fileno=fd) as borrowed:
            sock = borrowed.dup()
            borrowed.detach()
        return Taken(sock, (pair.remote_addr[0], pair.remote_addr[1]), tx, rx, protocol.datagram_received, self._twcc_id)

    def hand_over(self, load: Load, ssrc: int = 0, payload_type: int = VP8) -> None:
        """Give socket and keys to the load's thread; with an ``ssrc`` it publishes."""
        taken = self.take_over()
        viewer = Viewer(ssrc or RECEIVE_ONLY_SSRC, taken.twcc_id)
        load.add_receiver(Receiver(taken.sock, taken.rx, taken.tx, taken.to, viewer, taken.other))
        if ssrc:
            camera = Camera(ssrc, payload_type, load.payload_bytes)
            load.add_publisher(Publisher(len(load.publishers), taken.sock, taken.to, taken.tx, camera))

    async def close(self) -> None:
        await self._dtls.stop()
        await self._ice.stop()
