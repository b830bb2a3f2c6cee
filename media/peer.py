"""One participant's connection: ICE session, DTLS, SRTP, what it publishes, the slots it receives in, and its RTCP.

RFC 3550 section 6 (reports), RFC 4585 and 5104 (feedback), RFC 4588 (RTX), RFC 8843 section 9.2 (which section an SSRC is of).
"""

import asyncio
import contextlib
import secrets
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol

from media import rtcp
from media.control import PeerStateName
from media.datachannel import PointerChannel
from media.downlink import Downlink, SlotCodec
from media.dtls import DtlsEndpoint, Identity
from media.errors import HandshakeError, RtcpError, SrtpError
from media.forward import Publication, Route, Subscription
from media.ice_lite import CONSENT_S, IceLite, IceSession
from media.mmsg import Destination
from media.mux import Endpoint
from media.rtp import RtpReader
from media.sdp import ExtensionIds, Offer
from media.sdp_answer import (
    CNAME,
    Answer,
    Candidate,
    LocalTransport,
    NegotiatedSection,
    SlotSsrcs,
    make_answer,
    slot_cname,
)
from media.slots import SlotTable
from media.srtp import Protector
from media.twcc import ArrivalLog
from media.uplink import PublisherClock, Uplink

CONNECT_DEADLINE_S = 30.0
MAX_SSRCS = 24
"""Media and RTX SSRCs of one peer; ignored beyond."""
MAX_STRANGE_SSRCS = 64
"""SSRCs that belong to nothing: beyond this the peer is closed, because SRTP keeps state for each."""
MAX_SSRCS_EVER = 128
"""SSRCs that ever belonged to something, for the same reason."""
TWCC_INTERVAL_S = 0.05
REPORT_INTERVAL_S = 1.0
MAX_NACKED_AT_ONCE = 128
STOP_DEADLINE_S = 2.0
_NTP_EPOCH = 2208988800


class PeerHost(Protocol):
    """What a peer needs of its room."""

    def on_state(self, peer: "Peer", state: PeerStateName) -> None: ...
    def on_pointer(self, peer: "Peer", text: str) -> None: ...


def ntp_now() -> int:
    """Wall clock as a 64-bit NTP timestamp."""
    return int((time.time() + _NTP_EPOCH) * 4294967296)


def _credential(size: int) -> str:
    return secrets.token_urlsafe(size).replace("-", "+").replace("_", "/")  # ice-char of RFC 8839: ALPHA / DIGIT / + / /


def _ssrc(used: set[int]) -> int:
    while True:
        number = secrets.randbits(31) | 1
        if number not in used:
            used.add(number)
            return number


class Peer:
    """Created with an offer; ``answer`` has what to say. ``close`` ends it. Everything else is called by mux and room."""

    def __init__(
        self,
        host: PeerHost,
        participant: str,
        offer: Offer,
        *,
        ice: IceLite,
        identity: Identity,
        candidates: tuple[tuple[str, int], ...],
        video_codecs: tuple[str, ...],
        now: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.host = host
        self.participant = participant
        self.offer = offer
        self.counts: Counter[str] = Counter()
        self.state: PeerStateName = "connecting"
        self._ice = ice
        self._identity = identity
        self._clock = clock
        self._video_codecs = video_codecs
        self._candidates = tuple(Candidate(h, p) for h, p in candidates)
        self._session_id = secrets.randbits(62)
        self._version = 0
        used: set[int] = set()
        self.ssrc = _ssrc(used)
        self._slot_ssrcs = {s.mid: SlotSsrcs(_ssrc(used), _ssrc(used)) for s in offer.slots}
        self._ufrag, self._pwd = _credential(6), _credential(24)
        self.answer: Answer = self._answer(offer)
        self.session: IceSession = ice.add(self._ufrag, self._pwd, self, now)
        self.dtls = DtlsEndpoint(identity, self._send_datagram)
        self.endpoint: Endpoint | None = None
        self.destination: Destination | None = None
        self.ready = False
        self.rx: Any = None
        self.twcc_seq = 0
        self.twcc_received = 0
        self.remb_bps = 0
        self._protector: Protector | None = None
        self._pointer: PointerChannel | None = None
        self._task: asyncio.Task[None] | None = None
        self._arrivals = ArrivalLog()
        self._arrivals_new = False
        self._twcc_at = self._report_at = now
        self._clock_map = PublisherClock()
        self._strange: set[int] = set()
        self._ever: set[int] = set()
        self.routes: dict[int, Route] = {}
        self.publications: dict[str, Publication] = {}
        self.payload_types: dict[str, int] = {}
        self._rtx_types: set[int] = set()
        self._static: dict[int, str] = {}
        self._rtx_of: dict[int, int] = {}
        self._sections: dict[str, NegotiatedSection] = {}
        self.downlinks: dict[str, Downlink] = {}
        self.by_ssrc: dict[int, Downlink] = {}
        self.shown: dict[str, tuple[Publication, Subscription]] = {}
        self.data: NegotiatedSection | None = None
        for section in self.answer.sections:
            self._take_section(section)
        self.slots: SlotTable[tuple[str, str]] = SlotTable(
            [s.mid for s in self.answer.sections if s.role == "slot" and s.kind == "audio"],
            [s.mid for s in self.answer.sections if s.role == "slot" and s.kind == "video"],
        )
        self.reader = RtpReader(self._merged_ids())

    # ---- negotiation

    def _answer(self, offer: Offer) -> Answer:
        self._version += 1
        local = LocalTransport(
            self._ufrag, self._pwd, self._identity.fingerprints, self._candidates, self._session_id, self._version
        )
        return make_answer(offer, local, self._slot_ssrcs, self._video_codecs)

    def _take_section(self, section: NegotiatedSection) -> None:
        self._sections[section.mid] = section
        if section.role == "publish" and section.source is not None and section.codecs:
            codec = section.codecs[0]
            self.payload_types[section.mid] = codec.payload_type
            if codec.rtx_payload_type is not None:
                self._rtx_types.add(codec.rtx_payload_type)
            publication = Publication(self.participant, section.source, section.kind, section.mid, codec.key, 0)
            publication.ask_key = self._ask_key
            self.publications[section.mid] = publication
            self._take_ssrcs(section)
        elif section.role == "slot":
            codecs = {c.key: SlotCodec(c.payload_type, c.rtx_payload_type, c.nack) for c in section.codecs}
            downlink = Downlink(
                mid=section.mid,
                kind=section.kind,
                ssrc=section.ssrc,
                rtx_ssrc=section.rtx_ssrc,
                codecs=codecs,
                ids=section.extensions,
                first_seq=secrets.randbelow(0x4000) + 1,
                first_ts=secrets.randbits(31),
                rtx_seq=secrets.randbelow(0x4000) + 1,
            )
            downlink.peer = self
            self.downlinks[section.mid] = downlink
            self.by_ssrc[section.ssrc] = downlink
        elif section.role == "data" and self.data is None:
            self.data = section

    def _take_ssrcs(self, section: NegotiatedSection) -> None:
        if not section.rids and section.ssrcs:  # with rids an SSRC's layer is only known from its first packets
            for ssrc in section.ssrcs[:4]:
                self._static[ssrc] = section.mid
        for media, rtx in list((section.fid or {}).items())[:8]:
            self._rtx_of[rtx] = media

    def _merged_ids(self) -> ExtensionIds:
        """Ids are one space per bundle (RFC 8843 section 9.1): the first section that has one says it for all."""

        def first(name: str) -> int:
            return next((n for s in self._sections.values() if s.role == "publish" and (n := getattr(s.extensions, name))), 0)

        return ExtensionIds(first("mid"), first("rid"), first("rrid"), first("twcc"), first("audio_level"))

    def renegotiate(self, offer: Offer) -> str | None:
        """Answer the same offer again, with new ICE credentials if it has them. None when it is not the same shape."""
        restart = offer.ufrag != self.offer.ufrag or offer.pwd != self.offer.pwd
        if restart:
            previous = self._ufrag, self._pwd
            self._ufrag, self._pwd = _credential(6), _credential(24)
        try:
            answer = self._answer(offer) if {s.mid for s in offer.slots} == set(self._slot_ssrcs) else None
        except Exception:
            if restart:
                self._ufrag, self._pwd = previous
            raise
        if answer is None or not _same_shape(answer.sections, self.answer.sections):
            if restart:
                self._ufrag, self._pwd = previous
            return None
        if restart:
            self._ice.restart(self.session, self._ufrag, self._pwd)
        self.offer = offer
        self.answer = answer
        self._static.clear()
        self._rtx_of.clear()
        for section in answer.sections:
            if section.role == "publish":
                self._take_ssrcs(section)
        return answer.sdp

    # ---- called by the mux

    def on_path(self, endpoint: Endpoint, destination: Destination, now: float) -> None:
        """The address to send to was chosen, or has moved."""
        moved = self.endpoint is not None
        self.endpoint = endpoint
        self.destination = destination
        for downlink in self.downlinks.values():
            downlink.destination = destination
            if self.ready:
                downlink.batch = endpoint.batch
        if moved:
            self.counts["path_moved"] += 1
            self.request_keys(now)

    def on_checked(self, now: float) -> None:
        """An authenticated check came in: DTLS may begin; a silent peer is back."""
        if self._task is None and self.state == "connecting":
            self._task = asyncio.get_running_loop().create_task(self._connect(), name="media.peer.connect")
        elif self.state == "disconnected" and self.ready:
            self._set_state("connected")

    def on_dtls(self, data: bytes) -> None:
        self.dtls.feed(data)

    def _send_datagram(self, data: bytes) -> None:
        if self.endpoint is not None and self.destination is not None:
            self.endpoint.send(data, self.destination)

    async def _connect(self) -> None:
        try:
            self._protector = await self.dtls.start(self.offer.fingerprints)
            self.rx = self._protector.rx
            for downlink in self.downlinks.values():
                downlink.tx = self._protector.tx
                downlink.destination = self.destination
                downlink.batch = self.endpoint.batch if self.endpoint else None
            self.ready = True
            if self.data is not None and self.data.sctp_port:
                self._pointer = PointerChannel(self.dtls, self.counts, self._on_pointer, self._clock)
                await self._pointer.start(self.data.sctp_port, self.data.max_message_bytes)
        except (HandshakeError, TimeoutError) as error:
            self.counts["handshake_failed"] += 1
            self.failure = getattr(error, "code", "timeout")
            self._set_state("failed")
            return
        self._set_state("connected")

    failure = ""

    def _on_pointer(self, text: str) -> None:
        self.host.on_pointer(self, text)

    def send_pointer(self, sender: str, text: str) -> None:
        if self._pointer is not None:
            self._pointer.send(sender, text)

    def _set_state(self, state: PeerStateName) -> None:
        if state != self.state and self.state != "closed":
            self.state = state
            self.host.on_state(self, state)

    # ---- called by the forwarder

    def note_arrival(self, number: int, now: float) -> None:
        self._arrivals.add(number, int(now * 1_000_000))
        self._arrivals_new = True

    def learn(self, reader: RtpReader, now: float) -> Route | None:
        """What a new SSRC is, by its mid, its rid, the SDP, or the only section it can be of; None when nobody knows yet."""
        ssrc = reader.ssrc
        route = None
        if len(self.routes) < MAX_SSRCS:
            if reader.pt in self._rtx_types and reader.pt not in self.payload_types.values():
                route = self._learn_rtx(reader)
            else:
                route = self._learn_media(reader, now)
        if route is not None:
            self.routes[ssrc] = route
            self._ever.add(ssrc)
            if len(self._ever) > MAX_SSRCS_EVER:
                self.failure = "too_many_ssrcs"
                self._set_state("failed")
                return None
            return route
        self.counts["ssrc_unknown"] += 1
        self._strange.add(ssrc)
        if len(self._strange) > MAX_STRANGE_SSRCS:
            self.failure = "too_many_ssrcs"
            self._set_state("failed")
        return None

    def _mid(self, reader: RtpReader) -> str:
        if reader.mid:
            return reader.mid.decode("ascii", "replace")
        known = self._static.get(reader.ssrc)
        if known is not None:
            return known
        fitting = [mid for mid, number in self.payload_types.items() if number == reader.pt]
        return fitting[0] if len(fitting) == 1 else ""

    def _learn_media(self, reader: RtpReader, now: float) -> Route | None:
        mid = self._mid(reader)
        publication = self.publications.get(mid)
        section = self._sections.get(mid)
        if publication is None or section is None or reader.pt != self.payload_types[mid]:
            return None
        rid = reader.rid.decode("ascii", "replace")
        if section.rids and rid not in section.rids:
            return None
        if not section.rids:
            rid = ""
        codec = section.codecs[0]
        uplink = Uplink(
            reader.ssrc, section.kind, codec.name.lower(), codec.clock_rate, self._clock_map, mid=mid, rid=rid, nack=codec.nack
        )
        old = publication.layers.get(rid)
        publication.layers[rid] = uplink
        if old is not None:  # the sender took a new SSRC: show that from its next key frame on
            for ssrc, route in list(self.routes.items()):
                if route.uplink is old:
                    del self.routes[ssrc]
            for downlink in publication.active:
                if old in (downlink.uplink, downlink.pending):
                    downlink.want(uplink, publication.codec_key, now)
        else:
            for downlink in publication.active:
                if downlink.uplink is None and downlink.pending is None:
                    downlink.want(uplink, publication.codec_key, now)
        return Route(publication, uplink, rtx=False)

    def _learn_rtx(self, reader: RtpReader) -> Route | None:
        media = self.routes.get(self._rtx_of.get(reader.ssrc, -1))
        if media is not None and not media.rtx:
            return Route(media.publication, media.uplink, rtx=True)
        mid = reader.mid.decode("ascii", "replace")
        publication = self.publications.get(mid)
        if publication is None:
            return None
        uplink = publication.layers.get((reader.rrid or reader.rid).decode("ascii", "replace"))
        return Route(publication, uplink, rtx=True) if uplink is not None else None

    def _ask_key(self, uplink: Uplink) -> None:
        self.send_rtcp(rtcp.build_pli(self.ssrc, uplink.ssrc))

    def request_keys(self, now: float) -> None:
        """Ask for key frames of all that this peer is shown."""
        for publication, _ in self.shown.values():
            publication.request_key(now)

    # ---- RTCP

    def send_rtcp(self, data: bytes) -> None:
        """Protect and put into the batch; dropped while there is no path. The caller's turn ends with a flush."""
        if self._protector is None or self.endpoint is None or self.destination is None:
            return
        try:
            self.endpoint.batch.put(self._protector.protect_rtcp(data), self.destination)
        except SrtpError:
            self.counts["rtcp_protect_refused"] += 1

    def on_rtcp(self, data: bytes, now: float) -> None:
        if self._protector is None:
            return
        try:
            packets = rtcp.parse_compound(self._protector.unprotect_rtcp(data))
        except SrtpError:
            self.counts["srtcp_refused"] += 1
            return
        except RtcpError:
            self.counts["rtcp_malformed"] += 1
            return
        self.session.last_media = now
        for packet in packets:
            if isinstance(packet, rtcp.SenderReport):
                route = self.routes.get(packet.ssrc)
                if route is not None and not route.rtx:
                    route.uplink.note_sender_report(packet.ntp, packet.rtp_timestamp, now)
                self._on_reports(packet.reports)
            elif isinstance(packet, rtcp.ReceiverReport):
                self._on_reports(packet.reports)
            elif isinstance(packet, rtcp.Nack):
                self._on_nack(packet, now)
            elif isinstance(packet, rtcp.PictureLossIndication):
                self._on_key_wanted(packet.media_ssrc, now)
            elif isinstance(packet, rtcp.FullIntraRequest):
                for ssrc, _ in packet.entries:
                    self._on_key_wanted(ssrc, now)
            elif isinstance(packet, rtcp.TransportFeedback):
                self.twcc_received += 1
            elif isinstance(packet, rtcp.Remb):
                self.remb_bps = packet.bitrate_bps

    def _on_reports(self, reports: tuple[rtcp.ReportBlock, ...]) -> None:
        for block in reports:
            downlink = self.by_ssrc.get(block.ssrc)
            if downlink is not None:
                downlink.note_report(block, ntp_now() >> 16 & 0xFFFFFFFF)

    def _on_key_wanted(self, ssrc: int, now: float) -> None:
        downlink = self.by_ssrc.get(ssrc)
        shown = self.shown.get(downlink.mid) if downlink is not None else None
        if shown is not None and shown[1].downlink in shown[0].active:
            self.counts["pli"] += 1
            shown[0].request_key(now)

    def _on_nack(self, nack: rtcp.Nack, now: float) -> None:
        downlink = self.by_ssrc.get(nack.media_ssrc)
        shown = self.shown.get(downlink.mid) if downlink is not None else None
        if downlink is None or shown is None or downlink not in shown[0].active:
            return
        for out_seq in nack.lost[:MAX_NACKED_AT_ONCE]:
            downlink.nacked += 1
            found = downlink.find(out_seq)
            if found is None:
                continue
            epoch, seq = found
            entry = epoch.uplink.kept(seq)
            if entry is None:
                if downlink.kind == "video" and not epoch.uplink.missing(seq):
                    shown[0].request_key(now)
                continue
            if downlink.may_resend(out_seq, now):
                self._resend(downlink, downlink.rebuild(epoch, entry, self._next_twcc()))

    def _next_twcc(self) -> int:
        self.twcc_seq = (self.twcc_seq + 1) & 0xFFFF
        return self.twcc_seq

    def _resend(self, downlink: Downlink, packet: bytes) -> None:
        if self._protector is None or self.endpoint is None or self.destination is None:
            return
        try:
            protected = self._protector.protect_rtp(packet)
        except SrtpError:
            downlink.refused += 1
            return
        downlink.resent += 1
        self.endpoint.batch.put(protected, self.destination)

    # ---- time

    def tick(self, now: float) -> None:
        """Every 20 ms: NACKs, transport feedback, reports; consent."""
        if not self.ready:
            if self.state == "connecting" and now - self.session.created > CONNECT_DEADLINE_S:
                self.failure = "connect_timeout"
                self._set_state("failed")
            return
        for route in self.routes.values():
            if route.rtx:
                continue
            due = route.uplink.nacks_due(now)
            if due:
                self.send_rtcp(rtcp.build_nack(self.ssrc, route.uplink.ssrc, due))
            if route.uplink.wants_key and route.publication.request_key(now):
                route.uplink.wants_key = False
        if self._arrivals_new and now - self._twcc_at >= TWCC_INTERVAL_S - 0.001:
            self._arrivals_new = False
            self._twcc_at = now
            media = next((r.uplink.ssrc for r in self.routes.values() if not r.rtx), 0)
            for packet in self._arrivals.build(self.ssrc, media):
                self.send_rtcp(packet)
        if now - self._report_at >= REPORT_INTERVAL_S:
            self._report_at = now
            self._reports(now)
        self._check_consent(now)

    def _reports(self, now: float) -> None:
        blocks = [r.uplink.report(now) for r in self.routes.values() if not r.rtx and r.uplink.max_seq >= 0][:31]
        if blocks:
            self.send_rtcp(
                rtcp.build_receiver_report(rtcp.ReceiverReport(self.ssrc, tuple(blocks)))
                + rtcp.build_source_description(self.ssrc, CNAME)
            )
        ntp = ntp_now()
        for downlink in self.downlinks.values():
            downlink.age()
            timestamp = downlink.timestamp_at(now)
            if timestamp is not None and downlink.packets:
                report = rtcp.SenderReport(
                    downlink.ssrc, ntp, timestamp, downlink.packets & 0xFFFFFFFF, downlink.octets & 0xFFFFFFFF, ()
                )
                self.send_rtcp(
                    rtcp.build_sender_report(report) + rtcp.build_source_description(downlink.ssrc, slot_cname(downlink.mid))
                )

    def _check_consent(self, now: float) -> None:
        if self.dtls.transport.state in ("closed", "failed"):
            self.failure = "dtls_closed"
            self._set_state("failed")
        elif now - self.session.last_check > CONSENT_S:
            self.failure = "consent_expired"
            self._set_state("failed")
        elif self.state == "connected" and not self.session.alive(now):
            self._set_state("disconnected")

    # ---- end

    def detach(self, now: float) -> None:
        """At once: nothing more in or out. ``close`` follows."""
        self._ice.remove(self.session)
        for downlink in self.downlinks.values():
            downlink.detach(now)
            downlink.batch = None
        self.ready = False

    async def close(self) -> None:
        """End the association politely, within a deadline."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_DEADLINE_S):
                if self._pointer is not None:
                    await self._pointer.stop()
                await self.dtls.stop()
        self.endpoint = self.destination = None
        self._protector = None
        self.state = "closed"

    def stats(self) -> dict[str, object]:
        return {
            "state": self.state,
            "counts": dict(self.counts),
            "twcc_received": self.twcc_received,
            "remb_bps": self.remb_bps,
            "published": {
                p.source: [
                    {"rid": rid, "ssrc": u.ssrc, "packets": u.packets, "octets": u.octets, "late": u.late, "recovered": u.recovered,
                     "nacked": u.nacked, "keys": u.keys, "plis": p.plis, "flowing": p.flowing, "open": p.gate.open, "forwarded": p.forwarded}
                    for rid, u in p.layers.items()
                ]
                for p in self.publications.values()
            },
            "slots": {
                d.mid: {"packets": d.packets, "octets": d.octets, "resent": d.resent, "nacked": d.nacked, "refused": d.refused,
                        "loss": d.loss, "rtt_s": d.rtt_s}
                for d in self.downlinks.values() if d.packets
            },
        }  # fmt: skip


def _same_shape(new: tuple[NegotiatedSection, ...], old: tuple[NegotiatedSection, ...]) -> bool:
    """Equal but for the SSRCs that the publisher announces."""

    def shape(section: NegotiatedSection) -> tuple[object, ...]:
        return section.mid, section.kind, section.role, section.source, section.codecs, section.extensions, section.rids

    return [shape(s) for s in new] == [shape(s) for s in old]
